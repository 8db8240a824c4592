/* SPDX-License-Identifier: MIT
 *
 * turnstile.h - how long an answer is held back, by how often its source has come.
 *
 * Decides per source, an IPv4 address or an IPv6 /64: some at once, after these one each so often,
 * and none is held for longer than a bound. Refuses to know what is asked and whether it was right.
 * Invariant: memory is a fixed table; who floods it pushes out others of his own bucket, those with
 * the least to wait first, and nobody is ever refused because of it.
 */
#ifndef FOGI_TURNSTILE_H
#define FOGI_TURNSTILE_H

#include <foggara/types.h>

#define TURNSTILE_BUCKETS 256
#define TURNSTILE_WAYS 4

struct turnstile_rate {
    fog_time each;   /* one in this time, for ever             */
    fog_time credit; /* and so many of them before, as a time  */
    fog_time most;   /* no answer is held for longer           */
};

struct turnstile_way {
    uint8_t source[16]; /* of IPv6 the first 8 bytes, the rest zero         */
    fog_time spent;     /* until when its turns so far last, one in `each`  */
};

struct turnstile {
    struct turnstile_rate rate;
    uint8_t key[16]; /* so that nobody can choose his bucket */
    struct turnstile_way table[TURNSTILE_BUCKETS][TURNSTILE_WAYS];
};

void fogi_turnstile_init(struct turnstile *t, struct turnstile_rate rate, const uint8_t key[16]);

/** One more from there; gives how long its answer has to wait. */
fog_time fogi_turnstile_pass(struct turnstile *t, const struct fog_addr *from, fog_time now);

#endif
