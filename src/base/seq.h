/* SPDX-License-Identifier: MIT
 *
 * seq.h - serial numbers of 32 bits (sn, una, ts): the only place that compares them.
 * Correct while two compared numbers are less than 2^31 apart (RFC 1982).
 */
#ifndef FOGI_SEQ_H
#define FOGI_SEQ_H

#include <stdbool.h>
#include <stdint.h>

/** a - b as a signed distance. */
static inline int32_t
seq_diff(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b);
}

static inline bool
seq_lt(uint32_t a, uint32_t b)
{
    return seq_diff(a, b) < 0;
}

static inline bool
seq_le(uint32_t a, uint32_t b)
{
    return seq_diff(a, b) <= 0;
}

/** from <= x < to. */
static inline bool
seq_in(uint32_t x, uint32_t from, uint32_t to)
{
    return x - from < to - from;
}

#endif
