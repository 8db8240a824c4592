/* SPDX-License-Identifier: MIT */
#include "arq/fills.h"

void
fogi_fills_add(struct fills *f, uint32_t sn)
{
    f->sn[f->at] = sn;
    f->left[f->at] = FILLS_TIMES;
    f->at = (uint8_t)((f->at + 1) % FILLS_MAX);
}

bool
fogi_fills_next(struct fills *f, unsigned *i, uint32_t una, uint32_t *sn)
{
    while (*i < FILLS_MAX) {
        unsigned at = (*i)++;
        if (f->left[at] == 0)
            continue;
        f->left[at]--;
        *sn = f->sn[at];
        if (seq_le(una, *sn))
            return true;
        f->left[at] = 0;
    }
    return false;
}
