/* SPDX-License-Identifier: MIT
 *
 * tunnel_rig.h - a tunnel that is held together by hand, for tests: what one session has to say is
 * carried to the other in memory.
 */
#ifndef TUNNEL_RIG_H
#define TUNNEL_RIG_H

#include "channel_rig.h"

#include "app/carrier.h"

struct tunnel_end {
    struct carrier carrier;
    struct fog_session *session;
};

/** The process of channel_rig.h and a tunnel from a to b, ready. opened: takes each stream that
 *  comes to an end. */
int tunnel_rig_setup(struct tunnel_end *a, struct tunnel_end *b,
                     void (*opened)(struct tunnel_end *e, struct fog_stream *stream));
/** Streams are gone from both ends by then. */
int tunnel_rig_teardown(void **state);

/** Takes what the session has to tell. */
void tunnel_rig_events(struct tunnel_end *e);

/** Carries all there is, then lets the loop turn once. */
void tunnel_rig_turn(void);
void tunnel_rig_turns(unsigned n);

#endif
