/* SPDX-License-Identifier: MIT */
#include "app/carrier.h"

#include "io/log.h"

#include <stdio.h>
#include <string.h>

void
fogi_carrier_init(struct carrier *c, struct process *p, struct fog_session *s,
                  void (*touched)(struct carrier *c))
{
    *c = (struct carrier){.p = p, .session = s, .touched = touched};
    list_init(&c->riders);
}

void
fogi_carrier_event(struct carrier *c, const struct fog_event *ev)
{
    struct rider *r = ev->stream ? fog_stream_user(ev->stream) : NULL;
    (void)c;
    if (r)
        r->ops->event(r, ev);
}

bool
fogi_carrier_is_busy(const struct carrier *c, fog_time patience)
{
    struct fog_session_status st;
    fog_session_status(c->session, &st);
    return (st.mux.streams || st.arq.acked < st.arq.committed) &&
           process_now(c->p) - st.arq.last_input <= patience;
}

const char *
fogi_carrier_why(const struct fog_event *ev, char buf[CARRIER_WHY_MAX])
{
    const char *text = fog_err_text(ev->err), *reason = ev->reason ? ev->reason : "";
    bool more = *reason && strcmp(reason, text) != 0;
    snprintf(buf, CARRIER_WHY_MAX, "%s%s%s", text, more ? ": " : "", more ? reason : "");
    return buf;
}

void
fogi_carrier_end(struct carrier *c)
{
    while (!list_is_empty(&c->riders)) {
        struct rider *r = list_entry(c->riders.next, struct rider, link);
        r->ops->ends(r);
    }
}

void
fogi_rider_init(struct rider *r, const struct rider_ops *ops)
{
    *r = (struct rider){.ops = ops};
    list_init(&r->link);
}

void
fogi_rider_on(struct rider *r, struct carrier *c, struct fog_stream *st)
{
    r->carrier = c;
    r->stream = st;
    list_push(&c->riders, &r->link);
    fog_stream_set_user(st, r);
    c->p->n.streams_opened++;
    if (fogi_log_on(LOG_AT_DEBUG))
        fogi_log(LOG_AT_DEBUG, "stream %u opened", fog_stream_id(st));
}

void
fogi_rider_off(struct rider *r)
{
    if (!r->stream)
        return;
    list_unlink(&r->link);
    fog_stream_set_user(r->stream, NULL);
    fog_session_release(r->carrier->session, r->stream, process_now(r->carrier->p));
    rider_touch(r);
    r->stream = NULL;
    r->carrier = NULL;
}
