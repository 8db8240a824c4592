/* SPDX-License-Identifier: MIT
 *
 * supervisor.c - tunnels that cannot stay dead.
 *
 * Decides when a tunnel is doubted, when another is made beside it and which of the two stays.
 * Refuses to know local connections. A doubt is cheap: the old tunnel goes on until the new one is
 * ready, and keeps its streams after that, so being wrong costs a handshake and no stream.
 *
 *     ready --(silence, ICMP, keepalive missed)--> suspect --(heard again)--> ready
 *                                                     |
 *                                    new tunnel ready: the old one is retired
 *
 * Invariant: a wanted slot has a ready tunnel that is not doubted, or an attempt is under way, or
 * one is due in at most BACKOFF_MAX.
 */
#include "app/client.h"

#include "io/log.h"

#include <errno.h>
#include <string.h>

#define SILENCE_US FOG_SEC(3)   /* outstanding and nothing heard: doubted               */
#define RETIRED_US FOG_SEC(120) /* streams of a replaced tunnel may go on so long       */
#define QUIET_US FOG_SEC(1)     /* nothing heard after much had come: asked            */
#define MUCH 65536              /* bytes                                               */
#define HEED_US FOG_SEC(5)      /* a foggara server has said that it is one             */
#define STABLE_US FOG_SEC(2)    /* ready so long: its loss is not a failure in a row    */
#define BACKOFF_FIRST FOG_MS(250)
#define BACKOFF_MAX FOG_SEC(5)
#define BACKOFF_HURRIED FOG_SEC(1) /* while a local connection waits                       */

static void attempt(struct slot *s);

fog_time
fogi_supervisor_backoff(unsigned failures, bool hurried, double jitter)
{
    fog_time wait = BACKOFF_FIRST;
    if (!failures)
        return 0;
    while (--failures && wait < BACKOFF_MAX)
        wait = wait * 8 / 5;
    wait = (fog_time)((double)wait * (0.75 + jitter / 2));
    fog_time most = hurried ? BACKOFF_HURRIED : BACKOFF_MAX;
    return wait < most ? wait : most;
}

static const char *
describe(const struct slot *s, const struct tunnel *t, char *buf, size_t cap)
{
    char text[ADDR_TEXT_MAX];
    snprintf(buf, cap, "tunnel %u to %s", s->number, fogi_addr_text(&t->peer, text));
    return buf;
}

/* --------------------------------------------------------------------------------- making one */

static void
retry_later(struct slot *s)
{
    struct process *p = s->c->p;
    fog_time wait = fogi_supervisor_backoff(s->failures, s->c->n_held, rng_unit(&p->rng));
    fogi_alarm_set(&s->retry, process_now(p) + wait);
}

static void
attempt_failed(struct slot *s, const char *why)
{
    struct process *p = s->c->p;
    p->n.tunnels_failed++;
    s->failures++;
    LOG_LIMITED(LOG_AT_WARN, "tunnel %u to %s:%u cannot be made: %s; trying again", s->number,
                p->conf.remote.host, p->conf.remote.port, why);
    retry_later(s);
}

static const struct tunnel_events tunnel_events;

static bool
orphan(struct carrier *c, struct relay *r)
{
    struct tunnel *t = list_entry(c, struct tunnel, carrier);
    struct slot *s = t->owner;
    return fogi_client_orphan(s->c, r);
}

static void
dial(struct slot *s)
{
    struct client *c = s->c;
    if (!c->target.n) {
        attempt_failed(s, "its address is not known");
        return;
    }
    const struct fog_addr *to = &c->target.addrs[s->attempts++ % c->target.n];
    c->p->n.tunnel_attempts++;
    int err = fogi_tunnel_dial(&s->next, c->p, &tunnel_events, s, to);
    if (err) {
        s->next = NULL;
        attempt_failed(s, fogi_io_text(err));
        return;
    }
    s->next->carrier.orphan = orphan;
}

/** Makes a tunnel now, unless that is being done; the name is looked up each time. */
static void
attempt(struct slot *s)
{
    if (s->next || s->resolving || !s->wanted)
        return;
    fogi_alarm_set(&s->retry, FOG_TIME_NEVER);
    if (fogi_target_renew(&s->c->target))
        dial(s);
    else
        s->resolving = true;
}

static void
on_known(void *ctx, int err)
{
    struct client *c = ctx;
    (void)err;
    for (unsigned i = 0; i < CLIENT_SLOTS_MAX; i++) {
        struct slot *s = &c->slots[i];
        if (!s->resolving)
            continue;
        s->resolving = false;
        if (s->wanted)
            dial(s);
    }
}

static void
on_retry(struct alarm *a)
{
    attempt(list_entry(a, struct slot, retry));
}

/* ------------------------------------------------------------------------------- replacing one */

static void
arm_retire(struct client *c)
{
    fog_time at = FOG_TIME_NEVER;
    if (!list_is_empty(&c->retired))
        at = list_entry(c->retired.next, struct tunnel, link)->since + RETIRED_US;
    fogi_alarm_set(&c->retire, at);
}

static void
on_retire(struct alarm *a)
{
    struct client *c = list_entry(a, struct client, retire);
    fog_time now = process_now(c->p);
    struct list *next;
    for (struct list *i = c->retired.next; i != &c->retired; i = next) {
        struct tunnel *t = list_entry(i, struct tunnel, link);
        next = i->next;
        if (now - t->since < RETIRED_US)
            break;
        list_unlink(&t->link);
        fogi_tunnel_close(t, "replaced");
    }
    arm_retire(c);
}

static void
retire(struct slot *s)
{
    struct tunnel *t = s->now;
    s->now = NULL;
    s->c->p->n.tunnels_replaced++;
    t->since = process_now(s->c->p);
    list_push(&s->c->retired, &t->link);
    arm_retire(s->c);
    /* Its own turn ends it once it has no stream; give it one. */
    t->carrier.touched(&t->carrier);
}

static void
suspect(struct slot *s, const char *why)
{
    char text[128];
    if (!s->suspect) {
        s->suspect = true;
        s->suspect_since = process_now(s->c->p);
        s->c->p->n.tunnels_suspected++;
        LOG_LIMITED(LOG_AT_WARN, "%s is in doubt: %s; making another beside it",
                    describe(s, s->now, text, sizeof text), why);
        s->failures = 0;
        attempt(s);
    }
}

static void
recovered(struct slot *s)
{
    struct tunnel *next = s->next;
    char text[128];
    s->suspect = false;
    s->c->p->n.tunnels_recovered++;
    LOG_LIMITED(LOG_AT_INFO, "%s is heard again", describe(s, s->now, text, sizeof text));
    if (!s->worn) {
        s->next = NULL;
        s->resolving = false;
        s->failures = 0;
        fogi_alarm_set(&s->retry, FOG_TIME_NEVER);
        if (next)
            fogi_tunnel_close(next, "not needed");
    }
    fogi_client_place(s->c);
}

/* ---------------------------------------------------------------------------- what tunnels tell */

static void
became_ready(struct slot *s, struct tunnel *t)
{
    struct process *p = s->c->p;
    struct fog_addr local;
    char text[128], from[ADDR_TEXT_MAX];
    p->n.tunnels_ready++;
    fogi_tunnel_local(t, &local);
    fogi_log(LOG_AT_INFO, "%s is up%s%s", describe(s, t, text, sizeof text),
             t->via == FOG_VIA_KCP ? ", from " : "",
             t->via == FOG_VIA_KCP ? fogi_addr_text(&local, from) : "");
    if (s->now)
        retire(s);
    s->next = NULL;
    s->now = t;
    s->suspect = s->worn = false;
    s->outstanding = FOG_TIME_NEVER;
    s->ready_since = s->lately_at = process_now(p);
    s->bytes_in = s->lately = s->asked_at = 0;
    bool asked = p->conf.down && t->via == FOG_VIA_KCP;
    fogi_alarm_set(&s->heed, asked ? s->ready_since + HEED_US : FOG_TIME_NEVER);
    fogi_client_place(s->c);
}

/** A server that is not of our kind cannot be asked. */
static void
on_heed(struct alarm *a)
{
    struct slot *s = list_entry(a, struct slot, heed);
    struct fog_session_status st;
    char text[128], down[16];
    if (!s->now)
        return;
    fog_session_status(s->now->carrier.session, &st);
    if (st.mux.extended)
        return;
    fogi_conf_text(&s->c->p->conf, CONF_KEY_DOWN, down, sizeof down);
    LOG_LIMITED(LOG_AT_WARN,
                "%s: the server is no foggara: it sends as it likes, down %s is in vain",
                describe(s, s->now, text, sizeof text), down);
}

/** t ends; what follows depends on what it was to its slot. */
static void
lost(struct slot *s, struct tunnel *t, const char *why)
{
    struct process *p = s->c->p;
    bool was_now = t == s->now, was_next = t == s->next;
    char text[128];
    if (was_now) {
        p->n.tunnels_lost++;
        LOG_LIMITED(LOG_AT_WARN, "%s is down: %s", describe(s, t, text, sizeof text), why);
        s->now = NULL;
        s->suspect = s->worn = false;
        s->failures = process_now(p) - s->ready_since > STABLE_US ? 0 : s->failures + 1;
    } else if (was_next) {
        s->next = NULL;
    }
    list_unlink(&t->link);
    fogi_tunnel_close(t, "");
    arm_retire(s->c);
    if (was_next)
        attempt_failed(s, why);
    else if (was_now && !s->next && !s->resolving && s->retry.at == FOG_TIME_NEVER)
        retry_later(s);
}

static void
on_event(struct tunnel *t, const struct fog_event *ev)
{
    struct slot *s = t->owner;
    char why[CARRIER_WHY_MAX];
    switch (ev->type) {
    case FOG_EV_READY:
        became_ready(s, t);
        break;
    case FOG_EV_CLOSED:
        lost(s, t, fogi_carrier_why(ev, why));
        break;
    case FOG_EV_SUSPECT:
        if (t == s->now)
            suspect(s, "a keepalive was not answered");
        break;
    case FOG_EV_WORN:
        if (t == s->now) {
            s->worn = true;
            attempt(s);
        }
        break;
    case FOG_EV_OPENED:
    case FOG_EV_ESTABLISHED:
    case FOG_EV_READABLE:
    case FOG_EV_WRITABLE:
    case FOG_EV_RESET:
        fogi_carrier_event(&t->carrier, ev);
        break;
    }
}

/** Trouble on a datagram socket may be forged or pass: enough to give up an attempt, not enough to
 *  end what stands. */
static void
on_trouble(struct tunnel *t, int err)
{
    struct slot *s = t->owner;
    if (t->via == FOG_VIA_PIPE || t == s->next)
        lost(s, t, fogi_io_text(err));
    else if (t == s->now)
        suspect(s, fogi_io_text(err));
}

static void
look_after(struct slot *s)
{
    struct process *p = s->c->p;
    struct fog_session_status st;
    fog_session_status(s->now->carrier.session, &st);
    fogi_client_lately(s, &st);
    if (s->suspect && st.arq.last_input > s->suspect_since)
        recovered(s);
    if (!st.arq.flight_segs && !st.arq.queued) {
        s->outstanding = FOG_TIME_NEVER;
        if (st.arq.n.bytes_in - s->asked_at >= MUCH && s->watch.at == FOG_TIME_NEVER)
            fogi_alarm_set(&s->watch, st.arq.last_input + QUIET_US);
    } else if (s->outstanding == FOG_TIME_NEVER) {
        s->outstanding = process_now(p);
        if (s->watch.at == FOG_TIME_NEVER)
            fogi_alarm_set(&s->watch, s->outstanding + SILENCE_US);
    }
}

static void
on_turned(struct tunnel *t)
{
    struct slot *s = t->owner;
    if (t == s->now) {
        look_after(s);
        if (s->c->n_held)
            fogi_client_place(s->c);
    } else if (t != s->next) {
        if (fogi_tunnel_is_busy(t, FOG_TIME_NEVER))
            return;
        list_unlink(&t->link);
        fogi_tunnel_close(t, "replaced");
        arm_retire(s->c);
    }
}

/** A download waits for nothing of ours to be answered, so its silence proves nothing: one question
 *  does. An end of a download costs one, too. */
static void
ask_if_quiet(struct slot *s, const struct fog_session_status *st)
{
    fog_time now = process_now(s->c->p);
    if (now - st->arq.last_input < QUIET_US) {
        fogi_alarm_set(&s->watch, st->arq.last_input + QUIET_US);
        return;
    }
    s->asked_at = st->arq.n.bytes_in;
    fog_session_ping(s->now->carrier.session, now);
    s->now->carrier.touched(&s->now->carrier);
}

/** Has nothing been heard for long although something is outstanding? An idle tunnel sets no watch,
 *  so that it can sleep. */
static void
on_watch(struct alarm *a)
{
    struct slot *s = list_entry(a, struct slot, watch);
    struct fog_session_status st;
    if (!s->now)
        return;
    fog_session_status(s->now->carrier.session, &st);
    if (s->outstanding == FOG_TIME_NEVER) {
        ask_if_quiet(s, &st);
        return;
    }
    fog_time from = s->outstanding;
    if (st.arq.last_input > from)
        from = st.arq.last_input;
    if (process_now(s->c->p) - from >= SILENCE_US)
        suspect(s, "no answer for 3 s");
    else
        fogi_alarm_set(&s->watch, from + SILENCE_US);
}

/** The host has slept: ways and translations may be gone, and nobody could tell us. */
static void
on_resumed(struct pump *pump)
{
    struct client *c = list_entry(pump, struct client, resumed);
    for (unsigned i = 0; i < CLIENT_SLOTS_MAX; i++)
        if (c->slots[i].now)
            suspect(&c->slots[i], "this host has slept");
}

static void
on_gone(struct tunnel *t)
{
    list_unlink(&t->link);
}

static const struct tunnel_events tunnel_events = {
    .event = on_event, .trouble = on_trouble, .turned = on_turned, .gone = on_gone};

/* ------------------------------------------------------------------------------- what is wanted */

void
fogi_supervisor_init(struct client *c)
{
    list_init(&c->retired);
    fogi_alarm_init(&c->retire, &c->p->loop, on_retire);
    pump_init(&c->resumed, on_resumed);
    c->p->loop.resumed = &c->resumed;
    for (unsigned i = 0; i < CLIENT_SLOTS_MAX; i++) {
        struct slot *s = &c->slots[i];
        *s = (struct slot){.c = c, .number = i + 1, .outstanding = FOG_TIME_NEVER};
        fogi_alarm_init(&s->retry, &c->p->loop, on_retry);
        fogi_alarm_init(&s->watch, &c->p->loop, on_watch);
        fogi_alarm_init(&s->heed, &c->p->loop, on_heed);
    }
    fogi_target_init(&c->target, c->p, &c->p->conf.remote, on_known, c);
    fogi_supervisor_adjust(c);
}

static void
unwant(struct slot *s)
{
    struct tunnel *next = s->next;
    s->wanted = s->resolving = false;
    s->next = NULL;
    fogi_alarm_set(&s->retry, FOG_TIME_NEVER);
    if (next)
        fogi_tunnel_close(next, "not needed");
    if (s->now)
        retire(s);
}

void
fogi_supervisor_adjust(struct client *c)
{
    for (unsigned i = 0; i < CLIENT_SLOTS_MAX; i++) {
        struct slot *s = &c->slots[i];
        bool wanted = i < c->p->conf.tunnels;
        if (s->wanted && !wanted)
            unwant(s);
        s->wanted = wanted;
        if (wanted && !s->now)
            attempt(s);
    }
}

bool
fogi_supervisor_is_busy(const struct client *c)
{
    for (unsigned i = 0; i < CLIENT_SLOTS_MAX; i++) {
        const struct slot *s = &c->slots[i];
        if (s->now && fogi_tunnel_is_busy(s->now, PROCESS_PATIENCE_US))
            return true;
    }
    for (struct list *i = c->retired.next; i != &c->retired; i = i->next)
        if (fogi_tunnel_is_busy(list_entry(i, struct tunnel, link), PROCESS_PATIENCE_US))
            return true;
    return false;
}

void
fogi_supervisor_renew(struct client *c)
{
    for (unsigned i = 0; i < CLIENT_SLOTS_MAX; i++) {
        struct slot *s = &c->slots[i];
        struct tunnel *next = s->next;
        if (!s->wanted)
            continue;
        s->next = NULL;
        s->resolving = false;
        s->failures = 0;
        s->worn = s->now;
        if (next)
            fogi_tunnel_close(next, "not needed");
        attempt(s);
    }
}

static void
set_rate(struct tunnel *t, uint64_t rate)
{
    if (!t)
        return;
    fog_session_set_rate(t->carrier.session, rate, process_now(t->carrier.p));
    t->carrier.touched(&t->carrier);
}

void
fogi_supervisor_set_rates(struct client *c)
{
    uint64_t rate = fogi_process_rate(&c->p->conf, c->p->conf.up);
    for (unsigned i = 0; i < CLIENT_SLOTS_MAX; i++) {
        set_rate(c->slots[i].now, rate);
        set_rate(c->slots[i].next, rate);
    }
    for (struct list *i = c->retired.next; i != &c->retired; i = i->next)
        set_rate(list_entry(i, struct tunnel, link), rate);
}

void
fogi_supervisor_hurry(struct client *c)
{
    fog_time soon = process_now(c->p) + BACKOFF_HURRIED;
    for (unsigned i = 0; i < CLIENT_SLOTS_MAX; i++) {
        struct slot *s = &c->slots[i];
        if (s->retry.at != FOG_TIME_NEVER && s->retry.at > soon)
            fogi_alarm_set(&s->retry, soon);
    }
}

void
fogi_supervisor_stop(struct client *c)
{
    for (unsigned i = 0; i < CLIENT_SLOTS_MAX; i++) {
        struct slot *s = &c->slots[i];
        struct tunnel *next = s->next, *now = s->now;
        s->wanted = s->resolving = false;
        s->next = s->now = NULL;
        if (next)
            fogi_tunnel_close(next, "shutting down");
        if (now)
            fogi_tunnel_close(now, "shutting down");
        fogi_alarm_close(&s->retry, NULL);
        fogi_alarm_close(&s->watch, NULL);
        fogi_alarm_close(&s->heed, NULL);
    }
    struct list *link;
    c->p->loop.resumed = NULL;
    pump_cancel(&c->resumed);
    while ((link = list_pop(&c->retired)))
        fogi_tunnel_close(list_entry(link, struct tunnel, link), "shutting down");
    fogi_alarm_close(&c->retire, NULL);
    fogi_target_deinit(&c->target);
}
