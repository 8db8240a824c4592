/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/dial.h"

#include <sys/socket.h>

/* A dialler, a tunnel held together by hand, and targets on loopback. */

static struct process p;
static struct dialler dialler;
static struct fog_session *client, *server;
static struct carrier carrier;
static unsigned resets; /* streams that ended, as the client sees it */

static const struct role no_role = {.name = "test"};

static void
touched(struct carrier *c)
{
    (void)c;
}

static struct fog_session *
new_session(enum fog_role role)
{
    struct fog_session_options o;
    struct fog_session *s;
    assert_int_equal(fogi_process_session_options(&p, role, &o), 0);
    o.mux.limits.opens = (struct fog_rate){1000000, 1000000};
    o.mux.limits.resets = o.mux.limits.opens;
    o.mux.limits.frames = o.mux.limits.opens;
    assert_int_equal(fog_session_new(&s, &o, &p.al, process_now(&p)), 0);
    return s;
}

static void
carry(struct fog_session *from, struct fog_session *to, bool *any)
{
    static uint8_t buf[65536];
    size_t len = 0, room = fog_session_input_room(to);
    fog_time now = process_now(&p);
    if (!room)
        return;
    assert_int_equal(
        fog_session_output(from, buf, room < sizeof buf ? room : sizeof buf, &len, now), 0);
    if (!len)
        return;
    assert_int_equal(fog_session_input(to, buf, len, now), 0);
    *any = true;
}

static void
take_events(void)
{
    struct fog_event ev;
    while (fog_session_event(server, &ev)) {
        if (ev.type == FOG_EV_OPENED) {
            struct relay *r = fogi_relay_new(&p);
            assert_non_null(r);
            fogi_relay_attach(r, &carrier, ev.stream);
            fogi_dial(&dialler, r);
        } else {
            fogi_carrier_event(&carrier, &ev);
        }
    }
    while (fog_session_event(client, &ev))
        if (ev.type == FOG_EV_RESET)
            resets++;
}

static void
settle(void)
{
    bool any = true;
    while (any) {
        any = false;
        carry(client, server, &any);
        carry(server, client, &any);
        take_events();
        uv_run(&p.loop.uv, UV_RUN_NOWAIT);
    }
}

/** Runs until *n is `want`; false after `limit`. */
static bool
wait_for(const uint64_t *n, uint64_t want, fog_time limit)
{
    fog_time end = fogi_loop_refresh(&p.loop) + limit;
    while (*n != want && fogi_loop_refresh(&p.loop) < end) {
        settle();
        uv_sleep(1);
    }
    settle();
    return *n == want;
}

static struct fog_stream *
open_stream(void)
{
    struct fog_stream *st;
    assert_int_equal(fog_session_open(client, &st, process_now(&p)), 0);
    return st;
}

static void
open_streams(unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        open_stream();
        if (i % 256 == 255)
            settle();
    }
    settle();
}

static int
setup(void **state)
{
    (void)state;
    struct conf conf;
    fogi_conf_init(&conf, CONF_SERVER);
    conf.via = FOG_VIA_PIPE;
    conf.max_streams = 16384;
    snprintf(conf.remote.host, sizeof conf.remote.host, "127.0.0.1");
    conf.remote.port = 1;
    if (fogi_process_init(&p, &conf, NULL, NULL))
        return -1;
    p.role = &no_role;
    fogi_dialler_init(&dialler, &p);
    client = new_session(FOG_CLIENT);
    server = new_session(FOG_SERVER);
    fogi_carrier_init(&carrier, &p, server, touched);
    resets = 0;
    settle();
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    uint32_t fds = p.loop.fds;
    fogi_carrier_end(&carrier);
    fogi_dialler_deinit(&dialler);
    bool given_back = p.loop.fds <= fds;
    fog_session_free(client);
    fog_session_free(server);
    fogi_process_free(&p, 0);
    return given_back && !p.relays && !p.budget.used ? 0 : -1;
}

/** A listener on loopback; with backlog < 0 one that answers nobody, because it is full. */
static int
listener(struct fog_addr *at, int backlog, int *filler)
{
    union sockaddr_any sa;
    socklen_t len = sizeof sa.v4;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_true(fogi_addr_parse(at, "127.0.0.1", 0));
    assert_int_equal(bind(fd, &sa.sa, fogi_addr_to_system(at, AF_INET, &sa)), 0);
    assert_int_equal(listen(fd, backlog < 0 ? 0 : backlog), 0);
    assert_int_equal(getsockname(fd, &sa.sa, &len), 0);
    fogi_addr_from_system(at, &sa.sa);
    if (backlog < 0) {
        *filler = socket(AF_INET, SOCK_STREAM, 0);
        assert_int_equal(connect(*filler, &sa.sa, len), 0);
    }
    return fd;
}

static void
so_many_at_once_and_no_longer(void **state)
{
    (void)state;
    int filler, fd = listener(&dialler.target.addrs[0], -1, &filler);
    open_streams(DIALS_MAX);
    assert_int_equal(dialler.n_active, DIALS_MAX);
    assert_int_equal(p.n.limit_dials_hit, 0);
    open_streams(1);
    assert_int_equal(dialler.n_active, DIALS_MAX);
    assert_int_equal(dialler.n_waiting, 1);
    assert_int_equal(p.n.limit_dials_hit, 1);
    /* Nobody answers: all are told after ten seconds, the one that waited too. */
    assert_true(wait_for(&p.n.limit_dial_time_hit, DIALS_MAX + 1, DIAL_TIME + FOG_SEC(5)));
    assert_int_equal(p.n.dials_failed, DIALS_MAX + 1);
    assert_int_equal(dialler.n_active + dialler.n_waiting, 0);
    assert_int_equal(resets, DIALS_MAX + 1);
    close(fd);
    close(filler);
}

static void
so_many_wait(void **state)
{
    (void)state;
    int filler, fd = listener(&dialler.target.addrs[0], -1, &filler);
    open_streams(DIALS_MAX + DIAL_QUEUE_MAX);
    assert_int_equal(dialler.n_waiting, DIAL_QUEUE_MAX);
    assert_int_equal(p.n.limit_dial_queue_hit, 0);
    assert_int_equal(resets, 0);
    open_streams(1);
    assert_int_equal(dialler.n_waiting, DIAL_QUEUE_MAX);
    assert_int_equal(p.n.limit_dial_queue_hit, 1);
    assert_int_equal(resets, 1);
    close(fd);
    close(filler);
}

static void
a_refused_one_is_told(void **state)
{
    (void)state;
    /* Port 1 of setup(): nobody is there. */
    open_streams(20);
    assert_true(wait_for(&p.n.dials_failed, 20, FOG_SEC(5)));
    assert_int_equal(resets, 20);
}

static void
every_address_is_tried(void **state)
{
    (void)state;
    int fd = listener(&dialler.target.addrs[2], 5, NULL);
    dialler.target.addrs[1] = dialler.target.addrs[0]; /* nobody */
    dialler.target.n = 3;
    open_streams(1);
    fog_time end = fogi_loop_refresh(&p.loop) + FOG_SEC(5);
    while (dialler.n_active && fogi_loop_refresh(&p.loop) < end)
        settle();
    assert_int_equal(dialler.n_active, 0);
    assert_int_equal(p.n.dials_failed, 0);
    assert_int_equal(resets, 0);
    int accepted = accept(fd, NULL, NULL);
    assert_true(accepted >= 0);
    close(accepted);
    close(fd);
}

/* Nobody answers at the first addresses: the next one joins in after a quarter second, and wins. */
static void
an_address_that_is_silent_costs_a_moment(void **state)
{
    (void)state;
    for (unsigned silent = 1; silent <= 3; silent++) {
        int filler, none = listener(&dialler.target.addrs[0], -1, &filler);
        int fd = listener(&dialler.target.addrs[silent], 5, NULL);
        uint32_t fds = p.loop.fds;
        for (unsigned i = 1; i < silent; i++)
            dialler.target.addrs[i] = dialler.target.addrs[0];
        dialler.target.n = silent + 1;
        fog_time begin = fogi_loop_refresh(&p.loop);
        struct fog_stream *st = open_stream();
        settle();
        while (dialler.n_active && fogi_loop_refresh(&p.loop) < begin + FOG_SEC(5))
            settle();
        fog_time took = fogi_loop_refresh(&p.loop) - begin;
        if (took < silent * DIAL_NEXT || took > silent * DIAL_NEXT + FOG_SEC(1))
            fail_msg("%u silent: %lld us", silent, (long long)took);
        assert_int_equal(p.n.dials_failed + resets, 0);
        settle();
        assert_int_equal(p.loop.fds, fds + 1); /* the connection's, and no other */
        int accepted = accept(fd, NULL, NULL);
        assert_true(accepted >= 0);
        assert_int_equal(send(accepted, "hello", 5, 0), 5);
        const void *buf = NULL;
        size_t len = 0;
        bool eof;
        while (len < 5 && fogi_loop_refresh(&p.loop) < begin + FOG_SEC(5)) {
            settle();
            assert_int_equal(fog_session_peek(client, st, &buf, &len, &eof), 0);
        }
        assert_int_equal(len, 5);
        close(accepted);
        close(fd);
        close(none);
        close(filler);
        fog_session_reset(client, st, process_now(&p));
        fog_session_release(client, st, process_now(&p));
        settle();
    }
}

/* A silent address, and then one where nobody is: the end comes with the silent one's. */
static void
silent_and_refused(void **state)
{
    (void)state;
    int filler, fd = listener(&dialler.target.addrs[0], -1, &filler);
    dialler.target.addrs[1] = dialler.target.addrs[0];
    dialler.target.addrs[1].port = 1;
    dialler.target.n = 2;
    uint32_t fds = p.loop.fds;
    open_streams(3);
    fog_time end = fogi_loop_refresh(&p.loop) + FOG_SEC(1);
    while (fogi_loop_refresh(&p.loop) < end) {
        settle();
        uv_sleep(1);
    }
    assert_int_equal(dialler.n_active, 3);
    assert_int_equal(p.loop.fds, fds + 3); /* the refused ones are closed */
    assert_true(wait_for(&p.n.limit_dial_time_hit, 3, DIAL_TIME + FOG_SEC(5)));
    assert_int_equal(resets, 3);
    close(fd);
    close(filler);
}

/* Its stream ends while an address has joined in: both attempts end. */
static void
rivals_end_with_their_dial(void **state)
{
    (void)state;
    int filler, fd = listener(&dialler.target.addrs[0], -1, &filler);
    dialler.target.addrs[1] = dialler.target.addrs[2] = dialler.target.addrs[0];
    dialler.target.n = 3;
    uint32_t fds = p.loop.fds;
    struct fog_stream *st = open_stream();
    fog_time end = fogi_loop_refresh(&p.loop) + 3 * DIAL_NEXT;
    while (fogi_loop_refresh(&p.loop) < end) {
        settle();
        uv_sleep(1);
    }
    assert_int_equal(p.loop.fds, fds + 3);
    fog_session_reset(client, st, process_now(&p));
    fog_session_release(client, st, process_now(&p));
    settle();
    assert_int_equal(dialler.n_active, 0);
    assert_int_equal(p.loop.fds, fds);
    close(fd);
    close(filler);
}

static void
a_stream_that_ends_meanwhile_takes_its_dial_along(void **state)
{
    (void)state;
    int filler, fd = listener(&dialler.target.addrs[0], -1, &filler);
    uint32_t fds = p.loop.fds;
    struct fog_stream *st = open_stream();
    settle();
    assert_int_equal(dialler.n_active, 1);
    assert_int_equal(p.loop.fds, fds + 1);
    fog_session_reset(client, st, process_now(&p));
    fog_session_release(client, st, process_now(&p));
    settle();
    assert_int_equal(dialler.n_active, 0);
    assert_int_equal(p.loop.fds, fds);
    close(fd);
    close(filler);
}

static void
without_descriptors_it_waits(void **state)
{
    (void)state;
    uint32_t most = p.loop.fds_max;
    int fd = listener(&dialler.target.addrs[0], 5, NULL);
    p.loop.fds_max = p.loop.fds + LOOP_FDS_SPARE + 1;
    open_streams(2); /* one descriptor is left */
    assert_int_equal(dialler.n_waiting, 1);
    assert_int_equal(p.n.dials_failed, 0);
    p.loop.fds_max = most;
    fog_time end = fogi_loop_refresh(&p.loop) + FOG_SEC(5);
    while (dialler.n_waiting + dialler.n_active && fogi_loop_refresh(&p.loop) < end)
        settle();
    assert_int_equal(dialler.n_waiting + dialler.n_active, 0);
    assert_int_equal(resets, 0);
    close(fd);
}

/* 10,000 uploads begun at once stood still for seconds: a peer was slowed down for opening what it
 * may hold open. */
static void
as_many_as_may_be_open_open_at_once(void **state)
{
    (void)state;
    struct fog_session *ends[2];
    struct fog_stream *st;
    struct fog_event ev;
    fog_time now = process_now(&p);
    unsigned opened = 0;
    bool any = true;
    for (int i = 0; i < 2; i++) {
        struct fog_session_options o;
        assert_int_equal(fogi_process_session_options(&p, i ? FOG_SERVER : FOG_CLIENT, &o), 0);
        assert_int_equal(fog_session_new(&ends[i], &o, &p.al, now), 0);
    }
    while (any) {
        any = false;
        while (!fog_session_open(ends[0], &st, now))
            any = true;
        carry(ends[0], ends[1], &any);
        carry(ends[1], ends[0], &any);
        for (int i = 0; i < 2; i++)
            while (fog_session_event(ends[i], &ev))
                opened += ev.type == FOG_EV_OPENED;
    }
    assert_int_equal(opened, p.conf.max_streams);
    fog_session_free(ends[0]);
    fog_session_free(ends[1]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(so_many_at_once_and_no_longer, setup, teardown),
        cmocka_unit_test_setup_teardown(so_many_wait, setup, teardown),
        cmocka_unit_test_setup_teardown(a_refused_one_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(every_address_is_tried, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stream_that_ends_meanwhile_takes_its_dial_along, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(an_address_that_is_silent_costs_a_moment, setup, teardown),
        cmocka_unit_test_setup_teardown(silent_and_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(rivals_end_with_their_dial, setup, teardown),
        cmocka_unit_test_setup_teardown(without_descriptors_it_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(as_many_as_may_be_open_open_at_once, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
