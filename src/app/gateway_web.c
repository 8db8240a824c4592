/* SPDX-License-Identifier: MIT
 *
 * gateway_web.c - what a visitor of the gateway gets: a static site, or a plain server's errors.
 *
 * Decides which file is opened: beneath the root, following no link at all. Refuses to know who
 * asks. Invariant: what is answered depends on the request's method, target and a few plain fields
 * only; a wrong password and no password get the same bytes (threats S13). A method no file has is
 * refused where a file is, and where none is, that is said first, as web servers do.
 */
#define _GNU_SOURCE
#include "app/gateway_int.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PIECE 16384           /* read from a file at a time                    */
#define TURN_MAX (16 * PIECE) /* ... and sent in one turn, so that others have theirs */

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

/** Value of the one field of this name that counts; NULL: there is none. */
static const char *
field(const struct head *h, const char *name, size_t *len)
{
    struct head_text t = {NULL, 0};
    bool is_there = fogi_head_find(h, name, 0, &t);
    *len = t.len;
    return is_there ? t.at : NULL;
}

/** A small body is dropped behind the answer; any other ends the connection. */
static bool
wants_to_stay(const struct head *h)
{
    bool readable =
        h->body == HEAD_BODY_NONE || (h->body == HEAD_BODY_LENGTH && h->length <= WEB_BODY_MAX);
    return readable && (h->minor == 1 || fogi_head_lists(h, "connection", "keep-alive")) &&
           !fogi_head_lists(h, "connection", "close");
}

static struct site_ask
read_ask(const struct head *h)
{
    struct site_ask ask = {.head = fogi_text_is(fogi_head_method(h), "HEAD"),
                           .keep_alive = wants_to_stay(h)};
    ask.range = field(h, "range", &ask.range_len);
    ask.if_range = field(h, "if-range", &ask.if_range_len);
    ask.if_modified_since = field(h, "if-modified-since", &ask.if_modified_since_len);
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
answer_elsewhere(struct session *s, struct head_text target, const struct site_ask *ask,
                 const char *slash)
{
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

/** Opens what a path names, the index of a folder where it ends in a slash; -1: nothing is there
 *  that may be shown. */
static int
open_path(const struct gateway *g, const struct site_path *path, struct stat *st)
{
    if (g->live.webroot < 0 || !loop_fd_free(&g->p->loop))
        return -1;
    int fd = open_beneath(g->live.webroot, path->name);
    if (fd >= 0 && path->folder)
        fd = open_index(fd);
    if (fd < 0)
        return -1;
    if (!fstat(fd, st) && (S_ISREG(st->st_mode) || (S_ISDIR(st->st_mode) && !path->folder)))
        return fd;
    close(fd);
    return -1;
}

/** True when the answer for something that is there stands in w. */
static bool
answer_file(struct session *s, struct head_text target, const struct site_ask *ask)
{
    struct head_text method = fogi_head_method(s->ws.head);
    struct web_answer *w = s->web;
    struct site_path path;
    struct stat st;
    int fd = fogi_site_path(&path, target.at, target.len) ? -1 : open_path(s->g, &path, &st);
    if (fd < 0)
        return false;
    struct site_file f = {.mime = fogi_site_mime(path.folder ? "index.html" : path.name),
                          .size = (uint64_t)st.st_size,
                          .modified_s = st.st_mtime};
    if (!ask->head && !fogi_text_is(method, "GET"))
        fogi_site_error(&w->a, 405, ask, unix_s());
    else if (S_ISDIR(st.st_mode))
        answer_elsewhere(s, target, ask, "/");
    else
        fogi_site_file(&w->a, &f, ask, unix_s());
    if (w->a.len) {
        w->fd = fd;
        fogi_loop_fd_taken(&s->g->p->loop);
    } else
        close(fd);
    return true;
}

/** Whether a request is one for a site at all: its target a path, its Host a host. */
static bool
is_for_a_site(const struct head *h, struct head_text *target)
{
    struct head_text host;
    struct dest d;
    *target = fogi_head_target(h);
    target->at = fogi_site_origin(target->at, &target->len);
    return target->at && (!fogi_head_find(h, "host", 0, &host) ||
                          !fogi_dest_authority(&d, host.at, host.len, 80));
}

bool
fogi_web_answer(struct session *s)
{
    const struct head *h = s->ws.head;
    struct head_text target;
    struct site_ask ask = read_ask(h);
    struct web_answer *w = new_answer(s);
    if (!w)
        return false;
    bool good = is_for_a_site(h, &target);
    w->stays = good && ask.keep_alive && s->g->p->phase == PROCESS_RUNNING;
    ask.keep_alive = w->stays;
    s->body = w->stays ? h->length : 0;
    if (!good)
        fogi_site_error(&w->a, 400, &ask, unix_s());
    else if (h->length > WEB_BODY_MAX)
        fogi_site_error(&w->a, 413, &ask, unix_s());
    else if (s->redirect)
        answer_elsewhere(s, target, &ask, "");
    else if (!answer_file(s, target, &ask))
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
    uint64_t until = w->body_sent + TURN_MAX;
    while (w->fd >= 0 && w->body_sent < w->a.len) {
        if (w->body_sent >= until) {
            fogi_alarm_set(&s->alarm, process_now(s->g->p)); /* goes on in the next turn */
            return 0;
        }
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
