/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/conf_keys.h"
#include "cli/args.h"
#include "cli/out.h"
#include "cli/words.h"

#define TEXT_MAX 8192

static size_t
slurp(FILE *f, char *text)
{
    rewind(f);
    size_t len = fread(text, 1, TEXT_MAX - 1, f);
    text[len] = 0;
    fclose(f);
    return len;
}

static void
assert_screen(const char *text)
{
    int lines = 0;
    for (const char *p = text; *p != 0; lines++) {
        size_t len = strcspn(p, "\n");
        if (len > 80)
            fail_msg("wider than 80 columns: %.*s", (int)len, p);
        assert_int_equal(p[len], '\n');
        p += len + 1;
    }
    assert_true(lines <= 24);
}

static void
test_help_fits_a_screen_and_is_complete(void **state)
{
    (void)state;
    for (enum conf_mode mode = CONF_CLIENT; mode <= CONF_SERVER; mode++) {
        char text[TEXT_MAX];
        FILE *f = tmpfile();
        assert_non_null(f);
        fogi_out_help(f, mode);
        slurp(f, text);
        assert_screen(text);
        for (enum conf_key key = 0; key < CONF_KEY_N; key++) {
            char option[32];
            snprintf(option, sizeof option, " %s ", fogi_conf_rows[key].option);
            assert_int_equal(strstr(text, option) != NULL, fogi_conf_in_mode(key, mode));
        }
        for (size_t i = 0; i < fogi_args_n_options; i++)
            assert_non_null(strstr(text, fogi_args_options[i].option));
    }
    assert_screen(fogi_words_help);
}

static void
test_usage_and_version(void **state)
{
    (void)state;
    char text[TEXT_MAX];
    FILE *f = tmpfile();
    assert_non_null(f);
    fogi_out_usage(f, CONF_CLIENT);
    fogi_out_usage(f, CONF_SERVER);
    slurp(f, text);
    assert_string_equal(text, "usage: foggara client -l [ADDR]:PORT -r HOST:PORT [OPTION...]\n"
                              "usage: foggara server -l [ADDR]:PORT -t HOST:PORT [OPTION...]\n");
    f = tmpfile();
    assert_non_null(f);
    fogi_out_version(f);
    slurp(f, text);
    assert_memory_equal(text, "foggara " FOG_VERSION "\n", strlen("foggara " FOG_VERSION "\n"));
    assert_screen(text);
}

/** What --print-config shows is a file that gives the same settings. */
static void
test_print_config_reads_back(void **state)
{
    (void)state;
    static const char *const files[] = {
        "listen: '[::1]:80', remote: h:2, fast: 2, via: tcp, tunnels: 3, hold: 0, compress: true",
        "listen: 1, target: '[fe80::1%eth0]:2', mtu: 99, up: 1.5G, down: 0.8, sndwnd: 1, rcvwnd: "
        "65535, sockbuf: 0,"
        "max-streams: 5, log: trace",
    };
    for (enum conf_mode mode = CONF_CLIENT; mode <= CONF_SERVER; mode++) {
        struct conf_request rq = {.mode = mode, .file = "F"};
        struct conf_report rep;
        struct conf c, again;
        char text[TEXT_MAX];
        FILE *f = tmpfile();
        assert_non_null(f);
        assert_int_equal(fogi_conf_parse(&c, &rq, files[mode], strlen(files[mode]), &rep), EXIT_OK);
        fogi_out_conf(f, &c);
        size_t len = slurp(f, text);
        assert_screen(text);
        if (fogi_conf_parse(&again, &rq, text, len, &rep) != EXIT_OK)
            fail_msg("%s%s", text, rep.errors.text);
        for (enum conf_key key = 0; key < CONF_KEY_N; key++)
            assert_true(fogi_conf_same(&c, &again, key));
        assert_non_null(strstr(text, "# file\n"));
        assert_non_null(strstr(text, "# default\n"));
    }
}

static void
test_summary(void **state)
{
    (void)state;
    static const char file[] = "listen: 1, remote: h:2, compress: true, fast: 2";
    struct conf_request rq = {.mode = CONF_CLIENT, .file = "F"};
    struct conf_report rep;
    struct conf c;
    char text[256], cut[16];
    assert_int_equal(fogi_conf_parse(&c, &rq, file, strlen(file), &rep), EXIT_OK);
    fogi_out_summary(&c, text, sizeof text);
    assert_string_equal(text, "fast 2, compress true");
    fogi_out_summary(&c, cut, sizeof cut);
    assert_string_equal(cut, "fast 2, compres");
}

/** What foggara.conf(5) says of a key: for whom, its values, what a reload does with it. */
static void
manual_line(enum conf_key key, char *line, size_t cap)
{
    static const char *const modes[] = {NULL, "client", "server", "both"};
    static const char *const lives[] = {"at once", "for the next tunnel"};
    const struct conf_row *row = &fogi_conf_rows[key];
    char range[32];
    const char *value = range, *live = lives[row->live];
    snprintf(range, sizeof range, "%u..%u", (unsigned)row->min, (unsigned)row->max);
    if (row->type == CONF_LISTEN)
        value = "[addr]:port";
    else if (row->type == CONF_HOSTPORT)
        value = "host:port";
    else if (row->type == CONF_RATE)
        value = "64k..34G";
    else if (row->type == CONF_BOOL)
        value = "true, false";
    else if (row->type == CONF_VIA)
        value = "kcp, tcp";
    else if (row->type == CONF_PATH)
        value = "path";
    else if (row->type == CONF_LEVEL)
        value = "error..trace";
    if (key == CONF_KEY_TARGET)
        live = "for the next stream";
    if (row->fixed == CONF_IN_SERVER)
        live = "for a client's next tunnel";
    if (row->fixed == CONF_IN_BOTH)
        live = "needs a restart";
    snprintf(line, cap, "\n.It %s Ta %s Ta %s Ta %s\n", fogi_conf_name(key), modes[row->modes],
             value, live);
}

static void
test_the_manual_agrees(void **state)
{
    (void)state;
    char text[TEXT_MAX], line[160];
    FILE *f = fopen("man/foggara.conf.5", "r"); /* CTest runs this in the project's root */
    assert_non_null(f);
    slurp(f, text);
    for (enum conf_key key = 0; key < CONF_KEY_N; key++) {
        manual_line(key, line, sizeof line);
        if (strstr(text, line) == NULL)
            fail_msg("not in man/foggara.conf.5: %s", line + 1);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_help_fits_a_screen_and_is_complete),
        cmocka_unit_test(test_usage_and_version),
        cmocka_unit_test(test_print_config_reads_back),
        cmocka_unit_test(test_summary),
        cmocka_unit_test(test_the_manual_agrees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
