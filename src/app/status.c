/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "app/status.h"

#include "app/stats.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 8
#define TURN_MAX 8             /* told in one turn of the loop; the others wait for the next */
#define PAUSE FOG_MS(100)      /* after the system could not accept                          */
#define SEND_BUFFER (64 << 10) /* all of a dump fits, whatever the system's default is       */
#define PATIENCE_S 5           /* for an answer                                              */

static_assert(sizeof((struct sockaddr_un *)0)->sun_path == CONF_PATH_MAX + 1,
              "a path that was accepted fits");

static int
address(struct sockaddr_un *sa, const char *path)
{
    *sa = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (!*path || strlen(path) >= sizeof sa->sun_path)
        return *path ? -ENAMETOOLONG : -EINVAL;
    memcpy(sa->sun_path, path, strlen(path));
    return 0;
}

/* --------------------------------------------------------------------------------------- telling
 */

static void
tell(struct status *s, int fd)
{
    size_t len;
    int bytes = SEND_BUFFER;
    const char *text = fogi_stats_text(s->p, &len);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    ssize_t n = send(fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)n; /* whoever has gone again is not told */
    close(fd);
}

static void
on_connection(uv_poll_t *h, int err, int events)
{
    struct status *s = h->data;
    (void)events;
    fogi_loop_refresh(&s->p->loop);
    for (int i = 0; i < TURN_MAX && !err; i++) {
        int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0)
            tell(s, fd);
        else if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
            return;
        else
            err = -errno;
    }
    if (err) { /* without a pause the loop would turn for nothing */
        uv_poll_stop(&s->poll);
        fogi_alarm_set(&s->again, process_now(s->p) + PAUSE);
    }
}

static void
on_again(struct alarm *a)
{
    struct status *s = list_entry(a, struct status, again);
    uv_poll_start(&s->poll, UV_READABLE, on_connection);
}

/* ----------------------------------------------------------------------------------- the socket */

/** Whether a process listens there; what cannot be known counts as one. */
static bool
is_answered(const struct sockaddr_un *sa)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return true;
    bool refused =
        connect(fd, (const struct sockaddr *)sa, sizeof *sa) != 0 && errno == ECONNREFUSED;
    close(fd);
    return !refused;
}

/** Only the user the process runs as may connect, from the first moment on. */
static int
bind_at(int fd, const struct sockaddr_un *sa)
{
    mode_t was = umask(0177);
    int err = bind(fd, (const struct sockaddr *)sa, sizeof *sa) ? -errno : 0;
    umask(was);
    return err;
}

/** As bind_at(), where something may stand that nobody listens on any more. */
static int
take_path(int fd, const struct sockaddr_un *sa)
{
    struct stat st;
    int err = bind_at(fd, sa);
    if (err != -EADDRINUSE || lstat(sa->sun_path, &st) || !S_ISSOCK(st.st_mode) || is_answered(sa))
        return err;
    return unlink(sa->sun_path) ? -errno : bind_at(fd, sa);
}

static int
listen_at(struct status *s, const struct sockaddr_un *sa)
{
    struct stat st;
    s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s->fd < 0)
        return -errno;
    int err = take_path(s->fd, sa);
    if (err)
        return err;
    if (lstat(sa->sun_path, &st) || listen(s->fd, BACKLOG))
        return -errno;
    s->dev = st.st_dev;
    s->ino = st.st_ino;
    return uv_poll_init(&s->p->loop.uv, &s->poll, s->fd);
}

int
fogi_status_open(struct status *s, struct process *p, const char *path)
{
    struct sockaddr_un sa;
    *s = (struct status){.fd = -1};
    if (!*path)
        return 0;
    int err = address(&sa, path);
    if (err)
        return err;
    s->p = p;
    err = listen_at(s, &sa);
    if (err) {
        if (s->fd >= 0)
            close(s->fd);
        s->p = NULL;
        return err;
    }
    memcpy(s->path, path, strlen(path) + 1);
    s->poll.data = s;
    fogi_alarm_init(&s->again, &p->loop, on_again);
    fogi_loop_fd_taken(&p->loop);
    return uv_poll_start(&s->poll, UV_READABLE, on_connection);
}

void
fogi_status_close(struct status *s)
{
    struct stat st;
    if (!s->p)
        return;
    uv_close((uv_handle_t *)&s->poll, NULL);
    fogi_alarm_close(&s->again, NULL);
    if (!lstat(s->path, &st) && st.st_dev == s->dev && st.st_ino == s->ino)
        unlink(s->path);
    close(s->fd);
    fogi_loop_fd_given(&s->p->loop);
    s->p = NULL;
}

/* ---------------------------------------------------------------------------------------- asking
 */

static int
copy_all(int fd, FILE *out)
{
    char buf[4096];
    ssize_t n;
    size_t total = 0;
    while ((n = recv(fd, buf, sizeof buf, 0)) > 0) {
        fwrite(buf, 1, (size_t)n, out);
        total += (size_t)n;
    }
    if (n < 0)
        return errno == EAGAIN ? -ETIMEDOUT : -errno;
    return total ? 0 : -ENODATA;
}

int
fogi_status_ask(const char *path, FILE *out)
{
    struct sockaddr_un sa;
    struct timeval patience = {.tv_sec = PATIENCE_S};
    int err = address(&sa, path);
    if (err)
        return err;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience); /* of connect() */
    if (connect(fd, (const struct sockaddr *)&sa, sizeof sa))
        err = errno == EAGAIN ? -ETIMEDOUT : -errno;
    else
        err = copy_all(fd, out);
    close(fd);
    return err;
}
