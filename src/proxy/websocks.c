/* SPDX-License-Identifier: MIT */
#include "proxy/websocks_int.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" /* RFC 6455 section 1.3 */

const uint8_t fogi_ws_frame[WEBSOCKS_FRAME_LEN] = {0x82, 0x7f, 0x7f, 0xff, 0xff,
                                                   0xff, 0xff, 0xff, 0xff, 0xff};

void
fogi_ws_accept_value(struct head_text key, char out[WS_ACCEPT_LEN + 1])
{
    uint8_t text[WS_KEY_LEN + sizeof GUID - 1], digest[SHA_DIGEST_LENGTH];
    assert(key.len == WS_KEY_LEN && "16 bytes in base64");
    memcpy(text, key.at, WS_KEY_LEN);
    memcpy(text + WS_KEY_LEN, GUID, sizeof GUID - 1);
    SHA1(text, sizeof text, digest);
    EVP_EncodeBlock((unsigned char *)out, digest, sizeof digest);
}

bool
fogi_ws_is_foggara(const struct head *h)
{
    struct head_text v;
    for (size_t n = 0; fogi_head_find(h, "sec-websocket-extensions", n, &v); n++)
        if (fogi_text_is(v, WS_EXTENSION))
            return true;
    return false;
}
