/* SPDX-License-Identifier: MIT */
#include "arq/pace.h"

#include <assert.h>

#define BURST_DATAGRAMS 16
#define BURST_PER_SECOND 500     /* 2 ms: two ticks of a millisecond timer            */
#define LATE_US FOG_MS(10)       /* made up for at most: less than any queue holds    */
#define LATE_NO_MORE FOG_MS(100) /* who comes so late was idle and not kept from it   */

void
fogi_pace_init(struct pace *p, uint16_t mtu)
{
    *p = (struct pace){.mtu = mtu};
}

/** Fills the bucket. What it will not hold is made up for by a sender that waited. */
static void
refill(struct pace *p, fog_time now)
{
    struct bucket *b = &p->bucket;
    fog_time passed = now - b->at, due = bucket_when(b, p->mtu);
    if (passed <= 0)
        return;
    p->late = 0;
    uint64_t held = b->level / 1000000 + (uint64_t)passed * b->per_s / 1000000;
    uint64_t most = (uint64_t)b->per_s * LATE_US / 1000000;
    if (held > b->burst && p->waits && now - due <= LATE_NO_MORE)
        p->late = (uint32_t)(held - b->burst < most ? held - b->burst : most);
    bucket_refill(b, now);
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
    if (burst < (uint32_t)BURST_DATAGRAMS * p->mtu)
        burst = (uint32_t)BURST_DATAGRAMS * p->mtu;
    if (!p->limited) {
        bucket_init(&p->bucket, burst, per_s, now);
        p->limited = true;
        return;
    }
    refill(p, now);
    p->bucket.burst = burst;
    p->bucket.per_s = per_s;
    bucket_give(&p->bucket, 0); /* cuts what is above the new burst */
}

bool
fogi_pace_may(struct pace *p, fog_time now)
{
    if (!p->limited)
        return true;
    refill(p, now);
    bool may = p->bucket.level >= (uint64_t)p->mtu * 1000000 || p->late >= p->mtu;
    p->waits = !may;
    return may;
}

void
fogi_pace_sent(struct pace *p, size_t bytes, fog_time now)
{
    if (!p->limited)
        return;
    if (bucket_take(&p->bucket, (uint32_t)bytes, now))
        return;
    assert(p->late >= bytes && "the caller asked fogi_pace_may() first");
    p->late -= (uint32_t)bytes;
}

fog_time
fogi_pace_when(const struct pace *p)
{
    if (!p->limited || p->late >= p->mtu)
        return p->limited ? p->bucket.at : 0;
    return bucket_when(&p->bucket, p->mtu);
}
