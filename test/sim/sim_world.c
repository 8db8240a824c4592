/* SPDX-License-Identifier: MIT
 *
 * sim_world.c - the clock, whose turn it is, and the memory of what happened: a hash over
 * everything (two runs of a seed must agree) and, when asked, the last events in words.
 */
#include "sim.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/wire.h"

#define RING 100000            /* events kept in words */
#define STEPS_MAX 4000000      /* of one run; more is a world that turns without end */
#define INBOX_MAX (256 * 1024) /* a socket's receive buffer */
#define IDLE_US FOG_SEC(12)    /* of the silence that is watched */
#define IDLE_TICKS_PER_S 2     /* of one session */

/* --------------------------------------------------------------------------------- what happened
 */

uint64_t
sim_hash(const void *buf, size_t len)
{
    const uint8_t *p = buf;
    uint64_t h = 0x9ae16a3b2f90404fu ^ len;
    for (; len >= 8; p += 8, len -= 8) {
        uint64_t v;
        memcpy(&v, p, 8);
        h = (h ^ v) * 0x9fb21c651e98df25u;
        h ^= h >> 29;
    }
    for (; len > 0; p++, len--)
        h = (h ^ *p) * 0x100000001b3u;
    return h ^ (h >> 32);
}

void
sim_mix(struct world *w, uint64_t value)
{
    w->hash = (w->hash ^ value ^ (uint64_t)w->now * 0x9e3779b97f4a7c15u) * 0xff51afd7ed558ccdu;
    w->hash ^= w->hash >> 33;
}

static char *
ring_slot(struct world *w)
{
    return w->ring[w->ring_at++ % RING];
}

void
sim_note(struct world *w, const char *fmt, ...)
{
    if (!w->trace)
        return;
    char *line = ring_slot(w);
    int n = snprintf(line, sizeof w->ring[0], "%11.6f ", (double)w->now / 1e6);
    va_list args;
    va_start(args, fmt);
    vsnprintf(line + n, sizeof w->ring[0] - (size_t)n, fmt, args);
    va_end(args);
}

/** Segments of a datagram in words, as many as fit a line. */
static void
describe(char *out, size_t cap, const uint8_t *p, size_t len)
{
    static const char *const name[] = {"PUSH", "ACK", "WASK", "WINS"};
    size_t n = 0;
    out[0] = 0;
    while (len >= FOG_KCP_HEADER && n + 60 < cap) {
        uint32_t size = get_le32(p + 20);
        n += (size_t)snprintf(out + n, cap - n, " %s sn %u ts %08x una %u wnd %u",
                              p[4] >= 81 && p[4] <= 84 ? name[p[4] - 81] : "?", get_le32(p + 12),
                              get_le32(p + 8), get_le32(p + 16), get_le16(p + 6));
        if (size)
            n += (size_t)snprintf(out + n, cap - n, " +%u", size);
        if (size > len - FOG_KCP_HEADER)
            return;
        p += FOG_KCP_HEADER + size;
        len -= FOG_KCP_HEADER + size;
    }
}

void
sim_note_datagram(struct world *w, const char *what, int who, const void *buf, size_t len)
{
    sim_mix(w, sim_hash(buf, len) + (uint64_t)who * 31 + (uint64_t)what[0] * 7);
    if (!w->trace)
        return;
    char text[160];
    if (w->plan->via == VIA_PIPE)
        text[0] = 0;
    else
        describe(text, sizeof text, buf, len);
    sim_note(w, "c%d %s %zu:%s", who, what, len, text);
}

void
sim_fail(struct world *w, const char *fmt, ...)
{
    if (w->failed)
        return;
    w->failed = true;
    int n = snprintf(w->why, sizeof w->why, "at %.6f: ", (double)w->now / 1e6);
    va_list args;
    va_start(args, fmt);
    vsnprintf(w->why + n, sizeof w->why - (size_t)n, fmt, args);
    va_end(args);
}

void
sim_dump(const struct world *w, uint32_t last, FILE *f)
{
    if (!w->ring)
        return;
    last = last < RING ? last : RING;
    for (uint32_t i = w->ring_at > last ? w->ring_at - last : 0; i < w->ring_at; i++)
        fprintf(f, "%s\n", w->ring[i % RING]);
}

/* ---------------------------------------------------------------------------------------- memory
 */

static void *
count_alloc(void *ctx, size_t size)
{
    struct count *c = ctx;
    if (c->refuses && rng_unit(&c->rng) < c->w->plan->nomem)
        return NULL;
    void *p = malloc(size);
    if (p) {
        c->held += size;
        c->blocks++;
        if (c->held > c->peak)
            c->peak = c->held;
    }
    return p;
}

static void
count_free(void *ctx, void *p, size_t size)
{
    struct count *c = ctx;
    if (size > c->held || c->blocks == 0)
        sim_fail(c->w, "more memory freed than was held: %zu of %zu", size, c->held);
    c->held -= size;
    c->blocks--;
    free(p);
}

struct fog_alloc
sim_alloc(struct count *c)
{
    return (struct fog_alloc){count_alloc, count_free, c};
}

/* ----------------------------------------------------------------------------------------- hosts
 */

void
sim_host_init(struct host *h, struct world *w, const char *name, int number,
              void (*run)(struct actor *a, struct world *w))
{
    *h = (struct host){.w = w, .name = name, .number = number, .wake.run = run};
    struct rng master = {w->plan->seed};
    h->mem.w = w;
    h->mem.rng = rng_split(&master, 0x3e3 + (uint64_t)number);
    list_init(&h->inbox);
    list_init(&h->busy);
}

void
sim_host_clear(struct host *h)
{
    for (struct packet *p; (p = sim_take(h));)
        free(p);
}

fog_time
sim_clock(const struct host *h)
{
    return h->w->now + h->w->plan->origin + h->skew;
}

fog_time
sim_wake_at(const struct host *h, fog_time deadline)
{
    return deadline == FOG_TIME_NEVER ? deadline : deadline - h->w->plan->origin - h->skew;
}

void
sim_arrive(struct host *h, const struct fog_addr *from, uint32_t seq, const void *buf, size_t len)
{
    if (h->deaf || h->inbox_bytes + len > INBOX_MAX)
        return;
    struct packet *p = malloc(sizeof *p + len);
    if (!p)
        abort();
    *p = (struct packet){.from = *from, .seq = seq, .len = len};
    if (len)
        memcpy(p->bytes, buf, len);
    list_push(&h->inbox, &p->in);
    h->inbox_bytes += len;
    sim_set(h->w, &h->wake, h->w->now);
}

struct packet *
sim_take(struct host *h)
{
    struct list *l = list_pop(&h->inbox);
    if (!l)
        return NULL;
    struct packet *p = list_entry(l, struct packet, in);
    h->inbox_bytes -= p->len;
    return p;
}

void
sim_addr(struct fog_addr *a, uint8_t net, uint8_t who, uint16_t port)
{
    *a = (struct fog_addr){.ip = {[10] = 0xff, 0xff, net, who, 0, 1}, .port = port};
}

/* ----------------------------------------------------------------------------------------- steps
 */

void
sim_set(struct world *w, struct actor *a, fog_time at)
{
    if (at < w->now)
        at = w->now;
    if (!fogi_heap_room(&w->actors, &w->mem, w->actors.n + 1))
        abort();
    fogi_heap_set(&w->actors, &a->due, at);
}

static bool
step(struct world *w, fog_time until)
{
    struct heap_node *first = heap_first(&w->actors);
    if (!first || first->at > until || w->failed)
        return false;
    struct actor *a = list_entry(first, struct actor, due);
    w->now = first->at;
    fogi_heap_set(&w->actors, first, FOG_TIME_NEVER);
    a->run(a, w);
    if (++w->stats.wakes > STEPS_MAX)
        sim_fail(w, "the world turns without end");
    return !w->failed;
}

static void
run_until(struct world *w, fog_time until)
{
    while (step(w, until))
        ;
    if (!w->failed)
        w->now = until;
}

static void
start(struct world *w, struct plan *p, bool trace)
{
    memset(w, 0, sizeof *w);
    w->plan = p;
    w->hash = p->seed;
    mem_init(&w->mem, fog_alloc_libc());
    w->trace = trace;
    if (trace)
        w->ring = calloc(RING, sizeof *w->ring);
    w->live_flows = p->n_flows;
    for (int i = 0; i < p->n_flows; i++)
        sim_flow_init(w, i);
    sim_server_init(w);
    for (int i = 0; i < p->clients; i++)
        sim_client_init(w, i);
    sim_fault_init(w);
    sim_attack_init(w);
}

static void
wait_for_flows(struct world *w)
{
    const struct plan *p = w->plan;
    fog_time until = p->max_finish ? p->max_finish : p->heal_at + p->finish_in;
    while (w->live_flows > 0 && step(w, until))
        ;
    if (w->failed || w->live_flows == 0)
        return;
    w->now = until;
    for (int i = 0; i < p->n_flows; i++) {
        const struct flow *f = &w->flows[i];
        if (f->done_at == 0) {
            const struct end *c = &f->end[FOG_CLIENT], *s = &f->end[FOG_SERVER];
            sim_fail(w,
                     "%d of %d flows still live %.1f s after all healed; first: %d (%s) of c%d, "
                     "up %u/%u of %u, down %u/%u of %u, states %d %d, eof %d %d, finished %d %d",
                     w->live_flows, p->n_flows, (double)(w->now - p->heal_at) / 1e6, i,
                     f->plan->name, f->plan->client, s->received, c->sent,
                     f->plan->end[FOG_CLIENT].total, c->received, s->sent,
                     f->plan->end[FOG_SERVER].total, (int)c->state, (int)s->state, c->eof, s->eof,
                     c->finished, s->finished);
            return;
        }
    }
}

static uint64_t
all_ticks(const struct world *w)
{
    uint64_t n = w->server.host.ticks;
    for (int i = 0; i < w->plan->clients; i++)
        n += w->clients[i].host.ticks;
    return n;
}

/** Everything is said: nobody may wake up often now of his own accord. */
static void
watch_silence(struct world *w)
{
    uint64_t sessions = 1 + (uint64_t)w->plan->clients, before = all_ticks(w), n;
    for (struct list *l = w->server.tunnels.next; l != &w->server.tunnels; l = l->next)
        sessions++;
    if (w->server.e) { /* those that never proved themselves are still to be forgotten */
        struct fog_endpoint_status st;
        fog_endpoint_status(w->server.e, &st);
        sessions += st.pending;
    }
    run_until(w, w->now + IDLE_US);
    n = all_ticks(w) - before;
    w->stats.idle_ticks += n;
    if (!w->failed && n > sessions * IDLE_TICKS_PER_S * (uint64_t)(IDLE_US / 1000000))
        sim_fail(w, "%llu wake-ups in %d idle s of %llu sessions", (unsigned long long)n,
                 (int)(IDLE_US / 1000000), (unsigned long long)sessions);
}

static bool
server_is_empty(const struct world *w)
{
    if (!list_is_empty(&w->server.tunnels))
        return false;
    if (!w->server.e)
        return true;
    struct fog_endpoint_status st;
    fog_endpoint_status(w->server.e, &st);
    return st.sessions == 0 && st.pending == 0;
}

static void
close_down(struct world *w)
{
    for (int i = 0; i < w->plan->clients; i++) {
        w->clients[i].leaving = true;
        sim_client_restart(&w->clients[i], true, 0);
    }
    fog_time until = w->now + w->plan->give_up;
    while (!server_is_empty(w) && step(w, until))
        ;
    if (w->failed || server_is_empty(w))
        return;
    struct fog_session_status st = {0};
    const struct tunnel *t = NULL;
    if (!list_is_empty(&w->server.tunnels)) {
        t = list_entry(w->server.tunnels.next, struct tunnel, all);
        fog_session_status(t->s, &st);
    }
    sim_fail(w,
             "sessions of the server outlive their clients by %.0f s; first: c%d/%u, mux state %d",
             (double)w->plan->give_up / 1e6, t ? t->c->host.number : -1, t ? t->gen : 0,
             (int)st.mux.state);
}

static void
stop(struct world *w)
{
    for (int i = 0; i < w->plan->clients; i++)
        sim_client_clear(&w->clients[i]);
    sim_server_stop(w);
    sim_host_clear(&w->server.host);
    for (uint32_t i = 0; i < sizeof w->seen / sizeof *w->seen; i++)
        free(w->seen[i]);
    if (!w->failed)
        sim_check_end(w);
    fogi_heap_clear(&w->actors, &w->mem);
}

bool
sim_run(struct world *w, struct plan *p, bool trace)
{
    start(w, p, trace);
    if (!p->max_finish)
        run_until(w, p->heal_at);
    if (!w->failed)
        wait_for_flows(w);
    w->stats.worst_finish_us = w->now > p->heal_at ? (uint64_t)(w->now - p->heal_at) : 0;
    if (!w->failed)
        watch_silence(w);
    if (!w->failed)
        close_down(w);
    stop(w);
    if (!w->failed && p->max_datagrams && w->stats.datagrams > p->max_datagrams)
        sim_fail(w, "%llu datagrams, at most %llu expected", (unsigned long long)w->stats.datagrams,
                 (unsigned long long)p->max_datagrams);
    if (!w->failed && p->max_learn &&
        (w->stats.worst_learn_us == 0 || w->stats.worst_learn_us > (uint64_t)p->max_learn))
        sim_fail(w, "a lost session was known after %llu us (0: never)",
                 (unsigned long long)w->stats.worst_learn_us);
    return !w->failed;
}
