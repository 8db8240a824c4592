/* SPDX-License-Identifier: MIT
 *
 * sim_client.c - a client as the program has it: one session at a time, another one from a new
 * address when the last is over, and flows that wait for it.
 */
#include "sim.h"

#include <stdlib.h>

#define RETRY_US FOG_MS(300)

static void
leave(struct client *c)
{
    struct fog_session *s = c->t->s;
    sim_tunnel_free(c->t);
    fog_session_free(s);
    c->t = NULL;
    if (c->host.mem.blocks)
        sim_fail(c->host.w, "c%d: %llu blocks of a freed session remain", c->host.number,
                 (unsigned long long)c->host.mem.blocks);
}

static void
take_inbox(struct client *c)
{
    struct host *h = &c->host;
    for (struct packet *p; (p = sim_take(h)); free(p)) {
        if (p->seq == c->seq)
            c->truth[c->seq].heard = true;
        int rc = fog_session_input(c->t->s, p->bytes, p->len, sim_clock(h));
        if (rc == FOG_E_USAGE)
            sim_fail(h->w, "input says USAGE");
    }
}

static void
connect(struct client *c)
{
    struct world *w = c->host.w;
    struct fog_session *s;
    if (c->seq + 2 >= MAX_SEQS) {
        sim_fail(w, "c%d has used up its addresses", c->host.number);
        return;
    }
    c->gen++;
    struct fog_session_options o = sim_options(w, &c->host, FOG_CLIENT, c->gen);
    struct fog_alloc al = sim_alloc(&c->host.mem);
    int rc = fog_session_new(&s, &o, &al, sim_clock(&c->host));
    if (rc == FOG_E_NOMEM && c->host.mem.refuses) {
        c->retry_at = w->now + RETRY_US;
        return;
    }
    if (rc) {
        sim_fail(w, "a client session: %s", fog_err_name(rc));
        return;
    }
    c->seq++;
    c->gen_of[c->seq] = c->gen;
    c->trouble_us = c->trouble_until > w->now ? c->trouble_until - w->now : 0;
    c->t = sim_tunnel_new(&c->host, s, c, c->gen);
    if (w->plan->via == VIA_PIPE)
        c->t->pipe = sim_pipe_new(c);
    if (w->plan->via != VIA_ENDPOINT)
        sim_server_adopt(w, c);
}

static void
run(struct actor *a, struct world *w)
{
    struct client *c = list_entry(a, struct client, host.wake);
    struct host *h = &c->host;
    h->wakes++;
    if (w->now < h->off_until) {
        sim_set(w, a, h->off_until);
        return;
    }
    if (!c->t) {
        if (!c->leaving && w->now >= c->retry_at)
            connect(c);
        if (!c->t) {
            sim_set(w, a, c->leaving ? FOG_TIME_NEVER : c->retry_at);
            return;
        }
    }
    take_inbox(c);
    fog_time at = sim_tunnel_turn(c->t);
    if (c->t->closed) {
        leave(c);
        c->retry_at = at = w->now + RETRY_US;
    }
    if (c->t && c->t->worn && list_is_empty(&c->t->ends) && !c->leaving) {
        sim_client_restart(c, true, FOG_MS(1));
        return;
    }
    if (w->now < h->app_off_until && at > h->app_off_until)
        at = h->app_off_until;
    if (h->wakes % 16 == 0)
        sim_check_memory(w, h);
    if (!h->wake.due.index || h->wake.due.at > at)
        sim_set(w, a, at);
}

void
sim_client_init(struct world *w, int number)
{
    struct client *c = &w->clients[number];
    sim_host_init(&c->host, w, "c", number, run);
    if (sim_link_init(w, c))
        abort();
    sim_set(w, &c->host.wake, FOG_MS(10) * number);
}

void
sim_client_clear(struct client *c)
{
    if (c->t)
        leave(c);
    sim_host_clear(&c->host);
    sim_link_clear(c);
}

void
sim_client_restart(struct client *c, bool says_goodbye, fog_time pause)
{
    struct world *w = c->host.w;
    if (c->t) {
        if (says_goodbye && w->now >= c->host.off_until) {
            fog_session_shutdown(c->t->s, "bye", sim_clock(&c->host));
            sim_tunnel_output(c->t);
        }
        leave(c);
    }
    c->retry_at = w->now + pause;
    sim_set(w, &c->host.wake, c->retry_at);
}

void
sim_client_rebind(struct client *c)
{
    if (!c->t || c->seq + 2 >= MAX_SEQS)
        return;
    c->seq++;
    c->gen_of[c->seq] = c->gen;
    sim_note(c->host.w, "c%d now has port %u", c->host.number, 1000 + c->seq);
}
