/* SPDX-License-Identifier: MIT */
#include "app/dial.h"

#include "io/log.h"

#include <assert.h>
#include <string.h>

struct dial {
    struct list link; /* dialler->active or ->waiting */
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
leave_list(struct dial *dial)
{
    struct dialler *d = dial->d;
    list_unlink(&dial->link);
    if (dial->active)
        d->n_active--;
    else
        d->n_waiting--;
    if (d->n_waiting)
        loop_later(&d->p->loop, &d->pump);
}

/** Parts the dial from its relay; the relay is closing or connected. */
static void
end_dial(struct dial *dial)
{
    struct process *p = dial->d->p;
    leave_list(dial);
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
on_connect(uv_connect_t *req, int status)
{
    struct relay *r = req->data;
    struct dial *dial = r->dial;
    if (!dial || r->closing)
        return;
    if (!status) {
        end_dial(dial);
        fog_session_connected(r->carrier->session, r->stream, process_now(r->p));
        r->carrier->touched(r->carrier);
        fogi_relay_start(r);
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

static void
dropped(struct relay *r)
{
    try_next(r->dial);
}

/** Begins with the next address, or closes the socket of the last one first. */
static void
try_next(struct dial *dial)
{
    struct relay *r = dial->r;
    if (r->has_tcp) {
        fogi_relay_drop(r, dropped);
        return;
    }
    if (dial->next == dial->n) {
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
    }
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
    fog_time a = oldest(&d->active), w = oldest(&d->waiting);
    fogi_alarm_set(&d->alarm, a < w ? a : w);
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
    list_init(&dial->link);
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
