/* SPDX-License-Identifier: MIT */
#include "cli/gateway_main.h"

#include "app/gateway.h"
#include "cli/out.h"
#include "io/log.h"

#include <stdio.h>
#include <string.h>

static const char usage[] =
    "usage: foggara gateway -c FILE | OPTION... | listen PORT auth USER:PASSWORD ...\n";

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

static int
load(const struct setting_request *rq, struct gateway_conf **c, bool log)
{
    struct conf_report rep;
    memset(&rep, 0, sizeof rep);
    int rc = fogi_gateway_conf_load(c, rq, &rep);
    each_line(&rep.notes, LOG_AT_WARN, log ? "" : "note: ", log);
    each_line(&rep.errors, LOG_AT_ERROR, "", log);
    return rc;
}

/** A gateway_load_fn. */
static int
load_again(void *ctx, struct gateway_conf **out)
{
    return load(ctx, out, true);
}

static void
print_help(void)
{
    static char text[8192];
    fogi_settings_help(fogi_gateway_settings, fogi_gateway_n_settings, text, sizeof text);
    printf("%sTakes WebSocks agents in, ours and vproxy's, and connects them to where they ask.\n"
           "To anybody else it is a web server. The words of vproxy's server are read as they\n"
           "are.\n%s",
           usage, text);
}

int
fogi_gateway_main(int argc, char **argv)
{
    static struct setting_request rq;
    struct gateway_conf *c;
    char err[SETTING_ERROR_MAX];
    bool words = fogi_gateway_words_match(argc, argv);
    int rc = (words ? fogi_settings_words : fogi_settings_args)(
        &rq, fogi_gateway_settings, fogi_gateway_n_settings, argc, argv, err);
    if (rc) {
        fprintf(stderr, "foggara: %s\n%s", err, usage);
        return rc;
    }
    if (rq.action == SETTING_HELP) {
        print_help();
        return 0;
    }
    if (rq.action == SETTING_VERSION) {
        fogi_out_version(stdout);
        return 0;
    }
    rc = load(&rq, &c, false);
    if (rc)
        return rc;
    fogi_log_level(c->tunnel.log_level);
    fogi_log(LOG_AT_INFO, "foggara " FOG_VERSION " gateway");
    return fogi_gateway_run(c, load_again, &rq);
}
