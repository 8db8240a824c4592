/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/log.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void
nothing_unprintable_leaves(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"plain text 123 ~", "plain text 123 ~"},
        {"two\nlines", "two\\x0alines"},
        {"\x1b[2J", "\\x1b[2J"},
        {"\xff\x80\x7f", "\\xff\\x80\\x7f"},
        {"", ""},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char out[64];
        assert_int_equal(fogi_log_escape(rows[i].in, out, sizeof out), strlen(rows[i].out));
        assert_string_equal(out, rows[i].out);
    }
}

static void
a_cut_never_splits_an_escape(void **state)
{
    (void)state;
    static const struct {
        size_t cap;
        const char *out;
    } rows[] = {{1, ""}, {2, "a"}, {5, "a"}, {6, "a\\x01"}, {7, "a\\x01b"}, {8, "a\\x01b"}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        char out[16];
        fogi_log_escape("a\x01"
                        "b",
                        out, rows[i].cap);
        assert_string_equal(out, rows[i].out);
    }
}

static void
one_message_has_a_limit(void **state)
{
    (void)state;
    struct log_limit l = {.since = 0};
    uint64_t held = 0;
    fog_time now = FOG_SEC(1000);
    for (int i = 0; i < LOG_LIMIT_LINES; i++)
        assert_true(fogi_log_may(&l, now, &held));
    for (int i = 0; i < 7; i++)
        assert_false(fogi_log_may(&l, now + FOG_SEC(LOG_LIMIT_S) - 1, &held));
    assert_int_equal(held, 0);
    assert_true(fogi_log_may(&l, now + FOG_SEC(LOG_LIMIT_S), &held));
    assert_int_equal(held, 7);
    assert_true(fogi_log_may(&l, now + FOG_SEC(LOG_LIMIT_S), &held));
    assert_int_equal(held, 0);
}

/** What one call writes to standard error. */
static size_t
captured(char *buf, size_t cap, enum log_at level, const char *text)
{
    int fds[2], was = dup(STDERR_FILENO);
    assert_int_equal(pipe(fds), 0);
    assert_true(dup2(fds[1], STDERR_FILENO) >= 0);
    fogi_log(level, "%s", text);
    assert_true(dup2(was, STDERR_FILENO) >= 0);
    close(was);
    close(fds[1]);
    ssize_t n = read(fds[0], buf, cap - 1);
    close(fds[0]);
    buf[n > 0 ? n : 0] = 0;
    return n > 0 ? (size_t)n : 0;
}

static void
a_line_has_time_zone_and_level(void **state)
{
    (void)state;
    char line[256];
    unsetenv("JOURNAL_STREAM");
    size_t n = captured(line, sizeof line, LOG_AT_WARN, "told\r\n");
    /* 2026-01-31T12:00:00.000+01:00 warn: told\x0d\x0a */
    assert_int_equal(n, 29 + 1 + strlen("warn: told\\x0d\\x0a\n"));
    assert_int_equal(line[10], 'T');
    assert_int_equal(line[19], '.');
    assert_true(line[23] == '+' || line[23] == '-');
    assert_int_equal(line[26], ':');
    assert_string_equal(line + 30, "warn: told\\x0d\\x0a\n");
}

static void
the_journal_gets_numbers(void **state)
{
    (void)state;
    char line[256];
    setenv("JOURNAL_STREAM", "8:1", 1);
    captured(line, sizeof line, LOG_AT_ERROR, "told");
    assert_string_equal(line, "<3>told\n");
    unsetenv("JOURNAL_STREAM");
}

static void
levels_above_are_silent(void **state)
{
    (void)state;
    char line[256];
    fogi_log_level(LOG_AT_WARN);
    assert_int_equal(captured(line, sizeof line, LOG_AT_INFO, "no"), 0);
    fogi_log_level(LOG_AT_INFO);
    assert_true(captured(line, sizeof line, LOG_AT_INFO, "yes") > 0);
}

static void
a_long_line_is_cut_and_ends(void **state)
{
    (void)state;
    static char text[4 * LOG_LINE_MAX], line[8 * LOG_LINE_MAX];
    memset(text, '\x01', sizeof text - 1);
    size_t n = captured(line, sizeof line, LOG_AT_INFO, text);
    assert_in_range(n, LOG_LINE_MAX, 2 * LOG_LINE_MAX);
    assert_int_equal(line[n - 1], '\n');
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_unprintable_leaves),
        cmocka_unit_test(a_cut_never_splits_an_escape),
        cmocka_unit_test(one_message_has_a_limit),
        cmocka_unit_test(a_line_has_time_zone_and_level),
        cmocka_unit_test(the_journal_gets_numbers),
        cmocka_unit_test(levels_above_are_silent),
        cmocka_unit_test(a_long_line_is_cut_and_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
