/* SPDX-License-Identifier: MIT */
#include "base/heap.h"

#include <assert.h>
#include <string.h>

void
fogi_heap_clear(struct heap *h, struct mem *m)
{
    mem_put(m, h->nodes, h->cap * sizeof(struct heap_node *));
    *h = (struct heap){0};
}

bool
fogi_heap_room(struct heap *h, struct mem *m, uint32_t n)
{
    if (n <= h->cap)
        return true;
    uint32_t cap = h->cap ? h->cap : 16;
    while (cap < n)
        cap *= 2;
    struct heap_node **nodes = mem_get(m, cap * sizeof *nodes);
    if (!nodes)
        return false;
    if (h->n)
        memcpy(nodes, h->nodes, h->n * sizeof *nodes);
    mem_put(m, h->nodes, h->cap * sizeof *nodes);
    h->nodes = nodes;
    h->cap = cap;
    return true;
}

static bool
before(const struct heap_node *a, const struct heap_node *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void
place(struct heap *h, struct heap_node *node, uint32_t i)
{
    h->nodes[i] = node;
    node->index = i + 1;
}

static void
sift_up(struct heap *h, struct heap_node *node, uint32_t i)
{
    while (i > 0 && before(node, h->nodes[(i - 1) / 2])) {
        place(h, h->nodes[(i - 1) / 2], i);
        i = (i - 1) / 2;
    }
    place(h, node, i);
}

static void
sift_down(struct heap *h, struct heap_node *node, uint32_t i)
{
    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child >= h->n)
            break;
        if (child + 1 < h->n && before(h->nodes[child + 1], h->nodes[child]))
            child++;
        if (!before(h->nodes[child], node))
            break;
        place(h, h->nodes[child], i);
        i = child;
    }
    place(h, node, i);
}

void
fogi_heap_set(struct heap *h, struct heap_node *node, fog_time at)
{
    if (node->index) {
        if (node->at == at)
            return;
        uint32_t i = node->index - 1;
        struct heap_node *last = h->nodes[--h->n];
        node->index = 0;
        if (last != node) {
            if (i > 0 && before(last, h->nodes[(i - 1) / 2]))
                sift_up(h, last, i);
            else
                sift_down(h, last, i);
        }
    }
    node->at = at;
    if (at == FOG_TIME_NEVER)
        return;
    assert(h->n < h->cap && "room was made when the node's owner was");
    node->order = h->order++;
    sift_up(h, node, h->n++);
}
