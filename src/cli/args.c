/* SPDX-License-Identifier: MIT
 *
 * args.c - short and long options over one list: the table of settings and four of our own.
 */
#include "cli/args.h"

#include "app/conf_keys.h"
#include "app/conf_value.h"
#include "app/nearest.h"

#include <stdio.h>
#include <string.h>

enum own { OWN_CONFIG, OWN_PRINT, OWN_HELP, OWN_VERSION, OWN_N };

/* clang-format off */
const struct args_option fogi_args_options[] = {
    [OWN_CONFIG]  = {"--config",       'c', "FILE", "read settings from FILE (JSON); - is standard input"},
    [OWN_PRINT]   = {"--print-config", 0,   "",     "show every setting and who set it"},
    [OWN_HELP]    = {"--help",         'h', "",     "show this"},
    [OWN_VERSION] = {"--version",      'v', "",     "show the version"},
};
/* clang-format on */
const size_t fogi_args_n_options = OWN_N;

/** What an argument names: a row of either table. */
struct match {
    bool own;
    size_t index; /* enum own or enum conf_key */
    bool wants_value, may_have_value;
};

struct reader {
    struct args *a;
    char **argv;
    int argc, at; /* at: the argument being read */
    char *err;
};

/** Always EXIT_USAGE, so that callers can return it. */
static int
fail(struct reader *r, const char *arg, const char *clause, const char *name)
{
    snprintf(r->err, ARGS_ERROR_MAX, "%s: %s%s%s", fogi_conf_quote(arg).text, clause, name,
             name[0] != 0 ? "?" : "");
    return EXIT_USAGE;
}

static struct match
match_at(size_t i)
{
    if (i < OWN_N) {
        bool value = fogi_args_options[i].meta[0] != 0;
        return (struct match){true, i, value, value};
    }
    const struct conf_row *row = &fogi_conf_rows[i - OWN_N];
    return (struct match){false, i - OWN_N, row->type != CONF_BOOL, true};
}

static const char *
option_at(size_t i)
{
    return i < OWN_N ? fogi_args_options[i].option : fogi_conf_rows[i - OWN_N].option;
}

static char
letter_at(size_t i)
{
    return i < OWN_N ? fogi_args_options[i].letter : fogi_conf_rows[i - OWN_N].letter;
}

/* -t and -r of the other mode are found too: that they are not for this one is said by conf. */
#define ALL_OPTIONS (OWN_N + (size_t)CONF_KEY_N)

static bool
find_letter(char letter, struct match *m)
{
    for (size_t i = 0; i < ALL_OPTIONS; i++) {
        if (letter != 0 && letter_at(i) == letter) {
            *m = match_at(i);
            return true;
        }
    }
    return false;
}

static bool
find_long(const char *arg, size_t len, struct match *m)
{
    for (size_t i = 0; i < ALL_OPTIONS; i++) {
        if (strlen(option_at(i)) == len && memcmp(option_at(i), arg, len) == 0) {
            *m = match_at(i);
            return true;
        }
    }
    return false;
}

/** The option nearest to one that does not exist; dashes do not count. NULL: none is near. */
static const char *
suggest(const char *arg, enum conf_mode mode)
{
    const char *found = NULL, *word = arg + strspn(arg, "-");
    const struct foreign_row *foreign = fogi_conf_foreign(word);
    int best = NEAREST_NONE;
    if (foreign != NULL)
        return foreign->key < CONF_KEY_N ? fogi_conf_rows[foreign->key].option : NULL;
    for (size_t i = 0; i < ALL_OPTIONS; i++) {
        bool here = i < OWN_N || fogi_conf_in_mode((enum conf_key)(i - OWN_N), mode);
        if (here && fogi_nearest(word, option_at(i) + 2, &best))
            found = option_at(i);
    }
    return found;
}

static int
unknown(struct reader *r, const char *arg, size_t len)
{
    char name[ARGS_ERROR_MAX / 2];
    snprintf(name, sizeof name, "%.*s", (int)(len < sizeof name ? len : sizeof name), arg);
    const struct foreign_row *foreign = fogi_conf_foreign(name + strspn(name, "-"));
    const char *meant = suggest(name, r->a->request.mode);
    if (meant != NULL)
        return fail(r, name, "no such option; did you mean ", meant);
    if (foreign != NULL && foreign->kind == FOREIGN_WIRE)
        return fail(r, name, "kcptun's wire is not spoken here", "");
    return fail(r, name, "no such option", "");
}

static int
add_flag(struct reader *r, enum conf_key key, const char *name, const char *value)
{
    struct conf_request *rq = &r->a->request;
    if (rq->n_flags == CONF_FLAGS_MAX)
        return fail(r, name, "too many options", "");
    rq->flags[rq->n_flags++] = (struct conf_flag){key, value, name};
    return EXIT_OK;
}

static int
take(struct reader *r, const struct match *m, const char *name, const char *value)
{
    if (!m->own)
        return add_flag(r, (enum conf_key)m->index, name, value);
    switch ((enum own)m->index) {
    case OWN_CONFIG:
        r->a->request.file = value;
        break;
    case OWN_PRINT:
        r->a->action = ARGS_PRINT;
        break;
    case OWN_HELP:
        r->a->action = ARGS_HELP;
        break;
    case OWN_VERSION:
        r->a->action = ARGS_VERSION;
        break;
    case OWN_N:
        break;
    }
    return EXIT_OK;
}

/** The option's value: glued to it, or the next argument, which must not look like an option. */
static int
take_value(struct reader *r, const struct match *m, const char *name, const char *glued)
{
    if (glued != NULL && !m->may_have_value)
        return fail(r, name, "takes no value", "");
    if (glued != NULL || !m->wants_value)
        return take(r, m, name, glued != NULL ? glued : "true");
    const char *next = r->at + 1 < r->argc ? r->argv[r->at + 1] : NULL;
    if (next == NULL || (next[0] == '-' && next[1] != 0))
        return fail(r, name, "a value is missing behind it", "");
    r->at++;
    return take(r, m, name, next);
}

static int
read_long(struct reader *r, const char *arg)
{
    struct match m;
    const char *equals = strchr(arg, '=');
    size_t len = equals != NULL ? (size_t)(equals - arg) : strlen(arg);
    if (!find_long(arg, len, &m))
        return unknown(r, arg, len);
    return take_value(r, &m, option_at(m.own ? m.index : m.index + OWN_N),
                      equals != NULL ? equals + 1 : NULL);
}

static int
read_short(struct reader *r, const char *arg)
{
    struct match m;
    char dashed[ARGS_ERROR_MAX];
    snprintf(dashed, sizeof dashed, "-%s", arg);
    if (arg[2] != 0 && find_long(dashed, strlen(dashed), &m))
        return unknown(r, arg, strlen(arg)); /* -mtu, -listen */
    if (!find_letter(arg[1], &m))
        return unknown(r, arg, strlen(arg));
    if (arg[2] != 0 && !m.wants_value)
        return unknown(r, arg, strlen(arg));
    return take_value(r, &m, arg[2] != 0 ? option_at(m.own ? m.index : m.index + OWN_N) : arg,
                      arg[2] != 0 ? arg + 2 : NULL);
}

int
fogi_args_parse(struct args *a, enum conf_mode mode, int argc, char **argv,
                char err[ARGS_ERROR_MAX])
{
    struct reader r = {.a = a, .argv = argv, .argc = argc, .at = 1, .err = err};
    memset(a, 0, sizeof *a);
    a->request.mode = mode;
    err[0] = 0;
    for (; r.at < argc; r.at++) {
        const char *arg = argv[r.at];
        int rc;
        if (arg[0] != '-' || arg[1] == 0)
            rc = fail(&r, arg, "an option is wanted here", "");
        else if (arg[1] == '-')
            rc = read_long(&r, arg);
        else
            rc = read_short(&r, arg);
        if (rc != EXIT_OK)
            return rc;
        if (a->action == ARGS_HELP || a->action == ARGS_VERSION)
            break;
    }
    return EXIT_OK;
}
