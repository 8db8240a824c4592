/* SPDX-License-Identifier: MIT
 *
 * arq_int.h - the table behind the public verbs. Each engine's struct begins with a struct fog_arq,
 * so a pointer to one is a pointer to the other.
 */
#ifndef FOGI_ARQ_INT_H
#define FOGI_ARQ_INT_H

#include <foggara/arq.h>

/** The verbs of arq.h, one for one. None may be NULL. */
struct arq_ops {
    void (*free)(struct fog_arq *a);
    int (*lend)(struct fog_arq *a, const void *buf, size_t len, fog_time now);
    void (*keep)(struct fog_arq *a);
    size_t (*input_room)(const struct fog_arq *a);
    int (*output)(struct fog_arq *a, void *buf, size_t cap, size_t *len, fog_time now);
    fog_time (*deadline)(const struct fog_arq *a, enum fog_why *why);
    void (*tick)(struct fog_arq *a, fog_time now);
    bool (*event)(struct fog_arq *a, struct fog_arq_event *ev);
    size_t (*writable)(const struct fog_arq *a);
    int (*reserve)(struct fog_arq *a, size_t min, void **buf, size_t *cap);
    void (*commit)(struct fog_arq *a, size_t len, fog_time now);
    void (*peek)(const struct fog_arq *a, const void **buf, size_t *len);
    void (*consume)(struct fog_arq *a, size_t len, fog_time now);
    void (*status)(const struct fog_arq *a, struct fog_arq_status *st);
    uint64_t (*acked)(const struct fog_arq *a);
    void (*peer_takes)(struct fog_arq *a, uint32_t bytes);
    void (*set_rate)(struct fog_arq *a, uint64_t rate, fog_time now);
};

struct fog_arq {
    const struct arq_ops *ops;
};

/** Takes the next event out of a set of bits (1u << type); false when it is empty. */
static inline bool
arq_take_event(uint8_t *bits, int err, struct fog_arq_event *ev)
{
    for (unsigned t = 0; t <= FOG_ARQ_FAILED; t++) {
        if (*bits & 1u << t) {
            *bits = (uint8_t)(*bits & ~(1u << t));
            *ev = (struct fog_arq_event){(enum fog_arq_event_type)t,
                                         t == FOG_ARQ_FAILED ? err : FOG_OK};
            return true;
        }
    }
    return false;
}

#endif
