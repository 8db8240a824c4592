/* SPDX-License-Identifier: MIT
 *
 * cc.h - congestion control: how much may be under way, and how fast it may leave. Knows counts,
 * times and rates; not segments' numbers, not which bytes.
 */
#ifndef FOGI_CC_H
#define FOGI_CC_H

#include <foggara/types.h>

#define CC_PEER_WND_ASSUMED 32 /* segments, until the peer has said (wire-vproxy 1.3) */

struct cc;

/** One way to control. The engine reports; it asks for window and rate before it sends. */
struct cc_ops {
    void (*sent)(struct cc *c, size_t bytes, fog_time now); /* payload, resends too */
    void (*acked)(struct cc *c, uint32_t segs, size_t bytes, fog_time now);
    void (*lost)(struct cc *c, uint32_t segs, fog_time now);
    uint32_t (*window)(const struct cc *c); /* segments             */
    uint64_t (*rate)(const struct cc *c);   /* bytes/s, 0 unlimited */
};

struct cc {
    const struct cc_ops *ops;
    uint32_t snd_wnd;  /* segments: our own limit           */
    uint32_t peer_wnd; /* segments: as last advertised      */
    uint32_t mtu;      /* bytes                             */
    fog_time srtt_us;  /* 0: no sample yet                  */
};

/** Fixed windows, as vproxy's fast1..fast4: no reaction to loss or delay. */
void fogi_cc_fixed(struct cc *c, uint32_t snd_wnd, uint32_t mtu);

#endif
