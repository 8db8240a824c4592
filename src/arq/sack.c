/* SPDX-License-Identifier: MIT */
#include "arq/sack.h"

#include "base/wire.h"

#include <string.h>

#define PIECE_HEADER 5

static size_t
put_piece(const struct rcv *r, uint32_t start, size_t most, uint8_t *out)
{
    uint32_t left = r->top - start;
    size_t n = (left + 7) / 8;
    if (n > most)
        n = most;
    put_le32(out, start);
    out[4] = (uint8_t)n;
    memset(out + PIECE_HEADER, 0, n);
    for (uint32_t i = 0; i < 8 * n && i < left; i++) {
        if (rcv_has(r, start + i))
            out[PIECE_HEADER + i / 8] |= (uint8_t)(1u << i % 8);
    }
    return PIECE_HEADER + n;
}

size_t
fogi_sack_put(const struct rcv *r, uint32_t *from, uint8_t *out)
{
    if (!seq_lt(r->next, r->top))
        return 0;
    size_t len = 0;
    out[len++] = SACK_MARK;
    uint32_t beyond = r->top - r->next;
    uint32_t newest = beyond < 8 * SACK_NEWEST ? r->next : r->top - 8 * SACK_NEWEST;
    len += put_piece(r, newest, SACK_NEWEST, out + len);
    if (newest == r->next)
        return len;
    if (!seq_in(*from, r->next, newest))
        *from = r->next;
    len += put_piece(r, *from, SACK_OTHERS, out + len);
    *from += 8 * SACK_OTHERS;
    return len;
}

/* Steps into the piece at s->at; false when there is none that is whole. */
static bool
open_piece(struct sack_reader *s)
{
    if (s->end - s->at < PIECE_HEADER || s->end - s->at < PIECE_HEADER + s->at[4])
        return false;
    s->start = get_le32(s->at);
    s->bits = 8u * s->at[4];
    s->bit = 0;
    s->at += PIECE_HEADER;
    return true;
}

bool
fogi_sack_open(struct sack_reader *s, const void *buf, size_t len)
{
    const uint8_t *b = buf;
    if (len < 1 || b[0] != SACK_MARK)
        return false;
    struct sack_reader check = {.at = b + 1, .end = b + len};
    *s = check;
    while (check.at != check.end) {
        if (!open_piece(&check))
            return false;
        check.at += check.bits / 8;
    }
    return true;
}

bool
fogi_sack_next(struct sack_reader *s, uint32_t *sn)
{
    for (;;) {
        while (s->bit < s->bits) {
            unsigned i = s->bit++;
            if (s->at[i / 8] & 1u << i % 8) {
                *sn = s->start + i;
                return true;
            }
        }
        s->at += s->bits / 8;
        s->bit = s->bits = 0;
        if (s->at == s->end || !open_piece(s))
            return false;
    }
}
