/* SPDX-License-Identifier: MIT
 *
 * demo_child.c - one process of this program: started, listened to, ended by its id and waited for.
 */
#define _GNU_SOURCE
#include "app/demo_int.h"

#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#define INSIST_US FOG_SEC(2) /* between asking, asking again and killing */

/* CPU seconds of all processes that have ended and been waited for. */
static double
ended_cpu_s(void)
{
    struct rusage u;
    if (getrusage(RUSAGE_CHILDREN, &u) != 0)
        return 0;
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void
on_exit(uv_process_t *process, int64_t status, int term_signal)
{
    static double before; /* children are ended one after the other, so the rest is this one's */
    struct demo_child *c = process->data;
    double all = ended_cpu_s();
    c->cpu_s = all - before;
    before = all;
    c->status = status;
    c->term_signal = term_signal;
    c->state = DEMO_CHILD_ENDED;
    uv_close((uv_handle_t *)process, NULL);
}

static void
on_alloc(uv_handle_t *handle, size_t hint, uv_buf_t *buf)
{
    struct demo_child *c = handle->data;
    (void)hint;
    *buf = uv_buf_init(c->chunk, sizeof c->chunk);
}

/* Keeps the end of what was said. */
static void
keep(struct demo_child *c, const char *text, size_t len)
{
    if (len > sizeof c->tail) {
        text += len - sizeof c->tail;
        len = sizeof c->tail;
    }
    if (c->tail_len + len > sizeof c->tail) {
        size_t gone = c->tail_len + len - sizeof c->tail;
        memmove(c->tail, c->tail + gone, c->tail_len - gone);
        c->tail_len -= gone;
    }
    memcpy(c->tail + c->tail_len, text, len);
    c->tail_len += len;
}

static void
on_said(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct demo_child *c = stream->data;
    if (n < 0) {
        uv_close((uv_handle_t *)stream, NULL);
        return;
    }
    keep(c, buf->base, (size_t)n);
    if (c->verbose)
        fwrite(buf->base, 1, (size_t)n, stderr);
}

static int
spawn(struct demo_child *c, uv_loop_t *loop, char **args)
{
    char path[4096];
    size_t len = sizeof path;
    int rc = uv_exepath(path, &len);
    if (rc != 0)
        return rc;
    args[0] = path;
    uv_stdio_container_t io[3] = {
        {.flags = UV_IGNORE},
        {.flags = UV_IGNORE},
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&c->err},
    };
    uv_process_options_t o = {
        .file = path, .args = args, .exit_cb = on_exit, .stdio = io, .stdio_count = 3};
    c->process.data = c;
    return uv_spawn(loop, &c->process, &o);
}

int
fogi_demo_child_start(struct demo_child *c, uv_loop_t *loop, const char *name, const char *listen,
                      const char *flag, const char *to, const struct demo_options *o)
{
    char words[7][64], *args[9] = {NULL};
    const char *from[7] = {name, "-l", listen, flag, to, NULL, NULL};
    char fast[16];
    c->name = name;
    c->verbose = o->verbose;
    if (o->fast) {
        snprintf(fast, sizeof fast, "%u", o->fast);
        from[5] = "--fast";
        from[6] = fast;
    }
    for (size_t i = 0; i < 7 && from[i]; i++) {
        snprintf(words[i], sizeof words[i], "%s", from[i]);
        args[i + 1] = words[i];
    }
    uv_pipe_init(loop, &c->err, 0);
    c->err.data = c;
    int rc = spawn(c, loop, args);
    if (rc != 0) {
        uv_close((uv_handle_t *)&c->process, NULL);
        uv_close((uv_handle_t *)&c->err, NULL);
        return rc;
    }
    c->state = DEMO_CHILD_RUNS;
    return uv_read_start((uv_stream_t *)&c->err, on_alloc, on_said);
}

void
fogi_demo_child_end(struct demo_child *c, fog_time now)
{
    static const int signals[] = {SIGTERM, SIGTERM, SIGKILL};
    if (c->state == DEMO_CHILD_RUNS) {
        c->state = DEMO_CHILD_ENDING;
        c->ending_since = now;
    }
    if (c->state != DEMO_CHILD_ENDING || c->signals == 3 ||
        now - c->ending_since < c->signals * INSIST_US)
        return;
    uv_process_kill(&c->process, signals[c->signals++]);
}

void
fogi_demo_child_said(const struct demo_child *c, FILE *f)
{
    const char *p = c->tail, *end = c->tail + c->tail_len;
    if (c->verbose || p == end)
        return;
    /* The last ten lines. */
    const char *start = end;
    for (int lines = 0; start > p; start--)
        if (start[-1] == '\n' && start != end && ++lines == 10)
            break;
    fprintf(f, "the %s said:\n", c->name);
    while (start < end) {
        const char *nl = memchr(start, '\n', (size_t)(end - start));
        const char *stop = nl ? nl : end;
        fprintf(f, "  %.*s\n", (int)(stop - start), start);
        start = nl ? nl + 1 : end;
    }
}
