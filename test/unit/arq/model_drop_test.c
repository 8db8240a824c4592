/* SPDX-License-Identifier: MIT
 *
 * model_drop_test.c - when the model believes that the line became slower, as a table.
 */
#include "arq/model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#define MTU 1250u
#define T0 FOG_SEC(100)
#define BASE FOG_MS(50)
#define BW UINT64_C(12500000)

/* A stretch of two round trips or more: answers step_ms apart bring so much of the bandwidth. */
struct stretch {
    int per_cent, rtt_ms, quickest_ms; /* the round trip of one of them */
    int step_ms;
    unsigned out;
    bool limited;
};

static void
start(struct model *m)
{
    fogi_model_init(m, MTU, FOG_MS(10));
    m->state = MODEL_CRUISE;
    m->phase = 2;
    m->base_us = m->mean_us = m->last_us = BASE;
    m->bw_of[0] = m->bw = m->bw_before = BW;
    m->round_ends = UINT64_MAX; /* no round ends: only stretches count here */
}

static void
answer(struct model *m, struct cc_ack *a, const struct stretch *s, int rtt_ms)
{
    a->now += FOG_MS(s->step_ms);
    a->delivered += BW / 100 * (uint64_t)s->per_cent * (uint64_t)s->step_ms / 1000;
    a->rtt_us = FOG_MS(rtt_ms);
    a->out = s->out;
    a->limited = s->limited;
    fogi_model_acked(m, a);
    m->spread_us = 0; /* how uneven answers are is another table's */
}

static void
play(struct model *m, struct cc_ack *a, const struct stretch *s)
{
    fog_time from = a->now;
    answer(m, a, s, s->quickest_ms);
    while (a->now < from + 2 * BASE)
        answer(m, a, s, s->rtt_ms);
}

static void
test_drops(void **state)
{
    (void)state;
    enum { BUSY = 16 * MTU };
    /* clang-format off */
    static const struct {
        const char *name;
        struct stretch s[3];
        unsigned n;
        int per_cent; /* of the bandwidth believed afterwards */
    } rows[] = {
        /*                              %   rtt quickest step  out    limited */
        { "slow twice",             { { 49, 90,  90,  10, BUSY,     false },
                                      { 49, 90,  90,  10, BUSY,     false } }, 2,  49 },
        { "once",                   { { 20, 90,  90,  10, BUSY,     false } }, 1, 100 },
        { "half is not slow",       { { 50, 90,  90,  10, BUSY,     false },
                                      { 50, 90,  90,  10, BUSY,     false } }, 2, 100 },
        { "not in a row",           { { 20, 90,  90,  10, BUSY,     false },
                                      { 60, 90,  90,  10, BUSY,     false },
                                      { 20, 90,  90,  10, BUSY,     false } }, 3, 100 },
        { "the last one counts",    { { 40, 90,  90,  10, BUSY,     false },
                                      { 25, 90,  90,  10, BUSY,     false } }, 2,  25 },
        { "the least queue",        { { 20, 67,  67,  10, BUSY,     false },
                                      { 20, 67,  67,  10, BUSY,     false } }, 2,  20 },
        { "a shorter one",          { { 20, 66,  66,  10, BUSY,     false },
                                      { 20, 66,  66,  10, BUSY,     false } }, 2, 100 },
        { "one did not wait",       { { 20, 90,  90,  10, BUSY,     false },
                                      { 20, 90,  55,  10, BUSY,     false } }, 2, 100 },
        { "fewer on their way",     { { 20, 90,  90,  10, BUSY - 1, false },
                                      { 20, 90,  90,  10, BUSY - 1, false } }, 2, 100 },
        { "little to say",          { { 20, 90,  90,  10, BUSY,     true  },
                                      { 20, 90,  90,  10, BUSY,     true  } }, 2, 100 },
        { "answers far apart",      { { 20, 90,  90, 190, BUSY,     false },
                                      { 20, 90,  90, 190, BUSY,     false } }, 2,  20 },
        { "silence in between",     { { 20, 90,  90, 200, BUSY,     false },
                                      { 20, 90,  90, 200, BUSY,     false } }, 2, 100 },
    };
    /* clang-format on */
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct model m;
        start(&m);
        struct cc_ack a = {.now = T0, .rtt_us = BASE, .out = BUSY};
        fogi_model_acked(&m, &a); /* the first stretch begins */
        m.spread_us = 0;
        for (unsigned j = 0; j < rows[i].n; j++)
            play(&m, &a, &rows[i].s[j]);
        if (m.bw != BW / 100 * (uint64_t)rows[i].per_cent)
            fail_msg("%s: %llu", rows[i].name, (unsigned long long)m.bw);
    }
}

/* Before it cruises it has nothing to compare with, and at rest it sends little on purpose. */
static void
test_only_cruising(void **state)
{
    (void)state;
    static const enum model_state states[] = {MODEL_STARTUP, MODEL_DRAIN, MODEL_REST};
    for (size_t i = 0; i < 3; i++) {
        struct model m;
        start(&m);
        m.state = states[i];
        struct cc_ack a = {.now = T0, .rtt_us = BASE, .out = 16 * MTU};
        struct stretch s = {20, 90, 90, 10, 16 * MTU, false};
        for (unsigned j = 0; j < 3; j++)
            play(&m, &a, &s);
        assert_true(m.bw == BW);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_drops),
        cmocka_unit_test(test_only_cruising),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
