/* SPDX-License-Identifier: MIT
 *
 * resolve.h - names to addresses, in the thread pool. Decides nothing; keeps the system's order.
 */
#ifndef FOGI_RESOLVE_H
#define FOGI_RESOLVE_H

#include "io/addr.h"
#include "io/loop.h"

#define RESOLVE_MAX 8 /* addresses kept of a name */

struct resolve; /* one look-up */

/** err: 0 or a negative errno, whose text fogi_io_text() has; then n is 0. addrs is lent for the
 *  call. */
typedef void (*resolve_fn)(void *ctx, int err, const struct fog_addr *addrs, unsigned n);

/**
 * Looks a name up.
 *
 * Gives      *r, valid until done is called or fogi_resolve_forget().
 * Effect     done is called once, later, never from within this call.
 * Returns    0 or a negative errno
 */
FOG_CHECKED int fogi_resolve(struct resolve **r, struct loop *l, const char *host, uint16_t port,
                             resolve_fn done, void *ctx);

/** done will not be called. NULL is fine. */
void fogi_resolve_forget(struct resolve *r);

#endif
