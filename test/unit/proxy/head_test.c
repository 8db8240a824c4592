/* SPDX-License-Identifier: MIT
 *
 * Heads that pass and heads that do not, cut in every way; limits at N and N + 1 (threats S5, S7).
 * What a proxy makes of them, and the smuggling corpus, is in forward_test.c.
 */
#include "unit/proxy/feed.h"

#include "proxy/head.h"

#include <stdio.h>
#include <time.h>

struct rig {
    struct head h;
    struct mem m;
};

static int
input(void *x, const void *buf, size_t len, size_t *used)
{
    struct rig *r = x;
    return fogi_head_input(&r->h, &r->m, buf, len, used);
}

static void
rig_init(struct rig *r, enum head_kind kind)
{
    mem_init(&r->m, fog_alloc_libc());
    fogi_head_init(&r->h, kind);
}

static const struct {
    const char *text;
    enum head_kind kind;
    int want;
    size_t used; /* for errors: bytes before the one that showed it; 0 as well: do not care */
} heads[] = {
    {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", HEAD_REQUEST, 0, 0},
    {"GET / HTTP/1.1\r\nHost: a\r\n\r\nbehind\r\n\r\n", HEAD_REQUEST, 0, 0},
    {"GET / HTTP/1.0\r\n\r\n", HEAD_REQUEST, 0, 0},
    {"M-SEARCH * HTTP/1.1\r\nhost:\r\n\r\n", HEAD_REQUEST, 0, 0},
    {"CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\n\r\n", HEAD_REQUEST, 0, 0},
    {"GET / HTTP/1.1\r\nHost:\t a \t\r\nX:\xc3\xa4 \tb\r\nY:\r\nZ: \t\r\n\r\n", HEAD_REQUEST, 0, 0},
    {"HTTP/1.1 101 Switching Protocols\r\nA: b\r\n\r\n\x82\x7f", HEAD_RESPONSE, 0, 0},
    {"HTTP/1.0 200 \r\n\r\n", HEAD_RESPONSE, 0, 0},
    {"HTTP/1.1 999 a b\xff\r\n\r\n", HEAD_RESPONSE, 0, 0},
    {"HTTP/1.1 200\r\n\r\n", HEAD_RESPONSE, FOG_E_FORMAT, 13},
    {"HTTP/1.1  200 OK\r\n\r\n", HEAD_RESPONSE, FOG_E_FORMAT, 17},
    {"HTTP/1.1 2000 OK\r\n\r\n", HEAD_RESPONSE, FOG_E_FORMAT, 0},
    {"HTTP/1.1 099 OK\r\n\r\n", HEAD_RESPONSE, FOG_E_FORMAT, 0},
    {"HTTP/1.1 2x0 OK\r\n\r\n", HEAD_RESPONSE, FOG_E_FORMAT, 0},
    {"HTTP/2 200 OK\r\n\r\n", HEAD_RESPONSE, FOG_E_FORMAT, 0},
    {"ICY 200 OK\r\n\r\n", HEAD_RESPONSE, FOG_E_FORMAT, 0},
    {"HTTP/1.1 101 x\nA: b\r\n\r\n", HEAD_RESPONSE, FOG_E_FORMAT, 14},
    {"HTTP/1.1 200 x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", HEAD_RESPONSE,
     FOG_E_FORMAT, 0},
    {"\x16\x03\x01", HEAD_REQUEST, FOG_E_FORMAT, 0},
    {"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", HEAD_REQUEST, FOG_E_FORMAT, 1},
    {" GET / HTTP/1.1\r\nHost: a\r\n\r\n", HEAD_REQUEST, FOG_E_FORMAT, 0},
    {"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", HEAD_REQUEST, FOG_E_FORMAT, 16},
    {"GET /  HTTP/1.1\r\nHost: a\r\n\r\n", HEAD_REQUEST, FOG_E_FORMAT, 0},
    {"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", HEAD_REQUEST, FOG_E_FORMAT, 0},
    {"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", HEAD_REQUEST, FOG_E_FORMAT, 0},
    {"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", HEAD_REQUEST, FOG_E_FORMAT, 0},
    {"GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n", HEAD_REQUEST, FOG_E_FORMAT, 0},
    {"GET /\t HTTP/1.1\r\nHost: a\r\n\r\n", HEAD_REQUEST, FOG_E_FORMAT, 0},
    {"GET /\r\nHost: a\r\n\r\n", HEAD_REQUEST, FOG_E_FORMAT, 6},
    {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", HEAD_REQUEST, FOG_E_FORMAT, 0},
    {"GET / HTTP/1.2\r\nHost: a\r\n\r\n", HEAD_REQUEST, FOG_E_FORMAT, 0},
    {"GET / http/1.1\r\nHost: a\r\n\r\n", HEAD_REQUEST, FOG_E_FORMAT, 0},
    {"GET / HTTP/1.10\r\nHost: a\r\n\r\n", HEAD_REQUEST, FOG_E_FORMAT, 0},
    {"G(T / HTTP/1.1\r\nHost: a\r\n\r\n", HEAD_REQUEST, FOG_E_FORMAT, 0},
    {" / HTTP/1.1\r\nHost: a\r\n\r\n", HEAD_REQUEST, FOG_E_FORMAT, 0},
    {"GET / HTTP/1.1\nHost: a\r\n\r\n", HEAD_REQUEST, FOG_E_FORMAT, 14},
    {"GET / HTTP/1.1\r\nHost: a\n\r\n", HEAD_REQUEST, FOG_E_FORMAT, 23},
    {"GET / HTTP/1.1\r\nHost: a\r\n\n", HEAD_REQUEST, FOG_E_FORMAT, 25},
    {"GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", HEAD_REQUEST, FOG_E_FORMAT, 24},
    {"GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n", HEAD_REQUEST, FOG_E_FORMAT, 24},
    {"GET / HTTP/1.1\r\nHost: a\r\n b: c\r\n\r\n", HEAD_REQUEST, FOG_E_FORMAT, 0},
    {"GET / HTTP/1.1\r\n folded: c\r\nHost: a\r\n\r\n", HEAD_REQUEST, FOG_E_FORMAT, 0},
    {"GET / HTTP/1.1\r\nHost : a\r\n\r\n", HEAD_REQUEST, FOG_E_FORMAT, 0},
    {"GET / HTTP/1.1\r\nHost\r\n\r\n", HEAD_REQUEST, FOG_E_FORMAT, 0},
    {"GET / HTTP/1.1\r\n: a\r\nHost: a\r\n\r\n", HEAD_REQUEST, FOG_E_FORMAT, 0},
    {"GET / HTTP/1.1\r\nHost: a\r\nX\xc3: a\r\n\r\n", HEAD_REQUEST, FOG_E_FORMAT, 0},
    {"GET / HTTP/1.1\r\nHost: a\r\nX: a\x01\r\n\r\n", HEAD_REQUEST, FOG_E_FORMAT, 29},
    {"GET / HTTP/1.1\r\nHost: a\r\nX: a\x7f\r\n\r\n", HEAD_REQUEST, FOG_E_FORMAT, 29},
    {"GET / HTTP/1.1\r\n\r\n", HEAD_REQUEST, FOG_E_FORMAT, 17},
    {"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", HEAD_REQUEST, FOG_E_FORMAT, 0},
    {"GET / HTTP/1.0\r\nHost: a\r\nHOST: b\r\n\r\n", HEAD_REQUEST, FOG_E_FORMAT, 0},
    {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", HEAD_REQUEST, FOG_E_FORMAT, 0},
    {"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", HEAD_REQUEST, FOG_E_FORMAT, 0},
    {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", HEAD_REQUEST, FOG_E_FORMAT, 0},
    {"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", HEAD_REQUEST, FOG_E_FORMAT, 0},
};

static void
test_a_head_has_one_reading_however_it_is_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(heads); i++) {
        size_t len = strlen(heads[i].text), whole = 0;
        for (size_t cut = 0; cut <= len; cut++) {
            struct rig r;
            size_t used;
            rig_init(&r, heads[i].kind);
            int rc = feed(input, &r, heads[i].text, len, cut, &used);
            if (rc != heads[i].want || r.h.err != rc || r.h.done != (rc == 0))
                fail_msg("%s\ncut %zu: %s", heads[i].text, cut, fog_err_name(rc));
            if (cut == 0)
                whole = used;
            if (rc == 0)
                assert_int_equal(used,
                                 (size_t)(strstr(heads[i].text, "\r\n\r\n") + 4 - heads[i].text));
            if (used != whole || (heads[i].used && used != heads[i].used))
                fail_msg("%s\ncut %zu: %zu used", heads[i].text, cut, used);
            size_t more = 1; /* the end is the end, and an error an error */
            assert_int_equal(input(&r, "G", 1, &more), rc);
            assert_int_equal(more, 0);
            fogi_head_clear(&r.h, &r.m);
            assert_int_equal(r.m.held, 0);
        }
    }
}

static void
test_nul_is_refused_wherever_it_stands(void **state)
{
    (void)state;
    static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n";
    for (size_t at = 0; at < sizeof text - 1; at++) {
        char bytes[sizeof text];
        struct rig r;
        size_t used;
        memcpy(bytes, text, sizeof text);
        bytes[at] = 0;
        rig_init(&r, HEAD_REQUEST);
        assert_int_equal(feed(input, &r, bytes, sizeof text - 1, 0, &used), FOG_E_FORMAT);
        assert_int_equal(used, at);
        fogi_head_clear(&r.h, &r.m);
    }
}

static void
test_a_head_is_read_by_name(void **state)
{
    (void)state;
    static const char text[] =
        "POST http://x/y?z HTTP/1.0\r\nA: 1\r\nb:\t2 \r\na:3\r\nHost: null\r\n"
        "Connection: close , Upgrade\r\nconnection:,x ,\r\n"
        "Content-Length: 17\r\n\r\n";
    struct rig r;
    size_t used;
    struct head_text v;
    rig_init(&r, HEAD_REQUEST);
    assert_int_equal(feed(input, &r, text, sizeof text - 1, sizeof text - 1, &used), 0);
    assert_true(fogi_text_is(fogi_head_method(&r.h), "POST"));
    assert_true(fogi_text_is(fogi_head_target(&r.h), "http://x/y?z"));
    assert_int_equal(r.h.minor, 0);
    assert_int_equal(r.h.n_fields, 7);
    assert_int_equal(r.h.body, HEAD_BODY_LENGTH);
    assert_int_equal(r.h.length, 17);
    assert_true(fogi_head_find(&r.h, "a", 0, &v) && fogi_text_is(v, "1"));
    assert_true(fogi_head_find(&r.h, "A", 1, &v) && fogi_text_is(v, "3"));
    assert_false(fogi_head_find(&r.h, "A", 2, &v));
    assert_true(fogi_head_find(&r.h, "B", 0, &v) && fogi_text_is(v, "2"));
    assert_false(fogi_head_find(&r.h, "c", 0, &v));
    assert_int_equal(fogi_head_count(&r.h, "CONNECTION"), 2);
    assert_true(fogi_head_lists(&r.h, "connection", "upgrade"));
    assert_true(fogi_head_lists(&r.h, "connection", "close"));
    assert_true(fogi_head_lists(&r.h, "connection", "x"));
    assert_false(fogi_head_lists(&r.h, "connection", "up"));
    assert_false(fogi_head_lists(&r.h, "host", "x"));
    assert_true(fogi_text_is_word(fogi_head_name(&r.h, 6), "content-length"));
    assert_false(fogi_text_is(fogi_head_name(&r.h, 6), "content-length"));
    fogi_head_clear(&r.h, &r.m);
}

static void
test_bytes_end_at_the_limit(void **state)
{
    (void)state;
    for (size_t extra = 0; extra < 2; extra++) {
        static const char front[] = "GET / HTTP/1.1\r\nHost: a\r\nX: ", back[] = "\r\n\r\n";
        size_t len = HEAD_MAX + extra, used;
        char *text = malloc(len);
        memset(text, 'x', len);
        memcpy(text, front, sizeof front - 1);
        memcpy(text + len - 4, back, 4);
        for (size_t cut = 0; cut <= len; cut += cut < len - 1 ? len - 1 : 1) {
            struct rig r;
            rig_init(&r, HEAD_REQUEST);
            int rc = feed(input, &r, text, len, cut, &used);
            assert_int_equal(rc, extra ? FOG_E_LIMIT : 0);
            assert_int_equal(used, HEAD_MAX);
            assert_int_equal(r.m.held, HEAD_MAX);
            fogi_head_clear(&r.h, &r.m);
        }
        free(text);
    }
}

static void
test_fields_end_at_the_limit(void **state)
{
    (void)state;
    for (size_t extra = 0; extra < 2; extra++) {
        char text[2048];
        struct rig r;
        size_t used, len = (size_t)sprintf(text, "GET / HTTP/1.1\r\nHost: a\r\n");
        for (size_t i = 1; i < HEAD_FIELDS_MAX + extra; i++)
            len += (size_t)sprintf(text + len, "X%zu: y\r\n", i);
        len += (size_t)sprintf(text + len, "\r\n");
        rig_init(&r, HEAD_REQUEST);
        assert_int_equal(feed(input, &r, text, len, 0, &used), extra ? FOG_E_LIMIT : 0);
        assert_int_equal(r.h.n_fields, HEAD_FIELDS_MAX);
        fogi_head_clear(&r.h, &r.m);
    }
}

static void
test_without_memory_a_head_waits(void **state)
{
    (void)state;
    char text[3000];
    size_t len = (size_t)sprintf(text, "GET / HTTP/1.1\r\nHost: a\r\nX: %02000d\r\n\r\n", 1);
    for (size_t limit = 0; limit < 8192; limit += 512) {
        struct budget b;
        struct rig r;
        size_t done = 0, used;
        int rc;
        fogi_budget_init(&b, limit, fog_alloc_libc());
        struct fog_alloc al = fogi_budget_alloc(&b);
        mem_init(&r.m, &al);
        fogi_head_init(&r.h, HEAD_REQUEST);
        while ((rc = fogi_head_input(&r.h, &r.m, text + done, len - done, &used)) == FOG_E_NOMEM) {
            done += used;
            assert_true(done < len && r.h.err == 0);
            b.limit += 512; /* somebody gave some back */
        }
        assert_int_equal(rc, 0);
        assert_int_equal(done + used, len);
        assert_true(r.h.done);
        fogi_head_clear(&r.h, &r.m);
        assert_int_equal(b.used, 0);
    }
}

static void
test_dates_are_those_of_the_calendar(void **state)
{
    (void)state;
    char got[HEAD_DATE_LEN + 1], want[64];
    fogi_head_date(784111777000, got);
    assert_string_equal(got, "Sun, 06 Nov 1994 08:49:37 GMT");
    fogi_head_date(0, got);
    assert_string_equal(got, "Thu, 01 Jan 1970 00:00:00 GMT");
    for (int64_t day = 0; day < 150000; day++) { /* to the year 2380 */
        time_t t = day * 86400 + day * 7919 % 86400;
        struct tm *tm = gmtime(&t);
        strftime(want, sizeof want, "%a, %d %b %Y %H:%M:%S GMT", tm);
        fogi_head_date((uint64_t)t * 1000 + 999, got);
        assert_string_equal(got, want);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_head_has_one_reading_however_it_is_cut),
        cmocka_unit_test(test_nul_is_refused_wherever_it_stands),
        cmocka_unit_test(test_a_head_is_read_by_name),
        cmocka_unit_test(test_bytes_end_at_the_limit),
        cmocka_unit_test(test_fields_end_at_the_limit),
        cmocka_unit_test(test_without_memory_a_head_waits),
        cmocka_unit_test(test_dates_are_those_of_the_calendar),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
