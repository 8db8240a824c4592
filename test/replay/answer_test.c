/* SPDX-License-Identifier: MIT
 *
 * Answer: one side of a recording plays live (a KCP engine carries its recorded bytes at the
 * recorded times), a foggara session takes the place of the other side, and its application does
 * at the recorded times what that side's application did. What the session sends must be what the
 * real vproxy sent, stream by stream; free are packing, stamps, windows and acks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <foggara/session.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/names.h"
#include "replay/oracle.h"

#define STREAMS_MAX 8
#define BYTES_MAX 131072
#define STEPS_MAX 200000

/* One stream as a side spoke on it: the order of messages, and the bytes of all DATA together. */
struct voice {
    uint32_t id;
    char trace[512];
    size_t len;
    uint8_t bytes[BYTES_MAX];
};

struct voices {
    struct voice voice[STREAMS_MAX];
    size_t n;
};

/* The application's view of one stream. */
struct app_stream {
    uint32_t id;
    struct fog_stream *st; /* NULL once released */
    size_t to_write;       /* frame whose plain bytes are being written, + 1 */
    size_t written;        /* of it */
    bool finish, finished; /* wanted, done */
    bool eof, reset;
    bool left; /* the application gave it up and cannot see its end */
    size_t len;
    uint8_t bytes[BYTES_MAX];
};

struct world {
    const struct recording *r;
    enum dir own; /* what the session is to say */
    fog_time now;
    bool refused; /* the server's target is not there */
    struct fog_session *s;
    struct fog_arq *peer;
    struct oracle_stream script, other; /* own side and other side of the recording */
    struct frames frames;               /* of script */
    size_t next_frame, next_push;
    uint8_t said[BYTES_MAX]; /* what the session's stream carried */
    size_t said_len;
    struct app_stream app[STREAMS_MAX];
    size_t n_app;
    const char *reason; /* the tunnel closed */
    bool closed;
};

static struct world world;

/* ----------------------------------------------------------------------------------- comparison */

static void
trace(struct voice *v, const char *word)
{
    size_t len = strlen(v->trace);
    assert_in_range(len + strlen(word) + 2, 1, sizeof v->trace);
    snprintf(v->trace + len, sizeof v->trace - len, "%s%s", len ? " " : "", word);
}

static struct voice *
voice_of(struct voices *all, uint32_t id)
{
    for (size_t i = 0; i < all->n; i++)
        if (all->voice[i].id == id)
            return &all->voice[i];
    assert_in_range(all->n, 0, STREAMS_MAX - 1);
    struct voice *v = &all->voice[all->n++];
    v->id = id;
    v->len = 0;
    v->trace[0] = '\0';
    return v;
}

/* Control messages are kept with all their bytes. */
static void
trace_control(struct voice *v, const struct frame *f)
{
    char word[192];
    size_t n = (size_t)snprintf(word, sizeof word, "%u/%02x/", f->type, f->flags);
    for (size_t i = 0; i < f->len && n + 3 < sizeof word; i++)
        n += (size_t)snprintf(word + n, sizeof word - n, "%02x", f->plain[i]);
    trace(v, word);
}

static void
listen_to(struct voices *all, const struct frames *frames)
{
    all->n = 0;
    for (size_t i = 0; i < frames->n; i++) {
        const struct frame *f = &frames->frame[i];
        struct voice *v = voice_of(all, f->stream);
        const char *end = v->trace + strlen(v->trace);
        bool after_reset = strstr(v->trace, "RST") != NULL;
        bool after_data = end - v->trace >= 4 && strcmp(end - 4, "DATA") == 0;
        if (f->type == T_HEADERS)
            trace(v, f->flags & F_END ? "RST" : "SYN");
        else if (f->type != T_DATA)
            trace_control(v, f);
        /* vproxy sends FIN after the RST it echoes: a defect (doc/wire.md), not to be repeated. */
        if (f->type != T_DATA || after_reset)
            continue;
        if (f->plain_len && !after_data)
            trace(v, "DATA");
        memcpy(v->bytes + v->len, f->plain, f->plain_len);
        v->len += f->plain_len;
        if (f->flags & F_END)
            trace(v, "FIN");
    }
}

static void
compare_voices(const struct world *w)
{
    static struct voices want, got;
    static struct frames frames;
    oracle_frames(&frames, w->said, w->said_len);
    assert_int_equal(frames.partial, 0);
    listen_to(&want, &w->frames);
    listen_to(&got, &frames);
    for (size_t i = 0; i < want.n; i++) {
        const struct voice *e = &want.voice[i], *g = voice_of(&got, e->id);
        if (strcmp(e->trace, g->trace) != 0)
            fail_msg("%s %s stream %u: we said\n    %s\nvproxy said\n    %s", w->r->name,
                     dir_name(w->own), e->id, g->trace, e->trace);
        if (e->len != g->len || memcmp(e->bytes, g->bytes, e->len) != 0)
            fail_msg("%s %s stream %u: %zu bytes of DATA, not the %zu recorded ones", w->r->name,
                     dir_name(w->own), e->id, g->len, e->len);
    }
    assert_int_equal(got.n, want.n);
}

/* What our application read must be what the recorded side said. */
static void
compare_reads(const struct world *w)
{
    static struct voices want;
    static struct frames frames;
    oracle_frames(&frames, w->other.bytes, w->other.len);
    listen_to(&want, &frames);
    for (size_t i = 0; i < want.n; i++) {
        const struct voice *e = &want.voice[i];
        const struct app_stream *g = NULL;
        for (size_t k = 0; k < w->n_app; k++)
            if (w->app[k].id == e->id)
                g = &w->app[k];
        if (!e->id)
            continue;
        assert_non_null(g);
        assert_int_equal(g->len, e->len);
        assert_memory_equal(g->bytes, e->bytes, e->len);
        bool fin = strstr(e->trace, "FIN") != NULL, rst = strstr(e->trace, "RST") != NULL;
        if (!g->left && (g->reset != rst || (!rst && g->eof != fin)))
            fail_msg("%s stream %u: reset %d eof %d but the recording says %s", w->r->name, e->id,
                     g->reset, g->eof, e->trace);
    }
}

/* ---------------------------------------------------------------------------------- application */

static struct app_stream *
app_add(struct world *w, struct fog_stream *st)
{
    assert_in_range(w->n_app, 0, STREAMS_MAX - 1);
    struct app_stream *a = &w->app[w->n_app++];
    memset(a, 0, sizeof *a);
    a->id = fog_stream_id(st);
    a->st = st;
    fog_stream_set_user(st, a);
    return a;
}

static struct app_stream *
app_find(struct world *w, uint32_t id)
{
    for (size_t i = 0; i < w->n_app; i++)
        if (w->app[i].id == id)
            return &w->app[i];
    fail_msg("%s %s: the recording speaks on stream %u, which is not open here", w->r->name,
             dir_name(w->own), id);
    return NULL;
}

static void
app_release(struct world *w, struct app_stream *a)
{
    if (!a->st)
        return;
    fog_session_release(w->s, a->st, w->now);
    a->st = NULL;
}

static void
app_read(struct world *w, struct app_stream *a)
{
    const void *buf;
    size_t len;
    do {
        if (fog_session_peek(w->s, a->st, &buf, &len, &a->eof) != 0)
            return;
        assert_in_range(len, 0, BYTES_MAX - a->len);
        if (len)
            memcpy(a->bytes + a->len, buf, len);
        a->len += len;
        if (len)
            fog_session_consume(w->s, a->st, len, w->now);
    } while (len);
}

static void
app_write(struct world *w, struct app_stream *a)
{
    if (a->to_write && a->st) {
        const struct frame *f = &w->frames.frame[a->to_write - 1];
        size_t taken = 0;
        assert_int_equal(fog_session_write(w->s, a->st, f->plain + a->written,
                                           f->plain_len - a->written, &taken, w->now),
                         0);
        a->written += taken;
        if (a->written == f->plain_len)
            a->to_write = a->written = 0;
    }
    if (!a->to_write && a->finish && !a->finished && a->st) {
        assert_int_equal(fog_session_finish(w->s, a->st, w->now), 0);
        a->finished = true;
    }
}

static void
app_events(struct world *w)
{
    struct fog_event ev;
    while (fog_session_event(w->s, &ev)) {
        struct app_stream *a = ev.stream ? fog_stream_user(ev.stream) : NULL;
        if (ev.type == FOG_EV_OPENED)
            app_add(w, ev.stream);
        else if (ev.type == FOG_EV_READABLE)
            app_read(w, a);
        else if (ev.type == FOG_EV_WRITABLE)
            app_write(w, a);
        if (ev.type == FOG_EV_RESET && a) {
            a->reset = true;
            app_release(w, a);
        }
        if (ev.type == FOG_EV_CLOSED) {
            w->closed = true;
            w->reason = ev.reason;
        }
    }
}

/* Does what the application of the replaced side did to cause this frame. */
static void
app_act(struct world *w, const struct frame *f, size_t index)
{
    bool end = f->flags & F_END;
    struct fog_stream *st;
    if (f->type > T_HEADERS)
        return;
    if (f->type == T_HEADERS && !end && w->own == C_TO_S) {
        assert_int_equal(fog_session_open(w->s, &st, w->now), 0);
        assert_int_equal(app_add(w, st)->id, f->stream);
        return;
    }
    struct app_stream *a = app_find(w, f->stream);
    if (!a->st)
        return;
    if (f->type == T_HEADERS && end) {
        fog_session_reset(w->s, a->st, w->now);
        a->left = true;
        app_release(w, a);
    } else if (f->type == T_HEADERS) {
        if (!w->refused)
            fog_session_connected(w->s, a->st, w->now);
    } else if (w->refused) {
        fog_session_refuse(w->s, a->st, w->now);
        a->left = true;
        app_release(w, a);
    } else {
        assert_int_equal(a->to_write, 0);
        if (f->plain_len)
            a->to_write = index + 1;
        a->finish |= end;
        app_write(w, a);
    }
}

/* ---------------------------------------------------------------------------------------- world */

/* What is not free below the frames: no fragments, full-size segments at most, payload in PUSH only
 * (and in WINS, where every KCP peer skips it), and the handshake alone in the first segment. */
static void
check_segment(const struct world *w, const struct segment *g)
{
    static const uint8_t handshake[9] = {0, 0, 0, 4};
    assert_int_equal(g->frg, 0);
    assert_in_range(g->wnd, 1, FOG_WND_MAX);
    assert_in_range(g->una, 0, w->other.n_push);
    if (g->cmd == CMD_PUSH)
        assert_in_range(g->len, 1, 1250 - FOG_KCP_HEADER);
    else if (g->cmd != CMD_WINS)
        assert_int_equal(g->len, 0);
    if (g->cmd != CMD_PUSH || g->sn != 0 || strcmp(w->r->name, "goaway") == 0)
        return;
    assert_int_equal(g->len, sizeof handshake);
    assert_memory_equal(g->payload, handshake, sizeof handshake);
}

static bool
session_to_peer(struct world *w)
{
    uint8_t buf[FOG_DATAGRAM_MAX];
    struct segment g[FOG_SEGMENTS_MAX];
    size_t len;
    bool any = false;
    for (;; any = true) {
        assert_int_equal(fog_session_output(w->s, buf, sizeof buf, &len, w->now), 0);
        if (!len)
            return any;
        int n = oracle_segments(buf, len, g, FOG_SEGMENTS_MAX);
        if (n < 1)
            fail_msg("%s: we sent a datagram of %zu bytes that is not whole segments of conv 0 in "
                     "1250 bytes",
                     w->r->name, len);
        for (int i = 0; i < n; i++)
            check_segment(w, &g[i]);
        assert_int_equal(fog_arq_input(w->peer, buf, len, w->now), 0);
    }
}

static bool
peer_to_session(struct world *w)
{
    uint8_t buf[FOG_DATAGRAM_MAX];
    size_t len;
    bool any = false;
    for (;; any = true) {
        assert_int_equal(fog_arq_output(w->peer, buf, sizeof buf, &len, w->now), 0);
        if (!len)
            return any;
        int rc = fog_session_input(w->s, buf, len, w->now);
        if (rc != 0 && !w->closed)
            fail_msg("%s: the session refused a datagram: %s", w->r->name, fog_err_text(rc));
    }
}

static void
peer_listen(struct world *w)
{
    const void *buf;
    size_t len;
    for (;;) {
        fog_arq_peek(w->peer, &buf, &len);
        if (!len)
            return;
        assert_in_range(len, 1, sizeof w->said - w->said_len);
        memcpy(w->said + w->said_len, buf, len);
        w->said_len += len;
        fog_arq_consume(w->peer, len, w->now);
    }
}

/* Lets both sides talk until neither has anything to say at this time. */
static void
settle(struct world *w)
{
    for (unsigned turn = 0; turn < 1000; turn++) {
        bool any = session_to_peer(w);
        peer_listen(w);
        any |= peer_to_session(w);
        app_events(w);
        for (size_t i = 0; i < w->n_app && !w->closed; i++)
            app_write(w, &w->app[i]);
        if (!any)
            return;
    }
    fail_msg("%s: the two sides never fall silent", w->r->name);
}

static void
peer_say(struct world *w, const uint8_t *bytes, size_t len)
{
    void *room;
    size_t cap;
    while (len) {
        assert_int_equal(fog_arq_reserve(w->peer, 1, &room, &cap), 0);
        assert_true(cap > 0);
        if (cap > len)
            cap = len;
        memcpy(room, bytes, cap);
        fog_arq_commit(w->peer, cap, w->now);
        bytes += cap;
        len -= cap;
    }
}

/* The recorded place of a frame: the datagram that ends it. */
static size_t
frame_push(const struct world *w, size_t frame)
{
    size_t i = 0;
    while (w->script.push[i].end < w->frames.frame[frame].end)
        i++;
    return i;
}

/* Takes the next step of the recording, the application's or the other side's; false at its end. */
static fog_time
next_recorded(const struct world *w, bool *own)
{
    size_t push = w->next_frame < w->frames.n ? frame_push(w, w->next_frame) : 0;
    bool have_own = w->next_frame < w->frames.n, have_other = w->next_push < w->other.n_push;
    *own = have_own &&
           (!have_other || w->script.push[push].datagram < w->other.push[w->next_push].datagram);
    if (*own)
        return w->script.push[push].at;
    return have_other ? w->other.push[w->next_push].at : FOG_TIME_NEVER;
}

static void
play_recorded(struct world *w, bool own)
{
    if (own) {
        size_t i = w->next_frame++;
        if (!w->closed)
            app_act(w, &w->frames.frame[i], i);
    } else {
        size_t i = w->next_push++, start = i ? w->other.push[i - 1].end : 0;
        peer_say(w, w->other.bytes + start, w->other.push[i].end - start);
    }
}

static fog_time
earlier(fog_time a, fog_time b)
{
    return a < b ? a : b;
}

static void
run(struct world *w)
{
    fog_time end = w->r->datagrams[w->r->n_datagrams - 1].at + FOG_SEC(3);
    bool own;
    for (unsigned step = 0; w->now < end; step++) {
        assert_in_range(step, 0, STEPS_MAX);
        settle(w);
        fog_time recorded = next_recorded(w, &own);
        if (recorded <= w->now) {
            play_recorded(w, own);
            continue;
        }
        fog_time at = earlier(recorded, fog_arq_deadline(w->peer, NULL));
        at = earlier(earlier(at, fog_session_deadline(w->s, NULL)), end);
        if (at > w->now)
            w->now = at;
        else
            w->now++;
        fog_arq_tick(w->peer, w->now);
        fog_session_tick(w->s, w->now);
    }
    settle(w);
}

static void
world_init(struct world *w, const struct recording *r, enum dir own, bool compress)
{
    static const struct fog_gzip gzip = {.inflate = oracle_inflate, .deflate = oracle_deflate};
    struct fog_session_options o;
    struct fog_kcp_options k;
    memset(w, 0, sizeof *w);
    w->r = r;
    w->own = own;
    w->refused = own == S_TO_C && strcmp(r->name, "target-refused") == 0;
    oracle_stream(&w->script, r, own);
    oracle_stream(&w->other, r, own == C_TO_S ? S_TO_C : C_TO_S);
    oracle_frames(&w->frames, w->script.bytes, w->script.len);
    fog_session_options_init(&o, own == C_TO_S ? FOG_CLIENT : FOG_SERVER);
    o.mux.gzip = &gzip;
    o.mux.compress = compress;
    o.mux.ping_us = FOG_SEC(30); /* of both roles in the vproxy that was recorded */
    o.kcp.ts_base = 0x12345678;
    fog_kcp_options_init(&k);
    assert_int_equal(fog_session_new(&w->s, &o, fog_alloc_libc(), 0), 0);
    assert_int_equal(fog_kcp_new(&w->peer, &k, fog_alloc_libc(), 0), 0);
}

static void
answer(const struct recording *r, enum dir own, bool compress)
{
    struct world *w = &world;
    bool goaway = strcmp(r->name, "goaway") == 0;
    world_init(w, r, own, compress);
    run(w);
    if (w->closed != goaway)
        fail_msg("%s %s: the tunnel %s: %s", r->name, dir_name(own),
                 w->closed ? "closed" : "did not close", w->reason ? w->reason : "-");
    compare_voices(w);
    if (!goaway)
        compare_reads(w);
    for (size_t i = 0; i < w->n_app; i++)
        if (w->app[i].finished && w->app[i].eof)
            app_release(w, &w->app[i]);
    settle(w);
    compare_voices(w); /* letting go of what has ended says nothing more */
    fog_session_free(w->s);
    fog_arq_free(w->peer);
}

static void
test_as_client(void **state)
{
    struct recording r;
    recording_read(&r, *state);
    answer(&r, C_TO_S, false);
    recording_free(&r);
}

static void
test_as_server(void **state)
{
    struct recording r;
    recording_read(&r, *state);
    answer(&r, S_TO_C, false);
    recording_free(&r);
}

/* The same bytes, compressed when asked for, and only then. */
static void
test_compressed(void **state)
{
    struct recording r;
    static struct frames frames;
    recording_read(&r, *state);
    for (enum dir own = C_TO_S; own < DIR_N; own++) {
        for (int compress = 0; compress < 2; compress++) {
            unsigned compressed = 0;
            answer(&r, own, compress);
            oracle_frames(&frames, world.said, world.said_len);
            for (size_t i = 0; i < frames.n; i++)
                compressed += frames.frame[i].type == T_DATA && frames.frame[i].flags & F_GZIP;
            assert_int_equal(compressed, compress);
        }
    }
    recording_free(&r);
}

/* In "goaway" the client is a script that breaks the protocol: only the server can be replaced. */
static void
test_as_client_except_goaway(void **state)
{
    if (strcmp(*state, "goaway") != 0)
        test_as_client(state);
}

int
main(void)
{
#define ANSWER_TESTS(file)                                                                         \
    {.name = "as client " file,                                                                    \
     .test_func = test_as_client_except_goaway,                                                    \
     .initial_state = (void *)(uintptr_t)file},                                                    \
        {.name = "as server " file,                                                                \
         .test_func = test_as_server,                                                              \
         .initial_state = (void *)(uintptr_t)file},
    const struct CMUnitTest tests[] = {
        RECORDINGS(ANSWER_TESTS){.name = "compressed gzip",
                                 .test_func = test_compressed,
                                 .initial_state = (void *)(uintptr_t) "gzip"}};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
