/* SPDX-License-Identifier: MIT
 *
 * fuzz_rules.c - rules and a list of hosts, and names that are held against them. Byte 0: bit 0 a
 * list of abp.h, else rules; the first line is the name, every further one a rule. Held: work is
 * bounded, nothing is left behind, and texts without expressions decide as a plain search does.
 */
#include "proxy/rules.h"

#include "base/mem.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct line {
    const char *text;
    size_t len;
};

static bool
next_line(const char **p, const char *end, struct line *l)
{
    if (*p == end)
        return false;
    const char *stop = memchr(*p, '\n', (size_t)(end - *p));
    l->text = *p;
    l->len = (size_t)((stop != NULL ? stop : end) - *p);
    *p = stop != NULL ? stop + 1 : end;
    return true;
}

static void
try_list(struct mem *m, const struct line *name, const char *text, size_t len)
{
    struct abp *a;
    struct abp_fault fault;
    if (fogi_abp_new(&a, m, 4711, text, len, &fault) != FOG_OK) {
        assert(a == NULL && (fault.line == 0 || fault.text[0] != 0));
        return;
    }
    bool listed = fogi_abp_lists(a, name->text, name->len);
    assert(!listed || (name->len > 0 && fogi_abp_counts(a)->rules > 0));
    assert(fogi_abp_counts(a)->rules <= fogi_abp_counts(a)->lines);
    fogi_abp_free(a);
}

static bool
same_letter(char a, char b)
{
    return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b;
}

/** Whether the rule, taken as plain text, ends the name. */
static bool
ends(const char *name, const struct line *rule)
{
    size_t len = strlen(name);
    if (rule->len > len)
        return false;
    for (size_t i = 0; i < rule->len; i++)
        if (!same_letter(rule->text[i], name[len - rule->len + i]))
            return false;
    return true;
}

static void
try_rules(struct mem *m, const struct line *name, const char *p, const char *end)
{
    struct rules *r = fogi_rules_new(m, 4711);
    struct rules_fault fault;
    struct line l;
    struct dest d = {.port = 443};
    bool plain = true, want = false;
    bool is_dest = fogi_dest_host(&d, name->text, name->len) == FOG_OK;
    assert(r != NULL && "there is memory");
    while (next_line(&p, end, &l)) {
        enum rule_kind kind = fogi_rules_kind(l.text, l.len);
        int rc = kind == RULE_FILE ? FOG_E_USAGE : fogi_rules_add(r, l.text, l.len, &fault);
        plain = plain && (kind == RULE_SUFFIX || kind == RULE_FILE || rc != FOG_OK);
        want = want || (kind == RULE_SUFFIX && rc == FOG_OK && ends(d.name, &l));
    }
    if (is_dest) {
        struct route route = {NULL, r};
        bool fits = fogi_rules_fit(r, &d);
        assert(!plain || d.kind != DEST_NAME || fits == want);
        assert((fogi_route_pick(&route, 1, &d) == 0) == fits || !plain);
    }
    fogi_rules_free(r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mem m;
    struct line name;
    const char *p = (const char *)data + 1, *end = (const char *)data + size;
    if (size < 2 || size > 65536 || !next_line(&p, end, &name))
        return 0;
    mem_init(&m, fog_alloc_libc());
    if ((data[0] & 1) != 0)
        try_list(&m, &name, p, (size_t)(end - p));
    else
        try_rules(&m, &name, p, end);
    assert(m.held == 0);
    return 0;
}
