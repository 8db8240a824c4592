/* SPDX-License-Identifier: MIT
 *
 * sim_pipe.c - what a TCP connection is to the pipe engine: bytes in order, in pieces of any size,
 * late, and bounded both in what is under way and in what the reader takes at once. It may be held
 * (a network that pauses) and it may be cut.
 */
#include "sim.h"

#include <stdlib.h>
#include <string.h>

struct piece {
    struct list in;
    fog_time at;
    size_t len, used;
    uint8_t bytes[];
};

struct carrier {
    struct list pieces;
    size_t held; /* bytes under way */
    fog_time newest;
    struct rng rng;
    bool hold, ended, end_told;
};

struct pipe {
    struct client *c;
    struct carrier *dir[2]; /* 0: up */
    bool held_by[2];        /* by the client's tunnel, by the server's */
};

static struct carrier *
carrier_new(struct world *w, uint64_t name)
{
    struct carrier *k = malloc(sizeof *k);
    if (!k)
        abort();
    struct rng master = {w->plan->seed};
    *k = (struct carrier){.rng = rng_split(&master, name)};
    list_init(&k->pieces);
    return k;
}

static void
carrier_free(struct carrier *k)
{
    if (!k)
        return;
    for (struct list *l; (l = list_pop(&k->pieces));)
        free(list_entry(l, struct piece, in));
    free(k);
}

struct pipe *
sim_pipe_new(struct client *c)
{
    struct pipe *p = malloc(sizeof *p);
    if (!p)
        abort();
    *p = (struct pipe){.c = c, .held_by = {true, true}};
    for (int dir = 0; dir < 2; dir++)
        p->dir[dir] = carrier_new(c->host.w, 0x9f00 + 64 * (uint64_t)c->gen +
                                                 2 * (uint64_t)c->host.number + (uint64_t)dir);
    return p;
}

static struct host *
host_of(const struct pipe *p, bool server)
{
    return server ? &p->c->host.w->server.host : &p->c->host;
}

void
sim_pipe_release(struct pipe *p, bool by_server)
{
    p->held_by[by_server] = false;
    sim_pipe_end(p);
    if (p->held_by[!by_server])
        return;
    for (int dir = 0; dir < 2; dir++)
        carrier_free(p->dir[dir]);
    free(p);
}

void
sim_pipe_hold(struct pipe *p, int dir, bool hold)
{
    p->dir[dir]->hold = hold;
    sim_set(p->c->host.w, &host_of(p, dir == 0)->wake, p->c->host.w->now);
}

void
sim_pipe_end(struct pipe *p)
{
    for (int dir = 0; dir < 2; dir++) {
        p->dir[dir]->ended = true;
        p->dir[dir]->hold = false;
    }
    for (int side = 0; side < 2; side++)
        if (p->held_by[side])
            sim_set(p->c->host.w, &host_of(p, side)->wake, p->c->host.w->now);
}

static bool
put(struct client *c, struct carrier *k, int dir, struct tunnel *t)
{
    struct host *h = t->host;
    const struct plan *p = h->w->plan;
    const struct emu_options *o = &p->link[c->host.number][dir];
    bool moved = false;
    while (k->held < p->carrier) {
        uint8_t buf[4096];
        size_t cap = 1 + rng_below(&k->rng, p->piece), len = 0;
        if (cap > p->carrier - k->held)
            cap = p->carrier - k->held;
        int rc = fog_session_output(t->s, buf, cap, &len, sim_clock(h));
        if (rc)
            sim_fail(h->w, "output of a pipe: %s", fog_err_name(rc));
        if (len == 0 || h->w->failed)
            break;
        sim_note_datagram(h->w, dir ? "down sent" : "up sent", c->host.number, buf, len);
        h->w->stats.datagrams++;
        struct piece *piece = malloc(sizeof *piece + len);
        if (!piece)
            abort();
        fog_time delay = h->w->healed ? o->delay_us / 2 : o->delay_us;
        delay += o->jitter_us ? (fog_time)rng_below(&k->rng, (uint32_t)o->jitter_us) : 0;
        fog_time at = h->w->now + delay;
        k->newest = at > k->newest ? at : k->newest;
        *piece = (struct piece){.at = k->newest, .len = len};
        memcpy(piece->bytes, buf, len);
        list_push(&k->pieces, &piece->in);
        k->held += len;
        moved = true;
    }
    return moved;
}

static bool
get(struct client *c, struct carrier *k, int dir, struct tunnel *t)
{
    struct host *h = t->host;
    bool moved = false;
    while (!k->hold && !list_is_empty(&k->pieces)) {
        struct piece *piece = list_entry(k->pieces.next, struct piece, in);
        size_t room = fog_session_input_room(t->s), len = piece->len - piece->used;
        if (piece->at > h->w->now || room == 0)
            break;
        len = len < room ? len : room;
        sim_note_datagram(h->w, dir ? "down came" : "up came", c->host.number,
                          piece->bytes + piece->used, len);
        int rc = fog_session_input(t->s, piece->bytes + piece->used, len, sim_clock(h));
        if (rc == FOG_E_NOMEM && h->mem.refuses)
            break;
        if (rc && rc != FOG_E_CLOSED)
            sim_fail(h->w, "input of a pipe with room %zu for %zu: %s", room, len,
                     fog_err_name(rc));
        piece->used += len;
        k->held -= len;
        moved = true;
        if (piece->used == piece->len) {
            list_unlink(&piece->in);
            free(piece);
        }
    }
    if (k->ended && !k->end_told && list_is_empty(&k->pieces)) {
        k->end_told = moved = true;
        int rc = fog_session_input(t->s, NULL, 0, sim_clock(h));
        if (rc && rc != FOG_E_CLOSED)
            sim_fail(h->w, "end of a pipe: %s", fog_err_name(rc));
    }
    return moved;
}

bool
sim_pipe_turn(struct tunnel *t)
{
    struct pipe *p = t->pipe;
    if (!p)
        return false;
    bool server = t->host != &p->c->host;
    bool got = get(p->c, p->dir[!server], !server, t);
    bool sent = !p->dir[server]->ended && put(p->c, p->dir[server], server, t);
    struct host *other = host_of(p, !server);
    if (got && p->held_by[!server]) /* it has room again */
        sim_set(t->host->w, &other->wake, t->host->w->now);
    if (sent && p->held_by[!server]) {
        fog_time at = p->dir[server]->newest;
        if (!other->wake.due.index || other->wake.due.at > at)
            sim_set(t->host->w, &other->wake, at);
    }
    return sent || got;
}

fog_time
sim_pipe_next(const struct tunnel *t)
{
    if (!t->pipe)
        return FOG_TIME_NEVER;
    const struct carrier *k = t->pipe->dir[t->host == &t->pipe->c->host];
    if (k->hold || list_is_empty(&k->pieces))
        return FOG_TIME_NEVER;
    return list_entry(k->pieces.next, struct piece, in)->at;
}

bool
sim_pipe_is_full(const struct tunnel *t)
{
    if (!t->pipe)
        return false;
    const struct carrier *k = t->pipe->dir[t->host != &t->pipe->c->host];
    return k->ended || k->held >= t->host->w->plan->carrier;
}
