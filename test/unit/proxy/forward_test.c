/* SPDX-License-Identifier: MIT
 *
 * The smuggling corpus: requests with two readings and what becomes of each (threats S5, S6, S8,
 * S9). What passes is parsed again, and must be the same request.
 */
#include "unit/proxy/feed.h"

#include "proxy/forward.h"

#include <stdio.h>

#define GET "GET http://a/ HTTP/1.1\r\nHost: a\r\n"
#define POST "POST http://a/ HTTP/1.1\r\nHost: a\r\n"
#define PASSED "POST / HTTP/1.1\r\nHost: a\r\n"
#define CLOSE "Connection: close\r\n\r\n"
#define TE "Transfer-Encoding: chunked\r\n"

/* What is wrong is found by one of these, in this order. */
enum verdict { PASS, TUNNEL, HEAD, FORWARD, BODY };

static const struct {
    const char *name, *text;
    enum verdict want;
    const char *got; /* PASS: all that the origin gets; TUNNEL: the destination */
} corpus[] = {
    /* what a browser sends */
    {"plain", GET "\r\n", PASS, "GET / HTTP/1.1\r\nHost: a\r\n" CLOSE},
    {"path", "GET http://A.b:81/c?d HTTP/1.1\r\nHost: x\r\n\r\n", PASS,
     "GET /c?d HTTP/1.1\r\nHost: a.b:81\r\n" CLOSE},
    {"query alone", "GET http://a?d HTTP/1.1\r\nHost: a\r\n\r\n", PASS,
     "GET /?d HTTP/1.1\r\nHost: a\r\n" CLOSE},
    {"nothing behind the host", "GET http://a HTTP/1.0\r\n\r\n", PASS,
     "GET / HTTP/1.0\r\nHost: a\r\n" CLOSE},
    {"options", "OPTIONS http://a:80 HTTP/1.1\r\nHost: a\r\n\r\n", PASS,
     "OPTIONS * HTTP/1.1\r\nHost: a\r\n" CLOSE},
    {"scheme in capitals", "GET HTTP://[::1]:8080/ HTTP/1.1\r\nHost: a\r\n\r\n", PASS,
     "GET / HTTP/1.1\r\nHost: [::1]:8080\r\n" CLOSE},
    {"hop by hop",
     GET "Proxy-Connection: keep-alive\r\nKeep-Alive: 5\r\nTE: trailers\r\nUpgrade: h2c\r\n"
         "HTTP2-Settings: x\r\nTrailer: X\r\nAccept: */*\r\nConnection: Upgrade, "
         "HTTP2-Settings\r\n\r\n",
     PASS, "GET / HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n" CLOSE},
    {"a password for us",
     GET "Proxy-Authorization: Basic x\r\nPROXY-AUTHENTICATE: y\r\nAuthorization: Basic z\r\n\r\n",
     PASS, "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Basic z\r\n" CLOSE},
    {"what connection names", GET "X: 1\r\nY: 2\r\nConnection: close, x\r\nconnection:y\r\n\r\n",
     PASS, "GET / HTTP/1.1\r\nHost: a\r\n" CLOSE},
    {"a body", POST "Content-Length: 3\r\n\r\nabc", PASS,
     PASSED "Content-Length: 3\r\n" CLOSE "abc"},
    {"an empty body", POST "Content-Length: 0\r\n\r\n", PASS, PASSED "Content-Length: 0\r\n" CLOSE},
    {"chunks", POST TE "\r\n3\r\nabc\r\n0A\r\n0123456789\r\n0\r\n\r\n", PASS,
     PASSED TE CLOSE "3\r\nabc\r\n0A\r\n0123456789\r\n0\r\n\r\n"},
    {"a longest size", POST TE "\r\n0000000000000001\r\nx\r\n0\r\n\r\n", PASS,
     PASSED TE CLOSE "0000000000000001\r\nx\r\n0\r\n\r\n"},
    /* a second request that rides along stays here */
    {"pipelined", GET "\r\nGET http://b/ HTTP/1.1\r\nHost: b\r\n\r\n", PASS,
     "GET / HTTP/1.1\r\nHost: a\r\n" CLOSE},
    {"behind a length", POST "Content-Length: 1\r\n\r\nxGET /evil HTTP/1.1\r\n\r\n", PASS,
     PASSED "Content-Length: 1\r\n" CLOSE "x"},
    {"behind chunks", POST TE "\r\n1\r\nx\r\n0\r\n\r\nGET /evil HTTP/1.1\r\n\r\n", PASS,
     PASSED TE CLOSE "1\r\nx\r\n0\r\n\r\n"},
    {"body of a GET", GET "Content-Length: 4\r\n\r\nabcdef", PASS,
     "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n" CLOSE "abcd"},
    /* two lengths */
    {"length and chunks", POST "Content-Length: 4\r\n" TE "\r\n0\r\n\r\n", HEAD, ""},
    {"chunks and length", POST TE "Content-Length: 4\r\n\r\n0\r\n\r\n", HEAD, ""},
    {"two lengths", POST "Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde", HEAD, ""},
    {"the same twice", POST "Content-Length: 4\r\ncontent-length: 4\r\n\r\nabcd", HEAD, ""},
    {"a list", POST "Content-Length: 4, 4\r\n\r\nabcd", HEAD, ""},
    {"plus", POST "Content-Length: +4\r\n\r\nabcd", HEAD, ""},
    {"minus", POST "Content-Length: -4\r\n\r\nabcd", HEAD, ""},
    {"minus zero", POST "Content-Length: -0\r\n\r\n", HEAD, ""},
    {"hexadecimal", POST "Content-Length: 0x4\r\n\r\nabcd", HEAD, ""},
    {"octal", POST "Content-Length: 010\r\n\r\nabcdefghij", HEAD, ""},
    {"a fraction", POST "Content-Length: 4.0\r\n\r\nabcd", HEAD, ""},
    {"a blank inside", POST "Content-Length: 1 0\r\n\r\nabcd", HEAD, ""},
    {"no number", POST "Content-Length:\r\n\r\n", HEAD, ""},
    {"over 64 bits", POST "Content-Length: 18446744073709551620\r\n\r\nabcd", HEAD, ""},
    /* transfer codings */
    {"two codings", POST TE TE "\r\n0\r\n\r\n", HEAD, ""},
    {"identity", POST "Transfer-Encoding: identity\r\n\r\n", HEAD, ""},
    {"gzip, chunked", POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", HEAD, ""},
    {"chunked, identity", POST "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", HEAD, ""},
    {"xchunked", POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", HEAD, ""},
    {"quoted", POST "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", HEAD, ""},
    {"a parameter", POST "Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n", HEAD, ""},
    {"vertical tab",
     POST "Transfer-Encoding: \x0b"
          "chunked\r\n\r\n0\r\n\r\n",
     HEAD, ""},
    {"blank before the colon", POST "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", HEAD, ""},
    {"tab before the colon", POST "Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n", HEAD, ""},
    {"folded", POST "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", HEAD, ""},
    {"folded below another", POST "X: y\r\n Transfer-Encoding: chunked\r\n\r\n", HEAD, ""},
    {"line feed alone", POST "X: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", HEAD, ""},
    {"carriage return alone", POST "X: y\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", HEAD, ""},
    {"chunks in HTTP/1.0", "POST http://a/ HTTP/1.0\r\n" TE "\r\n0\r\n\r\n", HEAD, ""},
    {"no coding", POST "Transfer-Encoding:\r\n\r\n", HEAD, ""},
    /* hosts */
    {"two hosts", GET "Host: b\r\n\r\n", HEAD, ""},
    {"no host", "GET http://a/ HTTP/1.1\r\n\r\n", HEAD, ""},
    {"a host with a path", "GET http://a/ HTTP/1.1\r\nHost: a/b\r\n\r\n", HEAD, ""},
    {"another host", "GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n", PASS,
     "GET / HTTP/1.1\r\nHost: a\r\n" CLOSE},
    /* connection takes away what matters */
    {"connection: host", GET "Connection: host\r\n\r\n", FORWARD, ""},
    {"connection: content-length", POST "Content-Length: 3\r\nConnection: x,Content-Length\r\n\r\n",
     FORWARD, ""},
    {"connection: transfer-encoding", POST TE "Connection: transfer-encoding\r\n\r\n", FORWARD, ""},
    /* chunks */
    {"an extension", POST TE "\r\n3;x=y\r\nabc\r\n0\r\n\r\n", BODY, PASSED TE CLOSE "3"},
    {"a bare extension", POST TE "\r\n3;\nabc\r\n0\r\n\r\n", BODY, PASSED TE CLOSE "3"},
    {"a size with 0x", POST TE "\r\n0x3\r\nabc\r\n0\r\n\r\n", BODY, PASSED TE CLOSE "0"},
    {"a size with a sign", POST TE "\r\n+3\r\nabc\r\n0\r\n\r\n", BODY, PASSED TE CLOSE},
    {"a blank before the size", POST TE "\r\n 3\r\nabc\r\n0\r\n\r\n", BODY, PASSED TE CLOSE},
    {"a blank behind the size", POST TE "\r\n3 \r\nabc\r\n0\r\n\r\n", BODY, PASSED TE CLOSE "3"},
    {"no size", POST TE "\r\n\r\nabc\r\n0\r\n\r\n", BODY, PASSED TE CLOSE},
    {"a size over 64 bits", POST TE "\r\n00000000000000001\r\nx\r\n0\r\n\r\n", BODY,
     PASSED TE CLOSE "0000000000000000"},
    {"line feed behind the size", POST TE "\r\n3\nabc\r\n0\r\n\r\n", BODY, PASSED TE CLOSE "3"},
    {"a chunk that is longer", POST TE "\r\n3\r\nabcd\r\n0\r\n\r\n", BODY,
     PASSED TE CLOSE "3\r\nabc"},
    {"line feed behind a chunk", POST TE "\r\n3\r\nabc\n0\r\n\r\n", BODY,
     PASSED TE CLOSE "3\r\nabc"},
    {"a trailer", POST TE "\r\n0\r\nHost: b\r\n\r\n", BODY, PASSED TE CLOSE "0\r\n"},
    {"a letter at the end", POST TE "\r\n0\r\n\rX", BODY, PASSED TE CLOSE "0\r\n\r"},
    {"line feed at the end", POST TE "\r\n0\r\n\n", BODY, PASSED TE CLOSE "0\r\n"},
    /* targets */
    {"a web page drives us", "GET / HTTP/1.1\r\nHost: localhost:1080\r\n\r\n", FORWARD, ""},
    {"asterisk", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", FORWARD, ""},
    {"authority with GET", "GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n", FORWARD, ""},
    {"https", "GET https://a/ HTTP/1.1\r\nHost: a\r\n\r\n", FORWARD, ""},
    {"ftp", "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", FORWARD, ""},
    {"two slashes", "GET //a/ HTTP/1.1\r\nHost: a\r\n\r\n", FORWARD, ""},
    {"one slash", "GET http:/a/ HTTP/1.1\r\nHost: a\r\n\r\n", FORWARD, ""},
    {"no host in it", "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", FORWARD, ""},
    {"a user", "GET http://u:p@a/ HTTP/1.1\r\nHost: a\r\n\r\n", FORWARD, ""},
    {"a fragment", "GET http://a/#x HTTP/1.1\r\nHost: a\r\n\r\n", FORWARD, ""},
    {"port 0", "GET http://a:0/ HTTP/1.1\r\nHost: a\r\n\r\n", FORWARD, ""},
    {"port 65536", "GET http://a:65536/ HTTP/1.1\r\nHost: a\r\n\r\n", FORWARD, ""},
    {"an empty port", "GET http://a:/ HTTP/1.1\r\nHost: a\r\n\r\n", FORWARD, ""},
    {"a backslash", "GET http://a\\@b/ HTTP/1.1\r\nHost: a\r\n\r\n", FORWARD, ""},
    {"an address as a number", "GET http://2130706433/ HTTP/1.1\r\nHost: a\r\n\r\n", FORWARD, ""},
    {"the second HTTP/2 line", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", HEAD, ""},
    /* tunnels */
    {"connect", "CONNECT A:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", TUNNEL, "a:443"},
    {"connect to IPv6", "CONNECT [::1]:443 HTTP/1.1\r\nHost: x\r\n\r\npayload", TUNNEL,
     "[::1]:443"},
    {"connect in HTTP/1.0", "CONNECT 1.2.3.4:443 HTTP/1.0\r\n\r\n", TUNNEL, "1.2.3.4:443"},
    {"connect without a port", "CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n", FORWARD, ""},
    {"connect to a user", "CONNECT u@a:443 HTTP/1.1\r\nHost: a\r\n\r\n", FORWARD, ""},
    {"connect to a URL", "CONNECT http://a:443 HTTP/1.1\r\nHost: a\r\n\r\n", FORWARD, ""},
    {"connect with a body", "CONNECT a:443 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
     FORWARD, ""},
    {"connect in chunks", "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n" TE "\r\n", FORWARD, ""},
    {"connect in small letters", "connect a:443 HTTP/1.1\r\nHost: a\r\n\r\n", FORWARD, ""},
};

/* A proxy of this much: head, body, and what the origin got. */
struct rig {
    struct mem m;
    struct head h;
    struct forward f;
    enum verdict verdict;
    char out[2 * FORWARD_MAX];
    size_t len;
};

static int
input(void *x, const void *buf, size_t len, size_t *used)
{
    struct rig *r = x;
    size_t n;
    *used = 0;
    if (!r->h.done) {
        r->verdict = HEAD;
        int rc = fogi_head_input(&r->h, &r->m, buf, len, used);
        if (rc || !r->h.done)
            return rc;
        r->verdict = FORWARD;
        rc = fogi_forward_read(&r->h, &r->f);
        if (rc)
            return rc;
        r->verdict = r->f.kind == FORWARD_CONNECT ? TUNNEL : BODY;
        if (r->f.kind == FORWARD_REQUEST)
            r->len = fogi_forward_write(&r->h, &r->f, r->out);
    }
    if (r->verdict == TUNNEL)
        return 0;
    int rc = fogi_body_input(&r->f.body, (const char *)buf + *used, len - *used, &n);
    memcpy(r->out + r->len, (const char *)buf + *used, n);
    r->len += n;
    *used += n;
    if (r->f.body.done)
        r->verdict = PASS;
    return rc;
}

static void
rig_init(struct rig *r)
{
    memset(r, 0, sizeof *r);
    mem_init(&r->m, fog_alloc_libc());
    fogi_head_init(&r->h, HEAD_REQUEST);
}

static void
test_no_request_has_two_readings(void **state)
{
    (void)state;
    static struct rig r;
    for (size_t i = 0; i < COUNT(corpus); i++) {
        size_t len = strlen(corpus[i].text), used;
        for (size_t cut = 0; cut <= len; cut++) {
            rig_init(&r);
            int rc = feed(input, &r, corpus[i].text, len, cut, &used);
            bool refused = corpus[i].want != PASS && corpus[i].want != TUNNEL;
            if (r.verdict != corpus[i].want || rc != (refused ? FOG_E_FORMAT : 0))
                fail_msg("%s, cut %zu: %d %s", corpus[i].name, cut, r.verdict, fog_err_name(rc));
            if (r.verdict == TUNNEL)
                r.len = fogi_dest_text(&r.f.dest, r.out);
            if (r.len != strlen(corpus[i].got) || memcmp(r.out, corpus[i].got, r.len) != 0)
                fail_msg("%s, cut %zu: got\n%.*s", corpus[i].name, cut, (int)r.len, r.out);
            fogi_head_clear(&r.h, &r.m);
        }
    }
}

/** Whether what the origin got is, by our own reading, the request that was sent. */
static void
check_same(const struct rig *sent, const char *name)
{
    static struct rig got;
    size_t used, k = 0;
    struct head_text host;
    rig_init(&got);
    assert_int_equal(fogi_head_input(&got.h, &got.m, sent->out, sent->len, &used), 0);
    assert_true(got.h.done);
    assert_int_equal(got.h.body, sent->h.body);
    assert_int_equal(got.h.length, sent->h.length);
    assert_int_equal(got.h.minor, sent->h.minor);
    assert_true(fogi_head_find(&got.h, "host", 0, &host));
    struct dest d = {0};
    assert_int_equal(fogi_dest_authority(&d, host.at, host.len, 80), 0);
    assert_true(fogi_dest_same(&d, &sent->f.dest));
    for (size_t i = 0; i < got.h.n_fields; i++) { /* a part of the fields, in their order */
        struct head_text n = fogi_head_name(&got.h, i), v = fogi_head_value(&got.h, i);
        if (fogi_text_is(n, "Host") || fogi_text_is(n, "Connection"))
            continue;
        for (;; k++) {
            if (k == sent->h.n_fields)
                fail_msg("%s: a field came from nowhere", name);
            struct head_text m = fogi_head_name(&sent->h, k), w = fogi_head_value(&sent->h, k);
            if (m.len == n.len && memcmp(m.at, n.at, n.len) == 0 && v.len == w.len &&
                memcmp(v.at, w.at, v.len) == 0)
                break;
        }
        k++;
    }
    fogi_head_clear(&got.h, &got.m);
}

static void
test_what_passes_parses_back(void **state)
{
    (void)state;
    static struct rig r;
    for (size_t i = 0; i < COUNT(corpus); i++) {
        size_t used;
        rig_init(&r);
        int rc = feed(input, &r, corpus[i].text, strlen(corpus[i].text), 0, &used);
        if (rc == 0 && r.verdict == PASS)
            check_same(&r, corpus[i].name);
        fogi_head_clear(&r.h, &r.m);
    }
}

static void
test_the_longest_head_fits(void **state)
{
    (void)state;
    static const char front[] = "GET http://a:65535 HTTP/1.0\r\nX:";
    static struct rig r;
    static char text[HEAD_MAX];
    size_t used;
    memset(text, 'x', sizeof text);
    memcpy(text, front, sizeof front - 1);
    memcpy(text + sizeof text - 4, "\r\n\r\n", 4);
    rig_init(&r);
    assert_int_equal(feed(input, &r, text, sizeof text, 0, &used), 0);
    assert_int_equal(r.verdict, PASS);
    assert_true(r.len > sizeof text && r.len <= FORWARD_MAX);
    fogi_head_clear(&r.h, &r.m);
    /* "X:y" becomes "X: y": the most that fields can grow is one byte each */
    char *at = text + sprintf(text, "GET http://a/ HTTP/1.0\r\n");
    for (int i = 0; i < HEAD_FIELDS_MAX - 1; i++)
        at += sprintf(at, "X:y\r\n");
    *at++ = 'X';
    *at++ = ':';
    memset(at, 'x', (size_t)(text + sizeof text - at));
    memcpy(text + sizeof text - 4, "\r\n\r\n", 4);
    rig_init(&r);
    assert_int_equal(feed(input, &r, text, sizeof text, 0, &used), 0);
    assert_int_equal(r.verdict, PASS);
    assert_true(r.len <= FORWARD_MAX);
    fogi_head_clear(&r.h, &r.m);
}

static void
test_a_failed_read_changes_nothing(void **state)
{
    (void)state;
    static struct rig r;
    static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    size_t used;
    rig_init(&r);
    memset(&r.f, 0x5a, sizeof r.f);
    struct forward before = r.f;
    assert_int_equal(feed(input, &r, text, sizeof text - 1, 0, &used), FOG_E_FORMAT);
    assert_memory_equal(&r.f, &before, sizeof before);
    fogi_head_clear(&r.h, &r.m);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_request_has_two_readings),
        cmocka_unit_test(test_what_passes_parses_back),
        cmocka_unit_test(test_the_longest_head_fits),
        cmocka_unit_test(test_a_failed_read_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
