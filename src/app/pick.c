/* SPDX-License-Identifier: MIT
 *
 * pick.c - which tunnel a new stream goes to.
 *
 * The least busy one, either way. What the peer has waiting for us is not known, but what comes of
 * it is: so bytes that came lately count as bytes that wait here.
 */
#include "app/supervisor.h"

#define PROVEN_US FOG_MS(500)      /* a tunnel heard so lately needs no caution                 */
#define LATELY_HALF_US FOG_MS(500) /* what came so long ago counts half                         */
#define BUSY_UNIT 16384            /* fewer bytes make no difference between tunnels            */
#define PUSHES_MAX 8192            /* segments that are remembered                              */
#define HELD_UP_SURE 2             /* of them, that say anything                                */
#define HELD_UP_PART 50            /* one in so many: others would notice                       */

/** Remembers the last few thousand segments. */
static void
note_losses(struct slot *s, const struct fog_arq_counters *n)
{
    struct supervisor *sup = s->sup;
    uint64_t pushes = n->segments_in + n->segments_out;
    uint64_t held_up = n->ahead + (n->lost > n->late ? n->lost - n->late : 0);
    sup->pushes += (uint32_t)(pushes - s->pushes);
    sup->held_up += held_up > s->held_up ? (uint32_t)(held_up - s->held_up) : 0;
    s->pushes = pushes;
    s->held_up = held_up;
    while (sup->pushes > PUSHES_MAX) {
        sup->pushes /= 2;
        sup->held_up /= 2;
    }
}

uint64_t
fogi_supervisor_lately(struct slot *s, const struct fog_session_status *st)
{
    uint64_t halves = (uint64_t)(process_now(s->sup->p) - s->lately_at) / LATELY_HALF_US;
    s->lately = halves < 64 ? s->lately >> halves : 0;
    s->lately_at += (fog_time)halves * LATELY_HALF_US;
    s->lately += st->arq.n.bytes_in - s->bytes_in;
    s->bytes_in = st->arq.n.bytes_in;
    note_losses(s, &st->arq.n);
    return s->lately;
}

bool
fogi_supervisor_is_lossy(const struct supervisor *sup)
{
    return sup->held_up >= HELD_UP_SURE && sup->held_up >= sup->pushes / HELD_UP_PART;
}

/** What a new stream would have to share with: bytes in units that are worth a difference, then
 *  streams. */
static uint64_t
busyness(struct slot *s, const struct fog_session_status *st)
{
    uint64_t out = st->arq.queued + (uint64_t)st->arq.flight_segs * st->arq.mtu;
    return (out + fogi_supervisor_lately(s, st)) / BUSY_UNIT << 32 | st->mux.streams;
}

/** The least busy ready tunnel that is not in `tried`; SUPERVISOR_SLOTS_MAX if none. */
static unsigned
least_busy(struct supervisor *sup, unsigned tried, fog_time *heard)
{
    unsigned best = SUPERVISOR_SLOTS_MAX;
    uint64_t least = UINT64_MAX;
    bool spread = sup->p->conf.tunnels || fogi_supervisor_is_lossy(sup);
    for (unsigned i = 0; i < SUPERVISOR_SLOTS_MAX; i++) {
        struct slot *s = &sup->slots[i];
        struct fog_session_status st;
        if (!s->now || s->suspect || tried & 1u << i)
            continue;
        fog_session_status(s->now->carrier.session, &st);
        uint64_t busy = busyness(s, &st);
        if (!spread && best < SUPERVISOR_SLOTS_MAX)
            break;
        if (busy < least) {
            least = busy;
            best = i;
            *heard = st.arq.last_input;
        }
    }
    return best;
}

bool
fogi_supervisor_open(struct supervisor *sup, struct carrier **c, struct fog_stream **st,
                     bool *cautious)
{
    fog_time now = process_now(sup->p), heard = now;
    unsigned tried = 0, i;
    while ((i = least_busy(sup, tried, &heard)) < SUPERVISOR_SLOTS_MAX) {
        *c = &sup->slots[i].now->carrier;
        int rc = fog_session_open((*c)->session, st, now);
        if (!rc) {
            (*c)->touched(*c); /* not after a refusal: its turn would bring us here again */
            *cautious = now - heard > PROVEN_US;
            fogi_supervisor_wake(sup);
            return true;
        }
        tried |= 1u << i;
    }
    return false;
}
