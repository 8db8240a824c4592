/* SPDX-License-Identifier: MIT */
#include "arq/seg.h"

#include "base/wire.h"

enum { AT_CONV = 0, AT_CMD = 4, AT_FRG = 5, AT_WND = 6, AT_TS = 8, AT_SN = 12, AT_UNA = 16 };
enum { AT_LEN = 20 };

int
fogi_seg_parse(const void *buf, size_t len, uint32_t conv, struct seg segs[FOG_SEGMENTS_MAX],
               unsigned *n)
{
    const uint8_t *p = buf;
    *n = 0;
    if (len < FOG_KCP_HEADER || len > FOG_DATAGRAM_MAX)
        return FOG_E_FORMAT;
    unsigned count = 0;
    while (len > 0) {
        if (len < FOG_KCP_HEADER)
            return FOG_E_FORMAT;
        uint32_t payload = get_le32(p + AT_LEN);
        if (get_le32(p + AT_CONV) != conv)
            return FOG_E_CONV;
        if (p[AT_CMD] < SEG_PUSH || p[AT_CMD] > SEG_WINS || payload > len - FOG_KCP_HEADER)
            return FOG_E_FORMAT;
        if (count == FOG_SEGMENTS_MAX)
            return FOG_E_LIMIT;
        segs[count++] = (struct seg){
            .conv = conv,
            .cmd = p[AT_CMD],
            .wnd = get_le16(p + AT_WND),
            .ts = get_le32(p + AT_TS),
            .sn = get_le32(p + AT_SN),
            .una = get_le32(p + AT_UNA),
            .len = (uint16_t)payload,
            .data = p + FOG_KCP_HEADER,
        };
        p += FOG_KCP_HEADER + payload;
        len -= FOG_KCP_HEADER + payload;
    }
    *n = count;
    return FOG_OK;
}

void
fogi_seg_put(uint8_t *to, const struct seg *s)
{
    put_le32(to + AT_CONV, s->conv);
    to[AT_CMD] = s->cmd;
    to[AT_FRG] = 0;
    put_le16(to + AT_WND, s->wnd);
    put_le32(to + AT_TS, s->ts);
    put_le32(to + AT_SN, s->sn);
    put_le32(to + AT_UNA, s->una);
    put_le32(to + AT_LEN, s->len);
}
