/* SPDX-License-Identifier: MIT
 *
 * seg.h - segments to bytes and back. Knows the 24-byte header and what a well-formed datagram is;
 * not what a segment does. The only file that knows offsets.
 *
 *     off size  field                                  little-endian throughout
 *     0   4     conv   conversation
 *     4   1     cmd    81 PUSH, 82 ACK, 83 WASK, 84 WINS
 *     5   1     frg    written 0, not read: stream mode
 *     6   2     wnd    segments the sender of this one can take
 *     8   4     ts     PUSH: any stamp; ACK: the stamp of the PUSH it answers
 *     12  4     sn     PUSH: its number; ACK: that of the PUSH it answers
 *     16  4     una    the next sn expected; all before it have arrived
 *     20  4     len    bytes of payload behind this header
 *
 * Invariant: a datagram is taken whole or not at all.
 */
#ifndef FOGI_SEG_H
#define FOGI_SEG_H

#include <foggara/arq.h>

enum seg_cmd { SEG_PUSH = 81, SEG_ACK = 82, SEG_WASK = 83, SEG_WINS = 84 };

struct seg {
    uint32_t conv, ts, sn, una;
    uint16_t wnd, len;
    uint8_t cmd;
    const uint8_t *data; /* lent by the datagram; not used by fogi_seg_put() */
};

/**
 * Parses a whole datagram.
 *
 * Gives      segs[0..*n-1]; their data point into buf.
 * Returns    FOG_E_FORMAT  shorter than a header, longer than FOG_DATAGRAM_MAX, an unknown cmd, a
 * len beyond the rest, or bytes left over FOG_E_CONV    a segment of another conversation
 *            FOG_E_LIMIT   more than FOG_SEGMENTS_MAX segments
 */
FOG_CHECKED int fogi_seg_parse(const void *buf, size_t len, uint32_t conv,
                               struct seg segs[FOG_SEGMENTS_MAX], unsigned *n);

/** Writes the header of s, FOG_KCP_HEADER bytes. */
void fogi_seg_put(uint8_t *to, const struct seg *s);

#endif
