/* SPDX-License-Identifier: MIT
 *
 * door.h - listeners of a proxy, and how many may stand in the door.
 *
 * Decides that at most `most` connections are heard at once before they have shown who they are or
 * what they want (threats S1, S7). The next one waits in the system's queue until a place is free,
 * or until the oldest has had DOOR_GRACE and goes: a burst of honest ones is only delayed, and
 * those who dawdle cannot keep others out. A door that has been full for longer than that is under
 * attack: then DOOR_GRACE_SHORT has to do, so that thousands who dawdle cost an honest one less
 * than a second or two. Refuses to know what is said inside; its owner counts.
 */
#ifndef FOGI_DOOR_H
#define FOGI_DOOR_H

#include "app/channel_tcp.h"
#include "app/listen.h"

#define DOOR_MAX 1024                /* at once; fewer where descriptors are scarce            */
#define DOOR_GRACE FOG_SEC(2)        /* what each of them has when others wait ...             */
#define DOOR_CALM (2 * DOOR_GRACE)   /* nobody has waited for so long: it is over               */
#define DOOR_GRACE_SHORT FOG_MS(500) /* ... and when they have waited for longer than that    */

struct door;

/** Who stands behind the doors. */
struct doorway_events {
    /** How many stand in the door, and when the oldest of them came; there is one. */
    unsigned (*fresh)(const void *owner);
    fog_time (*oldest)(const void *owner);
    /** Ends the oldest. */
    void (*end_oldest)(void *owner);
};

/** All doors of one role. Embedded in it. */
struct doorway {
    struct process *p;
    const struct doorway_events *events;
    void *owner;
    unsigned most;
    uint64_t *waited, *hit; /* counters: had to wait; ended because others did */
    fog_time crowded;       /* since when there have been too many ...          */
    fog_time last_crowded;  /* ... and until when: ages ago, there are not now  */
    struct list doors;      /* open ones                                       */
    struct pump room;       /* a place is free, and somebody waits for it      */
    struct alarm room_time; /* the oldest in the door has had its time         */
};

/** A listener. Embedded in its owner. */
struct door {
    struct list link; /* doorway->doors */
    struct doorway *way;
    struct listener listener;
    uv_stream_t *held; /* a connection waits for a place; NULL: none */
    /** Takes c, which stands in the door from now on. */
    void (*take)(void *owner, struct channel *c, const struct fog_addr *peer);
};

/** Of the descriptors a quarter at most is for those in the door. */
void fogi_doorway_init(struct doorway *w, struct process *p, const struct doorway_events *events,
                       void *owner, uint64_t *waited, uint64_t *hit);

/** Takes nothing more through any of the doors. Idempotent. */
void fogi_doorway_shut(struct doorway *w);

/** A place may be free. */
void fogi_doorway_has_room(struct doorway *w);

/** Whether one more may come in; the oldest goes for it where it has had its time. */
bool fogi_doorway_make_room(struct doorway *w);

/** Listens; 0 or a negative errno. */
FOG_CHECKED int fogi_door_open(struct door *d, struct doorway *w, const struct hostport *at,
                               void (*take)(void *owner, struct channel *c,
                                            const struct fog_addr *peer));

#endif
