/* SPDX-License-Identifier: MIT
 *
 * app.h - the program's two halves, for the command line.
 *
 * Both run until SIGTERM or SIGINT has drained them, or until something at start fails; they write
 * their log to standard error. One of them per process.
 */
#ifndef FOGI_APP_H
#define FOGI_APP_H

#include "app/conf.h"

/** Reads the configuration again (SIGHUP). Returns 0 with *out replaced whole; or non-zero after
 * having told the user why, and then everything stays as it is. NULL: nothing can be reloaded. */
typedef int (*app_reload_fn)(void *ctx, struct conf *out);

/**
 * TCP in, tunnel out: accepts local connections and carries each as one stream to the server.
 *
 * Takes      c: copied; from fogi_conf_load(). reload, ctx: called in the loop's thread.
 * Returns    EXIT_OK           drained
 *            EXIT_UNAVAILABLE  cannot listen, or the system refuses something else at start
 */
int fogi_client_run(const struct conf *c, app_reload_fn reload, void *ctx);

/** Tunnel in, TCP out: connects each stream to the target. As fogi_client_run(). */
int fogi_server_run(const struct conf *c, app_reload_fn reload, void *ctx);

#endif
