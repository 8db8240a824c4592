/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "link/table.h"
#include "unit/base/alloc.h"

static const uint8_t key[16] = "0123456789abcdef";

static struct fog_addr
addr(uint8_t last, uint16_t port)
{
    return (struct fog_addr){.ip = {[10] = 0xff, 0xff, 192, 0, 2, last}, .port = port};
}

static void
test_ip_port_and_scope_tell_links_apart(void **state)
{
    (void)state;
    struct counting count = {0};
    struct fog_alloc al = counting(&count);
    struct mem mem;
    mem_init(&mem, &al);
    struct link_table t;
    fogi_link_table_init(&t, key);
    struct fog_addr a[4] = {addr(1, 1000), addr(1, 1001), addr(2, 1000), addr(1, 1000)};
    a[3].scope = 2;
    struct link links[4];
    for (size_t i = 0; i < 4; i++) {
        assert_null(fogi_link_find(&t, &a[i]));
        assert_true(fogi_link_add(&t, &mem, &links[i], &a[i]));
        for (size_t k = 0; k < 4; k++)
            assert_ptr_equal(fogi_link_find(&t, &a[k]), k <= i ? &links[k] : NULL);
    }
    fogi_link_remove(&t, &links[1]);
    for (size_t k = 0; k < 4; k++)
        assert_ptr_equal(fogi_link_find(&t, &a[k]), k != 1 ? &links[k] : NULL);
    fogi_link_table_clear(&t, &mem);
    assert_int_equal(count.held, 0);
}

static void
test_without_memory(void **state)
{
    (void)state;
    struct counting count = {.fail_at = 1};
    struct fog_alloc al = counting(&count);
    struct mem mem;
    mem_init(&mem, &al);
    struct link_table t;
    struct link l;
    struct fog_addr a = addr(1, 1);
    fogi_link_table_init(&t, key);
    assert_false(fogi_link_add(&t, &mem, &l, &a));
    assert_null(fogi_link_find(&t, &a));
    assert_true(fogi_link_add(&t, &mem, &l, &a));
    assert_ptr_equal(fogi_link_find(&t, &a), &l);
    fogi_link_table_clear(&t, &mem);
    assert_int_equal(count.held, 0);
}

/** Neighbouring addresses spread over the slots, and differently under another key. */
static void
test_hash_is_keyed_and_even(void **state)
{
    (void)state;
    enum { N = 2000 };
    struct mem mem;
    mem_init(&mem, fog_alloc_libc());
    uint64_t first[2] = {0};
    for (uint8_t k = 0; k < 2; k++) {
        uint8_t other[16] = {k};
        struct link_table t;
        fogi_link_table_init(&t, other);
        struct link *links = calloc(N, sizeof *links);
        assert_non_null(links);
        for (uint16_t i = 0; i < N; i++) {
            struct fog_addr a = addr((uint8_t)(i % 3), i);
            assert_true(fogi_link_add(&t, &mem, &links[i], &a));
        }
        first[k] = links[0].node.hash;
        size_t longest = 0;
        for (uint32_t i = 0; i < t.map.cap; i++) {
            size_t n = 0;
            for (struct map_node *x = t.map.slots[i]; x; x = x->next)
                n++;
            if (n > longest)
                longest = n;
        }
        assert_in_range(longest, 1, 12);
        fogi_link_table_clear(&t, &mem);
        free(links);
    }
    assert_int_not_equal(first[0], first[1]);
    assert_int_equal(mem.held, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ip_port_and_scope_tell_links_apart),
        cmocka_unit_test(test_without_memory),
        cmocka_unit_test(test_hash_is_keyed_and_even),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
