/* SPDX-License-Identifier: MIT
 *
 * websocks.h - WebSocks, the proxy protocol of vproxy: an HTTP upgrade, ten bytes each way that
 * look like the head of one endless WebSocket frame, and SOCKS5 behind them (wire section 6).
 *
 *     client                                   server
 *     GET / HTTP/1.1, Upgrade, Authorization ->
 *                                           <- 101                    a pooled stream waits here
 *     8a 00 (PONG), each 15 s               ->                        never answered
 *     82 7f 7f ff ff ff ff ff ff ff         ->
 *                                           <- the same ten bytes
 *     05 01 00                              ->
 *                                           <- 05 00
 *     05 01 00 ATYP ADDRESS PORT            ->
 *                                           <- 05 REP 00 01 00000000 PORT
 *     payload                              <->
 *
 * Combined (the default) the client sends ten bytes, methods and request in one piece; strict, each
 * waits for its answer. The server answers both. Neither compares the ten bytes: real vproxy peers
 * differ in them.
 *
 * Decides every byte of this, on both sides. Refuses to know what carries it (TCP, TLS, a stream of
 * a tunnel), timers, the dialling, and what else lives on the same port. Invariant: nothing behind
 * a step is consumed before the step is done, so bytes glued to the upgrade, the request or the
 * reply are never lost or misread, however they were cut.
 *
 * foggara to foggara. Our client adds "Sec-WebSocket-Extensions: foggara" as the last field of its
 * upgrade, which a vproxy server ignores; our server answers it with the same field. Then both
 * know: the reply tells the truth after a real connect, the server's side may speak first, and
 * payload may follow the request at once. Without it the rules of vproxy hold:
 *   - the server replies SOCKS_OK before it dials, because the agent hands over no byte before, and
 *     dials at once (not with the first byte, as vproxy does);
 *   - the server's owner holds back what the target says until the first byte of the client's
 *     payload has come: a vproxy agent that finds bytes behind the reply gives up;
 *   - the client's owner sends no payload before the reply (vproxy refuses glued payload).
 *
 * Both structs must not be moved after init. Order of calls: input and output as bytes come and go;
 * look at state after each input.
 */
#ifndef FOGI_WEBSOCKS_H
#define FOGI_WEBSOCKS_H

#include "proxy/auth.h"
#include "proxy/head.h"
#include "proxy/socks.h"

#define WEBSOCKS_FRAME_LEN 10
#define WEBSOCKS_PONG_US FOG_SEC(15) /* a pooled stream's keepalive, from the client */
#define WEBSOCKS_HOST_MAX 255
#define WEBSOCKS_SERVER_MAX 64 /* bytes of a Server field */
#define WEBSOCKS_UPGRADE_MAX (320 + WEBSOCKS_HOST_MAX + AUTH_VALUE_MAX)
#define WEBSOCKS_SWITCH_MAX (320 + WEBSOCKS_SERVER_MAX)

/* ------------------------------------------------------------------------------------ client */

enum ws_client_state {
    WS_C_UPGRADE, /* waiting for the 101; fogi_ws_client_connect() may be called already */
    WS_C_POOLED, /* upgraded and unused: PONG now and then, until fogi_ws_client_connect()        */
    WS_C_ASKED,  /* waiting for the SOCKS reply; with c->foggara payload may be sent (not strict) */
    WS_C_DONE,   /* it succeeded: what follows is payload, both ways                              */
    WS_C_FAILED  /* c->rep if it got that far, else the error that was returned; c->status        */
};

struct ws_client_options {
    const char *host;          /* value of Host: the server's name; "ip:port"; or NULL: the literal
                                  "null", which vproxy's pooled connections send to an IP           */
    const char *authorization; /* value of Authorization (fogi_auth_value()) */
    bool strict;
    bool plain_vproxy; /* do not say that we are foggara */
};

struct ws_client {
    enum ws_client_state state;
    bool foggara;    /* from WS_C_POOLED or WS_C_ASKED on: so is the peer                       */
    uint16_t status; /* of the answer to the upgrade; 0 before it                               */
    uint8_t rep;     /* of the SOCKS reply                                                      */
    struct outbox out;
    /* own business of websocks_client.c */
    bool strict, plain, wanted;
    int err;
    uint8_t frame_len;
    struct mem *mem;
    struct head *head;
    struct dest dest;
    struct socks_client socks;
    uint8_t said[WEBSOCKS_UPGRADE_MAX];
};

/**
 * Puts the upgrade into the outbox. Copies what o points to; lends itself m for its life.
 *
 * Returns    FOG_E_USAGE   host or authorization longer than 255 or AUTH_VALUE_MAX bytes, or with a
 *                          control character
 *            FOG_E_NOMEM   c holds nothing
 */
FOG_CHECKED int fogi_ws_client_init(struct ws_client *c, const struct ws_client_options *o,
                                    struct mem *m);

/** Frees; any state, and zeroed memory, are fine. */
void fogi_ws_client_free(struct ws_client *c);

/**
 * Reads on. Borrows buf; *used bytes are done with: all, but for WS_C_DONE, where they are payload.
 *
 * Returns    FOG_E_PROTOCOL   the answer is no 101 as RFC 6455 wants it, the server speaks on a
 *                             pooled stream, or it is no SOCKS5     [all: WS_C_FAILED, for good]
 *            FOG_E_FORMAT     the answer is no HTTP
 *            FOG_E_LIMIT      ... or a longer head than head.h allows
 *            FOG_E_NOMEM      call again with the bytes behind *used (no change of state)
 */
FOG_CHECKED int fogi_ws_client_input(struct ws_client *c, const void *buf, size_t len,
                                     size_t *used);

/** Lends what is to be sent until the next call on c; *len = 0: nothing now. */
const void *fogi_ws_client_output(const struct ws_client *c, size_t *len);
void fogi_ws_client_sent(struct ws_client *c, size_t len);

/** Asks for dest, as soon as the upgrade allows it. Once; FOG_E_USAGE in other states than
 *  WS_C_UPGRADE and WS_C_POOLED, or when asked before. Copies dest. */
FOG_CHECKED int fogi_ws_client_connect(struct ws_client *c, const struct dest *dest);

/** In WS_C_POOLED: puts a PONG into the outbox, unless one still waits there. Nothing elsewhere. */
void fogi_ws_client_pong(struct ws_client *c);

/** Whether a byte of an answer to fogi_ws_client_connect() has come. */
bool fogi_ws_client_heard(const struct ws_client *c);

/** Whether the owner may send payload now. */
bool fogi_ws_client_may_send(const struct ws_client *c);

/* ------------------------------------------------------------------------------------ server */

enum ws_server_state {
    WS_S_HEAD,  /* reading a request                                                        */
    WS_S_JUDGE, /* s->head is done: fogi_ws_judge(), then _accept() or answer as a web server */
    WS_S_FRAME, /* 101 was said: PONGs are skipped until the ten bytes                      */
    WS_S_SOCKS, /* reading methods and request                                              */
    WS_S_ASKED, /* s->socks.dest is known: fogi_ws_server_reply()                           */
    WS_S_DONE,  /* what follows is payload, both ways, by the rules above                   */
    WS_S_FAILED /* send what there is to say, then close; input is dropped                  */
};

enum ws_verdict {
    WS_YES,         /* a valid upgrade of a known user                       */
    WS_PLAIN,       /* no upgrade to websocket at all: a visitor             */
    WS_BAD_UPGRADE, /* an upgrade vproxy would answer with 400               */
    WS_BAD_USER /* a valid upgrade, but nobody we know: 401 with vproxy. For the failure delay */
};

struct ws_server {
    enum ws_server_state state;
    bool foggara;      /* after fogi_ws_server_accept(): so is the client                   */
    struct head *head; /* from WS_S_HEAD to accept or again; NULL otherwise. Lent            */
    struct outbox out;
    struct socks_server socks; /* .dest from WS_S_ASKED on                                    */
    uint64_t pongs;
    /* own business of websocks_server.c */
    int err;
    uint8_t frame_len, frame[WEBSOCKS_FRAME_LEN];
    struct mem *mem;
    uint8_t said[WEBSOCKS_SWITCH_MAX];
};

/** Waits for a request. Lends itself m for its life. FOG_E_NOMEM: s holds nothing. */
FOG_CHECKED int fogi_ws_server_init(struct ws_server *s, struct mem *m);

/** Frees; any state, and zeroed memory, are fine. */
void fogi_ws_server_free(struct ws_server *s);

/**
 * Reads on. Borrows buf; *used bytes are done with: all, but for WS_S_JUDGE, WS_S_ASKED and
 * WS_S_DONE, which use none.
 *
 * Returns    FOG_E_FORMAT     no request (head.h), or no SOCKS5            [WS_S_FAILED, for good]
 *            FOG_E_LIMIT      a head over the limits of head.h             [WS_S_FAILED, for good]
 *            FOG_E_NOMEM      call again with the bytes behind *used
 */
FOG_CHECKED int fogi_ws_server_input(struct ws_server *s, const void *buf, size_t len,
                                     size_t *used);

const void *fogi_ws_server_output(const struct ws_server *s, size_t *len);
void fogi_ws_server_sent(struct ws_server *s, size_t len);

/**
 * What a request is: upgrade as vproxy reads it (any path, GET, "Upgrade: websocket", "Connection:
 * Upgrade" also within a list, a Key of 16 bytes in base64, Version 13, a Protocol field that is
 * "socks5", no body), and whose. The user is looked for in every case, so that the verdict takes
 * the same time. who as in fogi_auth_check().
 */
enum ws_verdict fogi_ws_judge(const struct head *h, struct auth *a, uint64_t unix_ms,
                              const struct auth_user **who);

/**
 * In WS_S_JUDGE after WS_YES: puts the 101 into the outbox and frees the head.
 *
 * The fields stand in the order and with the names vproxy's server has (R10), without a name of
 * ours: "Server" carries what the caller's site says of itself (server; NULL: no such field, which
 * every client allows), "Date" is that of RFC 9110, as any web server sends it. vproxy's own Date
 * is a Java text that no plain server would send (threats S13), and no agent reads it.
 *
 * Takes      server   at most WEBSOCKS_SERVER_MAX bytes
 */
void fogi_ws_server_accept(struct ws_server *s, const char *server, uint64_t unix_ms);

/** In WS_S_JUDGE, after the caller has answered as a web server: reads the next request. */
void fogi_ws_server_again(struct ws_server *s);

/** In WS_S_ASKED: how it went (to a vproxy agent: SOCKS_OK before dialling). WS_S_DONE or
 *  WS_S_FAILED follows. */
void fogi_ws_server_reply(struct ws_server *s, enum socks_rep rep);

#endif
