/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "channel_rig.h"

#include "io/tcp.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Everything here holds for each kind of channel. */

#define MIB ((size_t)1 << 20)

static struct user a, b;
static bool kind_tls;

static int
setup(void **state)
{
    kind_tls = *state != NULL;
    memset(&a, 0, sizeof a);
    memset(&b, 0, sizeof b);
    return rig_setup(state);
}

static void
drop_both(void)
{
    rig_drop(&a);
    rig_drop(&b);
}

static bool
both_ended(void)
{
    return a.eof && b.eof && channel_is_sent(a.c) && channel_is_sent(b.c);
}

static bool
b_has_all(void)
{
    return b.read == a.to_write;
}

static bool
b_ended(void)
{
    return b.eof;
}

static bool
b_broke(void)
{
    return b.broke;
}

static bool
a_broke(void)
{
    return a.broke;
}

static void
bytes_cross_both_ways_and_end(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 16384, 16385, 3 * MIB + 7};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (size_t j = 0; j < sizeof sizes / sizeof *sizes; j++) {
            a = (struct user){.to_write = sizes[i], .finish = true};
            b = (struct user){.to_write = sizes[j], .finish = true, .most = 5000};
            rig_join(&a, &b, kind_tls);
            rig_until(both_ended, "both had ended");
            assert_int_equal(b.read, sizes[i]);
            assert_int_equal(a.read, sizes[j]);
            assert_true(b.sum == rig_sum(sizes[i]) && a.sum == rig_sum(sizes[j]));
            drop_both();
        }
}

static void
one_direction_ends_and_the_other_goes_on(void **state)
{
    (void)state;
    a.to_write = 10;
    a.finish = true;
    rig_join(&a, &b, kind_tls);
    rig_until(b_ended, "the end had come");
    assert_false(a.eof);
    b.to_write = MIB;
    b.finish = true;
    channel_notify(b.c);
    rig_until(both_ended, "the answer had come");
    assert_int_equal(a.read, MIB);
    assert_true(a.sum == rig_sum(MIB));
    drop_both();
}

static void
after_the_end_nothing_is_written(void **state)
{
    (void)state;
    size_t taken = 1;
    a.finish = true;
    rig_join(&a, &b, kind_tls);
    rig_until(b_ended, "the end had come");
    assert_int_equal(channel_write(a.c, "x", 1, &taken), FOG_E_FINISHED);
    assert_int_equal(taken, 0);
    assert_int_equal(channel_finish(a.c), 0); /* once more does no harm */
    drop_both();
}

static void
a_reset_is_no_end(void **state)
{
    (void)state;
    a.to_write = 10;
    rig_join(&a, &b, kind_tls);
    rig_until(b_has_all, "the bytes were there");
    fogi_channel_reset(a.c);
    rig_until(b_broke, "the reset was seen");
    assert_false(b.eof);
    assert_non_null(b.c->why);
    fogi_channel_reset(b.c);
}

static void
a_reset_is_seen_where_nobody_reads_or_writes(void **state)
{
    (void)state;
    a.finish = true;
    rig_join(&a, &b, kind_tls);
    rig_until(b_ended, "the end had come");
    fogi_channel_reset(a.c);
    rig_until(b_broke, "the reset was seen");
    fogi_channel_reset(b.c);
}

static bool
a_is_full(void)
{
    static size_t before;
    static unsigned same;
    same = before == a.written ? same + 1 : 0;
    before = a.written;
    return same > 50;
}

static void
a_reader_that_stops_stops_the_writer(void **state)
{
    (void)state;
    a.to_write = 64 * MIB;
    b.deaf = true;
    rig_join(&a, &b, kind_tls);
    rig_until(a_is_full, "the writer had stopped");
    print_message("%zu bytes held, %zu written\n", p.budget.used, a.written);
    assert_true(a.written < 32 * MIB); /* what two sockets' buffers hold */
    assert_true(p.budget.used < 256 * 1024);
    b.deaf = false;
    a.to_write = a.written + MIB;
    a.finish = b.finish = true;
    channel_notify(b.c);
    rig_until(both_ended, "all had arrived");
    assert_true(b.sum == rig_sum(a.to_write));
    drop_both();
}

static void
an_idle_channel_holds_no_buffer(void **state)
{
    (void)state;
    a.to_write = 100000;
    rig_join(&a, &b, kind_tls);
    rig_until(b_has_all, "the bytes were there");
    rig_turns(3);
    print_message("%zu bytes held by two idle channels\n", p.budget.used);
    assert_true(p.budget.used < 2 * 2048);
    drop_both();
}

static void
a_channel_ends_at_any_moment(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 24; n++) {
        a = (struct user){.to_write = 3 * MIB, .finish = true};
        b = (struct user){.to_write = 3 * MIB, .finish = true};
        rig_join(&a, &b, kind_tls);
        rig_turns(n);
        a.broke = n % 2;
        b.broke = n % 3 == 0;
        drop_both();
        rig_turns(3);
        assert_int_equal(p.budget.used, 0);
    }
}

/* ------------------------------------------------------------------------------------ of one kind
 */

static void
refused_is_told(void *ctx, int err)
{
    *(int *)ctx = err;
}

static int connect_err;

static bool
connect_told(void)
{
    return connect_err != 1;
}

static void
nobody_listens_there(void **state)
{
    (void)state;
    struct fog_addr to;
    struct channel *c;
    int fds[2];
    rig_tcp_pair(fds); /* a port that was just in use and is free now */
    struct sockaddr_in sin;
    socklen_t len = sizeof sin;
    getsockname(fds[1], (struct sockaddr *)(void *)&sin, &len);
    close(fds[0]);
    close(fds[1]);
    assert_true(fogi_addr_parse(&to, "127.0.0.1", ntohs(sin.sin_port)));
    connect_err = 1;
    assert_int_equal(fogi_channel_tcp_connect(&c, &p, &to, refused_is_told, &connect_err), 0);
    rig_until(connect_told, "the refusal had come");
    assert_int_equal(connect_err, UV_ECONNREFUSED);
    fogi_channel_reset(c);
    assert_int_equal(fogi_channel_tcp_connect(&c, &p, &to, refused_is_told, &connect_err), 0);
    connect_err = 1;
    fogi_channel_reset(c); /* and nothing is told any more */
    rig_turns(5);
    assert_int_equal(connect_err, 1);
}

struct cut {
    enum tls_peer peer;
    bool handshake;   /* cut before it is done                    */
    const char *tail; /* of a record, behind all that is complete */
    size_t tail_len;
    bool is_end;
};

static void
cut_off(const struct cut *cut)
{
    struct channel *ca, *cb;
    struct tls_conf *client = rig_client_conf(true), *server = rig_server_conf("server");
    int fds[2], copy;
    rig_tcp_pair(fds);
    copy = dup(fds[0]);
    a = (struct user){.to_write = cut->handshake ? 0 : 1000};
    b = (struct user){.to_write = 0};
    assert_int_equal(fogi_channel_tcp_open(&ca, &p, fds[0]), 0);
    assert_int_equal(fogi_channel_tcp_open(&cb, &p, fds[1]), 0);
    rig_own(&a, cut->handshake ? ca : fogi_channel_tls_connect(&p, ca, client, "localhost", NULL));
    rig_own(&b, fogi_channel_tls_accept(&p, cb, server));
    rig_until(b_has_all, "the bytes were there");
    fogi_channel_tls_peer(b.c, cut->peer);
    assert_int_equal(write(copy, cut->tail, cut->tail_len), cut->tail_len);
    shutdown(copy, SHUT_WR);
    rig_until(cut->is_end ? b_ended : b_broke, "the cut was seen");
    assert_int_equal(b.eof, cut->is_end);
    assert_int_equal(b.broke, !cut->is_end);
    close(copy);
    drop_both();
    fogi_tls_free(client);
    fogi_tls_free(server);
}

/** A vproxy peer never says close_notify: its FIN alone was taken for a broken pipe, and every end
 *  of its streams became a reset. */
static void
who_may_end_tls_without_close_notify(void **state)
{
    (void)state;
    static const struct cut rows[] = {
        {TLS_PEER_FOGGARA, false, "", 0, false},
        {TLS_PEER_VPROXY, false, "", 0, true},
        {TLS_PEER_ANY, false, "", 0, true},
        {TLS_PEER_VPROXY, false, "\x17\x03", 2, false},
        {TLS_PEER_VPROXY, false, "\x17\x03\x03\x00\x40", 5, false},
        {TLS_PEER_VPROXY, false, "\x17\x03\x03\x00\x40kept", 9, false},
        {TLS_PEER_ANY, false, "\x17\x03\x03\x00\x40kept", 9, false},
        {TLS_PEER_ANY, true, "", 0, false},
        {TLS_PEER_ANY, true, "\x16\x03\x01", 3, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        print_message("row %zu\n", i);
        cut_off(&rows[i]);
    }
}

/** What it is read as before it is known whose it is, is read again then. */
static void
a_cut_that_came_before_the_peer_was_known(void **state)
{
    (void)state;
    struct channel *ca, *cb;
    struct tls_conf *client = rig_client_conf(true), *server = rig_server_conf("server");
    const void *at;
    size_t len;
    int fds[2], copy;
    bool eof;
    rig_tcp_pair(fds);
    copy = dup(fds[0]);
    a.to_write = 10;
    assert_int_equal(fogi_channel_tcp_open(&ca, &p, fds[0]), 0);
    assert_int_equal(fogi_channel_tcp_open(&cb, &p, fds[1]), 0);
    rig_own(&a, fogi_channel_tls_connect(&p, ca, client, "localhost", NULL));
    rig_own(&b, fogi_channel_tls_accept(&p, cb, server));
    rig_until(b_has_all, "the bytes were there");
    shutdown(copy, SHUT_WR);
    rig_until(b_ended, "the end was seen");
    fogi_channel_tls_peer(b.c, TLS_PEER_FOGGARA);
    assert_int_equal(channel_peek(b.c, &at, &len, &eof), FOG_E_RESET);
    close(copy);
    drop_both();
    fogi_tls_free(client);
    fogi_tls_free(server);
}

/** Told close_notify, Java ends its own side as well: a vproxy server lost every answer that came
 *  behind a half-close. */
static void
our_end_of_tls_says_nothing_to_vproxy(void **state)
{
    (void)state;
    static const enum tls_peer peers[] = {TLS_PEER_ANY, TLS_PEER_FOGGARA, TLS_PEER_VPROXY};
    for (size_t i = 0; i < sizeof peers / sizeof *peers; i++) {
        bool told = peers[i] != TLS_PEER_VPROXY;
        a = (struct user){.to_write = 1000};
        b = (struct user){.to_write = 0};
        rig_join(&a, &b, true);
        rig_until(b_has_all, "the bytes were there");
        fogi_channel_tls_peer(a.c, peers[i]);
        fogi_channel_tls_peer(b.c, TLS_PEER_FOGGARA); /* insists on close_notify */
        assert_int_equal(channel_finish(a.c), 0);
        rig_until(told ? b_ended : b_broke, "the end was seen");
        drop_both();
    }
}

static void
certificates_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *server, *name;
        bool verify, good;
    } rows[] = {
        {"server", "gateway.example", true, true},   {"server", NULL, true, true},
        {"server", "second.example", true, false},   {"second", "second.example", true, true},
        {"server", "second.example", false, true},   {"server", NULL, false, true},
        {"server", "gateway.example.", true, false}, {"server", "127.0.0.1", true, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct channel *ca, *cb;
        struct tls_conf *client = rig_client_conf(rows[i].verify),
                        *server = rig_server_conf(rows[i].server);
        int fds[2];
        rig_tcp_pair(fds);
        a = (struct user){.to_write = 1};
        b = (struct user){.to_write = 1};
        assert_int_equal(fogi_channel_tcp_open(&ca, &p, fds[0]), 0);
        assert_int_equal(fogi_channel_tcp_open(&cb, &p, fds[1]), 0);
        rig_own(&a, fogi_channel_tls_connect(&p, ca, client, rows[i].name, NULL));
        rig_own(&b, fogi_channel_tls_accept(&p, cb, server));
        print_message("%s as %s\n", rows[i].server, rows[i].name ? rows[i].name : "-");
        rig_until(rows[i].good ? b_has_all : a_broke, "it was decided");
        if (!rows[i].good)
            print_message("  %s\n", a.c->why);
        drop_both();
        fogi_tls_free(client);
        fogi_tls_free(server);
    }
}

static void
files_are_read_or_explained(void **state)
{
    (void)state;
    static const struct {
        struct tls_server_files f;
        bool good;
        const char *says;
    } rows[] = {
        {{.certs = {TLS_DIR "server.pem", TLS_DIR "ca.pem"},
          .n_certs = 2,
          .key = TLS_DIR "server.key"},
         true,
         ""},
        {{.pkcs12 = TLS_DIR "server.p12", .password = "changeit"}, true, ""},
        {{.pkcs12 = TLS_DIR "server.p12", .password = "wrong"},
         false,
         "server.p12: wrong password"},
        {{.pkcs12 = TLS_DIR "server.pem"}, false, "server.pem: not a PKCS12"},
        {{.certs = {TLS_DIR "none.pem"}, .n_certs = 1, .key = TLS_DIR "server.key"},
         false,
         "none.pem: No such file"},
        {{.certs = {TLS_DIR "server.pem"}, .n_certs = 1, .key = TLS_DIR "none.key"},
         false,
         "none.key: No such file"},
        {{.certs = {TLS_DIR "server.pem"}, .n_certs = 1, .key = TLS_DIR "second.key"},
         false,
         "second.key: the key does not belong to the certificate"},
        {{.certs = {TLS_DIR "server.key"}, .n_certs = 1, .key = TLS_DIR "server.key"},
         false,
         "server.key: no certificate in it"},
        {{.certs = {TLS_DIR "server.pem"}, .n_certs = 1, .key = TLS_DIR "server.pem"},
         false,
         "server.pem: "},
    };
    char error[TLS_ERROR_MAX];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct tls_conf *t = NULL;
        *error = 0;
        bool good = fogi_tls_server(&t, &rows[i].f, error);
        print_message("%zu: %s\n", i, good ? "good" : error);
        assert_int_equal(good, rows[i].good);
        assert_non_null(strstr(error, rows[i].says));
        fogi_tls_free(t);
    }
    struct tls_client_files ca = {
        .verify = true, .ca = TLS_DIR "server.p12", .password = "changeit"};
    struct tls_conf *t = NULL;
    assert_true(fogi_tls_client(&t, &ca, error));
    fogi_tls_free(t);
    ca.ca = TLS_DIR "README.md";
    assert_false(fogi_tls_client(&t, &ca, error));
    print_message("%s\n", error);
}

static char tls_kind[] = "tls";

#define BOTH(test)                                                                                 \
    {"tcp: " #test, test, setup, rig_teardown, NULL},                                              \
    {                                                                                              \
        "tls: " #test, test, setup, rig_teardown, tls_kind                                         \
    }

int
main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(bytes_cross_both_ways_and_end),
        BOTH(one_direction_ends_and_the_other_goes_on),
        BOTH(after_the_end_nothing_is_written),
        BOTH(a_reset_is_no_end),
        BOTH(a_reset_is_seen_where_nobody_reads_or_writes),
        BOTH(a_reader_that_stops_stops_the_writer),
        BOTH(an_idle_channel_holds_no_buffer),
        BOTH(a_channel_ends_at_any_moment),
        cmocka_unit_test_setup_teardown(nobody_listens_there, setup, rig_teardown),
        cmocka_unit_test_setup_teardown(who_may_end_tls_without_close_notify, setup, rig_teardown),
        cmocka_unit_test_setup_teardown(a_cut_that_came_before_the_peer_was_known, setup,
                                        rig_teardown),
        cmocka_unit_test_setup_teardown(our_end_of_tls_says_nothing_to_vproxy, setup, rig_teardown),
        cmocka_unit_test_setup_teardown(certificates_are_checked, setup, rig_teardown),
        cmocka_unit_test_setup_teardown(files_are_read_or_explained, setup, rig_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
