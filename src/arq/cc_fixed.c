/* SPDX-License-Identifier: MIT
 *
 * cc_fixed.c - the window is the smaller of both sides' fixed ones. The rate is twice what the
 * window allows per round trip: it never limits a steady flow, it only keeps a whole window from
 * leaving as one burst.
 */
#include "arq/cc.h"

#define PACED_FROM FOG_MS(2) /* below this round trip a timer is too coarse to pace with */

static void
fixed_sent(struct cc *c, size_t bytes, fog_time now)
{
    (void)c, (void)bytes, (void)now;
}

static void
fixed_acked(struct cc *c, uint32_t segs, size_t bytes, fog_time now)
{
    (void)c, (void)segs, (void)bytes, (void)now;
}

static void
fixed_lost(struct cc *c, uint32_t segs, fog_time now)
{
    (void)c, (void)segs, (void)now;
}

static uint32_t
fixed_window(const struct cc *c)
{
    return c->snd_wnd < c->peer_wnd ? c->snd_wnd : c->peer_wnd;
}

static uint64_t
fixed_rate(const struct cc *c)
{
    if (c->srtt_us < PACED_FROM)
        return 0;
    uint64_t window = fixed_window(c);
    uint64_t rate = 2 * window * c->mtu * 1000000 / (uint64_t)c->srtt_us;
    return rate ? rate : 1;
}

void
fogi_cc_fixed(struct cc *c, uint32_t snd_wnd, uint32_t mtu)
{
    static const struct cc_ops fixed = {
        fixed_sent, fixed_acked, fixed_lost, fixed_window, fixed_rate,
    };
    *c =
        (struct cc){.ops = &fixed, .snd_wnd = snd_wnd, .peer_wnd = CC_PEER_WND_ASSUMED, .mtu = mtu};
}
