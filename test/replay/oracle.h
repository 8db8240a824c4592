/* SPDX-License-Identifier: MIT
 *
 * oracle.h - a second opinion: reads KCP segments and tunnel frames without any of foggara's code,
 * so that the two can disagree. Knows the wire (doc/wire.md); keeps no state, bounds nothing.
 */
#ifndef FOG_TEST_ORACLE_H
#define FOG_TEST_ORACLE_H

#include "replay/recording.h"

enum segment_cmd { CMD_PUSH = 81, CMD_ACK, CMD_WASK, CMD_WINS };
enum frame_type { T_DATA = 0, T_HEADERS = 1, T_SETTINGS = 4, T_PING = 6, T_GOAWAY = 7 };
enum frame_flag { F_END = 1, F_GZIP = 4 };

struct segment {
    uint32_t conv, ts, sn, una, len;
    uint16_t wnd;
    uint8_t cmd, frg;
    const uint8_t *payload; /* in the datagram */
};

/** Splits a datagram; the number of segments, or -1 when it is not whole segments of known kinds
 *  with conv 0 in at most 1250 bytes. */
int oracle_segments(const uint8_t *buf, size_t len, struct segment *out, size_t cap);

/** The bytes of one direction of a recording in sn order, and where and when each came to be. */
struct oracle_stream {
    uint8_t bytes[131072];
    size_t len;
    struct {
        fog_time at;     /* when the datagram was captured */
        size_t datagram; /* its place in the recording     */
        size_t end;      /* bytes up to here               */
    } push[128];
    size_t n_push, repeats, datagrams;
};

void oracle_stream(struct oracle_stream *s, const struct recording *r, enum dir dir);

struct frame {
    uint8_t type, flags;
    uint32_t stream;
    size_t len;           /* of the payload on the wire */
    size_t end;           /* of the frame in the bytes read */
    const uint8_t *plain; /* inflated where flag 0x4 says so */
    size_t plain_len;
};

struct frames {
    struct frame frame[256];
    size_t n, partial; /* bytes left of an incomplete frame */
    uint8_t inflated[131072];
    size_t inflated_len;
};

/** Decodes all frames of buf, which must stay while they are used. */
void oracle_frames(struct frames *f, const uint8_t *buf, size_t len);

/** One gzip member; FOG_E_FORMAT when it is not one or does not fit. Fits struct fog_gzip. */
int oracle_inflate(void *ctx, const void *in, size_t len, void *out, size_t cap, size_t *out_len);

/** One gzip member out, the other half of it. */
int oracle_deflate(void *ctx, const void *in, size_t len, void *out, size_t cap, size_t *out_len);

/** Fails the test unless the frames are those of the digest. */
void oracle_check(const struct frames *f, const struct recording *r, enum dir dir);

#endif
