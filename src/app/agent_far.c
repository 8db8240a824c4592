/* SPDX-License-Identifier: MIT
 *
 * agent_far.c - one server of a group: is it well.
 *
 * Decides when a server is down and when it is up again. One reached over TCP is checked over TCP;
 * one behind a tunnel is as well as its tunnel, which its supervisor knows; both by what becomes of
 * the lines to it. Refuses to know who asks and what is chosen. Invariant: a server that is down
 * has a check ahead of it, or nothing to check it with, and then its next use tells.
 */
#include "app/agent_int.h"

#include "io/log.h"

#include <assert.h>
#include <string.h>

static void
set_down(struct far *f, bool down, const char *why)
{
    if (f->down == down)
        return;
    f->down = down;
    if (down)
        LOG_LIMITED(LOG_AT_WARN, "server %s of group %s is down: %s", f->conf.url, f->g->name, why);
    else
        LOG_LIMITED(LOG_AT_INFO, "server %s of group %s is up again", f->conf.url, f->g->name);
}

void
fogi_far_strike(struct far *f, const char *why)
{
    struct process *p = f->g->a->p;
    if (++f->strikes < CHECK_DOWN_AFTER || f->leaving)
        return;
    set_down(f, true, why);
    if (!f->checking)
        fogi_alarm_set(&f->check, process_now(p) + CHECK_SOON);
}

void
fogi_far_is_mute(struct far *f, const char *why)
{
    f->mute = true;
    f->strikes = CHECK_DOWN_AFTER;
    fogi_far_strike(f, why);
}

void
fogi_far_is_well(struct far *f)
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
        fogi_far_is_well(f);
    } else {
        f->g->a->n.checks_failed++;
        fogi_far_strike(f, why);
    }
    check_next(f);
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
    } else if (f->mute && !f->conf.kcp) {
        fogi_pool_probe(f);
        check_next(f);
    } else if (f->conf.kcp || !agent->conf->hc) {
        fogi_far_is_well(f); /* the next use will tell */
    } else if (fogi_reach(&f->checking, &agent->reacher, &f->dest, on_checked, f)) {
        check_next(f);
    } else {
        fogi_alarm_set(a, process_now(agent->p) + CHECK_TIME);
    }
}

bool
fogi_far_has_room(const struct far *f)
{
    return fogi_far_is_usable(f) && f->n_new < LINES_NEW_MAX && !f->full;
}

bool
fogi_far_is_usable(const struct far *f)
{
    return !f->conf.kcp || fogi_supervisor_is_up(&f->sup);
}

/* ---------------------------------------------------------------------------- tunnels tell */

static void
on_placeable(void *owner)
{
    struct far *f = owner;
    struct group *g = f->g;
    f->full = false;
    fogi_requests_place(g);
    if (fogi_pool_wants_line(g))
        loop_later(&g->a->p->loop, &g->pump);
}

static bool
is_awaited(const void *owner)
{
    const struct far *f = owner;
    return !list_is_empty(&f->g->waiting) || !list_is_empty(&f->g->queued);
}

static void
on_emptied(void *owner)
{
    struct far *f = owner;
    fogi_groups_sweep(f->g->a);
}

static const struct supervisor_events supervisor_events = {
    .placeable = on_placeable, .is_awaited = is_awaited, .emptied = on_emptied};

/* ------------------------------------------------------------------------------ coming and going
 */

struct far *
fogi_far_new(struct process *p, const struct agent_server *conf)
{
    size_t len = strlen(conf->url) + 1, size = sizeof(struct far) + len;
    struct far *f = p->al.alloc(p->al.ctx, size);
    if (!f)
        return NULL;
    memset(f, 0, sizeof *f);
    list_init(&f->link);
    f->size = size;
    f->conf = *conf;
    f->conf.url = memcpy(f + 1, conf->url, len);
    f->dest.port = conf->at.port;
    int rc = fogi_dest_host(&f->dest, conf->at.host, strlen(conf->at.host));
    assert(!rc && "the configuration has checked it");
    (void)rc;
    return f;
}

void
fogi_far_drop(struct process *p, struct far *f)
{
    p->al.free(p->al.ctx, f, f->size);
}

void
fogi_far_start(struct far *f, struct group *g)
{
    struct process *p = g->a->p;
    f->g = g;
    fogi_alarm_init(&f->check, &p->loop, on_check);
    if (f->conf.kcp)
        fogi_supervisor_init(&f->sup, p, &f->conf.at, &supervisor_events, f);
    else if (g->a->conf->hc)
        fogi_alarm_set(&f->check, process_now(p));
}

static void
reload_tunnels(struct supervisor *sup, const struct conf *was)
{
    const struct conf *is = &sup->p->conf;
    if (fogi_process_rate(was, was->down) != fogi_process_rate(is, is->down))
        fogi_supervisor_renew(sup); /* it is said when a tunnel begins */
    fogi_supervisor_set_rates(sup);
    fogi_supervisor_adjust(sup);
}

void
fogi_far_reload(struct far *f, const struct conf *was)
{
    struct agent *a = f->g->a;
    if (f->conf.kcp)
        reload_tunnels(&f->sup, was);
    else if (a->conf->hc && !f->checking && f->check.at == FOG_TIME_NEVER)
        fogi_alarm_set(&f->check, process_now(a->p));
}

void
fogi_far_hold(struct far *f)
{
    f->holders++;
}

void
fogi_far_release(struct far *f)
{
    f->holders--;
    if (f->leaving && !f->holders)
        fogi_groups_sweep(f->g->a);
}

void
fogi_far_leave(struct far *f)
{
    f->leaving = true;
    fogi_reach_forget(f->checking);
    f->checking = NULL;
    fogi_alarm_set(&f->check, FOG_TIME_NEVER);
    if (f->conf.kcp)
        fogi_supervisor_leave(&f->sup);
    fogi_pool_drop(f->g, f, true);
    list_push(&f->g->gone, &f->link);
    fogi_groups_sweep(f->g->a);
}

bool
fogi_far_is_over(const struct far *f)
{
    return !f->holders && (!f->conf.kcp || fogi_supervisor_is_empty(&f->sup));
}

static void
on_gone(struct alarm *a)
{
    struct far *f = list_entry(a, struct far, check);
    fogi_far_drop(f->g->a->p, f);
}

void
fogi_far_end(struct far *f)
{
    list_unlink(&f->link);
    fogi_reach_forget(f->checking);
    if (f->conf.kcp)
        fogi_supervisor_stop(&f->sup);
    fogi_alarm_close(&f->check, on_gone);
}
