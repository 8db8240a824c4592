/* SPDX-License-Identifier: MIT */
#include "app/channel.h"

static void
tell(struct pump *pump)
{
    struct channel *c = list_entry(pump, struct channel, pump);
    if (c->changed)
        c->changed(c->ctx);
}

void
fogi_channel_init(struct channel *c, const struct channel_ops *ops, struct loop *l)
{
    *c = (struct channel){.ops = ops, .loop = l};
    pump_init(&c->pump, tell);
}

void
fogi_channel_own(struct channel *c, void (*changed)(void *ctx), void *ctx)
{
    c->changed = changed;
    c->ctx = ctx;
    channel_notify(c);
}

int
fogi_channel_drain(struct channel *c, size_t *dropped, bool *eof)
{
    const void *at;
    size_t len;
    *dropped = 0;
    do {
        if (channel_peek(c, &at, &len, eof))
            return FOG_E_RESET;
        if (len)
            channel_consume(c, len);
        *dropped += len;
    } while (len);
    return 0;
}

static void
end(struct channel *c, bool reset)
{
    if (!c)
        return;
    c->changed = NULL;
    pump_cancel(&c->pump);
    c->ops->end(c, reset);
}

void
fogi_channel_close(struct channel *c)
{
    end(c, false);
}

void
fogi_channel_reset(struct channel *c)
{
    end(c, true);
}
