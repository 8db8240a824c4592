/* SPDX-License-Identifier: MIT
 *
 * txlog.h - the log of transmissions: which segment left when, under which number. Knows numbers,
 * times and what became of each; not bytes, windows or timeouts.
 *
 * A PUSH carries ts = base + its number. Peers hand ts back bit for bit in their ACK, so an ACK
 * names the transmission it answers: round trips are exact for retransmissions too, and an ACK that
 * names none of ours is forged. Numbers and stamps wrap; both compare as serial numbers.
 *
 * Invariant: every record with state TX_OUT is kept. A segment has at most one of them, unless it
 * was sent twice on purpose. The ring holds 2^k records, at most `max`. Resolved records stay for a
 * while, so that late ACKs of segments sent again are recognised.
 */
#ifndef FOGI_TXLOG_H
#define FOGI_TXLOG_H

#include "base/mem.h"
#include "base/seq.h"

enum tx_state {
    TX_OUT,   /* on its way: neither acknowledged nor given up          */
    TX_ACKED, /* its own ACK came                                       */
    TX_LOST,  /* declared lost                                          */
    TX_DONE   /* its segment arrived, by this transmission or another   */
};

struct tx {
    fog_time sent_at;
    fog_time delivered_at, first_sent_at; /* rate.h: how things stood when this left */
    uint64_t delivered;
    uint32_t sn;
    uint32_t una;   /* newest una the peer had told when this left: it can never tell a lower one */
    uint16_t bytes; /* header and payload */
    uint8_t state;  /* enum tx_state      */
    bool first;     /* of its segment                                      */
    bool calm;      /* sent while congestion control did not probe for more */
    bool limited;   /* sent while there was too little to say (rate.h)      */
    bool by_order;  /* TX_LOST because later ones arrived, not by timeout   */
};

struct txlog {
    struct tx *ring;
    uint32_t cap, max;   /* records */
    uint32_t base;       /* stamp of number 0 */
    uint32_t tail, next; /* numbers kept: tail <= number < next */
    uint32_t out;        /* records in state TX_OUT */
    size_t out_bytes;    /* their sizes */
};

/** An empty log for a window of wnd segments. */
void fogi_txlog_init(struct txlog *l, uint32_t base, uint32_t wnd);

/** Forgets all records and frees the ring; numbers go on. */
void fogi_txlog_clear(struct txlog *l, struct mem *m);

/** Makes room for one more record: drops the oldest if it left at `old` or before, else grows, else
 *  drops it all the same. `keep` is the oldest number that must stay. False without memory. O(1)
 *  amortised. */
bool fogi_txlog_room(struct txlog *l, struct mem *m, uint32_t keep, fog_time old);

/** Appends a transmission; there is room. Returns its number. */
uint32_t fogi_txlog_add(struct txlog *l, uint32_t sn, uint32_t una, fog_time now);

/** Notes the size of the transmission just added. */
static inline void
txlog_weigh(struct txlog *l, struct tx *t, size_t bytes)
{
    t->bytes = (uint16_t)bytes;
    l->out_bytes += bytes;
}

/** The record with this stamp, if it was for sn; else NULL. O(1). */
struct tx *fogi_txlog_find(const struct txlog *l, uint32_t ts, uint32_t sn);

/** Sets what became of a record; not back to TX_OUT. */
void fogi_txlog_resolve(struct txlog *l, struct tx *t, enum tx_state state);

static inline bool
txlog_has(const struct txlog *l, uint32_t number)
{
    return seq_in(number, l->tail, l->next);
}

/** A record that is kept. */
static inline struct tx *
txlog_at(const struct txlog *l, uint32_t number)
{
    return &l->ring[number & (l->cap - 1)];
}

static inline uint32_t
txlog_number(const struct txlog *l, uint32_t ts)
{
    return ts - l->base;
}

static inline uint32_t
txlog_stamp(const struct txlog *l, uint32_t number)
{
    return l->base + number;
}

#endif
