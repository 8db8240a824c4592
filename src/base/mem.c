/* SPDX-License-Identifier: MIT */
#include "base/mem.h"

#include <stdlib.h>

static void *
libc_alloc(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size);
}

static void
libc_free(void *ctx, void *p, size_t size)
{
    (void)ctx;
    (void)size;
    free(p);
}

const struct fog_alloc *
fog_alloc_libc(void)
{
    static const struct fog_alloc libc = {libc_alloc, libc_free, NULL};
    return &libc;
}

static void *
budget_alloc(void *ctx, size_t size)
{
    struct budget *b = ctx;
    if (size > b->limit - b->used) {
        b->limit_memory_hit++;
        return NULL;
    }
    void *p = b->under.alloc(b->under.ctx, size);
    if (p)
        b->used += size;
    return p;
}

static void
budget_free(void *ctx, void *p, size_t size)
{
    struct budget *b = ctx;
    b->used -= size;
    b->under.free(b->under.ctx, p, size);
}

void
fogi_budget_init(struct budget *b, size_t limit, const struct fog_alloc *under)
{
    *b = (struct budget){.under = *under, .limit = limit};
}

struct fog_alloc
fogi_budget_alloc(struct budget *b)
{
    return (struct fog_alloc){budget_alloc, budget_free, b};
}
