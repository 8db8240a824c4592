/* SPDX-License-Identifier: MIT */
#include "pair.h"

#include "arq/txlog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

struct fixture {
    struct ledger ledger;
    struct mem mem;
    struct txlog log;
};

static void
start(struct fixture *f, uint32_t base, uint32_t wnd)
{
    ledger_init(&f->ledger);
    mem_init(&f->mem, &f->ledger.al);
    fogi_txlog_init(&f->log, base, wnd);
}

static void
end(struct fixture *f)
{
    fogi_txlog_clear(&f->log, &f->mem);
    assert_int_equal(f->ledger.blocks, 0);
    assert_int_equal(f->mem.held, 0);
}

static void
test_find(void **state)
{
    (void)state;
    static const uint32_t bases[] = {0, 12345, 0x7ffffff0, 0xfffffff0};
    for (unsigned b = 0; b < 4; b++) {
        struct fixture f;
        start(&f, bases[b], 1024);
        assert_null(fogi_txlog_find(&f.log, bases[b], 0));
        for (uint32_t i = 0; i < 40; i++) {
            assert_true(fogi_txlog_room(&f.log, &f.mem, 0, -1));
            assert_int_equal(fogi_txlog_add(&f.log, 1000 + i / 2, i, 10 * i), i);
        }
        for (uint32_t i = 0; i < 40; i++) {
            struct tx *t = fogi_txlog_find(&f.log, bases[b] + i, 1000 + i / 2);
            assert_non_null(t);
            assert_int_equal(t->sent_at, 10 * i);
            assert_int_equal(t->una, i);
            assert_null(fogi_txlog_find(&f.log, bases[b] + i, 1000 + i / 2 + 1)); /* other sn */
        }
        assert_null(fogi_txlog_find(&f.log, bases[b] + 40, 1020)); /* not sent yet */
        assert_null(fogi_txlog_find(&f.log, bases[b] - 1, 1000));  /* never sent */
        assert_int_equal(f.log.out, 40);
        end(&f);
        assert_null(fogi_txlog_find(&f.log, bases[b] + 5, 1002)); /* forgotten */
        assert_true(fogi_txlog_room(&f.log, &f.mem, 40, -1));
        assert_int_equal(fogi_txlog_add(&f.log, 1, 0, 0), 40); /* numbers go on */
        end(&f);
    }
}

static void
test_states(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, 0, 16);
    for (uint32_t i = 0; i < 3; i++) {
        assert_true(fogi_txlog_room(&f.log, &f.mem, 0, -1));
        fogi_txlog_add(&f.log, i, 0, 0);
    }
    fogi_txlog_resolve(&f.log, txlog_at(&f.log, 0), TX_LOST);
    assert_int_equal(f.log.out, 2);
    fogi_txlog_resolve(&f.log, txlog_at(&f.log, 0), TX_ACKED); /* a loss that was none */
    assert_int_equal(f.log.out, 2);
    assert_int_equal(txlog_at(&f.log, 0)->state, TX_ACKED);
    fogi_txlog_resolve(&f.log, txlog_at(&f.log, 2), TX_DONE);
    assert_int_equal(f.log.out, 1);
    end(&f);
}

/* What makes room: the oldest record goes if it is old, else the ring grows to its limit. */
static void
test_room(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, 0, 64); /* at most 256 records */
    for (uint32_t i = 0; i < 16; i++) {
        assert_true(fogi_txlog_room(&f.log, &f.mem, i, -1));
        fogi_txlog_add(&f.log, i, 0, i);
    }
    assert_int_equal(f.log.cap, 16);
    assert_true(fogi_txlog_room(&f.log, &f.mem, 16, 3)); /* record 0 left at 0: old */
    assert_int_equal(f.log.cap, 16);
    assert_int_equal(f.log.tail, 1);
    fogi_txlog_add(&f.log, 16, 0, 16);
    assert_true(fogi_txlog_room(&f.log, &f.mem, 1, 3)); /* old, but must stay */
    assert_int_equal(f.log.cap, 32);
    assert_int_equal(f.log.tail, 1);

    for (uint32_t i = 17; f.log.next - f.log.tail < 256; i++) {
        assert_true(fogi_txlog_room(&f.log, &f.mem, 1, -1));
        fogi_txlog_add(&f.log, i, 0, i);
    }
    assert_int_equal(f.log.cap, 256);
    assert_false(fogi_txlog_room(&f.log, &f.mem, 1, -1)); /* full, and the oldest must stay */
    assert_true(fogi_txlog_room(&f.log, &f.mem, 2, -1));  /* full: the oldest goes though young */
    assert_int_equal(f.log.cap, 256);
    assert_int_equal(f.log.tail, 2);
    end(&f);
}

static void
test_no_memory(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, 0, 64);
    f.ledger.fail_at = 2;
    for (uint32_t i = 0; i < 16; i++) {
        assert_true(fogi_txlog_room(&f.log, &f.mem, 0, -1));
        fogi_txlog_add(&f.log, i, 0, 0);
    }
    assert_false(fogi_txlog_room(&f.log, &f.mem, 0, -1));
    assert_non_null(fogi_txlog_find(&f.log, 15, 15));
    assert_true(fogi_txlog_room(&f.log, &f.mem, 0, -1));
    end(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
