/* SPDX-License-Identifier: MIT */
#include "arq/acks.h"

#include "unit/base/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#define MAX 40u

struct fixture {
    struct counting counting;
    struct mem mem;
    struct acks acks;
};

static void
start(struct fixture *f)
{
    *f = (struct fixture){0};
    struct fog_alloc al = counting(&f->counting);
    mem_init(&f->mem, &al);
    fogi_acks_init(&f->acks, MAX);
}

static void
end(struct fixture *f)
{
    fogi_acks_deinit(&f->acks, &f->mem);
    assert_int_equal(f->mem.held, 0);
}

static void
list(struct fixture *f, uint32_t sn)
{
    assert_true(fogi_acks_room(&f->acks, &f->mem, 1));
    assert_true(fogi_acks_list(&f->acks, sn, sn + 1000));
}

/* What is told under una: those listed that una does not cover, in order of arrival, then the
 * newest of those it does. */
static void
test_told(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint32_t listed[4], n_listed;
        uint32_t newest; /* 0: none */
        uint32_t una;
        uint32_t told[5], n_told;
    } rows[] = {
        {"nothing", {0}, 0, 0, 9, {0}, 0},
        {"in order only", {0}, 0, 8, 9, {8}, 1},
        {"ahead of a hole, as they came", {12, 15, 11}, 3, 0, 9, {12, 15, 11}, 3},
        {"the newest comes last", {12, 15}, 2, 8, 9, {12, 15, 8}, 3},
        {"una has caught up with one", {10, 12}, 2, 0, 11, {12}, 1},
        {"... with the one it names", {11}, 1, 0, 11, {11}, 1},
        {"... with all", {10, 11, 12}, 3, 12, 13, {12}, 1},
        {"across the wrap", {1, 3}, 2, 0xffffffff, 0, {1, 3, 0xffffffff}, 3},
        {"wrapped una covers high ones", {0xfffffffe, 2}, 2, 0, 1, {2}, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture f;
        struct ack ack;
        uint32_t n = 0;
        start(&f);
        for (uint32_t j = 0; j < rows[i].n_listed; j++)
            list(&f, rows[i].listed[j]);
        if (rows[i].newest)
            fogi_acks_newest(&f.acks, rows[i].newest, rows[i].newest + 1000);
        assert_int_equal(acks_waiting(&f.acks), rows[i].n_listed > 0 || rows[i].newest);
        while (fogi_acks_next(&f.acks, &f.mem, rows[i].una, &ack)) {
            if (n == rows[i].n_told || ack.sn != rows[i].told[n] || ack.ts != ack.sn + 1000)
                fail_msg("%s: tells %u", rows[i].name, ack.sn);
            n++;
        }
        if (n != rows[i].n_told)
            fail_msg("%s: tells %u of %u", rows[i].name, n, rows[i].n_told);
        assert_false(acks_waiting(&f.acks));
        assert_int_equal(f.mem.held, 0); /* nothing is kept when nothing waits */
        end(&f);
    }
}

/* A later one takes the place of the newest. */
static void
test_newest(void **state)
{
    (void)state;
    struct fixture f;
    struct ack ack;
    start(&f);
    fogi_acks_newest(&f.acks, 5, 50);
    fogi_acks_newest(&f.acks, 4, 60);
    assert_true(fogi_acks_next(&f.acks, &f.mem, 9, &ack));
    assert_int_equal(ack.sn, 4);
    assert_int_equal(ack.ts, 60);
    assert_false(fogi_acks_next(&f.acks, &f.mem, 9, &ack));
    end(&f);
}

/* At most MAX wait; what was told makes room again, without the list growing for ever. */
static void
test_limit(void **state)
{
    (void)state;
    struct fixture f;
    struct ack ack;
    start(&f);
    for (uint32_t i = 0; i < MAX; i++)
        list(&f, 100 + i);
    assert_true(fogi_acks_room(&f.acks, &f.mem, 1));
    assert_false(fogi_acks_list(&f.acks, 100 + MAX, 0));
    for (uint32_t i = 0; i < 1000; i++) {
        assert_true(fogi_acks_next(&f.acks, &f.mem, 0, &ack));
        assert_int_equal(ack.sn, 100 + i);
        list(&f, 100 + MAX + i);
        assert_true(f.mem.held <= 4 * MAX * sizeof ack);
    }
    end(&f);
}

/* Without memory nothing has changed. */
static void
test_no_memory(void **state)
{
    (void)state;
    struct fixture f;
    struct ack ack;
    start(&f);
    list(&f, 7);
    f.counting.fail_all = true;
    assert_false(fogi_acks_room(&f.acks, &f.mem, MAX));
    assert_true(fogi_acks_next(&f.acks, &f.mem, 0, &ack));
    assert_int_equal(ack.sn, 7);
    end(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_told),
        cmocka_unit_test(test_newest),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
