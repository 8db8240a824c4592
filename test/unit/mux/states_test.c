/* SPDX-License-Identifier: MIT
 *
 * Every cell of the stream table, reached by bytes: the state and the reaction must be the table's.
 */
#include "unit/mux/spec.h"

#include "mux/stream.h"

/* How a test gets a stream into a state, in the role that can have it. */
static const struct {
    enum stream_state state;
    enum fog_role role;
    enum stage stage;
} ways[] = {
    {STREAM_NONE, FOG_SERVER, READY},       {STREAM_NONE, FOG_CLIENT, READY},
    {STREAM_SYN_SENT, FOG_CLIENT, SYNSENT}, {STREAM_ESTABLISHED, FOG_SERVER, OPEN},
    {STREAM_ESTABLISHED, FOG_CLIENT, OPEN}, {STREAM_FIN_SENT, FOG_SERVER, FINSENT},
    {STREAM_FIN_SENT, FOG_CLIENT, FINSENT}, {STREAM_FIN_RECV, FOG_SERVER, FINRECV},
    {STREAM_FIN_RECV, FOG_CLIENT, FINRECV}, {STREAM_DEAD, FOG_SERVER, CLOSED1},
    {STREAM_DEAD, FOG_CLIENT, CLOSED1},     {STREAM_REAL_CLOSED, FOG_SERVER, REFUSED},
};

static const char *const bytes_of[STREAM_MSG_N] = {
    SYN("00000001"), SYN("00000001"),     DATA3("00000001"),
    FIN("00000001"), PSHFIN3("00000001"), RST("00000001"),
};

/* What the act does, in the words of spec_changes(), events and bytes. Some depend on the case. */
static bool
reaction_fits(enum act act, const struct rig *r, const struct fog_mux_counters *d)
{
    bool echo = r->out_len == 9 && r->out[3] == 1 && r->out[4] == 1;
    bool told = r->n_ev > 0;
    switch (act) {
    case ACT_LATE: /* nothing was ever opened, or it is gone */
        return d->late + d->glitches == 1 && !told && r->out_len == 0;
    case ACT_ODD:
        return d->glitches == 1 && !told && r->out_len == 0;
    case ACT_ACCEPT:
        return d->opened == 1 && r->ev[0].type == FOG_EV_OPENED && r->out_len == 9;
    case ACT_ACCEPTED:
        return r->n_ev == 1 ? r->ev[0].type == FOG_EV_ESTABLISHED : d->glitches == 1;
    case ACT_TAKE:
    case ACT_END:
        return r->n_ev == 1 && r->ev[0].type == FOG_EV_READABLE && r->out_len == 0;
    case ACT_DROP:
        return !told && r->out_len == 0 && d->glitches == 0;
    case ACT_BOTH:
        return r->n_ev == 1 && r->ev[0].type == FOG_EV_READABLE && d->closed == 1;
    case ACT_GONE:
        return r->n_ev == 1 && r->ev[0].type == FOG_EV_RESET && d->closed == 1 && r->out_len == 0;
    case ACT_RESET:
    case ACT_CUT:
        return r->n_ev == 1 && r->ev[0].type == FOG_EV_RESET && d->closed == 1 && echo;
    case ACT_DONE:
        return !told && d->closed == 1 && r->out_len == 0;
    case ACT_DONE_RST:
        return !told && d->closed == 1 && echo;
    case ACT_N:
        break;
    }
    return false;
}

static struct fog_mux_counters
difference(const struct fog_mux_counters *a, const struct fog_mux_counters *b)
{
    struct fog_mux_counters d = *b;
    d.late -= a->late;
    d.glitches -= a->glitches;
    d.opened -= a->opened;
    d.closed -= a->closed;
    return d;
}

static void
one_cell(size_t way, enum msg_type type, bool singly)
{
    struct rig r;
    uint8_t buf[64];
    enum stream_state state = ways[way].state;
    struct on_msg cell = fogi_stream_on_msg(state, type);
    if (state == STREAM_DEAD && type == MSG_SYN) /* its id is free again */
        cell = fogi_stream_on_msg(STREAM_NONE, type);
    spec_stage(&r, ways[way].role, ways[way].stage);
    struct fog_mux_counters before = rig_status(r.m).n;
    size_t n = rig_hex(buf, sizeof buf, bytes_of[type - MSG_SYN]);
    rig_feed_bytes(&r, buf, n, singly);
    rig_collect(&r);
    struct fog_mux_counters after = rig_status(r.m).n, d = difference(&before, &after);
    /* A second FIN with a payload is odd on top. */
    if (type == MSG_PSH_FIN && state == STREAM_FIN_RECV)
        d.glitches--;
    if (!reaction_fits((enum act)cell.act, &r, &d))
        fail_msg("%s x message %d: the reaction is not that of the table",
                 fogi_stream_state_name(state), type);
    if (state != STREAM_DEAD && r.st)
        assert_string_equal(fog_stream_state_name(r.st),
                            fogi_stream_state_name((enum stream_state)cell.next));
    rig_end(&r);
}

static void
every_cell(void **state)
{
    (void)state;
    for (size_t way = 0; way < sizeof ways / sizeof ways[0]; way++) {
        for (int type = MSG_SYN; type <= MSG_RST; type++) {
            /* One frame is SYN to a server and SYN-ACK to a client. */
            if (type == (ways[way].role == FOG_SERVER ? MSG_SYN_ACK : MSG_SYN))
                continue;
            one_cell(way, (enum msg_type)type, false);
            one_cell(way, (enum msg_type)type, true);
        }
    }
}

/* SYN-ACK for a stream that was finished before it was accepted. */
static void
accepted_after_finish(void **state)
{
    struct rig r;
    char text[100];
    (void)state;
    spec_stage(&r, FOG_CLIENT, SYNSENT);
    assert_int_equal(fog_mux_finish(r.m, r.st, r.now), 0);
    rig_collect(&r);
    assert_string_equal(fog_stream_state_name(r.st), "fin_sent");
    rig_feed(&r, SYN("00000001"));
    assert_string_equal(rig_events(&r, text, sizeof text), "established");
    assert_string_equal(fog_stream_state_name(r.st), "fin_sent");
    rig_end(&r);
}

/* What each verb of ours returns and sends in each state. */
static void
every_verb(void **state)
{
    /* clang-format off */
    static const struct {
        enum fog_role role;
        enum stage stage;
        int write, finish;
        const char *finish_out, *reset_out, *release_out;
    } rows[] = {
        {CLIENT, SYNSENT, 0,              0,           FIN("00000001"), RST("00000001"), RST("00000001")},
        {SERVER, OPEN,    0,              0,           FIN("00000001"), RST("00000001"), RST("00000001")},
        {CLIENT, FINSENT, FOG_E_FINISHED, 0,           "",              RST("00000001"), RST("00000001")},
        {SERVER, FINRECV, 0,              0,           FIN("00000001"), RST("00000001"), RST("00000001")},
        {SERVER, REFUSED, FOG_E_RESET,    FOG_E_RESET, "",              RST("00000001"), ""},
        {SERVER, RESET1,  FOG_E_RESET,    FOG_E_RESET, "",              "",              ""},
    };
    /* clang-format on */
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *const outs[3] = {rows[i].finish_out, rows[i].reset_out, rows[i].release_out};
        for (int verb = 0; verb < 3; verb++) {
            struct rig r;
            uint8_t want[64];
            size_t cap;
            spec_stage(&r, rows[i].role, rows[i].stage);
            assert_int_equal(fog_mux_turn(r.m, r.st, 100, &cap, r.now), rows[i].write);
            assert_int_equal(cap, rows[i].write ? 0 : 91);
            if (verb == 0)
                assert_int_equal(fog_mux_finish(r.m, r.st, r.now), rows[i].finish);
            else if (verb == 1)
                fog_mux_reset(r.m, r.st, r.now);
            else
                fog_mux_release(r.m, r.st, r.now);
            rig_collect(&r);
            size_t n = rig_hex(want, sizeof want, outs[verb]);
            assert_int_equal(r.out_len, n);
            assert_memory_equal(r.out, want, n);
            assert_int_equal(r.n_ev, 0);
            rig_end(&r);
        }
    }
}

/* Our verb comes in the middle of a frame: the rest of it is for nobody, and harms nobody. */
static void
in_the_middle_of_a_frame(void **state)
{
    (void)state;
    for (int verb = 0; verb < 4; verb++) {
        struct rig r;
        spec_stage(&r, FOG_SERVER, OPEN);
        rig_feed(&r, "000005 00 01 00000001 6162");
        assert_int_equal(rig_status(r.m).recv_held, 2);
        if (verb == 0)
            fog_mux_refuse(r.m, r.st, r.now);
        else if (verb == 1)
            fog_mux_reset(r.m, r.st, r.now);
        else if (verb == 2)
            fog_mux_release(r.m, r.st, r.now);
        else
            assert_int_equal(fog_mux_finish(r.m, r.st, r.now), 0);
        rig_feed(&r, "636465" SYN("00000003"));
        assert_int_equal(rig_status(r.m).recv_held, verb == 3 ? 5 : 0);
        assert_int_equal(r.ev[r.n_ev - 1].type, FOG_EV_OPENED);
        assert_int_equal(rig_status(r.m).n.glitches + rig_status(r.m).n.late, 0);
        rig_end(&r);
    }
}

/* A FIN that has not left is overtaken by our RST. */
static void
reset_after_finish(void **state)
{
    struct rig r;
    (void)state;
    spec_stage(&r, FOG_SERVER, OPEN);
    assert_int_equal(fog_mux_finish(r.m, r.st, r.now), 0);
    fog_mux_reset(r.m, r.st, r.now);
    rig_collect(&r);
    assert_int_equal(r.out_len, 9);
    assert_int_equal(r.out[3], 1);
    rig_end(&r);
}

/* A stream that was opened and given up before its SYN left costs the peer nothing. */
static void
never_heard_of(void **state)
{
    struct rig r;
    struct fog_stream *st;
    (void)state;
    for (int verb = 0; verb < 2; verb++) {
        spec_stage(&r, FOG_CLIENT, READY);
        assert_int_equal(fog_mux_open(r.m, &st, r.now), 0);
        if (verb)
            fog_mux_reset(r.m, st, r.now);
        fog_mux_release(r.m, st, r.now);
        rig_collect(&r);
        assert_int_equal(r.out_len, 0);
        assert_int_equal(rig_status(r.m).streams, 0);
        rig_end(&r);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cell),
        cmocka_unit_test(accepted_after_finish),
        cmocka_unit_test(every_verb),
        cmocka_unit_test(never_heard_of),
        cmocka_unit_test(in_the_middle_of_a_frame),
        cmocka_unit_test(reset_after_finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
