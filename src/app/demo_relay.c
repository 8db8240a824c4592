/* SPDX-License-Identifier: MIT
 *
 * demo_relay.c - the bad link: UDP in, the model of emu.h, UDP out. Knows datagrams and addresses;
 * not what they carry. Each source address of the client gets a socket of its own toward the
 * server, so that a client that changes its port looks like one to the server as well.
 */
#define _GNU_SOURCE
#include "app/demo_int.h"

#include <string.h>

static void arm(struct demo_relay *r, fog_time now);

static void
on_alloc(uv_handle_t *handle, size_t hint, uv_buf_t *buf)
{
    struct demo_relay *r = handle->data;
    (void)hint;
    *buf = uv_buf_init(r->buf, sizeof r->buf);
}

static void
on_alloc_flow(uv_handle_t *handle, size_t hint, uv_buf_t *buf)
{
    struct demo_flow *f = handle->data;
    (void)hint;
    *buf = uv_buf_init(f->relay->buf, sizeof f->relay->buf);
}

/* What is due leaves now. */
static void
deliver(struct demo_relay *r, fog_time now)
{
    char out[2048];
    uv_buf_t buf = uv_buf_init(out, 0);
    uint64_t tag;
    size_t len;
    while (fogi_emu_pop(r->up, &tag, out, sizeof out, &len, now)) {
        buf.len = len;
        if (uv_udp_try_send(&r->flow[tag].upstream, &buf, 1, (struct sockaddr *)&r->server) < 0)
            r->unsent++;
    }
    while (fogi_emu_pop(r->down, &tag, out, sizeof out, &len, now)) {
        buf.len = len;
        if (uv_udp_try_send(&r->listener, &buf, 1, (struct sockaddr *)&r->flow[tag].client) < 0)
            r->unsent++;
    }
}

static void
on_timer(uv_timer_t *timer)
{
    struct demo_relay *r = timer->data;
    fog_time now = demo_now();
    deliver(r, now);
    arm(r, now);
}

static void
arm(struct demo_relay *r, fog_time now)
{
    fog_time up = fogi_emu_deadline(r->up), down = fogi_emu_deadline(r->down);
    fog_time at = up < down ? up : down;
    if (at == FOG_TIME_NEVER) {
        uv_timer_stop(&r->timer);
        return;
    }
    /* Rounded to the nearest: the loop counts in ms, and half of them early is as good as late. */
    uint64_t ms = at > now ? (uint64_t)(at - now + 500) / 1000 : 0;
    uv_update_time(r->timer.loop);
    uv_timer_start(&r->timer, on_timer, ms, 0);
}

static void
on_from_server(uv_udp_t *socket, ssize_t n, const uv_buf_t *buf, const struct sockaddr *from,
               unsigned flags)
{
    struct demo_flow *f = socket->data;
    (void)flags;
    if (n <= 0 || !from)
        return;
    fog_time now = demo_now();
    fogi_emu_push(f->relay->down, f->index, buf->base, (size_t)n, now);
    deliver(f->relay, now);
    arm(f->relay, now);
}

static int
bind_any(uv_udp_t *socket)
{
    struct sockaddr_in any;
    int rc = uv_ip4_addr(DEMO_IP, 0, &any);
    if (rc == 0)
        rc = uv_udp_bind(socket, (const struct sockaddr *)&any, 0);
    if (rc == 0) {
        int size = 4 << 20; /* as much as the system lets us have; less is no failure */
        uv_recv_buffer_size((uv_handle_t *)socket, &size);
        size = 4 << 20;
        uv_send_buffer_size((uv_handle_t *)socket, &size);
    }
    return rc;
}

/* The flow of a client's address, made if it is new. NULL: no more room. */
static struct demo_flow *
flow_of(struct demo_relay *r, const struct sockaddr_in *from)
{
    for (uint64_t i = 0; i < r->n_flows; i++)
        if (r->flow[i].client.sin_port == from->sin_port)
            return &r->flow[i];
    if (r->n_flows == DEMO_FLOWS_MAX)
        return NULL;
    struct demo_flow *f = &r->flow[r->n_flows];
    f->relay = r;
    f->client = *from;
    f->index = r->n_flows;
    if (uv_udp_init(r->listener.loop, &f->upstream) != 0)
        return NULL;
    f->upstream.data = f;
    r->n_flows++;
    if (bind_any(&f->upstream) != 0 ||
        uv_udp_recv_start(&f->upstream, on_alloc_flow, on_from_server) != 0)
        return NULL;
    return f;
}

static void
on_from_client(uv_udp_t *socket, ssize_t n, const uv_buf_t *buf, const struct sockaddr *from,
               unsigned flags)
{
    struct demo_relay *r = socket->data;
    struct sockaddr_in addr;
    (void)flags;
    if (n <= 0 || !from)
        return;
    memcpy(&addr, from, sizeof addr);
    struct demo_flow *f = flow_of(r, &addr);
    if (!f)
        return;
    fog_time now = demo_now();
    fogi_emu_push(r->up, f->index, buf->base, (size_t)n, now);
    deliver(r, now);
    arm(r, now);
}

static int
make_links(struct demo_relay *r, const struct demo_options *o)
{
    struct emu_options e = {.delay_us = o->delay_us,
                            .jitter_us = o->jitter_us,
                            .loss = o->loss,
                            .rate_bps = o->rate_bps,
                            /* A tenth of a second of the rate, as a usual router keeps. */
                            .queue_bytes = (size_t)(o->rate_bps / 80),
                            .overhead = DEMO_OVERHEAD};
    struct rng rng = {o->seed};
    if (o->rate_bps && e.queue_bytes < DEMO_CHUNK)
        e.queue_bytes = DEMO_CHUNK;
    if (fogi_emu_new(&r->up, &e, rng_split(&rng, 1), fog_alloc_libc()) != 0 ||
        fogi_emu_new(&r->down, &e, rng_split(&rng, 2), fog_alloc_libc()) != 0)
        return UV_ENOMEM;
    return 0;
}

int
fogi_demo_relay_start(struct demo_relay *r, uv_loop_t *loop, const struct demo_options *o,
                      uint16_t server_port)
{
    struct sockaddr_in bound;
    int len = sizeof bound;
    uv_timer_init(loop, &r->timer);
    r->timer.data = r;
    int rc = uv_udp_init(loop, &r->listener);
    r->listener.data = r;
    if (rc == 0)
        rc = make_links(r, o);
    if (rc == 0)
        rc = uv_ip4_addr(DEMO_IP, server_port, &r->server);
    if (rc == 0)
        rc = bind_any(&r->listener);
    if (rc == 0)
        rc = uv_udp_getsockname(&r->listener, (struct sockaddr *)&bound, &len);
    if (rc == 0)
        rc = uv_udp_recv_start(&r->listener, on_alloc, on_from_client);
    if (rc == 0)
        r->port = ntohs(bound.sin_port);
    return rc;
}

void
fogi_demo_relay_stop(struct demo_relay *r)
{
    uv_close((uv_handle_t *)&r->timer, NULL);
    uv_close((uv_handle_t *)&r->listener, NULL);
    for (uint64_t i = 0; i < r->n_flows; i++)
        uv_close((uv_handle_t *)&r->flow[i].upstream, NULL);
}

void
fogi_demo_relay_free(struct demo_relay *r)
{
    fogi_emu_free(r->up);
    fogi_emu_free(r->down);
}
