/* SPDX-License-Identifier: MIT
 *
 * Which segments leave again before anything is known of them, against a peer made by hand. A fresh
 * engine takes a link for one that loses a little.
 */
#include "peer.h"

#define RTT FOG_MS(100)
#define LATER (RTT / 12 + FOG_MS(1)) /* a copy has left by then */

/* All that is to leave: counts PUSHes and notes the last one. */
static unsigned
pushes(struct fixture *f, struct seg *last)
{
    unsigned n = 0;
    for (;;) {
        craft_take(f->a, &f->out, f->now);
        if (f->out.len == 0)
            return n;
        n += craft_count(&f->out, SEG_PUSH);
        for (unsigned i = 0; i < f->out.n; i++)
            if (f->out.segs[i].cmd == SEG_PUSH)
                *last = f->out.segs[i];
    }
}

static void
answer(struct fixture *f, const struct seg *s)
{
    struct seg ack = {.cmd = SEG_ACK, .wnd = 1024, .sn = s->sn, .ts = s->ts, .una = s->sn + 1};
    assert_int_equal(craft_feed(f->a, ack, f->now), FOG_OK);
}

/* One segment there and back: the round trip is known. */
static void
begin(struct fixture *f, enum fog_cc cc)
{
    struct seg last = {0};
    fog_kcp_options_init(&f->o);
    f->o.cc = cc;
    f->o.rate = cc == FOG_CC_RATE ? 10000000 : 0;
    start_with(f);
    craft_write(f->a, 100, f->now);
    assert_int_equal(pushes(f, &last), 1);
    f->now += RTT;
    answer(f, &last);
}

/* A short answer leaves in copies, 16 at most at once. */
static void
test_short_ones(void **state)
{
    (void)state;
    static const struct {
        unsigned segs, copies;
    } rows[] = {{1, 1}, {3, 3}, {16, 16}, {17, 16}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture f;
        struct seg last = {0};
        begin(&f, FOG_CC_MODEL);
        craft_write(f.a, rows[i].segs * (size_t)MSS, f.now);
        unsigned sent = pushes(&f, &last);
        for (unsigned ms = 0; sent < rows[i].segs && ms < 20; ms++) { /* the pacer has its say */
            f.now += FOG_MS(1);
            sent += pushes(&f, &last);
        }
        assert_int_equal(sent, rows[i].segs);
        f.now += LATER;
        assert_int_equal(pushes(&f, &last), rows[i].copies);
        assert_int_equal(last.sn, rows[i].segs); /* the end is among them */
        assert_int_equal(craft_status(f.a).n.redundant, rows[i].copies);
        f.now += LATER;
        assert_int_equal(pushes(&f, &last), 0); /* once: losses are not known to be many */
        end(&f);
    }
}

/* With more on their way, only the last one has a copy. */
static void
test_not_the_long(void **state)
{
    (void)state;
    static const struct {
        unsigned before, copies;
    } rows[] = {{30, 2}, {31, 1}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture f;
        struct seg last = {0};
        begin(&f, FOG_CC_MODEL);
        for (unsigned n = 0; n < rows[i].before; n++) {
            craft_write(f.a, 100, f.now);
            pushes(&f, &last);
            f.now += FOG_MS(1);
        }
        f.now += RTT / 2; /* so many copies are allowed again */
        pushes(&f, &last);
        assert_int_equal(craft_status(f.a).flight_segs, rows[i].before);
        craft_write(f.a, 2 * (size_t)MSS, f.now);
        assert_int_equal(pushes(&f, &last), 2);
        f.now += LATER;
        assert_int_equal(pushes(&f, &last), rows[i].copies);
        assert_int_equal(last.sn, rows[i].before + 2);
        end(&f);
    }
}

/* One after the other: each is copied once, those behind it do not bring it again. */
static void
test_each_once(void **state)
{
    (void)state;
    struct fixture f;
    struct seg last = {0};
    begin(&f, FOG_CC_MODEL);
    for (unsigned i = 0; i < 8; i++) {
        craft_write(f.a, 100, f.now);
        assert_int_equal(pushes(&f, &last), 1);
    }
    f.now += LATER;
    assert_int_equal(pushes(&f, &last), 8);
    f.now += LATER;
    assert_int_equal(pushes(&f, &last), 0);
    end(&f);
}

/* What has arrived meanwhile is not sent again. */
static void
test_not_what_arrived(void **state)
{
    (void)state;
    struct fixture f;
    struct seg last = {0};
    begin(&f, FOG_CC_MODEL);
    craft_write(f.a, 3 * (size_t)MSS, f.now);
    assert_int_equal(pushes(&f, &last), 3);
    answer(&f, &last);
    f.now += LATER;
    assert_int_equal(pushes(&f, &last), 0);
    end(&f);
}

/* Where a rate is told, only the last one has a copy. */
static void
test_told_rate(void **state)
{
    (void)state;
    struct fixture f;
    struct seg last = {0};
    begin(&f, FOG_CC_RATE);
    craft_write(f.a, 3 * (size_t)MSS, f.now);
    unsigned sent = pushes(&f, &last);
    for (unsigned ms = 0; sent < 3 && ms < 20; ms++) {
        f.now += FOG_MS(1);
        sent += pushes(&f, &last);
    }
    f.now += LATER;
    assert_int_equal(pushes(&f, &last), 1);
    assert_int_equal(last.sn, 3);
    end(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_short_ones), cmocka_unit_test(test_not_the_long),
        cmocka_unit_test(test_each_once),  cmocka_unit_test(test_not_what_arrived),
        cmocka_unit_test(test_told_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
