/* SPDX-License-Identifier: MIT */
#include "app/tls_pipe.h"

#include <string.h>

static int
bio_read(BIO *b, char *buf, size_t len, size_t *done)
{
    struct tls_pipe *t = BIO_get_data(b);
    const void *at;
    size_t n;
    bool eof;
    *done = 0;
    BIO_clear_retry_flags(b);
    if (channel_peek(t->below, &at, &n, &eof))
        return 0;
    if (!n) {
        if (!eof)
            BIO_set_retry_read(b);
        t->cut = eof;
        return 0;
    }
    *done = n < len ? n : len;
    memcpy(buf, at, *done);
    channel_consume(t->below, *done);
    return 1;
}

/** Takes everything: what does not fit below waits, and is the last for now. */
static int
bio_write(BIO *b, const char *buf, size_t len, size_t *done)
{
    struct tls_pipe *t = BIO_get_data(b);
    size_t taken = 0;
    BIO_clear_retry_flags(b);
    *done = 0;
    if (!bytes_len(&t->waiting) && channel_write(t->below, buf, len, &taken))
        return 0;
    if (taken < len && !fogi_bytes_append(&t->waiting, &t->mem, buf + taken, len - taken))
        return 0;
    *done = len;
    return 1;
}

static long
bio_ctrl(BIO *b, int cmd, long num, void *ptr)
{
    struct tls_pipe *t = BIO_get_data(b);
    const void *at;
    size_t n;
    bool eof = false;
    (void)num;
    (void)ptr;
    if (cmd == BIO_CTRL_EOF) /* tells an end in order from a broken pipe */
        return !channel_peek(t->below, &at, &n, &eof) && eof && !n;
    return cmd == BIO_CTRL_FLUSH || cmd == BIO_CTRL_DUP;
}

/** One for the process, made at the first use and kept. */
static const BIO_METHOD *
bio_method(void)
{
    static BIO_METHOD *m;
    if (m)
        return m;
    BIO_METHOD *n = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "channel");
    if (n && BIO_meth_set_read_ex(n, bio_read) && BIO_meth_set_write_ex(n, bio_write) &&
        BIO_meth_set_ctrl(n, bio_ctrl))
        m = n;
    else
        BIO_meth_free(n);
    return m;
}

void
fogi_tls_pipe_init(struct tls_pipe *t, struct channel *below, const struct fog_alloc *al)
{
    t->below = below;
    mem_init(&t->mem, al);
    fogi_bytes_init(&t->waiting, 0);
    t->cut = false;
}

BIO *
fogi_tls_pipe_bio(struct tls_pipe *t)
{
    const BIO_METHOD *m = bio_method();
    BIO *b = m ? BIO_new(m) : NULL;
    if (!b)
        return NULL;
    BIO_set_data(b, t);
    BIO_set_init(b, 1);
    return b;
}

int
fogi_tls_pipe_push(struct tls_pipe *t)
{
    size_t len, taken;
    const void *at;
    while ((at = fogi_bytes_peek(&t->waiting, &len)), len) {
        if (channel_write(t->below, at, len, &taken))
            return FOG_E_RESET;
        if (!taken)
            return 0;
        fogi_bytes_consume(&t->waiting, &t->mem, taken);
    }
    return 1;
}

void
fogi_tls_pipe_clear(struct tls_pipe *t)
{
    fogi_bytes_clear(&t->waiting, &t->mem);
}
