/* SPDX-License-Identifier: MIT
 *
 * When a FIN may leave, as a table (wire-vproxy R6, R7). Times in ms, now = 1000.
 */
#include "unit/mux/rig.h"

#include "mux/finhold.h"

#define NEVER (-1)

static fog_time
time_of(int ms)
{
    return ms == NEVER ? FOG_TIME_NEVER : FOG_MS(ms);
}

static const struct {
    const char *name;
    bool extended, fin_in, in_flight;
    int acked, last_in, want;
} rows[] = {
    {"foggara peer, everything open", true, true, true, 999, 999, 1000},
    {"nothing ever either way", false, false, false, NEVER, NEVER, 1000},
    {"R7: data just now", false, false, false, NEVER, 1000, 1250},
    {"R7: data 249 ms ago", false, false, false, NEVER, 751, 1001},
    {"R7: data 250 ms ago", false, false, false, NEVER, 750, 1000},
    {"R7: data long ago", false, false, false, NEVER, 10, 1000},
    {"R7 does not wait for acks", false, false, true, NEVER, 10, 1000},
    {"R7 does not count acks", false, false, false, 1000, NEVER, 1000},
    {"R6: nothing was sent", false, true, false, NEVER, NEVER, 1000},
    {"R6: does not wait for quiet", false, true, false, NEVER, 1000, 1000},
    {"R6: in flight", false, true, true, NEVER, NEVER, NEVER},
    {"R6: acknowledged just now", false, true, false, 1000, 1000, 1050},
    {"R6: acknowledged 49 ms ago", false, true, false, 951, 1000, 1001},
    {"R6: acknowledged 50 ms ago", false, true, false, 950, 1000, 1000},
    {"R6: acknowledged long ago", false, true, false, 3, 1000, 1000},
};

static void
table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct finhold h = {.extended = rows[i].extended,
                                  .fin_in = rows[i].fin_in,
                                  .in_flight = rows[i].in_flight,
                                  .acked_at = time_of(rows[i].acked),
                                  .last_in = time_of(rows[i].last_in)};
        fog_time got = fogi_finhold(&h, FOG_MS(1000));
        if (got != time_of(rows[i].want))
            fail_msg("%s: %lld us", rows[i].name, (long long)got);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(table)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
