/* SPDX-License-Identifier: MIT */
#include "mux/guard.h"

static void
init(struct bucket *b, struct fog_rate rate, fog_time now)
{
    bucket_init(b, rate.burst, rate.per_s, now);
}

void
fogi_guard_init(struct guard *g, const struct fog_mux_limits *l, fog_time now)
{
    init(&g->opens, l->opens, now);
    init(&g->resets, l->resets, now);
    init(&g->glitches, l->glitches, now);
    init(&g->frames, l->frames, now);
    init(&g->pings, l->pings, now);
    init(&g->empties, l->empties, now);
    bucket_init(&g->inflate, l->inflate_turn, l->inflate_turn, now);
}

bool
fogi_guard_glitch(struct guard *g, fog_time now)
{
    struct bucket *b = &g->glitches;
    return bucket_take(b, 1, now) && b->level >= (uint64_t)b->burst * 1000000 / 4;
}
