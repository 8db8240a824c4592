/* SPDX-License-Identifier: MIT
 *
 * A conversation of two muxes with the i-th allocation failing, for every i: no crash, no leak, and
 * what does not depend on the missing memory goes on. Then the same with all memory gone from there
 * on, and with too little memory for what waits.
 */
#include "unit/mux/rig.h"

struct scarce {
    size_t calls, fail_at, fail_for; /* calls fail_at .. fail_at + fail_for - 1 fail */
    size_t blocks, bytes, limit;
};

static void *
scarce_alloc(void *ctx, size_t size)
{
    struct scarce *s = ctx;
    size_t call = ++s->calls;
    if (s->fail_at && call >= s->fail_at && call - s->fail_at < s->fail_for)
        return NULL;
    if (s->limit && s->bytes + size > s->limit)
        return NULL;
    s->blocks++;
    s->bytes += size;
    return malloc(size);
}

static void
scarce_free(void *ctx, void *p, size_t size)
{
    struct scarce *s = ctx;
    s->blocks--;
    s->bytes -= size;
    free(p);
}

static int
fake_inflate(void *ctx, const void *in, size_t len, void *out, size_t cap, size_t *out_len)
{
    (void)ctx;
    (void)in;
    *out_len = len * 2 < cap ? len * 2 : cap;
    memset(out, 'z', *out_len);
    return 0;
}

static int
fake_deflate(void *ctx, const void *in, size_t len, void *out, size_t cap, size_t *out_len)
{
    (void)ctx;
    *out_len = len / 2;
    memcpy(out, in, *out_len);
    return *out_len <= cap ? 0 : FOG_E_LIMIT;
}

static const struct fog_gzip fake_gzip = {.inflate = fake_inflate, .deflate = fake_deflate};

/* Writes one frame if the stream still may; what went out. */
static void
try_write(struct side *a, struct fog_stream *st, size_t len, fog_time now)
{
    static const uint8_t data[4000];
    size_t cap = 0, total, head = fog_mux_overhead(a->m);
    if (!st)
        return;
    side_drain(a, now);
    if (fog_mux_turn(a->m, st, side_room(a), &cap, now) || cap < len)
        return;
    uint8_t *frame = a->out.at + a->out.len;
    memcpy(frame + head, data, len);
    if (fog_mux_frame(a->m, st, frame, len, &total, now))
        return;
    a->out.len += total;
    a->handed += total;
}

static void
settle(struct pair *p)
{
    pair_pass(p, FOG_MS(500)); /* beyond the retry of what waits for memory */
}

/* Three streams: one is used in full, one reset, one left open. Returns false when a mux could not
 * be made at all. */
static bool
converse(struct scarce *s)
{
    struct pair p = {.now = FOG_SEC(1)};
    struct fog_mux_options co, so;
    struct fog_stream *c[3] = {0}, *st[3] = {0};
    struct fog_event ev;
    struct fog_alloc al = {scarce_alloc, scarce_free, s};
    size_t opened = 0;
    fog_mux_options_init(&co, FOG_CLIENT);
    fog_mux_options_init(&so, FOG_SERVER);
    co.compress = so.compress = true;
    co.gzip = so.gzip = &fake_gzip;
    p.c.out = (struct pipe){.at = malloc(1 << 16), .cap = 1 << 16};
    p.s.out = (struct pipe){.at = malloc(1 << 16), .cap = 1 << 16};
    bool made =
        fog_mux_new(&p.c.m, &co, &al, p.now) == 0 && fog_mux_new(&p.s.m, &so, &al, p.now) == 0;
    if (made) {
        settle(&p);
        for (int i = 0; i < 3; i++) {
            int rc = fog_mux_open(p.c.m, &c[i], p.now);
            assert_true(rc == 0 || rc == FOG_E_NOMEM);
        }
        settle(&p);
        while (opened < 3 && side_await(&p.s, FOG_EV_OPENED, &ev))
            st[opened++] = ev.stream;
        for (int i = 0; i < 3; i++) {
            try_write(&p.c, c[i], 3000, p.now); /* compressed */
            try_write(&p.s, st[i], 900, p.now);
            settle(&p);
        }
        if (c[0])
            (void)!fog_mux_finish(p.c.m, c[0], p.now);
        if (st[0])
            (void)!fog_mux_finish(p.s.m, st[0], p.now);
        if (c[1])
            fog_mux_reset(p.c.m, c[1], p.now);
        settle(&p);
        for (int i = 0; i < 2; i++) {
            if (c[i])
                fog_mux_release(p.c.m, c[i], p.now);
            if (st[i])
                fog_mux_release(p.s.m, st[i], p.now);
        }
        settle(&p);
        /* The tunnel itself has survived, whatever happened to its streams. */
        assert_false(fog_mux_is_closed(p.c.m));
        assert_false(fog_mux_is_closed(p.s.m));
        fog_mux_shutdown(p.c.m, "bye", p.now);
        settle(&p);
    }
    fog_mux_free(p.c.m);
    fog_mux_free(p.s.m);
    free(p.c.out.at);
    free(p.s.out.at);
    return made;
}

static void
each_allocation(void **state)
{
    struct scarce all = {0};
    (void)state;
    assert_true(converse(&all));
    assert_int_equal(all.blocks, 0);
    assert_true(all.calls > 15);
    for (size_t i = 1; i <= all.calls; i++) {
        struct scarce s = {.fail_at = i, .fail_for = 1};
        assert_int_equal(converse(&s), i > 2); /* the first two are the muxes */
        if (s.blocks || s.bytes)
            fail_msg("allocation %zu of %zu: %zu blocks leak", i, all.calls, s.blocks);
    }
}

static void
all_from_there_on(void **state)
{
    struct scarce all = {0};
    (void)state;
    converse(&all);
    for (size_t i = 1; i <= all.calls; i++) {
        struct scarce s = {.fail_at = i, .fail_for = SIZE_MAX};
        converse(&s);
        assert_int_equal(s.blocks, 0);
    }
}

/* Memory for about 40 KiB of data; one stream hoards: it is that one which is reset. */
static void
the_largest_goes(void **state)
{
    static uint8_t frame[9 + 4096];
    struct scarce s = {.limit = 50000};
    struct rig r;
    struct fog_stream *hoard;
    size_t used;
    (void)state;
    struct fog_alloc al = {scarce_alloc, scarce_free, &s};
    rig_init(&r, FOG_SERVER);
    assert_int_equal(fog_mux_new(&r.m, &r.o, &al, r.now), 0);
    rig_feed(&r, "000000 04 00 00000000 000000 01 00 00000001 000000 01 00 00000003");
    hoard = r.ev[1].stream;
    rig_feed(&r, "000003 00 00 00000003 616263");
    rig_clear(&r);
    frame[1] = 0x10;
    frame[8] = 1;
    for (int i = 0; i < 20 && rig_status(r.m).n.limit_memory_hit == 0; i++)
        assert_int_equal(fog_mux_input(r.m, frame, sizeof frame, &used, r.now), 0);
    rig_collect(&r);
    assert_int_equal(rig_status(r.m).n.limit_memory_hit, 1);
    assert_ptr_equal(r.ev[r.n_ev - 1].stream, hoard);
    assert_int_equal(r.ev[r.n_ev - 1].type, FOG_EV_RESET);
    assert_int_equal(r.ev[r.n_ev - 1].err, FOG_E_LIMIT);
    assert_int_equal(rig_status(r.m).recv_held, 3); /* the other keeps its bytes */
    rig_end(&r);
    assert_int_equal(s.blocks, 0);
}

/* No memory for a new stream, and nothing to take it from: the SYN waits. */
static void
syn_waits(void **state)
{
    struct scarce s = {0};
    struct rig r;
    enum fog_why why;
    size_t used;
    const uint8_t syn[9] = {0, 0, 0, 1, 0, 0, 0, 0, 1};
    (void)state;
    struct fog_alloc al = {scarce_alloc, scarce_free, &s};
    rig_init(&r, FOG_SERVER);
    assert_int_equal(fog_mux_new(&r.m, &r.o, &al, r.now), 0);
    rig_feed(&r, "000000 04 00 00000000");
    rig_clear(&r);
    s.limit = 1;
    assert_int_equal(fog_mux_input(r.m, syn, 9, &used, r.now), FOG_E_NOMEM);
    assert_int_equal(used, 9);
    assert_true(fog_mux_deadline(r.m, &why) == r.now + FOG_MS(100));
    assert_int_equal(why, FOG_WHY_LIMIT);
    r.now += FOG_MS(100);
    fog_mux_tick(r.m, r.now);
    assert_true(fog_mux_deadline(r.m, &why) == r.now + FOG_MS(100));
    assert_int_equal(rig_status(r.m).n.limit_memory_hit, 1);
    s.limit = 0;
    r.now += FOG_MS(100);
    fog_mux_tick(r.m, r.now);
    rig_collect(&r);
    assert_int_equal(r.n_ev, 1);
    assert_int_equal(r.ev[0].type, FOG_EV_OPENED);
    rig_end(&r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_allocation),
        cmocka_unit_test(all_from_there_on),
        cmocka_unit_test(the_largest_goes),
        cmocka_unit_test(syn_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
