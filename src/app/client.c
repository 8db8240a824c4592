/* SPDX-License-Identifier: MIT
 *
 * client.c - local connections in, tunnels out.
 *
 * Decides which tunnel a connection goes to (the least busy one, either way) and how long it waits
 * when there is none. Refuses to know how tunnels are kept (supervisor.c). Invariant: a connection
 * is on a stream, or in `held`, or closing; a held one has not been read.
 */
#include "app/client.h"

#include "app/stats.h"
#include "io/log.h"

#include <stdio.h>
#include <string.h>

#define PROVEN_US FOG_MS(500)      /* a tunnel heard so lately needs no caution                 */
#define LATELY_HALF_US FOG_MS(500) /* what came so long ago counts half                         */
#define BUSY_UNIT 16384            /* fewer bytes make no difference between tunnels            */

/* --------------------------------------------------------------------------------- choosing one */

uint64_t
fogi_client_lately(struct slot *s, const struct fog_session_status *st)
{
    uint64_t halves = (uint64_t)(process_now(s->c->p) - s->lately_at) / LATELY_HALF_US;
    s->lately = halves < 64 ? s->lately >> halves : 0;
    s->lately_at += (fog_time)halves * LATELY_HALF_US;
    s->lately += st->arq.n.bytes_in - s->bytes_in;
    s->bytes_in = st->arq.n.bytes_in;
    return s->lately;
}

/** What a new stream would have to share with: bytes in units that are worth a difference, then
 *  streams. What the peer has waiting for us is not known, but what comes of it is. */
static uint64_t
busyness(struct slot *s, const struct fog_session_status *st)
{
    uint64_t out = st->arq.queued + (uint64_t)st->arq.flight_segs * s->c->p->conf.mtu;
    return (out + fogi_client_lately(s, st)) / BUSY_UNIT << 32 | st->mux.streams;
}

/** The least busy ready tunnel that is not in `tried`; CLIENT_SLOTS_MAX if none. */
static unsigned
least_busy(struct client *c, unsigned tried, fog_time *heard)
{
    unsigned best = CLIENT_SLOTS_MAX;
    uint64_t least = UINT64_MAX;
    for (unsigned i = 0; i < CLIENT_SLOTS_MAX; i++) {
        struct slot *s = &c->slots[i];
        struct fog_session_status st;
        if (!s->now || s->suspect || tried & 1u << i)
            continue;
        fog_session_status(s->now->carrier.session, &st);
        uint64_t busy = busyness(s, &st);
        if (busy < least) {
            least = busy;
            best = i;
            *heard = st.arq.last_input;
        }
    }
    return best;
}

/** Puts r on a tunnel; false when none takes it now. */
static bool
place(struct client *c, struct relay *r)
{
    fog_time now = process_now(c->p), heard = now;
    unsigned tried = 0, i;
    while ((i = least_busy(c, tried, &heard)) < CLIENT_SLOTS_MAX) {
        struct carrier *carrier = &c->slots[i].now->carrier;
        struct fog_stream *st;
        int rc = fog_session_open(carrier->session, &st, now);
        if (!rc) {
            carrier->touched(carrier); /* not after a refusal: its turn would bring us here again */
            fogi_relay_attach(r, carrier, st);
            /* Should the server have lost the tunnel meanwhile, nothing is lost with it, and the
             * connection gets another. Costs one round trip after a silence. */
            r->cautious = now - heard > PROVEN_US;
            fogi_relay_start(r);
            return true;
        }
        tried |= 1u << i;
    }
    return false;
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
    fogi_supervisor_hurry(c);
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

void
fogi_client_place(struct client *c)
{
    if (c->n_held)
        loop_later(&c->p->loop, &c->place);
}

bool
fogi_client_orphan(struct client *c, struct relay *r)
{
    if (!c->p->conf.hold_s || c->n_held >= CLIENT_HELD_MAX || c->p->phase == PROCESS_STOPPED)
        return false;
    fogi_relay_detach(r);
    r->started = r->cautious = false;
    hold(c, r);
    c->p->n.rehomed++;
    fogi_client_place(c);
    return true;
}

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
    return fogi_supervisor_is_busy(c);
}

static void
stop(void *self)
{
    struct client *c = self;
    struct relay *r;
    fogi_listen_close(&c->listener);
    while ((r = unhold_first(c)))
        fogi_relay_abort(r);
    fogi_supervisor_stop(c);
    pump_cancel(&c->place);
    fogi_alarm_close(&c->hold, NULL);
}

static void
reload(void *self, const struct conf *was)
{
    struct client *c = self;
    const struct conf *is = &c->p->conf;
    bool moved = !fogi_conf_same(was, is, CONF_KEY_REMOTE);
    if (moved)
        fogi_target_set(&c->target, &is->remote);
    /* What the server is asked for is said when a tunnel begins. */
    if (moved || fogi_process_rate(was, was->down) != fogi_process_rate(is, is->down))
        fogi_supervisor_renew(c);
    fogi_supervisor_set_rates(c);
    fogi_supervisor_adjust(c);
    arm_hold(c);
}

static void
dump_tunnel(struct client *c, const struct tunnel *t, const char *what, struct stats *out)
{
    char text[ADDR_TEXT_MAX], name[ADDR_TEXT_MAX + 16];
    snprintf(name, sizeof name, "%s (%s)", fogi_addr_text(&t->peer, text), what);
    fogi_stats_session(out, name, t->carrier.session, process_now(c->p));
    fogi_stats_udp(out, &t->udp.n);
}

static void
dump(void *self, struct stats *out)
{
    struct client *c = self;
    fogi_stats_line(out, "held", c->n_held);
    for (unsigned i = 0; i < CLIENT_SLOTS_MAX; i++) {
        const struct slot *s = &c->slots[i];
        if (s->now)
            dump_tunnel(c, s->now, s->suspect ? "in doubt" : "ready", out);
        if (s->next)
            dump_tunnel(c, s->next, "being made", out);
    }
    for (struct list *i = c->retired.next; i != &c->retired; i = i->next)
        dump_tunnel(c, list_entry(i, struct tunnel, link), "replaced", out);
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
    char listen[CONF_HOST_MAX + 16], remote[CONF_HOST_MAX + 16], how[HOW_MAX];
    fogi_conf_text(c, CONF_KEY_LISTEN, listen, sizeof listen);
    fogi_conf_text(c, CONF_KEY_REMOTE, remote, sizeof remote);
    fogi_log(LOG_AT_INFO, "listening on tcp %s for %s %s; tunnels %u, hold %u s, %s", listen,
             c->via == FOG_VIA_KCP ? "udp" : "tcp", remote, c->tunnels, c->hold_s,
             fogi_process_how(c, how));
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
    fogi_supervisor_init(&c);
    fogi_process_run(&p, &role, &c);
    return fogi_process_free(&p, EXIT_OK);
}
