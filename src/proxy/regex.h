/* SPDX-License-Identifier: MIT
 *
 * regex.h - one regular expression that a user wrote, held to a bound.
 *
 * Decides whether a text fits as a whole, without regard to case. Refuses to know whose rule it is.
 * Invariant: no expression costs more than REGEX_STEPS_MAX steps and REGEX_HEAP_KIB_MAX memory for
 * one text; one that keeps running into these bounds is switched off.
 */
#ifndef FOGI_REGEX_H
#define FOGI_REGEX_H

#include <foggara/error.h>

#include "base/mem.h"

#define REGEX_LEN_MAX 1024     /* bytes of an expression: rules written by people are far shorter */
#define REGEX_STEPS_MAX 5000   /* of the matcher for one text: half a millisecond           */
#define REGEX_HEAP_KIB_MAX 256 /* of the matcher for one text */
#define REGEX_STRIKES_MAX 8    /* times at a bound until it is switched off                       */

struct regex; /* opaque: the compiled expression and what it needs to match */

struct regex_fault {
    size_t at;     /* byte of the expression */
    char text[96]; /* one clause             */
};

/**
 * Compiles an expression.
 *
 * Takes      m: borrowed for its life. text: borrows.
 * Returns    FOG_E_FORMAT   it is none, or too long; *fault says why
 *            FOG_E_NOMEM
 */
FOG_CHECKED int fogi_regex_new(struct regex **out, struct mem *m, const char *text, size_t len,
                               struct regex_fault *fault);

/** NULL is fine. */
void fogi_regex_free(struct regex *r);

/** Whether the whole text fits. False at a bound, which counts a strike. */
bool fogi_regex_fits(struct regex *r, const char *text, size_t len);

/** How often a bound was reached. */
uint32_t fogi_regex_strikes(const struct regex *r);

#endif
