/* SPDX-License-Identifier: MIT
 *
 * json.c - a recursive descent over bytes. Layers of this file: cursor, scalars, containers, verbs.
 */
#include "app/json.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_VALUES 64

struct chunk {
    struct chunk *next;
    struct json_value values[CHUNK_VALUES];
};

struct json {
    struct json_value root;
    struct chunk *chunks;
    size_t n_values;
    char *text; /* all strings, one after the other; never moves                                 */
    size_t text_len, text_cap;
};

struct parser {
    struct json *doc;
    const unsigned char *p, *end;
    struct json_place at; /* of p */
    struct json_error *err;
};

static bool parse_value(struct parser *ps, struct json_value *v, int depth);

/* -------------------------------------------------------------------------------------- cursor */

/** Keeps the first error only. Always false, so that callers can return it. */
static bool
fail_at(struct parser *ps, struct json_place at, const char *text)
{
    ps->err->at = at;
    snprintf(ps->err->text, sizeof ps->err->text, "%s", text);
    return false;
}

static bool
fail(struct parser *ps, const char *text)
{
    return fail_at(ps, ps->at, text);
}

static bool
at_end(const struct parser *ps)
{
    return ps->p == ps->end;
}

/** The byte `ahead` places on; 0 behind the end (a NUL in the input is refused wherever it stands).
 */
static unsigned char
look(const struct parser *ps, size_t ahead)
{
    return (size_t)(ps->end - ps->p) > ahead ? ps->p[ahead] : 0;
}

static void
advance(struct parser *ps)
{
    assert(ps->p < ps->end && "callers look before they move");
    if (*ps->p++ == '\n') {
        ps->at.line++;
        ps->at.col = 1;
    } else {
        ps->at.col++;
    }
}

static bool
is_blank(unsigned char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool
is_separator(unsigned char c)
{
    return c == ',' || c == ';';
}

static bool
starts_comment(const struct parser *ps)
{
    return look(ps, 0) == '#' || (look(ps, 0) == '/' && look(ps, 1) == '/');
}

/** Skips white space and comments; true when a line ended on the way. */
static bool
skip_blank(struct parser *ps)
{
    uint32_t line = ps->at.line;
    while (!at_end(ps)) {
        if (starts_comment(ps)) {
            while (!at_end(ps) && *ps->p != '\n')
                advance(ps);
        } else if (is_blank(*ps->p)) {
            advance(ps);
        } else {
            break;
        }
    }
    return ps->at.line != line;
}

/** Skips what stands between two entries. `*any` tells whether something did. */
static void
skip_separators(struct parser *ps, bool *any)
{
    *any = skip_blank(ps);
    while (is_separator(look(ps, 0))) {
        *any = true;
        advance(ps);
        (void)skip_blank(ps);
    }
}

/* ------------------------------------------------------------------------------------- scalars */

static void
put_byte(struct json *doc, unsigned c)
{
    assert(doc->text_len < doc->text_cap && "text is never longer than its source");
    doc->text[doc->text_len++] = (char)c;
}

static void
put_utf8(struct json *doc, uint32_t c)
{
    if (c < 0x80) {
        put_byte(doc, c);
    } else if (c < 0x800) {
        put_byte(doc, 0xc0 | c >> 6);
        put_byte(doc, 0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        put_byte(doc, 0xe0 | c >> 12);
        put_byte(doc, 0x80 | (c >> 6 & 0x3f));
        put_byte(doc, 0x80 | (c & 0x3f));
    } else {
        put_byte(doc, 0xf0 | c >> 18);
        put_byte(doc, 0x80 | (c >> 12 & 0x3f));
        put_byte(doc, 0x80 | (c >> 6 & 0x3f));
        put_byte(doc, 0x80 | (c & 0x3f));
    }
}

static int
hex_digit(unsigned char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static bool
parse_hex4(struct parser *ps, uint32_t *out)
{
    *out = 0;
    for (int i = 0; i < 4; i++) {
        int d = hex_digit(look(ps, 0));
        if (d < 0)
            return fail(ps, "\\u wants four hexadecimal digits");
        *out = *out << 4 | (uint32_t)d;
        advance(ps);
    }
    return true;
}

/** Behind "\u". Two halves of a surrogate pair are one character; half a pair is none. */
static bool
parse_unicode(struct parser *ps, struct json_place start)
{
    uint32_t c, low;
    if (!parse_hex4(ps, &c))
        return false;
    if (c == 0)
        return fail_at(ps, start, "\\u0000 is not allowed");
    if (c >= 0xdc00 && c <= 0xdfff)
        return fail_at(ps, start, "second half of a surrogate pair without the first");
    if (c >= 0xd800 && c <= 0xdbff) {
        if (look(ps, 0) != '\\' || look(ps, 1) != 'u')
            return fail_at(ps, start, "first half of a surrogate pair without the second");
        advance(ps);
        advance(ps);
        if (!parse_hex4(ps, &low))
            return false;
        if (low < 0xdc00 || low > 0xdfff)
            return fail_at(ps, start, "first half of a surrogate pair without the second");
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    }
    put_utf8(ps->doc, c);
    return true;
}

static bool
parse_escape(struct parser *ps)
{
    static const char from[] = "\"\\/'bfnrt";
    static const char to[] = "\"\\/'\b\f\n\r\t";
    struct json_place start = ps->at;
    advance(ps);
    unsigned char c = look(ps, 0);
    if (c == 'u') {
        advance(ps);
        return parse_unicode(ps, start);
    }
    const char *hit = c != 0 ? strchr(from, c) : NULL;
    if (hit == NULL)
        return fail_at(ps, start, "unknown escape; a backslash itself is written \\\\");
    put_byte(ps->doc, (unsigned char)to[hit - from]);
    advance(ps);
    return true;
}

static bool
parse_quoted(struct parser *ps, const char **out)
{
    struct json_place start = ps->at;
    unsigned char quote = look(ps, 0);
    *out = ps->doc->text + ps->doc->text_len;
    advance(ps);
    for (;;) {
        unsigned char c = look(ps, 0);
        if (at_end(ps) || c == '\n')
            return fail_at(ps, start, "this quote is not closed on its line");
        if (c == quote)
            break;
        if (c < 0x20 || c == 0x7f)
            return fail(ps, "control byte in a string; write it as an escape");
        if (c == '\\') {
            if (!parse_escape(ps))
                return false;
            continue;
        }
        put_byte(ps->doc, c);
        advance(ps);
    }
    advance(ps);
    put_byte(ps->doc, 0);
    return true;
}

/** A word without quotes. In a key, what introduces the value ends it too. */
static bool
parse_word(struct parser *ps, bool key, const char **out)
{
    const char *stop = key ? "{}[]=:\"'" : "}]";
    struct json_place start = ps->at;
    *out = ps->doc->text + ps->doc->text_len;
    for (; !at_end(ps); advance(ps)) {
        unsigned char c = *ps->p;
        if (is_blank(c) || is_separator(c) || (c != 0 && strchr(stop, c) != NULL))
            break;
        if (c < 0x20 || c == 0x7f)
            return fail(ps, "control byte");
        put_byte(ps->doc, c);
    }
    if (ps->at.col == start.col)
        return fail(ps, key ? "a key is missing here" : "a value is missing here");
    put_byte(ps->doc, 0);
    return true;
}

/** Length of the digits at s. */
static size_t
digits(const char *s)
{
    return strspn(s, "0123456789");
}

/** JSON's grammar of numbers: -? (0 | [1-9][0-9]*) (. digits)? ([eE] [+-]? digits)? */
static bool
is_number(const char *s, bool *whole)
{
    if (*s == '-')
        s++;
    size_t n = digits(s);
    if (n == 0 || (n > 1 && *s == '0'))
        return false;
    s += n;
    *whole = *s == 0;
    if (*s == '.') {
        n = digits(++s);
        if (n == 0)
            return false;
        s += n;
    }
    if (*s == 'e' || *s == 'E') {
        s++;
        if (*s == '+' || *s == '-')
            s++;
        n = digits(s);
        if (n == 0)
            return false;
        s += n;
    }
    return *s == 0;
}

/** A whole number to int64; false when it does not fit. Counts down, for INT64_MIN has no opposite.
 */
static bool
to_int64(const char *s, int64_t *out)
{
    bool minus = *s == '-';
    int64_t v = 0;
    for (s += minus; *s != 0; s++) {
        int d = *s - '0';
        if (v < (INT64_MIN + d) / 10)
            return false;
        v = v * 10 - d;
    }
    if (!minus && v == INT64_MIN)
        return false;
    *out = minus ? v : -v;
    return true;
}

static void
classify_word(struct json_value *v)
{
    bool whole = false;
    v->type = JSON_STRING;
    if (strcmp(v->text, "null") == 0) {
        v->type = JSON_NULL;
    } else if (strcmp(v->text, "true") == 0 || strcmp(v->text, "false") == 0) {
        v->type = JSON_BOOL;
        v->number = v->text[0] == 't';
    } else if (is_number(v->text, &whole)) {
        v->type = whole && to_int64(v->text, &v->number) ? JSON_INT : JSON_REAL;
    }
}

/* ---------------------------------------------------------------------------------- containers */

static struct json_value *
new_value(struct parser *ps)
{
    struct json *doc = ps->doc;
    size_t used = doc->n_values % CHUNK_VALUES;
    if (doc->n_values == JSON_VALUES_MAX) {
        fail(ps, "too many values");
        return NULL;
    }
    if (used == 0) {
        struct chunk *c = calloc(1, sizeof *c);
        if (c == NULL) {
            fail(ps, "out of memory");
            return NULL;
        }
        c->next = doc->chunks;
        doc->chunks = c;
    }
    doc->n_values++;
    return &doc->chunks->values[used];
}

static bool
is_quote(unsigned char c)
{
    return c == '"' || c == '\'';
}

/** key, then "=" or ":" unless a container follows directly. */
static bool
parse_key(struct parser *ps, struct json_value *v)
{
    v->key_at = ps->at;
    if (!(is_quote(look(ps, 0)) ? parse_quoted(ps, &v->key) : parse_word(ps, true, &v->key)))
        return false;
    (void)skip_blank(ps);
    unsigned char c = look(ps, 0);
    if (c == '=' || c == ':')
        advance(ps);
    else if (c != '{' && c != '[')
        return fail_at(ps, v->key_at, "a key without a value: \":\" or \"=\" is missing behind it");
    (void)skip_blank(ps);
    return true;
}

/** Entries up to `close`, or to the end of the document when close is 0. */
static bool
parse_entries(struct parser *ps, struct json_value *parent, unsigned char close, int depth)
{
    struct json_value **link = &parent->first;
    bool separated = true, any;
    for (skip_separators(ps, &any);; skip_separators(ps, &separated)) {
        if (at_end(ps)) {
            if (close == 0)
                return true;
            return fail_at(ps, parent->at,
                           close == '}' ? "this { is not closed" : "this [ is not closed");
        }
        if (close != 0 && look(ps, 0) == close) {
            advance(ps);
            return true;
        }
        if (!separated)
            return fail(
                ps, "a comma or new line is missing; text with blanks or brackets wants quotes");
        struct json_value *v = new_value(ps);
        if (v == NULL)
            return false;
        if (parent->type == JSON_OBJECT && !parse_key(ps, v))
            return false;
        if (!parse_value(ps, v, depth))
            return false;
        *link = v;
        link = &v->next;
    }
}

/** One value; the cursor stands on its first byte. depth: containers already open. */
static bool
parse_value(struct parser *ps, struct json_value *v, int depth)
{
    v->at = ps->at;
    unsigned char c = look(ps, 0);
    if (c == '{' || c == '[') {
        if (depth == JSON_DEPTH_MAX)
            return fail(ps, "nested too deeply");
        v->type = c == '{' ? JSON_OBJECT : JSON_ARRAY;
        advance(ps);
        return parse_entries(ps, v, c == '{' ? '}' : ']', depth + 1);
    }
    if (is_quote(c)) {
        v->type = JSON_STRING;
        v->quoted = true;
        return parse_quoted(ps, &v->text);
    }
    if (!parse_word(ps, false, &v->text))
        return false;
    classify_word(v);
    return true;
}

/** The document: a value, or members without the braces round them. */
static bool
parse_root(struct parser *ps)
{
    struct json_value *root = &ps->doc->root;
    if (look(ps, 0) == 0xef && look(ps, 1) == 0xbb && look(ps, 2) == 0xbf)
        ps->p += 3; /* byte order mark of some editors */
    (void)skip_blank(ps);
    if (look(ps, 0) != '{' && look(ps, 0) != '[') {
        root->type = JSON_OBJECT;
        root->at = ps->at;
        return parse_entries(ps, root, 0, 1);
    }
    if (!parse_value(ps, root, 0))
        return false;
    (void)skip_blank(ps);
    return at_end(ps) || fail(ps, "something follows behind the end of the document");
}

/* --------------------------------------------------------------------------------------- verbs */

bool
fogi_json_parse(struct json **out, const void *buf, size_t len, struct json_error *err)
{
    struct json *doc = calloc(1, sizeof *doc);
    struct parser ps = {.doc = doc, .at = {1, 1}, .err = err};
    bool ok = false;

    *out = NULL;
    if (doc == NULL) {
        fail(&ps, "out of memory");
        goto out;
    }
    if (len > JSON_SIZE_MAX) {
        fail(&ps, "the document is larger than 1 MiB");
        goto out;
    }
    /* Every string needs its bytes and a NUL, and has a separator or quotes in the source; the last
     * one may have none. */
    doc->text_cap = len + 1;
    doc->text = malloc(doc->text_cap);
    if (doc->text == NULL) {
        fail(&ps, "out of memory");
        goto out;
    }
    ps.p = len > 0 ? buf : (const unsigned char *)"";
    ps.end = ps.p + len;
    ok = parse_root(&ps);
out:
    if (ok)
        *out = doc;
    else
        fogi_json_free(doc);
    return ok;
}

void
fogi_json_free(struct json *doc)
{
    if (doc == NULL)
        return;
    while (doc->chunks != NULL) {
        struct chunk *c = doc->chunks;
        doc->chunks = c->next;
        free(c);
    }
    free(doc->text);
    free(doc);
}

const struct json_value *
fogi_json_root(const struct json *doc)
{
    return &doc->root;
}

const struct json_value *
fogi_json_member(const struct json_value *v, const char *key)
{
    if (v->type != JSON_OBJECT)
        return NULL;
    for (const struct json_value *m = v->first; m != NULL; m = m->next)
        if (strcmp(m->key, key) == 0)
            return m;
    return NULL;
}

const char *
fogi_json_type_name(enum json_type type)
{
    switch (type) {
    case JSON_NULL:
        return "null";
    case JSON_BOOL:
        return "true or false";
    case JSON_INT:
        return "a whole number";
    case JSON_REAL:
        return "a number";
    case JSON_STRING:
        return "a string";
    case JSON_ARRAY:
        return "a list";
    case JSON_OBJECT:
        return "an object";
    }
    return "?";
}
