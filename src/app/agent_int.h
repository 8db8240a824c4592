/* SPDX-License-Identifier: MIT
 *
 * agent_int.h - what the files of the agent share.
 *
 *     agent.c        its life: signals, reload, drain
 *     agent_door.c   its listeners
 *     agent_front.c  one local connection: from its first byte to its last
 *     agent_talk.c   what it says, and what it is told
 *     agent_body.c   one HTTP request as a channel: the head written anew, then its body
 *     agent_pac.c    the script for browsers
 *     agent_group.h  groups of servers, and what carries a request through one of them
 *
 *     front --asks--> group --takes or makes--> line --channel--> front, which splices
 */
#ifndef FOGI_AGENT_INT_H
#define FOGI_AGENT_INT_H

#include "app/agent.h"
#include "app/agent_group.h"
#include "app/channel_tls.h"
#include "app/door.h"
#include "app/splice.h"
#include "app/turnstile.h"
#include "proxy/forward.h"

#define PACS_MAX 64                 /* who ask for the script, at once                     */
#define AGENT_DOORS 4               /* SOCKS5, HTTP, both, PAC                             */
#define FRONT_TIME FOG_SEC(10)      /* for a local connection to ask (threats S1, S7)        */
#define FRONT_ASK_TIME FOG_SEC(60)  /* for the answer, however many servers are asked        */
#define FRONT_IDLE FOG_SEC(15 * 60) /* joined, without a byte                               */

/* clang-format off */
#define AGENT_COUNTERS(X)                                                                           \
    X(asked)                  /* local connections that said where to                            */ \
    X(direct)                 /* of these, not through a server                                  */ \
    X(pooled)                 /* of these, on a line that stood ready                            */ \
    X(retried)                /* servers that failed a request another one then got              */ \
    X(failed)                 /* requests no server took                                         */ \
    X(queued)                 /* requests that waited for room at a server                       */ \
    X(limit_queued_hit)       /* failed, because so many waited already                          */ \
    X(limit_room_hit)         /* failed, because there was no room in time                       */ \
    X(refused)                /* requests the far side could not connect                         */ \
    X(lines)                  /* made and upgraded                                               */ \
    X(lines_failed)           /* not                                                             */ \
    X(lines_lost)             /* while they stood ready                                          */ \
    X(checks_failed)                                                                                \
    X(bad_requests)           /* neither SOCKS5 nor HTTP for a proxy                             */ \
    X(bad_logins)                                                                                   \
    X(delayed)                /* of these, answered later because there were so many             */ \
    X(limit_fresh_hit)        /* ended so that another could come in                             */ \
    X(limit_fresh_waited)     /* local connections that waited for a place                       */ \
    X(limit_pacs_hit)         /* too many asked for the script at once                           */ \
    X(limit_handshake_hit)    /* one took too long to ask                                        */ \
    X(limit_answer_hit)       /* nobody connected or refused in time                             */ \
    X(limit_idle_hit)         /* ended: no byte for too long                                     */
/* clang-format on */

struct agent_counters {
#define AGENT_COUNTER_FIELD(name) uint64_t name;
    AGENT_COUNTERS(AGENT_COUNTER_FIELD)
#undef AGENT_COUNTER_FIELD
};

struct agent;

/* -------------------------------------------------------------------------------------- fronts */

/** What a local listener is for. */
enum front_kind { FRONT_SOCKS5, FRONT_HTTP, FRONT_MIXED };

/** Opens all listeners, or none: a negative errno, and the user was told. */
FOG_CHECKED int fogi_agent_open(struct agent *a);

/** Nobody has failed to log in yet. key: chance. */
void fogi_fronts_init(struct agent *a, const uint8_t key[16]);
/** Takes a local connection. */
void fogi_front_take(struct agent *a, struct channel *c, const struct fog_addr *peer,
                     enum front_kind kind);
/** Ends all local connections that have not asked yet; all of them when `now`. */
void fogi_fronts_end(struct agent *a, bool now);
/** When the oldest of those that have not asked yet came; there is one. */
fog_time fogi_fronts_oldest(const struct agent *a);
void fogi_fronts_end_oldest(struct agent *a);
/** The users are about to be those of c: ends those that are logging in, unless they are the same. */
void fogi_fronts_change_users(struct agent *a, const struct agent_conf *c, bool same);

/** A request passed on, as the channel it is read from: head, then body, then nothing more. Writing
 *  goes to `below`, which is taken, also when it fails. head: copied. NULL without memory. */
FOG_CHECKED struct channel *fogi_agent_body(struct process *p, struct channel *below,
                                            const struct body *body, const char *head, size_t len);
/** Lends what of the head has not been read. */
const char *fogi_agent_body_head(const struct channel *c, size_t *len);
/** So many bytes of the head were sent otherwise. */
void fogi_agent_body_skip(struct channel *c, size_t len);

/* agent_pac.c */

/** Takes a connection of the PAC port. */
void fogi_pac_take(struct agent *a, struct channel *c);
void fogi_pacs_end(struct agent *a);

/* --------------------------------------------------------------------------------------- agent */

struct agent {
    struct process *p;
    struct agent_conf *conf; /* in force                                   */
    struct agent_conf *next; /* read, and about to be in force             */
    agent_load_fn load;
    void *load_ctx;
    struct tls_conf *tls;
    struct doorway way;
    struct door doors[AGENT_DOORS];
    struct group **groups;
    size_t n_groups;
    struct list leaving;      /* groups that no configuration has any more  */
    struct groups_plan *plan; /* of `next`                                  */
    struct pump sweep;        /* something that has left may be over        */
    struct reacher reacher;   /* direct, and servers over TCP */
    struct pump resumed;
    struct mem mem;
    struct turnstile logins; /* wrong ones (threats S4)  */
    struct list fresh, asking, spliced, pacs;
    unsigned n_fresh, n_pacs;
    uint64_t ids;
    struct agent_counters n;
};

uint64_t fogi_unix_ms(void);

#endif
