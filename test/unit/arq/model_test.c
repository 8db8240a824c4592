/* SPDX-License-Identifier: MIT */
#include "arq/model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#define MTU 1250u
#define RTT FOG_MS(50)
#define STEP FOG_MS(1)

#define PAST 1024u /* milliseconds remembered */

/* A fluid path: what the model sends, less what is lost, goes through a line with a queue in front
 * of it. What has left the line is known to the sender one round trip later. */
struct path {
    struct model m;
    double rate, loss;  /* bytes per second, share */
    double policed;     /* bytes per second: what is above is lost without a queue; 0: none */
    double queue, left; /* bytes */
    double past_left[PAST], past_lost[PAST], past_known[PAST];
    fog_time past_wait[PAST];
    bool past_calm[PAST];
    double out, owed, owed_lost;
    fog_time now;
    double worst_queue;
};

static void
tell(struct path *p, unsigned at)
{
    unsigned then = (at - (unsigned)(RTT / STEP)) % PAST;
    fog_time rtt = RTT + p->past_wait[then];
    double known = p->past_left[then], before = p->past_known[(at - (unsigned)(rtt / STEP)) % PAST];
    double fresh = known - p->past_known[(at - 1) % PAST];
    p->past_known[at % PAST] = known;
    p->out -= fresh + p->past_lost[then];
    if (p->past_calm[then]) {
        p->owed += fresh / MTU;
        p->owed_lost += p->past_lost[then] / MTU;
    }
    for (; p->owed >= 1; p->owed--)
        fogi_model_outcome(&p->m, false);
    for (; p->owed_lost >= 1; p->owed_lost--)
        fogi_model_outcome(&p->m, true);
    if (fresh <= 0)
        return;
    struct cc_ack a = {
        .now = p->now,
        .rtt_us = rtt,
        .delivered = (uint64_t)known,
        .prior = (uint64_t)before,
        .bytes_per_s = (uint64_t)((known - before) * 1e6 / (double)rtt),
        .out = p->out > 0 ? (size_t)p->out : 0,
    };
    fogi_model_acked(&p->m, &a);
}

static void
run(struct path *p, unsigned ms)
{
    for (; ms > 0; ms--, p->now += STEP) {
        unsigned at = (unsigned)(p->now / STEP);
        double send = (double)fogi_model_rate(&p->m, RTT) / 1000,
               room = (double)fogi_model_room(&p->m);
        send = p->out + send > room ? room - p->out : send;
        send = send > 0 ? send : 0;
        double lost = send * p->loss;
        if (p->policed > 0 && send > p->policed / 1000)
            lost = send - p->policed / 1000;
        p->out += send;
        p->past_calm[at % PAST] = model_is_calm(&p->m);
        p->queue += send - lost;
        double line = p->queue < p->rate / 1000 ? p->queue : p->rate / 1000;
        p->queue -= line;
        p->left += line;
        p->past_left[at % PAST] = p->left;
        p->past_lost[at % PAST] = lost;
        p->past_wait[at % PAST] = (fog_time)(p->queue / p->rate * 1e6);
        p->worst_queue = p->queue > p->worst_queue ? p->queue : p->worst_queue;
        tell(p, at);
    }
}

static void
start(struct path *p, double mbit, double loss)
{
    *p = (struct path){.rate = mbit * 1e6 / 8, .loss = loss};
    p->now = FOG_SEC(2);
    fogi_model_init(&p->m, MTU, FOG_MS(10));
}

/* Random loss does not slow it: the path is full at any loss, and its queue stays short. */
static void
test_loss(void **state)
{
    (void)state;
    static const double losses[] = {0, 0.01, 0.05, 0.1, 0.2, 0.3};
    for (size_t i = 0; i < sizeof losses / sizeof losses[0]; i++) {
        struct path p;
        start(&p, 40, losses[i]);
        run(&p, 3000);
        double before = p.left;
        p.worst_queue = 0;
        run(&p, 5000);
        double share = (p.left - before) / (p.rate * 5);
        if (share < 0.93 || p.m.state != MODEL_CRUISE || p.m.p > losses[i] + 0.05)
            fail_msg("loss %.2f: share %.3f, p %.3f", losses[i], share, p.m.p);
        if (p.worst_queue > p.rate * 0.025)
            fail_msg("loss %.2f: a queue of %.0f ms", losses[i], p.worst_queue / p.rate * 1000);
    }
}

/* A rate that falls is followed, and one that rises. */
static void
test_rate_changes(void **state)
{
    (void)state;
    struct path p;
    start(&p, 40, 0.01);
    run(&p, 3000);
    p.rate /= 4;
    run(&p, 8000); /* ten rounds, each as long as the queue that the old rate fills */
    assert_true((double)p.m.bw < 1.3 * p.rate);
    assert_true(p.queue < p.rate * 0.05);
    p.rate *= 4;
    run(&p, 5000);
    assert_true((double)p.m.bw > 0.85 * p.rate);
}

/* Loss above a rate, without a queue, is a policer's: it is not made up for. */
static void
test_policer(void **state)
{
    (void)state;
    struct path p;
    start(&p, 100, 0);
    p.policed = 20e6 / 8;
    run(&p, 15000);
    assert_true(p.m.p < 0.15);
    assert_true((double)fogi_model_rate(&p.m, RTT) < 1.5 * p.policed);
}

/* What was lost while nothing was heard says nothing about the path. */
static void
test_dark(void **state)
{
    (void)state;
    struct path p;
    start(&p, 40, 0.01);
    run(&p, 3000);
    uint64_t bw = p.m.bw;
    double before = p.m.p;
    fogi_model_timeout(&p.m);
    for (unsigned i = 0; i < 200; i++)
        fogi_model_outcome(&p.m, true);
    p.now += FOG_SEC(1);
    run(&p, 60);
    assert_true(p.m.p < before + 0.02);
    assert_true(p.m.bw >= bw / 10 * 9);
}

/* Before anything is known 32 segments may leave; little traffic does not make that less. */
static void
test_start(void **state)
{
    (void)state;
    struct model m;
    fogi_model_init(&m, MTU, FOG_MS(10));
    assert_int_equal(fogi_model_room(&m), 32 * MTU);
    uint64_t rate = fogi_model_rate(&m, RTT);
    for (unsigned i = 1; i < 50; i++) {
        struct cc_ack a = {.now = (fog_time)i * RTT,
                           .rtt_us = RTT,
                           .delivered = i * 100u,
                           .prior = (i - 1) * 100u,
                           .bytes_per_s = 2000,
                           .limited = true};
        fogi_model_acked(&m, &a);
    }
    assert_int_equal(m.state, MODEL_STARTUP);
    assert_true(fogi_model_rate(&m, RTT) >= rate);
    assert_true(fogi_model_room(&m) >= 32 * MTU);
}

/* Until it was full, a path is taken to hold more; then twice what is on its way is to fit. */
static void
test_fits_twice(void **state)
{
    (void)state;
    struct model m;
    fogi_model_init(&m, 1250, 0);
    assert_true(fogi_model_fits_twice(&m, 1000000));
    m.state = MODEL_CRUISE;
    m.bw = 1000000;
    m.base_us = FOG_MS(100);
    assert_true(fogi_model_fits_twice(&m, 50000));
    assert_false(fogi_model_fits_twice(&m, 50001));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fits_twice),   cmocka_unit_test(test_loss),
        cmocka_unit_test(test_rate_changes), cmocka_unit_test(test_policer),
        cmocka_unit_test(test_dark),         cmocka_unit_test(test_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
