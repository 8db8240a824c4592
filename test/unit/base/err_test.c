/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <limits.h>
#include <string.h>

#include <foggara/error.h>

struct code {
    int value;
    const char *name;
    enum fog_scope scope;
};

static const struct code codes[] = {
#define ROW(name, value, scope, text) {FOG_E_##name, #name, FOG_SCOPE_##scope},
    FOG_ERRORS(ROW)
#undef ROW
};
#define N_CODES (sizeof codes / sizeof codes[0])

static void
test_every_code_has_a_name_a_text_and_a_scope(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_CODES; i++) {
        assert_true(codes[i].value < 0);
        assert_string_equal(fog_err_name(codes[i].value), codes[i].name);
        assert_int_equal(fog_err_scope(codes[i].value), codes[i].scope);
        const char *text = fog_err_text(codes[i].value);
        assert_true(strlen(text) > 5);
        assert_false(isupper((unsigned char)text[0]));
        assert_int_not_equal(text[strlen(text) - 1], '.');
    }
}

static void
test_codes_names_and_texts_differ(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_CODES; i++) {
        for (size_t k = 0; k < i; k++) {
            assert_int_not_equal(codes[i].value, codes[k].value);
            assert_string_not_equal(codes[i].name, codes[k].name);
            assert_string_not_equal(fog_err_text(codes[i].value), fog_err_text(codes[k].value));
        }
    }
}

static void
test_success_and_strange_values(void **state)
{
    (void)state;
    assert_string_equal(fog_err_name(0), "OK");
    assert_string_equal(fog_err_text(0), "success");
    static const int strange[] = {1, 42, -1000, INT_MAX, INT_MIN};
    for (size_t i = 0; i < sizeof strange / sizeof strange[0]; i++) {
        assert_string_equal(fog_err_name(strange[i]), "?");
        assert_true(strlen(fog_err_text(strange[i])) > 0);
        assert_int_equal(fog_err_scope(strange[i]), FOG_SCOPE_SESSION);
    }
}

static void
test_every_reason_to_wake_has_a_name(void **state)
{
    (void)state;
    for (unsigned i = 0; i < FOG_WHY_N; i++) {
        const char *name = fog_why_name((enum fog_why)i);
        assert_string_not_equal(name, "?");
        for (unsigned k = 0; k < i; k++)
            assert_string_not_equal(name, fog_why_name((enum fog_why)k));
    }
    assert_string_equal(fog_why_name(FOG_WHY_LOSS), "loss");
    assert_string_equal(fog_why_name(FOG_WHY_LIMIT), "limit");
    assert_string_equal(fog_why_name(FOG_WHY_N), "?");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_code_has_a_name_a_text_and_a_scope),
        cmocka_unit_test(test_codes_names_and_texts_differ),
        cmocka_unit_test(test_success_and_strange_values),
        cmocka_unit_test(test_every_reason_to_wake_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
