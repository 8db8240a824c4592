/* SPDX-License-Identifier: MIT
 *
 * load_serve.c - the far end: does for each connection what its first bytes ask. Refuses to know
 * when a run begins or ends; the board says it.
 */
#define _GNU_SOURCE
#include "load.h"
#include "hostport.h"

#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EXIT_USAGE 64
#define BACKLOG 4096
#define EVENTS 256
#define ECHO_CHUNK 4096

struct server {
    struct board *board;
    const char *cc;
    int listener, poll;
};

static void
accept_all(struct server *v)
{
    for (int fd; (fd = accept4(v->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
        struct stream *s = calloc(1, sizeof *s);
        if (!s)
            errx(EXIT_FAILURE, "no memory");
        s->fd = fd;
        socket_setup(fd, v->cc);
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = s};
        epoll_ctl(v->poll, EPOLL_CTL_ADD, fd, &e);
    }
}

static void
watch(struct server *v, struct stream *s, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.ptr = s};
    epoll_ctl(v->poll, EPOLL_CTL_MOD, s->fd, &e);
}

static void
drop(struct stream *s)
{
    close(s->fd);
    free(s);
}

static enum step
echo(struct stream *s)
{
    uint8_t buf[ECHO_CHUNK];
    ssize_t n = recv(s->fd, buf, sizeof buf, 0);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        return STEP_OVER;
    /* Questions are short and asked one by one: an answer that does not fit is a fault. */
    return n > 0 && send(s->fd, buf, (size_t)n, 0) != n ? STEP_OVER : STEP_WAIT;
}

/** Reads the hello; true when it is whole. */
static bool
greeted(struct server *v, struct stream *s, enum step *step)
{
    ssize_t n = recv(s->fd, s->hello + s->hello_n, HELLO_BYTES - s->hello_n, 0);
    *step = n == 0 || (n < 0 && errno != EAGAIN) ? STEP_OVER : STEP_WAIT;
    if (n <= 0)
        return false;
    s->hello_n += (size_t)n;
    if (s->hello_n < HELLO_BYTES)
        return false;
    if (!hello_read(s)) {
        *step = STEP_WRONG;
        return false;
    }
    if (s->mode == MODE_DOWN || s->mode == MODE_FETCH)
        watch(v, s, EPOLLOUT);
    return true;
}

/** Sends what is asked for; then it is only left to wait for the end. */
static enum step
give(struct server *v, struct stream *s)
{
    enum step step = stream_source(s);
    if (step == STEP_WAIT && s->pos == s->end) {
        s->mode = MODE_ECHO;
        watch(v, s, EPOLLIN);
    }
    return step;
}

static void
serve(struct server *v, struct stream *s)
{
    enum step step = STEP_WAIT;
    if (s->hello_n < HELLO_BYTES && !greeted(v, s, &step)) {
        if (step == STEP_WRONG)
            v->board->wrong++;
        if (step != STEP_WAIT)
            drop(s);
        return;
    }
    switch (s->mode) {
    case MODE_UP:
        step = stream_sink(s, v->board);
        break;
    case MODE_DOWN:
        step = stream_source(s);
        break;
    case MODE_FETCH:
        step = give(v, s);
        break;
    case MODE_ECHO:
        step = echo(s);
        break;
    }
    if (step == STEP_WRONG)
        v->board->wrong++;
    if (step != STEP_WAIT)
        drop(s);
}

static void
listen_on(struct server *v, const char *at)
{
    struct sockaddr_in a;
    int one = 1;
    if (!hostport(at, &a))
        errx(EXIT_USAGE, "%s: not ADDR:PORT", at);
    v->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(v->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(v->listener, (struct sockaddr *)&a, sizeof a) < 0 || listen(v->listener, BACKLOG) < 0)
        err(EXIT_FAILURE, "%s", at);
    v->poll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(v->poll, EPOLL_CTL_ADD, v->listener, &e);
}

int
load_serve(int argc, char **argv)
{
    static const struct option NAMES[] = {{"listen", 1, NULL, 'l'},
                                          {"board", 1, NULL, 'b'},
                                          {"cc", 1, NULL, 'c'},
                                          {NULL, 0, NULL, 0}};
    struct server v = {0};
    const char *at = NULL, *board = NULL;
    for (int c; (c = getopt_long(argc, argv, "", NAMES, NULL)) != -1;) {
        switch (c) {
        case 'l':
            at = optarg;
            break;
        case 'b':
            board = optarg;
            break;
        case 'c':
            v.cc = optarg;
            break;
        default:
            return EXIT_USAGE;
        }
    }
    if (!at || !board)
        errx(EXIT_USAGE, "serve needs --listen and --board");
    v.board = board_open(board);
    listen_on(&v, at);
    for (struct epoll_event e[EVENTS];;) {
        int n = epoll_wait(v.poll, e, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            if (e[i].data.ptr)
                serve(&v, e[i].data.ptr);
            else
                accept_all(&v);
        }
    }
}
