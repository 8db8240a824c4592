/* SPDX-License-Identifier: MIT */
#include "mux/finhold.h"

fog_time
fogi_finhold(const struct finhold *h, fog_time now)
{
    fog_time when = now;
    if (h->extended)
        return now;
    if (h->fin_in) {
        /* R6: the peer's stream dies with our FIN and takes what it has not read with it. */
        if (h->in_flight)
            return FOG_TIME_NEVER;
        if (h->acked_at != FOG_TIME_NEVER)
            when = h->acked_at + FINHOLD_GAP_US;
    } else if (h->last_in != FOG_TIME_NEVER) {
        /* R7: after our FIN the peer stalls at its first full window. */
        when = h->last_in + FINHOLD_QUIET_US;
    }
    return when > now ? when : now;
}
