/* SPDX-License-Identifier: MIT
 *
 * regex.c - PCRE2 with its bounds set and its memory counted.
 */
#include "proxy/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <string.h>

#define NEST_MAX 64 /* parentheses inside each other */

struct regex {
    struct mem *m;
    pcre2_general_context *memory;
    pcre2_match_context *bounds;
    pcre2_code *code;
    pcre2_match_data *data;
    uint32_t strikes;
};

/* PCRE2 does not say how large a piece was when it gives it back, so each remembers. */
union piece {
    size_t size;
    max_align_t align;
};

static void *
get(size_t size, void *m)
{
    union piece *p = size < SIZE_MAX / 2 ? mem_get(m, size + sizeof *p) : NULL;
    if (p == NULL)
        return NULL;
    p->size = size + sizeof *p;
    return p + 1;
}

static void
put(void *at, void *m)
{
    union piece *p = at;
    if (p != NULL)
        mem_put(m, p - 1, p[-1].size);
}

static void
say(struct regex_fault *fault, size_t at, const char *text)
{
    size_t len = strlen(text);
    if (len >= sizeof fault->text)
        len = sizeof fault->text - 1;
    fault->at = at;
    memcpy(fault->text, text, len);
    fault->text[len] = 0;
}

static int
compile(struct regex *r, const char *text, size_t len, struct regex_fault *fault)
{
    int code = 0;
    PCRE2_SIZE at = 0;
    pcre2_compile_context *c = pcre2_compile_context_create(r->memory);
    if (c == NULL)
        return FOG_E_NOMEM;
    pcre2_set_parens_nest_limit(c, NEST_MAX);
    r->code = pcre2_compile((PCRE2_SPTR)text, len,
                            PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_CASELESS | PCRE2_NEVER_UTF |
                                PCRE2_NEVER_BACKSLASH_C,
                            &code, &at, c);
    pcre2_compile_context_free(c);
    if (r->code != NULL)
        return FOG_OK;
    if (code == PCRE2_ERROR_NOMEMORY || code == PCRE2_ERROR_HEAP_FAILED)
        return FOG_E_NOMEM;
    PCRE2_UCHAR why[sizeof fault->text];
    say(fault, at,
        pcre2_get_error_message(code, why, sizeof why) > 0 ? (const char *)why
                                                           : "is no regular expression");
    return FOG_E_FORMAT;
}

static int
prepare(struct regex *r)
{
    r->bounds = pcre2_match_context_create(r->memory);
    r->data = pcre2_match_data_create(1, r->memory);
    if (r->bounds == NULL || r->data == NULL)
        return FOG_E_NOMEM;
    pcre2_set_match_limit(r->bounds, REGEX_STEPS_MAX);
    pcre2_set_depth_limit(r->bounds, REGEX_STEPS_MAX);
    pcre2_set_heap_limit(r->bounds, REGEX_HEAP_KIB_MAX);
    return FOG_OK;
}

int
fogi_regex_new(struct regex **out, struct mem *m, const char *text, size_t len,
               struct regex_fault *fault)
{
    say(fault, 0, "");
    *out = NULL;
    if (len > REGEX_LEN_MAX) {
        say(fault, REGEX_LEN_MAX, "the expression is too long");
        return FOG_E_FORMAT;
    }
    struct regex *r = mem_get(m, sizeof *r);
    if (r == NULL)
        return FOG_E_NOMEM;
    *r = (struct regex){.m = m, .memory = pcre2_general_context_create(get, put, m)};
    int rc = r->memory == NULL ? FOG_E_NOMEM : compile(r, text, len, fault);
    if (rc == FOG_OK)
        rc = prepare(r);
    if (rc == FOG_OK)
        *out = r;
    else
        fogi_regex_free(r);
    return rc;
}

void
fogi_regex_free(struct regex *r)
{
    if (r == NULL)
        return;
    pcre2_match_data_free(r->data);
    pcre2_code_free(r->code);
    pcre2_match_context_free(r->bounds);
    pcre2_general_context_free(r->memory);
    mem_put(r->m, r, sizeof *r);
}

bool
fogi_regex_fits(struct regex *r, const char *text, size_t len)
{
    if (r->strikes >= REGEX_STRIKES_MAX)
        return false;
    int rc = pcre2_match(r->code, (PCRE2_SPTR)text, len, 0, 0, r->data, r->bounds);
    if (rc < 0 && rc != PCRE2_ERROR_NOMATCH)
        r->strikes++; /* the bounds, or memory: what else can be wrong was refused before */
    return rc >= 0;
}

uint32_t
fogi_regex_strikes(const struct regex *r)
{
    return r->strikes;
}
