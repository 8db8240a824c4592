/* SPDX-License-Identifier: MIT
 *
 * Two muxes back to back: the messages in both directions, half-close, held FINs, turns.
 */
#include "unit/mux/rig.h"

#include "mux/framing.h"

#define C (&p.c)
#define S (&p.s)

static const struct fog_mux_options *
extended(enum fog_role role)
{
    static struct fog_mux_options o;
    fog_mux_options_init(&o, role);
    o.extended = true;
    return &o;
}

/* A ready pair with one open stream; both ends are returned. */
static void
pair_open(struct pair *p, bool ext, struct fog_stream **c, struct fog_stream **s)
{
    struct fog_event ev;
    struct fog_mux_options co, so;
    co = *extended(FOG_CLIENT);
    so = *extended(FOG_SERVER);
    co.extended = so.extended = ext;
    pair_init(p, &co, &so, PAIR_PIPE);
    pair_run(p);
    assert_true(side_await(&p->c, FOG_EV_READY, &ev));
    assert_true(side_await(&p->s, FOG_EV_READY, &ev));
    assert_int_equal(fog_mux_open(p->c.m, c, p->now), 0);
    pair_run(p);
    assert_true(side_await(&p->s, FOG_EV_OPENED, &ev));
    *s = ev.stream;
    fog_mux_connected(p->s.m, *s);
    pair_pass(p, FOG_MS(1));
    assert_true(side_await(&p->c, FOG_EV_ESTABLISHED, &ev));
    assert_ptr_equal(ev.stream, *c);
}

/* To one of our kind a SYN-ACK leaves with the first answer, or alone after a millisecond; a vproxy
 * peer, which hears nothing before it, gets it at once. */
static void
syn_ack_has_company(void **state)
{
    (void)state;
    static const struct {
        bool ext, answer;
        fog_time alone_after;
    } rows[] = {{false, false, 0}, {true, true, 0}, {true, false, FOG_MS(1)}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct pair p;
        struct fog_mux_options co = *extended(FOG_CLIENT), so = *extended(FOG_SERVER);
        struct fog_stream *c;
        struct fog_event opened, ev;
        co.extended = so.extended = rows[i].ext;
        pair_init(&p, &co, &so, PAIR_PIPE);
        pair_run(&p);
        assert_int_equal(fog_mux_open(p.c.m, &c, p.now), 0);
        pair_run(&p);
        assert_true(side_await(&p.s, FOG_EV_OPENED, &opened));
        if (rows[i].ext)
            assert_false(side_await(&p.c, FOG_EV_ESTABLISHED, &ev));
        if (rows[i].answer) {
            side_write(&p.s, opened.stream, "it", 2, p.now); /* asks; the SYN-ACK leaves first */
            assert_int_equal(side_write(&p.s, opened.stream, "it", 2, p.now), 2);
        }
        pair_pass(&p, rows[i].alone_after);
        assert_true(side_await(&p.c, FOG_EV_ESTABLISHED, &ev));
        assert_int_equal(side_await(&p.c, FOG_EV_READABLE, &ev), rows[i].answer);
        assert_int_equal(rig_status(p.c.m).n.glitches, 0);
        fog_mux_release(p.c.m, c, p.now);
        pair_free(&p);
    }
}

static void
echo_and_half_close(void **state)
{
    struct pair p;
    struct fog_stream *c, *s;
    struct fog_event ev;
    uint8_t buf[16];
    bool eof;
    (void)state;
    pair_open(&p, true, &c, &s);
    assert_string_equal(fog_stream_state_name(c), "established");
    assert_int_equal(side_write(C, c, "question", 8, p.now), 8);
    assert_int_equal(fog_mux_finish(p.c.m, c, p.now), 0);
    assert_string_equal(fog_stream_state_name(c), "fin_sent");
    pair_run(&p);
    assert_true(side_await(S, FOG_EV_READABLE, &ev));
    assert_int_equal(side_read(S, s, buf, sizeof buf, &eof, p.now), 8);
    assert_memory_equal(buf, "question", 8);
    assert_true(eof);
    assert_string_equal(fog_stream_state_name(s), "fin_recv");
    assert_int_equal(side_write(S, s, "answer", 6, p.now), 6);
    assert_int_equal(fog_mux_finish(p.s.m, s, p.now), 0);
    pair_run(&p);
    assert_int_equal(side_read(C, c, buf, sizeof buf, &eof, p.now), 6);
    assert_memory_equal(buf, "answer", 6);
    assert_true(eof);
    assert_string_equal(fog_stream_state_name(c), "dead");
    fog_mux_release(p.c.m, c, p.now);
    fog_mux_release(p.s.m, s, p.now);
    pair_run(&p);
    assert_int_equal(rig_status(p.c.m).streams, 0);
    assert_int_equal(rig_status(p.s.m).streams, 0);
    assert_int_equal(rig_status(p.c.m).n.resets_in + rig_status(p.s.m).n.resets_in, 0);
    pair_free(&p);
}

/* --------------------------------------------------------------------------- all ten, both ways */

/* Which messages the bytes of one side are, seen by the other. */
static unsigned
types_in(enum fog_role reader, const uint8_t *buf, size_t len)
{
    struct decoder d = {.role = reader, .payload_max = 65536};
    unsigned seen = 0;
    for (size_t at = 0, used; at < len; at += used) {
        struct part part;
        if (fogi_h2.decode(&d, buf + at, len - at, &used, &part) == DECODED_MSG)
            seen |= 1u << d.msg.type;
        assert_true(used > 0);
    }
    return seen;
}

static void
drain_into(struct side *a, uint8_t *all, size_t *n, fog_time now)
{
    side_drain(a, now);
    memcpy(all + *n, a->out.at, a->out.len);
    *n += a->out.len;
}

/* What a client and a server send in one conversation; PSH-FIN is only ever received (muxspec). */
static void
every_message_by(bool server)
{
    static uint8_t up[4096], down[4096];
    struct pair p;
    struct fog_stream *c[2], *s[2];
    struct fog_event ev;
    size_t n_up = 0, n_down = 0;
    pair_init(&p, NULL, NULL, PAIR_PIPE);
    for (int step = 0; step < 10; step++) {
        if (step == 2) {
            assert_int_equal(fog_mux_open(p.c.m, &c[0], p.now), 0);
            assert_int_equal(fog_mux_open(p.c.m, &c[1], p.now), 0);
        }
        if (step == 4) {
            for (int i = 0; i < 2; i++) {
                assert_true(side_await(S, FOG_EV_OPENED, &ev));
                s[i] = ev.stream;
            }
            side_write(C, c[0], "up", 2, p.now);
            side_write(S, s[0], "down", 4, p.now);
        }
        if (step == 5) {
            p.now += FOG_MS(300);
            assert_int_equal(fog_mux_finish(p.c.m, c[0], p.now), 0);
            assert_int_equal(fog_mux_finish(p.s.m, s[0], p.now), 0);
            fog_mux_reset(p.s.m, s[1], p.now);
        }
        if (step == 7) { /* each pings once */
            fog_time at = fog_mux_deadline(p.s.m, NULL);
            p.now = at;
            fog_mux_tick(p.s.m, p.now);
            fog_mux_tick(p.c.m, p.now);
        }
        if (step == 9)
            fog_mux_shutdown(server ? p.s.m : p.c.m, "bye", p.now);
        drain_into(&p.c, up, &n_up, p.now);
        side_carry(&p.c, &p.s, p.now);
        drain_into(&p.s, down, &n_down, p.now);
        side_carry(&p.s, &p.c, p.now);
    }
    const unsigned both = 1u << MSG_HANDSHAKE | 1u << MSG_KEEPALIVE | 1u << MSG_KEEPALIVE_ACK |
                          1u << MSG_PSH | 1u << MSG_FIN | 1u << MSG_RST;
    const unsigned bye = 1u << MSG_SHUTDOWN;
    assert_int_equal(types_in(FOG_SERVER, up, n_up), both | 1u << MSG_SYN | (server ? 0 : bye));
    assert_int_equal(types_in(FOG_CLIENT, down, n_down),
                     both | 1u << MSG_SYN_ACK | (server ? bye : 0));
    pair_free(&p);
}

static void
every_message(void **state)
{
    (void)state;
    every_message_by(false);
    every_message_by(true);
}

static void
shutdown_by(bool server)
{
    struct pair p;
    struct fog_stream *c, *s, *other;
    struct fog_event ev;
    const void *at;
    size_t len;
    bool eof;
    pair_open(&p, true, &c, &s);
    struct side *a = server ? &p.s : &p.c, *b = server ? &p.c : &p.s;
    struct fog_stream *as = server ? s : c;
    fog_mux_shutdown(a->m, "going home", p.now);
    fog_mux_shutdown(a->m, "twice", p.now);
    assert_int_equal(fog_mux_output_next(a->m), 9 + 8 + 10);
    pair_run(&p);
    assert_true(side_await(a, FOG_EV_CLOSED, &ev));
    assert_int_equal(ev.err, FOG_E_CLOSED);
    assert_string_equal(ev.reason, "going home");
    assert_true(side_await(b, FOG_EV_CLOSED, &ev));
    assert_int_equal(ev.err, FOG_E_SHUTDOWN);
    assert_string_equal(ev.reason, "going home");
    assert_false(fog_mux_event(b->m, &ev));
    assert_true(fog_mux_is_closed(a->m) && fog_mux_is_closed(b->m));
    assert_int_equal(fog_mux_open(p.c.m, &other, p.now), FOG_E_CLOSED);
    assert_int_equal(fog_mux_finish(a->m, as, p.now), FOG_E_CLOSED);
    assert_int_equal(fog_mux_peek(a->m, as, &at, &len, &eof), FOG_E_CLOSED);
    assert_int_equal(fog_mux_turn(a->m, as, 100, &len, p.now), FOG_E_CLOSED);
    assert_int_equal(fog_mux_output_next(b->m), 0);
    assert_true(fog_mux_deadline(b->m, NULL) == FOG_TIME_NEVER);
    fog_mux_release(a->m, as, p.now); /* one released, one left to fog_mux_free() */
    pair_free(&p);
}

static void
shutdowns(void **state)
{
    (void)state;
    shutdown_by(false);
    shutdown_by(true);
}

static void
roles_and_states(void **state)
{
    struct pair p;
    struct fog_stream *st;
    (void)state;
    pair_init(&p, NULL, NULL, PAIR_PIPE);
    assert_int_equal(rig_status(p.c.m).state, FOG_MUX_INIT);
    assert_int_equal(fog_mux_open(p.c.m, &st, p.now), FOG_E_BUSY);
    assert_int_equal(fog_mux_open(p.s.m, &st, p.now), FOG_E_USAGE);
    side_drain(C, p.now);
    assert_int_equal(rig_status(p.c.m).state, FOG_MUX_HANDSHAKE_SENT);
    assert_int_equal(fog_mux_open(p.c.m, &st, p.now), FOG_E_BUSY);
    pair_run(&p);
    assert_int_equal(rig_status(p.c.m).state, FOG_MUX_READY);
    assert_int_equal(rig_status(p.s.m).state, FOG_MUX_READY);
    pair_free(&p);
}

/* Whole control messages only: with little room none is cut. */
static void
output_in_small_room(void **state)
{
    struct rig r;
    uint8_t out[64];
    size_t len;
    (void)state;
    rig_init(&r, FOG_CLIENT);
    rig_start(&r);
    for (size_t cap = 0; cap < 9; cap++) {
        assert_int_equal(fog_mux_output(r.m, out, cap, &len, r.now), 0);
        assert_int_equal(len, 0);
        assert_int_equal(fog_mux_output_next(r.m), 9);
    }
    assert_int_equal(fog_mux_output(r.m, out, 9, &len, r.now), 0);
    assert_int_equal(len, 9);
    rig_end(&r);
}

/* ------------------------------------------------------------------------------------- fairness */

/* A pipe of few bytes, drained by `step` at a time: each writer writes whenever it is told. */
struct writer {
    struct fog_stream *st;
    uint64_t bytes;
    unsigned turns;
    bool may;
};

static void
pump_writers(struct pair *p, struct writer *w, size_t n)
{
    static const uint8_t data[16384];
    struct fog_event ev;
    while (fog_mux_event(p->c.m, &ev)) {
        struct writer *mine = ev.stream ? fog_stream_user(ev.stream) : NULL;
        if (ev.type == FOG_EV_WRITABLE && mine)
            mine->may = true;
    }
    for (size_t i = 0; i < n; i++) {
        while (w[i].may) {
            size_t took = side_write(&p->c, w[i].st, data, sizeof data, p->now);
            w[i].bytes += took;
            w[i].turns += took > 0;
            w[i].may = took > 0;
        }
    }
}

static void
fair_shares(void **state)
{
    struct pair p;
    struct writer w[8] = {0};
    struct fog_event ev;
    struct fog_mux_options so;
    (void)state;
    fog_mux_options_init(&so, FOG_SERVER);
    so.limits.stream_recv = so.limits.stream_recv_dialling = so.limits.tunnel_recv = 1 << 30;
    pair_init(&p, NULL, &so, 20000);
    pair_run(&p);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(fog_mux_open(p.c.m, &w[i].st, p.now), 0);
        fog_stream_set_user(w[i].st, &w[i]);
        w[i].may = true;
    }
    pair_run(&p);
    for (int round = 0; round < 4000; round++) {
        pump_writers(&p, w, 8);
        /* A little of the pipe leaves. */
        size_t used, step = 1226 < p.c.out.len ? 1226 : p.c.out.len;
        assert_int_equal(fog_mux_input(p.s.m, p.c.out.at, step, &used, p.now), 0);
        memmove(p.c.out.at, p.c.out.at + used, p.c.out.len - used);
        p.c.out.len -= used;
        fog_mux_room(p.c.m, side_room(&p.c), p.now);
        while (fog_mux_event(p.s.m, &ev))
            ;
    }
    uint64_t low = UINT64_MAX, high = 0;
    for (int i = 0; i < 8; i++) {
        low = w[i].bytes < low ? w[i].bytes : low;
        high = w[i].bytes > high ? w[i].bytes : high;
    }
    assert_true(low > 400000);
    assert_true(high - low <= 3 * 16384);
    pair_free(&p);
}

/* One with little to say is served before those with much, however many they are. */
static void
thin_before_bulk(void **state)
{
    static const uint8_t data[16384];
    struct pair p;
    struct fog_stream *bulk[10], *thin;
    struct fog_event ev;
    size_t cap;
    (void)state;
    pair_init(&p, NULL, NULL, PAIR_PIPE);
    pair_run(&p);
    for (int i = 0; i < 10; i++)
        assert_int_equal(fog_mux_open(p.c.m, &bulk[i], p.now), 0);
    assert_int_equal(fog_mux_open(p.c.m, &thin, p.now), 0);
    pair_run(&p);
    while (fog_mux_event(p.c.m, &ev))
        ;
    for (int i = 0; i < 10; i++) {
        assert_int_equal(side_write(C, bulk[i], data, sizeof data, p.now), sizeof data);
        assert_int_equal(fog_mux_turn(p.c.m, bulk[i], 0, &cap, p.now), 0);
    }
    assert_int_equal(fog_mux_turn(p.c.m, thin, 0, &cap, p.now), 0);
    assert_int_equal(rig_status(p.c.m).waiting, 11);
    fog_mux_room(p.c.m, 9, p.now); /* no room for a byte behind a header */
    assert_false(fog_mux_event(p.c.m, &ev));
    fog_mux_room(p.c.m, 10, p.now);
    assert_true(fog_mux_event(p.c.m, &ev));
    assert_int_equal(ev.type, FOG_EV_WRITABLE);
    assert_ptr_equal(ev.stream, thin);
    assert_false(fog_mux_event(p.c.m, &ev)); /* one quantum of room, one writer */
    fog_mux_room(p.c.m, 3 * 16384, p.now);
    for (int i = 0; i < 3; i++) {
        assert_true(fog_mux_event(p.c.m, &ev));
        assert_ptr_equal(ev.stream, bulk[i]);
    }
    assert_false(fog_mux_event(p.c.m, &ev));
    fog_mux_reset(p.c.m, bulk[5], p.now); /* the dead wait for nothing */
    assert_int_equal(rig_status(p.c.m).waiting, 6);
    pair_free(&p);
}

/* A SYN leads its data: before it has left there is no turn. */
static void
syn_leads(void **state)
{
    struct rig r;
    struct fog_stream *st;
    uint8_t frame[32] = {0};
    size_t cap, total;
    (void)state;
    rig_init(&r, FOG_CLIENT);
    rig_start(&r);
    rig_collect(&r);
    rig_feed(&r, "000000040000000000");
    assert_int_equal(fog_mux_open(r.m, &st, r.now), 0);
    assert_int_equal(fog_mux_turn(r.m, st, 1000, &cap, r.now), 0);
    assert_int_equal(cap, 0);
    assert_int_equal(fog_mux_frame(r.m, st, frame, 5, &total, r.now), FOG_E_USAGE);
    rig_collect(&r);
    rig_clear(&r);
    fog_mux_tick(r.m, r.now);
    rig_collect(&r);
    assert_int_equal(r.ev[0].type, FOG_EV_WRITABLE);
    assert_int_equal(fog_mux_turn(r.m, st, 1000, &cap, r.now), 0);
    assert_int_equal(cap, 991);
    rig_end(&r);
}

/* ------------------------------------------------------------------------------------- idleness */

/* An idle pair pings, answers, and sleeps: at most a few wake-ups a minute, both sides together. */
static void
idle_pair(void **state)
{
    struct pair p;
    struct fog_stream *c, *s;
    struct fog_event ev;
    (void)state;
    pair_open(&p, false, &c, &s);
    unsigned wakes = pair_pass(&p, FOG_SEC(600));
    assert_in_range(wakes, 60, 120);
    assert_false(fog_mux_event(p.c.m, &ev));
    assert_false(fog_mux_event(p.s.m, &ev));
    struct fog_mux_counters a = rig_status(p.c.m).n, b = rig_status(p.s.m).n;
    assert_in_range(a.pings_out + b.pings_out, 55, 80);
    assert_int_equal(a.pings_out, b.pings_answered);
    assert_int_equal(b.pings_out, a.pings_answered);
    assert_int_equal(a.pings_missed + b.pings_missed + a.glitches + b.glitches, 0);
    pair_free(&p);
}

/* A busy tunnel needs no PING at all. */
static void
busy_pair(void **state)
{
    struct pair p;
    struct fog_stream *c, *s;
    (void)state;
    pair_open(&p, false, &c, &s);
    for (int i = 0; i < 100; i++) {
        uint8_t buf[8];
        bool eof;
        side_write(C, c, "x", 1, p.now);
        side_write(S, s, "y", 1, p.now);
        pair_pass(&p, FOG_SEC(1));
        side_read(C, c, buf, sizeof buf, &eof, p.now);
        side_read(S, s, buf, sizeof buf, &eof, p.now);
    }
    assert_int_equal(rig_status(p.c.m).n.pings_out + rig_status(p.s.m).n.pings_out, 0);
    pair_free(&p);
}

/* A peer that falls silent: suspected once, given up after idle_us. */
static void
silent_peer(void **state)
{
    struct rig r;
    unsigned suspects = 0;
    (void)state;
    rig_init(&r, FOG_CLIENT);
    rig_start(&r);
    rig_collect(&r);
    rig_feed(&r, "000000040000000000");
    rig_clear(&r);
    fog_time start = r.now;
    for (fog_time at; (at = fog_mux_deadline(r.m, NULL)) != FOG_TIME_NEVER;) {
        r.now = at;
        fog_mux_tick(r.m, r.now);
        rig_collect(&r);
    }
    for (size_t i = 0; i < r.n_ev; i++)
        suspects += r.ev[i].type == FOG_EV_SUSPECT;
    assert_int_equal(suspects, 1);
    assert_true(r.now == start + FOG_SEC(90));
    assert_int_equal(r.ev[r.n_ev - 1].err, FOG_E_DEAD);
    assert_int_equal(rig_status(r.m).n.pings_missed, 8);
    assert_int_equal(r.out[3], 6); /* PINGs 1, 2, 3 ..., then the shutdown */
    assert_int_equal(r.out[16], 1);
    assert_int_equal(r.out[17 + 16], 2);
    rig_end(&r);
}

/* An answer overtakes what waits: SYN-ACKs and RSTs of streams. */
static void
answers_first(void **state)
{
    struct rig r;
    uint8_t buf[64];
    size_t used;
    (void)state;
    rig_init(&r, FOG_SERVER);
    rig_start(&r);
    rig_feed(&r, "000000040000000000");
    rig_clear(&r);
    size_t n =
        rig_hex(buf, sizeof buf, "000000 01 00 00000001 000008 06 00 00000000 0000000000000001");
    assert_int_equal(fog_mux_input(r.m, buf, n, &used, r.now), 0);
    rig_collect(&r);
    assert_int_equal(r.out[3], 6);
    assert_int_equal(r.out[17 + 3], 1);
    rig_end(&r);
}

/* What mux.h promises about memory. */
static void
memory(void **state)
{
    struct pair p;
    struct fog_stream *c[1000];
    (void)state;
    pair_init(&p, NULL, NULL, PAIR_PIPE);
    pair_run(&p);
    size_t before = rig_status(p.c.m).held;
    assert_true(before < 2048);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(fog_mux_open(p.c.m, &c[i], p.now), 0);
    pair_run(&p);
    assert_true((rig_status(p.c.m).held - before) / 1000 < 512);
    assert_true((rig_status(p.s.m).held - before) / 1000 < 512);
    for (int i = 0; i < 1000; i++)
        fog_mux_release(p.c.m, c[i], p.now);
    pair_run(&p);
    assert_int_equal(rig_status(p.c.m).held, before); /* nothing is left of them */
    pair_free(&p);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(syn_ack_has_company), cmocka_unit_test(echo_and_half_close),
        cmocka_unit_test(every_message),       cmocka_unit_test(shutdowns),
        cmocka_unit_test(roles_and_states),    cmocka_unit_test(output_in_small_room),
        cmocka_unit_test(fair_shares),         cmocka_unit_test(thin_before_bulk),
        cmocka_unit_test(syn_leads),           cmocka_unit_test(idle_pair),
        cmocka_unit_test(busy_pair),           cmocka_unit_test(silent_peer),
        cmocka_unit_test(answers_first),       cmocka_unit_test(memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
