/* SPDX-License-Identifier: MIT */
#include "unit/session/pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#define PIECE 1400 /* bytes that a pipe's carrier takes at once */

void
pair_init(struct pair *p, enum fog_via via)
{
    memset(p, 0, sizeof *p);
    p->via = via;
    p->now = FOG_SEC(1000);
    fog_session_options_init(&p->client_options, FOG_CLIENT);
    fog_session_options_init(&p->server_options, FOG_SERVER);
    p->client_options.via = p->server_options.via = via;
    p->client_options.kcp.ts_base = 0xfffffff0;
    p->server_options.kcp.ts_base = 0x12345678;
}

int
pair_try(struct pair *p, const struct emu_options *link, uint64_t seed)
{
    struct rng rng = {seed};
    struct fog_alloc client = counting(&p->client.mem), server = counting(&p->server.mem);
    assert_int_equal(fogi_emu_new(&p->client.link, link, rng_split(&rng, 1), fog_alloc_libc()), 0);
    assert_int_equal(fogi_emu_new(&p->server.link, link, rng_split(&rng, 2), fog_alloc_libc()), 0);
    int rc = fog_session_new(&p->client.s, &p->client_options, &client, p->now);
    return rc ? rc : fog_session_new(&p->server.s, &p->server_options, &server, p->now);
}

void
pair_start(struct pair *p, const struct emu_options *link, uint64_t seed)
{
    assert_int_equal(pair_try(p, link, seed), 0);
}

void
pair_ready(struct pair *p, enum fog_via via)
{
    pair_init(p, via);
    pair_start(p, &(struct emu_options){.delay_us = FOG_MS(5)}, 1);
    pair_run(p, FOG_MS(500));
    expect(&p->client, FOG_EV_READY);
    if (told(&p->server, FOG_EV_READY))
        expect(&p->server, FOG_EV_READY);
}

void
pair_end(struct pair *p)
{
    fog_session_free(p->client.s);
    fog_session_free(p->server.s);
    fogi_emu_free(p->client.link);
    fogi_emu_free(p->server.link);
    assert_int_equal(p->client.mem.held, 0);
    assert_int_equal(p->server.mem.held, 0);
}

/** A carrier's bytes go in as far as there is room; the rest waits. */
static bool
feed_pipe(struct pair *p, struct side *to)
{
    size_t room = fog_session_input_room(to->s), n = room < to->n_stash ? room : to->n_stash;
    if (n == 0)
        return false;
    int rc = fog_session_input(to->s, to->stash, n, p->now);
    if (rc == FOG_E_NOMEM)
        return false; /* nothing was taken: again later */
    assert_int_equal(rc, 0);
    to->n_stash -= n;
    memmove(to->stash, to->stash + n, to->n_stash);
    return true;
}

static bool
arrive(struct pair *p, struct side *from, struct side *to)
{
    uint8_t buf[FOG_DATAGRAM_MAX];
    uint64_t tag;
    size_t len;
    bool any = false;
    while (to->n_stash + sizeof buf <= sizeof to->stash &&
           fogi_emu_pop(from->link, &tag, buf, sizeof buf, &len, p->now)) {
        any = true;
        if (p->via == FOG_VIA_PIPE) {
            memcpy(to->stash + to->n_stash, buf, len);
            to->n_stash += len;
        } else {
            int rc = fog_session_input(to->s, buf, len, p->now);
            (void)rc; /* damaged and late ones are refused, which is fine */
        }
    }
    if (p->via == FOG_VIA_PIPE)
        any |= feed_pipe(p, to);
    return any;
}

static void
check(const struct side *side)
{
    struct fog_session_status st;
    fog_session_status(side->s, &st);
    assert_int_equal(st.held, side->mem.held);
}

static bool
leave(struct pair *p, struct side *from)
{
    uint8_t buf[FOG_DATAGRAM_MAX];
    bool any = false;
    for (;;) {
        size_t len;
        size_t cap = p->via == FOG_VIA_PIPE ? PIECE : sizeof buf;
        assert_int_equal(fog_session_output(from->s, buf, cap, &len, p->now), 0);
        if (len == 0)
            break;
        any = true;
        from->sent++;
        from->sent_bytes += len;
        fogi_emu_push(from->link, 0, buf, len, p->now);
    }
    struct fog_event ev;
    while (fog_session_event(from->s, &ev)) {
        any = true;
        assert_true(from->n_log < LOG_MAX);
        from->log[from->n_log++] = ev;
    }
    check(from);
    return any;
}

void
pair_flush(struct pair *p)
{
    bool any;
    size_t turns = 0;
    do {
        any = arrive(p, &p->client, &p->server);
        any |= arrive(p, &p->server, &p->client);
        any |= leave(p, &p->client);
        any |= leave(p, &p->server);
        assert_true(++turns < 10000);
    } while (any);
}

static fog_time
min_time(fog_time a, fog_time b)
{
    return a < b ? a : b;
}

/** One step: what can be done now, then on to the next thing due, at most to `end`. */
static void
step(struct pair *p, fog_time end)
{
    pair_flush(p);
    fog_time at = end;
    at = min_time(at, fogi_emu_deadline(p->client.link));
    at = min_time(at, fogi_emu_deadline(p->server.link));
    at = min_time(at, fog_session_deadline(p->client.s, NULL));
    at = min_time(at, fog_session_deadline(p->server.s, NULL));
    if (at > p->now)
        p->now = at;
    fog_session_tick(p->client.s, p->now);
    fog_session_tick(p->server.s, p->now);
}

void
pair_run(struct pair *p, fog_time us)
{
    fog_time end = p->now + us, last = p->now;
    for (size_t same = 0; p->now<end; same = p->now> last ? 0 : same + 1, last = p->now) {
        step(p, end);
        assert_true(same < 100); /* time goes on */
    }
    pair_flush(p);
}

bool
told(const struct side *side, enum fog_event_type type)
{
    for (size_t i = 0; i < side->n_log; i++) {
        if (side->log[i].type == type)
            return true;
    }
    return false;
}

struct fog_event
expect(struct side *side, enum fog_event_type type)
{
    for (size_t i = 0; i < side->n_log; i++) {
        struct fog_event ev = side->log[i];
        if (ev.type != type)
            continue;
        side->n_log--;
        memmove(&side->log[i], &side->log[i + 1], (side->n_log - i) * sizeof ev);
        return ev;
    }
    fail_msg("no event of type %d among %zu", (int)type, side->n_log);
    return (struct fog_event){0};
}

void
pair_open(struct pair *p, struct fog_stream **client, struct fog_stream **server)
{
    assert_int_equal(fog_session_open(p->client.s, client, p->now), 0);
    pair_run(p, FOG_MS(100));
    *server = expect(&p->server, FOG_EV_OPENED).stream;
    fog_session_connected(p->server.s, *server, p->now);
    assert_ptr_equal(expect(&p->client, FOG_EV_ESTABLISHED).stream, *client);
    assert_int_equal(fog_stream_id(*client), fog_stream_id(*server));
}

void
say(struct pair *p, struct side *from, struct fog_stream *st, const char *text)
{
    size_t taken;
    assert_int_equal(fog_session_write(from->s, st, text, strlen(text), &taken, p->now), 0);
    assert_int_equal(taken, strlen(text));
}

void
hear(struct pair *p, struct side *to, struct fog_stream *st, const char *text)
{
    while (*text) {
        const void *buf;
        size_t len;
        bool eof;
        assert_int_equal(fog_session_peek(to->s, st, &buf, &len, &eof), 0);
        assert_in_range(len, 1, strlen(text));
        assert_memory_equal(buf, text, len);
        fog_session_consume(to->s, st, len, p->now);
        text += len;
    }
}

void
hear_nothing(struct side *to, struct fog_stream *st, bool eof)
{
    const void *buf;
    size_t len;
    bool end;
    assert_int_equal(fog_session_peek(to->s, st, &buf, &len, &end), 0);
    assert_int_equal(len, 0);
    assert_int_equal(end, eof);
}

static uint8_t
pattern(size_t i)
{
    return (uint8_t)(i ^ i >> 8 ^ i >> 16);
}

static void
flow_write(struct pair *p, struct flow *f)
{
    while (f->written < f->total) {
        uint8_t buf[5000];
        size_t n = f->total - f->written, taken;
        if (n > sizeof buf)
            n = sizeof buf;
        for (size_t i = 0; i < n; i++)
            buf[i] = pattern(f->written + i);
        assert_int_equal(fog_session_write(f->from->s, f->out, buf, n, &taken, p->now), 0);
        f->written += taken;
        if (taken < n)
            return;
    }
}

static void
flow_read(struct pair *p, struct flow *f)
{
    const uint8_t *buf;
    size_t len;
    do {
        const void *at;
        bool eof;
        assert_int_equal(fog_session_peek(f->to->s, f->in, &at, &len, &eof), 0);
        buf = at;
        for (size_t i = 0; i < len; i++) {
            if (buf[i] != pattern(f->read + i))
                fail_msg("byte %zu is wrong", f->read + i);
        }
        f->read += len;
        assert_true(f->read <= f->written);
        if (len)
            fog_session_consume(f->to->s, f->in, len, p->now);
    } while (len);
}

void
pair_transfer(struct pair *p, struct flow *flows, size_t n, fog_time limit_us)
{
    fog_time end = p->now + limit_us;
    for (;;) {
        bool done = true;
        for (size_t i = 0; i < n; i++) {
            flow_write(p, &flows[i]);
            flow_read(p, &flows[i]);
            done &= flows[i].read == flows[i].total;
        }
        p->client.n_log = p->server.n_log = 0;
        if (done)
            return;
        if (p->now >= end)
            fail_msg("only %zu of %zu bytes arrived in time", flows[0].read, flows[0].total);
        step(p, end);
    }
}
