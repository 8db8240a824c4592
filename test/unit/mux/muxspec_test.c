/* SPDX-License-Identifier: MIT
 *
 * Conformance: raw bytes in; the exact bytes, events and counters out. Every case is fed whole and
 * one byte at a time. The cases follow the list of doc/testing.md ("muxspec").
 */
#include "unit/mux/spec.h"

/* clang-format off */
static const struct spec_case handshake[] = {
/* name                              role    stage  fed                                          bytes out   reason out                      events                 counters */
{"server: SETTINGS",                  SERVER, RAW, SETTINGS,                                     SETTINGS,   NULL,                           "ready",               ""},
{"client: SETTINGS",                  CLIENT, RAW, SETTINGS,                                     "",         NULL,                           "ready",               ""},
{"DATA first",                        SERVER, RAW, "000000 00 00 00000001",                      "",         BAD_HELLO,                      "closed:PROTOCOL",     ""},
{"DATA with payload first",           SERVER, RAW, "000003 00 00 00000001 616263",               "",         BAD_HELLO,                      "closed:PROTOCOL",     ""},
{"HEADERS first",                     SERVER, RAW, SYN("00000001"),                              "",         BAD_HELLO,                      "closed:PROTOCOL",     ""},
{"HEADERS with payload first",        SERVER, RAW, "000001 01 00 00000001 00",                   "",         BAD_HELLO,                      "closed:PROTOCOL",     ""},
{"PING first",                        SERVER, RAW, PING("0000000000000001"),                     "",         BAD_HELLO,                      "closed:PROTOCOL",     ""},
{"empty PING first",                  SERVER, RAW, "000000 06 00 00000000",                      "",         BAD_HELLO,                      "closed:PROTOCOL",     ""},
{"type 2 first",                      SERVER, RAW, "000000 02 00 00000000",                      "",         BAD_HELLO,                      "closed:PROTOCOL",     ""},
{"type 255 with payload first",       CLIENT, RAW, "000002 ff 00 00000000 0000",                 "",         BAD_HELLO,                      "closed:PROTOCOL",     ""},
{"SETTINGS of length 1",              SERVER, RAW, "000001 04 00 00000000 00",                   "",         BAD_HELLO,                      "closed:PROTOCOL",     ""},
{"SETTINGS of length 6",              CLIENT, RAW, "000006 04 00 00000000 000000000000",         "",         BAD_HELLO,                      "closed:PROTOCOL",     ""},
{"SETTINGS with a flag",              SERVER, RAW, "000000 04 01 00000000",                      "",         BAD_HELLO,                      "closed:PROTOCOL",     ""},
{"SETTINGS with a flag, client",      CLIENT, RAW, "000000 04 01 00000000",                      "",         BAD_HELLO,                      "closed:PROTOCOL",     ""},
{"SETTINGS on stream 1",              SERVER, RAW, "000000 04 00 00000001",                      "",         BAD_HELLO,                      "closed:PROTOCOL",     ""},
{"SETTINGS twice",                    SERVER, RAW, SETTINGS SETTINGS,                            "",         "invalid frame type: 4",        "closed:PROTOCOL",     ""},
{"SETTINGS twice, client",            CLIENT, RAW, SETTINGS SETTINGS,                            "",         "invalid frame type: 4",        "closed:PROTOCOL",     ""},
{"half a SETTINGS",                   SERVER, RAW, "000000 04",                                  "",         NULL,                           "",                    ""},
{"GOAWAY first",                      SERVER, RAW, BYE,                                          "",         NULL,                           "closed:SHUTDOWN",     ""},
{"GOAWAY instead of the answer",      CLIENT, RAW, BYE,                                          "",         NULL,                           "closed:SHUTDOWN",     ""},
{"GOAWAY first, cut short",           SERVER, RAW, "00000b 07 00 00000000 ffffffff ffff",        "",         NULL,                           "",                    ""},
{"GOAWAY first, empty",               CLIENT, RAW, "000000 07 00 00000000",                      "",         NULL,                           "closed:SHUTDOWN",     ""},
{"SYN behind SETTINGS",               SERVER, RAW, SETTINGS SYN("00000001"),                     SETTINGS SYN("00000001"), NULL,             "ready opened",        "opened=1"},
{"SYN, DATA, FIN behind SETTINGS",    SERVER, RAW, SETTINGS SYN("00000001") DATA3("00000001") FIN("00000001"), SETTINGS SYN("00000001"), NULL, "ready opened readable", "opened=1"},
{"DATA behind SETTINGS",              CLIENT, RAW, SETTINGS DATA3("00000001"),                   "",         NULL,                           "ready",               "glitches=1"},
{"frames after our failure",          SERVER, RAW, "000000 04 01 00000000" SETTINGS SYN("00000001"), "",     BAD_HELLO,                      "closed:PROTOCOL",     ""},
{"frames after the peer's shutdown",  SERVER, READY, BYE SYN("00000001"),                        "",         NULL,                           "closed:SHUTDOWN",     ""},
};

static const struct spec_case framing[] = {
{"unknown type",                      SERVER, OPEN,  "000000 02 00 00000000",                    "",         "invalid frame type: 2",        "closed:PROTOCOL",     "closed=1"},
{"unknown type 200",                  CLIENT, READY, "000000 c8 00 00000000",                    "",         "invalid frame type: -56",      "closed:PROTOCOL",     ""},
{"CONTINUATION",                      SERVER, READY, "000000 09 04 00000001",                    "",         "invalid frame type: 9",        "closed:PROTOCOL",     ""},
{"SETTINGS ACK",                      SERVER, READY, "000000 04 01 00000000",                    "",         "invalid frame type: 4",        "closed:PROTOCOL",     ""},
{"top bit, DATA",                     SERVER, READY, "000000 00 00 80000000",                    "",         "invalid streamId: -2147483648","closed:PROTOCOL",     ""},
{"top bit, HEADERS",                  SERVER, READY, SYN("ffffffff"),                            "",         "invalid streamId: -1",         "closed:PROTOCOL",     ""},
{"top bit, PING",                     SERVER, READY, "000008 06 00 80000001 0000000000000001",   "",         "invalid streamId: -2147483647","closed:PROTOCOL",     ""},
{"top bit, GOAWAY",                   SERVER, READY, "000000 07 00 80000000",                    "",         "invalid streamId: -2147483648","closed:PROTOCOL",     ""},
{"stream 0 DATA",                     SERVER, READY, DATA3("00000000"),                          "",         NULL,                           "",                    "glitches=1"},
{"stream 0 HEADERS",                  SERVER, READY, SYN("00000000"),                            SYN("00000000"), NULL,                      "opened",              "opened=1"},
{"stream 0, opened and used",         SERVER, READY, SYN("00000000") DATA3("00000000"),          SYN("00000000"), NULL,                      "opened readable",     "opened=1"},
{"highest id",                        SERVER, READY, SYN("7fffffff"),                            SYN("7fffffff"), NULL,                      "opened",              "opened=1"},
{"HEADERS with payload",              SERVER, READY, "000001 01 00 00000001 00",                 "", "invalid frame type with payload len: type=1, len=1", "closed:PROTOCOL", ""},
{"HEADERS with payload, RST",         CLIENT, OPEN,  "000040 01 01 00000001",                    "", "invalid frame type with payload len: type=1, len=64", "closed:PROTOCOL", "closed=1"},
{"PING of 0",                         SERVER, READY, "000000 06 00 00000000",                    "",         NULL,                           "",                    "glitches=1"},
{"PING of 1",                         SERVER, READY, "000001 06 00 00000000 01",                 "",         NULL,                           "",                    "glitches=1"},
{"PING of 7",                         CLIENT, READY, "000007 06 00 00000000 01020304050607",     "",         NULL,                           "",                    "glitches=1"},
{"PING of 8",                         SERVER, READY, PING("0102030405060708"),                   PONG("0102030405060708"), NULL,             "",                    "pings_answered=1"},
{"PING of 9",                         SERVER, READY, "000009 06 00 00000000 010203040506070809", PONG("0102030405060708"), NULL,             "",                    "pings_answered=1"},
{"PING of 64",                        CLIENT, READY, "000040 06 00 00000000 0102030405060708" ZEROS8 ZEROS8 ZEROS8 ZEROS8 ZEROS8 ZEROS8 ZEROS8, PONG("0102030405060708"), NULL, "", "pings_answered=1"},
{"PING with a stream id and flags",   SERVER, READY, "000008 06 fe 00000005 0000000000000009",   PONG("0000000000000009"), NULL,             "",                    "pings_answered=1"},
{"PING ack never asked for",          SERVER, READY, PONG("0000000000000001"),                   "",         NULL,                           "",                    "glitches=1"},
{"short PING ack",                    SERVER, READY, "000002 06 01 00000000 0001",               "",         NULL,                           "",                    "glitches=1"},
{"flags nobody knows",                SERVER, READY, "000000 01 fe 00000001 000003 00 fa 00000001 616263", SYN("00000001"), NULL,            "opened readable",     "opened=1"},
};

static const struct spec_case streams[] = {
{"SYN twice",                         SERVER, OPEN,  SYN("00000001"),                            "",         NULL,                           "",                    "glitches=1"},
{"even id from the client",           SERVER, READY, SYN("00000002"),                            SYN("00000002"), NULL,                      "opened",              "opened=1"},
{"id used again after RST",           SERVER, OPEN,  RST("00000001") SYN("00000001"),            RST("00000001") SYN("00000001"), NULL,      "reset:RESET opened",  "opened=1 closed=1 resets_in=1 resets_out=1"},
{"descending ids",                    SERVER, READY, SYN("00000009") SYN("00000003"),            SYN("00000009") SYN("00000003"), NULL,      "opened opened",       "opened=2"},
{"SYN-ACK for an unknown id",         CLIENT, READY, SYN("00000001"),                            "",         NULL,                           "",                    "glitches=1"},
{"SYN-ACK twice",                     CLIENT, OPEN,  SYN("00000001"),                            "",         NULL,                           "",                    "glitches=1"},
{"SYN-ACK",                           CLIENT, SYNSENT, SYN("00000001"),                          "",         NULL,                           "established",         ""},
{"DATA before SYN-ACK",               CLIENT, SYNSENT, DATA3("00000001"),                        "",         NULL,                           "readable",            ""},
{"DATA, then SYN-ACK",                CLIENT, SYNSENT, DATA3("00000001") SYN("00000001"),        "",         NULL,                           "established readable", ""},
{"FIN before SYN-ACK",                CLIENT, SYNSENT, FIN("00000001"),                          "",         NULL,                           "readable",            ""},
{"RST before SYN-ACK",                CLIENT, SYNSENT, RST("00000001"),                          RST("00000001"), NULL,                      "reset:RESET",         "closed=1 resets_in=1 resets_out=1"},
{"DATA for an id never opened",       SERVER, OPEN,  DATA3("00000003"),                          "",         NULL,                           "",                    "glitches=1"},
{"FIN for an id never opened",        CLIENT, OPEN,  FIN("00000003"),                            "",         NULL,                           "",                    "glitches=1"},
{"RST for an id never opened",        SERVER, OPEN,  RST("00000003"),                            "",         NULL,                           "",                    "glitches=1 resets_in=1"},
{"DATA for a closed id",              SERVER, CLOSED1, DATA3("00000001"),                        "",         NULL,                           "",                    "late=1"},
{"FIN for a closed id",               SERVER, CLOSED1, FIN("00000001"),                          "",         NULL,                           "",                    "late=1"},
{"RST for a closed id",               SERVER, CLOSED1, RST("00000001"),                          "",         NULL,                           "",                    "late=1 resets_in=1"},
{"PSH-FIN for a closed id",           SERVER, CLOSED1, PSHFIN3("00000001"),                      "",         NULL,                           "",                    "late=1"},
{"DATA for a closed id, client",      CLIENT, CLOSED1, DATA3("00000001") FIN("00000001"),        "",         NULL,                           "",                    "late=2"},
{"DATA",                              SERVER, OPEN,  DATA3("00000001") DATA3("00000001"),        "",         NULL,                           "readable",            ""},
{"FIN",                               SERVER, OPEN,  FIN("00000001"),                            "",         NULL,                           "readable",            ""},
{"DATA after FIN",                    SERVER, OPEN,  FIN("00000001") DATA3("00000001"),          "",         NULL,                           "readable",            "glitches=1"},
{"FIN twice",                         SERVER, OPEN,  FIN("00000001") FIN("00000001"),            "",         NULL,                           "readable reset:RESET", "closed=1"},
{"FIN twice with unread bytes",       SERVER, OPEN,  DATA3("00000001") FIN("00000001") FIN("00000001"), "",  NULL,                           "readable",            "closed=1"},
{"PSH-FIN",                           SERVER, OPEN,  PSHFIN3("00000001"),                        "",         NULL,                           "readable",            ""},
{"PSH-FIN, then PSH-FIN",             CLIENT, OPEN,  PSHFIN3("00000001") PSHFIN3("00000001"),    "",         NULL,                           "readable",            "glitches=1 closed=1"},
{"empty DATA",                        SERVER, OPEN,  "000000 00 00 00000001",                    "",         NULL,                           "",                    ""},
{"empty DATA, gzip flag",             CLIENT, OPEN,  "000000 00 04 00000001",                    "",         NULL,                           "",                    ""},
{"empty DATA, unknown id",            SERVER, READY, "000000 00 00 00000007",                    "",         NULL,                           "",                    ""},
{"FIN with the gzip flag",            SERVER, OPEN,  "000000 00 05 00000001",                    "",         NULL,                           "readable",            ""},
{"RST",                               CLIENT, OPEN,  RST("00000001"),                            RST("00000001"), NULL,                      "reset:RESET",         "closed=1 resets_in=1 resets_out=1"},
{"RST with unread bytes",             CLIENT, OPEN,  DATA3("00000001") RST("00000001"),          RST("00000001"), NULL,                      "reset:RESET",         "closed=1 resets_in=1 resets_out=1"},
{"RST after FIN",                     SERVER, OPEN,  FIN("00000001") RST("00000001"),            RST("00000001"), NULL,                      "readable reset:RESET", "closed=1 resets_in=1 resets_out=1"},
{"RST after DATA and FIN",            SERVER, OPEN,  DATA3("00000001") FIN("00000001") RST("00000001"), RST("00000001"), NULL,               "readable",            "closed=1 resets_in=1 resets_out=1"},
{"RST, then FIN, as vproxy",          CLIENT, OPEN,  RST("00000001") FIN("00000001"),            RST("00000001"), NULL,                      "reset:RESET",         "closed=1 resets_in=1 resets_out=1 late=1"},
{"RST of RST",                        SERVER, RESET1, RST("00000001") FIN("00000001"),           "",         NULL,                           "",                    "late=2 resets_in=1"},
{"RST twice",                         SERVER, OPEN,  RST("00000001") RST("00000001"),            RST("00000001"), NULL,                      "reset:RESET",         "closed=1 resets_in=2 resets_out=1 late=1"},
{"SYN and RST, nobody told",          SERVER, READY, SYN("00000001") RST("00000001"),            SYN("00000001") RST("00000001"), NULL,      "",                    "opened=1 closed=1 resets_in=1 resets_out=1"},
{"FIN from both",                     SERVER, FINSENT, FIN("00000001"),                          "",         NULL,                           "readable",            "closed=1"},
{"PSH-FIN against our FIN",           SERVER, FINSENT, PSHFIN3("00000001"),                      "",         NULL,                           "readable",            "closed=1"},
{"RST against our FIN",               SERVER, FINSENT, RST("00000001"),                          RST("00000001"), NULL,                      "reset:RESET",         "closed=1 resets_in=1 resets_out=1"},
{"DATA for a refused stream",         SERVER, REFUSED, DATA3("00000001") FIN("00000001"),        "",         NULL,                           "",                    "closed=1"},
{"RST for a refused stream",          SERVER, REFUSED, RST("00000001"),                          RST("00000001"), NULL,                      "",                    "closed=1 resets_in=1 resets_out=1"},
{"gzip without a gzip",               SERVER, OPEN,  "000003 00 04 00000001 616263",             RST("00000001"), NULL,                      "reset:LIMIT",         "closed=1 resets_out=1"},
{"gzip for an unknown stream",        SERVER, READY, "000003 00 04 00000001 616263",             "",         NULL,                           "",                    "glitches=1"},
};

static const struct spec_case goaway[] = {
{"empty",                             SERVER, READY, "000000 07 00 00000000",                    "",         NULL,                           "closed:SHUTDOWN",     ""},
{"of 1",                              SERVER, READY, "000001 07 00 00000000 ff",                 "",         NULL,                           "closed:SHUTDOWN",     ""},
{"of 7",                              CLIENT, READY, "000007 07 00 00000000 ffffffffffffff",     "",         NULL,                           "closed:SHUTDOWN",     ""},
{"of 8",                              SERVER, OPEN,  "000008 07 00 00000000 ffffffffffffffff",   "",         NULL,                           "closed:SHUTDOWN",     "closed=1"},
{"with text",                         CLIENT, OPEN,  BYE,                                        "",         NULL,                           "closed:SHUTDOWN",     "closed=1"},
};
/* clang-format on */

static void
handshake_cases(void **state)
{
    (void)state;
    spec_run(handshake, sizeof handshake / sizeof handshake[0]);
}

static void
framing_cases(void **state)
{
    (void)state;
    spec_run(framing, sizeof framing / sizeof framing[0]);
}

static void
stream_cases(void **state)
{
    (void)state;
    spec_run(streams, sizeof streams / sizeof streams[0]);
}

static void
goaway_cases(void **state)
{
    (void)state;
    spec_run(goaway, sizeof goaway / sizeof goaway[0]);
}

/* --------------------------------------------------------------- cases that are made, not drawn */

/* Whether a frame of this type and length, stream 1 open, ends the tunnel at a server. */
static bool
is_fatal(unsigned type, uint32_t len)
{
    switch (type) {
    case 0:
    case 6:
        return len > 65536;
    case 1:
        return len > 0;
    case 7:
        return false;
    default:
        return true;
    }
}

static void
every_type_and_length(void **state)
{
    static const uint32_t lengths[] = {0, 1, 8, 16384, 16385, 65536, (1u << 24) - 1};
    static uint8_t buf[9 + 65536];
    (void)state;
    for (unsigned type = 0; type < 256; type++) {
        for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
            struct rig r;
            uint32_t len = lengths[i];
            const uint8_t head[9] = {(uint8_t)(len >> 16),
                                     (uint8_t)(len >> 8),
                                     (uint8_t)len,
                                     (uint8_t)type,
                                     0,
                                     0,
                                     0,
                                     0,
                                     1};
            size_t n = 9 + (len < 65536 ? len : 65536);
            memcpy(buf, head, 9);
            spec_stage(&r, FOG_SERVER, OPEN);
            fog_mux_connected(r.m, r.st);
            assert_int_equal(rig_feed_bytes(&r, buf, n, false), n);
            rig_collect(&r);
            bool fatal =
                r.n_ev > 0 && r.ev[0].type == FOG_EV_CLOSED && r.ev[0].err == FOG_E_PROTOCOL;
            if (fatal != is_fatal(type, len))
                fail_msg("type %u, length %u", type, len);
            if (fatal)
                assert_int_equal(r.out[3], 7);
            rig_end(&r);
        }
    }
}

/* A GOAWAY's text is kept up to 256 printable bytes. */
static void
goaway_text(void **state)
{
    static const struct {
        const char *name, *text;
        size_t repeat;
        const char *want;
        size_t want_len;
        int hits;
    } rows[] = {
        {"plain", "bye", 1, "bye", 3, 0},
        {"control bytes", "a\x1b[31m\n\x7f\xc3\\", 1, "a\\x1b[31m\\x0a\\x7f\\xc3\\x5c", 25, 0},
        {"256 bytes", "0123456789abcdef", 16, "0123", 256, 0},
        {"257 bytes", "0123456789abcdef", 17, "0123", 256, 1},
        {"16 KiB", "0123456789abcdef", 1024, "0123", 256, 1},
        {"64 control bytes", "\x01", 64, "\\x01", 256, 0},
        {"an escape that does not fit", "ab\x01", 43, "ab\\x01", 254, 1},
        {"65 control bytes", "\x01", 65, "\\x01", 256, 1},
    };
    static uint8_t buf[20000];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (int singly = 0; singly < 2; singly++) {
            struct rig r;
            size_t one = strlen(rows[i].text), len = 8 + one * rows[i].repeat;
            memset(buf, 0, sizeof buf);
            buf[1] = (uint8_t)(len >> 8);
            buf[2] = (uint8_t)len;
            buf[3] = 7;
            for (size_t k = 0; k < rows[i].repeat; k++)
                memcpy(buf + 17 + k * one, rows[i].text, one);
            spec_stage(&r, FOG_SERVER, READY);
            rig_feed_bytes(&r, buf, 9 + len, singly);
            rig_collect(&r);
            assert_int_equal(r.n_ev, 1);
            assert_int_equal(r.ev[0].err, FOG_E_SHUTDOWN);
            assert_int_equal(strlen(r.ev[0].reason), rows[i].want_len);
            assert_memory_equal(r.ev[0].reason, rows[i].want, strlen(rows[i].want));
            assert_int_equal(rig_status(r.m).n.limit_reason_hit, rows[i].hits);
            assert_int_equal(r.out_len, 0);
            rig_end(&r);
        }
    }
}

/* The first byte of each kind of frame arrives, then silence. */
static void
handshake_silence(void **state)
{
    (void)state;
    for (int role = 0; role < 2; role++) {
        struct rig r;
        char text[200];
        enum fog_why why;
        spec_stage(&r, (enum fog_role)role, RAW);
        rig_feed(&r, "000000 04");
        assert_true(fog_mux_deadline(r.m, &why) == FOG_SEC(1005));
        assert_int_equal(why, FOG_WHY_HANDSHAKE);
        r.now = FOG_SEC(1005);
        fog_mux_tick(r.m, r.now);
        rig_collect(&r);
        assert_string_equal(rig_events(&r, text, sizeof text), "closed:HANDSHAKE");
        assert_string_equal(r.ev[0].reason, "handshake timed out");
        assert_int_equal(r.out_len, role == FOG_CLIENT ? 17 + 19 : 0);
        assert_int_equal(rig_status(r.m).n.limit_handshake_hit, 1);
        rig_end(&r);
    }
}

/* The recorded answer of a real server to a bad handshake, byte for byte. */
static void
recorded_goaway(void **state)
{
    struct rig r;
    uint8_t want[64];
    (void)state;
    size_t n = rig_hex(want, sizeof want,
                       "000024070000000000ffffffffffffffff68616e647368616b65206d65737361676520"
                       "697320696e76616c6964");
    spec_stage(&r, FOG_SERVER, RAW);
    rig_feed(&r, "000000040100000000");
    assert_int_equal(r.out_len, n);
    assert_memory_equal(r.out, want, n);
    rig_end(&r);
}

/* 1 MiB unread, then RST: nothing of it stays. */
static void
reset_with_a_mebibyte(void **state)
{
    static uint8_t frame[9 + 65536] = {1, 0, 0, 0, 0, 0, 0, 0, 1};
    struct rig r;
    char text[200];
    (void)state;
    spec_stage(&r, FOG_CLIENT, OPEN);
    size_t idle = rig_status(r.m).held;
    for (int i = 0; i < 16; i++)
        assert_int_equal(rig_feed_bytes(&r, frame, sizeof frame, false), sizeof frame);
    assert_int_equal(rig_status(r.m).recv_held, 1 << 20);
    rig_feed(&r, RST("00000001"));
    assert_string_equal(rig_events(&r, text, sizeof text), "reset:RESET");
    assert_int_equal(rig_status(r.m).recv_held, 0);
    assert_true(rig_status(r.m).held <= idle);
    rig_end(&r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handshake_cases),       cmocka_unit_test(framing_cases),
        cmocka_unit_test(stream_cases),          cmocka_unit_test(goaway_cases),
        cmocka_unit_test(every_type_and_length), cmocka_unit_test(goaway_text),
        cmocka_unit_test(handshake_silence),     cmocka_unit_test(recorded_goaway),
        cmocka_unit_test(reset_with_a_mebibyte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
