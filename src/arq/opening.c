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

static void
put_word(const struct seg *asked, const void *word, size_t len, uint8_t *out)
{
    struct seg says = {.conv = asked->conv,
                       .cmd = SEG_PUSH,
                       .wnd = UNKNOWN_WND,
                       .sn = asked->una,
                       .len = (uint16_t)len};
    fogi_seg_put(out, &says);
    memcpy(out + FOG_KCP_HEADER, word, len);
}

size_t
fog_kcp_unknown(const void *buf, size_t len, uint32_t conv, const void *word, size_t word_len,
                void *out, size_t cap)
{
    struct seg asked;
    size_t with_word = 2 * FOG_KCP_HEADER + word_len;
    if (cap < FOG_KCP_HEADER || !first_of(buf, len, conv, true, &asked))
        return 0;
    struct seg answer = {
        .conv = conv, .cmd = SEG_WINS, .wnd = UNKNOWN_WND, .ts = asked.ts, .sn = asked.sn};
    fogi_seg_put(out, &answer);
    if (word_len == 0 || with_word > cap || with_word > 3 * len)
        return FOG_KCP_HEADER;
    put_word(&asked, word, word_len, (uint8_t *)out + FOG_KCP_HEADER);
    return with_word;
}
