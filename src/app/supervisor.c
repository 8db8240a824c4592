/* SPDX-License-Identifier: MIT
 *
 * supervisor.c - tunnels that cannot stay dead.
 *
 *     ready --(silence, ICMP, keepalive missed)--> suspect --(heard again)--> ready
 *                                                     |
 *                                    new tunnel ready: the old one is retired
 *
 * Invariant: a wanted slot has a ready tunnel that is not doubted, or an attempt is under way, or
 * one is due in at most BACKOFF_MAX.
 */
#include "app/supervisor.h"

#include "app/stats.h"
#include "io/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SILENCE_US FOG_SEC(3)   /* outstanding and nothing heard: doubted               */
#define RETIRED_US FOG_SEC(120) /* streams of a replaced tunnel may go on so long       */
#define QUIET_US FOG_SEC(1)     /* nothing heard after much had come: asked            */
#define MUCH 65536              /* bytes                                               */
#define HEED_US FOG_SEC(5)      /* a foggara server has said that it is one             */
#define STABLE_US FOG_SEC(2)    /* ready so long: its loss is not a failure in a row    */
#define REST_US FOG_SEC(60)     /* without a stream for so long: one tunnel is enough   */
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
    struct process *p = s->sup->p;
    struct supervisor *sup = s->sup;
    bool hurried = sup->events->is_awaited(sup->owner);
    fog_time wait = fogi_supervisor_backoff(s->failures, hurried, rng_unit(&p->rng));
    fogi_alarm_set(&s->retry, process_now(p) + wait);
}

static void
attempt_failed(struct slot *s, const char *why)
{
    struct process *p = s->sup->p;
    p->n.tunnels_failed++;
    s->failures++;
    LOG_LIMITED(LOG_AT_WARN, "tunnel %u to %s:%u cannot be made: %s; trying again", s->number,
                s->sup->target.name.host, s->sup->target.name.port, why);
    retry_later(s);
}

static const struct tunnel_events tunnel_events;

static bool
orphan(struct carrier *c, struct rider *r)
{
    struct tunnel *t = list_entry(c, struct tunnel, carrier);
    struct slot *s = t->owner;
    return s->sup->events->orphan(s->sup->owner, r);
}

static void
dial(struct slot *s)
{
    struct supervisor *sup = s->sup;
    if (!sup->target.n) {
        attempt_failed(s, "its address is not known");
        return;
    }
    const struct fog_addr *to = &sup->target.addrs[s->attempts++ % sup->target.n];
    sup->p->n.tunnel_attempts++;
    int err = fogi_tunnel_dial(&s->next, sup->p, &tunnel_events, s, to);
    if (err) {
        s->next = NULL;
        attempt_failed(s, fogi_io_text(err));
        return;
    }
    if (sup->events->orphan)
        s->next->carrier.orphan = orphan;
}

/** Makes a tunnel now, unless that is being done; the name is looked up each time. */
static void
attempt(struct slot *s)
{
    if (s->next || s->resolving || !s->wanted)
        return;
    fogi_alarm_set(&s->retry, FOG_TIME_NEVER);
    if (fogi_target_renew(&s->sup->target))
        dial(s);
    else
        s->resolving = true;
}

static void
on_known(void *ctx, int err)
{
    struct supervisor *sup = ctx;
    (void)err;
    for (unsigned i = 0; i < SUPERVISOR_SLOTS_MAX; i++) {
        struct slot *s = &sup->slots[i];
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
arm_retire(struct supervisor *sup)
{
    fog_time at = FOG_TIME_NEVER;
    if (!list_is_empty(&sup->retired) && !sup->leaving)
        at = list_entry(sup->retired.next, struct tunnel, link)->since + RETIRED_US;
    fogi_alarm_set(&sup->retire, at);
}

static void
on_retire(struct alarm *a)
{
    struct supervisor *sup = list_entry(a, struct supervisor, retire);
    fog_time now = process_now(sup->p);
    struct list *next;
    for (struct list *i = sup->retired.next; i != &sup->retired; i = next) {
        struct tunnel *t = list_entry(i, struct tunnel, link);
        next = i->next;
        if (now - t->since < RETIRED_US)
            break;
        list_unlink(&t->link);
        fogi_tunnel_close(t, "replaced");
    }
    arm_retire(sup);
}

static void
tell_emptied(struct supervisor *sup)
{
    if (sup->leaving && list_is_empty(&sup->retired) && sup->events->emptied)
        sup->events->emptied(sup->owner);
}

static void
retire(struct slot *s)
{
    struct tunnel *t = s->now;
    s->now = NULL;
    s->sup->p->n.tunnels_replaced++;
    t->since = process_now(s->sup->p);
    list_push(&s->sup->retired, &t->link);
    arm_retire(s->sup);
    /* Its own turn ends it once it has no stream; give it one. */
    t->carrier.touched(&t->carrier);
}

static void
suspect(struct slot *s, const char *why)
{
    char text[128];
    if (!s->suspect) {
        s->suspect = true;
        s->suspect_since = process_now(s->sup->p);
        s->sup->p->n.tunnels_suspected++;
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
    s->sup->p->n.tunnels_recovered++;
    LOG_LIMITED(LOG_AT_INFO, "%s is heard again", describe(s, s->now, text, sizeof text));
    if (!s->worn) {
        s->next = NULL;
        s->resolving = false;
        s->failures = 0;
        fogi_alarm_set(&s->retry, FOG_TIME_NEVER);
        if (next)
            fogi_tunnel_close(next, "not needed");
    }
    s->sup->events->placeable(s->sup->owner);
}

/* ---------------------------------------------------------------------------- what tunnels tell */

static void
became_ready(struct slot *s, struct tunnel *t)
{
    struct process *p = s->sup->p;
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
    s->bytes_in = s->lately = s->asked_at = s->pushes = s->held_up = 0;
    bool asked = p->conf.down && t->via == FOG_VIA_KCP;
    fogi_alarm_set(&s->heed, asked ? s->ready_since + HEED_US : FOG_TIME_NEVER);
    s->sup->events->placeable(s->sup->owner);
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
    fogi_conf_text(&s->sup->p->conf, CONF_KEY_DOWN, down, sizeof down);
    LOG_LIMITED(LOG_AT_WARN,
                "%s: the server is no foggara: it sends as it likes, down %s is in vain",
                describe(s, s->now, text, sizeof text), down);
}

/** t ends; what follows depends on what it was to its slot. */
static void
lost(struct slot *s, struct tunnel *t, const char *why)
{
    struct process *p = s->sup->p;
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
    arm_retire(s->sup);
    tell_emptied(s->sup);
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
    struct process *p = s->sup->p;
    struct fog_session_status st;
    fog_session_status(s->now->carrier.session, &st);
    fogi_supervisor_lately(s, &st);
    if (st.mux.streams)
        fogi_supervisor_wake(s->sup);
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
        s->sup->events->placeable(s->sup->owner);
    } else if (t != s->next) {
        if (fogi_tunnel_is_busy(t, FOG_TIME_NEVER))
            return;
        list_unlink(&t->link);
        fogi_tunnel_close(t, s->sup->leaving ? "not needed" : "replaced");
        arm_retire(s->sup);
        tell_emptied(s->sup);
    }
}

/** A download waits for nothing of ours to be answered, so its silence proves nothing: one question
 *  does. An end of a download costs one, too. */
static void
ask_if_quiet(struct slot *s, const struct fog_session_status *st)
{
    fog_time now = process_now(s->sup->p);
    if (st->arq.n.bytes_in - s->asked_at < MUCH)
        return; /* the watch was set for what has been answered meanwhile */
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
    if (process_now(s->sup->p) - from >= SILENCE_US)
        suspect(s, "no answer for 3 s");
    else
        fogi_alarm_set(&s->watch, from + SILENCE_US);
}

void
fogi_supervisor_resumed(struct supervisor *sup)
{
    for (unsigned i = 0; i < SUPERVISOR_SLOTS_MAX; i++)
        if (sup->slots[i].now)
            suspect(&sup->slots[i], "this host has slept");
}

static void
on_gone(struct tunnel *t)
{
    list_unlink(&t->link);
}

static const struct tunnel_events tunnel_events = {
    .event = on_event, .trouble = on_trouble, .turned = on_turned, .gone = on_gone};

/* ------------------------------------------------------------------------------- what is wanted */

/** One tunnel is enough to be reached by, and where nothing is lost. Where it is, a download should
 *  not hold up the others: there are two then, unless a told rate would have to be cut in parts. */
static unsigned
wanted(const struct supervisor *sup)
{
    const struct conf *c = &sup->p->conf;
    if (sup->leaving)
        return 0;
    if (c->tunnels)
        return c->tunnels;
    return sup->awake && !c->up && !c->down ? CONF_TUNNELS_BUSY : 1;
}

void
fogi_supervisor_wake(struct supervisor *sup)
{
    sup->used = process_now(sup->p);
    if (sup->awake || !fogi_supervisor_is_lossy(sup))
        return;
    sup->awake = true;
    fogi_alarm_set(&sup->rest, sup->used + REST_US);
    fogi_supervisor_adjust(sup);
}

static void
on_rest(struct alarm *a)
{
    struct supervisor *sup = list_entry(a, struct supervisor, rest);
    fog_time now = process_now(sup->p);
    for (unsigned i = 0; i < SUPERVISOR_SLOTS_MAX; i++) {
        const struct slot *s = &sup->slots[i];
        if (s->now && fogi_tunnel_is_busy(s->now, FOG_TIME_NEVER))
            sup->used = now;
    }
    if (now - sup->used < REST_US) {
        fogi_alarm_set(a, sup->used + REST_US);
        return;
    }
    sup->awake = false;
    fogi_supervisor_adjust(sup);
}

void
fogi_supervisor_init(struct supervisor *sup, struct process *p, const struct hostport *server,
                     const struct supervisor_events *events, void *owner)
{
    sup->p = p;
    sup->events = events;
    sup->owner = owner;
    list_init(&sup->retired);
    fogi_alarm_init(&sup->retire, &p->loop, on_retire);
    fogi_alarm_init(&sup->rest, &p->loop, on_rest);
    for (unsigned i = 0; i < SUPERVISOR_SLOTS_MAX; i++) {
        struct slot *s = &sup->slots[i];
        *s = (struct slot){.sup = sup, .number = i + 1, .outstanding = FOG_TIME_NEVER};
        fogi_alarm_init(&s->retry, &p->loop, on_retry);
        fogi_alarm_init(&s->watch, &p->loop, on_watch);
        fogi_alarm_init(&s->heed, &p->loop, on_heed);
    }
    fogi_target_init(&sup->target, p, server, on_known, sup);
    fogi_supervisor_adjust(sup);
}

static void
unwant(struct slot *s)
{
    struct tunnel *next = s->next, *now = s->now;
    s->wanted = s->resolving = false;
    s->next = NULL;
    fogi_alarm_set(&s->retry, FOG_TIME_NEVER);
    if (next)
        fogi_tunnel_close(next, "not needed");
    if (now && fogi_tunnel_is_busy(now, FOG_TIME_NEVER)) {
        retire(s);
    } else if (now) {
        s->now = NULL;
        fogi_tunnel_close(now, "not needed");
    }
}

void
fogi_supervisor_adjust(struct supervisor *sup)
{
    unsigned n = wanted(sup);
    for (unsigned i = 0; i < SUPERVISOR_SLOTS_MAX; i++) {
        struct slot *s = &sup->slots[i];
        bool keep = i < n;
        if (s->wanted && !keep)
            unwant(s);
        s->wanted = keep;
        if (keep && !s->now)
            attempt(s);
    }
}

void
fogi_supervisor_leave(struct supervisor *sup)
{
    sup->leaving = true;
    fogi_supervisor_adjust(sup);
    arm_retire(sup);
}

bool
fogi_supervisor_is_empty(const struct supervisor *sup)
{
    for (unsigned i = 0; i < SUPERVISOR_SLOTS_MAX; i++)
        if (sup->slots[i].now || sup->slots[i].next)
            return false;
    return list_is_empty(&sup->retired);
}

bool
fogi_supervisor_is_up(const struct supervisor *sup)
{
    for (unsigned i = 0; i < SUPERVISOR_SLOTS_MAX; i++)
        if (sup->slots[i].now && !sup->slots[i].suspect)
            return true;
    return false;
}

bool
fogi_supervisor_trusts(const struct supervisor *sup, const struct carrier *c)
{
    for (unsigned i = 0; i < SUPERVISOR_SLOTS_MAX; i++)
        if (sup->slots[i].now && &sup->slots[i].now->carrier == c)
            return !sup->slots[i].suspect;
    return false;
}

bool
fogi_supervisor_is_busy(const struct supervisor *sup)
{
    for (unsigned i = 0; i < SUPERVISOR_SLOTS_MAX; i++) {
        const struct slot *s = &sup->slots[i];
        if (s->now && fogi_tunnel_is_busy(s->now, PROCESS_PATIENCE_US))
            return true;
    }
    for (struct list *i = sup->retired.next; i != &sup->retired; i = i->next)
        if (fogi_tunnel_is_busy(list_entry(i, struct tunnel, link), PROCESS_PATIENCE_US))
            return true;
    return false;
}

void
fogi_supervisor_move(struct supervisor *sup, const struct hostport *server)
{
    fogi_target_set(&sup->target, server);
    fogi_supervisor_renew(sup);
}

void
fogi_supervisor_renew(struct supervisor *sup)
{
    for (unsigned i = 0; i < SUPERVISOR_SLOTS_MAX; i++) {
        struct slot *s = &sup->slots[i];
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
fogi_supervisor_set_rates(struct supervisor *sup)
{
    uint64_t rate = fogi_process_rate(&sup->p->conf, sup->p->conf.up);
    for (unsigned i = 0; i < SUPERVISOR_SLOTS_MAX; i++) {
        set_rate(sup->slots[i].now, rate);
        set_rate(sup->slots[i].next, rate);
    }
    for (struct list *i = sup->retired.next; i != &sup->retired; i = i->next)
        set_rate(list_entry(i, struct tunnel, link), rate);
}

void
fogi_supervisor_hurry(struct supervisor *sup)
{
    fog_time soon = process_now(sup->p) + BACKOFF_HURRIED;
    for (unsigned i = 0; i < SUPERVISOR_SLOTS_MAX; i++) {
        struct slot *s = &sup->slots[i];
        if (s->retry.at != FOG_TIME_NEVER && s->retry.at > soon)
            fogi_alarm_set(&s->retry, soon);
    }
}

void
fogi_supervisor_stop(struct supervisor *sup)
{
    for (unsigned i = 0; i < SUPERVISOR_SLOTS_MAX; i++) {
        struct slot *s = &sup->slots[i];
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
    while ((link = list_pop(&sup->retired)))
        fogi_tunnel_close(list_entry(link, struct tunnel, link), "shutting down");
    fogi_alarm_close(&sup->retire, NULL);
    fogi_alarm_close(&sup->rest, NULL);
    fogi_target_deinit(&sup->target);
}

static void
dump_tunnel(const struct tunnel *t, const char *what, struct stats *out)
{
    char text[ADDR_TEXT_MAX], name[ADDR_TEXT_MAX + 16];
    snprintf(name, sizeof name, "%s (%s)", fogi_addr_text(&t->peer, text), what);
    fogi_stats_session(out, name, t->carrier.session, process_now(t->carrier.p));
    fogi_stats_udp(out, &t->udp.n);
}

void
fogi_supervisor_dump(struct supervisor *sup, struct stats *out)
{
    for (unsigned i = 0; i < SUPERVISOR_SLOTS_MAX; i++) {
        const struct slot *s = &sup->slots[i];
        if (s->now)
            dump_tunnel(s->now, s->suspect ? "in doubt" : "ready", out);
        if (s->next)
            dump_tunnel(s->next, "being made", out);
    }
    for (struct list *i = sup->retired.next; i != &sup->retired; i = i->next)
        dump_tunnel(list_entry(i, struct tunnel, link), "replaced", out);
}
