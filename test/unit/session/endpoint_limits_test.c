/* SPDX-License-Identifier: MIT
 *
 * Every bound of an endpoint, at N and at N + 1.
 */
#include "unit/session/net.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

/** An opening from there; the endpoint's answer. */
static int
knock(struct net *n, struct fog_addr from, uint32_t ts)
{
    uint8_t buf[FOG_DATAGRAM_MAX];
    size_t len = net_opening(buf, ts);
    return net_inject(n, from, buf, len);
}

/** Over `pending` the newcomer is let in and another one goes. */
static void
test_pending(void **state)
{
    (void)state;
    struct net n;
    net_init(&n);
    n.options.limits.pending = 10;
    net_start(&n);
    for (uint8_t i = 0; i < 10; i++)
        assert_int_equal(knock(&n, net_addr(i, 1, 1), i), 0);
    assert_int_equal(net_status(&n).pending, 10);
    assert_int_equal(net_status(&n).n.limit_pending_hit, 0);
    size_t held = n.mem.held;
    for (uint8_t i = 10; i < 200; i++)
        assert_int_equal(knock(&n, net_addr(i, 1, 1), i), 0);
    assert_int_equal(net_status(&n).pending, 10);
    assert_int_equal(net_status(&n).n.limit_pending_hit, 190);
    assert_int_equal(net_status(&n).n.opened, 200);
    assert_true(n.mem.held <= held + 2048);
    net_end(&n);
}

/** Which one goes is drawn: of many runs, no place is safe and none is always hit. */
static void
test_eviction_is_random(void **state)
{
    (void)state;
    enum { N = 8, RUNS = 200 };
    size_t gone[N] = {0};
    for (size_t run = 0; run < RUNS; run++) {
        struct net n;
        net_init(&n);
        memcpy(n.options.key, &run, sizeof run);
        n.options.limits.pending = N;
        net_start(&n);
        for (uint8_t i = 0; i < N; i++)
            assert_int_equal(knock(&n, net_addr(i, 1, 1), i), 0);
        assert_int_equal(knock(&n, net_addr(N, 1, 1), N), 0);
        for (uint8_t i = 0; i < N; i++) { /* who is gone would have to open again */
            uint64_t opened = net_status(&n).n.opened;
            fog_endpoint_accept(n.e, false);
            gone[i] += knock(&n, net_addr(i, 1, 1), i) == FOG_E_LIMIT;
            assert_int_equal(net_status(&n).n.opened, opened);
        }
        net_end(&n);
    }
    size_t all = 0;
    for (size_t i = 0; i < N; i++) {
        assert_in_range(gone[i], RUNS / N / 3, RUNS / N * 3);
        all += gone[i];
    }
    assert_int_equal(all, RUNS);
}

static void
test_pending_per_net(void **state)
{
    (void)state;
    struct net n;
    net_init(&n);
    net_start(&n);
    for (uint8_t i = 0; i < 8; i++)
        assert_int_equal(knock(&n, net_addr(1, i, 1), i), 0);
    assert_int_equal(knock(&n, net_addr(1, 100, 1), 100), FOG_E_LIMIT);
    assert_int_equal(net_status(&n).n.limit_pending_per_net_hit, 1);
    assert_int_equal(knock(&n, net_addr(2, 100, 1), 100), 0); /* another net */
    assert_int_equal(net_status(&n).pending, 9);
    net_run(&n, FOG_SEC(6));
    assert_int_equal(knock(&n, net_addr(1, 100, 1), 100), 0); /* they are gone */
    net_end(&n);
}

/** Whoever is validated does not count for its net any more. */
static void
test_validated_leave_their_net(void **state)
{
    (void)state;
    struct net n;
    net_init(&n);
    n.options.limits.pending_per_net = 2;
    net_start(&n);
    for (uint8_t i = 0; i < 10; i++) {
        struct client *c = net_client(&n, net_addr(1, i, 1));
        net_run(&n, FOG_MS(100));
        assert_true(c->ready);
    }
    assert_int_equal(net_status(&n).sessions, 10);
    assert_int_equal(net_status(&n).n.limit_pending_per_net_hit, 0);
    net_end(&n);
}

static void
test_openings(void **state)
{
    (void)state;
    struct net n;
    net_init(&n);
    n.options.limits.pending_per_net = 100;
    net_start(&n);
    for (uint16_t i = 0; i < 5; i++)
        assert_int_equal(knock(&n, net_addr(1, 1, i), i), 0);
    assert_int_equal(knock(&n, net_addr(1, 1, 5), 5), FOG_E_LIMIT);
    assert_int_equal(net_status(&n).n.limit_openings_hit, 1);
    n.now += FOG_MS(50);
    assert_int_equal(knock(&n, net_addr(1, 1, 5), 5), 0);
    assert_int_equal(knock(&n, net_addr(1, 1, 6), 6), FOG_E_LIMIT);
    net_end(&n);
}

static void
test_pending_time(void **state)
{
    (void)state;
    struct net n;
    net_init(&n);
    net_start(&n);
    size_t idle = n.mem.held;
    assert_int_equal(knock(&n, net_addr(1, 1, 1), 1), 0);
    net_run(&n, FOG_SEC(5) - 1);
    assert_int_equal(net_status(&n).pending, 1);
    net_run(&n, 1);
    assert_int_equal(net_status(&n).pending, 0);
    assert_int_equal(net_status(&n).n.limit_pending_time_hit, 1);
    assert_true(n.mem.held <= idle + 512); /* tables only */
    net_end(&n);
}

/** Who comes when all places are taken waits until one is free. */
static void
test_sessions(void **state)
{
    (void)state;
    struct net n;
    net_init(&n);
    n.options.limits.sessions = 3;
    net_start(&n);
    for (uint8_t i = 0; i < 3; i++) {
        net_client(&n, net_addr(i, 1, 1));
        net_run(&n, FOG_MS(100));
    }
    assert_int_equal(net_status(&n).n.limit_sessions_hit, 0);
    struct client *more = net_client(&n, net_addr(3, 1, 1));
    net_run(&n, FOG_SEC(2));
    assert_false(more->ready);
    assert_int_equal(net_status(&n).sessions, 3);
    assert_true(net_status(&n).n.limit_sessions_hit > 0);
    fog_session_shutdown(n.clients[0].s, "room for another", n.now);
    net_run(&n, FOG_SEC(2));
    assert_true(more->ready);
    assert_true(net_echo(&n, more, "in"));
    assert_int_equal(net_status(&n).sessions, 3);
    net_end(&n);
}

/** Many who knock at once are not let in beyond `sessions` when they prove themselves together. */
static void
test_sessions_at_once(void **state)
{
    (void)state;
    struct net n;
    net_init(&n);
    n.options.limits.sessions = 3;
    net_start(&n);
    for (uint8_t i = 0; i < 12; i++)
        net_client(&n, net_addr(i, 1, 1));
    net_run(&n, FOG_SEC(4));
    assert_int_equal(net_status(&n).sessions, 3);
    assert_int_equal(net_status(&n).n.validated, 3);
    assert_true(net_status(&n).n.limit_sessions_hit >= 9);
    net_end(&n);
}

static void
test_per_source(void **state)
{
    (void)state;
    struct net n;
    net_init(&n);
    n.options.limits.per_source = 4;
    net_start(&n);
    for (uint16_t i = 0; i < 4; i++) {
        net_client(&n, net_addr(1, 1, i));
        net_run(&n, FOG_MS(100));
        assert_true(n.clients[i].ready);
    }
    net_client(&n, net_addr(1, 1, 4));
    net_run(&n, FOG_MS(500));
    assert_false(n.clients[4].ready);
    assert_true(net_status(&n).n.limit_per_source_hit > 0);
    assert_int_equal(net_told(&n, FOG_EV_CLOSED), 0); /* all four are alive */
    net_client(&n, net_addr(1, 2, 4));                /* a neighbour is not concerned */
    net_run(&n, FOG_MS(500));
    assert_true(n.clients[5].ready);
    net_end(&n);
}

/** Of a source that holds all it may, the session silent longest makes room for a new one. */
static void
test_stale_session_makes_room(void **state)
{
    (void)state;
    struct net n;
    net_init(&n);
    n.options.limits.per_source = 3;
    net_start(&n);
    for (uint16_t i = 0; i < 3; i++)
        net_client(&n, net_addr(1, 1, i));
    net_run(&n, FOG_MS(200));
    n.clients[1].dark = true;
    net_run(&n, FOG_SEC(2));
    assert_true(net_echo(&n, &n.clients[2], "heard a little later"));
    n.clients[2].dark = true;
    net_run(&n, FOG_SEC(36));
    struct fog_session *stale = NULL, *s = NULL;
    while ((s = fog_endpoint_next(n.e, s))) {
        struct fog_addr addr;
        fog_endpoint_peer(n.e, s, &addr);
        if (addr.port == 1)
            stale = s;
    }
    n.n_log = 0;
    struct client *c = net_client(&n, net_addr(1, 1, 9));
    net_run(&n, FOG_SEC(3));
    assert_true(c->ready);
    assert_true(net_echo(&n, c, "let in"));
    assert_int_equal(net_told_err(&n, FOG_EV_CLOSED, FOG_E_DEAD), 1);
    assert_int_equal(net_told(&n, FOG_EV_CLOSED), 1);
    for (size_t i = 0; i < n.n_log; i++) {
        if (n.log[i].ev.type == FOG_EV_CLOSED)
            assert_ptr_equal(n.log[i].s, stale);
    }
    assert_int_equal(net_status(&n).sessions, 3);
    net_end(&n);
}

/** A flood of openings from everywhere: memory stays bounded and an honest client gets in. */
static void
test_flood(void **state)
{
    (void)state;
    struct net n;
    net_init(&n);
    net_start(&n);
    struct rng rng = {5};
    struct client *honest = NULL;
    for (size_t ms = 0; ms < 3000; ms++) {
        for (size_t i = 0; i < 5; i++) {
            struct fog_addr from = {.port = (uint16_t)rng_next(&rng)};
            uint64_t ip = rng_next(&rng);
            memcpy(from.ip, &ip, sizeof ip);
            int rc = knock(&n, from, (uint32_t)rng_next(&rng));
            assert_true(rc == 0 || rc == FOG_E_LIMIT);
        }
        if (ms == 1000)
            honest = net_client(&n, net_addr(1, 1, 1));
        net_run(&n, FOG_MS(1));
    }
    assert_int_equal(net_status(&n).pending, 256);
    assert_true(honest->ready);
    assert_true(n.mem.peak <= 256 * 6144 + 65536);
    assert_true(n.stray_bytes <= 3 * net_status(&n).n.bytes_in);
    net_end(&n);
}

/** Without memory nobody gets in, nobody is harmed, and it is counted. */
static void
test_memory(void **state)
{
    (void)state;
    struct net n;
    net_init(&n);
    net_start(&n);
    struct client *c = net_client(&n, net_addr(2, 1, 1000));
    net_run(&n, FOG_MS(100));
    size_t held = n.mem.held;
    size_t refused = 0;
    for (uint64_t i = 1; i < 30; i++) { /* the session's making, then its first input */
        n.mem.fail_at = n.mem.calls + i;
        int rc = knock(&n, net_addr(3, (uint8_t)i, 1), 1);
        n.mem.fail_at = 0;
        refused += rc == FOG_E_NOMEM;
        assert_true(net_status(&n).n.limit_memory_hit <= refused);
        assert_int_equal(net_status(&n).n.limit_memory_hit + net_status(&n).n.bad, refused);
        net_run(&n, FOG_SEC(6)); /* whoever got in leaves again */
        assert_int_equal(net_status(&n).pending, 0);
    }
    assert_in_range(refused, 4, 20);
    assert_true(n.mem.held <= held + 1024);
    assert_true(net_echo(&n, c, "unharmed"));
    net_end(&n);
}

/** Whoever was refused for want of memory is not counted as there. */
static void
test_memory_leaves_no_trace(void **state)
{
    (void)state;
    for (uint64_t i = 1; i < 20; i++) {
        struct net n;
        net_init(&n);
        n.options.limits.per_source = 1;
        n.options.limits.pending_per_net = 1;
        net_start(&n);
        n.mem.fail_at = n.mem.calls + i;
        int rc = knock(&n, net_addr(1, 1, 1), 1);
        assert_true(rc == 0 || rc == FOG_E_NOMEM);
        net_run(&n, FOG_SEC(6));
        n.mem.fail_at = 0;
        assert_int_equal(knock(&n, net_addr(1, 1, 1), 1), 0);
        net_end(&n);
    }
}

/** Replacement after `replace_us` of silence, and not a microsecond before. */
static void
test_replace_time(void **state)
{
    (void)state;
    for (fog_time more = 0; more < 2; more++) {
        struct net n;
        net_init(&n);
        net_start(&n);
        struct client *c = net_client(&n, net_addr(1, 1, 1));
        net_run(&n, FOG_MS(100));
        c->dark = true;
        struct fog_session_status st;
        fog_session_status(fog_endpoint_next(n.e, NULL), &st);
        net_run(&n, st.arq.last_input + FOG_SEC(35) + more - n.now);
        assert_int_equal(knock(&n, c->addr, 1), 0);
        assert_int_equal(net_status(&n).pending, more);
        net_end(&n);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pending),
        cmocka_unit_test(test_eviction_is_random),
        cmocka_unit_test(test_pending_per_net),
        cmocka_unit_test(test_validated_leave_their_net),
        cmocka_unit_test(test_openings),
        cmocka_unit_test(test_pending_time),
        cmocka_unit_test(test_sessions),
        cmocka_unit_test(test_sessions_at_once),
        cmocka_unit_test(test_per_source),
        cmocka_unit_test(test_stale_session_makes_room),
        cmocka_unit_test(test_flood),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_memory_leaves_no_trace),
        cmocka_unit_test(test_replace_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
