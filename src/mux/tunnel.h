/* SPDX-License-Identifier: MIT
 *
 * tunnel.h - the life of the tunnel as a table: what each message means in each state. Pure.
 */
#ifndef FOGI_TUNNEL_H
#define FOGI_TUNNEL_H

#include "mux/framing.h"

enum tunnel_act {
    TUNNEL_DROP,   /* the tunnel is over: nothing has a meaning any more        */
    TUNNEL_BAD,    /* not legal here: we shut down                              */
    TUNNEL_HELLO,  /* server: answer the handshake, ready. A client: bad        */
    TUNNEL_READY,  /* client: the answer came, ready                            */
    TUNNEL_PING,   /* answer it                                                 */
    TUNNEL_PONG,   /* ours was answered                                         */
    TUNNEL_STREAM, /* for the stream's own table                                */
    TUNNEL_END,    /* the peer shuts down: closed, no reply                     */
    TUNNEL_ACT_N
};

enum tunnel_act fogi_tunnel_on_msg(enum fog_mux_state state, enum msg_type type);

#endif
