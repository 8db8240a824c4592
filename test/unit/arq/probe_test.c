/* SPDX-License-Identifier: MIT */
#include "arq/hello.h"
#include "arq/probe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

static void
test_probe_waits(void **state)
{
    (void)state;
    static const struct {
        fog_time rto;
        fog_time waits[11]; /* ms */
    } rows[] = {
        {FOG_MS(30), {500, 750, 1125, 1687, 2531, 3796, 5695, 8542, 10000, 10000, 10000}},
        {FOG_SEC(2), {2000, 3000, 4500, 6750, 10000, 10000, 10000, 10000, 10000, 10000, 10000}},
    };
    for (unsigned r = 0; r < 2; r++) {
        struct probe p = {0};
        fog_time now = FOG_SEC(5), asked = now;
        fogi_probe_tick(&p, now);
        assert_false(p.ask);
        fogi_probe_set(&p, true, rows[r].rto, now);
        for (unsigned i = 0; i < 11; i++) {
            fogi_probe_set(&p, true, rows[r].rto, now); /* still: changes nothing */
            now = fogi_probe_deadline(&p);
            assert_int_equal((now - asked) / 1000, rows[r].waits[i]);
            fogi_probe_tick(&p, now - 1);
            assert_false(p.ask);
            fogi_probe_tick(&p, now);
            assert_true(p.ask);
            p.ask = false;
            asked = now;
        }
        assert_true(fogi_probe_end(&p, FOG_SEC(60)) == FOG_SEC(65));
        fogi_probe_progress(&p, now);
        assert_true(fogi_probe_end(&p, FOG_SEC(60)) == now + FOG_SEC(60));
        fogi_probe_set(&p, false, rows[r].rto, now);
        assert_true(fogi_probe_deadline(&p) == FOG_TIME_NEVER);
        assert_true(fogi_probe_end(&p, FOG_SEC(60)) == FOG_TIME_NEVER);
    }
}

static void
test_reopen(void **state)
{
    (void)state;
    struct reopen r = {0};
    fog_time now = FOG_SEC(1);
    fogi_reopen_set(&r, 5, FOG_MS(100), now); /* was never closed */
    assert_true(fogi_reopen_deadline(&r) == FOG_TIME_NEVER);
    fogi_reopen_told(&r, 0);
    fogi_reopen_set(&r, 0, FOG_MS(100), now); /* still closed */
    assert_true(fogi_reopen_deadline(&r) == FOG_TIME_NEVER);
    fogi_reopen_set(&r, 1, FOG_MS(100), now);
    static const fog_time waits[] = {0, FOG_MS(100), FOG_MS(200), FOG_MS(400), FOG_MS(800)};
    for (unsigned i = 0; i < REOPEN_TIMES; i++) {
        assert_true(fogi_reopen_deadline(&r) == now + waits[i]);
        now += waits[i];
        fogi_reopen_told(&r, 7);
        fogi_reopen_sent(&r, now);
        fogi_reopen_set(&r, 8, FOG_MS(100), now); /* told already: no new row */
    }
    assert_true(fogi_reopen_deadline(&r) == FOG_TIME_NEVER);

    fogi_reopen_told(&r, 0);
    fogi_reopen_set(&r, 1, FOG_SEC(20), now);
    fogi_reopen_sent(&r, now);
    assert_true(fogi_reopen_deadline(&r) == now + FOG_SEC(1)); /* at most 1 s apart */
    fogi_reopen_stop(&r);
    assert_true(fogi_reopen_deadline(&r) == FOG_TIME_NEVER);
}

static const uint8_t ours[] = {1, 2, 3};

static void
test_hello_alone(void **state)
{
    (void)state;
    struct hello h;
    fog_time now = FOG_SEC(1);
    fogi_hello_init(&h, ours, 3);
    assert_false(fogi_hello_wanted(&h, true, now)); /* not proven */
    assert_false(fogi_hello_received(&h, ours, 3, now));
    fogi_hello_arm(&h, FOG_MS(200), now);
    assert_false(fogi_hello_wanted(&h, false, now));
    assert_true(fogi_hello_wanted(&h, true, now)); /* the first goes with anything */
    for (unsigned i = 0; i < HELLO_TIMES; i++) {
        assert_true(fogi_hello_deadline(&h) == now + FOG_MS(200));
        now = fogi_hello_deadline(&h);
        assert_true(fogi_hello_wanted(&h, false, now));
        fogi_hello_sent(&h, FOG_MS(200), now);
        assert_false(fogi_hello_wanted(&h, true, now + FOG_MS(199)));
    }
    assert_true(fogi_hello_deadline(&h) == FOG_TIME_NEVER); /* nobody answers: it sleeps */
    assert_false(fogi_hello_wanted(&h, true, now + FOG_SEC(100)));
}

static void
test_hello_answers(void **state)
{
    (void)state;
    struct hello h;
    fog_time now = FOG_SEC(1);
    fogi_hello_init(&h, ours, 3);
    fogi_hello_arm(&h, FOG_MS(30), now);
    assert_false(fogi_hello_received(&h, ours, 0, now));
    assert_false(fogi_hello_received(&h, ours, FOG_HELLO_MAX + 1, now));
    assert_true(fogi_hello_received(&h, (const uint8_t[]){9}, 1, now));
    assert_true(fogi_hello_wanted(&h, false, now)); /* ours was not said yet */
    fogi_hello_sent(&h, FOG_MS(30), now);
    assert_true(fogi_hello_deadline(&h) == FOG_TIME_NEVER);
    assert_false(fogi_hello_received(&h, (const uint8_t[]){8}, 1, now)); /* ours is under way */
    assert_false(fogi_hello_wanted(&h, true, now));
    assert_int_equal(h.theirs[0], 9); /* the first counts */
    for (unsigned i = 0; i < HELLO_TIMES - 1; i++) {
        now += FOG_MS(100);
        assert_false(fogi_hello_received(&h, (const uint8_t[]){9}, 1, now)); /* ours was lost */
        assert_true(fogi_hello_wanted(&h, false, now));
        fogi_hello_sent(&h, FOG_MS(30), now);
    }
    now += FOG_SEC(1);
    assert_false(fogi_hello_received(&h, (const uint8_t[]){9}, 1, now));
    assert_false(fogi_hello_wanted(&h, true, now)); /* enough */
}

static void
test_nothing_to_say(void **state)
{
    (void)state;
    struct hello h;
    fogi_hello_init(&h, ours, 0);
    fogi_hello_arm(&h, 0, 0);
    assert_true(fogi_hello_received(&h, (const uint8_t[]){9}, 1, 0));
    assert_true(fogi_hello_deadline(&h) == FOG_TIME_NEVER);
    assert_false(fogi_hello_wanted(&h, true, FOG_SEC(9)));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_probe_waits),    cmocka_unit_test(test_reopen),
        cmocka_unit_test(test_hello_alone),    cmocka_unit_test(test_hello_answers),
        cmocka_unit_test(test_nothing_to_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
