/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/relay.h"
#include "tunnel_rig.h"

#include <sys/socket.h>

/* Two relays joined by a tunnel held together by hand, with a real connection at either end:
 *
 *     a.app = a.relay = a.tunnel ~ b.tunnel = b.relay = b.app
 */

#define MIB (1u << 20)

struct end {
    struct tunnel_end tunnel;
    struct relay *relay;
    int app; /* our end of the connection */
    unsigned orphans;
};

static struct end a, b;

static void
put_relay(struct end *e, struct carrier *c, struct fog_stream *st)
{
    int fds[2];
    rig_tcp_pair(fds);
    e->app = fds[0];
    e->relay = fogi_relay_new(&p);
    assert_non_null(e->relay);
    assert_int_equal(fogi_relay_open(e->relay), 0);
    assert_int_equal(uv_tcp_open(&e->relay->tcp, fds[1]), 0);
    fogi_relay_attach(e->relay, c, st);
}

static void
opened(struct tunnel_end *t, struct fog_stream *st)
{
    struct end *e = list_entry(t, struct end, tunnel);
    put_relay(e, &t->carrier, st);
    fog_session_connected(t->session, st, process_now(&p));
    fogi_relay_start(e->relay);
}

static int
setup(void **state)
{
    (void)state;
    struct fog_stream *st;
    memset(&a, 0, sizeof a);
    memset(&b, 0, sizeof b);
    if (tunnel_rig_setup(&a.tunnel, &b.tunnel, opened))
        return -1;
    if (fog_session_open(a.tunnel.session, &st, process_now(&p)))
        return -1;
    put_relay(&a, &a.tunnel.carrier, st);
    fogi_relay_start(a.relay);
    tunnel_rig_turns(3);
    return b.relay ? 0 : -1;
}

static int
teardown(void **state)
{
    close(a.app);
    close(b.app);
    return tunnel_rig_teardown(state);
}

static uint8_t
byte_at(size_t i)
{
    return (uint8_t)(i * 31 + (i >> 8) * 7 + (i >> 16));
}

/** Writes without waiting from position `from` up to `to`; where it got. */
static size_t
send_some(int fd, size_t from, size_t to)
{
    uint8_t buf[5000];
    while (from < to) {
        size_t n = to - from < sizeof buf ? to - from : sizeof buf;
        for (size_t i = 0; i < n; i++)
            buf[i] = byte_at(from + i);
        ssize_t sent = send(fd, buf, n, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent <= 0)
            return from;
        from += (size_t)sent;
    }
    return from;
}

/** Reads what is there and compares it; *end becomes 1 at the end, -errno when it broke. */
static size_t
take_some(int fd, size_t from, int *end)
{
    uint8_t buf[7000];
    for (;;) {
        ssize_t n = recv(fd, buf, sizeof buf, MSG_DONTWAIT);
        if (n <= 0) {
            if (!n)
                *end = 1;
            else if (errno != EAGAIN)
                *end = -errno;
            return from;
        }
        for (ssize_t i = 0; i < n; i++)
            assert_int_equal(buf[i], byte_at(from + (size_t)i));
        from += (size_t)n;
    }
}

/** Moves `len` bytes from one application to the other; *end as take_some(). */
static size_t
move(int from, int to, size_t len, int *end)
{
    size_t sent = 0, got = 0;
    fog_time limit = fogi_loop_refresh(&p.loop) + FOG_SEC(10);
    while (got < len && !*end && fogi_loop_now(&p.loop) < limit) {
        sent = send_some(from, sent, len);
        tunnel_rig_turn();
        got = take_some(to, got, end);
    }
    return got;
}

/** Turns until fd is at its end or broken; what take_some() says of it. */
static int
await_end(int fd, size_t from, size_t *got)
{
    int end = 0;
    fog_time limit = fogi_loop_refresh(&p.loop) + FOG_SEC(5);
    while (!end && fogi_loop_now(&p.loop) < limit) {
        tunnel_rig_turn();
        from = take_some(fd, from, &end);
    }
    if (got)
        *got = from;
    return end;
}

static void
reset(int fd)
{
    struct linger now = {1, 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(fd);
}

static void
bytes_cross_both_ways(void **state)
{
    (void)state;
    int end = 0;
    assert_int_equal(move(a.app, b.app, 3 * MIB + 17, &end), 3 * MIB + 17);
    assert_int_equal(move(b.app, a.app, 3 * MIB + 17, &end), 3 * MIB + 17);
    assert_int_equal(end, 0);
}

static void
each_end_is_exact(void **state)
{
    (void)state;
    struct end *first[] = {&a, &b};
    for (int i = 0; i < 2; i++) {
        struct end *x = first[i], *y = first[1 - i];
        int end = 0;
        assert_int_equal(send_some(x->app, 0, 1000), 1000);
        shutdown(x->app, SHUT_WR);
        size_t got;
        assert_int_equal(await_end(y->app, 0, &got), 1);
        assert_int_equal(got, 1000);
        /* The other direction goes on ... */
        assert_int_equal(move(y->app, x->app, MIB, &end), MIB);
        assert_int_equal(end, 0);
        assert_int_equal(p.relays, 2);
        /* ... and ends by itself; then nothing is left. */
        shutdown(y->app, SHUT_WR);
        assert_int_equal(await_end(x->app, 0, NULL), 1);
        tunnel_rig_turns(3);
        assert_int_equal(p.relays, 0);
        assert_int_equal(p.n.streams_ended, 2 * (i + 1));
        if (i == 0) {
            struct fog_stream *st;
            close(a.app);
            close(b.app);
            assert_int_equal(fog_session_open(a.tunnel.session, &st, process_now(&p)), 0);
            put_relay(&a, &a.tunnel.carrier, st);
            fogi_relay_start(a.relay);
            tunnel_rig_turns(3);
        }
    }
}

static void
a_reset_is_a_reset_wherever_it_comes(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t before; /* bytes right in front of it */
        bool half;     /* behind its own end         */
    } rows[] = {{"alone", 0, false}, {"behind bytes", 1000, false}, {"behind its end", 0, true}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        print_message("%s\n", rows[i].name);
        if (rows[i].before)
            send_some(a.app, 0, rows[i].before);
        if (rows[i].half) {
            shutdown(a.app, SHUT_WR);
            assert_int_equal(await_end(b.app, 0, NULL), 1);
        }
        reset(a.app);
        if (rows[i].half) {
            /* b.app has read its end already; the reset shows when it writes. */
            fog_time limit = fogi_loop_refresh(&p.loop) + FOG_SEC(5);
            int err = 0;
            socklen_t len = sizeof err;
            while (!err && fogi_loop_now(&p.loop) < limit) {
                tunnel_rig_turn();
                getsockopt(b.app, SOL_SOCKET, SO_ERROR, &err, &len);
            }
            assert_int_not_equal(err, 0);
        } else {
            assert_int_equal(await_end(b.app, 0, NULL), -ECONNRESET);
        }
        tunnel_rig_turns(3);
        assert_int_equal(p.relays, 0);
        struct fog_stream *st;
        close(b.app);
        assert_int_equal(fog_session_open(a.tunnel.session, &st, process_now(&p)), 0);
        put_relay(&a, &a.tunnel.carrier, st);
        fogi_relay_start(a.relay);
        tunnel_rig_turns(3);
    }
}

static void
a_full_connection_stops_the_other_one(void **state)
{
    (void)state;
    size_t sent = 0, got = 0;
    int end = 0;
    for (size_t last = 1, still = 0; still < 50; last = sent) {
        sent = send_some(a.app, sent, 256 * MIB);
        tunnel_rig_turn();
        still = last == sent ? still + 1 : 0;
    }
    print_message("taken on: %zu bytes, memory held %zu\n", sent, p.budget.used);
    assert_in_range(sent, 1, 64 * MIB);
    assert_in_range(p.budget.used, 1, 16 * MIB); /* of a tunnel */
    /* Nothing is lost of what was taken on. */
    shutdown(a.app, SHUT_WR);
    fog_time limit = fogi_loop_refresh(&p.loop) + FOG_SEC(15);
    while (!end && fogi_loop_now(&p.loop) < limit) {
        tunnel_rig_turn();
        got = take_some(b.app, got, &end);
    }
    print_message("arrived: %zu\n", got);
    assert_int_equal(end, 1);
    assert_int_equal(got, sent);
}

static void
without_memory_the_stream_ends_and_nothing_else(void **state)
{
    (void)state;
    size_t sent = 0, limit = p.budget.limit;
    for (int i = 0; i < 200 && b.relay->piece == NULL; i++) {
        sent = send_some(a.app, sent, 256 * MIB);
        tunnel_rig_turn();
    }
    assert_non_null(b.relay->piece); /* it is full: take the memory away */
    p.budget.limit = p.budget.used;
    assert_null(fogi_relay_new(&p));
    int end = 0;
    size_t got = 0;
    for (int i = 0; i < 2000 && !end; i++) {
        sent = send_some(a.app, sent, 256 * MIB);
        tunnel_rig_turn();
        got = take_some(b.app, got, &end);
    }
    p.budget.limit = limit;
    assert_true(end == -ECONNRESET || !end); /* never an end that looks orderly */
    struct fog_session_status st;
    fog_session_status(a.tunnel.session, &st);
    assert_int_equal(st.mux.state, FOG_MUX_READY);
}

static bool
take_over(struct carrier *c, struct rider *ride)
{
    struct end *e = list_entry(c, struct end, tunnel.carrier);
    e->orphans++;
    fogi_relay_detach(list_entry(ride, struct relay, ride));
    return true;
}

static void
what_has_not_moved_may_move_on(void **state)
{
    (void)state;
    /* The stream of setup() has carried nothing: it may have another tunnel. */
    a.tunnel.carrier.orphan = take_over;
    struct relay *r = a.relay;
    fog_session_shutdown(a.tunnel.session, "test", process_now(&p));
    tunnel_rig_events(&a.tunnel);
    fogi_carrier_end(&a.tunnel.carrier);
    assert_int_equal(a.orphans, 1);
    assert_false(r->closing);
    assert_null(r->ride.stream);
    /* What comes meanwhile is for no stream yet, and stays in the connection. */
    send_some(a.app, 0, 10);
    tunnel_rig_turns(3);
    assert_false(r->closing || r->moved);
    fogi_relay_abort(r);
    tunnel_rig_turns(3);
}

static void
what_has_moved_is_reset(void **state)
{
    (void)state;
    a.tunnel.carrier.orphan = take_over;
    send_some(a.app, 0, 1);
    tunnel_rig_turns(3);
    fog_session_shutdown(a.tunnel.session, "test", process_now(&p));
    tunnel_rig_events(&a.tunnel);
    fogi_carrier_end(&a.tunnel.carrier);
    assert_int_equal(a.orphans, 0);
    tunnel_rig_turns(3);
    int end = 0;
    take_some(a.app, 0, &end);
    assert_int_equal(end, -ECONNRESET);
}

static void
a_cautious_one_reads_after_the_answer(void **state)
{
    (void)state;
    struct end x = {.orphans = 0};
    struct fog_stream *st;
    uint64_t in, out;
    assert_int_equal(fog_session_open(a.tunnel.session, &st, process_now(&p)), 0);
    put_relay(&x, &a.tunnel.carrier, st);
    x.relay->cautious = true;
    send_some(x.app, 0, 100);
    fogi_relay_start(x.relay);
    for (int i = 0; i < 5; i++)
        uv_run(&p.loop.uv, UV_RUN_NOWAIT); /* the tunnel stands still */
    fog_stream_bytes(st, &in, &out);
    assert_int_equal(out, 0);
    assert_false(x.relay->moved);
    close(b.app);
    b.relay = NULL;
    tunnel_rig_turns(5);
    fog_stream_bytes(st, &in, &out);
    assert_int_equal(out, 100);
    int end = 0;
    assert_int_equal(take_some(b.app, 0, &end), 100);
    close(x.app);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bytes_cross_both_ways, setup, teardown),
        cmocka_unit_test_setup_teardown(each_end_is_exact, setup, teardown),
        cmocka_unit_test_setup_teardown(a_reset_is_a_reset_wherever_it_comes, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_connection_stops_the_other_one, setup, teardown),
        cmocka_unit_test_setup_teardown(without_memory_the_stream_ends_and_nothing_else, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_has_not_moved_may_move_on, setup, teardown),
        cmocka_unit_test_setup_teardown(what_has_moved_is_reset, setup, teardown),
        cmocka_unit_test_setup_teardown(a_cautious_one_reads_after_the_answer, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
