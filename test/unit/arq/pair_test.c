/* SPDX-License-Identifier: MIT
 *
 * Two engines over bad links: every byte arrives, once and in order, at every window, through every
 * wrap, and nothing is left behind.
 */
#include "pair.h"

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
        p.to_write[i] = r->bytes;
    }
    p.write_max = r->write_max;
    fog_time start = p.now;
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
        assert_true(st[i].held <= 1280);
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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
