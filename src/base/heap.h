/* SPDX-License-Identifier: MIT
 *
 * heap.h - deadlines in order: a binary heap of intrusive nodes. Equal deadlines come out in the
 * order they were set, so runs repeat exactly. O(log n); the heap's array is its only memory.
 */
#ifndef FOGI_HEAP_H
#define FOGI_HEAP_H

#include "base/mem.h"

struct heap_node {
    fog_time at;
    uint64_t order;
    uint32_t index; /* place in the array + 1; 0: not in a heap */
};

struct heap {
    struct heap_node **nodes;
    uint32_t n, cap;
    uint64_t order;
};

/** Zero is an empty heap. Frees the array, not the nodes. */
void fogi_heap_clear(struct heap *h, struct mem *m);

/** Room for n nodes in all, so that fogi_heap_set() cannot fail. False without memory. */
bool fogi_heap_room(struct heap *h, struct mem *m, uint32_t n);

/** Puts node in, or moves it, to `at`; FOG_TIME_NEVER takes it out. Needs room. */
void fogi_heap_set(struct heap *h, struct heap_node *node, fog_time at);

/** The node due first, NULL when empty. O(1). */
static inline struct heap_node *
heap_first(const struct heap *h)
{
    return h->n ? h->nodes[0] : NULL;
}

#endif
