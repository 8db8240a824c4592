/* SPDX-License-Identifier: MIT
 *
 * sim_check.c - what must hold whatever happens, and what may be held against nobody. Every end of
 * a stream or session needs a cause that the world knows of.
 */
#include "sim.h"

#include <string.h>

/* ---------------------------------------------------------------------------------- the bytes */

static uint64_t
word(uint64_t key, uint64_t i)
{
    struct rng r = {key + i * 0x9e3779b97f4a7c15u};
    return rng_next(&r);
}

/** Bytes are a function of stream, direction and offset. With runs they can be compressed. */
void
sim_fill(uint64_t key, bool runs, uint32_t offset, uint8_t *out, size_t len)
{
    for (size_t i = 0; i < len;) {
        uint64_t at = offset + i, v = runs ? word(key, at / 64) & 0xff : word(key, at / 8);
        size_t unit = runs ? 64 : 8, from = at % unit, n = unit - from;
        n = n < len - i ? n : len - i;
        if (runs)
            memset(out + i, (int)v, n);
        else
            for (size_t k = 0; k < n; k++)
                out[i + k] = (uint8_t)(v >> (8 * (from + k)));
        i += n;
    }
}

static struct world *
world_of(const struct end *e)
{
    return e->tunnel->host->w;
}

void
sim_check_bytes(struct end *e, const uint8_t *buf, size_t len)
{
    const struct end *o = sim_flow_other(e);
    struct flow *f = e->flow;
    const char *side = sim_flow_side(e) ? "far" : "near";
    if (e->received + len > o->sent) {
        sim_fail(world_of(e), "flow %d %s end: byte %zu of %u sent", f->number, side,
                 e->received + len, o->sent);
        return;
    }
    uint8_t want[512];
    for (size_t i = 0, n; i < len; i += n) {
        n = len - i < sizeof want ? len - i : sizeof want;
        sim_fill(f->key + (uint64_t)!sim_flow_side(e), f->plan->compressible,
                 e->received + (uint32_t)i, want, n);
        if (memcmp(want, buf + i, n) != 0) {
            sim_fail(world_of(e), "flow %d %s end: wrong bytes from %zu on", f->number, side,
                     e->received + i);
            return;
        }
    }
    sim_mix(world_of(e), len + (uint64_t)f->number * 65536);
}

void
sim_check_eof(struct end *e)
{
    const struct end *o = sim_flow_other(e);
    struct flow *f = e->flow;
    const char *side = sim_flow_side(e) ? "far" : "near";
    if (sim_flow_side(e) == FOG_CLIENT && f->refused && e->received == 0)
        return; /* a plain peer knows no other refusal (wire-vproxy R8) */
    if (!o->finished)
        sim_fail(world_of(e), "flow %d %s end: end of file, but the peer has not finished",
                 f->number, side);
    else if (e->received != o->sent)
        sim_fail(world_of(e), "flow %d %s end: end of file after %u of %u bytes", f->number, side,
                 e->received, o->sent);
}

/* ----------------------------------------------------------------------------------- the causes */

/** A clock has jumped further than half_closed_us. */
static bool
has_jumped_far(const struct world *w)
{
    for (int i = 0; i < w->plan->n_faults; i++) {
        const struct fault *f = &w->plan->faults[i];
        if (f->what == F_JUMP && f->at <= w->now && f->arg >= FOG_SEC(300))
            return true;
    }
    return false;
}

void
sim_check_reset(struct end *e, int err)
{
    const struct end *o = sim_flow_other(e);
    struct world *w = world_of(e);
    if (o->reset_by_us || o->state == END_CUT || e->flow->refused || w->plan->has[F_NOMEM])
        return;
    if (w->plan->has[F_TIGHT])
        return; /* slow readers are put out, and what is opened beyond the bound is refused */
    if (has_jumped_far(w))
        return; /* half-closed for longer than anybody waits */
    sim_fail(w, "flow %d (%s) %s end: reset (%s) without a cause", e->flow->number,
             e->flow->plan->name, sim_flow_side(e) ? "far" : "near", fog_err_name(err));
}

/** Did anything hide the peer for so long that a timer may have expired? */
static bool
was_hidden(const struct tunnel *t)
{
    const struct plan *p = t->host->w->plan;
    fog_time patience = p->side[FOG_CLIENT].kcp.dead_us;
    for (int side = 0; side < 2; side++) {
        const struct fog_session_options *o = &p->side[side];
        patience = o->kcp.dead_us < patience ? o->kcp.dead_us : patience;
        patience = o->mux.limits.idle_us < patience ? o->mux.limits.idle_us : patience;
    }
    if (p->has[F_BURST] && patience < FOG_SEC(60))
        return true; /* sparse retries can all fall into one run of losses */
    return t->c->trouble_us >= patience * 4 / 10;
}

void
sim_check_closed(struct tunnel *t)
{
    struct world *w = t->host->w;
    const struct plan *p = w->plan;
    struct client *c = t->c;
    bool server = t->host != &c->host;
    bool peer_gone = server ? c->left_gen >= t->gen : c->lost_gen >= t->gen;
    bool faulty = t->since < p->heal_at, known = t->drained || (p->has[F_NOMEM] && faulty);
    struct fog_session_status st;
    fog_session_status(t->s, &st);
    switch (t->err) {
    case FOG_E_PROTOCOL: /* half a frame, and its sender was gone for the frame's time */
        known |= st.mux.n.limit_frame_time_hit && (peer_gone || (faulty && was_hidden(t)));
        break;
    case FOG_E_ABUSE:
        break;
    case FOG_E_RESTARTED: /* or the server never believed it, and its patience is over */
        known |= peer_gone || (!server && c->met_gen < t->gen);
        if (!server && peer_gone && c->asked_at >= c->lost_at) {
            uint64_t took = (uint64_t)(w->now - c->asked_at);
            if (took > w->stats.worst_learn_us)
                w->stats.worst_learn_us = took;
        }
        w->stats.closed_restarted++;
        break;
    case FOG_E_HANDSHAKE:
        known |= peer_gone || faulty;
        break;
    default:
        known |= peer_gone || (faulty && was_hidden(t)) || (p->has[F_CUT] && faulty);
        w->stats.closed_dead++;
    }
    sim_note(w, "%s%d/%u closed: %s", t->host->name, c->host.number, t->gen, fog_err_text(t->err));
    if (!known)
        sim_fail(w, "%s%d/%u closed (%s) without a cause", t->host->name, c->host.number, t->gen,
                 fog_err_name(t->err));
}

/* ----------------------------------------------------------------------------------- the bounds */

void
sim_check_amplification(struct world *w, const struct truth *t, const char *who)
{
    if (!t->proven && t->out > 3 * t->in)
        sim_fail(w, "%llu bytes to the unproven address of %s that sent %llu",
                 (unsigned long long)t->out, who, (unsigned long long)t->in);
}

/** The formula of doc/testing.md: what a session may hold. */
static size_t
allowance(const struct tunnel *t, struct fog_session_status *st)
{
    const struct fog_session_options *o = &t->host->w->plan->side[t->host != &t->c->host];
    fog_session_status(t->s, st);
    size_t buffers = o->via == FOG_VIA_PIPE
                         ? 3 * o->pipe_window
                         : ((size_t)o->kcp.snd_wnd * 2 + o->kcp.rcv_wnd) * (o->kcp.mtu + 64);
    return 24 * 1024 + 1024 * (size_t)st->mux.streams + buffers + st->mux.recv_held * 2 + 96 * 1024;
}

void
sim_check_memory(struct world *w, const struct host *h)
{
    struct fog_session_status st;
    size_t may = 0;
    if (h != &w->server.host) {
        const struct client *c = &w->clients[h->number];
        if (!c->t)
            return;
        may = allowance(c->t, &st);
        if (st.held != h->mem.held)
            sim_fail(w, "c%d says that it holds %zu bytes, and holds %zu", h->number, st.held,
                     h->mem.held);
        if (st.arq.flight_segs > w->plan->side[FOG_CLIENT].kcp.snd_wnd)
            sim_fail(w, "c%d has %u segments in flight", h->number, st.arq.flight_segs);
    } else {
        uint32_t known = 0;
        for (struct list *l = w->server.tunnels.next; l != &w->server.tunnels; l = l->next) {
            may += allowance(list_entry(l, struct tunnel, all), &st);
            known++;
        }
        if (w->server.e) {
            struct fog_endpoint_status es;
            fog_endpoint_status(w->server.e, &es);
            may += 64 * 1024 + es.pending * (size_t)6 * 1024;
            may += (es.sessions - (known < es.sessions ? known : es.sessions)) * (size_t)300 * 1024;
        }
    }
    if (h->mem.held > may)
        sim_fail(w, "%s%d holds %zu bytes, at most %zu expected", h->name, h->number, h->mem.held,
                 may);
    if (h->mem.held > w->stats.peak_held)
        w->stats.peak_held = h->mem.held;
}

void
sim_check_end(struct world *w)
{
    for (int i = 0; i < w->plan->n_flows; i++) {
        const struct flow *f = &w->flows[i];
        const struct end *c = &f->end[FOG_CLIENT], *s = &f->end[FOG_SERVER];
        if (f->plan->done_by && f->done_at > f->plan->done_by)
            sim_fail(w, "flow %d (%s) was done at %.3f s only", i, f->plan->name,
                     (double)f->done_at / 1e6);
        if (c->st || s->st || s->state == END_OPEN)
            sim_fail(w, "flow %d still has an end", i);
        if (c->state == END_DONE && s->state == END_DONE &&
            (c->received != s->sent || s->received != c->sent))
            sim_fail(w, "flow %d is done and %u/%u, %u/%u", i, s->received, c->sent, c->received,
                     s->sent);
    }
    size_t blocks = w->server.host.mem.blocks, held = w->server.host.mem.held;
    for (int i = 0; i < w->plan->clients; i++) {
        blocks += w->clients[i].host.mem.blocks;
        held += w->clients[i].host.mem.held;
    }
    if (blocks || held)
        sim_fail(w, "%zu blocks, %zu bytes were not given back", blocks, held);
}
