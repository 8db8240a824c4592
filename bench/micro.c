/* SPDX-License-Identifier: MIT
 *
 * micro.c - moves segments between two KCP engines in memory, to count what the engine costs. Time
 * is virtual, so a run executes the same instructions every time.
 *
 *     micro WINDOW SEGMENTS [EVERY]      EVERY: each such datagram is lost; 0: none
 *
 * The round trip is as long as WINDOW segments take on the line, so that a sender of any kind has
 * to keep about WINDOW in flight. Only move_all() is to be counted; what the harness itself does
 * per datagram is one copy in and one out.
 */
#include <foggara/arq.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEGMENT_US 10 /* of a full segment on the line: 1 Gbit/s */
#define EXIT_USAGE 64
#define PAYLOAD (FOG_MTU_DEFAULT - FOG_KCP_HEADER)

struct packet {
    fog_time due;
    size_t len;
    uint8_t bytes[FOG_MTU_DEFAULT];
};

/** One direction: keeps the order. */
struct line {
    struct packet *ring;
    size_t size, head, n;
    fog_time delay, free_at;
    uint64_t offered, every;
};

struct world {
    struct fog_arq *from, *to;
    struct line there, back;
    uint64_t left, arrived, wanted; /* bytes */
    fog_time now;
};

static void
fail(const char *why)
{
    fprintf(stderr, "micro: %s\n", why);
    exit(EXIT_FAILURE);
}

static void
line_open(struct line *l, size_t size, fog_time delay, uint64_t every)
{
    *l = (struct line){.ring = calloc(size, sizeof *l->ring), .size = size, .delay = delay};
    l->every = every;
    if (!l->ring)
        fail("no memory");
}

/** Lets the engine write its next datagram straight into the line; false when it has none. */
static bool
line_fill(struct line *l, struct fog_arq *a, fog_time now)
{
    if (l->n == l->size)
        return false;
    struct packet *p = &l->ring[(l->head + l->n) % l->size];
    if (fog_arq_output(a, p->bytes, sizeof p->bytes, &p->len, now) != 0)
        fail("output");
    if (!p->len)
        return false;
    if (l->every && ++l->offered % l->every == 0)
        return true;
    l->free_at =
        (l->free_at > now ? l->free_at : now) + SEGMENT_US * (fog_time)p->len / FOG_MTU_DEFAULT;
    p->due = l->free_at + l->delay;
    l->n++;
    return true;
}

static void
line_drain(struct line *l, struct fog_arq *a, fog_time now)
{
    while (l->n && l->ring[l->head].due <= now) {
        struct packet *p = &l->ring[l->head];
        if (fog_arq_input(a, p->bytes, p->len, now) != 0)
            fail("input");
        l->head = (l->head + 1) % l->size;
        l->n--;
    }
}

static void
feed(struct world *w)
{
    for (void *buf; w->left;) {
        size_t cap, want = w->left < PAYLOAD ? (size_t)w->left : PAYLOAD;
        if (fog_arq_reserve(w->from, want, &buf, &cap) != 0)
            fail("reserve");
        if (!cap)
            return;
        fog_arq_commit(w->from, want, w->now);
        w->left -= want;
    }
}

static void
swallow(struct world *w)
{
    const void *buf;
    for (size_t len; fog_arq_peek(w->to, &buf, &len), len;) {
        fog_arq_consume(w->to, len, w->now);
        w->arrived += len;
    }
}

static fog_time
next(const struct world *w)
{
    fog_time at = fog_arq_deadline(w->from, NULL), other = fog_arq_deadline(w->to, NULL);
    at = other < at ? other : at;
    if (w->there.n && w->there.ring[w->there.head].due < at)
        at = w->there.ring[w->there.head].due;
    if (w->back.n && w->back.ring[w->back.head].due < at)
        at = w->back.ring[w->back.head].due;
    return at;
}

/** Like a program that is woken at most once in ten segments: datagrams come in batches. */
static void
step(struct world *w)
{
    fog_time at = next(w);
    if (at == FOG_TIME_NEVER)
        fail("nobody has anything to do");
    w->now = at > w->now + 10 * SEGMENT_US ? at : w->now + 10 * SEGMENT_US;
    line_drain(&w->there, w->to, w->now);
    swallow(w);
    fog_arq_tick(w->to, w->now);
    while (line_fill(&w->back, w->to, w->now)) {
    }
    line_drain(&w->back, w->from, w->now);
    fog_arq_tick(w->from, w->now);
    feed(w);
    while (line_fill(&w->there, w->from, w->now)) {
    }
}

__attribute__((noinline)) void move_all(struct world *w);

void
move_all(struct world *w)
{
    feed(w);
    while (line_fill(&w->there, w->from, w->now)) {
    }
    while (w->arrived < w->wanted)
        step(w);
}

static struct fog_arq *
engine(uint32_t window)
{
    struct fog_kcp_options o;
    struct fog_arq *a;
    fog_kcp_options_init(&o);
    o.snd_wnd = o.rcv_wnd = window;
    if (fog_kcp_new(&a, &o, fog_alloc_libc(), 0) != 0)
        fail("no engine");
    return a;
}

int
main(int argc, char **argv)
{
    unsigned long window = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
    uint64_t segments = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;
    uint64_t every = argc > 3 ? strtoull(argv[3], NULL, 10) : 0;
    if (!window || window > FOG_WND_MAX || !segments) {
        fprintf(stderr, "usage: micro WINDOW SEGMENTS [EVERY]\n");
        return EXIT_USAGE;
    }
    struct world w = {.left = segments * PAYLOAD, .wanted = segments * PAYLOAD};
    w.from = engine((uint32_t)window);
    w.to = engine((uint32_t)window);
    fog_time delay = (fog_time)window * SEGMENT_US / 2;
    line_open(&w.there, window * 4 + 64, delay, every);
    line_open(&w.back, window * 4 + 64, delay, 0);
    move_all(&w);
    struct fog_arq_status st;
    fog_arq_status(w.from, &st);
    printf("window %lu: %" PRIu64 " segments out, %" PRIu64
           " resent, %.3f virtual s, %.0f %% of the line\n",
           window, st.n.segments_out, st.n.resent, (double)w.now / 1e6,
           100.0 * (double)segments * SEGMENT_US / (double)w.now);
    fog_arq_free(w.from);
    fog_arq_free(w.to);
    free(w.there.ring);
    free(w.back.ring);
    return 0;
}
