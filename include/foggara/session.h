/* SPDX-License-Identifier: MIT
 *
 * session.h - one tunnel, whole: a mux over an ARQ. This is what an embedder holds.
 *
 * A client makes one session per tunnel and moves its datagrams (or stream pieces) itself. A server
 * on a datagram socket makes one endpoint, which makes the sessions. Both have the five verbs.
 *
 * A turn of the caller's loop:   input()*  ->  event()* and stream verbs  ->  output()*  ->
 * sleep until deadline()  ->  tick(). Stream verbs may produce output and move the deadline.
 *
 * Threads    one at a time per session; sessions of one endpoint share their endpoint's thread.
 */
#ifndef FOGGARA_SESSION_H
#define FOGGARA_SESSION_H

#include <foggara/arq.h>
#include <foggara/mux.h>

#ifdef __cplusplus
extern "C" {
#endif

struct fog_session;
struct fog_endpoint;

enum fog_via { FOG_VIA_KCP, FOG_VIA_PIPE };

struct fog_session_options {
    enum fog_via via;
    struct fog_kcp_options kcp;     /* FOG_VIA_KCP                                                   */
    uint64_t down;                  /* FOG_VIA_KCP: bytes per second that the peer is asked to send
                                       at most, counted as kcp.rate; a foggara peer does. Default 0:
                                       nothing is asked                                              */
    size_t pipe_window;             /* FOG_VIA_PIPE; bytes. Default 256 KiB                          */
    struct fog_mux_options mux;     /* mux.role decides the role of the session                      */
};

/** Defaults of a role: those of fog_kcp_options_init() and fog_mux_options_init(). A server
 *  validates addresses; the hello says foggara. */
FOG_API void fog_session_options_init(struct fog_session_options *o, enum fog_role role);

/**
 * Takes      o, al: copied (o->mux.gzip is lent for the session's life).
 * Gives      *s, to be freed with fog_session_free().
 * Returns    FOG_E_USAGE, FOG_E_NOMEM as fog_kcp_new() and fog_mux_new()
 */
FOG_API FOG_CHECKED int fog_session_new(struct fog_session **s, const struct fog_session_options *o,
                                        const struct fog_alloc *al, fog_time now);

/** Frees the session, its streams and all it holds. A session of an endpoint belongs to that: free
 *  it with fog_endpoint_drop(). NULL is fine. */
FOG_API void fog_session_free(struct fog_session *s);

/* ----------------------------------------------------------------------------------- five verbs */

/** One datagram or stream piece from the peer; as fog_arq_input(), whose errors it returns. Bytes
 *  behind the handshake wait until the peer's address is validated. */
FOG_API FOG_CHECKED int fog_session_input(struct fog_session *s, const void *buf, size_t len,
                                          fog_time now);
/** As fog_arq_input_room(). */
FOG_API size_t fog_session_input_room(const struct fog_session *s);
/** One datagram or stream piece for the peer; as fog_arq_output(). */
FOG_API FOG_CHECKED int fog_session_output(struct fog_session *s, void *buf, size_t cap, size_t *len,
                                           fog_time now);
FOG_API fog_time fog_session_deadline(const struct fog_session *s, enum fog_why *why);
FOG_API void fog_session_tick(struct fog_session *s, fog_time now);
/** The next event (see mux.h); false when there is none. */
FOG_API bool fog_session_event(struct fog_session *s, struct fog_event *ev);

/* -------------------------------------------------------------------------------- stream verbs */

/** As fog_mux_open(). */
FOG_API FOG_CHECKED int fog_session_open(struct fog_session *s, struct fog_stream **st, fog_time now);
/** As fog_mux_connected() and fog_mux_refuse(). */
FOG_API void fog_session_connected(struct fog_session *s, struct fog_stream *st, fog_time now);
FOG_API void fog_session_refuse(struct fog_session *s, struct fog_stream *st, fog_time now);

/**
 * Lends memory of the send queue for the stream's next payload, so that a socket can be read
 * straight into it.
 *
 * Owns       *buf is lent until the next call on s that is not const.
 * Effect     *cap = 0: no room or not its turn; FOG_EV_WRITABLE follows.
 * Returns    FOG_E_RESET, FOG_E_FINISHED, FOG_E_CLOSED, FOG_E_NOMEM
 */
FOG_API FOG_CHECKED int fog_session_reserve(struct fog_session *s, struct fog_stream *st, void **buf,
                                            size_t *cap, fog_time now);

/** Sends the first len bytes (1..cap) of the memory just reserved as one frame of st. */
FOG_API FOG_CHECKED int fog_session_commit(struct fog_session *s, struct fog_stream *st, size_t len,
                                           fog_time now);

/** Copies up to len bytes into the tunnel; *taken < len: the rest after FOG_EV_WRITABLE. */
FOG_API FOG_CHECKED int fog_session_write(struct fog_session *s, struct fog_stream *st,
                                          const void *buf, size_t len, size_t *taken, fog_time now);

/** As fog_mux_peek(), fog_mux_consume(), fog_mux_finish(), fog_mux_reset(), fog_mux_release(). */
FOG_API FOG_CHECKED int fog_session_peek(const struct fog_session *s, const struct fog_stream *st,
                                         const void **buf, size_t *len, bool *eof);
/** As fog_mux_is_whole(). */
FOG_API bool fog_session_is_whole(const struct fog_session *s, const struct fog_stream *st);
FOG_API void fog_session_consume(struct fog_session *s, struct fog_stream *st, size_t len,
                                 fog_time now);
FOG_API FOG_CHECKED int fog_session_finish(struct fog_session *s, struct fog_stream *st, fog_time now);
FOG_API void fog_session_reset(struct fog_session *s, struct fog_stream *st, fog_time now);
FOG_API void fog_session_release(struct fog_session *s, struct fog_stream *st, fog_time now);

/** As fog_mux_shutdown(). The message still wants fog_session_output(); it is sent once, never
 *  again (wire-vproxy R9). */
FOG_API void fog_session_shutdown(struct fog_session *s, const char *reason, fog_time now);

/** As fog_mux_ping(). */
FOG_API void fog_session_ping(struct fog_session *s, fog_time now);

/**
 * Tells how fast to send from now on, in place of kcp.rate; 0: nobody knows. What the peer has asked
 * for still bounds it, and is the rate where this is 0. As fog_arq_set_rate().
 */
FOG_API void fog_session_set_rate(struct fog_session *s, uint64_t rate, fog_time now);

FOG_API void fog_session_set_user(struct fog_session *s, void *user);
FOG_API void *fog_session_user(const struct fog_session *s);

struct fog_session_status {
    struct fog_arq_status arq;
    struct fog_mux_status mux;
    uint64_t asked; /* bytes per second that the peer asked for; 0: it did not */
    size_t held; /* bytes of memory held, all in all */
};
FOG_API void fog_session_status(const struct fog_session *s, struct fog_session_status *st);

/* ------------------------------------------------------------------------------------- endpoint */

/** Bounds against strangers; each has a counter (threats T1, section 9, compat). */
struct fog_endpoint_limits {
    uint32_t sessions;          /* in total. Default 1,024                                           */
    uint32_t per_source;        /* of one address. Default 64 (doc/adr/0004)                         */
    fog_time stale_us;          /* over per_source, one silent so long makes room. Default 35 s      */
    uint32_t pending;           /* not validated. Default 256; over it a random one is dropped       */
    uint32_t pending_per_net;   /* of one /24 (IPv4) or /56 (IPv6). Default 8                        */
    struct fog_rate openings;   /* of one source address. Default 5 + 20/s                           */
    fog_time pending_us;        /* to be validated in. Default 5 s                                   */
    fog_time replace_us;        /* silence after which an opening replaces a session: longer than any
                                   keepalive, or a forged opening could (doc/adr/0004). Default 35 s */
};

struct fog_endpoint_options {
    struct fog_session_options session; /* of each session; role server, via kcp; kcp.ts_base and
                                           mux.seed are drawn anew for each                          */
    struct fog_endpoint_limits limits;
    uint8_t key[16];                    /* random: keys the tables and seeds the stamps              */
};

FOG_API void fog_endpoint_options_init(struct fog_endpoint_options *o);
FOG_API FOG_CHECKED int fog_endpoint_new(struct fog_endpoint **e, const struct fog_endpoint_options *o,
                                         const struct fog_alloc *al, fog_time now);
/** Frees the endpoint and all its sessions. NULL is fine. */
FOG_API void fog_endpoint_free(struct fog_endpoint *e);

/**
 * Hands over one datagram from `from`.
 *
 * Effect     goes to that address's session; or opens one, if it is an opening and the limits allow;
 *            or is answered with fog_kcp_unknown() at most; or is dropped and counted.
 * Returns    0, FOG_E_FORMAT, FOG_E_CONV, FOG_E_STRANGER, FOG_E_LIMIT, FOG_E_NOMEM   [this datagram]
 * Cost       O(1) besides the session's own.
 */
FOG_API FOG_CHECKED int fog_endpoint_input(struct fog_endpoint *e, const struct fog_addr *from,
                                           const void *buf, size_t len, fog_time now);

/** The next datagram of any session and where it goes; *len = 0 when there is none. Datagrams of one
 *  session come one after the other. */
FOG_API FOG_CHECKED int fog_endpoint_output(struct fog_endpoint *e, struct fog_addr *to, void *buf,
                                            size_t cap, size_t *len, fog_time now);

FOG_API fog_time fog_endpoint_deadline(const struct fog_endpoint *e, enum fog_why *why);
FOG_API void fog_endpoint_tick(struct fog_endpoint *e, fog_time now);

/** The next event of any session that is validated; *s tells whose. After FOG_EV_CLOSED release its
 *  streams, then fog_endpoint_drop() it. */
FOG_API bool fog_endpoint_event(struct fog_endpoint *e, struct fog_session **s, struct fog_event *ev);

/** Stream verbs were called on s: looks at its output, deadline and events again. */
FOG_API void fog_endpoint_touch(struct fog_endpoint *e, struct fog_session *s, fog_time now);

/** Sends what s still has to say at most once, then forgets and frees it. */
FOG_API void fog_endpoint_drop(struct fog_endpoint *e, struct fog_session *s, fog_time now);

/** While false, openings are dropped: a server that drains. Default true. */
FOG_API void fog_endpoint_accept(struct fog_endpoint *e, bool accept);

/**
 * fog_session_set_rate() for all sessions, and for those to come; `down`, as in their options, for
 * those to come only.
 *
 * Returns    FOG_E_USAGE   rate is neither 0 nor within FOG_RATE_MIN..FOG_RATE_MAX
 */
FOG_API FOG_CHECKED int fog_endpoint_set_rates(struct fog_endpoint *e, uint64_t rate, uint64_t down,
                                               fog_time now);

/** The peer's address. */
FOG_API void fog_endpoint_peer(const struct fog_endpoint *e, const struct fog_session *s,
                               struct fog_addr *addr);

/** Walks the validated sessions: NULL gives the first, NULL comes back after the last. */
FOG_API struct fog_session *fog_endpoint_next(const struct fog_endpoint *e, struct fog_session *s);

struct fog_endpoint_counters {
    uint64_t datagrams_in, bytes_in, datagrams_out, bytes_out;
    uint64_t opened, validated, replaced, dropped;  /* sessions                                      */
    uint64_t strangers;                             /* datagrams that belong to nobody               */
    uint64_t unknown_out;                           /* of these, answered                            */
    uint64_t bad;                                   /* datagrams a session refused                   */
    uint64_t limit_sessions_hit, limit_per_source_hit, limit_pending_hit, limit_pending_per_net_hit;
    uint64_t limit_openings_hit, limit_pending_time_hit, limit_memory_hit;
};

struct fog_endpoint_status {
    uint32_t sessions, pending;
    struct fog_endpoint_counters n;
};
FOG_API void fog_endpoint_status(const struct fog_endpoint *e, struct fog_endpoint_status *st);

#ifdef __cplusplus
}
#endif
#endif
