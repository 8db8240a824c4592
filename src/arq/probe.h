/* SPDX-License-Identifier: MIT
 *
 * probe.h - both halves of a closed window. Knows waits and counts; not segments.
 *
 * probe: the peer's window is closed and we have something to send. Asks (WASK) after max(rto, 500
 * ms), then after waits that grow by half up to 10 s. Without progress it gives up after a time.
 * reopen: our window was closed and the peer was told so. Tells (WINS) that it is open: at once,
 * then after rto, 2 rto, 4 rto ... at most 1 s apart, five times in all, until data comes.
 */
#ifndef FOGI_PROBE_H
#define FOGI_PROBE_H

#include <foggara/types.h>

struct probe {
    bool on;
    bool ask; /* a WASK is due */
    fog_time due, wait;
    fog_time progress_at; /* the window closed, or the peer took something since */
};

/** Tells whether the peer's window keeps us from sending. Starts or stops the probing. */
void fogi_probe_set(struct probe *p, bool blocked, fog_time rto, fog_time now);

/** The peer took something: it is alive behind its closed window. */
void fogi_probe_progress(struct probe *p, fog_time now);

/** Time passed: sets ask when it is due. */
void fogi_probe_tick(struct probe *p, fog_time now);

/** When fogi_probe_tick() does something; FOG_TIME_NEVER when off. */
fog_time fogi_probe_deadline(const struct probe *p);

/** When the probing has lasted `limit` without progress; FOG_TIME_NEVER when off. */
fog_time fogi_probe_end(const struct probe *p, fog_time limit);

#define REOPEN_TIMES 5

struct reopen {
    bool closed;  /* the last datagram said 0 */
    uint8_t left; /* WINS still to send */
    fog_time due, wait;
};

/** A datagram left that said wnd. */
void fogi_reopen_told(struct reopen *r, uint32_t wnd);

/** The window is now wnd: starts telling when it was closed and is not any more. */
void fogi_reopen_set(struct reopen *r, uint32_t wnd, fog_time rto, fog_time now);

/** Data came, so the peer knows. */
void fogi_reopen_stop(struct reopen *r);

/** When the next WINS is due; FOG_TIME_NEVER when none is. */
fog_time fogi_reopen_deadline(const struct reopen *r);

/** A WINS was written. */
void fogi_reopen_sent(struct reopen *r, fog_time now);

#endif
