/* SPDX-License-Identifier: MIT
 *
 * sim_draw.c - from a seed to a plan: conditions, options, faults, flows. Everything is drawn from
 * the seed and from nothing else; traffic is sized so that the healed link can carry it.
 */
#include "sim.h"

#include <string.h>

#define FAULTY_S 20 /* seconds of faults at most */

static bool
one_in(struct rng *r, uint32_t n)
{
    return rng_below(r, n) == 0;
}

static int64_t
between(struct rng *r, int64_t from, int64_t to)
{
    return from + (int64_t)(rng_unit(r) * (double)(to - from + 1));
}

/* ------------------------------------------------------------------------------------ the links */

static void
draw_link(struct plan *p, struct rng *r, struct emu_options *bad, struct emu_options *good)
{
    static const fog_time delays[] = {0, 200, 2000, 10000, 50000, 150000, 300000};
    fog_time delay = delays[rng_below(r, sizeof delays / sizeof *delays)];
    *good = (struct emu_options){.delay_us = delay, .overhead = 28};
    if (one_in(r, 2))
        good->loss = rng_unit(r) * 0.05;
    if (one_in(r, 4))
        good->jitter_us = delay / 4;
    *bad = *good;
    if (p->has[F_LOSS])
        bad->loss = rng_unit(r) * 0.30;
    if (p->has[F_BURST]) {
        bad->loss = 0.02 + rng_unit(r) * 0.18;
        bad->burst = 2 + rng_unit(r) * 8;
    }
    if (p->has[F_DUP])
        bad->duplicate = rng_unit(r) * 0.2;
    if (p->has[F_REORDER])
        bad->reorder = rng_unit(r) * 0.2;
    if (p->has[F_JITTER])
        bad->jitter_us = between(r, 1000, 100000);
    if (p->has[F_TRUNCATE])
        bad->truncate = rng_unit(r) * 0.1;
    if (p->has[F_CORRUPT])
        bad->corrupt = rng_unit(r) * 0.2;
    if (bad->truncate > 0) /* of what is cut, nobody could tell whether it was flipped as well */
        bad->corrupt = 0;
    if (p->has[F_RATE]) {
        bad->rate_bps = (uint64_t)between(r, 200000, 8000000);
        bad->queue_bytes = (size_t)between(r, 3000, 60000);
    }
    if (p->has[F_MTU] && p->side[0].kcp.mtu > 250 && one_in(r, 2))
        bad->mtu = (uint32_t)between(r, 200, p->side[0].kcp.mtu);
}

static fog_time
rtt_of(const struct plan *p, int client)
{
    fog_time rtt = 0;
    for (int dir = 0; dir < 2; dir++)
        rtt += p->healed[client][dir].delay_us + p->healed[client][dir].jitter_us;
    return rtt;
}

static void
draw_links(struct plan *p, struct rng *r)
{
    fog_time longest = 0;
    for (int i = 0; i < p->clients; i++) {
        for (int dir = 0; dir < 2; dir++)
            draw_link(p, r, &p->link[i][dir], &p->healed[i][dir]);
        longest = rtt_of(p, i) > longest ? rtt_of(p, i) : longest;
    }
    p->finish_in = FOG_SEC(60) + 10 * longest;
}

/* ---------------------------------------------------------------------------------- the options */

static void
draw_side(struct plan *p, struct rng *r, int side)
{
    static const uint32_t windows[] = {2, 3, 4, 8, 16};
    static const uint32_t normal[] = {32, 64, 128, 256, 1024};
    struct fog_session_options *o = &p->side[side];
    fog_session_options_init(o, side ? FOG_SERVER : FOG_CLIENT);
    o->via = p->via == VIA_PIPE ? FOG_VIA_PIPE : FOG_VIA_KCP;
    o->kcp.validate = side == FOG_SERVER;
    o->kcp.snd_wnd = normal[rng_below(r, 5)];
    o->kcp.rcv_wnd = normal[rng_below(r, 5)];
    if (p->has[F_WINDOW]) {
        o->kcp.snd_wnd = windows[rng_below(r, 5)];
        o->kcp.rcv_wnd = one_in(r, 2) ? windows[rng_below(r, 5)] : o->kcp.rcv_wnd;
    }
    o->kcp.mtu = one_in(r, 2) ? FOG_MTU_DEFAULT : (uint32_t)between(r, 300, 1400);
    if (p->has[F_SMALL_MTU])
        o->kcp.mtu = (uint32_t)between(r, FOG_MTU_MIN, 200);
    if (fog_kcp_options_fast(&o->kcp, (int)between(r, 1, 4)))
        return;
    if (one_in(r, 2))
        o->kcp.cc = FOG_CC_MODEL;
    else if (one_in(r, 4)) {
        o->kcp.cc = FOG_CC_RATE;
        o->kcp.rate = (uint64_t)between(r, 20000, 2000000);
    }
    if (one_in(r, 4))
        o->kcp.dead_us = FOG_SEC(20);
    if (p->has[F_PLAIN] && one_in(r, 2))
        o->kcp.hello_len = 0;
    if (p->has[F_WRAP_TS]) {
        uint32_t half = one_in(r, 2) ? 0 : 0x80000000u;
        o->kcp.ts_base = half - (uint32_t)between(r, 1, 60);
    }
    o->pipe_window = (size_t)4096 << rng_below(r, 7);
    o->mux.compress = p->has[F_GZIP];
    if (p->has[F_WORN]) {
        o->kcp.rotate_after = (uint32_t)between(r, 60, 1000);
        o->mux.limits.last_id = 2 * (uint32_t)between(r, 3, 40) + 1;
    }
    if (p->has[F_TIGHT]) {
        o->mux.limits.stream_recv = (size_t)between(r, 2000, 40000);
        o->mux.limits.stream_recv_dialling = (size_t)between(r, 2000, 20000);
        o->mux.limits.tunnel_recv = (size_t)between(r, 70000, 200000);
        o->mux.limits.frame_out = (uint32_t)between(r, 64, 4096);
        o->mux.limits.streams = (uint32_t)between(r, 4, 40);
    }
}

static void
draw_options(struct plan *p, struct rng *r)
{
    draw_side(p, r, 0);
    draw_side(p, r, 1);
    if (p->has[F_PLAIN])
        p->side[one_in(r, 2)].kcp.hello_len = 0; /* at least one of them says nothing */
    if (p->has[F_TIGHT]) /* what may be opened is not more than what is accepted */
        p->side[FOG_CLIENT].mux.limits.streams = p->side[FOG_SERVER].mux.limits.streams;
    if (p->has[F_WRAP_SN]) {
        uint32_t half = one_in(r, 2) ? 0x80000000u : 0;
        uint32_t up = half - (uint32_t)between(r, 1, 40), down = half - (uint32_t)between(r, 1, 40);
        p->side[FOG_CLIENT].kcp.snd_sn = p->side[FOG_SERVER].kcp.rcv_sn = up;
        p->side[FOG_CLIENT].kcp.rcv_sn = p->side[FOG_SERVER].kcp.snd_sn = down;
    }
    p->origin = FOG_SEC(between(r, 0, 1000000));
    if (p->has[F_CLOCK]) {
        int64_t wrap_ms = one_in(r, 2) ? INT64_C(0x80000000) : INT64_C(0x100000000);
        p->origin = FOG_MS(wrap_ms) - between(r, 0, 15000000);
    }
    static const uint32_t pieces[] = {1, 7, 64, 500, 4000};
    p->piece = p->has[F_PIECES] ? pieces[rng_below(r, 3)] : pieces[3 + rng_below(r, 2)];
    p->carrier = (uint32_t)between(r, 3000, 100000);
}

/* ----------------------------------------------------------------------------------- the faults */

static void
add_fault(struct plan *p, struct rng *r, enum feature what, fog_time most, int64_t arg)
{
    if (!p->has[what] || p->n_faults >= MAX_FAULTS)
        return;
    struct fault *f = &p->faults[p->n_faults++];
    f->what = what;
    f->client = (int)rng_below(r, (uint32_t)p->clients + 1) - 1;
    f->at = between(r, 0, p->heal_at * 3 / 4);
    f->lasts = between(r, most / 50, most);
    if (f->lasts > p->heal_at - 1 - f->at)
        f->lasts = p->heal_at - 1 - f->at;
    f->arg = arg;
    if (what == F_STALL_S || what == F_RESTART_S)
        f->client = -1;
    if (f->client < 0 && (what == F_STALL_C || what == F_MOVE || what == F_REBIND))
        f->client = 0;
}

static void
draw_faults(struct plan *p, struct rng *r)
{
    static const fog_time jumps[] = {FOG_SEC(1), FOG_SEC(7), FOG_SEC(100), FOG_SEC(86400)};
    add_fault(p, r, F_DARK, FOG_SEC(8), 0);
    add_fault(p, r, F_DARK, FOG_SEC(2), 0);
    add_fault(p, r, F_ONEWAY, FOG_SEC(6), (int64_t)rng_below(r, 2));
    add_fault(p, r, F_MOVE, 0, (int64_t)rng_below(r, 2));
    add_fault(p, r, F_REBIND, 0, 0);
    add_fault(p, r, F_STALL_C, FOG_SEC(5), 0);
    add_fault(p, r, F_STALL_S, FOG_SEC(5), 0);
    add_fault(p, r, F_APP_STALL, FOG_SEC(6), 0);
    add_fault(p, r, F_SUSPEND, FOG_SEC(10), (int64_t)rng_below(r, 2));
    add_fault(p, r, F_JUMP, 0, jumps[rng_below(r, 4)]);
    add_fault(p, r, F_RESTART_C, FOG_SEC(2), 0);
    add_fault(p, r, F_RESTART_S, FOG_SEC(2), 0);
    add_fault(p, r, F_NOMEM, FOG_SEC(8), 0);
    add_fault(p, r, F_CUT, 0, 0);
    add_fault(p, r, F_DRAIN, 0, 0);
    if (p->has[F_DARK] && one_in(r, 12)) { /* so long that sessions die */
        p->heal_at += FOG_SEC(100);
        p->faults[p->n_faults++] = (struct fault){
            .what = F_DARK, .client = -1, .at = FOG_SEC(3), .lasts = p->heal_at - FOG_SEC(4)};
    }
}

/* ------------------------------------------------------------------------------------ the flows */

enum { C = FOG_CLIENT, S = FOG_SERVER };

struct shape {
    const char *name;
    enum feature needs; /* F_N: nothing */
    void (*make)(struct flow_plan *f, struct rng *r, uint32_t budget);
};

static uint32_t
some(struct rng *r, uint32_t budget)
{
    return (uint32_t)between(r, budget / 4, budget);
}

static void
send_at_once(struct script *s, uint32_t total)
{
    s->total = s->credit = total;
}

static void
bulk_up(struct flow_plan *f, struct rng *r, uint32_t budget)
{
    send_at_once(&f->end[C], some(r, budget));
    f->end[S].finish_after_eof = true;
}

static void
bulk_down(struct flow_plan *f, struct rng *r, uint32_t budget)
{
    send_at_once(&f->end[C], 20);
    f->end[C].finish_after_eof = one_in(r, 2);
    f->end[S].total = f->end[S].gain = some(r, budget);
    f->end[S].per_recv = 20;
}

static void
bulk_both(struct flow_plan *f, struct rng *r, uint32_t budget)
{
    send_at_once(&f->end[C], some(r, budget / 2));
    send_at_once(&f->end[S], some(r, budget / 2));
    f->end[rng_below(r, 2)].finish_after_eof = true;
}

static void
ping_pong(struct flow_plan *f, struct rng *r, uint32_t budget)
{
    uint32_t rounds = 1 + rng_below(r, 8), ask = 1 + rng_below(r, budget / 8 + 1);
    uint32_t answer = 1 + rng_below(r, budget / 8 + 1);
    f->end[C] =
        (struct script){.total = rounds * ask, .credit = ask, .per_recv = answer, .gain = ask};
    f->end[S] = (struct script){.total = rounds * answer, .per_recv = ask, .gain = answer};
    bool waits = one_in(r, 2);
    f->end[rng_below(r, 2)].finish_after_eof = waits;
}

static void
keystrokes(struct flow_plan *f, struct rng *r, uint32_t budget)
{
    uint32_t n = 5 + rng_below(r, budget / 40 + 1);
    n = n < 150 ? n : 150;
    send_at_once(&f->end[C], n);
    f->end[C].write_max = 1 + rng_below(r, 3);
    f->end[C].write_pause = between(r, 10000, 150000);
    f->end[C].finish_after_eof = false;
    f->end[S] = (struct script){.total = n, .per_recv = 1, .gain = 1};
}

static void
banner(struct flow_plan *f, struct rng *r, uint32_t budget)
{
    uint32_t hello = 1 + rng_below(r, 100);
    send_at_once(&f->end[S], hello);
    f->end[S].finish_after_eof = true;
    f->end[C].total = f->end[C].gain = some(r, budget);
    f->end[C].per_recv = hello;
}

static void
slow_reader(struct flow_plan *f, struct rng *r, uint32_t budget)
{
    int reader = one_in(r, 2) ? C : S;
    send_at_once(&f->end[!reader], some(r, budget));
    f->end[reader].read_max = 1 + rng_below(r, 2000);
    f->end[reader].read_pause = between(r, 1000, 200000);
    f->end[reader].read_hold = between(r, 0, 3000000);
    f->end[reader].finish_after_eof = true;
}

static void
half_close_near(struct flow_plan *f, struct rng *r, uint32_t budget)
{
    send_at_once(&f->end[C], some(r, budget / 2));
    f->end[S].send_after_eof = true;
    send_at_once(&f->end[S], some(r, budget / 2));
}

static void
half_close_far(struct flow_plan *f, struct rng *r, uint32_t budget)
{
    send_at_once(&f->end[S], rng_below(r, budget / 2 + 1));
    f->end[C].send_after_eof = true;
    send_at_once(&f->end[C], some(r, budget / 2));
}

static void
both_fin(struct flow_plan *f, struct rng *r, uint32_t budget)
{
    send_at_once(&f->end[C], one_in(r, 2) ? 0 : some(r, budget / 4));
    send_at_once(&f->end[S], one_in(r, 2) ? 0 : some(r, budget / 4));
}

static void
resets(struct flow_plan *f, struct rng *r, uint32_t budget)
{
    bulk_both(f, r, budget);
    int side = one_in(r, 2) ? C : S;
    f->end[side].reset_at = 1 + rng_below(r, f->end[C].total + f->end[S].total);
}

static void
refused(struct flow_plan *f, struct rng *r, uint32_t budget)
{
    send_at_once(&f->end[C], rng_below(r, budget / 4 + 1));
    f->end[C].finish_after_eof = one_in(r, 2);
    f->refuse = true;
    f->dial = between(r, 0, 2000000);
}

static void
tiny(struct flow_plan *f, struct rng *r, uint32_t budget)
{
    (void)budget;
    send_at_once(&f->end[C], rng_below(r, 60));
    f->end[S].send_after_eof = one_in(r, 2);
    send_at_once(&f->end[S], rng_below(r, 200));
}

/* clang-format off */
static const struct shape shapes[] = {
    {"bulk up",       F_N,         bulk_up},
    {"bulk down",     F_N,         bulk_down},
    {"bulk both",     F_N,         bulk_both},
    {"ping-pong",     F_N,         ping_pong},
    {"keystrokes",    F_N,         keystrokes},
    {"banner",        F_N,         banner},
    {"tiny",          F_N,         tiny},
    {"slow reader",   F_SLOW_READ, slow_reader},
    {"half near",     F_HALF,      half_close_near},
    {"half far",      F_HALF,      half_close_far},
    {"both fin",      F_BOTH_FIN,  both_fin},
    {"reset",         F_RESET,     resets},
    {"refused",       F_REFUSE,    refused},
};
/* clang-format on */

/** Bytes that one client may move each way: what its window carries in a part of the time left. */
static uint32_t
budget_of(const struct plan *p, int client)
{
    double bytes = 300000, rtt = (double)rtt_of(p, client) / 1e6 + 0.06;
    if (p->via == VIA_PIPE)
        return p->has[F_PIECES] ? 8000 : 300000;
    for (int side = 0; side < 2; side++) {
        const struct fog_kcp_options *a = &p->side[side].kcp, *b = &p->side[!side].kcp;
        uint32_t window = a->snd_wnd < b->rcv_wnd ? a->snd_wnd : b->rcv_wnd;
        double able = 0.4 * 12 * window * (double)(a->mtu - FOG_KCP_HEADER) / rtt;
        bytes = able < bytes ? able : bytes;
        double datagrams = 1500.0 * (a->mtu - FOG_KCP_HEADER);
        bytes = datagrams < bytes ? datagrams : bytes;
    }
    return (uint32_t)bytes / (uint32_t)(1 + p->clients / 2);
}

static void
draw_flow(struct plan *p, struct rng *r, int client, uint32_t budget, bool small)
{
    const struct shape *s;
    do
        s = &shapes[small ? 6 : rng_below(r, sizeof shapes / sizeof *shapes)];
    while (s->needs != F_N && !p->has[s->needs]);
    struct flow_plan *f = &p->flows[p->n_flows++];
    *f = (struct flow_plan){.name = s->name, .client = client};
    s->make(f, r, budget);
    f->at = between(r, 0, p->heal_at < FOG_SEC(15) ? p->heal_at : FOG_SEC(15));
    f->compressible = p->has[F_GZIP] && !one_in(r, 3);
    if (p->has[F_SLOW_DIAL] && one_in(r, 3))
        f->dial = between(r, 0, 4000000);
    for (int side = 0; side < 2; side++) {
        struct script *e = &f->end[side];
        e->in_place = one_in(r, 2);
        if (!e->write_max)
            e->write_max = one_in(r, 3) ? 1 + rng_below(r, 3000) : 100000;
    }
}

static void
draw_flows(struct plan *p, struct rng *r)
{
    for (int i = 0; i < p->clients; i++) {
        uint32_t budget = budget_of(p, i), n = 1 + rng_below(r, 12);
        if (n > budget / 300 + 1)
            n = budget / 300 + 1;
        for (uint32_t k = 0; k < n; k++)
            draw_flow(p, r, i, budget / n, false);
        uint32_t many = p->has[F_MANY] ? 10 + rng_below(r, 70) : 0;
        if (many > budget / 600)
            many = budget / 600;
        for (uint32_t k = 0; k < many; k++)
            draw_flow(p, r, i, budget / n, true);
    }
}

/* ------------------------------------------------------------------------------------- the whole
 */

static void
draw_features(struct plan *p, struct rng *r)
{
    static const struct {
        int on;
        uint32_t per_100;
    } features[] = {
#define FEATURE_ODDS(name, text, on, per_100) {on, per_100},
        FEATURES(FEATURE_ODDS)
#undef FEATURE_ODDS
    };
    struct rng master = {p->seed};
    for (int i = 0; i < F_N; i++) { /* later features do not shift what old seeds draw */
        struct rng own = rng_split(&master, 0xfea000 + (uint64_t)i);
        uint32_t lot = rng_below(i <= F_DRAIN ? r : &own, 100);
        p->has[i] = lot < features[i].per_100 && features[i].on & 1 << p->via;
    }
}

void
sim_draw(struct plan *p, uint64_t seed, enum via via)
{
    memset(p, 0, sizeof *p);
    struct rng master = {seed}, r = rng_split(&master, 0xd4a3);
    static const enum via mix[] = {VIA_ENDPOINT, VIA_ENDPOINT, VIA_ENDPOINT, VIA_DIRECT,
                                   VIA_DIRECT,   VIA_PIPE,     VIA_PIPE};
    p->seed = seed;
    p->via = mix[rng_below(&r, 7)];
    if (via != VIA_ANY)
        p->via = via == VIA_PIPE ? VIA_PIPE : mix[rng_below(&r, 5)];
    draw_features(p, &r);
    if (p->has[F_ATTACK])
        p->attack_gap = between(&r, 3000, 200000);
    p->clients = 1 + (int)rng_below(&r, one_in(&r, 3) ? MAX_CLIENTS : 2);
    p->heal_at = between(&r, FOG_SEC(2), FOG_SEC(FAULTY_S));
    p->nomem = p->has[F_NOMEM] ? 0.02 + rng_unit(&r) * 0.3 : 0;
    draw_options(p, &r);
    draw_links(p, &r);
    draw_faults(p, &r);
    draw_flows(p, &r);
    p->give_up = FOG_SEC(180);
}
