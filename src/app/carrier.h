/* SPDX-License-Identifier: MIT
 *
 * carrier.h - a session, and who is on its streams.
 *
 * Decides who hears of an event and what happens to all of them when the session ends. Refuses to
 * know what a stream is joined to: that is its rider (a relay, a channel). Invariant: each stream
 * that is not released has one rider, and a rider is on one stream.
 */
#ifndef FOGI_CARRIER_H
#define FOGI_CARRIER_H

#include "app/process.h"

struct carrier;
struct rider;

/** What a rider does; neither is called once it is off. */
struct rider_ops {
    /** Something about its stream. */
    void (*event)(struct rider *r, const struct fog_event *ev);
    /** The session is over; what has arrived can still be read. The rider gets off before it
     *  returns. */
    void (*ends)(struct rider *r);
};

/** Whoever uses one stream. Embedded. */
struct rider {
    const struct rider_ops *ops;
    struct carrier *carrier;   /* NULL: on none    */
    struct fog_stream *stream; /* NULL: has none   */
    struct list link;          /* carrier->riders  */
};

/** A session with riders on it. Embedded in what owns the session. */
struct carrier {
    struct process *p;
    struct fog_session *session;
    struct list riders;
    /** Stream verbs were called: its output, events and deadline want a look this turn. */
    void (*touched)(struct carrier *c);
    /** The carrier ends and `r`, which is a relay, has not moved a byte: true when it was taken
     *  over. May be NULL. */
    bool (*orphan)(struct carrier *c, struct rider *r);
};

void fogi_carrier_init(struct carrier *c, struct process *p, struct fog_session *s,
                       void (*touched)(struct carrier *c));

/** Hands an event of a stream to its rider. */
void fogi_carrier_event(struct carrier *c, const struct fog_event *ev);

/** Whether a stream is open, or bytes are not yet known to have arrived: ending it would lose them,
 *  unless its peer has been silent for longer than `patience` and is most likely gone. */
bool fogi_carrier_is_busy(const struct carrier *c, fog_time patience);

#define CARRIER_WHY_MAX (FOG_REASON_MAX + 96)

/** Why FOG_EV_CLOSED came: what it means to us, and what the peer says where that is more. */
const char *fogi_carrier_why(const struct fog_event *ev, char buf[CARRIER_WHY_MAX]);

/** The session is over: all riders get off. */
void fogi_carrier_end(struct carrier *c);

void fogi_rider_init(struct rider *r, const struct rider_ops *ops);

/** Puts r on a stream of c. */
void fogi_rider_on(struct rider *r, struct carrier *c, struct fog_stream *st);

/** Takes r off its stream, which is released. Idempotent. */
void fogi_rider_off(struct rider *r);

/** Stream verbs were called. */
static inline void
rider_touch(struct rider *r)
{
    r->carrier->touched(r->carrier);
}

#endif
