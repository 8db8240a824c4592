/* SPDX-License-Identifier: MIT
 *
 * Our KCP against the reference implementation over emulated links, in virtual time: what one
 * writes the other must read, byte for byte, in either role, at several windows and loss rates.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <foggara/error.h>
#include <stdio.h>
#include <string.h>

#include "diff/peer.h"
#include "emu/emu.h"

#define STEPS_MAX 2000000
#define LIMIT FOG_SEC(600)

/* One direction: what was written, what was read, and the link in between. */
struct way {
    const struct peer_kind *from_kind, *to_kind;
    struct peer *from, *to;
    struct emu *link;
    struct rng sender, reader; /* both make the same content */
    uint64_t size, written, read;
    uint8_t chunk[4096]; /* made, not yet taken */
    size_t chunk_len, chunk_at;
};

struct scenario {
    const char *name;
    const struct peer_kind *a, *b;
    bool a_sends, b_sends;
    uint32_t first; /* sn */
    fog_time epoch;
};

static void
make_content(struct rng *r, uint8_t *out, size_t len)
{
    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)rng_next(r);
}

/* Writes what is taken, in pieces of odd lengths. */
static bool
way_write(struct way *w, fog_time now)
{
    bool any = false;
    while (w->written < w->size) {
        if (w->chunk_at == w->chunk_len) {
            uint64_t left = w->size - w->written;
            w->chunk_len = (size_t)(1 + (w->written * 7919) % sizeof w->chunk);
            if (w->chunk_len > left)
                w->chunk_len = (size_t)left;
            w->chunk_at = 0;
            make_content(&w->sender, w->chunk, w->chunk_len);
        }
        size_t n =
            w->from_kind->write(w->from, w->chunk + w->chunk_at, w->chunk_len - w->chunk_at, now);
        if (!n)
            break;
        w->chunk_at += n;
        w->written += n;
        any = true;
    }
    return any;
}

static bool
way_read(struct way *w, fog_time now)
{
    static uint8_t got[65536], want[65536];
    bool any = false;
    for (size_t n; (n = w->to_kind->read(w->to, got, sizeof got, now)); any = true) {
        assert_in_range(n, 1, w->size - w->read);
        make_content(&w->reader, want, n);
        if (memcmp(got, want, n) != 0)
            fail_msg("bytes %llu..%llu differ", (unsigned long long)w->read,
                     (unsigned long long)(w->read + n));
        w->read += n;
    }
    return any;
}

/* Moves what can be moved now in one direction. */
static bool
way_move(struct way *w, fog_time now)
{
    uint8_t buf[2048];
    uint64_t tag;
    size_t len;
    bool any = way_write(w, now);
    while ((len = w->from_kind->output(w->from, buf, sizeof buf, now))) {
        assert_in_range(len, 24, 1250);
        fogi_emu_push(w->link, 0, buf, len, now);
        any = true;
    }
    while (fogi_emu_pop(w->link, &tag, buf, sizeof buf, &len, now)) {
        w->to_kind->input(w->to, buf, len, now);
        any = true;
    }
    return way_read(w, now) || any;
}

static fog_time
earlier(fog_time a, fog_time b)
{
    return a < b ? a : b;
}

static fog_time
next_time(const struct way *w, fog_time now)
{
    fog_time at = earlier(fogi_emu_deadline(w[0].link), fogi_emu_deadline(w[1].link));
    at = earlier(at, w[0].from_kind->deadline(w[0].from, now));
    return earlier(at, w[1].from_kind->deadline(w[1].from, now));
}

static void
run(struct way w[2], const char *name)
{
    fog_time now = 0;
    for (unsigned step = 0; w[0].read < w[0].size || w[1].read < w[1].size; step++) {
        if (step == STEPS_MAX || now > LIMIT)
            fail_msg("%s: stuck after %u steps at %lld us: %llu of %llu and %llu of %llu bytes",
                     name, step, (long long)now, (unsigned long long)w[0].read,
                     (unsigned long long)w[0].size, (unsigned long long)w[1].read,
                     (unsigned long long)w[1].size);
        for (unsigned turn = 0; turn < 64; turn++) {
            bool any = way_move(&w[0], now);
            if (!way_move(&w[1], now) && !any)
                break;
        }
        fog_time at = next_time(w, now);
        assert_true(at != FOG_TIME_NEVER);
        if (at > now)
            now = at;
        else if (step % 8 == 7)
            now += 100; /* a deadline that stays due is due again a moment later */
        w[0].from_kind->tick(w[0].from, now);
        w[1].from_kind->tick(w[1].from, now);
    }
}

static void
way_init(struct way *w, const struct peer_kind *from_kind, struct peer *from,
         const struct peer_kind *to_kind, struct peer *to, double loss, uint64_t seed)
{
    const struct emu_options e = {.delay_us = FOG_MS(15),
                                  .jitter_us = FOG_MS(4),
                                  .loss = loss,
                                  .duplicate = 0.01,
                                  .rate_bps = 50000000,
                                  .queue_bytes = 4000000,
                                  .overhead = 28};
    struct rng r = {seed};
    memset(w, 0, sizeof *w);
    w->from_kind = from_kind;
    w->to_kind = to_kind;
    w->from = from;
    w->to = to;
    w->sender = w->reader = rng_split(&r, 1);
    assert_int_equal(fogi_emu_new(&w->link, &e, rng_split(&r, 2), fog_alloc_libc()), 0);
}

static void
play(const struct scenario *s, uint32_t wnd, double loss)
{
    const struct peer_options o = {.wnd = wnd, .first = s->first, .epoch = s->epoch};
    static struct way w[2];
    char name[96];
    struct peer *a = s->a->make(&o), *b = s->b->make(&o);
    uint64_t size = (uint64_t)wnd * 1226 * 3; /* three windows, at least */
    snprintf(name, sizeof name, "%s, window %u, loss %g %%", s->name, wnd, loss * 100);
    way_init(&w[0], s->a, a, s->b, b, loss, wnd + (uint64_t)(loss * 100));
    way_init(&w[1], s->b, b, s->a, a, loss, wnd + (uint64_t)(loss * 100) + 7);
    w[0].size = s->a_sends ? size : 0;
    w[1].size = s->b_sends ? size : 0;
    run(w, name);
    fogi_emu_free(w[0].link);
    fogi_emu_free(w[1].link);
    s->a->free(a);
    s->b->free(b);
}

static void
test_scenario(void **state)
{
    static const uint32_t windows[] = {32, 128, 1024};
    static const double losses[] = {0, 0.05, 0.2};
    for (size_t i = 0; i < 3; i++)
        for (size_t k = 0; k < 3; k++)
            play(*state, windows[i], losses[k]);
}

#define NEAR_WRAP FOG_MS(0xffffff00LL)

int
main(void)
{
    static struct scenario s[] = {
        {"reference to foggara", &peer_reference, &peer_ours, true, false, 0, 0},
        {"foggara to reference", &peer_ours, &peer_reference, true, false, 0, 0},
        {"both ways", &peer_ours, &peer_reference, true, true, 0, 0},
        {"both ways, ts near its wrap", &peer_ours, &peer_reference, true, true, 0, NEAR_WRAP},
        {"both ways, sn near its wrap", &peer_reference, &peer_ours, true, true, 0xffffffc0, 0},
    };
    struct CMUnitTest tests[sizeof s / sizeof s[0]];
    for (size_t i = 0; i < sizeof s / sizeof s[0]; i++)
        tests[i] = (struct CMUnitTest){
            .name = s[i].name, .test_func = test_scenario, .initial_state = &s[i]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
