/* SPDX-License-Identifier: MIT */
#include "app/channel_stream.h"

#include <assert.h>
#include <string.h>

struct channel_stream {
    struct channel ch;
    struct process *p;
    struct rider ride;
    uint8_t *rest; /* what had arrived when the session ended; NULL: nothing of that */
    size_t head, tail, cap;
    bool finished; /* our end was told                                               */
    bool whole;    /* off its stream, with everything that the peer had to say        */
};

static const struct channel_ops stream_ops;

static struct channel_stream *
stream_of(struct channel *c)
{
    assert(c->ops == &stream_ops && "the caller knows what it asks");
    return (struct channel_stream *)(void *)c;
}

static fog_time
now_of(const struct channel_stream *s)
{
    return process_now(s->p);
}

/* --------------------------------------------------------------------------------------- reading
 */

static int
stream_peek(struct channel *c, const void **at, size_t *len, bool *eof)
{
    struct channel_stream *s = stream_of(c);
    *at = NULL;
    *len = 0;
    *eof = false;
    if (c->why)
        return FOG_E_RESET;
    if (!s->ride.stream) {
        *at = s->rest ? s->rest + s->head : NULL;
        *len = s->tail - s->head;
        *eof = s->whole;
        return 0;
    }
    if (!fog_session_peek(s->ride.carrier->session, s->ride.stream, at, len, eof))
        return 0;
    channel_break(c, "the stream was reset");
    return FOG_E_RESET;
}

static void
stream_consume(struct channel *c, size_t len)
{
    struct channel_stream *s = stream_of(c);
    if (!s->ride.stream) {
        s->head += len;
        return;
    }
    fog_session_consume(s->ride.carrier->session, s->ride.stream, len, now_of(s));
    rider_touch(&s->ride);
}

/* --------------------------------------------------------------------------------------- writing
 */

static int
stream_write(struct channel *c, const void *bytes, size_t len, size_t *taken)
{
    struct channel_stream *s = stream_of(c);
    *taken = 0;
    if (c->why)
        return FOG_E_RESET;
    if (s->finished)
        return FOG_E_FINISHED;
    int rc =
        fog_session_write(s->ride.carrier->session, s->ride.stream, bytes, len, taken, now_of(s));
    rider_touch(&s->ride);
    if (!rc)
        return 0;
    channel_break(c, fog_err_text(rc));
    return FOG_E_RESET;
}

static int
stream_finish(struct channel *c)
{
    struct channel_stream *s = stream_of(c);
    if (c->why)
        return FOG_E_RESET;
    if (s->finished)
        return 0;
    int rc = fog_session_finish(s->ride.carrier->session, s->ride.stream, now_of(s));
    rider_touch(&s->ride);
    if (rc) {
        channel_break(c, fog_err_text(rc));
        return FOG_E_RESET;
    }
    s->finished = true;
    channel_notify(c);
    return 0;
}

/** What the session has taken it delivers, or the whole tunnel ends: nothing waits here. */
static bool
stream_is_sent(const struct channel *c)
{
    (void)c;
    return true;
}

/* ------------------------------------------------------------------------------ coming and going
 */

static void
stream_end(struct channel *c, bool reset)
{
    struct channel_stream *s = stream_of(c);
    struct process *p = s->p;
    const void *at;
    size_t len;
    bool eof;
    if (s->ride.stream) {
        struct fog_session *session = s->ride.carrier->session;
        bool orderly = s->finished && !fog_session_peek(session, s->ride.stream, &at, &len, &eof) &&
                       !len && eof;
        if (reset || !orderly)
            fog_session_reset(session, s->ride.stream, process_now(p));
        fogi_rider_off(&s->ride);
    }
    if (s->rest)
        p->al.free(p->al.ctx, s->rest, s->cap);
    p->al.free(p->al.ctx, s, sizeof *s);
}

static const struct channel_ops stream_ops = {.kind = "stream",
                                              .peek = stream_peek,
                                              .consume = stream_consume,
                                              .write = stream_write,
                                              .finish = stream_finish,
                                              .is_sent = stream_is_sent,
                                              .end = stream_end};

static void
on_event(struct rider *ride, const struct fog_event *ev)
{
    struct channel_stream *s = list_entry(ride, struct channel_stream, ride);
    if (ev->type == FOG_EV_RESET)
        channel_break(&s->ch, "the stream was reset");
    else
        channel_notify(&s->ch);
}

/** Keeps what has arrived, if that is all there is and our end was told. False: something would be
 *  missing. */
static bool
keep_rest(struct channel_stream *s)
{
    struct fog_session *session = s->ride.carrier->session;
    const void *at;
    size_t len;
    bool eof;
    if (!s->finished || !fog_session_is_whole(session, s->ride.stream))
        return false;
    while (!fog_session_peek(session, s->ride.stream, &at, &len, &eof) && len) {
        size_t cap = s->cap ? s->cap : 4096;
        while (cap < s->tail + len)
            cap *= 2;
        if (cap > s->cap) {
            uint8_t *more = s->p->al.alloc(s->p->al.ctx, cap);
            if (!more)
                return false;
            if (s->rest) {
                memcpy(more, s->rest, s->tail);
                s->p->al.free(s->p->al.ctx, s->rest, s->cap);
            }
            s->rest = more;
            s->cap = cap;
        }
        memcpy(s->rest + s->tail, at, len);
        s->tail += len;
        fog_session_consume(session, s->ride.stream, len, now_of(s));
    }
    return true;
}

static void
on_carrier_ends(struct rider *ride)
{
    struct channel_stream *s = list_entry(ride, struct channel_stream, ride);
    s->whole = keep_rest(s);
    fogi_rider_off(ride);
    if (s->whole)
        channel_notify(&s->ch);
    else
        channel_break(&s->ch, "the tunnel is down");
}

static const struct rider_ops ride_ops = {.event = on_event, .ends = on_carrier_ends};

struct channel *
fogi_channel_stream(struct carrier *c, struct fog_stream *st)
{
    struct process *p = c->p;
    struct channel_stream *s = p->al.alloc(p->al.ctx, sizeof *s);
    if (!s)
        return NULL;
    memset(s, 0, sizeof *s);
    s->p = p;
    fogi_channel_init(&s->ch, &stream_ops, &p->loop);
    fogi_rider_init(&s->ride, &ride_ops);
    fogi_rider_on(&s->ride, c, st);
    channel_notify(&s->ch);
    return &s->ch;
}
