/* SPDX-License-Identifier: MIT
 *
 * process.h - what a running program has once: its loop, its memory budget, its signals, its sums.
 *
 * Decides the phases of its life: running, draining (nothing new), stopped. Refuses to know whether
 * it is a client or a server; those hand it a struct role. Invariant: it stops only when asked to
 * by signals, never because the network is down.
 */
#ifndef FOGI_PROCESS_H
#define FOGI_PROCESS_H

#include "app/app.h"
#include "app/status.h"
#include "base/mem.h"
#include "base/rng.h"
#include "io/hangup.h"
#include "io/loop.h"
#include "io/udp.h"

#define PROCESS_MEMORY_MAX ((size_t)512 << 20) /* all engines and buffers together (threats P5) */
#define PROCESS_DRAIN_US FOG_SEC(10)           /* streams may end by themselves so long          */
#define PROCESS_PATIENCE_US FOG_SEC(3)         /* nor is a peer waited for that is silent so long */

struct process;
struct stats;

/** What a client or a server does at the turns of the process's life. */
struct role {
    const char *name;
    void (*drain)(void *self); /* close the listener, take no new streams                        */
    bool (*is_busy)(const void *self); /* bytes of streams that ended are still on their way      */
    void (*stop)(void *self); /* end everything now; all handles closing on return              */
    void (*reload)(void *self, const struct conf *from); /* p->conf has changed                   */
    bool rereads; /* a reload reads more than p->conf                              */
    void (*dump)(void *self, struct stats *out); /* add counters and states               */
};

/* clang-format off */
#define PROCESS_COUNTERS(X)                                                                         \
    X(accepted)               /* local connections                                               */ \
    X(held)                   /* of these, had to wait for a tunnel                              */ \
    X(rehomed)                /* lost their tunnel before a byte had moved, and got another      */ \
    X(limit_hold_time_hit)    /* waited too long                                                 */ \
    X(limit_held_hit)         /* refused, because so many waited already                         */ \
    X(streams_opened)                                                                               \
    X(streams_ended)          /* both directions finished in order                               */ \
    X(streams_reset)          /* any other way                                                   */ \
    X(dials)                                                                                        \
    X(dials_failed)                                                                                 \
    X(dials_denied)           /* addresses that the policy did not allow                         */ \
    X(limit_dials_hit)        /* had to wait, because so many dials were in flight               */ \
    X(limit_dial_queue_hit)   /* refused, because so many waited already                         */ \
    X(limit_dial_time_hit)    /* no answer from the target in time                               */ \
    X(limit_tunnels_hit)      /* tunnel connections refused                                      */ \
    X(limit_tight_hit)        /* refused, because memory is nearly used up                       */ \
    X(limit_accept_hit)       /* the system could not accept: listener closed for a moment       */ \
    X(tunnel_attempts)                                                                              \
    X(tunnels_ready)                                                                                \
    X(tunnels_failed)         /* before they were ready                                          */ \
    X(tunnels_lost)           /* after they had been ready                                       */ \
    X(tunnels_suspected)                                                                            \
    X(tunnels_recovered)      /* suspected, and then heard from again                            */ \
    X(tunnels_replaced)                                                                             \
    X(tls_handshakes)         /* that came to be                                                 */ \
    X(tls_resumed)            /* of these, took up a session: no certificate, no signature       */ \
    X(lookups)                                                                                      \
    X(lookups_failed)                                                                               \
    X(reloads)                                                                                      \
    X(reloads_refused)
/* clang-format on */

struct process_counters {
#define PROCESS_COUNTER_FIELD(name) uint64_t name;
    PROCESS_COUNTERS(PROCESS_COUNTER_FIELD)
#undef PROCESS_COUNTER_FIELD
};

enum process_phase { PROCESS_RUNNING, PROCESS_DRAINING, PROCESS_STOPPED };

struct process {
    struct loop loop;
    struct budget budget;
    struct fog_alloc al; /* of the budget                                                 */
    struct conf conf;
    const struct role *role;
    void *self; /* the role's                                                    */
    app_reload_fn reload;
    void *reload_ctx;
    struct udp_batch *batch;
    struct hangups hangups;         /* of relays */
    struct hangups channel_hangups; /* of channels; begun when there is one */
    struct fog_gzip gzip;
    struct rng rng; /* jitter; seeded by the system                                  */
    uv_signal_t signals[4];
    struct status status;
    struct alarm drain_time;
    struct alarm drained; /* the last relay ended while draining: is all on its way there? */
    enum process_phase phase;
    uint32_t relays; /* local connections and what waits to become one                */
    fog_time started;
    struct process_counters n;
    struct fog_arq_counters arq; /* of sessions that are over                                     */
    struct fog_mux_counters mux;
    struct udp_counters udp; /* of sockets that are closed                                    */
};

/** Everything but the role; signals are caught from here on. 0 or a negative errno. */
FOG_CHECKED int fogi_process_init(struct process *p, const struct conf *c, app_reload_fn reload,
                                  void *ctx);

/** Runs until stopped. */
void fogi_process_run(struct process *p, const struct role *role, void *self);

/** Frees all. Ends the process with `code` where a name look-up still holds a thread. */
int fogi_process_free(struct process *p, int code);

/** A relay began or ended; the last one to end lets a draining process stop. */
void fogi_process_relay_began(struct process *p);
void fogi_process_relay_ended(struct process *p);

/** Adds what a session that ends has counted to the process's sums. */
void fogi_process_add(struct process *p, const struct fog_session *s);
void fogi_process_add_udp(struct process *p, const struct udp_counters *n);

/** Notices that the connection of a channel broke while it is neither read nor written. */
struct channel;
void fogi_process_watch_channel(struct process *p, const uv_tcp_t *t, struct channel *c);

#define HOW_MAX 160

/** How tunnels are carried, for the log: "fast auto, up 50M, down auto, mtu 1250, windows auto and
 * auto". */
const char *fogi_process_how(const struct conf *c, char buf[HOW_MAX]);

/** Bytes per second that one of the client's tunnels sends at (up), or asks for (down): each has
 * the same share. A server's tunnels have all of it each. 0: nothing is told. */
uint64_t fogi_process_rate(const struct conf *c, uint32_t kbits);

/** Options of a new session: the configuration's, with fresh random stamps and seeds. */
FOG_CHECKED int fogi_process_session_options(struct process *p, enum fog_role role,
                                             struct fog_session_options *o);

static inline fog_time
process_now(struct process *p)
{
    return fogi_loop_now(&p->loop);
}

/** Counts a connection that was joined and is over. */
static inline void
process_count_end(struct process *p, bool good)
{
    if (good)
        p->n.streams_ended++;
    else
        p->n.streams_reset++;
}

#endif
