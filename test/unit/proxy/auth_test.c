/* SPDX-License-Identifier: MIT
 *
 * The vectors of a real vproxy, and what a check costs and keeps apart.
 */
#include "unit/proxy/feed.h"

#include "proxy/auth.h"

#include <stdio.h>

#define VECTORS "test/replay/vproxy/auth.txt"

/** Calls fn with what stands behind `word` in each of its lines; returns how many there were. */
static const struct auth_login me = {"me", "secret"};

static int
every_line(const char *word, void (*fn)(char *rest))
{
    char line[2048];
    int n = 0;
    FILE *f = fopen(VECTORS, "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = 0;
        if (strncmp(line, word, strlen(word)) || line[strlen(word)] != ' ')
            continue;
        fn(line + strlen(word) + 1);
        n++;
    }
    fclose(f);
    return n;
}

static void
check_vector(char *rest)
{
    char user[256], password[256], inner[64], hash[64], cred[512], want[600],
        got[AUTH_VALUE_MAX + 1];
    unsigned long long minute;
    assert_int_equal(sscanf(rest, "%255s %255s %llu %63s %63s %511s", user, password, &minute,
                            inner, hash, cred),
                     6);
    struct auth_user users[1];
    struct auth a;
    fogi_auth_init(&a, users, 1);
    assert_int_equal(fogi_auth_add(&a, user, password), 0);
    assert_string_equal(users[0].inner, inner);
    snprintf(want, sizeof want, "Basic %s", cred);
    for (unsigned ms = 0; ms < AUTH_MINUTE_MS; ms += AUTH_MINUTE_MS - 1) {
        assert_int_equal(fogi_auth_value(user, password, minute + ms, got), strlen(want));
        assert_string_equal(got, want);
    }
    uint8_t plain[AUTH_PLAIN_MAX];
    size_t len;
    assert_true(fogi_auth_base64(cred, strlen(cred), plain, sizeof plain, &len));
    assert_int_equal(len, strlen(user) + 1 + strlen(hash));
    assert_memory_equal(plain + strlen(user) + 1, hash, strlen(hash));
}

static void
test_values_are_those_of_vproxy(void **state)
{
    (void)state;
    assert_int_equal(every_line("vector", check_vector), 6);
}

static void
check_round(char *rest)
{
    unsigned long long at, minute;
    char got[AUTH_VALUE_MAX + 1], want[AUTH_VALUE_MAX + 1];
    assert_int_equal(sscanf(rest, "%llu %llu", &at, &minute), 2);
    fogi_auth_value("u", "p", at, got);
    fogi_auth_value("u", "p", minute, want);
    assert_string_equal(got, want);
    struct auth_user users[1];
    struct auth a;
    fogi_auth_init(&a, users, 1);
    assert_int_equal(fogi_auth_add(&a, "u", "p"), 0);
    assert_true(fogi_auth_check(&a, got, strlen(got), at, NULL));
    assert_int_equal(a.minute_ms, minute);
}

static void
test_minutes_are_rounded_down(void **state)
{
    (void)state;
    assert_int_equal(every_line("round", check_round), 7);
}

static void
check_check(char *rest)
{
    char *end, *last = strrchr(rest, ' ');
    unsigned long long at = strtoull(rest, &end, 10);
    assert_true(last > end);
    char *value = end + 1;
    size_t len = (size_t)(last - value);
    if (len == 1 && *value == '-') {
        value = NULL;
        len = 0;
    }
    struct auth_user users[2];
    const struct auth_user *who;
    struct auth a;
    fogi_auth_init(&a, users, 2);
    assert_int_equal(fogi_auth_add(&a, "alice", "pasSw0rD"), 0);
    assert_int_equal(fogi_auth_add(&a, "bob", "pAssW0Rd"), 0);
    bool yes = fogi_auth_check(&a, value, len, at, &who);
    if (yes != (strcmp(last + 1, "accept") == 0))
        fail_msg("%s", rest);
    assert_int_equal(yes, who != NULL);
    assert_int_equal(a.accepted, yes);
    assert_int_equal(a.refused, !yes);
}

static void
test_checks_end_as_at_vproxy(void **state)
{
    (void)state;
    assert_int_equal(every_line("check", check_check), 15);
}

static void
test_a_clock_may_be_off_by_a_minute(void **state)
{
    (void)state;
    const uint64_t minute = 1700000040000;
    struct auth_user users[1];
    struct auth a;
    fogi_auth_init(&a, users, 1);
    assert_int_equal(fogi_auth_add(&a, "alice", "pasSw0rD"), 0);
    for (int skew_s = -130; skew_s <= 130; skew_s++) {
        /* the server stands in the middle of a minute, and on both its edges */
        for (uint64_t ms = 0; ms < AUTH_MINUTE_MS; ms += ms ? 30000 : 29999) {
            char value[AUTH_VALUE_MAX + 1];
            uint64_t server = minute + ms, client = server + (uint64_t)((int64_t)skew_s * 1000);
            size_t len = fogi_auth_value("alice", "pasSw0rD", client, value);
            int64_t minutes = (int64_t)(client / 60000) - (int64_t)(server / 60000);
            assert_int_equal(fogi_auth_check(&a, value, len, server, NULL),
                             minutes >= -1 && minutes <= 1);
        }
    }
}

static void
test_any_turn_of_the_clock_is_followed(void **state)
{
    (void)state;
    static const int64_t minutes[] = {100, 101, 102, 102, 101, 50, 51, 1000, 0, 1, 0};
    struct auth_user users[3];
    struct auth a;
    fogi_auth_init(&a, users, 3);
    assert_int_equal(fogi_auth_add(&a, "a", "1"), 0);
    for (size_t i = 0; i < COUNT(minutes); i++) {
        if (i == 4) /* a user that comes late is known in the minute that runs */
            assert_int_equal(fogi_auth_add(&a, "b", "2"), 0);
        for (int64_t k = minutes[i] ? -2 : 0; k <= 2; k++) {
            char value[AUTH_VALUE_MAX + 1];
            const struct auth_user *who;
            size_t len = fogi_auth_value("a", "1", (uint64_t)(minutes[i] + k) * 60000, value);
            bool yes = fogi_auth_check(&a, value, len, (uint64_t)minutes[i] * 60000, &who);
            assert_int_equal(yes, k >= -1 && k <= 1);
            assert_ptr_equal(who, yes ? &users[0] : NULL);
            len = fogi_auth_value("b", "2", (uint64_t)(minutes[i] + k) * 60000, value);
            yes = fogi_auth_check(&a, value, len, (uint64_t)minutes[i] * 60000, &who);
            assert_int_equal(yes, i >= 4 && k >= -1 && k <= 1);
            assert_ptr_equal(who, yes ? &users[1] : NULL);
        }
    }
}

static void
test_a_table_holds_what_it_says_and_no_more(void **state)
{
    (void)state;
    struct auth_user *users = calloc(AUTH_USERS_MAX + 1, sizeof *users);
    struct auth a;
    char name[16], value[AUTH_VALUE_MAX + 1];
    const struct auth_user *who;
    fogi_auth_init(&a, users, AUTH_USERS_MAX + 1);
    for (int i = 0; i < AUTH_USERS_MAX; i++) {
        snprintf(name, sizeof name, "user%d", i);
        assert_int_equal(fogi_auth_add(&a, name, "secret"), 0);
    }
    assert_int_equal(a.limit_users_hit, 0);
    assert_int_equal(fogi_auth_add(&a, "onemore", "secret"), FOG_E_LIMIT);
    assert_int_equal(a.limit_users_hit, 1);
    assert_int_equal(a.n, AUTH_USERS_MAX);
    for (int i = 0; i < AUTH_USERS_MAX; i += AUTH_USERS_MAX - 1) {
        snprintf(name, sizeof name, "user%d", i);
        size_t len = fogi_auth_value(name, "secret", 1700000040000, value);
        assert_true(fogi_auth_check(&a, value, len, 1700000040000, &who));
        assert_string_equal(who->name, name);
    }
    free(users);
}

static void
test_what_cannot_be_a_user_is_refused(void **state)
{
    (void)state;
    char long255[256], long256[257];
    memset(long255, 'x', 255);
    memset(long256, 'x', 256);
    long255[255] = long256[256] = 0;
    const struct {
        const char *user, *password;
        int want;
    } rows[] = {
        {"a", "b", 0},
        {"a", "c", FOG_E_USAGE},
        {"", "b", FOG_E_USAGE},
        {"b", "", FOG_E_USAGE},
        {"a:b", "c", FOG_E_USAGE},
        {" a", "b", FOG_E_USAGE},
        {"a ", "b", FOG_E_USAGE},
        {"c", " b", FOG_E_USAGE},
        {"c", "b\n", FOG_E_USAGE},
        {"c\x7f", "b", FOG_E_USAGE},
        {"c d", "b:c, d", 0},
        {long255, long255, 0},
        {long256, "b", FOG_E_USAGE},
        {"e", long256, FOG_E_USAGE},
        {"\xc3\xa4", "\xc3\xb6", 0},
    };
    struct auth_user users[8];
    struct auth a;
    size_t n = 0;
    fogi_auth_init(&a, users, 8);
    for (size_t i = 0; i < COUNT(rows); i++) {
        int rc = fogi_auth_add(&a, rows[i].user, rows[i].password);
        if (rc != rows[i].want)
            fail_msg("row %zu: %s", i, fog_err_name(rc));
        n += rc == 0;
        assert_int_equal(a.n, n);
    }
    char value[AUTH_VALUE_MAX + 1];
    size_t len = fogi_auth_value(long255, long255, 0, value);
    assert_true(len <= AUTH_VALUE_MAX && strlen(value) == len);
    assert_true(fogi_auth_check(&a, value, len, 0, NULL));
}

static void
test_base64_has_one_spelling(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want; /* NULL: refused */
    } rows[] = {
        {"YQ==", "a"},
        {"YWI=", "ab"},
        {"YWJj", "abc"},
        {"YWJjZA==", "abcd"},
        {"//+/", "\xff\xff\xbf"},
        {"", NULL},
        {"YQ", NULL},
        {"YQ=", NULL},
        {"YR==", NULL},
        {"YWJ=", NULL},
        {"Y===", NULL},
        {"====", NULL},
        {"YQ==YQ==", NULL},
        {"Y=Jj", NULL},
        {"YQ=a", NULL},
        {" YQ=", NULL},
        {"YQ==\n", NULL},
        {"YWJj\n", NULL},
        {"YW-_", NULL},
        {"***", NULL},
        {"YWJjZGVmZ2hp", NULL} /* too long for 8 */,
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint8_t out[8];
        size_t len;
        bool yes = fogi_auth_base64(rows[i].text, strlen(rows[i].text), out, sizeof out, &len);
        if (yes != (rows[i].want != NULL))
            fail_msg("%s", rows[i].text);
        if (yes) {
            assert_int_equal(len, strlen(rows[i].want));
            assert_memory_equal(out, rows[i].want, len);
        }
    }
    size_t len;
    uint8_t out[8];
    assert_false(fogi_auth_base64("YW\0j", 4, out, sizeof out, &len));
}

static void
test_a_plain_login_wants_both_parts(void **state)
{
    (void)state;
    static const struct {
        const char *user, *password;
        bool yes;
    } rows[] = {{"me", "secret", true}, {"me", "Secret", false}, {"Me", "secret", false},
                {"me", "", false},      {"", "secret", false},   {"me", "secrets", false},
                {"", "", false}};
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_int_equal(fogi_auth_login(&me, 1, rows[i].user, strlen(rows[i].user),
                                         rows[i].password, strlen(rows[i].password)),
                         rows[i].yes);
    static const struct {
        const char *value;
        bool yes;
    } basic[] = {{"Basic bWU6c2VjcmV0", true},
                 {"basic bWU6c2VjcmV0", false},
                 {"Basic bWU6c2VjcmV1", false},
                 {"Basic bWVzZWNyZXQ=", false},
                 {"Basic ", false},
                 {"Basic", false},
                 {"", false},
                 {"Basic  bWU6c2VjcmV0", false},
                 {"Bearer bWU6c2VjcmV0", false}};
    for (size_t i = 0; i < COUNT(basic); i++)
        assert_int_equal(fogi_auth_basic(&me, 1, basic[i].value, strlen(basic[i].value)),
                         basic[i].yes);
    assert_false(fogi_auth_basic(&me, 1, NULL, 0));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_are_those_of_vproxy),
        cmocka_unit_test(test_minutes_are_rounded_down),
        cmocka_unit_test(test_checks_end_as_at_vproxy),
        cmocka_unit_test(test_a_clock_may_be_off_by_a_minute),
        cmocka_unit_test(test_any_turn_of_the_clock_is_followed),
        cmocka_unit_test(test_a_table_holds_what_it_says_and_no_more),
        cmocka_unit_test(test_what_cannot_be_a_user_is_refused),
        cmocka_unit_test(test_base64_has_one_spelling),
        cmocka_unit_test(test_a_plain_login_wants_both_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
