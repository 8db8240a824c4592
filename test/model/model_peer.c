/* SPDX-License-Identifier: MIT
 *
 * model_peer.c - a receiver that behaves as vproxy's: 1024 segments, each PUSH acknowledged by
 * name, and all of them at the next clock tick.
 */
#include "model.h"

#include "arq/seg.h"
#include "base/seq.h"

#include <stdlib.h>
#include <string.h>

#define WINDOW 1024
#define ACKS_MAX 65536
#define MTU 1250

struct peer {
    fog_time tick_us, due;
    uint32_t next; /* sn expected */
    bool has[WINDOW];
    uint16_t len[WINDOW];
    struct seg acks[ACKS_MAX];
    unsigned head, n;
    uint64_t delivered;
};

struct peer *
peer_new(fog_time tick_us)
{
    struct peer *p = calloc(1, sizeof *p);
    if (!p)
        abort();
    p->tick_us = tick_us;
    p->due = FOG_TIME_NEVER;
    return p;
}

void
peer_free(struct peer *p)
{
    free(p);
}

static void
take(struct peer *p, const struct seg *s)
{
    if (seq_diff(s->sn, p->next) >= WINDOW)
        return;
    if (p->n < ACKS_MAX)
        p->acks[p->n++] = (struct seg){.cmd = SEG_ACK, .sn = s->sn, .ts = s->ts};
    if (seq_lt(s->sn, p->next))
        return;
    p->has[s->sn % WINDOW] = true;
    p->len[s->sn % WINDOW] = s->len;
    while (p->has[p->next % WINDOW]) {
        p->has[p->next % WINDOW] = false;
        p->delivered += p->len[p->next++ % WINDOW];
    }
}

void
peer_input(struct peer *p, const void *buf, size_t len, fog_time now)
{
    struct seg segs[FOG_SEGMENTS_MAX];
    unsigned n;
    if (fogi_seg_parse(buf, len, 0, segs, &n))
        return;
    for (unsigned i = 0; i < n; i++) {
        if (segs[i].cmd == SEG_PUSH)
            take(p, &segs[i]);
    }
    if (p->n > 0 && p->due == FOG_TIME_NEVER)
        p->due = (now / p->tick_us + 1) * p->tick_us;
}

size_t
peer_output(struct peer *p, void *buf, size_t cap, fog_time now)
{
    size_t len = 0;
    if (now < p->due)
        return 0;
    while (p->head < p->n && len + FOG_KCP_HEADER <= MTU && len + FOG_KCP_HEADER <= cap) {
        struct seg s = p->acks[p->head++];
        s.una = p->next;
        s.wnd = WINDOW;
        fogi_seg_put((uint8_t *)buf + len, &s);
        len += FOG_KCP_HEADER;
    }
    if (p->head == p->n) {
        p->head = p->n = 0;
        p->due = FOG_TIME_NEVER;
    }
    return len;
}

fog_time
peer_deadline(const struct peer *p)
{
    return p->due;
}

uint64_t
peer_delivered(const struct peer *p)
{
    return p->delivered;
}
