/* SPDX-License-Identifier: MIT
 *
 * without_send.c - what takes the place of pacing, copies, told modes, and of what a receiver says
 * beside its ACKs.
 */
#include "without.h"

#include "arq/kcp_int.h"
#include "arq/sack.h"

#define ACK_DELAY FOG_MS(10)

STAND_IN(void, fogi_pace_set, (struct pace * p, uint64_t rate, fog_time now))
{
    REAL(fogi_pace_set)(p, without(OFF_PACE) ? 0 : rate, now);
}

STAND_IN(void, fogi_copies_add, (struct copies * c, uint32_t sn, uint32_t tx, fog_time due))
{
    if (!without(OFF_COPIES))
        REAL(fogi_copies_add)(c, sn, tx, due);
}

STAND_IN(void, fogi_copies_allow,
         (struct copies * c, uint64_t per_s, uint32_t at_once, fog_time now))
{
    bool off = without(OFF_CEILING);
    REAL(fogi_copies_allow)(c, off ? UINT32_MAX : per_s, off ? UINT32_MAX : at_once, now);
}

STAND_IN(void, fogi_cc_rate, (struct cc * c, uint32_t snd_wnd, uint32_t mtu, uint64_t bytes_per_s))
{
    if (without(OFF_FIXED))
        fogi_cc_model(c, snd_wnd, mtu, ACK_DELAY);
    else
        REAL(fogi_cc_rate)(c, snd_wnd, mtu, bytes_per_s);
}

STAND_IN(void, fogi_cc_fixed, (struct cc * c, uint32_t snd_wnd, uint32_t mtu))
{
    if (without(OFF_CLASSIC))
        fogi_cc_model(c, snd_wnd, mtu, ACK_DELAY);
    else
        REAL(fogi_cc_fixed)(c, snd_wnd, mtu);
}

STAND_IN(size_t, fogi_sack_put, (const struct rcv *r, uint32_t *from, uint8_t *out))
{
    return without(OFF_MAPS) ? 0 : REAL(fogi_sack_put)(r, from, out);
}

STAND_IN(bool, fogi_hello_received,
         (struct hello * h, const uint8_t *theirs, size_t len, fog_time now))
{
    return !without(OFF_KIN) && REAL(fogi_hello_received)(h, theirs, len, now);
}

STAND_IN(void, fogi_hello_sent, (struct hello * h, fog_time rto, fog_time now))
{
    REAL(fogi_hello_sent)(h, rto, now);
    if (without(OFF_HELLO))
        h->left = 0;
}

STAND_IN(void, fogi_probe_tick, (struct probe * p, fog_time now))
{
    REAL(fogi_probe_tick)(p, now);
    if (without(OFF_ASK))
        p->ask = false;
}

STAND_IN(void, fogi_reopen_set, (struct reopen * r, uint32_t wnd, fog_time rto, fog_time now))
{
    if (!without(OFF_TELL))
        REAL(fogi_reopen_set)(r, wnd, rto, now);
}
