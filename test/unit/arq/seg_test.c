/* SPDX-License-Identifier: MIT */
#include "craft.h"

#include <stdlib.h>

static const uint8_t first_of_vproxy[] = {
    0x00, 0x00, 0x00, 0x00, 0x51, 0x00, 0x00, 0x04, 0xe8, 0xfc, 0xe2,
    0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x09, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x04, 0x00, 0x00, 0x00, 0x00, 0x00,
};

static void
test_recorded(void **state)
{
    (void)state;
    struct seg s[FOG_SEGMENTS_MAX];
    unsigned n;
    assert_int_equal(fogi_seg_parse(first_of_vproxy, sizeof first_of_vproxy, 0, s, &n), FOG_OK);
    assert_int_equal(n, 1);
    assert_int_equal(s[0].cmd, SEG_PUSH);
    assert_int_equal(s[0].wnd, 1024);
    assert_int_equal(s[0].ts, 0x02e2fce8);
    assert_int_equal(s[0].sn, 0);
    assert_int_equal(s[0].una, 0);
    assert_int_equal(s[0].len, 9);
    assert_ptr_equal(s[0].data, first_of_vproxy + 24);

    uint8_t header[FOG_KCP_HEADER];
    fogi_seg_put(header, &s[0]);
    assert_memory_equal(header, first_of_vproxy, sizeof header);
}

static void
test_corners_round_trip(void **state)
{
    (void)state;
    static const uint32_t values[] = {0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 0x12345678};
    for (unsigned i = 0; i < 6; i++) {
        for (unsigned cmd = SEG_PUSH; cmd <= SEG_WINS; cmd++) {
            struct seg in = {.conv = values[i],
                             .cmd = (uint8_t)cmd,
                             .wnd = (uint16_t)values[i],
                             .ts = values[(i + 1) % 6],
                             .sn = values[(i + 2) % 6],
                             .una = values[(i + 3) % 6]};
            uint8_t b[FOG_KCP_HEADER];
            struct seg out[FOG_SEGMENTS_MAX];
            unsigned n;
            fogi_seg_put(b, &in);
            assert_int_equal(fogi_seg_parse(b, sizeof b, in.conv, out, &n), FOG_OK);
            assert_int_equal(n, 1);
            in.data = out[0].data;
            assert_int_equal(out[0].conv, in.conv);
            assert_int_equal(out[0].cmd, in.cmd);
            assert_int_equal(out[0].wnd, in.wnd);
            assert_int_equal(out[0].ts, in.ts);
            assert_int_equal(out[0].sn, in.sn);
            assert_int_equal(out[0].una, in.una);
            assert_int_equal(out[0].len, 0);
        }
    }
}

/* A datagram of two segments, changed at one place. */
static void
test_rejected(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t len;    /* of the datagram; whole: 24 + 10 + 24 + 5 = 63 */
        size_t at;     /* this byte ...                                 */
        uint8_t value; /* ... becomes this                              */
        int want;
    } rows[] = {
        {"whole", 63, 0, 0, FOG_OK},
        {"nothing", 0, 0, 0, FOG_E_FORMAT},
        {"one byte", 1, 0, 0, FOG_E_FORMAT},
        {"a byte short of a header", 23, 0, 0, FOG_E_FORMAT},
        {"header without its payload", 24, 0, 0, FOG_E_FORMAT},
        {"payload a byte short", 33, 0, 0, FOG_E_FORMAT},
        {"first segment alone", 34, 0, 0, FOG_OK},
        {"one byte left over", 35, 0, 0, FOG_E_FORMAT},
        {"23 bytes left over", 57, 0, 0, FOG_E_FORMAT},
        {"second payload missing", 58, 0, 0, FOG_E_FORMAT},
        {"second payload a byte short", 62, 0, 0, FOG_E_FORMAT},
        {"cmd 80", 63, 4, 80, FOG_E_FORMAT},
        {"cmd 85", 63, 4, 85, FOG_E_FORMAT},
        {"second cmd 0", 63, 38, 0, FOG_E_FORMAT},
        {"first conv", 63, 0, 1, FOG_E_CONV},
        {"first conv, high byte", 63, 3, 1, FOG_E_CONV},
        {"second conv", 63, 34, 1, FOG_E_CONV},
        {"len one too long", 63, 20, 40, FOG_E_FORMAT},
        {"len of 2^31", 63, 23, 0x80, FOG_E_FORMAT},
        {"len of nearly 2^32", 63, 23, 0xff, FOG_E_FORMAT},
        {"frg is not read", 63, 5, 255, FOG_OK},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct craft c = {.len = 0};
        struct seg s[FOG_SEGMENTS_MAX];
        unsigned n = 99;
        craft_add(&c, (struct seg){.cmd = SEG_PUSH, .len = 10});
        craft_add(&c, (struct seg){.cmd = SEG_WINS, .len = 5});
        if (rows[i].at || rows[i].value)
            c.buf[rows[i].at] = rows[i].value;
        uint8_t *exact = malloc(rows[i].len + 1); /* a read beyond the end shows */
        assert_non_null(exact);
        memcpy(exact + 1, c.buf, rows[i].len);
        int got = fogi_seg_parse(exact + 1, rows[i].len, 0, s, &n);
        free(exact);
        if (got != rows[i].want)
            fail_msg("%s: %d, not %d", rows[i].name, got, rows[i].want);
        if (got != FOG_OK)
            assert_int_equal(n, 0);
    }
}

static void
test_limits(void **state)
{
    (void)state;
    static struct craft c;
    struct seg s[FOG_SEGMENTS_MAX];
    unsigned n;
    for (unsigned i = 0; i < FOG_SEGMENTS_MAX; i++)
        craft_add(&c, (struct seg){.cmd = SEG_ACK, .sn = i});
    assert_int_equal(fogi_seg_parse(c.buf, c.len, 0, s, &n), FOG_OK);
    assert_int_equal(n, FOG_SEGMENTS_MAX);
    assert_int_equal(s[63].sn, 63);
    craft_add(&c, (struct seg){.cmd = SEG_ACK});
    assert_int_equal(fogi_seg_parse(c.buf, c.len, 0, s, &n), FOG_E_LIMIT);

    c.len = 0;
    craft_add(&c, (struct seg){.cmd = SEG_PUSH, .len = FOG_DATAGRAM_MAX - FOG_KCP_HEADER});
    assert_int_equal(c.len, FOG_DATAGRAM_MAX);
    assert_int_equal(fogi_seg_parse(c.buf, c.len, 0, s, &n), FOG_OK);
    assert_int_equal(s[0].len, 65483);
    c.len = 0;
    craft_add(&c, (struct seg){.cmd = SEG_PUSH, .len = FOG_DATAGRAM_MAX - FOG_KCP_HEADER + 1});
    assert_int_equal(fogi_seg_parse(c.buf, c.len, 0, s, &n), FOG_E_FORMAT);
}

static void
test_opening(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct seg segs[2];
        unsigned n;
        bool want;
    } rows[] = {
        {"PUSH 0", {{.cmd = SEG_PUSH, .len = 9}}, 1, true},
        {"PUSH 1", {{.cmd = SEG_PUSH, .sn = 1}}, 1, false},
        {"PUSH 0, una 1", {{.cmd = SEG_PUSH, .una = 1}}, 1, false},
        {"WASK, PUSH 0", {{.cmd = SEG_WASK, .una = 7}, {.cmd = SEG_PUSH}}, 2, true},
        {"PUSH 1, PUSH 0", {{.cmd = SEG_PUSH, .sn = 1}, {.cmd = SEG_PUSH}}, 2, false},
        {"ACK 0", {{.cmd = SEG_ACK}}, 1, false},
        {"WINS", {{.cmd = SEG_WINS}}, 1, false},
        {"conv 1", {{.conv = 1, .cmd = SEG_PUSH}}, 1, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct craft c = {.len = 0};
        for (unsigned j = 0; j < rows[i].n; j++)
            craft_add(&c, rows[i].segs[j]);
        if (fog_kcp_is_opening(c.buf, c.len, 0) != rows[i].want)
            fail_msg("%s", rows[i].name);
        if (fog_kcp_is_opening(c.buf, c.len - 1, 0))
            fail_msg("%s, a byte short", rows[i].name);
    }
}

static void
test_unknown(void **state)
{
    (void)state;
    struct craft c = {.len = 0};
    uint8_t out[FOG_KCP_HEADER];
    size_t len = 99;
    struct seg s[FOG_SEGMENTS_MAX];
    unsigned n;
    craft_add(&c, (struct seg){.conv = 3, .cmd = SEG_ACK, .sn = 1, .ts = 2, .una = 9});
    len = fog_kcp_unknown(c.buf, c.len, 3, out, sizeof out);
    assert_int_equal(len, 0); /* neither PUSH nor WASK */
    craft_add(&c, (struct seg){.conv = 3, .cmd = SEG_PUSH, .sn = 77, .ts = 88, .una = 9, .len = 4});
    len = fog_kcp_unknown(c.buf, c.len - 1, 3, out, sizeof out);
    assert_int_equal(len, 0);
    len = fog_kcp_unknown(c.buf, c.len, 2, out, sizeof out);
    assert_int_equal(len, 0);
    len = fog_kcp_unknown(c.buf, c.len, 3, out, sizeof out - 1);
    assert_int_equal(len, 0);
    len = fog_kcp_unknown(c.buf, c.len, 3, out, sizeof out);
    assert_int_equal(len, FOG_KCP_HEADER);
    assert_int_equal(fogi_seg_parse(out, len, 3, s, &n), FOG_OK);
    assert_int_equal(s[0].cmd, SEG_WINS);
    assert_int_equal(s[0].sn, 77);
    assert_int_equal(s[0].ts, 88);
    assert_int_equal(s[0].una, 0);
}

/* What ends a vproxy is dropped whole by ours. */
static void
test_end_of_vproxy(void **state)
{
    (void)state;
    uint8_t out[FOG_KCP_HEADER];
    struct seg s[FOG_SEGMENTS_MAX];
    unsigned n;
    fog_kcp_end_vproxy(3, out);
    assert_int_equal(out[0], 3);
    assert_int_equal(out[4], 0); /* 81 to 84 are commands */
    assert_int_equal(fogi_seg_parse(out, sizeof out, 3, s, &n), FOG_E_FORMAT);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recorded),      cmocka_unit_test(test_corners_round_trip),
        cmocka_unit_test(test_rejected),      cmocka_unit_test(test_limits),
        cmocka_unit_test(test_opening),       cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_end_of_vproxy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
