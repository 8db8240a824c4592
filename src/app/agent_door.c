/* SPDX-License-Identifier: MIT
 *
 * agent_door.c - the listeners of an agent: which of them there are, and what each takes.
 */
#include "app/agent_int.h"

#include "io/log.h"

static void
take_socks5(void *owner, struct channel *c, const struct fog_addr *peer)
{
    fogi_front_take(owner, c, peer, FRONT_SOCKS5);
}

static void
take_http(void *owner, struct channel *c, const struct fog_addr *peer)
{
    fogi_front_take(owner, c, peer, FRONT_HTTP);
}

static void
take_mixed(void *owner, struct channel *c, const struct fog_addr *peer)
{
    fogi_front_take(owner, c, peer, FRONT_MIXED);
}

static void
take_pac(void *owner, struct channel *c, const struct fog_addr *peer)
{
    (void)peer;
    fogi_pac_take(owner, c);
}

static unsigned
fresh(const void *owner)
{
    const struct agent *a = owner;
    return a->n_fresh;
}

static fog_time
oldest(const void *owner)
{
    return fogi_fronts_oldest(owner);
}

static void
end_oldest(void *owner)
{
    fogi_fronts_end_oldest(owner);
}

static const struct doorway_events events = {
    .fresh = fresh, .oldest = oldest, .end_oldest = end_oldest};

int
fogi_agent_open(struct agent *a)
{
    const struct agent_conf *c = a->conf;
    const struct {
        const struct hostport *at;
        const char *what;
        void (*take)(void *owner, struct channel *c, const struct fog_addr *peer);
    } doors[AGENT_DOORS] = {{&c->socks5, "SOCKS5", take_socks5},
                            {&c->http, "HTTP", take_http},
                            {&c->mixed, "SOCKS5 and HTTP", take_mixed},
                            {&c->pac, "PAC", take_pac}};
    fogi_doorway_init(&a->way, a->p, &events, a, &a->n.limit_fresh_waited, &a->n.limit_fresh_hit);
    for (size_t i = 0; i < AGENT_DOORS; i++) {
        const struct hostport *at = doors[i].at;
        if (!at->port)
            continue;
        int err = fogi_door_open(&a->doors[i], &a->way, at, doors[i].take);
        if (err) {
            fogi_listen_complain("agent", at, "tcp", err);
            fogi_doorway_shut(&a->way);
            return err;
        }
        fogi_log(LOG_AT_INFO, "listening on tcp %s:%u for %s", *at->host ? at->host : "*", at->port,
                 doors[i].what);
    }
    return 0;
}
