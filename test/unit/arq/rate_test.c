/* SPDX-License-Identifier: MIT */
#include "arq/rate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

/* One flight of four, a datagram of 1000 bytes each; when they leave and when they are known to
 * have arrived. The sample of the last one counts. */
static void
test_samples(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        fog_time sent[4], arrived[4]; /* ms */
        uint64_t rate;                /* bytes per second */
    } rows[] = {
        {"as fast as sent", {0, 10, 20, 30}, {100, 110, 120, 130}, 30769},
        {"slower than sent", {0, 1, 2, 3}, {100, 110, 120, 130}, 30769},
        {"bunched by ticks", {0, 10, 20, 30}, {130, 130, 130, 130}, 30769},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rate r = {0};
        struct rate_sample s = {0};
        struct tx t[4] = {{0}};
        for (unsigned j = 0; j < 4; j++) {
            t[j].sent_at = FOG_MS(rows[i].sent[j]);
            fogi_rate_sent(&r, &t[j], j * 1000u, FOG_MS(rows[i].sent[j]));
        }
        for (unsigned j = 0; j < 4; j++) {
            s = (struct rate_sample){0};
            fogi_rate_arrived(&r, &s, &t[j], 1000, FOG_MS(rows[i].arrived[j]));
            fogi_rate_finish(&r, &s);
        }
        assert_true(s.valid);
        if (s.bytes_per_s != rows[i].rate)
            fail_msg("%s: %llu", rows[i].name, (unsigned long long)s.bytes_per_s);
    }
}

/* What left while there was too little to say is limited, and what left after that is not. */
static void
test_limited(void **state)
{
    (void)state;
    struct rate r = {0};
    struct tx a = {0}, b = {.sent_at = FOG_MS(1)}, c = {.sent_at = FOG_MS(40)};
    fogi_rate_sent(&r, &a, 0, 0);
    fogi_rate_idle(&r, 1000);
    fogi_rate_sent(&r, &b, 1000, FOG_MS(1));
    struct rate_sample s = {0};
    fogi_rate_arrived(&r, &s, &a, 1000, FOG_MS(20));
    fogi_rate_arrived(&r, &s, &b, 1000, FOG_MS(21));
    fogi_rate_finish(&r, &s);
    assert_true(s.valid && s.limited);
    fogi_rate_sent(&r, &c, 0, FOG_MS(40));
    s = (struct rate_sample){0};
    fogi_rate_arrived(&r, &s, &c, 1000, FOG_MS(60));
    fogi_rate_finish(&r, &s);
    assert_true(s.valid && !s.limited);
}

/* A transmission that is not known counts as bytes; the newest known one makes the sample. */
static void
test_which(void **state)
{
    (void)state;
    struct rate r = {0};
    struct tx a = {0}, b = {.sent_at = FOG_MS(10)};
    fogi_rate_sent(&r, &a, 0, 0);
    fogi_rate_sent(&r, &b, 1000, FOG_MS(10));
    struct rate_sample s = {0};
    fogi_rate_arrived(&r, &s, NULL, 500, FOG_MS(20));
    assert_false(s.valid);
    fogi_rate_arrived(&r, &s, &b, 1000, FOG_MS(20));
    fogi_rate_arrived(&r, &s, &a, 1000, FOG_MS(20));
    assert_true(s.newest_at == FOG_MS(10));
    assert_int_equal(r.delivered, 2500);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples),
        cmocka_unit_test(test_limited),
        cmocka_unit_test(test_which),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
