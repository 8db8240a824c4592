/* SPDX-License-Identifier: MIT
 *
 * agent_conf_line.c - vproxy's agent file as it was up to BETA-11: "key value" in a line, and lists
 * between NAME.start [GROUP] and NAME.end.
 */
#include "app/agent_conf_int.h"

#include <stdio.h>
#include <string.h>

#define LINE_MAX_BYTES 8192

/* clang-format off */
static const struct line_list {
    const char *name;
    enum agent_list list; /* AGENT_LISTS: not done here */
} lists[] = {
    {"proxy.server.list",                     AGENT_SERVERS},
    {"proxy.domain.list",                     AGENT_DOMAINS},
    {"proxy.resolve.list",                    AGENT_RESOLVE},
    {"no-proxy.domain.list",                  AGENT_NO_PROXY},
    {"https-sni-erasure.domain.list",         AGENT_LISTS},
    {"agent.https-sni-erasure.cert-key.list", AGENT_LISTS},
};

/* What is called otherwise in an object. */
static const struct { const char *old, *now; } renamed[] = {
    {"agent.listen",      "agent.socks5.listen"},
    {"proxy.server.auth", "proxy.auth"},
    {"proxy.server.hc",   "proxy.hc"},
};
/* clang-format on */

#define N_LISTS (sizeof lists / sizeof lists[0])

struct line_reader {
    struct settings *s;
    const struct line_list *open; /* NULL: not in a list */
    struct setting_at opened;
    size_t group; /* of the open list */
    struct json_place at;
    char line[LINE_MAX_BYTES]; /* without blanks at either end */
};

/** "" behind NAME.list, or ".start", ".end" and so on; NULL: line does not begin with a list. */
static const char *
behind_list(const char *line, const struct line_list **list)
{
    for (size_t i = 0; i < N_LISTS; i++) {
        size_t n = strlen(lists[i].name);
        if (strncmp(line, lists[i].name, n) == 0 && (line[n] == 0 || line[n] == '.')) {
            *list = &lists[i];
            return line + n;
        }
    }
    return NULL;
}

static void
open_list(struct line_reader *r, const struct line_list *list, const char *name)
{
    name += strspn(name, " \t");
    r->open = list;
    r->opened = (struct setting_at){r->at, list->name};
    r->group = 0;
    if (list->list == AGENT_LISTS)
        fogi_settings_ignore(r->s, list->name);
    else
        r->group = fogi_agent_group(r->s, &r->opened, name[0] != 0 ? name : AGENT_DEFAULT);
}

/** A line that begins with the name of a list, inside one or not. */
static void
read_list_line(struct line_reader *r, const struct line_list *list, const char *rest)
{
    struct setting_at at = {r->at, list->name};
    if (r->open != NULL && list == r->open && strcmp(rest, ".end") == 0) {
        r->open = NULL;
    } else if (r->open != NULL) {
        fogi_settings_error(r->s, &at, "did you mean \"%s.end\"? That list began at %u:%u",
                            r->open->name, (unsigned)r->opened.at.line, (unsigned)r->opened.at.col);
        r->open = NULL;
        if (strncmp(rest, ".start", 6) == 0)
            open_list(r, list, rest + 6);
    } else if (strncmp(rest, ".start", 6) == 0 &&
               (rest[6] == 0 || rest[6] == ' ' || rest[6] == '\t')) {
        open_list(r, list, rest + 6);
    } else if (strcmp(rest, ".end") == 0) {
        fogi_settings_error(r->s, &at, "this list was not begun");
    } else {
        fogi_settings_error(r->s, &at, "did you mean \"%s.start\"?", list->name);
    }
}

static void
read_entry(struct line_reader *r)
{
    struct setting_at at = {r->at, r->open->name};
    if (r->open->list != AGENT_LISTS && r->group != SIZE_MAX)
        fogi_agent_add(r->s, r->group, r->open->list, &at, r->line);
}

static void
read_pair(struct line_reader *r)
{
    struct setting_at at = {r->at, r->line};
    size_t len = strcspn(r->line, " \t");
    const char *value = r->line + len + strspn(r->line + len, " \t");
    const struct setting *row;
    r->line[len] = 0;
    for (size_t i = 0; i < sizeof renamed / sizeof renamed[0]; i++)
        if (strcmp(r->line, renamed[i].old) == 0)
            at.name = renamed[i].now;
    row = fogi_settings_find(r->s, at.name);
    if (row == NULL) {
        fogi_settings_unknown(r->s, &at, r->line);
    } else if (value[0] == 0) {
        fogi_settings_error(r->s, &at, "%s: a value is missing behind it", r->line);
    } else {
        at.at.col += (uint32_t)(value - r->line);
        fogi_settings_set(r->s, row, &at, value);
    }
}

static void
read_line(struct line_reader *r)
{
    const struct line_list *list;
    const char *rest;
    if (r->line[0] == 0 || r->line[0] == '#')
        return;
    rest = behind_list(r->line, &list);
    if (rest != NULL)
        read_list_line(r, list, rest);
    else if (r->open != NULL)
        read_entry(r);
    else
        read_pair(r);
}

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/** Copies a line without its blanks; false after an error. */
static bool
take_line(struct line_reader *r, const char *from, const char *to)
{
    const char *begin = from;
    struct setting_at at = {r->at, "line"};
    while (from < to && is_blank(*from))
        from++;
    while (to > from && is_blank(to[-1]))
        to--;
    r->at.col = (uint32_t)(from - begin) + 1;
    at.at.col = r->at.col;
    for (const char *p = from; p < to; p++) {
        if (((unsigned char)*p < ' ' && *p != '\t') || *p == 0x7f) {
            at.at.col = (uint32_t)(p - begin) + 1;
            fogi_settings_error(r->s, &at, "control byte");
            return false;
        }
    }
    if ((size_t)(to - from) >= sizeof r->line) {
        fogi_settings_error(r->s, &at, "a line is longer than 8 KiB");
        return false;
    }
    memcpy(r->line, from, (size_t)(to - from));
    r->line[to - from] = 0;
    return true;
}

void
fogi_agent_lines(struct settings *s, const char *text, size_t len)
{
    struct line_reader r = {.s = s, .at = {0, 1}};
    const char *end = text + len;
    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        text += 3;
    while (text < end) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        if (stop == NULL)
            stop = end;
        r.at.line++;
        if (take_line(&r, text, stop))
            read_line(&r);
        text = stop < end ? stop + 1 : end;
    }
    if (r.open != NULL)
        fogi_settings_error(s, &r.opened, "this list is not closed; \"%s.end\" is missing",
                            r.open->name);
}

/** The first line that says something decides: "key value", or a list's name. An object has "{", or
 *  "=" or ":" behind its key. */
bool
fogi_agent_is_lines(const char *text, size_t len)
{
    const char *end = text + len, *p = text;
    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        p += 3;
    for (;;) {
        while (p < end && (is_blank(*p) || *p == '\n'))
            p++;
        if (p == end)
            return false;
        if (*p != '#' && !(*p == '/' && p + 1 < end && p[1] == '/'))
            break;
        while (p < end && *p != '\n')
            p++;
    }
    while (p < end && !is_blank(*p) && *p != '\n') {
        if (strchr("={}[]:\"'", *p) != NULL)
            return false;
        p++;
    }
    bool list = p - text >= 6 && memcmp(p - 6, ".start", 6) == 0;
    while (p < end && is_blank(*p))
        p++;
    if (p == end || *p == '\n')
        return list;
    return strchr("={[:", *p) == NULL;
}
