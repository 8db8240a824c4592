/* SPDX-License-Identifier: MIT
 *
 * pair.h - two sessions face to face in virtual time, over KCP on an emulated link or over a pipe.
 * Knows how to move bytes, time and events; what should come of it is the tests' business.
 *
 * After every step it checks what holds for all: nobody wants to be woken in the past for ever, and
 * what a session says it holds is what its allocator gave it.
 */
#ifndef FOG_TEST_PAIR_H
#define FOG_TEST_PAIR_H

#include <foggara/session.h>

#include "emu/emu.h"
#include "unit/base/alloc.h"

#define LOG_MAX 512

struct side {
    struct fog_session *s;
    struct counting mem;
    struct emu *link; /* toward the other side */
    struct fog_event log[LOG_MAX];
    size_t n_log;
    uint64_t sent, sent_bytes; /* datagrams or pieces handed to the link */
    uint8_t stash[65536];      /* pipe: arrived and not taken yet        */
    size_t n_stash;
};

struct pair {
    enum fog_via via;
    fog_time now;
    struct side client, server;
    struct fog_session_options client_options, server_options;
};

/** Options that pair_start() will use, and a link of 5 ms without faults; change them in between.
 */
void pair_init(struct pair *p, enum fog_via via);
/** Makes both sessions. */
void pair_start(struct pair *p, const struct emu_options *link, uint64_t seed);
/** The same where it may fail: what fog_session_new() said. */
int pair_try(struct pair *p, const struct emu_options *link, uint64_t seed);
/** pair_init(), pair_start(), and runs until both are ready. */
void pair_ready(struct pair *p, enum fog_via via);
/** Frees all and checks that nothing is left. */
void pair_end(struct pair *p);

/** Moves what can be moved at this time: input, events into the logs, output. */
void pair_flush(struct pair *p);
/** Runs for so long. */
void pair_run(struct pair *p, fog_time us);

/** Takes the oldest event of this kind out of the log; fails the test when there is none. */
struct fog_event expect(struct side *side, enum fog_event_type type);
/** Whether one is there; it stays. */
bool told(const struct side *side, enum fog_event_type type);

/** Opens a stream from the client and waits until both sides have it. */
void pair_open(struct pair *p, struct fog_stream **client, struct fog_stream **server);
/** Writes a text whole. */
void say(struct pair *p, struct side *from, struct fog_stream *st, const char *text);
/** Reads and consumes exactly this text. */
void hear(struct pair *p, struct side *to, struct fog_stream *st, const char *text);
/** Nothing is there to read; eof as told. */
void hear_nothing(struct side *to, struct fog_stream *st, bool eof);

/** One direction of a bulk transfer: pattern bytes from one side to the other. */
struct flow {
    struct side *from, *to;
    struct fog_stream *out, *in;
    size_t written, read, total;
};

/** Runs until all flows are through, within limit_us. */
void pair_transfer(struct pair *p, struct flow *flows, size_t n, fog_time limit_us);

#endif
