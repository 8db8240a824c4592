/* SPDX-License-Identifier: MIT
 *
 * What a session does over KCP only: bad links, validation, hello, the end that is said once.
 */
#include "unit/session/pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/wire.h"

#define SETTINGS "\0\0\0\4\0\0\0\0\0"
#define SYN_1 "\0\0\0\1\0\0\0\0\1"

/** 200 kB each way over links that lose, repeat, reorder and delay, from several seeds. */
static void
test_bad_links(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct emu_options link;
        uint64_t seeds;
    } rows[] = {
        {"loss 10 %", {.delay_us = FOG_MS(20), .loss = 0.1}, 5},
        {"loss 30 % in runs", {.delay_us = FOG_MS(20), .loss = 0.3, .burst = 4}, 3},
        {"reorder and duplicate",
         {.delay_us = FOG_MS(20), .jitter_us = FOG_MS(15), .reorder = 0.2, .duplicate = 0.2},
         3},
        {"cut short", {.delay_us = FOG_MS(20), .truncate = 0.1}, 3},
        {"thin line", {.delay_us = FOG_MS(20), .rate_bps = 2000000, .queue_bytes = 30000}, 2},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (uint64_t seed = 1; seed <= rows[i].seeds; seed++) {
            struct pair p;
            pair_init(&p, FOG_VIA_KCP);
            pair_start(&p, &rows[i].link, seed);
            for (size_t k = 0; k < 100 && !told(&p.client, FOG_EV_READY); k++)
                pair_run(&p, FOG_MS(50));
            struct fog_stream *c;
            assert_int_equal(fog_session_open(p.client.s, &c, p.now), 0);
            for (size_t k = 0; k < 100 && !told(&p.server, FOG_EV_OPENED); k++)
                pair_run(&p, FOG_MS(50));
            struct fog_stream *s = expect(&p.server, FOG_EV_OPENED).stream;
            struct flow flows[] = {
                {.from = &p.client, .to = &p.server, .out = c, .in = s, .total = 200000},
                {.from = &p.server, .to = &p.client, .out = s, .in = c, .total = 200000},
            };
            pair_transfer(&p, flows, 2, FOG_SEC(60));
            pair_end(&p);
        }
    }
}

/** Fills what the client may send, then the way is cut. */
static void
fill(struct pair *p)
{
    struct fog_stream *c, *s;
    static const uint8_t block[65536];
    pair_open(p, &c, &s);
    fogi_emu_dark(p->client.link, true);
    fogi_emu_dark(p->server.link, true);
    size_t taken;
    do
        assert_int_equal(fog_session_write(p->client.s, c, block, sizeof block, &taken, p->now), 0);
    while (taken == sizeof block);
}

/** The last word leaves in one datagram and is never repeated, though nobody acknowledges it. */
static void
test_shutdown_is_said_once(void **state)
{
    (void)state;
    struct pair p;
    pair_ready(&p, FOG_VIA_KCP);
    fogi_emu_dark(p.client.link, true);
    fogi_emu_dark(p.server.link, true);
    uint64_t sent = p.client.sent;
    fog_session_shutdown(p.client.s, "once", p.now);
    pair_run(&p, FOG_SEC(300));
    assert_int_equal(p.client.sent, sent + 1);
    assert_int_equal(fog_session_deadline(p.client.s, NULL), FOG_TIME_NEVER);
    pair_end(&p);
}

/** Whoever is told to go says nothing any more, not even an acknowledgement of that. */
static void
test_told_to_go_says_nothing(void **state)
{
    (void)state;
    struct pair p;
    pair_ready(&p, FOG_VIA_KCP);
    fog_session_shutdown(p.server.s, "go", p.now);
    uint64_t sent = p.client.sent;
    pair_run(&p, FOG_SEC(300));
    assert_int_equal(expect(&p.client, FOG_EV_CLOSED).err, FOG_E_SHUTDOWN);
    assert_in_range(p.client.sent - sent, 0, 1);
    pair_end(&p);
}

/** A last word that cannot leave does not hold the session for ever. */
static void
test_closing_ends_behind_a_full_queue(void **state)
{
    (void)state;
    struct pair p;
    pair_ready(&p, FOG_VIA_KCP);
    fill(&p);
    pair_run(&p, FOG_MS(100));
    fog_session_shutdown(p.client.s, "stuck", p.now);
    assert_true(fog_session_deadline(p.client.s, NULL) <= p.now + FOG_SEC(1));
    pair_run(&p, FOG_MS(1100));
    assert_int_equal(fog_session_deadline(p.client.s, NULL), FOG_TIME_NEVER);
    assert_int_equal(fog_session_input(p.client.s, "", 1, p.now), FOG_E_CLOSED); /* deaf by now */
    uint64_t sent = p.client.sent;
    pair_run(&p, FOG_SEC(300));
    assert_int_equal(p.client.sent, sent);
    expect(&p.client, FOG_EV_CLOSED);
    pair_end(&p);
}

static void
test_silent_peer_is_dead(void **state)
{
    (void)state;
    struct pair p;
    pair_ready(&p, FOG_VIA_KCP);
    fill(&p);
    pair_run(&p, FOG_SEC(60));
    assert_false(told(&p.client, FOG_EV_CLOSED));
    pair_run(&p, FOG_SEC(45));
    assert_int_equal(expect(&p.client, FOG_EV_CLOSED).err, FOG_E_DEAD);
    assert_int_equal(expect(&p.server, FOG_EV_CLOSED).err, FOG_E_DEAD);
    assert_int_equal(fog_session_deadline(p.client.s, NULL), FOG_TIME_NEVER);
    pair_end(&p);
}

/** A black-out of 30 s ends nothing. */
static void
test_black_out_is_survived(void **state)
{
    (void)state;
    struct pair p;
    pair_ready(&p, FOG_VIA_KCP);
    struct fog_stream *c, *s;
    pair_open(&p, &c, &s);
    say(&p, &p.client, c, "before");
    fogi_emu_dark(p.client.link, true);
    fogi_emu_dark(p.server.link, true);
    pair_run(&p, FOG_SEC(30));
    expect(&p.client, FOG_EV_SUSPECT);
    fogi_emu_dark(p.client.link, false);
    fogi_emu_dark(p.server.link, false);
    pair_run(&p, FOG_SEC(35));
    hear(&p, &p.server, s, "before");
    say(&p, &p.server, s, "after");
    pair_run(&p, FOG_SEC(1));
    hear(&p, &p.client, c, "after");
    pair_end(&p);
}

/* ------------------------------------------------------------------ a peer made of an ARQ alone */

struct raw {
    struct fog_arq *arq;
    struct fog_session *server;
    fog_time now;
    size_t in, out; /* bytes of datagrams to and from the server */
};

static void
raw_init(struct raw *r, const struct fog_session_options *o)
{
    struct fog_kcp_options k;
    fog_kcp_options_init(&k);
    *r = (struct raw){.now = FOG_SEC(5)};
    assert_int_equal(fog_kcp_new(&r->arq, &k, fog_alloc_libc(), r->now), 0);
    assert_int_equal(fog_session_new(&r->server, o, fog_alloc_libc(), r->now), 0);
}

static void
raw_say(struct raw *r, const char *bytes, size_t len)
{
    void *buf;
    size_t cap;
    assert_int_equal(fog_arq_reserve(r->arq, len, &buf, &cap), 0);
    assert_true(cap >= len);
    memcpy(buf, bytes, len);
    fog_arq_commit(r->arq, len, r->now);
}

/** Moves all datagrams one way or both; what the server says may be lost. */
static void
raw_exchange(struct raw *r, bool answers_arrive)
{
    uint8_t buf[FOG_DATAGRAM_MAX];
    size_t len;
    do {
        assert_int_equal(fog_arq_output(r->arq, buf, sizeof buf, &len, r->now), 0);
        r->in += len;
        if (len)
            assert_int_equal(fog_session_input(r->server, buf, len, r->now), 0);
    } while (len);
    do {
        assert_int_equal(fog_session_output(r->server, buf, sizeof buf, &len, r->now), 0);
        r->out += len;
        if (len && answers_arrive)
            assert_int_equal(fog_arq_input(r->arq, buf, len, r->now), 0);
    } while (len);
}

static void
raw_run(struct raw *r, fog_time us, bool answers_arrive)
{
    for (fog_time end = r->now + us; r->now < end; r->now += FOG_MS(5)) {
        fog_arq_tick(r->arq, r->now);
        fog_session_tick(r->server, r->now);
        raw_exchange(r, answers_arrive);
    }
}

static void
raw_end(struct raw *r)
{
    fog_arq_free(r->arq);
    fog_session_free(r->server);
}

static bool
raw_event(struct raw *r, enum fog_event_type type)
{
    struct fog_event ev;
    while (fog_session_event(r->server, &ev)) {
        if (ev.type == type)
            return true;
    }
    return false;
}

/** A stranger may say what it likes: the application hears nothing before it has proven where it
 *  is, and no more than three times its bytes are sent to wherever it claims to be. */
static void
test_nothing_before_validation(void **state)
{
    (void)state;
    struct fog_session_options o;
    struct raw r;
    fog_session_options_init(&o, FOG_SERVER);
    raw_init(&r, &o);
    raw_say(&r, SETTINGS SYN_1, 18);
    raw_run(&r, FOG_MS(400), false);
    struct fog_session_status st;
    fog_session_status(r.server, &st);
    assert_false(st.arq.validated);
    assert_int_equal(st.mux.streams, 0);
    assert_int_equal(st.mux.n.frames_in, 1);
    assert_true(r.out > 0);
    assert_true(r.out <= 3 * r.in);
    assert_false(raw_event(&r, FOG_EV_OPENED));
    raw_run(&r, FOG_SEC(4), true); /* now it answers */
    fog_session_status(r.server, &st);
    assert_true(st.arq.validated);
    assert_true(raw_event(&r, FOG_EV_OPENED));
    raw_end(&r);
}

/** An address that sends one fat datagram and never answers gets three small ones. */
static void
test_never_validated(void **state)
{
    (void)state;
    struct fog_session_options o;
    struct raw r;
    static const char zeros[1000];
    fog_session_options_init(&o, FOG_SERVER);
    raw_init(&r, &o);
    raw_say(&r, SETTINGS, 9);
    raw_say(&r, zeros, sizeof zeros);
    raw_exchange(&r, false);
    for (fog_time end = r.now + FOG_SEC(4); r.now < end; r.now += FOG_MS(5)) {
        uint8_t buf[FOG_DATAGRAM_MAX];
        size_t len;
        fog_session_tick(r.server, r.now);
        assert_int_equal(fog_session_output(r.server, buf, sizeof buf, &len, r.now), 0);
        r.out += len;
    }
    struct fog_session_status st;
    fog_session_status(r.server, &st);
    assert_int_equal(st.arq.n.segments_out, 3);
    assert_true(r.out <= 3 * r.in);
    assert_int_equal(st.mux.n.frames_in, 1);
    raw_end(&r);
}

/** A peer that says no hello is treated as vproxy; only the right name makes it extended. */
static void
test_hello(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *hello;
        uint8_t len;
        bool extended;
    } rows[] = {
        {"vproxy says nothing", "", 0, false},
        {"foggara", "fog\1", 4, true},
        {"a later foggara", "fog\1more", 8, true},
        {"another version", "fog\2", 4, false},
        {"cut short", "fog", 3, false},
        {"something else", "xyzzy", 5, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct pair p;
        pair_init(&p, FOG_VIA_KCP);
        p.client_options.kcp.hello_len = rows[i].len;
        memcpy(p.client_options.kcp.hello, rows[i].hello, rows[i].len);
        pair_start(&p, &(struct emu_options){.delay_us = FOG_MS(5)}, 1);
        pair_run(&p, FOG_SEC(2));
        struct fog_session_status st;
        fog_session_status(p.server.s, &st);
        if (st.mux.extended != rows[i].extended)
            fail_msg("%s", rows[i].name);
        assert_int_equal(st.mux.state, FOG_MUX_READY);
        pair_end(&p);
    }
}

/** Sequence numbers run low: told once, and the tunnel goes on. */
static void
test_worn(void **state)
{
    (void)state;
    struct pair p;
    pair_init(&p, FOG_VIA_KCP);
    p.client_options.kcp.rotate_after = 20;
    pair_start(&p, &(struct emu_options){.delay_us = FOG_MS(5)}, 1);
    pair_run(&p, FOG_MS(500));
    struct fog_stream *c, *s;
    pair_open(&p, &c, &s);
    assert_false(told(&p.client, FOG_EV_WORN));
    for (size_t i = 0; i < 30; i++) {
        say(&p, &p.client, c, "tick");
        pair_run(&p, FOG_MS(50));
        hear(&p, &p.server, s, "tick");
    }
    expect(&p.client, FOG_EV_WORN);
    assert_false(told(&p.client, FOG_EV_WORN));
    pair_end(&p);
}

/** The carrier of a pipe ends: what had arrived is heard, then the tunnel is over. */
static void
test_carrier_ends(void **state)
{
    (void)state;
    struct pair p;
    pair_ready(&p, FOG_VIA_PIPE);
    struct fog_stream *c, *s;
    pair_open(&p, &c, &s);
    assert_int_equal(fog_session_input(p.server.s, NULL, 0, p.now), 0);
    pair_flush(&p);
    assert_int_equal(expect(&p.server, FOG_EV_CLOSED).err, FOG_E_CLOSED);
    assert_int_equal(fog_session_deadline(p.server.s, NULL), FOG_TIME_NEVER);
    pair_end(&p);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_links),
        cmocka_unit_test(test_shutdown_is_said_once),
        cmocka_unit_test(test_told_to_go_says_nothing),
        cmocka_unit_test(test_closing_ends_behind_a_full_queue),
        cmocka_unit_test(test_silent_peer_is_dead),
        cmocka_unit_test(test_black_out_is_survived),
        cmocka_unit_test(test_nothing_before_validation),
        cmocka_unit_test(test_never_validated),
        cmocka_unit_test(test_hello),
        cmocka_unit_test(test_worn),
        cmocka_unit_test(test_carrier_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
