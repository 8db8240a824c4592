/* SPDX-License-Identifier: MIT
 *
 * agent.h - the near end of a proxy: SOCKS5 and HTTP for local programs, WebSocks to gateways.
 *
 * Names are resolved at the far end; what no rule sends there goes direct.
 */
#ifndef FOGI_AGENT_H
#define FOGI_AGENT_H

#include "app/agent_conf.h"

/** Reads the configuration again (SIGHUP). Gives *out and returns 0; or non-zero after having told
 *  the user why. */
typedef int (*agent_load_fn)(void *ctx, struct agent_conf **out);

/**
 * Runs until SIGTERM or SIGINT has drained it.
 *
 * Takes      c
 * Returns    EXIT_OK           drained
 *            EXIT_UNAVAILABLE  cannot listen, or the certificates to trust cannot be read
 */
int fogi_agent_run(struct agent_conf *c, agent_load_fn load, void *ctx);

#endif
