/* SPDX-License-Identifier: MIT
 *
 * craft.h - datagrams made by hand for one engine, and its answers taken apart.
 */
#ifndef CRAFT_H
#define CRAFT_H

#include "arq/seg.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

struct craft {
    uint8_t buf[FOG_DATAGRAM_MAX + 256];
    size_t len;
};

/* Appends a segment with len bytes of payload, all of them 'x'. */
static inline void
craft_add(struct craft *c, struct seg s)
{
    assert_true(c->len + FOG_KCP_HEADER + s.len <= sizeof c->buf);
    fogi_seg_put(c->buf + c->len, &s);
    memset(c->buf + c->len + FOG_KCP_HEADER, 'x', s.len);
    c->len += FOG_KCP_HEADER + (size_t)s.len;
}

/* Hands one segment to the engine. */
static inline int
craft_feed(struct fog_arq *a, struct seg s, fog_time now)
{
    struct craft c = {.len = 0};
    craft_add(&c, s);
    return fog_arq_input(a, c.buf, c.len, now);
}

/* One datagram of the engine, taken apart. */
struct answer {
    uint8_t buf[FOG_DATAGRAM_MAX];
    size_t len;
    struct seg segs[FOG_SEGMENTS_MAX];
    unsigned n;
};

static inline void
craft_take(struct fog_arq *a, struct answer *r, fog_time now)
{
    r->n = 0;
    assert_int_equal(fog_arq_output(a, r->buf, sizeof r->buf, &r->len, now), FOG_OK);
    if (r->len)
        assert_int_equal(fogi_seg_parse(r->buf, r->len, 0, r->segs, &r->n), FOG_OK);
}

/* Takes datagrams until there is none; returns how many. The last one stays in *r. */
static inline unsigned
craft_drain(struct fog_arq *a, struct answer *r, fog_time now)
{
    struct answer next;
    unsigned count = 0;
    *r = (struct answer){.len = 0};
    for (;;) {
        craft_take(a, &next, now);
        if (next.len == 0)
            return count;
        size_t at = (size_t)(next.segs[0].data - next.buf);
        *r = next;
        for (unsigned i = 0; i < r->n; i++) { /* the copies point into the copy */
            r->segs[i].data = r->buf + (next.segs[i].data - next.segs[0].data) + at;
        }
        assert_true(++count < 100000);
    }
}

/* How many segments of a kind are in an answer. */
static inline unsigned
craft_count(const struct answer *r, enum seg_cmd cmd)
{
    unsigned count = 0;
    for (unsigned i = 0; i < r->n; i++)
        count += r->segs[i].cmd == cmd;
    return count;
}

/* Commits len bytes. */
static inline void
craft_write(struct fog_arq *a, size_t len, fog_time now)
{
    while (len > 0) {
        void *buf;
        size_t cap;
        assert_int_equal(fog_arq_reserve(a, 1, &buf, &cap), FOG_OK);
        assert_true(cap > 0);
        size_t n = cap < len ? cap : len;
        memset(buf, 'y', n);
        fog_arq_commit(a, n, now);
        len -= n;
    }
}

static inline struct fog_arq_status
craft_status(const struct fog_arq *a)
{
    struct fog_arq_status st;
    fog_arq_status(a, &st);
    return st;
}

#endif
