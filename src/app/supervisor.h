/* SPDX-License-Identifier: MIT
 *
 * supervisor.h - the tunnels to one server, kept alive.
 *
 * Decides when a tunnel is doubted, when another is made beside it, which of the two stays, and
 * which of several a new stream goes to. Refuses to know who wants streams. A doubt is cheap: the
 * old tunnel goes on until the new one is ready, and keeps its streams after that, so being wrong
 * costs a handshake and no stream.
 */
#ifndef FOGI_SUPERVISOR_H
#define FOGI_SUPERVISOR_H

#include "app/target.h"
#include "app/tunnel.h"

#define SUPERVISOR_SLOTS_MAX 8 /* what vproxy and foggara servers take of one address */

struct stats;
struct supervisor;

/** One tunnel to be kept. */
struct slot {
    struct supervisor *sup;
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
    uint64_t asked_at;        /* bytes in when the server was last asked whether it is there */
    uint64_t bytes_in;        /* of now, when last looked at                                 */
    uint64_t lately;          /* bytes in, halved each half second                           */
    uint64_t pushes, held_up; /* of now, when last looked at                          */
    fog_time lately_at;       /* when last halved                                            */
    unsigned failures;        /* attempts in a row that led to nothing                      */
    unsigned attempts;        /* all; picks the address                                     */
    struct alarm retry;       /* the next attempt                                           */
    struct alarm watch;       /* rings while something is outstanding, or much has come     */
    struct alarm heed;        /* rings once: does the server heed what it was asked for?    */
};

/** Who wants streams. */
struct supervisor_events {
    /** A tunnel is ready or has room again: streams may be opened. */
    void (*placeable)(void *owner);
    /** Whether somebody waits for that: then no attempt is far away. */
    bool (*is_awaited)(const void *owner);
    /** After fogi_supervisor_leave(): its last tunnel has ended. May be NULL. */
    void (*emptied)(void *owner);
    /** As carrier.orphan. May be NULL. */
    bool (*orphan)(void *owner, struct rider *r);
};

/** Embedded in its owner. */
struct supervisor {
    struct process *p;
    const struct supervisor_events *events;
    void *owner;
    struct target target;
    struct slot slots[SUPERVISOR_SLOTS_MAX];
    uint32_t pushes;     /* segments lately, both ways, over all tunnels               */
    uint32_t held_up;    /* of these, lost or waiting for a lost one                   */
    bool awake;          /* there are two, because of losses                         */
    fog_time used;       /* when there was a stream last                               */
    struct alarm rest;   /* are there still?                                           */
    struct list retired; /* tunnels that were replaced and still have streams          */
    struct alarm retire; /* the oldest of them ends                                    */
    bool leaving;        /* no tunnel is wanted any more; streams may take their time  */
};

/** Begins to keep as many tunnels to `server` as p->conf says. */
void fogi_supervisor_init(struct supervisor *sup, struct process *p, const struct hostport *server,
                          const struct supervisor_events *events, void *owner);

/** The server has another name or address; tunnels move there, streams stay where they are. */
void fogi_supervisor_move(struct supervisor *sup, const struct hostport *server);

/** Begins and ends tunnels so that as many are kept as the configuration wants now. */
void fogi_supervisor_adjust(struct supervisor *sup);

/** There are streams: one tunnel may not be enough. */
void fogi_supervisor_wake(struct supervisor *sup);

/** Whether so much is lost that one stream holds up another in the same tunnel. */
bool fogi_supervisor_is_lossy(const struct supervisor *sup);

/** Nobody wants streams any more: each tunnel ends with its last stream, however long that takes.
 */
void fogi_supervisor_leave(struct supervisor *sup);

/** Whether there is no tunnel. */
bool fogi_supervisor_is_empty(const struct supervisor *sup);

/** Makes new tunnels beside all that stand: what is said when one begins has changed. */
void fogi_supervisor_renew(struct supervisor *sup);

/** The configured rate has changed. */
void fogi_supervisor_set_rates(struct supervisor *sup);

/** Somebody waits now: no attempt is far away. */
void fogi_supervisor_hurry(struct supervisor *sup);

/** This host has slept: ways and translations may be gone, and nobody could tell us. */
void fogi_supervisor_resumed(struct supervisor *sup);

/**
 * Opens a stream on the least busy ready tunnel; false when none takes one now.
 *
 * Gives      *c and *st; fogi_rider_on() follows.
 * Effect     *cautious: the tunnel has been silent for so long that its server may have lost it.
 */
FOG_CHECKED bool fogi_supervisor_open(struct supervisor *sup, struct carrier **c,
                                      struct fog_stream **st, bool *cautious);

/** Notes what has come in through s->now; gives what came lately. */
uint64_t fogi_supervisor_lately(struct slot *s, const struct fog_session_status *st);

/** Whether a tunnel is ready and not in doubt. */
bool fogi_supervisor_is_up(const struct supervisor *sup);

/** Whether c is one of them that would get new streams: not replaced, not in doubt. */
bool fogi_supervisor_trusts(const struct supervisor *sup, const struct carrier *c);

/** Whether ending now would lose bytes. */
bool fogi_supervisor_is_busy(const struct supervisor *sup);

void fogi_supervisor_dump(struct supervisor *sup, struct stats *out);

void fogi_supervisor_stop(struct supervisor *sup);

/** How long the n-th attempt in a row waits, jitter (0 <= jitter < 1) and someone waiting included.
 *  The first does not. */
fog_time fogi_supervisor_backoff(unsigned failures, bool hurried, double jitter);

#endif
