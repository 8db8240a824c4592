/* SPDX-License-Identifier: MIT */
#include "arq/rtt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

/* clang-format off */
static const struct {
    const char *name;
    fog_time min, slack;
    fog_time samples[4];
    unsigned n;
    fog_time srtt, rttvar, rto;
} rows[] = {
    /* name                  min     slack  samples                    n  srtt      rttvar    rto       */
    { "none",                30000,  10000, {0},                       0, 0,        0,        200000   },
    { "first",               30000,  10000, {100000},                  1, 100000,   50000,    300000   },
    { "second equal",        30000,  10000, {100000, 100000},          2, 100000,   37500,    250000   },
    { "second larger",       30000,  10000, {80000, 160000},           2, 90000,    50000,    290000   },
    { "second smaller",      30000,  10000, {80000, 40000},            2, 75000,    40000,    235000   },
    { "floor",               30000,  10000, {1000},                    1, 1000,     500,      30000    },
    { "slack",               1000,   10000, {2000},                    1, 2000,     1000,     12000    },
    { "zero is one",         1000,   10000, {0},                       1, 1,        0,        10001    },
    { "negative",            30000,  10000, {-1},                      1, 0,        0,        200000   },
    { "60 s",                30000,  10000, {60000000},                1, 60000000, 30000000, 60000000 },
    { "over 60 s",           30000,  10000, {60000001},                1, 0,        0,        200000   },
    { "over 60 s later",     30000,  10000, {100000, INT64_MAX},       2, 100000,   50000,    300000   },
};
/* clang-format on */

static void
test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rtt r;
        fogi_rtt_init(&r, rows[i].min, rows[i].slack);
        for (unsigned j = 0; j < rows[i].n; j++)
            fogi_rtt_sample(&r, rows[i].samples[j]);
        if (r.srtt_us != rows[i].srtt || r.rttvar_us != rows[i].rttvar || r.rto_us != rows[i].rto)
            fail_msg("%s: %lld %lld %lld", rows[i].name, (long long)r.srtt_us,
                     (long long)r.rttvar_us, (long long)r.rto_us);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
