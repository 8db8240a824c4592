/* SPDX-License-Identifier: MIT
 *
 * settings_args.c - options and words over a table of settings.
 */
#include "app/settings.h"

#include "app/conf_value.h"
#include "app/nearest.h"

#include <stdio.h>
#include <string.h>

/* clang-format off */
static const struct own {
    const char *option, *meta, *help;
    char letter;
    enum setting_action action; /* SETTING_RUN: it is the file */
} owns[] = {
    {"--config",       "FILE", "read settings from FILE; - is standard input", 'c', SETTING_RUN},
    {"--help",         "",     "show this",                                    'h', SETTING_HELP},
    {"--version",      "",     "show the version",                             'v', SETTING_VERSION},
};
/* clang-format on */

#define N_OWNS (sizeof owns / sizeof owns[0])

struct reader {
    struct setting_request *rq;
    const struct settings_role *role;
    char **argv;
    int argc, at; /* at: the argument being read */
    char *err;
};

/** Always EXIT_USAGE, so that callers can return it. */
static int
fail(struct reader *r, const char *arg, const char *clause, const char *name)
{
    snprintf(r->err, SETTING_ERROR_MAX, "%s: %s%s%s", fogi_conf_quote(arg).text, clause, name,
             name[0] != 0 ? "?" : "");
    return EXIT_USAGE;
}

static int
add_flag(struct reader *r, size_t row, const char *value, const char *name)
{
    if (r->rq->n_flags == SETTING_FLAGS_MAX)
        return fail(r, name, "too many options", "");
    r->rq->flags[r->rq->n_flags++] = (struct setting_flag){row, value, name};
    return EXIT_OK;
}

/** The next argument, which must not look like an option; NULL: there is none. */
static const char *
next_value(struct reader *r)
{
    const char *next = r->at + 1 < r->argc ? r->argv[r->at + 1] : NULL;
    if (next == NULL || (next[0] == '-' && next[1] != 0))
        return NULL;
    r->at++;
    return next;
}

static bool
is_option(const char *option, const char *arg, size_t len)
{
    return option != NULL && strlen(option) == len && memcmp(option, arg, len) == 0;
}

/** By name ("--listen") or, where len is 2 and the second is no dash, by letter. */
static size_t
find_row(const struct reader *r, const char *arg, size_t len)
{
    size_t i = 0;
    bool letter = len == 2 && arg[1] != '-';
    while (i < r->role->n_rows && !(letter ? r->role->rows[i].letter == arg[1] && arg[1] != 0
                                           : is_option(r->role->rows[i].option, arg, len)))
        i++;
    return i;
}

static const struct own *
find_own(const char *arg, size_t len)
{
    bool letter = len == 2 && arg[1] != '-';
    for (size_t i = 0; i < N_OWNS; i++)
        if (letter ? owns[i].letter == arg[1] && arg[1] != 0 : is_option(owns[i].option, arg, len))
            return &owns[i];
    return NULL;
}

static int
unknown_option(struct reader *r, const char *arg, size_t len)
{
    char name[64];
    const char *meant = NULL, *word;
    int best = NEAREST_NONE;
    snprintf(name, sizeof name, "%.*s", (int)(len < sizeof name ? len : sizeof name), arg);
    word = name + strspn(name, "-");
    for (size_t i = 0; i < r->role->n_rows; i++)
        if (r->role->rows[i].option != NULL &&
            fogi_nearest(word, r->role->rows[i].option + 2, &best))
            meant = r->role->rows[i].option;
    for (size_t i = 0; i < N_OWNS; i++)
        if (fogi_nearest(word, owns[i].option + 2, &best))
            meant = owns[i].option;
    return fail(r, name, meant != NULL ? "no such option; did you mean " : "no such option",
                meant != NULL ? meant : "");
}

static int
take_own(struct reader *r, const struct own *own, const char *arg, const char *glued)
{
    if (own->meta[0] == 0) {
        if (glued != NULL)
            return fail(r, arg, "takes no value", "");
        r->rq->action = own->action;
        return EXIT_OK;
    }
    r->rq->file = glued != NULL ? glued : next_value(r);
    return r->rq->file != NULL ? EXIT_OK : fail(r, arg, "a value is missing behind it", "");
}

static int
take_option(struct reader *r, const char *arg)
{
    bool is_long = arg[1] == '-';
    const char *equals = is_long ? strchr(arg, '=') : NULL;
    size_t len = equals != NULL ? (size_t)(equals - arg) : is_long ? strlen(arg) : 2;
    const char *glued = equals != NULL ? equals + 1 : !is_long && arg[2] != 0 ? arg + 2 : NULL;
    const struct own *own = find_own(arg, len);
    size_t row = find_row(r, arg, len);
    if (own != NULL)
        return take_own(r, own, arg, glued);
    if (row == r->role->n_rows)
        return unknown_option(r, arg, is_long ? len : strlen(arg));
    const char *name = r->role->rows[row].option;
    if (glued != NULL)
        return add_flag(r, row, glued, name);
    if (r->role->rows[row].type == SETTING_BOOL)
        return add_flag(r, row, "true", name);
    const char *value = next_value(r);
    return value != NULL ? add_flag(r, row, value, name)
                         : fail(r, name, "a value is missing behind it", "");
}

static void
reader_init(struct reader *r, struct setting_request *rq, const struct settings_role *role,
            int argc, char **argv, char *err)
{
    *r = (struct reader){rq, role, argv, argc, 1, err};
    memset(rq, 0, sizeof *rq);
    err[0] = 0;
}

int
fogi_settings_args(struct setting_request *rq, const struct settings_role *role, int argc,
                   char **argv, char err[SETTING_ERROR_MAX])
{
    struct reader r;
    reader_init(&r, rq, role, argc, argv, err);
    for (; r.at < argc; r.at++) {
        const char *arg = argv[r.at];
        int rc = arg[0] == '-' && arg[1] != 0 ? take_option(&r, arg)
                                              : fail(&r, arg, "an option is wanted here", "");
        if (rc != EXIT_OK)
            return rc;
        if (rq->action == SETTING_HELP || rq->action == SETTING_VERSION)
            break;
    }
    return EXIT_OK;
}

/* --------------------------------------------------------------------------------------- words */

static int
unknown_word(struct reader *r, const char *word)
{
    const char *meant = NULL;
    int best = NEAREST_NONE;
    for (size_t i = 0; i < r->role->n_rows; i++)
        if (fogi_nearest(word, r->role->rows[i].key, &best))
            meant = r->role->rows[i].key;
    return fail(r, word, meant != NULL ? "no such word; did you mean " : "no such word",
                meant != NULL ? meant : "");
}

static int
take_word(struct reader *r, const char *word)
{
    size_t row = 0;
    while (row < r->role->n_rows && strcmp(r->role->rows[row].key, word) != 0)
        row++;
    if (row == r->role->n_rows)
        return unknown_word(r, word);
    bool alone = r->role->rows[row].type == SETTING_VOID && r->role->rows[row].meta[0] == 0;
    if (r->role->rows[row].type == SETTING_BOOL || alone)
        return add_flag(r, row, "true", r->role->rows[row].key);
    if (r->at + 1 == r->argc)
        return fail(r, word, "a value is missing behind it", "");
    return add_flag(r, row, r->argv[++r->at], r->role->rows[row].key);
}

int
fogi_settings_words(struct setting_request *rq, const struct settings_role *role, int argc,
                    char **argv, char err[SETTING_ERROR_MAX])
{
    struct reader r;
    reader_init(&r, rq, role, argc, argv, err);
    rq->words = true;
    for (; r.at < argc; r.at++) {
        const char *word = argv[r.at];
        if (strcmp(word, "help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0) {
            rq->action = SETTING_HELP;
            break;
        }
        int rc = take_word(&r, word);
        if (rc != EXIT_OK)
            return rc;
    }
    return EXIT_OK;
}

/* ---------------------------------------------------------------------------------------- help */

static size_t
put_line(char *buf, size_t cap, size_t len, char letter, const char *option, const char *meta,
         const char *help)
{
    char short_form[8] = "", form[64];
    if (letter != 0)
        snprintf(short_form, sizeof short_form, "-%c, ", letter);
    snprintf(form, sizeof form, "%s%s%s%s", short_form, option, meta[0] != 0 ? " " : "", meta);
    int n = snprintf(buf + len, cap - len, "  %-27s %s\n", form, help);
    return n > 0 && (size_t)n < cap - len ? len + (size_t)n : len;
}

size_t
fogi_settings_help(const struct settings_role *role, char *buf, size_t cap)
{
    size_t len = 0;
    buf[0] = 0;
    for (size_t i = 0; i < role->n_rows; i++)
        if (role->rows[i].option != NULL)
            len = put_line(buf, cap, len, role->rows[i].letter, role->rows[i].option,
                           role->rows[i].meta, role->rows[i].help);
    for (size_t i = 0; i < N_OWNS; i++)
        len = put_line(buf, cap, len, owns[i].letter, owns[i].option, owns[i].meta, owns[i].help);
    buf[len] = 0;
    return len;
}
