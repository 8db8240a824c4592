/* SPDX-License-Identifier: MIT */
#include "proxy/pac.h"

#include <assert.h>
#include <string.h>

/** A script being written. */
struct script {
    char *buf;
    size_t len;
};

static void
put(struct script *s, const char *text)
{
    size_t len = strlen(text);
    assert(s->len + len < PAC_SCRIPT_MAX && "two names of 255 and some words fit");
    memcpy(s->buf + s->len, text, len + 1);
    s->len += len;
}

static void
put_place(struct script *s, const char *kind, const struct dest *host, uint16_t port)
{
    char text[DEST_TEXT_MAX];
    struct dest at = *host;
    at.port = port;
    fogi_dest_text(&at, text);
    put(s, kind);
    put(s, text);
}

static_assert(PAC_SCRIPT_MAX > 2 * DEST_TEXT_MAX + 128, "the longest script fits");

size_t
fogi_pac_script(char buf[PAC_SCRIPT_MAX], const struct dest *host, uint16_t socks5, uint16_t http)
{
    struct script s = {buf, 0};
    buf[0] = 0;
    if (socks5 == 0 && http == 0)
        return 0;
    put(&s, "function FindProxyForURL(url, host) { return \"");
    if (socks5 != 0)
        put_place(&s, "SOCKS5 ", host, socks5);
    if (socks5 != 0 && http != 0)
        put(&s, "; ");
    if (http != 0)
        put_place(&s, "PROXY ", host, http);
    put(&s, "\"; }\n");
    return s.len;
}
