/* SPDX-License-Identifier: MIT
 *
 * locals.h - which of our addresses each peer talks to, so that answers leave from there (U21).
 * A fixed table that forgets: a peer that was pushed out is answered from the address the system
 * picks until it speaks again. O(1), never grows.
 */
#ifndef FOGI_LOCALS_H
#define FOGI_LOCALS_H

#include <foggara/types.h>

#define LOCALS_SETS 512 /* a power of two */
#define LOCALS_WAYS 4

struct locals {
    uint8_t key[16];
    uint8_t next[LOCALS_SETS]; /* the way to be replaced next */
    struct {
        struct fog_addr peer, local;
        bool used;
    } at[LOCALS_SETS][LOCALS_WAYS];
};

/** key: random bytes, so that nobody can aim at one set. */
void fogi_locals_init(struct locals *l, const uint8_t key[16]);
void fogi_locals_note(struct locals *l, const struct fog_addr *peer, const struct fog_addr *local);

/** NULL when it is not known. */
const struct fog_addr *fogi_locals_find(const struct locals *l, const struct fog_addr *peer);

#endif
