/* SPDX-License-Identifier: MIT
 *
 * without_loss.c - what takes the place of stamps, records, timed loss and probes.
 */
#include "without.h"

#include "arq/kcp_int.h"

#include <stddef.h>

#define RTO_LEAST FOG_MS(200) /* what TCP has */
#define TIMEOUTS_MOST 20      /* what KCP calls a dead link */
#define DOUBLINGS_MOST 10
#define SPARED_MOST 4096

/* Repairs that order would have given up: only a timeout may. Of one engine, the first that has
 * any.
 */
static struct {
    const struct txlog *of;
    uint32_t number[SPARED_MOST];
    unsigned head, n;
} spared;

void
without_forget_loss(void)
{
    spared.of = NULL;
    spared.head = spared.n = 0;
}

/* The first of them that is still on its way, or NULL. */
static struct tx *
first_spared(const struct txlog *l)
{
    for (; spared.of == l && spared.head != spared.n; spared.head++) {
        uint32_t number = spared.number[spared.head % SPARED_MOST];
        if (txlog_has(l, number) && txlog_at(l, number)->state == TX_OUT)
            return txlog_at(l, number);
    }
    return NULL;
}

static void
spare(struct txlog *l, uint32_t number)
{
    struct tx *t = txlog_at(l, number);
    t->state = TX_OUT;
    l->out++;
    l->out_bytes += t->bytes;
    if (!spared.of)
        spared.of = l;
    if (spared.of == l && spared.n - spared.head < SPARED_MOST)
        spared.number[spared.n++ % SPARED_MOST] = number;
}

static fog_time
long_rto(const struct loss *s)
{
    return s->rtt + (s->slack > RTO_LEAST ? s->slack : RTO_LEAST);
}

STAND_IN(fogi_txlog_find);
struct tx *
__wrap_fogi_txlog_find(const struct txlog *l, uint32_t ts, uint32_t sn)
{
    struct tx *t = __real_fogi_txlog_find(l, ts, sn);
    if (!without(OFF_STAMPS) || !t || t->first)
        return t;
    for (uint32_t number = txlog_number(l, ts); number != l->tail;) {
        struct tx *before = txlog_at(l, --number);
        if (before->sn == sn && before->first)
            return before;
    }
    return t;
}

/* What is spared stays in the log. */
STAND_IN(fogi_txlog_room);
bool
__wrap_fogi_txlog_room(struct txlog *l, struct mem *m, uint32_t keep, fog_time old)
{
    if (without(OFF_RECORDS) && first_spared(l))
        keep = spared.number[spared.head % SPARED_MOST];
    return __real_fogi_txlog_room(l, m, keep, old);
}

STAND_IN(fogi_loss_next);
bool
__wrap_fogi_loss_next(struct loss *s, struct txlog *l, uint32_t *number)
{
    if (!without(OFF_RECORDS))
        return __real_fogi_loss_next(s, l, number);
    struct tx *t = first_spared(l);
    if (t && t->sent_at + long_rto(s) <= s->now) {
        *number = spared.number[spared.head++ % SPARED_MOST];
        fogi_txlog_resolve(l, t, TX_LOST);
        return true;
    }
    while (__real_fogi_loss_next(s, l, number)) {
        if (txlog_at(l, *number)->first)
            return true;
        spare(l, *number);
    }
    return false;
}

STAND_IN(fogi_loss_deadline);
fog_time
__wrap_fogi_loss_deadline(const struct loss *s, const struct txlog *l, fog_time rto)
{
    fog_time at = __real_fogi_loss_deadline(s, l, rto);
    bool overdue = at != FOG_TIME_NEVER && s->recheck == FOG_TIME_NEVER;
    if (without(OFF_RECORDS)) {
        const struct tx *t = first_spared(l);
        return t && t->sent_at + long_rto(s) < at ? t->sent_at + long_rto(s) : at;
    }
    if (overdue && s->backoff == 0 && without(OFF_PROBES))
        return at + (s->slack < RTO_LEAST ? RTO_LEAST - s->slack : 0);
    if (overdue && s->backoff > 0 && without(OFF_DARK)) {
        unsigned doublings = s->backoff < DOUBLINGS_MOST ? s->backoff : DOUBLINGS_MOST;
        return s->timeout_at + (long_rto(s) << doublings);
    }
    return at;
}

STAND_IN(fogi_loss_late);
void
__wrap_fogi_loss_late(struct loss *s, fog_time rtt)
{
    fog_time window = s->window;
    if (without(OFF_TIME))
        return;
    __real_fogi_loss_late(s, rtt);
    if (without(OFF_WINDOW))
        s->window = window;
}

STAND_IN(fogi_loss_timeout);
void
__wrap_fogi_loss_timeout(struct loss *s, fog_time rto, fog_time now)
{
    __real_fogi_loss_timeout(s, rto, now);
    if (without(OFF_DEAD) && s->backoff >= TIMEOUTS_MOST)
        fogi_kcp_fail((struct kcp *)(void *)((char *)s - offsetof(struct kcp, loss)), FOG_E_DEAD);
}
