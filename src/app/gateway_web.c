/* SPDX-License-Identifier: MIT
 *
 * gateway_web.c - what a visitor of the gateway gets: a static site, or a plain server's errors.
 *
 * Decides which file is opened: beneath the root, following no link at all. Refuses to know who
 * asks. Invariant: what is answered depends on the request's method, target and a few plain fields
 * only; a wrong password and no password get the same bytes (threats S13).
 */
#define _GNU_SOURCE
#include "app/gateway_int.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PIECE 16384 /* read from a file at a time */

struct web_answer {
    struct site_answer a;
    size_t head_sent;
    uint64_t body_sent;
    int fd; /* -1: no file */
    bool stays;
};

uint64_t
fogi_unix_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static int64_t
unix_s(void)
{
    return (int64_t)(fogi_unix_ms() / 1000);
}

/* ------------------------------------------------------------------------------------------ files
 */

int
fogi_web_open_root(const char *path)
{
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/** Opens name beneath root, part by part; -1: there is none that may be shown. Takes nothing. */
static int
open_beneath(int root, const char *name)
{
    char part[SITE_PATH_MAX];
    int at = root;
    do {
        size_t len = strcspn(name, "/");
        bool last = !name[len];
        memcpy(part, name, len);
        part[len] = 0;
        int fd = openat(at, len ? part : ".",
                        O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | (last ? 0 : O_DIRECTORY));
        if (at != root)
            close(at);
        if (fd < 0)
            return -1;
        at = fd;
        name += last ? len : len + 1;
    } while (*name);
    return at;
}

/** The index of a folder that is open as fd, which is closed. */
static int
open_index(int fd)
{
    int index = openat(fd, "index.html", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    close(fd);
    return index;
}

/* ---------------------------------------------------------------------------------------- answers
 */

static struct web_answer *
new_answer(struct session *s)
{
    struct fog_alloc *al = &s->g->p->al;
    s->web = al->alloc(al->ctx, sizeof *s->web);
    if (!s->web)
        return NULL;
    memset(s->web, 0, sizeof *s->web);
    s->web->fd = -1;
    s->g->n.visits++;
    return s->web;
}

void
fogi_web_free(struct session *s)
{
    struct fog_alloc *al = &s->g->p->al;
    if (!s->web)
        return;
    if (s->web->fd >= 0) {
        close(s->web->fd);
        fogi_loop_fd_given(&s->g->p->loop);
    }
    al->free(al->ctx, s->web, sizeof *s->web);
    s->web = NULL;
}

bool
fogi_web_stays(const struct session *s)
{
    return s->web->stays;
}

bool
fogi_web_error(struct session *s, int status)
{
    struct site_ask ask = {0};
    struct web_answer *w = new_answer(s);
    if (!w)
        return false;
    fogi_site_error(&w->a, status, &ask, unix_s());
    return true;
}

static struct site_ask
read_ask(const struct head *h)
{
    struct head_text t;
    struct site_ask ask = {.head = fogi_text_is(fogi_head_method(h), "HEAD"),
                           .keep_alive = h->minor == 1 && h->body == HEAD_BODY_NONE &&
                                         !fogi_head_lists(h, "connection", "close")};
    if (fogi_head_find(h, "range", 0, &t)) {
        ask.range = t.at;
        ask.range_len = t.len;
    }
    if (fogi_head_find(h, "if-modified-since", 0, &t)) {
        ask.if_modified_since = t.at;
        ask.if_modified_since_len = t.len;
    }
    return ask;
}

/** The site under the name the visitor used, or the configured one. */
static bool
site_name(const struct session *s, struct dest *d)
{
    const struct gateway_conf *c = s->g->live.conf;
    struct head_text host;
    memset(d, 0, sizeof *d);
    if (s->redirect && c->domain) {
        d->port = c->listen.port;
        return fogi_dest_host(d, c->domain, strlen(c->domain)) == 0;
    }
    if (!fogi_head_find(s->ws.head, "host", 0, &host) ||
        fogi_dest_authority(d, host.at, host.len, s->g->live.tls ? 443 : 80))
        return false;
    if (s->redirect)
        d->port = c->listen.port;
    return true;
}

/** Another place: the port with TLS, or a folder with its slash. */
static void
answer_elsewhere(struct session *s, const struct site_ask *ask, const char *slash)
{
    struct head_text target = fogi_head_target(s->ws.head);
    struct site_answer *a = &s->web->a;
    char text[SITE_TARGET_MAX];
    struct dest d;
    size_t path = 0;
    while (path < target.len && target.at[path] != '?')
        path++;
    size_t len = target.len + strlen(slash);
    if (!site_name(s, &d) || len > sizeof text) {
        fogi_site_error(a, 404, ask, unix_s());
        return;
    }
    memcpy(text, target.at, path);
    memcpy(text + path, slash, strlen(slash));
    memcpy(text + path + strlen(slash), target.at + path, target.len - path);
    fogi_site_redirect(a, s->g->live.tls != NULL, &d, text, len, ask, unix_s());
}

/** True when the file of the request stands in w. */
static bool
answer_file(struct session *s, const struct site_ask *ask)
{
    struct head_text target = fogi_head_target(s->ws.head);
    struct web_answer *w = s->web;
    struct site_path path;
    struct stat st;
    int root = s->g->live.webroot;
    if (root < 0 || !loop_fd_free(&s->g->p->loop) || fogi_site_path(&path, target.at, target.len))
        return false;
    int fd = open_beneath(root, path.name);
    if (fd >= 0 && path.folder)
        fd = open_index(fd);
    if (fd < 0)
        return false;
    if (fstat(fd, &st) || (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) ||
        (path.folder && !S_ISREG(st.st_mode))) {
        close(fd);
        return false;
    }
    if (S_ISDIR(st.st_mode)) {
        close(fd);
        answer_elsewhere(s, ask, "/");
        return true;
    }
    struct site_file f = {.mime = fogi_site_mime(path.folder ? "index.html" : path.name),
                          .size = (uint64_t)st.st_size,
                          .modified_s = st.st_mtime};
    fogi_site_file(&w->a, &f, ask, unix_s());
    if (w->a.len) {
        w->fd = fd;
        fogi_loop_fd_taken(&s->g->p->loop);
    } else
        close(fd);
    return true;
}

bool
fogi_web_answer(struct session *s)
{
    const struct head *h = s->ws.head;
    struct site_ask ask = read_ask(h);
    struct web_answer *w = new_answer(s);
    if (!w)
        return false;
    w->stays = ask.keep_alive && s->g->p->phase == PROCESS_RUNNING;
    ask.keep_alive = w->stays;
    if (s->redirect)
        answer_elsewhere(s, &ask, "");
    else if (!ask.head && !fogi_text_is(fogi_head_method(h), "GET"))
        fogi_site_error(&w->a, 405, &ask, unix_s());
    else if (!answer_file(s, &ask))
        fogi_site_error(&w->a, 404, &ask, unix_s());
    return true;
}

/* ---------------------------------------------------------------------------------------- sending
 */

/** As fogi_web_send(), for the file. */
static int
send_file(struct session *s)
{
    struct web_answer *w = s->web;
    char piece[PIECE];
    while (w->fd >= 0 && w->body_sent < w->a.len) {
        uint64_t left = w->a.len - w->body_sent;
        size_t taken;
        ssize_t n = pread(w->fd, piece, left < PIECE ? (size_t)left : PIECE,
                          (off_t)(w->a.from + w->body_sent));
        if (n <= 0)
            return FOG_E_RESET; /* the file has become shorter than was promised */
        if (channel_write(s->c, piece, (size_t)n, &taken))
            return FOG_E_RESET;
        w->body_sent += taken;
        if (!taken)
            return 0;
        s->moved = process_now(s->g->p);
    }
    return 1;
}

int
fogi_web_send(struct session *s)
{
    struct web_answer *w = s->web;
    while (w->head_sent < w->a.head_len) {
        size_t taken;
        if (channel_write(s->c, w->a.head + w->head_sent, w->a.head_len - w->head_sent, &taken))
            return FOG_E_RESET;
        w->head_sent += taken;
        if (!taken)
            return 0;
    }
    return send_file(s);
}
