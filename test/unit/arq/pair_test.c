/* SPDX-License-Identifier: MIT
 *
 * Two engines over bad links: every byte arrives, once and in order, at every window, through every
 * wrap, and nothing is left behind.
 */
#include "pair.h"

#include "arq/hello.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

struct row {
    const char *name;
    double loss, duplicate;
    fog_time jitter_us;
    uint32_t snd_wnd, rcv_wnd, sn, ts;
    uint64_t bytes;
    size_t write_max;
    fog_time within_us;
};

#define WRAP 0xfffffff0u
#define HALF 0x7ffffff0u

/* clang-format off */
static const struct row rows[] = {
    /* name                   loss dup  jitter        snd   rcv   sn    ts    bytes    write  within */
    { "clean",                0,   0,   0,            1024, 1024, 0,    0,    1000000, 0,     FOG_SEC(3)   },
    { "clean, small writes",  0,   0,   0,            1024, 1024, 0,    0,    100000,  50,    FOG_SEC(3)   },
    { "one segment window",   0,   0,   0,            1,    1,    WRAP, HALF, 20000,   0,     FOG_SEC(5)   },
    { "window 2",             0,   0,   0,            2,    2,    HALF, WRAP, 50000,   0,     FOG_SEC(5)   },
    { "window 2, loss 10 %",  0.1, 0,   0,            2,    2,    WRAP, WRAP, 50000,   0,     FOG_SEC(30)  },
    { "window 2, loss 30 %",  0.3, 0,   0,            2,    2,    HALF, HALF, 20000,   0,     FOG_SEC(60)  },
    { "window 32, loss 10 %", 0.1, 0,   0,            32,   32,   WRAP, HALF, 300000,  0,     FOG_SEC(30)  },
    { "window 32, loss 30 %", 0.3, 0,   0,            32,   32,   HALF, WRAP, 300000,  3000,  FOG_SEC(60)  },
    { "loss 10 %",            0.1, 0,   0,            1024, 1024, WRAP, WRAP, 1000000, 0,     FOG_SEC(20)  },
    { "loss 30 %",            0.3, 0,   0,            1024, 1024, 0,    0,    1000000, 0,     FOG_SEC(30)  },
    { "reordering",           0,   0,   FOG_MS(20),   1024, 1024, HALF, HALF, 1000000, 0,     FOG_SEC(20)  },
    { "all together",         0.2, 0.1, FOG_MS(30),   1024, 1024, WRAP, HALF, 500000,  5000,  FOG_SEC(30)  },
    { "small against large",  0.1, 0.1, FOG_MS(10),   1024, 4,    HALF, WRAP, 100000,  0,     FOG_SEC(60)  },
    { "large against small",  0.1, 0.1, FOG_MS(10),   4,    1024, WRAP, WRAP, 100000,  0,     FOG_SEC(60)  },
};
/* clang-format on */

static void
run(const struct row *r, uint64_t seed)
{
    static struct pair p;
    struct fog_kcp_options o[2];
    for (int i = 0; i < 2; i++) {
        fog_kcp_options_init(&o[i]);
        o[i].snd_wnd = r->snd_wnd;
        o[i].rcv_wnd = r->rcv_wnd;
        o[i].ts_base = r->ts;
        o[i].snd_sn = o[i].rcv_sn = r->sn;
        assert_int_equal(fog_kcp_options_fast(&o[i], 1 + (int)(seed % 4)), FOG_OK);
    }
    o[1].validate = true;
    pair_init(&p, seed, &o[0], &o[1]);
    for (int i = 0; i < 2; i++) {
        p.link[i].loss = r->loss;
        p.link[i].duplicate = r->duplicate;
        p.link[i].jitter_us = r->jitter_us;
        p.to_write[i] = 9; /* a handshake: what a stranger sends is not all kept */
    }
    fog_time start = p.now;
    assert_true(pair_run(&p, start + r->within_us));
    p.to_write[0] = p.to_write[1] = r->bytes;
    p.write_max = r->write_max;
    bool done = pair_run(&p, start + r->within_us);
    struct fog_arq_status st[2] = {pair_status(&p, 0), pair_status(&p, 1)};
    if (!done)
        fail_msg("%s, seed %u: read %llu and %llu of %llu", r->name, (unsigned)seed,
                 (unsigned long long)p.read[0], (unsigned long long)p.read[1],
                 (unsigned long long)r->bytes);
    pair_run_to(&p, p.now + FOG_SEC(100)); /* what was repeated in vain still arrives */
    for (int i = 0; i < 2; i++) {
        st[i] = pair_status(&p, i);
        assert_true(st[i].validated);
        assert_false(st[i].failed);
        assert_int_equal(st[i].flight_segs, 0);
        assert_int_equal(st[i].n.bad_format + st[i].n.bad_una + st[i].n.bad_conv, 0);
        assert_int_equal(st[i].n.forged_acks, 0);
        assert_true(st[i].held <= 2048);
        assert_true(fog_arq_deadline(p.end[i], NULL) == FOG_TIME_NEVER);
        if (r->loss == 0 && r->jitter_us == 0)
            assert_int_equal(st[i].n.resent, 0);
    }
    pair_free(&p);
}

static void
test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (uint64_t seed = 1; seed <= 4; seed++)
            run(&rows[i], seed);
    }
}

/* ------------------------------------------------------------------------------- slow readers */

/* Drops datagrams that hold nothing but WINS, the first `left` of them. */
static unsigned wins_left, wins_dropped;

static void
drop_wins(struct pair *p, int from, uint8_t *data, size_t *len)
{
    (void)p, (void)from;
    if (*len == FOG_KCP_HEADER && data[4] == 84 && wins_left > 0) {
        wins_left--;
        wins_dropped++;
        *len = 0;
    }
}

/* A reader that stops for 20 s, at several windows; the first WINS that reopen are lost. What waits
 * is bounded, and goes on without a probe's long wait. */
static void
test_stopped_reader(void **state)
{
    (void)state;
    static const struct {
        uint32_t rcv_wnd;
        unsigned wins_lost;
        fog_time within_us; /* from reading again until all is there */
    } cases[] = {
        {2, 0, FOG_SEC(3)},   {32, 0, FOG_SEC(1)},   {32, 2, FOG_SEC(2)},
        {32, 5, FOG_SEC(12)}, {1024, 1, FOG_SEC(2)},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        static struct pair p;
        struct fog_kcp_options o;
        fog_kcp_options_init(&o);
        o.rcv_wnd = cases[i].rcv_wnd;
        pair_init(&p, i + 1, NULL, &o);
        p.to_write[0] = (uint64_t)cases[i].rcv_wnd * 1226 + 50000;
        p.reads[1] = false;
        p.see = drop_wins;
        wins_left = wins_dropped = 0;
        pair_run_to(&p, p.now + FOG_SEC(20));
        assert_int_equal(pair_status(&p, 0).peer_wnd, 0);
        assert_false(pair_status(&p, 0).failed);
        assert_true(pair_status(&p, 1).held <= (size_t)cases[i].rcv_wnd * (1226 + 32) + 4096);
        uint64_t asked = pair_status(&p, 0).n.probes_out;
        assert_true(asked >= 4 && asked <= 12);
        wins_left = cases[i].wins_lost;
        p.reads[1] = true;
        if (!pair_run(&p, p.now + cases[i].within_us))
            fail_msg("case %zu: %llu bytes", i, (unsigned long long)p.read[1]);
        assert_int_equal(wins_dropped, cases[i].wins_lost);
        pair_free(&p);
    }
}

/* -------------------------------------------------------------------------------- both ends ours
 */

/* Both say hello, over any loss; then both sleep. */
static void
test_hello(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        static struct pair p;
        struct fog_kcp_options o[2];
        for (int i = 0; i < 2; i++) {
            fog_kcp_options_init(&o[i]);
            o[i].hello_len = (uint8_t)(4 + i);
            memset(o[i].hello, 'A' + i, 4 + (size_t)i);
            o[i].ts_base = (uint32_t)seed * 0x12345678u;
        }
        o[1].validate = true;
        pair_init(&p, seed, &o[0], &o[1]);
        p.to_write[0] = p.to_write[1] = 9;
        p.link[0].loss = p.link[1].loss = (double)(seed % 4) * 0.1;
        assert_true(pair_run(&p, p.now + FOG_SEC(60)));
        pair_run_to(&p, p.now + FOG_SEC(60));
        for (int i = 0; i < 2; i++) {
            struct fog_arq_status st = pair_status(&p, i);
            assert_true(fog_arq_deadline(p.end[i], NULL) == FOG_TIME_NEVER);
            assert_true(st.n.windows_out <= 2 * HELLO_TIMES);
            if (p.link[0].loss > 0)
                continue;
            assert_int_equal(st.hello_len, 5 - i);
            assert_int_equal(st.hello[0], 'B' - i);
            assert_true(st.n.windows_out <= 2);
        }
        pair_free(&p);
    }
}

/* One end is replaced by a fresh one: the other finds out by the first answer to something new. */
static void
test_restarted_peer(void **state)
{
    (void)state;
    static struct pair p;
    struct fog_arq_event ev;
    pair_init(&p, 7, NULL, NULL);
    p.to_write[0] = 5000; /* what came back would make a fresh peer drop us for our una */
    assert_true(pair_run(&p, p.now + FOG_SEC(5)));
    struct fog_kcp_options o;
    fog_kcp_options_init(&o);
    fog_arq_free(p.end[1]);
    assert_int_equal(fog_kcp_new(&p.end[1], &o, &p.ledger[1].al, p.now), FOG_OK);
    p.reads[1] = false;
    p.to_write[0] += 9;
    pair_run_to(&p, p.now + FOG_MS(25)); /* there and back */
    assert_true(fog_arq_event(p.end[0], &ev));
    assert_int_equal(ev.type, FOG_ARQ_FAILED);
    assert_int_equal(ev.err, FOG_E_RESTARTED);
    pair_free(&p);
}

/* A dark link of 30 s: both live, and go on within one probe of its return. */
static void
test_dark_link(void **state)
{
    (void)state;
    for (int both = 0; both < 2; both++) {
        static struct pair p;
        struct fog_kcp_options o;
        fog_kcp_options_init(&o);
        o.snd_wnd = 64;
        pair_init(&p, 9, &o, &o);
        p.to_write[0] = p.to_write[1] = 2000000;
        pair_run_to(&p, p.now + FOG_MS(105));
        assert_true(p.read[1] > 100000 && p.read[1] < 1500000);
        p.link[0].dark = true;
        p.link[1].dark = both;
        uint64_t before = p.link[0].datagrams;
        pair_run_to(&p, p.now + FOG_SEC(30));
        assert_true(p.link[0].datagrams - before < 600); /* a window, then probes and acks */
        p.link[0].dark = p.link[1].dark = false;
        uint64_t read = p.read[1];
        pair_run_to(&p, p.now + FOG_MS(2100));
        assert_true(p.read[1] > read + 100000);
        assert_true(pair_run(&p, p.now + FOG_SEC(5)));
        assert_int_equal(pair_status(&p, 0).failed + pair_status(&p, 1).failed, 0);
        pair_free(&p);
    }
}

/* Pacing: with a round trip known, no burst is a whole window. */
static size_t burst_bytes, burst_max;
static fog_time burst_at;

static void
watch_bursts(struct pair *p, int from, uint8_t *data, size_t *len)
{
    (void)data;
    if (from != 0)
        return;
    burst_bytes = p->now == burst_at ? burst_bytes + *len : *len;
    burst_at = p->now;
    if (burst_max < burst_bytes)
        burst_max = burst_bytes;
}

static void
test_bursts(void **state)
{
    (void)state;
    static struct pair p;
    pair_init(&p, 3, NULL, NULL);
    p.link[0].delay_us = p.link[1].delay_us = FOG_MS(50);
    p.to_write[0] = 100;
    assert_true(pair_run(&p, p.now + FOG_SEC(5)));
    p.see = watch_bursts;
    burst_max = 0;
    p.to_write[0] = 10000000;
    fog_time start = p.now;
    assert_true(pair_run(&p, p.now + FOG_SEC(5)));
    assert_true(burst_max < 100000);           /* 2 ms of 2 x 1024 x 1250 / 100 ms is 51 kB */
    assert_true(p.now - start < FOG_MS(1000)); /* and the window still limits: 1.25 MB in 100 ms */
    assert_int_equal(pair_status(&p, 0).n.resent, 0);
    pair_free(&p);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),      cmocka_unit_test(test_stopped_reader),
        cmocka_unit_test(test_hello),     cmocka_unit_test(test_restarted_peer),
        cmocka_unit_test(test_dark_link), cmocka_unit_test(test_bursts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
