/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "link/admit.h"
#include "unit/base/alloc.h"

static const uint8_t key[16] = "0123456789abcdef";

static struct counting count;
static struct mem mem;
static struct admit admit;

static int
setup(void **state)
{
    (void)state;
    count = (struct counting){0};
    struct fog_alloc al = counting(&count);
    mem_init(&mem, &al);
    fogi_admit_init(&admit, 5, 20, key, 0);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    fogi_admit_clear(&admit, &mem);
    return count.held == 0 && mem.held == 0 ? 0 : -1;
}

static struct fog_addr
v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
    return (struct fog_addr){.ip = {[10] = 0xff, 0xff, a, b, c, d}};
}

/** Which addresses share a network: the /24 of a mapped IPv4 address, the /56 of an IPv6 one. */
static void
test_networks(void **state)
{
    (void)state;
    /* clang-format off */
    static const struct {
        const char *name;
        uint8_t a[16], b[16];
        bool same;
    } rows[] = {
        {"same /24",                 {[10] = 0xff, 0xff, 192, 0, 2, 1}, {[10] = 0xff, 0xff, 192, 0, 2, 255}, true},
        {"next /24",                 {[10] = 0xff, 0xff, 192, 0, 2, 1}, {[10] = 0xff, 0xff, 192, 0, 3, 1},   false},
        {"other /8",                 {[10] = 0xff, 0xff, 192, 0, 2, 1}, {[10] = 0xff, 0xff, 193, 0, 2, 1},   false},
        {"same /56",                 {0x20, 1, 13, 184, 0, 0, 1, 0, 1}, {0x20, 1, 13, 184, 0, 0, 1, 255, 2}, true},
        {"next /56",                 {0x20, 1, 13, 184, 0, 0, 1, 0, 1}, {0x20, 1, 13, 184, 0, 0, 2, 0, 1},   false},
        {"almost mapped is IPv6",    {[10] = 0xff, 0xfe, 192, 0, 2, 1}, {[10] = 0xff, 0xfe, 193, 0, 2, 1},   true},
        {"mapped is not compatible", {[10] = 0xff, 0xff, 192, 0, 2, 1}, {[12] = 192, 0, 2, 1},               false},
    };
    /* clang-format on */
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fog_addr a = {.port = 1}, b = {.port = 2};
        memcpy(a.ip, rows[i].a, 16);
        memcpy(b.ip, rows[i].b, 16);
        assert_true(fogi_admit_enter(&admit, &mem, &a));
        if (fogi_admit_of_net(&admit, &a) != 1 || fogi_admit_of_net(&admit, &b) != rows[i].same ||
            fogi_admit_of_source(&admit, &b) != 0)
            fail_msg("%s", rows[i].name);
        fogi_admit_leave(&admit, &mem, &a, true);
    }
    assert_int_equal(admit.nets.n, 0);
}

/** A link counts for its source as long as it lives, for its network while it is pending. */
static void
test_counts_through_a_life(void **state)
{
    (void)state;
    struct fog_addr a = v4(192, 0, 2, 1), b = v4(192, 0, 2, 2);
    assert_true(fogi_admit_enter(&admit, &mem, &a));
    assert_true(fogi_admit_enter(&admit, &mem, &a));
    assert_true(fogi_admit_enter(&admit, &mem, &b));
    assert_int_equal(fogi_admit_of_source(&admit, &a), 2);
    assert_int_equal(fogi_admit_of_source(&admit, &b), 1);
    assert_int_equal(fogi_admit_of_net(&admit, &a), 3);
    fogi_admit_validated(&admit, &mem, &a);
    assert_int_equal(fogi_admit_of_source(&admit, &a), 2);
    assert_int_equal(fogi_admit_of_net(&admit, &b), 2);
    fogi_admit_leave(&admit, &mem, &a, false);
    assert_int_equal(fogi_admit_of_source(&admit, &a), 1);
    assert_int_equal(fogi_admit_of_net(&admit, &a), 2);
    fogi_admit_leave(&admit, &mem, &a, true);
    fogi_admit_leave(&admit, &mem, &b, true);
    assert_int_equal(fogi_admit_of_source(&admit, &a), 0);
    assert_int_equal(fogi_admit_of_net(&admit, &a), 0);
    assert_int_equal(admit.sources.n, 0);
    assert_int_equal(admit.nets.n, 0);
}

/** 5 openings at once and 20 in a second, whatever the port; another address has its own. */
static void
test_openings_at_the_limit(void **state)
{
    (void)state;
    struct fog_addr a = v4(192, 0, 2, 1);
    for (uint16_t i = 0; i < 5; i++) {
        a.port = i;
        assert_true(fogi_admit_opening(&admit, &a, 0)); /* N */
    }
    assert_false(fogi_admit_opening(&admit, &a, 0)); /* N + 1 */
    assert_false(fogi_admit_opening(&admit, &a, FOG_MS(50) - 1));
    assert_true(fogi_admit_opening(&admit, &a, FOG_MS(50)));
    size_t n = 0;
    for (fog_time t = FOG_SEC(10); t < FOG_SEC(12); t += FOG_MS(1))
        n += fogi_admit_opening(&admit, &a, t);
    assert_int_equal(n, 5 + 39); /* the burst, and 20/s up to 1 ms before 2 s */
    size_t strangers = 0;
    for (uint8_t i = 2; i < 12; i++) {
        struct fog_addr b = v4(198, 51, 100, i);
        strangers += fogi_admit_opening(&admit, &b, FOG_SEC(12));
    }
    assert_true(strangers >= 9); /* two may share a bucket */
}

/** Whoever is refused for want of memory is not counted anywhere. */
static void
test_without_memory(void **state)
{
    (void)state;
    struct fog_addr a = v4(192, 0, 2, 1);
    for (uint64_t i = 1; i <= 4; i++) { /* source, its table, network, its table */
        count.fail_at = count.calls + i;
        assert_false(fogi_admit_enter(&admit, &mem, &a));
        assert_int_equal(fogi_admit_of_source(&admit, &a), 0);
        assert_int_equal(fogi_admit_of_net(&admit, &a), 0);
        fogi_admit_clear(&admit, &mem);
        assert_int_equal(mem.held, 0);
    }
    count.fail_at = 0;
    assert_true(fogi_admit_enter(&admit, &mem, &a));
    assert_int_equal(fogi_admit_of_source(&admit, &a), 1);
}

static void
test_clear_frees_all(void **state)
{
    (void)state;
    for (uint8_t i = 0; i < 200; i++) {
        struct fog_addr a = v4(10, i, i, i);
        assert_true(fogi_admit_enter(&admit, &mem, &a));
    }
    assert_true(mem.held > 0);
    fogi_admit_clear(&admit, &mem);
    assert_int_equal(mem.held, 0);
    struct fog_addr a = v4(10, 1, 1, 1);
    assert_int_equal(fogi_admit_of_source(&admit, &a), 0);
    assert_true(fogi_admit_enter(&admit, &mem, &a)); /* and works on */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_networks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_counts_through_a_life, setup, teardown),
        cmocka_unit_test_setup_teardown(test_openings_at_the_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_without_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(test_clear_frees_all, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
