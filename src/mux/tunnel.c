/* SPDX-License-Identifier: MIT */
#include "mux/tunnel.h"

#include <assert.h>

/* clang-format off */
#define DROP   TUNNEL_DROP
#define BAD    TUNNEL_BAD
#define HELLO  TUNNEL_HELLO
#define READY  TUNNEL_READY
#define PING   TUNNEL_PING
#define PONG   TUNNEL_PONG
#define STREAM TUNNEL_STREAM
#define END    TUNNEL_END

/* A client leaves init when its handshake is written, a server when the peer's has come. */
static const uint8_t acts[FOG_MUX_STATE_N][MSG_N] = {
/* state                      HANDSH KEEPAL K-ACK  SYN     SYN-ACK PSH     FIN     PSH-FIN RST     SHUTDOWN */
[FOG_MUX_INIT]           = {  HELLO, BAD,   BAD,   BAD,    BAD,    BAD,    BAD,    BAD,    BAD,    END  },
[FOG_MUX_HANDSHAKE_SENT] = {  READY, BAD,   BAD,   BAD,    BAD,    BAD,    BAD,    BAD,    BAD,    END  },
[FOG_MUX_READY]          = {  BAD,   PING,  PONG,  STREAM, STREAM, STREAM, STREAM, STREAM, STREAM, END  },
[FOG_MUX_CLOSED]         = {  DROP,  DROP,  DROP,  DROP,   DROP,   DROP,   DROP,   DROP,   DROP,   DROP },
};
/* clang-format on */

static_assert(sizeof acts == 4 * 10, "four states, ten messages");

enum tunnel_act
fogi_tunnel_on_msg(enum fog_mux_state state, enum msg_type type)
{
    return (enum tunnel_act)acts[state][type];
}
