/* SPDX-License-Identifier: MIT */
#include "replay/recording_stream.h"

#include <string.h>

size_t
recording_stream(const struct recording *r, enum dir dir, uint32_t id, uint8_t *out)
{
    static uint8_t pipe[RECORDING_STREAM_MAX];
    size_t n = 0, len = 0;
    for (size_t i = 0; i < r->n_datagrams; i++) {
        const struct datagram *d = &r->datagrams[i];
        for (size_t at = 0; d->dir == dir && at < d->len;) {
            const uint8_t *seg = d->bytes + at;
            size_t seg_len = seg[20] | (size_t)seg[21] << 8;
            if (seg[4] == 81) { /* PUSH */
                memcpy(pipe + n, seg + 24, seg_len);
                n += seg_len;
            }
            at += 24 + seg_len;
        }
    }
    for (size_t at = 0; at < n;) {
        const uint8_t *f = pipe + at;
        size_t frame_len = (size_t)f[0] << 16 | (size_t)f[1] << 8 | f[2];
        uint32_t stream = (uint32_t)f[7] << 8 | f[8];
        if (f[3] == 0 && stream == id) {
            memcpy(out + len, f + 9, frame_len);
            len += frame_len;
        }
        at += 9 + frame_len;
    }
    return len;
}
