/* SPDX-License-Identifier: MIT
 *
 * Decode: what a real vproxy sent, given to our KCP and to our mux in the other role, must give the
 * frames of the recording's digest, in whatever order the datagrams arrive.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <foggara/arq.h>
#include <foggara/mux.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "base/wire.h"
#include "replay/names.h"
#include "replay/oracle.h"

static struct oracle_stream stream;
static struct frames frames;

/* ----------------------------------------------------------------------------------- KCP alone */

enum order { IN_ORDER, BACKWARD, TWICE, LATE, SHUFFLED, ORDER_N };

static const char *const order_name[ORDER_N] = {"in order", "backward", "twice",
                                                "every third left out, then sent", "shuffled"};

/* The datagrams of one direction in the order they arrive; the number of arrivals. */
static size_t
arrange(const struct recording *r, enum dir dir, enum order order, size_t out[512])
{
    size_t own[256], n = 0, n_out = 0;
    for (size_t i = 0; i < r->n_datagrams; i++)
        if (r->datagrams[i].dir == dir)
            own[n++] = i;
    struct rng rng = {n};
    for (size_t i = 0; i < n; i++) {
        if (order == LATE && i % 3 == 1)
            continue;
        out[n_out++] = own[order == BACKWARD ? n - 1 - i : i];
        if (order == TWICE)
            out[n_out++] = own[i];
    }
    for (size_t i = 1; order == LATE && i < n; i += 3)
        out[n_out++] = own[i];
    for (size_t i = n_out; order == SHUFFLED && i > 1; i--) {
        size_t k = rng_below(&rng, (uint32_t)i), swap = out[k];
        out[k] = out[i - 1];
        out[i - 1] = swap;
    }
    return n_out;
}

/* The una and the ACKs of a recording speak of segments our engine never sent: una becomes what it
 * is before anything was sent, and the ACKs stay, to be counted as stale. */
static void
forget_other_side(struct datagram *d)
{
    struct segment g[64];
    int n = oracle_segments(d->bytes, d->len, g, 64);
    assert_true(n > 0);
    for (int i = 0; i < n; i++)
        put_le32(d->bytes + (g[i].payload - d->bytes) - 8, 0);
}

static size_t
drain(struct fog_arq *a, uint8_t *out, size_t cap, fog_time now)
{
    size_t total = 0;
    for (;;) {
        const void *buf;
        size_t len;
        fog_arq_peek(a, &buf, &len);
        if (!len)
            return total;
        assert_in_range(len, 1, cap - total);
        memcpy(out + total, buf, len);
        total += len;
        fog_arq_consume(a, len, now);
    }
}

/* Whatever the engine answers must be whole segments, ACKs only: it was given nothing to send. */
static void
check_answers(struct fog_arq *a, fog_time now)
{
    for (;;) {
        uint8_t buf[FOG_DATAGRAM_MAX];
        struct segment g[64];
        size_t len;
        assert_int_equal(fog_arq_output(a, buf, sizeof buf, &len, now), 0);
        if (!len)
            return;
        int n = oracle_segments(buf, len, g, 64);
        assert_true(n > 0);
        for (int i = 0; i < n; i++)
            assert_int_equal(g[i].cmd, CMD_ACK);
    }
}

static void
decode(const struct recording *r, enum dir dir, enum order order)
{
    static uint8_t bytes[sizeof stream.bytes];
    size_t arrivals[512], n = arrange(r, dir, order, arrivals), len = 0;
    struct fog_kcp_options o;
    struct fog_arq *a;
    fog_kcp_options_init(&o);
    assert_int_equal(fog_kcp_new(&a, &o, fog_alloc_libc(), 0), 0);
    for (size_t i = 0; i < n; i++) {
        struct datagram d = r->datagrams[arrivals[i]];
        fog_time now = FOG_MS((fog_time)i);
        forget_other_side(&d);
        int rc = fog_arq_input(a, d.bytes, d.len, now);
        if (rc != 0)
            fail_msg("%s %s %s: datagram %zu refused: %s", r->name, dir_name(dir),
                     order_name[order], arrivals[i] + 1, fog_err_text(rc));
        len += drain(a, bytes + len, sizeof bytes - len, now);
        check_answers(a, now);
    }
    assert_int_equal(len, r->totals[dir].stream_bytes);
    oracle_frames(&frames, bytes, len);
    oracle_check(&frames, r, dir);
    fog_arq_free(a);
}

static void
test_kcp(void **state)
{
    struct recording r;
    recording_read(&r, *state);
    for (enum dir d = C_TO_S; d < DIR_N; d++)
        for (enum order o = IN_ORDER; o < ORDER_N; o++)
            decode(&r, d, o);
    recording_free(&r);
}

/* ----------------------------------------------------------------------------------- mux alone */

/* What the frames of one stream say in all. */
struct content {
    uint32_t id;
    bool fin, reset;
    size_t len;
    uint8_t bytes[131072];
};

#define CONTENTS_MAX 8

static struct content expected[CONTENTS_MAX], received[CONTENTS_MAX];
static size_t n_expected, n_received;

static struct content *
content_of(struct content *list, size_t *n, uint32_t id)
{
    for (size_t i = 0; i < *n; i++)
        if (list[i].id == id)
            return &list[i];
    assert_in_range(*n, 0, CONTENTS_MAX - 1);
    struct content *c = &list[(*n)++];
    c->id = id;
    c->fin = c->reset = false;
    c->len = 0;
    return c;
}

static void
expect_content(void)
{
    n_expected = 0;
    for (size_t i = 0; i < frames.n; i++) {
        const struct frame *f = &frames.frame[i];
        if (f->type > T_HEADERS)
            continue;
        struct content *c = content_of(expected, &n_expected, f->stream);
        if (f->type == T_HEADERS && f->flags & F_END)
            c->reset = true;
        if (f->type != T_DATA || c->reset)
            continue;
        memcpy(c->bytes + c->len, f->plain, f->plain_len);
        c->len += f->plain_len;
        c->fin |= (f->flags & F_END) != 0;
    }
}

static void
read_stream(struct fog_mux *m, struct fog_stream *st)
{
    struct content *c = content_of(received, &n_received, fog_stream_id(st));
    for (;;) {
        const void *buf;
        size_t len;
        bool eof;
        int rc = fog_mux_peek(m, st, &buf, &len, &eof);
        if (rc != 0) {
            assert_int_equal(rc, FOG_E_RESET);
            return;
        }
        if (len) {
            memcpy(c->bytes + c->len, buf, len);
            c->len += len;
            fog_mux_consume(m, st, len, 0);
        }
        c->fin |= eof;
        if (!len)
            return;
    }
}

/* Takes events; the reason when the tunnel closed. */
static const char *
take_events(struct fog_mux *m, enum fog_role role)
{
    struct fog_event ev;
    const char *reason = NULL;
    while (fog_mux_event(m, &ev)) {
        if (ev.type == FOG_EV_READY && role == FOG_CLIENT) {
            for (size_t i = 0; i < n_expected; i++) {
                struct fog_stream *st;
                assert_int_equal(fog_mux_open(m, &st, 0), 0);
            }
        } else if (ev.type == FOG_EV_OPENED) {
            fog_mux_connected(m, ev.stream);
            content_of(received, &n_received, fog_stream_id(ev.stream));
        } else if (ev.type == FOG_EV_READABLE) {
            read_stream(m, ev.stream);
        } else if (ev.type == FOG_EV_RESET) {
            content_of(received, &n_received, fog_stream_id(ev.stream))->reset = true;
        } else if (ev.type == FOG_EV_CLOSED) {
            reason = ev.reason;
        }
    }
    return reason;
}

static void
drain_output(struct fog_mux *m)
{
    uint8_t buf[512];
    size_t len;
    do
        assert_int_equal(fog_mux_output(m, buf, sizeof buf, &len, 0), 0);
    while (len);
}

/* Feeds the stream's bytes in pieces of `step`; the reason when the tunnel closed. */
static const char *
feed_mux(struct fog_mux *m, enum fog_role role, size_t step)
{
    const char *reason = NULL;
    drain_output(m);
    for (size_t at = 0; at < stream.len && !reason;) {
        size_t len = stream.len - at < step ? stream.len - at : step, used;
        /* The application opens its streams when the handshake is done. */
        if (at < FOG_HANDSHAKE_LEN && len > FOG_HANDSHAKE_LEN - at)
            len = FOG_HANDSHAKE_LEN - at;
        assert_int_equal(fog_mux_input(m, stream.bytes + at, len, &used, 0), 0);
        at += used;
        reason = take_events(m, role);
        if (!reason && used == 0)
            fail_msg("the mux took nothing at byte %zu", at);
        drain_output(m);
    }
    return reason;
}

static void
compare_content(const char *where)
{
    for (size_t i = 0; i < n_expected; i++) {
        const struct content *e = &expected[i];
        const struct content *g = content_of(received, &n_received, e->id);
        bool same = g->len == e->len && g->fin == e->fin && g->reset == e->reset;
        /* What was not read before the RST is gone; so is a stream that came and went at once. */
        if (e->reset)
            same = g->len <= e->len && (g->reset || !g->len);
        if (!same || memcmp(g->bytes, e->bytes, g->len) != 0)
            fail_msg("%s stream %u: %zu bytes fin %d reset %d, the recording says %zu, %d, %d",
                     where, e->id, g->len, g->fin, g->reset, e->len, e->fin, e->reset);
    }
    assert_int_equal(n_received, n_expected);
}

static void
check_mux(const struct recording *r, enum dir dir, size_t step)
{
    static const struct fog_gzip gzip = {.inflate = oracle_inflate};
    enum fog_role role = dir == C_TO_S ? FOG_SERVER : FOG_CLIENT;
    struct fog_mux_options o;
    struct fog_mux *m;
    char where[96];
    snprintf(where, sizeof where, "%s %s in pieces of %zu", r->name, dir_name(dir), step);
    fog_mux_options_init(&o, role);
    o.gzip = &gzip;
    assert_int_equal(fog_mux_new(&m, &o, fog_alloc_libc(), 0), 0);
    n_received = 0;
    const char *reason = feed_mux(m, role, step);
    bool closes = strcmp(r->name, "goaway") == 0;
    if (closes != (reason != NULL))
        fail_msg("%s: the tunnel %s: %s", where, closes ? "did not close" : "closed",
                 reason ? reason : "-");
    if (closes && dir == S_TO_C)
        assert_string_equal(reason, "handshake message is invalid");
    compare_content(where);
    fog_mux_free(m);
}

static void
test_mux(void **state)
{
    static const size_t steps[] = {1, 7, 1226, sizeof stream.bytes};
    struct recording r;
    recording_read(&r, *state);
    for (enum dir d = C_TO_S; d < DIR_N; d++) {
        oracle_stream(&stream, &r, d);
        oracle_frames(&frames, stream.bytes, stream.len);
        expect_content();
        for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
            check_mux(&r, d, steps[i]);
    }
    recording_free(&r);
}

int
main(void)
{
#define DECODE_TESTS(file)                                                                         \
    {.name = "kcp " file, .test_func = test_kcp, .initial_state = (void *)(uintptr_t)file},        \
        {.name = "mux " file, .test_func = test_mux, .initial_state = (void *)(uintptr_t)file},
    const struct CMUnitTest tests[] = {RECORDINGS(DECODE_TESTS)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
