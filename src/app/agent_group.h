/* SPDX-License-Identifier: MIT
 *
 * agent_group.h - groups of servers, and what carries a request through one of them.
 *
 *     agent_groups.c   which groups and servers there are, after a reload too
 *     agent_group.c    a group: its parts together, coming and going
 *     agent_far.c      one server: is it well
 *     agent_turn.c     whose turn it is
 *     agent_pool.c     connections kept ready
 *     agent_request.c  one request: another server before anybody hears of a failure
 *     agent_line.c     one connection to a server: made, upgraded, kept, used
 *
 *     request --whose turn--> far --new--> line         a line tells its request, or the pool, how
 *        \------takes-------- pool --keeps--> line      it went; both tell the far
 */
#ifndef FOGI_AGENT_GROUP_H
#define FOGI_AGENT_GROUP_H

#include "app/agent_conf.h"
#include "app/channel.h"
#include "app/reach.h"
#include "app/supervisor.h"
#include "proxy/websocks.h"

#define LINE_TIME FOG_SEC(10)    /* from making a line to its upgrade                    */
#define LINE_ECHO FOG_SEC(4)     /* from asking to its first byte, before another is asked */
#define LINE_REPLY FOG_SEC(20)   /* from there to the reply: the far side dials for 10 s */
#define LINES_NEW_MAX 128        /* to a server, not upgraded yet, at once: gateways bound those  */
#define LINES_MAKING_MAX 4       /* of a group, for its pool, at once, before one has stood */
#define LINES_BURST 4            /* times the pool is kept ready after a burst           */
#define LINES_PAUSE FOG_SEC(1)   /* after one that failed; doubled up to 16 s            */
#define REQUESTS_QUEUED_MAX 4096 /* of a group, waiting for room at a server              */
#define REQUEST_ROOM FOG_SEC(30) /* for that                                            */
#define REQUEST_HOLD FOG_SEC(5)  /* for a tunnel to come up                              */
#define CHECK_EVERY FOG_SEC(30)  /* of a server over TCP (wire section 6.5)              */
#define CHECK_SOON FOG_SEC(3)    /* of one that is down                                  */
#define CHECK_DOWN_AFTER 2       /* failures in a row                                    */
#define CHECK_TIME FOG_SEC(5)    /* for one check                                        */

struct agent;
struct group;
struct stats;

/** One server of a group. Its memory goes when it has left and nobody refers to it. */
struct far {
    struct list link; /* group->gone once it has left                                          */
    struct group *g;
    struct agent_server conf; /* a copy, with its text at the end of this                      */
    size_t size;              /* of all this                                                   */
    unsigned slot;            /* its bit in request.tried: of no other server of the group     */
    unsigned holders;         /* lines to it, and requests that name it                        */
    bool kept;                /* the next configuration has it as well                         */
    bool leaving;             /* no configuration has it any more                              */
    struct dest dest;         /* of TCP                                                          */
    struct supervisor sup;    /* of a tunnel; in use when conf->kcp                              */
    int credit;               /* whose turn it is: smooth weighted round robin                   */
    unsigned strikes;         /* checks and uses that failed in a row                            */
    bool down;                /* not chosen while another is well                                */
    unsigned n_new;           /* lines to it that are not upgraded yet                           */
    bool full;                /* its tunnels took no stream                                      */
    bool mute;                /* it took a request and said nothing: a TCP check proves nothing  */
    struct alarm check;       /* TCP; through a tunnel its supervisor knows better               */
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
    bool is_new;                   /* counted in far->n_new: not upgraded yet   */
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
    struct list link; /* group->waiting or ->queued           */
    struct group *g;  /* NULL: nothing is asked               */
    bool queued;      /* it is in group->queued               */
    struct dest dest;
    const char *early; /* bytes that may leave with the question, more than once; NULL: none   */
    size_t early_len, early_sent; /* sent: on the line that works on it or has answered        */
    struct line *line;            /* that works on it; NULL: none yet     */
    uint64_t tried[AGENT_SERVERS_MAX / 64];
    unsigned tries;
    fog_time since;
    struct far *by;   /* the server used last, held; NULL: none yet */
    const char *why;  /* of the last failure; NULL: none yet  */
    char text[80];    /* for that                             */
    struct pump pump; /* tells that nobody takes it           */
    request_fn done;
    void *ctx;
};

struct group {
    struct list link; /* agent->leaving once no configuration has it */
    struct agent *a;
    char name[AGENT_NAME_MAX + 1];
    struct far **fars;
    size_t n_fars;
    struct list gone;                /* servers that have left and are still referred to */
    unsigned n_requests;             /* not answered yet                                 */
    bool kept;                       /* the next configuration has it as well            */
    bool leaving;                    /* no configuration has it any more                 */
    struct list making, ready, used; /* lines                                     */
    unsigned n_making, n_ready;
    unsigned wanted;     /* lines to be kept ready: the pool, more after a burst */
    struct list waiting; /* requests for a tunnel that is not up yet     */
    struct list queued;  /* ... for room at a server                     */
    unsigned n_queued;
    struct alarm pong;   /* of all ready lines at once                   */
    struct alarm refill; /* after a failure                              */
    struct alarm hold;   /* the oldest of either has waited long enough  */
    bool paused;         /* until refill rings                           */
    unsigned failures;   /* lines that failed since the last one that stood */
    bool proven;         /* a line has stood since the last failure         */
    bool stopping;
    struct pump pump;  /* fills the pool                               */
    struct pump place; /* a tunnel is up, a server has room            */
};

/* agent_groups.c */

/** What the groups are to be: everything that can fail has been done. */
struct groups_plan;

void fogi_groups_init(struct agent *a);
/** Plans the groups and servers of c. FOG_E_NOMEM. */
FOG_CHECKED int fogi_groups_plan(struct groups_plan **out, struct agent *a,
                                 const struct agent_conf *c);
/** The plan is not carried out. NULL is fine. */
void fogi_groups_forget(struct groups_plan *plan);
/** Takes the plan and carries it out: what is new begins, what stays goes on, what is gone ends
 * once its last request and stream have. c is in force by now. */
void fogi_groups_follow(struct groups_plan *plan);
/** Something of what has left may be over. */
void fogi_groups_sweep(struct agent *a);
/** Nobody asks any more. Ends all groups; their memory goes as their handles close. */
void fogi_groups_stop(struct agent *a);

/* agent_group.c */

/** A group without servers, of which nothing has begun; NULL without memory. */
struct group *fogi_group_new(struct agent *a, const char *name);
/** Begins to keep a pool. */
void fogi_group_start(struct group *g);
/** Keeps nothing ready any more. */
void fogi_group_drain(struct group *g);
/** Ends all lines and tunnels of a group that was started; nobody asks any more. Its memory goes as
 *  its handles close. */
void fogi_group_end(struct group *g);
bool fogi_group_is_busy(const struct group *g);
void fogi_group_resumed(struct group *g);
/** What is of tunnels was otherwise before, and what is of checks may be. */
void fogi_group_reload(struct group *g, const struct conf *was);
void fogi_group_dump(struct group *g, struct stats *out);

/* agent_far.c */

/** A server of which nothing has begun; NULL without memory. Copies conf. */
struct far *fogi_far_new(struct process *p, const struct agent_server *conf);
/** Frees one of which nothing has begun. */
void fogi_far_drop(struct process *p, struct far *f);
/** Begins to keep an eye on it. */
void fogi_far_start(struct far *f, struct group *g);
/** As fogi_group_reload(). */
void fogi_far_reload(struct far *f, const struct conf *was);
/** Takes no more lines; those that work and streams that run go on. */
void fogi_far_leave(struct far *f);
/** Whether one that has left is referred to by nobody. */
bool fogi_far_is_over(const struct far *f);
/** Ends it; its memory goes as its handles close. */
void fogi_far_end(struct far *f);
/** One more, one less refers to it. */
void fogi_far_hold(struct far *f);
void fogi_far_release(struct far *f);
/** A line to it could not be made, or a check failed: down after a few of them in a row. */
void fogi_far_strike(struct far *f, const char *why);
/** It has taken a request and does not say a word: down at once. */
void fogi_far_is_mute(struct far *f, const char *why);
void fogi_far_is_well(struct far *f);
/** Whether a line to it can be begun at all. */
bool fogi_far_is_usable(const struct far *f);
/** Whether one can be begun now: it is usable, and not too many are being made. */
bool fogi_far_has_room(const struct far *f);

/* agent_turn.c */

static inline bool
request_tried(const struct request *rq, size_t i)
{
    return rq && rq->tried[i / 64] >> i % 64 & 1;
}

static inline void
request_try(struct request *rq, size_t i)
{
    rq->tried[i / 64] |= (uint64_t)1 << i % 64;
}

static inline void
request_untry(struct request *rq, size_t i)
{
    rq->tried[i / 64] &= ~((uint64_t)1 << i % 64);
}

/** The server with room whose turn it is, of those that rq (NULL: the pool) has not tried: one that
 *  is well if there is any, with room or not, else any that can be used; NULL: none. */
struct far *fogi_turn(struct group *g, const struct request *rq);
/** Whether a server other than f, which is well, could take rq. */
bool fogi_turn_has_other(const struct group *g, const struct request *rq, const struct far *f);
/** Whether a server that rq has not tried could take it if it had room. */
bool fogi_turn_waits(const struct group *g, const struct request *rq);
/** Whether a tunnel that rq has not tried may come up soon. */
bool fogi_turn_may_come(const struct group *g, const struct request *rq);

/* agent_pool.c */

void fogi_pool_init(struct group *g);
void fogi_pool_stop(struct group *g);
/** Keeps nothing ready any more. */
void fogi_pool_drain(struct group *g);
/** A line that stands ready, or is being made, for rq, which takes it out of its list; NULL: none.
 */
struct line *fogi_pool_take_ready(struct group *g, const struct request *rq);
struct line *fogi_pool_take_making(struct group *g, const struct request *rq);
/** It ran dry: more of it until there is peace again. */
void fogi_pool_want_more(struct group *g);
/** Whether one more line should be made now. */
bool fogi_pool_wants_line(const struct group *g);
/** Drops the lines to f; to any server with TLS if f is NULL; to any at all if `all`. */
void fogi_pool_drop(struct group *g, const struct far *f, bool all);
/** A line to f, unless one is being made: f is well once that stands. */
void fogi_pool_probe(struct far *f);
/** Drops what whoever is between us and a server over TCP has forgotten. */
void fogi_pool_resumed(struct group *g);
/** For agent_line.c: l is upgraded and nobody wants it yet. */
void fogi_pool_line_ready(struct group *g, struct line *l);
/** l, which nobody had asked for, broke or could not be made. */
void fogi_pool_line_failed(struct group *g, const struct line *l);

/* agent_request.c */

void fogi_requests_init(struct group *g);
void fogi_requests_stop(struct group *g);
/** Another server stands in that slot: nobody has tried it. */
void fogi_requests_untry(struct group *g, unsigned slot);
/** A tunnel is up, a line stands, a server has room: those that wait are served. */
void fogi_requests_place(struct group *g);
/** Asks: done() comes once, later. rq->early and early_len are set, and lent until then. */
void fogi_group_ask(struct group *g, struct request *rq, const struct dest *dest, request_fn done,
                    void *ctx);
/** done() will not come. Fine on one that is answered or never asked. */
void fogi_request_forget(struct request *rq);

/** For agent_line.c: l's request is answered by the far side; c: when it succeeded. l goes. */
void fogi_request_answered(struct line *l, struct channel *c, int rep);
/** ... l broke or could not be made, l->why tells; its request, if any, goes to another. l goes. */
void fogi_request_line_failed(struct line *l);

/* agent_line.c */

/** Begins to make a line; NULL when that fails at once (no memory, tunnel down). */
struct line *fogi_line_new(struct far *f, struct request *rq);
/** A ready line gets a request. */
void fogi_line_use(struct line *l, struct request *rq);
/** Says PONG. */
void fogi_line_pong(struct line *l);
/** Ends l without a word to anybody. */
void fogi_line_free(struct line *l);

#endif
