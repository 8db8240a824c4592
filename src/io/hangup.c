/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "io/hangup.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define TURN_EVENTS 64

static void
on_event(uv_poll_t *poll, int status, int events)
{
    struct hangups *h = poll->data;
    struct epoll_event ev;
    (void)events;
    /* One at a time: what a call closes is out of the set before the next one is asked for. */
    for (int i = 0; i < TURN_EVENTS && !status; i++) {
        if (h->fd < 0 || epoll_wait(h->fd, &ev, 1, 0) <= 0)
            return;
        if (ev.events & EPOLLERR)
            h->broke(ev.data.ptr);
    }
}

int
fogi_hangups_init(struct hangups *h, struct loop *l, void (*broke)(void *ctx))
{
    *h = (struct hangups){.loop = l, .broke = broke};
    h->fd = epoll_create1(EPOLL_CLOEXEC);
    if (h->fd < 0)
        return -errno;
    int err = uv_poll_init(&l->uv, &h->poll, h->fd);
    if (err) {
        close(h->fd);
        h->fd = -1;
        return err;
    }
    h->poll.data = h;
    fogi_loop_fd_taken(l);
    err = uv_poll_start(&h->poll, UV_READABLE, on_event);
    uv_unref((uv_handle_t *)&h->poll);
    return err;
}

void
fogi_hangups_close(struct hangups *h)
{
    if (!h->loop || h->fd < 0)
        return;
    uv_close((uv_handle_t *)&h->poll, NULL);
    close(h->fd);
    h->fd = -1;
}

void
fogi_hangup_watch(struct hangups *h, const uv_tcp_t *t, void *ctx)
{
    struct epoll_event ev = {.events = EPOLLET, .data.ptr = ctx};
    uv_os_fd_t fd;
    if (h->fd >= 0 && !uv_fileno((const uv_handle_t *)t, &fd))
        epoll_ctl(h->fd, EPOLL_CTL_ADD, fd, &ev); /* failing, it is noticed later than it could */
}
