/* SPDX-License-Identifier: MIT
 *
 * without_send.c - what takes the place of pacing, copies, told modes, and of what a receiver says
 * beside its ACKs.
 */
#include "without.h"

#include "arq/kcp_int.h"
#include "arq/sack.h"

#include <stddef.h>

#define ACK_DELAY FOG_MS(10)

STAND_IN(fogi_pace_set);
void
__wrap_fogi_pace_set(struct pace *p, uint64_t rate, fog_time now)
{
    __real_fogi_pace_set(p, without(OFF_PACE) ? 0 : rate, now);
}

static const struct snd *
snd_of(const struct copies *c)
{
    const void *k = (const char *)c - offsetof(struct kcp, copies);
    return &((const struct kcp *)k)->snd;
}

/* Whether there is nothing to say but what has left. */
static bool
is_all(const struct copies *c)
{
    return snd_queued(snd_of(c)) == 0;
}

static bool
is_off(const struct copies *c, uint32_t sn)
{
    if (!is_all(c))
        return without(OFF_SPARE);
    return without(OFF_SHORT) && sn + 1 != snd_of(c)->next;
}

STAND_IN(fogi_copies_add);
void
__wrap_fogi_copies_add(struct copies *c, uint32_t sn, uint32_t tx, fog_time due)
{
    if (!without(OFF_COPIES) && !is_off(c, sn))
        __real_fogi_copies_add(c, sn, tx, due);
}

STAND_IN(fogi_copies_allow);
void
__wrap_fogi_copies_allow(struct copies *c, uint64_t per_s, uint32_t at_once, fog_time now)
{
    bool off = without(OFF_CEILING);
    __real_fogi_copies_allow(c, off ? UINT32_MAX : per_s, off ? UINT32_MAX : at_once, now);
}

STAND_IN(fogi_cc_rate);
void
__wrap_fogi_cc_rate(struct cc *c, uint32_t snd_wnd, uint32_t mtu, uint64_t bytes_per_s)
{
    if (without(OFF_FIXED))
        fogi_cc_model(c, snd_wnd, mtu, ACK_DELAY);
    else
        __real_fogi_cc_rate(c, snd_wnd, mtu, bytes_per_s);
}

STAND_IN(fogi_cc_fixed);
void
__wrap_fogi_cc_fixed(struct cc *c, uint32_t snd_wnd, uint32_t mtu)
{
    if (without(OFF_CLASSIC))
        fogi_cc_model(c, snd_wnd, mtu, ACK_DELAY);
    else
        __real_fogi_cc_fixed(c, snd_wnd, mtu);
}

STAND_IN(fogi_sack_open);
bool
__wrap_fogi_sack_open(struct sack_reader *s, const void *buf, size_t len)
{
    return !without(OFF_MAPS) && __real_fogi_sack_open(s, buf, len);
}

STAND_IN(fogi_hello_received);
bool
__wrap_fogi_hello_received(struct hello *h, const uint8_t *theirs, size_t len, fog_time now)
{
    return !without(OFF_KIN) && __real_fogi_hello_received(h, theirs, len, now);
}

STAND_IN(fogi_hello_sent);
void
__wrap_fogi_hello_sent(struct hello *h, fog_time rto, fog_time now)
{
    __real_fogi_hello_sent(h, rto, now);
    if (without(OFF_HELLO))
        h->left = 0;
}

STAND_IN(fogi_probe_tick);
void
__wrap_fogi_probe_tick(struct probe *p, fog_time now)
{
    __real_fogi_probe_tick(p, now);
    if (without(OFF_ASK))
        p->ask = false;
}

STAND_IN(fogi_reopen_set);
void
__wrap_fogi_reopen_set(struct reopen *r, uint32_t wnd, fog_time rto, fog_time now)
{
    if (!without(OFF_TELL))
        __real_fogi_reopen_set(r, wnd, rto, now);
}
