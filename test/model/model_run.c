/* SPDX-License-Identifier: MIT
 *
 * model_run.c - engines, links and what is handed in, event by event in virtual time. Decides
 * nothing about figures.
 */
#include "model.h"

#include "arq/kcp_int.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICK FOG_MS(10)
#define PING 64
#define PIECE 1024
#define FETCH_PAUSE FOG_MS(500)
#define BUSY_EVERY 100e3 /* us, on average */
#define SETTLED FOG_SEC(5)

static struct fog_arq *
make_engine(const struct run *r, uint32_t ts_base)
{
    struct fog_kcp_options o;
    struct fog_arq *a;
    fog_kcp_options_init(&o);
    if (r->args->fast && fog_kcp_options_fast(&o, r->args->fast))
        exit(2);
    if (r->args->fast)
        o.snd_wnd = o.rcv_wnd = 1024;
    o.ts_base = ts_base;
    o.hello_len = 4;
    memcpy(o.hello, "fog\1", 4);
    if (fog_kcp_new(&a, &o, fog_alloc_libc(), r->now))
        exit(2);
    return a;
}

static void
say(struct fog_arq *a, size_t n, fog_time now)
{
    while (n > 0) {
        size_t cap = 0;
        void *buf;
        if (fog_arq_reserve(a, n < 1000 ? n : 1000, &buf, &cap) || cap == 0)
            exit(2);
        cap = cap < n ? cap : n;
        memset(buf, 0x5a, cap);
        fog_arq_commit(a, cap, now);
        n -= cap;
    }
}

static bool
is_bulk(const struct run *r)
{
    return r->row->kind <= ROW_QUARTER;
}

static void
feed_sender(struct run *r, struct flow *f)
{
    size_t cap;
    void *buf;
    bool fetching = r->row->kind == ROW_FETCH && r->asked;
    if (!is_bulk(r) && !fetching)
        return;
    while (!f->full) {
        if (fetching && f->offered % MODEL_FETCH == 0 && f->offered > f->returned)
            return;
        if (fog_arq_reserve(f->tx.arq, PIECE, &buf, &cap) || cap == 0)
            return;
        size_t left = MODEL_FETCH - (size_t)(f->offered % MODEL_FETCH);
        if (fetching && cap > left)
            cap = left;
        memset(buf, 0x5a, cap);
        fog_arq_commit(f->tx.arq, cap, r->now);
        f->offered += cap;
    }
}

static void
note_delay(struct run *r, fog_time us)
{
    size_t bin = us < 0 ? 0 : (size_t)us / 10;
    r->delay[bin < MODEL_DELAYS ? bin : MODEL_DELAYS - 1]++;
    r->delays++;
}

static uint64_t
take_from(struct fog_arq *a, fog_time now)
{
    const void *buf;
    size_t len;
    uint64_t got = 0;
    for (fog_arq_peek(a, &buf, &len); len > 0; fog_arq_peek(a, &buf, &len)) {
        fog_arq_consume(a, len, now);
        got += len;
    }
    return got;
}

/* What the receiver's program does with what came. */
static void
take_delivered(struct run *r, struct flow *f)
{
    if (!f->rx.arq) {
        f->delivered = peer_delivered(f->peer);
        return;
    }
    uint64_t before = f->delivered;
    f->delivered += take_from(f->rx.arq, r->now);
    if (r->row->kind == ROW_ALONE && f->delivered / PING > before / PING)
        say(f->rx.arq, PING, r->now);
    if (r->row->kind == ROW_FETCH && r->asked && f->delivered - f->returned >= MODEL_FETCH) {
        note_delay(r, r->now - r->asked_at);
        f->returned = f->delivered;
        r->asked = false;
        r->asked_at = r->now + FETCH_PAUSE;
    }
}

/* What the sender's program does: asks again once answered. */
static void
take_returned(struct run *r, struct flow *f)
{
    uint64_t got = take_from(f->tx.arq, r->now);
    if (r->row->kind != ROW_ALONE)
        return;
    f->returned += got / PING * PING; /* without what greeted */
    if (r->asked && f->returned == f->offered) {
        note_delay(r, r->now - r->asked_at);
        r->asked = false;
    }
    if (!r->asked && !f->full && f->returned == f->offered) {
        say(f->tx.arq, PING, r->now);
        f->offered += PING;
        r->asked = true;
        r->asked_at = r->now;
    }
}

static fog_time
tag_time(uint64_t tag)
{
    return (fog_time)(tag >> 1);
}

static void
note_arrival(struct run *r, fog_time sent, size_t len)
{
    size_t at = (size_t)((r->now - MODEL_T0) / MODEL_BUCKET_US);
    at = at < MODEL_BUCKETS ? at : MODEL_BUCKETS - 1;
    fog_time waited = r->now - sent - (fog_time)(r->row->rtt_ms * 500);
    r->arrived[at] += (uint32_t)len + 28;
    if (waited > 0 && r->slowest[at] < (uint32_t)(waited / 10))
        r->slowest[at] = (uint32_t)(waited / 10);
    if (is_bulk(r))
        note_delay(r, waited);
}

static bool
is_busy(const struct end *e, fog_time now)
{
    return now < e->busy_until;
}

static bool
any_busy(const struct run *r)
{
    for (unsigned i = 0; i < r->flows; i++) {
        if (is_busy(&r->flow[i].tx, r->now) || is_busy(&r->flow[i].rx, r->now))
            return true;
    }
    return false;
}

static void
arrive(struct run *r)
{
    uint8_t buf[FOG_DATAGRAM_MAX];
    uint64_t tag;
    size_t len;
    /* The ends of all flows share a machine each: what comes waits until it has time. */
    while (!is_busy(&r->flow[0].rx, r->now) &&
           fogi_emu_pop(r->there, &tag, buf, sizeof buf, &len, r->now)) {
        struct flow *f = &r->flow[tag & 1];
        note_arrival(r, tag_time(tag), len);
        if (f->rx.arq)
            assert(fog_arq_input(f->rx.arq, buf, len, r->now) == 0);
        else
            peer_input(f->peer, buf, len, r->now);
    }
    while (!is_busy(&r->flow[0].tx, r->now) &&
           fogi_emu_pop(r->back, &tag, buf, sizeof buf, &len, r->now)) {
        if (fog_arq_input(r->flow[tag & 1].tx.arq, buf, len, r->now) < 0)
            continue;
    }
    for (unsigned i = 0; i < r->flows; i++) {
        take_delivered(r, &r->flow[i]);
        if (r->now >= r->flow[i].starts)
            take_returned(r, &r->flow[i]);
    }
}

static void
leave(struct run *r, unsigned i, struct fog_arq *a, struct emu *link)
{
    uint8_t buf[FOG_DATAGRAM_MAX];
    size_t len;
    struct flow *f = &r->flow[i];
    for (;;) {
        if (a == f->tx.arq && r->now >= f->starts)
            feed_sender(r, f);
        if (fog_arq_output(a, buf, sizeof buf, &len, r->now) || len == 0)
            return;
        fogi_emu_push(link, (uint64_t)r->now << 1 | i, buf, len, r->now);
    }
}

static void
leave_peer(struct run *r, unsigned i)
{
    uint8_t buf[FOG_DATAGRAM_MAX];
    size_t len;
    while ((len = peer_output(r->flow[i].peer, buf, sizeof buf, r->now)) > 0)
        fogi_emu_push(r->back, (uint64_t)r->now << 1 | i, buf, len, r->now);
}

static fog_time
earlier(fog_time a, fog_time b)
{
    return a < b ? a : b;
}

static fog_time
later(fog_time a, fog_time b)
{
    return a > b ? a : b;
}

/* When the link turns dark or light, slow or fast. */
static fog_time
next_change(const struct run *r)
{
    fog_time past = r->now - MODEL_T0, at = FOG_TIME_NEVER;
    if (r->row->dark) {
        fog_time into = past % MODEL_DARK_EVERY, light = MODEL_DARK_EVERY - MODEL_DARK_FOR;
        at = r->now - into + (into < light ? light : MODEL_DARK_EVERY);
    }
    if (r->row->kind == ROW_QUARTER && past < MODEL_QUARTER_AT)
        at = earlier(at, MODEL_T0 + MODEL_QUARTER_AT);
    else if (r->row->kind == ROW_QUARTER && past < MODEL_QUARTER_AT + MODEL_QUARTER_FOR)
        at = earlier(at, MODEL_T0 + MODEL_QUARTER_AT + MODEL_QUARTER_FOR);
    if (r->row->kind == ROW_FETCH && !r->asked && r->asked_at > r->now)
        at = earlier(at, r->asked_at);
    return at;
}

static fog_time
next_time(const struct run *r)
{
    enum fog_why why;
    fog_time at = next_change(r), tx = fogi_emu_deadline(r->back), rx = fogi_emu_deadline(r->there);
    for (unsigned i = 0; i < r->flows; i++) {
        const struct flow *f = &r->flow[i];
        tx = earlier(tx, fog_arq_deadline(f->tx.arq, &why));
        if (f->starts > r->now)
            at = earlier(at, f->starts);
        rx = earlier(rx, f->rx.arq ? fog_arq_deadline(f->rx.arq, &why) : peer_deadline(f->peer));
    }
    at = earlier(at, later(tx, r->flow[0].tx.busy_until));
    at = earlier(at, later(rx, r->flow[0].rx.busy_until));
    return later(at, r->now);
}

static void
print_trace(struct run *r)
{
    for (unsigned i = 0; i < r->flows; i++) {
        struct fog_arq_status st;
        fog_arq_status(r->flow[i].tx.arq, &st);
        const struct kcp *k = (const struct kcp *)(const void *)r->flow[i].tx.arq;
        const struct model *m = &k->cc.model;
        printf("%8.3f #%u state %d.%d gain %.2f bw %6.2f p %.3f base %6.1f mean %6.1f spread %5.1f "
               "srtt %6.1f out %5zu K span %5u lost %llu late %llu to %llu window %.1f tail %llu "
               "del %.2f\n",
               (double)(r->now - MODEL_T0) / 1e6, i, (int)m->state, m->phase, m->gain,
               (double)m->bw * 8e-6, m->p, (double)m->base_us / 1e3, (double)m->mean_us / 1e3,
               (double)m->spread_us / 1e3, (double)st.srtt_us / 1e3, k->log.out_bytes / 1000,
               snd_span(&k->snd), (unsigned long long)st.n.lost, (unsigned long long)st.n.late,
               (unsigned long long)st.n.timeouts, (double)k->loss.window / 1e3,
               (unsigned long long)fogi_emu_counters(r->there)->tail_dropped,
               (double)r->flow[i].delivered / 1e6);
    }
}

/* The conditions of this moment. */
static void
set_conditions(struct run *r)
{
    fog_time past = r->now - MODEL_T0;
    bool dark = r->row->dark && past % MODEL_DARK_EVERY >= MODEL_DARK_EVERY - MODEL_DARK_FOR;
    fogi_emu_dark(r->there, dark);
    fogi_emu_dark(r->back, dark);
    bool slow = r->row->kind == ROW_QUARTER && past >= MODEL_QUARTER_AT &&
                past < MODEL_QUARTER_AT + MODEL_QUARTER_FOR;
    if (slow != r->slow) {
        struct emu_options o = model_link(r->row);
        o.rate_bps = slow ? o.rate_bps / 4 : o.rate_bps;
        fogi_emu_set(r->there, &o);
        r->slow = slow;
    }
    if (r->row->kind == ROW_FETCH && !r->asked && !r->flow[0].full && r->now >= r->asked_at) {
        r->asked = true;
        r->asked_at = r->now;
    }
    if (past < MODEL_LATE + SETTLED)
        for (unsigned i = 0; i < r->flows; i++)
            r->at_late[i] = r->flow[i].delivered;
}

/* Other programs take the machine for a while. */
static void
take_machine(struct run *r, struct end *e)
{
    if (r->row->stall_ms <= 0 || r->now < e->busy_next)
        return;
    e->busy_until = r->now + (fog_time)(-log(1 - rng_unit(&e->rng)) * r->row->stall_ms * 1e3);
    e->busy_next = e->busy_until + (fog_time)(-log(1 - rng_unit(&e->rng)) * BUSY_EVERY);
}

static bool
all_done(const struct run *r)
{
    for (unsigned i = 0; i < r->flows; i++) {
        if (!r->flow[i].full || (is_bulk(r) && r->flow[i].delivered != r->flow[i].offered))
            return false;
    }
    return true;
}

static void
run_ends(struct run *r)
{
    take_machine(r, &r->flow[0].tx);
    take_machine(r, &r->flow[0].rx);
    arrive(r);
    for (unsigned i = 0; i < r->flows; i++) {
        struct flow *f = &r->flow[i];
        if (!is_busy(&r->flow[0].tx, r->now)) {
            fog_arq_tick(f->tx.arq, r->now);
            leave(r, i, f->tx.arq, r->there);
        }
        if (is_busy(&r->flow[0].rx, r->now))
            continue;
        if (f->rx.arq) {
            fog_arq_tick(f->rx.arq, r->now);
            leave(r, i, f->rx.arq, r->back);
        } else {
            leave_peer(r, i);
        }
    }
}

void
run_loop(struct run *r)
{
    fog_time shown = r->now;
    unsigned still = 0;
    while (r->now < r->end && !all_done(r)) {
        set_conditions(r);
        run_ends(r);
        fog_time at = next_time(r);
        still = at == r->now && !any_busy(r) ? still + 1 : 0;
        assert(still < 1000 && "an engine asks to be called again and again");
        if (r->args->trace && at - shown >= FOG_MS(100)) {
            print_trace(r);
            shown = at;
        }
        r->now = at;
    }
}

struct run *
run_new(const struct link_row *row, const struct model_args *args)
{
    struct run *r = calloc(1, sizeof *r);
    if (!r)
        exit(2);
    *r = (struct run){.row = row, .args = args, .now = MODEL_T0};
    r->end = MODEL_T0 + (fog_time)(args->seconds * 1e6);
    struct emu_options o = model_link(row);
    struct rng rng = {args->seed};
    if (fogi_emu_new(&r->there, &o, rng_split(&rng, 1), fog_alloc_libc()) ||
        fogi_emu_new(&r->back, &o, rng_split(&rng, 2), fog_alloc_libc()))
        exit(2);
    r->flows = row->kind == ROW_TWO || row->kind == ROW_LATE ? 2 : 1;
    for (unsigned i = 0; i < r->flows; i++) {
        struct flow *f = &r->flow[i];
        f->starts = r->now + (row->kind == ROW_LATE && i == 1 ? MODEL_LATE : 0);
        f->tx = (struct end){.arq = make_engine(r, 1000), .rng = rng_split(&rng, 3 + 2 * i)};
        f->rx = (struct end){.rng = rng_split(&rng, 4 + 2 * i)};
        f->tx.busy_next = f->rx.busy_next = r->now;
        if (args->ticked) {
            f->peer = peer_new(TICK);
        } else {
            /* Both ends say something first, as a handshake does: hellos follow what was acked. */
            f->rx.arq = make_engine(r, 2000);
            say(f->rx.arq, 9, r->now);
        }
    }
    r->asked_at = r->now + FETCH_PAUSE;
    return r;
}

void
run_free(struct run *r)
{
    for (unsigned i = 0; i < r->flows; i++) {
        fog_arq_free(r->flow[i].tx.arq);
        fog_arq_free(r->flow[i].rx.arq);
        peer_free(r->flow[i].peer);
    }
    fogi_emu_free(r->there);
    fogi_emu_free(r->back);
    free(r);
}
