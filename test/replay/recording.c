/* SPDX-License-Identifier: MIT */
#include "replay/recording.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reader {
    struct recording *r;
    unsigned line;
    enum dir dir; /* of the line just looked at */
};

static void
bad(const struct reader *in, const char *what)
{
    fail_msg("%s.txt:%u: %s", in->r->name, in->line, what);
}

const char *
dir_name(enum dir d)
{
    return d == C_TO_S ? "C>S" : "S>C";
}

/* Skips "C>S " or "S>C ". */
static const char *
read_dir(struct reader *in, const char *p)
{
    if (strncmp(p, "C>S ", 4) == 0)
        in->dir = C_TO_S;
    else if (strncmp(p, "S>C ", 4) == 0)
        in->dir = S_TO_C;
    else
        bad(in, "neither C>S nor S>C");
    return p + 4;
}

static uint8_t
read_type(const struct reader *in, const char *word)
{
    static const struct {
        const char *word;
        uint8_t type;
    } types[] = {{"DATA", 0}, {"HEADERS", 1}, {"SETTINGS", 4}, {"PING", 6}, {"GOAWAY", 7}};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcmp(types[i].word, word) == 0)
            return types[i].type;
    bad(in, "unknown frame type");
    return 0;
}

static void
read_digest(struct reader *in, const char *p)
{
    struct recording *r = in->r;
    p = read_dir(in, p);
    struct totals *t = &r->totals[in->dir];
    if (strncmp(p, "end ", 4) == 0) {
        if (sscanf(p,
                   "end datagrams=%zu segments=%zu repeats=%zu stream-bytes=%zu frames=%zu "
                   "partial=%zu",
                   &t->datagrams, &t->segments, &t->repeats, &t->stream_bytes, &t->frames,
                   &t->partial) != 6)
            bad(in, "malformed end of digest");
        return;
    }
    struct expected e = {0};
    char word[16];
    unsigned index, flags, stream;
    int n = sscanf(p, "%u %15s flags=%2x stream=%u len=%zu plain=%zu sha256=%64s", &index, word,
                   &flags, &stream, &e.len, &e.plain, e.sha256);
    if (n != (e.len ? 7 : 5) || index != r->n_expected[in->dir])
        bad(in, "malformed frame of the digest");
    if (index >= sizeof r->expected[0] / sizeof r->expected[0][0])
        bad(in, "more frames than this test has room for");
    e.type = read_type(in, word);
    e.flags = (uint8_t)flags;
    e.stream = stream;
    r->expected[in->dir][r->n_expected[in->dir]++] = e;
}

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void
read_hex(const struct reader *in, const char *p, struct datagram *d)
{
    while (*p) {
        int high = hex_digit(p[0]), low = high < 0 ? -1 : hex_digit(p[1]);
        if (low < 0)
            bad(in, "not lower case hex digits");
        if (d->len == sizeof d->bytes)
            bad(in, "datagram too long");
        d->bytes[d->len++] = (uint8_t)(high << 4 | low);
        p += 2;
    }
    if (!d->len)
        bad(in, "empty datagram");
}

static void
read_datagram(struct reader *in, const char *p)
{
    struct recording *r = in->r;
    unsigned long long ms, us;
    int used = 0;
    if (sscanf(p, "%llu.%3llu %n", &ms, &us, &used) != 2 || !used)
        bad(in, "no time");
    p = read_dir(in, p + used);
    r->datagrams = realloc(r->datagrams, (r->n_datagrams + 1) * sizeof *r->datagrams);
    assert_non_null(r->datagrams);
    struct datagram *d = &r->datagrams[r->n_datagrams++];
    memset(d, 0, sizeof *d);
    d->at = (fog_time)(ms * 1000 + us);
    d->dir = in->dir;
    if (r->n_datagrams > 1 && d->at < d[-1].at)
        bad(in, "time goes back");
    read_hex(in, p, d);
}

void
recording_read(struct recording *r, const char *name)
{
    char path[128], text[8192];
    struct reader in = {.r = r};
    memset(r, 0, sizeof *r);
    r->name = name;
    snprintf(path, sizeof path, "test/replay/vproxy/%s.txt", name);
    FILE *f = fopen(path, "r");
    if (!f)
        fail_msg("cannot open %s", path);
    while (fgets(text, sizeof text, f)) {
        in.line++;
        size_t len = strlen(text);
        if (!len || text[len - 1] != '\n')
            bad(&in, "line too long or without its end");
        text[len - 1] = '\0';
        if (strncmp(text, "#= ", 3) == 0)
            read_digest(&in, text + 3);
        else if (text[0] != '#')
            read_datagram(&in, text);
    }
    fclose(f);
    if (!r->n_datagrams || !r->n_expected[C_TO_S])
        bad(&in, "no datagrams or no digest");
}

void
recording_free(struct recording *r)
{
    free(r->datagrams);
    r->datagrams = NULL;
}
