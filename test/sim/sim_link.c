/* SPDX-License-Identifier: MIT
 *
 * sim_link.c - datagrams on their way over src/emu. Decides what of a damaged datagram reaches an
 * engine. KCP has no checksum of its own: a flipped bit of ts, sn, una, len or payload would be
 * taken for the truth. What stands between is UDP's checksum, so damage that KCP cannot see is
 * dropped here as the system would. What an engine must survive gets through: every truncation, and
 * flips in conv, frg and wnd.
 */
#include "sim.h"

#include <string.h>

#include "base/wire.h"

#define TAG_LEN_BITS 12
#define TAG_SEQ_BITS 8
#define TAG_HEARD_BIT 20
#define TAG_HASH_SHIFT 21

/** Hash of a datagram without the fields that may be damaged harmlessly. */
static uint64_t
guarded_hash(const uint8_t *p, size_t len)
{
    uint64_t h = len;
    while (len >= FOG_KCP_HEADER) {
        size_t size = get_le32(p + 20);
        if (size > len - FOG_KCP_HEADER)
            size = len - FOG_KCP_HEADER;
        h = h * 0x9e3779b97f4a7c15u + p[4];
        h = h * 0x9e3779b97f4a7c15u + sim_hash(p + 8, FOG_KCP_HEADER - 8 + size);
        p += FOG_KCP_HEADER + size;
        len -= FOG_KCP_HEADER + size;
    }
    h = h * 0x9e3779b97f4a7c15u + sim_hash(p, len);
    return h ^ h >> 31;
}

void
sim_link_send(struct client *c, int dir, uint32_t seq, const void *buf, size_t len)
{
    struct world *w = c->host.w;
    struct link_dir *l = &c->link[dir];
    sim_note_datagram(w, dir ? "down sent" : "up sent", c->host.number, buf, len);
    w->stats.datagrams++;
    if (dir == 0)
        sim_attack_sees(w, buf, len);
    uint64_t tag = (uint64_t)len | (uint64_t)seq << TAG_LEN_BITS |
                   (uint64_t)c->truth[seq].heard << TAG_HEARD_BIT |
                   guarded_hash(buf, len) << TAG_HASH_SHIFT;
    fogi_emu_push(l->emu, tag, buf, len, w->now);
    sim_set(w, &l->deliver, fogi_emu_deadline(l->emu));
}

/** What UDP's checksum would find, and KCP could not. */
static bool
is_damaged(const void *buf, size_t len, uint64_t tag)
{
    size_t sent = tag & ((1u << TAG_LEN_BITS) - 1);
    return len == sent &&
           guarded_hash(buf, len) << TAG_HASH_SHIFT >> TAG_HASH_SHIFT != tag >> TAG_HASH_SHIFT;
}

static void
deliver(struct actor *a, struct world *w)
{
    struct link_dir *l = list_entry(a, struct link_dir, deliver);
    struct client *c = l->c;
    uint8_t buf[DATAGRAM];
    uint64_t tag;
    size_t len;
    while (fogi_emu_pop(l->emu, &tag, buf, sizeof buf, &len, w->now)) {
        uint32_t seq = (uint32_t)(tag >> TAG_LEN_BITS) & ((1u << TAG_SEQ_BITS) - 1);
        bool heard = tag >> TAG_HEARD_BIT & 1;
        struct fog_addr from;
        if (is_damaged(buf, len, tag)) {
            w->stats.checksum_drops++;
            continue;
        }
        sim_note_datagram(w, l->dir ? "down came" : "up came", c->host.number, buf, len);
        sim_addr(&from, 10, (uint8_t)c->host.number, (uint16_t)(1000 + seq));
        if (l->dir == 0)
            sim_arrive(&w->server.host, &from, seq | (uint32_t)heard << TAG_SEQ_BITS, buf, len);
        else if (c->t && seq == c->seq)
            sim_arrive(&c->host, &from, seq, buf, len);
    }
    sim_set(w, a, fogi_emu_deadline(l->emu));
}

int
sim_link_init(struct world *w, struct client *c)
{
    for (int dir = 0; dir < 2; dir++) {
        struct link_dir *l = &c->link[dir];
        *l = (struct link_dir){.deliver.run = deliver, .c = c, .dir = dir};
        struct rng master = {w->plan->seed};
        int rc =
            fogi_emu_new(&l->emu, &w->plan->link[c->host.number][dir],
                         rng_split(&master, 0x11 + 2 * (uint64_t)c->host.number + (uint64_t)dir),
                         fog_alloc_libc());
        if (rc)
            return rc;
    }
    return 0;
}

void
sim_link_clear(struct client *c)
{
    for (int dir = 0; dir < 2; dir++)
        fogi_emu_free(c->link[dir].emu);
}

void
sim_link_conditions(struct client *c, bool healed)
{
    const struct plan *p = c->host.w->plan;
    for (int dir = 0; dir < 2; dir++) {
        fogi_emu_set(c->link[dir].emu,
                     healed ? &p->healed[c->host.number][dir] : &p->link[c->host.number][dir]);
        if (healed)
            fogi_emu_dark(c->link[dir].emu, false);
    }
}
