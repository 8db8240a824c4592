/* SPDX-License-Identifier: MIT */
#include "link/table.h"

#include "base/list.h"
#include "base/siphash.h"

#include <string.h>

void
fogi_link_table_init(struct link_table *t, const uint8_t key[16])
{
    *t = (struct link_table){0};
    memcpy(t->key, key, sizeof t->key);
}

void
fogi_link_table_clear(struct link_table *t, struct mem *m)
{
    fogi_map_clear(&t->map, m);
}

static uint64_t
hash_of(const struct link_table *t, const struct fog_addr *addr)
{
    return fogi_siphash(t->key, addr, sizeof *addr);
}

struct link *
fogi_link_find(const struct link_table *t, const struct fog_addr *addr)
{
    struct map_node *node = fogi_map_find(&t->map, hash_of(t, addr));
    for (; node; node = map_again(node)) {
        struct link *l = list_entry(node, struct link, node);
        if (memcmp(&l->addr, addr, sizeof *addr) == 0)
            return l;
    }
    return NULL;
}

bool
fogi_link_add(struct link_table *t, struct mem *m, struct link *l, const struct fog_addr *addr)
{
    l->addr = *addr;
    return fogi_map_add(&t->map, m, &l->node, hash_of(t, addr));
}

void
fogi_link_remove(struct link_table *t, struct link *l)
{
    fogi_map_remove(&t->map, &l->node);
}
