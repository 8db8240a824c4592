/* SPDX-License-Identifier: MIT
 *
 * mux.h - the tunnel protocol: many streams over one ordered byte pipe.
 *
 * Decides which message is legal in which state, who writes next, and what a peer may cost us.
 * Refuses to know the pipe (any ordered reliable bytes will do) and the bytes of a frame (those
 * belong to the framing, the second seam: src/mux/framing.h).
 *
 * Messages: handshake, keepalive, keepalive ack, SYN, SYN-ACK, PSH, FIN, PSH-FIN, RST, shutdown.
 * Tunnel states: init, handshake_sent, ready, closed. Stream states: none, syn_sent, established,
 * fin_sent, fin_recv, dead, real_closed (wire-vproxy section 3, doc/wire.md).
 *
 * Most users want session.h, which joins a mux with an ARQ. Use this header alone to carry the
 * tunnel over a pipe of your own.
 *
 * Payload is never copied on its way out: the caller puts it into the pipe's memory behind
 * fog_mux_overhead() free bytes, and fog_mux_frame() writes the header in front of it.
 */
#ifndef FOGGARA_MUX_H
#define FOGGARA_MUX_H

#include <foggara/error.h>
#include <foggara/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct fog_mux;
struct fog_stream; /* owned by its mux; valid from open or FOG_EV_OPENED to fog_mux_release() */

#define FOG_REASON_MAX 256     /* bytes kept of the peer's shutdown reason (threats M16) */
#define FOG_MUX_OUTPUT_MAX 512 /* bytes that are enough for any control message          */

/** Compression for DATA frames, from outside: src/gzip offers one on libdeflate. */
struct fog_gzip {
    /** One whole gzip member in, at most cap bytes out. FOG_E_FORMAT: corrupt, truncated, trailing
     *  bytes or a second member. FOG_E_LIMIT: it does not fit (a bomb). */
    int (*inflate)(void *ctx, const void *in, size_t len, void *out, size_t cap, size_t *out_len);
    /** One member out. FOG_E_LIMIT: does not fit cap. */
    int (*deflate)(void *ctx, const void *in, size_t len, void *out, size_t cap, size_t *out_len);
    void *ctx;
};

/** A rate limit: burst at once, then per_s in a second. */
struct fog_rate {
    uint32_t burst, per_s;
};

/** Every bound of a tunnel; each has a counter limit_<name>_hit (threats section 9, compat). */
struct fog_mux_limits {
    uint32_t streams;               /* open at once. Default 1,024; up to 16,384                     */
    size_t stream_recv;             /* soft: bytes waiting for a reader. Default 1 MiB. A stream alone
                                       stops the pipe at 3/4 of tunnel_recv, if that is more         */
    size_t stream_recv_dialling;    /* the same before fog_mux_connected(). Default 64 KiB           */
    size_t tunnel_recv;             /* bytes waiting in all streams. Default 16 MiB                  */
    uint32_t frame_in, frame_out;   /* payload of one frame. Default 65,536 and 16,384               */
    uint32_t inflate_frame;         /* output of one compressed frame. Default 64 KiB                */
    uint32_t inflate_turn;          /* output of them in one second. Default 4 MiB                   */
    struct fog_rate opens;          /* streams opened; an orderly end gives back. 2,000 + 500/s      */
    struct fog_rate resets;         /* RST before data, or sent for the peer's errors. 1,000 + 33/s  */
    struct fog_rate glitches;       /* odd but harmless messages; shutdown at 75 %. 10,000 + 330/s   */
    struct fog_rate frames;         /* frames under 512 bytes of payload: then slower. 50,000+20,000 */
    struct fog_rate pings;          /* keepalives answered. 50 + 10/s                                */
    uint32_t pings_pending;         /* answers waiting to leave. Default 8                           */
    struct fog_rate empties;        /* DATA without bytes or FIN; then a glitch. 100 + 10/s          */
    uint32_t last_id;               /* highest stream id we open. Default 2^30 - 2^16                */
    fog_time frame_us;              /* from a frame's header to its end, silence apart. Default 30 s */
    fog_time handshake_us;          /* Default 5 s                                                   */
    fog_time half_closed_us;        /* half-closed without a byte: RST. Default 5 min                */
    fog_time idle_us;               /* nothing from the peer at all: closed. Default 90 s            */
    fog_time slow_us;               /* over stream_recv while the tunnel is 75 % full, or full and
                                       nobody reads: RST. Default 1 s                                */
};

struct fog_mux_options {
    enum fog_role role;
    struct fog_mux_limits limits;
    const struct fog_gzip *gzip;    /* lent for the mux's life; NULL: compressed frames are RST      */
    bool compress;                  /* send DATA over 1024 bytes compressed if smaller. Default no   */
    bool extended;                  /* the peer is known to be foggara, not vproxy. Default no       */
    fog_time ping_us;               /* keepalive tick. Default 10 s (client), 30 s (server)          */
    fog_time ping_answer_us;        /* unanswered so long: FOG_EV_SUSPECT. Default 5 s               */
    uint64_t seed;                  /* random bits: keys the stream table                            */
};

FOG_API void fog_mux_options_init(struct fog_mux_options *o, enum fog_role role);

/**
 * Makes a mux in state init. A client has its handshake to send at once.
 *
 * Takes      o, al: copied.
 * Gives      *m, to be freed with fog_mux_free(); that frees its streams too.
 * Returns    FOG_E_USAGE   a limit is 0 or a size does not fit its frame
 *            FOG_E_NOMEM
 * Cost       under 2 KiB; a stream costs under 512 bytes and holds no buffer while idle.
 */
FOG_API FOG_CHECKED int fog_mux_new(struct fog_mux **m, const struct fog_mux_options *o,
                                    const struct fog_alloc *al, fog_time now);
FOG_API void fog_mux_free(struct fog_mux *m);

/* ----------------------------------------------------------------------------------- five verbs */

/**
 * Takes the next bytes from the peer.
 *
 * Owns       borrows buf. What it needs later it copies.
 * Effect     *used bytes were taken; fewer than len is back-pressure (tunnel_recv, frames, opens):
 *            offer the rest again after a consume or at the deadline. Events follow.
 * Returns    0              also when the peer broke the protocol: the mux then sends its shutdown
 *                           message and FOG_EV_CLOSED tells why
 *            FOG_E_CLOSED   closed before
 *            FOG_E_NOMEM    *used bytes were taken; no memory for more
 * Cost       O(len).
 */
FOG_API FOG_CHECKED int fog_mux_input(struct fog_mux *m, const void *buf, size_t len, size_t *used,
                                      fog_time now);

/**
 * Writes control messages that wait to leave, whole ones only. Call until *len is 0 and before any
 * fog_mux_frame(), so that a SYN leads its data.
 *
 * Takes      cap: FOG_MUX_OUTPUT_MAX is always enough for one.
 * Returns    0.
 */
FOG_API FOG_CHECKED int fog_mux_output(struct fog_mux *m, void *buf, size_t cap, size_t *len,
                                       fog_time now);

/** Bytes of the control message that fog_mux_output() would write first; 0 when none waits. */
FOG_API size_t fog_mux_output_next(const struct fog_mux *m);

FOG_API fog_time fog_mux_deadline(const struct fog_mux *m, enum fog_why *why);
FOG_API void fog_mux_tick(struct fog_mux *m, fog_time now);

/** Events of a mux, and of a session, which adds none of its own. */
enum fog_event_type {
    FOG_EV_READY,       /* the handshake is done: streams may be opened                              */
    FOG_EV_OPENED,      /* server: the peer opened `stream`; connect it, then fog_mux_connected()    */
    FOG_EV_ESTABLISHED, /* client: the peer accepted `stream`                                        */
    FOG_EV_READABLE,    /* `stream` has bytes, or its end, after peek had shown neither              */
    FOG_EV_WRITABLE,    /* `stream` was refused room and may try again                               */
    FOG_EV_RESET,       /* `stream` is over; err: RESET by the peer, LIMIT by ours. Where the peer
                           had finished before, it comes when all its bytes are consumed         */
    FOG_EV_SUSPECT,     /* a keepalive was not answered in time; the tunnel still stands             */
    FOG_EV_WORN,        /* ids or sequence numbers run low: open another tunnel for new streams      */
    FOG_EV_CLOSED       /* the tunnel is over; err and reason tell why; all streams are reset, but
                           see fog_mux_is_whole()                                                */
};

struct fog_event {
    enum fog_event_type type;
    int err;
    struct fog_stream *stream;  /* NULL for events of the tunnel                                     */
    const char *reason;         /* FOG_EV_CLOSED: printable, lent until the mux is freed; else NULL  */
};

/** Takes the next event; false when there is none. After FOG_EV_CLOSED no other comes. */
FOG_API bool fog_mux_event(struct fog_mux *m, struct fog_event *ev);

/* --------------------------------------------------------------------------- told by the session */

/** How many of the bytes handed out so far (outputs and frames together) the peer's ARQ has. */
FOG_API void fog_mux_acked(struct fog_mux *m, uint64_t acked, fog_time now);

/** The peer is foggara: refusals are sent as RST, and no FIN is held back (wire-vproxy R6 to R8). */
FOG_API void fog_mux_set_extended(struct fog_mux *m);

/** room bytes are free in the pipe: wakes waiting writers in their order with FOG_EV_WRITABLE. */
FOG_API void fog_mux_room(struct fog_mux *m, size_t room, fog_time now);

/* -------------------------------------------------------------------------------------- streams */

/**
 * Opens a stream. It may be written at once once the tunnel is ready.
 *
 * Returns    FOG_E_USAGE    on a server
 *            FOG_E_BUSY     the tunnel is not ready
 *            FOG_E_LIMIT    `streams` are open, or the ids are used up
 *            FOG_E_NOMEM, FOG_E_CLOSED
 */
FOG_API FOG_CHECKED int fog_mux_open(struct fog_mux *m, struct fog_stream **st, fog_time now);

/** Server: the connection behind the stream stands; its full receive bound applies. */
FOG_API void fog_mux_connected(struct fog_mux *m, struct fog_stream *st);

/** Server: the connection behind the stream could not be made. foggara peers get RST, vproxy peers
 *  FIN, which is all they understand (R8). Only fog_mux_release() remains. */
FOG_API void fog_mux_refuse(struct fog_mux *m, struct fog_stream *st, fog_time now);

/** Bytes that must be free in front of a frame's payload. */
FOG_API size_t fog_mux_overhead(const struct fog_mux *m);

/**
 * How much payload the stream may frame next.
 *
 * Takes      room: bytes free in the pipe, overhead included.
 * Effect     *cap = 0: no room, or others are due; FOG_EV_WRITABLE comes when it is this one's turn.
 * Returns    FOG_E_RESET, FOG_E_FINISHED, FOG_E_CLOSED
 */
FOG_API FOG_CHECKED int fog_mux_turn(struct fog_mux *m, struct fog_stream *st, size_t room,
                                     size_t *cap, fog_time now);

/**
 * Makes a frame of the len bytes at frame + fog_mux_overhead(), in place; compresses them if asked.
 *
 * Takes      len: 1..the cap of fog_mux_turn().
 * Effect     *total: bytes of the whole frame from `frame` on.
 * Returns    as fog_mux_turn()
 */
FOG_API FOG_CHECKED int fog_mux_frame(struct fog_mux *m, struct fog_stream *st, void *frame,
                                      size_t len, size_t *total, fog_time now);

/**
 * Lends the next bytes of a stream until the next call on m that is not const.
 *
 * Effect     *len = 0 and *eof = false: nothing now. *eof (only with *len = 0): nothing more will
 *            ever come.
 * Returns    FOG_E_RESET when the stream ended any other way than by the peer's FIN
 */
FOG_API FOG_CHECKED int fog_mux_peek(const struct fog_mux *m, const struct fog_stream *st,
                                     const void **buf, size_t *len, bool *eof);

/** Whether both sides have finished st and nothing of it is missing anywhere: such a stream can be
 *  read to its end even after FOG_EV_CLOSED. */
FOG_API bool fog_mux_is_whole(const struct fog_mux *m, const struct fog_stream *st);

/** Drops len bytes, at most what peek showed. */
FOG_API void fog_mux_consume(struct fog_mux *m, struct fog_stream *st, size_t len, fog_time now);

/** Half-close: nothing more will be written. Idempotent. The FIN may wait for its moment (R6, R7). */
FOG_API FOG_CHECKED int fog_mux_finish(struct fog_mux *m, struct fog_stream *st, fog_time now);

/** Abort: RST to the peer, unread bytes are dropped. Only fog_mux_release() remains. */
FOG_API void fog_mux_reset(struct fog_mux *m, struct fog_stream *st, fog_time now);

/** The caller is done with st and forgets it. A stream not ended both ways is reset first. */
FOG_API void fog_mux_release(struct fog_mux *m, struct fog_stream *st, fog_time now);

/** Asks for a sign of life before the keepalive does, unless it is asked for already. */
FOG_API void fog_mux_ping(struct fog_mux *m, fog_time now);

/** Ends the tunnel: all streams are reset, one shutdown message with the reason leaves. */
FOG_API void fog_mux_shutdown(struct fog_mux *m, const char *reason, fog_time now);

FOG_API void fog_stream_set_user(struct fog_stream *st, void *user);
FOG_API void *fog_stream_user(const struct fog_stream *st);
FOG_API uint32_t fog_stream_id(const struct fog_stream *st);
/** The protocol's name of the state: "established", "fin_sent" ... Never NULL. */
FOG_API const char *fog_stream_state_name(const struct fog_stream *st);
/** Payload bytes so far: in from the peer, out to it. */
FOG_API void fog_stream_bytes(const struct fog_stream *st, uint64_t *in, uint64_t *out);

/* --------------------------------------------------------------------------------------- status */

struct fog_mux_counters {
    uint64_t frames_in, frames_out;
    uint64_t opened, closed;            /* streams                                                   */
    uint64_t resets_in, resets_out;
    uint64_t late;                      /* frames for streams already gone: dropped                  */
    uint64_t glitches;                  /* odd but harmless messages: ignored                        */
    uint64_t pings_out, pings_answered, pings_missed;
    uint64_t inflated, deflated;        /* frames                                                    */
    uint64_t fins_held;                 /* FINs that waited for a vproxy peer (R6, R7)               */
    uint64_t limit_streams_hit, limit_stream_recv_hit, limit_tunnel_recv_hit, limit_frame_in_hit;
    uint64_t limit_inflate_hit, limit_inflate_turn_hit, limit_opens_hit, limit_resets_hit;
    uint64_t limit_glitches_hit, limit_frames_hit, limit_pings_hit, limit_empties_hit;
    uint64_t limit_frame_time_hit, limit_handshake_hit, limit_half_closed_hit, limit_idle_hit;
    uint64_t limit_slow_hit, limit_ids_hit, limit_reason_hit, limit_memory_hit;
};

enum fog_mux_state {
    FOG_MUX_INIT,
    FOG_MUX_HANDSHAKE_SENT,
    FOG_MUX_READY,
    FOG_MUX_CLOSED,
    FOG_MUX_STATE_N
};

struct fog_mux_status {
    enum fog_mux_state state;
    bool extended;
    uint32_t streams;       /* open                                                                  */
    uint32_t waiting;       /* of these, refused room and not yet woken                              */
    size_t recv_held;       /* bytes waiting for readers                                             */
    fog_time last_input;
    size_t held;            /* bytes of memory held                                                  */
    struct fog_mux_counters n;
};

FOG_API void fog_mux_status(const struct fog_mux *m, struct fog_mux_status *st);

/** Whether its state is FOG_MUX_CLOSED. O(1). */
FOG_API bool fog_mux_is_closed(const struct fog_mux *m);

/** Bytes of the tunnel's first message, so that a server can hold back all that follows it until
 *  the peer's address is proven. */
#define FOG_HANDSHAKE_LEN 9

#ifdef __cplusplus
}
#endif
#endif
