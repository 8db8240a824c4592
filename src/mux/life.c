/* SPDX-License-Identifier: MIT */
#include "mux/life.h"

void
fogi_life_init(struct life *l, const struct fog_mux_options *o, fog_time now)
{
    *l = (struct life){.period = o->ping_us,
                       .answer_us = o->ping_answer_us,
                       .idle_us = o->limits.idle_us,
                       .grid = now + o->ping_us,
                       .last_input = now,
                       .ping_sent = FOG_TIME_NEVER,
                       .handshake_by = now + o->limits.handshake_us,
                       .frame_by = FOG_TIME_NEVER};
}

void
fogi_life_ready(struct life *l, enum fog_role role, fog_time now)
{
    l->ready = true;
    l->handshake_by = FOG_TIME_NEVER;
    if (role == FOG_CLIENT)
        l->grid = now + l->period;
}

void
fogi_life_input(struct life *l, fog_time now)
{
    fog_time silence = now - l->last_input;
    if (l->frame_by != FOG_TIME_NEVER && silence > LIFE_QUIET_US)
        l->frame_by += silence - LIFE_QUIET_US;
    l->last_input = now;
    l->suspected = false;
}

/* vproxy reads each byte of an id with its sign, and answers another id where one is over 127: such
 * ids are left out. */
static uint64_t
next_id(uint64_t id)
{
    const uint64_t signs = 0x8080808080808080;
    id++;
    while (id & signs)
        id += id & signs & (~(id & signs) + 1); /* its lowest sign is carried into the next byte */
    return id;
}

void
fogi_life_ask(struct life *l)
{
    if (!l->ready || l->ping_due || l->ping_sent != FOG_TIME_NEVER)
        return;
    l->ping_due = true;
    l->ping_id = next_id(l->ping_id);
}

void
fogi_life_pinged(struct life *l, fog_time now)
{
    l->ping_due = false;
    l->ping_sent = now;
}

bool
fogi_life_pong(struct life *l, uint64_t id)
{
    if (id <= l->ponged || id > l->ping_id || l->ping_due)
        return false;
    l->ponged = id;
    l->ping_sent = FOG_TIME_NEVER;
    return true;
}

/* The first tick of the grid that finds more than LIFE_QUIET_US of silence. */
static fog_time
next_ping(const struct life *l)
{
    fog_time quiet = l->last_input + LIFE_QUIET_US + 1;
    if (!l->ready || l->ping_due || l->ping_sent != FOG_TIME_NEVER)
        return FOG_TIME_NEVER;
    if (l->grid >= quiet)
        return l->grid;
    return l->grid + (quiet - l->grid + l->period - 1) / l->period * l->period;
}

/* When the unanswered PING becomes suspicious: other input proves life as well. */
static fog_time
answer_by(const struct life *l)
{
    if (l->ping_sent == FOG_TIME_NEVER || l->deaf)
        return FOG_TIME_NEVER;
    fog_time from = l->last_input > l->ping_sent ? l->last_input : l->ping_sent;
    return from + l->answer_us;
}

/* A dark link is no slow frame: in silence its time stands still, and idleness decides. */
static fog_time
frame_by(const struct life *l)
{
    return l->frame_by <= l->last_input + LIFE_QUIET_US ? l->frame_by : FOG_TIME_NEVER;
}

static fog_time
idle_by(const struct life *l)
{
    return l->ready && !l->deaf ? l->last_input + l->idle_us : FOG_TIME_NEVER;
}

fog_time
fogi_life_deadline(const struct life *l, enum fog_why *why)
{
    const struct {
        fog_time at;
        enum fog_why why;
    } all[] = {
        {l->handshake_by, FOG_WHY_HANDSHAKE}, {frame_by(l), FOG_WHY_LIMIT},
        {next_ping(l), FOG_WHY_KEEPALIVE},    {answer_by(l), FOG_WHY_KEEPALIVE},
        {idle_by(l), FOG_WHY_DEAD},
    };
    fog_time first = FOG_TIME_NEVER;
    *why = FOG_WHY_NEVER;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (all[i].at < first) {
            first = all[i].at;
            *why = all[i].why;
        }
    }
    return first;
}

unsigned
fogi_life_tick(struct life *l, fog_time now)
{
    unsigned due = 0;
    if (now >= l->handshake_by)
        due |= LIFE_HANDSHAKE;
    if (now >= frame_by(l))
        due |= LIFE_FRAME;
    if (now >= idle_by(l))
        due |= LIFE_IDLE;
    if (now >= answer_by(l)) {
        /* The next tick asks again. */
        l->ping_sent = FOG_TIME_NEVER;
        due |= LIFE_SUSPECT;
    }
    if (now >= next_ping(l))
        fogi_life_ask(l);
    if (l->ready && now >= l->grid)
        l->grid += ((now - l->grid) / l->period + 1) * l->period;
    return due;
}
