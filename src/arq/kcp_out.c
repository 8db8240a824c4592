/* SPDX-License-Identifier: MIT
 *
 * kcp_out.c - what leaves, one datagram per call. Order: acks, questions and answers about windows,
 * hello, segments lost, segments new. Each is packed whole; what does not fit waits for the next
 * call.
 *
 * Toward a peer that has not proven its address at most three times the bytes received leave.
 */
#include "arq/kcp_int.h"
#include "arq/sack.h"

#include <string.h>

#define AMPLIFICATION 3
#define ACKS_STEADY 4 /* PUSHes answered at once: data comes as a steady stream */
/* Parts of a round trip after which a copy leaves, and the random loss from which tails have one,
 * and two. */
#define REPAIR_PART 32
#define TAIL_PART 12
#define TAIL_LOSS 0.01
#define TAIL_LOSS_MANY 0.05
#define SHORT_SEGS 32          /* a short answer: no more are on their way */
#define RETRY_AFTER FOG_MS(10) /* when memory was short */

/* WASK and WINS carry an sn that nobody can have sent yet, so that they never seem to name a
 * transmission of the peer; see proves_restart() in kcp_in.c. A WASK is stamped: a peer that has
 * lost the session repeats both. */
#define SN_NOBODY(k) ((k)->rcv.next ^ 0x80000000u)

/* The datagram being written. */
struct writer {
    uint8_t *buf;
    size_t len, room;
    unsigned segs;
    size_t payload; /* bytes of PUSH payload in it */
    size_t copied;  /* ... of which copies; they are not paced */
};

static bool
fits(const struct writer *w, size_t payload)
{
    return w->segs < FOG_SEGMENTS_MAX && w->room - w->len >= FOG_KCP_HEADER + payload;
}

/* Where the payload of the next segment goes. */
static uint8_t *
payload_at(const struct writer *w)
{
    return w->buf + w->len + FOG_KCP_HEADER;
}

/* Ends a segment whose payload is in place already. */
static void
put(struct kcp *k, struct writer *w, enum seg_cmd cmd, uint32_t sn, uint32_t ts, size_t len)
{
    struct seg s = {
        .conv = k->o.conv,
        .cmd = (uint8_t)cmd,
        .wnd = (uint16_t)rcv_window(&k->rcv),
        .ts = ts,
        .sn = sn,
        .una = k->rcv.next,
        .len = (uint16_t)len,
    };
    fogi_seg_put(w->buf + w->len, &s);
    w->len += FOG_KCP_HEADER + len;
    w->segs++;
}

/* The map leaves in the datagram of the newest ACK; a datagram without room for both ends before.
 */
static void
put_map(struct kcp *k, struct writer *w, bool steady)
{
    if (!k->rcv.kin || !fits(w, SACK_MAX))
        return;
    size_t others = steady ? SACK_OTHERS : SACK_MOST;
    size_t len = fogi_sack_put(&k->rcv, &k->fills, others, &k->sack_from, payload_at(w));
    if (len > 0)
        put(k, w, SEG_WINS, SN_NOBODY(k), 0, len);
}

static void
put_acks(struct kcp *k, struct writer *w, fog_time now)
{
    struct ack ack;
    bool company = kcp_data_waits(k) && fogi_pace_may(&k->pace, now);
    if (!acks_waiting(&k->acks) || (!kcp_acks_due(k, now) && !company))
        return;
    bool steady = k->acks_for >= ACKS_STEADY;
    k->acks_for = 0;
    while (fits(w, 0) && fogi_acks_next(&k->acks, &k->mem, k->rcv.next, &ack)) {
        put(k, w, SEG_ACK, ack.sn, ack.ts, 0);
        fogi_rcv_acked(&k->rcv, ack.sn);
        k->n.acks_out++;
    }
    put_map(k, w, steady);
}

static void
put_windows(struct kcp *k, struct writer *w, fog_time now)
{
    if (k->probe.ask && fits(w, 0)) {
        k->asked = (struct tx){.sent_at = now, .sn = SN_NOBODY(k), .una = k->peer_una};
        k->asked_ts = txlog_stamp(&k->log, k->log.next);
        put(k, w, SEG_WASK, k->asked.sn, k->asked_ts, 0);
        k->probe.ask = false;
        k->n.probes_out++;
    }
    if ((k->wins_now || now >= fogi_reopen_deadline(&k->reopen)) && fits(w, 0)) {
        put(k, w, SEG_WINS, SN_NOBODY(k), 0, 0);
        k->wins_now = false;
        fogi_reopen_sent(&k->reopen, now);
        k->n.windows_out++;
    }
}

/* Called last, so that it knows whether the datagram leaves anyway; wanted() is cheap. */
static void
put_hello(struct kcp *k, struct writer *w, bool company, fog_time now)
{
    size_t len = k->hello.mine_len;
    if (!fogi_hello_wanted(&k->hello, company, now) || !fits(w, len))
        return;
    memcpy(payload_at(w), k->hello.mine, len);
    put(k, w, SEG_WINS, SN_NOBODY(k), 0, len);
    fogi_hello_sent(&k->hello, k->rtt.rto_us, now);
    k->n.windows_out++;
}

/* Room in the log for one more transmission. Those sent two timeouts ago may go: hardly any ACK is
 * that late. */
static bool
log_room(struct kcp *k, fog_time now)
{
    fog_time old = now - 2 * k->rtt.rto_us;
    if (fogi_txlog_room(&k->log, &k->mem, k->loss.head, old))
        return true;
    if (k->log.cap < k->log.max || txlog_at(&k->log, k->loss.head)->state != TX_OUT)
        return false;
    /* As many left in vain as the log holds: probes, on a link that has been dark for long. */
    fogi_txlog_resolve(&k->log, txlog_at(&k->log, k->loss.head), TX_LOST);
    fogi_kcp_lost(k, k->loss.head++);
    return fogi_txlog_room(&k->log, &k->mem, k->loss.head, old);
}

/* Room to note one more transmission, and one more segment if it is new; else a later try. */
static bool
may_note(struct kcp *k, bool new_segment, fog_time now)
{
    if (log_room(k, now) && (!new_segment || fogi_snd_room(&k->snd, &k->mem)))
        return true;
    k->retry_at = now + RETRY_AFTER;
    return false;
}

/* Logs the transmission of sn and ends its segment. */
static void
put_push(struct kcp *k, struct writer *w, uint32_t sn, fog_time now)
{
    struct snd_seg *g = snd_at(&k->snd, sn);
    size_t out = k->log.out_bytes;
    g->tx = fogi_txlog_add(&k->log, sn, k->peer_una, now);
    struct tx *t = txlog_at(&k->log, g->tx);
    t->first = g->sends == 1;
    t->calm = k->cc.ops->calm(&k->cc);
    txlog_weigh(&k->log, t, FOG_KCP_HEADER + (size_t)g->len);
    fogi_rate_sent(&k->rate, t, out, now);
    put(k, w, SEG_PUSH, sn, txlog_stamp(&k->log, g->tx), g->len);
    w->payload += g->len;
    k->n.segments_out++;
}

/* A segment lost once more holds back all behind it for another round trip. Where the window has no
 * room for that, its repair leaves in two copies. */
static void
copy_repair(struct kcp *k, uint32_t sn, fog_time now)
{
    fog_time later = k->rtt.srtt_us / REPAIR_PART;
    uint32_t behind = snd_span(&k->snd) + (uint32_t)(k->log.out_bytes / k->o.mtu);
    if (k->o.cc == FOG_CC_MODEL && k->validated && k->loss.backoff == 0 && behind > cc_span(&k->cc))
        fogi_copies_add(&k->copies, sn, snd_at(&k->snd, sn)->tx, now + later);
}

/* Whether sn, not sent more often than the losses seen call for, is worth a copy. */
static void
copy_favoured(struct kcp *k, uint32_t sn, fog_time now)
{
    const struct snd_seg *g = snd_at(&k->snd, sn);
    double p = cc_seen_loss(&k->cc);
    unsigned most = p > TAIL_LOSS_MANY ? 2 : p > TAIL_LOSS ? 1 : 0;
    if (k->o.cc == FOG_CC_CLASSIC || k->loss.backoff > 0 || g->sends > most)
        return;
    if (bucket_take(&k->copies.favour, FOG_KCP_HEADER + (uint32_t)g->len, now))
        fogi_copies_add(&k->copies, sn, g->tx, now + k->rtt.srtt_us / TAIL_PART);
}

/* Whether what left since there was last nothing to say is short enough to leave again whole. */
static bool
said_little(const struct kcp *k)
{
    return k->o.cc == FOG_CC_MODEL && k->copies.at_leisure && k->snd.flight <= SHORT_SEGS &&
           cc_fits_twice(&k->cc, k->log.out_bytes);
}

/* The newest segment is the last that there is to say for now. Nothing follows it that could tell
 * its loss soon; and of a short answer each segment that is lost holds up the whole for a round
 * trip. Where some are lost they leave again, and once more where many are. */
static void
copy_tail(struct kcp *k, fog_time now)
{
    uint32_t said = k->copies.said;
    uint32_t from = k->snd.next - said < snd_span(&k->snd) ? said : k->snd.una;
    if (k->snd.n_lost > 0 || snd_queued(&k->snd) > 0)
        return;
    k->copies.said = k->snd.next;
    if (!said_little(k))
        from = k->snd.next - 1;
    uint32_t most = copies_affordable(&k->copies, k->o.mtu);
    if (k->snd.next - from > most) /* the last one before all others */
        from = k->snd.next - (most > 0 ? most : 1);
    for (uint32_t sn = from; sn != k->snd.next; sn++)
        if (snd_at(&k->snd, sn)->state == SND_FLYING)
            copy_favoured(k, sn, now);
}

/* Copies that are due, unless their segment has arrived or was sent again meanwhile. They do not
 * wait for the pacer: few leave, and late ones are no use. */
static void
put_copies(struct kcp *k, struct writer *w, fog_time now)
{
    struct copy c;
    while (now >= fogi_copies_deadline(&k->copies) && fits(w, k->mss)) {
        if (!fogi_copies_next(&k->copies, &c, now) || !seq_in(c.sn, k->snd.una, k->snd.next))
            continue;
        const struct snd_seg *g = snd_at(&k->snd, c.sn);
        if (g->state != SND_FLYING || g->tx != c.tx || !fits(w, g->len) || !log_room(k, now))
            continue;
        fogi_snd_copy(&k->snd, c.sn, payload_at(w));
        put_push(k, w, c.sn, now);
        w->copied += g->len;
        k->n.redundant++;
        if (c.sn + 1 == k->snd.next || said_little(k))
            copy_favoured(k, c.sn, now);
    }
}

static void
put_lost(struct kcp *k, struct writer *w, fog_time now)
{
    while (kcp_lost_waits(k) && fits(w, snd_at(&k->snd, k->snd.lost_first)->len)) {
        if (!may_note(k, false, now))
            return;
        uint32_t sn = fogi_snd_again(&k->snd, payload_at(w));
        put_push(k, w, sn, now);
        k->n.resent++;
        if (k->probes_left > 0)
            k->probes_left--;
        copy_repair(k, sn, now);
    }
}

/* How long the next new segment is, 0 when none fits. A segment takes a slot of the peer's window
 * whatever its length, so a full one is cut shorter by a quarter at most to fill a datagram. */
static size_t
new_len(const struct kcp *k, const struct writer *w)
{
    size_t want = snd_queued(&k->snd);
    if (want > k->mss)
        want = k->mss;
    if (want == 0 || fits(w, want))
        return want;
    size_t least = k->mss - k->mss / 4;
    return want > least && fits(w, least) ? w->room - w->len - FOG_KCP_HEADER : 0;
}

static void
put_new(struct kcp *k, struct writer *w, fog_time now)
{
    size_t len;
    while (kcp_window_free(k) > 0 && kcp_room(k) > 0 && (len = new_len(k, w)) > 0) {
        if (!may_note(k, true, now))
            return;
        if (k->snd.flight == 0)
            k->waiting_since = now;
        if (k->copies.said == k->snd.next)
            k->copies.at_leisure = pace_at_leisure(&k->pace);
        uint32_t sn = fogi_snd_cut(&k->snd, payload_at(w), (uint16_t)len);
        put_push(k, w, sn, now);
        copy_tail(k, now);
        kcp_count(k, &k->n_first);
    }
}

/* Fills the datagram up where its newest segment is to ask the path for a larger size. Whoever
 * speaks KCP skips the payload of a WINS. More has to wait behind it: small talk gains nothing by
 * large datagrams, and what follows tells soon when this one is lost. */
static void
put_padding(struct kcp *k, struct writer *w, fog_time now)
{
    size_t want = k->size.large, least = w->len + FOG_KCP_HEADER;
    if (w->payload == w->copied || !size_asks(&k->size, now) || k->loss.backoff > 0 ||
        snd_queued(&k->snd) == 0 || !txlog_at(&k->log, k->log.next - 1)->first)
        return;
    if (want <= least + FOG_HELLO_MAX || w->segs >= FOG_SEGMENTS_MAX)
        return;
    w->room = want;
    memset(payload_at(w), 0, want - least);
    put(k, w, SEG_WINS, SN_NOBODY(k), 0, want - least);
    fogi_size_asked(&k->size, k->log.next - 1, k->snd.next - 1);
}

static void
put_data(struct kcp *k, struct writer *w, fog_time now)
{
    if (now < k->retry_at || !fogi_pace_may(&k->pace, now))
        return;
    k->retry_at = 0;
    put_lost(k, w, now);
    if (k->snd.n_lost == 0)
        put_new(k, w, now);
}

static bool
anything_waits(const struct kcp *k, fog_time now)
{
    return kcp_acks_due(k, now) || k->wins_now || k->probe.ask || kcp_data_waits(k) ||
           now >= fogi_reopen_deadline(&k->reopen) || now >= fogi_hello_deadline(&k->hello);
}

/* Bytes of the next datagram: the mtu, less where the 3x rule says so, more for what was cut when
 * the mtu was larger. */
static size_t
room_of(const struct kcp *k)
{
    if (k->snd.n_lost > 0) {
        size_t first = FOG_KCP_HEADER + (size_t)snd_at(&k->snd, k->snd.lost_first)->len;
        if (first > k->o.mtu)
            return first;
    }
    if (k->validated)
        return k->o.mtu;
    uint64_t may = AMPLIFICATION * k->n.bytes_in - k->n.bytes_out;
    return may < k->o.mtu ? (size_t)may : k->o.mtu;
}

/* Books a datagram that leaves. */
static void
sent(struct kcp *k, const struct writer *w, fog_time now)
{
    k->n.datagrams_out++;
    k->n.bytes_out += w->len;
    fogi_reopen_told(&k->reopen, rcv_window(&k->rcv));
    if (w->payload <= w->copied)
        return;
    size_t paced = w->len - w->copied; /* padding, and what was cut large, is not */
    fogi_pace_sent(&k->pace, (paced < k->o.mtu ? paced : k->o.mtu) + kcp_headers(k), now);
}

int
fogi_kcp_output(struct fog_arq *a, void *buf, size_t cap, size_t *len, fog_time now)
{
    struct kcp *k = kcp_of(a);
    *len = 0;
    if (cap < k->o.mtu || cap < k->o.mtu_most)
        return FOG_E_USAGE;
    k->now = now;
    if (k->failed || k->held_back)
        return FOG_OK;
    struct writer w = {.buf = buf, .room = room_of(k)};
    put_acks(k, &w, now);
    put_windows(k, &w, now);
    put_hello(k, &w, w.len > 0 || kcp_data_waits(k), now);
    put_copies(k, &w, now);
    put_data(k, &w, now);
    put_padding(k, &w, now);
    if (w.len > 0) {
        sent(k, &w, now);
    } else if (w.room < k->o.mtu && k->retry_at == 0 && anything_waits(k, now)) {
        k->held_back = true;
        k->n.limit_amplification_hit++;
    }
    if (w.payload && k->snd.n_lost == 0 && kcp_room(k) > 0 &&
        (snd_queued(&k->snd) == 0 || k->loss.backoff > 0 || kcp_window_free(k) == 0))
        fogi_rate_idle(&k->rate, k->log.out_bytes);
    if (bytes_len(&k->snd.q) == 0)
        fogi_bytes_consume(&k->snd.q, &k->mem, 0); /* a page reserved but never filled */
    fogi_kcp_settle(k, now);
    *len = w.len;
    return FOG_OK;
}
