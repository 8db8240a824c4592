/* SPDX-License-Identifier: MIT */
#include "arq/fills.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

/* One datagram: how many are told, and the last of them. */
static unsigned
tell(struct fills *f, uint32_t una, uint32_t *last)
{
    unsigned i = 0, n = 0;
    while (fogi_fills_next(f, &i, una, last))
        n++;
    return n;
}

static void
test_times(void **state)
{
    (void)state;
    struct fills f = {0};
    uint32_t sn;
    assert_int_equal(tell(&f, 0, &sn), 0);
    fogi_fills_add(&f, 7);
    for (unsigned i = 0; i < FILLS_TIMES; i++) {
        assert_int_equal(tell(&f, 5, &sn), 1);
        assert_int_equal(sn, 7);
    }
    assert_int_equal(tell(&f, 5, &sn), 0);
}

/* What una tells is not told again, also across the wrap. */
static void
test_una(void **state)
{
    (void)state;
    static const struct {
        uint32_t sn, una;
        unsigned told;
    } rows[] = {{7, 7, 1}, {7, 8, 0}, {0xffffffffu, 3, 0}, {3, 0xffffffffu, 1}};
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fills f = {0};
        uint32_t sn;
        fogi_fills_add(&f, rows[i].sn);
        assert_int_equal(tell(&f, rows[i].una, &sn), rows[i].told);
        assert_int_equal(tell(&f, rows[i].una, &sn), rows[i].told);
    }
}

/* The newest FILLS_MAX are kept, one more pushes the oldest out. */
static void
test_most(void **state)
{
    (void)state;
    struct fills f = {0};
    uint32_t sn;
    for (uint32_t i = 0; i < FILLS_MAX; i++)
        fogi_fills_add(&f, 100 + i);
    assert_int_equal(tell(&f, 100, &sn), FILLS_MAX);
    fogi_fills_add(&f, 500);
    assert_int_equal(tell(&f, 100, &sn), FILLS_MAX);
    assert_int_equal(tell(&f, 101, &sn), FILLS_MAX);
    assert_int_equal(tell(&f, 500, &sn), 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_una),
        cmocka_unit_test(test_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
