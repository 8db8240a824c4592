/* SPDX-License-Identifier: MIT */
#include "app/reach.h"

#include "app/channel_tcp.h"
#include "io/log.h"
#include "io/resolve.h"
#include "io/udp.h"

#include <assert.h>
#include <string.h>

#define OWN_FRESH FOG_SEC(60) /* our own addresses are asked for again after this */

struct attempt {
    struct reach *a;
    struct channel *c; /* NULL: over, or not begun */
};

struct reach {
    struct list link; /* reacher->active or ->waiting; in neither once it is over */
    struct reacher *r;
    struct dest dest;
    reach_fn done;
    void *ctx;
    fog_time since;
    struct resolve *looking;
    struct fog_addr addrs[RESOLVE_MAX];
    unsigned n, next, open;
    struct attempt attempts[RESOLVE_MAX];
    enum socks_rep rep; /* the best known reason for a failure */
    const char *why;
    struct alarm alarm;
    bool active;
};

static void try_next(struct reach *a);

/* --------------------------------------------------------------------------------------- answers
 */

enum socks_rep
fogi_reach_rep(int err)
{
    switch (err) {
    case UV_ECONNREFUSED:
        return SOCKS_REFUSED;
    case UV_ENETUNREACH:
    case UV_ENETDOWN:
    case UV_EAFNOSUPPORT:
    case UV_EADDRNOTAVAIL:
        return SOCKS_NET_UNREACHABLE;
    case UV_EHOSTUNREACH:
        return SOCKS_HOST_UNREACHABLE;
    case UV_ETIMEDOUT:
        return SOCKS_TIMEOUT;
    default:
        return SOCKS_GENERAL;
    }
}

/** What says more about the far side wins. */
static unsigned
rank(enum socks_rep rep)
{
    static const enum socks_rep order[] = {SOCKS_GENERAL,          SOCKS_NET_UNREACHABLE,
                                           SOCKS_HOST_UNREACHABLE, SOCKS_TIMEOUT,
                                           SOCKS_DENIED,           SOCKS_REFUSED};
    unsigned i = 0;
    while (i < sizeof order / sizeof *order && order[i] != rep)
        i++;
    return i;
}

static void
failed(struct reach *a, enum socks_rep rep, const char *why)
{
    if (a->why && rank(rep) < rank(a->rep))
        return;
    a->rep = rep;
    a->why = why;
}

static void
on_gone(struct alarm *alarm)
{
    struct reach *a = list_entry(alarm, struct reach, alarm);
    struct fog_alloc *al = &a->r->p->al;
    al->free(al->ctx, a, sizeof *a);
}

/** Ends everything the ask has begun; its memory goes with the alarm. */
static void
leave(struct reach *a)
{
    struct reacher *r = a->r;
    if (a->active)
        r->n_active--;
    else
        r->n_waiting--;
    list_unlink(&a->link);
    fogi_resolve_forget(a->looking);
    for (unsigned i = 0; i < a->n; i++)
        fogi_channel_reset(a->attempts[i].c);
    fogi_alarm_close(&a->alarm, on_gone);
    if (r->n_waiting)
        loop_later(&r->p->loop, &r->pump);
}

static void
answer(struct reach *a, struct channel *c, enum socks_rep rep, const char *why)
{
    reach_fn done = a->done;
    void *ctx = a->ctx;
    if (rep != SOCKS_OK)
        a->r->p->n.dials_failed++;
    leave(a);
    done(ctx, c, rep, why);
}

static void
give_up(struct reach *a)
{
    answer(a, NULL, a->why ? a->rep : SOCKS_GENERAL, a->why ? a->why : "no address to connect to");
}

/* --------------------------------------------------------------------------------------- dialling
 */

static void
on_connect(void *ctx, int err)
{
    struct attempt *t = ctx;
    struct reach *a = t->a;
    struct channel *c = t->c;
    t->c = NULL;
    a->open--;
    if (!err) {
        answer(a, c, SOCKS_OK, NULL);
        return;
    }
    fogi_channel_reset(c);
    failed(a, fogi_reach_rep(err), fogi_io_text(err));
    try_next(a);
}

static void
set_alarm(struct reach *a)
{
    fog_time end = a->since + REACH_TIME, next = process_now(a->r->p) + REACH_NEXT;
    fogi_alarm_set(&a->alarm, a->active && a->next < a->n && next < end ? next : end);
}

/** Begins with the next address that can be dialled at all; gives up when none is left. */
static void
try_next(struct reach *a)
{
    struct process *p = a->r->p;
    while (a->next < a->n) {
        unsigned i = a->next++;
        if (a->open && !loop_fd_free(&p->loop))
            continue; /* one is enough when descriptors are scarce */
        a->attempts[i].a = a;
        int err = fogi_channel_tcp_connect(&a->attempts[i].c, p, &a->addrs[i], on_connect,
                                           &a->attempts[i]);
        if (!err) {
            a->open++;
            set_alarm(a);
            return;
        }
        a->attempts[i].c = NULL;
        failed(a, fogi_reach_rep(err), fogi_io_text(err));
    }
    if (a->open)
        set_alarm(a);
    else
        give_up(a);
}

static void
on_alarm(struct alarm *alarm)
{
    struct reach *a = list_entry(alarm, struct reach, alarm);
    struct process *p = a->r->p;
    if (process_now(p) < a->since + REACH_TIME) {
        try_next(a);
        return;
    }
    p->n.limit_dial_time_hit++;
    failed(a, SOCKS_TIMEOUT,
           a->looking ? "the name was not resolved in time" : "no answer in time");
    give_up(a);
}

/* ----------------------------------------------------------------------------------------- policy
 */

/** Our addresses come and go with links: asked for again once a minute, where somebody dials. Where
 *  they cannot be read, as in a sandbox without netlink, each address is tried by itself. */
static void
know_ourselves(struct reacher *r)
{
    uv_interface_address_t *all;
    int n;
    fog_time now = process_now(r->p);
    if (now - r->own_since < OWN_FRESH)
        return;
    int err = uv_interface_addresses(&all, &n);
    r->own_since = now;
    r->blind = err != 0;
    if (err) {
        LOG_LIMITED(LOG_AT_WARN, "this machine's addresses cannot be read: %s; each is tried",
                    fogi_io_text(err));
        return;
    }
    fogi_policy_forget_own(r->policy);
    for (int i = 0; i < n; i++) {
        struct dest d;
        struct fog_addr a;
        union sockaddr_any sa;
        memcpy(&sa.v6, &all[i].address.address6, sizeof sa.v6);
        fogi_addr_from_system(&a, &sa.sa);
        memset(&d, 0, sizeof d);
        d.kind = fogi_addr_is_v4(&a) ? DEST_IP4 : DEST_IP6;
        memcpy(d.ip, fogi_addr_is_v4(&a) ? a.ip + 12 : a.ip, fogi_addr_is_v4(&a) ? 4 : 16);
        fogi_policy_own(r->policy, &d);
    }
    uv_free_interface_addresses(all, n);
}

/** What the policy allows, where nobody could tell it our addresses. What cannot be found out is
 *  refused. */
static enum policy_verdict
check_blindly(struct policy *p, const struct dest *d, const struct fog_addr *to)
{
    int own = fogi_udp_is_own(to);
    if (own < 0)
        LOG_LIMITED(LOG_AT_WARN, "refused: whether it is this machine cannot be found out: %s",
                    fogi_io_text(own));
    if (!own)
        return POLICY_ALLOWED;
    fogi_policy_forget_own(p); /* of those that were tried before */
    fogi_policy_own(p, d);
    return own < 0 ? POLICY_DENIED_OWN : fogi_policy_check(p, d);
}

static bool
may_dial(struct reach *a, const struct fog_addr *to)
{
    struct dest d;
    bool v4 = fogi_addr_is_v4(to);
    if (!a->r->policy)
        return true;
    memset(&d, 0, sizeof d);
    d.kind = v4 ? DEST_IP4 : DEST_IP6;
    d.port = to->port;
    memcpy(d.ip, v4 ? to->ip + 12 : to->ip, v4 ? 4 : 16);
    enum policy_verdict v = fogi_policy_check(a->r->policy, &d);
    if (v == POLICY_ALLOWED && a->r->blind)
        v = check_blindly(a->r->policy, &d, to);
    if (v == POLICY_ALLOWED)
        return true;
    a->r->p->n.dials_denied++;
    failed(a, SOCKS_DENIED, fogi_policy_text(v));
    return false;
}

void
fogi_reach_order(struct fog_addr *addrs, unsigned n)
{
    for (unsigned i = 1; i < n; i++) {
        unsigned j = i;
        bool want_v4 = !fogi_addr_is_v4(&addrs[i - 1]);
        while (j < n && fogi_addr_is_v4(&addrs[j]) != want_v4)
            j++;
        if (j == n)
            return; /* one family is left */
        struct fog_addr next = addrs[j];
        memmove(&addrs[i + 1], &addrs[i], (j - i) * sizeof *addrs);
        addrs[i] = next;
    }
}

static void
take_addresses(struct reach *a, const struct fog_addr *addrs, unsigned n)
{
    if (a->r->policy)
        know_ourselves(a->r);
    for (unsigned i = 0; i < n && a->n < RESOLVE_MAX; i++)
        if (may_dial(a, &addrs[i]))
            a->addrs[a->n++] = addrs[i];
    fogi_reach_order(a->addrs, a->n);
    try_next(a);
}

/* ------------------------------------------------------------------------------------------ names
 */

static void
on_answer(void *ctx, int err, const struct fog_addr *addrs, unsigned n)
{
    struct reach *a = ctx;
    a->looking = NULL;
    if (!err) {
        take_addresses(a, addrs, n);
        return;
    }
    a->r->p->n.lookups_failed++;
    answer(a, NULL, SOCKS_HOST_UNREACHABLE, fogi_io_text(err));
}

static void
begin(struct reach *a)
{
    struct reacher *r = a->r;
    const struct dest *d = &a->dest;
    struct fog_addr addr = {.port = d->port};
    list_unlink(&a->link);
    list_push(&r->active, &a->link);
    r->n_waiting--;
    r->n_active++;
    a->active = true;
    if (d->kind == DEST_NAME) {
        r->p->n.lookups++;
        int err = fogi_resolve(&a->looking, &r->p->loop, d->name, d->port, on_answer, a);
        if (err) {
            a->looking = NULL;
            answer(a, NULL, SOCKS_GENERAL, fogi_io_text(err));
        }
        return;
    }
    memcpy(addr.ip, d->ip, 16);
    if (d->kind == DEST_IP4) {
        memset(addr.ip, 0, 10);
        addr.ip[10] = addr.ip[11] = 0xff;
        memcpy(addr.ip + 12, d->ip, 4);
    }
    take_addresses(a, &addr, 1);
}

static void
pump(struct pump *pump)
{
    struct reacher *r = list_entry(pump, struct reacher, pump);
    while (r->n_waiting && r->n_active < REACHES_MAX) {
        if (!loop_fd_free(&r->p->loop)) {
            fogi_loop_fd_wait(&r->p->loop, &r->pump);
            return;
        }
        begin(list_entry(r->waiting.next, struct reach, link));
    }
}

/* ------------------------------------------------------------------------------ coming and going
 */

int
fogi_reach(struct reach **out, struct reacher *r, const struct dest *d, reach_fn done, void *ctx)
{
    struct process *p = r->p;
    p->n.dials++;
    if (r->n_waiting >= REACH_QUEUE_MAX) {
        p->n.limit_dial_queue_hit++;
        return FOG_E_LIMIT;
    }
    struct reach *a = p->al.alloc(p->al.ctx, sizeof *a);
    if (!a)
        return FOG_E_NOMEM;
    memset(a, 0, sizeof *a);
    a->r = r;
    a->dest = *d;
    a->done = done;
    a->ctx = ctx;
    a->since = process_now(p);
    list_init(&a->link);
    list_push(&r->waiting, &a->link);
    r->n_waiting++;
    fogi_alarm_init(&a->alarm, &p->loop, on_alarm);
    fogi_alarm_set(&a->alarm, a->since + REACH_TIME);
    if (r->n_active >= REACHES_MAX)
        p->n.limit_dials_hit++;
    loop_later(&p->loop, &r->pump);
    *out = a;
    return 0;
}

void
fogi_reach_forget(struct reach *a)
{
    if (a)
        leave(a);
}

void
fogi_reacher_set(struct reacher *r, struct policy *policy)
{
    r->policy = policy;
    r->own_since = -OWN_FRESH;
    r->blind = false;
}

void
fogi_reacher_init(struct reacher *r, struct process *p, struct policy *policy)
{
    *r = (struct reacher){.p = p};
    fogi_reacher_set(r, policy);
    list_init(&r->active);
    list_init(&r->waiting);
    pump_init(&r->pump, pump);
}

void
fogi_reacher_deinit(struct reacher *r)
{
    assert(!r->n_active && !r->n_waiting && "who asked has forgotten it");
    pump_cancel(&r->pump);
}
