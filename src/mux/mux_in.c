/* SPDX-License-Identifier: MIT
 *
 * mux_in.c - bytes from the peer. Decodes them, routes each message through the tunnel's table, and
 * stops where a bound is reached. A message whose limit is used up is held, with all that follows
 * it, until the limit opens again.
 */
#include "mux/mux_int.h"
#include "mux/tunnel.h"

bool
fogi_in_hold(struct fog_mux *m, enum hold why, uint64_t *counter)
{
    if (m->in.hold != why && counter)
        (*counter)++;
    m->in.hold = (uint8_t)why;
    return false;
}

/* ------------------------------------------------------------------------------------- messages */

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
        return fogi_act_message(m);
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
        return fogi_in_hold(m, HOLD_FRAMES, &m->n.limit_frames_hit);
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
    if (!(m->in.whole ? fogi_act_payload_end(m) : apply(m)))
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
        done = fogi_act_part(m, part);
    } else if (found == DECODED_BAD) {
        on_bad(m);
    }
    if (done)
        m->in.hold = HOLD_NONE;
    if (!m->in.decoder.busy)
        m->life.frame_by = FOG_TIME_NEVER;
}

/* ------------------------------------------------------------------------------------- the verb */

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
