/* SPDX-License-Identifier: MIT */
#include "diff/peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include <foggara/arq.h>
#include <stdlib.h>
#include <string.h>

struct peer {
    struct fog_arq *arq;
};

static struct peer *
make(const struct peer_options *o)
{
    struct fog_kcp_options k;
    struct peer *p = calloc(1, sizeof *p);
    assert_non_null(p);
    fog_kcp_options_init(&k);
    k.snd_wnd = k.rcv_wnd = o->wnd;
    k.snd_sn = k.rcv_sn = o->first;
    k.ts_base = (uint32_t)(o->epoch / 1000);
    assert_int_equal(fog_kcp_new(&p->arq, &k, fog_alloc_libc(), 0), 0);
    return p;
}

static void
release(struct peer *p)
{
    fog_arq_free(p->arq);
    free(p);
}

static void
input(struct peer *p, const void *buf, size_t len, fog_time now)
{
    assert_int_equal(fog_arq_input(p->arq, buf, len, now), 0);
}

static size_t
output(struct peer *p, void *buf, size_t cap, fog_time now)
{
    size_t len = 0;
    assert_int_equal(fog_arq_output(p->arq, buf, cap, &len, now), 0);
    return len;
}

static fog_time
deadline(const struct peer *p, fog_time now)
{
    (void)now;
    return fog_arq_deadline(p->arq, NULL);
}

static void
tick(struct peer *p, fog_time now)
{
    fog_arq_tick(p->arq, now);
}

static size_t
write_some(struct peer *p, const void *buf, size_t len, fog_time now)
{
    void *room;
    size_t cap, writable = fog_arq_writable(p->arq);
    if (!writable || !len)
        return 0;
    assert_int_equal(fog_arq_reserve(p->arq, 1, &room, &cap), 0);
    if (cap > len)
        cap = len;
    if (cap > writable)
        cap = writable;
    memcpy(room, buf, cap);
    if (cap)
        fog_arq_commit(p->arq, cap, now);
    return cap;
}

static size_t
read_some(struct peer *p, void *buf, size_t cap, fog_time now)
{
    const void *bytes;
    size_t len;
    fog_arq_peek(p->arq, &bytes, &len);
    if (len > cap)
        len = cap;
    if (len) {
        memcpy(buf, bytes, len);
        fog_arq_consume(p->arq, len, now);
    }
    return len;
}

const struct peer_kind peer_ours = {.name = "foggara",
                                    .make = make,
                                    .free = release,
                                    .input = input,
                                    .output = output,
                                    .deadline = deadline,
                                    .tick = tick,
                                    .write = write_some,
                                    .read = read_some};
