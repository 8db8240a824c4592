/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/agent_int.h"
#include "channel_rig.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A group of servers over TCP which are played here by hand: they answer an upgrade, and a question
 * with `rep`, as far as they are told to. */

#define SERVERS 3
#define PEERS 1024
#define UPGRADED                                                                                   \
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"            \
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: socks5\r\n\r\n"

static struct played {
    int listener;
    unsigned accepted, asked;
    bool mute; /* takes connections and answers nothing             */
    bool rude; /* closes instead of answering a question            */
    char rep;
} servers[SERVERS];

static struct peer {
    int fd;
    struct played *by;
    bool upgraded;
} peers[PEERS];

static size_t n_peers;
static struct agent a;
static struct agent_conf conf;
static struct agent_server server_conf[SERVERS];
static struct agent_group group_conf;
static struct group *g;

/* ------------------------------------------------------------------------------------- servers */

static uint16_t
listen_somewhere(struct played *s)
{
    struct sockaddr_in sin = {.sin_family = AF_INET};
    struct sockaddr *sa = (struct sockaddr *)(void *)&sin;
    socklen_t len = sizeof sin;
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    s->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(s->listener, sa, len), 0);
    assert_int_equal(listen(s->listener, 1024), 0);
    assert_int_equal(getsockname(s->listener, sa, &len), 0);
    fcntl(s->listener, F_SETFL, O_NONBLOCK);
    return ntohs(sin.sin_port);
}

static void
close_peer(struct peer *q)
{
    close(q->fd);
    q->fd = -1;
}

static void
play(struct peer *q)
{
    static const char frame[10] = {(char)0x82, 0x7f, 0x7f, -1, -1, -1, -1, -1, -1, -1};
    char buf[1024], answer[22] = {0};
    if (q->fd < 0 || q->by->mute)
        return;
    ssize_t n = recv(q->fd, buf, sizeof buf, MSG_DONTWAIT);
    if (n == 0)
        close_peer(q);
    if (n <= 2) /* a PONG */
        return;
    if (!q->upgraded) {
        q->upgraded = true;
        assert_true(send(q->fd, UPGRADED, strlen(UPGRADED), MSG_NOSIGNAL) > 0);
        return;
    }
    q->by->asked++;
    if (q->by->rude) {
        close_peer(q);
        return;
    }
    memcpy(answer, frame, 10);
    answer[10] = 5;
    answer[12] = 5;
    answer[13] = q->by->rep;
    answer[15] = 1;
    assert_int_equal(send(q->fd, answer, sizeof answer, MSG_NOSIGNAL), sizeof answer);
}

static void
turns(unsigned n)
{
    while (n--) {
        for (size_t i = 0; i < SERVERS; i++) {
            int fd = servers[i].listener < 0 ? -1 : accept(servers[i].listener, NULL, NULL);
            if (fd < 0)
                continue;
            assert_true(n_peers < PEERS);
            servers[i].accepted++;
            peers[n_peers++] = (struct peer){.fd = fd, .by = &servers[i]};
        }
        for (size_t i = 0; i < n_peers; i++)
            play(&peers[i]);
        rig_turns(1);
    }
}

/* -------------------------------------------------------------------------------------- asking */

struct asker {
    struct request rq;
    unsigned done;
    int rep;
};

static void
on_done(void *ctx, struct channel *c, int rep, const char *why)
{
    struct asker *k = ctx;
    k->done++;
    k->rep = rep;
    assert_true(c || why);
    fogi_channel_reset(c);
}

/** Asks and waits for the answer, which is not given before this returns to the loop. */
static int
ask(struct asker *k)
{
    struct dest d = {.kind = DEST_IP4, .ip = {192, 0, 2, 1}, .port = 80};
    memset(k, 0, sizeof *k);
    fogi_group_ask(g, &k->rq, &d, on_done, k);
    assert_int_equal(k->done, 0);
    fog_time limit = fogi_loop_refresh(&p.loop) + FOG_SEC(8);
    while (!k->done && fogi_loop_now(&p.loop) < limit)
        turns(1);
    assert_int_equal(k->done, 1);
    return k->rep;
}

/** The groups of c from now on. */
static void
follow(const struct agent_conf *c)
{
    struct groups_plan *plan;
    assert_int_equal(fogi_groups_plan(&plan, &a, c), 0);
    fogi_groups_follow(plan);
}

static void
begin(size_t n, unsigned pool)
{
    group_conf = (struct agent_group){.name = "G", .servers = server_conf, .n_servers = n};
    conf.pool = pool;
    conf.groups = &group_conf;
    conf.n_groups = 1;
    follow(&conf);
    g = a.groups[0];
    turns(30);
}

static int
setup(void **state)
{
    static char urls[SERVERS][32];
    if (rig_setup(state))
        return -1;
    memset(&a, 0, sizeof a);
    memset(&conf, 0, sizeof conf);
    memset(servers, 0, sizeof servers);
    n_peers = 0;
    conf.auth = (struct auth_login){"alice", "secret"};
    a.p = &p;
    a.conf = &conf;
    mem_init(&a.mem, &p.al);
    fogi_reacher_init(&a.reacher, &p, NULL);
    fogi_groups_init(&a);
    for (size_t i = 0; i < SERVERS; i++) {
        struct agent_server *s = &server_conf[i];
        *s = (struct agent_server){.by_address = true, .weight = 10, .url = urls[i]};
        snprintf(s->at.host, sizeof s->at.host, "127.0.0.1");
        s->at.port = listen_somewhere(&servers[i]);
        snprintf(urls[i], sizeof urls[i], "websocks://server%zu", i);
    }
    return 0;
}

static void
die(struct played *s)
{
    close(s->listener);
    s->listener = -1;
    for (size_t i = 0; i < n_peers; i++)
        if (peers[i].by == s && peers[i].fd >= 0)
            close_peer(&peers[i]);
}

static int
teardown(void **state)
{
    fogi_groups_stop(&a);
    fogi_reacher_deinit(&a.reacher);
    rig_turns(4);
    for (size_t i = 0; i < SERVERS; i++)
        die(&servers[i]);
    return rig_teardown(state);
}

/* --------------------------------------------------------------------------------------- tests */

static void
the_pool_is_filled_and_filled_again(void **state)
{
    (void)state;
    struct asker k;
    begin(1, 10);
    turns(60);
    assert_int_equal(g->n_ready, 10);
    assert_int_equal(ask(&k), SOCKS_OK);
    assert_int_equal(a.n.pooled, 1);
    turns(60);
    assert_int_equal(g->n_ready, 10);
    assert_int_equal(servers[0].accepted, 11);
}

static void
turns_go_by_weight(void **state)
{
    (void)state;
    struct asker k;
    server_conf[0].weight = 30;
    begin(2, 0);
    for (int i = 0; i < 12; i++)
        assert_int_equal(ask(&k), SOCKS_OK);
    assert_int_equal(servers[0].asked, 9);
    assert_int_equal(servers[1].asked, 3);
}

static void
another_server_gets_what_one_failed(void **state)
{
    (void)state;
    struct asker k;
    begin(3, 0);
    die(&servers[0]);
    servers[1].rude = true;
    for (int i = 0; i < 6; i++)
        assert_int_equal(ask(&k), SOCKS_OK);
    assert_int_equal(servers[2].asked, 6);
    assert_true(a.n.retried >= 3);
    assert_int_equal(a.n.failed, 0);
    assert_true(g->fars[0]->down && g->fars[1]->down && !g->fars[2]->down);
}

static void
a_stale_connection_of_the_pool_is_not_held_against_its_server(void **state)
{
    (void)state;
    struct asker k;
    begin(1, 3);
    turns(30);
    assert_int_equal(g->n_ready, 3);
    for (size_t i = 0; i < n_peers; i++)
        shutdown(peers[i].fd, SHUT_RDWR);
    assert_int_equal(ask(&k), SOCKS_OK);
    assert_false(g->fars[0]->down);
}

static void
what_the_far_side_says_is_an_answer(void **state)
{
    (void)state;
    struct asker k;
    begin(2, 0);
    servers[0].rep = servers[1].rep = SOCKS_REFUSED;
    assert_int_equal(ask(&k), SOCKS_REFUSED);
    assert_int_equal(servers[0].asked + servers[1].asked, 1);
    assert_int_equal(a.n.refused, 1);
    assert_int_equal(a.n.retried, 0);
}

static void
nobody_is_told_once_and_later(void **state)
{
    (void)state;
    struct asker k;
    begin(3, 0);
    for (size_t i = 0; i < SERVERS; i++)
        die(&servers[i]);
    assert_int_equal(ask(&k), SOCKS_GENERAL);
    assert_int_equal(a.n.failed, 1);
    assert_int_equal(a.n.lines_failed, 3);
}

static void
a_failure_pauses_the_pool(void **state)
{
    (void)state;
    die(&servers[0]);
    begin(1, 10);
    turns(30);
    assert_true(g->paused);
    assert_in_range(a.n.lines_failed, 1, LINES_MAKING_MAX);
    uint64_t before = a.n.lines_failed;
    turns(30);
    assert_int_equal(a.n.lines_failed, before);
}

static void
a_silent_server_is_left_in_seconds(void **state)
{
    (void)state;
    struct asker k;
    begin(2, 4);
    turns(30);
    servers[0].mute = true;
    for (int i = 0; i < 6; i++)
        assert_int_equal(ask(&k), SOCKS_OK);
    assert_int_equal(servers[1].asked, 6);
    assert_true(g->fars[0]->down && g->fars[0]->mute);
    for (struct list *i = g->ready.next; i != &g->ready; i = i->next)
        assert_ptr_equal(list_entry(i, struct line, link)->far, g->fars[1]);
}

static void
a_forgotten_request_hears_nothing(void **state)
{
    (void)state;
    struct asker k = {.done = 0};
    struct dest d = {.kind = DEST_IP4, .ip = {192, 0, 2, 1}, .port = 80};
    begin(1, 0);
    fogi_group_ask(g, &k.rq, &d, on_done, &k);
    fogi_request_forget(&k.rq);
    fogi_request_forget(&k.rq);
    turns(20);
    assert_int_equal(k.done, 0);
}

/* --------------------------------------------------------------------------------------- bursts */

static struct asker many[LINES_NEW_MAX + REQUESTS_QUEUED_MAX + 1];

static void
ask_many(size_t from, size_t to)
{
    struct dest d = {.kind = DEST_IP4, .ip = {192, 0, 2, 1}, .port = 80};
    for (size_t i = from; i < to; i++) {
        memset(&many[i], 0, sizeof many[i]);
        fogi_group_ask(g, &many[i].rq, &d, on_done, &many[i]);
    }
}

static void
forget_many(size_t n)
{
    for (size_t i = 0; i < n; i++)
        fogi_request_forget(&many[i].rq);
}

static size_t
n_done(size_t n)
{
    size_t done = 0;
    for (size_t i = 0; i < n; i++)
        done += many[i].done;
    return done;
}

static void
at_most_128_lines_are_made_to_a_server_and_the_next_request_waits(void **state)
{
    (void)state;
    servers[0].mute = true;
    begin(1, 0);
    ask_many(0, LINES_NEW_MAX);
    assert_int_equal(g->fars[0]->n_new, LINES_NEW_MAX);
    assert_int_equal(g->n_queued, 0);
    ask_many(LINES_NEW_MAX, LINES_NEW_MAX + 1);
    assert_int_equal(g->fars[0]->n_new, LINES_NEW_MAX);
    assert_int_equal(g->n_queued, 1);
    assert_int_equal(a.n.queued, 1);
    fogi_request_forget(&many[0].rq); /* room */
    turns(1);
    assert_int_equal(g->fars[0]->n_new, LINES_NEW_MAX);
    assert_int_equal(g->n_queued, 0);
    forget_many(LINES_NEW_MAX + 1);
    assert_int_equal(g->fars[0]->n_new, 0);
}

static void
a_burst_is_served_in_its_order(void **state)
{
    (void)state;
    enum { N = 4 * LINES_NEW_MAX };
    begin(1, 10);
    ask_many(0, N);
    unsigned waits = g->n_queued;
    assert_in_range(waits, 1, N - LINES_NEW_MAX);
    for (int i = 0; i < 2000 && n_done(N) < N; i++) {
        turns(1);
        bool one_waits = false;
        for (size_t k = 0; k < N; k++) { /* nobody is overtaken by one that came later */
            assert_true(!one_waits || many[k].rq.queued);
            one_waits = many[k].rq.queued;
        }
        assert_true(g->fars[0]->n_new <= LINES_NEW_MAX);
    }
    assert_int_equal(n_done(N), N);
    for (size_t k = 0; k < N; k++)
        assert_int_equal(many[k].rep, SOCKS_OK);
    assert_int_equal(a.n.queued, waits);
    assert_int_equal(a.n.failed, 0);
}

static void
at_most_4096_requests_wait_for_room(void **state)
{
    (void)state;
    enum { N = LINES_NEW_MAX + REQUESTS_QUEUED_MAX };
    servers[0].mute = true;
    begin(1, 0);
    ask_many(0, N);
    turns(2);
    assert_int_equal(g->n_queued, REQUESTS_QUEUED_MAX);
    assert_int_equal(a.n.limit_queued_hit, 0);
    ask_many(N, N + 1);
    turns(2);
    assert_int_equal(many[N].done, 1);
    assert_int_equal(many[N].rep, SOCKS_GENERAL);
    assert_int_equal(a.n.limit_queued_hit, 1);
    assert_int_equal(n_done(N), 0);
    forget_many(N);
    assert_int_equal(g->n_queued, 0);
}

static void
nobody_waits_for_room_for_ever(void **state)
{
    (void)state;
    enum { N = LINES_NEW_MAX + 2 };
    servers[0].mute = true;
    begin(1, 0);
    ask_many(0, N);
    assert_int_equal(g->n_queued, 2);
    many[N - 2].rq.since -= REQUEST_ROOM; /* so long ago */
    fogi_alarm_set(&g->hold, 0);
    turns(3);
    assert_int_equal(n_done(N), 1);
    assert_int_equal(many[N - 2].rep, SOCKS_GENERAL);
    assert_int_equal(a.n.limit_room_hit, 1);
    assert_int_equal(g->n_queued, 1);
    forget_many(N);
}

static void
a_full_server_is_waited_for_while_the_other_is_down(void **state)
{
    (void)state;
    servers[0].mute = true;
    begin(2, 0);
    fogi_far_is_mute(g->fars[1], "of the test");
    ask_many(0, LINES_NEW_MAX + 1);
    assert_int_equal(g->fars[0]->n_new, LINES_NEW_MAX);
    assert_int_equal(g->fars[1]->n_new, 0);
    assert_int_equal(g->n_queued, 1);
    forget_many(LINES_NEW_MAX + 1);
}

static void
a_pool_that_has_stood_is_filled_as_fast_as_it_is_emptied(void **state)
{
    (void)state;
    begin(1, 10);
    assert_true(g->n_making <= LINES_MAKING_MAX);
    turns(60);
    assert_int_equal(g->n_ready, 10);
    servers[0].mute = true;
    ask_many(0, 10);
    turns(2);
    assert_int_equal(g->n_making, 10);
    forget_many(10);
}

/* ------------------------------------------------------------------------------------- reloads */

/** Another configuration with the servers from `from` on, in one group of that name. */
static const struct agent_conf *
others(const char *name, size_t from, size_t n)
{
    static struct agent_group group;
    static struct agent_conf c;
    group = (struct agent_group){.name = name, .servers = server_conf + from, .n_servers = n};
    c = conf;
    c.groups = &group;
    return &c;
}

static bool
is_of(const struct asker *k, const struct played *s)
{
    return k->rep == SOCKS_OK && k->rq.by->dest.port == server_conf[s - servers].at.port;
}

static void
a_server_that_stays_keeps_its_lines(void **state)
{
    (void)state;
    struct asker k;
    begin(1, 4);
    turns(30);
    const struct far *f = g->fars[0];
    server_conf[0].weight = 77;
    follow(others("G", 0, 2));
    assert_ptr_equal(a.groups[0], g);
    assert_ptr_equal(g->fars[0], f);
    assert_int_equal(f->conf.weight, 77);
    assert_int_equal(g->n_ready, 4);
    assert_int_equal(g->n_fars, 2);
    follow(others("G", 1, 1)); /* in another place, and without the first */
    assert_int_equal(g->n_ready, 0);
    assert_int_equal(ask(&k), SOCKS_OK);
    assert_true(is_of(&k, &servers[1]));
    fogi_request_forget(&k.rq);
}

static void
a_request_goes_on_with_a_server_that_leaves(void **state)
{
    (void)state;
    struct asker next;
    begin(1, 0);
    servers[0].mute = true;
    ask_many(0, 1);
    turns(5);
    follow(others("G", 1, 1));
    assert_int_equal(ask(&next), SOCKS_OK);
    assert_true(is_of(&next, &servers[1]));
    assert_int_equal(many[0].done, 0);
    assert_false(list_is_empty(&g->gone));
    servers[0].mute = false;
    turns(20);
    assert_int_equal(many[0].done, 1);
    assert_true(is_of(&many[0], &servers[0])); /* as long as it is named, it is there */
    assert_false(list_is_empty(&g->gone));
    fogi_request_forget(&many[0].rq);
    fogi_request_forget(&next.rq);
    turns(2);
    assert_true(list_is_empty(&g->gone));
}

static void
a_request_that_had_tried_all_tries_a_server_that_comes(void **state)
{
    (void)state;
    begin(2, 0);
    servers[0].rude = true;
    servers[1].mute = true;
    ask_many(0, 1);
    turns(40); /* the first has failed it, the second does not answer */
    assert_int_equal(many[0].rq.tries, 2);
    follow(others("G", 1, 2)); /* the third in the place of the first */
    assert_int_equal(g->fars[1]->slot, 0);
    die(&servers[1]);
    turns(40);
    assert_int_equal(many[0].done, 1);
    assert_true(is_of(&many[0], &servers[2]));
    fogi_request_forget(&many[0].rq);
}

static void
a_group_that_leaves_answers_what_it_was_asked(void **state)
{
    (void)state;
    struct asker next;
    begin(1, 2);
    servers[0].mute = true;
    ask_many(0, LINES_NEW_MAX + 3); /* some of them wait for room */
    assert_true(g->n_queued > 0);
    follow(others("H", 1, 1));
    assert_false(list_is_empty(&a.leaving));
    struct group *old = g;
    g = a.groups[0];
    assert_ptr_not_equal(old, g);
    assert_int_equal(ask(&next), SOCKS_OK);
    assert_true(is_of(&next, &servers[1]));
    servers[0].mute = false;
    for (int i = 0; i < 500 && n_done(LINES_NEW_MAX + 3) < LINES_NEW_MAX + 3; i++)
        turns(1);
    for (size_t i = 0; i < LINES_NEW_MAX + 3; i++) {
        assert_int_equal(many[i].rep, SOCKS_OK);
        fogi_request_forget(&many[i].rq);
    }
    turns(3);
    assert_true(list_is_empty(&a.leaving));
    fogi_request_forget(&next.rq);
}

static void
a_plan_that_is_forgotten_changes_nothing(void **state)
{
    (void)state;
    struct groups_plan *plan;
    struct asker k;
    begin(2, 3);
    turns(30);
    size_t used = p.budget.used;
    assert_int_equal(fogi_groups_plan(&plan, &a, others("H", 0, 3)), 0);
    fogi_groups_forget(plan);
    assert_int_equal(fogi_groups_plan(&plan, &a, others("G", 1, 2)), 0);
    fogi_groups_forget(plan);
    assert_int_equal(p.budget.used, used);
    assert_int_equal(g->n_ready, 3);
    follow(others("G", 0, 2));
    assert_int_equal(g->n_ready, 3);
    assert_int_equal(ask(&k), SOCKS_OK);
    fogi_request_forget(&k.rq);
}

static void
without_memory_nothing_is_planned(void **state)
{
    (void)state;
    begin(1, 1);
    turns(20);
    size_t used = p.budget.used, max = p.budget.limit;
    unsigned failed = 0;
    struct groups_plan *plan = NULL;
    for (p.budget.limit = used; !plan; p.budget.limit += 1000) {
        failed += fogi_groups_plan(&plan, &a, others("H", 0, 3)) == FOG_E_NOMEM;
        assert_true(plan || p.budget.used == used);
    }
    p.budget.limit = max;
    assert_true(failed > 3);
    fogi_groups_forget(plan);
    assert_int_equal(p.budget.used, used);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_pool_is_filled_and_filled_again),
        TEST(turns_go_by_weight),
        TEST(another_server_gets_what_one_failed),
        TEST(a_stale_connection_of_the_pool_is_not_held_against_its_server),
        TEST(what_the_far_side_says_is_an_answer),
        TEST(nobody_is_told_once_and_later),
        TEST(a_failure_pauses_the_pool),
        TEST(a_silent_server_is_left_in_seconds),
        TEST(a_forgotten_request_hears_nothing),
        TEST(at_most_128_lines_are_made_to_a_server_and_the_next_request_waits),
        TEST(a_burst_is_served_in_its_order),
        TEST(at_most_4096_requests_wait_for_room),
        TEST(nobody_waits_for_room_for_ever),
        TEST(a_full_server_is_waited_for_while_the_other_is_down),
        TEST(a_server_that_stays_keeps_its_lines),
        TEST(a_request_goes_on_with_a_server_that_leaves),
        TEST(a_request_that_had_tried_all_tries_a_server_that_comes),
        TEST(a_group_that_leaves_answers_what_it_was_asked),
        TEST(a_plan_that_is_forgotten_changes_nothing),
        TEST(without_memory_nothing_is_planned),
        TEST(a_pool_that_has_stood_is_filled_as_fast_as_it_is_emptied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
