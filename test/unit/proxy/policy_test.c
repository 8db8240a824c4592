/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "proxy/policy.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static struct dest
to(const char *text)
{
    struct dest d = {0};
    assert_int_equal(fogi_dest_authority(&d, text, strlen(text), 443), FOG_OK);
    assert_int_not_equal(d.kind, DEST_NAME);
    return d;
}

static void
must_add(struct policy *p, const char *text, bool allow)
{
    assert_int_equal(fogi_policy_add(p, text, strlen(text), allow), FOG_OK);
}

/* What a spelling comes to: refused as no host at all, a name (judged once it is resolved), or an
 * address with a verdict. */
enum fate { NO_HOST, NAME, FREE, RANGE, EMBEDDED };

/* clang-format off */
static const struct {
    const char *host;
    enum fate fate;
} spellings[] = {
    /* 127.0.0.1 in every dress that some program somewhere reads */
    {"127.0.0.1", RANGE},           {"127.1", NO_HOST},             {"127.0.1", NO_HOST},
    {"2130706433", NO_HOST},        {"0x7f000001", NO_HOST},        {"0x7f.0.0.1", NO_HOST},
    {"0x7f.1", NO_HOST},            {"0177.0.0.1", NO_HOST},        {"017700000001", NO_HOST},
    {"127.0.0.01", NO_HOST},        {"127.000.000.001", NO_HOST},   {"127.0.0.1.", NO_HOST},
    {"127.0.0.256", NO_HOST},       {"127.0.0.1 ", NO_HOST},        {"+127.0.0.1", NO_HOST},
    {"127.255.255.255", RANGE},     {"0.0.0.0", RANGE},             {"0", NO_HOST},
    {"::1", RANGE},                 {"[::1]", RANGE},               {"0:0:0:0:0:0:0:1", RANGE},
    {"::", RANGE},                  {"::ffff:127.0.0.1", RANGE},    {"::ffff:7f00:1", RANGE},
    {"[::ffff:127.0.0.1]", RANGE},  {"0:0:0:0:0:FFFF:7F00:1", RANGE},
    {"::127.0.0.1", RANGE},         {"64:ff9b::127.0.0.1", RANGE},  {"64:ff9b::7f00:1", RANGE},
    {"64:ff9b:1::1", RANGE},        {"2002:7f00:1::", RANGE},       {"2002:7f00:0001::1", RANGE},
    {"::1%lo", NO_HOST},            {"[::1%25lo]", NO_HOST},        {"fe80::1%eth0", NO_HOST},
    {"localhost", NAME},            {"LOCALHOST.", NAME},           {"localtest.me", NAME},
    {"127.0.0.1@example.com", NO_HOST}, {"example.com@127.0.0.1", NO_HOST},
    {"127.0.0.1%00.example.com", NO_HOST}, {"example.com/127.0.0.1", NO_HOST},
    /* private, local, shared, reserved; the edges */
    {"10.0.0.0", RANGE},            {"10.255.255.255", RANGE},      {"9.255.255.255", FREE},
    {"11.0.0.0", FREE},             {"100.63.255.255", FREE},       {"100.64.0.0", RANGE},
    {"100.127.255.255", RANGE},     {"100.128.0.0", FREE},          {"169.254.169.254", RANGE},
    {"169.253.255.255", FREE},      {"172.15.255.255", FREE},       {"172.16.0.0", RANGE},
    {"172.31.255.255", RANGE},      {"172.32.0.0", FREE},           {"192.0.0.1", RANGE},
    {"192.0.1.1", FREE},            {"192.0.2.255", RANGE},         {"192.88.99.1", RANGE},
    {"192.167.255.255", FREE},      {"192.168.0.1", RANGE},         {"192.169.0.0", FREE},
    {"198.17.255.255", FREE},       {"198.18.0.0", RANGE},          {"198.19.255.255", RANGE},
    {"198.20.0.0", FREE},           {"198.51.100.7", RANGE},        {"203.0.113.9", RANGE},
    {"223.255.255.255", FREE},      {"224.0.0.1", RANGE},           {"239.255.255.255", RANGE},
    {"240.0.0.1", RANGE},           {"255.255.255.255", RANGE},     {"1.1.1.1", FREE},
    {"100::1", RANGE},              {"100:0:0:1::", FREE},          {"2001::1", RANGE},
    {"2001:0:1::", RANGE},          {"2001:1::1", FREE},            {"2001:db8::1", RANGE},
    {"2001:db9::1", FREE},          {"2606:4700::1111", FREE},      {"fbff::1", FREE},
    {"fc00::1", RANGE},             {"fdff::1", RANGE},             {"fe7f::1", FREE},
    {"fe80::1", RANGE},             {"febf::1", RANGE},             {"fec0::1", RANGE},
    {"feff::1", RANGE},             {"ff02::1", RANGE},             {"::ffff:1.1.1.1", RANGE},
};
/* clang-format on */

static enum fate
fate_of(const struct policy *p, const char *host)
{
    struct dest d = {.port = 443};
    if (fogi_dest_host(&d, host, strlen(host)) != FOG_OK)
        return NO_HOST;
    if (d.kind == DEST_NAME)
        return NAME;
    enum policy_verdict v = fogi_policy_check(p, &d);
    return v == POLICY_ALLOWED ? FREE : v == POLICY_DENIED_EMBEDDED ? EMBEDDED : RANGE;
}

static void
no_spelling_gets_past(void **state)
{
    struct policy p;
    (void)state;
    fogi_policy_init(&p);
    assert_true(COUNT(spellings) >= 80);
    for (size_t i = 0; i < COUNT(spellings); i++)
        if (fate_of(&p, spellings[i].host) != spellings[i].fate)
            fail_msg("%s: %d, not %d", spellings[i].host, fate_of(&p, spellings[i].host),
                     spellings[i].fate);
}

static void
an_address_inside_must_be_allowed_as_well(void **state)
{
    static const struct {
        const char *host;
        enum fate fate;
    } rows[] = {{"64:ff9b::1.1.1.1", FREE},       {"64:ff9b::127.0.0.1", EMBEDDED},
                {"64:ff9b::a9fe:a9fe", EMBEDDED}, {"2002:101:101::1", FREE},
                {"2002:7f00:1::", EMBEDDED},      {"2002:c0a8:101::", EMBEDDED}};
    struct policy p;
    (void)state;
    fogi_policy_init(&p);
    must_add(&p, "64:ff9b::/96", true);
    must_add(&p, "2002::/16", true);
    for (size_t i = 0; i < COUNT(rows); i++)
        if (fate_of(&p, rows[i].host) != rows[i].fate)
            fail_msg("%s", rows[i].host);
}

/* clang-format off */
static const struct {
    const char *allow[3], *deny[3], *dest;
    enum policy_verdict verdict;
} lists[] = {
    {{"10.0.0.0/8"},      {NULL},            "10.1.2.3:80",      POLICY_ALLOWED},
    {{"10.1.2.3"},        {NULL},            "10.1.2.3:80",      POLICY_ALLOWED},
    {{"10.1.2.3"},        {NULL},            "10.1.2.4:80",      POLICY_DENIED_RANGE},
    {{"0.0.0.0/0"},       {NULL},            "10.1.2.4:80",      POLICY_DENIED_RANGE}, /* ours is longer */
    {{"10.0.0.0/8"},      {"10.1.0.0/16"},   "10.1.2.3:80",      POLICY_DENIED_USER},
    {{"10.0.0.0/8"},      {"10.1.0.0/16"},   "10.2.2.3:80",      POLICY_ALLOWED},
    {{"10.1.0.0/16"},     {"10.0.0.0/8"},    "10.1.2.3:80",      POLICY_ALLOWED},
    {{"10.1.0.0/16"},     {"10.1.0.0/16"},   "10.1.2.3:80",      POLICY_DENIED_USER},  /* refusal wins */
    {{NULL},              {"1.1.1.0/24"},    "1.1.1.1:80",       POLICY_DENIED_USER},
    {{"1.1.1.1"},         {"0.0.0.0/0"},     "1.1.1.1:80",       POLICY_ALLOWED},
    {{"1.1.1.1"},         {"0.0.0.0/0"},     "8.8.8.8:80",       POLICY_DENIED_USER},
    {{"::ffff:10.0.0.0/104"}, {NULL},        "10.1.2.3:80",      POLICY_ALLOWED},
    {{"127.0.0.0/8"},     {NULL},            "127.0.0.1:80",     POLICY_ALLOWED},      /* own, but told so */
    {{"127.0.0.0/8"},     {NULL},            "127.0.0.1:8443",   POLICY_DENIED_LOOP},
    {{"0.0.0.0/8"},       {NULL},            "0.0.0.0:8443",     POLICY_DENIED_LOOP},
    {{"::1"},             {NULL},            "[::1]:80",         POLICY_ALLOWED},
    {{"::1"},             {NULL},            "[::1]:8443",       POLICY_DENIED_LOOP},
    {{"64:ff9b::/96", "127.0.0.0/8"}, {NULL}, "[64:ff9b::7f00:1]:8443", POLICY_DENIED_LOOP},
    {{NULL},              {NULL},            "5.6.7.8:80",       POLICY_DENIED_OWN},
    {{"5.6.0.0/16"},      {NULL},            "5.6.7.8:80",       POLICY_DENIED_OWN},
    {{"5.6.7.8"},         {NULL},            "5.6.7.8:80",       POLICY_ALLOWED},
    {{"5.6.7.8"},         {NULL},            "5.6.7.8:8443",     POLICY_DENIED_LOOP},
    {{NULL},              {NULL},            "5.6.7.9:8443",     POLICY_ALLOWED},
    {{NULL},              {NULL},            "[2a00::5]:80",     POLICY_DENIED_OWN},
    {{NULL},              {NULL},            "1.1.1.1:25",       POLICY_DENIED_PORT},
    {{":25"},             {NULL},            "1.1.1.1:25",       POLICY_ALLOWED},
    {{":25"},             {":25"},           "1.1.1.1:25",       POLICY_DENIED_PORT},
    {{NULL},              {":6667"},         "1.1.1.1:6667",     POLICY_DENIED_PORT},
    {{":80"},             {NULL},            "10.1.2.3:80",      POLICY_DENIED_RANGE}, /* a port only */
};
/* clang-format on */

static void
the_longest_prefix_wins(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(lists); i++) {
        struct policy p;
        struct dest own4 = to("5.6.7.8:1"), own6 = to("[2a00::5]:1"), lo4 = to("127.0.0.1:1"),
                    lo6 = to("[::1]:1"), d = to(lists[i].dest);
        fogi_policy_init(&p);
        fogi_policy_own(&p, &own4);
        fogi_policy_own(&p, &own6);
        fogi_policy_own(&p, &lo4);
        fogi_policy_own(&p, &lo6);
        assert_int_equal(fogi_policy_listens(&p, 8443), FOG_OK);
        for (size_t n = 0; n < 3; n++) {
            if (lists[i].allow[n] != NULL)
                must_add(&p, lists[i].allow[n], true);
            if (lists[i].deny[n] != NULL)
                must_add(&p, lists[i].deny[n], false);
        }
        enum policy_verdict v = fogi_policy_check(&p, &d);
        if (v != lists[i].verdict)
            fail_msg("row %u, %s: %s", (unsigned)i, lists[i].dest, fogi_policy_text(v));
        fogi_policy_forget_own(&p);
        assert_int_equal(p.n_own, 0);
    }
}

static void
a_bad_entry_is_refused(void **state)
{
    static const char *const bad[] = {
        "",           "a.com",  "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/08",
        "10.1.0.0/8", "::/129", "fd00::1/8",   ":",         ":0",
        ":65536",     ":x",     "10.0.0.0/-1", "10.0.0/8",  "10.0.0.0/8 ",
        "::1%lo/128"};
    struct policy p;
    (void)state;
    fogi_policy_init(&p);
    for (size_t i = 0; i < COUNT(bad); i++)
        if (fogi_policy_add(&p, bad[i], strlen(bad[i]), true) != FOG_E_FORMAT)
            fail_msg("%s", bad[i]);
    assert_int_equal(p.n_nets + p.n_ports, 0);
}

static void
every_list_has_its_end(void **state)
{
    struct policy p;
    struct dest d = to("5.6.7.8:1");
    (void)state;
    fogi_policy_init(&p);
    for (int i = 0; i < POLICY_NETS_MAX; i++)
        must_add(&p, "1.2.3.4", true);
    assert_int_equal(fogi_policy_add(&p, "1.2.3.4", 7, true), FOG_E_LIMIT);
    for (int i = 0; i < POLICY_PORTS_MAX; i++)
        must_add(&p, ":1", true);
    assert_int_equal(fogi_policy_add(&p, ":1", 2, true), FOG_E_LIMIT);
    for (int i = 0; i < POLICY_LISTEN_MAX; i++)
        assert_int_equal(fogi_policy_listens(&p, 1), FOG_OK);
    assert_int_equal(fogi_policy_listens(&p, 1), FOG_E_LIMIT);
    for (int i = 0; i < POLICY_OWN_MAX; i++)
        fogi_policy_own(&p, &d);
    assert_int_equal(p.limit_own_hit, 0);
    fogi_policy_own(&p, &d);
    assert_int_equal(p.limit_own_hit, 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_spelling_gets_past),
        cmocka_unit_test(an_address_inside_must_be_allowed_as_well),
        cmocka_unit_test(the_longest_prefix_wins),
        cmocka_unit_test(a_bad_entry_is_refused),
        cmocka_unit_test(every_list_has_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
