/* SPDX-License-Identifier: MIT
 *
 * The allocator refuses its i-th call, for every i of a short conversation: nothing leaks, a
 * refused datagram changes nothing, and the conversation still ends well, because a peer sends
 * again.
 */
#include "pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void
conversation(struct pair *p, int broken, size_t fail_at, bool lossy)
{
    struct fog_kcp_options o[2];
    for (int i = 0; i < 2; i++) {
        fog_kcp_options_init(&o[i]);
        o[i].hello_len = 4;
        o[i].rcv_wnd = 40;
    }
    o[1].validate = true;
    pair_init(p, 11, &o[0], &o[1]);
    if (lossy)
        p->link[0].loss = p->link[1].loss = 0.2;
    p->to_write[0] = 40000;
    p->to_write[1] = 30000;
    p->write_max = 900;
    p->ledger[broken].fail_at = fail_at ? p->ledger[broken].calls + fail_at : 0;
}

static void
test_every_call(void **state)
{
    (void)state;
    for (int broken = 0; broken < 2; broken++) {
        for (int lossy = 0; lossy < 2; lossy++) {
            static struct pair p;
            conversation(&p, broken, 0, lossy);
            size_t before = p.ledger[broken].calls;
            assert_true(pair_run(&p, p.now + FOG_SEC(60)));
            size_t calls = p.ledger[broken].calls - before;
            pair_free(&p);
            assert_true(calls > 20);
            for (size_t i = 1; i <= calls; i++) {
                conversation(&p, broken, i, lossy);
                if (!pair_run(&p, p.now + FOG_SEC(60)))
                    fail_msg("end %d, call %zu: %llu and %llu bytes", broken, i,
                             (unsigned long long)p.read[0], (unsigned long long)p.read[1]);
                assert_true(p.fed == FOG_OK || p.fed == FOG_E_NOMEM);
                assert_int_equal(pair_status(&p, broken).n.limit_memory_hit, p.fed != FOG_OK);
                pair_free(&p);
            }
        }
    }
}

/* A datagram that memory refuses leaves no trace, at whichever allocation it fails. */
static void
test_refused_datagram(void **state)
{
    (void)state;
    for (size_t i = 1;; i++) {
        struct ledger l;
        struct fog_kcp_options o;
        struct fog_arq *a;
        struct fog_arq_status before, after;
        uint8_t d[3 * (FOG_KCP_HEADER + 8)];
        ledger_init(&l);
        fog_kcp_options_init(&o);
        assert_int_equal(fog_kcp_new(&a, &o, &l.al, 5), FOG_OK);
        memset(d, 0, sizeof d);
        for (unsigned j = 0; j < 3; j++) { /* sn 2, 1 and 0 */
            uint8_t *s = d + (size_t)j * (FOG_KCP_HEADER + 8);
            s[4] = 81;
            s[6] = 77;
            s[12] = (uint8_t)(2 - j);
            s[20] = 8;
        }
        fog_arq_status(a, &before);
        l.fail_at = l.calls + i;
        int err = fog_arq_input(a, d, sizeof d, 9);
        fog_arq_status(a, &after);
        if (err == FOG_OK) {
            assert_int_equal(i, 6); /* ring, ack list, three payloads */
            assert_int_equal(after.n.segments_in, 3);
            fog_arq_free(a);
            break;
        }
        assert_int_equal(err, FOG_E_NOMEM);
        assert_int_equal(after.n.limit_memory_hit, 1);
        after.n.limit_memory_hit = 0;
        after.held = before.held; /* the ack list may stay until the next output */
        assert_memory_equal(&before, &after, sizeof after);
        assert_true(fog_arq_deadline(a, NULL) == FOG_TIME_NEVER);
        assert_int_equal(fog_arq_input(a, d, sizeof d, 9), FOG_OK); /* the peer sends it again */
        fog_arq_free(a);
        assert_int_equal(l.blocks, 0);
    }
}

static void
test_creation(void **state)
{
    (void)state;
    struct ledger l;
    struct fog_kcp_options o;
    struct fog_arq *a = (struct fog_arq *)(uintptr_t)8;
    ledger_init(&l);
    fog_kcp_options_init(&o);
    l.fail_at = 1;
    assert_int_equal(fog_kcp_new(&a, &o, &l.al, 0), FOG_E_NOMEM);
    assert_null(a);
    l.fail_at = 2;
    assert_int_equal(fog_pipe_new(&a, 4096, &l.al, 0), FOG_E_NOMEM);
    assert_null(a);
    l.fail_at = 4; /* 3 makes the pipe */
    assert_int_equal(fog_pipe_new(&a, 4096, &l.al, 0), FOG_OK);
    assert_int_equal(fog_arq_input(a, "abc", 3, 0), FOG_E_NOMEM);
    assert_int_equal(fog_arq_input_room(a), 4096);
    assert_int_equal(fog_arq_input(a, "abc", 3, 0), FOG_OK);
    l.fail_at = l.calls + 1;
    void *to;
    size_t cap;
    assert_int_equal(fog_arq_reserve(a, 1, &to, &cap), FOG_E_NOMEM);
    fog_arq_free(a);
    assert_int_equal(l.blocks, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_call),
        cmocka_unit_test(test_refused_datagram),
        cmocka_unit_test(test_creation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
