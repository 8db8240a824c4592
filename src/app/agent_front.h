/* SPDX-License-Identifier: MIT
 *
 * agent_front.h - one local connection, as its two files share it.
 *
 *     agent_front.c   that it is there: its phases, how long each may take, joining, its end
 *     agent_talk.c    what is said: SOCKS5 or HTTP, logins, what is asked, what is answered
 */
#ifndef FOGI_AGENT_FRONT_H
#define FOGI_AGENT_FRONT_H

#include "app/agent_int.h"

#define SAY_MAX 256 /* bytes of an answer of our own */

enum front_phase {
    FRONT_SNIFF, /* the first byte tells the protocol                     */
    FRONT_TALK,  /* an engine reads what it wants                         */
    FRONT_HELD,  /* a wrong login: the answer waits                       */
    FRONT_ASK,   /* somebody connects                                     */
    FRONT_SAY,   /* the answer is being sent                              */
    FRONT_SPLICED,
    FRONT_LINGER /* we have ended: what still comes is read and dropped   */
};

struct front {
    struct list link; /* agent->fresh, ->asking or ->spliced */
    struct agent *a;
    struct channel *c; /* NULL: splice has it */
    struct fog_addr peer;
    const struct group *group; /* that is asked; NULL: none                 */
    enum front_kind kind;
    enum front_phase phase;
    bool http;     /* it speaks HTTP, else SOCKS5                    */
    bool was_held; /* its wrong login was, and is answered now       */
    uint64_t id;
    union {
        struct socks_server socks;
        struct head head;
    } in;
    struct forward forward; /* HTTP                                         */
    struct dest dest;
    struct request rq;
    struct reach *reach;
    struct channel *far; /* NULL: not yet, or splice has it               */
    char say[SAY_MAX];   /* our words, for HTTP                           */
    size_t say_at, say_len;
    struct splice splice;
    struct alarm alarm;
    fog_time moved;
};

/* agent_front.c */

/** Goes on to a phase that may take `time`. */
void fogi_front_phase(struct front *f, enum front_phase phase, fog_time time);
/** To another list of the agent. */
void fogi_front_move(struct front *f, struct list *where);
/** What it has read is no longer needed. */
void fogi_front_drop_engine(struct front *f);
/** Something has changed; as channel.h tells it. */
void fogi_front_look(void *front);
/** Joins f->c and f->far. */
void fogi_front_join(struct front *f);
/** Our end is told; reads on so that closing makes no reset of it. */
void fogi_front_linger(struct front *f);
/** Lets go of everything. f may be gone at the end of this turn. */
void fogi_front_end(struct front *f, bool reset);
/** One line about the request. */
void fogi_front_log(const struct front *f, enum log_at level, const char *what);

/* agent_talk.c: what to do in each phase. f may have ended after each of them. */

void fogi_talk_sniff(struct front *f);
void fogi_talk(struct front *f);
void fogi_talk_wait(struct front *f);
void fogi_talk_say(struct front *f);
/** Who asked hears that there was no answer in time, which is the truth. */
void fogi_talk_give_up(struct front *f);

#endif
