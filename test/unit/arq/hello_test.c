/* SPDX-License-Identifier: MIT */
#include "arq/hello.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define RTO FOG_MS(150)
#define T0 FOG_SEC(5)

static const uint8_t mine[] = "fog\1", theirs[] = "fog\2";

enum act { END, ARM, SEND, HEAR };

/* One end, step by step: what happens when, and when ours is due then, alone or in company. */
static void
test_steps(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint8_t len; /* of ours */
        struct {
            enum act act;
            int at_ms;
            int due_ms;   /* after it: to be said alone; -1: never         */
            bool company; /* ... and now, if a datagram leaves anyway      */
        } steps[13];
    } rows[] = {
        {"nothing to say", 0, {{ARM, 0, -1, false}, {HEAR, 10, -1, false}}},
        {"silence before it is armed", 4, {{HEAR, 0, -1, false}}},
        {"in company at once, alone after a wait", 4, {{ARM, 0, 150, true}}},
        {"said ten times, then it sleeps",
         4,
         {{ARM, 0, 150, true},
          {SEND, 0, 150, false},
          {SEND, 150, 300, false},
          {SEND, 300, 450, false},
          {SEND, 450, 600, false},
          {SEND, 600, 750, false},
          {SEND, 750, 900, false},
          {SEND, 900, 1050, false},
          {SEND, 1050, 1200, false},
          {SEND, 1200, 1350, false},
          {SEND, 1350, -1, false}}},
        {"heard after it was said: both know",
         4,
         {{ARM, 0, 150, true}, {SEND, 0, 150, false}, {HEAR, 50, -1, false}}},
        {"heard first: the answer leaves at once", 4, {{ARM, 0, 150, true}, {HEAR, 20, 20, true}}},
        {"heard again long after: ours was lost, it is answered",
         4,
         {{ARM, 0, 150, true},
          {SEND, 0, 150, false},
          {HEAR, 50, -1, false},
          {HEAR, 200, 200, true},
          {SEND, 200, -1, false},
          {HEAR, 210, -1, false}}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct hello h;
        fogi_hello_init(&h, mine, rows[i].len);
        for (unsigned s = 0; rows[i].steps[s].act != END; s++) {
            fog_time now = T0 + FOG_MS(rows[i].steps[s].at_ms);
            if (rows[i].steps[s].act == ARM)
                fogi_hello_arm(&h, RTO, now);
            else if (rows[i].steps[s].act == SEND)
                fogi_hello_sent(&h, RTO, now);
            else
                fogi_hello_received(&h, theirs, 4, now);
            int due = rows[i].steps[s].due_ms;
            fog_time at = due < 0 ? FOG_TIME_NEVER : T0 + FOG_MS(due);
            if (fogi_hello_deadline(&h) != at)
                fail_msg("%s, step %u: due at %lld", rows[i].name, s,
                         (long long)fogi_hello_deadline(&h));
            if (fogi_hello_wanted(&h, true, now) != rows[i].steps[s].company)
                fail_msg("%s, step %u: in company", rows[i].name, s);
            if (fogi_hello_wanted(&h, false, now) != (at <= now))
                fail_msg("%s, step %u: alone", rows[i].name, s);
        }
    }
}

/* Two waits are 100 ms apart at least, however short round trips are. */
static void
test_wait(void **state)
{
    (void)state;
    static const fog_time rtos[][2] = {{FOG_MS(30), HELLO_WAIT},
                                       {HELLO_WAIT, HELLO_WAIT},
                                       {HELLO_WAIT + 1, HELLO_WAIT + 1},
                                       {FOG_SEC(3), FOG_SEC(3)}};
    for (size_t i = 0; i < sizeof rtos / sizeof rtos[0]; i++) {
        struct hello h;
        fogi_hello_init(&h, mine, 4);
        fogi_hello_arm(&h, rtos[i][0], T0);
        assert_true(fogi_hello_deadline(&h) == T0 + rtos[i][1]);
        fogi_hello_sent(&h, rtos[i][0], T0 + 7);
        assert_true(fogi_hello_deadline(&h) == T0 + 7 + rtos[i][1]);
    }
}

/* Our round trips may seem longer than the peer's: it has said its own five times before our wait
 * is over, and is answered all the same. */
static void
test_long_wait_answers(void **state)
{
    (void)state;
    static const struct {
        fog_time after;
        bool answered;
    } rows[] = {
        {FOG_MS(1), false}, {HELLO_WAIT - 1, false}, {HELLO_WAIT, true}, {FOG_MS(600), true}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct hello h;
        fogi_hello_init(&h, mine, 4);
        fogi_hello_arm(&h, FOG_SEC(3), T0);
        fogi_hello_sent(&h, FOG_SEC(3), T0);
        fogi_hello_received(&h, theirs, 4, T0 + rows[i].after);
        assert_int_equal(fogi_hello_wanted(&h, false, T0 + rows[i].after), rows[i].answered);
    }
}

/* The first is kept, whatever comes later; lengths at the bounds and beyond. */
static void
test_received(void **state)
{
    (void)state;
    static const struct {
        size_t len;
        bool kept;
    } rows[] = {{0, false}, {1, true}, {FOG_HELLO_MAX, true}, {FOG_HELLO_MAX + 1, false}};
    uint8_t bytes[FOG_HELLO_MAX + 1];
    memset(bytes, 'x', sizeof bytes);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct hello h;
        fogi_hello_init(&h, mine, 4);
        assert_false(fogi_hello_received(&h, bytes, rows[i].len, T0)); /* not armed */
        fogi_hello_arm(&h, RTO, T0);
        assert_int_equal(fogi_hello_received(&h, bytes, rows[i].len, T0), rows[i].kept);
        assert_int_equal(h.theirs_len, rows[i].kept ? rows[i].len : 0);
        assert_int_equal(fogi_hello_received(&h, theirs, 4, T0), !rows[i].kept);
        if (rows[i].kept)
            assert_memory_equal(h.theirs, bytes, rows[i].len);
    }
}

/* A peer that says its own for ever gets ten answers. */
static void
test_answers_end(void **state)
{
    (void)state;
    struct hello h;
    unsigned answers = 0;
    fogi_hello_init(&h, mine, 4);
    fogi_hello_arm(&h, RTO, T0);
    for (fog_time now = T0; now < T0 + FOG_SEC(60); now += FOG_MS(200)) {
        fogi_hello_received(&h, theirs, 4, now);
        if (fogi_hello_wanted(&h, false, now)) {
            fogi_hello_sent(&h, RTO, now);
            answers++;
        }
    }
    assert_int_equal(answers, HELLO_TIMES);
    assert_true(fogi_hello_deadline(&h) == FOG_TIME_NEVER);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_wait),
        cmocka_unit_test(test_long_wait_answers),
        cmocka_unit_test(test_received),
        cmocka_unit_test(test_answers_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
