/* SPDX-License-Identifier: MIT
 *
 * gateway_conf.c - the table of the gateway's settings, and what can be had together.
 */
#define _GNU_SOURCE /* explicit_bzero() */
#include "app/gateway_conf.h"

#include "app/conf_lines.h"
#include "app/conf_value.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define USERS_FILE_MAX (1024u * 1024)
#define PASSWORD_BITS_MIN                                                                          \
    50 /* a recorded handshake may be guessed at, at 10^9 a second or more                         \
        */

/* --------------------------------------------------------------------------- values of our own */

static char *
trim(char *text)
{
    size_t len = strlen(text);
    while (len > 0 && strchr(" \t\r", text[len - 1]) != NULL)
        text[--len] = 0;
    return text + strspn(text, " \t\r");
}

static bool
is_known(const struct gateway_conf *c, const char *name)
{
    for (size_t i = 0; i < c->n_users; i++)
        if (strcmp(c->users[i].name, name) == 0)
            return true;
    return false;
}

/** where: "" or the line of a file of users, for messages. */
static void
add_user(struct settings *s, const struct setting_at *at, const char *where, char *name,
         char *password)
{
    struct gateway_conf *c = s->conf;
    void *users = c->users;
    if (name[0] == 0 || password[0] == 0 || strlen(name) > 255 || strlen(password) > 255) {
        fogi_settings_error(s, at, "%suser and password have 1 to 255 letters each", where);
    } else if (is_known(c, name)) {
        fogi_settings_error(s, at, "%suser %s is there twice", where, fogi_conf_quote(name).text);
    } else if (c->n_users == GATEWAY_USERS_MAX) {
        fogi_settings_error(s, at, "%smore than 1024 users", where);
    } else {
        struct gateway_user *place = fogi_store_more(s->store, &users, &c->n_users, sizeof *place);
        c->users = users;
        if (place != NULL)
            *place = (struct gateway_user){name, password};
    }
}

/** USER:PASSWORD. A password is never quoted in a message. */
static void
take_pair(struct settings *s, const struct setting_at *at, const char *where, char *pair)
{
    char *colon = strchr(pair, ':');
    if (colon == NULL || strchr(colon + 1, ':') != NULL) {
        fogi_settings_error(s, at, "%sUSER:PASSWORD is wanted, with one colon%s", where,
                            where[0] == 0 ? "; several with commas" : "");
        return;
    }
    *colon = 0;
    add_user(s, at, where, trim(pair), trim(colon + 1));
}

static void
take_part(struct settings *s, const struct setting_at *at, char *part)
{
    take_pair(s, at, "", part);
}

/** Hands each part of a list with commas to fn. */
static void
each_part(struct settings *s, const struct setting_at *at, const char *text,
          void (*fn)(struct settings *s, const struct setting_at *at, char *part))
{
    char *copy = fogi_store_text(s->store, text, strlen(text));
    while (copy != NULL) {
        char *comma = strchr(copy, ',');
        if (comma != NULL)
            *comma = 0;
        fn(s, at, copy);
        copy = comma != NULL ? comma + 1 : NULL;
    }
}

static void
take_auth(struct settings *s, const struct setting_at *at, const char *text)
{
    each_part(s, at, text, take_part);
}

/** A line each: USER:PASSWORD; "#" begins a comment. */
static void
take_auth_file(struct settings *s, const struct setting_at *at, const char *text)
{
    const char *why, *name = fogi_settings_path(s, at, text);
    size_t len;
    if (name == NULL)
        return;
    char *all = fogi_settings_file(s->rq, name, USERS_FILE_MAX, &len, &why);
    bool good = all != NULL && len <= USERS_FILE_MAX && memchr(all, 0, len) == NULL;
    char *line = good ? fogi_store_text(s->store, all, len) : NULL;
    if (all != NULL)
        explicit_bzero(all, len);
    free(all);
    if (!good)
        fogi_settings_error(s, at, "cannot read %s: %s", fogi_conf_quote(name).text,
                            all == NULL ? why : "it is no list of users");
    for (unsigned number = 1; line != NULL; number++) {
        char where[CONF_QUOTE_MAX + 20];
        char *stop = strchr(line, '\n');
        if (stop != NULL)
            *stop = 0;
        char *pair = trim(line);
        snprintf(where, sizeof where, "%s:%u: ", fogi_conf_quote(name).text, number);
        if (pair[0] != 0 && pair[0] != '#')
            take_pair(s, at, where, pair);
        line = stop != NULL ? stop + 1 : NULL;
    }
}

static void
add_cert(struct settings *s, const struct setting_at *at, char *part)
{
    struct gateway_conf *c = s->conf;
    void *files = c->cert_files;
    const char *path = fogi_settings_path(s, at, trim(part));
    if (path == NULL)
        return;
    if (c->n_cert_files == GATEWAY_CERTS_MAX) {
        fogi_settings_error(s, at, "more than 16 files of certificates");
        return;
    }
    const char **place = fogi_store_more(s->store, &files, &c->n_cert_files, sizeof *place);
    c->cert_files = files;
    if (place != NULL)
        *place = path;
}

static void
take_cert(struct settings *s, const struct setting_at *at, const char *text)
{
    each_part(s, at, text, add_cert);
}

static void
take_net(struct settings *s, const struct setting_at *at, const char *text, bool allow)
{
    struct gateway_conf *c = s->conf;
    int rc = fogi_policy_add(&c->policy, text, strlen(text), allow);
    if (rc == FOG_E_FORMAT)
        fogi_settings_error(s, at,
                            "%s: \"%s\" is no address, ADDRESS/BITS without bits behind "
                            "them, or :PORT",
                            allow ? "allow" : "deny", fogi_conf_quote(text).text);
    else if (rc != FOG_OK)
        fogi_settings_error(s, at, "too many entries in allow and deny");
}

static void
take_allow(struct settings *s, const struct setting_at *at, const char *text)
{
    take_net(s, at, text, true);
}

static void
take_deny(struct settings *s, const struct setting_at *at, const char *text)
{
    take_net(s, at, text, false);
}

static void
take_domain(struct settings *s, const struct setting_at *at, const char *text)
{
    struct gateway_conf *c = s->conf;
    struct dest d;
    if (fogi_dest_host(&d, text, strlen(text)) != FOG_OK || d.kind != DEST_NAME) {
        fogi_settings_error(s, at, "domain: \"%s\" is no host name", fogi_conf_quote(text).text);
        return;
    }
    c->domain = fogi_store_text(s->store, d.name, strlen(d.name));
}

/* --------------------------------------------------------------------------------------- table */

/* clang-format off */
#define AT(member) offsetof(struct gateway_conf, member)
#define VALUE(option, letter, type, member, meta, help) \
    {&(option)[2], option, letter, SETTING_##type, 0, 0, 0, AT(member), CONF_KEY_N, NULL, meta, help},
#define TAKE(option, letter, function, meta, help) \
    {&(option)[2], option, letter, SETTING_TAKE, 0, 0, 0, 0, CONF_KEY_N, function, meta, help},
#define ONE(option, letter, function, meta, help) \
    {&(option)[2], option, letter, SETTING_ONE, 0, 0, 0, 0, CONF_KEY_N, function, meta, help},
#define TUNNEL(key, option, KEY, meta, help) \
    {key, option, 0, SETTING_TUNNEL, 0, 0, 0, AT(tunnel), CONF_KEY_##KEY, NULL, meta, help},
#define VOID(key, meta) {key, NULL, 0, SETTING_VOID, 0, 0, 0, 0, CONF_KEY_N, NULL, meta, ""},

static const struct setting rows[] = {
    VALUE("--listen",       'l', LISTEN, listen,          "[ADDR]:PORT",   "TCP, and UDP with --kcp")
    TAKE("--auth",          'a', take_auth,               "USER:PASSWORD", "who may use it; more with commas")
    TAKE("--auth-file",      0,  take_auth_file,          "FILE",          "the same, a line each")
    VALUE("--kcp",           0,  BOOL,   kcp,             "",              "take tunnels over UDP as well")
    VALUE("--ssl",           0,  BOOL,   ssl,             "",              "TLS, inside tunnels too")
    TAKE("--certpem",        0,  take_cert,               "FILE",          "certificate in PEM; its chain with commas")
    VALUE("--keypem",        0,  FILE,   key_file,        "FILE",          "its key in PEM")
    VALUE("--pkcs12",        0,  FILE,   pkcs12_file,     "FILE",          "certificate and key in one file")
    VALUE("--pkcs12pswd",    0,  TEXT,   pkcs12_password, "PASSWORD",      "of that file")
    ONE("--domain",          0,  take_domain,             "NAME",          "the only server name accepted")
    VALUE("--redirectport",  0,  PORT,   redirect,        "PORT",          "port that sends visitors to listen")
    VALUE("--webroot",       0,  FILE,   webroot,         "DIR",           "what other visitors see")
    TAKE("--allow",          0,  take_allow,              "ADDR[/BITS]",   "dial these private addresses; :PORT")
    TAKE("--deny",           0,  take_deny,               "ADDR[/BITS]",   "never dial these; :PORT")
    VALUE("--insecure",      0,  BOOL,   insecure,        "",              "without TLS, and that is meant")
    TUNNEL("fast",        "--fast",        FAST,        "1..4",          "vproxy's set of parameters")
    TUNNEL("up",          "--up",          UP,          "RATE",          "bits per second sent: 50M")
    TUNNEL("down",        "--down",        DOWN,        "RATE",          "bits per second to be sent to us")
    TUNNEL("mtu",         "--mtu",         MTU,         "BYTES",         "largest datagram sent")
    TUNNEL("max-streams", "--max-streams", MAX_STREAMS, "N",             "most streams of one tunnel")
    TUNNEL("compress",    NULL,            COMPRESS,    "",              "")
    TUNNEL("sndwnd",      NULL,            SNDWND,      "",              "")
    TUNNEL("rcvwnd",      NULL,            RCVWND,      "",              "")
    TUNNEL("sockbuf",     NULL,            SOCKBUF,     "",              "")
    TUNNEL("status",      "--status",      STATUS,      "PATH",          "socket for foggara status")
    TUNNEL("log",         "--log",         LOG,         "LEVEL",         "error, warn, info, debug, trace")
    /* vproxy has these; we do not. */
    VOID("quic", "") VOID("quic-listen", "PORT") VOID("uot.port", "PORT") VOID("uot.nic", "NIC")
};
/* clang-format on */

static_assert(sizeof rows / sizeof rows[0] <= SETTINGS_MAX,
              "each row has a place for where it was set");

/* -------------------------------------------------------------------------- what goes together */

unsigned
fogi_password_bits(const char *password)
{
    /* Tenths of a bit that a letter of each kind adds, were it chosen by chance. */
    static const unsigned tenths[] = {33, 47, 47, 50}; /* digits, lower, upper, the rest */
    bool seen[256] = {false}, kinds[4] = {false};
    unsigned n = 0, per_letter = 0;
    for (const unsigned char *p = (const unsigned char *)password; *p != 0; p++) {
        kinds[*p >= '0' && *p <= '9'   ? 0
              : *p >= 'a' && *p <= 'z' ? 1
              : *p >= 'A' && *p <= 'Z' ? 2
                                       : 3] = true;
        n += seen[*p] ? 1 : 2; /* what was there before is half a surprise */
        seen[*p] = true;
    }
    for (size_t i = 0; i < 4; i++)
        if (kinds[i] && tenths[i] > per_letter)
            per_letter = tenths[i];
    for (size_t i = 0, more = 0; i < 4; i++)
        if (kinds[i] && more++ > 0)
            per_letter += 6;
    return n * per_letter / 20;
}

static void
check_tls(struct settings *s, struct gateway_conf *c)
{
    bool pem = c->n_cert_files > 0 || c->key_file != NULL;
    bool p12 = c->pkcs12_file != NULL || c->pkcs12_password != NULL;
    if ((pem || p12) && !fogi_settings_given(s, "ssl"))
        c->ssl = true;
    if (pem && p12)
        fogi_settings_error(s, NULL, "certpem and pkcs12 exclude each other");
    else if ((pem || p12) && !c->ssl)
        fogi_settings_error(s, NULL, "a certificate is named, but ssl is off");
    else if (c->ssl && !pem && !p12)
        fogi_settings_error(s, NULL,
                            "ssl wants a certificate: certpem and keypem, or pkcs12 and "
                            "pkcs12pswd");
    else if (pem && (c->n_cert_files == 0 || c->key_file == NULL))
        fogi_settings_error(s, NULL,
                            c->key_file == NULL ? "keypem is missing: the key of certpem"
                                                : "certpem is missing: what keypem is for");
    else if (p12 && (c->pkcs12_file == NULL || c->pkcs12_password == NULL))
        fogi_settings_error(s, NULL,
                            c->pkcs12_file == NULL ? "pkcs12 is missing" : "pkcs12pswd is missing");
}

/** Without TLS, whoever listens can read everything and guess the password in peace. */
static void
check_insecure(struct settings *s, struct gateway_conf *c)
{
    static const char why[] = "without ssl, whoever is on the way reads all traffic and can guess "
                              "passwords from it";
    if (c->ssl)
        return;
    if (s->rq->words || c->insecure) {
        c->insecure = true;
        fogi_settings_note(s, "WARNING: %s", why);
    } else {
        fogi_settings_error(s, NULL, "%s; set ssl, or insecure if that is meant", why);
    }
}

static void
check_passwords(struct settings *s, const struct gateway_conf *c)
{
    size_t weak = 0, first = 0;
    for (size_t i = c->n_users; i-- > 0;) {
        if (fogi_password_bits(c->users[i].password) < PASSWORD_BITS_MIN) {
            weak++;
            first = i;
        }
    }
    if (weak > 0)
        fogi_settings_note(s,
                           "WARNING: the password of %s%s is easy to guess; 12 letters by chance "
                           "are not",
                           fogi_conf_quote(c->users[first].name).text,
                           weak > 1 ? " (and of others)" : "");
}

static void
complete(struct settings *s)
{
    struct gateway_conf *c = s->conf;
    if (c->listen.port == 0) {
        s->rep->incomplete = true;
        fogi_settings_error(s, NULL, "listen is missing: the port for agents (-l)");
    }
    if (c->n_users == 0) {
        s->rep->incomplete = s->rep->incomplete || s->code == EXIT_OK;
        fogi_settings_error(s, NULL, "auth is missing: USER:PASSWORD (-a)");
    }
    if (c->redirect != 0 && c->redirect == c->listen.port)
        fogi_settings_error(s, NULL, "listen and redirectport are the same");
    if (c->tunnel.up > 0 && c->tunnel.fast > 0)
        fogi_settings_error(s, NULL,
                            "fast and up exclude each other: vproxy's fast1..fast4 have "
                            "no rate");
    check_tls(s, c);
    check_insecure(s, c);
    check_passwords(s, c);
}

/* ---------------------------------------------------------------------------------------- verbs */

/** "auth" may be an object: {"alice": "password"}. */
static bool
own_member(struct settings *s, const struct json_value *v, const char *key)
{
    if (strcmp(key, "auth") != 0 || v->type != JSON_OBJECT)
        return false;
    for (const struct json_value *m = v->first; m != NULL; m = m->next) {
        struct setting_at at = {m->key_at, "auth"};
        if (m->text == NULL || strchr(m->key, ':') != NULL || strchr(m->text, ':') != NULL) {
            fogi_settings_error(s, &at, "auth: a name and a password without colons are wanted");
            continue;
        }
        char *name = fogi_store_text(s->store, m->key, strlen(m->key));
        char *password = fogi_store_text(s->store, m->text, strlen(m->text));
        if (name != NULL && password != NULL)
            add_user(s, &at, "", trim(name), trim(password));
    }
    return true;
}

/** Secrets do not stay in memory that is given back. */
static void
forget(const char *text)
{
    if (text != NULL)
        explicit_bzero((char *)(uintptr_t)text, strlen(text));
}

void
fogi_gateway_conf_free(struct gateway_conf *c)
{
    if (c == NULL)
        return;
    for (size_t i = 0; i < c->n_users; i++)
        forget(c->users[i].password);
    forget(c->pkcs12_password);
    fogi_store_free(&c->store);
    free(c);
}

static void *
make(struct store **store)
{
    struct gateway_conf *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    *store = &c->store;
    fogi_policy_init(&c->policy);
    fogi_conf_init(&c->tunnel, CONF_SERVER);
    return c;
}

static void
drop(void *conf)
{
    fogi_gateway_conf_free(conf);
}

const struct settings_role fogi_gateway_role = {
    .rows = rows,
    .n_rows = sizeof rows / sizeof rows[0],
    .make = make,
    .own = own_member,
    .complete = complete,
    .drop = drop,
};

int
fogi_gateway_conf_parse(struct gateway_conf **out, const struct setting_request *rq,
                        const char *text, size_t len, struct conf_report *rep)
{
    void *conf;
    int rc = fogi_settings_parse(&conf, &fogi_gateway_role, rq, text, len, rep);
    *out = conf;
    return rc;
}

int
fogi_gateway_conf_load(struct gateway_conf **out, const struct setting_request *rq,
                       struct conf_report *rep)
{
    void *conf;
    int rc = fogi_settings_load(&conf, &fogi_gateway_role, rq, rep);
    *out = conf;
    return rc;
}

bool
fogi_gateway_words_match(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < fogi_gateway_role.n_rows; i++)
        if (strcmp(argv[1], rows[i].key) == 0)
            return true;
    return false;
}
