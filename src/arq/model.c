/* SPDX-License-Identifier: MIT */
#include "arq/model.h"

#include <string.h>

#define MEAN_OF 8 /* samples that make a mean; a round with fewer goes on with the next */
#define GAIN_START 2.5
#define GAIN_FIRST 4.0 /* STARTUP: while no more than SEGS_FIRST fit the path, as far as known */
#define SEGS_FIRST 128u
#define QUICK_PART 4 /* STARTUP: of a round trip; a whole one would lag behind the growth */
#define GAIN_DRAIN 0.6
#define GAIN_FAST 1.25
#define GAIN_SLOW 0.75
#define BACK_MOST 0.25 /* how much slower an even round may be */
#define PHASES 8
#define DRAIN_ROUNDS_MOST 8
#define ROOM_FACTOR 2.0 /* round trips' worth on its way: late acks and repairs need the second */
#define GROWS 1.25      /* STARTUP: less growth than this counts as none */
#define FLAT_ROUNDS 3
#define BASE_FOR FOG_SEC(10) /* so long an empty queue is remembered */
#define REST_FOR FOG_MS(100)
#define SEGS_LEAST 4   /* per round trip, whatever was measured */
#define DROP_SHARE 0.5 /* CRUISE: so little arrives on a line that became slower ... */
#define DROP_RTTS 2    /* ... over so many round trips without a queue ...           */
#define DROP_PARTS 2   /* ... so many times in a row                                 */
#define SEGS_BUSY 16u  /* on their way: fewer do not make a queue */
#define LOSS_MOST 0.5  /* more random loss than this is not made up for */
#define LOSS_SURE 64   /* outcomes that come to those there are, none lost */
#define LOSS_FADE 0.9  /* per round */
#define QUEUED_LONG 4  /* rounds with a queue, until loss is doubted */
#define SLOW_SURE 9.0  /* squared deviations that make a difference certain */

void
fogi_model_init(struct model *m, uint32_t mtu, fog_time ack_delay)
{
    *m = (struct model){.mtu = mtu, .ack_delay = ack_delay, .gain = GAIN_START};
}

static fog_time
between(fog_time x, fog_time least, fog_time most)
{
    return x < least ? least : x > most ? most : x;
}

/* Queue of the last round, as time. */
static fog_time
queue(const struct model *m)
{
    return m->mean_us > m->base_us ? m->mean_us - m->base_us : 0;
}

static bool
queue_stands(const struct model *m)
{
    return queue(m) > between(m->base_us / 8, FOG_MS(1), FOG_MS(16)) + 2 * m->spread_us;
}

static void
enter(struct model *m, enum model_state state, fog_time now)
{
    m->state = state;
    m->state_since = now;
    m->gain = state == MODEL_STARTUP ? GAIN_START : state == MODEL_DRAIN ? GAIN_DRAIN : 1;
    m->phase = 2;
    m->flat = 0;
    m->round_kept = m->round_lost = 0;
    if (state == MODEL_DRAIN) /* what the start had lost in its queue is yet to be told */
        m->doubtful = 2;
}

/* ------------------------------------------------------------------------------ round trip, rate
 */

static void
take_rtt(struct model *m, fog_time rtt)
{
    if (rtt <= 0 || rtt > FOG_SEC(60))
        return;
    fog_time off = rtt > m->last_us ? rtt - m->last_us : m->last_us - rtt;
    if (m->last_us)
        m->spread_us = (15 * m->spread_us + off) / 16;
    m->last_us = rtt;
    if (m->base_us == 0) {
        m->base_us = rtt;
        m->rough = true;
    }
    m->round_rtt += rtt;
    m->round_n++;
    m->recent[m->recent_n++ % MODEL_RECENT] = (uint32_t)rtt; /* a minute at most */
    if (m->recent_n == 2 * MODEL_RECENT)
        m->recent_n = MODEL_RECENT;
}

static void
take_bw(struct model *m, uint64_t bw)
{
    if (bw > m->bw_of[m->slot])
        m->bw_of[m->slot] = bw;
    if (bw > m->bw)
        m->bw = bw;
}

/* STARTUP: what arrives now. */
static void
take_quick(struct model *m, const struct cc_ack *a)
{
    fog_time over = a->now - m->quick_at;
    if (m->quick_at && over < m->base_us / QUICK_PART)
        return;
    if (m->quick_at && a->delivered > m->quick_from) {
        uint64_t bw = (a->delivered - m->quick_from) * 1000000 / (uint64_t)(over ? over : 1);
        if (bw > m->quick && over < m->base_us)
            m->quick = bw;
    }
    m->quick_at = a->now;
    m->quick_from = a->delivered;
}

/* The round is over: its last sample speaks for it, as the one that covers it best. */
static void
close_bw(struct model *m)
{
    if (m->round_bw == 0 || (m->round_limited && m->round_bw <= m->bw))
        return;
    m->slot = (uint8_t)((m->slot + 1) % MODEL_ROUNDS);
    m->bw_of[m->slot] = m->round_bw;
    m->bw = 0;
    for (unsigned i = 0; i < MODEL_ROUNDS; i++) {
        if (m->bw_of[i] > m->bw)
            m->bw = m->bw_of[i];
    }
}

/* The line became slower: what is known of it is what came through just now. */
static void
forget_bw(struct model *m, uint64_t bw)
{
    memset(m->bw_of, 0, sizeof m->bw_of);
    m->bw_of[m->slot] = m->bw = m->bw_before = bw;
    m->slow_parts = 0;
}

/* Noise makes one answer late, or a few: only when the quickest of a stretch had to wait, too, the
 * queue is long. */
static void
watch_drop(struct model *m, const struct cc_ack *a)
{
    fog_time over = a->now - m->part_at;
    if (a->rtt_us > 0 && a->rtt_us < m->part_rtt)
        m->part_rtt = a->rtt_us;
    if (m->part_at && over < DROP_RTTS * m->base_us)
        return;
    uint64_t bw = over > 0 ? (a->delivered - m->part_from) * 1000000 / (uint64_t)over : 0;
    bool slow = m->part_at && over < 2 * DROP_RTTS * m->base_us && !a->limited &&
                (double)bw < DROP_SHARE * (double)m->bw && a->out >= SEGS_BUSY * m->mtu &&
                m->part_rtt > m->base_us + m->base_us / 4 + FOG_MS(4) + 2 * m->spread_us;
    m->part_at = a->now;
    m->part_from = a->delivered;
    m->part_rtt = FOG_TIME_NEVER;
    m->slow_parts = (uint8_t)(slow ? m->slow_parts + 1 : 0);
    if (m->slow_parts >= DROP_PARTS)
        forget_bw(m, bw);
}

static void
close_rtt(struct model *m, fog_time now)
{
    if (m->round_n < (m->state == MODEL_REST ? 1 : MEAN_OF))
        return;
    m->mean_us = m->round_rtt / m->round_n;
    m->round_rtt = 0;
    m->round_n = 0;
    if (m->rough || m->mean_us < m->base_us) {
        m->rough = false;
        m->base_us = m->mean_us;
        m->base_at = now;
    } else if (m->mean_us <= m->base_us + m->base_us / 16 + 500) {
        m->base_at = now;
    }
}

/* ------------------------------------------------------------------------------------ random loss
 */

static double
share(double lost, double kept)
{
    return lost + kept > 0 ? lost / (lost + kept) : 0;
}

/* While a queue stands whatever is sent, random loss is overestimated. It cannot be more than all
 * that was lost. */
static void
doubt_loss(struct model *m)
{
    if (share(m->round_lost, m->round_kept) < m->p) {
        m->kept = m->kept * LOSS_FADE + m->round_kept;
        m->lost = m->lost * LOSS_FADE + m->round_lost;
    }
    if (++m->queued_for < QUEUED_LONG)
        return;
    m->queued_for = QUEUED_LONG;
    m->lost *= LOSS_FADE;
    m->slow_lost *= LOSS_FADE;
}

static void
fold_loss(struct model *m, bool slow)
{
    m->queued_for = 0;
    m->kept = m->kept * LOSS_FADE + m->round_kept;
    m->lost = m->lost * LOSS_FADE + m->round_lost;
    if (slow) {
        m->slow_kept = m->slow_kept * LOSS_FADE + m->round_kept;
        m->slow_lost = m->slow_lost * LOSS_FADE + m->round_lost;
    }
}

/* The round is over; slow: its outcomes are of the slower round before. */
static void
close_loss(struct model *m, bool slow)
{
    if (m->doubtful > 0)
        m->doubtful--;
    else if (queue_stands(m))
        doubt_loss(m);
    else
        fold_loss(m, slow);
    m->round_kept = m->round_lost = 0;
    m->p = share(m->lost, m->kept + LOSS_SURE);
    double n = m->slow_kept + m->slow_lost, less = m->p - share(m->slow_lost, m->slow_kept);
    if (less > m->p / 5 && less * less * n > SLOW_SURE * m->p * (1 - m->p))
        m->p -= less; /* loss that depends on the rate is not random */
    if (m->p > LOSS_MOST)
        m->p = LOSS_MOST;
}

void
fogi_model_outcome(struct model *m, bool lost)
{
    if (lost)
        m->round_lost++;
    else
        m->round_kept++;
}

void
fogi_model_spurious(struct model *m)
{
    if (m->round_lost > 0)
        m->round_lost--;
    else if (m->lost >= 1)
        m->lost--;
    m->round_kept++;
}

void
fogi_model_timeout(struct model *m)
{
    m->doubtful = 3;
}

/* ----------------------------------------------------------------------------------------- states
 */

/* The last samples waited, on average. */
static bool
queue_shows(const struct model *m)
{
    if (m->recent_n < MODEL_RECENT || m->rough)
        return false;
    fog_time sum = 0;
    for (unsigned i = 0; i < MODEL_RECENT; i++)
        sum += m->recent[i];
    fog_time over = sum / MODEL_RECENT - m->base_us;
    return over > between(m->base_us / 8, FOG_MS(4), FOG_MS(16)) + m->spread_us;
}

static void
startup_round(struct model *m, fog_time now)
{
    close_loss(m, false);
    if ((double)m->bw >= GROWS * (double)m->bw_full) {
        m->bw_full = m->bw;
        m->flat = 0;
    } else if (!m->round_limited && ++m->flat >= FLAT_ROUNDS) {
        enter(m, MODEL_DRAIN, now);
    }
}

/* Gain of an even round: gives back what the last round's queue was, over two rounds. */
static double
even_gain(const struct model *m)
{
    fog_time allowed = m->base_us / 32 > 1000 ? m->base_us / 32 : 1000;
    fog_time over = queue(m) - allowed - m->spread_us;
    if (over <= 0 || m->base_us == 0)
        return 1;
    double back = 0.5 * (double)over / (double)m->base_us;
    return 1 - (back < BACK_MOST ? back : BACK_MOST);
}

static void
cruise_round(struct model *m, fog_time now)
{
    /* In the round of the slower phase, only losses of the one before the probe come in. */
    if (m->phase != 1)
        close_loss(m, m->phase == 2);
    if (now - m->base_at > BASE_FOR) {
        enter(m, MODEL_REST, now);
        return;
    }
    /* The probe's data is acknowledged one round later: phase 1 sees what it found. */
    bool found = m->phase == 1 && (double)m->bw > 1.1 * (double)m->bw_before && !queue_stands(m);
    m->phase = (uint8_t)(found ? 0 : (m->phase + 1) % PHASES);
    if (m->phase == 0)
        m->bw_before = m->bw;
    m->gain = m->phase == 0 ? GAIN_FAST : m->phase == 1 ? GAIN_SLOW : even_gain(m);
}

static void
rest_round(struct model *m, fog_time now)
{
    if (now - m->state_since < REST_FOR)
        return;
    m->base_us = m->mean_us;
    m->base_at = now;
    enter(m, MODEL_CRUISE, now);
}

/* STARTUP believes the quickest part of a round. */
static double
believed(const struct model *m)
{
    return (double)(m->state == MODEL_STARTUP && m->quick > m->bw ? m->quick : m->bw);
}

static size_t
bdp(const struct model *m)
{
    return (size_t)(believed(m) * (double)m->base_us / 1e6 / (1 - m->p));
}

static void
drain_round(struct model *m, const struct cc_ack *a)
{
    if (++m->flat > DRAIN_ROUNDS_MOST)
        enter(m, MODEL_CRUISE, a->now);
}

/* Short answers are over before a longer start has found the rate: the first steps are longer. */
static double
start_gain(const struct model *m)
{
    return bdp(m) < (size_t)SEGS_FIRST * m->mtu ? GAIN_FIRST : GAIN_START;
}

static void
close_round(struct model *m, const struct cc_ack *a)
{
    close_bw(m);
    close_rtt(m, a->now);
    if (m->state == MODEL_STARTUP)
        startup_round(m, a->now);
    else if (m->state == MODEL_DRAIN)
        drain_round(m, a);
    else if (m->state == MODEL_CRUISE)
        cruise_round(m, a->now);
    else if (m->state == MODEL_REST)
        rest_round(m, a->now);
    m->round_ends = a->delivered;
    m->round_bw = 0;
    m->round_limited = false;
}

void
fogi_model_acked(struct model *m, const struct cc_ack *a)
{
    take_rtt(m, a->rtt_us);
    if (a->bytes_per_s) {
        m->round_bw = a->bytes_per_s;
        m->round_limited = a->limited;
        if (m->state <= MODEL_DRAIN && (!a->limited || a->bytes_per_s > m->bw))
            take_bw(m, a->bytes_per_s);
    }
    if (m->state == MODEL_STARTUP) {
        take_quick(m, a);
        m->gain = start_gain(m);
    }
    if (m->state == MODEL_CRUISE)
        watch_drop(m, a);
    if (a->prior >= m->round_ends && a->delivered > m->round_ends)
        close_round(m, a);
    if (m->state == MODEL_DRAIN && m->flat > 0 && a->out <= bdp(m) && !queue_shows(m))
        enter(m, MODEL_CRUISE, a->now);
    if (m->state == MODEL_STARTUP && a->out >= SEGS_BUSY * m->mtu && queue_shows(m))
        enter(m, MODEL_DRAIN, a->now);
}

/* ----------------------------------------------------------------------------------------- answers
 */

size_t
fogi_model_room(const struct model *m)
{
    size_t least = (size_t)m->mtu * MODEL_SEGS_FIRST;
    if (m->bw == 0)
        return least;
    if (m->state == MODEL_REST)
        return bdp(m) / 2 > 4 * m->mtu ? bdp(m) / 2 : 4 * m->mtu;
    double factor = m->state == MODEL_STARTUP ? m->gain : ROOM_FACTOR;
    double delay = (double)m->bw * (double)m->ack_delay / 1e6 / (1 - m->p);
    size_t room = (size_t)(factor * (double)bdp(m) + delay);
    return room + (m->state == MODEL_STARTUP ? least : 16 * m->mtu);
}

uint64_t
fogi_model_rate(const struct model *m, fog_time srtt_us)
{
    /* Little traffic measures little: it must not make the first burst after it slow. */
    double segs = m->state == MODEL_STARTUP ? GAIN_START * MODEL_SEGS_FIRST : SEGS_LEAST;
    double least = segs * m->mtu * 1e6 / (double)(m->base_us ? m->base_us : srtt_us);
    double rate = m->gain * believed(m) / (1 - m->p);
    return (uint64_t)(rate > least ? rate : least) + 1;
}

bool
fogi_model_fits_twice(const struct model *m, size_t out)
{
    return m->state == MODEL_STARTUP || 2 * out <= bdp(m);
}
