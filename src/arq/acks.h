/* SPDX-License-Identifier: MIT
 *
 * acks.h - acknowledgements that wait for the next datagram. Knows (sn, ts) pairs; not payload.
 *
 * What arrived in order, or again, needs one ACK in all: una covers the rest, and the newest tells
 * the round trip. What arrived ahead of a hole is listed, in order of arrival; entries that una has
 * caught up with meanwhile are skipped when written. So never more ACK bytes leave than PUSH bytes
 * came. Toward a peer of our kind little is listed: sack.h tells it.
 *
 * Invariant: at most `max` entries, each sn at most once (the receive ring marks which are listed).
 */
#ifndef FOGI_ACKS_H
#define FOGI_ACKS_H

#include "base/mem.h"
#include "base/seq.h"

struct ack {
    uint32_t sn, ts;
};

struct acks {
    struct ack newest; /* of those una covers */
    bool has_newest;
    struct ack *list;
    uint32_t head, n, cap, max; /* entries: list[head..n-1] wait */
};

void fogi_acks_init(struct acks *a, uint32_t max);
void fogi_acks_deinit(struct acks *a, struct mem *m);

/** Makes room for `more` listed entries, as far as the limit allows. False without memory. */
bool fogi_acks_room(struct acks *a, struct mem *m, uint32_t more);

/** sn is in order or was known: it takes the place of the newest. */
void fogi_acks_newest(struct acks *a, uint32_t sn, uint32_t ts);

/** sn is ahead of a hole: lists it. False at the limit. There is room. */
bool fogi_acks_list(struct acks *a, uint32_t sn, uint32_t ts);

/** Whether anything waits. */
static inline bool
acks_waiting(const struct acks *a)
{
    return a->has_newest || a->head != a->n;
}

/** Takes the next to be written, those ahead of a hole first; false when there is none. Frees the
 * list when it becomes empty. `una` is what the datagram will say. O(1) amortised. */
bool fogi_acks_next(struct acks *a, struct mem *m, uint32_t una, struct ack *out);

#endif
