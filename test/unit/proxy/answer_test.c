/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/answer.h"

#include <string.h>

/* The place of the field is marked by "^"; without one there is none. */
/* clang-format off */
static const char *const rows[] = {
    "HTTP/1.1 200 OK\r\n^Content-Length: 2\r\n\r\nab",
    "HTTP/1.0 404 Not Found\r\n^\r\n",
    "HTTP/1.1 204\r\n^\r\n",
    "HTTP/1.1 200 OK\n^Connection: keep-alive\n\n",
    "HTTP/1.1 200 HTTP/1.1 100\r\n^\r\nHTTP/1.1 200 OK\r\n\r\n",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n^\r\n",
    "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 100 Continue\n\nHTTP/1.1 500 No\r\n^\r\n",
    "HTTP/1.1 103 Early Hints\r\nHTTP/1.1 200 OK\r\n\r\nHTTP/1.1 302 Found\r\n^\r\n",
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n\x81\x05HTTP/1.1 200 OK\r\n",
    "",
    "HTTP/1.1 200 OK",
    "HTTP/1.1 20",
    "HTTP/1.1 2x0 OK\r\n\r\n",
    "HTTP/2.0 200 OK\r\n\r\n",
    "HTTP/1.1  200 OK\r\n\r\n",
    "http/1.1 200 OK\r\n\r\n",
    "\r\nHTTP/1.1 200 OK\r\n\r\n",
    "ICY 200 OK\r\n\r\n",
    "<html>HTTP/1.1 200 OK\r\n",
};
/* clang-format on */

/** Feeds the row in pieces; gives what comes out, with each place marked. */
static void
feed(const char *bytes, size_t len, size_t piece, char *out)
{
    struct answer a = {.state = ANSWER_LINE};
    for (size_t i = 0; i < len;) {
        bool here;
        size_t n = fogi_answer_input(&a, bytes + i, len - i < piece ? len - i : piece, &here);
        assert_true(n > 0);
        memcpy(out, bytes + i, n);
        out += n;
        i += n;
        if (here)
            *out++ = '^';
    }
    *out = 0;
}

static void
the_field_goes_behind_the_last_status_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char bytes[256], out[256];
        size_t len = 0;
        for (const char *p = rows[i]; *p; p++)
            if (*p != '^')
                bytes[len++] = *p;
        for (size_t piece = 1; piece <= len; piece++) {
            feed(bytes, len, piece, out);
            assert_string_equal(out, rows[i]);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_field_goes_behind_the_last_status_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
