/* SPDX-License-Identifier: MIT
 *
 * fuzz_websocks.c - bytes at either half of WebSocks, whole and in pieces. Byte 0: bit 0 the
 * client, bit 1 strict, bit 2 asked before the upgrade, bits 3.. the reply. Bytes 1, 2: how the
 * pieces are cut. Whoever upgrades is let in, known or not. Held: both end the same, with the same
 * bytes used and said; a stream that waits or has ended holds no memory.
 */
#include "fuzz/input.h"
#include "fuzz/pieces.h"
#include "proxy/websocks.h"

#define SAID_MAX 4096

struct half {
    struct mem m;
    struct ws_server s;
    struct ws_client c;
    uint8_t bits, said[SAID_MAX];
    size_t n_said, visits;
};

static void
say(struct half *x, const void *bytes, size_t len)
{
    assert(x->n_said + len <= SAID_MAX);
    memcpy(x->said + x->n_said, bytes, len);
    x->n_said += len;
}

static void
act_server(struct half *x)
{
    static struct auth nobody;
    const void *out;
    size_t len;
    if (x->s.state == WS_S_JUDGE) {
        enum ws_verdict v = fogi_ws_judge(x->s.head, &nobody, 1700000040000, NULL);
        assert(v != WS_YES);
        if (v == WS_BAD_USER)
            fogi_ws_server_accept(&x->s, NULL, 1700000040000);
        else
            fogi_ws_server_again(&x->s);
        x->visits++;
    }
    if (x->s.state == WS_S_ASKED)
        fogi_ws_server_reply(&x->s, (enum socks_rep)(x->bits >> 3 & 7));
    while (out = fogi_ws_server_output(&x->s, &len), len > 0) {
        say(x, out, len);
        fogi_ws_server_sent(&x->s, len);
    }
}

static int
input_server(void *ctx, const void *buf, size_t len, size_t *used)
{
    struct half *x = ctx;
    int rc = 0;
    *used = 0;
    for (size_t n = 1; *used < len && rc == 0 && n > 0; *used += n) {
        rc = fogi_ws_server_input(&x->s, (const uint8_t *)buf + *used, len - *used, &n);
        act_server(x);
    }
    return rc;
}

static int
input_client(void *ctx, const void *buf, size_t len, size_t *used)
{
    static const struct dest d = {.kind = DEST_NAME, .port = 80, .name = "a"};
    struct half *x = ctx;
    const void *out;
    size_t n;
    int rc = 0;
    *used = 0;
    while (*used < len && rc == 0 && x->c.state < WS_C_DONE) {
        /* asked late: byte by byte, or the time of asking would depend on the pieces */
        size_t most = x->bits & 4 ? len - *used : 1;
        rc = fogi_ws_client_input(&x->c, (const uint8_t *)buf + *used, most, &n);
        *used += n;
        if (x->c.state == WS_C_POOLED) {
            fogi_ws_client_pong(&x->c);
            rc = fogi_ws_client_connect(&x->c, &d);
        }
        while (out = fogi_ws_client_output(&x->c, &n), n > 0) {
            say(x, out, n);
            fogi_ws_client_sent(&x->c, n);
        }
    }
    return rc;
}

static void
start(struct half *x, uint8_t bits)
{
    const struct ws_client_options o = {.authorization = "Basic x", .strict = bits & 2};
    const struct dest d = {.kind = DEST_IP4, .port = 80};
    memset(x, 0, sizeof *x);
    mem_init(&x->m, fog_alloc_libc());
    x->bits = bits;
    int rc = bits & 1 ? fogi_ws_client_init(&x->c, &o, &x->m) : fogi_ws_server_init(&x->s, &x->m);
    if (rc == 0 && (bits & 5) == 5)
        rc = fogi_ws_client_connect(&x->c, &d);
    assert(rc == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct half half[2];
    struct input in = {data, size};
    size_t used[2];
    int rc[2];
    uint8_t bits = take8(&in);
    uint32_t cut = take16(&in) | 1u;
    for (int i = 0; i < 2; i++) {
        struct half *x = &half[i];
        start(x, bits);
        rc[i] = feed_pieces(bits & 1 ? input_client : input_server, x, in.at, in.left, i ? cut : 0,
                            &used[i]);
        bool waits = bits & 1 ? x->c.state != WS_C_UPGRADE : x->s.state >= WS_S_FRAME && !x->s.err;
        assert(!waits || x->m.held == 0);
    }
    assert(rc[0] == rc[1] && used[0] == used[1]);
    assert(half[0].s.state == half[1].s.state && half[0].c.state == half[1].c.state);
    assert(half[0].visits == half[1].visits && half[0].n_said == half[1].n_said);
    assert(memcmp(half[0].said, half[1].said, half[0].n_said) == 0);
    for (int i = 0; i < 2; i++) {
        fogi_ws_client_free(&half[i].c);
        fogi_ws_server_free(&half[i].s);
        assert(half[i].m.held == 0);
    }
    return 0;
}
