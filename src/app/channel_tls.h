/* SPDX-License-Identifier: MIT
 *
 * channel_tls.h - TLS over any other channel, as a channel.
 *
 * Decides how TLS ends, which depends on the peer:
 *
 *     peer      an end below without close_notify          our end
 *     any       the end, as web servers have it            close_notify, then the end below
 *     foggara   a broken pipe (threats S14, P1)            the same
 *     vproxy    the end: it never says close_notify, and   the end below, and nothing said: Java
 *               would lose all its answers otherwise       would end its own side as well
 *
 * Within a record, or within the handshake, an end is a broken pipe for all. Refuses to know what
 * is below.
 * Invariant: nothing is encrypted while bytes encrypted before wait for the channel below, so at
 * most one record waits; an idle channel holds no record buffers.
 */
#ifndef FOGI_CHANNEL_TLS_H
#define FOGI_CHANNEL_TLS_H

#include "app/channel.h"
#include "app/process.h"
#include "app/tls_conf.h"

/**
 * The server's side of TLS over `below`.
 *
 * Takes      below, also when it fails (then it is reset). t stays the caller's, who may free it.
 * Effect     the handshake begins; it has failed when the channel breaks
 * Returns    NULL without memory
 */
FOG_CHECKED struct channel *fogi_channel_tls_accept(struct process *p, struct channel *below,
                                                    struct tls_conf *t);

/**
 * The client's side; as fogi_channel_tls_accept().
 *
 * Takes      name: the server's, told and checked; or its address, which is checked; NULL: only its
 *            certificate's signature is. server: whose sessions are kept and taken up again, which
 *            saves it a signature and both a certificate; NULL: none. Copies both.
 */
FOG_CHECKED struct channel *fogi_channel_tls_connect(struct process *p, struct channel *below,
                                                     struct tls_conf *t, const char *name,
                                                     const char *server);

enum tls_peer { TLS_PEER_ANY, TLS_PEER_FOGGARA, TLS_PEER_VPROXY };

/** The peer has shown who it is; TLS_PEER_ANY before. */
void fogi_channel_tls_peer(struct channel *c, enum tls_peer peer);

/** Frees c and gives the channel below it, without a word. For one whose handshake failed: what TLS
 *  said of that is on its way already. */
struct channel *fogi_channel_tls_strip(struct channel *c);

/** Whether the handshake is done. */
bool fogi_channel_tls_is_ready(const struct channel *c);

/** Whether the handshake failed because a request of HTTP came in its place. */
bool fogi_channel_tls_met_http(const struct channel *c);

#endif
