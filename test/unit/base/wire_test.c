/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/seq.h"
#include "base/wire.h"

static void
test_seq(void **state)
{
    (void)state;
    /* clang-format off */
    static const struct {
        const char *name;
        uint32_t a, b;
        int32_t diff;
    } rows[] = {
        {"equal",                  7,           7,           0},
        {"next",                   8,           7,           1},
        {"before",                 7,           8,          -1},
        {"over the wrap",          0,           0xffffffff,  1},
        {"back over the wrap",     0xffffffff,  0,          -1},
        {"far over the wrap",      0x10,        0xfffffff0,  0x20},
        {"half a turn minus one",  0x7fffffff,  0,           INT32_MAX},
        {"minus half a turn + 1",  0x80000001,  0,          -INT32_MAX},
        {"round the middle",       0x80000000,  0x7fffffff,  1},
    };
    /* clang-format on */
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint32_t a = rows[i].a, b = rows[i].b;
        if (seq_diff(a, b) != rows[i].diff || seq_lt(a, b) != (rows[i].diff < 0) ||
            seq_le(a, b) != (rows[i].diff <= 0))
            fail_msg("%s: %#x - %#x = %d", rows[i].name, a, b, seq_diff(a, b));
    }
}

static void
test_seq_in(void **state)
{
    (void)state;
    /* clang-format off */
    static const struct {
        const char *name;
        uint32_t x, from, to;
        bool in;
    } rows[] = {
        {"first",               5,          5,          9,  true},
        {"last",                8,          5,          9,  true},
        {"end",                 9,          5,          9,  false},
        {"before",              4,          5,          9,  false},
        {"empty range",         5,          5,          5,  false},
        {"wrap, low part",      2,          0xfffffffe, 4,  true},
        {"wrap, high part",     0xffffffff, 0xfffffffe, 4,  true},
        {"wrap, before",        0xfffffffd, 0xfffffffe, 4,  false},
        {"wrap, end",           4,          0xfffffffe, 4,  false},
        {"ends at the wrap",    0xffffffff, 0xfffffff0, 0,  true},
        {"zero behind an end",  0,          0xfffffff0, 0,  false},
    };
    /* clang-format on */
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (seq_in(rows[i].x, rows[i].from, rows[i].to) != rows[i].in)
            fail_msg("%s", rows[i].name);
    }
}

static void
test_wire_bytes(void **state)
{
    (void)state;
    uint8_t b[9];
    memset(b, 0xaa, sizeof b);
    put_le16(b + 1, 0x1234);
    assert_memory_equal(b, "\xaa\x34\x12\xaa", 4);
    put_le32(b + 1, 0x89abcdef);
    assert_memory_equal(b, "\xaa\xef\xcd\xab\x89\xaa", 6);
    put_be24(b + 1, 0x123456);
    assert_memory_equal(b, "\xaa\x12\x34\x56\x89\xaa", 6);
    put_be32(b + 1, 0x89abcdef);
    assert_memory_equal(b, "\xaa\x89\xab\xcd\xef\xaa", 6);
    put_be64(b + 1, 0x0123456789abcdef);
    assert_memory_equal(b, "\xaa\x01\x23\x45\x67\x89\xab\xcd\xef", 9);
}

/** Corner values come back, at every alignment. */
static void
test_wire_round_trip(void **state)
{
    (void)state;
    static const uint64_t values[] = {
        0,          1,          0x7f,       0x80,       0xff,       0x100,      0x7fff,
        0x8000,     0xffff,     0x10000,    0x7fffff,   0x800000,   0xffffff,   0x01000000,
        0x7fffffff, 0x80000000, 0xffffffff, 1ull << 32, 1ull << 63, UINT64_MAX,
    };
    uint8_t b[16];
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        for (size_t at = 0; at < 8; at++) {
            uint64_t v = values[i];
            put_le16(b + at, (uint16_t)v);
            assert_int_equal(get_le16(b + at), (uint16_t)v);
            put_le32(b + at, (uint32_t)v);
            assert_int_equal(get_le32(b + at), (uint32_t)v);
            put_be24(b + at, (uint32_t)v & 0xffffff);
            assert_int_equal(get_be24(b + at), v & 0xffffff);
            put_be32(b + at, (uint32_t)v);
            assert_int_equal(get_be32(b + at), (uint32_t)v);
            put_be64(b + at, v);
            assert_int_equal(get_be64(b + at), v);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seq),
        cmocka_unit_test(test_seq_in),
        cmocka_unit_test(test_wire_bytes),
        cmocka_unit_test(test_wire_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
