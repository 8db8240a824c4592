/* SPDX-License-Identifier: MIT
 *
 * Deficit round robin: fresh before bulk, even shares, nobody queued twice.
 */
#include "unit/mux/rig.h"

#include "mux/sched.h"

static void
alone(void **state)
{
    struct sched s;
    struct turn a;
    (void)state;
    fogi_sched_init(&s);
    fogi_turn_init(&a);
    assert_int_equal(fogi_sched_cap(&s, &a, 100, 16384), 100);
    assert_int_equal(fogi_sched_cap(&s, &a, 50000, 16384), 16384);
    fogi_sched_charge(&a, 16384);
    assert_int_equal(fogi_sched_cap(&s, &a, 50000, 16384), 16384); /* nobody else: no deficit */
    assert_int_equal(fogi_sched_cap(&s, &a, 0, 16384), 0);
    assert_int_equal(fogi_sched_cap(&s, &a, 0, 16384), 0);
    assert_int_equal(s.waiting, 1); /* once */
    assert_int_equal(fogi_sched_cap(&s, &a, 10, 16384), 10);
    assert_int_equal(s.waiting, 0);
}

static void
fresh_before_bulk(void **state)
{
    struct sched s;
    struct turn bulk[2], thin;
    (void)state;
    fogi_sched_init(&s);
    fogi_turn_init(&bulk[0]);
    fogi_turn_init(&bulk[1]);
    fogi_turn_init(&thin);
    for (int i = 0; i < 2; i++) {
        fogi_sched_charge(&bulk[i], 16384);
        assert_int_equal(fogi_sched_cap(&s, &bulk[i], 0, 16384), 0);
    }
    fogi_sched_charge(&thin, 40);
    assert_int_equal(fogi_sched_cap(&s, &thin, 0, 16384), 0);
    assert_ptr_equal(fogi_sched_wake(&s), &thin); /* last in, first out of the queues */
    assert_int_equal(thin.deficit, 16384 - 40);   /* no new quantum from fresh */
    assert_ptr_equal(fogi_sched_wake(&s), &bulk[0]);
    assert_int_equal(bulk[0].deficit, SCHED_QUANTUM);
    assert_ptr_equal(fogi_sched_wake(&s), &bulk[1]);
    assert_null(fogi_sched_wake(&s));
}

static void
woken_come_first(void **state)
{
    struct sched s;
    struct turn a, b;
    (void)state;
    fogi_sched_init(&s);
    fogi_turn_init(&a);
    fogi_turn_init(&b);
    assert_int_equal(fogi_sched_cap(&s, &b, 0, 16384), 0);
    assert_ptr_equal(fogi_sched_wake(&s), &b);
    fogi_sched_charge(&a, 16384);
    assert_int_equal(fogi_sched_cap(&s, &a, 50000, 16384), 0); /* b was told, a is not due */
    assert_int_equal(fogi_sched_cap(&s, &b, 50000, 16384), 16384);
    fogi_sched_drop(&s, &a);
    assert_int_equal(s.waiting + s.woken, 0);
}

/* Who says little has used up a quantum some day: it does not wait behind those who had many since.
 */
static void
little_by_little(void **state)
{
    struct sched s;
    struct turn bulk[2], thin;
    (void)state;
    fogi_sched_init(&s);
    fogi_turn_init(&bulk[0]);
    fogi_turn_init(&bulk[1]);
    fogi_turn_init(&thin);
    for (unsigned said = 0; said < 4 * SCHED_QUANTUM; said += 64) {
        assert_int_equal(fogi_sched_cap(&s, &thin, 64, 16384), 64);
        fogi_sched_charge(&thin, 64);
        for (int i = 0; i < 2; i++) { /* both have their turn, and wait for the next */
            fogi_sched_charge(&bulk[i], SCHED_QUANTUM);
            fogi_sched_wait(&s, &bulk[i]);
        }
        assert_ptr_equal(fogi_sched_wake(&s), &bulk[0]);
        assert_ptr_equal(fogi_sched_wake(&s), &bulk[1]);
    }
}

/* What a queue position, a crumb and a reset leave behind: the counts always match the queues. */
static void
counts(void **state)
{
    struct sched s;
    struct turn t[3];
    (void)state;
    fogi_sched_init(&s);
    for (int i = 0; i < 3; i++) {
        fogi_turn_init(&t[i]);
        fogi_sched_wait(&s, &t[i]);
        fogi_sched_wait(&s, &t[i]);
    }
    assert_int_equal(s.waiting, 3);
    fogi_sched_drop(&s, &t[1]);
    fogi_sched_drop(&s, &t[1]);
    assert_int_equal(s.waiting, 2);
    assert_ptr_equal(fogi_sched_wake(&s), &t[0]);
    fogi_sched_wait(&s, &t[0]); /* refused again */
    assert_int_equal(s.waiting, 2);
    assert_int_equal(s.woken, 0);
    fogi_sched_charge(&t[2], SCHED_QUANTUM - 511);
    assert_int_equal(t[2].deficit, 0); /* a crumb is no turn */
    fogi_sched_charge(&t[0], SCHED_QUANTUM - 512);
    assert_int_equal(t[0].deficit, 512);
}

/* Room comes in pieces of `slice`; n writers always have data. */
static void
share(size_t n, size_t slice, size_t turns, uint64_t *bytes, struct sched *s, struct turn *t)
{
    for (size_t i = 0; i < n; i++)
        fogi_sched_cap(s, &t[i], 0, 16384);
    for (size_t k = 0; k < turns; k++) {
        size_t room = slice;
        struct turn *w = fogi_sched_wake(s);
        assert_non_null(w);
        size_t cap;
        while ((cap = fogi_sched_cap(s, w, room, 16384)) > 0) {
            fogi_sched_charge(w, cap);
            bytes[w - t] += cap;
            room -= cap;
        }
    }
}

static void
even_shares(void **state)
{
    static const size_t slices[] = {700, 1226, 3000, 16384, 60000};
    (void)state;
    for (size_t k = 0; k < sizeof slices / sizeof slices[0]; k++) {
        struct sched s;
        struct turn t[5];
        uint64_t bytes[5] = {0}, low = UINT64_MAX, high = 0;
        fogi_sched_init(&s);
        for (int i = 0; i < 5; i++)
            fogi_turn_init(&t[i]);
        share(5, slices[k], 2000, bytes, &s, t);
        for (int i = 0; i < 5; i++) {
            low = bytes[i] < low ? bytes[i] : low;
            high = bytes[i] > high ? bytes[i] : high;
        }
        if (high - low > 2 * 16384)
            fail_msg("slice %zu: %llu to %llu bytes", slices[k], (unsigned long long)low,
                     (unsigned long long)high);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alone),       cmocka_unit_test(fresh_before_bulk),
        cmocka_unit_test(counts),      cmocka_unit_test(woken_come_first),
        cmocka_unit_test(even_shares), cmocka_unit_test(little_by_little),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
