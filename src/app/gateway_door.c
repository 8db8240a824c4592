/* SPDX-License-Identifier: MIT
 *
 * gateway_door.c - the ports of a gateway. Those who stand in the door have not shown a good
 * password yet (threats S7).
 */
#include "app/gateway_int.h"

static void
take(void *owner, struct channel *c, const struct fog_addr *peer)
{
    fogi_gateway_take(owner, c, peer, false);
}

static void
take_redirect(void *owner, struct channel *c, const struct fog_addr *peer)
{
    fogi_gateway_take_redirect(owner, c, peer);
}

static unsigned
fresh(const void *owner)
{
    const struct gateway *g = owner;
    return g->n_fresh;
}

/** Who would have to go: those who dawdle in a TLS handshake and those who dawdle behind one are
 *  ended in turn, so that neither kind, however many they are, is in the way of the other. */
static struct session *
oldest_of(const struct gateway *g)
{
    const struct list *l = g->n_greeted * 2 > g->n_fresh ? &g->greeted : &g->fresh;
    return list_entry(l->next, struct session, link);
}

static fog_time
oldest(const void *owner)
{
    return oldest_of(owner)->born;
}

static void
end_oldest(void *owner)
{
    fogi_session_kill(oldest_of(owner));
}

static const struct doorway_events events = {
    .fresh = fresh, .oldest = oldest, .end_oldest = end_oldest};

bool
fogi_gateway_has_room_kcp(struct gateway *g)
{
    /* A stream of a tunnel cannot be made to wait: nobody goes for it while there is room. */
    return g->n_fresh < FRESH_KCP_MAX || fogi_doorway_make_room(&g->way);
}

void
fogi_gateway_doors_init(struct gateway *g)
{
    fogi_doorway_init(&g->way, g->p, &events, g, &g->n.limit_fresh_waited, &g->n.limit_fresh_hit);
}

int
fogi_gateway_open(struct gateway *g, const struct gateway_conf *c)
{
    struct hostport at = c->listen;
    fogi_gateway_doors_init(g);
    int err = fogi_door_open(&g->door, &g->way, &at, take);
    if (!err && c->redirect) {
        at.port = c->redirect;
        err = fogi_door_open(&g->redirect, &g->way, &at, take_redirect);
    }
    const char *protocol = "tcp";
    if (!err && c->kcp) {
        at.port = c->listen.port;
        protocol = "udp";
        err = fogi_gateway_kcp_open(g, &at);
    }
    if (err) {
        fogi_listen_complain("gateway", &at, protocol, err);
        fogi_doorway_shut(&g->way);
    }
    return err;
}

void
fogi_gateway_shut(struct gateway *g)
{
    fogi_doorway_shut(&g->way);
    if (g->hub)
        fogi_hub_accept(g->hub, false);
}
