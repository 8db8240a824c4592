/* SPDX-License-Identifier: MIT */
#include "mux/sched.h"

/* Less than this is not worth a frame of its own: the quantum counts as used up. */
#define CRUMB 512

void
fogi_sched_init(struct sched *s)
{
    list_init(&s->fresh);
    list_init(&s->bulk);
    s->waiting = s->woken = 0;
    s->quanta = 0;
    s->room = 0;
}

void
fogi_turn_init(struct turn *t)
{
    list_init(&t->link);
    t->deficit = SCHED_QUANTUM;
    t->since = 0;
    t->woken = false;
}

/* Whoever did not wait while each of the others had its turn has one to come as well: else who says
 * little would pay, every few hundred times, for what it said long ago. */
static void
catch_up(struct sched *s, struct turn *t)
{
    if (s->quanta - t->since <= s->waiting + s->woken)
        return;
    t->deficit = SCHED_QUANTUM;
    t->since = s->quanta;
}

static void
forget_wake(struct sched *s, struct turn *t)
{
    if (t->woken)
        s->woken--;
    t->woken = false;
}

void
fogi_sched_wait(struct sched *s, struct turn *t)
{
    forget_wake(s, t);
    if (list_is_linked(&t->link))
        return;
    catch_up(s, t);
    list_push(t->deficit > 0 ? &s->fresh : &s->bulk, &t->link);
    s->waiting++;
}

void
fogi_sched_drop(struct sched *s, struct turn *t)
{
    forget_wake(s, t);
    if (!list_is_linked(&t->link))
        return;
    list_unlink(&t->link);
    s->waiting--;
}

size_t
fogi_sched_cap(struct sched *s, struct turn *t, size_t avail, size_t max)
{
    bool queued = list_is_linked(&t->link);
    bool others = s->waiting + s->woken > (queued || t->woken ? 1u : 0u);
    size_t cap = avail < max ? avail : max;
    if (!queued && !t->woken)
        catch_up(s, t);
    if (others) {
        size_t own = queued ? 0 : t->deficit;
        cap = cap < own ? cap : own;
    }
    if (cap == 0)
        fogi_sched_wait(s, t);
    else
        fogi_sched_drop(s, t);
    return cap;
}

void
fogi_sched_charge(struct turn *t, size_t len)
{
    t->deficit = t->deficit < len + CRUMB ? 0 : (uint16_t)(t->deficit - len);
}

struct turn *
fogi_sched_wake(struct sched *s)
{
    bool fresh = !list_is_empty(&s->fresh);
    struct list *l = list_pop(fresh ? &s->fresh : &s->bulk);
    if (!l)
        return NULL;
    struct turn *t = list_entry(l, struct turn, link);
    s->waiting--;
    s->woken++;
    t->woken = true;
    if (!fresh) {
        t->deficit = SCHED_QUANTUM;
        t->since = ++s->quanta;
    }
    return t;
}
