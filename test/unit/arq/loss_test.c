/* SPDX-License-Identifier: MIT */
#include "pair.h"

#include "arq/loss.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define RTO FOG_MS(100)

struct fixture {
    struct ledger ledger;
    struct mem mem;
    struct txlog log;
    struct loss loss;
    fog_time now;
};

static void
start(struct fixture *f, uint32_t reorder, bool sparing)
{
    ledger_init(&f->ledger);
    mem_init(&f->mem, &f->ledger.al);
    fogi_txlog_init(&f->log, 0, 1024);
    fogi_loss_init(&f->loss, reorder, sparing);
    f->now = FOG_SEC(1);
}

static void
end(struct fixture *f)
{
    fogi_txlog_clear(&f->log, &f->mem);
    assert_int_equal(f->ledger.blocks, 0);
}

static void
send(struct fixture *f, unsigned n)
{
    while (n--) {
        assert_true(fogi_txlog_room(&f->log, &f->mem, f->loss.head, -1));
        fogi_txlog_add(&f->log, f->log.next, 0, f->now);
    }
}

static void
ack(struct fixture *f, uint32_t number)
{
    fogi_txlog_resolve(&f->log, txlog_at(&f->log, number), TX_ACKED);
    fogi_loss_acked(&f->loss, number);
}

/* The numbers declared lost, as text. */
static const char *
lost(struct fixture *f)
{
    static char text[512];
    uint32_t number;
    size_t n = 0;
    text[0] = 0;
    while (fogi_loss_next(&f->loss, &f->log, &number)) {
        assert_true(n + 4 < sizeof text && number < 100);
        if (n)
            text[n++] = ' ';
        if (number >= 10)
            text[n++] = (char)('0' + number / 10);
        text[n++] = (char)('0' + number % 10);
        text[n] = 0;
    }
    return text;
}

static fog_time
due(const struct fixture *f)
{
    return fogi_loss_deadline(&f->loss, &f->log, RTO);
}

static void
test_order(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint32_t reorder;
        uint32_t acks[5];
        unsigned n;
        const char *lost;
    } rows[] = {
        {"nothing acked", 1, {0}, 0, ""},
        {"in order", 1, {0, 1, 2}, 3, ""},
        {"one skipped, reorder 1", 1, {1}, 1, "0"},
        {"one skipped, reorder 2", 2, {1}, 1, ""},
        {"two later, reorder 2", 2, {2}, 1, "0"},
        {"last acked", 1, {9}, 1, "0 1 2 3 4 5 6 7 8"},
        {"last acked, reorder 3", 3, {9}, 1, "0 1 2 3 4 5 6"},
        {"holes", 1, {1, 3, 5}, 3, "0 2 4"},
        {"acks out of order in one datagram", 1, {2, 1, 0}, 3, ""},
        {"beyond all", 11, {9}, 1, ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture f;
        start(&f, rows[i].reorder, false);
        send(&f, 10);
        for (unsigned j = 0; j < rows[i].n; j++)
            ack(&f, rows[i].acks[j]);
        const char *got = lost(&f);
        if (strcmp(got, rows[i].lost) != 0)
            fail_msg("%s: \"%s\"", rows[i].name, got);
        assert_string_equal(lost(&f), ""); /* at most once */
        end(&f);
    }
}

static void
test_timeouts(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, 1, false);
    fog_time t0 = f.now;
    assert_true(due(&f) == FOG_TIME_NEVER);
    send(&f, 40);
    f.now += FOG_MS(60);
    send(&f, 10); /* too young for the first timeout */
    assert_true(due(&f) == t0 + RTO);

    f.now = t0 + RTO;
    fogi_loss_timeout(&f.loss, RTO, f.now);
    assert_string_equal(lost(&f), "0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 "
                                  "24 25 26 27 28 29 30 31");
    fog_time wait = RTO;
    static const char *const probes[] = {"32 33", "34 35", "36 37", "38 39", "40 41"};
    for (unsigned i = 0; i < 5; i++) {
        wait += RTO / 2;
        assert_true(due(&f) == f.now + wait); /* 1.5, 2, 2.5 ... times the rto */
        f.now += wait;
        fogi_loss_timeout(&f.loss, RTO, f.now);
        assert_string_equal(lost(&f), probes[i]);
    }
    ack(&f, 45); /* something arrived: order speaks, and waits are short again */
    assert_string_equal(lost(&f), "42 43 44");
    assert_int_equal(f.loss.backoff, 0);
    assert_true(due(&f) == t0 + FOG_MS(60) + RTO);
    end(&f);
}

static void
test_young_ones_are_spared(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, 1, false);
    send(&f, 2);
    f.now += RTO;
    send(&f, 2);
    fogi_loss_timeout(&f.loss, RTO, f.now);
    assert_string_equal(lost(&f), "0 1");
    end(&f);
}

static void
test_wait_is_bounded(void **state)
{
    (void)state;
    static const struct {
        fog_time rto;
        uint32_t backoff;
        fog_time wait;
    } rows[] = {
        {FOG_MS(30), 0, FOG_MS(30)},   {FOG_MS(30), 1, FOG_MS(45)},
        {FOG_MS(30), 2, FOG_MS(60)},   {FOG_MS(30), 131, FOG_MS(1995)},
        {FOG_MS(30), 132, FOG_SEC(2)}, {FOG_MS(30), UINT32_MAX, FOG_SEC(2)},
        {FOG_SEC(5), 0, FOG_SEC(5)},   {FOG_SEC(5), 9, FOG_SEC(5)},
        {FOG_SEC(1), 1, FOG_MS(1500)}, {FOG_SEC(1), 2, FOG_SEC(2)},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture f;
        start(&f, 1, false);
        send(&f, 1);
        f.loss.backoff = rows[i].backoff;
        fog_time got = fogi_loss_deadline(&f.loss, &f.log, rows[i].rto) - f.now;
        if (got != rows[i].wait)
            fail_msg("row %zu: %lld", i, (long long)got);
        end(&f);
    }
}

/* A suspended host: however late the call, it is one timeout. */
static void
test_late(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, 1, false);
    send(&f, 50);
    f.now += FOG_SEC(86400);
    fogi_loss_timeout(&f.loss, RTO, f.now);
    unsigned n = 0;
    uint32_t number;
    while (fogi_loss_next(&f.loss, &f.log, &number))
        n++;
    assert_int_equal(n, LOSS_FIRST_MAX);
    assert_int_equal(f.loss.backoff, 1);
    assert_true(due(&f) == f.now + RTO + RTO / 2);
    end(&f);
}

static void
test_sparing(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, 1, true);
    send(&f, 1);
    assert_true(due(&f) == f.now + FOG_MS(250));
    f.now += FOG_MS(250);
    fogi_loss_timeout(&f.loss, RTO, f.now);
    assert_string_equal(lost(&f), "0");
    send(&f, 1);
    assert_true(due(&f) == f.now + FOG_MS(750));
    f.now += FOG_MS(750);
    fogi_loss_timeout(&f.loss, RTO, f.now);
    assert_string_equal(lost(&f), "1");
    send(&f, 1);
    assert_true(due(&f) == FOG_TIME_NEVER); /* three times; silence */
    fogi_loss_heard(&f.loss);
    assert_true(due(&f) == f.now + FOG_MS(1500));
    f.now += FOG_MS(1500);
    fogi_loss_timeout(&f.loss, RTO, f.now);
    assert_string_equal(lost(&f), "2");
    send(&f, 1);
    assert_true(due(&f) == FOG_TIME_NEVER);
    end(&f);
}

/* Once nothing is under way, what arrived before says nothing about what comes, even 2^31 later. */
static void
test_forget(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, 1, false);
    send(&f, 3);
    ack(&f, 2);
    lost(&f);
    fogi_txlog_clear(&f.log, &f.mem);
    f.log.next = f.log.tail = 0x80000010;
    fogi_loss_forget(&f.loss, &f.log);
    send(&f, 2);
    uint32_t number;
    assert_false(fogi_loss_next(&f.loss, &f.log, &number));
    end(&f);
}

/* Each number is looked at once by order, whatever the window; the walk never goes back. */
static void
test_cost(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, 1, false);
    for (unsigned round = 0; round < 100; round++) {
        uint32_t first = f.log.next, before = f.loss.head;
        send(&f, 1000);
        ack(&f, first + 999);
        uint32_t number, n = 0;
        while (fogi_loss_next(&f.loss, &f.log, &number))
            assert_int_equal(number, first + n++);
        assert_int_equal(n, 999);
        assert_int_equal(f.loss.head - before, 1000);
    }
    end(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_timeouts),
        cmocka_unit_test(test_young_ones_are_spared),
        cmocka_unit_test(test_wait_is_bounded),
        cmocka_unit_test(test_late),
        cmocka_unit_test(test_sparing),
        cmocka_unit_test(test_forget),
        cmocka_unit_test(test_cost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
