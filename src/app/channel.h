/* SPDX-License-Identifier: MIT
 *
 * channel.h - one ordered two-way pipe of bytes with exact ends, whatever carries it.
 *
 * A TCP connection, TLS over any other channel, and a stream of a tunnel are used through these few
 * verbs, so that what speaks a protocol (gateway, agent, splice) is written once. Refuses to know
 * what the bytes mean and how long anything may take. Invariants:
 *
 *   - each direction ends by itself: an end that came in order is told as `eof`, any other end as
 * an error, never the other way round (threats P1);
 *   - nothing is taken in while what came before has not been consumed, beyond one bounded buffer,
 *     and an empty channel holds no buffer at all;
 *   - changed() is never called from within a verb; it comes from the loop, once per turn at most,
 *     and means no more than "look again".
 *
 * Life: whoever makes a channel gives it to one owner, who sets `changed` and `ctx`, and ends it
 * with exactly one fogi_channel_close() or fogi_channel_reset(). Nothing is called after that.
 */
#ifndef FOGI_CHANNEL_H
#define FOGI_CHANNEL_H

#include "io/loop.h"

#include <foggara/error.h>

struct channel;

/** What each kind of channel does; see the verbs below. */
struct channel_ops {
    const char *kind; /* "tcp", "tls", "stream": for logs */
    int (*peek)(struct channel *c, const void **at, size_t *len, bool *eof);
    void (*consume)(struct channel *c, size_t len);
    int (*write)(struct channel *c, const void *bytes, size_t len, size_t *taken);
    int (*finish)(struct channel *c);
    bool (*is_sent)(const struct channel *c);
    void (*end)(struct channel *c, bool reset);
};

/** The part all kinds share; their first member. */
struct channel {
    const struct channel_ops *ops;
    struct loop *loop;
    struct pump pump;           /* runs changed()                                      */
    void (*changed)(void *ctx); /* the owner's: look again. NULL: nobody looks yet      */
    void *ctx;
    const char *why; /* of an error: a text that stays; NULL: there was none */
};

/** For kinds: no owner yet. */
void fogi_channel_init(struct channel *c, const struct channel_ops *ops, struct loop *l);

/** For kinds: something may have changed; the owner hears of it at the end of this turn. */
static inline void
channel_notify(struct channel *c)
{
    loop_later(c->loop, &c->pump);
}

/** For kinds: breaks c for `why`, which stays. Only the first reason is kept. */
static inline void
channel_break(struct channel *c, const char *why)
{
    if (!c->why)
        c->why = why;
    channel_notify(c);
}

/** Sets who is told of changes, and has it told once at the end of this turn. */
void fogi_channel_own(struct channel *c, void (*changed)(void *ctx), void *ctx);

/**
 * Lends the bytes that stand at the front.
 *
 * Lends      *at until the next verb on c, or the end of this turn; *len = 0: none are here now.
 * Effect     *eof: the far side has ended in order and nothing follows these bytes. Where *len is
 *            0 and *eof false, changed() follows; whoever stops looking before that looks again by
 *            himself.
 * Returns    FOG_E_RESET   the pipe broke, c->why tells how; bytes not consumed by then are lost
 */
FOG_CHECKED static inline int
channel_peek(struct channel *c, const void **at, size_t *len, bool *eof)
{
    return c->ops->peek(c, at, len, eof);
}

/** Drops the first len bytes of those last lent. */
static inline void
channel_consume(struct channel *c, size_t len)
{
    c->ops->consume(c, len);
}

/**
 * Sends what fits.
 *
 * Copies     *taken bytes, from 0 (changed() follows once there is room) to len.
 * Returns    FOG_E_RESET      the pipe broke
 *            FOG_E_FINISHED   after channel_finish()
 */
FOG_CHECKED static inline int
channel_write(struct channel *c, const void *bytes, size_t len, size_t *taken)
{
    return c->ops->write(c, bytes, len, taken);
}

/** Nothing more will be written: the far side sees the end behind the last byte. Reading goes on.
 *  FOG_E_RESET when the pipe broke. */
FOG_CHECKED static inline int
channel_finish(struct channel *c)
{
    return c->ops->finish(c);
}

/** Whether all that was written, the end included, has left this process; changed() follows once
 *  that is so. */
static inline bool
channel_is_sent(const struct channel *c)
{
    return c->ops->is_sent(c);
}

/** Reads on and drops what comes.
 *
 * Gives      *dropped: how many bytes; *eof: the far side has ended in order.
 * Returns    FOG_E_RESET   the pipe broke
 */
FOG_CHECKED int fogi_channel_drain(struct channel *c, size_t *dropped, bool *eof);

/** Takes c; NULL is fine. Orderly after channel_finish() once channel_is_sent(): until then
 *  what has not been sent may be lost, and bytes not read yet make a reset of it. */
void fogi_channel_close(struct channel *c);

/** Takes c; NULL is fine. The far side sees a reset, not an end. */
void fogi_channel_reset(struct channel *c);

#endif
