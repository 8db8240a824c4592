/* SPDX-License-Identifier: MIT
 *
 * model_links.c - the links that the figures are about.
 */
#include "model.h"

#define OVERHEAD 28 /* bytes of IP and UDP */

/* clang-format off */
const struct link_row model_links[] = {
    /* name     Mbit  RTT  loss  burst jit  early  queue dark   limit  goal  kind       stall */
    {"clean100", 100,  50, 0,     0,   0,   0,     100, false,  95.9,  0.95, ROW_BULK,    0},
    {"loss1",    100,  50, 0.01,  0,   0,   0,     100, false,  94.9,  0.95, ROW_BULK,    0},
    {"loss5",    100,  50, 0.05,  0,   0,   0,     100, false,  91.1,  0.95, ROW_BULK,    0},
    {"loss10",   100, 100, 0.10,  0,   0,   0,     100, false,  86.3,  0.94, ROW_BULK,    0},
    {"loss20",    50, 200, 0.20,  0,   0,   0,     100, false,  38.4,  0.90, ROW_BULK,    0},
    {"loss30",    50, 200, 0.30,  0,   0,   0,     100, false,  33.6,  0.86, ROW_BULK,    0},
    {"burst",    100, 100, 0.024, 5,   0,   0,     100, false,  93.6,  0.94, ROW_BULK,    0},
    {"jitter",   100,  40, 0.01,  0,  10,   0.01,  100, false,  94.9,  0.90, ROW_BULK,    0},
    {"thin",       5,  80, 0.01,  0,   0,   0,     200, false,   4.75, 0.95, ROW_BULK,    0},
    {"far",      200, 300, 0.02,  0,   0,   0,     100, false, 188.0,  0.90, ROW_BULK,    0},
    {"shallow",   50,  50, 0,     0,   0,   0,      15, false,  48.0,  0.95, ROW_BULK,    0},
    {"black",     50,  50, 0.01,  0,   0,   0,     100, true,   38.0,  0.92, ROW_BULK,    0},
    {"stall",    100,  50, 0.01,  0,   0,   0,     100, false,  94.9,  0.50, ROW_BULK,   20},
    {"stalljit", 100,  40, 0.01,  0,  10,   0.01,  100, false,  94.9,  0.50, ROW_BULK,   20},
    {"stalldark", 50,  50, 0.01,  0,   0,   0,     100, true,   38.0,  0.60, ROW_BULK,   20},
    {"two",      100,  50, 0,     0,   0,   0,     100, false,  95.9,  0.95, ROW_TWO,     0},
    {"two1",     100,  50, 0.01,  0,   0,   0,     100, false,  94.9,  0.95, ROW_TWO,     0},
    {"late",     100,  50, 0,     0,   0,   0,     100, false,  95.9,  0.95, ROW_LATE,    0},
    {"quarter",  100,  50, 0.01,  0,   0,   0,     100, false,  83.0,  0.92, ROW_QUARTER, 0},
    {"alone",    100, 100, 0.10,  0,   0,   0,     100, false,   0,    1.25, ROW_ALONE,   0},
    {"fetch",    100, 100, 0.01,  0,   0,   0,     100, false,   0,    4,    ROW_FETCH,   0},
};
/* clang-format on */
const unsigned model_links_n = sizeof model_links / sizeof model_links[0];

struct emu_options
model_link(const struct link_row *row)
{
    return (struct emu_options){
        .delay_us = (fog_time)(row->rtt_ms * 500),
        .jitter_us = (fog_time)(row->jitter_ms * 1000),
        .loss = row->loss,
        .burst = row->burst,
        .lose_after = true,
        .reorder = row->reorder,
        .rate_bps = (uint64_t)(row->mbps * 1e6),
        .queue_bytes = (size_t)(row->mbps * 1e3 / 8 * row->queue_ms),
        .overhead = OVERHEAD,
    };
}
