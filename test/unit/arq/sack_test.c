/* SPDX-License-Identifier: MIT */
#include "arq/sack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define RING 2048u

/* A receiver that has `next`, and beyond it every third segment up to `top`. */
static void
make(struct rcv *r, struct slot *ring, uint32_t next, uint32_t top)
{
    memset(ring, 0, RING * sizeof *ring);
    fogi_rcv_init(r, next, 1024);
    r->ring = ring;
    r->cap = RING;
    r->top = top;
    for (uint32_t sn = next + 2; seq_lt(sn, top); sn += 3)
        ring[sn % RING].filled = true;
    if (top != next)
        ring[(top - 1) % RING].filled = true;
}

/* All that is told has arrived; over some maps all that has arrived is told. */
static void
test_told(void **state)
{
    (void)state;
    static const struct {
        uint32_t next, top;
        size_t others;
        unsigned maps; /* until all is told; 0: there is nothing to tell */
    } rows[] = {
        {0, 0, SACK_OTHERS, 0},
        {5, 5, SACK_OTHERS, 0},
        {0, 2, SACK_OTHERS, 1},
        {10, 10 + RCV_NEAR, SACK_OTHERS, 1},
        {10, 10 + RCV_NEAR + 8 * SACK_OTHERS, SACK_OTHERS, 1},
        {10, 10 + RCV_NEAR + 8 * SACK_OTHERS + 1, SACK_OTHERS, 2},
        {0, 2000, SACK_OTHERS, 13},
        {10, 10 + RCV_NEAR + 8 * SACK_MOST, SACK_MOST, 1},
        {0xfffffff0u, 20, SACK_OTHERS, 1},
        {0xfffffe00u, 700, SACK_MOST, 1},
    };
    static struct slot ring[RING];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rcv r;
        struct fills none = {0};
        static bool told[RING];
        uint8_t map[SACK_MAX];
        uint32_t from = rows[i].next - 1, sn;
        memset(told, 0, sizeof told);
        make(&r, ring, rows[i].next, rows[i].top);
        for (unsigned m = 0; m < rows[i].maps; m++) {
            struct sack_reader s;
            size_t len = fogi_sack_put(&r, &none, rows[i].others, &from, map);
            assert_in_range(len, 1, SACK_MAX);
            assert_true(fogi_sack_open(&s, map, len));
            while (fogi_sack_next(&s, &sn)) {
                assert_true(rcv_has(&r, sn));
                told[sn % RING] = true;
            }
        }
        if (rows[i].maps == 0)
            assert_int_equal(fogi_sack_put(&r, &none, rows[i].others, &from, map), 0);
        for (sn = rows[i].next; sn != rows[i].top; sn++) {
            if (rcv_has(&r, sn) && !told[sn % RING])
                fail_msg("row %zu: %u is never told", i, sn);
        }
    }
}

/* What filled a hole far back is told at once, wherever the second piece stands. */
static void
test_fills(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint32_t filled[3];
        unsigned n, told;
    } rows[] = {
        {"none", {0}, 0, 0},
        {"one", {1000}, 1, 1},
        {"some", {1000, 1003, 1300}, 3, 3},
        {"one of them is behind una by now", {50, 1003, 1300}, 3, 2},
    };
    static struct slot ring[RING];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rcv r;
        struct fills f = {0};
        struct sack_reader s;
        uint8_t map[SACK_MAX];
        uint32_t from = 500, sn;
        unsigned told = 0;
        make(&r, ring, 100, 2000);
        for (unsigned j = 0; j < rows[i].n; j++)
            fogi_fills_add(&f, rows[i].filled[j]);
        assert_true(fogi_sack_open(&s, map, fogi_sack_put(&r, &f, SACK_OTHERS, &from, map)));
        while (fogi_sack_next(&s, &sn)) {
            for (unsigned j = 0; j < rows[i].n; j++)
                told += sn == rows[i].filled[j] && seq_le(r.next, sn);
        }
        if (told != rows[i].told)
            fail_msg("%s: %u told", rows[i].name, told);
    }
}

static void
test_malformed(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint8_t bytes[16];
        size_t len;
        bool good;
    } rows[] = {
        {"empty", {0}, 0, false},
        {"another mark", {'f', 'o', 'g', 1}, 4, false},
        {"no piece", {SACK_MARK}, 1, true},
        {"half a header", {SACK_MARK, 1, 0, 0, 0}, 5, false},
        {"a piece of nothing", {SACK_MARK, 1, 0, 0, 0, 0}, 6, true},
        {"a piece of one", {SACK_MARK, 1, 0, 0, 0, 1, 0xff}, 7, true},
        {"longer than there is", {SACK_MARK, 1, 0, 0, 0, 2, 0xff}, 7, false},
        {"bytes left over", {SACK_MARK, 1, 0, 0, 0, 1, 0xff, 9}, 8, false},
        {"a bad second piece", {SACK_MARK, 1, 0, 0, 0, 1, 0xff, 1, 0, 0, 0, 255}, 12, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sack_reader s;
        if (fogi_sack_open(&s, rows[i].bytes, rows[i].len) != rows[i].good)
            fail_msg("%s", rows[i].name);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_told),
        cmocka_unit_test(test_fills),
        cmocka_unit_test(test_malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
