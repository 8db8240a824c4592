/* SPDX-License-Identifier: MIT
 *
 * hello.h - tells the peer a few bytes beside the data, until it has told its own. Knows when to
 * say them; not what they mean, nor how they travel (in a WINS, which every KCP peer skips).
 *
 * Nothing is said before the peer has acknowledged something. Then: with the first datagram that
 * leaves, else alone after one wait; again after each wait, ten times in all, as long as the peer
 * has said nothing. A peer that says its own and may have missed ours is answered, however long our
 * own wait is: its own may be shorter. Then it sleeps.
 */
#ifndef FOGI_HELLO_H
#define FOGI_HELLO_H

#include <foggara/arq.h>

#define HELLO_TIMES 10         /* of our own accord, and again as many in answer */
#define HELLO_WAIT FOG_MS(100) /* at least between two */

struct hello {
    uint8_t mine[FOG_HELLO_MAX], theirs[FOG_HELLO_MAX];
    uint8_t mine_len, theirs_len;
    uint8_t left, answers; /* may still be said of our own accord, in answer */
    bool armed, said, answer;
    fog_time due; /* not before, unless it is the first and there is company */
    fog_time said_at;
};

void fogi_hello_init(struct hello *h, const uint8_t *mine, uint8_t len);

/** The peer has acknowledged something, and has proven its address where it must. */
void fogi_hello_arm(struct hello *h, fog_time rto, fog_time now);

/** Whether ours belongs into the datagram being written; `company`: it leaves anyway. */
bool fogi_hello_wanted(const struct hello *h, bool company, fog_time now);

/** Ours was written. */
void fogi_hello_sent(struct hello *h, fog_time rto, fog_time now);

/** The peer's came, len bytes. True when it is the first and was kept. */
bool fogi_hello_received(struct hello *h, const uint8_t *theirs, size_t len, fog_time now);

/** When ours is to be said even alone; FOG_TIME_NEVER when it is not. */
fog_time fogi_hello_deadline(const struct hello *h);

#endif
