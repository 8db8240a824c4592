/* SPDX-License-Identifier: MIT
 *
 * Every limit at N, where nothing happens, and at N + 1, where it bites and is counted.
 */
#include "unit/mux/spec.h"

/* A stand-in for gzip: the payload is the length to inflate to, four bytes; ff is corrupt. */
static int
fake_inflate(void *ctx, const void *in, size_t len, void *out, size_t cap, size_t *out_len)
{
    const uint8_t *p = in;
    (void)ctx;
    if (len < 4 || p[0] == 0xff)
        return FOG_E_FORMAT;
    size_t n = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
    if (n > cap)
        return FOG_E_LIMIT;
    memset(out, 'z', n);
    *out_len = n;
    return 0;
}

static const struct fog_gzip fake_gzip = {.inflate = fake_inflate};

static void
stage_with(struct rig *r, enum stage stage)
{
    rig_start(r);
    spec_advance(r, r->o.role, stage);
    rig_collect(r);
    rig_clear(r);
}

static void
feed_syn(struct rig *r, unsigned id)
{
    const uint8_t syn[9] = {0, 0, 0, 1, 0, 0, 0, (uint8_t)(id >> 8), (uint8_t)id};
    rig_feed_bytes(r, syn, sizeof syn, false);
    rig_collect(r);
}

/* A DATA frame of len bytes for a stream; how much of it was taken. */
static size_t
feed_data(struct rig *r, unsigned id, size_t len)
{
    static uint8_t frame[9 + (1 << 17)];
    const uint8_t head[9] = {(uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len, 0, 0, 0, 0,
                             (uint8_t)(id >> 8),   (uint8_t)id};
    memcpy(frame, head, sizeof head);
    size_t used = rig_feed_bytes(r, frame, 9 + len, false);
    rig_collect(r);
    return used;
}

#define HITS(r, name) ((int)rig_status((r)->m).n.limit_##name##_hit)

static bool
is_closed(const struct rig *r, int err)
{
    return r->n_ev > 0 && r->ev[r->n_ev - 1].type == FOG_EV_CLOSED && r->ev[r->n_ev - 1].err == err;
}

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

/* A stream alone stops the pipe at its bound, exactly. */
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
    stage_with(&r, OPEN);
    assert_int_equal(feed_data(&r, 1, 2000), 1009);
    r.now += FOG_SEC(20);
    fog_mux_tick(r.m, r.now);
    rig_collect(&r);
    assert_int_equal(r.n_ev, 1); /* readable */
    fog_mux_consume(r.m, r.st, 1000, r.now);
    assert_int_equal(rig_feed_bytes(&r, rest, 1000, false), 1000);
    assert_int_equal(HITS(&r, frame_time), 0);
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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams),
        cmocka_unit_test(streams_of_a_client),
        cmocka_unit_test(refusals_wait),
        cmocka_unit_test(stream_recv),
        cmocka_unit_test(tunnel_recv),
        cmocka_unit_test(slow),
        cmocka_unit_test(slow_but_alone),
        cmocka_unit_test(frame_in),
        cmocka_unit_test(frame_out),
        cmocka_unit_test(inflate_frame),
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
        cmocka_unit_test(ids),
        cmocka_unit_test(options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
