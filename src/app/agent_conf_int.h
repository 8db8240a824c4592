/* SPDX-License-Identifier: MIT
 *
 * agent_conf_int.h - what the three readers of an agent's file share.
 */
#ifndef FOGI_AGENT_CONF_INT_H
#define FOGI_AGENT_CONF_INT_H

#include "app/agent_conf.h"

#define AGENT_DEFAULT "DEFAULT"

enum agent_list { AGENT_SERVERS, AGENT_DOMAINS, AGENT_RESOLVE, AGENT_NO_PROXY, AGENT_LISTS };

/** The group of this name, made if there is none yet; SIZE_MAX after an error. */
size_t fogi_agent_group(struct settings *s, const struct setting_at *at, const char *name);

/** Adds a server or a rule to a list of a group. */
void fogi_agent_add(struct settings *s, size_t group, enum agent_list list,
                    const struct setting_at *at, const char *text);

/** Reads the members of "proxy.groups". */
void fogi_agent_groups(struct settings *s, const struct json_value *v);

/** Whether a file has lines "key value" and lists, as vproxy's had before it had objects. */
bool fogi_agent_is_lines(const char *text, size_t len);
/** Reads such a file. */
void fogi_agent_lines(struct settings *s, const char *text, size_t len);

/** NULL, or why a file of certificates cannot be used and what to do. */
const char *fogi_agent_ca_fault(const char *text, size_t len);

#endif
