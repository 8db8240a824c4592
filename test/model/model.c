/* SPDX-License-Identifier: MIT
 *
 * model.c - the KCP engine over emulated links, in virtual time: how much of the link it uses, what
 * that costs on the wire, how long the queue becomes, how two share it. Everything follows from the
 * seed.
 *
 *     fog_model [--seed n] [--seconds n] [--peer ours|ticked] [--trace] [--gate] [row ...]
 */
#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WIRE 1.09         /* bytes on the wire per byte delivered, were nothing lost */
#define SHARE_LEAST 0.35  /* of one of two */
#define FOLLOWED_WAIT 0.5 /* of the longest queue: a slower line counts as followed below it */

static struct model_args args = {.seed = 1, .seconds = 30};

/* Milliseconds that `share` of what was noted did not exceed. */
static double
quantile(const struct run *r, double share)
{
    uint64_t seen = 0;
    for (size_t i = 0; i < MODEL_DELAYS; i++) {
        seen += r->delay[i];
        if ((double)seen >= share * (double)r->delays)
            return (double)i / 100;
    }
    return 0;
}

/* Longest time from the end of darkness to the full rate, ms; 0 when it never was dark. */
static double
recovery(const struct run *r)
{
    const size_t span = 5;
    double full = r->row->mbps * 1e6 / 8 * (1 - r->row->loss), worst = 0;
    fog_time end = r->end - MODEL_DRAINED_WITHIN;
    for (fog_time light = MODEL_DARK_EVERY; MODEL_T0 + light < end; light += MODEL_DARK_EVERY) {
        size_t first = (size_t)(light / MODEL_BUCKET_US), at = first;
        for (; at < first + 400; at++) {
            uint64_t sum = 0;
            for (size_t i = 0; i < span; i++)
                sum += r->arrived[at + i];
            if ((double)sum >= 0.9 * full * (double)(span * MODEL_BUCKET_US) / 1e6)
                break;
        }
        double ms = (double)(at - first) * (double)MODEL_BUCKET_US / 1e3;
        worst = ms > worst ? ms : worst;
    }
    return worst;
}

/* How long the slower line had a queue of more than half of what it holds, in ms. */
static double
followed(const struct run *r)
{
    size_t first = (size_t)(MODEL_QUARTER_AT / MODEL_BUCKET_US), last = first;
    size_t n = (size_t)(MODEL_QUARTER_FOR / MODEL_BUCKET_US);
    double most = r->row->queue_ms * 4 * 100; /* 0.01 ms: the queue holds bytes */
    for (size_t i = first; i < first + n; i++) {
        if (r->slowest[i] > FOLLOWED_WAIT * most)
            last = i;
    }
    return (double)(last - first) * (double)MODEL_BUCKET_US / 1e3;
}

/* Rows that are about something else than the rate of one upload. */
static bool
print_special(const struct run *r)
{
    const struct link_row *row = r->row;
    if (row->kind == ROW_TWO || row->kind == ROW_LATE) {
        bool late = row->kind == ROW_LATE;
        uint64_t a = r->flow[0].delivered - (late ? r->at_late[0] : 0);
        uint64_t b = r->flow[1].delivered - (late ? r->at_late[1] : 0);
        double least = (double)(a < b ? a : b) / (double)(a + b);
        printf(" least %.3f /%.2f %s", least, SHARE_LEAST, least >= SHARE_LEAST ? "ok" : "UNFAIR");
        return least >= SHARE_LEAST;
    }
    if (row->kind == ROW_QUARTER) {
        double ms = followed(r);
        printf(" followed %.0f ms", ms);
        return ms <= 20 * row->rtt_ms;
    }
    if (row->dark) {
        /* Where the ends themselves stand still at random, each may do so for five times the mean
         * at that very moment. */
        double ms = recovery(r), most = 2 * row->rtt_ms + 250 + 2 * 5 * row->stall_ms;
        printf(" recovery %.0f ms", ms);
        return ms <= most;
    }
    return true;
}

/* Answers instead of a rate. */
static bool
print_answers(const struct run *r)
{
    const struct emu_counters *t = fogi_emu_counters(r->there), *b = fogi_emu_counters(r->back);
    double p50 = quantile(r, 0.5), p99 = quantile(r, 0.99), rtt = r->row->rtt_ms;
    printf("%-9s answers %llu p50 %.2f p99 %.2f p100 %.2f bytes each %.0f\n", r->row->name,
           (unsigned long long)r->delays, p50, p99, quantile(r, 1),
           (double)(t->bytes + b->bytes) / (double)r->delays);
    return r->row->kind == ROW_FETCH ? p50 <= r->row->goal * rtt
                                     : p50 <= rtt + 1 && p99 <= r->row->goal * rtt;
}

static bool
print_result(const struct run *r, double goodput)
{
    const struct emu_counters *t = fogi_emu_counters(r->there), *b = fogi_emu_counters(r->back);
    uint64_t delivered = r->flow[0].delivered + r->flow[1].delivered;
    double wire = (double)(t->bytes + b->bytes) / (double)delivered;
    double most = WIRE / (1 - r->row->loss);
    double share = goodput / r->row->limit;
    struct fog_arq_status st, got = {0};
    fog_arq_status(r->flow[0].tx.arq, &st);
    if (r->flow[0].rx.arq)
        fog_arq_status(r->flow[0].rx.arq, &got);
    double sent = (double)(st.n.segments_out ? st.n.segments_out : 1);
    printf("%-9s %7.2f %5.3f /%4.2f %s wire %.3f /%.3f %s back %.3f drops %5llu queue %5.1f %6.1f "
           "resent %.3f red %.3f twice %.4f to %llu",
           r->row->name, goodput, share, r->row->goal, share >= r->row->goal ? "ok " : "LOW", wire,
           most, wire <= most ? "ok  " : "HIGH", (double)b->bytes / (double)delivered,
           (unsigned long long)t->tail_dropped, quantile(r, 0.5), quantile(r, 0.99),
           (double)st.n.resent / sent, (double)st.n.redundant / sent,
           (double)got.n.duplicates / (double)(got.n.segments_in ? got.n.segments_in : 1),
           (unsigned long long)st.n.timeouts);
    bool ok = print_special(r);
    printf("\n");
    fflush(stdout);
    bool cheap = wire <= most || r->row->stall_ms > 0; /* what a stalled machine costs is shown */
    return ok && cheap && share >= r->row->goal;
}

static bool
measure(const struct link_row *row)
{
    struct run *r = run_new(row, &args);
    run_loop(r);
    uint64_t delivered = r->flow[0].delivered + r->flow[1].delivered;
    double goodput = (double)delivered * 8 / args.seconds / 1e6;
    for (unsigned i = 0; i < r->flows; i++)
        r->flow[i].full = true;
    /* What is under way arrives, so that the wire's bytes are all for something. */
    r->end += MODEL_DRAINED_WITHIN;
    run_loop(r);
    bool answers = row->kind == ROW_ALONE || row->kind == ROW_FETCH;
    bool ok = answers ? print_answers(r) : print_result(r, goodput);
    run_free(r);
    return ok;
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

/* Options; the number of the first name, or 0. */
static int
read_options(int argc, char **argv)
{
    int i = 1;
    for (; i < argc && argv[i][0] == '-'; i++) {
        if (strcmp(argv[i], "--trace") == 0)
            args.trace = true;
        else if (strcmp(argv[i], "--gate") == 0)
            args.gate = true;
        else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
            args.seed = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--seconds") == 0 && i + 1 < argc)
            args.seconds = atof(argv[++i]);
        else if (strcmp(argv[i], "--fast") == 0 && i + 1 < argc)
            args.fast = atoi(argv[++i]);
        else if (strcmp(argv[i], "--peer") == 0 && i + 1 < argc)
            args.ticked = strcmp(argv[++i], "ticked") == 0;
        else
            return 0;
    }
    return i;
}

int
main(int argc, char **argv)
{
    int first = read_options(argc, argv);
    if (first == 0)
        return 2;
    bool ok = true;
    for (unsigned l = 0; l < model_links_n; l++) {
        const struct link_row *row = &model_links[l];
        if (args.ticked && row->kind == ROW_ALONE)
            continue; /* that peer says nothing */
        if (wanted(row->name, argc - first, argv + first))
            ok = measure(row) && ok;
    }
    return args.gate && !ok;
}
