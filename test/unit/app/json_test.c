/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/json.h"

static struct json *
parse(const char *text, size_t len, struct json_error *err)
{
    /* An exact copy on the heap, so that a read behind the end is seen. */
    char *copy = malloc(len > 0 ? len : 1);
    struct json *doc;
    assert_non_null(copy);
    memcpy(copy, text, len);
    bool ok = fogi_json_parse(&doc, copy, len, err);
    assert_int_equal(ok, doc != NULL);
    free(copy);
    return doc;
}

static void
put(char *out, size_t cap, const char *text)
{
    size_t len = strlen(out);
    snprintf(out + len, cap - len, "%s", text);
}

/** Writes a tree in one canonical form: i1 number, r1.5 real, t/f, n, 'text', [..], {key:..}. */
static void
dump(const struct json_value *v, char *out, size_t cap)
{
    char number[32];
    switch (v->type) {
    case JSON_NULL:
        put(out, cap, "n");
        break;
    case JSON_BOOL:
        put(out, cap, v->number != 0 ? "t" : "f");
        break;
    case JSON_INT:
        snprintf(number, sizeof number, "i%lld", (long long)v->number);
        put(out, cap, number);
        break;
    case JSON_REAL:
        put(out, cap, "r");
        put(out, cap, v->text);
        break;
    case JSON_STRING:
        put(out, cap, "'");
        put(out, cap, v->text);
        put(out, cap, "'");
        break;
    case JSON_ARRAY:
    case JSON_OBJECT:
        put(out, cap, v->type == JSON_ARRAY ? "[" : "{");
        for (const struct json_value *m = v->first; m != NULL; m = m->next) {
            if (m != v->first)
                put(out, cap, ",");
            if (v->type == JSON_OBJECT) {
                put(out, cap, m->key);
                put(out, cap, ":");
            }
            dump(m, out, cap);
        }
        put(out, cap, v->type == JSON_ARRAY ? "]" : "}");
        break;
    }
}

static const struct {
    const char *name, *text, *tree;
} good[] = {
    {"empty", "", "{}"},
    {"only comments", "# a\n // b\n", "{}"},
    {"strict", "{\"a\": [1, -2, true, false, null, \"x\"], \"b\": {}}",
     "{a:[i1,i-2,t,f,n,'x'],b:{}}"},
    {"no blanks", "{\"a\":1,\"b\":[2,3]}", "{a:i1,b:[i2,i3]}"},
    {"list at the top", "[1, [2], {\"a\": 3}]", "[i1,[i2],{a:i3}]"},
    {"empty containers", "{\"a\":{},\"b\":[]}", "{a:{},b:[]}"},
    {"no braces", "a = 1\nb = 2\n", "{a:i1,b:i2}"},
    {"no quotes", "{listen: :29900, via: kcp}", "{listen:':29900',via:'kcp'}"},
    {"equals and colon", "a=1,b:2;c = 3", "{a:i1,b:i2,c:i3}"},
    {"trailing separators", "{a:1,,b:2,;}", "{a:i1,b:i2}"},
    {"leading separators", "{,a:1}", "{a:i1}"},
    {"separators at the top", ",a:1,", "{a:i1}"},
    {"new lines separate", "{\n a: 1\n b: [1\n2\r\n3]\n}", "{a:i1,b:[i1,i2,i3]}"},
    {"a comment ends a line", "a: 1 # one\nb: 2 // two\n", "{a:i1,b:i2}"},
    {"no comment inside a word", "u: websocks:kcp://h:1#x", "{u:'websocks:kcp://h:1#x'}"},
    {"dots in keys", "agent { socks5.listen = 1080 }", "{agent:{socks5.listen:i1080}}"},
    {"no colon before containers", "a [1]\nb {c:2}", "{a:[i1],b:{c:i2}}"},
    {"a list ends an entry", "a = [1]\nb = [2]", "{a:[i1],b:[i2]}"},
    {"single quotes", "{'a': 'it\\'s \"b\"'}", "{a:'it's \"b\"'}"},
    {"value on the next line", "a:\n  1\nb\n=\n2", "{a:i1,b:i2}"},
    {"windows lines", "{\r\n\"a\": 1,\r\n\"b\": 2\r\n}\r\n", "{a:i1,b:i2}"},
    {"byte order mark", "\xef\xbb\xbf{a:1}", "{a:i1}"},
    {"doubles are kept", "{a:1,a:2}", "{a:i1,a:i2}"},
    {"escapes", "[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]", "['\"\\/\b\f\n\r\t']"},
    {"unicode escapes", "[\"\\u0041\\u00e9\\u20AC\"]", "['A\xc3\xa9\xe2\x82\xac']"},
    {"surrogate pair", "[\"\\ud83d\\ude00\"]", "['\xf0\x9f\x98\x80']"},
    {"utf-8 passes", "[\"\xc3\xa9\", \xc3\xa9]", "['\xc3\xa9','\xc3\xa9']"},
    {"largest and smallest", "[9223372036854775807, -9223372036854775808]",
     "[i9223372036854775807,i-9223372036854775808]"},
    {"too large for int64", "[9223372036854775808, -9223372036854775809]",
     "[r9223372036854775808,r-9223372036854775809]"},
    {"reals", "[1.5, -0.25, 1e9, 1E+9, 2.5e-3]", "[r1.5,r-0.25,r1e9,r1E+9,r2.5e-3]"},
    {"zeros", "[0, -0, 0.0]", "[i0,i0,r0.0]"},
    {"not numbers", "[01, 1., .5, +1, 1e, 0x10, -, 127.0.0.1]",
     "['01','1.','.5','+1','1e','0x10','-','127.0.0.1']"},
    {"words that begin like others", "[truex, nul, False]", "['truex','nul','False']"},
    {"quoted words are strings", "[\"true\", \"1\", 'null']", "['true','1','null']"},
    {"empty string", "{\"\": \"\"}", "{:''}"},
    {"regex and lists", "domains = [ /.*/, '[~/gfwlist.txt]', :443 ]",
     "{domains:['/.*/','[~/gfwlist.txt]',':443']}"},
};

static void
test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct json_error err = {0};
        char tree[1024] = "";
        struct json *doc = parse(good[i].text, strlen(good[i].text), &err);
        if (doc == NULL)
            fail_msg("%s: %u:%u: %s", good[i].name, err.at.line, err.at.col, err.text);
        dump(fogi_json_root(doc), tree, sizeof tree);
        if (strcmp(tree, good[i].tree) != 0)
            fail_msg("%s: got %s, want %s", good[i].name, tree, good[i].tree);
        fogi_json_free(doc);
    }
}

static const struct {
    const char *text, *error;
} bad[] = {
    {"{", "1:1: this { is not closed"},
    {"a: [1,\n  [2]", "1:4: this [ is not closed"},
    {"{a:1}}", "1:6: something follows behind the end of the document"},
    {"{a:1} b", "1:7: something follows behind the end of the document"},
    {"}", "1:1: a key is missing here"},
    {"a:1}", "1:4: a comma or new line is missing; text with blanks or brackets wants quotes"},
    {"{a:1 b:2}", "1:6: a comma or new line is missing; text with blanks or brackets wants quotes"},
    {"listen = [::1]:80",
     "1:15: a comma or new line is missing; text with blanks or brackets wants quotes"},
    {"a", "1:1: a key without a value: \":\" or \"=\" is missing behind it"},
    {"42", "1:1: a key without a value: \":\" or \"=\" is missing behind it"},
    {"a b c", "1:1: a key without a value: \":\" or \"=\" is missing behind it"},
    {"{a:}", "1:4: a value is missing here"},
    {"{a:,b:1}", "1:4: a value is missing here"},
    {"a:", "1:3: a value is missing here"},
    {"{:1}", "1:2: a key is missing here"},
    {"[1}", "1:3: a comma or new line is missing; text with blanks or brackets wants quotes"},
    {"[,}", "1:3: a value is missing here"},
    {"{]", "1:2: a key is missing here"},
    {"\n\n  a: \"x", "3:6: this quote is not closed on its line"},
    {"a: \"x\ny\"", "1:4: this quote is not closed on its line"},
    {"a: 'x\"", "1:4: this quote is not closed on its line"},
    {"a: \"\\x\"", "1:5: unknown escape; a backslash itself is written \\\\"},
    {"a: \"\\", "1:5: unknown escape; a backslash itself is written \\\\"},
    {"a: \"C:\\dir\"", "1:7: unknown escape; a backslash itself is written \\\\"},
    {"a: \"\\u12g4\"", "1:9: \\u wants four hexadecimal digits"},
    {"a: \"\\u12", "1:9: \\u wants four hexadecimal digits"},
    {"a: \"\\u0000\"", "1:5: \\u0000 is not allowed"},
    {"a: \"\\ud800\"", "1:5: first half of a surrogate pair without the second"},
    {"a: \"\\ud800\\u0041\"", "1:5: first half of a surrogate pair without the second"},
    {"a: \"\\udc00\"", "1:5: second half of a surrogate pair without the first"},
    {"a: \"\x01\"", "1:5: control byte in a string; write it as an escape"},
    {"a: \"\t\"", "1:5: control byte in a string; write it as an escape"},
    {"a: x\x7f", "1:5: control byte"},
    {"a: \x1b[1m", "1:4: control byte"},
    {"#\x01\na", "2:1: a key without a value: \":\" or \"=\" is missing behind it"},
};

static void
test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct json_error err = {0};
        char text[128];
        struct json *doc = parse(bad[i].text, strlen(bad[i].text), &err);
        if (doc != NULL)
            fail_msg("row %zu was taken: %s", i, bad[i].text);
        snprintf(text, sizeof text, "%u:%u: %s", err.at.line, err.at.col, err.text);
        if (strcmp(text, bad[i].error) != 0)
            fail_msg("row %zu: got %s, want %s", i, text, bad[i].error);
    }
}

static void
test_nul_bytes_are_refused_everywhere(void **state)
{
    (void)state;
    static const char *const texts[] = {"a: x@y", "a@: 1", "@", "{@}", "a: \"@\"", "a: @", "a:1 @"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct json_error err;
        char text[16];
        size_t len = strlen(texts[i]);
        memcpy(text, texts[i], len);
        *(char *)memchr(text, '@', len) = 0;
        struct json *doc = parse(text, len, &err);
        if (doc != NULL)
            fail_msg("%s was taken", texts[i]);
    }
}

static void
test_places(void **state)
{
    (void)state;
    struct json_error err;
    static const char text[] = "{\n  \"a\": 1,\n\tbb = [x,\n  'y']}";
    struct json *doc = parse(text, sizeof text - 1, &err);
    assert_non_null(doc);
    const struct json_value *a = fogi_json_member(fogi_json_root(doc), "a");
    const struct json_value *b = fogi_json_member(fogi_json_root(doc), "bb");
    assert_int_equal(a->key_at.line, 2);
    assert_int_equal(a->key_at.col, 3);
    assert_int_equal(a->at.line, 2);
    assert_int_equal(a->at.col, 8);
    assert_int_equal(b->key_at.line, 3);
    assert_int_equal(b->key_at.col, 2);
    assert_int_equal(b->at.col, 7);
    assert_int_equal(b->first->at.col, 8);
    assert_false(b->first->quoted);
    assert_int_equal(b->first->next->at.line, 4);
    assert_int_equal(b->first->next->at.col, 3);
    assert_true(b->first->next->quoted);
    assert_null(fogi_json_member(fogi_json_root(doc), "c"));
    assert_null(fogi_json_member(b, "a"));
    fogi_json_free(doc);
}

/** Every beginning of every good document is read to an end, whatever the answer is. */
static void
test_truncations(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        for (size_t len = 0; len < strlen(good[i].text); len++) {
            struct json_error err;
            fogi_json_free(parse(good[i].text, len, &err));
        }
    }
}

static bool
takes_depth(size_t depth)
{
    char text[2 * (JSON_DEPTH_MAX + 1)];
    struct json_error err;
    memset(text, '[', depth);
    memset(text + depth, ']', depth);
    struct json *doc = parse(text, 2 * depth, &err);
    fogi_json_free(doc);
    if (doc == NULL)
        assert_string_equal(err.text, "nested too deeply");
    return doc != NULL;
}

static void
test_limit_depth(void **state)
{
    (void)state;
    assert_true(takes_depth(JSON_DEPTH_MAX));
    assert_false(takes_depth(JSON_DEPTH_MAX + 1));
}

static void
test_limit_size(void **state)
{
    (void)state;
    struct json_error err;
    char *text = malloc(JSON_SIZE_MAX + 1);
    assert_non_null(text);
    memset(text, ' ', JSON_SIZE_MAX + 1);
    struct json *doc = parse(text, JSON_SIZE_MAX, &err);
    assert_non_null(doc);
    fogi_json_free(doc);
    assert_null(parse(text, JSON_SIZE_MAX + 1, &err));
    assert_string_equal(err.text, "the document is larger than 1 MiB");
    free(text);
}

static void
test_limit_values(void **state)
{
    (void)state;
    struct json_error err;
    size_t len = 2 * (JSON_VALUES_MAX + 1) + 1;
    char *text = malloc(len);
    assert_non_null(text);
    for (size_t i = 1; i < len; i++)
        text[i] = i % 2 == 1 ? '1' : ',';
    text[0] = '[';
    text[len - 1] = ']';
    assert_null(parse(text, len, &err));
    assert_string_equal(err.text, "too many values");
    text[len - 3] = ']';
    struct json *doc = parse(text, len - 2, &err);
    assert_non_null(doc);
    fogi_json_free(doc);
    free(text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_nul_bytes_are_refused_everywhere),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_truncations),
        cmocka_unit_test(test_limit_depth),
        cmocka_unit_test(test_limit_size),
        cmocka_unit_test(test_limit_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
