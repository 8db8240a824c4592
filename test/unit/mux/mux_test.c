/* SPDX-License-Identifier: MIT
 *
 * Two muxes back to back: the messages in both directions, half-close, held FINs, turns.
 */
#include "unit/mux/rig.h"

#define C (&p.c)
#define S (&p.s)

static const struct fog_mux_options *
extended(enum fog_role role)
{
    static struct fog_mux_options o;
    fog_mux_options_init(&o, role);
    o.extended = true;
    return &o;
}

/* A ready pair with one open stream; both ends are returned. */
static void
pair_open(struct pair *p, bool ext, struct fog_stream **c, struct fog_stream **s)
{
    struct fog_event ev;
    struct fog_mux_options co, so;
    co = *extended(FOG_CLIENT);
    so = *extended(FOG_SERVER);
    co.extended = so.extended = ext;
    pair_init(p, &co, &so, PAIR_PIPE);
    pair_run(p);
    assert_true(side_await(&p->c, FOG_EV_READY, &ev));
    assert_true(side_await(&p->s, FOG_EV_READY, &ev));
    assert_int_equal(fog_mux_open(p->c.m, c, p->now), 0);
    pair_run(p);
    assert_true(side_await(&p->s, FOG_EV_OPENED, &ev));
    *s = ev.stream;
    fog_mux_connected(p->s.m, *s);
    assert_true(side_await(&p->c, FOG_EV_ESTABLISHED, &ev));
    assert_ptr_equal(ev.stream, *c);
}

static void
echo_and_half_close(void **state)
{
    struct pair p;
    struct fog_stream *c, *s;
    struct fog_event ev;
    uint8_t buf[16];
    bool eof;
    (void)state;
    pair_open(&p, true, &c, &s);
    assert_string_equal(fog_stream_state_name(c), "established");
    assert_int_equal(side_write(C, c, "question", 8, p.now), 8);
    assert_int_equal(fog_mux_finish(p.c.m, c, p.now), 0);
    assert_string_equal(fog_stream_state_name(c), "fin_sent");
    pair_run(&p);
    assert_true(side_await(S, FOG_EV_READABLE, &ev));
    assert_int_equal(side_read(S, s, buf, sizeof buf, &eof, p.now), 8);
    assert_memory_equal(buf, "question", 8);
    assert_true(eof);
    assert_string_equal(fog_stream_state_name(s), "fin_recv");
    assert_int_equal(side_write(S, s, "answer", 6, p.now), 6);
    assert_int_equal(fog_mux_finish(p.s.m, s, p.now), 0);
    pair_run(&p);
    assert_int_equal(side_read(C, c, buf, sizeof buf, &eof, p.now), 6);
    assert_memory_equal(buf, "answer", 6);
    assert_true(eof);
    assert_string_equal(fog_stream_state_name(c), "dead");
    fog_mux_release(p.c.m, c, p.now);
    fog_mux_release(p.s.m, s, p.now);
    pair_run(&p);
    assert_int_equal(rig_status(p.c.m).streams, 0);
    assert_int_equal(rig_status(p.s.m).streams, 0);
    assert_int_equal(rig_status(p.c.m).n.resets_in + rig_status(p.s.m).n.resets_in, 0);
    pair_free(&p);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(echo_and_half_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
