/* SPDX-License-Identifier: MIT
 *
 * Both sides of SOCKS5, each conversation cut in every way (threats S1 to S4).
 */
#include "unit/proxy/feed.h"

#include "proxy/socks.h"

#include <stdio.h>

#define HELLO "050100 "
#define ASK "05010003 "
#define A_PORT "0161 0050 " /* the name "a", port 80 */

/** Hexadecimal digits and blanks to bytes. */
static const struct auth_login me = {"me", "secret"};

static size_t
unhex(const char *text, uint8_t *out)
{
    size_t n = 0;
    unsigned v;
    for (int used; sscanf(text, " %2x%n", &v, &used) == 1; text += used)
        out[n++] = (uint8_t)v;
    return n;
}

static void
check_bytes(const char *name, size_t cut, const void *got, size_t len, const char *want_hex)
{
    uint8_t want[1024];
    size_t want_len = unhex(want_hex, want);
    if (len == want_len && memcmp(got, want, len) == 0)
        return;
    for (size_t i = 0; i < len; i++)
        print_error("%02x ", ((const uint8_t *)got)[i]);
    fail_msg("%s, cut %zu: %zu bytes, not %s", name, cut, len, want_hex);
}

static int
server_input(void *s, const void *buf, size_t len, size_t *used)
{
    return fogi_socks_server_input(s, buf, len, used);
}

static int
client_input(void *c, const void *buf, size_t len, size_t *used)
{
    return fogi_socks_client_input(c, buf, len, used);
}

static const struct {
    const char *name, *in;
    bool login;
    int rc;
    enum socks_state state;
    size_t behind; /* bytes at the end that must not be used */
    const char *out, *dest;
} server[] = {
    {"a name", HELLO ASK A_PORT, false, 0, SOCKS_ASKED, 0, "0500", "a:80"},
    {"in capitals", HELLO "05010003 03 412e42 01bb", false, 0, SOCKS_ASKED, 0, "0500", "a.b:443"},
    {"a name that ends in a dot", HELLO "05010003 02 612e 0050", false, 0, SOCKS_ASKED, 0, "0500",
     "a:80"},
    {"IPv4", HELLO "05010001 7f000001 0050", false, 0, SOCKS_ASKED, 0, "0500", "127.0.0.1:80"},
    {"IPv6", HELLO "05010004 00000000000000000000000000000001 0050", false, 0, SOCKS_ASKED, 0,
     "0500", "[::1]:80"},
    {"IPv4 as a name", HELLO "05010003 09 3132372e302e302e31 0050", false, 0, SOCKS_ASKED, 0,
     "0500", "127.0.0.1:80"},
    {"IPv6 as a name", HELLO "05010003 03 3a3a31 0050", false, 0, SOCKS_ASKED, 0, "0500",
     "[::1]:80"},
    {"IPv6 in brackets", HELLO "05010003 05 5b3a3a315d 0050", false, 0, SOCKS_ASKED, 0, "0500",
     "[::1]:80"},
    {"payload behind it", HELLO ASK A_PORT "050100 8a00 ff", false, 0, SOCKS_ASKED, 6, "0500",
     "a:80"},
    {"many methods", "05 05 01 02 80 00 ff " ASK A_PORT, false, 0, SOCKS_ASKED, 0, "0500", "a:80"},
    {"reserved byte set", HELLO "0501ff03 " A_PORT, false, 0, SOCKS_ASKED, 0, "0500", "a:80"},
    {"no methods", "0500", false, 0, SOCKS_FAILED, 0, "05ff", NULL},
    {"none of ours", "05020102 " ASK A_PORT, false, 0, SOCKS_FAILED, 0, "05ff", NULL},
    {"SOCKS4", "0401 0050 7f000001 00", false, FOG_E_FORMAT, SOCKS_FAILED, 0, "", NULL},
    {"HTTP", "474554202f20", false, FOG_E_FORMAT, SOCKS_FAILED, 0, "", NULL},
    {"TLS", "160301", false, FOG_E_FORMAT, SOCKS_FAILED, 0, "", NULL},
    {"version 0", "00", false, FOG_E_FORMAT, SOCKS_FAILED, 0, "", NULL},
    {"version 255", "ff", false, FOG_E_FORMAT, SOCKS_FAILED, 0, "", NULL},
    {"another version later", HELLO "04010003 " A_PORT, false, FOG_E_FORMAT, SOCKS_FAILED, 0,
     "0500", NULL},
    {"bind", HELLO "05020003 " A_PORT "ffff", false, 0, SOCKS_FAILED, 0,
     "0500 05070001 00000000 0050", NULL},
    {"UDP", HELLO "05030001 00000000 0000", false, 0, SOCKS_FAILED, 0,
     "0500 05070001 00000000 0000", NULL},
    {"command 0", HELLO "05000003 " A_PORT, false, 0, SOCKS_FAILED, 0,
     "0500 05070001 00000000 0050", NULL},
    {"kind 0", HELLO "05010000 00000000", false, 0, SOCKS_FAILED, 0, "0500 05080001 00000000 0000",
     NULL},
    {"kind 2", HELLO "05010002", false, 0, SOCKS_FAILED, 0, "0500 05080001 00000000 0000", NULL},
    {"kind 5", HELLO "05010005", false, 0, SOCKS_FAILED, 0, "0500 05080001 00000000 0000", NULL},
    {"kind 255", HELLO "050100ff", false, 0, SOCKS_FAILED, 0, "0500 05080001 00000000 0000", NULL},
    {"no name", HELLO "05010003 00 0050", false, 0, SOCKS_FAILED, 0, "0500 05010001 00000000 0050",
     NULL},
    {"port 0", HELLO ASK "0161 0000", false, 0, SOCKS_FAILED, 0, "0500 05010001 00000000 0000",
     NULL},
    {"a NUL in the name", HELLO "05010003 03 610062 0050", false, 0, SOCKS_FAILED, 0,
     "0500 05010001 00000000 0050", NULL},
    {"a slash in the name", HELLO "05010003 03 612f62 0050", false, 0, SOCKS_FAILED, 0,
     "0500 05010001 00000000 0050", NULL},
    {"a user in the name", HELLO "05010003 03 614062 0050", false, 0, SOCKS_FAILED, 0,
     "0500 05010001 00000000 0050", NULL},
    {"a port in the name", HELLO "05010003 03 613a31 0050", false, 0, SOCKS_FAILED, 0,
     "0500 05010001 00000000 0050", NULL},
    {"a number as a name", HELLO "05010003 0a 32313330373036343333 0050", false, 0, SOCKS_FAILED, 0,
     "0500 05010001 00000000 0050", NULL},
    /* with a login: me, secret */
    {"login", "05020002 01 026d65 06736563726574 " ASK A_PORT, true, 0, SOCKS_ASKED, 0, "0502 0100",
     "a:80"},
    {"login and payload", "050102 01 026d65 06736563726574 " ASK A_PORT "aabb", true, 0,
     SOCKS_ASKED, 2, "0502 0100", "a:80"},
    {"login not offered", HELLO ASK A_PORT, true, 0, SOCKS_FAILED, 0, "05ff", NULL},
    {"wrong password", "050102 01 026d65 06736563726573 " ASK A_PORT, true, 0, SOCKS_FAILED, 0,
     "0502 0101", NULL},
    {"wrong user", "050102 01 02656d 06736563726574", true, 0, SOCKS_FAILED, 0, "0502 0101", NULL},
    {"empty login", "050102 01 00 00", true, 0, SOCKS_FAILED, 0, "0502 0101", NULL},
    {"empty password", "050102 01 026d65 00", true, 0, SOCKS_FAILED, 0, "0502 0101", NULL},
    {"login of another version", "050102 02 026d65 06736563726574", true, 0, SOCKS_FAILED, 0,
     "0502 0101", NULL},
    {"login offered, not wanted", "050102", false, 0, SOCKS_FAILED, 0, "05ff", NULL},
};

static void
test_a_server_understands_requests_however_they_are_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(server); i++) {
        uint8_t in[600];
        size_t len = unhex(server[i].in, in), used, said;
        for (size_t cut = 0; cut <= len; cut++) {
            struct socks_server s;
            fogi_socks_server_init(&s, &me, server[i].login);
            int rc = feed(server_input, &s, in, len, cut, &used);
            if (rc != server[i].rc || s.state != server[i].state)
                fail_msg("%s, cut %zu: %s, state %d", server[i].name, cut, fog_err_name(rc),
                         s.state);
            if (rc == 0 && used != len - server[i].behind)
                fail_msg("%s, cut %zu: %zu of %zu used", server[i].name, cut, used, len);
            const void *out = outbox_peek(&s.out, &said);
            check_bytes(server[i].name, cut, out, said, server[i].out);
            if (server[i].dest) {
                char text[DEST_TEXT_MAX];
                fogi_dest_text(&s.dest, text);
                assert_string_equal(text, server[i].dest);
            }
            assert_int_equal(s.login_failed, said == 4 && memcmp(out, "\5\2\1\1", 4) == 0);
        }
    }
}

/* Every truncation of a request is a request that is not there yet. */
static void
test_a_server_waits_for_the_whole_of_it(void **state)
{
    (void)state;
    uint8_t in[600];
    size_t used, len = unhex("050102 01 026d65 06736563726574 " ASK A_PORT, in);
    for (size_t n = 0; n < len; n++) {
        struct socks_server s;
        fogi_socks_server_init(&s, &me, 1);
        assert_int_equal(feed(server_input, &s, in, n, 0, &used), 0);
        assert_int_equal(used, n);
        assert_true(s.state < SOCKS_ASKED);
    }
}

/* What a proxy with its state in a local variable got wrong: names as long as they may be, and
 * longer, slowly (threats S2). */
static void
test_a_name_is_as_long_as_it_says_however_slowly_it_comes(void **state)
{
    (void)state;
    for (size_t len = 250; len <= 255; len++) {
        for (int labels = 0; labels < 2; labels++) {
            uint8_t in[3 + 5 + 255 + 2 + 4] = {5, 1, 0, 5, 1, 0, 3, (uint8_t)len};
            size_t used, total = 3 + 5 + len + 2;
            for (size_t k = 0; k < len; k++)
                in[8 + k] = labels && k % 64 == 63 ? '.' : 'x';
            in[8 + len] = 0x12;
            in[8 + len + 1] = 0x34;
            memset(in + total, 0x5a, 4);
            for (size_t cut = 0; cut <= total + 4; cut++) {
                struct socks_server s;
                fogi_socks_server_init(&s, NULL, 0);
                assert_int_equal(feed(server_input, &s, in, total + 4, cut, &used), 0);
                assert_int_equal(s.state, labels ? SOCKS_ASKED : SOCKS_FAILED);
                assert_int_equal(used, labels ? total : total + 4);
                if (labels)
                    assert_int_equal(s.dest.port, 0x1234);
                if (labels)
                    assert_int_equal(strlen(s.dest.name), len);
            }
        }
    }
}

static void
test_the_longest_login_fits(void **state)
{
    (void)state;
    char user[256], password[256];
    uint8_t in[3 + SOCKS_LOGIN_MAX] = {5, 1, 2, 1, 255};
    size_t used;
    memset(user, 'u', 255);
    memset(password, 'p', 255);
    user[255] = password[255] = 0;
    memcpy(in + 5, user, 255);
    in[5 + 255] = 255;
    memcpy(in + 6 + 255, password, 255);
    for (size_t cut = 0; cut <= sizeof in; cut++) {
        struct socks_server s;
        fogi_socks_server_init(&s, &(struct auth_login){user, password}, 1);
        assert_int_equal(feed(server_input, &s, in, sizeof in, cut, &used), 0);
        assert_int_equal(s.state, SOCKS_REQUEST);
    }
}

static void
test_the_reply_tells_how_it_went(void **state)
{
    (void)state;
    for (int rep = 0; rep <= SOCKS_NO_ADDRESS; rep++) {
        uint8_t in[32], want[12] = {5, 0, 5, (uint8_t)rep, 0, 1, 0, 0, 0, 0, 0x4e, 0x84};
        size_t used, len = unhex(HELLO ASK "0161 4e84", in);
        struct socks_server s;
        fogi_socks_server_init(&s, NULL, 0);
        assert_int_equal(fogi_socks_server_input(&s, in, len, &used), 0);
        fogi_socks_reply(&s, (enum socks_rep)rep);
        assert_int_equal(s.state, rep ? SOCKS_FAILED : SOCKS_DONE);
        assert_int_equal(s.why, rep);
        assert_memory_equal(outbox_peek(&s.out, &len), want, sizeof want);
        assert_int_equal(len, sizeof want);
        assert_int_equal(fogi_socks_server_input(&s, "abc", 3, &used), 0);
        assert_int_equal(used,
                         rep ? 3 : 0); /* payload is not ours; after a failure it is nobody's */
    }
}

static const struct {
    const char *name, *dest, *in;
    int rc;
    enum socks_client_state state;
    int rep;
    size_t behind;
    const char *request;
} client[] = {
    {"a name", "localhost:20100", "0500 05000001 00000000 4e84", 0, SOCKS_C_DONE, 0, 0,
     "05010003 09 6c6f63616c686f7374 4e84"},
    {"IPv4", "127.0.0.1:80", "0500 05000001 00000000 0050", 0, SOCKS_C_DONE, 0, 0,
     "05010001 7f000001 0050"},
    {"IPv6", "[::1]:80", "0500 05000001 00000000 0050", 0, SOCKS_C_DONE, 0, 0,
     "05010004 00000000000000000000000000000001 0050"},
    {"bound to a name", "a:80", "0500 05000003 03 612e62 0050", 0, SOCKS_C_DONE, 0, 0, ASK A_PORT},
    {"bound to no name", "a:80", "0500 05000003 00 0050", 0, SOCKS_C_DONE, 0, 0, ASK A_PORT},
    {"bound to IPv6", "a:80", "0500 05000004 00000000000000000000000000000001 0050 ", 0,
     SOCKS_C_DONE, 0, 0, ASK A_PORT},
    {"a banner behind it", "a:80", "0500 05000001 00000000 0050 5353482d 0d0a", 0, SOCKS_C_DONE, 0,
     6, ASK A_PORT},
    {"a banner like a reply", "a:80", "0500 05000003 01 61 0050 0500 05000001 00000000 0050", 0,
     SOCKS_C_DONE, 0, 12, ASK A_PORT},
    {"refused", "a:80", "0500 05050001 00000000 0050", 0, SOCKS_C_FAILED, 5, 0, ASK A_PORT},
    {"a failure we do not know", "a:80", "0500 05fe0001 00000000 0050", 0, SOCKS_C_FAILED, 0xfe, 0,
     ASK A_PORT},
    {"no method", "a:80", "05ff", FOG_E_PROTOCOL, SOCKS_C_FAILED, 1, 0, ASK A_PORT},
    {"a login", "a:80", "0502", FOG_E_PROTOCOL, SOCKS_C_FAILED, 1, 0, ASK A_PORT},
    {"no SOCKS5", "a:80", "4854 5450", FOG_E_PROTOCOL, SOCKS_C_FAILED, 1, 2, ASK A_PORT},
    {"no SOCKS5 later", "a:80", "0500 04000001 00", FOG_E_PROTOCOL, SOCKS_C_FAILED, 1, 0,
     ASK A_PORT},
    {"bound to nothing", "a:80", "0500 05000000 00", FOG_E_PROTOCOL, SOCKS_C_FAILED, 1, 0,
     ASK A_PORT},
    {"half", "a:80", "0500 05000001 00000000 00", 0, SOCKS_C_REPLY, 0, 0, ASK A_PORT},
};

static void
test_a_client_asks_in_one_piece_and_reads_no_byte_too_many(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(client); i++) {
        uint8_t in[64];
        size_t len = unhex(client[i].in, in), used, said;
        struct dest d = {0};
        assert_int_equal(fogi_dest_authority(&d, client[i].dest, strlen(client[i].dest), 0), 0);
        for (size_t cut = 0; cut <= len; cut++) {
            struct socks_client c;
            char want[600] = HELLO;
            fogi_socks_client_init(&c, &d, false);
            const void *out = outbox_peek(&c.out, &said);
            check_bytes(client[i].name, cut, out, said, strcat(want, client[i].request));
            outbox_drop(&c.out, said);
            int rc = feed(client_input, &c, in, len, cut, &used);
            if (rc != client[i].rc || c.state != client[i].state || c.rep != client[i].rep ||
                used != len - client[i].behind)
                fail_msg("%s, cut %zu: %s, state %d, rep %d, %zu of %zu", client[i].name, cut,
                         fog_err_name(rc), c.state, c.rep, used, len);
            outbox_peek(&c.out, &said);
            assert_int_equal(said, 0);
            assert_int_equal(client_input(&c, "x", c.state >= SOCKS_C_DONE, &used), rc);
            assert_int_equal(used, 0);
        }
    }
}

static void
test_a_strict_client_waits_for_each_answer(void **state)
{
    (void)state;
    struct dest d = {.kind = DEST_NAME, .port = 80, .name = "a"};
    struct socks_client c;
    size_t len, used;
    fogi_socks_client_init(&c, &d, true);
    const void *out = outbox_peek(&c.out, &len);
    check_bytes("methods", 0, out, len, HELLO);
    outbox_drop(&c.out, len);
    assert_int_equal(fogi_socks_client_input(&c, "\5", 1, &used), 0);
    outbox_peek(&c.out, &len);
    assert_int_equal(len, 0);
    assert_int_equal(fogi_socks_client_input(&c, "\0", 1, &used), 0);
    out = outbox_peek(&c.out, &len);
    check_bytes("request", 0, out, len, ASK A_PORT);
    outbox_drop(&c.out, len);
    assert_int_equal(fogi_socks_client_input(&c, "\5\0\0\1\0\0\0\0\0\0x", 11, &used), 0);
    assert_int_equal(used, 10);
    assert_int_equal(c.state, SOCKS_C_DONE);
}

static void
test_client_and_server_understand_each_other(void **state)
{
    (void)state;
    char name[DEST_HOST_MAX + 4];
    memset(name, 'x', 255);
    for (size_t k = 63; k < 255; k += 64)
        name[k] = '.';
    strcpy(name + 255, ":1");
    const char *const dests[] = {"a:1", "a.b-c.d:65535", "1.2.3.4:80", "[2001:db8::1]:443", name};
    for (size_t i = 0; i < 2 * COUNT(dests); i++) {
        struct dest d = {0};
        struct socks_client c;
        struct socks_server s;
        size_t len, used;
        assert_int_equal(fogi_dest_authority(&d, dests[i / 2], strlen(dests[i / 2]), 0), 0);
        fogi_socks_client_init(&c, &d, i % 2);
        fogi_socks_server_init(&s, NULL, 0);
        for (int turn = 0; turn < 4; turn++) {
            const void *out = outbox_peek(&c.out, &len);
            assert_int_equal(fogi_socks_server_input(&s, out, len, &used), 0);
            outbox_drop(&c.out, used);
            if (s.state == SOCKS_ASKED)
                fogi_socks_reply(&s, SOCKS_OK);
            out = outbox_peek(&s.out, &len);
            assert_int_equal(fogi_socks_client_input(&c, out, len, &used), 0);
            outbox_drop(&s.out, used);
        }
        assert_int_equal(c.state, SOCKS_C_DONE);
        assert_int_equal(s.state, SOCKS_DONE);
        assert_true(fogi_dest_same(&s.dest, &d));
    }
}

static void
test_every_reply_has_a_text(void **state)
{
    (void)state;
    assert_string_equal(fogi_socks_rep_text(5), "connection refused");
    assert_string_equal(fogi_socks_rep_text(9), "unknown reply");
    assert_string_equal(fogi_socks_rep_text(-1), "unknown reply");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_server_understands_requests_however_they_are_cut),
        cmocka_unit_test(test_a_server_waits_for_the_whole_of_it),
        cmocka_unit_test(test_a_name_is_as_long_as_it_says_however_slowly_it_comes),
        cmocka_unit_test(test_the_longest_login_fits),
        cmocka_unit_test(test_the_reply_tells_how_it_went),
        cmocka_unit_test(test_a_client_asks_in_one_piece_and_reads_no_byte_too_many),
        cmocka_unit_test(test_a_strict_client_waits_for_each_answer),
        cmocka_unit_test(test_client_and_server_understand_each_other),
        cmocka_unit_test(test_every_reply_has_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
