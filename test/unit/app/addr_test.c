/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "io/addr.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void
text_and_back(void **state)
{
    (void)state;
    static const struct {
        const char *host;
        uint16_t port;
        const char *text; /* NULL: not an address */
        bool v4, any, loopback;
    } rows[] = {
        {"192.0.2.1", 80, "192.0.2.1:80", true, false, false},
        {"0.0.0.0", 1, "0.0.0.0:1", true, true, false},
        {"127.9.9.9", 65535, "127.9.9.9:65535", true, false, true},
        {"::1", 443, "[::1]:443", false, false, true},
        {"::", 443, "[::]:443", false, true, false},
        {"2001:DB8::1", 9, "[2001:db8::1]:9", false, false, false},
        {"::ffff:192.0.2.1", 80, "192.0.2.1:80", true, false, false},
        {"::ffff:127.0.0.1", 80, "127.0.0.1:80", true, false, true},
        {"fe80::1%1", 80, "[fe80::1%1]:80", false, false, false},
        {"example.net", 80, NULL, false, false, false},
        {"1.2.3", 80, NULL, false, false, false},
        {"1.2.3.256", 80, NULL, false, false, false},
        {"[::1]", 80, NULL, false, false, false},
        {"fe80::1%no-such-interface", 80, NULL, false, false, false},
        {"fe80::1%", 80, NULL, false, false, false},
        {"", 80, NULL, false, false, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fog_addr a;
        char buf[ADDR_TEXT_MAX];
        print_message("%s\n", rows[i].host);
        assert_int_equal(fogi_addr_parse(&a, rows[i].host, rows[i].port), rows[i].text != NULL);
        if (!rows[i].text)
            continue;
        assert_string_equal(fogi_addr_text(&a, buf), rows[i].text);
        assert_int_equal(fogi_addr_is_v4(&a), rows[i].v4);
        assert_int_equal(fogi_addr_is_any(&a), rows[i].any);
        assert_int_equal(fogi_addr_is_loopback(&a), rows[i].loopback);
    }
}

static void
a_failed_parse_changes_nothing(void **state)
{
    (void)state;
    struct fog_addr a = {.port = 7}, before = a;
    assert_false(fogi_addr_parse(&a, "fe80::1%no-such-interface", 80));
    assert_memory_equal(&a, &before, sizeof a);
}

static void
system_and_back(void **state)
{
    (void)state;
    static const struct {
        const char *host;
        int family;
        size_t len; /* 0: cannot be said in this family */
    } rows[] = {
        {"192.0.2.1", AF_INET, sizeof(struct sockaddr_in)},
        {"192.0.2.1", AF_INET6, sizeof(struct sockaddr_in6)},
        {"2001:db8::1", AF_INET6, sizeof(struct sockaddr_in6)},
        {"2001:db8::1", AF_INET, 0},
        {"fe80::1%1", AF_INET6, sizeof(struct sockaddr_in6)},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fog_addr a, b;
        union sockaddr_any sa;
        print_message("%s\n", rows[i].host);
        assert_true(fogi_addr_parse(&a, rows[i].host, 4711));
        assert_int_equal(fogi_addr_to_system(&a, rows[i].family, &sa), rows[i].len);
        if (!rows[i].len)
            continue;
        assert_int_equal(sa.sa.sa_family, rows[i].family);
        fogi_addr_from_system(&b, &sa.sa);
        assert_memory_equal(&a, &b, sizeof a); /* equal peers compare equal byte for byte */
    }
}

static void
other_families_are_nothing(void **state)
{
    (void)state;
    struct sockaddr sa = {.sa_family = AF_UNIX};
    struct fog_addr a, zero = {.port = 0};
    fogi_addr_from_system(&a, &sa);
    assert_memory_equal(&a, &zero, sizeof a);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_and_back),
        cmocka_unit_test(a_failed_parse_changes_nothing),
        cmocka_unit_test(system_and_back),
        cmocka_unit_test(other_families_are_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
