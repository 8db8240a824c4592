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

#define K 1024
#define MUCH 9000 /* in the spell */

static const struct {
    const char *name;
    bool extended, fin_in, in_flight;
    uint32_t lately;
    int acked, last_in, spell;
    uint64_t came;
    int want;
    bool asked;
} rows[] = {
    {"foggara peer, everything open", true, true, true, 0, 999, 999, 1000, 0, 1000, false},
    {"nothing ever either way", false, false, false, 0, NEVER, NEVER, 1000, 0, 1000, false},
    {"R7: data just now", false, false, false, 0, NEVER, 1000, 1000, 0, 1250, false},
    {"R7: data 249 ms ago", false, false, false, 0, NEVER, 751, 900, 0, 1001, false},
    {"R7: data 250 ms ago", false, false, false, 0, NEVER, 750, 900, 0, 1000, false},
    {"R7: data long ago", false, false, false, 0, NEVER, 10, 900, 0, 1000, false},
    {"R7: does not wait for acks", false, false, true, 0, NEVER, 10, 900, 0, 1000, false},
    {"R7: does not count acks", false, false, false, 900 * K, 1000, NEVER, 900, 0, 1000, false},
    {"R7: few bytes, the spell ends soon", false, false, false, 0, NEVER, 1000, -900, 8192, 1100,
     false},
    {"R7: few bytes, the spell is over", false, false, false, 0, NEVER, 1000, -1000, 8192, 1000,
     false},
    {"R7: a byte too many for that", false, false, false, 0, NEVER, 1000, -1000, 8193, 1250, false},
    {"R7: much, and then quiet", false, false, false, 0, NEVER, 750, -1000, MUCH, 1000, false},
    {"R7: a request just now", false, false, false, 0, NEVER, 1000, 1000, 0, 1050, true},
    {"R7: a request 49 ms ago", false, false, false, 0, NEVER, 951, 1000, 0, 1001, true},
    {"R7: a request 50 ms ago", false, false, false, 0, NEVER, 950, 1000, 0, 1000, true},
    {"R7: its answer is on its way", false, false, true, 0, NEVER, 900, 1000, 0, 1150, true},
    {"R7: a piece of it was acknowledged", false, false, true, 10, 1000, 900, 1000, 0, 1150, true},
    {"R7: its answer has come", false, false, false, 900 * K, 990, 900, 1000, 0, 1040, true},
    {"R7: that took too long", false, false, false, 10, 980, 751, 1000, 0, 1001, true},
    {"R7: it asks again", false, false, false, 10, 950, 990, 1000, 0, 1040, true},
    {"R7: a spell is over sooner", false, false, false, 10, 1000, 1000, -980, 0, 1020, true},
    {"R6: nothing was sent", false, true, false, 0, NEVER, NEVER, 900, 0, 1000, false},
    {"R6: does not wait for quiet", false, true, false, 0, NEVER, 1000, 1000, MUCH, 1000, false},
    {"R6: in flight", false, true, true, 0, NEVER, NEVER, 0, 0, NEVER, false},
    {"R6: acknowledged just now", false, true, false, 0, 1000, 1000, 0, 0, 1050, false},
    {"R6: acknowledged 49 ms ago", false, true, false, 0, 951, 1000, 0, 0, 1001, false},
    {"R6: acknowledged 50 ms ago", false, true, false, 0, 950, 1000, 0, 0, 1000, false},
    {"R6: acknowledged long ago", false, true, false, 0, 3, 1000, 0, 0, 1000, false},
    {"R6: 16 KiB", false, true, false, 16 * K, 1000, 1000, 0, 0, 1050, false},
    {"R6: and a byte", false, true, false, 16 * K + 1, 1000, 1000, 0, 0, 1100, false},
    {"R6: 64 KiB", false, true, false, 64 * K, 1000, 1000, 0, 0, 1100, false},
    {"R6: and a byte", false, true, false, 64 * K + 1, 1000, 1000, 0, 0, 1250, false},
    {"R6: 256 KiB", false, true, false, 256 * K, 1000, 1000, 0, 0, 1250, false},
    {"R6: and a byte", false, true, false, 256 * K + 1, 1000, 1000, 0, 0, 1500, false},
    {"R6: 1 MiB", false, true, false, 1024 * K, 1000, 1000, 0, 0, 1500, false},
    {"R6: and a byte", false, true, false, 1024 * K + 1, 1000, 1000, 0, 0, 2000, false},
    {"R6: no more than a second", false, true, false, UINT32_MAX, 1000, 1000, 0, 0, 2000, false},
};

static void
table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct finhold h = {.extended = rows[i].extended,
                                  .fin_in = rows[i].fin_in,
                                  .in_flight = rows[i].in_flight,
                                  .asked = rows[i].asked,
                                  .acked = rows[i].lately,
                                  .acked_at = time_of(rows[i].acked),
                                  .last_in = time_of(rows[i].last_in),
                                  .spell_at = FOG_MS(rows[i].spell),
                                  .spell_in = rows[i].came};
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
