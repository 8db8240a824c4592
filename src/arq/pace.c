/* SPDX-License-Identifier: MIT */
#include "arq/pace.h"

#include <assert.h>

#define BURST_DATAGRAMS 16
#define BURST_PER_SECOND 500 /* 2 ms: two ticks of a millisecond timer */

void
fogi_pace_init(struct pace *p, uint32_t mtu)
{
    *p = (struct pace){.mtu = mtu};
}

void
fogi_pace_set(struct pace *p, uint64_t rate, fog_time now)
{
    if (rate == 0) {
        p->limited = false;
        return;
    }
    uint32_t per_s = rate < UINT32_MAX ? (uint32_t)rate : UINT32_MAX;
    uint32_t burst = per_s / BURST_PER_SECOND;
    if (burst < BURST_DATAGRAMS * p->mtu)
        burst = BURST_DATAGRAMS * p->mtu;
    if (!p->limited) {
        bucket_init(&p->bucket, burst, per_s, now);
        p->limited = true;
        return;
    }
    bucket_refill(&p->bucket, now);
    p->bucket.burst = burst;
    p->bucket.per_s = per_s;
    bucket_give(&p->bucket, 0); /* cuts what is above the new burst */
}

bool
fogi_pace_may(struct pace *p, fog_time now)
{
    if (!p->limited)
        return true;
    bucket_refill(&p->bucket, now);
    return p->bucket.level >= (uint64_t)p->mtu * 1000000;
}

void
fogi_pace_sent(struct pace *p, size_t bytes, fog_time now)
{
    if (!p->limited)
        return;
    bool paid = bucket_take(&p->bucket, (uint32_t)bytes, now);
    assert(paid && "the caller asked fogi_pace_may() first");
    (void)paid;
}

fog_time
fogi_pace_when(const struct pace *p)
{
    return p->limited ? bucket_when(&p->bucket, p->mtu) : 0;
}
