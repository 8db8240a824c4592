/* SPDX-License-Identifier: MIT
 *
 * sim.h - a world in virtual time: hosts, bad links, attackers and flows, all drawn from one seed.
 * It drives the same engines as the program, through the same verbs, and knows the truth that they
 * do not: what was sent, who is real, what broke and when.
 *
 *   sim_world.c    clock, actors, trace, truth hash, counting allocator
 *   sim_draw.c     seed -> plan              sim_scenario.c  table -> plan
 *   sim_link.c     datagram links over src/emu   sim_pipe.c  byte carriers with bounded pieces
 *   sim_client.c   a client that reconnects  sim_server.c    endpoint or lone sessions, targets
 *   sim_tunnel.c   a session being driven
 *   sim_flow.c     what the two ends of a stream do
 *   sim_attack.c   strangers                 sim_fault.c     faults when their time comes
 *   sim_check.c    what must always hold     sim_main.c      arguments, jobs, summary
 *
 * One seed gives one bit-identical run. Nothing here reads a clock, an address or a pointer value.
 */
#ifndef SIM_H
#define SIM_H

#include <foggara/session.h>

#include "base/heap.h"
#include "base/list.h"
#include "base/rng.h"
#include "emu/emu.h"

#include <stdio.h>

#define MAX_CLIENTS 5
#define MAX_FLOWS 1100
#define MAX_FAULTS 24
#define MAX_SEQS 250 /* addresses one client may use in a run */
#define MAX_STRANGERS 24
#define DATAGRAM 2048

/* ------------------------------------------------------------------------------------- the plan */

/* What a seed may contain: over which carriers, and in how many of 100 seeds of those. The summary
 * tells in how many seeds each was active. */
enum { ON_ENDPOINT = 1, ON_DIRECT = 2, ON_UDP = 3, ON_PIPE = 4, ON_ANY = 7 };

/* clang-format off */
#define FEATURES(X)                                     \
    X(LOSS,      "loss",                ON_UDP,      28)\
    X(BURST,     "burst loss",          ON_UDP,      28)\
    X(DUP,       "duplication",         ON_UDP,      28)\
    X(REORDER,   "reordering",          ON_UDP,      28)\
    X(JITTER,    "jitter",              ON_ANY,      28)\
    X(CORRUPT,   "corruption",          ON_UDP,      28)\
    X(TRUNCATE,  "truncation",          ON_UDP,      28)\
    X(RATE,      "narrow rate",         ON_UDP,      28)\
    X(MTU,       "mtu hole",            ON_UDP,      22)\
    X(DARK,      "blackout",            ON_ANY,      28)\
    X(ONEWAY,    "one way dark",        ON_ANY,      28)\
    X(MOVE,      "address change",      ON_ANY,      24)\
    X(REBIND,    "nat rebind",          ON_ENDPOINT, 45)\
    X(STALL_C,   "client stall",        ON_ANY,      28)\
    X(STALL_S,   "server stall",        ON_ANY,      28)\
    X(APP_STALL, "events late",         ON_ANY,      28)\
    X(SUSPEND,   "suspend",             ON_ANY,      28)\
    X(JUMP,      "clock jump",          ON_ANY,      18)\
    X(RESTART_C, "client restart",      ON_ANY,      24)\
    X(RESTART_S, "server restart",      ON_ANY,      18)\
    X(NOMEM,     "no memory",           ON_ANY,      18)\
    X(ATTACK,    "attackers",           ON_ENDPOINT, 45)\
    X(CUT,       "carrier cut",         ON_PIPE,     45)\
    X(PIECES,    "tiny pieces",         ON_PIPE,     50)\
    X(WINDOW,    "tiny window",         ON_UDP,      28)\
    X(SMALL_MTU, "small mtu",           ON_UDP,      28)\
    X(TIGHT,     "tight limits",        ON_ANY,      28)\
    X(WRAP_SN,   "sn wraps",            ON_DIRECT,   60)\
    X(WRAP_TS,   "ts wraps",            ON_UDP,      28)\
    X(CLOCK,     "clock at 2^31, 2^32", ON_ANY,      28)\
    X(PLAIN,     "plain peer",          ON_UDP,      70)\
    X(GZIP,      "compressed",          ON_ANY,      28)\
    X(REFUSE,    "refused dial",        ON_ANY,      28)\
    X(SLOW_DIAL, "slow dial",           ON_ANY,      28)\
    X(SLOW_READ, "slow reader",         ON_ANY,      28)\
    X(RESET,     "resets",              ON_ANY,      28)\
    X(HALF,      "half-close",          ON_ANY,      28)\
    X(BOTH_FIN,  "both fin",            ON_ANY,      28)\
    X(MANY,      "many streams",        ON_ANY,      28)\
    X(WORN,      "worn sessions",       ON_ANY,      20)\
    X(DRAIN,     "server drains",       ON_ANY,      20)\
    X(SPOOF,     "spoofed opening",     ON_ENDPOINT, 40)
/* clang-format on */

enum feature {
#define FEATURE_ENUM(name, text, on, per_100) F_##name,
    FEATURES(FEATURE_ENUM)
#undef FEATURE_ENUM
        F_N
};

enum via { VIA_ENDPOINT, VIA_DIRECT, VIA_PIPE, VIA_ANY };

/* One end of a stream: how it writes, reads and ends. Pauses are dropped once the world has healed,
 * so that only the tunnel can be slow. */
struct script {
    uint32_t total;        /* bytes to send in all */
    uint32_t credit;       /* of these, at once; more only as the peer's bytes come in: */
    uint32_t per_recv;     /* after so many received bytes */
    uint32_t gain;         /* so many more may be sent */
    uint32_t write_max;    /* bytes of one write */
    fog_time write_pause;  /* between writes */
    uint32_t read_max;     /* bytes read at once; 0: all */
    fog_time read_pause;   /* between reads */
    fog_time read_hold;    /* before the first read */
    bool send_after_eof;   /* nothing is sent before the peer's end of file */
    bool finish_after_eof; /* finish() waits for the peer's end of file */
    bool in_place;         /* writes by reserve and commit */
    uint32_t reset_at;     /* resets after so many bytes, sent and received; 0: never */
};

struct flow_plan {
    const char *name;
    int client;
    fog_time at;
    struct script end[2]; /* FOG_CLIENT, FOG_SERVER */
    fog_time dial;
    bool refuse, compressible;
    fog_time done_by; /* scenarios; 0: whenever */
};

struct fault {
    enum feature what;
    int client; /* -1: all of them */
    fog_time at, lasts;
    int64_t arg; /* direction, jump */
};

struct plan {
    uint64_t seed;
    enum via via;
    int clients, n_flows, n_faults;
    bool has[F_N];
    fog_time heal_at;    /* all faults are over */
    fog_time finish_in;  /* after heal_at every live stream must be done within */
    fog_time give_up;    /* idle and dead timers are shorter than this */
    fog_time origin;     /* the engines' clock at world time 0 */
    fog_time attack_gap; /* mean time between two datagrams of an attacker */
    double nomem;        /* share of allocations refused until heal_at */
    struct fog_session_options side[2];
    struct emu_options link[MAX_CLIENTS][2], healed[MAX_CLIENTS][2];
    uint32_t piece, carrier; /* pipe: bytes of a piece, bytes under way */
    struct fault faults[MAX_FAULTS];
    struct flow_plan flows[MAX_FLOWS];
    uint64_t max_datagrams; /* scenarios: more is a failure; 0: any number */
    fog_time max_finish;    /* scenarios: all flows are done by then; 0: see finish_in */
    fog_time max_learn;     /* scenarios: a lost session is known so soon after its use */
};

void sim_draw(struct plan *p, uint64_t seed, enum via via);

/* ------------------------------------------------------------------------------------ the world */

struct world;

/** Something that acts when its time comes; equal times act in the order they were set. */
struct actor {
    struct heap_node due;
    void (*run)(struct actor *a, struct world *w);
};

struct count { /* a counting allocator */
    struct world *w;
    struct rng rng;
    size_t held, peak;
    uint64_t blocks;
    bool refuses;
};

struct packet {
    struct list in; /* host.inbox */
    struct fog_addr from;
    uint32_t seq; /* client: the address it was sent to; server, client's sender */
    size_t len;
    uint8_t bytes[];
};

struct host {
    struct actor wake;
    struct world *w;
    const char *name;
    int number;
    fog_time skew;          /* of its clock */
    fog_time off_until;     /* nothing runs */
    fog_time app_off_until; /* events are not pulled, streams not touched */
    bool deaf;              /* suspended: datagrams are lost instead of queued */
    struct list inbox;
    size_t inbox_bytes;
    struct list busy; /* ends whose time has come */
    struct count mem;
    uint64_t wakes, ticks;
};

struct tunnel {      /* a session and what the application keeps about it */
    struct list all; /* server.tunnels */
    struct host *host;
    struct fog_session *s;
    struct client *c;
    uint32_t gen, seq; /* of the client's session; address it was opened from */
    struct pipe *pipe;
    struct list ends;
    bool ready, closed, by_endpoint;
    bool drained; /* we have said goodbye */
    bool worn;    /* opens nothing new; goes when its last stream has gone */
    fog_time since;
    int err; /* why it closed */
};

enum end_state { END_NONE, END_WAIT, END_OPEN, END_DONE, END_RESET, END_CUT };

struct end {
    struct actor timer;
    struct list busy, in; /* host.busy, tunnel.ends */
    struct flow *flow;
    struct tunnel *tunnel;
    struct fog_stream *st;
    enum end_state state;
    uint32_t sent, received;
    fog_time next_write, next_read;
    bool dialled;           /* server: connected */
    bool finished;          /* finish() was called */
    bool readable, blocked; /* by the last peek or write; events change them */
    bool eof, reset_by_us;
};

struct flow {
    const struct flow_plan *plan;
    int number;
    uint64_t key;     /* of its bytes */
    uint32_t gen, id; /* of the client's session, of the stream */
    struct end end[2];
    bool refused;
    fog_time done_at;
};

struct pipe; /* the carrier of a session, both directions */

struct client {
    struct host host;
    struct link_dir {
        struct actor deliver;
        struct client *c;
        int dir; /* 0: up, to the server */
        struct emu *emu;
    } link[2];
    struct tunnel *t;
    uint32_t gen; /* of the session */
    uint32_t seq; /* of the address */
    uint32_t gen_of[MAX_SEQS];
    fog_time retry_at;
    bool leaving;        /* no new sessions */
    uint32_t lost_gen;   /* the server lost or ended its session of this generation */
    uint32_t met_gen;    /* newest session that the server has validated */
    uint32_t left_gen;   /* the client left or lost its session of this generation */
    fog_time trouble_us; /* how long something hid the peer from this session */
    fog_time trouble_until;
    fog_time lost_at, asked_at; /* when the server lost it, first datagram sent after that */
    struct truth {              /* what the server may send to an address */
        uint64_t in, out;
        bool heard, proven; /* the client got something; the server got something later */
    } truth[MAX_SEQS];
};

struct server {
    struct host host;
    struct fog_endpoint *e;
    struct list tunnels;
    uint32_t incarnation;
    bool down; /* stopped; starts when its host runs again */
};

struct stats {
    uint64_t datagrams, checksum_drops, attacks, sessions, closed_dead, closed_restarted, resets;
    uint64_t wakes, worst_learn_us, worst_finish_us, peak_held;
    uint64_t idle_ticks;
};

struct world {
    struct plan *plan;
    fog_time now;
    struct mem mem;
    struct heap actors;
    uint64_t hash;
    bool failed, healed, trace;
    char why[400];
    char (*ring)[200];
    uint32_t ring_at;
    struct client clients[MAX_CLIENTS];
    struct server server;
    struct flow flows[MAX_FLOWS];
    int live_flows;
    struct actor fault_actor, attack_actor, spoof_actor;
    struct edge { /* a fault begins or ends */
        fog_time at;
        int fault; /* -1: all is healed */
        bool on;
    } edges[2 * MAX_FAULTS + 1];
    int n_edges, next_edge;
    struct rng attack_rng, spoof_rng;
    struct truth strangers[MAX_STRANGERS];
    struct packet *seen[8]; /* real datagrams that attackers have recorded */
    uint32_t n_seen;
    struct stats stats;
};

/** Runs a plan to its end. True when nothing was found. */
bool sim_run(struct world *w, struct plan *p, bool trace);
/** The last events in words; they were kept only if a trace was asked for. */
void sim_dump(const struct world *w, uint32_t last, FILE *f);

/* sim_world.c */
void sim_set(struct world *w, struct actor *a, fog_time at);
void sim_mix(struct world *w, uint64_t value);
void sim_note(struct world *w, const char *fmt, ...) FOG_PRINTF(2, 3);
void sim_note_datagram(struct world *w, const char *what, int who, const void *buf, size_t len);
void sim_fail(struct world *w, const char *fmt, ...) FOG_PRINTF(2, 3);
uint64_t sim_hash(const void *buf, size_t len);
struct fog_alloc sim_alloc(struct count *c);
void sim_host_init(struct host *h, struct world *w, const char *name, int number,
                   void (*run)(struct actor *a, struct world *w));
void sim_host_clear(struct host *h);
/** The engines' time on this host, and the world's time of an engine's deadline. */
fog_time sim_clock(const struct host *h);
fog_time sim_wake_at(const struct host *h, fog_time deadline);
void sim_arrive(struct host *h, const struct fog_addr *from, uint32_t seq, const void *buf,
                size_t len);
struct packet *sim_take(struct host *h);
void sim_addr(struct fog_addr *a, uint8_t net, uint8_t who, uint16_t port);

/* sim_link.c */
int sim_link_init(struct world *w, struct client *c);
void sim_link_clear(struct client *c);
void sim_link_send(struct client *c, int dir, uint32_t seq, const void *buf, size_t len);
void sim_link_conditions(struct client *c, bool healed);

/* sim_pipe.c */
/** A carrier that two tunnels hold; each lets it go on its own. */
struct pipe *sim_pipe_new(struct client *c);
void sim_pipe_release(struct pipe *p, bool by_server);
void sim_pipe_hold(struct pipe *p, int dir, bool hold);
/** The connection is cut: what is under way still arrives. */
void sim_pipe_end(struct pipe *p);
/** Moves what t has to say into its carrier, and what has come for it into t. True if it moved. */
bool sim_pipe_turn(struct tunnel *t);
fog_time sim_pipe_next(const struct tunnel *t);
bool sim_pipe_is_full(const struct tunnel *t);

/* sim_client.c, sim_server.c */
void sim_client_init(struct world *w, int number);
void sim_client_clear(struct client *c);
void sim_client_restart(struct client *c, bool says_goodbye, fog_time pause);
void sim_client_rebind(struct client *c);
void sim_server_init(struct world *w);
void sim_server_start(struct world *w);
void sim_server_stop(struct world *w);
/** Says goodbye to all who have a session. */
void sim_server_drain(struct world *w);
/** Gives a lone session its peer: no endpoint, hence any first sn. */
void sim_server_adopt(struct world *w, struct client *c);

/* sim_tunnel.c */
struct tunnel *sim_tunnel_new(struct host *h, struct fog_session *s, struct client *c,
                              uint32_t gen);
/** The session is over or gone: so are its streams. Frees the tunnel, not the session. */
void sim_tunnel_free(struct tunnel *t);
void sim_tunnel_event(struct tunnel *t, const struct fog_event *ev);
/** Options of one side's next session. */
struct fog_session_options sim_options(const struct world *w, struct host *h, int side,
                                       uint32_t gen);
/** Turns a lone session until it has nothing to do now; its next deadline in world time. */
fog_time sim_tunnel_turn(struct tunnel *t);
void sim_tunnel_output(struct tunnel *t);

/* sim_flow.c */
void sim_flow_init(struct world *w, int number);
/** The tunnel is over: so is this end. */
void sim_end_cut(struct end *e);
void sim_end_attach(struct end *e, struct tunnel *t, struct fog_stream *st);
void sim_end_event(struct tunnel *t, const struct fog_event *ev);
/** Lets those ends of t act whose time has come. False when there was none. */
bool sim_ends_turn(struct tunnel *t);
int sim_flow_side(const struct end *e);
struct end *sim_flow_other(const struct end *e);
void sim_flows_hurry(struct world *w);
/** The client is gone from its session gen: nobody waits for what it had to say. */
void sim_flows_left(struct client *c, uint32_t gen);
void sim_open_waiting(struct client *c);
int sim_rle_inflate(void *ctx, const void *in, size_t len, void *out, size_t cap, size_t *out_len);
int sim_rle_deflate(void *ctx, const void *in, size_t len, void *out, size_t cap, size_t *out_len);

/* sim_fault.c, sim_attack.c */
void sim_fault_init(struct world *w);
void sim_attack_init(struct world *w);
void sim_attack_sees(struct world *w, const void *buf, size_t len);

/* sim_check.c */
void sim_check_bytes(struct end *e, const uint8_t *buf, size_t len);
void sim_fill(uint64_t key, bool runs, uint32_t offset, uint8_t *out, size_t len);
void sim_check_eof(struct end *e);
void sim_check_reset(struct end *e, int err);
void sim_check_closed(struct tunnel *t);
void sim_check_amplification(struct world *w, const struct truth *t, const char *who);
void sim_check_memory(struct world *w, const struct host *h);
void sim_check_end(struct world *w);

#endif
