/* SPDX-License-Identifier: MIT
 *
 * out.h - what the program says on standard output: help, version, settings.
 *
 * Decides the layout; every screen fits 80 columns and 24 lines. Refuses to know commands.
 */
#ifndef FOGI_OUT_H
#define FOGI_OUT_H

#include "app/conf.h"

#include <stdio.h>

/** "usage: foggara client ...", one line. */
void fogi_out_usage(FILE *f, enum conf_mode mode);

/** The whole help of `foggara client` or `foggara server`. */
void fogi_out_help(FILE *f, enum conf_mode mode);

void fogi_out_version(FILE *f);

/** Every setting with its source, as a file that -c reads again. */
void fogi_out_conf(FILE *f, const struct conf *c);

/** In one line, for the log: what the user set, besides the two addresses; "" when nothing. */
void fogi_out_summary(const struct conf *c, char *buf, size_t cap);

#endif
