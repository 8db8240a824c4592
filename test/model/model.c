/* SPDX-License-Identifier: MIT
 *
 * model.c - one bulk sender over an emulated link, in virtual time: how much of the link it uses,
 * what that costs on the wire, and how long the queue becomes. Everything follows from the seed.
 *
 *     fog_model [--seed n] [--seconds n] [--peer ours|ticked] [--trace] [--gate] [link ...]
 */
#include "model.h"

#include "arq/kcp_int.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define T0 FOG_SEC(1000)
#define BUCKET_US FOG_MS(10)
#define BUCKETS 65536
#define DELAYS 100000 /* bins of 0.01 ms */
#define DARK_EVERY FOG_SEC(5)
#define DARK_FOR FOG_SEC(1)
#define TICK FOG_MS(10)
#define DRAINED_WITHIN FOG_SEC(20)

struct run {
    const struct link_row *row;
    fog_time now, end;
    struct fog_arq *tx, *rx; /* rx: NULL when the peer is ticked */
    struct peer *peer;
    struct emu *there, *back;
    uint64_t delivered, offered;
    uint32_t arrived[BUCKETS]; /* bytes off the line */
    uint32_t delay[DELAYS];
    uint64_t delays;
    bool trace, full; /* full: nothing more is handed in */
};

static struct {
    uint64_t seed;
    double seconds;
    bool ticked, trace, gate;
    int fast;
} args = {.seed = 1, .seconds = 30};

static struct fog_arq *
make_engine(struct run *r, uint32_t ts_base)
{
    struct fog_kcp_options o;
    struct fog_arq *a;
    fog_kcp_options_init(&o);
    if (args.fast && fog_kcp_options_fast(&o, args.fast))
        exit(2);
    if (args.fast)
        o.snd_wnd = o.rcv_wnd = 1024;
    o.ts_base = ts_base;
    o.hello_len = 4;
    memcpy(o.hello, "fog\1", 4);
    if (fog_kcp_new(&a, &o, fog_alloc_libc(), r->now))
        exit(2);
    return a;
}

/* Both ends say something first, as a handshake does: hellos follow what was acknowledged. */
static void
greet(struct run *r)
{
    size_t cap;
    void *buf;
    if (fog_arq_reserve(r->rx, 9, &buf, &cap))
        return;
    memset(buf, 0, 9);
    fog_arq_commit(r->rx, 9, r->now);
}

static void
feed_sender(struct run *r)
{
    size_t cap;
    void *buf;
    while (!r->full && fog_arq_writable(r->tx) >= FOG_RESERVE_MAX / 2) {
        if (fog_arq_reserve(r->tx, FOG_RESERVE_MAX / 2, &buf, &cap) || cap == 0)
            return;
        memset(buf, 0x5a, cap);
        fog_arq_commit(r->tx, cap, r->now);
        r->offered += cap;
    }
}

static void
take_delivered(struct run *r)
{
    const void *buf;
    size_t len;
    if (!r->rx) {
        r->delivered = peer_delivered(r->peer);
        return;
    }
    for (fog_arq_peek(r->rx, &buf, &len); len > 0; fog_arq_peek(r->rx, &buf, &len)) {
        fog_arq_consume(r->rx, len, r->now);
        r->delivered += len;
    }
}

static void
arrive(struct run *r)
{
    uint8_t buf[FOG_DATAGRAM_MAX];
    uint64_t tag;
    size_t len;
    fog_time base = (fog_time)(r->row->rtt_ms * 500);
    while (fogi_emu_pop(r->there, &tag, buf, sizeof buf, &len, r->now)) {
        fog_time waited = r->now - (fog_time)tag - base;
        size_t bin = waited < 0 ? 0 : (size_t)waited / 10;
        r->delay[bin < DELAYS ? bin : DELAYS - 1]++;
        r->delays++;
        size_t at = (size_t)((r->now - T0) / BUCKET_US);
        r->arrived[at < BUCKETS ? at : BUCKETS - 1] += (uint32_t)len + 28;
        if (r->rx)
            assert(fog_arq_input(r->rx, buf, len, r->now) == 0);
        else
            peer_input(r->peer, buf, len, r->now);
    }
    take_delivered(r);
    while (fogi_emu_pop(r->back, &tag, buf, sizeof buf, &len, r->now)) {
        if (fog_arq_input(r->tx, buf, len, r->now) < 0)
            continue;
    }
}

static void
leave(struct run *r, struct fog_arq *a, struct emu *link)
{
    uint8_t buf[FOG_DATAGRAM_MAX];
    size_t len;
    for (;;) {
        if (a == r->tx)
            feed_sender(r);
        if (fog_arq_output(a, buf, sizeof buf, &len, r->now) || len == 0)
            return;
        fogi_emu_push(link, (uint64_t)r->now, buf, len, r->now);
    }
}

static void
leave_peer(struct run *r)
{
    uint8_t buf[FOG_DATAGRAM_MAX];
    size_t len;
    while ((len = peer_output(r->peer, buf, sizeof buf, r->now)) > 0)
        fogi_emu_push(r->back, (uint64_t)r->now, buf, len, r->now);
}

static fog_time
earlier(fog_time a, fog_time b)
{
    return a < b ? a : b;
}

static fog_time
next_time(struct run *r)
{
    enum fog_why why;
    fog_time at = fog_arq_deadline(r->tx, &why);
    at = earlier(at, r->rx ? fog_arq_deadline(r->rx, &why) : peer_deadline(r->peer));
    at = earlier(at, fogi_emu_deadline(r->there));
    at = earlier(at, fogi_emu_deadline(r->back));
    if (r->row->dark) {
        fog_time into = (r->now - T0) % DARK_EVERY;
        fog_time edge = into < DARK_EVERY - DARK_FOR ? DARK_EVERY - DARK_FOR : DARK_EVERY;
        at = earlier(at, r->now - into + edge);
    }
    return at > r->now ? at : r->now;
}

static void
print_trace(struct run *r)
{
    struct fog_arq_status st;
    fog_arq_status(r->tx, &st);
    const struct kcp *k = (const struct kcp *)(const void *)r->tx;
    const struct model *m = &k->cc.model;
    printf(
        "%8.3f state %d.%d gain %.2f bw %6.2f p %.3f base %6.1f mean %6.1f srtt %6.1f out %5zu K "
        "span %5u lost %llu late %llu to %llu window %.1f tail %llu del %.2f\n",
        (double)(r->now - T0) / 1e6, (int)m->state, m->phase, m->gain, (double)m->bw * 8e-6, m->p,
        (double)m->base_us / 1e3, (double)m->mean_us / 1e3, (double)st.srtt_us / 1e3,
        k->log.out_bytes / 1000, snd_span(&k->snd), (unsigned long long)st.n.lost,
        (unsigned long long)st.n.late, (unsigned long long)st.n.timeouts,
        (double)k->loss.window / 1e3, (unsigned long long)fogi_emu_counters(r->there)->tail_dropped,
        (double)r->delivered / 1e6);
}

static void
loop(struct run *r)
{
    fog_time shown = r->now;
    unsigned still = 0;
    while (r->now < r->end && !(r->full && r->delivered == r->offered)) {
        bool dark = r->row->dark && (r->now - T0) % DARK_EVERY >= DARK_EVERY - DARK_FOR;
        fogi_emu_dark(r->there, dark);
        fogi_emu_dark(r->back, dark);
        arrive(r);
        fog_arq_tick(r->tx, r->now);
        leave(r, r->tx, r->there);
        if (r->rx) {
            fog_arq_tick(r->rx, r->now);
            leave(r, r->rx, r->back);
        } else {
            leave_peer(r);
        }
        fog_time at = next_time(r);
        still = at == r->now ? still + 1 : 0;
        assert(still < 1000 && "an engine asks to be called again and again");
        if (r->trace && at - shown >= FOG_MS(100)) {
            print_trace(r);
            shown = at;
        }
        r->now = at;
    }
}

/* Milliseconds in the queue that `share` of the datagrams did not exceed. */
static double
quantile(const struct run *r, double share)
{
    uint64_t seen = 0;
    for (size_t i = 0; i < DELAYS; i++) {
        seen += r->delay[i];
        if ((double)seen >= share * (double)r->delays)
            return (double)i / 100;
    }
    return 0;
}

/* Longest time from the end of darkness to the full rate, ms; 0 when it never was dark. */
static double
recovery(const struct run *r)
{
    const size_t span = 5;
    double full = r->row->mbps * 1e6 / 8 * (1 - r->row->loss), worst = 0;
    if (!r->row->dark)
        return 0;
    for (fog_time light = DARK_EVERY; T0 + light < r->end - DRAINED_WITHIN; light += DARK_EVERY) {
        size_t first = (size_t)(light / BUCKET_US), at = first;
        for (; at < first + 400; at++) {
            uint64_t sum = 0;
            for (size_t i = 0; i < span; i++)
                sum += r->arrived[at + i];
            if ((double)sum >= 0.9 * full * (double)(span * BUCKET_US) / 1e6)
                break;
        }
        double ms = (double)(at - first) * (double)BUCKET_US / 1e3;
        worst = ms > worst ? ms : worst;
    }
    return worst;
}

static bool
print_result(const struct run *r, double goodput)
{
    const struct emu_counters *t = fogi_emu_counters(r->there), *b = fogi_emu_counters(r->back);
    struct fog_arq_status st;
    fog_arq_status(r->tx, &st);
    double wire = (double)(t->bytes + b->bytes) / (double)r->delivered;
    double most = 1.09 / (1 - r->row->loss);
    double share = goodput / r->row->limit;
    double back = (double)b->bytes / (double)r->delivered;
    struct fog_arq_status got = {0};
    if (r->rx)
        fog_arq_status(r->rx, &got);
    printf("%-9s %7.2f %5.3f /%4.2f %s wire %.3f /%.3f %s back %.3f drops %5llu queue %5.1f %6.1f "
           "resent %.3f red %.3f twice %.3f to %llu",
           r->row->name, goodput, share, r->row->goal, share >= r->row->goal ? "ok " : "LOW", wire,
           most, wire <= most ? "ok  " : "HIGH", back, (unsigned long long)t->tail_dropped,
           quantile(r, 0.5), quantile(r, 0.99),
           (double)st.n.resent / (double)(st.n.segments_out ? st.n.segments_out : 1),
           (double)st.n.redundant / (double)(st.n.segments_out ? st.n.segments_out : 1),
           (double)got.n.duplicates / (double)(got.n.segments_in ? got.n.segments_in : 1),
           (unsigned long long)st.n.timeouts);
    double back_ms = recovery(r);
    if (r->row->dark)
        printf(" recovery %.0f ms", back_ms);
    printf("\n");
    fflush(stdout);
    return share >= r->row->goal && wire <= most &&
           (!r->row->dark || back_ms <= 2 * r->row->rtt_ms + 250);
}

static bool
measure(const struct link_row *row)
{
    struct run *r = calloc(1, sizeof *r);
    if (!r)
        exit(2);
    *r = (struct run){.row = row, .now = T0, .trace = args.trace};
    r->end = T0 + (fog_time)(args.seconds * 1e6);
    struct emu_options o = model_link(row);
    struct rng rng = {args.seed};
    if (fogi_emu_new(&r->there, &o, rng_split(&rng, 1), fog_alloc_libc()) ||
        fogi_emu_new(&r->back, &o, rng_split(&rng, 2), fog_alloc_libc()))
        exit(2);
    r->tx = make_engine(r, 1000);
    if (args.ticked)
        r->peer = peer_new(TICK);
    else
        r->rx = make_engine(r, 2000), greet(r);
    loop(r);
    double goodput = (double)r->delivered * 8 / args.seconds / 1e6;
    r->full = true; /* what is under way arrives, so that the wire's bytes are all for something */
    r->end += DRAINED_WITHIN;
    loop(r);
    bool ok = print_result(r, goodput);
    fog_arq_free(r->tx);
    fog_arq_free(r->rx);
    peer_free(r->peer);
    fogi_emu_free(r->there);
    fogi_emu_free(r->back);
    free(r);
    return ok;
}

static bool
wanted(const char *name, int n, char **names)
{
    for (int i = 0; i < n; i++) {
        if (strcmp(names[i], name) == 0)
            return true;
    }
    return n == 0;
}

int
main(int argc, char **argv)
{
    int i = 1;
    for (; i < argc && argv[i][0] == '-'; i++) {
        if (strcmp(argv[i], "--trace") == 0)
            args.trace = true;
        else if (strcmp(argv[i], "--gate") == 0)
            args.gate = true;
        else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
            args.seed = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--seconds") == 0 && i + 1 < argc)
            args.seconds = atof(argv[++i]);
        else if (strcmp(argv[i], "--fast") == 0 && i + 1 < argc)
            args.fast = atoi(argv[++i]);
        else if (strcmp(argv[i], "--peer") == 0 && i + 1 < argc)
            args.ticked = strcmp(argv[++i], "ticked") == 0;
        else
            return 2;
    }
    bool ok = true;
    for (unsigned l = 0; l < model_links_n; l++) {
        if (wanted(model_links[l].name, argc - i, argv + i))
            ok = measure(&model_links[l]) && ok;
    }
    return args.gate && !ok;
}
