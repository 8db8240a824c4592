/* SPDX-License-Identifier: MIT
 *
 * args.h - a command's arguments, as a request for the loader of configurations.
 *
 * Decides how options are spelled: -l X, -lX, --listen X, --listen=X. Refuses to know values; they
 * are checked by conf, with those of the file. Invariant: what is kept points into argv.
 */
#ifndef FOGI_ARGS_H
#define FOGI_ARGS_H

#include "app/conf.h"

enum args_action {
    ARGS_RUN,
    ARGS_HELP,    /* -h, --help    */
    ARGS_VERSION, /* -v, --version */
    ARGS_PRINT    /* --print-config */
};

struct args {
    enum args_action action;
    struct conf_request request; /* lends argv */
};

#define ARGS_ERROR_MAX 160

/** An option of every command that takes a configuration, besides those of the table of settings.
 */
struct args_option {
    const char *option; /* "--config" */
    char letter;        /* 0: none    */
    const char *meta;   /* "": no value */
    const char *help;
};
extern const struct args_option fogi_args_options[];
extern const size_t fogi_args_n_options;

/**
 * Reads argv[1] and what follows.
 *
 * Effect     -h and -v end the reading: what stands behind them is not looked at.
 * Returns    EXIT_OK, or EXIT_USAGE with one clause in err that names the argument
 */
FOG_CHECKED int fogi_args_parse(struct args *a, enum conf_mode mode, int argc, char **argv,
                                char err[ARGS_ERROR_MAX]);

#endif
