/* SPDX-License-Identifier: MIT */
#include "mux/stream.h"

#include <assert.h>

/* clang-format off */
#define NONE  STREAM_NONE
#define SYNS  STREAM_SYN_SENT
#define ESTB  STREAM_ESTABLISHED
#define FINS  STREAM_FIN_SENT
#define FINR  STREAM_FIN_RECV
#define DEAD  STREAM_DEAD
#define REAL  STREAM_REAL_CLOSED

#define LATE  ACT_LATE
#define ODD   ACT_ODD
#define TAKE  ACT_TAKE
#define DROP  ACT_DROP
#define END   ACT_END
#define BOTH  ACT_BOTH
#define GONE  ACT_GONE
#define DONE  ACT_DONE

/* A PSH-FIN is a PSH until its last byte and changes the state with that byte. A dead stream has
 * left the table of ids: for the peer its id is `none` again, and its row only says that nothing
 * revives it. */
static const struct on_msg messages[STREAM_STATE_N][STREAM_MSG_N] = {
/* state                   SYN                  SYN-ACK                PSH           FIN           PSH-FIN       RST                  */
[STREAM_NONE]        = { {ESTB, ACT_ACCEPT},  {NONE, ODD},          {NONE, LATE}, {NONE, LATE}, {NONE, LATE}, {NONE, LATE}         },
[STREAM_SYN_SENT]    = { {SYNS, ODD},         {ESTB, ACT_ACCEPTED}, {SYNS, TAKE}, {FINR, END},  {FINR, END},  {DEAD, ACT_RESET}    },
[STREAM_ESTABLISHED] = { {ESTB, ODD},         {ESTB, ODD},          {ESTB, TAKE}, {FINR, END},  {FINR, END},  {DEAD, ACT_RESET}    },
[STREAM_FIN_SENT]    = { {FINS, ODD},         {FINS, ACT_ACCEPTED}, {FINS, TAKE}, {DEAD, BOTH}, {DEAD, BOTH}, {DEAD, ACT_RESET}    },
[STREAM_FIN_RECV]    = { {FINR, ODD},         {FINR, ODD},          {FINR, ODD},  {DEAD, GONE}, {DEAD, GONE}, {DEAD, ACT_CUT}      },
[STREAM_DEAD]        = { {DEAD, LATE},        {DEAD, LATE},         {DEAD, LATE}, {DEAD, LATE}, {DEAD, LATE}, {DEAD, LATE}         },
[STREAM_REAL_CLOSED] = { {REAL, ODD},         {REAL, ODD},          {REAL, DROP}, {DEAD, DONE}, {DEAD, DONE}, {DEAD, ACT_DONE_RST} },
};

#define DENY  DEED_DENY
#define SAME  DEED_NOTHING
#define ALLOW DEED_ALLOW
#define SYN   DEED_SYN
#define FIN   DEED_FIN
#define RST   DEED_RST

/* `finish` is looked up when the FIN leaves, not when it is asked for (finhold.h). `refuse` is that
 * of a vproxy peer; for others it is `reset`. `release` of a stream whose peer has finished and
 * whose FIN is on its way is not looked up: it ends by itself. */
static const struct on_verb verbs[STREAM_STATE_N][VERB_N] = {
/* state                   open          write         finish        reset         refuse        release       */
[STREAM_NONE]        = { {SYNS, SYN},  {NONE, DENY}, {NONE, DENY}, {NONE, SAME}, {NONE, DENY}, {NONE, SAME} },
[STREAM_SYN_SENT]    = { {SYNS, DENY}, {SYNS, ALLOW},{FINS, FIN},  {DEAD, RST},  {DEAD, RST},  {DEAD, RST}  },
[STREAM_ESTABLISHED] = { {ESTB, DENY}, {ESTB, ALLOW},{FINS, FIN},  {DEAD, RST},  {REAL, FIN},  {DEAD, RST}  },
[STREAM_FIN_SENT]    = { {FINS, DENY}, {FINS, DENY}, {FINS, SAME}, {DEAD, RST},  {REAL, SAME}, {DEAD, RST}  },
[STREAM_FIN_RECV]    = { {FINR, DENY}, {FINR, ALLOW},{DEAD, FIN},  {DEAD, RST},  {DEAD, FIN},  {DEAD, RST}  },
[STREAM_DEAD]        = { {DEAD, DENY}, {DEAD, DENY}, {DEAD, SAME}, {DEAD, SAME}, {DEAD, SAME}, {DEAD, SAME} },
[STREAM_REAL_CLOSED] = { {REAL, DENY}, {REAL, DENY}, {REAL, SAME}, {DEAD, RST},  {REAL, SAME}, {REAL, SAME} },
};
/* clang-format on */

static_assert(sizeof messages == sizeof(struct on_msg) * 7 * 6, "seven states, six messages");
static_assert(sizeof verbs == sizeof(struct on_verb) * 7 * 6, "seven states, six verbs");

struct on_msg
fogi_stream_on_msg(enum stream_state state, enum msg_type type)
{
    assert(type >= MSG_SYN && type <= MSG_RST);
    return messages[state][type - MSG_SYN];
}

struct on_verb
fogi_stream_on_verb(enum stream_state state, enum verb verb)
{
    return verbs[state][verb];
}

const char *
fogi_stream_state_name(enum stream_state state)
{
    static const char *const names[STREAM_STATE_N] = {
        "none", "syn_sent", "established", "fin_sent", "fin_recv", "dead", "real_closed",
    };
    return names[state];
}
