/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "emu/emu.h"

#define LEN_MAX 2048

struct out {
    uint64_t tag;
    fog_time at;
    size_t len;
    uint8_t bytes[LEN_MAX];
};

static struct emu *
make(const struct emu_options *o, uint64_t seed)
{
    struct emu *e = NULL;
    assert_int_equal(fogi_emu_new(&e, o, (struct rng){seed}, fog_alloc_libc()), 0);
    return e;
}

/** The next datagram at the very time it is due; false when none is under way. */
static bool
next(struct emu *e, struct out *o)
{
    fog_time at = fogi_emu_deadline(e);
    if (at == FOG_TIME_NEVER)
        return false;
    assert_false(fogi_emu_pop(e, &o->tag, o->bytes, LEN_MAX, &o->len, at - 1));
    assert_true(fogi_emu_pop(e, &o->tag, o->bytes, LEN_MAX, &o->len, at));
    o->at = at;
    return true;
}

static void
test_delay_keeps_order_and_bytes(void **state)
{
    (void)state;
    struct emu *e = make(&(struct emu_options){.delay_us = 5000}, 1);
    for (uint8_t i = 0; i < 10; i++)
        fogi_emu_push(e, i, &i, 1, 100 * i);
    struct out o;
    for (uint8_t i = 0; i < 10; i++) {
        assert_true(next(e, &o));
        assert_int_equal(o.tag, i);
        assert_int_equal(o.bytes[0], i);
        assert_int_equal(o.at, 100 * i + 5000);
    }
    assert_false(next(e, &o));
    assert_int_equal(fogi_emu_counters(e)->delivered, 10);
    fogi_emu_free(e);
}

/** A delay that falls does not let later datagrams overtake. */
static void
test_order_survives_a_shorter_delay(void **state)
{
    (void)state;
    struct emu *e = make(&(struct emu_options){.delay_us = 9000}, 1);
    fogi_emu_push(e, 1, "a", 1, 0);
    fogi_emu_set(e, &(struct emu_options){.delay_us = 10});
    fogi_emu_push(e, 2, "b", 1, 0);
    struct out o;
    assert_true(next(e, &o));
    assert_int_equal(o.tag, 1);
    assert_true(next(e, &o));
    assert_int_equal(o.tag, 2);
    assert_int_equal(o.at, 9000);
    fogi_emu_free(e);
}

static void
test_mtu_at_the_limit_and_above(void **state)
{
    (void)state;
    static const uint8_t zeros[LEN_MAX];
    struct emu *e = make(&(struct emu_options){.mtu = 1200}, 1);
    fogi_emu_push(e, 1, zeros, 1200, 0);
    fogi_emu_push(e, 2, zeros, 1201, 0);
    struct out o;
    assert_true(next(e, &o));
    assert_int_equal(o.len, 1200);
    assert_false(next(e, &o));
    assert_int_equal(fogi_emu_counters(e)->mtu_dropped, 1);
    fogi_emu_free(e);
}

static void
test_dark_drops_what_is_offered_only(void **state)
{
    (void)state;
    struct emu *e = make(&(struct emu_options){.delay_us = 1000}, 1);
    fogi_emu_push(e, 1, "a", 1, 0);
    fogi_emu_dark(e, true);
    fogi_emu_push(e, 2, "b", 1, 0);
    fogi_emu_dark(e, false);
    fogi_emu_push(e, 3, "c", 1, 0);
    struct out o;
    assert_true(next(e, &o));
    assert_int_equal(o.tag, 1);
    assert_true(next(e, &o));
    assert_int_equal(o.tag, 3);
    assert_false(next(e, &o));
    assert_int_equal(fogi_emu_counters(e)->dark_dropped, 1);
    fogi_emu_free(e);
}

/** 1,000 bytes with overhead at 8 Mbit/s take one millisecond each; the queue holds three. */
static void
test_rate_spaces_and_queue_tail_drops(void **state)
{
    (void)state;
    static const uint8_t zeros[972];
    struct emu *e =
        make(&(struct emu_options){.rate_bps = 8000000, .queue_bytes = 3000, .overhead = 28}, 1);
    for (uint64_t i = 1; i <= 5; i++)
        fogi_emu_push(e, i, zeros, sizeof zeros, 0);
    struct out o;
    for (uint64_t i = 1; i <= 3; i++) {
        assert_true(next(e, &o));
        assert_int_equal(o.tag, i);
        assert_int_equal(o.at, 1000 * (fog_time)i);
    }
    assert_false(next(e, &o));
    assert_int_equal(fogi_emu_counters(e)->tail_dropped, 2);
    fogi_emu_push(e, 6, zeros, sizeof zeros, 3000);
    assert_true(next(e, &o));
    assert_int_equal(o.at, 4000);
    assert_int_equal(fogi_emu_counters(e)->delivered_bytes, 4000);
    fogi_emu_free(e);
}

/** An idle line takes one datagram, however small its queue. */
static void
test_queue_smaller_than_a_datagram_still_passes_one(void **state)
{
    (void)state;
    static const uint8_t zeros[500];
    struct emu *e = make(&(struct emu_options){.rate_bps = 1000000, .queue_bytes = 100}, 1);
    fogi_emu_push(e, 1, zeros, sizeof zeros, 0);
    fogi_emu_push(e, 2, zeros, sizeof zeros, 0);
    struct out o;
    assert_true(next(e, &o));
    assert_int_equal(o.at, 4000);
    assert_false(next(e, &o));
    fogi_emu_free(e);
}

/** Rounding must not add up: 10 Gbit/s of 1,250-byte datagrams is one each microsecond. */
static void
test_high_rates_do_not_drift(void **state)
{
    (void)state;
    static const uint8_t zeros[1240];
    struct emu *e = make(&(struct emu_options){.rate_bps = 10000000000u, .overhead = 0}, 1);
    struct out o = {0};
    for (int i = 0; i < 1000; i++)
        fogi_emu_push(e, 0, zeros, sizeof zeros, 0);
    while (next(e, &o))
        ;
    assert_int_equal(o.at, 992);
    fogi_emu_free(e);
}

static void
test_loss_share_and_run_length(void **state)
{
    (void)state;
    enum { N = 200000 };
    static const struct {
        const char *name;
        double loss, burst, run; /* run: mean length of losses in a row to be seen */
    } rows[] = {
        {"independent 10 %", 0.10, 0, 1.11},
        {"independent 30 %", 0.30, 1, 1.43},
        {"runs of 3, 2 %", 0.02, 3, 3},
        {"runs of 10, 20 %", 0.20, 10, 10},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct emu *e =
            make(&(struct emu_options){.loss = rows[i].loss, .burst = rows[i].burst}, 7);
        uint64_t before = 0, runs = 0, lost = 0;
        bool in_run = false;
        struct out o;
        for (int k = 0; k < N; k++) {
            fogi_emu_push(e, 0, "x", 1, k);
            bool is_lost = fogi_emu_counters(e)->lost > before;
            before = fogi_emu_counters(e)->lost;
            runs += is_lost && !in_run;
            lost += is_lost;
            in_run = is_lost;
            while (next(e, &o))
                ;
        }
        double share = (double)lost / N, run = (double)lost / (double)runs;
        if (share < rows[i].loss * 0.93 || share > rows[i].loss * 1.07)
            fail_msg("%s: lost %.4f", rows[i].name, share);
        if (run < rows[i].run * 0.93 || run > rows[i].run * 1.07)
            fail_msg("%s: runs of %.2f", rows[i].name, run);
        assert_int_equal(fogi_emu_counters(e)->delivered + lost, N);
        fogi_emu_free(e);
    }
}

static void
test_all_is_lost_at_one_none_at_zero(void **state)
{
    (void)state;
    for (int all = 0; all <= 1; all++) {
        struct emu *e = make(&(struct emu_options){.loss = all, .burst = 4}, 3);
        for (int k = 0; k < 1000; k++)
            fogi_emu_push(e, 0, "x", 1, k);
        assert_int_equal(fogi_emu_counters(e)->lost, all ? 1000 : 0);
        fogi_emu_free(e);
    }
}

static void
test_jitter_and_reordering_stay_in_bounds(void **state)
{
    (void)state;
    enum { N = 20000, GAP = 100 };
    struct emu *e =
        make(&(struct emu_options){.delay_us = 10000, .jitter_us = 2000, .reorder = 0.05}, 5);
    for (uint64_t i = 0; i < N; i++)
        fogi_emu_push(e, i, "x", 1, (fog_time)i * GAP);
    struct out o;
    uint64_t seen = 0, early = 0, overtaken = 0, highest = 0;
    for (; next(e, &o); seen++) {
        fog_time took = o.at - (fog_time)o.tag * GAP;
        if (took == 1000)
            early++;
        else
            assert_in_range(took, 10000, 12000);
        overtaken += o.tag < highest;
        highest = o.tag > highest ? o.tag : highest;
    }
    assert_int_equal(seen, N);
    assert_int_equal(early, fogi_emu_counters(e)->reordered);
    assert_in_range(early, N * 4 / 100, N * 6 / 100);
    assert_true(overtaken > early);
    fogi_emu_free(e);
}

static void
test_damage_is_one_bit_or_a_cut(void **state)
{
    (void)state;
    enum { N = 4000, LEN = 40 };
    struct emu *e =
        make(&(struct emu_options){.corrupt = 0.1, .truncate = 0.1, .duplicate = 0.1}, 9);
    uint8_t sent[LEN];
    memset(sent, 0x5a, LEN);
    for (int i = 0; i < N; i++)
        fogi_emu_push(e, 0, sent, LEN, i);
    const struct emu_counters *n = fogi_emu_counters(e);
    uint64_t cut = 0, flipped = 0, seen = 0;
    struct out o;
    for (; next(e, &o); seen++) {
        int bits = 0;
        for (size_t k = 0; k < o.len; k++)
            bits += __builtin_popcount((unsigned)(o.bytes[k] ^ sent[k]));
        assert_in_range(bits, 0, 1);
        assert_in_range(o.len, 0, LEN);
        cut += o.len < LEN;
        flipped += bits == 1;
    }
    assert_int_equal(seen, N + n->duplicated);
    assert_int_equal(cut, n->truncated);
    assert_int_equal(flipped, n->corrupted);
    assert_in_range(n->duplicated, N * 8 / 100, N * 12 / 100);
    assert_in_range(cut, N * 8 / 100, N * 14 / 100);
    assert_in_range(flipped, N * 8 / 100, N * 14 / 100);
    fogi_emu_free(e);
}

static void
test_pop_keeps_to_its_cap(void **state)
{
    (void)state;
    struct emu *e = make(&(struct emu_options){0}, 1);
    fogi_emu_push(e, 1, "abcdef", 6, 0);
    uint8_t buf[4] = {0, 0, 0, '!'};
    uint64_t tag;
    size_t len;
    assert_true(fogi_emu_pop(e, &tag, buf, 3, &len, 0));
    assert_int_equal(len, 3);
    assert_memory_equal(buf, "abc!", 4);
    fogi_emu_free(e);
}

/** The same seed gives the same link, another seed another. */
static void
test_a_seed_repeats(void **state)
{
    (void)state;
    struct emu_options bad = {.delay_us = 1000, .jitter_us = 500, .loss = 0.2, .duplicate = 0.1};
    uint64_t hash[3] = {0, 0, 0};
    for (int run = 0; run < 3; run++) {
        struct emu *e = make(&bad, run == 2 ? 2 : 1);
        for (uint64_t i = 0; i < 200; i++)
            fogi_emu_push(e, i, "x", 1, (fog_time)i);
        struct out o;
        while (next(e, &o))
            hash[run] = hash[run] * 31 + o.tag * 7 + (uint64_t)o.at;
        fogi_emu_free(e);
    }
    assert_true(hash[0] == hash[1]);
    assert_true(hash[0] != hash[2]);
}

/** Without memory a datagram is lost, nothing else; and all memory comes back. */
static void
test_no_memory_is_loss(void **state)
{
    (void)state;
    struct budget b;
    fogi_budget_init(&b, 4096, fog_alloc_libc());
    struct fog_alloc al = fogi_budget_alloc(&b);
    struct emu *e = NULL;
    assert_int_equal(fogi_emu_new(&e, &(struct emu_options){0}, (struct rng){1}, &al), 0);
    static const uint8_t zeros[1000];
    for (int i = 0; i < 10; i++)
        fogi_emu_push(e, 0, zeros, sizeof zeros, i);
    struct out o;
    uint64_t seen = 0;
    while (next(e, &o))
        seen++;
    assert_in_range(seen, 1, 4);
    assert_int_equal(seen + fogi_emu_counters(e)->lost, 10);
    fogi_emu_free(e);
    assert_int_equal(b.used, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_delay_keeps_order_and_bytes),
        cmocka_unit_test(test_order_survives_a_shorter_delay),
        cmocka_unit_test(test_mtu_at_the_limit_and_above),
        cmocka_unit_test(test_dark_drops_what_is_offered_only),
        cmocka_unit_test(test_rate_spaces_and_queue_tail_drops),
        cmocka_unit_test(test_queue_smaller_than_a_datagram_still_passes_one),
        cmocka_unit_test(test_high_rates_do_not_drift),
        cmocka_unit_test(test_loss_share_and_run_length),
        cmocka_unit_test(test_all_is_lost_at_one_none_at_zero),
        cmocka_unit_test(test_jitter_and_reordering_stay_in_bounds),
        cmocka_unit_test(test_damage_is_one_bit_or_a_cut),
        cmocka_unit_test(test_pop_keeps_to_its_cap),
        cmocka_unit_test(test_a_seed_repeats),
        cmocka_unit_test(test_no_memory_is_loss),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
