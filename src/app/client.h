/* SPDX-License-Identifier: MIT
 *
 * client.h - what the client's two files share: client.c holds local connections and chooses their
 * tunnel, supervisor.c keeps the tunnels alive.
 */
#ifndef FOGI_CLIENT_H
#define FOGI_CLIENT_H

#include "app/listen.h"
#include "app/target.h"
#include "app/tunnel.h"

#define CLIENT_SLOTS_MAX 8   /* what vproxy and foggara servers take of one address */
#define CLIENT_HELD_MAX 1024 /* local connections that may wait for a tunnel        */

struct client;

/** One tunnel to be kept. */
struct slot {
    struct client *c;
    unsigned number;     /* 1.. for the log                                            */
    bool wanted;         /* false: not, or no more                                     */
    struct tunnel *now;  /* ready: new streams go here. NULL: none                     */
    struct tunnel *next; /* being made. NULL: none                                     */
    bool resolving;      /* waits for the name before it makes one                     */
    bool suspect;        /* now has been silent while it should not be                 */
    bool worn;           /* now must be replaced, though it works                      */
    fog_time suspect_since;
    fog_time outstanding; /* since when now waits for its peer; FOG_TIME_NEVER: it does not */
    fog_time ready_since;
    uint64_t asked_at;  /* bytes in when the server was last asked whether it is there */
    uint64_t bytes_in;  /* of now, when last looked at                                 */
    uint64_t lately;    /* bytes in, halved each half second                           */
    fog_time lately_at; /* when last halved                                            */
    unsigned failures;  /* attempts in a row that led to nothing                      */
    unsigned attempts;  /* all; picks the address                                     */
    struct alarm retry; /* the next attempt                                           */
    struct alarm watch; /* rings while something is outstanding, or much has come     */
    struct alarm heed;  /* rings once: does the server heed what it was asked for?    */
};

struct client {
    struct process *p;
    struct listener listener;
    struct target target;
    struct slot slots[CLIENT_SLOTS_MAX];
    struct list retired; /* tunnels that were replaced and still have streams          */
    struct alarm retire; /* the oldest of them ends                                    */
    struct pump resumed; /* this host has slept */
    struct list held;    /* relays without a tunnel, oldest first                      */
    uint32_t n_held;
    struct alarm hold; /* the oldest of them has waited long enough                  */
    struct pump place; /* tries to place what is held                                */
};

/* supervisor.c */
void fogi_supervisor_init(struct client *c);
/** Begins and ends tunnels so that the configured number is kept. */
void fogi_supervisor_adjust(struct client *c);
/** Makes new tunnels beside all that stand: the server's address has changed. */
void fogi_supervisor_renew(struct client *c);
/** The configured rate has changed. */
void fogi_supervisor_set_rates(struct client *c);
/** A local connection waits: no attempt is far away. */
void fogi_supervisor_hurry(struct client *c);
/** Whether ending now would lose bytes. */
bool fogi_supervisor_is_busy(const struct client *c);
void fogi_supervisor_stop(struct client *c);
/** How long the n-th attempt in a row waits, jitter (0 <= jitter < 1) and someone waiting included.
 *  The first does not. */
fog_time fogi_supervisor_backoff(unsigned failures, bool hurried, double jitter);

/* client.c */
/** Tries to place what is held, at the end of this turn. */
void fogi_client_place(struct client *c);
/** Notes what has come in through s->now; gives what came lately. */
uint64_t fogi_client_lately(struct slot *s, const struct fog_session_status *st);
/** Takes over a relay whose tunnel ends. */
bool fogi_client_orphan(struct client *c, struct relay *r);

#endif
