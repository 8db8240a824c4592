/* SPDX-License-Identifier: MIT
 *
 * model.h - the parts of fog_model: the table of what is measured, the run of one row, and a
 * receiver that behaves as vproxy's.
 */
#ifndef MODEL_H
#define MODEL_H

#include <foggara/arq.h>

#include "emu/emu.h"

#define MODEL_T0 FOG_SEC(1000)
#define MODEL_BUCKET_US FOG_MS(10)
#define MODEL_BUCKETS 65536
#define MODEL_DELAYS 100000 /* bins of 0.01 ms */
#define MODEL_DARK_EVERY FOG_SEC(5)
#define MODEL_DARK_FOR FOG_SEC(1)
#define MODEL_LATE FOG_SEC(5) /* when the second of two flows begins */
#define MODEL_QUARTER_AT FOG_SEC(10)
#define MODEL_QUARTER_FOR FOG_SEC(5)
#define MODEL_DRAINED_WITHIN FOG_SEC(20)
#define MODEL_FETCH 1000000 /* bytes */

enum row_kind {
    ROW_BULK,    /* one upload                                              */
    ROW_TWO,     /* two at once                                             */
    ROW_LATE,    /* a second one joins                                      */
    ROW_QUARTER, /* an upload; the line has a quarter of its rate for a while */
    ROW_ALONE,   /* 64 bytes there and back, one at a time                  */
    ROW_FETCH    /* a million bytes, again and again, with a pause between  */
};

/* One row of the table, with the figures to reach on it. */
struct link_row {
    const char *name;
    double mbps, rtt_ms, loss, burst, jitter_ms, reorder, queue_ms;
    bool dark;          /* one second in five */
    double limit, goal; /* Mbit/s; share of it */
    enum row_kind kind;
    double stall_ms; /* each end is kept from running for about so long, about ten times a second */
};

extern const struct link_row model_links[];
extern const unsigned model_links_n;

/** The conditions of one direction. */
struct emu_options model_link(const struct link_row *row);

struct model_args {
    uint64_t seed;
    double seconds;
    bool ticked, trace, gate;
    int fast;
};

/* A receiver that acknowledges each PUSH by name, once per tick. */
struct peer;
struct peer *peer_new(fog_time tick_us);
void peer_free(struct peer *p);
void peer_input(struct peer *p, const void *buf, size_t len, fog_time now);
size_t peer_output(struct peer *p, void *buf, size_t cap, fog_time now);
fog_time peer_deadline(const struct peer *p);
uint64_t peer_delivered(const struct peer *p);

/* One end: what it runs, and until when the machine keeps it from running. */
struct end {
    struct fog_arq *arq; /* NULL: a ticked peer */
    fog_time busy_until, busy_next;
    struct rng rng;
};

/* One sender and its receiver. */
struct flow {
    struct end tx, rx;
    struct peer *peer;
    fog_time starts;
    uint64_t delivered, offered, returned;
    bool full; /* nothing more is handed in */
};

struct run {
    const struct link_row *row;
    const struct model_args *args;
    fog_time now, end;
    struct flow flow[2];
    unsigned flows;
    struct emu *there, *back;
    bool slow;                       /* ROW_QUARTER                                    */
    uint32_t arrived[MODEL_BUCKETS]; /* bytes off the line                             */
    uint32_t delay[MODEL_DELAYS];    /* in the queue; ROW_ALONE, ROW_FETCH: of an answer */
    uint64_t delays;
    fog_time asked_at; /* ROW_ALONE, ROW_FETCH                           */
    bool asked;
    uint64_t at_late[2];             /* delivered, when the second one had settled        */
    uint32_t slowest[MODEL_BUCKETS]; /* ROW_QUARTER: longest wait in the queue, 0.01 ms   */
};

struct run *run_new(const struct link_row *row, const struct model_args *args);
void run_free(struct run *r);

/** Until r->end, or until nothing is under way when all flows are full. */
void run_loop(struct run *r);

#endif
