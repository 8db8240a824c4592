/* SPDX-License-Identifier: MIT
 *
 * tcp.h - the few things about TCP that libuv leaves to its users. Knows sockets; not what they
 * carry.
 */
#ifndef FOGI_TCP_H
#define FOGI_TCP_H

#include "io/addr.h"
#include "io/loop.h"

/** Binds and listens. at: NULL: all addresses of both families. 0 or a negative errno; t is open
 *  either way and wants uv_close(). */
FOG_CHECKED int fogi_tcp_listen(struct loop *l, uv_tcp_t *t, const struct fog_addr *at,
                                uint16_t port, uv_connection_cb incoming);

/** Begins to connect; 0 or a negative errno. */
FOG_CHECKED int fogi_tcp_connect(uv_tcp_t *t, uv_connect_t *req, const struct fog_addr *to,
                                 uv_connect_cb done);

/** Reads now, without waiting: bytes, 0 at the end, or a negative errno (UV_EAGAIN: none now). */
ssize_t fogi_tcp_read(const uv_tcp_t *t, void *buf, size_t len);

/** Writes now what fits: bytes, 0 when nothing does, or a negative errno. */
ssize_t fogi_tcp_write(uv_tcp_t *t, const void *buf, size_t len);

/** Makes the coming uv_close() send a reset instead of an orderly end. */
void fogi_tcp_will_reset(const uv_tcp_t *t);

/** A connection that carries a tunnel: small delays, and a silent peer is noticed by the system. */
void fogi_tcp_carrier(uv_tcp_t *t);

void fogi_tcp_peer(const uv_tcp_t *t, struct fog_addr *a);

#endif
