/* SPDX-License-Identifier: MIT
 *
 * sack.h - tells a peer of our own kind which segments have arrived, in bits. Knows sn; not time,
 * not transmissions, not datagrams.
 *
 * An ACK names one segment in 24 bytes and is said once: where it is lost, and a hole keeps una
 * back, its segment is sent again for nothing. So beside the newest ACK goes a map of what arrived
 * beyond the first hole, in the payload of a WINS, which every KCP peer skips:
 *
 *     off size
 *     0   1     0xf6
 *     1   5+n   bits: start sn (4), n (1) < 128, n bytes; bit i of them: start + i has arrived
 *     1   5+2m  or a list: start sn (4), 128 + m (1), m times what to add to start (2)
 *     ..        the next such piece
 *
 * The first piece covers the newest segments. The second wanders over the rest, so that everything
 * is told at last. The list is of those that filled a hole of the rest lately (fills.h).
 */
#ifndef FOGI_SACK_H
#define FOGI_SACK_H

#include "arq/fills.h"
#include "arq/rcv.h"

#define SACK_MARK 0xf6
#define SACK_NEWEST (RCV_NEAR / 8) /* bytes of the first piece  */
#define SACK_OTHERS 16             /* bytes of the second piece, in a steady stream */
#define SACK_MOST 120              /* ... otherwise: after a silence, much is to be told at once */
#define SACK_MAX (1 + 5 + SACK_NEWEST + 5 + SACK_MOST + 5 + 2 * FILLS_MAX)

/** Writes the map of r to out, SACK_MAX bytes. *from is where the second piece, of `others` bytes
 * at most, goes on. Returns its length; 0 when there is no hole. */
size_t fogi_sack_put(const struct rcv *r, struct fills *f, size_t others, uint32_t *from,
                     uint8_t *out);

/* Reads a map. */
struct sack_reader {
    const uint8_t *at, *end;
    uint32_t start;
    unsigned bit, bits;
    unsigned item, items; /* of a list */
};

/** False when it is no map, or not a well-formed one. */
bool fogi_sack_open(struct sack_reader *s, const void *buf, size_t len);

/** The next segment that has arrived; false at the end. */
bool fogi_sack_next(struct sack_reader *s, uint32_t *sn);

#endif
