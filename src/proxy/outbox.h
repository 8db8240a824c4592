/* SPDX-License-Identifier: MIT
 *
 * outbox.h - the bytes an engine has to say, until its owner has sent them.
 *
 * Decides nothing: a row of bytes that is filled at the end and emptied at the front. Invariant:
 * everything an engine may ever have to say at one time fits, so putting never fails; each engine
 * derives its size from that.
 */
#ifndef FOGI_OUTBOX_H
#define FOGI_OUTBOX_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct outbox {
    uint8_t *bytes;
    size_t cap, head, tail;
};

static inline void
outbox_put(struct outbox *o, const void *bytes, size_t len)
{
    if (o->head == o->tail)
        o->head = o->tail = 0;
    assert(len <= o->cap - o->tail && "the engine's size covers all that it may say at one time");
    memcpy(o->bytes + o->tail, bytes, len);
    o->tail += len;
}

/** Lends what is to be sent next until the engine is called again; *len = 0: nothing. */
static inline const void *
outbox_peek(const struct outbox *o, size_t *len)
{
    *len = o->tail - o->head;
    return *len > 0 ? o->bytes + o->head : o->bytes; /* which may be NULL before init */
}

static inline void
outbox_drop(struct outbox *o, size_t len)
{
    assert(len <= o->tail - o->head && "nobody sends what was not lent");
    o->head += len;
}

#endif
