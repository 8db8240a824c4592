/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/agent_int.h"
#include "channel_rig.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* What no test from outside can wait for: the long times of a local connection. There are no
 * groups here, so everything goes direct. */

static struct agent a;
static struct agent_conf conf;
static struct fog_addr peer;

static int
setup(void **state)
{
    if (rig_setup(state))
        return -1;
    memset(&a, 0, sizeof a);
    memset(&conf, 0, sizeof conf);
    a.p = &p;
    a.conf = &conf;
    list_init(&a.fresh);
    list_init(&a.asking);
    list_init(&a.spliced);
    list_init(&a.pacs);
    mem_init(&a.mem, &p.al);
    fogi_reacher_init(&a.reacher, &p, NULL);
    assert_true(fogi_addr_parse(&peer, "127.0.0.1", 1));
    fogi_fronts_init(&a, (const uint8_t[16]){1});
    return fogi_agent_open(&a); /* no listener is named: the doorway alone */
}

static int
teardown(void **state)
{
    fogi_fronts_end(&a, true);
    fogi_doorway_shut(&a.way);
    fogi_reacher_deinit(&a.reacher);
    rig_turns(4);
    assert_int_equal(a.mem.held, 0);
    return rig_teardown(state);
}

/* --------------------------------------------------------------------------------- both sides */

/** backlog < 0: it answers nobody, because it is full. */
static int
listen_somewhere(uint16_t *port, int backlog, int *filler)
{
    struct sockaddr_in sin = {.sin_family = AF_INET};
    struct sockaddr *sa = (struct sockaddr *)(void *)&sin;
    socklen_t len = sizeof sin;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, sa, len), 0);
    assert_int_equal(listen(fd, backlog < 0 ? 0 : backlog), 0);
    assert_int_equal(getsockname(fd, sa, &len), 0);
    *port = ntohs(sin.sin_port);
    if (backlog < 0) {
        *filler = socket(AF_INET, SOCK_STREAM, 0);
        assert_int_equal(connect(*filler, sa, len), 0);
    }
    return fd;
}

/** A local program's connection; gives its end. */
static int
enter(void)
{
    int fds[2];
    struct channel *c;
    rig_tcp_pair(fds);
    assert_int_equal(fogi_channel_tcp_open(&c, &p, fds[1]), 0);
    fogi_front_take(&a, c, &peer, FRONT_MIXED);
    rig_turns(2);
    return fds[0];
}

static void
say(int fd, const void *text, size_t len)
{
    assert_int_equal(send(fd, text, len, 0), len);
    rig_turns(3);
}

static void
ask_socks(int fd, uint16_t port)
{
    char ask[13] = {5, 1, 0, 5, 1, 0, 1, 127, 0, 0, 1};
    ask[11] = (char)(port >> 8);
    ask[12] = (char)port;
    say(fd, ask, sizeof ask);
}

static bool
is_spliced(void)
{
    return !list_is_empty(&a.spliced);
}

/** How a connection ends that nobody writes to any more: 0, or an errno; buf has what came. */
static int
end_of(int fd, char buf[256])
{
    ssize_t n;
    memset(buf, 0, 256);
    while ((n = recv(fd, buf, 255, MSG_DONTWAIT)) > 0)
        ;
    return n == 0 ? 0 : errno;
}

/** The alarm that is due last. */
static struct alarm *
last_alarm(void)
{
    struct alarm *last = NULL;
    for (struct list *i = p.loop.alarms.next; i != &p.loop.alarms; i = i->next) {
        struct alarm *al = list_entry(i, struct alarm, link);
        if (al->at != FOG_TIME_NEVER && (!last || al->at > last->at))
            last = al;
    }
    assert_non_null(last);
    return last;
}

/** It is `at`, as far as this alarm can tell. */
static void
ring_at(struct alarm *al, fog_time at)
{
    p.loop.now = at;
    p.loop.fresh = true;
    al->ring(al);
    fogi_loop_refresh(&p.loop);
    rig_turns(3);
}

/* -------------------------------------------------------------------------------------- cases */

static void
a_joined_connection_may_be_silent_for_so_long(void **state)
{
    (void)state;
    char buf[256];
    uint16_t port;
    int l = listen_somewhere(&port, 4, NULL), fd = enter();
    ask_socks(fd, port);
    rig_until(is_spliced, "joined");
    int target = accept(l, NULL, NULL);
    fog_time begin = fogi_loop_refresh(&p.loop);
    struct alarm *al = last_alarm();
    assert_in_range(al->at, begin + FRONT_IDLE - FOG_SEC(1), begin + FRONT_IDLE);
    fog_time due = al->at;
    poll(NULL, 0, 20);
    say(target, "x", 1); /* a byte of either side, behind the alarm's back */
    ring_at(al, due);
    assert_int_equal(a.n.limit_idle_hit, 0);
    assert_true(al->at > due);
    assert_int_equal(end_of(fd, buf), EAGAIN);
    ring_at(al, al->at - 1);
    assert_int_equal(a.n.limit_idle_hit, 0);
    ring_at(al, al->at);
    assert_int_equal(a.n.limit_idle_hit, 1);
    assert_false(is_spliced());
    assert_int_equal(end_of(fd, buf), ECONNRESET);
    assert_int_equal(end_of(target, buf), ECONNRESET);
    close(fd);
    close(target);
    close(l);
}

static void
who_asked_hears_that_there_was_no_answer(void **state)
{
    (void)state;
    static const char *const heads[] = {NULL, "CONNECT", "GET"};
    for (size_t i = 0; i < 3; i++) {
        char buf[256], head[200];
        uint16_t port;
        int filler, l = listen_somewhere(&port, -1, &filler), fd = enter();
        if (heads[i])
            snprintf(head, sizeof head,
                     "%s %s127.0.0.1:%u%s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n\r\n", heads[i],
                     i == 2 ? "http://" : "", port, i == 2 ? "/" : "", port);
        if (heads[i])
            say(fd, head, strlen(head));
        else
            ask_socks(fd, port);
        assert_false(list_is_empty(&a.asking));
        fog_time now = fogi_loop_refresh(&p.loop);
        struct alarm *al = last_alarm();
        assert_in_range(al->at, now + FRONT_ASK_TIME - FOG_SEC(1), now + FRONT_ASK_TIME);
        ring_at(al, al->at);
        assert_int_equal(a.n.limit_answer_hit, i + 1);
        assert_int_equal(end_of(fd, buf), 0); /* an end, no reset */
        if (heads[i])
            assert_non_null(strstr(buf, "HTTP/1.1 504 Gateway Timeout\r\n"));
        else
            assert_memory_equal(buf, "\x05\x00\x05\x06\x00\x01", 6); /* TTL expired */
        close(fd);
        close(filler);
        close(l);
        rig_turns(3);
    }
    assert_int_equal(a.n.limit_handshake_hit, 0);
}

/** One wrong login, by SOCKS or HTTP: for how long its answer waits. */
static fog_time
log_in_wrongly(bool http)
{
    static const char socks[] = "\x05\x01\x02\x01\x03joe\x05wrong";
    static const char head[] = "CONNECT 127.0.0.1:1 HTTP/1.1\r\nHost: x\r\n"
                               "Proxy-Authorization: Basic am9lOndyb25n\r\n\r\n";
    char buf[256];
    uint64_t delayed = a.n.delayed;
    int fd = enter();
    fog_time wait = 0, now = fogi_loop_refresh(&p.loop);
    say(fd, http ? head : socks, http ? sizeof head - 1 : sizeof socks - 1);
    if (a.n.delayed > delayed) {
        struct alarm *al = last_alarm();
        wait = al->at - now;
        assert_int_equal(end_of(fd, buf), EAGAIN);
        assert_int_equal(buf[0], 0);
        assert_int_equal(a.n_fresh, 1); /* it stands in the door */
        ring_at(al, al->at);
    }
    assert_int_equal(end_of(fd, buf), 0);
    if (http)
        assert_non_null(strstr(buf, "HTTP/1.1 407 "));
    else
        assert_memory_equal(buf, "\x05\x02\x01\x01", 4);
    close(fd);
    rig_turns(3);
    return wait;
}

static void
wrong_logins_wait_longer_and_longer(void **state)
{
    (void)state;
    struct auth_login joe = {"joe", "sesame"};
    conf.users = &joe;
    conf.n_users = 1;
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(log_in_wrongly(i % 2), 0);
    assert_in_range(log_in_wrongly(false), FOG_SEC(2), FOG_SEC(4)); /* and what we took */
    assert_in_range(log_in_wrongly(true), FOG_SEC(4), FOG_SEC(6));
    assert_in_range(log_in_wrongly(false), FOG_SEC(4), FOG_SEC(6));
    assert_int_equal(a.n.bad_logins, 6);
    assert_int_equal(a.n.delayed, 3);
    static const char none[] = "GET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n",
                      right[] = "\x05\x01\x02\x01\x03joe\x06sesame";
    int fd = enter(); /* who has not tried is asked at once, and a right one is not held up */
    char buf[256];
    say(fd, none, sizeof none - 1);
    assert_int_equal(end_of(fd, buf), 0);
    assert_non_null(strstr(buf, "HTTP/1.1 407 "));
    assert_non_null(strstr(buf, "Proxy-Authenticate: Basic realm="));
    close(fd);
    fd = enter();
    say(fd, right, sizeof right - 1);
    assert_int_equal(end_of(fd, buf), EAGAIN);
    assert_memory_equal(buf, "\x05\x02\x01\x00", 4);
    assert_int_equal(a.n.delayed, 3);
    close(fd);
}

static void
nearly_without_memory_nobody_is_taken(void **state)
{
    (void)state;
    char buf[256];
    const size_t mib = (size_t)1 << 20, others = p.budget.limit / 8 * 7 - mib;
    p.budget.used += others;
    int fd = enter();
    assert_int_equal(p.n.limit_tight_hit, 0);
    assert_int_equal(end_of(fd, buf), EAGAIN);
    p.budget.used += mib;
    int next = enter();
    assert_int_equal(p.n.limit_tight_hit, 1);
    assert_int_equal(end_of(next, buf), ECONNRESET);
    p.budget.used -= others + mib;
    close(fd);
    close(next);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_joined_connection_may_be_silent_for_so_long),
        TEST(who_asked_hears_that_there_was_no_answer),
        TEST(wrong_logins_wait_longer_and_longer),
        TEST(nearly_without_memory_nobody_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
