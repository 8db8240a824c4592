/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/supervisor.h"
#include "app/locals.h"

#include <string.h>

static const uint8_t key[16] = "fedcba9876543210";

static void
backoff_grows_to_its_end(void **state)
{
    (void)state;
    static const struct {
        unsigned failures;
        bool hurried;
        double jitter;
        int64_t ms;
    } rows[] = {
        {0, false, 0.5, 0},       {1, false, 0.5, 250},  {2, false, 0.5, 400},
        {3, false, 0.5, 640},     {1, false, 0.0, 187},  {1, false, 0.999, 312},
        {5, false, 0.5, 1638},    {8, false, 0.5, 5000}, {9, false, 0.999, 5000},
        {1000, false, 0.5, 5000}, {5, true, 0.5, 1000},  {1000, true, 0.999, 1000},
        {1, true, 0.5, 250},      {0, true, 0.999, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fog_time wait = fogi_supervisor_backoff(rows[i].failures, rows[i].hurried, rows[i].jitter);
        print_message("after %u: %lld us\n", rows[i].failures, (long long)wait);
        assert_in_range(wait / 1000, rows[i].ms, rows[i].ms + (rows[i].failures > 7 ? 800 : 1));
        assert_true(wait <= FOG_SEC(rows[i].hurried ? 1 : 5));
    }
}

static struct fog_addr
addr(uint32_t n)
{
    struct fog_addr a = {.port = (uint16_t)(n + 1)};
    memcpy(a.ip, &n, sizeof n);
    return a;
}

static void
an_answer_leaves_from_where_it_was_asked(void **state)
{
    (void)state;
    static struct locals l;
    struct fog_addr peer = addr(1), other = addr(2), a = addr(100), b = addr(101);
    fogi_locals_init(&l, key);
    assert_null(fogi_locals_find(&l, &peer));
    fogi_locals_note(&l, &peer, &a);
    assert_memory_equal(fogi_locals_find(&l, &peer), &a, sizeof a);
    assert_null(fogi_locals_find(&l, &other));
    fogi_locals_note(&l, &peer, &b); /* it asks elsewhere now */
    assert_memory_equal(fogi_locals_find(&l, &peer), &b, sizeof b);
}

static void
many_peers_push_out_but_never_mix_up(void **state)
{
    (void)state;
    static struct locals l;
    unsigned known = 0;
    fogi_locals_init(&l, key);
    for (uint32_t i = 0; i < 10000; i++) {
        struct fog_addr peer = addr(i), local = addr(i ^ 0x55555555);
        fogi_locals_note(&l, &peer, &local);
        assert_non_null(fogi_locals_find(&l, &peer)); /* who spoke last is known */
    }
    for (uint32_t i = 0; i < 10000; i++) {
        struct fog_addr peer = addr(i), local = addr(i ^ 0x55555555);
        const struct fog_addr *found = fogi_locals_find(&l, &peer);
        if (!found)
            continue;
        assert_memory_equal(found, &local, sizeof local);
        known++;
    }
    assert_in_range(known, LOCALS_SETS * LOCALS_WAYS - 64, LOCALS_SETS * LOCALS_WAYS);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(backoff_grows_to_its_end),
        cmocka_unit_test(an_answer_leaves_from_where_it_was_asked),
        cmocka_unit_test(many_peers_push_out_but_never_mix_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
