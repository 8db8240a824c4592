/* SPDX-License-Identifier: MIT
 *
 * Keepalive and the other timers of a tunnel, in virtual seconds.
 */
#include "unit/mux/rig.h"

#include "mux/life.h"

static struct life
make(enum fog_role role, bool ready)
{
    struct life l;
    struct fog_mux_options o;
    fog_mux_options_init(&o, role);
    fogi_life_init(&l, &o, 0);
    if (ready)
        fogi_life_ready(&l, role, FOG_MS(100));
    return l;
}

/* When the next PING is due after the last input, seconds; the client's grid is 10.1, 20.1 ... */
static const struct {
    const char *name;
    enum fog_role role;
    int last_input_ms, want_ms;
} pings[] = {
    {"client, silence", FOG_CLIENT, 100, 10100},
    {"client, input 5.0 s before the tick", FOG_CLIENT, 5100, 20100},
    {"client, input 5.001 s before", FOG_CLIENT, 5099, 10100},
    {"client, input just before", FOG_CLIENT, 10000, 20100},
    {"server, silence", FOG_SERVER, 100, 30000},
    {"server, input 4 s before", FOG_SERVER, 26000, 60000},
};

static void
ping_grid(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof pings / sizeof pings[0]; i++) {
        struct life l = make(pings[i].role, true);
        enum fog_why why;
        fogi_life_input(&l, FOG_MS(pings[i].last_input_ms));
        fog_time at = fogi_life_deadline(&l, &why);
        if (at != FOG_MS(pings[i].want_ms) || why != FOG_WHY_KEEPALIVE)
            fail_msg("%s: %lld us", pings[i].name, (long long)at);
        assert_int_equal(fogi_life_tick(&l, at - 1), 0);
        assert_false(l.ping_due);
        fogi_life_tick(&l, at);
        assert_true(l.ping_due);
        assert_int_equal(l.ping_id, 1);
    }
}

static void
answered(void **state)
{
    (void)state;
    struct life l = make(FOG_CLIENT, true);
    fogi_life_tick(&l, FOG_MS(10100));
    assert_false(fogi_life_pong(&l, 1)); /* not sent yet */
    fogi_life_pinged(&l, FOG_MS(10100));
    assert_false(fogi_life_pong(&l, 2));
    assert_false(fogi_life_pong(&l, 0));
    fogi_life_input(&l, FOG_MS(10150));
    assert_true(fogi_life_pong(&l, 1));
    assert_false(fogi_life_pong(&l, 1)); /* twice */
    enum fog_why why;
    assert_int_equal(fogi_life_deadline(&l, &why), FOG_MS(20100));
}

/** vproxy reads the bytes of an id with their signs. It echoed ffffff80 for our 128th PING, and a
 *  tunnel that had been idle for so long was in doubt. */
static void
ids_that_vproxy_echoes(void **state)
{
    (void)state;
    static const uint64_t firsts[] = {1, 0x7f, 0x100, 0x17f, 0x200, 0x7f7f, 0x10000};
    struct life l = make(FOG_CLIENT, true);
    fog_time now = FOG_MS(10100);
    size_t seen = 0;
    uint64_t before = 0;
    for (unsigned i = 0; i < 20000; i++) {
        uint64_t echo = 0;
        fogi_life_ask(&l);
        fogi_life_pinged(&l, now);
        assert_true(l.ping_id > before);
        for (unsigned byte = 0; byte < 64; byte += 8) {
            int one = (int8_t)(l.ping_id >> byte & 0xff);
            echo |= ((uint64_t)(int64_t)one & 0xffffffff) << byte;
        }
        seen += seen < sizeof firsts / sizeof *firsts && l.ping_id == firsts[seen];
        assert_true(fogi_life_pong(&l, echo));
        before = l.ping_id;
    }
    assert_int_equal(seen, sizeof firsts / sizeof *firsts);
    assert_int_equal(before & 0x8080808080808080, 0);
}

static void
unanswered(void **state)
{
    (void)state;
    struct life l = make(FOG_CLIENT, true);
    enum fog_why why;
    fogi_life_input(&l, 0);
    fogi_life_tick(&l, FOG_MS(10100));
    fogi_life_pinged(&l, FOG_MS(10100));
    assert_int_equal(fogi_life_deadline(&l, &why), FOG_MS(15100));
    assert_int_equal(why, FOG_WHY_KEEPALIVE);
    assert_int_equal(fogi_life_tick(&l, FOG_MS(15099)), 0);
    assert_int_equal(fogi_life_tick(&l, FOG_MS(15100)), LIFE_SUSPECT);
    assert_int_equal(fogi_life_deadline(&l, &why), FOG_MS(20100)); /* asks again */
    fogi_life_tick(&l, FOG_MS(20100));
    assert_int_equal(l.ping_id, 2);
    fogi_life_pinged(&l, FOG_MS(20100));
    fogi_life_input(&l, FOG_MS(24000)); /* not an answer, but life: patience starts anew */
    assert_int_equal(fogi_life_deadline(&l, &why), FOG_MS(29000));
}

/* Asked for, a PING leaves off the grid; only one at a time, and none before the tunnel is ready.
 */
static void
asked(void **state)
{
    (void)state;
    struct life l = make(FOG_CLIENT, false);
    enum fog_why why;
    fogi_life_ask(&l);
    assert_false(l.ping_due);
    l = make(FOG_CLIENT, true);
    fogi_life_ask(&l);
    fogi_life_ask(&l);
    assert_true(l.ping_due);
    assert_int_equal(l.ping_id, 1);
    fogi_life_pinged(&l, FOG_SEC(2));
    fogi_life_ask(&l);
    assert_false(l.ping_due);
    assert_int_equal(fogi_life_deadline(&l, &why), FOG_SEC(7));
    assert_true(fogi_life_pong(&l, 1));
    fogi_life_ask(&l);
    assert_true(l.ping_due);
}

static void
idle(void **state)
{
    (void)state;
    struct life l = make(FOG_SERVER, true);
    enum fog_why why;
    fogi_life_input(&l, FOG_SEC(1));
    for (fog_time at; (at = fogi_life_deadline(&l, &why)) < FOG_SEC(91);) {
        assert_false(fogi_life_tick(&l, at) & LIFE_IDLE);
        if (l.ping_due)
            fogi_life_pinged(&l, at);
    }
    assert_int_equal(why, FOG_WHY_DEAD);
    assert_int_equal(fogi_life_tick(&l, FOG_SEC(91) - 1) & LIFE_IDLE, 0);
    assert_int_equal(fogi_life_tick(&l, FOG_SEC(91)) & LIFE_IDLE, LIFE_IDLE);
}

/* While we take nothing ourselves, nobody is suspected or given up; PINGs still go out. */
static void
deaf(void **state)
{
    (void)state;
    struct life l = make(FOG_CLIENT, true);
    l.deaf = true;
    fogi_life_tick(&l, FOG_MS(10100));
    assert_true(l.ping_due);
    fogi_life_pinged(&l, FOG_MS(10100));
    enum fog_why why;
    assert_true(fogi_life_deadline(&l, &why) == FOG_TIME_NEVER);
    assert_int_equal(fogi_life_tick(&l, FOG_SEC(1000)), 0);
}

static void
handshake_and_frame(void **state)
{
    (void)state;
    struct life l = make(FOG_CLIENT, false);
    enum fog_why why;
    assert_int_equal(fogi_life_deadline(&l, &why), FOG_SEC(5));
    assert_int_equal(why, FOG_WHY_HANDSHAKE);
    assert_int_equal(fogi_life_tick(&l, FOG_SEC(5) - 1), 0);
    assert_int_equal(fogi_life_tick(&l, FOG_SEC(5)), LIFE_HANDSHAKE);
    l = make(FOG_CLIENT, true);
    l.frame_by = FOG_SEC(7);
    fogi_life_input(&l, FOG_SEC(4));
    assert_int_equal(fogi_life_deadline(&l, &why), FOG_SEC(7));
    assert_int_equal(fogi_life_tick(&l, FOG_SEC(7)), LIFE_FRAME);
}

/* A frame's time runs while bytes come, and at most 5 s beyond the last of them. */
static void
frame_in_the_dark(void **state)
{
    enum fog_why why;
    (void)state;
    struct life l = make(FOG_CLIENT, true);
    fogi_life_input(&l, FOG_SEC(1));
    l.frame_by = FOG_SEC(31);
    assert_int_equal(fogi_life_tick(&l, FOG_SEC(60)) & LIFE_FRAME, 0);
    fogi_life_input(&l, FOG_SEC(60)); /* 59 s dark, 54 of them not counted */
    assert_true(l.frame_by == FOG_SEC(85));
    for (fog_time t = 61; t <= 84; t++) {
        fogi_life_input(&l, FOG_SEC(t));
        assert_int_equal(fogi_life_tick(&l, FOG_SEC(t)) & LIFE_FRAME, 0);
    }
    assert_true(fogi_life_deadline(&l, &why) == FOG_SEC(85));
    assert_int_equal(fogi_life_tick(&l, FOG_SEC(85)) & LIFE_FRAME, LIFE_FRAME);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ping_grid),
        cmocka_unit_test(answered),
        cmocka_unit_test(ids_that_vproxy_echoes),
        cmocka_unit_test(unanswered),
        cmocka_unit_test(asked),
        cmocka_unit_test(idle),
        cmocka_unit_test(deaf),
        cmocka_unit_test(handshake_and_frame),
        cmocka_unit_test(frame_in_the_dark),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
