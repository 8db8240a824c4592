/* SPDX-License-Identifier: MIT
 *
 * gateway.h - the far end of a proxy: takes WebSocks agents in and connects them to where they ask.
 *
 * To whoever is no agent with a known user's password it is a plain web server (threats S13).
 */
#ifndef FOGI_GATEWAY_H
#define FOGI_GATEWAY_H

#include "app/gateway_conf.h"
#include "app/tls_conf.h"

/** Reads the configuration again (SIGHUP). Gives *out and returns 0; or non-zero after having told
 *  the user why. */
typedef int (*gateway_load_fn)(void *ctx, struct gateway_conf **out);

/**
 * Runs until SIGTERM or SIGINT has drained it.
 *
 * Takes      c
 * Returns    EXIT_OK           drained
 *            EXIT_CONFIG       a certificate, its key or the web root cannot be used
 *            EXIT_UNAVAILABLE  cannot listen, or the system refuses something else at start
 */
int fogi_gateway_run(struct gateway_conf *c, gateway_load_fn load, void *ctx);

/** Reads the certificates and opens the web root that c names, and lets go of all of it. Takes c.
 *  False: `why` says what does not do. */
FOG_CHECKED bool fogi_gateway_try(struct gateway_conf *c, char why[TLS_ERROR_MAX]);

#endif
