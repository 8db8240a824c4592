/* SPDX-License-Identifier: MIT
 *
 * socks.h - SOCKS5 (RFC 1928), CONNECT only, with user and password (RFC 1929) where wanted.
 *
 * Decides what a client asks for and says so in the protocol's words. Refuses to know connections:
 * the owner dials and tells how it went. Both sides are byte-fed; every decision lives in the
 * struct, none in a call (threats S1, S2).
 *
 * Invariant: never more than the handshake is consumed. Bytes behind the request (server) or behind
 * the reply (client) are payload and stay with the caller.
 */
#ifndef FOGI_SOCKS_H
#define FOGI_SOCKS_H

#include "proxy/auth.h"
#include "proxy/dest.h"
#include "proxy/outbox.h"

#define SOCKS_REQUEST_MAX (4 + 1 + DEST_HOST_MAX + 2)
#define SOCKS_LOGIN_MAX (3 + AUTH_USER_MAX + AUTH_PASSWORD_MAX)
#define SOCKS_PARSER_MAX 515 /* bytes kept of a client at most (threats section 9) */

/** REP of RFC 1928: how a request went. Any value may come from a peer. */
enum socks_rep {
    SOCKS_OK = 0,
    SOCKS_GENERAL = 1, /* none of the others                          */
    SOCKS_DENIED = 2,  /* not allowed: rules, address policy          */
    SOCKS_NET_UNREACHABLE = 3,
    SOCKS_HOST_UNREACHABLE = 4, /* or its name cannot be resolved            */
    SOCKS_REFUSED = 5,
    SOCKS_TIMEOUT = 6, /* "TTL expired": nearest word for no answer   */
    SOCKS_NO_COMMAND = 7,
    SOCKS_NO_ADDRESS = 8
};

/** "connection refused" and so on, for logs; never NULL. */
const char *fogi_socks_rep_text(int rep);

/* ------------------------------------------------------------------------------------ server */

enum socks_state {
    SOCKS_METHODS, /* reading what it offers                                          */
    SOCKS_LOGIN,   /* reading user and password                                       */
    SOCKS_REQUEST, /* reading what it wants                                           */
    SOCKS_ASKED,   /* s->dest is known: dial, then fogi_socks_reply(); nothing is read */
    SOCKS_DONE,    /* the reply stands in the outbox: from there on it is payload     */
    SOCKS_FAILED   /* the outbox has the last words; send, then close; input is dropped */
};

struct socks_server {
    enum socks_state state;
    enum socks_rep why; /* SOCKS_FAILED: the REP that was said, or SOCKS_GENERAL before that */
    bool login_failed;  /* SOCKS_FAILED: by user and password; the owner counts per source   */
    struct dest dest;   /* from SOCKS_ASKED on                                               */
    struct outbox out;
    /* own business of socks.c */
    const struct auth_login *logins;
    size_t n_logins;
    uint16_t port, len, need;
    uint8_t bytes[SOCKS_PARSER_MAX];
    uint8_t said[2 + 2 + 10];
};

/** n_logins 0: nobody has to log in; else logins are lent for the life of s, and a client that does
 *  not offer user and password is refused. The struct must not be moved afterwards. */
void fogi_socks_server_init(struct socks_server *s, const struct auth_login *logins,
                            size_t n_logins);

/** The same logins stand elsewhere from now on. */
void fogi_socks_server_move(struct socks_server *s, const struct auth_login *logins);

/**
 * Reads on. Borrows buf; *used bytes are done with: all, but for SOCKS_ASKED and SOCKS_DONE, where
 * they are payload.
 *
 * Refused in the protocol's words (0, SOCKS_FAILED): no method of ours (FF), wrong login (01),
 * BIND and UDP (07), unknown kind of address (08), a host that is none or port 0 (01).
 * A first byte other than 5 is answered with nothing at all.
 *
 * Returns    FOG_E_FORMAT   it does not speak SOCKS5: close (SOCKS_FAILED, nothing more to say)
 */
FOG_CHECKED int fogi_socks_server_input(struct socks_server *s, const void *buf, size_t len,
                                        size_t *used);

/** In SOCKS_ASKED: how it went. Says REP, 0.0.0.0 and the port asked for, as vproxy does. Leads to
 *  SOCKS_DONE for SOCKS_OK, else to SOCKS_FAILED. */
void fogi_socks_reply(struct socks_server *s, enum socks_rep rep);

/* ------------------------------------------------------------------------------------ client */

enum socks_client_state {
    SOCKS_C_METHODS, /* waiting for the choice of method                       */
    SOCKS_C_REPLY,   /* waiting for the reply                                  */
    SOCKS_C_DONE,    /* it succeeded: what follows is payload, both ways       */
    SOCKS_C_FAILED   /* it did not: c->rep, or the error that was returned     */
};

struct socks_client {
    enum socks_client_state state;
    uint8_t rep; /* from SOCKS_C_DONE or SOCKS_C_FAILED on; any value */
    struct outbox out;
    /* own business of socks.c */
    bool strict, broken;
    uint16_t len, need, request_len;
    uint8_t head[5];
    uint8_t said[3 + SOCKS_REQUEST_MAX];
    uint8_t request[SOCKS_REQUEST_MAX];
};

/** Asks for dest without a login. strict: each step waits for its answer; else methods and request
 *  leave together. Borrows dest; the struct must not be moved afterwards. */
void fogi_socks_client_init(struct socks_client *c, const struct dest *dest, bool strict);

/**
 * Reads on. Borrows buf; *used bytes are done with, none behind the reply (which may have an
 * address of any kind, also a name).
 *
 * Returns    FOG_E_PROTOCOL   not SOCKS5, or no method without login (SOCKS_C_FAILED, for good)
 */
FOG_CHECKED int fogi_socks_client_input(struct socks_client *c, const void *buf, size_t len,
                                        size_t *used);

#endif
