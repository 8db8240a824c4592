/* SPDX-License-Identifier: MIT
 *
 * One spelling for every destination, and none for what is not one (threats S1, S6).
 */
#include "unit/proxy/feed.h"

#include "proxy/dest.h"

#define A63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define NAME255 A63 "." A63 "." A63 "." A63

static const struct {
    const char *text, *want; /* want NULL: not a destination */
} authorities[] = {
    {"example.com:80", "example.com:80"},
    {"EXAMPLE.Com:443", "example.com:443"},
    {"example.com.:80", "example.com:80"},
    {"a:1", "a:1"},
    {"a_b-.c--d:65535", "a_b-.c--d:65535"},
    {"xn--nxasmq6b:80", "xn--nxasmq6b:80"},
    {"1a:80", "1a:80"},
    {"0x7fg:80", "0x7fg:80"},
    {"192.0.2.1:80", "192.0.2.1:80"},
    {"0.0.0.0:80", "0.0.0.0:80"},
    {"[::1]:80", "[::1]:80"},
    {"[::]:80", "[::]:80"},
    {"[2001:DB8:0:0:1:0:0:1]:80", "[2001:db8::1:0:0:1]:80"},
    {"[2001:db8:0:1:1:1:1:1]:80", "[2001:db8:0:1:1:1:1:1]:80"},
    {"[1:2:3:4:5:6:7::]:80", "[1:2:3:4:5:6:7:0]:80"},
    {"[::2:3:4:5:6:7:8]:80", "[0:2:3:4:5:6:7:8]:80"},
    {"[1:0:0:0:0:0:0:0]:80", "[1::]:80"},
    {"[::ffff:192.0.2.1]:80", "[::ffff:c000:201]:80"},
    {"[1:2:3:4:5:6:1.2.3.4]:80", "[1:2:3:4:5:6:102:304]:80"},
    {NAME255 ":80", NAME255 ":80"},
    {NAME255 ".:80", NULL},
    {"a" A63 ".b:80", NULL},
    {"", NULL},
    {":80", NULL},
    {"example.com", NULL},
    {"example.com:", NULL},
    {"example.com:0", NULL},
    {"example.com:65536", NULL},
    {"example.com:080", NULL},
    {"example.com:+80", NULL},
    {"example.com:-1", NULL},
    {"example.com: 80", NULL},
    {"example.com:80 ", NULL},
    {"example.com:80:80", NULL},
    {"example.com:8a", NULL},
    {"example.com:000080", NULL},
    {"example.com:99999999999999999999", NULL},
    {" example.com:80", NULL},
    {"exa mple.com:80", NULL},
    {"user@example.com:80", NULL},
    {"user:pw@example.com:80", NULL},
    {"example.com/:80", NULL},
    {"example.com%00:80", NULL},
    {"ex\xc3\xa4mple.com:80", NULL},
    {".:80", NULL},
    {"..:80", NULL},
    {".a:80", NULL},
    {"a..b:80", NULL},
    {"a.b..:80", NULL},
    {"127.1:80", NULL},
    {"0x7f.1:80", NULL},
    {"0x7f000001:80", NULL},
    {"2130706433:80", NULL},
    {"0177.0.0.1:80", NULL},
    {"127.0.0.01:80", NULL},
    {"127.0.0.256:80", NULL},
    {"127.0.0:80", NULL},
    {"127.0.0.1.:80", NULL},
    {"127.0.0.1.5:80", NULL},
    {"foo.0x1:80", NULL},
    {"foo.1:80", NULL},
    {"[127.0.0.1]:80", NULL},
    {"[example.com]:80", NULL},
    {"::1:80", NULL},
    {"[::1:80", NULL},
    {"::1]:80", NULL},
    {"[]:80", NULL},
    {"[:]:80", NULL},
    {"[:::]:80", NULL},
    {"[::1::]:80", NULL},
    {"[1:2:3:4:5:6:7:8:9]:80", NULL},
    {"[1:2:3:4:5:6:7]:80", NULL},
    {"[1::2:3:4:5:6:7:8]:80", NULL},
    {"[1:2:3:4:5:6:7:1.2.3.4]:80", NULL},
    {"[::1.2.3]:80", NULL},
    {"[::12345]:80", NULL},
    {"[::g]:80", NULL},
    {"[::1%25eth0]:80", NULL},
    {"[::1%eth0]:80", NULL},
    {"[::1]80", NULL},
    {"[::1]:", NULL},
    {"[::1]:0", NULL},
    {"[[::1]]:80", NULL},
};

static void
test_every_authority_has_one_reading(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(authorities); i++) {
        struct dest d = {.port = 7, .name = "before"}, before = d;
        char text[DEST_TEXT_MAX];
        int rc = fogi_dest_authority(&d, authorities[i].text, strlen(authorities[i].text), 0);
        if ((rc == 0) != (authorities[i].want != NULL))
            fail_msg("%s: %s", authorities[i].text, fog_err_name(rc));
        if (rc) {
            assert_int_equal(rc, FOG_E_FORMAT);
            assert_memory_equal(&d, &before, sizeof d);
            continue;
        }
        assert_int_equal(fogi_dest_text(&d, text), strlen(authorities[i].want));
        assert_string_equal(text, authorities[i].want);
        struct dest again = {0};
        assert_int_equal(fogi_dest_authority(&again, text, strlen(text), 0), 0);
        assert_true(fogi_dest_same(&again, &d));
        assert_memory_equal(&again, &d, sizeof d); /* unused bytes are zero */
    }
}

static void
test_a_port_may_be_missing_where_there_is_a_default(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } rows[] = {{"example.com", "example.com:80"},
                {"[::1]", "[::1]:80"},
                {"[::1]:81", "[::1]:81"},
                {"a:81", "a:81"},
                {"a:", NULL},
                {"", NULL},
                {"[::1]x", NULL},
                {"::1", NULL}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct dest d = {0};
        char text[DEST_TEXT_MAX] = "";
        int rc = fogi_dest_authority(&d, rows[i].text, strlen(rows[i].text), 80);
        if (rc == 0)
            fogi_dest_text(&d, text);
        if (rc ? rows[i].want != NULL : !rows[i].want || strcmp(text, rows[i].want) != 0)
            fail_msg("%s: %s %s", rows[i].text, fog_err_name(rc), text);
    }
}

static void
test_a_socks_host_is_a_name_or_an_address_with_or_without_brackets(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t len;
        int kind; /* -1: none */
    } rows[] = {{"a.b", 3, DEST_NAME}, {"1.2.3.4", 7, DEST_IP4},
                {"::1", 3, DEST_IP6},  {"[::1]", 5, DEST_IP6},
                {"a\0b", 3, -1},       {"a.b\0", 4, -1},
                {"", 0, -1},           {"a/b", 3, -1},
                {"a:80", 4, -1},       {"u@a", 3, -1},
                {"1.2.3.4\0", 8, -1},  {"[1.2.3.4]", 9, -1},
                {"fe80::1%1", 9, -1}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct dest d = {.port = 9};
        char *host = malloc(rows[i].len + !rows[i].len); /* no zero behind it */
        memcpy(host, rows[i].text, rows[i].len);
        int rc = fogi_dest_host(&d, host, rows[i].len);
        free(host);
        if (rc ? rows[i].kind != -1 : (int)d.kind != rows[i].kind)
            fail_msg("%s: %s %d", rows[i].text, fog_err_name(rc), d.kind);
        assert_int_equal(d.port, 9);
    }
}

static void
test_destinations_differ_by_kind_host_and_port(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "a:1", "a:2", "b:1", "1.2.3.4:1", "1.2.3.5:1", "[::1]:1", "[::ffff:1.2.3.4]:1"};
    struct dest d[COUNT(texts)] = {0};
    for (size_t i = 0; i < COUNT(texts); i++)
        assert_int_equal(fogi_dest_authority(&d[i], texts[i], strlen(texts[i]), 0), 0);
    for (size_t i = 0; i < COUNT(texts); i++)
        for (size_t k = 0; k < COUNT(texts); k++)
            assert_int_equal(fogi_dest_same(&d[i], &d[k]), i == k);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_authority_has_one_reading),
        cmocka_unit_test(test_a_port_may_be_missing_where_there_is_a_default),
        cmocka_unit_test(test_a_socks_host_is_a_name_or_an_address_with_or_without_brackets),
        cmocka_unit_test(test_destinations_differ_by_kind_host_and_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
