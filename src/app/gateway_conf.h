/* SPDX-License-Identifier: MIT
 *
 * gateway_conf.h - what the user of a gateway asked for, checked and in one struct.
 *
 * Decides names, ranges, defaults, and what can be had together: JSON, options and the words of
 * vproxy's server set the same keys. A gateway without TLS gives passwords and traffic to whoever
 * listens: options and files must say "insecure"; vproxy's words are taken as they are, with a
 * warning. Refuses to know sockets and certificates. Invariant: what came out with 0 has a port, a
 * user, and with ssl a certificate.
 */
#ifndef FOGI_GATEWAY_CONF_H
#define FOGI_GATEWAY_CONF_H

#include "app/settings.h"
#include "proxy/policy.h"

#define GATEWAY_USERS_MAX 1024
#define GATEWAY_CERTS_MAX 16 /* files of a chain */

struct gateway_user {
    const char *name, *password;
};

struct gateway_conf {
    struct hostport listen; /* TCP, and UDP with kcp; host "": all addresses */
    struct gateway_user *users;
    size_t n_users;
    bool kcp;
    bool ssl;
    bool insecure;           /* the user said so, or used vproxy's words */
    const char **cert_files; /* PEM, in the order of the chain     */
    size_t n_cert_files;
    const char *key_file;
    const char *pkcs12_file, *pkcs12_password;
    const char *domain;   /* the only SNI accepted, besides none; NULL: any             */
    uint16_t redirect;    /* port that answers 301; 0: none                             */
    const char *webroot;  /* NULL: no site, a plain server's errors                     */
    struct policy policy; /* allow and deny; own addresses are told by whoever runs it  */
    struct conf tunnel;   /* fast, up, mtu, max_streams, status, log; no listen, no remote */

    struct store store; /* owns all of the above */
};

extern const struct settings_role fogi_gateway_role;

/** As fogi_agent_conf_load(). rep->notes has the warnings, too. */
FOG_CHECKED int fogi_gateway_conf_load(struct gateway_conf **out, const struct setting_request *rq,
                                       struct conf_report *rep);
FOG_CHECKED int fogi_gateway_conf_parse(struct gateway_conf **out, const struct setting_request *rq,
                                        const char *text, size_t len, struct conf_report *rep);
/** NULL is fine. */
void fogi_gateway_conf_free(struct gateway_conf *c);

/** Whether argv[1] begins the words of vproxy's server ("listen", "auth", "kcp", ...). */
bool fogi_gateway_words_match(int argc, char **argv);

/** Bits that a password is worth at most to whoever guesses: its length and its kinds of letters.
 */
unsigned fogi_password_bits(const char *password);

#endif
