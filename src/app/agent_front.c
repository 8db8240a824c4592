/* SPDX-License-Identifier: MIT
 *
 * agent_front.c - one local connection, from its first byte to its last.
 *
 * Decides by the first byte whether it speaks SOCKS5 or HTTP (where both are taken), asks for what
 * it wants, and says truthfully how that went. Refuses to know servers: a rule names a group, the
 * group gives a channel. Invariant: nothing is asked for anybody who has not logged in where a
 * login is wanted; what is neither of the two protocols gets no connection (threats S8).
 */
#include "app/agent_int.h"

#include "io/log.h"
#include "proxy/answer.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define SAY_MAX 256       /* bytes of an answer of our own    */
#define LINGER FOG_SEC(5) /* reading on after our last word   */
#define STREAM_LINE "%llu from %s to %s%s%s: %s"

enum front_phase {
    FRONT_SNIFF, /* the first byte tells the protocol                     */
    FRONT_TALK,  /* an engine reads what it wants                         */
    FRONT_HELD,  /* a wrong login: the answer waits                       */
    FRONT_ASK,   /* somebody connects                                     */
    FRONT_SAY,   /* the answer is being sent                              */
    FRONT_SPLICED,
    FRONT_LINGER /* we have ended: what still comes is read and dropped   */
};

struct front {
    struct list link; /* agent->fresh, ->asking or ->spliced */
    struct agent *a;
    struct channel *c; /* NULL: splice has it */
    struct fog_addr peer;
    const struct group *group; /* that is asked; NULL: none                 */
    enum front_kind kind;
    enum front_phase phase;
    bool http;     /* it speaks HTTP, else SOCKS5                    */
    bool was_held; /* its wrong login was, and is answered now       */
    uint64_t id;
    union {
        struct socks_server socks;
        struct head head;
    } in;
    struct forward forward; /* HTTP                                         */
    struct dest dest;
    struct request rq;
    struct reach *reach;
    struct channel *far; /* NULL: not yet, or splice has it               */
    char say[SAY_MAX];   /* our words, for HTTP                           */
    size_t say_at, say_len;
    struct splice splice;
    struct alarm alarm;
    fog_time moved;
};

static void look(void *ctx);

/* ------------------------------------------------------------------------------ coming and going
 */

static void
on_gone(struct alarm *a)
{
    struct front *f = list_entry(a, struct front, alarm);
    struct process *p = f->a->p;
    p->al.free(p->al.ctx, f, sizeof *f);
    fogi_process_relay_ended(p);
}

static void
move_to(struct front *f, struct list *where)
{
    list_unlink(&f->link);
    list_push(where, &f->link);
}

static bool
is_fresh(const struct front *f)
{
    return f->phase == FRONT_SNIFF || f->phase == FRONT_TALK || f->phase == FRONT_HELD;
}

/** f is no longer one of those that have not asked yet. */
static void
leave_door(struct front *f)
{
    f->a->n_fresh--;
    fogi_doorway_has_room(&f->a->way);
}

static void
set_phase(struct front *f, enum front_phase phase, fog_time time)
{
    if (is_fresh(f) && phase != FRONT_SNIFF && phase != FRONT_TALK)
        leave_door(f);
    f->phase = phase;
    f->moved = process_now(f->a->p);
    fogi_alarm_set(&f->alarm, f->moved + time);
}

static void
drop_engine(struct front *f)
{
    if (f->http)
        fogi_head_clear(&f->in.head, &f->a->mem);
}

static void
end_front(struct front *f, bool reset)
{
    if (is_fresh(f))
        leave_door(f);
    list_unlink(&f->link);
    fogi_reach_forget(f->reach);
    fogi_request_forget(&f->rq);
    fogi_channel_reset(f->far);
    drop_engine(f);
    if (reset)
        fogi_channel_reset(f->c);
    else
        fogi_channel_close(f->c);
    f->c = f->far = NULL;
    f->reach = NULL;
    fogi_alarm_close(&f->alarm, on_gone);
}

static void
kill_front(struct front *f)
{
    if (f->phase == FRONT_SPLICED)
        fogi_splice_cut(&f->splice);
    end_front(f, true);
}

static void
log_front(const struct front *f, enum log_at level, const char *what)
{
    char peer[ADDR_TEXT_MAX], to[DEST_TEXT_MAX];
    const char *way = f->rq.by ? " by " : f->group ? " by group " : " directly";
    const char *by = f->rq.by ? f->rq.by->conf.url : f->group ? f->group->name : "";
    if (!fogi_log_on(level))
        return;
    fogi_addr_text(&f->peer, peer);
    fogi_dest_text(&f->dest, to);
    if (level == LOG_AT_DEBUG)
        fogi_log(level, "request " STREAM_LINE, (unsigned long long)f->id, peer, to, way, by, what);
    else
        LOG_LIMITED(level, "request " STREAM_LINE, (unsigned long long)f->id, peer, to, way, by,
                    what);
}

/* ------------------------------------------------------------------------------------- joining
 */

static void
on_over(void *ctx, bool good, const char *how)
{
    struct front *f = ctx;
    process_count_end(f->a->p, good);
    log_front(f, LOG_AT_DEBUG, how);
    end_front(f, false);
}

static void
join(struct front *f)
{
    struct channel *near = f->c, *far = f->far;
    f->c = f->far = NULL;
    if (f->rq.early_sent)
        fogi_agent_body_skip(near, f->rq.early_sent);
    drop_engine(f);
    f->a->p->n.streams_opened++;
    move_to(f, &f->a->spliced);
    set_phase(f, FRONT_SPLICED, FRONT_IDLE);
    fogi_splice(&f->splice, near, far, on_over, f);
}

/** Our end is told; reads on so that closing makes no reset of it. */
static void
linger(struct front *f)
{
    if (channel_finish(f->c)) {
        end_front(f, true);
        return;
    }
    set_phase(f, FRONT_LINGER, LINGER);
    channel_notify(f->c);
}

static void
look_linger(struct front *f)
{
    size_t dropped;
    bool eof;
    if (fogi_channel_drain(f->c, &dropped, &eof))
        end_front(f, true);
    else if (eof && channel_is_sent(f->c))
        end_front(f, false);
}

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

static void
look_say(struct front *f)
{
    int flushed = flush(f);
    if (flushed < 0)
        end_front(f, true);
    if (flushed <= 0)
        return;
    if (f->far)
        join(f);
    else
        linger(f);
}

static void
say(struct front *f)
{
    set_phase(f, FRONT_SAY, FRONT_TIME);
    look_say(f);
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
    log_front(f, far ? LOG_AT_DEBUG : LOG_AT_INFO, far ? "connected" : why);
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
static void
look_wait(struct front *f)
{
    const void *at;
    size_t len;
    bool eof;
    if (channel_peek(f->c, &at, &len, &eof))
        end_front(f, true);
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
    drop_engine(f);
    f->c = fogi_agent_body(f->a->p, f->c, &f->forward.body, head, len);
    if (!f->c)
        return false;
    fogi_channel_own(f->c, look, f);
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
    move_to(f, &a->asking);
    set_phase(f, FRONT_ASK, FRONT_ASK_TIME);
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
        end_front(f, true);
    } else {
        ask(f, &f->forward.dest);
    }
}

static void
engine_failed(struct front *f, int rc)
{
    f->a->n.bad_requests++;
    if (!f->http)
        linger(f);
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
        end_front(f, true);
        return false;
    }
    if (!len) {
        if (eof)
            linger(f);
        return false;
    }
    int rc = f->http ? fogi_head_input(&f->in.head, &f->a->mem, at, len, &used)
                     : fogi_socks_server_input(&f->in.socks, at, len, &used);
    if (used)
        channel_consume(f->c, used);
    if (!rc)
        return true;
    if (rc == FOG_E_NOMEM)
        end_front(f, true);
    else
        engine_failed(f, rc);
    return false;
}

static void
look_talk(struct front *f)
{
    for (;;) {
        if (!f->http && f->in.socks.login_failed && is_held(f))
            return;
        int flushed = flush(f);
        if (flushed < 0)
            end_front(f, true);
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
            linger(f);
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

static void
look_sniff(struct front *f)
{
    const void *at;
    size_t len;
    bool eof;
    if (channel_peek(f->c, &at, &len, &eof)) {
        end_front(f, true);
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
    look_talk(f);
}

static void
look(void *ctx)
{
    struct front *f = ctx;
    switch (f->phase) {
    case FRONT_SNIFF:
        look_sniff(f);
        break;
    case FRONT_TALK:
        look_talk(f);
        break;
    case FRONT_HELD:
    case FRONT_ASK:
        look_wait(f);
        break;
    case FRONT_SAY:
        look_say(f);
        break;
    case FRONT_LINGER:
        look_linger(f);
        break;
    case FRONT_SPLICED:
        break;
    }
}

/** Who asked hears that there was no answer, which is the truth. */
static void
give_up(struct front *f)
{
    f->a->n.limit_answer_hit++;
    fogi_reach_forget(f->reach);
    f->reach = NULL;
    fogi_request_forget(&f->rq);
    answer(f, NULL, SOCKS_TIMEOUT, "no answer in time");
}

static void
on_alarm(struct alarm *al)
{
    struct front *f = list_entry(al, struct front, alarm);
    struct agent *a = f->a;
    fog_time now = process_now(a->p);
    if (f->phase == FRONT_ASK) {
        give_up(f);
        return;
    }
    if (f->phase == FRONT_HELD) {
        f->phase = FRONT_TALK;
        fogi_alarm_set(al, now + FRONT_TIME);
        look_talk(f);
        return;
    }
    if (f->phase == FRONT_SPLICED) {
        if (now - f->splice.moved < FRONT_IDLE) {
            fogi_alarm_set(al, f->splice.moved + FRONT_IDLE);
            return;
        }
        a->n.limit_idle_hit++;
        log_front(f, LOG_AT_DEBUG, "idle for 15 minutes");
    } else if (f->phase != FRONT_LINGER) {
        a->n.limit_handshake_hit++;
    }
    kill_front(f);
}

/* ------------------------------------------------------------------------------------- taking in
 */

void
fogi_front_take(struct agent *a, struct channel *c, const struct fog_addr *peer,
                enum front_kind kind)
{
    struct process *p = a->p;
    bool tight = budget_is_tight(&p->budget);
    struct front *f = NULL;
    if (tight)
        p->n.limit_tight_hit++;
    else
        f = p->al.alloc(p->al.ctx, sizeof *f);
    if (!f) {
        fogi_channel_reset(c);
        return;
    }
    memset(f, 0, sizeof *f);
    f->a = a;
    f->c = c;
    f->peer = *peer;
    f->kind = kind;
    f->moved = process_now(p);
    list_init(&f->link);
    list_push(&a->fresh, &f->link);
    a->n_fresh++;
    fogi_process_relay_began(p);
    fogi_alarm_init(&f->alarm, &p->loop, on_alarm);
    fogi_alarm_set(&f->alarm, f->moved + FRONT_TIME);
    fogi_channel_own(c, look, f);
}

/** list_push() puts the newest last; those that were answered stand among them. */
static struct front *
oldest(const struct agent *a)
{
    struct list *i = a->fresh.next;
    while (!is_fresh(list_entry(i, struct front, link)))
        i = i->next;
    return list_entry(i, struct front, link);
}

fog_time
fogi_fronts_oldest(const struct agent *a)
{
    return oldest(a)->moved;
}

void
fogi_fronts_end_oldest(struct agent *a)
{
    kill_front(oldest(a));
}

void
fogi_fronts_change_users(struct agent *a, const struct agent_conf *c, bool same)
{
    for (struct list *i = a->fresh.next, *next; i != &a->fresh; i = next) {
        struct front *f = list_entry(i, struct front, link);
        next = i->next;
        if (f->phase != FRONT_TALK || f->http)
            continue;
        if (same)
            fogi_socks_server_move(&f->in.socks, c->users);
        else
            kill_front(f);
    }
}

static void
end_list(struct list *fronts)
{
    while (!list_is_empty(fronts))
        kill_front(list_entry(fronts->next, struct front, link));
}

void
fogi_fronts_end(struct agent *a, bool now)
{
    end_list(&a->fresh);
    if (!now)
        return;
    end_list(&a->asking);
    end_list(&a->spliced);
}
