/* SPDX-License-Identifier: MIT
 *
 * demo_probe.c - what is asked through the tunnel: one large download, and small messages that come
 * back. Knows HTTP's header and the content it expects; not that a tunnel is in between.
 */
#define _GNU_SOURCE
#include "app/demo_int.h"

#include <stdlib.h>
#include <string.h>

static void
fail(struct demo_probe *p, const char *what, int rc)
{
    if (p->state == DEMO_PROBE_FAILED)
        return;
    snprintf(p->error, sizeof p->error, "%s: %s%s%s", p->path, what, rc ? ": " : "",
             rc ? uv_strerror(rc) : "");
    fogi_demo_probe_stop(p);
    p->state = DEMO_PROBE_FAILED;
}

static void
on_alloc(uv_handle_t *handle, size_t hint, uv_buf_t *buf)
{
    struct demo_probe *p = handle->data;
    (void)hint;
    *buf = uv_buf_init((char *)p->buf, sizeof p->buf);
}

/* Bytes of the header among the first n of buf; the rest is body. */
static size_t
take_header(struct demo_probe *p, const uint8_t *buf, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p->head_len == sizeof p->head - 1) {
            fail(p, "the answer's header is too long", 0);
            return n;
        }
        p->head[p->head_len++] = (char)buf[i];
        if (p->head_len < 4 || memcmp(p->head + p->head_len - 4, "\r\n\r\n", 4) != 0)
            continue;
        p->head[p->head_len] = '\0';
        if (strncmp(p->head, "HTTP/1.1 200 ", 13) != 0)
            fail(p, "the answer is not 200 OK", 0);
        else
            p->state = DEMO_PROBE_BODY;
        return i + 1;
    }
    return n;
}

static void
on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct demo_probe *p = stream->data;
    if (n == UV_EOF && p->state == DEMO_PROBE_BODY) {
        fogi_demo_probe_stop(p);
        p->state = DEMO_PROBE_ENDED;
        return;
    }
    if (n == UV_EOF) {
        fail(p, "closed before an answer came", 0);
        return;
    }
    if (n < 0) {
        fail(p, "reading failed", (int)n);
        return;
    }
    size_t head = 0, len = (size_t)n;
    if (p->state == DEMO_PROBE_WAITING)
        head = take_header(p, p->buf, len);
    if (p->state == DEMO_PROBE_BODY && head < len)
        p->body(p, (const uint8_t *)buf->base + head, len - head);
}

static void
on_connected(uv_connect_t *req, int status)
{
    struct demo_probe *p = req->data;
    if (status == UV_ECANCELED)
        return;
    if (status < 0) {
        fail(p, "cannot connect", status);
        return;
    }
    int len =
        snprintf(p->request, sizeof p->request, "GET %s HTTP/1.1\r\nHost: demo\r\n\r\n", p->path);
    uv_buf_t buf = uv_buf_init(p->request, (unsigned)len);
    uv_tcp_nodelay(&p->tcp, 1);
    p->state = DEMO_PROBE_WAITING;
    int rc = uv_write(&p->write, (uv_stream_t *)&p->tcp, &buf, 1, NULL);
    if (rc == 0)
        rc = uv_read_start((uv_stream_t *)&p->tcp, on_alloc, on_read);
    if (rc != 0)
        fail(p, "cannot send the request", rc);
}

int
fogi_demo_probe_start(struct demo_probe *p, uv_loop_t *loop, const char *path, uint16_t port)
{
    struct sockaddr_in to;
    int rc = uv_ip4_addr(DEMO_IP, port, &to);
    p->path = path;
    p->head_len = 0;
    p->error[0] = '\0';
    if (rc == 0)
        rc = uv_tcp_init(loop, &p->tcp);
    if (rc != 0)
        return rc;
    p->open = true;
    p->tcp.data = p;
    p->connect.data = p;
    p->state = DEMO_PROBE_CONNECTING;
    return uv_tcp_connect(&p->connect, &p->tcp, (const struct sockaddr *)&to, on_connected);
}

static void
on_closed(uv_handle_t *handle)
{
    struct demo_probe *p = handle->data;
    p->open = false;
}

void
fogi_demo_probe_stop(struct demo_probe *p)
{
    if (p->open && !uv_is_closing((uv_handle_t *)&p->tcp))
        uv_close((uv_handle_t *)&p->tcp, on_closed);
}

/* ------------------------------------------------------------------------------------- download */

static void
download_body(struct demo_probe *p, const uint8_t *bytes, size_t len)
{
    struct demo_download *d = (struct demo_download *)(void *)p;
    static uint8_t want[DEMO_CHUNK];
    if (len > d->size - d->got) {
        fail(p, "more bytes came than were sent", 0);
        return;
    }
    fogi_demo_content(d->seed, d->got, want, len);
    if (memcmp(want, bytes, len) != 0) {
        fail(p, "wrong bytes came", 0);
        return;
    }
    d->got += len;
    if (d->got == d->size)
        d->ended = demo_now();
}

void
fogi_demo_download_init(struct demo_download *d, uint64_t size, uint64_t seed)
{
    static_assert(offsetof(struct demo_download, probe) == 0, "download_body() casts back");
    d->size = size;
    d->seed = seed;
    d->probe.body = download_body;
}

bool
fogi_demo_download_done(const struct demo_download *d)
{
    return d->probe.state == DEMO_PROBE_ENDED && d->got == d->size;
}

/* ----------------------------------------------------------------------------------------- echo */

static void
echo_message(struct demo_echo *e, fog_time now)
{
    uint32_t number;
    memcpy(&number, e->part, sizeof number);
    if (number != e->back) {
        fail(&e->probe, "messages came back wrong", 0);
        return;
    }
    bool beside = number >= e->beside_from && number < e->beside_to;
    struct demo_samples *s = beside ? &e->beside : &e->alone;
    /* Those sent before the download began and answered beside it count with it too. */
    if (s->n < DEMO_SAMPLES_MAX)
        s->ms[s->n++] = (double)(now - e->at[number]) / 1000;
    e->back++;
}

static void
echo_body(struct demo_probe *p, const uint8_t *bytes, size_t len)
{
    struct demo_echo *e = (struct demo_echo *)(void *)p;
    fog_time now = demo_now();
    while (len && p->state == DEMO_PROBE_BODY) {
        size_t room = DEMO_ECHO_LEN - e->part_len, take = len < room ? len : room;
        memcpy(e->part + e->part_len, bytes, take);
        e->part_len += take;
        bytes += take;
        len -= take;
        if (e->part_len == DEMO_ECHO_LEN) {
            e->part_len = 0;
            echo_message(e, now);
        }
    }
}

void
fogi_demo_echo_init(struct demo_echo *e)
{
    static_assert(offsetof(struct demo_echo, probe) == 0, "echo_body() casts back");
    e->probe.body = echo_body;
    e->beside_from = e->beside_to = UINT32_MAX;
}

static void
on_sent(uv_write_t *req, int status)
{
    struct demo_probe *p = req->data;
    free(req);
    if (status < 0 && status != UV_ECANCELED)
        fail(p, "writing failed", status);
}

void
fogi_demo_echo_send(struct demo_echo *e, fog_time now)
{
    struct message {
        uv_write_t req;
        char bytes[DEMO_ECHO_LEN];
    };
    if (e->probe.state != DEMO_PROBE_BODY || e->sent == DEMO_SAMPLES_MAX)
        return;
    struct message *m = calloc(1, sizeof *m);
    if (!m)
        return;
    memcpy(m->bytes, &e->sent, sizeof e->sent);
    m->req.data = &e->probe;
    e->at[e->sent++] = now;
    uv_buf_t buf = uv_buf_init(m->bytes, DEMO_ECHO_LEN);
    int rc = uv_write(&m->req, (uv_stream_t *)&e->probe.tcp, &buf, 1, on_sent);
    if (rc != 0) {
        free(m);
        fail(&e->probe, "writing failed", rc);
    }
}

static int
compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double
fogi_demo_percentile(const struct demo_samples *s, double share)
{
    static double sorted[DEMO_SAMPLES_MAX];
    if (!s->n)
        return 0;
    memcpy(sorted, s->ms, s->n * sizeof sorted[0]);
    qsort(sorted, s->n, sizeof sorted[0], compare);
    return sorted[(size_t)(share * (double)(s->n - 1) + 0.5)];
}
