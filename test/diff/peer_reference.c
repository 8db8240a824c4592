/* SPDX-License-Identifier: MIT
 *
 * The reference hands datagrams to a function; they wait here until they are pulled.
 */
#include "diff/peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include <ikcp.h>
#include <stdlib.h>
#include <string.h>

struct waiting {
    struct waiting *next;
    size_t len;
    uint8_t bytes[];
};

struct peer {
    ikcpcb *kcp;
    fog_time epoch;
    struct waiting *first, **last;
};

static uint32_t
clock_ms(const struct peer *p, fog_time now)
{
    return (uint32_t)((p->epoch + now) / 1000);
}

static int
on_output(const char *buf, int len, ikcpcb *kcp, void *user)
{
    struct peer *p = user;
    (void)kcp;
    struct waiting *w = malloc(sizeof *w + (size_t)len);
    assert_non_null(w);
    w->next = NULL;
    w->len = (size_t)len;
    memcpy(w->bytes, buf, w->len);
    *p->last = w;
    p->last = &w->next;
    return 0;
}

static struct peer *
make(const struct peer_options *o)
{
    struct peer *p = calloc(1, sizeof *p);
    assert_non_null(p);
    p->kcp = ikcp_create(0, p);
    assert_non_null(p->kcp);
    p->epoch = o->epoch;
    p->last = &p->first;
    ikcp_setoutput(p->kcp, on_output);
    ikcp_nodelay(p->kcp, 1, 10, 2, 1);
    ikcp_wndsize(p->kcp, (int)o->wnd, (int)o->wnd);
    ikcp_setmtu(p->kcp, 1250);
    p->kcp->stream = 1;
    p->kcp->snd_nxt = p->kcp->snd_una = p->kcp->rcv_nxt = o->first;
    ikcp_update(p->kcp, clock_ms(p, 0));
    return p;
}

static size_t
output(struct peer *p, void *buf, size_t cap, fog_time now)
{
    struct waiting *w = p->first;
    (void)now;
    if (!w)
        return 0;
    size_t len = w->len;
    assert_in_range(len, 1, cap);
    memcpy(buf, w->bytes, len);
    p->first = w->next;
    if (!p->first)
        p->last = &p->first;
    free(w);
    return len;
}

static void
release(struct peer *p)
{
    uint8_t drop[2048];
    while (output(p, drop, sizeof drop, 0)) {
    }
    ikcp_release(p->kcp);
    free(p);
}

static void
input(struct peer *p, const void *buf, size_t len, fog_time now)
{
    (void)now;
    assert_int_equal(ikcp_input(p->kcp, buf, (long)len), 0);
}

static fog_time
deadline(const struct peer *p, fog_time now)
{
    uint32_t ms = clock_ms(p, now);
    return now + FOG_MS((int32_t)(ikcp_check(p->kcp, ms) - ms));
}

static void
tick(struct peer *p, fog_time now)
{
    ikcp_update(p->kcp, clock_ms(p, now));
}

static size_t
write_some(struct peer *p, const void *buf, size_t len, fog_time now)
{
    (void)now;
    if (ikcp_waitsnd(p->kcp) >= 2 * (int)p->kcp->snd_wnd)
        return 0;
    if (len > 4096)
        len = 4096;
    if (len)
        assert_true(ikcp_send(p->kcp, buf, (int)len) >= 0);
    return len;
}

static size_t
read_some(struct peer *p, void *buf, size_t cap, fog_time now)
{
    (void)now;
    int len = ikcp_recv(p->kcp, buf, (int)cap);
    return len > 0 ? (size_t)len : 0;
}

const struct peer_kind peer_reference = {.name = "reference",
                                         .make = make,
                                         .free = release,
                                         .input = input,
                                         .output = output,
                                         .deadline = deadline,
                                         .tick = tick,
                                         .write = write_some,
                                         .read = read_some};
