/* SPDX-License-Identifier: MIT
 *
 * udp_batch.h - the memory of a batch, for udp.c (sockets) and udp_send.c (sending).
 */
#ifndef FOGI_UDP_BATCH_H
#define FOGI_UDP_BATCH_H

#ifndef _GNU_SOURCE
#error "udp_batch.h needs the system's extensions"
#endif

#include "io/udp.h"

#include <foggara/types.h>

#include <sys/socket.h>

#define UDP_IN_N 32                          /* datagrams read by one call                     */
#define UDP_OUT_N 64                         /* datagrams kept before a call is made           */
#define UDP_IN_BYTES (FOG_DATAGRAM_MAX + 64) /* one over the limit is seen, not cut to it      */
#define UDP_RUN_BYTES 61440                  /* of one UDP_SEGMENT piece: below IP's 64 KiB    */

#define UDP_CONTROL CMSG_SPACE(sizeof(struct in6_pktinfo))

union udp_control {
    size_t align; /* of struct cmsghdr */
    char in[UDP_CONTROL];
    char out[UDP_CONTROL + CMSG_SPACE(sizeof(uint16_t))];
};

/** One datagram that waits to leave. */
struct udp_out {
    struct fog_addr to, local;
    uint32_t at, len; /* within udp_batch.out */
    bool has_local;
};

struct udp_batch {
    struct udp *user; /* whose datagrams wait */
    uint32_t n, used; /* datagrams, bytes     */
    struct udp_out waiting[UDP_OUT_N];

    struct mmsghdr msgs[UDP_OUT_N];
    struct iovec iov[UDP_OUT_N];
    union sockaddr_any names[UDP_OUT_N];
    union udp_control controls[UDP_OUT_N];
    uint32_t first[UDP_OUT_N + 1]; /* message i holds datagrams first[i]..first[i+1]-1 */

    uint8_t out[UDP_OUT_N * FOG_DATAGRAM_MAX];
    uint8_t in[UDP_IN_N][UDP_IN_BYTES];
};

#endif
