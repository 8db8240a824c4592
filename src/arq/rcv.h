/* SPDX-License-Identifier: MIT
 *
 * rcv.h - the receive side: puts segments in order and lends their bytes. Knows sn and payload; not
 * time, acks' form or datagrams.
 *
 *     sn:   read ...... in order, not consumed ...... next ... holes and early ones ... read + wnd
 *
 * Slots live in a ring indexed by sn, 2^k large, grown on demand; each holds an exact copy of its
 * payload. A segment is judged before anything is allocated for it. What a datagram needs is staged
 * first, so that it is taken whole or not at all.
 *
 * Invariant: read <= sn < next is filled; the slot at read is not empty unless read == next. Memory
 * is at most `most` payloads and the ring.
 */
#ifndef FOGI_RCV_H
#define FOGI_RCV_H

#include "arq/acks.h"
#include "arq/seg.h"

#define RCV_NEAR 384     /* segments below top that sack.h tells anyway */
#define RCV_NEAR_NAMED 4 /* toward our kind, one in so many of them is named too */
#define RCV_EMPTY_MAX 64 /* zero-length segments in a row (threats K9) */

struct slot {
    uint8_t *data; /* len bytes; NULL when len is 0 */
    uint16_t len;
    bool filled;
    bool listed; /* an ACK for it waits in the list */
};

struct rcv {
    struct slot *ring;
    uint32_t cap;        /* slots */
    uint32_t wnd;        /* segments: what may come, as the peer is told */
    uint32_t most;       /* segments: what is taken, at most wnd; less from a stranger */
    uint32_t read, next; /* sn */
    uint32_t top;        /* sn after the highest that has arrived; next when there is no hole */
    bool kin;            /* the peer is of our kind: fewer names, see sack.h */
    uint8_t near;        /* counts what came a little late */
    uint32_t filled;     /* slots */
    uint16_t off;        /* bytes of the slot at `read` already consumed */
    uint8_t empty_run;   /* zero-length segments in a row */
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
    uint8_t *data; /* a copy of its payload; NULL when that is empty */
    bool take;     /* there is room for it */
};

/**
 * Copies the payloads of all new PUSHes among segs and makes room for their slots and acks.
 *
 * Gives      st[i], to be handed to fogi_rcv_put() for each PUSH, in order.
 * Returns    false without memory: nothing has changed
 */
bool fogi_rcv_stage(struct rcv *r, struct acks *acks, struct mem *m, const struct seg *segs,
                    unsigned n, struct rcv_stage st[FOG_SEGMENTS_MAX]);

/** Applies one staged PUSH and notes its ack. Takes st->data. *unlisted is set when the ack was not
 *  kept. Never allocates. */
enum rcv_verdict fogi_rcv_put(struct rcv *r, struct acks *acks, struct mem *m, const struct seg *s,
                              const struct rcv_stage *st, bool *unlisted);

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
    return r->wnd - (r->next - r->read);
}

/** Whether sn has arrived; next <= sn. */
static inline bool
rcv_has(const struct rcv *r, uint32_t sn)
{
    return sn - r->read < r->cap && r->ring[sn & (r->cap - 1)].filled;
}

#endif
