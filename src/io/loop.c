/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "io/loop.h"

#include <assert.h>
#include <dirent.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define FDS_MAX (1u << 20)  /* more than this nobody needs, and some systems say "unlimited" */
#define SLEPT_US FOG_SEC(2) /* shorter sleeps break nothing */
#define FD_RETRY FOG_MS(100)
#define ALARM_LATE FOG_MS(500) /* we did not run meanwhile: the world was not silent */

static void fd_retry(struct alarm *a);

static fog_time
read_clock(void)
{
    return (fog_time)(uv_hrtime() / 1000);
}

fog_time
fogi_loop_now(struct loop *l)
{
    return l->fresh ? l->now : fogi_loop_refresh(l);
}

void
fogi_loop_slept(struct loop *l, fog_time slept)
{
    bool grew = slept - l->slept > SLEPT_US;
    l->slept = slept;
    if (grew && l->resumed)
        loop_later(l, l->resumed);
}

/** The clock that goes on while the host sleeps, less the one that does not. */
static fog_time
read_slept(fog_time now)
{
    struct timespec ts;
    if (clock_gettime(CLOCK_BOOTTIME, &ts))
        return 0;
    return FOG_SEC(ts.tv_sec) + ts.tv_nsec / 1000 - now;
}

fog_time
fogi_loop_refresh(struct loop *l)
{
    l->now = read_clock();
    if (!l->fresh) {
        l->turns++;
        fogi_loop_slept(l, read_slept(l->now));
    }
    l->fresh = true;
    return l->now;
}

/** Runs what the events of this turn asked for. A pump that asks again waits for the next turn
 *  behind a timer of its own, so this ends. */
static void
finish_turn(uv_prepare_t *handle)
{
    struct loop *l = handle->data;
    struct list *link;
    while ((link = list_pop(&l->pumps))) {
        struct pump *p = list_entry(link, struct pump, link);
        p->run(p);
    }
    if (l->fresh) {
        uint64_t took = (uint64_t)(read_clock() - l->now);
        if (took > l->late_us)
            l->late_us = took;
    }
    l->fresh = false;
}

static uint32_t
raise_fd_limit(void)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r))
        return 1024;
    rlim_t hard = r.rlim_max > FDS_MAX ? FDS_MAX : r.rlim_max;
    if (r.rlim_cur < hard) {
        r.rlim_cur = hard;
        if (setrlimit(RLIMIT_NOFILE, &r) || getrlimit(RLIMIT_NOFILE, &r))
            return 1024;
    }
    return r.rlim_cur > FDS_MAX ? FDS_MAX : (uint32_t)r.rlim_cur;
}

/** Descriptors open now; a guess where the system does not tell. */
static uint32_t
count_fds(void)
{
    uint32_t n = 0;
    DIR *d = opendir("/proc/self/fd");
    if (!d)
        return 16;
    while (readdir(d))
        n++;
    closedir(d);
    return n > 3 ? n - 3 : 0; /* ".", ".." and the directory itself */
}

int
fogi_loop_init(struct loop *l)
{
    memset(l, 0, sizeof *l);
    list_init(&l->pumps);
    list_init(&l->fd_waiters);
    l->fds_max = raise_fd_limit();
    int err = uv_loop_init(&l->uv);
    if (err)
        return err;
    uv_prepare_init(&l->uv, &l->end_of_turn);
    l->end_of_turn.data = l;
    uv_prepare_start(&l->end_of_turn, finish_turn);
    uv_unref((uv_handle_t *)&l->end_of_turn);
    fogi_alarm_init(&l->fd_retry, l, fd_retry);
    l->fds = count_fds();
    fogi_loop_refresh(l);
    return 0;
}

void
fogi_loop_run(struct loop *l)
{
    uv_run(&l->uv, UV_RUN_DEFAULT);
}

void
fogi_loop_stop(struct loop *l)
{
    uv_stop(&l->uv);
}

bool
fogi_loop_free(struct loop *l)
{
    uv_close((uv_handle_t *)&l->end_of_turn, NULL);
    fogi_alarm_close(&l->fd_retry, NULL);
    /* A look-up cannot be interrupted and may take half a minute: do not wait for it. */
    for (int i = 0; i < 8 && uv_run(&l->uv, UV_RUN_NOWAIT); i++)
        ;
    if (l->requests)
        return false;
    int err = uv_loop_close(&l->uv);
    assert(!err && "who opened a handle has closed it");
    return !err;
}

static void
on_timer(uv_timer_t *t)
{
    struct alarm *a = t->data;
    fog_time now = fogi_loop_refresh(a->loop);
    if (now - a->at > ALARM_LATE && !a->late) {
        a->late = true;
        uv_timer_start(t, on_timer, 1, 0);
        return;
    }
    a->late = false;
    a->at = FOG_TIME_NEVER;
    a->ring(a);
}

void
fogi_alarm_init(struct alarm *a, struct loop *l, void (*ring)(struct alarm *a))
{
    *a = (struct alarm){.loop = l, .ring = ring, .at = FOG_TIME_NEVER};
    uv_timer_init(&l->uv, &a->timer);
    a->timer.data = a;
}

void
fogi_alarm_set(struct alarm *a, fog_time at)
{
    if (at == FOG_TIME_NEVER) {
        a->at = at;
        a->late = false;
        uv_timer_stop(&a->timer);
        return;
    }
    uint64_t due_ms = at <= 0 ? 0 : ((uint64_t)at + 999) / 1000, now_ms = uv_now(&a->loop->uv);
    bool same = a->at != FOG_TIME_NEVER && a->due_ms == due_ms;
    a->at = at;
    a->due_ms = due_ms;
    if (!same)
        uv_timer_start(&a->timer, on_timer, due_ms > now_ms ? due_ms - now_ms : 0, 0);
}

static void
on_alarm_closed(uv_handle_t *h)
{
    struct alarm *a = h->data;
    if (a->closed)
        a->closed(a);
}

void
fogi_alarm_close(struct alarm *a, void (*closed)(struct alarm *a))
{
    if (!a->loop || uv_is_closing((uv_handle_t *)&a->timer))
        return;
    a->closed = closed;
    uv_close((uv_handle_t *)&a->timer, on_alarm_closed);
}

void
fogi_loop_fd_taken(struct loop *l)
{
    l->fds++;
}

static void
wake_fd_waiters(struct loop *l)
{
    struct list *link;
    fogi_alarm_set(&l->fd_retry, FOG_TIME_NEVER);
    while ((link = list_pop(&l->fd_waiters)))
        list_push(&l->pumps, link);
}

static void
fd_retry(struct alarm *a)
{
    wake_fd_waiters(a->loop);
}

void
fogi_loop_fd_given(struct loop *l)
{
    l->fds--;
    if (!list_is_empty(&l->fd_waiters) && loop_fd_free(l))
        wake_fd_waiters(l);
}

void
fogi_loop_fd_wait(struct loop *l, struct pump *p)
{
    l->limit_fds_hit++;
    list_unlink(&p->link);
    list_push(&l->fd_waiters, &p->link);
    if (l->fd_retry.at == FOG_TIME_NEVER)
        fogi_alarm_set(&l->fd_retry, fogi_loop_now(l) + FD_RETRY);
}

int
fogi_loop_random(struct loop *l, void *buf, size_t len)
{
    return uv_random(&l->uv, NULL, buf, len, 0, NULL);
}

const char *
fogi_io_text(int err)
{
    return err > -1000 ? strerror(-err) : uv_strerror(err); /* names have numbers of libuv's own */
}
