/* SPDX-License-Identifier: MIT
 *
 * mux_int.h - the mux and its streams as their own files see them, and who does what:
 *
 *   mux.c       makes, frees, wakes and ends a tunnel; events and status
 *   mux_in.c    bytes from the peer: messages, the tunnel's part of them, back-pressure
 *   acts.c      what a message does to a stream, payload included
 *   mux_out.c   bytes for the peer: control messages, frames, turns
 *   verbs.c     what the layer above does with a stream
 *   streams.c   the table of streams, their end, their queues and timers
 *   recv.c      bytes waiting for readers, and their bounds
 *
 * Decisions are elsewhere: stream.h tunnel.h (what is legal), sched.h (who writes), finhold.h (when
 * a FIN leaves), life.h (timers), guard.h (rates), framing.h (bytes).
 */
#ifndef FOGI_MUX_INT_H
#define FOGI_MUX_INT_H

#include <foggara/mux.h>

#include "base/bytes.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "mux/finhold.h"
#include "mux/framing.h"
#include "mux/guard.h"
#include "mux/life.h"
#include "mux/sched.h"
#include "mux/stream.h"

#define PONGS_MAX 32    /* highest pings_pending                                                  */
#define REFUSALS_MAX 64 /* refused SYNs whose answers wait to leave; then input waits */
#define PATIENT_US FOG_MS(1) /* a SYN-ACK waits so long for company */
#define WORN_AT 1000 /* ids left when FOG_EV_WORN tells                                        */

/* Control messages of a stream, in the order in which they leave. */
enum { CTL_SYN = 1, CTL_SYN_ACK = 2, CTL_FIN = 4, CTL_RST = 8 };

/* Bits of pending events, in the order in which they are told. */
enum { EV_OPENED = 1, EV_ESTABLISHED = 2, EV_READABLE = 4, EV_WRITABLE = 8, EV_RESET = 16 };
enum { EV_READY = 1, EV_SUSPECT = 2, EV_WORN = 4, EV_CLOSED = 8 };

struct fog_stream {
    struct map_node node;   /* by id, while `mapped`                                              */
    struct heap_node timer; /* held FIN, half-closed                                              */
    struct list all;        /* every stream of the mux                                            */
    struct list ctl;        /* control messages wait; of the patient, in their own list           */
    struct list event;      /* events wait                                                        */
    struct list over;       /* over its receive bound, longest first                              */
    struct list unacked;    /* frames not acknowledged, by last_out                               */
    struct list held;       /* its FIN is held                                                    */
    struct turn turn;
    struct bytes in; /* waiting for the reader                                             */
    void *user;
    uint64_t bytes_in, bytes_out;
    uint64_t last_out;     /* position of the pipe behind its last frame; 0: none                */
    fog_time acked_at;     /* when that was acknowledged; FOG_TIME_NEVER: nothing was sent       */
    fog_time spell_at;     /* FIN held: see finhold.h                                            */
    uint64_t spell_from;   /* bytes_in then                                                     */
    uint32_t acked_lately; /* bytes, as of acked_at                                           */
    fog_time last_in;      /* last payload of the peer; FOG_TIME_NEVER: none                     */
    fog_time last_byte;    /* either way, or taken by the reader                                 */
    fog_time over_since;
    uint32_t id;
    int err;       /* why it is over; 0: not, or in order                                */
    uint8_t state; /* enum stream_state                                                  */
    uint8_t ctl_bits, event_bits;
    bool patient;     /* its SYN-ACK waits for company                                    */
    bool mapped;      /* messages of the peer may still reach it                            */
    bool released;    /* the layer above has forgotten it, or never knew                    */
    bool counted;     /* in n_streams                                                       */
    bool refusal;     /* in n_refusals: exists only to answer a SYN too many                */
    bool accepted;    /* client: SYN-ACK came                                               */
    bool connected;   /* its full receive bound applies                                     */
    bool eof;         /* the peer's FIN came, in order behind its bytes                     */
    bool fin_wanted;  /* finish was called, the FIN is not queued yet                       */
    bool fin_out;     /* the FIN is queued or has left                                      */
    bool fin_counted; /* in fins_held                                                       */
    bool discard;     /* what still comes is for nobody                                     */
    bool whole;       /* the tunnel is over, but this stream had ended: still readable      */
    bool reset_later; /* FOG_EV_RESET when the reader has taken all                         */
};

/* Why a decoded message waits instead of being applied. */
enum hold { HOLD_NONE, HOLD_FRAMES, HOLD_OPENS, HOLD_INFLATE, HOLD_REFUSALS, HOLD_MEMORY };

struct inbound {
    struct decoder decoder;
    struct msg msg;        /* the message being applied, or whose payload comes                 */
    struct fog_stream *st; /* whose payload comes; NULL: nobody's                               */
    uint8_t hold;          /* enum hold                                                         */
    bool odd;              /* msg means nothing                                                 */
    bool paid;             /* msg has its token of `frames`                                     */
    bool payload;          /* msg's payload is coming                                           */
    bool whole;            /* it is all here, what is left of msg's meaning is due              */
    bool take;             /* the payload is for st's reader                                    */
    bool blocked;          /* the last input was not taken whole                                */
    bool hit_tunnel;       /* this block is counted already                                     */
    bool hit_stream;
    fog_time memory_at; /* HOLD_MEMORY: when to try again                                    */
    uint8_t *zip;       /* compressed payload, zip_cap bytes                                 */
    uint32_t zip_len, zip_cap;
};

struct fog_mux {
    struct mem mem;
    struct fog_mux_options o;
    const struct framing *framing;
    fog_time now;  /* of the last call                                              */
    uint8_t state; /* enum fog_mux_state                                            */
    uint8_t event_bits;
    bool extended;
    bool hello_due;   /* our handshake waits to leave                                  */
    bool goodbye_due; /* our shutdown message does                                     */
    bool worn_told;
    bool any_id;     /* a stream was ever opened                                      */
    uint8_t n_pongs; /* answers to pings that wait                                    */
    struct inbound in;
    struct life life;
    struct guard guard;
    struct sched sched;
    struct map by_id;
    uint8_t key[16]; /* of the hash                                                   */
    struct heap timers;
    struct list all, ctl, events, over, unacked, held, patient;
    fog_time patient_by;       /* SYN-ACKs that wait for company leave then                     */
    uint32_t n_all, n_streams; /* objects; of these, known to either side                       */
    uint32_t n_live;           /* of these, mapped and not released                             */
    uint32_t n_refusals;
    uint32_t next_id, highest; /* client: to open next. Highest id seen or opened               */
    size_t recv_held;          /* payload bytes waiting for readers                             */
    fog_time full_since;       /* recv_held is over 3/4; FOG_TIME_NEVER: it is not              */
    fog_time taken_at;         /* when a reader last took bytes                                 */
    uint64_t out_pos;          /* bytes handed out so far                                       */
    uint64_t acked;            /* of these, acknowledged                                        */
    uint64_t lately;           /* ... and of these, lately: halved each half second             */
    fog_time lately_at;        /* when last halved                                              */
    uint64_t pongs[PONGS_MAX]; /* ids of answers that wait, oldest first                        */
    int close_err;
    uint16_t reason_len;
    char reason[FOG_REASON_MAX + 1];
    struct fog_mux_counters n;
};

/* mux.c */

/** Ends the tunnel with err. say: our shutdown message leaves. Does nothing when closed. */
void fogi_mux_close(struct fog_mux *m, int err, const char *reason, size_t len, bool say);
void fogi_mux_fail(struct fog_mux *m, int err, const char *reason);
/** An odd but harmless message; ends the tunnel when there were too many. */
void fogi_mux_glitch(struct fog_mux *m);

/* mux_in.c */

/** Applies the message that was held, as far as possible. False: it still waits. */
bool fogi_in_resume(struct fog_mux *m);
/** When input that was not taken, or a held message, should be tried again. */
fog_time fogi_in_deadline(const struct fog_mux *m);
/** Holds the message; counts the limit once, however often it is tried again. Always false. */
bool fogi_in_hold(struct fog_mux *m, enum hold why, uint64_t *counter);

/* acts.c; false: held */

/** Does what m->in.msg, a message of a stream, does. */
bool fogi_act_message(struct fog_mux *m);
/** Takes the next bytes of its payload. */
bool fogi_act_part(struct fog_mux *m, const struct part *part);
/** All of the payload is here. */
bool fogi_act_payload_end(struct fog_mux *m);
/** Forgets st as the receiver of the payload that is coming. */
void fogi_in_forget(struct fog_mux *m, const struct fog_stream *st);

/* recv.c */

/** How much of the coming payload may be taken now. */
size_t fogi_recv_room(const struct fog_mux *m, bool *tunnel);
/** Keeps payload for st's reader. False: st was reset for want of memory. */
bool fogi_recv_put(struct fog_mux *m, struct fog_stream *st, const uint8_t *buf, size_t len);
/** st's reader has taken len bytes, or they are dropped. */
void fogi_recv_take(struct fog_mux *m, struct fog_stream *st, size_t len);
/** Drops all that waits for st's reader. */
void fogi_recv_drop(struct fog_mux *m, struct fog_stream *st);
/** Places st on, or takes it off, the list of those over their bound. */
void fogi_recv_weigh(struct fog_mux *m, struct fog_stream *st);
/** Memory is short: resets the stream with most waiting bytes; false when none has any. */
bool fogi_recv_shed(struct fog_mux *m);
fog_time fogi_recv_deadline(const struct fog_mux *m);
void fogi_recv_tick(struct fog_mux *m);

/* streams.c */

/** The stream messages with this id are for; NULL when there is none. */
struct fog_stream *fogi_streams_find(const struct fog_mux *m, uint32_t id);
/** A stream in state none; NULL without memory. A refusal is not mapped and belongs to nobody. */
struct fog_stream *fogi_streams_new(struct fog_mux *m, uint32_t id, bool refusal);
/** Frees st if nobody needs it any more; true when it is gone. */
bool fogi_streams_settle(struct fog_mux *m, struct fog_stream *st);
/** The tunnel is over: what nobody above holds is freed, the rest is dead. */
void fogi_streams_close(struct fog_mux *m);
void fogi_streams_free(struct fog_mux *m);

/** A control message is to leave; bit 0: what waits for company does so no more. */
void fogi_stream_ctl(struct fog_mux *m, struct fog_stream *st, uint8_t bit);
/** SYN-ACK: at once to a vproxy peer; to one of our kind with the first thing that st has to say,
 * or alone a moment later. Nothing there waits for it but a client after a silence. */
void fogi_stream_accept(struct fog_mux *m, struct fog_stream *st);
/** The moment is over. */
void fogi_streams_hurry(struct fog_mux *m);
void fogi_stream_tell(struct fog_mux *m, struct fog_stream *st, uint8_t bit);
/** Over on the wire: dead, and no message reaches it. orderly: its open is given back. */
void fogi_stream_die(struct fog_mux *m, struct fog_stream *st, bool orderly);
/** Dead, unread bytes dropped, and the layer above is told err. */
void fogi_stream_fail(struct fog_mux *m, struct fog_stream *st, int err);
/** The same, and RST to the peer. */
void fogi_stream_abort(struct fog_mux *m, struct fog_stream *st, int err);
/** The peer takes nothing any more; bytes and EOF stay readable. cut: what we sent before is lost
 *  too, so it matters even after finish. */
void fogi_stream_mute(struct fog_mux *m, struct fog_stream *st, bool cut);
/** The FIN that was asked for leaves now, or is held until its moment. */
void fogi_stream_fin(struct fog_mux *m, struct fog_stream *st);
/** A spell begins in which what the peer sends is counted (finhold.h). */
void fogi_stream_spell(struct fog_mux *m, struct fog_stream *st);
/** Both sides have finished, and what we sent has arrived. */
bool fogi_stream_is_whole(const struct fog_mux *m, const struct fog_stream *st);
/** Sets st's timer from what it waits for. */
void fogi_stream_arm(struct fog_mux *m, struct fog_stream *st);
void fogi_streams_tick(struct fog_mux *m);

#endif
