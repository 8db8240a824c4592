/* SPDX-License-Identifier: MIT
 *
 * Every cell of the three tables against a second writing of the protocol, in words.
 */
#include "unit/mux/rig.h"

#include "mux/stream.h"
#include "mux/tunnel.h"

static const char *const acts[ACT_N] = {"late", "odd",  "accept",  "accepted", "take",
                                        "drop", "end",  "both",    "gone",     "reset",
                                        "cut",  "done", "done_rst"};
static const char *const deeds[DEED_N] = {"deny", "nothing", "allow", "syn", "fin", "rst"};

struct row {
    const char *state;
    const char *cells[STREAM_MSG_N]; /* "next act" */
};

/* clang-format off */
static const struct row messages[STREAM_STATE_N] = {
    {"none",        {"established accept", "none odd", "none late", "none late", "none late", "none late"}},
    {"syn_sent",    {"syn_sent odd", "established accepted", "syn_sent take", "fin_recv end", "fin_recv end", "dead reset"}},
    {"established", {"established odd", "established odd", "established take", "fin_recv end", "fin_recv end", "dead reset"}},
    {"fin_sent",    {"fin_sent odd", "fin_sent accepted", "fin_sent take", "dead both", "dead both", "dead reset"}},
    {"fin_recv",    {"fin_recv odd", "fin_recv odd", "fin_recv odd", "dead gone", "dead gone", "dead cut"}},
    {"dead",        {"dead late", "dead late", "dead late", "dead late", "dead late", "dead late"}},
    {"real_closed", {"real_closed odd", "real_closed odd", "real_closed drop", "dead done", "dead done", "dead done_rst"}},
};
static const struct row verbs[STREAM_STATE_N] = {
    /*               open               write                finish           reset       refuse                 release */
    {"none",        {"syn_sent syn", "none deny", "none deny", "none nothing", "none deny", "none nothing"}},
    {"syn_sent",    {"syn_sent deny", "syn_sent allow", "fin_sent fin", "dead rst", "dead rst", "dead rst"}},
    {"established", {"established deny", "established allow", "fin_sent fin", "dead rst", "real_closed fin", "dead rst"}},
    {"fin_sent",    {"fin_sent deny", "fin_sent deny", "fin_sent nothing", "dead rst", "real_closed nothing", "dead rst"}},
    {"fin_recv",    {"fin_recv deny", "fin_recv allow", "dead fin", "dead rst", "dead fin", "dead rst"}},
    {"dead",        {"dead deny", "dead deny", "dead nothing", "dead nothing", "dead nothing", "dead nothing"}},
    {"real_closed", {"real_closed deny", "real_closed deny", "real_closed nothing", "dead rst", "real_closed nothing", "real_closed nothing"}},
};
static const char *const tunnel[FOG_MUX_STATE_N][MSG_N] = {
    {"hello", "bad", "bad", "bad", "bad", "bad", "bad", "bad", "bad", "end"},
    {"ready", "bad", "bad", "bad", "bad", "bad", "bad", "bad", "bad", "end"},
    {"bad", "ping", "pong", "stream", "stream", "stream", "stream", "stream", "stream", "end"},
    {"drop", "drop", "drop", "drop", "drop", "drop", "drop", "drop", "drop", "drop"},
};
/* clang-format on */

static void
check(const char *want, enum stream_state next, const char *what)
{
    char got[64];
    snprintf(got, sizeof got, "%s %s", fogi_stream_state_name(next), what);
    assert_string_equal(got, want);
}

static void
every_message(void **state)
{
    (void)state;
    for (int s = 0; s < STREAM_STATE_N; s++) {
        assert_string_equal(fogi_stream_state_name((enum stream_state)s), messages[s].state);
        for (int i = 0; i < STREAM_MSG_N; i++) {
            struct on_msg c =
                fogi_stream_on_msg((enum stream_state)s, (enum msg_type)(MSG_SYN + i));
            check(messages[s].cells[i], (enum stream_state)c.next, acts[c.act]);
        }
    }
}

static void
every_verb(void **state)
{
    (void)state;
    for (int s = 0; s < STREAM_STATE_N; s++) {
        for (int v = 0; v < VERB_N; v++) {
            struct on_verb c = fogi_stream_on_verb((enum stream_state)s, (enum verb)v);
            check(verbs[s].cells[v], (enum stream_state)c.next, deeds[c.deed]);
        }
    }
}

static void
every_tunnel_message(void **state)
{
    static const char *const names[TUNNEL_ACT_N] = {"drop", "bad",  "hello",  "ready",
                                                    "ping", "pong", "stream", "end"};
    (void)state;
    for (int s = 0; s < FOG_MUX_STATE_N; s++) {
        for (int i = 0; i < MSG_N; i++)
            assert_string_equal(names[fogi_tunnel_on_msg((enum fog_mux_state)s, (enum msg_type)i)],
                                tunnel[s][i]);
    }
}

/* A dead stream stays dead, and only a FIN or RST kills one. */
static void
no_way_back(void **state)
{
    (void)state;
    for (int s = 0; s < STREAM_STATE_N; s++) {
        for (int i = MSG_SYN; i <= MSG_RST; i++) {
            struct on_msg c = fogi_stream_on_msg((enum stream_state)s, (enum msg_type)i);
            if (s == STREAM_DEAD)
                assert_int_equal(c.next, STREAM_DEAD);
            else if (c.next == STREAM_DEAD)
                assert_true(i == MSG_FIN || i == MSG_PSH_FIN || i == MSG_RST);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_message),
        cmocka_unit_test(every_verb),
        cmocka_unit_test(every_tunnel_message),
        cmocka_unit_test(no_way_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
