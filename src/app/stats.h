/* SPDX-License-Identifier: MIT
 *
 * stats.h - all counters as text: one line each, name and value, the values in one column. Knows
 * how to print numbers; not what they mean.
 */
#ifndef FOGI_STATS_H
#define FOGI_STATS_H

#include "app/process.h"

/** Where the lines go; made by fogi_stats_text(), filled by the role's dump. */
struct stats {
    size_t len;
    char text[16384];
    struct fog_arq_counters arq; /* sums of all sessions, ended ones included */
    struct fog_mux_counters mux;
    struct udp_counters udp;
};

void fogi_stats_line(struct stats *st, const char *name, uint64_t value);

/** One line per session: where it goes and how it does. Adds its counters to the sums. */
void fogi_stats_session(struct stats *st, const char *name, const struct fog_session *s,
                        fog_time now);
void fogi_stats_endpoint(struct stats *st, const struct fog_endpoint_status *e);
void fogi_stats_udp(struct stats *st, const struct udp_counters *n);

/** Everything. Lent until the next call. */
const char *fogi_stats_text(struct process *p, size_t *len);

/** Writes it to standard error. */
void fogi_stats_dump(struct process *p);

#endif
