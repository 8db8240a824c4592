/* SPDX-License-Identifier: MIT */
#include "pair.h"

#include "arq/loss.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define RTT FOG_MS(100)
#define T0 FOG_SEC(10)

struct fixture {
    struct ledger ledger;
    struct mem mem;
    struct txlog log;
    struct loss loss;
};

static void
start(struct fixture *f)
{
    ledger_init(&f->ledger);
    mem_init(&f->mem, &f->ledger.al);
    fogi_txlog_init(&f->log, 0, 1024);
    fogi_loss_init(&f->loss, 1, false);
    fogi_loss_timed(&f->loss);
    fogi_loss_clock(&f->loss, T0);
    f->loss.window_at = T0;
    fogi_loss_rtt(&f->loss, RTT, RTT, FOG_MS(20));
}

static void
end(struct fixture *f)
{
    fogi_txlog_clear(&f->log, &f->mem);
    assert_int_equal(f->ledger.blocks, 0);
}

static void
send_at(struct fixture *f, fog_time at)
{
    assert_true(fogi_txlog_room(&f->log, &f->mem, f->loss.head, -1));
    fogi_txlog_add(&f->log, f->log.next, 0, at);
}

static void
ack(struct fixture *f, uint32_t number)
{
    fogi_txlog_resolve(&f->log, txlog_at(&f->log, number), TX_ACKED);
    fogi_loss_acked(&f->loss, number);
}

static unsigned
lost(struct fixture *f)
{
    uint32_t number;
    unsigned n = 0;
    while (fogi_loss_next(&f->loss, &f->log, &number))
        n++;
    return n;
}

/* One transmission left `age` ago, `later` others after it of which the last has arrived: whether
 * it is lost, and if not, in how many ms it will be. The window is a quarter of the round trip. */
static void
test_overtaken(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool late_seen;
        int age_ms;
        unsigned later;
        bool lost;
        int in_ms; /* -1: not without a timeout */
    } rows[] = {
        {"nothing later", false, 100, 0, false, -1},
        {"one later, young", false, 110, 1, false, 15},
        {"one later, at the window", false, 125, 1, true, 0},
        {"one later, just within it", false, 124, 1, false, 1},
        {"two later", false, 110, 2, false, 15},
        {"three later, young", false, 101, 3, true, 0},
        {"three later, but late ones were seen", true, 110, 3, false, 15},
        {"... beyond the window", true, 125, 3, true, 0},
        {"thirty later, late ones were seen", true, 110, 30, false, 15},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture f;
        start(&f);
        f.loss.late_seen = rows[i].late_seen;
        send_at(&f, T0 - FOG_MS(rows[i].age_ms));
        for (unsigned j = 0; j < rows[i].later; j++)
            send_at(&f, T0 - RTT);
        for (unsigned j = 0; j < rows[i].later; j++)
            ack(&f, 1 + j);
        unsigned n = lost(&f);
        if (n != rows[i].lost)
            fail_msg("%s: %u lost", rows[i].name, n);
        if (!rows[i].lost && rows[i].in_ms >= 0) {
            fog_time due = fogi_loss_deadline(&f.loss, &f.log, FOG_SEC(1));
            if (due != T0 + FOG_MS(rows[i].in_ms))
                fail_msg("%s: due in %lld us", rows[i].name, (long long)(due - T0));
            fogi_loss_clock(&f.loss, due);
            assert_int_equal(lost(&f), 1);
        }
        end(&f);
    }
}

/* The window after a late one: what that one took beyond the round trip and an eighth of the least,
 * never less than before, never more than a round trip. */
static void
test_window_grows(void **state)
{
    (void)state;
    static const struct {
        int before_ms, late_rtt_us, after_us;
    } rows[] = {
        {25, 100000, 25000}, /* in time after all: as it was  */
        {25, 112500, 25000}, /* just what it covers           */
        {25, 112501, 25001},  {25, 150000, 62500},
        {70, 150000, 70000},  /* wide enough                   */
        {25, 187500, 100000}, /* the most                      */
        {25, 187501, 100000}, {25, 900000, 100000},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture f;
        start(&f);
        f.loss.window = FOG_MS(rows[i].before_ms);
        fogi_loss_late(&f.loss, rows[i].late_rtt_us);
        if (f.loss.window != rows[i].after_us || !f.loss.late_seen)
            fail_msg("row %zu: %lld", i, (long long)f.loss.window);
        end(&f);
    }
}

/* It shrinks by an eighth every 16 round trips without a late one, to a quarter of the least. */
static void
test_window_shrinks(void **state)
{
    (void)state;
    static const struct {
        fog_time after;
        int window_us;
    } rows[] = {
        {FOG_MS(100), 64000},   {FOG_MS(1600), 64000}, {FOG_MS(1601), 56000},
        {FOG_MS(3202), 49000},  {FOG_MS(4803), 42875}, {FOG_MS(16010), 25000},
        {FOG_MS(32020), 25000},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture f;
        start(&f);
        f.loss.window = 64000;
        fog_time step = rows[i].after < FOG_MS(1601) ? rows[i].after : FOG_MS(1601);
        for (fog_time t = step; t <= rows[i].after; t += step) {
            fogi_loss_clock(&f.loss, T0 + t);
            fogi_loss_rtt(&f.loss, RTT, RTT, FOG_MS(20));
        }
        if (f.loss.window != rows[i].window_us)
            fail_msg("row %zu: %lld", i, (long long)f.loss.window);
        end(&f);
    }
}

/* The round trip is the larger of the mean and the last; the window follows the least. */
static void
test_round_trips(void **state)
{
    (void)state;
    static const struct {
        int srtt_ms, latest_ms, rtt_ms, window_us;
    } rows[] = {
        {100, 100, 100, 25000},
        {100, 180, 180, 25000},
        {100, 40, 100, 25000}, /* the least is smaller, the window stays */
        {200, 200, 200, 25000},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture f;
        start(&f);
        fogi_loss_rtt(&f.loss, FOG_MS(rows[i].srtt_ms), FOG_MS(rows[i].latest_ms), FOG_MS(20));
        assert_true(f.loss.rtt == FOG_MS(rows[i].rtt_ms));
        assert_true(f.loss.window == rows[i].window_us);
        end(&f);
    }
}

/* Who was stopped for half a minute, or had a peer that was, measures half a minute. No wait
 * becomes more than 2 s longer than the least round trip was: a tunnel stood still for a minute. */
static void
test_a_stall_is_no_round_trip(void **state)
{
    (void)state;
    static const fog_time seen[] = {FOG_MS(100), FOG_SEC(3), FOG_SEC(30), FOG_SEC(86400)};
    for (size_t i = 0; i < sizeof seen / sizeof seen[0]; i++) {
        struct fixture f;
        start(&f);
        fogi_loss_rtt(&f.loss, seen[i] / 8, seen[i], 2 * seen[i]);
        fogi_loss_late(&f.loss, seen[i]);
        send_at(&f, T0);
        send_at(&f, T0);
        assert_true(fogi_loss_deadline(&f.loss, &f.log, FOG_SEC(60)) <= T0 + RTT + FOG_SEC(2));
        ack(&f, 1);
        assert_int_equal(lost(&f), 0);
        fog_time due = fogi_loss_deadline(&f.loss, &f.log, FOG_SEC(60));
        assert_true(due <= T0 + 2 * (RTT + FOG_SEC(2)));
        fogi_loss_clock(&f.loss, due);
        assert_int_equal(lost(&f), 1);
        end(&f);
    }
}

/* A timeout gives nothing up by itself: the caller chooses what probes. Something that arrives
 * makes waits short again. */
static void
test_probes(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    for (unsigned i = 0; i < 5; i++)
        send_at(&f, T0);
    fog_time first = T0 + RTT + FOG_MS(20), due = fogi_loss_deadline(&f.loss, &f.log, FOG_SEC(1));
    assert_true(due == first);
    for (unsigned n = 1; n <= 60; n++) {
        fogi_loss_clock(&f.loss, due);
        fogi_loss_timeout(&f.loss, FOG_SEC(1), due);
        assert_int_equal(lost(&f), 0);
        fog_time next = fogi_loss_deadline(&f.loss, &f.log, FOG_SEC(1));
        fog_time most = n < 25 ? FOG_MS(320) : FOG_SEC(1); /* 5 s brought nothing */
        assert_in_range(next - due, FOG_MS(120), most);
        due = next;
    }
    ack(&f, 0);
    assert_int_equal(lost(&f), 0);
    send_at(&f, due);
    assert_true(fogi_loss_deadline(&f.loss, &f.log, FOG_SEC(1)) <= due + RTT + FOG_MS(20));
    end(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_overtaken),      cmocka_unit_test(test_window_grows),
        cmocka_unit_test(test_window_shrinks), cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_probes),         cmocka_unit_test(test_a_stall_is_no_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
