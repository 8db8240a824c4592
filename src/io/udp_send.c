/* SPDX-License-Identifier: MIT
 *
 * udp_send.c - turns waiting datagrams into as few system calls as possible. Equal neighbours with
 * one destination become one message that the system cuts (UDP_SEGMENT); all messages of a batch
 * go in one call. Datagrams leave in the order they were queued.
 */
#define _GNU_SOURCE
#include "io/log.h"
#include "io/udp_batch.h"

#include <errno.h>
#include <netinet/udp.h>
#include <string.h>

void *
fogi_udp_reserve(struct udp *u)
{
    struct udp_batch *b = u->batch;
    if (b->n && (b->user != u || b->n == UDP_OUT_N || b->used > UDP_OUT_BYTES - FOG_DATAGRAM_MAX))
        fogi_udp_flush(b->user);
    b->user = u;
    return u->full || u->fd < 0 ? NULL : b->out + b->used;
}

void
fogi_udp_queue(struct udp *u, const struct fog_addr *to, const struct fog_addr *local, size_t len)
{
    struct udp_batch *b = u->batch;
    struct udp_out *o = &b->waiting[b->n++];
    memset(o, 0, sizeof *o);
    if (to)
        o->to = *to;
    if (local)
        o->local = *local;
    o->has_local = local;
    o->at = b->used;
    o->len = (uint32_t)len;
    b->used += (uint32_t)len;
}

static bool
same_way(const struct udp_out *a, const struct udp_out *b)
{
    return a->has_local == b->has_local && !memcmp(&a->to, &b->to, sizeof a->to) &&
           !memcmp(&a->local, &b->local, sizeof a->local);
}

/** How many datagrams from i on may leave in one piece: all as long as the first, the last one may
 *  be shorter. */
static uint32_t
run_length(const struct udp *u, uint32_t i)
{
    const struct udp_batch *b = u->batch;
    const struct udp_out *first = &b->waiting[i];
    uint32_t n = 1, bytes = first->len;
    if (!u->segments)
        return 1;
    while (i + n < b->n) {
        const struct udp_out *o = &b->waiting[i + n];
        if (o->len > first->len || !same_way(o, first) || bytes + o->len > UDP_RUN_BYTES)
            break;
        bytes += o->len;
        n++;
        if (o->len < first->len)
            break;
    }
    return n;
}

static void
put_control(struct msghdr *h, int level, int type, const void *data, size_t len)
{
    struct cmsghdr *c = (struct cmsghdr *)(void *)((char *)h->msg_control + h->msg_controllen);
    c->cmsg_level = level;
    c->cmsg_type = type;
    c->cmsg_len = CMSG_LEN(len);
    memcpy(CMSG_DATA(c), data, len);
    h->msg_controllen += CMSG_SPACE(len);
}

static void
put_local(const struct udp *u, struct msghdr *h, const struct fog_addr *local)
{
    if (u->family == AF_INET6) {
        struct in6_pktinfo info = {.ipi6_ifindex = local->scope};
        memcpy(&info.ipi6_addr, local->ip, 16);
        put_control(h, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
    } else {
        struct in_pktinfo info = {.ipi_ifindex = 0};
        memcpy(&info.ipi_spec_dst, local->ip + 12, 4);
        put_control(h, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
    }
}

/** Message m carries the n datagrams from i on. */
static void
build_message(struct udp *u, uint32_t m, uint32_t i, uint32_t n)
{
    struct udp_batch *b = u->batch;
    const struct udp_out *first = &b->waiting[i], *last = &b->waiting[i + n - 1];
    struct msghdr *h = &b->msgs[m].msg_hdr;
    b->first[m] = i;
    b->iov[m] = (struct iovec){b->out + first->at, last->at + last->len - first->at};
    *h = (struct msghdr){.msg_iov = &b->iov[m], .msg_iovlen = 1};
    memset(&b->controls[m], 0, sizeof b->controls[m]);
    h->msg_control = b->controls[m].out;
    if (!u->connected) {
        h->msg_name = &b->names[m];
        h->msg_namelen = fogi_addr_to_system(&first->to, u->family, &b->names[m]);
    }
    if (first->has_local)
        put_local(u, h, &first->local);
    if (n > 1) {
        uint16_t size = (uint16_t)first->len;
        put_control(h, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof size);
    }
    if (!h->msg_controllen)
        h->msg_control = NULL;
}

static uint32_t
build_messages(struct udp *u, uint32_t from)
{
    uint32_t m = 0;
    for (uint32_t i = from; i < u->batch->n; m++) {
        uint32_t n = run_length(u, i);
        build_message(u, m, i, n);
        i += n;
    }
    u->batch->first[m] = u->batch->n;
    return m;
}

/** What to do after message m failed with err. True: build the rest again from that message on. */
static bool
failed(struct udp *u, uint32_t datagrams, int err, int *hint)
{
    if (datagrams > 1 && (err == EIO || err == EINVAL || err == EOPNOTSUPP)) {
        u->segments = false; /* this path or device cannot cut for us */
        return true;
    }
    u->n.refused += datagrams;
    if (err == EMSGSIZE) {
        u->n.too_long += datagrams;
        LOG_LIMITED(LOG_AT_WARN, "a datagram is too long for the path; lower --mtu");
    } else if (err != ENOBUFS && err != ENOMEM && err != EINTR) {
        *hint = -err;
    }
    return false;
}

static void
stop_until_writable(struct udp *u, uint32_t lost)
{
    u->n.full++;
    u->n.refused += lost;
    u->full = true;
    /* Ask the loop again with both directions; the callback stays. */
    uv_poll_start(&u->poll, UV_READABLE | UV_WRITABLE, u->poll.poll_cb);
}

/** Sends what waits; the last trouble met, 0 if none. */
static int
send_all(struct udp *u)
{
    struct udp_batch *b = u->batch;
    uint32_t m = 0, n = build_messages(u, 0);
    int hint = 0;
    while (m < n) {
        u->n.calls_out++;
        int sent = sendmmsg(u->fd, b->msgs + m, n - m, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent > 0) {
            m += (uint32_t)sent;
            continue;
        }
        int err = errno;
        uint32_t from = b->first[m], datagrams = b->first[m + 1] - from;
        if (err == EAGAIN) {
            stop_until_writable(u, b->n - from);
            break;
        }
        if (failed(u, datagrams, err, &hint)) {
            n = build_messages(u, from);
            m = 0;
        } else {
            m++;
        }
    }
    return hint;
}

void
fogi_udp_flush(struct udp *u)
{
    struct udp_batch *b = u->batch;
    if (b->user != u || !b->n)
        return;
    int hint = u->fd < 0 ? 0 : send_all(u);
    b->n = b->used = 0;
    if (hint && u->fd >= 0) {
        u->n.hints++;
        u->events->hint(u, hint);
    }
}
