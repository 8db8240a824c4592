/* SPDX-License-Identifier: MIT
 *
 * agent.c - the life of an agent: reload, drain.
 *
 * Decides what a reload may change: everything but the listeners, all of it or nothing. Refuses to
 * know what is said on connections, and how groups change. Invariant: the groups are those of the
 * configuration in force, in its order.
 */
#include "app/agent_int.h"

#include "app/channel_tcp.h"
#include "app/stats.h"
#include "io/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------------------------------ role
 */

static void
drain(void *self)
{
    struct agent *a = self;
    fogi_doorway_shut(&a->way);
    fogi_fronts_end(a, false);
    fogi_pacs_end(a);
    for (size_t i = 0; i < a->n_groups; i++)
        fogi_group_drain(a->groups[i]);
}

static bool
is_busy(const void *self)
{
    const struct agent *a = self;
    for (size_t i = 0; i < a->n_groups; i++)
        if (fogi_group_is_busy(a->groups[i]))
            return true;
    for (struct list *i = a->leaving.next; i != &a->leaving; i = i->next)
        if (fogi_group_is_busy(list_entry(i, struct group, link)))
            return true;
    return false;
}

static void
stop(void *self)
{
    struct agent *a = self;
    drain(a);
    fogi_fronts_end(a, true);
    a->p->loop.resumed = NULL;
    pump_cancel(&a->resumed);
    fogi_groups_stop(a);
    fogi_reacher_deinit(&a->reacher);
}

static bool
make_tls(struct tls_conf **t, const struct agent_conf *c, char why[TLS_ERROR_MAX])
{
    struct tls_client_files f = {.verify = c->verify, .ca = c->ca_file, .password = c->ca_password};
    return fogi_tls_client(t, &f, why);
}

bool
fogi_agent_try(const struct agent_conf *c, char why[TLS_ERROR_MAX])
{
    struct tls_conf *t;
    if (!make_tls(&t, c, why))
        return false;
    fogi_tls_free(t);
    return true;
}

/** Takes c and, when that fails, frees it. */
static bool
prepare(struct agent *a, struct agent_conf *c)
{
    struct groups_plan *plan;
    struct tls_conf *tls = NULL;
    char why[TLS_ERROR_MAX];
    if (fogi_groups_plan(&plan, a, c)) {
        fogi_log(LOG_AT_ERROR, "reload: no memory");
        fogi_agent_conf_free(c);
        return false;
    }
    if (fogi_agent_conf_has_tls(c) && !make_tls(&tls, c, why)) {
        fogi_log(LOG_AT_ERROR, "reload: %s", why);
        fogi_groups_forget(plan);
        fogi_agent_conf_free(c);
        return false;
    }
    if (tls) { /* else servers that leave are trusted as before, and no others need it */
        fogi_tls_free(a->tls);
        a->tls = tls;
    }
    a->next = c;
    a->plan = plan;
    return true;
}

/** An app_reload_fn: everything is read and made, or nothing changes. */
static int
read_again(void *ctx, struct conf *out)
{
    struct agent *a = ctx;
    struct agent_conf *c;
    if (a->load(a->load_ctx, &c) || !prepare(a, c))
        return 1;
    *out = c->tunnel;
    return 0;
}

static bool
same_place(const struct hostport *x, const struct hostport *y)
{
    return x->port == y->port && !strcmp(x->host, y->host);
}

/** Sockets stay as they are: says so where something else was asked for. */
static void
keep_listeners(const struct agent_conf *was, const struct agent_conf *is)
{
    if (!same_place(&was->socks5, &is->socks5) || !same_place(&was->http, &is->http) ||
        !same_place(&was->mixed, &is->mixed) || !same_place(&was->pac, &is->pac))
        fogi_log(LOG_AT_WARN, "reload: listeners stay until the next start");
}

static bool
same_text(const char *x, const char *y)
{
    return !x || !y ? x == y : !strcmp(x, y);
}

static bool
same_login(const struct auth_login *x, const struct auth_login *y)
{
    return same_text(x->name, y->name) && same_text(x->password, y->password);
}

static bool
same_users(const struct agent_conf *x, const struct agent_conf *y)
{
    bool same = x->n_users == y->n_users;
    for (size_t i = 0; same && i < x->n_users; i++)
        same = same_login(&x->users[i], &y->users[i]);
    return same;
}

/** Whether a line that was made for x would have been made for y alike, TLS apart. */
static bool
same_lines(const struct agent_conf *x, const struct agent_conf *y)
{
    return same_text(x->auth.name, y->auth.name) && same_text(x->auth.password, y->auth.password) &&
           x->strict == y->strict;
}

static void
reload(void *self, const struct conf *was)
{
    struct agent *a = self;
    struct agent_conf *old = a->conf;
    size_t servers = 0;
    keep_listeners(old, a->next);
    fogi_fronts_change_users(a, a->next, same_users(old, a->next));
    a->conf = a->next;
    a->next = NULL;
    fogi_groups_follow(a->plan);
    a->plan = NULL;
    for (size_t i = 0; i < a->n_groups; i++) {
        fogi_pool_drop(a->groups[i], NULL, !same_lines(old, a->conf));
        fogi_group_reload(a->groups[i], was);
        servers += a->groups[i]->n_fars;
    }
    fogi_agent_conf_free(old);
    fogi_log(LOG_AT_INFO, "reload: %zu groups of %zu servers, rules and passwords", a->n_groups,
             servers);
}

static void
dump(void *self, struct stats *out)
{
    struct agent *a = self;
    fogi_stats_line(out, "agent.fresh", a->n_fresh);
#define AGENT_LINE(name) fogi_stats_line(out, "agent." #name, a->n.name);
    AGENT_COUNTERS(AGENT_LINE)
#undef AGENT_LINE
    for (size_t i = 0; i < a->n_groups; i++)
        fogi_group_dump(a->groups[i], out);
    for (struct list *i = a->leaving.next; i != &a->leaving; i = i->next)
        fogi_group_dump(list_entry(i, struct group, link), out);
}

static const struct role role = {.name = "agent",
                                 .drain = drain,
                                 .is_busy = is_busy,
                                 .stop = stop,
                                 .reload = reload,
                                 .rereads = true,
                                 .dump = dump};

/* ------------------------------------------------------------------------------------------ start
 */

static void
on_resumed(struct pump *pump)
{
    struct agent *a = list_entry(pump, struct agent, resumed);
    for (size_t i = 0; i < a->n_groups; i++)
        fogi_group_resumed(a->groups[i]);
}

static int
run(struct agent *a)
{
    struct process *p = a->p;
    uint8_t key[16];
    int err = fogi_loop_random(&p->loop, key, sizeof key);
    if (!err)
        err = fogi_agent_open(a);
    if (err)
        return fogi_process_free(p, EXIT_UNAVAILABLE);
    fogi_fronts_init(a, key);
    mem_init(&a->mem, &p->al);
    fogi_reacher_init(&a->reacher, p, NULL);
    pump_init(&a->resumed, on_resumed);
    p->loop.resumed = &a->resumed;
    fogi_groups_init(a);
    if (fogi_groups_plan(&a->plan, a, a->conf)) {
        fprintf(stderr, "foggara agent: cannot start: no memory\n");
        stop(a);
        return fogi_process_free(p, EXIT_UNAVAILABLE);
    }
    fogi_groups_follow(a->plan);
    a->plan = NULL;
    fogi_process_run(p, &role, a);
    return fogi_process_free(p, EXIT_OK);
}

int
fogi_agent_run(struct agent_conf *c, agent_load_fn load, void *ctx)
{
    struct process p;
    struct agent *a = calloc(1, sizeof *a);
    int code = EXIT_UNAVAILABLE;
    char why[TLS_ERROR_MAX];
    bool tls = a && make_tls(&a->tls, c, why);
    if (a && !tls) {
        fprintf(stderr, "foggara: %s\n", why);
        code = EXIT_CONFIG;
    }
    if (tls) {
        a->p = &p;
        a->conf = c;
        a->load = load;
        a->load_ctx = ctx;
        list_init(&a->fresh);
        list_init(&a->asking);
        list_init(&a->spliced);
        list_init(&a->pacs);
        int err = fogi_process_init(&p, &c->tunnel, load ? read_again : NULL, a);
        if (err)
            fprintf(stderr, "foggara agent: cannot start: %s\n", fogi_io_text(err));
        else
            code = run(a);
        c = a->conf;
        fogi_tls_free(a->tls);
    }
    fogi_agent_conf_free(c);
    free(a);
    return code;
}
