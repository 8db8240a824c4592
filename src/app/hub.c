/* SPDX-License-Identifier: MIT */
#include "app/hub.h"

#include "app/locals.h"
#include "app/stats.h"
#include "io/log.h"

#include <assert.h>
#include <string.h>

#define FULL_RETRY FOG_MS(100) /* a full socket says when it is free; this is only in case */

struct hub {
    struct process *p;
    struct fog_endpoint *endpoint;
    struct udp udp;
    struct alarm alarm;
    struct pump pump;
    struct locals locals;
    struct list sessions;
    hub_opened_fn opened;
    void *owner;
    uint32_t n_sessions;
    int handles;
    bool closing, accept;
};

/** What we keep of one validated session. */
struct hub_session {
    struct carrier carrier;
    struct list link;
    struct hub *h;
    struct fog_addr peer;
};

/* ---------------------------------------------------------------------------------------- events
 */

static void
touched(struct carrier *c)
{
    struct hub_session *hs = list_entry(c, struct hub_session, carrier);
    fog_endpoint_touch(hs->h->endpoint, c->session, process_now(c->p));
    loop_later(&c->p->loop, &hs->h->pump);
}

static struct hub_session *
session_of(struct hub *h, struct fog_session *s)
{
    struct hub_session *hs = fog_session_user(s);
    struct process *p = h->p;
    if (hs)
        return hs;
    hs = p->al.alloc(p->al.ctx, sizeof *hs);
    if (!hs)
        return NULL;
    memset(hs, 0, sizeof *hs);
    hs->h = h;
    fogi_carrier_init(&hs->carrier, p, s, touched);
    fog_endpoint_peer(h->endpoint, s, &hs->peer);
    list_init(&hs->link);
    list_push(&h->sessions, &hs->link);
    h->n_sessions++;
    fog_session_set_user(s, hs);
    return hs;
}

/** Ends a session whose FOG_EV_CLOSED came, or that gets none any more. */
static void
end_session(struct hub_session *hs)
{
    struct hub *h = hs->h;
    struct process *p = h->p;
    struct fog_session *s = hs->carrier.session;
    fogi_carrier_end(&hs->carrier);
    fogi_process_add(p, s);
    fog_session_set_user(s, NULL);
    fog_endpoint_drop(h->endpoint, s, process_now(p));
    list_unlink(&hs->link);
    h->n_sessions--;
    p->al.free(p->al.ctx, hs, sizeof *hs);
}

static void
on_event(struct hub_session *hs, const struct fog_event *ev)
{
    struct hub *h = hs->h;
    char text[ADDR_TEXT_MAX], why[CARRIER_WHY_MAX];
    if (ev->type == FOG_EV_READY) {
        h->p->n.tunnels_ready++;
        LOG_LIMITED(LOG_AT_INFO, "tunnel with %s is up", fogi_addr_text(&hs->peer, text));
    } else if (ev->type == FOG_EV_CLOSED) {
        h->p->n.tunnels_lost++;
        LOG_LIMITED(LOG_AT_INFO, "tunnel with %s is down: %s", fogi_addr_text(&hs->peer, text),
                    fogi_carrier_why(ev, why));
        end_session(hs);
    } else if (ev->type == FOG_EV_OPENED) {
        h->opened(h->owner, &hs->carrier, ev->stream);
    } else {
        fogi_carrier_event(&hs->carrier, ev);
    }
}

/** True when there were any. */
static bool
take_events(struct hub *h)
{
    struct fog_session *s;
    struct fog_event ev;
    bool any = false;
    while (!h->closing && fog_endpoint_event(h->endpoint, &s, &ev)) {
        struct hub_session *hs = session_of(h, s);
        if (hs)
            on_event(hs, &ev);
        else
            fog_endpoint_drop(h->endpoint, s, process_now(h->p));
        any = true;
    }
    return any;
}

/* ----------------------------------------------------------------------------------------- turns
 */

static void
send_output(struct hub *h)
{
    fog_time now = process_now(h->p);
    uint8_t *buf;
    while ((buf = fogi_udp_reserve(&h->udp))) {
        struct fog_addr to;
        size_t len = 0;
        int rc = fog_endpoint_output(h->endpoint, &to, buf, FOG_DATAGRAM_MAX, &len, now);
        assert(!rc && "no mtu is over FOG_DATAGRAM_MAX");
        if (rc || !len)
            break;
        fogi_udp_queue(&h->udp, &to, h->udp.many_locals ? fogi_locals_find(&h->locals, &to) : NULL,
                       len);
    }
    fogi_udp_flush(&h->udp);
}

static void
on_alarm(struct alarm *a)
{
    struct hub *h = list_entry(a, struct hub, alarm);
    fog_endpoint_tick(h->endpoint, fogi_loop_now(a->loop));
    loop_later(a->loop, &h->pump);
}

static void
pump(struct pump *pump)
{
    struct hub *h = list_entry(pump, struct hub, pump);
    take_events(h);
    /* Sending makes room, room makes events, events make output. */
    do
        send_output(h);
    while (take_events(h));
    if (h->closing)
        return;
    pump_cancel(pump); /* what the events asked for is done */
    fog_endpoint_accept(h->endpoint, h->accept && !budget_is_tight(&h->p->budget));
    fog_time at = fog_endpoint_deadline(h->endpoint, NULL), now = process_now(h->p);
    if (h->udp.full && at < now + FULL_RETRY)
        at = now + FULL_RETRY;
    fogi_alarm_set(&h->alarm, at);
}

static void
on_datagram(struct udp *u, const struct fog_addr *from, const struct fog_addr *local,
            const void *buf, size_t len)
{
    struct hub *h = u->owner;
    if (h->closing)
        return;
    if (u->many_locals)
        fogi_locals_note(&h->locals, from, local);
    int rc = fog_endpoint_input(h->endpoint, from, buf, len, process_now(h->p));
    if (rc && fogi_log_on(LOG_AT_TRACE)) {
        char text[ADDR_TEXT_MAX];
        fogi_log(LOG_AT_TRACE, "datagram from %s: %s", fogi_addr_text(from, text),
                 fog_err_text(rc));
    }
    loop_later(&h->p->loop, &h->pump);
}

static void
on_writable(struct udp *u)
{
    struct hub *h = u->owner;
    loop_later(&h->p->loop, &h->pump);
}

static void
on_hint(struct udp *u, int err)
{
    (void)u;
    LOG_LIMITED(LOG_AT_DEBUG, "sending a datagram: %s", fogi_io_text(err));
}

/* ------------------------------------------------------------------------------ coming and going
 */

static void
handle_closed(struct hub *h)
{
    struct process *p = h->p;
    if (--h->handles)
        return;
    fogi_process_add_udp(p, &h->udp.n);
    fog_endpoint_free(h->endpoint);
    p->al.free(p->al.ctx, h, sizeof *h);
}

static void
on_alarm_closed(struct alarm *a)
{
    handle_closed(list_entry(a, struct hub, alarm));
}

static void
on_udp_closed(struct udp *u)
{
    handle_closed(u->owner);
}

static const struct udp_events udp_events = {
    .datagram = on_datagram, .writable = on_writable, .hint = on_hint, .closed = on_udp_closed};

static int
new_endpoint(struct hub *h)
{
    struct process *p = h->p;
    struct fog_endpoint_options o;
    fog_endpoint_options_init(&o);
    int err = fogi_process_session_options(p, FOG_SERVER, &o.session);
    if (!err)
        err = fogi_loop_random(&p->loop, o.key, sizeof o.key);
    if (err)
        return err;
    fogi_locals_init(&h->locals, o.key);
    return fog_endpoint_new(&h->endpoint, &o, &p->al, process_now(p)) ? UV_ENOMEM : 0;
}

int
fogi_hub_new(struct hub **out, struct process *p, const struct fog_addr *at, uint16_t port,
             hub_opened_fn opened, void *owner)
{
    struct hub *h = p->al.alloc(p->al.ctx, sizeof *h);
    if (!h)
        return UV_ENOMEM;
    memset(h, 0, sizeof *h);
    h->p = p;
    h->opened = opened;
    h->owner = owner;
    h->accept = true;
    list_init(&h->sessions);
    pump_init(&h->pump, pump);
    int err = new_endpoint(h);
    if (!err) {
        h->udp.owner = h;
        err = fogi_udp_listen(&h->udp, &p->loop, p->batch, &udp_events, at, port, p->conf.sockbuf);
    }
    if (err) {
        fog_endpoint_free(h->endpoint);
        p->al.free(p->al.ctx, h, sizeof *h);
        return err;
    }
    fogi_alarm_init(&h->alarm, &p->loop, on_alarm);
    h->handles = 2;
    *out = h;
    return 0;
}

void
fogi_hub_close(struct hub *h, const char *reason)
{
    while (!list_is_empty(&h->sessions)) {
        struct hub_session *hs = list_entry(h->sessions.next, struct hub_session, link);
        fog_session_shutdown(hs->carrier.session, reason, process_now(h->p));
        touched(&hs->carrier);
        end_session(hs);
    }
    send_output(h);
    h->closing = true;
    pump_cancel(&h->pump);
    fogi_udp_close(&h->udp);
    fogi_alarm_close(&h->alarm, on_alarm_closed);
}

void
fogi_hub_accept(struct hub *h, bool accept)
{
    h->accept = accept;
    fog_endpoint_accept(h->endpoint, accept);
}

void
fogi_hub_set_rates(struct hub *h)
{
    const struct conf *c = &h->p->conf;
    int rc = fog_endpoint_set_rates(h->endpoint, fogi_process_rate(c, c->up),
                                    fogi_process_rate(c, c->down), process_now(h->p));
    assert(!rc && "the configuration has checked the range");
    (void)rc;
    loop_later(&h->p->loop, &h->pump);
}

bool
fogi_hub_is_busy(const struct hub *h)
{
    for (struct list *i = h->sessions.next; i != &h->sessions; i = i->next) {
        const struct hub_session *hs = list_entry(i, struct hub_session, link);
        if (fogi_carrier_is_busy(&hs->carrier, PROCESS_PATIENCE_US))
            return true;
    }
    return false;
}

void
fogi_hub_peer(struct carrier *c, struct fog_addr *peer)
{
    *peer = list_entry(c, struct hub_session, carrier)->peer;
}

void
fogi_hub_dump(struct hub *h, struct stats *out)
{
    struct fog_endpoint_status st;
    char text[ADDR_TEXT_MAX];
    fog_endpoint_status(h->endpoint, &st);
    fogi_stats_endpoint(out, &st);
    fogi_stats_udp(out, &h->udp.n);
    for (struct list *i = h->sessions.next; i != &h->sessions; i = i->next) {
        struct hub_session *hs = list_entry(i, struct hub_session, link);
        fogi_stats_session(out, fogi_addr_text(&hs->peer, text), hs->carrier.session,
                           process_now(h->p));
    }
}
