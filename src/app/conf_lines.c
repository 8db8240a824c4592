/* SPDX-License-Identifier: MIT */
#include "app/conf_lines.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void
fogi_lines_vsay(struct conf_lines *l, const char *fmt, va_list ap)
{
    static const char more[] = "(and more)\n";
    char line[512];
    int n = vsnprintf(line, sizeof line - 1, fmt, ap);
    size_t len = n < 0 ? 0 : (size_t)n;
    if (len > sizeof line - 2)
        len = sizeof line - 2;
    line[len++] = '\n';
    if (l->len + len + sizeof more > sizeof l->text) {
        if (l->len < sizeof more || strcmp(l->text + l->len + 1 - sizeof more, more) != 0) {
            memcpy(l->text + l->len, more, sizeof more);
            l->len += sizeof more - 1;
        }
        return;
    }
    memcpy(l->text + l->len, line, len);
    l->len += len;
    l->text[l->len] = 0;
}

void
fogi_lines_say(struct conf_lines *l, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fogi_lines_vsay(l, fmt, ap);
    va_end(ap);
}

const char *
fogi_file_read(const char *name, char *buf, size_t cap, size_t *len)
{
    bool std = strcmp(name, "-") == 0;
    const char *why = NULL;
    if (std && feof(stdin))
        return "it was read at the start and cannot be read again";
    errno = 0;
    FILE *f = std ? stdin : fopen(name, "rb");
    if (f == NULL)
        return strerror(errno);
    *len = fread(buf, 1, cap, f);
    if (ferror(f))
        why = strerror(errno);
    if (!std)
        fclose(f);
    return why;
}
