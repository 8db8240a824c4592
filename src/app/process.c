/* SPDX-License-Identifier: MIT */
#include "app/process.h"

#include "app/channel_tcp.h"
#include "app/relay.h"
#include "app/stats.h"
#include "gzip/gzip.h"
#include "io/log.h"
#include "io/notify.h"

#include <assert.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define KEPT_BYTES (2 << 20)       /* free memory not given back to the system       */
#define DRAINED_LOOK_US FOG_MS(20) /* how often a draining process looks for the end */
#define VPROXY_WND 1024            /* segments: the windows of fast1..fast4          */

static const int caught[] = {SIGTERM, SIGINT, SIGUSR1, SIGHUP};

static_assert(sizeof caught / sizeof *caught ==
                  sizeof((struct process *)0)->signals / sizeof((struct process *)0)->signals[0],
              "one handle per signal");
/* ---------------------------------------------------------------------------------------- phases
 */

static void
stop(struct process *p, const char *why)
{
    if (p->phase == PROCESS_STOPPED)
        return;
    if (p->phase == PROCESS_RUNNING)
        fogi_notify("STOPPING=1");
    p->phase = PROCESS_STOPPED;
    fogi_log(LOG_AT_INFO, "stopping: %s", why);
    p->role->stop(p->self);
    fogi_loop_stop(&p->loop);
}

static void
on_drain_time(struct alarm *a)
{
    struct process *p = list_entry(a, struct process, drain_time);
    stop(p, "streams were still open after 10 s");
}

static void
drain(struct process *p)
{
    if (p->phase != PROCESS_RUNNING) {
        stop(p, "asked twice");
        return;
    }
    p->phase = PROCESS_DRAINING;
    fogi_notify("STOPPING=1");
    fogi_log(LOG_AT_INFO,
             "draining: %u streams open, nothing new is taken; signal again to end now", p->relays);
    p->role->drain(p->self);
    if (!p->relays && !p->role->is_busy(p->self)) {
        stop(p, "no stream is open");
        return;
    }
    fogi_alarm_set(&p->drain_time, process_now(p) + PROCESS_DRAIN_US);
    fogi_alarm_set(&p->drained, process_now(p) + DRAINED_LOOK_US);
}

void
fogi_process_relay_began(struct process *p)
{
    p->relays++;
}

void
fogi_process_relay_ended(struct process *p)
{
    if (--p->relays == 0 && p->phase == PROCESS_DRAINING)
        fogi_alarm_set(&p->drained, process_now(p)); /* relays end deep inside tunnels' turns */
}

/** A connection may end while its last bytes wait for the tunnel, which nobody tells of: look. */
static void
on_drained(struct alarm *a)
{
    struct process *p = list_entry(a, struct process, drained);
    if (p->relays || p->phase != PROCESS_DRAINING)
        return;
    if (p->role->is_busy(p->self))
        fogi_alarm_set(&p->drained, process_now(p) + DRAINED_LOOK_US);
    else
        stop(p, "all streams ended");
}

/* --------------------------------------------------------------------------------------- signals
 */

/** Whether there were any. */
static bool
log_changes(const struct conf *was, const struct conf *is)
{
    bool any = false;
    char a[CONF_HOST_MAX + 16], b[CONF_HOST_MAX + 16];
    for (int i = 0; i < CONF_KEY_N; i++) {
        enum conf_key key = (enum conf_key)i;
        if (!fogi_conf_in_mode(key, is->mode) || fogi_conf_same(was, is, key))
            continue;
        any = true;
        fogi_conf_text(was, key, a, sizeof a);
        fogi_conf_text(is, key, b, sizeof b);
        fogi_log(LOG_AT_INFO, "reload: %s %s -> %s%s", fogi_conf_name(key), a, b,
                 fogi_conf_live(key) == CONF_LIVE_NEXT ? ", for the next tunnel" : "");
    }
    return any;
}

static void
log_lines(const struct conf_lines *lines)
{
    for (const char *line = lines->text; *line; line += strcspn(line, "\n") + 1)
        fogi_log(LOG_AT_WARN, "reload: %.*s", (int)strcspn(line, "\n"), line);
}

static void
reload(struct process *p)
{
    struct conf next, was = p->conf;
    struct conf_lines kept;
    if (!p->reload || p->reload(p->reload_ctx, &next)) {
        p->n.reloads_refused++;
        fogi_log(LOG_AT_WARN, "reload: the old configuration stays");
        return;
    }
    p->n.reloads++;
    fogi_log_level(next.log_level);
    fogi_conf_keep_fixed(&was, &next, &kept);
    log_lines(&kept);
    bool any = log_changes(&was, &next);
    p->conf = next;
    p->role->reload(p->self, &was);
    fogi_log(LOG_AT_INFO, any || p->role->rereads ? "reload: done" : "reload: nothing has changed");
}

static void
on_signal(uv_signal_t *s, int number)
{
    struct process *p = s->data;
    fogi_loop_refresh(&p->loop);
    if (!p->role || p->phase == PROCESS_STOPPED)
        return;
    if (number == SIGUSR1)
        fogi_stats_dump(p);
    else if (number == SIGHUP)
        reload(p);
    else
        drain(p);
}

static int
catch_signals(struct process *p)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGPIPE, &ignore, NULL); /* libuv writes without MSG_NOSIGNAL */
    for (size_t i = 0; i < sizeof caught / sizeof *caught; i++) {
        int err = uv_signal_init(&p->loop.uv, &p->signals[i]);
        if (err)
            return err;
        p->signals[i].data = p;
        err = uv_signal_start(&p->signals[i], on_signal, caught[i]);
        if (err)
            return err;
    }
    return 0;
}

/* -------------------------------------------------------------------------------- start and end */

/** Queues grow and shrink with every burst: without this the C library would hand their pages back
 *  to the system and ask for them again each time. */
static void
keep_pages(void)
{
#ifdef __GLIBC__
    mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
#endif
}

static int
open_status(struct process *p)
{
    int err = fogi_status_open(&p->status, p, p->conf.status);
    if (err) {
        fprintf(stderr, "foggara: status %s: %s\n", p->conf.status,
                err == UV_EADDRINUSE ? "another process answers there, or it is no socket"
                                     : fogi_io_text(err));
        fogi_process_free(p, EXIT_UNAVAILABLE);
    }
    return err;
}

int
fogi_process_init(struct process *p, const struct conf *c, app_reload_fn reload_fn, void *ctx)
{
    memset(p, 0, sizeof *p);
    p->conf = *c;
    p->reload = reload_fn;
    p->reload_ctx = ctx;
    keep_pages();
    fogi_log_level(c->log_level);
    fogi_budget_init(&p->budget, PROCESS_MEMORY_MAX, fog_alloc_libc());
    p->al = fogi_budget_alloc(&p->budget);
    int err = fogi_loop_init(&p->loop);
    if (err)
        return err;
    p->started = process_now(p);
    p->batch = fogi_udp_batch_new();
    if (!p->batch || fogi_gzip_new(&p->gzip))
        return UV_ENOMEM;
    fogi_alarm_init(&p->drain_time, &p->loop, on_drain_time);
    fogi_alarm_init(&p->drained, &p->loop, on_drained);
    err = fogi_loop_random(&p->loop, &p->rng, sizeof p->rng);
    if (!err)
        err = fogi_hangups_init(&p->hangups, &p->loop, fogi_relay_broke);
    if (!err)
        err = catch_signals(p);
    return err ? err : open_status(p);
}

void
fogi_process_run(struct process *p, const struct role *role, void *self)
{
    p->role = role;
    p->self = self;
    fogi_notify("READY=1"); /* it listens */
    fogi_loop_run(&p->loop);
}

/** From here on nobody handles the signals, and an impatient one must not look like a crash: they
 *  wait while libuv gives them up, and are forgotten after that. */
static void
ignore_signals(struct process *p)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigset_t ours;
    sigemptyset(&ours);
    for (size_t i = 0; i < sizeof caught / sizeof *caught; i++)
        sigaddset(&ours, caught[i]);
    sigprocmask(SIG_BLOCK, &ours, NULL);
    for (size_t i = 0; i < sizeof caught / sizeof *caught; i++) {
        if (p->signals[i].data)
            uv_signal_stop(&p->signals[i]);
        sigaction(caught[i], &ignore, NULL);
    }
    sigprocmask(SIG_UNBLOCK, &ours, NULL);
}

int
fogi_process_free(struct process *p, int code)
{
    ignore_signals(p);
    for (size_t i = 0; i < sizeof caught / sizeof *caught; i++)
        if (p->signals[i].data)
            uv_close((uv_handle_t *)&p->signals[i], NULL);
    fogi_status_close(&p->status);
    fogi_alarm_close(&p->drain_time, NULL);
    fogi_alarm_close(&p->drained, NULL);
    fogi_hangups_close(&p->hangups);
    fogi_hangups_close(&p->channel_hangups);
    if (!fogi_loop_free(&p->loop))
        _exit(code); /* leaving main would wait for the look-up's thread */
    fogi_udp_batch_free(p->batch);
    fogi_gzip_free(&p->gzip);
    return code;
}

void
fogi_process_watch_channel(struct process *p, const uv_tcp_t *t, struct channel *c)
{
    struct hangups *h = &p->channel_hangups;
    if (!h->loop && fogi_hangups_init(h, &p->loop, fogi_channel_tcp_broke))
        return; /* it is noticed later than it could be */
    fogi_hangup_watch(h, t, c);
}

/* ------------------------------------------------------------------------------------------ sums
 */

/** Adds n counters; all counter structs are nothing but uint64_t. */
static void
add_all(void *sum, const void *part, size_t size)
{
    uint64_t a, b;
    for (size_t at = 0; at < size; at += sizeof a) {
        memcpy(&a, (char *)sum + at, sizeof a);
        memcpy(&b, (const char *)part + at, sizeof b);
        a += b;
        memcpy((char *)sum + at, &a, sizeof a);
    }
}

void
fogi_process_add(struct process *p, const struct fog_session *s)
{
    struct fog_session_status st;
    fog_session_status(s, &st);
    add_all(&p->arq, &st.arq.n, sizeof p->arq);
    add_all(&p->mux, &st.mux.n, sizeof p->mux);
}

void
fogi_process_add_udp(struct process *p, const struct udp_counters *n)
{
    add_all(&p->udp, n, sizeof p->udp);
}

const char *
fogi_process_how(const struct conf *c, char buf[HOW_MAX])
{
    char fast[16], up[16], down[16], mtu[16], snd[16], rcv[16];
    fogi_conf_text(c, CONF_KEY_FAST, fast, sizeof fast);
    fogi_conf_text(c, CONF_KEY_UP, up, sizeof up);
    fogi_conf_text(c, CONF_KEY_DOWN, down, sizeof down);
    fogi_conf_text(c, CONF_KEY_MTU, mtu, sizeof mtu);
    fogi_conf_text(c, CONF_KEY_SNDWND, snd, sizeof snd);
    fogi_conf_text(c, CONF_KEY_RCVWND, rcv, sizeof rcv);
    snprintf(buf, HOW_MAX, "fast %s, up %s, down %s, mtu %s, windows %s and %s", fast, up, down,
             mtu, snd, rcv);
    return buf;
}

uint64_t
fogi_process_rate(const struct conf *c, uint32_t kbits)
{
    return (uint64_t)kbits * 125 / (c->mode == CONF_CLIENT && c->tunnels ? c->tunnels : 1);
}

int
fogi_process_session_options(struct process *p, enum fog_role role, struct fog_session_options *o)
{
    const struct conf *c = &p->conf;
    uint32_t ts;
    uint64_t seed;
    fog_session_options_init(o, role);
    o->via = c->via;
    int err = fogi_loop_random(&p->loop, &ts, sizeof ts);
    if (!err)
        err = fogi_loop_random(&p->loop, &seed, sizeof seed);
    if (err)
        return err;
    o->kcp.ts_base = ts;
    if (c->mtu && c->mtu < FOG_MTU_DEFAULT)
        o->kcp.mtu = c->mtu;
    o->kcp.mtu_most = c->mtu || role == FOG_CLIENT ? c->mtu : FOG_MTU_MAX;
    if (c->fast) {
        if (fog_kcp_options_fast(&o->kcp, c->fast))
            return UV_EINVAL;
        o->kcp.snd_wnd = o->kcp.rcv_wnd = VPROXY_WND;
    }
    if (c->up) {
        o->kcp.cc = FOG_CC_RATE;
        o->kcp.rate = fogi_process_rate(c, c->up);
    }
    o->down = fogi_process_rate(c, c->down);
    if (c->sndwnd)
        o->kcp.snd_wnd = c->sndwnd;
    if (c->rcvwnd)
        o->kcp.rcv_wnd = c->rcvwnd;
    o->mux.seed = seed;
    o->mux.gzip = &p->gzip;
    o->mux.compress = c->compress;
    o->mux.limits.streams = c->max_streams;
    if (o->mux.limits.opens.burst < c->max_streams) /* as many as may be open may open at once */
        o->mux.limits.opens.burst = c->max_streams;
    return 0;
}
