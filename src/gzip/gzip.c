/* SPDX-License-Identifier: MIT */
#include "gzip/gzip.h"

#include <foggara/error.h>

#include "base/mem.h"

#include <libdeflate.h>

/* Frames are small and the link is seldom slower than a core: the fastest level. A payload that
 * level 1 cannot shrink is sent as it is. */
#define LEVEL 1

struct gzip {
    struct libdeflate_compressor *out;
    struct libdeflate_decompressor *in;
};

static int
inflate(void *ctx, const void *in, size_t len, void *out, size_t cap, size_t *out_len)
{
    const struct gzip *g = ctx;
    size_t used = 0;
    *out_len = 0;
    enum libdeflate_result rc =
        libdeflate_gzip_decompress_ex(g->in, in, len, out, cap, &used, out_len);
    if (rc == LIBDEFLATE_SUCCESS && used == len)
        return 0;
    *out_len = 0;
    return rc == LIBDEFLATE_INSUFFICIENT_SPACE ? FOG_E_LIMIT : FOG_E_FORMAT;
}

static int
deflate(void *ctx, const void *in, size_t len, void *out, size_t cap, size_t *out_len)
{
    const struct gzip *g = ctx;
    *out_len = libdeflate_gzip_compress(g->out, in, len, out, cap);
    return *out_len ? 0 : FOG_E_LIMIT;
}

void
fogi_gzip_free(struct fog_gzip *g)
{
    struct mem mem;
    struct gzip *own = g->ctx;
    if (!own)
        return;
    libdeflate_free_compressor(own->out);
    libdeflate_free_decompressor(own->in);
    mem_init(&mem, fog_alloc_libc());
    mem_put(&mem, own, sizeof *own);
    g->ctx = NULL;
}

int
fogi_gzip_new(struct fog_gzip *g)
{
    struct mem mem;
    mem_init(&mem, fog_alloc_libc());
    struct gzip *own = mem_get(&mem, sizeof *own);
    *g = (struct fog_gzip){.inflate = inflate, .deflate = deflate, .ctx = own};
    if (!own)
        return FOG_E_NOMEM;
    own->out = libdeflate_alloc_compressor(LEVEL);
    own->in = libdeflate_alloc_decompressor();
    if (own->out && own->in)
        return 0;
    fogi_gzip_free(g);
    return FOG_E_NOMEM;
}
