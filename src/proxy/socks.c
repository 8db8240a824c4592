/* SPDX-License-Identifier: MIT
 *
 * socks.c - both sides gather bytes until a piece is whole: s->need says how many make the next
 * decision possible, and one function per state makes it. Nothing is decided on less.
 */
#include "proxy/socks.h"

#include <assert.h>
#include <string.h>

#define VERSION 5
#define LOGIN_VERSION 1
#define CONNECT 1

enum { METHOD_NONE = 0, METHOD_LOGIN = 2, METHOD_NO = 0xff };
enum { ATYP_IP4 = 1, ATYP_NAME = 3, ATYP_IP6 = 4 };

static_assert(SOCKS_LOGIN_MAX <= SOCKS_PARSER_MAX, "a login fits");
static_assert(SOCKS_REQUEST_MAX <= SOCKS_PARSER_MAX, "a request fits");
static_assert(2 + 255 <= SOCKS_PARSER_MAX, "methods fit");

const char *
fogi_socks_rep_text(int rep)
{
    static const char *const texts[] = {
        "succeeded",           "general failure",       "not allowed",
        "network unreachable", "host unreachable",      "connection refused",
        "timed out",           "command not supported", "kind of address not supported",
    };
    return rep >= 0 && (size_t)rep < sizeof texts / sizeof *texts ? texts[rep] : "unknown reply";
}

/** Bytes of the address and port behind ATYP, of which the first is known; 0: unknown kind. */
static uint16_t
address_len(uint8_t atyp, uint8_t first)
{
    switch (atyp) {
    case ATYP_IP4:
        return 4 + 2;
    case ATYP_NAME:
        return (uint16_t)(1 + first + 2);
    case ATYP_IP6:
        return 16 + 2;
    default:
        return 0;
    }
}

/* ---------------------------------------------------------------------------------------- server
 */

void
fogi_socks_server_init(struct socks_server *s, const struct auth_login *logins, size_t n_logins)
{
    memset(s, 0, sizeof *s);
    s->logins = logins;
    s->n_logins = n_logins;
    s->need = 1;
    s->out = (struct outbox){.bytes = s->said, .cap = sizeof s->said};
}

void
fogi_socks_server_move(struct socks_server *s, const struct auth_login *logins)
{
    s->logins = logins;
}

static void
next(struct socks_server *s, enum socks_state state, uint16_t need)
{
    s->state = state;
    s->len = 0;
    s->need = need;
}

static void
fail_with(struct socks_server *s, enum socks_rep why)
{
    s->why = why;
    s->state = SOCKS_FAILED;
}

static void
say(struct socks_server *s, uint8_t a, uint8_t b)
{
    outbox_put(&s->out, (uint8_t[]){a, b}, 2);
}

static void
say_reply(struct socks_server *s, enum socks_rep rep)
{
    uint8_t reply[10] = {VERSION, (uint8_t)rep, 0, ATYP_IP4};
    reply[8] = (uint8_t)(s->port >> 8);
    reply[9] = (uint8_t)s->port;
    outbox_put(&s->out, reply, sizeof reply);
}

static void
refuse(struct socks_server *s, enum socks_rep rep)
{
    say_reply(s, rep);
    fail_with(s, rep);
}

/* 05 n METHOD... */
static int
read_methods(struct socks_server *s)
{
    uint8_t wanted = s->n_logins ? METHOD_LOGIN : METHOD_NONE;
    if (s->bytes[0] != VERSION) {
        fail_with(s, SOCKS_GENERAL);
        return FOG_E_FORMAT;
    }
    s->need = (uint16_t)(s->len < 2 ? 2 : 2 + s->bytes[1]);
    if (s->len < s->need)
        return 0;
    if (!memchr(s->bytes + 2, wanted, s->bytes[1])) {
        say(s, VERSION, METHOD_NO);
        fail_with(s, SOCKS_GENERAL);
        return 0;
    }
    say(s, VERSION, wanted);
    next(s, s->n_logins ? SOCKS_LOGIN : SOCKS_REQUEST, s->n_logins ? 2 : 4);
    return 0;
}

/* 01 n USER n PASSWORD */
static void
read_login(struct socks_server *s)
{
    uint8_t user_len = s->bytes[1];
    const uint8_t *password = s->bytes + 3 + user_len;
    s->need = (uint16_t)(3 + user_len);
    if (s->len < s->need)
        return;
    s->need = (uint16_t)(s->need + password[-1]);
    if (s->len < s->need)
        return;
    bool right =
        fogi_auth_login(s->logins, s->n_logins, s->bytes + 2, user_len, password, password[-1]);
    right &= s->bytes[0] == LOGIN_VERSION;
    memset(s->bytes, 0, sizeof s->bytes);
    say(s, LOGIN_VERSION, !right);
    s->login_failed = !right;
    if (right)
        next(s, SOCKS_REQUEST, 4);
    else
        fail_with(s, SOCKS_DENIED);
}

/** Whether the address, which is there, is one; leaves it in s->dest. */
static bool
read_dest(struct socks_server *s, const uint8_t *p)
{
    const char *name = (const char *)p + 1;
    s->dest = (struct dest){.port = s->port};
    if (s->port == 0)
        return false;
    if (s->bytes[3] == ATYP_NAME)
        return fogi_dest_host(&s->dest, name, p[0]) == 0;
    s->dest.kind = s->bytes[3] == ATYP_IP4 ? DEST_IP4 : DEST_IP6;
    memcpy(s->dest.ip, p, s->dest.kind == DEST_IP4 ? 4 : 16);
    return true;
}

/* 05 COMMAND 00 ATYP ADDRESS PORT */
static int
read_request(struct socks_server *s)
{
    const uint8_t *address = s->bytes + 4;
    uint16_t len = address_len(s->bytes[3], s->len > 4 ? address[0] : 0);
    if (s->bytes[0] != VERSION) {
        fail_with(s, SOCKS_GENERAL);
        return FOG_E_FORMAT;
    }
    if (len == 0) {
        refuse(s, SOCKS_NO_ADDRESS);
        return 0;
    }
    s->need = (uint16_t)(s->len < 5 ? 5 : 4 + len);
    if (s->len < s->need)
        return 0;
    s->port = (uint16_t)(address[len - 2] << 8 | address[len - 1]);
    if (s->bytes[1] != CONNECT)
        refuse(s, SOCKS_NO_COMMAND);
    else if (!read_dest(s, address))
        refuse(s, SOCKS_GENERAL);
    else
        s->state = SOCKS_ASKED;
    return 0;
}

/** Takes bytes up to s->need; true once they are there. */
static bool
gather(uint8_t *bytes, uint16_t *have, uint16_t need, const uint8_t *from, size_t len, size_t *used)
{
    size_t n = (size_t)(need - *have);
    n = n < len ? n : len;
    memcpy(bytes + *have, from, n);
    *have = (uint16_t)(*have + n);
    *used += n;
    return *have == need;
}

int
fogi_socks_server_input(struct socks_server *s, const void *buf, size_t len, size_t *used)
{
    int rc = 0;
    *used = 0;
    while (*used < len && rc == 0 && s->state < SOCKS_ASKED) {
        assert(s->need <= sizeof s->bytes && "every piece fits: see the static asserts");
        const uint8_t *at = (const uint8_t *)buf + *used;
        if (!gather(s->bytes, &s->len, s->need, at, len - *used, used))
            break;
        if (s->state == SOCKS_METHODS)
            rc = read_methods(s);
        else if (s->state == SOCKS_LOGIN)
            read_login(s);
        else
            rc = read_request(s);
    }
    if (rc == 0 && s->state == SOCKS_FAILED)
        *used = len;
    return rc;
}

void
fogi_socks_reply(struct socks_server *s, enum socks_rep rep)
{
    assert(s->state == SOCKS_ASKED && "there is one reply, to one request");
    if (rep != SOCKS_OK) {
        refuse(s, rep);
        return;
    }
    say_reply(s, rep);
    s->state = SOCKS_DONE;
}

/* ---------------------------------------------------------------------------------------- client
 */

static uint16_t
put_request(uint8_t out[SOCKS_REQUEST_MAX], const struct dest *d)
{
    size_t n = 4, len = d->kind == DEST_NAME ? strlen(d->name) : d->kind == DEST_IP4 ? 4 : 16;
    static const uint8_t atyp[] = {
        [DEST_NAME] = ATYP_NAME, [DEST_IP4] = ATYP_IP4, [DEST_IP6] = ATYP_IP6};
    memcpy(out, (uint8_t[]){VERSION, CONNECT, 0, atyp[d->kind]}, 4);
    if (d->kind == DEST_NAME)
        out[n++] = (uint8_t)len;
    memcpy(out + n, d->kind == DEST_NAME ? (const void *)d->name : d->ip, len);
    n += len;
    out[n++] = (uint8_t)(d->port >> 8);
    out[n++] = (uint8_t)d->port;
    return (uint16_t)n;
}

void
fogi_socks_client_init(struct socks_client *c, const struct dest *dest, bool strict)
{
    memset(c, 0, sizeof *c);
    c->strict = strict;
    c->need = 2;
    c->request_len = put_request(c->request, dest);
    c->out = (struct outbox){.bytes = c->said, .cap = sizeof c->said};
    outbox_put(&c->out, (uint8_t[]){VERSION, 1, METHOD_NONE}, 3);
    if (!strict)
        outbox_put(&c->out, c->request, c->request_len);
}

static int
break_off(struct socks_client *c)
{
    c->state = SOCKS_C_FAILED;
    c->broken = true;
    c->rep = SOCKS_GENERAL;
    return FOG_E_PROTOCOL;
}

/* 05 METHOD */
static int
read_method(struct socks_client *c)
{
    if (c->head[0] != VERSION || c->head[1] != METHOD_NONE)
        return break_off(c);
    c->state = SOCKS_C_REPLY;
    c->len = 0;
    c->need = 5;
    if (c->strict)
        outbox_put(&c->out, c->request, c->request_len);
    return 0;
}

/* 05 REP 00 ATYP ADDRESS PORT: the first 5 bytes tell the length, the others are not looked at */
static int
read_reply(struct socks_client *c)
{
    uint16_t len = address_len(c->head[3], c->head[4]);
    if (c->head[0] != VERSION || len == 0)
        return break_off(c);
    if (c->need == 5) {
        c->need = (uint16_t)(4 + len);
        return 0;
    }
    c->rep = c->head[1];
    c->state = c->rep == SOCKS_OK ? SOCKS_C_DONE : SOCKS_C_FAILED;
    return 0;
}

int
fogi_socks_client_input(struct socks_client *c, const void *buf, size_t len, size_t *used)
{
    int rc = c->broken ? FOG_E_PROTOCOL : 0;
    *used = 0;
    while (*used < len && rc == 0 && c->state < SOCKS_C_DONE) {
        const uint8_t *at = (const uint8_t *)buf + *used;
        size_t n = (size_t)(c->need - c->len);
        n = n < len - *used ? n : len - *used;
        for (size_t i = 0; i < n && c->len + i < sizeof c->head; i++)
            c->head[c->len + i] = at[i];
        c->len = (uint16_t)(c->len + n);
        *used += n;
        if (c->len == c->need)
            rc = c->state == SOCKS_C_METHODS ? read_method(c) : read_reply(c);
    }
    return rc;
}
