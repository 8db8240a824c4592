/* SPDX-License-Identifier: MIT
 *
 * finhold.h - when a FIN may leave. A vproxy peer loses data around half-close, and no message can
 * cure that; only the moment of our FIN can (wire-vproxy R6, R7). Pure.
 */
#ifndef FOGI_FINHOLD_H
#define FOGI_FINHOLD_H

#include <foggara/types.h>

#define FINHOLD_GAP_US FOG_MS(50)    /* R6: from the acknowledgement of the last byte to the FIN */
#define FINHOLD_QUIET_US FOG_MS(250) /* R7: without a byte of the peer */

struct finhold {
    bool extended;     /* the peer is no vproxy: nothing is ever held                        */
    bool fin_in;       /* the peer has finished                                              */
    bool in_flight;    /* bytes of the stream are not acknowledged                           */
    fog_time acked_at; /* when the last of them were; FOG_TIME_NEVER: none was ever sent     */
    fog_time last_in;  /* when the peer's last byte came; FOG_TIME_NEVER: none came          */
};

/** The earliest time for the FIN, `now` when it may leave at once; FOG_TIME_NEVER: not before the
 *  rest is acknowledged. */
fog_time fogi_finhold(const struct finhold *h, fog_time now);

#endif
