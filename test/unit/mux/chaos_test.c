/* SPDX-License-Identifier: MIT
 *
 * Random conversations from fixed seeds. Two muxes over narrow pipes with random verbs: what is
 * read is a prefix of what was written, EOF comes only behind a FIN and all its bytes, bounds hold,
 * and at the end nothing is left. And one mux fed with random and mutated frames.
 */
#include "unit/mux/rig.h"

#include "base/rng.h"

#define STREAMS 12

/* One end of a stream as its application sees it; the byte at position i is pattern(id, i). */
struct end {
    struct fog_stream *st;
    uint32_t id;
    uint64_t written, got;
    bool finished, eof, over;
};

struct chaos {
    struct pair p;
    struct rng rng;
    struct end c[STREAMS], s[STREAMS]; /* both ends of one stream have one index */
    uint64_t final[2][STREAMS];        /* bytes written when finish was called; ~0: not */
    uint64_t sent[2][STREAMS];         /* bytes written ever */
};

static uint8_t
pattern(uint32_t id, bool up, uint64_t at)
{
    return (uint8_t)(at * 31 + (at >> 8) + id * 7 + (up ? 128 : 0));
}

static void
forget(struct side *x, struct end *e, fog_time now)
{
    fog_mux_release(x->m, e->st, now);
    *e = (struct end){0};
}

static void
read_some(struct chaos *w, bool server, int i)
{
    struct side *x = server ? &w->p.s : &w->p.c;
    struct end *e = server ? &w->s[i] : &w->c[i];
    const void *at;
    size_t len;
    bool eof;
    int rc = fog_mux_peek(x->m, e->st, &at, &len, &eof);
    if (rc) {
        e->over = true;
        return;
    }
    size_t n = len ? 1 + rng_below(&w->rng, (uint32_t)len) : 0;
    for (size_t k = 0; k < n; k++)
        assert_int_equal(((const uint8_t *)at)[k], pattern(e->id, server, e->got + k));
    e->got += n;
    assert_true(e->got <= w->sent[server][i]);
    if (n)
        fog_mux_consume(x->m, e->st, n, w->p.now);
    if (eof) {
        assert_true(e->got == w->final[server][i]);
        e->eof = true;
    }
}

static void
write_some(struct chaos *w, bool server, int i)
{
    struct side *x = server ? &w->p.s : &w->p.c;
    struct end *e = server ? &w->s[i] : &w->c[i];
    size_t cap, total, head = fog_mux_overhead(x->m);
    side_drain(x, w->p.now);
    if (fog_mux_turn(x->m, e->st, side_room(x), &cap, w->p.now) || cap == 0)
        return;
    size_t n = 1 + rng_below(&w->rng, (uint32_t)cap);
    uint8_t *frame = x->out.at + x->out.len;
    for (size_t k = 0; k < n; k++)
        frame[head + k] = pattern(e->id, !server, e->written + k);
    assert_int_equal(fog_mux_frame(x->m, e->st, frame, n, &total, w->p.now), 0);
    x->out.len += total;
    x->handed += total;
    e->written += n;
    w->sent[!server][i] += n;
}

static void
finish(struct chaos *w, bool server, int i)
{
    struct side *x = server ? &w->p.s : &w->p.c;
    struct end *e = server ? &w->s[i] : &w->c[i];
    if (!e->finished && fog_mux_finish(x->m, e->st, w->p.now) == 0) {
        e->finished = true;
        w->final[!server][i] = e->written;
    }
}

/* Toward a vproxy client a refusal is a FIN. */
static void
refuse(struct chaos *w, int i)
{
    if (!w->s[i].finished)
        w->final[0][i] = w->s[i].written;
    w->s[i].finished = true;
    fog_mux_refuse(w->p.s.m, w->s[i].st, w->p.now);
}

static void
take_events(struct chaos *w)
{
    struct fog_event ev;
    while (fog_mux_event(w->p.c.m, &ev))
        assert_int_not_equal(ev.type, FOG_EV_CLOSED);
    while (fog_mux_event(w->p.s.m, &ev)) {
        assert_int_not_equal(ev.type, FOG_EV_CLOSED);
        if (ev.type != FOG_EV_OPENED)
            continue;
        for (int i = 0; i < STREAMS; i++) {
            if (w->c[i].st && w->c[i].id == fog_stream_id(ev.stream)) {
                w->s[i] = (struct end){.st = ev.stream, .id = w->c[i].id};
                ev.stream = NULL;
                break;
            }
        }
        if (ev.stream) /* its client is gone already */
            fog_mux_release(w->p.s.m, ev.stream, w->p.now);
    }
}

/* Some bytes of a pipe move; the rest waits. */
static void
move_some(struct chaos *w, bool up)
{
    struct side *a = up ? &w->p.c : &w->p.s, *b = up ? &w->p.s : &w->p.c;
    size_t used = 0;
    side_drain(a, w->p.now);
    if (a->out.len == 0)
        return;
    size_t n = 1 + rng_below(&w->rng, (uint32_t)a->out.len);
    assert_int_equal(fog_mux_input(b->m, a->out.at, n, &used, w->p.now), 0);
    memmove(a->out.at, a->out.at + used, a->out.len - used);
    a->out.len -= used;
    a->acked += used;
    fog_mux_acked(a->m, a->acked, w->p.now);
    fog_mux_room(a->m, side_room(a), w->p.now);
}

static void
on_stream(struct chaos *w, bool server, int i, uint32_t what)
{
    struct end *e = server ? &w->s[i] : &w->c[i];
    struct side *x = server ? &w->p.s : &w->p.c;
    if (!e->st)
        return;
    if (what < 50)
        write_some(w, server, i);
    else if (what < 90)
        read_some(w, server, i);
    else if (what < 95)
        finish(w, server, i);
    else if (what == 95)
        fog_mux_reset(x->m, e->st, w->p.now);
    else if (what == 96 && server)
        refuse(w, i);
    else if (what == 97 && server)
        fog_mux_connected(x->m, e->st);
    else if ((e->eof && e->finished) || e->over || what == 99)
        forget(x, e, w->p.now);
}

static void
open_one(struct chaos *w, int i)
{
    if (w->c[i].st || w->s[i].st)
        return;
    w->c[i] = (struct end){0};
    assert_int_equal(fog_mux_open(w->p.c.m, &w->c[i].st, w->p.now), 0);
    w->c[i].id = fog_stream_id(w->c[i].st);
    for (int d = 0; d < 2; d++) {
        w->final[d][i] = UINT64_MAX;
        w->sent[d][i] = 0;
    }
}

static void
step(struct chaos *w)
{
    uint32_t dice = rng_below(&w->rng, 100);
    int i = (int)rng_below(&w->rng, STREAMS);
    if (dice < 5) {
        open_one(w, i);
    } else if (dice < 40) {
        move_some(w, dice & 1);
    } else if (dice < 45) {
        w->p.now += (fog_time)rng_below(&w->rng, 400000);
        fog_mux_tick(w->p.c.m, w->p.now);
        fog_mux_tick(w->p.s.m, w->p.now);
    } else {
        on_stream(w, dice & 1, i, rng_below(&w->rng, 100));
    }
    take_events(w);
    assert_true(rig_status(w->p.c.m).recv_held <= 40000);
    assert_true(rig_status(w->p.s.m).recv_held <= 40000);
}

static void
converse(uint64_t seed)
{
    static struct chaos w;
    struct fog_mux_options co, so;
    memset(&w, 0, sizeof w);
    w.rng.state = seed;
    fog_mux_options_init(&co, FOG_CLIENT);
    fog_mux_options_init(&so, FOG_SERVER);
    co.extended = so.extended = seed & 1;
    co.limits.tunnel_recv = so.limits.tunnel_recv = 40000;
    co.limits.stream_recv = so.limits.stream_recv = so.limits.stream_recv_dialling = 9000;
    pair_init(&w.p, &co, &so, 512 + rng_below(&w.rng, 40000));
    pair_run(&w.p);
    for (int i = 0; i < 6000; i++)
        step(&w);
    /* Everybody lets go: after the last messages nothing is left. */
    for (int i = 0; i < STREAMS; i++) {
        if (w.c[i].st)
            forget(&w.p.c, &w.c[i], w.p.now);
        if (w.s[i].st)
            forget(&w.p.s, &w.s[i], w.p.now);
    }
    for (int i = 0; i < 100; i++) {
        pair_pass(&w.p, FOG_MS(300));
        take_events(&w);
    }
    pair_pass(&w.p, FOG_SEC(310)); /* refused and never ended by the peer */
    struct fog_mux_status c = rig_status(w.p.c.m), s = rig_status(w.p.s.m);
    if (c.streams + s.streams + c.recv_held + s.recv_held + c.waiting + s.waiting > 0)
        fail_msg("seed %llu: %u and %u streams, %zu and %zu bytes are left",
                 (unsigned long long)seed, c.streams, s.streams, c.recv_held, s.recv_held);
    assert_int_equal(c.n.opened, c.n.closed);
    assert_int_equal(s.n.opened, s.n.closed);
    pair_free(&w.p);
}

static void
conversations(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 120; seed++)
        converse(seed);
}

/* -------------------------------------------------------------------------------- hostile bytes */

static size_t
random_frame(struct rng *rng, uint8_t *buf)
{
    static const uint8_t types[] = {0, 0, 0, 0, 1, 1, 1, 6};
    size_t len = rng_below(rng, 4) ? 0 : rng_below(rng, 600);
    uint8_t type = types[rng_below(rng, 8)];
    if (type == 1)
        len = 0;
    buf[0] = 0;
    buf[1] = (uint8_t)(len >> 8);
    buf[2] = (uint8_t)len;
    buf[3] = type;
    buf[4] = (uint8_t)(rng_below(rng, 3) ? 0 : 1u << rng_below(rng, 3));
    buf[5] = buf[6] = buf[7] = 0;
    buf[8] = (uint8_t)rng_below(rng, 9);
    for (size_t i = 0; i < len; i++)
        buf[9 + i] = (uint8_t)rng_next(rng);
    if (rng_below(rng, 2000) == 0) /* now and then a broken header */
        buf[rng_below(rng, 9)] ^= (uint8_t)(1u << rng_below(rng, 8));
    return 9 + len;
}

static int
fake_inflate(void *ctx, const void *in, size_t len, void *out, size_t cap, size_t *out_len)
{
    const uint8_t *p = in;
    (void)ctx;
    if (p[0] & 1)
        return p[0] & 2 ? FOG_E_FORMAT : FOG_E_LIMIT;
    *out_len = len < cap ? len : cap;
    memset(out, 'z', *out_len);
    return 0;
}

/* Applications that do anything at any time. */
static void
random_verb(struct rig *r, struct rng *rng, struct fog_stream **kept, size_t n)
{
    size_t i = rng_below(rng, (uint32_t)n), len;
    const void *at;
    bool eof;
    if (!kept[i])
        return;
    switch (rng_below(rng, 7)) {
    case 0:
        (void)!fog_mux_finish(r->m, kept[i], r->now);
        break;
    case 1:
        fog_mux_reset(r->m, kept[i], r->now);
        break;
    case 2:
        fog_mux_refuse(r->m, kept[i], r->now);
        break;
    case 3:
        fog_mux_release(r->m, kept[i], r->now);
        kept[i] = NULL;
        break;
    case 4:
        (void)!fog_mux_turn(r->m, kept[i], rng_below(rng, 3000), &len, r->now);
        break;
    default:
        if (fog_mux_peek(r->m, kept[i], &at, &len, &eof) == 0 && len)
            fog_mux_consume(r->m, kept[i], 1 + rng_below(rng, (uint32_t)len), r->now);
        break;
    }
}

static void
attack(uint64_t seed, enum fog_role role)
{
    static const struct fog_gzip gzip = {.inflate = fake_inflate};
    static uint8_t bytes[700];
    struct fog_stream *kept[64] = {0};
    struct rng rng = {seed};
    struct rig r;
    rig_init(&r, role);
    r.o.gzip = &gzip;
    r.o.limits.tunnel_recv = 4000;
    r.o.limits.stream_recv = r.o.limits.stream_recv_dialling = 1000;
    r.o.limits.streams = 6;
    rig_start(&r);
    rig_collect(&r);
    rig_feed(&r, "000000 04 00 00000000");
    for (int i = 0; i < 3000 && !fog_mux_is_closed(r.m); i++) {
        size_t n = random_frame(&rng, bytes);
        rig_feed_bytes(&r, bytes, n, rng_below(&rng, 4) == 0);
        if (role == FOG_CLIENT && rng_below(&rng, 8) == 0 && !kept[i % 64])
            (void)!fog_mux_open(r.m, &kept[i % 64], r.now);
        rig_clear(&r);
        rig_collect(&r);
        for (size_t k = 0; k < r.n_ev; k++) {
            if (r.ev[k].type == FOG_EV_OPENED) {
                size_t at = 0;
                while (at < 63 && kept[at])
                    at++;
                if (kept[at])
                    fog_mux_release(r.m, r.ev[k].stream, r.now);
                else
                    kept[at] = r.ev[k].stream;
            }
        }
        random_verb(&r, &rng, kept, 64);
        r.now += rng_below(&rng, 50000);
        if (fog_mux_deadline(r.m, NULL) <= r.now)
            fog_mux_tick(r.m, r.now);
        assert_true(rig_status(r.m).streams <= 6);
        assert_true(rig_status(r.m).recv_held <= 4000 + 65536);
    }
    for (size_t i = 0; i < 64; i++) {
        if (kept[i])
            fog_mux_release(r.m, kept[i], r.now);
    }
    assert_int_equal(rig_status(r.m).recv_held, 0);
    rig_end(&r);
}

static void
attacks(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 80; seed++) {
        attack(seed, FOG_SERVER);
        attack(seed, FOG_CLIENT);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conversations),
        cmocka_unit_test(attacks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
