/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proxy/patterns.h"
#include "proxy/rules.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define SALT 12345

static struct mem mem;

static int
setup(void **state)
{
    (void)state;
    mem_init(&mem, fog_alloc_libc());
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    assert_int_equal(mem.held, 0);
    return 0;
}

static struct dest
to(const char *text)
{
    struct dest d = {0};
    assert_int_equal(fogi_dest_authority(&d, text, strlen(text), 443), FOG_OK);
    return d;
}

static struct rules *
rules_of(const char *const *texts)
{
    struct rules *r = fogi_rules_new(&mem, SALT);
    struct rules_fault fault;
    assert_non_null(r);
    for (; *texts != NULL; texts++)
        assert_int_equal(fogi_rules_add(r, *texts, strlen(*texts), &fault), FOG_OK);
    return r;
}

/* ------------------------------------------------------------------------------------ patterns */

/* The plain meaning of a pattern, for comparison. */
static bool
fits_plainly(enum pattern_kind kind, const char *pattern, const char *name)
{
    size_t p = strlen(pattern), n = strlen(name);
    if (p > n)
        return false;
    bool end = strcmp(name + n - p, pattern) == 0;
    switch (kind) {
    case PATTERN_EXACT:
        return p == n && end;
    case PATTERN_DOMAIN:
        return end && (p == n || name[n - p - 1] == '.');
    case PATTERN_SUFFIX:
        return end;
    case PATTERN_INSIDE:
    case PATTERN_KINDS:
        break;
    }
    return strstr(name, pattern) != NULL;
}

static uint32_t
next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static void
random_text(char *out, size_t max, uint32_t letters, uint32_t *seed)
{
    size_t len = 1 + next_random(seed) % max;
    for (size_t i = 0; i < len; i++)
        out[i] = "ab.-"[next_random(seed) % letters];
    out[len] = 0;
}

static void
patterns_find_what_a_plain_search_finds(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 40; seed++) {
        char texts[60][16], name[32];
        enum pattern_kind kinds[60];
        uint32_t s = seed, letters = 2 + seed % 3; /* two: long ones fit now and then */
        struct patterns p;
        fogi_patterns_init(&p, &mem, seed * 77);
        for (uint32_t i = 0; i < COUNT(texts); i++) {
            random_text(texts[i], letters == 2 ? 15 : 7, letters, &s);
            kinds[i] = (enum pattern_kind)(next_random(&s) % PATTERN_KINDS);
            assert_int_equal(fogi_patterns_add(&p, kinds[i], texts[i], strlen(texts[i]), i), 0);
        }
        for (int round = 0; round < 200; round++) {
            uint32_t want = PATTERN_NONE;
            random_text(name, letters == 2 ? 31 : 20, letters, &s);
            for (uint32_t i = 0; i < COUNT(texts) && want == PATTERN_NONE; i++)
                if (fits_plainly(kinds[i], texts[i], name))
                    want = i;
            if (fogi_patterns_first(&p, name, strlen(name)) != want)
                fail_msg("seed %u, name %s", (unsigned)seed, name);
        }
        fogi_patterns_free(&p);
    }
}

static void
a_pattern_has_1_to_255_bytes(void **state)
{
    char text[PATTERN_LEN_MAX + 2];
    struct patterns p;
    (void)state;
    memset(text, 'a', sizeof text);
    fogi_patterns_init(&p, &mem, 0);
    assert_int_equal(fogi_patterns_first(&p, text, 5), PATTERN_NONE);
    assert_int_equal(fogi_patterns_add(&p, PATTERN_SUFFIX, text, 0, 0), FOG_E_USAGE);
    assert_int_equal(fogi_patterns_add(&p, PATTERN_SUFFIX, text, 256, 0), FOG_E_USAGE);
    assert_int_equal(fogi_patterns_add(&p, PATTERN_INSIDE, text, 255, 0), FOG_OK);
    assert_int_equal(fogi_patterns_first(&p, text, 255), 0);
    assert_int_equal(fogi_patterns_first(&p, text, 254), PATTERN_NONE);
    assert_int_equal(fogi_patterns_first(&p, text, 256), PATTERN_NONE);
    fogi_patterns_free(&p);
}

/* -------------------------------------------------------------------------------------- rules */

/* clang-format off */
static const struct {
    const char *rule, *dest;
    bool fits;
} one_rule[] = {
    {"google.com",          "google.com:443",          true},
    {"google.com",          "www.google.com:443",      true},
    {"google.com",          "notgoogle.com:443",       true},  /* a suffix of text, no dot needed */
    {"google.com",          "google.com.evil:443",     false},
    {".google.com",         "google.com:443",          false},
    {"Google.COM",          "google.com:443",          true},  /* names have no case              */
    {"google.com",          "GOOGLE.com:443",          true},
    {"/.*google\\.com.*/",  "a.google.com.hk:443",     true},
    {"/google\\.com/",      "a.google.com:443",        false}, /* the whole host                  */
    {"/.*\\.GOV$/",         "x.gov:443",               true},
    {"/(a)b\\1/",           "aba:443",                 true},
    {":22",                 "any.host:22",             true},
    {":22",                 "any.host:222",            false},
    {":22",                 "192.0.2.1:22",            true},
    {"216.58.200.46",       "216.58.200.46:443",       true},
    {"6.58.200.46",         "216.58.200.46:443",       true},  /* addresses are text, too         */
    {"216.58.200.46",       "216.58.200.47:443",       false},
    {"/10\\..*/",           "10.1.2.3:443",            true},
    {"2001:db8::1",         "[2001:db8::1]:443",       true},
    {"2001:0DB8:0:0::1",    "[2001:db8::1]:443",       true},  /* in any spelling                 */
    {"[2001:db8::1]",       "[2001:db8:0:0:0:0:0:1]:1", true},
    {"2001:db8:0:0:0:0:0:1", "[2001:db8::1]:443",      true},  /* vproxy's own                    */
    {"0:0:1",               "[2001:db8::1]:443",       true},
    {"2001:db8::2",         "[2001:db8::1]:443",       false},
    {"::1",                 "[2001:db8::1]:443",       true},  /* a suffix of its text            */
    {"/",                   "a.b:443",                 false},
    {"//",                  "a.b:443",                 false},
    {"/.*/",                "a.b:443",                 true},
    {"/.*/",                "[::1]:443",               true},
};
/* clang-format on */

static void
one_rule_fits_or_not(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(one_rule); i++) {
        struct rules *r = rules_of((const char *const[]){one_rule[i].rule, NULL});
        struct dest d = to(one_rule[i].dest);
        if (fogi_rules_fit(r, &d) != one_rule[i].fits)
            fail_msg("%s for %s", one_rule[i].rule, one_rule[i].dest);
        fogi_rules_free(r);
    }
}

/* clang-format off */
static const struct {
    const char *rule;
    size_t at;
    const char *says;
} bad_rules[] = {
    {"",            0, "1 to 255"},
    {":",           1, "port"},
    {":0",          1, "port"},
    {":65536",      1, "port"},
    {":80a",        3, "port"},
    {":000080",     1, "port"},
    {"a b",         1, "blank"},
    {"a\tb",        1, "blank"},
    {"/(a/",        3, "parenthes"},
    {"/a{2,1}/",    6, "numbers out of order"},
    {"/[z-a]/",     4, "range out of order"},
    {"/*/",         1, "quantifier"},
    {"/(*UTF)a/",   7, "disabled"},
    {"/\\C/",       3, "disabled"},
};
/* clang-format on */

static void
a_bad_rule_says_where_and_why(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad_rules); i++) {
        struct rules *r = rules_of((const char *const[]){NULL});
        struct rules_fault fault;
        const char *rule = bad_rules[i].rule;
        int rc = fogi_rules_add(r, rule, strlen(rule), &fault);
        if (rc != FOG_E_FORMAT || strstr(fault.text, bad_rules[i].says) == NULL ||
            fault.at != bad_rules[i].at)
            fail_msg("%s: %d at %u: %s", rule, rc, (unsigned)fault.at, fault.text);
        assert_int_equal(fogi_rules_n(r), 0);
        fogi_rules_free(r);
    }
}

static void
an_expression_has_at_most_1024_bytes(void **state)
{
    char rule[REGEX_LEN_MAX + 4];
    struct rules *r = rules_of((const char *const[]){NULL});
    struct rules_fault fault;
    (void)state;
    memset(rule, 'a', sizeof rule);
    rule[0] = rule[REGEX_LEN_MAX + 1] = '/';
    assert_int_equal(fogi_rules_add(r, rule, REGEX_LEN_MAX + 2, &fault), FOG_OK);
    rule[REGEX_LEN_MAX + 1] = 'a';
    rule[REGEX_LEN_MAX + 2] = '/';
    assert_int_equal(fogi_rules_add(r, rule, REGEX_LEN_MAX + 3, &fault), FOG_E_FORMAT);
    assert_non_null(strstr(fault.text, "too long"));
    fogi_rules_free(r);
}

static void
a_list_has_at_most_256_expressions(void **state)
{
    struct rules *r = rules_of((const char *const[]){NULL});
    struct rules_fault fault;
    (void)state;
    for (int i = 0; i < RULES_REGEX_MAX; i++)
        assert_int_equal(fogi_rules_add(r, "/a/", 3, &fault), FOG_OK);
    assert_int_equal(fogi_rules_add(r, "/a/", 3, &fault), FOG_E_LIMIT);
    assert_int_equal(fogi_rules_n(r), RULES_REGEX_MAX);
    fogi_rules_free(r);
}

static void
a_list_has_at_most_200000_rules(void **state)
{
    struct rules *r = rules_of((const char *const[]){NULL});
    struct rules_fault fault;
    char text[24];
    (void)state;
    for (int i = 0; i < RULES_MAX; i++) {
        snprintf(text, sizeof text, "h%d.example", i);
        assert_int_equal(fogi_rules_add(r, text, strlen(text), &fault), FOG_OK);
    }
    assert_int_equal(fogi_rules_add(r, "more", 4, &fault), FOG_E_LIMIT);
    struct dest last = to("x.h199999.example:1"), none = to("more:1");
    assert_true(fogi_rules_fit(r, &last));
    assert_false(fogi_rules_fit(r, &none));
    fogi_rules_free(r);
}

static void
a_silly_expression_cannot_hang(void **state)
{
    static const char *const silly[] = {"/(a*)*b/", "/(a|aa)+$b/", "/(.*)*(.*)*(.*)*x/",
                                        "/^(([a-z])+.)+[A-Z]([a-z])+9$/", "/(?:a?){60}a{60}/"};
    char host[256];
    struct regex_fault fault;
    (void)state;
    memset(host, 'a', 255);
    host[255] = 0;
    for (size_t i = 0; i < COUNT(silly); i++) {
        struct regex *r;
        assert_int_equal(fogi_regex_new(&r, &mem, silly[i] + 1, strlen(silly[i]) - 2, &fault), 0);
        for (int n = 0; n < 100; n++)
            (void)fogi_regex_fits(r, host, 255);
        assert_in_range(fogi_regex_strikes(r), 0, REGEX_STRIKES_MAX);
        fogi_regex_free(r);
    }
}

static void
an_expression_at_its_bound_is_switched_off_after_8(void **state)
{
    char host[64];
    struct regex_fault fault;
    struct regex *r;
    (void)state;
    memset(host, 'a', sizeof host);
    assert_int_equal(fogi_regex_new(&r, &mem, "(a|aa)+c|b", 10, &fault), FOG_OK);
    assert_true(fogi_regex_fits(r, "b", 1));
    for (uint32_t n = 1; n < REGEX_STRIKES_MAX; n++) {
        assert_false(fogi_regex_fits(r, host, sizeof host));
        assert_int_equal(fogi_regex_strikes(r), n);
        assert_true(fogi_regex_fits(r, "b", 1));
    }
    assert_false(fogi_regex_fits(r, host, sizeof host));
    assert_false(fogi_regex_fits(r, "b", 1));
    fogi_regex_free(r);
}

/* --------------------------------------------------------------------------------------- route */

static void
no_proxy_comes_first_and_default_last(void **state)
{
    (void)state;
    struct route routes[] = {
        {NULL, rules_of((const char *const[]){"a.com", NULL})},
        {rules_of((const char *const[]){"x.a.com", ":25", NULL}),
         rules_of((const char *const[]){"b.com", NULL})},
        {NULL, rules_of((const char *const[]){"/.*com/", NULL})},
    };
    static const struct {
        const char *dest;
        size_t group;
    } rows[] = {{"a.com:1", 0},
                {"b.com:1", 1},
                {"c.com:1", 2},
                {"x.a.com:1", ROUTE_DIRECT},
                {"y.x.a.com:1", ROUTE_DIRECT},
                {"b.com:25", ROUTE_DIRECT},
                {"c.org:1", ROUTE_DIRECT}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct dest d = to(rows[i].dest);
        assert_true(fogi_route_pick(routes, COUNT(routes), &d) == rows[i].group);
    }
    struct dest d = to("a.com:1");
    assert_true(fogi_route_pick(routes, 0, &d) == ROUTE_DIRECT);
    for (size_t i = 0; i < COUNT(routes); i++) {
        fogi_rules_free(routes[i].no_proxy);
        fogi_rules_free(routes[i].domains);
    }
}

/* ----------------------------------------------------------------------------- without memory */

struct scarce {
    int left;
};

static void *
scarce_alloc(void *ctx, size_t size)
{
    struct scarce *s = ctx;
    return s->left-- > 0 ? malloc(size) : NULL;
}

static void
scarce_free(void *ctx, void *p, size_t size)
{
    (void)ctx;
    (void)size;
    free(p);
}

static void
without_memory_nothing_is_left_behind(void **state)
{
    static const char *const texts[] = {"a.com", "/b.*/", ":22"};
    (void)state;
    for (int left = 0; left < 40; left++) {
        struct scarce scarce = {left};
        struct fog_alloc al = {scarce_alloc, scarce_free, &scarce};
        struct mem m;
        struct rules_fault fault;
        mem_init(&m, &al);
        struct rules *r = fogi_rules_new(&m, SALT);
        for (size_t i = 0; r != NULL && i < COUNT(texts); i++) {
            int rc = fogi_rules_add(r, texts[i], strlen(texts[i]), &fault);
            assert_true(rc == FOG_OK || rc == FOG_E_NOMEM);
        }
        if (r != NULL) {
            struct dest d = to("bcd:22");
            (void)fogi_rules_fit(r, &d);
        }
        fogi_rules_free(r);
        assert_int_equal(m.held, 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_find_what_a_plain_search_finds),
        cmocka_unit_test(a_pattern_has_1_to_255_bytes),
        cmocka_unit_test(one_rule_fits_or_not),
        cmocka_unit_test(a_bad_rule_says_where_and_why),
        cmocka_unit_test(an_expression_has_at_most_1024_bytes),
        cmocka_unit_test(a_list_has_at_most_256_expressions),
        cmocka_unit_test(a_list_has_at_most_200000_rules),
        cmocka_unit_test(a_silly_expression_cannot_hang),
        cmocka_unit_test(an_expression_at_its_bound_is_switched_off_after_8),
        cmocka_unit_test(no_proxy_comes_first_and_default_last),
        cmocka_unit_test(without_memory_nothing_is_left_behind),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
