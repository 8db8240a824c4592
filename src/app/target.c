/* SPDX-License-Identifier: MIT */
#include "app/target.h"

#include "io/log.h"

#include <string.h>

#define FRESH_US FOG_SEC(60)    /* an answer is used so long without asking again */
#define ASK_AGAIN_US FOG_SEC(1) /* after trouble                                  */

static void
on_answer(void *ctx, int err, const struct fog_addr *addrs, unsigned n)
{
    struct target *t = ctx;
    t->looking = NULL;
    if (err) {
        t->p->n.lookups_failed++;
        t->stale = true;
        LOG_LIMITED(LOG_AT_WARN, "cannot look up %s: %s; trying again", t->name.host,
                    fogi_io_text(err));
    } else {
        memcpy(t->addrs, addrs, n * sizeof *addrs);
        t->n = n;
    }
    t->known(t->ctx, err);
}

static void
ask(struct target *t)
{
    if (t->looking || t->digits)
        return;
    t->asked = process_now(t->p);
    t->stale = false;
    t->p->n.lookups++;
    int err = fogi_resolve(&t->looking, &t->p->loop, t->name.host, t->name.port, on_answer, t);
    if (err) {
        t->looking = NULL;
        t->stale = true;
        LOG_LIMITED(LOG_AT_WARN, "cannot look up %s: %s", t->name.host, fogi_io_text(err));
    }
}

void
fogi_target_init(struct target *t, struct process *p, const struct hostport *name,
                 void (*known)(void *ctx, int err), void *ctx)
{
    *t = (struct target){.p = p, .known = known, .ctx = ctx};
    fogi_target_set(t, name);
}

void
fogi_target_set(struct target *t, const struct hostport *name)
{
    fogi_resolve_forget(t->looking);
    t->looking = NULL;
    t->name = *name;
    t->digits = fogi_addr_parse(&t->addrs[0], name->host, name->port);
    t->n = t->digits ? 1 : 0;
    ask(t);
}

bool
fogi_target_use(struct target *t)
{
    fog_time now = process_now(t->p);
    if (t->stale || now - t->asked > FRESH_US)
        ask(t);
    return t->n > 0;
}

void
fogi_target_doubt(struct target *t)
{
    if (process_now(t->p) - t->asked >= ASK_AGAIN_US)
        t->stale = true;
}

bool
fogi_target_renew(struct target *t)
{
    ask(t);
    return !t->looking;
}

void
fogi_target_deinit(struct target *t)
{
    fogi_resolve_forget(t->looking);
    t->looking = NULL;
}
