/* SPDX-License-Identifier: MIT
 *
 * hangup.h - notices that a connection broke while nobody reads or writes it.
 *
 * The loop watches only what is being read or written, and a connection whose end was read is
 * neither until bytes for it come. A second poll set, asked for nothing but errors, stays silent
 * for all that is well, however long it lasts. Knows descriptors; not what is on them.
 */
#ifndef FOGI_HANGUP_H
#define FOGI_HANGUP_H

#include "io/loop.h"

struct hangups {
    struct loop *loop;
    uv_poll_t poll;
    int fd; /* of the poll set; -1: there is none */
    void (*broke)(void *ctx);
};

/** broke: called once for each connection that breaks. 0 or a negative errno. */
FOG_CHECKED int fogi_hangups_init(struct hangups *h, struct loop *l, void (*broke)(void *ctx));
void fogi_hangups_close(struct hangups *h);

/** Watches a connection until it is closed. Once for each. */
void fogi_hangup_watch(struct hangups *h, const uv_tcp_t *t, void *ctx);

#endif
