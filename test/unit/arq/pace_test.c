/* SPDX-License-Identifier: MIT */
#include "arq/cc.h"
#include "arq/pace.h"

#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#define MTU 1250u

/* at, bytes -> may it leave: 1 MB/s, burst 16 x 1250 */
static void
test_steps(void **state)
{
    (void)state;
    struct pace p;
    fogi_pace_init(&p, MTU);
    assert_true(fogi_pace_may(&p, 0));
    assert_true(fogi_pace_when(&p) <= 0);
    fogi_pace_set(&p, 1000000, 0);
    for (int i = 0; i < 16; i++) {
        assert_true(fogi_pace_may(&p, 0));
        fogi_pace_sent(&p, MTU, 0);
    }
    static const struct {
        fog_time at;
        size_t sent; /* before the question; 0: none */
        bool may;
        fog_time when;
    } rows[] = {
        {0, 0, false, 1250},      {1249, 0, false, 1250},    {1250, 0, true, 1250},
        {1250, MTU, false, 2500}, {2500, 0, true, 2500},     {2500, 250, false, 2750},
        {2750, 0, true, 2750},    {100000, 0, true, 100000},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].sent)
            fogi_pace_sent(&p, rows[i].sent, rows[i].at);
        if (fogi_pace_may(&p, rows[i].at) != rows[i].may || fogi_pace_when(&p) != rows[i].when)
            fail_msg("row %zu: when %lld", i, (long long)fogi_pace_when(&p));
    }
    fogi_pace_set(&p, 0, 100000);
    for (int i = 0; i < 1000; i++) {
        assert_true(fogi_pace_may(&p, 100000));
        fogi_pace_sent(&p, MTU, 100000);
    }
}

/* 1 MB/s, burst 20,000: told to wait with nothing saved up, back `after` the moment it was told;
 * 10 ms are made up for, and only what the bucket does not hold anyway. */
static void
test_who_was_kept_makes_up(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool told;     /* to wait: it had something to send       */
        bool set_rate; /* an ACK sets the rate before it asks     */
        fog_time after;
        size_t datagrams;
    } rows[] = {
        {"in time", true, false, 1250, 1},
        {"late, within the burst", true, false, 20000, 16},
        {"later than the burst by 5 ms", true, false, 25000, 20},
        {"later by 10 ms", true, false, 30000, 24},
        {"later by 80 ms: no more than 10", true, false, 100000, 24},
        {"an ACK comes first", true, true, 30000, 24},
        {"so late that it was idle", true, false, 102000, 16},
        {"it had nothing to send", false, false, 30000, 16},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct pace p;
        size_t n = 0;
        fogi_pace_init(&p, MTU);
        fogi_pace_set(&p, 1000000, 0);
        for (int sent = 0; sent < 16; sent++) {
            assert_true(fogi_pace_may(&p, 0));
            fogi_pace_sent(&p, MTU, 0);
        }
        if (rows[i].told)
            assert_false(fogi_pace_may(&p, 0));
        if (rows[i].set_rate)
            fogi_pace_set(&p, 1000000, rows[i].after);
        for (; fogi_pace_may(&p, rows[i].after); n++)
            fogi_pace_sent(&p, MTU, rows[i].after);
        if (n != rows[i].datagrams)
            fail_msg("%s: %zu datagrams", rows[i].name, n);
        assert_true(fogi_pace_when(&p) > rows[i].after);
        assert_false(fogi_pace_may(&p, rows[i].after + 1)); /* nothing is kept for later */
    }
}

/* sent <= burst + rate x T for every interval, and a greedy sender reaches the rate. */
static void
test_guarantee(void **state)
{
    (void)state;
    static const uint64_t rates[] = {1000, 125000, 5000000, 125000000, UINT64_C(5000000000)};
    for (unsigned r = 0; r < 5; r++) {
        uint64_t rate = rates[r] < UINT32_MAX ? rates[r] : UINT32_MAX;
        uint64_t burst = rate / 500 > 16 * MTU ? rate / 500 : 16 * MTU;
        struct rng rng = {r + 1};
        struct pace p;
        fog_time now = 0, first = 0;
        uint64_t total = 0;
        fogi_pace_init(&p, MTU);
        fogi_pace_set(&p, rates[r], now);
        for (int i = 0; i < 20000; i++) {
            while (fogi_pace_may(&p, now)) {
                size_t bytes = 1 + rng_below(&rng, MTU);
                fogi_pace_sent(&p, bytes, now);
                total += bytes;
            }
            uint64_t limit = burst + rate * (uint64_t)(now - first) / 1000000;
            assert_true(total <= limit);
            assert_true(total + MTU + 1 >= limit); /* not idle beyond the next datagram */
            assert_true(fogi_pace_when(&p) > now);
            now = fogi_pace_when(&p);
        }
    }
}

static void
test_rate_changes(void **state)
{
    (void)state;
    struct pace p;
    fogi_pace_init(&p, MTU);
    fogi_pace_set(&p, 100000000, 0); /* burst 200000 */
    fogi_pace_set(&p, 1000, 0);      /* burst 20000: what was saved beyond is gone */
    size_t sent = 0;
    while (fogi_pace_may(&p, 0)) {
        fogi_pace_sent(&p, MTU, 0);
        sent += MTU;
    }
    assert_int_equal(sent, 20000);
    fogi_pace_set(&p, 1000000, 0); /* faster, but nothing is given away */
    assert_false(fogi_pace_may(&p, 0));
    assert_int_equal(fogi_pace_when(&p), 1250);
}

static void
test_fixed_control(void **state)
{
    (void)state;
    /* clang-format off */
    static const struct { uint32_t snd, peer; fog_time srtt; uint32_t window; uint64_t rate; } rows[] = {
        { 1024,  32,    0,              32,    0 },
        { 1024,  1024,  0,              1024,  0 },
        { 1024,  65535, FOG_MS(100),    1024,  UINT64_C(2) * 1024 * MTU * 10 },
        { 1024,  0,     FOG_MS(100),    0,     1 },
        { 16,    32,    FOG_US(1999),   16,    0 },
        { 16,    32,    FOG_US(2000),   16,    UINT64_C(2) * 16 * MTU * 500 },
        { 65535, 65535, FOG_SEC(60),    65535, UINT64_C(2) * 65535 * MTU / 60 },
    };
    /* clang-format on */
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cc c;
        fogi_cc_fixed(&c, rows[i].snd, MTU);
        assert_int_equal(c.peer_wnd, CC_PEER_WND_ASSUMED);
        c.peer_wnd = rows[i].peer;
        c.srtt_us = rows[i].srtt;
        assert_int_equal(cc_span(&c), rows[i].window);
        assert_int_equal(c.ops->rate(&c), rows[i].rate);
        c.ops->outcome(&c, true);
        c.ops->timeout(&c);
        assert_true(c.ops->room(&c) == CC_NO_LIMIT);
        assert_int_equal(cc_span(&c), rows[i].window); /* fixed */
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps),         cmocka_unit_test(test_who_was_kept_makes_up),
        cmocka_unit_test(test_guarantee),     cmocka_unit_test(test_rate_changes),
        cmocka_unit_test(test_fixed_control),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
