/* SPDX-License-Identifier: MIT
 *
 * channel_tcp.h - a TCP connection as a channel.
 *
 * Decides when the socket is read: while less than one block has not been consumed. Refuses to know
 * who connects whom and why. Invariant: a descriptor is counted from fogi_channel_tcp_new() or
 * _accept() to the end, and memory for bytes is held only while there are bytes.
 */
#ifndef FOGI_CHANNEL_TCP_H
#define FOGI_CHANNEL_TCP_H

#include "app/channel.h"
#include "app/process.h"

#define CHANNEL_TCP_BLOCK 32768 /* bytes read ahead, and bytes kept while the socket is full */

/** Takes the connection that waits on `listener`. Gives *c. 0 or a negative errno, and then the
 *  connection still waits. */
FOG_CHECKED int fogi_channel_tcp_accept(struct channel **c, struct process *p,
                                        uv_stream_t *listener);

/** Takes over a connected socket (tests, socket pairs). 0 or a negative errno. */
FOG_CHECKED int fogi_channel_tcp_open(struct channel **c, struct process *p, int fd);

/**
 * Begins to connect.
 *
 * Gives      *c; before done() only fogi_channel_reset() may be called on it
 * Effect     done(ctx, err) comes once, later, never from within this call and not after a reset;
 *            err is a negative errno, and then c wants fogi_channel_reset()
 * Returns    0 or a negative errno, and then nothing was given
 */
FOG_CHECKED int fogi_channel_tcp_connect(struct channel **c, struct process *p,
                                         const struct fog_addr *to,
                                         void (*done)(void *ctx, int err), void *ctx);

/** The far address of a channel of this kind. */
void fogi_channel_tcp_peer(const struct channel *c, struct fog_addr *a);

/** Our address of it: where the far side meant to go. */
void fogi_channel_tcp_local(const struct channel *c, struct fog_addr *a);

/** For process.c: the connection of a channel broke while nobody read or wrote it. */
void fogi_channel_tcp_broke(void *c);

#endif
