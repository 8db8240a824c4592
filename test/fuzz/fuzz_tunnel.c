/* SPDX-License-Identifier: MIT
 *
 * fuzz_tunnel.c - an endpoint, two honest clients whose way the input controls, and datagrams from
 * anywhere. Byte 0: bit 0 narrow limits, bit 1 little memory; then operations. Held: nothing
 * crashes, memory is bounded, every output ends, and an address that has not proven itself gets at
 * most three times the bytes it sent.
 */
#include "base/mem.h"
#include "fuzz/input.h"

#include <foggara/session.h>

#include <assert.h>
#include <string.h>

#define HOSTS 4 /* the first CLIENTS of them have a client */
#define CLIENTS 2
#define HELD 8 /* streams the target side has */

struct host {
    struct fog_session *s;
    struct fog_stream *st;
    uint64_t in, out;
    bool proven, lost, bent; /* the next datagram to it is lost, or bent */
};

struct world {
    struct fog_endpoint *e;
    struct host hosts[HOSTS];
    struct {
        struct fog_session *s;
        struct fog_stream *st;
    } held[HELD];
    fog_time now;
    bool refuse, deaf; /* what the target side does */
};

static struct fog_addr
addr_of(size_t host)
{
    return (struct fog_addr){.ip = {[10] = 0xff, 0xff, 10, 0, 0, (uint8_t)(host / 2)},
                             .port = (uint16_t)(1 + host % 2)};
}

/** A datagram of a host; which addresses are proven is looked up behind it. */
static void
to_server(struct world *w, size_t host, const uint8_t *buf, size_t len)
{
    struct fog_addr from = addr_of(host), peer;
    int rc = fog_endpoint_input(w->e, &from, buf, len, w->now);
    assert(rc <= 0);
    w->hosts[host].in += len;
    for (struct fog_session *s = NULL; (s = fog_endpoint_next(w->e, s));) {
        fog_endpoint_peer(w->e, s, &peer);
        w->hosts[(size_t)peer.ip[15] * 2 + peer.port - 1].proven = true;
    }
}

static void
target(struct world *w, struct fog_session *s, const struct fog_event *ev)
{
    size_t i = 0;
    while (i < HELD && w->held[i].st)
        i++;
    if (ev->type == FOG_EV_OPENED && !w->refuse && i < HELD) {
        fog_session_connected(s, ev->stream, w->now);
        w->held[i].s = s;
        w->held[i].st = ev->stream;
    } else if (ev->type == FOG_EV_OPENED) {
        fog_session_refuse(s, ev->stream, w->now);
        fog_session_release(s, ev->stream, w->now);
    }
    bool over = ev->type == FOG_EV_CLOSED;
    for (i = 0; i < HELD; i++) {
        if (w->held[i].st && w->held[i].s == s &&
            (over || (ev->type == FOG_EV_RESET && w->held[i].st == ev->stream))) {
            fog_session_release(s, w->held[i].st, w->now);
            w->held[i].st = NULL;
        }
    }
    fog_endpoint_touch(w->e, s, w->now);
    if (over)
        fog_endpoint_drop(w->e, s, w->now);
}

/** What the target side reads it sends back; at the end it finishes. */
static void
echo(struct world *w)
{
    for (size_t i = 0; i < HELD && !w->deaf; i++) {
        const void *buf;
        size_t len, taken;
        bool eof;
        struct fog_session *s = w->held[i].s;
        if (!w->held[i].st || fog_session_peek(s, w->held[i].st, &buf, &len, &eof))
            continue;
        uint8_t copy[512];
        size_t n = len < sizeof copy ? len : sizeof copy;
        if (n > 0)
            memcpy(copy, buf, n);
        int rc = n ? fog_session_write(s, w->held[i].st, copy, n, &taken, w->now)
                   : (eof ? fog_session_finish(s, w->held[i].st, w->now) : 0);
        assert(rc <= 0);
        if (n)
            fog_session_consume(s, w->held[i].st, n, w->now);
        fog_endpoint_touch(w->e, s, w->now);
    }
}

static void
server_turn(struct world *w)
{
    struct fog_session *s;
    struct fog_event ev;
    struct fog_addr to;
    uint8_t buf[FOG_DATAGRAM_MAX];
    size_t len = 1;
    while (fog_endpoint_event(w->e, &s, &ev))
        target(w, s, &ev);
    echo(w);
    for (size_t turns = 0; len > 0; turns++) {
        int rc = fog_endpoint_output(w->e, &to, buf, sizeof buf, &len, w->now);
        assert(rc == 0 && turns < 20000);
        if (len == 0)
            break;
        struct host *h = &w->hosts[(size_t)to.ip[15] * 2 + to.port - 1];
        h->out += len;
        assert(h->proven || h->out <= 3 * h->in);
        if (h->bent)
            buf[w->now % (fog_time)len] ^= 1;
        if (h->s && !h->lost)
            rc = fog_session_input(h->s, buf, len, w->now);
        h->lost = h->bent = false;
    }
}

static void
client_turn(struct world *w, size_t host)
{
    struct host *h = &w->hosts[host];
    uint8_t buf[FOG_DATAGRAM_MAX];
    size_t len = 1;
    struct fog_event ev;
    for (size_t turns = 0; len > 0; turns++) {
        int rc = fog_session_output(h->s, buf, sizeof buf, &len, w->now);
        assert(rc == 0 && turns < 20000);
        if (len)
            to_server(w, host, buf, len);
    }
    while (fog_session_event(h->s, &ev)) {
        const void *at;
        bool eof;
        if (ev.type == FOG_EV_READABLE && fog_session_peek(h->s, ev.stream, &at, &len, &eof) == 0)
            fog_session_consume(h->s, ev.stream, len, w->now);
    }
}

static void
client_act(struct world *w, struct host *h, uint8_t what)
{
    static const uint8_t zeros[4096];
    size_t taken;
    int rc = 0;
    if (!h->st && fog_session_open(h->s, &h->st, w->now) != 0)
        h->st = NULL;
    if (!h->st)
        return;
    switch (what & 3) {
    case 0:
        rc = fog_session_write(h->s, h->st, zeros, (size_t)what << 4, &taken, w->now);
        break;
    case 1:
        rc = fog_session_finish(h->s, h->st, w->now);
        break;
    case 2:
        fog_session_release(h->s, h->st, w->now);
        h->st = NULL;
        break;
    default:
        if (what == 0xff)
            fog_session_shutdown(h->s, "bye", w->now);
    }
    assert(rc <= 0);
}

static void
act(struct world *w, struct input *in)
{
    uint8_t op = take8(in), arg = take8(in);
    size_t host = op >> 4 & (HOSTS - 1);
    const uint8_t *buf;
    size_t len;
    switch (op & 7) {
    case 0: /* a datagram from anywhere, from clients' addresses too */
        len = take(in, take16(in) % (FOG_DATAGRAM_MAX + 2), &buf);
        to_server(w, host, buf, len);
        break;
    case 1:
        w->now += (fog_time)arg << (op >> 3);
        break;
    case 2:
        w->refuse = arg & 1;
        w->deaf = arg & 2;
        fog_endpoint_accept(w->e, !(arg & 4));
        break;
    case 3:
        w->hosts[host].lost = arg & 1;
        w->hosts[host].bent = arg & 2;
        break;
    case 4:
        client_act(w, &w->hosts[host % CLIENTS], arg);
        break;
    default:
        client_turn(w, host % CLIENTS);
    }
    for (size_t i = 0; i < CLIENTS; i++)
        fog_session_tick(w->hosts[i].s, w->now);
    fog_endpoint_tick(w->e, w->now);
    server_turn(w);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct world w = {0};
    struct fog_endpoint_options o;
    struct fog_session_options c;
    struct budget b;
    uint8_t bits = take8(&in);
    fogi_budget_init(&b, bits & 2 ? 40 << 10 : 8 << 20, fog_alloc_libc());
    struct fog_alloc al = fogi_budget_alloc(&b);
    fog_endpoint_options_init(&o);
    fog_session_options_init(&c, FOG_CLIENT);
    o.limits.pending = 3;
    if (bits & 1) {
        o.limits.per_source = o.limits.pending = 1;
        o.limits.sessions = o.limits.pending_per_net = 2;
        o.limits.openings = (struct fog_rate){3, 1};
    }
    int rc = fog_endpoint_new(&w.e, &o, &al, 0);
    for (size_t i = 0; i < CLIENTS; i++)
        rc |= fog_session_new(&w.hosts[i].s, &c, fog_alloc_libc(), 0);
    assert(rc == 0);
    while (in.left) {
        act(&w, &in);
        assert(b.used < 4 << 20);
    }
    for (size_t i = 0; i < CLIENTS; i++)
        fog_session_free(w.hosts[i].s);
    fog_endpoint_free(w.e);
    assert(b.used == 0);
    return 0;
}
