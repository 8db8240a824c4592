/* SPDX-License-Identifier: MIT */
#include "arq/size.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#define T0 FOG_SEC(7)

enum act { END, AGREE, ASKED, ARRIVED, LOST, GONE, SILENT };

/* clang-format off */
static const struct {
    const char *name;
    uint32_t most;
    struct {
        enum act act;
        uint32_t arg;  /* what the peer takes, or a transmission          */
        uint32_t now;  /* bytes of a datagram after it                    */
        int asks_ms;   /* when the path is asked, after T0; -1: not at all */
    } steps[12];
} rows[] = {
    {"nobody wants more",       0,    {{AGREE, 9000, 1250, -1}}},
    {"less than small",         900,  {{AGREE, 9000, 1250, -1}}},
    {"the peer takes less",     9000, {{AGREE, 1000, 1250, -1}}},
    {"the peer takes as much",  9000, {{AGREE, 9000, 1250, 0}, {ASKED, 5, 1250, -1}, {ARRIVED, 5, 9000, -1}}},
    {"the peer takes some",     9000, {{AGREE, 4000, 1250, 0}, {ASKED, 5, 1250, -1}, {ARRIVED, 5, 4000, -1}}},
    {"only the first word",     9000, {{AGREE, 4000, 1250, 0}, {AGREE, 9000, 1250, 0}, {ASKED, 5, 1250, -1}, {ARRIVED, 5, 4000, -1}}},
    {"another one arrived",     9000, {{AGREE, 9000, 1250, 0}, {ASKED, 5, 1250, -1}, {ARRIVED, 4, 1250, -1}, {LOST, 6, 1250, -1}, {ARRIVED, 5, 9000, -1}}},
    {"nobody was asked",        9000, {{ARRIVED, 0, 1250, -1}, {LOST, 0, 1250, -1}, {SILENT, 0, 1250, -1}}},
    {"lost four times, no more", 9000, {{AGREE, 9000, 1250, 0},
                                        {ASKED, 1, 1250, -1}, {LOST, 1, 1250, 0},
                                        {ASKED, 2, 1250, -1}, {LOST, 2, 1250, 1000},
                                        {ASKED, 3, 1250, -1}, {LOST, 3, 1250, 2000},
                                        {ASKED, 4, 1250, -1}, {LOST, 4, 1250, -1},
                                        {AGREE, 9000, 1250, -1}}},
    {"arrived, nobody knows how", 9000, {{AGREE, 9000, 1250, 0}, {ASKED, 5, 1250, -1}, {GONE, 4, 1250, -1}, {GONE, 5, 1250, 0},
                                         {ASKED, 6, 1250, -1}, {ARRIVED, 6, 9000, -1}, {GONE, 6, 9000, -1}}},
    {"silence, then back",      9000, {{AGREE, 9000, 1250, 0}, {ASKED, 1, 1250, -1}, {ARRIVED, 1, 9000, -1},
                                       {SILENT, 0, 1250, 0}, {SILENT, 0, 1250, 0}, {ASKED, 2, 1250, -1}, {ARRIVED, 2, 9000, -1},
                                       {SILENT, 0, 1250, 0}}},
};
/* clang-format on */

static void
act(struct size *s, enum act what, uint32_t arg)
{
    uint32_t before = size_now(s);
    bool changed = false;
    if (what == AGREE)
        fogi_size_agree(s, arg);
    else if (what == ASKED)
        fogi_size_asked(s, arg, arg + 100);
    else if (what == ARRIVED)
        changed = fogi_size_arrived(s, arg);
    else if (what == LOST)
        fogi_size_lost(s, arg, T0);
    else if (what == GONE)
        fogi_size_gone(s, arg + 100, T0);
    else
        changed = fogi_size_silent(s, T0);
    assert_int_equal(changed, before != size_now(s));
}

static void
test_steps(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct size s;
        fogi_size_init(&s, 1250, rows[i].most);
        assert_int_equal(size_now(&s), 1250);
        for (unsigned n = 0; rows[i].steps[n].act != END; n++) {
            act(&s, rows[i].steps[n].act, rows[i].steps[n].arg);
            int ms = rows[i].steps[n].asks_ms;
            bool asks = size_asks(&s, T0 + FOG_MS(ms > 0 ? ms : 0));
            bool early = ms > 0 && size_asks(&s, T0 + FOG_MS(ms) - 1);
            if (size_now(&s) != rows[i].steps[n].now || asks != (ms >= 0) || early)
                fail_msg("%s, step %u: %u, %d %d", rows[i].name, n, size_now(&s), asks, early);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_steps)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
