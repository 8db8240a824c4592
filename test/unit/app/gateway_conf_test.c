/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/gateway_conf.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define STRONG "kX9-fQ2vLz7w"

static struct conf_report rep;

static const char *
read_file(void *ctx, const char *name, char *buf, size_t cap, size_t *len)
{
    static const char users[] = "# who\nalice:" STRONG "\r\n\n  bob : " STRONG "  \n";
    static const char odd[] = "# who\nalice\nbob:" STRONG "\nbob:" STRONG "\n";
    const char *text = strcmp(name, "users") == 0 ? users : strcmp(name, "odd") == 0 ? odd : NULL;
    (void)ctx;
    if (text == NULL)
        return "No such file or directory";
    *len = strlen(text);
    assert_true(*len <= cap);
    memcpy(buf, text, *len);
    return NULL;
}

static const struct setting_files reader = {read_file, NULL};

static int
parse(struct gateway_conf **c, const char *text)
{
    static struct setting_request rq;
    memset(&rq, 0, sizeof rq);
    rq.file = "F";
    rq.files = &reader;
    return fogi_gateway_conf_parse(c, &rq, text, strlen(text), &rep);
}

typedef int read_args_fn(struct setting_request *rq, const struct settings_role *role, int argc,
                         char **argv, char *err);

static struct gateway_conf *
by_args(int *rc, char err[SETTING_ERROR_MAX], read_args_fn read, const char *line)
{
    static struct setting_request rq;
    static char copy[1024];
    struct gateway_conf *c = NULL;
    char *argv[64] = {(char[]){"gateway"}};
    int argc = 1;
    snprintf(copy, sizeof copy, "%s", line);
    for (char *p = strtok(copy, " "); p != NULL; p = strtok(NULL, " "))
        argv[argc++] = p;
    memset(&rep, 0, sizeof rep);
    *rc = read(&rq, &fogi_gateway_role, argc, argv, err);
    rq.files = &reader;
    if (*rc == EXIT_OK && rq.action == SETTING_RUN)
        *rc = fogi_gateway_conf_load(&c, &rq, &rep);
    return c;
}

static void
the_words_of_vproxy_are_taken_as_they_are(void **state)
{
    char err[SETTING_ERROR_MAX];
    int rc;
    struct gateway_conf *c = by_args(
        &rc, err, fogi_settings_words,
        "listen 443 auth alice:pasSw0rD,bob:pAssW0Rd kcp ssl certpem c.pem,chain.pem keypem "
        "k.pem domain Example.com redirectport 80 webroot www");
    (void)state;
    assert_int_equal(rc, EXIT_OK);
    assert_int_equal(c->listen.port, 443);
    assert_string_equal(c->listen.host, "");
    assert_int_equal(c->n_users, 2);
    assert_string_equal(c->users[1].name, "bob");
    assert_string_equal(c->users[1].password, "pAssW0Rd");
    assert_true(c->kcp && c->ssl && !c->insecure);
    assert_int_equal(c->n_cert_files, 2);
    assert_string_equal(c->cert_files[1], "chain.pem");
    assert_string_equal(c->key_file, "k.pem");
    assert_string_equal(c->domain, "example.com");
    assert_int_equal(c->redirect, 80);
    assert_string_equal(c->webroot, "www");
    fogi_gateway_conf_free(c);

    c = by_args(&rc, err, fogi_settings_words,
                "listen 443 auth a:b ssl pkcs12 f.p12 pkcs12pswd changeit");
    assert_int_equal(rc, EXIT_OK);
    assert_string_equal(c->pkcs12_file, "f.p12");
    assert_string_equal(c->pkcs12_password, "changeit");
    fogi_gateway_conf_free(c);
}

static void
without_tls_words_are_warned_and_options_refused(void **state)
{
    char err[SETTING_ERROR_MAX];
    int rc;
    struct gateway_conf *c =
        by_args(&rc, err, fogi_settings_words, "listen 443 auth a:" STRONG " kcp");
    (void)state;
    assert_int_equal(rc, EXIT_OK);
    assert_true(c->insecure && c->kcp && !c->ssl);
    assert_non_null(strstr(rep.notes.text, "WARNING: without ssl"));
    fogi_gateway_conf_free(c);

    c = by_args(&rc, err, fogi_settings_args, "-l 443 -a a:" STRONG " --kcp");
    assert_int_equal(rc, EXIT_USAGE);
    assert_null(c);
    assert_non_null(strstr(rep.errors.text, "set ssl, or insecure if that is meant"));

    c = by_args(&rc, err, fogi_settings_args, "-l 443 -a a:" STRONG " --kcp --insecure");
    assert_int_equal(rc, EXIT_OK);
    assert_non_null(strstr(rep.notes.text, "WARNING: without ssl"));
    fogi_gateway_conf_free(c);
}

static void
words_that_are_not_done_are_said(void **state)
{
    char err[SETTING_ERROR_MAX];
    int rc;
    struct gateway_conf *c =
        by_args(&rc, err, fogi_settings_words,
                "listen 443 auth a:" STRONG " quic quic-listen 444 uot.port 445 uot.nic eth0 kcp");
    (void)state;
    assert_int_equal(rc, EXIT_OK);
    assert_true(c->kcp);
    assert_non_null(
        strstr(rep.notes.text, "not done here: quic, quic-listen, uot.port, uot.nic\n"));
    fogi_gateway_conf_free(c);
}

static void
a_file_says_the_same(void **state)
{
    struct gateway_conf *c;
    (void)state;
    assert_int_equal(parse(&c, "{\"listen\": 443, \"auth\": {\"alice\": \"" STRONG "\"},"
                               " \"auth-file\": \"users2\"}"),
                     EXIT_CONFIG);
    assert_int_equal(
        parse(&c, "listen = '[::1]:443'\nauth = [ 'carol:" STRONG "', 'dave:" STRONG "' ]\n"
                  "auth-file = users\nkcp = true\ncertpem = [a.pem, b.pem]\nkeypem = k.pem\n"
                  "allow = [10.0.0.0/8, ':25']\ndeny = 10.1.0.0/16\nup = 50M\nmax_streams = 7\n"
                  "log = debug\nstatus = /run/s\n"),
        EXIT_OK);
    assert_int_equal(rep.notes.len, 0);
    assert_string_equal(c->listen.host, "::1");
    assert_int_equal(c->n_users, 4);
    assert_string_equal(c->users[3].name, "bob");
    assert_string_equal(c->users[3].password, STRONG);
    assert_true(c->ssl); /* a certificate says so */
    assert_int_equal(c->policy.n_nets, 2);
    assert_int_equal(c->policy.n_ports, 1);
    assert_int_equal(c->tunnel.up, 50000);
    assert_int_equal(c->tunnel.max_streams, 7);
    assert_int_equal(c->tunnel.log_level, LOG_AT_DEBUG);
    assert_string_equal(c->tunnel.status, "/run/s");
    fogi_gateway_conf_free(c);
}

#define REST "auth = 'a:" STRONG "'\ninsecure = on\n"

/* clang-format off */
static const struct {
    const char *text, *says;
} wrong[] = {
    {"listen = 443",                             "F: auth is missing"},
    {REST,                                       "F: listen is missing"},
    {"lisen = 443",                              "F:1:1: unknown key \"lisen\"; did you mean \"listen\"?"},
    {"listen = 443x",                            "F:1:10: listen: \"443x\""},
    {"listen = 1\nlisten = 2",                   "F:2:10: \"listen\" is set a second time; first at 1:10"},
    {"auth = alice",                             "F:1:8: USER:PASSWORD is wanted"},
    {"auth = 'a:b:c'",                           "USER:PASSWORD is wanted"},
    {"auth = 'a:b,a:c'",                         "user a is there twice"},
    {"auth = 'a:b,,c:d'",                        "USER:PASSWORD is wanted"},
    {"auth = { 'a:b': c }",                      "without colons"},
    {"auth = { a: [1] }",                        "without colons"},
    {"auth-file = none",                         "F:1:13: cannot read none: No such file"},
    {"auth-file = odd",                          "F:1:13: odd:2: USER:PASSWORD is wanted, with one colon\n"},
    {"auth-file = odd",                          "F:1:13: odd:4: user bob is there twice"},
    {"domain = a.b\ndomain = c.d",               "F:2:10: \"domain\" is set a second time; first at 1:10"},
    {"ssl = yes",                                "ssl: \"yes\" is neither true nor false"},
    {"redirectport = 65536",                     "redirectport: \"65536\""},
    {"domain = 1.2.3.4",                         "is no host name"},
    {"allow = 10.0.0.1/8",                       "allow: \"10.0.0.1/8\" is no address"},
    {"deny = a.com",                             "deny: \"a.com\" is no address"},
    {"listen = 80\nredirectport = 80\n" REST,    "are the same"},
    {"listen = 80\nssl = on\n" REST,             "ssl wants a certificate"},
    {"listen = 80\nssl = off\ncertpem = a\nkeypem = b\n" REST, "but ssl is off"},
    {"listen = 80\ncertpem = a\n" REST,          "keypem is missing"},
    {"listen = 80\nkeypem = a\n" REST,           "certpem is missing"},
    {"listen = 80\npkcs12 = a\n" REST,           "pkcs12pswd is missing"},
    {"listen = 80\npkcs12pswd = a\n" REST,       "pkcs12 is missing"},
    {"listen = 80\npkcs12 = a\ncertpem = b\n" REST, "exclude each other"},
    {"listen = 80\nfast = 4\nup = 5M\n" REST,    "fast and up exclude each other"},
    {"listen = 80\nauth = 'a:" STRONG "'",       "set ssl, or insecure"},
};
/* clang-format on */

static void
what_is_wrong_is_said_with_its_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        struct gateway_conf *c;
        int rc = parse(&c, wrong[i].text);
        if (rc != EXIT_CONFIG || c != NULL || strstr(rep.errors.text, wrong[i].says) == NULL)
            fail_msg("%s\n%d: %s", wrong[i].text, rc, rep.errors.text);
    }
}

static void
a_password_is_in_no_message(void **state)
{
    static const char *const texts[] = {"auth = 'a:s3cret:x'", "auth = 'a:s3cret,a:s3cret'",
                                        "auth = ['a:s3cret', 'b']"};
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct gateway_conf *c;
        assert_int_equal(parse(&c, texts[i]), EXIT_CONFIG);
        assert_null(strstr(rep.errors.text, "s3cret"));
        assert_null(strstr(rep.notes.text, "s3cret"));
    }
}

static void
a_wrong_word_is_named(void **state)
{
    static const struct {
        const char *line, *says;
    } rows[] = {{"listen", "listen: a value is missing"},
                {"listen 443 aut a:b", "aut: no such word; did you mean auth?"},
                {"listen 443 auth a:b kpc", "kpc: no such word; did you mean kcp?"},
                {"listen x auth a:b", "listen: \"x\""},
                {"listen 443 auth a", "auth: USER:PASSWORD is wanted"}};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char err[SETTING_ERROR_MAX];
        int rc;
        struct gateway_conf *c = by_args(&rc, err, fogi_settings_words, rows[i].line);
        const char *said = err[0] != 0 ? err : rep.errors.text;
        if (rc != EXIT_USAGE || c != NULL || strstr(said, rows[i].says) == NULL)
            fail_msg("%s: %d: %s", rows[i].line, rc, said);
    }
}

static void
passwords_have_a_worth(void **state)
{
    static const struct {
        const char *password;
        bool weak;
    } rows[] = {{"", true},
                {"changeit", true},
                {"pasSw0rD", true},
                {"12345678901234", true},
                {"aaaaaaaaaaaaaaaa", true},
                {STRONG, false},
                {"correct horse battery staple", false},
                {"rtmhvbqzkwxy", false}};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        if ((fogi_password_bits(rows[i].password) < 50) != rows[i].weak)
            fail_msg("%s: %u", rows[i].password, fogi_password_bits(rows[i].password));
    struct gateway_conf *c;
    assert_int_equal(parse(&c, "listen = 1\ninsecure = on\nauth = 'a:b,c:d'"), EXIT_OK);
    assert_non_null(strstr(rep.notes.text, "the password of a (and of others) is easy to guess"));
    fogi_gateway_conf_free(c);
}

static void
every_list_has_its_end(void **state)
{
    static const struct {
        const char *key, *before, *after, *says;
        int most;
    } lists[] = {{"auth", "u", ":" STRONG, "more than 1024 users", GATEWAY_USERS_MAX},
                 {"certpem", "c", ".pem", "more than 16 files", GATEWAY_CERTS_MAX},
                 {"allow", "'fd00::", "'", "too many entries", POLICY_NETS_MAX},
                 {"deny", "':", "'", "too many entries", POLICY_PORTS_MAX}};
    const size_t cap = 64 * 1024;
    char *text = malloc(cap);
    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < COUNT(lists); i++) {
        for (int more = 0; more < 2; more++) {
            struct gateway_conf *c;
            size_t len = (size_t)snprintf(text, cap, "%s = [", lists[i].key);
            for (int k = 1; k <= lists[i].most + more; k++)
                len += (size_t)snprintf(text + len, cap - len, "%s%d%s, ", lists[i].before, k,
                                        lists[i].after);
            (void)snprintf(text + len, cap - len, "]");
            (void)parse(&c, text);
            assert_int_equal(strstr(rep.errors.text, lists[i].says) != NULL, more);
            fogi_gateway_conf_free(c);
        }
    }
    free(text);
}

static void
the_help_fits_80_columns(void **state)
{
    char buf[8192];
    (void)state;
    size_t len = fogi_settings_help(&fogi_gateway_role, buf, sizeof buf);
    assert_true(len > 500);
    for (const char *p = buf; *p != 0; p += strcspn(p, "\n") + 1)
        assert_in_range(strcspn(p, "\n"), 10, 80);
}

static void
words_are_told_from_commands(void **state)
{
    char *words[] = {(char[]){"foggara"}, (char[]){"listen"}, NULL};
    char *command[] = {(char[]){"foggara"}, (char[]){"gateway"}, NULL};
    (void)state;
    assert_true(fogi_gateway_words_match(2, words));
    assert_false(fogi_gateway_words_match(2, command));
    assert_false(fogi_gateway_words_match(1, words));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_words_of_vproxy_are_taken_as_they_are),
        cmocka_unit_test(without_tls_words_are_warned_and_options_refused),
        cmocka_unit_test(words_that_are_not_done_are_said),
        cmocka_unit_test(a_file_says_the_same),
        cmocka_unit_test(what_is_wrong_is_said_with_its_place),
        cmocka_unit_test(a_password_is_in_no_message),
        cmocka_unit_test(a_wrong_word_is_named),
        cmocka_unit_test(passwords_have_a_worth),
        cmocka_unit_test(every_list_has_its_end),
        cmocka_unit_test(the_help_fits_80_columns),
        cmocka_unit_test(words_are_told_from_commands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
