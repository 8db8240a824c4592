/* SPDX-License-Identifier: MIT
 *
 * emu.c - decides the fate of a datagram on a bad link, once, when it is offered. Refuses to know
 * who sends and what the bytes mean.
 * Invariant: every datagram offered is either counted in one of the four drops or handed out, once
 * or twice; chance is drawn only for conditions that are switched on.
 */
#include "emu/emu.h"

#include <foggara/error.h>

#include "base/heap.h"
#include "base/list.h"

#include <assert.h>
#include <string.h>

#define NS_PER_US 1000
#define NS_PER_S 1000000000u

struct packet {
    struct heap_node due;
    uint64_t tag;
    size_t len;
    uint8_t bytes[];
};

struct emu {
    struct mem mem;
    struct rng rng;
    struct emu_options o;
    struct emu_counters n;
    struct heap queue; /* packets by the time they come out                                      */
    int64_t line_ns;   /* when the last byte queued in front of the rate will have left          */
    fog_time newest;   /* latest exit so far of a packet that keeps the order                    */
    bool bad;          /* state of the loss process: within a run of losses                      */
    bool dark;
};

static bool
chance(struct emu *e, double share)
{
    return share > 0 && rng_unit(&e->rng) < share;
}

/** Loss with mean share `loss` in runs of mean length `burst` (Gilbert-Elliott with all or none).
 */
static bool
loses(struct emu *e)
{
    if (e->o.loss <= 0)
        return false;
    if (e->o.burst <= 1 || e->o.loss >= 1)
        return chance(e, e->o.loss);
    double leave = 1 / e->o.burst, enter = e->o.loss * leave / (1 - e->o.loss);
    e->bad = e->bad ? !chance(e, leave) : chance(e, enter);
    return e->bad;
}

/** The line takes the datagram in, or its queue is full. The line's clock is in nanoseconds so that
 *  rounding does not add up at high rates. */
static bool
enqueue(struct emu *e, size_t size, fog_time now)
{
    int64_t now_ns = now * NS_PER_US;
    if (e->line_ns < now_ns)
        e->line_ns = now_ns;
    if (!e->o.rate_bps)
        return true;
    uint64_t waiting_ns = (uint64_t)(e->line_ns - now_ns);
    double waiting = (double)waiting_ns / NS_PER_S * (double)e->o.rate_bps / 8;
    if (e->o.queue_bytes && waiting_ns && waiting + (double)size > (double)e->o.queue_bytes)
        return false;
    e->line_ns += (int64_t)((double)size * 8 * NS_PER_S / (double)e->o.rate_bps);
    return true;
}

/** When a datagram that leaves the line now comes out. */
static fog_time
exit_time(struct emu *e)
{
    fog_time left = (e->line_ns + NS_PER_US - 1) / NS_PER_US, delay = e->o.delay_us;
    if (chance(e, e->o.reorder)) {
        e->n.reordered++;
        return left + delay / 10;
    }
    if (e->o.jitter_us > 0)
        delay += (fog_time)(rng_unit(&e->rng) * (double)(e->o.jitter_us + 1));
    fog_time at = left + delay;
    if (e->o.jitter_us <= 0 && at < e->newest)
        at = e->newest;
    if (at > e->newest)
        e->newest = at;
    return at;
}

/** Puts one copy on its way, perhaps damaged. */
static void
launch(struct emu *e, uint64_t tag, const void *buf, size_t len)
{
    size_t kept = len;
    if (len && chance(e, e->o.truncate)) {
        kept = rng_below(&e->rng, (uint32_t)len);
        e->n.truncated++;
    }
    fog_time at = exit_time(e);
    struct packet *p = NULL;
    if (fogi_heap_room(&e->queue, &e->mem, e->queue.n + 1))
        p = mem_get(&e->mem, sizeof *p + kept);
    if (!p) {
        e->n.lost++;
        return;
    }
    *p = (struct packet){.tag = tag, .len = kept};
    if (kept)
        memcpy(p->bytes, buf, kept);
    if (kept && chance(e, e->o.corrupt)) {
        uint32_t bit = rng_below(&e->rng, (uint32_t)kept * 8);
        p->bytes[bit / 8] = (uint8_t)(p->bytes[bit / 8] ^ (1u << (bit % 8)));
        e->n.corrupted++;
    }
    fogi_heap_set(&e->queue, &p->due, at);
}

int
fogi_emu_new(struct emu **e, const struct emu_options *o, struct rng rng,
             const struct fog_alloc *al)
{
    struct mem mem;
    mem_init(&mem, al);
    struct emu *made = mem_get(&mem, sizeof *made);
    if (!made)
        return FOG_E_NOMEM;
    *made = (struct emu){.rng = rng, .o = *o, .line_ns = INT64_MIN, .newest = INT64_MIN};
    made->mem = mem;
    /* Half way into a process that has run for ever: the first datagram is no luckier than others.
     */
    made->bad = chance(made, o->burst > 1 ? o->loss : 0);
    *e = made;
    return 0;
}

static void
drop(struct emu *e, struct packet *p)
{
    fogi_heap_set(&e->queue, &p->due, FOG_TIME_NEVER);
    mem_put(&e->mem, p, sizeof *p + p->len);
}

static struct packet *
first(const struct emu *e)
{
    struct heap_node *node = heap_first(&e->queue);
    return node ? list_entry(node, struct packet, due) : NULL;
}

void
fogi_emu_free(struct emu *e)
{
    if (!e)
        return;
    for (struct packet *p; (p = first(e));)
        drop(e, p);
    fogi_heap_clear(&e->queue, &e->mem);
    struct mem mem = e->mem;
    mem_put(&mem, e, sizeof *e);
    assert(mem.held == 0 && "all packets were dropped");
}

void
fogi_emu_set(struct emu *e, const struct emu_options *o)
{
    e->o = *o;
}

void
fogi_emu_dark(struct emu *e, bool dark)
{
    e->dark = dark;
}

void
fogi_emu_push(struct emu *e, uint64_t tag, const void *buf, size_t len, fog_time now)
{
    size_t size = len + e->o.overhead;
    e->n.datagrams++;
    e->n.bytes += size;
    if (e->o.mtu && len > e->o.mtu) {
        e->n.mtu_dropped++;
        return;
    }
    if (e->dark) {
        e->n.dark_dropped++;
        return;
    }
    bool lost = loses(e);
    if ((!lost || e->o.lose_after) && !enqueue(e, size, now)) {
        e->n.tail_dropped++;
        return;
    }
    if (lost) {
        e->n.lost++;
        return;
    }
    launch(e, tag, buf, len);
    if (chance(e, e->o.duplicate)) {
        e->n.duplicated++;
        launch(e, tag, buf, len);
    }
}

bool
fogi_emu_pop(struct emu *e, uint64_t *tag, void *buf, size_t cap, size_t *len, fog_time now)
{
    struct packet *p = first(e);
    if (!p || p->due.at > now)
        return false;
    *tag = p->tag;
    *len = p->len < cap ? p->len : cap;
    if (*len)
        memcpy(buf, p->bytes, *len);
    e->n.delivered++;
    e->n.delivered_bytes += p->len + e->o.overhead;
    drop(e, p);
    return true;
}

fog_time
fogi_emu_deadline(const struct emu *e)
{
    struct packet *p = first(e);
    return p ? p->due.at : FOG_TIME_NEVER;
}

const struct emu_counters *
fogi_emu_counters(const struct emu *e)
{
    return &e->n;
}
