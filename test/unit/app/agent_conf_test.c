/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/agent_conf.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static struct conf_report rep;

/* ------------------------------------------------------------------------------- files of a test
 */

/* clang-format off */
static const struct {
    const char *name, *text;
    size_t len; /* 0: strlen */
} files[] = {
    {"list.txt",     "||listed.com\n@@||not.listed.com\n", 0},
    {"list64.txt",   "fHxs\naXN0\nZWQu\nY29t", 0}, /* ||listed.com */
    {"odd.txt",      "||a.com\n*odd\n", 0},
    {"bad.txt",      "||a.com\n/a(b/\n", 0},
    {"/home/u/l",    "||home.com\n", 0},
    {"ca.pem",       "text\n-----BEGIN CERTIFICATE-----\n", 0},
    {"ca.jks",       "\xfe\xed\xfe\xed\0\0\0\2", 8},
    {"ca.p12",       "\x30\x82\x05\x01", 4},
    {"ca.txt",       "hello", 0},
};
/* clang-format on */

static const char *
read_file(void *ctx, const char *name, char *buf, size_t cap, size_t *len)
{
    (void)ctx;
    for (size_t i = 0; i < COUNT(files); i++) {
        if (strcmp(files[i].name, name) != 0)
            continue;
        *len = files[i].len > 0 ? files[i].len : strlen(files[i].text);
        assert_true(*len <= cap);
        memcpy(buf, files[i].text, *len);
        return NULL;
    }
    return "No such file or directory";
}

static const struct setting_files reader = {read_file, NULL};

static int
parse(struct agent_conf **c, const char *text)
{
    static struct setting_request rq;
    memset(&rq, 0, sizeof rq);
    rq.file = "F";
    rq.files = &reader;
    rq.salt = 99;
    return fogi_agent_conf_parse(c, &rq, text, strlen(text), &rep);
}

static struct agent_conf *
must(const char *text)
{
    struct agent_conf *c;
    if (parse(&c, text) != EXIT_OK)
        fail_msg("%s", rep.errors.text);
    assert_non_null(c);
    return c;
}

static struct agent_conf *
flags(int *rc, char err[SETTING_ERROR_MAX], const char *const *args)
{
    static struct setting_request rq;
    struct agent_conf *c = NULL;
    char *argv[32] = {(char[]){"agent"}};
    int argc = 1;
    memset(&rep, 0, sizeof rep);
    for (; args[argc - 1] != NULL; argc++)
        argv[argc] = (char *)(uintptr_t)args[argc - 1];
    *rc = fogi_settings_args(&rq, &fogi_agent_role, argc, argv, err);
    rq.files = &reader;
    if (*rc == EXIT_OK)
        *rc = fogi_agent_conf_load(&c, &rq, &rep);
    return c;
}

static size_t
goes_to(const struct agent_conf *c, const char *text)
{
    struct dest d = {0};
    assert_int_equal(fogi_dest_authority(&d, text, strlen(text), 443), FOG_OK);
    return fogi_route_pick(c->routes, c->n_groups, &d);
}

/* ------------------------------------------------------------------------------- the three forms
 */

static const char old_form[] = "# vproxy BETA-11\n"
                               "agent.socks5.listen 1080\n"
                               "  agent.httpconnect.listen   18080\r\n"
                               "agent.gateway off\n"
                               "agent.gateway.pac.listen 20080\n"
                               "agent.strict on\n"
                               "agent.pool 3\n"
                               "agent.cert.verify on\n"
                               "agent.cacerts.path ca.pem\n"
                               "agent.cacerts.pswd changeit\n"
                               "proxy.server.auth alice:pasSw0rD\n"
                               "proxy.server.hc off\n"
                               "proxy.server.list.start\n"
                               "    websockss://127.0.0.1:18686\n"
                               "    websockss:kcp://example.com:443\n"
                               "proxy.server.list.end\n"
                               "proxy.server.list.start TEST\n"
                               "    websocks:kcp://127.0.0.1:18687 weight=5\n"
                               "proxy.server.list.end\n"
                               "proxy.domain.list.start\n"
                               "    /.*google\\.com.*/\n"
                               "    youtube.com\n"
                               "    [list.txt]\n"
                               "proxy.domain.list.end\n"
                               "proxy.domain.list.start TEST\n"
                               "    163.com\n"
                               "    :14000\n"
                               "proxy.domain.list.end\n"
                               "proxy.resolve.list.start\n"
                               "    pixiv.net\n"
                               "proxy.resolve.list.end\n"
                               "no-proxy.domain.list.start\n"
                               "    /.*pixiv.*/\n"
                               "no-proxy.domain.list.end\n";

static const char object_form[] =
    "# vproxy HEAD\n"
    "agent {\n"
    "  socks5.listen = 1080\n"
    "  httpconnect.listen = 18080\n"
    "  gateway = false\n"
    "  gateway.pac.listen = 20080\n"
    "  strict = true\n"
    "  pool = 3\n"
    "  cert.verify = true\n"
    "  cacerts.path = ca.pem\n"
    "  cacerts.pswd = changeit\n"
    "  direct-relay { enabled = false, ip-range = \"100.64.0.0/10\" }\n"
    "  uot { enabled = false }\n"
    "}\n"
    "proxy {\n"
    "  auth = \"alice:pasSw0rD\"\n"
    "  hc = false\n"
    "  groups = [\n"
    "    { servers = [ websockss://127.0.0.1:18686, websockss:kcp://example.com:443 ]\n"
    "      domains = [ '/.*google\\\\.com.*/', youtube.com, \"[list.txt]\" ]\n"
    "      resolve = [ pixiv.net ]\n"
    "      no-proxy = [ \"/.*pixiv.*/\" ] }\n"
    "    { name = TEST\n"
    "      servers = [ \"websocks:kcp://127.0.0.1:18687 weight=5\" ]\n"
    "      domains = [ 163.com, \":14000\" ] }\n"
    "  ]\n"
    "}\n";

static const char json_form[] =
    "{\"agent\": {\"socks5\": {\"listen\": 1080}, \"httpconnect\": {\"listen\": 18080},"
    "  \"gateway.pac.listen\": 20080, \"strict\": true, \"pool\": 3,"
    "  \"cacerts\": {\"path\": \"ca.pem\", \"pswd\": \"changeit\"}},"
    " \"proxy\": {\"auth\": \"alice:pasSw0rD\", \"hc\": false, \"groups\": ["
    "  {\"name\": \"DEFAULT\", \"servers\": [\"websockss://127.0.0.1:18686\","
    "    \"websockss:kcp://example.com:443\"],"
    "   \"domains\": [\"/.*google\\\\.com.*/\", \"youtube.com\", \"[list64.txt]\"],"
    "   \"resolve\": \"pixiv.net\", \"no-proxy\": \"/.*pixiv.*/\"},"
    "  {\"name\": \"TEST\", \"servers\": [\"websocks:kcp://127.0.0.1:18687 weight=5\"],"
    "   \"domains\": [\"163.com\", \":14000\"]}]}}";

static void
check_example(const struct agent_conf *c)
{
    assert_int_equal(c->socks5.port, 1080);
    assert_string_equal(c->socks5.host, "127.0.0.1");
    assert_int_equal(c->http.port, 18080);
    assert_int_equal(c->pac.port, 20080);
    assert_int_equal(c->mixed.port, 0);
    assert_true(c->strict && c->verify && !c->hc && !c->gateway);
    assert_int_equal(c->pool, 3);
    assert_string_equal(c->ca_file, "ca.pem");
    assert_string_equal(c->ca_password, "changeit");
    assert_string_equal(c->auth.name, "alice");
    assert_string_equal(c->auth.password, "pasSw0rD");
    assert_int_equal(c->n_groups, 2);
    assert_string_equal(c->groups[0].name, "TEST"); /* DEFAULT is last */
    assert_string_equal(c->groups[1].name, "DEFAULT");
    assert_int_equal(c->groups[1].n_servers, 2);
    const struct agent_server *s = c->groups[1].servers;
    assert_true(s[0].tls && !s[0].kcp && s[0].by_address && s[0].weight == 10);
    assert_true(s[1].tls && s[1].kcp && !s[1].by_address && s[1].at.port == 443);
    assert_string_equal(s[1].at.host, "example.com");
    assert_string_equal(s[1].url, "websockss:kcp://example.com:443");
    s = c->groups[0].servers;
    assert_true(!s[0].tls && s[0].kcp && s[0].weight == 5);
    assert_string_equal(s[0].url, "websocks:kcp://127.0.0.1:18687");
    assert_int_equal(goes_to(c, "www.google.com.hk:443"), 1);
    assert_int_equal(goes_to(c, "youtube.com:443"), 1);
    assert_int_equal(goes_to(c, "x.listed.com:443"), 1);
    assert_int_equal(goes_to(c, "music.163.com:443"), 0);
    assert_int_equal(goes_to(c, "192.0.2.1:14000"), 0);
    assert_true(goes_to(c, "pixiv.youtube.com:443") == ROUTE_DIRECT);
    assert_true(goes_to(c, "other.org:443") == ROUTE_DIRECT);
}

static void
three_forms_say_the_same(void **state)
{
    /* resolve is for vproxy's DNS server, which there is none of here */
    static const struct {
        const char *text, *note;
    } forms[] = {{old_form, "not done here: proxy.resolve.list\n"},
                 {object_form, "not done here: resolve\n"},
                 {json_form, "not done here: resolve\n"}};
    (void)state;
    for (size_t i = 0; i < COUNT(forms); i++) {
        struct agent_conf *c = must(forms[i].text);
        check_example(c);
        assert_non_null(strstr(rep.notes.text, forms[i].note));
        fogi_agent_conf_free(c);
    }
}

static void
what_is_not_done_is_said_once_and_in_one_note(void **state)
{
    static const char text[] = "agent.socks5.listen 1080\nagent.ss.listen 8388\n"
                               "agent.ss.password 123\nagent.dns.listen 53\n"
                               "agent.direct-relay on\nagent.direct-relay.ip-range 100.64.0.0/10\n"
                               "agent.https-sni-erasure.cert-key.list.start\n a b\n"
                               "agent.https-sni-erasure.cert-key.list.end\n"
                               "https-sni-erasure.domain.list.start\n/.*/\n"
                               "https-sni-erasure.domain.list.end\n"
                               "proxy.server.auth a:b\nproxy.server.list.start\n"
                               "websockss://h:1\nwebsocks:quic://h:1\nwebsocks:uot:kcp://h:1\n"
                               "proxy.server.list.end\nproxy.domain.list.start\n"
                               "[https://h/list]\nx\nproxy.domain.list.end\n";
    struct agent_conf *c = must(text);
    (void)state;
    assert_int_equal(c->groups[0].n_servers, 1);
    const char *note = strstr(rep.notes.text, "read, but not done here: ");
    assert_non_null(note);
    assert_null(strstr(note + 25, "not done"));
    assert_non_null(strstr(note, "agent.ss, agent.dns, agent.direct-relay, "));
    assert_non_null(
        strstr(note, "websocks:quic://h:1, websocks:uot:kcp://h:1, [https://h/list]\n"));
    assert_non_null(strstr(rep.notes.text, "save https://h/list as a file"));
    fogi_agent_conf_free(c);

    c = must("agent { socks5.listen = 1, direct-relay { enabled = true }, quic.enabled = true\n"
             "unet { enabled = true }, timeout = 60000\n"
             "tls-sni-erasure { cert-key.auto-sign = [a, b] }\nuot { enabled = false } }\n"
             "proxy { auth = a:b, servers = websockss://h:1 }");
    assert_non_null(strstr(rep.notes.text,
                           "not done here: agent.direct-relay, agent.quic, agent.unet, "
                           "agent.timeout, agent.tls-sni-erasure"));
    fogi_agent_conf_free(c);
}

/* ------------------------------------------------------------------------------------ what is
 * wrong */

#define OK_SERVER "proxy { auth = a:b, servers = 'websockss://h:1' }\n"

/* clang-format off */
static const struct {
    const char *text, *says;
} wrong[] = {
    {"agent.sock5.listen 1080\n",          "F:1:1: unknown key \"agent.sock5.listen\"; did you mean \"agent.socks5.listen\"?"},
    {"agent.socks5.listen 1080x\n",        "F:1:21: agent.socks5.listen: \"1080x\" has no port"},
    {"\n  agent.socks5.listen 70000\n",    "F:2:23: agent.socks5.listen: \"70000\" is not a port"},
    {"agent.socks5.listen\nx y",           "F:1:1:"},
    {"agent.pool 3\nagent.socks5.listen\n", "F:2:1: agent.socks5.listen: a value is missing"},
    {"agent.gateway maybe\n",              "F:1:15: agent.gateway: \"maybe\" is neither true nor false"},
    {"agent.pool 1001\n",                  "F:1:12: agent.pool: \"1001\" is not a whole number within 0..1000"},
    {"agent.pool 1\nagent.pool 2\n",       "F:2:12: \"agent.pool\" is set a second time; first at 1:12"},
    {"proxy.server.auth a:b\nproxy.server.auth c:d\n", "F:2:19: \"proxy.auth\" is set a second time; first at 1:19"},
    {"proxy { auth = [a:b, c:d] }",        "proxy.auth: one value is wanted, not a list"},
    {"proxy.server.auth alice\n",          "F:1:19: USER:PASSWORD is wanted"},
    {"proxy.server.auth a:b:c\n",          "F:1:19: USER:PASSWORD is wanted"},
    {"proxy.server.auth a: \n",            "1 to 255 letters"},
    {"proxy.server.list.start\nhttp://h:1\nproxy.server.list.end\n", "F:2:1: \"http://h:1\" is no server"},
    {"proxy.server.list.start\nwebsocks://h\nproxy.server.list.end\n", "F:2:1: server \"websocks://h\" has no port"},
    {"proxy.server.list.start\nwebsocks://h:1 weight=0\nproxy.server.list.end\n", "weight=1..1000"},
    {"proxy.server.list.start\nwebsocks://h:1 fast\nproxy.server.list.end\n", "weight=1..1000"},
    {"proxy.server.list.start a b\nproxy.server.list.end\n", "F:1:1: a group's name"},
    {"proxy.domain.list.start\n /a(b/\nproxy.domain.list.end\n", "F:2:6: rule \"/a(b/\": missing closing parenthesis"},
    {"proxy.domain.list.start\n :x\nproxy.domain.list.end\n", "F:2:3: rule \":x\": a port is wanted"},
    {"proxy.domain.list.start\n[none.txt]\nproxy.domain.list.end\n", "F:2:1: cannot read none.txt: No such file"},
    {"proxy.domain.list.start\n[bad.txt]\nproxy.domain.list.end\n", "F:2:1: bad.txt:2:5: missing closing"},
    {"proxy.domain.list.start\n[]\nproxy.domain.list.end\n", "F:2:1: no file is named"},
    {"no-proxy.domain.list.start\nx\nno-proxy.domain.list\n", "F:3:1: did you mean \"no-proxy.domain.list.end\"?"},
    {"proxy.domain.list.start\nx\n",       "F:1:1: this list is not closed; \"proxy.domain.list.end\" is missing"},
    {"agent.pool 1\nproxy.domain.list.end\n", "F:2:1: this list was not begun"},
    {"agent.pool 1\nproxy.domain.list\n",  "F:2:1: did you mean \"proxy.domain.list.start\"?"},
    {"agent.pool 1\nagent.p\001 1\n",      "F:2:8: control byte"},
    {"agent { pool = 3 }\nagent { pol = 4 }", "unknown key \"agent.pol\"; did you mean \"agent.pool\"?"},
    {"agent { pool = [1] }",               "F:1:16: agent.pool: one value is wanted, not a list"},
    {"agent = 3",                          "F:1:1: unknown key \"agent\""},
    {"[]",                                 "F:1:1: an object is wanted, not a list"},
    {"agent { pool = 3",                   "F:1:7: this { is not closed"},
    {"proxy.groups = 3",                   "F:1:16: proxy.groups: a list is wanted"},
    {"proxy.groups = [3]",                 "F:1:17: a group is an object"},
    {"proxy.groups = [{server = x}]",      "F:1:18: unknown key \"server\" in a group"},
    {"proxy.groups = [{servers = [[]]}]",  "servers: a text is wanted, not a list"},
    {"proxy { groups = [{domains = ['/a(b/']}] }", "F:1:36: rule"},
    {"agent.kcp.fast = 7",                 "agent.kcp.fast: \"7\" is not a whole number within 1..4"},
    {"agent.log = loud",                   "agent.log: \"loud\" is no level"},
    /* what does not go together */
    {OK_SERVER,                            "F: nothing listens"},
    {"agent.gateway.pac.listen = 1\n" OK_SERVER, "F: nothing listens"},
    {"agent.socks5.listen = 1\n",          "F: no server is named"},
    {"agent.socks5.listen = 1\nproxy.auth = a:b\nproxy.groups = [{name = X}]", "F: group X has no server"},
    {"agent.socks5.listen = 1\nproxy.auth = a:b\nproxy.servers = websocks:quic://h:1", "F: group DEFAULT has no server"},
    {"agent.socks5.listen = 1\nproxy.servers = websockss://h:1", "F: proxy.auth is missing"},
    {"agent { socks5.listen = 1, httpconnect.listen = 1 }\n" OK_SERVER, "want the same port 1"},
    {"agent { socks5.listen = 0.0.0.0:1 }\n" OK_SERVER, "agent.socks5.listen is not on loopback"},
    {"agent { socks5.listen = 1, cacerts.path = ca.jks }\n" OK_SERVER, "F:1:43: ca.jks is a Java key store; PEM is wanted: keytool -list -rfc"},
    {"agent { socks5.listen = 1, cacerts.path = ca.txt }\n" OK_SERVER, "ca.txt is neither PEM nor PKCS12"},
    {"agent { socks5.listen = 1, cacerts.path = none }\n" OK_SERVER, "none cannot be read: No such file"},
    {"agent { socks5.listen = 1, kcp.fast = 4, kcp.up = 5M }\n" OK_SERVER, "fast and up exclude each other"},
};
/* clang-format on */

static void
what_is_wrong_is_said_with_its_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        struct agent_conf *c;
        int rc = parse(&c, wrong[i].text);
        if (rc != EXIT_CONFIG || c != NULL || strstr(rep.errors.text, wrong[i].says) == NULL)
            fail_msg("%s\n%d: %s", wrong[i].text, rc, rep.errors.text);
    }
}

static void
all_errors_are_said_at_once(void **state)
{
    struct agent_conf *c;
    (void)state;
    assert_int_equal(parse(&c, "agent.socks5.listen x\nagent.pool y\nagent.zzzzzzz z\n"),
                     EXIT_CONFIG);
    assert_non_null(strstr(rep.errors.text, "F:1:21"));
    assert_non_null(strstr(rep.errors.text, "F:2:12"));
    assert_non_null(strstr(rep.errors.text, "F:3:1"));
}

/* clang-format off */
static const struct {
    const char *text, *note; /* note NULL: none */
} fine[] = {
    {"agent { socks5.listen = 1 }\n" OK_SERVER, NULL},
    {"agent { socks5.listen = 1, httpconnect.listen = off }\n" OK_SERVER, NULL},
    {"agent { socks5.listen = 1, cacerts.path = ca.p12 }\n" OK_SERVER, NULL},
    {"agent { socks5.listen = 1, cacerts.path = ca.jks, cert.verify = off }\n" OK_SERVER, "are not checked"},
    {"agent { socks5.listen = 1, cacerts.path = none }\nproxy { auth = a:b, servers = websocks:kcp://h:1 }", "can be read on the way"},
    {"agent { socks5.listen = 1, gateway = on }\n" OK_SERVER, "whoever reaches this machine"},
    {"agent { socks5.listen = 1, gateway = on, users = [a:b] }\n" OK_SERVER, NULL},
    {"agent { socks5.listen = 0.0.0.0:1, open-proxy = true }\n" OK_SERVER, NULL},
    {"agent { socks5.listen = '[::1]:1' }\n" OK_SERVER, NULL},
    {"agent { socks5.listen = 1 }\nproxy { auth = a:b, servers = websockss://h:1, domains = ['*.a.com'] }", "rule \"*.a.com\" fits no host"},
    {"agent { socks5.listen = 1 }\nproxy { auth = a:b, servers = websockss://h:1, domains = ['http://a.com/'] }", "rule \"http://a.com/\" fits no host"},
    {"agent { socks5.listen = 1 }\nproxy { auth = a:b, servers = websockss://h:1, domains = ['a.com:443'] }", "rule \"a.com:443\" fits no host"},
    {"agent { socks5.listen = 1 }\nproxy { auth = a:b, servers = websockss://h:1, domains = [a, .a_b-1.com, '1.2', '::1', '[::1]', 'db8::1', '::ffff:1.2.3.4'] }", NULL},
    {"agent { socks5.listen = 1 }\nproxy { auth = a:b, groups = [{servers = websockss://h:1}] }", "everything goes direct"},
    {"agent { socks5.listen = 1 }\nproxy { auth = a:b, groups = [{servers = websockss://h:1, domains = '[odd.txt]'}] }", "odd.txt: 1 of 2 lines"},
};
/* clang-format on */

static void
what_is_fine_has_a_note_at_most(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(fine); i++) {
        struct agent_conf *c = must(fine[i].text);
        bool right = fine[i].note == NULL ? rep.notes.len == 0
                                          : strstr(rep.notes.text, fine[i].note) != NULL;
        if (!right)
            fail_msg("%s\n%s", fine[i].text, rep.notes.text);
        fogi_agent_conf_free(c);
    }
}

static void
what_is_needed_for_nothing_may_be_missing(void **state)
{
    (void)state;
    struct agent_conf *c = must("agent { socks5.listen = 1, cacerts.path = none }\n"
                                "proxy { auth = a:b, servers = websocks:kcp://h:1 }");
    assert_null(c->ca_file); /* or the start would fail for it */
    fogi_agent_conf_free(c);
}

static void
a_home_directory_is_found(void **state)
{
    (void)state;
    assert_int_equal(setenv("HOME", "/home/u", 1), 0);
    struct agent_conf *c = must("agent.socks5.listen = 1\nproxy { auth = a:b, groups = [{"
                                "servers = websockss://h:1, domains = ['[~/l]'] }] }");
    assert_int_equal(goes_to(c, "x.home.com:1"), 0);
    fogi_agent_conf_free(c);
}

/* ----------------------------------------------------------------------------------- command line
 */

static void
options_are_enough(void **state)
{
    char err[SETTING_ERROR_MAX];
    int rc;
    struct agent_conf *c = flags(&rc, err,
                                 (const char *const[]){"-l", "1080", "-s", "websockss:kcp://h:443",
                                                       "--server=websocks://i:80", "-aa:b",
                                                       "--verify=off", "--pool", "0", NULL});
    (void)state;
    assert_int_equal(rc, EXIT_OK);
    assert_int_equal(c->mixed.port, 1080);
    assert_string_equal(c->mixed.host, "127.0.0.1");
    assert_int_equal(c->groups[0].n_servers, 2);
    assert_int_equal(c->pool, 0);
    assert_false(c->verify);
    assert_int_equal(goes_to(c, "any.where:1"), 0);
    fogi_agent_conf_free(c);
}

/* clang-format off */
static const struct {
    const char *args[8], *says;
} bad_flags[] = {
    {{"--lisen", "1"},       "--lisen: no such option; did you mean --listen?"},
    {{"--listen"},           "--listen: a value is missing behind it"},
    {{"-l", "-s"},           "--listen: a value is missing behind it"},
    {{"1080"},               "1080: an option is wanted here"},
    {{"--help=x"},           "takes no value"},
    {{"-l", "x", "-s", "websockss://h:1", "-a", "a:b"}, "--listen: \"x\" has no port"},
    {{"-l", "1", "-s", "h:1", "-a", "a:b"},             "--server: \"h:1\" is no server"},
    {{"-l", "1", "-s", "websockss://h:1", "-d", "/(/"}, "--domain: rule"},
    {{"-l", "1"},                                       "no server is named"},
};
/* clang-format on */

static void
a_wrong_option_is_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad_flags); i++) {
        char err[SETTING_ERROR_MAX];
        int rc;
        struct agent_conf *c = flags(&rc, err, bad_flags[i].args);
        const char *said = err[0] != 0 ? err : rep.errors.text;
        if (rc != EXIT_USAGE || c != NULL || strstr(said, bad_flags[i].says) == NULL)
            fail_msg("%s: %d: %s", bad_flags[i].args[0], rc, said);
    }
}

static void
the_help_fits_80_columns(void **state)
{
    char buf[8192];
    (void)state;
    size_t len = fogi_settings_help(&fogi_agent_role, buf, sizeof buf);
    assert_true(len > 500);
    for (const char *p = buf; *p != 0; p += strcspn(p, "\n") + 1)
        assert_in_range(strcspn(p, "\n"), 10, 80);
}

static void
a_file_is_recognised(void **state)
{
    static const struct {
        const char *text;
        enum conf_role role;
    } rows[] = {{old_form, ROLE_AGENT},
                {object_form, ROLE_AGENT},
                {json_form, ROLE_AGENT},
                {"proxy.auth = a:b", ROLE_AGENT},
                {"# x\nproxy.server.list.start  \n", ROLE_AGENT},
                {"listen = 443\nauth = a:b", ROLE_GATEWAY},
                {"{\"ssl\": true}", ROLE_GATEWAY},
                {"listen = :29900\ntarget = 1.2.3.4:5", ROLE_TUNNEL},
                {"{\"localaddr\": \":12948\"}", ROLE_TUNNEL},
                {"agents = 1", ROLE_TUNNEL},
                {"", ROLE_TUNNEL},
                {"{", ROLE_TUNNEL},
                {"[1]", ROLE_TUNNEL}};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        if (fogi_conf_role(rows[i].text, strlen(rows[i].text)) != rows[i].role)
            fail_msg("%s", rows[i].text);
}

static void
groups_users_servers_and_lists_have_their_ends(void **state)
{
    size_t cap = 64 * 1024, len = 0;
    char *text = malloc(cap);
    struct agent_conf *c;
    (void)state;
    assert_non_null(text);
    for (int more = 0; more < 2; more++) {
        len = (size_t)snprintf(text, cap, "agent { socks5.listen = 1, users = [");
        for (int i = 0; i < AGENT_USERS_MAX + more; i++)
            len += (size_t)snprintf(text + len, cap - len, "u%d:p ", i);
        len += (size_t)snprintf(text + len, cap - len, "] }");
        for (char *p = strchr(text, '['); p != NULL; p = strchr(p, ' '))
            *p = *p == ' ' ? ',' : '[';
        (void)parse(&c, text);
        assert_int_equal(strstr(rep.errors.text, "more than 1024 users") != NULL, more);
        fogi_agent_conf_free(c);

        len = (size_t)snprintf(text, cap, "agent.pool 1\n");
        for (int i = 0; i < AGENT_GROUPS_MAX + more; i++)
            len += (size_t)snprintf(text + len, cap - len,
                                    "proxy.server.list.start G%d\nproxy.server.list.end\n", i);
        (void)parse(&c, text);
        assert_int_equal(strstr(rep.errors.text, "more than 64 groups") != NULL, more);

        len = (size_t)snprintf(text, cap, "proxy.server.list.start\n");
        for (int i = 0; i < AGENT_SERVERS_MAX + more; i++)
            len += (size_t)snprintf(text + len, cap - len, "websocks://h:%d\n", i + 1);
        (void)snprintf(text + len, cap - len, "proxy.server.list.end\n");
        (void)parse(&c, text);
        assert_int_equal(strstr(rep.errors.text, "more than 256 servers") != NULL, more);

        len = (size_t)snprintf(text, cap, "proxy.domain.list.start\n");
        for (int i = 0; i < RULES_ABP_MAX + more; i++)
            len += (size_t)snprintf(text + len, cap - len, "[list.txt]\n");
        (void)snprintf(text + len, cap - len, "proxy.domain.list.end\n");
        (void)parse(&c, text);
        assert_int_equal(strstr(rep.errors.text, "more than 16 files in one list") != NULL, more);
    }
    free(text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_forms_say_the_same),
        cmocka_unit_test(what_is_not_done_is_said_once_and_in_one_note),
        cmocka_unit_test(what_is_wrong_is_said_with_its_place),
        cmocka_unit_test(all_errors_are_said_at_once),
        cmocka_unit_test(what_is_fine_has_a_note_at_most),
        cmocka_unit_test(what_is_needed_for_nothing_may_be_missing),
        cmocka_unit_test(a_home_directory_is_found),
        cmocka_unit_test(options_are_enough),
        cmocka_unit_test(a_wrong_option_is_named),
        cmocka_unit_test(the_help_fits_80_columns),
        cmocka_unit_test(a_file_is_recognised),
        cmocka_unit_test(groups_users_servers_and_lists_have_their_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
