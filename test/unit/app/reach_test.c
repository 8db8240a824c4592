/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "channel_rig.h"

#include "app/reach.h"
#include "io/resolve.h"
#include "io/udp.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct reacher r;
static struct policy policy;

struct answer {
    unsigned n;
    struct channel *c;
    enum socks_rep rep;
    const char *why;
};

static struct answer got;
static int listening = -1;
static uint16_t port;

static void
on_answer(void *ctx, struct channel *c, enum socks_rep rep, const char *why)
{
    struct answer *a = ctx;
    a->n++;
    a->c = c;
    a->rep = rep;
    a->why = why;
}

/** A listener on 127.0.0.1; port is its port. */
static void
listen_here(void)
{
    struct sockaddr_in sin = {.sin_family = AF_INET};
    socklen_t len = sizeof sin;
    struct sockaddr *sa = (struct sockaddr *)(void *)&sin;
    listening = socket(AF_INET, SOCK_STREAM, 0);
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(listening, sa, len), 0);
    assert_int_equal(listen(listening, 16), 0);
    assert_int_equal(getsockname(listening, sa, &len), 0);
    port = ntohs(sin.sin_port);
}

static int
setup(void **state)
{
    if (rig_setup(state))
        return -1;
    listen_here();
    memset(&got, 0, sizeof got);
    fogi_policy_init(&policy);
    fogi_reacher_init(&r, &p, NULL);
    return 0;
}

static int
teardown(void **state)
{
    fogi_reacher_deinit(&r);
    close(listening);
    return rig_teardown(state);
}

static struct dest
dest(const char *host)
{
    struct dest d;
    char text[300];
    memset(&d, 0, sizeof d);
    snprintf(text, sizeof text, "%s:%u", host, port);
    assert_int_equal(fogi_dest_authority(&d, text, strlen(text), 0), 0);
    return d;
}

static bool
answered(void)
{
    return got.n > 0;
}

static void
ask(const char *host)
{
    struct dest d = dest(host);
    struct reach *a;
    memset(&got, 0, sizeof got);
    assert_int_equal(fogi_reach(&a, &r, &d, on_answer, &got), 0);
    assert_int_equal(got.n, 0); /* never from within */
    rig_until(answered, "the answer had come");
    rig_turns(3);
    assert_int_equal(got.n, 1);
    print_message("%s: %d %s\n", host, got.rep, got.why ? got.why : "");
}

static void
what_listens_is_reached(void **state)
{
    (void)state;
    static const char *const hosts[] = {"127.0.0.1", "localhost", "[::ffff:127.0.0.1]"};
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        ask(hosts[i]);
        assert_int_equal(got.rep, SOCKS_OK);
        assert_non_null(got.c);
        fogi_channel_reset(got.c);
    }
}

static void
the_reason_is_the_true_one(void **state)
{
    (void)state;
    close(listening);
    listening = -1;
    ask("127.0.0.1");
    assert_int_equal(got.rep, SOCKS_REFUSED);
    ask("no-such-host.invalid");
    assert_int_equal(got.rep, SOCKS_HOST_UNREACHABLE);
    assert_null(got.c);
}

static void
the_policy_sees_every_address(void **state)
{
    (void)state;
    static const struct {
        const char *host, *allow;
        enum socks_rep rep;
    } rows[] = {
        {"127.0.0.1", NULL, SOCKS_DENIED},          {"localhost", NULL, SOCKS_DENIED},
        {"[::ffff:127.0.0.1]", NULL, SOCKS_DENIED}, {"[::1]", NULL, SOCKS_DENIED},
        {"10.0.0.1", NULL, SOCKS_DENIED},           {"127.0.0.1", "127.0.0.1/32", SOCKS_OK},
        {"localhost", "127.0.0.1/32", SOCKS_OK}, /* whatever else it may mean is left out */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fogi_policy_init(&policy);
        if (rows[i].allow)
            assert_int_equal(fogi_policy_add(&policy, rows[i].allow, strlen(rows[i].allow), true),
                             0);
        fogi_reacher_set(&r, &policy);
        ask(rows[i].host);
        assert_int_equal(got.rep, rows[i].rep);
        fogi_channel_reset(got.c);
    }
    assert_true(p.n.dials_denied >= 5);
}

/* ---------------------------------------------------------------- a name server that is not honest
 */

#define LIES_MAX 4

/** What one look-up after the other gives for "liar.example". */
static struct {
    const char *answers[LIES_MAX][LIES_MAX]; /* addresses */
    unsigned asked;
} liar;

static struct lie {
    struct alarm alarm;
    resolve_fn done;
    void *ctx;
    uint16_t port;
} lie;

int __real_fogi_resolve(struct resolve **out, struct loop *l, const char *host, uint16_t to,
                        resolve_fn done, void *ctx);
int __wrap_fogi_resolve(struct resolve **out, struct loop *l, const char *host, uint16_t to,
                        resolve_fn done, void *ctx);

static void
tell_lie(struct alarm *alarm)
{
    struct fog_addr addrs[LIES_MAX];
    unsigned n = 0;
    const char *const *answer = liar.answers[liar.asked++];
    fogi_alarm_close(alarm, NULL);
    for (; n < LIES_MAX && answer[n]; n++)
        assert_true(fogi_addr_parse(&addrs[n], answer[n], lie.port));
    lie.done(lie.ctx, 0, addrs, n);
}

int
__wrap_fogi_resolve(struct resolve **out, struct loop *l, const char *host, uint16_t to,
                    resolve_fn done, void *ctx)
{
    if (strcmp(host, "liar.example") != 0)
        return __real_fogi_resolve(out, l, host, to, done, ctx);
    lie = (struct lie){.done = done, .ctx = ctx, .port = to};
    fogi_alarm_init(&lie.alarm, l, tell_lie);
    fogi_alarm_set(&lie.alarm, fogi_loop_now(l));
    *out = NULL; /* nobody forgets it in these tests */
    return 0;
}

/** How many have connected to the listener. */
static unsigned
arrived(void)
{
    unsigned n = 0;
    for (int fd; (fd = accept(listening, NULL, NULL)) >= 0; n++)
        close(fd);
    return n;
}

static void
a_name_may_change_its_mind_but_is_asked_once(void **state)
{
    (void)state;
    static const char *const all[][LIES_MAX] = {
        {"127.0.0.1"},                          /* allowed                        */
        {"127.0.0.2"},                          /* the same name a moment later   */
        {"10.0.0.1", "127.0.0.1", "127.0.0.2"}, /* one of several                 */
        {"169.254.169.254", "::1", "fd00::1"},  /* none of several                */
    };
    static const enum socks_rep reps[] = {SOCKS_OK, SOCKS_DENIED, SOCKS_OK, SOCKS_DENIED};
    static const unsigned denied[] = {0, 1, 3, 6}; /* so far */
    fcntl(listening, F_SETFL, O_NONBLOCK);
    memset(&liar, 0, sizeof liar);
    memcpy(liar.answers, all, sizeof all);
    fogi_policy_init(&policy);
    assert_int_equal(fogi_policy_add(&policy, "127.0.0.1", 9, true), 0);
    fogi_reacher_set(&r, &policy);
    for (unsigned i = 0; i < sizeof reps / sizeof *reps; i++) {
        ask("liar.example");
        assert_int_equal(got.rep, reps[i]);
        assert_int_equal(liar.asked, i + 1); /* judged and dialled: the same answer */
        assert_int_equal(p.n.dials_denied, denied[i]);
        assert_int_equal(arrived(), reps[i] == SOCKS_OK);
        fogi_channel_reset(got.c);
    }
}

static void
our_own_port_is_no_way_round(void **state)
{
    (void)state;
    fogi_policy_init(&policy);
    assert_int_equal(fogi_policy_add(&policy, "127.0.0.1/32", 12, true), 0);
    assert_int_equal(fogi_policy_listens(&policy, port), 0);
    fogi_reacher_set(&r, &policy);
    ask("127.0.0.1");
    assert_int_equal(got.rep, SOCKS_DENIED);
}

/** As text; false where this machine has none but loopback's. */
static bool
own_address(char out[64])
{
    uv_interface_address_t *all;
    int n;
    bool found = false;
    if (uv_interface_addresses(&all, &n))
        return false;
    for (int i = 0; i < n && !found; i++)
        found = !all[i].is_internal && all[i].address.address4.sin_family == AF_INET &&
                !uv_ip4_name(&all[i].address.address4, out, 64);
    uv_free_interface_addresses(all, n);
    return found;
}

static void
own_addresses_that_cannot_be_read_are_found_one_by_one(void **state)
{
    (void)state;
    static const char *const allowed[] = {"127.0.0.1", "10.0.0.0/8", "172.16.0.0/12",
                                          "192.168.0.0/16", "192.0.2.0/24"};
    char own[64];
    struct fog_addr a;
    fogi_policy_init(&policy);
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
        assert_int_equal(fogi_policy_add(&policy, allowed[i], strlen(allowed[i]), true), 0);
    fogi_reacher_set(&r, &policy);
    r.blind = true; /* as if they had just been asked for in vain */
    r.own_since = process_now(&p);
    for (int i = 0; i < 2; i++) {
        ask("127.0.0.1");
        assert_int_equal(got.rep, SOCKS_OK);
        fogi_channel_reset(got.c);
        if (!own_address(own))
            continue;
        ask(own);
        assert_int_equal(got.rep, SOCKS_DENIED);
        assert_string_equal(got.why, fogi_policy_text(POLICY_DENIED_OWN));
    }
    assert_int_equal(fogi_policy_listens(&policy, port), 0);
    ask("127.0.0.1");
    assert_int_equal(got.rep, SOCKS_DENIED);
    assert_true(fogi_addr_parse(&a, "198.51.100.1", port)); /* of a book, not of a machine */
    assert_int_equal(fogi_udp_is_own(&a), 0);
    assert_true(fogi_addr_parse(&a, "127.0.0.1", port));
    assert_int_equal(fogi_udp_is_own(&a), 1);
}

static void
one_is_forgotten_at_any_moment(void **state)
{
    (void)state;
    static const char *const hosts[] = {"127.0.0.1", "localhost"};
    for (unsigned n = 0; n < 12; n++) {
        struct dest d = dest(hosts[n % 2]);
        struct reach *a;
        memset(&got, 0, sizeof got);
        assert_int_equal(fogi_reach(&a, &r, &d, on_answer, &got), 0);
        for (unsigned i = 0; i < n && !got.n; i++)
            rig_turns(1);
        if (got.n)
            fogi_channel_reset(got.c);
        else
            fogi_reach_forget(a);
        memset(&got, 0, sizeof got);
        rig_turns(5);
        assert_int_equal(got.n, 0);
    }
}

static void
so_many_at_once_and_so_many_wait(void **state)
{
    (void)state;
    static struct answer all[REACHES_MAX + REACH_QUEUE_MAX + 1];
    static struct reach *asks[REACHES_MAX + REACH_QUEUE_MAX];
    struct dest d = dest("no-such-host.invalid");
    unsigned n = 0;
    struct reach *over;
    memset(all, 0, sizeof all);
    for (; n < REACHES_MAX; n++)
        assert_int_equal(fogi_reach(&asks[n], &r, &d, on_answer, &all[n]), 0);
    r.pump.run(&r.pump); /* the turn's end: these are at work now */
    assert_int_equal(r.n_active, REACHES_MAX);
    assert_int_equal(p.n.limit_dials_hit, 0);
    for (; n < REACHES_MAX + REACH_QUEUE_MAX; n++)
        assert_int_equal(fogi_reach(&asks[n], &r, &d, on_answer, &all[n]), 0);
    assert_int_equal(p.n.limit_dials_hit, REACH_QUEUE_MAX);
    assert_int_equal(p.n.limit_dial_queue_hit, 0);
    assert_int_equal(fogi_reach(&over, &r, &d, on_answer, &all[n]), FOG_E_LIMIT);
    assert_int_equal(p.n.limit_dial_queue_hit, 1);
    while (n--)
        if (!all[n].n)
            fogi_reach_forget(asks[n]);
    while (p.loop.requests)
        rig_turns(1);
}

static void
families_take_turns(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } rows[] = {{"", ""},
                {"4", "4"},
                {"6", "6"},
                {"46", "46"},
                {"664", "646"},
                {"4446", "4644"},
                {"666444", "646464"},
                {"444", "444"},
                {"66644", "64646"},
                {"46664444", "46464644"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fog_addr a[8];
        unsigned n = (unsigned)strlen(rows[i].in), last4 = 0, last6 = 0;
        memset(a, 0, sizeof a);
        for (unsigned j = 0; j < n; j++) {
            a[j].port = (uint16_t)(j + 1);
            if (rows[i].in[j] == '4')
                a[j].ip[10] = a[j].ip[11] = 0xff;
        }
        fogi_reach_order(a, n);
        for (unsigned j = 0; j < n; j++) {
            bool is4 = fogi_addr_is_v4(&a[j]);
            unsigned *last = is4 ? &last4 : &last6;
            assert_int_equal(is4 ? '4' : '6', rows[i].out[j]);
            assert_true(a[j].port > *last); /* each family keeps its order */
            *last = a[j].port;
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_listens_is_reached, setup, teardown),
        cmocka_unit_test_setup_teardown(the_reason_is_the_true_one, setup, teardown),
        cmocka_unit_test_setup_teardown(the_policy_sees_every_address, setup, teardown),
        cmocka_unit_test_setup_teardown(a_name_may_change_its_mind_but_is_asked_once, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(our_own_port_is_no_way_round, setup, teardown),
        cmocka_unit_test_setup_teardown(own_addresses_that_cannot_be_read_are_found_one_by_one,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(one_is_forgotten_at_any_moment, setup, teardown),
        cmocka_unit_test_setup_teardown(so_many_at_once_and_so_many_wait, setup, teardown),
        cmocka_unit_test(families_take_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
