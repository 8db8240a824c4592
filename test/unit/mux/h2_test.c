/* SPDX-License-Identifier: MIT
 *
 * Ten messages to bytes and back; every cut gives the same messages.
 */
#include "unit/mux/rig.h"

#include "mux/framing.h"

static const struct {
    const char *name;
    struct msg msg;
    const char *bytes; /* without a payload */
} rows[] = {
    {"handshake", {.type = MSG_HANDSHAKE}, "000000 04 00 00000000"},
    {"keepalive", {.type = MSG_KEEPALIVE, .ping = 1}, "000008 06 00 00000000 0000000000000001"},
    {"keepalive ack",
     {.type = MSG_KEEPALIVE_ACK, .ping = 0x8102030405060708},
     "000008 06 01 00000000 8102030405060708"},
    {"SYN", {.type = MSG_SYN, .stream = 1}, "000000 01 00 00000001"},
    {"SYN-ACK", {.type = MSG_SYN_ACK, .stream = 0x7fffffff}, "000000 01 00 7fffffff"},
    {"PSH", {.type = MSG_PSH, .stream = 1, .len = 3}, "000003 00 00 00000001"},
    {"PSH gzip", {.type = MSG_PSH, .stream = 1, .len = 0x27, .zip = true}, "000027 00 04 00000001"},
    {"FIN", {.type = MSG_FIN, .stream = 1}, "000000 00 01 00000001"},
    {"PSH-FIN", {.type = MSG_PSH_FIN, .stream = 1, .len = 3}, "000003 00 01 00000001"},
    {"RST", {.type = MSG_RST, .stream = 1}, "000000 01 01 00000001"},
    {"shutdown",
     {.type = MSG_SHUTDOWN, .text = "bye", .text_len = 3},
     "00000b 07 00 00000000 ffffffff ffffffff 627965"},
};

static void
encode(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t want[64], got[64];
        size_t n = rig_hex(want, sizeof want, rows[i].bytes);
        if (fogi_h2.size(&rows[i].msg) != n)
            fail_msg("%s: size %zu", rows[i].name, fogi_h2.size(&rows[i].msg));
        fogi_h2.encode(&rows[i].msg, got);
        assert_memory_equal(got, want, n);
    }
}

/* Decodes all of buf in pieces of `step`; the found messages as text. */
static void
decode_all(enum fog_role role, bool greeted, const uint8_t *buf, size_t len, size_t step,
           char *text, size_t cap)
{
    static const char *const names[MSG_N] = {"HANDSHAKE", "PING", "PONG",    "SYN", "SYNACK",
                                             "PSH",       "FIN",  "PSH_FIN", "RST", "SHUTDOWN"};
    struct decoder d = {.role = role, .payload_max = 65536, .greeted = greeted};
    size_t at = 0, n = 0, body = 0;
    text[0] = '\0';
    while (at < len) {
        size_t used, want = len - at < step ? len - at : step;
        struct part part = {0};
        enum decoded found = fogi_h2.decode(&d, buf + at, want, &used, &part);
        at += used;
        if (found == DECODED_MSG)
            n += (size_t)snprintf(text + n, cap - n, "%s:%x:%u:%llx:%.*s ", names[d.msg.type],
                                  d.msg.stream, d.msg.len, (unsigned long long)d.msg.ping,
                                  (int)d.msg.text_len, d.msg.text ? d.msg.text : "");
        if (found == DECODED_ODD)
            n += (size_t)snprintf(text + n, cap - n, "ODD ");
        if (found == DECODED_PART) {
            body += part.len;
            if (part.last)
                n += (size_t)snprintf(text + n, cap - n, "+%zu ", body);
            body = part.last ? 0 : body;
        }
        if (found == DECODED_BAD) {
            snprintf(text + n, cap - n, "BAD %.*s", (int)d.text_len, d.text);
            return;
        }
    }
    if (d.busy)
        snprintf(text + n, cap - n, "...");
}

static const struct {
    const char *name, *bytes, *want;
    enum fog_role role;
    bool handshake; /* still to come */
} feeds[] = {
    {"all to a server",
     "000000 04 00 00000000  000000 06 00 00000000  000004 06 00 00000000 01020304 "
     "000008 06 00 00000000 0000000000000007  000009 06 01 00000005 0000000000000008 ff "
     "000000 01 00 00000001  000003 00 00 00000001 616263  000000 00 01 00000001 "
     "000002 00 01 00000003 6162  000000 01 01 00000001  000000 00 00 00000001 0000",
     "HANDSHAKE:0:0:0: ODD ODD PING:0:8:7: PONG:5:9:8: SYN:1:0:0: PSH:1:3:0: +3 FIN:1:0:0: "
     "PSH_FIN:3:2:0: +2 RST:1:0:0: PSH:1:0:0: ...",
     FOG_SERVER, true},
    {"HEADERS to a client", "000000010000000001 000000010100000001",
     "SYNACK:1:0:0: RST:1:0:0: ", FOG_CLIENT, false},
    {"unknown flags", "00000001fe00000001 00000000fa00000001 00000006fe00000000",
     "SYN:1:0:0: PSH:1:0:0: ODD ", FOG_SERVER, false},
    {"shutdown", "00000b0700 00000000 ffffffffffffffff 627965", "SHUTDOWN:0:11:0:bye ", FOG_CLIENT,
     false},
    {"short shutdown", "000003070000000000 010203", "SHUTDOWN:0:3:0: ", FOG_CLIENT, true},
    {"empty shutdown first", "000000070000000000", "SHUTDOWN:0:0:0: ", FOG_SERVER, true},
    {"type 2", "000000020000000000", "BAD invalid frame type: 2", FOG_SERVER, false},
    {"type 255", "000000ff0000000000", "BAD invalid frame type: -1", FOG_SERVER, false},
    {"type 128", "000000800000000000", "BAD invalid frame type: -128", FOG_SERVER, false},
    {"SETTINGS again", "000000040100000000", "BAD invalid frame type: 4", FOG_SERVER, false},
    {"HEADERS with payload", "000001010000000001",
     "BAD invalid frame type with payload len: type=1, len=1", FOG_SERVER, false},
    {"id 2^31", "000000000080000000", "BAD invalid streamId: -2147483648", FOG_SERVER, false},
    {"id 2^32-1", "0000000700ffffffff", "BAD invalid streamId: -1", FOG_SERVER, false},
    {"DATA too long", "010001000000000001", "BAD frame too long: 65537", FOG_SERVER, false},
    {"handshake with a flag", "000000040100000000", "BAD handshake message is invalid", FOG_SERVER,
     true},
    {"negative shutdown first", "000000070080000000", "BAD handshake message is invalid",
     FOG_CLIENT, true},
};

static void
decode_in_pieces(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof feeds / sizeof feeds[0]; i++) {
        uint8_t buf[512];
        char whole[512], pieces[512];
        size_t n = rig_hex(buf, sizeof buf, feeds[i].bytes);
        decode_all(feeds[i].role, !feeds[i].handshake, buf, n, n, whole, sizeof whole);
        for (size_t step = 1; step < n; step++) {
            decode_all(feeds[i].role, !feeds[i].handshake, buf, n, step, pieces, sizeof pieces);
            if (strcmp(pieces, whole) != 0)
                fail_msg("%s in pieces of %zu: %s", feeds[i].name, step, pieces);
        }
        assert_string_equal(whole, feeds[i].want);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encode),
        cmocka_unit_test(decode_in_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
