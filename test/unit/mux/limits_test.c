/* SPDX-License-Identifier: MIT
 *
 * Every limit on sizes and counts at N, where nothing happens, and at N + 1, where it bites.
 */
#include "unit/mux/limits.h"

static void
streams(void **state)
{
    struct rig r;
    (void)state;
    rig_init(&r, FOG_SERVER);
    r.o.limits.streams = 3;
    stage_with(&r, READY);
    for (unsigned i = 0; i < 3; i++)
        feed_syn(&r, 2 * i + 1);
    assert_int_equal(HITS(&r, streams), 0);
    assert_int_equal(r.n_ev, 3);
    rig_clear(&r);
    feed_syn(&r, 7);
    assert_int_equal(HITS(&r, streams), 1);
    assert_int_equal(r.n_ev, 0); /* nobody is told */
    uint8_t want[18];
    rig_hex(want, sizeof want, SYN("00000007") RST("00000007"));
    assert_int_equal(r.out_len, 18);
    assert_memory_equal(r.out, want, 18);
    assert_int_equal(rig_status(r.m).streams, 3);
    fog_mux_release(r.m, r.st, r.now); /* room for one more */
    rig_clear(&r);
    feed_syn(&r, 9);
    assert_int_equal(r.ev[0].type, FOG_EV_OPENED);
    rig_end(&r);
}

static void
streams_of_a_client(void **state)
{
    struct rig r;
    struct fog_stream *st;
    (void)state;
    rig_init(&r, FOG_CLIENT);
    r.o.limits.streams = 2;
    stage_with(&r, READY);
    assert_int_equal(fog_mux_open(r.m, &st, r.now), 0);
    assert_int_equal(fog_mux_open(r.m, &st, r.now), 0);
    assert_int_equal(HITS(&r, streams), 0);
    struct fog_stream *more;
    assert_int_equal(fog_mux_open(r.m, &more, r.now), FOG_E_LIMIT);
    assert_int_equal(HITS(&r, streams), 1);
    fog_mux_release(r.m, st, r.now);
    rig_collect(&r);
    assert_int_equal(fog_mux_open(r.m, &st, r.now), 0);
    rig_end(&r);
}

/* Refusals that cannot leave stop the input instead of piling up. */
static void
refusals_wait(void **state)
{
    struct rig r;
    enum fog_why why;
    size_t used, len;
    uint8_t out[64 * 18];
    (void)state;
    rig_init(&r, FOG_SERVER);
    r.o.limits.streams = 1;
    stage_with(&r, READY);
    feed_syn(&r, 1);
    for (unsigned i = 1; i <= 65; i++) {
        const uint8_t syn[9] = {0, 0, 0, 1, 0, 0, 0, 0, (uint8_t)(2 * i + 1)};
        assert_int_equal(fog_mux_input(r.m, syn, 9, &used, r.now), 0);
    }
    assert_int_equal(HITS(&r, streams), 64);
    assert_int_equal(fog_mux_input(r.m, "", 1, &used, r.now), 0);
    assert_int_equal(used, 0);
    assert_true(fog_mux_deadline(r.m, &why) > r.now);
    assert_int_equal(fog_mux_output(r.m, out, sizeof out, &len, r.now), 0);
    assert_int_equal(len, 64 * 18);
    assert_true(fog_mux_deadline(r.m, &why) == r.now);
    assert_int_equal(why, FOG_WHY_LIMIT);
    fog_mux_tick(r.m, r.now);
    assert_int_equal(HITS(&r, streams), 65);
    rig_end(&r);
}

/* A stream alone stops the pipe when the tunnel is nearly full, or, while its connection is being
 * made, at its bound; exactly. */
static void
stream_recv(void **state)
{
    struct rig r;
    const void *at;
    size_t len;
    bool eof;
    (void)state;
    for (int dialling = 0; dialling < 2; dialling++) {
        rig_init(&r, FOG_SERVER);
        r.o.limits.stream_recv = dialling ? 5000 : 1000;
        r.o.limits.stream_recv_dialling = dialling ? 1000 : 500;
        r.o.limits.tunnel_recv = dialling ? 8000 : 1333;
        stage_with(&r, OPEN);
        if (!dialling)
            fog_mux_connected(r.m, r.st);
        assert_int_equal(feed_data(&r, 1, 1000), 1009);
        assert_int_equal(HITS(&r, stream_recv), 0);
        assert_int_equal(feed_data(&r, 1, 1), 9); /* the header; the byte waits */
        assert_int_equal(HITS(&r, stream_recv), 1);
        assert_int_equal(rig_feed_bytes(&r, (const uint8_t *)"x", 1, false), 0);
        assert_int_equal(HITS(&r, stream_recv), 1); /* the same block, counted once */
        assert_true(fog_mux_deadline(r.m, NULL) > r.now);
        if (dialling) {
            fog_mux_connected(r.m, r.st);
        } else {
            assert_int_equal(fog_mux_peek(r.m, r.st, &at, &len, &eof), 0);
            fog_mux_consume(r.m, r.st, 1, r.now);
        }
        assert_true(fog_mux_deadline(r.m, NULL) == r.now);
        assert_int_equal(rig_feed_bytes(&r, (const uint8_t *)"x", 1, false), 1);
        rig_end(&r);
    }
}

/* A reader that is slow, and the only one, keeps nobody out: what opens the next stream stands
 * behind its bytes. */
static void
newcomer_passes_a_slow_reader(void **state)
{
    struct rig r;
    (void)state;
    rig_init(&r, FOG_SERVER);
    r.o.limits.stream_recv = 1000;
    r.o.limits.tunnel_recv = 8000;
    stage_with(&r, OPEN);
    fog_mux_connected(r.m, r.st);
    assert_int_equal(feed_data(&r, 1, 5000), 5009);
    assert_int_equal(HITS(&r, stream_recv), 1);
    feed_syn(&r, 3);
    assert_int_equal(feed_data(&r, 3, 4), 13);
    rig_end(&r);
}

/* Among others a stream may go over its bound; the tunnel's bound stops all. */
static void
tunnel_recv(void **state)
{
    struct rig r;
    (void)state;
    rig_init(&r, FOG_SERVER);
    r.o.limits.stream_recv_dialling = 1000;
    r.o.limits.tunnel_recv = 10000;
    stage_with(&r, OPEN);
    feed_syn(&r, 3);
    assert_int_equal(feed_data(&r, 1, 1000), 1009);
    assert_int_equal(HITS(&r, stream_recv), 0);
    assert_int_equal(feed_data(&r, 1, 1), 10);
    assert_int_equal(HITS(&r, stream_recv), 1);
    assert_int_equal(feed_data(&r, 1, 8999), 9008);
    assert_int_equal(rig_status(r.m).recv_held, 10000);
    assert_int_equal(HITS(&r, tunnel_recv), 0);
    assert_int_equal(feed_data(&r, 3, 1), 9);
    assert_int_equal(HITS(&r, tunnel_recv), 1);
    assert_int_equal(rig_status(r.m).recv_held, 10000);
    rig_end(&r);
}

/* Over its bound for slow_us while the tunnel is three quarters full: that stream only. */
static void
slow(void **state)
{
    struct rig r;
    char text[100];
    enum fog_why why;
    (void)state;
    rig_init(&r, FOG_SERVER);
    r.o.limits.stream_recv_dialling = 1000;
    r.o.limits.tunnel_recv = 10000;
    stage_with(&r, OPEN);
    struct fog_stream *slow_one = r.st;
    feed_syn(&r, 3);
    feed_data(&r, 1, 7500);
    r.now += FOG_SEC(2);
    assert_true(fog_mux_deadline(r.m, NULL) > r.now); /* not full enough */
    feed_data(&r, 1, 1);
    rig_clear(&r);
    assert_true(fog_mux_deadline(r.m, &why) == r.now + FOG_SEC(1));
    assert_int_equal(why, FOG_WHY_STREAM);
    r.now += FOG_SEC(1) - 1;
    fog_mux_tick(r.m, r.now);
    rig_collect(&r);
    assert_int_equal(r.n_ev, 0);
    r.now += 1;
    fog_mux_tick(r.m, r.now);
    rig_collect(&r);
    assert_string_equal(rig_events(&r, text, sizeof text), "reset:LIMIT");
    assert_ptr_equal(r.ev[0].stream, slow_one);
    assert_int_equal(HITS(&r, slow), 1);
    assert_int_equal(rig_status(r.m).recv_held, 0);
    assert_int_equal(r.out_len, 9);
    assert_int_equal(feed_data(&r, 3, 100), 109); /* the neighbour goes on */
    rig_end(&r);
}

/* Left alone by the others it harms nobody: it stops the pipe instead of being reset. */
static void
slow_but_alone(void **state)
{
    struct rig r;
    (void)state;
    rig_init(&r, FOG_SERVER);
    r.o.limits.stream_recv_dialling = 1000;
    r.o.limits.tunnel_recv = 10000;
    stage_with(&r, OPEN);
    feed_syn(&r, 3);
    feed_data(&r, 1, 9000);
    rig_feed(&r, RST("00000003"));
    rig_clear(&r);
    r.now += FOG_SEC(10);
    fog_mux_tick(r.m, r.now);
    rig_collect(&r);
    assert_int_equal(HITS(&r, slow), 0);
    assert_int_equal(rig_status(r.m).recv_held, 9000);
    assert_int_equal(feed_data(&r, 1, 1), 9);
    rig_end(&r);
}

/* Many that are all within their bounds fill the tunnel: the one with most makes room, once nobody
 * has read for a moment. */
static void
slow_together(void **state)
{
    struct rig r;
    char text[64];
    const void *buf;
    size_t len;
    bool eof;
    (void)state;
    rig_init(&r, FOG_SERVER);
    r.o.limits.stream_recv_dialling = 1000;
    r.o.limits.tunnel_recv = 2400;
    stage_with(&r, OPEN);
    struct fog_stream *first = r.st, *most;
    feed_syn(&r, 3);
    most = r.st;
    feed_syn(&r, 5);
    rig_clear(&r);
    feed_data(&r, 1, 700);
    feed_data(&r, 3, 900);
    feed_data(&r, 5, 799);
    r.now += FOG_SEC(10);
    fog_mux_tick(r.m, r.now);
    assert_int_equal(HITS(&r, slow), 0); /* a byte is left, nobody is stopped */
    assert_int_equal(feed_data(&r, 5, 2), 10);
    assert_int_equal(fog_mux_peek(r.m, first, &buf, &len, &eof), 0);
    fog_mux_consume(r.m, first, 1, r.now);
    assert_int_equal(rig_feed_bytes(&r, (const uint8_t *)"z", 1, false), 1);
    rig_clear(&r);
    r.now += FOG_SEC(1) - 1;
    fog_mux_tick(r.m, r.now);
    assert_int_equal(HITS(&r, slow), 0);
    r.now += 1;
    assert_int_equal(fog_mux_deadline(r.m, NULL), r.now);
    fog_mux_tick(r.m, r.now);
    rig_collect(&r);
    assert_string_equal(rig_events(&r, text, sizeof text), "reset:LIMIT");
    assert_ptr_equal(r.ev[0].stream, most);
    assert_int_equal(HITS(&r, slow), 1);
    assert_int_equal(rig_status(r.m).recv_held, 1500);
    rig_end(&r);
}

/* A compressed payload that was still coming when its stream was refused waits for nobody. */
static void
compressed_for_nobody(void **state)
{
    struct rig r;
    (void)state;
    rig_init(&r, FOG_SERVER);
    r.o.gzip = &fake_gzip;
    stage_with(&r, OPEN);
    rig_feed(&r, "000004 00 04 00000001 0000");
    fog_mux_refuse(r.m, r.st, r.now);
    rig_feed(&r, "03e8");
    assert_int_equal(rig_status(r.m).recv_held, 0);
    assert_int_equal(rig_status(r.m).n.inflated, 0);
    fog_mux_release(r.m, r.st, r.now);
    rig_feed(&r, FIN("00000001"));
    assert_int_equal(rig_status(r.m).streams, 0);
    rig_end(&r);
}

static void
frame_in(void **state)
{
    struct rig r;
    (void)state;
    rig_init(&r, FOG_SERVER);
    r.o.limits.frame_in = 1000;
    stage_with(&r, OPEN);
    assert_int_equal(feed_data(&r, 1, 1000), 1009);
    assert_int_equal(HITS(&r, frame_in), 0);
    rig_feed(&r, "0003e9 00 00 00000001"); /* on the header alone */
    assert_true(is_closed(&r, FOG_E_PROTOCOL));
    assert_int_equal(HITS(&r, frame_in), 1);
    rig_end(&r);
}

static void
frame_out(void **state)
{
    struct rig r;
    uint8_t frame[2048] = {0};
    size_t cap, total;
    (void)state;
    rig_init(&r, FOG_SERVER);
    r.o.limits.frame_out = 1000;
    stage_with(&r, OPEN);
    assert_int_equal(fog_mux_turn(r.m, r.st, 2048, &cap, r.now), 0);
    assert_int_equal(cap, 1000);
    assert_int_equal(fog_mux_frame(r.m, r.st, frame, 1001, &total, r.now), FOG_E_USAGE);
    assert_int_equal(fog_mux_frame(r.m, r.st, frame, 0, &total, r.now), FOG_E_USAGE);
    assert_int_equal(fog_mux_frame(r.m, r.st, frame, 1000, &total, r.now), 0);
    assert_int_equal(total, 1009);
    rig_end(&r);
}

static void
inflate_frame(void **state)
{
    struct rig r;
    char text[100];
    (void)state;
    rig_init(&r, FOG_SERVER);
    r.o.gzip = &fake_gzip;
    r.o.limits.inflate_frame = 1000;
    r.o.limits.stream_recv_dialling = 5000;
    stage_with(&r, OPEN);
    rig_feed(&r, "000004 00 04 00000001 000003e8");
    assert_int_equal(rig_status(r.m).recv_held, 1000);
    assert_int_equal(HITS(&r, inflate), 0);
    assert_int_equal(rig_status(r.m).n.inflated, 1);
    rig_clear(&r);
    rig_feed(&r, "000004 00 04 00000001 000003e9");
    assert_int_equal(HITS(&r, inflate), 1);
    assert_string_equal(rig_events(&r, text, sizeof text), "reset:LIMIT");
    feed_syn(&r, 3);
    rig_clear(&r);
    rig_feed(&r, "000004 00 05 00000003 ff000000"); /* corrupt: the stream only, no bomb */
    assert_string_equal(rig_events(&r, text, sizeof text), "reset:LIMIT");
    assert_int_equal(HITS(&r, inflate), 1);
    rig_end(&r);
}

static void
ids(void **state)
{
    struct rig r;
    struct fog_stream *st;
    char text[100];
    (void)state;
    rig_init(&r, FOG_CLIENT);
    r.o.limits.last_id = 1005;
    stage_with(&r, READY);
    for (unsigned id = 1; id <= 1005; id += 2) {
        assert_int_equal(fog_mux_open(r.m, &st, r.now), 0);
        assert_int_equal(fog_stream_id(st), id);
        rig_collect(&r);
        fog_mux_release(r.m, st, r.now);
        rig_collect(&r);
        r.out_len = 0;
        /* Told once, when 1,000 ids or fewer are left. */
        assert_string_equal(rig_events(&r, text, sizeof text), id < 5 ? "" : "worn");
    }
    assert_int_equal(HITS(&r, ids), 0);
    assert_int_equal(fog_mux_open(r.m, &st, r.now), FOG_E_LIMIT);
    assert_int_equal(HITS(&r, ids), 1);
    rig_end(&r);
}

static void
options(void **state)
{
    struct fog_mux_options o;
    struct fog_mux *m;
    (void)state;
    for (int i = 0; i < 12; i++) {
        fog_mux_options_init(&o, FOG_SERVER);
        struct fog_mux_limits *l = &o.limits;
        void *zero[] = {&l->streams,   &l->stream_recv, &l->tunnel_recv,    &l->frame_in,
                        &l->frame_out, &l->opens,       &l->pings_pending,  &l->frame_us,
                        &l->idle_us,   &l->slow_us,     &l->half_closed_us, &o.ping_us};
        memset(zero[i], 0, i == 1 || i == 2 || i >= 7 ? 8 : 4);
        assert_int_equal(fog_mux_new(&m, &o, fog_alloc_libc(), 0), FOG_E_USAGE);
    }
    fog_mux_options_init(&o, FOG_SERVER);
    o.limits.frame_out = 1 << 24;
    assert_int_equal(fog_mux_new(&m, &o, fog_alloc_libc(), 0), FOG_E_USAGE);
    fog_mux_options_init(&o, FOG_SERVER);
    o.limits.pings_pending = 33;
    assert_int_equal(fog_mux_new(&m, &o, fog_alloc_libc(), 0), FOG_E_USAGE);
}

/* A stream that nobody reads any more is no neighbour: the other is alone, and stops the pipe. */
static void
alone_beside_a_refused_one(void **state)
{
    struct rig r;
    (void)state;
    rig_init(&r, FOG_SERVER);
    r.o.limits.stream_recv_dialling = 1000;
    stage_with(&r, OPEN);
    feed_syn(&r, 3);
    fog_mux_refuse(r.m, r.st, r.now);
    fog_mux_release(r.m, r.st, r.now);
    assert_int_equal(rig_status(r.m).streams, 2); /* until its peer ends it */
    assert_int_equal(feed_data(&r, 1, 2000), 1009);
    rig_end(&r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams),
        cmocka_unit_test(streams_of_a_client),
        cmocka_unit_test(refusals_wait),
        cmocka_unit_test(stream_recv),
        cmocka_unit_test(newcomer_passes_a_slow_reader),
        cmocka_unit_test(tunnel_recv),
        cmocka_unit_test(slow),
        cmocka_unit_test(slow_but_alone),
        cmocka_unit_test(slow_together),
        cmocka_unit_test(compressed_for_nobody),
        cmocka_unit_test(frame_in),
        cmocka_unit_test(frame_out),
        cmocka_unit_test(inflate_frame),
        cmocka_unit_test(ids),
        cmocka_unit_test(options),
        cmocka_unit_test(alone_beside_a_refused_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
