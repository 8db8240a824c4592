/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/agent_int.h"
#include "channel_rig.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A program's connection, and the request that is read from it:
 *
 *     app ~ below = body         `got` is what the origin would get
 */

#define HEAD_TEXT "POST / HTTP/1.1\r\nHost: a\r\n\r\n"

static int app;
static struct channel *body;
static char got[4096];
static size_t got_len;
static bool ended, broke;

static void
look(void *ctx)
{
    const void *at;
    size_t len;
    bool eof;
    (void)ctx;
    do {
        if (channel_peek(body, &at, &len, &eof)) {
            broke = true;
            return;
        }
        assert_true(got_len + len < sizeof got);
        if (len)
            memcpy(got + got_len, at, len);
        got_len += len;
        ended = eof && !len;
        channel_consume(body, len);
    } while (len);
}

static void
begin(struct body framing)
{
    int fds[2];
    struct channel *below;
    framing.done = framing.framing == HEAD_BODY_NONE;
    rig_tcp_pair(fds);
    app = fds[0];
    assert_int_equal(fogi_channel_tcp_open(&below, &p, fds[1]), 0);
    body = fogi_agent_body(&p, below, &framing, HEAD_TEXT, strlen(HEAD_TEXT));
    assert_non_null(body);
    got_len = 0;
    ended = broke = false;
    fogi_channel_own(body, look, NULL);
}

static void
finish(void)
{
    fogi_channel_reset(body);
    close(app);
    rig_turns(4);
}

static void
say(const char *bytes, size_t len)
{
    assert_int_equal(send(app, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
    rig_turns(3);
}

/* clang-format off */
static const struct row {
    const char *name;
    enum head_body framing;
    uint64_t left;
    const char *sent;
    size_t passed;  /* of it */
    bool shut;      /* the program ends behind it */
    bool broken, eof;
} rows[] = {
    {"no body",                     HEAD_BODY_NONE,    0, "",                           0, false, false, false},
    {"no body, another request",    HEAD_BODY_NONE,    0, "GET / HTTP/1.1\r\n\r\n",     0, false, false, false},
    {"no body, then an end",        HEAD_BODY_NONE,    0, "",                           0, true,  false, true},
    {"no body, more, and an end",   HEAD_BODY_NONE,    0, "GET / HTTP/1.1\r\n\r\n",     0, true,  false, true},
    {"a length",                    HEAD_BODY_LENGTH,  5, "abcde",                      5, false, false, false},
    {"a length, and more",          HEAD_BODY_LENGTH,  5, "abcdeGET",                   5, false, false, false},
    {"a length, more, and an end",  HEAD_BODY_LENGTH,  5, "abcde\r\n",                  5, true,  false, true},
    {"a length, then an end",       HEAD_BODY_LENGTH,  5, "abcde",                      5, true,  false, true},
    {"an end within a length",      HEAD_BODY_LENGTH,  5, "abcd",                       4, true,  true,  false},
    {"an end before a length",      HEAD_BODY_LENGTH,  5, "",                           0, true,  true,  false},
    {"chunks",                      HEAD_BODY_CHUNKED, 0, "3\r\nabc\r\n0\r\n\r\n",     13, false, false, false},
    {"chunks, and more",            HEAD_BODY_CHUNKED, 0, "3\r\nabc\r\n0\r\n\r\nGET",  13, false, false, false},
    {"chunks, more, and an end",    HEAD_BODY_CHUNKED, 0, "3\r\nabc\r\n0\r\n\r\nGET",  13, true,  false, true},
    {"chunks, then an end",         HEAD_BODY_CHUNKED, 0, "3\r\nabc\r\n0\r\n\r\n",     13, true,  false, true},
    {"an end within a chunk",       HEAD_BODY_CHUNKED, 0, "3\r\nab",                    5, true,  true,  false},
    {"an end between chunks",       HEAD_BODY_CHUNKED, 0, "3\r\nabc\r\n",               8, true,  true,  false},
    {"no chunk",                    HEAD_BODY_CHUNKED, 0, "3\r\nabc\r\nxyz",            8, false, true,  false},
    {"a chunk longer than it says", HEAD_BODY_CHUNKED, 0, "3\r\nabcd\r\n",              6, false, true,  false},
};
/* clang-format on */

static void
expect(const struct row *r, size_t piece)
{
    size_t head = strlen(HEAD_TEXT), len = strlen(r->sent);
    begin((struct body){.framing = r->framing, .left = r->left});
    for (size_t i = 0; i < len; i += piece)
        say(r->sent + i, len - i < piece ? len - i : piece);
    if (r->shut)
        shutdown(app, SHUT_WR);
    rig_turns(6);
    if (got_len < head || memcmp(got, HEAD_TEXT, head) != 0 || broke != r->broken ||
        ended != r->eof || (!broke && got_len - head != r->passed) ||
        memcmp(got + head, r->sent, got_len - head) != 0)
        fail_msg("%s, in pieces of %zu: %zu bytes, ended %d, broke %d", r->name, piece,
                 got_len - head, ended, broke);
    assert_true(got_len - head <= r->passed);
    finish();
}

static void
what_passes_is_the_request_and_no_more(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        expect(&rows[i], 1);
        expect(&rows[i], 2);
        expect(&rows[i], 4096);
    }
}

static void
what_was_sent_before_is_not_sent_again(void **state)
{
    (void)state;
    begin((struct body){.framing = HEAD_BODY_NONE});
    size_t len;
    const char *head = fogi_agent_body_head(body, &len);
    assert_int_equal(len, strlen(HEAD_TEXT));
    assert_memory_equal(head, HEAD_TEXT, len);
    fogi_agent_body_skip(body, 5);
    rig_turns(3);
    assert_int_equal(got_len, len - 5);
    assert_memory_equal(got, HEAD_TEXT + 5, got_len);
    finish();
}

static void
the_answer_goes_straight_through(void **state)
{
    (void)state;
    char answer[16];
    size_t taken;
    begin((struct body){.framing = HEAD_BODY_LENGTH, .left = 5});
    assert_int_equal(channel_write(body, "HTTP", 4, &taken), 0);
    assert_int_equal(taken, 4);
    assert_int_equal(channel_finish(body), 0);
    rig_turns(4);
    assert_true(channel_is_sent(body));
    assert_int_equal(recv(app, answer, sizeof answer, 0), 4);
    assert_int_equal(recv(app, answer, sizeof answer, 0), 0);
    say("abcde", 5);
    assert_int_equal(got_len, strlen(HEAD_TEXT) + 5);
    finish();
}

static void
the_program_hears_that_nothing_follows(void **state)
{
    (void)state;
    static const char said[] = "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n\r\nab";
    static const char heard[] =
        "HTTP/1.1 200 OK\r\nConnection: close\r\nConnection: keep-alive\r\n\r\nab";
    for (size_t piece = 1; piece < sizeof said; piece++) {
        char answer[200];
        size_t at = 0, taken;
        begin((struct body){.framing = HEAD_BODY_NONE});
        while (at < sizeof said - 1) {
            size_t left = sizeof said - 1 - at;
            assert_int_equal(channel_write(body, said + at, left < piece ? left : piece, &taken),
                             0);
            at += taken;
        }
        rig_turns(4);
        assert_int_equal(recv(app, answer, sizeof heard - 1, MSG_WAITALL), sizeof heard - 1);
        assert_memory_equal(answer, heard, sizeof heard - 1);
        finish();
    }
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_passes_is_the_request_and_no_more),
        TEST(what_was_sent_before_is_not_sent_again),
        TEST(the_answer_goes_straight_through),
        TEST(the_program_hears_that_nothing_follows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
