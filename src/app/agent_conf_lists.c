/* SPDX-License-Identifier: MIT
 *
 * agent_conf_lists.c - groups, their servers and their rules.
 */
#include "app/agent_conf_int.h"
#include "app/conf_lines.h"
#include "app/conf_value.h"
#include "app/hostport.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct agent_conf *
conf_of(struct settings *s)
{
    return s->conf;
}

/* -------------------------------------------------------------------------------------- groups */

static bool
is_name(const char *name)
{
    size_t len = strlen(name);
    if (len == 0 || len > AGENT_NAME_MAX)
        return false;
    for (size_t i = 0; i < len; i++)
        if (name[i] <= ' ' || name[i] > '~')
            return false;
    return true;
}

size_t
fogi_agent_group(struct settings *s, const struct setting_at *at, const char *name)
{
    struct agent_conf *c = conf_of(s);
    size_t n = c->n_groups;
    void *groups = c->groups, *routes = c->routes;
    for (size_t i = 0; i < n; i++)
        if (strcmp(c->groups[i].name, name) == 0)
            return i;
    if (!is_name(name) || n == AGENT_GROUPS_MAX) {
        fogi_settings_error(s, at,
                            n == AGENT_GROUPS_MAX
                                ? "more than 64 groups"
                                : "a group's name has 1 to 64 letters and no blanks");
        return SIZE_MAX;
    }
    const char *copy = fogi_store_text(s->store, name, strlen(name));
    struct agent_group *g = fogi_store_more(s->store, &groups, &c->n_groups, sizeof *g);
    struct route *r = g != NULL ? fogi_store_more(s->store, &routes, &n, sizeof *r) : NULL;
    if (copy == NULL || r == NULL) {
        c->n_groups -= g != NULL;
        fogi_settings_error(s, at, "no memory");
        return SIZE_MAX;
    }
    c->groups = groups;
    c->routes = routes;
    g->name = copy;
    return c->n_groups - 1;
}

/* ------------------------------------------------------------------------------------- servers */

/* clang-format off */
static const struct scheme {
    const char *text;
    bool tls, kcp, done;
} schemes[] = {
    {"websocks://",           false, false, true},
    {"websockss://",          true,  false, true},
    {"websocks:kcp://",       false, true,  true},
    {"websockss:kcp://",      true,  true,  true},
    {"websocks:uot:kcp://",   false, true,  false},
    {"websockss:uot:kcp://",  true,  true,  false},
    {"websocks:quic://",      false, false, false},
    {"websockss:quic://",     true,  false, false},
};
/* clang-format on */

static const struct scheme *
find_scheme(const char *url)
{
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++)
        if (strncmp(url, schemes[i].text, strlen(schemes[i].text)) == 0)
            return &schemes[i];
    return NULL;
}

/** Cuts " weight=N" off; false after an error. */
static bool
take_weight(struct settings *s, const struct setting_at *at, char *url, uint32_t *weight)
{
    static const char key[] = "weight=";
    size_t len = strcspn(url, " \t");
    const char *rest = url + len + strspn(url + len, " \t");
    unsigned long n = 10;
    char *end = NULL;
    if (*rest != 0 && strncmp(rest, key, sizeof key - 1) == 0)
        n = strtoul(rest + sizeof key - 1, &end, 10);
    if (*rest != 0 && (end == NULL || *end != 0 || n < 1 || n > 1000)) {
        fogi_settings_error(s, at,
                            "\"%s\" behind a server: weight=1..1000 is all that may stand there",
                            fogi_conf_quote(rest).text);
        return false;
    }
    url[len] = 0;
    *weight = (uint32_t)n;
    return true;
}

static void
add_server(struct settings *s, struct agent_group *g, const struct setting_at *at, const char *text)
{
    struct agent_server server = {0}, *place;
    struct dest d;
    void *servers = g->servers;
    char *url = fogi_store_text(s->store, text, strlen(text));
    if (url == NULL || !take_weight(s, at, url, &server.weight))
        return;
    const struct scheme *scheme = find_scheme(url);
    if (scheme == NULL) {
        fogi_settings_error(s, at,
                            "\"%s\" is no server; that is websocks://, websockss://, "
                            "websocks:kcp:// or websockss:kcp://, and HOST:PORT",
                            fogi_conf_quote(url).text);
        return;
    }
    const char *clause = fogi_hostport_parse(&server.at, url + strlen(scheme->text), HOSTPORT_BOTH);
    if (clause != NULL) {
        fogi_settings_error(s, at, "server \"%s\" %s", fogi_conf_quote(url).text, clause);
        return;
    }
    if (!scheme->done) {
        fogi_settings_ignore(s, url);
        return;
    }
    if (g->n_servers == AGENT_SERVERS_MAX) {
        fogi_settings_error(s, at, "more than 256 servers in a group");
        return;
    }
    server.tls = scheme->tls;
    server.kcp = scheme->kcp;
    server.url = url;
    server.by_address =
        fogi_dest_host(&d, server.at.host, strlen(server.at.host)) != FOG_OK || d.kind != DEST_NAME;
    place = fogi_store_more(s->store, &servers, &g->n_servers, sizeof *place);
    if (place == NULL)
        return;
    g->servers = servers;
    *place = server;
}

/* --------------------------------------------------------------------------------------- rules */

static void
say_counts(struct settings *s, const char *path, const struct abp_counts *n)
{
    struct conf_quote quote = fogi_conf_quote(path);
    const char *name = quote.text;
    if (n->unread > 0)
        fogi_settings_note(s, "%s: %u of %u lines are not understood", name, (unsigned)n->unread,
                           (unsigned)n->lines);
    if (n->limit_rules_hit + n->limit_regex_hit > 0)
        fogi_settings_note(s, "%s: %u rules and %u expressions are too many and left out", name,
                           (unsigned)n->limit_rules_hit, (unsigned)n->limit_regex_hit);
}

/** A list in a file: "[path]". */
static void
add_file(struct settings *s, struct rules *r, const struct setting_at *at, const char *rule)
{
    const char *name, *why;
    char path[SETTING_TEXT_MAX];
    size_t len, rule_len = strlen(rule) - 2;
    struct abp_fault fault;
    struct abp *a;
    if (rule_len >= sizeof path || rule_len == 0) {
        fogi_settings_error(s, at, "no file is named in [ ]");
        return;
    }
    memcpy(path, rule + 1, rule_len);
    path[rule_len] = 0;
    if (strstr(path, "://") != NULL) {
        fogi_settings_ignore(s, rule);
        fogi_settings_note(s, "lists are not fetched: save %s as a file and name that",
                           fogi_conf_quote(path).text);
        return;
    }
    name = fogi_settings_path(s, at, path);
    if (name == NULL)
        return;
    char *text = fogi_settings_file(s->rq, name, ABP_BYTES_MAX, &len, &why);
    if (text == NULL) {
        fogi_settings_error(s, at, "cannot read %s: %s", fogi_conf_quote(name).text, why);
        return;
    }
    struct agent_conf *c = conf_of(s);
    int rc = fogi_abp_new(&a, &c->mem, s->rq->salt, text, len, &fault);
    free(text);
    if (rc == FOG_E_FORMAT)
        fogi_settings_error(s, at, "%s:%u:%u: %s", fogi_conf_quote(name).text, (unsigned)fault.line,
                            (unsigned)fault.col, fault.text);
    else if (rc != FOG_OK)
        fogi_settings_error(s, at, "%s: %s", fogi_conf_quote(name).text,
                            rc == FOG_E_LIMIT ? "the list is larger than 16 MiB" : "no memory");
    if (rc != FOG_OK)
        return;
    say_counts(s, name, fogi_abp_counts(a));
    if (fogi_rules_add_abp(r, a) != FOG_OK)
        fogi_settings_error(s, at, "more than 16 files in one list");
}

/** Whether a text can be the end of no host: written for another program, or an address of a page.
 */
static bool
fits_no_host(const char *text)
{
    static const char bytes[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:";
    struct dest d;
    if (fogi_dest_host(&d, text, strlen(text)) == FOG_OK)
        return false;
    return text[strspn(text, bytes)] != 0 ||
           (strchr(text, ':') != NULL && strchr(text, '.') != NULL);
}

static void
add_rule(struct settings *s, struct rules **list, const struct setting_at *at, const char *text)
{
    struct agent_conf *c = conf_of(s);
    struct rules_fault fault;
    struct setting_at here = *at;
    if (*list == NULL)
        *list = fogi_rules_new(&c->mem, s->rq->salt);
    if (*list == NULL) {
        fogi_settings_error(s, at, "no memory");
        return;
    }
    if (fogi_rules_kind(text, strlen(text)) == RULE_FILE) {
        add_file(s, *list, at, text);
        return;
    }
    int rc = fogi_rules_add(*list, text, strlen(text), &fault);
    here.at.col += (uint32_t)fault.at;
    if (rc == FOG_E_FORMAT || rc == FOG_E_LIMIT)
        fogi_settings_error(s, &here, "rule \"%s\": %s", fogi_conf_quote(text).text, fault.text);
    else if (rc != FOG_OK)
        fogi_settings_error(s, at, "no memory for this rule");
    else if (fogi_rules_kind(text, strlen(text)) == RULE_SUFFIX && fits_no_host(text))
        fogi_settings_note(s,
                           "rule \"%s\" fits no host: a text is the end of its name, such as "
                           ".example.com",
                           fogi_conf_quote(text).text);
}

void
fogi_agent_add(struct settings *s, size_t group, enum agent_list list, const struct setting_at *at,
               const char *text)
{
    struct agent_conf *c = conf_of(s);
    switch (list) {
    case AGENT_SERVERS:
        add_server(s, &c->groups[group], at, text);
        break;
    case AGENT_DOMAINS:
        add_rule(s, &c->routes[group].domains, at, text);
        break;
    case AGENT_NO_PROXY:
        add_rule(s, &c->routes[group].no_proxy, at, text);
        break;
    case AGENT_RESOLVE: /* what vproxy's DNS server asks the far end for */
        fogi_settings_ignore(s, at->name);
        break;
    case AGENT_LISTS:
        break;
    }
}

/* ------------------------------------------------------------------------------- groups of JSON */

static const char *const list_names[AGENT_LISTS] = {"servers", "domains", "resolve", "no-proxy"};

static enum agent_list
find_list(const char *key)
{
    enum agent_list list = 0;
    while (list < AGENT_LISTS && strcmp(list_names[list], key) != 0)
        list++;
    return list;
}

/** The texts of a list, or one text. */
static void
add_all(struct settings *s, size_t group, enum agent_list list, const struct json_value *v)
{
    const struct json_value *one = v->type == JSON_ARRAY ? v->first : v;
    for (; one != NULL; one = v->type == JSON_ARRAY ? one->next : NULL) {
        struct setting_at at = {one->at, v->key};
        at.at.col += one->quoted;
        if (one->text == NULL)
            fogi_settings_error(s, &at, "%s: a text is wanted, not %s", v->key,
                                fogi_json_type_name(one->type));
        else
            fogi_agent_add(s, group, list, &at, one->text);
    }
}

static void
read_group(struct settings *s, const struct json_value *v)
{
    struct setting_at at = {v->at, "proxy.groups"};
    const struct json_value *name = fogi_json_member(v, "name");
    if (v->type != JSON_OBJECT) {
        fogi_settings_error(s, &at, "a group is an object with name, servers and domains, not %s",
                            fogi_json_type_name(v->type));
        return;
    }
    size_t group =
        fogi_agent_group(s, &at, name != NULL && name->text != NULL ? name->text : AGENT_DEFAULT);
    for (const struct json_value *m = v->first; group != SIZE_MAX && m != NULL; m = m->next) {
        enum agent_list list = find_list(m->key);
        struct setting_at here = {m->key_at, m->key};
        if (list < AGENT_LISTS)
            add_all(s, group, list, m);
        else if (m != name)
            fogi_settings_error(s, &here,
                                "unknown key \"%s\" in a group; there are name, servers, "
                                "domains, resolve and no-proxy",
                                fogi_conf_quote(m->key).text);
    }
}

void
fogi_agent_groups(struct settings *s, const struct json_value *v)
{
    struct setting_at at = {v->at, "proxy.groups"};
    if (v->type != JSON_ARRAY) {
        fogi_settings_error(s, &at, "proxy.groups: a list is wanted, not %s",
                            fogi_json_type_name(v->type));
        return;
    }
    for (const struct json_value *g = v->first; g != NULL; g = g->next)
        read_group(s, g);
}
