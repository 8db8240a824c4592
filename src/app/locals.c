/* SPDX-License-Identifier: MIT */
#include "app/locals.h"

#include "base/siphash.h"

#include <string.h>

void
fogi_locals_init(struct locals *l, const uint8_t key[16])
{
    memset(l, 0, sizeof *l);
    memcpy(l->key, key, sizeof l->key);
}

/** Set and way of a peer; the way is LOCALS_WAYS when it is not there. */
static void
look_up(const struct locals *l, const struct fog_addr *peer, unsigned *set, unsigned *way)
{
    *set = (unsigned)(fogi_siphash(l->key, peer, sizeof *peer) & (LOCALS_SETS - 1));
    for (*way = 0; *way < LOCALS_WAYS; ++*way)
        if (l->at[*set][*way].used && !memcmp(&l->at[*set][*way].peer, peer, sizeof *peer))
            return;
}

void
fogi_locals_note(struct locals *l, const struct fog_addr *peer, const struct fog_addr *local)
{
    unsigned set, way;
    look_up(l, peer, &set, &way);
    if (way == LOCALS_WAYS) {
        way = l->next[set];
        l->next[set] = (uint8_t)((way + 1) % LOCALS_WAYS);
    }
    l->at[set][way].peer = *peer;
    l->at[set][way].local = *local;
    l->at[set][way].used = true;
}

const struct fog_addr *
fogi_locals_find(const struct locals *l, const struct fog_addr *peer)
{
    unsigned set, way;
    look_up(l, peer, &set, &way);
    return way == LOCALS_WAYS ? NULL : &l->at[set][way].local;
}
