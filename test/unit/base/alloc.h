/* SPDX-License-Identifier: MIT
 *
 * alloc.h - an allocator for tests: counts what is held and says no where the test wants it to.
 * Knows sizes; not what they are for. Freed memory is spoilt, so that a late reader shows.
 */
#ifndef FOG_TEST_ALLOC_H
#define FOG_TEST_ALLOC_H

#include <foggara/types.h>

#include <stdlib.h>
#include <string.h>

struct counting {
    size_t held, peak;
    uint64_t calls;   /* allocations asked for                            */
    uint64_t fail_at; /* the call that is refused, counted from 1; 0: none */
    bool fail_all;    /* every call is refused from now on                */
};

static void *
counting_alloc(void *ctx, size_t size)
{
    struct counting *c = ctx;
    c->calls++;
    if (c->fail_all || c->calls == c->fail_at)
        return NULL;
    void *p = malloc(size);
    c->held += size;
    if (c->held > c->peak)
        c->peak = c->held;
    return p;
}

static void
counting_free(void *ctx, void *p, size_t size)
{
    struct counting *c = ctx;
    c->held -= size;
    memset(p, 0xdd, size);
    free(p);
}

static inline struct fog_alloc
counting(struct counting *c)
{
    return (struct fog_alloc){counting_alloc, counting_free, c};
}

#endif
