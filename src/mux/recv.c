/* SPDX-License-Identifier: MIT
 *
 * recv.c - bytes that wait for readers, and their bounds. This wire has no credit, so a slow reader
 * can only be bounded by stopping the whole pipe or by losing the stream (threats M10): alone, it
 * stops the pipe once the tunnel is nearly full, but not before, because the next stream's opening
 * stands behind its bytes; among others it may go over its bound until then, and is then reset
 * after a moment of grace. So is the one with most when many that are within their
 * bounds have filled the tunnel and nobody reads. Invariant: recv_held <= tunnel_recv + one
 * inflated frame.
 */
#include "mux/mux_int.h"

/* What may wait before the tunnel counts as nearly full. */
static size_t
nearly_full(const struct fog_mux *m)
{
    return m->o.limits.tunnel_recv - m->o.limits.tunnel_recv / 4;
}

static size_t
bound_of(const struct fog_mux *m, const struct fog_stream *st)
{
    return st->connected ? m->o.limits.stream_recv : m->o.limits.stream_recv_dialling;
}

size_t
fogi_recv_room(const struct fog_mux *m, bool *tunnel)
{
    const struct fog_stream *st = m->in.st;
    *tunnel = false;
    if (!st || !m->in.take)
        return SIZE_MAX;
    size_t limit = m->o.limits.tunnel_recv;
    size_t room = m->recv_held < limit ? limit - m->recv_held : 0;
    *tunnel = room == 0;
    if (m->n_live == 1) {
        size_t has = bytes_len(&st->in), bound = bound_of(m, st), most = nearly_full(m);
        bound = st->connected && most > bound ? most : bound;
        size_t own = has < bound ? bound - has : 0;
        room = room < own ? room : own;
    }
    /* A compressed payload waits elsewhere until it is whole; it only has to start in time. */
    return m->in.msg.zip && room > 0 ? SIZE_MAX : room;
}

void
fogi_recv_weigh(struct fog_mux *m, struct fog_stream *st)
{
    bool over = bytes_len(&st->in) > bound_of(m, st);
    if (over && !list_is_linked(&st->over)) {
        list_push(&m->over, &st->over);
        st->over_since = m->now;
        m->n.limit_stream_recv_hit++;
    } else if (!over) {
        list_unlink(&st->over);
    }
    if (m->recv_held <= nearly_full(m))
        m->full_since = FOG_TIME_NEVER;
    else if (m->full_since == FOG_TIME_NEVER)
        m->full_since = m->now;
}

/* The stream with most waiting bytes; NULL when none has any. */
static struct fog_stream *
largest(const struct fog_mux *m)
{
    struct fog_stream *most = NULL;
    for (struct list *l = m->all.next; l != &m->all; l = l->next) {
        struct fog_stream *st = list_entry(l, struct fog_stream, all);
        if (bytes_len(&st->in) > (most ? bytes_len(&most->in) : 0))
            most = st;
    }
    return most;
}

static void
reset(struct fog_mux *m, struct fog_stream *st)
{
    if (st->mapped)
        fogi_stream_abort(m, st, FOG_E_LIMIT);
    else
        fogi_stream_fail(m, st, FOG_E_LIMIT);
}

bool
fogi_recv_shed(struct fog_mux *m)
{
    struct fog_stream *most = largest(m);
    if (!most)
        return false;
    m->n.limit_memory_hit++;
    reset(m, most);
    return true;
}

bool
fogi_recv_put(struct fog_mux *m, struct fog_stream *st, const uint8_t *buf, size_t len)
{
    bool was_empty = bytes_len(&st->in) == 0;
    while (len > 0) {
        size_t n = len < BYTES_PAGE_MAX ? len : BYTES_PAGE_MAX;
        while (!fogi_bytes_append(&st->in, &m->mem, buf, n)) {
            uint32_t id = st->id;
            if (!fogi_recv_shed(m)) {
                m->n.limit_memory_hit++;
                fogi_stream_abort(m, st, FOG_E_LIMIT);
                return false;
            }
            if (fogi_streams_find(m, id) != st)
                return false;
        }
        m->recv_held += n;
        st->bytes_in += n;
        buf += n;
        len -= n;
    }
    st->last_in = st->last_byte = m->now;
    fogi_recv_weigh(m, st);
    if (was_empty)
        fogi_stream_tell(m, st, EV_READABLE);
    return true;
}

void
fogi_recv_take(struct fog_mux *m, struct fog_stream *st, size_t len)
{
    fogi_bytes_consume(&st->in, &m->mem, len);
    m->recv_held -= len;
    fogi_recv_weigh(m, st);
}

void
fogi_recv_drop(struct fog_mux *m, struct fog_stream *st)
{
    m->recv_held -= bytes_len(&st->in);
    fogi_bytes_clear(&st->in, &m->mem);
    fogi_recv_weigh(m, st);
}

/* When the stream longest over its bound has had its moment of grace, or a tunnel that stands still
 * because nobody reads. */
fog_time
fogi_recv_deadline(const struct fog_mux *m)
{
    if (m->full_since == FOG_TIME_NEVER)
        return FOG_TIME_NEVER;
    fog_time since = m->full_since;
    if (m->n_live >= 2 && !list_is_empty(&m->over)) {
        const struct fog_stream *st = list_entry(m->over.next, struct fog_stream, over);
        since = st->over_since > since ? st->over_since : since;
    } else if (m->n_all >= 2 && m->recv_held >= m->o.limits.tunnel_recv) {
        since = m->taken_at > since ? m->taken_at : since;
    } else {
        return FOG_TIME_NEVER;
    }
    return since + m->o.limits.slow_us;
}

void
fogi_recv_tick(struct fog_mux *m)
{
    while (fogi_recv_deadline(m) <= m->now) {
        bool over = m->n_live >= 2 && !list_is_empty(&m->over);
        struct fog_stream *st =
            over ? list_entry(m->over.next, struct fog_stream, over) : largest(m);
        if (!st)
            return;
        m->n.limit_slow_hit++;
        reset(m, st);
    }
}
