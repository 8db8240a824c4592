/* SPDX-License-Identifier: MIT */
#include "arq/snd.h"

#include <assert.h>

#define CAP_MIN 8u

static_assert(sizeof(struct snd_seg) <= 32, "two notes to a cache line");

void
fogi_snd_init(struct snd *s, uint32_t sn)
{
    *s = (struct snd){.una = sn, .next = sn};
    fogi_bytes_init(&s->q, 0);
}

static void
free_ring(struct snd *s, struct mem *m)
{
    mem_put(m, s->ring, s->cap * sizeof *s->ring);
    s->ring = NULL;
    s->cap = 0;
}

void
fogi_snd_deinit(struct snd *s, struct mem *m)
{
    fogi_bytes_clear(&s->q, m);
    free_ring(s, m);
}

bool
fogi_snd_room(struct snd *s, struct mem *m)
{
    if (snd_span(s) < s->cap)
        return true;
    uint32_t cap = s->cap ? s->cap * 2 : CAP_MIN;
    struct snd_seg *ring = mem_get(m, cap * sizeof *ring);
    if (!ring)
        return false;
    for (uint32_t sn = s->una; sn != s->next; sn++)
        ring[sn & (cap - 1)] = *snd_at(s, sn);
    free_ring(s, m);
    s->ring = ring;
    s->cap = cap;
    return true;
}

uint32_t
fogi_snd_cut(struct snd *s, void *out, uint16_t len)
{
    assert(len > 0 && len <= snd_queued(s) && snd_span(s) < s->cap);
    uint32_t sn = s->next++;
    uint8_t *to = out;
    /* The first byte alone, so that the cursor stands on its page when the note is taken. */
    fogi_bytes_copy(&s->q, &s->cut, s->sent_pos, to, 1);
    *snd_at(s, sn) = (struct snd_seg){
        .at = {s->cut.page, s->sent_pos}, .len = len, .sends = 1, .state = SND_FLYING};
    fogi_bytes_copy(&s->q, &s->cut, s->sent_pos + 1, to + 1, len - 1u);
    s->sent_pos += len;
    s->flight++;
    return sn;
}

void
fogi_snd_lose(struct snd *s, uint32_t sn)
{
    struct snd_seg *g = snd_at(s, sn);
    if (g->state != SND_FLYING)
        return;
    g->state = SND_LOST;
    g->prev = s->lost_last;
    if (s->n_lost++ == 0)
        s->lost_first = sn;
    else
        snd_at(s, s->lost_last)->next = sn;
    s->lost_last = sn;
}

/* Takes a lost segment out of the chain of those to be sent again. */
static void
unlink_lost(struct snd *s, uint32_t sn)
{
    const struct snd_seg *g = snd_at(s, sn);
    s->n_lost--;
    if (sn == s->lost_first)
        s->lost_first = g->next;
    else
        snd_at(s, g->prev)->next = g->next;
    if (sn == s->lost_last)
        s->lost_last = g->prev;
    else
        snd_at(s, g->next)->prev = g->prev;
}

void
fogi_snd_urge(struct snd *s, uint32_t sn)
{
    struct snd_seg *g = snd_at(s, sn);
    if (g->state != SND_LOST || sn == s->lost_first)
        return;
    unlink_lost(s, sn);
    g->next = s->lost_first;
    snd_at(s, s->lost_first)->prev = sn;
    s->lost_first = sn;
    s->n_lost++;
}

void
fogi_snd_copy(struct snd *s, uint32_t sn, void *out)
{
    struct snd_seg *g = snd_at(s, sn);
    struct bytes_cursor from = g->at; /* a copy: the note stays on the first byte */
    fogi_bytes_copy(&s->q, &from, g->at.pos, out, g->len);
    if (g->sends < UINT8_MAX)
        g->sends++;
}

uint32_t
fogi_snd_again(struct snd *s, void *out)
{
    assert(s->n_lost > 0);
    uint32_t sn = s->lost_first;
    unlink_lost(s, sn);
    snd_at(s, sn)->state = SND_FLYING;
    fogi_snd_copy(s, sn, out);
    return sn;
}

/* Drops the front segment. */
static void
drop_front(struct snd *s, struct mem *m)
{
    fogi_bytes_consume(&s->q, m, snd_at(s, s->una)->len);
    if (s->q.head >= s->cut.pos)
        s->cut = (struct bytes_cursor){0}; /* its page may be gone */
    s->una++;
}

void
fogi_snd_ack(struct snd *s, struct mem *m, uint32_t sn)
{
    struct snd_seg *g = snd_at(s, sn);
    assert(seq_in(sn, s->una, s->next) && g->state != SND_ACKED);
    if (g->state == SND_LOST)
        unlink_lost(s, sn);
    g->state = SND_ACKED;
    s->flight--;
    while (s->una != s->next && snd_at(s, s->una)->state == SND_ACKED)
        drop_front(s, m);
    if (s->una == s->next)
        free_ring(s, m);
}
