/* SPDX-License-Identifier: MIT
 *
 * net.h - one endpoint and the clients round it, in virtual time. Moves datagrams between addresses
 * and keeps the server's part of the bargain: it connects what is opened, echoes what it reads, and
 * drops what has closed. Strangers' datagrams are put in by hand; what goes to an address without a
 * client is kept as stray.
 */
#ifndef FOG_TEST_NET_H
#define FOG_TEST_NET_H

#include <foggara/session.h>

#include "base/rng.h"
#include "emu/emu.h"
#include "unit/base/alloc.h"

#define CLIENTS_MAX 64
#define STREAMS_MAX 256
#define NET_LOG_MAX 512
#define STRAYS_MAX 64

struct client {
    struct fog_session *s;
    struct fog_addr addr;
    struct counting mem;
    bool dark; /* nothing from it or to it passes */
    bool ready, suspect;
    int closed; /* the error, 0 as long as it is open */
    fog_time closed_at;
    uint64_t sent, got;
};

struct served {
    struct fog_session *s;
    struct fog_stream *st; /* NULL: this place is free */
};

struct net {
    fog_time now;
    struct fog_endpoint_options options;
    struct fog_endpoint *e;
    struct counting mem;
    struct emu *up, *down;
    struct client clients[CLIENTS_MAX];
    size_t n_clients;
    struct served served[STREAMS_MAX];
    struct {
        struct fog_session *s;
        struct fog_event ev;
    } log[NET_LOG_MAX];
    size_t n_log;
    struct {
        struct fog_addr to;
        size_t len;
        uint8_t bytes[FOG_DATAGRAM_MAX];
    } strays[STRAYS_MAX]; /* the last of them, in a ring */
    uint64_t n_strays, stray_bytes;
    bool keep_closed; /* do not drop what has closed */
};

/** Default options, a link of 5 ms. Change options, then net_start(). */
void net_init(struct net *n);
void net_start(struct net *n);
void net_end(struct net *n);

/** 192.0.<net>.<host>:<port> */
struct fog_addr net_addr(uint8_t net, uint8_t host, uint16_t port);

/** A client at this address; an earlier one there gets no datagrams any more. */
struct client *net_client(struct net *n, struct fog_addr addr);

/** Moves what can be moved now. */
void net_flush(struct net *n);
void net_run(struct net *n, fog_time us);

/** A datagram from anywhere straight into the endpoint; its answer. */
int net_inject(struct net *n, struct fog_addr from, const void *buf, size_t len);

/** A PUSH segment with this payload; returns its length. */
size_t net_push(uint8_t out[FOG_DATAGRAM_MAX], uint32_t ts, uint32_t sn, uint32_t una,
                const void *payload, size_t len);
/** What vproxy sends first: the handshake in a PUSH with sn 0. */
size_t net_opening(uint8_t out[FOG_DATAGRAM_MAX], uint32_t ts);

/** How many events of this kind the endpoint told. */
size_t net_told(const struct net *n, enum fog_event_type type);
/** The same, with this error. */
size_t net_told_err(const struct net *n, enum fog_event_type type, int err);

struct fog_endpoint_status net_status(const struct net *n);

/** Opens a stream of c, sends a text and waits for its echo; false when it does not come in 1 s. */
bool net_echo(struct net *n, struct client *c, const char *text);

#endif
