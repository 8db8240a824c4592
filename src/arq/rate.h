/* SPDX-License-Identifier: MIT
 *
 * rate.h - how fast the path delivers. Knows bytes and times of transmissions; not what they carry,
 * nor what anybody makes of the rate.
 *
 * Each transmission notes how much had been delivered when it left. When it is known to have
 * arrived, what was delivered since, over the time that took, is one sample:
 *
 *     rate = delivered since / max(time the sends took, time the arrivals took)
 *
 * The longer of the two times is right: arrivals that come bunched, as from a peer that answers at
 * clock ticks, would else look faster than anything was sent.
 * A sample is `limited` when the sender had too little to say meanwhile: the path may be faster.
 */
#ifndef FOGI_RATE_H
#define FOGI_RATE_H

#include "arq/txlog.h"

struct rate {
    uint64_t delivered;     /* bytes known to have arrived                      */
    fog_time delivered_at;  /* when that was last more                          */
    fog_time first_sent_at; /* start of the flight that is being measured       */
    uint64_t limited_until; /* `delivered` beyond which nothing is limited      */
};

/* What one batch of acknowledgements tells. */
struct rate_sample {
    bool valid;
    bool limited;
    uint64_t prior; /* bytes delivered when the newest of them left     */
    fog_time prior_at;
    fog_time sent_us;   /* time its flight took to send                     */
    fog_time newest_at; /* when it left                                     */
    uint64_t bytes_per_s;
    fog_time over_us;
};

/** t leaves now, while `out` other bytes are on their way. */
void fogi_rate_sent(struct rate *r, struct tx *t, size_t out, fog_time now);

/** There was nothing more to send although there was room; `out` bytes are on their way. */
void fogi_rate_idle(struct rate *r, size_t out);

/** t arrived, or one that is not known (NULL); bytes is what it newly delivered. Adds to the
 * sample, which starts zeroed. */
void fogi_rate_arrived(struct rate *r, struct rate_sample *s, const struct tx *t, size_t bytes,
                       fog_time now);

/** Ends the batch: fills in bytes_per_s and over_us when s is valid. */
void fogi_rate_finish(struct rate *r, struct rate_sample *s);

#endif
