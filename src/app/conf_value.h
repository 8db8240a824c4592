/* SPDX-License-Identifier: MIT
 *
 * conf_value.h - one value: text to struct member and back.
 *
 * Decides what is a port, an address, a number in range. Refuses to know where the text came from.
 * Text of the file and of the command line goes through the same function, so both mean the same.
 */
#ifndef FOGI_CONF_VALUE_H
#define FOGI_CONF_VALUE_H

#include "app/conf.h"

/**
 * Reads text into the member of key.
 *
 * Effect     on failure *c is unchanged and `why` holds one clause that quotes the text.
 */
bool fogi_conf_set(struct conf *c, enum conf_key key, const char *text, char *why, size_t cap);

/** Sets the default of key. */
void fogi_conf_set_default(struct conf *c, enum conf_key key);

/** Gives *to the value that key has in *from, with its source. */
void fogi_conf_copy(struct conf *to, const struct conf *from, enum conf_key key);

/** Copies text for a message: bytes that are not printable ASCII become "?", long text is cut. */
#define CONF_QUOTE_MAX 48
struct conf_quote {
    char text[CONF_QUOTE_MAX + 4];
};
struct conf_quote fogi_conf_quote(const char *text);

#endif
