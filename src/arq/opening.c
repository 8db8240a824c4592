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

void
fog_kcp_unknown(const void *buf, size_t len, uint32_t conv, void *out, size_t cap, size_t *out_len)
{
    struct seg asked;
    *out_len = 0;
    if (cap < FOG_KCP_HEADER || !first_of(buf, len, conv, true, &asked))
        return;
    struct seg answer = {
        .conv = conv, .cmd = SEG_WINS, .wnd = UNKNOWN_WND, .ts = asked.ts, .sn = asked.sn};
    fogi_seg_put(out, &answer);
    *out_len = FOG_KCP_HEADER;
}

void
fog_kcp_unknown_says(const void *buf, size_t len, uint32_t conv, const void *word, size_t word_len,
                     void *out, size_t cap, size_t *out_len)
{
    struct seg asked;
    size_t total = *out_len + FOG_KCP_HEADER + word_len;
    if (total > cap || total > 3 * len || !first_of(buf, len, conv, true, &asked))
        return;
    struct seg says = {.conv = conv,
                       .cmd = SEG_PUSH,
                       .wnd = UNKNOWN_WND,
                       .sn = asked.una,
                       .len = (uint16_t)word_len};
    uint8_t *at = (uint8_t *)out + *out_len;
    fogi_seg_put(at, &says);
    memcpy(at + FOG_KCP_HEADER, word, word_len);
    *out_len = total;
}
