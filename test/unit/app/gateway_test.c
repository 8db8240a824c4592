/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "channel_rig.h"

#include "app/gateway_int.h"

#include <errno.h>
#include <netinet/in.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* What no test from outside can wait for or count: long times and the door of tunnels. */

#define MIB ((size_t)1 << 20)

static struct gateway *g;
static struct fog_addr peer;

static int
setup(void **state)
{
    if (rig_setup(state))
        return -1;
    g = calloc(1, sizeof *g);
    g->p = &p;
    g->live.webroot = -1;
    g->live.conf = calloc(1, sizeof *g->live.conf);
    g->live.conf->listen.port = 443;
    g->live.users = calloc(1, sizeof *g->live.users);
    fogi_auth_init(&g->live.auth, g->live.users, 1);
    assert_int_equal(fogi_auth_add(&g->live.auth, "alice", "pasSw0rD"), 0);
    list_init(&g->fresh);
    list_init(&g->greeted);
    list_init(&g->settled);
    mem_init(&g->mem, &p.al);
    fogi_reacher_init(&g->reacher, &p, NULL);
    fogi_gateway_doors_init(g);
    assert_true(fogi_addr_parse(&peer, "192.0.2.1", 1));
    return 0;
}

static int
teardown(void **state)
{
    struct list *lists[] = {&g->fresh, &g->greeted, &g->settled};
    for (size_t i = 0; i < 3; i++)
        while (!list_is_empty(lists[i]))
            fogi_session_kill(list_entry(lists[i]->next, struct session, link));
    fogi_doorway_shut(&g->way);
    rig_turns(4);
    assert_int_equal(g->mem.held, 0);
    int rc = rig_teardown(state);
    free(g->live.users);
    free(g->live.conf);
    free(g);
    return rc;
}

/** A session; gives the other end of its connection. */
static int
enter(bool kcp)
{
    int fds[2];
    struct channel *c;
    rig_tcp_pair(fds);
    setsockopt(fds[0], IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    assert_int_equal(fogi_channel_tcp_open(&c, &p, fds[1]), 0);
    fogi_gateway_take(g, c, &peer, kcp);
    rig_turns(2);
    return fds[0];
}

static struct session *
last_of(struct list *l)
{
    return list_is_empty(l) ? NULL : list_entry(l->prev, struct session, link);
}

static void
say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), 0), strlen(text));
    rig_turns(3);
}

static int
enter_pool(struct session **s)
{
    char head[1024], value[AUTH_VALUE_MAX + 1];
    int fd = enter(false);
    fogi_auth_value("alice", "pasSw0rD", fogi_unix_ms(), value);
    snprintf(head, sizeof head,
             "GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nHost: null\r\n"
             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
             "Sec-WebSocket-Protocol: socks5\r\nAuthorization: %s\r\n\r\n",
             value);
    say(fd, head);
    *s = last_of(&g->settled);
    assert_non_null(*s);
    assert_int_equal((*s)->ws.state, WS_S_FRAME);
    return fd;
}

/** Connects to `port` of this machine as a vproxy agent does, and says nothing more. */
static int
enter_asked(struct session **s, uint16_t port)
{
    char ask[] = "\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff" /* frame   */
                 "\x05\x01\x00"                             /* methods */
                 "\x05\x01\x00\x01\x7f\x00\x00\x01";        /* request */
    int fd = enter_pool(s);
    assert_int_equal(send(fd, ask, sizeof ask - 1, 0), sizeof ask - 1);
    ask[0] = (char)(port >> 8);
    ask[1] = (char)port;
    assert_int_equal(send(fd, ask, 2, 0), 2);
    for (int i = 0; i < 100 && !(*s)->far; i++)
        rig_turns(1);
    assert_int_equal((*s)->phase, SESSION_REACH);
    assert_non_null((*s)->far);
    return fd;
}

static int
listen_somewhere(uint16_t *port)
{
    struct sockaddr_in sin = {.sin_family = AF_INET};
    struct sockaddr *sa = (struct sockaddr *)(void *)&sin;
    socklen_t len = sizeof sin;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, sa, len), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, sa, &len), 0);
    *port = ntohs(sin.sin_port);
    return fd;
}

/** How a connection ends that nobody writes to any more: 0, or an errno. */
static int
end_of(int fd)
{
    char buf[256];
    ssize_t n;
    while ((n = recv(fd, buf, sizeof buf, MSG_DONTWAIT)) > 0)
        ;
    return n == 0 ? 0 : errno;
}

/** The session's time is over, as if so much had passed since the last byte. */
static void
age(struct session *s, fog_time by)
{
    s->since -= by;
    s->moved -= by;
    s->splice.moved -= by;
    s->born -= by;
    s->alarm.ring(&s->alarm);
    rig_turns(3);
}

/* The allocation that fails, by how many come before it. */
static struct fog_alloc real;
static int allocs, failing;

static void *
fail_once(void *ctx, size_t size)
{
    return allocs++ == failing ? NULL : real.alloc(ctx, size);
}

static void
a_visitor_ends_where_there_is_no_memory_for_his_answer(void **state)
{
    (void)state;
    real = p.al;
    for (failing = allocs = 0; failing <= allocs; failing++) {
        int fd = enter(false);
        allocs = 0;
        p.al.alloc = fail_once;
        say(fd, "GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n");
        p.al.alloc = real.alloc;
        close(fd);
        rig_turns(4);
        assert_int_equal(g->n_fresh, 0);
    }
    assert_true(failing > 2); /* what he says, his answer, and once nothing fails */
}

static void
a_pooled_stream_waits_as_long_as_there_are_pongs(void **state)
{
    (void)state;
    struct session *s;
    int fd = enter_pool(&s);
    for (int i = 0; i < 5; i++) {
        age(s, IDLE_TIME - FOG_SEC(1));
        assert_int_equal(s->phase, SESSION_ENGINE);
        say(fd, "\x8a");
        age(s, IDLE_TIME - FOG_SEC(1));
        send(fd, "\0", 1, 0);
        rig_turns(3);
    }
    assert_int_equal(g->n.limit_idle_hit, 0);
    age(s, IDLE_TIME);
    assert_int_equal(g->n.limit_idle_hit, 1);
    assert_int_equal(s->phase, SESSION_LINGER);
    close(fd);
    rig_turns(3);
    assert_int_equal(g->n_settled, 0);
}

static void
a_joined_stream_may_be_silent_for_so_long(void **state)
{
    (void)state;
    struct session *s;
    uint16_t port;
    int l = listen_somewhere(&port), fd = enter_asked(&s, port), target = accept(l, NULL, NULL);
    say(fd, "hello");
    assert_int_equal(s->phase, SESSION_SPLICED);
    for (int i = 0; i < 3; i++) {
        age(s, IDLE_TIME - FOG_SEC(1));
        assert_int_equal(s->phase, SESSION_SPLICED);
        say(i % 2 ? fd : target, "more"); /* either side's bytes keep it */
    }
    assert_int_equal(g->n.limit_idle_hit, 0);
    assert_int_equal(end_of(fd), EAGAIN);
    age(s, IDLE_TIME);
    assert_int_equal(g->n.limit_idle_hit, 1);
    assert_int_equal(g->n_settled, 0);
    assert_int_equal(end_of(fd), ECONNRESET);
    assert_int_equal(end_of(target), ECONNRESET);
    close(fd);
    close(target);
    close(l);
}

static void
the_first_byte_of_a_vproxy_agent_is_awaited_as_long(void **state)
{
    (void)state;
    struct session *s;
    uint16_t port;
    int l = listen_somewhere(&port), fd = enter_asked(&s, port);
    assert_in_range(s->alarm.at - fogi_loop_now(&p.loop), IDLE_TIME - FOG_SEC(1), IDLE_TIME);
    age(s, IDLE_TIME);
    assert_int_equal(g->n.limit_idle_hit, 1);
    assert_int_equal(s->phase, SESSION_LINGER);
    assert_int_equal(end_of(fd), 0);
    close(fd);
    rig_turns(3);
    assert_int_equal(g->n_settled, 0);
    close(l);
}

static void
nearly_without_memory_nobody_is_taken(void **state)
{
    (void)state;
    size_t others = p.budget.limit / 8 * 7 - MIB; /* all but the last of what may be in use */
    p.budget.used += others;
    int fd = enter(false);
    assert_int_equal(p.n.limit_tight_hit, 0);
    assert_int_equal(end_of(fd), EAGAIN);
    p.budget.used += MIB;
    int next = enter(false);
    assert_int_equal(p.n.limit_tight_hit, 1);
    assert_int_equal(end_of(next), ECONNRESET);
    assert_int_equal(end_of(fd), EAGAIN);
    p.budget.used -= others + MIB;
    close(fd);
    close(next);
}

static void
once_it_asks_it_has_ten_seconds(void **state)
{
    (void)state;
    struct session *s;
    int fd = enter_pool(&s);
    send(fd, "\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff\x05", 11, 0);
    rig_turns(3);
    assert_int_equal(s->ws.state, WS_S_SOCKS);
    age(s, HANDSHAKE_TIME);
    assert_int_equal(g->n.limit_handshake_hit, 1);
    close(fd);
}

static void
bytes_do_not_stretch_the_handshake(void **state)
{
    (void)state;
    int fd = enter(false);
    struct session *s = last_of(&g->fresh);
    fog_time due = s->alarm.at;
    say(fd, "GET / HT");
    assert_int_equal(s->alarm.at, due);
    age(s, HANDSHAKE_TIME);
    assert_int_equal(g->n.limit_handshake_hit, 1);
    assert_int_equal(s->phase, SESSION_LINGER);
    close(fd);
}

static void
whoever_does_not_stop_after_our_end_is_cut_off(void **state)
{
    (void)state;
    int fd = enter(false);
    struct session *s = last_of(&g->fresh);
    say(fd, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert_int_equal(s->phase, SESSION_LINGER);
    for (int i = 0; i < 3; i++) {
        say(fd, "more");
        s->since -= FOG_SEC(9);
        s->alarm.ring(&s->alarm);
        assert_int_equal(g->n_fresh, 1);
    }
    say(fd, "more");
    s->since -= FOG_SEC(9);
    s->alarm.ring(&s->alarm);
    assert_int_equal(g->n_fresh, 0);
    close(fd);
}

static void
tunnels_may_open_so_many_at_once(void **state)
{
    (void)state;
    static int fds[FRESH_KCP_MAX + 2];
    unsigned n = 0;
    for (; n < FRESH_KCP_MAX; n++)
        fds[n] = enter(true);
    assert_int_equal(g->n_fresh, FRESH_KCP_MAX);
    assert_int_equal(g->n.limit_fresh_hit, 0);
    fds[n++] = enter(true);
    assert_int_equal(g->n_fresh, FRESH_KCP_MAX);
    assert_int_equal(g->n.limit_fresh_hit, 1);
    list_entry(g->fresh.next, struct session, link)->born -= DOOR_GRACE;
    fds[n++] = enter(true); /* the oldest has had its time */
    assert_int_equal(g->n_fresh, FRESH_KCP_MAX);
    assert_int_equal(g->n.limit_fresh_hit, 2);
    while (n--)
        close(fds[n]);
}

/** A full door of four: the two last of them have ended their TLS handshakes. */
static void
fill_door(int fds[4])
{
    g->way.most = 4;
    for (int i = 0; i < 4; i++) {
        fds[i] = enter(false);
        if (i < 2)
            continue;
        struct session *s = last_of(&g->fresh);
        list_unlink(&s->link);
        list_push(&g->greeted, &s->link);
        s->greeted = true;
        g->n_greeted++;
    }
}

static void
a_door_that_stays_full_turns_faster(void **state)
{
    (void)state;
    int fds[4];
    fill_door(fds);
    struct session *first = list_entry(g->fresh.next, struct session, link);
    first->born -= DOOR_GRACE_SHORT;
    assert_false(fogi_doorway_make_room(&g->way)); /* a burst: the oldest has all its time */
    g->way.crowded -= DOOR_GRACE;
    assert_false(fogi_doorway_make_room(&g->way));
    g->way.crowded--;
    assert_true(fogi_doorway_make_room(&g->way));
    assert_int_equal(g->n_fresh, 3);
    fds[0] = enter(false);
    list_entry(g->fresh.next, struct session, link)->born -= DOOR_GRACE_SHORT;
    g->way.last_crowded = process_now(&p) - DOOR_CALM; /* all had come and gone together */
    assert_true(fogi_doorway_make_room(&g->way));
    g->way.last_crowded -= DOOR_CALM + 1; /* it was empty for longer than that */
    fds[0] = enter(false);
    first = list_entry(g->fresh.next, struct session, link);
    first->born -= DOOR_GRACE_SHORT;
    assert_false(fogi_doorway_make_room(&g->way));
    assert_int_equal(g->n.limit_fresh_hit, 2);
}

static void
who_dawdles_in_tls_is_not_in_the_way_of_who_is_through(void **state)
{
    (void)state;
    int fds[4];
    fill_door(fds);
    g->way.crowded = process_now(&p) - DOOR_GRACE - 1;
    g->way.last_crowded = process_now(&p);
    struct list *lists[] = {&g->fresh, &g->greeted};
    for (int i = 0; i < 2; i++)
        for (struct list *l = lists[i]->next; l != lists[i]; l = l->next)
            list_entry(l, struct session, link)->born -= DOOR_GRACE;
    assert_true(fogi_doorway_make_room(&g->way));
    assert_int_equal(g->n_fresh - g->n_greeted, 1); /* half are greeted: one of the others went */
    g->way.most = 3;
    assert_true(fogi_doorway_make_room(&g->way));
    assert_int_equal(g->n_greeted, 1); /* now they are more */
    assert_int_equal(g->n_fresh, 2);
}

static void
a_large_file_is_sent_in_turns(void **state)
{
    (void)state;
    enum { SIZE = 8 << 20, TURN = 1 << 20 }; /* of three looks 256 KiB each, and a bit */
    static char bytes[SIZE];
    char dir[] = "/tmp/fog-gateway-XXXXXX";
    assert_non_null(mkdtemp(dir));
    g->live.webroot = open(dir, O_RDONLY | O_DIRECTORY);
    int file = openat(g->live.webroot, "large", O_WRONLY | O_CREAT, 0600), there;
    assert_int_equal(ftruncate(file, SIZE), 0);
    close(file);
    int fd = enter(false);
    static const char get[] = "GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    assert_int_equal(send(fd, get, sizeof get - 1, 0), sizeof get - 1);
    size_t got = 0;
    fog_time end = fogi_loop_refresh(&p.loop) + FOG_SEC(10);
    while (got <= SIZE && fogi_loop_now(&p.loop) < end) {
        rig_turns(1);
        assert_int_equal(ioctl(fd, FIONREAD, &there), 0);
        assert_in_range(there, 0, TURN); /* and not all that the socket takes */
        ssize_t n = there ? recv(fd, bytes, sizeof bytes, 0) : 0;
        got += n > 0 ? (size_t)n : 0;
    }
    assert_true(got > SIZE);
    close(fd);
    rig_turns(4);
    unlinkat(g->live.webroot, "large", 0);
    close(g->live.webroot);
    rmdir(dir);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_visitor_ends_where_there_is_no_memory_for_his_answer,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_pooled_stream_waits_as_long_as_there_are_pongs, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_joined_stream_may_be_silent_for_so_long, setup, teardown),
        cmocka_unit_test_setup_teardown(the_first_byte_of_a_vproxy_agent_is_awaited_as_long, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(nearly_without_memory_nobody_is_taken, setup, teardown),
        cmocka_unit_test_setup_teardown(once_it_asks_it_has_ten_seconds, setup, teardown),
        cmocka_unit_test_setup_teardown(bytes_do_not_stretch_the_handshake, setup, teardown),
        cmocka_unit_test_setup_teardown(whoever_does_not_stop_after_our_end_is_cut_off, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_large_file_is_sent_in_turns, setup, teardown),
        cmocka_unit_test_setup_teardown(a_door_that_stays_full_turns_faster, setup, teardown),
        cmocka_unit_test_setup_teardown(who_dawdles_in_tls_is_not_in_the_way_of_who_is_through,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(tunnels_may_open_so_many_at_once, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
