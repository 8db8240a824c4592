/* SPDX-License-Identifier: MIT
 *
 * demo_report.c - what the demo says: how it starts, one line while it runs, one table at the end.
 */
#define _GNU_SOURCE
#include "app/demo_int.h"

#include <string.h>

#define SEGMENT_LEN                                                                                \
    1250.0 /* bytes of a full datagram, of which 24 are its header (doc/wire.md)                   \
            */
#define PAYLOAD_LEN 1226.0

static double
mb(uint64_t bytes)
{
    return (double)bytes / 1e6;
}

static double
seconds(fog_time us)
{
    return (double)us / 1e6;
}

void
fogi_demo_print_start(const struct demo *d)
{
    const struct demo_options *o = &d->o;
    printf("link: %.0f ms each way", (double)o->delay_us / 1000);
    if (o->jitter_us)
        printf(" + 0..%.0f ms", (double)o->jitter_us / 1000);
    printf(", %g %% lost each way", o->loss * 100);
    if (o->rate_bps)
        printf(", %g Mbit/s", (double)o->rate_bps / 1e6);
    printf("; seed %llu\n", (unsigned long long)o->seed);
    printf("path: download -> client (pid %d) -> link -> server (pid %d) -> HTTP origin\n",
           d->client.process.pid, d->server.process.pid);
    fflush(stdout);
}

void
fogi_demo_print_progress(struct demo *d, fog_time now)
{
    const struct demo_download *w = &d->download;
    const struct demo_samples *s = d->echo.beside.n ? &d->echo.beside : &d->echo.alone;
    double passed = w->began ? seconds(now - w->began) : 0;
    char line[160];
    if (!w->began)
        snprintf(line, sizeof line, "%4.1f s  %s", seconds(now - d->began),
                 d->echo.back ? "round trips on the idle tunnel" : "waiting for the tunnel");
    else
        snprintf(line, sizeof line, "%4.1f s  %3.0f %%  %.1f of %.1f MB  %.1f Mbit/s",
                 seconds(now - d->began), 100 * (double)w->got / (double)w->size, mb(w->got),
                 mb(w->size), passed > 0 ? mb(w->got) * 8 / passed : 0);
    if (s->n)
        printf("%s%s  round trip %.0f ms%s", d->tty ? "\r" : "", line, s->ms[s->n - 1],
               d->tty ? "\033[K" : "\n");
    else
        printf("%s%s%s", d->tty ? "\r" : "", line, d->tty ? "\033[K" : "\n");
    d->progress_shown = d->tty;
    fflush(stdout);
}

static void
print_round_trips(const char *name, const struct demo_samples *s)
{
    printf("%-22s p50 %.0f ms, p99 %.0f ms (%zu messages of %d bytes)\n", name,
           fogi_demo_percentile(s, 0.5), fogi_demo_percentile(s, 0.99), s->n, DEMO_ECHO_LEN);
}

static void
print_wire(const struct demo *d)
{
    const struct emu_counters *up = fogi_emu_counters(d->relay.up);
    const struct emu_counters *down = fogi_emu_counters(d->relay.down);
    uint64_t wire = up->bytes + down->bytes;
    uint64_t content = d->download.got + 2 * (uint64_t)d->echo.back * DEMO_ECHO_LEN;
    double least = (SEGMENT_LEN + DEMO_OVERHEAD) / PAYLOAD_LEN / (1 - d->o.loss);
    printf("%-22s %.1f MB down + %.1f MB up, IP and UDP headers included\n", "on the wire",
           mb(down->bytes), mb(up->bytes));
    printf("%-22s %.2f bytes for each delivered (%.2f is the least at this loss, acks apart)\n",
           "  that is", (double)wire / (double)content, least);
    uint64_t lost = up->lost + down->lost + up->tail_dropped + down->tail_dropped;
    printf("%-22s %llu of %llu datagrams\n", "dropped by the link", (unsigned long long)lost,
           (unsigned long long)(up->datagrams + down->datagrams));
}

void
fogi_demo_print_table(const struct demo *d)
{
    const struct demo_download *w = &d->download;
    double took = seconds(w->ended - w->began), rtt = 2 * (double)d->o.delay_us / 1000;
    double p50 = fogi_demo_percentile(&d->echo.beside, 0.5);
    printf("\n%-22s %.1f MB in %.1f s, every byte compared\n", "downloaded", mb(w->got), took);
    printf("%-22s %.1f Mbit/s\n", "goodput", mb(w->got) * 8 / took);
    print_wire(d);
    printf("%-22s %.0f ms\n", "round trip: the link", rtt);
    print_round_trips("  tunnel, idle", &d->echo.alone);
    print_round_trips("  beside the download", &d->echo.beside);
    printf("%-22s client %.2f s, server %.2f s\n", "CPU", d->client.cpu_s, d->server.cpu_s);
    printf("\nShown: %.1f MB crossed a link that loses %g %% each way without one wrong or missing "
           "byte,\nand a small message sent meanwhile was back after %.0f ms (median) where the "
           "link alone takes %.0f ms.\n",
           mb(w->got), d->o.loss * 100, p50, rtt);
    fflush(stdout);
}
