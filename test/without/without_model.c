/* SPDX-License-Identifier: MIT
 *
 * without_model.c - what takes the place of the delivery rate, the model of the path and the start.
 */
#include "without.h"

#include "arq/cc.h"
#include "arq/rate.h"

#include <string.h>

#define TCP_SEGS_FIRST 10u

/* What is remembered beside a model: the highest bandwidth ever, and a window as Reno's. It doubles
 * until the first loss, halves once per round that lost something, else grows by one segment. */
struct beside {
    const struct model *of;
    uint64_t bw_ever; /* bytes/s */
    double bytes;
    bool lossy, slow;
    uint64_t round_ends;
};

static struct beside besides[2]; /* both ends of a world */

void
without_forget_model(void)
{
    memset(besides, 0, sizeof besides);
}

static struct beside *
beside(const struct model *m)
{
    struct beside *b = &besides[besides[0].of && besides[0].of != m];
    b->of = m;
    return b;
}

static void
window_acked(struct beside *b, uint32_t mtu, const struct cc_ack *a)
{
    if (a->prior < b->round_ends)
        return;
    b->round_ends = a->delivered;
    b->slow |= b->lossy;
    if (b->lossy)
        b->bytes /= 2;
    else if (b->slow)
        b->bytes += mtu;
    else
        b->bytes *= 2;
    b->lossy = false;
}

static double
window_bytes(struct beside *b, uint32_t mtu)
{
    double least = b->round_ends == 0 ? TCP_SEGS_FIRST : 2;
    if (b->bytes < least * mtu)
        b->bytes = least * mtu;
    return b->bytes;
}

STAND_IN(fogi_model_acked);
void
__wrap_fogi_model_acked(struct model *m, const struct cc_ack *told)
{
    struct cc_ack a = *told;
    if (without(OFF_MODEL)) {
        window_acked(beside(m), m->mtu, &a);
        return;
    }
    if (without(OFF_QUEUE) && m->base_us && a.rtt_us)
        a.rtt_us = m->base_us;
    __real_fogi_model_acked(m, &a);
    if (without(OFF_REFRESH))
        m->base_at = a.now;
    if (without(OFF_FADE)) {
        struct beside *b = beside(m);
        b->bw_ever = m->bw > b->bw_ever ? m->bw : b->bw_ever;
        m->bw = b->bw_ever;
    }
    if (without(OFF_QUICK) && m->state == MODEL_STARTUP) {
        m->quick = 0;
        m->gain = 1;
    }
}

STAND_IN(fogi_model_outcome);
void
__wrap_fogi_model_outcome(struct model *m, bool lost)
{
    if (without(OFF_MODEL))
        beside(m)->lossy |= lost;
    else
        __real_fogi_model_outcome(m, lost);
}

STAND_IN(fogi_model_spurious);
void
__wrap_fogi_model_spurious(struct model *m)
{
    if (!without(OFF_REGRET))
        __real_fogi_model_spurious(m);
}

STAND_IN(fogi_model_timeout);
void
__wrap_fogi_model_timeout(struct model *m)
{
    if (!without(OFF_DOUBT))
        __real_fogi_model_timeout(m);
}

STAND_IN(fogi_model_room);
size_t
__wrap_fogi_model_room(const struct model *m)
{
    if (without(OFF_MODEL))
        return (size_t)window_bytes(beside(m), m->mtu);
    if (without(OFF_QUICK) && m->state == MODEL_STARTUP) {
        /* twice what the last round delivered, as a slow start's window */
        size_t first = (size_t)TCP_SEGS_FIRST * m->mtu;
        size_t twice = (size_t)(2 * (double)m->bw * (double)m->base_us / 1e6);
        return twice > first ? twice : first;
    }
    return __real_fogi_model_room(m);
}

STAND_IN(fogi_model_rate);
uint64_t
__wrap_fogi_model_rate(const struct model *m, fog_time srtt_us)
{
    if (without(OFF_MODEL))
        return (uint64_t)(1.25 * window_bytes(beside(m), m->mtu) * 1e6 /
                          (double)(srtt_us ? srtt_us : 1)) +
               1;
    return __real_fogi_model_rate(m, srtt_us);
}

STAND_IN(fogi_rate_finish);
void
__wrap_fogi_rate_finish(struct rate *r, struct rate_sample *s)
{
    uint64_t delivered = r->delivered - s->prior;
    __real_fogi_rate_finish(r, s);
    if (without(OFF_RATE) && s->valid && s->sent_us > 0)
        s->bytes_per_s = delivered * 1000000 / (uint64_t)s->sent_us;
}

STAND_IN(fogi_rate_idle);
void
__wrap_fogi_rate_idle(struct rate *r, size_t out)
{
    if (!without(OFF_LIMITED))
        __real_fogi_rate_idle(r, out);
}
