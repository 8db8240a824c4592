/* SPDX-License-Identifier: MIT
 *
 * splice.h - joins two channels until both directions have ended.
 *
 * Decides when one side is taken from: while the other takes. Refuses to know what either side is
 * and how long it may last. Invariant: each direction ends by itself and exactly: an end becomes an
 * end, anything else a reset of both; nothing is kept here but two counts.
 */
#ifndef FOGI_SPLICE_H
#define FOGI_SPLICE_H

#include "app/channel.h"

/** One way through. */
struct splice_way {
    uint64_t bytes; /* moved so far                                             */
    bool ended;     /* its end was told to the side it goes to                  */
};

/** Embedded in whoever joins. */
struct splice {
    struct channel *a, *b;    /* NULL: not joined, or over                               */
    struct splice_way ab, ba; /* a to b, b to a                                          */
    fog_time moved;           /* when a byte or an end moved last                        */
    /** Both channels are gone. good: both ended in order. how: what happened, and the bytes of each
     *  way, for the log. */
    void (*over)(void *ctx, bool good, const char *how);
    void *ctx;
};

/** Takes both channels, a on the side of the user, and moves bytes until over() is called, later. */
void fogi_splice(struct splice *s, struct channel *a, struct channel *b,
                 void (*over)(void *ctx, bool good, const char *how), void *ctx);

/** Resets both sides; over() is not called. Does nothing on one that is over or never began. */
void fogi_splice_cut(struct splice *s);

#endif
