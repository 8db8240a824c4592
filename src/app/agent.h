/* SPDX-License-Identifier: MIT
 *
 * agent.h - the near end of a proxy: SOCKS5 and HTTP for local programs, WebSocks to gateways.
 *
 * Names are resolved at the far end; what no rule sends there goes direct.
 */
#ifndef FOGI_AGENT_H
#define FOGI_AGENT_H

#include "app/agent_conf.h"
#include "app/tls_conf.h"

/** Reads the configuration again (SIGHUP). Gives *out and returns 0; or non-zero after having told
 *  the user why. */
typedef int (*agent_load_fn)(void *ctx, struct agent_conf **out);

/**
 * Runs until SIGTERM or SIGINT has drained it.
 *
 * Takes      c
 * Returns    EXIT_OK           drained
 *            EXIT_CONFIG       the certificates to trust cannot be used
 *            EXIT_UNAVAILABLE  cannot listen, or the system refuses something else at start
 */
int fogi_agent_run(struct agent_conf *c, agent_load_fn load, void *ctx);

/** Reads the certificates that c trusts, and lets go of them again. False: `why` says what does not
 *  do. */
FOG_CHECKED bool fogi_agent_try(const struct agent_conf *c, char why[TLS_ERROR_MAX]);

#endif
