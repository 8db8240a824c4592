/* SPDX-License-Identifier: MIT
 *
 * fuzz_datagram.c - datagrams at one KCP engine. Byte 0: bit 0 validate, bit 1 data is under way.
 * Then, repeated: length (16 bits), milliseconds (8 bits), the datagram. Held: what is parsed reads
 * back as itself, what is rejected changes nothing, answers to strangers are no longer than what
 * they answer, output ends, memory is bounded.
 */
#include "arq/seg.h"
#include "base/mem.h"
#include "fuzz/input.h"

#include <assert.h>
#include <string.h>

static void
check_parts(const uint8_t *buf, size_t len)
{
    struct seg segs[FOG_SEGMENTS_MAX];
    uint8_t answer[FOG_KCP_HEADER], again[FOG_KCP_HEADER];
    unsigned n;
    size_t at = 0;
    int rc = fogi_seg_parse(buf, len, 0, segs, &n);
    for (unsigned i = 0; rc == 0 && i < n; i++) {
        fogi_seg_put(again, &segs[i]);
        again[5] = buf[at + 5]; /* frg is not read */
        assert(memcmp(again, buf + at, FOG_KCP_HEADER) == 0);
        at += FOG_KCP_HEADER + (size_t)segs[i].len;
    }
    assert(rc != 0 || at == len);
    size_t answer_len = fog_kcp_unknown(buf, len, 0, answer, sizeof answer);
    assert(answer_len <= len && (answer_len == 0 || answer_len == FOG_KCP_HEADER));
    assert(rc == 0 || (answer_len == 0 && !fog_kcp_is_opening(buf, len, 0)));
    assert(!fog_kcp_is_opening(answer, answer_len, 0));
}

static void
check_unchanged(struct fog_arq_status a, struct fog_arq_status b)
{
    assert(a.validated == b.validated && a.failed == b.failed && a.hello_len == b.hello_len);
    assert(a.committed == b.committed && a.acked == b.acked && a.queued == b.queued);
    assert(a.flight_segs == b.flight_segs && a.peer_wnd == b.peer_wnd && a.held == b.held);
    assert(a.srtt_us == b.srtt_us && a.rto_us == b.rto_us && a.last_input == b.last_input);
    assert(a.n.segments_in == b.n.segments_in && a.n.acks_in == b.n.acks_in);
}

static void
drain(struct fog_arq *a, fog_time now)
{
    uint8_t buf[FOG_DATAGRAM_MAX];
    size_t len = 1;
    for (size_t i = 0; len > 0; i++) {
        int rc = fog_arq_output(a, buf, sizeof buf, &len, now);
        assert(rc == 0 && i < 10000);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct fog_kcp_options o;
    struct budget b;
    struct fog_arq *a;
    fog_time now = 0;
    uint8_t bits = take8(&in);
    fogi_budget_init(&b, 2 << 20, fog_alloc_libc());
    struct fog_alloc al = fogi_budget_alloc(&b);
    fog_kcp_options_init(&o);
    o.validate = bits & 1;
    o.rcv_wnd = 64;
    int rc = fog_kcp_new(&a, &o, &al, now);
    assert(rc == 0);
    void *room;
    size_t cap, len;
    if ((bits & 2) && fog_arq_reserve(a, 9000, &room, &cap) == 0) {
        memset(room, 'x', 9000);
        fog_arq_commit(a, 9000, now);
        drain(a, now);
    }
    while (in.left) {
        struct fog_arq_status before, after;
        const uint8_t *buf;
        const void *bytes;
        len = take16(&in);
        now += FOG_MS(take8(&in));
        len = take(&in, len % (FOG_DATAGRAM_MAX + 2), &buf);
        check_parts(buf, len);
        fog_arq_tick(a, now);
        fog_arq_status(a, &before);
        rc = fog_arq_input(a, buf, len, now);
        fog_arq_status(a, &after);
        if (rc)
            check_unchanged(before, after);
        fog_arq_peek(a, &bytes, &len);
        if (len & 1)
            fog_arq_consume(a, len, now);
        drain(a, now);
        fog_arq_status(a, &after);
        assert(after.held == b.used && b.used < 64 * 4096 + 65536);
    }
    fog_arq_free(a);
    assert(b.used == 0);
    return 0;
}
