/* SPDX-License-Identifier: MIT
 *
 * loop.h - one event loop: its time, its descriptors, and what is still to be done this turn.
 *
 * Decides when the clock is read (once per wake-up), that work caused by many events of one turn is
 * done once, at its end, and when the system's timer is set: not for every alarm that moves on a
 * little, which it outlives by firing for nothing at most every few milliseconds. Alarms move with
 * every datagram, and a sleep with a time limit costs a virtual machine two exits. Refuses to know
 * what that work is. Invariant: when the loop goes to sleep no pump is waiting, and the timer fires
 * no later than the first alarm is due.
 */
#ifndef FOGI_LOOP_H
#define FOGI_LOOP_H

#include "base/list.h"

#include <foggara/types.h>

#include <uv.h>

#define LOOP_FDS_SPARE 32 /* descriptors kept from connections: for names, logs, tunnels */

/** Something to be run once at the end of this turn, however often it was asked for. Embedded. */
struct pump {
    struct list link;
    void (*run)(struct pump *p);
};

struct loop;

/** A moment to be called at. Embedded. */
struct alarm {
    struct list link; /* loop->alarms while set, loop->closed                          */
    struct loop *loop;
    fog_time at;  /* FOG_TIME_NEVER: not set                                       */
    fog_time due; /* when it rings: `at` in whole milliseconds, so that neighbours meet */
    void (*ring)(struct alarm *a);
    void (*closed)(struct alarm *a);
    bool late;    /* waits for the sockets to be read first                        */
    bool closing; /* rings no more                                                 */
};

struct loop {
    uv_loop_t uv;
    uv_prepare_t end_of_turn;
    uv_poll_t timer; /* of timer_fd; keeps the loop going while an alarm is set */
    int timer_fd;
    fog_time timer_at;      /* it fires then; FOG_TIME_NEVER: not set              */
    fog_time soonest;       /* of the alarms set in this turn                      */
    bool moved;             /* the alarm it stands on was set to another time      */
    bool fired;             /* the timer has, and is to be set anew                */
    struct list alarms;     /* that are set, in no order: a process has few        */
    struct list closed;     /* alarms that are to be told so                       */
    struct list pumps;      /* to run before the loop sleeps                       */
    struct list fd_waiters; /* pumps that wait for a free descriptor               */
    struct alarm fd_retry;  /* and for 100 ms to pass                              */
    fog_time now;           /* of this turn                                        */
    bool fresh;             /* now was read in this turn                           */
    fog_time slept;         /* time the host has slept, which `now` does not count */
    struct pump *resumed;   /* runs when the host has slept; NULL: nobody cares    */
    uint64_t turns;         /* wake-ups so far                                     */
    uint64_t late_us;       /* longest turn so far                                 */
    uint32_t fds, fds_max;  /* descriptors in use by our count, and allowed        */
    uint32_t requests;      /* name look-ups the thread pool still holds           */
    uint64_t limit_fds_hit; /* times something waited for a descriptor             */
};

/** Raises the soft limit of descriptors to the hard one and counts what is open. Negative errno. */
int fogi_loop_init(struct loop *l);

/** Runs until fogi_loop_stop() or until nothing is left to wait for. */
void fogi_loop_run(struct loop *l);
void fogi_loop_stop(struct loop *l);

/** Lets closed handles go, then frees the loop. False while a look-up is still in the pool: then
 * the process should end without touching the loop again. */
bool fogi_loop_free(struct loop *l);

/** Notes how long the host has slept since it was started; runs l->resumed if that grew. */
void fogi_loop_slept(struct loop *l, fog_time slept);

/** Microseconds, monotonic; the same during one turn. */
fog_time fogi_loop_now(struct loop *l);

/** Reads the clock again: a timer fired, or a batch of datagrams is about to be stamped. */
fog_time fogi_loop_refresh(struct loop *l);

static inline void
pump_init(struct pump *p, void (*run)(struct pump *p))
{
    list_init(&p->link);
    p->run = run;
}

/** Runs p at the end of this turn. Idempotent. */
static inline void
loop_later(struct loop *l, struct pump *p)
{
    list_unlink(&p->link);
    list_push(&l->pumps, &p->link);
}

static inline void
pump_cancel(struct pump *p)
{
    list_unlink(&p->link);
}

void fogi_alarm_init(struct alarm *a, struct loop *l, void (*ring)(struct alarm *a));

/** Rings at `at`, the past means in the next turn; FOG_TIME_NEVER: not at all. Never early: the
 *  milliseconds are rounded up. When the process was stopped or the host slept meanwhile, what has
 *  arrived is read before the alarm rings, so that no silence is seen where there was none. */
void fogi_alarm_set(struct alarm *a, fog_time at);

/** closed is called later, may be NULL; does nothing on one that was never initialised. */
void fogi_alarm_close(struct alarm *a, void (*closed)(struct alarm *a));

/** One descriptor more or less is open. */
void fogi_loop_fd_taken(struct loop *l);
void fogi_loop_fd_given(struct loop *l);

/** Whether a connection may take a descriptor. */
static inline bool
loop_fd_free(const struct loop *l)
{
    return l->fds + LOOP_FDS_SPARE < l->fds_max;
}

/** Runs p once a descriptor is free, and after 100 ms in any case. */
void fogi_loop_fd_wait(struct loop *l, struct pump *p);

/** Bytes that nobody can guess. Negative errno. */
FOG_CHECKED int fogi_loop_random(struct loop *l, void *buf, size_t len);

/** What a negative errno means. */
const char *fogi_io_text(int err);

#endif
