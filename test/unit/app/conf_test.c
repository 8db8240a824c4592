/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/conf.h"
#include "app/conf_keys.h"
#include "app/json.h"
#include "app/nearest.h"

#define C CONF_CLIENT
#define S CONF_SERVER
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/** Loads a file's text (NULL: no file) called F. */
static int
load(enum conf_mode mode, const char *text, struct conf *c, struct conf_report *rep)
{
    struct conf_request rq = {.mode = mode, .file = text != NULL ? "F" : NULL};
    return fogi_conf_parse(c, &rq, text, text != NULL ? strlen(text) : 0, rep);
}

/** Loads with one flag besides what a client or server must have. */
static int
load_flag(enum conf_mode mode, enum conf_key key, const char *value, struct conf *c,
          struct conf_report *rep)
{
    struct conf_request rq = {.mode = mode, .n_flags = 3};
    rq.flags[0] = (struct conf_flag){CONF_KEY_LISTEN, "1", "-l"};
    rq.flags[1] = (struct conf_flag){mode == C ? CONF_KEY_REMOTE : CONF_KEY_TARGET, "h:2", "-x"};
    rq.flags[2] = (struct conf_flag){key, value, "FLAG"};
    return fogi_conf_parse(c, &rq, NULL, 0, rep);
}

static void
test_defaults(void **state)
{
    (void)state;
    struct conf c;
    struct conf_report rep;
    assert_int_equal(load(C, "listen: 12948, remote: 'h:29900'", &c, &rep), EXIT_OK);
    assert_string_equal(rep.notes.text, "");
    assert_int_equal(c.mode, CONF_CLIENT);
    assert_string_equal(c.listen.host, "127.0.0.1");
    assert_int_equal(c.listen.port, 12948);
    assert_string_equal(c.remote.host, "h");
    assert_int_equal(c.remote.port, 29900);
    assert_int_equal(c.fast, 0);
    assert_int_equal(c.up, 0);
    assert_int_equal(c.down, 0);
    assert_int_equal(c.via, FOG_VIA_KCP);
    assert_int_equal(c.tunnels, 0);
    assert_int_equal(c.hold_s, 5);
    assert_false(c.compress);
    assert_int_equal(c.mtu, 0);
    assert_int_equal(c.sndwnd, 0);
    assert_int_equal(c.rcvwnd, 0);
    assert_int_equal(c.sockbuf, 4 << 20);
    assert_int_equal(c.max_streams, 1024);
    assert_int_equal(c.log_level, LOG_AT_INFO);
    assert_int_equal(load(S, "listen: ':29900', target: 'h:1'", &c, &rep), EXIT_OK);
    assert_string_equal(c.listen.host, "");
}

static void
test_defaults_are_within_their_range(void **state)
{
    (void)state;
    for (enum conf_key key = 0; key < CONF_KEY_N; key++) {
        const struct conf_row *row = &fogi_conf_rows[key];
        assert_non_null(row->option);
        assert_memory_equal(row->option, "--", 2);
        assert_int_equal(fogi_conf_find(fogi_conf_name(key)), key);
        if (row->type != CONF_UINT && row->type != CONF_FAST && row->type != CONF_RATE)
            continue;
        bool is_auto = row->def == 0 && row->min >= 1;
        assert_true(is_auto || (row->min <= row->def && row->def <= row->max));
    }
}

#define TEN "1234567890"
#define PATH_107 "/" TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN "123456"

/** What text a value of a key may be, and what it reads back as. NULL: refused, `want` is the
 * clause. */
static const struct {
    enum conf_mode mode;
    enum conf_key key;
    const char *text, *back, *why;
} values[] = {
    {C, CONF_KEY_STATUS, "/run/foggara/a b", "/run/foggara/a b", NULL},
    {C, CONF_KEY_STATUS, "", "", NULL},
    {C, CONF_KEY_STATUS, PATH_107, PATH_107, NULL},
    {C, CONF_KEY_STATUS, PATH_107 "x", NULL,
     "\"/" TEN TEN TEN TEN "1234567...\" is too long for a socket; 107 bytes are the most"},
    {C, CONF_KEY_LISTEN, "12948", "127.0.0.1:12948", NULL},
    {C, CONF_KEY_LISTEN, ":12948", "127.0.0.1:12948", NULL},
    {C, CONF_KEY_LISTEN, "0.0.0.0:1", "0.0.0.0:1", NULL},
    {C, CONF_KEY_LISTEN, "[::]:65535", "[::]:65535", NULL},
    {C, CONF_KEY_LISTEN, "localhost:80", "localhost:80", NULL},
    {S, CONF_KEY_LISTEN, "29900", ":29900", NULL},
    {S, CONF_KEY_LISTEN, ":29900", ":29900", NULL},
    {C, CONF_KEY_LISTEN, "0", NULL, "\"0\" is not a port; that is 1..65535"},
    {C, CONF_KEY_LISTEN, "65536", NULL, "\"65536\" is not a port; that is 1..65535"},
    {C, CONF_KEY_LISTEN, "080", NULL, "\"080\" is not a port; that is 1..65535"},
    {C, CONF_KEY_LISTEN, "123456", NULL, "\"123456\" is not a port; that is 1..65535"},
    {C, CONF_KEY_LISTEN, "", NULL, "\"\" has no port"},
    {C, CONF_KEY_LISTEN, ":", NULL, "\":\" has no port"},
    {C, CONF_KEY_LISTEN, "localhost", NULL, "\"localhost\" has no port"},
    {C, CONF_KEY_LISTEN, ":0", NULL, "\":0\" has no valid port; that is 1..65535"},
    {C, CONF_KEY_LISTEN, ":65536", NULL, "\":65536\" has no valid port; that is 1..65535"},
    {C, CONF_KEY_LISTEN, ":+1", NULL, "\":+1\" has no valid port; that is 1..65535"},
    {C, CONF_KEY_LISTEN, ":1 ", NULL, "\":1 \" has no valid port; that is 1..65535"},
    {C, CONF_KEY_LISTEN, "[]:1", NULL, "\"[]:1\" has no IPv6 address in its brackets"},
    {C, CONF_KEY_REMOTE, "a.example:1", "a.example:1", NULL},
    {C, CONF_KEY_REMOTE, "a_b-c.example.:1", "a_b-c.example.:1", NULL},
    {C, CONF_KEY_REMOTE, "1.2.3.4:5", "1.2.3.4:5", NULL},
    {C, CONF_KEY_REMOTE, "255.255.255.255:5", "255.255.255.255:5", NULL},
    {C, CONF_KEY_REMOTE, "4you.example:5", "4you.example:5", NULL},
    {C, CONF_KEY_REMOTE, "1.2.3.example:5", "1.2.3.example:5", NULL},
    {C, CONF_KEY_REMOTE, "[::1]:80", "[::1]:80", NULL},
    {C, CONF_KEY_REMOTE, "[1:2:3:4:5:6:7:8]:80", "[1:2:3:4:5:6:7:8]:80", NULL},
    {C, CONF_KEY_REMOTE, "[1::8]:80", "[1::8]:80", NULL},
    {C, CONF_KEY_REMOTE, "[1::]:80", "[1::]:80", NULL},
    {C, CONF_KEY_REMOTE, "[::ffff:1.2.3.4]:80", "[::ffff:1.2.3.4]:80", NULL},
    {C, CONF_KEY_REMOTE, "[1:2:3:4:5:6:1.2.3.4]:80", "[1:2:3:4:5:6:1.2.3.4]:80", NULL},
    {C, CONF_KEY_REMOTE, "[fe80::1%eth0.5]:80", "[fe80::1%eth0.5]:80", NULL},
    {C, CONF_KEY_REMOTE, ":80", NULL, "\":80\" has no host"},
    {C, CONF_KEY_REMOTE, "80", NULL,
     "\"80\" is not an IPv4 address: that is four decimal numbers, 0..255"},
    {C, CONF_KEY_REMOTE, "h", NULL, "\"h\" has no port"},
    {C, CONF_KEY_REMOTE, "h:", NULL, "\"h:\" has no port"},
    {C, CONF_KEY_REMOTE, "h:1-9", NULL, "\"h:1-9\" names a range of ports; one port is wanted"},
    {C, CONF_KEY_REMOTE, "::1:80", NULL,
     "\"::1:80\" has too many colons; an IPv6 address wants brackets, as in [::1]:80"},
    {C, CONF_KEY_REMOTE, "[::1:80", NULL, "\"[::1:80\" has a [ without ]"},
    {C, CONF_KEY_REMOTE, "[::1]", NULL, "\"[::1]\" has no port"},
    {C, CONF_KEY_REMOTE, "[::1]80", NULL, "\"[::1]80\" wants a colon and a port behind the ]"},
    {C, CONF_KEY_REMOTE, "[1:2]:80", NULL, "\"[1:2]:80\" has no IPv6 address in its brackets"},
    {C, CONF_KEY_REMOTE, "[1::2::3]:80", NULL,
     "\"[1::2::3]:80\" has no IPv6 address in its brackets"},
    {C, CONF_KEY_REMOTE, "[1:2:3:4:5:6:7:8:9]:80", NULL,
     "\"[1:2:3:4:5:6:7:8:9]:80\" has no IPv6 address in its brackets"},
    {C, CONF_KEY_REMOTE, "[1:2:3:4::5:6:7:8]:80", NULL,
     "\"[1:2:3:4::5:6:7:8]:80\" has no IPv6 address in its brackets"},
    {C, CONF_KEY_REMOTE, "[12345::]:80", NULL,
     "\"[12345::]:80\" has no IPv6 address in its brackets"},
    {C, CONF_KEY_REMOTE, "[1:2:3:4:5:6:7:]:80", NULL,
     "\"[1:2:3:4:5:6:7:]:80\" has no IPv6 address in its brackets"},
    {C, CONF_KEY_REMOTE, "[:1:2:3:4:5:6:7]:80", NULL,
     "\"[:1:2:3:4:5:6:7]:80\" has no IPv6 address in its brackets"},
    {C, CONF_KEY_REMOTE, "[fe80::1%]:80", NULL,
     "\"[fe80::1%]:80\" has no IPv6 address in its brackets"},
    {C, CONF_KEY_REMOTE, "[1.2.3.4]:80", NULL,
     "\"[1.2.3.4]:80\" has no IPv6 address in its brackets"},
    {C, CONF_KEY_REMOTE, "127.1:80", NULL,
     "\"127.1:80\" is not an IPv4 address: that is four decimal numbers, 0..255"},
    {C, CONF_KEY_REMOTE, "2130706433:80", NULL,
     "\"2130706433:80\" is not an IPv4 address: that is four decimal numbers, 0..255"},
    {C, CONF_KEY_REMOTE, "0x7f.0.0.0x1:80", NULL,
     "\"0x7f.0.0.0x1:80\" is not an IPv4 address: that is four decimal numbers, 0..255"},
    {C, CONF_KEY_REMOTE, "1.2.3.04:80", NULL,
     "\"1.2.3.04:80\" is not an IPv4 address: that is four decimal numbers, 0..255"},
    {C, CONF_KEY_REMOTE, "1.2.3.256:80", NULL,
     "\"1.2.3.256:80\" is not an IPv4 address: that is four decimal numbers, 0..255"},
    {C, CONF_KEY_REMOTE, "1.2.3.4.5:80", NULL,
     "\"1.2.3.4.5:80\" is not an IPv4 address: that is four decimal numbers, 0..255"},
    {C, CONF_KEY_REMOTE, "a..b:80", NULL, "\"a..b:80\" is not a host name: a part of it is empty"},
    {C, CONF_KEY_REMOTE, ".:80", NULL, "\".:80\" is not a host name: a part of it is empty"},
    {C, CONF_KEY_REMOTE, "a b:80", NULL, "\"a b:80\" is not a host name"},
    {C, CONF_KEY_REMOTE, "http://h:80", NULL,
     "\"http://h:80\" has too many colons; an IPv6 address wants brackets, as in [::1]:80"},
    {C, CONF_KEY_REMOTE, "\xc3\xa9:80", NULL, "\"??:80\" is not a host name"},
    {S, CONF_KEY_TARGET, "127.0.0.1:5201", "127.0.0.1:5201", NULL},
    {C, CONF_KEY_FAST, "1", "1", NULL},
    {C, CONF_KEY_FAST, "4", "4", NULL},
    {C, CONF_KEY_FAST, "0", NULL, "\"0\" is not a whole number within 1..4"},
    {C, CONF_KEY_FAST, "5", NULL, "\"5\" is not a whole number within 1..4"},
    {C, CONF_KEY_UP, "50", "50M", NULL},
    {C, CONF_KEY_UP, "50M", "50M", NULL},
    {C, CONF_KEY_UP, "50m", "50M", NULL},
    {C, CONF_KEY_UP, "1.5G", "1.5G", NULL},
    {C, CONF_KEY_UP, "1500", "1.5G", NULL},
    {C, CONF_KEY_UP, "800k", "800k", NULL},
    {C, CONF_KEY_UP, "0.8", "800k", NULL},
    {C, CONF_KEY_UP, "2.5", "2.5M", NULL},
    {C, CONF_KEY_UP, "12.345M", "12.345M", NULL},
    {C, CONF_KEY_UP, "007", "7M", NULL},
    {C, CONF_KEY_UP, "64k", "64k", NULL},
    {C, CONF_KEY_UP, "34G", "34G", NULL},
    {C, CONF_KEY_UP, "auto", "auto", NULL},
    {S, CONF_KEY_DOWN, "20", "20M", NULL},
    {C, CONF_KEY_UP, "0", NULL, "\"0\" is out of range: 64k..34G bits per second, or auto"},
    {C, CONF_KEY_UP, "63k", NULL, "\"63k\" is out of range: 64k..34G bits per second, or auto"},
    {C, CONF_KEY_UP, "34.1G", NULL, "\"34.1G\" is out of range: 64k..34G bits per second, or auto"},
    {C, CONF_KEY_UP, "99999999999999999999", NULL,
     "\"99999999999999999999\" is out of range: 64k..34G bits per second, or auto"},
    {C, CONF_KEY_UP, "-5", NULL,
     "\"-5\" is no rate; 50 or 50M is 50 Mbit/s, 800k and 1.5G are too"},
    {C, CONF_KEY_UP, "", NULL, "\"\" is no rate; 50 or 50M is 50 Mbit/s, 800k and 1.5G are too"},
    {C, CONF_KEY_UP, "fast", NULL,
     "\"fast\" is no rate; 50 or 50M is 50 Mbit/s, 800k and 1.5G are too"},
    {C, CONF_KEY_UP, "1e3", NULL,
     "\"1e3\" is no rate; 50 or 50M is 50 Mbit/s, 800k and 1.5G are too"},
    {C, CONF_KEY_UP, "M", NULL, "\"M\" is no rate; 50 or 50M is 50 Mbit/s, 800k and 1.5G are too"},
    {C, CONF_KEY_UP, ".5", NULL,
     "\".5\" is no rate; 50 or 50M is 50 Mbit/s, 800k and 1.5G are too"},
    {C, CONF_KEY_UP, "5.", NULL,
     "\"5.\" is no rate; 50 or 50M is 50 Mbit/s, 800k and 1.5G are too"},
    {C, CONF_KEY_UP, "1.2.3", NULL,
     "\"1.2.3\" is no rate; 50 or 50M is 50 Mbit/s, 800k and 1.5G are too"},
    {C, CONF_KEY_UP, "50Mbit", NULL, "\"50Mbit\" is no rate in bits per second; did you mean 50M?"},
    {C, CONF_KEY_UP, "6MB/s", NULL, "\"6MB/s\" is no rate in bits per second; did you mean 6M?"},
    {S, CONF_KEY_DOWN, "800kbps", NULL,
     "\"800kbps\" is no rate in bits per second; did you mean 800k?"},
    {C, CONF_KEY_VIA, "kcp", "kcp", NULL},
    {C, CONF_KEY_VIA, "tcp", "tcp", NULL},
    {C, CONF_KEY_VIA, "udp", NULL, "\"udp\" is neither kcp nor tcp"},
    {C, CONF_KEY_TUNNELS, "8", "8", NULL},
    {C, CONF_KEY_TUNNELS, "9", NULL, "\"9\" is not a whole number within 0..8"},
    {C, CONF_KEY_TUNNELS, "0", "0", NULL},
    {C, CONF_KEY_HOLD, "0", "0", NULL},
    {C, CONF_KEY_HOLD, "300", "300", NULL},
    {C, CONF_KEY_HOLD, "301", NULL, "\"301\" is not a whole number within 0..300"},
    {C, CONF_KEY_COMPRESS, "true", "true", NULL},
    {C, CONF_KEY_COMPRESS, "on", "true", NULL},
    {C, CONF_KEY_COMPRESS, "off", "false", NULL},
    {C, CONF_KEY_COMPRESS, "yes", NULL, "\"yes\" is neither true nor false"},
    {C, CONF_KEY_MTU, "64", "64", NULL},
    {C, CONF_KEY_MTU, "65000", "65000", NULL},
    {C, CONF_KEY_MTU, "63", NULL, "\"63\" is not a whole number within 64..65000"},
    {C, CONF_KEY_MTU, "65001", NULL, "\"65001\" is not a whole number within 64..65000"},
    {C, CONF_KEY_MTU, "-1", NULL, "\"-1\" is not a whole number within 64..65000"},
    {C, CONF_KEY_MTU, "1e3", NULL, "\"1e3\" is not a whole number within 64..65000"},
    {C, CONF_KEY_MTU, "01250", NULL, "\"01250\" is not a whole number within 64..65000"},
    {C, CONF_KEY_MTU, "4294968546", NULL, "\"4294968546\" is not a whole number within 64..65000"},
    {C, CONF_KEY_MTU, "99999999999999999999", NULL,
     "\"99999999999999999999\" is not a whole number within 64..65000"},
    {C, CONF_KEY_SNDWND, "65535", "65535", NULL},
    {C, CONF_KEY_SNDWND, "65536", NULL, "\"65536\" is not a whole number within 1..65535"},
    {C, CONF_KEY_RCVWND, "1", "1", NULL},
    {C, CONF_KEY_RCVWND, "0", NULL, "\"0\" is not a whole number within 1..65535"},
    {C, CONF_KEY_SOCKBUF, "67108864", "67108864", NULL},
    {C, CONF_KEY_SOCKBUF, "67108865", NULL,
     "\"67108865\" is not a whole number within 0..67108864"},
    {C, CONF_KEY_MAX_STREAMS, "16384", "16384", NULL},
    {C, CONF_KEY_MAX_STREAMS, "16385", NULL, "\"16385\" is not a whole number within 1..16384"},
    {C, CONF_KEY_LOG, "error", "error", NULL},
    {C, CONF_KEY_LOG, "0", "error", NULL},
    {C, CONF_KEY_LOG, "4", "trace", NULL},
    {C, CONF_KEY_LOG, "5", NULL, "\"5\" is no level: error, warn, info, debug, trace, or 0..4"},
    {C, CONF_KEY_LOG, "DEBUG", NULL,
     "\"DEBUG\" is no level: error, warn, info, debug, trace, or 0..4"},
};

static void
test_values_as_flags(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(values); i++) {
        struct conf c;
        struct conf_report rep;
        char text[CONF_HOST_MAX + 16] = "";
        int rc = load_flag(values[i].mode, values[i].key, values[i].text, &c, &rep);
        if (values[i].back != NULL) {
            assert_int_equal(rc, EXIT_OK);
            fogi_conf_text(&c, values[i].key, text, sizeof text);
            assert_string_equal(text, values[i].back);
            assert_int_equal(c.source[values[i].key], CONF_FROM_FLAG);
        } else {
            snprintf(text, sizeof text, "FLAG: %s\n", values[i].why);
            assert_int_equal(rc, EXIT_USAGE);
            assert_string_equal(rep.errors.text, text);
        }
    }
}

/** The same values in a file mean the same. */
/** --print-config could not show it so that it reads back. */
static void
test_a_path_needs_no_quoting(void **state)
{
    (void)state;
    static const char *const paths[] = {"a\"b", "a\\b", "a\nb"};
    for (size_t i = 0; i < COUNT(paths); i++) {
        struct conf c;
        struct conf_report rep;
        assert_int_equal(load_flag(C, CONF_KEY_STATUS, paths[i], &c, &rep), EXIT_USAGE);
        assert_non_null(strstr(rep.errors.text, "has quotes, backslashes or control characters"));
    }
}

static void
test_values_in_a_file(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(values); i++) {
        enum conf_key far = values[i].mode == C ? CONF_KEY_REMOTE : CONF_KEY_TARGET;
        const char *name = fogi_conf_name(values[i].key);
        struct conf c;
        struct conf_report rep;
        char file[512], text[512];
        snprintf(file, sizeof file, "%s: \"%s\"", name, values[i].text);
        if (values[i].key != CONF_KEY_LISTEN)
            strcat(file, ", listen: 1");
        if (values[i].key != far)
            snprintf(file + strlen(file), 64, ", %s: 'h:2'", fogi_conf_name(far));
        int rc = load(values[i].mode, file, &c, &rep);
        if (values[i].back != NULL) {
            assert_int_equal(rc, EXIT_OK);
            fogi_conf_text(&c, values[i].key, text, sizeof text);
            assert_string_equal(text, values[i].back);
            assert_int_equal(c.source[values[i].key], CONF_FROM_FILE);
        } else if (values[i].key != CONF_KEY_LOG || values[i].text[0] != 0) {
            snprintf(text, sizeof text, "F:1:%zu: %s: %s\n", strlen(name) + 3, name, values[i].why);
            assert_int_equal(rc, EXIT_CONFIG);
            assert_string_equal(rep.errors.text, text);
        }
    }
}

#define HEAD "listen: 1, remote: 'h:2'\n"

static const struct {
    enum conf_mode mode;
    const char *file, *errors;
} wrong[] = {
    {C, "{\n  \"listen\": \":1\",\n  \"sndwind\": 3\n}",
     "F:3:3: unknown key \"sndwind\"; did you mean \"sndwnd\"?\n"},
    {C, HEAD "tunel: 1", "F:2:1: unknown key \"tunel\"; did you mean \"tunnels\"?\n"},
    {C, HEAD "max_stream: 1", "F:2:1: unknown key \"max_stream\"; did you mean \"max-streams\"?\n"},
    {C, HEAD "MTU: 1", "F:2:1: unknown key \"MTU\"; did you mean \"mtu\"?\n"},
    {C, HEAD "colour: red", "F:2:1: unknown key \"colour\"\n"},
    {S, "hol: 1", "F:1:1: unknown key \"hol\"\n"},
    {C, HEAD "\"a\\u001b[31m\xff\": 1", "F:2:1: unknown key \"a?[31m?\"\n"},
    {C, HEAD "target: 'h:1'", "F:2:1: \"target\" is for the server; did you mean \"remote\"?\n"},
    {S, "remote: 'h:1'", "F:1:1: \"remote\" is for the client; did you mean \"target\"?\n"},
    {S, "tunnels: 2", "F:1:1: \"tunnels\" is for the client\n"},
    {C, HEAD "listen: 2", "F:2:1: \"listen\" is set a second time; first at 1:1\n"},
    {C, "{listen: 1,\n localaddr: ':2'}",
     "F:2:2: \"localaddr\" is set a second time; first at 1:2\n"},
    {C, HEAD "mtu: [1]", "F:2:6: mtu: one value is wanted, not a list\n"},
    {C, HEAD "mtu: {}", "F:2:6: mtu: one value is wanted, not an object\n"},
    {C, HEAD "mtu: 1.5", "F:2:6: mtu: \"1.5\" is not a whole number within 64..65000\n"},
    {C, HEAD "mtu: true", "F:2:6: mtu: \"true\" is not a whole number within 64..65000\n"},
    {C, HEAD "compress: 1", "F:2:11: compress: \"1\" is neither true nor false\n"},
    {C, "[1]", "F:1:1: an object is wanted, not a list\n"},
    {C, "{\"listen\": }", "F:1:12: a value is missing here\n"},
    {C, "",
     "F: \"listen\" is missing; set it here or with -l [ADDR]:PORT\n"
     "F: \"remote\" is missing; set it here or with -r HOST:PORT\n"},
    {S, "listen: 1", "F: \"target\" is missing; set it here or with -t HOST:PORT\n"},
    {C, HEAD "mtu: 1\nfast: 9\nxyz: 1",
     "F:2:6: mtu: \"1\" is not a whole number within 64..65000\n"
     "F:3:7: fast: \"9\" is not a whole number within 1..4\n"
     "F:4:1: unknown key \"xyz\"\n"},
    /* kcptun's */
    {C, HEAD "mode: manual",
     "F:2:7: mode: normal, fast, fast2 or fast3 is wanted, or \"fast\" with 1..4\n"},
    {C, HEAD "mode: [fast]",
     "F:2:7: mode: normal, fast, fast2 or fast3 is wanted, or \"fast\" with 1..4\n"},
    {C, HEAD "mode: fast2, fast: 2", "F:2:14: \"fast\" is set a second time; first at 2:1\n"},
    {C, HEAD "quiet: 1", "F:2:8: quiet: true or false is wanted\n"},
    {C, HEAD "log: '/var/log/k.log'",
     "F:2:6: log: \"/var/log/k.log\" is no level: error, warn, "
     "info, debug, trace, or 0..4\n"},
    {C, HEAD "key: x\ncrypt: aes\ndatashard: 10, parityshard: 3",
     "F:2:1: \"key\", \"crypt\", \"datashard\", \"parityshard\": kcptun's wire is not spoken here; "
     "remove what asks for it (both ends must be foggara or vproxy)\n"},
    {C, HEAD "tcp: true",
     "F:2:1: \"tcp\": kcptun's wire is not spoken here; "
     "remove what asks for it (both ends must be foggara or vproxy)\n"},
    {C, HEAD "key: x",
     "F:2:1: \"key\": kcptun's wire is not spoken here; "
     "remove what asks for it (both ends must be foggara or vproxy)\n"},
};

static void
test_wrong_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        struct conf c, before;
        struct conf_report rep;
        memset(&c, 0x5a, sizeof c);
        before = c;
        int rc = load(wrong[i].mode, wrong[i].file, &c, &rep);
        if (rc != EXIT_CONFIG || strcmp(rep.errors.text, wrong[i].errors) != 0)
            fail_msg("row %zu: %d, got %s want %s", i, rc, rep.errors.text, wrong[i].errors);
        assert_memory_equal(&c, &before, sizeof c);
    }
}

static void
test_kcptun_client_file(void **state)
{
    (void)state;
    static const char file[] =
        "{\"localaddr\": \":12948\", \"remoteaddr\": \"vps:29900\", \"key\": \"secret\",\n"
        " \"crypt\": \"none\", \"mode\": \"fast3\", \"conn\": 2, \"autoexpire\": 600,\n"
        " \"mtu\": 1350, \"sndwnd\": 128, \"rcvwnd\": 512, \"datashard\": 0, \"parityshard\": 0,\n"
        " \"dscp\": 46, \"nocomp\": true, \"sockbuf\": 4194304, \"log\": \"\", \"quiet\": true,\n"
        " \"tcp\": false, \"pprof\": null}";
    struct conf c;
    struct conf_report rep;
    assert_int_equal(load(C, file, &c, &rep), EXIT_OK);
    assert_string_equal(c.listen.host, "127.0.0.1");
    assert_int_equal(c.listen.port, 12948);
    assert_string_equal(c.remote.host, "vps");
    assert_int_equal(c.fast, 3);
    assert_int_equal(c.tunnels, 2);
    assert_int_equal(c.mtu, 1350);
    assert_int_equal(c.sndwnd, 128);
    assert_int_equal(c.rcvwnd, 512);
    assert_int_equal(c.log_level, LOG_AT_WARN);
    assert_string_equal(rep.notes.text,
                        "F: keys of kcptun's are read, but its wire is not spoken: both ends must "
                        "be foggara or vproxy\n"
                        "F: without effect here: \"key\", \"crypt\", \"autoexpire\", "
                        "\"datashard\", \"parityshard\", \"dscp\", \"nocomp\", \"tcp\"\n");
}

static void
test_kcptun_words(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int fast;
        enum log_at log;
    } rows[] = {
        {HEAD "mode: normal", 1, LOG_AT_INFO},
        {HEAD "mode: fast", 1, LOG_AT_INFO},
        {HEAD "mode: fast2", 2, LOG_AT_INFO},
        {HEAD "mode: fast3", 3, LOG_AT_INFO},
        {HEAD "mode: fast4", 4, LOG_AT_INFO},
        {HEAD "quiet: true", 0, LOG_AT_WARN},
        {HEAD "quiet: false", 0, LOG_AT_INFO},
        {HEAD "quiet: true, log: debug", 0, LOG_AT_DEBUG},
        {HEAD "log: debug, quiet: true", 0, LOG_AT_DEBUG},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct conf c;
        struct conf_report rep;
        assert_int_equal(load(C, rows[i].text, &c, &rep), EXIT_OK);
        assert_int_equal(c.fast, rows[i].fast);
        assert_int_equal(c.log_level, rows[i].log);
    }
}

static void
test_flags_win(void **state)
{
    (void)state;
    static const char file[] = "{listen: ':1', remote: 'h:2', mtu: 1000, fast: 1}";
    struct conf_request rq = {.mode = C, .file = "F", .n_flags = 3};
    rq.flags[0] = (struct conf_flag){CONF_KEY_MTU, "1100", "--mtu"};
    rq.flags[1] = (struct conf_flag){CONF_KEY_LISTEN, "0.0.0.0:3", "-l"};
    rq.flags[2] = (struct conf_flag){CONF_KEY_MTU, "1200", "--mtu"};
    struct conf c;
    struct conf_report rep;
    assert_int_equal(fogi_conf_parse(&c, &rq, file, strlen(file), &rep), EXIT_OK);
    assert_int_equal(c.mtu, 1200);
    assert_int_equal(c.fast, 1);
    assert_int_equal(c.listen.port, 3);
    assert_string_equal(c.listen.host, "0.0.0.0");
    assert_int_equal(c.source[CONF_KEY_MTU], CONF_FROM_FLAG);
    assert_int_equal(c.source[CONF_KEY_FAST], CONF_FROM_FILE);
    assert_int_equal(c.source[CONF_KEY_VIA], CONF_FROM_DEFAULT);
}

static void
test_what_flags_lack(void **state)
{
    (void)state;
    struct conf c;
    struct conf_report rep;
    assert_int_equal(load(C, NULL, &c, &rep), EXIT_USAGE);
    assert_string_equal(rep.errors.text, "the client wants -l [ADDR]:PORT, where to listen\n"
                                         "the client wants -r HOST:PORT, the server\n");
    assert_int_equal(load_flag(S, CONF_KEY_HOLD, "1", &c, &rep), EXIT_USAGE);
    assert_string_equal(rep.errors.text, "FLAG is not for the server\n");
    assert_int_equal(load_flag(C, CONF_KEY_TARGET, "h:1", &c, &rep), EXIT_USAGE);
    assert_string_equal(rep.errors.text, "FLAG is not for the client\n");
}

static void
test_guess(void **state)
{
    (void)state;
    struct conf_request rq = {.mode = C, .guess = true, .file = "F"};
    struct conf c;
    struct conf_report rep;
    static const char server[] = "listen: 1, target: 'h:2'";
    assert_int_equal(fogi_conf_parse(&c, &rq, server, strlen(server), &rep), EXIT_OK);
    assert_int_equal(c.mode, CONF_SERVER);
    assert_int_equal(fogi_conf_parse(&c, &rq, HEAD, strlen(HEAD), &rep), EXIT_OK);
    assert_int_equal(c.mode, CONF_CLIENT);
}

static void
test_files(void **state)
{
    (void)state;
    struct conf c;
    struct conf_report rep;
    struct conf_request rq = {.mode = C, .file = "no/such/file.json"};
    assert_int_equal(fogi_conf_load(&c, &rq, &rep), EXIT_NOINPUT);
    assert_string_equal(rep.errors.text,
                        "cannot read no/such/file.json: No such file or directory\n");
    rq.file = ".";
    assert_int_equal(fogi_conf_load(&c, &rq, &rep), EXIT_NOINPUT);
    assert_string_equal(rep.errors.text, "cannot read .: Is a directory\n");
}

/** A file that changes between two loads, as at a reload: the flags are applied again. */
static void
test_load_again(void **state)
{
    (void)state;
    char name[] = "fog_conf_test.XXXXXX";
    struct conf c;
    struct conf_report rep;
    snprintf(name + strlen(name) - 6, 7, "%06u", (unsigned)((uintptr_t)&c >> 4) % 1000000);
    struct conf_request rq = {.mode = C, .file = name, .n_flags = 1};
    rq.flags[0] = (struct conf_flag){CONF_KEY_FAST, "2", "--fast"};
    static const char *const texts[] = {HEAD "mtu: 1000", HEAD "mtu: 1100", HEAD "mtu: 1"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        FILE *f = fopen(name, "w");
        assert_non_null(f);
        fputs(texts[i], f);
        fclose(f);
        int rc = fogi_conf_load(&c, &rq, &rep);
        remove(name);
        assert_int_equal(rc, i < 2 ? EXIT_OK : EXIT_CONFIG);
        assert_int_equal(c.mtu, i == 0 ? 1000 : 1100);
        assert_int_equal(c.fast, 2);
    }
}

/** A report has room for CONF_LINES_MAX bytes; what is beyond is announced, once. */
static void
test_limit_report(void **state)
{
    (void)state;
    char *file = malloc(64 * 1024);
    assert_non_null(file);
    file[0] = 0;
    for (size_t i = 0, len = 0; i < 1000; i++)
        len += (size_t)sprintf(file + len, "zzzz%04zu: 1\n", i);
    struct conf c;
    struct conf_report rep;
    assert_int_equal(load(C, file, &c, &rep), EXIT_CONFIG);
    free(file);
    assert_int_equal(strlen(rep.errors.text), rep.errors.len);
    assert_true(rep.errors.len < CONF_LINES_MAX && rep.errors.len > CONF_LINES_MAX - 100);
    const char *more = strstr(rep.errors.text, "(and more)\n");
    assert_non_null(more);
    assert_int_equal(more + strlen(more) - rep.errors.text, rep.errors.len);
    assert_int_equal(strlen(more), strlen("(and more)\n"));
}

static void
test_limit_host(void **state)
{
    (void)state;
    char text[CONF_HOST_MAX + 8] = "";
    struct conf c;
    struct conf_report rep;
    for (int i = 0; i < CONF_HOST_MAX / 2; i++)
        strcat(text, "a.");
    strcat(text, "a:1");
    assert_int_equal(load_flag(C, CONF_KEY_REMOTE, text, &c, &rep), EXIT_OK);
    assert_int_equal(strlen(c.remote.host), CONF_HOST_MAX);
    memcpy(text + CONF_HOST_MAX, "a:1", 4);
    assert_int_equal(load_flag(C, CONF_KEY_REMOTE, text, &c, &rep), EXIT_USAGE);
    assert_non_null(strstr(rep.errors.text, "has a host longer than 255"));
    memset(text, 'b', 64);
    memcpy(text + 63, ":1", 3);
    assert_int_equal(load_flag(C, CONF_KEY_REMOTE, text, &c, &rep), EXIT_OK);
    memcpy(text + 63, "b:1", 4);
    assert_int_equal(load_flag(C, CONF_KEY_REMOTE, text, &c, &rep), EXIT_USAGE);
    assert_non_null(strstr(rep.errors.text, "a part of it is longer than 63"));
}

static void
test_same(void **state)
{
    (void)state;
    struct conf a, b;
    fogi_conf_init(&a, C);
    b = a;
    for (enum conf_key key = 0; key < CONF_KEY_N; key++)
        assert_true(fogi_conf_same(&a, &b, key));
    b.hold_s++;
    strcpy(b.remote.host, "x");
    assert_false(fogi_conf_same(&a, &b, CONF_KEY_HOLD));
    assert_false(fogi_conf_same(&a, &b, CONF_KEY_REMOTE));
    assert_true(fogi_conf_same(&a, &b, CONF_KEY_LISTEN));
    assert_int_equal(fogi_conf_live(CONF_KEY_MTU), CONF_LIVE_NEXT);
    assert_int_equal(fogi_conf_live(CONF_KEY_HOLD), CONF_LIVE_NOW);
}

/** At a reload everything changes; what can, stays changed. */
static void
test_keep_fixed(void **state)
{
    (void)state;
    static const char *const files[2][2] = {
        {"listen: 1, remote: 'h:2'",
         "listen: 9, remote: 'g:2', fast: 1, via: tcp, mtu: 99, sockbuf: 1, hold: 7, log: warn"},
        {"listen: 1, target: 'h:2'",
         "listen: 9, target: 'g:2', fast: 1, via: tcp, mtu: 99, sockbuf: 1, log: warn"},
    };
    static const char *const said[2] = {
        "listen stays 127.0.0.1:1: 127.0.0.1:9 needs a restart\n"
        "via stays kcp: tcp needs a restart\n",
        "listen stays :1: :9 needs a restart\n"
        "fast stays auto: 1 needs a restart\n"
        "via stays kcp: tcp needs a restart\n"
        "mtu stays auto: 99 needs a restart\n"
        "sockbuf stays 4194304: 1 needs a restart\n",
    };
    for (enum conf_mode mode = C; mode <= S; mode++) {
        struct conf running, next;
        struct conf_report rep;
        struct conf_lines lines;
        assert_int_equal(load(mode, files[mode][0], &running, &rep), EXIT_OK);
        assert_int_equal(load(mode, files[mode][1], &next, &rep), EXIT_OK);
        fogi_conf_keep_fixed(&running, &next, &lines);
        assert_string_equal(lines.text, said[mode]);
        assert_int_equal(next.listen.port, 1);
        assert_int_equal(next.via, FOG_VIA_KCP);
        assert_int_equal(next.source[CONF_KEY_VIA], CONF_FROM_DEFAULT);
        assert_string_equal(next.remote.host, "g");
        assert_int_equal(next.log_level, LOG_AT_WARN);
        assert_int_equal(next.mtu, mode == C ? 99 : 0);
        fogi_conf_keep_fixed(&running, &next, &lines);
        assert_string_equal(lines.text, "");
    }
}

static void
test_nearest(void **state)
{
    (void)state;
    static const struct {
        const char *typed, *word;
        bool near;
    } rows[] = {
        {"sndwind", "sndwnd", true},
        {"sndwdn", "sndwnd", true},
        {"SNDWND", "sndwnd", true},
        {"serv", "server", true},
        {"clinet", "client", true},
        {"mut", "mtu", true},
        {"max_streams", "max-streams", true},
        {"x", "mtu", false},
        {"colour", "compress", false},
        {"", "mtu", false},
        {"mt", "mtu", true},
        {"log", "fog", true},
        {"via", "log", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        int best = NEAREST_NONE;
        if (fogi_nearest(rows[i].typed, rows[i].word, &best) != rows[i].near)
            fail_msg("%s and %s", rows[i].typed, rows[i].word);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_defaults_are_within_their_range),
        cmocka_unit_test(test_values_as_flags),
        cmocka_unit_test(test_values_in_a_file),
        cmocka_unit_test(test_a_path_needs_no_quoting),
        cmocka_unit_test(test_wrong_files),
        cmocka_unit_test(test_kcptun_client_file),
        cmocka_unit_test(test_kcptun_words),
        cmocka_unit_test(test_flags_win),
        cmocka_unit_test(test_what_flags_lack),
        cmocka_unit_test(test_guess),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_load_again),
        cmocka_unit_test(test_limit_report),
        cmocka_unit_test(test_limit_host),
        cmocka_unit_test(test_same),
        cmocka_unit_test(test_keep_fixed),
        cmocka_unit_test(test_nearest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
