/* SPDX-License-Identifier: MIT
 *
 * gateway_int.h - what the files of the gateway share.
 *
 *     gateway.c          its life: listeners, signals, reload, drain
 *     gateway_door.c     ports, and who may stand in the door
 *     gateway_kcp.c      those who come through a tunnel
 *     gateway_session.c  one connection: from its first byte to its last
 *     gateway_web.c      what a visitor gets
 */
#ifndef FOGI_GATEWAY_INT_H
#define FOGI_GATEWAY_INT_H

#include "app/channel_tls.h"
#include "app/door.h"
#include "app/gateway.h"
#include "app/hub.h"
#include "app/reach.h"
#include "app/splice.h"
#include "app/turnstile.h"
#include "proxy/site.h"
#include "proxy/websocks.h"

#define FRESH_KCP_MAX (DOOR_MAX + 512) /* not authenticated; streams of tunnels cannot wait */
#define HANDSHAKE_TIME FOG_SEC(10) /* for each step that the far side owes us (S1, S7)         */
#define IDLE_TIME FOG_SEC(15 * 60) /* without a byte, PONGs included                           */
#define WEB_BODY_MAX (1 << 20)     /* bytes of a request that are dropped behind its answer      */
#define LINGER_QUIET FOG_SEC(5)    /* reading on after our end, until nothing came for ...     */
#define LINGER_TIME FOG_SEC(30)    /* ... or in total                                          */

/* clang-format off */
#define GATEWAY_COUNTERS(X)                                                                         \
    X(sessions)               /* connections and tunnel streams taken                            */ \
    X(upgraded)               /* of these, agents with a good password                           */ \
    X(streams)                /* connected to where they wanted                                  */ \
    X(refused)                /* could not be                                                    */ \
    X(visits)                 /* answers as a web server                                         */ \
    X(bad_heads)              /* of these, to what is no request                                 */ \
    X(bad_users)              /* of these, to a wrong or unknown user                            */ \
    X(delayed)                /* answers held back: too many from one source                     */ \
    X(tls_failed)             /* TLS handshakes that failed                                      */ \
    X(limit_fresh_waited)     /* had to wait: too many were not authenticated                    */ \
    X(limit_fresh_hit)        /* ended unheard, because others waited or it was one too many     */ \
    X(limit_handshake_hit)    /* ended: a step took too long                                     */ \
    X(limit_idle_hit)         /* ended: no byte for too long                                     */
/* clang-format on */

struct gateway_counters {
#define GATEWAY_COUNTER_FIELD(name) uint64_t name;
    GATEWAY_COUNTERS(GATEWAY_COUNTER_FIELD)
#undef GATEWAY_COUNTER_FIELD
};

/** What a reload replaces whole. */
struct gateway_live {
    struct gateway_conf *conf;
    struct tls_conf *tls; /* NULL: no TLS     */
    struct auth_user *users;
    struct auth auth;
    int webroot; /* a directory; -1: none */
};

struct gateway {
    struct process *p;
    struct gateway_live live, next; /* next: read, and about to replace */
    gateway_load_fn load;
    void *load_ctx;
    struct doorway way;
    struct door door, redirect;
    struct hub *hub; /* NULL: no tunnels */
    struct turnstile visits;
    struct reacher reacher;
    struct mem mem;    /* of the engines                          */
    struct list fresh; /* sessions without a good password, yet, each list from oldest to newest */
    struct list greeted;                    /* ... of which TLS stands                  */
    struct list settled;                    /* all others                              */
    uint32_t n_fresh, n_greeted, n_settled; /* n_fresh: with those greeted */
    uint64_t ids;                           /* of streams, given so far                */
    struct gateway_counters n;
};

enum session_phase {
    SESSION_ENGINE,  /* the engine reads what comes                                             */
    SESSION_HELD,    /* an answer waits for its source's turn                                   */
    SESSION_ANSWER,  /* an answer of the web server is being sent                               */
    SESSION_REACH,   /* a connection is being made, or the first byte is awaited                */
    SESSION_SPLICED, /* joined: splice.h has both channels                                      */
    SESSION_LINGER   /* we have ended: what still comes is read, so that it becomes no reset    */
};

struct web_answer;

struct session {
    struct list link;
    struct gateway *g;
    struct channel *c; /* NULL: splice has it */
    struct fog_addr peer;
    struct ws_server ws;
    enum session_phase phase;
    bool fresh, tls, greeted, kcp, redirect;
    uint64_t body; /* of the request that was answered: still to be dropped                      */
    int bad_head;  /* what came is no request: the status of its answer; 0: it is one            */
    uint64_t id;   /* of the stream, for the log; 0: none yet                                  */
    char user[64]; /* whose; cut                                                               */
    struct web_answer *web;
    struct reach *reach;
    struct channel *far;
    struct splice splice;
    struct alarm alarm;
    fog_time born;         /* when it came, ended its TLS handshake, or began its request anew   */
    fog_time since, moved; /* the step's begin; when a byte came last                            */
};

/** Takes a connection or a stream; c: also when it fails. kcp: for the log. */
void fogi_gateway_take(struct gateway *g, struct channel *c, const struct fog_addr *peer, bool kcp);

/** As fogi_gateway_take(), on the port that only redirects: never TLS. */
void fogi_gateway_take_redirect(struct gateway *g, struct channel *c, const struct fog_addr *peer);

/** Ends at once whatever it is doing. */
void fogi_session_kill(struct session *s);

/* gateway_door.c */

/** A doorway without a port. */
void fogi_gateway_doors_init(struct gateway *g);
/** The same, and listens; 0 or a negative errno, after having told the user. */
FOG_CHECKED int fogi_gateway_open(struct gateway *g, const struct gateway_conf *c);
/** Takes nothing more. Idempotent. */
void fogi_gateway_shut(struct gateway *g);
/** Whether a stream of a tunnel may come in. */
bool fogi_gateway_has_room_kcp(struct gateway *g);

/* gateway_kcp.c */

/** Takes tunnels on this UDP port; 0 or a negative errno. */
FOG_CHECKED int fogi_gateway_kcp_open(struct gateway *g, const struct hostport *at);
/** Ends all tunnels. Fine when there is no hub. */
void fogi_gateway_kcp_close(struct gateway *g);

/* gateway_web.c */

/** Makes the answer to the request in s->ws.head; false without memory. */
FOG_CHECKED bool fogi_web_answer(struct session *s);
/** Makes the answer to what is no request. */
FOG_CHECKED bool fogi_web_error(struct session *s, int status);
/** Sends what fits. 1: all is sent; 0: more later; FOG_E_RESET. */
FOG_CHECKED int fogi_web_send(struct session *s);
/** Whether the connection stays after this answer. */
bool fogi_web_stays(const struct session *s);
void fogi_web_free(struct session *s);

/** A directory to serve from; -1 and errno. */
int fogi_web_open_root(const char *path);

uint64_t fogi_unix_ms(void);

#endif
