/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tunnel_rig.h"

#include <string.h>

/** Bytes on their way; kept when the receiver has no memory for them now. */
struct way {
    size_t len;
    uint8_t buf[16384];
};

static struct tunnel_end *ends[2];
static struct way ways[2];
static void (*on_opened)(struct tunnel_end *e, struct fog_stream *stream);

static void
touched(struct carrier *c)
{
    (void)c;
}

static void
carry(struct way *w, struct fog_session *from, struct fog_session *to, bool *any)
{
    size_t room = fog_session_input_room(to);
    if (!w->len && room)
        assert_int_equal(fog_session_output(from, w->buf,
                                            room < sizeof w->buf ? room : sizeof w->buf, &w->len,
                                            process_now(&p)),
                         0);
    if (!w->len)
        return;
    int rc = fog_session_input(to, w->buf, w->len, process_now(&p));
    if (rc == FOG_E_NOMEM)
        return;
    assert_int_equal(rc, 0);
    w->len = 0;
    *any = true;
}

void
tunnel_rig_events(struct tunnel_end *e)
{
    struct fog_event ev;
    while (fog_session_event(e->session, &ev)) {
        if (ev.type == FOG_EV_OPENED)
            on_opened(e, ev.stream);
        else if (ev.type == FOG_EV_CLOSED)
            fogi_carrier_end(&e->carrier);
        else
            fogi_carrier_event(&e->carrier, &ev);
    }
}

void
tunnel_rig_turn(void)
{
    for (bool any = true; any;) {
        any = false;
        for (int i = 0; i < 2; i++)
            carry(&ways[i], ends[i]->session, ends[!i]->session, &any);
        for (int i = 0; i < 2; i++)
            tunnel_rig_events(ends[i]);
    }
    uv_run(&p.loop.uv, UV_RUN_NOWAIT);
    fogi_loop_refresh(&p.loop);
}

void
tunnel_rig_turns(unsigned n)
{
    while (n--)
        tunnel_rig_turn();
}

static void
end_init(struct tunnel_end *e, enum fog_role role)
{
    struct fog_session_options o;
    assert_int_equal(fogi_process_session_options(&p, role, &o), 0);
    assert_int_equal(fog_session_new(&e->session, &o, &p.al, process_now(&p)), 0);
    fogi_carrier_init(&e->carrier, &p, e->session, touched);
}

int
tunnel_rig_setup(struct tunnel_end *a, struct tunnel_end *b,
                 void (*opened)(struct tunnel_end *e, struct fog_stream *stream))
{
    static const struct role no_role = {.name = "test"};
    struct conf conf;
    fogi_conf_init(&conf, CONF_CLIENT);
    conf.via = FOG_VIA_PIPE;
    if (fogi_process_init(&p, &conf, NULL, NULL))
        return -1;
    p.role = &no_role;
    ends[0] = a;
    ends[1] = b;
    on_opened = opened;
    ways[0].len = ways[1].len = 0;
    end_init(a, FOG_CLIENT);
    end_init(b, FOG_SERVER);
    tunnel_rig_turns(3);
    return 0;
}

int
tunnel_rig_teardown(void **state)
{
    for (int i = 0; i < 2; i++)
        fogi_carrier_end(&ends[i]->carrier);
    uv_run(&p.loop.uv, UV_RUN_NOWAIT);
    uv_run(&p.loop.uv, UV_RUN_NOWAIT);
    for (int i = 0; i < 2; i++)
        fog_session_free(ends[i]->session);
    return rig_teardown(state);
}
