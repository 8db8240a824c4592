/* SPDX-License-Identifier: MIT
 *
 * The TLS of a real agent and a real server, as recorded inside a tunnel: what can be replayed of
 * it (the first flight), and how its records end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "channel_rig.h"

#include "replay/recording_stream.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define RECORD_HEAD 5
#define MESSAGE_HEAD 4

enum { CHANGE_CIPHER_SPEC = 20, ALERT, HANDSHAKE, APPLICATION_DATA };

static struct user b;
static uint8_t sent[RECORDING_STREAM_MAX], heard[RECORDING_STREAM_MAX];

static size_t
record_len(const uint8_t *record)
{
    return RECORD_HEAD + ((size_t)record[3] << 8 | record[4]);
}

static size_t
message_len(const uint8_t *message)
{
    return MESSAGE_HEAD + ((size_t)message[1] << 16 | (size_t)message[2] << 8 | message[3]);
}

static void
read_stream(enum dir dir, uint8_t *out, size_t *len)
{
    struct recording r;
    recording_read(&r, "websockss-kcp");
    *len = recording_stream(&r, dir, 1, out);
    recording_free(&r);
}

/** Why a FIN of the stream has to be enough: no close_notify came before it, from either side. */
static void
both_end_at_a_record_and_without_an_alert(void **state)
{
    (void)state;
    for (enum dir dir = C_TO_S; dir < DIR_N; dir++) {
        unsigned data = 0;
        size_t len, at = 0;
        read_stream(dir, sent, &len);
        for (; at < len; at += record_len(sent + at)) {
            assert_true(len - at > RECORD_HEAD);
            assert_int_not_equal(sent[at], ALERT);
            data += sent[at] == APPLICATION_DATA;
        }
        assert_int_equal(at, len);
        assert_in_range(data, 3, 10);
    }
}

/** What the messages of a first flight are, each as a letter. */
static char
letter(uint8_t type)
{
    switch (type) {
    case 2:
        return 'H'; /* server_hello */
    case 11:
        return 'C'; /* certificate */
    case 12:
        return 'K'; /* server_key_exchange */
    case 14:
        return 'D'; /* server_hello_done */
    default:
        return '?';
    }
}

/** Adds the messages of one record to flight; both peers cut none. */
static void
read_record(const uint8_t *record, size_t len, char *flight)
{
    for (size_t at = RECORD_HEAD; at < len; at += message_len(record + at)) {
        char word[2] = {letter(record[at]), 0};
        strcat(flight, word);
        if (record[at] == 2)
            assert_memory_equal(record + at + MESSAGE_HEAD, "\x03\x03", 2); /* TLS 1.2 */
    }
}

static void
read_flight(const uint8_t *bytes, size_t len, char flight[16])
{
    flight[0] = '\0';
    for (size_t at = 0; at < len && !strchr(flight, 'D'); at += record_len(bytes + at)) {
        assert_int_equal(bytes[at], HANDSHAKE);
        read_record(bytes + at, record_len(bytes + at), flight);
    }
}

/** The agent's hello to our gateway: it gets what the real server sent, TLS 1.2 and all. */
static void
a_recorded_hello_is_answered_as_it_was(void **state)
{
    (void)state;
    char real[16], ours[16];
    size_t len;
    ssize_t n = 0;
    int fds[2];
    struct channel *below;
    struct tls_conf *server = rig_server_conf("server");
    read_stream(C_TO_S, sent, &len);
    rig_tcp_pair(fds);
    assert_int_equal(fogi_channel_tcp_open(&below, &p, fds[1]), 0);
    b = (struct user){.to_write = 0};
    rig_own(&b, fogi_channel_tls_accept(&p, below, server));
    len = record_len(sent);
    assert_int_equal(write(fds[0], sent, len), len);
    for (unsigned i = 0; i < 1000 && n <= 0; i++) {
        rig_turns(1);
        n = recv(fds[0], heard, sizeof heard, MSG_DONTWAIT);
    }
    assert_true(n > 0);
    read_flight(heard, (size_t)n, ours);
    read_stream(S_TO_C, sent, &len);
    read_flight(sent, len, real);
    assert_string_equal(real, "HCKD");
    assert_string_equal(ours, real);
    assert_false(b.broke);
    close(fds[0]);
    rig_drop(&b);
    fogi_tls_free(server);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_end_at_a_record_and_without_an_alert),
        cmocka_unit_test_setup_teardown(a_recorded_hello_is_answered_as_it_was, rig_setup,
                                        rig_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
