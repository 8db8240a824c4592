/* SPDX-License-Identifier: MIT */
#include "pair.h"

#include "arq/rcv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

struct fixture {
    struct ledger ledger;
    struct mem mem;
    struct rcv rcv;
    struct acks acks;
    uint32_t first;
};

static void
start(struct fixture *f, uint32_t sn, uint32_t wnd)
{
    f->first = sn;
    ledger_init(&f->ledger);
    mem_init(&f->mem, &f->ledger.al);
    fogi_rcv_init(&f->rcv, sn, wnd);
    fogi_acks_init(&f->acks, 2 * wnd);
}

static void
end(struct fixture *f)
{
    fogi_rcv_deinit(&f->rcv, &f->mem);
    fogi_acks_deinit(&f->acks, &f->mem);
    assert_int_equal(f->ledger.blocks, 0);
    assert_int_equal(f->mem.held, 0);
}

/* One datagram with these segments, 3 bytes each, or none where `empty` has the bit. Returns the
 * verdict on the last one, or -1 without memory. */
static int
feed(struct fixture *f, const unsigned *sns, unsigned n, unsigned empty)
{
    struct seg segs[FOG_SEGMENTS_MAX] = {{0}};
    struct rcv_stage st[FOG_SEGMENTS_MAX];
    uint8_t data[FOG_SEGMENTS_MAX][3];
    int v = -1;
    for (unsigned i = 0; i < n; i++) {
        memset(data[i], (int)(sns[i] & 0xff), 3);
        segs[i] = (struct seg){.cmd = SEG_PUSH,
                               .sn = f->first + sns[i],
                               .ts = 1000 + sns[i],
                               .len = empty & 1u << i ? 0 : 3,
                               .data = data[i]};
    }
    if (!fogi_rcv_stage(&f->rcv, &f->acks, &f->mem, segs, n, st))
        return -1;
    for (unsigned i = 0; i < n; i++) {
        bool unlisted;
        v = (int)fogi_rcv_put(&f->rcv, &f->acks, &f->mem, &segs[i], &st[i], &unlisted);
    }
    fogi_rcv_keep(&f->rcv);
    fogi_rcv_settle(&f->rcv, &f->mem);
    return v;
}

static int
feed_one(struct fixture *f, unsigned sn)
{
    return feed(f, &sn, 1, 0);
}

/* Acks waiting, as relative sns in text. */
static const char *
acks(struct fixture *f)
{
    static char text[4096];
    struct ack a;
    int n = 0;
    text[0] = 0;
    while (fogi_acks_next(&f->acks, &f->mem, f->rcv.next, &a)) {
        unsigned sn = a.sn - f->first;
        assert_int_equal(a.ts, 1000 + sn);
        fogi_rcv_acked(&f->rcv, a.sn);
        n += snprintf(text + n, sizeof text - (size_t)n, n ? " %u" : "%u", sn);
        assert_true(n < (int)sizeof text);
    }
    assert_false(acks_waiting(&f->acks));
    assert_null(f->acks.list);
    return text;
}

/* Datagrams come; in order is ..., the acks are ... */
static void
test_arrivals(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        unsigned sns[10], n;
        bool together; /* in one datagram */
        unsigned next, wnd;
        const char *acks;
    } rows[] = {
        {"first", {0}, 1, false, 1, 7, "0"},
        {"in order", {0, 1, 2}, 3, false, 3, 5, "2"},
        {"in order together", {0, 1, 2}, 3, true, 3, 5, "2"},
        {"early", {2}, 1, false, 0, 8, "2"},
        {"early, hole closed", {2, 1, 0}, 3, false, 3, 5, "0"},
        {"early together, hole closed", {2, 1, 0}, 3, true, 3, 5, "0"},
        {"two holes", {1, 3, 5}, 3, false, 0, 8, "1 3 5"},
        {"hole closed, one left", {3, 1, 0}, 3, false, 2, 6, "3 0"},
        {"early twice", {4, 4, 4}, 3, false, 0, 8, "4"},
        {"early twice together", {4, 4, 4}, 3, true, 0, 8, "4"},
        {"old again", {0, 1, 0}, 3, false, 2, 6, "0"},
        {"old again together", {0, 0}, 2, true, 1, 7, "0"},
        {"last of the window", {7}, 1, false, 0, 8, "7"},
        {"beyond the window", {8}, 1, false, 0, 8, ""},
        {"far beyond", {0x7fffffff}, 1, false, 0, 8, ""},
        {"window full", {0, 1, 2, 3, 4, 5, 6, 7, 8}, 9, false, 8, 0, "7"},
        {"window full together", {0, 1, 2, 3, 4, 5, 6, 7, 8}, 9, true, 8, 0, "7"},
    };
    static const uint32_t firsts[] = {0, 0xfffffffd, 0x7ffffffd};
    for (unsigned s = 0; s < 3; s++) {
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            struct fixture f;
            start(&f, firsts[s], 8);
            if (rows[i].together)
                feed(&f, rows[i].sns, rows[i].n, 0);
            for (unsigned j = 0; j < rows[i].n && !rows[i].together; j++)
                feed_one(&f, rows[i].sns[j]);
            if (f.rcv.next - f.first != rows[i].next || rcv_window(&f.rcv) != rows[i].wnd)
                fail_msg("%s: next %u wnd %u", rows[i].name, f.rcv.next - f.first,
                         rcv_window(&f.rcv));
            const char *got = acks(&f);
            if (strcmp(got, rows[i].acks) != 0)
                fail_msg("%s: acks \"%s\"", rows[i].name, got);
            end(&f);
        }
    }
}

static void
test_verdicts(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, 0xfffffff8, 16);
    assert_int_equal(feed_one(&f, 0), RCV_NEW);
    assert_int_equal(feed_one(&f, 0), RCV_OLD);
    assert_int_equal(feed_one(&f, 9), RCV_NEW);
    assert_int_equal(feed_one(&f, 9), RCV_EARLY);
    assert_int_equal(feed_one(&f, 15), RCV_NEW);
    assert_int_equal(feed_one(&f, 16), RCV_BEYOND); /* one delivered slot is not consumed */
    assert_int_equal(feed_one(&f, UINT32_MAX), RCV_OLD);
    size_t calls = f.ledger.calls;
    assert_int_equal(feed_one(&f, 17), RCV_BEYOND);
    assert_int_equal(f.ledger.calls, calls); /* judged before anything is allocated */
    end(&f);
}

static void
test_peek_consume(void **state)
{
    (void)state;
    struct fixture f;
    size_t len;
    start(&f, 0xfffffffe, 4);
    assert_null(fogi_rcv_peek(&f.rcv, &len));
    static const unsigned sns[] = {0, 1, 2, 3};
    feed(&f, sns, 4, 1u << 1); /* the second is empty */
    assert_int_equal(rcv_window(&f.rcv), 0);
    const uint8_t *p = fogi_rcv_peek(&f.rcv, &len);
    assert_int_equal(len, 3);
    assert_int_equal(p[0], 0);
    fogi_rcv_consume(&f.rcv, &f.mem, 2);
    p = fogi_rcv_peek(&f.rcv, &len);
    assert_int_equal(len, 1);
    assert_int_equal(rcv_window(&f.rcv), 0);
    fogi_rcv_consume(&f.rcv, &f.mem, 1);
    assert_int_equal(rcv_window(&f.rcv), 2); /* the empty one goes with it */
    p = fogi_rcv_peek(&f.rcv, &len);
    assert_int_equal(len, 3);
    assert_int_equal(p[0], 2);
    fogi_rcv_consume(&f.rcv, &f.mem, 3);
    fogi_rcv_consume(&f.rcv, &f.mem, 3);
    assert_null(fogi_rcv_peek(&f.rcv, &len));
    assert_null(f.rcv.ring);
    acks(&f);
    assert_int_equal(f.ledger.blocks, 0); /* an idle receiver holds nothing */
    end(&f);
}

static void
test_empty_in_a_row(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, 0, 200);
    for (unsigned i = 0; i < RCV_EMPTY_MAX; i++)
        assert_int_equal(feed(&f, &i, 1, 1), RCV_NEW);
    unsigned sn = RCV_EMPTY_MAX;
    assert_string_equal(acks(&f), "63");
    assert_int_equal(feed(&f, &sn, 1, 1), RCV_EMPTY);
    assert_string_equal(acks(&f), "");
    assert_int_equal(feed(&f, &sn, 1, 0), RCV_NEW); /* one with bytes ends the row */
    sn++;
    assert_int_equal(feed(&f, &sn, 1, 1), RCV_NEW);
    end(&f);
}

/* What the last of a row of empty ones does to the rest of its datagram. */
static void
test_empty_then_more(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, 0, 70);
    for (unsigned i = 0; i < RCV_EMPTY_MAX; i++)
        feed(&f, &i, 1, 1);
    acks(&f);
    static const unsigned sns[] = {64, 65, 66, 67, 68};
    assert_int_equal(feed(&f, sns, 5, 1), RCV_NEW); /* 64 is refused, the others are early */
    assert_int_equal(f.rcv.next, 64);
    assert_string_equal(acks(&f), "65 66 67 68");
    end(&f);
    static const unsigned late[] = {64, 133, 134}; /* 134 comes into the window while applied */
    start(&f, 0, 70);
    feed(&f, late, 3, 7);
    end(&f);
}

/* 2 x wnd acks are kept, one more is not: its sender sends again. */
static void
test_ack_limit(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, 0, 4);
    unsigned unlisted_at = 0, n = 0;
    /* Early ones, then the hole closes and all is consumed, and no datagram leaves meanwhile. */
    for (unsigned base = 0; base < 16 && !unlisted_at; base += 4) {
        static const unsigned order[] = {3, 2, 1, 0};
        for (unsigned i = 0; i < 4; i++) {
            uint8_t b[3] = {0};
            struct seg s = {.cmd = SEG_PUSH, .sn = base + order[i], .len = 3, .data = b};
            struct rcv_stage st[FOG_SEGMENTS_MAX];
            bool unlisted;
            assert_true(fogi_rcv_stage(&f.rcv, &f.acks, &f.mem, &s, 1, st));
            assert_int_equal(fogi_rcv_put(&f.rcv, &f.acks, &f.mem, &s, &st[0], &unlisted), RCV_NEW);
            if (unlisted)
                unlisted_at = n;
            n += order[i] != 0;
        }
        for (unsigned i = 0; i < 4; i++)
            fogi_rcv_consume(&f.rcv, &f.mem, 3);
    }
    assert_int_equal(unlisted_at, 8);
    end(&f);
}

static void
test_no_memory(void **state)
{
    (void)state;
    static const unsigned sns[] = {0, 3, 2, 9, 7};
    for (size_t i = 1;; i++) {
        struct fixture f;
        start(&f, 0xfffffffd, 16);
        f.ledger.fail_at = i;
        int v = feed(&f, sns, 5, 0);
        if (v >= 0) {
            assert_true(i > 5);
            end(&f);
            break;
        }
        assert_int_equal(f.rcv.next, f.first);
        assert_int_equal(f.rcv.filled, 0);
        assert_null(f.rcv.ring);
        assert_false(acks_waiting(&f.acks));
        f.ledger.fail_at = 0;
        assert_int_equal(feed(&f, sns, 5, 0), RCV_NEW);
        assert_string_equal(acks(&f), "3 2 9 7 0");
        end(&f);
    }
}

/* Random arrivals against a model of one flag per sn. */
static void
test_model(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct rng rng = {seed};
        struct fixture f;
        bool have[5000] = {false};
        unsigned wnd = 1 + rng_below(&rng, 100), read = 0, next = 0;
        start(&f, 0xffffff80u, wnd);
        while (read < 1000) {
            unsigned n = 1 + rng_below(&rng, 8), sns[8];
            for (unsigned i = 0; i < n; i++) {
                sns[i] = read + rng_below(&rng, wnd + 4);
                sns[i] -= sns[i] < 3 ? 0 : rng_below(&rng, 4);
                if (sns[i] < read + wnd)
                    have[sns[i]] = true;
            }
            feed(&f, sns, n, 0);
            while (have[next])
                next++;
            assert_int_equal(f.rcv.next - f.first, next);
            assert_int_equal(rcv_window(&f.rcv), wnd - (next - read));
            if (rng_below(&rng, 3) == 0)
                acks(&f);
            size_t len;
            const uint8_t *data;
            while (rng_below(&rng, 8) && (data = fogi_rcv_peek(&f.rcv, &len)) != NULL) {
                assert_int_equal(len, 3);
                assert_int_equal(data[0], read & 0xff);
                fogi_rcv_consume(&f.rcv, &f.mem, len);
                read++;
            }
        }
        assert_true(f.ledger.peak <= wnd * 3 + 2 * 128 * sizeof(struct slot) + 4096);
        end(&f);
    }
}

/* What is in order stays in the datagram until it must be kept; what is early is copied at once. */
static void
test_in_order_is_lent(void **state)
{
    (void)state;
    struct fixture f;
    struct rcv_stage st[FOG_SEGMENTS_MAX];
    uint8_t data[3][4] = {{1, 1, 1, 1}, {2, 2, 2, 2}, {4, 4, 4, 4}};
    struct seg segs[3] = {{0}};
    start(&f, 7, 100);
    for (uint32_t i = 0; i < 3; i++)
        segs[i] =
            (struct seg){.cmd = SEG_PUSH, .sn = 7 + (i < 2 ? i : 3), .len = 4, .data = data[i]};
    assert_true(fogi_rcv_stage(&f.rcv, &f.acks, &f.mem, segs, 3, st));
    for (unsigned i = 0; i < 3; i++) {
        bool unlisted;
        assert_int_equal(fogi_rcv_put(&f.rcv, &f.acks, &f.mem, &segs[i], &st[i], &unlisted),
                         RCV_NEW);
    }
    size_t len;
    assert_ptr_equal(fogi_rcv_peek(&f.rcv, &len), data[0]);
    assert_int_equal(len, 4);
    fogi_rcv_consume(&f.rcv, &f.mem, 4);
    fogi_rcv_consume(&f.rcv, &f.mem, 1);
    assert_ptr_equal(fogi_rcv_peek(&f.rcv, &len), data[1] + 1);
    fogi_rcv_keep(&f.rcv);
    memset(data, 0xee, sizeof data);
    const uint8_t *kept = fogi_rcv_peek(&f.rcv, &len);
    assert_int_equal(len, 3);
    assert_int_equal(kept[0], 2);
    fogi_rcv_consume(&f.rcv, &f.mem, 3);
    feed_one(&f, 2);
    fogi_rcv_consume(&f.rcv, &f.mem, 3);
    kept = fogi_rcv_peek(&f.rcv, &len);
    assert_int_equal(kept[3], 4);
    fogi_rcv_consume(&f.rcv, &f.mem, 4);
    assert_int_equal(f.rcv.bytes, 0);
    end(&f);
}

/* Large segments: bytes are the bound, the next one excepted, and the window tells so. */
static void
test_bytes_are_bounded(void **state)
{
    (void)state;
    static uint8_t data[60000];
    struct fixture f;
    start(&f, 0, 65535);
    f.rcv.most_bytes = 3 * 60000;
    static const struct {
        uint32_t sn;
        uint16_t len;
        enum rcv_verdict verdict;
        uint32_t window; /* after it */
    } rows[] = {
        {1, 60000, RCV_NEW, 3}, {2, 60000, RCV_NEW, 3}, {3, 60000, RCV_NEW, 3},
        {4, 1, RCV_BEYOND, 3},  {0, 60000, RCV_NEW, 0}, {4, 60000, RCV_NEW, 0},
        {5, 60000, RCV_NEW, 0}, {6, 1, RCV_BEYOND, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rcv_stage st[FOG_SEGMENTS_MAX];
        bool unlisted;
        struct seg s = {.cmd = SEG_PUSH, .sn = rows[i].sn, .len = rows[i].len, .data = data};
        assert_true(fogi_rcv_stage(&f.rcv, &f.acks, &f.mem, &s, 1, st));
        assert_int_equal(fogi_rcv_put(&f.rcv, &f.acks, &f.mem, &s, st, &unlisted), rows[i].verdict);
        fogi_rcv_keep(&f.rcv);
        assert_int_equal(rcv_window(&f.rcv), rows[i].window);
    }
    assert_int_equal(f.rcv.bytes, 6 * 60000);
    for (int i = 0; i < 6; i++)
        fogi_rcv_consume(&f.rcv, &f.mem, 60000);
    assert_int_equal(rcv_window(&f.rcv), 3);
    end(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_order_is_lent), cmocka_unit_test(test_bytes_are_bounded),
        cmocka_unit_test(test_arrivals),         cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_peek_consume),     cmocka_unit_test(test_empty_in_a_row),
        cmocka_unit_test(test_empty_then_more),  cmocka_unit_test(test_ack_limit),
        cmocka_unit_test(test_no_memory),        cmocka_unit_test(test_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
