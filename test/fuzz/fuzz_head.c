/* SPDX-License-Identifier: MIT
 *
 * fuzz_head.c - a request or an answer, whole and in pieces. Byte 0: bit 0 an answer. Bytes 1, 2:
 * how the pieces are cut. Held: both end the same with the same bytes used; memory is bounded; what
 * a proxy makes of a request parses back to the same one, and its body ends at the same place.
 */
#include "fuzz/input.h"
#include "fuzz/pieces.h"
#include "proxy/forward.h"

#include <string.h>

struct one {
    struct head h;
    struct mem m;
};

static int
input_head(void *x, const void *buf, size_t len, size_t *used)
{
    struct one *o = x;
    return fogi_head_input(&o->h, &o->m, buf, len, used);
}

static int
input_body(void *x, const void *buf, size_t len, size_t *used)
{
    return fogi_body_input(x, buf, len, used);
}

static void
check_forward(const struct head *h, const struct forward *f)
{
    static char out[FORWARD_MAX];
    struct one back;
    struct head_text host;
    struct dest d = {0};
    size_t used, len = fogi_forward_write(h, f, out);
    mem_init(&back.m, fog_alloc_libc());
    fogi_head_init(&back.h, HEAD_REQUEST);
    int rc = fogi_head_input(&back.h, &back.m, out, len, &used);
    assert(len <= FORWARD_MAX);
    assert(rc == 0 ||
           (rc == FOG_E_LIMIT && (len > HEAD_MAX || h->n_fields >= HEAD_FIELDS_MAX - 1)));
    if (rc == 0) {
        assert(back.h.done && used == len);
        assert(back.h.body == h->body && back.h.length == h->length && back.h.minor == h->minor);
        assert(fogi_head_count(&back.h, "host") == 1);
        assert(fogi_head_count(&back.h, "proxy-authorization") == 0);
        assert(fogi_head_find(&back.h, "host", 0, &host));
        rc = fogi_dest_authority(&d, host.at, host.len, 80);
        assert(rc == 0 && fogi_dest_same(&d, &f->dest));
    }
    fogi_head_clear(&back.h, &back.m);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct one one[2];
    struct forward f[2];
    size_t used[2];
    int rc[2];
    enum head_kind kind = take8(&in) & 1 ? HEAD_RESPONSE : HEAD_REQUEST;
    uint32_t cut = take16(&in) | 1u;
    for (int i = 0; i < 2; i++) {
        mem_init(&one[i].m, fog_alloc_libc());
        fogi_head_init(&one[i].h, kind);
        rc[i] = feed_pieces(input_head, &one[i], in.at, in.left, i ? cut : 0, &used[i]);
        assert(one[i].m.held <= HEAD_MAX);
    }
    const struct head *h = &one[0].h;
    assert(rc[0] == rc[1] && used[0] == used[1] && h->done == one[1].h.done);
    assert(!h->done || (h->n_fields == one[1].h.n_fields && h->length == one[1].h.length));
    if (h->done && kind == HEAD_REQUEST && fogi_forward_read(h, &f[0]) == 0 &&
        f[0].kind == FORWARD_REQUEST) {
        check_forward(h, &f[0]);
        f[1] = f[0];
        const uint8_t *body = in.at + used[0];
        size_t left = in.left - used[0];
        rc[0] = feed_pieces(input_body, &f[0].body, body, left, 0, &used[0]);
        rc[1] = feed_pieces(input_body, &f[1].body, body, left, cut, &used[1]);
        assert(rc[0] == rc[1] && used[0] == used[1] && f[0].body.done == f[1].body.done);
    }
    for (int i = 0; i < 2; i++) {
        fogi_head_clear(&one[i].h, &one[i].m);
        assert(one[i].m.held == 0);
    }
    return 0;
}
