/* SPDX-License-Identifier: MIT
 *
 * websocks_int.h - what both halves of WebSocks share.
 */
#ifndef FOGI_WEBSOCKS_INT_H
#define FOGI_WEBSOCKS_INT_H

#include "proxy/websocks.h"

#define WS_KEY_LEN 24    /* base64 of 16 bytes */
#define WS_ACCEPT_LEN 28 /* base64 of SHA-1    */
#define WS_PROTOCOL "socks5"
#define WS_EXTENSION "foggara"
#define WS_PONG "\x8a\x00"
#define WS_PONG_LEN 2

/** What both sides send; nobody compares it. */
extern const uint8_t fogi_ws_frame[WEBSOCKS_FRAME_LEN];

/** Sec-WebSocket-Accept for a key of WS_KEY_LEN bytes. */
void fogi_ws_accept_value(struct head_text key, char out[WS_ACCEPT_LEN + 1]);

/** Whether the peer said that it is foggara. */
bool fogi_ws_is_foggara(const struct head *h);

static inline void
put_text(struct outbox *o, const char *text)
{
    outbox_put(o, text, strlen(text));
}

#endif
