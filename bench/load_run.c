/* SPDX-License-Identifier: MIT
 *
 * load_run.c - the near end: opens connections, drives them until the time or the count is over,
 * and prints what it saw. Refuses to know what carries the connections. Invariant: the board is
 * opened for counting before the first connection is, and closed by time.
 */
#define _GNU_SOURCE
#include "load.h"
#include "hostport.h"

#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EXIT_USAGE 64
#define EVENTS 256
#define SAMPLES_MAX 4000000
#define BESIDE_UPLOADS 4
#define OPENING_MAX 64       /* idle: streams that wait for their echo at the same time */
#define GRACE_NS 60000000000 /* connect and idle give up after so long */

enum kind { KIND_BULK, KIND_ASK, KIND_VISIT, KIND_HOLD };

struct load {
    struct board *board;
    struct sockaddr_in to;
    const char *what, *cc;
    double seconds, warm;
    int streams, count;
    bool bins;
    int poll;
    uint64_t run;
    uint64_t opened, done; /* connections opened, and those with their echo */
    int64_t *sample;       /* round trips, ns */
    size_t samples;
    struct stream *asking; /* the one whose round trips are measured */
};

/* ----------------------------------------------------------------------------------- one stream */

static void
watch(struct load *l, struct stream *s, int op, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.ptr = s};
    if (epoll_ctl(l->poll, op, s->fd, &e) < 0)
        err(EXIT_FAILURE, "epoll");
}

static void
open_stream(struct load *l, enum mode mode, enum kind kind)
{
    struct stream *s = calloc(1, sizeof *s);
    if (!s)
        errx(EXIT_FAILURE, "no memory");
    s->mode = mode;
    s->kind = kind;
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s->fd < 0)
        err(EXIT_FAILURE, "socket");
    socket_setup(s->fd, l->cc);
    hello_write(s, l->run, ++l->opened);
    s->asked_ns = now_ns();
    if (connect(s->fd, (struct sockaddr *)&l->to, sizeof l->to) < 0 && errno != EINPROGRESS)
        err(EXIT_FAILURE, "connect");
    watch(l, s, EPOLL_CTL_ADD, EPOLLOUT);
    if (kind == KIND_ASK)
        l->asking = s;
}

static void
close_stream(struct load *l, struct stream *s)
{
    if (l->asking == s)
        l->asking = NULL;
    close(s->fd);
    free(s);
}

static void
ask(struct stream *s)
{
    payload_copy(s->pos, s->echo, ECHO_BYTES);
    s->echo_n = 0;
    if (send(s->fd, s->echo, ECHO_BYTES, 0) != ECHO_BYTES)
        errx(EXIT_FAILURE, "64 bytes do not fit into an idle socket");
}

static void
note(struct load *l, int64_t ns)
{
    if (now_ns() - l->board->start_ns >= (int64_t)(l->warm * 1e9) && l->samples < SAMPLES_MAX)
        l->sample[l->samples++] = ns;
}

/** The answer is here. */
static enum step
answered(struct load *l, struct stream *s)
{
    int64_t now = now_ns();
    l->done++;
    s->done = true;
    note(l, now - s->asked_ns);
    if (s->kind == KIND_HOLD)
        return STEP_WAIT;
    if (s->kind == KIND_VISIT)
        return STEP_OVER;
    s->pos += ECHO_BYTES;
    s->asked_ns = now;
    ask(s);
    return STEP_WAIT;
}

static enum step
hear(struct load *l, struct stream *s)
{
    uint8_t buf[ECHO_BYTES];
    ssize_t n = recv(s->fd, buf, ECHO_BYTES - s->echo_n, 0);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? STEP_WAIT : STEP_OVER;
    if (n == 0)
        return STEP_OVER;
    if (memcmp(buf, s->echo + s->echo_n, (size_t)n) != 0)
        return STEP_WRONG;
    s->echo_n += (size_t)n;
    return s->echo_n == ECHO_BYTES ? answered(l, s) : STEP_WAIT;
}

static enum step
receive(struct load *l, struct stream *s)
{
    enum step step = stream_sink(s, l->board);
    return step != STEP_WRONG && s->end && s->pos >= s->end ? answered(l, s) : step;
}

/** The connection is made: say what we want. */
static enum step
begin(struct load *l, struct stream *s)
{
    int error = 0;
    socklen_t len = sizeof error;
    getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len);
    if (error)
        return STEP_OVER;
    if (!hello_send(s) || s->mode == MODE_UP)
        return STEP_WAIT;
    watch(l, s, EPOLL_CTL_MOD, EPOLLIN);
    if (s->kind == KIND_ASK)
        s->asked_ns = now_ns(); /* of a visit the connecting counts, of a round trip it does not */
    if (s->mode == MODE_ECHO)
        ask(s);
    return STEP_WAIT;
}

/** Visits and held streams end as expected after their answer; all others only with the run. */
static void
drive(struct load *l, struct stream *s)
{
    enum step step = STEP_WAIT;
    if (s->hello_n < HELLO_BYTES)
        step = begin(l, s);
    else if (s->mode == MODE_UP)
        step = stream_source(s);
    else if (s->mode == MODE_DOWN || s->mode == MODE_FETCH)
        step = receive(l, s);
    else
        step = hear(l, s);
    if (step == STEP_WAIT)
        return;
    if (step == STEP_WRONG)
        l->board->wrong++;
    else if (s->kind != KIND_VISIT || !s->done)
        l->board->broken++;
    bool again = s->kind == KIND_VISIT && l->opened < (uint64_t)l->count;
    enum mode mode = s->mode;
    close_stream(l, s);
    if (again)
        open_stream(l, mode, KIND_VISIT);
}

/* ------------------------------------------------------------------------------------ whole runs
 */

static void
turn(struct load *l, int64_t until)
{
    struct epoll_event e[EVENTS];
    int64_t left = (until - now_ns()) / 1000000 + 1;
    int n = epoll_wait(l->poll, e, EVENTS, left < 1 ? 1 : (int)left);
    for (int i = 0; i < n; i++)
        drive(l, e[i].data.ptr);
}

static void
start_run(struct load *l)
{
    struct board *b = l->board;
    b->run = l->run = (uint64_t)now_ns();
    b->bytes = b->wrong = b->broken = 0;
    for (size_t i = 0; i < BOARD_BINS; i++)
        b->bin[i] = 0;
    b->start_ns = now_ns();
    b->end_ns = b->start_ns + (int64_t)(l->seconds * 1e9);
}

static void
run_for_time(struct load *l)
{
    bool up = strcmp(l->what, "up") == 0, down = strcmp(l->what, "down") == 0;
    int bulk = up || down ? l->streams : strcmp(l->what, "beside") == 0 ? BESIDE_UPLOADS : 0;
    for (int i = 0; i < bulk; i++)
        open_stream(l, down ? MODE_DOWN : MODE_UP, KIND_BULK);
    if (!up && !down)
        open_stream(l, MODE_ECHO, KIND_ASK);
    while (now_ns() < l->board->end_ns)
        turn(l, l->board->end_ns);
}

static void
run_for_count(struct load *l)
{
    bool idle = strcmp(l->what, "idle") == 0;
    int64_t until = now_ns() + GRACE_NS;
    l->board->end_ns = until;
    for (int i = 0; !idle && i < l->streams && i < l->count; i++)
        open_stream(l, strcmp(l->what, "fetch") ? MODE_ECHO : MODE_FETCH, KIND_VISIT);
    while (l->done + l->board->broken + l->board->wrong < (uint64_t)l->count && now_ns() < until) {
        while (idle && l->opened < (uint64_t)l->count && l->opened - l->done < OPENING_MAX)
            open_stream(l, MODE_ECHO, KIND_HOLD);
        turn(l, until);
    }
    l->board->end_ns = now_ns();
}

/* --------------------------------------------------------------------------------------- report */

static int
by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static double
percentile(const struct load *l, double share)
{
    return l->samples ? (double)l->sample[(size_t)(share * (double)(l->samples - 1) + 0.5)] / 1e6
                      : 0;
}

/** A question that waits for longer than any answer took counts as if answered now. */
static void
count_waiting(struct load *l)
{
    int64_t longest = 0;
    for (size_t i = 0; i < l->samples; i++)
        longest = l->sample[i] > longest ? l->sample[i] : longest;
    if (l->asking && now_ns() - l->asking->asked_ns > longest)
        note(l, now_ns() - l->asking->asked_ns);
}

static void
report(struct load *l)
{
    struct board *b = l->board;
    count_waiting(l);
    qsort(l->sample, l->samples, sizeof l->sample[0], by_size);
    double seconds = (double)(b->end_ns - b->start_ns) / 1e9;
    printf("{\"load\":\"%s\",\"seconds\":%.6f,\"bytes\":%" PRIu64 ",\"mbit_s\":%.3f,", l->what,
           seconds, (uint64_t)b->bytes, (double)b->bytes * 8 / 1e6 / seconds);
    printf("\"opened\":%" PRIu64 ",\"done\":%" PRIu64 ",\"wrong\":%" PRIu64 ",\"broken\":%" PRIu64
           ",",
           l->opened, l->done, (uint64_t)b->wrong, (uint64_t)b->broken);
    printf("\"samples\":%zu,\"p50_ms\":%.4f,\"p99_ms\":%.4f,\"max_ms\":%.4f", l->samples,
           percentile(l, 0.5), percentile(l, 0.99), percentile(l, 1));
    for (size_t i = 0; l->bins && i < (size_t)(seconds * 1e9 / BIN_NS) && i < BOARD_BINS; i++)
        printf("%s%" PRIu64, i ? "," : ",\"bins\":[", (uint64_t)b->bin[i]);
    puts(l->bins ? "]}" : "}");
    fflush(stdout);
}

/* -------------------------------------------------------------------------------------- options */

static void
read_options(struct load *l, int argc, char **argv)
{
    static const struct option NAMES[] = {
        /* clang-format off */
        {"to",      1, NULL, 't'}, {"board", 1, NULL, 'b'}, {"seconds", 1, NULL, 's'},
        {"streams", 1, NULL, 'n'}, {"count", 1, NULL, 'k'}, {"warm",    1, NULL, 'w'},
        {"cc",      1, NULL, 'c'}, {"bins",  0, NULL, 'i'}, {NULL, 0, NULL, 0},
        /* clang-format on */
    };
    const char *board = NULL;
    bool placed = false;
    for (int c; (c = getopt_long(argc, argv, "", NAMES, NULL)) != -1;) {
        switch (c) {
        /* clang-format off */
        case 't': placed = hostport(optarg, &l->to);      break;
        case 'b': board = optarg;                         break;
        case 's': l->seconds = strtod(optarg, NULL);      break;
        case 'n': l->streams = atoi(optarg);              break;
        case 'k': l->count = atoi(optarg);                break;
        case 'w': l->warm = strtod(optarg, NULL);         break;
        case 'c': l->cc = optarg;                         break;
        case 'i': l->bins = true;                         break;
        default: exit(EXIT_USAGE);
            /* clang-format on */
        }
    }
    if (!placed || !board)
        errx(EXIT_USAGE, "%s needs --to ADDR:PORT and --board FILE", l->what);
    l->board = board_open(board);
}

int
load_run(const char *what, int argc, char **argv)
{
    struct load l = {.what = what, .seconds = 10, .streams = 1, .count = 2000};
    read_options(&l, argc, argv);
    l.sample = malloc(SAMPLES_MAX * sizeof *l.sample);
    l.poll = epoll_create1(EPOLL_CLOEXEC);
    if (!l.sample || l.poll < 0)
        errx(EXIT_FAILURE, "no memory");
    start_run(&l);
    if (!strcmp(what, "connect") || !strcmp(what, "fetch") || !strcmp(what, "idle"))
        run_for_count(&l);
    else
        run_for_time(&l);
    report(&l);
    if (strcmp(what, "idle") == 0)
        while (getchar() != EOF) {
        }
    return l.board->wrong ? EXIT_FAILURE : 0;
}
