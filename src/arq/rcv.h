/* SPDX-License-Identifier: MIT
 *
 * rcv.h - the receive side: puts segments in order and lends their bytes. Knows sn and payload; not
 * time, acks' form or datagrams.
 *
 *     sn:   read ...... in order, not consumed ...... next ... holes and early ones ... read + wnd
 *
 * Slots live in a ring indexed by sn, 2^k large, grown on demand; each has memory for exactly its
 * payload. A segment is judged before anything is allocated for it. What a datagram needs is staged
 * first, so that it is taken whole or not at all. What comes in order is not copied at once but
 * stays in the datagram until fogi_rcv_keep(): most of it has been consumed by then.
 *
 * Invariant: read <= sn < next is filled; the slot at read is not empty unless read == next. Memory
 * is at most `most` payloads, twice `most_bytes` of them, and the ring.
 */
#ifndef FOGI_RCV_H
#define FOGI_RCV_H

#include "arq/acks.h"
#include "arq/seg.h"

#define RCV_NEAR 384     /* segments below top that sack.h tells anyway */
#define RCV_NEAR_NAMED 4 /* toward our kind, one in so many of them is named too */
#define RCV_EMPTY_MAX 64 /* zero-length segments in a row (threats K9) */
#define RCV_BYTES                                                                                  \
    (UINT32_C(32) << 20) /* of payload; as many small segments as the default window */
#define RCV_SMALL                                                                                  \
    (FOG_MTU_DEFAULT - FOG_KCP_HEADER) /* payload up to which segments are the bound */

struct slot {
    uint8_t *data;       /* len bytes; NULL when len is 0          */
    const uint8_t *lent; /* where they still are; NULL: in data    */
    uint16_t len;
    bool filled;
    bool listed; /* an ACK for it waits in the list */
};

struct rcv {
    struct slot *ring;
    uint32_t cap;        /* slots */
    uint32_t wnd;        /* segments: what may come, as the peer is told */
    uint32_t most;       /* segments: what is taken, at most wnd; less from a stranger */
    uint32_t most_bytes; /* of payload: what comes beyond is not taken, unless it is next; and
                            nothing is beyond twice as much */
    uint32_t bytes;      /* of payload, in slots */
    uint32_t read, next; /* sn */
    uint32_t kept;       /* sn: none before it is still in a datagram */
    uint32_t top;        /* sn after the highest that has arrived; next when there is no hole */
    uint32_t filled;     /* slots */
    uint16_t large;      /* the largest payload so far */
    uint16_t off;        /* bytes of the slot at `read` already consumed */
    uint8_t empty_run;   /* zero-length segments in a row */
    uint8_t near;        /* counts what came a little late */
    bool kin;            /* the peer is of our kind: fewer names, see sack.h */
};

enum rcv_verdict {
    RCV_NEW,
    RCV_OLD,    /* before next: arrived before, una says so     */
    RCV_EARLY,  /* beyond next: arrived before, waits for others */
    RCV_BEYOND, /* beyond the window                            */
    RCV_EMPTY   /* one zero-length segment too many             */
};

void fogi_rcv_init(struct rcv *r, uint32_t sn, uint32_t wnd);
void fogi_rcv_deinit(struct rcv *r, struct mem *m);

/** What to do with sn. O(1). */
enum rcv_verdict fogi_rcv_judge(const struct rcv *r, uint32_t sn, uint16_t len);

/** What was set aside for one segment of a datagram. */
struct rcv_stage {
    uint8_t *data; /* memory for its payload; NULL when that is empty */
    bool take;     /* there is room for it */
};

/**
 * Makes room for the payloads of all new PUSHes among segs, for their slots and acks.
 *
 * Gives      st[i], to be handed to fogi_rcv_put() for each PUSH, in order.
 * Returns    false without memory: nothing has changed
 */
bool fogi_rcv_stage(struct rcv *r, struct acks *acks, struct mem *m, const struct seg *segs,
                    unsigned n, struct rcv_stage st[FOG_SEGMENTS_MAX]);

/** Applies one staged PUSH and notes its ack. Takes st->data; s->data is lent until
 *  fogi_rcv_keep(). *unlisted is set when the ack was not kept. Never allocates. */
enum rcv_verdict fogi_rcv_put(struct rcv *r, struct acks *acks, struct mem *m, const struct seg *s,
                              const struct rcv_stage *st, bool *unlisted);

/** Copies what is still lent. */
void fogi_rcv_keep(struct rcv *r);

/** After the last put of a datagram: frees the ring when nothing is in it. */
void fogi_rcv_settle(struct rcv *r, struct mem *m);

/** Marks the slot of an ack that was written, if it still has one, so that it may be listed again.
 */
void fogi_rcv_acked(struct rcv *r, uint32_t sn);

/** Lends the next bytes in order; *len = 0 when there are none. */
const void *fogi_rcv_peek(const struct rcv *r, size_t *len);

/** Drops len bytes, at most what peek showed. */
void fogi_rcv_consume(struct rcv *r, struct mem *m, size_t len);

/** Segments that may come beyond next: what we advertise. */
static inline uint32_t
rcv_window(const struct rcv *r)
{
    uint32_t in_order = r->next - r->read, window = r->wnd - in_order;
    if (r->large <= RCV_SMALL)
        return window;
    uint32_t free = r->bytes < r->most_bytes ? r->most_bytes - r->bytes : 0;
    uint32_t fit = free / r->large + (r->filled - in_order); /* early ones are in the window */
    return fit < window ? fit : window;
}

/** Whether sn has arrived; next <= sn. */
static inline bool
rcv_has(const struct rcv *r, uint32_t sn)
{
    return sn - r->read < r->cap && r->ring[sn & (r->cap - 1)].filled;
}

#endif
