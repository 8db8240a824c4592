/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bucket.h"
#include "base/rng.h"

struct take {
    fog_time at;
    uint32_t n;
    bool granted;
};

struct row {
    const char *name;
    uint32_t burst, per_s;
    struct take takes[12];
    size_t n_takes;
};

static void
test_table(void **state)
{
    (void)state;
    /* clang-format off */
    static const struct row rows[] = {
        {"the burst, then none", 3, 1,
         {{0, 1, true}, {0, 1, true}, {0, 1, true}, {0, 1, false}}, 4},
        {"one token a second, to the microsecond", 1, 1,
         {{0, 1, true}, {999999, 1, false}, {1000000, 1, true}, {1999999, 1, false},
          {2000000, 1, true}}, 5},
        {"fractions add up", 2, 3,
         {{0, 2, true}, {333333, 1, false}, {333334, 1, true}, {666666, 1, false},
          {666667, 1, true}, {999999, 1, false}, {1000000, 1, true}}, 7},
        {"what is above the burst is lost, fractions too", 1, 3,
         {{0, 1, true}, {333334, 1, true}, {666667, 1, false}, {666668, 1, true}}, 4},
        {"all or nothing", 5, 1,
         {{0, 6, false}, {0, 5, true}, {2000000, 3, false}, {2000000, 2, true}}, 4},
        {"never above the burst, however long it idles", 2, 10,
         {{0, 2, true}, {3600000000, 2, true}, {3600000000, 1, false}}, 3},
        {"idle for 200,000 years", 4294967295, 4294967295,
         {{0, 4294967295, true}, {6311520000000000000, 4294967295, true},
          {6311520000000000000, 1, false}}, 3},
        {"no rate: only the burst, for ever", 2, 0,
         {{0, 1, true}, {1000000000, 1, true}, {1000000000000, 1, false}}, 3},
        {"no burst: nothing ever", 0, 1000,
         {{0, 1, false}, {1000000000, 1, false}, {1000000000, 0, true}}, 3},
        {"a time that goes back grants nothing and loses nothing", 1, 1,
         {{5000000, 1, true}, {4000000, 1, false}, {5999999, 1, false}, {6000000, 1, true}}, 4},
    };
    /* clang-format on */
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bucket b;
        bucket_init(&b, rows[i].burst, rows[i].per_s, 0);
        for (size_t k = 0; k < rows[i].n_takes; k++) {
            const struct take *t = &rows[i].takes[k];
            if (bucket_take(&b, t->n, t->at) != t->granted)
                fail_msg("%s: row %zu", rows[i].name, k);
        }
    }
}

static void
test_give(void **state)
{
    (void)state;
    struct bucket b;
    bucket_init(&b, 3, 0, 0);
    assert_true(bucket_take(&b, 2, 0));
    bucket_give(&b, 1);
    assert_true(bucket_take(&b, 2, 0));
    assert_false(bucket_take(&b, 1, 0));
    bucket_give(&b, 100); /* never above the burst */
    assert_false(bucket_take(&b, 4, 0));
    assert_true(bucket_take(&b, 3, 0));
    bucket_give(&b, UINT32_MAX);
    assert_int_equal(b.level, 3000000);
}

/** At the time foretold the take is granted, a microsecond before it is not. */
static void
test_when(void **state)
{
    (void)state;
    /* clang-format off */
    static const struct {
        const char *name;
        uint32_t burst, per_s, taken, n;
        fog_time when;
    } rows[] = {
        {"there now",         5, 1,       3, 2, 1000},
        {"in a second",       5, 1,       5, 1, 1001000},
        {"rounded up",        5, 3,       5, 1, 334334},
        {"several",           5, 10,      5, 5, 501000},
        {"every microsecond", 5, 1000000, 5, 5, 1005},
        {"faster than that",  5, 3000000, 5, 4, 1002},
        {"never: no rate",    5, 0,       5, 1, FOG_TIME_NEVER},
        {"never: too many",   5, 10,      0, 6, FOG_TIME_NEVER},
    };
    /* clang-format on */
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bucket b;
        bucket_init(&b, rows[i].burst, rows[i].per_s, 1000);
        assert_true(bucket_take(&b, rows[i].taken, 1000));
        fog_time when = bucket_when(&b, rows[i].n);
        if (when != rows[i].when)
            fail_msg("%s: %lld", rows[i].name, (long long)when);
        if (when == FOG_TIME_NEVER || when == 1000)
            continue;
        if (bucket_take(&b, rows[i].n, when - 1) || !bucket_take(&b, rows[i].n, when))
            fail_msg("%s: not granted at its time", rows[i].name);
    }
}

#define TAKES 2000

/** In every interval of length T at most burst + per_s x T are granted; and over the whole a taker
 *  that never tires gets nearly that. */
static void
test_guarantee(void **state)
{
    (void)state;
    static uint64_t granted[TAKES + 1]; /* before the i-th take */
    static fog_time at[TAKES];
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct rng rng = {seed};
        uint32_t burst = 1 + rng_below(&rng, 20), per_s = 1 + rng_below(&rng, 5000);
        struct bucket b;
        bucket_init(&b, burst, per_s, 0);
        fog_time now = 0;
        for (size_t i = 0; i < TAKES; i++) {
            now += rng_below(&rng, rng_below(&rng, 50) ? 1000 : 100000);
            uint32_t n = 1 + rng_below(&rng, 3);
            at[i] = now;
            granted[i + 1] = granted[i] + (bucket_take(&b, n, now) ? n : 0);
        }
        for (size_t i = 0; i < TAKES; i += 7) {
            for (size_t k = i; k < TAKES; k += 5) {
                double most = burst + per_s * (double)(at[k] - at[i]) / 1e6;
                assert_true((double)(granted[k + 1] - granted[i]) <= most + 1e-6);
            }
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_give),
        cmocka_unit_test(test_when),
        cmocka_unit_test(test_guarantee),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
