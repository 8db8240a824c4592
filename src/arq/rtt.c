/* SPDX-License-Identifier: MIT */
#include "arq/rtt.h"

void
fogi_rtt_init(struct rtt *r, fog_time min_us, fog_time slack_us)
{
    *r = (struct rtt){.rto_us = RTT_RTO_INITIAL, .min_us = min_us, .slack_us = slack_us};
}

void
fogi_rtt_sample(struct rtt *r, fog_time sample_us)
{
    if (sample_us < 0 || sample_us > RTT_SAMPLE_MAX)
        return;
    if (sample_us == 0)
        sample_us = 1;
    if (r->srtt_us == 0) {
        r->srtt_us = sample_us;
        r->rttvar_us = sample_us / 2;
    } else {
        fog_time off = sample_us > r->srtt_us ? sample_us - r->srtt_us : r->srtt_us - sample_us;
        r->rttvar_us = (3 * r->rttvar_us + off) / 4;
        r->srtt_us = (7 * r->srtt_us + sample_us) / 8;
        if (r->srtt_us == 0)
            r->srtt_us = 1;
    }
    fog_time spread = 4 * r->rttvar_us;
    fog_time rto = r->srtt_us + (spread > r->slack_us ? spread : r->slack_us);
    rto = rto > r->min_us ? rto : r->min_us;
    r->rto_us = rto < RTT_RTO_MAX ? rto : RTT_RTO_MAX;
}
