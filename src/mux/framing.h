/* SPDX-License-Identifier: MIT
 *
 * framing.h - the second seam: the ten messages of the tunnel protocol to bytes and back.
 *
 * The mux speaks messages and states, never bytes; a framing speaks bytes, never states. A framing
 * decides what a message looks like, what it costs, and which bytes are no message at all. It
 * refuses to know streams, limits on rates, and time.
 *
 * Invariant: however the bytes are cut on their way in, the same messages come out.
 */
#ifndef FOGI_FRAMING_H
#define FOGI_FRAMING_H

#include <foggara/mux.h>

enum msg_type {
    MSG_HANDSHAKE,
    MSG_KEEPALIVE,
    MSG_KEEPALIVE_ACK,
    MSG_SYN, /* the messages of one stream stand together, SYN to RST */
    MSG_SYN_ACK,
    MSG_PSH,
    MSG_FIN,
    MSG_PSH_FIN,
    MSG_RST,
    MSG_SHUTDOWN,
    MSG_N
};

struct msg {
    enum msg_type type;
    uint32_t stream;  /* SYN to RST                                                            */
    uint32_t len;     /* PSH, PSH_FIN: bytes of payload. Decoded: of the frame, whatever it is */
    bool zip;         /* PSH, PSH_FIN: the payload is one gzip member                          */
    bool cut;         /* SHUTDOWN, decoded: the text was longer than what is kept              */
    uint64_t ping;    /* KEEPALIVE and its ACK                                                 */
    const char *text; /* SHUTDOWN: the reason, text_len bytes, any content                     */
    size_t text_len;
};

enum decoded {
    DECODED_MORE, /* nothing yet: more bytes are needed                                          */
    DECODED_MSG,  /* d->msg; when it is a PSH or PSH_FIN with len > 0 its payload follows        */
    DECODED_PART, /* the next bytes of that payload                                              */
    DECODED_ODD,  /* a frame that means nothing and is ignored                                   */
    DECODED_BAD   /* the peer broke the framing: d->text says how; nothing may be decoded again  */
};

/** Bytes of the payload, in the caller's buffer. */
struct part {
    const uint8_t *at;
    size_t len;
    bool last;
};

/** Where a framing stands in its input. */
struct decoder {
    enum fog_role role;   /* ours; set by the owner, like payload_max                            */
    uint32_t payload_max; /* longest payload to accept                                           */
    bool greeted;         /* the handshake came; until then nothing else but a shutdown is valid */
    bool busy;            /* within a frame: between its first byte and its last                 */
    bool too_long;        /* DECODED_BAD because of payload_max                                  */
    uint8_t phase;        /* the framing's own, 0 at first                                       */
    uint8_t have;         /* bytes in head                                                       */
    uint8_t head[24];
    uint32_t left; /* bytes of the body to come                                           */
    struct msg msg;
    uint16_t text_len;
    char text[FOG_REASON_MAX];
};

/** A framing. Const and without state of its own: what changes is in the decoder. */
struct framing {
    size_t overhead;     /* bytes in front of a payload                                          */
    uint32_t length_max; /* longest payload that can be expressed                                */

    /** Bytes that encode() will write: all of the message but a payload. */
    size_t (*size)(const struct msg *msg);

    /** Writes the message. A payload is not touched: it stands behind the header already. */
    void (*encode)(const struct msg *msg, uint8_t *out);

    /** Takes bytes until something is found, at least one if len > 0 (a found message without a
     *  body may need none). *used is what was taken. While a payload is due, len bounds what a
     *  part may hold. */
    enum decoded (*decode)(struct decoder *d, const uint8_t *buf, size_t len, size_t *used,
                           struct part *part);
};

/** The frames of vproxy, byte for byte (doc/wire.md). */
extern const struct framing fogi_h2;

#endif
