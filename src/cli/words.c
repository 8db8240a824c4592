/* SPDX-License-Identifier: MIT */
#include "cli/words.h"

#include "app/conf_value.h"
#include "app/nearest.h"

#include <stdio.h>
#include <string.h>

const char fogi_words_help[] =
    "usage: foggara [kcptun] mode client bind PORT target HOST:PORT [fast 1..4]\n"
    "       foggara [kcptun] mode server bind PORT target HOST:PORT [fast 1..4]\n"
    "The words of vproxy's KcpTun, in any order. A client listens on 127.0.0.1, and\n"
    "its target is the server. A server listens on all addresses, and its target is\n"
    "what each stream is connected to. Without \"fast\" it follows the link. The same\n"
    "with options of its own: foggara help client, foggara help server\n";

enum word { WORD_MODE, WORD_BIND, WORD_TARGET, WORD_FAST, WORD_N };

static const char *const names[WORD_N] = {"mode", "bind", "target", "fast"};

static enum word
find(const char *s)
{
    enum word w = 0;
    while (w < WORD_N && strcmp(s, names[w]) != 0)
        w++;
    return w;
}

bool
fogi_words_match(int argc, char **argv)
{
    return argc > 1 && (strcmp(argv[1], "kcptun") == 0 || find(argv[1]) < WORD_N);
}

/** Always EXIT_USAGE, so that callers can return it. */
static int
fail(char *err, const char *word, const char *clause)
{
    snprintf(err, ARGS_ERROR_MAX, "%s: %s", fogi_conf_quote(word).text, clause);
    return EXIT_USAGE;
}

static int
unknown(char *err, const char *word)
{
    char clause[64] = "no such word; there are mode, bind, target, fast and help";
    const char *meant = NULL;
    int best = NEAREST_NONE;
    for (enum word w = 0; w < WORD_N; w++)
        if (fogi_nearest(word, names[w], &best))
            meant = names[w];
    if (meant != NULL)
        snprintf(clause, sizeof clause, "no such word; did you mean %s?", meant);
    return fail(err, word, clause);
}

static bool
is_help(const char *s)
{
    return strcmp(s, "help") == 0 || strcmp(s, "-h") == 0 || strcmp(s, "--help") == 0;
}

/** The words become flags of conf; what a key is depends on the mode, so that is looked at first.
 */
static int
to_request(struct args *a, const char *const value[WORD_N], char *err)
{
    bool server = value[WORD_MODE] != NULL && strcmp(value[WORD_MODE], "server") == 0;
    const enum conf_key keys[WORD_N] = {[WORD_BIND] = CONF_KEY_LISTEN,
                                        [WORD_TARGET] = server ? CONF_KEY_TARGET : CONF_KEY_REMOTE,
                                        [WORD_FAST] = CONF_KEY_FAST};
    for (enum word w = WORD_MODE; w <= WORD_TARGET; w++)
        if (value[w] == NULL)
            return fail(err, names[w], "this word and its value are missing");
    if (!server && strcmp(value[WORD_MODE], "client") != 0)
        return fail(err, "mode", "client or server is wanted");
    if (strspn(value[WORD_BIND], "0123456789") != strlen(value[WORD_BIND]))
        return fail(err, "bind", "a port is wanted, 1..65535");
    a->request.mode = server ? CONF_SERVER : CONF_CLIENT;
    for (enum word w = WORD_BIND; w < WORD_N; w++)
        if (value[w] != NULL)
            a->request.flags[a->request.n_flags++] =
                (struct conf_flag){keys[w], value[w], names[w]};
    return EXIT_OK;
}

int
fogi_words_parse(struct args *a, int argc, char **argv, char err[ARGS_ERROR_MAX])
{
    const char *value[WORD_N] = {NULL};
    int i = argc > 1 && strcmp(argv[1], "kcptun") == 0 ? 2 : 1;
    memset(a, 0, sizeof *a);
    err[0] = 0;
    for (; i < argc; i += 2) {
        if (is_help(argv[i])) {
            a->action = ARGS_HELP;
            return EXIT_OK;
        }
        enum word w = find(argv[i]);
        if (w == WORD_N)
            return unknown(err, argv[i]);
        if (i + 1 == argc)
            return fail(err, argv[i], "a value is missing behind it");
        value[w] = argv[i + 1];
    }
    return to_request(a, value, err);
}
