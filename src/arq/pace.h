/* SPDX-License-Identifier: MIT
 *
 * pace.h - spreads sends over time. Knows bytes and time; not segments, not acks.
 *
 * In every interval of length T during which neither rate nor burst changes:
 *     sent <= burst + rate x T,   burst = max(16 datagrams, 2 ms of rate)
 * A sender that always has something to send and asks whenever fogi_pace_when() says so reaches the
 * rate. One that was told to wait and comes back late, because its process was kept from running,
 * makes up for up to 10 ms of that at once: the path has drained meanwhile by as much. For it the
 * bound is burst + 10 ms of rate + rate x T; the rate over a long time is the same.
 */
#ifndef FOGI_PACE_H
#define FOGI_PACE_H

#include "base/bucket.h"

#include <stddef.h>
#include <stdint.h>

struct pace {
    struct bucket bucket;
    uint32_t late; /* bytes to be made up for, in the moment of bucket.at only */
    uint16_t mtu;  /* bytes: what one send may cost at most                    */
    bool limited;  /* false: no rate is set, everything may go                 */
    bool waits;    /* was told to                                              */
};

/** Unlimited. */
void fogi_pace_init(struct pace *p, uint16_t mtu);

/** Sets the rate in bytes per second; 0 is unlimited. What was saved up stays, up to the burst. */
void fogi_pace_set(struct pace *p, uint64_t rate, fog_time now);

/** Whether a datagram of up to mtu bytes may leave now. */
bool fogi_pace_may(struct pace *p, fog_time now);

/** A datagram left; at most mtu bytes, after fogi_pace_may() said yes. */
void fogi_pace_sent(struct pace *p, size_t bytes, fog_time now);

/** Bytes saved up, as far as was last looked; SIZE_MAX when unlimited. */
static inline size_t
pace_saved(const struct pace *p)
{
    return p->limited ? (size_t)(p->bucket.level / 1000000 + p->late) : SIZE_MAX;
}

/** Bytes that may leave within `us` beyond what was saved up; SIZE_MAX when unlimited. */
static inline size_t
pace_within(const struct pace *p, fog_time us)
{
    return p->limited ? (size_t)((uint64_t)p->bucket.per_s * (uint64_t)us / 1000000) : SIZE_MAX;
}

/** Whether half of all that can be saved up is, as far as was last looked: little was sent lately.
 */
static inline bool
pace_at_leisure(const struct pace *p)
{
    return pace_saved(p) >= p->bucket.burst / 2;
}

/** When the next datagram may leave; a time in the past means now. O(1). */
fog_time fogi_pace_when(const struct pace *p);

#endif
