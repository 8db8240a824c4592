/* SPDX-License-Identifier: MIT
 *
 * load.h - what both ends of the load tool share: the board they count on, the first bytes of each
 * connection, and the payload.
 *
 * The ends run in different network namespaces of one machine, so they share a file in memory (the
 * board) and one clock: bytes are counted where they arrive, and only those that arrive in time.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BOARD_BINS 6000 /* of 20 ms each */
#define BIN_NS 20000000
#define ECHO_BYTES 64
#define HELLO_BYTES 16
#define FETCH_BYTES 1000000

struct board {
    _Atomic uint64_t run;     /* bytes of other runs are not counted             */
    _Atomic int64_t start_ns; /* CLOCK_MONOTONIC                                 */
    _Atomic int64_t end_ns;
    _Atomic uint64_t bytes;  /* arrived, right, and within start..end           */
    _Atomic uint64_t wrong;  /* connections with a byte that was not as sent    */
    _Atomic uint64_t broken; /* connections that ended before their time        */
    _Atomic uint64_t bin[BOARD_BINS];
};

/** What the one who connects asks for. */
enum mode {
    MODE_UP = 'U',    /* it sends, the server checks  */
    MODE_DOWN = 'D',  /* the server sends             */
    MODE_FETCH = 'F', /* the server sends FETCH_BYTES */
    MODE_ECHO = 'E'   /* the server repeats           */
};

struct stream {
    int fd;
    enum mode mode;
    uint64_t run;
    uint64_t end; /* pos at which the source stops; 0: never                   */
    uint64_t pos; /* place in the payload: sent (source) or checked (sink) */
    uint8_t hello[HELLO_BYTES];
    size_t hello_n; /* bytes of the hello sent or received                   */
    /* client only */
    uint8_t echo[ECHO_BYTES];
    size_t echo_n;
    int64_t asked_ns; /* when this question was asked */
    bool done;        /* what was asked for is here   */
    int kind;         /* load_run.c: enum kind        */
};

enum step { STEP_WAIT, STEP_OVER, STEP_WRONG };

int64_t now_ns(void);

/** Maps the board, making the file if need be. */
struct board *board_open(const char *path);

/** Makes the payload; before any other call below. */
void payload_init(void);

/** Where stream number `seed` begins in the payload. */
uint64_t payload_start(uint64_t seed);
void payload_copy(uint64_t pos, void *to, size_t n);

/** Sends payload until the socket is full. */
enum step stream_source(struct stream *s);

/** Receives and checks until the socket is empty; counts on the board. */
enum step stream_sink(struct stream *s, struct board *b);

void hello_write(struct stream *s, uint64_t run, uint64_t seed);
/** False when it is no hello of ours. Sets mode, run and pos. */
bool hello_read(struct stream *s);

/** Sends what is left of the hello; true when all is sent. */
bool hello_send(struct stream *s);

/** Non-blocking, no delay, and the congestion control `cc` unless it is NULL. */
void socket_setup(int fd, const char *cc);

int load_serve(int argc, char **argv);
int load_run(const char *what, int argc, char **argv);

#endif
