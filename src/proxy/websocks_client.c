/* SPDX-License-Identifier: MIT */
#include "proxy/websocks_int.h"

/* The key of every vproxy agent. It is no secret and protects nothing here: it shows a cache that
 * the answer was made for this request, and no cache keeps a 101. */
#define KEY "dGhlIHNhbXBsZSBub25jZQ=="

static bool
is_value(const char *s, size_t max)
{
    size_t len = strlen(s);
    if (len == 0 || len > max)
        return false;
    for (size_t i = 0; i < len; i++)
        if ((uint8_t)s[i] < ' ' || s[i] == 0x7f)
            return false;
    return true;
}

static void
put_upgrade(struct outbox *out, const struct ws_client_options *o)
{
    const char *const lines[] = {
        "GET / HTTP/1.1\r\n"
        "Upgrade: websocket\r\n"
        "Connection: Upgrade\r\n"
        "Host: ",
        o->host ? o->host : "null",
        "\r\n"
        "Sec-WebSocket-Key: " KEY "\r\n"
        "Sec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Protocol: " WS_PROTOCOL "\r\n"
        "Authorization: ",
        o->authorization,
        o->plain_vproxy ? "\r\n\r\n" : "\r\nSec-WebSocket-Extensions: " WS_EXTENSION "\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        put_text(out, lines[i]);
}

int
fogi_ws_client_init(struct ws_client *c, const struct ws_client_options *o, struct mem *m)
{
    memset(c, 0, sizeof *c);
    if ((o->host && !is_value(o->host, WEBSOCKS_HOST_MAX)) ||
        !is_value(o->authorization, AUTH_VALUE_MAX))
        return FOG_E_USAGE;
    struct head *h = mem_get(m, sizeof *h);
    if (!h)
        return FOG_E_NOMEM;
    fogi_head_init(h, HEAD_RESPONSE);
    c->head = h;
    c->mem = m;
    c->strict = o->strict;
    c->plain = o->plain_vproxy;
    c->out = (struct outbox){.bytes = c->said, .cap = sizeof c->said};
    put_upgrade(&c->out, o);
    return 0;
}

static void
drop_head(struct ws_client *c)
{
    if (!c->head)
        return;
    fogi_head_clear(c->head, c->mem);
    mem_put(c->mem, c->head, sizeof *c->head);
    c->head = NULL;
}

void
fogi_ws_client_free(struct ws_client *c)
{
    drop_head(c);
}

static int
break_off(struct ws_client *c, int err)
{
    c->state = WS_C_FAILED;
    c->err = err;
    drop_head(c);
    return err;
}

/** The ten bytes and SOCKS behind them, as far as may be said at once. */
static void
ask(struct ws_client *c)
{
    outbox_put(&c->out, fogi_ws_frame, sizeof fogi_ws_frame);
    fogi_socks_client_init(&c->socks, &c->dest, c->strict);
    c->state = WS_C_ASKED;
}

/** Whether the answer is the 101 that RFC 6455 wants for what we sent. */
static bool
is_upgraded(const struct head *h)
{
    char accept[WS_ACCEPT_LEN + 1];
    struct head_text v;
    const struct head_text upgrade = {"upgrade", 7};
    fogi_ws_accept_value((struct head_text){KEY, WS_KEY_LEN}, accept);
    return h->status == 101 && fogi_head_find(h, "upgrade", 0, &v) &&
           fogi_text_is_word(v, "websocket") && fogi_head_find(h, "connection", 0, &v) &&
           fogi_text_lists(v, upgrade) && fogi_head_count(h, "sec-websocket-accept") == 1 &&
           fogi_head_find(h, "sec-websocket-accept", 0, &v) && fogi_text_is(v, accept) &&
           fogi_head_find(h, "sec-websocket-protocol", 0, &v) && fogi_text_is(v, WS_PROTOCOL);
}

static int
read_switch(struct ws_client *c, const void *buf, size_t len, size_t *used)
{
    int rc = fogi_head_input(c->head, c->mem, buf, len, used);
    if (rc == FOG_E_NOMEM)
        return rc;
    if (rc)
        return break_off(c, rc);
    if (!c->head->done)
        return 0;
    c->status = c->head->status;
    if (!is_upgraded(c->head))
        return break_off(c, FOG_E_PROTOCOL);
    c->foggara = !c->plain && fogi_ws_is_foggara(c->head);
    drop_head(c);
    c->state = WS_C_POOLED;
    if (c->wanted)
        ask(c);
    return 0;
}

/** The server's ten bytes, whatever they are, then SOCKS. */
static int
read_answers(struct ws_client *c, const void *buf, size_t len, size_t *used)
{
    size_t n = (size_t)(WEBSOCKS_FRAME_LEN - c->frame_len), more = 0;
    n = n < len ? n : len;
    c->frame_len = (uint8_t)(c->frame_len + n);
    int rc = fogi_socks_client_input(&c->socks, (const uint8_t *)buf + n, len - n, &more);
    *used = n + more;
    if (rc)
        return break_off(c, rc);
    c->rep = c->socks.rep;
    if (c->socks.state == SOCKS_C_DONE)
        c->state = WS_C_DONE;
    else if (c->socks.state == SOCKS_C_FAILED)
        c->state = WS_C_FAILED;
    return 0;
}

int
fogi_ws_client_input(struct ws_client *c, const void *buf, size_t len, size_t *used)
{
    int rc = c->err;
    *used = 0;
    while (*used < len && rc == 0 && c->state < WS_C_DONE) {
        const uint8_t *at = (const uint8_t *)buf + *used;
        size_t n = 0;
        if (c->state == WS_C_UPGRADE)
            rc = read_switch(c, at, len - *used, &n);
        else if (c->state == WS_C_POOLED)
            rc = break_off(c, FOG_E_PROTOCOL); /* there is nothing it could have to say */
        else
            rc = read_answers(c, at, len - *used, &n);
        *used += n;
    }
    return rc;
}

/** SOCKS waits behind the ten bytes; strict, also for their answer. */
static bool
socks_may_speak(const struct ws_client *c)
{
    return c->state >= WS_C_ASKED && (!c->strict || c->frame_len == WEBSOCKS_FRAME_LEN);
}

const void *
fogi_ws_client_output(const struct ws_client *c, size_t *len)
{
    const void *out = outbox_peek(&c->out, len);
    return *len > 0 || !socks_may_speak(c) ? out : outbox_peek(&c->socks.out, len);
}

void
fogi_ws_client_sent(struct ws_client *c, size_t len)
{
    size_t own;
    outbox_peek(&c->out, &own);
    outbox_drop(own > 0 ? &c->out : &c->socks.out, len);
}

int
fogi_ws_client_connect(struct ws_client *c, const struct dest *dest)
{
    if (c->wanted || c->state > WS_C_POOLED)
        return FOG_E_USAGE;
    c->wanted = true;
    c->dest = *dest;
    if (c->state == WS_C_POOLED)
        ask(c);
    return 0;
}

void
fogi_ws_client_pong(struct ws_client *c)
{
    size_t len;
    outbox_peek(&c->out, &len);
    if (c->state == WS_C_POOLED && len == 0)
        outbox_put(&c->out, WS_PONG, WS_PONG_LEN);
}

bool
fogi_ws_client_heard(const struct ws_client *c)
{
    return c->frame_len > 0;
}

bool
fogi_ws_client_may_send(const struct ws_client *c)
{
    size_t len;
    if (c->state == WS_C_DONE)
        return true;
    fogi_ws_client_output(c, &len);
    return c->state == WS_C_ASKED && c->foggara && !c->strict && len == 0;
}
