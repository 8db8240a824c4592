/* SPDX-License-Identifier: MIT
 *
 * gateway_session.c - one connection of the gateway, from its first byte to its last.
 *
 * Decides what comes next: reading, judging, answering as a web server, connecting, joining; and
 * how long each may take. Refuses to know what carries the bytes and what the protocol's bytes are
 * (proxy/websocks.h). Invariant: nobody without a good password sees anything but a web server, and
 * nothing is sent to an agent that it did not ask for (R10).
 */
#include "app/gateway_int.h"

#include "io/log.h"

#include <stdio.h>
#include <string.h>

#define STREAM_LINE "stream %llu of %s from %s%s to %s: %s"

static void look(void *ctx);
static void visit(struct session *s);

/* ------------------------------------------------------------------------------ coming and going
 */

static void
on_gone(struct alarm *a)
{
    struct session *s = list_entry(a, struct session, alarm);
    struct process *p = s->g->p;
    p->al.free(p->al.ctx, s, sizeof *s);
    fogi_process_relay_ended(p);
}

static void
leave_list(struct session *s)
{
    list_unlink(&s->link);
    if (s->fresh) {
        s->g->n_fresh--;
        s->g->n_greeted -= s->greeted;
        fogi_doorway_has_room(&s->g->way);
    } else
        s->g->n_settled--;
}

/** Lets go of everything; an orderly end must have been made before. */
static void
end_session(struct session *s, bool reset)
{
    leave_list(s);
    fogi_reach_forget(s->reach);
    fogi_channel_reset(s->far);
    fogi_web_free(s);
    fogi_ws_server_free(&s->ws);
    if (reset)
        fogi_channel_reset(s->c);
    else
        fogi_channel_close(s->c);
    s->c = s->far = NULL;
    fogi_alarm_close(&s->alarm, on_gone);
}

void
fogi_session_kill(struct session *s)
{
    if (s->phase == SESSION_SPLICED)
        fogi_splice_cut(&s->splice);
    end_session(s, true);
}

static void
set_step(struct session *s, enum session_phase phase, fog_time time)
{
    s->phase = phase;
    s->since = s->moved = process_now(s->g->p);
    fogi_alarm_set(&s->alarm, s->since + time);
}

/** It has got somewhere, and is the last of its kind who would have to go. */
static void
be_newest(struct session *s)
{
    s->born = process_now(s->g->p);
    list_unlink(&s->link);
    list_push(s->greeted ? &s->g->greeted : &s->g->fresh, &s->link);
}

static const char *
peer_text(const struct session *s, char buf[ADDR_TEXT_MAX])
{
    return fogi_addr_text(&s->peer, buf);
}

/** One line about a stream: number, user, source, target and what happened. */
static void
log_stream(struct session *s, enum log_at level, const char *what)
{
    char peer[ADDR_TEXT_MAX], to[DEST_TEXT_MAX];
    if (!fogi_log_on(level))
        return;
    fogi_dest_text(&s->ws.socks.dest, to);
    if (level == LOG_AT_DEBUG)
        fogi_log(level, STREAM_LINE, (unsigned long long)s->id, s->user, peer_text(s, peer),
                 s->kcp ? " (kcp)" : "", to, what);
    else
        LOG_LIMITED(level, STREAM_LINE, (unsigned long long)s->id, s->user, peer_text(s, peer),
                    s->kcp ? " (kcp)" : "", to, what);
}

/* ----------------------------------------------------------------------------------------- the end
 */

/** TLS never came to be: the connection below is spoken to. */
static void
leave_tls(struct session *s)
{
    s->c = fogi_channel_tls_strip(s->c);
    s->tls = false;
    fogi_channel_own(s->c, look, s);
}

/** Our end is told; what still comes is read and dropped, because closing on unread bytes would
 *  send a reset that tells how many were read (threats S13). */
static void
linger(struct session *s)
{
    if (s->tls && !fogi_channel_tls_is_ready(s->c))
        leave_tls(s);
    if (channel_finish(s->c)) {
        end_session(s, true);
        return;
    }
    fogi_web_free(s);
    set_step(s, SESSION_LINGER, LINGER_QUIET);
    channel_notify(s->c);
}

static void
look_linger(struct session *s)
{
    size_t dropped;
    bool eof;
    if (fogi_channel_drain(s->c, &dropped, &eof)) {
        end_session(s, true);
        return;
    }
    if (dropped)
        s->moved = process_now(s->g->p);
    if (eof && channel_is_sent(s->c))
        end_session(s, false);
}

static void
tls_failed(struct session *s)
{
    char peer[ADDR_TEXT_MAX];
    s->g->n.tls_failed++;
    LOG_LIMITED(LOG_AT_DEBUG, "no TLS with %s: %s", peer_text(s, peer), s->c->why);
    if (!fogi_channel_tls_met_http(s->c)) {
        linger(s);
        return;
    }
    leave_tls(s);
    s->bad_head = 400; /* in plain words, as most web servers have it */
    visit(s);
}

static void
broke(struct session *s)
{
    if (s->tls && !fogi_channel_tls_is_ready(s->c)) {
        tls_failed(s);
        return;
    }
    if (s->id)
        log_stream(s, LOG_AT_DEBUG, s->c->why ? s->c->why : "broken");
    end_session(s, true);
}

/* ---------------------------------------------------------------------------------------- joining
 */

static void
on_over(void *ctx, bool good, const char *how)
{
    struct session *s = ctx;
    process_count_end(s->g->p, good);
    log_stream(s, LOG_AT_DEBUG, how);
    end_session(s, false);
}

static void
join(struct session *s)
{
    struct channel *near = s->c, *far = s->far;
    s->c = s->far = NULL;
    s->g->p->n.streams_opened++;
    set_step(s, SESSION_SPLICED, IDLE_TIME);
    fogi_splice(&s->splice, near, far, on_over, s);
}

/** Sends what the engine has to say. 1: all of it; 0: more later; FOG_E_RESET. */
static int
flush(struct session *s)
{
    size_t len, taken;
    const void *at;
    while ((at = fogi_ws_server_output(&s->ws, &len)), len) {
        if (channel_write(s->c, at, len, &taken))
            return FOG_E_RESET;
        if (!taken)
            return 0;
        fogi_ws_server_sent(&s->ws, taken);
    }
    return 1;
}

/** The connection stands or has failed, and the agent may be told, or has been already. */
static void
look_reach(struct session *s)
{
    const void *at;
    size_t len;
    bool eof;
    if (channel_peek(s->c, &at, &len, &eof)) {
        broke(s);
        return;
    }
    int flushed = flush(s);
    if (flushed < 0)
        broke(s);
    if (flushed <= 0 || s->reach)
        return;
    if (!s->ws.foggara && !len && !eof)
        return; /* a vproxy agent wants to speak first (R10) */
    if (s->far)
        join(s);
    else
        linger(s);
}

static void
on_reached(void *ctx, struct channel *c, enum socks_rep rep, const char *why)
{
    struct session *s = ctx;
    struct gateway *g = s->g;
    s->reach = NULL;
    s->far = c;
    if (c) {
        g->n.streams++;
        log_stream(s, LOG_AT_DEBUG, "connected");
        fogi_alarm_set(&s->alarm, process_now(g->p) + IDLE_TIME);
    } else {
        g->n.refused++;
        log_stream(s, rep == SOCKS_DENIED ? LOG_AT_WARN : LOG_AT_INFO, why);
        fogi_alarm_set(&s->alarm, process_now(g->p) + HANDSHAKE_TIME);
    }
    if (s->ws.foggara)
        fogi_ws_server_reply(&s->ws, rep);
    channel_notify(s->c);
}

static void
ask(struct session *s)
{
    struct gateway *g = s->g;
    s->id = ++g->ids;
    set_step(s, SESSION_REACH, IDLE_TIME);
    if (fogi_reach(&s->reach, &g->reacher, &s->ws.socks.dest, on_reached, s)) {
        g->n.refused++;
        log_stream(s, LOG_AT_WARN, "too many connections are being made");
        fogi_ws_server_reply(&s->ws, SOCKS_GENERAL);
    } else if (!s->ws.foggara)
        fogi_ws_server_reply(&s->ws, SOCKS_OK);
    look_reach(s);
}

/* --------------------------------------------------------------------------------------- visitors
 */

static void
look_answer(struct session *s)
{
    const void *at;
    size_t len;
    bool eof;
    if (channel_peek(s->c, &at, &len, &eof)) {
        broke(s);
        return;
    }
    int sent = fogi_web_send(s);
    if (sent < 0)
        broke(s);
    if (sent <= 0)
        return;
    if (!fogi_web_stays(s)) {
        linger(s);
        return;
    }
    fogi_web_free(s);
    fogi_ws_server_again(&s->ws);
    be_newest(s);
    set_step(s, SESSION_ENGINE, HANDSHAKE_TIME);
    channel_notify(s->c);
}

static void
answer(struct session *s)
{
    set_step(s, SESSION_ANSWER, HANDSHAKE_TIME); /* also where s ends: its engine reads no more */
    if (s->bad_head ? !fogi_web_error(s, s->bad_head) : !fogi_web_answer(s)) {
        end_session(s, true);
        return;
    }
    look_answer(s);
}

/** Answers as a web server, when it is this source's turn: whatever it has asked for, so that no
 *  clock tells a wrong password from a wrong path (threats S13). s may be gone after it. */
static void
visit(struct session *s)
{
    struct gateway *g = s->g;
    fog_time wait = fogi_turnstile_pass(&g->visits, &s->peer, process_now(g->p));
    if (!wait) {
        answer(s);
        return;
    }
    g->n.delayed++;
    set_step(s, SESSION_HELD, wait);
}

static void
settle(struct session *s, const struct auth_user *who)
{
    struct gateway *g = s->g;
    leave_list(s);
    s->fresh = false;
    list_push(&g->settled, &s->link);
    g->n_settled++;
    g->n.upgraded++;
    snprintf(s->user, sizeof s->user, "%.63s", who->name);
    if (s->tls)
        fogi_channel_tls_peer(s->c, s->ws.foggara ? TLS_PEER_FOGGARA : TLS_PEER_VPROXY);
    set_step(s, SESSION_ENGINE, IDLE_TIME);
}

/** A request is complete. */
static void
judge(struct session *s)
{
    struct gateway *g = s->g;
    const struct fog_addr from = s->peer;
    const struct auth_user *who = NULL;
    enum ws_verdict verdict = WS_PLAIN;
    uint64_t ms = fogi_unix_ms();
    char peer[ADDR_TEXT_MAX];
    if (!s->redirect)
        verdict = fogi_ws_judge(s->ws.head, &g->live.auth, ms, &who);
    if (verdict == WS_YES) {
        fogi_ws_server_accept(&s->ws, NULL, ms);
        settle(s, who);
        return;
    }
    visit(s);
    if (verdict != WS_BAD_USER)
        return;
    g->n.bad_users++; /* told behind the answer, which must not be later for it */
    LOG_LIMITED(LOG_AT_WARN, "wrong user or password, or a clock over a minute off, from %s",
                fogi_addr_text(&from, peer));
}

/* ---------------------------------------------------------------------------------------- reading
 */

/** The engine takes no more: what was no request gets an answer, what failed later an end. */
static void
engine_failed(struct session *s, bool in_head, int rc)
{
    if (!in_head) {
        linger(s);
        return;
    }
    s->g->n.bad_heads++;
    s->bad_head = rc == FOG_E_LIMIT ? 431 : 400;
    visit(s);
}

/** Drops what came of the body of an answered request. */
static void
drop_body(struct session *s, size_t len)
{
    size_t n = len < s->body ? len : (size_t)s->body;
    s->body -= n;
    channel_consume(s->c, n);
}

/** Feeds the engine once. True: look at its state again. */
static bool
feed(struct session *s)
{
    const void *at;
    size_t len, used;
    bool eof;
    if (channel_peek(s->c, &at, &len, &eof)) {
        broke(s);
        return false;
    }
    if (!len) {
        if (eof)
            linger(s);
        return false;
    }
    if (s->body) {
        drop_body(s, len);
        return true;
    }
    bool in_head = s->ws.state == WS_S_HEAD, in_frame = s->ws.state == WS_S_FRAME;
    int rc = fogi_ws_server_input(&s->ws, at, len, &used);
    if (used)
        channel_consume(s->c, used);
    s->moved = process_now(s->g->p);
    if (rc == FOG_E_NOMEM) {
        end_session(s, true);
        return false;
    }
    if (rc) {
        engine_failed(s, in_head, rc);
        return false;
    }
    if (in_frame && s->ws.state != WS_S_FRAME)
        set_step(s, SESSION_ENGINE, HANDSHAKE_TIME);
    return true;
}

static void
look_engine(struct session *s)
{
    while (s->phase == SESSION_ENGINE) {
        int flushed = flush(s);
        if (flushed < 0)
            broke(s);
        if (flushed <= 0)
            return;
        switch (s->ws.state) {
        case WS_S_HEAD:
        case WS_S_FRAME:
        case WS_S_SOCKS:
            if (!feed(s))
                return;
            break;
        case WS_S_JUDGE:
            judge(s);
            if (s->phase != SESSION_ENGINE)
                return;
            break;
        case WS_S_ASKED:
            ask(s);
            return;
        case WS_S_DONE:
        case WS_S_FAILED:
            linger(s);
            return;
        }
    }
}

static void
look_held(struct session *s)
{
    const void *at;
    size_t len;
    bool eof;
    if (channel_peek(s->c, &at, &len, &eof))
        broke(s);
}

static void
look(void *ctx)
{
    struct session *s = ctx;
    if (s->fresh && s->tls && !s->greeted && fogi_channel_tls_is_ready(s->c)) {
        s->greeted = true;
        s->g->n_greeted++;
        be_newest(s);
    }
    switch (s->phase) {
    case SESSION_ENGINE:
        look_engine(s);
        break;
    case SESSION_HELD:
        look_held(s);
        break;
    case SESSION_ANSWER:
        look_answer(s);
        break;
    case SESSION_REACH:
        look_reach(s);
        break;
    case SESSION_LINGER:
        look_linger(s);
        break;
    case SESSION_SPLICED:
        break;
    }
}

/* ------------------------------------------------------------------------------------------- time
 */

/** True while bytes have come within `quiet`; the alarm stands on their end then. */
static bool
is_alive(struct session *s, fog_time quiet)
{
    fog_time moved = s->phase == SESSION_SPLICED ? s->splice.moved : s->moved;
    if (process_now(s->g->p) - moved >= quiet)
        return false;
    fogi_alarm_set(&s->alarm, moved + quiet);
    return true;
}

static void
step_over(struct session *s)
{
    struct gateway *g = s->g;
    bool in_frame = !s->fresh && s->ws.state == WS_S_FRAME;
    if (in_frame && is_alive(s, IDLE_TIME))
        return;
    if (in_frame)
        g->n.limit_idle_hit++;
    else
        g->n.limit_handshake_hit++;
    linger(s);
}

static void
on_alarm(struct alarm *a)
{
    struct session *s = list_entry(a, struct session, alarm);
    struct gateway *g = s->g;
    switch (s->phase) {
    case SESSION_ENGINE:
        step_over(s);
        break;
    case SESSION_HELD:
        answer(s);
        break;
    case SESSION_ANSWER:
        if (is_alive(s, HANDSHAKE_TIME)) {
            look_answer(s); /* a large file, or one on a slow line */
            break;
        }
        g->n.limit_handshake_hit++;
        end_session(s, true);
        break;
    case SESSION_REACH:
        g->n.limit_idle_hit++;
        linger(s);
        break;
    case SESSION_SPLICED:
        if (is_alive(s, IDLE_TIME))
            break;
        g->n.limit_idle_hit++;
        log_stream(s, LOG_AT_DEBUG, "idle for 15 minutes");
        fogi_session_kill(s);
        break;
    case SESSION_LINGER:
        if (process_now(g->p) - s->since >= LINGER_TIME || !is_alive(s, LINGER_QUIET))
            end_session(s, !channel_is_sent(s->c));
        break;
    }
}

/* ------------------------------------------------------------------------------------- taking in
 */

static struct session *
new_session(struct gateway *g, struct channel *c, const struct fog_addr *peer)
{
    struct process *p = g->p;
    struct session *s = budget_is_tight(&p->budget) ? NULL : p->al.alloc(p->al.ctx, sizeof *s);
    if (!s) {
        p->n.limit_tight_hit++;
        fogi_channel_reset(c);
        return NULL;
    }
    memset(s, 0, sizeof *s);
    if (fogi_ws_server_init(&s->ws, &g->mem)) {
        p->al.free(p->al.ctx, s, sizeof *s);
        fogi_channel_reset(c);
        return NULL;
    }
    s->g = g;
    s->c = c;
    s->peer = *peer;
    s->fresh = true;
    s->born = process_now(p);
    list_init(&s->link);
    list_push(&g->fresh, &s->link);
    g->n_fresh++;
    g->n.sessions++;
    fogi_process_relay_began(p);
    fogi_alarm_init(&s->alarm, &p->loop, on_alarm);
    set_step(s, SESSION_ENGINE, HANDSHAKE_TIME);
    fogi_channel_own(c, look, s);
    return s;
}

void
fogi_gateway_take(struct gateway *g, struct channel *c, const struct fog_addr *peer, bool kcp)
{
    struct tls_conf *tls = g->live.tls;
    if (kcp && !fogi_gateway_has_room_kcp(g)) {
        g->n.limit_fresh_hit++;
        fogi_channel_reset(c);
        return;
    }
    if (tls)
        c = fogi_channel_tls_accept(g->p, c, tls);
    struct session *s = c ? new_session(g, c, peer) : NULL;
    if (!s)
        return;
    s->tls = tls != NULL;
    s->kcp = kcp;
}

void
fogi_gateway_take_redirect(struct gateway *g, struct channel *c, const struct fog_addr *peer)
{
    struct session *s = new_session(g, c, peer);
    if (s)
        s->redirect = true;
}
