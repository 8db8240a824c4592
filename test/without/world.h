/* SPDX-License-Identifier: MIT
 *
 * world.h - two engines and the link between them, in virtual time. Knows what crosses and when;
 * not why anything was measured. Everything follows from the seed.
 */
#ifndef WORLD_H
#define WORLD_H

#include <foggara/arq.h>

#include "emu/emu.h"

#define WORLD_DELAYS 20000 /* bins of 0.1 ms */

/* The link, both directions alike except for rate and queue: the way back is free of both. */
struct link {
    double mbps, rtt_ms, queue_ms; /* mbps 0: unlimited                        */
    double loss;                   /* share, there                             */
    double back_loss;              /* share, back                              */
    double jitter_ms, early;       /* there; share that overtakes              */
};

struct side {
    struct fog_arq *arq;
    uint64_t waiting;  /* bytes to be handed in             */
    uint64_t got;      /* bytes that came out               */
    uint64_t echo_due; /* answers once so many have come ... */
    uint64_t echo_len; /* ... with so many bytes             */
    bool bulk;         /* always has something to say       */
    bool deaf;         /* takes nothing out                 */
};

struct world {
    fog_time now;
    struct link link;
    struct side a, b; /* a sends, mostly */
    struct emu *there, *back;
    /* Datagrams there that a scenario loses on purpose, or back. NULL: none. */
    bool (*lose)(struct world *w, bool there, const void *buf, size_t len);
    unsigned n_lost;              /* for its use */
    uint64_t arrived;             /* bytes at b, headers of IP and UDP included */
    uint32_t delay[WORLD_DELAYS]; /* there: time beyond the way itself       */
    uint64_t delays;
};

/** Both ends; NULL: as they are by default, with a hello of our kind. Nothing was said yet. */
void world_begin(struct world *w, const struct link *link, uint64_t seed,
                 const struct fog_kcp_options *a, const struct fog_kcp_options *b);

/** The same, and a few bytes went both ways, so that both know each other as after a handshake. */
void world_open(struct world *w, const struct link *link, uint64_t seed,
                const struct fog_kcp_options *a, const struct fog_kcp_options *b);
void world_close(struct world *w);

/** The defaults that these take. */
void world_options(struct fog_kcp_options *o);

/** New conditions from now on. */
void world_link(struct world *w, const struct link *link);
void world_dark(struct world *w, bool dark);

/** Time passes. */
void world_run(struct world *w, fog_time us);

/** a hands in `bytes`. Returns when b has them all, in ms from now; `most` when it has not by then.
 */
double world_carry(struct world *w, uint64_t bytes, double most_ms);

/** a says `ask` bytes, b answers `answer` bytes. Returns ms; `most` as above. */
double world_ask(struct world *w, uint64_t ask, uint64_t answer, double most_ms);

/** Starts the measurements of w anew: arrived, delay. */
void world_mark(struct world *w);

/** Milliseconds in the queue that `share` of the datagrams did not exceed. */
double world_queue(const struct world *w, double share);

void world_status(const struct world *w, struct fog_arq_status *st);

#endif
