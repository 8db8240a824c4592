/* SPDX-License-Identifier: MIT
 *
 * opening.c - what can be said about a datagram without an engine: whether it opens a conversation,
 * and the answer to one that belongs to none. Keeps no state.
 */
#include "arq/seg.h"

/* What every peer assumes before contact, so that hearing it changes little. */
#define UNKNOWN_WND 32

/* The first PUSH of a datagram; false when there is none or the datagram is malformed. */
static bool
first_push(const void *buf, size_t len, uint32_t conv, struct seg *push)
{
    struct seg segs[FOG_SEGMENTS_MAX];
    unsigned n;
    if (fogi_seg_parse(buf, len, conv, segs, &n) != FOG_OK)
        return false;
    for (unsigned i = 0; i < n; i++) {
        if (segs[i].cmd == SEG_PUSH) {
            *push = segs[i];
            return true;
        }
    }
    return false;
}

bool
fog_kcp_is_opening(const void *buf, size_t len, uint32_t conv)
{
    struct seg push;
    return first_push(buf, len, conv, &push) && push.sn == 0 && push.una == 0;
}

void
fog_kcp_unknown(const void *buf, size_t len, uint32_t conv, void *out, size_t cap, size_t *out_len)
{
    struct seg push;
    *out_len = 0;
    if (cap < FOG_KCP_HEADER || !first_push(buf, len, conv, &push))
        return;
    struct seg answer = {
        .conv = conv, .cmd = SEG_WINS, .wnd = UNKNOWN_WND, .ts = push.ts, .sn = push.sn};
    fogi_seg_put(out, &answer);
    *out_len = FOG_KCP_HEADER;
}
