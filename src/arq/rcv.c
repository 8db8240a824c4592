/* SPDX-License-Identifier: MIT */
#include "arq/rcv.h"

#include <assert.h>
#include <string.h>

#define CAP_MIN 8u

void
fogi_rcv_init(struct rcv *r, uint32_t sn, uint32_t wnd)
{
    *r = (struct rcv){.read = sn, .next = sn, .top = sn, .wnd = wnd, .most = wnd, .kept = sn};
    r->most_bytes = RCV_BYTES;
}

static struct slot *
slot_at(const struct rcv *r, uint32_t sn)
{
    return &r->ring[sn & (r->cap - 1)];
}

static void
free_ring(struct rcv *r, struct mem *m)
{
    mem_put(m, r->ring, r->cap * sizeof *r->ring);
    r->ring = NULL;
    r->cap = 0;
}

void
fogi_rcv_deinit(struct rcv *r, struct mem *m)
{
    for (uint32_t i = 0; i < r->cap; i++)
        mem_put(m, r->ring[i].data, r->ring[i].len);
    free_ring(r, m);
}

/* Room for n slots from read on. */
static bool
make_room(struct rcv *r, struct mem *m, uint32_t n)
{
    uint32_t cap = r->cap ? r->cap : CAP_MIN;
    while (cap < n)
        cap *= 2;
    if (cap == r->cap)
        return true;
    struct slot *ring = mem_get(m, cap * sizeof *ring);
    if (!ring)
        return false;
    memset(ring, 0, cap * sizeof *ring);
    for (uint32_t i = 0; i < r->cap; i++) {
        uint32_t sn = r->read + i;
        ring[sn & (cap - 1)] = *slot_at(r, sn);
    }
    free_ring(r, m);
    r->ring = ring;
    r->cap = cap;
    return true;
}

enum rcv_verdict
fogi_rcv_judge(const struct rcv *r, uint32_t sn, uint16_t len)
{
    uint32_t ahead = sn - r->read;
    if (seq_lt(sn, r->next))
        return RCV_OLD;
    if (ahead >= r->most)
        return RCV_BEYOND;
    if (ahead < r->cap && slot_at(r, sn)->filled)
        return RCV_EARLY;
    /* The next one lets those behind it go: refusing it for their sake would be for ever. */
    if (r->bytes + len > (sn == r->next ? 2 : 1) * r->most_bytes)
        return RCV_BEYOND;
    return len == 0 && r->empty_run >= RCV_EMPTY_MAX ? RCV_EMPTY : RCV_NEW;
}

static void
unstage(struct mem *m, const struct seg *segs, unsigned n, struct rcv_stage st[FOG_SEGMENTS_MAX])
{
    for (unsigned i = 0; i < n; i++)
        mem_put(m, st[i].data, segs[i].len);
}

/* Decides what to set aside; *reach is how far ahead the slots go, *early bounds the acks to list.
 */
static void
plan(const struct rcv *r, const struct seg *segs, unsigned n, struct rcv_stage st[FOG_SEGMENTS_MAX],
     uint32_t *reach, uint32_t *early)
{
    uint32_t next = r->next;
    *reach = *early = 0;
    for (unsigned i = 0; i < n; i++) {
        st[i] = (struct rcv_stage){0};
        if (segs[i].cmd != SEG_PUSH)
            continue;
        /* Judged as if it had payload: whether an empty one is taken shows only when applied. */
        uint16_t len = segs[i].len ? segs[i].len : 1;
        enum rcv_verdict v = fogi_rcv_judge(r, segs[i].sn, len);
        if (v == RCV_EARLY || (v == RCV_NEW && (r->kin || segs[i].sn != next)))
            ++*early;
        if (v != RCV_NEW)
            continue;
        st[i].take = true;
        if (segs[i].sn == next && segs[i].len > 0)
            next++;
        if (*reach < segs[i].sn - r->read + 1)
            *reach = segs[i].sn - r->read + 1;
    }
}

bool
fogi_rcv_stage(struct rcv *r, struct acks *acks, struct mem *m, const struct seg *segs, unsigned n,
               struct rcv_stage st[FOG_SEGMENTS_MAX])
{
    uint32_t reach, early;
    plan(r, segs, n, st, &reach, &early);
    if ((reach && !make_room(r, m, reach)) || (early && !fogi_acks_room(acks, m, early))) {
        fogi_rcv_settle(r, m);
        return false;
    }
    for (unsigned i = 0; i < n; i++) {
        if (!st[i].take || segs[i].len == 0)
            continue;
        st[i].data = mem_get(m, segs[i].len);
        if (!st[i].data) {
            unstage(m, segs, i, st);
            fogi_rcv_settle(r, m);
            return false;
        }
    }
    return true;
}

/* Moves next over what is filled, and read over empty segments that nobody can consume. */
static void
advance(struct rcv *r)
{
    while (r->next - r->read < r->cap && slot_at(r, r->next)->filled)
        r->next++;
    while (r->read != r->next && slot_at(r, r->read)->len == 0) {
        *slot_at(r, r->read++) = (struct slot){0};
        r->filled--;
    }
}

/* Puts the payload of s into its slot; one in order stays where it is for now. */
static void
fill(struct rcv *r, const struct seg *s, uint8_t *data, bool in_order)
{
    struct slot *slot = slot_at(r, s->sn);
    *slot = (struct slot){.data = data, .len = s->len, .filled = true};
    r->filled++;
    r->bytes += s->len;
    if (s->len > r->large)
        r->large = s->len;
    if (s->len > 0 && in_order)
        slot->lent = s->data;
    else if (s->len > 0)
        memcpy(data, s->data, s->len);
}

void
fogi_rcv_keep(struct rcv *r)
{
    uint32_t sn = seq_lt(r->kept, r->read) ? r->read : r->kept;
    for (; sn != r->next; sn++) {
        struct slot *slot = slot_at(r, sn);
        if (slot->lent)
            memcpy(slot->data, slot->lent, slot->len);
        slot->lent = NULL;
    }
    r->kept = r->next;
}

void
fogi_rcv_settle(struct rcv *r, struct mem *m)
{
    if (r->filled == 0)
        free_ring(r, m);
}

/* Lists the ack of the early segment sn, once. False when the list is full. */
static bool
list_ack(struct rcv *r, struct acks *acks, uint32_t sn, uint32_t ts)
{
    struct slot *slot = slot_at(r, sn);
    if (!slot->listed)
        slot->listed = fogi_acks_list(acks, sn, ts);
    return slot->listed;
}

/* Of the transmissions that need no name of their own, a peer of our kind is told the one that left
 * last: its stamps count. */
static void
newest(const struct rcv *r, struct acks *acks, const struct seg *s)
{
    if (!r->kin || !acks->has_newest || seq_lt(acks->newest.ts, s->ts))
        fogi_acks_newest(acks, s->sn, s->ts);
}

enum rcv_verdict
fogi_rcv_put(struct rcv *r, struct acks *acks, struct mem *m, const struct seg *s,
             const struct rcv_stage *st, bool *unlisted)
{
    enum rcv_verdict v = fogi_rcv_judge(r, s->sn, s->len);
    if (v == RCV_NEW && !st->take)
        v = RCV_BEYOND; /* it was, when the datagram came; nothing is set aside for it */
    *unlisted = false;
    if (v != RCV_NEW)
        mem_put(m, st->data, s->len);
    if (v == RCV_OLD || (v == RCV_EARLY && r->kin))
        newest(r, acks, s);
    else if (v == RCV_EARLY)
        *unlisted = !list_ack(r, acks, s->sn, s->ts);
    if (v != RCV_NEW)
        return v;

    bool fills = seq_lt(s->sn, r->top), in_order = s->sn == r->next;
    fill(r, s, st->data, in_order);
    r->empty_run = s->len == 0 ? (uint8_t)(r->empty_run + 1) : 0;
    if (!fills)
        r->top = s->sn + 1;
    if (r->kin && fills && r->top - s->sn <= RCV_NEAR && ++r->near % RCV_NEAR_NAMED == 0)
        *unlisted = !fogi_acks_list(acks, s->sn, s->ts);
    else if (r->kin || in_order)
        newest(r, acks, s);
    else
        *unlisted = !list_ack(r, acks, s->sn, s->ts);
    if (in_order)
        advance(r);
    return v;
}

void
fogi_rcv_acked(struct rcv *r, uint32_t sn)
{
    if (sn - r->read < r->cap)
        slot_at(r, sn)->listed = false;
}

const void *
fogi_rcv_peek(const struct rcv *r, size_t *len)
{
    *len = 0;
    if (r->read == r->next)
        return NULL;
    const struct slot *s = slot_at(r, r->read);
    *len = (size_t)(s->len - r->off);
    return (s->lent ? s->lent : s->data) + r->off;
}

void
fogi_rcv_consume(struct rcv *r, struct mem *m, size_t len)
{
    assert(r->read != r->next);
    struct slot *s = slot_at(r, r->read);
    assert(len <= (size_t)(s->len - r->off) && "at most what peek showed");
    r->off = (uint16_t)(r->off + len);
    if (r->off < s->len)
        return;
    mem_put(m, s->data, s->len);
    r->bytes -= s->len;
    *s = (struct slot){0};
    r->off = 0;
    r->read++;
    r->filled--;
    advance(r);
    fogi_rcv_settle(r, m);
}
