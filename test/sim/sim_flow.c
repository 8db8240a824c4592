/* SPDX-License-Identifier: MIT
 *
 * sim_flow.c - what stands at the two ends of a stream: the local application and the target. Both
 * follow a script. They trust events only: what peek or write refused is not tried again before
 * the session says so.
 */
#include "sim.h"

#include <string.h>

#define OPEN_RETRY_US FOG_MS(200)

/* ----------------------------------------------------------------------- a codec in gzip's place
 */

static const uint8_t rle_magic[4] = {0x1f, 0x8b, 0x08, 'R'};

int
sim_rle_deflate(void *ctx, const void *in, size_t len, void *out, size_t cap, size_t *out_len)
{
    (void)ctx;
    const uint8_t *p = in;
    uint8_t *q = out;
    size_t n = sizeof rle_magic;
    if (cap < n)
        return FOG_E_LIMIT;
    memcpy(q, rle_magic, n);
    for (size_t i = 0, run; i < len; i += run) {
        for (run = 1; run < 255 && i + run < len && p[i + run] == p[i]; run++)
            ;
        if (n + 2 > cap)
            return FOG_E_LIMIT;
        q[n++] = (uint8_t)run;
        q[n++] = p[i];
    }
    *out_len = n;
    return 0;
}

int
sim_rle_inflate(void *ctx, const void *in, size_t len, void *out, size_t cap, size_t *out_len)
{
    (void)ctx;
    const uint8_t *p = in;
    size_t n = 0;
    if (len < sizeof rle_magic || len % 2 || memcmp(p, rle_magic, sizeof rle_magic) != 0)
        return FOG_E_FORMAT;
    for (size_t i = sizeof rle_magic; i < len; i += 2) {
        if (p[i] == 0 || n + p[i] > cap)
            return FOG_E_FORMAT;
        memset((uint8_t *)out + n, p[i + 1], p[i]);
        n += p[i];
    }
    *out_len = n;
    return 0;
}

/* -------------------------------------------------------------------------------------- one end */

static int
side_of(const struct end *e)
{
    return e == &e->flow->end[FOG_SERVER];
}

static const struct script *
script_of(const struct end *e)
{
    return &e->flow->plan->end[side_of(e)];
}

static struct end *
other_of(const struct end *e)
{
    return &e->flow->end[!side_of(e)];
}

static void
touch(const struct tunnel *t)
{
    if (t->by_endpoint)
        fog_endpoint_touch(t->host->w->server.e, t->s, sim_clock(t->host));
}

static bool
is_over(const struct end *e)
{
    return e->state == END_DONE || e->state == END_RESET || e->state == END_CUT;
}

/** A flow is over when its client knows its end, and its server too unless the client has vanished
 * together with what it still had to say. */
static void
settle_flow(struct world *w, struct flow *f)
{
    const struct end *c = &f->end[FOG_CLIENT], *s = &f->end[FOG_SERVER];
    bool vanished = w->clients[f->plan->client].left_gen >= f->gen || c->state == END_CUT;
    if (f->done_at == 0 && is_over(c) && (is_over(s) || vanished || s->state == END_NONE)) {
        f->done_at = w->now;
        w->live_flows--;
    }
}

void
sim_flows_left(struct client *c, uint32_t gen)
{
    struct world *w = c->host.w;
    for (int i = 0; i < w->plan->n_flows; i++)
        if (w->flows[i].gen == gen && w->flows[i].plan->client == c->host.number)
            settle_flow(w, &w->flows[i]);
}

static void
settle(struct end *e, enum end_state state)
{
    struct flow *f = e->flow;
    struct world *w = e->tunnel->host->w;
    e->state = state;
    list_unlink(&e->busy);
    sim_set(w, &e->timer, FOG_TIME_NEVER);
    sim_mix(w, (uint64_t)state + (uint64_t)f->number * 16);
    sim_note(w, "flow %d %s end: %s after %u sent, %u received", f->number,
             side_of(e) ? "far" : "near",
             state == END_DONE    ? "done"
             : state == END_RESET ? "reset"
                                  : "cut",
             e->sent, e->received);
    settle_flow(w, f);
}

static void
let_go(struct end *e, enum end_state state)
{
    struct tunnel *t = e->tunnel;
    fog_session_release(t->s, e->st, sim_clock(t->host));
    touch(t);
    e->st = NULL;
    list_unlink(&e->in);
    settle(e, state);
    e->tunnel = NULL;
}

void
sim_end_cut(struct end *e)
{
    if (e->tunnel->closed) {
        let_go(e, END_CUT);
        return;
    }
    e->st = NULL; /* the session dies with its streams */
    list_unlink(&e->in);
    settle(e, END_CUT);
    e->tunnel = NULL;
}

void
sim_end_attach(struct end *e, struct tunnel *t, struct fog_stream *st)
{
    e->tunnel = t;
    e->st = st;
    e->state = END_OPEN;
    e->readable = e->flow->number % 2;
    fog_stream_set_user(st, e);
    list_push(&t->ends, &e->in);
}

/** Reads what there is, or what the script allows. False when the stream is over. */
static bool
read_some(struct end *e)
{
    struct tunnel *t = e->tunnel;
    const struct script *c = script_of(e);
    struct world *w = t->host->w;
    while (e->readable && !e->eof && (w->healed || w->now >= e->next_read)) {
        const void *buf;
        size_t len;
        bool eof;
        int rc = fog_session_peek(t->s, e->st, &buf, &len, &eof);
        if (rc == FOG_E_RESET) {
            sim_check_reset(e, 0);
            let_go(e, END_RESET);
            return false;
        }
        if (rc) {
            if (rc != FOG_E_CLOSED)
                sim_fail(w, "peek: %s", fog_err_name(rc));
            return false;
        }
        if (len == 0) {
            e->readable = false;
            e->eof = eof;
            if (eof)
                sim_check_eof(e);
            break;
        }
        if (c->read_max && !w->healed && len > c->read_max)
            len = c->read_max;
        sim_check_bytes(e, buf, len);
        e->received += (uint32_t)len;
        fog_session_consume(t->s, e->st, len, sim_clock(t->host));
        if (c->read_pause)
            e->next_read = w->now + c->read_pause;
    }
    return true;
}

static uint32_t
may_send(const struct end *e)
{
    const struct script *c = script_of(e);
    if (c->send_after_eof && !e->eof)
        return 0;
    uint64_t n = c->credit;
    if (c->per_recv)
        n += (uint64_t)(e->received / c->per_recv) * c->gain;
    return n < c->total ? (uint32_t)n : c->total;
}

static int
write_in_place(struct end *e, size_t want, size_t *taken)
{
    struct tunnel *t = e->tunnel;
    void *buf;
    size_t cap;
    *taken = 0;
    int rc = fog_session_reserve(t->s, e->st, &buf, &cap, sim_clock(t->host));
    if (rc || cap == 0)
        return rc;
    size_t len = want < cap ? want : cap;
    sim_fill(e->flow->key + (uint64_t)side_of(e), e->flow->plan->compressible, e->sent, buf, len);
    rc = fog_session_commit(t->s, e->st, len, sim_clock(t->host));
    *taken = rc ? 0 : len;
    return rc;
}

static int
write_copy(struct end *e, size_t want, size_t *taken)
{
    uint8_t buf[8192];
    struct tunnel *t = e->tunnel;
    size_t len = want < sizeof buf ? want : sizeof buf;
    sim_fill(e->flow->key + (uint64_t)side_of(e), e->flow->plan->compressible, e->sent, buf, len);
    return fog_session_write(t->s, e->st, buf, len, taken, sim_clock(t->host));
}

/** Writes what the script allows until refused. False when the stream is over. */
static bool
write_some(struct end *e)
{
    const struct script *c = script_of(e);
    struct world *w = e->tunnel->host->w;
    while (!e->blocked && e->sent < may_send(e) && (w->healed || w->now >= e->next_write)) {
        size_t want = may_send(e) - e->sent, taken = 0;
        if (want > c->write_max)
            want = c->write_max;
        int rc = c->in_place ? write_in_place(e, want, &taken) : write_copy(e, want, &taken);
        e->sent += (uint32_t)taken;
        if (rc == FOG_E_RESET) {
            sim_check_reset(e, 0);
            let_go(e, END_RESET);
            return false;
        }
        if (rc == FOG_E_NOMEM && e->tunnel->host->mem.refuses) {
            e->next_write = w->now + FOG_MS(50);
            break;
        }
        if (rc && rc != FOG_E_CLOSED)
            sim_fail(w, "write: %s", fog_err_name(rc));
        if (rc)
            return false;
        e->blocked = taken == 0;
        if (c->write_pause && taken)
            e->next_write = w->now + c->write_pause;
    }
    return true;
}

/** The target's connection is made, or refused. False while it is not there. */
static bool
dial(struct end *e)
{
    struct flow *f = e->flow;
    struct tunnel *t = e->tunnel;
    struct world *w = t->host->w;
    if (e->dialled || side_of(e) == FOG_CLIENT)
        return true;
    if (w->now < e->next_write && !w->healed) {
        sim_set(w, &e->timer, e->next_write);
        return false;
    }
    e->dialled = true;
    if (f->plan->refuse) {
        f->refused = true;
        fog_session_refuse(t->s, e->st, sim_clock(t->host));
        let_go(e, END_RESET);
        return false;
    }
    fog_session_connected(t->s, e->st, sim_clock(t->host));
    return true;
}

static void
act(struct end *e)
{
    const struct script *c = script_of(e);
    struct tunnel *t = e->tunnel;
    struct world *w = t->host->w;
    if (!dial(e) || !read_some(e) || w->failed)
        return;
    if (c->reset_at && e->sent + e->received >= c->reset_at) {
        e->reset_by_us = true;
        w->stats.resets++;
        fog_session_reset(t->s, e->st, sim_clock(t->host));
        let_go(e, END_RESET);
        return;
    }
    if (!write_some(e) || w->failed)
        return;
    if (!e->finished && e->sent == c->total && (e->eof || !c->finish_after_eof)) {
        e->finished = true;
        int rc = fog_session_finish(t->s, e->st, sim_clock(t->host));
        if (rc == FOG_E_RESET || rc == FOG_E_CLOSED || rc == FOG_E_NOMEM)
            e->finished = rc != FOG_E_NOMEM;
        else if (rc)
            sim_fail(w, "finish: %s", fog_err_name(rc));
    }
    if (e->finished && e->eof) {
        let_go(e, END_DONE);
        return;
    }
    fog_time at = FOG_TIME_NEVER;
    if (e->readable && !e->eof)
        at = e->next_read;
    if (!e->blocked && e->sent < may_send(e) && e->next_write < at)
        at = e->next_write;
    if (!e->finished && e->sent == c->total && (e->eof || !c->finish_after_eof))
        at = w->now + FOG_MS(50);
    if (at <= w->now) /* it has not moved although it could: the session is closed */
        at = w->now + FOG_MS(50);
    sim_set(w, &e->timer, at);
}

static void
end_turn(struct end *e)
{
    struct tunnel *t = e->tunnel;
    act(e);
    touch(t);
}

static void
mark_busy(struct host *h, struct end *e)
{
    if (!list_is_linked(&e->busy))
        list_push(&h->busy, &e->busy);
}

static void
try_open(struct end *e, struct client *c)
{
    struct world *w = c->host.w;
    if (!c->t || !c->t->ready || c->t->closed || c->t->worn)
        return;
    struct fog_stream *st;
    int rc = fog_session_open(c->t->s, &st, sim_clock(&c->host));
    if (rc) {
        if (rc != FOG_E_BUSY && rc != FOG_E_LIMIT && rc != FOG_E_CLOSED &&
            (rc != FOG_E_NOMEM || !c->host.mem.refuses))
            sim_fail(w, "open: %s", fog_err_name(rc));
        sim_set(w, &e->timer, w->now + OPEN_RETRY_US);
        return;
    }
    e->flow->gen = c->gen;
    e->flow->id = fog_stream_id(st);
    sim_note(w, "flow %d (%s) is stream %u of c%d/%u", e->flow->number, e->flow->plan->name,
             e->flow->id, c->host.number, c->gen);
    sim_end_attach(e, c->t, st);
    e->next_read = w->now + script_of(e)->read_hold;
    end_turn(e);
}

void
sim_open_waiting(struct client *c)
{
    struct world *w = c->host.w;
    for (int i = 0; i < w->plan->n_flows; i++) {
        struct end *e = &w->flows[i].end[FOG_CLIENT];
        if (e->state == END_WAIT && w->flows[i].plan->client == c->host.number)
            mark_busy(&c->host, e);
    }
}

bool
sim_ends_turn(struct tunnel *t)
{
    struct host *h = t->host;
    struct list mine;
    list_init(&mine);
    for (struct list *l = h->busy.next, *next; l != &h->busy; l = next) {
        next = l->next;
        struct end *e = list_entry(l, struct end, busy);
        if (e->tunnel == t || (!e->tunnel && e->state == END_WAIT)) {
            list_unlink(l);
            list_push(&mine, l);
        }
    }
    bool any = !list_is_empty(&mine);
    for (struct list *l; (l = list_pop(&mine));) {
        struct end *e = list_entry(l, struct end, busy);
        if (h->w->failed)
            continue;
        if (e->state == END_WAIT)
            try_open(e, t->c);
        else if (e->state == END_OPEN)
            end_turn(e);
    }
    return any;
}

/* ---------------------------------------------------------------------------------------- events
 */

static void
opened(struct tunnel *t, struct fog_stream *st)
{
    struct world *w = t->host->w;
    uint32_t id = fog_stream_id(st);
    for (int i = 0; i < w->plan->n_flows; i++) {
        struct flow *f = &w->flows[i];
        if (f->gen != t->gen || f->id != id || f->plan->client != t->c->host.number)
            continue;
        struct end *e = &f->end[FOG_SERVER];
        if (t->host != &w->server.host || e->state != END_NONE)
            break;
        if (w->plan->via != VIA_PIPE && !t->c->truth[t->seq].proven)
            sim_fail(w, "flow %d would be dialled before its peer is proven", i);
        sim_end_attach(e, t, st);
        e->next_write = w->now + f->plan->dial;
        e->next_read = e->next_write + script_of(e)->read_hold;
        mark_busy(t->host, e);
        return;
    }
    sim_fail(w, "stream %u of c%d was opened by nobody, or twice", id, t->c->host.number);
}

void
sim_end_event(struct tunnel *t, const struct fog_event *ev)
{
    struct world *w = t->host->w;
    if (ev->type == FOG_EV_OPENED) {
        opened(t, ev->stream);
        return;
    }
    struct end *e = ev->stream ? fog_stream_user(ev->stream) : NULL;
    if (!e || e->st != ev->stream) {
        sim_fail(w, "an event for a stream that was let go");
        return;
    }
    if (ev->type == FOG_EV_RESET) {
        sim_check_reset(e, ev->err);
        let_go(e, END_RESET);
        return;
    }
    if (ev->type == FOG_EV_READABLE)
        e->readable = true;
    if (ev->type == FOG_EV_WRITABLE)
        e->blocked = false;
    mark_busy(t->host, e);
}

static void
wake_up(struct actor *a, struct world *w)
{
    struct end *e = list_entry(a, struct end, timer);
    struct host *h =
        side_of(e) == FOG_SERVER ? &w->server.host : &w->clients[e->flow->plan->client].host;
    if (e->state == END_NONE)
        e->state = END_WAIT;
    mark_busy(h, e);
    sim_set(w, &h->wake, w->now);
}

void
sim_flow_init(struct world *w, int number)
{
    struct flow *f = &w->flows[number];
    *f = (struct flow){.plan = &w->plan->flows[number], .number = number};
    struct rng master = {w->plan->seed}, r = rng_split(&master, 0xf1000 + (uint64_t)number);
    f->key = rng_next(&r);
    for (int side = 0; side < 2; side++) {
        struct end *e = &f->end[side];
        e->flow = f;
        e->timer.run = wake_up;
        list_init(&e->busy);
        list_init(&e->in);
    }
    sim_set(w, &f->end[FOG_CLIENT].timer, f->plan->at);
}

void
sim_flows_hurry(struct world *w)
{
    for (int i = 0; i < w->plan->n_flows; i++)
        for (int side = 0; side < 2; side++) {
            struct end *e = &w->flows[i].end[side];
            if (e->state == END_OPEN || e->state == END_WAIT)
                wake_up(&e->timer, w);
        }
}

int
sim_flow_side(const struct end *e)
{
    return side_of(e);
}

struct end *
sim_flow_other(const struct end *e)
{
    return other_of(e);
}
