/* SPDX-License-Identifier: MIT
 *
 * guard.h - what a peer may cost us per second. Rates only: sizes are bounded where they arise.
 * Limits that an honest fast peer can reach (frames, opens, inflate) slow it down: they are asked
 * first, and tell when to go on. The others (resets, glitches) end the tunnel.
 */
#ifndef FOGI_GUARD_H
#define FOGI_GUARD_H

#include <foggara/mux.h>

#include "base/bucket.h"

#define GUARD_SMALL 512 /* frames with less payload count against `frames` */

struct guard {
    struct bucket opens, resets, glitches, frames, pings, empties, inflate;
};

void fogi_guard_init(struct guard *g, const struct fog_mux_limits *l, fog_time now);

/** A glitch. False: three quarters of the bound are used up; the tunnel should end while it can
 *  still do so in order. */
bool fogi_guard_glitch(struct guard *g, fog_time now);

#endif
