/* SPDX-License-Identifier: MIT */
#include "pair.h"

#include "arq/snd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

struct fixture {
    struct ledger ledger;
    struct mem mem;
    struct snd snd;
    uint64_t written;
    uint32_t first; /* sn */
    size_t seg;     /* bytes of every segment */
};

static void
start(struct fixture *f, uint32_t sn, size_t seg)
{
    *f = (struct fixture){.first = sn, .seg = seg};
    ledger_init(&f->ledger);
    mem_init(&f->mem, &f->ledger.al);
    fogi_snd_init(&f->snd, sn);
}

static void
end(struct fixture *f)
{
    fogi_snd_deinit(&f->snd, &f->mem);
    assert_int_equal(f->ledger.blocks, 0);
}

static void
write_bytes(struct fixture *f, size_t len)
{
    for (; len > 0; len--) {
        uint8_t b = pair_byte(0, f->written++);
        assert_true(fogi_bytes_append(&f->snd.q, &f->mem, &b, 1));
    }
}

static void
check(const struct fixture *f, uint32_t sn, const uint8_t *data)
{
    for (size_t i = 0; i < f->seg; i++)
        assert_int_equal(data[i], pair_byte(0, (uint64_t)(sn - f->first) * f->seg + i));
}

static void
cut(struct fixture *f, unsigned n)
{
    uint8_t data[2048];
    while (n--) {
        assert_true(fogi_snd_room(&f->snd, &f->mem));
        uint32_t sn = fogi_snd_cut(&f->snd, data, (uint16_t)f->seg);
        assert_int_equal(sn, f->snd.next - 1);
        check(f, sn, data);
        assert_non_null(snd_at(&f->snd, sn)->at.page); /* sent again without a search */
    }
}

/* Segments are acknowledged in some order; una, flight and what is freed follow. */
static void
test_acks(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        unsigned acks[6], n;
        unsigned una, flight;
    } rows[] = {
        {"none", {0}, 0, 0, 6},
        {"front", {0}, 1, 1, 5},
        {"two in order", {0, 1}, 2, 2, 4},
        {"hole", {1, 2}, 2, 0, 4},
        {"hole closed", {1, 2, 0}, 3, 3, 3},
        {"all backwards", {5, 4, 3, 2, 1, 0}, 6, 6, 0},
    };
    static const uint32_t firsts[] = {0, 0xfffffffd, 0x7ffffffd};
    for (unsigned s = 0; s < 3; s++) {
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            struct fixture f;
            start(&f, firsts[s], 100);
            write_bytes(&f, 650);
            cut(&f, 6);
            assert_int_equal(snd_queued(&f.snd), 50);
            for (unsigned j = 0; j < rows[i].n; j++)
                fogi_snd_ack(&f.snd, &f.mem, firsts[s] + rows[i].acks[j]);
            if (f.snd.una - firsts[s] != rows[i].una || f.snd.flight != rows[i].flight)
                fail_msg("%s: una %u flight %u", rows[i].name, f.snd.una, f.snd.flight);
            assert_int_equal(f.snd.q.head, 100 * rows[i].una);
            assert_int_equal(f.snd.cap == 0, rows[i].una == 6);
            end(&f);
        }
    }
}

static void
test_lost_queue(void **state)
{
    (void)state;
    struct fixture f;
    uint8_t data[2048];
    start(&f, 0xfffffffc, 70);
    write_bytes(&f, 700);
    cut(&f, 10);
    static const unsigned lost[] = {7, 2, 5, 0, 9};
    for (unsigned i = 0; i < 5; i++)
        fogi_snd_lose(&f.snd, f.first + lost[i]);
    fogi_snd_lose(&f.snd, f.first + 2); /* is lost already */
    assert_int_equal(f.snd.n_lost, 5);
    fogi_snd_ack(&f.snd, &f.mem, f.first + 5); /* from the middle */
    fogi_snd_ack(&f.snd, &f.mem, f.first + 7); /* the first */
    fogi_snd_ack(&f.snd, &f.mem, f.first + 9); /* the last */
    fogi_snd_lose(&f.snd, f.first + 9);        /* has arrived: no effect */
    assert_int_equal(f.snd.n_lost, 2);
    static const unsigned again[] = {2, 0};
    for (unsigned i = 0; i < 2; i++) {
        uint32_t sn = fogi_snd_again(&f.snd, data);
        assert_int_equal(sn, f.first + again[i]);
        check(&f, sn, data);
        assert_int_equal(snd_at(&f.snd, sn)->sends, 2);
    }
    assert_int_equal(f.snd.n_lost, 0);
    fogi_snd_lose(&f.snd, f.first + 2); /* lost again */
    assert_int_equal(fogi_snd_again(&f.snd, data), f.first + 2);
    end(&f);
}

/* What is urged goes first, from wherever it waits; the rest keeps its order. */
static void
test_urged(void **state)
{
    (void)state;
    for (unsigned urged = 0; urged < 4; urged++) {
        struct fixture f;
        uint8_t data[2048];
        start(&f, 0xfffffffe, 70);
        write_bytes(&f, 350);
        cut(&f, 5);
        fogi_snd_urge(&f.snd, f.first + urged); /* is not lost: no effect */
        assert_int_equal(f.snd.n_lost, 0);
        for (unsigned i = 0; i < 4; i++)
            fogi_snd_lose(&f.snd, f.first + i);
        fogi_snd_urge(&f.snd, f.first + urged);
        fogi_snd_urge(&f.snd, f.first + 4); /* flies */
        fogi_snd_lose(&f.snd, f.first + 4);
        assert_int_equal(f.snd.n_lost, 5);
        assert_int_equal(fogi_snd_again(&f.snd, data), f.first + urged);
        check(&f, f.first + urged, data);
        for (unsigned i = 0; i < 5; i++) {
            if (i != urged)
                assert_int_equal(fogi_snd_again(&f.snd, data), f.first + i);
        }
        assert_int_equal(f.snd.n_lost, 0);
        end(&f);
    }
}

/* Many rounds with random acks and losses, over page ends, ring growth and the wrap. */
static void
test_random(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct rng rng = {seed};
        struct fixture f;
        uint8_t data[2048];
        start(&f, 0xffffff00u, 1 + rng_below(&rng, 1500));
        for (unsigned round = 0; round < 250; round++) {
            write_bytes(&f, rng_below(&rng, 6) * f.seg);
            if (snd_span(&f.snd) < 200)
                cut(&f, (unsigned)(snd_queued(&f.snd) / f.seg));
            for (unsigned i = rng_below(&rng, 8); i > 0 && snd_span(&f.snd); i--) {
                uint32_t sn = f.snd.una + rng_below(&rng, snd_span(&f.snd));
                if (rng_below(&rng, 2))
                    fogi_snd_lose(&f.snd, sn);
                else if (snd_at(&f.snd, sn)->state == SND_LOST && rng_below(&rng, 2))
                    fogi_snd_urge(&f.snd, sn);
                else if (snd_at(&f.snd, sn)->state != SND_ACKED)
                    fogi_snd_ack(&f.snd, &f.mem, sn);
            }
            if (f.snd.n_lost && rng_below(&rng, 2)) {
                uint32_t sn = fogi_snd_again(&f.snd, data);
                check(&f, sn, data);
            }
            if (rng_below(&rng, 10) == 0) {
                while (f.snd.una != f.snd.next)
                    fogi_snd_ack(&f.snd, &f.mem, f.snd.una);
                assert_int_equal(f.snd.n_lost, 0);
                assert_int_equal(f.snd.flight, 0);
            }
        }
        end(&f);
    }
}

static void
test_no_memory(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, 0, 10);
    write_bytes(&f, 200);
    f.ledger.fail_at = f.ledger.calls + 1;
    assert_false(fogi_snd_room(&f.snd, &f.mem));
    assert_true(fogi_snd_room(&f.snd, &f.mem));
    cut(&f, 8);
    f.ledger.fail_at = f.ledger.calls + 1;
    assert_false(fogi_snd_room(&f.snd, &f.mem));
    cut(&f, 2);
    end(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_acks),      cmocka_unit_test(test_lost_queue),
        cmocka_unit_test(test_urged),     cmocka_unit_test(test_random),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
