/* SPDX-License-Identifier: MIT
 *
 * tls_conf.h - what TLS is spoken: versions, certificates, whom to trust.
 *
 * Decides once for all connections: TLS 1.2 and 1.3, forward secrecy and authenticated ciphers
 * only, no renegotiation, no compression, no early data (threats S14), ALPN http/1.1. A server
 * gives tickets under keys that change by the hour; a client keeps what it was given as long as
 * this configuration is in force. Refuses to know connections; one that uses a configuration keeps
 * it alive, so a reload drops none.
 */
#ifndef FOGI_TLS_CONF_H
#define FOGI_TLS_CONF_H

#include <foggara/types.h>

struct tls_conf;

#define TLS_ERROR_MAX 320
#define TLS_CERTS_MAX 16

/** Where a server's certificate is: PEM files, or one PKCS12 file. Strings are borrowed. */
struct tls_server_files {
    const char *certs[TLS_CERTS_MAX]; /* PEM: the server's first, then its chain; or all in one   */
    unsigned n_certs;
    const char *key;      /* PEM, without a password                                              */
    const char *pkcs12;   /* NULL: PEM                                                            */
    const char *password; /* of the PKCS12 file; NULL: none                                       */
    const char *domain;   /* NULL: any name; else clients that name another one are refused       */
};

/** Gives *t. False when a file does not do, and `error` says which and why. */
FOG_CHECKED bool fogi_tls_server(struct tls_conf **t, const struct tls_server_files *f,
                                 char error[TLS_ERROR_MAX]);

/** `t` follows `was`: where it shows the same certificate for the same name, tickets stay good;
 *  else all that `was` gave are worthless from now on. Either may be NULL. */
void fogi_tls_follow(struct tls_conf *t, const struct tls_conf *was);

/** Whom a client trusts. Strings are borrowed. */
struct tls_client_files {
    bool verify;          /* false: anybody                                                       */
    const char *ca;       /* PEM or PKCS12 file; NULL: those of the system                        */
    const char *password; /* of the PKCS12 file; NULL: none                                       */
};

/** As fogi_tls_server(). */
FOG_CHECKED bool fogi_tls_client(struct tls_conf **t, const struct tls_client_files *f,
                                 char error[TLS_ERROR_MAX]);

/** Connections that use it go on. NULL is fine. */
void fogi_tls_free(struct tls_conf *t);

#endif
