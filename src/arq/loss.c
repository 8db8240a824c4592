/* SPDX-License-Identifier: MIT */
#include "arq/loss.h"

#define SPARING_WAITS 2
#define SPARING_BOUGHT FOG_MS(1500)

void
fogi_loss_init(struct loss *s, uint32_t reorder, bool sparing)
{
    *s = (struct loss){.reorder = reorder, .sparing = sparing};
}

void
fogi_loss_progress(struct loss *s)
{
    s->backoff = 0;
}

void
fogi_loss_acked(struct loss *s, uint32_t number)
{
    if (!s->has_largest || seq_lt(s->largest, number))
        s->largest = number;
    s->has_largest = true;
    fogi_loss_progress(s);
}

void
fogi_loss_heard(struct loss *s)
{
    if (s->sparing && s->bought < UINT32_MAX)
        s->bought++;
}

void
fogi_loss_timeout(struct loss *s, fog_time rto, fog_time now)
{
    if (s->sparing && s->backoff >= SPARING_WAITS)
        s->bought--;
    s->quota = s->backoff == 0 ? LOSS_FIRST_MAX : LOSS_PROBES;
    s->sent_until = now - rto;
    s->timeout_at = now;
    s->backoff++;
}

bool
fogi_loss_next(struct loss *s, struct txlog *l, uint32_t *number)
{
    if (seq_lt(s->head, l->tail))
        s->head = l->tail;
    for (; s->head != l->next; s->head++) {
        struct tx *t = txlog_at(l, s->head);
        if (t->state != TX_OUT)
            continue;
        bool overtaken = s->has_largest && seq_le(s->head + s->reorder, s->largest);
        if (!overtaken) {
            if (s->quota == 0 || t->sent_at > s->sent_until)
                break;
            s->quota--;
        }
        fogi_txlog_resolve(l, t, TX_LOST);
        *number = s->head++;
        return true;
    }
    return false;
}

void
fogi_loss_forget(struct loss *s, const struct txlog *l)
{
    s->head = l->next;
    s->has_largest = false;
    fogi_loss_progress(s);
}

/* Time from the oldest transmission, or the last timeout, to the next timeout. */
static fog_time
wait_time(const struct loss *s, fog_time rto)
{
    static const fog_time spare[SPARING_WAITS] = {FOG_MS(250), FOG_MS(750)};
    if (s->sparing && s->backoff < SPARING_WAITS)
        return spare[s->backoff];
    if (s->sparing)
        return s->bought ? SPARING_BOUGHT : FOG_TIME_NEVER;
    fog_time longest = rto > LOSS_WAIT_MAX ? rto : LOSS_WAIT_MAX;
    if (s->backoff > 2 * (LOSS_WAIT_MAX / 1000)) /* beyond any cap; keeps the product small */
        return longest;
    fog_time wait = rto + rto * s->backoff / 2;
    return wait < longest ? wait : longest;
}

fog_time
fogi_loss_deadline(const struct loss *s, const struct txlog *l, fog_time rto)
{
    if (l->out == 0 || !txlog_has(l, s->head))
        return FOG_TIME_NEVER;
    fog_time wait = wait_time(s, rto);
    if (wait == FOG_TIME_NEVER)
        return FOG_TIME_NEVER;
    fog_time from = txlog_at(l, s->head)->sent_at;
    if (s->backoff > 0 && s->timeout_at > from)
        from = s->timeout_at;
    return from + wait;
}
