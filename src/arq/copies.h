/* SPDX-License-Identifier: MIT
 *
 * copies.h - segments that will be sent once more before anybody knows whether that is needed.
 * Knows sn and when; not why, nor what is in them.
 *
 * A first in, first out list of COPIES_MAX: copies are a favour, what does not fit is not copied.
 * A copy leaves some time after its original, so that one run of losses does not take both.
 *
 * Invariant: due times never decrease along the list.
 */
#ifndef FOGI_COPIES_H
#define FOGI_COPIES_H

#include "base/bucket.h"

#define COPIES_MAX 16

struct copy {
    fog_time due;
    uint32_t sn, tx; /* the transmission that it backs up */
};

struct copies {
    struct copy list[COPIES_MAX];
    uint8_t head, n;
    bool at_leisure;      /* when `said` left, the pacer had held nothing back           */
    uint32_t said;        /* sn: when the one before it left, there was no more to say   */
    struct bucket favour; /* bytes that copies of tails may cost */
};

/** A copy of sn, last sent as tx, is to leave at `due`, or after those that wait already. */
void fogi_copies_add(struct copies *c, uint32_t sn, uint32_t tx, fog_time due);

/** Takes the first that is due; false when none is. */
bool fogi_copies_next(struct copies *c, struct copy *out, fog_time now);

/** When the first is due; FOG_TIME_NEVER when none waits. */
fog_time fogi_copies_deadline(const struct copies *c);

/** How many segments of so many bytes may have copies of that kind, as far as was last looked. */
static inline uint32_t
copies_affordable(const struct copies *c, uint32_t bytes)
{
    return (uint32_t)(c->favour.level / 1000000 / bytes);
}

/** What copies of tails may cost: bytes per second, and so many at once. */
void fogi_copies_allow(struct copies *c, uint64_t per_s, uint32_t at_once, fog_time now);

#endif
