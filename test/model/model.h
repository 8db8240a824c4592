/* SPDX-License-Identifier: MIT
 *
 * model.h - the parts of fog_model: links to measure over, and a receiver that behaves as vproxy's.
 */
#ifndef MODEL_H
#define MODEL_H

#include <foggara/arq.h>

#include "emu/emu.h"

/* One row of the table of links, with the figures to reach on it. */
struct link_row {
    const char *name;
    double mbps, rtt_ms, loss, burst, jitter_ms, reorder, queue_ms;
    bool dark;          /* one second in five */
    double limit, goal; /* Mbit/s; share of it */
};

extern const struct link_row model_links[];
extern const unsigned model_links_n;

/** The conditions of one direction. */
struct emu_options model_link(const struct link_row *row);

/* A receiver that acknowledges each PUSH by name, once per tick. */
struct peer;
struct peer *peer_new(fog_time tick_us);
void peer_free(struct peer *p);
void peer_input(struct peer *p, const void *buf, size_t len, fog_time now);
size_t peer_output(struct peer *p, void *buf, size_t cap, fog_time now);
fog_time peer_deadline(const struct peer *p);
uint64_t peer_delivered(const struct peer *p);

#endif
