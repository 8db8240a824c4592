/* SPDX-License-Identifier: MIT
 *
 * reach.h - connects to a destination somebody else named.
 *
 * Decides the order: look the name up, ask the policy about every address, dial exactly those it
 * allows, the families in turn, the next one when one has failed or 250 ms have passed; the first
 * connection wins. Tells the truth about why there is none, in SOCKS's words. Refuses to know who
 * asks and what is carried. Invariant: at most REACHES_MAX are looked up and dialled at once, no
 * address is dialled that the policy has not seen, nor one of which it cannot be told whether it is
 * this machine's where that matters, and each ask is answered exactly once.
 */
#ifndef FOGI_REACH_H
#define FOGI_REACH_H

#include "app/channel.h"
#include "app/process.h"
#include "proxy/policy.h"
#include "proxy/socks.h"

#define REACHES_MAX 256        /* at work at once (threats M1)                        */
#define REACH_QUEUE_MAX 4096   /* waiting for their turn                              */
#define REACH_TIME FOG_SEC(10) /* from the ask to its answer                          */
#define REACH_NEXT FOG_MS(250) /* before the next address is tried beside the last    */

struct reach; /* one ask */

struct reacher {
    struct process *p;
    struct policy *policy; /* NULL: everything is allowed. Lent                            */
    struct list active, waiting;
    uint32_t n_active, n_waiting;
    struct pump pump;
    fog_time own_since; /* when the policy was told our addresses                            */
    bool blind;         /* they could not be read: each address is tried by itself            */
};

/** How it went. c: taken by the callee where rep is SOCKS_OK, else NULL. why: a text that stays. */
typedef void (*reach_fn)(void *ctx, struct channel *c, enum socks_rep rep, const char *why);

void fogi_reacher_init(struct reacher *r, struct process *p, struct policy *policy);

/** Another policy, which is told our addresses at the next use. */
void fogi_reacher_set(struct reacher *r, struct policy *policy);

/**
 * Begins to connect.
 *
 * Copies     d
 * Gives      *out, valid until done() or fogi_reach_forget()
 * Effect     done() comes once, later, never from within this call
 * Returns    FOG_E_LIMIT   too many wait already
 *            FOG_E_NOMEM
 */
FOG_CHECKED int fogi_reach(struct reach **out, struct reacher *r, const struct dest *d,
                           reach_fn done, void *ctx);

/** done() will not be called. NULL is fine. */
void fogi_reach_forget(struct reach *a);

/** Nobody waits any more. */
void fogi_reacher_deinit(struct reacher *r);

/** Orders addresses for dialling: as they are, but the two families in turn (RFC 8305). */
void fogi_reach_order(struct fog_addr *addrs, unsigned n);

/** The REP of RFC 1928 for a negative errno of connecting. */
enum socks_rep fogi_reach_rep(int err);

#endif
