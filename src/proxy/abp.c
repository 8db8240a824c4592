/* SPDX-License-Identifier: MIT
 *
 * abp.c - lines to patterns and expressions. The number of a pattern is that of its line, twice,
 * and one more for "not on the list", so that the smallest number decides and says what it decides.
 */
#include "proxy/abp.h"

#include "proxy/patterns.h"

#include <assert.h>
#include <string.h>

struct abp_regex {
    struct regex *regex;
    uint32_t number;
};

struct abp {
    struct mem *m;
    struct patterns patterns;
    struct abp_regex regexes[ABP_REGEX_MAX];
    size_t n_regexes;
    struct abp_counts counts;
};

static_assert(ABP_BYTES_MAX < UINT32_MAX / 4, "a line's number, twice, fits");

/* ------------------------------------------------------------------------------------ base64 */

static int
digit(unsigned char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static bool
is_blank(unsigned char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/** Whether there is nothing but base64: a list of hosts always has a dot or a comment. */
static bool
is_base64(const unsigned char *s, size_t len)
{
    size_t digits = 0, padding = 0;
    for (size_t i = 0; i < len; i++) {
        if (is_blank(s[i]))
            continue;
        padding += s[i] == '=';
        if (s[i] != '=' && (padding > 0 || digit(s[i]) < 0))
            return false;
        digits++;
    }
    return digits > 0 && digits % 4 == 0 && padding <= 2;
}

/** out has room for len bytes. */
static size_t
decode(char *out, const unsigned char *s, size_t len)
{
    uint32_t bits = 0;
    unsigned n = 0;
    size_t done = 0;
    for (size_t i = 0; i < len; i++) {
        int d = digit(s[i]);
        if (d < 0)
            continue;
        bits = bits << 6 | (uint32_t)d;
        n += 6;
        if (n >= 8) {
            n -= 8;
            out[done++] = (char)(bits >> n & 0xff);
        }
    }
    return done;
}

/* ------------------------------------------------------------------------------------- lines */

struct line {
    const char *text;
    size_t len;
    uint32_t number; /* of the line, from 1 */
    size_t col;      /* of text, from 0     */
};

static bool
starts(const struct line *l, const char *with)
{
    size_t n = strlen(with);
    return l->len >= n && memcmp(l->text, with, n) == 0;
}

static void
skip(struct line *l, size_t n)
{
    l->text += n;
    l->len -= n;
    l->col += n;
}

static void
trim(struct line *l)
{
    while (l->len > 0 && is_blank((unsigned char)l->text[0]))
        skip(l, 1);
    while (l->len > 0 && is_blank((unsigned char)l->text[l->len - 1]))
        l->len--;
}

/** Cuts off what stands before "://" and from "/" on. */
static void
to_host(struct line *l)
{
    for (size_t i = 0; i + 3 <= l->len; i++) {
        if (memcmp(l->text + i, "://", 3) == 0) {
            skip(l, i + 3);
            break;
        }
    }
    const char *slash = l->len > 0 ? memchr(l->text, '/', l->len) : NULL;
    if (slash != NULL)
        l->len = (size_t)(slash - l->text);
}

static int
add_regex(struct abp *a, struct line *l, bool listed, struct abp_fault *fault)
{
    struct regex_fault why;
    skip(l, 1);
    l->len--;
    if (a->n_regexes == ABP_REGEX_MAX) {
        a->counts.limit_regex_hit++;
        return FOG_OK;
    }
    struct abp_regex *r = &a->regexes[a->n_regexes];
    int rc = fogi_regex_new(&r->regex, a->m, l->text, l->len, &why);
    if (rc == FOG_E_FORMAT) {
        fault->line = l->number;
        fault->col = (uint32_t)(l->col + why.at + 1);
        memcpy(fault->text, why.text, sizeof fault->text);
        static_assert(sizeof fault->text == sizeof why.text, "one clause is as long as another");
    }
    if (rc != FOG_OK)
        return rc;
    r->number = l->number * 2 + !listed;
    a->n_regexes++;
    a->counts.rules++;
    return FOG_OK;
}

static int
add_text(struct abp *a, struct line *l, enum pattern_kind kind, bool listed)
{
    to_host(l);
    if (l->len == 0 || l->len > PATTERN_LEN_MAX) {
        a->counts.unread++;
        return FOG_OK;
    }
    a->counts.rules++;
    return fogi_patterns_add(&a->patterns, kind, l->text, l->len, l->number * 2 + !listed);
}

static bool
is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static int
add_line(struct abp *a, struct line *l, struct abp_fault *fault)
{
    trim(l);
    if (l->len == 0 || l->text[0] == '!' || l->text[0] == '[')
        return FOG_OK;
    if (a->counts.rules == ABP_RULES_MAX) {
        a->counts.limit_rules_hit++;
        return FOG_OK;
    }
    bool listed = !starts(l, "@@");
    if (!listed)
        skip(l, 2);
    if (l->len >= 2 && l->text[0] == '/' && l->text[l->len - 1] == '/')
        return add_regex(a, l, listed, fault);
    if (starts(l, "||")) {
        skip(l, 2);
        return add_text(a, l, PATTERN_DOMAIN, listed);
    }
    if (starts(l, "|")) {
        skip(l, 1);
        return add_text(a, l, PATTERN_EXACT, listed);
    }
    if (starts(l, "."))
        return add_text(a, l, PATTERN_SUFFIX, listed);
    if (l->len > 0 && is_letter_or_digit(l->text[0]))
        return add_text(a, l, PATTERN_INSIDE, listed);
    a->counts.unread++;
    return FOG_OK;
}

static int
add_lines(struct abp *a, const char *text, size_t len, struct abp_fault *fault)
{
    const char *end = text + len;
    while (text < end) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        if (stop == NULL)
            stop = end;
        struct line l = {text, (size_t)(stop - text), ++a->counts.lines, 0};
        int rc = add_line(a, &l, fault);
        if (rc != FOG_OK)
            return rc;
        text = stop < end ? stop + 1 : end;
    }
    return FOG_OK;
}

/* ------------------------------------------------------------------------------------- verbs */

static int
read_text(struct abp *a, const void *text, size_t len, struct abp_fault *fault)
{
    if (!is_base64(text, len))
        return add_lines(a, text, len, fault);
    char *plain = mem_get(a->m, len);
    if (plain == NULL)
        return FOG_E_NOMEM;
    int rc = add_lines(a, plain, decode(plain, text, len), fault);
    mem_put(a->m, plain, len);
    return rc;
}

int
fogi_abp_new(struct abp **out, struct mem *m, uint32_t salt, const void *text, size_t len,
             struct abp_fault *fault)
{
    *out = NULL;
    *fault = (struct abp_fault){0};
    if (len > ABP_BYTES_MAX)
        return FOG_E_LIMIT;
    struct abp *a = mem_get(m, sizeof *a);
    if (a == NULL)
        return FOG_E_NOMEM;
    memset(a, 0, sizeof *a);
    a->m = m;
    fogi_patterns_init(&a->patterns, m, salt);
    int rc = read_text(a, text, len, fault);
    if (rc == FOG_OK)
        *out = a;
    else
        fogi_abp_free(a);
    return rc;
}

void
fogi_abp_free(struct abp *a)
{
    if (a == NULL)
        return;
    for (size_t i = 0; i < a->n_regexes; i++)
        fogi_regex_free(a->regexes[i].regex);
    fogi_patterns_free(&a->patterns);
    mem_put(a->m, a, sizeof *a);
}

/** Whether the host fits as it is, or as the beginning of an address of a page. */
static bool
regex_fits(struct regex *r, const char *host, size_t len)
{
    static const char *const schemes[] = {"", "http://", "https://"};
    char url[8 + PATTERN_LEN_MAX];
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        size_t n = strlen(schemes[i]);
        memcpy(url, schemes[i], n);
        memcpy(url + n, host, len);
        if (fogi_regex_fits(r, url, n + len))
            return true;
    }
    return false;
}

bool
fogi_abp_lists(struct abp *a, const char *host, size_t len)
{
    if (len == 0 || len > PATTERN_LEN_MAX)
        return false;
    uint32_t first = fogi_patterns_first(&a->patterns, host, len);
    for (size_t i = 0; i < a->n_regexes && a->regexes[i].number < first; i++)
        if (regex_fits(a->regexes[i].regex, host, len))
            first = a->regexes[i].number;
    return first != PATTERN_NONE && first % 2 == 0;
}

const struct abp_counts *
fogi_abp_counts(const struct abp *a)
{
    return &a->counts;
}
