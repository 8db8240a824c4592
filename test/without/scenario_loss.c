/* SPDX-License-Identifier: MIT
 *
 * scenario_loss.c - how soon, and how rightly, a loss is known. The rate is told in most of them,
 * and is half of the link's: there is no queue, and no congestion control to blame.
 */
#include "scenario.h"
#include "world.h"

#include "arq/seg.h"

#include <string.h>

#define RATE (10e6 / 8)

static void
open_at_rate(struct world *w, const struct link *l, uint64_t seed)
{
    struct fog_kcp_options o;
    world_options(&o);
    o.cc = FOG_CC_RATE;
    o.rate = (uint64_t)RATE;
    world_open(w, l, seed, &o, NULL);
}

/* Share of the transmissions that were not the first of their segment, in per cent. */
static double
resent(const struct fog_arq_status *from, const struct fog_arq_status *to)
{
    return 100 * (double)(to->n.resent - from->n.resent) /
           (double)(to->n.segments_out - from->n.segments_out);
}

/* The smoothed round trip over the path's, at its largest in five seconds. */
double
repeated_round_trip(uint64_t seed)
{
    static const struct link link = {.rtt_ms = 100, .loss = 0.2};
    struct world w;
    struct fog_arq_status st;
    double worst = 0;
    open_at_rate(&w, &link, seed);
    w.a.bulk = true;
    for (unsigned i = 0; i < 50; i++) {
        world_run(&w, FOG_MS(100));
        world_status(&w, &st);
        double ratio = (double)st.srtt_us / (link.rtt_ms * 1000);
        worst = ratio > worst ? ratio : worst;
    }
    world_close(&w);
    return worst;
}

/* The PUSH with this sn is lost `times` times. */
static struct {
    uint32_t sn;
    unsigned times;
} victim;

static bool
lose_victim(struct world *w, bool there, const void *buf, size_t len)
{
    struct seg segs[FOG_SEGMENTS_MAX];
    unsigned n;
    if (!there || fogi_seg_parse(buf, len, 0, segs, &n))
        return false;
    for (unsigned i = 0; i < n; i++) {
        if (segs[i].cmd == SEG_PUSH && segs[i].sn == victim.sn && w->n_lost < victim.times) {
            w->n_lost++;
            return true;
        }
    }
    return false;
}

/* Mean time by which a segment whose first three transmissions are lost holds the stream up, in
 * round trips: half a one is the way, each loss should cost one. */
double
lost_repair(uint64_t seed)
{
    static const struct link link = {.rtt_ms = 100, .jitter_ms = 10, .loss = 0.01};
    struct world w;
    open_at_rate(&w, &link, seed);
    w.lose = lose_victim;
    w.a.bulk = true;
    world_run(&w, FOG_SEC(1));
    double sum = 0;
    for (unsigned i = 0; i < 10; i++) {
        struct fog_arq_status st;
        world_run(&w, FOG_MS(300));
        world_status(&w, &st);
        w.n_lost = 0;
        victim.times = 3;
        victim.sn = (uint32_t)st.n.segments_out; /* soon to be cut, as some were sent twice */
        victim.sn -= (uint32_t)(st.n.resent + st.n.redundant);
        fog_time start = w.now;
        uint64_t stuck = w.b.got;
        for (uint64_t before = 0; w.now < start + FOG_SEC(3); before = w.b.got) {
            world_run(&w, FOG_MS(1));
            if (w.n_lost == 3 && w.b.got > before && before >= stuck && w.b.got - before > 60000)
                break;
        }
        sum += (double)(w.now - start) / 1000;
    }
    world_close(&w);
    return sum / 10 / link.rtt_ms;
}

static double
resent_on(const struct link *l, uint64_t seed)
{
    struct world w;
    struct fog_arq_status from, to;
    open_at_rate(&w, l, seed);
    w.a.bulk = true;
    world_run(&w, FOG_SEC(2));
    world_status(&w, &from);
    world_run(&w, FOG_SEC(5));
    world_status(&w, &to);
    world_close(&w);
    return resent(&from, &to);
}

/* One in a hundred overtakes all before it; nothing is lost. Per cent sent again. */
double
early_ones(uint64_t seed)
{
    static const struct link link = {.rtt_ms = 100, .early = 0.01};
    return resent_on(&link, seed);
}

/* Every datagram takes up to 80 ms longer, evenly; nothing is lost. Per cent sent again. */
double
jitter(uint64_t seed)
{
    static const struct link link = {.rtt_ms = 100, .jitter_ms = 80};
    return resent_on(&link, seed);
}

/* The last segment of a block is the one that is not full. It and its copies are lost for a while.
 */
static fog_time tail_until;

static bool
lose_tail(struct world *w, bool there, const void *buf, size_t len)
{
    (void)buf;
    return there && len > 100 && len < 1000 && w->now < tail_until;
}

/* Blocks of three segments, the last of which is lost with all that leaves in the next 60 ms: the
 * longest time to arrive, in round trips. */
double
lost_tail(uint64_t seed)
{
    static const struct link link = {.mbps = 20, .rtt_ms = 100, .queue_ms = 100, .jitter_ms = 2};
    struct world w;
    double worst = 0;
    open_at_rate(&w, &link, seed);
    for (unsigned i = 0; i < 20; i++) /* until round trips are known */
        world_carry(&w, 3000, 1000);
    w.lose = lose_tail;
    for (unsigned i = 0; i < 20; i++) {
        tail_until = w.now + FOG_MS(60);
        double ms = world_carry(&w, 2 * 1226 + 300, 5000);
        worst = ms > worst ? ms : worst;
        world_run(&w, FOG_MS(500));
    }
    world_close(&w);
    return worst / link.rtt_ms;
}

/* Ms from now to the first 50 ms in which 90 % of the full rate arrive. */
static double
to_full_rate(struct world *w, double bytes_per_s)
{
    enum { SLICES = 5, MOST = 2000 };
    uint64_t slice[SLICES] = {0}, sum = 0;
    for (unsigned i = 0; i < MOST; i++) {
        world_mark(w);
        world_run(w, FOG_MS(10));
        sum += w->arrived - slice[i % SLICES];
        slice[i % SLICES] = w->arrived;
        if ((double)sum >= 0.9 * bytes_per_s * SLICES / 100)
            return 10.0 * (i + 1) - 10 * SLICES;
    }
    return NEVER;
}

/* The link goes dark for a second under load: ms from light to the full rate. */
double
light_again(uint64_t seed)
{
    static const struct link link = {.mbps = 20, .rtt_ms = 50, .queue_ms = 100, .loss = 0.01};
    struct world w;
    world_open(&w, &link, seed, NULL, NULL);
    w.a.bulk = true;
    double worst = 0;
    for (unsigned i = 0; i < 3; i++) {
        world_run(&w, FOG_SEC(3));
        world_dark(&w, true);
        world_run(&w, FOG_SEC(1));
        world_dark(&w, false);
        double ms = to_full_rate(&w, link.mbps * 1e6 / 8 * (1 - link.loss));
        worst = ms > worst ? ms : worst;
    }
    world_close(&w);
    return worst;
}

/* A minute of darkness while something is on its way: ms from light until it has arrived. */
double
minute_of_dark(uint64_t seed)
{
    static const struct link link = {.mbps = 20, .rtt_ms = 50, .queue_ms = 100, .loss = 0.1};
    struct world w;
    world_open(&w, &link, seed, NULL, NULL);
    world_dark(&w, true);
    world_carry(&w, 10000, 60e3);
    world_dark(&w, false);
    double ms = world_carry(&w, 1, NEVER);
    world_close(&w);
    return ms;
}
