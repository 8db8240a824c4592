/* SPDX-License-Identifier: MIT
 *
 * pieces.h - the same bytes to a parser whole, and to its twin in pieces: a target compares the
 * two.
 */
#ifndef FOG_FUZZ_PIECES_H
#define FOG_FUZZ_PIECES_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

typedef int (*piece_fn)(void *x, const void *buf, size_t len, size_t *used);

/** Feeds until an error or until bytes stay unused; cut 0: whole, else pieces of lengths that
 *  follow from it. *used is the sum. */
static inline int
feed_pieces(piece_fn input, void *x, const uint8_t *bytes, size_t len, uint32_t cut, size_t *used)
{
    int rc = 0;
    *used = 0;
    while (*used < len && rc == 0) {
        size_t n = len - *used, done = 0;
        if (cut) {
            cut = cut * 1103515245u + 12345u;
            size_t most = 1 + (cut >> 16) % (cut & 0x800 ? 5 : 300);
            n = n < most ? n : most;
        }
        rc = input(x, bytes + *used, n, &done);
        assert(done <= n);
        *used += done;
        if (done < n)
            break;
    }
    return rc;
}

#endif
