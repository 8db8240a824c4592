/* SPDX-License-Identifier: MIT
 *
 * tls_sessions.h - TLS sessions a client has had, to be taken up again.
 *
 * Decides which one is offered to a server: the last it gave. It may be offered many times, by
 * connections that begin at once; all of them come from one agent to one server, so there is
 * nothing for an onlooker to link. It is kept as bytes, because OpenSSL marks a session of TLS 1.3
 * as used up by its first use, and by mistake the one that is given in its place as well. Refuses
 * to know how a session was verified: its owner is one configuration of TLS, and a session is kept
 * under the server and the name that was checked, so what is found here was checked for the same
 * name by the same certificates. Invariant: at most TLS_SESSIONS_MAX; the one that was stored
 * longest ago makes room.
 */
#ifndef FOGI_TLS_SESSIONS_H
#define FOGI_TLS_SESSIONS_H

#include "base/list.h"

#include <openssl/ssl.h>

#define TLS_SESSIONS_MAX 256

struct tls_sessions {
    struct list all; /* the one stored last is last */
    unsigned n;
};

void fogi_tls_sessions_init(struct tls_sessions *s);

/** Stores one, or nothing for want of memory. name: that was checked, NULL: none was. */
void fogi_tls_sessions_put(struct tls_sessions *s, const char *server, const char *name,
                           SSL_SESSION *one);

/** One to be offered, which is the caller's; NULL: there is none. */
SSL_SESSION *fogi_tls_sessions_get(const struct tls_sessions *s, const char *server,
                                   const char *name);

/** Forgets what is kept for it, if anything. */
void fogi_tls_sessions_drop(struct tls_sessions *s, const char *server, const char *name);

/** Forgets all. */
void fogi_tls_sessions_clear(struct tls_sessions *s);

#endif
