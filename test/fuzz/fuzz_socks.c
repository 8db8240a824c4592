/* SPDX-License-Identifier: MIT
 *
 * fuzz_socks.c - bytes at either side of SOCKS5, whole and in pieces. Byte 0: bit 0 the client, bit
 * 1 a login is wanted (server) or steps are taken one by one (client), bits 2.. the reply. Bytes 1,
 * 2: how the pieces are cut. Held: both end the same, with the same bytes used and said; a
 * destination that was asked for is a valid one, and asking for it anew names the same.
 */
#include "fuzz/input.h"
#include "fuzz/pieces.h"
#include "proxy/socks.h"

static const struct auth_login me = {"me", "secret"};

static int
input_server(void *x, const void *buf, size_t len, size_t *used)
{
    return fogi_socks_server_input(x, buf, len, used);
}

static int
input_client(void *x, const void *buf, size_t len, size_t *used)
{
    return fogi_socks_client_input(x, buf, len, used);
}

static void
check_dest(const struct dest *d)
{
    char text[DEST_TEXT_MAX];
    struct dest again = {0};
    size_t len = fogi_dest_text(d, text);
    int rc = fogi_dest_authority(&again, text, len, 0);
    assert(rc == 0 && fogi_dest_same(&again, d));
}

static void
check_said(const struct outbox *a, const struct outbox *b)
{
    size_t n, m;
    const void *x = outbox_peek(a, &n), *y = outbox_peek(b, &m);
    assert(n == m && memcmp(x, y, n) == 0);
}

static void
run_server(struct input in, uint8_t bits, uint32_t cut)
{
    struct socks_server s[2];
    size_t used[2];
    int rc[2];
    for (int i = 0; i < 2; i++) {
        fogi_socks_server_init(&s[i], &me, bits & 2 ? 1 : 0);
        rc[i] = feed_pieces(input_server, &s[i], in.at, in.left, i ? cut : 0, &used[i]);
    }
    assert(rc[0] == rc[1] && used[0] == used[1] && s[0].state == s[1].state);
    check_said(&s[0].out, &s[1].out);
    if (s[0].state != SOCKS_ASKED)
        return;
    check_dest(&s[0].dest);
    assert(fogi_dest_same(&s[0].dest, &s[1].dest));
    fogi_socks_reply(&s[0], (enum socks_rep)(bits >> 2 & 7));
    assert(s[0].state == (bits >> 2 & 7 ? SOCKS_FAILED : SOCKS_DONE));
}

static void
run_client(struct input in, uint8_t bits, uint32_t cut)
{
    const struct dest d = {.kind = DEST_NAME, .port = 80, .name = "a"};
    struct socks_client c[2];
    size_t used[2];
    int rc[2];
    for (int i = 0; i < 2; i++) {
        fogi_socks_client_init(&c[i], &d, bits & 2);
        rc[i] = feed_pieces(input_client, &c[i], in.at, in.left, i ? cut : 0, &used[i]);
    }
    assert(rc[0] == rc[1] && used[0] == used[1] && c[0].state == c[1].state);
    assert(c[0].rep == c[1].rep && used[0] <= 2 + 4 + 1 + 255 + 2);
    check_said(&c[0].out, &c[1].out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    uint8_t bits = take8(&in);
    uint32_t cut = take16(&in) | 1u;
    if (bits & 1)
        run_client(in, bits, cut);
    else
        run_server(in, bits, cut);
    return 0;
}
