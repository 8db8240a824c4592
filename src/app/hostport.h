/* SPDX-License-Identifier: MIT
 *
 * hostport.h - "host:port" in all its spellings. Syntax only: names are resolved elsewhere.
 */
#ifndef FOGI_HOSTPORT_H
#define FOGI_HOSTPORT_H

#include "app/conf.h"

enum hostport_form {
    HOSTPORT_BOTH,  /* host:port, 1.2.3.4:port, [v6]:port  */
    HOSTPORT_LISTEN /* these, :port, and port alone        */
};

/** Reads text. NULL on success; else one clause saying why not, and *out is unchanged. */
const char *fogi_hostport_parse(struct hostport *out, const char *text, enum hostport_form form);

/** The text that parses to hp; cut to cap. */
void fogi_hostport_text(const struct hostport *hp, char *buf, size_t cap);

#endif
