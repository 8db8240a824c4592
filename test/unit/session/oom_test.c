/* SPDX-License-Identifier: MIT
 *
 * A whole conversation in which the n-th allocation fails, for every n, on either side. Whatever
 * happens, nothing crashes or leaks, no byte is wrong, and everyone learns how it ended.
 */
#include "unit/session/net.h"
#include "unit/session/pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#define BYTES 40000

/** One stream of one side, as an application without opinions holds it. */
struct end {
    struct fog_stream *st; /* NULL: not yet, or released */
    size_t read, written;
    bool eof, finished, over;
};

struct talk {
    struct end client, server, extra; /* extra: a second stream, reset half-way */
    bool closed;
};

static uint8_t
pattern(size_t i)
{
    return (uint8_t)(i * 7 ^ i >> 8);
}

static void
read_some(struct pair *p, struct side *side, struct end *e)
{
    const void *buf;
    size_t len;
    bool eof;
    while (fog_session_peek(side->s, e->st, &buf, &len, &eof) == 0) {
        for (size_t i = 0; i < len; i++)
            assert_int_equal(((const uint8_t *)buf)[i], pattern(e->read + i));
        e->read += len;
        e->eof |= eof;
        if (len == 0)
            return;
        fog_session_consume(side->s, e->st, len, p->now);
    }
}

/** Writes up to `until` bytes of the pattern, and ends there if it is the whole. */
static void
write_some(struct pair *p, struct side *side, struct end *e, size_t until)
{
    while (e->written < until) {
        uint8_t buf[3000];
        size_t n = until - e->written < sizeof buf ? until - e->written : sizeof buf, taken;
        for (size_t i = 0; i < n; i++)
            buf[i] = pattern(e->written + i);
        int rc = fog_session_write(side->s, e->st, buf, n, &taken, p->now);
        assert_true(rc == 0 || rc == FOG_E_NOMEM || rc == FOG_E_RESET || rc == FOG_E_CLOSED);
        e->written += taken;
        if (rc || taken < n)
            return;
    }
    if (e->written == BYTES)
        e->finished = fog_session_finish(side->s, e->st, p->now) == 0;
}

static void
end_stream(struct pair *p, struct side *side, struct end *e)
{
    if (!e->st)
        return;
    fog_session_release(side->s, e->st, p->now);
    e->st = NULL;
    e->over = true;
}

/** Takes a side's events; true when the tunnel is over. */
static bool
take_events(struct pair *p, struct side *side, struct end *a, struct end *b)
{
    bool closed = false;
    for (size_t i = 0; i < side->n_log; i++) {
        struct fog_event ev = side->log[i];
        if (ev.type == FOG_EV_OPENED) {
            struct end *e = a->st || a->over ? b : a;
            assert_null(e->st);
            e->st = ev.stream;
            fog_session_connected(side->s, ev.stream, p->now);
        } else if (ev.type == FOG_EV_RESET) {
            end_stream(p, side, ev.stream == a->st ? a : b);
        }
        closed |= ev.type == FOG_EV_CLOSED;
    }
    side->n_log = 0;
    return closed;
}

static void
talk_client(struct pair *p, struct talk *t, size_t turn)
{
    if (!t->client.st && !t->client.over &&
        fog_session_open(p->client.s, &t->client.st, p->now) == 0)
        fog_stream_set_user(t->client.st, t);
    if (t->client.st && !t->extra.over && !t->extra.st) {
        int rc = fog_session_open(p->client.s, &t->extra.st, p->now);
        assert_true(rc == 0 || rc == FOG_E_NOMEM || rc == FOG_E_CLOSED);
    }
    if (t->client.st) {
        write_some(p, &p->client, &t->client, BYTES);
        read_some(p, &p->client, &t->client);
    }
    if (t->extra.st && turn < 8)
        write_some(p, &p->client, &t->extra, 2000);
    else if (t->extra.st) {
        fog_session_reset(p->client.s, t->extra.st, p->now);
        end_stream(p, &p->client, &t->extra);
    }
}

/** The conversation: a question of BYTES, echoed whole, both directions ended in order, then the
 *  tunnel. True when all of it went through. */
static bool
talk(struct pair *p)
{
    struct talk t = {0};
    struct end other = {0};
    bool whole = false;
    for (size_t turn = 0; turn < 400 && !t.closed && !whole; turn++) {
        pair_run(p, FOG_MS(20));
        t.closed = take_events(p, &p->client, &t.client, &t.extra);
        t.closed |= take_events(p, &p->server, &t.server, &other);
        if (t.closed || t.client.over || t.server.over)
            break;
        talk_client(p, &t, turn);
        if (t.server.st) {
            read_some(p, &p->server, &t.server);
            write_some(p, &p->server, &t.server, t.server.read);
        }
        if (other.st) /* its bytes are nobody's: they only must not disturb */
            read_some(p, &p->server, &other);
        whole = t.client.eof && t.client.read == BYTES;
    }
    assert_true(whole || t.closed || t.client.over || t.server.over); /* nobody hangs */
    end_stream(p, &p->client, &t.client);
    end_stream(p, &p->client, &t.extra);
    end_stream(p, &p->server, &t.server);
    end_stream(p, &p->server, &other);
    fog_session_shutdown(p->client.s, "done", p->now);
    pair_run(p, FOG_SEC(2));
    assert_int_equal(fog_session_deadline(p->client.s, NULL), FOG_TIME_NEVER);
    return whole;
}

/** One conversation; fail says on which side and at which allocation. How many that side made. */
static uint64_t
run(enum fog_via via, bool server, uint64_t fail_at, bool *whole)
{
    struct pair p;
    pair_init(&p, via);
    struct counting *c = server ? &p.server.mem : &p.client.mem;
    c->fail_at = fail_at;
    int rc = pair_try(&p, &(struct emu_options){.delay_us = FOG_MS(5)}, 1);
    assert_int_equal(rc, c->calls == fail_at && rc ? FOG_E_NOMEM : 0);
    *whole = rc == 0 && talk(&p);
    uint64_t calls = c->calls;
    pair_end(&p);
    return calls;
}

static void
sweep(enum fog_via via, bool server)
{
    bool whole;
    uint64_t calls = run(via, server, 0, &whole), healed = 0;
    assert_true(whole);
    assert_in_range(calls, 20, 3000);
    for (uint64_t i = 1; i <= calls; i++) {
        run(via, server, i, &whole);
        healed += whole;
    }
    /* Most of the time the loss of an allocation is only a delay. */
    assert_true(healed * 2 > calls);
}

static void
test_kcp_client(void **state)
{
    (void)state;
    sweep(FOG_VIA_KCP, false);
}

static void
test_kcp_server(void **state)
{
    (void)state;
    sweep(FOG_VIA_KCP, true);
}

static void
test_pipe_client(void **state)
{
    (void)state;
    sweep(FOG_VIA_PIPE, false);
}

static void
test_pipe_server(void **state)
{
    (void)state;
    sweep(FOG_VIA_PIPE, true);
}

/** The same for an endpoint: two clients come, talk, restart on their port and go. */
static uint64_t
run_endpoint(uint64_t fail_at)
{
    struct net n;
    net_init(&n);
    net_start(&n);
    uint64_t before = n.mem.calls;
    n.mem.fail_at = fail_at ? before + fail_at : 0;
    struct client *a = net_client(&n, net_addr(1, 1, 1)), *b = net_client(&n, net_addr(2, 1, 1));
    net_run(&n, FOG_SEC(1));
    bool both = net_echo(&n, a, "a question") && net_echo(&n, b, "another");
    a->dark = true;
    net_run(&n, FOG_SEC(36)); /* longer than replace_us */
    struct client *again = net_client(&n, a->addr);
    net_run(&n, FOG_SEC(2));
    both &= net_echo(&n, again, "again");
    assert_true(both || fail_at);
    net_echo(&n, b, "the neighbour");
    uint8_t buf[FOG_DATAGRAM_MAX];
    size_t len = net_opening(buf, 1);
    for (uint8_t i = 0; i < 4; i++)
        net_inject(&n, net_addr(3, i, 1), buf, len);
    fog_session_shutdown(b->s, "done", n.now);
    net_run(&n, FOG_SEC(8));
    assert_int_equal(net_status(&n).pending, 0);
    uint64_t calls = n.mem.calls - before;
    net_end(&n);
    return calls;
}

static void
test_endpoint(void **state)
{
    (void)state;
    uint64_t calls = run_endpoint(0);
    assert_in_range(calls, 30, 2000);
    for (uint64_t i = 1; i <= calls; i++)
        run_endpoint(i);
}

static void
test_endpoint_is_made_or_not(void **state)
{
    (void)state;
    struct fog_endpoint_options o;
    fog_endpoint_options_init(&o);
    for (uint64_t i = 1; i <= 2; i++) {
        struct counting count = {.fail_at = i};
        struct fog_alloc al = counting(&count);
        struct fog_endpoint *e = NULL;
        assert_int_equal(fog_endpoint_new(&e, &o, &al, 0), FOG_E_NOMEM);
        assert_null(e);
        assert_int_equal(count.held, 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kcp_client),  cmocka_unit_test(test_kcp_server),
        cmocka_unit_test(test_pipe_client), cmocka_unit_test(test_pipe_server),
        cmocka_unit_test(test_endpoint),    cmocka_unit_test(test_endpoint_is_made_or_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
