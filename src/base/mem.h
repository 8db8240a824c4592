/* SPDX-License-Identifier: MIT
 *
 * mem.h - memory of one owner: an allocator and the count of bytes held through it.
 */
#ifndef FOGI_MEM_H
#define FOGI_MEM_H

#include <foggara/types.h>

struct mem {
    struct fog_alloc al;
    size_t held; /* bytes allocated and not freed */
};

static inline void
mem_init(struct mem *m, const struct fog_alloc *al)
{
    m->al = *al;
    m->held = 0;
}

/** NULL when the allocator refuses; the bytes are not cleared. */
static inline void *
mem_get(struct mem *m, size_t size)
{
    void *p = m->al.alloc(m->al.ctx, size);
    if (p)
        m->held += size;
    return p;
}

/** size as given to mem_get(). NULL is fine. */
static inline void
mem_put(struct mem *m, void *p, size_t size)
{
    if (!p)
        return;
    m->held -= size;
    m->al.free(m->al.ctx, p, size);
}

/** A budget that many owners share: an allocator that refuses beyond `limit` bytes. Once 7/8 of it
 *  are used, budget_is_tight() tells those above to take nothing new on. */
struct budget {
    struct fog_alloc under;
    size_t limit, used;
    uint64_t limit_memory_hit;
};

void fogi_budget_init(struct budget *b, size_t limit, const struct fog_alloc *under);
struct fog_alloc fogi_budget_alloc(struct budget *b);

static inline bool
budget_is_tight(const struct budget *b)
{
    return b->used > b->limit / 8 * 7;
}

#endif
