/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "channel_rig.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct process p;

static const struct role no_role = {.name = "test"};

int
rig_setup(void **state)
{
    struct conf conf;
    (void)state;
    memset(&conf, 0, sizeof conf);
    if (fogi_process_init(&p, &conf, NULL, NULL))
        return -1;
    p.role = &no_role;
    return 0;
}

int
rig_teardown(void **state)
{
    (void)state;
    rig_turns(4);
    fogi_process_free(&p, 0);
    if (p.relays || p.budget.used)
        print_message("left: %u relays, %zu bytes\n", p.relays, p.budget.used);
    return p.relays || p.budget.used ? -1 : 0;
}

void
rig_tcp_pair(int fds[2])
{
    struct sockaddr_in sin = {.sin_family = AF_INET};
    socklen_t len = sizeof sin;
    struct sockaddr *sa = (struct sockaddr *)(void *)&sin;
    int l = socket(AF_INET, SOCK_STREAM, 0);
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(l, sa, len), 0);
    assert_int_equal(listen(l, 1), 0);
    assert_int_equal(getsockname(l, sa, &len), 0);
    fds[0] = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fds[0], sa, len), 0);
    fds[1] = accept(l, NULL, NULL);
    assert_true(fds[1] >= 0);
    close(l);
}

static uint8_t
byte_at(size_t i)
{
    return (uint8_t)(i * 31 + (i >> 8) * 7 + (i >> 16));
}

uint64_t
rig_sum(size_t n)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum = sum * 33 + byte_at(i);
    return sum;
}

static void
read_all(struct user *u)
{
    const void *at;
    size_t len;
    bool eof;
    do {
        if (channel_peek(u->c, &at, &len, &eof)) {
            u->broke = true;
            return;
        }
        if (u->most && len > u->most)
            len = u->most;
        for (size_t i = 0; i < len; i++)
            u->sum = u->sum * 33 + ((const uint8_t *)at)[i];
        u->read += len;
        channel_consume(u->c, len);
        u->eof = eof && !len;
    } while (len);
}

static void
write_all(struct user *u)
{
    uint8_t piece[40000];
    while (u->written < u->to_write && !u->broke) {
        size_t n = u->to_write - u->written, taken;
        if (n > sizeof piece)
            n = sizeof piece;
        for (size_t i = 0; i < n; i++)
            piece[i] = byte_at(u->written + i);
        if (channel_write(u->c, piece, n, &taken))
            u->broke = true;
        if (!taken)
            break;
        u->written += taken;
    }
    if (u->finish && !u->finished && !u->broke && u->written == u->to_write) {
        u->finished = true;
        if (channel_finish(u->c))
            u->broke = true;
    }
}

static void
look(void *ctx)
{
    struct user *u = ctx;
    u->looks++;
    if (!u->deaf)
        read_all(u);
    if (!u->broke)
        write_all(u);
}

void
rig_own(struct user *u, struct channel *c)
{
    assert_non_null(c);
    u->c = c;
    fogi_channel_own(c, look, u);
}

void
rig_drop(struct user *u)
{
    if (u->broke)
        fogi_channel_reset(u->c);
    else
        fogi_channel_close(u->c);
    u->c = NULL;
}

struct tls_conf *
rig_server_conf(const char *name)
{
    char cert[64], key[64], error[TLS_ERROR_MAX];
    struct tls_conf *t = NULL;
    snprintf(cert, sizeof cert, TLS_DIR "%s.pem", name);
    snprintf(key, sizeof key, TLS_DIR "%s.key", name);
    struct tls_server_files f = {.certs = {cert}, .n_certs = 1, .key = key};
    if (!fogi_tls_server(&t, &f, error))
        fail_msg("%s", error);
    return t;
}

struct tls_conf *
rig_client_conf(bool verify)
{
    char error[TLS_ERROR_MAX];
    struct tls_conf *t = NULL;
    struct tls_client_files f = {.verify = verify, .ca = TLS_DIR "ca.pem"};
    if (!fogi_tls_client(&t, &f, error))
        fail_msg("%s", error);
    return t;
}

void
rig_join(struct user *a, struct user *b, bool tls)
{
    struct channel *ca, *cb;
    int fds[2];
    rig_tcp_pair(fds);
    assert_int_equal(fogi_channel_tcp_open(&ca, &p, fds[0]), 0);
    assert_int_equal(fogi_channel_tcp_open(&cb, &p, fds[1]), 0);
    if (tls) {
        struct tls_conf *client = rig_client_conf(true), *server = rig_server_conf("server");
        ca = fogi_channel_tls_connect(&p, ca, client, "gateway.example", NULL);
        cb = fogi_channel_tls_accept(&p, cb, server);
        fogi_tls_free(client); /* the connections keep them */
        fogi_tls_free(server);
    }
    rig_own(a, ca);
    rig_own(b, cb);
}

void
rig_turns(unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        uv_run(&p.loop.uv, UV_RUN_NOWAIT);
        fogi_loop_refresh(&p.loop);
    }
}

void
rig_until(bool (*done)(void), const char *what)
{
    fog_time end = fogi_loop_refresh(&p.loop) + FOG_SEC(5);
    while (!done()) {
        rig_turns(1);
        if (fogi_loop_now(&p.loop) > end)
            fail_msg("5 s went by before %s", what);
    }
}
