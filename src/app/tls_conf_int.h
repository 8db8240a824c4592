/* SPDX-License-Identifier: MIT
 *
 * tls_conf_int.h - the inside of a TLS configuration, for channel_tls.c.
 */
#ifndef FOGI_TLS_CONF_INT_H
#define FOGI_TLS_CONF_INT_H

#include "app/tls_sessions.h"
#include "app/tls_tickets.h"

#include <openssl/ssl.h>
#include <stdbool.h>

#define TLS_NAME_MAX 255

struct tls_conf {
    SSL_CTX *ctx;
    unsigned holders; /* its owner and the connections it made                                  */
    bool verify;      /* client: the far side's name is compared where it has one               */
    char domain[TLS_NAME_MAX + 1]; /* server: "" : any name                                     */
    struct tls_tickets *tickets;   /* server                                                    */
    struct tls_sessions sessions;  /* client: verified as this configuration says               */
};

/** What is wrong with the far side's certificate (X509_V_ERR_...), for those who can mend it. */
const char *fogi_tls_cert_text(long code);

/** One holder more; fogi_tls_free() makes it one less. */
void fogi_tls_hold(struct tls_conf *t);

#endif
