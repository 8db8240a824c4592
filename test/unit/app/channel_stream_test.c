/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/channel_stream.h"
#include "tunnel_rig.h"

#include <string.h>

/* Two users on channels over the streams of a tunnel that is held together by hand:
 *
 *     left = a.tunnel ~ b.tunnel = right
 */

#define MIB ((size_t)1 << 20)

struct end {
    struct tunnel_end tunnel;
    struct user user;
};

static struct end a, b;

static void
opened(struct tunnel_end *t, struct fog_stream *st)
{
    struct end *e = list_entry(t, struct end, tunnel);
    fog_session_connected(t->session, st, process_now(&p));
    rig_own(&e->user, fogi_channel_stream(&t->carrier, st));
}

static void
open_stream(void)
{
    struct fog_stream *st;
    assert_int_equal(fog_session_open(a.tunnel.session, &st, process_now(&p)), 0);
    rig_own(&a.user, fogi_channel_stream(&a.tunnel.carrier, st));
    tunnel_rig_turns(3);
    assert_non_null(b.user.c);
}

static int
setup(void **state)
{
    (void)state;
    memset(&a, 0, sizeof a);
    memset(&b, 0, sizeof b);
    if (tunnel_rig_setup(&a.tunnel, &b.tunnel, opened))
        return -1;
    open_stream();
    return 0;
}

static void
drop(struct end *e)
{
    if (e->user.c)
        fogi_channel_reset(e->user.c);
    e->user.c = NULL;
}

static int
teardown(void **state)
{
    drop(&a);
    drop(&b);
    return tunnel_rig_teardown(state);
}

static unsigned
streams(const struct end *e)
{
    struct fog_session_status st;
    fog_session_status(e->tunnel.session, &st);
    return st.mux.streams;
}

/** Turns until the user has so much, or 10 s are over. */
static void
await(const struct user *u, size_t len)
{
    fog_time limit = fogi_loop_refresh(&p.loop) + FOG_SEC(10);
    while (u->read < len && !u->broke && fogi_loop_now(&p.loop) < limit)
        tunnel_rig_turn();
    assert_int_equal(u->read, len);
}

static void
bytes_cross_both_ways_and_each_end_is_exact(void **state)
{
    (void)state;
    a.user.to_write = 3 * MIB + 17;
    a.user.finish = true;
    channel_notify(a.user.c);
    await(&b.user, a.user.to_write);
    tunnel_rig_turns(3);
    assert_true(b.user.eof);
    assert_int_equal(b.user.sum, rig_sum(a.user.to_write));
    assert_false(a.user.eof); /* the other way goes on */
    b.user.to_write = MIB;
    b.user.finish = true;
    channel_notify(b.user.c);
    await(&a.user, MIB);
    tunnel_rig_turns(3);
    assert_true(a.user.eof);
    assert_int_equal(a.user.sum, rig_sum(MIB));
    assert_false(a.user.broke || b.user.broke);
    fogi_channel_close(a.user.c);
    fogi_channel_close(b.user.c);
    a.user.c = b.user.c = NULL;
    tunnel_rig_turns(3);
    assert_int_equal(streams(&a) + streams(&b), 0);
}

static void
one_who_reads_slowly_holds_the_other_back(void **state)
{
    (void)state;
    b.user.deaf = true;
    a.user.to_write = 64 * MIB;
    channel_notify(a.user.c);
    tunnel_rig_turns(50);
    assert_in_range(a.user.written, 1, 16 * MIB);
    size_t before = a.user.written;
    tunnel_rig_turns(50);
    assert_int_equal(a.user.written, before);
    a.user.to_write = before + 1000;
    b.user.deaf = false;
    channel_notify(b.user.c);
    await(&b.user, a.user.to_write);
    assert_int_equal(b.user.sum, rig_sum(a.user.to_write));
}

static void
a_reset_is_a_reset(void **state)
{
    (void)state;
    struct end *first[] = {&a, &b};
    for (int i = 0; i < 2; i++) {
        struct end *x = first[i], *y = first[1 - i];
        fogi_channel_reset(x->user.c);
        x->user.c = NULL;
        tunnel_rig_turns(3);
        assert_true(y->user.broke);
        assert_false(y->user.eof);
        assert_string_equal(y->user.c->why, "the stream was reset");
        fogi_channel_reset(y->user.c);
        memset(&a.user, 0, sizeof a.user);
        memset(&b.user, 0, sizeof b.user);
        if (i == 0)
            open_stream();
    }
}

static void
a_close_that_would_lose_something_is_a_reset(void **state)
{
    (void)state;
    a.user.to_write = 1000;
    channel_notify(a.user.c);
    tunnel_rig_turns(2);
    fogi_channel_close(a.user.c); /* its end was not told */
    a.user.c = NULL;
    tunnel_rig_turns(3);
    assert_true(b.user.broke);
    assert_false(b.user.eof);
}

static void
nothing_is_written_behind_an_end(void **state)
{
    (void)state;
    size_t taken;
    assert_int_equal(channel_finish(a.user.c), 0);
    assert_int_equal(channel_finish(a.user.c), 0);
    assert_int_equal(channel_write(a.user.c, "x", 1, &taken), FOG_E_FINISHED);
    assert_int_equal(taken, 0);
    tunnel_rig_turns(3);
    assert_true(b.user.eof);
}

static void
what_has_arrived_whole_outlives_the_tunnel(void **state)
{
    (void)state;
    b.user.deaf = true; /* it has not looked yet when the tunnel ends */
    a.user.to_write = 100000;
    a.user.finish = true;
    assert_int_equal(channel_finish(b.user.c), 0);
    channel_notify(a.user.c);
    tunnel_rig_turns(4);
    fogi_carrier_end(&b.tunnel.carrier);
    b.user.deaf = false;
    b.user.most = 777;
    channel_notify(b.user.c);
    tunnel_rig_turns(200);
    assert_int_equal(b.user.read, 100000);
    assert_int_equal(b.user.sum, rig_sum(100000));
    assert_true(b.user.eof);
    assert_false(b.user.broke);
}

static void
what_has_not_is_no_end(void **state)
{
    (void)state;
    a.user.to_write = 100000;
    channel_notify(a.user.c);
    tunnel_rig_turns(4);
    fogi_carrier_end(&b.tunnel.carrier);
    tunnel_rig_turns(2);
    assert_true(b.user.broke);
    assert_false(b.user.eof);
    assert_string_equal(b.user.c->why, "the tunnel is down");
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(bytes_cross_both_ways_and_each_end_is_exact),
        TEST(one_who_reads_slowly_holds_the_other_back),
        TEST(a_reset_is_a_reset),
        TEST(a_close_that_would_lose_something_is_a_reset),
        TEST(nothing_is_written_behind_an_end),
        TEST(what_has_arrived_whole_outlives_the_tunnel),
        TEST(what_has_not_is_no_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
