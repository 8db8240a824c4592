/* SPDX-License-Identifier: MIT
 *
 * hub.h - the server's UDP socket and all sessions on it.
 *
 * Decides which of our addresses an answer leaves from (the one that was asked), and when the
 * endpoint's timer fires. Refuses to know what streams are for. Invariant: as tunnel.h.
 */
#ifndef FOGI_HUB_H
#define FOGI_HUB_H

#include "app/carrier.h"

struct hub;

/** The peer opened a stream (FOG_EV_OPENED). */
typedef void (*hub_opened_fn)(void *owner, struct carrier *c, struct fog_stream *st);

/** Listens. at: NULL: all addresses. Gives *h, to be closed with fogi_hub_close(). 0 or a negative
 *  errno. */
FOG_CHECKED int fogi_hub_new(struct hub **h, struct process *p, const struct fog_addr *at,
                             uint16_t port, hub_opened_fn opened, void *owner);

/** Ends all sessions, telling each peer `reason`, and frees h once its handles are closed. */
void fogi_hub_close(struct hub *h, const char *reason);

/** While false no new session is taken. */
void fogi_hub_accept(struct hub *h, bool accept);

/** The configured rates have changed. */
void fogi_hub_set_rates(struct hub *h);

/** Whether ending now would lose bytes. */
bool fogi_hub_is_busy(const struct hub *h);

/** Who is at the far end of a carrier of a hub. */
void fogi_hub_peer(struct carrier *c, struct fog_addr *peer);

struct stats;
void fogi_hub_dump(struct hub *h, struct stats *out);

#endif
