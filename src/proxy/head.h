/* SPDX-License-Identifier: MIT
 *
 * head.h - the head of an HTTP/1 request or response: start line and fields, byte by byte.
 *
 * Decides whether a head is well formed and how its body would be framed. Refuses to know what any
 * of it is for, and never touches the bytes behind the empty line. It rejects and never repairs
 * (threats S5, S7): what passes has one reading only, whoever reads it next.
 *
 * Rejected: a line end other than CR LF; an empty line before the start line; blanks other than
 * one where one belongs; a name that is no token, or a blank before its colon; folded lines; NUL
 * and other control characters; HTTP versions other than 1.0 and 1.1; more than one Content-Length,
 * one that is no plain number, one beside Transfer-Encoding; a Transfer-Encoding other than one
 * "chunked", or in HTTP/1.0; no Host or more than one in a request of HTTP/1.1; a Host that no
 * host is spelled with.
 *
 * Invariant: the outcome and the bytes used depend on the bytes alone, never on how they were cut.
 * Memory: one block that doubles up to HEAD_MAX, held until fogi_head_clear().
 */
#ifndef FOGI_HEAD_H
#define FOGI_HEAD_H

#include "base/mem.h"

#include <foggara/error.h>

#define HEAD_MAX 16384      /* bytes, the empty line included (threats S7) */
#define HEAD_FIELDS_MAX 100 /* fields of one head                          */
#define HEAD_DATE_LEN 29    /* "Sun, 06 Nov 1994 08:49:37 GMT"             */

enum head_kind { HEAD_REQUEST, HEAD_RESPONSE };
enum head_body { HEAD_BODY_NONE, HEAD_BODY_LENGTH, HEAD_BODY_CHUNKED };

/** Bytes within a head, without an end; lent until fogi_head_clear(). at is never NULL. */
struct head_text {
    const char *at;
    size_t len;
};

struct head_field { /* where name and value stand in the head's bytes */
    uint16_t name, name_len, value, value_len;
};

struct head {
    enum head_kind kind;
    bool done;           /* the empty line was seen: what follows may be read */
    int err;             /* what fogi_head_input() returned last; stays       */
    uint8_t minor;       /* HTTP/1.minor: 0 or 1                              */
    uint16_t status;     /* responses: 100..999                               */
    enum head_body body; /* what the fields say; of responses never believed  */
    uint64_t length;     /* HEAD_BODY_LENGTH: its bytes                       */
    uint16_t n_fields;
    struct head_field fields[HEAD_FIELDS_MAX];
    /* own business of head.c */
    uint8_t state;
    uint16_t method_len, target, target_len;
    uint16_t start;
    size_t len, cap;
    char *bytes;
};

/** A head of no bytes, which holds no memory. */
void fogi_head_init(struct head *h, enum head_kind kind);

/** Gives the memory back; h is as after fogi_head_init(). */
void fogi_head_clear(struct head *h, struct mem *m);

/**
 * Reads on. Borrows buf.
 *
 * Effect     *used bytes are done with: all, unless the head ended before (h->done) or is bad.
 *            Bytes behind the head are never used; nothing more is once h->done.
 * Returns    FOG_E_FORMAT   not a head as above                       [for good: h->err]
 *            FOG_E_LIMIT    over HEAD_MAX bytes or HEAD_FIELDS_MAX    [for good: h->err]
 *            FOG_E_NOMEM    no memory; call again with the bytes behind *used
 */
FOG_CHECKED int fogi_head_input(struct head *h, struct mem *m, const void *buf, size_t len,
                                size_t *used);

/* Of a head that is done: */

struct head_text fogi_head_method(const struct head *h);          /* requests */
struct head_text fogi_head_target(const struct head *h);          /* requests */
struct head_text fogi_head_name(const struct head *h, size_t i);  /* of field i */
struct head_text fogi_head_value(const struct head *h, size_t i); /* without blanks round it */

/** Value of the n-th field (from 0) with this name, whatever its case; false if there is none. */
bool fogi_head_find(const struct head *h, const char *name, size_t n, struct head_text *value);

/** How often a field stands there. */
size_t fogi_head_count(const struct head *h, const char *name);

/** Whether word stands in the comma list of any field of this name, whatever its case. */
bool fogi_head_lists(const struct head *h, const char *name, const char *word);

bool fogi_text_is(struct head_text t, const char *word);      /* the same bytes        */
bool fogi_text_is_word(struct head_text t, const char *word); /* the same but for case */

/** Whether word stands in a comma list, whatever its case. */
bool fogi_text_lists(struct head_text list, struct head_text word);

/** The Date of a response (RFC 9110 section 5.6.7), ended with a zero. */
void fogi_head_date(uint64_t unix_ms, char out[HEAD_DATE_LEN + 1]);

#endif
