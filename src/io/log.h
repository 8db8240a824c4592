/* SPDX-License-Identifier: MIT
 *
 * log.h - lines for the person who runs the program, on standard error.
 *
 * Decides the form of a line: a time with zone and a level, or <N> where the journal reads us.
 * Refuses to know what is worth saying. Invariant: one call is one line of printable bytes, so
 * nothing a peer sends can forge a line or move a terminal's cursor.
 */
#ifndef FOGI_LOG_H
#define FOGI_LOG_H

#include <foggara/types.h>

enum log_at { LOG_AT_ERROR, LOG_AT_WARN, LOG_AT_INFO, LOG_AT_DEBUG, LOG_AT_TRACE, LOG_AT_N };

#define LOG_LINE_MAX 1024 /* bytes of a line; longer ones are cut */

/** Lines up to this level are written. Info until it is called. */
void fogi_log_level(enum log_at level);
bool fogi_log_on(enum log_at level);

/** Writes one line. */
void fogi_log(enum log_at level, const char *fmt, ...) FOG_PRINTF(2, 3);

/** How often one message may be repeated; static, one at each place. */
struct log_limit {
    fog_time since;   /* start of the current span                    */
    uint32_t written; /* lines in this span                           */
    uint64_t held;    /* lines held back since the last one written   */
};

#define LOG_LIMIT_LINES 10 /* lines of one message in ... */
#define LOG_LIMIT_S 10     /* ... seconds                 */

/** Whether a message that a peer can cause at will may be written now; *held tells how many were
 *  not since the last. */
bool fogi_log_may(struct log_limit *l, fog_time now, uint64_t *held);

/** Writes the line, unless its limit is reached; says how many were not written. */
void fogi_log_limited(struct log_limit *l, enum log_at level, const char *fmt, ...)
    FOG_PRINTF(3, 4);

/** fogi_log_limited() with a limit of this place's own. */
#define LOG_LIMITED(...)                                                                           \
    do {                                                                                           \
        static struct log_limit limit_here;                                                        \
        fogi_log_limited(&limit_here, __VA_ARGS__);                                                \
    } while (0)

/** Copies text to out, unprintable bytes as \xNN, cut to cap with its NUL. Gives its length. */
size_t fogi_log_escape(const char *text, char *out, size_t cap);

#endif
