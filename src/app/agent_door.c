/* SPDX-License-Identifier: MIT
 *
 * agent_door.c - the listeners of an agent, and how many may stand in the door.
 *
 * Decides that at most FRONTS_FRESH_MAX connections are heard at once before they have said what
 * they want (threats S1, S7). The next one waits in the system's queue until a place is free, or
 * until the oldest has had FRESH_GRACE and goes: a burst of honest programs is only delayed, and
 * one that dawdles cannot keep the others out. Refuses to know what is said inside.
 */
#include "app/agent_int.h"

#include "io/log.h"

static void
take(struct door *d, uv_stream_t *stream)
{
    struct agent *a = d->a;
    struct channel *c;
    struct fog_addr peer;
    int err = fogi_channel_tcp_accept(&c, a->p, stream);
    if (err) {
        LOG_LIMITED(LOG_AT_WARN, "cannot take a connection: %s", fogi_io_text(err));
        fogi_listen_drop(stream);
        return;
    }
    a->p->n.accepted++;
    fogi_channel_tcp_peer(c, &peer);
    if (d->pac)
        fogi_pac_take(a, c);
    else
        fogi_front_take(a, c, &peer, d->kind);
}

/** Whether one more may come in; the oldest goes for it where it has had its time. */
static bool
make_room(struct agent *a)
{
    if (a->n_fresh < FRONTS_FRESH_MAX)
        return true;
    fog_time end = fogi_fronts_oldest(a) + FRESH_GRACE;
    if (process_now(a->p) < end) {
        fogi_alarm_set(&a->room_time, end);
        return false;
    }
    a->n.limit_fresh_hit++;
    fogi_fronts_end_oldest(a);
    return true;
}

static void
on_incoming(void *ctx, uv_stream_t *stream)
{
    struct door *d = ctx;
    if (make_room(d->a)) {
        take(d, stream);
        return;
    }
    d->held = stream; /* libuv asks for no other meanwhile */
    d->a->n.limit_fresh_waited++;
}

static void
let_in(struct agent *a)
{
    for (size_t i = 0; i < AGENT_DOORS; i++) {
        struct door *d = &a->doors[i];
        uv_stream_t *stream = d->held;
        if (!stream || !make_room(a))
            continue;
        d->held = NULL;
        take(d, stream);
    }
}

static void
on_room(struct pump *pump)
{
    let_in(list_entry(pump, struct agent, room));
}

static void
on_room_time(struct alarm *al)
{
    let_in(list_entry(al, struct agent, room_time));
}

void
fogi_agent_has_room(struct agent *a)
{
    for (size_t i = 0; i < AGENT_DOORS; i++)
        if (a->doors[i].held)
            loop_later(&a->p->loop, &a->room);
}

static int
open_door(struct agent *a, struct door *d, const struct hostport *at, const char *what)
{
    d->a = a;
    int err = fogi_listen(&d->listener, a->p, at, on_incoming, d);
    if (err) {
        fogi_listen_complain("agent", at, "tcp", err);
        return err;
    }
    d->open = true;
    fogi_log(LOG_AT_INFO, "listening on tcp %s:%u for %s", *at->host ? at->host : "*", at->port,
             what);
    return 0;
}

int
fogi_agent_open(struct agent *a)
{
    const struct agent_conf *c = a->conf;
    const struct {
        const struct hostport *at;
        const char *what;
        enum front_kind kind;
        bool pac;
    } doors[AGENT_DOORS] = {{&c->socks5, "SOCKS5", FRONT_SOCKS5, false},
                            {&c->http, "HTTP", FRONT_HTTP, false},
                            {&c->mixed, "SOCKS5 and HTTP", FRONT_MIXED, false},
                            {&c->pac, "PAC", FRONT_HTTP, true}};
    pump_init(&a->room, on_room);
    fogi_alarm_init(&a->room_time, &a->p->loop, on_room_time);
    for (size_t i = 0; i < AGENT_DOORS; i++) {
        struct door *d = &a->doors[i];
        if (!doors[i].at->port)
            continue;
        d->kind = doors[i].kind;
        d->pac = doors[i].pac;
        int err = open_door(a, d, doors[i].at, doors[i].what);
        if (err) {
            fogi_agent_shut(a);
            return err;
        }
    }
    return 0;
}

void
fogi_agent_shut(struct agent *a)
{
    for (size_t i = 0; i < AGENT_DOORS; i++) {
        a->doors[i].held = NULL;
        if (a->doors[i].open)
            fogi_listen_close(&a->doors[i].listener);
    }
    pump_cancel(&a->room);
    fogi_alarm_close(&a->room_time, NULL);
}
