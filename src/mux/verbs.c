/* SPDX-License-Identifier: MIT
 *
 * verbs.c - what the layer above does with a stream. Looks the verb up in the stream's table and
 * does the deed; what is not in the cell is not allowed.
 */
#include "mux/mux_int.h"

#include <assert.h>

static struct on_verb
look_up(const struct fog_stream *st, enum verb verb)
{
    return fogi_stream_on_verb((enum stream_state)st->state, verb);
}

static void
silence(struct fog_stream *st)
{
    st->event_bits = 0;
    list_unlink(&st->event);
}

/* What the peer still sends on st is for nobody. */
static void
discard(struct fog_mux *m, struct fog_stream *st)
{
    silence(st);
    st->discard = true;
    st->reset_later = false;
    if (m->in.st == st)
        m->in.take = false;
    fogi_recv_drop(m, st);
}

int
fog_mux_open(struct fog_mux *m, struct fog_stream **out, fog_time now)
{
    m->now = now;
    *out = NULL;
    if (m->o.role != FOG_CLIENT)
        return FOG_E_USAGE;
    if (m->state == FOG_MUX_CLOSED)
        return FOG_E_CLOSED;
    if (m->state != FOG_MUX_READY)
        return FOG_E_BUSY;
    if (m->n_streams >= m->o.limits.streams) {
        m->n.limit_streams_hit++;
        return FOG_E_LIMIT;
    }
    if (m->next_id > m->o.limits.last_id) {
        m->n.limit_ids_hit++;
        return FOG_E_LIMIT;
    }
    struct fog_stream *st = fogi_streams_new(m, m->next_id, false);
    if (!st)
        return FOG_E_NOMEM;
    m->next_id += 2;
    if (!m->worn_told && m->next_id + WORN_AT > m->o.limits.last_id) {
        m->worn_told = true;
        m->event_bits |= EV_WORN;
    }
    st->connected = true;
    st->state = look_up(st, VERB_OPEN).next;
    fogi_stream_ctl(m, st, CTL_SYN);
    *out = st;
    return 0;
}

void
fog_mux_connected(struct fog_mux *m, struct fog_stream *st)
{
    st->connected = true;
    fogi_recv_weigh(m, st);
}

void
fog_mux_refuse(struct fog_mux *m, struct fog_stream *st, fog_time now)
{
    m->now = now;
    if (m->extended) {
        fog_mux_reset(m, st, now);
        return;
    }
    struct on_verb cell = look_up(st, VERB_REFUSE);
    if (m->state == FOG_MUX_CLOSED || cell.deed == DEED_NOTHING || cell.deed == DEED_DENY)
        return;
    if (cell.deed == DEED_RST) {
        fog_mux_reset(m, st, now);
        return;
    }
    discard(m, st);
    st->err = FOG_E_RESET;
    st->eof = st->fin_wanted = false;
    list_unlink(&st->held);
    st->fin_out = true;
    st->state = cell.next;
    fogi_stream_ctl(m, st, CTL_FIN);
    if (st->state == STREAM_DEAD)
        fogi_stream_die(m, st, true);
    else
        fogi_stream_arm(m, st);
}

int
fog_mux_peek(const struct fog_mux *m, const struct fog_stream *st, const void **buf, size_t *len,
             bool *eof)
{
    *buf = NULL;
    *len = 0;
    *eof = false;
    if (m->state == FOG_MUX_CLOSED && !st->whole)
        return FOG_E_CLOSED;
    if (st->err && !st->eof)
        return FOG_E_RESET;
    *buf = fogi_bytes_peek(&st->in, len);
    *eof = st->eof && *len == 0;
    return 0;
}

bool
fog_mux_is_whole(const struct fog_mux *m, const struct fog_stream *st)
{
    return m->state == FOG_MUX_CLOSED ? st->whole : fogi_stream_is_whole(m, st);
}

void
fog_mux_consume(struct fog_mux *m, struct fog_stream *st, size_t len, fog_time now)
{
    size_t has = bytes_len(&st->in);
    m->now = now;
    assert(len <= has && "no more than peek has shown");
    if (len > has)
        len = has;
    fogi_recv_take(m, st, len);
    st->last_byte = m->taken_at = now;
    if (st->reset_later && bytes_len(&st->in) == 0) {
        st->reset_later = false;
        fogi_stream_tell(m, st, EV_RESET);
    }
}

int
fog_mux_finish(struct fog_mux *m, struct fog_stream *st, fog_time now)
{
    m->now = now;
    if (m->state == FOG_MUX_CLOSED)
        return FOG_E_CLOSED;
    if (st->err)
        return FOG_E_RESET;
    if (st->fin_wanted || look_up(st, VERB_FINISH).deed == DEED_NOTHING)
        return 0;
    fogi_sched_drop(&m->sched, &st->turn);
    st->fin_wanted = true;
    fogi_stream_spell(m, st);
    fogi_stream_fin(m, st);
    return 0;
}

void
fog_mux_reset(struct fog_mux *m, struct fog_stream *st, fog_time now)
{
    m->now = now;
    if (m->state != FOG_MUX_CLOSED && look_up(st, VERB_RESET).deed == DEED_RST)
        fogi_stream_abort(m, st, FOG_E_RESET);
    discard(m, st);
    st->eof = false;
    st->err = FOG_E_RESET;
}

void
fog_mux_release(struct fog_mux *m, struct fog_stream *st, fog_time now)
{
    bool ends = st->eof && (st->fin_wanted || st->fin_out);
    m->now = now;
    if (m->state != FOG_MUX_CLOSED && !ends && look_up(st, VERB_RELEASE).deed == DEED_RST)
        fogi_stream_abort(m, st, FOG_E_RESET);
    discard(m, st);
    st->released = true;
    if (st->mapped)
        m->n_live--;
    fogi_streams_settle(m, st);
}

/* --------------------------------------------------------------------------------------- fields */

void
fog_stream_set_user(struct fog_stream *st, void *user)
{
    st->user = user;
}

void *
fog_stream_user(const struct fog_stream *st)
{
    return st->user;
}

uint32_t
fog_stream_id(const struct fog_stream *st)
{
    return st->id;
}

const char *
fog_stream_state_name(const struct fog_stream *st)
{
    return fogi_stream_state_name((enum stream_state)st->state);
}

void
fog_stream_bytes(const struct fog_stream *st, uint64_t *in, uint64_t *out)
{
    *in = st->bytes_in;
    *out = st->bytes_out;
}
