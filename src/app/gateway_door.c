/* SPDX-License-Identifier: MIT
 *
 * gateway_door.c - the ports of a gateway, and how many may stand in the door.
 *
 * Decides that at most FRESH_MAX connections are heard at once before they have shown a good
 * password (threats S7). When all places are taken the next connection waits in the system's queue
 * until one is free, or until the oldest has had FRESH_GRACE and goes: a burst of honest ones is
 * only delayed, and those who dawdle cannot keep others out. Refuses to know what is said inside.
 */
#include "app/gateway_int.h"

#include "app/channel_tcp.h"
#include "io/log.h"

static void
take(struct door *d, uv_stream_t *stream)
{
    struct gateway *g = d->g;
    struct channel *c;
    struct fog_addr peer;
    int err = fogi_channel_tcp_accept(&c, g->p, stream);
    if (err) {
        LOG_LIMITED(LOG_AT_WARN, "cannot take a connection: %s", fogi_io_text(err));
        fogi_listen_drop(stream);
        return;
    }
    g->p->n.accepted++;
    fogi_channel_tcp_peer(c, &peer);
    if (d->redirect)
        fogi_gateway_take_redirect(g, c, &peer);
    else
        fogi_gateway_take(g, c, &peer, false);
}

/** Whether one more may come in; the oldest goes for it where it has had its time. */
static bool
make_room(struct gateway *g)
{
    if (g->n_fresh < FRESH_MAX)
        return true;
    struct session *oldest = list_entry(g->fresh.next, struct session, link);
    fog_time end = oldest->born + FRESH_GRACE;
    if (process_now(g->p) < end) {
        fogi_alarm_set(&g->room_time, end);
        return false;
    }
    g->n.limit_fresh_hit++;
    fogi_session_kill(oldest);
    return true;
}

static void
on_incoming(void *ctx, uv_stream_t *stream)
{
    struct door *d = ctx;
    if (make_room(d->g)) {
        take(d, stream);
        return;
    }
    d->held = stream; /* libuv asks for no other meanwhile */
    d->g->n.limit_fresh_waited++;
}

static void
let_in(struct gateway *g)
{
    struct door *doors[] = {&g->door, &g->redirect};
    for (size_t i = 0; i < sizeof doors / sizeof *doors; i++) {
        struct door *d = doors[i];
        uv_stream_t *stream = d->held;
        if (!stream || !make_room(g))
            continue;
        d->held = NULL;
        take(d, stream);
    }
}

static void
on_room(struct pump *pump)
{
    let_in(list_entry(pump, struct gateway, room));
}

static void
on_room_time(struct alarm *a)
{
    let_in(list_entry(a, struct gateway, room_time));
}

void
fogi_gateway_has_room(struct gateway *g)
{
    if (g->door.held || g->redirect.held)
        loop_later(&g->p->loop, &g->room);
}

bool
fogi_gateway_has_room_kcp(struct gateway *g)
{
    /* A stream of a tunnel cannot be made to wait, and its tunnel has limits of its own. */
    return make_room(g) || g->n_fresh < FRESH_KCP_MAX;
}

int
fogi_gateway_open(struct gateway *g, const struct gateway_conf *c)
{
    struct hostport at = c->listen;
    g->door.g = g->redirect.g = g;
    g->redirect.redirect = true;
    pump_init(&g->room, on_room);
    int err = fogi_listen(&g->door.listener, g->p, &at, on_incoming, &g->door);
    if (!err && c->redirect) {
        at.port = c->redirect;
        err = fogi_listen(&g->redirect.listener, g->p, &at, on_incoming, &g->redirect);
    }
    const char *protocol = "tcp";
    if (!err && c->kcp) {
        at.port = c->listen.port;
        protocol = "udp";
        err = fogi_gateway_kcp_open(g, &at);
    }
    if (err) {
        fogi_listen_complain("gateway", &at, protocol, err);
        fogi_listen_close(&g->door.listener);
        fogi_listen_close(&g->redirect.listener);
        return err;
    }
    fogi_alarm_init(&g->room_time, &g->p->loop, on_room_time);
    return 0;
}

void
fogi_gateway_shut(struct gateway *g)
{
    g->door.held = g->redirect.held = NULL;
    fogi_listen_close(&g->door.listener);
    fogi_listen_close(&g->redirect.listener);
    if (g->hub)
        fogi_hub_accept(g->hub, false);
    pump_cancel(&g->room);
    fogi_alarm_close(&g->room_time, NULL);
}
