/* SPDX-License-Identifier: MIT
 *
 * demo.c - puts the demo's parts together and takes them through its phases.
 *
 * Decides what happens when and what counts as failure. Refuses to know how any part works.
 * Invariant: whatever happens, the processes are ended by their ids and waited for, the client
 * before the server, before the demo returns.
 */
#define _GNU_SOURCE
#include "app/demo.h"
#include "app/demo_int.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STEP_MS 10
#define READY_LIMIT_US FOG_SEC(15) /* for the first answer through the tunnel      */
#define ALONE_US FOG_MS(1500)      /* round trips before the download              */
#define ECHO_EVERY_US FOG_MS(50)

enum phase {
    PHASE_READY,  /* until the echo answers through the tunnel */
    PHASE_ALONE,  /* round trips only                          */
    PHASE_LOAD,   /* the download, and round trips beside it   */
    PHASE_TAIL,   /* what was sent beside it comes back        */
    PHASE_CLIENT, /* the client ends                           */
    PHASE_SERVER, /* the server ends                           */
    PHASE_CLOSE   /* nothing is left but to let go             */
};

static void
set_error(struct demo *d, const char *what, const char *detail)
{
    if (!d->error[0])
        snprintf(d->error, sizeof d->error, "%s%s%s", what, detail ? ": " : "",
                 detail ? detail : "");
}

static void
enter(struct demo *d, enum phase phase, fog_time now)
{
    d->phase = (int)phase;
    d->phase_began = now;
}

/* Whether a process ended by itself, which it never should. */
static void
check_child(struct demo *d, const struct demo_child *c)
{
    char text[128];
    if (c->state != DEMO_CHILD_ENDED || d->phase >= PHASE_CLIENT)
        return;
    if (c->term_signal)
        snprintf(text, sizeof text, "foggara %s ended by signal %d", c->name, c->term_signal);
    else
        snprintf(text, sizeof text, "foggara %s ended with exit code %d", c->name, (int)c->status);
    set_error(d, text, NULL);
}

/* The echo's first connection may come before the client listens: tried again until it answers. */
static void
step_ready(struct demo *d, fog_time now)
{
    struct demo_probe *p = &d->echo.probe;
    bool idle = p->state == DEMO_PROBE_IDLE || p->state == DEMO_PROBE_FAILED ||
                p->state == DEMO_PROBE_ENDED;
    if (p->state == DEMO_PROBE_BODY) {
        d->ready_us = now - d->began;
        d->next_echo = now;
        enter(d, PHASE_ALONE, now);
    } else if (now - d->began > READY_LIMIT_US) {
        set_error(d, "no answer through the tunnel in 15 s", p->error[0] ? p->error : NULL);
    } else if (idle && !p->open && now - d->phase_began >= FOG_MS(30)) {
        d->phase_began = now;
        int rc = fogi_demo_probe_start(p, &d->loop, "/echo", d->client_port);
        if (rc != 0)
            set_error(d, "cannot connect to the client", uv_strerror(rc));
    }
}

static void
step_alone(struct demo *d, fog_time now)
{
    if (now - d->phase_began < ALONE_US)
        return;
    d->download.began = now;
    d->echo.beside_from = d->echo.sent;
    int rc = fogi_demo_probe_start(&d->download.probe, &d->loop, "/data", d->client_port);
    if (rc != 0)
        set_error(d, "cannot connect to the client", uv_strerror(rc));
    enter(d, PHASE_LOAD, now);
}

static void
step_load(struct demo *d, fog_time now)
{
    const struct demo_probe *p = &d->download.probe;
    if (fogi_demo_download_done(&d->download)) {
        d->echo.beside_to = d->echo.sent;
        enter(d, PHASE_TAIL, now);
        if (fogi_emu_counters(d->relay.down)->delivered_bytes < d->download.got)
            set_error(d, "the download did not cross the link", NULL);
    } else if (p->state == DEMO_PROBE_ENDED) {
        set_error(d, "the download ended early", NULL);
    } else if (p->state == DEMO_PROBE_FAILED) {
        set_error(d, "the download failed", p->error);
    }
}

static void
step_echo(struct demo *d, fog_time now)
{
    if (d->echo.probe.state == DEMO_PROBE_FAILED || d->echo.probe.state == DEMO_PROBE_ENDED)
        set_error(d, "the round trips stopped",
                  d->echo.probe.error[0] ? d->echo.probe.error : "the connection was closed");
    if (now < d->next_echo || d->phase > PHASE_LOAD)
        return;
    d->next_echo += ECHO_EVERY_US;
    if (d->next_echo < now)
        d->next_echo = now + ECHO_EVERY_US;
    fogi_demo_echo_send(&d->echo, now);
}

/* Ends what is left, in order. */
static void
step_end(struct demo *d, fog_time now)
{
    if (d->phase == PHASE_CLIENT) {
        fogi_demo_child_end(&d->client, now);
        if (d->client.state == DEMO_CHILD_ENDED || d->client.state == DEMO_CHILD_NONE)
            enter(d, PHASE_SERVER, now);
    }
    if (d->phase == PHASE_SERVER) {
        fogi_demo_child_end(&d->server, now);
        if (d->server.state == DEMO_CHILD_ENDED || d->server.state == DEMO_CHILD_NONE)
            enter(d, PHASE_CLOSE, now);
    }
    if (d->phase != PHASE_CLOSE)
        return;
    fogi_demo_relay_stop(&d->relay);
    fogi_demo_origin_stop(&d->origin);
    uv_close((uv_handle_t *)&d->timer, NULL);
    uv_close((uv_handle_t *)&d->on_int, NULL);
    uv_close((uv_handle_t *)&d->on_term, NULL);
}

static void
step_run(struct demo *d, fog_time now)
{
    if (d->phase == PHASE_READY)
        step_ready(d, now);
    else
        step_echo(d, now);
    if (d->phase == PHASE_ALONE)
        step_alone(d, now);
    if (d->phase == PHASE_LOAD)
        step_load(d, now);
    if (d->phase == PHASE_TAIL &&
        (d->echo.back == d->echo.sent || now - d->phase_began > FOG_SEC(5)))
        enter(d, PHASE_CLIENT, now);
    if (now >= d->next_progress) {
        fogi_demo_print_progress(d, now);
        d->next_progress = now + (d->tty ? FOG_MS(200) : FOG_SEC(3));
    }
    if (now - d->began > d->o.limit_us) {
        char text[96];
        snprintf(text, sizeof text, "%.1f of %.1f MB after %.0f s", (double)d->download.got / 1e6,
                 (double)d->o.size / 1e6, (double)d->o.limit_us / 1e6);
        set_error(d, "not finished in time", text);
    }
}

static void
on_step(uv_timer_t *timer)
{
    struct demo *d = timer->data;
    fog_time now = demo_now();
    check_child(d, &d->client);
    check_child(d, &d->server);
    if (d->phase < PHASE_CLIENT && !d->error[0])
        step_run(d, now);
    if (d->phase < PHASE_CLIENT && d->error[0])
        enter(d, PHASE_CLIENT, now);
    if (d->phase >= PHASE_CLIENT) {
        fogi_demo_probe_stop(&d->download.probe);
        fogi_demo_probe_stop(&d->echo.probe);
        step_end(d, now);
    }
}

static void
on_signal(uv_signal_t *signal, int number)
{
    struct demo *d = signal->data;
    (void)number;
    d->interrupted = true;
    set_error(d, "interrupted", NULL);
}

/* A port that was free a moment ago, for a process that must be told one. */
static int
free_port(int type, uint16_t *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, type, 0), rc = fd < 0 ? -1 : 0;
    if (rc == 0)
        rc = bind(fd, (const struct sockaddr *)&a, sizeof a);
    if (rc == 0)
        rc = getsockname(fd, (struct sockaddr *)&a, &len);
    *port = ntohs(a.sin_port);
    if (fd >= 0)
        close(fd);
    return rc;
}

static void
start_children(struct demo *d, uint16_t server_port)
{
    char listen[32], to[32];
    snprintf(listen, sizeof listen, DEMO_IP ":%u", server_port);
    snprintf(to, sizeof to, DEMO_IP ":%u", d->origin.port);
    int rc = fogi_demo_child_start(&d->server, &d->loop, "server", listen, "-t", to, &d->o);
    if (rc != 0) {
        set_error(d, "cannot start the server", uv_strerror(rc));
        return;
    }
    snprintf(listen, sizeof listen, DEMO_IP ":%u", d->client_port);
    snprintf(to, sizeof to, DEMO_IP ":%u", d->relay.port);
    rc = fogi_demo_child_start(&d->client, &d->loop, "client", listen, "-r", to, &d->o);
    if (rc != 0)
        set_error(d, "cannot start the client", uv_strerror(rc));
}

static void
start(struct demo *d)
{
    uint16_t server_port = 0;
    uv_timer_init(&d->loop, &d->timer);
    uv_signal_init(&d->loop, &d->on_int);
    uv_signal_init(&d->loop, &d->on_term);
    d->timer.data = d->on_int.data = d->on_term.data = d;
    uv_signal_start(&d->on_int, on_signal, SIGINT);
    uv_signal_start(&d->on_term, on_signal, SIGTERM);
    fogi_demo_download_init(&d->download, d->o.size, d->o.seed);
    fogi_demo_echo_init(&d->echo);
    int rc = fogi_demo_origin_start(&d->origin, &d->loop, d->o.size, d->o.seed);
    if (rc != 0)
        set_error(d, "cannot start the origin", uv_strerror(rc));
    if (free_port(SOCK_DGRAM, &server_port) != 0 || free_port(SOCK_STREAM, &d->client_port) != 0)
        set_error(d, "no free port on " DEMO_IP, NULL);
    rc = fogi_demo_relay_start(&d->relay, &d->loop, &d->o, server_port);
    if (rc != 0)
        set_error(d, "cannot start the relay", uv_strerror(rc));
    if (!d->error[0])
        start_children(d, server_port);
    if (!d->error[0])
        fogi_demo_print_start(d);
    uv_timer_start(&d->timer, on_step, 0, STEP_MS);
}

static int
finish(const struct demo *d)
{
    if (d->progress_shown)
        printf("\r\033[K");
    if (!d->error[0]) {
        fogi_demo_print_table(d);
        return 0;
    }
    fflush(stdout);
    fprintf(stderr, "foggara demo: %s\n", d->error);
    if (d->interrupted)
        return 130;
    fogi_demo_child_said(&d->client, stderr);
    fogi_demo_child_said(&d->server, stderr);
    return 1;
}

int
fogi_demo_main(int argc, char **argv)
{
    struct demo *d = calloc(1, sizeof *d);
    if (!d)
        return 1;
    int rc = fogi_demo_args(&d->o, argc, argv);
    if (rc < 0)
        fputs(fogi_demo_usage, stdout);
    if (rc != 0) {
        free(d);
        return rc < 0 ? 0 : rc;
    }
    d->began = d->phase_began = demo_now();
    d->tty = isatty(STDOUT_FILENO) != 0;
    signal(SIGPIPE, SIG_IGN);
    uv_loop_init(&d->loop);
    start(d);
    uv_run(&d->loop, UV_RUN_DEFAULT);
    uv_loop_close(&d->loop);
    rc = finish(d);
    fogi_demo_relay_free(&d->relay);
    free(d);
    return rc;
}
