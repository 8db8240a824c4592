/* SPDX-License-Identifier: MIT */
#include "mux/finhold.h"

/* An idle vproxy hands 1 MB on in some 30 ms; one that shares its processor with eight others was
 * seen to need more than the 50 ms that were enough before. */
static fog_time
gap(uint32_t acked)
{
    /* clang-format off */
    static const struct {
        uint32_t up_to; /* bytes */
        fog_time gap;
    } gaps[] = {
        {  16 * 1024, FOG_MS(50)         },
        {  64 * 1024, FOG_MS(100)        },
        { 256 * 1024, FOG_MS(250)        },
        {1024 * 1024, FOG_MS(500)        },
        { UINT32_MAX, FINHOLD_GAP_MAX_US },
    };
    /* clang-format on */
    size_t i = 0;
    while (acked > gaps[i].up_to)
        i++;
    return gaps[i].gap;
}

/** When both have heard what the other said. */
static fog_time
answered(const struct finhold *h)
{
    bool later = h->acked_at != FOG_TIME_NEVER && h->acked_at > h->last_in;
    return later ? h->acked_at : h->last_in;
}

fog_time
fogi_finhold(const struct finhold *h, fog_time now)
{
    fog_time when = now;
    if (h->extended)
        return now;
    if (h->fin_in) {
        if (h->in_flight)
            return FOG_TIME_NEVER;
        if (h->acked_at != FOG_TIME_NEVER)
            when = h->acked_at + gap(h->acked);
    } else if (h->last_in != FOG_TIME_NEVER) {
        fog_time spell_end = h->spell_at + FINHOLD_SPELL_US;
        when = h->last_in + FINHOLD_QUIET_US;
        if (h->spell_in <= FINHOLD_FEW && spell_end < when)
            when = spell_end;
        if (h->asked && !h->in_flight && answered(h) + FINHOLD_BRIEF_US < when)
            when = answered(h) + FINHOLD_BRIEF_US;
    }
    return when > now ? when : now;
}
