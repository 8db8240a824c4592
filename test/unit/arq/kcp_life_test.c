/* SPDX-License-Identifier: MIT
 *
 * Closed windows, dark links, restarts and ends, as one engine lives through them.
 */
#include "peer.h"

#include "arq/hello.h"

/* --------------------------------------------------------------------------- closed windows */

static void
test_zero_window(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    assert_int_equal(craft_feed(f.a, (struct seg){.cmd = SEG_WINS}, f.now), FOG_OK);
    assert_true(sleeps(&f)); /* nothing to send: nothing to ask */
    craft_write(f.a, 10, f.now);
    assert_int_equal(drain(&f), 0);
    static const fog_time at[] = {FOG_MS(500), FOG_MS(1250), FOG_MS(2375)};
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(wake(&f), FOG_WHY_PROBE);
        assert_true(f.now == T0 + at[i]);
        assert_int_equal(drain(&f), 1);
        assert_int_equal(f.out.n, 1);
        assert_int_equal(f.out.segs[0].cmd, SEG_WASK);
        assert_int_equal(craft_feed(f.a, (struct seg){.cmd = SEG_WINS}, f.now), FOG_OK);
    }
    assert_int_equal(craft_status(f.a).n.probes_out, 3);
    assert_int_equal(craft_status(f.a).n.zero_windows, 1);
    /* any segment reopens it, here an ACK */
    assert_int_equal(feed(&f, (struct seg){.cmd = SEG_ACK, .wnd = 1}), FOG_OK);
    assert_int_equal(drain(&f), 1);
    assert_int_equal(f.out.segs[0].cmd, SEG_PUSH);
    end(&f);
}

static void
test_zero_window_for_ever(void **state)
{
    (void)state;
    for (unsigned late = 0; late < 2; late++) {
        struct fixture f;
        start(&f);
        assert_int_equal(craft_feed(f.a, (struct seg){.cmd = SEG_WINS}, f.now), FOG_OK);
        craft_write(f.a, 10, f.now);
        while (fog_arq_deadline(f.a, NULL) < T0 + FOG_SEC(60)) {
            wake(&f);
            drain(&f);
            assert_int_equal(craft_feed(f.a, (struct seg){.cmd = SEG_WINS}, f.now), FOG_OK);
        }
        f.now = T0 + FOG_SEC(60) - 1 + late;
        fog_arq_tick(f.a, f.now);
        assert_int_equal(craft_status(f.a).failed, late);
        if (late)
            assert_true(event(&f, FOG_ARQ_FAILED, FOG_E_DEAD));
        end(&f);
    }
}

/* As long as the peer takes something now and then, its closed window is no reason to give up. */
static void
test_zero_window_with_progress(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    fly(&f, 3);
    craft_write(f.a, 10, f.now);
    for (uint32_t una = 0; una <= 3; una++) {
        fog_time from = f.now;
        struct seg s = {.cmd = SEG_WINS, .una = una};
        assert_int_equal(craft_feed(f.a, s, f.now), FOG_OK);
        while (f.now < from + FOG_SEC(45)) {
            wake(&f);
            drain(&f);
            assert_int_equal(craft_feed(f.a, s, f.now), FOG_OK);
            assert_false(craft_status(f.a).failed);
        }
    }
    f.now += FOG_SEC(60);
    fog_arq_tick(f.a, f.now);
    assert_true(event(&f, FOG_ARQ_FAILED, FOG_E_DEAD));
    end(&f);
}

/* Our own window: told at once when it reopens, then again until data comes. */
static void
test_reopening(void **state)
{
    (void)state;
    struct fixture f;
    classic(&f.o);
    f.o.rcv_wnd = 2;
    start_with(&f);
    for (uint32_t sn = 0; sn < 2; sn++)
        assert_int_equal(feed(&f, (struct seg){.cmd = SEG_PUSH, .sn = sn, .len = 3}), FOG_OK);
    assert_int_equal(drain(&f), 1);
    assert_int_equal(f.out.segs[0].wnd, 0);
    assert_true(sleeps(&f));
    fog_arq_consume(f.a, 3, f.now);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(wake(&f), FOG_WHY_PROBE);
        assert_int_equal(drain(&f), 1);
        assert_int_equal(f.out.segs[0].cmd, SEG_WINS);
        assert_int_equal(f.out.segs[0].wnd, 1);
        assert_int_equal(f.out.segs[0].una, 2);
    }
    assert_true(f.now == T0 + FOG_MS(200 + 400 + 800 + 1000));
    assert_true(sleeps(&f));
    end(&f);

    start_with(&f);
    for (uint32_t sn = 0; sn < 2; sn++)
        assert_int_equal(feed(&f, (struct seg){.cmd = SEG_PUSH, .sn = sn, .len = 3}), FOG_OK);
    drain(&f);
    fog_arq_consume(f.a, 3, f.now);
    wake(&f);
    drain(&f);
    assert_int_equal(feed(&f, (struct seg){.cmd = SEG_PUSH, .sn = 2, .len = 3}), FOG_OK);
    drain(&f);
    assert_true(sleeps(&f)); /* data came: the peer knows */
    end(&f);
}

static void
test_wask_is_answered(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    assert_int_equal(feed(&f, (struct seg){.cmd = SEG_WASK}), FOG_OK);
    assert_int_equal(drain(&f), 1);
    assert_int_equal(f.out.segs[0].cmd, SEG_WINS);
    assert_int_equal(f.out.segs[0].wnd, 1024);
    assert_int_equal(craft_status(f.a).n.windows_out, 1);
    assert_true(sleeps(&f));
    end(&f);
}

/* ------------------------------------------------------------------------------------- an end */

static void
test_dead(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    f.now += FOG_SEC(1000); /* idle for long: nobody minds */
    fog_arq_tick(f.a, f.now);
    assert_true(no_event(&f));
    fog_time sent_at = f.now;
    fly(&f, 1);
    while (fog_arq_deadline(f.a, NULL) < sent_at + FOG_SEC(90)) {
        wake(&f);
        drain(&f);
    }
    f.now = sent_at + FOG_SEC(90) - 1;
    fog_arq_tick(f.a, f.now);
    assert_true(no_event(&f));
    assert_int_equal(feed(&f, (struct seg){.cmd = SEG_WINS, .wnd = 9}), FOG_OK); /* life */
    f.now += FOG_SEC(90) - 1;
    fog_arq_tick(f.a, f.now);
    assert_true(no_event(&f));
    f.now++;
    fog_arq_tick(f.a, f.now);
    assert_true(event(&f, FOG_ARQ_FAILED, FOG_E_DEAD));
    assert_true(no_event(&f));
    end(&f);
}

/* A server that nobody proves himself to does not wait for ever, though nothing is under way. */
static void
test_never_proven(void **state)
{
    (void)state;
    struct fixture f;
    fog_kcp_options_init(&f.o);
    f.o.validate = true;
    f.o.dead_us = FOG_SEC(5);
    start_with(&f);
    assert_int_equal(feed(&f, (struct seg){.cmd = SEG_PUSH, .len = 9}), FOG_OK);
    drain(&f);
    assert_int_equal(wake(&f), FOG_WHY_HANDSHAKE);
    assert_true(f.now == T0 + FOG_SEC(5));
    assert_true(event(&f, FOG_ARQ_FAILED, FOG_E_DEAD));
    end(&f);
}

static void
test_after_failure(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    fly(&f, 3);
    assert_int_equal(feed(&f, (struct seg){.cmd = SEG_PUSH, .len = 7}), FOG_OK);
    assert_int_equal(feed(&f, (struct seg){.cmd = SEG_PUSH, .sn = 1, .len = 7}), FOG_OK);
    craft_write(f.a, 100, f.now);
    f.now += FOG_SEC(91);
    fog_arq_tick(f.a, f.now);
    assert_true(craft_status(f.a).failed);
    assert_int_equal(feed(&f, (struct seg){.cmd = SEG_PUSH, .sn = 2}), FOG_E_CLOSED);
    assert_int_equal(drain(&f), 0);
    assert_true(sleeps(&f));
    assert_int_equal(fog_arq_writable(f.a), 0);
    const void *buf;
    void *to;
    size_t len, total = 0;
    assert_int_equal(fog_arq_reserve(f.a, 1, &to, &len), FOG_E_CLOSED);
    for (;;) {
        fog_arq_peek(f.a, &buf, &len);
        if (len == 0)
            break;
        total += len;
        fog_arq_consume(f.a, len, f.now);
    }
    assert_int_equal(total, 14);
    fog_arq_tick(f.a, f.now);
    end(&f);
}

/* What proves that the peer has lost its state, and what does not. Five segments were sent; the
 * peer told una 3, and then a sixth was sent. */
static void
test_restart(void **state)
{
    (void)state;
    /* clang-format off */
    static const struct {
        const char *name;
        struct seg s; /* ts counts from the base */
        bool restarted;
    } rows[] = {
        { "ACK of the sixth, una 0",          { .cmd = SEG_ACK,  .sn = 5, .ts = 5, .una = 0 }, true  },
        { "ACK of the sixth, una 2",          { .cmd = SEG_ACK,  .sn = 5, .ts = 5, .una = 2 }, true  },
        { "ACK of the sixth, una 3",          { .cmd = SEG_ACK,  .sn = 5, .ts = 5, .una = 3 }, false },
        { "WINS of the sixth, una 0",         { .cmd = SEG_WINS, .sn = 5, .ts = 5, .una = 0 }, true  },
        { "WASK with its numbers",            { .cmd = SEG_WASK, .sn = 5, .ts = 5, .una = 0 }, false },
        { "late ACK of the fifth, una 0",     { .cmd = SEG_ACK,  .sn = 4, .ts = 4, .una = 0 }, false },
        { "forged stamp",                     { .cmd = SEG_ACK,  .sn = 5, .ts = 6, .una = 0 }, false },
        { "forged sn",                        { .cmd = SEG_WINS, .sn = 4, .ts = 5, .una = 0 }, false },
        { "una 0 alone",                      { .cmd = SEG_WINS, .sn = 0, .ts = 9, .una = 0 }, false },
    };
    /* clang-format on */
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture f;
        start(&f);
        fly(&f, 5);
        assert_int_equal(feed(&f, (struct seg){.cmd = SEG_WINS, .wnd = 100, .una = 3}), FOG_OK);
        drain(&f);
        craft_write(f.a, 20, f.now);
        assert_int_equal(drain(&f), 1);
        struct seg s = rows[i].s;
        s.ts += f.o.ts_base;
        assert_int_equal(feed(&f, s), FOG_OK);
        if (craft_status(f.a).failed != rows[i].restarted)
            fail_msg("%s", rows[i].name);
        assert_int_equal(event(&f, FOG_ARQ_FAILED, FOG_E_RESTARTED), rows[i].restarted);
        end(&f);
    }
}

/* The same of what the log has forgotten. Three were sent and acknowledged, then seventy in one go,
 * the last of them 72, then nothing is under way. */
static void
test_restart_after_all_was_answered(void **state)
{
    (void)state;
    /* clang-format off */
    static const struct {
        const char *name;
        struct seg s; /* ts counts from the base */
        bool restarted;
    } rows[] = {
        { "ACK of the last, una 2",      { .cmd = SEG_ACK,  .sn = 72, .ts = 72, .una = 2 }, true  },
        { "ACK of the last, una 0",      { .cmd = SEG_ACK,  .sn = 72, .ts = 72, .una = 0 }, true  },
        { "una as known when it left",   { .cmd = SEG_ACK,  .sn = 72, .ts = 72, .una = 3 }, false },
        { "WINS of the last, una 2",     { .cmd = SEG_WINS, .sn = 72, .ts = 72, .una = 2 }, true  },
        { "WASK of the last, una 2",     { .cmd = SEG_WASK, .sn = 72, .ts = 72, .una = 2 }, false },
        { "64 transmissions ago",        { .cmd = SEG_ACK,  .sn = 72, .ts = 9,  .una = 2 }, true  },
        { "65 transmissions ago",        { .cmd = SEG_ACK,  .sn = 72, .ts = 8,  .una = 2 }, false },
        { "64 segments ago",             { .cmd = SEG_ACK,  .sn = 9,  .ts = 72, .una = 2 }, true  },
        { "65 segments ago",             { .cmd = SEG_ACK,  .sn = 8,  .ts = 72, .una = 2 }, false },
        { "a stamp that never left",     { .cmd = SEG_ACK,  .sn = 72, .ts = 73, .una = 2 }, false },
        { "a segment that never left",   { .cmd = SEG_ACK,  .sn = 73, .ts = 72, .una = 2 }, false },
    };
    /* clang-format on */
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture f;
        start(&f);
        fly(&f, 3);
        assert_int_equal(feed(&f, (struct seg){.cmd = SEG_ACK, .ts = stamp(&f, 0), .una = 3}), 0);
        fly(&f, 70);
        struct seg all = {.cmd = SEG_ACK, .sn = 72, .ts = stamp(&f, 72), .una = 73};
        assert_int_equal(feed(&f, all), FOG_OK);
        assert_true(no_event(&f) && sleeps(&f));
        struct seg s = rows[i].s;
        s.ts += f.o.ts_base;
        assert_int_equal(feed(&f, s), FOG_OK);
        if (craft_status(f.a).failed != rows[i].restarted)
            fail_msg("%s", rows[i].name);
        assert_int_equal(event(&f, FOG_ARQ_FAILED, FOG_E_RESTARTED), rows[i].restarted);
        end(&f);
    }
    struct fixture f;
    start(&f);
    for (uint32_t sn = 0; sn < 3; sn++) {
        fly(&f, 1);
        struct seg ack = {.cmd = SEG_ACK, .sn = sn, .ts = stamp(&f, sn), .una = sn + 1};
        assert_int_equal(feed(&f, ack), FOG_OK);
    }
    struct seg older = {.cmd = SEG_ACK, .sn = 1, .ts = stamp(&f, 1), .una = 1};
    assert_int_equal(feed(&f, older), FOG_OK);
    assert_true(no_event(&f)); /* of the time before: which una was known then is forgotten, too */
    end(&f);
}

/* The answer of fog_kcp_unknown() does it. */
static void
test_unknown_is_understood(void **state)
{
    (void)state;
    struct fixture f;
    uint8_t out[FOG_KCP_HEADER];
    size_t len;
    start(&f);
    fly(&f, 1);
    len = fog_kcp_unknown(f.out.buf, f.out.len, 0, out, sizeof out);
    assert_int_equal(fog_arq_input(f.a, out, len, f.now), FOG_OK);
    assert_true(no_event(&f)); /* nothing was known to have arrived: no proof */
    assert_int_equal(feed(&f, (struct seg){.cmd = SEG_ACK, .ts = stamp(&f, 0), .una = 1}), FOG_OK);
    fly(&f, 1);
    len = fog_kcp_unknown(f.out.buf, f.out.len, 0, out, sizeof out);
    assert_int_equal(fog_arq_input(f.a, out, len, f.now), FOG_OK);
    assert_true(event(&f, FOG_ARQ_FAILED, FOG_E_RESTARTED));
    end(&f);
}

/* A session that only asks for the window finds out as well. */
static void
test_unknown_answers_wask(void **state)
{
    (void)state;
    struct fixture f;
    uint8_t out[FOG_KCP_HEADER];
    size_t len;
    start(&f);
    fly(&f, 1);
    assert_int_equal(
        craft_feed(f.a, (struct seg){.cmd = SEG_ACK, .ts = stamp(&f, 0), .una = 1}, f.now), FOG_OK);
    craft_write(f.a, 10, f.now); /* the window is 0 */
    assert_int_equal(wake(&f), FOG_WHY_PROBE);
    assert_int_equal(drain(&f), 1);
    assert_int_equal(f.out.segs[0].cmd, SEG_WASK);
    struct seg forged = {.cmd = SEG_WINS, .sn = f.out.segs[0].sn, .ts = f.out.segs[0].ts + 1};
    assert_int_equal(craft_feed(f.a, forged, f.now), FOG_OK);
    assert_true(no_event(&f));
    len = fog_kcp_unknown(f.out.buf, f.out.len, 0, out, sizeof out);
    assert_int_equal(len, FOG_KCP_HEADER);
    assert_int_equal(fog_arq_input(f.a, out, len, f.now), FOG_OK);
    assert_true(event(&f, FOG_ARQ_FAILED, FOG_E_RESTARTED));
    end(&f);
}

static void
test_worn(void **state)
{
    (void)state;
    struct fixture f;
    classic(&f.o);
    f.o.rotate_after = 10;
    start_with(&f);
    fly(&f, 9);
    assert_true(no_event(&f));
    fly(&f, 1);
    assert_true(event(&f, FOG_ARQ_WORN, FOG_OK));
    fly(&f, 5);
    assert_true(no_event(&f)); /* once */
    end(&f);
}

/* A peer that sends wears the session out as well; duplicates do not. */
static void
test_worn_by_the_peer(void **state)
{
    (void)state;
    struct fixture f;
    classic(&f.o);
    f.o.rotate_after = 10;
    start_with(&f);
    struct seg push = {.cmd = SEG_PUSH, .wnd = 1024, .len = 1, .data = (const uint8_t *)"x"};
    for (push.sn = 0; push.sn < 9; push.sn++) {
        assert_int_equal(craft_feed(f.a, push, f.now), FOG_OK);
        assert_int_equal(craft_feed(f.a, push, f.now), FOG_OK);
    }
    assert_true(no_event(&f));
    assert_int_equal(craft_feed(f.a, push, f.now), FOG_OK);
    assert_true(event(&f, FOG_ARQ_WORN, FOG_OK));
    struct answer acks;
    craft_drain(f.a, &acks, f.now);
    fly(&f, 10);
    assert_true(no_event(&f)); /* once, whichever way */
    end(&f);
}

/* ------------------------------------------------------------------------------------ the rest */

static void
test_suspended(void **state)
{
    (void)state;
    static const fog_time jumps[] = {FOG_SEC(1), FOG_SEC(60), FOG_SEC(89)};
    for (unsigned i = 0; i < 3; i++) {
        struct fixture f;
        start(&f);
        fly(&f, 32);
        f.now += jumps[i];
        fog_arq_tick(f.a, f.now);
        assert_int_equal(craft_status(f.a).n.timeouts, 1);
        assert_int_equal(craft_status(f.a).n.lost, 32);
        fog_arq_tick(f.a, f.now);
        assert_int_equal(craft_status(f.a).n.timeouts, 1);
        end(&f);
    }
}

/* Total darkness: probes at most two a time, at most 2 s apart, nothing wild when light returns. */
static void
test_blackout(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    assert_int_equal(feed(&f, (struct seg){.cmd = SEG_WINS, .wnd = 1024}), FOG_OK);
    fly(&f, 200);
    fog_time last = f.now;
    unsigned rounds = 0;
    while (f.now < T0 + FOG_SEC(60)) {
        wake(&f);
        unsigned n = drain(&f);
        if (n) {
            assert_true(n <= (rounds++ ? 2 : 32));
            assert_true(f.now - last <= FOG_SEC(2));
            last = f.now;
        }
    }
    assert_true(rounds > 30 && rounds < 60);
    assert_int_equal(craft_status(f.a).n.blackouts, 1);
    /* the last probe is answered: what is older than it counts as lost, once */
    uint32_t sn = f.out.segs[0].sn, ts = f.out.segs[0].ts;
    struct fog_arq_status st = craft_status(f.a);
    assert_int_equal(feed(&f, (struct seg){.cmd = SEG_ACK, .sn = sn, .ts = ts}), FOG_OK);
    f.now += FOG_SEC(1);
    drain(&f);
    assert_true(craft_status(f.a).n.resent - st.n.resent <= 200);
    for (last = f.now; f.now < last + FOG_SEC(5); drain(&f))
        wake(&f);
    assert_int_equal(craft_status(f.a).n.blackouts, 2);
    end(&f);
}

/* A peer that takes back its window has room for the oldest segment only; the oldest transmissions
 * are of others. Each timeout sends that one first: a hole once waited for 80 s. */
static void
test_window_taken_back(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    assert_int_equal(feed(&f, (struct seg){.cmd = SEG_WINS, .wnd = 200}), FOG_OK);
    fly(&f, 100);
    for (uint32_t una = 0; una < 20; una++) {
        fog_time from = f.now;
        bool came = false;
        while (!came) {
            wake(&f);
            assert_true(f.now <= from + FOG_SEC(1));
            for (craft_take(f.a, &f.out, f.now); f.out.len; craft_take(f.a, &f.out, f.now))
                came |= f.out.segs[0].sn == una;
        }
        assert_int_equal(feed(&f, (struct seg){.cmd = SEG_WINS, .wnd = 1, .una = una + 1}), FOG_OK);
    }
    assert_true(f.now < T0 + FOG_SEC(20));
    end(&f);
}

/* Our process was stopped for 80 s while an answer lay in the socket: soon after, what is lost is
 * repaired as before. */
static void
test_stopped_for_long(void **state)
{
    (void)state;
    for (unsigned model = 0; model < 2; model++) {
        struct fixture f;
        classic(&f.o);
        if (model)
            fog_kcp_options_init(&f.o);
        f.o.ts_base = 5000;
        start_with(&f);
        for (uint32_t sn = 0; sn < 2; sn++) {
            fly(&f, 1);
            f.now += sn ? FOG_SEC(50) : FOG_MS(20);
            struct seg ack = {.cmd = SEG_ACK, .sn = sn, .ts = stamp(&f, sn), .una = sn + 1};
            assert_int_equal(feed(&f, ack), FOG_OK);
        }
        fly(&f, 1);
        assert_true(fog_arq_deadline(f.a, NULL) <= f.now + FOG_MS(2020));
        end(&f);
    }
}

static void
test_hello(void **state)
{
    (void)state;
    struct fixture f;
    classic(&f.o);
    f.o.hello_len = 3;
    memcpy(f.o.hello, "abc", 3);
    start_with(&f);
    fly(&f, 2);
    assert_int_equal(craft_status(f.a).n.windows_out, 0); /* not before the peer is proven */
    f.now += FOG_MS(20);
    assert_int_equal(feed(&f, (struct seg){.cmd = SEG_ACK, .ts = stamp(&f, 0), .una = 1}), FOG_OK);
    craft_write(f.a, 10, f.now);
    assert_int_equal(drain(&f), 1);
    assert_int_equal(f.out.segs[0].cmd, SEG_WINS);
    assert_int_equal(f.out.segs[0].len, 3);
    assert_int_equal(f.out.segs[0].wnd, 1024);
    assert_memory_equal(f.out.segs[0].data, "abc", 3);
    assert_int_equal(f.out.segs[1].cmd, SEG_PUSH);

    f.now += FOG_MS(20);
    assert_int_equal(feed(&f, (struct seg){.cmd = SEG_ACK, .sn = 2, .ts = stamp(&f, 2), .una = 3}),
                     FOG_OK);
    while (!sleeps(&f)) { /* a vproxy peer never answers: it gives up and sleeps */
        wake(&f);
        drain(&f);
    }
    assert_int_equal(craft_status(f.a).n.windows_out, HELLO_TIMES);
    assert_true(f.now < T0 + FOG_SEC(2));
    assert_null(craft_status(f.a).hello);
    assert_int_equal(feed(&f, (struct seg){.cmd = SEG_WINS, .wnd = 9, .una = 3, .len = 16}),
                     FOG_OK);
    assert_int_equal(craft_status(f.a).hello_len, 16);
    assert_memory_equal(craft_status(f.a).hello, "xxxxxxxxxxxxxxxx", 16);
    assert_true(event(&f, FOG_ARQ_HELLO, FOG_OK));
    assert_int_equal(feed(&f, (struct seg){.cmd = SEG_WINS, .wnd = 9, .una = 3, .len = 4}), FOG_OK);
    assert_true(no_event(&f));
    assert_int_equal(craft_status(f.a).hello_len, 16);
    end(&f);
}

/* The usual datagram allocates nothing in the engine but the payload's copy; idle it holds itself.
 */
static void
test_idle_holds_nothing(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    size_t held = craft_status(f.a).held;
    assert_true(held <= 2048);
    for (uint32_t i = 0; i < 100; i++) {
        fly(&f, 1);
        f.now += FOG_MS(20);
        struct craft c = {.len = 0};
        craft_add(
            &c, (struct seg){.cmd = SEG_ACK, .wnd = 99, .sn = i, .ts = stamp(&f, i), .una = i + 1});
        craft_add(&c, (struct seg){.cmd = SEG_PUSH, .wnd = 99, .sn = i, .una = i + 1, .len = 40});
        assert_int_equal(fog_arq_input(f.a, c.buf, c.len, f.now), FOG_OK);
        fog_arq_consume(f.a, 40, f.now);
        drain(&f);
        assert_int_equal(craft_status(f.a).held, held);
        assert_true(sleeps(&f));
    }
    end(&f);
}

/* Memory runs out while sending: what cannot be logged waits, and is tried again. */
static void
test_output_without_memory(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    craft_write(f.a, 100, f.now);
    f.ledger.fail_at = f.ledger.calls + 1;
    assert_int_equal(drain(&f), 0);
    enum fog_why why;
    assert_true(fog_arq_deadline(f.a, &why) == f.now + FOG_MS(10));
    assert_int_equal(why, FOG_WHY_PACE);
    wake(&f);
    assert_int_equal(drain(&f), 1);
    end(&f);
}

static void
test_output_usage(void **state)
{
    (void)state;
    struct fixture f;
    size_t len = 9;
    start(&f);
    craft_write(f.a, 5, f.now);
    uint8_t buf[1250];
    assert_int_equal(fog_arq_output(f.a, buf, 1249, &len, f.now), FOG_E_USAGE);
    assert_int_equal(len, 0);
    assert_int_equal(fog_arq_output(f.a, buf, 1250, &len, f.now), FOG_OK);
    assert_int_equal(len, 29);
    end(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zero_window),
        cmocka_unit_test(test_zero_window_for_ever),
        cmocka_unit_test(test_zero_window_with_progress),
        cmocka_unit_test(test_reopening),
        cmocka_unit_test(test_wask_is_answered),
        cmocka_unit_test(test_dead),
        cmocka_unit_test(test_never_proven),
        cmocka_unit_test(test_after_failure),
        cmocka_unit_test(test_restart),
        cmocka_unit_test(test_restart_after_all_was_answered),
        cmocka_unit_test(test_unknown_is_understood),
        cmocka_unit_test(test_unknown_answers_wask),
        cmocka_unit_test(test_worn),
        cmocka_unit_test(test_worn_by_the_peer),
        cmocka_unit_test(test_suspended),
        cmocka_unit_test(test_blackout),
        cmocka_unit_test(test_window_taken_back),
        cmocka_unit_test(test_stopped_for_long),
        cmocka_unit_test(test_hello),
        cmocka_unit_test(test_idle_holds_nothing),
        cmocka_unit_test(test_output_without_memory),
        cmocka_unit_test(test_output_usage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
