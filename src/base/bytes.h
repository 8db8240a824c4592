/* SPDX-License-Identifier: MIT
 *
 * bytes.h - a queue of bytes in pages. Knows bytes; not segments, frames or windows.
 *
 * Bytes enter at the end, in place (reserve, commit) or copied, and leave at the front. Every byte
 * has an absolute position that never changes, so a segment can name its bytes by position while
 * the front moves. Empty queues hold no memory. Pages are as large as what they were made for,
 * PAGE_MIN to PAGE_MAX bytes; a reservation that does not fit the last page starts a new one.
 */
#ifndef FOGI_BYTES_H
#define FOGI_BYTES_H

#include "base/mem.h"

#define BYTES_PAGE_MIN 512
#define BYTES_PAGE_MAX 32768

struct bytes_page;

struct bytes {
    struct bytes_page *first, *last;
    uint64_t head, tail; /* positions: the oldest byte kept, the next to come */
};

/** An empty queue whose first byte will have position `pos`. */
void fogi_bytes_init(struct bytes *q, uint64_t pos);

/** Frees all pages; the queue is empty afterwards and may be used again. */
void fogi_bytes_clear(struct bytes *q, struct mem *m);

static inline size_t
bytes_len(const struct bytes *q)
{
    return (size_t)(q->tail - q->head);
}

/** Lends at least `min` contiguous bytes (1..BYTES_PAGE_MAX) at the end; *cap is what there is.
 *  NULL without memory. Reserving twice without a commit wastes nothing. O(1). */
void *fogi_bytes_reserve(struct bytes *q, struct mem *m, size_t min, size_t *cap);

/** Appends the first len bytes of the memory last reserved. */
void fogi_bytes_commit(struct bytes *q, size_t len);

/** Appends a copy of len bytes; false, and nothing appended, without memory. */
bool fogi_bytes_append(struct bytes *q, struct mem *m, const void *buf, size_t len);

/** Lends the contiguous bytes at the front; *len = 0 when empty. O(1). */
const void *fogi_bytes_peek(const struct bytes *q, size_t *len);

/** Drops len bytes at the front, at most bytes_len(). Pages that become empty are freed. */
void fogi_bytes_consume(struct bytes *q, struct mem *m, size_t len);

/** Where a reader stands; found once, then moved along, so that reading in order is O(1). */
struct bytes_cursor {
    const struct bytes_page *page; /* NULL: not looked up yet */
    uint64_t pos;                  /* any position the page has or had */
};

/** Copies len bytes from position pos on, all of them within the queue. The cursor must be reset to
 *  zero by whoever consumes beyond it. O(len) in order, O(pages) after a jump back. */
void fogi_bytes_copy(const struct bytes *q, struct bytes_cursor *c, uint64_t pos, void *out,
                     size_t len);

#endif
