/* SPDX-License-Identifier: MIT
 *
 * sim_scenario.c - fixed worlds. Each row names its link, its faults and its flows, and the time
 * and the datagrams that it may take. The runs repeat exactly, so the gates may be narrow.
 */
#include "sim_scenario.h"

#include <string.h>

enum { C = FOG_CLIENT, S = FOG_SERVER };

struct scenario {
    const char *name;
    enum via via;
    struct emu_options link; /* both directions, never healed */
    struct fault faults[3];
    void (*flows)(struct plan *p);
    fog_time finish;    /* all flows are done by then */
    uint64_t datagrams; /* until all is closed */
    fog_time learn;     /* a lost session is known so soon after it was used; 0: any time */
};

static struct script
sends(uint32_t total)
{
    return (struct script){.total = total, .credit = total, .write_max = 100000};
}

static struct flow_plan *
add(struct plan *p, const char *name, fog_time at, struct script c, struct script s)
{
    struct flow_plan *f = &p->flows[p->n_flows++];
    *f = (struct flow_plan){.name = name, .at = at, .end = {c, s}};
    return f;
}

static void
download_1m(struct plan *p)
{
    struct flow_plan *f = add(p, "download", 0, sends(20), sends(1000000));
    f->end[C].finish_after_eof = true;
    f->end[S].credit = 0;
    f->end[S].per_recv = 20;
    f->end[S].gain = 1000000;
}

static void
upload_1m(struct plan *p)
{
    struct flow_plan *f = add(p, "upload", 0, sends(1000000), sends(0));
    f->end[S].finish_after_eof = true;
}

static void
both_1m(struct plan *p)
{
    download_1m(p);
    upload_1m(p);
}

/** A request that is under way when the server forgets, and one for the session after it. */
static void
before_and_after(struct plan *p)
{
    struct flow_plan *f = add(p, "before", 0, sends(4000), sends(4000));
    f->end[C].write_max = 100;
    f->end[C].write_pause = FOG_MS(100);
    add(p, "after", FOG_SEC(3), sends(1000), sends(1000));
}

static void
slow_and_fast(struct plan *p)
{
    struct flow_plan *f = add(p, "slow", 0, sends(1), sends(600000));
    f->end[C].read_hold = FOG_SEC(20);
    f->end[C].finish_after_eof = true;
    for (int i = 0; i < 5; i++)
        add(p, "fast", FOG_MS(500), sends(100000), sends(100000))->done_by = FOG_SEC(2);
}

static void
thousand_short(struct plan *p)
{
    for (int i = 0; i < 1000; i++) {
        struct flow_plan *f = add(p, "short", FOG_MS(2) * i, sends(100), sends(300));
        f->end[S].send_after_eof = true;
    }
}

static void
one_message(struct plan *p)
{
    add(p, "message", 0, sends(500), sends(500));
}

static void
echo_100(struct plan *p)
{
    struct flow_plan *f = add(p, "echo", 0, sends(100), sends(100));
    f->end[C].credit = f->end[C].per_recv = f->end[C].gain = 1;
    f->end[S].credit = 0;
    f->end[S].per_recv = f->end[S].gain = 1;
}

static void
half_closes(struct plan *p)
{
    struct flow_plan *f = add(p, "near first", 0, sends(200000), sends(200000));
    f->end[S].send_after_eof = true;
    f = add(p, "far first", 0, sends(200000), sends(200000));
    f->end[C].send_after_eof = true;
    add(p, "both at once", 0, sends(0), sends(0));
    f = add(p, "refused", 0, sends(1000), sends(0));
    f->refuse = true;
}

/* clang-format off */
#define CLEAN(ms)      {.delay_us = FOG_MS(ms), .overhead = 28}
#define LOSSY(ms, l)   {.delay_us = FOG_MS(ms), .loss = (l), .overhead = 28}
#define NARROW(ms, kbit, queue) {.delay_us = FOG_MS(ms), .rate_bps = (kbit) * 1000u, .queue_bytes = (queue), .overhead = 28}

/*   name                              via           link                 faults                                                     flows             finish        datagrams learn */
static const struct scenario table[] = {
    {"clean_download",                 VIA_ENDPOINT, CLEAN(50),           {{0}},                                                     download_1m,      FOG_SEC(3),   2200,     0},
    {"clean_both_ways",                VIA_ENDPOINT, CLEAN(50),           {{0}},                                                     both_1m,          FOG_SEC(3),   4000,     0},
    {"loss10_download",                VIA_ENDPOINT, LOSSY(50, 0.10),     {{0}},                                                     download_1m,      FOG_SEC(6),   3500,     0},
    {"loss10_upload",                  VIA_ENDPOINT, LOSSY(50, 0.10),     {{0}},                                                     upload_1m,        FOG_SEC(6),   3500,     0},
    {"loss30_download",                VIA_ENDPOINT, LOSSY(50, 0.30),     {{0}},                                                     download_1m,      FOG_SEC(15),  6000,     0},
    {"far_link",                       VIA_ENDPOINT, CLEAN(300),          {{0}},                                                     download_1m,      FOG_SEC(6),   3000,     0},
    {"far_and_lossy",                  VIA_ENDPOINT, LOSSY(300, 0.05),    {{0}},                                                     download_1m,      FOG_SEC(15),  3500,     0},
    {"narrow_link",                    VIA_ENDPOINT, NARROW(20, 2000, 64000), {{0}},                                                 download_1m,      FOG_SEC(20),  12000,    0},
    {"tail_loss",                      VIA_ENDPOINT, LOSSY(50, 0.20),     {{0}},                                                     one_message,      FOG_SEC(3),   150,      0},
    {"keystrokes_under_loss",          VIA_ENDPOINT, LOSSY(50, 0.05),     {{0}},                                                     echo_100,         FOG_SEC(20),  1000,     0},
    {"blackout_heals",                 VIA_ENDPOINT, CLEAN(50),           {{F_DARK, -1, FOG_MS(120), FOG_SEC(5), 0}},                download_1m,      FOG_SEC(20),  4000,     0},
    {"one_way_blackout_heals",         VIA_ENDPOINT, CLEAN(50),           {{F_ONEWAY, -1, FOG_MS(120), FOG_SEC(5), 1}},              download_1m,      FOG_SEC(20),  6000,     0},
    {"server_restart_detected",        VIA_ENDPOINT, CLEAN(50),           {{F_RESTART_S, -1, FOG_SEC(1), FOG_MS(200), 0}},           before_and_after, FOG_SEC(12),  600,      FOG_MS(250)},
    {"client_moves",                   VIA_ENDPOINT, CLEAN(50),           {{F_MOVE, 0, FOG_SEC(1), 0, 0}},                           before_and_after, FOG_SEC(12),  600,      0},
    {"nat_rebinds",                    VIA_ENDPOINT, CLEAN(50),           {{F_REBIND, 0, FOG_SEC(1), 0, 0}},                         before_and_after, FOG_SEC(12),  600,      FOG_MS(250)},
    {"slow_reader_does_not_stop_others", VIA_ENDPOINT, CLEAN(20),         {{0}},                                                     slow_and_fast,    FOG_SEC(25),  6000,     0},
    {"1000_short_streams",             VIA_ENDPOINT, CLEAN(20),           {{0}},                                                     thousand_short,   FOG_SEC(5),   9000,     0},
    {"1000_short_streams_lossy",       VIA_ENDPOINT, LOSSY(20, 0.10),     {{0}},                                                     thousand_short,   FOG_SEC(8),   9000,     0},
    {"half_closes",                    VIA_ENDPOINT, CLEAN(50),           {{0}},                                                     half_closes,      FOG_SEC(8),   3000,     0},
    {"pipe_download",                  VIA_PIPE,     CLEAN(50),           {{0}},                                                     download_1m,      FOG_SEC(8),   0,        0},
    {"pipe_1000_short_streams",        VIA_PIPE,     CLEAN(20),           {{0}},                                                     thousand_short,   FOG_SEC(8),   0,        0},
    {"pipe_half_closes",               VIA_PIPE,     CLEAN(50),           {{0}},                                                     half_closes,      FOG_SEC(8),   0,        0},
};
/* clang-format on */

enum { N = sizeof table / sizeof *table };

const char *
sim_scenario_name(int i)
{
    return i < N ? table[i].name : NULL;
}

bool
sim_scenario(struct plan *p, const char *name)
{
    const struct scenario *s = NULL;
    for (int i = 0; i < N; i++)
        if (strcmp(table[i].name, name) == 0)
            s = &table[i];
    if (!s)
        return false;
    memset(p, 0, sizeof *p);
    p->seed = 1;
    p->via = s->via;
    p->clients = 1;
    p->give_up = FOG_SEC(180);
    p->heal_at = s->finish; /* pauses of scripts are kept: nothing heals before */
    p->max_finish = s->finish;
    p->max_datagrams = s->datagrams;
    p->max_learn = s->learn;
    p->piece = 4000;
    p->carrier = 200000;
    for (int side = 0; side < 2; side++) {
        fog_session_options_init(&p->side[side], side ? FOG_SERVER : FOG_CLIENT);
        p->side[side].via = s->via == VIA_PIPE ? FOG_VIA_PIPE : FOG_VIA_KCP;
        p->link[0][side] = p->healed[0][side] = s->link;
    }
    for (int i = 0; i < 3; i++)
        if (s->faults[i].at) {
            p->faults[p->n_faults++] = s->faults[i];
            p->has[s->faults[i].what] = true;
        }
    s->flows(p);
    return true;
}

fog_time
sim_scenario_finish(const struct world *w)
{
    fog_time last = 0;
    for (int i = 0; i < w->plan->n_flows; i++)
        last = w->flows[i].done_at > last ? w->flows[i].done_at : last;
    return last;
}

uint64_t
sim_scenario_datagrams(const struct world *w)
{
    return w->stats.datagrams;
}
