/* SPDX-License-Identifier: MIT
 *
 * without_main.c - each mechanism of the recovery earns its place: a scenario in which the engine
 * meets its bound on every seed, and misses it on every seed when that mechanism alone is off.
 *
 *     fog_without [--seeds n] [--all] [mechanism ...]       --all: the figure of each seed
 */
#include "scenario.h"
#include "without.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEEDS_MOST 64

enum bound { AT_MOST, AT_LEAST };

struct row {
    const char *mechanism;
    enum mechanism off;
    const char *scenario, *unit;
    double (*figure)(uint64_t seed);
    enum bound bound;
    double limit;
};

/* clang-format off */
static const struct row rows[] = {
    {"stamps", OFF_STAMPS, "20 % loss: largest srtt / round trip", "", repeated_round_trip, AT_MOST, 1.1},
    {"records", OFF_RECORDS, "lost three times: held up, round trips", "RTT", lost_repair, AT_MOST, 5},
    {"timed loss", OFF_TIME, "1 % early: sent again", "%", early_ones, AT_MOST, 0.5},
    {"reordering window", OFF_WINDOW, "80 ms of jitter, no loss: sent again", "%", jitter, AT_MOST, 2},
    {"tail probe", OFF_PROBES, "last segment lost: to arrive", "RTT", lost_tail, AT_MOST, 2},
    {"probes in the dark", OFF_DARK, "1 s dark: to the full rate", "ms", light_again, AT_MOST, 350},
    {"dead by time", OFF_DEAD, "60 s dark: to arrive after it", "ms", minute_of_dark, AT_MOST, 1500},
    {"delivery rate", OFF_RATE, "a queue of 20 ms, from the start: dropped", "%", sender_is_faster, AT_MOST, 10},
    {"model", OFF_MODEL, "10 % loss: share of the link", "%", random_loss, AT_LEAST, 85},
    {"queue slows", OFF_QUEUE, "a quarter of the rate goes: queue 2 s later", "ms", deep_queue, AT_MOST, 20},
    {"least round trip", OFF_REFRESH, "the way gets longer: share of the link", "%", longer_way, AT_LEAST, 85},
    {"rate followed", OFF_FADE, "the rate falls to a quarter: queue, median", "ms", quarter_of_rate, AT_MOST, 30},
    {"doubt in the dark", OFF_DOUBT, "0.5 s dark, soon: random loss believed in", "%", loss_after_dark, AT_MOST, 1},
    {"regret", OFF_REGRET, "a way that changes: random loss believed in", "%", late_is_not_lost, AT_MOST, 0.6},
    {"app-limited", OFF_LIMITED, "1 MB after little talk", "ms", bulk_after_talk, AT_MOST, 400},
    {"quick start", OFF_QUICK, "1 MB on a fresh session", "RTT", one_answer, AT_MOST, 6},
    {"pacing", OFF_PACE, "a queue of 10 ms: dropped", "%", shallow_queue, AT_MOST, 2},
    {"copies", OFF_COPIES, "200 bytes after 300 KB, 10 % loss: 95th percentile", "RTT", words, AT_MOST, 0.8},
    {"copies of talk", OFF_COPIES, "64 bytes alone, 10 % loss: 99th percentile", "RTT", talk, AT_MOST, 1.25},
    {"copies of the short", OFF_SHORT, "4 KB asked for, alone, 5 % loss: 95th percentile", "RTT", short_answers, AT_MOST, 1.25},
    {"copies of repairs", OFF_SPARE, "vproxy's window, 20 % loss: share of the link", "%", small_window, AT_LEAST, 43},
    {"ceiling of copies", OFF_CEILING, "a message each 2 ms, 10 % loss: copies", "/RTT", dear_copies, AT_MOST, 17},
    {"fixed rate", OFF_FIXED, "20 Mbit/s told, 5 % loss: off by", "%", told_rate, AT_MOST, 3},
    {"classic", OFF_CLASSIC, "fast4, 1 s of queue: window used", "%", full_window, AT_LEAST, 90},
    {"maps", OFF_MAPS, "10 % there, 20 % back: came twice", "%", sent_in_vain, AT_MOST, 0.5},
    {"our kind", OFF_KIN, "5 % loss: bytes back", "%", bytes_back, AT_MOST, 3},
    {"hello again", OFF_HELLO, "first one lost: both know", "ms", lost_hello, AT_MOST, 1000},
    {"window asked for", OFF_ASK, "opened in the dark: data comes", "ms", closed_window, AT_MOST, 4000},
    {"window told", OFF_TELL, "opened: data comes", "ms", opened_window, AT_MOST, 100},
};
/* clang-format on */

/* The figures of one row, with the mechanism or without. */
struct figures {
    double least, most;
    uint64_t asked;
};

static unsigned seeds = 5;
static bool show_all;

static struct figures
play(const struct row *r, enum mechanism off)
{
    struct figures f = {0};
    for (unsigned seed = 1; seed <= seeds; seed++) {
        without_set(off);
        double x = r->figure(seed);
        f.asked += without_asked();
        f.least = seed == 1 || x < f.least ? x : f.least;
        f.most = seed == 1 || x > f.most ? x : f.most;
        if (show_all)
            printf("    %s seed %u: %.3f\n", off == NOTHING_OFF ? "with   " : "without", seed, x);
    }
    return f;
}

/* Every seed with it meets the bound, no seed without it does, and its stand-in was asked. */
static const char *
verdict(const struct row *r, const struct figures *with, const struct figures *sans)
{
    bool most = r->bound == AT_MOST;
    if (most ? with->most > r->limit : with->least < r->limit)
        return "MISSED";
    if (sans->asked == 0)
        return "NOT ASKED";
    return (most ? sans->least <= r->limit : sans->most >= r->limit) ? "NOT NEEDED" : "ok";
}

static void
print_figure(double x)
{
    if (x >= NEVER)
        printf("%8s | ", "never");
    else
        printf("%8.2f | ", x);
}

static bool
try(const struct row *r)
{
    struct figures with = play(r, NOTHING_OFF), sans = play(r, r->off);
    bool most = r->bound == AT_MOST;
    const char *says = verdict(r, &with, &sans);
    printf("%-22s | %-52s | ", r->mechanism, r->scenario);
    print_figure(most ? with.most : with.least);
    print_figure(most ? sans.least : sans.most);
    printf("%s %7.2f %-5s | %s\n", most ? "<=" : ">=", r->limit, r->unit, says);
    fflush(stdout);
    return strcmp(says, "ok") == 0;
}

static bool
wanted(const char *name, int n, char **names)
{
    for (int i = 0; i < n; i++) {
        if (strcmp(names[i], name) == 0)
            return true;
    }
    return n == 0;
}

int
main(int argc, char **argv)
{
    int i = 1;
    for (; i < argc && argv[i][0] == '-'; i++) {
        if (strcmp(argv[i], "--all") == 0)
            show_all = true;
        else if (strcmp(argv[i], "--seeds") == 0 && i + 1 < argc)
            seeds = (unsigned)atoi(argv[++i]);
        else
            return 2;
    }
    if (seeds < 1 || seeds > SEEDS_MOST)
        return 2;
    printf("%-22s | %-52s | %8s | %8s | %-16s | (worst with, best without, of %u seeds)\n",
           "mechanism", "scenario", "with", "without", "bound", seeds);
    unsigned tried = 0, good = 0;
    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
        if (!wanted(rows[r].mechanism, argc - i, argv + i))
            continue;
        tried++;
        good += try(&rows[r]);
    }
    printf("%u mechanisms, %u of them needed and sufficient\n", tried, good);
    return tried == 0 || good < tried;
}
