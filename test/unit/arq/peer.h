/* SPDX-License-Identifier: MIT
 *
 * peer.h - one KCP engine (of the classic kind, which is predictable) and a peer made by hand: the
 * fixture of the kcp_*_test files.
 */
#ifndef PEER_H
#define PEER_H

#include "craft.h"
#include "pair.h"

#include <stdint.h>

#define T0 FOG_SEC(1000)
#define MSS 1226u

struct fixture {
    struct ledger ledger;
    struct fog_kcp_options o;
    struct fog_arq *a;
    fog_time now;
    struct answer out; /* the last datagram taken */
};

static inline void
start_with(struct fixture *f)
{
    ledger_init(&f->ledger);
    f->now = T0;
    assert_int_equal(fog_kcp_new(&f->a, &f->o, &f->ledger.al, f->now), FOG_OK);
}

static inline void
classic(struct fog_kcp_options *o)
{
    fog_kcp_options_init(o);
    assert_int_equal(fog_kcp_options_fast(o, 4), FOG_OK);
    o->snd_wnd = o->rcv_wnd = 1024;
}

static inline void
start(struct fixture *f)
{
    classic(&f->o);
    f->o.ts_base = 5000;
    start_with(f);
}

static inline void
end(struct fixture *f)
{
    fog_arq_free(f->a);
    assert_int_equal(f->ledger.blocks, 0);
    assert_int_equal(f->ledger.bytes, 0);
}

static inline int
feed(struct fixture *f, struct seg s)
{
    if (s.wnd == 0 && s.cmd != SEG_WINS)
        s.wnd = 1024;
    return craft_feed(f->a, s, f->now);
}

static inline unsigned
drain(struct fixture *f)
{
    return craft_drain(f->a, &f->out, f->now);
}

static inline bool
event(struct fixture *f, enum fog_arq_event_type type, int err)
{
    struct fog_arq_event ev;
    return fog_arq_event(f->a, &ev) && ev.type == type && ev.err == err;
}

static inline bool
no_event(struct fixture *f)
{
    struct fog_arq_event ev;
    return !fog_arq_event(f->a, &ev);
}

/* Sends n full segments in one go. */
static inline void
fly(struct fixture *f, unsigned n)
{
    craft_write(f->a, (size_t)n * MSS, f->now);
    assert_int_equal(drain(f), n);
}

/* The stamp of transmission `number`. */
static inline uint32_t
stamp(const struct fixture *f, uint32_t number)
{
    return f->o.ts_base + number;
}

/* Goes to the next deadline, ticks. Returns the reason. */
static inline enum fog_why
wake(struct fixture *f)
{
    enum fog_why why;
    fog_time due = fog_arq_deadline(f->a, &why);
    assert_true(due != FOG_TIME_NEVER);
    if (due > f->now)
        f->now = due;
    fog_arq_tick(f->a, f->now);
    return why;
}

static inline bool
sleeps(const struct fixture *f)
{
    enum fog_why why;
    return fog_arq_deadline(f->a, &why) == FOG_TIME_NEVER && why == FOG_WHY_NEVER;
}

#endif
