/* SPDX-License-Identifier: MIT */
#include "pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void *
ledger_alloc(void *ctx, size_t size)
{
    struct ledger *l = ctx;
    if (++l->calls == l->fail_at)
        return NULL;
    void *p = malloc(size);
    assert_non_null(p);
    memset(p, 0xa5, size); /* nobody may count on zeros */
    l->blocks++;
    l->bytes += size;
    if (l->peak < l->bytes)
        l->peak = l->bytes;
    return p;
}

static void
ledger_free(void *ctx, void *p, size_t size)
{
    struct ledger *l = ctx;
    assert_true(l->blocks > 0 && l->bytes >= size);
    l->blocks--;
    l->bytes -= size;
    free(p);
}

void
ledger_init(struct ledger *l)
{
    *l = (struct ledger){.al = {ledger_alloc, ledger_free, l}};
}

static void
init(struct pair *p, uint64_t seed)
{
    memset(p, 0, sizeof *p);
    p->now = FOG_SEC(1000);
    p->rng.state = seed;
    mem_init(&p->mem, fog_alloc_libc());
    for (int i = 0; i < 2; i++) {
        ledger_init(&p->ledger[i]);
        p->link[i].delay_us = FOG_MS(10);
        p->reads[i] = true;
    }
}

void
pair_init(struct pair *p, uint64_t seed, const struct fog_kcp_options *o0,
          const struct fog_kcp_options *o1)
{
    struct fog_kcp_options d;
    fog_kcp_options_init(&d);
    init(p, seed);
    assert_int_equal(fog_kcp_new(&p->end[0], o0 ? o0 : &d, &p->ledger[0].al, p->now), FOG_OK);
    assert_int_equal(fog_kcp_new(&p->end[1], o1 ? o1 : &d, &p->ledger[1].al, p->now), FOG_OK);
}

void
pair_init_pipe(struct pair *p, uint64_t seed, size_t window)
{
    init(p, seed);
    p->pipe = true;
    assert_int_equal(fog_pipe_new(&p->end[0], window, &p->ledger[0].al, p->now), FOG_OK);
    assert_int_equal(fog_pipe_new(&p->end[1], window, &p->ledger[1].al, p->now), FOG_OK);
}

static struct pair_packet *
first_packet(const struct pair *p, int i)
{
    return (struct pair_packet *)(void *)heap_first(&p->way[i]);
}

static void
drop_first(struct pair *p, int i)
{
    struct pair_packet *k = first_packet(p, i);
    fogi_heap_set(&p->way[i], &k->due, FOG_TIME_NEVER);
    p->way_bytes[i] -= k->len;
    free(k);
}

void
pair_free(struct pair *p)
{
    for (int i = 0; i < 2; i++) {
        fog_arq_free(p->end[i]);
        while (heap_first(&p->way[i]))
            drop_first(p, i);
        fogi_heap_clear(&p->way[i], &p->mem);
        assert_int_equal(p->ledger[i].blocks, 0);
        assert_int_equal(p->ledger[i].bytes, 0);
    }
}

uint8_t
pair_byte(int from, uint64_t pos)
{
    uint64_t z = (pos + 1) * 0x9e3779b97f4a7c15u + (uint64_t)from;
    return (uint8_t)(z >> 40 ^ z >> 17);
}

static bool
write_some(struct pair *p, int i)
{
    bool did = false;
    while (p->written[i] < p->to_write[i]) {
        void *buf;
        size_t cap;
        int err = fog_arq_reserve(p->end[i], 1, &buf, &cap);
        if (err || cap == 0)
            break;
        size_t n = cap;
        if (p->write_max)
            n = 1 + rng_below(&p->rng, (uint32_t)p->write_max);
        if (n > cap)
            n = cap;
        if (n > p->to_write[i] - p->written[i])
            n = (size_t)(p->to_write[i] - p->written[i]);
        for (size_t j = 0; j < n; j++)
            ((uint8_t *)buf)[j] = pair_byte(i, p->written[i] + j);
        fog_arq_commit(p->end[i], n, p->now);
        p->written[i] += n;
        did = true;
    }
    return did;
}

static void
send_packet(struct pair *p, int i, const uint8_t *data, size_t len)
{
    struct pair_link *l = &p->link[i];
    l->datagrams++;
    l->bytes += len;
    if (l->dark || rng_unit(&p->rng) < l->loss)
        return;
    int copies = 1 + (rng_unit(&p->rng) < l->duplicate);
    while (copies--) {
        struct pair_packet *k = malloc(sizeof *k);
        assert_non_null(k);
        assert_true(fogi_heap_room(&p->way[i], &p->mem, p->way[i].n + 1));
        k->due.index = 0;
        k->len = len;
        memcpy(k->data, data, len);
        p->way_bytes[i] += len;
        fog_time jitter = l->jitter_us ? rng_below(&p->rng, (uint32_t)l->jitter_us) : 0;
        fogi_heap_set(&p->way[i], &k->due, p->now + l->delay_us + jitter);
    }
}

static bool
send_some(struct pair *p, int i)
{
    uint8_t buf[FOG_DATAGRAM_MAX];
    bool did = false;
    for (;;) {
        /* A pipe's bytes must not go beyond what the other side takes. */
        size_t len, cap = sizeof buf, room = fog_arq_input_room(p->end[1 - i]);
        if (p->pipe)
            cap = room < p->way_bytes[i] ? 0 : room - p->way_bytes[i];
        if (cap > sizeof buf)
            cap = sizeof buf;
        assert_int_equal(fog_arq_output(p->end[i], buf, cap, &len, p->now), FOG_OK);
        if (len == 0)
            return did;
        did = true;
        if (p->see)
            p->see(p, i, buf, &len);
        if (len)
            send_packet(p, i, buf, len);
    }
}

static bool
read_some(struct pair *p, int i)
{
    bool did = false;
    while (p->reads[i]) {
        const void *buf;
        size_t len;
        fog_arq_peek(p->end[i], &buf, &len);
        if (len == 0)
            break;
        size_t wrong = 0;
        for (size_t j = 0; j < len; j++)
            wrong += ((const uint8_t *)buf)[j] != pair_byte(1 - i, p->read[i] + j);
        assert_int_equal(wrong, 0);
        p->read[i] += len;
        fog_arq_consume(p->end[i], len, p->now);
        did = true;
    }
    return did;
}

static bool
deliver_some(struct pair *p, int from)
{
    bool did = false;
    const struct pair_packet *k;
    while ((k = first_packet(p, from)) && k->due.at <= p->now) {
        int err = fog_arq_input(p->end[1 - from], k->data, k->len, p->now);
        if (err)
            p->fed = err;
        drop_first(p, from);
        did = true;
    }
    return did;
}

void
pair_settle(struct pair *p)
{
    bool again = true;
    while (again) {
        again = false;
        for (int i = 0; i < 2; i++) {
            again |= deliver_some(p, 1 - i);
            again |= read_some(p, i);
            again |= write_some(p, i);
            again |= send_some(p, i);
        }
    }
}

bool
pair_step(struct pair *p, fog_time until)
{
    pair_settle(p);
    fog_time next = FOG_TIME_NEVER;
    for (int i = 0; i < 2; i++) {
        fog_time due = fog_arq_deadline(p->end[i], NULL);
        const struct pair_packet *k = first_packet(p, i);
        if (due < next && !p->pipe)
            next = due;
        if (k && k->due.at < next)
            next = k->due.at;
    }
    if (next == FOG_TIME_NEVER || next > until) {
        p->now = until > p->now ? until : p->now;
        return false;
    }
    if (next > p->now)
        p->now = next;
    for (int i = 0; i < 2; i++) {
        if (fog_arq_deadline(p->end[i], NULL) <= p->now)
            fog_arq_tick(p->end[i], p->now);
    }
    pair_settle(p);
    return true;
}

static bool
is_done(const struct pair *p)
{
    for (int i = 0; i < 2; i++) {
        if (p->read[1 - i] != p->to_write[i] || fog_arq_acked(p->end[i]) != p->to_write[i])
            return false;
    }
    return true;
}

bool
pair_run(struct pair *p, fog_time until)
{
    fog_time last = p->now;
    int still = 0;
    pair_settle(p);
    while (!is_done(p)) {
        if (!pair_step(p, until))
            return is_done(p);
        still = p->now == last ? still + 1 : 0;
        assert_true(still < 1000 && "a deadline that never moves");
        last = p->now;
    }
    return true;
}

void
pair_run_to(struct pair *p, fog_time until)
{
    while (p->now < until && pair_step(p, until))
        continue;
    if (p->now < until)
        p->now = until;
}

struct fog_arq_status
pair_status(const struct pair *p, int i)
{
    struct fog_arq_status st;
    fog_arq_status(p->end[i], &st);
    return st;
}
