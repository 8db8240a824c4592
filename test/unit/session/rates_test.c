/* SPDX-License-Identifier: MIT
 *
 * Told rates: what a hello says about them, who sends how fast, and that it holds on the wire with
 * everything counted: headers of UDP and IP, and what is sent again.
 */
#include "unit/session/net.h"
#include "unit/session/pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "session/greeting.h"

#define MBIT 125000 /* bytes per second */
#define HEADERS 28

/* --------------------------------------------------------------------------------------- hellos */

static const struct {
    const char *name;
    const char *bytes;
    size_t len;
    bool foggara;
    uint32_t down;
} hellos[] = {
    {"nothing", "", 0, false, 0},
    {"the name alone", "fog\1", 4, true, 0},
    {"a wish", "fog\1\x14\x40\x42\x0f\0", 9, true, 1000000},
    {"a wish cut short", "fog\1\x14\x40\x42\x0f", 8, true, 0},
    {"a tag at the end", "fog\1\x14", 5, true, 0},
    {"a field of nothing", "fog\1\x20", 5, true, 0},
    {"behind a field that is not known",
     "fog\1\x23"
     "abc\x14\1\0\0\0",
     13, true, 1},
    {"before one",
     "fog\1\x14\1\0\0\0\x23"
     "abc",
     13, true, 1},
    {"of another length", "fog\1\x12\1\0", 7, true, 0},
    {"twice: the last", "fog\1\x14\1\0\0\0\x14\2\0\0\0", 14, true, 2},
    {"the name of somebody else", "fox\1\x14\1\0\0\0", 9, false, 0},
    {"of another version", "fog\2\x14\1\0\0\0", 9, false, 0},
};

static void
test_hellos(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof hellos / sizeof hellos[0]; i++) {
        struct greeting g;
        uint8_t exact[FOG_HELLO_MAX]; /* so that a reader beyond the end is seen */
        memcpy(exact, hellos[i].bytes, hellos[i].len);
        fogi_greeting_get(&g, exact + 0, hellos[i].len);
        if (g.foggara != hellos[i].foggara || g.down != hellos[i].down)
            fail_msg("%s: %d %u", hellos[i].name, g.foggara, (unsigned)g.down);
    }
}

static void
test_hello_reads_back(void **state)
{
    (void)state;
    static const uint32_t rates[] = {0, 1, 1000, 0x01020304, UINT32_MAX};
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        uint8_t buf[FOG_HELLO_MAX];
        struct greeting g;
        for (unsigned mtu = 0; mtu <= 65000; mtu += 32500) {
            struct greeting put = {.down = rates[i], .mtu = (uint16_t)mtu};
            uint8_t len = fogi_greeting_put(buf, &put);
            assert_int_equal(len, 4 + (rates[i] ? 5 : 0) + (mtu ? 3 : 0));
            fogi_greeting_get(&g, buf, len);
            assert_true(g.foggara);
            assert_int_equal(g.down, rates[i]);
            assert_int_equal(g.mtu, mtu);
        }
    }
}

/* --------------------------------------------------------------------------------- on the wire */

static const struct emu_options link_20ms = {.delay_us = FOG_MS(20), .overhead = HEADERS};

static void
set_up(struct fog_session_options *o, uint64_t rate)
{
    o->kcp.cc = FOG_CC_RATE;
    o->kcp.rate = rate;
}

static uint64_t
rate_of(const struct side *side)
{
    struct fog_session_status st;
    fog_session_status(side->s, &st);
    return st.arq.rate;
}

static uint64_t
wire(const struct side *side)
{
    return fogi_emu_counters(side->link)->bytes;
}

/* Sends for about so many seconds at a rate of bytes per second, losing so many; gives what was on
 * the wire. */
static double
measured_with(struct pair *p, struct side *from, double seconds, uint64_t rate, double loss)
{
    struct side *to = from == &p->client ? &p->server : &p->client;
    struct fog_stream *c, *s;
    pair_open(p, &c, &s);
    struct flow flow = {.from = from,
                        .to = to,
                        .out = from == &p->client ? c : s,
                        .in = from == &p->client ? s : c,
                        .total = (size_t)(seconds * 0.8 * (double)rate)};
    fog_time begin = p->now;
    uint64_t before = wire(from);
    struct emu_options link = link_20ms;
    link.loss = loss;
    fogi_emu_set(from->link, &link);
    pair_transfer(p, &flow, 1, FOG_SEC(100));
    return (double)(wire(from) - before) * 1e6 / (double)(p->now - begin);
}

static double
measured(struct pair *p, struct side *from, double seconds, uint64_t rate)
{
    return measured_with(p, from, seconds, rate, 0);
}

static void
start(struct pair *p, const struct emu_options *link)
{
    pair_start(p, link, 1);
    pair_run(p, FOG_SEC(2));
    expect(&p->client, FOG_EV_READY);
}

#define assert_about(got, want)                                                                    \
    do {                                                                                           \
        double g_ = (got), w_ = (double)(want);                                                    \
        if (g_ < 0.95 * w_ || g_ > 1.02 * w_)                                                      \
            fail_msg("%.0f bytes/s, not %.0f", g_, w_);                                            \
    } while (0)

/* Losses change nothing: they make it slower for the reader, not faster on the wire. */
static void
test_rate_holds_on_the_wire(void **state)
{
    (void)state;
    static const struct {
        uint64_t mbits;
        uint32_t mtu;
        double loss;
    } rows[] = {{4, 1250, 0}, {4, 1250, 0.1}, {4, 1250, 0.3}, {40, 1250, 0.1}, {4, 300, 0.1}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct pair p;
        uint64_t rate = rows[i].mbits * MBIT;
        pair_init(&p, FOG_VIA_KCP);
        set_up(&p.client_options, rate);
        p.client_options.kcp.mtu = rows[i].mtu;
        start(&p, &link_20ms);
        double seconds = rows[i].mbits > 10 ? 3 : 10;
        assert_about(measured_with(&p, &p.client, seconds, rate, rows[i].loss), rate);
        pair_end(&p);
    }
}

/* The start is no burst either: nothing has to be measured first. */
static void
test_first_flight_is_paced(void **state)
{
    (void)state;
    struct pair p;
    struct fog_stream *c;
    static const uint8_t block[60000];
    size_t taken;
    pair_init(&p, FOG_VIA_KCP);
    set_up(&p.client_options, MBIT);
    pair_start(&p, &(struct emu_options){.delay_us = FOG_MS(200), .overhead = HEADERS}, 1);
    pair_run(&p, FOG_MS(600));
    assert_int_equal(fog_session_open(p.client.s, &c, p.now), 0);
    uint64_t before = wire(&p.client);
    assert_int_equal(fog_session_write(p.client.s, c, block, sizeof block, &taken, p.now), 0);
    pair_run(&p, FOG_MS(100));
    /* 16 datagrams may have been saved up */
    assert_in_range(wire(&p.client) - before, 12000, MBIT / 10 + 16 * 1278 + 200);
    pair_end(&p);
}

/* up: what an end was told. down: what the other one asks for. 0: nothing. */
static const struct {
    const char *name;
    uint32_t up, down, want; /* Mbit/s */
} ends[] = {
    {"nobody knows", 0, 0, 0},   {"told", 3, 0, 3},           {"asked", 0, 3, 3},
    {"asked for less", 8, 3, 3}, {"asked for more", 3, 8, 3}, {"the same", 3, 3, 3},
};

static void
test_the_least_wins(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        for (int server = 0; server < 2; server++) {
            struct pair p;
            struct side *side = server ? &p.server : &p.client;
            pair_init(&p, FOG_VIA_KCP);
            struct fog_session_options *o = server ? &p.server_options : &p.client_options;
            struct fog_session_options *other = server ? &p.client_options : &p.server_options;
            if (ends[i].up)
                set_up(o, ends[i].up * MBIT);
            other->down = ends[i].down * MBIT;
            start(&p, &link_20ms);
            if (rate_of(side) != ends[i].want * MBIT)
                fail_msg("%s: %llu", ends[i].name, (unsigned long long)rate_of(side));
            struct fog_session_status st;
            fog_session_status(side->s, &st);
            assert_int_equal(st.asked, ends[i].down * MBIT);
            if (ends[i].want)
                assert_about(measured(&p, side, 4, ends[i].want * MBIT), ends[i].want * MBIT);
            pair_end(&p);
        }
    }
}

/* Out of range is the nearest that is not. */
static void
test_wishes_have_a_range(void **state)
{
    (void)state;
    static const struct {
        uint64_t down, want;
    } rows[] = {{1, FOG_RATE_MIN},
                {FOG_RATE_MIN - 1, FOG_RATE_MIN},
                {FOG_RATE_MIN, FOG_RATE_MIN},
                {FOG_RATE_MAX, FOG_RATE_MAX},
                {UINT64_MAX, FOG_RATE_MAX}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct pair p;
        pair_init(&p, FOG_VIA_KCP);
        p.client_options.down = rows[i].down;
        start(&p, &link_20ms);
        assert_int_equal(rate_of(&p.server), rows[i].want);
        pair_end(&p);
    }
}

/* vproxy's ways know no rate, and a pipe has its own. */
static void
test_who_cannot(void **state)
{
    (void)state;
    struct pair p;
    pair_init(&p, FOG_VIA_KCP);
    assert_int_equal(fog_kcp_options_fast(&p.server_options.kcp, 4), 0);
    p.client_options.down = MBIT;
    start(&p, &link_20ms);
    assert_int_equal(rate_of(&p.server), 0);
    fog_session_set_rate(p.server.s, MBIT, p.now);
    assert_int_equal(rate_of(&p.server), 0);
    pair_end(&p);
    pair_init(&p, FOG_VIA_PIPE);
    p.client_options.down = MBIT;
    start(&p, &link_20ms);
    fog_session_set_rate(p.client.s, MBIT, p.now);
    assert_int_equal(rate_of(&p.client) + rate_of(&p.server), 0);
    pair_end(&p);
}

/* A rate may be told, changed and taken back while bytes flow; the other end's wish stays. */
static void
test_told_on_the_way(void **state)
{
    (void)state;
    struct pair p;
    pair_init(&p, FOG_VIA_KCP);
    p.server_options.down = 6 * MBIT;
    start(&p, &link_20ms);
    assert_about(measured(&p, &p.client, 3, 6 * MBIT), 6 * MBIT);
    fog_session_set_rate(p.client.s, 2 * MBIT, p.now);
    assert_about(measured(&p, &p.client, 5, 2 * MBIT), 2 * MBIT);
    fog_session_set_rate(p.client.s, 9 * MBIT, p.now);
    assert_about(measured(&p, &p.client, 3, 6 * MBIT), 6 * MBIT);
    fog_session_set_rate(p.client.s, 0, p.now);
    assert_int_equal(rate_of(&p.client), 6 * MBIT);
    fog_session_set_rate(p.server.s, 5 * MBIT, p.now);
    assert_about(measured(&p, &p.server, 3, 5 * MBIT), 5 * MBIT);
    fog_session_set_rate(p.server.s, 0, p.now);
    assert_int_equal(rate_of(&p.server), 0);
    /* Back to the model, which is not slow on a link without a rate. */
    assert_true(measured(&p, &p.server, 3, 20 * MBIT) > 20 * MBIT);
    pair_end(&p);
}

/* An endpoint tells all it has, and those to come. */
static void
test_endpoint(void **state)
{
    (void)state;
    struct net n;
    net_init(&n);
    net_start(&n);
    net_client(&n, net_addr(1, 1, 1000));
    net_run(&n, FOG_SEC(1));
    assert_int_equal(fog_endpoint_set_rates(n.e, FOG_RATE_MIN - 1, 0, n.now), FOG_E_USAGE);
    assert_int_equal(fog_endpoint_set_rates(n.e, FOG_RATE_MAX + UINT64_C(1), 0, n.now),
                     FOG_E_USAGE);
    assert_int_equal(fog_endpoint_set_rates(n.e, 3 * MBIT, 7 * MBIT, n.now), 0);
    struct client *later = net_client(&n, net_addr(1, 2, 1000));
    net_run(&n, FOG_SEC(1));
    struct fog_session_status st;
    unsigned sessions = 0;
    for (struct fog_session *s = NULL; (s = fog_endpoint_next(n.e, s)); sessions++) {
        fog_session_status(s, &st);
        assert_int_equal(st.arq.rate, 3 * MBIT);
    }
    assert_int_equal(sessions, 2);
    fog_session_status(later->s, &st);
    assert_int_equal(st.arq.rate, 7 * MBIT);
    assert_int_equal(fog_endpoint_set_rates(n.e, 0, 0, n.now), 0);
    fog_session_status(fog_endpoint_next(n.e, NULL), &st);
    assert_int_equal(st.arq.rate, 0);
    assert_true(net_echo(&n, later, "still there"));
    net_end(&n);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hellos),
        cmocka_unit_test(test_hello_reads_back),
        cmocka_unit_test(test_rate_holds_on_the_wire),
        cmocka_unit_test(test_first_flight_is_paced),
        cmocka_unit_test(test_the_least_wins),
        cmocka_unit_test(test_wishes_have_a_range),
        cmocka_unit_test(test_who_cannot),
        cmocka_unit_test(test_told_on_the_way),
        cmocka_unit_test(test_endpoint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
