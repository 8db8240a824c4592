/* SPDX-License-Identifier: MIT
 *
 * life.h - the timers of a tunnel: handshake, frame completion, keepalive, idleness. Knows times
 * and ping ids; not messages, not streams.
 *
 * Keepalive as vproxy times it (wire-vproxy 2.4): at a tick of the grid a PING leaves if nothing
 * was received for more than 5 s and none is unanswered. An unanswered one only raises suspicion;
 * the end comes by silence alone. Invariant: a deadline is only named when something will be done
 * then, so an idle pair sleeps from one PING to the next.
 */
#ifndef FOGI_LIFE_H
#define FOGI_LIFE_H

#include <foggara/mux.h>

/* As vproxy: no PING within this time of the last input. Longer silence is not a frame's fault. */
#define LIFE_QUIET_US FOG_SEC(5)

struct life {
    fog_time period;    /* of the grid                                                        */
    fog_time answer_us; /* patience with a PING                                               */
    fog_time idle_us;
    fog_time grid; /* next tick of the grid                                              */
    fog_time last_input;
    fog_time ping_sent;    /* the unanswered PING; FOG_TIME_NEVER: none                          */
    fog_time handshake_by; /* FOG_TIME_NEVER: done                                               */
    fog_time frame_by;     /* FOG_TIME_NEVER: not within a frame                                 */
    uint64_t ping_id;      /* of the last PING; 0: none yet                                      */
    uint64_t ponged;       /* highest id answered                                                */
    bool ready;            /* keepalive and idleness count                                       */
    bool ping_due;         /* a PING waits to leave                                              */
    bool suspected;        /* told already in this silence                                       */
    bool deaf;             /* we take no input ourselves: silence proves nothing                 */
};

/** What a tick has brought. */
enum { LIFE_SUSPECT = 1, LIFE_IDLE = 2, LIFE_HANDSHAKE = 4, LIFE_FRAME = 8 };

void fogi_life_init(struct life *l, const struct fog_mux_options *o, fog_time now);
/** The tunnel is ready. A client's grid starts here, a server's has started with the tunnel. */
void fogi_life_ready(struct life *l, enum fog_role role, fog_time now);
/** Bytes came and were taken. */
void fogi_life_input(struct life *l, fog_time now);
/** A PING waits to leave, unless one does or is unanswered. */
void fogi_life_ask(struct life *l);
/** The waiting PING was handed out. */
void fogi_life_pinged(struct life *l, fog_time now);
/** An answer came; false when it answers nothing. */
bool fogi_life_pong(struct life *l, uint64_t id);
fog_time fogi_life_deadline(const struct life *l, enum fog_why *why);
/** Does what is due; a set of LIFE_ bits. */
unsigned fogi_life_tick(struct life *l, fog_time now);

#endif
