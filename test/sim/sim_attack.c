/* SPDX-License-Identifier: MIT
 *
 * sim_attack.c - strangers without a view of the wire, and some with one. They know addresses, the
 * protocol and old datagrams, but no stamp of a session that is not theirs; what they may not do
 * to a cleartext wire is listed in threats K1 to K20. Injected payload (K18) is not tried: without
 * authentication nobody can tell it from the truth.
 */
#include "sim.h"

#include <stdlib.h>
#include <string.h>

#include "base/wire.h"

#define SHOT 512 /* bytes of an attacker's datagram at most */

static const uint8_t handshake[FOG_HANDSHAKE_LEN] = {0, 0, 0, 4};

static size_t
segment(uint8_t *p, uint8_t cmd, uint32_t ts, uint32_t sn, uint32_t una, const void *data,
        size_t len)
{
    memset(p, 0, FOG_KCP_HEADER);
    p[4] = cmd;
    put_le16(p + 6, 1024);
    put_le32(p + 8, ts);
    put_le32(p + 12, sn);
    put_le32(p + 16, una);
    put_le32(p + 20, (uint32_t)len);
    if (len)
        memcpy(p + FOG_KCP_HEADER, data, len);
    return FOG_KCP_HEADER + len;
}

static uint32_t
draw(struct world *w, uint32_t n)
{
    return rng_below(&w->attack_rng, n);
}

static uint32_t
draw32(struct world *w)
{
    return (uint32_t)rng_next(&w->attack_rng);
}

/* ---------------------------------------------------------------------------- what is in a shot */

static size_t
garbage(struct world *w, uint8_t *buf)
{
    size_t len = draw(w, 200);
    for (size_t i = 0; i < len; i++)
        buf[i] = (uint8_t)draw32(w);
    if (len > 4 && draw(w, 2))
        memset(buf, 0, 4); /* the right conv */
    if (len > 5 && draw(w, 2))
        buf[4] = (uint8_t)(81 + draw(w, 4));
    return len;
}

/** An opening with what could follow it, as if the answer had been seen. */
static size_t
opening(struct world *w, uint8_t *buf)
{
    static const uint8_t syn[9] = {0, 0, 0, 1, 0, 0, 0, 0, 1};
    size_t len = segment(buf, 81, draw32(w), 0, 0, handshake, sizeof handshake);
    if (draw(w, 2))
        len += segment(buf + len, 81, draw32(w), 1, 0, syn, sizeof syn);
    if (draw(w, 2))
        len += segment(buf + len, 82, draw32(w), 0, 0, NULL, 0);
    return len;
}

/** What may come behind a spoofed opening: acks that guess, and requests. The order of draws is
 * written out, here and everywhere: compilers differ in the order of arguments. */
static size_t
follow_up(struct world *w, uint8_t *buf)
{
    size_t len = 0;
    for (uint32_t n = 1 + draw(w, 5); n > 0; n--) {
        uint32_t una = draw(w, 3), sn = draw(w, 3), ts = draw32(w);
        len += segment(buf + len, draw(w, 2) ? 82 : 83, ts, sn, una, NULL, 0);
    }
    return len;
}

/** Into a session of somebody else: acks whose stamps are guessed, una from nowhere. */
static size_t
forged(struct world *w, uint8_t *buf)
{
    size_t len = 0;
    for (uint32_t n = 1 + draw(w, 5); n > 0; n--) {
        uint32_t una = draw(w, 2) ? 0 : 0x10000000u + draw32(w) % 0x60000000u;
        uint32_t sn = draw(w, 2000), ts = draw32(w);
        len += segment(buf + len, 82, ts, sn, una, NULL, 0);
    }
    if (draw(w, 3) == 0) { /* "your session is lost" of somebody who never saw a stamp */
        uint32_t sn = draw(w, 100), ts = draw32(w);
        len = segment(buf, 84, ts, sn, 0, NULL, 0);
    }
    return len;
}

static size_t
copied(struct world *w, uint8_t *buf)
{
    const struct packet *p = w->seen[draw(w, 8)];
    if (!p)
        return garbage(w, buf);
    size_t len = p->len < SHOT ? p->len : SHOT;
    memcpy(buf, p->bytes, len);
    for (uint32_t n = draw(w, 4); n > 0 && len; n--) {
        uint32_t bit = draw(w, 8);
        buf[draw(w, (uint32_t)len)] ^= (uint8_t)(1u << bit);
    }
    if (draw(w, 4) == 0 && len)
        len = draw(w, (uint32_t)len);
    return len;
}

/* ----------------------------------------------------------------------------- where it is shot */

static void
to_server_as_stranger(struct world *w, const uint8_t *buf, size_t len)
{
    struct fog_addr from;
    uint16_t port = (uint16_t)(5000 + draw(w, 3));
    sim_addr(&from, 203, (uint8_t)draw(w, MAX_STRANGERS), port);
    sim_arrive(&w->server.host, &from, 0, buf, len);
}

static void
to_server_as_client(struct world *w, const uint8_t *buf, size_t len)
{
    struct client *c = &w->clients[draw(w, (uint32_t)w->plan->clients)];
    struct fog_addr from;
    sim_addr(&from, 10, (uint8_t)c->host.number, (uint16_t)(1000 + c->seq));
    if (c->t)
        sim_arrive(&w->server.host, &from, c->seq, buf, len);
}

static void
to_client_as_server(struct world *w, const uint8_t *buf, size_t len)
{
    struct client *c = &w->clients[draw(w, (uint32_t)w->plan->clients)];
    struct fog_addr from;
    sim_addr(&from, 10, 0, 1);
    if (c->t)
        sim_arrive(&c->host, &from, UINT32_MAX, buf, len);
}

static void
run(struct actor *a, struct world *w)
{
    uint8_t buf[SHOT + FOG_KCP_HEADER];
    size_t len;
    if (w->now >= w->plan->heal_at)
        return;
    w->stats.attacks++;
    switch (draw(w, 8)) {
    case 0:
        len = garbage(w, buf);
        to_server_as_stranger(w, buf, len);
        break;
    case 1:
    case 2:
        len = opening(w, buf);
        to_server_as_stranger(w, buf, len);
        break;
    case 3:
        len = follow_up(w, buf);
        to_server_as_stranger(w, buf, len);
        break;
    case 4:
    case 5:
        len = copied(w, buf);
        to_server_as_stranger(w, buf, len);
        break;
    case 6:
        len = forged(w, buf);
        to_server_as_client(w, buf, len);
        break;
    default:
        len = forged(w, buf);
        to_client_as_server(w, buf, len);
        break;
    }
    sim_set(w, a,
            w->now + 1 + (fog_time)(rng_unit(&w->attack_rng) * 2 * (double)w->plan->attack_gap));
}

/** Opens in the name of a client that has a session, so that the server may think that the client
 * has started anew behind the same port (K20). Where the server has forgotten the client, or thinks
 * it silent for longer than a keepalive, nothing tells the two apart while only handshakes were
 * exchanged; that is not tried. */
static void
spoof(struct actor *a, struct world *w)
{
    uint8_t buf[SHOT];
    struct client *c = &w->clients[rng_below(&w->spoof_rng, (uint32_t)w->plan->clients)];
    struct fog_addr from;
    size_t len =
        segment(buf, 81, (uint32_t)rng_next(&w->spoof_rng), 0, 0, handshake, sizeof handshake);
    sim_addr(&from, 10, (uint8_t)c->host.number, (uint16_t)(1000 + c->seq));
    bool believed = c->met_gen == c->gen && c->lost_gen < c->gen && c->trouble_us < FOG_SEC(30);
    if (c->t && c->t->seq == c->seq && believed && w->now >= w->server.host.off_until)
        sim_arrive(&w->server.host, &from, c->seq, buf, len);
    if (w->now < w->plan->heal_at)
        sim_set(w, a, w->now + (fog_time)(rng_unit(&w->spoof_rng) * 4e6));
}

void
sim_attack_sees(struct world *w, const void *buf, size_t len)
{
    if (!w->plan->has[F_ATTACK] || w->stats.datagrams % 5)
        return;
    struct packet **slot = &w->seen[w->n_seen++ % 8];
    free(*slot);
    *slot = malloc(sizeof **slot + len);
    if (!*slot)
        abort();
    **slot = (struct packet){.len = len};
    memcpy((*slot)->bytes, buf, len);
}

void
sim_attack_init(struct world *w)
{
    struct rng master = {w->plan->seed};
    w->attack_rng = rng_split(&master, 0xa77ac);
    w->attack_actor.run = run;
    if (w->plan->has[F_ATTACK])
        sim_set(w, &w->attack_actor, FOG_MS(1));
    w->spoof_rng = rng_split(&master, 0x5900f);
    w->spoof_actor.run = spoof;
    if (w->plan->has[F_SPOOF])
        sim_set(w, &w->spoof_actor, FOG_MS(700));
}
