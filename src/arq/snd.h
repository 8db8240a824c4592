/* SPDX-License-Identifier: MIT
 *
 * snd.h - the send side: bytes waiting, segments under way, segments to send again. Knows bytes and
 * sn; not time, transmissions' fate, windows or datagrams.
 *
 *     q:   | una ...... segments under way ...... next | never sent ...... |
 *          head                                   sent_pos               tail
 *
 * Bytes are written into q in place and stay there until the front segment is acknowledged; a
 * segment is only a note of where its bytes are. Segments are cut when they are first sent, so
 * small writes share one. Notes live in a ring indexed by sn, 2^k large; those to be sent again are
 * linked through it in the order in which they were lost.
 *
 * Invariant: una <= sn < next has a note; the note of una is not SND_ACKED; q.head is the first
 * byte of una (or of what was never sent, when una == next).
 */
#ifndef FOGI_SND_H
#define FOGI_SND_H

#include "base/bytes.h"
#include "base/seq.h"

enum snd_state { SND_FLYING, SND_LOST, SND_ACKED };

struct snd_seg {
    struct bytes_cursor at; /* its first byte; the page lives as long as the segment */
    uint32_t tx;            /* number of its last transmission                       */
    uint32_t prev, next;    /* SND_LOST: neighbours to send again, as sn             */
    uint16_t len;
    uint8_t sends; /* transmissions so far; stays at 255 */
    uint8_t state; /* enum snd_state */
};

struct snd {
    struct bytes q;
    struct bytes_cursor cut; /* where never-sent bytes begin */
    uint64_t sent_pos;
    struct snd_seg *ring;
    uint32_t cap;
    uint32_t una, next;             /* sn: oldest not acknowledged, next to cut */
    uint32_t flight;                /* segments in [una, next) not SND_ACKED    */
    uint32_t lost_first, lost_last; /* sn; valid while n_lost > 0 */
    uint32_t n_lost;
};

/** Nothing sent; the first segment will be sn. */
void fogi_snd_init(struct snd *s, uint32_t sn);
void fogi_snd_deinit(struct snd *s, struct mem *m);

/** Bytes committed and never sent. */
static inline size_t
snd_queued(const struct snd *s)
{
    return (size_t)(s->q.tail - s->sent_pos);
}

/** Segments from the oldest not acknowledged one to the newest: what the windows limit. */
static inline uint32_t
snd_span(const struct snd *s)
{
    return s->next - s->una;
}

/** The note of una <= sn < next. */
static inline struct snd_seg *
snd_at(const struct snd *s, uint32_t sn)
{
    return &s->ring[sn & (s->cap - 1)];
}

/** Makes room for one more segment. False without memory. O(1) amortised. */
bool fogi_snd_room(struct snd *s, struct mem *m);

/** Cuts the next len never-sent bytes into a segment and copies them to out; there is room. The
 *  caller sets tx. Returns its sn. O(len). */
uint32_t fogi_snd_cut(struct snd *s, void *out, uint16_t len);

/** sn was lost: queues it to be sent again. No effect unless it is SND_FLYING. O(1). */
void fogi_snd_lose(struct snd *s, uint32_t sn);

/** If sn is to be sent again, it is the next. O(1). */
void fogi_snd_urge(struct snd *s, uint32_t sn);

/** Takes the first lost segment out of the queue and copies its bytes to out. n_lost > 0. The
 * caller sets tx. Returns its sn. O(len). */
uint32_t fogi_snd_again(struct snd *s, void *out);

/** Copies the bytes of sn, which is SND_FLYING, to out: it is sent once more. The caller sets tx.
 *  O(len). */
void fogi_snd_copy(struct snd *s, uint32_t sn, void *out);

/** sn arrived: una <= sn < next and not SND_ACKED. Bytes at the front that nobody waits for are
 * freed, the ring too when nothing is under way. O(1) amortised. */
void fogi_snd_ack(struct snd *s, struct mem *m, uint32_t sn);

#endif
