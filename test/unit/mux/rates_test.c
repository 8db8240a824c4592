/* SPDX-License-Identifier: MIT
 *
 * Every limit on rates and times at N, where nothing happens, and at N + 1, where it bites.
 */
#include "unit/mux/limits.h"

static void
inflate_turn(void **state)
{
    struct rig r;
    enum fog_why why;
    (void)state;
    for (int singly = 0; singly < 2; singly++) {
        uint8_t buf[64];
        size_t n = rig_hex(buf, sizeof buf, "000004 00 05 00000001 000003e8");
        rig_init(&r, FOG_SERVER);
        r.o.gzip = &fake_gzip;
        r.o.limits.inflate_frame = r.o.limits.inflate_turn = 1000;
        stage_with(&r, OPEN);
        rig_feed(&r, "000004 00 04 00000001 000003e8");
        assert_int_equal(HITS(&r, inflate_turn), 0);
        rig_feed_bytes(&r, buf, n, singly); /* a PSH-FIN, held with its last byte */
        assert_int_equal(HITS(&r, inflate_turn), 1);
        assert_int_equal(rig_status(r.m).recv_held, 1000);
        assert_string_equal(fog_stream_state_name(r.st), "established");
        assert_true(fog_mux_deadline(r.m, &why) == r.now + FOG_SEC(1));
        assert_int_equal(why, FOG_WHY_LIMIT);
        r.now += FOG_SEC(1);
        fog_mux_tick(r.m, r.now);
        assert_int_equal(rig_status(r.m).recv_held, 2000);
        assert_string_equal(fog_stream_state_name(r.st), "fin_recv");
        assert_int_equal(HITS(&r, inflate_turn), 1);
        rig_end(&r);
    }
}

/* Only what a member really inflates to is counted. */
static void
inflate_turn_counts_output(void **state)
{
    struct rig r;
    (void)state;
    rig_init(&r, FOG_SERVER);
    r.o.gzip = &fake_gzip;
    r.o.limits.inflate_frame = 1000;
    r.o.limits.inflate_turn = 2000;
    stage_with(&r, OPEN);
    for (int i = 0; i < 101; i++)
        rig_feed(&r, "000004 00 04 00000001 0000000a");
    assert_int_equal(rig_status(r.m).recv_held, 1010);
    assert_int_equal(HITS(&r, inflate_turn), 0);
    rig_feed(&r, "000004 00 04 00000001 0000000a"); /* 990 are left, 1,000 might be needed */
    assert_int_equal(HITS(&r, inflate_turn), 1);
    rig_end(&r);
}

static void
opens(void **state)
{
    struct rig r;
    enum fog_why why;
    (void)state;
    rig_init(&r, FOG_SERVER);
    r.o.limits.opens = (struct fog_rate){3, 10};
    stage_with(&r, READY);
    for (unsigned i = 0; i < 3; i++)
        feed_syn(&r, 2 * i + 1);
    assert_int_equal(HITS(&r, opens), 0);
    assert_int_equal(r.n_ev, 3);
    feed_syn(&r, 7);
    feed_syn(&r, 9); /* behind the one that waits: not taken */
    assert_int_equal(HITS(&r, opens), 1);
    assert_int_equal(r.n_ev, 3);
    assert_true(fog_mux_deadline(r.m, &why) == r.now + FOG_MS(100));
    assert_int_equal(why, FOG_WHY_LIMIT);
    r.now += FOG_MS(100);
    fog_mux_tick(r.m, r.now);
    rig_collect(&r);
    assert_int_equal(r.n_ev, 4);
    assert_int_equal(fog_stream_id(r.ev[3].stream), 7);
    assert_false(is_closed(&r, FOG_E_ABUSE));
    rig_end(&r);
}

/* Streams that end in order cost no opens: only churn does. */
static void
opens_given_back(void **state)
{
    struct rig r;
    (void)state;
    rig_init(&r, FOG_SERVER);
    r.o.limits.opens = (struct fog_rate){3, 1};
    stage_with(&r, READY);
    for (unsigned i = 0; i < 200; i++) {
        uint8_t fin[9] = {0, 0, 0, 0, 1, 0, 0, (uint8_t)((2 * i + 1) >> 8), (uint8_t)(2 * i + 1)};
        feed_syn(&r, 2 * i + 1);
        rig_feed_bytes(&r, fin, sizeof fin, false);
        rig_collect(&r);
        assert_int_equal(fog_mux_finish(r.m, r.st, r.now), 0);
        fog_mux_release(r.m, r.st, r.now);
        rig_collect(&r);
        rig_clear(&r);
    }
    assert_int_equal(HITS(&r, opens), 0);
    assert_int_equal(rig_status(r.m).n.opened, 200);
    assert_int_equal(rig_status(r.m).streams, 0);
    rig_end(&r);
}

static void
resets(void **state)
{
    struct rig r;
    (void)state;
    rig_init(&r, FOG_SERVER);
    r.o.limits.resets = (struct fog_rate){3, 1};
    stage_with(&r, READY);
    for (unsigned i = 0; i < 4; i++) {
        uint8_t rst[9] = {0, 0, 0, 1, 1, 0, 0, 0, (uint8_t)(2 * i + 1)};
        assert_int_equal(HITS(&r, resets), 0);
        feed_syn(&r, 2 * i + 1);
        rig_feed_bytes(&r, rst, sizeof rst, false);
        rig_clear(&r);
        rig_collect(&r);
    }
    assert_int_equal(HITS(&r, resets), 1);
    assert_true(is_closed(&r, FOG_E_ABUSE));
    rig_end(&r);
}

/* RST after data is a peer's right; so is any RST to a client, whose own opens bound them. */
static void
resets_after_data(void **state)
{
    struct rig r;
    struct fog_stream *st;
    (void)state;
    rig_init(&r, FOG_SERVER);
    r.o.limits.resets = (struct fog_rate){1, 1};
    stage_with(&r, READY);
    for (int i = 0; i < 5; i++) {
        rig_feed(&r, SYN("00000001") DATA3("00000001") RST("00000001"));
        rig_clear(&r);
    }
    assert_int_equal(HITS(&r, resets), 0);
    rig_end(&r);
    rig_init(&r, FOG_CLIENT);
    r.o.limits.resets = (struct fog_rate){1, 1};
    stage_with(&r, READY);
    for (unsigned i = 0; i < 5; i++) {
        uint8_t rst[9] = {0, 0, 0, 1, 1, 0, 0, 0, (uint8_t)(2 * i + 1)};
        assert_int_equal(fog_mux_open(r.m, &st, r.now), 0);
        rig_collect(&r);
        rig_feed_bytes(&r, rst, sizeof rst, false);
        rig_collect(&r);
        rig_clear(&r);
    }
    assert_int_equal(HITS(&r, resets), 0);
    rig_end(&r);
}

/* Resets that the peer's errors make us send come out of the same bound. */
static void
resets_for_errors(void **state)
{
    struct rig r;
    (void)state;
    rig_init(&r, FOG_SERVER);
    r.o.gzip = &fake_gzip;
    r.o.limits.resets = (struct fog_rate){2, 1};
    stage_with(&r, READY);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(HITS(&r, resets), 0);
        rig_clear(&r);
        rig_feed(&r, SYN("00000001") "000004 00 04 00000001 ff000000");
    }
    assert_int_equal(HITS(&r, resets), 1);
    assert_true(is_closed(&r, FOG_E_ABUSE));
    rig_end(&r);
}

static void
glitches(void **state)
{
    struct rig r;
    (void)state;
    rig_init(&r, FOG_SERVER);
    r.o.limits.glitches = (struct fog_rate){100, 10};
    stage_with(&r, OPEN);
    for (int i = 0; i < 75; i++)
        rig_feed(&r, SYN("00000001"));
    assert_int_equal(HITS(&r, glitches), 0);
    assert_int_equal(r.n_ev, 0);
    rig_feed(&r, SYN("00000001")); /* three quarters are used up: an end in order */
    assert_int_equal(HITS(&r, glitches), 1);
    assert_true(is_closed(&r, FOG_E_ABUSE));
    assert_int_equal(rig_status(r.m).n.glitches, 76);
    rig_end(&r);
}

static void
frames(void **state)
{
    struct rig r;
    enum fog_why why;
    (void)state;
    rig_init(&r, FOG_SERVER);
    r.o.limits.frames = (struct fog_rate){5, 100};
    stage_with(&r, OPEN); /* SETTINGS and SYN took two */
    feed_data(&r, 1, 512);
    feed_data(&r, 1, 5000); /* large ones cost nothing */
    for (int i = 0; i < 3; i++)
        assert_int_equal(feed_data(&r, 1, 511), 520);
    assert_int_equal(HITS(&r, frames), 0);
    size_t held = rig_status(r.m).recv_held;
    assert_int_equal(feed_data(&r, 1, 511), 9);
    assert_int_equal(HITS(&r, frames), 1);
    assert_int_equal(rig_status(r.m).recv_held, held);
    assert_true(fog_mux_deadline(r.m, &why) == r.now + FOG_MS(10));
    assert_int_equal(why, FOG_WHY_LIMIT);
    r.now += FOG_MS(10);
    fog_mux_tick(r.m, r.now);
    uint8_t rest[511] = {0};
    assert_int_equal(rig_feed_bytes(&r, rest, sizeof rest, false), 511);
    assert_int_equal(rig_status(r.m).recv_held, held + 511);
    assert_int_equal(HITS(&r, frames), 1);
    rig_end(&r);
}

static void
pings(void **state)
{
    struct rig r;
    (void)state;
    rig_init(&r, FOG_SERVER);
    r.o.limits.pings = (struct fog_rate){3, 1};
    stage_with(&r, READY);
    for (int i = 0; i < 3; i++)
        rig_feed(&r, PING("0000000000000001"));
    assert_int_equal(HITS(&r, pings), 0);
    assert_int_equal(r.out_len, 3 * 17);
    rig_feed(&r, PING("0000000000000001"));
    assert_int_equal(HITS(&r, pings), 1);
    assert_int_equal(r.out_len, 3 * 17);
    r.now += FOG_SEC(1);
    rig_feed(&r, PING("0000000000000001"));
    assert_int_equal(r.out_len, 4 * 17);
    rig_end(&r);
}

static void
pings_pending(void **state)
{
    struct rig r;
    uint8_t ping[17];
    size_t used;
    (void)state;
    rig_init(&r, FOG_SERVER);
    stage_with(&r, OPEN);
    rig_hex(ping, sizeof ping, PING("0000000000000000"));
    for (uint8_t i = 0; i < 8; i++) {
        ping[16] = i;
        assert_int_equal(fog_mux_input(r.m, ping, 17, &used, r.now), 0);
    }
    assert_int_equal(HITS(&r, pings), 0);
    assert_int_equal(fog_mux_input(r.m, ping, 17, &used, r.now), 0);
    assert_int_equal(used, 17); /* reading never waits for an answer to leave */
    assert_int_equal(HITS(&r, pings), 1);
    rig_collect(&r);
    assert_int_equal(r.out_len, 8 * 17);
    for (uint8_t i = 0; i < 8; i++)
        assert_int_equal(r.out[17 * i + 16], i); /* in order */
    rig_end(&r);
}

static void
empties(void **state)
{
    struct rig r;
    (void)state;
    rig_init(&r, FOG_SERVER);
    r.o.limits.empties = (struct fog_rate){4, 1};
    stage_with(&r, OPEN);
    for (int i = 0; i < 4; i++)
        rig_feed(&r, "000000 00 00 00000001");
    assert_int_equal(rig_status(r.m).n.glitches, 0);
    rig_feed(&r, "000000 00 00 00000001");
    assert_int_equal(HITS(&r, empties), 1);
    assert_int_equal(rig_status(r.m).n.glitches, 1);
    rig_end(&r);
}

/* From a frame's first byte to its last; a frame that is still coming moves nothing. */
static void
frame_time(void **state)
{
    struct rig r;
    enum fog_why why;
    (void)state;
    for (int whole_head = 0; whole_head < 2; whole_head++) {
        rig_init(&r, FOG_SERVER);
        r.o.limits.frame_us = FOG_SEC(3);
        stage_with(&r, OPEN);
        fog_time start = r.now;
        rig_feed(&r, whole_head ? "000100 00 00 00000001" : "0001");
        assert_true(fog_mux_deadline(r.m, &why) == start + FOG_SEC(3));
        r.now += FOG_SEC(2);
        rig_feed(&r, "00");
        assert_true(fog_mux_deadline(r.m, &why) == start + FOG_SEC(3));
        r.now = start + FOG_SEC(3) - 1;
        fog_mux_tick(r.m, r.now);
        assert_int_equal(HITS(&r, frame_time), 0);
        r.now += 1;
        fog_mux_tick(r.m, r.now);
        rig_collect(&r);
        assert_int_equal(HITS(&r, frame_time), 1);
        assert_true(is_closed(&r, FOG_E_PROTOCOL));
        rig_end(&r);
    }
}

/* While we take nothing ourselves the peer's frame is not late. */
static void
frame_time_while_full(void **state)
{
    struct rig r;
    uint8_t rest[2000] = {0};
    (void)state;
    rig_init(&r, FOG_SERVER);
    r.o.limits.stream_recv_dialling = 1000;
    r.o.limits.frame_us = FOG_SEC(3);
    r.o.limits.idle_us = FOG_SEC(10);
    stage_with(&r, OPEN);
    rig_feed(&r, "0007d0 00 00 00000001"); /* its time runs */
    assert_int_equal(rig_feed_bytes(&r, rest, 2000, false), 1000);
    r.now += FOG_SEC(20);
    fog_mux_tick(r.m, r.now);
    rig_collect(&r);
    assert_int_equal(r.n_ev, 1); /* readable */
    fog_mux_consume(r.m, r.st, 1000, r.now);
    assert_true(fog_mux_deadline(r.m, NULL) == r.now);
    fog_mux_tick(r.m, r.now); /* the rest may come now; it had no chance before */
    r.now += FOG_SEC(2);
    fog_mux_tick(r.m, r.now);
    assert_int_equal(rig_feed_bytes(&r, rest, 1000, false), 1000);
    assert_int_equal(HITS(&r, frame_time) + HITS(&r, idle), 0);
    rig_end(&r);
}

static void
half_closed(void **state)
{
    static const enum stage stages[] = {FINSENT, FINRECV, REFUSED};
    struct rig r;
    char text[100];
    enum fog_why why;
    (void)state;
    for (int i = 0; i < 3; i++) {
        rig_init(&r, FOG_SERVER);
        r.o.limits.half_closed_us = FOG_SEC(7);
        r.o.limits.idle_us = FOG_SEC(900);
        stage_with(&r, stages[i]);
        assert_true(fog_mux_deadline(r.m, &why) == r.now + FOG_SEC(7));
        assert_int_equal(why, FOG_WHY_STREAM);
        if (stages[i] == FINSENT) { /* a byte moves the moment */
            r.now += FOG_SEC(3);
            rig_feed(&r, DATA3("00000001"));
            rig_clear(&r);
        }
        r.now += FOG_SEC(7) - 1;
        fog_mux_tick(r.m, r.now);
        rig_collect(&r);
        assert_int_equal(r.n_ev, 0);
        r.now += 1;
        fog_mux_tick(r.m, r.now);
        rig_collect(&r);
        assert_int_equal(HITS(&r, half_closed), 1);
        assert_string_equal(rig_events(&r, text, sizeof text), "reset:LIMIT");
        assert_int_equal(r.out[3], 1);
        assert_int_equal(r.out[4], 1);
        fog_mux_release(r.m, r.st, r.now);
        assert_int_equal(rig_status(r.m).streams, 0);
        rig_end(&r);
    }
}

static void
idle(void **state)
{
    struct rig r;
    char text[100];
    (void)state;
    rig_init(&r, FOG_SERVER);
    r.o.limits.idle_us = FOG_SEC(20);
    stage_with(&r, READY);
    r.now += FOG_SEC(20) - 1;
    fog_mux_tick(r.m, r.now);
    rig_collect(&r);
    assert_int_equal(r.n_ev, 0);
    r.now += 1;
    fog_mux_tick(r.m, r.now);
    rig_collect(&r);
    assert_string_equal(rig_events(&r, text, sizeof text), "closed:DEAD");
    assert_string_equal(r.ev[0].reason, "keepalive response timeout");
    assert_int_equal(r.out_len, 17 + 26);
    assert_int_equal(HITS(&r, idle), 1);
    rig_end(&r);
}

/* A message that waits for one limit pays for another only once. */
static void
held_and_paid_once(void **state)
{
    struct rig r;
    (void)state;
    rig_init(&r, FOG_SERVER);
    r.o.limits.opens = (struct fog_rate){1, 10};
    r.o.limits.frames = (struct fog_rate){4, 1};
    stage_with(&r, OPEN); /* two frames paid */
    feed_syn(&r, 3);      /* paid, held for want of an open */
    for (int i = 0; i < 5; i++) {
        r.now += FOG_MS(20);
        fog_mux_tick(r.m, r.now);
        feed_syn(&r, 5); /* offered again and again, behind the one that waits */
    }
    assert_int_equal(rig_status(r.m).streams, 2);
    rig_feed(&r, FIN("00000003")); /* the fourth frame */
    assert_int_equal(HITS(&r, frames), 0);
    rig_end(&r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inflate_turn),
        cmocka_unit_test(inflate_turn_counts_output),
        cmocka_unit_test(opens),
        cmocka_unit_test(opens_given_back),
        cmocka_unit_test(resets),
        cmocka_unit_test(resets_after_data),
        cmocka_unit_test(resets_for_errors),
        cmocka_unit_test(glitches),
        cmocka_unit_test(frames),
        cmocka_unit_test(pings),
        cmocka_unit_test(pings_pending),
        cmocka_unit_test(empties),
        cmocka_unit_test(frame_time),
        cmocka_unit_test(frame_time_while_full),
        cmocka_unit_test(half_closed),
        cmocka_unit_test(idle),
        cmocka_unit_test(held_and_paid_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
