/* SPDX-License-Identifier: MIT */
#include "world.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define T0 FOG_SEC(1000)
#define OVERHEAD 28 /* bytes of IP and UDP */
#define GREETING 9
#define PIECE 1024

static void
check(int err)
{
    if (err == 0)
        return;
    fprintf(stderr, "without: %s\n", fog_err_text(err));
    exit(2);
}

void
world_options(struct fog_kcp_options *o)
{
    fog_kcp_options_init(o);
    o->ts_base = 1000;
    o->hello_len = 4;
    memcpy(o->hello, "fog\1", 4);
}

static struct fog_arq *
engine(const struct fog_kcp_options *o, fog_time now)
{
    struct fog_kcp_options own;
    struct fog_arq *a;
    world_options(&own);
    check(fog_kcp_new(&a, o ? o : &own, fog_alloc_libc(), now));
    return a;
}

static struct emu_options
conditions(const struct link *l, bool there)
{
    struct emu_options o = {.delay_us = (fog_time)(l->rtt_ms * 500), .overhead = OVERHEAD};
    o.loss = there ? l->loss : l->back_loss;
    if (!there)
        return o;
    o.lose_after = true;
    o.jitter_us = (fog_time)(l->jitter_ms * 1000);
    o.reorder = l->early;
    o.rate_bps = (uint64_t)(l->mbps * 1e6);
    o.queue_bytes = (size_t)(l->mbps * 1e3 / 8 * l->queue_ms);
    return o;
}

void
world_begin(struct world *w, const struct link *link, uint64_t seed,
            const struct fog_kcp_options *a, const struct fog_kcp_options *b)
{
    memset(w, 0, sizeof *w);
    w->now = T0;
    w->link = *link;
    struct emu_options there = conditions(link, true), back = conditions(link, false);
    struct rng rng = {seed};
    check(fogi_emu_new(&w->there, &there, rng_split(&rng, 1), fog_alloc_libc()));
    check(fogi_emu_new(&w->back, &back, rng_split(&rng, 2), fog_alloc_libc()));
    w->a.arq = engine(a, w->now);
    w->b.arq = engine(b, w->now);
    world_link(w, link);
}

void
world_open(struct world *w, const struct link *link, uint64_t seed, const struct fog_kcp_options *a,
           const struct fog_kcp_options *b)
{
    world_begin(w, link, seed, a, b);
    world_ask(w, GREETING, GREETING, 10e3);
    world_run(w, (fog_time)(4 * link->rtt_ms * 1000)); /* hellos */
    world_mark(w);
}

void
world_close(struct world *w)
{
    fog_arq_free(w->a.arq);
    fog_arq_free(w->b.arq);
    fogi_emu_free(w->there);
    fogi_emu_free(w->back);
}

void
world_link(struct world *w, const struct link *link)
{
    struct emu_options there = conditions(link, true), back = conditions(link, false);
    w->link = *link;
    fogi_emu_set(w->there, &there);
    fogi_emu_set(w->back, &back);
}

void
world_dark(struct world *w, bool dark)
{
    fogi_emu_dark(w->there, dark);
    fogi_emu_dark(w->back, dark);
}

void
world_mark(struct world *w)
{
    w->arrived = w->delays = 0;
    memset(w->delay, 0, sizeof w->delay);
}

/* ----------------------------------------------------------------------------------- what happens
 */

static void
hand_in(struct world *w, struct side *s)
{
    while (s->bulk || s->waiting > 0) {
        size_t cap, want = s->bulk || s->waiting > PIECE ? PIECE : (size_t)s->waiting;
        void *buf;
        if (fog_arq_reserve(s->arq, want, &buf, &cap) || cap == 0)
            return;
        memset(buf, 0x5a, want);
        fog_arq_commit(s->arq, want, w->now);
        if (!s->bulk)
            s->waiting -= want;
    }
}

static void
take_out(struct world *w, struct side *s)
{
    const void *buf;
    size_t len;
    for (fog_arq_peek(s->arq, &buf, &len); len > 0 && !s->deaf; fog_arq_peek(s->arq, &buf, &len)) {
        fog_arq_consume(s->arq, len, w->now);
        s->got += len;
    }
    if (s->echo_due && s->got >= s->echo_due) {
        s->waiting += s->echo_len;
        s->echo_due = 0;
    }
}

static void
observe(struct world *w, fog_time left_at, size_t len)
{
    fog_time beyond = w->now - left_at - (fog_time)(w->link.rtt_ms * 500);
    size_t bin = beyond < 0 ? 0 : (size_t)beyond / 100;
    w->delay[bin < WORLD_DELAYS ? bin : WORLD_DELAYS - 1]++;
    w->delays++;
    w->arrived += len + OVERHEAD;
}

static void
arrive(struct world *w, bool there)
{
    struct side *to = there ? &w->b : &w->a;
    uint8_t buf[FOG_DATAGRAM_MAX];
    uint64_t left_at;
    size_t len;
    while (fogi_emu_pop(there ? w->there : w->back, &left_at, buf, sizeof buf, &len, w->now)) {
        if (there)
            observe(w, (fog_time)left_at, len);
        if (fog_arq_input(to->arq, buf, len, w->now) < 0)
            continue; /* a session that has failed hears nothing any more */
    }
    take_out(w, to);
}

static void
leave(struct world *w, bool there)
{
    struct side *from = there ? &w->a : &w->b;
    uint8_t buf[FOG_DATAGRAM_MAX];
    size_t len;
    fog_arq_tick(from->arq, w->now);
    for (;;) {
        hand_in(w, from);
        if (fog_arq_output(from->arq, buf, sizeof buf, &len, w->now) || len == 0)
            return;
        if (w->lose && w->lose(w, there, buf, len))
            continue;
        fogi_emu_push(there ? w->there : w->back, (uint64_t)w->now, buf, len, w->now);
    }
}

static fog_time
earlier(fog_time a, fog_time b)
{
    return a < b ? a : b;
}

/* What is due now happens. Returns when the next thing is. */
static fog_time
step(struct world *w)
{
    enum fog_why why;
    arrive(w, true);
    arrive(w, false);
    leave(w, true);
    leave(w, false);
    fog_time at = earlier(fogi_emu_deadline(w->there), fogi_emu_deadline(w->back));
    at = earlier(at, fog_arq_deadline(w->a.arq, &why));
    at = earlier(at, fog_arq_deadline(w->b.arq, &why));
    return at > w->now ? at : w->now;
}

/* Until `end`, or until s has got so much; true then. */
static bool
go_on(struct world *w, fog_time end, const struct side *s, uint64_t got)
{
    for (unsigned still = 0; still < 1000; still++) {
        fog_time at = step(w);
        if (s && s->got >= got)
            return true;
        if (at >= end) {
            w->now = end;
            return false;
        }
        if (at > w->now)
            still = 0;
        w->now = at;
    }
    assert(false && "an engine asks to be called again and again");
    return false;
}

void
world_run(struct world *w, fog_time us)
{
    go_on(w, w->now + us, NULL, 0);
}

static double
wait_for(struct world *w, const struct side *s, uint64_t got, double most_ms)
{
    fog_time start = w->now;
    bool came = go_on(w, start + (fog_time)(most_ms * 1000), s, got);
    return came ? (double)(w->now - start) / 1000 : most_ms;
}

double
world_carry(struct world *w, uint64_t bytes, double most_ms)
{
    struct fog_arq_status st;
    world_status(w, &st);
    uint64_t all = st.committed + w->a.waiting + bytes;
    w->a.waiting += bytes;
    return wait_for(w, &w->b, all, most_ms);
}

double
world_ask(struct world *w, uint64_t ask, uint64_t answer, double most_ms)
{
    w->b.echo_due = w->b.got + ask;
    w->b.echo_len = answer;
    w->a.waiting += ask;
    return wait_for(w, &w->a, w->a.got + answer, most_ms);
}

double
world_queue(const struct world *w, double share)
{
    uint64_t seen = 0;
    for (size_t i = 0; i < WORLD_DELAYS; i++) {
        seen += w->delay[i];
        if ((double)seen >= share * (double)w->delays)
            return (double)i / 10;
    }
    return 0;
}

void
world_status(const struct world *w, struct fog_arq_status *st)
{
    fog_arq_status(w->a.arq, st);
}
