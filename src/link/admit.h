/* SPDX-License-Identifier: MIT
 *
 * admit.h - how much of a server one source may take. Knows addresses and counts; not sessions.
 *
 * Three questions are asked before a stranger gets memory (threats T1): does its address open too
 * often, does it hold too many links, and does its network hold too many that are not validated?
 * The first is answered by a fixed array of token buckets that addresses share by keyed hash, so
 * it costs the same however many sources there are; a collision can only make it stricter.
 */
#ifndef FOGI_LINK_ADMIT_H
#define FOGI_LINK_ADMIT_H

#include "base/bucket.h"
#include "base/map.h"

#define ADMIT_BUCKETS 256

struct admit {
    struct map sources, nets; /* of struct tally */
    struct bucket openings[ADMIT_BUCKETS];
    uint8_t key[16];
};

void fogi_admit_init(struct admit *a, uint32_t burst, uint32_t per_s, const uint8_t key[16],
                     fog_time now);
void fogi_admit_clear(struct admit *a, struct mem *m);

/** One more opening of this address; false: too many. */
bool fogi_admit_opening(struct admit *a, const struct fog_addr *addr, fog_time now);

/** Links counted for the address, and links counted as pending for its /24 or /56. */
uint32_t fogi_admit_of_source(const struct admit *a, const struct fog_addr *addr);
uint32_t fogi_admit_of_net(const struct admit *a, const struct fog_addr *addr);

/** Counts a new, pending link; false, and nothing counted, without memory. */
bool fogi_admit_enter(struct admit *a, struct mem *m, const struct fog_addr *addr);

/** It is pending no more. */
void fogi_admit_validated(struct admit *a, struct mem *m, const struct fog_addr *addr);

/** It is gone; pending tells whether it still was. */
void fogi_admit_leave(struct admit *a, struct mem *m, const struct fog_addr *addr, bool pending);

#endif
