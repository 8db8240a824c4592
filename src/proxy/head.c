/* SPDX-License-Identifier: MIT
 *
 * head.c - bytes are kept as they come, each checked by itself and against the one before it; a
 * line is read when its LF is there, and what the fields say together when the empty line is.
 */
#include "proxy/head.h"

#include <assert.h>
#include <string.h>

#define FIRST_BLOCK 512

static_assert(HEAD_MAX <= UINT16_MAX, "places in a head are kept in 16 bits");

enum { MIDDLE, AFTER_CR }; /* state */

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static char
lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
}

static bool
is_letter_or_digit(char c)
{
    return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z');
}

static bool
is_in(char c, const char *set)
{
    return c != 0 && strchr(set, c) != NULL;
}

/** A token of RFC 9110: names of fields and methods. */
static bool
is_token(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!is_letter_or_digit(s[i]) && !is_in(s[i], "!#$%&'*+-.^_`|~"))
            return false;
    return len > 0;
}

bool
fogi_text_is(struct head_text t, const char *word)
{
    return t.len == strlen(word) && memcmp(t.at, word, t.len) == 0;
}

static bool
same_word(struct head_text a, struct head_text b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (lower(a.at[i]) != lower(b.at[i]))
            return false;
    return true;
}

bool
fogi_text_is_word(struct head_text t, const char *word)
{
    return same_word(t, (struct head_text){word, strlen(word)});
}

static struct head_text
trim(const char *s, size_t len)
{
    while (len > 0 && is_in(s[0], " \t")) {
        s++;
        len--;
    }
    while (len > 0 && is_in(s[len - 1], " \t"))
        len--;
    return (struct head_text){s, len};
}

/* ----------------------------------------------------------------------------------------- lines
 */

/** "HTTP/1.0" or "HTTP/1.1" at s. */
static bool
read_version(struct head *h, const char *s, size_t len)
{
    if (len != 8 || memcmp(s, "HTTP/1.", 7) != 0 || (s[7] != '0' && s[7] != '1'))
        return false;
    h->minor = (uint8_t)(s[7] - '0');
    return true;
}

static bool
read_request_line(struct head *h, const char *s, size_t len)
{
    const char *end = s + len, *one = memchr(s, ' ', len);
    const char *two = one ? memchr(one + 1, ' ', (size_t)(end - one - 1)) : NULL;
    if (!two || two == one + 1 || !is_token(s, (size_t)(one - s)) ||
        !read_version(h, two + 1, (size_t)(end - two - 1)))
        return false;
    for (const char *p = one + 1; p < two; p++)
        if (*p <= ' ' || *p > '~') /* also what is not ASCII, where char has a sign or not */
            return false;
    h->method_len = (uint16_t)(one - s);
    h->target = (uint16_t)(one + 1 - s);
    h->target_len = (uint16_t)(two - one - 1);
    return true;
}

/** "HTTP/1.1 101 Reason": the reason may be empty, the blank before it may not be missing. */
static bool
read_status_line(struct head *h, const char *s, size_t len)
{
    if (len < 13 || s[8] != ' ' || s[12] != ' ' || !read_version(h, s, 8))
        return false;
    for (int i = 9; i < 12; i++) {
        if (!is_digit(s[i]))
            return false;
        h->status = (uint16_t)(h->status * 10 + s[i] - '0');
    }
    return h->status >= 100;
}

static int
read_field(struct head *h, const char *s, size_t len)
{
    const char *colon = memchr(s, ':', len);
    if (!colon || !is_token(s, (size_t)(colon - s)))
        return FOG_E_FORMAT;
    if (h->n_fields == HEAD_FIELDS_MAX)
        return FOG_E_LIMIT;
    struct head_text value = trim(colon + 1, (size_t)(s + len - colon - 1));
    h->fields[h->n_fields++] = (struct head_field){
        .name = (uint16_t)(s - h->bytes),
        .name_len = (uint16_t)(colon - s),
        .value = (uint16_t)(value.at - h->bytes),
        .value_len = (uint16_t)value.len,
    };
    return 0;
}

/* -------------------------------------------------------------------------------- what they mean
 */

/** A plain number of up to 18 digits, without leading zeros. */
static bool
read_length(struct head *h, struct head_text t)
{
    if (t.len == 0 || t.len > 18 || (t.len > 1 && t.at[0] == '0'))
        return false;
    for (size_t i = 0; i < t.len; i++) {
        if (!is_digit(t.at[i]))
            return false;
        h->length = h->length * 10 + (uint64_t)(t.at[i] - '0');
    }
    h->body = HEAD_BODY_LENGTH;
    return true;
}

static bool
read_body(struct head *h)
{
    struct head_text v;
    size_t lengths = fogi_head_count(h, "content-length");
    size_t codings = fogi_head_count(h, "transfer-encoding");
    if (lengths + codings > 1)
        return false;
    if (fogi_head_find(h, "content-length", 0, &v))
        return read_length(h, v);
    if (!fogi_head_find(h, "transfer-encoding", 0, &v))
        return true;
    h->body = HEAD_BODY_CHUNKED;
    return h->minor == 1 && fogi_text_is_word(v, "chunked");
}

static bool
read_host(const struct head *h)
{
    struct head_text v;
    size_t hosts = fogi_head_count(h, "host");
    if (h->kind == HEAD_RESPONSE)
        return true;
    if (hosts > 1 || (hosts == 0 && h->minor == 1))
        return false;
    if (fogi_head_find(h, "host", 0, &v))
        for (size_t i = 0; i < v.len; i++)
            if (!is_letter_or_digit(v.at[i]) && !is_in(v.at[i], "-._:[]"))
                return false;
    return true;
}

static int
read_line(struct head *h)
{
    const char *s = h->bytes + h->start;
    size_t len = h->len - h->start - 2;
    bool first = h->start == 0;
    h->start = (uint16_t)h->len;
    if (first) {
        bool ok =
            h->kind == HEAD_REQUEST ? read_request_line(h, s, len) : read_status_line(h, s, len);
        return ok ? 0 : FOG_E_FORMAT;
    }
    if (len > 0)
        return read_field(h, s, len);
    if (!read_body(h) || !read_host(h))
        return FOG_E_FORMAT;
    h->done = true;
    return 0;
}

/* ----------------------------------------------------------------------------------------- bytes
 */

void
fogi_head_init(struct head *h, enum head_kind kind)
{
    memset(h, 0, sizeof *h);
    h->kind = kind;
}

void
fogi_head_clear(struct head *h, struct mem *m)
{
    mem_put(m, h->bytes, h->cap);
    fogi_head_init(h, h->kind);
}

/** Room for one byte more. */
static int
make_room(struct head *h, struct mem *m)
{
    size_t cap = h->cap ? h->cap * 2 : FIRST_BLOCK;
    if (h->len < h->cap)
        return 0;
    if (h->len == HEAD_MAX)
        return h->err = FOG_E_LIMIT;
    assert(cap <= HEAD_MAX && "the first block doubles to exactly the most");
    char *bytes = mem_get(m, cap);
    if (!bytes)
        return FOG_E_NOMEM;
    if (h->len)
        memcpy(bytes, h->bytes, h->len);
    mem_put(m, h->bytes, h->cap);
    h->bytes = bytes;
    h->cap = cap;
    return 0;
}

/** Whether c may stand where it does, as far as that can be told without the line. */
static bool
is_fine(const struct head *h, char c)
{
    if (h->state == AFTER_CR || c == '\n')
        return h->state == AFTER_CR && c == '\n';
    return ((uint8_t)c >= ' ' && c != 0x7f) || c == '\t' || c == '\r';
}

int
fogi_head_input(struct head *h, struct mem *m, const void *buf, size_t len, size_t *used)
{
    const char *bytes = buf;
    *used = 0;
    while (*used < len && !h->done && !h->err) {
        char c = bytes[*used];
        int rc = make_room(h, m);
        if (rc)
            return rc;
        if (!is_fine(h, c))
            return h->err = FOG_E_FORMAT;
        h->bytes[h->len++] = c;
        h->state = c == '\r' ? AFTER_CR : MIDDLE;
        if (c == '\n')
            h->err = read_line(h);
        if (!h->err)
            ++*used;
    }
    return h->err;
}

/* --------------------------------------------------------------------------------------- reading
 */

struct head_text
fogi_head_method(const struct head *h)
{
    return (struct head_text){h->bytes, h->method_len};
}

struct head_text
fogi_head_target(const struct head *h)
{
    return (struct head_text){h->bytes + h->target, h->target_len};
}

struct head_text
fogi_head_name(const struct head *h, size_t i)
{
    return (struct head_text){h->bytes + h->fields[i].name, h->fields[i].name_len};
}

struct head_text
fogi_head_value(const struct head *h, size_t i)
{
    return (struct head_text){h->bytes + h->fields[i].value, h->fields[i].value_len};
}

bool
fogi_head_find(const struct head *h, const char *name, size_t n, struct head_text *value)
{
    for (size_t i = 0; i < h->n_fields; i++) {
        if (!fogi_text_is_word(fogi_head_name(h, i), name) || n-- > 0)
            continue;
        *value = fogi_head_value(h, i);
        return true;
    }
    return false;
}

size_t
fogi_head_count(const struct head *h, const char *name)
{
    size_t n = 0;
    for (size_t i = 0; i < h->n_fields; i++)
        n += fogi_text_is_word(fogi_head_name(h, i), name);
    return n;
}

bool
fogi_text_lists(struct head_text list, struct head_text word)
{
    const char *at = list.at, *end = list.at + list.len;
    for (;;) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        const char *stop = comma ? comma : end;
        if (same_word(trim(at, (size_t)(stop - at)), word))
            return true;
        if (!comma)
            return false;
        at = comma + 1;
    }
}

bool
fogi_head_lists(const struct head *h, const char *name, const char *word)
{
    struct head_text v;
    for (size_t n = 0; fogi_head_find(h, name, n, &v); n++)
        if (fogi_text_lists(v, (struct head_text){word, strlen(word)}))
            return true;
    return false;
}

/* ------------------------------------------------------------------------------------------ date
 */

static void
put_digits(char *out, int n, uint64_t v)
{
    for (int i = n - 1; i >= 0; i--, v /= 10)
        out[i] = (char)('0' + v % 10);
}

void
fogi_head_date(uint64_t unix_ms, char out[HEAD_DATE_LEN + 1])
{
    static const char days[] = "ThuFriSatSunMonTueWed"; /* 1970 began with a Thursday */
    static const char months[] = "MarAprMayJunJulAugSepOctNovDecJanFeb";
    uint64_t s = unix_ms / 1000, day = s / 86400;
    /* Years that begin with March have the leap day last; eras of 400 of them repeat. */
    uint64_t n = day + 719468, of_era = n % 146097;
    uint64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    uint64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    uint64_t month = (5 * of_year + 2) / 153; /* 0: March */
    memcpy(out, "Thu, 01 Jan 1970 00:00:00 GMT", HEAD_DATE_LEN + 1);
    memcpy(out, days + day % 7 * 3, 3);
    put_digits(out + 5, 2, of_year - (153 * month + 2) / 5 + 1);
    memcpy(out + 8, months + month * 3, 3);
    put_digits(out + 12, 4, year + n / 146097 * 400 + (month >= 10));
    put_digits(out + 17, 2, s / 3600 % 24);
    put_digits(out + 20, 2, s / 60 % 60);
    put_digits(out + 23, 2, s % 60);
}
