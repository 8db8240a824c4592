/* SPDX-License-Identifier: MIT
 *
 * One member in, one out: the corpus of members that are none, and what a mux makes of them.
 */
#include "unit/mux/spec.h"

#include "gzip/gzip.h"

#include <libdeflate.h>

#define CAP 65536

enum { FHCRC = 2, FEXTRA = 4, FNAME = 8, FCOMMENT = 16 };

/* A member by hand: header with `flags`, deflate at `level`, checksum and size off by what is said.
 */
static size_t
member(uint8_t *out, size_t cap, const void *data, size_t len, int flags, int level,
       uint32_t bad_crc, uint32_t bad_size)
{
    const uint8_t head[10] = {0x1f, 0x8b, 8, (uint8_t)flags, 0, 0, 0, 0, 0, 0xff};
    size_t n = sizeof head;
    memcpy(out, head, n);
    if (flags & FEXTRA) {
        memcpy(out + n,
               "\x04\x00"
               "ab\x00\x00",
               6);
        n += 6;
    }
    if (flags & FNAME) {
        memcpy(out + n, "name", 5);
        n += 5;
    }
    if (flags & FCOMMENT) {
        memcpy(out + n, "a comment", 10);
        n += 10;
    }
    struct libdeflate_compressor *c = libdeflate_alloc_compressor(level);
    n += libdeflate_deflate_compress(c, data, len, out + n, cap - n);
    libdeflate_free_compressor(c);
    uint32_t crc = libdeflate_crc32(0, data, len) + bad_crc, size = (uint32_t)len + bad_size;
    for (int i = 0; i < 4; i++) {
        out[n + (size_t)i] = (uint8_t)(crc >> 8 * i);
        out[n + 4 + (size_t)i] = (uint8_t)(size >> 8 * i);
    }
    return n + 8;
}

static uint8_t plain[1 << 21]; /* zeros: compresses 1000:1 */

static const struct {
    const char *name;
    size_t len;
    int flags, level;
    uint32_t bad_crc, bad_size;
    int tail; /* bytes behind the member; < 0: that many cut off; 99: a second member */
    int want;
} rows[] = {
    {"plain", 1000, 0, 6, 0, 0, 0, 0},
    {"nothing", 0, 0, 6, 0, 0, 0, 0},
    {"stored blocks only", 50000, 0, 0, 0, 0, 0, 0},
    {"fills the bound", CAP, 0, 6, 0, 0, 0, 0},
    {"one byte over the bound", CAP + 1, 0, 6, 0, 0, 0, FOG_E_LIMIT},
    {"bomb", sizeof plain, 0, 12, 0, 0, 0, FOG_E_LIMIT},
    {"name", 1000, FNAME, 6, 0, 0, 0, 0},
    {"extra field", 1000, FEXTRA, 6, 0, 0, 0, 0},
    {"comment", 1000, FCOMMENT, 6, 0, 0, 0, 0},
    {"name, extra, comment", 1000, FNAME | FEXTRA | FCOMMENT, 6, 0, 0, 0, 0},
    {"reserved flags", 1000, 0xe0, 6, 0, 0, 0, FOG_E_FORMAT},
    {"wrong CRC", 1000, 0, 6, 1, 0, 0, FOG_E_FORMAT},
    {"wrong size", 1000, 0, 6, 0, 1, 0, FOG_E_FORMAT},
    {"one byte behind", 1000, 0, 6, 0, 0, 1, FOG_E_FORMAT},
    {"a header behind", 1000, 0, 6, 0, 0, 10, FOG_E_FORMAT},
    {"two members", 1000, 0, 6, 0, 0, 99, FOG_E_FORMAT},
    {"two empty members", 0, 0, 6, 0, 0, 99, FOG_E_FORMAT},
    {"a byte short", 1000, 0, 6, 0, 0, -1, FOG_E_FORMAT},
    {"no trailer", 1000, 0, 6, 0, 0, -8, FOG_E_FORMAT},
};

static uint8_t packed[1 << 17];

static size_t
make(size_t i)
{
    size_t n = member(packed, sizeof packed, plain, rows[i].len, rows[i].flags, rows[i].level,
                      rows[i].bad_crc, rows[i].bad_size);
    if (rows[i].tail == 99) {
        memcpy(packed + n, packed, n);
        return 2 * n;
    }
    if (rows[i].tail > 0)
        memcpy(packed + n, packed, (size_t)rows[i].tail);
    return n + (size_t)rows[i].tail;
}

static void
corpus(void **state)
{
    static uint8_t out[CAP + 1];
    struct fog_gzip g;
    (void)state;
    assert_int_equal(fogi_gzip_new(&g), 0);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t len = 77, n = make(i);
        memset(out, 0xee, sizeof out);
        int rc = g.inflate(g.ctx, packed, n, out, CAP, &len);
        if (rc != rows[i].want || len != (rc ? 0 : rows[i].len))
            fail_msg("%s: %s, %zu bytes", rows[i].name, fog_err_name(rc), len);
        assert_int_equal(out[CAP], 0xee);
        if (!rc)
            assert_memory_equal(out, plain, len);
    }
    fogi_gzip_free(&g);
}

/* Every truncation and every flipped byte is refused, or yields the same bytes (header fields). */
static void
damaged(void **state)
{
    static uint8_t out[CAP];
    struct fog_gzip g;
    uint8_t text[300], buf[400];
    size_t len;
    (void)state;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (uint8_t)(i * i >> 3);
    assert_int_equal(fogi_gzip_new(&g), 0);
    size_t n = member(buf, sizeof buf, text, sizeof text, 0, 6, 0, 0);
    for (size_t cut = 0; cut < n; cut++)
        assert_int_equal(g.inflate(g.ctx, buf, cut, out, CAP, &len), FOG_E_FORMAT);
    for (size_t i = 0; i < n; i++) {
        buf[i] ^= 0x55;
        int rc = g.inflate(g.ctx, buf, n, out, CAP, &len);
        if (rc == 0)
            assert_true(len == sizeof text && memcmp(out, text, len) == 0 && i >= 3 && i < 10);
        buf[i] ^= 0x55;
    }
    assert_int_equal(g.inflate(g.ctx, buf, n, out, CAP, &len), 0); /* nothing carries over */
    fogi_gzip_free(&g);
}

static void
round_trip(void **state)
{
    static uint8_t in[16384], out[16384], back[16384];
    static const size_t lengths[] = {1, 1025, 4096, 16384};
    struct fog_gzip g;
    size_t len, n;
    (void)state;
    assert_int_equal(fogi_gzip_new(&g), 0);
    for (size_t i = 0; i < sizeof in; i++)
        in[i] = (uint8_t)((size_t) "a line of text that repeats\n"[i % 28] + i / 4096);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(g.deflate(g.ctx, in, lengths[i], out, sizeof out, &len), 0);
        assert_int_equal(g.inflate(g.ctx, out, len, back, sizeof back, &n), 0);
        assert_int_equal(n, lengths[i]);
        assert_memory_equal(back, in, n);
    }
    assert_int_equal(g.deflate(g.ctx, in, 4096, out, 20, &len), FOG_E_LIMIT);
    fogi_gzip_free(&g);
    fogi_gzip_free(&g);
}

/* What a mux makes of each member: the bytes, or RST of that stream and nothing else. */
static void
corpus_in_a_mux(void **state)
{
    static uint8_t frame[9 + sizeof packed];
    struct fog_gzip g;
    (void)state;
    assert_int_equal(fogi_gzip_new(&g), 0);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (int singly = 0; singly < 2; singly++) {
            struct rig r;
            char text[100];
            size_t n = make(i);
            rig_init(&r, FOG_SERVER);
            r.o.gzip = &g;
            r.o.limits.stream_recv_dialling = CAP + 1;
            rig_start(&r);
            spec_advance(&r, FOG_SERVER, OPEN);
            rig_clear(&r);
            const uint8_t head[9] = {
                (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n, 0, 5, 0, 0, 0, 1};
            memcpy(frame, head, 9);
            memcpy(frame + 9, packed, n);
            assert_int_equal(rig_feed_bytes(&r, frame, 9 + n, singly), 9 + n);
            rig_collect(&r);
            struct fog_mux_status st = rig_status(r.m);
            assert_int_equal(st.recv_held, rows[i].want ? 0 : rows[i].len);
            assert_string_equal(rig_events(&r, text, sizeof text),
                                rows[i].want ? "reset:LIMIT" : "readable");
            assert_int_equal(st.n.limit_inflate_hit, rows[i].want == FOG_E_LIMIT);
            assert_int_equal(r.out_len, rows[i].want ? 9 : 0);
            assert_string_equal(fog_stream_state_name(r.st), rows[i].want ? "dead" : "fin_recv");
            assert_false(fog_mux_is_closed(r.m));
            rig_end(&r);
        }
    }
    fogi_gzip_free(&g);
}

/* --compress: payloads over 1024 bytes leave compressed if that is smaller. */
static void
sending(void **state)
{
    struct pair p;
    struct fog_mux_options co, so;
    struct fog_gzip g;
    struct fog_stream *c;
    struct fog_event ev;
    static uint8_t noise[4096], buf[65536];
    bool eof;
    uint32_t x = 1;
    (void)state;
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (uint8_t)((x = x * 1664525 + 1013904223) >> 24);
    assert_int_equal(fogi_gzip_new(&g), 0);
    fog_mux_options_init(&co, FOG_CLIENT);
    fog_mux_options_init(&so, FOG_SERVER);
    co.gzip = so.gzip = &g;
    co.compress = true;
    pair_init(&p, &co, &so, PAIR_PIPE);
    pair_run(&p);
    assert_int_equal(fog_mux_open(p.c.m, &c, p.now), 0);
    pair_run(&p);
    assert_true(side_await(&p.s, FOG_EV_OPENED, &ev));
    static const struct {
        bool noise;
        size_t len;
        bool zipped;
    } writes[] = {{false, 1024, false}, {false, 1025, true}, {true, 4096, false}};
    for (size_t i = 0; i < 3; i++) {
        const uint8_t *data = writes[i].noise ? noise : plain;
        size_t before = p.c.out.len;
        assert_int_equal(side_write(&p.c, c, data, writes[i].len, p.now), writes[i].len);
        size_t frame = p.c.out.len - before;
        assert_int_equal(p.c.out.at[before + 4], writes[i].zipped ? 4 : 0);
        assert_true(writes[i].zipped ? frame < 100 : frame == 9 + writes[i].len);
        pair_run(&p);
        assert_int_equal(side_read(&p.s, ev.stream, buf, sizeof buf, &eof, p.now), writes[i].len);
        assert_memory_equal(buf, data, writes[i].len);
    }
    assert_int_equal(rig_status(p.c.m).n.deflated, 1);
    assert_int_equal(rig_status(p.s.m).n.inflated, 1);
    pair_free(&p);
    fogi_gzip_free(&g);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(corpus),          cmocka_unit_test(damaged), cmocka_unit_test(round_trip),
        cmocka_unit_test(corpus_in_a_mux), cmocka_unit_test(sending),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
