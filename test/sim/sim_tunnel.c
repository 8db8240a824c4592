/* SPDX-License-Identifier: MIT
 *
 * sim_tunnel.c - a session being driven: input, events, output, deadline, tick, in the order that
 * session.h asks for, and no oftener than its deadlines ask for.
 */
#include "sim.h"

#include <stdlib.h>

#define FULL_RETRY_US FOG_MS(100)
#define TICKS_MAX 8     /* at one time before we call it a busy loop */
#define ROUNDS_MAX 1000 /* of events and what follows from them, at one time */

struct tunnel *
sim_tunnel_new(struct host *h, struct fog_session *s, struct client *c, uint32_t gen)
{
    struct tunnel *t = malloc(sizeof *t);
    if (!t)
        abort();
    *t = (struct tunnel){.host = h, .s = s, .c = c, .gen = gen, .seq = c->seq, .since = h->w->now};
    list_init(&t->ends);
    list_init(&t->all);
    fog_session_set_user(s, t);
    if (h != &c->host && gen > c->met_gen)
        c->met_gen = gen;
    h->w->stats.sessions++;
    return t;
}

void
sim_tunnel_free(struct tunnel *t)
{
    bool server = t->host != &t->c->host;
    if (server)
        t->c->lost_gen = t->gen > t->c->lost_gen ? t->gen : t->c->lost_gen;
    else
        t->c->left_gen = t->gen;
    if (server && t->gen == t->c->gen)
        t->c->lost_at = t->host->w->now;
    while (!list_is_empty(&t->ends))
        sim_end_cut(list_entry(t->ends.next, struct end, in));
    if (!server)
        sim_flows_left(t->c, t->gen);
    if (t->pipe)
        sim_pipe_release(t->pipe, server);
    list_unlink(&t->all);
    free(t);
}

struct fog_session_options
sim_options(const struct world *w, struct host *h, int side, uint32_t gen)
{
    static const struct fog_gzip rle = {sim_rle_inflate, sim_rle_deflate, NULL};
    const struct plan *p = w->plan;
    struct fog_session_options o = p->side[side];
    struct rng master = {p->seed};
    struct rng r = rng_split(&master, 0x5e55 + (uint64_t)(h->number + 2) * 1000 + gen);
    if (!p->has[F_WRAP_TS])
        o.kcp.ts_base = (uint32_t)rng_next(&r);
    o.mux.seed = rng_next(&r);
    o.mux.gzip = &rle;
    return o;
}

void
sim_tunnel_event(struct tunnel *t, const struct fog_event *ev)
{
    static const char *const names[] = {"ready", "opened",  "established", "readable", "writable",
                                        "reset", "suspect", "worn",        "closed"};
    struct world *w = t->host->w;
    bool server = t->host != &t->c->host;
    sim_mix(w, (uint64_t)ev->type * 977 + (uint64_t)t->gen);
    sim_note(w, "%s%d/%u: %s %s stream %u", t->host->name, t->c->host.number, t->gen,
             names[ev->type], ev->err ? fog_err_name(ev->err) : "",
             ev->stream ? fog_stream_id(ev->stream) : 0);
    if (t->closed)
        sim_fail(w, "an event after closed");
    switch (ev->type) {
    case FOG_EV_READY:
        if (t->ready)
            sim_fail(w, "ready twice");
        t->ready = true;
        if (!server)
            sim_open_waiting(t->c);
        break;
    case FOG_EV_CLOSED:
        t->closed = true;
        t->err = ev->err;
        sim_check_closed(t);
        break;
    case FOG_EV_WORN:
        if (!w->plan->has[F_WORN])
            sim_fail(w, "worn without a reason");
        t->worn = true;
        break;
    case FOG_EV_SUSPECT:
        break;
    case FOG_EV_OPENED:
    case FOG_EV_ESTABLISHED:
    case FOG_EV_READABLE:
    case FOG_EV_WRITABLE:
    case FOG_EV_RESET:
        sim_end_event(t, ev);
        break;
    }
}

void
sim_tunnel_output(struct tunnel *t)
{
    struct host *h = t->host;
    bool server = h != &t->c->host;
    for (int n = 0; !t->pipe; n++) {
        uint8_t buf[DATAGRAM];
        size_t len = 0;
        int rc = fog_session_output(t->s, buf, sizeof buf, &len, sim_clock(h));
        if (rc || n > 70000)
            sim_fail(h->w, "output without end, or %s", fog_err_name(rc));
        if (len == 0 || h->w->failed)
            return;
        if (len > h->w->plan->side[server].kcp.mtu)
            sim_fail(h->w, "a datagram of %zu bytes, mtu %u", len,
                     h->w->plan->side[server].kcp.mtu);
        if (!server && t->c->lost_gen == t->gen && t->c->asked_at < t->c->lost_at)
            t->c->asked_at = h->w->now;
        sim_link_send(t->c, server, server ? t->seq : t->c->seq, buf, len);
    }
    sim_pipe_turn(t);
}

/** Events and what the application does about them, until there are none. */
static bool
listen(struct tunnel *t)
{
    struct host *h = t->host;
    struct fog_event ev;
    bool heard = false;
    if (h->w->now < h->app_off_until)
        return false;
    while (!t->closed && !h->w->failed && fog_session_event(t->s, &ev)) {
        sim_tunnel_event(t, &ev);
        heard = true;
    }
    return !t->closed && (sim_ends_turn(t) || heard);
}

/** When t wants to be called; a carrier that is full is not helped by waking up at once. */
static fog_time
deadline(struct tunnel *t, enum fog_why *why)
{
    struct host *h = t->host;
    fog_time at = sim_wake_at(h, fog_session_deadline(t->s, why)), piece = sim_pipe_next(t);
    if (at <= h->w->now && sim_pipe_is_full(t)) {
        fog_session_tick(t->s, sim_clock(h));
        at = h->w->now + FULL_RETRY_US;
    }
    return piece > h->w->now && piece < at ? piece : at;
}

fog_time
sim_tunnel_turn(struct tunnel *t)
{
    struct host *h = t->host;
    int ticks = 0;
    for (int round = 0;; round++) {
        bool moved = sim_pipe_turn(t);
        moved |= listen(t);
        sim_tunnel_output(t);
        if (h->w->failed || t->closed)
            return FOG_TIME_NEVER;
        if (moved && round < ROUNDS_MAX)
            continue;
        enum fog_why why;
        fog_time at = deadline(t, &why);
        if (at > h->w->now && !moved)
            return at;
        if (moved || ticks > TICKS_MAX) {
            sim_fail(h->w, "%s%d: a deadline stays in the past (%s), or events never end", h->name,
                     t->c->host.number, fog_why_name(why));
            return FOG_TIME_NEVER;
        }
        ticks++;
        h->ticks++;
        fog_session_tick(t->s, sim_clock(h));
    }
}
