/* SPDX-License-Identifier: MIT
 *
 * scenario_send.c - bursts, copies, told modes, and what a receiver says.
 */
#include "scenario.h"
#include "world.h"

#include "arq/seg.h"

#include <stdlib.h>

/* A queue of 10 ms: per cent that it drops, once the rate is known. */
double
shallow_queue(uint64_t seed)
{
    static const struct link link = {.mbps = 50, .rtt_ms = 50, .queue_ms = 10, .loss = 0.001};
    struct world w;
    world_open(&w, &link, seed, NULL, NULL);
    w.a.bulk = true;
    world_run(&w, FOG_SEC(2));
    struct emu_counters from = *fogi_emu_counters(w.there);
    world_run(&w, FOG_SEC(4));
    const struct emu_counters *to = fogi_emu_counters(w.there);
    double x = 100 * (double)(to->tail_dropped - from.tail_dropped) /
               (double)(to->datagrams - from.datagrams);
    world_close(&w);
    return x;
}

static int
by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* 64 bytes there and back on a session that has nothing else to do, one datagram in ten lost each
 * way: the 99th percentile, in round trips. */
double
talk(uint64_t seed)
{
    enum { N = 500 };
    static const struct link link = {.rtt_ms = 100, .loss = 0.1, .back_loss = 0.1};
    struct world w;
    double ms[N];
    world_open(&w, &link, seed, NULL, NULL);
    for (unsigned i = 0; i < 100; i++)
        world_ask(&w, 64, 64, 5000);
    for (unsigned i = 0; i < N; i++)
        ms[i] = world_ask(&w, 64, 64, 5000);
    world_close(&w);
    qsort(ms, N, sizeof *ms, by_size);
    return ms[N * 99 / 100] / link.rtt_ms;
}

/* Words of 200 bytes after 300 KB, one datagram in ten lost each way: the 95th percentile of the
 * time that a word takes, in round trips; half a one is the way. */
double
words(uint64_t seed)
{
    enum { TIMES = 8, WORDS = 25, N = TIMES * WORDS };
    static const struct link link = {
        .mbps = 20, .rtt_ms = 100, .queue_ms = 100, .loss = 0.1, .back_loss = 0.1};
    struct world w;
    double ms[N];
    world_open(&w, &link, seed, NULL, NULL);
    for (unsigned i = 0; i < N; i++) {
        if (i % WORDS == 0) {
            world_carry(&w, 300000, 20e3);
            world_run(&w, FOG_MS(500));
        }
        ms[i] = world_carry(&w, 200, 5000);
        world_run(&w, FOG_MS(100));
    }
    world_close(&w);
    qsort(ms, N, sizeof *ms, by_size);
    return ms[N * 95 / 100] / link.rtt_ms;
}

/* 4 KB asked for, again and again, one datagram in twenty lost each way: the 95th percentile, in
 * round trips. */
double
short_answers(uint64_t seed)
{
    enum { N = 500 };
    static const struct link link = {.rtt_ms = 100, .loss = 0.05, .back_loss = 0.05};
    struct world w;
    double ms[N];
    world_open(&w, &link, seed, NULL, NULL);
    for (unsigned i = 0; i < N; i++)
        ms[i] = world_ask(&w, 200, 4000, 5000);
    world_close(&w);
    qsort(ms, N, sizeof *ms, by_size);
    return ms[N * 95 / 100] / link.rtt_ms;
}

/* A peer of 1024 segments on a way that holds nearly as many, one datagram in five lost: share of
 * the link, in per cent. */
double
small_window(uint64_t seed)
{
    static const struct link link = {.mbps = 40, .rtt_ms = 200, .queue_ms = 100, .loss = 0.2};
    struct world w;
    struct fog_kcp_options o;
    world_options(&o);
    o.hello_len = 0;
    o.rcv_wnd = 1024;
    world_open(&w, &link, seed, NULL, &o);
    w.a.bulk = true;
    world_run(&w, FOG_SEC(3));
    uint64_t before = w.b.got;
    world_run(&w, FOG_SEC(10));
    double got = (double)(w.b.got - before);
    world_close(&w);
    return 100 * got / (link.mbps * 1e6 / 8 * (1 - link.loss) * 10);
}

/* Messages of a full segment, hardly apart: copies per round trip. */
double
dear_copies(uint64_t seed)
{
    static const struct link link = {.mbps = 50, .rtt_ms = 100, .queue_ms = 100, .loss = 0.1};
    struct world w;
    struct fog_arq_status from, to;
    world_open(&w, &link, seed, NULL, NULL);
    world_carry(&w, 500000, 5000);
    world_status(&w, &from);
    for (unsigned i = 0; i < 2500; i++) {
        w.a.waiting += 1226;
        world_run(&w, FOG_MS(2));
    }
    world_status(&w, &to);
    world_close(&w);
    return (double)(to.n.redundant - from.n.redundant) / (2500 * 2 / link.rtt_ms);
}

/* 20 Mbit/s are told on a link of 100: how far what leaves is from it, headers of IP and UDP
 * included, in per cent. */
double
told_rate(uint64_t seed)
{
    static const struct link link = {.mbps = 100, .rtt_ms = 50, .queue_ms = 100, .loss = 0.05};
    const double told = 20e6 / 8;
    struct world w;
    struct fog_kcp_options o;
    world_options(&o);
    o.cc = FOG_CC_RATE;
    o.rate = (uint64_t)told;
    world_open(&w, &link, seed, &o, NULL);
    w.a.bulk = true;
    world_run(&w, FOG_SEC(1));
    uint64_t before = fogi_emu_counters(w.there)->bytes;
    world_run(&w, FOG_SEC(4));
    uint64_t sent = fogi_emu_counters(w.there)->bytes - before;
    world_close(&w);
    double off = 100 * ((double)sent / 4 / told - 1);
    return off < 0 ? -off : off;
}

/* vproxy's fast4 with its windows, on a link with a queue for more: mean share of the window that
 * is under way, in per cent. It reacts to neither loss nor delay. */
double
full_window(uint64_t seed)
{
    enum { WINDOW = 1024, N = 100 };
    static const struct link link = {.mbps = 20, .rtt_ms = 50, .queue_ms = 1000};
    struct world w;
    struct fog_kcp_options o;
    struct fog_arq_status st;
    world_options(&o);
    if (fog_kcp_options_fast(&o, 4))
        return 0;
    o.snd_wnd = o.rcv_wnd = WINDOW;
    world_open(&w, &link, seed, &o, &o);
    w.a.bulk = true;
    world_run(&w, FOG_SEC(2));
    double sum = 0;
    for (unsigned i = 0; i < N; i++) {
        world_run(&w, FOG_MS(20));
        world_status(&w, &st);
        sum += st.flight_segs;
    }
    world_close(&w);
    return 100 * sum / N / WINDOW;
}

/* One in ten lost there and two back, at a told rate: per cent of the segments that came twice. */
double
sent_in_vain(uint64_t seed)
{
    static const struct link link = {.rtt_ms = 100, .loss = 0.1, .back_loss = 0.2};
    struct world w;
    struct fog_kcp_options o;
    struct fog_arq_status got;
    world_options(&o);
    o.cc = FOG_CC_RATE;
    o.rate = 80000000 / 8;
    world_open(&w, &link, seed, &o, NULL);
    w.a.bulk = true;
    world_run(&w, FOG_SEC(2));
    fog_arq_status(w.b.arq, &got);
    world_close(&w);
    return 100 * (double)got.n.duplicates / (double)got.n.segments_in;
}

/* What the receiver says on a good link, in per cent of what it got. */
double
bytes_back(uint64_t seed)
{
    static const struct link link = {.mbps = 50, .rtt_ms = 50, .queue_ms = 100, .loss = 0.05};
    struct world w;
    world_open(&w, &link, seed, NULL, NULL);
    uint64_t before = fogi_emu_counters(w.back)->bytes, got = w.b.got;
    w.a.bulk = true;
    world_run(&w, FOG_SEC(4));
    double x = 100 * (double)(fogi_emu_counters(w.back)->bytes - before) / (double)(w.b.got - got);
    world_close(&w);
    return x;
}

/* The first WINS with a payload each way is lost. */
static bool
lose_hellos(struct world *w, bool there, const void *buf, size_t len)
{
    struct seg segs[FOG_SEGMENTS_MAX];
    unsigned n, mine = there ? 1 : 2;
    if (fogi_seg_parse(buf, len, 0, segs, &n) || (w->n_lost & mine))
        return false;
    for (unsigned i = 0; i < n; i++) {
        if (segs[i].cmd == SEG_WINS && segs[i].len > 0) {
            w->n_lost |= mine;
            return true;
        }
    }
    return false;
}

/* ms until both know the hello of the other. */
double
lost_hello(uint64_t seed)
{
    static const struct link link = {.rtt_ms = 50};
    struct world w;
    struct fog_arq_status a, b;
    world_begin(&w, &link, seed, NULL, NULL);
    w.lose = lose_hellos;
    fog_time start = w.now;
    world_ask(&w, 9, 9, 1000);
    do {
        world_run(&w, FOG_MS(10));
        fog_arq_status(w.a.arq, &a);
        fog_arq_status(w.b.arq, &b);
    } while ((!a.hello || !b.hello) && w.now < start + FOG_SEC(5));
    world_close(&w);
    return a.hello && b.hello ? (double)(w.now - start) / 1000 : NEVER;
}

/* Fills b's window, then b takes everything. Returns ms until something new has come. */
static double
reopened(struct world *w, bool dark)
{
    w->b.deaf = true;
    w->a.bulk = true;
    world_run(w, FOG_SEC(3));
    world_dark(w, dark); /* what tells that it is open is lost */
    w->b.deaf = false;
    world_run(w, FOG_MS(1));
    fog_time start = w->now;
    uint64_t had = w->b.got;
    if (dark) {
        world_run(w, FOG_SEC(4));
        world_dark(w, false);
        start = w->now;
    }
    while (w->b.got == had && w->now < start + FOG_SEC(30))
        world_run(w, FOG_MS(1));
    return w->b.got > had ? (double)(w->now - start) / 1000 : NEVER;
}

static void
open_small(struct world *w, uint64_t seed)
{
    static const struct link link = {.mbps = 20, .rtt_ms = 50, .queue_ms = 100};
    struct fog_kcp_options o;
    world_options(&o);
    o.rcv_wnd = 64;
    world_open(w, &link, seed, NULL, &o);
}

/* The window opens in the dark, and all that tells so is lost: ms from light until data comes. */
double
closed_window(uint64_t seed)
{
    struct world w;
    open_small(&w, seed);
    double ms = reopened(&w, true);
    world_close(&w);
    return ms;
}

/* The window opens: ms until data comes. */
double
opened_window(uint64_t seed)
{
    struct world w;
    open_small(&w, seed);
    double ms = reopened(&w, false);
    world_close(&w);
    return ms;
}
