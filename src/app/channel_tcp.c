/* SPDX-License-Identifier: MIT */
#include "app/channel_tcp.h"

#include "io/tcp.h"

#include <assert.h>
#include <string.h>

/** Bytes the socket did not take at once. Outlives its channel while libuv holds it. */
struct tcp_piece {
    uv_write_t req;
    struct process *p;
    struct channel_tcp *t; /* NULL: the channel went away meanwhile */
    uint8_t bytes[CHANNEL_TCP_BLOCK];
};

struct channel_tcp {
    struct channel ch;
    struct process *p;
    uv_tcp_t tcp;
    union { /* connecting is over before anything is shut down */
        uv_connect_t connect;
        uv_shutdown_t shutdown;
    } req;
    void (*connected)(void *ctx, int err); /* NULL: it stands                                   */
    void *connected_ctx;
    uint8_t *block; /* NULL: no bytes are here                                                  */
    size_t head, tail;
    struct tcp_piece *piece;
    bool reading, eof, finished, shut;
};

static const struct channel_ops tcp_ops;

static struct channel_tcp *
tcp_of(struct channel *c)
{
    assert(c->ops == &tcp_ops && "the caller knows what it asks");
    return (struct channel_tcp *)(void *)c;
}

/* --------------------------------------------------------------------------------------- reading
 */

static void
drop_block(struct channel_tcp *t)
{
    if (t->block)
        t->p->al.free(t->p->al.ctx, t->block, CHANNEL_TCP_BLOCK);
    t->block = NULL;
    t->head = t->tail = 0;
}

static void
on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
    struct channel_tcp *t = h->data;
    (void)suggested;
    if (!t->block)
        t->block = t->p->al.alloc(t->p->al.ctx, CHANNEL_TCP_BLOCK);
    *buf = t->block ? uv_buf_init((char *)t->block + t->tail, CHANNEL_TCP_BLOCK - (unsigned)t->tail)
                    : uv_buf_init(NULL, 0);
}

static void
stop_reading(struct channel_tcp *t)
{
    uv_read_stop((uv_stream_t *)&t->tcp);
    t->reading = false;
}

/** libuv also says "end" of a reset that came right behind bytes: ask the system itself. */
static void
ended(struct channel_tcp *t)
{
    char none;
    stop_reading(t);
    ssize_t n = fogi_tcp_read(&t->tcp, &none, sizeof none);
    if (n < 0) {
        channel_break(&t->ch, fogi_io_text((int)n));
        return;
    }
    t->eof = true;
    fogi_process_watch_channel(t->p, &t->tcp, &t->ch);
    channel_notify(&t->ch);
}

static void
on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
    struct channel_tcp *t = s->data;
    (void)buf;
    if (n > 0) {
        t->tail += (size_t)n;
        if (t->tail == CHANNEL_TCP_BLOCK)
            stop_reading(t); /* until this was consumed */
        channel_notify(&t->ch);
        return;
    }
    if (t->block && t->head == t->tail)
        drop_block(t);
    if (n == 0)
        return;
    if (n == UV_EOF)
        ended(t);
    else {
        stop_reading(t);
        channel_break(&t->ch, n == UV_ENOBUFS ? "no memory" : fogi_io_text((int)n));
    }
}

static void
read_on(struct channel_tcp *t)
{
    if (t->reading || t->eof || t->ch.why)
        return;
    int err = uv_read_start((uv_stream_t *)&t->tcp, on_alloc, on_read);
    if (err)
        channel_break(&t->ch, fogi_io_text(err));
    else
        t->reading = true;
}

static int
tcp_peek(struct channel *c, const void **at, size_t *len, bool *eof)
{
    struct channel_tcp *t = tcp_of(c);
    *len = t->tail - t->head;
    *at = t->block ? t->block + t->head : NULL;
    *eof = t->eof;
    return c->why ? FOG_E_RESET : 0;
}

static void
tcp_consume(struct channel *c, size_t len)
{
    struct channel_tcp *t = tcp_of(c);
    assert(len <= t->tail - t->head && "no more than was lent");
    t->head += len;
    if (t->head < t->tail)
        return;
    drop_block(t);
    read_on(t);
}

/* --------------------------------------------------------------------------------------- writing
 */

static void
on_written(uv_write_t *req, int status)
{
    struct tcp_piece *piece = req->data;
    struct process *p = piece->p;
    struct channel_tcp *t = piece->t;
    p->al.free(p->al.ctx, piece, sizeof *piece);
    if (!t)
        return;
    t->piece = NULL;
    if (status)
        channel_break(&t->ch, fogi_io_text(status));
    else
        channel_notify(&t->ch);
}

/** The socket is full: libuv writes these when it can. Gives what was taken. */
static size_t
write_later(struct channel_tcp *t, const void *bytes, size_t len)
{
    struct tcp_piece *piece = t->p->al.alloc(t->p->al.ctx, sizeof *piece);
    if (!piece)
        return 0;
    if (len > CHANNEL_TCP_BLOCK)
        len = CHANNEL_TCP_BLOCK;
    piece->p = t->p;
    piece->t = t;
    piece->req.data = piece;
    memcpy(piece->bytes, bytes, len);
    uv_buf_t buf = uv_buf_init((char *)piece->bytes, (unsigned)len);
    if (uv_write(&piece->req, (uv_stream_t *)&t->tcp, &buf, 1, on_written)) {
        t->p->al.free(t->p->al.ctx, piece, sizeof *piece);
        return 0;
    }
    t->piece = piece;
    return len;
}

static int
tcp_write(struct channel *c, const void *bytes, size_t len, size_t *taken)
{
    struct channel_tcp *t = tcp_of(c);
    *taken = 0;
    if (c->why)
        return FOG_E_RESET;
    if (t->finished)
        return FOG_E_FINISHED;
    if (!len || t->piece)
        return 0;
    ssize_t n = fogi_tcp_write(&t->tcp, bytes, len);
    if (n < 0) {
        channel_break(c, fogi_io_text((int)n));
        return FOG_E_RESET;
    }
    *taken = (size_t)n;
    if (*taken == len)
        return 0;
    size_t kept = write_later(t, (const uint8_t *)bytes + n, len - *taken);
    *taken += kept;
    if (kept)
        return 0;
    channel_break(c, "no memory"); /* nobody would say when there is room again */
    return FOG_E_RESET;
}

static void
on_shutdown(uv_shutdown_t *req, int status)
{
    struct channel_tcp *t = req->data;
    if (uv_is_closing((uv_handle_t *)&t->tcp))
        return;
    if (status) {
        channel_break(&t->ch, fogi_io_text(status));
        return;
    }
    t->shut = true;
    channel_notify(&t->ch);
}

static int
tcp_finish(struct channel *c)
{
    struct channel_tcp *t = tcp_of(c);
    if (c->why)
        return FOG_E_RESET;
    if (t->finished)
        return 0;
    t->finished = true;
    t->req.shutdown.data = t;
    int err = uv_shutdown(&t->req.shutdown, (uv_stream_t *)&t->tcp, on_shutdown);
    if (!err)
        return 0;
    channel_break(c, fogi_io_text(err));
    return FOG_E_RESET;
}

static bool
tcp_is_sent(const struct channel *c)
{
    const struct channel_tcp *t = (const struct channel_tcp *)(const void *)c;
    return !t->piece && t->finished == t->shut;
}

/* ------------------------------------------------------------------------------ coming and going
 */

static void
on_closed(uv_handle_t *h)
{
    struct channel_tcp *t = h->data;
    t->p->al.free(t->p->al.ctx, t, sizeof *t);
}

static void
tcp_end(struct channel *c, bool reset)
{
    struct channel_tcp *t = tcp_of(c);
    drop_block(t);
    t->connected = NULL;
    if (t->piece)
        t->piece->t = NULL;
    if (reset)
        fogi_tcp_will_reset(&t->tcp);
    uv_close((uv_handle_t *)&t->tcp, on_closed);
    fogi_loop_fd_given(&t->p->loop);
}

static const struct channel_ops tcp_ops = {.kind = "tcp",
                                           .peek = tcp_peek,
                                           .consume = tcp_consume,
                                           .write = tcp_write,
                                           .finish = tcp_finish,
                                           .is_sent = tcp_is_sent,
                                           .end = tcp_end};

/** A handle without a connection; counted. NULL without memory. */
static struct channel_tcp *
new_tcp(struct process *p)
{
    struct channel_tcp *t = p->al.alloc(p->al.ctx, sizeof *t);
    if (!t)
        return NULL;
    memset(t, 0, sizeof *t);
    fogi_channel_init(&t->ch, &tcp_ops, &p->loop);
    t->p = p;
    if (uv_tcp_init(&p->loop.uv, &t->tcp)) {
        p->al.free(p->al.ctx, t, sizeof *t);
        return NULL;
    }
    t->tcp.data = t;
    fogi_loop_fd_taken(&p->loop);
    return t;
}

static void
stands(struct channel_tcp *t)
{
    uv_tcp_nodelay(&t->tcp, 1);
    read_on(t);
}

static int
give(struct channel **c, struct channel_tcp *t, int err)
{
    if (err) {
        tcp_end(&t->ch, true);
        return err;
    }
    stands(t);
    *c = &t->ch;
    return 0;
}

int
fogi_channel_tcp_accept(struct channel **c, struct process *p, uv_stream_t *listener)
{
    struct channel_tcp *t = new_tcp(p);
    return t ? give(c, t, uv_accept(listener, (uv_stream_t *)&t->tcp)) : UV_ENOMEM;
}

int
fogi_channel_tcp_open(struct channel **c, struct process *p, int fd)
{
    struct channel_tcp *t = new_tcp(p);
    return t ? give(c, t, uv_tcp_open(&t->tcp, fd)) : UV_ENOMEM;
}

static void
on_connect(uv_connect_t *req, int status)
{
    struct channel_tcp *t = req->data;
    void (*connected)(void *ctx, int err) = t->connected;
    if (!connected)
        return; /* it was reset */
    t->connected = NULL;
    if (status)
        channel_break(&t->ch, fogi_io_text(status));
    else
        stands(t);
    connected(t->connected_ctx, status);
}

int
fogi_channel_tcp_connect(struct channel **c, struct process *p, const struct fog_addr *to,
                         void (*done)(void *ctx, int err), void *ctx)
{
    struct channel_tcp *t = new_tcp(p);
    if (!t)
        return UV_ENOMEM;
    t->connected = done;
    t->connected_ctx = ctx;
    t->req.connect.data = t;
    int err = fogi_tcp_connect(&t->tcp, &t->req.connect, to, on_connect);
    if (err) {
        tcp_end(&t->ch, true);
        return err;
    }
    *c = &t->ch;
    return 0;
}

void
fogi_channel_tcp_peer(const struct channel *c, struct fog_addr *a)
{
    fogi_tcp_peer(&((const struct channel_tcp *)(const void *)c)->tcp, a);
}

void
fogi_channel_tcp_local(const struct channel *c, struct fog_addr *a)
{
    union sockaddr_any sa;
    int len = sizeof sa;
    memset(a, 0, sizeof *a);
    if (!uv_tcp_getsockname(&((const struct channel_tcp *)(const void *)c)->tcp, &sa.sa, &len))
        fogi_addr_from_system(a, &sa.sa);
}

void
fogi_channel_tcp_broke(void *c)
{
    channel_break(c, "connection reset by peer");
}
