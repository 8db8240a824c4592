/* SPDX-License-Identifier: MIT
 *
 * tunnel.h - one session with a carrier of its own: a connected UDP socket, or a TCP connection.
 *
 * Decides when its datagrams or bytes move and when its alarm rings. Refuses to know why it exists
 * and what its streams are for; it tells its owner what happens. Invariant: after each turn its
 * output is empty or the carrier full, and its one alarm stands on the session's deadline.
 */
#ifndef FOGI_TUNNEL_H
#define FOGI_TUNNEL_H

#include "app/carrier.h"

struct tunnel;

/** All may call fogi_tunnel_close(), except gone. */
struct tunnel_events {
    /** Any event of the session. */
    void (*event)(struct tunnel *t, const struct fog_event *ev);
    /** The carrier has trouble (negative errno); for UDP no more than a hint. */
    void (*trouble)(struct tunnel *t, int err);
    /** The session has done what it could in this turn. */
    void (*turned)(struct tunnel *t);
    /** t is freed after this. */
    void (*gone)(struct tunnel *t);
};

struct tunnel_bytes;

struct tunnel {
    struct carrier carrier; /* carrier.session is the session                                    */
    struct pump pump;
    struct alarm alarm;
    struct udp udp; /* via kcp                                                           */
    uv_tcp_t tcp;   /* via pipe                                                          */
    uv_connect_t connect;
    const struct tunnel_events *events;
    void *owner;
    struct list link; /* the owner's                                                       */
    fog_time since;   /* the owner's                                                       */
    struct fog_addr peer;
    enum fog_via via;
    struct tunnel_bytes *unsent; /* pipe: bytes that TCP did not take yet                         */
    int handles;             /* still open                                                        */
    bool connected, reading; /* pipe                                                              */
    bool closing;
};

/** Starts a tunnel to `to`: FOG_EV_READY or FOG_EV_CLOSED or trouble follows. Gives *t until gone.
 *  0 or a negative errno. */
FOG_CHECKED int fogi_tunnel_dial(struct tunnel **t, struct process *p,
                                 const struct tunnel_events *events, void *owner,
                                 const struct fog_addr *to);

/** Takes the connection that waits on `listener` as a tunnel (pipe). */
FOG_CHECKED int fogi_tunnel_accept(struct tunnel **t, struct process *p,
                                   const struct tunnel_events *events, void *owner,
                                   uv_stream_t *listener);

/** Ends the tunnel: its streams are reset or taken over, the peer is told `reason` unless the
 *  session is over already. gone follows. Idempotent. */
void fogi_tunnel_close(struct tunnel *t, const char *reason);

/** As fogi_carrier_is_busy(). */
bool fogi_tunnel_is_busy(const struct tunnel *t, fog_time patience);

/** Where a KCP tunnel is bound, for logs. */
void fogi_tunnel_local(const struct tunnel *t, struct fog_addr *at);

#endif
