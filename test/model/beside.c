/* SPDX-License-Identifier: MIT
 *
 * beside.c - 64 bytes there and back beside four transfers, all through one session over an
 * emulated link, in virtual time: how long an answer takes, and where it waits. Everything follows
 * from the seed.
 *
 *     fog_beside [--seed n] [--seconds n] [--gate] [row ...]
 */
#include <foggara/session.h>

#include "emu/emu.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define T0 FOG_SEC(1000)
#define WARM FOG_SEC(2)
#define OVERHEAD 28 /* bytes of IP and UDP */
#define PING 64
#define BULK 4
#define ANSWERS_MAX 65536
#define BUSY_EVERY 100e3 /* us, on average */

struct row {
    const char *name;
    double mbps, rtt_ms, loss, queue_ms;
    bool down;         /* the transfers come back                                    */
    double stall_ms;   /* each end is kept from running for so long, ten times a second */
    double p50, p99;   /* ms beyond the round trip, at most                          */
    double mbit_least; /* of the transfers                                           */
};

/* clang-format off */
static const struct row rows[] = {
    /* name     Mbit  RTT  loss  queue down   stall p50  p99  least */
    {"up",       100,  50, 0,    100,  false, 0,     4,  20,  92},
    {"down",     100,  50, 0,    100,  true,  0,     4,  20,  92},
    {"stall2",   100,  50, 0,    100,  false, 2,    15,  40,  88},
    {"stall5",   100,  50, 0,    100,  false, 5,    15,  40,  85},
    {"thin",       5,  80, 0,    200,  false, 0,    20,  80, 4.5},
    {"slow20",    20,  30, 0,    100,  false, 0,     6,  16,  18},
};
/* clang-format on */

/* One end: its session, and until when the machine keeps it from running. */
struct end {
    struct fog_session *s;
    struct fog_stream *talk, *bulk[BULK];
    unsigned bulks;
    bool sends;         /* its bulk streams always have something to say */
    uint64_t got;       /* of the bulk streams */
    size_t said, heard; /* of 64 bytes under way */
    fog_time busy_until, busy_next;
    struct rng rng;
};

/* Where one answer was: refused room, in the ARQ's queue, on the way there, at the far end, and
 * back. */
enum part { TURN, QUEUE, THERE, FAR, BACK, ALL, PARTS };

struct run {
    const struct row *row;
    fog_time now;
    struct end near, far;
    struct emu *there, *back;
    fog_time asked, committed, left, came, echoed;
    uint64_t mark; /* the question is behind so many bytes */
    float took[PARTS][ANSWERS_MAX];
    unsigned answers;
    uint64_t got_warm;
};

static double
ms(fog_time us)
{
    return (double)us / 1e3;
}

static uint64_t
cut_until(const struct fog_session *s)
{
    struct fog_session_status st;
    fog_session_status(s, &st);
    return st.arq.committed - st.arq.queued;
}

static uint64_t
committed(const struct fog_session *s)
{
    struct fog_session_status st;
    fog_session_status(s, &st);
    return st.arq.committed;
}

/* ---------------------------------------------------------------------------------- both programs
 */

static void
fill(struct run *r, struct end *e, struct fog_stream *st)
{
    void *buf;
    size_t cap;
    while (fog_session_reserve(e->s, st, &buf, &cap, r->now) == 0 && cap > 0) {
        memset(buf, 0x5a, cap);
        if (fog_session_commit(e->s, st, cap, r->now))
            exit(2);
    }
}

/* True when all of it is in. */
static bool
say(struct run *r, struct end *e)
{
    static const uint8_t ping[PING];
    size_t taken;
    if (fog_session_write(e->s, e->talk, ping, PING - e->said, &taken, r->now))
        exit(2);
    e->said = (e->said + taken) % PING;
    return taken > 0 && e->said == 0;
}

static void
ask(struct run *r)
{
    if (!r->asked)
        r->asked = r->now;
    if (r->committed || !say(r, &r->near))
        return;
    r->committed = r->now;
    r->mark = committed(r->near.s);
}

static void
answered(struct run *r)
{
    const fog_time at[] = {r->asked, r->committed, r->left, r->came, r->echoed, r->now};
    if (r->now >= T0 + WARM && r->answers < ANSWERS_MAX) {
        for (unsigned i = 0; i < ALL; i++)
            r->took[i][r->answers] = (float)ms(at[i + 1] - at[i]);
        r->took[ALL][r->answers++] = (float)ms(r->now - r->asked);
    }
    r->asked = r->committed = r->left = r->came = r->echoed = 0;
    ask(r);
}

static size_t
take(struct run *r, struct end *e, struct fog_stream *st)
{
    const void *buf;
    size_t len, got = 0;
    bool eof;
    while (fog_session_peek(e->s, st, &buf, &len, &eof) == 0 && len > 0) {
        fog_session_consume(e->s, st, len, r->now);
        got += len;
    }
    return got;
}

static void
echo(struct run *r)
{
    if (!r->came || r->echoed || !say(r, &r->far))
        return;
    r->echoed = r->now;
}

static void
readable(struct run *r, struct end *e, struct fog_stream *st)
{
    size_t got = take(r, e, st);
    if (st != e->talk) {
        e->got += got;
        return;
    }
    e->heard += got;
    if (e->heard < PING)
        return;
    e->heard = 0;
    if (e == &r->near) {
        answered(r);
        return;
    }
    r->came = r->now;
    echo(r);
}

static void
writable(struct run *r, struct end *e, struct fog_stream *st)
{
    if (st != e->talk && e->sends)
        fill(r, e, st);
    else if (st == e->talk && e == &r->near)
        ask(r);
    else if (st == e->talk)
        echo(r);
}

static void
open_all(struct run *r, struct end *e)
{
    if (fog_session_open(e->s, &e->talk, r->now))
        exit(2);
    for (e->bulks = 0; e->bulks < BULK; e->bulks++) {
        if (fog_session_open(e->s, &e->bulk[e->bulks], r->now))
            exit(2);
    }
}

static void
accept_one(struct run *r, struct end *e, struct fog_stream *st)
{
    fog_session_connected(e->s, st, r->now);
    if (!e->talk)
        e->talk = st;
    else
        writable(r, e, e->bulk[e->bulks++] = st);
}

static void
take_events(struct run *r, struct end *e)
{
    struct fog_event ev;
    while (fog_session_event(e->s, &ev)) {
        if (ev.type == FOG_EV_READY && e == &r->near)
            open_all(r, e);
        else if (ev.type == FOG_EV_OPENED)
            accept_one(r, e, ev.stream);
        else if (ev.type == FOG_EV_ESTABLISHED || ev.type == FOG_EV_WRITABLE)
            writable(r, e, ev.stream);
        else if (ev.type == FOG_EV_READABLE)
            readable(r, e, ev.stream);
        else if (ev.type == FOG_EV_CLOSED || ev.type == FOG_EV_RESET)
            exit(2);
    }
}

/* --------------------------------------------------------------------------------- what happens */

/* Other programs take the machine for a while. */
static bool
is_busy(const struct run *r, struct end *e)
{
    if (r->row->stall_ms > 0 && r->now >= e->busy_next) {
        double len = -log(1 - rng_unit(&e->rng)) * r->row->stall_ms * 1e3;
        e->busy_until = r->now + (fog_time)len;
        e->busy_next = e->busy_until + (fog_time)(-log(1 - rng_unit(&e->rng)) * BUSY_EVERY);
    }
    return r->now < e->busy_until;
}

static void
run_end(struct run *r, struct end *e, struct emu *in, struct emu *out)
{
    uint8_t buf[FOG_DATAGRAM_MAX];
    uint64_t tag;
    size_t len;
    if (is_busy(r, e))
        return;
    while (fogi_emu_pop(in, &tag, buf, sizeof buf, &len, r->now)) {
        if (fog_session_input(e->s, buf, len, r->now) < 0)
            continue;
        take_events(r, e);
    }
    fog_session_tick(e->s, r->now);
    for (;;) {
        take_events(r, e);
        if (fog_session_output(e->s, buf, sizeof buf, &len, r->now) || len == 0)
            return;
        fogi_emu_push(out, 0, buf, len, r->now);
        if (e == &r->near && r->committed && !r->left && cut_until(e->s) >= r->mark)
            r->left = r->now;
    }
}

static fog_time
earlier(fog_time a, fog_time b)
{
    return a < b ? a : b;
}

static fog_time
due(const struct end *e, const struct emu *in)
{
    enum fog_why why;
    fog_time at = earlier(fog_session_deadline(e->s, &why), fogi_emu_deadline(in));
    return at > e->busy_until ? at : e->busy_until;
}

static void
run_until(struct run *r, fog_time end)
{
    while (r->now < end) {
        run_end(r, &r->near, r->back, r->there);
        run_end(r, &r->far, r->there, r->back);
        fog_time at = earlier(due(&r->near, r->back), due(&r->far, r->there));
        r->now = at > r->now ? at : r->now;
    }
}

/* ------------------------------------------------------------------------------------- one row */

static void
begin(struct run *r, const struct row *row, uint64_t seed)
{
    struct emu_options o = {
        .delay_us = (fog_time)(row->rtt_ms * 500),
        .loss = row->loss,
        .lose_after = true,
        .rate_bps = (uint64_t)(row->mbps * 1e6),
        .queue_bytes = (size_t)(row->mbps * 1e3 / 8 * row->queue_ms),
        .overhead = OVERHEAD,
    };
    struct rng rng = {seed};
    struct fog_session_options near, far;
    r->row = row;
    r->now = T0;
    fog_session_options_init(&near, FOG_CLIENT);
    fog_session_options_init(&far, FOG_SERVER);
    if (fogi_emu_new(&r->there, &o, rng_split(&rng, 1), fog_alloc_libc()) ||
        fogi_emu_new(&r->back, &o, rng_split(&rng, 2), fog_alloc_libc()) ||
        fog_session_new(&r->near.s, &near, fog_alloc_libc(), r->now) ||
        fog_session_new(&r->far.s, &far, fog_alloc_libc(), r->now))
        exit(2);
    r->near.rng = rng_split(&rng, 3);
    r->far.rng = rng_split(&rng, 4);
    r->near.busy_next = r->far.busy_next = r->now;
    (row->down ? &r->far : &r->near)->sends = true;
}

static void
finish(struct run *r)
{
    fog_session_free(r->near.s);
    fog_session_free(r->far.s);
    fogi_emu_free(r->there);
    fogi_emu_free(r->back);
    free(r);
}

static int
by_size(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return x < y ? -1 : x > y;
}

static bool
measure(const struct row *row, uint64_t seed, double seconds)
{
    struct run *r = calloc(1, sizeof *r);
    if (!r)
        exit(2);
    begin(r, row, seed);
    struct end *to = row->down ? &r->near : &r->far;
    run_until(r, T0 + WARM);
    uint64_t before = to->got;
    run_until(r, T0 + WARM + (fog_time)(seconds * 1e6));
    double mbit = (double)(to->got - before) * 8 / 1e6 / seconds, p50[PARTS], p99[PARTS];
    unsigned n = r->answers;
    for (unsigned i = 0; i < PARTS && n > 0; i++) {
        qsort(r->took[i], n, sizeof r->took[i][0], by_size);
        p50[i] = (double)r->took[i][n / 2];
        p99[i] = (double)r->took[i][n - 1 - n / 100];
    }
    finish(r);
    bool ok = n > 0 && p50[ALL] <= row->rtt_ms + row->p50 && p99[ALL] <= row->rtt_ms + row->p99 &&
              mbit >= row->mbit_least;
    if (n == 0)
        printf("%-8s no answer\n", row->name);
    else
        printf("%-8s %6.2f Mbit/s, %4u answers p50 %6.2f p99 %6.2f ms | turn %.2f %.2f queue %.2f "
               "%.2f there %.2f %.2f far %.2f %.2f back %.2f %.2f | %s\n",
               row->name, mbit, n, p50[ALL], p99[ALL], p50[TURN], p99[TURN], p50[QUEUE], p99[QUEUE],
               p50[THERE], p99[THERE], p50[FAR], p99[FAR], p50[BACK], p99[BACK],
               ok ? "ok" : "MISSED");
    fflush(stdout);
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
    uint64_t seed = 1;
    double seconds = 20;
    bool gate = false, ok = true;
    int i = 1;
    for (; i < argc && argv[i][0] == '-'; i++) {
        if (strcmp(argv[i], "--gate") == 0)
            gate = true;
        else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
            seed = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--seconds") == 0 && i + 1 < argc)
            seconds = atof(argv[++i]);
        else
            return 2;
    }
    for (size_t l = 0; l < sizeof rows / sizeof rows[0]; l++) {
        if (wanted(rows[l].name, argc - i, argv + i))
            ok = measure(&rows[l], seed, seconds) && ok;
    }
    return gate && !ok;
}
