/* SPDX-License-Identifier: MIT */
#include "arq/txlog.h"

#include <assert.h>

#define CAP_MIN 16u
#define MAX_MIN 256u /* room for the largest reordering threshold beside a tiny window */

void
fogi_txlog_init(struct txlog *l, uint32_t base, uint32_t wnd)
{
    uint32_t max = MAX_MIN;
    while (max < 4 * wnd)
        max *= 2;
    *l = (struct txlog){.max = max, .base = base};
}

void
fogi_txlog_clear(struct txlog *l, struct mem *m)
{
    mem_put(m, l->ring, l->cap * sizeof *l->ring);
    l->ring = NULL;
    l->cap = 0;
    l->tail = l->next;
    l->out = 0;
    l->out_bytes = 0;
}

static bool
grow(struct txlog *l, struct mem *m)
{
    uint32_t cap = l->cap ? l->cap * 2 : CAP_MIN;
    struct tx *ring = mem_get(m, cap * sizeof *ring);
    if (!ring)
        return false;
    for (uint32_t i = l->tail; i != l->next; i++)
        ring[i & (cap - 1)] = *txlog_at(l, i);
    mem_put(m, l->ring, l->cap * sizeof *l->ring);
    l->ring = ring;
    l->cap = cap;
    return true;
}

bool
fogi_txlog_room(struct txlog *l, struct mem *m, uint32_t keep, fog_time old)
{
    if (l->next - l->tail < l->cap)
        return true;
    bool may_drop = l->tail != keep;
    if (!may_drop || txlog_at(l, l->tail)->sent_at > old) {
        if (l->cap < l->max && grow(l, m))
            return true;
    }
    l->tail += may_drop;
    return may_drop;
}

uint32_t
fogi_txlog_add(struct txlog *l, uint32_t sn, uint32_t una, fog_time now)
{
    assert(l->next - l->tail < l->cap && "the caller made room");
    uint32_t number = l->next++;
    *txlog_at(l, number) = (struct tx){.sent_at = now, .sn = sn, .una = una, .state = TX_OUT};
    l->out++;
    return number;
}

struct tx *
fogi_txlog_find(const struct txlog *l, uint32_t ts, uint32_t sn)
{
    uint32_t number = txlog_number(l, ts);
    if (!txlog_has(l, number))
        return NULL;
    struct tx *t = txlog_at(l, number);
    return t->sn == sn ? t : NULL;
}

void
fogi_txlog_resolve(struct txlog *l, struct tx *t, enum tx_state state)
{
    if (t->state == TX_OUT) {
        l->out--;
        l->out_bytes -= t->bytes;
    }
    t->state = (uint8_t)state;
}
