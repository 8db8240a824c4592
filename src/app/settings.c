/* SPDX-License-Identifier: MIT
 *
 * settings.c - one reader for each type of the table; a file's object and the flags walk it.
 */
#include "app/settings.h"

#include "app/conf_lines.h"
#include "app/conf_value.h"
#include "app/hostport.h"
#include "app/nearest.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --------------------------------------------------------------------------------------- memory */

struct store_piece {
    struct store_piece *next;
    max_align_t bytes[];
};

void *
fogi_store_get(struct store *s, size_t size)
{
    struct store_piece *p = calloc(1, sizeof *p + size);
    if (p == NULL)
        return NULL;
    p->next = s->pieces;
    s->pieces = p;
    return p->bytes;
}

char *
fogi_store_text(struct store *s, const char *text, size_t len)
{
    char *copy = fogi_store_get(s, len + 1);
    if (copy != NULL)
        memcpy(copy, text, len);
    return copy;
}

/* What an array has outgrown stays until the end, which at most doubles it. */
void *
fogi_store_more(struct store *s, void **array, size_t *n, size_t size)
{
    bool full = (*n & (*n - 1)) == 0; /* arrays are as large as the next power of two */
    if (full) {
        void *larger = fogi_store_get(s, (*n > 0 ? *n * 2 : 1) * size);
        if (larger == NULL)
            return NULL;
        if (*n > 0)
            memcpy(larger, *array, *n * size);
        *array = larger;
    }
    return (char *)*array + (*n)++ * size;
}

void
fogi_store_free(struct store *s)
{
    while (s->pieces != NULL) {
        struct store_piece *p = s->pieces;
        s->pieces = p->next;
        free(p);
    }
}

/* ------------------------------------------------------------------------------------- messages */

void
fogi_settings_error(struct settings *s, const struct setting_at *at, const char *fmt, ...)
{
    char text[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (s->code == EXIT_OK)
        s->code = at != NULL && at->at.line == 0 ? EXIT_USAGE
                  : s->file != NULL              ? EXIT_CONFIG
                                                 : EXIT_USAGE;
    if (at != NULL && at->at.line != 0)
        fogi_lines_say(&s->rep->errors, "%s:%u:%u: %s", s->file, (unsigned)at->at.line,
                       (unsigned)at->at.col, text);
    else if (at != NULL)
        fogi_lines_say(&s->rep->errors, "%s: %s", at->name, text);
    else if (s->file != NULL)
        fogi_lines_say(&s->rep->errors, "%s: %s", s->file, text);
    else
        fogi_lines_say(&s->rep->errors, "%s", text);
}

void
fogi_settings_note(struct settings *s, const char *fmt, ...)
{
    char text[600];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (s->file != NULL)
        fogi_lines_say(&s->rep->notes, "%s: %s", s->file, text);
    else
        fogi_lines_say(&s->rep->notes, "%s", text);
}

void
fogi_settings_ignore(struct settings *s, const char *name)
{
    size_t len = strlen(s->ignored);
    struct conf_quote q = fogi_conf_quote(name);
    const char *found = strstr(s->ignored, q.text);
    char after = found != NULL ? found[strlen(q.text)] : 'x';
    if (after == 0 || after == ',')
        return;
    if (len + strlen(q.text) + 3 < sizeof s->ignored)
        snprintf(s->ignored + len, sizeof s->ignored - len, "%s%s", len > 0 ? ", " : "", q.text);
}

/* ---------------------------------------------------------------------------------------- table */

/** Length of the part of `key` that is `name`, "_" counting as "-"; 0: it does not begin so. */
static size_t
begins(const char *key, const char *name)
{
    size_t n = 0;
    for (; name[n] != 0; n++)
        if (key[n] != name[n] && !(key[n] == '_' && name[n] == '-'))
            return 0;
    return n;
}

const struct setting *
fogi_settings_find(const struct settings *s, const char *key)
{
    for (size_t i = 0; i < s->role->n_rows; i++) {
        const struct setting *row = &s->role->rows[i];
        size_t n = begins(key, row->key);
        if (n > 0 && (key[n] == 0 || (key[n] == '.' && row->type == SETTING_VOID)))
            return row;
    }
    return NULL;
}

/** Whether there are keys below this one: "agent" of "agent.pool". */
static bool
is_outer(const struct settings *s, const char *key)
{
    size_t len = strlen(key);
    for (size_t i = 0; i < s->role->n_rows; i++)
        if (strncmp(s->role->rows[i].key, key, len) == 0 && s->role->rows[i].key[len] == '.')
            return true;
    return false;
}

void
fogi_settings_unknown(struct settings *s, const struct setting_at *at, const char *key)
{
    const char *meant = NULL, *last = strrchr(key, '.');
    int best = NEAREST_NONE;
    for (size_t i = 0; i < s->role->n_rows; i++)
        if (fogi_nearest(key, s->role->rows[i].key, &best))
            meant = s->role->rows[i].key;
    for (size_t i = 0; meant == NULL && last != NULL && i < s->role->n_rows; i++) {
        const char *row_last = strrchr(s->role->rows[i].key, '.');
        if (row_last != NULL && fogi_nearest(last + 1, row_last + 1, &best))
            meant = s->role->rows[i].key;
    }
    fogi_settings_error(s, at, "unknown key \"%s\"%s%s%s", fogi_conf_quote(key).text,
                        meant != NULL ? "; did you mean \"" : "", meant != NULL ? meant : "",
                        meant != NULL ? "\"?" : "");
}

static struct setting_at *
given(struct settings *s, const struct setting *row)
{
    return &s->given[row - s->role->rows];
}

bool
fogi_settings_given(const struct settings *s, const char *key)
{
    const struct setting *row = fogi_settings_find(s, key);
    assert(row != NULL && "callers ask for keys of their own table");
    return s->given[row - s->role->rows].name != NULL;
}

/* --------------------------------------------------------------------------------------- values */

static void
refuse(struct settings *s, const struct setting_at *at, const char *text, const char *clause)
{
    bool by_name = at->at.line != 0;
    fogi_settings_error(s, at, "%s%s\"%s\" %s", by_name ? at->name : "", by_name ? ": " : "",
                        fogi_conf_quote(text).text, clause);
}

static void
refuse_range(struct settings *s, const struct setting_at *at, const char *text, uint32_t min,
             uint32_t max)
{
    char clause[64];
    snprintf(clause, sizeof clause, "is not a whole number within %u..%u", (unsigned)min,
             (unsigned)max);
    refuse(s, at, text, clause);
}

static bool
read_number(const char *text, uint32_t min, uint32_t max, uint32_t *out)
{
    size_t len = strlen(text);
    uint64_t v = 0;
    if (len == 0 || len > 10 || strspn(text, "0123456789") != len || (len > 1 && text[0] == '0'))
        return false;
    for (; *text != 0; text++)
        v = v * 10 + (uint64_t)(*text - '0');
    *out = (uint32_t)v;
    return v >= min && v <= max;
}

static bool
is_off(const char *text)
{
    return strcmp(text, "0") == 0 || strcmp(text, "off") == 0 || strcmp(text, "false") == 0;
}

static void
set_listen(struct settings *s, const struct setting_at *at, struct hostport *out, const char *text)
{
    if (is_off(text)) {
        *out = (struct hostport){0};
        return;
    }
    const char *clause = fogi_hostport_parse(out, text, HOSTPORT_LISTEN);
    if (clause != NULL)
        refuse(s, at, text, clause);
}

static void
set_bool(struct settings *s, const struct setting_at *at, bool *out, const char *text)
{
    bool on = strcmp(text, "true") == 0 || strcmp(text, "on") == 0;
    if (on || strcmp(text, "false") == 0 || strcmp(text, "off") == 0)
        *out = on;
    else
        refuse(s, at, text, "is neither true nor false");
}

static const char *
keep_text(struct settings *s, const struct setting_at *at, const char *text)
{
    size_t len = strlen(text);
    const char *copy = NULL;
    if (len == 0 || len >= SETTING_TEXT_MAX)
        refuse(s, at, text, len == 0 ? "is empty" : "is too long");
    else if ((copy = fogi_store_text(s->store, text, len)) == NULL)
        fogi_settings_error(s, at, "no memory");
    return copy;
}

const char *
fogi_settings_path(struct settings *s, const struct setting_at *at, const char *text)
{
    char path[SETTING_TEXT_MAX + 1];
    const char *home = getenv("HOME");
    if (text[0] == '~' && (text[1] == '/' || text[1] == 0) && home != NULL) {
        snprintf(path, sizeof path, "%s%s", home, text + 1); /* what is cut is too long anyway */
        text = path;
    }
    return keep_text(s, at, text);
}

static void
set_tunnel(struct settings *s, const struct setting_at *at, struct conf *c, enum conf_key key,
           const char *text)
{
    char why[160];
    bool by_name = at->at.line != 0;
    if (fogi_conf_set(c, key, text, why, sizeof why))
        c->source[key] = at->at.line != 0 ? CONF_FROM_FILE : CONF_FROM_FLAG;
    else
        fogi_settings_error(s, at, "%s%s%s", by_name ? at->name : "", by_name ? ": " : "", why);
}

static void
set_value(struct settings *s, const struct setting *row, const struct setting_at *at,
          const char *text)
{
    void *member = (char *)s->conf + row->offset;
    uint32_t n;
    switch (row->type) {
    case SETTING_LISTEN:
        set_listen(s, at, member, text);
        break;
    case SETTING_PORT:
        if (read_number(text, 0, 65535, &n))
            *(uint16_t *)member = (uint16_t)n;
        else
            refuse_range(s, at, text, 0, 65535);
        break;
    case SETTING_UINT:
        if (read_number(text, row->min, row->max, &n))
            *(uint32_t *)member = n;
        else
            refuse_range(s, at, text, row->min, row->max);
        break;
    case SETTING_BOOL:
        set_bool(s, at, member, text);
        break;
    case SETTING_TEXT:
        *(const char **)member = keep_text(s, at, text);
        break;
    case SETTING_FILE:
        *(const char **)member = fogi_settings_path(s, at, text);
        break;
    case SETTING_TUNNEL:
        set_tunnel(s, at, member, row->tunnel, text);
        break;
    case SETTING_TAKE:
    case SETTING_ONE:
        row->take(s, at, text);
        break;
    case SETTING_VOID:
        if (!is_off(text) && text[0] != 0)
            fogi_settings_ignore(s, row->key);
        break;
    }
}

void
fogi_settings_set(struct settings *s, const struct setting *row, const struct setting_at *at,
                  const char *text)
{
    struct setting_at *first = given(s, row);
    bool many = row->type == SETTING_TAKE || row->type == SETTING_VOID;
    if (!s->by_flag && !many && first->name != NULL) {
        fogi_settings_error(s, at, "\"%s\" is set a second time; first at %u:%u", at->name,
                            (unsigned)first->at.line, (unsigned)first->at.col);
        return;
    }
    *first = (struct setting_at){at->at, row->key};
    set_value(s, row, at, text);
}

/* -------------------------------------------------------------------------------- file and flags
 */

/** Whether an object of something that is not done here asks for it at all. */
static bool
asks_nothing(const struct json_value *v)
{
    if (v->type == JSON_OBJECT) {
        const struct json_value *enabled = fogi_json_member(v, "enabled");
        return v->first == NULL || (enabled != NULL && asks_nothing(enabled));
    }
    if (v->type == JSON_ARRAY)
        return v->first == NULL;
    return v->type == JSON_NULL || v->text[0] == 0 || is_off(v->text);
}

/** A value that a row of the table is for. */
static void
set_member(struct settings *s, const struct setting *row, const struct json_value *v,
           const char *key)
{
    struct setting_at at = {v->at, key};
    if (row->type == SETTING_VOID) {
        if (!asks_nothing(v))
            fogi_settings_ignore(s, row->key);
        return;
    }
    if (v->text != NULL) {
        fogi_settings_set(s, row, &at, v->text);
        return;
    }
    if (row->type != SETTING_TAKE || v->type != JSON_ARRAY) {
        fogi_settings_error(s, &at, "%s: one value is wanted, not %s", key,
                            fogi_json_type_name(v->type));
        return;
    }
    for (const struct json_value *one = v->first; one != NULL; one = one->next) {
        struct setting_at here = {one->at, key};
        if (one->text == NULL)
            fogi_settings_error(s, &here, "%s: a text is wanted, not %s", key,
                                fogi_json_type_name(one->type));
        else
            fogi_settings_set(s, row, &here, one->text);
    }
}

void
fogi_settings_object(struct settings *s, const struct json_value *object, const char *outer,
                     bool (*own)(struct settings *s, const struct json_value *v, const char *key))
{
    if (object->type != JSON_OBJECT) {
        struct setting_at at = {object->at, outer};
        fogi_settings_error(s, &at, "an object is wanted, not %s",
                            fogi_json_type_name(object->type));
        return;
    }
    for (const struct json_value *v = object->first; v != NULL; v = v->next) {
        char key[160];
        int n = snprintf(key, sizeof key, "%s%s%s", outer, outer[0] != 0 ? "." : "", v->key);
        struct setting_at at = {v->key_at, key};
        const struct setting *row = fogi_settings_find(s, key);
        if (n < 0 || (size_t)n >= sizeof key)
            fogi_settings_error(s, &at, "unknown key \"%s\"", fogi_conf_quote(v->key).text);
        else if (v->type == JSON_NULL || (own != NULL && own(s, v, key)))
            continue;
        else if (row != NULL)
            set_member(s, row, v, key);
        else if (v->type == JSON_OBJECT && is_outer(s, key))
            fogi_settings_object(s, v, key, own);
        else
            fogi_settings_unknown(s, &at, key);
    }
}

void
fogi_settings_flags(struct settings *s)
{
    s->by_flag = true;
    for (size_t i = 0; i < s->rq->n_flags; i++) {
        const struct setting_flag *flag = &s->rq->flags[i];
        struct setting_at at = {{0, 0}, flag->name};
        fogi_settings_set(s, &s->role->rows[flag->row], &at, flag->value);
    }
    s->by_flag = false;
}

void
fogi_settings_end(struct settings *s)
{
    if (s->ignored[0] != 0)
        fogi_settings_note(s, "read, but not done here: %s", s->ignored);
}

/** Defaults that are not zero; SETTING_TUNNEL's are set by fogi_conf_init(). */
static void
set_defaults(struct settings *s)
{
    for (size_t i = 0; i < s->role->n_rows; i++) {
        const struct setting *row = &s->role->rows[i];
        void *member = (char *)s->conf + row->offset;
        if (row->type == SETTING_UINT)
            *(uint32_t *)member = row->def;
        else if (row->type == SETTING_BOOL)
            *(bool *)member = row->def != 0;
    }
}

void
fogi_settings_init(struct settings *s, const struct settings_role *role, void *conf,
                   struct store *store, const struct setting_request *rq, struct conf_report *rep)
{
    assert(role->n_rows <= SETTINGS_MAX && "there is a place for each row");
    memset(rep, 0, sizeof *rep);
    *s = (struct settings){.role = role, .conf = conf, .store = store, .rq = rq, .rep = rep};
    s->file = rq->file != NULL && strcmp(rq->file, "-") == 0 ? "(standard input)" : rq->file;
    set_defaults(s);
}
