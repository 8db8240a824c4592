/* SPDX-License-Identifier: MIT
 *
 * server.c - tunnels in, connections to the target out.
 *
 * Decides which streams are taken and what is told to the log. Refuses to know datagrams (hub.h,
 * tunnel.h) and how connections are made (dial.h). Invariant: nothing is dialled for a peer whose
 * address is not proven, because the sessions report no stream before.
 */
#include "app/dial.h"
#include "app/hub.h"
#include "app/listen.h"
#include "app/stats.h"
#include "app/tunnel.h"
#include "io/log.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define PIPES_MAX 1024      /* tunnels over TCP at once      */
#define PIPES_PER_SOURCE 64 /* of these, of one address; as fog_endpoint_limits.per_source */

struct server {
    struct process *p;
    struct dialler dialler;
    struct hub *hub;          /* via kcp; NULL: closed, or not that kind */
    struct listener listener; /* via pipe                                */
    struct list tunnels;      /* via pipe                                */
    uint32_t n_tunnels;
};

/* --------------------------------------------------------------------------------------- streams
 */

static void
refuse_stream(struct carrier *c, struct fog_stream *st)
{
    fog_time now = process_now(c->p);
    c->p->n.streams_reset++;
    fog_session_refuse(c->session, st, now);
    fog_session_release(c->session, st, now);
    c->touched(c);
}

static void
on_stream(void *owner, struct carrier *c, struct fog_stream *st)
{
    struct server *s = owner;
    struct process *p = s->p;
    bool tight = budget_is_tight(&p->budget);
    if (tight)
        p->n.limit_tight_hit++;
    struct relay *r = tight || p->phase != PROCESS_RUNNING ? NULL : fogi_relay_new(p);
    if (!r) {
        refuse_stream(c, st);
        return;
    }
    fogi_relay_attach(r, c, st);
    fogi_dial(&s->dialler, r);
}

/* --------------------------------------------------------------------------- tunnels over TCP */

static void
on_event(struct tunnel *t, const struct fog_event *ev)
{
    struct server *s = t->owner;
    char text[ADDR_TEXT_MAX], why[CARRIER_WHY_MAX];
    if (ev->type == FOG_EV_READY) {
        s->p->n.tunnels_ready++;
        LOG_LIMITED(LOG_AT_INFO, "tunnel with %s is up", fogi_addr_text(&t->peer, text));
    } else if (ev->type == FOG_EV_CLOSED) {
        s->p->n.tunnels_lost++;
        LOG_LIMITED(LOG_AT_INFO, "tunnel with %s is down: %s", fogi_addr_text(&t->peer, text),
                    fogi_carrier_why(ev, why));
        fogi_tunnel_close(t, NULL);
    } else if (ev->type == FOG_EV_OPENED) {
        on_stream(s, &t->carrier, ev->stream);
    } else {
        fogi_carrier_event(&t->carrier, ev);
    }
}

static void
on_trouble(struct tunnel *t, int err)
{
    struct server *s = t->owner;
    char text[ADDR_TEXT_MAX];
    s->p->n.tunnels_lost++;
    LOG_LIMITED(LOG_AT_INFO, "tunnel with %s is down: %s", fogi_addr_text(&t->peer, text),
                fogi_io_text(err));
    fogi_tunnel_close(t, fogi_io_text(err));
}

static void
on_turned(struct tunnel *t)
{
    (void)t;
}

static void
on_gone(struct tunnel *t)
{
    struct server *s = t->owner;
    list_unlink(&t->link);
    s->n_tunnels--;
}

static const struct tunnel_events tunnel_events = {
    .event = on_event, .trouble = on_trouble, .turned = on_turned, .gone = on_gone};

static uint32_t
tunnels_of(const struct server *s, const struct fog_addr *peer)
{
    uint32_t n = 0;
    for (struct list *i = s->tunnels.next; i != &s->tunnels; i = i->next)
        n += !memcmp(list_entry(i, struct tunnel, link)->peer.ip, peer->ip, sizeof peer->ip);
    return n;
}

static void
on_incoming(void *ctx, uv_stream_t *listener)
{
    struct server *s = ctx;
    struct process *p = s->p;
    struct tunnel *t;
    if (s->n_tunnels >= PIPES_MAX || budget_is_tight(&p->budget)) {
        p->n.limit_tunnels_hit++;
        fogi_listen_drop(listener);
        return;
    }
    int err = fogi_tunnel_accept(&t, p, &tunnel_events, s, listener);
    if (err) {
        LOG_LIMITED(LOG_AT_WARN, "cannot take a tunnel: %s", fogi_io_text(err));
        fogi_listen_drop(listener);
        return;
    }
    list_push(&s->tunnels, &t->link);
    s->n_tunnels++;
    if (tunnels_of(s, &t->peer) > PIPES_PER_SOURCE) {
        p->n.limit_tunnels_hit++;
        fogi_tunnel_close(t, "too many tunnels of this address");
    }
}

/* ------------------------------------------------------------------------------------------ role
 */

static void
drain(void *self)
{
    struct server *s = self;
    if (s->hub)
        fogi_hub_accept(s->hub, false);
    fogi_listen_close(&s->listener);
}

static bool
is_busy(const void *self)
{
    const struct server *s = self;
    for (struct list *i = s->tunnels.next; i != &s->tunnels; i = i->next)
        if (fogi_tunnel_is_busy(list_entry(i, struct tunnel, link), PROCESS_PATIENCE_US))
            return true;
    return s->hub && fogi_hub_is_busy(s->hub);
}

static void
stop(void *self)
{
    struct server *s = self;
    drain(s);
    if (s->hub)
        fogi_hub_close(s->hub, "shutting down");
    s->hub = NULL;
    for (struct list *i = s->tunnels.next; i != &s->tunnels; i = i->next)
        fogi_tunnel_close(list_entry(i, struct tunnel, link), "shutting down");
    fogi_dialler_deinit(&s->dialler);
}

static void
reload(void *self, const struct conf *was)
{
    struct server *s = self;
    if (!fogi_conf_same(was, &s->p->conf, CONF_KEY_TARGET))
        fogi_dialler_set(&s->dialler, &s->p->conf.remote);
    if (s->hub)
        fogi_hub_set_rates(s->hub);
}

static void
dump(void *self, struct stats *out)
{
    struct server *s = self;
    char text[ADDR_TEXT_MAX];
    fogi_stats_line(out, "dials.active", s->dialler.n_active);
    fogi_stats_line(out, "dials.waiting", s->dialler.n_waiting);
    if (s->hub)
        fogi_hub_dump(s->hub, out);
    for (struct list *i = s->tunnels.next; i != &s->tunnels; i = i->next) {
        struct tunnel *t = list_entry(i, struct tunnel, link);
        fogi_stats_session(out, fogi_addr_text(&t->peer, text), t->carrier.session,
                           process_now(s->p));
    }
}

static const struct role role = {.name = "server",
                                 .drain = drain,
                                 .is_busy = is_busy,
                                 .stop = stop,
                                 .reload = reload,
                                 .dump = dump};

static void
log_start(const struct conf *c)
{
    char listen[CONF_HOST_MAX + 16], target[CONF_HOST_MAX + 16], how[HOW_MAX];
    fogi_conf_text(c, CONF_KEY_LISTEN, listen, sizeof listen);
    fogi_conf_text(c, CONF_KEY_TARGET, target, sizeof target);
    fogi_log(LOG_AT_INFO, "listening on %s %s for %s; %s", c->via == FOG_VIA_KCP ? "udp" : "tcp",
             listen, target, fogi_process_how(c, how));
    if (!fogi_listen_is_private(&c->listen))
        fogi_log(LOG_AT_WARN,
                 "anyone who can reach %s can use %s through it: there is no encryption and no "
                 "authentication",
                 listen, target);
}

static int
begin(struct server *s)
{
    struct process *p = s->p;
    const struct conf *c = &p->conf;
    struct fog_addr at;
    bool all;
    if (c->via == FOG_VIA_PIPE)
        return fogi_listen(&s->listener, p, &c->listen, on_incoming, s);
    int err = fogi_listen_address(&c->listen, &at, &all);
    return err ? err : fogi_hub_new(&s->hub, p, all ? NULL : &at, c->listen.port, on_stream, s);
}

int
fogi_server_run(const struct conf *c, app_reload_fn reload_fn, void *ctx)
{
    struct process p;
    struct server s = {.p = &p};
    list_init(&s.tunnels);
    int err = fogi_process_init(&p, c, reload_fn, ctx);
    if (err) {
        fprintf(stderr, "foggara server: cannot start: %s\n", fogi_io_text(err));
        return EXIT_UNAVAILABLE;
    }
    err = begin(&s);
    if (err) {
        fogi_listen_complain("server", &c->listen, c->via == FOG_VIA_KCP ? "udp" : "tcp", err);
        return fogi_process_free(&p, EXIT_UNAVAILABLE);
    }
    fogi_dialler_init(&s.dialler, &p);
    log_start(c);
    fogi_process_run(&p, &role, &s);
    return fogi_process_free(&p, EXIT_OK);
}
