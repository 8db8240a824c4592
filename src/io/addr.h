/* SPDX-License-Identifier: MIT
 *
 * addr.h - addresses between the system's form, ours and text. Knows families; not names (those are
 * io/resolve.h) and not sockets.
 */
#ifndef FOGI_ADDR_H
#define FOGI_ADDR_H

#include <foggara/types.h>

#include <netinet/in.h>

#define ADDR_TEXT_MAX 80 /* "[ipv6%scope]:port" and its NUL */

/** A socket address of either family; large enough for both, smaller than sockaddr_storage. */
union sockaddr_any {
    struct sockaddr sa;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/** Families other than IPv4 and IPv6 give the zero address. */
void fogi_addr_from_system(struct fog_addr *a, const struct sockaddr *sa);

/** The form a socket of `family` wants: IPv4 in IPv6 clothes on an AF_INET6 socket. Gives its
 *  length, 0 when an IPv6 address is meant for an AF_INET socket. */
socklen_t fogi_addr_to_system(const struct fog_addr *a, int family, union sockaddr_any *out);

/** Reads an address in digits ("192.0.2.1", "2001:db8::1", "fe80::1%eth0"); false for a name. */
bool fogi_addr_parse(struct fog_addr *a, const char *host, uint16_t port);

/** "192.0.2.1:80" or "[2001:db8::1]:80". */
const char *fogi_addr_text(const struct fog_addr *a, char buf[ADDR_TEXT_MAX]);

bool fogi_addr_is_v4(const struct fog_addr *a);
bool fogi_addr_is_any(const struct fog_addr *a);
bool fogi_addr_is_loopback(const struct fog_addr *a);
/** fe80::/10, which means nothing without its interface. */
bool fogi_addr_is_link_local(const struct fog_addr *a);

#endif
