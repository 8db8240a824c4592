/* SPDX-License-Identifier: MIT */
#include "arq/size.h"

void
fogi_size_init(struct size *s, uint32_t small, uint32_t most)
{
    *s = (struct size){.small = (uint16_t)small, .large = (uint16_t)(most > small ? most : small)};
}

void
fogi_size_agree(struct size *s, uint32_t theirs)
{
    if (s->state != SIZE_SMALL)
        return;
    if (theirs < s->large)
        s->large = theirs > s->small ? (uint16_t)theirs : s->small;
    if (s->large > s->small)
        s->state = SIZE_ASK;
}

void
fogi_size_asked(struct size *s, uint32_t tx, uint32_t sn)
{
    s->state = SIZE_ASKED;
    s->tx = tx;
    s->sn = sn;
}

bool
fogi_size_arrived(struct size *s, uint32_t tx)
{
    if (s->state != SIZE_ASKED || s->tx != tx)
        return false;
    s->state = SIZE_LARGE;
    s->failed = 0;
    return true;
}

/* Another try, unless there were too many. */
static void
ask_later(struct size *s, fog_time now)
{
    s->state = ++s->failed < SIZE_TRIES ? SIZE_ASK : SIZE_SMALL;
    s->again = now + (s->failed - 1) * SIZE_AGAIN;
    if (s->state == SIZE_SMALL)
        s->large = s->small; /* no word of the peer wakes it again */
}

void
fogi_size_lost(struct size *s, uint32_t tx, fog_time now)
{
    if (s->state == SIZE_ASKED && s->tx == tx)
        ask_later(s, now);
}

void
fogi_size_gone(struct size *s, uint32_t sn, fog_time now)
{
    if (s->state == SIZE_ASKED && s->sn == sn)
        ask_later(s, now);
}

bool
fogi_size_silent(struct size *s, fog_time now)
{
    if (s->state != SIZE_LARGE)
        return false;
    ask_later(s, now);
    return true;
}
