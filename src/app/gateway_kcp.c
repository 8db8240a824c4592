/* SPDX-License-Identifier: MIT
 *
 * gateway_kcp.c - agents that come through a tunnel: each of its streams is a connection.
 *
 * Decides nothing but that a stream is taken at once (an agent keeps streams ready in a pool, and
 * dials nobody by opening one). Refuses to know what is said on it.
 */
#include "app/gateway_int.h"

#include "app/channel_stream.h"

static void
on_stream(void *owner, struct carrier *carrier, struct fog_stream *st)
{
    struct gateway *g = owner;
    struct process *p = g->p;
    fog_time now = process_now(p);
    struct fog_addr peer;
    struct channel *c = p->phase == PROCESS_RUNNING ? fogi_channel_stream(carrier, st) : NULL;
    if (!c) {
        p->n.streams_reset++;
        fog_session_refuse(carrier->session, st, now);
        fog_session_release(carrier->session, st, now);
        carrier->touched(carrier);
        return;
    }
    fogi_hub_peer(carrier, &peer);
    fog_session_connected(carrier->session, st, now);
    fogi_gateway_take(g, c, &peer, true);
}

int
fogi_gateway_kcp_open(struct gateway *g, const struct hostport *at)
{
    struct fog_addr addr;
    bool all;
    int err = fogi_listen_address(at, &addr, &all);
    return err ? err : fogi_hub_new(&g->hub, g->p, all ? NULL : &addr, at->port, on_stream, g);
}

void
fogi_gateway_kcp_close(struct gateway *g)
{
    if (g->hub)
        fogi_hub_close(g->hub, "shutting down");
    g->hub = NULL;
}
