/* SPDX-License-Identifier: MIT */
#include "app/turnstile.h"

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

void
fogi_turnstile_init(struct turnstile *t, struct turnstile_rate rate, const uint8_t key[16])
{
    memset(t, 0, sizeof *t);
    t->rate = rate;
    memcpy(t->key, key, 16);
}

/** The source's own way, or the one that means least, which begins anew with it. */
static struct turnstile_way *
way_of(struct turnstile *t, const uint8_t source[16])
{
    struct turnstile_way *ways = t->table[fogi_siphash(t->key, source, 16) % TURNSTILE_BUCKETS];
    struct turnstile_way *least = ways;
    for (int i = 0; i < TURNSTILE_WAYS; i++) {
        if (!memcmp(ways[i].source, source, 16))
            return &ways[i];
        if (ways[i].spent < least->spent)
            least = &ways[i];
    }
    memcpy(least->source, source, 16);
    least->spent = 0;
    return least;
}

fog_time
fogi_turnstile_pass(struct turnstile *t, const struct fog_addr *from, fog_time now)
{
    const struct turnstile_rate *r = &t->rate;
    uint8_t source[16];
    source_of(from, source);
    struct turnstile_way *w = way_of(t, source);
    w->spent = (w->spent > now ? w->spent : now) + r->each;
    if (w->spent > now + r->credit + r->most)
        w->spent = now + r->credit + r->most;
    return w->spent > now + r->credit ? w->spent - now - r->credit : 0;
}
