/* SPDX-License-Identifier: MIT
 *
 * What an endpoint does with peers, strangers and those who pretend.
 */
#include "unit/session/net.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/wire.h"

static void
test_one_client(void **state)
{
    (void)state;
    struct net n;
    net_init(&n);
    net_start(&n);
    size_t idle = n.mem.held;
    struct client *c = net_client(&n, net_addr(2, 1, 1000));
    net_run(&n, FOG_MS(100));
    assert_true(c->ready);
    assert_true(net_echo(&n, c, "hello"));
    assert_int_equal(net_status(&n).sessions, 1);
    assert_int_equal(net_status(&n).pending, 0);
    assert_int_equal(net_status(&n).n.opened, 1);
    assert_int_equal(net_status(&n).n.validated, 1);
    fog_session_shutdown(c->s, "bye", n.now);
    net_run(&n, FOG_SEC(2));
    assert_int_equal(net_told_err(&n, FOG_EV_CLOSED, FOG_E_SHUTDOWN), 1);
    assert_int_equal(net_status(&n).sessions, 0);
    assert_int_equal(net_status(&n).n.dropped, 1);
    assert_int_equal(fog_endpoint_deadline(n.e, NULL), FOG_TIME_NEVER);
    assert_true(n.mem.held < idle + 1024); /* tables only */
    net_end(&n);
}

static void
test_many_clients_are_told_apart(void **state)
{
    (void)state;
    struct net n;
    net_init(&n);
    net_start(&n);
    struct client *c[20];
    for (uint8_t i = 0; i < 20; i++)
        c[i] = net_client(&n, net_addr(i % 5, i % 2, (uint16_t)(1000 + i)));
    net_run(&n, FOG_MS(200));
    assert_int_equal(net_status(&n).sessions, 20);
    for (size_t i = 0; i < 20; i++) {
        char text[20] = "text for ";
        text[9] = (char)('a' + i);
        assert_true(net_echo(&n, c[i], text));
    }
    bool seen[20] = {false};
    size_t walked = 0;
    for (struct fog_session *s = NULL; (s = fog_endpoint_next(n.e, s)); walked++) {
        struct fog_addr addr;
        fog_endpoint_peer(n.e, s, &addr);
        assert_in_range(addr.port, 1000, 1019);
        assert_false(seen[addr.port - 1000]);
        seen[addr.port - 1000] = true;
    }
    assert_int_equal(walked, 20);
    net_end(&n);
}

/** Nothing a stranger sends is kept or answered with more than it sent. */
static void
test_garbage_from_strangers(void **state)
{
    (void)state;
    struct net n;
    net_init(&n);
    net_start(&n);
    size_t idle = n.mem.held;
    struct rng rng = {3};
    uint8_t buf[FOG_DATAGRAM_MAX];
    for (size_t i = 0; i < 2000; i++) {
        size_t len = rng_below(&rng, rng_below(&rng, 2) ? 60 : sizeof buf + 1);
        for (size_t k = 0; k < len; k++)
            buf[k] = (uint8_t)rng_next(&rng);
        if (rng_below(&rng, 2))
            memset(buf, 0, len < 4 ? len : 4); /* the right conversation */
        assert_int_equal(net_inject(&n, net_addr(9, (uint8_t)i, (uint16_t)i), buf, len),
                         FOG_E_STRANGER);
    }
    assert_int_equal(n.mem.held, idle);
    assert_int_equal(n.n_strays, 0);
    assert_int_equal(net_status(&n).n.strangers, 2000);
    assert_int_equal(net_status(&n).n.opened, 0);
    net_end(&n);
}

/** Garbage from a peer's own address is refused, counted, and ends nothing. */
static void
test_garbage_at_a_session(void **state)
{
    (void)state;
    struct net n;
    net_init(&n);
    net_start(&n);
    struct client *c = net_client(&n, net_addr(2, 1, 1000));
    net_run(&n, FOG_MS(100));
    uint8_t buf[FOG_DATAGRAM_MAX] = {0};
    /* clang-format off */
    const struct { const char *name; size_t len; int err; } rows[] = {
        {"one byte",        1,                    FOG_E_FORMAT},
        {"no such command", FOG_KCP_HEADER,       FOG_E_FORMAT},
        {"too long",        FOG_DATAGRAM_MAX + 1, FOG_E_FORMAT},
    };
    /* clang-format on */
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        static uint8_t zeros[FOG_DATAGRAM_MAX + 1];
        if (net_inject(&n, c->addr, zeros, rows[i].len) != rows[i].err)
            fail_msg("%s", rows[i].name);
    }
    size_t len = net_push(buf, 0, 5, 1, "x", 1);
    buf[0] = 1;
    assert_int_equal(net_inject(&n, c->addr, buf, len), FOG_E_CONV);
    buf[0] = 0;
    put_le32(buf + 16, 1000); /* una of segments never sent */
    assert_int_equal(net_inject(&n, c->addr, buf, len), FOG_E_FORMAT);
    assert_int_equal(net_status(&n).n.bad, 5);
    assert_true(net_echo(&n, c, "still here"));
    net_end(&n);
}

/* --------------------------------------------------------------------------- unknown sessions */

/** A server that restarted answers what it does not know; its client learns at once. */
static void
test_server_restart_is_seen_at_once(void **state)
{
    (void)state;
    struct net n;
    net_init(&n);
    net_start(&n);
    struct client *c = net_client(&n, net_addr(2, 1, 1000));
    net_run(&n, FOG_MS(100));
    assert_true(net_echo(&n, c, "before"));
    net_run(&n, FOG_SEC(1));
    fog_endpoint_free(n.e);
    memset(n.served, 0, sizeof n.served);
    assert_int_equal(n.mem.held, 0);
    n.options.key[0] ^= 1;
    struct fog_alloc al = counting(&n.mem);
    assert_int_equal(fog_endpoint_new(&n.e, &n.options, &al, n.now), 0);
    fog_time since = n.now;
    assert_false(net_echo(&n, c, "lost"));
    assert_int_equal(c->closed, FOG_E_RESTARTED);
    assert_true(c->closed_at - since < FOG_MS(100));
    assert_int_equal(net_status(&n).n.opened, 0);
    assert_true(net_status(&n).n.unknown_out > 0);
    net_end(&n);
}

/** The answer is at most three times what it answers, and no news to anyone but the sender: the
 * proof for foggara, and what ends a vproxy without a byte for its application. */
static void
test_answer_to_a_stranger(void **state)
{
    (void)state;
    struct net n;
    net_init(&n);
    net_start(&n);
    uint8_t buf[FOG_DATAGRAM_MAX];
    size_t len = net_push(buf, 0xabcdef01, 7, 3, "", 0);
    assert_int_equal(net_inject(&n, net_addr(9, 9, 9), buf, len), FOG_E_STRANGER);
    assert_int_equal(n.n_strays, 2);
    assert_true(n.strays[0].len + n.strays[1].len <= 3 * len);
    assert_int_equal(n.strays[0].len, FOG_KCP_HEADER);
    assert_int_equal(n.strays[0].to.port, 9);
    assert_int_equal(n.strays[0].bytes[4], 84); /* WINS */
    assert_int_equal(get_le32(n.strays[0].bytes + 8), 0xabcdef01);
    assert_int_equal(get_le32(n.strays[0].bytes + 12), 7);
    assert_int_equal(get_le32(n.strays[0].bytes + 16), 0);
    static const uint8_t end[FOG_KCP_HEADER] = {0};
    assert_int_equal(n.strays[1].to.port, 9);
    assert_int_equal(n.strays[1].len, sizeof end);
    assert_memory_equal(n.strays[1].bytes, end, sizeof end); /* no command: ends a vproxy */
    static const uint8_t ack[FOG_KCP_HEADER] = {[4] = 82};
    assert_int_equal(net_inject(&n, net_addr(9, 9, 9), ack, sizeof ack), FOG_E_STRANGER);
    assert_int_equal(n.n_strays, 2); /* nothing to answer */
    net_end(&n);
}

/** 32 answers may wait and 1,000 are given in a second; whoever comes then is not answered. */
static void
test_answers_at_their_limits(void **state)
{
    (void)state;
    struct net n;
    net_init(&n);
    net_start(&n);
    uint8_t buf[FOG_DATAGRAM_MAX];
    size_t len = net_push(buf, 1, 7, 3, "", 0);
    struct fog_addr from = net_addr(9, 9, 9);
    for (size_t i = 0; i < 33; i++)
        assert_int_equal(fog_endpoint_input(n.e, &from, buf, len, n.now), FOG_E_STRANGER);
    net_flush(&n);
    assert_int_equal(n.n_strays, 64);
    for (size_t i = 0; i < 2000; i++)
        net_inject(&n, from, buf, len);
    assert_int_equal(n.n_strays, 2000);
    assert_int_equal(net_status(&n).n.unknown_out, 1000);
    n.now += FOG_SEC(1);
    for (size_t i = 0; i < 2000; i++)
        net_inject(&n, from, buf, len);
    assert_int_equal(n.n_strays, 4000);
    net_end(&n);
}

/* ------------------------------------------------------------------------- the same port again */

/** A client that restarts behind its old port is served anew once the old session was silent. */
static void
test_restart_on_the_same_port(void **state)
{
    (void)state;
    struct net n;
    net_init(&n);
    net_start(&n);
    struct client *old = net_client(&n, net_addr(2, 1, 1000));
    net_run(&n, FOG_MS(100));
    assert_true(net_echo(&n, old, "old"));
    old->dark = true;
    net_run(&n, FOG_SEC(36));
    struct client *fresh = net_client(&n, old->addr);
    fog_time since = n.now;
    net_run(&n, FOG_SEC(1));
    assert_true(fresh->ready);
    assert_true(n.now - since <= FOG_SEC(1));
    assert_int_equal(net_told_err(&n, FOG_EV_CLOSED, FOG_E_RESTARTED), 1);
    assert_int_equal(net_status(&n).n.replaced, 1);
    assert_int_equal(net_status(&n).sessions, 1);
    assert_true(net_echo(&n, fresh, "new"));
    net_end(&n);
}

/** The same while the old session has much to say: its retransmissions do not confuse the new. */
static void
test_restart_while_the_old_session_talks(void **state)
{
    (void)state;
    struct net n;
    net_init(&n);
    net_start(&n);
    struct client *old = net_client(&n, net_addr(2, 1, 1000));
    net_run(&n, FOG_MS(100));
    struct fog_stream *st;
    size_t taken;
    assert_int_equal(fog_session_open(old->s, &st, n.now), 0);
    static const uint8_t block[100000];
    assert_int_equal(fog_session_write(old->s, st, block, sizeof block, &taken, n.now), 0);
    net_run(&n, FOG_MS(14)); /* the echo is under way and will never be acknowledged */
    old->dark = true;
    net_run(&n, FOG_SEC(36));
    struct client *fresh = net_client(&n, old->addr);
    net_run(&n, FOG_SEC(2));
    assert_true(fresh->ready);
    assert_true(net_echo(&n, fresh, "new"));
    assert_int_equal(net_status(&n).n.replaced, 1);
    net_end(&n);
}

/** An opening from the address of a session that is alive, from someone who cannot hear the
 *  answer: the session and its streams stay, and the pretender is forgotten. */
static void
test_spoofed_opening_hurts_nobody(void **state)
{
    (void)state;
    static const fog_time silence[] = {FOG_MS(500), FOG_SEC(4), FOG_SEC(9)};
    for (size_t i = 0; i < 3; i++) {
        struct net n;
        net_init(&n);
        n.options.limits.replace_us = FOG_SEC(3); /* within a keepalive, so that it is tried */
        net_start(&n);
        struct client *c = net_client(&n, net_addr(2, 1, 1000));
        net_run(&n, FOG_MS(100));
        assert_true(net_echo(&n, c, "one"));
        net_run(&n, silence[i]);
        uint8_t buf[FOG_DATAGRAM_MAX];
        size_t len = net_opening(buf, 0x55555555);
        uint64_t got = c->got;
        for (size_t k = 0; k < 3; k++)
            net_inject(&n, c->addr, buf, len);
        net_run(&n, FOG_MS(200));
        assert_true(c->got - got <= 10);
        assert_true(net_echo(&n, c, "two"));
        net_run(&n, FOG_SEC(20));
        assert_true(net_echo(&n, c, "three"));
        assert_int_equal(c->closed, 0);
        assert_int_equal(net_told(&n, FOG_EV_CLOSED), 0);
        assert_int_equal(net_status(&n).n.replaced, 0);
        assert_int_equal(net_status(&n).pending, 0);
        assert_int_equal(net_status(&n).sessions, 1);
        net_end(&n);
    }
}

/** Every datagram that the pretender's successor says goes to the address within the 3x rule, and
 * an opening repeated is not taken for the old session's own. */
static void
test_opening_goes_to_the_successor_only(void **state)
{
    (void)state;
    struct net n;
    net_init(&n);
    net_start(&n);
    struct client *c = net_client(&n, net_addr(2, 1, 1000));
    net_run(&n, FOG_MS(100));
    assert_true(net_echo(&n, c, "one"));
    c->dark = true;
    net_run(&n, FOG_SEC(36));
    struct fog_session *old = fog_endpoint_next(n.e, NULL);
    struct fog_session_status before, after;
    fog_session_status(old, &before);
    uint8_t buf[FOG_DATAGRAM_MAX];
    size_t len = net_opening(buf, 0x55555555);
    for (size_t k = 0; k < 4; k++)
        assert_int_equal(net_inject(&n, c->addr, buf, len), 0);
    fog_session_status(old, &after);
    assert_int_equal(net_status(&n).pending, 1);
    assert_int_equal(after.arq.last_input, before.arq.last_input);
    assert_int_equal(after.arq.n.duplicates, before.arq.n.duplicates);
    net_end(&n);
}

/* --------------------------------------------------------------------------------------- the end
 */

static void
test_drop_says_the_last_word_once(void **state)
{
    (void)state;
    struct net n;
    net_init(&n);
    net_start(&n);
    struct client *c = net_client(&n, net_addr(2, 1, 1000));
    net_run(&n, FOG_MS(100));
    assert_true(net_echo(&n, c, "one"));
    net_run(&n, FOG_SEC(1));
    struct fog_session *s = fog_endpoint_next(n.e, NULL);
    uint64_t out = net_status(&n).n.datagrams_out;
    fog_endpoint_drop(n.e, s, n.now);
    assert_null(fog_endpoint_next(n.e, NULL));
    net_flush(&n);
    assert_int_equal(net_status(&n).n.datagrams_out, out + 1);
    assert_int_equal(net_status(&n).sessions, 0);
    net_run(&n, FOG_SEC(120));
    assert_int_equal(c->closed, FOG_E_SHUTDOWN);
    assert_true(net_status(&n).n.datagrams_out <= out + 2);
    assert_int_equal(fog_endpoint_deadline(n.e, NULL), FOG_TIME_NEVER);
    net_end(&n);
}

/** The last word stands behind data that may not leave all at once: it is waited for. */
static void
test_drop_waits_for_the_pacer(void **state)
{
    (void)state;
    struct net n;
    net_init(&n);
    net_start(&n);
    fogi_emu_set(n.up, &(struct emu_options){.delay_us = FOG_MS(40)});
    fogi_emu_set(n.down, &(struct emu_options){.delay_us = FOG_MS(40)});
    struct client *c = net_client(&n, net_addr(2, 1, 1000));
    net_run(&n, FOG_SEC(1));
    struct fog_stream *st;
    assert_int_equal(fog_session_open(c->s, &st, n.now), 0);
    net_run(&n, FOG_SEC(1));
    static const uint8_t block[100000];
    size_t taken;
    struct fog_session *s = fog_endpoint_next(n.e, NULL);
    assert_int_equal(fog_session_write(s, n.served[0].st, block, sizeof block, &taken, n.now), 0);
    assert_true(taken > 20000);
    fog_endpoint_drop(n.e, s, n.now);
    memset(n.served, 0, sizeof n.served);
    net_run(&n, FOG_SEC(3));
    assert_int_equal(c->closed, FOG_E_SHUTDOWN);
    assert_int_equal(net_status(&n).sessions, 0);
    net_end(&n);
}

/** Draining: who is there stays, who comes is not let in. */
static void
test_accept_off(void **state)
{
    (void)state;
    struct net n;
    net_init(&n);
    net_start(&n);
    struct client *c = net_client(&n, net_addr(2, 1, 1000));
    net_run(&n, FOG_MS(100));
    fog_endpoint_accept(n.e, false);
    uint8_t buf[FOG_DATAGRAM_MAX];
    size_t len = net_opening(buf, 1);
    assert_int_equal(net_inject(&n, net_addr(3, 1, 1000), buf, len), FOG_E_LIMIT);
    assert_int_equal(net_status(&n).pending, 0);
    assert_true(net_echo(&n, c, "still served"));
    fog_endpoint_accept(n.e, true);
    assert_int_equal(net_inject(&n, net_addr(3, 1, 1000), buf, len), 0);
    assert_int_equal(net_status(&n).pending, 1);
    net_end(&n);
}

/** The application hears nothing of whoever is not validated, not even its end. */
static void
test_pending_is_nobody_to_the_application(void **state)
{
    (void)state;
    struct net n;
    net_init(&n);
    net_start(&n);
    uint8_t buf[FOG_DATAGRAM_MAX];
    size_t len = net_opening(buf, 1);
    assert_int_equal(net_inject(&n, net_addr(3, 1, 1000), buf, len), 0);
    len = net_push(buf, 1, 0, 0, "not a handshake at all", 22);
    assert_int_equal(net_inject(&n, net_addr(4, 1, 1000), buf, len), 0);
    assert_null(fog_endpoint_next(n.e, NULL));
    enum fog_why why;
    assert_true(fog_endpoint_deadline(n.e, &why) <= n.now + FOG_SEC(5));
    net_run(&n, FOG_SEC(6));
    assert_int_equal(n.n_log, 0);
    assert_int_equal(net_status(&n).pending, 0);
    assert_int_equal(net_status(&n).n.validated, 0);
    assert_true(n.stray_bytes <= 3 * (33 + 46));
    assert_int_equal(fog_endpoint_deadline(n.e, NULL), FOG_TIME_NEVER);
    net_end(&n);
}

static void
test_bad_options(void **state)
{
    (void)state;
    struct counting count = {0};
    struct fog_alloc al = counting(&count);
    for (size_t i = 0; i < 6; i++) {
        struct fog_endpoint_options o;
        struct fog_endpoint *e = NULL;
        fog_endpoint_options_init(&o);
        if (i == 0)
            o.session.via = FOG_VIA_PIPE;
        else if (i == 1)
            fog_session_options_init(&o.session, FOG_CLIENT);
        else if (i == 2)
            o.limits.sessions = 0;
        else if (i == 3)
            o.limits.pending = 0;
        else if (i == 4)
            o.limits.openings.burst = 0;
        else
            o.limits.per_source = 0;
        assert_int_equal(fog_endpoint_new(&e, &o, &al, 0), FOG_E_USAGE);
        assert_null(e);
    }
    assert_int_equal(count.calls, 0);
    fog_endpoint_free(NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_client),
        cmocka_unit_test(test_many_clients_are_told_apart),
        cmocka_unit_test(test_garbage_from_strangers),
        cmocka_unit_test(test_garbage_at_a_session),
        cmocka_unit_test(test_server_restart_is_seen_at_once),
        cmocka_unit_test(test_answer_to_a_stranger),
        cmocka_unit_test(test_answers_at_their_limits),
        cmocka_unit_test(test_restart_on_the_same_port),
        cmocka_unit_test(test_restart_while_the_old_session_talks),
        cmocka_unit_test(test_spoofed_opening_hurts_nobody),
        cmocka_unit_test(test_opening_goes_to_the_successor_only),
        cmocka_unit_test(test_drop_says_the_last_word_once),
        cmocka_unit_test(test_drop_waits_for_the_pacer),
        cmocka_unit_test(test_accept_off),
        cmocka_unit_test(test_pending_is_nobody_to_the_application),
        cmocka_unit_test(test_bad_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
