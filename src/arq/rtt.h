/* SPDX-License-Identifier: MIT
 *
 * rtt.h - round-trip time and the retransmission timeout that follows from it. Pure numbers: knows
 * no segments, no clock, no back-off.
 *
 *     first sample   srtt = r, rttvar = r/2
 *     later          rttvar += (|srtt - r| - rttvar)/4, srtt += (r - srtt)/8
 *     always         rto = srtt + max(slack, 4 rttvar), within min..60 s; 200 ms before a sample
 */
#ifndef FOGI_RTT_H
#define FOGI_RTT_H

#include <foggara/types.h>

#define RTT_RTO_INITIAL FOG_MS(200)
#define RTT_RTO_MAX FOG_SEC(60)
#define RTT_SAMPLE_MAX FOG_SEC(60) /* older echoes say nothing about the path (threats K12) */

struct rtt {
    fog_time srtt_us, rttvar_us; /* 0: no sample yet          */
    fog_time rto_us;
    fog_time min_us, slack_us; /* options of the same names */
};

void fogi_rtt_init(struct rtt *r, fog_time min_us, fog_time slack_us);

/** Takes one sample. Negative ones and those over RTT_SAMPLE_MAX are ignored; 0 counts as 1 us. */
void fogi_rtt_sample(struct rtt *r, fog_time sample_us);

#endif
