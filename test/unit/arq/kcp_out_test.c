/* SPDX-License-Identifier: MIT
 *
 * What one engine sends, and what acknowledgements do to it, against a peer made by hand.
 */
#include "peer.h"

/* ---------------------------------------------------------------------------------- options */

static void
test_options(void **state)
{
    (void)state;
    struct fog_kcp_options d;
    fog_kcp_options_init(&d);
    assert_int_equal(d.conv, 0);
    assert_int_equal(d.mtu, 1250);
    assert_int_equal(d.cc, FOG_CC_MODEL);
    assert_int_equal(d.snd_wnd, 24576);
    assert_int_equal(d.rcv_wnd, 24576);
    /* clang-format off */
    static const struct { int fast; fog_time min, slack; uint32_t reorder; } sets[] = {
        { 1, FOG_MS(60), FOG_MS(30), 2 },
        { 2, FOG_MS(30), FOG_MS(20), 2 },
        { 3, FOG_MS(30), FOG_MS(10), 2 },
        { 4, FOG_MS(30), FOG_MS(10), 1 },
    };
    /* clang-format on */
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(fog_kcp_options_fast(&d, sets[i].fast), FOG_OK);
        assert_true(d.rto_min_us == sets[i].min && d.rto_slack_us == sets[i].slack);
        assert_int_equal(d.reorder_segs, sets[i].reorder);
    }
    assert_int_equal(fog_kcp_options_fast(&d, 0), FOG_E_USAGE);
    assert_int_equal(fog_kcp_options_fast(&d, 5), FOG_E_USAGE);
    assert_int_equal(d.reorder_segs, 1);
}

#define RANGE(field, least, most)                                                                  \
    {                                                                                              \
#field, offsetof(struct fog_kcp_options, field), least, most                               \
    }

static void
test_option_ranges(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t at;
        uint32_t least, most;
    } rows[] = {
        RANGE(mtu, FOG_MTU_MIN, FOG_MTU_MAX), RANGE(snd_wnd, 1, FOG_WND_MAX),
        RANGE(rcv_wnd, 1, FOG_WND_MAX),       RANGE(reorder_segs, 1, 64),
        RANGE(rotate_after, 1, UINT32_MAX),
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint32_t values[] = {rows[i].least, rows[i].most, rows[i].least - 1, rows[i].most + 1};
        for (unsigned j = 0; j < 4; j++) {
            struct fog_kcp_options o;
            struct fog_arq *a = NULL;
            fog_kcp_options_init(&o);
            memcpy((uint8_t *)&o + rows[i].at, &values[j], sizeof values[j]);
            int want = j < 2 || (values[j] >= rows[i].least && values[j] <= rows[i].most)
                           ? FOG_OK
                           : FOG_E_USAGE;
            int got = fog_kcp_new(&a, &o, fog_alloc_libc(), 0);
            if (got != want || (got == FOG_OK) != (a != NULL))
                fail_msg("%s = %u: %d", rows[i].name, values[j], got);
            fog_arq_free(a);
        }
    }
    struct fog_kcp_options o;
    struct fog_arq *a;
    fog_kcp_options_init(&o);
    o.hello_len = FOG_HELLO_MAX + 1;
    assert_int_equal(fog_kcp_new(&a, &o, fog_alloc_libc(), 0), FOG_E_USAGE);
    fog_arq_free(NULL);
}

/* ----------------------------------------------------------------------------------- sending */

/* The first datagram of a tunnel is that of vproxy, byte for byte but for the stamp. */
static void
test_first_datagram(void **state)
{
    (void)state;
    static const uint8_t want[] = {0, 0, 0, 0, 0x51, 0, 0, 4, 0x88, 0x13, 0, 0, 0, 0, 0, 0, 0,
                                   0, 0, 0, 9, 0,    0, 0, 0, 0,    0,    4, 0, 0, 0, 0, 0};
    struct fixture f;
    start(&f);
    assert_true(sleeps(&f));
    void *buf;
    size_t cap;
    assert_int_equal(fog_arq_reserve(f.a, 9, &buf, &cap), FOG_OK);
    memcpy(buf, want + 24, 9);
    fog_arq_commit(f.a, 9, f.now);
    enum fog_why why;
    assert_true(fog_arq_deadline(f.a, &why) == f.now && why == FOG_WHY_OUTPUT);
    craft_take(f.a, &f.out, f.now);
    assert_int_equal(f.out.len, sizeof want);
    assert_memory_equal(f.out.buf, want, sizeof want);
    end(&f);
}

static void
test_packing(void **state)
{
    (void)state;
    /* clang-format off */
    static const struct {
        const char *name;
        unsigned pushes;          /* received before: as many ACKs wait, each ahead of a hole */
        size_t bytes;             /* written                                                  */
        unsigned datagrams;
        size_t first_len, last_len;
    } rows[] = {
        { "nothing",                   0, 0,          0, 0,         0               },
        { "a byte",                    0, 1,          1, 25,        25              },
        { "a full segment",            0, MSS,        1, 1250,      1250            },
        { "a byte more",               0, MSS + 1,    2, 1250,      25              },
        { "acks alone",                3, 0,          1, 72,        72              },
        { "acks and data",             3, 100,        1, 72 + 124,  72 + 124        },
        { "acks, full segments cut",   3, 3 * MSS,    4, 1250,      24 + 72         },
        { "52 acks fill a datagram",   52, 10,        2, 1248,      34              },
        { "many acks, data apart",     20, MSS,       2, 480,       1250            },
    };
    /* clang-format on */
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture f;
        start(&f);
        for (unsigned j = 0; j < rows[i].pushes; j++)
            assert_int_equal(feed(&f, (struct seg){.cmd = SEG_PUSH, .sn = 1 + j, .len = 1}),
                             FOG_OK);
        if (rows[i].bytes)
            craft_write(f.a, rows[i].bytes, f.now);
        struct answer first;
        craft_take(f.a, &first, f.now);
        unsigned n = first.len > 0;
        size_t last = first.len;
        while (n) {
            craft_take(f.a, &f.out, f.now);
            if (f.out.len == 0)
                break;
            last = f.out.len;
            n++;
        }
        if (n != rows[i].datagrams || first.len != rows[i].first_len || last != rows[i].last_len)
            fail_msg("%s: %u datagrams, %zu .. %zu", rows[i].name, n, first.len, last);
        end(&f);
    }
}

static void
test_windows(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint32_t snd_wnd;
        int told; /* -1: nothing came */
        unsigned flight;
    } rows[] = {
        {"before contact", 1024, -1, 32},
        {"own is smaller", 16, -1, 16},
        {"told 100", 1024, 100, 100},
        {"told 65535", 1024, 65535, 1024},
        {"told 1", 1024, 1, 1},
        {"told 0", 1024, 0, 0},
        {"told more than own", 2, 100, 2},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture f;
        classic(&f.o);
        f.o.snd_wnd = rows[i].snd_wnd;
        start_with(&f);
        if (rows[i].told >= 0)
            assert_int_equal(
                craft_feed(f.a, (struct seg){.cmd = SEG_WINS, .wnd = (uint16_t)rows[i].told},
                           f.now),
                FOG_OK);
        size_t free_bytes = (size_t)rows[i].flight * MSS;
        assert_int_equal(fog_arq_writable(f.a), free_bytes + 16384);
        craft_write(f.a, free_bytes + 16384, f.now);
        assert_int_equal(fog_arq_writable(f.a), 0);
        void *buf;
        size_t cap = 1;
        assert_int_equal(fog_arq_reserve(f.a, 1, &buf, &cap), FOG_OK);
        assert_int_equal(cap, 0);
        drain(&f);
        struct fog_arq_status st = craft_status(f.a);
        if (st.flight_segs != rows[i].flight || st.queued != 16384)
            fail_msg("%s: flight %u queued %zu", rows[i].name, st.flight_segs, st.queued);
        assert_int_equal(fog_arq_writable(f.a), 0);
        end(&f);
    }
}

/* What the pacer holds back is not taken: who writes next is to be chosen late. */
static void
test_queue_before_the_pacer(void **state)
{
    (void)state;
    static const struct {
        uint64_t rate; /* bytes/s */
        size_t most;   /* 2.5 ms of it, or four segments; and what may leave at once */
    } rows[] = {{12500000, 31250 + 1250}, {625000, 4 * MSS + 1250}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture f;
        classic(&f.o);
        f.o.cc = FOG_CC_RATE;
        f.o.rate = rows[i].rate;
        start_with(&f);
        assert_int_equal(craft_feed(f.a, (struct seg){.cmd = SEG_WINS, .wnd = 1024}, f.now),
                         FOG_OK);
        for (size_t n; (n = fog_arq_writable(f.a)) > 0;) {
            craft_write(f.a, n < 1000 ? n : 1000, f.now);
            drain(&f);
        }
        size_t queued = craft_status(f.a).queued;
        if (queued > rows[i].most || queued + 1024 < rows[i].most - 1250)
            fail_msg("%zu bytes wait", queued);
        end(&f);
    }
}

static void
test_old_window_is_ignored(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    fly(&f, 4);
    assert_int_equal(feed(&f, (struct seg){.cmd = SEG_WINS, .una = 2, .wnd = 500}), FOG_OK);
    assert_int_equal(craft_status(f.a).peer_wnd, 500);
    assert_int_equal(feed(&f, (struct seg){.cmd = SEG_WINS, .una = 1, .wnd = 0}), FOG_OK);
    assert_int_equal(craft_status(f.a).peer_wnd, 500); /* overtaken */
    assert_int_equal(feed(&f, (struct seg){.cmd = SEG_WINS, .una = 2, .wnd = 7}), FOG_OK);
    assert_int_equal(craft_status(f.a).peer_wnd, 7);
    end(&f);
}

static void
test_reserve(void **state)
{
    (void)state;
    struct fixture f;
    void *buf;
    size_t cap;
    start(&f);
    assert_int_equal(fog_arq_reserve(f.a, 0, &buf, &cap), FOG_E_USAGE);
    assert_int_equal(fog_arq_reserve(f.a, FOG_RESERVE_MAX + 1, &buf, &cap), FOG_E_USAGE);
    assert_int_equal(fog_arq_reserve(f.a, FOG_RESERVE_MAX, &buf, &cap), FOG_OK);
    assert_true(cap >= FOG_RESERVE_MAX);
    f.ledger.fail_at = f.ledger.calls + 1;
    assert_int_equal(fog_arq_reserve(f.a, FOG_RESERVE_MAX, &buf, &cap), FOG_OK); /* still there */
    drain(&f);
    assert_true(craft_status(f.a).held <= 2048); /* reserved, never filled, given back */
    f.ledger.fail_at = f.ledger.calls + 1;
    assert_int_equal(fog_arq_reserve(f.a, 1, &buf, &cap), FOG_E_NOMEM);
    end(&f);
}

/* ------------------------------------------------------------------------ acknowledgements */

/* una of a datagram after 5 segments were sent: what is accepted, how much is acknowledged. */
static void
test_una(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint32_t una; /* from the first sn */
        int want;
        unsigned acked;
    } rows[] = {
        {"-1", UINT32_MAX, FOG_E_FORMAT, 0},
        {"0", 0, FOG_OK, 0},
        {"1", 1, FOG_OK, 1},
        {"n", 5, FOG_OK, 5},
        {"n+1", 6, FOG_E_FORMAT, 0},
        {"2^31-1", 0x7fffffff, FOG_E_FORMAT, 0},
        {"2^31", 0x80000000, FOG_E_FORMAT, 0},
        {"2^31+5", 0x80000005, FOG_E_FORMAT, 0},
    };
    static const uint32_t firsts[] = {0, 0xfffffffe, 0x7ffffffe, 0xfffffff0, 0x7ffffff0};
    for (unsigned s = 0; s < 5; s++) {
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            struct fixture f;
            classic(&f.o);
            f.o.snd_sn = f.o.rcv_sn = firsts[s];
            start_with(&f);
            fly(&f, 5);
            int got = feed(&f, (struct seg){.cmd = SEG_WASK, .una = firsts[s] + rows[i].una});
            struct fog_arq_status st = craft_status(f.a);
            if (got != rows[i].want || st.acked != rows[i].acked * MSS)
                fail_msg("%s: %d, acked %llu", rows[i].name, got, (unsigned long long)st.acked);
            assert_int_equal(st.n.bad_una, got != FOG_OK);
            assert_int_equal(fog_arq_acked(f.a), st.acked);
            /* later, an older una is only old */
            assert_int_equal(feed(&f, (struct seg){.cmd = SEG_WASK, .una = firsts[s] + 5}), FOG_OK);
            assert_int_equal(feed(&f, (struct seg){.cmd = SEG_WASK, .una = firsts[s]}), FOG_OK);
            assert_int_equal(fog_arq_acked(f.a), 5 * MSS);
            end(&f);
        }
    }
}

static void
test_acks(void **state)
{
    (void)state;
    /* clang-format off */
    static const struct {
        const char *name;
        uint32_t sn, stamp;
        unsigned acks, stale, forged, flight;
    } rows[] = {
        { "right",                     2,          2,          1, 0, 0, 4 },
        { "never sent sn",             5,          4,          1, 1, 0, 5 },
        { "sn -1",                     UINT32_MAX, 0,          1, 1, 0, 5 },
        { "stamp of another",          2,          3,          1, 0, 1, 5 },
        { "stamp not used yet",        2,          5,          1, 0, 1, 5 },
        { "stamp before the first",    0,          UINT32_MAX, 1, 0, 1, 5 },
        { "stamp 2^31 away",           2,          0x80000002, 1, 0, 1, 5 },
    };
    /* clang-format on */
    static const uint32_t bases[] = {0, 0xfffffffd, 0x7ffffffd};
    for (unsigned b = 0; b < 3; b++) {
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            struct fixture f;
            classic(&f.o);
            f.o.ts_base = bases[b];
            f.o.reorder_segs = 10;
            start_with(&f);
            fly(&f, 5);
            f.now += FOG_MS(50);
            struct seg ack = {.cmd = SEG_ACK, .sn = rows[i].sn, .ts = stamp(&f, rows[i].stamp)};
            assert_int_equal(feed(&f, ack), FOG_OK);
            struct fog_arq_status st = craft_status(f.a);
            if (st.n.acks_in != rows[i].acks || st.n.stale_acks != rows[i].stale ||
                st.n.forged_acks != rows[i].forged || st.flight_segs != rows[i].flight)
                fail_msg("%s: stale %u forged %u flight %u", rows[i].name,
                         (unsigned)st.n.stale_acks, (unsigned)st.n.forged_acks, st.flight_segs);
            assert_true(st.srtt_us == (rows[i].flight == 4 ? FOG_MS(50) : 0));
            f.now += FOG_MS(100);
            assert_int_equal(feed(&f, ack), FOG_OK); /* again: nothing more, no second sample */
            assert_int_equal(craft_status(f.a).flight_segs, rows[i].flight);
            assert_true(craft_status(f.a).srtt_us == st.srtt_us);
            end(&f);
        }
    }
}

/* A retransmission's ACK gives the round trip of the retransmission. */
static void
test_rtt_is_exact(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    fly(&f, 1);
    assert_int_equal(wake(&f), FOG_WHY_LOSS);
    assert_true(f.now == T0 + FOG_MS(200));
    assert_int_equal(drain(&f), 1);
    assert_int_equal(f.out.segs[0].ts, stamp(&f, 1));
    assert_int_equal(f.out.segs[0].sn, 0);
    f.now += FOG_MS(40);
    assert_int_equal(feed(&f, (struct seg){.cmd = SEG_ACK, .ts = stamp(&f, 1), .una = 1}), FOG_OK);
    assert_true(craft_status(f.a).srtt_us == FOG_MS(40));
    assert_true(sleeps(&f));
    end(&f);

    start(&f); /* the same, but the first one's ACK comes late */
    fly(&f, 1);
    wake(&f);
    drain(&f);
    f.now += FOG_MS(40);
    assert_int_equal(feed(&f, (struct seg){.cmd = SEG_ACK, .ts = stamp(&f, 0), .una = 1}), FOG_OK);
    assert_true(craft_status(f.a).srtt_us == FOG_MS(240));
    end(&f);
}

static void
test_fast_resend(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    fly(&f, 5);
    f.now += FOG_MS(50);
    struct craft c = {.len = 0}; /* 1 and 3 arrived */
    craft_add(&c, (struct seg){.cmd = SEG_ACK, .wnd = 99, .sn = 1, .ts = stamp(&f, 1)});
    craft_add(&c, (struct seg){.cmd = SEG_ACK, .wnd = 99, .sn = 3, .ts = stamp(&f, 3)});
    assert_int_equal(fog_arq_input(f.a, c.buf, c.len, f.now), FOG_OK);
    assert_int_equal(craft_status(f.a).n.lost, 2);
    craft_take(f.a, &f.out, f.now);
    assert_int_equal(f.out.segs[0].sn, 0);
    assert_int_equal(f.out.segs[0].ts, stamp(&f, 5));
    assert_int_equal(f.out.segs[0].len, MSS);
    craft_take(f.a, &f.out, f.now);
    assert_int_equal(f.out.segs[0].sn, 2);
    craft_take(f.a, &f.out, f.now);
    assert_int_equal(f.out.len, 0);
    assert_int_equal(craft_status(f.a).n.resent, 2);
    end(&f);
}

/* una says that a segment arrived, not which transmission of it: the order of the others stays
 * open. */
static void
test_una_of_a_resent_segment(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    fly(&f, 5);
    f.now += FOG_MS(20);
    assert_int_equal(feed(&f, (struct seg){.cmd = SEG_ACK, .sn = 1, .ts = stamp(&f, 1)}), FOG_OK);
    assert_int_equal(drain(&f), 1); /* 0 again, as transmission 5 */
    f.now += FOG_MS(20);
    assert_int_equal(feed(&f, (struct seg){.cmd = SEG_WASK, .una = 2}), FOG_OK);
    assert_int_equal(craft_status(f.a).n.lost, 1);
    assert_int_equal(feed(&f, (struct seg){.cmd = SEG_WASK, .una = 4}), FOG_OK);
    assert_int_equal(craft_status(f.a).n.lost, 1);
    assert_int_equal(craft_status(f.a).flight_segs, 1);
    end(&f);
}

/* K13: forged gaps without valid stamps make us send nothing again; valid ones at most once each.
 */
static void
test_no_resend_amplification(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    fly(&f, 32);
    for (uint32_t sn = 1; sn < 32; sn++)
        assert_int_equal(feed(&f, (struct seg){.cmd = SEG_ACK, .sn = sn, .ts = 4711}), FOG_OK);
    assert_int_equal(drain(&f), 0);
    f.now += FOG_MS(10);
    for (unsigned round = 0; round < 10; round++) {
        for (uint32_t sn = 1; sn < 32; sn++)
            assert_int_equal(feed(&f, (struct seg){.cmd = SEG_ACK, .sn = sn, .ts = stamp(&f, sn)}),
                             FOG_OK);
        drain(&f);
    }
    assert_int_equal(craft_status(f.a).n.resent, 1);
    end(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_una_of_a_resent_segment),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_option_ranges),
        cmocka_unit_test(test_first_datagram),
        cmocka_unit_test(test_packing),
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_queue_before_the_pacer),
        cmocka_unit_test(test_old_window_is_ignored),
        cmocka_unit_test(test_reserve),
        cmocka_unit_test(test_una),
        cmocka_unit_test(test_acks),
        cmocka_unit_test(test_rtt_is_exact),
        cmocka_unit_test(test_fast_resend),
        cmocka_unit_test(test_no_resend_amplification),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
