/* SPDX-License-Identifier: MIT
 *
 * spec.h - a conformance case and what runs it: a stage, bytes, and the exact reaction.
 */
#ifndef TEST_MUX_SPEC_H
#define TEST_MUX_SPEC_H

#include "unit/mux/rig.h"

#define SERVER FOG_SERVER
#define CLIENT FOG_CLIENT

#define SETTINGS "000000 04 00 00000000 "
#define SYN(id) "000000 01 00 " id " "
#define FIN(id) "000000 00 01 " id " "
#define RST(id) "000000 01 01 " id " "
#define DATA3(id) "000003 00 00 " id " 616263 "
#define PSHFIN3(id) "000003 00 01 " id " 616263 "
#define PING(n) "000008 06 00 00000000 " n " "
#define PONG(n) "000008 06 01 00000000 " n " "
#define BYE "00000b 07 00 00000000 ffffffff ffffffff 627965 "
#define ZEROS8 "0000000000000000"
#define BAD_HELLO "handshake message is invalid"

/* How far the conversation has come before the case's bytes. Stream 1 is the stream. */
enum stage {
    RAW,     /* nothing received; a client has sent its handshake        */
    READY,   /* no stream                                                */
    SYNSENT, /* client: no SYN-ACK yet                                   */
    OPEN,    /* established                                              */
    FINSENT, /* we have finished                                         */
    FINRECV, /* the peer has finished                                    */
    CLOSED1, /* both have finished, the stream is released               */
    RESET1,  /* we have reset it                                         */
    REFUSED, /* server: refused toward a vproxy peer                     */
    STAGE_N
};

RIG_UNUSED static void
spec_advance(struct rig *r, enum fog_role role, enum stage stage)
{
    struct fog_stream *st;
    rig_collect(r);
    if (stage == RAW)
        return;
    rig_feed(r, SETTINGS);
    if (stage == READY)
        return;
    if (role == FOG_CLIENT) {
        assert_int_equal(fog_mux_open(r->m, &st, r->now), 0);
        r->st = st;
        if (stage == SYNSENT)
            return;
    }
    rig_feed(r, SYN("00000001"));
    if (stage == FINSENT || stage == CLOSED1)
        assert_int_equal(fog_mux_finish(r->m, r->st, r->now), 0);
    if (stage == FINRECV || stage == CLOSED1)
        rig_feed(r, FIN("00000001"));
    if (stage == RESET1)
        fog_mux_reset(r->m, r->st, r->now);
    if (stage == REFUSED)
        fog_mux_refuse(r->m, r->st, r->now);
    rig_collect(r);
    if (stage == CLOSED1)
        fog_mux_release(r->m, r->st, r->now);
}

RIG_UNUSED static void
spec_stage(struct rig *r, enum fog_role role, enum stage stage)
{
    rig_init(r, role);
    rig_start(r);
    spec_advance(r, role, stage);
    rig_collect(r);
    rig_clear(r);
}

struct spec_case {
    const char *name;
    enum fog_role role;
    enum stage stage;
    const char *fed;
    const char *out;    /* bytes that must come out, before a shutdown           */
    const char *reason; /* the text of our shutdown; NULL: none may come out     */
    const char *events;
    const char *counters; /* all that change but frames_in and frames_out          */
};

#define COUNTER(name)                                                                              \
    {                                                                                              \
#name, offsetof(struct fog_mux_counters, name)                                             \
    }

static const struct {
    const char *name;
    size_t at;
} spec_counters[] = {
    COUNTER(opened),
    COUNTER(closed),
    COUNTER(resets_in),
    COUNTER(resets_out),
    COUNTER(late),
    COUNTER(glitches),
    COUNTER(pings_out),
    COUNTER(pings_answered),
    COUNTER(pings_missed),
    COUNTER(inflated),
    COUNTER(deflated),
    COUNTER(fins_held),
    COUNTER(limit_streams_hit),
    COUNTER(limit_stream_recv_hit),
    COUNTER(limit_tunnel_recv_hit),
    COUNTER(limit_frame_in_hit),
    COUNTER(limit_inflate_hit),
    COUNTER(limit_inflate_turn_hit),
    COUNTER(limit_opens_hit),
    COUNTER(limit_resets_hit),
    COUNTER(limit_glitches_hit),
    COUNTER(limit_frames_hit),
    COUNTER(limit_pings_hit),
    COUNTER(limit_empties_hit),
    COUNTER(limit_frame_time_hit),
    COUNTER(limit_handshake_hit),
    COUNTER(limit_half_closed_hit),
    COUNTER(limit_idle_hit),
    COUNTER(limit_slow_hit),
    COUNTER(limit_ids_hit),
    COUNTER(limit_reason_hit),
    COUNTER(limit_memory_hit),
};

/* The counters that differ, in the order of the table: "opened=1 late=2". */
RIG_UNUSED static const char *
spec_changes(const struct fog_mux_counters *a, const struct fog_mux_counters *b, char *text,
             size_t cap)
{
    size_t n = 0;
    text[0] = '\0';
    for (size_t i = 0; i < sizeof spec_counters / sizeof spec_counters[0]; i++) {
        uint64_t from, to;
        memcpy(&from, (const char *)a + spec_counters[i].at, sizeof from);
        memcpy(&to, (const char *)b + spec_counters[i].at, sizeof to);
        if (from != to)
            n += (size_t)snprintf(text + n, cap - n, "%s%s=%llu", n ? " " : "",
                                  spec_counters[i].name, (unsigned long long)(to - from));
    }
    return text;
}

/* The names of a case's counters in any order: the same set? */
RIG_UNUSED static bool
spec_same_set(const char *want, const char *got)
{
    size_t words = 0, have = 0;
    char copy[400];
    snprintf(copy, sizeof copy, "%s", want);
    for (char *w = strtok(copy, " "); w; w = strtok(NULL, " ")) {
        const char *at = strstr(got, w);
        words++;
        if (!at || (at != got && at[-1] != ' ') || (at[strlen(w)] && at[strlen(w)] != ' '))
            return false;
    }
    for (const char *p = got; *p; p++)
        have += *p == '=';
    return words == have;
}

RIG_UNUSED static size_t
spec_expected(const struct spec_case *c, uint8_t *want, size_t cap)
{
    size_t n = rig_hex(want, cap, c->out);
    if (c->reason) {
        size_t len = 8 + strlen(c->reason);
        const uint8_t head[9] = {0, (uint8_t)(len >> 8), (uint8_t)len, 7};
        memcpy(want + n, head, 9);
        memset(want + n + 9, 0xff, 8);
        memcpy(want + n + 17, c->reason, len - 8);
        n += 9 + len;
    }
    return n;
}

RIG_UNUSED static void
spec_one(const struct spec_case *c, bool singly)
{
    struct rig r;
    uint8_t fed[512], want[512];
    char events[256], counters[512], hex[1200];
    spec_stage(&r, c->role, c->stage);
    struct fog_mux_counters before = rig_status(r.m).n;
    size_t n = rig_hex(fed, sizeof fed, c->fed);
    rig_feed_bytes(&r, fed, n, singly);
    rig_collect(&r);
    struct fog_mux_counters after = rig_status(r.m).n;
    size_t len = spec_expected(c, want, sizeof want);
    if (len != r.out_len || memcmp(want, r.out, len) != 0)
        fail_msg("%s: sent %s", c->name, rig_hex_of(r.out, r.out_len, hex, sizeof hex));
    if (strcmp(rig_events(&r, events, sizeof events), c->events) != 0)
        fail_msg("%s: events '%s'", c->name, events);
    if (!spec_same_set(c->counters, spec_changes(&before, &after, counters, sizeof counters)))
        fail_msg("%s: counters '%s'", c->name, counters);
    rig_end(&r);
}

RIG_UNUSED static void
spec_run(const struct spec_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        spec_one(&cases[i], false);
        spec_one(&cases[i], true);
    }
}

#endif
