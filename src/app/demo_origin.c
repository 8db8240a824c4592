/* SPDX-License-Identifier: MIT
 *
 * demo_origin.c - the HTTP server behind the tunnel. Knows two paths; nothing of tunnels.
 */
#define _GNU_SOURCE
#include "app/demo_int.h"

#include "base/list.h"

#include <stdlib.h>
#include <string.h>

enum conn_kind { CONN_REQUEST, CONN_DATA, CONN_ECHO };

/* One connection. One write is under way at most; echo stops reading while it is. */
struct conn {
    struct list link;
    struct demo_origin *origin;
    uv_tcp_t tcp;
    uv_write_t write;
    uv_shutdown_t shutdown;
    enum conn_kind kind;
    bool eof;      /* the peer has finished */
    bool finished; /* we have               */
    uint64_t sent; /* bytes of the content  */
    size_t head_len;
    char head[1024];
    char in[DEMO_CHUNK], out[DEMO_CHUNK];
};

void
fogi_demo_content(uint64_t seed, uint64_t pos, void *buf, size_t len)
{
    uint8_t *out = buf;
    while (len) {
        /* Word i of the generator that started at seed, without the words before it. */
        struct rng r = {seed + (pos / 8) * 0x9e3779b97f4a7c15u};
        uint64_t word = rng_next(&r);
        size_t skip = pos % 8, n = 8 - skip < len ? 8 - skip : len;
        for (size_t i = 0; i < n; i++)
            out[i] = (uint8_t)(word >> (8 * (skip + i)));
        out += n;
        pos += n;
        len -= n;
    }
}

static void
on_closed(uv_handle_t *handle)
{
    struct conn *c = handle->data;
    list_unlink(&c->link);
    free(c);
}

static void
drop(struct conn *c)
{
    if (!uv_is_closing((uv_handle_t *)&c->tcp))
        uv_close((uv_handle_t *)&c->tcp, on_closed);
}

static void
on_shutdown(uv_shutdown_t *req, int status)
{
    struct conn *c = req->data;
    c->finished = true;
    if (status < 0 || c->eof)
        drop(c);
}

static void
finish(struct conn *c)
{
    c->shutdown.data = c;
    if (uv_shutdown(&c->shutdown, (uv_stream_t *)&c->tcp, on_shutdown) != 0)
        drop(c);
}

static void on_written(uv_write_t *req, int status);

static void
send_out(struct conn *c, size_t len)
{
    uv_buf_t buf = uv_buf_init(c->out, (unsigned)len);
    c->write.data = c;
    if (uv_write(&c->write, (uv_stream_t *)&c->tcp, &buf, 1, on_written) != 0)
        drop(c);
}

static void
send_content(struct conn *c)
{
    uint64_t left = c->origin->size - c->sent;
    size_t len = left < sizeof c->out ? (size_t)left : sizeof c->out;
    if (!len) {
        finish(c);
        return;
    }
    fogi_demo_content(c->origin->seed, c->sent, c->out, len);
    c->sent += len;
    send_out(c, len);
}

static void
on_alloc(uv_handle_t *handle, size_t hint, uv_buf_t *buf)
{
    struct conn *c = handle->data;
    (void)hint;
    *buf = uv_buf_init(c->in, sizeof c->in);
}

/* The request is whole: the answer's header. */
static void
answer(struct conn *c)
{
    const char *text = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    int len;
    c->kind = CONN_DATA;
    c->sent = c->origin->size;
    if (strncmp(c->head, "GET /data ", 10) == 0) {
        c->sent = 0;
        len = snprintf(c->out, sizeof c->out,
                       "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"
                       "Content-Length: %llu\r\nConnection: close\r\n\r\n",
                       (unsigned long long)c->origin->size);
    } else if (strncmp(c->head, "GET /echo ", 10) == 0) {
        c->kind = CONN_ECHO;
        uv_read_stop((uv_stream_t *)&c->tcp);
        len = snprintf(c->out, sizeof c->out, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
    } else {
        len = snprintf(c->out, sizeof c->out, "%s", text);
    }
    send_out(c, (size_t)len);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf);

static void
on_written(uv_write_t *req, int status)
{
    struct conn *c = req->data;
    if (status < 0)
        drop(c);
    else if (c->kind == CONN_DATA)
        send_content(c);
    else if (uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read) != 0)
        drop(c);
}

static void
on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct conn *c = stream->data;
    if (n == UV_EOF && c->kind != CONN_REQUEST) {
        c->eof = true;
        if (c->kind == CONN_ECHO)
            finish(c);
        else if (c->finished)
            drop(c);
        return;
    }
    if (n < 0) {
        drop(c);
        return;
    }
    if (c->kind == CONN_ECHO && n > 0) {
        uv_read_stop(stream);
        memcpy(c->out, buf->base, (size_t)n);
        send_out(c, (size_t)n);
    }
    if (c->kind != CONN_REQUEST)
        return;
    size_t room = sizeof c->head - 1 - c->head_len, take = (size_t)n < room ? (size_t)n : room;
    memcpy(c->head + c->head_len, buf->base, take);
    c->head_len += take;
    if (strstr(c->head, "\r\n\r\n"))
        answer(c);
    else if (take == room)
        drop(c);
}

static void
on_connection(uv_stream_t *listener, int status)
{
    struct demo_origin *o = listener->data;
    struct conn *c = status < 0 ? NULL : calloc(1, sizeof *c);
    if (!c)
        return;
    c->origin = o;
    list_init(&c->link);
    list_push(&o->conns, &c->link);
    uv_tcp_init(listener->loop, &c->tcp);
    c->tcp.data = c;
    if (uv_accept(listener, (uv_stream_t *)&c->tcp) != 0 ||
        uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read) != 0) {
        drop(c);
        return;
    }
    uv_tcp_nodelay(&c->tcp, 1);
}

int
fogi_demo_origin_start(struct demo_origin *o, uv_loop_t *loop, uint64_t size, uint64_t seed)
{
    struct sockaddr_in any;
    struct sockaddr_in bound;
    int len = sizeof bound, rc = uv_tcp_init(loop, &o->listener);
    o->size = size;
    o->seed = seed;
    o->listener.data = o;
    list_init(&o->conns);
    if (rc == 0)
        rc = uv_ip4_addr(DEMO_IP, 0, &any);
    if (rc == 0)
        rc = uv_tcp_bind(&o->listener, (const struct sockaddr *)&any, 0);
    if (rc == 0)
        rc = uv_listen((uv_stream_t *)&o->listener, 16, on_connection);
    if (rc == 0)
        rc = uv_tcp_getsockname(&o->listener, (struct sockaddr *)&bound, &len);
    if (rc == 0)
        o->port = ntohs(bound.sin_port);
    return rc;
}

void
fogi_demo_origin_stop(struct demo_origin *o)
{
    uv_close((uv_handle_t *)&o->listener, NULL);
    for (struct list *l = o->conns.next; l != &o->conns; l = l->next)
        drop(list_entry(l, struct conn, link));
}
