/* SPDX-License-Identifier: MIT
 *
 * fuzz_frame.c - bytes of a peer at two muxes: one gets them whole, the other in pieces. Byte 0:
 * bit 0 the role, bit 1 handshake made beforehand, bit 2 foggara as the peer. Bytes 1, 2: how the
 * pieces are cut. Byte 3: the number of verbs of 2 bytes that follow; they are applied between even
 * parts of the rest. Held: both take the same bytes, tell the same events, hold the same state and
 * answer the same; memory is bounded.
 */
#include "base/mem.h"
#include "fuzz/input.h"

#include <foggara/mux.h>

#include <assert.h>
#include <string.h>

#define STREAMS 8
#define EVENTS 4096

struct end {
    struct fog_mux *mux;
    struct fog_stream *streams[STREAMS];
    size_t used, n_events, n_out;
    struct fog_event events[EVENTS];
    uint8_t out[65536];
};

/* In place of gzip: a first byte that is right, then the payload as it is. */
static int
fake_inflate(void *ctx, const void *in, size_t len, void *out, size_t cap, size_t *out_len)
{
    (void)ctx;
    if (len == 0 || *(const uint8_t *)in != 0x1f || len - 1 > cap)
        return FOG_E_FORMAT;
    memcpy(out, (const uint8_t *)in + 1, len - 1);
    *out_len = len - 1;
    return 0;
}

static void
start(struct end *e, uint8_t bits, const struct fog_alloc *al)
{
    static const struct fog_gzip gzip = {.inflate = fake_inflate};
    struct fog_mux_options o;
    size_t len;
    memset(e, 0, sizeof *e);
    fog_mux_options_init(&o, bits & 1 ? FOG_CLIENT : FOG_SERVER);
    o.limits.streams = STREAMS;
    o.limits.stream_recv = 4096;
    o.limits.tunnel_recv = 16384;
    o.gzip = &gzip;
    o.extended = bits & 4;
    int rc = fog_mux_new(&e->mux, &o, al, 0);
    if (rc == 0 && (bits & 1)) /* its own handshake leaves first */
        rc = fog_mux_output(e->mux, e->out, sizeof e->out, &len, 0);
    if (rc == 0 && (bits & 2))
        rc = fog_mux_input(e->mux, "\0\0\0\4\0\0\0\0\0", 9, &len, 0);
    for (size_t i = 0; i < 3 && rc == 0 && (bits & 3) == 3; i++)
        rc = fog_mux_open(e->mux, &e->streams[i], 0);
    assert(rc == 0);
}

/** Feeds what lies between what it has taken and `end`, in pieces unless cut is 0. */
static void
feed(struct end *e, const uint8_t *bytes, size_t end, uint32_t cut, fog_time now)
{
    while (e->used < end) {
        size_t len = end - e->used, used = 0;
        if (cut) {
            cut = cut * 1103515245u + 12345u;
            size_t most = 1 + (cut >> 16) % (cut & 0x800 ? 7 : 700);
            len = len < most ? len : most;
        }
        int rc = fog_mux_input(e->mux, bytes + e->used, len, &used, now);
        assert(used <= len && (rc == 0 || rc == FOG_E_CLOSED));
        e->used += used;
        if (rc || used < len)
            return;
    }
}

/** All events and all that leaves. */
static void
collect(struct end *e, fog_time now)
{
    size_t len = 1;
    for (e->n_events = 0; fog_mux_event(e->mux, &e->events[e->n_events]); e->n_events++) {
        assert(e->n_events < EVENTS - 1);
        for (size_t i = 0; i < STREAMS && e->events[e->n_events].type == FOG_EV_OPENED; i++) {
            if (!e->streams[i]) {
                e->streams[i] = e->events[e->n_events].stream;
                break;
            }
        }
    }
    for (e->n_out = 0; len > 0; e->n_out += len) {
        int rc = fog_mux_output(e->mux, e->out + e->n_out, sizeof e->out - e->n_out, &len, now);
        assert(rc == 0);
    }
}

static void
compare(const struct end *a, const struct end *b)
{
    struct fog_mux_status x, y;
    assert(a->used == b->used || fog_mux_is_closed(a->mux)); /* what follows the end is dropped */
    assert(a->n_events == b->n_events && a->n_out == b->n_out);
    assert(memcmp(a->out, b->out, a->n_out) == 0);
    for (size_t i = 0; i < a->n_events; i++) {
        const struct fog_event *v = &a->events[i], *w = &b->events[i];
        assert(v->type == w->type && v->err == w->err && !v->stream == !w->stream);
        assert(!v->stream || fog_stream_id(v->stream) == fog_stream_id(w->stream));
        assert(!v->reason == !w->reason && (!v->reason || strcmp(v->reason, w->reason) == 0));
    }
    for (size_t i = 0; i < STREAMS; i++) {
        const void *p, *q;
        size_t n = 0, m = 0;
        bool end_p = false, end_q = false;
        if (!a->streams[i])
            continue;
        int rc = fog_mux_peek(a->mux, a->streams[i], &p, &n, &end_p);
        assert(rc == fog_mux_peek(b->mux, b->streams[i], &q, &m, &end_q) && end_p == end_q);
        size_t both = n < m ? n : m; /* pages may end elsewhere */
        assert(!n == !m && (both == 0 || memcmp(p, q, both) == 0));
    }
    fog_mux_status(a->mux, &x);
    fog_mux_status(b->mux, &y);
    assert(x.state == y.state && x.streams == y.streams && x.recv_held == y.recv_held);
    assert(x.n.frames_in == y.n.frames_in && x.n.glitches == y.n.glitches && x.n.late == y.n.late);
    assert(x.n.resets_in == y.n.resets_in && x.n.resets_out == y.n.resets_out);
}

static void
read_all(struct end *e, struct fog_stream *st, fog_time now)
{
    const void *buf;
    size_t len;
    bool eof;
    while (fog_mux_peek(e->mux, st, &buf, &len, &eof) == 0 && len > 0)
        fog_mux_consume(e->mux, st, len, now);
}

static void
act(struct end *e, uint8_t op, fog_time now)
{
    struct fog_stream **st = &e->streams[op >> 3 & (STREAMS - 1)];
    int rc = 0;
    fog_mux_tick(e->mux, now);
    if (!*st && ((op & 7) != 0 || fog_mux_open(e->mux, st, now) != 0))
        return;
    switch (op & 7) {
    case 0:
    case 1:
    case 2:
        read_all(e, *st, now);
        break;
    case 3:
        rc = fog_mux_finish(e->mux, *st, now);
        break;
    case 4:
        fog_mux_reset(e->mux, *st, now);
        break;
    case 5:
        fog_mux_connected(e->mux, *st);
        break;
    case 6:
        fog_mux_refuse(e->mux, *st, now);
        break;
    default:
        fog_mux_release(e->mux, *st, now);
        *st = NULL;
    }
    assert(rc == 0 || rc == FOG_E_RESET || rc == FOG_E_CLOSED);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct end whole, pieces;
    struct input in = {data, size};
    struct budget b;
    fog_time now = 0;
    const uint8_t *verbs;
    uint8_t bits = take8(&in);
    uint32_t cut = take16(&in) | 1u;
    size_t n = take8(&in) % 32;
    n = take(&in, 2 * n, &verbs) / 2;
    fogi_budget_init(&b, 4 << 20, fog_alloc_libc());
    struct fog_alloc al = fogi_budget_alloc(&b);
    start(&whole, bits, &al);
    start(&pieces, bits, &al);
    for (size_t i = 0; i <= n; i++) {
        size_t end = in.left * (i + 1) / (n + 1);
        feed(&whole, in.at, end, 0, now);
        feed(&pieces, in.at, end, cut + (uint32_t)i * 2, now);
        collect(&whole, now);
        collect(&pieces, now);
        compare(&whole, &pieces);
        if (i == n)
            break;
        now += (fog_time)verbs[2 * i + 1] << (verbs[2 * i + 1] & 15);
        act(&whole, verbs[2 * i], now);
        act(&pieces, verbs[2 * i], now);
        assert(b.used < 1 << 20);
    }
    fog_mux_free(whole.mux);
    fog_mux_free(pieces.mux);
    assert(b.used == 0);
    return 0;
}
