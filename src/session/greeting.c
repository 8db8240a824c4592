/* SPDX-License-Identifier: MIT */
#include "session/greeting.h"

#include "base/wire.h"

#include <string.h>

#define TAG_DOWN 0x14
#define TAG_MTU 0x22

static const uint8_t name[] = {'f', 'o', 'g', 1};

uint8_t
fogi_greeting_put(uint8_t buf[FOG_HELLO_MAX], const struct greeting *g)
{
    uint8_t *at = buf + sizeof name;
    memcpy(buf, name, sizeof name);
    if (g->down > 0) {
        *at = TAG_DOWN;
        put_le32(at + 1, g->down);
        at += 5;
    }
    if (g->mtu > 0) {
        *at = TAG_MTU;
        put_le16(at + 1, g->mtu);
        at += 3;
    }
    return (uint8_t)(at - buf);
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
        else if (buf[at] == TAG_MTU)
            g->mtu = get_le16(buf + at + 1);
        at += 1 + value;
    }
}
