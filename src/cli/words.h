/* SPDX-License-Identifier: MIT
 *
 * words.h - the command line of vproxy's KcpTun, as its users type it:
 *
 *     mode client|server  bind PORT  target HOST:PORT  [fast 1..4]       in any order
 *     help | -h | --help
 *
 * Decides which words there are. Refuses to know values; conf checks them as it does for options.
 */
#ifndef FOGI_WORDS_H
#define FOGI_WORDS_H

#include "cli/args.h"

/** Whether argv[1] begins such a command line; "kcptun" may stand in front of it. */
bool fogi_words_match(int argc, char **argv);

/** As fogi_args_parse(), for these words. The action is ARGS_RUN or ARGS_HELP. */
FOG_CHECKED int fogi_words_parse(struct args *a, int argc, char **argv, char err[ARGS_ERROR_MAX]);

extern const char fogi_words_help[];

#endif
