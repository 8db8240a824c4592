/* SPDX-License-Identifier: MIT
 *
 * pair.h - two engines back to back over a bad link, in virtual time. Bytes are a function of their
 * position, so that every delivered byte is checked at once.
 */
#ifndef PAIR_H
#define PAIR_H

#include <foggara/arq.h>

#include "base/heap.h"
#include "base/rng.h"

/* An allocator that counts, and refuses its i-th call when asked to. */
struct ledger {
    struct fog_alloc al;
    size_t calls, blocks, bytes, peak;
    size_t fail_at; /* 1: the first call; 0: none */
};

void ledger_init(struct ledger *l);

struct pair_link {
    double loss, duplicate;
    fog_time delay_us, jitter_us; /* jitter reorders */
    bool dark;
    uint64_t datagrams, bytes; /* offered */
};

struct pair_packet {
    struct heap_node due; /* first */
    size_t len;
    uint8_t data[FOG_DATAGRAM_MAX];
};

struct pair {
    struct fog_arq *end[2];
    struct pair_link link[2]; /* link[i] carries what end[i] sends */
    struct ledger ledger[2];
    fog_time now;
    struct rng rng;
    uint64_t to_write[2], written[2], read[2]; /* bytes; read[i] is what end[i] delivered      */
    bool reads[2];                             /* false: the application does not read         */
    size_t write_max;                          /* bytes per commit at most; 0: what there is   */
    struct mem mem;
    struct heap way[2]; /* packets that end i has sent */
    size_t way_bytes[2];
    bool pipe; /* datagrams are pieces of a stream, and the far end bounds them */
    void (*see)(struct pair *p, int from, uint8_t *data, size_t *len); /* may change a datagram */
    int fed; /* result of the last input that was not 0 */
};

/** Two engines over a link of 10 ms each way without faults; o[i] may be NULL for defaults. */
void pair_init(struct pair *p, uint64_t seed, const struct fog_kcp_options *o0,
               const struct fog_kcp_options *o1);
void pair_init_pipe(struct pair *p, uint64_t seed, size_t window);
void pair_free(struct pair *p);

/** Byte `pos` of what end `from` sends. */
uint8_t pair_byte(int from, uint64_t pos);

/** Writes, sends, delivers and reads until nothing is left to do at this time. */
void pair_settle(struct pair *p);

/** Goes to the next thing that happens, at most until `until`. False when nothing will. */
bool pair_step(struct pair *p, fog_time until);

/** Runs until all is delivered both ways and acknowledged, or until a time. True when it is. */
bool pair_run(struct pair *p, fog_time until);

/** Runs to a time, whatever happens. */
void pair_run_to(struct pair *p, fog_time until);

struct fog_arq_status pair_status(const struct pair *p, int i);

#endif
