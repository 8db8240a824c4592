/* SPDX-License-Identifier: MIT
 *
 * One engine against a peer made by hand: what it accepts, what it refuses, what it sends when.
 */
#include "craft.h"
#include "pair.h"

#include <stdint.h>

#define T0 FOG_SEC(1000)
#define MSS 1226u

struct fixture {
    struct ledger ledger;
    struct fog_kcp_options o;
    struct fog_arq *a;
    fog_time now;
    struct answer out; /* the last datagram taken */
};

static void
start_with(struct fixture *f)
{
    ledger_init(&f->ledger);
    f->now = T0;
    assert_int_equal(fog_kcp_new(&f->a, &f->o, &f->ledger.al, f->now), FOG_OK);
}

static void
start(struct fixture *f)
{
    fog_kcp_options_init(&f->o);
    f->o.ts_base = 5000;
    start_with(f);
}

static void
end(struct fixture *f)
{
    fog_arq_free(f->a);
    assert_int_equal(f->ledger.blocks, 0);
    assert_int_equal(f->ledger.bytes, 0);
}

static int
feed(struct fixture *f, struct seg s)
{
    if (s.wnd == 0 && s.cmd != SEG_WINS)
        s.wnd = 1024;
    return craft_feed(f->a, s, f->now);
}

static unsigned
drain(struct fixture *f)
{
    return craft_drain(f->a, &f->out, f->now);
}

static bool
event(struct fixture *f, enum fog_arq_event_type type, int err)
{
    struct fog_arq_event ev;
    return fog_arq_event(f->a, &ev) && ev.type == type && ev.err == err;
}

static bool
no_event(struct fixture *f)
{
    struct fog_arq_event ev;
    return !fog_arq_event(f->a, &ev);
}

/* Sends n full segments in one go. */
static void
fly(struct fixture *f, unsigned n)
{
    craft_write(f->a, (size_t)n * MSS, f->now);
    assert_int_equal(drain(f), n);
}

/* The stamp of transmission `number`. */
static uint32_t
stamp(const struct fixture *f, uint32_t number)
{
    return f->o.ts_base + number;
}

/* Goes to the next deadline, ticks. Returns the reason. */
static enum fog_why
wake(struct fixture *f)
{
    enum fog_why why;
    fog_time due = fog_arq_deadline(f->a, &why);
    assert_true(due != FOG_TIME_NEVER);
    if (due > f->now)
        f->now = due;
    fog_arq_tick(f->a, f->now);
    return why;
}

static bool
sleeps(const struct fixture *f)
{
    enum fog_why why;
    return fog_arq_deadline(f->a, &why) == FOG_TIME_NEVER && why == FOG_WHY_NEVER;
}

/* ---------------------------------------------------------------------------------- options */

static void
test_options(void **state)
{
    (void)state;
    struct fog_kcp_options d;
    fog_kcp_options_init(&d);
    assert_int_equal(d.conv, 0);
    assert_int_equal(d.mtu, 1250);
    assert_int_equal(d.snd_wnd, 1024);
    assert_int_equal(d.rcv_wnd, 1024);
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
        fog_kcp_options_init(&f.o);
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
    assert_true(craft_status(f.a).held <= 1280); /* reserved, never filled, given back */
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
            fog_kcp_options_init(&f.o);
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
            fog_kcp_options_init(&f.o);
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
            assert_int_equal(feed(&f, ack), FOG_OK); /* again: nothing more */
            assert_int_equal(craft_status(f.a).flight_segs, rows[i].flight);
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
    fog_kcp_options_init(&f.o);
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
    fog_kcp_options_init(&f.o);
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
    fog_kcp_options_init(&f->o);
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
                                .ts = (uint32_t)rng_next(&rng)};
                assert_int_equal(craft_feed(f.a, s, f.now), FOG_OK);
                in += 24;
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

/* Our own window: told at once when it reopens, then again until data comes. */
static void
test_reopening(void **state)
{
    (void)state;
    struct fixture f;
    fog_kcp_options_init(&f.o);
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
    fog_kcp_unknown(f.out.buf, f.out.len, 0, out, sizeof out, &len);
    assert_int_equal(fog_arq_input(f.a, out, len, f.now), FOG_OK);
    assert_true(no_event(&f)); /* nothing was known to have arrived: no proof */
    assert_int_equal(feed(&f, (struct seg){.cmd = SEG_ACK, .ts = stamp(&f, 0), .una = 1}), FOG_OK);
    fly(&f, 1);
    fog_kcp_unknown(f.out.buf, f.out.len, 0, out, sizeof out, &len);
    assert_int_equal(fog_arq_input(f.a, out, len, f.now), FOG_OK);
    assert_true(event(&f, FOG_ARQ_FAILED, FOG_E_RESTARTED));
    end(&f);
}

static void
test_worn(void **state)
{
    (void)state;
    struct fixture f;
    fog_kcp_options_init(&f.o);
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
    /* the last probe is answered: what is older than it counts as lost, once */
    uint32_t sn = f.out.segs[0].sn, ts = f.out.segs[0].ts;
    struct fog_arq_status st = craft_status(f.a);
    assert_int_equal(feed(&f, (struct seg){.cmd = SEG_ACK, .sn = sn, .ts = ts}), FOG_OK);
    f.now += FOG_SEC(1);
    drain(&f);
    assert_true(craft_status(f.a).n.resent - st.n.resent <= 200);
    end(&f);
}

static void
test_hello(void **state)
{
    (void)state;
    struct fixture f;
    fog_kcp_options_init(&f.o);
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
    assert_int_equal(craft_status(f.a).n.windows_out, 5);
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
    assert_true(held <= 1280);
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
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_option_ranges),
        cmocka_unit_test(test_first_datagram),
        cmocka_unit_test(test_packing),
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_old_window_is_ignored),
        cmocka_unit_test(test_reserve),
        cmocka_unit_test(test_una),
        cmocka_unit_test(test_acks),
        cmocka_unit_test(test_rtt_is_exact),
        cmocka_unit_test(test_fast_resend),
        cmocka_unit_test(test_no_resend_amplification),
        cmocka_unit_test(test_rejected_changes_nothing),
        cmocka_unit_test(test_input_limits),
        cmocka_unit_test(test_receive_limits),
        cmocka_unit_test(test_duplicate_flood),
        cmocka_unit_test(test_memory_of_the_window),
        cmocka_unit_test(test_validation_schedule),
        cmocka_unit_test(test_amplification),
        cmocka_unit_test(test_amplification_limit),
        cmocka_unit_test(test_zero_window),
        cmocka_unit_test(test_zero_window_for_ever),
        cmocka_unit_test(test_reopening),
        cmocka_unit_test(test_wask_is_answered),
        cmocka_unit_test(test_dead),
        cmocka_unit_test(test_after_failure),
        cmocka_unit_test(test_restart),
        cmocka_unit_test(test_unknown_is_understood),
        cmocka_unit_test(test_worn),
        cmocka_unit_test(test_suspended),
        cmocka_unit_test(test_blackout),
        cmocka_unit_test(test_hello),
        cmocka_unit_test(test_idle_holds_nothing),
        cmocka_unit_test(test_output_without_memory),
        cmocka_unit_test(test_output_usage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
