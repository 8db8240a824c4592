/* SPDX-License-Identifier: MIT
 *
 * auth.h - who may use a gateway: the minute-salted password hash of WebSocks (wire section 6.2).
 *
 *     inner = base64(SHA-256(password))
 *     hash  = base64(SHA-256(inner + decimal(minute)))   minute: Unix ms, rounded down to a minute
 *     value = "Basic " + base64(user + ":" + hash)
 *
 * Decides whether a value belongs to a user now. Refuses to know where values come from, what a
 * refusal looks like, and the clock: Unix time is an argument.
 *
 * Invariant: what a check costs depends on the number of users and on the length of the value only,
 * never on who is named, how much of it is right, or which of the three minutes it fits (threats
 * S12). The three hashes of every user are made once a minute; a check hashes the value once and
 * compares 32 bytes with all of them.
 */
#ifndef FOGI_AUTH_H
#define FOGI_AUTH_H

#include <foggara/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AUTH_MINUTE_MS 60000
#define AUTH_USER_MAX 255 /* bytes of a name and of a password (RFC 1929 has no room for more)  */
#define AUTH_PASSWORD_MAX 255
#define AUTH_USERS_MAX 1024 /* users of one table: a check stays under 0.1 ms */
#define AUTH_HASH_LEN 44    /* base64 of SHA-256                                                  */
#define AUTH_PLAIN_MAX                                                                             \
    (AUTH_USER_MAX + 1 + AUTH_PASSWORD_MAX)               /* "user:..." behind the base64     */
#define AUTH_VALUE_MAX (6 + (AUTH_PLAIN_MAX + 2) / 3 * 4) /* "Basic ..."                      */

struct auth_user {
    char name[AUTH_USER_MAX + 1];
    char inner[AUTH_HASH_LEN + 1];
    uint8_t expected[3][32]; /* SHA-256 of "user:hash" for the minute before, this one, the next */
};

struct auth {
    struct auth_user *users;
    size_t n, cap;
    uint64_t minute_ms; /* expected[1] of all users is for this; UINT64_MAX: none made yet */
    uint64_t accepted, refused, limit_users_hit;
};

/** An empty table in the memory of users[cap], which the caller lends for its life. A cap over
 *  AUTH_USERS_MAX counts as that. To change a table, make a new one and swap. */
void fogi_auth_init(struct auth *a, struct auth_user *users, size_t cap);

/**
 * Adds a user. Copies both texts, the password only as its hash.
 *
 * Returns    FOG_E_USAGE   empty or too long; ':' in the name; a blank first or last (vproxy trims
 *                          it away), a control character; or the name is there already
 *            FOG_E_LIMIT   the table is full (limit_users_hit)
 */
FOG_CHECKED int fogi_auth_add(struct auth *a, const char *user, const char *password);

/**
 * Whether value, the text of an Authorization field, is that of a user for the minute of unix_ms,
 * the one before, or the one after it. The word Basic is compared with its case, as vproxy does.
 * value NULL (no such field) costs the same as a wrong one of no bytes.
 *
 * Effect     counts; *who is the user, lent with the table, or NULL. who may be NULL.
 */
FOG_CHECKED bool fogi_auth_check(struct auth *a, const char *value, size_t len, uint64_t unix_ms,
                                 const struct auth_user **who);

/** The value a client sends at unix_ms; user and password as fogi_auth_add() takes them. Returns
 *  its length; out is ended with a zero. */
size_t fogi_auth_value(const char *user, const char *password, uint64_t unix_ms,
                       char out[AUTH_VALUE_MAX + 1]);

/** A plain name and password, as a local listener may ask for (RFC 1929, or Proxy-Authorization).
 *  Strings are borrowed. */
struct auth_login {
    const char *name, *password;
};

/** Whether the name and password given are one of n logins. Compares hashes of both parts with
 *  every login (threats S4): what it costs depends on n only. */
FOG_CHECKED bool fogi_auth_login(const struct auth_login *logins, size_t n, const void *given_name,
                                 size_t name_len, const void *given_password, size_t password_len);

/** The same for the value of a Proxy-Authorization field: "Basic " + base64(user ":" password).
 *  value NULL: false. */
FOG_CHECKED bool fogi_auth_basic(const struct auth_login *logins, size_t n, const char *value,
                                 size_t len);

/** Strict base64: standard alphabet, padding, no unused bit set, nothing else. Returns false if it
 *  is not that or does not fit cap; *out_len is what came out. */
FOG_CHECKED bool fogi_auth_base64(const char *text, size_t len, void *out, size_t cap,
                                  size_t *out_len);

#endif
