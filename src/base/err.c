/* SPDX-License-Identifier: MIT */
#include <foggara/error.h>

struct row {
    int value;
    enum fog_scope scope;
    const char *name, *text;
};

static const struct row *
row_of(int err)
{
    static const struct row rows[] = {{0, FOG_SCOPE_CALL, "OK", "success"},
#define FOG_ERROR_ROW(name, value, scope, text) {(value), FOG_SCOPE_##scope, #name, text},
                                      FOG_ERRORS(FOG_ERROR_ROW)
#undef FOG_ERROR_ROW
    };
    static const struct row other = {0, FOG_SCOPE_SESSION, "?", "unknown error"};
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].value == err)
            return &rows[i];
    }
    return &other;
}

const char *
fog_err_text(int err)
{
    return row_of(err)->text;
}

const char *
fog_err_name(int err)
{
    return row_of(err)->name;
}

enum fog_scope
fog_err_scope(int err)
{
    return row_of(err)->scope;
}

const char *
fog_why_name(enum fog_why why)
{
    static const char *const names[FOG_WHY_N] = {
        "never", "output",    "pace",      "loss",   "probe",
        "dead",  "handshake", "keepalive", "stream", "limit",
    };
    return (unsigned)why < FOG_WHY_N ? names[why] : "?";
}
