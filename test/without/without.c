/* SPDX-License-Identifier: MIT */
#include "without.h"

static enum mechanism is_off;
static uint64_t asked;

void
without_set(enum mechanism off)
{
    is_off = off;
    asked = 0;
    without_forget_loss();
    without_forget_model();
}

bool
without(enum mechanism m)
{
    if (is_off != m)
        return false;
    asked++;
    return true;
}

uint64_t
without_asked(void)
{
    return asked;
}
