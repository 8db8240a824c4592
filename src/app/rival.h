/* SPDX-License-Identifier: MIT
 *
 * rival.h - one more attempt to connect, beside the one that a relay makes with its own socket.
 *
 * Knows one address and one socket. Refuses to know why it was begun and who else tries. Invariant:
 * until it is closed it tells its outcome once, and holds one descriptor.
 */
#ifndef FOGI_RIVAL_H
#define FOGI_RIVAL_H

#include "app/process.h"
#include "io/addr.h"

struct rival {
    uv_tcp_t tcp;
    uv_connect_t connect;
    struct process *p;
    struct list link; /* the owner's */
    void *owner;
    void (*done)(struct rival *v, int err);
    bool closing;
};

/** Begins; done follows with 0 or a negative errno. NULL where it cannot even begin. */
struct rival *fogi_rival_new(struct process *p, const struct fog_addr *to, void *owner,
                             void (*done)(struct rival *v, int err));

/** The connection as a descriptor of the caller's, or a negative errno. */
FOG_CHECKED int fogi_rival_take(const struct rival *v);

/** Closes and frees it; off its list on return. */
void fogi_rival_close(struct rival *v);

#endif
