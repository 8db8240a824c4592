/* SPDX-License-Identifier: MIT
 *
 * model.h - a model of the path: its bandwidth, its round trip without a queue, its random loss;
 * and what to send according to it. Knows rates and times; not segments, not which bytes.
 *
 *     STARTUP   sends 2.5 times what arrived in the last part of a round, until that grows no more
 * or a queue shows DRAIN     sends less, until the queue of the start is gone CRUISE    eight
 * rounds: one faster (looks for more), one slower (gives the queue back), six at the bandwidth,
 * less what the queue of the last round asks back REST      little is under way for a moment, when
 * no empty queue was seen for ten seconds
 *
 * A round is one trip of the data there and of its acknowledgement back.
 * rate = gain x bandwidth / (1 - p), where p is the share lost at random: what is lost when nothing
 * probes and no queue stands. Loss that comes with a queue, or only above some rate, is not random
 * and is not made up for.
 *
 * Where less than half of it arrives although a queue stands, for some round trips without a queue,
 * the line has become slower: a long queue makes rounds long, so ten of them are not waited for.
 *
 * Invariant: bandwidth is the largest of the last ten rounds; one quick round is not believed
 * longer than that.
 */
#ifndef FOGI_MODEL_H
#define FOGI_MODEL_H

#include <foggara/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MODEL_ROUNDS 10
#define MODEL_RECENT 16
#define MODEL_SEGS_FIRST 32 /* segments that may leave before anything is known */

/* What one batch of acknowledgements tells. */
struct cc_ack {
    fog_time now;
    fog_time rtt_us;      /* of the newest transmission; 0: none        */
    uint64_t delivered;   /* bytes, ever                                */
    uint64_t prior;       /* ... when the newest transmission left      */
    uint64_t bytes_per_s; /* 0: no sample                               */
    bool limited;         /* the sender had too little to say           */
    size_t out;           /* bytes on their way, after this             */
};

enum model_state { MODEL_STARTUP, MODEL_DRAIN, MODEL_CRUISE, MODEL_REST };

struct model {
    enum model_state state;
    uint32_t mtu;
    fog_time ack_delay; /* how long the peer may sit on an acknowledgement */
    double gain;

    uint64_t bw_of[MODEL_ROUNDS], bw; /* bytes/s: of each round, and their largest */
    uint64_t quick;                   /* bytes/s: STARTUP: of the last part of a round    */
    uint64_t quick_from;              /* `delivered` when that part began ...             */
    fog_time quick_at;                /* ... and when that was                            */
    uint64_t bw_full;                 /* STARTUP: what growth is measured from            */
    uint64_t bw_before;               /* CRUISE: before the last probe                    */
    uint8_t slot, flat;               /* flat: rounds without growth                      */
    uint8_t phase;                    /* CRUISE: 0 faster, 1 slower, then even            */
    uint8_t doubtful;                 /* rounds in which loss says nothing                */
    uint8_t queued_for;               /* rounds in a row with a queue                     */
    uint64_t part_from;               /* CRUISE: `delivered` when a stretch of time began ... */
    fog_time part_at;                 /* ... and when that was                            */
    fog_time part_rtt;                /* least in it                                      */
    uint8_t slow_parts;               /* such stretches in a row with far too little      */

    uint64_t round_ends; /* `delivered` at which the round is over           */
    fog_time state_since;
    fog_time round_rtt; /* sum                                              */
    uint32_t round_n;   /* samples in it                                    */
    uint64_t round_bw;  /* last sample that may count                       */
    bool round_limited;

    fog_time base_us, base_at;     /* least mean of a round in ten seconds        */
    fog_time mean_us;              /* of the last round                                */
    fog_time last_us;              /* last sample                                      */
    fog_time spread_us;            /* how far it is from the one before, smoothed      */
    bool rough;                    /* base_us is not a mean yet                        */
    uint32_t recent[MODEL_RECENT]; /* us; STARTUP: the last samples           */
    uint8_t recent_n;

    double p;          /* share lost at random                             */
    double kept, lost; /* fading counts behind p                           */
    uint32_t round_kept, round_lost;
    double slow_kept, slow_lost; /* the same, of slower rounds alone           */
};

void fogi_model_init(struct model *m, uint32_t mtu, fog_time ack_delay);
void fogi_model_acked(struct model *m, const struct cc_ack *a);
void fogi_model_outcome(struct model *m, bool lost);
void fogi_model_spurious(struct model *m);
void fogi_model_timeout(struct model *m);

size_t fogi_model_room(const struct model *m);
uint64_t fogi_model_rate(const struct model *m, fog_time srtt_us);

/** Whether the path would hold twice what is on its way. Before it was ever full, that is assumed.
 */
bool fogi_model_fits_twice(const struct model *m, size_t out);

/** What leaves now does not probe for more; only its losses count for p (cc.h: calm). */
static inline bool
model_is_calm(const struct model *m)
{
    return m->state == MODEL_STARTUP || (m->state == MODEL_CRUISE && m->phase > 0);
}

#endif
