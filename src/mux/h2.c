/* SPDX-License-Identifier: MIT
 *
 * h2.c - vproxy's frames: a header of nine bytes (length u24, type u8, flags u8, stream u32, all
 * big-endian, the stream's top bit 0), then `length` bytes. Decides what is a frame, which message
 * it is, and the text of the reason when it is none. Knows no stream and no time.
 */
#include "mux/framing.h"

#include "base/wire.h"

#include <assert.h>
#include <string.h>

#define HEAD_LEN 9
#define PING_LEN 8
#define GOAWAY_LEN 8 /* last stream and error code, both unused: all ones */

enum { DATA = 0, HEADERS = 1, SETTINGS = 4, PING = 6, GOAWAY = 7 };
enum { END = 0x1, ACK = 0x1, ZIP = 0x4 };
enum { PHASE_HEAD, PHASE_PAYLOAD, PHASE_PING, PHASE_GOAWAY, PHASE_BAD };

/* What we send. The stream is 0 where the message has none. */
/* clang-format off */
static const struct shape {
    uint8_t type, flags;
} shapes[MSG_N] = {
    /* message                type      flags       length                stream     */
    [MSG_HANDSHAKE]     = { SETTINGS,   0   },  /*  0                     0          */
    [MSG_KEEPALIVE]     = { PING,       0   },  /*  8: the id             0          */
    [MSG_KEEPALIVE_ACK] = { PING,       ACK },  /*  8: the same id        0          */
    [MSG_SYN]           = { HEADERS,    0   },  /*  0                     any >= 0   */
    [MSG_SYN_ACK]       = { HEADERS,    0   },  /*  0                     any >= 0   */
    [MSG_PSH]           = { DATA,       0   },  /*  payload; ZIP if gzip  any >= 0   */
    [MSG_FIN]           = { DATA,       END },  /*  0                     any >= 0   */
    [MSG_PSH_FIN]       = { DATA,       END },  /*  payload; ZIP if gzip  any >= 0   */
    [MSG_RST]           = { HEADERS,    END },  /*  0                     any >= 0   */
    [MSG_SHUTDOWN]      = { GOAWAY,     0   },  /*  8 + reason            0          */
};

/* What we take. A type without a row is fatal; SETTINGS is the handshake and nothing else. Flags
 * other than the one named are ignored (DATA: ZIP counts too). */
enum length { LENGTH_PAYLOAD, LENGTH_0, LENGTH_PING, LENGTH_TEXT };
static const struct row {
    uint8_t type, flag;
    enum length length;
    enum msg_type without, with;    /* the flag; a SYN is a SYN-ACK when a client gets it */
} rows[] = {
    /* type     flag  length           without the flag   with it            */
    { DATA,     END,  LENGTH_PAYLOAD,  MSG_PSH,           MSG_PSH_FIN        },
    { HEADERS,  END,  LENGTH_0,        MSG_SYN,           MSG_RST            },
    { PING,     ACK,  LENGTH_PING,     MSG_KEEPALIVE,     MSG_KEEPALIVE_ACK  },
    { GOAWAY,   0,    LENGTH_TEXT,     MSG_SHUTDOWN,      MSG_SHUTDOWN       },
};
/* clang-format on */

static const uint8_t handshake[HEAD_LEN] = {0, 0, 0, SETTINGS, 0, 0, 0, 0, 0};
static_assert(HEAD_LEN == FOG_HANDSHAKE_LEN, "the public number is that of this framing");

static size_t
h2_size(const struct msg *msg)
{
    switch (msg->type) {
    case MSG_KEEPALIVE:
    case MSG_KEEPALIVE_ACK:
        return HEAD_LEN + PING_LEN;
    case MSG_SHUTDOWN:
        return HEAD_LEN + GOAWAY_LEN + msg->text_len;
    case MSG_HANDSHAKE:
    case MSG_SYN:
    case MSG_SYN_ACK:
    case MSG_PSH:
    case MSG_FIN:
    case MSG_PSH_FIN:
    case MSG_RST:
    case MSG_N:
        break;
    }
    return HEAD_LEN;
}

static void
h2_encode(const struct msg *msg, uint8_t *out)
{
    const struct shape *s = &shapes[msg->type];
    bool payload = msg->type == MSG_PSH || msg->type == MSG_PSH_FIN;
    bool stream = msg->type >= MSG_SYN && msg->type <= MSG_RST;
    size_t len = payload ? msg->len : h2_size(msg) - HEAD_LEN;
    put_be24(out, (uint32_t)len);
    out[3] = s->type;
    out[4] = (uint8_t)(s->flags | (payload && msg->zip ? ZIP : 0));
    put_be32(out + 5, stream ? msg->stream : 0);
    out += HEAD_LEN;
    if (s->type == PING)
        put_be64(out, msg->ping);
    if (s->type == GOAWAY) {
        put_be64(out, UINT64_MAX);
        memcpy(out + GOAWAY_LEN, msg->text, msg->text_len);
    }
}

/* ------------------------------------------------------------------ the reason of a fatal frame */

static void
say(struct decoder *d, const char *text)
{
    size_t len = strlen(text);
    assert(d->text_len + len <= sizeof d->text && "our own texts are short");
    memcpy(d->text + d->text_len, text, len);
    d->text_len = (uint16_t)(d->text_len + len);
}

static void
say_int(struct decoder *d, int64_t v)
{
    char digits[24];
    size_t at = sizeof digits - 1;
    uint64_t left = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    digits[at] = '\0';
    do
        digits[--at] = (char)('0' + left % 10);
    while ((left /= 10) != 0);
    if (v < 0)
        digits[--at] = '-';
    say(d, digits + at);
}

static enum decoded
bad(struct decoder *d, const char *text)
{
    d->phase = PHASE_BAD;
    d->text_len = 0;
    say(d, text);
    return DECODED_BAD;
}

static enum decoded
bad_int(struct decoder *d, const char *text, int64_t v)
{
    bad(d, text);
    say_int(d, v);
    return DECODED_BAD;
}

/* ------------------------------------------------------------------------------------- decoding */

static enum decoded
end_frame(struct decoder *d, enum decoded result)
{
    d->phase = PHASE_HEAD;
    d->have = 0;
    d->busy = false;
    return result;
}

/* A whole header of a known type. */
static enum decoded
begin_frame(struct decoder *d, const struct row *row, uint8_t flags, uint32_t stream)
{
    struct msg *msg = &d->msg;
    uint32_t len = get_be24(d->head);
    *msg = (struct msg){.type = flags & row->flag ? row->with : row->without,
                        .stream = stream,
                        .len = len,
                        .zip = row->length == LENGTH_PAYLOAD && (flags & ZIP)};
    d->left = len;
    d->have = 0;
    switch (row->length) {
    case LENGTH_PAYLOAD:
        if (len == 0) {
            msg->type = msg->type == MSG_PSH_FIN ? MSG_FIN : MSG_PSH;
            return end_frame(d, DECODED_MSG);
        }
        d->phase = PHASE_PAYLOAD;
        return DECODED_MSG;
    case LENGTH_0:
        if (msg->type == MSG_SYN && d->role == FOG_CLIENT)
            msg->type = MSG_SYN_ACK;
        return end_frame(d, DECODED_MSG);
    case LENGTH_PING:
        if (len == 0)
            return end_frame(d, DECODED_ODD);
        d->phase = PHASE_PING;
        return DECODED_MORE;
    case LENGTH_TEXT:
        d->text_len = 0;
        msg->text = d->text;
        msg->cut = len > GOAWAY_LEN + FOG_REASON_MAX;
        if (len == 0)
            return end_frame(d, DECODED_MSG);
        d->phase = PHASE_GOAWAY;
        return DECODED_MORE;
    }
    return DECODED_MORE;
}

static enum decoded
first_frame(struct decoder *d)
{
    if (memcmp(d->head, handshake, HEAD_LEN) != 0)
        return bad(d, "handshake message is invalid");
    d->greeted = true;
    d->msg = (struct msg){.type = MSG_HANDSHAKE};
    return end_frame(d, DECODED_MSG);
}

/* The checks stand in vproxy's order, but do not wait for the body. */
static enum decoded
check_head(struct decoder *d)
{
    uint32_t len = get_be24(d->head), stream = get_be32(d->head + 5);
    uint8_t type = d->head[3];
    const struct row *row = NULL;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].type == type)
            row = &rows[i];
    }
    bool negative = stream > INT32_MAX;
    if (!d->greeted && (type != GOAWAY || negative))
        return first_frame(d);
    if (!row)
        return bad_int(d, "invalid frame type: ", type > INT8_MAX ? type - 256 : type);
    if (row->length == LENGTH_0 && len > 0) {
        bad_int(d, "invalid frame type with payload len: type=", type);
        say(d, ", len=");
        say_int(d, len);
        return DECODED_BAD;
    }
    if (negative)
        return bad_int(d, "invalid streamId: ", (int64_t)stream - ((int64_t)1 << 32));
    if (row->length != LENGTH_TEXT && len > d->payload_max) {
        d->too_long = true;
        return bad_int(d, "frame too long: ", len);
    }
    return begin_frame(d, row, d->head[4], stream);
}

static enum decoded
take_head(struct decoder *d, const uint8_t *buf, size_t len, size_t *used)
{
    size_t lacks = (size_t)HEAD_LEN - d->have, n = lacks < len ? lacks : len;
    memcpy(d->head + d->have, buf, n);
    d->have = (uint8_t)(d->have + n);
    *used = n;
    if (n > 0)
        d->busy = true;
    return d->have < HEAD_LEN ? DECODED_MORE : check_head(d);
}

static enum decoded
take_payload(struct decoder *d, const uint8_t *buf, size_t len, size_t *used, struct part *part)
{
    size_t n = d->left < len ? d->left : len;
    if (n == 0)
        return DECODED_MORE;
    *used = n;
    d->left -= (uint32_t)n;
    *part = (struct part){.at = buf, .len = n, .last = d->left == 0};
    return part->last ? end_frame(d, DECODED_PART) : DECODED_PART;
}

/* The first eight bytes are the id; what follows them is ignored, fewer mean nothing. */
static enum decoded
take_ping(struct decoder *d, const uint8_t *buf, size_t len, size_t *used)
{
    size_t n = d->left < len ? d->left : len;
    for (size_t i = 0; i < n && d->have < PING_LEN; i++)
        d->head[d->have++] = buf[i];
    d->left -= (uint32_t)n;
    *used = n;
    if (d->left > 0)
        return DECODED_MORE;
    if (d->msg.len < PING_LEN)
        return end_frame(d, DECODED_ODD);
    d->msg.ping = get_be64(d->head);
    return end_frame(d, DECODED_MSG);
}

/* Complete as soon as the text that is kept is there: what comes after a shutdown has no meaning.
 */
static enum decoded
take_goaway(struct decoder *d, const uint8_t *buf, size_t len, size_t *used)
{
    size_t n = 0;
    while (n < len && d->left > 0 && d->text_len < FOG_REASON_MAX) {
        if (d->have < GOAWAY_LEN)
            d->have++;
        else
            d->text[d->text_len++] = (char)buf[n];
        d->left--;
        n++;
    }
    *used = n;
    if (d->left > 0 && d->text_len < FOG_REASON_MAX)
        return DECODED_MORE;
    d->msg.text_len = d->text_len;
    return end_frame(d, DECODED_MSG);
}

static enum decoded
h2_decode(struct decoder *d, const uint8_t *buf, size_t len, size_t *used, struct part *part)
{
    *used = 0;
    switch (d->phase) {
    case PHASE_HEAD:
        return take_head(d, buf, len, used);
    case PHASE_PAYLOAD:
        return take_payload(d, buf, len, used, part);
    case PHASE_PING:
        return take_ping(d, buf, len, used);
    case PHASE_GOAWAY:
        return take_goaway(d, buf, len, used);
    default:
        return DECODED_BAD;
    }
}

const struct framing fogi_h2 = {
    .overhead = HEAD_LEN,
    .length_max = 0xffffff,
    .size = h2_size,
    .encode = h2_encode,
    .decode = h2_decode,
};
