/* SPDX-License-Identifier: MIT
 *
 * scenario_path.c - what the model must make of a path: its rate, its queue, its loss.
 */
#include "scenario.h"
#include "world.h"

#include "arq/kcp_int.h"

#define LINE 0.958 /* share of the line that can be payload: 1226 of 1278 bytes */

/* Opens, and sends for `s` seconds. */
static void
open_bulk(struct world *w, const struct link *l, uint64_t seed, double s)
{
    world_open(w, l, seed, NULL, NULL);
    w->a.bulk = true;
    world_run(w, (fog_time)(s * 1e6));
    world_mark(w);
}

/* Payload that arrives within `s` seconds over what the link can carry, in per cent. */
static double
share(struct world *w, double s)
{
    uint64_t before = w->b.got;
    world_run(w, (fog_time)(s * 1e6));
    double limit = w->link.mbps * 1e6 / 8 * LINE * (1 - w->link.loss) * s;
    return 100 * (double)(w->b.got - before) / limit;
}

/* Datagrams that the queue dropped, in per cent of those sent meanwhile. */
struct drops {
    uint64_t sent, dropped;
};

static struct drops
drops_now(const struct world *w)
{
    const struct emu_counters *n = fogi_emu_counters(w->there);
    return (struct drops){n->datagrams, n->tail_dropped};
}

static double
drops_since(const struct world *w, struct drops from)
{
    struct drops to = drops_now(w);
    return 100 * (double)(to.dropped - from.dropped) / (double)(to.sent - from.sent);
}

/* Per cent dropped in the first four seconds: only delivery shows where the line ends. */
double
sender_is_faster(uint64_t seed)
{
    static const struct link link = {.mbps = 20, .rtt_ms = 50, .queue_ms = 20, .loss = 0.001};
    struct world w;
    open_bulk(&w, &link, seed, 0);
    struct drops from = drops_now(&w);
    world_run(&w, FOG_SEC(4));
    double x = drops_since(&w, from);
    world_close(&w);
    return x;
}

/* One in ten is lost at random: share of what the link carries. */
double
random_loss(uint64_t seed)
{
    static const struct link link = {.mbps = 20, .rtt_ms = 100, .queue_ms = 100, .loss = 0.1};
    struct world w;
    open_bulk(&w, &link, seed, 3);
    double x = share(&w, 5);
    world_close(&w);
    return x;
}

/* A neighbour takes a quarter of the rate, where the queue could hold one second: what stands in it
 * from two to three seconds later, ms at the median. */
double
deep_queue(uint64_t seed)
{
    static const struct link alone = {.mbps = 20, .rtt_ms = 50, .queue_ms = 1000, .loss = 0.001};
    static const struct link shared = {.mbps = 15, .rtt_ms = 50, .queue_ms = 1000, .loss = 0.001};
    struct world w;
    double worst = 0;
    open_bulk(&w, &alone, seed, 3);
    for (unsigned i = 0; i < 3; i++) {
        world_link(&w, &shared);
        world_run(&w, FOG_SEC(2));
        world_mark(&w);
        world_run(&w, FOG_SEC(1));
        double ms = world_queue(&w, 0.5);
        worst = ms > worst ? ms : worst;
        world_link(&w, &alone);
        world_run(&w, FOG_SEC(2));
    }
    world_close(&w);
    return worst;
}

/* The way becomes 100 ms longer: share of the link, 15 s later. */
double
longer_way(uint64_t seed)
{
    static const struct link near = {.mbps = 20, .rtt_ms = 40, .queue_ms = 100, .loss = 0.001};
    static const struct link far = {.mbps = 20, .rtt_ms = 140, .queue_ms = 100, .loss = 0.001};
    struct world w;
    open_bulk(&w, &near, seed, 5);
    world_link(&w, &far);
    world_run(&w, FOG_SEC(15));
    double x = share(&w, 8);
    world_close(&w);
    return x;
}

/* The rate falls to a quarter: ms that stand in the queue three seconds later, at the median. */
double
quarter_of_rate(uint64_t seed)
{
    static const struct link before = {.mbps = 40, .rtt_ms = 50, .queue_ms = 400, .loss = 0.01};
    static const struct link after = {.mbps = 10, .rtt_ms = 50, .queue_ms = 400, .loss = 0.01};
    struct world w;
    open_bulk(&w, &before, seed, 3);
    world_link(&w, &after);
    world_run(&w, FOG_SEC(6));
    world_mark(&w);
    world_run(&w, FOG_SEC(2));
    double x = world_queue(&w, 0.5);
    world_close(&w);
    return x;
}

/* Random loss that the model believes in, at its most in the time that begins now, per cent. */
static double
believed_loss(struct world *w, unsigned ms)
{
    double most = 0;
    for (unsigned i = 0; i < ms; i += 10) {
        world_run(w, FOG_MS(10));
        const struct kcp *k = (const struct kcp *)(const void *)w->a.arq;
        double p = 100 * k->cc.model.p;
        most = p > most ? p : most;
    }
    return most;
}

/* Half a second of dark soon after the start, on a link that loses nothing: the loss believed in.
 */
double
loss_after_dark(uint64_t seed)
{
    static const struct link link = {.mbps = 20, .rtt_ms = 50, .queue_ms = 100};
    struct world w;
    open_bulk(&w, &link, seed, 0.4 + (double)seed / 100);
    world_dark(&w, true);
    world_run(&w, FOG_MS(500));
    world_dark(&w, false);
    double x = believed_loss(&w, 1000);
    world_close(&w);
    return x;
}

/* The way is long and short by turns, so that much is overtaken and nothing is lost: the loss
 * believed in, per cent on average. */
double
late_is_not_lost(uint64_t seed)
{
    enum { TURNS = 20 };
    static const struct link far = {.mbps = 20, .rtt_ms = 100, .queue_ms = 100, .jitter_ms = 0.01};
    static const struct link near = {.mbps = 20, .rtt_ms = 50, .queue_ms = 100, .jitter_ms = 0.01};
    struct world w;
    struct fog_kcp_options o;
    world_options(&o);
    o.hello_len = 0; /* as vproxy, it answers each transmission by name */
    world_open(&w, &far, seed, NULL, &o);
    w.a.bulk = true;
    world_run(&w, FOG_SEC(1));
    double sum = 0;
    for (unsigned i = 0; i < TURNS; i++) {
        world_link(&w, i % 2 ? &far : &near);
        sum += believed_loss(&w, 300 + (unsigned)seed);
    }
    world_close(&w);
    return sum / TURNS;
}

/* After five seconds of little talk, 1 MB over a path that was known: ms. */
double
bulk_after_talk(uint64_t seed)
{
    static const struct link link = {.mbps = 50, .rtt_ms = 100, .queue_ms = 100, .loss = 0.001};
    struct world w;
    open_bulk(&w, &link, seed, 3);
    w.a.bulk = false;
    world_run(&w, FOG_SEC(1));
    for (unsigned i = 0; i < 50; i++) {
        world_carry(&w, 200, 1000);
        world_run(&w, FOG_MS(50));
    }
    double ms = world_carry(&w, 1000000, 20e3);
    world_close(&w);
    return ms;
}

/* An answer of 1 MB on a fresh session, in round trips. */
double
one_answer(uint64_t seed)
{
    static const struct link link = {.mbps = 100, .rtt_ms = 100, .queue_ms = 100, .loss = 0.001};
    struct world w;
    world_open(&w, &link, seed, NULL, NULL);
    double ms = world_carry(&w, 1000000, 20e3);
    world_close(&w);
    return ms / link.rtt_ms;
}
