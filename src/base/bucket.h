/* SPDX-License-Identifier: MIT
 *
 * bucket.h - token bucket. Knows time and tokens; not what a token pays for.
 * In every interval of length T it grants at most burst + per_s x T.
 */
#ifndef FOGI_BUCKET_H
#define FOGI_BUCKET_H

#include <foggara/types.h>

struct bucket {
    uint64_t level; /* millionths of a token */
    fog_time at;    /* when level was right  */
    uint32_t burst, per_s;
};

static inline void
bucket_init(struct bucket *b, uint32_t burst, uint32_t per_s, fog_time now)
{
    *b = (struct bucket){
        .level = (uint64_t)burst * 1000000, .at = now, .burst = burst, .per_s = per_s};
}

static inline void
bucket_refill(struct bucket *b, fog_time now)
{
    if (now <= b->at)
        return;
    uint64_t full = (uint64_t)b->burst * 1000000, passed = (uint64_t)(now - b->at);
    b->at = now;
    if (b->per_s && passed >= (full - b->level) / b->per_s + 1)
        b->level = full;
    else
        b->level += passed * b->per_s;
}

/** Takes n tokens, or none and says false. */
static inline bool
bucket_take(struct bucket *b, uint32_t n, fog_time now)
{
    bucket_refill(b, now);
    if (b->level < (uint64_t)n * 1000000)
        return false;
    b->level -= (uint64_t)n * 1000000;
    return true;
}

/** Puts n tokens back, up to the burst. */
static inline void
bucket_give(struct bucket *b, uint32_t n)
{
    uint64_t full = (uint64_t)b->burst * 1000000;
    b->level = b->level + (uint64_t)n * 1000000 > full ? full : b->level + (uint64_t)n * 1000000;
}

/** When n tokens will be there; FOG_TIME_NEVER when they never will. */
static inline fog_time
bucket_when(const struct bucket *b, uint32_t n)
{
    uint64_t need = (uint64_t)n * 1000000;
    if (b->level >= need)
        return b->at;
    if (!b->per_s || n > b->burst)
        return FOG_TIME_NEVER;
    return b->at + (fog_time)((need - b->level + b->per_s - 1) / b->per_s);
}

#endif
