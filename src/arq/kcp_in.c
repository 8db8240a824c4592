/* SPDX-License-Identifier: MIT
 *
 * kcp_in.c - what a datagram does to the engine. First everything is checked and everything it
 * needs is set aside, then it is applied: whole, or not at all. The order within a datagram is:
 * proof of a lost session, ACKs, una, window, PUSHes and the rest.
 */
#include "arq/kcp_int.h"
#include "arq/sack.h"

#include <string.h>

/* A peer of our kind is answered once so many PUSHes wait, or after a part of a round trip. */
#define BATCH 16
#define BATCH_RTTS 32
#define BATCH_WAIT FOG_MS(4)
#define BATCH_LEAST 500 /* us: an answer of the application may come so soon and take it along */
#define BATCH_WAIT_FIRST FOG_MS(1)
#define BATCH_FIRST 256 /* segments */

#define FORGOTTEN_MOST 64 /* transmissions */

/* What copies of tails may cost: a share of what is delivered, or a few segments per round trip. */
#define FAVOUR_PER_CENT 3
#define FAVOUR_SEGS 16

/* How hellos of our kind begin, and from which version on they know sack.h. */
#define KIN_NAME 3
#define KIN_VERSION 1

/* The newest una in a datagram, and the window told with it. */
struct told {
    uint32_t una, wnd;
};

/* Counts a rejected datagram. */
static int
reject(struct kcp *k, int err, size_t len)
{
    if (len > FOG_DATAGRAM_MAX)
        k->n.limit_datagram_hit++;
    else if (err == FOG_E_LIMIT)
        k->n.limit_segments_hit++;
    else if (err == FOG_E_CONV)
        k->n.bad_conv++;
    else
        k->n.bad_format++;
    return err == FOG_E_CONV ? FOG_E_CONV : FOG_E_FORMAT;
}

/* Checks una of every segment: at most snd_nxt, and not before the first segment ever sent. An una
 * older than the newest is normal: datagrams overtake each other. */
static bool
una_is_possible(const struct kcp *k, const struct seg *segs, unsigned n)
{
    uint64_t most = k->n_first < INT32_MAX ? k->n_first : INT32_MAX;
    for (unsigned i = 0; i < n; i++) {
        if (k->snd.next - segs[i].una > most)
            return false;
    }
    return true;
}

/* The same of a transmission that the log has forgotten since: a copy may well be answered by who
 * never had the session. Only the last few count, so that their stamps cannot be guessed. */
static bool
forgotten_proves(const struct kcp *k, const struct seg *s)
{
    uint32_t number = txlog_number(&k->log, s->ts);
    return seq_in(s->sn, k->snd.next - FORGOTTEN_MOST, k->snd.next) &&
           seq_in(number, k->gone_from, k->live_from) && k->live_from - number <= FORGOTTEN_MOST &&
           seq_lt(s->una, k->gone_una);
}

/* A receiver that answers a transmission which left after its una was known cannot say a lower una,
 * unless it has lost its state. Blind senders cannot name the stamp. */
static bool
proves_restart(const struct kcp *k, const struct seg *segs, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (segs[i].cmd != SEG_ACK && segs[i].cmd != SEG_WINS)
            continue;
        const struct tx *t = fogi_txlog_find(&k->log, segs[i].ts, segs[i].sn);
        if (!t && k->n.probes_out > 0 && segs[i].sn == k->asked.sn && segs[i].ts == k->asked_ts)
            t = &k->asked;
        if (t ? seq_lt(segs[i].una, t->una) : forgotten_proves(k, &segs[i]))
            return true;
    }
    return false;
}

static void
prove(struct kcp *k)
{
    if (k->validated)
        return;
    k->validated = true;
    k->loss.sparing = false;
    k->rcv.most = k->o.rcv_wnd;
    k->rcv.most_bytes = RCV_BYTES;
    kcp_event(k, FOG_ARQ_VALIDATED);
}

/* The peer has acknowledged something, and has proven itself where it must. */
static void
answered(struct kcp *k, fog_time now)
{
    if (!k->hello.armed)
        fogi_hello_arm(&k->hello, k->rtt.rto_us, now);
}

/* Congestion control hears what became of first transmissions only: those are always told. */
static void
tell_outcome(struct kcp *k, const struct tx *t)
{
    if (t->first && t->calm && kcp_outcomes_count(k))
        k->cc.ops->outcome(&k->cc, false);
}

/* A transmission that was given up because later ones had arrived came after all. */
static void
was_late(struct kcp *k, const struct tx *t, fog_time took)
{
    k->n.late++;
    fogi_loss_late(&k->loss, took);
    if (t->first && t->calm)
        k->cc.ops->spurious(&k->cc);
}

/* Transmission `number` has arrived. */
static void
path_carried(struct kcp *k, uint32_t number)
{
    if (fogi_size_arrived(&k->size, number))
        fogi_kcp_resize(k);
}

/* The segment sn arrived, by the transmission t as far as known; none of its transmissions is
 * waited for any more. */
static void
segment_arrived(struct kcp *k, uint32_t sn, const struct tx *t, fog_time now)
{
    const struct snd_seg *g = snd_at(&k->snd, sn);
    size_t bytes = g->len + (size_t)FOG_KCP_HEADER;
    if (txlog_has(&k->log, g->tx)) {
        struct tx *last = txlog_at(&k->log, g->tx);
        if (last->state == TX_OUT) {
            if (g->sends == 1)
                tell_outcome(k, last);
            fogi_txlog_resolve(&k->log, last, TX_DONE);
        }
        if (!t && g->sends == 1 && last->state == TX_LOST && last->by_order)
            was_late(k, last, now - last->sent_at);
        if (!t && g->sends == 1) {
            t = last;
            path_carried(k, g->tx);
            if (k->rtt.srtt_us == 0) /* its ACK was lost: better too long than unknown */
                fogi_rtt_sample(&k->rtt, now - t->sent_at);
        }
    }
    fogi_size_gone(&k->size, sn, now);
    if (t)
        fogi_cc_segment(&k->cc, t->first);
    fogi_rate_arrived(&k->rate, &k->sample, t, bytes, now);
    answered(k, now);
    fogi_snd_ack(&k->snd, &k->mem, sn);
}

/* What a transmission's own ACK says about the path. */
static void
take_rtt(struct kcp *k, const struct tx *t, fog_time now)
{
    fog_time rtt = now - t->sent_at;
    fogi_rtt_sample(&k->rtt, rtt);
    if (t->state == TX_LOST && t->by_order)
        was_late(k, t, rtt);
    if (t->sent_at >= k->latest_at && rtt <= RTT_SAMPLE_MAX) {
        k->latest_at = t->sent_at;
        k->latest_rtt = rtt > 0 ? rtt : 1;
    }
}

/* True when it names a transmission of ours. */
static bool
on_ack(struct kcp *k, const struct seg *s, fog_time now)
{
    k->n.acks_in++;
    bool open = seq_in(s->sn, k->snd.una, k->snd.next);
    struct tx *t = fogi_txlog_find(&k->log, s->ts, s->sn);
    k->n.stale_acks += !open || snd_at(&k->snd, s->sn)->state == SND_ACKED;
    if (!t) {
        k->n.forged_acks += open;
        return false;
    }
    if (t->state == TX_ACKED || (!open && k->o.cc == FOG_CC_CLASSIC))
        return true;
    bool known = !open || snd_at(&k->snd, s->sn)->state == SND_ACKED;
    take_rtt(k, t, now);
    if (t->state == TX_OUT)
        tell_outcome(k, t);
    fogi_txlog_resolve(&k->log, t, TX_ACKED);
    fogi_loss_acked(&k->loss, txlog_number(&k->log, s->ts));
    path_carried(k, txlog_number(&k->log, s->ts));
    prove(k);
    if (!known)
        segment_arrived(k, s->sn, t, now);
    return true;
}

/* The map of a peer of our kind: as una, but beyond the first hole. It counts only beside an ACK
 * that names one of our stamps, so that nobody else can draw it. */
static void
on_map(struct kcp *k, const struct seg *s, fog_time now)
{
    struct sack_reader map;
    uint32_t sn;
    if (!k->validated || !fogi_sack_open(&map, s->data, s->len))
        return;
    k->mapped = true;
    while (fogi_sack_next(&map, &sn)) {
        if (!seq_in(sn, k->snd.una, k->snd.next))
            continue;
        const struct snd_seg *g = snd_at(&k->snd, sn);
        if (g->state == SND_ACKED)
            continue;
        if (g->sends == 1)
            fogi_loss_acked(&k->loss, g->tx);
        segment_arrived(k, sn, NULL, now);
    }
}

/* A peer that is to prove itself says that our first segment arrived, but its ACK, whose stamp
 * would be the proof, was lost. Sending the segment again asks for another; not for each datagram
 * of a burst, though. */
static void
ask_for_proof(struct kcp *k, uint32_t una, fog_time now)
{
    if (!seq_lt(k->snd.una, una))
        return;
    uint32_t number = snd_at(&k->snd, k->snd.una)->tx;
    if (!txlog_has(&k->log, number))
        return;
    struct tx *t = txlog_at(&k->log, number);
    if (t->state != TX_OUT || now - t->sent_at < k->o.rto_min_us)
        return;
    fogi_txlog_resolve(&k->log, t, TX_LOST);
    fogi_snd_lose(&k->snd, k->snd.una);
    k->n.lost++;
}

/* Everything before una arrived. A segment sent once tells which transmission did; of one sent more
 * often that is not known. */
static void
on_una(struct kcp *k, uint32_t una, fog_time now)
{
    if (!k->validated) {
        ask_for_proof(k, una, now);
        return;
    }
    if (seq_lt(una, k->peer_una))
        return;
    if (una != k->peer_una)
        fogi_probe_progress(&k->probe, now);
    k->peer_una = una;
    while (seq_lt(k->snd.una, una)) {
        const struct snd_seg *g = snd_at(&k->snd, k->snd.una);
        if (g->sends == 1)
            fogi_loss_acked(&k->loss, g->tx);
        else
            fogi_loss_progress(&k->loss);
        segment_arrived(k, k->snd.una, NULL, now);
    }
}

static void
on_push(struct kcp *k, const struct seg *s, const struct rcv_stage *st)
{
    bool unlisted, fills = seq_lt(s->sn, k->rcv.top - RCV_NEAR), next = s->sn == k->rcv.next;
    enum rcv_verdict v = fogi_rcv_put(&k->rcv, &k->acks, &k->mem, s, st, &unlisted);
    k->n.segments_in++;
    k->n.duplicates += v == RCV_OLD || v == RCV_EARLY;
    k->n.limit_window_hit += v == RCV_BEYOND;
    k->n.limit_empty_hit += v == RCV_EMPTY;
    k->n.limit_acks_hit += unlisted;
    if (v == RCV_NEW) {
        k->n.ahead += !next;
        if (k->rcv.kin && fills)
            fogi_fills_add(&k->fills, s->sn);
        fogi_reopen_stop(&k->reopen);
        kcp_count(k, &k->n_taken);
    }
    k->acks_for += s->len <= RCV_SMALL ? 1 : s->len / RCV_SMALL;
}

/* The peer's hello came: it may be of our kind. */
static void
on_hello(struct kcp *k)
{
    const struct hello *h = &k->hello;
    kcp_event(k, FOG_ARQ_HELLO);
    if (h->mine_len > KIN_NAME && h->theirs_len > KIN_NAME &&
        memcmp(h->mine, h->theirs, KIN_NAME) == 0 && h->theirs[KIN_NAME] >= KIN_VERSION)
        k->rcv.kin = true;
}

/* When what has just come is to be answered. */
static void
plan_acks(struct kcp *k, bool waited, fog_time now)
{
    if (!k->rcv.kin || k->acks_for >= BATCH) {
        k->acks_due = now;
        return;
    }
    if (waited || !acks_waiting(&k->acks))
        return;
    /* Who only listens may never learn the round trip. */
    fog_time unknown = k->n_taken < BATCH_FIRST ? BATCH_WAIT_FIRST : BATCH_WAIT;
    fog_time wait = k->rtt.srtt_us ? k->rtt.srtt_us / BATCH_RTTS : unknown;
    k->acks_due = now + (wait < BATCH_WAIT ? wait > BATCH_LEAST ? wait : BATCH_LEAST : BATCH_WAIT);
}

/* Hands what the acknowledgements of a datagram said to congestion control. False: nothing. */
static bool
tell_cc(struct kcp *k, fog_time now)
{
    if (k->latest_rtt > 0) {
        fog_time spread = 4 * k->rtt.rttvar_us;
        fog_time slack = spread > k->rtt.slack_us ? spread : k->rtt.slack_us;
        fogi_loss_rtt(&k->loss, k->rtt.srtt_us, k->latest_rtt, slack);
    }
    fogi_rate_finish(&k->rate, &k->sample);
    if (!k->sample.valid)
        return false;
    struct cc_ack a = {
        .now = now,
        .rtt_us = k->latest_rtt,
        .delivered = k->rate.delivered,
        .prior = k->sample.prior,
        .bytes_per_s = k->sample.bytes_per_s,
        .limited = k->sample.limited,
        .out = k->log.out_bytes,
    };
    k->cc.ops->acked(&k->cc, &a);
    if (k->rtt.srtt_us > 0) {
        uint64_t share = k->sample.bytes_per_s / 100 * FAVOUR_PER_CENT;
        uint64_t few = (uint64_t)FAVOUR_SEGS * k->o.mtu * 1000000 / (uint64_t)k->rtt.srtt_us;
        fogi_copies_allow(&k->copies, share > few ? share : few, FAVOUR_SEGS * k->o.mtu, now);
    }
    return true;
}

/* The acknowledgements of a datagram, and its window unless a newer datagram has overtaken it. */
static void
apply_told(struct kcp *k, const struct seg *segs, unsigned n, fog_time now)
{
    fog_time srtt = k->rtt.srtt_us;
    struct told told = {segs[0].una, segs[0].wnd};
    bool named = false;
    for (unsigned i = 0; i < n; i++) {
        if (segs[i].cmd == SEG_ACK)
            named |= on_ack(k, &segs[i], now);
        if (segs[i].cmd == SEG_WINS && named)
            on_map(k, &segs[i], now);
        if (seq_le(told.una, segs[i].una))
            told = (struct told){segs[i].una, segs[i].wnd};
    }
    bool newest = seq_le(k->peer_una, told.una);
    on_una(k, told.una, now);
    if (!newest)
        told.wnd = k->cc.peer_wnd;
    bool changed = told.wnd != k->cc.peer_wnd || srtt != k->rtt.srtt_us;
    k->cc.peer_wnd = told.wnd;
    k->cc.srtt_us = k->rtt.srtt_us;
    changed |= tell_cc(k, now);
    if (changed)
        fogi_pace_set(&k->pace, k->cc.ops->rate(&k->cc), now);
}

/* What a datagram brings: data, questions, a hello. */
static void
apply_brought(struct kcp *k, const struct seg *segs, unsigned n,
              const struct rcv_stage st[FOG_SEGMENTS_MAX], fog_time now)
{
    bool waited = acks_waiting(&k->acks), greeted = false;
    for (unsigned i = 0; i < n; i++) {
        if (segs[i].cmd == SEG_PUSH)
            on_push(k, &segs[i], &st[i]);
        else if (segs[i].cmd == SEG_WASK)
            k->wins_now = true;
        else if (segs[i].cmd == SEG_WINS && segs[i].len > 0 && segs[i].data[0] != SACK_MARK)
            greeted |= fogi_hello_received(&k->hello, segs[i].data, segs[i].len, now);
    }
    if (greeted) /* last: what was set aside for the PUSHes is for a peer of the kind it was */
        on_hello(k);
    plan_acks(k, waited, now);
    fogi_rcv_settle(&k->rcv, &k->mem);
}

int
fogi_kcp_input(struct fog_arq *a, const void *buf, size_t len, fog_time now)
{
    struct kcp *k = kcp_of(a);
    struct seg segs[FOG_SEGMENTS_MAX];
    struct rcv_stage st[FOG_SEGMENTS_MAX];
    unsigned n;
    k->now = now;
    if (k->failed)
        return FOG_E_CLOSED;
    if (len == 0)
        return FOG_OK;
    int err = fogi_seg_parse(buf, len, k->o.conv, segs, &n);
    if (err)
        return reject(k, err, len);
    if (!una_is_possible(k, segs, n)) {
        k->n.bad_una++;
        return FOG_E_FORMAT;
    }
    if (proves_restart(k, segs, n)) {
        fogi_kcp_fail(k, FOG_E_RESTARTED);
        return FOG_OK;
    }
    if (!fogi_rcv_stage(&k->rcv, &k->acks, &k->mem, segs, n, st)) {
        k->n.limit_memory_hit++;
        return FOG_E_NOMEM;
    }
    k->n.datagrams_in++;
    k->n.bytes_in += len;
    k->last_input = now;
    k->held_back = k->dark = false;
    if (k->snd.flight > 0)
        fogi_loss_heard(&k->loss);
    fogi_loss_clock(&k->loss, now);
    k->sample = (struct rate_sample){0};
    k->latest_rtt = k->latest_at = 0;
    apply_told(k, segs, n, now);
    apply_brought(k, segs, n, st, now);
    fogi_kcp_settle(k, now);
    return FOG_OK;
}
