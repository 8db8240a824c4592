/* SPDX-License-Identifier: MIT */
#include "session/greeting.h"

#include "base/wire.h"

#include <string.h>

#define TAG_DOWN 0x14

static const uint8_t name[] = {'f', 'o', 'g', 1};

uint8_t
fogi_greeting_put(uint8_t buf[FOG_HELLO_MAX], uint32_t down)
{
    memcpy(buf, name, sizeof name);
    if (down == 0)
        return sizeof name;
    buf[sizeof name] = TAG_DOWN;
    put_le32(buf + sizeof name + 1, down);
    return sizeof name + 5;
}

void
fogi_greeting_get(struct greeting *g, const uint8_t *buf, size_t len)
{
    *g = (struct greeting){.foggara = len >= sizeof name && memcmp(buf, name, sizeof name) == 0};
    for (size_t at = sizeof name; g->foggara && at < len;) {
        size_t value = buf[at] & 0x0f;
        if (len - at - 1 < value)
            return;
        if (buf[at] == TAG_DOWN)
            g->down = get_le32(buf + at + 1);
        at += 1 + value;
    }
}
