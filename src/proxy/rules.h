/* SPDX-License-Identifier: MIT
 *
 * rules.h - which destinations a list of rules names, and which group a destination belongs to.
 *
 * Decides by vproxy's rules: a plain text is the end of the host as text, with no regard to dots;
 * /re/ is a regular expression for the whole host; ":port" is the port alone; [file] is a list of
 * abp.h. An address is matched as text, IPv6 in any of its spellings. Refuses to know groups'
 * servers and files. Invariant: within a list the order does not matter; any rule that fits is
 * enough.
 */
#ifndef FOGI_RULES_H
#define FOGI_RULES_H

#include "proxy/abp.h"
#include "proxy/dest.h"

#define RULES_MAX 200000    /* of one list              */
#define RULES_REGEX_MAX 256 /* expressions of one list  */
#define RULES_ABP_MAX 16    /* lists inside one list    */

enum rule_kind { RULE_SUFFIX, RULE_REGEX, RULE_PORT, RULE_FILE };

struct rules; /* opaque: one list */

struct rules_fault {
    size_t at; /* byte of the rule that is wrong */
    char text[96];
};

/** An empty list; NULL without memory. m: borrowed for its life. salt: chance. */
struct rules *fogi_rules_new(struct mem *m, uint32_t salt);

/** NULL is fine. Frees the lists in it as well. */
void fogi_rules_free(struct rules *r);

/** What a rule is, by its first and last byte. */
enum rule_kind fogi_rules_kind(const char *text, size_t len);

/**
 * Adds a rule; not one of RULE_FILE, whose file the caller reads.
 *
 * Returns    FOG_E_FORMAT   it is none; *fault says why
 *            FOG_E_LIMIT    the list is full; *fault says so
 *            FOG_E_NOMEM
 */
FOG_CHECKED int fogi_rules_add(struct rules *r, const char *text, size_t len,
                               struct rules_fault *fault);

/** Adds a list of abp.h. Takes it, also when the call fails (FOG_E_LIMIT). */
FOG_CHECKED int fogi_rules_add_abp(struct rules *r, struct abp *a);

/** Whether a rule names the destination. NULL names none. */
bool fogi_rules_fit(struct rules *r, const struct dest *d);

/** How many rules there are, a list of abp.h being one. */
uint32_t fogi_rules_n(const struct rules *r);

/** What belongs to one group of servers. */
struct route {
    struct rules *no_proxy; /* NULL: none */
    struct rules *domains;  /* NULL: none */
};

#define ROUTE_DIRECT SIZE_MAX

/**
 * The group that a destination goes to: ROUTE_DIRECT if any group's no_proxy names it, else the
 * first whose domains do, else ROUTE_DIRECT. The caller puts DEFAULT last.
 */
size_t fogi_route_pick(const struct route *routes, size_t n, const struct dest *d);

#endif
