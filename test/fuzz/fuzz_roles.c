/* SPDX-License-Identifier: MIT
 *
 * fuzz_roles.c - a file of the agent or the gateway. Byte 0: bit 0 the gateway. Held: what is
 * refused says why in whole printable lines, what is accepted is complete, and nothing is left
 * behind.
 */
#include "app/agent_conf.h"
#include "app/gateway_conf.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_lines(const struct conf_lines *l)
{
    assert(l->len < CONF_LINES_MAX && strlen(l->text) == l->len);
    assert(l->len == 0 || l->text[l->len - 1] == '\n');
    for (size_t i = 0; i < l->len; i++)
        assert(l->text[i] == '\n' || (l->text[i] >= ' ' && l->text[i] <= '~'));
}

static void
check_agent(const struct agent_conf *c)
{
    assert(c->mixed.port != 0 || c->socks5.port != 0 || c->http.port != 0);
    assert(c->n_groups > 0 && c->auth.name != NULL && c->auth.password[0] != 0 && c->pool <= 1000);
    for (size_t i = 0; i < c->n_groups; i++) {
        assert(c->groups[i].n_servers > 0);
        assert(i + 1 == c->n_groups || strcmp(c->groups[i].name, "DEFAULT") != 0);
        for (size_t k = 0; k < c->groups[i].n_servers; k++) {
            const struct agent_server *s = &c->groups[i].servers[k];
            assert(s->at.port != 0 && s->at.host[0] != 0 && s->weight >= 1 && s->weight <= 1000);
        }
    }
}

static void
check_gateway(const struct gateway_conf *c)
{
    assert(c->listen.port != 0 && c->n_users > 0 && (c->ssl || c->insecure));
    assert(!c->ssl || (c->n_cert_files > 0 && c->key_file != NULL) || c->pkcs12_file != NULL);
    for (size_t i = 0; i < c->n_users; i++)
        assert(c->users[i].name[0] != 0 && strchr(c->users[i].name, ':') == NULL);
}

/** Every file has the same few lines: no file of this machine is read. */
static const char *
read_file(void *ctx, const char *name, char *buf, size_t cap, size_t *len)
{
    static const char text[] = "||a.com\nalice:secret\n-----BEGIN CERTIFICATE-----\n";
    (void)ctx;
    assert(cap >= sizeof text);
    if (name[0] == '-')
        return "No such file or directory";
    *len = sizeof text - 1;
    memcpy(buf, text, *len);
    return NULL;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct setting_files files = {read_file, NULL};
    static struct setting_request rq = {.file = "F", .files = &files, .salt = 4711};
    static struct conf_report rep;
    struct agent_conf *agent = NULL;
    struct gateway_conf *gateway = NULL;
    int rc;
    if (size < 1)
        return 0;
    const char *text = (const char *)data + 1;
    (void)fogi_conf_role(text, size - 1);
    if ((data[0] & 1) != 0)
        rc = fogi_gateway_conf_parse(&gateway, &rq, text, size - 1, &rep);
    else
        rc = fogi_agent_conf_parse(&agent, &rq, text, size - 1, &rep);
    assert((rc == EXIT_OK) == (rep.errors.len == 0));
    assert((rc == EXIT_OK) == (agent != NULL || gateway != NULL));
    check_lines(&rep.errors);
    check_lines(&rep.notes);
    if (agent != NULL)
        check_agent(agent);
    if (gateway != NULL)
        check_gateway(gateway);
    fogi_agent_conf_free(agent);
    fogi_gateway_conf_free(gateway);
    return 0;
}
