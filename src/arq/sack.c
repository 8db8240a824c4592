/* SPDX-License-Identifier: MIT */
#include "arq/sack.h"

#include "base/wire.h"

#include <stddef.h>
#include <string.h>

#define PIECE_HEADER 5
#define LIST 0x80u

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

static size_t
put_list(const struct rcv *r, struct fills *f, uint8_t *out)
{
    unsigned i = 0, n = 0;
    uint32_t sn;
    while (fogi_fills_next(f, &i, r->next, &sn)) {
        if (sn - r->next <= UINT16_MAX)
            put_le16(out + PIECE_HEADER + 2 * n++, (uint16_t)(sn - r->next));
    }
    put_le32(out, r->next);
    out[4] = (uint8_t)(LIST | n);
    return n > 0 ? PIECE_HEADER + 2 * n : 0;
}

size_t
fogi_sack_put(const struct rcv *r, struct fills *f, size_t others, uint32_t *from, uint8_t *out)
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
    len += put_piece(r, *from, others, out + len);
    *from += 8 * (uint32_t)others;
    return len + put_list(r, f, out + len);
}

static size_t
piece_len(const struct sack_reader *s)
{
    return s->bits / 8 + 2 * (size_t)s->items;
}

/* Steps into the piece at s->at; false when there is none that is whole. */
static bool
open_piece(struct sack_reader *s)
{
    if (s->end - s->at < PIECE_HEADER)
        return false;
    unsigned n = s->at[4];
    s->start = get_le32(s->at);
    s->items = n & LIST ? n & ~LIST : 0;
    s->bits = n & LIST ? 0 : 8 * n;
    s->bit = s->item = 0;
    s->at += PIECE_HEADER;
    return s->end - s->at >= (ptrdiff_t)piece_len(s);
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
        check.at += piece_len(&check);
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
        if (s->item < s->items) {
            *sn = s->start + get_le16(s->at + 2 * (size_t)s->item++);
            return true;
        }
        s->at += piece_len(s);
        s->bit = s->bits = s->item = s->items = 0;
        if (s->at == s->end || !open_piece(s))
            return false;
    }
}
