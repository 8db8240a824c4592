/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "app/rival.h"

#include "io/tcp.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

static void
on_closed(uv_handle_t *h)
{
    struct rival *v = h->data;
    struct process *p = v->p;
    p->al.free(p->al.ctx, v, sizeof *v);
}

void
fogi_rival_close(struct rival *v)
{
    v->closing = true;
    list_unlink(&v->link);
    fogi_loop_fd_given(&v->p->loop);
    uv_close((uv_handle_t *)&v->tcp, on_closed);
}

static void
on_connect(uv_connect_t *req, int status)
{
    struct rival *v = req->data;
    if (!v->closing)
        v->done(v, status);
}

struct rival *
fogi_rival_new(struct process *p, const struct fog_addr *to, void *owner,
               void (*done)(struct rival *v, int err))
{
    struct rival *v = p->al.alloc(p->al.ctx, sizeof *v);
    if (!v)
        return NULL;
    memset(v, 0, sizeof *v);
    v->p = p;
    v->owner = owner;
    v->done = done;
    list_init(&v->link);
    if (uv_tcp_init(&p->loop.uv, &v->tcp)) {
        p->al.free(p->al.ctx, v, sizeof *v);
        return NULL;
    }
    v->tcp.data = v->connect.data = v;
    fogi_loop_fd_taken(&p->loop);
    if (fogi_tcp_connect(&v->tcp, &v->connect, to, on_connect)) {
        fogi_rival_close(v);
        return NULL;
    }
    return v;
}

int
fogi_rival_take(const struct rival *v)
{
    uv_os_fd_t fd;
    int err = uv_fileno((const uv_handle_t *)&v->tcp, &fd);
    if (err)
        return err;
    int taken = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    return taken < 0 ? -errno : taken;
}
