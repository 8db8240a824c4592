/* SPDX-License-Identifier: MIT */
#include "replay/oracle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include <foggara/error.h>
#include <libdeflate.h>
#include <string.h>

#include "lib/sha256.h"

static uint32_t
little(const uint8_t *p, size_t n)
{
    uint32_t v = 0;
    while (n--)
        v = v << 8 | p[n];
    return v;
}

static uint32_t
big(const uint8_t *p, size_t n)
{
    uint32_t v = 0;
    for (size_t i = 0; i < n; i++)
        v = v << 8 | p[i];
    return v;
}

int
oracle_segments(const uint8_t *buf, size_t len, struct segment *out, size_t cap)
{
    size_t n = 0;
    if (len > 1250 || len < 24)
        return -1;
    while (len) {
        if (len < 24 || n == cap)
            return -1;
        struct segment s = {.conv = little(buf, 4),
                            .cmd = buf[4],
                            .frg = buf[5],
                            .wnd = (uint16_t)little(buf + 6, 2),
                            .ts = little(buf + 8, 4),
                            .sn = little(buf + 12, 4),
                            .una = little(buf + 16, 4),
                            .len = little(buf + 20, 4),
                            .payload = buf + 24};
        if (s.conv != 0 || s.cmd < CMD_PUSH || s.cmd > CMD_WINS || s.len > len - 24)
            return -1;
        out[n++] = s;
        buf += 24 + s.len;
        len -= 24 + s.len;
    }
    return (int)n;
}

static void
add_push(struct oracle_stream *s, const struct segment *g, const struct recording *r, size_t i)
{
    if (g->sn < s->n_push) {
        s->repeats++;
        return;
    }
    /* The recordings have no loss: segments first appear in order. */
    assert_int_equal(g->sn, s->n_push);
    assert_in_range(g->len, 1, sizeof s->bytes - s->len);
    assert_in_range(s->n_push, 0, sizeof s->push / sizeof s->push[0] - 1);
    memcpy(s->bytes + s->len, g->payload, g->len);
    s->len += g->len;
    s->push[s->n_push].at = r->datagrams[i].at;
    s->push[s->n_push].datagram = i;
    s->push[s->n_push++].end = s->len;
}

void
oracle_stream(struct oracle_stream *s, const struct recording *r, enum dir dir)
{
    memset(s, 0, sizeof *s);
    for (size_t i = 0; i < r->n_datagrams; i++) {
        const struct datagram *d = &r->datagrams[i];
        struct segment g[64];
        if (d->dir != dir)
            continue;
        s->datagrams++;
        int n = oracle_segments(d->bytes, d->len, g, 64);
        if (n < 1)
            fail_msg("%s: datagram %zu is not whole segments", r->name, i + 1);
        for (int k = 0; k < n; k++)
            if (g[k].cmd == CMD_PUSH)
                add_push(s, &g[k], r, i);
    }
}

int
oracle_inflate(void *ctx, const void *in, size_t len, void *out, size_t cap, size_t *out_len)
{
    (void)ctx;
    struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
    if (!d)
        return FOG_E_NOMEM;
    size_t used = 0;
    enum libdeflate_result rc = libdeflate_gzip_decompress_ex(d, in, len, out, cap, &used, out_len);
    libdeflate_free_decompressor(d);
    return rc == LIBDEFLATE_SUCCESS && used == len ? 0 : FOG_E_FORMAT;
}

int
oracle_deflate(void *ctx, const void *in, size_t len, void *out, size_t cap, size_t *out_len)
{
    (void)ctx;
    struct libdeflate_compressor *c = libdeflate_alloc_compressor(6);
    if (!c)
        return FOG_E_NOMEM;
    *out_len = libdeflate_gzip_compress(c, in, len, out, cap);
    libdeflate_free_compressor(c);
    return *out_len ? 0 : FOG_E_LIMIT;
}

void
oracle_frames(struct frames *f, const uint8_t *buf, size_t len)
{
    size_t at = 0;
    f->n = f->inflated_len = 0;
    while (len - at >= 9 && len - at - 9 >= big(buf + at, 3)) {
        assert_in_range(f->n, 0, sizeof f->frame / sizeof f->frame[0] - 1);
        struct frame *x = &f->frame[f->n++];
        *x = (struct frame){.len = big(buf + at, 3),
                            .type = buf[at + 3],
                            .flags = buf[at + 4],
                            .stream = big(buf + at + 5, 4),
                            .plain = buf + at + 9};
        x->end = at + 9 + x->len;
        x->plain_len = x->len;
        at = x->end;
        if (x->type == T_DATA && x->flags & F_GZIP && x->len) {
            uint8_t *out = f->inflated + f->inflated_len;
            assert_int_equal(oracle_inflate(NULL, x->plain, x->len, out,
                                            sizeof f->inflated - f->inflated_len, &x->plain_len),
                             0);
            x->plain = out;
            f->inflated_len += x->plain_len;
        }
    }
    f->partial = len - at;
}

void
oracle_check(const struct frames *f, const struct recording *r, enum dir dir)
{
    const char *d = dir_name(dir);
    for (size_t i = 0; i < f->n && i < r->n_expected[dir]; i++) {
        const struct frame *x = &f->frame[i];
        const struct expected *e = &r->expected[dir][i];
        char hash[65] = "";
        if (x->type != e->type || x->flags != e->flags || x->stream != e->stream ||
            x->len != e->len || x->plain_len != e->plain)
            fail_msg("%s %s frame %zu: type %u flags %02x stream %u len %zu plain %zu, the digest "
                     "says type %u flags %02x stream %u len %zu plain %zu",
                     r->name, d, i, x->type, x->flags, x->stream, x->len, x->plain_len, e->type,
                     e->flags, e->stream, e->len, e->plain);
        if (x->len)
            sha256_hex(x->plain, x->plain_len, hash);
        if (strcmp(hash, e->sha256) != 0)
            fail_msg("%s %s frame %zu: sha256 %s, the digest says %s", r->name, d, i, hash,
                     e->sha256);
    }
    if (f->n != r->n_expected[dir] || f->n != r->totals[dir].frames ||
        f->partial != r->totals[dir].partial)
        fail_msg("%s %s: %zu frames and %zu bytes more, the digest says %zu and %zu", r->name, d,
                 f->n, f->partial, r->totals[dir].frames, r->totals[dir].partial);
}
