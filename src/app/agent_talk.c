/* SPDX-License-Identifier: MIT
 *
 * agent_talk.c - what a local program says, and what it is told.
 *
 * Decides by the first byte whether it speaks SOCKS5 or HTTP (where both are taken), asks for what
 * it wants, and says truthfully how that went. Refuses to know servers: a rule names a group, the
 * group gives a channel. Invariant: nothing is asked for anybody who has not logged in where a
 * login is wanted; what is neither of the two protocols gets no connection (threats S8).
 */
#include "app/agent_front.h"

#include "proxy/answer.h"

#include <assert.h>
#include <stdio.h>

/* ------------------------------------------------------------------------------------ answering
 */

/** 1: all is sent; 0: more later; FOG_E_RESET. */
static int
flush(struct front *f)
{
    size_t taken;
    while (!f->http && f->phase != FRONT_SNIFF) {
        size_t len;
        const void *at = outbox_peek(&f->in.socks.out, &len);
        if (!len)
            return 1;
        if (channel_write(f->c, at, len, &taken))
            return FOG_E_RESET;
        if (!taken)
            return 0;
        outbox_drop(&f->in.socks.out, taken);
    }
    while (f->say_at < f->say_len) {
        if (channel_write(f->c, f->say + f->say_at, f->say_len - f->say_at, &taken))
            return FOG_E_RESET;
        if (!taken)
            return 0;
        f->say_at += taken;
    }
    return 1;
}

void
fogi_talk_say(struct front *f)
{
    int flushed = flush(f);
    if (flushed < 0)
        fogi_front_end(f, true);
    if (flushed <= 0)
        return;
    if (f->far)
        fogi_front_join(f);
    else
        fogi_front_linger(f);
}

static void
say(struct front *f)
{
    fogi_front_phase(f, FRONT_SAY, FRONT_TIME);
    fogi_talk_say(f);
}

/** An answer of our own, which ends the connection. */
static void
say_error(struct front *f, const char *status, const char *field, const char *text)
{
    bool is_request = f->id && f->forward.kind == FORWARD_REQUEST; /* puts the field itself */
    int len = snprintf(f->say, sizeof f->say,
                       "HTTP/1.1 %s\r\n%s%sContent-Type: text/plain\r\nContent-Length: %zu\r\n"
                       "\r\n%s\n",
                       status, is_request ? "" : ANSWER_FIELD, field, strlen(text) + 1, text);
    assert(len > 0 && (size_t)len < sizeof f->say && "the longest text fits");
    f->say_len = (size_t)len;
    say(f);
}

static const char *
status_of(int rep)
{
    switch (rep) {
    case SOCKS_DENIED:
        return "403 Forbidden";
    case SOCKS_TIMEOUT:
        return "504 Gateway Timeout";
    default:
        return "502 Bad Gateway";
    }
}

static void
answer(struct front *f, struct channel *far, int rep, const char *why)
{
    f->far = far;
    fogi_front_log(f, far ? LOG_AT_DEBUG : LOG_AT_INFO, far ? "connected" : why);
    f->group = NULL; /* a reload may end it from here on */
    if (!f->http) {
        fogi_socks_reply(&f->in.socks, far ? SOCKS_OK : (enum socks_rep)rep);
        say(f);
    } else if (!far) {
        say_error(f, status_of(rep), "", why);
    } else {
        if (f->forward.kind == FORWARD_CONNECT)
            f->say_len = (size_t)snprintf(f->say, sizeof f->say,
                                          "HTTP/1.1 200 Connection established\r\n\r\n");
        say(f);
    }
}

static void
on_request(void *ctx, struct channel *c, int rep, const char *why)
{
    answer(ctx, c, rep, why);
}

static void
on_reached(void *ctx, struct channel *c, enum socks_rep rep, const char *why)
{
    struct front *f = ctx;
    f->reach = NULL;
    answer(f, c, rep, why);
}

/* -------------------------------------------------------------------------------------- asking
 */

/** Ends what waits when the program goes away. */
void
fogi_talk_wait(struct front *f)
{
    const void *at;
    size_t len;
    bool eof;
    if (channel_peek(f->c, &at, &len, &eof))
        fogi_front_end(f, true);
}

/** From here on f->c is the request as the origin gets it. False without memory. */
static bool
become_request(struct front *f)
{
    static char head[FORWARD_MAX]; /* in use only between here and the copy */
    struct head_text method = fogi_head_method(&f->in.head);
    bool safe =
        f->forward.body.done && (fogi_text_is(method, "GET") || fogi_text_is(method, "HEAD") ||
                                 fogi_text_is(method, "OPTIONS"));
    size_t len = fogi_forward_write(&f->in.head, &f->forward, head);
    fogi_front_drop_engine(f);
    f->c = fogi_agent_body(f->a->p, f->c, &f->forward.body, head, len);
    if (!f->c)
        return false;
    fogi_channel_own(f->c, fogi_front_look, f);
    /* To be asked twice, by two servers, harms nobody: it leaves before it is known who connects.
     */
    if (safe)
        f->rq.early = fogi_agent_body_head(f->c, &f->rq.early_len);
    return true;
}

static void
ask(struct front *f, const struct dest *dest)
{
    struct agent *a = f->a;
    size_t i = fogi_route_pick(a->conf->routes, a->conf->n_groups, dest);
    f->dest = *dest;
    f->id = ++a->ids;
    a->n.asked++;
    fogi_front_move(f, &a->asking);
    fogi_front_phase(f, FRONT_ASK, FRONT_ASK_TIME);
    if (i != ROUTE_DIRECT) {
        f->group = a->groups[i];
        fogi_group_ask(a->groups[i], &f->rq, dest, on_request, f);
        return;
    }
    a->n.direct++;
    if (fogi_reach(&f->reach, &a->reacher, dest, on_reached, f))
        answer(f, NULL, SOCKS_GENERAL, "too many connections are being made");
}

/* ------------------------------------------------------------------------------------ engines */

static const struct turnstile_rate wrong_logins = {.each = FOG_MS(3333),
                                                   .credit = FOG_SEC(10),
                                                   .most =
                                                       FOG_SEC(5)}; /* three in 10 s, threats S4 */

void
fogi_fronts_init(struct agent *a, const uint8_t key[16])
{
    fogi_turnstile_init(&a->logins, wrong_logins, key);
}

/** Whether the answer to a wrong login has to wait; the front goes on when it has. */
static bool
is_held(struct front *f)
{
    struct agent *a = f->a;
    fog_time now = process_now(a->p);
    fog_time wait = f->was_held ? 0 : fogi_turnstile_pass(&a->logins, &f->peer, now);
    f->was_held = true;
    if (wait == 0)
        return false;
    a->n.delayed++;
    f->phase = FRONT_HELD; /* still one that stands in the door */
    fogi_alarm_set(&f->alarm, now + wait);
    return true;
}

enum login { LOGIN_RIGHT, LOGIN_NONE, LOGIN_WRONG };

static enum login
login_of(const struct front *f)
{
    const struct agent_conf *c = f->a->conf;
    struct head_text value;
    if (!c->n_users)
        return LOGIN_RIGHT;
    bool given = fogi_head_find(&f->in.head, "Proxy-Authorization", 0, &value);
    if (fogi_auth_basic(c->users, c->n_users, given ? value.at : NULL, given ? value.len : 0))
        return LOGIN_RIGHT;
    return given ? LOGIN_WRONG : LOGIN_NONE;
}

static void
head_done(struct front *f)
{
    enum login login = login_of(f);
    if (login == LOGIN_WRONG && is_held(f))
        return;
    if (login != LOGIN_RIGHT) {
        f->a->n.bad_logins++;
        say_error(f, "407 Proxy Authentication Required",
                  "Proxy-Authenticate: Basic realm=\"proxy\"\r\n", "user and password, please");
    } else if (fogi_forward_read(&f->in.head, &f->forward)) {
        f->a->n.bad_requests++;
        say_error(f, "400 Bad Request", "", "this is an HTTP proxy, not a web server");
    } else if (f->forward.kind == FORWARD_REQUEST && !become_request(f)) {
        fogi_front_end(f, true);
    } else {
        ask(f, &f->forward.dest);
    }
}

static void
engine_failed(struct front *f, int rc)
{
    f->a->n.bad_requests++;
    if (!f->http)
        fogi_front_linger(f);
    else if (rc == FOG_E_LIMIT)
        say_error(f, "431 Request Header Fields Too Large", "", "the head is too long");
    else
        say_error(f, "400 Bad Request", "", "malformed request");
}

/** Feeds the engine once. True: look again. */
static bool
feed(struct front *f)
{
    const void *at;
    size_t len, used = 0;
    bool eof;
    if (channel_peek(f->c, &at, &len, &eof)) {
        fogi_front_end(f, true);
        return false;
    }
    if (!len) {
        if (eof)
            fogi_front_linger(f);
        return false;
    }
    int rc = f->http ? fogi_head_input(&f->in.head, &f->a->mem, at, len, &used)
                     : fogi_socks_server_input(&f->in.socks, at, len, &used);
    if (used)
        channel_consume(f->c, used);
    if (!rc)
        return true;
    if (rc == FOG_E_NOMEM)
        fogi_front_end(f, true);
    else
        engine_failed(f, rc);
    return false;
}

void
fogi_talk(struct front *f)
{
    for (;;) {
        if (!f->http && f->in.socks.login_failed && is_held(f))
            return;
        int flushed = flush(f);
        if (flushed < 0)
            fogi_front_end(f, true);
        if (flushed <= 0)
            return;
        if (f->http && f->in.head.done) {
            head_done(f);
            return;
        }
        if (!f->http && f->in.socks.state == SOCKS_ASKED) {
            ask(f, &f->in.socks.dest);
            return;
        }
        if (!f->http && f->in.socks.state == SOCKS_FAILED) {
            f->a->n.bad_logins += f->in.socks.login_failed;
            fogi_front_linger(f);
            return;
        }
        if (!feed(f))
            return;
    }
}

static void
begin_socks(struct front *f)
{
    const struct agent_conf *c = f->a->conf;
    fogi_socks_server_init(&f->in.socks, c->users, c->n_users);
}

void
fogi_talk_sniff(struct front *f)
{
    const void *at;
    size_t len;
    bool eof;
    if (channel_peek(f->c, &at, &len, &eof)) {
        fogi_front_end(f, true);
        return;
    }
    if (!len && !eof)
        return;
    f->http = f->kind == FRONT_HTTP || (f->kind == FRONT_MIXED && len && *(const char *)at != 5);
    if (f->http)
        fogi_head_init(&f->in.head, HEAD_REQUEST);
    else
        begin_socks(f);
    f->phase = FRONT_TALK;
    fogi_talk(f);
}

/** Who asked hears that there was no answer, which is the truth. */
void
fogi_talk_give_up(struct front *f)
{
    f->a->n.limit_answer_hit++;
    fogi_reach_forget(f->reach);
    f->reach = NULL;
    fogi_request_forget(&f->rq);
    answer(f, NULL, SOCKS_TIMEOUT, "no answer in time");
}
