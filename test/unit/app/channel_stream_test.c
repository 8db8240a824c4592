/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/channel_stream.h"
#include "channel_rig.h"

#include <string.h>

/* Two users on channels over the streams of a tunnel that is held together by hand:
 *
 *     left = a.session ~ b.session = right
 */

#define MIB ((size_t)1 << 20)

struct end {
    struct carrier carrier;
    struct fog_session *session;
    struct user user;
};

static struct end a, b;

struct way {
    size_t len;
    uint8_t buf[16384];
};

static struct way ways[2];

static void
touched(struct carrier *c)
{
    (void)c;
}

static void
carry(struct way *w, struct fog_session *from, struct fog_session *to, bool *any)
{
    size_t room = fog_session_input_room(to);
    if (!w->len && room)
        assert_int_equal(fog_session_output(from, w->buf,
                                            room < sizeof w->buf ? room : sizeof w->buf, &w->len,
                                            process_now(&p)),
                         0);
    if (!w->len)
        return;
    int rc = fog_session_input(to, w->buf, w->len, process_now(&p));
    if (rc == FOG_E_NOMEM)
        return;
    assert_int_equal(rc, 0);
    w->len = 0;
    *any = true;
}

static void
take_events(struct end *e)
{
    struct fog_event ev;
    while (fog_session_event(e->session, &ev)) {
        if (ev.type == FOG_EV_OPENED) {
            fog_session_connected(e->session, ev.stream, process_now(&p));
            rig_own(&e->user, fogi_channel_stream(&e->carrier, ev.stream));
        } else {
            fogi_carrier_event(&e->carrier, &ev);
        }
    }
}

static void
turn(void)
{
    for (bool any = true; any;) {
        any = false;
        carry(&ways[0], a.session, b.session, &any);
        carry(&ways[1], b.session, a.session, &any);
        take_events(&a);
        take_events(&b);
    }
    uv_run(&p.loop.uv, UV_RUN_NOWAIT);
    fogi_loop_refresh(&p.loop);
}

static void
turns(unsigned n)
{
    while (n--)
        turn();
}

static struct fog_session *
new_session(enum fog_role role)
{
    struct fog_session_options o;
    struct fog_session *s;
    assert_int_equal(fogi_process_session_options(&p, role, &o), 0);
    assert_int_equal(fog_session_new(&s, &o, &p.al, process_now(&p)), 0);
    return s;
}

static void
open_stream(void)
{
    struct fog_stream *st;
    assert_int_equal(fog_session_open(a.session, &st, process_now(&p)), 0);
    rig_own(&a.user, fogi_channel_stream(&a.carrier, st));
    turns(3);
    assert_non_null(b.user.c);
}

static int
setup(void **state)
{
    static const struct role no_role = {.name = "test"};
    struct conf conf;
    (void)state;
    fogi_conf_init(&conf, CONF_CLIENT);
    conf.via = FOG_VIA_PIPE;
    if (fogi_process_init(&p, &conf, NULL, NULL))
        return -1;
    p.role = &no_role;
    ways[0].len = ways[1].len = 0;
    memset(&a, 0, sizeof a);
    memset(&b, 0, sizeof b);
    a.session = new_session(FOG_CLIENT);
    b.session = new_session(FOG_SERVER);
    fogi_carrier_init(&a.carrier, &p, a.session, touched);
    fogi_carrier_init(&b.carrier, &p, b.session, touched);
    turns(3);
    open_stream();
    return 0;
}

static void
drop(struct end *e)
{
    if (e->user.c)
        fogi_channel_reset(e->user.c);
    e->user.c = NULL;
    fogi_carrier_end(&e->carrier);
}

static int
teardown(void **state)
{
    (void)state;
    drop(&a);
    drop(&b);
    turns(2);
    fog_session_free(a.session);
    fog_session_free(b.session);
    return rig_teardown(state);
}

static unsigned
streams(const struct end *e)
{
    struct fog_session_status st;
    fog_session_status(e->session, &st);
    return st.mux.streams;
}

/** Turns until the user has so much, or 10 s are over. */
static void
await(const struct user *u, size_t len)
{
    fog_time limit = fogi_loop_refresh(&p.loop) + FOG_SEC(10);
    while (u->read < len && !u->broke && fogi_loop_now(&p.loop) < limit)
        turn();
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
    turns(3);
    assert_true(b.user.eof);
    assert_int_equal(b.user.sum, rig_sum(a.user.to_write));
    assert_false(a.user.eof); /* the other way goes on */
    b.user.to_write = MIB;
    b.user.finish = true;
    channel_notify(b.user.c);
    await(&a.user, MIB);
    turns(3);
    assert_true(a.user.eof);
    assert_int_equal(a.user.sum, rig_sum(MIB));
    assert_false(a.user.broke || b.user.broke);
    fogi_channel_close(a.user.c);
    fogi_channel_close(b.user.c);
    a.user.c = b.user.c = NULL;
    turns(3);
    assert_int_equal(streams(&a) + streams(&b), 0);
}

static void
one_who_reads_slowly_holds_the_other_back(void **state)
{
    (void)state;
    b.user.deaf = true;
    a.user.to_write = 64 * MIB;
    channel_notify(a.user.c);
    turns(50);
    assert_in_range(a.user.written, 1, 16 * MIB);
    size_t before = a.user.written;
    turns(50);
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
        turns(3);
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
    turns(2);
    fogi_channel_close(a.user.c); /* its end was not told */
    a.user.c = NULL;
    turns(3);
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
    turns(3);
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
    turns(4);
    fogi_carrier_end(&b.carrier);
    b.user.deaf = false;
    b.user.most = 777;
    channel_notify(b.user.c);
    turns(200);
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
    turns(4);
    fogi_carrier_end(&b.carrier);
    turns(2);
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
