/* SPDX-License-Identifier: MIT
 *
 * What one engine accepts and refuses, and what it owes a peer that has proven nothing.
 */
#include "peer.h"

/* --------------------------------------------------------------------------------- rejection */

/* K1: a rejected datagram changes nothing but its counter. */
static void
test_rejected_changes_nothing(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    fly(&f, 3);
    assert_int_equal(feed(&f, (struct seg){.cmd = SEG_PUSH, .sn = 2, .len = 5}), FOG_OK);
    static const struct seg good = {.cmd = SEG_PUSH, .wnd = 9, .sn = 0, .una = 3, .len = 50};
    static const struct {
        const char *name;
        struct seg second;
        int cut; /* bytes taken from, or added to, the end */
        int want;
    } rows[] = {
        {"una too far", {.cmd = SEG_ACK, .una = 4}, 0, FOG_E_FORMAT},
        {"una -1", {.cmd = SEG_ACK, .una = UINT32_MAX}, 0, FOG_E_FORMAT},
        {"other conv", {.cmd = SEG_ACK, .conv = 1}, 0, FOG_E_CONV},
        {"cmd 85", {.cmd = 85}, 0, FOG_E_FORMAT},
        {"cut", {.cmd = SEG_PUSH, .len = 9}, -1, FOG_E_FORMAT},
        {"trailing byte", {.cmd = SEG_PUSH, .len = 9}, 1, FOG_E_FORMAT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct craft c = {.len = 0};
        craft_add(&c, good);
        craft_add(&c, rows[i].second);
        struct fog_arq_status before = craft_status(f.a), after;
        fog_time due = fog_arq_deadline(f.a, NULL);
        size_t calls = f.ledger.calls;
        int got = fog_arq_input(f.a, c.buf, c.len + (size_t)rows[i].cut, f.now);
        if (got != rows[i].want)
            fail_msg("%s: %d", rows[i].name, got);
        after = craft_status(f.a);
        assert_int_equal(after.n.bad_format + after.n.bad_conv + after.n.bad_una, i + 1);
        after.n.bad_format = before.n.bad_format;
        after.n.bad_conv = before.n.bad_conv;
        after.n.bad_una = before.n.bad_una;
        assert_memory_equal(&before, &after, sizeof after);
        assert_true(fog_arq_deadline(f.a, NULL) == due);
        assert_int_equal(f.ledger.calls, calls);
    }
    assert_int_equal(fog_arq_input(f.a, "", 0, f.now), FOG_OK); /* empty: ignored */
    end(&f);
}

static void
test_input_limits(void **state)
{
    (void)state;
    struct fixture f;
    static struct craft c;
    start(&f);
    for (unsigned i = 0; i < FOG_SEGMENTS_MAX; i++)
        craft_add(&c, (struct seg){.cmd = SEG_WASK});
    assert_int_equal(fog_arq_input(f.a, c.buf, c.len, f.now), FOG_OK);
    assert_int_equal(craft_status(f.a).n.limit_segments_hit, 0);
    craft_add(&c, (struct seg){.cmd = SEG_WASK});
    assert_int_equal(fog_arq_input(f.a, c.buf, c.len, f.now), FOG_E_FORMAT);
    assert_int_equal(craft_status(f.a).n.limit_segments_hit, 1);

    c.len = 0;
    craft_add(&c, (struct seg){.cmd = SEG_PUSH, .len = FOG_DATAGRAM_MAX - FOG_KCP_HEADER});
    assert_int_equal(fog_arq_input(f.a, c.buf, c.len, f.now), FOG_OK);
    assert_int_equal(craft_status(f.a).n.limit_datagram_hit, 0);
    c.len = 0;
    craft_add(&c, (struct seg){.cmd = SEG_PUSH, .len = FOG_DATAGRAM_MAX - FOG_KCP_HEADER + 1});
    assert_int_equal(fog_arq_input(f.a, c.buf, c.len, f.now), FOG_E_FORMAT);
    assert_int_equal(craft_status(f.a).n.limit_datagram_hit, 1);
    assert_int_equal(fog_arq_input_room(f.a), FOG_DATAGRAM_MAX);
    end(&f);
}

/* K5, K6, K9 and their limits at the engine's face. */
static void
test_receive_limits(void **state)
{
    (void)state;
    struct fixture f;
    classic(&f.o);
    f.o.rcv_wnd = 100;
    start_with(&f);
    assert_int_equal(feed(&f, (struct seg){.cmd = SEG_PUSH, .sn = 99, .len = 1}), FOG_OK);
    assert_int_equal(craft_status(f.a).n.limit_window_hit, 0);
    drain(&f);
    size_t calls = f.ledger.calls;
    assert_int_equal(feed(&f, (struct seg){.cmd = SEG_PUSH, .sn = 100, .len = 1}), FOG_OK);
    assert_int_equal(craft_status(f.a).n.limit_window_hit, 1);
    assert_int_equal(f.ledger.calls, calls);
    assert_int_equal(drain(&f), 0); /* not acked */

    for (uint32_t sn = 0; sn < 64; sn++)
        assert_int_equal(feed(&f, (struct seg){.cmd = SEG_PUSH, .sn = sn}), FOG_OK);
    assert_int_equal(craft_status(f.a).n.limit_empty_hit, 0);
    assert_int_equal(feed(&f, (struct seg){.cmd = SEG_PUSH, .sn = 64}), FOG_OK);
    assert_int_equal(craft_status(f.a).n.limit_empty_hit, 1);
    drain(&f);
    assert_int_equal(f.out.n, 1);
    assert_int_equal(f.out.segs[0].sn, 63);
    assert_int_equal(f.out.segs[0].una, 64);
    end(&f);
}

/* K5: a flood of old and repeated PUSHes costs the sender as much as us, and no memory. */
static void
test_duplicate_flood(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    for (uint32_t i = 0; i < 2000; i++) {
        assert_int_equal(feed(&f, (struct seg){.cmd = SEG_PUSH, .sn = i % 3, .len = 1}), FOG_OK);
        assert_int_equal(feed(&f, (struct seg){.cmd = SEG_PUSH, .sn = 10 + i % 3, .len = 1}),
                         FOG_OK);
    }
    assert_int_equal(craft_status(f.a).n.duplicates, 2 * 1997);
    assert_true(f.ledger.peak < 4096);
    assert_int_equal(drain(&f), 1);
    assert_int_equal(craft_count(&f.out, SEG_ACK), 4); /* 10, 11, 12 and the newest of the rest */
    for (unsigned i = 0; i < 1000; i++) {
        struct fog_arq_status st = craft_status(f.a);
        assert_int_equal(feed(&f, (struct seg){.cmd = SEG_PUSH, .sn = i % 13}), FOG_OK);
        drain(&f);
        struct fog_arq_status now = craft_status(f.a);
        assert_true(now.n.bytes_out - st.n.bytes_out <= now.n.bytes_in - st.n.bytes_in);
    }
    end(&f);
}

/* K7: whatever comes ahead of a hole, memory stays within the window. */
static void
test_memory_of_the_window(void **state)
{
    (void)state;
    struct fixture f;
    classic(&f.o);
    f.o.rcv_wnd = 64;
    start_with(&f);
    for (uint32_t sn = 1; sn < 1000; sn++)
        assert_int_equal(
            feed(&f,
                 (struct seg){.cmd = SEG_PUSH, .sn = sn, .len = FOG_DATAGRAM_MAX - FOG_KCP_HEADER}),
            FOG_OK);
    assert_true(craft_status(f.a).held < 64 * FOG_DATAGRAM_MAX + 6000);
    assert_int_equal(craft_status(f.a).n.limit_window_hit, 999 - 63);
    end(&f);
}

/* --------------------------------------------------------------------------------- validation */

static void
start_server(struct fixture *f)
{
    classic(&f->o);
    f->o.ts_base = 0xdeadbeef;
    f->o.validate = true;
    start_with(f);
}

static void
test_validation_schedule(void **state)
{
    (void)state;
    struct fixture f;
    start_server(&f);
    assert_false(craft_status(f.a).validated);
    assert_int_equal(feed(&f, (struct seg){.cmd = SEG_PUSH, .len = 200}), FOG_OK);
    craft_write(f.a, 9, f.now);
    assert_int_equal(drain(&f), 1);
    assert_int_equal(f.out.len, 24 + 33);
    static const fog_time at[] = {FOG_MS(250), FOG_MS(1000)};
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(wake(&f), FOG_WHY_LOSS);
        assert_true(f.now == T0 + at[i]);
        assert_int_equal(drain(&f), 1);
        assert_int_equal(f.out.len, 33);
    }
    enum fog_why why; /* silence until the engine is dead */
    assert_true(fog_arq_deadline(f.a, &why) == T0 + FOG_SEC(90));
    assert_int_equal(why, FOG_WHY_HANDSHAKE);
    assert_true(no_event(&f));

    /* una alone proves nothing and frees nothing */
    assert_int_equal(feed(&f, (struct seg){.cmd = SEG_WASK, .una = 1}), FOG_OK);
    assert_false(craft_status(f.a).validated);
    assert_int_equal(craft_status(f.a).flight_segs, 1);
    /* nor does a wrong stamp */
    assert_int_equal(feed(&f, (struct seg){.cmd = SEG_ACK, .una = 1, .ts = 1}), FOG_OK);
    assert_false(craft_status(f.a).validated);
    assert_int_equal(craft_status(f.a).n.forged_acks, 1);
    assert_int_equal(feed(&f, (struct seg){.cmd = SEG_ACK, .una = 1, .ts = stamp(&f, 1)}), FOG_OK);
    assert_true(craft_status(f.a).validated);
    assert_true(event(&f, FOG_ARQ_VALIDATED, FOG_OK));
    assert_int_equal(craft_status(f.a).flight_segs, 0);
    drain(&f);
    assert_true(no_event(&f));
    assert_true(sleeps(&f));
    end(&f);
}

/* At most three times the bytes received, whatever is asked and queued. */
static void
test_amplification(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct rng rng = {seed};
        struct fixture f;
        start_server(&f);
        uint64_t in = 0, out = 0;
        for (unsigned i = 0; i < 200; i++) {
            if (rng_below(&rng, 3) == 0) {
                struct seg s = {.cmd = (uint8_t)(SEG_PUSH + rng_below(&rng, 4)),
                                .wnd = 1024,
                                .sn = rng_below(&rng, 20),
                                .ts = (uint32_t)rng_next(&rng),
                                .una = rng_below(&rng, 4)}; /* a guess: may be too high */
                in += craft_feed(f.a, s, f.now) == FOG_OK ? 24 : 0;
            }
            if (rng_below(&rng, 3) == 0 && fog_arq_writable(f.a) > 3000)
                craft_write(f.a, 1 + rng_below(&rng, 3000), f.now);
            f.now += rng_below(&rng, FOG_MS(400));
            if (fog_arq_deadline(f.a, NULL) <= f.now)
                fog_arq_tick(f.a, f.now);
            do {
                craft_take(f.a, &f.out, f.now);
                out += f.out.len;
                assert_true(out <= 3 * in);
            } while (f.out.len);
        }
        assert_true(craft_status(f.a).n.limit_amplification_hit > 0);
        assert_false(craft_status(f.a).validated);
        end(&f);
    }
}

/* The 3x rule to the byte: 24 in, so 72 out; a 72-byte answer leaves, one of 73 does not. */
static void
test_amplification_limit(void **state)
{
    (void)state;
    for (size_t bytes = 24; bytes <= 25; bytes++) {
        struct fixture f;
        start_server(&f);
        assert_int_equal(feed(&f, (struct seg){.cmd = SEG_PUSH}), FOG_OK);
        craft_write(f.a, bytes, f.now);
        assert_int_equal(drain(&f), 1);
        assert_int_equal(f.out.len, bytes == 24 ? 72 : 24);
        assert_int_equal(craft_status(f.a).n.limit_amplification_hit, bytes == 25);
        enum fog_why why; /* held back: nothing to do before something comes */
        assert_true(fog_arq_deadline(f.a, &why) > f.now);
        assert_int_equal(feed(&f, (struct seg){.cmd = SEG_PUSH}), FOG_OK);
        assert_int_equal(drain(&f), 1);
        assert_int_equal(f.out.len, bytes == 24 ? 24 : 24 + 24 + 25);
        end(&f);
    }
}

/* A stranger makes us keep two segments, whatever window it is told; then all of the window. */
static void
test_stranger_keeps_little(void **state)
{
    (void)state;
    struct fixture f;
    start_server(&f);
    assert_int_equal(feed(&f, (struct seg){.cmd = SEG_PUSH, .len = 9}), FOG_OK);
    assert_int_equal(feed(&f, (struct seg){.cmd = SEG_PUSH, .sn = 1, .len = 9}), FOG_OK);
    assert_int_equal(craft_status(f.a).n.limit_window_hit, 0);
    assert_int_equal(feed(&f, (struct seg){.cmd = SEG_PUSH, .sn = 2, .len = 9}), FOG_OK);
    assert_int_equal(craft_status(f.a).n.limit_window_hit, 1);
    craft_write(f.a, 9, f.now);
    drain(&f);
    assert_int_equal(f.out.segs[0].una, 2);
    assert_int_equal(f.out.segs[0].wnd, 1022);
    assert_int_equal(feed(&f, (struct seg){.cmd = SEG_ACK, .una = 1, .ts = stamp(&f, 0)}), FOG_OK);
    assert_int_equal(feed(&f, (struct seg){.cmd = SEG_PUSH, .sn = 1023, .len = 9}), FOG_OK);
    assert_int_equal(craft_status(f.a).n.limit_window_hit, 1);
    assert_int_equal(feed(&f, (struct seg){.cmd = SEG_PUSH, .sn = 1024, .len = 9}), FOG_OK);
    assert_int_equal(craft_status(f.a).n.limit_window_hit, 2);
    end(&f);
}

/* The ACK with the proof was lost, but the peer goes on: it is asked for the proof again, within
 * the 3x rule, and not for each datagram of a burst. */
static void
test_lost_proof(void **state)
{
    (void)state;
    struct fixture f;
    start_server(&f);
    assert_int_equal(feed(&f, (struct seg){.cmd = SEG_PUSH, .len = 9}), FOG_OK);
    craft_write(f.a, 9, f.now);
    drain(&f);
    static const struct {
        fog_time at;
        uint32_t una;
        bool asks;
    } rows[] = {
        {FOG_MS(20), 0, false}, {FOG_MS(20), 1, false}, {FOG_MS(30), 1, true},
        {FOG_MS(31), 1, false}, {FOG_MS(59), 1, false}, {FOG_MS(60), 1, true},
        {FOG_MS(90), 0, false}, {FOG_MS(95), 1, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        f.now = T0 + rows[i].at;
        assert_int_equal(feed(&f, (struct seg){.cmd = SEG_WASK, .una = rows[i].una, .len = 60}),
                         FOG_OK);
        drain(&f);
        if (craft_count(&f.out, SEG_PUSH) != rows[i].asks)
            fail_msg("row %zu", i);
    }
    assert_false(craft_status(f.a).validated);
    end(&f);
}

/* Whatever is due while nothing may leave, the engine does not ask to be called at once again. */
static void
test_held_back_sleeps(void **state)
{
    (void)state;
    struct fixture f;
    start_server(&f);
    assert_int_equal(craft_feed(f.a, (struct seg){.cmd = SEG_WINS}, f.now), FOG_OK); /* wnd 0 */
    craft_write(f.a, 500, f.now);
    for (unsigned i = 0; i < 50; i++) {
        wake(&f);
        drain(&f);
        enum fog_why why;
        assert_true(fog_arq_deadline(f.a, &why) > f.now);
        if (craft_status(f.a).failed)
            break;
    }
    assert_int_equal(craft_status(f.a).n.probes_out, 3); /* 72 bytes */
    assert_true(craft_status(f.a).failed);               /* zero window for 60 s */
    end(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rejected_changes_nothing),
        cmocka_unit_test(test_input_limits),
        cmocka_unit_test(test_receive_limits),
        cmocka_unit_test(test_duplicate_flood),
        cmocka_unit_test(test_memory_of_the_window),
        cmocka_unit_test(test_validation_schedule),
        cmocka_unit_test(test_amplification),
        cmocka_unit_test(test_amplification_limit),
        cmocka_unit_test(test_stranger_keeps_little),
        cmocka_unit_test(test_lost_proof),
        cmocka_unit_test(test_held_back_sleeps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
