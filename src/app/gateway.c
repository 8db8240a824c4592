/* SPDX-License-Identifier: MIT
 *
 * gateway.c - the life of a gateway: certificates and users, reload, drain.
 *
 * Decides what a reload may change: everything that needs no other socket, all of it or nothing.
 * Refuses to know the protocol (gateway_session.c). Invariant: connections that stand are not
 * touched by a reload.
 */
#include "app/gateway_int.h"

#include "app/stats.h"
#include "io/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* -------------------------------------------------------------------------- what a reload replaces
 */

static void
drop_live(struct gateway_live *l)
{
    fogi_tls_free(l->tls);
    free(l->users);
    if (l->webroot >= 0)
        close(l->webroot);
    fogi_gateway_conf_free(l->conf);
    *l = (struct gateway_live){.webroot = -1};
}

static bool
make_tls(struct gateway_live *l, char why[TLS_ERROR_MAX])
{
    const struct gateway_conf *c = l->conf;
    struct tls_server_files f = {.key = c->key_file,
                                 .pkcs12 = c->pkcs12_file,
                                 .password = c->pkcs12_password,
                                 .domain = c->domain};
    for (; f.n_certs < c->n_cert_files && f.n_certs < TLS_CERTS_MAX; f.n_certs++)
        f.certs[f.n_certs] = c->cert_files[f.n_certs];
    return !c->ssl || fogi_tls_server(&l->tls, &f, why);
}

static bool
make_users(struct gateway_live *l, char why[TLS_ERROR_MAX])
{
    const struct gateway_conf *c = l->conf;
    l->users = calloc(c->n_users, sizeof *l->users);
    snprintf(why, TLS_ERROR_MAX, "no memory");
    if (!l->users)
        return false;
    fogi_auth_init(&l->auth, l->users, c->n_users);
    for (size_t i = 0; i < c->n_users; i++)
        if (fogi_auth_add(&l->auth, c->users[i].name, c->users[i].password)) {
            snprintf(why, TLS_ERROR_MAX, "user %zu cannot be taken", i + 1);
            return false;
        }
    return true;
}

static bool
make_webroot(struct gateway_live *l, char why[TLS_ERROR_MAX])
{
    if (!l->conf->webroot)
        return true;
    l->webroot = fogi_web_open_root(l->conf->webroot);
    if (l->webroot >= 0)
        return true;
    snprintf(why, TLS_ERROR_MAX, "webroot %s: %s", l->conf->webroot, strerror(errno));
    return false;
}

/** Takes c. Where something does not do, `why` says so and *l is empty. */
static bool
make_live(struct gateway_live *l, struct gateway_conf *c, char why[TLS_ERROR_MAX])
{
    *l = (struct gateway_live){.conf = c, .webroot = -1};
    if (make_tls(l, why) && make_users(l, why) && make_webroot(l, why))
        return true;
    drop_live(l);
    return false;
}

bool
fogi_gateway_try(struct gateway_conf *c, char why[TLS_ERROR_MAX])
{
    struct gateway_live l;
    bool good = make_live(&l, c, why);
    if (good)
        drop_live(&l);
    return good;
}

/** The policy is the configuration's, and knows our ports; our addresses are found when needed. */
static void
use_policy(struct gateway *g)
{
    struct gateway_conf *c = g->live.conf;
    int full = fogi_policy_listens(&c->policy, c->listen.port);
    if (!full && c->redirect)
        full = fogi_policy_listens(&c->policy, c->redirect);
    if (full)
        fogi_log(LOG_AT_WARN, "too many ports are listened on to keep streams from them all");
    fogi_reacher_set(&g->reacher, &c->policy);
}

/* ------------------------------------------------------------------------------------------ role
 */

/** Ends all sessions of a list for which nothing is lost by it; all of them when `now`. */
static void
end_sessions(struct list *sessions, bool now)
{
    for (struct list *i = sessions->next, *next; i != sessions; i = next) {
        struct session *s = list_entry(i, struct session, link);
        next = i->next;
        if (now || s->phase == SESSION_ENGINE || s->phase == SESSION_HELD)
            fogi_session_kill(s);
    }
}

static void
drain(void *self)
{
    struct gateway *g = self;
    fogi_gateway_shut(g);
    end_sessions(&g->fresh, false);
    end_sessions(&g->greeted, false);
    end_sessions(&g->settled, false);
}

static bool
is_busy(const void *self)
{
    const struct gateway *g = self; /* every session counts as a relay of the process */
    return g->hub && fogi_hub_is_busy(g->hub);
}

static void
stop(void *self)
{
    struct gateway *g = self;
    drain(g);
    end_sessions(&g->fresh, true);
    end_sessions(&g->greeted, true);
    end_sessions(&g->settled, true);
    fogi_gateway_kcp_close(g);
    fogi_reacher_deinit(&g->reacher);
}

/** An app_reload_fn: everything is read and made, or nothing changes. */
static int
read_again(void *ctx, struct conf *out)
{
    struct gateway *g = ctx;
    struct gateway_conf *c;
    char why[TLS_ERROR_MAX];
    if (g->load(g->load_ctx, &c))
        return 1;
    if (!make_live(&g->next, c, why)) {
        fogi_log(LOG_AT_ERROR, "reload: %s", why);
        return 1;
    }
    *out = g->next.conf->tunnel;
    return 0;
}

/** Sockets stay as they are: says so where something else was asked for. */
static void
keep_fixed(struct gateway *g)
{
    const struct gateway_conf *was = g->live.conf;
    struct gateway_conf *is = g->next.conf;
    if (strcmp(was->listen.host, is->listen.host) != 0 || was->listen.port != is->listen.port ||
        was->redirect != is->redirect || was->kcp != is->kcp)
        fogi_log(LOG_AT_WARN, "reload: listen, redirectport and kcp stay until the next start");
    is->listen = was->listen;
    is->redirect = was->redirect;
    is->kcp = was->kcp;
}

static void
reload(void *self, const struct conf *was)
{
    struct gateway *g = self;
    (void)was;
    keep_fixed(g);
    fogi_tls_follow(g->next.tls, g->live.tls);
    drop_live(&g->live);
    g->live = g->next;
    g->next = (struct gateway_live){.webroot = -1};
    use_policy(g);
    if (g->hub)
        fogi_hub_set_rates(g->hub);
    fogi_log(LOG_AT_INFO, "reload: %zu users, %s", g->live.conf->n_users,
             g->live.tls ? "certificates read" : "no TLS");
}

static void
dump(void *self, struct stats *out)
{
    struct gateway *g = self;
    fogi_stats_line(out, "gateway.fresh", g->n_fresh);
    fogi_stats_line(out, "gateway.settled", g->n_settled);
    fogi_stats_line(out, "gateway.reaching", g->reacher.n_active);
    fogi_stats_line(out, "gateway.waiting", g->reacher.n_waiting);
    if (g->hub)
        fogi_hub_dump(g->hub, out);
#define GATEWAY_LINE(name) fogi_stats_line(out, "gateway." #name, g->n.name);
    GATEWAY_COUNTERS(GATEWAY_LINE)
#undef GATEWAY_LINE
}

static const struct role role = {.name = "gateway",
                                 .drain = drain,
                                 .is_busy = is_busy,
                                 .stop = stop,
                                 .reload = reload,
                                 .rereads = true,
                                 .dump = dump};

/* ------------------------------------------------------------------------------------------ start
 */

static void
log_start(const struct gateway *g)
{
    const struct gateway_conf *c = g->live.conf;
    fogi_log(LOG_AT_INFO, "listening on tcp%s %s:%u%s for %zu user%s%s%s", c->kcp ? " and udp" : "",
             *c->listen.host ? c->listen.host : "*", c->listen.port, c->ssl ? " with TLS" : "",
             c->n_users, c->n_users == 1 ? "" : "s", c->webroot ? ", site " : "",
             c->webroot ? c->webroot : "");
}

/* What a browser asks for at once is answered at once; who guesses passwords gets 20 a second. The
 * longest wait is shorter than what one in the door has when others wait there. */
static const struct turnstile_rate visits = {
    .each = FOG_MS(50), .credit = FOG_MS(2500), .most = FOG_MS(1500)};

static int
run(struct gateway *g)
{
    struct process *p = g->p;
    uint8_t key[16];
    mem_init(&g->mem, &p->al);
    int err = fogi_loop_random(&p->loop, key, sizeof key);
    if (!err)
        err = fogi_gateway_open(g, g->live.conf);
    if (err)
        return fogi_process_free(p, EXIT_UNAVAILABLE);
    fogi_turnstile_init(&g->visits, visits, key);
    fogi_reacher_init(&g->reacher, p, NULL);
    use_policy(g);
    log_start(g);
    fogi_process_run(p, &role, g);
    return fogi_process_free(p, EXIT_OK);
}

int
fogi_gateway_run(struct gateway_conf *c, gateway_load_fn load, void *ctx)
{
    struct process p;
    struct gateway *g = calloc(1, sizeof *g);
    char why[TLS_ERROR_MAX];
    if (!g) {
        fogi_gateway_conf_free(c);
        return EXIT_UNAVAILABLE;
    }
    if (!make_live(&g->live, c, why)) {
        fprintf(stderr, "foggara: %s\n", why);
        free(g);
        return EXIT_CONFIG;
    }
    g->p = &p;
    g->load = load;
    g->load_ctx = ctx;
    g->next.webroot = -1;
    list_init(&g->fresh);
    list_init(&g->greeted);
    list_init(&g->settled);
    int code = EXIT_UNAVAILABLE;
    int err = fogi_process_init(&p, &g->live.conf->tunnel, load ? read_again : NULL, g);
    if (err)
        fprintf(stderr, "foggara gateway: cannot start: %s\n", fogi_io_text(err));
    else
        code = run(g);
    drop_live(&g->live);
    free(g);
    return code;
}
