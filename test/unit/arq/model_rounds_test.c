/* SPDX-License-Identifier: MIT
 *
 * model_rounds_test.c - what one round after another tells the model, as tables. How it behaves on
 * a path is in model_test.c.
 */
#include "arq/model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#define MTU 1250u
#define T0 FOG_SEC(100)
#define SAMPLES 16u

struct fixture {
    struct model m;
    fog_time now;
    uint64_t delivered;
};

/* What one round is like. */
struct round {
    double mbps;
    int rtt_ms;
    bool limited;
    unsigned kept, lost;
};

static void
start(struct fixture *f)
{
    *f = (struct fixture){.now = T0};
    fogi_model_init(&f->m, MTU, FOG_MS(10));
}

/* A round: its outcomes, then its samples; the last acknowledges what left in it, and ends it. */
static void
play(struct fixture *f, struct round r)
{
    uint64_t bw = (uint64_t)(r.mbps * 1e6 / 8), before = f->delivered;
    fog_time rtt = FOG_MS(r.rtt_ms);
    for (unsigned i = 0; i < r.kept + r.lost; i++)
        fogi_model_outcome(&f->m, i < r.lost);
    for (unsigned i = 1; i <= SAMPLES; i++) {
        f->now += rtt / SAMPLES;
        f->delivered += bw * (uint64_t)rtt / 1000000 / SAMPLES;
        struct cc_ack a = {
            .now = f->now,
            .rtt_us = rtt,
            .delivered = f->delivered,
            .prior = i == SAMPLES ? f->m.round_ends : before,
            .bytes_per_s = bw,
            .limited = r.limited,
            .out = (size_t)(r.mbps * 1e6 / 8 * (double)rtt / 1e6),
        };
        if (i < SAMPLES && a.prior >= f->m.round_ends)
            a.prior = f->m.round_ends ? f->m.round_ends - 1 : 0;
        fogi_model_acked(&f->m, &a);
    }
}

static void
play_many(struct fixture *f, struct round r, unsigned n)
{
    while (n-- > 0)
        play(f, r);
}

/* Through the start and the drain, at this rate and round trip. */
static void
settle(struct fixture *f, double mbps, int rtt_ms)
{
    start(f);
    play_many(f, (struct round){.mbps = mbps, .rtt_ms = rtt_ms, .kept = 100}, 20);
    assert_int_equal(f->m.state, MODEL_CRUISE);
}

static bool
is_about(double x, double y)
{
    return x > 0.98 * y && x < 1.02 * y;
}

/* The bandwidth is the largest of the last ten rounds; rounds with too little to say may raise it
 * only. */
static void
test_bandwidth(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        double then; /* Mbit/s, after 20 */
        bool limited;
        unsigned rounds;
        double bw;
    } rows[] = {
        {"slower, nine rounds", 5, false, 9, 20},     {"slower, ten rounds", 5, false, 10, 5},
        {"faster, one round", 40, false, 1, 40},      {"little said", 5, true, 30, 20},
        {"little said, but faster", 40, true, 1, 40},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture f;
        settle(&f, 20, 50);
        struct round r = {
            .mbps = rows[i].then, .rtt_ms = 50, .limited = rows[i].limited, .kept = 9};
        play_many(&f, r, rows[i].rounds);
        if (!is_about((double)f.m.bw * 8e-6, rows[i].bw))
            fail_msg("%s: %.1f", rows[i].name, (double)f.m.bw * 8e-6);
    }
}

/* The start is over when three rounds brought nothing more, or a queue shows; not while there was
 * too little to say. (The first sample of all ends a round of its own.) */
static void
test_start_ends(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct round r;
        double growth; /* per round */
        unsigned rounds;
        bool over;
    } rows[] = {
        {"grows", {.mbps = 1, .rtt_ms = 50}, 1.5, 8, false},
        {"flat for two", {.mbps = 10, .rtt_ms = 50}, 1, 2, false},
        {"flat for three", {.mbps = 10, .rtt_ms = 50}, 1, 3, true},
        {"grows a little only", {.mbps = 10, .rtt_ms = 50}, 1.1, 12, true},
        {"flat, little said", {.mbps = 10, .rtt_ms = 50, .limited = true}, 1, 30, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture f;
        start(&f);
        struct round r = rows[i].r;
        for (unsigned n = 0; n < rows[i].rounds; n++, r.mbps *= rows[i].growth)
            play(&f, r);
        if ((f.m.state != MODEL_STARTUP) != rows[i].over)
            fail_msg("%s: state %d", rows[i].name, (int)f.m.state);
    }
    struct fixture f;
    start(&f);
    for (unsigned n = 0; n < 4; n++)
        play(&f, (struct round){.mbps = 10 * (1 + n), .rtt_ms = 50});
    assert_int_equal(f.m.state, MODEL_STARTUP);
    play(&f, (struct round){.mbps = 80, .rtt_ms = 90}); /* grows, but 40 ms stand in a queue */
    assert_int_equal(f.m.state, MODEL_DRAIN);
}

/* The least round trip: a lesser one counts at once; a longer one after ten seconds, with a rest in
 * which little is under way. */
static void
test_least_round_trip(void **state)
{
    (void)state;
    static const struct {
        int then_ms;
        fog_time after;
        int base_ms;
    } rows[] = {
        {30, FOG_MS(200), 30}, {50, FOG_SEC(30), 50}, {51, FOG_SEC(30), 50},
        {80, FOG_SEC(9), 50},  {80, FOG_SEC(13), 80},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture f;
        settle(&f, 20, 50);
        bool rested = false;
        for (fog_time end = f.now + rows[i].after; f.now < end;) {
            play(&f, (struct round){.mbps = 20, .rtt_ms = rows[i].then_ms, .kept = 9});
            if (f.m.state == MODEL_REST) {
                rested = true;
                assert_true(fogi_model_room(&f.m) < (size_t)(20e6 / 8 * 0.05));
            }
        }
        if (!is_about((double)f.m.base_us, rows[i].base_ms * 1000))
            fail_msg("row %zu: %lld us", i, (long long)f.m.base_us);
        assert_int_equal(rested, rows[i].base_ms > 50);
    }
}

/* Random loss is the share lost in calm rounds; what came while a queue stood, or after a timeout,
 * says nothing; what was late only is taken back. */
static void
test_random_loss(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        unsigned lost, rtt_ms;
        bool timeout, regret;
        double least, most;
    } rows[] = {
        {"none", 0, 50, false, false, 0, 0},
        {"one in a hundred", 1, 50, false, false, 0.005, 0.013},
        {"one in ten", 10, 50, false, false, 0.08, 0.12},
        {"three in ten", 30, 50, false, false, 0.25, 0.35},
        {"seven in ten: half at most", 70, 50, false, false, 0.5, 0.5},
        {"one in ten, with a queue", 10, 120, false, false, 0, 0.001},
        {"one in ten, each after a timeout", 10, 50, true, false, 0, 0.001},
        {"one in ten, late only", 10, 50, false, true, 0, 0.001},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture f;
        settle(&f, 20, 50);
        struct round r = {.mbps = 20, .rtt_ms = (int)rows[i].rtt_ms};
        if (rows[i].rtt_ms > 50)
            play(&f, r); /* the queue is known before its losses are */
        for (unsigned n = 0; n < 80; n++) {
            if (rows[i].timeout)
                fogi_model_timeout(&f.m);
            for (unsigned j = 0; j < 100; j++)
                fogi_model_outcome(&f.m, j < rows[i].lost);
            for (unsigned j = 0; rows[i].regret && j < rows[i].lost; j++)
                fogi_model_spurious(&f.m);
            play(&f, r);
        }
        if (f.m.p < rows[i].least || f.m.p > rows[i].most)
            fail_msg("%s: %.4f", rows[i].name, f.m.p);
    }
}

/* What may leave follows: the rate makes up for random loss, the room is two round trips' worth. */
static void
test_answers(void **state)
{
    (void)state;
    static const unsigned losses[] = {0, 10, 30};
    for (size_t i = 0; i < sizeof losses / sizeof losses[0]; i++) {
        struct fixture f;
        settle(&f, 20, 50);
        struct round r = {.mbps = 20, .rtt_ms = 50, .lost = losses[i], .kept = 100 - losses[i]};
        play_many(&f, r, 80);
        double rate = (double)fogi_model_rate(&f.m, FOG_MS(50)) * 8e-6 / f.m.gain;
        double room = (double)fogi_model_room(&f.m), bdp = 20e6 / 8 * 0.05 / (1 - f.m.p);
        assert_true(is_about(rate, 20 / (1 - f.m.p)));
        assert_true(room > 2 * bdp && room < 2.2 * bdp + 20e6 / 8 * 0.01 / (1 - f.m.p) + 16 * MTU);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bandwidth),        cmocka_unit_test(test_start_ends),
        cmocka_unit_test(test_least_round_trip), cmocka_unit_test(test_random_loss),
        cmocka_unit_test(test_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
