/* SPDX-License-Identifier: MIT */
#include "arq/cc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#define MTU 1250u

/* A told rate stands, whatever is reported; on its way may be one and a half round trips of it,
 * and 20 ms for a peer that is late. */
static void
test_told(void **state)
{
    (void)state;
    /* clang-format off */
    static const struct { uint64_t rate; fog_time srtt; size_t room; } rows[] = {
        { 2500000,              0,            800000     }, /* 200 ms are assumed */
        { 2500000,              FOG_MS(100),  425000     },
        { 2500000,              FOG_MS(10),   87500      },
        { 100000,               FOG_MS(100),  40000      }, /* 32 segments at least */
        { 1000,                 FOG_SEC(1),   40000      },
        { UINT64_C(1) << 30,    FOG_MS(100),  182536110  },
    };
    /* clang-format on */
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cc c;
        struct cc_ack a = {.now = FOG_SEC(1), .rtt_us = FOG_MS(500), .bytes_per_s = 1000};
        fogi_cc_rate(&c, 1024, MTU, rows[i].rate);
        c.srtt_us = rows[i].srtt;
        for (unsigned n = 0; n < 100; n++) {
            c.ops->outcome(&c, true);
            c.ops->spurious(&c);
            c.ops->timeout(&c);
            c.ops->acked(&c, &a);
        }
        assert_true(c.ops->rate(&c) == rows[i].rate);
        if (c.ops->room(&c) != rows[i].room)
            fail_msg("row %zu: %zu", i, c.ops->room(&c));
        assert_false(c.ops->calm(&c)); /* nothing is to be learned */
    }
}

/* The model paces from a round trip of 2 ms on; below it a timer is too coarse. */
static void
test_model_is_asked(void **state)
{
    (void)state;
    static const struct {
        fog_time srtt;
        bool paced;
    } rows[] = {{0, false}, {FOG_US(1999), false}, {FOG_MS(2), true}, {FOG_MS(100), true}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cc c;
        fogi_cc_model(&c, 1024, MTU, FOG_MS(10));
        c.srtt_us = rows[i].srtt;
        assert_int_equal(c.ops->rate(&c) > 0, rows[i].paced);
        assert_int_equal(c.ops->room(&c), fogi_model_room(&c.model));
        assert_int_equal(c.ops->calm(&c), model_is_calm(&c.model));
    }
}

/* The smaller of both windows counts. */
static void
test_span(void **state)
{
    (void)state;
    static const uint32_t rows[][3] = {{1024, 32, 32}, {16, 32, 16}, {1024, 0, 0}, {7, 7, 7}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cc c;
        fogi_cc_model(&c, rows[i][0], MTU, 0);
        c.peer_wnd = rows[i][1];
        assert_int_equal(cc_span(&c), rows[i][2]);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_told),
        cmocka_unit_test(test_model_is_asked),
        cmocka_unit_test(test_span),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
