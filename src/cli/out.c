/* SPDX-License-Identifier: MIT
 *
 * out.c - walks the table of settings; the few words around it are here.
 */
#include "cli/out.h"

#include "app/conf_keys.h"
#include "cli/args.h"

#include <string.h>

#define OPTION_COLUMN 26               /* width of "  -l, --listen [ADDR]:PORT" and a blank */
#define VALUE_MAX (CONF_HOST_MAX + 16) /* host, brackets, port                              */

static enum conf_key
far_end(enum conf_mode mode)
{
    return mode == CONF_CLIENT ? CONF_KEY_REMOTE : CONF_KEY_TARGET;
}

void
fogi_out_usage(FILE *f, enum conf_mode mode)
{
    const struct conf_row *near = &fogi_conf_rows[CONF_KEY_LISTEN];
    const struct conf_row *far = &fogi_conf_rows[far_end(mode)];
    fprintf(f, "usage: foggara %s -%c %s -%c %s [OPTION...]\n",
            mode == CONF_CLIENT ? "client" : "server", near->letter, near->meta, far->letter,
            far->meta);
}

static void
option_line(FILE *f, char letter, const char *option, const char *meta, const char *help,
            const char *def)
{
    char left[64];
    snprintf(left, sizeof left, "  %c%c%c %s %s", letter != 0 ? '-' : ' ',
             letter != 0 ? letter : ' ', letter != 0 ? ',' : ' ', option, meta);
    fprintf(f, "%-*s %s", OPTION_COLUMN, left, help);
    if (def[0] != 0)
        fprintf(f, " (%s)", def);
    fputc('\n', f);
}

void
fogi_out_help(FILE *f, enum conf_mode mode)
{
    struct conf defaults;
    fogi_conf_init(&defaults, mode);
    fogi_out_usage(f, mode);
    if (mode == CONF_CLIENT)
        fputs("Listens on TCP, on 127.0.0.1 unless ADDR is given, and carries each connection\n"
              "as one stream of a tunnel to the server.\n",
              f);
    else
        fputs("Takes tunnels on UDP, on all addresses unless ADDR is given, and connects each\n"
              "stream to the target. Whoever reaches the port may use it: there is no password.\n",
              f);
    for (enum conf_key key = 0; key < CONF_KEY_N; key++) {
        const struct conf_row *row = &fogi_conf_rows[key];
        char def[VALUE_MAX] = "";
        if (!fogi_conf_in_mode(key, mode))
            continue;
        if (row->type != CONF_LISTEN && row->type != CONF_HOSTPORT && row->type != CONF_BOOL)
            fogi_conf_text(&defaults, key, def, sizeof def);
        option_line(f, row->letter, row->option, row->meta, row->help, def);
    }
    for (size_t i = 0; i < fogi_args_n_options; i++) {
        const struct args_option *o = &fogi_args_options[i];
        option_line(f, o->letter, o->option, o->meta, o->help, "");
    }
    fputs(mode == CONF_CLIENT ? "example: foggara client -l 12948 -r server.example:29900\n"
                              : "example: foggara server -l :29900 -t 127.0.0.1:5201\n",
          f);
}

void
fogi_out_version(FILE *f)
{
    fputs("foggara " FOG_VERSION "\n"
          "wire: vproxy KcpTun over KCP or TCP, vproxy WebSocks over TCP, TLS or KcpTun\n"
          "compression: gzip; encryption: none of tunnels, TLS 1.2 and 1.3 of a proxy\n",
          f);
}

void
fogi_out_conf(FILE *f, const struct conf *c)
{
    static const char *const sources[] = {"default", "file", "flag"};
    fprintf(f, "# foggara %s\n", c->mode == CONF_CLIENT ? "client" : "server");
    for (enum conf_key key = 0; key < CONF_KEY_N; key++) {
        char value[VALUE_MAX], quoted[VALUE_MAX + 2];
        bool text = fogi_conf_rows[key].type != CONF_UINT &&
                    fogi_conf_rows[key].type != CONF_FAST && fogi_conf_rows[key].type != CONF_BOOL;
        if (!fogi_conf_in_mode(key, c->mode))
            continue;
        fogi_conf_text(c, key, value, sizeof value);
        snprintf(quoted, sizeof quoted, "%s%s%s", text ? "\"" : "", value, text ? "\"" : "");
        fprintf(f, "%-11s = %-24s # %s\n", fogi_conf_name(key), quoted, sources[c->source[key]]);
    }
}

void
fogi_out_summary(const struct conf *c, char *buf, size_t cap)
{
    size_t len = 0;
    buf[0] = 0;
    for (enum conf_key key = 0; key < CONF_KEY_N && len < cap; key++) {
        char value[VALUE_MAX];
        bool address = key == CONF_KEY_LISTEN || key == far_end(c->mode);
        if (address || c->source[key] == CONF_FROM_DEFAULT)
            continue;
        fogi_conf_text(c, key, value, sizeof value);
        int n = snprintf(buf + len, cap - len, "%s%s %s", len > 0 ? ", " : "", fogi_conf_name(key),
                         value);
        len += n > 0 ? (size_t)n : 0;
    }
}
