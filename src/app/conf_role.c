/* SPDX-License-Identifier: MIT
 *
 * conf_role.c - whose configuration a file is, for `foggara check`: by keys that only one role has.
 */
#include "app/agent_conf_int.h"

#include <string.h>

/* clang-format off */
static const struct { const char *key; enum conf_role role; } marks[] = {
    {"agent",    ROLE_AGENT},   {"proxy",      ROLE_AGENT},
    {"auth",     ROLE_GATEWAY}, {"auth-file",  ROLE_GATEWAY}, {"ssl",    ROLE_GATEWAY},
    {"certpem",  ROLE_GATEWAY}, {"pkcs12",     ROLE_GATEWAY}, {"keypem", ROLE_GATEWAY},
    {"webroot",  ROLE_GATEWAY}, {"redirectport", ROLE_GATEWAY},
};
/* clang-format on */

static enum conf_role
role_of(const char *key)
{
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        size_t n = strlen(marks[i].key);
        bool same = strncmp(key, marks[i].key, n) == 0;
        if (same && (key[n] == 0 || (key[n] == '.' && marks[i].role == ROLE_AGENT)))
            return marks[i].role;
    }
    return ROLE_TUNNEL;
}

enum conf_role
fogi_conf_role(const char *text, size_t len)
{
    struct json *doc;
    struct json_error err;
    enum conf_role role = ROLE_TUNNEL;
    if (fogi_agent_is_lines(text, len))
        return ROLE_AGENT;
    if (!fogi_json_parse(&doc, text, len, &err))
        return ROLE_TUNNEL; /* its reader says what is wrong */
    const struct json_value *root = fogi_json_root(doc);
    const struct json_value *v = root->type == JSON_OBJECT ? root->first : NULL;
    for (; v != NULL && role == ROLE_TUNNEL; v = v->next)
        role = role_of(v->key);
    fogi_json_free(doc);
    return role;
}
