/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "io/udp.h"

#include <foggara/arq.h>

/* Two sockets of one loop on loopback. */

struct end {
    struct udp udp;
    unsigned received, hints, lengths[256];
    unsigned close_after; /* datagrams; 0: never */
    int hint;
    struct fog_addr from, local;
    uint8_t last[FOG_DATAGRAM_MAX];
    bool closed;
};

static struct loop loop;
static struct udp_batch *batch;
static struct end server, client;

static void
on_datagram(struct udp *u, const struct fog_addr *from, const struct fog_addr *local,
            const void *buf, size_t len)
{
    struct end *e = u->owner;
    if (e->received < 256)
        e->lengths[e->received] = (unsigned)len;
    e->received++;
    e->from = *from;
    e->local = *local;
    memcpy(e->last, buf, len < sizeof e->last ? len : sizeof e->last);
    if (e->received == e->close_after)
        fogi_udp_close(u);
}

static void
on_writable(struct udp *u)
{
    (void)u;
}

static void
on_hint(struct udp *u, int err)
{
    struct end *e = u->owner;
    e->hints++;
    e->hint = err;
}

static void
on_closed(struct udp *u)
{
    struct end *e = u->owner;
    e->closed = true;
}

static const struct udp_events events = {on_datagram, on_writable, on_hint, on_closed};

static int
setup(void **state)
{
    (void)state;
    memset(&server, 0, sizeof server);
    memset(&client, 0, sizeof client);
    server.udp.owner = &server;
    client.udp.owner = &client;
    batch = fogi_udp_batch_new();
    return batch ? fogi_loop_init(&loop) : -1;
}

static int
teardown(void **state)
{
    (void)state;
    if (server.udp.loop)
        fogi_udp_close(&server.udp);
    if (client.udp.loop)
        fogi_udp_close(&client.udp);
    uv_run(&loop.uv, UV_RUN_NOWAIT);
    uv_run(&loop.uv, UV_RUN_NOWAIT);
    bool ok = (!server.udp.loop || server.closed) && (!client.udp.loop || client.closed);
    fogi_udp_batch_free(batch);
    return fogi_loop_free(&loop) && ok ? 0 : -1;
}

static void
listen_and_connect(const char *at, const char *to)
{
    struct fog_addr a, bound;
    if (at)
        assert_true(fogi_addr_parse(&a, at, 0));
    assert_int_equal(fogi_udp_listen(&server.udp, &loop, batch, &events, at ? &a : NULL, 0, 0), 0);
    fogi_udp_local(&server.udp, &bound);
    assert_true(fogi_addr_parse(&a, to, bound.port));
    assert_int_equal(fogi_udp_connect(&client.udp, &loop, batch, &events, &a, 1 << 20), 0);
}

/** Runs turns until e has n datagrams; false after three seconds. */
static bool
arrive(const struct end *e, unsigned n)
{
    fog_time end = fogi_loop_refresh(&loop) + FOG_SEC(3);
    while (e->received < n && fogi_loop_refresh(&loop) < end)
        uv_run(&loop.uv, UV_RUN_NOWAIT);
    return e->received == n;
}

static void
send_one(struct end *e, const struct fog_addr *to, const struct fog_addr *local, size_t len)
{
    uint8_t *buf = fogi_udp_reserve(&e->udp);
    assert_non_null(buf);
    memset(buf, (int)(len & 0xff), len);
    fogi_udp_queue(&e->udp, to, local, len);
}

/** As on a system that does not join datagrams. */
static void
no_merging(struct udp *u)
{
    enum { UDP_GRO_OPTION = 104 };
    int off = 0;
    setsockopt(u->fd, IPPROTO_UDP, UDP_GRO_OPTION, &off, sizeof off);
    u->merged = false;
}

static void
joined_datagrams_come_apart_in_place(void **state)
{
    (void)state;
    listen_and_connect("127.0.0.1", "127.0.0.1");
    if (!server.udp.merged || !client.udp.segments) {
        print_message("skipped: this system joins or cuts no datagrams\n");
        skip();
    }
    for (unsigned i = 0; i < 40; i++)
        send_one(&client, NULL, NULL, 1250);
    send_one(&client, NULL, NULL, 77); /* the last one of a piece may be shorter */
    fogi_udp_flush(&client.udp);
    assert_int_equal(client.udp.n.calls_out, 1);
    assert_true(arrive(&server, 41));
    for (unsigned i = 0; i < 40; i++)
        assert_int_equal(server.lengths[i], 1250);
    assert_int_equal(server.lengths[40], 77);
    assert_int_equal(server.last[0], 77);
}

static void
a_socket_closed_within_a_message_hears_no_more(void **state)
{
    (void)state;
    listen_and_connect("127.0.0.1", "127.0.0.1");
    server.close_after = 3;
    for (unsigned i = 0; i < 10; i++)
        send_one(&client, NULL, NULL, 500);
    fogi_udp_flush(&client.udp);
    assert_true(arrive(&server, 3));
    uv_run(&loop.uv, UV_RUN_NOWAIT);
    assert_int_equal(server.received, 3);
}

static void
datagrams_keep_their_order_and_borders(void **state)
{
    (void)state;
    /* Runs of equal ones, with shorter ends and longer ones between: every way to be cut. */
    static const unsigned lengths[] = {1250, 1250, 1250, 700, 1250, 33,   33, 34, 2048, 2048,
                                       1,    1,    1,    1,   1250, 1250, 24, 24, 1250};
    size_t n = sizeof lengths / sizeof *lengths;
    listen_and_connect("127.0.0.1", "127.0.0.1");
    for (int round = 0; round < 8; round++) {
        if (round == 4)
            no_merging(&server.udp);
        server.received = 0;
        for (size_t i = 0; i < n; i++)
            send_one(&client, NULL, NULL, lengths[i]);
        fogi_udp_flush(&client.udp);
        assert_true(arrive(&server, (unsigned)n));
        for (size_t i = 0; i < n; i++)
            assert_int_equal(server.lengths[i], lengths[i]);
        client.udp.segments = round % 2; /* with and without the system's help */
    }
    assert_true(client.udp.n.calls_out < 8 * n);
}

static void
a_full_batch_leaves_by_itself(void **state)
{
    (void)state;
    listen_and_connect("127.0.0.1", "127.0.0.1");
    for (int i = 0; i < 200; i++)
        send_one(&client, NULL, NULL, 100);
    assert_true(client.udp.n.calls_out > 0);
    fogi_udp_flush(&client.udp);
    assert_true(arrive(&server, 200));
}

static void
two_sockets_share_a_batch(void **state)
{
    (void)state;
    struct fog_addr back;
    listen_and_connect("127.0.0.1", "127.0.0.1");
    fogi_udp_local(&client.udp, &back);
    send_one(&client, NULL, NULL, 50);
    send_one(&server, &back, NULL, 60); /* the client's leaves first */
    fogi_udp_flush(&server.udp);
    assert_true(arrive(&server, 1));
    assert_true(arrive(&client, 1));
    assert_int_equal(server.lengths[0], 50);
    assert_int_equal(client.lengths[0], 60);
}

static void
answers_leave_from_the_address_asked(void **state)
{
    (void)state;
    listen_and_connect(NULL, "127.0.0.9"); /* any of 127/8 is ours */
    send_one(&client, NULL, NULL, 10);
    fogi_udp_flush(&client.udp);
    assert_true(arrive(&server, 1));
    struct fog_addr asked;
    assert_true(fogi_addr_parse(&asked, "127.0.0.9", 0));
    assert_memory_equal(server.local.ip, asked.ip, 16);
    struct fog_addr from = server.from, local = server.local;
    /* A connected socket hears only whom it asked. */
    send_one(&server, &from, NULL, 11);
    fogi_udp_flush(&server.udp);
    send_one(&server, &from, &local, 12);
    send_one(&server, &from, &local, 12);
    fogi_udp_flush(&server.udp);
    assert_true(arrive(&client, 2));
    assert_int_equal(client.lengths[0], 12);
}

static void
ipv6_as_well(void **state)
{
    (void)state;
    struct fog_addr a;
    assert_true(fogi_addr_parse(&a, "::1", 0));
    int err = fogi_udp_listen(&server.udp, &loop, batch, &events, &a, 0, 0);
    if (err == -EAFNOSUPPORT || err == -EADDRNOTAVAIL) {
        server.udp.loop = NULL;
        print_message("skipped: no IPv6 on this host\n");
        skip();
    }
    fogi_udp_local(&server.udp, &a);
    assert_int_equal(fogi_udp_connect(&client.udp, &loop, batch, &events, &a, 0), 0);
    send_one(&client, NULL, NULL, 10);
    fogi_udp_flush(&client.udp);
    assert_true(arrive(&server, 1));
    send_one(&server, &server.from, NULL, 20);
    fogi_udp_flush(&server.udp);
    assert_true(arrive(&client, 1));
}

static void
nobody_there_is_a_hint_and_no_more(void **state)
{
    (void)state;
    struct fog_addr a;
    listen_and_connect("127.0.0.1", "127.0.0.1");
    fogi_udp_local(&server.udp, &a);
    fogi_udp_close(&server.udp);
    fog_time end = fogi_loop_refresh(&loop) + FOG_SEC(3);
    while (!client.hints && fogi_loop_refresh(&loop) < end) {
        send_one(&client, NULL, NULL, 30);
        fogi_udp_flush(&client.udp);
        uv_run(&loop.uv, UV_RUN_NOWAIT);
    }
    assert_true(client.hints > 0);
    assert_int_equal(client.hint, -ECONNREFUSED);
    /* The socket still works: someone comes back to the port. */
    struct end again = {.received = 0};
    again.udp.owner = &again;
    assert_int_equal(fogi_udp_listen(&again.udp, &loop, batch, &events, &a, 0, 0), 0);
    for (int i = 0; i < 3; i++) {
        send_one(&client, NULL, NULL, 40);
        fogi_udp_flush(&client.udp);
        uv_run(&loop.uv, UV_RUN_NOWAIT);
    }
    end = fogi_loop_refresh(&loop) + FOG_SEC(3);
    while (!again.received && fogi_loop_refresh(&loop) < end)
        uv_run(&loop.uv, UV_RUN_NOWAIT);
    assert_true(again.received > 0);
    fogi_udp_close(&again.udp);
    uv_run(&loop.uv, UV_RUN_NOWAIT);
    assert_true(again.closed);
}

static void
a_taken_port_is_an_error(void **state)
{
    (void)state;
    struct fog_addr a;
    struct end second = {.received = 0};
    listen_and_connect("127.0.0.1", "127.0.0.1");
    fogi_udp_local(&server.udp, &a);
    assert_int_equal(fogi_udp_listen(&second.udp, &loop, batch, &events, &a, 0, 0), -EADDRINUSE);
    assert_string_equal(fogi_io_text(-EADDRINUSE), "Address already in use");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(datagrams_keep_their_order_and_borders, setup, teardown),
        cmocka_unit_test_setup_teardown(joined_datagrams_come_apart_in_place, setup, teardown),
        cmocka_unit_test_setup_teardown(a_socket_closed_within_a_message_hears_no_more, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_full_batch_leaves_by_itself, setup, teardown),
        cmocka_unit_test_setup_teardown(two_sockets_share_a_batch, setup, teardown),
        cmocka_unit_test_setup_teardown(answers_leave_from_the_address_asked, setup, teardown),
        cmocka_unit_test_setup_teardown(ipv6_as_well, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_there_is_a_hint_and_no_more, setup, teardown),
        cmocka_unit_test_setup_teardown(a_taken_port_is_an_error, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
