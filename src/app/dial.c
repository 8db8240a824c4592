/* SPDX-License-Identifier: MIT */
#include "app/dial.h"

#include "app/rival.h"
#include "io/log.h"

#include <assert.h>
#include <string.h>
#include <unistd.h>

struct dial {
    struct list link; /* dialler->active or ->waiting */
    struct list slow; /* dialler->slow */
    struct list rivals;
    fog_time next_at; /* another address joins in */
    int won;          /* a rival's connection, to become the relay's; -1: none */
    struct dialler *d;
    struct relay *r;
    fog_time since;
    struct fog_addr addrs[RESOLVE_MAX];
    unsigned n, next;
    int err; /* of the address tried last */
    bool active;
};

static void try_next(struct dial *dial);

/* -------------------------------------------------------------------------------------- records */

static void
leave_lists(struct dial *dial)
{
    struct dialler *d = dial->d;
    list_unlink(&dial->slow);
    list_unlink(&dial->link);
    if (dial->active)
        d->n_active--;
    else
        d->n_waiting--;
    if (d->n_waiting)
        loop_later(&d->p->loop, &d->pump);
}

static void
close_rivals(struct dial *dial)
{
    while (!list_is_empty(&dial->rivals))
        fogi_rival_close(list_entry(dial->rivals.next, struct rival, link));
}

/** Parts the dial from its relay; the relay is closing or connected. */
static void
end_dial(struct dial *dial)
{
    struct process *p = dial->d->p;
    leave_lists(dial);
    close_rivals(dial);
    if (dial->won >= 0)
        close(dial->won);
    dial->r->dial = NULL;
    p->al.free(p->al.ctx, dial, sizeof *dial);
}

static void
undial(struct relay *r)
{
    end_dial(r->dial);
}

static void
refuse(struct dial *dial)
{
    struct relay *r = dial->r;
    dial->d->p->n.dials_failed++;
    fogi_relay_refuse(r); /* ends the dial through undial() */
}

/* ----------------------------------------------------------------------------------- connecting */

static void
connected(struct dial *dial)
{
    struct relay *r = dial->r;
    end_dial(dial);
    fog_session_connected(r->ride.carrier->session, r->ride.stream, process_now(r->p));
    rider_touch(&r->ride);
    fogi_relay_start(r);
}

static void
on_connect(uv_connect_t *req, int status)
{
    struct relay *r = req->data;
    struct dial *dial = r->dial;
    if (!dial || r->closing || dial->won >= 0)
        return;
    if (!status) {
        connected(dial);
        return;
    }
    dial->err = status;
    try_next(dial);
}

static void
give_up(struct dial *dial)
{
    struct target *t = &dial->d->target;
    fogi_target_doubt(t);
    LOG_LIMITED(LOG_AT_WARN, "cannot connect to %s:%u: %s", t->name.host, t->name.port,
                fogi_io_text(dial->err));
    refuse(dial);
}

/** The relay has no socket any more: it gets the rival's that has won, or tries the next address.
 */
static void
dropped(struct relay *r)
{
    struct dial *dial = r->dial;
    if (dial->won < 0) {
        try_next(dial);
        return;
    }
    int fd = dial->won, err = fogi_relay_open(r);
    dial->won = -1;
    if (!err)
        err = uv_tcp_open(&r->tcp, fd);
    if (!err) {
        connected(dial);
        return;
    }
    close(fd);
    dial->err = err;
    try_next(dial);
}

static void
on_rival(struct rival *v, int err)
{
    struct dial *dial = v->owner;
    int fd = err ? err : fogi_rival_take(v);
    fogi_rival_close(v);
    if (fd < 0) {
        dial->err = fd;
        if (!dial->r->has_tcp)
            try_next(dial);
        return;
    }
    dial->won = fd;
    close_rivals(dial);
    list_unlink(&dial->slow);
    if (dial->r->has_tcp)
        fogi_relay_drop(dial->r, dropped);
    else
        dropped(dial->r);
}

/** Another address joins in a quarter second from now, if there is one. */
static void
wait_for_next(struct dial *dial)
{
    struct dialler *d = dial->d;
    list_unlink(&dial->slow);
    if (dial->next == dial->n)
        return;
    dial->next_at = process_now(d->p) + DIAL_NEXT;
    list_push(&d->slow, &dial->slow);
    loop_later(&d->p->loop, &d->pump);
}

/** The relay's own attempt goes on meanwhile, so this one may fail without a word. */
static void
join_in(struct dial *dial)
{
    struct process *p = dial->d->p;
    if (loop_fd_free(&p->loop)) {
        struct rival *v = fogi_rival_new(p, &dial->addrs[dial->next++], dial, on_rival);
        if (v)
            list_push(&dial->rivals, &v->link);
    }
    wait_for_next(dial);
}

/** Begins with the next address, or closes the socket of the last one first. Where none is left,
 * the rivals decide. */
static void
try_next(struct dial *dial)
{
    struct relay *r = dial->r;
    if (r->has_tcp) {
        fogi_relay_drop(r, dropped);
        return;
    }
    if (dial->next == dial->n) {
        if (list_is_empty(&dial->rivals))
            give_up(dial);
        return;
    }
    int err = fogi_relay_open(r);
    if (!err) {
        r->req.connect.data = r;
        err = fogi_tcp_connect(&r->tcp, &r->req.connect, &dial->addrs[dial->next++], on_connect);
    } else {
        dial->next = dial->n;
    }
    if (err) {
        dial->err = err;
        try_next(dial);
        return;
    }
    wait_for_next(dial);
}

static void
begin(struct dial *dial)
{
    struct dialler *d = dial->d;
    list_unlink(&dial->link);
    d->n_waiting--;
    d->n_active++;
    dial->active = true;
    list_push(&d->active, &dial->link);
    memcpy(dial->addrs, d->target.addrs, sizeof dial->addrs);
    dial->n = d->target.n;
    try_next(dial);
}

/* -------------------------------------------------------------------------------- queue and time
 */

static fog_time
oldest(const struct list *l)
{
    if (list_is_empty(l))
        return FOG_TIME_NEVER;
    return list_entry(l->next, struct dial, link)->since + DIAL_TIME;
}

static fog_time
next_join(const struct dialler *d)
{
    if (list_is_empty(&d->slow))
        return FOG_TIME_NEVER;
    return list_entry(d->slow.next, struct dial, slow)->next_at;
}

static void
on_alarm(struct alarm *al)
{
    struct dialler *d = list_entry(al, struct dialler, alarm);
    fog_time now = fogi_loop_now(al->loop);
    struct list *lists[] = {&d->active, &d->waiting};
    for (size_t i = 0; i < 2; i++)
        while (oldest(lists[i]) <= now) {
            struct dial *dial = list_entry(lists[i]->next, struct dial, link);
            d->p->n.limit_dial_time_hit++;
            dial->err = UV_ETIMEDOUT;
            give_up(dial);
        }
    while (next_join(d) <= now)
        join_in(list_entry(d->slow.next, struct dial, slow));
    loop_later(&d->p->loop, &d->pump);
}

static void
pump(struct pump *pump)
{
    struct dialler *d = list_entry(pump, struct dialler, pump);
    while (d->n_waiting && d->n_active < DIALS_MAX && d->target.n) {
        if (!loop_fd_free(&d->p->loop)) {
            fogi_loop_fd_wait(&d->p->loop, &d->pump);
            break;
        }
        begin(list_entry(d->waiting.next, struct dial, link));
    }
    fog_time a = oldest(&d->active), w = oldest(&d->waiting), j = next_join(d);
    fog_time end = a < w ? a : w;
    fogi_alarm_set(&d->alarm, end < j ? end : j);
}

static void
known(void *ctx, int err)
{
    struct dialler *d = ctx;
    while (err && !d->target.n && d->n_waiting) {
        struct dial *dial = list_entry(d->waiting.next, struct dial, link);
        refuse(dial); /* nobody knows where to connect to */
    }
    loop_later(&d->p->loop, &d->pump);
}

void
fogi_dial(struct dialler *d, struct relay *r)
{
    struct process *p = d->p;
    struct dial *dial = NULL;
    p->n.dials++;
    if (d->n_waiting >= DIAL_QUEUE_MAX)
        p->n.limit_dial_queue_hit++;
    else
        dial = p->al.alloc(p->al.ctx, sizeof *dial);
    if (!dial) {
        p->n.dials_failed++;
        fogi_relay_refuse(r);
        return;
    }
    memset(dial, 0, sizeof *dial);
    dial->d = d;
    dial->r = r;
    dial->since = process_now(p);
    r->dial = dial;
    r->undial = undial;
    dial->won = -1;
    list_init(&dial->link);
    list_init(&dial->slow);
    list_init(&dial->rivals);
    list_push(&d->waiting, &dial->link);
    d->n_waiting++;
    if (d->n_active >= DIALS_MAX)
        p->n.limit_dials_hit++;
    fogi_target_use(&d->target);
    loop_later(&p->loop, &d->pump);
}

void
fogi_dialler_init(struct dialler *d, struct process *p)
{
    *d = (struct dialler){.p = p};
    list_init(&d->active);
    list_init(&d->waiting);
    list_init(&d->slow);
    pump_init(&d->pump, pump);
    fogi_alarm_init(&d->alarm, &p->loop, on_alarm);
    fogi_target_init(&d->target, p, &p->conf.remote, known, d);
}

void
fogi_dialler_set(struct dialler *d, const struct hostport *target)
{
    fogi_target_set(&d->target, target);
}

void
fogi_dialler_deinit(struct dialler *d)
{
    assert(!d->n_active && !d->n_waiting && "all relays are gone");
    fogi_target_deinit(&d->target);
    pump_cancel(&d->pump);
    fogi_alarm_close(&d->alarm, NULL);
}
