/* SPDX-License-Identifier: MIT
 *
 * arq.c - the public verbs. Sends each to the engine behind it; decides nothing.
 */
#include "arq/arq_int.h"

void
fog_arq_free(struct fog_arq *a)
{
    if (a)
        a->ops->free(a);
}

int
fog_arq_input(struct fog_arq *a, const void *buf, size_t len, fog_time now)
{
    int rc = a->ops->lend(a, buf, len, now);
    a->ops->keep(a);
    return rc;
}

int
fog_arq_lend(struct fog_arq *a, const void *buf, size_t len, fog_time now)
{
    return a->ops->lend(a, buf, len, now);
}

void
fog_arq_keep(struct fog_arq *a)
{
    a->ops->keep(a);
}

size_t
fog_arq_input_room(const struct fog_arq *a)
{
    return a->ops->input_room(a);
}

int
fog_arq_output(struct fog_arq *a, void *buf, size_t cap, size_t *len, fog_time now)
{
    return a->ops->output(a, buf, cap, len, now);
}

fog_time
fog_arq_deadline(const struct fog_arq *a, enum fog_why *why)
{
    enum fog_why ignored;
    return a->ops->deadline(a, why ? why : &ignored);
}

void
fog_arq_tick(struct fog_arq *a, fog_time now)
{
    a->ops->tick(a, now);
}

bool
fog_arq_event(struct fog_arq *a, struct fog_arq_event *ev)
{
    return a->ops->event(a, ev);
}

size_t
fog_arq_writable(const struct fog_arq *a)
{
    return a->ops->writable(a);
}

int
fog_arq_reserve(struct fog_arq *a, size_t min, void **buf, size_t *cap)
{
    *buf = NULL;
    *cap = 0;
    if (min < 1 || min > FOG_RESERVE_MAX)
        return FOG_E_USAGE;
    return a->ops->reserve(a, min, buf, cap);
}

void
fog_arq_commit(struct fog_arq *a, size_t len, fog_time now)
{
    if (len)
        a->ops->commit(a, len, now);
}

void
fog_arq_peek(const struct fog_arq *a, const void **buf, size_t *len)
{
    a->ops->peek(a, buf, len);
}

void
fog_arq_consume(struct fog_arq *a, size_t len, fog_time now)
{
    if (len)
        a->ops->consume(a, len, now);
}

void
fog_arq_status(const struct fog_arq *a, struct fog_arq_status *st)
{
    *st = (struct fog_arq_status){0};
    a->ops->status(a, st);
}

uint64_t
fog_arq_acked(const struct fog_arq *a)
{
    return a->ops->acked(a);
}

void
fog_arq_peer_takes(struct fog_arq *a, uint32_t bytes)
{
    a->ops->peer_takes(a, bytes);
}

void
fog_arq_set_rate(struct fog_arq *a, uint64_t rate, fog_time now)
{
    a->ops->set_rate(a, rate, now);
}
