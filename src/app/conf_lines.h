/* SPDX-License-Identifier: MIT
 *
 * conf_lines.h - a bounded text of whole lines, for what is wrong with a configuration, and the
 * reading of its file. Knows neither keys nor values.
 */
#ifndef FOGI_CONF_LINES_H
#define FOGI_CONF_LINES_H

#include "app/conf.h"

#include <stdarg.h>

/** Appends one line; when the text is full its last line says so. */
void fogi_lines_vsay(struct conf_lines *l, const char *fmt, va_list ap) FOG_PRINTF(2, 0);
void fogi_lines_say(struct conf_lines *l, const char *fmt, ...) FOG_PRINTF(2, 3);

/** Reads at most cap bytes of a file, or of standard input ("-"); NULL, or why not. */
const char *fogi_file_read(const char *name, char *buf, size_t cap, size_t *len);

#endif
