/* SPDX-License-Identifier: MIT */
#include "arq/copies.h"

static struct copy *
entry(struct copies *c, unsigned i)
{
    return &c->list[(c->head + i) % COPIES_MAX];
}

void
fogi_copies_add(struct copies *c, uint32_t sn, uint32_t tx, fog_time due)
{
    if (c->n == COPIES_MAX)
        return;
    if (c->n > 0 && entry(c, c->n - 1u)->due > due)
        due = entry(c, c->n - 1u)->due;
    *entry(c, c->n++) = (struct copy){due, sn, tx};
}

bool
fogi_copies_next(struct copies *c, struct copy *out, fog_time now)
{
    if (now < fogi_copies_deadline(c))
        return false;
    *out = *entry(c, 0);
    c->head = (uint8_t)((c->head + 1) % COPIES_MAX);
    c->n--;
    return true;
}

fog_time
fogi_copies_deadline(const struct copies *c)
{
    return c->n ? c->list[c->head].due : FOG_TIME_NEVER;
}

void
fogi_copies_allow(struct copies *c, uint64_t per_s, uint32_t at_once, fog_time now)
{
    uint32_t rate = per_s < UINT32_MAX ? (uint32_t)per_s : UINT32_MAX;
    if (c->favour.burst == 0)
        bucket_init(&c->favour, at_once, rate, now);
    bucket_refill(&c->favour, now);
    c->favour.per_s = rate;
}
