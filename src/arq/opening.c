/* SPDX-License-Identifier: MIT
 *
 * opening.c - what can be said about a datagram without an engine: whether it opens a conversation,
 * and the answer to one that belongs to none. Keeps no state.
 */
#include "arq/seg.h"

#include <string.h>

/* What every peer assumes before contact, so that hearing it changes little. */
#define UNKNOWN_WND 32

/* The first PUSH of a datagram, or WASK where that will do; false when there is none or the
 * datagram is malformed. */
static bool
first_of(const void *buf, size_t len, uint32_t conv, bool or_wask, struct seg *found)
{
    struct seg segs[FOG_SEGMENTS_MAX];
    unsigned n;
    if (fogi_seg_parse(buf, len, conv, segs, &n) != FOG_OK)
        return false;
    for (unsigned i = 0; i < n; i++) {
        if (segs[i].cmd == SEG_PUSH || (or_wask && segs[i].cmd == SEG_WASK)) {
            *found = segs[i];
            return true;
        }
    }
    return false;
}

bool
fog_kcp_is_opening(const void *buf, size_t len, uint32_t conv)
{
    struct seg push;
    return first_of(buf, len, conv, false, &push) && push.sn == 0 && push.una == 0;
}

size_t
fog_kcp_unknown(const void *buf, size_t len, uint32_t conv, void *out, size_t cap)
{
    struct seg asked;
    if (cap < FOG_KCP_HEADER || !first_of(buf, len, conv, true, &asked))
        return 0;
    struct seg answer = {
        .conv = conv, .cmd = SEG_WINS, .wnd = UNKNOWN_WND, .ts = asked.ts, .sn = asked.sn};
    fogi_seg_put(out, &answer);
    return FOG_KCP_HEADER;
}

void
fog_kcp_end_vproxy(uint32_t conv, uint8_t out[FOG_KCP_HEADER])
{
    struct seg none = {.conv = conv};
    fogi_seg_put(out, &none);
}
