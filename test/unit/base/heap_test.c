/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/heap.h"
#include "base/rng.h"
#include "unit/base/alloc.h"

#define N 300

static struct counting count;
static struct mem mem;
static struct heap heap;

static int
setup(void **state)
{
    (void)state;
    count = (struct counting){0};
    struct fog_alloc al = counting(&count);
    mem_init(&mem, &al);
    heap = (struct heap){0};
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    fogi_heap_clear(&heap, &mem);
    return count.held == 0 && mem.held == 0 ? 0 : -1;
}

static struct heap_node *
pop(void)
{
    struct heap_node *first = heap_first(&heap);
    if (first)
        fogi_heap_set(&heap, first, FOG_TIME_NEVER);
    return first;
}

static void
test_order_and_ties(void **state)
{
    (void)state;
    /* clang-format off */
    static const fog_time at[] = {5, 1, 5, 0, 9, 1, 5, -3};
    static const size_t out[] = {7, 3, 1, 5, 0, 2, 6, 4}; /* ties in the order they were set */
    /* clang-format on */
    struct heap_node nodes[8] = {0};
    assert_null(heap_first(&heap));
    assert_true(fogi_heap_room(&heap, &mem, 8));
    for (size_t i = 0; i < 8; i++)
        fogi_heap_set(&heap, &nodes[i], at[i]);
    for (size_t i = 0; i < 8; i++)
        assert_ptr_equal(pop(), &nodes[out[i]]);
    assert_null(heap_first(&heap));
}

static void
test_move_and_remove(void **state)
{
    (void)state;
    struct heap_node a = {0}, b = {0}, c = {0};
    assert_true(fogi_heap_room(&heap, &mem, 3));
    fogi_heap_set(&heap, &a, 10);
    fogi_heap_set(&heap, &b, 20);
    fogi_heap_set(&heap, &c, 30);
    fogi_heap_set(&heap, &c, 5);
    assert_ptr_equal(heap_first(&heap), &c);
    fogi_heap_set(&heap, &c, 20); /* behind b, which was there before */
    fogi_heap_set(&heap, &a, FOG_TIME_NEVER);
    fogi_heap_set(&heap, &a, FOG_TIME_NEVER);
    assert_int_equal(heap.n, 2);
    assert_ptr_equal(pop(), &b);
    assert_ptr_equal(pop(), &c);
    assert_null(pop());
}

/** Setting a node to where it is keeps its place among equals. */
static void
test_same_time_keeps_its_turn(void **state)
{
    (void)state;
    struct heap_node a = {0}, b = {0};
    assert_true(fogi_heap_room(&heap, &mem, 2));
    fogi_heap_set(&heap, &a, 7);
    fogi_heap_set(&heap, &b, 7);
    fogi_heap_set(&heap, &a, 7);
    assert_ptr_equal(pop(), &a);
}

static void
test_room_without_memory(void **state)
{
    (void)state;
    struct heap_node nodes[40] = {0};
    count.fail_at = 1;
    assert_false(fogi_heap_room(&heap, &mem, 1));
    assert_true(fogi_heap_room(&heap, &mem, 1));
    for (uint32_t i = 0; i < heap.cap; i++)
        fogi_heap_set(&heap, &nodes[i], 100 - (fog_time)i);
    uint32_t cap = heap.cap, n = heap.n;
    count.fail_all = true;
    assert_true(fogi_heap_room(&heap, &mem, cap));
    assert_false(fogi_heap_room(&heap, &mem, cap + 1));
    assert_int_equal(heap.n, n);
    assert_ptr_equal(heap_first(&heap), &nodes[n - 1]);
    count.fail_all = false;
    assert_true(fogi_heap_room(&heap, &mem, cap + 1));
    assert_ptr_equal(heap_first(&heap), &nodes[n - 1]);
}

/** The node that comes first by a scan. */
static struct heap_node *
first_by_scan(struct heap_node *nodes)
{
    struct heap_node *best = NULL;
    for (size_t i = 0; i < N; i++) {
        struct heap_node *x = &nodes[i];
        if (x->index &&
            (!best || x->at < best->at || (x->at == best->at && x->order < best->order)))
            best = x;
    }
    return best;
}

static void
test_random_against_a_scan(void **state)
{
    (void)state;
    struct heap_node nodes[N] = {0};
    struct rng rng = {42};
    assert_true(fogi_heap_room(&heap, &mem, N));
    for (size_t i = 0; i < 20000; i++) {
        struct heap_node *x = &nodes[rng_below(&rng, N)];
        if (rng_below(&rng, 3) == 0)
            fogi_heap_set(&heap, x, FOG_TIME_NEVER);
        else
            fogi_heap_set(&heap, x, (fog_time)rng_below(&rng, 200));
        if (i % 16 == 0)
            assert_ptr_equal(heap_first(&heap), first_by_scan(nodes));
    }
    fog_time last = -1;
    for (struct heap_node *x; (x = heap_first(&heap)); last = x->at) {
        assert_ptr_equal(x, first_by_scan(nodes));
        fog_time at = x->at;
        fogi_heap_set(&heap, x, FOG_TIME_NEVER);
        x->at = at;
        assert_true(at >= last);
    }
    for (size_t i = 0; i < N; i++)
        assert_int_equal(nodes[i].index, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_order_and_ties, setup, teardown),
        cmocka_unit_test_setup_teardown(test_move_and_remove, setup, teardown),
        cmocka_unit_test_setup_teardown(test_same_time_keeps_its_turn, setup, teardown),
        cmocka_unit_test_setup_teardown(test_room_without_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(test_random_against_a_scan, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
