/* SPDX-License-Identifier: MIT */
#include "link/admit.h"

#include "base/list.h"
#include "base/siphash.h"

#include <assert.h>
#include <string.h>

/* How many links share an address, or a network. Lives while n > 0. */
struct tally {
    struct map_node node;
    uint8_t ip[16];
    uint32_t n;
};

void
fogi_admit_init(struct admit *a, uint32_t burst, uint32_t per_s, const uint8_t key[16],
                fog_time now)
{
    a->sources = a->nets = (struct map){0};
    memcpy(a->key, key, sizeof a->key);
    for (unsigned i = 0; i < ADMIT_BUCKETS; i++)
        bucket_init(&a->openings[i], burst, per_s, now);
}

static void
clear_tallies(struct map *t, struct mem *m)
{
    for (uint32_t i = 0; i < t->cap; i++) {
        for (struct map_node *node = t->slots[i], *next; node; node = next) {
            next = node->next;
            mem_put(m, list_entry(node, struct tally, node), sizeof(struct tally));
        }
    }
    fogi_map_clear(t, m);
}

void
fogi_admit_clear(struct admit *a, struct mem *m)
{
    clear_tallies(&a->sources, m);
    clear_tallies(&a->nets, m);
}

/* The /24 of an IPv4 address, the /56 of an IPv6 one. */
static void
net_of(const struct fog_addr *addr, uint8_t net[16])
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    size_t keep = memcmp(addr->ip, mapped, sizeof mapped) == 0 ? 15 : 7;
    memset(net, 0, 16);
    memcpy(net, addr->ip, keep);
}

static struct tally *
find(const struct map *t, uint64_t hash, const uint8_t ip[16])
{
    for (struct map_node *node = fogi_map_find(t, hash); node; node = map_again(node)) {
        struct tally *y = list_entry(node, struct tally, node);
        if (memcmp(y->ip, ip, 16) == 0)
            return y;
    }
    return NULL;
}

static uint32_t
count(const struct admit *a, const struct map *t, const uint8_t ip[16])
{
    const struct tally *y = find(t, fogi_siphash(a->key, ip, 16), ip);
    return y ? y->n : 0;
}

static bool
add(const struct admit *a, struct map *t, struct mem *m, const uint8_t ip[16])
{
    uint64_t hash = fogi_siphash(a->key, ip, 16);
    struct tally *y = find(t, hash, ip);
    if (!y) {
        y = mem_get(m, sizeof *y);
        if (!y)
            return false;
        *y = (struct tally){.n = 0};
        memcpy(y->ip, ip, 16);
        if (!fogi_map_add(t, m, &y->node, hash)) {
            mem_put(m, y, sizeof *y);
            return false;
        }
    }
    y->n++;
    return true;
}

static void
take(const struct admit *a, struct map *t, struct mem *m, const uint8_t ip[16])
{
    struct tally *y = find(t, fogi_siphash(a->key, ip, 16), ip);
    assert(y && y->n > 0 && "whoever leaves has entered");
    if (--y->n > 0)
        return;
    fogi_map_remove(t, &y->node);
    mem_put(m, y, sizeof *y);
}

bool
fogi_admit_opening(struct admit *a, const struct fog_addr *addr, fog_time now)
{
    uint64_t hash = fogi_siphash(a->key, addr->ip, sizeof addr->ip);
    return bucket_take(&a->openings[hash % ADMIT_BUCKETS], 1, now);
}

uint32_t
fogi_admit_of_source(const struct admit *a, const struct fog_addr *addr)
{
    return count(a, &a->sources, addr->ip);
}

uint32_t
fogi_admit_of_net(const struct admit *a, const struct fog_addr *addr)
{
    uint8_t net[16];
    net_of(addr, net);
    return count(a, &a->nets, net);
}

bool
fogi_admit_enter(struct admit *a, struct mem *m, const struct fog_addr *addr)
{
    uint8_t net[16];
    net_of(addr, net);
    if (!add(a, &a->sources, m, addr->ip))
        return false;
    if (add(a, &a->nets, m, net))
        return true;
    take(a, &a->sources, m, addr->ip);
    return false;
}

void
fogi_admit_validated(struct admit *a, struct mem *m, const struct fog_addr *addr)
{
    uint8_t net[16];
    net_of(addr, net);
    take(a, &a->nets, m, net);
}

void
fogi_admit_leave(struct admit *a, struct mem *m, const struct fog_addr *addr, bool pending)
{
    if (pending)
        fogi_admit_validated(a, m, addr);
    take(a, &a->sources, m, addr->ip);
}
