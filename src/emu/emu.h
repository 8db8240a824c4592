/* SPDX-License-Identifier: MIT
 *
 * emu.h - one direction of an emulated bad link. Pure: datagrams, time and chance come in as
 * arguments. The same model serves the simulator, the relay of `foggara demo` and the bench.
 *
 * A datagram passes, in this order: mtu, dark, loss, queue and rate (tail drop), then delay with
 * jitter; corruption, truncation and duplication happen on the way. With `lose_after` the loss comes
 * behind the rate, so that what is lost has taken its share of the line. Without jitter and
 * reordering the order is kept.
 */
#ifndef FOGI_EMU_H
#define FOGI_EMU_H

#include "base/mem.h"
#include "base/rng.h"

struct emu_options {
    fog_time delay_us;     /* one way                                                              */
    fog_time jitter_us;    /* added evenly in 0..jitter_us; reorders                               */
    double loss;           /* share lost, 0..1                                                     */
    double burst;          /* mean length of a run of losses (Gilbert-Elliott); <= 1: independent  */
    bool lose_after;       /* lost behind the rate instead of in front of it                       */
    double reorder;        /* share that overtakes: delivered after a tenth of the delay           */
    double duplicate;      /* share delivered twice                                                */
    double corrupt;        /* share with one random bit flipped                                    */
    double truncate;       /* share cut at a random length                                         */
    uint64_t rate_bps;     /* bits per second on the wire; 0: unlimited                            */
    size_t queue_bytes;    /* in front of the rate; 0: unlimited                                   */
    uint32_t overhead;     /* bytes per datagram that count for rate and queue (IP+UDP: 28)        */
    uint32_t mtu;          /* longer datagrams vanish; 0: any length passes                        */
};

struct emu_counters {
    uint64_t datagrams, bytes;           /* offered, bytes with overhead                           */
    uint64_t lost, tail_dropped, dark_dropped, mtu_dropped;
    uint64_t duplicated, corrupted, truncated, reordered;
    uint64_t delivered, delivered_bytes; /* datagrams handed out, their bytes with overhead        */
};

struct emu; /* opaque */

/** Makes a link; *e to be freed with fogi_emu_free(). FOG_E_NOMEM. */
int fogi_emu_new(struct emu **e, const struct emu_options *o, struct rng rng,
                 const struct fog_alloc *al);
void fogi_emu_free(struct emu *e);

/** New conditions from now on; datagrams under way keep theirs. */
void fogi_emu_set(struct emu *e, const struct emu_options *o);

/** While dark, everything offered is dropped; what is under way still arrives. */
void fogi_emu_dark(struct emu *e, bool dark);

/** Copies a datagram in. `tag` is handed back with it. Without memory it is lost. */
void fogi_emu_push(struct emu *e, uint64_t tag, const void *buf, size_t len, fog_time now);

/** Takes the next datagram due by `now` out; false when there is none. len <= cap is kept, longer
 *  ones are cut. */
bool fogi_emu_pop(struct emu *e, uint64_t *tag, void *buf, size_t cap, size_t *len, fog_time now);

/** When the next datagram is due; FOG_TIME_NEVER when none is under way. */
fog_time fogi_emu_deadline(const struct emu *e);

const struct emu_counters *fogi_emu_counters(const struct emu *e);

#endif
