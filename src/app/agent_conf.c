/* SPDX-License-Identifier: MIT
 *
 * agent_conf.c - the table of the agent's settings, and what can be had together.
 */
#include "app/agent_conf.h"

#include "app/agent_conf_int.h"
#include "app/conf_lines.h"
#include "app/conf_value.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TUNNELS_EACH 4 /* to each server: a lost packet holds up a part of a page only */

#define CA_BYTES_MAX                                                                               \
    (4u * 1024 * 1024) /* of a file of certificates: the system's is about 220 KiB */

/* --------------------------------------------------------------------------- values of our own */

static char *
trim(char *text)
{
    size_t len = strlen(text);
    while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t'))
        text[--len] = 0;
    return text + strspn(text, " \t");
}

/** USER:PASSWORD. The password is never quoted in a message. */
static bool
read_user(struct settings *s, const struct setting_at *at, const char *text, struct auth_login *out)
{
    char *copy = fogi_store_text(s->store, text, strlen(text));
    char *colon = copy != NULL ? strchr(copy, ':') : NULL;
    if (colon == NULL || strchr(colon + 1, ':') != NULL || strlen(text) > 511) {
        fogi_settings_error(s, at, "USER:PASSWORD is wanted, with one colon");
        return false;
    }
    *colon = 0;
    struct auth_login user = {trim(copy), trim(colon + 1)};
    if (user.name[0] == 0 || user.password[0] == 0 || strlen(user.name) > 255 ||
        strlen(user.password) > 255) {
        fogi_settings_error(s, at, "user and password have 1 to 255 letters each");
        return false;
    }
    *out = user;
    return true;
}

static void
take_auth(struct settings *s, const struct setting_at *at, const char *text)
{
    struct agent_conf *c = s->conf;
    (void)read_user(s, at, text, &c->auth);
}

static void
take_local_user(struct settings *s, const struct setting_at *at, const char *text)
{
    struct agent_conf *c = s->conf;
    struct auth_login user, *place;
    void *users = c->users;
    if (!read_user(s, at, text, &user))
        return;
    if (c->n_users == AGENT_USERS_MAX) {
        fogi_settings_error(s, at, "more than 1024 users");
        return;
    }
    place = fogi_store_more(s->store, &users, &c->n_users, sizeof *place);
    c->users = users;
    if (place != NULL)
        *place = user;
}

static void
take(struct settings *s, const struct setting_at *at, const char *text, enum agent_list list)
{
    size_t group = fogi_agent_group(s, at, AGENT_DEFAULT);
    if (group != SIZE_MAX)
        fogi_agent_add(s, group, list, at, text);
}

static void
take_server(struct settings *s, const struct setting_at *at, const char *text)
{
    take(s, at, text, AGENT_SERVERS);
}

static void
take_domain(struct settings *s, const struct setting_at *at, const char *text)
{
    take(s, at, text, AGENT_DOMAINS);
}

static void
take_no_proxy(struct settings *s, const struct setting_at *at, const char *text)
{
    take(s, at, text, AGENT_NO_PROXY);
}

/* --------------------------------------------------------------------------------------- table */

/* clang-format off */
#define AT(member) offsetof(struct agent_conf, member)
#define VALUE(key, option, letter, type, min, max, def, member, meta, help) \
    {key, option, letter, SETTING_##type, min, max, def, AT(member), CONF_KEY_N, NULL, meta, help},
#define TAKE(key, option, letter, function, meta, help) \
    {key, option, letter, SETTING_TAKE, 0, 0, 0, 0, CONF_KEY_N, function, meta, help},
#define ONE(key, option, letter, function, meta, help) \
    {key, option, letter, SETTING_ONE, 0, 0, 0, 0, CONF_KEY_N, function, meta, help},
#define TUNNEL(key, option, KEY, meta, help) \
    {key, option, 0, SETTING_TUNNEL, 0, 0, 0, AT(tunnel), CONF_KEY_##KEY, NULL, meta, help},
#define VOID(key) {key, NULL, 0, SETTING_VOID, 0, 0, 0, 0, CONF_KEY_N, NULL, "", ""},

static const struct setting rows[] = {
    VALUE("agent.mixed.listen", "--listen", 'l', LISTEN, 0, 0, 0, mixed,
          "[ADDR]:PORT",   "SOCKS5 and HTTP on one port")
    VALUE("agent.socks5.listen", "--socks5", 0, LISTEN, 0, 0, 0, socks5,
          "[ADDR]:PORT",   "SOCKS5 alone")
    VALUE("agent.httpconnect.listen", "--http", 0, LISTEN, 0, 0, 0, http,
          "[ADDR]:PORT",   "HTTP proxy alone")
    VALUE("agent.gateway.pac.listen", "--pac", 0, LISTEN, 0, 0, 0, pac,
          "[ADDR]:PORT",   "serves a PAC file")
    TAKE("agent.users", "--user", 'u', take_local_user,
          "USER:PASSWORD", "who may use these listeners")
    TAKE("proxy.servers", "--server", 's', take_server,
          "URL",           "websockss:kcp://HOST:PORT and the like")
    ONE("proxy.auth", "--auth", 'a', take_auth,
          "USER:PASSWORD", "of the servers")
    TAKE("proxy.domains", "--domain", 'd', take_domain,
          "RULE",          "what goes there; without any: everything")
    TAKE("proxy.no-proxy", "--no-proxy", 0, take_no_proxy,
          "RULE",          "what does not")
    VALUE("proxy.hc", "--hc", 0, BOOL, 0, 0, 1, hc,
          "",              "check the servers' health (on)")
    VALUE("agent.cert.verify", "--verify", 0, BOOL, 0, 0, 1, verify,
          "",              "check certificates; --verify=off: do not")
    VALUE("agent.cacerts.path", "--ca", 0, FILE, 0, 0, 0, ca_file,
          "FILE",          "PEM to check them with, not the system's")
    VALUE("agent.cacerts.pswd", NULL, 0, TEXT, 0, 0, 0, ca_password,
          "",              "")
    VALUE("agent.pool", "--pool", 0, UINT, 0, 1000, 10, pool,
          "N",             "connections kept ready for each group (10)")
    VALUE("agent.strict", "--strict", 0, BOOL, 0, 0, 0, strict,
          "",              "one step of the handshake at a time")
    VALUE("agent.gateway", "--gateway", 0, BOOL, 0, 0, 0, gateway,
          "",              "listen on all addresses")
    VALUE("agent.open-proxy", "--open-proxy", 0, BOOL, 0, 0, 0, open_proxy,
          "",              "do so without users")
    TUNNEL("agent.kcp.fast",        "--fast",        FAST,        "1..4",    "vproxy's set of parameters")
    TUNNEL("agent.kcp.up",          "--up",          UP,          "RATE",    "bits per second sent: 50M")
    TUNNEL("agent.kcp.down",        "--down",        DOWN,        "RATE",    "bits per second to be sent to us")
    TUNNEL("agent.kcp.mtu",         "--mtu",         MTU,         "BYTES",   "largest datagram sent")
    TUNNEL("agent.kcp.tunnels",     "--tunnels",     TUNNELS,     "N",       "tunnels to each server (4)")
    TUNNEL("agent.kcp.compress",    NULL,            COMPRESS,    "",        "")
    TUNNEL("agent.kcp.sndwnd",      NULL,            SNDWND,      "",        "")
    TUNNEL("agent.kcp.rcvwnd",      NULL,            RCVWND,      "",        "")
    TUNNEL("agent.kcp.sockbuf",     NULL,            SOCKBUF,     "",        "")
    TUNNEL("agent.kcp.max-streams", NULL,            MAX_STREAMS, "",        "")
    TUNNEL("agent.status",          "--status",      STATUS,      "PATH",    "socket for foggara status")
    TUNNEL("agent.log",             "--log",         LOG,         "LEVEL",   "error, warn, info, debug, trace")
    /* vproxy has these; we do not. The names are those of its old file, of its new one, or both. */
    VOID("agent.ss")
    VOID("agent.dns")
    VOID("agent.admin")
    VOID("agent.direct-relay")
    VOID("agent.https-sni-erasure")
    VOID("agent.tls-sni-erasure")
    VOID("https-sni-erasure")
    VOID("agent.uot")
    VOID("agent.unet")
    VOID("agent.quic")
    VOID("agent.timeout")
};
/* clang-format on */

static_assert(sizeof rows / sizeof rows[0] <= SETTINGS_MAX,
              "each row has a place for where it was set");

/* -------------------------------------------------------------------------- what goes together */

static bool
is_loopback(const char *host)
{
    return strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0 ||
           strcmp(host, "localhost") == 0;
}

static const struct listener {
    const char *key;
    size_t offset;
    bool proxies;
} listeners[] = {
    {"agent.mixed.listen", AT(mixed), true},
    {"agent.socks5.listen", AT(socks5), true},
    {"agent.httpconnect.listen", AT(http), true},
    {"agent.gateway.pac.listen", AT(pac), false},
};

#define N_LISTENERS (sizeof listeners / sizeof listeners[0])

static struct hostport *
listener_at(struct agent_conf *c, size_t i)
{
    return (struct hostport *)(void *)((char *)c + listeners[i].offset);
}

/** The same port at addresses that may be the same. */
static bool
collide(const struct hostport *a, const struct hostport *b)
{
    return a->port != 0 && a->port == b->port &&
           (a->host[0] == 0 || b->host[0] == 0 || strcmp(a->host, b->host) == 0);
}

static void
check_open(struct settings *s, struct agent_conf *c, size_t i)
{
    const struct hostport *hp = listener_at(c, i);
    if (hp->port == 0 || !listeners[i].proxies || is_loopback(hp->host) || c->n_users > 0 ||
        c->open_proxy)
        return;
    if (c->gateway)
        fogi_settings_note(s,
                           "%s: whoever reaches this machine may use the proxy; agent.users "
                           "would ask for a password",
                           listeners[i].key);
    else
        fogi_settings_error(s, NULL,
                            "%s is not on loopback and asks for no password; set "
                            "agent.users, or open-proxy if that is meant",
                            listeners[i].key);
}

static void
check_listeners(struct settings *s, struct agent_conf *c)
{
    bool any = false;
    for (size_t i = 0; i < N_LISTENERS; i++) {
        struct hostport *hp = listener_at(c, i);
        any = any || (listeners[i].proxies && hp->port != 0);
        if (hp->port != 0 && hp->host[0] == 0 && !c->gateway)
            strcpy(hp->host, "127.0.0.1"); /* never open to the world by default */
        for (size_t k = 0; k < i; k++)
            if (collide(hp, listener_at(c, k)))
                fogi_settings_error(s, NULL, "%s and %s want the same port %u", listeners[k].key,
                                    listeners[i].key, (unsigned)hp->port);
        check_open(s, c, i);
    }
    if (!any) {
        s->rep->incomplete = s->code == EXIT_OK;
        fogi_settings_error(s, NULL,
                            "nothing listens: set agent.mixed.listen (-l), "
                            "agent.socks5.listen or agent.httpconnect.listen");
    }
}

/** DEFAULT comes last, the others stay in their order. */
static void
put_default_last(struct agent_conf *c)
{
    size_t i = 0, n = c->n_groups;
    while (i < n && strcmp(c->groups[i].name, AGENT_DEFAULT) != 0)
        i++;
    if (i >= n)
        return;
    struct agent_group g = c->groups[i];
    struct route r = c->routes[i];
    memmove(c->groups + i, c->groups + i + 1, (n - i - 1) * sizeof g);
    memmove(c->routes + i, c->routes + i + 1, (n - i - 1) * sizeof r);
    c->groups[n - 1] = g;
    c->routes[n - 1] = r;
}

/** Servers of a command line, or of a file that names no rules at all, take everything. */
static void
take_everything(struct settings *s, struct agent_conf *c)
{
    static const char everything[] = "/.*/";
    struct setting_at at = {{0, 0}, "--domain"};
    bool plain = fogi_settings_given(s, "proxy.servers");
    for (size_t i = 0; i < c->n_groups; i++)
        plain = plain && c->routes[i].domains == NULL;
    if (plain)
        take_domain(s, &at, everything);
}

static void
check_groups(struct settings *s, struct agent_conf *c)
{
    bool domains = false, clear = false;
    if (c->n_groups == 0) {
        s->rep->incomplete = s->rep->incomplete || s->code == EXIT_OK;
        fogi_settings_error(s, NULL,
                            "no server is named: set proxy.servers (-s URL) or "
                            "proxy.groups");
    }
    for (size_t i = 0; i < c->n_groups; i++) {
        domains = domains || c->routes[i].domains != NULL;
        for (size_t k = 0; k < c->groups[i].n_servers; k++)
            clear = clear || !c->groups[i].servers[k].tls;
        if (c->groups[i].n_servers == 0)
            fogi_settings_error(s, NULL, "group %s has no server that can be used",
                                fogi_conf_quote(c->groups[i].name).text);
    }
    if (c->n_groups > 0 && !domains)
        fogi_settings_note(s, "no domains are named: everything goes direct");
    if (clear)
        fogi_settings_note(s, "servers without TLS: what goes there can be read on the way");
}

bool
fogi_agent_conf_has_tls(const struct agent_conf *c)
{
    for (size_t i = 0; i < c->n_groups; i++)
        for (size_t k = 0; k < c->groups[i].n_servers; k++)
            if (c->groups[i].servers[k].tls)
                return true;
    return false;
}

/** keytool is what vproxy's users have: they made the file with it. */
const char *
fogi_agent_ca_fault(const char *text, size_t len)
{
    static const char begin[] = "-----BEGIN ";
    const unsigned char *b = (const unsigned char *)text;
    if (len >= 4 &&
        (memcmp(b, "\xfe\xed\xfe\xed", 4) == 0 || memcmp(b, "\xce\xce\xce\xce", 4) == 0))
        return "is a Java key store; PEM is wanted: keytool -list -rfc -keystore FILE > ca.pem";
    if (len >= 2 && b[0] == 0x30 && (b[1] & 0x80) != 0)
        return NULL; /* PKCS12, which is read when it is used */
    for (size_t i = 0; i + sizeof begin - 1 <= len; i++)
        if (text[i] == '-' && memcmp(text + i, begin, sizeof begin - 1) == 0)
            return NULL;
    return "is neither PEM nor PKCS12";
}

static void
check_ca(struct settings *s, struct agent_conf *c)
{
    const struct setting *row = fogi_settings_find(s, "agent.cacerts.path");
    const struct setting_at *at = &s->given[row - s->role->rows];
    const char *why;
    size_t len;
    if (!fogi_agent_conf_has_tls(c)) {
        c->verify = false; /* nothing: reading whom to trust would cost time and memory */
        c->ca_file = NULL;
        return;
    }
    if (!c->verify)
        fogi_settings_note(s, "certificates are not checked: anybody on the way may be the server");
    if (!c->verify || c->ca_file == NULL)
        return;
    char *text = fogi_settings_file(s->rq, c->ca_file, CA_BYTES_MAX, &len, &why);
    if (text != NULL)
        why = fogi_agent_ca_fault(text, len);
    if (why != NULL)
        fogi_settings_error(s, at, "%s %s%s", fogi_conf_quote(c->ca_file).text,
                            text == NULL ? "cannot be read: " : "", why);
    free(text);
}

static void
complete(struct settings *s)
{
    struct agent_conf *c = s->conf;
    if (!fogi_settings_given(s, "agent.kcp.tunnels") && !c->tunnel.up && !c->tunnel.down)
        c->tunnel.tunnels = TUNNELS_EACH;
    take_everything(s, c);
    put_default_last(c);
    check_listeners(s, c);
    check_groups(s, c);
    if (c->auth.name == NULL)
        fogi_settings_error(s, NULL, "proxy.auth is missing: USER:PASSWORD of the servers (-a)");
    if (c->tunnel.up > 0 && c->tunnel.fast > 0)
        fogi_settings_error(s, NULL,
                            "fast and up exclude each other: vproxy's fast1..fast4 have "
                            "no rate");
    check_ca(s, c);
}

/* ---------------------------------------------------------------------------------------- verbs */

/** Members that are no setting of the table. */
static bool
own_member(struct settings *s, const struct json_value *v, const char *key)
{
    if (strcmp(key, "proxy.groups") != 0)
        return false;
    fogi_agent_groups(s, v);
    return true;
}

/** vproxy's first form. */
static bool
take_lines(struct settings *s, const char *text, size_t len)
{
    if (!fogi_agent_is_lines(text, len))
        return false;
    fogi_agent_lines(s, text, len);
    return true;
}

static void *
make(struct store **store)
{
    struct agent_conf *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    *store = &c->store;
    fogi_budget_init(&c->budget, AGENT_RULES_BUDGET, fog_alloc_libc());
    c->alloc = fogi_budget_alloc(&c->budget);
    mem_init(&c->mem, &c->alloc);
    fogi_conf_init(&c->tunnel, CONF_CLIENT);
    return c;
}

static void
drop(void *conf)
{
    fogi_agent_conf_free(conf);
}

const struct settings_role fogi_agent_role = {
    .rows = rows,
    .n_rows = sizeof rows / sizeof rows[0],
    .make = make,
    .lines = take_lines,
    .own = own_member,
    .complete = complete,
    .drop = drop,
};

int
fogi_agent_conf_parse(struct agent_conf **out, const struct setting_request *rq, const char *text,
                      size_t len, struct conf_report *rep)
{
    void *conf;
    int rc = fogi_settings_parse(&conf, &fogi_agent_role, rq, text, len, rep);
    *out = conf;
    return rc;
}

int
fogi_agent_conf_load(struct agent_conf **out, const struct setting_request *rq,
                     struct conf_report *rep)
{
    void *conf;
    int rc = fogi_settings_load(&conf, &fogi_agent_role, rq, rep);
    *out = conf;
    return rc;
}

void
fogi_agent_conf_free(struct agent_conf *c)
{
    if (c == NULL)
        return;
    for (size_t i = 0; i < c->n_groups; i++) {
        fogi_rules_free(c->routes[i].domains);
        fogi_rules_free(c->routes[i].no_proxy);
    }
    assert(c->mem.held == 0 && "rules are all there is in it");
    fogi_store_free(&c->store);
    free(c);
}
