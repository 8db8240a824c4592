/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proxy/abp.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static struct mem mem;

static struct abp *
list_of(const char *text, size_t len)
{
    struct abp *a;
    struct abp_fault fault;
    /* An exact copy on the heap, so that a read behind the end is seen. */
    char *copy = malloc(len > 0 ? len : 1);
    assert_non_null(copy);
    memcpy(copy, text, len);
    assert_int_equal(fogi_abp_new(&a, &mem, 7, copy, len, &fault), FOG_OK);
    free(copy);
    return a;
}

/* clang-format off */
static const struct {
    const char *list, *host;
    bool listed;
} rows[] = {
    {"||a.com",                 "a.com",        true},
    {"||a.com",                 "x.a.com",      true},
    {"||a.com",                 "xa.com",       false},
    {"||a.com",                 "a.com.x",      false},
    {"||a.com^",                "a.com",        false}, /* "^" is not of this syntax             */
    {"||http://a.com/x/y",      "a.com",        true},  /* only the host counts                  */
    {"|a.com",                  "a.com",        true},
    {"|a.com",                  "x.a.com",      false},
    {"|https://a.com",          "a.com",        true},
    {"|http://a.com/p",         "a.com",        true},
    {".a.com",                  "x.a.com",      true},
    {".a.com",                  "a.com",        false},
    {".a.com/x",                "y.a.com",      true},
    {"a.com",                   "a.com",        true},
    {"a.com",                   "xa.com.y",     true},  /* anywhere                              */
    {"goo",                     "www.google.x", true},
    {"https://goo/x",           "www.google.x", true},
    {"GOO",                     "www.google.x", true},
    {"/a\\d\\.com/",            "a1.com",       true},
    {"/a\\d\\.com/",            "xa1.com",      false},
    {"/^https?:\\/\\/a\\.b.*/", "a.bc",         true},  /* written for the address of a page     */
    {"/http:..a/",              "a",            true},
    {"! a.com",                 "a.com",        false},
    {"[Auto a.com]",            "a.com",        false},
    {"@@||a.com\n||a.com",      "a.com",        false}, /* the first line decides                */
    {"||a.com\n@@||a.com",      "a.com",        true},
    {"@@||x.a.com\n||a.com",    "x.a.com",      false},
    {"@@||x.a.com\n||a.com",    "y.a.com",      true},
    {"@@/x.*/\n||a.com",        "x.a.com",      false},
    {"||a.com\n@@/x.*/",        "x.a.com",      true},
    {"/x.*/\n@@a.com",          "x.a.com",      true},
    {"@@a.com\n/x.*/",          "x.a.com",      false},
    {"@@|a.com\n||a.com",       "a.com",        false},
    {"@@|a.com\n||a.com",       "x.a.com",      true},
    {"||b.com\r\n  ||a.com \r", "a.com",        true},
    {"*a.com",                  "a.com",        false}, /* not of this syntax: counted           */
    {"||",                      "a.com",        false},
    {"http://",                 "a.com",        false}, /* an empty host would be everywhere     */
    {"",                        "a.com",        false},
    {"fHxhLmNvbQ==",            "x.a.com",      true},  /* base64 of "||a.com"                   */
    {"fHxh\r\nLmNv\r\nbQ==\n",  "x.a.com",      true},
};
/* clang-format on */

static void
a_list_lists(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct abp *a = list_of(rows[i].list, strlen(rows[i].list));
        if (fogi_abp_lists(a, rows[i].host, strlen(rows[i].host)) != rows[i].listed)
            fail_msg("row %u: %s for %s", (unsigned)i, rows[i].list, rows[i].host);
        fogi_abp_free(a);
        assert_int_equal(mem.held, 0);
    }
}

static void
lines_are_counted(void **state)
{
    static const char text[] = "! c\n||a.com\n\n*x\n/a/\n|http:///\n@@b.com\n";
    struct abp *a = list_of(text, sizeof text - 1);
    const struct abp_counts *c = fogi_abp_counts(a);
    (void)state;
    assert_int_equal(c->lines, 7);
    assert_int_equal(c->rules, 3);
    assert_int_equal(c->unread, 2);
    fogi_abp_free(a);
}

static void
a_bad_expression_has_a_place(void **state)
{
    static const char text[] = "||a.com\n  @@/a(b/\n";
    struct abp *a;
    struct abp_fault fault;
    (void)state;
    assert_int_equal(fogi_abp_new(&a, &mem, 7, text, sizeof text - 1, &fault), FOG_E_FORMAT);
    assert_null(a);
    assert_int_equal(fault.line, 2);
    assert_int_equal(fault.col, 9); /* behind the last byte of the expression */
    assert_non_null(strstr(fault.text, "parenthes"));
    assert_int_equal(mem.held, 0);
}

/** A list of n lines like those that people use, and the same as a text. */
static char *
long_list(int n, size_t *len)
{
    char *text = malloc((size_t)n * 40), *p = text;
    assert_non_null(text);
    for (int i = 0; i < n; i++)
        p += sprintf(p,
                     i % 3 == 0   ? "||h%d.example%d.com\n"
                     : i % 3 == 1 ? "word%d-%d\n"
                                  : ".s%d.site%d.net/p\n",
                     i, i % 97);
    *len = (size_t)(p - text);
    return text;
}

static void
a_list_has_at_most_200000_rules(void **state)
{
    size_t len;
    char *text = long_list(ABP_RULES_MAX + 3, &len);
    struct abp *a = list_of(text, len);
    (void)state;
    assert_int_equal(fogi_abp_counts(a)->rules, ABP_RULES_MAX);
    assert_int_equal(fogi_abp_counts(a)->limit_rules_hit, 3);
    assert_true(fogi_abp_lists(a, "x.h0.example0.com", 17));
    assert_true(fogi_abp_lists(a, "a.s199997.site80.net", 20));
    assert_false(fogi_abp_lists(a, "nowhere.org", 11));
    fogi_abp_free(a);
    free(text);
    assert_int_equal(mem.held, 0);
}

static void
a_list_has_at_most_64_expressions(void **state)
{
    char text[(ABP_REGEX_MAX + 1) * 4 + 1], *p = text;
    (void)state;
    for (int i = 0; i <= ABP_REGEX_MAX; i++)
        p += sprintf(p, "/a/\n");
    struct abp *a = list_of(text, (size_t)(p - text));
    assert_int_equal(fogi_abp_counts(a)->rules, ABP_REGEX_MAX);
    assert_int_equal(fogi_abp_counts(a)->limit_regex_hit, 1);
    fogi_abp_free(a);
}

static void
a_list_has_at_most_16_mib(void **state)
{
    struct abp *a;
    struct abp_fault fault;
    char *text = malloc(ABP_BYTES_MAX + 1);
    (void)state;
    assert_non_null(text);
    memset(text, '\n', ABP_BYTES_MAX + 1);
    assert_int_equal(fogi_abp_new(&a, &mem, 7, text, ABP_BYTES_MAX + 1, &fault), FOG_E_LIMIT);
    assert_int_equal(fogi_abp_new(&a, &mem, 7, text, ABP_BYTES_MAX, &fault), FOG_OK);
    assert_int_equal(fogi_abp_counts(a)->lines, ABP_BYTES_MAX);
    fogi_abp_free(a);
    free(text);
}

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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_lists),
        cmocka_unit_test(lines_are_counted),
        cmocka_unit_test(a_bad_expression_has_a_place),
        cmocka_unit_test(a_list_has_at_most_200000_rules),
        cmocka_unit_test(a_list_has_at_most_64_expressions),
        cmocka_unit_test(a_list_has_at_most_16_mib),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
