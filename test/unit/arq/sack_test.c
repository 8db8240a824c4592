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
        unsigned maps; /* until all is told; 0: there is nothing to tell */
    } rows[] = {
        {0, 0, 0},
        {5, 5, 0},
        {0, 2, 1},
        {10, 10 + RCV_NEAR, 1},
        {10, 900, 2},
        {0, 2000, 7},
        {0xfffffff0u, 20, 1},
        {0xfffffe00u, 700, 4},
    };
    static struct slot ring[RING];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rcv r;
        static bool told[RING];
        uint8_t map[SACK_MAX];
        uint32_t from = 12345, sn;
        size_t len = 0;
        memset(told, 0, sizeof told);
        make(&r, ring, rows[i].next, rows[i].top);
        for (unsigned m = 0; m < rows[i].maps; m++) {
            struct sack_reader s;
            len = fogi_sack_put(&r, &from, map);
            assert_in_range(len, 1, SACK_MAX);
            assert_true(fogi_sack_open(&s, map, len));
            while (fogi_sack_next(&s, &sn)) {
                assert_true(rcv_has(&r, sn));
                told[sn % RING] = true;
            }
        }
        if (rows[i].maps == 0)
            assert_int_equal(fogi_sack_put(&r, &from, map), 0);
        for (sn = rows[i].next; sn != rows[i].top; sn++) {
            if (rcv_has(&r, sn) && !told[sn % RING])
                fail_msg("row %zu: %u is never told", i, sn);
        }
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
        cmocka_unit_test(test_malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
