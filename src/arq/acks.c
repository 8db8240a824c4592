/* SPDX-License-Identifier: MIT */
#include "arq/acks.h"

#include <assert.h>
#include <string.h>

#define CAP_MIN 16u

void
fogi_acks_init(struct acks *a, uint32_t max)
{
    *a = (struct acks){.max = max};
}

void
fogi_acks_deinit(struct acks *a, struct mem *m)
{
    mem_put(m, a->list, a->cap * sizeof *a->list);
    a->list = NULL;
    a->head = a->n = a->cap = 0;
}

bool
fogi_acks_room(struct acks *a, struct mem *m, uint32_t more)
{
    uint32_t waiting = a->n - a->head;
    uint32_t want = more < a->max - waiting ? waiting + more : a->max;
    if (want <= a->cap - a->head)
        return true;
    if (want <= a->cap / 2) { /* at least half was written already: cheap to move the rest */
        memmove(a->list, a->list + a->head, waiting * sizeof *a->list);
        a->head = 0;
        a->n = waiting;
        return true;
    }
    uint32_t cap = a->cap ? a->cap : CAP_MIN;
    while (cap < want)
        cap *= 2;
    cap = cap == a->cap ? cap * 2 : cap;
    struct ack *list = mem_get(m, cap * sizeof *list);
    if (!list)
        return false;
    if (waiting)
        memcpy(list, a->list + a->head, waiting * sizeof *list);
    fogi_acks_deinit(a, m);
    a->list = list;
    a->cap = cap;
    a->n = waiting;
    return true;
}

void
fogi_acks_newest(struct acks *a, uint32_t sn, uint32_t ts)
{
    a->newest = (struct ack){sn, ts};
    a->has_newest = true;
}

bool
fogi_acks_list(struct acks *a, uint32_t sn, uint32_t ts)
{
    if (a->n - a->head == a->max)
        return false;
    assert(a->n < a->cap && "the caller made room");
    a->list[a->n++] = (struct ack){sn, ts};
    return true;
}

bool
fogi_acks_next(struct acks *a, struct mem *m, uint32_t una, struct ack *out)
{
    while (a->head != a->n) {
        *out = a->list[a->head++];
        if (seq_le(una, out->sn))
            return true;
    }
    fogi_acks_deinit(a, m);
    if (!a->has_newest)
        return false;
    a->has_newest = false;
    *out = a->newest;
    return true;
}
