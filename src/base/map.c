/* SPDX-License-Identifier: MIT */
#include "base/map.h"

#include <assert.h>
#include <string.h>

void
fogi_map_clear(struct map *t, struct mem *m)
{
    mem_put(m, t->slots, t->cap * sizeof *t->slots);
    *t = (struct map){0};
}

static bool
grow(struct map *t, struct mem *m)
{
    uint32_t cap = t->cap ? t->cap * 2 : 8;
    struct map_node **slots = mem_get(m, cap * sizeof *slots);
    if (!slots)
        return false;
    memset(slots, 0, cap * sizeof *slots);
    for (uint32_t i = 0; i < t->cap; i++) {
        for (struct map_node *node = t->slots[i], *next; node; node = next) {
            next = node->next;
            node->next = slots[node->hash & (cap - 1)];
            slots[node->hash & (cap - 1)] = node;
        }
    }
    mem_put(m, t->slots, t->cap * sizeof *slots);
    t->slots = slots;
    t->cap = cap;
    return true;
}

bool
fogi_map_add(struct map *t, struct mem *m, struct map_node *node, uint64_t hash)
{
    if (t->n >= t->cap && !grow(t, m))
        return false;
    node->hash = hash;
    node->next = t->slots[hash & (t->cap - 1)];
    t->slots[hash & (t->cap - 1)] = node;
    t->n++;
    return true;
}

void
fogi_map_remove(struct map *t, struct map_node *node)
{
    struct map_node **link = &t->slots[node->hash & (t->cap - 1)];
    while (*link != node) {
        assert(*link && "the node is in the table");
        link = &(*link)->next;
    }
    *link = node->next;
    t->n--;
}

struct map_node *
fogi_map_find(const struct map *t, uint64_t hash)
{
    struct map_node *node = t->cap ? t->slots[hash & (t->cap - 1)] : NULL;
    while (node && node->hash != hash)
        node = node->next;
    return node;
}
