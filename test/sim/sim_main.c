/* SPDX-License-Identifier: MIT
 *
 * sim_main.c - arguments, jobs and the summary. The only file of the simulator that touches the
 * system: it forks workers and reads the list of seeds that have failed before.
 */
#define _POSIX_C_SOURCE 200809L
#include "sim.h"
#include "sim_scenario.h"

#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#define JOBS_MAX 64
#define EX_USAGE 64

static const char *const feature_names[] = {
#define FEATURE_NAME(name, text, on, per_100) text,
    FEATURES(FEATURE_NAME)
#undef FEATURE_NAME
};

struct total {
    uint64_t runs, failures, hash;
    uint64_t virtual_us;
    uint64_t active[F_N], via[3], flows;
    struct stats sum; /* worst_* and peak_* are maxima */
};

struct request {
    uint64_t from, to;
    enum via via;
    int jobs;
    uint32_t last; /* lines of a trace */
    bool trace, twice, quiet;
    const char *scenario, *list;
};

/* One world and one plan at a time; they are large. */
struct stage {
    struct plan plan;
    struct world world;
};

static uint64_t
most(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static void
add_stats(struct stats *sum, const struct stats *s)
{
    sum->datagrams += s->datagrams;
    sum->checksum_drops += s->checksum_drops;
    sum->attacks += s->attacks;
    sum->sessions += s->sessions;
    sum->closed_dead += s->closed_dead;
    sum->closed_restarted += s->closed_restarted;
    sum->resets += s->resets;
    sum->wakes += s->wakes;
    sum->idle_ticks += s->idle_ticks;
    sum->worst_learn_us = most(sum->worst_learn_us, s->worst_learn_us);
    sum->worst_finish_us = most(sum->worst_finish_us, s->worst_finish_us);
    sum->peak_held = most(sum->peak_held, s->peak_held);
}

static const char *
via_option(enum via via)
{
    return via == VIA_PIPE ? " --via pipe" : via == VIA_ENDPOINT ? " --via kcp" : "";
}

static void
report(const struct request *q, const struct stage *st, const char *scenario)
{
    if (scenario)
        printf("FAIL: scenario %s %s\n  replay: build/asan/fog_sim --scenario %s --trace\n",
               scenario, st->world.why, scenario);
    else
        printf("FAIL: seed %llu %s\n  replay: build/asan/fog_sim --seed %llu%s --trace\n",
               (unsigned long long)st->plan.seed, st->world.why, (unsigned long long)st->plan.seed,
               via_option(q->via));
    fflush(stdout);
}

static void
run_one(const struct request *q, struct stage *st, struct total *t, const char *scenario)
{
    uint64_t hash = 0;
    for (int run = 0; run < (q->twice ? 2 : 1); run++) {
        if (scenario && !sim_scenario(&st->plan, scenario))
            exit(EX_USAGE);
        bool fine = sim_run(&st->world, &st->plan, q->trace);
        if (run == 1 && hash != st->world.hash) {
            fine = false;
            snprintf(st->world.why, sizeof st->world.why, "two runs differ");
        }
        hash = st->world.hash;
        if (q->trace) {
            sim_dump(&st->world, q->last, stdout);
            printf("hash %016llx\n", (unsigned long long)hash);
        }
        if (!fine) {
            t->failures++;
            report(q, st, scenario);
            break;
        }
    }
    t->runs++;
    t->hash = (t->hash ^ hash) * 0x9e3779b97f4a7c15u;
    t->virtual_us += (uint64_t)st->world.now;
    t->flows += (uint64_t)st->plan.n_flows;
    t->via[st->plan.via]++;
    for (int i = 0; i < F_N; i++)
        t->active[i] += st->plan.has[i];
    add_stats(&t->sum, &st->world.stats);
    free(st->world.ring);
}

static void
add_total(struct total *t, const struct total *o)
{
    t->runs += o->runs;
    t->failures += o->failures;
    t->hash = t->hash * 31 + o->hash;
    t->virtual_us += o->virtual_us;
    t->flows += o->flows;
    for (int i = 0; i < F_N; i++)
        t->active[i] += o->active[i];
    for (int i = 0; i < 3; i++)
        t->via[i] += o->via[i];
    add_stats(&t->sum, &o->sum);
}

/* ------------------------------------------------------------------------------------- workers */

static void
work(const struct request *q, int job, struct total *t, int progress)
{
    struct stage *st = malloc(sizeof *st);
    if (!st)
        abort();
    for (uint64_t seed = q->from + (uint64_t)job; seed <= q->to; seed += (uint64_t)q->jobs) {
        sim_draw(&st->plan, seed, q->via);
        run_one(q, st, t, NULL);
        if (progress && job == 0 && t->runs % 16 == 0) {
            fprintf(stderr, "\r%llu of %llu seeds ", (unsigned long long)(seed - q->from),
                    (unsigned long long)(q->to - q->from + 1));
            fflush(stderr);
        }
    }
    free(st);
}

static pid_t
start_worker(const struct request *q, int job, int *from)
{
    int ends[2];
    if (pipe(ends))
        return -1;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        struct total t = {0};
        close(ends[0]);
        work(q, job, &t, isatty(2));
        ssize_t n = write(ends[1], &t, sizeof t);
        exit(n == (ssize_t)sizeof t ? 0 : 1);
    }
    close(ends[1]);
    *from = ends[0];
    return pid;
}

static void
run_seeds(const struct request *q, struct total *t)
{
    if (q->jobs == 1) {
        work(q, 0, t, isatty(2));
        return;
    }
    pid_t pids[JOBS_MAX];
    int from[JOBS_MAX];
    for (int i = 0; i < q->jobs; i++)
        pids[i] = start_worker(q, i, &from[i]);
    for (int i = 0; i < q->jobs; i++) {
        struct total o;
        int status = 1;
        ssize_t n = pids[i] > 0 ? read(from[i], &o, sizeof o) : 0;
        if (pids[i] > 0)
            waitpid(pids[i], &status, 0);
        if (n != (ssize_t)sizeof o || status != 0) {
            printf("FAIL: worker %d of seeds %llu, %llu ... ended early\n", i,
                   (unsigned long long)(q->from + (uint64_t)i),
                   (unsigned long long)(q->from + (uint64_t)(i + q->jobs)));
            t->failures++;
            continue;
        }
        add_total(t, &o);
    }
}

/* ------------------------------------------------------------------------------------ the lists */

/** Seeds that have failed before: "seed via  what it taught" in a line. */
static bool
run_list(const struct request *q, struct total *t)
{
    FILE *f = fopen(q->list, "r");
    if (!f) {
        fprintf(stderr, "fog_sim: cannot read %s\n", q->list);
        return false;
    }
    struct stage *st = malloc(sizeof *st);
    char line[200], via[16];
    while (st && fgets(line, sizeof line, f)) {
        unsigned long long seed;
        if (line[0] == '#' || sscanf(line, "%llu %15s", &seed, via) != 2)
            continue;
        struct request one = *q;
        one.via = strcmp(via, "kcp") == 0    ? VIA_ENDPOINT
                  : strcmp(via, "pipe") == 0 ? VIA_PIPE
                                             : VIA_ANY;
        sim_draw(&st->plan, seed, one.via);
        run_one(&one, st, t, NULL);
    }
    free(st);
    fclose(f);
    return true;
}

static void
run_scenarios(const struct request *q, struct total *t)
{
    struct stage *st = malloc(sizeof *st);
    if (!st)
        abort();
    for (int i = 0; sim_scenario_name(i); i++) {
        const char *name = sim_scenario_name(i);
        if (strcmp(q->scenario, "all") != 0 && strcmp(q->scenario, name) != 0)
            continue;
        uint64_t failures = t->failures;
        run_one(q, st, t, name);
        if (!q->quiet)
            printf("%-4s %-32s %9.3f s %8llu datagrams\n", t->failures == failures ? "ok" : "FAIL",
                   name, (double)sim_scenario_finish(&st->world) / 1e6,
                   (unsigned long long)sim_scenario_datagrams(&st->world));
    }
    free(st);
}

static void
print_summary(const struct total *t)
{
    const struct stats *s = &t->sum;
    printf("\n%-28s %llu\n", "runs", (unsigned long long)t->runs);
    printf("%-28s %llu endpoint, %llu lone, %llu pipe\n", "  over", (unsigned long long)t->via[0],
           (unsigned long long)t->via[1], (unsigned long long)t->via[2]);
    printf("%-28s %.1f h\n", "virtual time", (double)t->virtual_us / 3.6e9);
    printf("%-28s %llu, %llu hostile, %llu damaged beyond use\n", "datagrams",
           (unsigned long long)s->datagrams, (unsigned long long)s->attacks,
           (unsigned long long)s->checksum_drops);
    printf("%-28s %llu flows, %llu resets, %llu sessions\n", "traffic",
           (unsigned long long)t->flows, (unsigned long long)s->resets,
           (unsigned long long)s->sessions);
    printf("%-28s %llu by a lost peer, %llu otherwise\n", "sessions ended",
           (unsigned long long)s->closed_restarted, (unsigned long long)s->closed_dead);
    printf("%-28s %.3f s\n", "worst finish after healing", (double)s->worst_finish_us / 1e6);
    printf("%-28s %.3f s\n", "worst news of a lost session", (double)s->worst_learn_us / 1e6);
    printf("%-28s %llu KiB\n", "most memory of a host", (unsigned long long)s->peak_held / 1024);
    printf("%-28s %016llx\n", "hash", (unsigned long long)t->hash);
    printf("active in per cent of runs:");
    for (int i = 0; i < F_N; i++)
        printf("%s%s %.0f", i % 6 ? ", " : "\n  ", feature_names[i],
               t->runs ? (double)t->active[i] * 100 / (double)t->runs : 0);
    printf("\n%llu runs, %llu failed\n", (unsigned long long)t->runs,
           (unsigned long long)t->failures);
}

static int
usage(void)
{
    fprintf(stderr,
            "usage: fog_sim [--seeds A..B | --seed N | --scenario NAME|all | --list FILE]\n"
            "               [--via kcp|pipe|both] [--jobs N] [--trace] [--last LINES] [--twice]\n");
    return EX_USAGE;
}

static bool
parse_value(struct request *q, const char *name, const char *value)
{
    char *end;
    if (strcmp(name, "--seeds") == 0) {
        q->from = q->to = strtoull(value, &end, 0);
        if (strncmp(end, "..", 2) == 0)
            q->to = strtoull(end + 2, &end, 0);
        return *end == 0 && q->from <= q->to;
    }
    if (strcmp(name, "--seed") == 0) {
        q->from = q->to = strtoull(value, &end, 0);
        return *end == 0;
    }
    if (strcmp(name, "--jobs") == 0) {
        q->jobs = (int)strtol(value, &end, 10);
        return *end == 0 && q->jobs >= 1 && q->jobs <= JOBS_MAX;
    }
    if (strcmp(name, "--last") == 0) {
        q->last = (uint32_t)strtoul(value, &end, 10);
        return *end == 0;
    }
    if (strcmp(name, "--via") == 0) {
        q->via = strcmp(value, "kcp") == 0    ? VIA_ENDPOINT
                 : strcmp(value, "pipe") == 0 ? VIA_PIPE
                                              : VIA_ANY;
        return q->via != VIA_ANY || strcmp(value, "both") == 0;
    }
    if (strcmp(name, "--scenario") == 0)
        q->scenario = value;
    else if (strcmp(name, "--list") == 0)
        q->list = value;
    else
        return false;
    return true;
}

int
main(int argc, char **argv)
{
    struct request q = {.from = 1, .to = 100, .via = VIA_ANY, .jobs = 1, .last = 400};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--trace") == 0)
            q.trace = true;
        else if (strcmp(argv[i], "--twice") == 0)
            q.twice = true;
        else if (i + 1 >= argc || !parse_value(&q, argv[i], argv[i + 1]))
            return usage();
        else
            i++;
    }
    struct total t = {0};
    if (q.scenario)
        run_scenarios(&q, &t);
    else if (q.list) {
        if (!run_list(&q, &t))
            return 1;
    } else
        run_seeds(&q, &t);
    print_summary(&t);
    return t.failures || t.runs == 0 ? 1 : 0;
}
