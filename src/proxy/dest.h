/* SPDX-License-Identifier: MIT
 *
 * dest.h - where a proxied connection is to go: a name or an address, and a port.
 *
 * Decides what counts as a host at all, so that every way in (SOCKS, CONNECT, absolute form, rules,
 * configuration) agrees. Refuses to know how names are resolved and what is allowed. Invariant: a
 * struct dest is either a valid DNS name or an address in binary, never a third spelling of one
 * (threats S1, S6): no "0x7f.1", no "2130706433", no zone, no user part.
 */
#ifndef FOGI_DEST_H
#define FOGI_DEST_H

#include <foggara/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DEST_HOST_MAX 255                     /* bytes of a name (RFC 1928, RFC 1035)          */
#define DEST_TEXT_MAX (DEST_HOST_MAX + 8 + 1) /* "[...]:65535" and its end, for any destination */

enum dest_kind { DEST_NAME, DEST_IP4, DEST_IP6 };

struct dest {
    enum dest_kind kind;
    uint16_t port;                /* 1..65535                                              */
    uint8_t ip[16];               /* DEST_IP4: the first 4; network order                  */
    char name[DEST_HOST_MAX + 1]; /* DEST_NAME: lower case, no trailing dot; else ""        */
};

/**
 * Reads a host, as it stands in a SOCKS request or before a colon: a name, dotted quad, or IPv6
 * address with or without brackets.
 *
 * Effect     d->port stays as it is.
 * Returns    FOG_E_FORMAT   none of these (d is as it was)
 */
FOG_CHECKED int fogi_dest_host(struct dest *d, const char *text, size_t len);

/**
 * Reads "host:port" as in CONNECT (RFC 9110 section 7.1), brackets round IPv6 required.
 * default_port: taken where no port stands; 0: one must stand there.
 */
FOG_CHECKED int fogi_dest_authority(struct dest *d, const char *text, size_t len,
                                    uint16_t default_port);

/** "host:port" with brackets where they belong; returns its length. */
size_t fogi_dest_text(const struct dest *d, char buf[DEST_TEXT_MAX]);

bool fogi_dest_same(const struct dest *a, const struct dest *b);

#endif
