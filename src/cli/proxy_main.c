/* SPDX-License-Identifier: MIT */
#include "cli/proxy_main.h"

#include "app/agent.h"
#include "app/gateway.h"
#include "cli/out.h"
#include "io/log.h"

#include <stdio.h>
#include <string.h>

static const char agent_usage[] = "usage: foggara agent -c FILE | OPTION...\n";
static const char agent_about[] =
    "Takes SOCKS5 and HTTP from local programs to gateways, as rules say; what no\n"
    "rule names goes direct. Reads vproxy's agent files as they are.\n";
static const char gateway_usage[] =
    "usage: foggara gateway -c FILE | OPTION... | listen PORT auth USER:PASSWORD ...\n";
static const char gateway_about[] =
    "Takes WebSocks agents in, ours and vproxy's, and connects them to where they\n"
    "ask. To anybody else it is a web server. Reads the words of vproxy's server.\n";

static void
each_line(const struct conf_lines *lines, enum log_at level, const char *prefix, bool log)
{
    for (const char *p = lines->text; *p;) {
        size_t len = strcspn(p, "\n");
        if (log)
            fogi_log(level, "%s%.*s", prefix, (int)len, p);
        else
            fprintf(stderr, "foggara: %s%.*s\n", prefix, (int)len, p);
        p += len + (p[len] == '\n');
    }
}

static void
say_report(const struct conf_report *rep, bool log)
{
    each_line(&rep->notes, LOG_AT_WARN, log ? "" : "note: ", log);
    each_line(&rep->errors, LOG_AT_ERROR, "", log);
}

static int
load_gateway(const struct setting_request *rq, struct gateway_conf **c, bool log)
{
    struct conf_report rep;
    memset(&rep, 0, sizeof rep);
    int rc = fogi_gateway_conf_load(c, rq, &rep);
    say_report(&rep, log);
    return rc;
}

/** A gateway_load_fn. */
static int
load_gateway_again(void *ctx, struct gateway_conf **out)
{
    return load_gateway(ctx, out, true);
}

static int
load_agent(const struct setting_request *rq, struct agent_conf **c, bool log)
{
    struct conf_report rep;
    memset(&rep, 0, sizeof rep);
    int rc = fogi_agent_conf_load(c, rq, &rep);
    say_report(&rep, log);
    return rc;
}

/** An agent_load_fn. */
static int
load_agent_again(void *ctx, struct agent_conf **out)
{
    return load_agent(ctx, out, true);
}

static void
print_help(const char *usage, const char *about, const struct settings_role *role)
{
    static char text[8192];
    fogi_settings_help(role, text, sizeof text);
    printf("%s%s%s", usage, about, text);
}

static int
run_agent(struct setting_request *rq)
{
    struct agent_conf *c;
    int rc = load_agent(rq, &c, false);
    if (rc)
        return rc;
    fogi_log_level(c->tunnel.log_level);
    fogi_log(LOG_AT_INFO, "foggara " FOG_VERSION " agent");
    return fogi_agent_run(c, load_agent_again, rq);
}

static int
run_gateway(struct setting_request *rq)
{
    struct gateway_conf *c;
    int rc = load_gateway(rq, &c, false);
    if (rc)
        return rc;
    fogi_log_level(c->tunnel.log_level);
    fogi_log(LOG_AT_INFO, "foggara " FOG_VERSION " gateway");
    return fogi_gateway_run(c, load_gateway_again, rq);
}

/** True when argv has been dealt with, and *rc is how it ended. */
static bool
is_answered(const struct setting_request *rq, int *rc, const char *err, const char *usage)
{
    if (*rc) {
        fprintf(stderr, "foggara: %s\n%s", err, usage);
        return true;
    }
    if (rq->action != SETTING_VERSION)
        return false;
    fogi_out_version(stdout);
    return true;
}

int
fogi_agent_main(int argc, char **argv)
{
    static struct setting_request rq;
    char err[SETTING_ERROR_MAX];
    int rc = fogi_settings_args(&rq, &fogi_agent_role, argc, argv, err);
    if (is_answered(&rq, &rc, err, agent_usage))
        return rc;
    if (rq.action != SETTING_HELP)
        return run_agent(&rq);
    print_help(agent_usage, agent_about, &fogi_agent_role);
    return 0;
}

int
fogi_gateway_main(int argc, char **argv)
{
    static struct setting_request rq;
    char err[SETTING_ERROR_MAX];
    bool words = fogi_gateway_words_match(argc, argv);
    int rc = (words ? fogi_settings_words : fogi_settings_args)(&rq, &fogi_gateway_role, argc, argv,
                                                                err);
    if (is_answered(&rq, &rc, err, gateway_usage))
        return rc;
    if (rq.action != SETTING_HELP)
        return run_gateway(&rq);
    print_help(gateway_usage, gateway_about, &fogi_gateway_role);
    return 0;
}

/** Says how a file that can be read, and what it names, was found. */
static int
checked(const char *file, const char *whose, bool good, const char *why)
{
    if (good)
        printf("ok: %s is right for %s\n", file, whose);
    else
        fprintf(stderr, "foggara: %s: %s\n", file, why);
    return good ? EXIT_OK : EXIT_CONFIG;
}

int
fogi_agent_check(const char *file)
{
    struct setting_request rq = {.file = file};
    struct agent_conf *c;
    char why[TLS_ERROR_MAX];
    int rc = load_agent(&rq, &c, false);
    if (rc)
        return rc;
    bool good = fogi_agent_try(c, why);
    fogi_agent_conf_free(c);
    return checked(file, "an agent", good, why);
}

int
fogi_gateway_check(const char *file)
{
    struct setting_request rq = {.file = file};
    struct gateway_conf *c;
    char why[TLS_ERROR_MAX];
    int rc = load_gateway(&rq, &c, false);
    if (rc)
        return rc;
    bool good = fogi_gateway_try(c, why);
    return checked(file, "a gateway", good, why);
}
