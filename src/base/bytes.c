/* SPDX-License-Identifier: MIT */
#include "base/bytes.h"

#include <assert.h>
#include <string.h>

struct bytes_page {
    struct bytes_page *next;
    uint64_t start;     /* position of data[0] */
    uint32_t len, size; /* bytes committed, bytes of data */
    uint8_t data[];
};

void
fogi_bytes_init(struct bytes *q, uint64_t pos)
{
    *q = (struct bytes){.head = pos, .tail = pos};
}

static size_t
page_bytes(const struct bytes_page *p)
{
    return sizeof *p + p->size;
}

/* Drops the first page; the caller has seen to it that nothing in it is wanted. */
static void
drop_first(struct bytes *q, struct mem *m)
{
    struct bytes_page *p = q->first;
    q->first = p->next;
    if (!q->first)
        q->last = NULL;
    mem_put(m, p, page_bytes(p));
}

void
fogi_bytes_clear(struct bytes *q, struct mem *m)
{
    while (q->first)
        drop_first(q, m);
    q->head = q->tail;
}

/* A page for `want` bytes or more: small for little, large once the queue has filled one. */
static size_t
page_size(const struct bytes *q, size_t want)
{
    size_t size = q->last && q->last->len ? (size_t)q->last->size * 4 : BYTES_PAGE_MIN;
    if (size > BYTES_PAGE_MAX)
        size = BYTES_PAGE_MAX;
    while (size < want)
        size *= 2;
    return size;
}

void *
fogi_bytes_reserve(struct bytes *q, struct mem *m, size_t min, size_t *cap)
{
    assert(min > 0 && min <= BYTES_PAGE_MAX);
    struct bytes_page *p = q->last;
    if (!p || p->size - p->len < min) {
        size_t size = page_size(q, min);
        p = mem_get(m, sizeof *p + size);
        if (!p)
            return NULL;
        *p = (struct bytes_page){.start = q->tail, .size = (uint32_t)size};
        if (q->last && q->last->len == 0) { /* reserved before, never committed: too small */
            assert(q->first == q->last || q->last->start == q->tail);
            struct bytes_page **link = &q->first;
            while (*link != q->last)
                link = &(*link)->next;
            mem_put(m, q->last, page_bytes(q->last));
            *link = p;
        } else if (q->last) {
            q->last->next = p;
        } else {
            q->first = p;
        }
        q->last = p;
    }
    *cap = p->size - p->len;
    return p->data + p->len;
}

void
fogi_bytes_commit(struct bytes *q, size_t len)
{
    assert(q->last && len <= q->last->size - q->last->len);
    q->last->len += (uint32_t)len;
    q->tail += len;
}

bool
fogi_bytes_append(struct bytes *q, struct mem *m, const void *buf, size_t len)
{
    const uint8_t *from = buf;
    while (len > 0) {
        /* Fill the last page; a new one must take all the rest, so that nothing is half done. */
        size_t left = q->last ? q->last->size - q->last->len : 0;
        size_t n = len < left ? len : left;
        if (n < len) {
            assert(len - n <= BYTES_PAGE_MAX && "append is for one frame or datagram at most");
            size_t size = page_size(q, len - n);
            struct bytes_page *p = mem_get(m, sizeof *p + size);
            if (!p)
                return false;
            *p = (struct bytes_page){.start = q->tail + n, .size = (uint32_t)size};
            if (n) {
                memcpy(q->last->data + q->last->len, from, n);
                q->last->len += (uint32_t)n;
            }
            if (q->last)
                q->last->next = p;
            else
                q->first = p;
            q->last = p;
            memcpy(p->data, from + n, len - n);
            p->len = (uint32_t)(len - n);
            q->tail += len;
            return true;
        }
        memcpy(q->last->data + q->last->len, from, n);
        q->last->len += (uint32_t)n;
        q->tail += n;
        return true;
    }
    return true;
}

const void *
fogi_bytes_peek(const struct bytes *q, size_t *len)
{
    const struct bytes_page *p = q->first;
    if (q->head == q->tail) {
        *len = 0;
        return NULL;
    }
    size_t off = (size_t)(q->head - p->start);
    *len = p->len - off;
    return p->data + off;
}

void
fogi_bytes_consume(struct bytes *q, struct mem *m, size_t len)
{
    assert(len <= bytes_len(q));
    q->head += len;
    while (q->first && q->first->start + q->first->len <= q->head &&
           (q->first != q->last || q->head == q->tail))
        drop_first(q, m);
}

void
fogi_bytes_copy(const struct bytes *q, struct bytes_cursor *c, uint64_t pos, void *out, size_t len)
{
    assert(pos >= q->head && pos + len <= q->tail);
    uint8_t *to = out;
    if (!c->page || pos < c->page->start)
        c->page = q->first;
    const struct bytes_page *p = c->page;
    while (len > 0) {
        while (pos >= p->start + p->len)
            p = p->next;
        size_t off = (size_t)(pos - p->start);
        size_t n = p->len - off < len ? p->len - off : len;
        memcpy(to, p->data + off, n);
        to += n;
        pos += n;
        len -= n;
    }
    c->page = p;
    c->pos = pos;
}
