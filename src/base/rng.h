/* SPDX-License-Identifier: MIT
 *
 * rng.h - a seeded random generator (splitmix64) for jitter, eviction and the simulator. Not for
 * secrets: what must not be guessed is drawn from the system and handed in as an argument.
 */
#ifndef FOGI_RNG_H
#define FOGI_RNG_H

#include <stdint.h>

struct rng {
    uint64_t state;
};

static inline uint64_t
rng_next(struct rng *r)
{
    uint64_t z = (r->state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/** Even in 0..n-1; n > 0. */
static inline uint32_t
rng_below(struct rng *r, uint32_t n)
{
    return (uint32_t)((rng_next(r) >> 32) * n >> 32);
}

/** Even in [0, 1). */
static inline double
rng_unit(struct rng *r)
{
    return (double)(rng_next(r) >> 11) * 0x1p-53;
}

/** A generator of its own for `name`, so that adding one does not shift the others. */
static inline struct rng
rng_split(const struct rng *r, uint64_t name)
{
    struct rng child = {r->state ^ (name * 0xd1342543de82ef95u + 0x632be59bd9b4e019u)};
    rng_next(&child);
    return child;
}

#endif
