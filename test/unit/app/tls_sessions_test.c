/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/tls_conf_int.h"
#include "channel_rig.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What is resumed, and what must not be. */

static struct user a, b;
static struct tls_conf *client, *server;

static bool
both_have_all(void)
{
    return (b.broke || b.read == a.to_write) && (a.broke || a.read == b.to_write);
}

/** One connection from `client` to `server`, closed without a word. True: it took up a session. */
static bool
resumes(const char *name, const char *kept_as)
{
    struct channel *ca, *cb;
    int fds[2];
    uint64_t done = p.n.tls_handshakes, resumed = p.n.tls_resumed;
    a = (struct user){.to_write = 10};
    b = (struct user){.to_write = 10}; /* so that tickets are read: they stand before it */
    rig_tcp_pair(fds);
    assert_int_equal(fogi_channel_tcp_open(&ca, &p, fds[0]), 0);
    assert_int_equal(fogi_channel_tcp_open(&cb, &p, fds[1]), 0);
    rig_own(&a, fogi_channel_tls_connect(&p, ca, client, name, kept_as));
    rig_own(&b, fogi_channel_tls_accept(&p, cb, server));
    rig_until(both_have_all, "bytes had crossed");
    done = p.n.tls_handshakes - done;
    resumed = p.n.tls_resumed - resumed;
    assert_true(done == 2 || a.broke || b.broke);
    fogi_channel_reset(a.c);
    fogi_channel_reset(b.c);
    rig_turns(3);
    assert_true(resumed == 0 || resumed == 2);
    return resumed == 2;
}

static bool
fails(const char *name, const char *kept_as)
{
    resumes(name, kept_as);
    return a.broke;
}

static int
setup(void **state)
{
    if (rig_setup(state))
        return -1;
    client = rig_client_conf(true);
    server = rig_server_conf("server");
    return 0;
}

static int
teardown(void **state)
{
    fogi_tls_free(client);
    fogi_tls_free(server);
    return rig_teardown(state);
}

static void
use_server(struct tls_conf *next)
{
    fogi_tls_follow(next, server);
    fogi_tls_free(server);
    server = next;
}

static void
use_version(int version)
{
    assert_int_equal(SSL_CTX_set_max_proto_version(client->ctx, version), 1);
}

static void
the_second_connection_resumes(void **state)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        use_version(versions[i]);
        fogi_tls_sessions_clear(&client->sessions);
        assert_false(resumes("localhost", "s"));
        for (int n = 0; n < 5; n++)
            assert_true(resumes("localhost", "s"));
        assert_int_equal(client->sessions.n, 1);
    }
}

static void
connections_that_begin_at_once_share_it(void **state)
{
    struct user as[4], bs[4];
    struct channel *ca, *cb;
    int fds[2];
    (void)state;
    assert_false(resumes("localhost", "s"));
    uint64_t resumed = p.n.tls_resumed;
    for (size_t i = 0; i < 4; i++) {
        rig_tcp_pair(fds);
        assert_int_equal(fogi_channel_tcp_open(&ca, &p, fds[0]), 0);
        assert_int_equal(fogi_channel_tcp_open(&cb, &p, fds[1]), 0);
        as[i] = (struct user){.to_write = 1};
        bs[i] = (struct user){.to_write = 1};
        rig_own(&as[i], fogi_channel_tls_connect(&p, ca, client, "localhost", "s"));
        rig_own(&bs[i], fogi_channel_tls_accept(&p, cb, server));
    }
    rig_turns(30);
    assert_int_equal(p.n.tls_resumed - resumed, 8);
    for (size_t i = 0; i < 4; i++) {
        rig_drop(&as[i]);
        rig_drop(&bs[i]);
    }
}

static void
who_is_not_named_keeps_nothing(void **state)
{
    (void)state;
    assert_false(resumes("localhost", NULL));
    assert_false(resumes("localhost", NULL));
    assert_int_equal(client->sessions.n, 0);
}

/** It was checked for one name; another one is checked anew, and fails where it must. */
static void
another_name_or_server_takes_up_nothing(void **state)
{
    (void)state;
    assert_false(resumes("localhost", "s"));
    assert_false(resumes("gateway.example", "s"));
    assert_false(resumes("localhost", "t"));
    assert_false(resumes(NULL, "s"));
    assert_true(fails("second.example", "s"));
    assert_true(fails("second.example", "s"));
    assert_true(resumes("localhost", "s"));
    assert_int_equal(client->sessions.n, 4);
}

/** Whom a client trusts has changed: nothing that was verified before counts. */
static void
another_client_configuration_begins_anew(void **state)
{
    char error[TLS_ERROR_MAX];
    struct tls_client_files other = {.verify = true, .ca = TLS_DIR "other.pem"};
    (void)state;
    assert_false(resumes("localhost", "s"));
    assert_true(resumes("localhost", "s"));
    fogi_tls_free(client);
    assert_true(fogi_tls_client(&client, &other, error));
    assert_true(fails("localhost", "s"));
    assert_int_equal(client->sessions.n, 0);
}

static void
a_session_of_nobody_verified_serves_no_one_who_verifies(void **state)
{
    (void)state;
    struct tls_conf *strict = client;
    client = rig_client_conf(false);
    assert_false(resumes("second.example", "s"));
    assert_true(resumes("second.example", "s"));
    fogi_tls_free(client);
    client = strict;
    assert_true(fails("second.example", "s"));
}

static void
a_reload_with_the_same_certificate_keeps_tickets_good(void **state)
{
    (void)state;
    assert_false(resumes("localhost", "s"));
    use_server(rig_server_conf("server"));
    assert_true(resumes("localhost", "s"));
}

static void
a_reload_with_another_certificate_makes_them_worthless(void **state)
{
    (void)state;
    assert_false(resumes("localhost", "s"));
    use_server(rig_server_conf("second"));
    assert_false(resumes("localhost", "s"));
    assert_false(a.broke);
    use_server(rig_server_conf("server")); /* and back: those of before stay so */
    assert_false(resumes("localhost", "s"));
}

static void
a_session_that_leads_nowhere_is_not_offered_again(void **state)
{
    struct channel *ca;
    int fds[2];
    (void)state;
    assert_false(resumes("localhost", "s"));
    rig_tcp_pair(fds);
    assert_int_equal(fogi_channel_tcp_open(&ca, &p, fds[0]), 0);
    a = (struct user){0};
    rig_own(&a, fogi_channel_tls_connect(&p, ca, client, "localhost", "s"));
    rig_turns(3);
    fogi_channel_reset(a.c);
    close(fds[1]);
    assert_int_equal(client->sessions.n, 0);
    assert_false(resumes("localhost", "s"));
}

static void
at_most_256_sessions_are_kept(void **state)
{
    struct tls_sessions s;
    char server_name[16];
    (void)state;
    assert_false(resumes("localhost", "s"));
    SSL_SESSION *one = fogi_tls_sessions_get(&client->sessions, "s", "localhost");
    assert_non_null(one);
    fogi_tls_sessions_init(&s);
    for (int i = 0; i < TLS_SESSIONS_MAX; i++) {
        snprintf(server_name, sizeof server_name, "s%d", i);
        fogi_tls_sessions_put(&s, server_name, NULL, one);
    }
    assert_int_equal(s.n, TLS_SESSIONS_MAX);
    fogi_tls_sessions_put(&s, "s0", NULL, one); /* in the place of its own */
    assert_int_equal(s.n, TLS_SESSIONS_MAX);
    fogi_tls_sessions_put(&s, "one more", NULL, one);
    assert_int_equal(s.n, TLS_SESSIONS_MAX);
    fogi_tls_sessions_drop(&s, "s1", NULL); /* the oldest has gone already */
    assert_int_equal(s.n, TLS_SESSIONS_MAX);
    fogi_tls_sessions_drop(&s, "s0", NULL);
    assert_int_equal(s.n, TLS_SESSIONS_MAX - 1);
    fogi_tls_sessions_clear(&s);
    assert_int_equal(s.n, 0);
    SSL_SESSION_free(one);
}

/* ---------------------------------------------------------------------------------------- keys */

static void
a_key_seals_for_an_hour_and_opens_for_two(void **state)
{
    enum { AT = 1000000 };
    struct tls_tickets *t = fogi_tickets_new();
    unsigned char first[TICKET_NAME], second[TICKET_NAME];
    (void)state;
    assert_null(fogi_tickets_open(t, AT, first));
    memcpy(first, fogi_tickets_seal(t, AT)->name, TICKET_NAME);
    assert_memory_equal(fogi_tickets_seal(t, AT + TICKET_HOUR_S - 1)->name, first, TICKET_NAME);
    memcpy(second, fogi_tickets_seal(t, AT + TICKET_HOUR_S)->name, TICKET_NAME);
    assert_memory_not_equal(second, first, TICKET_NAME);
    assert_non_null(fogi_tickets_open(t, AT + 2 * TICKET_HOUR_S - 1, first));
    assert_non_null(fogi_tickets_open(t, AT + 2 * TICKET_HOUR_S - 1, second));
    assert_null(fogi_tickets_open(t, AT + 2 * TICKET_HOUR_S, first));
    assert_non_null(fogi_tickets_open(t, AT + 2 * TICKET_HOUR_S, second));
    fogi_tickets_free(t);
}

static void
a_clock_that_goes_back_makes_keys_anew(void **state)
{
    enum { AT = 1000000 };
    struct tls_tickets *t = fogi_tickets_new();
    unsigned char first[TICKET_NAME];
    (void)state;
    memcpy(first, fogi_tickets_seal(t, AT)->name, TICKET_NAME);
    assert_null(fogi_tickets_open(t, AT - 1, first));
    assert_memory_not_equal(fogi_tickets_seal(t, AT)->name, first, TICKET_NAME);
    fogi_tickets_free(t);
}

static void
keys_that_are_too_old_are_overwritten(void **state)
{
    static const struct ticket_key none;
    enum { AT = 1000000 };
    struct tls_tickets *t = fogi_tickets_new();
    (void)state;
    fogi_tickets_seal(t, AT);
    fogi_tickets_seal(t, AT + 5 * TICKET_HOUR_S);
    assert_memory_equal(&t->last, &none, sizeof none);
    fogi_tickets_free(t);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_second_connection_resumes),
        TEST(connections_that_begin_at_once_share_it),
        TEST(who_is_not_named_keeps_nothing),
        TEST(another_name_or_server_takes_up_nothing),
        TEST(another_client_configuration_begins_anew),
        TEST(a_session_of_nobody_verified_serves_no_one_who_verifies),
        TEST(a_reload_with_the_same_certificate_keeps_tickets_good),
        TEST(a_reload_with_another_certificate_makes_them_worthless),
        TEST(a_session_that_leads_nowhere_is_not_offered_again),
        TEST(at_most_256_sessions_are_kept),
        cmocka_unit_test(a_key_seals_for_an_hour_and_opens_for_two),
        cmocka_unit_test(a_clock_that_goes_back_makes_keys_anew),
        cmocka_unit_test(keys_that_are_too_old_are_overwritten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
