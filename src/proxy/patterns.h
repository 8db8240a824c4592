/* SPDX-License-Identifier: MIT
 *
 * patterns.h - many texts to look for in one host name, at the price of a few.
 *
 * Decides which of its patterns stands first in its list and fits. Refuses to know what a pattern
 * was written for. Invariant: the work for one name depends on the name's length and on how many
 * different lengths the patterns have, not on how many patterns there are.
 */
#ifndef FOGI_PATTERNS_H
#define FOGI_PATTERNS_H

#include <foggara/error.h>

#include "base/mem.h"

#define PATTERN_LEN_MAX 255 /* as long as a name (DEST_HOST_MAX): a longer one fits none */
#define PATTERN_NONE UINT32_MAX

enum pattern_kind {
    PATTERN_EXACT,  /* the whole name                                     */
    PATTERN_DOMAIN, /* the whole name, or its end behind a dot            */
    PATTERN_SUFFIX, /* the end of the name                                */
    PATTERN_INSIDE, /* anywhere in it                                     */
    PATTERN_KINDS
};

struct pattern {
    uint32_t hash;
    uint32_t number; /* where it stands in its list                    */
    uint32_t text;   /* where it begins in `texts`                     */
    uint8_t len;
    uint8_t kind; /* enum pattern_kind                                */
};

struct patterns {
    struct mem *m;
    uint32_t salt; /* base of the hash, so that no list can aim at one slot   */
    struct pattern *all;
    uint32_t n, cap;
    char *texts;
    uint32_t texts_len, texts_cap;
    uint32_t *slots; /* open addressing: index + 1, 0 is empty     */
    uint32_t n_slots;
    uint8_t *maybe; /* bits, set for each PATTERN_INSIDE, for how it begins, and for that with its
                       length; small enough to stay in the cache */
    uint8_t inside_lens[PATTERN_LEN_MAX]; /* lengths that PATTERN_INSIDE has, each once, growing */
    uint8_t n_inside_lens;
};

/** An empty set. m: borrowed for its life. salt: chance. */
void fogi_patterns_init(struct patterns *p, struct mem *m, uint32_t salt);
void fogi_patterns_free(struct patterns *p);

/**
 * Adds a text; upper case letters become lower case.
 *
 * Takes      text: copies; 1..PATTERN_LEN_MAX bytes. number: below PATTERN_NONE, never smaller
 *            than that of an earlier call.
 * Returns    FOG_E_USAGE   the length is out of range
 *            FOG_E_NOMEM
 */
FOG_CHECKED int fogi_patterns_add(struct patterns *p, enum pattern_kind kind, const char *text,
                                  size_t len, uint32_t number);

/** The smallest number of a pattern that fits the name, which is in lower case; PATTERN_NONE: none.
 *  O(len * lengths of PATTERN_INSIDE) where every part begins as some pattern does, else O(len). */
uint32_t fogi_patterns_first(const struct patterns *p, const char *name, size_t len);

#endif
