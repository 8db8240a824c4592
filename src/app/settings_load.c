/* SPDX-License-Identifier: MIT
 *
 * settings_load.c - from a request to a whole configuration: defaults, file, flags, what is left to
 * be checked. In that order, and all of it or nothing.
 */
#include "app/settings.h"

#include "app/conf_lines.h"

#include <stdlib.h>
#include <string.h>

#define FILE_SMALL (64u * 1024)

static const char *
read_file(const struct setting_files *files, const char *name, char *buf, size_t cap, size_t *len)
{
    return files != NULL ? files->read(files->ctx, name, buf, cap, len)
                         : fogi_file_read(name, buf, cap, len);
}

char *
fogi_settings_file(const struct setting_request *rq, const char *name, size_t max, size_t *len,
                   const char **why)
{
    /* Most files are small; one that is not is read again. Standard input cannot be. */
    size_t cap = strcmp(name, "-") == 0 || max < FILE_SMALL ? max + 1 : FILE_SMALL;
    for (;;) {
        char *text = malloc(cap);
        *len = 0;
        *why = text == NULL ? "no memory" : read_file(rq->files, name, text, cap, len);
        if (*why == NULL && (*len < cap || cap > max)) /* one byte more shows what is too long */
            return text;
        free(text);
        if (*why != NULL)
            return NULL;
        cap = max + 1;
    }
}

static void
read_json(struct settings *s, const struct settings_role *role, const char *text, size_t len)
{
    struct json *doc;
    struct json_error err;
    if (!fogi_json_parse(&doc, text, len, &err)) {
        struct setting_at at = {err.at, ""};
        fogi_settings_error(s, &at, "%s", err.text);
        return;
    }
    fogi_settings_object(s, fogi_json_root(doc), "", role->own);
    fogi_json_free(doc);
}

int
fogi_settings_parse(void **conf, const struct settings_role *role, const struct setting_request *rq,
                    const char *text, size_t len, struct conf_report *rep)
{
    struct settings s;
    struct store *store;
    void *c = role->make(&store);
    *conf = NULL;
    if (c == NULL) {
        memset(rep, 0, sizeof *rep);
        fogi_lines_say(&rep->errors, "no memory");
        return EXIT_UNAVAILABLE;
    }
    fogi_settings_init(&s, role, c, store, rq, rep);
    if (text != NULL && !(role->lines != NULL && role->lines(&s, text, len)))
        read_json(&s, role, text, len);
    fogi_settings_flags(&s);
    if (s.code == EXIT_OK)
        role->complete(&s);
    fogi_settings_end(&s);
    if (s.code == EXIT_OK)
        *conf = c;
    else
        role->drop(c);
    return s.code;
}

int
fogi_settings_load(void **conf, const struct settings_role *role, const struct setting_request *rq,
                   struct conf_report *rep)
{
    const char *why;
    size_t len;
    *conf = NULL;
    if (rq->file == NULL)
        return fogi_settings_parse(conf, role, rq, NULL, 0, rep);
    char *text = fogi_settings_file(rq, rq->file, JSON_SIZE_MAX, &len, &why);
    if (text == NULL) {
        memset(rep, 0, sizeof *rep);
        fogi_lines_say(&rep->errors, "cannot read %s: %s", rq->file, why);
        return EXIT_NOINPUT;
    }
    int rc = fogi_settings_parse(conf, role, rq, text, len, rep);
    free(text);
    return rc;
}
