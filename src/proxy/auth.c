/* SPDX-License-Identifier: MIT */
#include "proxy/auth.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

#include <assert.h>
#include <string.h>

#define DECIMAL_MAX 20
#define BASIC "Basic "
#define BASIC_LEN 6

static_assert(SHA256_DIGEST_LENGTH == 32, "struct auth_user keeps digests of 32 bytes");

static size_t
put_decimal(char *out, uint64_t v)
{
    size_t n = v >= 10 ? put_decimal(out, v / 10) : 0;
    out[n] = (char)('0' + v % 10);
    return n + 1;
}

/** base64(SHA-256(bytes)), ended with a zero. */
static void
hash_text(const void *bytes, size_t len, char out[AUTH_HASH_LEN + 1])
{
    uint8_t digest[32];
    SHA256(bytes, len, digest);
    EVP_EncodeBlock((unsigned char *)out, digest, sizeof digest);
}

/** "user:hash" for a minute, without an end; returns its length. */
static size_t
put_plain(char out[AUTH_USER_MAX + 1 + AUTH_HASH_LEN + 1], const char *user,
          const char inner[AUTH_HASH_LEN + 1], uint64_t minute_ms)
{
    char salted[AUTH_HASH_LEN + DECIMAL_MAX];
    size_t n = strlen(user);
    memcpy(out, user, n);
    out[n++] = ':';
    memcpy(salted, inner, AUTH_HASH_LEN);
    hash_text(salted, AUTH_HASH_LEN + put_decimal(salted + AUTH_HASH_LEN, minute_ms), out + n);
    return n + AUTH_HASH_LEN;
}

static bool
is_text(const char *s, size_t len, size_t max)
{
    if (len == 0 || len > max || s[0] == ' ' || s[len - 1] == ' ')
        return false;
    for (size_t i = 0; i < len; i++)
        if ((uint8_t)s[i] < ' ' || s[i] == 0x7f)
            return false;
    return true;
}

void
fogi_auth_init(struct auth *a, struct auth_user *users, size_t cap)
{
    *a = (struct auth){.users = users,
                       .cap = cap < AUTH_USERS_MAX ? cap : AUTH_USERS_MAX,
                       .minute_ms = UINT64_MAX};
}

int
fogi_auth_add(struct auth *a, const char *user, const char *password)
{
    size_t len = strlen(user), password_len = strlen(password);
    if (!is_text(user, len, AUTH_USER_MAX) || memchr(user, ':', len) ||
        !is_text(password, password_len, AUTH_PASSWORD_MAX))
        return FOG_E_USAGE;
    for (size_t i = 0; i < a->n; i++)
        if (strcmp(a->users[i].name, user) == 0)
            return FOG_E_USAGE;
    if (a->n == a->cap) {
        a->limit_users_hit++;
        return FOG_E_LIMIT;
    }
    struct auth_user *u = &a->users[a->n++];
    memset(u, 0, sizeof *u);
    memcpy(u->name, user, len);
    hash_text(password, password_len, u->inner);
    a->minute_ms = UINT64_MAX;
    return 0;
}

static void
expect(struct auth_user *u, int which, uint64_t minute_ms)
{
    char plain[AUTH_USER_MAX + 1 + AUTH_HASH_LEN + 1];
    size_t len = put_plain(plain, u->name, u->inner, minute_ms);
    SHA256((const unsigned char *)plain, len, u->expected[which]);
}

/** Makes expected[] of all users fit the minute: once a minute, whoever asks. */
static void
turn_to(struct auth *a, uint64_t minute_ms)
{
    bool next = a->minute_ms != UINT64_MAX && minute_ms == a->minute_ms + AUTH_MINUTE_MS;
    uint64_t before = minute_ms - (minute_ms ? AUTH_MINUTE_MS : 0);
    if (minute_ms == a->minute_ms)
        return;
    for (size_t i = 0; i < a->n; i++) {
        struct auth_user *u = &a->users[i];
        if (next) {
            memmove(u->expected[0], u->expected[1], sizeof u->expected[0] * 2);
        } else {
            expect(u, 0, before);
            expect(u, 1, minute_ms);
        }
        expect(u, 2, minute_ms + AUTH_MINUTE_MS);
    }
    a->minute_ms = minute_ms;
}

/** What stands base64 behind "Basic "; false if that is not there. */
static bool
decode_basic(const char *value, size_t len, uint8_t plain[AUTH_PLAIN_MAX], size_t *plain_len)
{
    *plain_len = 0;
    return value && len > BASIC_LEN && memcmp(value, BASIC, BASIC_LEN) == 0 &&
           fogi_auth_base64(value + BASIC_LEN, len - BASIC_LEN, plain, AUTH_PLAIN_MAX, plain_len);
}

bool
fogi_auth_check(struct auth *a, const char *value, size_t len, uint64_t unix_ms,
                const struct auth_user **who)
{
    uint8_t plain[AUTH_PLAIN_MAX], digest[32];
    size_t plain_len, found = 0;
    turn_to(a, unix_ms - unix_ms % AUTH_MINUTE_MS);
    bool readable = decode_basic(value, len, plain, &plain_len);
    SHA256(plain, plain_len, digest);
    for (size_t i = 0; i < a->n; i++) {
        for (int k = 0; k < 3; k++) {
            /* all ones where they are the same: no branch tells which user or minute it was */
            size_t same = (size_t)(CRYPTO_memcmp(digest, a->users[i].expected[k], 32) != 0) - 1;
            found |= (i + 1) & same;
        }
    }
    bool yes = readable && found != 0;
    a->accepted += yes;
    a->refused += !yes;
    if (who)
        *who = yes ? &a->users[found - 1] : NULL;
    return yes;
}

size_t
fogi_auth_value(const char *user, const char *password, uint64_t unix_ms,
                char out[AUTH_VALUE_MAX + 1])
{
    char inner[AUTH_HASH_LEN + 1], plain[AUTH_USER_MAX + 1 + AUTH_HASH_LEN + 1];
    assert(strlen(user) <= AUTH_USER_MAX && "the caller's fault: see fogi_auth_add()");
    hash_text(password, strlen(password), inner);
    size_t len = put_plain(plain, user, inner, unix_ms - unix_ms % AUTH_MINUTE_MS);
    memcpy(out, BASIC, BASIC_LEN);
    return BASIC_LEN + (size_t)EVP_EncodeBlock((unsigned char *)out + BASIC_LEN,
                                               (const unsigned char *)plain, (int)len);
}

bool
fogi_auth_login(const struct auth_login *logins, size_t n, const void *given_name, size_t name_len,
                const void *given_password, size_t password_len)
{
    uint8_t name[32], password[32], hash[32];
    bool found = false;
    SHA256(given_name, name_len, name);
    SHA256(given_password, password_len, password);
    for (size_t i = 0; i < n; i++) {
        const char *x = logins[i].name, *y = logins[i].password;
        bool name_is = CRYPTO_memcmp(SHA256((const uint8_t *)x, strlen(x), hash), name, 32) == 0;
        bool password_is =
            CRYPTO_memcmp(SHA256((const uint8_t *)y, strlen(y), hash), password, 32) == 0;
        found |= name_is & password_is;
    }
    return found;
}

bool
fogi_auth_basic(const struct auth_login *logins, size_t n, const char *value, size_t len)
{
    uint8_t plain[AUTH_PLAIN_MAX];
    size_t plain_len;
    if (!decode_basic(value, len, plain, &plain_len))
        return false;
    const uint8_t *colon = memchr(plain, ':', plain_len);
    size_t name_len = colon ? (size_t)(colon - plain) : 0;
    return colon &&
           fogi_auth_login(logins, n, plain, name_len, colon + 1, plain_len - name_len - 1);
}

/** c - from + base + 1 where c stands in from..to, else 0; without a branch, so that the time a
 * value takes tells nothing about its letters. */
static int
in_range(int c, int from, int to, int base)
{
    return -((c >= from) & (c <= to)) & (c - from + base + 1);
}

/** 0..63, or -1. */
static int
base64_value(char ch)
{
    int c = (uint8_t)ch;
    return in_range(c, 'A', 'Z', 0) + in_range(c, 'a', 'z', 26) + in_range(c, '0', '9', 52) +
           in_range(c, '+', '+', 62) + in_range(c, '/', '/', 63) - 1;
}

bool
fogi_auth_base64(const char *text, size_t len, void *out, size_t cap, size_t *out_len)
{
    size_t n = 0, padding = 0;
    uint8_t *to = out;
    *out_len = 0;
    if (len == 0 || len % 4 != 0)
        return false;
    padding = text[len - 1] != '=' ? 0 : text[len - 2] != '=' ? 1 : 2;
    if (len / 4 * 3 - padding > cap)
        return false;
    for (size_t i = 0; i < len; i += 4) {
        size_t digits = i + 4 == len ? 4 - padding : 4;
        uint32_t v = 0;
        for (size_t k = 0; k < 4; k++) {
            int d = k < digits ? base64_value(text[i + k]) : 0;
            if (d < 0)
                return false;
            v = v << 6 | (uint32_t)d;
        }
        if (v & (digits == 3 ? 0xffu : digits == 2 ? 0xffffu : 0))
            return false; /* bits that stand for nothing: a second spelling */
        for (size_t k = 0; k + 1 < digits; k++)
            to[n++] = (uint8_t)(v >> (16 - 8 * k));
    }
    *out_len = n;
    return true;
}
