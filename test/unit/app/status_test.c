/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/process.h"
#include "app/stats.h"
#include "app/status.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static struct process p;
static struct status s;
static char dir[64], path[80];

static void
dump(void *self, struct stats *out)
{
    (void)self;
    fogi_stats_line(out, "role.of.this.test", 77);
}

static const struct role role = {.name = "test", .dump = dump};

static int
setup(void **state)
{
    struct conf conf;
    (void)state;
    memset(&conf, 0, sizeof conf);
    strcpy(dir, "/tmp/fog-status-XXXXXX");
    if (!mkdtemp(dir) || fogi_process_init(&p, &conf, NULL, NULL))
        return -1;
    p.role = &role;
    snprintf(path, sizeof path, "%s/socket", dir);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    fogi_status_close(&s);
    fogi_process_free(&p, 0);
    unlink(path);
    return rmdir(dir);
}

static void
turns(int n)
{
    while (n--)
        uv_run(&p.loop.uv, UV_RUN_NOWAIT);
}

/** And lets its handles go. */
static void
closed(struct status *one)
{
    fogi_status_close(one);
    turns(3);
}

static int
connected(void)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    memcpy(sa.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    return fd;
}

/** What fd is told, to its end. */
static const char *
told(int fd)
{
    static char text[20000];
    size_t len = 0;
    ssize_t n;
    while ((n = recv(fd, text + len, sizeof text - 1 - len, MSG_DONTWAIT)) > 0)
        len += (size_t)n;
    assert_int_equal(n, 0);
    text[len] = 0;
    close(fd);
    return text;
}

/** A socket that nobody listens on any more. */
static void
leave_behind(void)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    memcpy(sa.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    close(fd);
}

static void
whoever_connects_is_told_and_left(void **state)
{
    (void)state;
    struct stat st;
    assert_int_equal(fogi_status_open(&s, &p, path), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    uint32_t fds = p.loop.fds;
    int fd = connected();
    turns(2);
    const char *text = told(fd);
    assert_non_null(strstr(text, "uptime_s"));
    assert_non_null(strstr(text, "role.of.this.test                    77\n"));
    assert_non_null(strstr(text, "udp.hints"));
    assert_int_equal(p.loop.fds, fds);
    fogi_status_close(&s);
    assert_int_equal(stat(path, &st), -1);
    fogi_status_close(&s);
}

static void
those_who_do_not_read_hold_up_nobody(void **state)
{
    (void)state;
    int fds[9]; /* more than one turn takes */
    assert_int_equal(fogi_status_open(&s, &p, path), 0);
    for (int i = 0; i < 9; i++)
        fds[i] = connected();
    turns(1);
    turns(1);
    for (int i = 0; i < 9; i++)
        assert_non_null(strstr(told(fds[i]), "udp.hints"));
    close(connected()); /* nor those who are gone before they are told */
    turns(2);
    int fd = connected();
    turns(2);
    assert_non_null(strstr(told(fd), "udp.hints"));
}

static void
only_what_nobody_listens_on_is_replaced(void **state)
{
    (void)state;
    struct status other;
    struct stat st;
    leave_behind();
    assert_int_equal(fogi_status_open(&s, &p, path), 0);
    assert_int_equal(fogi_status_open(&other, &p, path), -EADDRINUSE);
    fogi_status_close(&other);
    int fd = connected();
    turns(2);
    assert_non_null(strstr(told(fd), "uptime_s"));
    closed(&s);

    FILE *f = fopen(path, "w"); /* a file of somebody's */
    fputs("mine", f);
    fclose(f);
    assert_int_equal(fogi_status_open(&s, &p, path), -EADDRINUSE);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 4);
}

static void
another_ones_socket_is_not_removed(void **state)
{
    (void)state;
    struct stat st;
    assert_int_equal(fogi_status_open(&s, &p, path), 0);
    unlink(path);
    leave_behind();
    fogi_status_close(&s);
    assert_int_equal(stat(path, &st), 0);
}

static void
a_path_has_its_length(void **state)
{
    (void)state;
    char text[CONF_PATH_MAX + 2];
    struct stat st;
    snprintf(text, sizeof text, "%s/%0*d", dir, (int)(CONF_PATH_MAX - strlen(dir) - 1), 0);
    assert_int_equal(fogi_status_open(&s, &p, text), 0);
    assert_int_equal(stat(text, &st), 0);
    closed(&s);
    strcat(text, "0");
    assert_int_equal(fogi_status_open(&s, &p, text), -ENAMETOOLONG);
    assert_int_equal(fogi_status_open(&s, &p, ""), 0);
    fogi_status_close(&s);
}

static void
asking_where_nobody_listens_says_so(void **state)
{
    (void)state;
    assert_int_equal(fogi_status_ask(path, stdout), -ENOENT);
    leave_behind();
    assert_int_equal(fogi_status_ask(path, stdout), -ECONNREFUSED);
    assert_int_equal(fogi_status_ask("", stdout), -EINVAL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(whoever_connects_is_told_and_left, setup, teardown),
        cmocka_unit_test_setup_teardown(those_who_do_not_read_hold_up_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(only_what_nobody_listens_on_is_replaced, setup, teardown),
        cmocka_unit_test_setup_teardown(another_ones_socket_is_not_removed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_path_has_its_length, setup, teardown),
        cmocka_unit_test_setup_teardown(asking_where_nobody_listens_says_so, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
