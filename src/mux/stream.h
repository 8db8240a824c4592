/* SPDX-License-Identifier: MIT
 *
 * stream.h - the life of one stream as two tables: what a message of the peer does in a state, and
 * what a verb of ours does. Pure: knows no memory, no time and no bytes.
 */
#ifndef FOGI_STREAM_H
#define FOGI_STREAM_H

#include "mux/framing.h"

enum stream_state {
    STREAM_NONE,        /* no stream of this id                                                   */
    STREAM_SYN_SENT,    /* client: opened, not yet accepted; may write already                    */
    STREAM_ESTABLISHED, /* both ways                                                              */
    STREAM_FIN_SENT,    /* we have finished, the peer still sends                                 */
    STREAM_FIN_RECV,    /* the peer has finished, we still send                                   */
    STREAM_DEAD,        /* over on the wire; what was received before its FIN may still be read   */
    STREAM_REAL_CLOSED, /* refused: our FIN is out, what still comes is thrown away               */
    STREAM_STATE_N
};

/** What to do when a message comes for a stream. */
enum act {
    ACT_LATE,     /* no such stream: drop; a glitch unless the id was possible once               */
    ACT_ODD,      /* legal nowhere: a glitch; a payload is dropped                                */
    ACT_ACCEPT,   /* a new stream; SYN-ACK                                                        */
    ACT_ACCEPTED, /* tell that the peer accepted; a glitch when it had already                    */
    ACT_TAKE,     /* the payload is for the reader                                                */
    ACT_DROP,     /* the payload is for nobody                                                    */
    ACT_END,      /* the reader gets EOF after its bytes                                          */
    ACT_BOTH,     /* the same, and the stream has ended in order                                  */
    ACT_GONE,     /* second FIN: the peer discards what we write; bytes and EOF stay readable     */
    ACT_RESET,    /* RST: echo it, unread bytes are dropped                                       */
    ACT_CUT,      /* RST after FIN: echo it; bytes and EOF stay readable                          */
    ACT_DONE,     /* the peer ends what we had ended                                              */
    ACT_DONE_RST, /* the same by RST: echo it                                                     */
    ACT_N
};

enum verb { VERB_OPEN, VERB_WRITE, VERB_FINISH, VERB_RESET, VERB_REFUSE, VERB_RELEASE, VERB_N };

/** What a verb of ours makes us do. */
enum deed {
    DEED_DENY,    /* not allowed in this state                                                    */
    DEED_NOTHING, /* already so                                                                   */
    DEED_ALLOW,   /* allowed, no message of its own                                               */
    DEED_SYN,
    DEED_FIN,
    DEED_RST,
    DEED_N
};

#define STREAM_MSG_N (MSG_RST - MSG_SYN + 1)

struct on_msg {
    uint8_t next, act;
};
struct on_verb {
    uint8_t next, deed;
};

/** The cell of a state and a message, MSG_SYN to MSG_RST. */
struct on_msg fogi_stream_on_msg(enum stream_state state, enum msg_type type);
struct on_verb fogi_stream_on_verb(enum stream_state state, enum verb verb);

/** "established" and so on. Never NULL. */
const char *fogi_stream_state_name(enum stream_state state);

#endif
