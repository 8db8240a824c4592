/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/bytes.h"
#include "base/rng.h"
#include "unit/base/alloc.h"

#define MODEL_MAX (1u << 18)

/** The queue, and a flat array that holds what must be in it. */
struct rig {
    struct bytes q;
    struct mem mem;
    struct counting count;
    struct rng rng;
    struct bytes_cursor cursors[2];
    uint64_t first; /* position of flat[0] */
    size_t head, tail;
    uint8_t *flat;
};

static void
rig_init(struct rig *r, uint64_t pos, uint64_t seed)
{
    *r = (struct rig){.rng = {seed}, .first = pos, .flat = malloc(MODEL_MAX)};
    assert_non_null(r->flat);
    mem_init(&r->mem, &(struct fog_alloc){counting_alloc, counting_free, &r->count});
    r->mem.al.ctx = &r->count;
    fogi_bytes_init(&r->q, pos);
}

static void
rig_end(struct rig *r)
{
    fogi_bytes_clear(&r->q, &r->mem);
    assert_int_equal(r->mem.held, 0);
    assert_int_equal(r->count.held, 0);
    free(r->flat);
}

static void
check(const struct rig *r)
{
    assert_int_equal(r->q.head, r->first + r->head);
    assert_int_equal(r->q.tail, r->first + r->tail);
    size_t len;
    const void *buf = fogi_bytes_peek(&r->q, &len);
    assert_int_equal(len > 0, r->tail > r->head);
    assert_int_equal(buf != NULL, len > 0);
    assert_true(len <= r->tail - r->head);
    if (len)
        assert_memory_equal(buf, r->flat + r->head, len);
    assert_int_equal(r->mem.held, r->count.held);
}

static void
fill(struct rig *r, uint8_t *to, size_t len)
{
    for (size_t i = 0; i < len; i++)
        to[i] = r->flat[r->tail + i] = (uint8_t)rng_next(&r->rng);
}

static bool
reserve(struct rig *r, size_t min, size_t commit)
{
    size_t cap = 0;
    uint8_t *room = fogi_bytes_reserve(&r->q, &r->mem, min, &cap);
    if (!room)
        return false;
    assert_true(cap >= min);
    assert_int_equal(bytes_len(&r->q), r->tail - r->head);
    if (commit > cap)
        commit = cap;
    fill(r, room, commit);
    if (commit) {
        fogi_bytes_commit(&r->q, commit);
        r->tail += commit;
    }
    return true;
}

static bool
append(struct rig *r, size_t len)
{
    uint8_t buf[BYTES_PAGE_MAX];
    fill(r, buf, len);
    if (!fogi_bytes_append(&r->q, &r->mem, buf, len))
        return false;
    r->tail += len;
    return true;
}

/** Consumes, and lets go of cursors that now stand before the front, as the header asks. */
static void
consume(struct rig *r, size_t len)
{
    fogi_bytes_consume(&r->q, &r->mem, len);
    r->head += len;
    for (size_t i = 0; i < 2; i++) {
        if (r->cursors[i].pos <= r->q.head)
            r->cursors[i] = (struct bytes_cursor){0};
    }
}

static void
copy(struct rig *r, struct bytes_cursor *c, size_t at, size_t len)
{
    uint8_t out[4096];
    assert_true(len <= sizeof out);
    fogi_bytes_copy(&r->q, c, r->first + at, out, len);
    if (len)
        assert_memory_equal(out, r->flat + at, len);
}

static void
test_empty_holds_nothing(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, 77, 1);
    check(&r);
    fogi_bytes_consume(&r.q, &r.mem, 0);
    assert_true(append(&r, 0));
    check(&r);
    assert_int_equal(r.count.calls, 0);
    assert_true(append(&r, 1));
    check(&r);
    assert_true(r.mem.held > 0);
    consume(&r, 1);
    check(&r);
    assert_int_equal(r.mem.held, 0);
    rig_end(&r);
}

/** What is appended in sizes round those of the pages comes out again, page by page. */
static void
test_page_boundaries(void **state)
{
    (void)state;
    static const size_t sizes[] = {
        1,    511,  512,  513,  1023, 1024,  1025,  2047,
        2048, 2049, 8191, 8192, 8193, 16384, 32767, BYTES_PAGE_MAX,
    };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (size_t j = 0; j < sizeof sizes / sizeof sizes[0]; j++) {
            struct rig r;
            rig_init(&r, UINT64_MAX / 2, i);
            assert_true(append(&r, sizes[i]));
            assert_true(reserve(&r, sizes[j], sizes[j]));
            assert_true(append(&r, sizes[j]));
            check(&r);
            size_t len, seen = 0;
            while (fogi_bytes_peek(&r.q, &len)) {
                seen += len;
                consume(&r, len);
                check(&r);
            }
            assert_int_equal(seen, sizes[i] + 2 * sizes[j]);
            assert_int_equal(r.mem.held, 0);
            rig_end(&r);
        }
    }
}

static void
test_reserving_twice_wastes_nothing(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, 0, 1);
    assert_true(reserve(&r, 100, 0));
    size_t small = r.mem.held;
    assert_true(reserve(&r, BYTES_PAGE_MIN, 0));
    assert_int_equal(r.mem.held, small);
    assert_true(reserve(&r, 5000, 0)); /* the small page gives way */
    size_t large = r.mem.held;
    for (size_t i = 0; i < 10; i++)
        assert_true(reserve(&r, 5000, 0));
    assert_int_equal(r.mem.held, large);
    check(&r);
    assert_true(reserve(&r, 5000, 5000));
    check(&r);
    consume(&r, 5000);
    assert_int_equal(r.mem.held, 0);
    rig_end(&r);
}

/** A last page that was reserved and not committed: behind a full one, then replaced, then filled
 *  by an append that overflows it. */
static void
test_uncommitted_page_behind_a_full_one(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, 1000, 1);
    assert_true(append(&r, BYTES_PAGE_MIN)); /* fills its page */
    assert_true(reserve(&r, 600, 0));
    check(&r);
    assert_true(reserve(&r, 9000, 0));
    check(&r);
    assert_true(append(&r, BYTES_PAGE_MAX));
    check(&r);
    copy(&r, &r.cursors[0], 500, 4096);
    copy(&r, &r.cursors[0], 4596, 4096);
    consume(&r, BYTES_PAGE_MIN + 1);
    check(&r);
    consume(&r, BYTES_PAGE_MAX - 1);
    check(&r);
    assert_int_equal(r.mem.held, 0);
    rig_end(&r);
}

/** Emptied while a page is reserved behind: that page goes too, and the queue still works. */
static void
test_consume_that_empties_before_a_reservation(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, 0, 1);
    assert_true(append(&r, BYTES_PAGE_MIN));
    assert_true(reserve(&r, 600, 0));
    consume(&r, BYTES_PAGE_MIN);
    check(&r);
    assert_int_equal(r.mem.held, 0);
    assert_true(append(&r, 10));
    check(&r);
    copy(&r, &r.cursors[0], BYTES_PAGE_MIN, 10);
    rig_end(&r);
}

/** Room is left in a page when the next reservation does not fit: the positions stay right. */
static void
test_page_left_early(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, 5, 3);
    assert_true(append(&r, 500));
    assert_true(reserve(&r, 100, 60)); /* only 12 bytes are left: a page of its own */
    assert_true(append(&r, 40));
    for (size_t at = 0; at < 600; at += 7)
        copy(&r, &r.cursors[0], at, at + 7 <= 600 ? 7 : 600 - at);
    copy(&r, &r.cursors[0], 0, 600); /* a jump back */
    size_t len;
    (void)fogi_bytes_peek(&r.q, &len);
    assert_int_equal(len, 500);
    consume(&r, 500);
    check(&r);
    (void)fogi_bytes_peek(&r.q, &len);
    assert_int_equal(len, 100);
    rig_end(&r);
}

static void
test_without_memory_nothing_changes(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, 0, 1);
    r.count.fail_all = true;
    assert_false(append(&r, 1));
    assert_false(reserve(&r, 1, 1));
    check(&r);
    r.count.fail_all = false;
    assert_true(append(&r, 500));
    r.count.fail_all = true;
    assert_true(append(&r, 12)); /* fits the page */
    assert_false(append(&r, 1));
    assert_false(reserve(&r, 1, 1));
    check(&r);
    r.count.fail_all = false;
    assert_true(reserve(&r, 600, 0));
    size_t held = r.mem.held;
    r.count.fail_all = true;
    assert_false(reserve(&r, 20000, 0)); /* the reservation that stands is kept */
    assert_int_equal(r.mem.held, held);
    assert_false(append(&r, 20000)); /* not even the part that would fit */
    check(&r);
    assert_true(reserve(&r, 600, 600));
    check(&r);
    rig_end(&r);
}

/** One random step; false when the array is used up. */
static bool
step(struct rig *r)
{
    size_t len = rng_below(&r->rng, 4) ? rng_below(&r->rng, 700) : rng_below(&r->rng, 30000);
    if (r->tail + 2 * (size_t)BYTES_PAGE_MAX > MODEL_MAX)
        return false;
    size_t held = r->tail - r->head;
    r->count.fail_all = rng_below(&r->rng, 10) == 0;
    switch (rng_below(&r->rng, 5)) {
    case 0:
        reserve(r, len + 1, rng_below(&r->rng, (uint32_t)len + 2));
        break;
    case 1:
        append(r, len);
        break;
    case 2:
        consume(r, len < held ? len : held);
        break;
    case 3:
        consume(r, held);
        break;
    default:
        if (held) {
            size_t at = rng_below(&r->rng, (uint32_t)held), n = held - at < 4096 ? held - at : 4096;
            copy(r, &r->cursors[rng_below(&r->rng, 2)], r->head + at,
                 rng_below(&r->rng, (uint32_t)n + 1));
        }
    }
    r->count.fail_all = false;
    return true;
}

static void
test_random_against_a_flat_array(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct rig r;
        rig_init(&r, seed << 32, seed);
        size_t steps = 0;
        for (; step(&r); steps++)
            check(&r);
        assert_true(steps > 10);
        consume(&r, r.tail - r.head);
        assert_true(append(&r, 1));
        consume(&r, 1);
        assert_int_equal(r.mem.held, 0);
        rig_end(&r);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty_holds_nothing),
        cmocka_unit_test(test_page_boundaries),
        cmocka_unit_test(test_reserving_twice_wastes_nothing),
        cmocka_unit_test(test_uncommitted_page_behind_a_full_one),
        cmocka_unit_test(test_consume_that_empties_before_a_reservation),
        cmocka_unit_test(test_page_left_early),
        cmocka_unit_test(test_without_memory_nothing_changes),
        cmocka_unit_test(test_random_against_a_flat_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
