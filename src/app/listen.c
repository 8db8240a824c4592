/* SPDX-License-Identifier: MIT */
#include "app/listen.h"

#include "io/log.h"
#include "io/tcp.h"

#include <assert.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

#define REOPEN_US FOG_MS(100)

int
fogi_listen_address(const struct hostport *at, struct fog_addr *addr, bool *all)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *res;
    *all = !*at->host;
    *addr = (struct fog_addr){.port = at->port};
    if (*all || fogi_addr_parse(addr, at->host, at->port))
        return 0;
    if (getaddrinfo(at->host, NULL, &hints, &res))
        return UV_EAI_NONAME;
    fogi_addr_from_system(addr, res->ai_addr);
    addr->port = at->port;
    freeaddrinfo(res);
    return 0;
}

bool
fogi_listen_is_private(const struct hostport *at)
{
    struct fog_addr a;
    bool all;
    return !fogi_listen_address(at, &a, &all) && !all && fogi_addr_is_loopback(&a);
}

void
fogi_listen_complain(const char *role, const struct hostport *at, const char *protocol, int err)
{
    struct fog_addr a;
    bool all;
    char text[ADDR_TEXT_MAX];
    if (fogi_listen_address(at, &a, &all))
        fprintf(stderr, "foggara %s: cannot listen on %s %s:%u: %s\n", role, protocol, at->host,
                at->port, fogi_io_text(err));
    else
        fprintf(stderr, "foggara %s: cannot listen on %s %s: %s\n", role, protocol,
                fogi_addr_text(&a, text), fogi_io_text(err));
}

static int open_listener(struct listener *l);

static void on_broken_closed(uv_handle_t *h);

static void
on_reopen(struct alarm *a)
{
    struct listener *l = list_entry(a, struct listener, reopen);
    int err = open_listener(l);
    if (err) {
        LOG_LIMITED(LOG_AT_WARN, "cannot listen again: %s; trying on", fogi_io_text(err));
        uv_close((uv_handle_t *)&l->tcp, on_broken_closed);
    }
}

static void
on_broken_closed(uv_handle_t *h)
{
    struct listener *l = h->data;
    if (!l->closing)
        fogi_alarm_set(&l->reopen, process_now(l->p) + REOPEN_US);
}

static void
take_waiting(struct pump *pump)
{
    struct listener *l = list_entry(pump, struct listener, ready);
    if (!l->waiting || !l->open || l->dropping)
        return;
    if (!loop_fd_free(&l->p->loop)) {
        fogi_loop_fd_wait(&l->p->loop, &l->ready);
        return;
    }
    l->waiting = false;
    l->incoming(l->ctx, (uv_stream_t *)&l->tcp);
}

static void
on_connection(uv_stream_t *s, int status)
{
    struct listener *l = s->data;
    if (status) {
        l->p->n.limit_accept_hit++;
        LOG_LIMITED(LOG_AT_WARN, "cannot accept: %s; pausing", fogi_io_text(status));
        l->open = false;
        fogi_loop_fd_given(&l->p->loop);
        uv_close((uv_handle_t *)s, on_broken_closed);
        return;
    }
    l->waiting = true; /* libuv keeps the connection and asks for no other meanwhile */
    take_waiting(&l->ready);
}

static void
on_drop_closed(uv_handle_t *h)
{
    struct listener *l = h->data;
    l->dropping = false;
    if (!l->closing && l->waiting)
        loop_later(&l->p->loop, &l->ready);
}

void
fogi_listen_drop(uv_stream_t *stream)
{
    struct listener *l = stream->data;
    assert(!l->dropping && "no connection is offered meanwhile");
    l->dropping = true;
    uv_tcp_init(&l->p->loop.uv, &l->dropped);
    l->dropped.data = l;
    if (!uv_accept(stream, (uv_stream_t *)&l->dropped))
        fogi_tcp_will_reset(&l->dropped);
    uv_close((uv_handle_t *)&l->dropped, on_drop_closed);
}

static int
open_listener(struct listener *l)
{
    int err =
        fogi_tcp_listen(&l->p->loop, &l->tcp, l->all ? NULL : &l->at, l->at.port, on_connection);
    l->tcp.data = l;
    l->open = !err;
    l->waiting = false;
    if (!err)
        fogi_loop_fd_taken(&l->p->loop);
    return err;
}

int
fogi_listen(struct listener *l, struct process *p, const struct hostport *at,
            void (*incoming)(void *ctx, uv_stream_t *stream), void *ctx)
{
    *l = (struct listener){.p = p, .incoming = incoming, .ctx = ctx};
    pump_init(&l->ready, take_waiting);
    int err = fogi_listen_address(at, &l->at, &l->all);
    l->closing = true; /* until it stands */
    if (err)
        return err;
    fogi_alarm_init(&l->reopen, &p->loop, on_reopen);
    err = open_listener(l);
    if (err) {
        uv_close((uv_handle_t *)&l->tcp, NULL);
        fogi_alarm_close(&l->reopen, NULL);
        return err;
    }
    l->closing = false;
    return 0;
}

void
fogi_listen_close(struct listener *l)
{
    if (l->closing || !l->p)
        return;
    l->closing = true;
    pump_cancel(&l->ready);
    fogi_alarm_close(&l->reopen, NULL);
    if (l->open) {
        uv_close((uv_handle_t *)&l->tcp, NULL);
        fogi_loop_fd_given(&l->p->loop);
    }
    l->open = false;
}
