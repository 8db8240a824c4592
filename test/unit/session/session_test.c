/* SPDX-License-Identifier: MIT
 *
 * What a session does whatever carries it: one list of tests, run over KCP and over a pipe.
 */
#include "unit/session/pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static enum fog_via
via_of(void **state)
{
    return *(enum fog_via *)*state;
}

static void
test_handshake(void **state)
{
    struct pair p;
    pair_init(&p, via_of(state));
    pair_start(&p, &(struct emu_options){.delay_us = FOG_MS(5)}, 1);
    struct fog_stream *st = NULL;
    assert_int_equal(fog_session_open(p.client.s, &st, p.now), FOG_E_BUSY);
    pair_run(&p, FOG_MS(9));
    assert_false(told(&p.client, FOG_EV_READY)); /* the answer is still under way */
    pair_run(&p, FOG_MS(100));
    expect(&p.client, FOG_EV_READY);
    assert_false(told(&p.client, FOG_EV_READY));
    struct fog_session_status c, s;
    fog_session_status(p.client.s, &c);
    fog_session_status(p.server.s, &s);
    assert_int_equal(c.mux.state, FOG_MUX_READY);
    assert_int_equal(s.mux.state, FOG_MUX_READY);
    assert_true(c.arq.validated);
    assert_true(s.arq.validated);
    assert_int_equal(fog_session_open(p.server.s, &st, p.now), FOG_E_USAGE);
    pair_end(&p);
}

/** foggara knows foggara: both sides are extended soon after the handshake. */
static void
test_both_extended(void **state)
{
    struct pair p;
    pair_ready(&p, via_of(state));
    struct fog_session_status c, s;
    fog_session_status(p.client.s, &c);
    fog_session_status(p.server.s, &s);
    assert_true(c.mux.extended);
    assert_true(s.mux.extended);
    pair_end(&p);
}

static void
test_open_and_talk(void **state)
{
    struct pair p;
    pair_ready(&p, via_of(state));
    struct fog_stream *c[2], *s[2];
    for (size_t i = 0; i < 2; i++)
        pair_open(&p, &c[i], &s[i]);
    assert_int_not_equal(fog_stream_id(c[0]), fog_stream_id(c[1]));
    say(&p, &p.client, c[0], "abc");
    say(&p, &p.client, c[1], "second");
    say(&p, &p.server, s[0], "xyz");
    pair_run(&p, FOG_MS(50));
    struct fog_event ev = expect(&p.server, FOG_EV_READABLE);
    assert_true(ev.stream == s[0] || ev.stream == s[1]);
    hear(&p, &p.server, s[0], "abc");
    hear_nothing(&p.server, s[0], false);
    hear(&p, &p.server, s[1], "second");
    assert_ptr_equal(expect(&p.client, FOG_EV_READABLE).stream, c[0]);
    hear(&p, &p.client, c[0], "xyz");
    uint64_t in, out;
    fog_stream_bytes(c[0], &in, &out);
    assert_int_equal(in, 3);
    assert_int_equal(out, 3);
    pair_end(&p);
}

/** What is written before the stream is accepted arrives with it. */
static void
test_write_before_accepted(void **state)
{
    struct pair p;
    pair_ready(&p, via_of(state));
    struct fog_stream *c;
    assert_int_equal(fog_session_open(p.client.s, &c, p.now), 0);
    say(&p, &p.client, c, "at once");
    pair_run(&p, FOG_MS(8));
    struct fog_stream *s = expect(&p.server, FOG_EV_OPENED).stream;
    hear(&p, &p.server, s, "at once");
    pair_end(&p);
}

/** Each direction ends by itself, and data flows on in the other; then nothing is left. */
static void
test_half_close(void **state)
{
    struct pair p;
    pair_ready(&p, via_of(state));
    struct fog_stream *c, *s;
    pair_open(&p, &c, &s);
    say(&p, &p.client, c, "question");
    assert_int_equal(fog_session_finish(p.client.s, c, p.now), 0);
    assert_int_equal(fog_session_finish(p.client.s, c, p.now), 0);
    size_t taken;
    assert_int_equal(fog_session_write(p.client.s, c, "x", 1, &taken, p.now), FOG_E_FINISHED);
    pair_run(&p, FOG_MS(500));
    hear(&p, &p.server, s, "question");
    hear_nothing(&p.server, s, true);
    say(&p, &p.server, s, "answer");
    pair_run(&p, FOG_MS(500));
    hear(&p, &p.client, c, "answer");
    hear_nothing(&p.client, c, false);
    assert_int_equal(fog_session_finish(p.server.s, s, p.now), 0);
    pair_run(&p, FOG_MS(500));
    hear_nothing(&p.client, c, true);
    assert_false(told(&p.client, FOG_EV_RESET));
    assert_false(told(&p.server, FOG_EV_RESET));
    fog_session_release(p.client.s, c, p.now);
    fog_session_release(p.server.s, s, p.now);
    pair_run(&p, FOG_MS(500));
    struct fog_session_status st;
    fog_session_status(p.client.s, &st);
    assert_int_equal(st.mux.streams, 0);
    assert_int_equal(st.mux.n.resets_out, 0);
    fog_session_status(p.server.s, &st);
    assert_int_equal(st.mux.streams, 0);
    assert_int_equal(st.mux.n.resets_out, 0);
    pair_end(&p);
}

/** RST ends one stream at once on both sides; its neighbour does not notice. */
static void
test_reset(void **state)
{
    struct pair p;
    pair_ready(&p, via_of(state));
    struct fog_stream *c[2], *s[2];
    for (size_t i = 0; i < 2; i++)
        pair_open(&p, &c[i], &s[i]);
    fog_session_reset(p.server.s, s[0], p.now);
    fog_session_release(p.server.s, s[0], p.now);
    pair_run(&p, FOG_MS(50));
    struct fog_event ev = expect(&p.client, FOG_EV_RESET);
    assert_ptr_equal(ev.stream, c[0]);
    assert_int_equal(ev.err, FOG_E_RESET);
    const void *buf;
    size_t len;
    bool eof;
    assert_int_equal(fog_session_peek(p.client.s, c[0], &buf, &len, &eof), FOG_E_RESET);
    assert_int_equal(fog_session_write(p.client.s, c[0], "x", 1, &len, p.now), FOG_E_RESET);
    fog_session_release(p.client.s, c[0], p.now);
    say(&p, &p.client, c[1], "still here");
    pair_run(&p, FOG_MS(50));
    hear(&p, &p.server, s[1], "still here");
    pair_end(&p);
}

/** A stream released unread is reset, so that the writer learns of it. */
static void
test_release_unfinished_resets(void **state)
{
    struct pair p;
    pair_ready(&p, via_of(state));
    struct fog_stream *c, *s;
    pair_open(&p, &c, &s);
    say(&p, &p.client, c, "never read");
    pair_run(&p, FOG_MS(50));
    fog_session_release(p.server.s, s, p.now);
    pair_run(&p, FOG_MS(50));
    assert_ptr_equal(expect(&p.client, FOG_EV_RESET).stream, c);
    fog_session_release(p.client.s, c, p.now);
    pair_run(&p, FOG_MS(50));
    struct fog_session_status st;
    fog_session_status(p.server.s, &st);
    assert_int_equal(st.mux.streams, 0);
    assert_int_equal(st.mux.recv_held, 0);
    pair_end(&p);
}

/** foggara tells foggara that a target was refused. */
static void
test_refuse(void **state)
{
    struct pair p;
    pair_ready(&p, via_of(state));
    struct fog_stream *c;
    assert_int_equal(fog_session_open(p.client.s, &c, p.now), 0);
    pair_run(&p, FOG_MS(50));
    struct fog_stream *s = expect(&p.server, FOG_EV_OPENED).stream;
    fog_session_refuse(p.server.s, s, p.now);
    fog_session_release(p.server.s, s, p.now);
    pair_run(&p, FOG_MS(50));
    struct fog_event ev = expect(&p.client, FOG_EV_RESET);
    assert_ptr_equal(ev.stream, c);
    fog_session_release(p.client.s, c, p.now);
    pair_end(&p);
}

/** Memory lent is good until the next verb, for at most what was lent. */
static void
test_reserve_and_commit(void **state)
{
    struct pair p;
    pair_ready(&p, via_of(state));
    struct fog_stream *c, *s;
    pair_open(&p, &c, &s);
    void *buf;
    size_t cap;
    assert_int_equal(fog_session_commit(p.client.s, c, 1, p.now), FOG_E_USAGE);
    assert_int_equal(fog_session_reserve(p.client.s, c, &buf, &cap, p.now), 0);
    assert_true(cap >= 5);
    assert_int_equal(fog_session_commit(p.client.s, c, 0, p.now), FOG_E_USAGE);
    assert_int_equal(fog_session_commit(p.client.s, c, cap + 1, p.now), FOG_E_USAGE);
    memcpy(buf, "frame", 5);
    assert_int_equal(fog_session_commit(p.client.s, c, 5, p.now), 0);
    assert_int_equal(fog_session_commit(p.client.s, c, 1, p.now), FOG_E_USAGE);
    assert_int_equal(fog_session_reserve(p.client.s, c, &buf, &cap, p.now), 0);
    fog_session_tick(p.client.s, p.now); /* takes it back */
    assert_int_equal(fog_session_commit(p.client.s, c, 1, p.now), FOG_E_USAGE);
    pair_run(&p, FOG_MS(50));
    hear(&p, &p.server, s, "frame");
    hear_nothing(&p.server, s, false);
    pair_end(&p);
}

/** A writer that is faster than the link is refused room, and told when there is some again. */
static void
test_back_pressure(void **state)
{
    struct pair p;
    pair_ready(&p, via_of(state));
    struct fog_stream *c, *s;
    pair_open(&p, &c, &s);
    static const uint8_t block[65536];
    size_t total = 0, taken;
    do {
        assert_int_equal(fog_session_write(p.client.s, c, block, sizeof block, &taken, p.now), 0);
        total += taken;
        assert_true(total < (64u << 20));
    } while (taken == sizeof block);
    assert_false(told(&p.client, FOG_EV_WRITABLE));
    for (size_t i = 0; i < 400 && !told(&p.client, FOG_EV_WRITABLE); i++) {
        pair_run(&p, FOG_MS(5));
        const void *buf;
        bool eof;
        while (fog_session_peek(p.server.s, s, &buf, &taken, &eof) == 0 && taken)
            fog_session_consume(p.server.s, s, taken, p.now);
    }
    assert_ptr_equal(expect(&p.client, FOG_EV_WRITABLE).stream, c);
    assert_int_equal(fog_session_write(p.client.s, c, block, 100, &taken, p.now), 0);
    assert_true(taken > 0);
    pair_end(&p);
}

/** A megabyte each way at once, then memory is given back. */
static void
test_bulk_both_ways(void **state)
{
    struct pair p;
    pair_ready(&p, via_of(state));
    struct fog_stream *c, *s;
    pair_open(&p, &c, &s);
    struct flow flows[] = {
        {.from = &p.client, .to = &p.server, .out = c, .in = s, .total = 1000000},
        {.from = &p.server, .to = &p.client, .out = s, .in = c, .total = 1000000},
    };
    size_t before = p.client.mem.held;
    pair_transfer(&p, flows, 2, FOG_SEC(30));
    pair_run(&p, FOG_SEC(1));
    assert_true(p.client.mem.held < before + 4096);
    assert_true(p.server.mem.held < before + 4096);
    assert_true(p.client.mem.peak < 8u << 20);
    pair_end(&p);
}

/** The last word reaches the peer with its reason; then all is over on both sides. */
static void
test_shutdown(void **state)
{
    struct pair p;
    pair_ready(&p, via_of(state));
    struct fog_stream *c, *s;
    pair_open(&p, &c, &s);
    fog_session_shutdown(p.client.s, "enough", p.now);
    fog_session_shutdown(p.client.s, "again", p.now);
    pair_run(&p, FOG_MS(50));
    struct fog_event ev = expect(&p.server, FOG_EV_CLOSED);
    assert_int_equal(ev.err, FOG_E_SHUTDOWN);
    assert_string_equal(ev.reason, "enough");
    expect(&p.client, FOG_EV_CLOSED);
    pair_run(&p, FOG_SEC(2));
    uint64_t sent = p.client.sent + p.server.sent;
    pair_run(&p, FOG_SEC(300));
    assert_int_equal(p.client.sent + p.server.sent, sent);
    assert_int_equal(p.client.n_log + p.server.n_log, 0); /* nothing comes after CLOSED */
    struct side *sides[] = {&p.client, &p.server};
    struct fog_stream *streams[] = {c, s}, *another;
    for (size_t i = 0; i < 2; i++) {
        const void *buf;
        size_t len;
        bool eof;
        assert_int_equal(fog_session_deadline(sides[i]->s, NULL), FOG_TIME_NEVER);
        assert_int_equal(fog_session_input(sides[i]->s, "x", 1, p.now), FOG_E_CLOSED);
        assert_int_equal(fog_session_input_room(sides[i]->s), 0);
        assert_int_equal(fog_session_open(sides[i]->s, &another, p.now), FOG_E_CLOSED);
        assert_int_equal(fog_session_finish(sides[i]->s, streams[i], p.now), FOG_E_CLOSED);
        assert_int_equal(fog_session_peek(sides[i]->s, streams[i], &buf, &len, &eof), FOG_E_CLOSED);
        assert_int_equal(fog_session_write(sides[i]->s, streams[i], "x", 1, &len, p.now),
                         FOG_E_CLOSED);
        fog_session_release(sides[i]->s, streams[i], p.now);
    }
    pair_end(&p);
}

/** A stream that had ended both ways before the tunnel did loses nothing of what waits for its
 *  reader; one that had not is reset. */
static void
test_whole_streams_outlive_the_tunnel(void **state)
{
    struct pair p;
    struct fog_stream *c[2], *s[2];
    const void *buf;
    size_t len;
    bool eof;
    pair_ready(&p, via_of(state));
    for (size_t i = 0; i < 2; i++) {
        pair_open(&p, &c[i], &s[i]);
        fog_session_connected(p.server.s, s[i], p.now);
        assert_int_equal(fog_session_write(p.client.s, c[i], "hello", 5, &len, p.now), 0);
        assert_int_equal(fog_session_finish(p.client.s, c[i], p.now), 0);
        pair_run(&p, FOG_MS(500));
    }
    assert_int_equal(fog_session_finish(p.server.s, s[0], p.now), 0);
    assert_false(fog_session_is_whole(p.client.s, c[0])); /* its end has not come */
    pair_run(&p, FOG_MS(500));
    assert_true(fog_session_is_whole(p.client.s, c[0]));
    fog_session_shutdown(p.client.s, "restart", p.now);
    pair_run(&p, FOG_MS(50));
    expect(&p.server, FOG_EV_CLOSED);
    assert_true(fog_session_is_whole(p.server.s, s[0]));
    assert_false(fog_session_is_whole(p.server.s, s[1]));
    assert_int_equal(fog_session_peek(p.server.s, s[0], &buf, &len, &eof), 0);
    assert_int_equal(len, 5);
    assert_memory_equal(buf, "hello", 5);
    fog_session_consume(p.server.s, s[0], 5, p.now);
    assert_int_equal(fog_session_peek(p.server.s, s[0], &buf, &len, &eof), 0);
    assert_true(len == 0 && eof);
    assert_int_equal(fog_session_peek(p.server.s, s[1], &buf, &len, &eof), FOG_E_CLOSED);
    for (size_t i = 0; i < 2; i++) {
        fog_session_release(p.server.s, s[i], p.now);
        fog_session_release(p.client.s, c[i], p.now);
    }
    pair_end(&p);
}

static void
test_handshake_times_out(void **state)
{
    struct pair p;
    pair_init(&p, via_of(state));
    pair_start(&p, &(struct emu_options){.loss = 1}, 1);
    pair_run(&p, FOG_MS(4900));
    assert_false(told(&p.client, FOG_EV_CLOSED));
    pair_run(&p, FOG_MS(200));
    assert_int_equal(expect(&p.client, FOG_EV_CLOSED).err, FOG_E_HANDSHAKE);
    pair_end(&p);
}

/** An idle tunnel sleeps: a keepalive now and then, and between them nothing. */
static void
test_idle_sleeps(void **state)
{
    struct pair p;
    pair_ready(&p, via_of(state));
    pair_run(&p, FOG_SEC(20));
    uint64_t sent = p.client.sent + p.server.sent;
    pair_run(&p, FOG_SEC(60));
    assert_in_range(p.client.sent + p.server.sent - sent, 12, 60);
    enum fog_why why;
    assert_true(fog_session_deadline(p.client.s, &why) > p.now);
    assert_true(why == FOG_WHY_KEEPALIVE || why == FOG_WHY_DEAD);
    assert_false(told(&p.client, FOG_EV_SUSPECT));
    pair_end(&p);
}

/** Freed in any state: pair_end() finds nothing held. */
static void
test_freed_in_the_middle(void **state)
{
    for (fog_time when = 0; when < FOG_MS(40); when += FOG_MS(3)) {
        struct pair p;
        pair_init(&p, via_of(state));
        pair_start(&p, &(struct emu_options){.delay_us = FOG_MS(5)}, 1);
        pair_run(&p, when);
        struct fog_stream *st;
        size_t taken;
        if (fog_session_open(p.client.s, &st, p.now) == 0) {
            static const uint8_t block[30000];
            assert_int_equal(fog_session_write(p.client.s, st, block, sizeof block, &taken, p.now),
                             0);
        }
        pair_run(&p, when);
        pair_end(&p);
    }
}

static void
test_bad_options(void **state)
{
    struct counting count = {0};
    struct fog_alloc al = counting(&count);
    for (size_t i = 0; i < 3; i++) {
        struct fog_session_options o;
        struct fog_session *s = NULL;
        fog_session_options_init(&o, FOG_CLIENT);
        o.via = via_of(state);
        if (i == 0)
            o.mux.limits.streams = 0;
        else if (i == 1)
            o.mux.limits.frame_out = 0;
        else if (o.via == FOG_VIA_KCP)
            o.kcp.mtu = FOG_MTU_MIN - 1;
        else
            o.pipe_window = 1;
        assert_int_equal(fog_session_new(&s, &o, &al, 0), FOG_E_USAGE);
        assert_null(s);
        assert_int_equal(count.held, 0);
    }
    fog_session_free(NULL);
}

static void
test_user_pointer(void **state)
{
    struct pair p;
    pair_ready(&p, via_of(state));
    assert_null(fog_session_user(p.client.s));
    fog_session_set_user(p.client.s, &p);
    assert_ptr_equal(fog_session_user(p.client.s), &p);
    pair_end(&p);
}

static enum fog_via kcp = FOG_VIA_KCP, pipe_ = FOG_VIA_PIPE;

#define BOTH(f)                                                                                    \
    {#f " over kcp", f, NULL, NULL, &kcp},                                                         \
    {                                                                                              \
#f " over a pipe", f, NULL, NULL, &pipe_                                                   \
    }

int
main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(test_handshake),
        BOTH(test_both_extended),
        BOTH(test_open_and_talk),
        BOTH(test_write_before_accepted),
        BOTH(test_half_close),
        BOTH(test_reset),
        BOTH(test_release_unfinished_resets),
        BOTH(test_refuse),
        BOTH(test_reserve_and_commit),
        BOTH(test_back_pressure),
        BOTH(test_bulk_both_ways),
        BOTH(test_shutdown),
        BOTH(test_whole_streams_outlive_the_tunnel),
        BOTH(test_handshake_times_out),
        BOTH(test_idle_sleeps),
        BOTH(test_freed_in_the_middle),
        BOTH(test_bad_options),
        BOTH(test_user_pointer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
