/* SPDX-License-Identifier: MIT
 *
 * failures.h - how long somebody who gave a wrong password is kept waiting (threats S4).
 *
 * Decides per source, an IPv4 address or an IPv6 /64: three failures within ten seconds are
 * answered at once, each further one a second later than the one before, up to five. Refuses to
 * know what a password is. Invariant: memory is a fixed table; who floods it pushes out others of
 * his own bucket, oldest first, and nobody is ever refused because of it.
 */
#ifndef FOGI_FAILURES_H
#define FOGI_FAILURES_H

#include <foggara/types.h>

#define FAILURES_FREE 3               /* answered at once                  */
#define FAILURES_SPAN FOG_SEC(10)     /* within                            */
#define FAILURES_STEP FOG_SEC(1)      /* more for each further one ...     */
#define FAILURES_DELAY_MAX FOG_SEC(5) /* ... up to                        */
#define FAILURES_BUCKETS 256
#define FAILURES_WAYS 4

struct failure {
    uint8_t source[16]; /* of IPv6 the first 8 bytes, the rest zero */
    fog_time since;     /* the first of the span                    */
    uint32_t n;         /* 0: free                                  */
};

struct failures {
    uint8_t key[16]; /* so that nobody can choose his bucket */
    struct failure table[FAILURES_BUCKETS][FAILURES_WAYS];
};

void fogi_failures_init(struct failures *f, const uint8_t key[16]);

/** How long an answer to `from` has to wait now; counts nothing. */
fog_time fogi_failures_delay(const struct failures *f, const struct fog_addr *from, fog_time now);

/** One failure more; returns how long its answer has to wait. */
fog_time fogi_failures_add(struct failures *f, const struct fog_addr *from, fog_time now);

#endif
