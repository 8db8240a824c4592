/* SPDX-License-Identifier: MIT
 *
 * acts.c - does what the stream's table says a message does, and takes payload to its reader. Knows
 * streams and messages; not where the bytes came from, nor what other messages wait.
 */
#include "mux/mux_int.h"

#include <string.h>

#define MEMORY_RETRY_US FOG_MS(100)

void
fogi_in_forget(struct fog_mux *m, const struct fog_stream *st)
{
    if (m->in.st == st)
        m->in.st = NULL;
}

static void
charge_reset(struct fog_mux *m)
{
    if (bucket_take(&m->guard.resets, 1, m->now))
        return;
    m->n.limit_resets_hit++;
    fogi_mux_fail(m, FOG_E_ABUSE, "too many resets");
}

/* An answer without a stream: SYN-ACK, which a vproxy client needs before it hears anything else
 * (R8), then RST. */
static void
refuse_syn(struct fog_mux *m, uint32_t id)
{
    struct fog_stream *st = fogi_streams_new(m, id, true);
    m->n.limit_streams_hit++;
    if (st)
        fogi_stream_ctl(m, st, CTL_SYN_ACK | CTL_RST);
}

/* False: the SYN is held. */
static bool
accept_syn(struct fog_mux *m, uint32_t id)
{
    bool full = m->n_streams >= m->o.limits.streams;
    if (m->o.role == FOG_CLIENT) {
        fogi_mux_glitch(m);
        return true;
    }
    if (full && m->n_refusals >= REFUSALS_MAX)
        return fogi_in_hold(m, HOLD_REFUSALS, NULL);
    if (!bucket_take(&m->guard.opens, 1, m->now))
        return fogi_in_hold(m, HOLD_OPENS, &m->n.limit_opens_hit);
    if (full) {
        refuse_syn(m, id);
        return true;
    }
    struct fog_stream *st = fogi_streams_new(m, id, false);
    if (!st && fogi_recv_shed(m))
        st = fogi_streams_new(m, id, false);
    if (!st) {
        bucket_give(&m->guard.opens, 1);
        m->in.memory_at = m->now + MEMORY_RETRY_US;
        return fogi_in_hold(m, HOLD_MEMORY, &m->n.limit_memory_hit);
    }
    st->state = STREAM_ESTABLISHED;
    st->accepted = true;
    fogi_stream_accept(m, st);
    fogi_stream_tell(m, st, EV_OPENED);
    return true;
}

static void
echo_rst(struct fog_mux *m, struct fog_stream *st)
{
    st->ctl_bits &= (uint8_t) ~(st->patient ? CTL_FIN | CTL_SYN_ACK : CTL_FIN);
    fogi_stream_ctl(m, st, CTL_RST);
}

static void
on_rst(struct fog_mux *m, struct fog_stream *st)
{
    bool early = m->o.role == FOG_SERVER && st->bytes_in == 0;
    echo_rst(m, st);
    fogi_stream_fail(m, st, FOG_E_RESET);
    if (early)
        charge_reset(m);
}

/* The peer's FIN behind all its bytes. */
static void
on_fin(struct fog_mux *m, struct fog_stream *st, struct on_msg cell)
{
    st->eof = true;
    st->state = cell.next;
    st->last_byte = m->now;
    if (bytes_len(&st->in) == 0)
        fogi_stream_tell(m, st, EV_READABLE);
    if (cell.act == ACT_BOTH) {
        fogi_stream_die(m, st, true);
        fogi_streams_settle(m, st);
        return;
    }
    fogi_stream_arm(m, st);
    fogi_stream_fin(m, st);
}

static void
on_late(struct fog_mux *m, uint32_t id)
{
    if (m->any_id && id <= m->highest)
        m->n.late++;
    else
        fogi_mux_glitch(m);
}

/* Does what the cell says, except for payload, which has not come yet. False: held. */
static bool
act(struct fog_mux *m, struct fog_stream *st, struct on_msg cell)
{
    switch ((enum act)cell.act) {
    case ACT_LATE:
        on_late(m, m->in.msg.stream);
        break;
    case ACT_ODD:
        fogi_mux_glitch(m);
        break;
    case ACT_ACCEPT:
        return accept_syn(m, m->in.msg.stream);
    case ACT_ACCEPTED:
        if (st->accepted) {
            fogi_mux_glitch(m);
        } else {
            st->accepted = true;
            st->state = cell.next;
            fogi_stream_tell(m, st, EV_ESTABLISHED);
        }
        break;
    case ACT_END:
    case ACT_BOTH:
        on_fin(m, st, cell);
        break;
    case ACT_GONE:
        fogi_stream_mute(m, st, false);
        break;
    case ACT_CUT:
        echo_rst(m, st);
        fogi_stream_mute(m, st, true);
        break;
    case ACT_RESET:
        on_rst(m, st);
        break;
    case ACT_DONE_RST:
        echo_rst(m, st);
        fogi_stream_die(m, st, false);
        fogi_streams_settle(m, st);
        break;
    case ACT_DONE:
        fogi_stream_die(m, st, false);
        fogi_streams_settle(m, st);
        break;
    case ACT_TAKE:
    case ACT_DROP:
    case ACT_N:
        break;
    }
    return true;
}

/* -------------------------------------------------------------------------------------- payload */

static void
free_zip(struct fog_mux *m)
{
    mem_put(&m->mem, m->in.zip, m->in.zip_cap);
    m->in.zip = NULL;
    m->in.zip_len = m->in.zip_cap = 0;
}

/* Our RST for the peer's fault: it costs the peer as much as one of its own. */
static void
reset_for_error(struct fog_mux *m, struct fog_stream *st)
{
    fogi_stream_abort(m, st, FOG_E_LIMIT);
    charge_reset(m);
}

static void *
get_or_shed(struct fog_mux *m, size_t size)
{
    void *p = mem_get(&m->mem, size);
    if (!p && fogi_recv_shed(m))
        p = mem_get(&m->mem, size);
    return p;
}

/* A compressed payload is collected, at most frame_in bytes of it, since it inflates as a whole. */
static void
collect_zip(struct fog_mux *m, struct fog_stream *st)
{
    if (!m->o.gzip) {
        reset_for_error(m, st);
        return;
    }
    m->in.zip = get_or_shed(m, m->in.msg.len);
    if (m->in.zip) {
        m->in.zip_cap = m->in.msg.len;
    } else if (m->in.st) {
        m->n.limit_memory_hit++;
        fogi_stream_abort(m, st, FOG_E_LIMIT);
    }
}

/* Payload follows: finds who gets it. */
static bool
begin_payload(struct fog_mux *m, struct fog_stream *st)
{
    enum stream_state state = st ? (enum stream_state)st->state : STREAM_NONE;
    struct on_msg cell = fogi_stream_on_msg(state, MSG_PSH);
    m->in.payload = true;
    m->in.whole = false;
    m->in.st = st;
    m->in.take = cell.act == ACT_TAKE && !st->discard;
    if (m->in.take && m->in.msg.zip)
        collect_zip(m, st);
    return act(m, st, cell);
}

static void
inflate(struct fog_mux *m, struct fog_stream *st)
{
    const struct fog_gzip *gzip = m->o.gzip;
    size_t cap = m->o.limits.inflate_frame, len = 0;
    uint8_t *out = get_or_shed(m, cap);
    if (!m->in.st) {
        mem_put(&m->mem, out, cap);
        return;
    }
    if (!out) {
        m->n.limit_memory_hit++;
        fogi_stream_abort(m, st, FOG_E_LIMIT);
        return;
    }
    int rc = gzip->inflate(gzip->ctx, m->in.zip, m->in.zip_len, out, cap, &len);
    if (rc) {
        if (rc == FOG_E_LIMIT)
            m->n.limit_inflate_hit++;
        reset_for_error(m, st);
    } else {
        m->n.inflated++;
        bucket_give(&m->guard.inflate, (uint32_t)(cap - len));
        fogi_recv_put(m, st, out, len);
    }
    mem_put(&m->mem, out, cap);
}

bool
fogi_act_payload_end(struct fog_mux *m)
{
    if (m->in.st && m->in.zip && m->in.take) {
        if (!bucket_take(&m->guard.inflate, m->o.limits.inflate_frame, m->now))
            return fogi_in_hold(m, HOLD_INFLATE, &m->n.limit_inflate_turn_hit);
        inflate(m, m->in.st);
    }
    free_zip(m);
    m->in.payload = m->in.whole = false;
    struct fog_stream *st = m->in.st;
    m->in.st = NULL;
    if (st && m->in.msg.type == MSG_PSH_FIN)
        return act(m, st, fogi_stream_on_msg((enum stream_state)st->state, MSG_PSH_FIN));
    return true;
}

bool
fogi_act_part(struct fog_mux *m, const struct part *part)
{
    struct fog_stream *st = m->in.st;
    if (m->in.zip && st) {
        memcpy(m->in.zip + m->in.zip_len, part->at, part->len);
        m->in.zip_len += (uint32_t)part->len;
    } else if (st && m->in.take) {
        fogi_recv_put(m, st, part->at, part->len);
    }
    m->in.whole = part->last;
    return !part->last || fogi_act_payload_end(m);
}

bool
fogi_act_message(struct fog_mux *m)
{
    const struct msg *msg = &m->in.msg;
    struct fog_stream *st = fogi_streams_find(m, msg->stream);
    if (msg->type == MSG_RST)
        m->n.resets_in++;
    if (msg->type == MSG_PSH || msg->type == MSG_PSH_FIN) {
        if (msg->len > 0)
            return begin_payload(m, st);
        if (!bucket_take(&m->guard.empties, 1, m->now)) {
            m->n.limit_empties_hit++;
            fogi_mux_glitch(m);
        }
        return true;
    }
    enum stream_state state = st ? (enum stream_state)st->state : STREAM_NONE;
    return act(m, st, fogi_stream_on_msg(state, msg->type));
}
