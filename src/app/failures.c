/* SPDX-License-Identifier: MIT */
#include "app/failures.h"

#include "base/siphash.h"

#include <string.h>

static const uint8_t v4_prefix[12] = {[10] = 0xff, [11] = 0xff};

static void
source_of(const struct fog_addr *a, uint8_t source[16])
{
    memcpy(source, a->ip, 16);
    if (memcmp(a->ip, v4_prefix, sizeof v4_prefix))
        memset(source + 8, 0, 8);
}

static size_t
bucket_of(const struct failures *f, const uint8_t source[16])
{
    return (size_t)(fogi_siphash(f->key, source, 16) % FAILURES_BUCKETS);
}

/** The way of `source` in its bucket that still counts; -1: none. */
static int
find(const struct failure *bucket, const uint8_t source[16], fog_time now)
{
    for (int i = 0; i < FAILURES_WAYS; i++)
        if (bucket[i].n && now - bucket[i].since < FAILURES_SPAN &&
            !memcmp(bucket[i].source, source, 16))
            return i;
    return -1;
}

static fog_time
delay_of(uint32_t n)
{
    if (n <= FAILURES_FREE)
        return 0;
    n -= FAILURES_FREE;
    return n < FAILURES_DELAY_MAX / FAILURES_STEP ? n * FAILURES_STEP : FAILURES_DELAY_MAX;
}

void
fogi_failures_init(struct failures *f, const uint8_t key[16])
{
    memset(f, 0, sizeof *f);
    memcpy(f->key, key, 16);
}

fog_time
fogi_failures_delay(const struct failures *f, const struct fog_addr *from, fog_time now)
{
    uint8_t source[16];
    source_of(from, source);
    const struct failure *bucket = f->table[bucket_of(f, source)];
    int i = find(bucket, source, now);
    return i < 0 ? 0 : delay_of(bucket[i].n);
}

fog_time
fogi_failures_add(struct failures *f, const struct fog_addr *from, fog_time now)
{
    uint8_t source[16];
    source_of(from, source);
    struct failure *bucket = f->table[bucket_of(f, source)];
    int at = find(bucket, source, now);
    if (at < 0) {
        at = 0;
        for (int i = 1; i < FAILURES_WAYS; i++) /* a free one, or the oldest */
            if (bucket[at].n && (!bucket[i].n || bucket[i].since < bucket[at].since))
                at = i;
        bucket[at] = (struct failure){.since = now};
        memcpy(bucket[at].source, source, 16);
    }
    return delay_of(++bucket[at].n);
}
