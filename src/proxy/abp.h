/* SPDX-License-Identifier: MIT
 *
 * abp.h - a list of hosts in the syntax of ad blockers, as vproxy's users have them ("[file]").
 *
 * Decides whether a host is on the list. Refuses to know where the text came from. Only the host of
 * a line counts: scheme and path are cut off. The first line in the order of the file decides:
 *
 *     ||host     host itself or a name below it      .x       ends in ".x"
 *     |x         exactly x                           /re/     regular expression; also tried with
 *     x          x stands anywhere in it                      "http://" and "https://" in front
 *     @@...      any of these: not on the list       ! or [   comment
 *
 * Invariant: the work for one name does not grow with the number of lines, expressions apart.
 */
#ifndef FOGI_ABP_H
#define FOGI_ABP_H

#include "proxy/regex.h"

#define ABP_BYTES_MAX                                                                              \
    (16u * 1024 * 1024)      /* of a list; the large ones are about 5 MiB             */
#define ABP_RULES_MAX 200000 /* lines that say something; more are counted, not kept  */
#define ABP_REGEX_MAX 64     /* expressions: a hostile list of them takes 0.1 s at most        */

struct abp; /* opaque */

struct abp_counts {
    uint32_t lines, rules;
    uint32_t unread;          /* lines that no rule above fits         */
    uint32_t limit_rules_hit; /* rules beyond ABP_RULES_MAX            */
    uint32_t limit_regex_hit; /* expressions beyond ABP_REGEX_MAX      */
};

struct abp_fault {
    uint32_t line, col; /* from 1, in the decoded text; 0: of the whole */
    char text[96];
};

/**
 * Reads a list: base64 of it, as such files usually are, or the plain text.
 *
 * Takes      text: borrows. m: borrowed for its life. salt: chance.
 * Returns    FOG_E_FORMAT   an expression is none; *fault says where
 *            FOG_E_LIMIT    longer than ABP_BYTES_MAX
 *            FOG_E_NOMEM
 */
FOG_CHECKED int fogi_abp_new(struct abp **out, struct mem *m, uint32_t salt, const void *text,
                             size_t len, struct abp_fault *fault);

/** NULL is fine. */
void fogi_abp_free(struct abp *a);

/** Whether a host, in lower case, is on the list. */
bool fogi_abp_lists(struct abp *a, const char *host, size_t len);

/** Lent for the life of the list. */
const struct abp_counts *fogi_abp_counts(const struct abp *a);

#endif
