/* SPDX-License-Identifier: MIT
 *
 * agent_turn.c - whose turn it is.
 *
 * Decides by weight, smoothly, among the servers that are well; among the others only where none
 * is. Refuses to know why a server is not well. Invariant: a request gets no server twice.
 */
#include "app/agent_int.h"

/** The server whose turn it is, of those with room that are well or, if `any`, of all of them. */
static struct far *
turn(struct group *g, const struct request *rq, bool any)
{
    struct far *best = NULL;
    int total = 0;
    for (size_t i = 0; i < g->n_fars; i++) {
        struct far *f = g->fars[i];
        if (request_tried(rq, g->fars[i]->slot) || !fogi_far_has_room(f) || (f->down && !any))
            continue;
        f->credit += (int)f->conf.weight;
        total += (int)f->conf.weight;
        if (!best || f->credit > best->credit)
            best = f;
    }
    if (best)
        best->credit -= total;
    return best;
}

/** Whether there is one that could take rq if it had room. */
static bool
waits(const struct group *g, const struct request *rq, bool any)
{
    for (size_t i = 0; i < g->n_fars; i++)
        if (!request_tried(rq, g->fars[i]->slot) && fogi_far_is_usable(g->fars[i]) &&
            (any || !g->fars[i]->down))
            return true;
    return false;
}

bool
fogi_turn_waits(const struct group *g, const struct request *rq)
{
    return waits(g, rq, true);
}

struct far *
fogi_turn(struct group *g, const struct request *rq)
{
    struct far *f = turn(g, rq, false);
    return f || waits(g, rq, false) ? f : turn(g, rq, true);
}

bool
fogi_turn_has_other(const struct group *g, const struct request *rq, const struct far *f)
{
    for (size_t i = 0; i < g->n_fars; i++)
        if (g->fars[i] != f && !request_tried(rq, g->fars[i]->slot) &&
            fogi_far_is_usable(g->fars[i]) && !g->fars[i]->down)
            return true;
    return false;
}

bool
fogi_turn_may_come(const struct group *g, const struct request *rq)
{
    if (process_now(g->a->p) - rq->since >= REQUEST_HOLD || g->stopping)
        return false;
    for (size_t i = 0; i < g->n_fars; i++)
        if (g->fars[i]->conf.kcp && !request_tried(rq, g->fars[i]->slot))
            return true;
    return false;
}
