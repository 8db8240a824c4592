/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "io/tcp.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#define BACKLOG 4096
#define CARRIER_TIMEOUT_MS 15000u /* unacknowledged bytes of a tunnel's connection end it */
#define CARRIER_KEEPALIVE_S 30u

static int
descriptor(const uv_tcp_t *t)
{
    uv_os_fd_t fd = -1;
    return uv_fileno((const uv_handle_t *)t, &fd) ? -1 : fd;
}

static int
listen_at(uv_tcp_t *t, const struct fog_addr *at, int family, uv_connection_cb incoming)
{
    union sockaddr_any sa;
    fogi_addr_to_system(at, family, &sa);
    int err = uv_tcp_bind(t, &sa.sa, 0);
    return err ? err : uv_listen((uv_stream_t *)t, BACKLOG, incoming);
}

int
fogi_tcp_listen(struct loop *l, uv_tcp_t *t, const struct fog_addr *at, uint16_t port,
                uv_connection_cb incoming)
{
    struct fog_addr any = {.port = port};
    int err = uv_tcp_init(&l->uv, t);
    if (err)
        return err;
    if (at)
        return listen_at(t, at, fogi_addr_is_v4(at) ? AF_INET : AF_INET6, incoming);
    err = listen_at(t, &any, AF_INET6, incoming);
    if (err == UV_EAFNOSUPPORT && fogi_addr_parse(&any, "0.0.0.0", port))
        err = listen_at(t, &any, AF_INET, incoming);
    return err;
}

int
fogi_tcp_connect(uv_tcp_t *t, uv_connect_t *req, const struct fog_addr *to, uv_connect_cb done)
{
    union sockaddr_any sa;
    fogi_addr_to_system(to, fogi_addr_is_v4(to) ? AF_INET : AF_INET6, &sa);
    return uv_tcp_connect(req, t, &sa.sa, done);
}

ssize_t
fogi_tcp_read(const uv_tcp_t *t, void *buf, size_t len)
{
    ssize_t n;
    do
        n = recv(descriptor(t), buf, len, MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

ssize_t
fogi_tcp_write(uv_tcp_t *t, const void *buf, size_t len)
{
    uv_buf_t b = uv_buf_init((char *)(uintptr_t)buf, (unsigned)len);
    int n = uv_try_write((uv_stream_t *)t, &b, 1);
    return n == UV_EAGAIN ? 0 : n;
}

void
fogi_tcp_will_reset(const uv_tcp_t *t)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    int fd = descriptor(t);
    if (fd >= 0)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

void
fogi_tcp_carrier(uv_tcp_t *t)
{
    unsigned ms = CARRIER_TIMEOUT_MS;
    int fd = descriptor(t);
    uv_tcp_nodelay(t, 1);
    uv_tcp_keepalive(t, 1, CARRIER_KEEPALIVE_S);
    if (fd >= 0)
        setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof ms);
}

void
fogi_tcp_peer(const uv_tcp_t *t, struct fog_addr *a)
{
    union sockaddr_any sa;
    int len = sizeof sa;
    memset(a, 0, sizeof *a);
    if (!uv_tcp_getpeername(t, &sa.sa, &len))
        fogi_addr_from_system(a, &sa.sa);
}
