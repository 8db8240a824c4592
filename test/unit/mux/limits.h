/* SPDX-License-Identifier: MIT
 *
 * limits.h - what the tests of limits share: streams and frames made by number, a stand-in for
 * gzip.
 */
#ifndef TEST_MUX_LIMITS_H
#define TEST_MUX_LIMITS_H

#include "unit/mux/spec.h"

/* A stand-in for gzip: the payload is the length to inflate to, four bytes; ff is corrupt. */
RIG_UNUSED static int
fake_inflate(void *ctx, const void *in, size_t len, void *out, size_t cap, size_t *out_len)
{
    const uint8_t *p = in;
    (void)ctx;
    if (len < 4 || p[0] == 0xff)
        return FOG_E_FORMAT;
    size_t n = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
    if (n > cap)
        return FOG_E_LIMIT;
    memset(out, 'z', n);
    *out_len = n;
    return 0;
}

RIG_UNUSED static const struct fog_gzip fake_gzip = {.inflate = fake_inflate};

RIG_UNUSED static void
stage_with(struct rig *r, enum stage stage)
{
    rig_start(r);
    spec_advance(r, r->o.role, stage);
    rig_collect(r);
    rig_clear(r);
}

RIG_UNUSED static void
feed_syn(struct rig *r, unsigned id)
{
    const uint8_t syn[9] = {0, 0, 0, 1, 0, 0, 0, (uint8_t)(id >> 8), (uint8_t)id};
    rig_feed_bytes(r, syn, sizeof syn, false);
    rig_collect(r);
}

/* A DATA frame of len bytes for a stream; how much of it was taken. */
RIG_UNUSED static size_t
feed_data(struct rig *r, unsigned id, size_t len)
{
    static uint8_t frame[9 + (1 << 17)];
    const uint8_t head[9] = {(uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len, 0, 0, 0, 0,
                             (uint8_t)(id >> 8),   (uint8_t)id};
    memcpy(frame, head, sizeof head);
    size_t used = rig_feed_bytes(r, frame, 9 + len, false);
    rig_collect(r);
    return used;
}

#define HITS(r, name) ((int)rig_status((r)->m).n.limit_##name##_hit)

RIG_UNUSED static bool
is_closed(const struct rig *r, int err)
{
    return r->n_ev > 0 && r->ev[r->n_ev - 1].type == FOG_EV_CLOSED && r->ev[r->n_ev - 1].err == err;
}

#endif
