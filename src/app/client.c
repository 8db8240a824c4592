/* SPDX-License-Identifier: MIT
 *
 * client.c - local connections in, tunnels out.
 *
 * Decides how long a connection waits when no tunnel takes it. Refuses to know how tunnels are kept
 * (supervisor.c). Invariant: a connection is on a stream, or in `held`, or closing; a held one has
 * not been read.
 */
#include "app/client.h"

#include "app/stats.h"
#include "io/log.h"

#include <stdio.h>
#include <string.h>

/** Puts r on a tunnel; false when none takes it now. */
static bool
place(struct client *c, struct relay *r)
{
    struct carrier *carrier;
    struct fog_stream *st;
    bool cautious;
    if (!fogi_supervisor_open(&c->sup, &carrier, &st, &cautious))
        return false;
    fogi_relay_attach(r, carrier, st);
    /* Should the server have lost the tunnel meanwhile, nothing is lost with it, and the
     * connection gets another. Costs one round trip after a silence. */
    r->cautious = cautious;
    fogi_relay_start(r);
    return true;
}

/* -------------------------------------------------------------------------------------- waiting */

static fog_time
hold_time(const struct client *c)
{
    return FOG_SEC(c->p->conf.hold_s);
}

static void
arm_hold(struct client *c)
{
    fog_time at = FOG_TIME_NEVER;
    if (c->n_held)
        at = list_entry(c->held.next, struct relay, link)->since + hold_time(c);
    fogi_alarm_set(&c->hold, at);
}

static struct relay *
unhold_first(struct client *c)
{
    struct list *link = list_pop(&c->held);
    if (!link)
        return NULL;
    c->n_held--;
    return list_entry(link, struct relay, link);
}

static void
on_hold(struct alarm *a)
{
    struct client *c = list_entry(a, struct client, hold);
    fog_time now = process_now(c->p);
    while (c->n_held && list_entry(c->held.next, struct relay, link)->since + hold_time(c) <= now) {
        c->p->n.limit_hold_time_hit++;
        LOG_LIMITED(LOG_AT_WARN, "a connection waited %u s for a tunnel: reset", c->p->conf.hold_s);
        fogi_relay_abort(unhold_first(c));
    }
    arm_hold(c);
}

/** Keeps r until a tunnel takes it; false when that is not possible. */
static bool
hold(struct client *c, struct relay *r)
{
    if (!c->p->conf.hold_s || c->p->phase == PROCESS_STOPPED)
        return false;
    if (c->n_held >= CLIENT_HELD_MAX) {
        c->p->n.limit_held_hit++;
        return false;
    }
    r->since = process_now(c->p);
    list_push(&c->held, &r->link);
    c->n_held++;
    arm_hold(c);
    fogi_supervisor_hurry(&c->sup);
    return true;
}

static void
place_held(struct pump *pump)
{
    struct client *c = list_entry(pump, struct client, place);
    struct list *next;
    for (struct list *i = c->held.next; i != &c->held; i = next) {
        struct relay *r = list_entry(i, struct relay, link);
        next = i->next;
        if (!place(c, r))
            break;
        c->n_held--;
    }
    arm_hold(c);
}

/* -------------------------------------------------------------------------- what tunnels tell */

static void
on_placeable(void *owner)
{
    struct client *c = owner;
    if (c->n_held)
        loop_later(&c->p->loop, &c->place);
}

static bool
is_awaited(const void *owner)
{
    const struct client *c = owner;
    return c->n_held;
}

/** Takes over a relay whose tunnel ends. */
static bool
orphan(void *owner, struct rider *ride)
{
    struct client *c = owner;
    struct relay *r = list_entry(ride, struct relay, ride);
    if (!c->p->conf.hold_s || c->n_held >= CLIENT_HELD_MAX || c->p->phase == PROCESS_STOPPED)
        return false;
    fogi_relay_detach(r);
    r->started = r->cautious = false;
    hold(c, r);
    c->p->n.rehomed++;
    on_placeable(c);
    return true;
}

static const struct supervisor_events supervisor_events = {
    .placeable = on_placeable, .is_awaited = is_awaited, .orphan = orphan};

static void
on_resumed(struct pump *pump)
{
    fogi_supervisor_resumed(&list_entry(pump, struct client, resumed)->sup);
}

/* -------------------------------------------------------------------------------- connections */

static void
on_incoming(void *ctx, uv_stream_t *listener)
{
    struct client *c = ctx;
    struct process *p = c->p;
    struct relay *r = budget_is_tight(&p->budget) ? NULL : fogi_relay_new(p);
    if (!r) {
        p->n.limit_tight_hit++;
        fogi_listen_drop(listener);
        return;
    }
    p->n.accepted++;
    if (fogi_relay_open(r) || uv_accept(listener, (uv_stream_t *)&r->tcp)) {
        fogi_relay_abort(r);
        return;
    }
    if (!c->n_held && place(c, r))
        return;
    if (hold(c, r))
        p->n.held++;
    else
        fogi_relay_abort(r);
}

/* ------------------------------------------------------------------------------------------ role
 */

static void
drain(void *self)
{
    struct client *c = self;
    fogi_listen_close(&c->listener);
}

static bool
is_busy(const void *self)
{
    const struct client *c = self;
    return fogi_supervisor_is_busy(&c->sup);
}

static void
stop(void *self)
{
    struct client *c = self;
    struct relay *r;
    fogi_listen_close(&c->listener);
    while ((r = unhold_first(c)))
        fogi_relay_abort(r);
    fogi_supervisor_stop(&c->sup);
    c->p->loop.resumed = NULL;
    pump_cancel(&c->resumed);
    pump_cancel(&c->place);
    fogi_alarm_close(&c->hold, NULL);
}

static void
reload(void *self, const struct conf *was)
{
    struct client *c = self;
    const struct conf *is = &c->p->conf;
    if (!fogi_conf_same(was, is, CONF_KEY_REMOTE))
        fogi_supervisor_move(&c->sup, &is->remote);
    else if (fogi_process_rate(was, was->down) != fogi_process_rate(is, is->down))
        fogi_supervisor_renew(&c->sup); /* it is said when a tunnel begins */
    fogi_supervisor_set_rates(&c->sup);
    fogi_supervisor_adjust(&c->sup);
    arm_hold(c);
}

static void
dump(void *self, struct stats *out)
{
    struct client *c = self;
    fogi_stats_line(out, "held", c->n_held);
    fogi_supervisor_dump(&c->sup, out);
}

static const struct role role = {.name = "client",
                                 .drain = drain,
                                 .is_busy = is_busy,
                                 .stop = stop,
                                 .reload = reload,
                                 .dump = dump};

static void
log_start(const struct conf *c)
{
    char listen[CONF_HOST_MAX + 16], remote[CONF_HOST_MAX + 16], tunnels[16], how[HOW_MAX];
    fogi_conf_text(c, CONF_KEY_LISTEN, listen, sizeof listen);
    fogi_conf_text(c, CONF_KEY_REMOTE, remote, sizeof remote);
    fogi_conf_text(c, CONF_KEY_TUNNELS, tunnels, sizeof tunnels);
    fogi_log(LOG_AT_INFO, "listening on tcp %s for %s %s; tunnels %s, hold %u s, %s", listen,
             c->via == FOG_VIA_KCP ? "udp" : "tcp", remote, c->tunnels ? tunnels : "as needed",
             c->hold_s, fogi_process_how(c, how));
}

int
fogi_client_run(const struct conf *conf, app_reload_fn reload_fn, void *ctx)
{
    struct process p;
    struct client c = {.p = &p};
    int err = fogi_process_init(&p, conf, reload_fn, ctx);
    if (err) {
        fprintf(stderr, "foggara client: cannot start: %s\n", fogi_io_text(err));
        return EXIT_UNAVAILABLE;
    }
    list_init(&c.held);
    pump_init(&c.place, place_held);
    err = fogi_listen(&c.listener, &p, &conf->listen, on_incoming, &c);
    if (err) {
        fogi_listen_complain("client", &conf->listen, "tcp", err);
        return fogi_process_free(&p, EXIT_UNAVAILABLE);
    }
    fogi_alarm_init(&c.hold, &p.loop, on_hold);
    log_start(conf);
    pump_init(&c.resumed, on_resumed);
    p.loop.resumed = &c.resumed;
    fogi_supervisor_init(&c.sup, &p, &conf->remote, &supervisor_events, &c);
    fogi_process_run(&p, &role, &c);
    return fogi_process_free(&p, EXIT_OK);
}
