/* SPDX-License-Identifier: MIT
 *
 * The recordings against their own digests, read by the oracle alone: shows that parser and oracle
 * are right before they judge foggara.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "lib/sha256.h"
#include "replay/names.h"
#include "replay/oracle.h"

static struct oracle_stream stream;
static struct frames frames;

static void
check_digest(const struct recording *r, enum dir dir)
{
    const struct totals *t = &r->totals[dir];
    oracle_stream(&stream, r, dir);
    assert_int_equal(stream.datagrams, t->datagrams);
    assert_int_equal(stream.n_push, t->segments);
    assert_int_equal(stream.repeats, t->repeats);
    assert_int_equal(stream.len, t->stream_bytes);
    oracle_frames(&frames, stream.bytes, stream.len);
    oracle_check(&frames, r, dir);
}

static void
test_recording(void **state)
{
    struct recording r;
    recording_read(&r, *state);
    for (enum dir d = C_TO_S; d < DIR_N; d++)
        check_digest(&r, d);
    recording_free(&r);
}

/* auth.txt belongs to the proxies' login; here it only has to stay readable. */
static void
test_auth_parses(void **state)
{
    (void)state;
    char line[1024], word[16];
    unsigned n_vector = 0, n_round = 0, n_check = 0;
    FILE *f = fopen("test/replay/vproxy/auth.txt", "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        char a[6][256];
        if (line[0] == '#')
            continue;
        int n = sscanf(line, "%15s %255s %255s %255s %255s %255s %255s", word, a[0], a[1], a[2],
                       a[3], a[4], a[5]);
        if (strcmp(word, "vector") == 0 && n == 7)
            n_vector++;
        else if (strcmp(word, "round") == 0 && n == 3)
            n_round++;
        else if (strcmp(word, "check") == 0 && (n == 4 || n == 5))
            n_check++;
        else
            fail_msg("auth.txt: %s", line);
    }
    fclose(f);
    assert_true(n_vector && n_round && n_check);
}

static void
test_sha256(void **state)
{
    (void)state;
    char hex[65];
    static uint8_t million[1000000];
    memset(million, 'a', sizeof million);
    sha256_hex("", 0, hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    sha256_hex(million, sizeof million, hex);
    assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

int
main(void)
{
#define RECORDING_TEST(file)                                                                       \
    {.name = "digest " file, .test_func = test_recording, .initial_state = (void *)(uintptr_t)file},
    const struct CMUnitTest tests[] = {
        RECORDINGS(RECORDING_TEST) cmocka_unit_test(test_auth_parses),
        cmocka_unit_test(test_sha256),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
