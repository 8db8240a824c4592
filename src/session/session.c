/* SPDX-License-Identifier: MIT
 *
 * session.c - joins one mux and one ARQ. The only file that knows both; it moves bytes between
 * them and decides nothing but when a tunnel is over.
 *
 * Invariant: after every call, bytes that the ARQ can deliver and the mux accepts have been moved,
 * and control messages that the ARQ has room for are in its queue. That is what pump() is for.
 *
 *   open     -> bytes flow
 *   closing  -> the mux said its last word; it leaves once, is never repeated (wire-vproxy R9)
 *   over     -> nothing goes in or out any more
 */
#include "session/session_int.h"

#include "base/mem.h"
#include "session/greeting.h"

#include <assert.h>
#include <string.h>

#define PIPE_WINDOW_DEFAULT ((size_t)256 * 1024)
#define CLOSING_US FOG_SEC(1) /* a last word that cannot leave for so long is given up         */
#define READ_UNIT 2048        /* room asked for at least, so that pages do not end in crumbs   */

enum phase { OPEN, CLOSING, OVER };

struct fog_session {
    struct mem mem;
    struct fog_arq *arq;
    struct fog_mux *mux;
    void *user, *owner;
    enum phase phase;
    bool validated; /* the peer is where it says it is                               */
    bool ended;     /* pipe: the carrier is gone; what had arrived is still delivered */
    bool worn;      /* FOG_EV_WORN is to be told                                     */
    bool closed_told;
    int failed;     /* the ARQ's reason, to be told as FOG_EV_CLOSED                 */
    uint64_t taken; /* bytes the mux took                                            */
    uint64_t rate;  /* bytes per second that we were told to send at; 0: none        */
    uint32_t asked; /* ... that the peer asked for; 0: it did not                    */
    fog_time closing_since;
    void *frame;      /* memory lent by fog_session_reserve(): overhead, then payload  */
    size_t frame_cap; /* of its payload; 0: none is lent                               */
};

void
fog_session_options_init(struct fog_session_options *o, enum fog_role role)
{
    *o = (struct fog_session_options){.via = FOG_VIA_KCP, .pipe_window = PIPE_WINDOW_DEFAULT};
    fog_kcp_options_init(&o->kcp);
    o->kcp.validate = role == FOG_SERVER;
    o->kcp.hello_len = fogi_greeting_put(o->kcp.hello, &(struct greeting){.foggara = true});
    fog_mux_options_init(&o->mux, role);
}

/* A rate as it fits into a hello. */
static uint32_t
rate_within(uint64_t rate)
{
    if (rate < FOG_RATE_MIN)
        return FOG_RATE_MIN;
    return rate < FOG_RATE_MAX ? (uint32_t)rate : FOG_RATE_MAX;
}

static int
make_parts(struct fog_session *s, const struct fog_session_options *o, fog_time now)
{
    int rc;
    struct fog_mux_options mux = o->mux;
    if (o->via == FOG_VIA_PIPE) {
        rc = fog_pipe_new(&s->arq, o->pipe_window, &s->mem.al, now);
        mux.extended = true; /* vproxy speaks no pipe: whoever is there is foggara */
    } else {
        struct fog_kcp_options kcp = o->kcp;
        struct greeting g = {.foggara = true};
        if (o->down > 0)
            g.down = rate_within(o->down);
        if (kcp.mtu_most > kcp.mtu)
            g.mtu = (uint16_t)kcp.mtu_most;
        if (g.down > 0 || g.mtu > 0)
            kcp.hello_len = fogi_greeting_put(kcp.hello, &g);
        rc = fog_kcp_new(&s->arq, &kcp, &s->mem.al, now);
    }
    return rc ? rc : fog_mux_new(&s->mux, &mux, &s->mem.al, now);
}

static void pump(struct fog_session *s, fog_time now);

int
fog_session_new(struct fog_session **out, const struct fog_session_options *o,
                const struct fog_alloc *al, fog_time now)
{
    struct mem mem;
    mem_init(&mem, al);
    struct fog_session *s = mem_get(&mem, sizeof *s);
    if (!s)
        return FOG_E_NOMEM;
    *s = (struct fog_session){.mem = mem};
    s->validated = o->via == FOG_VIA_PIPE || !o->kcp.validate;
    s->rate = o->kcp.cc == FOG_CC_RATE ? o->kcp.rate : 0;
    int rc = make_parts(s, o, now);
    if (rc) {
        fog_session_free(s);
        return rc;
    }
    pump(s, now);
    *out = s;
    return 0;
}

void
fog_session_free(struct fog_session *s)
{
    if (!s)
        return;
    fog_mux_free(s->mux);
    fog_arq_free(s->arq);
    struct mem mem = s->mem;
    mem_put(&mem, s, sizeof *s);
}

/* --------------------------------------------------------------------------------- moving bytes */

/* Bytes of `len` that the mux may see: only the handshake until the peer is validated. */
static size_t
allowed(const struct fog_session *s, size_t len)
{
    if (s->validated)
        return len;
    size_t left = s->taken < FOG_HANDSHAKE_LEN ? (size_t)(FOG_HANDSHAKE_LEN - s->taken) : 0;
    return len < left ? len : left;
}

static void
deliver(struct fog_session *s, fog_time now)
{
    for (;;) {
        const void *buf;
        size_t len, used = 0;
        fog_arq_peek(s->arq, &buf, &len);
        len = allowed(s, len);
        if (len == 0)
            return;
        int rc = fog_mux_input(s->mux, buf, len, &used, now);
        s->taken += used;
        fog_arq_consume(s->arq, used, now);
        if (rc || used < len)
            return; /* back-pressure, or closed */
    }
}

/* Puts waiting control messages into the ARQ. True when none is left waiting. */
static bool
send_control(struct fog_session *s, fog_time now)
{
    size_t next;
    while ((next = fog_mux_output_next(s->mux)) > 0) {
        void *buf;
        size_t cap = 0, len = 0;
        if (fog_arq_reserve(s->arq, next, &buf, &cap) || cap < next)
            return false;
        int rc = fog_mux_output(s->mux, buf, cap, &len, now);
        assert(rc == 0 && len > 0 && "the mux has told that it has something of this size");
        (void)rc;
        fog_arq_commit(s->arq, len, now);
    }
    return true;
}

/* Our own rate and what the peer asked for: the least of those that are known. */
static void
apply_rate(struct fog_session *s, fog_time now)
{
    uint64_t rate = s->rate;
    if (s->asked > 0 && (rate == 0 || s->asked < rate))
        rate = s->asked;
    fog_arq_set_rate(s->arq, rate, now);
}

static void
take_hello(struct fog_session *s, fog_time now)
{
    struct fog_arq_status st;
    struct greeting g;
    fog_arq_status(s->arq, &st);
    fogi_greeting_get(&g, st.hello, st.hello_len);
    if (g.foggara)
        fog_mux_set_extended(s->mux);
    if (g.mtu > 0)
        fog_arq_peer_takes(s->arq, g.mtu);
    if (g.down > 0) {
        s->asked = rate_within(g.down);
        apply_rate(s, now);
    }
}

static void
read_arq_events(struct fog_session *s, fog_time now)
{
    struct fog_arq_event ev;
    while (fog_arq_event(s->arq, &ev)) {
        switch (ev.type) {
        case FOG_ARQ_VALIDATED:
            s->validated = true;
            break;
        case FOG_ARQ_HELLO:
            take_hello(s, now);
            break;
        case FOG_ARQ_WORN:
            s->worn = true;
            break;
        case FOG_ARQ_ENDED:
            s->ended = true;
            break;
        case FOG_ARQ_FAILED:
            fogi_session_fail(s, ev.err);
            break;
        }
    }
}

/* A carrier that ended takes the tunnel with it once all that had arrived was delivered. */
static void
end_with_carrier(struct fog_session *s)
{
    const void *buf;
    size_t len;
    fog_arq_peek(s->arq, &buf, &len);
    if (s->ended && len == 0)
        fogi_session_fail(s, FOG_E_CLOSED);
}

static void
pump(struct fog_session *s, fog_time now)
{
    s->frame_cap = 0; /* whatever was lent is not any more */
    if (s->phase == OVER)
        return;
    read_arq_events(s, now);
    if (s->phase == OPEN) {
        deliver(s, now);
        fog_mux_acked(s->mux, fog_arq_acked(s->arq), now);
        end_with_carrier(s);
    }
    if (s->phase == OPEN && fog_mux_is_closed(s->mux)) { /* its last word may still leave */
        s->phase = CLOSING;
        s->closing_since = now;
    }
    if (s->phase != OVER && send_control(s, now) && s->phase == OPEN) {
        size_t room = fog_arq_writable(s->arq);
        if (room > 0)
            fog_mux_room(s->mux, room, now);
    }
}

/* ----------------------------------------------------------------------------------- five verbs */

int
fog_session_input(struct fog_session *s, const void *buf, size_t len, fog_time now)
{
    if (s->phase == OVER)
        return FOG_E_CLOSED;
    /* While closing, ACKs still open the window for the last word. */
    int rc = fog_arq_lend(s->arq, buf, len, now);
    pump(s, now); /* most of it is on its way to a reader now */
    fog_arq_keep(s->arq);
    return rc;
}

size_t
fog_session_input_room(const struct fog_session *s)
{
    return s->phase == OPEN ? fog_arq_input_room(s->arq) : 0;
}

int
fog_session_output(struct fog_session *s, void *buf, size_t cap, size_t *len, fog_time now)
{
    *len = 0;
    if (s->phase == OVER)
        return 0;
    pump(s, now);
    int rc = fog_arq_output(s->arq, buf, cap, len, now);
    if (rc == 0 && *len == 0 && s->phase == CLOSING) {
        struct fog_arq_status st;
        fog_arq_status(s->arq, &st);
        if ((st.queued == 0 && fog_mux_output_next(s->mux) == 0) ||
            now - s->closing_since >= CLOSING_US)
            s->phase = OVER;
    }
    return rc;
}

fog_time
fog_session_deadline(const struct fog_session *s, enum fog_why *why)
{
    enum fog_why arq_why = FOG_WHY_NEVER, mux_why = FOG_WHY_NEVER;
    fog_time at = FOG_TIME_NEVER;
    if (s->phase != OVER)
        at = fog_arq_deadline(s->arq, &arq_why);
    fog_time mux_at = FOG_TIME_NEVER;
    if (s->phase == OPEN) {
        mux_at = fog_mux_deadline(s->mux, &mux_why);
    } else if (s->phase == CLOSING) {
        mux_at = s->closing_since + CLOSING_US;
        mux_why = FOG_WHY_OUTPUT;
    }
    if (why)
        *why = mux_at < at ? mux_why : arq_why;
    return mux_at < at ? mux_at : at;
}

void
fog_session_tick(struct fog_session *s, fog_time now)
{
    if (s->phase == OVER)
        return;
    fog_arq_tick(s->arq, now);
    if (s->phase == OPEN)
        fog_mux_tick(s->mux, now);
    else if (now - s->closing_since >= CLOSING_US)
        s->phase = OVER;
    pump(s, now);
}

bool
fog_session_event(struct fog_session *s, struct fog_event *ev)
{
    if (s->closed_told)
        return false;
    if (!s->failed && fog_mux_event(s->mux, ev)) {
        s->closed_told = ev->type == FOG_EV_CLOSED;
        return true;
    }
    if (s->failed) {
        s->closed_told = true;
        *ev = (struct fog_event){
            .type = FOG_EV_CLOSED, .err = s->failed, .reason = fog_err_text(s->failed)};
        return true;
    }
    if (s->worn) {
        s->worn = false;
        *ev = (struct fog_event){.type = FOG_EV_WORN};
        return true;
    }
    return false;
}

/* -------------------------------------------------------------------------------- stream verbs */

int
fog_session_open(struct fog_session *s, struct fog_stream **st, fog_time now)
{
    if (s->phase != OPEN)
        return FOG_E_CLOSED;
    int rc = fog_mux_open(s->mux, st, now);
    pump(s, now);
    return rc;
}

void
fog_session_connected(struct fog_session *s, struct fog_stream *st, fog_time now)
{
    fog_mux_connected(s->mux, st);
    pump(s, now);
}

void
fog_session_refuse(struct fog_session *s, struct fog_stream *st, fog_time now)
{
    fog_mux_refuse(s->mux, st, now);
    pump(s, now);
}

int
fog_session_reserve(struct fog_session *s, struct fog_stream *st, void **buf, size_t *cap,
                    fog_time now)
{
    *cap = 0;
    s->frame_cap = 0;
    if (s->phase != OPEN)
        return FOG_E_CLOSED;
    size_t overhead = fog_mux_overhead(s->mux), turn = 0, whole = 0;
    size_t room = send_control(s, now) ? fog_arq_writable(s->arq) : 0;
    int rc = fog_mux_turn(s->mux, st, room, &turn, now);
    if (!rc && turn == 0 && room > 0 && fog_mux_output_next(s->mux) > 0) {
        room = send_control(s, now) ? fog_arq_writable(s->arq) : 0; /* its SYN-ACK goes first */
        rc = fog_mux_turn(s->mux, st, room, &turn, now);
    }
    if (rc || turn == 0)
        return rc;
    size_t min = overhead + (turn < READ_UNIT ? turn : READ_UNIT);
    rc = fog_arq_reserve(s->arq, min, &s->frame, &whole);
    if (rc || whole < min)
        return rc;
    s->frame_cap = whole - overhead < turn ? whole - overhead : turn;
    *buf = (uint8_t *)s->frame + overhead;
    *cap = s->frame_cap;
    return 0;
}

int
fog_session_commit(struct fog_session *s, struct fog_stream *st, size_t len, fog_time now)
{
    if (len == 0 || len > s->frame_cap)
        return FOG_E_USAGE;
    s->frame_cap = 0;
    size_t total = 0;
    int rc = fog_mux_frame(s->mux, st, s->frame, len, &total, now);
    if (rc)
        return rc;
    fog_arq_commit(s->arq, total, now);
    pump(s, now);
    return 0;
}

int
fog_session_write(struct fog_session *s, struct fog_stream *st, const void *buf, size_t len,
                  size_t *taken, fog_time now)
{
    *taken = 0;
    while (*taken < len) {
        void *room;
        size_t cap;
        int rc = fog_session_reserve(s, st, &room, &cap, now);
        if (rc || cap == 0)
            return rc;
        size_t n = len - *taken < cap ? len - *taken : cap;
        memcpy(room, (const uint8_t *)buf + *taken, n);
        rc = fog_session_commit(s, st, n, now);
        if (rc)
            return rc;
        *taken += n;
    }
    return 0;
}

int
fog_session_peek(const struct fog_session *s, const struct fog_stream *st, const void **buf,
                 size_t *len, bool *eof)
{
    *len = 0;
    *eof = false;
    if (s->phase != OPEN && !fog_mux_is_whole(s->mux, st))
        return FOG_E_CLOSED;
    return fog_mux_peek(s->mux, st, buf, len, eof);
}

bool
fog_session_is_whole(const struct fog_session *s, const struct fog_stream *st)
{
    return fog_mux_is_whole(s->mux, st);
}

void
fog_session_consume(struct fog_session *s, struct fog_stream *st, size_t len, fog_time now)
{
    fog_mux_consume(s->mux, st, len, now);
    pump(s, now);
}

int
fog_session_finish(struct fog_session *s, struct fog_stream *st, fog_time now)
{
    if (s->phase != OPEN)
        return FOG_E_CLOSED;
    int rc = fog_mux_finish(s->mux, st, now);
    pump(s, now);
    return rc;
}

void
fog_session_reset(struct fog_session *s, struct fog_stream *st, fog_time now)
{
    fog_mux_reset(s->mux, st, now);
    pump(s, now);
}

void
fog_session_release(struct fog_session *s, struct fog_stream *st, fog_time now)
{
    fog_mux_release(s->mux, st, now);
    pump(s, now);
}

void
fog_session_shutdown(struct fog_session *s, const char *reason, fog_time now)
{
    if (s->phase != OPEN)
        return;
    fog_mux_shutdown(s->mux, reason, now);
    pump(s, now);
}

void
fog_session_ping(struct fog_session *s, fog_time now)
{
    if (s->phase != OPEN)
        return;
    fog_mux_ping(s->mux, now);
    pump(s, now);
}

void
fog_session_set_rate(struct fog_session *s, uint64_t rate, fog_time now)
{
    s->rate = rate;
    if (s->phase != OVER)
        apply_rate(s, now);
}

void
fog_session_set_user(struct fog_session *s, void *user)
{
    s->user = user;
}

void *
fog_session_user(const struct fog_session *s)
{
    return s->user;
}

void
fog_session_status(const struct fog_session *s, struct fog_session_status *st)
{
    fog_arq_status(s->arq, &st->arq);
    fog_mux_status(s->mux, &st->mux);
    st->asked = s->asked;
    st->held = st->arq.held + st->mux.held + s->mem.held;
}

/* -------------------------------------------------------------------------------- the endpoint's
 */

void *
fogi_session_owner(const struct fog_session *s)
{
    return s->owner;
}

void
fogi_session_set_owner(struct fog_session *s, void *owner)
{
    s->owner = owner;
}

bool
fogi_session_is_validated(const struct fog_session *s)
{
    return s->validated;
}

bool
fogi_session_is_open(const struct fog_session *s)
{
    return s->phase == OPEN;
}

bool
fogi_session_is_over(const struct fog_session *s)
{
    return s->phase == OVER;
}

void
fogi_session_fail(struct fog_session *s, int err)
{
    if (s->phase == OVER)
        return;
    s->phase = OVER;
    if (!s->closed_told)
        s->failed = err;
}

fog_time
fogi_session_last_input(const struct fog_session *s)
{
    struct fog_arq_status st;
    fog_arq_status(s->arq, &st);
    return st.last_input;
}
