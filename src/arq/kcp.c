/* SPDX-License-Identifier: MIT
 *
 * kcp.c - the verbs of the KCP engine that neither read nor write datagrams. Routes, decides
 * nothing.
 */
#include "arq/kcp_int.h"

#include <assert.h>
#include <string.h>

/* May wait beyond what the window takes; and, where sends are paced, no more beyond what may leave
 * at once than leaves within a moment, or a few segments. So the choice above is made late. */
#define QUEUE_BYTES 16384
#define QUEUE_AHEAD FOG_US(2500) /* more than a program that wakes late misses */
#define QUEUE_LEAST 4096u
#define QUEUE_SEGS 4
#define QUEUE_CRUMB 1024 /* less room than this is not told: frames would become many and short */
/* Waiting and under way, all in all: more than as many small segments as the default window. */
#define SEND_BYTES ((size_t)32 << 20)
/* Segments: four round trips of 200 Mbit/s over 300 ms, as repairs of repairs need them. 30 MB,
 * when a peer makes us keep them all; they come from the memory that all sessions share. */
#define WINDOW 24576
#define BLACKOUT FOG_SEC(1)
#define SILENCE 3            /* timeouts in a row: the path may have changed */
#define ACK_DELAY FOG_MS(10) /* a vproxy peer answers at clock ticks */
/* Segments that a stranger may make us keep. More are told, so that an honest one keeps sending. */
#define STRANGER_SEGS 2
#define STRANGER_BYTES 2048

static_assert(sizeof(struct kcp) <= 2048, "an idle engine is small");

/* vproxy's parameter sets (wire-vproxy section 1.3), fast1 to fast4. */
struct fast_set {
    fog_time rto_min_us, rto_slack_us;
    uint32_t reorder_segs;
};

/* clang-format off */
static const struct fast_set fast_sets[] = {
    /*          min RTO     interval    resend */
    [1] = { FOG_MS(60), FOG_MS(30),     2 },
    [2] = { FOG_MS(30), FOG_MS(20),     2 },
    [3] = { FOG_MS(30), FOG_MS(10),     2 },
    [4] = { FOG_MS(30), FOG_MS(10),     1 },
};
/* clang-format on */

int
fog_kcp_options_fast(struct fog_kcp_options *o, int fast)
{
    if (fast < 1 || fast > 4)
        return FOG_E_USAGE;
    o->cc = FOG_CC_CLASSIC;
    o->rto_min_us = fast_sets[fast].rto_min_us;
    o->rto_slack_us = fast_sets[fast].rto_slack_us;
    o->reorder_segs = fast_sets[fast].reorder_segs;
    return FOG_OK;
}

void
fog_kcp_options_init(struct fog_kcp_options *o)
{
    *o = (struct fog_kcp_options){
        .mtu = FOG_MTU_DEFAULT,
        .snd_wnd = WINDOW,
        .rcv_wnd = WINDOW,
        .rto_min_us = fast_sets[4].rto_min_us,
        .rto_slack_us = fast_sets[4].rto_slack_us,
        .reorder_segs = fast_sets[4].reorder_segs,
        .dead_us = FOG_SEC(90),
        .zero_wnd_us = FOG_SEC(60),
        .rotate_after = UINT32_C(1) << 31,
    };
}

static bool
options_are_good(const struct fog_kcp_options *o)
{
    return o->mtu >= FOG_MTU_MIN && o->mtu <= FOG_MTU_MAX && o->mtu_most <= FOG_MTU_MAX &&
           o->snd_wnd >= 1 && o->snd_wnd <= FOG_WND_MAX && o->rcv_wnd >= 1 &&
           o->rcv_wnd <= FOG_WND_MAX && o->rto_min_us >= FOG_MS(1) &&
           o->rto_min_us <= RTT_RTO_MAX && o->rto_slack_us >= 0 && o->rto_slack_us <= RTT_RTO_MAX &&
           o->reorder_segs >= 1 && o->reorder_segs <= LOSS_REORDER_MAX && o->dead_us > 0 &&
           o->zero_wnd_us > 0 &&
           (o->cc != FOG_CC_RATE || (o->rate >= FOG_RATE_MIN && o->rate <= FOG_RATE_MAX)) &&
           o->cc <= FOG_CC_RATE && o->rotate_after >= 1 && o->hello_len <= FOG_HELLO_MAX;
}

void
fogi_kcp_fail(struct kcp *k, int err)
{
    if (k->failed)
        return;
    k->failed = true;
    k->err = err;
    kcp_event(k, FOG_ARQ_FAILED);
}

void
fogi_kcp_lost(struct kcp *k, uint32_t number)
{
    const struct tx *t = txlog_at(&k->log, number);
    k->n.lost++;
    fogi_size_lost(&k->size, number, k->now);
    if (seq_in(t->sn, k->snd.una, k->snd.next) && snd_at(&k->snd, t->sn)->tx == number)
        fogi_snd_lose(&k->snd, t->sn);
}

void
fogi_kcp_settle(struct kcp *k, fog_time now)
{
    uint32_t number;
    fogi_loss_clock(&k->loss, now);
    while (fogi_loss_next(&k->loss, &k->log, &number)) {
        const struct tx *t = txlog_at(&k->log, number);
        if (t->first && t->calm && kcp_outcomes_count(k))
            k->cc.ops->outcome(&k->cc, true);
        fogi_kcp_lost(k, number);
    }
    if (k->snd.flight == 0 && k->log.cap) {
        k->gone_from = k->live_from;
        k->gone_una = k->live_una;
        k->live_from = k->log.next;
        k->live_una = k->peer_una;
        fogi_txlog_clear(&k->log, &k->mem);
        fogi_loss_forget(&k->loss, &k->log);
    }
    bool blocked = k->cc.peer_wnd == 0 && snd_queued(&k->snd) > 0;
    k->n.zero_windows += blocked && !k->probe.on;
    fogi_probe_set(&k->probe, blocked, k->rtt.rto_us, now);
}

/* Since when an answer is waited for in silence. */
static fog_time
silent_since(const struct kcp *k)
{
    bool later = k->snd.flight > 0 && k->waiting_since > k->last_input;
    return later ? k->waiting_since : k->last_input;
}

/* When silence has lasted too long; only a side that waits for an answer minds it. */
static fog_time
dead_at(const struct kcp *k)
{
    if (k->snd.flight == 0 && k->validated)
        return FOG_TIME_NEVER;
    return silent_since(k) + k->o.dead_us;
}

/* Sends the oldest segments again, before any other, as far as they left at `until` or before: a
 * receiver that has room for any has room for these, and what answers them tells about the rest.
 * The oldest transmissions may be of segments that the receiver has no room for any more. */
static void
probe_oldest(struct kcp *k, uint32_t n, fog_time until)
{
    for (uint32_t i = n < snd_span(&k->snd) ? n : snd_span(&k->snd); i-- > 0;) {
        uint32_t sn = k->snd.una + i;
        const struct snd_seg *g = snd_at(&k->snd, sn);
        struct tx *t = txlog_has(&k->log, g->tx) ? txlog_at(&k->log, g->tx) : NULL;
        if (g->state == SND_FLYING && t && t->sent_at <= until) {
            fogi_txlog_resolve(&k->log, t, TX_LOST);
            fogi_kcp_lost(k, g->tx);
        }
        fogi_snd_urge(&k->snd, sn);
    }
}

/* Nothing was heard for too long. */
static void
on_timeout(struct kcp *k, fog_time now)
{
    if (k->loss.backoff > 0) /* one alone may be an ACK that was lost */
        k->cc.ops->timeout(&k->cc);
    if (k->loss.backoff >= SILENCE && fogi_size_silent(&k->size, now))
        fogi_kcp_resize(k);
    fogi_loss_timeout(&k->loss, k->rtt.rto_us, now);
    if (k->loss.quota == 0) {
        probe_oldest(k, LOSS_PROBES, now);
        k->probes_left = LOSS_PROBES;
    } else {
        uint32_t lost = k->snd.n_lost;
        probe_oldest(k, 1, k->loss.sent_until);
        k->loss.quota -= k->snd.n_lost - lost;
    }
}

static void
kcp_tick(struct fog_arq *a, fog_time now)
{
    struct kcp *k = kcp_of(a);
    k->now = now;
    if (k->failed)
        return;
    if (now >= dead_at(k) || now >= fogi_probe_end(&k->probe, k->o.zero_wnd_us)) {
        fogi_kcp_fail(k, FOG_E_DEAD);
        return;
    }
    fogi_probe_tick(&k->probe, now);
    if (now >= fogi_loss_deadline(&k->loss, &k->log, k->rtt.rto_us)) {
        bool overdue = k->loss.recheck == FOG_TIME_NEVER;
        k->n.timeouts += overdue;
        if (!k->dark && now - silent_since(k) >= BLACKOUT) {
            k->dark = true;
            k->n.blackouts++;
        }
        if (overdue)
            on_timeout(k, now);
    }
    fogi_kcp_settle(k, now);
}

static void
lower(fog_time *due, enum fog_why *why, fog_time at, enum fog_why reason)
{
    if (at < *due) {
        *due = at;
        *why = reason;
    }
}

/* What output would write, unless the 3x rule holds it back. */
static void
lower_for_output(const struct kcp *k, fog_time *due, enum fog_why *why)
{
    if (k->held_back)
        return;
    if (k->wins_now || k->probe.ask)
        lower(due, why, k->now, FOG_WHY_OUTPUT);
    if (acks_waiting(&k->acks))
        lower(due, why, k->acks_due > k->now ? k->acks_due : k->now, FOG_WHY_OUTPUT);
    lower(due, why, fogi_reopen_deadline(&k->reopen), FOG_WHY_PROBE);
    lower(due, why, fogi_hello_deadline(&k->hello), FOG_WHY_OUTPUT);
    lower(due, why, fogi_copies_deadline(&k->copies), FOG_WHY_PACE);
    if (kcp_data_waits(k)) {
        fog_time at = fogi_pace_when(&k->pace);
        if (at < k->retry_at)
            at = k->retry_at;
        if (at <= k->now)
            lower(due, why, k->now, FOG_WHY_OUTPUT);
        else
            lower(due, why, at, FOG_WHY_PACE);
    }
}

static fog_time
kcp_deadline(const struct fog_arq *a, enum fog_why *why)
{
    const struct kcp *k = kcp_of_const(a);
    fog_time due = FOG_TIME_NEVER;
    *why = FOG_WHY_NEVER;
    if (k->failed)
        return due;
    lower_for_output(k, &due, why);
    lower(&due, why, fogi_loss_deadline(&k->loss, &k->log, k->rtt.rto_us), FOG_WHY_LOSS);
    lower(&due, why, fogi_probe_deadline(&k->probe), FOG_WHY_PROBE);
    lower(&due, why, fogi_probe_end(&k->probe, k->o.zero_wnd_us), FOG_WHY_PROBE);
    lower(&due, why, dead_at(k), k->validated ? FOG_WHY_DEAD : FOG_WHY_HANDSHAKE);
    return due;
}

static bool
kcp_next_event(struct fog_arq *a, struct fog_arq_event *ev)
{
    struct kcp *k = kcp_of(a);
    return arq_take_event(&k->events, k->err, ev);
}

static size_t
kcp_writable(const struct fog_arq *a)
{
    const struct kcp *k = kcp_of_const(a);
    size_t room = (size_t)kcp_window_free(k) * k->mss, under_way = kcp_room(k);
    size_t soon = pace_within(&k->pace, QUEUE_AHEAD), least = (size_t)QUEUE_SEGS * k->mss;
    size_t at_once = pace_saved(&k->pace);
    room = (room < under_way ? room : under_way) + QUEUE_BYTES;
    least = least > QUEUE_LEAST ? least : QUEUE_LEAST;
    soon = soon > least ? soon : least;
    soon = soon < SIZE_MAX - at_once ? soon + at_once : SIZE_MAX;
    room = room < soon ? room : soon;
    size_t queued = snd_queued(&k->snd), held = bytes_len(&k->snd.q);
    if (k->failed || room < queued + QUEUE_CRUMB || held >= SEND_BYTES)
        return 0;
    return room - queued < SEND_BYTES - held ? room - queued : SEND_BYTES - held;
}

static int
kcp_reserve(struct fog_arq *a, size_t min, void **buf, size_t *cap)
{
    struct kcp *k = kcp_of(a);
    if (k->failed)
        return FOG_E_CLOSED;
    size_t room = kcp_writable(a), got;
    if (room < min)
        return FOG_OK;
    void *p = fogi_bytes_reserve(&k->snd.q, &k->mem, min, &got);
    if (!p)
        return FOG_E_NOMEM;
    *buf = p;
    *cap = got < room ? got : room;
    return FOG_OK;
}

static void
kcp_commit(struct fog_arq *a, size_t len, fog_time now)
{
    struct kcp *k = kcp_of(a);
    k->now = now;
    fogi_bytes_commit(&k->snd.q, len);
    fogi_kcp_settle(k, now);
}

static void
kcp_peek(const struct fog_arq *a, const void **buf, size_t *len)
{
    *buf = fogi_rcv_peek(&kcp_of_const(a)->rcv, len);
}

static void
kcp_consume(struct fog_arq *a, size_t len, fog_time now)
{
    struct kcp *k = kcp_of(a);
    k->now = now;
    fogi_rcv_consume(&k->rcv, &k->mem, len);
    fogi_reopen_set(&k->reopen, rcv_window(&k->rcv), k->rtt.rto_us, now);
}

static size_t
kcp_input_room(const struct fog_arq *a)
{
    (void)a;
    return FOG_DATAGRAM_MAX;
}

static uint64_t
kcp_acked(const struct fog_arq *a)
{
    return kcp_of_const(a)->snd.q.head;
}

static void
kcp_status(const struct fog_arq *a, struct fog_arq_status *st)
{
    const struct kcp *k = kcp_of_const(a);
    *st = (struct fog_arq_status){
        .validated = k->validated,
        .failed = k->failed,
        .hello = k->hello.theirs_len ? k->hello.theirs : NULL,
        .hello_len = k->hello.theirs_len,
        .committed = k->snd.q.tail,
        .acked = k->snd.q.head,
        .queued = snd_queued(&k->snd),
        .flight_segs = k->snd.flight,
        .peer_wnd = k->cc.peer_wnd,
        .mtu = k->o.mtu,
        .rate = k->o.cc == FOG_CC_RATE ? k->o.rate : 0,
        .srtt_us = k->rtt.srtt_us,
        .rttvar_us = k->rtt.rttvar_us,
        .rto_us = k->rtt.rto_us,
        .last_input = k->last_input,
        .held = k->mem.held,
        .n = k->n,
    };
}

/* Begins to control in the way of the options. */
static void
begin_control(struct kcp *k, fog_time now)
{
    const struct fog_kcp_options *o = &k->o;
    if (o->cc == FOG_CC_CLASSIC)
        fogi_cc_fixed(&k->cc, o->snd_wnd, o->mtu);
    else if (o->cc == FOG_CC_RATE)
        fogi_cc_rate(&k->cc, o->snd_wnd, o->mtu, o->rate);
    else
        fogi_cc_model(&k->cc, o->snd_wnd, o->mtu, ACK_DELAY);
    fogi_pace_init(&k->pace, (uint16_t)(o->mtu + kcp_headers(k)));
    if (o->cc == FOG_CC_RATE) /* nothing has to be measured first */
        fogi_pace_set(&k->pace, o->rate, now);
}

static void
kcp_set_rate(struct fog_arq *a, uint64_t rate, fog_time now)
{
    struct kcp *k = kcp_of(a);
    uint32_t peer_wnd = k->cc.peer_wnd;
    fog_time srtt = k->cc.srtt_us;
    if (rate > 0 && rate < FOG_RATE_MIN)
        rate = FOG_RATE_MIN;
    if (rate > FOG_RATE_MAX)
        rate = FOG_RATE_MAX;
    enum fog_cc cc = rate > 0 ? FOG_CC_RATE : FOG_CC_MODEL;
    if (k->o.cc == FOG_CC_CLASSIC || (k->o.cc == cc && (rate == 0 || k->o.rate == rate)))
        return;
    k->now = now;
    k->o.cc = cc;
    k->o.rate = rate;
    begin_control(k, now);
    k->cc.peer_wnd = peer_wnd;
    k->cc.srtt_us = srtt;
    fogi_pace_set(&k->pace, k->cc.ops->rate(&k->cc), now);
}

void
fogi_kcp_resize(struct kcp *k)
{
    k->o.mtu = size_now(&k->size);
    k->mss = k->o.mtu - FOG_KCP_HEADER;
    k->cc.mtu = k->cc.model.mtu = k->o.mtu;
    /* Who takes large ones is of our kind and does not wait for a tick to answer. */
    k->cc.model.ack_delay = k->size.state == SIZE_LARGE ? 0 : ACK_DELAY;
    k->pace.mtu = (uint16_t)(k->o.mtu + kcp_headers(k));
    fogi_pace_set(&k->pace, k->cc.ops->rate(&k->cc), k->now);
}

static void
kcp_peer_takes(struct fog_arq *a, uint32_t bytes)
{
    fogi_size_agree(&kcp_of(a)->size, bytes);
}

static void
kcp_keep(struct fog_arq *a)
{
    fogi_rcv_keep(&kcp_of(a)->rcv);
}

static void
kcp_free(struct fog_arq *a)
{
    struct kcp *k = kcp_of(a);
    struct mem m = k->mem; /* outlives the engine by one call */
    fogi_snd_deinit(&k->snd, &m);
    fogi_txlog_clear(&k->log, &m);
    fogi_rcv_deinit(&k->rcv, &m);
    fogi_acks_deinit(&k->acks, &m);
    mem_put(&m, k, sizeof *k);
    assert(m.held == 0 && "every part gives back what it took");
}

int
fog_kcp_new(struct fog_arq **a, const struct fog_kcp_options *o, const struct fog_alloc *al,
            fog_time now)
{
    static const struct arq_ops ops = {
        .free = kcp_free,
        .lend = fogi_kcp_input,
        .keep = kcp_keep,
        .input_room = kcp_input_room,
        .output = fogi_kcp_output,
        .deadline = kcp_deadline,
        .tick = kcp_tick,
        .event = kcp_next_event,
        .writable = kcp_writable,
        .reserve = kcp_reserve,
        .commit = kcp_commit,
        .peek = kcp_peek,
        .consume = kcp_consume,
        .status = kcp_status,
        .acked = kcp_acked,
        .peer_takes = kcp_peer_takes,
        .set_rate = kcp_set_rate,
    };
    *a = NULL;
    if (!options_are_good(o))
        return FOG_E_USAGE;
    struct mem m;
    mem_init(&m, al);
    struct kcp *k = mem_get(&m, sizeof *k);
    if (!k)
        return FOG_E_NOMEM;
    *k = (struct kcp){
        .arq = {&ops},
        .mem = m,
        .o = *o,
        .mss = o->mtu - FOG_KCP_HEADER,
        .peer_una = o->snd_sn,
        .live_una = o->snd_sn,
        .gone_una = o->snd_sn,
        .now = now,
        .last_input = now,
        .validated = !o->validate,
    };
    fogi_snd_init(&k->snd, o->snd_sn);
    k->copies.said = o->snd_sn;
    fogi_txlog_init(&k->log, o->ts_base, o->snd_wnd);
    fogi_loss_init(&k->loss, o->reorder_segs, o->validate);
    k->loss.now = now;
    fogi_rtt_init(&k->rtt, o->rto_min_us, o->rto_slack_us);
    if (o->cc != FOG_CC_CLASSIC)
        fogi_loss_timed(&k->loss);
    begin_control(k, now);
    fogi_rcv_init(&k->rcv, o->rcv_sn, o->rcv_wnd);
    if (o->validate && o->rcv_wnd > STRANGER_SEGS)
        k->rcv.most = STRANGER_SEGS;
    if (o->validate)
        k->rcv.most_bytes = STRANGER_BYTES;
    fogi_acks_init(&k->acks, 2 * o->rcv_wnd);
    fogi_size_init(&k->size, o->mtu, o->mtu_most);
    fogi_hello_init(&k->hello, o->hello, o->hello_len);
    *a = &k->arq;
    return FOG_OK;
}
