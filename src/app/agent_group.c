/* SPDX-License-Identifier: MIT
 *
 * agent_group.c - a group of servers: its parts together, coming and going.
 *
 * Decides in which order they begin and end. Refuses to know what any of them decides.
 */
#include "app/agent_int.h"

#include "app/stats.h"

#include <stdio.h>
#include <string.h>

int
fogi_group_init(struct group *g, struct agent *a, const struct agent_group *conf)
{
    struct process *p = a->p;
    g->a = a;
    g->conf = conf;
    g->fars = p->al.alloc(p->al.ctx, conf->n_servers * sizeof *g->fars);
    if (!g->fars)
        return UV_ENOMEM;
    memset(g->fars, 0, conf->n_servers * sizeof *g->fars);
    g->n_fars = conf->n_servers;
    fogi_pool_init(g);
    fogi_requests_init(g);
    for (size_t i = 0; i < g->n_fars; i++)
        fogi_far_init(&g->fars[i], g, &conf->servers[i]);
    return 0;
}

void
fogi_group_drain(struct group *g)
{
    g->stopping = true;
    fogi_pool_drain(g);
}

void
fogi_group_stop(struct group *g)
{
    g->stopping = true;
    fogi_pool_stop(g);
    fogi_requests_stop(g);
    for (size_t i = 0; i < g->n_fars; i++)
        fogi_far_stop(&g->fars[i]);
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
    fogi_pool_resumed(g);
}

void
fogi_group_dump(struct group *g, struct stats *out)
{
    char name[128];
    snprintf(name, sizeof name, "group.%.32s.ready", g->conf->name);
    fogi_stats_line(out, name, g->n_ready);
    for (size_t i = 0; i < g->n_fars; i++) {
        struct far *f = &g->fars[i];
        bool up = !f->down && fogi_far_is_usable(f);
        snprintf(name, sizeof name, "group.%.32s.%.64s.up", g->conf->name, f->conf->url);
        fogi_stats_line(out, name, up);
        if (f->conf->kcp)
            fogi_supervisor_dump(&f->sup, out);
    }
}
