/* SPDX-License-Identifier: MIT
 *
 * cc.c - the three ways to control behind one table.
 *
 * fixed   the window is the smaller of both sides' fixed ones. The rate is twice what the window
 *         allows per round trip: it never limits a steady flow, it only keeps a whole window from
 *         leaving as one burst
 * rate    as told; on its way may be what the rate sends in one and a half round trips, and what it
 *         sends while the peer's process waits for its turn
 * model   what model.c says
 */
#include "arq/cc.h"

#define PACED_FROM FOG_MS(2) /* below this round trip a timer is too coarse to pace with */
#define SEEN_FADE 0.995
#define RATE_RTT_ASSUMED FOG_MS(200)
#define RATE_LEAST_SEGS 32u
#define RATE_PEER_LATE FOG_MS(20)

static void
no_acked(struct cc *c, const struct cc_ack *a)
{
    (void)c, (void)a;
}

static void
no_outcome(struct cc *c, bool lost)
{
    (void)c, (void)lost;
}

static void
no_news(struct cc *c)
{
    (void)c;
}

static bool
never_calm(const struct cc *c)
{
    (void)c;
    return false;
}

static size_t
fixed_room(const struct cc *c)
{
    (void)c;
    return CC_NO_LIMIT;
}

static uint64_t
fixed_rate(const struct cc *c)
{
    if (c->srtt_us < PACED_FROM)
        return 0;
    uint64_t window = cc_span(c);
    uint64_t rate = 2 * window * c->mtu * 1000000 / (uint64_t)c->srtt_us;
    return rate ? rate : 1;
}

static size_t
told_room(const struct cc *c)
{
    uint64_t rtt = (uint64_t)(c->srtt_us ? c->srtt_us : RATE_RTT_ASSUMED);
    size_t room = (size_t)(c->fixed * (rtt * 3 / 2 + RATE_PEER_LATE) / 1000000);
    size_t least = (size_t)RATE_LEAST_SEGS * c->mtu;
    return room > least ? room : least;
}

static uint64_t
told_rate(const struct cc *c)
{
    return c->fixed;
}

static void
model_acked(struct cc *c, const struct cc_ack *a)
{
    fogi_model_acked(&c->model, a);
}

static void
model_outcome(struct cc *c, bool lost)
{
    fogi_model_outcome(&c->model, lost);
}

static void
model_spurious(struct cc *c)
{
    fogi_model_spurious(&c->model);
}

static void
model_timeout(struct cc *c)
{
    fogi_model_timeout(&c->model);
}

static size_t
model_room(const struct cc *c)
{
    return fogi_model_room(&c->model);
}

static uint64_t
model_rate(const struct cc *c)
{
    return c->srtt_us < PACED_FROM ? 0 : fogi_model_rate(&c->model, c->srtt_us);
}

static bool
model_calm(const struct cc *c)
{
    return model_is_calm(&c->model);
}

void
fogi_cc_segment(struct cc *c, bool first)
{
    c->seen_kept = SEEN_FADE * c->seen_kept + (first ? 1 : 0);
    c->seen_lost = SEEN_FADE * c->seen_lost + (first ? 0 : 1);
}

void
fogi_cc_fixed(struct cc *c, uint32_t snd_wnd, uint32_t mtu)
{
    static const struct cc_ops fixed = {
        no_acked, no_outcome, no_news, no_news, fixed_room, fixed_rate, never_calm,
    };
    *c = (struct cc){.ops = &fixed,
                     .snd_wnd = snd_wnd,
                     .peer_wnd = CC_PEER_WND_ASSUMED,
                     .mtu = mtu,
                     .seen_lost = CC_SEEN_FIRST};
}

void
fogi_cc_rate(struct cc *c, uint32_t snd_wnd, uint32_t mtu, uint64_t bytes_per_s)
{
    static const struct cc_ops told = {
        no_acked, no_outcome, no_news, no_news, told_room, told_rate, never_calm,
    };
    fogi_cc_fixed(c, snd_wnd, mtu);
    c->ops = &told;
    c->fixed = bytes_per_s;
}

void
fogi_cc_model(struct cc *c, uint32_t snd_wnd, uint32_t mtu, fog_time ack_delay)
{
    static const struct cc_ops model = {
        model_acked, model_outcome, model_spurious, model_timeout,
        model_room,  model_rate,    model_calm,
    };
    fogi_cc_fixed(c, snd_wnd, mtu);
    c->ops = &model;
    fogi_model_init(&c->model, mtu, ack_delay);
}
