/* SPDX-License-Identifier: MIT
 *
 * relay.h - one TCP connection joined to one stream of a tunnel.
 *
 * Decides when either side is read, so that nothing is kept between them but one bounded piece
 * while the connection is full. Refuses to know who made the connection and what carries the
 * tunnel. Invariant: each direction ends by itself and exactly: an end becomes an end, a reset a
 * reset, and the connection is closed once both are done.
 */
#ifndef FOGI_RELAY_H
#define FOGI_RELAY_H

#include "app/carrier.h"
#include "io/tcp.h"

struct relay_piece;

struct relay {
    uv_tcp_t tcp;
    struct process *p;
    struct rider ride; /* its stream                                                     */
    struct list link;  /* a list of whoever holds it                                     */
    fog_time since;    /* when it began to wait                                          */
    void *dial;        /* server: how the connection is being made; NULL: it stands      */
    void (*undial)(struct relay *r);
    struct relay_piece *piece; /* bytes the connection did not take yet                          */
    union {                    /* connecting is over before anything is shut down                */
        uv_connect_t connect;
        uv_shutdown_t shutdown;
    } req;
    void (*dropped)(struct relay *r);
    bool has_tcp;             /* tcp is open or closing                                         */
    bool started;             /* both directions run                                            */
    bool cautious;            /* reads nothing before the peer has accepted the stream          */
    bool moved;               /* a byte or an end went into the tunnel or came out              */
    bool in_done;             /* the connection's end was told to the stream                    */
    bool out_begun, out_done; /* the stream's end was told to the connection                    */
    bool closing;
};

/** A relay without connection or stream; NULL without memory. */
struct relay *fogi_relay_new(struct process *p);

/** Prepares r->tcp; negative errno. */
FOG_CHECKED int fogi_relay_open(struct relay *r);

/** Closes r->tcp, which did not become a connection; then calls dropped, unless r ends first. */
void fogi_relay_drop(struct relay *r, void (*dropped)(struct relay *r));

/** Puts r on a stream of c. */
void fogi_relay_attach(struct relay *r, struct carrier *c, struct fog_stream *st);

/** Takes r off its stream, which is released. */
void fogi_relay_detach(struct relay *r);

/** The connection stands: runs both directions. */
void fogi_relay_start(struct relay *r);

/** The connection of the relay `r` broke while it was neither read nor written. */
void fogi_relay_broke(void *r);

/** Resets both sides. r is gone afterwards. */
void fogi_relay_abort(struct relay *r);

/** Tells the peer that there is no connection (server). r is gone afterwards. */
void fogi_relay_refuse(struct relay *r);

#endif
