/* SPDX-License-Identifier: MIT
 *
 * sim_server.c - the server of the world: an endpoint, or lone sessions where the wire must begin
 * elsewhere than at sn 0 or is a pipe.
 */
#include "sim.h"

#include <stdlib.h>
#include <string.h>

#include "base/wire.h"

#define SEQ_MASK 255u
#define HEARD 256u
#define TICKS_MAX 40 /* sessions have ticks of their own */
#define ROUNDS_MAX 1000

static struct truth *
truth_of(struct world *w, const struct fog_addr *a)
{
    if (a->ip[12] == 10)
        return &w->clients[a->ip[13]].truth[a->port - 1000];
    return &w->strangers[a->ip[13]];
}

static struct tunnel *
find_lone(struct world *w, const struct client *c, uint32_t gen)
{
    for (struct list *l = w->server.tunnels.next; l != &w->server.tunnels; l = l->next) {
        struct tunnel *t = list_entry(l, struct tunnel, all);
        if (t->c == c && t->gen == gen)
            return t;
    }
    return NULL;
}

/* --------------------------------------------------------------------------------- the endpoint */

static struct tunnel *
tunnel_of(struct world *w, struct fog_session *s)
{
    struct tunnel *t = fog_session_user(s);
    if (t)
        return t;
    struct fog_addr a;
    fog_endpoint_peer(w->server.e, s, &a);
    if (a.ip[12] != 10) {
        sim_fail(w, "a stranger's session has an event");
        return NULL;
    }
    struct client *c = &w->clients[a.ip[13]];
    uint32_t seq = a.port - 1000u;
    if (!c->truth[seq].proven) {
        sim_fail(w, "c%d has a session before its address was proven", c->host.number);
        return NULL;
    }
    t = sim_tunnel_new(&w->server.host, s, c, c->gen_of[seq]);
    t->seq = seq;
    t->by_endpoint = true;
    list_push(&w->server.tunnels, &t->all);
    return t;
}

static bool
endpoint_events(struct world *w)
{
    struct server *v = &w->server;
    bool any = false;
    struct fog_session *s;
    struct fog_event ev;
    while (!w->failed && fog_endpoint_event(v->e, &s, &ev)) {
        struct tunnel *t = tunnel_of(w, s);
        if (!t)
            return false;
        any = true;
        sim_tunnel_event(t, &ev);
        if (t->closed) {
            sim_tunnel_free(t);
            fog_session_set_user(s, NULL);
            fog_endpoint_drop(v->e, s, sim_clock(&v->host));
        }
    }
    for (struct list *l = v->tunnels.next; l != &v->tunnels; l = l->next)
        any |= sim_ends_turn(list_entry(l, struct tunnel, all));
    return any;
}

static void
endpoint_output(struct world *w)
{
    struct server *v = &w->server;
    for (int n = 0; !w->failed; n++) {
        uint8_t buf[DATAGRAM];
        struct fog_addr to;
        size_t len = 0;
        int rc = fog_endpoint_output(v->e, &to, buf, sizeof buf, &len, sim_clock(&v->host));
        if (rc || n > 200000)
            sim_fail(w, "output without end, or %s", fog_err_name(rc));
        if (len == 0)
            return;
        struct truth *t = truth_of(w, &to);
        t->out += len;
        sim_check_amplification(w, t, to.ip[12] == 10 ? "a client" : "a stranger");
        if (to.ip[12] == 10)
            sim_link_send(&w->clients[to.ip[13]], 1, to.port - 1000u, buf, len);
        else
            sim_mix(w, sim_hash(buf, len));
    }
}

static fog_time
endpoint_turn(struct world *w)
{
    struct server *v = &w->server;
    int ticks = 0;
    for (int round = 0;; round++) {
        bool moved = w->now >= v->host.app_off_until && endpoint_events(w);
        endpoint_output(w);
        if (w->failed)
            return FOG_TIME_NEVER;
        if (moved && round < ROUNDS_MAX)
            continue;
        enum fog_why why;
        fog_time at = sim_wake_at(&v->host, fog_endpoint_deadline(v->e, &why));
        if (at > w->now && !moved)
            return at;
        if (moved || ticks > TICKS_MAX) {
            sim_fail(w, "server: a deadline stays in the past (%s), or events never end",
                     fog_why_name(why));
            return FOG_TIME_NEVER;
        }
        ticks++;
        v->host.ticks++;
        fog_endpoint_tick(v->e, sim_clock(&v->host));
    }
}

/* --------------------------------------------------------------------------------- lone sessions
 */

/** A server that lost a session says so, as the endpoint does. */
static void
answer_unknown(struct world *w, const struct packet *p)
{
    uint8_t out[FOG_KCP_HEADER];
    size_t len = fog_kcp_unknown(p->bytes, p->len, 0, out, sizeof out);
    put_le32(out + 16, w->plan->side[FOG_SERVER].kcp.rcv_sn); /* where it would begin again */
    if (len)
        sim_link_send(&w->clients[p->from.ip[13]], 1, p->from.port - 1000u, out, len);
}

static void
nobody_there(struct client *c)
{
    c->lost_gen = c->gen;
    c->lost_at = c->host.w->now;
    if (c->t->pipe)
        sim_pipe_release(c->t->pipe, true);
}

void
sim_server_adopt(struct world *w, struct client *c)
{
    struct server *v = &w->server;
    if (v->down || v->host.deaf) { /* nobody listens */
        nobody_there(c);
        return;
    }
    struct fog_session_options o =
        sim_options(w, &v->host, FOG_SERVER, c->gen * 8u + (uint32_t)c->host.number);
    struct fog_alloc al = sim_alloc(&v->host.mem);
    struct fog_session *s;
    int rc = fog_session_new(&s, &o, &al, sim_clock(&v->host));
    if (rc) {
        if (rc != FOG_E_NOMEM || !v->host.mem.refuses)
            sim_fail(w, "a server session: %s", fog_err_name(rc));
        nobody_there(c);
        return;
    }
    struct tunnel *t = sim_tunnel_new(&v->host, s, c, c->gen);
    t->pipe = c->t->pipe;
    list_push(&v->tunnels, &t->all);
    sim_set(w, &v->host.wake, w->now);
}

static void
drop_lone(struct world *w, struct tunnel *t)
{
    struct fog_session *s = t->s;
    (void)w;
    sim_tunnel_free(t);
    fog_session_free(s);
}

static fog_time
lone_turn(struct world *w)
{
    struct server *v = &w->server;
    fog_time first = FOG_TIME_NEVER;
    for (struct list *l = v->tunnels.next, *next; l != &v->tunnels && !w->failed; l = next) {
        next = l->next;
        struct tunnel *t = list_entry(l, struct tunnel, all);
        fog_time at = sim_tunnel_turn(t);
        if (t->closed)
            drop_lone(w, t);
        else if (at < first)
            first = at;
    }
    return first;
}

/* ------------------------------------------------------------------------------------- the host */

static void
take_inbox(struct world *w)
{
    struct server *v = &w->server;
    for (struct packet *p; (p = sim_take(&v->host)); free(p)) {
        struct truth *t = truth_of(w, &p->from);
        t->in += p->len;
        if (p->seq & HEARD)
            t->proven = true;
        int rc = 0;
        if (v->e) {
            rc = fog_endpoint_input(v->e, &p->from, p->bytes, p->len, sim_clock(&v->host));
        } else if (w->plan->via == VIA_DIRECT) {
            struct client *c = &w->clients[p->from.ip[13]];
            struct tunnel *lone = find_lone(w, c, c->gen_of[p->seq & SEQ_MASK]);
            if (lone)
                rc = fog_session_input(lone->s, p->bytes, p->len, sim_clock(&v->host));
            else
                answer_unknown(w, p);
        }
        if (rc == FOG_E_USAGE)
            sim_fail(w, "input says USAGE");
    }
}

static void
run(struct actor *a, struct world *w)
{
    struct server *v = &w->server;
    struct host *h = &v->host;
    h->wakes++;
    if (w->now < h->off_until) {
        sim_set(w, a, h->off_until);
        return;
    }
    if (v->down) {
        v->down = h->deaf = false;
        sim_server_start(w);
    }
    take_inbox(w);
    fog_time at = v->e ? endpoint_turn(w) : lone_turn(w);
    if (w->now < h->app_off_until && at > h->app_off_until)
        at = h->app_off_until;
    if (h->wakes % 16 == 0)
        sim_check_memory(w, h);
    if (!h->wake.due.index || h->wake.due.at > at)
        sim_set(w, a, at);
}

void
sim_server_drain(struct world *w)
{
    struct server *v = &w->server;
    for (struct list *l = v->tunnels.next; l != &v->tunnels; l = l->next) {
        struct tunnel *t = list_entry(l, struct tunnel, all);
        if (t->gen > t->c->lost_gen)
            t->c->lost_gen = t->gen;
        t->drained = true;
        fog_session_shutdown(t->s, "drain", sim_clock(&v->host));
        if (v->e)
            fog_endpoint_touch(v->e, t->s, sim_clock(&v->host));
    }
    sim_set(w, &v->host.wake, w->now);
}

void
sim_server_start(struct world *w)
{
    struct server *v = &w->server;
    v->incarnation++;
    for (int i = 0; i < w->plan->clients; i++)
        memset(w->clients[i].truth, 0, sizeof w->clients[i].truth);
    memset(w->strangers, 0, sizeof w->strangers);
    for (int i = 0; i < w->plan->clients; i++) /* only now it can tell that it has forgotten */
        w->clients[i].lost_at = w->now;
    if (w->plan->via != VIA_ENDPOINT)
        return;
    struct fog_endpoint_options o;
    fog_endpoint_options_init(&o);
    o.session = sim_options(w, &v->host, FOG_SERVER, v->incarnation);
    struct rng master = {w->plan->seed}, r = rng_split(&master, 0xe0 + v->incarnation);
    for (size_t i = 0; i < sizeof o.key; i++)
        o.key[i] = (uint8_t)rng_next(&r);
    struct fog_alloc al = sim_alloc(&v->host.mem);
    bool refuses = v->host.mem.refuses;
    v->host.mem.refuses = false;
    int rc = fog_endpoint_new(&v->e, &o, &al, sim_clock(&v->host));
    v->host.mem.refuses = refuses;
    if (rc)
        sim_fail(w, "an endpoint: %s", fog_err_name(rc));
}

void
sim_server_init(struct world *w)
{
    sim_host_init(&w->server.host, w, "s", -1, run);
    list_init(&w->server.tunnels);
    sim_server_start(w);
}

void
sim_server_stop(struct world *w)
{
    struct server *v = &w->server;
    while (!list_is_empty(&v->tunnels)) {
        struct tunnel *t = list_entry(v->tunnels.next, struct tunnel, all);
        if (v->e)
            sim_tunnel_free(t);
        else
            drop_lone(w, t);
    }
    for (int i = 0; i < w->plan->clients; i++) { /* pending ones are lost as well */
        struct client *c = &w->clients[i];
        c->lost_gen = c->gen;
        c->lost_at = w->now;
    }
    fog_endpoint_free(v->e);
    v->e = NULL;
    v->down = true;
    for (struct packet *p; (p = sim_take(&v->host));)
        free(p);
    if (v->host.mem.blocks)
        sim_fail(w, "s: %llu blocks of a freed server remain",
                 (unsigned long long)v->host.mem.blocks);
}
