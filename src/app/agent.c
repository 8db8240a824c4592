/* SPDX-License-Identifier: MIT
 *
 * agent.c - the life of an agent: reload, drain.
 *
 * Decides what a reload may change: rules, users, passwords; not sockets and not servers. Refuses
 * to know what is said on connections. Invariant: the groups are those of the configuration the
 * agent was started with, and every later one has the same groups.
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
        fogi_group_drain(&a->groups[i]);
}

static bool
is_busy(const void *self)
{
    const struct agent *a = self;
    for (size_t i = 0; i < a->n_groups; i++)
        if (fogi_group_is_busy(&a->groups[i]))
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
    for (size_t i = 0; i < a->n_groups; i++)
        fogi_group_stop(&a->groups[i]);
    fogi_reacher_deinit(&a->reacher);
}

static bool
same_group(const struct agent_group *x, const struct agent_group *y)
{
    if (strcmp(x->name, y->name) != 0 || x->n_servers != y->n_servers)
        return false;
    for (size_t i = 0; i < x->n_servers; i++)
        if (strcmp(x->servers[i].url, y->servers[i].url) != 0 ||
            x->servers[i].weight != y->servers[i].weight)
            return false;
    return true;
}

static bool
same_groups(const struct agent_conf *x, const struct agent_conf *y)
{
    if (x->n_groups != y->n_groups)
        return false;
    for (size_t i = 0; i < x->n_groups; i++)
        if (!same_group(&x->groups[i], &y->groups[i]))
            return false;
    return true;
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

/** An app_reload_fn: everything is read and made, or nothing changes. */
static int
read_again(void *ctx, struct conf *out)
{
    struct agent *a = ctx;
    struct agent_conf *c;
    struct tls_conf *tls;
    char why[TLS_ERROR_MAX];
    if (a->load(a->load_ctx, &c))
        return 1;
    if (!same_groups(a->base, c)) {
        fogi_log(LOG_AT_ERROR,
                 "reload: groups and servers are changed by a restart; all is as before");
        fogi_agent_conf_free(c);
        return 1;
    }
    if (!make_tls(&tls, c, why)) {
        fogi_log(LOG_AT_ERROR, "reload: %s", why);
        fogi_agent_conf_free(c);
        return 1;
    }
    fogi_tls_free(a->tls);
    a->tls = tls;
    a->next = c;
    *out = c->tunnel;
    return 0;
}

static void
reload(void *self, const struct conf *was)
{
    struct agent *a = self;
    (void)was;
    fogi_fronts_forget_users(a);
    if (a->conf != a->base)
        fogi_agent_conf_free(a->conf);
    a->conf = a->next;
    a->next = NULL;
    fogi_log(LOG_AT_INFO, "reload: rules and passwords read; listeners stay until the next start");
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
        fogi_group_dump(&a->groups[i], out);
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
        fogi_group_resumed(&a->groups[i]);
}

static void
free_groups(struct agent *a)
{
    for (size_t i = 0; i < a->n_groups; i++)
        fogi_group_free(&a->groups[i]);
    free(a->groups);
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
    for (; a->n_groups < a->conf->n_groups; a->n_groups++)
        if (fogi_group_init(&a->groups[a->n_groups], a, &a->conf->groups[a->n_groups])) {
            fprintf(stderr, "foggara agent: cannot start: no memory\n");
            stop(a);
            return fogi_process_free(p, EXIT_UNAVAILABLE);
        }
    fogi_process_run(p, &role, a);
    return fogi_process_free(p, EXIT_OK);
}

int
fogi_agent_run(struct agent_conf *c, agent_load_fn load, void *ctx)
{
    struct process p;
    struct agent *a = calloc(1, sizeof *a);
    struct group *groups = calloc(c->n_groups, sizeof *groups);
    int code = EXIT_UNAVAILABLE;
    char why[TLS_ERROR_MAX];
    bool tls = a && groups && make_tls(&a->tls, c, why);
    if (a)
        a->groups = groups;
    if (a && groups && !tls) {
        fprintf(stderr, "foggara: %s\n", why);
        code = EXIT_CONFIG;
    }
    if (tls) {
        a->p = &p;
        a->conf = a->base = c;
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
        if (a->conf != c)
            fogi_agent_conf_free(a->conf);
        fogi_tls_free(a->tls);
    }
    if (a) /* its handles, which stand in the groups, are closed */
        free_groups(a);
    else
        free(groups);
    fogi_agent_conf_free(c);
    free(a);
    return code;
}
