/* SPDX-License-Identifier: MIT
 *
 * agent_int.h - what the files of the agent share.
 *
 *     agent.c        its life: signals, reload, drain
 *     agent_door.c   its listeners
 *     agent_front.c  one local connection: from its first byte to its last
 *     agent_body.c   one HTTP request as a channel: the head written anew, then its body
 *     agent_group.c  a group of servers: who is well, whose turn it is, connections kept ready
 *     agent_line.c   one connection to a server: made, upgraded, kept, used
 *     agent_pac.c    the script for browsers
 *
 *     front --asks--> group --takes or makes--> line --channel--> front, which splices
 */
#ifndef FOGI_AGENT_INT_H
#define FOGI_AGENT_INT_H

#include "app/agent.h"
#include "app/channel_tls.h"
#include "app/door.h"
#include "app/reach.h"
#include "app/splice.h"
#include "app/supervisor.h"
#include "proxy/forward.h"
#include "proxy/websocks.h"

#define FRONTS_FRESH_MAX 1024       /* local connections that have not asked yet, at once   */
#define PACS_MAX 64                 /* who ask for the script, at once                     */
#define AGENT_DOORS 4               /* SOCKS5, HTTP, both, PAC                             */
#define FRONT_TIME FOG_SEC(10)      /* for a local connection to ask (threats S1, S7)        */
#define FRONT_IDLE FOG_SEC(15 * 60) /* joined, without a byte                               */
#define LINE_TIME FOG_SEC(10)       /* from making a line to its upgrade                    */
#define LINE_ECHO FOG_SEC(4)        /* from asking to its first byte, before another is asked */
#define LINE_REPLY FOG_SEC(20)      /* from there to the reply: the far side dials for 10 s */
#define LINES_MAKING_MAX 4          /* of a group, for its pool, at once; more in a burst   */
#define LINES_BURST 4               /* times the pool is kept ready after a burst           */
#define LINES_PAUSE FOG_SEC(1)      /* after one that failed; doubled up to 16 s            */
#define REQUEST_HOLD FOG_SEC(5)     /* for a tunnel to come up                              */
#define CHECK_EVERY FOG_SEC(30)     /* of a server over TCP (wire section 6.5)              */
#define CHECK_SOON FOG_SEC(3)       /* of one that is down                                  */
#define CHECK_DOWN_AFTER 2          /* failures in a row                                    */
#define CHECK_TIME FOG_SEC(5)       /* for one check                                        */

/* clang-format off */
#define AGENT_COUNTERS(X)                                                                           \
    X(asked)                  /* local connections that said where to                            */ \
    X(direct)                 /* of these, not through a server                                  */ \
    X(pooled)                 /* of these, on a line that stood ready                            */ \
    X(retried)                /* servers that failed a request another one then got              */ \
    X(failed)                 /* requests no server took                                         */ \
    X(refused)                /* requests the far side could not connect                         */ \
    X(lines)                  /* made and upgraded                                               */ \
    X(lines_failed)           /* not                                                             */ \
    X(lines_lost)             /* while they stood ready                                          */ \
    X(checks_failed)                                                                                \
    X(bad_requests)           /* neither SOCKS5 nor HTTP for a proxy                             */ \
    X(bad_logins)                                                                                   \
    X(limit_fresh_hit)        /* ended so that another could come in                             */ \
    X(limit_fresh_waited)     /* local connections that waited for a place                       */ \
    X(limit_pacs_hit)         /* too many asked for the script at once                           */ \
    X(limit_handshake_hit)    /* one took too long to ask                                        */ \
    X(limit_idle_hit)         /* ended: no byte for too long                                     */
/* clang-format on */

struct agent_counters {
#define AGENT_COUNTER_FIELD(name) uint64_t name;
    AGENT_COUNTERS(AGENT_COUNTER_FIELD)
#undef AGENT_COUNTER_FIELD
};

struct agent;
struct group;

/* ----------------------------------------------------------------------------------- servers */

/** One server of a group. */
struct far {
    struct group *g;
    const struct agent_server *conf;
    struct dest dest;      /* of TCP                                                          */
    struct supervisor sup; /* of a tunnel; in use when conf->kcp                              */
    int credit;            /* whose turn it is: smooth weighted round robin                   */
    unsigned strikes;      /* checks and uses that failed in a row                            */
    bool down;             /* not chosen while another is well                                */
    bool mute;             /* it took a request and said nothing: a TCP check proves nothing  */
    struct alarm check;    /* TCP; through a tunnel its supervisor knows better               */
    struct reach *checking;
};

/** A connection to a server. */
struct line {
    struct list link; /* group->making, ->ready, or ->used */
    struct group *g;
    struct far *far;
    struct reach *reach; /* NULL: not being connected         */
    struct channel *c;   /* NULL: not yet                     */
    struct ws_client ws;
    struct request *rq; /* NULL: for the pool                */
    struct alarm alarm;
    const struct carrier *carrier; /* of its stream, to be compared; NULL: TCP  */
    bool was_ready;                /* stood in the pool                         */
    bool echoed;                   /* there was an answer of some sort to rq    */
    bool silent;                   /* there was none in time                    */
    const char *why;               /* it failed                         */
    char text[80];                 /* for that                          */
};

/** How a request went. c: taken by the callee where rep is SOCKS_OK. why: a text that stays until
 *  the callee returns. */
typedef void (*request_fn)(void *ctx, struct channel *c, int rep, const char *why);

/** Someone wants a connection through a group. Embedded in whoever asks. */
struct request {
    struct list link; /* group->waiting                       */
    struct group *g;  /* NULL: nothing is asked               */
    struct dest dest;
    const char *early; /* bytes that may leave with the question, more than once; NULL: none   */
    size_t early_len, early_sent; /* sent: on the line that works on it or has answered        */
    struct line *line;            /* that works on it; NULL: none yet     */
    uint64_t tried[AGENT_SERVERS_MAX / 64];
    unsigned tries;
    fog_time since;
    const struct far *by; /* the server used last; NULL: none yet */
    const char *why;      /* of the last failure; NULL: none yet  */
    char text[80];        /* for that                             */
    struct pump pump;     /* tells that nobody takes it           */
    request_fn done;
    void *ctx;
};

struct group {
    struct agent *a;
    const struct agent_group *conf;
    struct far *fars;
    size_t n_fars;
    struct list making, ready, used; /* lines                                     */
    unsigned n_making, n_ready;
    unsigned wanted;     /* lines to be kept ready: the pool, more after a burst */
    struct list waiting; /* requests for a tunnel that is not up yet     */
    struct alarm pong;   /* of all ready lines at once                   */
    struct alarm refill; /* after a failure                              */
    struct alarm hold;   /* the oldest of waiting has waited long enough */
    bool paused;         /* until refill rings                           */
    unsigned failures;   /* lines that failed since the last one that stood */
    bool stopping;
    struct pump pump;  /* fills the pool                               */
    struct pump place; /* a tunnel is up: lines wait for it            */
};

/* agent_group.c */

/** Begins to keep servers and pool. Zeroed memory in, 0 or a negative errno out. */
FOG_CHECKED int fogi_group_init(struct group *g, struct agent *a, const struct agent_group *conf);
/** Keeps nothing ready any more. */
void fogi_group_drain(struct group *g);
/** Nobody asks any more. Ends all lines and tunnels; all handles are closing on return. */
void fogi_group_stop(struct group *g);
/** When they are closed. */
void fogi_group_free(struct group *g);
bool fogi_group_is_busy(const struct group *g);
void fogi_group_resumed(struct group *g);
void fogi_group_dump(struct group *g, struct stats *out);

/** Asks: done() comes once, later. rq->early and early_len are set, and lent until then. */
void fogi_group_ask(struct group *g, struct request *rq, const struct dest *dest, request_fn done,
                    void *ctx);
/** done() will not come. Fine on one that is answered or never asked. */
void fogi_request_forget(struct request *rq);

/** For agent_line.c: whether another server could take rq, which f has. */
bool fogi_group_has_other(const struct group *g, const struct request *rq, const struct far *f);
/** ... l is upgraded and nobody wants it yet. */
void fogi_group_line_ready(struct group *g, struct line *l);
/** ... l's request is answered by the far side; c: when it succeeded. l goes. */
void fogi_group_line_answered(struct group *g, struct line *l, struct channel *c, int rep);
/** ... l broke or could not be made, l->why tells; its request, if any, goes to another. l goes. */
void fogi_group_line_failed(struct group *g, struct line *l);

/* agent_line.c */

/** Begins to make a line; NULL when that fails at once (no memory, tunnel down). */
struct line *fogi_line_new(struct far *f, struct request *rq);
/** A ready line gets a request. */
void fogi_line_use(struct line *l, struct request *rq);
/** Says PONG. */
void fogi_line_pong(struct line *l);
/** Ends l without a word to anybody. */
void fogi_line_free(struct line *l);

/* -------------------------------------------------------------------------------------- fronts */

/** What a local listener is for. */
enum front_kind { FRONT_SOCKS5, FRONT_HTTP, FRONT_MIXED };

/** Opens all listeners, or none: a negative errno, and the user was told. */
FOG_CHECKED int fogi_agent_open(struct agent *a);

/** Takes a local connection. */
void fogi_front_take(struct agent *a, struct channel *c, const struct fog_addr *peer,
                     enum front_kind kind);
/** Ends all local connections that have not asked yet; all of them when `now`. */
void fogi_fronts_end(struct agent *a, bool now);
/** When the oldest of those that have not asked yet came; there is one. */
fog_time fogi_fronts_oldest(const struct agent *a);
void fogi_fronts_end_oldest(struct agent *a);
/** Ends those that are logging in: the users are about to be others. */
void fogi_fronts_forget_users(struct agent *a);

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
    struct agent_conf *base; /* of the start: the groups are of this one   */
    struct agent_conf *next; /* read, and about to be in force             */
    agent_load_fn load;
    void *load_ctx;
    struct tls_conf *tls;
    struct doorway way;
    struct door doors[AGENT_DOORS];
    struct group *groups;
    size_t n_groups;
    struct reacher reacher; /* direct, and servers over TCP */
    struct pump resumed;
    struct mem mem;
    struct list fresh, asking, spliced, pacs;
    unsigned n_fresh, n_pacs;
    uint64_t ids;
    struct agent_counters n;
};

uint64_t fogi_unix_ms(void);

#endif
