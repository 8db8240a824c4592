/* SPDX-License-Identifier: MIT */
#include "proxy/websocks_int.h"

/* ----------------------------------------------------------------------------------------- judge
 */

/** Whether any field of this name is exactly this. */
static bool
has_value(const struct head *h, const char *name, const char *value)
{
    struct head_text v;
    for (size_t n = 0; fogi_head_find(h, name, n, &v); n++)
        if (fogi_text_is(v, value))
            return true;
    return false;
}

/** One field of this name; its value in *v. */
static bool
has_one(const struct head *h, const char *name, struct head_text *v)
{
    return fogi_head_count(h, name) == 1 && fogi_head_find(h, name, 0, v);
}

static bool
has_key(const struct head *h)
{
    uint8_t key[16];
    size_t len;
    struct head_text v;
    return has_one(h, "sec-websocket-key", &v) &&
           fogi_auth_base64(v.at, v.len, key, sizeof key, &len) && len == sizeof key;
}

/** Every condition is looked at in any case: what a request lacks does not make it faster. */
static bool
is_upgrade(const struct head *h)
{
    struct head_text upgrade, version;
    bool yes = h->minor == 1 && h->body == HEAD_BODY_NONE;
    yes &= fogi_text_is(fogi_head_method(h), "GET");
    yes &= has_one(h, "upgrade", &upgrade) && fogi_text_is(upgrade, "websocket");
    yes &= fogi_head_lists(h, "connection", "upgrade");
    yes &= has_key(h);
    yes &= has_one(h, "sec-websocket-version", &version) && fogi_text_is(version, "13");
    yes &= has_value(h, "sec-websocket-protocol", WS_PROTOCOL);
    return yes;
}

enum ws_verdict
fogi_ws_judge(const struct head *h, struct auth *a, uint64_t unix_ms, const struct auth_user **who)
{
    struct head_text v = {NULL, 0};
    bool alone = has_one(h, "authorization", &v);
    bool known = fogi_auth_check(a, alone ? v.at : NULL, alone ? v.len : 0, unix_ms, who);
    bool upgrade = is_upgrade(h);
    if (!fogi_head_lists(h, "upgrade", "websocket"))
        return WS_PLAIN;
    if (!upgrade)
        return WS_BAD_UPGRADE;
    return known ? WS_YES : WS_BAD_USER;
}

/* ---------------------------------------------------------------------------------------- server
 */

int
fogi_ws_server_init(struct ws_server *s, struct mem *m)
{
    memset(s, 0, sizeof *s);
    s->head = mem_get(m, sizeof *s->head);
    if (!s->head)
        return FOG_E_NOMEM;
    fogi_head_init(s->head, HEAD_REQUEST);
    s->mem = m;
    s->out = (struct outbox){.bytes = s->said, .cap = sizeof s->said};
    return 0;
}

void
fogi_ws_server_free(struct ws_server *s)
{
    if (!s->head)
        return;
    fogi_head_clear(s->head, s->mem);
    mem_put(s->mem, s->head, sizeof *s->head);
    s->head = NULL;
}

static int
break_off(struct ws_server *s, int err)
{
    s->state = WS_S_FAILED;
    s->err = err;
    return err;
}

static int
read_head(struct ws_server *s, const void *buf, size_t len, size_t *used)
{
    int rc = fogi_head_input(s->head, s->mem, buf, len, used);
    if (rc && rc != FOG_E_NOMEM)
        return break_off(s, rc);
    if (s->head->done)
        s->state = WS_S_JUDGE;
    return rc;
}

/** Ten bytes, whatever they are, but for those that begin like a PONG: these are skipped. */
static void
read_frame(struct ws_server *s, uint8_t c)
{
    s->frame[s->frame_len++] = c;
    if (s->frame_len == WS_PONG_LEN && memcmp(s->frame, WS_PONG, WS_PONG_LEN) == 0) {
        s->frame_len = 0;
        s->pongs++;
    }
    if (s->frame_len < WEBSOCKS_FRAME_LEN)
        return;
    outbox_put(&s->out, fogi_ws_frame, sizeof fogi_ws_frame);
    fogi_socks_server_init(&s->socks, NULL, 0);
    s->state = WS_S_SOCKS;
}

static int
read_socks(struct ws_server *s, const void *buf, size_t len, size_t *used)
{
    int rc = fogi_socks_server_input(&s->socks, buf, len, used);
    if (rc)
        return break_off(s, rc);
    if (s->socks.state == SOCKS_ASKED)
        s->state = WS_S_ASKED;
    else if (s->socks.state == SOCKS_FAILED)
        s->state = WS_S_FAILED;
    return 0;
}

int
fogi_ws_server_input(struct ws_server *s, const void *buf, size_t len, size_t *used)
{
    int rc = s->err;
    *used = 0;
    while (*used < len && rc == 0) {
        const uint8_t *at = (const uint8_t *)buf + *used;
        size_t n = 0;
        if (s->state == WS_S_HEAD) {
            rc = read_head(s, at, len - *used, &n);
        } else if (s->state == WS_S_FRAME) {
            read_frame(s, *at);
            n = 1;
        } else if (s->state == WS_S_SOCKS) {
            rc = read_socks(s, at, len - *used, &n);
        } else {
            break;
        }
        *used += n;
    }
    if (s->state == WS_S_FAILED && rc == 0)
        *used = len;
    return rc;
}

const void *
fogi_ws_server_output(const struct ws_server *s, size_t *len)
{
    const void *out = outbox_peek(&s->out, len);
    return *len > 0 || s->state < WS_S_SOCKS ? out : outbox_peek(&s->socks.out, len);
}

void
fogi_ws_server_sent(struct ws_server *s, size_t len)
{
    size_t own;
    outbox_peek(&s->out, &own);
    outbox_drop(own > 0 ? &s->out : &s->socks.out, len);
}

static void
put_field(struct outbox *o, const char *name, const char *value)
{
    put_text(o, name);
    put_text(o, value);
    put_text(o, "\r\n");
}

void
fogi_ws_server_accept(struct ws_server *s, const char *server, uint64_t unix_ms)
{
    char accept[WS_ACCEPT_LEN + 1], date[HEAD_DATE_LEN + 1];
    struct head_text key = {NULL, 0};
    bool there = fogi_head_find(s->head, "sec-websocket-key", 0, &key);
    assert(s->state == WS_S_JUDGE && there && "only what was judged to be an upgrade is accepted");
    (void)there;
    fogi_ws_accept_value(key, accept);
    fogi_head_date(unix_ms, date);
    put_text(&s->out, "HTTP/1.1 101 Switching Protocols\r\n");
    if (server)
        put_field(&s->out, "Server: ", server);
    put_field(&s->out, "Date: ", date);
    put_field(&s->out, "Upgrade: ", "websocket");
    put_field(&s->out, "Connection: ", "Upgrade");
    put_field(&s->out, "Sec-Websocket-Accept: ", accept);
    put_field(&s->out, "Sec-WebSocket-Protocol: ", WS_PROTOCOL);
    s->foggara = fogi_ws_is_foggara(s->head);
    if (s->foggara)
        put_field(&s->out, "Sec-WebSocket-Extensions: ", WS_EXTENSION);
    put_text(&s->out, "\r\n");
    fogi_ws_server_free(s);
    s->state = WS_S_FRAME;
}

void
fogi_ws_server_again(struct ws_server *s)
{
    assert(s->state == WS_S_JUDGE && "a request was answered");
    fogi_head_clear(s->head, s->mem);
    s->state = WS_S_HEAD;
}

void
fogi_ws_server_reply(struct ws_server *s, enum socks_rep rep)
{
    assert(s->state == WS_S_ASKED && "there is one reply, to one request");
    fogi_socks_reply(&s->socks, rep);
    s->state = rep == SOCKS_OK ? WS_S_DONE : WS_S_FAILED;
}
