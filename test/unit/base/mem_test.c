/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "unit/base/alloc.h"

static void
test_mem_counts_what_is_held(void **state)
{
    (void)state;
    struct counting count = {.fail_at = 3};
    struct fog_alloc al = counting(&count);
    struct mem mem;
    mem_init(&mem, &al);
    void *a = mem_get(&mem, 100), *b = mem_get(&mem, 1);
    assert_non_null(a);
    assert_non_null(b);
    assert_int_equal(mem.held, 101);
    assert_null(mem_get(&mem, 50));
    assert_int_equal(mem.held, 101);
    mem_put(&mem, NULL, 1000);
    mem_put(&mem, a, 100);
    assert_int_equal(mem.held, 1);
    mem_put(&mem, b, 1);
    assert_int_equal(mem.held, 0);
    assert_int_equal(count.held, 0);
}

static void
test_budget_at_its_limit(void **state)
{
    (void)state;
    struct counting count = {0};
    struct fog_alloc under = counting(&count);
    struct budget b;
    fogi_budget_init(&b, 800, &under);
    struct fog_alloc al = fogi_budget_alloc(&b);
    assert_null(al.alloc(al.ctx, 801)); /* N + 1 */
    assert_int_equal(b.limit_memory_hit, 1);
    assert_int_equal(count.calls, 0);
    void *all = al.alloc(al.ctx, 800); /* N */
    assert_non_null(all);
    assert_int_equal(b.used, 800);
    assert_null(al.alloc(al.ctx, 1));
    assert_null(al.alloc(al.ctx, SIZE_MAX));
    assert_int_equal(b.limit_memory_hit, 3);
    al.free(al.ctx, all, 800);
    assert_int_equal(b.used, 0);
    all = al.alloc(al.ctx, 800);
    assert_non_null(all);
    al.free(al.ctx, all, 800);
    assert_int_equal(count.held, 0);
}

/** The system's refusal is handed on and is not the budget's own. */
static void
test_budget_without_memory_below(void **state)
{
    (void)state;
    struct counting count = {.fail_all = true};
    struct fog_alloc under = counting(&count);
    struct budget b;
    fogi_budget_init(&b, 800, &under);
    struct fog_alloc al = fogi_budget_alloc(&b);
    assert_null(al.alloc(al.ctx, 1));
    assert_int_equal(b.used, 0);
    assert_int_equal(b.limit_memory_hit, 0);
}

static void
test_budget_is_tight_over_seven_eighths(void **state)
{
    (void)state;
    struct budget b;
    fogi_budget_init(&b, 800, fog_alloc_libc());
    struct fog_alloc al = fogi_budget_alloc(&b);
    void *most = al.alloc(al.ctx, 700);
    assert_non_null(most);
    assert_false(budget_is_tight(&b));
    void *one = al.alloc(al.ctx, 1);
    assert_non_null(one);
    assert_true(budget_is_tight(&b));
    al.free(al.ctx, one, 1);
    assert_false(budget_is_tight(&b));
    al.free(al.ctx, most, 700);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mem_counts_what_is_held),
        cmocka_unit_test(test_budget_at_its_limit),
        cmocka_unit_test(test_budget_without_memory_below),
        cmocka_unit_test(test_budget_is_tight_over_seven_eighths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
