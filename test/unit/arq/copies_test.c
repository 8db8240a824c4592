/* SPDX-License-Identifier: MIT */
#include "arq/copies.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

static void
test_order(void **state)
{
    (void)state;
    struct copies c = {0};
    struct copy out;
    assert_true(fogi_copies_deadline(&c) == FOG_TIME_NEVER);
    assert_false(fogi_copies_next(&c, &out, FOG_SEC(1)));
    fogi_copies_add(&c, 7, 70, FOG_MS(5));
    fogi_copies_add(&c, 8, 80, FOG_MS(3)); /* not before those that wait */
    assert_true(fogi_copies_deadline(&c) == FOG_MS(5));
    assert_false(fogi_copies_next(&c, &out, FOG_MS(5) - 1));
    assert_true(fogi_copies_next(&c, &out, FOG_MS(5)));
    assert_int_equal(out.sn, 7);
    assert_int_equal(out.tx, 70);
    assert_true(fogi_copies_next(&c, &out, FOG_MS(5)));
    assert_int_equal(out.sn, 8);
    assert_false(fogi_copies_next(&c, &out, FOG_SEC(1)));
}

/* The list is full at COPIES_MAX; one more is not copied. */
static void
test_limit(void **state)
{
    (void)state;
    struct copies c = {0};
    struct copy out;
    for (unsigned round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < COPIES_MAX + 1; i++)
            fogi_copies_add(&c, i, i, FOG_MS(1));
        for (uint32_t i = 0; i < COPIES_MAX; i++) {
            assert_true(fogi_copies_next(&c, &out, FOG_MS(1)));
            assert_int_equal(out.sn, i);
        }
        assert_false(fogi_copies_next(&c, &out, FOG_MS(1)));
    }
}

static void
test_favour(void **state)
{
    (void)state;
    struct copies c = {0};
    assert_false(bucket_take(&c.favour, 1, 0)); /* nothing before the path is known */
    fogi_copies_allow(&c, 1000, 2000, 0);
    assert_true(bucket_take(&c.favour, 2000, 0));
    assert_false(bucket_take(&c.favour, 1000, FOG_MS(999)));
    assert_true(bucket_take(&c.favour, 1000, FOG_SEC(1)));
    fogi_copies_allow(&c, 5000, 2000, FOG_SEC(1));
    assert_true(bucket_take(&c.favour, 1000, FOG_MS(1200)));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_favour),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
