/* SPDX-License-Identifier: MIT
 *
 * conf.c - defaults, then the file, then the flags, then what is still missing.
 *
 * All errors are collected, so that one run shows them all; any error leaves the result untouched.
 */
#include "app/conf.h"

#include "app/conf_keys.h"
#include "app/conf_lines.h"
#include "app/conf_value.h"
#include "app/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMES_MAX 256 /* bytes of a list of keys in one message */

struct loader {
    struct conf c;
    const struct conf_request *rq;
    struct conf_report *rep;
    int code;                            /* of the first error                                   */
    const char *file;                    /* as messages call it; NULL: none                      */
    struct json_place given[CONF_KEY_N]; /* where the file set each; line 0: it did not          */
    struct json_place wire_at;           /* the first key that wants kcptun's wire               */
    char wire[NAMES_MAX];                /* names of all of them: "key", "crypt"                 */
    char unused[NAMES_MAX];              /* names of keys without effect                         */
    bool foreign;                        /* a key of kcptun's was seen                           */
};

/* ------------------------------------------------------------------------------------- messages */

FOG_PRINTF(3, 4)
static void
error(struct loader *ld, int code, const char *fmt, ...)
{
    va_list ap;
    if (ld->code == EXIT_OK)
        ld->code = code;
    va_start(ap, fmt);
    fogi_lines_vsay(&ld->rep->errors, fmt, ap);
    va_end(ap);
}

FOG_PRINTF(3, 4)
static void
error_at(struct loader *ld, struct json_place at, const char *fmt, ...)
{
    char text[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    error(ld, EXIT_CONFIG, "%s:%u:%u: %s", ld->file, (unsigned)at.line, (unsigned)at.col, text);
}

/** Appends ", "name"" to a list; a list that is full stays as it is. */
static void
add_name(char *list, const char *name)
{
    size_t len = strlen(list);
    if (len + strlen(name) + 5 < NAMES_MAX)
        snprintf(list + len, NAMES_MAX - len, "%s\"%s\"", len > 0 ? ", " : "", name);
}

static const char *
mode_name(enum conf_mode mode)
{
    return mode == CONF_CLIENT ? "client" : "server";
}

/* ----------------------------------------------------------------------------------- a file's key
 */

/** Whether a key may be set by the file now: in this mode, and for the first time. */
static bool
may_set(struct loader *ld, const struct json_value *v, enum conf_key key)
{
    struct json_place *given = &ld->given[key];
    if (!fogi_conf_in_mode(key, ld->c.mode)) {
        bool swap = key == CONF_KEY_TARGET || key == CONF_KEY_REMOTE;
        const char *own = ld->c.mode == CONF_CLIENT ? "remote" : "target";
        error_at(ld, v->key_at, "\"%s\" is for the %s%s%s%s", v->key,
                 mode_name(ld->c.mode == CONF_CLIENT ? CONF_SERVER : CONF_CLIENT),
                 swap ? "; did you mean \"" : "", swap ? own : "", swap ? "\"?" : "");
        return false;
    }
    if (given->line != 0) {
        error_at(ld, v->key_at, "\"%s\" is set a second time; first at %u:%u", v->key,
                 (unsigned)given->line, (unsigned)given->col);
        return false;
    }
    *given = v->key_at;
    return true;
}

static void
set_text(struct loader *ld, const struct json_value *v, enum conf_key key, const char *text)
{
    char why[160];
    if (fogi_conf_set(&ld->c, key, text, why, sizeof why))
        ld->c.source[key] = CONF_FROM_FILE;
    else
        error_at(ld, v->at, "%s: %s", v->key, why);
}

static void
set_key(struct loader *ld, const struct json_value *v, enum conf_key key)
{
    /* kcptun's "log" is a file; an empty one is in many configurations and says nothing. */
    bool silent = key == CONF_KEY_LOG && v->quoted && v->text[0] == 0;
    if (silent || !may_set(ld, v, key))
        return;
    if (v->text == NULL)
        error_at(ld, v->at, "%s: one value is wanted, not %s", v->key,
                 fogi_json_type_name(v->type));
    else
        set_text(ld, v, key, v->text);
}

/** kcptun's profiles, and the vproxy sets nearest to them. */
static void
set_mode(struct loader *ld, const struct json_value *v)
{
    static const struct {
        const char *name, *fast;
    } profiles[] = {{"normal", "1"}, {"fast", "1"},  {"fast1", "1"},
                    {"fast2", "2"},  {"fast3", "3"}, {"fast4", "4"}};
    if (!may_set(ld, v, CONF_KEY_FAST))
        return;
    for (size_t i = 0; v->text != NULL && i < sizeof profiles / sizeof profiles[0]; i++) {
        if (strcmp(v->text, profiles[i].name) == 0) {
            set_text(ld, v, CONF_KEY_FAST, profiles[i].fast);
            return;
        }
    }
    error_at(ld, v->at, "mode: normal, fast, fast2 or fast3 is wanted, or \"fast\" with 1..4");
}

/** "quiet" true is the log level warn, unless the file names a level. */
static void
set_quiet(struct loader *ld, const struct json_value *v)
{
    if (v->type != JSON_BOOL) {
        error_at(ld, v->at, "quiet: true or false is wanted");
    } else if (v->number != 0 && ld->given[CONF_KEY_LOG].line == 0) {
        ld->c.log_level = LOG_AT_WARN;
        ld->c.source[CONF_KEY_LOG] = CONF_FROM_FILE;
    }
}

/** Whether a value asks for nothing: false, 0, "", and as a cipher "none" or "null". */
static bool
asks_nothing(const struct json_value *v)
{
    if (v->type == JSON_BOOL || v->type == JSON_INT)
        return v->number == 0;
    if (v->type != JSON_STRING)
        return false;
    return v->text[0] == 0 || strcmp(v->text, "none") == 0 || strcmp(v->text, "null") == 0;
}

static void
set_wire(struct loader *ld, const struct json_value *file, const struct json_value *v)
{
    const struct json_value *crypt = fogi_json_member(file, "crypt");
    bool unused_key = strcmp(v->key, "key") == 0 && crypt != NULL && asks_nothing(crypt);
    if (asks_nothing(v) || unused_key) {
        add_name(ld->unused, v->key);
        return;
    }
    if (ld->wire[0] == 0)
        ld->wire_at = v->key_at;
    add_name(ld->wire, v->key);
}

static void
set_foreign(struct loader *ld, const struct json_value *file, const struct json_value *v,
            const struct foreign_row *row)
{
    ld->foreign = true;
    switch (row->kind) {
    case FOREIGN_ALIAS:
        set_key(ld, v, row->key);
        break;
    case FOREIGN_MODE:
        set_mode(ld, v);
        break;
    case FOREIGN_QUIET:
        set_quiet(ld, v);
        break;
    case FOREIGN_WIRE:
        set_wire(ld, file, v);
        break;
    case FOREIGN_VOID:
        add_name(ld->unused, v->key);
        break;
    }
}

static void
unknown_key(struct loader *ld, const struct json_value *v)
{
    const char *meant = fogi_conf_suggest(v->key, ld->c.mode);
    error_at(ld, v->key_at, "unknown key \"%s\"%s%s%s", fogi_conf_quote(v->key).text,
             meant != NULL ? "; did you mean \"" : "", meant != NULL ? meant : "",
             meant != NULL ? "\"?" : "");
}

/* -------------------------------------------------------------------------------------- the file
 */

static bool
has_key(const struct json_value *file, enum conf_key key)
{
    return fogi_json_member(file, fogi_conf_name(key)) != NULL;
}

static void
apply_file(struct loader *ld, const struct json_value *file)
{
    if (file->type != JSON_OBJECT) {
        error_at(ld, file->at, "an object is wanted, not %s", fogi_json_type_name(file->type));
        return;
    }
    if (ld->rq->guess)
        ld->c.mode = has_key(file, CONF_KEY_TARGET) ? CONF_SERVER : CONF_CLIENT;
    for (const struct json_value *v = file->first; v != NULL; v = v->next) {
        enum conf_key key = fogi_conf_find(v->key);
        const struct foreign_row *row = key == CONF_KEY_N ? fogi_conf_foreign(v->key) : NULL;
        if (key == CONF_KEY_N && row == NULL)
            unknown_key(ld, v);
        else if (v->type == JSON_NULL)
            continue; /* as if it were not there */
        else if (row != NULL)
            set_foreign(ld, file, v, row);
        else
            set_key(ld, v, key);
    }
    if (ld->wire[0] != 0)
        error_at(ld, ld->wire_at,
                 "%s: kcptun's wire is not spoken here; remove what asks for it "
                 "(both ends must be foggara or vproxy)",
                 ld->wire);
    else if (ld->foreign)
        fogi_lines_say(
            &ld->rep->notes,
            "%s: keys of kcptun's are read, but its wire is not spoken: both ends must be "
            "foggara or vproxy",
            ld->file);
    if (ld->unused[0] != 0)
        fogi_lines_say(&ld->rep->notes, "%s: without effect here: %s", ld->file, ld->unused);
}

static void
apply_text(struct loader *ld, const void *text, size_t len)
{
    struct json *doc;
    struct json_error err;
    if (!fogi_json_parse(&doc, text, len, &err)) {
        error_at(ld, err.at, "%s", err.text);
        return;
    }
    apply_file(ld, fogi_json_root(doc));
    fogi_json_free(doc);
}

/* ---------------------------------------------------------------------------- flags, and the rest
 */

static void
apply_flag(struct loader *ld, const struct conf_flag *flag)
{
    char why[160];
    if (!fogi_conf_in_mode(flag->key, ld->c.mode))
        error(ld, EXIT_USAGE, "%s is not for the %s", flag->name, mode_name(ld->c.mode));
    else if (!fogi_conf_set(&ld->c, flag->key, flag->value, why, sizeof why))
        error(ld, EXIT_USAGE, "%s: %s", flag->name, why);
    else
        ld->c.source[flag->key] = CONF_FROM_FLAG;
}

static void
want(struct loader *ld, const struct hostport *hp, enum conf_key key)
{
    const struct conf_row *row = &fogi_conf_rows[key];
    if (hp->port != 0)
        return;
    ld->rep->incomplete = true;
    if (ld->file != NULL)
        error(ld, EXIT_CONFIG, "%s: \"%s\" is missing; set it here or with -%c %s", ld->file,
              fogi_conf_name(key), row->letter, row->meta);
    else
        error(ld, EXIT_USAGE, "the %s wants -%c %s, %s", mode_name(ld->c.mode), row->letter,
              row->meta, row->help);
}

/** Settings that cannot be had together, and those without effect beside others. */
static void
weigh(struct loader *ld)
{
    const struct conf *c = &ld->c;
    static const char both[] = "fast and up exclude each other: vproxy's fast1..fast4 have no rate";
    if (c->up > 0 && c->fast > 0 && c->source[CONF_KEY_UP] == CONF_FROM_FILE)
        error_at(ld, ld->given[CONF_KEY_UP], "%s", both);
    else if (c->up > 0 && c->fast > 0)
        error(ld, EXIT_USAGE, "%s", both);
    if ((c->up > 0 || c->down > 0) && c->via == FOG_VIA_PIPE)
        fogi_lines_say(&ld->rep->notes,
                       "without effect via tcp, which finds its own rate: up and down");
}

/** What neither file nor flags said and has no default. Only asked when all they said was fine. */
static void
complete(struct loader *ld)
{
    if (ld->code != EXIT_OK)
        return;
    weigh(ld);
    want(ld, &ld->c.listen, CONF_KEY_LISTEN);
    want(ld, &ld->c.remote, ld->c.mode == CONF_CLIENT ? CONF_KEY_REMOTE : CONF_KEY_TARGET);
    if (ld->c.mode == CONF_CLIENT && ld->c.listen.host[0] == 0)
        strcpy(ld->c.listen.host, "127.0.0.1"); /* never open to the world by default */
}

/* ----------------------------------------------------------------------------------------- verbs
 */

void
fogi_conf_init(struct conf *c, enum conf_mode mode)
{
    memset(c, 0, sizeof *c);
    c->mode = mode;
    for (enum conf_key key = 0; key < CONF_KEY_N; key++)
        fogi_conf_set_default(c, key);
}

void
fogi_conf_keep_fixed(const struct conf *running, struct conf *next, struct conf_lines *said)
{
    memset(said, 0, sizeof *said);
    for (enum conf_key key = 0; key < CONF_KEY_N; key++) {
        char is[CONF_HOST_MAX + 16], wanted[CONF_HOST_MAX + 16];
        bool fixed = (fogi_conf_rows[key].fixed & 1u << running->mode) != 0;
        if (!fixed || fogi_conf_same(running, next, key))
            continue;
        fogi_conf_text(running, key, is, sizeof is);
        fogi_conf_text(next, key, wanted, sizeof wanted);
        fogi_lines_say(said, "%s stays %s: %s needs a restart", fogi_conf_name(key), is, wanted);
        fogi_conf_copy(next, running, key);
    }
}

static const char *
file_name(const struct conf_request *rq)
{
    return rq->file != NULL && strcmp(rq->file, "-") == 0 ? "(standard input)" : rq->file;
}

static void
loader_init(struct loader *ld, const struct conf_request *rq, struct conf_report *rep)
{
    memset(ld, 0, sizeof *ld);
    memset(rep, 0, sizeof *rep);
    ld->rq = rq;
    ld->rep = rep;
    ld->file = file_name(rq);
    fogi_conf_init(&ld->c, rq->mode);
}

int
fogi_conf_parse(struct conf *out, const struct conf_request *rq, const void *text, size_t len,
                struct conf_report *rep)
{
    struct loader ld;
    loader_init(&ld, rq, rep);
    if (text != NULL)
        apply_text(&ld, text, len);
    for (size_t i = 0; i < rq->n_flags; i++)
        apply_flag(&ld, &rq->flags[i]);
    complete(&ld);
    if (ld.code == EXIT_OK)
        *out = ld.c;
    return ld.code;
}

int
fogi_conf_load(struct conf *out, const struct conf_request *rq, struct conf_report *rep)
{
    if (rq->file == NULL)
        return fogi_conf_parse(out, rq, NULL, 0, rep);

    struct loader ld;
    size_t cap = JSON_SIZE_MAX + 1,
           len = 0; /* one byte more: the parser refuses what is too long */
    char *text = malloc(cap);
    const char *why = text == NULL ? "no memory" : fogi_file_read(rq->file, text, cap, &len);
    int code;
    if (why != NULL) {
        loader_init(&ld, rq, rep);
        error(&ld, EXIT_NOINPUT, "cannot read %s: %s", ld.file, why);
        code = ld.code;
    } else {
        code = fogi_conf_parse(out, rq, text, len, rep);
    }
    free(text);
    return code;
}
