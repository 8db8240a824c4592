/* SPDX-License-Identifier: MIT
 *
 * listen.h - a TCP listener that survives a lack of descriptors.
 *
 * libuv accepts on its own and, when the system refuses, would call back again and again. So:
 * descriptors are counted and accepting stops before they run out, and a listener that reports an
 * error is closed and opened again 100 ms later. Knows nothing of what is accepted.
 */
#ifndef FOGI_LISTEN_H
#define FOGI_LISTEN_H

#include "app/process.h"
#include "io/addr.h"

struct listener {
    struct process *p;
    struct fog_addr at; /* where, unless `all`                                  */
    bool all;           /* all addresses of both families, at.port              */
    uv_tcp_t tcp;
    struct alarm reopen;
    struct pump ready; /* runs when a descriptor is free                       */
    bool open;         /* tcp is a listening handle                            */
    bool closing;      /* or never opened                                      */
    bool waiting;      /* a connection waits, for a descriptor or the one being dropped */
    bool dropping;     /* `dropped` is in use                                  */
    uv_tcp_t dropped;  /* takes what is only taken to be reset: needs no memory */
    /** A connection can be taken with uv_accept(stream). */
    void (*incoming)(void *ctx, uv_stream_t *stream);
    void *ctx;
};

/** 0 or a negative errno, and then l is closed. */
FOG_CHECKED int fogi_listen(struct listener *l, struct process *p, const struct hostport *at,
                            void (*incoming)(void *ctx, uv_stream_t *stream), void *ctx);

/** Takes nothing more. Idempotent; fine on one that never opened. */
void fogi_listen_close(struct listener *l);

/** Takes the connection that waits on `stream`, a listener's, only to reset it: libuv asks for no
 *  other before. */
void fogi_listen_drop(uv_stream_t *stream);

/** Finds the address to bind: *all for an empty host. 0 or a negative errno. The one look-up that
 *  blocks, at start only. */
FOG_CHECKED int fogi_listen_address(const struct hostport *at, struct fog_addr *addr, bool *all);

/** "foggara server: cannot listen on udp [::]:29900: Address already in use" on standard error. */
void fogi_listen_complain(const char *role, const struct hostport *at, const char *protocol,
                          int err);

/** Whether nobody but this machine can reach the address. */
bool fogi_listen_is_private(const struct hostport *at);

#endif
