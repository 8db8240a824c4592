/* SPDX-License-Identifier: MIT */
#include "arq/loss.h"

#define TIMED_ORDER 3
#define FADE_RTTS 16
#define TIMED_WAIT FOG_MS(200)
#define TIMED_WAIT_LONG FOG_SEC(1)
#define TIMED_SHORT_WAITS 25
#define SPARING_WAITS 2
#define SPARING_BOUGHT FOG_MS(1500)

void
fogi_loss_init(struct loss *s, uint32_t reorder, bool sparing)
{
    *s = (struct loss){.reorder = reorder, .sparing = sparing, .recheck = FOG_TIME_NEVER};
}

void
fogi_loss_timed(struct loss *s)
{
    s->timed = true;
    s->reorder = TIMED_ORDER;
}

void
fogi_loss_clock(struct loss *s, fog_time now)
{
    s->now = now;
}

/* What is waited at most for an answer, whatever round trips seem to be now: who has been stopped
 * for half a minute, or whose peer has, measures half a minute. */
static fog_time
at_most(const struct loss *s, fog_time wait)
{
    return s->least > 0 && wait > s->least + LOSS_WAIT_MAX ? s->least + LOSS_WAIT_MAX : wait;
}

void
fogi_loss_rtt(struct loss *s, fog_time srtt, fog_time latest, fog_time slack)
{
    if (s->least == 0 || latest < s->least)
        s->least = latest;
    s->rtt = at_most(s, latest > srtt ? latest : srtt);
    s->slack = at_most(s, slack);
    if (s->now - s->window_at > FADE_RTTS * srtt) {
        s->window_at = s->now;
        s->window -= s->window / 8;
    }
    if (s->window < s->least / 4)
        s->window = s->least / 4;
}

void
fogi_loss_late(struct loss *s, fog_time rtt)
{
    fog_time needed = rtt - s->rtt + s->least / 8;
    s->late_seen = true;
    s->window_at = s->now;
    if (needed > s->rtt)
        needed = s->rtt;
    if (needed > s->window)
        s->window = needed;
}

void
fogi_loss_progress(struct loss *s)
{
    s->backoff = 0;
    s->heard_at = s->now;
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
    if (s->timed && !s->sparing)
        s->quota = 0; /* the caller chooses the probes */
    s->sent_until = now - at_most(s, rto);
    s->timeout_at = now;
    s->backoff++;
}

/* Whether the arrival of later ones proves that t is lost. Sets when to look again if not yet. */
static bool
overtaken(struct loss *s, const struct tx *t)
{
    if (!s->has_largest)
        return false;
    bool order = seq_le(s->head + s->reorder, s->largest);
    if (!s->timed || (order && !s->late_seen))
        return order;
    if (!seq_lt(s->head, s->largest))
        return false;
    fog_time at = t->sent_at + s->rtt + s->window;
    if (at <= s->now)
        return true;
    s->recheck = at;
    return false;
}

bool
fogi_loss_next(struct loss *s, struct txlog *l, uint32_t *number)
{
    if (seq_lt(s->head, l->tail))
        s->head = l->tail;
    s->recheck = FOG_TIME_NEVER;
    for (; s->head != l->next; s->head++) {
        struct tx *t = txlog_at(l, s->head);
        if (t->state != TX_OUT)
            continue;
        t->by_order = overtaken(s, t);
        if (!t->by_order) {
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
    s->recheck = FOG_TIME_NEVER;
    fogi_loss_progress(s);
}

static fog_time
timed_wait(const struct loss *s, fog_time rto)
{
    fog_time wait = at_most(s, s->rtt ? s->rtt + s->slack : rto);
    fog_time most = s->backoff < TIMED_SHORT_WAITS ? TIMED_WAIT : TIMED_WAIT_LONG;
    if (s->backoff > 2 * TIMED_SHORT_WAITS || s->backoff * (wait / 2) > most)
        return wait > most ? wait : most;
    return wait + (wait / 2) * s->backoff;
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
    if (s->timed)
        return timed_wait(s, rto);
    rto = at_most(s, rto);
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
    if (s->recheck != FOG_TIME_NEVER)
        return s->recheck;
    fog_time wait = wait_time(s, rto);
    if (wait == FOG_TIME_NEVER)
        return FOG_TIME_NEVER;
    fog_time from = txlog_at(l, s->head)->sent_at;
    if (s->backoff > 0 && s->timeout_at > from)
        from = s->timeout_at;
    /* Acknowledgements come, only the next one may have been lost. */
    if (s->timed && s->heard_at + 2 * s->slack > from + wait)
        return s->heard_at + 2 * s->slack;
    return from + wait;
}
