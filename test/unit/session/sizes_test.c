/* SPDX-License-Identifier: MIT
 *
 * sizes_test.c - how large datagrams become between two sessions: as both take and as the path
 * carries, and what happens when it carries less than they thought.
 */
#include "pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#define TOTAL ((size_t)3 << 20)

static const struct emu_options link_5ms = {.delay_us = FOG_MS(5)};

static uint32_t
mtu_of(const struct side *side)
{
    struct fog_session_status st;
    fog_session_status(side->s, &st);
    return st.arq.mtu;
}

static struct fog_arq_counters
counters(const struct side *side)
{
    struct fog_session_status st;
    fog_session_status(side->s, &st);
    return st.arq.n;
}

static void
begin(struct pair *p, uint32_t client, uint32_t server, const struct emu_options *link)
{
    pair_init(p, FOG_VIA_KCP);
    p->client_options.kcp.mtu_most = client;
    p->server_options.kcp.mtu_most = server;
    pair_start(p, link, 1);
    pair_run(p, FOG_SEC(2));
    expect(&p->client, FOG_EV_READY);
}

/* A stream that is used both ways. */
struct talk {
    struct flow flows[2];
};

static void
open_talk(struct pair *p, struct talk *t)
{
    struct fog_stream *c, *s;
    pair_open(p, &c, &s);
    t->flows[0] = (struct flow){.from = &p->client, .to = &p->server, .out = c, .in = s};
    t->flows[1] = (struct flow){.from = &p->server, .to = &p->client, .out = s, .in = c};
}

/* Sends TOTAL more bytes both ways; every one of them is checked. */
static void
exchange(struct pair *p, struct talk *t)
{
    t->flows[0].total += TOTAL;
    t->flows[1].total += TOTAL;
    pair_transfer(p, t->flows, 2, FOG_SEC(60));
}

static void
set_links(struct pair *p, const struct emu_options *link)
{
    fogi_emu_set(p->client.link, link);
    fogi_emu_set(p->server.link, link);
}

/* clang-format off */
static const struct {
    const char *name;
    uint32_t client, server, path, client_mtu, server_mtu;
    double loss;
} rows[] = {
    {"both take it and so does the path",        65000, 65000,    0, 65000, 65000, 0},
    {"the smaller word counts, client",           9000, 65000,    0,  9000,  9000, 0},
    {"the smaller word counts, server",          65000,  4000,    0,  4000,  4000, 0},
    {"the server says nothing",                  65000,     0,    0,  1250,  1250, 0},
    {"the client says nothing",                      0, 65000,    0,  1250,  1250, 0},
    {"a path that carries exactly it",            9000,  9000, 9000,  9000,  9000, 0},
    {"a path that carries one byte less",         9000,  9000, 8999,  1250,  1250, 0},
    {"a path that loses: asked until answered",   9000,  9000,    0,  9000,  9000, 0.2},
};
/* clang-format on */

static void
test_as_both_and_the_path_agree(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct pair p;
        struct emu_options link = link_5ms;
        struct talk talk;
        link.mtu = rows[i].path;
        begin(&p, rows[i].client, rows[i].server, &link);
        open_talk(&p, &talk);
        link.loss = rows[i].loss;
        set_links(&p, &link);
        for (int n = 0; n < 4; n++) {
            exchange(&p, &talk);
            pair_run(&p, FOG_SEC(2));
        }
        if (mtu_of(&p.client) != rows[i].client_mtu || mtu_of(&p.server) != rows[i].server_mtu)
            fail_msg("%s: %u and %u", rows[i].name, mtu_of(&p.client), mtu_of(&p.server));
        pair_end(&p);
    }
}

/* What a path refuses costs a few datagrams, not the tunnel, and stops. */
static void
test_a_path_that_refuses_is_asked_four_times(void **state)
{
    (void)state;
    struct pair p;
    struct emu_options link = link_5ms;
    struct talk talk;
    link.mtu = 1500;
    begin(&p, 9000, 9000, &link);
    open_talk(&p, &talk);
    for (int i = 0; i < 7; i++) {
        exchange(&p, &talk);
        pair_run(&p, FOG_SEC(3));
    }
    assert_int_equal(fogi_emu_counters(p.client.link)->mtu_dropped, 4);
    assert_int_equal(fogi_emu_counters(p.server.link)->mtu_dropped, 4);
    assert_int_equal(mtu_of(&p.client), 1250);
    pair_end(&p);
}

/* Large segments that were cut already cannot be made smaller: they wait until the path is back.
 * What is cut then is small, and large again once the path carries it. */
static void
test_a_path_that_shrinks_for_a_while(void **state)
{
    (void)state;
    struct pair p;
    struct emu_options link = link_5ms;
    struct fog_stream *c, *s;
    struct talk talk;
    begin(&p, 9000, 9000, &link);
    open_talk(&p, &talk);
    exchange(&p, &talk);
    assert_int_equal(mtu_of(&p.client), 9000);
    pair_open(&p, &c, &s);
    static uint8_t some[50000];
    size_t taken;
    link.mtu = 1500;
    fogi_emu_set(p.client.link, &link);
    assert_int_equal(fog_session_write(p.client.s, c, some, sizeof some, &taken, p.now), 0);
    assert_true(taken > 20000);
    pair_run(&p, FOG_SEC(2));
    assert_int_equal(mtu_of(&p.client), 1250);
    assert_false(told(&p.client, FOG_EV_CLOSED));
    link.mtu = 0;
    fogi_emu_set(p.client.link, &link);
    pair_run(&p, FOG_SEC(5));
    exchange(&p, &talk); /* is over before the first answer to it comes */
    exchange(&p, &talk);
    assert_int_equal(mtu_of(&p.client), 9000);
    pair_end(&p);
}

/* One datagram each way asks; no segment but data is spent on it. */
static void
test_an_idle_tunnel_asks_nothing(void **state)
{
    (void)state;
    struct pair p;
    begin(&p, 9000, 9000, &link_5ms);
    uint64_t bytes = counters(&p.client).bytes_out;
    pair_run(&p, FOG_SEC(3));
    assert_true(counters(&p.client).bytes_out - bytes < 1000);
    pair_end(&p);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_both_and_the_path_agree),
        cmocka_unit_test(test_a_path_that_refuses_is_asked_four_times),
        cmocka_unit_test(test_a_path_that_shrinks_for_a_while),
        cmocka_unit_test(test_an_idle_tunnel_asks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
