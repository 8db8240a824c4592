/* SPDX-License-Identifier: MIT
 *
 * agent_pool.c - connections kept ready, for the requests to come.
 *
 * Decides how many there are, how many are made at once, when one is dropped, and how long a
 * failure stops the making. Refuses to know requests, but for what they have tried. Invariant:
 * n_ready and n_making are the lengths of the two lists, in which no line has a request.
 */
#include "app/agent_int.h"

#define LINES_PAUSE_SHIFT 4

/* ------------------------------------------------------------------------------ lines that stand
 */

static void
lose(struct group *g, struct line *l)
{
    g->n_ready--;
    g->a->n.lines_lost++;
    fogi_line_free(l);
    loop_later(&g->a->p->loop, &g->pump);
}

static bool
is_stale(const struct line *l)
{
    const struct far *f = l->far;
    return f->down || (f->conf.kcp && !fogi_supervisor_trusts(&f->sup, l->carrier));
}

/** Ends those that stand ready on a server or a tunnel that is in doubt by now. */
static void
drop_stale(struct group *g)
{
    for (struct list *i = g->ready.next, *next; i != &g->ready; i = next) {
        struct line *l = list_entry(i, struct line, link);
        next = i->next;
        if (is_stale(l))
            lose(g, l);
    }
}

/** Takes l out for a request. */
static struct line *
take(struct line *l, unsigned *n)
{
    --*n;
    list_unlink(&l->link);
    return l;
}

struct line *
fogi_pool_take_ready(struct group *g, const struct request *rq)
{
    drop_stale(g);
    for (struct list *i = g->ready.next; i != &g->ready; i = i->next) {
        struct line *l = list_entry(i, struct line, link);
        if (request_tried(rq, l->far->slot))
            continue;
        g->a->n.pooled++;
        loop_later(&g->a->p->loop, &g->pump);
        return take(l, &g->n_ready);
    }
    return NULL;
}

/** A line that is being made for the pool is further than a new one would be. */
struct line *
fogi_pool_take_making(struct group *g, const struct request *rq)
{
    for (struct list *i = g->making.next; i != &g->making; i = i->next) {
        struct line *l = list_entry(i, struct line, link);
        if (!request_tried(rq, l->far->slot) && !is_stale(l))
            return take(l, &g->n_making);
    }
    return NULL;
}

static void
arm_pong(struct group *g)
{
    if (g->n_ready && g->pong.at == FOG_TIME_NEVER)
        fogi_alarm_set(&g->pong, process_now(g->a->p) + WEBSOCKS_PONG_US);
}

/** All at once, so that an idle agent wakes up once. */
static void
on_pong(struct alarm *a)
{
    struct group *g = list_entry(a, struct group, pong);
    drop_stale(g);
    for (struct list *i = g->ready.next; i != &g->ready; i = i->next)
        fogi_line_pong(list_entry(i, struct line, link));
    g->wanted -= g->wanted > g->a->conf->pool ? (g->wanted - g->a->conf->pool + 1) / 2 : 0;
    arm_pong(g);
}

void
fogi_pool_line_ready(struct group *g, struct line *l)
{
    g->a->n.lines++;
    g->failures = 0;
    g->proven = true;
    g->n_making--;
    g->n_ready++;
    fogi_far_is_well(l->far);
    list_unlink(&l->link);
    list_push(&g->ready, &l->link);
    arm_pong(g);
    loop_later(&g->a->p->loop, &g->pump);
    fogi_requests_place(g);
}

/* -------------------------------------------------------------------------------------- making */

void
fogi_pool_want_more(struct group *g)
{
    unsigned pool = g->a->conf->pool;
    g->wanted = g->wanted < pool ? pool : g->wanted;
    g->wanted = 2 * g->wanted < LINES_BURST * pool ? 2 * g->wanted : LINES_BURST * pool;
    loop_later(&g->a->p->loop, &g->pump);
}

/** One attempt at a time from now on, and more and more rarely: the server may count them. */
static void
pause_pool(struct group *g)
{
    unsigned shift = g->failures < LINES_PAUSE_SHIFT ? g->failures : LINES_PAUSE_SHIFT;
    g->failures++;
    g->proven = false;
    if (g->paused)
        return;
    g->paused = true;
    fogi_alarm_set(&g->refill, process_now(g->a->p) + (LINES_PAUSE << shift));
}

void
fogi_pool_line_failed(struct group *g, const struct line *l)
{
    if (l->was_ready) {
        g->n_ready--;
        g->a->n.lines_lost++;
        loop_later(&g->a->p->loop, &g->pump);
        return;
    }
    g->n_making--;
    pause_pool(g);
}

bool
fogi_pool_wants_line(const struct group *g)
{
    unsigned pool = g->a->conf->pool;
    unsigned wanted = g->wanted > pool && pool ? g->wanted : pool;
    unsigned most = g->failures ? 1 : g->proven ? wanted : LINES_MAKING_MAX;
    return !g->stopping && !g->leaving && !g->paused && g->n_making < most &&
           g->n_ready + g->n_making < wanted;
}

/** Begins one; false when that fails at once. */
static bool
make(struct group *g, struct far *f)
{
    struct line *l = fogi_line_new(f, NULL);
    if (!l)
        return false;
    list_push(&g->making, &l->link);
    g->n_making++;
    return true;
}

static void
fill(struct pump *pump)
{
    struct group *g = list_entry(pump, struct group, pump);
    struct far *f;
    while (fogi_pool_wants_line(g) && (f = fogi_turn(g, NULL)))
        if (!make(g, f) && fogi_far_has_room(f)) {
            pause_pool(g);
            return;
        }
}

void
fogi_pool_probe(struct far *f)
{
    struct group *g = f->g;
    for (struct list *i = g->making.next; i != &g->making; i = i->next)
        if (list_entry(i, struct line, link)->far == f)
            return;
    make(g, f); /* or not: the next check is due soon */
}

static void
on_refill(struct alarm *a)
{
    struct group *g = list_entry(a, struct group, refill);
    g->paused = false;
    loop_later(&g->a->p->loop, &g->pump);
}

/* ------------------------------------------------------------------------------ coming and going
 */

void
fogi_pool_resumed(struct group *g)
{
    for (struct list *i = g->ready.next, *next; i != &g->ready; i = next) {
        struct line *l = list_entry(i, struct line, link);
        next = i->next;
        if (!l->far->conf.kcp) /* whoever was between us has forgotten it */
            lose(g, l);
    }
}

static bool
is_dropped(const struct line *l, const struct far *f, bool all)
{
    return f ? l->far == f : all || l->far->conf.tls;
}

void
fogi_pool_drop(struct group *g, const struct far *f, bool all)
{
    for (struct list *i = g->ready.next, *next; i != &g->ready; i = next) {
        struct line *l = list_entry(i, struct line, link);
        next = i->next;
        if (is_dropped(l, f, all))
            lose(g, l);
    }
    for (struct list *i = g->making.next, *next; i != &g->making; i = next) {
        struct line *l = list_entry(i, struct line, link);
        next = i->next;
        if (!is_dropped(l, f, all))
            continue;
        g->n_making--;
        fogi_line_free(l);
    }
    loop_later(&g->a->p->loop, &g->pump);
}

void
fogi_pool_init(struct group *g)
{
    struct loop *loop = &g->a->p->loop;
    list_init(&g->making);
    list_init(&g->ready);
    pump_init(&g->pump, fill);
    fogi_alarm_init(&g->pong, loop, on_pong);
    fogi_alarm_init(&g->refill, loop, on_refill);
    loop_later(loop, &g->pump);
}

static void
free_lines(struct list *lines)
{
    while (!list_is_empty(lines))
        fogi_line_free(list_entry(lines->next, struct line, link));
}

void
fogi_pool_drain(struct group *g)
{
    free_lines(&g->making);
    free_lines(&g->ready);
    g->n_making = g->n_ready = 0;
}

void
fogi_pool_stop(struct group *g)
{
    fogi_pool_drain(g);
    pump_cancel(&g->pump);
    fogi_alarm_close(&g->pong, NULL);
    fogi_alarm_close(&g->refill, NULL);
}
