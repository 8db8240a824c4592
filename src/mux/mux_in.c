/* SPDX-License-Identifier: MIT
 *
 * mux_in.c - bytes from the peer. Routes each message through the tunnel's table and the stream's,
 * and does what the cell says. A message whose limit is used up is held, with all that follows it,
 * until the limit opens again.
 */
#include "mux/mux_int.h"
#include "mux/tunnel.h"

#include <string.h>

#define MEMORY_RETRY_US FOG_MS(100)

void
fogi_in_forget(struct fog_mux *m, const struct fog_stream *st)
{
    if (m->in.st == st)
        m->in.st = NULL;
}

/* Holds the message; counts the limit once, however often it is tried again. */
static bool
hold(struct fog_mux *m, enum hold why, uint64_t *counter)
{
    if (m->in.hold != why && counter)
        (*counter)++;
    m->in.hold = (uint8_t)why;
    return false;
}

static void
charge_reset(struct fog_mux *m)
{
    if (bucket_take(&m->guard.resets, 1, m->now))
        return;
    m->n.limit_resets_hit++;
    fogi_mux_fail(m, FOG_E_ABUSE, "too many resets");
}

/* ---------------------------------------------------------------------------------- stream acts */

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
        return hold(m, HOLD_REFUSALS, NULL);
    if (!bucket_take(&m->guard.opens, 1, m->now))
        return hold(m, HOLD_OPENS, &m->n.limit_opens_hit);
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
        return hold(m, HOLD_MEMORY, &m->n.limit_memory_hit);
    }
    st->state = STREAM_ESTABLISHED;
    st->accepted = true;
    fogi_stream_ctl(m, st, CTL_SYN_ACK);
    fogi_stream_tell(m, st, EV_OPENED);
    return true;
}

static void
echo_rst(struct fog_mux *m, struct fog_stream *st)
{
    st->ctl_bits &= (uint8_t)~CTL_FIN;
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

/* --------------------------------------------------------------------------------------- payload
 */

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

/* All of the payload is here. False: held. */
static bool
end_payload(struct fog_mux *m)
{
    if (m->in.st && m->in.zip) {
        if (!bucket_take(&m->guard.inflate, m->o.limits.inflate_frame, m->now))
            return hold(m, HOLD_INFLATE, &m->n.limit_inflate_turn_hit);
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

static bool
on_part(struct fog_mux *m, const struct part *part)
{
    struct fog_stream *st = m->in.st;
    if (m->in.zip && st) {
        memcpy(m->in.zip + m->in.zip_len, part->at, part->len);
        m->in.zip_len += (uint32_t)part->len;
    } else if (st && m->in.take) {
        fogi_recv_put(m, st, part->at, part->len);
    }
    m->in.whole = part->last;
    return !part->last || end_payload(m);
}

/* -------------------------------------------------------------------------------------- messages
 */

static bool
on_stream(struct fog_mux *m)
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

static void
on_ping(struct fog_mux *m)
{
    if (m->n_pongs < m->o.limits.pings_pending && bucket_take(&m->guard.pings, 1, m->now))
        m->pongs[m->n_pongs++] = m->in.msg.ping;
    else
        m->n.limit_pings_hit++;
}

static void
become_ready(struct fog_mux *m)
{
    m->state = FOG_MUX_READY;
    m->event_bits |= EV_READY;
    fogi_life_ready(&m->life, m->o.role, m->now);
}

static bool
on_tunnel(struct fog_mux *m)
{
    const struct msg *msg = &m->in.msg;
    switch (fogi_tunnel_on_msg((enum fog_mux_state)m->state, msg->type)) {
    case TUNNEL_HELLO:
        if (m->o.role == FOG_CLIENT) {
            fogi_mux_fail(m, FOG_E_PROTOCOL, "handshake message is invalid");
            break;
        }
        m->hello_due = true;
        become_ready(m);
        break;
    case TUNNEL_READY:
        become_ready(m);
        break;
    case TUNNEL_PING:
        on_ping(m);
        break;
    case TUNNEL_PONG:
        if (!fogi_life_pong(&m->life, msg->ping))
            fogi_mux_glitch(m);
        break;
    case TUNNEL_STREAM:
        return on_stream(m);
    case TUNNEL_END:
        if (msg->cut)
            m->n.limit_reason_hit++;
        fogi_mux_close(m, FOG_E_SHUTDOWN, msg->text, msg->text_len, false);
        break;
    case TUNNEL_BAD:
        fogi_mux_fail(m, FOG_E_PROTOCOL, "message is not allowed now");
        break;
    case TUNNEL_DROP:
    case TUNNEL_ACT_N:
        break;
    }
    return true;
}

/* False: held. */
static bool
apply(struct fog_mux *m)
{
    if (!m->in.paid && m->in.msg.len < GUARD_SMALL && !bucket_take(&m->guard.frames, 1, m->now))
        return hold(m, HOLD_FRAMES, &m->n.limit_frames_hit);
    m->in.paid = true;
    if (!m->in.odd)
        return on_tunnel(m);
    fogi_mux_glitch(m);
    return true;
}

bool
fogi_in_resume(struct fog_mux *m)
{
    if (m->in.hold == HOLD_NONE)
        return true;
    if (!(m->in.whole ? end_payload(m) : apply(m)))
        return false;
    m->in.hold = HOLD_NONE;
    return true;
}

static void
on_bad(struct fog_mux *m)
{
    struct decoder *d = &m->in.decoder;
    if (d->too_long)
        m->n.limit_frame_in_hit++;
    fogi_mux_close(m, FOG_E_PROTOCOL, d->text, d->text_len, true);
}

static void
on_decoded(struct fog_mux *m, enum decoded found, const struct part *part)
{
    bool done = true;
    if (found == DECODED_MSG || found == DECODED_ODD) {
        m->n.frames_in++;
        m->in.msg = m->in.decoder.msg;
        m->in.odd = found == DECODED_ODD;
        m->in.paid = false;
        done = apply(m);
    } else if (found == DECODED_PART) {
        done = on_part(m, part);
    } else if (found == DECODED_BAD) {
        on_bad(m);
    }
    if (done)
        m->in.hold = HOLD_NONE;
    if (!m->in.decoder.busy)
        m->life.frame_by = FOG_TIME_NEVER;
}

/* -------------------------------------------------------------------------------------- the verb
 */

/* How many of the next len bytes may be decoded; 0 stops the input. */
static size_t
allowed(struct fog_mux *m, size_t len)
{
    bool tunnel = false;
    if (!m->in.payload)
        return len;
    size_t room = fogi_recv_room(m, &tunnel);
    if (room > 0) {
        m->in.hit_tunnel = m->in.hit_stream = false;
        return len < room ? len : room;
    }
    if (tunnel && !m->in.hit_tunnel) {
        m->in.hit_tunnel = true;
        m->n.limit_tunnel_recv_hit++;
    } else if (!tunnel && !m->in.hit_stream) {
        m->in.hit_stream = true;
        m->n.limit_stream_recv_hit++;
    }
    return 0;
}

/* While we take nothing ourselves, silence proves nothing and no frame can be completed. */
static void
note_input(struct fog_mux *m, size_t used, size_t len)
{
    struct life *l = &m->life;
    m->in.blocked = used < len;
    l->deaf = m->in.blocked || m->in.hold != HOLD_NONE;
    if (used > 0)
        fogi_life_input(l, m->now);
    if (l->deaf || !m->in.decoder.busy)
        l->frame_by = FOG_TIME_NEVER;
    else if (l->frame_by == FOG_TIME_NEVER && l->ready)
        l->frame_by = m->now + m->o.limits.frame_us;
}

int
fog_mux_input(struct fog_mux *m, const void *buf, size_t len, size_t *used, fog_time now)
{
    const uint8_t *at = buf;
    m->now = now;
    *used = 0;
    if (m->state == FOG_MUX_CLOSED)
        return FOG_E_CLOSED;
    bool go = fogi_in_resume(m);
    while (go && *used < len && m->state != FOG_MUX_CLOSED) {
        struct part part = {0};
        size_t took = 0, n = allowed(m, len - *used);
        if (n == 0)
            break;
        enum decoded found = m->framing->decode(&m->in.decoder, at + *used, n, &took, &part);
        *used += took;
        on_decoded(m, found, &part);
        go = m->in.hold == HOLD_NONE;
    }
    if (m->state == FOG_MUX_CLOSED) {
        *used = len;
        return 0;
    }
    note_input(m, *used, len);
    return m->in.hold == HOLD_MEMORY ? FOG_E_NOMEM : 0;
}

fog_time
fogi_in_deadline(const struct fog_mux *m)
{
    bool tunnel;
    switch ((enum hold)m->in.hold) {
    case HOLD_FRAMES:
        return bucket_when(&m->guard.frames, 1);
    case HOLD_OPENS:
        return bucket_when(&m->guard.opens, 1);
    case HOLD_INFLATE:
        return bucket_when(&m->guard.inflate, m->o.limits.inflate_frame);
    case HOLD_REFUSALS:
        return m->n_refusals < REFUSALS_MAX || m->n_streams < m->o.limits.streams ? m->now
                                                                                  : FOG_TIME_NEVER;
    case HOLD_MEMORY:
        return m->in.memory_at;
    case HOLD_NONE:
        break;
    }
    if (m->in.blocked && (!m->in.payload || fogi_recv_room(m, &tunnel) > 0))
        return m->now;
    return FOG_TIME_NEVER;
}
