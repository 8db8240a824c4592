/* SPDX-License-Identifier: MIT */
#include "unit/session/net.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/wire.h"

#define NOBODY UINT64_MAX /* tag of a datagram that goes to no client */

void
net_init(struct net *n)
{
    memset(n, 0, sizeof *n);
    n->now = FOG_SEC(1000);
    fog_endpoint_options_init(&n->options);
    memcpy(n->options.key, "a key of 16 byte", 16);
}

void
net_start(struct net *n)
{
    struct emu_options link = {.delay_us = FOG_MS(5)};
    struct fog_alloc al = counting(&n->mem);
    assert_int_equal(fogi_emu_new(&n->up, &link, (struct rng){1}, fog_alloc_libc()), 0);
    assert_int_equal(fogi_emu_new(&n->down, &link, (struct rng){2}, fog_alloc_libc()), 0);
    assert_int_equal(fog_endpoint_new(&n->e, &n->options, &al, n->now), 0);
}

void
net_end(struct net *n)
{
    for (size_t i = 0; i < n->n_clients; i++) {
        fog_session_free(n->clients[i].s);
        assert_int_equal(n->clients[i].mem.held, 0);
    }
    fog_endpoint_free(n->e);
    assert_int_equal(n->mem.held, 0);
    fogi_emu_free(n->up);
    fogi_emu_free(n->down);
}

struct fog_addr
net_addr(uint8_t net, uint8_t host, uint16_t port)
{
    return (struct fog_addr){.ip = {[10] = 0xff, 0xff, 192, 0, net, host}, .port = port};
}

struct client *
net_client(struct net *n, struct fog_addr addr)
{
    assert_true(n->n_clients < CLIENTS_MAX);
    struct client *c = &n->clients[n->n_clients++];
    struct fog_session_options o;
    fog_session_options_init(&o, FOG_CLIENT);
    o.kcp.ts_base = (uint32_t)n->n_clients * 0x9e3779b9u;
    *c = (struct client){.addr = addr};
    struct fog_alloc al = counting(&c->mem);
    assert_int_equal(fog_session_new(&c->s, &o, &al, n->now), 0);
    return c;
}

/* -------------------------------------------------------------------------------- the server's
 * part */

static void
serve(struct net *n, struct fog_session *s, struct fog_stream *st)
{
    for (size_t i = 0; i < STREAMS_MAX; i++) {
        if (!n->served[i].st) {
            n->served[i] = (struct served){s, st};
            return;
        }
    }
    fail_msg("too many streams");
}

static void
forget(struct net *n, struct served *x)
{
    fog_session_release(x->s, x->st, n->now);
    fog_endpoint_touch(n->e, x->s, n->now);
    *x = (struct served){0};
}

/** Reads and writes back; at the end of one direction ends the other. */
static void
echo(struct net *n, struct served *x)
{
    const void *buf;
    size_t len, taken = 0;
    bool eof;
    int rc = fog_session_peek(x->s, x->st, &buf, &len, &eof);
    if (rc == 0 && len > 0) {
        uint8_t copy[1000];
        size_t some = len < sizeof copy ? len : sizeof copy;
        memcpy(copy, buf, some);
        rc = fog_session_write(x->s, x->st, copy, some, &taken, n->now);
        if (taken)
            fog_session_consume(x->s, x->st, taken, n->now);
        fog_endpoint_touch(n->e, x->s, n->now);
    } else if (rc == 0 && eof) {
        rc = fog_session_finish(x->s, x->st, n->now);
        fog_endpoint_touch(n->e, x->s, n->now);
    }
    if (eof || (rc && rc != FOG_E_NOMEM))
        forget(n, x);
}

static void
on_event(struct net *n, struct fog_session *s, const struct fog_event *ev)
{
    assert_true(n->n_log < NET_LOG_MAX);
    n->log[n->n_log].s = s;
    n->log[n->n_log++].ev = *ev;
    if (ev->type == FOG_EV_OPENED) {
        fog_session_connected(s, ev->stream, n->now);
        serve(n, s, ev->stream);
    }
    for (size_t i = 0; i < STREAMS_MAX; i++) {
        struct served *x = &n->served[i];
        if (x->st && (x->st == ev->stream ? ev->type == FOG_EV_RESET
                                          : x->s == s && ev->type == FOG_EV_CLOSED))
            forget(n, x);
    }
    if (ev->type == FOG_EV_CLOSED && !n->keep_closed)
        fog_endpoint_drop(n->e, s, n->now);
}

/* ------------------------------------------------------------------------------ moving datagrams
 */

static uint64_t
client_at(const struct net *n, const struct fog_addr *addr)
{
    for (size_t i = n->n_clients; i-- > 0;) {
        if (memcmp(&n->clients[i].addr, addr, sizeof *addr) == 0)
            return i;
    }
    return NOBODY;
}

static void
client_turn(struct net *n, uint64_t id)
{
    struct client *c = &n->clients[id];
    uint8_t buf[FOG_DATAGRAM_MAX];
    size_t len;
    struct fog_event ev;
    while (fog_session_output(c->s, buf, sizeof buf, &len, n->now) == 0 && len > 0) {
        c->sent++;
        if (!c->dark && client_at(n, &c->addr) == id)
            fogi_emu_push(n->up, id, buf, len, n->now);
    }
    while (fog_session_event(c->s, &ev)) {
        c->ready |= ev.type == FOG_EV_READY;
        c->suspect |= ev.type == FOG_EV_SUSPECT;
        if (ev.type == FOG_EV_CLOSED) {
            c->closed = ev.err ? ev.err : 1;
            c->closed_at = n->now;
        }
    }
}

static void
endpoint_out(struct net *n)
{
    struct fog_addr to;
    uint8_t buf[FOG_DATAGRAM_MAX];
    size_t len;
    while (fog_endpoint_output(n->e, &to, buf, sizeof buf, &len, n->now) == 0 && len > 0) {
        uint64_t id = client_at(n, &to);
        if (id != NOBODY) {
            fogi_emu_push(n->down, id, buf, len, n->now);
            continue;
        }
        size_t at = n->n_strays++ % STRAYS_MAX;
        n->strays[at].to = to;
        n->strays[at].len = len;
        memcpy(n->strays[at].bytes, buf, len);
        n->stray_bytes += len;
    }
}

static void
endpoint_turn(struct net *n)
{
    struct fog_session *s;
    struct fog_event ev;
    while (fog_endpoint_event(n->e, &s, &ev))
        on_event(n, s, &ev);
    for (size_t i = 0; i < STREAMS_MAX; i++) {
        if (n->served[i].st)
            echo(n, &n->served[i]);
    }
    endpoint_out(n);
}

void
net_flush(struct net *n)
{
    uint8_t buf[FOG_DATAGRAM_MAX];
    uint64_t id;
    size_t len;
    while (fogi_emu_pop(n->up, &id, buf, sizeof buf, &len, n->now)) {
        int rc = fog_endpoint_input(n->e, &n->clients[id].addr, buf, len, n->now);
        (void)rc; /* some are to be refused */
    }
    while (fogi_emu_pop(n->down, &id, buf, sizeof buf, &len, n->now)) {
        struct client *c = &n->clients[id];
        c->got++;
        if (!c->dark && fog_session_input(c->s, buf, len, n->now) != 0)
            continue;
    }
    for (uint64_t i = 0; i < n->n_clients; i++)
        client_turn(n, i);
    endpoint_turn(n);
}

static fog_time
min_time(fog_time a, fog_time b)
{
    return a < b ? a : b;
}

void
net_run(struct net *n, fog_time us)
{
    fog_time end = n->now + us;
    size_t same = 0;
    while (n->now < end) {
        net_flush(n);
        fog_time at = min_time(end, fog_endpoint_deadline(n->e, NULL));
        at = min_time(at, min_time(fogi_emu_deadline(n->up), fogi_emu_deadline(n->down)));
        for (size_t i = 0; i < n->n_clients; i++)
            at = min_time(at, fog_session_deadline(n->clients[i].s, NULL));
        same = at > n->now ? 0 : same + 1;
        assert_true(same < 100); /* time goes on */
        if (at > n->now)
            n->now = at;
        for (size_t i = 0; i < n->n_clients; i++)
            fog_session_tick(n->clients[i].s, n->now);
        fog_endpoint_tick(n->e, n->now);
    }
    net_flush(n);
}

/* ------------------------------------------------------------------------------------- strangers
 */

int
net_inject(struct net *n, struct fog_addr from, const void *buf, size_t len)
{
    int rc = fog_endpoint_input(n->e, &from, buf, len, n->now);
    endpoint_turn(n);
    return rc;
}

size_t
net_push(uint8_t out[FOG_DATAGRAM_MAX], uint32_t ts, uint32_t sn, uint32_t una, const void *payload,
         size_t len)
{
    memset(out, 0, FOG_KCP_HEADER);
    out[4] = 81;
    put_le16(out + 6, 1024);
    put_le32(out + 8, ts);
    put_le32(out + 12, sn);
    put_le32(out + 16, una);
    put_le32(out + 20, (uint32_t)len);
    memcpy(out + FOG_KCP_HEADER, payload, len);
    return FOG_KCP_HEADER + len;
}

size_t
net_opening(uint8_t out[FOG_DATAGRAM_MAX], uint32_t ts)
{
    return net_push(out, ts, 0, 0, "\0\0\0\4\0\0\0\0\0", 9);
}

size_t
net_told(const struct net *n, enum fog_event_type type)
{
    size_t found = 0;
    for (size_t i = 0; i < n->n_log; i++)
        found += n->log[i].ev.type == type;
    return found;
}

size_t
net_told_err(const struct net *n, enum fog_event_type type, int err)
{
    size_t found = 0;
    for (size_t i = 0; i < n->n_log; i++)
        found += n->log[i].ev.type == type && n->log[i].ev.err == err;
    return found;
}

struct fog_endpoint_status
net_status(const struct net *n)
{
    struct fog_endpoint_status st;
    fog_endpoint_status(n->e, &st);
    return st;
}

bool
net_echo(struct net *n, struct client *c, const char *text)
{
    struct fog_stream *st;
    size_t taken, heard = 0, len;
    if (fog_session_open(c->s, &st, n->now) ||
        fog_session_write(c->s, st, text, strlen(text), &taken, n->now) || taken < strlen(text))
        return false;
    for (size_t i = 0; i < 100 && heard < strlen(text); i++) {
        const void *buf;
        bool eof;
        net_run(n, FOG_MS(10));
        if (fog_session_peek(c->s, st, &buf, &len, &eof))
            break;
        assert_true(heard + len <= strlen(text));
        if (len) {
            assert_memory_equal(buf, text + heard, len);
            fog_session_consume(c->s, st, len, n->now);
        }
        heard += len;
    }
    fog_session_release(c->s, st, n->now);
    return heard == strlen(text);
}
