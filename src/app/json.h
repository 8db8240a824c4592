/* SPDX-License-Identifier: MIT
 *
 * json.h - relaxed JSON: bytes in, a tree of values with their places out.
 *
 * Decides syntax. Refuses to know keys, files and what a value means. One parser reads strict JSON,
 * the JSON of other tunnels, and the hand-written kind with comments and without quotes:
 *
 *     # comment                      comments: "#" or "//" where a token could begin, to the line's
 * end listen = :29900                keys and strings without quotes; "=" or ":" agent {
 * socks5.listen = 1080 } no "=" needed before "{" or "["; dots in keys mean nothing here list = [a,
 * 'b',                separators: comma, semicolon or new line; trailing ones are fine "c\u00e9"]
 * quotes: double or single, with JSON's escapes
 *
 * A document is an object or a list; the braces round it may be left out. A string without quotes
 * ends at white space or one of , ; } ]. It is a number if JSON says so, and true, false or null if
 * it is that word.
 *
 * Invariant: every text is NUL-terminated and has no NUL or control byte inside that was not
 * written as an escape. Places count from 1, columns in bytes. Work and memory are linear in the
 * input, and recursion is at most JSON_DEPTH_MAX deep.
 */
#ifndef FOGI_JSON_H
#define FOGI_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_SIZE_MAX (1024 * 1024) /* bytes of a document: configurations are a few KiB */
#define JSON_DEPTH_MAX 32           /* objects and arrays inside each other                       */
#define JSON_VALUES_MAX 65536       /* values in a document: bounds memory at about 6 MiB         */

enum json_type {
    JSON_NULL,
    JSON_BOOL,
    JSON_INT,
    JSON_REAL, /* a number that is no int64: fraction, exponent or too large; kept as text */
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

struct json_place {
    uint32_t line, col;
};

struct json_value {
    enum json_type type;
    bool quoted;              /* JSON_STRING: stood in quotes                              */
    struct json_place at;     /* first byte                                                */
    struct json_place key_at; /* member of an object: where its key stands                 */
    const char *key;          /* member of an object, else NULL                            */
    const char *text;         /* scalars: the decoded string, or the word as written       */
    int64_t number;           /* JSON_INT; JSON_BOOL: 0 or 1                               */
    struct json_value *first; /* children, in the order of the file; doubles are kept      */
    struct json_value *next;  /* next child of the same parent                             */
};

struct json_error {
    struct json_place at;
    char text[80]; /* one clause, lower case */
};

struct json; /* opaque: a document and its memory */

/**
 * Parses a whole document. An empty one is an object without members.
 *
 * Takes      buf: any bytes; borrowed. len: any.
 * Gives      *doc, to be freed with fogi_json_free().
 * Returns    true, or false with *err filled and *doc NULL (also without memory)
 */
bool fogi_json_parse(struct json **doc, const void *buf, size_t len, struct json_error *err);

/** NULL is fine. */
void fogi_json_free(struct json *doc);

/** Lent until the document is freed. Never NULL. */
const struct json_value *fogi_json_root(const struct json *doc);

/** The first member with this key; NULL if there is none or v is no object. O(members). */
const struct json_value *fogi_json_member(const struct json_value *v, const char *key);

/** "an object", "a number", ...: for messages. */
const char *fogi_json_type_name(enum json_type type);

#endif
