/* SPDX-License-Identifier: MIT */
#include "app/tunnel.h"

#include "io/log.h"
#include "io/tcp.h"

#include <assert.h>
#include <string.h>

#define PIPE_PIECE 65536       /* bytes moved at once between session and TCP               */
#define PATH_LOCAL 65000u      /* no device but loopback carries IP packets of so many bytes  */
#define FULL_RETRY FOG_MS(100) /* a full carrier says when it is free; this is only in case */

struct tunnel_bytes {
    uv_write_t req;
    size_t len;
    uint8_t bytes[PIPE_PIECE];
};

static uint8_t pipe_input[PIPE_PIECE]; /* in use only between libuv's asking for it and reading */

/* --------------------------------------------------------------------------------------- output */

static void
send_datagrams(struct tunnel *t)
{
    struct fog_session *s = t->carrier.session;
    fog_time now = process_now(t->carrier.p);
    uint8_t *buf;
    while ((buf = fogi_udp_reserve(&t->udp))) {
        size_t len = 0;
        int rc = fog_session_output(s, buf, FOG_DATAGRAM_MAX, &len, now);
        assert(!rc && "no mtu is over FOG_DATAGRAM_MAX");
        if (rc || !len)
            break;
        fogi_udp_queue(&t->udp, NULL, NULL, len);
    }
    fogi_udp_flush(&t->udp);
}

static void
on_piece_written(uv_write_t *req, int status)
{
    struct tunnel *t = req->data;
    struct process *p = t->carrier.p;
    p->al.free(p->al.ctx, t->unsent, sizeof *t->unsent);
    t->unsent = NULL;
    if (t->closing)
        return;
    if (status)
        t->events->trouble(t, status);
    else
        loop_later(&p->loop, &t->pump);
}

static bool
send_piece(struct tunnel *t)
{
    struct process *p = t->carrier.p;
    size_t len = 0;
    if (!t->connected || t->unsent)
        return false;
    struct tunnel_bytes *piece = p->al.alloc(p->al.ctx, sizeof *piece);
    if (!piece)
        return false; /* tried again at the next turn or timer */
    int rc = fog_session_output(t->carrier.session, piece->bytes, PIPE_PIECE, &len, process_now(p));
    ssize_t n = rc || !len ? 0 : fogi_tcp_write(&t->tcp, piece->bytes, len);
    if (n >= 0 && (size_t)n < len) {
        uv_buf_t rest = uv_buf_init((char *)piece->bytes + n, (unsigned)(len - (size_t)n));
        piece->req.data = t;
        t->unsent = piece;
        n = uv_write(&piece->req, (uv_stream_t *)&t->tcp, &rest, 1, on_piece_written);
        if (!n)
            return true;
        t->unsent = NULL;
    }
    p->al.free(p->al.ctx, piece, sizeof *piece);
    if (n < 0 && !t->closing)
        t->events->trouble(t, (int)n);
    return n > 0;
}

/** True when there may be more. */
static bool
send_output(struct tunnel *t)
{
    if (t->via == FOG_VIA_PIPE)
        return send_piece(t);
    send_datagrams(t);
    return false;
}

/* ---------------------------------------------------------------------------------------- input */

static void
input(struct tunnel *t, const void *buf, size_t len)
{
    int rc = fog_session_input(t->carrier.session, buf, len, process_now(t->carrier.p));
    if (rc && fogi_log_on(LOG_AT_TRACE))
        fogi_log(LOG_AT_TRACE, "input: %s", fog_err_text(rc));
    loop_later(&t->carrier.p->loop, &t->pump);
    /* A datagram that was not taken is as good as lost, and counted. Bytes of a stream are missing
     * for ever; a session that is over says so itself. */
    if (rc && rc != FOG_E_CLOSED && t->via == FOG_VIA_PIPE)
        t->events->trouble(t, UV_ENOMEM);
}

static void
on_datagram(struct udp *u, const struct fog_addr *from, const struct fog_addr *local,
            const void *buf, size_t len)
{
    (void)from;
    (void)local;
    input(u->owner, buf, len);
}

static void
on_writable(struct udp *u)
{
    struct tunnel *t = u->owner;
    loop_later(&t->carrier.p->loop, &t->pump);
}

static void
on_hint(struct udp *u, int err)
{
    struct tunnel *t = u->owner;
    if (!t->closing)
        t->events->trouble(t, err);
}

static void
on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
    struct tunnel *t = h->data;
    size_t room = fog_session_input_room(t->carrier.session);
    (void)suggested;
    *buf = uv_buf_init((char *)pipe_input, room > PIPE_PIECE ? PIPE_PIECE : (unsigned)room);
}

static void
on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
    struct tunnel *t = s->data;
    if (n > 0) {
        input(t, buf->base, (size_t)n);
    } else if (n == UV_ENOBUFS) {
        uv_read_stop(s);
        t->reading = false;
        loop_later(&t->carrier.p->loop, &t->pump);
    } else if (n == UV_EOF) {
        t->reading = false;
        t->connected = false;
        input(t, NULL, 0);
    } else if (n < 0) {
        t->events->trouble(t, (int)n);
    }
}

static void
read_again(struct tunnel *t)
{
    if (t->via != FOG_VIA_PIPE || !t->connected || t->reading ||
        !fog_session_input_room(t->carrier.session))
        return;
    t->reading = !uv_read_start((uv_stream_t *)&t->tcp, on_alloc, on_read);
}

/* ----------------------------------------------------------------------------------------- turns
 */

static void
on_alarm(struct alarm *a)
{
    struct tunnel *t = list_entry(a, struct tunnel, alarm);
    fog_session_tick(t->carrier.session, fogi_loop_now(a->loop));
    loop_later(a->loop, &t->pump);
}

static void
arm(struct tunnel *t)
{
    fog_time at = fog_session_deadline(t->carrier.session, NULL), now = process_now(t->carrier.p);
    bool full = t->via == FOG_VIA_KCP ? t->udp.full : t->unsent || !t->connected;
    /* What waits for the carrier is not helped by waking up. */
    if (full && at < now + FULL_RETRY)
        at = now + FULL_RETRY;
    fogi_alarm_set(&t->alarm, at);
}

/** True when there were any. */
static bool
take_events(struct tunnel *t)
{
    struct fog_event ev;
    bool any = false;
    while (!t->closing && fog_session_event(t->carrier.session, &ev)) {
        t->events->event(t, &ev);
        any = true;
    }
    return any;
}

static void
pump(struct pump *p)
{
    struct tunnel *t = list_entry(p, struct tunnel, pump);
    bool more = true;
    take_events(t);
    /* Sending makes room, room makes events, events make output. */
    while (more) {
        more = !t->closing && send_output(t);
        more = take_events(t) || more;
    }
    if (t->closing)
        return;
    pump_cancel(p); /* what the events asked for is done */
    read_again(t);
    arm(t);
    t->events->turned(t);
}

static void
touched(struct carrier *c)
{
    struct tunnel *t = list_entry(c, struct tunnel, carrier);
    if (!t->closing)
        loop_later(&c->p->loop, &t->pump);
}

/* ------------------------------------------------------------------------------ coming and going
 */

static void
handle_closed(struct tunnel *t)
{
    struct process *p = t->carrier.p;
    if (--t->handles)
        return;
    assert(!t->unsent && "libuv ends writes before it closes");
    fogi_process_add(p, t->carrier.session);
    if (t->via == FOG_VIA_KCP)
        fogi_process_add_udp(p, &t->udp.n);
    fog_session_free(t->carrier.session);
    t->events->gone(t);
    p->al.free(p->al.ctx, t, sizeof *t);
}

static void
on_handle_closed(uv_handle_t *h)
{
    handle_closed(h->data);
}

static void
on_alarm_closed(struct alarm *a)
{
    handle_closed(list_entry(a, struct tunnel, alarm));
}

static void
on_udp_closed(struct udp *u)
{
    handle_closed(u->owner);
}

static const struct udp_events udp_events = {
    .datagram = on_datagram, .writable = on_writable, .hint = on_hint, .closed = on_udp_closed};

void
fogi_tunnel_close(struct tunnel *t, const char *reason)
{
    if (t->closing)
        return;
    fogi_carrier_end(&t->carrier);
    t->closing = true;
    pump_cancel(&t->pump);
    fog_session_shutdown(t->carrier.session, reason, process_now(t->carrier.p));
    if (t->via == FOG_VIA_KCP) {
        send_datagrams(t);
        fogi_udp_close(&t->udp);
    } else {
        send_piece(t);
        uv_close((uv_handle_t *)&t->tcp, on_handle_closed);
        fogi_loop_fd_given(&t->carrier.p->loop);
    }
    fogi_alarm_close(&t->alarm, on_alarm_closed);
}

/** Whether nothing but this machine lies between us and `to`, and nobody has said how large
 * datagrams may be: then they may be as large as they get. */
static bool
local_path(const struct process *p, const struct fog_addr *to)
{
    const struct conf *c = &p->conf;
    return c->via == FOG_VIA_KCP && !c->mtu && !c->fast && fogi_udp_path(to) >= PATH_LOCAL;
}

/** Memory, session and timer of a tunnel; its carrier comes next. */
static int
new_tunnel(struct tunnel **out, struct process *p, const struct tunnel_events *events, void *owner,
           enum fog_role role, const struct fog_addr *to)
{
    struct fog_session_options o;
    struct fog_session *s;
    int err = fogi_process_session_options(p, role, &o);
    if (err)
        return err;
    if (to && local_path(p, to))
        o.kcp.mtu_most = FOG_MTU_MAX;
    struct tunnel *t = p->al.alloc(p->al.ctx, sizeof *t);
    if (!t)
        return UV_ENOMEM;
    if (fog_session_new(&s, &o, &p->al, process_now(p))) {
        p->al.free(p->al.ctx, t, sizeof *t);
        return UV_ENOMEM;
    }
    memset(t, 0, sizeof *t);
    fogi_carrier_init(&t->carrier, p, s, touched);
    pump_init(&t->pump, pump);
    list_init(&t->link);
    t->events = events;
    t->owner = owner;
    t->via = o.via;
    *out = t;
    return 0;
}

static void
free_unstarted(struct tunnel *t)
{
    struct process *p = t->carrier.p;
    fog_session_free(t->carrier.session);
    p->al.free(p->al.ctx, t, sizeof *t);
}

static void
start(struct tunnel *t)
{
    struct loop *l = &t->carrier.p->loop;
    fogi_alarm_init(&t->alarm, l, on_alarm);
    t->handles = 2;
    loop_later(l, &t->pump);
}

static void
on_connect(uv_connect_t *req, int status)
{
    struct tunnel *t = req->data;
    if (t->closing)
        return;
    if (status) {
        t->events->trouble(t, status);
        return;
    }
    fogi_tcp_carrier(&t->tcp);
    t->connected = true;
    loop_later(&t->carrier.p->loop, &t->pump);
}

static void
on_half_open_closed(uv_handle_t *h)
{
    free_unstarted(h->data);
}

static int
dial_tcp(struct tunnel *t, const struct fog_addr *to)
{
    int err = uv_tcp_init(&t->carrier.p->loop.uv, &t->tcp);
    if (err) {
        free_unstarted(t);
        return err;
    }
    t->tcp.data = t;
    t->connect.data = t;
    err = fogi_tcp_connect(&t->tcp, &t->connect, to, on_connect);
    if (err) {
        uv_close((uv_handle_t *)&t->tcp, on_half_open_closed);
        return err;
    }
    fogi_loop_fd_taken(&t->carrier.p->loop);
    return 0;
}

int
fogi_tunnel_dial(struct tunnel **out, struct process *p, const struct tunnel_events *events,
                 void *owner, const struct fog_addr *to)
{
    struct tunnel *t;
    int err = new_tunnel(&t, p, events, owner, FOG_CLIENT, to);
    if (err)
        return err;
    t->peer = *to;
    if (t->via == FOG_VIA_KCP) {
        t->udp.owner = t;
        err = fogi_udp_connect(&t->udp, &p->loop, p->batch, &udp_events, to, p->conf.sockbuf);
        if (err)
            free_unstarted(t);
    } else {
        err = dial_tcp(t, to);
    }
    if (err)
        return err;
    start(t);
    *out = t;
    return 0;
}

int
fogi_tunnel_accept(struct tunnel **out, struct process *p, const struct tunnel_events *events,
                   void *owner, uv_stream_t *listener)
{
    struct tunnel *t;
    int err = new_tunnel(&t, p, events, owner, FOG_SERVER, NULL);
    if (err)
        return err;
    err = uv_tcp_init(&p->loop.uv, &t->tcp);
    if (err) {
        free_unstarted(t);
        return err;
    }
    t->tcp.data = t;
    err = uv_accept(listener, (uv_stream_t *)&t->tcp);
    if (err) {
        uv_close((uv_handle_t *)&t->tcp, on_half_open_closed);
        return err;
    }
    fogi_loop_fd_taken(&p->loop);
    fogi_tcp_carrier(&t->tcp);
    fogi_tcp_peer(&t->tcp, &t->peer);
    t->connected = true;
    start(t);
    *out = t;
    return 0;
}

bool
fogi_tunnel_is_busy(const struct tunnel *t, fog_time patience)
{
    return t->unsent || fogi_carrier_is_busy(&t->carrier, patience);
}

void
fogi_tunnel_local(const struct tunnel *t, struct fog_addr *at)
{
    fogi_udp_local(&t->udp, at);
}
