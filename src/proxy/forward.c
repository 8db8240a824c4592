/* SPDX-License-Identifier: MIT */
#include "proxy/forward.h"

#include <assert.h>
#include <string.h>

#define SCHEME "http://"
#define CHUNK_DIGITS 16

/** Fields that belong to one connection, or to nobody behind us. Host is written from the target.
 */
static const char *const dropped[] = {"connection", "keep-alive",    "te", "upgrade", "host",
                                      "trailer",    "http2-settings"};

/** What Connection must not take away: who is asked, and where the body ends. */
static const char *const vital[] = {"host", "content-length", "transfer-encoding"};

/* --------------------------------------------------------------------------------------- reading
 */

static int
read_connect(const struct head *h, struct forward *f)
{
    struct head_text t = fogi_head_target(h);
    if (h->body != HEAD_BODY_NONE)
        return FOG_E_FORMAT;
    f->kind = FORWARD_CONNECT;
    return fogi_dest_authority(&f->dest, t.at, t.len, 0);
}

static bool
is_scheme(struct head_text t)
{
    return t.len > strlen(SCHEME) &&
           fogi_text_is_word((struct head_text){t.at, strlen(SCHEME)}, SCHEME);
}

static int
read_request(const struct head *h, struct forward *f)
{
    struct head_text t = fogi_head_target(h);
    if (!is_scheme(t) || memchr(t.at, '#', t.len))
        return FOG_E_FORMAT;
    const char *host = t.at + strlen(SCHEME), *end = t.at + t.len, *path = host;
    while (path < end && *path != '/' && *path != '?')
        path++;
    f->kind = FORWARD_REQUEST;
    f->path = (struct head_text){path, (size_t)(end - path)};
    f->body = (struct body){.framing = h->body, .left = h->length};
    f->body.done = h->body == HEAD_BODY_NONE || (h->body == HEAD_BODY_LENGTH && h->length == 0);
    return fogi_dest_authority(&f->dest, host, (size_t)(path - host), 80);
}

int
fogi_forward_read(const struct head *h, struct forward *f)
{
    struct forward out;
    memset(&out, 0, sizeof out);
    out.path.at = "";
    for (size_t i = 0; i < sizeof vital / sizeof *vital; i++)
        if (fogi_head_lists(h, "connection", vital[i]))
            return FOG_E_FORMAT;
    int rc = fogi_text_is(fogi_head_method(h), "CONNECT") ? read_connect(h, &out)
                                                          : read_request(h, &out);
    if (rc == 0)
        *f = out;
    return rc;
}

/* --------------------------------------------------------------------------------------- writing
 */

struct writer {
    char *out;
    size_t len;
};

static void
put(struct writer *w, const char *bytes, size_t len)
{
    assert(w->len + len <= FORWARD_MAX && "a head of HEAD_MAX grows by Host and Connection only");
    memcpy(w->out + w->len, bytes, len);
    w->len += len;
}

static void
put_text(struct writer *w, const char *text)
{
    put(w, text, strlen(text));
}

/** Whether field i stays on this connection. */
static bool
is_dropped(const struct head *h, size_t i)
{
    struct head_text name = fogi_head_name(h, i), v;
    if (name.len >= 6 && fogi_text_is_word((struct head_text){name.at, 6}, "proxy-"))
        return true;
    for (size_t k = 0; k < sizeof dropped / sizeof *dropped; k++)
        if (fogi_text_is_word(name, dropped[k]))
            return true;
    for (size_t n = 0; fogi_head_find(h, "connection", n, &v); n++)
        if (fogi_text_lists(v, name))
            return true;
    return false;
}

static void
put_target(struct writer *w, const struct head *h, const struct forward *f)
{
    bool slash = f->path.len > 0 && f->path.at[0] == '/';
    if (f->path.len == 0 && fogi_text_is(fogi_head_method(h), "OPTIONS"))
        put_text(w, "*"); /* RFC 9112 section 3.2.4: about the server as a whole */
    else if (!slash)
        put_text(w, "/");
    put(w, f->path.at, f->path.len);
}

static void
put_host(struct writer *w, const struct dest *d)
{
    char text[DEST_TEXT_MAX];
    size_t len = fogi_dest_text(d, text);
    put_text(w, "Host: ");
    put(w, text, d->port == 80 ? len - 3 : len);
    put_text(w, "\r\n");
}

size_t
fogi_forward_write(const struct head *h, const struct forward *f, char *out)
{
    struct writer w = {out, 0};
    struct head_text method = fogi_head_method(h);
    put(&w, method.at, method.len);
    put_text(&w, " ");
    put_target(&w, h, f);
    put_text(&w, h->minor ? " HTTP/1.1\r\n" : " HTTP/1.0\r\n");
    put_host(&w, &f->dest);
    for (size_t i = 0; i < h->n_fields; i++) {
        struct head_text name = fogi_head_name(h, i), value = fogi_head_value(h, i);
        if (is_dropped(h, i))
            continue;
        put(&w, name.at, name.len);
        put_text(&w, value.len ? ": " : ":");
        put(&w, value.at, value.len);
        put_text(&w, "\r\n");
    }
    put_text(&w, "Connection: close\r\n\r\n");
    return w.len;
}

/* ------------------------------------------------------------------------------------------ body
 */

/* Of a chunked body: where the next byte stands. The first state is zero. */
enum { SIZE, SIZE_LF, DATA, DATA_CR, DATA_LF, LAST_CR, LAST_LF };

static int
hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/** A byte of the line with the size. */
static bool
read_size(struct body *b, uint8_t c)
{
    int v = hex_value(c);
    if (c == '\r' && b->digits > 0) {
        b->state = SIZE_LF;
        return true;
    }
    if (v < 0 || b->digits == CHUNK_DIGITS)
        return false;
    b->left = b->left << 4 | (uint64_t)v;
    b->digits++;
    return true;
}

/** A byte that is framing; false if it is not the one that belongs here. */
static bool
read_frame(struct body *b, uint8_t c)
{
    switch (b->state) {
    case SIZE:
        return read_size(b, c);
    case SIZE_LF:
        b->state = b->left ? DATA : LAST_CR;
        b->digits = 0;
        return c == '\n';
    case DATA_CR:
        b->state = DATA_LF;
        return c == '\r';
    case DATA_LF:
        b->state = SIZE;
        return c == '\n';
    case LAST_CR:
        b->state = LAST_LF;
        return c == '\r';
    default:
        b->done = c == '\n';
        return b->done;
    }
}

int
fogi_body_input(struct body *b, const void *buf, size_t len, size_t *used)
{
    const uint8_t *bytes = buf;
    *used = 0;
    while (*used < len && !b->done) {
        struct body before = *b;
        if (b->framing == HEAD_BODY_LENGTH || b->state == DATA) {
            size_t n = len - *used < b->left ? len - *used : (size_t)b->left;
            b->left -= n;
            *used += n;
            if (b->left == 0 && b->framing == HEAD_BODY_LENGTH)
                b->done = true;
            else if (b->left == 0)
                b->state = DATA_CR;
        } else if (read_frame(b, bytes[*used])) {
            ++*used;
        } else {
            *b = before;
            return FOG_E_FORMAT;
        }
    }
    return 0;
}
