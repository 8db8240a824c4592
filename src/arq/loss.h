/* SPDX-License-Identifier: MIT
 *
 * loss.h - decides which transmissions are lost, and when to look again. Knows transmissions and
 * time; not segments, bytes or windows. In: acked, timeout. Out: lost transmissions, a deadline.
 *
 * Rule 1, order   T is lost once a transmission >= T + reorder has arrived.
 * Rule 2, time    nothing arrived for rto (1 + n/2) after the oldest one under way and after the
 *                 last timeout, n timeouts in a row. The wait ends at 2 s, or the rto if that is
 *                 longer, so a link that comes back is noticed soon. The first timeout gives up at
 *                 most 32 transmissions older than the rto; each later one at most the two oldest,
 *                 as probes: when one is answered, rule 1 speaks about the rest. One of them is
 *                 the caller's choice.
 * Timed           in place of rule 1: T is lost once a later one has arrived and T left longer than
 *                 rtt + window ago. The window begins at a quarter of the least round trip. It
 * grows when one given up turns out to have been late only, to what that one took at most, and
 * shrinks by an eighth every 16 round trips. While nothing was ever late, three later ones are
 * proof enough. In place of rule 2: nothing was heard of the oldest for rtt +
 * max(4 rttvar, slack), nor of any for twice that maximum; then the caller sends probes, again
 * after waits that grow by half up to 200 ms, or a second when five seconds brought nothing.
 * Stalls          a peer that was stopped for long, or we, make a round trip seem as long. No wait
 * is more than 2 s longer than the least round trip was. Sparing         toward a peer that has not
 * proven its address the waits are 250 ms and 750 ms. Then there is silence, except that each
 * datagram heard meanwhile buys one more try after 1.5 s.
 *
 * Invariant: each transmission is declared lost at most once, and a call that comes late counts as
 * one timeout. `head` walks the log once, so the cost per transmission is constant at any window.
 */
#ifndef FOGI_LOSS_H
#define FOGI_LOSS_H

#include "arq/txlog.h"

#define LOSS_REORDER_MAX 64
#define LOSS_FIRST_MAX 32
#define LOSS_PROBES 2
#define LOSS_WAIT_MAX FOG_SEC(2)

struct loss {
    uint32_t reorder; /* transmissions                                          */
    bool timed;
    bool has_largest;
    bool sparing;
    bool late_seen;     /* timed: something given up had only been late           */
    fog_time window;    /* timed: reordering that is waited for                   */
    fog_time window_at; /* when it last changed                                   */
    fog_time rtt;       /* timed: a round trip now: the larger of srtt and latest */
    fog_time least;     /* ... and at least                                       */
    fog_time slack;     /* timed: beyond rtt, before probes                       */
    fog_time heard_at;  /* timed: when something new arrived last                 */
    fog_time recheck;   /* when the oldest overtaken one will be lost             */
    fog_time now;
    uint32_t head;    /* all numbers before it are resolved */
    uint32_t largest; /* newest number that arrived */
    uint32_t bought;  /* sparing: tries beyond the first three transmissions */
    uint32_t backoff; /* timeouts since something arrived */
    fog_time timeout_at;
    uint32_t quota;      /* rule 2: so many may still be given up ...   */
    fog_time sent_until; /* ... of those sent at this time or earlier */
};

void fogi_loss_init(struct loss *s, uint32_t reorder, bool sparing);

/** Timed from now on. */
void fogi_loss_timed(struct loss *s);

/** Timed: tells the time, before the calls below; and how long round trips are, when that changes.
 */
void fogi_loss_clock(struct loss *s, fog_time now);
void fogi_loss_rtt(struct loss *s, fog_time srtt, fog_time latest, fog_time slack);

/** Timed: a transmission given up because later ones had arrived came after all, after `rtt`. */
void fogi_loss_late(struct loss *s, fog_time rtt);

/** Transmission `number` arrived. Resets the back-off. */
void fogi_loss_acked(struct loss *s, uint32_t number);

/** Something new arrived, but by which transmission is not known. Resets the back-off. */
void fogi_loss_progress(struct loss *s);

/** A datagram came while something was under way: buys a sparing sender one more try. */
void fogi_loss_heard(struct loss *s);

/** The deadline has passed. Then call fogi_loss_next(). */
void fogi_loss_timeout(struct loss *s, fog_time rto, fog_time now);

/** Takes the next lost transmission and marks it so; false when there is none. Must be called until
 *  then after fogi_loss_acked(), fogi_loss_timeout() and whenever records were resolved. */
bool fogi_loss_next(struct loss *s, struct txlog *l, uint32_t *number);

/** The log was emptied: nothing is under way. */
void fogi_loss_forget(struct loss *s, const struct txlog *l);

/** When the oldest transmission becomes overdue; FOG_TIME_NEVER when none is under way. O(1). */
fog_time fogi_loss_deadline(const struct loss *s, const struct txlog *l, fog_time rto);

#endif
