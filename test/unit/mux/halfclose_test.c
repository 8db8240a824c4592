/* SPDX-License-Identifier: MIT
 *
 * Half-close at the level of the mux: two muxes, every way of ending a stream by either side, with
 * a peer of our kind and with one that behaves as vproxy does. And the moments of our FIN.
 */
#include "unit/mux/rig.h"

struct world {
    struct pair p;
    struct side *a, *b; /* a closes first */
    struct fog_stream *as, *bs;
};

static void
world_open(struct world *w, bool server_first, bool extended)
{
    struct fog_mux_options c, s;
    struct fog_event ev;
    struct fog_stream *cs;
    fog_mux_options_init(&c, FOG_CLIENT);
    fog_mux_options_init(&s, FOG_SERVER);
    c.extended = s.extended = extended;
    pair_init(&w->p, &c, &s, PAIR_PIPE);
    pair_run(&w->p);
    assert_int_equal(fog_mux_open(w->p.c.m, &cs, w->p.now), 0);
    pair_run(&w->p);
    assert_true(side_await(&w->p.s, FOG_EV_OPENED, &ev));
    fog_mux_connected(w->p.s.m, ev.stream);
    w->a = server_first ? &w->p.s : &w->p.c;
    w->b = server_first ? &w->p.c : &w->p.s;
    w->as = server_first ? ev.stream : cs;
    w->bs = server_first ? cs : ev.stream;
    while (fog_mux_event(w->a->m, &ev) || fog_mux_event(w->b->m, &ev))
        ;
}

/* Releases both ends; afterwards nothing may be left on either side. */
static void
world_close(struct world *w)
{
    fog_mux_release(w->a->m, w->as, w->p.now);
    fog_mux_release(w->b->m, w->bs, w->p.now);
    pair_pass(&w->p, FOG_SEC(1));
    assert_int_equal(rig_status(w->a->m).streams, 0);
    assert_int_equal(rig_status(w->b->m).streams, 0);
    assert_int_equal(rig_status(w->a->m).recv_held, 0);
    assert_int_equal(rig_status(w->b->m).recv_held, 0);
    assert_int_equal(rig_status(w->a->m).n.glitches + rig_status(w->b->m).n.glitches, 0);
    pair_free(&w->p);
}

static void
write_all(struct world *w, struct side *x, struct fog_stream *st, size_t len)
{
    static const uint8_t data[16384] = {'d'};
    while (len > 0) {
        size_t n = side_write(x, st, data, len < sizeof data ? len : sizeof data, w->p.now);
        if (n == 0)
            pair_run(&w->p);
        len -= n;
    }
}

/* Reads to the end: bytes, and that EOF is there exactly then. */
static size_t
read_all(struct world *w, struct side *x, struct fog_stream *st, bool *eof)
{
    static uint8_t buf[2 << 20];
    return side_read(x, st, buf, sizeof buf, eof, w->p.now);
}

static int
peek_error(struct side *x, struct fog_stream *st)
{
    const void *at;
    size_t len;
    bool eof;
    return fog_mux_peek(x->m, st, &at, &len, &eof);
}

static unsigned
count_events(struct side *x, enum fog_event_type type)
{
    struct fog_event ev;
    unsigned n = 0;
    while (fog_mux_event(x->m, &ev))
        n += ev.type == type;
    return n;
}

/* ------------------------------------------------------------------------------- ways to end it */

static void
empty_fin(struct world *w)
{
    bool eof;
    assert_int_equal(fog_mux_finish(w->a->m, w->as, w->p.now), 0);
    pair_pass(&w->p, FOG_SEC(1));
    assert_int_equal(count_events(w->b, FOG_EV_READABLE), 1);
    assert_int_equal(read_all(w, w->b, w->bs, &eof), 0);
    assert_true(eof);
    assert_int_equal(fog_mux_finish(w->b->m, w->bs, w->p.now), 0);
    pair_pass(&w->p, FOG_SEC(1));
    assert_int_equal(count_events(w->a, FOG_EV_READABLE), 1);
    assert_int_equal(read_all(w, w->a, w->as, &eof), 0);
    assert_true(eof);
}

static void
data_then_fin(struct world *w)
{
    bool eof;
    write_all(w, w->a, w->as, 1000);
    assert_int_equal(fog_mux_finish(w->a->m, w->as, w->p.now), 0);
    assert_int_equal(fog_mux_finish(w->a->m, w->as, w->p.now), 0); /* idempotent */
    pair_pass(&w->p, FOG_SEC(1));
    assert_int_equal(read_all(w, w->b, w->bs, &eof), 1000);
    assert_true(eof);
    assert_int_equal(fog_mux_finish(w->b->m, w->bs, w->p.now), 0);
    pair_pass(&w->p, FOG_SEC(1));
    assert_int_equal(read_all(w, w->a, w->as, &eof), 0);
    assert_true(eof);
}

/* D1 and D2 the other way round: the answer of a mebibyte comes after the question's end. */
static void
fin_then_a_mebibyte(struct world *w)
{
    bool eof;
    assert_int_equal(fog_mux_finish(w->a->m, w->as, w->p.now), 0);
    pair_pass(&w->p, FOG_SEC(1));
    write_all(w, w->b, w->bs, 1 << 20);
    assert_int_equal(fog_mux_finish(w->b->m, w->bs, w->p.now), 0);
    pair_pass(&w->p, FOG_SEC(1));
    assert_string_equal(fog_stream_state_name(w->as), "dead");
    assert_int_equal(read_all(w, w->a, w->as, &eof), 1 << 20);
    assert_true(eof);
    assert_int_equal(count_events(w->a, FOG_EV_RESET), 0);
    read_all(w, w->b, w->bs, &eof);
    assert_true(eof);
}

static void
fin_from_both(struct world *w)
{
    bool eof;
    write_all(w, w->a, w->as, 10);
    write_all(w, w->b, w->bs, 20);
    assert_int_equal(fog_mux_finish(w->a->m, w->as, w->p.now), 0);
    assert_int_equal(fog_mux_finish(w->b->m, w->bs, w->p.now), 0);
    pair_pass(&w->p, FOG_SEC(1));
    assert_int_equal(read_all(w, w->b, w->bs, &eof), 10);
    assert_true(eof);
    assert_int_equal(read_all(w, w->a, w->as, &eof), 20);
    assert_true(eof);
    assert_int_equal(count_events(w->a, FOG_EV_RESET) + count_events(w->b, FOG_EV_RESET), 0);
}

static void
rst(struct world *w)
{
    fog_mux_reset(w->a->m, w->as, w->p.now);
    pair_pass(&w->p, FOG_SEC(1));
    assert_int_equal(count_events(w->b, FOG_EV_RESET), 1);
    assert_int_equal(peek_error(w->b, w->bs), FOG_E_RESET);
    assert_int_equal(count_events(w->a, FOG_EV_RESET), 0); /* our own */
}

/* The bytes before the FIN stay; the RST behind it only ends the other direction. */
static void
rst_after_fin(struct world *w)
{
    bool eof;
    size_t cap;
    write_all(w, w->a, w->as, 100);
    assert_int_equal(fog_mux_finish(w->a->m, w->as, w->p.now), 0);
    pair_pass(&w->p, FOG_SEC(1));
    fog_mux_reset(w->a->m, w->as, w->p.now);
    pair_pass(&w->p, FOG_SEC(1));
    assert_int_equal(fog_mux_turn(w->b->m, w->bs, 1000, &cap, w->p.now), FOG_E_RESET);
    assert_int_equal(read_all(w, w->b, w->bs, &eof), 100);
    assert_true(eof);
    assert_int_equal(count_events(w->b, FOG_EV_RESET), 1);
}

static void
fin_after_rst(struct world *w)
{
    fog_mux_reset(w->a->m, w->as, w->p.now);
    assert_int_equal(fog_mux_finish(w->a->m, w->as, w->p.now), FOG_E_RESET);
    pair_pass(&w->p, FOG_SEC(1));
    assert_int_equal(fog_mux_finish(w->b->m, w->bs, w->p.now), FOG_E_RESET);
    assert_int_equal(peek_error(w->b, w->bs), FOG_E_RESET);
}

static void
release_with_unread_data(struct world *w)
{
    write_all(w, w->b, w->bs, 5000);
    pair_pass(&w->p, FOG_SEC(1));
    fog_mux_reset(w->a->m, w->as, w->p.now);
    assert_int_equal(rig_status(w->a->m).recv_held, 0);
    pair_pass(&w->p, FOG_SEC(1));
    assert_int_equal(peek_error(w->b, w->bs), FOG_E_RESET);
}

/* Released after an end in order, with unread bytes and a FIN that may still be held: no RST. */
static void
release_after_finish(struct world *w)
{
    bool eof;
    uint64_t resets = rig_status(w->a->m).n.resets_out;
    write_all(w, w->b, w->bs, 5000);
    assert_int_equal(fog_mux_finish(w->b->m, w->bs, w->p.now), 0);
    pair_pass(&w->p, FOG_SEC(1));
    write_all(w, w->a, w->as, 10);
    assert_int_equal(fog_mux_finish(w->a->m, w->as, w->p.now), 0);
    fog_mux_release(w->a->m, w->as, w->p.now);
    w->as = NULL;
    pair_pass(&w->p, FOG_SEC(1));
    assert_int_equal(rig_status(w->a->m).n.resets_out, resets);
    assert_int_equal(rig_status(w->a->m).streams, 0);
    assert_int_equal(read_all(w, w->b, w->bs, &eof), 10);
    assert_true(eof);
}

static void
released_at_once(struct world *w)
{
    fog_mux_release(w->a->m, w->as, w->p.now);
    w->as = NULL;
    pair_pass(&w->p, FOG_SEC(1));
    assert_int_equal(count_events(w->b, FOG_EV_RESET), 1);
}

static const struct {
    const char *name;
    void (*end)(struct world *w);
} ways[] = {
    {"empty FIN", empty_fin},
    {"data, then FIN", data_then_fin},
    {"FIN, then the peer sends 1 MiB", fin_then_a_mebibyte},
    {"FIN from both at once", fin_from_both},
    {"RST", rst},
    {"RST after FIN", rst_after_fin},
    {"FIN after RST", fin_after_rst},
    {"reset with unread data", release_with_unread_data},
    {"release after finish", release_after_finish},
    {"release", released_at_once},
};

static void
matrix(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        for (int k = 0; k < 4; k++) {
            struct world w;
            struct fog_event ev;
            world_open(&w, k & 1, k & 2);
            ways[i].end(&w);
            while (fog_mux_event(w.a->m, &ev) || fog_mux_event(w.b->m, &ev))
                ;
            if (!w.as) { /* released already */
                fog_mux_release(w.b->m, w.bs, w.p.now);
                pair_pass(&w.p, FOG_SEC(1));
                assert_int_equal(rig_status(w.a->m).streams, 0);
                assert_int_equal(rig_status(w.b->m).streams, 0);
                pair_free(&w.p);
                continue;
            }
            world_close(&w);
        }
    }
}

/* -------------------------------------------------------------------------------- R6, R7 and R8 */

static bool
fin_waits(struct side *x)
{
    return x->out.len > 0 || fog_mux_output_next(x->m) > 0;
}

/* R6: to a vproxy peer that has finished, the FIN follows the last byte's ack by 50 ms. */
static void
held_until_acked(void **state)
{
    struct world w;
    (void)state;
    world_open(&w, true, false);
    assert_int_equal(fog_mux_finish(w.b->m, w.bs, w.p.now), 0);
    pair_run(&w.p);
    side_write(w.a, w.as, "answer", 6, w.p.now);
    assert_int_equal(fog_mux_finish(w.a->m, w.as, w.p.now), 0);
    assert_int_equal(fog_mux_output_next(w.a->m), 0);
    assert_string_equal(fog_stream_state_name(w.as), "fin_recv");
    w.p.now += FOG_SEC(1); /* not acknowledged: no time is enough */
    fog_mux_tick(w.a->m, w.p.now);
    assert_int_equal(fog_mux_output_next(w.a->m), 0);
    fog_mux_acked(w.a->m, w.a->handed - 1, w.p.now);
    fog_mux_tick(w.a->m, w.p.now + FOG_MS(60));
    assert_int_equal(fog_mux_output_next(w.a->m), 0);
    w.p.now += FOG_MS(100);
    fog_mux_acked(w.a->m, w.a->handed, w.p.now);
    enum fog_why why;
    assert_true(fog_mux_deadline(w.a->m, &why) == w.p.now + FOG_MS(50));
    assert_int_equal(why, FOG_WHY_STREAM);
    w.p.now += FOG_MS(50);
    fog_mux_tick(w.a->m, w.p.now);
    assert_int_equal(fog_mux_output_next(w.a->m), 9);
    assert_int_equal(rig_status(w.a->m).n.fins_held, 1);
    world_close(&w);
}

/* R7: while a vproxy peer sends, our FIN waits for 250 ms of quiet or for its FIN. */
static void
held_until_quiet(void **state)
{
    struct world w;
    (void)state;
    for (int its_fin = 0; its_fin < 2; its_fin++) {
        world_open(&w, false, false);
        write_all(&w, w.b, w.bs, 100);
        pair_run(&w.p);
        assert_int_equal(fog_mux_finish(w.a->m, w.as, w.p.now), 0);
        assert_int_equal(fog_mux_output_next(w.a->m), 0);
        size_t cap;
        assert_int_equal(fog_mux_turn(w.a->m, w.as, 1000, &cap, w.p.now), FOG_E_FINISHED);
        for (int i = 0; i < 4; i++) {
            w.p.now += FOG_MS(200);
            write_all(&w, w.b, w.bs, 100);
            pair_run(&w.p);
            fog_mux_tick(w.a->m, w.p.now);
            assert_false(fin_waits(w.a));
        }
        if (its_fin) {
            assert_int_equal(fog_mux_finish(w.b->m, w.bs, w.p.now), 0);
            w.p.now += FOG_MS(100);
            pair_run(&w.p);
        } else {
            w.p.now += FOG_MS(250);
            fog_mux_tick(w.a->m, w.p.now);
        }
        assert_string_equal(fog_stream_state_name(w.as), its_fin ? "dead" : "fin_sent");
        assert_int_equal(rig_status(w.a->m).n.fins_held, 1);
        world_close(&w);
    }
}

/* R6: the gap grows with what the peer may still have before it, and shrinks with the time it had.
 */
static void
gap_grows(void **state)
{
    (void)state;
    static const struct {
        size_t early, late; /* acknowledged 2 s before the last bytes, and with them */
        int gap_ms;
    } rows[] = {{0, 1000, 50}, {0, 100000, 250}, {0, 900000, 500}, {900000, 1000, 100}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world w;
        enum fog_why why;
        bool eof;
        world_open(&w, true, false);
        assert_int_equal(fog_mux_finish(w.b->m, w.bs, w.p.now), 0);
        pair_run(&w.p);
        write_all(&w, w.a, w.as, rows[i].early);
        pair_run(&w.p);
        fog_mux_acked(w.a->m, w.a->handed, w.p.now);
        w.p.now += FOG_SEC(2);
        write_all(&w, w.a, w.as, rows[i].late);
        pair_run(&w.p);
        assert_int_equal(fog_mux_finish(w.a->m, w.as, w.p.now), 0);
        fog_mux_acked(w.a->m, w.a->handed, w.p.now);
        fog_time at = fog_mux_deadline(w.a->m, &why);
        if (at != w.p.now + FOG_MS(rows[i].gap_ms))
            fail_msg("row %zu: %lld us", i, (long long)(at - w.p.now));
        read_all(&w, w.b, w.bs, &eof);
        pair_pass(&w.p, FOG_SEC(2));
        assert_string_equal(fog_stream_state_name(w.as), "dead");
        world_close(&w);
    }
}

/* R7: a peer that goes on with a little at a time hears the FIN after two seconds, since nothing
 * fills its window; one that sends much hears it when it is quiet. */
static void
few_bytes_hold_no_fin(void **state)
{
    (void)state;
    for (int much = 0; much < 2; much++) {
        struct world w;
        bool eof;
        world_open(&w, false, false);
        write_all(&w, w.b, w.bs, 100);
        pair_run(&w.p);
        assert_int_equal(fog_mux_finish(w.a->m, w.as, w.p.now), 0);
        for (int ms = 200; ms < 8000; ms += 200) {
            w.p.now += FOG_MS(200);
            write_all(&w, w.b, w.bs, much ? 1000 : 100);
            pair_run(&w.p);
            fog_mux_tick(w.a->m, w.p.now);
            bool gone = !strcmp(fog_stream_state_name(w.as), "fin_sent");
            if (gone != (!much && ms >= 2000))
                fail_msg("%d ms: %d", ms, gone);
            pair_run(&w.p);
        }
        pair_pass(&w.p, FOG_SEC(1));
        assert_string_equal(fog_stream_state_name(w.as), "fin_sent");
        read_all(&w, w.a, w.as, &eof);
        world_close(&w);
    }
}

/* A foggara peer needs none of this; held FINs leave when the peer turns out to be one. */
static void
not_held(void **state)
{
    struct world w;
    (void)state;
    world_open(&w, false, true);
    write_all(&w, w.b, w.bs, 100);
    pair_run(&w.p);
    assert_int_equal(fog_mux_finish(w.a->m, w.as, w.p.now), 0);
    assert_int_equal(fog_mux_output_next(w.a->m), 9);
    world_close(&w);
    world_open(&w, false, false);
    write_all(&w, w.b, w.bs, 100);
    pair_run(&w.p);
    assert_int_equal(fog_mux_finish(w.a->m, w.as, w.p.now), 0);
    assert_int_equal(fog_mux_output_next(w.a->m), 0);
    fog_mux_set_extended(w.a->m);
    assert_int_equal(fog_mux_output_next(w.a->m), 9);
    world_close(&w);
}

/* R8: a vproxy client hears SYN-ACK and FIN; what it still sends is for nobody. */
static void
refused(void **state)
{
    struct world w;
    (void)state;
    for (int ext = 0; ext < 2; ext++) {
        world_open(&w, true, ext);
        fog_mux_refuse(w.a->m, w.as, w.p.now);
        assert_string_equal(fog_stream_state_name(w.as), ext ? "dead" : "real_closed");
        pair_run(&w.p);
        assert_int_equal(rig_status(w.b->m).n.resets_in, ext);
        if (!ext) {
            bool eof;
            read_all(&w, w.b, w.bs, &eof);
            assert_true(eof);
            write_all(&w, w.b, w.bs, 3000);
            fog_mux_release(w.a->m, w.as, w.p.now);
            pair_run(&w.p);
            assert_int_equal(rig_status(w.a->m).recv_held, 0);
            assert_int_equal(rig_status(w.a->m).streams, 1); /* until its peer ends it */
            assert_int_equal(fog_mux_finish(w.b->m, w.bs, w.p.now), 0);
            pair_pass(&w.p, FOG_SEC(1));
            assert_int_equal(rig_status(w.a->m).streams, 0);
            assert_int_equal(rig_status(w.a->m).n.resets_out, 0);
            fog_mux_release(w.b->m, w.bs, w.p.now);
            pair_free(&w.p);
        } else {
            world_close(&w);
        }
    }
}

/* A refusal does not wait for the moment of a FIN that was asked for before. */
static void
refused_while_held(void **state)
{
    struct world w;
    bool eof;
    (void)state;
    world_open(&w, true, false);
    write_all(&w, w.b, w.bs, 10);
    pair_run(&w.p);
    assert_int_equal(fog_mux_finish(w.a->m, w.as, w.p.now), 0);
    assert_int_equal(fog_mux_output_next(w.a->m), 0);
    fog_mux_refuse(w.a->m, w.as, w.p.now);
    assert_int_equal(fog_mux_output_next(w.a->m), 9);
    pair_pass(&w.p, FOG_SEC(1));
    read_all(&w, w.b, w.bs, &eof);
    assert_true(eof);
    assert_int_equal(fog_mux_finish(w.b->m, w.bs, w.p.now), 0);
    world_close(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matrix),
        cmocka_unit_test(held_until_acked),
        cmocka_unit_test(held_until_quiet),
        cmocka_unit_test(gap_grows),
        cmocka_unit_test(few_bytes_hold_no_fin),
        cmocka_unit_test(not_held),
        cmocka_unit_test(refused),
        cmocka_unit_test(refused_while_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
