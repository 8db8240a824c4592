/* SPDX-License-Identifier: MIT
 *
 * rig.h - what the mux tests share: a mux fed with raw bytes, or two muxes joined back to back.
 * Header only; each test executable has its own copy.
 */
#ifndef TEST_MUX_RIG_H
#define TEST_MUX_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <foggara/mux.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RIG_UNUSED __attribute__((unused))

/* ------------------------------------------------------------------------ one mux and raw bytes */

#define RIG_EVENTS 64

struct rig {
    struct fog_mux *m;
    struct fog_mux_options o;
    fog_time now;
    uint8_t out[1 << 17]; /* all bytes the mux has handed out since rig_clear() */
    size_t out_len;
    uint64_t out_pos;
    struct fog_event ev[RIG_EVENTS]; /* all events since rig_clear() */
    size_t n_ev;
    struct fog_stream *st; /* of the last OPENED */
};

RIG_UNUSED static struct fog_mux_status
rig_status(const struct fog_mux *m)
{
    struct fog_mux_status s;
    fog_mux_status(m, &s);
    return s;
}

RIG_UNUSED static void
rig_init(struct rig *r, enum fog_role role)
{
    memset(r, 0, sizeof *r);
    fog_mux_options_init(&r->o, role);
    r->o.seed = 7;
    r->now = FOG_SEC(1000);
}

RIG_UNUSED static void
rig_start(struct rig *r)
{
    assert_int_equal(fog_mux_new(&r->m, &r->o, fog_alloc_libc(), r->now), 0);
}

RIG_UNUSED static void
rig_collect(struct rig *r)
{
    size_t len;
    do {
        assert_int_equal(
            fog_mux_output(r->m, r->out + r->out_len, sizeof r->out - r->out_len, &len, r->now), 0);
        r->out_len += len;
        r->out_pos += len;
    } while (len > 0);
    struct fog_event ev;
    while (fog_mux_event(r->m, &ev)) {
        assert_true(r->n_ev < RIG_EVENTS);
        r->ev[r->n_ev++] = ev;
        if (ev.type == FOG_EV_OPENED)
            r->st = ev.stream;
    }
}

RIG_UNUSED static void
rig_clear(struct rig *r)
{
    r->out_len = r->n_ev = 0;
}

/* Feeds bytes; returns how many were taken. */
RIG_UNUSED static size_t
rig_feed_bytes(struct rig *r, const uint8_t *buf, size_t len, bool singly)
{
    size_t all = 0, used;
    if (!singly) {
        int rc = fog_mux_input(r->m, buf, len, &all, r->now);
        assert_true(rc == 0 || rc == FOG_E_CLOSED);
    }
    while (singly && all < len) {
        int rc = fog_mux_input(r->m, buf + all, 1, &used, r->now);
        assert_true(rc == 0 || rc == FOG_E_CLOSED);
        if (used == 0)
            break;
        all += used;
    }
    return all;
}

RIG_UNUSED static int
rig_hex_digit(char c)
{
    return c <= '9' ? c - '0' : (c | 32) - 'a' + 10;
}

/* Bytes of a text of hex digits; blanks are ignored. */
RIG_UNUSED static size_t
rig_hex(uint8_t *out, size_t cap, const char *hex)
{
    size_t n = 0;
    while (*hex) {
        if (*hex == ' ') {
            hex++;
            continue;
        }
        assert_true(n < cap && hex[1]);
        out[n++] = (uint8_t)(rig_hex_digit(hex[0]) << 4 | rig_hex_digit(hex[1]));
        hex += 2;
    }
    return n;
}

RIG_UNUSED static void
rig_feed(struct rig *r, const char *hex)
{
    uint8_t buf[4096];
    size_t n = rig_hex(buf, sizeof buf, hex);
    rig_feed_bytes(r, buf, n, false);
    rig_collect(r);
}

/* The events as text: "ready opened:1 reset:1:RESET". */
RIG_UNUSED static const char *
rig_events(const struct rig *r, char *text, size_t cap)
{
    static const char *const names[] = {"ready", "opened",  "established", "readable", "writable",
                                        "reset", "suspect", "worn",        "closed"};
    size_t n = 0;
    text[0] = '\0';
    for (size_t i = 0; i < r->n_ev; i++) {
        const struct fog_event *ev = &r->ev[i];
        n += (size_t)snprintf(text + n, cap - n, "%s%s", i ? " " : "", names[ev->type]);
        if (ev->err)
            n += (size_t)snprintf(text + n, cap - n, ":%s", fog_err_name(ev->err));
    }
    return text;
}

RIG_UNUSED static const char *
rig_hex_of(const uint8_t *buf, size_t len, char *text, size_t cap)
{
    size_t n = 0;
    text[0] = '\0';
    for (size_t i = 0; i < len && n + 3 < cap; i++)
        n += (size_t)snprintf(text + n, cap - n, "%02x", buf[i]);
    return text;
}

RIG_UNUSED static void
rig_end(struct rig *r)
{
    fog_mux_free(r->m);
    r->m = NULL;
}

/* ---------------------------------------------------------------------------- two, back to back */

#define PAIR_PIPE (1 << 20)

struct pipe {
    uint8_t *at; /* bytes on their way */
    size_t len, cap;
};

struct side {
    struct fog_mux *m;
    struct pipe out;
    uint64_t handed, acked;
};

struct pair {
    struct side c, s;
    fog_time now;
};

RIG_UNUSED static void
pair_init(struct pair *p, const struct fog_mux_options *c, const struct fog_mux_options *s,
          size_t pipe)
{
    struct fog_mux_options o;
    memset(p, 0, sizeof *p);
    p->now = FOG_SEC(1);
    fog_mux_options_init(&o, FOG_CLIENT);
    assert_int_equal(fog_mux_new(&p->c.m, c ? c : &o, fog_alloc_libc(), p->now), 0);
    fog_mux_options_init(&o, FOG_SERVER);
    assert_int_equal(fog_mux_new(&p->s.m, s ? s : &o, fog_alloc_libc(), p->now), 0);
    p->c.out = (struct pipe){.at = malloc(pipe), .cap = pipe};
    p->s.out = (struct pipe){.at = malloc(pipe), .cap = pipe};
}

RIG_UNUSED static void
pair_free(struct pair *p)
{
    fog_mux_free(p->c.m);
    fog_mux_free(p->s.m);
    free(p->c.out.at);
    free(p->s.out.at);
}

RIG_UNUSED static size_t
side_room(const struct side *a)
{
    return a->out.cap - a->out.len;
}

/* Control messages of `a` go into its pipe. */
RIG_UNUSED static void
side_drain(struct side *a, fog_time now)
{
    size_t len;
    do {
        assert_int_equal(fog_mux_output(a->m, a->out.at + a->out.len, side_room(a), &len, now), 0);
        a->out.len += len;
        a->handed += len;
    } while (len > 0);
}

/* What is in the pipe of `a` reaches `b` and is acknowledged; true if anything moved. */
RIG_UNUSED static bool
side_carry(struct side *a, struct side *b, fog_time now)
{
    size_t used = 0;
    side_drain(a, now);
    if (a->out.len > 0) {
        int rc = fog_mux_input(b->m, a->out.at, a->out.len, &used, now);
        if (rc == FOG_E_CLOSED)
            used = a->out.len;
        else
            assert_true(rc == 0 || rc == FOG_E_NOMEM);
        memmove(a->out.at, a->out.at + used, a->out.len - used);
        a->out.len -= used;
        a->acked += used;
        fog_mux_acked(a->m, a->acked, now);
    }
    fog_mux_room(a->m, side_room(a), now);
    return used > 0;
}

/* Until nothing moves any more. */
RIG_UNUSED static void
pair_run(struct pair *p)
{
    bool moved = true;
    for (int i = 0; moved && i < 100000; i++) {
        moved = side_carry(&p->c, &p->s, p->now);
        moved = side_carry(&p->s, &p->c, p->now) || moved;
    }
}

/* Time passes: both sides are ticked at their deadlines. */
RIG_UNUSED static unsigned
pair_pass(struct pair *p, fog_time span)
{
    fog_time end = p->now + span;
    unsigned wakes = 0;
    pair_run(p);
    for (int i = 0; i < 1000000; i++) {
        fog_time c = fog_mux_deadline(p->c.m, NULL), s = fog_mux_deadline(p->s.m, NULL);
        fog_time at = c < s ? c : s;
        if (at > end)
            break;
        if (at > p->now)
            p->now = at;
        if (c <= p->now)
            fog_mux_tick(p->c.m, p->now), wakes++;
        if (s <= p->now)
            fog_mux_tick(p->s.m, p->now), wakes++;
        pair_run(p);
    }
    p->now = end;
    return wakes;
}

/* Writes up to len bytes of st as one frame into the pipe; returns what was taken. */
RIG_UNUSED static size_t
side_write(struct side *a, struct fog_stream *st, const void *buf, size_t len, fog_time now)
{
    size_t cap, total, head = fog_mux_overhead(a->m);
    side_drain(a, now);
    int rc = fog_mux_turn(a->m, st, side_room(a), &cap, now);
    assert_int_equal(rc, 0);
    if (cap == 0)
        return 0;
    if (len > cap)
        len = cap;
    uint8_t *frame = a->out.at + a->out.len;
    memcpy(frame + head, buf, len);
    assert_int_equal(fog_mux_frame(a->m, st, frame, len, &total, now), 0);
    a->out.len += total;
    a->handed += total;
    return len;
}

/* Reads what is there, up to cap; *eof as peek says at the end. */
RIG_UNUSED static size_t
side_read(struct side *a, struct fog_stream *st, uint8_t *buf, size_t cap, bool *eof, fog_time now)
{
    const void *at;
    size_t len, n = 0;
    for (;;) {
        assert_int_equal(fog_mux_peek(a->m, st, &at, &len, eof), 0);
        if (len > cap - n)
            len = cap - n;
        if (len == 0)
            return n;
        memcpy(buf + n, at, len);
        n += len;
        fog_mux_consume(a->m, st, len, now);
    }
}

/* Takes events until one of `type`; false if it never comes. */
RIG_UNUSED static bool
side_await(struct side *a, enum fog_event_type type, struct fog_event *ev)
{
    while (fog_mux_event(a->m, ev)) {
        if (ev->type == type)
            return true;
    }
    return false;
}

#endif
