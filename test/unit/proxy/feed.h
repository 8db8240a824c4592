/* SPDX-License-Identifier: MIT
 *
 * feed.h - gives the bytes of a case to a parser in every way they can be cut: whole, in two pieces
 * at each place, and one by one. What a case expects must be the same for all of them.
 */
#ifndef TEST_PROXY_FEED_H
#define TEST_PROXY_FEED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define COUNT(rows) (sizeof(rows) / sizeof *(rows))

typedef int (*feed_fn)(void *x, const void *buf, size_t len, size_t *used);

/** Feeds until an error, or until a call leaves bytes unused; *used is the sum. cut 0: whole; len:
 *  one by one; between: two pieces. A test runs cut through 0..len. Every piece is a block of its
 *  own, so that a sanitizer sees who reads beyond it. */
static inline int
feed(feed_fn input, void *x, const void *bytes, size_t len, size_t cut, size_t *used)
{
    int rc = 0;
    *used = 0;
    while (*used < len && rc == 0) {
        size_t most = cut == len ? 1 : *used < cut ? cut - *used : len - *used, n = SIZE_MAX;
        uint8_t *piece = malloc(most);
        memcpy(piece, (const uint8_t *)bytes + *used, most);
        rc = input(x, piece, most, &n);
        free(piece);
        assert_true(n <= most);
        *used += n;
        if (n < most)
            break;
    }
    return rc;
}

#endif
