/* SPDX-License-Identifier: MIT
 *
 * target.h - a host to be reached, as the addresses its name has now.
 *
 * Decides when a name is asked again: when its answer is over a minute old at the next use, and
 * after trouble. Keeps the last good answer while asking. Never asks while nobody wants to know, so
 * that an idle process sleeps. Knows nothing of connecting.
 */
#ifndef FOGI_TARGET_H
#define FOGI_TARGET_H

#include "app/conf.h"
#include "app/process.h"
#include "io/resolve.h"

struct target {
    struct process *p;
    struct hostport name;
    struct fog_addr addrs[RESOLVE_MAX];
    unsigned n;  /* 0: not known                                              */
    bool digits; /* the name is an address                                    */
    bool stale;  /* ask at the next use                                       */
    fog_time asked;
    struct resolve *looking; /* NULL: not asking now                                      */
    void (*known)(void *ctx, int err); /* an answer came; err: negative errno, and n is as before */
    void *ctx;
};

void fogi_target_init(struct target *t, struct process *p, const struct hostport *name,
                      void (*known)(void *ctx, int err), void *ctx);

/** Another name; asks at once. */
void fogi_target_set(struct target *t, const struct hostport *name);

/** Someone wants to connect: asks if the answer is old. True when there are addresses to use now;
 *  false: known() follows. */
bool fogi_target_use(struct target *t);

/** A connection failed: asks again, once per second at most. */
void fogi_target_doubt(struct target *t);

/** Asks again before the next use. True when there is nothing to wait for (digits; or no look-up
 *  can be made now, and n may be 0); false: known() follows, and n is as before when it failed. */
bool fogi_target_renew(struct target *t);

void fogi_target_deinit(struct target *t);

#endif
