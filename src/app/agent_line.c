/* SPDX-License-Identifier: MIT
 *
 * agent_line.c - one connection to a server: made, upgraded, kept, used.
 *
 * Decides the order (connect or open a stream, TLS, upgrade, request) and how long it may take.
 * Refuses to know pools and whose turn it is. Invariant: a line tells its group of its end exactly
 * once, and never from within a call of the group.
 */
#include "app/agent_int.h"

#include "app/channel_stream.h"

#include <stdio.h>
#include <string.h>

static void
on_gone(struct alarm *a)
{
    struct line *l = list_entry(a, struct line, alarm);
    struct process *p = l->g->a->p;
    p->al.free(p->al.ctx, l, sizeof *l);
}

/** It is no longer one of those that gateways bound: it is upgraded, or goes. */
static void
settle(struct line *l)
{
    if (!l->is_new)
        return;
    l->is_new = false;
    l->far->n_new--;
    fogi_requests_place(l->g);
}

void
fogi_line_free(struct line *l)
{
    settle(l);
    list_unlink(&l->link);
    fogi_reach_forget(l->reach);
    fogi_channel_reset(l->c);
    fogi_ws_client_free(&l->ws);
    l->reach = NULL;
    l->c = NULL;
    fogi_far_release(l->far);
    fogi_alarm_close(&l->alarm, on_gone);
}

static void
failed(struct line *l, const char *why)
{
    l->why = why;
    fogi_request_line_failed(l);
}

/** What the request may send before it is answered. */
static bool
flush_early(struct line *l)
{
    struct request *rq = l->rq;
    size_t taken = 0;
    if (!rq || rq->early_sent == rq->early_len || !fogi_ws_client_may_send(&l->ws))
        return true;
    if (channel_write(l->c, rq->early + rq->early_sent, rq->early_len - rq->early_sent, &taken))
        return false;
    rq->early_sent += taken;
    return true;
}

/** Sends what the engine has to say; false when the channel broke. */
static bool
flush(struct line *l)
{
    size_t len, taken;
    const void *at;
    while ((at = fogi_ws_client_output(&l->ws, &len)), len) {
        if (channel_write(l->c, at, len, &taken))
            return false;
        if (!taken)
            break;
        fogi_ws_client_sent(&l->ws, taken);
    }
    return flush_early(l);
}

/** What an engine that gave up means to people. */
static const char *
refusal(struct line *l, int rc)
{
    if (l->ws.status == 401)
        return "it refuses the user or password (or a clock is wrong by over a minute)";
    if (l->ws.status && l->ws.status != 101) {
        snprintf(l->text, sizeof l->text,
                 "HTTP %u: it refuses user or password (or a clock is off), or is no gateway",
                 l->ws.status);
        return l->text;
    }
    return rc == FOG_E_NOMEM ? "no memory" : "it does not speak WebSocks";
}

static void
answered(struct line *l, int rep)
{
    struct channel *c = rep == SOCKS_OK ? l->c : NULL;
    if (c) {
        l->c = NULL;
        fogi_channel_own(c, NULL, NULL);
        if (l->far->conf.tls)
            fogi_channel_tls_peer(c, l->ws.foggara ? TLS_PEER_FOGGARA : TLS_PEER_VPROXY);
    }
    fogi_request_answered(l, c, rep);
}

/** Reads what is there; false when l has told its group of its end. */
static bool
read_all(struct line *l)
{
    for (;;) {
        const void *at;
        size_t len, used;
        bool eof;
        if (channel_peek(l->c, &at, &len, &eof)) {
            failed(l, l->c->why ? l->c->why : "broken");
            return false;
        }
        if (l->ws.state == WS_C_DONE) {
            answered(l, SOCKS_OK);
            return false;
        }
        if (!len && eof) {
            failed(l, "it closed the connection");
            return false;
        }
        if (!len)
            return true;
        int rc = fogi_ws_client_input(&l->ws, at, len, &used);
        if (used)
            channel_consume(l->c, used);
        if (rc) {
            failed(l, refusal(l, rc));
            return false;
        }
        if (l->ws.state == WS_C_FAILED) {
            answered(l, l->ws.rep);
            return false;
        }
    }
}

static void
look(void *ctx)
{
    struct line *l = ctx;
    bool was_up = l->ws.state != WS_C_UPGRADE;
    if (!flush(l)) {
        failed(l, l->c->why ? l->c->why : "broken");
        return;
    }
    if (!read_all(l))
        return;
    if (l->ws.state != WS_C_UPGRADE)
        settle(l);
    if (!flush(l)) { /* the engine may have found something to say */
        failed(l, l->c->why ? l->c->why : "broken");
        return;
    }
    if (l->rq && !l->echoed && fogi_ws_client_heard(&l->ws)) {
        l->echoed = true;
        fogi_alarm_set(&l->alarm, process_now(l->g->a->p) + LINE_REPLY);
    }
    if (!was_up && l->ws.state == WS_C_POOLED && !l->rq) {
        fogi_alarm_set(&l->alarm, FOG_TIME_NEVER);
        l->was_ready = true;
        fogi_pool_line_ready(l->g, l);
    }
}

/** What its certificate has to name. Where the user says whose certificates are good, a server
 *  given by address may have any of those, as with vproxy; where all the world's are, its own. */
static const char *
name_to_check(const struct agent *a, const struct agent_server *s)
{
    return s->by_address && a->conf->ca_file ? NULL : s->at.host;
}

/** The connection or stream stands: TLS where wanted, then the upgrade leaves. */
static bool
begin(struct line *l, struct channel *c)
{
    struct agent *a = l->g->a;
    const struct agent_server *s = &l->far->conf;
    char value[AUTH_VALUE_MAX + 1], at[DEST_TEXT_MAX];
    struct ws_client_options o = {.host = s->at.host, .strict = a->conf->strict};
    if (s->tls)
        c = fogi_channel_tls_connect(a->p, c, a->tls, name_to_check(a, s), s->url);
    if (!c)
        return false;
    l->c = c;
    fogi_auth_value(a->conf->auth.name, a->conf->auth.password, fogi_unix_ms(), value);
    o.authorization = value;
    if (s->by_address) {
        fogi_dest_text(&l->far->dest, at);
        o.host = l->rq ? at : NULL; /* as vproxy's agents do, pooled and not (wire 6.2) */
    }
    if (fogi_ws_client_init(&l->ws, &o, &a->mem))
        return false;
    if (l->rq && fogi_ws_client_connect(&l->ws, &l->rq->dest))
        return false;
    fogi_channel_own(c, look, l);
    return true;
}

static void
on_reached(void *ctx, struct channel *c, enum socks_rep rep, const char *why)
{
    struct line *l = ctx;
    (void)rep;
    l->reach = NULL;
    if (!c)
        failed(l, why);
    else if (!begin(l, c))
        failed(l, "no memory");
}

static void
on_alarm(struct alarm *a)
{
    struct line *l = list_entry(a, struct line, alarm);
    l->silent = l->rq && !l->echoed;
    failed(l, "no answer in time");
}

static bool
connect_line(struct line *l)
{
    struct far *f = l->far;
    struct carrier *carrier;
    struct fog_stream *st;
    bool cautious;
    if (!f->conf.kcp)
        return !fogi_reach(&l->reach, &l->g->a->reacher, &f->dest, on_reached, l);
    if (!fogi_supervisor_open(&f->sup, &carrier, &st, &cautious)) {
        f->full = true; /* until a tunnel says that it has room */
        return false;
    }
    l->carrier = carrier;
    struct channel *c = fogi_channel_stream(carrier, st);
    if (!c) {
        fog_session_reset(carrier->session, st, process_now(carrier->p));
        fog_session_release(carrier->session, st, process_now(carrier->p));
        return false;
    }
    return begin(l, c);
}

/** How long l may say nothing to its request. */
static fog_time
patience(const struct line *l)
{
    bool quick = l->was_ready || fogi_turn_has_other(l->g, l->rq, l->far);
    return quick ? LINE_ECHO : LINE_TIME;
}

struct line *
fogi_line_new(struct far *f, struct request *rq)
{
    struct process *p = f->g->a->p;
    struct line *l = p->al.alloc(p->al.ctx, sizeof *l);
    if (!l)
        return NULL;
    memset(l, 0, sizeof *l);
    l->g = f->g;
    l->far = f;
    l->rq = rq;
    l->is_new = true;
    f->n_new++;
    fogi_far_hold(f);
    list_init(&l->link);
    fogi_alarm_init(&l->alarm, &p->loop, on_alarm);
    if (!connect_line(l)) {
        fogi_line_free(l);
        return NULL;
    }
    fogi_alarm_set(&l->alarm, process_now(p) + (rq ? patience(l) : LINE_TIME));
    return l;
}

void
fogi_line_use(struct line *l, struct request *rq)
{
    l->rq = rq;
    fogi_alarm_set(&l->alarm, process_now(l->g->a->p) + patience(l));
    if (!l->c)
        return; /* begin() will ask */
    int rc = fogi_ws_client_connect(&l->ws, &rq->dest);
    (void)rc; /* it is for the pool, and was not asked before */
    channel_notify(l->c);
}

void
fogi_line_pong(struct line *l)
{
    fogi_ws_client_pong(&l->ws);
    channel_notify(l->c);
}
