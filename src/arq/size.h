/* SPDX-License-Identifier: MIT
 *
 * size.h - how large a datagram may be. Knows sizes and which transmission asks the path; not
 * segments, windows or what is in a datagram.
 *
 * A small size is used from the start. A larger one needs three to agree: us, the peer, and the
 * path, which speaks by carrying it: one datagram is filled up with padding, and holds one segment
 * that would have fit a small one. When that transmission is known to have arrived the large size
 * is used. When it is lost, it is tried again later, and then no more. When nothing is heard any
 * more in spite of probes, what is new leaves small again, until the path is asked anew.
 *
 *     SMALL --peer agrees--> ASK --probe leaves--> ASKED --it arrived--> LARGE
 *                             ^                      |                     |
 *                             +------- lost ---------+                     |
 *                             +---------------- silence -------------------+
 *
 * Invariant: a segment that no small datagram can carry is cut in state LARGE only.
 */
#ifndef FOGI_SIZE_H
#define FOGI_SIZE_H

#include <foggara/types.h>

#define SIZE_TRIES 4          /* that may fail between two that succeed */
#define SIZE_AGAIN FOG_SEC(1) /* the second try is at once, then each waits so much longer */

enum size_state { SIZE_SMALL, SIZE_ASK, SIZE_ASKED, SIZE_LARGE };

struct size {
    uint16_t small, large; /* bytes of a datagram; large: as far as all have agreed */
    uint8_t state, failed; /* enum size_state; tries in a row */
    uint32_t tx, sn;       /* the transmission that asks, and its segment */
    fog_time again;        /* SIZE_ASK: not before */
};

/** most < small counts as small. */
void fogi_size_init(struct size *s, uint32_t small, uint32_t most);

/** The peer takes so many bytes. Only the first word counts. */
void fogi_size_agree(struct size *s, uint32_t theirs);

/** Bytes of a datagram that leaves now. */
static inline uint32_t
size_now(const struct size *s)
{
    return s->state == SIZE_LARGE ? s->large : s->small;
}

/** Whether a datagram with one new segment is to be filled up to `large`. */
static inline bool
size_asks(const struct size *s, fog_time now)
{
    return s->state == SIZE_ASK && now >= s->again;
}

/** It left, as transmission tx of segment sn. */
void fogi_size_asked(struct size *s, uint32_t tx, uint32_t sn);

/** Transmission tx has arrived. True when the size is large from now on. */
bool fogi_size_arrived(struct size *s, uint32_t tx);

/** Transmission tx was declared lost. */
void fogi_size_lost(struct size *s, uint32_t tx, fog_time now);

/** Segment sn has arrived: if nobody said by tx until now, it was by another transmission. */
void fogi_size_gone(struct size *s, uint32_t sn, fog_time now);

/** Nothing is heard any more. True when the size is small from now on. */
bool fogi_size_silent(struct size *s, fog_time now);

#endif
