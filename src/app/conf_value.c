/* SPDX-License-Identifier: MIT
 *
 * conf_value.c - one reader and one writer for each type of the table.
 */
#include "app/conf_value.h"

#include "app/conf_keys.h"
#include "app/hostport.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const char *const level_names[] = {"error", "warn", "info", "debug", "trace"};

struct conf_quote
fogi_conf_quote(const char *text)
{
    struct conf_quote q;
    size_t n = 0;
    for (; text[n] != 0 && n < CONF_QUOTE_MAX; n++)
        q.text[n] = text[n] >= ' ' && text[n] <= '~' ? text[n] : '?';
    memcpy(q.text + n, text[n] != 0 ? "..." : "", text[n] != 0 ? 4 : 1);
    return q;
}

static void *
field(struct conf *c, enum conf_key key)
{
    return (char *)c + fogi_conf_rows[key].offset;
}

/** Always false, so that callers can return it. */
static bool
refuse(char *why, size_t cap, const char *text, const char *clause)
{
    snprintf(why, cap, "\"%s\" %s", fogi_conf_quote(text).text, clause);
    return false;
}

/** Decimal, no sign, no leading zeros. */
static bool
parse_u32(const char *s, uint32_t *out)
{
    size_t len = strlen(s);
    uint64_t v = 0;
    if (len == 0 || len > 10 || strspn(s, "0123456789") != len || (len > 1 && s[0] == '0'))
        return false;
    for (; *s != 0; s++)
        v = v * 10 + (uint64_t)(*s - '0');
    *out = (uint32_t)v;
    return v <= UINT32_MAX;
}

static bool
set_hostport(struct hostport *out, const char *text, enum hostport_form form, char *why, size_t cap)
{
    const char *clause = fogi_hostport_parse(out, text, form);
    return clause == NULL || refuse(why, cap, text, clause);
}

/* A default below the range is no number: it is called "auto". */
static bool
is_auto(const struct conf_row *row, uint32_t n)
{
    return row->def < row->min && n == row->def;
}

static bool
set_number(uint32_t *out, const struct conf_row *row, const char *text, char *why, size_t cap)
{
    char clause[64];
    *out = row->def;
    if (is_auto(row, *out) && strcmp(text, "auto") == 0)
        return true;
    if (parse_u32(text, out) && *out >= row->min && *out <= row->max)
        return true;
    snprintf(clause, sizeof clause, "is not a whole number within %u..%u", (unsigned)row->min,
             (unsigned)row->max);
    return refuse(why, cap, text, clause);
}

/** Digits, perhaps a point and more digits, in thousands of a unit that is worth `unit` kbit/s.
 * False where that is no number. What is beyond all ranges comes out as UINT32_MAX. */
static bool
parse_decimal(const char *s, size_t len, uint32_t unit, uint32_t *out)
{
    double v = 0, place = 1;
    bool point = false, digits = false;
    for (size_t i = 0; i < len; i++) {
        if (s[i] == '.' && !point && digits) {
            point = true;
            digits = false;
        } else if (s[i] >= '0' && s[i] <= '9') {
            v = v * 10 + (s[i] - '0');
            place = point ? place * 10 : place;
            digits = true;
        } else {
            return false;
        }
    }
    v = v / place * unit + 0.5;
    *out = v < UINT32_MAX ? (uint32_t)v : UINT32_MAX;
    return digits;
}

/** What one of a unit's letter is in kbit/s; 0: no unit. */
static uint32_t
unit_of(char letter)
{
    switch (letter) {
    case 'k':
    case 'K':
        return 1;
    case 'm':
    case 'M':
        return 1000;
    case 'g':
    case 'G':
        return 1000000;
    default:
        return 0;
    }
}

/** Bits per second: a number with k, M or G behind it, or of megabits. */
static bool
set_rate(uint32_t *out, const struct conf_row *row, const char *text, char *why, size_t cap)
{
    char clause[96];
    size_t len = strspn(text, "0123456789.");
    uint32_t unit = text[len] != 0 ? unit_of(text[len]) : 1000;
    bool number = unit > 0 && parse_decimal(text, len, unit, out);
    if (strcmp(text, "auto") == 0) {
        *out = row->def;
        return true;
    }
    if (!number) {
        return refuse(why, cap, text, "is no rate; 50 or 50M is 50 Mbit/s, 800k and 1.5G are too");
    }
    if (text[len] != 0 && text[len + 1] != 0) { /* 50Mbit, 50MB/s */
        snprintf(clause, sizeof clause, "is no rate in bits per second; did you mean %.*s?",
                 (int)(len + 1 < 24 ? len + 1 : 24), text);
        return refuse(why, cap, text, clause);
    }
    if (*out >= row->min && *out <= row->max)
        return true;
    return refuse(why, cap, text, "is out of range: 64k..34G bits per second, or auto");
}

static void
rate_text(uint32_t kbits, char *buf, size_t cap)
{
    static const struct {
        uint32_t unit;
        char letter;
    } units[] = {{1000000, 'G'}, {1000, 'M'}, {1, 'k'}};
    size_t i = kbits >= 1000000 ? 0 : kbits >= 1000 ? 1 : 2;
    char digits[16];
    int n = snprintf(digits, sizeof digits, "%.*f",
                     i == 0   ? 6
                     : i == 1 ? 3
                              : 0,
                     (double)kbits / units[i].unit);
    while (i < 2 && digits[n - 1] == '0')
        n--;
    snprintf(buf, cap, "%.*s%c", digits[n - 1] == '.' ? n - 1 : n, digits, units[i].letter);
}

static bool
set_bool(bool *out, const char *text, char *why, size_t cap)
{
    bool on = strcmp(text, "true") == 0 || strcmp(text, "on") == 0;
    if (!on && strcmp(text, "false") != 0 && strcmp(text, "off") != 0)
        return refuse(why, cap, text, "is neither true nor false");
    *out = on;
    return true;
}

static bool
set_via(enum fog_via *out, const char *text, char *why, size_t cap)
{
    bool tcp = strcmp(text, "tcp") == 0;
    if (!tcp && strcmp(text, "kcp") != 0)
        return refuse(why, cap, text, "is neither kcp nor tcp");
    *out = tcp ? FOG_VIA_PIPE : FOG_VIA_KCP;
    return true;
}

static bool
set_level(enum log_at *out, const char *text, char *why, size_t cap)
{
    for (unsigned i = 0; i <= LOG_AT_TRACE; i++) {
        const char number[2] = {(char)('0' + i), 0};
        if (strcmp(text, level_names[i]) == 0 || strcmp(text, number) == 0) {
            *out = (enum log_at)i;
            return true;
        }
    }
    return refuse(why, cap, text, "is no level: error, warn, info, debug, trace, or 0..4");
}

/** Nothing that would have to be quoted where settings are shown. */
static bool
set_path(char out[CONF_PATH_MAX + 1], const char *text, char *why, size_t cap)
{
    size_t len = strlen(text);
    if (len > CONF_PATH_MAX)
        return refuse(why, cap, text, "is too long for a socket; 107 bytes are the most");
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == '"' || text[i] == '\\')
            return refuse(why, cap, text, "has quotes, backslashes or control characters in it");
    memset(out, 0, CONF_PATH_MAX + 1);
    memcpy(out, text, len);
    return true;
}

bool
fogi_conf_set(struct conf *c, enum conf_key key, const char *text, char *why, size_t cap)
{
    const struct conf_row *row = &fogi_conf_rows[key];
    void *f = field(c, key);
    uint32_t n;
    switch (row->type) {
    case CONF_LISTEN:
        return set_hostport(f, text, HOSTPORT_LISTEN, why, cap);
    case CONF_HOSTPORT:
        return set_hostport(f, text, HOSTPORT_BOTH, why, cap);
    case CONF_UINT:
        if (!set_number(&n, row, text, why, cap))
            return false;
        *(uint32_t *)f = n;
        return true;
    case CONF_FAST:
        if (!set_number(&n, row, text, why, cap))
            return false;
        *(int *)f = (int)n;
        return true;
    case CONF_RATE:
        if (!set_rate(&n, row, text, why, cap))
            return false;
        *(uint32_t *)f = n;
        return true;
    case CONF_BOOL:
        return set_bool(f, text, why, cap);
    case CONF_VIA:
        return set_via(f, text, why, cap);
    case CONF_PATH:
        return set_path(f, text, why, cap);
    case CONF_LEVEL:
        return set_level(f, text, why, cap);
    }
    assert(0 && "every type of the table is above");
    return false;
}

void
fogi_conf_set_default(struct conf *c, enum conf_key key)
{
    const struct conf_row *row = &fogi_conf_rows[key];
    void *f = field(c, key);
    switch (row->type) {
    case CONF_LISTEN:
    case CONF_HOSTPORT:
        memset(f, 0, sizeof(struct hostport));
        break;
    case CONF_UINT:
    case CONF_RATE:
        *(uint32_t *)f = row->def;
        break;
    case CONF_FAST:
        *(int *)f = (int)row->def;
        break;
    case CONF_BOOL:
        *(bool *)f = row->def != 0;
        break;
    case CONF_VIA:
        *(enum fog_via *)f = (enum fog_via)row->def;
        break;
    case CONF_PATH:
        memset(f, 0, CONF_PATH_MAX + 1);
        break;
    case CONF_LEVEL:
        *(enum log_at *)f = (enum log_at)row->def;
        break;
    }
}

static size_t
size_of(enum conf_type type)
{
    switch (type) {
    case CONF_LISTEN:
    case CONF_HOSTPORT:
        return sizeof(struct hostport);
    case CONF_UINT:
    case CONF_RATE:
        return sizeof(uint32_t);
    case CONF_FAST:
        return sizeof(int);
    case CONF_BOOL:
        return sizeof(bool);
    case CONF_VIA:
        return sizeof(enum fog_via);
    case CONF_PATH:
        return CONF_PATH_MAX + 1;
    case CONF_LEVEL:
        return sizeof(enum log_at);
    }
    assert(0 && "every type of the table is above");
    return 0;
}

void
fogi_conf_copy(struct conf *to, const struct conf *from, enum conf_key key)
{
    const struct conf_row *row = &fogi_conf_rows[key];
    memcpy(field(to, key), (const char *)from + row->offset, size_of(row->type));
    to->source[key] = from->source[key];
}

void
fogi_conf_text(const struct conf *c, enum conf_key key, char *buf, size_t cap)
{
    const struct conf_row *row = &fogi_conf_rows[key];
    const void *f = (const char *)c + row->offset;
    switch (row->type) {
    case CONF_LISTEN:
    case CONF_HOSTPORT:
        fogi_hostport_text(f, buf, cap);
        break;
    case CONF_UINT:
        if (is_auto(row, *(const uint32_t *)f))
            snprintf(buf, cap, "auto");
        else
            snprintf(buf, cap, "%u", (unsigned)*(const uint32_t *)f);
        break;
    case CONF_FAST:
        if (is_auto(row, (uint32_t) * (const int *)f))
            snprintf(buf, cap, "auto");
        else
            snprintf(buf, cap, "%d", *(const int *)f);
        break;
    case CONF_RATE:
        if (is_auto(row, *(const uint32_t *)f))
            snprintf(buf, cap, "auto");
        else
            rate_text(*(const uint32_t *)f, buf, cap);
        break;
    case CONF_BOOL:
        snprintf(buf, cap, "%s", *(const bool *)f ? "true" : "false");
        break;
    case CONF_VIA:
        snprintf(buf, cap, "%s", *(const enum fog_via *)f == FOG_VIA_PIPE ? "tcp" : "kcp");
        break;
    case CONF_PATH:
        snprintf(buf, cap, "%s", (const char *)f);
        break;
    case CONF_LEVEL:
        snprintf(buf, cap, "%s", level_names[*(const enum log_at *)f]);
        break;
    }
}

bool
fogi_conf_same(const struct conf *a, const struct conf *b, enum conf_key key)
{
    char x[CONF_HOST_MAX + 16], y[CONF_HOST_MAX + 16];
    fogi_conf_text(a, key, x, sizeof x);
    fogi_conf_text(b, key, y, sizeof y);
    return strcmp(x, y) == 0;
}
