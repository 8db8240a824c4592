/* SPDX-License-Identifier: MIT
 *
 * greeting.h - what the bytes of a hello mean: the name "fog", a version, then fields. Knows bytes;
 * not when they are said (arq/hello.h), nor what is made of them.
 *
 * A field is a tag and a value. The high half of the tag says which field, the low half how many
 * bytes the value has, so that a reader skips what it does not know. Numbers are little-endian.
 *
 *     tag    value      meaning
 *     0x14   32 bits    send me so many bytes per second at most
 *     0x22   16 bits    I take datagrams of so many bytes
 *
 * Invariant: what is written reads back the same; whatever is read, nothing beyond len is.
 */
#ifndef FOGI_GREETING_H
#define FOGI_GREETING_H

#include <foggara/arq.h>

struct greeting {
    bool foggara;  /* it begins with our name and a version that has fields  */
    uint32_t down; /* bytes per second that are asked for; 0: nothing        */
    uint16_t mtu;  /* bytes of a datagram that are taken; 0: nothing is said  */
};

/** Writes a hello with the fields of g that say something; gives its length. */
uint8_t fogi_greeting_put(uint8_t buf[FOG_HELLO_MAX], const struct greeting *g);

/** Reads any bytes. A field that is cut short ends the reading. */
void fogi_greeting_get(struct greeting *g, const uint8_t *buf, size_t len);

#endif
