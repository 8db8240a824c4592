/* SPDX-License-Identifier: MIT */
#include "app/door.h"

#include "io/log.h"

static void
take(struct door *d, uv_stream_t *stream)
{
    struct process *p = d->way->p;
    struct channel *c;
    struct fog_addr peer;
    int err = fogi_channel_tcp_accept(&c, p, stream);
    if (err) {
        LOG_LIMITED(LOG_AT_WARN, "cannot take a connection: %s", fogi_io_text(err));
        fogi_listen_drop(stream);
        return;
    }
    p->n.accepted++;
    fogi_channel_tcp_peer(c, &peer);
    d->take(d->way->owner, c, &peer);
}

/** What each has now that the door is full. A burst of honest ones is over soon; where all who came
 *  with it go at once, it is quiet for a DOOR_GRACE, and that is no end. */
static fog_time
grace(struct doorway *w)
{
    fog_time now = process_now(w->p);
    if (now - w->last_crowded > DOOR_CALM)
        w->crowded = now;
    w->last_crowded = now;
    return now - w->crowded > DOOR_GRACE ? DOOR_GRACE_SHORT : DOOR_GRACE;
}

bool
fogi_doorway_make_room(struct doorway *w)
{
    if (w->events->fresh(w->owner) < w->most)
        return true;
    fog_time end = w->events->oldest(w->owner) + grace(w);
    if (process_now(w->p) < end) {
        fogi_alarm_set(&w->room_time, end);
        return false;
    }
    ++*w->hit;
    w->events->end_oldest(w->owner);
    return true;
}

static void
on_incoming(void *ctx, uv_stream_t *stream)
{
    struct door *d = ctx;
    if (fogi_doorway_make_room(d->way)) {
        take(d, stream);
        return;
    }
    d->held = stream; /* libuv asks for no other meanwhile */
    ++*d->way->waited;
}

static void
let_in(struct doorway *w)
{
    for (struct list *i = w->doors.next; i != &w->doors; i = i->next) {
        struct door *d = list_entry(i, struct door, link);
        uv_stream_t *stream = d->held;
        if (!stream || !fogi_doorway_make_room(w))
            continue;
        d->held = NULL;
        take(d, stream);
    }
}

static void
on_room(struct pump *pump)
{
    let_in(list_entry(pump, struct doorway, room));
}

static void
on_room_time(struct alarm *a)
{
    let_in(list_entry(a, struct doorway, room_time));
}

void
fogi_doorway_has_room(struct doorway *w)
{
    for (struct list *i = w->doors.next; i != &w->doors; i = i->next)
        if (list_entry(i, struct door, link)->held)
            loop_later(&w->p->loop, &w->room);
}

void
fogi_doorway_init(struct doorway *w, struct process *p, const struct doorway_events *events,
                  void *owner, uint64_t *waited, uint64_t *hit)
{
    unsigned quarter = p->loop.fds_max / 4;
    *w = (struct doorway){.p = p,
                          .events = events,
                          .owner = owner,
                          .most = quarter < DOOR_MAX ? quarter : DOOR_MAX,
                          .last_crowded = -DOOR_CALM - 1,
                          .waited = waited,
                          .hit = hit};
    list_init(&w->doors);
    pump_init(&w->room, on_room);
    fogi_alarm_init(&w->room_time, &p->loop, on_room_time);
}

void
fogi_doorway_shut(struct doorway *w)
{
    struct list *link;
    while ((link = list_pop(&w->doors))) {
        struct door *d = list_entry(link, struct door, link);
        d->held = NULL;
        fogi_listen_close(&d->listener);
    }
    pump_cancel(&w->room);
    fogi_alarm_close(&w->room_time, NULL);
}

int
fogi_door_open(struct door *d, struct doorway *w, const struct hostport *at,
               void (*take_fn)(void *owner, struct channel *c, const struct fog_addr *peer))
{
    d->way = w;
    d->take = take_fn;
    int err = fogi_listen(&d->listener, w->p, at, on_incoming, d);
    list_init(&d->link);
    if (!err)
        list_push(&w->doors, &d->link);
    return err;
}
