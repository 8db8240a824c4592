/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "io/log.h"

#include <uv.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static enum log_at log_level = LOG_AT_INFO;

static const struct {
    const char *name;
    char journal; /* syslog's number for it */
} levels[LOG_AT_N] = {
    [LOG_AT_ERROR] = {"error", '3'}, [LOG_AT_WARN] = {"warn", '4'},   [LOG_AT_INFO] = {"info", '6'},
    [LOG_AT_DEBUG] = {"debug", '7'}, [LOG_AT_TRACE] = {"trace", '7'},
};

void
fogi_log_level(enum log_at level)
{
    log_level = level;
}

bool
fogi_log_on(enum log_at level)
{
    return level <= log_level;
}

size_t
fogi_log_escape(const char *text, char *out, size_t cap)
{
    static const char hex[] = "0123456789abcdef";
    size_t n = 0;
    for (const char *p = text; *p; p++) {
        unsigned char c = (unsigned char)*p;
        bool plain = c >= 0x20 && c < 0x7f;
        if (n + (plain ? 1 : 4) >= cap)
            break;
        if (plain) {
            out[n++] = (char)c;
            continue;
        }
        out[n++] = '\\';
        out[n++] = 'x';
        out[n++] = hex[c >> 4];
        out[n++] = hex[c & 15];
    }
    out[n] = 0;
    return n;
}

/** The start of a line: "<6>" for the journal, else "2026-01-31T12:00:00.000+01:00 info: ". */
static size_t
write_prefix(enum log_at level, char *buf, size_t cap)
{
    struct timespec ts;
    struct tm tm;
    char zone[8] = "+0000", date[32] = "";
    if (getenv("JOURNAL_STREAM"))
        return (size_t)snprintf(buf, cap, "<%c>", levels[level].journal);
    clock_gettime(CLOCK_REALTIME, &ts);
    if (localtime_r(&ts.tv_sec, &tm)) {
        strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm);
        strftime(zone, sizeof zone, "%z", &tm);
    }
    return (size_t)snprintf(buf, cap, "%s.%03d%.3s:%.2s %s: ", date, (int)(ts.tv_nsec / 1000000),
                            zone, zone + 3, levels[level].name);
}

static void
write_line(enum log_at level, const char *fmt, va_list ap, uint64_t held)
{
    char text[LOG_LINE_MAX], line[LOG_LINE_MAX * 2];
    vsnprintf(text, sizeof text, fmt, ap);
    size_t n = write_prefix(level, line, sizeof line);
    n += fogi_log_escape(text, line + n, sizeof line - n - 64);
    if (held)
        n += (size_t)snprintf(line + n, sizeof line - n, " (%llu more like this not shown)",
                              (unsigned long long)held);
    line[n++] = '\n';
    /* One write per line keeps lines whole when several processes share the terminal. A reader that
     * went away is no reason to stop. */
    ssize_t ignored = write(STDERR_FILENO, line, n);
    (void)ignored;
}

void
fogi_log(enum log_at level, const char *fmt, ...)
{
    va_list ap;
    if (!fogi_log_on(level))
        return;
    va_start(ap, fmt);
    write_line(level, fmt, ap, 0);
    va_end(ap);
}

bool
fogi_log_may(struct log_limit *l, fog_time now, uint64_t *held)
{
    if (!l->written || now - l->since >= FOG_SEC(LOG_LIMIT_S)) {
        l->since = now;
        l->written = 0;
    }
    if (l->written >= LOG_LIMIT_LINES) {
        l->held++;
        return false;
    }
    l->written++;
    *held = l->held;
    l->held = 0;
    return true;
}

void
fogi_log_limited(struct log_limit *l, enum log_at level, const char *fmt, ...)
{
    va_list ap;
    uint64_t held;
    if (!fogi_log_on(level) || !fogi_log_may(l, (fog_time)(uv_hrtime() / 1000), &held))
        return;
    va_start(ap, fmt);
    write_line(level, fmt, ap, held);
    va_end(ap);
}
