/* SPDX-License-Identifier: MIT
 *
 * udp.h - one UDP socket, read and written in batches.
 *
 * Decides how datagrams cross the system's border cheaply: many per call, equal ones in one piece
 * where the system can cut them (UDP_SEGMENT) and join them (UDP_GRO). Refuses to know what they
 * hold and to repeat them: what the system does not take is lost, which the layers above expect of
 * a network. Invariant: between two turns nothing waits in here.
 */
#ifndef FOGI_UDP_H
#define FOGI_UDP_H

#include "io/addr.h"
#include "io/loop.h"

struct udp;
struct udp_batch; /* memory of the batches; one for all sockets of a loop */

struct udp_events {
    /** One datagram; buf is lent for the call. *local: which of our addresses it came to, zero
     *  where that does not matter. May close u. */
    void (*datagram)(struct udp *u, const struct fog_addr *from, const struct fog_addr *local,
                     const void *buf, size_t len);
    /** The socket takes datagrams again after fogi_udp_reserve() had said no. */
    void (*writable)(struct udp *u);
    /** The system reports trouble on the way (negative errno): ECONNREFUSED, ENETUNREACH ... Anyone
     *  can forge some of these, so it is a hint, never a proof. May close u. */
    void (*hint)(struct udp *u, int err);
    void (*closed)(struct udp *u); /* u may be freed */
};

struct udp_counters {
    uint64_t calls_in, calls_out; /* system calls                                       */
    uint64_t full;                /* times the socket's send buffer was full            */
    uint64_t refused;             /* datagrams the system did not take, all in all      */
    uint64_t too_long;            /* of these, longer than the path allows              */
    uint64_t hints;
};

struct udp {
    uv_poll_t poll;
    struct loop *loop;
    struct udp_batch *batch;
    const struct udp_events *events;
    void *owner;
    int fd;     /* -1: closed                                                      */
    int family; /* AF_INET6 also carries IPv4                                      */
    bool connected;
    bool many_locals; /* bound to all addresses: answers name the one to leave from      */
    bool segments;    /* UDP_SEGMENT works here                                          */
    bool merged;      /* UDP_GRO works here: a message may hold many datagrams           */
    bool full;        /* waits to become writable                                        */
    struct udp_counters n;
};

/** Memory for batches, 2.4 MiB at most, of which what is used becomes real; NULL without memory. */
struct udp_batch *fogi_udp_batch_new(void);
void fogi_udp_batch_free(struct udp_batch *b);

/**
 * Opens a socket that hears everybody.
 *
 * Takes      at: where to listen; NULL: all addresses of both families, or of IPv4 alone where the
 *            system has no IPv6. port: used then. sockbuf: bytes asked for, 0: the system's own.
 * Effect     events->closed follows fogi_udp_close(), only if this succeeded.
 * Returns    0 or a negative errno
 */
FOG_CHECKED int fogi_udp_listen(struct udp *u, struct loop *l, struct udp_batch *b,
                                const struct udp_events *events, const struct fog_addr *at,
                                uint16_t port, uint32_t sockbuf);

/** Opens a socket that talks to `to` only, from a port of its own. As fogi_udp_listen(). */
FOG_CHECKED int fogi_udp_connect(struct udp *u, struct loop *l, struct udp_batch *b,
                                 const struct udp_events *events, const struct fog_addr *to,
                                 uint32_t sockbuf);

/** Bytes of the IP packets that the device on the way to `to` carries; 0: not known. */
uint32_t fogi_udp_path(const struct fog_addr *to);

/** Whether `a` is an address of this machine: only those can be bound. 1, 0 or a negative errno. */
FOG_CHECKED int fogi_udp_is_own(const struct fog_addr *a);

/** Closes at once; allowed in every callback but closed. */
void fogi_udp_close(struct udp *u);

/** Where the socket is bound. */
void fogi_udp_local(const struct udp *u, struct fog_addr *at);

/** Lends room for one datagram of up to FOG_DATAGRAM_MAX bytes, until the next call on any socket
 *  of the batch; NULL while the socket is full. Datagrams leave with fogi_udp_flush() at the
 *  latest. */
void *fogi_udp_reserve(struct udp *u);

/** Queues the len bytes just written. to: NULL on a connected socket. local: the address to leave
 *  from, or NULL. */
void fogi_udp_queue(struct udp *u, const struct fog_addr *to, const struct fog_addr *local,
                    size_t len);
void fogi_udp_flush(struct udp *u);

#endif
