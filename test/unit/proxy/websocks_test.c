/* SPDX-License-Identifier: MIT
 *
 * WebSocks: a recorded conversation of two vproxys, played to either half, and what else may come
 * in which order (threats S10).
 */
#include "unit/proxy/feed.h"

#include "proxy/websocks.h"
#include "replay/recording_stream.h"

#include <stdio.h>

#define MINUTE_MS 1795346820000 /* of the recording */
#define FRAME "\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff"
#define PONG "\x8a\0"
#define ASK_A "\5\1\0\5\1\0\3\1a\0\x50"
#define ANSWER "\5\0\5\0\0\1\0\0\0\0\0\x50"

static struct mem mem;
static struct auth_user users[1];
static struct auth auth;
static char authorization[AUTH_VALUE_MAX + 1];

static int
setup(void **state)
{
    (void)state;
    mem_init(&mem, fog_alloc_libc());
    fogi_auth_init(&auth, users, 1);
    fogi_auth_value("alice", "pasSw0rD", MINUTE_MS, authorization);
    return fogi_auth_add(&auth, "alice", "pasSw0rD");
}

/* --------------------------------------------------------------------------------------- the rig
 */

/* A server with an owner: judges, accepts, replies; collects all that it says. */
struct server {
    struct ws_server ws;
    enum ws_verdict verdict;
    enum socks_rep rep;
    const char *name;
    uint8_t said[1024];
    size_t n_said;
};

static void
server_init(struct server *s)
{
    memset(s, 0, sizeof *s);
    assert_int_equal(fogi_ws_server_init(&s->ws, &mem), 0);
}

static void
server_act(struct server *s)
{
    const void *out;
    size_t len;
    if (s->ws.state == WS_S_JUDGE) {
        s->verdict = fogi_ws_judge(s->ws.head, &auth, MINUTE_MS, NULL);
        if (s->verdict == WS_YES)
            fogi_ws_server_accept(&s->ws, s->name, MINUTE_MS + 25000);
    }
    if (s->ws.state == WS_S_ASKED)
        fogi_ws_server_reply(&s->ws, s->rep);
    while (out = fogi_ws_server_output(&s->ws, &len), len > 0) {
        len = len > 7 ? 7 : len; /* a narrow way out */
        memcpy(s->said + s->n_said, out, len);
        s->n_said += len;
        fogi_ws_server_sent(&s->ws, len);
    }
}

static int
server_input(void *x, const void *buf, size_t len, size_t *used)
{
    struct server *s = x;
    int rc = 0;
    *used = 0;
    for (size_t n = 1; *used < len && n > 0 && rc == 0;) {
        enum ws_server_state before = s->ws.state;
        rc = fogi_ws_server_input(&s->ws, (const uint8_t *)buf + *used, len - *used, &n);
        *used += n;
        server_act(s);
        if (s->ws.state != before)
            n = 1; /* once more: another state may use more */
    }
    return rc;
}

static int
client_input(void *x, const void *buf, size_t len, size_t *used)
{
    return fogi_ws_client_input(x, buf, len, used);
}

static void
client_init(struct ws_client *c, bool strict, bool plain)
{
    struct ws_client_options o = {
        .authorization = authorization, .strict = strict, .plain_vproxy = plain};
    assert_int_equal(fogi_ws_client_init(c, &o, &mem), 0);
}

/** All that the client has to say, appended to out. */
static size_t
client_say(struct ws_client *c, uint8_t *out)
{
    const void *bytes;
    size_t len, n = 0;
    while (bytes = fogi_ws_client_output(c, &len), len > 0) {
        len = len > 11 ? 11 : len;
        memcpy(out + n, bytes, len);
        n += len;
        fogi_ws_client_sent(c, len);
    }
    return n;
}

static struct dest
dest(const char *text)
{
    struct dest d = {0};
    assert_int_equal(fogi_dest_authority(&d, text, strlen(text), 0), 0);
    return d;
}

/* -------------------------------------------------------------------------------------- recording
 */

static void
test_our_client_sends_what_a_vproxy_agent_sends(void **state)
{
    (void)state;
    static uint8_t up[65536], down[65536], said[4096];
    struct recording r;
    recording_read(&r, "websocks-kcp");
    size_t up_len = recording_stream(&r, C_TO_S, 1, up), used;
    size_t down_len = recording_stream(&r, S_TO_C, 1, down);
    assert_int_equal(up_len, 266 + 2 + 29 + 78);
    struct dest d = dest("localhost:20100");
    for (size_t cut = 0; cut <= down_len; cut++) {
        struct ws_client c;
        client_init(&c, false, true);
        size_t n = client_say(&c, said);
        assert_int_equal(n, 266);
        assert_int_equal(feed(client_input, &c, down, 227, cut > 227 ? 227 : cut, &used), 0);
        assert_int_equal(used, 227);
        assert_int_equal(c.state, WS_C_POOLED);
        assert_int_equal(c.status, 101);
        assert_false(c.foggara);
        fogi_ws_client_pong(&c);
        fogi_ws_client_pong(&c); /* the first has not left yet */
        n += client_say(&c, said + n);
        assert_int_equal(fogi_ws_client_connect(&c, &d), 0);
        n += client_say(&c, said + n);
        assert_int_equal(n, up_len - 78);
        assert_memory_equal(said, up, n);
        assert_false(fogi_ws_client_may_send(&c));
        /* what follows the reply is the application's, however it comes */
        assert_int_equal(
            feed(client_input, &c, down + 227, down_len - 227, cut > 227 ? cut - 227 : 0, &used),
            0);
        assert_int_equal(used, 22);
        assert_int_equal(c.state, WS_C_DONE);
        assert_true(fogi_ws_client_may_send(&c));
        fogi_ws_client_free(&c);
        assert_int_equal(mem.held, 0);
    }
    recording_free(&r);
}

static void
test_our_server_answers_what_a_vproxy_server_answers(void **state)
{
    (void)state;
    static uint8_t up[65536], down[65536];
    struct recording r;
    recording_read(&r, "websocks-kcp");
    size_t up_len = recording_stream(&r, C_TO_S, 1, up), used;
    recording_stream(&r, S_TO_C, 1, down);
    /* all but the date, which we say as the web does */
    const char *date = strstr((char *)down, "Date: "), *rest = strstr(date, "\r\n");
    static const char ours[] = "Date: Sun, 22 Nov 2026 11:27:25 GMT";
    size_t front = (size_t)(date - (char *)down);
    size_t tail = 227 + 22 - (size_t)(rest - (char *)down);
    for (size_t cut = 0; cut <= up_len; cut++) {
        struct server s;
        server_init(&s);
        s.name = "vproxy/1.0.0-BETA-11";
        assert_int_equal(feed(server_input, &s, up, up_len, cut, &used), 0);
        assert_int_equal(used, up_len - 78);
        assert_int_equal(s.ws.state, WS_S_DONE);
        assert_int_equal(s.ws.pongs, 1);
        assert_string_equal(s.ws.socks.dest.name, "localhost");
        assert_int_equal(s.ws.socks.dest.port, 20100);
        assert_int_equal(s.n_said, front + sizeof ours - 1 + tail);
        assert_memory_equal(s.said, down, front);
        assert_memory_equal(s.said + front, ours, sizeof ours - 1);
        assert_memory_equal(s.said + front + sizeof ours - 1, rest, tail);
        fogi_ws_server_free(&s.ws);
        assert_int_equal(mem.held, 0);
    }
    recording_free(&r);
}

/* ----------------------------------------------------------------------------------------- server
 */

static size_t
upgrade(char *out)
{
    return (size_t)sprintf(out,
                           "GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                           "Host: null\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                           "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: socks5\r\n"
                           "Authorization: %s\r\n\r\n",
                           authorization);
}

static const struct {
    const char *name, *from, *to; /* the first line of `from` in an upgrade becomes `to` */
    enum ws_verdict want;
} changes[] = {
    {"as it is", "GET", "GET", WS_YES},
    {"another path", "GET / ", "GET /any/path?x ", WS_YES},
    {"a list", "Connection: Upgrade", "Connection: keep-alive, upgrade", WS_YES},
    {"two protocols", "Sec-WebSocket-Protocol: socks5",
     "Sec-WebSocket-Protocol: x\r\nSec-WebSocket-Protocol: socks5", WS_YES},
    {"names in small letters", "Sec-WebSocket-Key", "sec-websocket-key", WS_YES},
    {"no upgrade", "Upgrade: websocket\r\n", "", WS_PLAIN},
    {"another upgrade", "Upgrade: websocket", "Upgrade: h2c", WS_PLAIN},
    {"in capitals", "Upgrade: websocket", "Upgrade: WebSocket", WS_BAD_UPGRADE},
    {"twice", "Upgrade: websocket", "Upgrade: websocket\r\nUpgrade: websocket", WS_BAD_UPGRADE},
    {"in a list", "Upgrade: websocket", "Upgrade: websocket, h2c", WS_BAD_UPGRADE},
    {"another method", "GET /", "POST /", WS_BAD_UPGRADE},
    {"HTTP/1.0", "HTTP/1.1", "HTTP/1.0", WS_BAD_UPGRADE},
    {"not this connection", "Connection: Upgrade", "Connection: close", WS_BAD_UPGRADE},
    {"no connection", "Connection: Upgrade\r\n", "", WS_BAD_UPGRADE},
    {"a body", "Host: null", "Host: null\r\nContent-Length: 3", WS_BAD_UPGRADE},
    {"an empty body", "Host: null", "Host: null\r\nContent-Length: 0", WS_BAD_UPGRADE},
    {"chunks", "Host: null", "Host: null\r\nTransfer-Encoding: chunked", WS_BAD_UPGRADE},
    {"no key", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "", WS_BAD_UPGRADE},
    {"two keys", "Sec-WebSocket-Version", "Sec-WebSocket-Key: x\r\nSec-WebSocket-Version",
     WS_BAD_UPGRADE},
    {"a key of 15 bytes", "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25j", WS_BAD_UPGRADE},
    {"a key of 17 bytes", "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZWU=", WS_BAD_UPGRADE},
    {"a key that is none", "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZ*==", WS_BAD_UPGRADE},
    {"another version", "Version: 13", "Version: 8", WS_BAD_UPGRADE},
    {"no version", "Sec-WebSocket-Version: 13\r\n", "", WS_BAD_UPGRADE},
    {"another protocol", "Protocol: socks5", "Protocol: chat", WS_BAD_UPGRADE},
    {"a list of protocols", "Protocol: socks5", "Protocol: socks5, chat", WS_BAD_UPGRADE},
    {"no protocol", "Sec-WebSocket-Protocol: socks5\r\n", "", WS_BAD_UPGRADE},
    {"nobody", "Authorization: ", "X: ", WS_BAD_USER},
    {"a wrong password", "Authorization: Basic YWx", "Authorization: Basic YWX", WS_BAD_USER},
    {"two users", "Host: null", "Host: null\r\nAuthorization: Basic x", WS_BAD_USER},
    {"two users, ours first", "\r\n\r\n", "\r\nAuthorization: Basic x\r\n\r\n", WS_BAD_USER},
    {"nobody, and no upgrade", "Upgrade: websocket\r\n", "Authorization: x\r\n", WS_PLAIN},
};

static void
test_an_upgrade_is_one_or_it_is_not(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(changes); i++) {
        char text[2048], changed[2048];
        size_t used;
        upgrade(text);
        char *at = strstr(text, changes[i].from);
        assert_non_null(at);
        size_t len = (size_t)snprintf(changed, sizeof changed, "%.*s%s%s", (int)(at - text), text,
                                      changes[i].to, at + strlen(changes[i].from));
        for (size_t cut = 0; cut <= len; cut++) {
            struct server s;
            server_init(&s);
            int rc = feed(server_input, &s, changed, len, cut, &used);
            if (rc || used != len || s.verdict != changes[i].want)
                fail_msg("%s, cut %zu: %s, %zu of %zu, verdict %d", changes[i].name, cut,
                         fog_err_name(rc), used, len, s.verdict);
            assert_int_equal(s.ws.state, changes[i].want == WS_YES ? WS_S_FRAME : WS_S_JUDGE);
            assert_int_equal(s.n_said > 0, changes[i].want == WS_YES);
            fogi_ws_server_free(&s.ws);
        }
        assert_int_equal(mem.held, 0);
    }
}

static void
test_the_101_names_nobody(void **state)
{
    (void)state;
    char text[2048];
    struct server s;
    size_t used, len = upgrade(text);
    server_init(&s);
    assert_int_equal(server_input(&s, text, len, &used), 0);
    s.said[s.n_said] = 0;
    assert_string_equal((char *)s.said, "HTTP/1.1 101 Switching Protocols\r\n"
                                        "Date: Sun, 22 Nov 2026 11:27:25 GMT\r\n"
                                        "Upgrade: websocket\r\n"
                                        "Connection: Upgrade\r\n"
                                        "Sec-Websocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
                                        "Sec-WebSocket-Protocol: socks5\r\n\r\n");
    fogi_ws_server_free(&s.ws);
}

/* What may stand before, in and behind the ten bytes. */
static const struct {
    const char *name, *text;
    size_t len, pongs, behind;
    enum ws_server_state state;
    int rep;
} openings[] = {
    {"at once", FRAME ASK_A, 21, 0, 0, WS_S_DONE, 0},
    {"a PONG", PONG FRAME ASK_A, 23, 1, 0, WS_S_DONE, 0},
    {"three PONGs", PONG PONG PONG FRAME ASK_A, 27, 3, 0, WS_S_DONE, 0},
    {"only PONGs", PONG PONG PONG, 6, 3, 0, WS_S_FRAME, 0},
    {"ten zeros", "\0\0\0\0\0\0\0\0\0\0" ASK_A, 21, 0, 0, WS_S_DONE, 0},
    {"lengths with assertions on", "\x82\x7f\0\0\0\0\0\0\0\x03" ASK_A, 21, 0, 0, WS_S_DONE, 0},
    {"a first byte like a PONG's", "\x8a\x01\0\0\0\0\0\0\0\0" ASK_A, 21, 0, 0, WS_S_DONE, 0},
    {"half a PONG twice", "\x8a\x8a\0\0\0\0\0\0\0\0" ASK_A, 21, 0, 0, WS_S_DONE, 0},
    {"a PONG in the ten", "\x82" PONG "\0\0\0\0\0\0\0" ASK_A, 21, 0, 0, WS_S_DONE, 0},
    {"a PONG at their end", "\x82\x7f\x7f\xff\xff\xff\xff\xff" PONG ASK_A, 21, 0, 0, WS_S_DONE, 0},
    {"payload behind", FRAME ASK_A FRAME PONG, 33, 0, 12, WS_S_DONE, 0},
    {"methods alone", FRAME "\5\1\0", 13, 0, 0, WS_S_SOCKS, 0},
    {"a PONG too late", FRAME PONG, 12, 0, 1, WS_S_FAILED, FOG_E_FORMAT},
    {"no SOCKS5", FRAME "GET / HTTP/1.1", 24, 0, 13, WS_S_FAILED, FOG_E_FORMAT},
    {"bind", FRAME "\5\1\0\5\2\0\3\1a\0\x50zz", 23, 0, 0, WS_S_FAILED, 0},
};

static void
test_pongs_end_where_the_frame_begins(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(openings); i++) {
        char text[2048];
        size_t used, head = upgrade(text), len = head + openings[i].len;
        memcpy(text + head, openings[i].text, openings[i].len); /* glued to the upgrade */
        for (size_t cut = 0; cut <= len; cut++) {
            struct server s;
            server_init(&s);
            int rc = feed(server_input, &s, text, len, cut, &used);
            if (rc != openings[i].rep || s.ws.state != openings[i].state ||
                used != len - openings[i].behind || s.ws.pongs != openings[i].pongs)
                fail_msg("%s, cut %zu: %s, state %d, %zu of %zu, %d pongs", openings[i].name, cut,
                         fog_err_name(rc), s.ws.state, used, len, (int)s.ws.pongs);
            if (s.ws.state == WS_S_DONE)
                assert_memory_equal(s.said + s.n_said - 22, FRAME ANSWER, 22);
            fogi_ws_server_free(&s.ws);
        }
    }
    assert_int_equal(mem.held, 0);
}

static void
test_a_visitor_may_stay_and_become_a_user(void **state)
{
    (void)state;
    static const char visit[] = "GET /page HTTP/1.1\r\nHost: a\r\n\r\n";
    char text[2048];
    size_t used, len = upgrade(text);
    struct server s;
    server_init(&s);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(server_input(&s, visit, sizeof visit - 1, &used), 0);
        assert_int_equal(used, sizeof visit - 1);
        assert_int_equal(s.ws.state, WS_S_JUDGE);
        assert_int_equal(s.verdict, WS_PLAIN);
        assert_true(fogi_text_is(fogi_head_target(s.ws.head), "/page"));
        assert_int_equal(fogi_ws_server_input(&s.ws, visit, 5, &used), 0);
        assert_int_equal(used, 0); /* it waits for its answer */
        fogi_ws_server_again(&s.ws);
    }
    assert_int_equal(server_input(&s, text, len, &used), 0);
    assert_int_equal(s.ws.state, WS_S_FRAME);
    assert_int_equal(mem.held, 0); /* a pooled stream holds nothing but itself */
    fogi_ws_server_free(&s.ws);
}

static void
test_a_request_that_is_none_ends_it(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t len;
        int want;
    } rows[] = {{"\x16\x03\x01", 3, FOG_E_FORMAT},
                {"\5\1\0", 3, FOG_E_FORMAT},
                {"GET /\r\n", 7, FOG_E_FORMAT},
                {NULL, HEAD_MAX + 1, FOG_E_LIMIT}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        static char many[HEAD_MAX + 1];
        struct server s;
        size_t used;
        memset(many, 'x', sizeof many);
        server_init(&s);
        const char *text = rows[i].text ? rows[i].text : many;
        assert_int_equal(feed(server_input, &s, text, rows[i].len, 1, &used), rows[i].want);
        assert_int_equal(s.ws.state, WS_S_FAILED);
        assert_int_equal(s.n_said, 0);
        assert_int_equal(fogi_ws_server_input(&s.ws, "x", 1, &used), rows[i].want);
        fogi_ws_server_free(&s.ws);
        assert_int_equal(mem.held, 0);
    }
}

/* ----------------------------------------------------------------------------------------- client
 */

#define SWITCH                                                                                     \
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"            \
    "Sec-Websocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: socks5\r\n\r\n"

static const struct {
    const char *name, *from, *to;
    int rc, status;
} switches[] = {
    {"as it is", "101", "101", 0, 101},
    {"as a browser's server says it", "Connection: Upgrade", "connection: keep-alive, upgrade", 0,
     101},
    {"in capitals", "Upgrade: websocket", "UPGRADE: WebSocket", 0, 101},
    {"refused", "101", "401", FOG_E_PROTOCOL, 401},
    {"a page", "101", "200", FOG_E_PROTOCOL, 200},
    {"no upgrade", "Upgrade: websocket\r\n", "", FOG_E_PROTOCOL, 101},
    {"no connection", "Connection: Upgrade\r\n", "", FOG_E_PROTOCOL, 101},
    {"a wrong proof", "s3pP", "s3pp", FOG_E_PROTOCOL, 101},
    {"no proof", "Accept", "Except", FOG_E_PROTOCOL, 101},
    {"another protocol", "socks5", "socks4", FOG_E_PROTOCOL, 101},
    {"no protocol", "Protocol:", "Protocols:", FOG_E_PROTOCOL, 101},
    {"no HTTP", "HTTP/1.1 101", "SSH-2.0-x 11", FOG_E_FORMAT, 0},
};

static void
test_an_answer_is_a_101_or_it_is_not(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(switches); i++) {
        char text[512];
        size_t used;
        const char *at = strstr(SWITCH, switches[i].from);
        assert_non_null(at);
        size_t front = strlen(SWITCH) - strlen(at);
        size_t len = (size_t)snprintf(text, sizeof text, "%.*s%s%s", (int)front, SWITCH,
                                      switches[i].to, at + strlen(switches[i].from));
        for (size_t cut = 0; cut <= len; cut++) {
            struct ws_client c;
            client_init(&c, false, false);
            int rc = feed(client_input, &c, text, len, cut, &used);
            if (rc != switches[i].rc || c.state != (rc ? WS_C_FAILED : WS_C_POOLED) ||
                c.status != switches[i].status)
                fail_msg("%s, cut %zu: %s, %d", switches[i].name, cut, fog_err_name(rc), c.state);
            assert_int_equal(mem.held, 0);
            size_t more;
            int again = fogi_ws_client_input(&c, "x", 1, &more);
            assert_int_equal(again,
                             rc ? rc : FOG_E_PROTOCOL); /* nothing comes on a pooled stream */
            assert_int_equal(c.state, WS_C_FAILED);
            fogi_ws_client_free(&c);
        }
    }
}

static void
test_the_upgrade_says_who_is_asked_and_what_we_are(void **state)
{
    (void)state;
    static const struct {
        const char *host;
        bool plain;
    } rows[] = {{NULL, false}, {"gw.example", false}, {"192.0.2.1:443", true}, {NULL, true}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        char said[2048] = "", want[2048];
        struct ws_client c;
        struct ws_client_options o = {
            .host = rows[i].host, .authorization = "Basic x", .plain_vproxy = rows[i].plain};
        assert_int_equal(fogi_ws_client_init(&c, &o, &mem), 0);
        said[client_say(&c, (uint8_t *)said)] = 0;
        snprintf(want, sizeof want,
                 "GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nHost: %s\r\n"
                 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
                 "Sec-WebSocket-Protocol: socks5\r\nAuthorization: Basic x\r\n%s\r\n",
                 rows[i].host ? rows[i].host : "null",
                 rows[i].plain ? "" : "Sec-WebSocket-Extensions: foggara\r\n");
        assert_string_equal(said, want);
        fogi_ws_client_free(&c);
    }
    char longest[AUTH_VALUE_MAX + 2];
    memset(longest, 'x', sizeof longest);
    longest[AUTH_VALUE_MAX + 1] = 0;
    for (int over = 0; over < 2; over++) {
        struct ws_client c;
        struct ws_client_options o = {.host = longest + AUTH_VALUE_MAX + 1 - 255 - over,
                                      .authorization = longest + 1};
        assert_int_equal(fogi_ws_client_init(&c, &o, &mem), over ? FOG_E_USAGE : 0);
        fogi_ws_client_free(&c);
        o = (struct ws_client_options){.authorization = longest + 1 - over};
        assert_int_equal(fogi_ws_client_init(&c, &o, &mem), over ? FOG_E_USAGE : 0);
        fogi_ws_client_free(&c);
        o = (struct ws_client_options){.host = over ? "a\r\nX: y" : "a", .authorization = "b"};
        assert_int_equal(fogi_ws_client_init(&c, &o, &mem), over ? FOG_E_USAGE : 0);
        fogi_ws_client_free(&c);
    }
    assert_int_equal(mem.held, 0);
}

static void
test_a_stream_is_asked_once(void **state)
{
    (void)state;
    struct dest d = dest("a:80");
    struct ws_client c;
    client_init(&c, false, false);
    assert_int_equal(fogi_ws_client_connect(&c, &d), 0);
    assert_int_equal(fogi_ws_client_connect(&c, &d), FOG_E_USAGE);
    fogi_ws_client_pong(&c); /* not pooled: nothing */
    size_t used;
    assert_int_equal(fogi_ws_client_input(&c, SWITCH, strlen(SWITCH), &used), 0);
    assert_int_equal(c.state, WS_C_ASKED);
    assert_int_equal(fogi_ws_client_connect(&c, &d), FOG_E_USAGE);
    uint8_t said[2048];
    size_t n = client_say(&c, said);
    assert_memory_equal(said + n - 21, FRAME ASK_A, 21);
    assert_int_equal(fogi_ws_client_input(&c, FRAME ANSWER "banner", 28, &used), 0);
    assert_int_equal(used, 22);
    assert_int_equal(c.state, WS_C_DONE);
    fogi_ws_client_free(&c);
}

static void
test_a_strict_client_waits_for_each_answer(void **state)
{
    (void)state;
    struct dest d = dest("a:80");
    static const struct {
        const char *in;
        size_t in_len;
        const char *out;
        size_t out_len;
    } steps[] = {{SWITCH, sizeof SWITCH - 1, FRAME, 10},
                 {"123456789", 9, "", 0},
                 {"0", 1, "\5\1\0", 3},
                 {"\5\0", 2, "\5\1\0\3\1a\0\x50", 8},
                 {"\5\0\0\1\0\0\0\0\0\0", 10, "", 0}};
    uint8_t said[2048];
    struct ws_client c;
    client_init(&c, true, false);
    client_say(&c, said);
    assert_int_equal(fogi_ws_client_connect(&c, &d), 0);
    for (size_t i = 0; i < COUNT(steps); i++) {
        size_t used;
        assert_int_equal(fogi_ws_client_input(&c, steps[i].in, steps[i].in_len, &used), 0);
        assert_int_equal(client_say(&c, said), steps[i].out_len);
        assert_memory_equal(said, steps[i].out, steps[i].out_len);
    }
    assert_int_equal(c.state, WS_C_DONE);
    fogi_ws_client_free(&c);
}

/* ------------------------------------------------------------------------------------------- both
 */

struct pair_case {
    bool strict, plain, pooled;
    enum socks_rep rep;
    size_t piece; /* bytes that travel at a time */
};

/** Carries what one side says to the other, in pieces; payload follows as soon as it may. */
static void
converse(const struct pair_case *k)
{
    static const char payload[] = "\5\1\0GET /" FRAME;
    struct dest d = dest("a.b:443");
    struct ws_client c;
    struct server s;
    uint8_t up[2048];
    size_t n_up = 0, sent_up = 0, sent_down = 0, used, early = 0;
    server_init(&s);
    s.rep = k->rep;
    client_init(&c, k->strict, k->plain);
    if (!k->pooled)
        assert_int_equal(fogi_ws_client_connect(&c, &d), 0);
    for (int turn = 0; turn < 4000 && c.state < WS_C_DONE; turn++) {
        n_up += client_say(&c, up + n_up);
        if (!early && fogi_ws_client_may_send(&c)) {
            memcpy(up + n_up, payload, early = sizeof payload - 1);
            n_up += early;
        }
        size_t n = n_up - sent_up < k->piece ? n_up - sent_up : k->piece;
        assert_int_equal(server_input(&s, up + sent_up, n, &used), 0);
        sent_up += used;
        n = s.n_said - sent_down < k->piece ? s.n_said - sent_down : k->piece;
        assert_int_equal(fogi_ws_client_input(&c, s.said + sent_down, n, &used), 0);
        assert_true(used == n || c.state == WS_C_POOLED);
        sent_down += used;
        if (c.state == WS_C_POOLED) {
            fogi_ws_client_pong(&c);
            n_up += client_say(&c, up + n_up);
            assert_int_equal(fogi_ws_client_connect(&c, &d), 0);
        }
    }
    assert_int_equal(c.state, k->rep ? WS_C_FAILED : WS_C_DONE);
    assert_int_equal(c.rep, k->rep);
    assert_int_equal(s.ws.state, k->rep ? WS_S_FAILED : WS_S_DONE);
    assert_int_equal(s.ws.pongs, k->pooled);
    assert_int_equal(c.foggara, !k->plain);
    assert_int_equal(s.ws.foggara, !k->plain);
    assert_true(fogi_dest_same(&s.ws.socks.dest, &d));
    assert_int_equal(sent_down, s.n_said);
    assert_int_equal(early > 0, !k->plain && !k->strict); /* before the reply, or not at all */
    assert_true(k->rep != SOCKS_OK || sent_up == n_up - early);
    fogi_ws_client_free(&c);
    fogi_ws_server_free(&s.ws);
    assert_int_equal(mem.held, 0);
}

static void
test_our_halves_understand_each_other(void **state)
{
    (void)state;
    static const enum socks_rep reps[] = {SOCKS_OK, SOCKS_REFUSED, SOCKS_DENIED};
    static const size_t pieces[] = {1, 2, 3, 10, 13, 4096};
    for (unsigned bits = 0; bits < 8; bits++)
        for (size_t r = 0; r < COUNT(reps); r++)
            for (size_t p = 0; p < COUNT(pieces); p++)
                converse(&(struct pair_case){bits & 1, bits & 2, bits & 4, reps[r], pieces[p]});
}

static void
test_without_memory_nothing_is_lost(void **state)
{
    (void)state;
    char text[2048];
    size_t len = upgrade(text);
    for (size_t limit = 0; limit < 4096; limit += 256) {
        struct budget b;
        struct mem m;
        struct ws_server s;
        size_t done = 0, used;
        int rc;
        fogi_budget_init(&b, limit, fog_alloc_libc());
        struct fog_alloc al = fogi_budget_alloc(&b);
        mem_init(&m, &al);
        if (fogi_ws_server_init(&s, &m)) {
            fogi_ws_server_free(&s);
            assert_int_equal(b.used, 0);
            continue;
        }
        while ((rc = fogi_ws_server_input(&s, text + done, len - done, &used)) == FOG_E_NOMEM) {
            done += used;
            b.limit += 256;
            assert_int_equal(s.state, WS_S_HEAD);
        }
        assert_int_equal(rc, 0);
        assert_int_equal(fogi_ws_judge(s.head, &auth, MINUTE_MS, NULL), WS_YES);
        fogi_ws_server_free(&s);
        assert_int_equal(b.used, 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_our_client_sends_what_a_vproxy_agent_sends),
        cmocka_unit_test(test_our_server_answers_what_a_vproxy_server_answers),
        cmocka_unit_test(test_an_upgrade_is_one_or_it_is_not),
        cmocka_unit_test(test_the_101_names_nobody),
        cmocka_unit_test(test_pongs_end_where_the_frame_begins),
        cmocka_unit_test(test_a_visitor_may_stay_and_become_a_user),
        cmocka_unit_test(test_a_request_that_is_none_ends_it),
        cmocka_unit_test(test_an_answer_is_a_101_or_it_is_not),
        cmocka_unit_test(test_the_upgrade_says_who_is_asked_and_what_we_are),
        cmocka_unit_test(test_a_stream_is_asked_once),
        cmocka_unit_test(test_a_strict_client_waits_for_each_answer),
        cmocka_unit_test(test_our_halves_understand_each_other),
        cmocka_unit_test(test_without_memory_nothing_is_lost),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
