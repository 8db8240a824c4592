/* SPDX-License-Identifier: MIT
 *
 * link.c - joins two network namespaces by an IP link with the simulator's link model, in real
 * time.
 *
 *     link --delay-ms 25 --rate-mbit 100 --queue-ms 100 --loss 0.01 [...]
 *
 * Decides what happens to each packet and when it comes out. Refuses to know what the packets are.
 * A packet first stands in the line's queue and is sent at the line's rate, then it is in the air,
 * where it may be lost: a lost packet has used the line. Each direction has its own two emus.
 *
 * Prints one line of JSON when the link is up, with the paths of both namespaces (enter them with
 * `nsenter --net=PATH`); one line of counters at each SIGUSR1 and at the end (SIGTERM). The first
 * SIGUSR1 also starts the clock of the dark times.
 * While packets flow it looks after them at most once per grain (0.2 ms): waking up for each would
 * cost more of a small machine than what is measured. After a pause the first one is looked after
 * at once. Invariant: a packet's times are computed from the time it was read, so that waking up
 * late delays single packets but never slows the link down.
 */
#define _GNU_SOURCE
#include "netns.h"

#include "emu/emu.h"

#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define EXIT_USAGE 64
#define EXIT_SKIPPED 77
#define ADDRESS_A "10.77.0.1"
#define ADDRESS_B "10.77.0.2"
#define PACKET_MAX 65536
#define CALM_US 10000 /* within so long, ...                                        */
#define CALM_MAX 16   /* ... packets come one by one when no more passes moved some */
#define BATCH 64      /* packets read from one side before the other gets its turn */

struct options {
    struct emu_options line, air;
    double queue_ms, dark_every_s, dark_for_s, dark_first_s;
    uint64_t seed;
    fog_time grain_us;
    int mtu;
};

struct way {
    struct emu *line, *air;
    int from, to;
    uint64_t refused; /* packets the far device did not take */
};

struct link {
    struct options o;
    struct netns side[2];
    struct way way[2];  /* a to b, b to a */
    fog_time dark_from; /* FOG_TIME_NEVER until the first SIGUSR1 */
    bool dark;
    fog_time calm_from; /* moving passes are counted since then */
    int calm_n;
};

static fog_time
clock_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (fog_time)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* ------------------------------------------------------------------------------------- one way */

/** The least time in the air: a packet on the line needs no attention before it could come out. */
static fog_time
air_least(const struct options *o)
{
    return o->air.reorder > 0 ? o->air.delay_us / 10 : o->air.delay_us;
}

/** Number of packets read. */
static int
take_in(struct way *w)
{
    static uint8_t packet[PACKET_MAX];
    fog_time now = clock_us();
    int i = 0;
    for (; i < BATCH; i++) {
        ssize_t n = read(w->from, packet, sizeof packet);
        if (n <= 0)
            break;
        fogi_emu_push(w->line, 0, packet, (size_t)n, now);
    }
    return i;
}

/** Number of packets handed over. */
static int
move_on(struct way *w, fog_time now)
{
    static uint8_t packet[PACKET_MAX];
    uint64_t tag;
    size_t len;
    int n = 0;
    for (fog_time at; (at = fogi_emu_deadline(w->line)) <= now;)
        if (fogi_emu_pop(w->line, &tag, packet, sizeof packet, &len, at))
            fogi_emu_push(w->air, 0, packet, len, at);
    for (; fogi_emu_pop(w->air, &tag, packet, sizeof packet, &len, now); n++)
        if (write(w->to, packet, len) < 0)
            w->refused++;
    return n;
}

static fog_time
due(const struct way *w, fog_time least)
{
    fog_time line = fogi_emu_deadline(w->line), air = fogi_emu_deadline(w->air);
    if (line != FOG_TIME_NEVER && line + least < air)
        return line + least;
    return air;
}

/* ---------------------------------------------------------------------------------- dark times */

/** Whether the link is dark at `now`, and until when that holds. */
static bool
is_dark(const struct link *l, fog_time now, fog_time *until)
{
    *until = FOG_TIME_NEVER;
    if (l->o.dark_every_s <= 0 || l->dark_from == FOG_TIME_NEVER)
        return false;
    fog_time every = (fog_time)(l->o.dark_every_s * 1e6),
             length = (fog_time)(l->o.dark_for_s * 1e6);
    fog_time first = l->dark_from + (fog_time)(l->o.dark_first_s * 1e6);
    if (now < first) {
        *until = first;
        return false;
    }
    fog_time phase = (now - first) % every;
    bool dark = phase < length;
    *until = now + (dark ? length : every) - phase;
    return dark;
}

static void
set_dark(struct link *l, bool dark)
{
    if (dark == l->dark)
        return;
    l->dark = dark;
    for (int i = 0; i < 2; i++)
        fogi_emu_dark(l->way[i].line, dark);
}

/* ------------------------------------------------------------------------------------ counters */

static void
print_way(const struct way *w, const char *name, uint64_t device_lost)
{
    const struct emu_counters *line = fogi_emu_counters(w->line), *air = fogi_emu_counters(w->air);
    printf("\"%s\":{\"packets\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"tail_dropped\":%" PRIu64
           ",\"dark_dropped\":%" PRIu64 ",\"lost\":%" PRIu64 ",\"delivered\":%" PRIu64
           ",\"delivered_bytes\":%" PRIu64 ",\"device_lost\":%" PRIu64 "}",
           name, line->datagrams, line->bytes, line->tail_dropped, line->dark_dropped,
           air->lost + line->lost, air->delivered, air->delivered_bytes, device_lost + w->refused);
}

static void
print_counters(const struct link *l)
{
    printf("{\"at_us\":%" PRId64 ",", clock_us());
    print_way(&l->way[0], "ab", netns_lost(&l->side[0]));
    putchar(',');
    print_way(&l->way[1], "ba", netns_lost(&l->side[1]));
    puts("}");
    fflush(stdout);
}

/* ----------------------------------------------------------------------------------------- run */

static int
signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/** false when the link shall end. */
static bool
obey(struct link *l, int fd)
{
    struct signalfd_siginfo s;
    while (read(fd, &s, sizeof s) == (ssize_t)sizeof s) {
        print_counters(l);
        if (s.ssi_signo != SIGUSR1)
            return false;
        if (l->dark_from == FOG_TIME_NEVER)
            l->dark_from = clock_us();
    }
    return true;
}

/** Moves what can be moved; *wake is when to look again. False when there was nothing. */
static bool
pass(struct link *l, fog_time least, fog_time *wake)
{
    int moved = 0;
    set_dark(l, is_dark(l, clock_us(), wake));
    for (int i = 0; i < 2; i++) {
        moved += take_in(&l->way[i]);
        moved += move_on(&l->way[i], clock_us());
    }
    for (int i = 0; i < 2; i++) {
        fog_time at = due(&l->way[i], least);
        *wake = at < *wake ? at : *wake;
    }
    return moved > 0;
}

/** Whether packets come so fast that a pass for each would be too many. */
static bool
is_busy(struct link *l, fog_time now)
{
    if (now - l->calm_from > CALM_US) {
        l->calm_from = now;
        l->calm_n = 0;
    }
    return ++l->calm_n > CALM_MAX;
}

/** Sleeps until `wake`, a signal, or, unless it is busy, a packet. */
static bool
rest(struct link *l, int orders, fog_time wake, bool busy)
{
    fog_time wait = wake == FOG_TIME_NEVER ? FOG_SEC(60) : wake - clock_us();
    wait = wait < 0 ? 0 : wait;
    struct timespec t = {wait / 1000000, wait % 1000000 * 1000};
    struct pollfd p[] = {
        {orders, POLLIN, 0}, {l->way[0].from, POLLIN, 0}, {l->way[1].from, POLLIN, 0}};
    if (ppoll(p, busy ? 1 : 3, &t, NULL) < 0 && errno != EINTR)
        err(EXIT_FAILURE, "ppoll");
    return !p[0].revents || obey(l, orders);
}

static void
run(struct link *l)
{
    int orders = signals();
    fog_time least = air_least(&l->o), wake;
    printf("{\"a\":\"/proc/%d/fd/%d\",\"b\":\"/proc/%d/fd/%d\",\"address_a\":\"%s\","
           "\"address_b\":\"%s\"}\n",
           getpid(), l->side[0].ns, getpid(), l->side[1].ns, ADDRESS_A, ADDRESS_B);
    fflush(stdout);
    for (bool on = true; on;) {
        bool moved = pass(l, least, &wake);
        fog_time now = clock_us();
        bool busy = moved && is_busy(l, now);
        on = rest(l, orders, busy ? now + l->o.grain_us : wake, busy);
    }
}

/** The link stands for hardware: it goes before the programs that are measured. */
static void
be_prompt(void)
{
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    prctl(PR_SET_TIMERSLACK, 1);
    struct sched_param p = {.sched_priority = 1};
    if (sched_setscheduler(0, SCHED_FIFO, &p) < 0)
        warn("no real-time priority, times are less exact");
}

static void
make_way(struct way *w, const struct options *o, uint64_t name, int from, int to)
{
    struct rng seed = {o->seed};
    w->from = from;
    w->to = to;
    if (fogi_emu_new(&w->line, &o->line, rng_split(&seed, name), fog_alloc_libc()) != 0 ||
        fogi_emu_new(&w->air, &o->air, rng_split(&seed, name + 2), fog_alloc_libc()) != 0)
        errx(EXIT_FAILURE, "no memory");
}

/* ------------------------------------------------------------------------------------- options */

static const char *const USAGE =
    "usage: link [OPTION...]\n"
    "Joins two new network namespaces (10.77.0.1 and 10.77.0.2) until SIGTERM.\n"
    "Both directions:\n"
    "  --delay-ms N      one way                --loss SHARE     0..1, after the queue\n"
    "  --jitter-ms N     added, 0..N, reorders  --burst N        mean length of a run of losses\n"
    "  --rate-mbit N     0: unlimited           --reorder SHARE  overtakes\n"
    "  --queue-ms N      of the rate            --mtu BYTES      1500\n"
    "  --dark-every-s N  --dark-for-s N  --dark-first-s N   after the first SIGUSR1\n"
    "  --seed N          --grain-us N    200\n";

static void
read_options(struct options *o, int argc, char **argv)
{
    static const struct option NAMES[] = {
        /* clang-format off */
        {"delay-ms",     1, NULL, 'd'}, {"jitter-ms",  1, NULL, 'j'}, {"rate-mbit",    1, NULL, 'r'},
        {"queue-ms",     1, NULL, 'q'}, {"loss",       1, NULL, 'l'}, {"burst",        1, NULL, 'b'},
        {"reorder",      1, NULL, 'o'}, {"mtu",        1, NULL, 'm'}, {"dark-every-s", 1, NULL, 'e'},
        {"dark-first-s", 1, NULL, 'F'}, {"dark-for-s", 1, NULL, 'f'}, {"seed",         1, NULL, 's'},
        {"grain-us",     1, NULL, 'g'}, {NULL, 0, NULL, 0},
        /* clang-format on */
    };
    for (int c; (c = getopt_long(argc, argv, "", NAMES, NULL)) != -1;) {
        double v = c == '?' ? 0 : strtod(optarg, NULL);
        switch (c) {
        /* clang-format off */
        case 'd': o->air.delay_us = (fog_time)(v * 1000);    break;
        case 'j': o->air.jitter_us = (fog_time)(v * 1000);   break;
        case 'l': o->air.loss = v;                           break;
        case 'b': o->air.burst = v;                          break;
        case 'o': o->air.reorder = v;                        break;
        case 'r': o->line.rate_bps = (uint64_t)(v * 1000000); break;
        case 'q': o->queue_ms = v;                           break;
        case 'm': o->mtu = (int)v;                           break;
        case 'e': o->dark_every_s = v;                       break;
        case 'f': o->dark_for_s = v;                         break;
        case 'F': o->dark_first_s = v;                       break;
        case 'g': o->grain_us = (fog_time)v;                 break;
        case 's': o->seed = strtoull(optarg, NULL, 0);       break;
        default: fputs(USAGE, stderr); exit(EXIT_USAGE);
            /* clang-format on */
        }
    }
    o->line.queue_bytes = (size_t)((double)o->line.rate_bps / 8 * o->queue_ms / 1000);
}

int
main(int argc, char **argv)
{
    struct link l = {.o = {.mtu = 1500, .seed = 1, .grain_us = 200}, .dark_from = FOG_TIME_NEVER};
    read_options(&l.o, argc, argv);
    if (geteuid() != 0) {
        fputs("link: needs root for its network namespaces; skipped\n", stderr);
        return EXIT_SKIPPED;
    }
    l.side[0] = netns_new(ADDRESS_A, l.o.mtu);
    l.side[1] = netns_new(ADDRESS_B, l.o.mtu);
    make_way(&l.way[0], &l.o, 1, l.side[0].tun, l.side[1].tun);
    make_way(&l.way[1], &l.o, 2, l.side[1].tun, l.side[0].tun);
    be_prompt();
    run(&l);
    return 0;
}
