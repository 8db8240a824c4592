/* SPDX-License-Identifier: MIT
 *
 * mux_out.c - bytes for the peer: which control message leaves next, and frames of payload. Order:
 * the shutdown alone; the handshake; keepalive answers and our keepalive, as vproxy puts them in
 * front; then the streams in the order in which they asked, each with SYN, SYN-ACK, FIN, RST.
 */
#include "mux/mux_int.h"

#include <assert.h>
#include <string.h>

#define LATELY_HALF_US FOG_MS(500) /* what was acknowledged so long ago counts half */
#define ZIP_OVER 1024              /* as vproxy: shorter payloads are sent as they are */

static_assert(FOG_MUX_OUTPUT_MAX >= 17 + FOG_REASON_MAX, "a shutdown is the longest");

enum source { FROM_NOBODY, FROM_SHUTDOWN, FROM_HELLO, FROM_PONG, FROM_PING, FROM_STREAM };

static const struct {
    uint8_t bit;
    enum msg_type type;
} ctl_order[] = {
    {CTL_SYN, MSG_SYN}, {CTL_SYN_ACK, MSG_SYN_ACK}, {CTL_FIN, MSG_FIN}, {CTL_RST, MSG_RST}};

static struct fog_stream *
first_ctl(const struct fog_mux *m)
{
    return list_is_empty(&m->ctl) ? NULL : list_entry(m->ctl.next, struct fog_stream, ctl);
}

static size_t
ctl_index(const struct fog_stream *st)
{
    size_t i = 0;
    while (!(st->ctl_bits & ctl_order[i].bit))
        i++;
    return i;
}

/* The control message to leave next. */
static enum source
next_msg(const struct fog_mux *m, struct msg *msg)
{
    const struct fog_stream *st = first_ctl(m);
    if (m->goodbye_due) {
        *msg = (struct msg){.type = MSG_SHUTDOWN, .text = m->reason, .text_len = m->reason_len};
        return FROM_SHUTDOWN;
    }
    if (m->state == FOG_MUX_CLOSED)
        return FROM_NOBODY;
    if (m->hello_due) {
        *msg = (struct msg){.type = MSG_HANDSHAKE};
        return FROM_HELLO;
    }
    if (m->n_pongs > 0) {
        *msg = (struct msg){.type = MSG_KEEPALIVE_ACK, .ping = m->pongs[0]};
        return FROM_PONG;
    }
    if (m->life.ping_due) {
        *msg = (struct msg){.type = MSG_KEEPALIVE, .ping = m->life.ping_id};
        return FROM_PING;
    }
    if (!st)
        return FROM_NOBODY;
    *msg = (struct msg){.type = ctl_order[ctl_index(st)].type, .stream = st->id};
    return FROM_STREAM;
}

static void
stream_msg_left(struct fog_mux *m)
{
    struct fog_stream *st = first_ctl(m);
    assert(st && "its message was just written");
    uint8_t bit = ctl_order[ctl_index(st)].bit;
    if (bit == CTL_RST)
        m->n.resets_out++;
    st->ctl_bits &= (uint8_t)~bit;
    if (st->ctl_bits)
        return;
    list_unlink(&st->ctl);
    fogi_streams_settle(m, st);
}

static void
msg_left(struct fog_mux *m, enum source from)
{
    m->n.frames_out++;
    switch (from) {
    case FROM_SHUTDOWN:
        m->goodbye_due = false;
        break;
    case FROM_HELLO:
        m->hello_due = false;
        if (m->state == FOG_MUX_INIT)
            m->state = FOG_MUX_HANDSHAKE_SENT;
        break;
    case FROM_PONG:
        m->n.pings_answered++;
        m->n_pongs--;
        memmove(m->pongs, m->pongs + 1, m->n_pongs * sizeof m->pongs[0]);
        break;
    case FROM_PING:
        m->n.pings_out++;
        fogi_life_pinged(&m->life, m->now);
        break;
    case FROM_STREAM:
        stream_msg_left(m);
        break;
    case FROM_NOBODY:
        break;
    }
}

int
fog_mux_output(struct fog_mux *m, void *buf, size_t cap, size_t *len, fog_time now)
{
    struct msg msg;
    enum source from;
    uint8_t *out = buf;
    m->now = now;
    *len = 0;
    while ((from = next_msg(m, &msg)) != FROM_NOBODY) {
        size_t size = m->framing->size(&msg);
        if (size > cap - *len)
            break;
        m->framing->encode(&msg, out + *len);
        *len += size;
        msg_left(m, from);
    }
    m->out_pos += *len;
    sched_use(&m->sched, *len);
    return 0;
}

size_t
fog_mux_output_next(const struct fog_mux *m)
{
    struct msg msg;
    return next_msg(m, &msg) == FROM_NOBODY ? 0 : m->framing->size(&msg);
}

/* --------------------------------------------------------------------------------------- frames */

size_t
fog_mux_overhead(const struct fog_mux *m)
{
    return m->framing->overhead;
}

/* Whether st may send payload. */
static int
may_write(const struct fog_mux *m, const struct fog_stream *st)
{
    if (m->state == FOG_MUX_CLOSED)
        return FOG_E_CLOSED;
    if (st->err)
        return st->err == FOG_E_CLOSED ? FOG_E_CLOSED : FOG_E_RESET;
    if (st->fin_wanted || st->fin_out)
        return FOG_E_FINISHED;
    struct on_verb cell = fogi_stream_on_verb((enum stream_state)st->state, VERB_WRITE);
    return cell.deed == DEED_ALLOW ? 0 : FOG_E_RESET;
}

int
fog_mux_turn(struct fog_mux *m, struct fog_stream *st, size_t room, size_t *cap, fog_time now)
{
    size_t head = m->framing->overhead;
    m->now = now;
    *cap = 0;
    int rc = may_write(m, st);
    if (rc)
        return rc;
    sched_room(&m->sched, room);
    if (st->patient)
        fogi_stream_ctl(m, st, 0); /* it has company now */
    if (st->ctl_bits & (CTL_SYN | CTL_SYN_ACK))
        fogi_sched_wait(&m->sched, &st->turn);
    else
        *cap = fogi_sched_cap(&m->sched, &st->turn, room > head ? room - head : 0,
                              m->o.limits.frame_out);
    return 0;
}

/* Compresses the payload in place if that makes it smaller. */
static bool
zip_payload(struct fog_mux *m, uint8_t *payload, size_t *len)
{
    const struct fog_gzip *gzip = m->o.gzip;
    size_t cap = *len - 1, out_len = 0;
    if (!m->o.compress || !gzip || *len <= ZIP_OVER)
        return false;
    uint8_t *out = mem_get(&m->mem, cap);
    if (!out)
        return false;
    bool ok = gzip->deflate(gzip->ctx, payload, *len, out, cap, &out_len) == 0;
    if (ok) {
        memcpy(payload, out, out_len);
        *len = out_len;
        m->n.deflated++;
    }
    mem_put(&m->mem, out, cap);
    return ok;
}

int
fog_mux_frame(struct fog_mux *m, struct fog_stream *st, void *frame, size_t len, size_t *total,
              fog_time now)
{
    uint8_t *head = frame;
    size_t overhead = m->framing->overhead;
    m->now = now;
    *total = 0;
    int rc = may_write(m, st);
    if (rc)
        return rc;
    if (len == 0 || len > m->o.limits.frame_out || (st->ctl_bits & (CTL_SYN | CTL_SYN_ACK)))
        return FOG_E_USAGE;
    st->bytes_out += len;
    st->last_byte = now;
    fogi_sched_charge(&st->turn, len);
    bool zip = zip_payload(m, head + overhead, &len);
    const struct msg msg = {.type = MSG_PSH, .stream = st->id, .len = (uint32_t)len, .zip = zip};
    m->framing->encode(&msg, head);
    *total = overhead + len;
    m->n.frames_out++;
    m->out_pos += *total;
    sched_use(&m->sched, *total);
    st->last_out = m->out_pos;
    list_unlink(&st->unacked);
    list_push(&m->unacked, &st->unacked);
    return 0;
}

/* ---------------------------------------------------------------------------------- the session */

static void
note_acked(struct fog_mux *m, uint64_t acked)
{
    uint64_t halves = (uint64_t)(m->now - m->lately_at) / LATELY_HALF_US;
    if (halves > 0) {
        m->lately = halves < 64 ? m->lately >> halves : 0;
        m->lately_at += (fog_time)halves * LATELY_HALF_US;
    }
    m->lately += acked - m->acked;
    m->acked = acked;
}

/* What the peer may still have before it of a stream: no more than was sent on it, nor than it has
 * lately said to have. */
static uint32_t
lately_of(const struct fog_mux *m, const struct fog_stream *st)
{
    uint64_t bytes = st->bytes_out < m->lately ? st->bytes_out : m->lately;
    return bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX;
}

void
fog_mux_acked(struct fog_mux *m, uint64_t acked, fog_time now)
{
    m->now = now;
    note_acked(m, acked);
    while (!list_is_empty(&m->unacked)) {
        struct fog_stream *st = list_entry(m->unacked.next, struct fog_stream, unacked);
        if (st->last_out > acked)
            break;
        list_unlink(&st->unacked);
        st->acked_at = now;
        st->acked_lately = lately_of(m, st);
        fogi_stream_fin(m, st);
    }
}

void
fog_mux_room(struct fog_mux *m, size_t room, fog_time now)
{
    m->now = now;
    sched_room(&m->sched, room);
    if (room <= m->framing->overhead)
        return;
    for (size_t n = 0; n == 0 || n < room / SCHED_QUANTUM; n++) {
        struct turn *t = fogi_sched_wake(&m->sched);
        if (!t)
            break;
        fogi_stream_tell(m, list_entry(t, struct fog_stream, turn), EV_WRITABLE);
    }
}
