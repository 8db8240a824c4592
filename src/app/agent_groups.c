/* SPDX-License-Identifier: MIT
 *
 * agent_groups.c - which groups and servers there are, after a reload too.
 *
 * Decides what of a new configuration is there already: a group is known by its name, a server by
 * its URL in its group. What stays goes on with its tunnels, its health and its requests; what no
 * configuration has any more takes nothing new, and ends once its last request has been answered
 * and its last stream has ended. Refuses to know what groups do. Invariant: the groups of
 * agent->groups are those of the configuration in force, in its order; everything that can fail is
 * done before anything changes.
 */
#include "app/agent_int.h"

#include <string.h>

/** One group as it is to be. */
struct planned {
    struct group *g;
    bool fresh;        /* nothing of g has begun yet                    */
    struct far **fars; /* NULL: not planned yet; with those of g->fars that stay */
    size_t n_fars;
    const struct agent_group *conf;
};

struct groups_plan {
    struct agent *a;
    struct group **groups; /* what agent->groups will be */
    size_t n;
    struct planned all[AGENT_GROUPS_MAX];
};

/* ------------------------------------------------------------------------------------- planning */

/** A list of n pointers, of which there is at least one. */
static void *
get_list(struct process *p, size_t n)
{
    void *list = p->al.alloc(p->al.ctx, n * sizeof(void *));
    if (list)
        memset(list, 0, n * sizeof(void *));
    return list;
}

static void
put_list(struct process *p, void *list, size_t n)
{
    p->al.free(p->al.ctx, list, n * sizeof(void *));
}

static struct group *
find_group(const struct agent *a, const char *name)
{
    for (size_t i = 0; i < a->n_groups; i++)
        if (!strcmp(a->groups[i]->name, name))
            return a->groups[i];
    return NULL;
}

/** The server of g that `conf` means and nobody has taken yet: a URL may stand in a group twice. */
static struct far *
find_far(const struct group *g, const struct agent_server *conf)
{
    for (size_t i = 0; i < g->n_fars; i++)
        if (!g->fars[i]->kept && !strcmp(g->fars[i]->conf.url, conf->url))
            return g->fars[i];
    return NULL;
}

static bool
plan_far(struct groups_plan *plan, struct planned *d, size_t i)
{
    const struct agent_server *conf = &d->conf->servers[i];
    struct far *f = find_far(d->g, conf);
    if (!f)
        f = fogi_far_new(plan->a->p, conf);
    if (!f)
        return false;
    f->kept = true;
    d->fars[i] = f;
    return true;
}

static bool
plan_group(struct groups_plan *plan, struct planned *d, const struct agent_group *conf)
{
    struct agent *a = plan->a;
    d->conf = conf;
    d->n_fars = conf->n_servers;
    d->g = find_group(a, conf->name);
    d->fresh = !d->g;
    if (d->fresh)
        d->g = fogi_group_new(a, conf->name);
    if (!d->g)
        return false;
    d->g->kept = true;
    d->fars = get_list(a->p, d->n_fars);
    for (size_t i = 0; d->fars && i < d->n_fars; i++)
        if (!plan_far(plan, d, i))
            return false;
    return d->fars != NULL;
}

int
fogi_groups_plan(struct groups_plan **out, struct agent *a, const struct agent_conf *c)
{
    struct process *p = a->p;
    struct groups_plan *plan = p->al.alloc(p->al.ctx, sizeof *plan);
    *out = NULL;
    if (!plan)
        return FOG_E_NOMEM;
    *plan = (struct groups_plan){.a = a, .n = c->n_groups};
    plan->groups = get_list(p, plan->n);
    bool good = plan->groups != NULL;
    for (size_t i = 0; good && i < plan->n; i++)
        good = plan_group(plan, &plan->all[i], &c->groups[i]);
    if (!good) {
        fogi_groups_forget(plan);
        return FOG_E_NOMEM;
    }
    *out = plan;
    return 0;
}

static void
forget_group(struct process *p, struct planned *d)
{
    for (size_t i = 0; d->fars && i < d->n_fars; i++) {
        struct far *f = d->fars[i];
        if (f && !f->g)
            fogi_far_drop(p, f);
        else if (f)
            f->kept = false;
    }
    if (d->fars)
        put_list(p, d->fars, d->n_fars);
    if (d->g && d->fresh)
        p->al.free(p->al.ctx, d->g, sizeof *d->g);
    else if (d->g)
        d->g->kept = false;
}

static void
put_plan(struct groups_plan *plan)
{
    struct process *p = plan->a->p;
    p->al.free(p->al.ctx, plan, sizeof *plan);
}

void
fogi_groups_forget(struct groups_plan *plan)
{
    if (!plan)
        return;
    for (size_t i = 0; i < plan->n; i++)
        forget_group(plan->a->p, &plan->all[i]);
    if (plan->groups)
        put_list(plan->a->p, plan->groups, plan->n);
    put_plan(plan);
}

/* ------------------------------------------------------------------------------- carrying it out
 */

/** The lowest slot that none of the first n has. */
static unsigned
free_slot(struct far *const *fars, size_t n)
{
    unsigned slot = 0;
    for (size_t i = 0; i < n; i++)
        if (fars[i]->g && fars[i]->slot == slot) {
            slot++;
            i = SIZE_MAX; /* from the first again */
        }
    return slot;
}

/** Those that stay have their slots already; each new one gets one that is free. */
static void
begin_fars(struct planned *d)
{
    struct group *g = d->g;
    for (size_t i = 0; i < d->n_fars; i++) {
        struct far *f = d->fars[i];
        f->kept = false;
        f->conf.weight = d->conf->servers[i].weight;
        if (f->g)
            continue;
        f->slot = free_slot(d->fars, d->n_fars);
        fogi_requests_untry(g, f->slot);
        fogi_far_start(f, g);
    }
}

static void
carry_out(struct planned *d)
{
    struct group *g = d->g;
    struct process *p = g->a->p;
    struct far **was = g->fars;
    size_t n_was = g->n_fars;
    if (d->fresh)
        fogi_group_start(g);
    g->kept = false;
    g->fars = d->fars;
    g->n_fars = d->n_fars;
    for (size_t i = 0; i < n_was; i++)
        if (!was[i]->kept)
            fogi_far_leave(was[i]);
    begin_fars(d);
    if (was)
        put_list(p, was, n_was);
    loop_later(&p->loop, &g->pump);
    fogi_requests_place(g);
}

/** Requests that it has are still served. */
static void
leave_group(struct group *g)
{
    struct agent *a = g->a;
    g->leaving = true;
    fogi_pool_drain(g);
    list_push(&a->leaving, &g->link);
    fogi_groups_sweep(a);
}

void
fogi_groups_follow(struct groups_plan *plan)
{
    struct agent *a = plan->a;
    struct group **was = a->groups;
    size_t n_was = a->n_groups;
    for (size_t i = 0; i < n_was; i++)
        if (!was[i]->kept)
            leave_group(was[i]);
    for (size_t i = 0; i < plan->n; i++) {
        carry_out(&plan->all[i]);
        plan->groups[i] = plan->all[i].g;
    }
    a->groups = plan->groups;
    a->n_groups = plan->n;
    if (was)
        put_list(a->p, was, n_was);
    put_plan(plan);
}

/* -------------------------------------------------------------------------------------- leaving */

static void
sweep_fars(struct group *g)
{
    for (struct list *i = g->gone.next, *next; i != &g->gone; i = next) {
        struct far *f = list_entry(i, struct far, link);
        next = i->next;
        if (fogi_far_is_over(f))
            fogi_far_end(f);
    }
}

/** Its last request is answered: no server is needed any more. */
static void
leave_all(struct group *g)
{
    struct process *p = g->a->p;
    for (size_t i = 0; i < g->n_fars; i++)
        fogi_far_leave(g->fars[i]);
    put_list(p, g->fars, g->n_fars);
    g->fars = NULL;
    g->n_fars = 0;
}

static void
on_sweep(struct pump *pump)
{
    struct agent *a = list_entry(pump, struct agent, sweep);
    for (size_t i = 0; i < a->n_groups; i++)
        sweep_fars(a->groups[i]);
    for (struct list *i = a->leaving.next, *next; i != &a->leaving; i = next) {
        struct group *g = list_entry(i, struct group, link);
        next = i->next;
        if (!g->n_requests && g->n_fars)
            leave_all(g);
        sweep_fars(g);
        if (!g->n_requests && list_is_empty(&g->gone))
            fogi_group_end(g);
    }
}

void
fogi_groups_sweep(struct agent *a)
{
    loop_later(&a->p->loop, &a->sweep);
}

void
fogi_groups_init(struct agent *a)
{
    list_init(&a->leaving);
    pump_init(&a->sweep, on_sweep);
}

void
fogi_groups_stop(struct agent *a)
{
    for (size_t i = 0; i < a->n_groups; i++)
        fogi_group_end(a->groups[i]);
    while (!list_is_empty(&a->leaving))
        fogi_group_end(list_entry(a->leaving.next, struct group, link));
    if (a->groups)
        put_list(a->p, a->groups, a->n_groups);
    a->groups = NULL;
    a->n_groups = 0;
    pump_cancel(&a->sweep);
}
