/* SPDX-License-Identifier: MIT
 *
 * fills.h - which holes were filled last, to be told a few times. Knows sn; not time or datagrams.
 *
 * A segment that fills an old hole is a repair, often one of many: its news must not depend on one
 * datagram, nor wait until the map (sack.h) comes round to its place.
 *
 * Invariant: each is told FILLS_TIMES times at most; the newest FILLS_MAX are kept.
 */
#ifndef FOGI_FILLS_H
#define FOGI_FILLS_H

#include "base/seq.h"

#include <stdbool.h>

#define FILLS_MAX 18
#define FILLS_TIMES 6

struct fills {
    uint32_t sn[FILLS_MAX];
    uint8_t left[FILLS_MAX]; /* times it is still told */
    uint8_t at;              /* place of the next      */
};

/** sn has filled a hole. The oldest kept one is forgotten. */
void fogi_fills_add(struct fills *f, uint32_t sn);

/** The next to be told that is una or later; *i starts at 0 in each datagram. False at the end. */
bool fogi_fills_next(struct fills *f, unsigned *i, uint32_t una, uint32_t *sn);

#endif
