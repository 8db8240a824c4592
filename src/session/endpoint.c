/* SPDX-License-Identifier: MIT
 *
 * endpoint.c - many sessions behind one datagram socket. Decides who gets a session and whose turn
 * it is; refuses to know what the sessions say.
 *
 * A stranger's datagram costs nothing but the look-up, unless it opens a session. A session is
 * pending until its peer has echoed a stamp: it may send 3x what it received (the ARQ sees to
 * that), tells the application nothing, and a random pending one makes room when there are too
 * many. An opening from the address of a session that has long been silent starts a successor
 * beside it, which takes its place once validated: its peer restarted on the same port (K20).
 *
 * Invariant: a peer with anything to do stands in `dirty` (output) or `talking` (events) or has its
 * deadline in the heap; nobody is ever scanned for work.
 */
#include "session/session_int.h"

#include "base/heap.h"
#include "base/list.h"
#include "base/rng.h"
#include "link/admit.h"
#include "link/table.h"

#include <assert.h>
#include <string.h>

#define UNKNOWN_QUEUE 32   /* answers to strangers that may wait; more are not given     */
#define UNKNOWN_PER_S 1000 /* answers to strangers in a second                           */

struct peer {
    struct link link;
    struct fog_session *session;
    struct heap_node timer;
    struct list all, dirty, talking;
    struct peer *elder, *successor; /* the same address: who leaves, who comes                  */
    fog_time opened;
    uint32_t pending_at; /* place in endpoint.pending                                           */
    bool listed;         /* in the table of links                                               */
    bool pending;        /* not validated                                                       */
    bool dropped;        /* the application is done with it: freed when its output is           */
};

struct unknown {
    struct fog_addr to;
    uint8_t buf[FOG_KCP_HEADER];
    bool told; /* the proof has left, what ends a vproxy follows */
};

struct fog_endpoint {
    struct mem mem;
    struct fog_endpoint_options o;
    struct link_table links;
    struct admit admit;
    struct heap timers;
    struct list all, dirty, talking;
    struct peer **pending; /* limits.pending of them                                           */
    uint32_t n_pending, n_live;
    struct rng rng;
    bool accept;
    struct bucket unknown_rate;
    struct unknown unknown[UNKNOWN_QUEUE];
    uint32_t n_unknown;
    struct fog_endpoint_counters n;
};

void
fog_endpoint_options_init(struct fog_endpoint_options *o)
{
    *o = (struct fog_endpoint_options){
        .limits = {.sessions = 1024,
                   .per_source = 64,
                   .stale_us = FOG_SEC(35),
                   .pending = 256,
                   .pending_per_net = 8,
                   .openings = {.burst = 5, .per_s = 20},
                   .pending_us = FOG_SEC(5),
                   .replace_us = FOG_SEC(35)},
    };
    fog_session_options_init(&o->session, FOG_SERVER);
}

static bool
options_are_valid(const struct fog_endpoint_options *o)
{
    const struct fog_endpoint_limits *l = &o->limits;
    return o->session.via == FOG_VIA_KCP && o->session.mux.role == FOG_SERVER && l->sessions > 0 &&
           l->per_source > 0 && l->pending > 0 && l->pending_per_net > 0 && l->openings.burst > 0 &&
           l->pending_us > 0 && l->replace_us > 0 && l->stale_us > 0;
}

int
fog_endpoint_new(struct fog_endpoint **out, const struct fog_endpoint_options *o,
                 const struct fog_alloc *al, fog_time now)
{
    if (!options_are_valid(o))
        return FOG_E_USAGE;
    struct mem mem;
    mem_init(&mem, al);
    struct fog_endpoint *e = mem_get(&mem, sizeof *e);
    if (!e)
        return FOG_E_NOMEM;
    *e = (struct fog_endpoint){.mem = mem, .o = *o, .accept = true};
    list_init(&e->all);
    list_init(&e->dirty);
    list_init(&e->talking);
    memcpy(&e->rng.state, o->key, sizeof e->rng.state);
    fogi_link_table_init(&e->links, o->key);
    fogi_admit_init(&e->admit, o->limits.openings.burst, o->limits.openings.per_s, o->key, now);
    bucket_init(&e->unknown_rate, UNKNOWN_PER_S, UNKNOWN_PER_S, now);
    e->pending = mem_get(&e->mem, o->limits.pending * sizeof(struct peer *));
    if (!e->pending) {
        fog_endpoint_free(e);
        return FOG_E_NOMEM;
    }
    *out = e;
    return 0;
}

/* ---------------------------------------------------------------------------- peers come and go */

static void
unpend(struct fog_endpoint *e, struct peer *p)
{
    if (!p->pending)
        return;
    p->pending = false;
    struct peer *last = e->pending[--e->n_pending];
    e->pending[p->pending_at] = last;
    last->pending_at = p->pending_at;
}

/* Forgets a peer at once, whatever it still had to say. */
static void
free_peer(struct fog_endpoint *e, struct peer *p)
{
    if (p->successor)
        free_peer(e, p->successor);
    fogi_admit_leave(&e->admit, &e->mem, &p->link.addr, p->pending);
    if (p->pending)
        unpend(e, p);
    else
        e->n_live--;
    if (p->elder)
        p->elder->successor = NULL;
    if (p->listed)
        fogi_link_remove(&e->links, &p->link);
    fogi_heap_set(&e->timers, &p->timer, FOG_TIME_NEVER);
    list_unlink(&p->all);
    list_unlink(&p->dirty);
    list_unlink(&p->talking);
    fog_session_free(p->session);
    mem_put(&e->mem, p, sizeof *p);
}

void
fog_endpoint_free(struct fog_endpoint *e)
{
    if (!e)
        return;
    while (!list_is_empty(&e->all)) {
        struct peer *p = list_entry(e->all.next, struct peer, all);
        free_peer(e, p->elder ? p->elder : p);
    }
    fogi_link_table_clear(&e->links, &e->mem);
    fogi_admit_clear(&e->admit, &e->mem);
    fogi_heap_clear(&e->timers, &e->mem);
    mem_put(&e->mem, e->pending, e->o.limits.pending * sizeof(struct peer *));
    struct mem mem = e->mem;
    mem_put(&mem, e, sizeof *e);
}

/* Puts p where its work is: output, events, deadline. */
static void
schedule(struct fog_endpoint *e, struct peer *p)
{
    if (!list_is_linked(&p->dirty))
        list_push(&e->dirty, &p->dirty);
    if (!list_is_linked(&p->talking))
        list_push(&e->talking, &p->talking);
}

static void
set_timer(struct fog_endpoint *e, struct peer *p)
{
    fog_time at = fog_session_deadline(p->session, NULL);
    if (p->pending && p->opened + e->o.limits.pending_us < at)
        at = p->opened + e->o.limits.pending_us;
    fogi_heap_set(&e->timers, &p->timer, at);
}

static int
make_session(struct fog_endpoint *e, struct peer *p, fog_time now)
{
    struct fog_session_options o = e->o.session;
    o.kcp.ts_base = (uint32_t)rng_next(&e->rng);
    o.mux.seed = rng_next(&e->rng);
    int rc = fog_session_new(&p->session, &o, &e->mem.al, now);
    if (rc == 0)
        fogi_session_set_owner(p->session, p);
    return rc;
}

/* A session of this source that has been silent so long that it is most likely gone; NULL: none. */
static struct peer *
stalest_of_source(const struct fog_endpoint *e, const struct fog_addr *from, fog_time now)
{
    struct peer *stalest = NULL;
    fog_time silent_since = now - e->o.limits.stale_us;
    for (struct list *l = e->all.next; l != &e->all; l = l->next) {
        struct peer *p = list_entry(l, struct peer, all);
        if (p->pending || p->dropped || memcmp(p->link.addr.ip, from->ip, sizeof from->ip) != 0)
            continue;
        fog_time last = fogi_session_last_input(p->session);
        if (last <= silent_since) {
            silent_since = last;
            stalest = p;
        }
    }
    return stalest;
}

/* May this address have another session? Makes room where that is the answer. */
static bool
admit(struct fog_endpoint *e, const struct fog_addr *from, fog_time now)
{
    const struct fog_endpoint_limits *l = &e->o.limits;
    if (!fogi_admit_opening(&e->admit, from, now)) {
        e->n.limit_openings_hit++;
        return false;
    }
    bool full = e->n_live + e->n_pending >= l->sessions; /* if all who knock are let in */
    e->n.limit_sessions_hit += full;
    if (e->n_live >= l->sessions)
        return false;
    if (fogi_admit_of_source(&e->admit, from) >= l->per_source) {
        struct peer *stale = stalest_of_source(e, from, now);
        e->n.limit_per_source_hit++;
        if (stale) { /* its place is free once the application has let go of it */
            fogi_session_fail(stale->session, FOG_E_DEAD);
            schedule(e, stale);
        }
        return false;
    }
    if (fogi_admit_of_net(&e->admit, from) >= l->pending_per_net) {
        e->n.limit_pending_per_net_hit++;
        return false;
    }
    e->n.limit_pending_hit += e->n_pending >= l->pending;
    if (full || e->n_pending >= l->pending)
        free_peer(e, e->pending[rng_below(&e->rng, e->n_pending)]);
    return true;
}

/* Gives the address a pending session: a new link, or the successor of `elder`. */
static struct peer *
open_peer(struct fog_endpoint *e, const struct fog_addr *from, struct peer *elder, fog_time now)
{
    struct peer *p = mem_get(&e->mem, sizeof *p);
    if (!p) {
        e->n.limit_memory_hit++;
        return NULL;
    }
    *p = (struct peer){.link.addr = *from, .elder = elder, .opened = now, .pending = true};
    list_init(&p->all);
    list_init(&p->dirty);
    list_init(&p->talking);
    if (!fogi_heap_room(&e->timers, &e->mem, e->n_live + e->n_pending + 1) ||
        make_session(e, p, now) != 0)
        goto fail;
    if (!fogi_admit_enter(&e->admit, &e->mem, from))
        goto fail;
    if (!elder && !fogi_link_add(&e->links, &e->mem, &p->link, from)) {
        fogi_admit_leave(&e->admit, &e->mem, from, true);
        goto fail;
    }
    p->listed = !elder;
    if (elder)
        elder->successor = p;
    list_push(&e->all, &p->all);
    p->pending_at = e->n_pending;
    e->pending[e->n_pending++] = p;
    e->n.opened++;
    return p;
fail:
    fog_session_free(p->session);
    mem_put(&e->mem, p, sizeof *p);
    e->n.limit_memory_hit++;
    return NULL;
}

/* The peer has echoed a stamp. A successor takes its elder's place in the table. */
static void
become_live(struct fog_endpoint *e, struct peer *p)
{
    unpend(e, p);
    fogi_admit_validated(&e->admit, &e->mem, &p->link.addr);
    e->n_live++;
    e->n.validated++;
    struct peer *elder = p->elder;
    if (!elder)
        return;
    fogi_link_remove(&e->links, &elder->link);
    elder->listed = false;
    elder->successor = NULL;
    p->elder = NULL;
    p->listed = fogi_link_add(&e->links, &e->mem, &p->link, &elder->link.addr);
    assert(p->listed && "a table that just lost an entry does not grow");
    e->n.replaced++;
    fogi_session_fail(elder->session, FOG_E_RESTARTED);
    schedule(e, elder);
}

/* ------------------------------------------------------------------------------------ five verbs
 */

static void
answer_stranger(struct fog_endpoint *e, const struct fog_addr *from, const void *buf, size_t len,
                fog_time now)
{
    e->n.strangers++;
    if (e->n_unknown >= UNKNOWN_QUEUE || !bucket_take(&e->unknown_rate, 1, now))
        return;
    struct unknown *u = &e->unknown[e->n_unknown];
    uint32_t conv = e->o.session.kcp.conv;
    if (!fog_kcp_unknown(buf, len, conv, u->buf, sizeof u->buf))
        return;
    u->told = false;
    u->to = *from;
    e->n_unknown++;
}

static int
hand_over(struct fog_endpoint *e, struct peer *p, const void *buf, size_t len, fog_time now)
{
    int rc = fog_session_input(p->session, buf, len, now);
    if (rc)
        e->n.bad++;
    if (p->pending && fogi_session_is_validated(p->session))
        become_live(e, p);
    schedule(e, p);
    return rc;
}

/* Whether a live session has been silent so long that its peer may have started anew behind the
 * same port (K20). */
static bool
is_silent(const struct fog_endpoint *e, const struct peer *p, fog_time now)
{
    return !p->pending && now - fogi_session_last_input(p->session) > e->o.limits.replace_us;
}

int
fog_endpoint_input(struct fog_endpoint *e, const struct fog_addr *from, const void *buf, size_t len,
                   fog_time now)
{
    e->n.datagrams_in++;
    e->n.bytes_in += len;
    struct link *l = fogi_link_find(&e->links, from);
    struct peer *p = l ? list_entry(l, struct peer, link) : NULL;
    bool opening = (!p || p->successor || is_silent(e, p, now)) &&
                   fog_kcp_is_opening(buf, len, e->o.session.kcp.conv);
    if (!p && !opening) {
        answer_stranger(e, from, buf, len, now);
        return FOG_E_STRANGER;
    }
    if (p && !p->successor && opening && e->accept) {
        if (!admit(e, from, now))
            return FOG_E_LIMIT;
        if (!open_peer(e, from, p, now))
            return FOG_E_NOMEM;
    }
    if (p && p->successor) { /* an opening is the successor's alone, the rest is tried on both */
        struct peer *next = p->successor;
        int rc = hand_over(e, next, buf, len, now);
        if (opening || !next->pending)
            return rc;
    }
    if (!p) {
        if (!e->accept || !admit(e, from, now))
            return FOG_E_LIMIT;
        p = open_peer(e, from, NULL, now);
        if (!p)
            return FOG_E_NOMEM;
    }
    return hand_over(e, p, buf, len, now);
}

/** Two datagrams for each: the proof for foggara, then the end for vproxy. */
static void
say_unknown(struct fog_endpoint *e, struct fog_addr *to, uint8_t *out)
{
    struct unknown *u = &e->unknown[e->n_unknown - 1];
    *to = u->to;
    memcpy(out, u->buf, sizeof u->buf);
    if (u->told) {
        e->n_unknown--;
        return;
    }
    e->n.unknown_out++;
    u->told = true;
    fog_kcp_end_vproxy(e->o.session.kcp.conv, u->buf);
}

int
fog_endpoint_output(struct fog_endpoint *e, struct fog_addr *to, void *buf, size_t cap, size_t *len,
                    fog_time now)
{
    *len = 0;
    if (e->n_unknown > 0 && cap >= FOG_KCP_HEADER) {
        say_unknown(e, to, buf);
        *len = FOG_KCP_HEADER;
    }
    while (*len == 0 && !list_is_empty(&e->dirty)) {
        struct peer *p = list_entry(e->dirty.next, struct peer, dirty);
        int rc = fog_session_output(p->session, buf, cap, len, now);
        if (rc)
            return rc;
        *to = p->link.addr;
        if (*len > 0)
            break;
        list_unlink(&p->dirty);
        if (p->dropped && fogi_session_is_over(p->session)) {
            free_peer(e, p);
            continue;
        }
        set_timer(e, p); /* a last word may have to wait for the pacer */
        if (!list_is_linked(&p->talking))
            list_push(&e->talking, &p->talking); /* what was sent has made room for writers */
    }
    if (*len > 0) {
        e->n.datagrams_out++;
        e->n.bytes_out += *len;
    }
    return 0;
}

fog_time
fog_endpoint_deadline(const struct fog_endpoint *e, enum fog_why *why)
{
    struct heap_node *first = heap_first(&e->timers);
    if (why)
        *why = FOG_WHY_NEVER;
    if (!first)
        return FOG_TIME_NEVER;
    const struct peer *p = list_entry(first, struct peer, timer);
    if (why && fog_session_deadline(p->session, why) != first->at)
        *why = FOG_WHY_HANDSHAKE;
    return first->at;
}

void
fog_endpoint_tick(struct fog_endpoint *e, fog_time now)
{
    struct heap_node *first;
    while ((first = heap_first(&e->timers)) && first->at <= now) {
        struct peer *p = list_entry(first, struct peer, timer);
        if (p->pending && now - p->opened >= e->o.limits.pending_us) {
            e->n.limit_pending_time_hit++;
            free_peer(e, p);
            continue;
        }
        fogi_heap_set(&e->timers, &p->timer, FOG_TIME_NEVER); /* set anew after its output */
        fog_session_tick(p->session, now);
        schedule(e, p);
    }
}

bool
fog_endpoint_event(struct fog_endpoint *e, struct fog_session **s, struct fog_event *ev)
{
    while (!list_is_empty(&e->talking)) {
        struct peer *p = list_entry(e->talking.next, struct peer, talking);
        if (p->pending) { /* nobody knows it yet: only its end matters */
            list_unlink(&p->talking);
            if (!fogi_session_is_open(p->session))
                p->dropped = true;
            continue;
        }
        if (!p->dropped && fog_session_event(p->session, ev)) {
            *s = p->session;
            return true;
        }
        list_unlink(&p->talking);
    }
    return false;
}

void
fog_endpoint_touch(struct fog_endpoint *e, struct fog_session *s, fog_time now)
{
    (void)now;
    schedule(e, fogi_session_owner(s));
}

void
fog_endpoint_drop(struct fog_endpoint *e, struct fog_session *s, fog_time now)
{
    struct peer *p = fogi_session_owner(s);
    fog_session_shutdown(s, "dropped", now);
    p->dropped = true;
    e->n.dropped++;
    schedule(e, p);
}

/* ---------------------------------------------------------------------------------------- status
 */

void
fog_endpoint_accept(struct fog_endpoint *e, bool accept)
{
    e->accept = accept;
}

int
fog_endpoint_set_rates(struct fog_endpoint *e, uint64_t rate, uint64_t down, fog_time now)
{
    struct fog_kcp_options *kcp = &e->o.session.kcp;
    if (rate > 0 && (rate < FOG_RATE_MIN || rate > FOG_RATE_MAX))
        return FOG_E_USAGE;
    e->o.session.down = down;
    if (kcp->cc != FOG_CC_CLASSIC) {
        kcp->cc = rate ? FOG_CC_RATE : FOG_CC_MODEL;
        kcp->rate = rate;
    }
    for (struct list *l = e->all.next; l != &e->all; l = l->next) {
        struct peer *p = list_entry(l, struct peer, all);
        fog_session_set_rate(p->session, rate, now);
        schedule(e, p);
    }
    return FOG_OK;
}

void
fog_endpoint_peer(const struct fog_endpoint *e, const struct fog_session *s, struct fog_addr *addr)
{
    (void)e;
    const struct peer *p = fogi_session_owner(s);
    *addr = p->link.addr;
}

struct fog_session *
fog_endpoint_next(const struct fog_endpoint *e, struct fog_session *s)
{
    const struct peer *last = s ? fogi_session_owner(s) : NULL;
    for (struct list *l = last ? last->all.next : e->all.next; l != &e->all; l = l->next) {
        const struct peer *p = list_entry(l, struct peer, all);
        if (!p->pending && !p->dropped)
            return p->session;
    }
    return NULL;
}

void
fog_endpoint_status(const struct fog_endpoint *e, struct fog_endpoint_status *st)
{
    *st = (struct fog_endpoint_status){.sessions = e->n_live, .pending = e->n_pending, .n = e->n};
}
