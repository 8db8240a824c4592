/* SPDX-License-Identifier: MIT
 *
 * dial.h - makes the connections behind the streams of a server.
 *
 * Decides how many are made at once, which address comes next and when to give up. Refuses to know
 * tunnels: it is handed relays and starts or refuses them. Invariant: at most DIALS_MAX connections
 * are being made and at most DIAL_QUEUE_MAX wait; a relay here is in exactly one of the two lists.
 *
 * Of several addresses the next one joins in when one fails, or when nothing has come of those before
 * it for a quarter second, as in RFC 8305: the first connection that stands is taken.
 */
#ifndef FOGI_DIAL_H
#define FOGI_DIAL_H

#include "app/relay.h"
#include "app/target.h"

#define DIALS_MAX 256         /* being made at once (threats M1)                       */
#define DIAL_QUEUE_MAX 4096   /* waiting for their turn                                */
#define DIAL_TIME FOG_SEC(10) /* from the stream's opening to its connection           */
#define DIAL_NEXT FOG_MS(250) /* from one address to the next                          */

struct dialler {
    struct process *p;
    struct target target;
    struct list active, waiting; /* struct dial */
    uint32_t n_active, n_waiting;
    struct list slow;   /* of those being made: with addresses left, by when the next joins in */
    struct alarm alarm; /* the oldest dial's end, or a slow one's next address */
    struct pump pump;   /* starts what waits     */
};

void fogi_dialler_init(struct dialler *d, struct process *p);

/** Connects r to the target, or refuses it; sooner or later. */
void fogi_dial(struct dialler *d, struct relay *r);

/** New dials go to another target. */
void fogi_dialler_set(struct dialler *d, const struct hostport *target);

/** No relay is here any more; the alarm is closing on return. */
void fogi_dialler_deinit(struct dialler *d);

#endif
