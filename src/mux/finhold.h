/* SPDX-License-Identifier: MIT
 *
 * finhold.h - when a FIN may leave. A vproxy peer loses data around half-close, and no message can
 * cure that; only the moment of our FIN can (wire-vproxy R6, R7). Pure.
 *
 * R6   the peer has finished. Our FIN kills its stream and takes with it what its own socket has
 * not taken yet. It waits until all is acknowledged and then for a gap, the longer the more was
 *      acknowledged lately: that may still lie in front of a peer that is short of time.
 * R7   the peer has not finished. After our FIN it stalls for good once it fills its window. The
 *      FIN waits for a quarter second without a byte, or until so little came in two seconds that
 *      no window fills. While much comes it waits on: sent, it would cost the rest of the answer.
 *      A peer that opened the stream and has said no more than a request has its answer then: what
 *      it may say to that would have come with the acknowledgement, or soon after.
 */
#ifndef FOGI_FINHOLD_H
#define FOGI_FINHOLD_H

#include <foggara/types.h>

#define FINHOLD_GAP_MAX_US                                                                         \
    FOG_SEC(1) /* R6: from the last byte's acknowledgement to the FIN        */
#define FINHOLD_QUIET_US                                                                           \
    FOG_MS(250)                     /* R7: without a byte of the peer                             */
#define FINHOLD_SPELL_US FOG_SEC(2) /* R7: or with few bytes */
#define FINHOLD_BRIEF_US FOG_MS(50) /* R7: behind a request, from its answer's acknowledgement */
#define FINHOLD_FEW 8192

struct finhold {
    bool extended;     /* the peer is no vproxy: nothing is ever held                        */
    bool fin_in;       /* the peer has finished                                              */
    bool in_flight;    /* bytes of the stream are not acknowledged                           */
    bool asked;        /* the peer opened it, and has said FINHOLD_FEW bytes at most         */
    uint32_t acked;    /* bytes of the stream acknowledged shortly before acked_at           */
    fog_time acked_at; /* when the last of them were; FOG_TIME_NEVER: none was ever sent     */
    fog_time last_in;  /* when the peer's last byte came; FOG_TIME_NEVER: none came          */
    fog_time spell_at; /* when the present spell began: at finish, or FINHOLD_SPELL_US after the
                          one before                                                         */
    uint64_t spell_in; /* bytes of the peer since                                            */
};

/** The earliest time for the FIN, `now` when it may leave at once; FOG_TIME_NEVER: not before the
 *  rest is acknowledged. */
fog_time fogi_finhold(const struct finhold *h, fog_time now);

#endif
