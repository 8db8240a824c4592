/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/turnstile.h"

#include <string.h>

static struct turnstile t;
static const uint8_t key[16] = "0123456789abcde";
static const struct turnstile_rate rate = {
    .each = FOG_SEC(1), .credit = FOG_SEC(3), .most = FOG_SEC(2)};

static struct fog_addr
v4(uint32_t n)
{
    struct fog_addr a = {.ip = {[10] = 0xff, [11] = 0xff}, .port = (uint16_t)n};
    for (int i = 0; i < 4; i++)
        a.ip[12 + i] = (uint8_t)(n >> (24 - 8 * i));
    return a;
}

static void
the_first_pass_at_once_and_the_others_one_by_one(void **state)
{
    (void)state;
    static const fog_time waits[] = {0, 0, 0, 1, 2, 2, 2};
    struct fog_addr a = v4(1), b = v4(2);
    fogi_turnstile_init(&t, rate, key);
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++)
        assert_int_equal(fogi_turnstile_pass(&t, &a, FOG_SEC(1)), FOG_SEC(waits[i]));
    assert_int_equal(fogi_turnstile_pass(&t, &b, FOG_SEC(1)), 0); /* others are not touched */
    a.port = 77; /* a source is an address, not a port */
    assert_int_equal(fogi_turnstile_pass(&t, &a, FOG_SEC(2)), FOG_SEC(2));
    assert_int_equal(fogi_turnstile_pass(&t, &a, FOG_SEC(6)), 0); /* and it is forgiven */
    assert_int_equal(fogi_turnstile_pass(&t, &a, FOG_SEC(9)), 0);
}

static void
in_the_long_run_one_passes_in_each_time(void **state)
{
    (void)state;
    struct fog_addr a = v4(1);
    fog_time now = 0;
    int n = 0;
    fogi_turnstile_init(&t, rate, key);
    for (; now < FOG_SEC(100); n++)
        now += fogi_turnstile_pass(&t, &a, now);
    assert_int_equal(n, 103);
}

static void
of_ipv6_a_64_is_one_source(void **state)
{
    (void)state;
    struct fog_addr a = {.ip = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, 1}}, b = a, c = a;
    b.ip[15] = 9;
    c.ip[7] = 2;
    fogi_turnstile_init(&t, rate, key);
    for (int i = 0; i < 3; i++)
        assert_int_equal(fogi_turnstile_pass(&t, &a, 0), 0);
    assert_int_equal(fogi_turnstile_pass(&t, &b, 0), FOG_SEC(1));
    assert_int_equal(fogi_turnstile_pass(&t, &c, 0), 0);
}

static void
a_flood_of_sources_holds_nobody_else(void **state)
{
    (void)state;
    fogi_turnstile_init(&t, rate, key);
    for (uint32_t i = 0; i < 100000; i++) {
        struct fog_addr a = v4(i);
        assert_int_equal(fogi_turnstile_pass(&t, &a, FOG_MS(i / 100)), 0);
    }
    struct fog_addr last = v4(99999);
    for (int i = 0; i < 3; i++)
        assert_int_equal(fogi_turnstile_pass(&t, &last, FOG_SEC(5)), 0);
    assert_int_equal(fogi_turnstile_pass(&t, &last, FOG_SEC(5)), FOG_SEC(1));
}

static void
a_flood_of_sources_does_not_free_who_waits(void **state)
{
    (void)state;
    struct fog_addr a = v4(7);
    fogi_turnstile_init(&t, rate, key);
    for (int i = 0; i < 5; i++)
        fogi_turnstile_pass(&t, &a, 0);
    for (uint32_t i = 1000; i < 101000; i++) {
        struct fog_addr other = v4(i);
        fogi_turnstile_pass(&t, &other, 0);
    }
    assert_int_equal(fogi_turnstile_pass(&t, &a, 0), FOG_SEC(2));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_pass_at_once_and_the_others_one_by_one),
        cmocka_unit_test(in_the_long_run_one_passes_in_each_time),
        cmocka_unit_test(of_ipv6_a_64_is_one_source),
        cmocka_unit_test(a_flood_of_sources_holds_nobody_else),
        cmocka_unit_test(a_flood_of_sources_does_not_free_who_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
