/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/loop.h"

static struct loop loop;

static int
setup(void **state)
{
    (void)state;
    return fogi_loop_init(&loop);
}

static int
teardown(void **state)
{
    (void)state;
    return fogi_loop_free(&loop) ? 0 : -1;
}

/** One turn of a loop that has something to wait for, as the program's always has. */
static void
turn(void)
{
    static struct alarm far;
    fogi_alarm_init(&far, &loop, NULL);
    fogi_alarm_set(&far, fogi_loop_now(&loop) + FOG_SEC(1000));
    uv_run(&loop.uv, UV_RUN_NOWAIT);
    fogi_alarm_close(&far, NULL);
    uv_run(&loop.uv, UV_RUN_NOWAIT);
}

static struct alarm alarm_a;
static fog_time rang;
static unsigned rings;

static void
on_ring(struct alarm *a)
{
    rings++;
    rang = fogi_loop_now(a->loop);
    fogi_alarm_close(a, NULL);
}

static void
an_alarm_is_never_early(void **state)
{
    (void)state;
    static const fog_time waits[] = {1, 999, 1000, 1001, 5500, 20000};
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        fog_time at = fogi_loop_refresh(&loop) + waits[i];
        rings = 0;
        fogi_alarm_init(&alarm_a, &loop, on_ring);
        fogi_alarm_set(&alarm_a, at);
        fogi_loop_run(&loop);
        assert_int_equal(rings, 1);
        assert_true(rang >= at);
    }
}

static void
the_past_is_the_next_turn(void **state)
{
    (void)state;
    rings = 0;
    fogi_alarm_init(&alarm_a, &loop, on_ring);
    fogi_alarm_set(&alarm_a, 0);
    assert_int_equal(rings, 0);
    fogi_loop_run(&loop);
    assert_int_equal(rings, 1);
}

static void
never_stops_it(void **state)
{
    (void)state;
    rings = 0;
    fogi_alarm_init(&alarm_a, &loop, on_ring);
    fogi_alarm_set(&alarm_a, fogi_loop_now(&loop) + 1000);
    fogi_alarm_set(&alarm_a, FOG_TIME_NEVER);
    fogi_loop_run(&loop); /* nothing to wait for */
    assert_int_equal(rings, 0);
    fogi_alarm_close(&alarm_a, NULL);
}

static struct pump pump_a, pump_b;
static unsigned pumps_run;

static void
on_pump(struct pump *p)
{
    pumps_run++;
    if (p == &pump_a)
        loop_later(&loop, &pump_b); /* in the same turn */
}

static void
a_pump_runs_once_a_turn(void **state)
{
    (void)state;
    pump_init(&pump_a, on_pump);
    pump_init(&pump_b, on_pump);
    pumps_run = 0;
    for (int i = 0; i < 5; i++)
        loop_later(&loop, &pump_a);
    turn();
    assert_int_equal(pumps_run, 2);
    loop_later(&loop, &pump_b);
    pump_cancel(&pump_b);
    turn();
    assert_int_equal(pumps_run, 2);
}

static void
descriptors_are_spared(void **state)
{
    (void)state;
    uint32_t was = loop.fds_max;
    loop.fds_max = loop.fds + LOOP_FDS_SPARE + 1;
    assert_true(loop_fd_free(&loop)); /* the last one */
    fogi_loop_fd_taken(&loop);
    assert_false(loop_fd_free(&loop));

    pump_init(&pump_b, on_pump);
    pumps_run = 0;
    fogi_loop_fd_wait(&loop, &pump_b);
    assert_int_equal(loop.limit_fds_hit, 1);
    turn();
    assert_int_equal(pumps_run, 0);
    fogi_loop_fd_given(&loop);
    turn();
    assert_int_equal(pumps_run, 1);

    /* Descriptors may also be freed by others: asked again after 100 ms. */
    fog_time begin = fogi_loop_refresh(&loop);
    fogi_loop_fd_wait(&loop, &pump_b);
    while (pumps_run == 1 && fogi_loop_refresh(&loop) - begin < FOG_SEC(5))
        turn();
    assert_int_equal(pumps_run, 2);
    assert_true(fogi_loop_refresh(&loop) - begin >= FOG_MS(100));
    loop.fds_max = was;
}

static void
a_sleep_of_the_host_is_told(void **state)
{
    (void)state;
    static const struct {
        fog_time slept; /* since the host was started */
        bool told;
    } rows[] = {{FOG_SEC(100), true},
                {FOG_SEC(100), false},
                {FOG_SEC(102), false},
                {FOG_SEC(105), true},
                {FOG_SEC(105), false}};
    pump_init(&pump_b, on_pump);
    loop.resumed = &pump_b;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fogi_loop_slept(&loop, rows[i].slept);
        assert_int_equal(list_is_linked(&pump_b.link), rows[i].told);
        pump_cancel(&pump_b);
    }
    loop.resumed = NULL;
}

static struct alarm many[5];
static unsigned rung;

static void
on_one_of_many(struct alarm *a)
{
    rung |= 1u << (a - many);
    fogi_alarm_set(&many[2], fogi_loop_now(a->loop) + FOG_MS(30)); /* later than it stood */
    fogi_alarm_close(&many[3], NULL);
    if (a == &many[4])
        for (size_t i = 0; i < 5; i++)
            fogi_alarm_close(&many[i], NULL);
}

/* Several are due at once: who rings may move another to later, and close one. */
static void
who_rings_may_move_and_close_others(void **state)
{
    (void)state;
    static const fog_time after[] = {0, 1000, 1000, 1000, 60000};
    fog_time now = fogi_loop_refresh(&loop);
    rung = 0;
    for (size_t i = 0; i < 5; i++) {
        fogi_alarm_init(&many[i], &loop, on_one_of_many);
        fogi_alarm_set(&many[i], now + after[i]);
    }
    fogi_alarm_set(&many[1], FOG_TIME_NEVER);
    uv_sleep(5); /* so that the first three are found at the same time */
    fogi_loop_run(&loop);
    assert_int_equal(rung & ~4u, 1u << 0 | 1u << 4);
}

/* The system's timer is set to earlier moments only; when it has fired, it stands on what is left.
 */
static void
an_alarm_moved_to_later_still_rings(void **state)
{
    (void)state;
    fog_time now = fogi_loop_refresh(&loop), at = now + FOG_MS(20);
    rings = 0;
    fogi_alarm_init(&alarm_a, &loop, on_ring);
    fogi_alarm_set(&alarm_a, now + FOG_MS(2));
    uv_run(&loop.uv, UV_RUN_NOWAIT);
    fogi_alarm_set(&alarm_a, at);
    fogi_loop_run(&loop);
    assert_int_equal(rings, 1);
    assert_true(rang >= at);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_alarm_is_never_early, setup, teardown),
        cmocka_unit_test_setup_teardown(who_rings_may_move_and_close_others, setup, teardown),
        cmocka_unit_test_setup_teardown(an_alarm_moved_to_later_still_rings, setup, teardown),
        cmocka_unit_test_setup_teardown(the_past_is_the_next_turn, setup, teardown),
        cmocka_unit_test_setup_teardown(never_stops_it, setup, teardown),
        cmocka_unit_test_setup_teardown(a_pump_runs_once_a_turn, setup, teardown),
        cmocka_unit_test_setup_teardown(descriptors_are_spared, setup, teardown),
        cmocka_unit_test_setup_teardown(a_sleep_of_the_host_is_told, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
