/* SPDX-License-Identifier: MIT */
#include "app/splice.h"

#include <stdio.h>

/** Moves what is there and fits. False when either side broke. */
static bool
move(struct splice *s, struct splice_way *way, struct channel *from, struct channel *to)
{
    const void *at;
    size_t len, taken;
    bool eof;
    while (!way->ended) {
        if (channel_peek(from, &at, &len, &eof))
            return false;
        if (!len && !eof)
            return true;
        s->moved = fogi_loop_now(from->loop);
        if (!len) {
            way->ended = true;
            return channel_finish(to) == 0;
        }
        if (channel_write(to, at, len, &taken))
            return false;
        if (!taken)
            return true;
        channel_consume(from, taken);
        way->bytes += taken;
    }
    /* Nothing is read behind an end, but the pipe may break while the other way goes on. */
    return channel_peek(from, &at, &len, &eof) == 0;
}

static void
look(void *ctx)
{
    struct splice *s = ctx;
    struct channel *a = s->a, *b = s->b;
    bool good = move(s, &s->ab, a, b) && move(s, &s->ba, b, a);
    if (good && !(s->ab.ended && s->ba.ended && channel_is_sent(a) && channel_is_sent(b)))
        return;
    const char *why = good ? "ended" : a->why ? a->why : b->why;
    char how[160];
    snprintf(how, sizeof how, "%s, %llu bytes up, %llu down", why ? why : "reset",
             (unsigned long long)s->ab.bytes, (unsigned long long)s->ba.bytes);
    s->a = s->b = NULL;
    if (good) {
        fogi_channel_close(a);
        fogi_channel_close(b);
    } else {
        fogi_channel_reset(a);
        fogi_channel_reset(b);
    }
    s->over(s->ctx, good, how);
}

void
fogi_splice(struct splice *s, struct channel *a, struct channel *b,
            void (*over)(void *ctx, bool good, const char *how), void *ctx)
{
    *s = (struct splice){.a = a, .b = b, .moved = fogi_loop_now(a->loop), .over = over, .ctx = ctx};
    fogi_channel_own(a, look, s);
    fogi_channel_own(b, look, s);
}

void
fogi_splice_cut(struct splice *s)
{
    struct channel *a = s->a, *b = s->b;
    s->a = s->b = NULL;
    fogi_channel_reset(a);
    fogi_channel_reset(b);
}
