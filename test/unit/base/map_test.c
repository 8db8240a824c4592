/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/map.h"
#include "base/rng.h"
#include "unit/base/alloc.h"

#define N 500

struct item {
    struct map_node node;
    bool in;
};

static struct counting count;
static struct mem mem;
static struct map map;

static int
setup(void **state)
{
    (void)state;
    count = (struct counting){0};
    struct fog_alloc al = counting(&count);
    mem_init(&mem, &al);
    map = (struct map){0};
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    fogi_map_clear(&map, &mem);
    return count.held == 0 && mem.held == 0 && map.n == 0 ? 0 : -1;
}

/** How often the node is met on the way through its hash. */
static size_t
meetings(const struct map_node *wanted, uint64_t hash)
{
    size_t n = 0;
    for (struct map_node *x = fogi_map_find(&map, hash); x; x = map_again(x)) {
        assert_int_equal(x->hash, hash);
        n += x == wanted;
    }
    return n;
}

static void
test_empty(void **state)
{
    (void)state;
    assert_null(fogi_map_find(&map, 0));
    assert_null(fogi_map_find(&map, 12345));
    assert_int_equal(count.calls, 0);
}

/** Nodes with one hash, and others in the same slot, are all found and told apart. */
static void
test_equal_hashes(void **state)
{
    (void)state;
    struct map_node same[5], slot[5];
    for (size_t i = 0; i < 5; i++) {
        assert_true(fogi_map_add(&map, &mem, &same[i], 64));
        assert_true(fogi_map_add(&map, &mem, &slot[i], 64 * (i + 2)));
    }
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(meetings(&same[i], 64), 1);
        assert_int_equal(meetings(&slot[i], 64 * (i + 2)), 1);
    }
    fogi_map_remove(&map, &same[2]);
    assert_int_equal(meetings(&same[2], 64), 0);
    assert_int_equal(meetings(&same[3], 64), 1);
    assert_int_equal(map.n, 9);
}

static void
test_without_memory(void **state)
{
    (void)state;
    struct map_node nodes[64];
    count.fail_at = 1;
    assert_false(fogi_map_add(&map, &mem, &nodes[0], 7));
    assert_int_equal(map.n, 0);
    assert_true(fogi_map_add(&map, &mem, &nodes[0], 7));
    uint32_t i = 1;
    for (; i < map.cap; i++)
        assert_true(fogi_map_add(&map, &mem, &nodes[i], 7 + i));
    count.fail_all = true;
    assert_false(fogi_map_add(&map, &mem, &nodes[i], 7 + i));
    assert_int_equal(map.n, i);
    assert_int_equal(meetings(&nodes[i], 7 + i), 0);
    for (uint32_t k = 0; k < i; k++)
        assert_int_equal(meetings(&nodes[k], 7 + k), 1);
}

static void
test_random(void **state)
{
    (void)state;
    static struct item items[N];
    struct rng rng = {7};
    uint32_t n = 0;
    for (size_t i = 0; i < N; i++)
        items[i].node.hash = rng_next(&rng) & ~(uint64_t)0xf00; /* some share a hash or a slot */
    for (size_t i = 0; i < 20000; i++) {
        struct item *x = &items[rng_below(&rng, N)];
        uint64_t hash = x->node.hash;
        assert_int_equal(meetings(&x->node, hash), x->in);
        if (x->in)
            fogi_map_remove(&map, &x->node);
        else
            assert_true(fogi_map_add(&map, &mem, &x->node, hash));
        x->in = !x->in;
        n += x->in ? 1 : (uint32_t)-1;
        assert_int_equal(map.n, n);
    }
    assert_true(map.cap <= 2 * N);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_empty, setup, teardown),
        cmocka_unit_test_setup_teardown(test_equal_hashes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_without_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(test_random, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
