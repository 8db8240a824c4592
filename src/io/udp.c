/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "io/udp.h"

#include "io/log.h"
#include "io/udp_batch.h"

#include <errno.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Read in one turn, so that one socket cannot keep the loop; and so that what was read is still in
 * the processor's cache when it is passed on, and is acknowledged soon. */
#define TURN_BATCHES 16
#define TURN_BYTES 262144u

struct udp_batch *
fogi_udp_batch_new(void)
{
    return calloc(1, sizeof(struct udp_batch));
}

void
fogi_udp_batch_free(struct udp_batch *b)
{
    free(b);
}

/** Asks for buffers; says once per process when the system gives less. */
static void
set_buffers(int fd, uint32_t sockbuf)
{
    static bool warned;
    int ask = (int)sockbuf, got = 0;
    socklen_t len = sizeof got;
    if (!sockbuf)
        return;
    /* The forcing kind goes over the system's cap and is for those with CAP_NET_ADMIN. */
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &ask, sizeof ask))
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &ask, sizeof ask);
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &ask, sizeof ask))
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &ask, sizeof ask);
    /* The system doubles what it grants, for its own bookkeeping. */
    if (getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &got, &len) || got / 2 >= ask || warned)
        return;
    warned = true;
    fogi_log(LOG_AT_WARN,
             "the system allows UDP buffers of %d KiB instead of %d KiB; "
             "raise net.core.rmem_max and net.core.wmem_max to lose less under load",
             got / 2048, ask / 1024);
}

static int
open_socket(int family, uint32_t sockbuf)
{
    int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    set_buffers(fd, sockbuf);
    return fd;
}

/** Makes every datagram tell which of our addresses it came to. */
static void
ask_for_local(int fd, int family)
{
    int on = 1;
    if (family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on);
    else
        setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
}

/** Lets the system join equal datagrams of one sender. Older ones cannot. */
static bool
ask_for_merged(int fd)
{
    int on = 1;
    return !setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof on);
}

static int
bind_socket(int family, const struct fog_addr *at, uint32_t sockbuf, bool any)
{
    union sockaddr_any sa;
    int off = 0;
    int fd = open_socket(family, sockbuf);
    if (fd < 0)
        return fd;
    socklen_t len = fogi_addr_to_system(at, family, &sa);
    if (family == AF_INET6 && any)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (any)
        ask_for_local(fd, family);
    if (bind(fd, &sa.sa, len)) {
        int err = -errno;
        close(fd);
        return err;
    }
    return fd;
}

static void on_poll(uv_poll_t *poll, int status, int events);

static void
watch(struct udp *u)
{
    uv_poll_start(&u->poll, u->full ? UV_READABLE | UV_WRITABLE : UV_READABLE, on_poll);
}

/** Takes the descriptor, which is closed on failure. */
static int
attach(struct udp *u, struct loop *l, struct udp_batch *b, const struct udp_events *events, int fd,
       int family)
{
    void *owner = u->owner;
    memset(u, 0, sizeof *u);
    u->owner = owner;
    u->loop = l;
    u->batch = b;
    u->events = events;
    u->fd = fd;
    u->family = family;
    u->segments = true;
    u->merged = ask_for_merged(fd);
    int err = uv_poll_init(&l->uv, &u->poll, fd);
    if (err) {
        close(fd);
        u->fd = -1;
        return err;
    }
    u->poll.data = u;
    fogi_loop_fd_taken(l);
    watch(u);
    return 0;
}

int
fogi_udp_listen(struct udp *u, struct loop *l, struct udp_batch *b, const struct udp_events *events,
                const struct fog_addr *at, uint16_t port, uint32_t sockbuf)
{
    struct fog_addr any = {.port = port}, any4;
    if (!fogi_addr_parse(&any4, "0.0.0.0", port))
        return -EINVAL;
    int family = at && fogi_addr_is_v4(at) ? AF_INET : AF_INET6;
    int fd = bind_socket(family, at ? at : &any, sockbuf, !at || fogi_addr_is_any(at));
    if (fd == -EAFNOSUPPORT && !at)
        fd = bind_socket(family = AF_INET, &any4, sockbuf, true);
    if (fd < 0)
        return fd;
    int err = attach(u, l, b, events, fd, family);
    u->many_locals = !at || fogi_addr_is_any(at);
    return err;
}

int
fogi_udp_connect(struct udp *u, struct loop *l, struct udp_batch *b,
                 const struct udp_events *events, const struct fog_addr *to, uint32_t sockbuf)
{
    union sockaddr_any sa;
    int family = fogi_addr_is_v4(to) ? AF_INET : AF_INET6;
    socklen_t len = fogi_addr_to_system(to, family, &sa);
    int fd = open_socket(family, sockbuf);
    if (fd < 0)
        return fd;
    if (connect(fd, &sa.sa, len)) {
        int err = -errno;
        close(fd);
        return err;
    }
    int err = attach(u, l, b, events, fd, family);
    u->connected = true;
    return err;
}

uint32_t
fogi_udp_path(const struct fog_addr *to)
{
    union sockaddr_any sa;
    bool v4 = fogi_addr_is_v4(to);
    int family = v4 ? AF_INET : AF_INET6, mtu = 0;
    socklen_t len = fogi_addr_to_system(to, family, &sa), size = sizeof mtu;
    int fd = open_socket(family, 0);
    if (fd < 0)
        return 0;
    if (connect(fd, &sa.sa, len) ||
        getsockopt(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_MTU : IPV6_MTU, &mtu, &size))
        mtu = 0;
    close(fd);
    return mtu > 0 ? (uint32_t)mtu : 0;
}

int
fogi_udp_is_own(const struct fog_addr *a)
{
    union sockaddr_any sa;
    struct fog_addr any_port = *a;
    int family = fogi_addr_is_v4(a) ? AF_INET : AF_INET6;
    any_port.port = 0;
    socklen_t len = fogi_addr_to_system(&any_port, family, &sa);
    int fd = open_socket(family, 0);
    if (fd < 0)
        return fd;
    int err = bind(fd, &sa.sa, len) ? -errno : 0;
    close(fd);
    return err == -EADDRNOTAVAIL ? 0 : err ? err : 1;
}

static void
on_closed(uv_handle_t *h)
{
    struct udp *u = h->data;
    u->events->closed(u);
}

void
fogi_udp_close(struct udp *u)
{
    if (u->fd < 0)
        return;
    if (u->batch->user == u)
        fogi_udp_flush(u);
    uv_close((uv_handle_t *)&u->poll, on_closed);
    close(u->fd);
    u->fd = -1;
    fogi_loop_fd_given(u->loop);
}

void
fogi_udp_local(const struct udp *u, struct fog_addr *at)
{
    union sockaddr_any sa;
    socklen_t len = sizeof sa;
    memset(at, 0, sizeof *at);
    if (u->fd >= 0 && !getsockname(u->fd, &sa.sa, &len))
        fogi_addr_from_system(at, &sa.sa);
}

/** Finds the address of ours that a message came to, and the size of its datagrams where it holds
 *  more than one. */
static void
read_control(struct msghdr *h, struct fog_addr *local, size_t *each)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
        if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof info);
            memcpy(local->ip, &info.ipi6_addr, 16);
            if (fogi_addr_is_link_local(local))
                local->scope = info.ipi6_ifindex;
        } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;
            struct sockaddr_in sin = {.sin_family = AF_INET};
            memcpy(&info, CMSG_DATA(c), sizeof info);
            sin.sin_addr = info.ipi_addr;
            fogi_addr_from_system(local, (const struct sockaddr *)(const void *)&sin);
        } else if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO) {
            int size;
            memcpy(&size, CMSG_DATA(c), sizeof size);
            if (size > 0)
                *each = (size_t)size;
        }
    }
}

static int
receive(struct udp *u, struct mmsghdr *msgs, struct iovec *iov, union sockaddr_any *names,
        union udp_control *controls, unsigned most)
{
    bool control = u->many_locals || u->merged;
    for (unsigned i = 0; i < most; i++) {
        iov[i] = (struct iovec){u->batch->in[i], UDP_IN_BYTES};
        msgs[i].msg_hdr = (struct msghdr){
            .msg_iov = &iov[i],
            .msg_iovlen = 1,
            .msg_name = u->connected ? NULL : &names[i],
            .msg_namelen = u->connected ? 0 : sizeof names[i],
            .msg_control = control ? controls[i].in : NULL,
            .msg_controllen = control ? sizeof controls[i].in : 0,
        };
    }
    u->n.calls_in++;
    int n = recvmmsg(u->fd, msgs, most, MSG_DONTWAIT, NULL);
    return n < 0 ? -errno : n;
}

/** Hands out a message, datagram by datagram: all as long as the first, the last maybe shorter. */
static void
hand_out(struct udp *u, const union sockaddr_any *name, struct mmsghdr *msg, const uint8_t *bytes)
{
    struct fog_addr from = {.port = 0}, local = {.port = 0};
    size_t left = msg->msg_len, each = left;
    if (!u->connected)
        fogi_addr_from_system(&from, &name->sa);
    read_control(&msg->msg_hdr, &local, &each);
    do {
        size_t len = left < each ? left : each;
        u->events->datagram(u, &from, &local, bytes, len);
        bytes += len;
        left -= len;
    } while (left > 0 && u->fd >= 0);
}

/** Reads one batch and hands it out. False when nothing is left to read, or not now. */
static bool
read_batch(struct udp *u, size_t *bytes)
{
    struct mmsghdr msgs[UDP_IN_N];
    struct iovec iov[UDP_IN_N];
    union sockaddr_any names[UDP_IN_N];
    union udp_control controls[UDP_IN_N];
    int most = u->merged ? UDP_IN_MERGED_N : UDP_IN_N;
    int n = receive(u, msgs, iov, names, controls, (unsigned)most);
    for (int i = 0; i < n && u->fd >= 0; i++) {
        *bytes += msgs[i].msg_len;
        hand_out(u, &names[i], &msgs[i], u->batch->in[i]);
    }
    if (n < 0 && n != -EAGAIN && n != -EINTR) {
        u->n.hints++;
        u->events->hint(u, n);
        return true;
    }
    return n == most;
}

static void
read_all(struct udp *u)
{
    fogi_loop_refresh(u->loop);
    size_t bytes = 0;
    for (int i = 0; i < TURN_BATCHES && bytes < TURN_BYTES && u->fd >= 0; i++) {
        if (!read_batch(u, &bytes))
            return;
    }
}

static void
on_poll(uv_poll_t *poll, int status, int events)
{
    struct udp *u = poll->data;
    /* libuv stops watching when an ICMP error waits on the socket; reading takes it off. */
    read_all(u);
    if (u->fd >= 0 && status < 0)
        watch(u);
    if (u->fd >= 0 && u->full && (events & UV_WRITABLE || status < 0)) {
        u->full = false;
        watch(u);
        u->events->writable(u);
    }
}
