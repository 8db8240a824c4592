/* SPDX-License-Identifier: MIT
 *
 * agent_group.c - a group of servers: who is well, whose turn it is, connections kept ready.
 *
 * Decides which server a request goes to and that another is tried before anybody hears of a
 * failure. A server reached over TCP is checked over TCP; one behind a tunnel is as well as its
 * tunnel, which its supervisor knows. What a far side says of a destination (refused, unknown) is
 * an answer, not a failure of the server. Refuses to know who asks. Invariant: a request is in
 * `waiting`, or a line works on it, or its pump is about to tell that nobody takes it.
 */
#include "app/agent_int.h"

#include "app/stats.h"
#include "io/log.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define LINES_PAUSE_SHIFT 4

/* ----------------------------------------------------------------------------------- servers */

static void
set_down(struct far *f, bool down, const char *why)
{
    if (f->down == down)
        return;
    f->down = down;
    if (down)
        LOG_LIMITED(LOG_AT_WARN, "server %s of group %s is down: %s", f->conf->url,
                    f->g->conf->name, why);
    else
        LOG_LIMITED(LOG_AT_INFO, "server %s of group %s is up again", f->conf->url,
                    f->g->conf->name);
}

static void
strike(struct far *f, const char *why)
{
    struct process *p = f->g->a->p;
    if (++f->strikes < CHECK_DOWN_AFTER)
        return;
    set_down(f, true, why);
    if (!f->checking)
        fogi_alarm_set(&f->check, process_now(p) + CHECK_SOON);
}

/** It has taken a request and does not say a word. */
static void
is_mute(struct far *f, const char *why)
{
    f->mute = true;
    f->strikes = CHECK_DOWN_AFTER;
    strike(f, why);
}

static void
is_well(struct far *f)
{
    f->strikes = 0;
    f->mute = false;
    set_down(f, false, NULL);
}

static void
check_next(struct far *f)
{
    fog_time wait = f->down ? CHECK_SOON : CHECK_EVERY;
    bool due = f->g->a->conf->hc || f->mute;
    fogi_alarm_set(&f->check, due ? process_now(f->g->a->p) + wait : FOG_TIME_NEVER);
}

static void
on_checked(void *ctx, struct channel *c, enum socks_rep rep, const char *why)
{
    struct far *f = ctx;
    (void)rep;
    f->checking = NULL;
    if (c) {
        fogi_channel_reset(c);
        is_well(f);
    } else {
        f->g->a->n.checks_failed++;
        strike(f, why);
    }
    check_next(f);
}

/** A line for the pool, unless one is being made: it is well once that stands. */
static void
probe(struct far *f)
{
    struct group *g = f->g;
    for (struct list *i = g->making.next; i != &g->making; i = i->next)
        if (list_entry(i, struct line, link)->far == f)
            return;
    struct line *l = fogi_line_new(f, NULL);
    if (!l)
        return;
    list_push(&g->making, &l->link);
    g->n_making++;
}

/** A check is due, or takes too long. */
static void
on_check(struct alarm *a)
{
    struct far *f = list_entry(a, struct far, check);
    struct agent *agent = f->g->a;
    if (f->checking) {
        fogi_reach_forget(f->checking);
        on_checked(f, NULL, SOCKS_TIMEOUT, "no answer in time");
    } else if (f->mute && !f->conf->kcp) {
        probe(f);
        check_next(f);
    } else if (f->conf->kcp || !agent->conf->hc) {
        is_well(f); /* the next use will tell */
    } else if (fogi_reach(&f->checking, &agent->reacher, &f->dest, on_checked, f)) {
        check_next(f);
    } else {
        fogi_alarm_set(a, process_now(agent->p) + CHECK_TIME);
    }
}

static bool
is_usable(const struct far *f)
{
    return !f->conf->kcp || fogi_supervisor_is_up(&f->sup);
}

static bool
was_tried(const struct request *rq, size_t i)
{
    return rq && rq->tried[i / 64] >> i % 64 & 1;
}

/** The server whose turn it is, of those that are well or, if `any`, of all that can be used. */
static struct far *
turn(struct group *g, const struct request *rq, bool any)
{
    struct far *best = NULL;
    int total = 0;
    for (size_t i = 0; i < g->n_fars; i++) {
        struct far *f = &g->fars[i];
        if (was_tried(rq, i) || !is_usable(f) || (f->down && !any))
            continue;
        f->credit += (int)f->conf->weight;
        total += (int)f->conf->weight;
        if (!best || f->credit > best->credit)
            best = f;
    }
    if (best)
        best->credit -= total;
    return best;
}

static struct far *
choose(struct group *g, const struct request *rq)
{
    struct far *f = turn(g, rq, false);
    return f ? f : turn(g, rq, true);
}

bool
fogi_group_has_other(const struct group *g, const struct request *rq, const struct far *f)
{
    for (size_t i = 0; i < g->n_fars; i++)
        if (&g->fars[i] != f && !was_tried(rq, i) && is_usable(&g->fars[i]) && !g->fars[i].down)
            return true;
    return false;
}

/* -------------------------------------------------------------------------- lines that stand */

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
    return f->down || (f->conf->kcp && !fogi_supervisor_trusts(&f->sup, l->carrier));
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

/* ---------------------------------------------------------------------------------- requests */

static void
arm_hold(struct group *g)
{
    fog_time at = FOG_TIME_NEVER;
    if (!list_is_empty(&g->waiting))
        at = list_entry(g->waiting.next, struct request, link)->since + REQUEST_HOLD;
    fogi_alarm_set(&g->hold, at);
}

static void
give_up(struct request *rq)
{
    list_unlink(&rq->link);
    loop_later(&rq->g->a->p->loop, &rq->pump);
}

static void
on_given_up(struct pump *pump)
{
    struct request *rq = list_entry(pump, struct request, pump);
    struct group *g = rq->g;
    g->a->n.failed++;
    rq->g = NULL;
    rq->done(rq->ctx, NULL, SOCKS_GENERAL, rq->why ? rq->why : "no server of its group is up");
}

static void
try_now(struct request *rq, struct line *l)
{
    rq->line = l;
    rq->by = l->far;
    rq->early_sent = 0;
    rq->tries++;
    list_unlink(&l->link);
    list_push(&rq->g->used, &l->link);
}

static bool
take_ready(struct request *rq)
{
    struct group *g = rq->g;
    drop_stale(g);
    for (struct list *i = g->ready.next; i != &g->ready; i = i->next) {
        struct line *l = list_entry(i, struct line, link);
        if (was_tried(rq, (size_t)(l->far - g->fars)))
            continue;
        g->n_ready--;
        g->a->n.pooled++;
        try_now(rq, l);
        fogi_line_use(l, rq);
        loop_later(&g->a->p->loop, &g->pump);
        return true;
    }
    return false;
}

/** A line that is being made for the pool is further than a new one would be. */
static bool
take_making(struct request *rq)
{
    struct group *g = rq->g;
    for (struct list *i = g->making.next; i != &g->making; i = i->next) {
        struct line *l = list_entry(i, struct line, link);
        if (was_tried(rq, (size_t)(l->far - g->fars)) || is_stale(l))
            continue;
        g->n_making--;
        try_now(rq, l);
        fogi_line_use(l, rq);
        return true;
    }
    return false;
}

static bool
take_new(struct request *rq)
{
    struct group *g = rq->g;
    struct far *f;
    while ((f = choose(g, rq))) {
        size_t i = (size_t)(f - g->fars);
        struct line *l = fogi_line_new(f, rq);
        if (l) {
            try_now(rq, l);
            return true;
        }
        rq->tried[i / 64] |= (uint64_t)1 << i % 64;
    }
    return false;
}

/** The pool ran dry: more of it until there is peace again. */
static void
want_more(struct group *g)
{
    unsigned pool = g->a->conf->pool;
    g->wanted = g->wanted < pool ? pool : g->wanted;
    g->wanted = 2 * g->wanted < LINES_BURST * pool ? 2 * g->wanted : LINES_BURST * pool;
    loop_later(&g->a->p->loop, &g->pump);
}

/** Whether a tunnel that has not been tried may come up soon. */
static bool
may_come(const struct request *rq)
{
    const struct group *g = rq->g;
    if (process_now(g->a->p) - rq->since >= REQUEST_HOLD || g->stopping)
        return false;
    for (size_t i = 0; i < g->n_fars; i++)
        if (g->fars[i].conf->kcp && !was_tried(rq, i))
            return true;
    return false;
}

static void
serve(struct request *rq)
{
    struct group *g = rq->g;
    rq->line = NULL;
    if (take_ready(rq))
        return;
    want_more(g);
    if (take_making(rq) || take_new(rq))
        return;
    if (!may_come(rq)) {
        give_up(rq);
        return;
    }
    list_push(&g->waiting, &rq->link);
    arm_hold(g);
    for (size_t i = 0; i < g->n_fars; i++)
        if (g->fars[i].conf->kcp)
            fogi_supervisor_hurry(&g->fars[i].sup);
}

void
fogi_group_ask(struct group *g, struct request *rq, const struct dest *dest, request_fn done,
               void *ctx)
{
    *rq = (struct request){.g = g,
                           .dest = *dest,
                           .early = rq->early,
                           .early_len = rq->early_len,
                           .done = done,
                           .ctx = ctx};
    rq->since = process_now(g->a->p);
    list_init(&rq->link);
    pump_init(&rq->pump, on_given_up);
    serve(rq);
}

void
fogi_request_forget(struct request *rq)
{
    if (!rq->g)
        return;
    list_unlink(&rq->link);
    pump_cancel(&rq->pump);
    if (rq->line)
        fogi_line_free(rq->line);
    rq->line = NULL;
    rq->g = NULL;
}

static void
on_hold(struct alarm *a)
{
    struct group *g = list_entry(a, struct group, hold);
    fog_time now = process_now(g->a->p);
    while (!list_is_empty(&g->waiting)) {
        struct request *rq = list_entry(g->waiting.next, struct request, link);
        if (rq->since + REQUEST_HOLD > now)
            break;
        give_up(rq);
    }
    arm_hold(g);
}

static void
place_waiting(struct pump *pump)
{
    struct group *g = list_entry(pump, struct group, place);
    struct list all;
    list_init(&all);
    for (struct list *link; (link = list_pop(&g->waiting));)
        list_push(&all, link);
    for (struct list *link; (link = list_pop(&all));)
        serve(list_entry(link, struct request, link));
    arm_hold(g);
}

/* -------------------------------------------------------------------------------- lines tell */

void
fogi_group_line_answered(struct group *g, struct line *l, struct channel *c, int rep)
{
    struct request *rq = l->rq;
    is_well(l->far);
    fogi_line_free(l);
    rq->line = NULL;
    rq->g = NULL;
    if (!c)
        g->a->n.refused++;
    rq->done(rq->ctx, c, rep, fogi_socks_rep_text(rep));
}

static void
log_failed(const struct line *l)
{
    const struct far *f = l->far;
    LOG_LIMITED(l->was_ready ? LOG_AT_DEBUG : LOG_AT_WARN, "server %s of group %s: %s",
                f->conf->url, f->g->conf->name, l->why);
}

/** One attempt at a time from now on, and more and more rarely: the server may count them. */
static void
pause_pool(struct group *g)
{
    unsigned shift = g->failures < LINES_PAUSE_SHIFT ? g->failures : LINES_PAUSE_SHIFT;
    g->failures++;
    if (g->paused)
        return;
    g->paused = true;
    fogi_alarm_set(&g->refill, process_now(g->a->p) + (LINES_PAUSE << shift));
}

static void
pool_line_failed(struct group *g, const struct line *l)
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

void
fogi_group_line_failed(struct group *g, struct line *l)
{
    struct request *rq = l->rq;
    struct far *f = l->far;
    size_t i = (size_t)(f - g->fars);
    log_failed(l);
    if (!rq)
        pool_line_failed(g, l);
    if (l->silent)
        is_mute(f, l->why);
    if (!l->was_ready) {
        g->a->n.lines_failed++;
        strike(f, l->why);
    }
    if (rq) {
        /* A line that stood ready may be stale, which says nothing of its server. */
        if (!l->was_ready)
            rq->tried[i / 64] |= (uint64_t)1 << i % 64;
        snprintf(rq->text, sizeof rq->text, "%s", l->why);
        rq->why = rq->text;
    }
    fogi_line_free(l);
    if (!rq)
        return;
    g->a->n.retried++;
    serve(rq);
}

/* -------------------------------------------------------------------------------------- pool */

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
fogi_group_line_ready(struct group *g, struct line *l)
{
    g->a->n.lines++;
    g->failures = 0;
    g->n_making--;
    g->n_ready++;
    is_well(l->far);
    list_unlink(&l->link);
    list_push(&g->ready, &l->link);
    arm_pong(g);
    loop_later(&g->a->p->loop, &g->pump);
    if (!list_is_empty(&g->waiting))
        loop_later(&g->a->p->loop, &g->place);
}

/** Whether one more line should be made for the pool now. */
static bool
wants_line(const struct group *g)
{
    unsigned pool = g->a->conf->pool;
    unsigned wanted = g->wanted > pool && pool ? g->wanted : pool;
    unsigned most = g->failures ? 1 : wanted > pool ? wanted : LINES_MAKING_MAX;
    return !g->stopping && !g->paused && g->n_making < most && g->n_ready + g->n_making < wanted;
}

static void
fill(struct pump *pump)
{
    struct group *g = list_entry(pump, struct group, pump);
    struct far *f;
    while (wants_line(g) && (f = choose(g, NULL))) {
        struct line *l = fogi_line_new(f, NULL);
        if (!l) {
            pause_pool(g);
            return;
        }
        list_push(&g->making, &l->link);
        g->n_making++;
    }
}

static void
on_refill(struct alarm *a)
{
    struct group *g = list_entry(a, struct group, refill);
    g->paused = false;
    loop_later(&g->a->p->loop, &g->pump);
}

/* ---------------------------------------------------------------------------- tunnels tell */

static void
on_placeable(void *owner)
{
    struct far *f = owner;
    struct group *g = f->g;
    if (g->stopping)
        return;
    if (!list_is_empty(&g->waiting))
        loop_later(&g->a->p->loop, &g->place);
    if (wants_line(g))
        loop_later(&g->a->p->loop, &g->pump);
}

static bool
is_awaited(const void *owner)
{
    const struct far *f = owner;
    return !list_is_empty(&f->g->waiting);
}

static const struct supervisor_events supervisor_events = {.placeable = on_placeable,
                                                           .is_awaited = is_awaited};

/* ------------------------------------------------------------------------------ coming and going
 */

static void
init_far(struct group *g, struct far *f, const struct agent_server *conf)
{
    struct process *p = g->a->p;
    f->g = g;
    f->conf = conf;
    f->dest.port = conf->at.port;
    int rc = fogi_dest_host(&f->dest, conf->at.host, strlen(conf->at.host));
    assert(!rc && "the configuration has checked it");
    (void)rc;
    fogi_alarm_init(&f->check, &p->loop, on_check);
    if (conf->kcp)
        fogi_supervisor_init(&f->sup, p, &conf->at, &supervisor_events, f);
    else if (g->a->conf->hc)
        fogi_alarm_set(&f->check, process_now(p));
}

int
fogi_group_init(struct group *g, struct agent *a, const struct agent_group *conf)
{
    struct process *p = a->p;
    g->a = a;
    g->conf = conf;
    list_init(&g->making);
    list_init(&g->ready);
    list_init(&g->used);
    list_init(&g->waiting);
    pump_init(&g->pump, fill);
    pump_init(&g->place, place_waiting);
    g->fars = p->al.alloc(p->al.ctx, conf->n_servers * sizeof *g->fars);
    if (!g->fars)
        return UV_ENOMEM;
    memset(g->fars, 0, conf->n_servers * sizeof *g->fars);
    g->n_fars = conf->n_servers;
    fogi_alarm_init(&g->pong, &p->loop, on_pong);
    fogi_alarm_init(&g->refill, &p->loop, on_refill);
    fogi_alarm_init(&g->hold, &p->loop, on_hold);
    for (size_t i = 0; i < g->n_fars; i++)
        init_far(g, &g->fars[i], &conf->servers[i]);
    loop_later(&p->loop, &g->pump);
    return 0;
}

static void
free_lines(struct list *lines)
{
    while (!list_is_empty(lines))
        fogi_line_free(list_entry(lines->next, struct line, link));
}

void
fogi_group_drain(struct group *g)
{
    g->stopping = true;
    free_lines(&g->making);
    free_lines(&g->ready);
    g->n_making = g->n_ready = 0;
}

void
fogi_group_stop(struct group *g)
{
    fogi_group_drain(g);
    assert(list_is_empty(&g->used) && list_is_empty(&g->waiting) && "all fronts are gone");
    pump_cancel(&g->pump);
    pump_cancel(&g->place);
    for (size_t i = 0; i < g->n_fars; i++) {
        struct far *f = &g->fars[i];
        fogi_reach_forget(f->checking);
        fogi_alarm_close(&f->check, NULL);
        if (f->conf->kcp)
            fogi_supervisor_stop(&f->sup);
    }
    fogi_alarm_close(&g->pong, NULL);
    fogi_alarm_close(&g->refill, NULL);
    fogi_alarm_close(&g->hold, NULL);
}

void
fogi_group_free(struct group *g)
{
    struct process *p = g->a->p;
    p->al.free(p->al.ctx, g->fars, g->n_fars * sizeof *g->fars);
}

bool
fogi_group_is_busy(const struct group *g)
{
    for (size_t i = 0; i < g->n_fars; i++)
        if (g->fars[i].conf->kcp && fogi_supervisor_is_busy(&g->fars[i].sup))
            return true;
    return false;
}

void
fogi_group_resumed(struct group *g)
{
    for (size_t i = 0; i < g->n_fars; i++)
        if (g->fars[i].conf->kcp)
            fogi_supervisor_resumed(&g->fars[i].sup);
    for (struct list *i = g->ready.next, *next; i != &g->ready; i = next) {
        struct line *l = list_entry(i, struct line, link);
        next = i->next;
        if (!l->far->conf->kcp) /* whoever was between us has forgotten it */
            lose(g, l);
    }
}

void
fogi_group_dump(struct group *g, struct stats *out)
{
    char name[128];
    snprintf(name, sizeof name, "group.%.32s.ready", g->conf->name);
    fogi_stats_line(out, name, g->n_ready);
    for (size_t i = 0; i < g->n_fars; i++) {
        struct far *f = &g->fars[i];
        bool up = !f->down && is_usable(f);
        snprintf(name, sizeof name, "group.%.32s.%.64s.up", g->conf->name, f->conf->url);
        fogi_stats_line(out, name, up);
        if (f->conf->kcp)
            fogi_supervisor_dump(&f->sup, out);
    }
}
