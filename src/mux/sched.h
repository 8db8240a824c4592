/* SPDX-License-Identifier: MIT
 *
 * sched.h - who writes next. Deficit round robin: who was refused room waits in one of two queues,
 * `fresh` while its last quantum is not used up, else `bulk`; fresh is served first, and only a
 * turn in bulk, or a round in which all others had theirs, brings a new quantum. So who has little
 * to say passes those who have much, and those share evenly: between two that always have data the
 * difference is at most one quantum and one frame. Knows turns and bytes; not streams, not frames.
 */
#ifndef FOGI_SCHED_H
#define FOGI_SCHED_H

#include "base/list.h"

#include <stdint.h>

#define SCHED_QUANTUM 16384

/** One writer's place. */
struct turn {
    struct list link; /* waiting: refused and not yet woken */
    uint32_t since;   /* sched's quanta when it had its last one    */
    uint16_t deficit; /* bytes it may still write while others wait */
    bool woken;       /* told to try again, has not done so yet     */
};

struct sched {
    struct list fresh, bulk;
    uint32_t waiting;
    uint32_t woken;  /* they count as waiting for all others */
    uint32_t quanta; /* given to those in bulk, ever */
    uint32_t room;   /* last known free bytes of the pipe */
};

/** The pipe has so many bytes free. */
static inline void
sched_room(struct sched *s, size_t room)
{
    s->room = room < UINT32_MAX ? (uint32_t)room : UINT32_MAX;
}

/** ... of which so many are used now. */
static inline void
sched_use(struct sched *s, size_t len)
{
    s->room = len < s->room ? s->room - (uint32_t)len : 0;
}

void fogi_sched_init(struct sched *s);

/** A writer that has not written yet: fresh. */
void fogi_turn_init(struct turn *t);

/** How many bytes t may write of `avail`, at most `max`; 0 puts it into a queue, once. */
size_t fogi_sched_cap(struct sched *s, struct turn *t, size_t avail, size_t max);

/** Makes t wait, whatever its deficit. */
void fogi_sched_wait(struct sched *s, struct turn *t);

/** t has written len bytes. */
void fogi_sched_charge(struct turn *t, size_t len);

/** Takes the next waiter out; NULL when nobody waits. */
struct turn *fogi_sched_wake(struct sched *s);

/** t waits no more. */
void fogi_sched_drop(struct sched *s, struct turn *t);

#endif
