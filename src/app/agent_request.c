/* SPDX-License-Identifier: MIT
 *
 * agent_request.c - one request: another server is tried before anybody hears of a failure.
 *
 * Decides what a request gets next (a line that stands ready, one that is being made, a new one,
 * room at a server, a tunnel that may still come up) and when there is nothing left to try. A burst
 * is served in its order, as fast as servers take new lines. What a far side says of a
 * destination (refused, unknown) is an answer, not a failure of the server. Refuses to know who
 * asks, and whose turn it is. Invariant: a request is in `waiting` or in `queued`, or a line works
 * on it, or its pump is about to tell that nobody takes it.
 */
#include "app/agent_int.h"

#include "io/log.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* ------------------------------------------------------------------------------------- waiting */

static fog_time
head_until(const struct list *l, fog_time patience)
{
    return list_is_empty(l) ? FOG_TIME_NEVER
                            : list_entry(l->next, struct request, link)->since + patience;
}

static void
arm_hold(struct group *g)
{
    fog_time tunnel = head_until(&g->waiting, REQUEST_HOLD);
    fog_time room = head_until(&g->queued, REQUEST_ROOM);
    fogi_alarm_set(&g->hold, tunnel < room ? tunnel : room);
}

/** Takes rq out of the list it waits in. */
static void
stop_waiting(struct request *rq)
{
    list_unlink(&rq->link);
    rq->g->n_queued -= rq->queued;
    rq->queued = false;
}

static void
give_up(struct request *rq)
{
    stop_waiting(rq);
    loop_later(&rq->g->a->p->loop, &rq->pump);
}

static void
wait_for_room(struct request *rq)
{
    struct group *g = rq->g;
    if (g->n_queued == REQUESTS_QUEUED_MAX) {
        g->a->n.limit_queued_hit++;
        rq->why = "too many requests wait for its servers";
        give_up(rq);
        return;
    }
    g->a->n.queued++;
    rq->queued = true;
    g->n_queued++;
    list_push(&g->queued, &rq->link);
    arm_hold(g);
}

static void
wait_for_tunnel(struct request *rq)
{
    struct group *g = rq->g;
    list_push(&g->waiting, &rq->link);
    arm_hold(g);
    for (size_t i = 0; i < g->n_fars; i++)
        if (g->fars[i]->conf.kcp)
            fogi_supervisor_hurry(&g->fars[i]->sup);
}

/** rq is answered, or nobody wants to hear of it any more. */
static void
leave_group(struct request *rq)
{
    struct group *g = rq->g;
    rq->line = NULL;
    rq->g = NULL;
    g->n_requests--;
    if (g->leaving && !g->n_requests)
        fogi_groups_sweep(g->a);
}

static void
on_given_up(struct pump *pump)
{
    struct request *rq = list_entry(pump, struct request, pump);
    rq->g->a->n.failed++;
    leave_group(rq);
    rq->done(rq->ctx, NULL, SOCKS_GENERAL, rq->why ? rq->why : "no server of its group is up");
}

/* -------------------------------------------------------------------------------------- serving */

static void
forget_by(struct request *rq)
{
    if (rq->by)
        fogi_far_release(rq->by);
    rq->by = NULL;
}

static void
try_now(struct request *rq, struct line *l)
{
    rq->line = l;
    fogi_far_hold(l->far);
    forget_by(rq);
    rq->by = l->far;
    rq->early_sent = 0;
    rq->tries++;
    list_push(&rq->g->used, &l->link);
}

/** One of the pool, NULL: there is none. */
static bool
use(struct request *rq, struct line *l)
{
    if (!l)
        return false;
    try_now(rq, l);
    fogi_line_use(l, rq);
    return true;
}

static bool
take_new(struct request *rq)
{
    struct group *g = rq->g;
    struct far *f;
    while ((f = fogi_turn(g, rq))) {
        struct line *l = fogi_line_new(f, rq);
        if (l) {
            try_now(rq, l);
            return true;
        }
        if (fogi_far_has_room(f))
            request_try(rq, f->slot);
    }
    return false;
}

/** Gives rq a line, if there is one to be had now. */
static bool
begin(struct request *rq)
{
    struct group *g = rq->g;
    if (use(rq, fogi_pool_take_ready(g, rq)))
        return true;
    fogi_pool_want_more(g);
    return use(rq, fogi_pool_take_making(g, rq)) || take_new(rq);
}

/** There is none: what rq may hope for. */
static void
hope(struct request *rq)
{
    if (fogi_turn_waits(rq->g, rq))
        wait_for_room(rq);
    else if (fogi_turn_may_come(rq->g, rq))
        wait_for_tunnel(rq);
    else
        give_up(rq);
}

static void
serve(struct request *rq)
{
    rq->line = NULL;
    if (!begin(rq))
        hope(rq);
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
    g->n_requests++;
    list_init(&rq->link);
    pump_init(&rq->pump, on_given_up);
    if (list_is_empty(&g->queued)) {
        serve(rq);
        return;
    }
    wait_for_room(rq); /* behind the others */
    fogi_requests_place(g);
}

void
fogi_request_forget(struct request *rq)
{
    forget_by(rq);
    if (!rq->g)
        return;
    stop_waiting(rq);
    pump_cancel(&rq->pump);
    if (rq->line)
        fogi_line_free(rq->line);
    leave_group(rq);
}

static void
on_hold(struct alarm *a)
{
    struct group *g = list_entry(a, struct group, hold);
    fog_time now = process_now(g->a->p);
    while (head_until(&g->waiting, REQUEST_HOLD) <= now)
        give_up(list_entry(g->waiting.next, struct request, link));
    while (head_until(&g->queued, REQUEST_ROOM) <= now) {
        struct request *rq = list_entry(g->queued.next, struct request, link);
        g->a->n.limit_room_hit++;
        if (!rq->why)
            rq->why = "its servers had no room in time";
        give_up(rq);
    }
    arm_hold(g);
}

/** Whether a line is to be had by anybody. */
static bool
has_room(const struct group *g)
{
    if (g->n_ready || g->n_making)
        return true;
    for (size_t i = 0; i < g->n_fars; i++)
        if (fogi_far_has_room(g->fars[i]))
            return true;
    return false;
}

/** Serves those of a list that can be, in their order, while there is something to be had. */
static void
serve_list(struct group *g, struct list *l)
{
    for (struct list *i = l->next, *next; i != l && has_room(g); i = next) {
        struct request *rq = list_entry(i, struct request, link);
        next = i->next;
        if (begin(rq)) {
            stop_waiting(rq);
        } else if (rq->queued != fogi_turn_waits(g, rq)) {
            stop_waiting(rq);
            hope(rq); /* for something else now: in the other list, or not at all */
        }
    }
}

static void
place_waiting(struct pump *pump)
{
    struct group *g = list_entry(pump, struct group, place);
    serve_list(g, &g->waiting);
    serve_list(g, &g->queued);
    arm_hold(g);
}

void
fogi_requests_place(struct group *g)
{
    if (!list_is_empty(&g->waiting) || !list_is_empty(&g->queued))
        loop_later(&g->a->p->loop, &g->place);
}

/* -------------------------------------------------------------------------------- lines tell */

void
fogi_request_answered(struct line *l, struct channel *c, int rep)
{
    struct request *rq = l->rq;
    struct group *g = l->g;
    fogi_far_is_well(l->far);
    fogi_line_free(l);
    leave_group(rq);
    if (!c)
        g->a->n.refused++;
    rq->done(rq->ctx, c, rep, fogi_socks_rep_text(rep));
}

static void
log_failed(const struct line *l)
{
    const struct far *f = l->far;
    LOG_LIMITED(l->was_ready ? LOG_AT_DEBUG : LOG_AT_WARN, "server %s of group %s: %s", f->conf.url,
                f->g->name, l->why);
}

void
fogi_request_line_failed(struct line *l)
{
    struct request *rq = l->rq;
    struct group *g = l->g;
    struct far *f = l->far;
    log_failed(l);
    if (!rq)
        fogi_pool_line_failed(g, l);
    if (l->silent)
        fogi_far_is_mute(f, l->why);
    if (!l->was_ready) {
        g->a->n.lines_failed++;
        fogi_far_strike(f, l->why);
    }
    if (rq) {
        /* A line that stood ready may be stale, which says nothing of its server. */
        if (!l->was_ready && !f->leaving)
            request_try(rq, f->slot);
        snprintf(rq->text, sizeof rq->text, "%s", l->why);
        rq->why = rq->text;
    }
    fogi_line_free(l);
    if (!rq)
        return;
    g->a->n.retried++;
    serve(rq);
}

/* ------------------------------------------------------------------------------ coming and going
 */

void
fogi_requests_init(struct group *g)
{
    list_init(&g->used);
    list_init(&g->waiting);
    list_init(&g->queued);
    pump_init(&g->place, place_waiting);
    fogi_alarm_init(&g->hold, &g->a->p->loop, on_hold);
}

static void
untry(struct list *requests, unsigned slot)
{
    for (struct list *i = requests->next; i != requests; i = i->next)
        request_untry(list_entry(i, struct request, link), slot);
}

void
fogi_requests_untry(struct group *g, unsigned slot)
{
    untry(&g->waiting, slot);
    untry(&g->queued, slot);
    for (struct list *i = g->used.next; i != &g->used; i = i->next)
        request_untry(list_entry(i, struct line, link)->rq, slot);
}

void
fogi_requests_stop(struct group *g)
{
    assert(list_is_empty(&g->used) && list_is_empty(&g->waiting) && !g->n_queued &&
           "all fronts are gone");
    pump_cancel(&g->place);
}
