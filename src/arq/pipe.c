/* SPDX-License-Identifier: MIT
 *
 * pipe.c - the other engine: a carrier that is already reliable and in order. Two byte queues with
 * a bound each. Knows no segments, stamps or timers; it never wakes by itself.
 *
 * Invariant: each queue holds at most `window` bytes. What output wrote counts as acknowledged.
 */
#include "arq/arq_int.h"
#include "base/bytes.h"

#include <assert.h>
#include <string.h>

#define WINDOW_MIN 4096
#define WINDOW_MAX (16 << 20)
#define PIECE_MAX BYTES_PAGE_MAX /* one append is all or nothing up to here */

struct pipe {
    struct fog_arq arq; /* first: a pointer to it is a pointer to the engine */
    struct mem mem;
    size_t window;
    struct bytes in, out;
    fog_time now, last_input;
    bool ended; /* the carrier has no more for us */
    uint8_t events;
    struct fog_arq_counters n;
};

static struct pipe *
pipe_of(struct fog_arq *a)
{
    return (struct pipe *)(void *)a;
}

static const struct pipe *
pipe_of_const(const struct fog_arq *a)
{
    return (const struct pipe *)(const void *)a;
}

static size_t
pipe_input_room(const struct fog_arq *a)
{
    const struct pipe *p = pipe_of_const(a);
    size_t room = p->ended ? 0 : p->window - bytes_len(&p->in);
    return room < PIECE_MAX ? room : PIECE_MAX;
}

static int
pipe_input(struct fog_arq *a, const void *buf, size_t len, fog_time now)
{
    struct pipe *p = pipe_of(a);
    p->now = now;
    if (p->ended)
        return FOG_E_CLOSED;
    if (len == 0) {
        p->ended = true;
        p->events = (uint8_t)(p->events | 1u << FOG_ARQ_ENDED);
        return FOG_OK;
    }
    if (len > pipe_input_room(a))
        return FOG_E_LIMIT;
    if (!fogi_bytes_append(&p->in, &p->mem, buf, len)) {
        p->n.limit_memory_hit++;
        return FOG_E_NOMEM;
    }
    p->n.datagrams_in++;
    p->n.bytes_in += len;
    p->last_input = now;
    return FOG_OK;
}

static int
pipe_output(struct fog_arq *a, void *buf, size_t cap, size_t *len, fog_time now)
{
    struct pipe *p = pipe_of(a);
    uint8_t *to = buf;
    p->now = now;
    *len = 0;
    while (*len < cap && bytes_len(&p->out) > 0) {
        size_t n;
        const void *from = fogi_bytes_peek(&p->out, &n);
        if (n > cap - *len)
            n = cap - *len;
        memcpy(to + *len, from, n);
        fogi_bytes_consume(&p->out, &p->mem, n);
        *len += n;
    }
    if (bytes_len(&p->out) == 0)
        fogi_bytes_consume(&p->out, &p->mem, 0); /* a page reserved but never filled */
    p->n.datagrams_out += *len > 0;
    p->n.bytes_out += *len;
    return FOG_OK;
}

static fog_time
pipe_deadline(const struct fog_arq *a, enum fog_why *why)
{
    const struct pipe *p = pipe_of_const(a);
    bool waits = bytes_len(&p->out) > 0;
    *why = waits ? FOG_WHY_OUTPUT : FOG_WHY_NEVER;
    return waits ? p->now : FOG_TIME_NEVER;
}

static void
pipe_tick(struct fog_arq *a, fog_time now)
{
    pipe_of(a)->now = now;
}

static bool
pipe_event(struct fog_arq *a, struct fog_arq_event *ev)
{
    return arq_take_event(&pipe_of(a)->events, FOG_OK, ev);
}

static size_t
pipe_writable(const struct fog_arq *a)
{
    const struct pipe *p = pipe_of_const(a);
    return p->window - bytes_len(&p->out);
}

static int
pipe_reserve(struct fog_arq *a, size_t min, void **buf, size_t *cap)
{
    struct pipe *p = pipe_of(a);
    size_t room = pipe_writable(a), got;
    if (room < min)
        return FOG_OK;
    void *at = fogi_bytes_reserve(&p->out, &p->mem, min, &got);
    if (!at)
        return FOG_E_NOMEM;
    *buf = at;
    *cap = got < room ? got : room;
    return FOG_OK;
}

static void
pipe_commit(struct fog_arq *a, size_t len, fog_time now)
{
    struct pipe *p = pipe_of(a);
    p->now = now;
    fogi_bytes_commit(&p->out, len);
}

static void
pipe_peek(const struct fog_arq *a, const void **buf, size_t *len)
{
    *buf = fogi_bytes_peek(&pipe_of_const(a)->in, len);
}

static void
pipe_consume(struct fog_arq *a, size_t len, fog_time now)
{
    struct pipe *p = pipe_of(a);
    p->now = now;
    fogi_bytes_consume(&p->in, &p->mem, len);
}

static void
pipe_status(const struct fog_arq *a, struct fog_arq_status *st)
{
    const struct pipe *p = pipe_of_const(a);
    *st = (struct fog_arq_status){
        .validated = true,
        .committed = p->out.tail,
        .acked = p->out.head,
        .queued = bytes_len(&p->out),
        .last_input = p->last_input,
        .held = p->mem.held,
        .n = p->n,
    };
}

static uint64_t
pipe_acked(const struct fog_arq *a)
{
    return pipe_of_const(a)->out.head;
}

/* The carrier finds its own pace. */
static void
pipe_set_rate(struct fog_arq *a, uint64_t rate, fog_time now)
{
    (void)a, (void)rate, (void)now;
}

/* What is lent is copied at once: a stream's pieces are joined. */
static void
pipe_keep(struct fog_arq *a)
{
    (void)a;
}

static void
pipe_peer_takes(struct fog_arq *a, uint32_t bytes)
{
    (void)a, (void)bytes;
}

static void
pipe_free(struct fog_arq *a)
{
    struct pipe *p = pipe_of(a);
    struct mem m = p->mem; /* outlives the engine by one call */
    fogi_bytes_clear(&p->in, &m);
    fogi_bytes_clear(&p->out, &m);
    mem_put(&m, p, sizeof *p);
    assert(m.held == 0 && "every part gives back what it took");
}

int
fog_pipe_new(struct fog_arq **a, size_t window, const struct fog_alloc *al, fog_time now)
{
    static const struct arq_ops ops = {
        .free = pipe_free,
        .lend = pipe_input,
        .keep = pipe_keep,
        .input_room = pipe_input_room,
        .output = pipe_output,
        .deadline = pipe_deadline,
        .tick = pipe_tick,
        .event = pipe_event,
        .writable = pipe_writable,
        .reserve = pipe_reserve,
        .commit = pipe_commit,
        .peek = pipe_peek,
        .consume = pipe_consume,
        .status = pipe_status,
        .acked = pipe_acked,
        .peer_takes = pipe_peer_takes,
        .set_rate = pipe_set_rate,
    };
    *a = NULL;
    if (window < WINDOW_MIN || window > WINDOW_MAX)
        return FOG_E_USAGE;
    struct mem m;
    mem_init(&m, al);
    struct pipe *p = mem_get(&m, sizeof *p);
    if (!p)
        return FOG_E_NOMEM;
    *p = (struct pipe){.arq = {&ops}, .mem = m, .window = window, .now = now, .last_input = now};
    fogi_bytes_init(&p->in, 0);
    fogi_bytes_init(&p->out, 0);
    *a = &p->arq;
    return FOG_OK;
}
