/* SPDX-License-Identifier: MIT
 *
 * map.h - hash table of intrusive nodes, chained, doubling. Knows hashes, not keys: the caller
 * hashes (keyed, where a peer chooses the key) and compares. Lookup O(1) on average.
 */
#ifndef FOGI_MAP_H
#define FOGI_MAP_H

#include "base/mem.h"

struct map_node {
    struct map_node *next;
    uint64_t hash;
};

struct map {
    struct map_node **slots;
    uint32_t n, cap; /* nodes, slots (a power of two, or 0) */
};

/** Zero is an empty map. Frees the slots, not the nodes. */
void fogi_map_clear(struct map *t, struct mem *m);

/** Adds a node; false without memory. The caller has made sure that its key is not there yet. */
bool fogi_map_add(struct map *t, struct mem *m, struct map_node *node, uint64_t hash);

/** Takes a node out that is in. */
void fogi_map_remove(struct map *t, struct map_node *node);

/** First node with this hash; then map_again() until NULL. */
struct map_node *fogi_map_find(const struct map *t, uint64_t hash);

static inline struct map_node *
map_again(const struct map_node *node)
{
    uint64_t hash = node->hash;
    do
        node = node->next;
    while (node && node->hash != hash);
    return (struct map_node *)(uintptr_t)node;
}

#endif
