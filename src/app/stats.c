/* SPDX-License-Identifier: MIT */
#include "app/stats.h"

#include "io/log.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NAME_WIDTH 36

/* clang-format off */
#define ARQ_COUNTERS(X)                                                                         \
    X(datagrams_in) X(datagrams_out) X(bytes_in) X(bytes_out) X(segments_in) X(segments_out)    \
    X(resent) X(lost) X(late) X(redundant) X(timeouts) X(duplicates) X(ahead) X(acks_in)        \
    X(acks_out) X(bad_format) X(bad_conv) X(bad_una) X(stale_acks) X(forged_acks)               \
    X(limit_window_hit) X(limit_segments_hit) X(limit_datagram_hit) X(limit_acks_hit)           \
    X(limit_empty_hit) X(limit_amplification_hit) X(limit_memory_hit) X(probes_out)             \
    X(windows_out) X(zero_windows) X(blackouts)
#define MUX_COUNTERS(X)                                                                         \
    X(frames_in) X(frames_out) X(opened) X(closed) X(resets_in) X(resets_out) X(late)           \
    X(glitches) X(pings_out) X(pings_answered) X(pings_missed) X(inflated) X(deflated)          \
    X(fins_held) X(limit_streams_hit) X(limit_stream_recv_hit) X(limit_tunnel_recv_hit)         \
    X(limit_frame_in_hit) X(limit_inflate_hit) X(limit_inflate_turn_hit) X(limit_opens_hit)     \
    X(limit_resets_hit) X(limit_glitches_hit) X(limit_frames_hit) X(limit_pings_hit)            \
    X(limit_empties_hit) X(limit_frame_time_hit) X(limit_handshake_hit)                         \
    X(limit_half_closed_hit) X(limit_idle_hit) X(limit_slow_hit) X(limit_ids_hit)               \
    X(limit_reason_hit) X(limit_memory_hit)
#define ENDPOINT_COUNTERS(X)                                                                    \
    X(datagrams_in) X(bytes_in) X(datagrams_out) X(bytes_out) X(opened) X(validated)            \
    X(replaced) X(dropped) X(strangers) X(unknown_out) X(bad) X(limit_sessions_hit)             \
    X(limit_per_source_hit) X(limit_pending_hit) X(limit_pending_per_net_hit)                   \
    X(limit_openings_hit) X(limit_pending_time_hit) X(limit_memory_hit)
#define UDP_COUNTERS(X)                                                                         \
    X(calls_in) X(calls_out) X(full) X(refused) X(too_long) X(hints)
/* clang-format on */

/* A counter that is added to a struct but not to its list here changes the size. */
#define COUNT_ONE(name) +1
static_assert(sizeof(struct fog_arq_counters) == 8 * (0 ARQ_COUNTERS(COUNT_ONE)), "all are listed");
static_assert(sizeof(struct fog_mux_counters) == 8 * (0 MUX_COUNTERS(COUNT_ONE)), "all are listed");
static_assert(sizeof(struct fog_endpoint_counters) == 8 * (0 ENDPOINT_COUNTERS(COUNT_ONE)),
              "all are listed");
static_assert(sizeof(struct udp_counters) == 8 * (0 UDP_COUNTERS(COUNT_ONE)), "all are listed");

static void FOG_PRINTF(2, 3) add(struct stats *st, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(st->text + st->len, sizeof st->text - st->len, fmt, ap);
    va_end(ap);
    /* What does not fit is left out, whole lines only. */
    if (n > 0 && (size_t)n < sizeof st->text - st->len)
        st->len += (size_t)n;
    st->text[st->len] = 0;
}

void
fogi_stats_line(struct stats *st, const char *name, uint64_t value)
{
    add(st, "%-*s %llu\n", NAME_WIDTH, name, (unsigned long long)value);
}

/* clang-format off */
#define PROCESS_LINE(name) fogi_stats_line(st, "process." #name, p->n.name);
#define ARQ_LINE(name) fogi_stats_line(st, "arq." #name, st->arq.name);
#define MUX_LINE(name) fogi_stats_line(st, "mux." #name, st->mux.name);
#define UDP_LINE(name) fogi_stats_line(st, "udp." #name, st->udp.name);
#define ENDPOINT_LINE(name) fogi_stats_line(st, "endpoint." #name, e->n.name);
#define ADD(name) sum->name += n->name;
/* clang-format on */

static void
add_arq(struct fog_arq_counters *sum, const struct fog_arq_counters *n)
{
    ARQ_COUNTERS(ADD)
}

static void
add_mux(struct fog_mux_counters *sum, const struct fog_mux_counters *n)
{
    MUX_COUNTERS(ADD)
}

static void
add_udp(struct udp_counters *sum, const struct udp_counters *n)
{
    UDP_COUNTERS(ADD)
}

void
fogi_stats_session(struct stats *st, const char *name, const struct fog_session *s, fog_time now)
{
    struct fog_session_status is;
    char rate[32] = "";
    fog_session_status(s, &is);
    add_arq(&st->arq, &is.arq.n);
    add_mux(&st->mux, &is.mux.n);
    if (st->len > sizeof st->text / 2)
        return; /* hundreds of tunnels: their sums say more */
    if (is.arq.rate)
        snprintf(rate, sizeof rate, ", sends at %.3g Mbit/s", (double)is.arq.rate * 8e-6);
    add(st,
        "tunnel %s: %u streams, srtt %.1f ms, rto %.1f ms, flight %u segments, peer window %u, "
        "queued %zu bytes, unread %zu bytes, holds %zu bytes, heard %.1f s ago%s%s\n",
        name, is.mux.streams, (double)is.arq.srtt_us / 1000, (double)is.arq.rto_us / 1000,
        is.arq.flight_segs, is.arq.peer_wnd, is.arq.queued, is.mux.recv_held, is.held,
        (double)(now - is.arq.last_input) / 1e6, is.mux.extended ? ", foggara" : "", rate);
}

void
fogi_stats_endpoint(struct stats *st, const struct fog_endpoint_status *e)
{
    fogi_stats_line(st, "endpoint.sessions", e->sessions);
    fogi_stats_line(st, "endpoint.pending", e->pending);
    ENDPOINT_COUNTERS(ENDPOINT_LINE)
}

void
fogi_stats_udp(struct stats *st, const struct udp_counters *n)
{
    add_udp(&st->udp, n);
}

static void
process_lines(struct stats *st, struct process *p)
{
    fogi_stats_line(st, "uptime_s", (uint64_t)(process_now(p) - p->started) / 1000000);
    fogi_stats_line(st, "connections", p->relays);
    fogi_stats_line(st, "descriptors", p->loop.fds);
    fogi_stats_line(st, "descriptors_max", p->loop.fds_max);
    fogi_stats_line(st, "limit_fds_hit", p->loop.limit_fds_hit);
    fogi_stats_line(st, "memory", p->budget.used);
    fogi_stats_line(st, "memory_max", p->budget.limit);
    fogi_stats_line(st, "limit_memory_hit", p->budget.limit_memory_hit);
    fogi_stats_line(st, "loop_turns", p->loop.turns);
    fogi_stats_line(st, "loop_turn_longest_us", p->loop.late_us);
    PROCESS_COUNTERS(PROCESS_LINE)
}

static void
sum_lines(struct stats *st)
{
    ARQ_COUNTERS(ARQ_LINE)
    MUX_COUNTERS(MUX_LINE)
    UDP_COUNTERS(UDP_LINE)
}

const char *
fogi_stats_text(struct process *p, size_t *len)
{
    static struct stats st; /* too large for a stack, and there is one process */
    st.len = 0;
    st.arq = p->arq;
    st.mux = p->mux;
    st.udp = p->udp;
    process_lines(&st, p);
    p->role->dump(p->self, &st);
    sum_lines(&st);
    *len = st.len;
    return st.text;
}

void
fogi_stats_dump(struct process *p)
{
    size_t len;
    const char *text = fogi_stats_text(p, &len);
    for (size_t at = 0; at < len;) {
        ssize_t n = write(STDERR_FILENO, text + at, len - at);
        if (n <= 0)
            return; /* nobody reads; that is no reason to stop */
        at += (size_t)n;
    }
}
