/* SPDX-License-Identifier: MIT
 *
 * kcp_int.h - one KCP engine. Its parts decide; kcp.c, kcp_in.c and kcp_out.c only route between
 * them. No part knows another, except that loss reads the log and rcv fills the ack list.
 */
#ifndef FOGI_KCP_INT_H
#define FOGI_KCP_INT_H

#include "arq/acks.h"
#include "arq/arq_int.h"
#include "arq/cc.h"
#include "arq/copies.h"
#include "arq/fills.h"
#include "arq/hello.h"
#include "arq/loss.h"
#include "arq/pace.h"
#include "arq/probe.h"
#include "arq/rate.h"
#include "arq/rcv.h"
#include "arq/rtt.h"
#include "arq/size.h"
#include "arq/snd.h"
#include "arq/txlog.h"

#define KCP_UNMAPPED 1024 /* segments; a map would have come by then, had any been lost */

struct kcp {
    struct fog_arq arq; /* first: a pointer to it is a pointer to the engine */
    struct mem mem;
    struct fog_kcp_options o;

    /* sending */
    struct snd snd;
    struct txlog log;
    struct loss loss;
    struct rtt rtt;
    struct cc cc;
    struct pace pace;
    struct copies copies;
    struct rate rate;
    struct size size;          /* of datagrams; o.mtu is what it says now */
    struct rate_sample sample; /* of the datagram being taken in                    */
    fog_time latest_rtt;       /* of the newest transmission that datagram names; 0: none */
    fog_time latest_at;        /* when that had left                                   */
    uint32_t mss;              /* bytes of payload in a full segment                   */
    uint32_t peer_una;         /* newest una told                                      */
    /* Of what the log has forgotten: the first number and the una of then, twice */
    uint32_t live_from, live_una, gone_from, gone_una;
    uint64_t n_first;       /* segments sent for the first time                     */
    uint64_t n_taken;       /* segments that arrived for the first time             */
    fog_time waiting_since; /* when the oldest wait for an answer began             */
    struct tx asked;        /* the last WASK: not in the log, as no segment left with it */
    uint32_t asked_ts;
    int err;           /* why it failed                                           */
    fog_time retry_at; /* memory was short: no data before; 0: it was not      */

    /* receiving */
    struct rcv rcv;
    struct acks acks;
    struct fills fills; /* told to a peer of our kind */
    fog_time acks_due;  /* a peer of our kind is answered in batches: when, at the latest */
    uint32_t acks_for;  /* PUSH since the last answer                          */
    uint32_t sack_from; /* where its map goes on                               */

    /* the rest */
    struct probe probe;
    struct reopen reopen;
    struct hello hello;
    fog_time now;        /* latest time we were told                                */
    fog_time last_input; /* something valid arrived; creation before that           */
    bool wins_now;       /* the peer asked for our window                           */
    bool validated;      /* the peer has echoed a stamp, or need not                */
    bool dark;           /* this silence is counted as a blackout                   */
    bool held_back;      /* the 3x rule stopped output; until the next input        */
    bool failed;
    bool mapped;         /* the peer has sent a map                                 */
    uint8_t probes_left; /* lost segments that may leave whatever is on its way     */
    uint8_t events;      /* 1u << enum fog_arq_event_type */
    struct fog_arq_counters n;
};

static inline struct kcp *
kcp_of(struct fog_arq *a)
{
    return (struct kcp *)(void *)a;
}

static inline const struct kcp *
kcp_of_const(const struct fog_arq *a)
{
    return (const struct kcp *)(const void *)a;
}

static inline void
kcp_event(struct kcp *k, enum fog_arq_event_type type)
{
    k->events = (uint8_t)(k->events | 1u << type);
}

/** One more segment of a direction; a vproxy peer stops at 2^32 of them, whoever sends. */
static inline void
kcp_count(struct kcp *k, uint64_t *n)
{
    uint64_t most = k->n_first > k->n_taken ? k->n_first : k->n_taken;
    if (++*n == k->o.rotate_after && most < k->o.rotate_after)
        kcp_event(k, FOG_ARQ_WORN);
}

/** Whether what became of transmissions is told well enough to conclude from. Before a peer of our
 *  kind sends maps, a lost ACK looks like a lost segment; another peer will never do better. */
static inline bool
kcp_outcomes_count(const struct kcp *k)
{
    return k->mapped || k->n_first > KCP_UNMAPPED;
}

/** Segments that may be cut now. */
static inline uint32_t
kcp_window_free(const struct kcp *k)
{
    uint32_t window = cc_span(&k->cc), span = snd_span(&k->snd);
    return window > span ? window - span : 0;
}

/** Bytes of UDP and IPv4 that a datagram costs besides its own: who tells a rate means the link's.
 */
static inline uint32_t
kcp_headers(const struct kcp *k)
{
    return k->o.cc == FOG_CC_RATE ? 28 : 0;
}

/** Whether acknowledgements should leave now, even alone. */
static inline bool
kcp_acks_due(const struct kcp *k, fog_time now)
{
    return acks_waiting(&k->acks) && now >= k->acks_due;
}

/** Bytes that may be put on their way now. */
static inline size_t
kcp_room(const struct kcp *k)
{
    size_t room = k->cc.ops->room(&k->cc);
    return room > k->log.out_bytes ? room - k->log.out_bytes : 0;
}

/** Whether a lost segment waits that may leave as soon as the pacer allows. Probes always may: what
 *  seems to be on its way may be long gone. */
static inline bool
kcp_lost_waits(const struct kcp *k)
{
    return k->snd.n_lost > 0 && (k->probes_left > 0 || kcp_room(k) > 0);
}

/** Whether any segment waits that may leave as soon as the pacer allows. */
static inline bool
kcp_data_waits(const struct kcp *k)
{
    return kcp_lost_waits(k) || (k->snd.n_lost == 0 && kcp_room(k) > 0 && snd_queued(&k->snd) > 0 &&
                                 kcp_window_free(k) > 0);
}

int fogi_kcp_input(struct fog_arq *a, const void *buf, size_t len, fog_time now);
int fogi_kcp_output(struct fog_arq *a, void *buf, size_t cap, size_t *len, fog_time now);

/** Datagrams are as large as k->size says from now on. */
void fogi_kcp_resize(struct kcp *k);

/** Ends the engine with an error that the event tells. */
void fogi_kcp_fail(struct kcp *k, int err);

/** Transmission `number`, which is TX_LOST, will not be answered: its segment is to be sent again,
 *  unless another transmission of it is still on its way. */
void fogi_kcp_lost(struct kcp *k, uint32_t number);

/** Collects what is lost now, and brings what depends on it up to date. To be called at the end of
 *  every verb that may have changed what is under way or waiting. */
void fogi_kcp_settle(struct kcp *k, fog_time now);

#endif
