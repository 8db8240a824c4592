/* SPDX-License-Identifier: MIT
 *
 * agent_body.c - one HTTP request as a channel: the head as the origin gets it, then its body, then
 * nothing more, whatever else the program says (threats S5). The answer goes through with one field
 * more, which tells the program so (proxy/answer.h).
 */
#include "app/agent_int.h"
#include "proxy/answer.h"

#include <assert.h>
#include <string.h>

struct channel_body {
    struct channel ch;
    struct process *p;
    struct channel *below;
    struct body body;
    size_t passed; /* bytes of `below` that are measured and not consumed */
    struct answer answer;
    size_t field; /* bytes of ANSWER_FIELD that are still to be put */
    size_t head, len;
    char bytes[];
};

static struct channel_body *
body_of(struct channel *c)
{
    return (struct channel_body *)(void *)c;
}

static void
below_changed(void *ctx)
{
    struct channel_body *b = ctx;
    channel_notify(&b->ch);
}

/** Bytes behind the request are nobody's; they go, because the program's end stands behind them. */
static int
drop_rest(struct channel_body *b, bool *eof)
{
    size_t dropped;
    if (!fogi_channel_drain(b->below, &dropped, eof))
        return 0;
    channel_break(&b->ch, b->below->why ? b->below->why : "broken");
    return FOG_E_RESET;
}

static int
body_peek(struct channel *c, const void **at, size_t *len, bool *eof)
{
    struct channel_body *b = body_of(c);
    if (c->why)
        return FOG_E_RESET;
    if (channel_peek(b->below, at, len, eof)) {
        channel_break(c, b->below->why ? b->below->why : "broken");
        return FOG_E_RESET;
    }
    if (b->head < b->len) {
        *at = b->bytes + b->head;
        *len = b->len - b->head;
        *eof = false;
        return 0;
    }
    size_t used = 0;
    if (*len > b->passed &&
        fogi_body_input(&b->body, (const char *)*at + b->passed, *len - b->passed, &used)) {
        channel_break(c, "the body of the request is malformed");
        return FOG_E_RESET;
    }
    b->passed += used;
    /* An end within the body is not an end of the request. */
    if (*eof && !b->body.done && b->passed == *len && !*len) {
        channel_break(c, "the request ended within its body");
        return FOG_E_RESET;
    }
    bool over = b->body.done && !b->passed;
    *eof = *eof && b->passed == *len;
    *len = b->passed;
    return over ? drop_rest(b, eof) : 0;
}

static void
body_consume(struct channel *c, size_t len)
{
    struct channel_body *b = body_of(c);
    if (b->head < b->len) {
        b->head += len;
        channel_notify(c); /* the body may stand behind it already */
        return;
    }
    assert(len <= b->passed && "no more than was lent");
    b->passed -= len;
    channel_consume(b->below, len);
}

/** Puts what is left of the field. True: all of it stands. */
static bool
put_field(struct channel_body *b, int *rc)
{
    static const char field[] = ANSWER_FIELD;
    size_t taken = 0;
    *rc = b->field ? channel_write(b->below, field + sizeof field - 1 - b->field, b->field, &taken)
                   : 0;
    if (!*rc)
        b->field -= taken;
    return !*rc && !b->field;
}

/** Writes as far as the place of the field. */
static int
write_some(struct channel_body *b, const char *bytes, size_t len, size_t *taken)
{
    struct answer before = b->answer;
    bool here;
    size_t n = fogi_answer_input(&b->answer, bytes, len, &here);
    int rc = channel_write(b->below, bytes, n, taken);
    if (!rc && *taken == n) {
        b->field = here ? sizeof ANSWER_FIELD - 1 : 0;
        return 0;
    }
    b->answer = before;
    if (!rc)
        fogi_answer_input(&b->answer, bytes, *taken, &here);
    return rc;
}

static int
body_write(struct channel *c, const void *bytes, size_t len, size_t *taken)
{
    struct channel_body *b = body_of(c);
    const char *at = bytes;
    size_t some = 1;
    int rc = 0;
    for (*taken = 0; *taken < len && some && put_field(b, &rc); *taken += some) {
        rc = write_some(b, at + *taken, len - *taken, &some);
        if (rc)
            return rc;
    }
    return rc;
}

static int
body_finish(struct channel *c)
{
    return channel_finish(body_of(c)->below);
}

static bool
body_is_sent(const struct channel *c)
{
    return channel_is_sent(((const struct channel_body *)(const void *)c)->below);
}

static void
body_end(struct channel *c, bool reset)
{
    struct channel_body *b = body_of(c);
    struct process *p = b->p;
    if (reset)
        fogi_channel_reset(b->below);
    else
        fogi_channel_close(b->below);
    p->al.free(p->al.ctx, b, sizeof *b + b->len);
}

static const struct channel_ops body_ops = {.kind = "request",
                                            .peek = body_peek,
                                            .consume = body_consume,
                                            .write = body_write,
                                            .finish = body_finish,
                                            .is_sent = body_is_sent,
                                            .end = body_end};

const char *
fogi_agent_body_head(const struct channel *c, size_t *len)
{
    const struct channel_body *b = (const struct channel_body *)(const void *)c;
    *len = b->len - b->head;
    return b->bytes + b->head;
}

void
fogi_agent_body_skip(struct channel *c, size_t len)
{
    struct channel_body *b = body_of(c);
    assert(len <= b->len - b->head && "no more than was lent");
    b->head += len;
}

struct channel *
fogi_agent_body(struct process *p, struct channel *below, const struct body *body, const char *head,
                size_t len)
{
    struct channel_body *b = p->al.alloc(p->al.ctx, sizeof *b + len);
    if (!b) {
        fogi_channel_reset(below);
        return NULL;
    }
    memset(b, 0, sizeof *b);
    fogi_channel_init(&b->ch, &body_ops, &p->loop);
    b->p = p;
    b->below = below;
    b->body = *body;
    b->len = len;
    memcpy(b->bytes, head, len);
    fogi_channel_own(below, below_changed, b);
    return &b->ch;
}
