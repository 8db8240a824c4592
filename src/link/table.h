/* SPDX-License-Identifier: MIT
 *
 * table.h - addresses to links: whose datagram is it? A link is its peer's address and port and
 * nothing else (wire-vproxy section 1.1). Keyed, so that strangers cannot aim at one bucket.
 */
#ifndef FOGI_LINK_TABLE_H
#define FOGI_LINK_TABLE_H

#include "base/map.h"

/** Embedded in whatever stands for a peer. */
struct link {
    struct map_node node;
    struct fog_addr addr;
};

struct link_table {
    struct map map;
    uint8_t key[16];
};

void fogi_link_table_init(struct link_table *t, const uint8_t key[16]);
void fogi_link_table_clear(struct link_table *t, struct mem *m);

/** NULL: the address is unknown. O(1). */
struct link *fogi_link_find(const struct link_table *t, const struct fog_addr *addr);

/** Adds l under addr, which must be unknown; false without memory. */
bool fogi_link_add(struct link_table *t, struct mem *m, struct link *l,
                   const struct fog_addr *addr);
void fogi_link_remove(struct link_table *t, struct link *l);

#endif
