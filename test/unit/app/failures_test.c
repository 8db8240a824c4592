/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/failures.h"

#include <string.h>

static struct failures f;
static const uint8_t key[16] = "0123456789abcde";

static struct fog_addr
v4(uint32_t n)
{
    struct fog_addr a = {.ip = {[10] = 0xff, [11] = 0xff}, .port = (uint16_t)n};
    for (int i = 0; i < 4; i++)
        a.ip[12 + i] = (uint8_t)(n >> (24 - 8 * i));
    return a;
}

static void
three_are_free_and_each_further_one_waits_longer(void **state)
{
    (void)state;
    static const fog_time waits[] = {0, 0, 0, 1, 2, 3, 4, 5, 5, 5};
    struct fog_addr a = v4(1), b = v4(2);
    fogi_failures_init(&f, key);
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        assert_int_equal(fogi_failures_add(&f, &a, FOG_SEC(1)), FOG_SEC(waits[i]));
        assert_int_equal(fogi_failures_delay(&f, &a, FOG_SEC(1)), FOG_SEC(waits[i]));
    }
    assert_int_equal(fogi_failures_delay(&f, &b, FOG_SEC(1)), 0); /* others are not touched */
    assert_int_equal(fogi_failures_add(&f, &b, FOG_SEC(1)), 0);
    a.port = 77; /* a source is an address, not a port */
    assert_int_equal(fogi_failures_delay(&f, &a, FOG_SEC(10)), FOG_SEC(5));
    assert_int_equal(fogi_failures_delay(&f, &a, FOG_SEC(11)), 0);
    assert_int_equal(fogi_failures_add(&f, &a, FOG_SEC(11)), 0);
}

static void
of_ipv6_a_64_is_one_source(void **state)
{
    (void)state;
    struct fog_addr a = {.ip = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, 1}}, b = a, c = a;
    b.ip[15] = 9;
    c.ip[7] = 2;
    fogi_failures_init(&f, key);
    for (int i = 0; i < 4; i++)
        fogi_failures_add(&f, &a, 0);
    assert_int_equal(fogi_failures_delay(&f, &b, 0), FOG_SEC(1));
    assert_int_equal(fogi_failures_delay(&f, &c, 0), 0);
}

static void
a_flood_of_sources_refuses_nobody(void **state)
{
    (void)state;
    fogi_failures_init(&f, key);
    for (uint32_t i = 0; i < 100000; i++) {
        struct fog_addr a = v4(i);
        assert_int_equal(fogi_failures_add(&f, &a, FOG_MS(i / 100)), 0);
    }
    struct fog_addr last = v4(99999);
    for (int i = 0; i < 3; i++)
        fogi_failures_add(&f, &last, FOG_SEC(1));
    assert_int_equal(fogi_failures_delay(&f, &last, FOG_SEC(1)), FOG_SEC(1));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_are_free_and_each_further_one_waits_longer),
        cmocka_unit_test(of_ipv6_a_64_is_one_source),
        cmocka_unit_test(a_flood_of_sources_refuses_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
