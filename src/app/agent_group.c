/* SPDX-License-Identifier: MIT
 *
 * agent_group.c - a group of servers: its parts together, coming and going.
 *
 * Decides in which order they begin and end. Refuses to know what any of them decides, and which
 * servers there are.
 */
#include "app/agent_int.h"

#include "app/stats.h"

#include <stdio.h>
#include <string.h>

struct group *
fogi_group_new(struct agent *a, const char *name)
{
    struct process *p = a->p;
    struct group *g = p->al.alloc(p->al.ctx, sizeof *g);
    if (!g)
        return NULL;
    memset(g, 0, sizeof *g);
    g->a = a;
    list_init(&g->link);
    list_init(&g->gone);
    snprintf(g->name, sizeof g->name, "%s", name);
    return g;
}

void
fogi_group_start(struct group *g)
{
    fogi_pool_init(g);
    fogi_requests_init(g);
}

void
fogi_group_drain(struct group *g)
{
    g->stopping = true;
    fogi_pool_drain(g);
}

static void
on_gone(struct alarm *a)
{
    struct group *g = list_entry(a, struct group, hold);
    struct process *p = g->a->p;
    p->al.free(p->al.ctx, g->fars, g->n_fars * sizeof *g->fars);
    p->al.free(p->al.ctx, g, sizeof *g);
}

void
fogi_group_end(struct group *g)
{
    list_unlink(&g->link);
    g->stopping = true;
    fogi_pool_stop(g);
    fogi_requests_stop(g);
    for (size_t i = 0; i < g->n_fars; i++)
        fogi_far_end(g->fars[i]);
    while (!list_is_empty(&g->gone))
        fogi_far_end(list_entry(g->gone.next, struct far, link));
    fogi_alarm_close(&g->hold, on_gone);
}

static bool
is_busy(const struct far *f)
{
    return f->conf.kcp && fogi_supervisor_is_busy(&f->sup);
}

bool
fogi_group_is_busy(const struct group *g)
{
    for (size_t i = 0; i < g->n_fars; i++)
        if (is_busy(g->fars[i]))
            return true;
    for (struct list *i = g->gone.next; i != &g->gone; i = i->next)
        if (is_busy(list_entry(i, struct far, link)))
            return true;
    return false;
}

void
fogi_group_resumed(struct group *g)
{
    for (size_t i = 0; i < g->n_fars; i++)
        if (g->fars[i]->conf.kcp)
            fogi_supervisor_resumed(&g->fars[i]->sup);
    fogi_pool_resumed(g);
}

void
fogi_group_reload(struct group *g, const struct conf *was)
{
    for (size_t i = 0; i < g->n_fars; i++)
        fogi_far_reload(g->fars[i], was);
}

static void
dump_far(struct far *f, struct stats *out)
{
    char name[128];
    bool up = !f->down && !f->leaving && fogi_far_is_usable(f);
    snprintf(name, sizeof name, "group.%.32s.%.64s.%s", f->g->name, f->conf.url,
             f->leaving ? "leaving" : "up");
    fogi_stats_line(out, name, f->leaving || up);
    if (f->conf.kcp)
        fogi_supervisor_dump(&f->sup, out);
}

void
fogi_group_dump(struct group *g, struct stats *out)
{
    char name[128];
    snprintf(name, sizeof name, "group.%.32s.ready", g->name);
    if (!g->leaving)
        fogi_stats_line(out, name, g->n_ready);
    for (size_t i = 0; i < g->n_fars; i++)
        dump_far(g->fars[i], out);
    for (struct list *i = g->gone.next; i != &g->gone; i = i->next)
        dump_far(list_entry(i, struct far, link), out);
}
