/* SPDX-License-Identifier: MIT
 *
 * cc.h - congestion control: how much may be under way, and how fast it may leave. Knows counts,
 * times and rates; not segments' numbers, not which bytes.
 */
#ifndef FOGI_CC_H
#define FOGI_CC_H

#include "arq/model.h"

#include <stddef.h>

#define CC_PEER_WND_ASSUMED 32 /* segments, until the peer has said (wire-vproxy 1.3) */
#define CC_NO_LIMIT SIZE_MAX
#define CC_SEEN_SURE 20   /* segments: fewer say little about loss */
#define CC_SEEN_FIRST 0.5 /* so many of them count as lost until more is known */

struct cc;

/** One way to control. The engine reports; it asks for room and rate before it sends. */
struct cc_ops {
    void (*acked)(struct cc *c, const struct cc_ack *a);
    void (*outcome)(struct cc *c, bool lost); /* of a first transmission sent calmly         */
    void (*spurious)(struct cc *c);           /* one of those told lost had arrived          */
    void (*timeout)(struct cc *c);            /* nothing is heard any more                   */
    size_t (*room)(const struct cc *c);       /* bytes that may be on their way              */
    uint64_t (*rate)(const struct cc *c);     /* bytes/s of segments; 0: unlimited           */
    bool (*calm)(const struct cc *c);         /* what leaves now does not probe for more     */
};

struct cc {
    const struct cc_ops *ops;
    uint32_t snd_wnd;  /* segments: our own limit           */
    uint32_t peer_wnd; /* segments: as last advertised      */
    uint32_t mtu;      /* bytes                             */
    fog_time srtt_us;  /* 0: no sample yet                  */
    uint64_t fixed;    /* bytes/s, of the fixed rate        */
    struct model model;
    double seen_kept, seen_lost; /* fading counts of segments, by what became of the first try */
};

/** Segments from the oldest not acknowledged one to the newest. */
static inline uint32_t
cc_span(const struct cc *c)
{
    return c->snd_wnd < c->peer_wnd ? c->snd_wnd : c->peer_wnd;
}

/** Share of what leaves that is lost at random, as far as known. */
static inline double
cc_random_loss(const struct cc *c)
{
    return c->model.p;
}

/** Whether twice what is on its way would not be too much. Only the model knows. */
static inline bool
cc_fits_twice(const struct cc *c, size_t out)
{
    return fogi_model_fits_twice(&c->model, out);
}

/** A segment arrived, by its first transmission or by a later one. */
void fogi_cc_segment(struct cc *c, bool first);

/** Share of segments whose first transmission was lost lately, whatever the reason. Unlike what the
 *  model makes up for, thin traffic shows it too. */
static inline double
cc_seen_loss(const struct cc *c)
{
    return c->seen_lost / (c->seen_lost + c->seen_kept + CC_SEEN_SURE);
}

/** Fixed windows, as vproxy's fast1..fast4: no reaction to loss or delay. */
void fogi_cc_fixed(struct cc *c, uint32_t snd_wnd, uint32_t mtu);

/** A rate that somebody who knows the path has told. */
void fogi_cc_rate(struct cc *c, uint32_t snd_wnd, uint32_t mtu, uint64_t bytes_per_s);

/** A model of the path: model.h. */
void fogi_cc_model(struct cc *c, uint32_t snd_wnd, uint32_t mtu, fog_time ack_delay);

#endif
