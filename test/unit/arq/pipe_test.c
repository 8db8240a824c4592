/* SPDX-License-Identifier: MIT */
#include "pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

/* The data test of pair_test, over a carrier that keeps every byte. */
static void
test_data(void **state)
{
    (void)state;
    static const struct {
        size_t window, write_max;
        uint64_t bytes;
    } rows[] = {
        {4096, 0, 100000},
        {4096, 7, 20000},
        {65536, 5000, 1000000},
        {16 << 20, 0, 5000000},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        static struct pair p;
        pair_init_pipe(&p, i + 1, rows[i].window);
        p.to_write[0] = p.to_write[1] = rows[i].bytes;
        p.write_max = rows[i].write_max;
        assert_true(pair_status(&p, 0).validated);
        assert_true(pair_run(&p, p.now + FOG_SEC(100)));
        for (int j = 0; j < 2; j++) {
            struct fog_arq_status st = pair_status(&p, j);
            assert_int_equal(st.committed, rows[i].bytes);
            assert_int_equal(st.acked, rows[i].bytes);
            assert_int_equal(st.n.bytes_in, rows[i].bytes);
            assert_int_equal(st.n.bytes_out, rows[i].bytes);
            assert_int_equal(st.queued, 0);
            assert_true(st.held <= 1280); /* idle it holds itself */
            assert_true(fog_arq_deadline(p.end[j], NULL) == FOG_TIME_NEVER);
        }
        pair_free(&p);
    }
}

static void
test_back_pressure(void **state)
{
    (void)state;
    struct ledger l;
    struct fog_arq *a;
    static uint8_t data[40000];
    void *to;
    const void *from;
    size_t cap, len;
    ledger_init(&l);
    assert_int_equal(fog_pipe_new(&a, 4095, &l.al, 0), FOG_E_USAGE);
    assert_int_equal(fog_pipe_new(&a, (16 << 20) + 1, &l.al, 0), FOG_E_USAGE);
    assert_int_equal(fog_pipe_new(&a, 4096, &l.al, 0), FOG_OK);

    assert_int_equal(fog_arq_writable(a), 4096);
    assert_int_equal(fog_arq_reserve(a, 4096, &to, &cap), FOG_OK);
    assert_int_equal(cap, 4096);
    memset(to, 1, cap);
    fog_arq_commit(a, 4000, 5);
    assert_int_equal(fog_arq_writable(a), 96);
    assert_int_equal(fog_arq_reserve(a, 97, &to, &cap), FOG_OK);
    assert_int_equal(cap, 0);
    enum fog_why why;
    assert_true(fog_arq_deadline(a, &why) == 5 && why == FOG_WHY_OUTPUT);
    assert_int_equal(fog_arq_acked(a), 0);
    assert_int_equal(fog_arq_output(a, data, 1500, &len, 6), FOG_OK);
    assert_int_equal(len, 1500);
    assert_int_equal(fog_arq_acked(a), 1500);
    assert_int_equal(fog_arq_writable(a), 1596);

    assert_int_equal(fog_arq_input_room(a), 4096);
    assert_int_equal(fog_arq_input(a, data, 4097, 7), FOG_E_LIMIT);
    assert_int_equal(fog_arq_input(a, data, 4096, 7), FOG_OK);
    assert_int_equal(fog_arq_input_room(a), 0);
    assert_int_equal(fog_arq_input(a, data, 1, 7), FOG_E_LIMIT);
    fog_arq_peek(a, &from, &len);
    assert_true(len > 0);
    fog_arq_consume(a, 1, 7);
    assert_int_equal(fog_arq_input_room(a), 1);
    fog_arq_free(a);
    assert_int_equal(l.blocks, 0);
}

static void
test_end(void **state)
{
    (void)state;
    struct ledger l;
    struct fog_arq *a;
    struct fog_arq_event ev;
    const void *from;
    size_t len;
    ledger_init(&l);
    assert_int_equal(fog_pipe_new(&a, 4096, &l.al, 0), FOG_OK);
    assert_int_equal(fog_arq_input(a, "abc", 3, 1), FOG_OK);
    assert_false(fog_arq_event(a, &ev));
    assert_int_equal(fog_arq_input(a, NULL, 0, 2), FOG_OK);
    assert_true(fog_arq_event(a, &ev));
    assert_int_equal(ev.type, FOG_ARQ_ENDED);
    assert_int_equal(ev.err, FOG_OK);
    assert_false(fog_arq_event(a, &ev));
    assert_int_equal(fog_arq_input(a, NULL, 0, 3), FOG_E_CLOSED);
    assert_int_equal(fog_arq_input(a, "d", 1, 3), FOG_E_CLOSED);
    assert_int_equal(fog_arq_input_room(a), 0);
    assert_false(fog_arq_event(a, &ev)); /* once */
    fog_arq_peek(a, &from, &len);
    assert_int_equal(len, 3);
    assert_memory_equal(from, "abc", 3);
    fog_arq_free(a);
    assert_int_equal(l.blocks, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_data),
        cmocka_unit_test(test_back_pressure),
        cmocka_unit_test(test_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
