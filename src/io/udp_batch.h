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

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

#define UDP_IN_N 32          /* messages read by one call                                       */
#define UDP_IN_MERGED_N 8    /* of these, when each may be as large as 64 KiB: they stay cached */
#define UDP_IN_BYTES 65536   /* more than any message has                                       */
#define UDP_OUT_N 64         /* datagrams kept before a call is made                            */
#define UDP_OUT_BYTES 262144 /* ... and their bytes                                            */
#define UDP_RUN_BYTES 61440  /* of one UDP_SEGMENT piece: below IP's 64 KiB                     */

#define UDP_CONTROL CMSG_SPACE(sizeof(struct in6_pktinfo))

union udp_control {
    size_t align; /* of struct cmsghdr */
    char in[UDP_CONTROL + CMSG_SPACE(sizeof(int))];
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

    uint8_t out[UDP_OUT_BYTES];
    uint8_t in[UDP_IN_N][UDP_IN_BYTES]; /* pages that nothing was read into cost nothing */
};

#endif
