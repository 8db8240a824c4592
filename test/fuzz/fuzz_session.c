/* SPDX-License-Identifier: MIT
 *
 * fuzz_session.c - two KCP engines and a carrier that the input controls: what is sent, delivered
 * in which order, lost, repeated, damaged, and when. Held: what is delivered is what was sent, in
 * order; memory is bounded; once the carrier behaves, everything arrives. A damaged datagram that
 * is not refused lifts the first and the last.
 */
#include "base/mem.h"
#include "fuzz/input.h"

#include <foggara/arq.h>

#include <assert.h>
#include <string.h>

#define SLOTS 16

struct side {
    struct fog_arq *arq;
    uint64_t sent, got;
    struct {
        size_t len;
        uint8_t bytes[FOG_DATAGRAM_MAX];
    } way[SLOTS]; /* what it has sent and nobody has taken; len 0: free */
};

struct world {
    struct side side[2];
    fog_time now;
    bool damaged;
};

static uint8_t
pattern(uint64_t at)
{
    return (uint8_t)(at * 31 ^ at >> 7);
}

static void
put(struct world *w, struct side *s, size_t len)
{
    void *room;
    size_t cap;
    if (len == 0 || fog_arq_reserve(s->arq, len, &room, &cap) != 0 || cap < len)
        return;
    for (size_t i = 0; i < len; i++)
        ((uint8_t *)room)[i] = pattern(s->sent + i);
    fog_arq_commit(s->arq, len, w->now);
    s->sent += len;
}

/** Reads all there is and compares it with what the other side sent. */
static void
get(struct world *w, struct side *s, const struct side *other)
{
    const void *buf;
    size_t len;
    for (fog_arq_peek(s->arq, &buf, &len); len > 0; fog_arq_peek(s->arq, &buf, &len)) {
        for (size_t i = 0; i < len && !w->damaged; i++)
            assert(((const uint8_t *)buf)[i] == pattern(s->got + i));
        s->got += len;
        assert(w->damaged || s->got <= other->sent);
        fog_arq_consume(s->arq, len, w->now);
    }
}

/** Fills free slots with what leaves; a full carrier loses it. False: nothing left. */
static bool
leave(struct world *w, struct side *s)
{
    uint8_t buf[FOG_DATAGRAM_MAX];
    size_t len, slot = 0;
    int rc = fog_arq_output(s->arq, buf, sizeof buf, &len, w->now);
    assert(rc == 0);
    while (slot < SLOTS && s->way[slot].len)
        slot++;
    if (slot < SLOTS) {
        memcpy(s->way[slot].bytes, buf, len);
        s->way[slot].len = len;
    }
    return len > 0;
}

static void
arrive(struct world *w, struct side *from, struct side *to, size_t slot)
{
    size_t len = from->way[slot].len;
    if (len == 0)
        return;
    int rc = fog_arq_input(to->arq, from->way[slot].bytes, len, w->now);
    assert(w->damaged || rc == 0 || rc == FOG_E_CLOSED || rc == FOG_E_NOMEM);
}

static void
pass_time(struct world *w, fog_time us)
{
    w->now += us;
    for (size_t i = 0; i < 2; i++)
        fog_arq_tick(w->side[i].arq, w->now);
}

static void
act(struct world *w, struct input *in)
{
    uint8_t op = take8(in);
    struct side *s = &w->side[op & 1], *other = &w->side[~op & 1];
    size_t slot = op >> 4;
    switch (op >> 1 & 7) {
    case 0:
        put(w, s, (size_t)take8(in) << (slot & 7));
        break;
    case 1:
        leave(w, s);
        break;
    case 2:
    case 3:
        arrive(w, s, other, slot);
        if (op & 2)
            break; /* and stays, to arrive again */
        s->way[slot].len = 0;
        break;
    case 4:
        s->way[slot].len = 0;
        break;
    case 5:
        if (s->way[slot].len) {
            s->way[slot].bytes[take16(in) % s->way[slot].len] ^= take8(in);
            w->damaged = true;
        }
        break;
    case 6:
        get(w, s, other);
        break;
    default:
        pass_time(w, (fog_time)take8(in) << slot);
    }
}

/** From now on the carrier is good: all that was sent must arrive. */
static void
settle(struct world *w)
{
    struct side *s = w->side;
    struct fog_arq_status st[2];
    for (size_t turn = 0; turn < 20000; turn++) {
        for (size_t i = 0; i < 2; i++) {
            do {
                for (size_t slot = 0; slot < SLOTS; slot++) {
                    arrive(w, &s[i], &s[1 - i], slot);
                    s[i].way[slot].len = 0;
                }
            } while (leave(w, &s[i]));
            get(w, &s[1 - i], &s[i]);
            fog_arq_status(s[i].arq, &st[i]);
        }
        if (st[0].failed || st[1].failed || (s[0].got == s[1].sent && s[1].got == s[0].sent))
            return;
        fog_time a = fog_arq_deadline(s[0].arq, NULL), b = fog_arq_deadline(s[1].arq, NULL);
        fog_time at = a < b ? a : b;
        assert(at != FOG_TIME_NEVER);
        pass_time(w, at > w->now ? at - w->now : 0);
    }
    assert(false && "everything arrives");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world w;
    struct input in = {data, size};
    struct budget b;
    uint8_t bits = take8(&in);
    memset(&w, 0, sizeof w);
    fogi_budget_init(&b, 8 << 20, fog_alloc_libc());
    struct fog_alloc al = fogi_budget_alloc(&b);
    for (uint32_t i = 0; i < 2; i++) {
        struct fog_kcp_options o;
        fog_kcp_options_init(&o);
        o.mtu = bits & 2 ? FOG_MTU_MIN + 1 : 300;
        o.snd_wnd = o.rcv_wnd = bits & 4 ? 3 : 100;
        o.snd_sn = bits & 8 ? UINT32_MAX - 5 + i * 5 : 0;
        o.rcv_sn = bits & 8 ? UINT32_MAX - i * 5 : 0;
        o.ts_base = bits & 16 ? UINT32_MAX - 3 : 0;
        o.validate = i == 1 && (bits & 1);
        int rc = fog_kcp_new(&w.side[i].arq, &o, &al, w.now);
        assert(rc == 0);
    }
    while (in.left) {
        act(&w, &in);
        assert(b.used < 1 << 20);
    }
    if (!w.damaged)
        settle(&w);
    fog_arq_free(w.side[0].arq);
    fog_arq_free(w.side[1].arq);
    assert(b.used == 0);
    return 0;
}
