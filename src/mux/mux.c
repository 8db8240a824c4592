/* SPDX-License-Identifier: MIT
 *
 * mux.c - a tunnel as a whole: options, birth, timers, events, end. Routes; the decisions are in
 * the modules that mux_int.h names. Invariant: once closed nothing of the peer is looked at any
 * more, and at most one message leaves.
 */
#include "mux/mux_int.h"

#include "base/rng.h"
#include "base/wire.h"

#include <assert.h>
#include <string.h>

static_assert(sizeof(struct fog_mux) < 2048, "the bound that mux.h promises");

void
fog_mux_options_init(struct fog_mux_options *o, enum fog_role role)
{
    *o = (struct fog_mux_options){
        .role = role,
        .limits = {.streams = 1024,
                   .stream_recv = 1 << 20,
                   .stream_recv_dialling = 64 << 10,
                   .tunnel_recv = 16 << 20,
                   .frame_in = 65536,
                   .frame_out = 16384,
                   .inflate_frame = 64 << 10,
                   .inflate_turn = 4 << 20,
                   .opens = {2000, 500},
                   .resets = {1000, 33},
                   .glitches = {10000, 330},
                   .frames = {50000, 20000},
                   .pings = {50, 10},
                   .pings_pending = 8,
                   .empties = {100, 10},
                   .frame_us = FOG_SEC(30),
                   .handshake_us = FOG_SEC(5),
                   .half_closed_us = FOG_SEC(300),
                   .idle_us = FOG_SEC(90),
                   .slow_us = FOG_SEC(1),
                   .last_id = (1u << 30) - (1u << 16)},
        .ping_us = role == FOG_CLIENT ? FOG_SEC(10) : FOG_SEC(30),
        .ping_answer_us = FOG_SEC(5),
    };
}

static bool
valid(const struct fog_mux_options *o, const struct framing *f)
{
    const struct fog_mux_limits *l = &o->limits;
    bool sizes = l->stream_recv && l->stream_recv_dialling && l->tunnel_recv && l->frame_in &&
                 l->frame_out && l->inflate_frame;
    bool fits = l->frame_in <= f->length_max && l->frame_out <= f->length_max &&
                l->inflate_turn >= l->inflate_frame && l->pings_pending <= PONGS_MAX &&
                l->streams <= 16384 && l->last_id <= INT32_MAX;
    bool rates = l->opens.burst && l->resets.burst && l->glitches.burst && l->frames.burst &&
                 l->pings.burst && l->empties.burst && l->pings_pending;
    bool times = l->frame_us > 0 && l->handshake_us > 0 && l->half_closed_us > 0 &&
                 l->idle_us > 0 && l->slow_us > 0 && o->ping_us > 0 && o->ping_answer_us > 0;
    return sizes && fits && rates && times && l->streams && l->last_id;
}

static void
init(struct fog_mux *m, const struct fog_mux_options *o, fog_time now)
{
    struct rng seed = {o->seed};
    m->o = *o;
    m->framing = &fogi_h2;
    m->now = m->lately_at = now;
    m->extended = o->extended;
    m->hello_due = o->role == FOG_CLIENT;
    m->next_id = 1;
    m->full_since = FOG_TIME_NEVER;
    m->taken_at = now;
    m->in.decoder.role = o->role;
    m->in.decoder.payload_max = o->limits.frame_in;
    put_be64(m->key, rng_next(&seed));
    put_be64(m->key + 8, rng_next(&seed));
    list_init(&m->all);
    list_init(&m->ctl);
    list_init(&m->events);
    list_init(&m->over);
    list_init(&m->unacked);
    list_init(&m->held);
    list_init(&m->patient);
    fogi_life_init(&m->life, o, now);
    fogi_guard_init(&m->guard, &o->limits, now);
    fogi_sched_init(&m->sched);
}

int
fog_mux_new(struct fog_mux **out, const struct fog_mux_options *o, const struct fog_alloc *al,
            fog_time now)
{
    struct mem mem;
    *out = NULL;
    if (!valid(o, &fogi_h2))
        return FOG_E_USAGE;
    mem_init(&mem, al);
    struct fog_mux *m = mem_get(&mem, sizeof *m);
    if (!m)
        return FOG_E_NOMEM;
    *m = (struct fog_mux){.mem = mem};
    init(m, o, now);
    *out = m;
    return 0;
}

void
fog_mux_free(struct fog_mux *m)
{
    if (!m)
        return;
    fogi_streams_free(m);
    mem_put(&m->mem, m->in.zip, m->in.zip_cap);
    struct mem mem = m->mem;
    mem_put(&mem, m, sizeof *m);
    assert(mem.held == 0 && "all memory of a mux is reachable from it");
}

/* ------------------------------------------------------------------------------------------ end */

/* The peer's text goes into logs: what is not printable is escaped, and it has an end. */
static void
keep_escaped(struct fog_mux *m, const char *text, size_t len)
{
    static const char hex[] = "0123456789abcdef";
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        uint8_t c = (uint8_t)text[i];
        bool plain = c >= 0x20 && c < 0x7f && c != '\\';
        if (n + (plain ? 1 : 4) > FOG_REASON_MAX) {
            m->n.limit_reason_hit++;
            break;
        }
        if (plain) {
            m->reason[n++] = (char)c;
            continue;
        }
        m->reason[n++] = '\\';
        m->reason[n++] = 'x';
        m->reason[n++] = hex[c >> 4];
        m->reason[n++] = hex[c & 15];
    }
    m->reason_len = (uint16_t)n;
}

void
fogi_mux_close(struct fog_mux *m, int err, const char *reason, size_t len, bool say)
{
    if (m->state == FOG_MUX_CLOSED)
        return;
    m->state = FOG_MUX_CLOSED;
    m->close_err = err;
    m->goodbye_due = say;
    m->event_bits = EV_CLOSED;
    if (say) {
        m->reason_len = (uint16_t)(len < FOG_REASON_MAX ? len : FOG_REASON_MAX);
        memcpy(m->reason, reason, m->reason_len);
    } else {
        keep_escaped(m, reason, len);
    }
    m->reason[m->reason_len] = '\0';
    fogi_streams_close(m);
}

void
fogi_mux_fail(struct fog_mux *m, int err, const char *reason)
{
    fogi_mux_close(m, err, reason, strlen(reason), true);
}

void
fogi_mux_glitch(struct fog_mux *m)
{
    m->n.glitches++;
    if (fogi_guard_glitch(&m->guard, m->now))
        return;
    m->n.limit_glitches_hit++;
    fogi_mux_fail(m, FOG_E_ABUSE, "too many odd messages");
}

void
fog_mux_shutdown(struct fog_mux *m, const char *reason, fog_time now)
{
    m->now = now;
    fogi_mux_fail(m, FOG_E_CLOSED, reason ? reason : "");
}

void
fog_mux_ping(struct fog_mux *m, fog_time now)
{
    m->now = now;
    if (m->state == FOG_MUX_READY)
        fogi_life_ask(&m->life);
}

bool
fog_mux_is_closed(const struct fog_mux *m)
{
    return m->state == FOG_MUX_CLOSED;
}

void
fog_mux_set_extended(struct fog_mux *m)
{
    m->extended = true;
    while (!list_is_empty(&m->held))
        fogi_stream_fin(m, list_entry(m->held.next, struct fog_stream, held));
}

/* --------------------------------------------------------------------------------------- timers */

/* Writers wait although there is room, because others were due first. */
static bool
can_wake(const struct fog_mux *m)
{
    return m->sched.waiting > 0 && m->sched.room > m->framing->overhead;
}

fog_time
fog_mux_deadline(const struct fog_mux *m, enum fog_why *why)
{
    enum fog_why ignored;
    if (!why)
        why = &ignored;
    *why = FOG_WHY_NEVER;
    if (m->state == FOG_MUX_CLOSED)
        return FOG_TIME_NEVER;
    fog_time first = fogi_life_deadline(&m->life, why);
    const struct heap_node *timer = heap_first(&m->timers);
    const struct {
        fog_time at;
        enum fog_why why;
    } others[] = {
        {timer ? timer->at : FOG_TIME_NEVER, FOG_WHY_STREAM},
        {fogi_recv_deadline(m), FOG_WHY_STREAM},
        {fogi_in_deadline(m), FOG_WHY_LIMIT},
        {list_is_empty(&m->patient) ? FOG_TIME_NEVER : m->patient_by, FOG_WHY_OUTPUT},
        {can_wake(m) ? m->now : FOG_TIME_NEVER, FOG_WHY_OUTPUT},
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (others[i].at < first) {
            first = others[i].at;
            *why = others[i].why;
        }
    }
    return first;
}

static void
tick_life(struct fog_mux *m)
{
    unsigned due = fogi_life_tick(&m->life, m->now);
    if (due & LIFE_SUSPECT) {
        m->n.pings_missed++;
        if (!m->life.suspected)
            m->event_bits |= EV_SUSPECT;
        m->life.suspected = true;
    }
    if (due & LIFE_HANDSHAKE) {
        static const char text[] = "handshake timed out";
        m->n.limit_handshake_hit++;
        fogi_mux_close(m, FOG_E_HANDSHAKE, text, sizeof text - 1, m->o.role == FOG_CLIENT);
    } else if (due & LIFE_FRAME) {
        m->n.limit_frame_time_hit++;
        fogi_mux_fail(m, FOG_E_PROTOCOL, "frame was not completed in time");
    } else if (due & LIFE_IDLE) {
        m->n.limit_idle_hit++;
        fogi_mux_fail(m, FOG_E_DEAD, "keepalive response timeout");
    }
}

/* Input may go on: whoever holds the rest of it offers it again now. */
static void
tick_input(struct fog_mux *m)
{
    if (fogi_in_deadline(m) > m->now || !fogi_in_resume(m) || m->state == FOG_MUX_CLOSED)
        return;
    m->in.blocked = m->life.deaf = false;
    fogi_life_input(&m->life, m->now);
}

void
fog_mux_tick(struct fog_mux *m, fog_time now)
{
    m->now = now;
    if (m->state == FOG_MUX_CLOSED)
        return;
    tick_life(m);
    if (m->state == FOG_MUX_CLOSED)
        return;
    fogi_recv_tick(m);
    fogi_streams_tick(m);
    if (m->patient_by <= m->now)
        fogi_streams_hurry(m);
    tick_input(m);
    if (m->state != FOG_MUX_CLOSED && can_wake(m))
        fog_mux_room(m, m->sched.room, now);
}

/* ---------------------------------------------------------------------------- events and status */

struct told {
    uint8_t bit;
    enum fog_event_type type;
};

static uint8_t
first_bit(uint8_t bits)
{
    return bits & (uint8_t)-bits;
}

static bool
tunnel_event(struct fog_mux *m, struct fog_event *ev)
{
    static const struct told order[] = {{EV_READY, FOG_EV_READY},
                                        {EV_SUSPECT, FOG_EV_SUSPECT},
                                        {EV_WORN, FOG_EV_WORN},
                                        {EV_CLOSED, FOG_EV_CLOSED}};
    uint8_t bit = first_bit(m->event_bits);
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        if (bit == order[i].bit)
            ev->type = order[i].type;
    }
    m->event_bits &= (uint8_t)~bit;
    if (ev->type == FOG_EV_CLOSED) {
        ev->err = m->close_err;
        ev->reason = m->reason;
    }
    return true;
}

static bool
stream_event(struct fog_stream *st, struct fog_event *ev)
{
    static const struct told order[] = {{EV_OPENED, FOG_EV_OPENED},
                                        {EV_ESTABLISHED, FOG_EV_ESTABLISHED},
                                        {EV_READABLE, FOG_EV_READABLE},
                                        {EV_WRITABLE, FOG_EV_WRITABLE},
                                        {EV_RESET, FOG_EV_RESET}};
    uint8_t bit = first_bit(st->event_bits);
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        if (bit == order[i].bit)
            ev->type = order[i].type;
    }
    ev->stream = st;
    ev->err = bit == EV_RESET ? st->err : 0;
    st->event_bits &= (uint8_t)~bit;
    if (st->event_bits == 0)
        list_unlink(&st->event);
    return true;
}

bool
fog_mux_event(struct fog_mux *m, struct fog_event *ev)
{
    *ev = (struct fog_event){0};
    if (m->event_bits)
        return tunnel_event(m, ev);
    if (list_is_empty(&m->events))
        return false;
    return stream_event(list_entry(m->events.next, struct fog_stream, event), ev);
}

void
fog_mux_status(const struct fog_mux *m, struct fog_mux_status *st)
{
    *st = (struct fog_mux_status){.state = (enum fog_mux_state)m->state,
                                  .extended = m->extended,
                                  .streams = m->n_streams,
                                  .waiting = m->sched.waiting,
                                  .recv_held = m->recv_held,
                                  .last_input = m->life.last_input,
                                  .held = m->mem.held,
                                  .n = m->n};
}
