/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "proxy/pac.h"
#include "proxy/site.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define NOW 784111777 /* Sun, 06 Nov 1994 08:49:37 GMT, as in RFC 9110 */

/* clang-format off */
static const struct {
    const char *target, *name; /* NULL: 404 */
    bool folder;
} targets[] = {
    {"/",                     "",                true},
    {"/index.html",           "index.html",      false},
    {"/a/b.css",              "a/b.css",         false},
    {"/a/",                   "a",               true},
    {"/a/b/",                 "a/b",             true},
    {"/a?b=../c",             "a",               false},
    {"/?",                    "",                true},
    {"/a%20b",                "a b",             false},
    {"/%41",                  "A",               false},
    {"/%c3%a9",               "\xc3\xa9",        false},
    {"/.well-known/x",        ".well-known/x",   false},
    {"/a..b",                 "a..b",            false},
    {"/a.",                   "a.",              false},
    {"",                      NULL, false}, {"a",                     NULL, false},
    {"*",                     NULL, false}, {"http://h/a",            NULL, false},
    {"//",                    NULL, false}, {"//a",                   NULL, false},
    {"/a//b",                 NULL, false}, {"/a//",                  NULL, false},
    {"/.",                    NULL, false}, {"/..",                   NULL, false},
    {"/./a",                  NULL, false}, {"/../a",                 NULL, false},
    {"/a/..",                 NULL, false}, {"/a/../b",               NULL, false},
    {"/a/../../b",            NULL, false}, {"/...",                  NULL, false},
    {"/%2e%2e/a",             NULL, false}, {"/%2E./a",               NULL, false},
    {"/.%2e/a",               NULL, false}, {"/a%2f..%2fb",           NULL, false},
    {"/%252e%252e/a",         NULL, false}, {"/a%00",                 NULL, false},
    {"/a%00.html",            NULL, false}, {"/a%0a",                 NULL, false},
    {"/a\\..\\b",             NULL, false}, {"/a%5cb",                NULL, false},
    {"/a%",                   NULL, false}, {"/a%4",                  NULL, false},
    {"/a%4g",                 NULL, false}, {"/a%7f",                 NULL, false},
    {"/.git/config",          NULL, false}, {"/a/.htpasswd",          NULL, false},
    {"/.well-known-not/x",    NULL, false}, {"/a#b",                  NULL, false},
    {"/a\tb",                 NULL, false}, {"/%c0%ae%c0%ae/a",       "\xc0\xae\xc0\xae/a", false},
};
/* clang-format on */

static void
a_target_names_a_file_below_the_root(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(targets); i++) {
        struct site_path p, before;
        memset(&p, 'x', sizeof p);
        p.folder = false;
        before = p;
        int rc = fogi_site_path(&p, targets[i].target, strlen(targets[i].target));
        bool right = targets[i].name == NULL
                         ? rc == FOG_E_FORMAT && memcmp(&p, &before, sizeof p) == 0
                         : rc == FOG_OK && strcmp(p.name, targets[i].name) == 0 &&
                               p.folder == targets[i].folder;
        if (!right)
            fail_msg("%s: %d", targets[i].target, rc);
    }
}

static void
a_target_may_begin_with_the_name_of_the_site(void **state)
{
    static const struct {
        const char *target, *origin; /* NULL: not for a site */
    } rows[] = {{"/", "/"},
                {"/a?b", "/a?b"},
                {"//a", "//a"},
                {"http://a", "/"},
                {"http://a/", "/"},
                {"http://a:80/b?c", "/b?c"},
                {"https://a/b", "/b"},
                {"HTTP://a/b", "/b"},
                {"hTTps://a/b", "/b"},
                {"http://a?b=/c", "/"},
                {"http://a/b?c=/d", "/b?c=/d"},
                {"", NULL},
                {"*", NULL},
                {"a", NULL},
                {"a.example:443", NULL},
                {"?a", NULL},
                {"http://", NULL},
                {"http:///a", NULL},
                {"http://?a", NULL},
                {"ftp://a/b", NULL},
                {"http:/a", NULL}};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t len = strlen(rows[i].target);
        const char *origin = fogi_site_origin(rows[i].target, &len);
        if (rows[i].origin == NULL)
            assert_null(origin);
        else if (len != strlen(rows[i].origin) || memcmp(origin, rows[i].origin, len) != 0)
            fail_msg("%s: %.*s", rows[i].target, (int)len, origin);
    }
}

static void
a_name_has_at_most_1023_bytes(void **state)
{
    char target[SITE_PATH_MAX + 2];
    struct site_path p;
    (void)state;
    memset(target, 'a', sizeof target);
    target[0] = '/';
    assert_int_equal(fogi_site_path(&p, target, SITE_PATH_MAX), FOG_OK);
    assert_int_equal(strlen(p.name), SITE_PATH_MAX - 1);
    assert_int_equal(fogi_site_path(&p, target, SITE_PATH_MAX + 1), FOG_E_FORMAT);
}

static void
types_go_by_the_end_of_the_name(void **state)
{
    static const struct {
        const char *name, *mime;
    } rows[] = {{"index.html", "text/html"},
                {"a/b.min.js", "text/javascript"},
                {"a.css/b", "application/octet-stream"},
                {"x.tar.gz", "application/gzip"},
                {"README", "application/octet-stream"},
                {"a.unknown", "application/octet-stream"},
                {"", "application/octet-stream"}};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_string_equal(fogi_site_mime(rows[i].name), rows[i].mime);
}

static void
dates_are_right_over_leap_days(void **state)
{
    static const struct {
        int64_t s;
        const char *date;
    } rows[] = {{0, "Thu, 01 Jan 1970 00:00:00 GMT"},
                {NOW, "Sun, 06 Nov 1994 08:49:37 GMT"},
                {951782399, "Mon, 28 Feb 2000 23:59:59 GMT"},
                {951782400, "Tue, 29 Feb 2000 00:00:00 GMT"},
                {951868800, "Wed, 01 Mar 2000 00:00:00 GMT"},
                {1709164800, "Thu, 29 Feb 2024 00:00:00 GMT"},
                {1735689599, "Tue, 31 Dec 2024 23:59:59 GMT"},
                {4107542400, "Mon, 01 Mar 2100 00:00:00 GMT"},
                {253402300799, "Fri, 31 Dec 9999 23:59:59 GMT"},
                {-1, "Thu, 01 Jan 1970 00:00:00 GMT"},
                {INT64_MAX, "Fri, 31 Dec 9999 23:59:59 GMT"}};
    char date[SITE_DATE_LEN + 1];
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        fogi_site_date(date, rows[i].s);
        assert_string_equal(date, rows[i].date);
    }
}

static struct site_ask
ask_range(const char *range)
{
    return (struct site_ask){
        .keep_alive = true, .range = range, .range_len = range != NULL ? strlen(range) : 0};
}

static void
a_file_is_answered_with_200(void **state)
{
    struct site_answer a;
    struct site_file f = {"text/html", 1234, NOW - 3600};
    struct site_ask ask = ask_range(NULL);
    (void)state;
    fogi_site_file(&a, &f, &ask, NOW);
    assert_string_equal(a.head, "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                                "Content-Type: text/html\r\nContent-Length: 1234\r\n"
                                "Last-Modified: Sun, 06 Nov 1994 07:49:37 GMT\r\n"
                                "Accept-Ranges: bytes\r\nConnection: keep-alive\r\n\r\n");
    assert_int_equal(a.head_len, strlen(a.head));
    assert_int_equal(a.len, 1234);
    ask.head = true;
    fogi_site_file(&a, &f, &ask, NOW);
    assert_non_null(strstr(a.head, "Content-Length: 1234\r\n"));
    assert_int_equal(a.len, 0);
}

static void
a_file_that_did_not_change_is_304(void **state)
{
    static const char since[] = "Sun, 06 Nov 1994 07:49:37 GMT";
    struct site_answer a;
    struct site_file f = {"text/html", 1234, NOW - 3600};
    struct site_ask ask = {.if_modified_since = since, .if_modified_since_len = sizeof since - 1};
    (void)state;
    fogi_site_file(&a, &f, &ask, NOW);
    assert_string_equal(a.head, "HTTP/1.1 304 Not Modified\r\n"
                                "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                                "Last-Modified: Sun, 06 Nov 1994 07:49:37 GMT\r\n"
                                "Connection: close\r\n\r\n");
    assert_int_equal(a.len, 0);
    f.modified_s++;
    fogi_site_file(&a, &f, &ask, NOW);
    assert_int_equal(a.status, 200);
}

/* clang-format off */
static const struct {
    const char *range;
    uint64_t size;
    int status;
    uint64_t from, len;
} ranges[] = {
    {"bytes=0-0",       100, 206, 0,  1},
    {"bytes=10-19",     100, 206, 10, 10},
    {"bytes=10-",       100, 206, 10, 90},
    {"bytes=10-999",    100, 206, 10, 90},
    {"bytes=-10",       100, 206, 90, 10},
    {"bytes=-200",      100, 206, 0,  100},
    {"bytes=99-99",     100, 206, 99, 1},
    {"bytes=100-",      100, 416, 0,  0},
    {"bytes=-0",        100, 416, 0,  0},
    {"bytes=0-",        0,   416, 0,  0},
    {"bytes=0-1,2-3",   100, 200, 0,  100},
    {"bytes=5-4",       100, 200, 0,  100},
    {"bytes=-",         100, 200, 0,  100},
    {"bytes=",          100, 200, 0,  100},
    {"bytes=a-b",       100, 200, 0,  100},
    {"bytes=1",         100, 200, 0,  100},
    {"bytes=1-2x",      100, 200, 0,  100},
    {"lines=1-2",       100, 200, 0,  100},
    {"bytes=1-99999999999999999999999", 100, 200, 0, 100},
    {"bytes=99999999999999999999-",     100, 200, 0, 100},
};
/* clang-format on */

static void
one_range_is_answered_with_206(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(ranges); i++) {
        struct site_answer a;
        struct site_file f = {"text/plain", ranges[i].size, 0};
        struct site_ask ask = ask_range(ranges[i].range);
        fogi_site_file(&a, &f, &ask, NOW);
        if (a.status != ranges[i].status || a.from != ranges[i].from || a.len != ranges[i].len)
            fail_msg("%s: %d %u %u", ranges[i].range, a.status, (unsigned)a.from, (unsigned)a.len);
    }
    struct site_answer a;
    struct site_file f = {"text/plain", 100, 0};
    struct site_ask ask = ask_range("bytes=10-19");
    fogi_site_file(&a, &f, &ask, NOW);
    assert_non_null(strstr(a.head, "Content-Range: bytes 10-19/100\r\n"));
    assert_non_null(strstr(a.head, "Content-Length: 10\r\n"));
}

static void
a_part_is_given_of_the_file_that_is_meant_and_else_the_whole(void **state)
{
    static const struct {
        const char *if_range;
        int status;
    } rows[] = {{"Sun, 06 Nov 1994 08:49:37 GMT", 206},
                {"Sun, 06 Nov 1994 08:49:36 GMT", 200},
                {"Sun, 06 Nov 1994 08:49:37 GMT ", 200},
                {"\"an-etag\"", 200},
                {"", 200}};
    struct site_file f = {"text/plain", 100, NOW};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct site_answer a;
        struct site_ask ask = ask_range("bytes=0-9");
        ask.if_range = rows[i].if_range;
        ask.if_range_len = strlen(rows[i].if_range);
        fogi_site_file(&a, &f, &ask, NOW);
        assert_int_equal(a.status, rows[i].status);
        assert_int_equal(a.len, rows[i].status == 206 ? 10 : 100);
    }
}

static void
every_error_has_its_page(void **state)
{
    static const int statuses[] = {400, 401, 403, 404, 405, 408, 413, 431, 503};
    (void)state;
    for (size_t i = 0; i < COUNT(statuses); i++) {
        struct site_answer a, h;
        struct site_ask ask = {.keep_alive = true}, head = {.keep_alive = true, .head = true};
        unsigned len = 0;
        fogi_site_error(&a, statuses[i], &ask, NOW);
        fogi_site_error(&h, statuses[i], &head, NOW);
        const char *body = strstr(a.head, "\r\n\r\n") + 4, *field = strstr(a.head, "Length: ");
        assert_int_equal(sscanf(field, "Length: %u", &len), 1);
        assert_int_equal(len, strlen(body));
        assert_int_equal(h.head_len + len, a.head_len);
        assert_memory_equal(h.head, a.head, h.head_len);
        assert_int_equal(strstr(a.head, "WWW-Authenticate: Basic\r\n") != NULL, statuses[i] == 401);
        assert_null(strstr(a.head, "foggara"));
        assert_null(strstr(a.head, "Server"));
    }
}

static void
a_redirect_keeps_the_target_if_it_is_plain(void **state)
{
    static const struct {
        bool https;
        const char *host, *target, *location;
    } rows[] = {{true, "a.com:443", "/x?y=z", "https://a.com/x?y=z"},
                {true, "a.com:8443", "/", "https://a.com:8443/"},
                {false, "a.com:80", "/", "http://a.com/"},
                {true, "[2001:db8::1]:443", "/", "https://[2001:db8::1]/"},
                {true, "a.com:443", "/a\r\nSet-Cookie: x", "https://a.com/"},
                {true, "a.com:443", "http://evil/", "https://a.com/"},
                {true, "a.com:443", "", "https://a.com/"},
                {true, "a.com:443", "/\xc3\xa9", "https://a.com/"}};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct site_answer a;
        struct site_ask ask = {0};
        struct dest d = {0};
        char want[128];
        assert_int_equal(fogi_dest_authority(&d, rows[i].host, strlen(rows[i].host), 0), FOG_OK);
        fogi_site_redirect(&a, rows[i].https, &d, rows[i].target, strlen(rows[i].target), &ask,
                           NOW);
        snprintf(want, sizeof want, "\r\nLocation: %s\r\n", rows[i].location);
        if (strstr(a.head, want) == NULL || a.status != 301)
            fail_msg("%s: %s", want, a.head);
    }
}

static void
the_longest_redirect_fits(void **state)
{
    char target[SITE_TARGET_MAX + 1];
    struct site_answer a;
    struct site_ask ask = {0};
    struct dest d = {.kind = DEST_NAME, .port = 65535};
    (void)state;
    memset(d.name, 'a', DEST_HOST_MAX);
    memset(target, 'a', sizeof target);
    target[0] = '/';
    fogi_site_redirect(&a, true, &d, target, SITE_TARGET_MAX, &ask, NOW);
    assert_non_null(strstr(a.head, "aaaa\r\n"));
    fogi_site_redirect(&a, true, &d, target, SITE_TARGET_MAX + 1, &ask, NOW);
    assert_non_null(strstr(a.head, ":65535/\r\n"));
}

static void
a_pac_script_names_the_listeners_there_are(void **state)
{
    static const struct {
        const char *host;
        uint16_t socks5, http;
        const char *says;
    } rows[] = {{"10.0.0.1:8080", 1080, 8118, "\"SOCKS5 10.0.0.1:1080; PROXY 10.0.0.1:8118\""},
                {"proxy.lan:1", 1080, 0, "\"SOCKS5 proxy.lan:1080\""},
                {"[fd00::1]:1", 0, 8118, "\"PROXY [fd00::1]:8118\""}};
    char script[PAC_SCRIPT_MAX];
    struct dest d = {.kind = DEST_NAME, .port = 1};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct dest host = {0};
        assert_int_equal(fogi_dest_authority(&host, rows[i].host, strlen(rows[i].host), 0), 0);
        size_t len = fogi_pac_script(script, &host, rows[i].socks5, rows[i].http);
        assert_int_equal(len, strlen(script));
        if (strstr(script, rows[i].says) == NULL)
            fail_msg("%s", script);
    }
    assert_int_equal(fogi_pac_script(script, &d, 0, 0), 0);
    memset(d.name, 'a', DEST_HOST_MAX);
    assert_true(fogi_pac_script(script, &d, 65535, 65535) < PAC_SCRIPT_MAX);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_target_names_a_file_below_the_root),
        cmocka_unit_test(a_target_may_begin_with_the_name_of_the_site),
        cmocka_unit_test(a_name_has_at_most_1023_bytes),
        cmocka_unit_test(types_go_by_the_end_of_the_name),
        cmocka_unit_test(dates_are_right_over_leap_days),
        cmocka_unit_test(a_file_is_answered_with_200),
        cmocka_unit_test(a_file_that_did_not_change_is_304),
        cmocka_unit_test(one_range_is_answered_with_206),
        cmocka_unit_test(a_part_is_given_of_the_file_that_is_meant_and_else_the_whole),
        cmocka_unit_test(every_error_has_its_page),
        cmocka_unit_test(a_redirect_keeps_the_target_if_it_is_plain),
        cmocka_unit_test(the_longest_redirect_fits),
        cmocka_unit_test(a_pac_script_names_the_listeners_there_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
