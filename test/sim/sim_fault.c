/* SPDX-License-Identifier: MIT
 *
 * sim_fault.c - faults when their time comes, and the healing of all of them.
 */
#include "sim.h"

static void
set_dark(struct client *c, int dir, bool dark)
{
    fogi_emu_dark(c->link[dir].emu, dark);
    if (c->t && c->t->pipe)
        sim_pipe_hold(c->t->pipe, dir, dark);
}

static void
suffer(struct client *c, fog_time lasts)
{
    c->trouble_us += lasts;
    if (c->host.w->now + lasts > c->trouble_until)
        c->trouble_until = c->host.w->now + lasts;
}

static void
switch_off(struct host *h, fog_time until, bool deaf)
{
    if (until > h->off_until)
        h->off_until = until;
    h->deaf |= deaf;
    sim_set(h->w, &h->wake, h->off_until);
}

/** Faults of one client's link or session. */
static void
client_fault(struct client *c, const struct fault *f, bool on)
{
    struct world *w = c->host.w;
    switch ((int)f->what) {
    case F_DARK:
        set_dark(c, 0, on);
        set_dark(c, 1, on);
        break;
    case F_ONEWAY:
        set_dark(c, f->arg & 1, on);
        break;
    case F_MOVE:
        if (on)
            sim_client_restart(c, f->arg & 1, FOG_MS(1));
        return;
    case F_RESTART_C:
        if (on)
            sim_client_restart(c, false, f->lasts);
        return;
    case F_REBIND:
        if (!on || !c->t || w->plan->via != VIA_ENDPOINT)
            return;
        sim_client_rebind(c);
        c->lost_gen = c->gen; /* the server knows no session of the new address */
        c->lost_at = w->now;
        return;
    case F_CUT:
        if (on && c->t && c->t->pipe)
            sim_pipe_end(c->t->pipe);
        return;
    default:
        return;
    }
    if (on)
        suffer(c, f->lasts);
}

/** Faults of a host, client or server. */
static void
host_fault(struct host *h, const struct fault *f, bool on)
{
    struct world *w = h->w;
    switch ((int)f->what) {
    case F_STALL_C:
    case F_STALL_S:
        if (on)
            switch_off(h, w->now + f->lasts, false);
        break;
    case F_SUSPEND:
        if (on) {
            switch_off(h, w->now + f->lasts, true);
            if (f->arg & 1)
                h->skew -= f->lasts; /* its clock stands still meanwhile */
        } else {
            h->deaf = false;
        }
        break;
    case F_APP_STALL:
        if (on)
            h->app_off_until = w->now + f->lasts;
        else
            sim_set(w, &h->wake, w->now);
        break;
    case F_JUMP:
        if (on)
            h->skew += f->arg;
        sim_set(w, &h->wake, w->now < h->off_until ? h->off_until : w->now);
        break;
    case F_NOMEM:
        h->mem.refuses = on;
        break;
    default:
        return;
    }
    if (on && h == &w->server.host)
        for (int i = 0; i < w->plan->clients; i++)
            suffer(&w->clients[i], f->what == F_JUMP ? f->arg : f->lasts);
    else if (on)
        suffer(&w->clients[h->number], f->what == F_JUMP ? f->arg : f->lasts);
}

static void
apply(struct world *w, const struct fault *f, bool on)
{
    static const char *const names[] = {
#define FEATURE_NAME(name, text, on, per_100) text,
        FEATURES(FEATURE_NAME)
#undef FEATURE_NAME
    };
    sim_note(w, "fault: %s %s, client %d, %.3f s, %lld", names[f->what], on ? "begins" : "ends",
             f->client, (double)f->lasts / 1e6, (long long)f->arg);
    switch ((int)f->what) {
    case F_RESTART_S:
        if (on) {
            sim_server_stop(w);
            switch_off(&w->server.host, w->now + f->lasts, true);
        }
        return;
    case F_DRAIN:
        if (on && w->now >= w->server.host.off_until)
            sim_server_drain(w);
        return;
    case F_STALL_C:
    case F_STALL_S:
    case F_SUSPEND:
    case F_APP_STALL:
    case F_JUMP:
    case F_NOMEM:
        host_fault(f->client < 0 ? &w->server.host : &w->clients[f->client].host, f, on);
        return;
    default:
        for (int i = 0; i < w->plan->clients; i++)
            if (f->client < 0 || f->client == i)
                client_fault(&w->clients[i], f, on);
    }
}

static void
heal(struct world *w)
{
    w->healed = true;
    sim_note(w, "all is healed");
    for (int i = 0; i < w->plan->clients; i++) {
        struct client *c = &w->clients[i];
        sim_link_conditions(c, true);
        c->host.mem.refuses = false;
    }
    w->server.host.mem.refuses = false;
    sim_flows_hurry(w);
}

static void
run(struct actor *a, struct world *w)
{
    while (w->next_edge < w->n_edges && w->edges[w->next_edge].at <= w->now) {
        const struct edge *e = &w->edges[w->next_edge++];
        if (e->fault < 0)
            heal(w);
        else
            apply(w, &w->plan->faults[e->fault], e->on);
    }
    if (w->next_edge < w->n_edges)
        sim_set(w, a, w->edges[w->next_edge].at);
}

/** Keeps the edges in the order of their times; equal times as they came. */
static void
add_edge(struct world *w, fog_time at, int fault, bool on)
{
    int i = w->n_edges++;
    for (; i > 0 && w->edges[i - 1].at > at; i--)
        w->edges[i] = w->edges[i - 1];
    w->edges[i] = (struct edge){.at = at, .fault = fault, .on = on};
}

void
sim_fault_init(struct world *w)
{
    for (int i = 0; i < w->plan->n_faults; i++) {
        const struct fault *f = &w->plan->faults[i];
        add_edge(w, f->at, i, true);
        add_edge(w, f->at + f->lasts, i, false);
    }
    add_edge(w, w->plan->heal_at, -1, true);
    w->fault_actor.run = run;
    sim_set(w, &w->fault_actor, w->edges[0].at);
}
