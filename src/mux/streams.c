/* SPDX-License-Identifier: MIT
 *
 * streams.c - the table of streams and everything that ends one. A stream object lives while the
 * peer's messages can reach it, while the layer above holds it, or while its own control messages
 * wait; it is freed when the last of the three is over.
 */
#include "mux/mux_int.h"

#include "base/siphash.h"
#include "base/wire.h"

#include <assert.h>

static_assert(sizeof(struct fog_stream) < 512, "the bound that mux.h promises");

static uint64_t
hash_of(const struct fog_mux *m, uint32_t id)
{
    uint8_t bytes[4];
    put_le32(bytes, id);
    return fogi_siphash(m->key, bytes, sizeof bytes);
}

struct fog_stream *
fogi_streams_find(const struct fog_mux *m, uint32_t id)
{
    struct map_node *node = fogi_map_find(&m->by_id, hash_of(m, id));
    for (; node; node = map_again(node)) {
        struct fog_stream *st = list_entry(node, struct fog_stream, node);
        if (st->id == id)
            return st;
    }
    return NULL;
}

static void
init(struct fog_mux *m, struct fog_stream *st, uint32_t id)
{
    *st = (struct fog_stream){
        .id = id, .acked_at = FOG_TIME_NEVER, .last_in = FOG_TIME_NEVER, .last_byte = m->now};
    list_init(&st->all);
    list_init(&st->ctl);
    list_init(&st->event);
    list_init(&st->over);
    list_init(&st->unacked);
    list_init(&st->held);
    fogi_turn_init(&st->turn);
    fogi_bytes_init(&st->in, 0);
}

struct fog_stream *
fogi_streams_new(struct fog_mux *m, uint32_t id, bool refusal)
{
    struct fog_stream *st = mem_get(&m->mem, sizeof *st);
    if (!st)
        return NULL;
    init(m, st, id);
    if (!fogi_heap_room(&m->timers, &m->mem, m->n_all + 1) ||
        (!refusal && !fogi_map_add(&m->by_id, &m->mem, &st->node, hash_of(m, id)))) {
        mem_put(&m->mem, st, sizeof *st);
        return NULL;
    }
    list_push(&m->all, &st->all);
    m->n_all++;
    st->refusal = st->released = refusal;
    if (refusal) {
        m->n_refusals++;
        st->state = STREAM_DEAD;
        return st;
    }
    st->mapped = st->counted = true;
    m->n_streams++;
    m->n_live++;
    m->n.opened++;
    if (!m->any_id || id > m->highest)
        m->highest = id;
    m->any_id = true;
    return st;
}

static void
free_stream(struct fog_mux *m, struct fog_stream *st)
{
    fogi_recv_drop(m, st);
    fogi_heap_set(&m->timers, &st->timer, FOG_TIME_NEVER);
    fogi_sched_drop(&m->sched, &st->turn);
    list_unlink(&st->all);
    list_unlink(&st->ctl);
    list_unlink(&st->event);
    list_unlink(&st->over);
    list_unlink(&st->unacked);
    list_unlink(&st->held);
    m->n_all--;
    if (st->refusal)
        m->n_refusals--;
    mem_put(&m->mem, st, sizeof *st);
    if (m->n_all > 0)
        return;
    /* The tables have grown with the streams; an idle tunnel holds neither. */
    fogi_map_clear(&m->by_id, &m->mem);
    fogi_heap_clear(&m->timers, &m->mem);
}

bool
fogi_streams_settle(struct fog_mux *m, struct fog_stream *st)
{
    if (st->mapped || !st->released)
        return false;
    if (st->counted) {
        st->counted = false;
        m->n_streams--;
    }
    if (st->ctl_bits)
        return false;
    free_stream(m, st);
    return true;
}

void
fogi_stream_ctl(struct fog_mux *m, struct fog_stream *st, uint8_t bit)
{
    st->ctl_bits |= bit;
    if (st->patient)
        list_unlink(&st->ctl);
    st->patient = false;
    if (!list_is_linked(&st->ctl))
        list_push(&m->ctl, &st->ctl);
}

void
fogi_stream_accept(struct fog_mux *m, struct fog_stream *st)
{
    if (!m->extended) {
        fogi_stream_ctl(m, st, CTL_SYN_ACK);
        return;
    }
    if (list_is_empty(&m->patient))
        m->patient_by = m->now + PATIENT_US;
    st->ctl_bits |= CTL_SYN_ACK;
    st->patient = true;
    list_push(&m->patient, &st->ctl);
}

void
fogi_streams_hurry(struct fog_mux *m)
{
    while (!list_is_empty(&m->patient))
        fogi_stream_ctl(m, list_entry(m->patient.next, struct fog_stream, ctl), 0);
}

void
fogi_stream_tell(struct fog_mux *m, struct fog_stream *st, uint8_t bit)
{
    if (st->released)
        return;
    st->event_bits |= bit;
    if (!list_is_linked(&st->event))
        list_push(&m->events, &st->event);
}

/* -------------------------------------------------------------------------------------- its end */

void
fogi_stream_die(struct fog_mux *m, struct fog_stream *st, bool orderly)
{
    st->state = STREAM_DEAD;
    st->fin_wanted = false;
    fogi_heap_set(&m->timers, &st->timer, FOG_TIME_NEVER);
    fogi_sched_drop(&m->sched, &st->turn);
    list_unlink(&st->unacked);
    list_unlink(&st->held);
    fogi_in_forget(m, st);
    if (!st->mapped)
        return;
    fogi_map_remove(&m->by_id, &st->node);
    st->mapped = false;
    m->n.closed++;
    if (!st->released)
        m->n_live--;
    if (orderly)
        bucket_give(&m->guard.opens, 1);
}

void
fogi_stream_fail(struct fog_mux *m, struct fog_stream *st, int err)
{
    fogi_stream_die(m, st, false);
    fogi_recv_drop(m, st);
    st->eof = false;
    st->err = err;
    if (st->event_bits & EV_OPENED) {
        /* Opened and over before anybody was told: nobody needs to know, and nothing is dialled. */
        st->event_bits = 0;
        list_unlink(&st->event);
        st->released = true;
    }
    st->event_bits = 0;
    fogi_stream_tell(m, st, EV_RESET);
    fogi_streams_settle(m, st);
}

void
fogi_stream_abort(struct fog_mux *m, struct fog_stream *st, int err)
{
    if (st->ctl_bits & CTL_SYN) {
        /* The peer has never heard of it. */
        st->ctl_bits = 0;
        list_unlink(&st->ctl);
    } else {
        st->ctl_bits &= (uint8_t)~CTL_FIN;
        fogi_stream_ctl(m, st, CTL_RST);
    }
    fogi_stream_fail(m, st, err);
}

void
fogi_stream_mute(struct fog_mux *m, struct fog_stream *st, bool cut)
{
    bool writer = cut || (!st->fin_wanted && !st->fin_out);
    bool waiting = list_is_linked(&st->turn.link);
    fogi_stream_die(m, st, !writer);
    st->err = FOG_E_RESET;
    if (writer && bytes_len(&st->in) == 0) {
        fogi_stream_tell(m, st, EV_RESET);
    } else if (writer) {
        st->reset_later = true;
        if (waiting)
            fogi_stream_tell(m, st, EV_WRITABLE);
    }
    fogi_streams_settle(m, st);
}

/* ------------------------------------------------------------------------------- FIN and timers */

static fog_time
fin_at(const struct fog_mux *m, const struct fog_stream *st)
{
    const struct finhold h = {.extended = m->extended,
                              .fin_in = st->eof,
                              .in_flight = list_is_linked(&st->unacked),
                              .asked = m->o.role == FOG_SERVER && st->bytes_in <= FINHOLD_FEW,
                              .acked = st->acked_lately,
                              .acked_at = st->acked_at,
                              .last_in = st->last_in,
                              .spell_at = st->spell_at,
                              .spell_in = st->bytes_in - st->spell_from};
    return fogi_finhold(&h, m->now);
}

void
fogi_stream_fin(struct fog_mux *m, struct fog_stream *st)
{
    if (!st->fin_wanted)
        return;
    if (fin_at(m, st) > m->now) {
        if (!st->fin_counted)
            m->n.fins_held++;
        st->fin_counted = true;
        if (!list_is_linked(&st->held))
            list_push(&m->held, &st->held);
        fogi_stream_arm(m, st);
        return;
    }
    struct on_verb cell = fogi_stream_on_verb((enum stream_state)st->state, VERB_FINISH);
    assert(cell.deed == DEED_FIN && "only a stream that may send asks for a FIN");
    list_unlink(&st->held);
    st->fin_wanted = false;
    st->fin_out = true;
    st->state = cell.next;
    fogi_stream_ctl(m, st, CTL_FIN);
    if (st->state == STREAM_DEAD) {
        fogi_stream_die(m, st, true);
        fogi_streams_settle(m, st);
    } else {
        fogi_stream_arm(m, st);
    }
}

void
fogi_stream_spell(struct fog_mux *m, struct fog_stream *st)
{
    st->spell_at = m->now;
    st->spell_from = st->bytes_in;
}

static fog_time
half_closed_at(const struct fog_mux *m, const struct fog_stream *st)
{
    bool half = st->state == STREAM_FIN_SENT || st->state == STREAM_FIN_RECV ||
                st->state == STREAM_REAL_CLOSED;
    return half ? st->last_byte + m->o.limits.half_closed_us : FOG_TIME_NEVER;
}

void
fogi_stream_arm(struct fog_mux *m, struct fog_stream *st)
{
    fog_time at = half_closed_at(m, st), fin = FOG_TIME_NEVER;
    if (st->fin_wanted) {
        if (m->now - st->spell_at >= FINHOLD_SPELL_US &&
            st->bytes_in - st->spell_from > FINHOLD_FEW)
            fogi_stream_spell(m, st);
        fin = fin_at(m, st);
    }
    fogi_heap_set(&m->timers, &st->timer, at < fin ? at : fin);
}

/* Timers are moved late: bytes only note when they came, the expiry looks whether it is one. */
void
fogi_streams_tick(struct fog_mux *m)
{
    struct heap_node *node;
    while ((node = heap_first(&m->timers)) && node->at <= m->now) {
        struct fog_stream *st = list_entry(node, struct fog_stream, timer);
        if (half_closed_at(m, st) <= m->now) {
            m->n.limit_half_closed_hit++;
            fogi_stream_abort(m, st, FOG_E_LIMIT);
        } else if (st->fin_wanted && fin_at(m, st) <= m->now) {
            fogi_stream_fin(m, st);
        } else {
            fogi_stream_arm(m, st);
        }
    }
}

/* --------------------------------------------------------------------------------- tunnel's end */

bool
fogi_stream_is_whole(const struct fog_mux *m, const struct fog_stream *st)
{
    return st->eof && !st->err && st->fin_out && !st->ctl_bits && st->last_out <= m->acked;
}

void
fogi_streams_close(struct fog_mux *m)
{
    for (struct list *l = m->all.next, *next; l != &m->all; l = next) {
        struct fog_stream *st = list_entry(l, struct fog_stream, all);
        next = l->next;
        bool unknown = st->event_bits & EV_OPENED;
        st->whole = fogi_stream_is_whole(m, st);
        st->ctl_bits = st->event_bits = 0;
        st->patient = false;
        list_unlink(&st->ctl);
        list_unlink(&st->event);
        fogi_stream_die(m, st, false);
        if (!st->whole)
            fogi_recv_drop(m, st);
        st->released = st->released || unknown;
        fogi_streams_settle(m, st);
    }
}

void
fogi_streams_free(struct fog_mux *m)
{
    struct list *l;
    while ((l = m->all.next) != &m->all)
        free_stream(m, list_entry(l, struct fog_stream, all));
    fogi_map_clear(&m->by_id, &m->mem);
    fogi_heap_clear(&m->timers, &m->mem);
}
