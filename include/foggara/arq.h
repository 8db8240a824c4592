/* SPDX-License-Identifier: MIT
 *
 * arq.h - the first seam: an ordered, reliable byte pipe with back-pressure.
 *
 * Decides how bytes cross a bad link. Refuses to know what they mean: no frames, no streams.
 * Two implementations stand behind the same verbs, and the layer above cannot tell them apart:
 *
 *   kcp    over datagrams; wire compatible with every KCP peer (wire-vproxy section 1, doc/wire.md)
 *   pipe   over something that is already reliable: a TCP or TLS connection
 *
 * Five verbs below, four above:
 *
 *        reserve/commit   peek/consume            the mux's bytes
 *   ------------------------------------
 *        input  output  deadline  tick  event     datagrams (kcp) or stream pieces (pipe)
 *
 * All calls: one thread at a time per engine; engines share nothing. No call blocks, reads a clock,
 * or calls out other than to the allocator.
 */
#ifndef FOGGARA_ARQ_H
#define FOGGARA_ARQ_H

#include <foggara/error.h>
#include <foggara/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FOG_KCP_HEADER 24          /* bytes of a segment header                                     */
#define FOG_SEGMENTS_MAX 64        /* segments accepted in one datagram               (threats K14) */
#define FOG_MTU_MIN 64             /* smallest datagram that may be asked for                       */
#define FOG_MTU_DEFAULT 1250       /* what vproxy sends at most            (wire-vproxy section 1.3) */
#define FOG_MTU_MAX 65000          /* largest that may be asked for: fits a loopback's IP packet    */
#define FOG_WND_MAX 65535          /* segments; the wire's wnd field has 16 bits                    */
#define FOG_HELLO_MAX 16           /* bytes of a hello                                              */
#define FOG_RATE_MIN 1000          /* bytes per second that may be told at least,                   */
#define FOG_RATE_MAX UINT32_MAX    /* and at most                                                   */

struct fog_arq; /* opaque */

/* --------------------------------------------------------------------------------------- create */

/** How much may be on its way, and how fast it leaves. */
enum fog_cc {
    FOG_CC_MODEL,   /* follows a model of the path: loss does not slow it, a growing queue does     */
    FOG_CC_CLASSIC, /* fixed windows and loss by order, as vproxy's fast1..fast4                    */
    FOG_CC_RATE     /* a rate that somebody who knows the path has told                             */
};

/** How a KCP engine behaves. Fill with fog_kcp_options_init(), then change what you need. */
struct fog_kcp_options {
    uint32_t conv;            /* conversation id; vproxy: 0. Default 0                              */
    uint32_t mtu;             /* bytes of a datagram we send, FOG_MTU_MIN..FOG_MTU_MAX. Default 1250 */
    uint32_t mtu_most;        /* ... toward a peer that says it takes so much (fog_arq_peer_takes()), once
                                 one of that size has arrived. Default 0: never more than mtu        */
    enum fog_cc cc;           /* Default FOG_CC_MODEL                                               */
    uint64_t rate;            /* FOG_CC_RATE: bytes per second, FOG_RATE_MIN..FOG_RATE_MAX; with
                                 each datagram its headers of UDP and IPv4 are counted              */
    uint32_t snd_wnd;         /* segments kept until acknowledged, 1..FOG_WND_MAX. Default 24576    */
    uint32_t rcv_wnd;         /* segments accepted ahead, 1..FOG_WND_MAX. Default 24576             */
    fog_time rto_min_us;      /* floor of the retransmission timeout, 1 ms..60 s. Default 30 ms     */
    fog_time rto_slack_us;    /* floor of its 4*rttvar term: KCP's "interval". Default 10 ms        */
    uint32_t reorder_segs;    /* classic: lost once a transmission so much later was acked, 1..64:
                                 KCP's "resend". Default 1                                          */
    fog_time dead_us;         /* silence after which the session fails, while it waits. Default 90 s */
    fog_time zero_wnd_us;     /* closed peer window without progress: fails. Default 60 s           */
    uint32_t rotate_after;    /* segments of one direction before FOG_ARQ_WORN. Default 2^31 (K15)   */
    uint32_t ts_base;         /* first transmission stamp; hand in 32 random bits                   */
    uint32_t snd_sn;          /* first sn sent; 0 on the wire. Tests start near the wrap            */
    uint32_t rcv_sn;          /* first sn expected; 0 on the wire                                   */
    bool validate;            /* server: send at most 3x the bytes received, three transmissions of
                                 what is queued, until the peer echoes a stamp (threats section 10) */
    uint8_t hello[FOG_HELLO_MAX]; /* told to the peer in the payload of a WINS segment, which every */
    uint8_t hello_len;        /*   KCP peer skips (wire-vproxy 2.5). Default 0: say nothing         */
};

/** Sets every default: the model, no validation, stamps from 0. */
FOG_API void fog_kcp_options_init(struct fog_kcp_options *o);

/**
 * Makes it behave as one of vproxy's parameter sets (wire-vproxy section 1.3): FOG_CC_CLASSIC with
 * rto_min_us, rto_slack_us and reorder_segs of fast1..fast4. Its windows, 1024, are yours to set.
 *
 * Takes      fast: 1..4
 * Returns    FOG_E_USAGE   fast is out of range; *o is unchanged
 */
FOG_API FOG_CHECKED int fog_kcp_options_fast(struct fog_kcp_options *o, int fast);

/**
 * Makes a KCP engine.
 *
 * Takes      o: copied. al: copied. now: the engine's first time.
 * Gives      *a, to be freed with fog_arq_free().
 * Returns    FOG_E_USAGE   an option is out of its range
 *            FOG_E_NOMEM
 * Cost       under 2 KiB of memory; rings grow with what is in flight and shrink to nothing idle.
 */
FOG_API FOG_CHECKED int fog_kcp_new(struct fog_arq **a, const struct fog_kcp_options *o,
                                    const struct fog_alloc *al, fog_time now);

/**
 * Makes a pipe engine: what is committed here comes out of the other side's peek, over a carrier
 * that neither loses nor reorders. The carrier's end is told with fog_arq_input(a, NULL, 0, now).
 *
 * Takes      window: bytes that may wait on each side before back-pressure, 4 KiB..16 MiB.
 * Gives, Returns  as fog_kcp_new().
 */
FOG_API FOG_CHECKED int fog_pipe_new(struct fog_arq **a, size_t window, const struct fog_alloc *al,
                                     fog_time now);

/** Frees an engine in any state and all it holds. NULL is fine. */
FOG_API void fog_arq_free(struct fog_arq *a);

/* ----------------------------------------------------------------------------------- five verbs */

/**
 * Hands over what arrived from below: one whole datagram (kcp) or a piece of the stream (pipe).
 *
 * Takes      buf, len: any content, peers are not trusted. kcp: len 0 is ignored.
 * Owns       borrows buf.
 * Effect     all segments of a datagram are applied, or none. Deliverable bytes show in
 *            fog_arq_peek(), free room in fog_arq_writable(); the deadline may move earlier.
 * Returns    0               applied, duplicates included
 *            FOG_E_FORMAT    a header, length, una or count is impossible           [this datagram]
 *            FOG_E_CONV      belongs to another conversation                        [this datagram]
 *            FOG_E_NOMEM     no room to keep it; nothing applied, a KCP peer sends it again
 *            FOG_E_LIMIT     pipe only: more than fog_arq_input_room(); nothing applied
 *            FOG_E_CLOSED    the engine has failed; only fog_arq_free() remains
 * Cost       O(segments in buf), whatever is in flight.
 */
FOG_API FOG_CHECKED int fog_arq_input(struct fog_arq *a, const void *buf, size_t len, fog_time now);

/**
 * As fog_arq_input(), but lends buf until fog_arq_keep(), before which none of the five verbs may be
 * called: what was consumed meanwhile was never copied, the rest is then.
 */
FOG_API FOG_CHECKED int fog_arq_lend(struct fog_arq *a, const void *buf, size_t len, fog_time now);
FOG_API void fog_arq_keep(struct fog_arq *a);

/** Bytes that fog_arq_input() takes now. kcp: always FOG_DATAGRAM_MAX. pipe: what its receive window
 *  has left; at 0, stop reading the carrier. */
FOG_API size_t fog_arq_input_room(const struct fog_arq *a);

/**
 * Writes what should go below now: one datagram (kcp) or the next bytes (pipe). Call until *len is 0.
 *
 * Takes      cap: kcp: at least mtu and mtu_most, else FOG_E_USAGE.
 * Effect     what is written counts as sent; a datagram the system refuses is simply lost.
 * Returns    FOG_E_USAGE, or 0 with *len = 0 when there is nothing to send at this time
 * Cost       O(segments written).
 */
FOG_API FOG_CHECKED int fog_arq_output(struct fog_arq *a, void *buf, size_t cap, size_t *len,
                                       fog_time now);

/**
 * When fog_arq_tick() must be called if nothing else happens; FOG_TIME_NEVER when asleep.
 *
 * Takes      why: the reason is stored there; may be NULL.
 * Cost       O(1).
 */
FOG_API fog_time fog_arq_deadline(const struct fog_arq *a, enum fog_why *why);

/** Time passed: declares losses, arms probes, fails a dead session. After it, call fog_arq_output().
 *  Calling it early does nothing; calling it late (a suspended host) never counts as loss of more
 *  than one timeout. */
FOG_API void fog_arq_tick(struct fog_arq *a, fog_time now);

enum fog_arq_event_type {
    FOG_ARQ_VALIDATED, /* with o.validate: the peer echoed a stamp, it is where it says it is        */
    FOG_ARQ_HELLO,     /* the peer's hello arrived: see fog_arq_status.hello                         */
    FOG_ARQ_WORN,      /* rotate_after segments went one way: open another session soon              */
    FOG_ARQ_ENDED,     /* pipe: the carrier ended; peek still delivers what had arrived              */
    FOG_ARQ_FAILED     /* over: err is DEAD, RESTARTED or CLOSED                                     */
};

struct fog_arq_event {
    enum fog_arq_event_type type;
    int err; /* FOG_ARQ_FAILED: the reason; else 0 */
};

/** Takes the next event; false when there is none. Each happens at most once per engine. */
FOG_API bool fog_arq_event(struct fog_arq *a, struct fog_arq_event *ev);

/* ------------------------------------------------------------------------------- the layer above */

/**
 * Bytes that may be committed now. 0 is back-pressure: it becomes positive after some later
 * input, output or tick.
 */
FOG_API size_t fog_arq_writable(const struct fog_arq *a);

/**
 * Lends contiguous memory at the end of the send queue, to be written in place.
 *
 * Takes      min: bytes needed at least, 1..FOG_RESERVE_MAX.
 * Owns       *buf is lent until the next call on a that is not const.
 * Effect     none until fog_arq_commit().
 * Returns    0             *buf, *cap >= min; or *cap = 0 when fog_arq_writable() < min
 *            FOG_E_USAGE   min is out of range
 *            FOG_E_NOMEM
 *            FOG_E_CLOSED  the engine has failed
 */
#define FOG_RESERVE_MAX 16384
FOG_API FOG_CHECKED int fog_arq_reserve(struct fog_arq *a, size_t min, void **buf, size_t *cap);

/** Appends the first len bytes of the memory last reserved; len <= its cap. */
FOG_API void fog_arq_commit(struct fog_arq *a, size_t len, fog_time now);

/** Lends the next bytes in order, until the next call that is not const. *len = 0: none now. */
FOG_API void fog_arq_peek(const struct fog_arq *a, const void **buf, size_t *len);

/** Drops len bytes, at most what peek showed. Reopens the receive window. */
FOG_API void fog_arq_consume(struct fog_arq *a, size_t len, fog_time now);

/**
 * Tells how fast to send from now on, as fog_kcp_options.rate; 0: find out (FOG_CC_MODEL).
 *
 * Takes      rate: what is out of range counts as the nearest that is not.
 * Effect     none on a classic engine, nor on a pipe.
 */
FOG_API void fog_arq_set_rate(struct fog_arq *a, uint64_t rate, fog_time now);

/**
 * Tells what the peer says of itself: that it takes datagrams of so many bytes. Larger ones than
 * mtu are then sent, up to mtu_most, as soon as a first one has arrived; most of that is padding. A
 * path that does not carry it is asked again a few times, then left alone.
 *
 * Effect     none on a pipe.
 */
FOG_API void fog_arq_peer_takes(struct fog_arq *a, uint32_t bytes);

/** Counters of an engine; each only grows. */
struct fog_arq_counters {
    uint64_t datagrams_in, datagrams_out; /* kcp; pipe counts calls                                  */
    uint64_t bytes_in, bytes_out;         /* of datagrams, headers included                          */
    uint64_t segments_in, segments_out;   /* PUSH only                                               */
    uint64_t resent;                      /* PUSH sent again                                         */
    uint64_t lost;                        /* transmissions declared lost                             */
    uint64_t late;                        /* of these, how many arrived after all                    */
    uint64_t redundant;                   /* PUSH sent again before it was known to be lost          */
    uint64_t timeouts;                    /* times the loss timer expired                            */
    uint64_t duplicates;                  /* PUSH that had arrived before                            */
    uint64_t ahead;                       /* PUSH that wait for one before them                      */
    uint64_t acks_in, acks_out;
    uint64_t bad_format, bad_conv, bad_una; /* datagrams dropped whole                               */
    uint64_t stale_acks;                  /* ACK outside the window or already known                 */
    uint64_t forged_acks;                 /* ACK whose stamp we never sent for that sn               */
    uint64_t limit_window_hit;            /* PUSH beyond our receive window, not acked               */
    uint64_t limit_segments_hit;          /* datagrams with more than FOG_SEGMENTS_MAX segments      */
    uint64_t limit_datagram_hit;          /* datagrams over FOG_DATAGRAM_MAX                         */
    uint64_t limit_acks_hit;              /* acks not kept: the list holds 2 x rcv_wnd               */
    uint64_t limit_empty_hit;             /* zero-length PUSH after 64 in a row                      */
    uint64_t limit_amplification_hit;     /* datagrams held back by the 3x rule                      */
    uint64_t limit_memory_hit;            /* segments dropped because the allocator said no          */
    uint64_t probes_out, windows_out;     /* WASK, WINS                                              */
    uint64_t zero_windows;                /* times the peer closed its window before something      */
    uint64_t blackouts;                   /* times nothing was heard for a second while waiting     */
};

/** A snapshot. */
struct fog_arq_status {
    bool validated;             /* the peer has proven its address (clients: always)                 */
    bool failed;
    const uint8_t *hello;       /* the peer's, lent until the engine is freed; NULL until it came    */
    uint8_t hello_len;
    uint64_t committed, acked;  /* bytes handed in, and of these known to have arrived; pipe: sent   */
    size_t queued;              /* bytes committed but never sent                                    */
    uint32_t flight_segs;       /* segments sent and not acknowledged                                */
    uint32_t peer_wnd;          /* segments, as last advertised                                      */
    uint32_t mtu;               /* bytes of a datagram we send now; pipe: 0                          */
    uint64_t rate;              /* bytes per second, as told; 0: none was told                       */
    fog_time srtt_us, rttvar_us, rto_us; /* 0 before the first sample (rto: 200 ms)                  */
    fog_time last_input;        /* when something valid last arrived; creation before that           */
    size_t held;                /* bytes of memory held                                              */
    struct fog_arq_counters n;
};

FOG_API void fog_arq_status(const struct fog_arq *a, struct fog_arq_status *st);

/** The `acked` of the status alone, for callers that follow it closely. O(1). */
FOG_API uint64_t fog_arq_acked(const struct fog_arq *a);

/* ------------------------------------------------------------------------------ before a session */

/**
 * Whether a datagram may open a conversation: well-formed, and its first PUSH has sn 0 and una 0.
 * Lets a server tell an opening from the leftovers of a session it does not know.
 */
FOG_API bool fog_kcp_is_opening(const void *buf, size_t len, uint32_t conv);

/**
 * Writes the answer to a datagram of a session we do not know: a WINS segment that says una 0 and
 * repeats sn and ts of the datagram's first PUSH or WASK. A foggara peer takes it as proof that its
 * session is lost, since only we could have seen that stamp; every other KCP peer ignores it.
 *
 * Returns    its length; 0 when the datagram is malformed or has neither, or cap < FOG_KCP_HEADER
 */
FOG_API FOG_CHECKED size_t fog_kcp_unknown(const void *buf, size_t len, uint32_t conv, void *out,
                                           size_t cap);

/**
 * Writes a datagram that ends a session of vproxy and no other: a header whose command does not
 * exist (wire-vproxy section 1.6). To be sent behind fog_kcp_unknown(): vproxy makes nothing of
 * that and would count twenty transmissions. No byte of it can reach an application, wherever in
 * its stream the peer stands.
 */
FOG_API void fog_kcp_end_vproxy(uint32_t conv, uint8_t out[FOG_KCP_HEADER]);

#ifdef __cplusplus
}
#endif
#endif
