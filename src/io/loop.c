/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "io/loop.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define FDS_MAX (1u << 20)  /* more than this nobody needs, and some systems say "unlimited" */
#define SLEPT_US FOG_SEC(2) /* shorter sleeps break nothing */
#define FD_RETRY FOG_MS(100)
#define ALARM_LATE FOG_MS(500) /* we did not run meanwhile: the world was not silent */
#define ALARM_UNIT FOG_MS(1)   /* alarms ring at whole ones                          */
#define TIMER_KEPT FOG_MS(2)   /* so soon the timer may fire for nothing             */

static void fd_retry(struct alarm *a);
static void set_timer(struct loop *l);
static void tell_closed(struct loop *l);
static void on_timer(uv_poll_t *poll, int status, int events);

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
    tell_closed(l);
    set_timer(l);
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

static int
open_timer(struct loop *l)
{
    l->timer_at = l->soonest = FOG_TIME_NEVER;
    l->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (l->timer_fd < 0)
        return -errno;
    int err = uv_poll_init(&l->uv, &l->timer, l->timer_fd);
    if (err) {
        close(l->timer_fd);
        return err;
    }
    l->timer.data = l;
    uv_unref((uv_handle_t *)&l->timer);
    return uv_poll_start(&l->timer, UV_READABLE, on_timer);
}

int
fogi_loop_init(struct loop *l)
{
    memset(l, 0, sizeof *l);
    list_init(&l->pumps);
    list_init(&l->fd_waiters);
    list_init(&l->alarms);
    list_init(&l->closed);
    l->fds_max = raise_fd_limit();
    int err = uv_loop_init(&l->uv);
    if (!err)
        err = open_timer(l);
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
    uv_close((uv_handle_t *)&l->timer, NULL);
    close(l->timer_fd);
    fogi_alarm_close(&l->fd_retry, NULL);
    /* A look-up cannot be interrupted and may take half a minute: do not wait for it. */
    for (int i = 0; i < 8 && uv_run(&l->uv, UV_RUN_NOWAIT); i++)
        ;
    tell_closed(l);
    if (l->requests)
        return false;
    int err = uv_loop_close(&l->uv);
    assert(!err && "who opened a handle has closed it");
    return !err;
}

/* --------------------------------------------------------------------------------------- alarms */

/** Sets the timer once a turn at most: earlier, or to the first alarm when it has fired or would
 *  wake us for nothing some time from now. */
static void
set_timer(struct loop *l)
{
    fog_time at = l->soonest;
    bool anew = l->fired || (l->moved && l->timer_at - fogi_loop_now(l) > TIMER_KEPT);
    l->soonest = FOG_TIME_NEVER;
    l->moved = false;
    if (!anew && at >= l->timer_at)
        return;
    if (anew) {
        at = FOG_TIME_NEVER;
        for (struct list *i = l->alarms.next; i != &l->alarms; i = i->next) {
            fog_time due = list_entry(i, struct alarm, link)->due;
            at = due < at ? due : at;
        }
    }
    struct itimerspec spec = {0};
    if (at != FOG_TIME_NEVER)
        spec.it_value = (struct timespec){at / FOG_SEC(1), at % FOG_SEC(1) * 1000 + (at <= 0)};
    timerfd_settime(l->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL); /* forgets that it has fired */
    l->timer_at = at;
    l->fired = false;
}

/** The loop goes on while an alarm is set. */
static void
hold_loop(struct loop *l)
{
    if (list_is_empty(&l->alarms))
        uv_unref((uv_handle_t *)&l->timer);
    else
        uv_ref((uv_handle_t *)&l->timer);
}

/** Whether the timer stands on a. */
static bool
is_first(const struct alarm *a)
{
    return list_is_linked(&a->link) && a->due == a->loop->timer_at;
}

static void
unset(struct alarm *a)
{
    a->loop->moved |= is_first(a);
    list_unlink(&a->link);
    a->at = FOG_TIME_NEVER;
    a->late = false;
    hold_loop(a->loop);
}

static void
set(struct alarm *a, fog_time due)
{
    struct loop *l = a->loop;
    l->moved |= is_first(a);
    a->due = due;
    if (due < l->soonest)
        l->soonest = due;
    list_unlink(&a->link);
    list_push(&l->alarms, &a->link);
    hold_loop(l);
}

static void
ring(struct alarm *a, fog_time now)
{
    if (now - a->at > ALARM_LATE && !a->late) {
        a->late = true;
        set(a, now + ALARM_UNIT);
        return;
    }
    unset(a);
    a->ring(a);
}

static void
on_timer(uv_poll_t *poll, int status, int events)
{
    struct loop *l = poll->data;
    struct list due, *next;
    fog_time now = fogi_loop_refresh(l);
    (void)status;
    (void)events;
    l->fired = true;
    list_init(&due);
    for (struct list *i = l->alarms.next; i != &l->alarms; i = next) {
        next = i->next;
        if (list_entry(i, struct alarm, link)->due > now)
            continue;
        list_unlink(i);
        list_push(&due, i);
    }
    /* Who rings may set and close any of them. */
    while (!list_is_empty(&due)) {
        struct alarm *a = list_entry(due.next, struct alarm, link);
        list_unlink(&a->link);
        ring(a, now);
    }
    hold_loop(l);
}

void
fogi_alarm_init(struct alarm *a, struct loop *l, void (*ring_fn)(struct alarm *a))
{
    *a = (struct alarm){.loop = l, .ring = ring_fn, .at = FOG_TIME_NEVER};
    list_init(&a->link);
}

void
fogi_alarm_set(struct alarm *a, fog_time at)
{
    if (a->closing)
        return;
    if (at == FOG_TIME_NEVER) {
        unset(a);
        return;
    }
    /* What is far may be late by a hundredth: alarms of many loops meet, and wake whoever they
     * write to once. */
    fog_time ahead = at - a->loop->now;
    fog_time unit = ahead > FOG_SEC(5) ? FOG_MS(50) : ahead > FOG_SEC(1) ? FOG_MS(10) : ALARM_UNIT;
    fog_time due = at <= 0 ? 0 : (at + unit - 1) / unit * unit;
    bool same = a->at != FOG_TIME_NEVER && a->due == due;
    a->at = at;
    if (!same)
        set(a, due);
}

static void
tell_closed(struct loop *l)
{
    struct list *link;
    while ((link = list_pop(&l->closed))) {
        struct alarm *a = list_entry(link, struct alarm, link);
        a->closed(a);
    }
}

void
fogi_alarm_close(struct alarm *a, void (*closed)(struct alarm *a))
{
    if (!a->loop || a->closing)
        return;
    unset(a);
    a->closing = true;
    a->closed = closed;
    if (closed)
        list_push(&a->loop->closed, &a->link);
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
    switch (err) { /* names have numbers of libuv's own */
    case UV_EAI_AGAIN:
        return "no answer from the name servers";
    case UV_EAI_NODATA:
    case UV_EAI_NONAME:
        return "no such name";
    default:
        return err > -1000 ? strerror(-err) : uv_strerror(err);
    }
}
