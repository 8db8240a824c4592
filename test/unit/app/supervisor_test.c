/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "channel_rig.h"

#include "app/supervisor.h"

#include <string.h>

/* How many tunnels are wanted. Nobody is at the other end; what becomes of a tunnel that is wanted
 * is for the real programs to show. */

static struct supervisor sup;

static void
placeable(void *owner)
{
    (void)owner;
}

static bool
is_awaited(const void *owner)
{
    (void)owner;
    return false;
}

static const struct supervisor_events events = {.placeable = placeable, .is_awaited = is_awaited};

static unsigned
wanted(void)
{
    unsigned n = 0;
    for (unsigned i = 0; i < SUPERVISOR_SLOTS_MAX; i++)
        n += sup.slots[i].wanted;
    return n;
}

static void
begin(void)
{
    static const struct hostport nobody = {.host = "127.0.0.1", .port = 9};
    p.conf.mode = CONF_CLIENT;
    memset(&sup, 0, sizeof sup);
    fogi_supervisor_init(&sup, &p, &nobody, &events, NULL);
}

static void
lose(uint32_t held_up, uint32_t of)
{
    sup.held_up = held_up;
    sup.pushes = of;
}

static void
two_while_in_use_and_lossy(void **state)
{
    (void)state;
    begin();
    assert_int_equal(wanted(), 1);
    fogi_supervisor_wake(&sup);
    assert_int_equal(wanted(), 1); /* nothing is lost */
    lose(19, 1000);
    fogi_supervisor_wake(&sup);
    assert_int_equal(wanted(), 1);
    lose(1, 10);
    fogi_supervisor_wake(&sup);
    assert_int_equal(wanted(), 1); /* one says nothing yet */
    lose(20, 1000);
    fogi_supervisor_wake(&sup);
    assert_int_equal(wanted(), CONF_TUNNELS_BUSY);
    sup.used -= FOG_SEC(60);
    sup.rest.ring(&sup.rest); /* a minute later; no stream is there */
    assert_int_equal(wanted(), 1);
    fogi_supervisor_wake(&sup);
    assert_int_equal(wanted(), CONF_TUNNELS_BUSY);
    fogi_supervisor_stop(&sup);
    rig_turns(4);
}

static void
two_until_a_minute_after_the_last_stream(void **state)
{
    (void)state;
    begin();
    lose(20, 1000);
    fogi_supervisor_wake(&sup);
    sup.used -= FOG_SEC(60); /* ... and a stream of a second now and then */
    fogi_supervisor_wake(&sup);
    sup.rest.ring(&sup.rest);
    assert_int_equal(wanted(), CONF_TUNNELS_BUSY);
    assert_true(sup.rest.at > process_now(&p) + FOG_SEC(59));
    sup.used -= FOG_SEC(60);
    sup.rest.ring(&sup.rest);
    assert_int_equal(wanted(), 1);
    fogi_supervisor_stop(&sup);
    rig_turns(4);
}

static void
as_many_as_the_user_says(void **state)
{
    (void)state;
    p.conf.tunnels = 3;
    begin();
    lose(20, 1000);
    assert_int_equal(wanted(), 3);
    fogi_supervisor_wake(&sup);
    sup.rest.ring(&sup.rest);
    assert_int_equal(wanted(), 3);
    fogi_supervisor_stop(&sup);
    rig_turns(4);
}

static void
a_told_rate_is_not_cut_in_parts(void **state)
{
    (void)state;
    uint32_t *rates[] = {&p.conf.up, &p.conf.down};
    for (size_t i = 0; i < 2; i++) {
        *rates[i] = 1000;
        begin();
        lose(20, 1000);
        fogi_supervisor_wake(&sup);
        assert_int_equal(wanted(), 1);
        fogi_supervisor_stop(&sup);
        rig_turns(4);
        *rates[i] = 0;
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(two_while_in_use_and_lossy, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(two_until_a_minute_after_the_last_stream, rig_setup,
                                        rig_teardown),
        cmocka_unit_test_setup_teardown(as_many_as_the_user_says, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(a_told_rate_is_not_cut_in_parts, rig_setup, rig_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
