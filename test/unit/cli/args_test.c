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
#include "cli/words.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define WORDS_MAX 160

/** A line split at blanks, with the program's name in front, as argv on the heap. */
struct line {
    char text[512];
    char *argv[WORDS_MAX];
    int argc;
};

static void
split(struct line *l, const char *text)
{
    snprintf(l->text, sizeof l->text, "%s", text);
    l->argc = 0;
    l->argv[l->argc++] = (char[]){"foggara"};
    for (char *p = strtok(l->text, " "); p != NULL; p = strtok(NULL, " "))
        l->argv[l->argc++] = p;
    l->argv[l->argc] = NULL;
}

/** The request in one line: "file=F" and "key=value" in order, the action first unless it is run.
 */
static void
describe(const struct args *a, char *out, size_t cap)
{
    static const char *const actions[] = {"", "help ", "version ", "print "};
    int n = snprintf(out, cap, "%s", actions[a->action]);
    if (a->request.file != NULL)
        n += snprintf(out + n, cap - (size_t)n, "file=%s ", a->request.file);
    for (size_t i = 0; i < a->request.n_flags; i++)
        n += snprintf(out + n, cap - (size_t)n, "%s=%s ", fogi_conf_name(a->request.flags[i].key),
                      a->request.flags[i].value);
    if (n > 0)
        out[n - 1] = 0;
}

/** A line and what it asks for, or the error. */
static const struct {
    enum conf_mode mode;
    const char *line, *request, *error;
} rows[] = {
    {CONF_CLIENT, "", "", NULL},
    {CONF_CLIENT, "-l 12948 -r h:29900", "listen=12948 remote=h:29900", NULL},
    {CONF_CLIENT, "-l12948 -rh:29900", "listen=12948 remote=h:29900", NULL},
    {CONF_CLIENT, "--listen :1 --remote=h:2", "listen=:1 remote=h:2", NULL},
    {CONF_SERVER, "-l :29900 -t h:1", "listen=:29900 target=h:1", NULL},
    {CONF_CLIENT, "--fast 3 --via tcp --mtu 1000 --sndwnd 1 --rcvwnd 2 --sockbuf 0",
     "fast=3 via=tcp mtu=1000 sndwnd=1 rcvwnd=2 sockbuf=0", NULL},
    {CONF_CLIENT, "--tunnels 2 --hold 9 --compress --log debug --max-streams 7",
     "tunnels=2 hold=9 compress=true log=debug max-streams=7", NULL},
    {CONF_CLIENT, "--compress=off --mtu=", "compress=off mtu=", NULL},
    {CONF_CLIENT, "-c F --fast 1", "file=F fast=1", NULL},
    {CONF_CLIENT, "--config - --print-config", "print file=-", NULL},
    {CONF_CLIENT, "-cF", "file=F", NULL},
    {CONF_CLIENT, "--mtu 1 --mtu 2", "mtu=1 mtu=2", NULL},
    {CONF_CLIENT, "-h --nonsense", "help", NULL},
    {CONF_CLIENT, "--help", "help", NULL},
    {CONF_CLIENT, "-v", "version", NULL},
    {CONF_CLIENT, "--version", "version", NULL},
    {CONF_SERVER, "-r h:1", "remote=h:1", NULL}, /* for conf to refuse */
    {CONF_CLIENT, "--sndwind 3", NULL, "--sndwind: no such option; did you mean --sndwnd?"},
    {CONF_CLIENT, "--sndwind=3", NULL, "--sndwind: no such option; did you mean --sndwnd?"},
    {CONF_CLIENT, "--max_streams 3", NULL,
     "--max_streams: no such option; did you mean --max-streams?"},
    {CONF_CLIENT, "-mtu 3", NULL, "-mtu: no such option; did you mean --mtu?"},
    {CONF_CLIENT, "-listen :1", NULL, "-listen: no such option; did you mean --listen?"},
    {CONF_CLIENT, "--localaddr :1", NULL, "--localaddr: no such option; did you mean --listen?"},
    {CONF_CLIENT, "--mode fast2", NULL, "--mode: no such option; did you mean --fast?"},
    {CONF_CLIENT, "--conn 2", NULL, "--conn: no such option; did you mean --tunnels?"},
    {CONF_CLIENT, "--crypt aes", NULL, "--crypt: kcptun's wire is not spoken here"},
    {CONF_CLIENT, "--dscp 1", NULL, "--dscp: no such option"},
    {CONF_CLIENT, "--xyzzy", NULL, "--xyzzy: no such option"},
    {CONF_SERVER, "--hol 1", NULL, "--hol: no such option; did you mean --help?"},
    {CONF_CLIENT, "--", NULL, "--: no such option"},
    {CONF_CLIENT, "-x", NULL, "-x: no such option"},
    {CONF_CLIENT, "-hv", NULL, "-hv: no such option"},
    {CONF_CLIENT, "-l", NULL, "-l: a value is missing behind it"},
    {CONF_CLIENT, "-l -r h:1", NULL, "-l: a value is missing behind it"},
    {CONF_CLIENT, "--mtu --fast 1", NULL, "--mtu: a value is missing behind it"},
    {CONF_CLIENT, "--help=1", NULL, "--help: takes no value"},
    {CONF_CLIENT, "--print-config=x", NULL, "--print-config: takes no value"},
    {CONF_CLIENT, "server", NULL, "server: an option is wanted here"},
    {CONF_CLIENT, "-l 1 stray", NULL, "stray: an option is wanted here"},
    {CONF_CLIENT, "-", NULL, "-: an option is wanted here"},
};

static void
test_lines(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct line l;
        struct args a;
        char err[ARGS_ERROR_MAX], got[512] = "";
        split(&l, rows[i].line);
        int rc = fogi_args_parse(&a, rows[i].mode, l.argc, l.argv, err);
        if (rows[i].error != NULL) {
            assert_string_equal(err, rows[i].error);
            assert_int_equal(rc, EXIT_USAGE);
            continue;
        }
        if (rc != EXIT_OK)
            fail_msg("%s: %s", rows[i].line, err);
        describe(&a, got, sizeof got);
        assert_string_equal(got, rows[i].request);
        assert_int_equal(a.request.mode, rows[i].mode);
    }
}

/** Messages about flags name them as they were written, or in full where a value was glued on. */
static void
test_names_of_flags(void **state)
{
    (void)state;
    struct line l;
    struct args a;
    char err[ARGS_ERROR_MAX];
    split(&l, "-l 1 -l2 --listen 3 --listen=4");
    assert_int_equal(fogi_args_parse(&a, CONF_CLIENT, l.argc, l.argv, err), EXIT_OK);
    assert_string_equal(a.request.flags[0].name, "-l");
    assert_string_equal(a.request.flags[1].name, "--listen");
    assert_string_equal(a.request.flags[2].name, "--listen");
    assert_string_equal(a.request.flags[3].name, "--listen");
}

static void
test_limit_flags(void **state)
{
    (void)state;
    struct line l = {.argc = 1};
    struct args a;
    char err[ARGS_ERROR_MAX], option[] = "--compress";
    for (int i = 0; i < CONF_FLAGS_MAX; i++)
        l.argv[l.argc++] = option;
    assert_int_equal(fogi_args_parse(&a, CONF_CLIENT, l.argc, l.argv, err), EXIT_OK);
    assert_int_equal(a.request.n_flags, CONF_FLAGS_MAX);
    l.argv[l.argc++] = option;
    assert_int_equal(fogi_args_parse(&a, CONF_CLIENT, l.argc, l.argv, err), EXIT_USAGE);
    assert_string_equal(err, "--compress: too many options");
}

/** What is printed cannot steer a terminal, and is cut. */
static void
test_hostile_words(void **state)
{
    (void)state;
    char word[300], err[ARGS_ERROR_MAX];
    char *argv[] = {(char[]){"foggara"}, word, NULL};
    struct args a;
    memset(word, 'z', sizeof word);
    memcpy(word, "--\x1b[2J\n\xff", 8);
    word[sizeof word - 1] = 0;
    assert_int_equal(fogi_args_parse(&a, CONF_CLIENT, 2, argv, err), EXIT_USAGE);
    assert_memory_equal(err, "--?[2J??zzz", 11);
    assert_true(strlen(err) < ARGS_ERROR_MAX);
    word[0] = 'z';
    assert_int_equal(fogi_words_parse(&a, 2, argv, err), EXIT_USAGE);
    assert_memory_equal(err, "z-?[2J??zzz", 11);
}

static const struct {
    const char *line;
    enum conf_mode mode;
    const char *request, *error;
} words[] = {
    {"mode client bind 50010 target h:1 fast 3", CONF_CLIENT, "listen=50010 remote=h:1 fast=3",
     NULL},
    {"mode server bind 20201 target h:1", CONF_SERVER, "listen=20201 target=h:1", NULL},
    {"fast 4 target h:1 bind 1 mode server", CONF_SERVER, "listen=1 target=h:1 fast=4", NULL},
    {"kcptun mode client bind 1 target h:1", CONF_CLIENT, "listen=1 remote=h:1", NULL},
    {"mode server mode client bind 1 target h:1", CONF_CLIENT, "listen=1 remote=h:1", NULL},
    {"kcptun help", 0, "help", NULL},
    {"kcptun -h", 0, "help", NULL},
    {"mode client --help", 0, "help", NULL},
    {"mode client bnd 1", 0, NULL, "bnd: no such word; did you mean bind?"},
    {"mode client xyzzy 1", 0, NULL,
     "xyzzy: no such word; there are mode, bind, target, fast and help"},
    {"mode client -l 1", 0, NULL, "-l: no such word; there are mode, bind, target, fast and help"},
    {"mode client bind 1 target h:1 fast", 0, NULL, "fast: a value is missing behind it"},
    {"mode agent bind 1 target h:1", 0, NULL, "mode: client or server is wanted"},
    {"bind 1 target h:1", 0, NULL, "mode: this word and its value are missing"},
    {"mode client target h:1", 0, NULL, "bind: this word and its value are missing"},
    {"mode client bind 1", 0, NULL, "target: this word and its value are missing"},
    {"kcptun", 0, NULL, "mode: this word and its value are missing"},
    {"mode client bind 0.0.0.0:1 target h:1", 0, NULL, "bind: a port is wanted, 1..65535"},
};

static void
test_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(words); i++) {
        struct line l;
        struct args a;
        char err[ARGS_ERROR_MAX], got[512] = "";
        split(&l, words[i].line);
        assert_true(fogi_words_match(l.argc, l.argv));
        int rc = fogi_words_parse(&a, l.argc, l.argv, err);
        if (words[i].error != NULL) {
            assert_string_equal(err, words[i].error);
            assert_int_equal(rc, EXIT_USAGE);
            continue;
        }
        if (rc != EXIT_OK)
            fail_msg("%s: %s", words[i].line, err);
        describe(&a, got, sizeof got);
        assert_string_equal(got, words[i].request);
        assert_int_equal(a.request.mode, words[i].mode);
    }
}

/** The same tunnel in vproxy's words and in ours. */
static void
test_words_mean_the_same(void **state)
{
    (void)state;
    static const char *const lines[2][2] = {
        {"mode client bind 50010 target 127.0.0.1:20201 fast 3",
         "-l 50010 -r 127.0.0.1:20201 --fast 3"},
        {"mode server bind 20201 target 127.0.0.1:80 fast 1", "-l :20201 -t 127.0.0.1:80 --fast 1"},
    };
    for (enum conf_mode mode = CONF_CLIENT; mode <= CONF_SERVER; mode++) {
        struct line l, m;
        struct args a, b;
        struct conf ca, cb;
        struct conf_report rep;
        char err[ARGS_ERROR_MAX];
        split(&l, lines[mode][0]);
        split(&m, lines[mode][1]);
        assert_int_equal(fogi_words_parse(&a, l.argc, l.argv, err), EXIT_OK);
        assert_int_equal(fogi_args_parse(&b, mode, m.argc, m.argv, err), EXIT_OK);
        assert_int_equal(fogi_conf_load(&ca, &a.request, &rep), EXIT_OK);
        assert_int_equal(fogi_conf_load(&cb, &b.request, &rep), EXIT_OK);
        for (enum conf_key key = 0; key < CONF_KEY_N; key++)
            assert_true(fogi_conf_same(&ca, &cb, key));
        assert_string_equal(ca.listen.host, mode == CONF_CLIENT ? "127.0.0.1" : "");
    }
}

static void
test_words_are_not_commands(void **state)
{
    (void)state;
    static const char *const lines[] = {"", "client", "server bind 1", "-l 1", "help", "modes"};
    for (size_t i = 0; i < COUNT(lines); i++) {
        struct line l;
        split(&l, lines[i]);
        assert_false(fogi_words_match(l.argc, l.argv));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_names_of_flags),
        cmocka_unit_test(test_limit_flags),
        cmocka_unit_test(test_hostile_words),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_words_mean_the_same),
        cmocka_unit_test(test_words_are_not_commands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
