/* SPDX-License-Identifier: MIT
 *
 * load_stream.c - the payload and how one connection sends and checks it. Refuses to know how many
 * there are and how long they last.
 * Invariant: a byte is counted only after it was compared with what was sent.
 */
#define _GNU_SOURCE
#include "load.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* The payload repeats after a prime number of bytes: longer than any compressor's window here,
 * short enough for a core's cache, and never a multiple of a segment or a buffer. */
#define PERIOD 1048573
#define CHUNK 262144 /* bytes of one send or receive */
#define TURN 16      /* of them before other streams get their turn */
#define MAGIC 0x42474f46u

static uint8_t payload[PERIOD + CHUNK];

int64_t
now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

struct board *
board_open(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, sizeof(struct board)) < 0)
        err(EXIT_FAILURE, "%s", path);
    void *p = mmap(NULL, sizeof(struct board), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        err(EXIT_FAILURE, "%s", path);
    close(fd);
    return p;
}

/* ------------------------------------------------------------------------------------- payload */

void
payload_init(void)
{
    uint64_t x = 0x9e3779b97f4a7c15u;
    for (size_t i = 0; i < PERIOD; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        payload[i] = (uint8_t)(x >> 32);
    }
    memcpy(payload + PERIOD, payload, CHUNK);
}

uint64_t
payload_start(uint64_t seed)
{
    return seed * 0x9e3779b97f4a7c15u % PERIOD;
}

void
payload_copy(uint64_t pos, void *to, size_t n)
{
    memcpy(to, payload + pos % PERIOD, n);
}

/* --------------------------------------------------------------------------------------- steps */

static bool
is_patience(void)
{
    return errno == EAGAIN || errno == EINTR;
}

enum step
stream_source(struct stream *s)
{
    for (int i = 0; i < TURN; i++) {
        size_t want = s->end && s->end - s->pos < CHUNK ? (size_t)(s->end - s->pos) : CHUNK;
        ssize_t n = send(s->fd, payload + s->pos % PERIOD, want, 0);
        if (n < 0)
            return is_patience() ? STEP_WAIT : STEP_OVER;
        s->pos += (uint64_t)n;
        if (n < CHUNK)
            return STEP_WAIT;
    }
    return STEP_WAIT;
}

static void
count(struct board *b, const struct stream *s, size_t n)
{
    int64_t now = now_ns(), start = b->start_ns;
    if (s->run != b->run || now < start || now >= b->end_ns)
        return;
    b->bytes += n;
    int64_t bin = (now - start) / BIN_NS;
    if (bin < BOARD_BINS)
        b->bin[bin] += n;
}

enum step
stream_sink(struct stream *s, struct board *b)
{
    static uint8_t buf[CHUNK];
    for (int i = 0; i < TURN; i++) {
        ssize_t n = recv(s->fd, buf, sizeof buf, 0);
        if (n < 0)
            return is_patience() ? STEP_WAIT : STEP_OVER;
        if (n == 0)
            return STEP_OVER;
        if (memcmp(buf, payload + s->pos % PERIOD, (size_t)n) != 0)
            return STEP_WRONG;
        s->pos += (uint64_t)n;
        count(b, s, (size_t)n);
        if ((size_t)n < sizeof buf)
            return STEP_WAIT;
    }
    return STEP_WAIT;
}

/* --------------------------------------------------------------------------------------- hello */

void
hello_write(struct stream *s, uint64_t run, uint64_t seed)
{
    uint32_t magic = MAGIC, start = (uint32_t)payload_start(seed) << 8 | (uint32_t)s->mode;
    memcpy(s->hello, &magic, 4);
    memcpy(s->hello + 4, &start, 4);
    memcpy(s->hello + 8, &run, 8);
    s->hello_n = 0;
    s->run = run;
    s->pos = payload_start(seed);
    s->end = s->mode == MODE_FETCH ? s->pos + FETCH_BYTES : 0;
}

bool
hello_read(struct stream *s)
{
    uint32_t magic, start;
    memcpy(&magic, s->hello, 4);
    memcpy(&start, s->hello + 4, 4);
    memcpy(&s->run, s->hello + 8, 8);
    s->mode = (enum mode)(start & 0xff);
    s->pos = start >> 8;
    s->end = s->mode == MODE_FETCH ? s->pos + FETCH_BYTES : 0;
    return magic == MAGIC && (s->mode == MODE_UP || s->mode == MODE_DOWN || s->mode == MODE_FETCH ||
                              s->mode == MODE_ECHO);
}

bool
hello_send(struct stream *s)
{
    if (s->hello_n < HELLO_BYTES) {
        ssize_t n = send(s->fd, s->hello + s->hello_n, HELLO_BYTES - s->hello_n, 0);
        if (n > 0)
            s->hello_n += (size_t)n;
    }
    return s->hello_n == HELLO_BYTES;
}

void
socket_setup(int fd, const char *cc)
{
    int one = 1;
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (cc && setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, cc, (socklen_t)strlen(cc)) < 0)
        err(EXIT_FAILURE, "congestion control %s", cc);
}
