/* SPDX-License-Identifier: MIT */
#include "app/relay.h"

#include "base/mem.h"
#include "io/log.h"

#include <stdio.h>
#include <string.h>

#define PIECE_BYTES 32768 /* kept at most while the connection is full                     */
#define TURN_READS 32     /* frames read in one turn of the stream                         */

struct relay_piece {
    uv_write_t req;
    struct relay *r; /* NULL: the relay went away meanwhile */
    struct process *p;
    size_t len;
    uint8_t bytes[PIECE_BYTES];
};

static const struct rider_ops ride_ops;

static void read_local(struct relay *r);
static void write_local(struct relay *r);

static void *
get(struct process *p, size_t size)
{
    return p->al.alloc(p->al.ctx, size);
}

static void
put(struct process *p, void *ptr, size_t size)
{
    p->al.free(p->al.ctx, ptr, size);
}

/* ------------------------------------------------------------------------------ coming and going
 */

struct relay *
fogi_relay_new(struct process *p)
{
    struct relay *r = get(p, sizeof *r);
    if (!r)
        return NULL;
    memset(r, 0, sizeof *r);
    r->p = p;
    list_init(&r->link);
    fogi_rider_init(&r->ride, &ride_ops);
    fogi_process_relay_began(p);
    return r;
}

int
fogi_relay_open(struct relay *r)
{
    int err = uv_tcp_init(&r->p->loop.uv, &r->tcp);
    if (err)
        return err;
    r->has_tcp = true;
    r->tcp.data = r;
    fogi_loop_fd_taken(&r->p->loop);
    return 0;
}

static void
free_relay(struct relay *r)
{
    struct process *p = r->p;
    put(p, r, sizeof *r);
    fogi_process_relay_ended(p);
}

static void
on_closed(uv_handle_t *h)
{
    free_relay(h->data);
}

static void
on_dropped(uv_handle_t *h)
{
    struct relay *r = h->data;
    r->has_tcp = false;
    if (r->closing)
        free_relay(r);
    else
        r->dropped(r);
}

void
fogi_relay_drop(struct relay *r, void (*dropped)(struct relay *r))
{
    r->dropped = dropped;
    uv_close((uv_handle_t *)&r->tcp, on_dropped);
    fogi_loop_fd_given(&r->p->loop);
}

void
fogi_relay_attach(struct relay *r, struct carrier *c, struct fog_stream *st)
{
    list_unlink(&r->link);
    fogi_rider_on(&r->ride, c, st);
}

static void
log_end(const struct relay *r, const char *how)
{
    uint64_t in, out;
    if (!r->ride.stream || !fogi_log_on(LOG_AT_DEBUG))
        return;
    fog_stream_bytes(r->ride.stream, &in, &out);
    fogi_log(LOG_AT_DEBUG, "stream %u %s, %llu bytes in, %llu out", fog_stream_id(r->ride.stream),
             how, (unsigned long long)in, (unsigned long long)out);
}

void
fogi_relay_detach(struct relay *r)
{
    bool was_on = r->ride.stream;
    list_unlink(&r->link);
    fogi_rider_off(&r->ride);
    if (was_on && r->started && !r->closing)
        uv_read_stop((uv_stream_t *)&r->tcp); /* there is nowhere to read to */
}

/** Closes the connection; the stream must have been told. */
static void
close_relay(struct relay *r, bool reset)
{
    if (r->closing)
        return;
    r->closing = true;
    fogi_relay_detach(r);
    if (r->dial)
        r->undial(r);
    if (r->piece)
        r->piece->r = NULL;
    if (!r->has_tcp) {
        free_relay(r);
        return;
    }
    if (uv_is_closing((uv_handle_t *)&r->tcp))
        return; /* on_dropped() frees it */
    if (reset)
        fogi_tcp_will_reset(&r->tcp);
    uv_close((uv_handle_t *)&r->tcp, on_closed);
    fogi_loop_fd_given(&r->p->loop);
}

void
fogi_relay_abort(struct relay *r)
{
    if (r->closing)
        return;
    log_end(r, "reset");
    r->p->n.streams_reset++;
    if (r->ride.stream)
        fog_session_reset(r->ride.carrier->session, r->ride.stream, process_now(r->p));
    close_relay(r, true);
}

void
fogi_relay_refuse(struct relay *r)
{
    log_end(r, "refused");
    r->p->n.streams_reset++;
    if (r->ride.stream)
        fog_session_refuse(r->ride.carrier->session, r->ride.stream, process_now(r->p));
    close_relay(r, true);
}

static void
close_when_done(struct relay *r)
{
    if (!r->in_done || !r->out_done)
        return;
    log_end(r, "ended");
    r->p->n.streams_ended++;
    close_relay(r, false);
}

/* ----------------------------------------------------------------------- connection to the stream
 */

static void
local_ended(struct relay *r)
{
    r->in_done = r->moved = true;
    int rc = fog_session_finish(r->ride.carrier->session, r->ride.stream, process_now(r->p));
    rider_touch(&r->ride);
    if (rc) {
        fogi_relay_abort(r);
        return;
    }
    if (!r->out_begun)
        fogi_hangup_watch(&r->p->hangups, &r->tcp, r);
    close_when_done(r);
}

void
fogi_relay_broke(void *ctx)
{
    struct relay *r = ctx;
    fogi_relay_abort(r);
}

/** Bytes of the connection stand in the memory last reserved. False when the relay is gone. */
static bool
local_read(struct relay *r, size_t len)
{
    r->moved = true;
    int rc = fog_session_commit(r->ride.carrier->session, r->ride.stream, len, process_now(r->p));
    rider_touch(&r->ride);
    if (!rc)
        return true;
    fogi_relay_abort(r);
    return false;
}

/** libuv asks where to read to: the tunnel's own send queue, so that no byte is copied. */
static void
on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
    struct relay *r = h->data;
    void *at = NULL;
    size_t cap = 0;
    (void)suggested;
    if (fog_session_reserve(r->ride.carrier->session, r->ride.stream, &at, &cap, process_now(r->p)))
        cap = 0; /* reserving again in on_read() tells why */
    *buf = uv_buf_init(at, (unsigned)cap);
}

static void
on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
    struct relay *r = s->data;
    (void)buf;
    if (n > 0) {
        local_read(r, (size_t)n);
    } else if (n == UV_ENOBUFS) {
        uv_read_stop(s);
        read_local(r); /* no room: wait for it; or find out that the stream is over */
    } else if (n == UV_EOF) {
        uv_read_stop(s);
        /* libuv also says this of a reset that came right behind bytes: ask the system itself. */
        read_local(r);
    } else if (n < 0) {
        fogi_relay_abort(r);
    }
}

/** Reads when the connection has something. */
static void
await_local(struct relay *r)
{
    int err = uv_read_start((uv_stream_t *)&r->tcp, on_alloc, on_read);
    if (err && err != UV_EALREADY)
        fogi_relay_abort(r);
}

/** The stream may be written: reads until the connection has nothing or the tunnel no room. */
static void
read_local(struct relay *r)
{
    for (int i = 0; i < TURN_READS; i++) {
        void *at = NULL;
        size_t cap = 0;
        if (fog_session_reserve(r->ride.carrier->session, r->ride.stream, &at, &cap,
                                process_now(r->p))) {
            fogi_relay_abort(r);
            return;
        }
        if (!cap)
            return; /* FOG_EV_WRITABLE follows */
        ssize_t n = fogi_tcp_read(&r->tcp, at, cap);
        if (n == UV_EAGAIN)
            break;
        if (n == 0) {
            local_ended(r);
            return;
        }
        if (n < 0) {
            fogi_relay_abort(r);
            return;
        }
        if (!local_read(r, (size_t)n))
            return;
    }
    await_local(r);
}

/* ----------------------------------------------------------------------- stream to the connection
 */

static void
on_shutdown(uv_shutdown_t *req, int status)
{
    struct relay *r = req->data;
    if (r->closing)
        return;
    if (status) {
        fogi_relay_abort(r);
        return;
    }
    r->out_done = true;
    close_when_done(r);
}

static void
stream_ended(struct relay *r)
{
    r->out_begun = r->moved = true;
    r->req.shutdown.data = r;
    if (uv_shutdown(&r->req.shutdown, (uv_stream_t *)&r->tcp, on_shutdown))
        fogi_relay_abort(r);
}

static void
on_written(uv_write_t *req, int status)
{
    struct relay_piece *piece = req->data;
    struct relay *r = piece->r;
    put(piece->p, piece, sizeof *piece);
    if (!r)
        return;
    r->piece = NULL;
    if (status)
        fogi_relay_abort(r);
    else
        write_local(r);
}

/** Takes the next bytes off the stream, so that they need not stay where they were lent, and lets
 *  libuv write them when it can. NULL when that is not possible. */
static struct relay_piece *
write_piece(struct relay *r)
{
    struct relay_piece *piece = get(r->p, sizeof *piece);
    if (!piece)
        return NULL;
    piece->r = NULL;
    piece->p = r->p;
    piece->len = 0;
    piece->req.data = piece;
    while (piece->len < PIECE_BYTES) {
        const void *at;
        size_t len;
        bool eof;
        if (fog_session_peek(r->ride.carrier->session, r->ride.stream, &at, &len, &eof) || !len)
            break;
        if (len > PIECE_BYTES - piece->len)
            len = PIECE_BYTES - piece->len;
        memcpy(piece->bytes + piece->len, at, len);
        piece->len += len;
        fog_session_consume(r->ride.carrier->session, r->ride.stream, len, process_now(r->p));
    }
    uv_buf_t buf = uv_buf_init((char *)piece->bytes, (unsigned)piece->len);
    if (!uv_write(&piece->req, (uv_stream_t *)&r->tcp, &buf, 1, on_written))
        return piece;
    put(r->p, piece, sizeof *piece);
    return NULL;
}

/** The connection is full. */
static void
write_later(struct relay *r)
{
    r->piece = write_piece(r);
    if (r->piece)
        r->piece->r = r;
    else
        fogi_relay_abort(r);
}

static void
write_local(struct relay *r)
{
    while (!r->piece && !r->out_begun) {
        const void *at;
        size_t len;
        bool eof;
        if (fog_session_peek(r->ride.carrier->session, r->ride.stream, &at, &len, &eof)) {
            fogi_relay_abort(r);
            return;
        }
        if (!len) {
            if (eof)
                stream_ended(r);
            return;
        }
        ssize_t n = fogi_tcp_write(&r->tcp, at, len);
        if (n < 0) {
            fogi_relay_abort(r);
            return;
        }
        r->moved = true;
        fog_session_consume(r->ride.carrier->session, r->ride.stream, (size_t)n, process_now(r->p));
        rider_touch(&r->ride);
        if ((size_t)n < len)
            write_later(r);
    }
}

/* ------------------------------------------------------------------------------------- the pair */

void
fogi_relay_start(struct relay *r)
{
    r->started = true;
    uv_tcp_nodelay(&r->tcp, 1);
    if (r->undial)
        await_local(r); /* who was just dialled has not spoken yet */
    else if (!r->cautious)
        read_local(r);
    if (!r->closing)
        write_local(r);
}

static void
established(struct relay *r)
{
    if (!r->started || !r->cautious)
        return;
    r->cautious = false;
    read_local(r);
}

static void
on_event(struct rider *ride, const struct fog_event *ev)
{
    struct relay *r = list_entry(ride, struct relay, ride);
    switch (ev->type) {
    case FOG_EV_RESET:
        fogi_relay_abort(r);
        break;
    case FOG_EV_READABLE:
        if (r->started)
            write_local(r);
        break;
    case FOG_EV_WRITABLE:
        if (r->started && !r->in_done && !r->cautious)
            read_local(r);
        break;
    case FOG_EV_ESTABLISHED:
        established(r);
        break;
    case FOG_EV_READY:
    case FOG_EV_OPENED:
    case FOG_EV_SUSPECT:
    case FOG_EV_WORN:
    case FOG_EV_CLOSED:
        break;
    }
}

/** The tunnel goes, but nothing of this stream is missing: the connection gets the rest and its end
 *  without it. False when something is missing. */
static bool
outlive(struct relay *r)
{
    struct fog_session *s = r->ride.carrier->session;
    const void *at;
    size_t len;
    bool eof;
    if (!r->in_done || r->p->phase == PROCESS_STOPPED || !fog_session_is_whole(s, r->ride.stream))
        return false;
    while (!fog_session_peek(s, r->ride.stream, &at, &len, &eof) && len)
        if (!write_piece(r))
            return false;
    if (r->piece)
        r->piece->r = NULL; /* nothing follows it any more */
    r->piece = NULL;
    if (!r->out_begun)
        stream_ended(r);
    if (!r->closing)
        fogi_relay_detach(r);
    return true;
}

/** Taken over, gone on alone with what has arrived where nothing is missing, or reset. */
static void
on_carrier_ends(struct rider *ride)
{
    struct relay *r = list_entry(ride, struct relay, ride);
    struct carrier *c = ride->carrier;
    if (outlive(r))
        return;
    if (r->moved || !c->orphan || !c->orphan(c, ride))
        fogi_relay_abort(r);
}

static const struct rider_ops ride_ops = {.event = on_event, .ends = on_carrier_ends};
