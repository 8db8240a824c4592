/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/client.h"

#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* The real client in a process of its own, with a server that never answers. */

#define MORE 5 /* connections over the limit */

static int fds[CLIENT_HELD_MAX + MORE];
static struct fog_addr at; /* where the client listens */
static pid_t pid;
static int silent; /* the server's socket */

/** A socket on loopback, bound to a free port. */
static int
bound(int type, struct fog_addr *where)
{
    union sockaddr_any sa;
    socklen_t len = sizeof sa.v4;
    int fd = socket(AF_INET, type, 0);
    assert_true(fd >= 0);
    assert_true(fogi_addr_parse(where, "127.0.0.1", 0));
    assert_int_equal(bind(fd, &sa.sa, fogi_addr_to_system(where, AF_INET, &sa)), 0);
    assert_int_equal(getsockname(fd, &sa.sa, &len), 0);
    fogi_addr_from_system(where, &sa.sa);
    return fd;
}

static int
connect_to_client(void)
{
    union sockaddr_any sa;
    socklen_t len = fogi_addr_to_system(&at, AF_INET, &sa);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    if (!connect(fd, &sa.sa, len))
        return fd;
    close(fd);
    return -1;
}

static bool
is_over(int fd, int wait_ms)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    return poll(&poll_fd, 1, wait_ms) > 0;
}

static void
start_client(uint32_t hold_s)
{
    struct conf conf;
    struct fog_addr server;
    fogi_conf_init(&conf, CONF_CLIENT);
    silent = bound(SOCK_DGRAM, &server);
    int port = bound(SOCK_STREAM, &at);
    close(port);
    snprintf(conf.listen.host, sizeof conf.listen.host, "127.0.0.1");
    snprintf(conf.remote.host, sizeof conf.remote.host, "127.0.0.1");
    conf.listen.port = at.port;
    conf.remote.port = server.port;
    conf.hold_s = hold_s;
    conf.log_level = LOG_AT_ERROR;
    fflush(NULL);
    pid = fork();
    assert_true(pid >= 0);
    if (!pid)
        _exit(fogi_client_run(&conf, NULL, NULL));
    for (int i = 0; i < 500; i++) {
        int fd = connect_to_client();
        if (fd >= 0) {
            fds[0] = fd;
            return;
        }
        uv_sleep(10);
    }
    fail_msg("the client does not listen");
}

/** Ends it the impatient way; its exit code. */
static int
stop_client(void)
{
    int status = -1;
    kill(pid, SIGTERM);
    uv_sleep(200);
    kill(pid, SIGTERM);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    close(silent);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void
so_many_are_held(void **state)
{
    (void)state;
    struct rlimit r;
    getrlimit(RLIMIT_NOFILE, &r);
    if (r.rlim_max < 2 * CLIENT_HELD_MAX) {
        print_message("skipped: the hard limit of descriptors is only %lu\n",
                      (unsigned long)r.rlim_max);
        skip();
    }
    r.rlim_cur = 2 * CLIENT_HELD_MAX;
    setrlimit(RLIMIT_NOFILE, &r);
    start_client(300);
    for (int i = 1; i < CLIENT_HELD_MAX; i++)
        fds[i] = connect_to_client();
    assert_false(is_over(fds[0], 300));
    assert_false(is_over(fds[CLIENT_HELD_MAX - 1], 0));
    for (int i = CLIENT_HELD_MAX; i < CLIENT_HELD_MAX + MORE; i++) {
        char c;
        fds[i] = connect_to_client();
        assert_true(fds[i] >= 0);
        assert_true(is_over(fds[i], 3000));
        assert_int_equal(recv(fds[i], &c, 1, 0), -1);
        assert_int_equal(errno, ECONNRESET);
    }
    assert_false(is_over(fds[0], 0));
    assert_int_equal(stop_client(), EXIT_OK);
    for (int i = 0; i < CLIENT_HELD_MAX; i++) {
        assert_true(is_over(fds[i], 1000)); /* the client told them at its end */
        close(fds[i]);
    }
}

static void
so_long_they_are_held(void **state)
{
    (void)state;
    start_client(1);
    assert_false(is_over(fds[0], 700));
    assert_true(is_over(fds[0], 2000));
    close(fds[0]);
    assert_int_equal(stop_client(), EXIT_OK);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(so_many_are_held),
        cmocka_unit_test(so_long_they_are_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
