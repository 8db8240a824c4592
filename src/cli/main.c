/* SPDX-License-Identifier: MIT
 *
 * main.c - the table of commands.
 *
 * Decides which command was meant and what the process returns. Refuses to know what commands do.
 */
#include "app/app.h"
#include "app/conf_value.h"
#include "app/conf_lines.h"
#include "app/agent_conf.h"
#include "app/demo.h"
#include "app/nearest.h"
#include "app/status.h"
#include "cli/args.h"
#include "cli/out.h"
#include "cli/proxy_main.h"
#include "cli/words.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ------------------------------------------------------------------------------ settings and runs
 */

/** Hands each line to `say`. */
static void
each_line(const struct conf_lines *lines, void (*say)(const char *line, size_t len))
{
    for (const char *p = lines->text; *p != 0;) {
        size_t len = strcspn(p, "\n");
        say(p, len);
        p += len + 1;
    }
}

static void
say_error(const char *line, size_t len)
{
    fprintf(stderr, "foggara: %.*s\n", (int)len, line);
}

static void
say_note(const char *line, size_t len)
{
    fprintf(stderr, "foggara: note: %.*s\n", (int)len, line);
}

static void
log_error(const char *line, size_t len)
{
    fogi_log(LOG_AT_ERROR, "%.*s", (int)len, line);
}

/** Reads file and flags; says what is wrong with them. */
static int
load(const struct conf_request *rq, struct conf *c)
{
    struct conf_report rep;
    int rc = fogi_conf_load(c, rq, &rep);
    each_line(&rep.notes, say_note);
    each_line(&rep.errors, say_error);
    if (rep.incomplete && rc == EXIT_USAGE)
        fogi_out_usage(stderr, rq->mode);
    return rc;
}

/** An app_reload_fn; ctx: the request of the start. */
static int
reload(void *ctx, struct conf *out)
{
    const struct conf_request *rq = ctx;
    struct conf_report rep;
    if (rq->file == NULL)
        fogi_log(LOG_AT_INFO, "reload: all settings are flags; a file to read is given with -c");
    int rc = fogi_conf_load(out, rq, &rep);
    each_line(&rep.errors, log_error);
    return rc;
}

static int
usage_error(const char *err)
{
    fprintf(stderr, "foggara: %s\n", err);
    return EXIT_USAGE;
}

/** Loads what was asked for, then prints it or runs it. */
static int
carry_out(struct args *a)
{
    struct conf c;
    char summary[LOG_LINE_MAX];
    int rc = load(&a->request, &c);
    if (rc != EXIT_OK)
        return rc;
    if (a->action == ARGS_PRINT) {
        fogi_out_conf(stdout, &c);
        return EXIT_OK;
    }
    fogi_log_level(c.log_level);
    fogi_out_summary(&c, summary, sizeof summary);
    fogi_log(LOG_AT_INFO, "foggara " FOG_VERSION "%s%s", summary[0] != 0 ? " with " : "", summary);
    return c.mode == CONF_CLIENT ? fogi_client_run(&c, reload, &a->request)
                                 : fogi_server_run(&c, reload, &a->request);
}

static int
run_mode(enum conf_mode mode, int argc, char **argv)
{
    struct args a;
    char err[ARGS_ERROR_MAX];
    if (fogi_args_parse(&a, mode, argc, argv, err) != EXIT_OK)
        return usage_error(err);
    if (a.action == ARGS_HELP)
        fogi_out_help(stdout, mode);
    else if (a.action == ARGS_VERSION)
        fogi_out_version(stdout);
    else
        return carry_out(&a);
    return EXIT_OK;
}

static int
run_words(int argc, char **argv)
{
    struct args a;
    char err[ARGS_ERROR_MAX];
    if (fogi_words_parse(&a, argc, argv, err) != EXIT_OK)
        return usage_error(err);
    if (a.action == ARGS_HELP) {
        fputs(fogi_words_help, stdout);
        return EXIT_OK;
    }
    return carry_out(&a);
}

/* ------------------------------------------------------------------------------------ the commands
 */

static int
run_client(int argc, char **argv)
{
    return run_mode(CONF_CLIENT, argc, argv);
}

static int
run_server(int argc, char **argv)
{
    return run_mode(CONF_SERVER, argc, argv);
}

static const char check_usage[] = "usage: foggara check [client|server|agent|gateway] -c FILE\n";

/** Whose file it is, by its keys; standard input cannot be read twice. */
static enum conf_role
role_of_file(const char *file)
{
    static char text[JSON_SIZE_MAX];
    size_t len;
    if (strcmp(file, "-") == 0 || fogi_file_read(file, text, sizeof text, &len))
        return ROLE_TUNNEL;
    return fogi_conf_role(text, len);
}

static int
check_tunnel(struct args *a)
{
    struct conf c;
    int rc = load(&a->request, &c);
    if (rc != EXIT_OK)
        return rc;
    if (a->action == ARGS_PRINT)
        fogi_out_conf(stdout, &c);
    else
        printf("ok: %s is right for a %s\n", a->request.file,
               c.mode == CONF_CLIENT ? "client" : "server");
    return EXIT_OK;
}

static int
run_check(int argc, char **argv)
{
    const char *named = argc > 1 && argv[1][0] != '-' ? argv[1] : "";
    bool server = strcmp(named, "server") == 0, agent = strcmp(named, "agent") == 0;
    bool gateway = strcmp(named, "gateway") == 0, client = strcmp(named, "client") == 0;
    int skip = server || agent || gateway || client;
    struct args a;
    char err[ARGS_ERROR_MAX];
    if (fogi_args_parse(&a, server ? CONF_SERVER : CONF_CLIENT, argc - skip, argv + skip, err) !=
        EXIT_OK)
        return usage_error(err);
    if (a.action == ARGS_HELP) {
        printf("%sReads a configuration and says whether it is right, without running it. Without\n"
               "a role, its keys tell whose it is.\n",
               check_usage);
        return EXIT_OK;
    }
    if (a.action == ARGS_VERSION) {
        fogi_out_version(stdout);
        return EXIT_OK;
    }
    if (a.request.file == NULL) {
        fprintf(stderr, "foggara: check wants -c FILE\n%s", check_usage);
        return EXIT_USAGE;
    }
    enum conf_role role = skip ? ROLE_TUNNEL : role_of_file(a.request.file);
    agent = agent || role == ROLE_AGENT;
    gateway = gateway || role == ROLE_GATEWAY;
    if ((agent || gateway) && a.action == ARGS_PRINT)
        return usage_error("--print-config: there is none for agents and gateways");
    if (agent || gateway)
        return agent ? fogi_agent_check(a.request.file) : fogi_gateway_check(a.request.file);
    a.request.guess = !skip;
    return check_tunnel(&a);
}

static const char status_usage[] = "usage: foggara status [PATH]\n";

static int
run_status(int argc, char **argv)
{
    const char *path = argc > 1 ? argv[1] : STATUS_PATH;
    if (strcmp(path, "-h") == 0 || strcmp(path, "--help") == 0) {
        printf("%sShows the counters of the process that was started with --status PATH; without\n"
               "PATH that is " STATUS_PATH ".\n",
               status_usage);
        return EXIT_OK;
    }
    if (path[0] == '-' || argc > 2) {
        fprintf(stderr, "foggara: %s: one path is wanted\n%s", fogi_conf_quote(argv[argc - 1]).text,
                status_usage);
        return EXIT_USAGE;
    }
    int err = fogi_status_ask(path, stdout);
    if (err == 0)
        return EXIT_OK;
    bool nobody = err == -ENOENT || err == -ECONNREFUSED;
    fprintf(stderr, "foggara: status %s: %s%s\n", path, fogi_io_text(err),
            nobody ? "; nobody listens there, is it the path of --status?" : "");
    return EXIT_UNAVAILABLE;
}

static int
run_version(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    fogi_out_version(stdout);
    return EXIT_OK;
}

static int run_help(int argc, char **argv);

/* clang-format off */
static const struct command {
    const char *name;
    int (*run)(int argc, char **argv); /* argv[0] is the command's name */
    const char *summary;
} commands[] = {
    {"client",  run_client,     "listens on TCP, carries each connection to a server"},
    {"server",  run_server,     "takes tunnels from clients, connects each stream to a target"},
    {"agent",   fogi_agent_main, "takes SOCKS5 and HTTP from local programs to gateways"},
    {"gateway", fogi_gateway_main, "takes agents in, connects them to where they ask"},
    {"demo",    fogi_demo_main, "shows the tunnel at work over a bad link, on this machine"},
    {"check",   run_check,      "says whether a configuration is right"},
    {"status",  run_status,     "shows the counters of a running one"},
    {"version", run_version,    "shows the version"},
    {"help",    run_help,       "explains a command: foggara help client"},
};
/* clang-format on */

#define N_COMMANDS (sizeof commands / sizeof commands[0])

static const struct command *
find_command(const char *name)
{
    for (size_t i = 0; i < N_COMMANDS; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static int
unknown_command(const char *name)
{
    const char *meant = NULL;
    int best = NEAREST_NONE;
    for (size_t i = 0; i < N_COMMANDS; i++)
        if (fogi_nearest(name, commands[i].name, &best))
            meant = commands[i].name;
    fprintf(stderr, "foggara: %s: no such command%s%s%s\n", fogi_conf_quote(name).text,
            meant != NULL ? "; did you mean " : "; foggara help lists them",
            meant != NULL ? meant : "", meant != NULL ? "?" : "");
    return EXIT_USAGE;
}

static void
overview(FILE *f)
{
    fputs("foggara " FOG_VERSION " - TCP connections through one tunnel over a bad link\n"
          "usage: foggara COMMAND [OPTION...]\n",
          f);
    for (size_t i = 0; i < N_COMMANDS; i++)
        fprintf(f, "  %-9s%s\n", commands[i].name, commands[i].summary);
    fputs("example, on the far machine and then on this one:\n"
          "  foggara server -l :29900 -t 127.0.0.1:5201\n"
          "  foggara client -l 12948 -r server.example:29900\n"
          "Settings may come from a file: -c FILE, see foggara.conf(5). The words of vproxy\n"
          "are read as they are: foggara help mode\n",
          f);
}

static int
run_help(int argc, char **argv)
{
    if (argc < 2) {
        overview(stdout);
        return EXIT_OK;
    }
    if (fogi_words_match(argc, argv)) {
        fputs(fogi_words_help, stdout);
        return EXIT_OK;
    }
    const struct command *c = find_command(argv[1]);
    if (c == NULL)
        return unknown_command(argv[1]);
    if (c->run == run_help || c->run == run_version) {
        printf("usage: foggara %s%s: %s\n", c->name, c->run == run_help ? " [COMMAND]" : "",
               c->summary);
        return EXIT_OK;
    }
    char *help[] = {argv[1], (char[]){"--help"}, NULL};
    return c->run(2, help);
}

static int
run_command(int argc, char **argv)
{
    const char *first = argc > 1 ? argv[1] : NULL;
    if (first == NULL) {
        overview(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(first, "-h") == 0 || strcmp(first, "--help") == 0)
        return run_help(argc - 1, argv + 1);
    if (strcmp(first, "-v") == 0 || strcmp(first, "--version") == 0)
        return run_version(argc - 1, argv + 1);
    if (fogi_words_match(argc, argv))
        return run_words(argc, argv);
    if (first[0] == '-') {
        fprintf(stderr, "foggara: %s: a command comes first: client, server, agent or gateway\n",
                fogi_conf_quote(first).text);
        return EXIT_USAGE;
    }
    const struct command *c = find_command(first);
    return c != NULL ? c->run(argc - 1, argv + 1) : unknown_command(first);
}

int
main(int argc, char **argv)
{
    int rc = run_command(argc, argv);
    if (fflush(stdout) == 0 && ferror(stdout) == 0)
        return rc;
    perror("foggara: cannot write the output");
    return rc != EXIT_OK ? rc : EXIT_UNAVAILABLE;
}
