/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "app/demo.h"
#include "app/demo_int.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const fogi_demo_usage =
    "usage: foggara demo [OPTION...]\n"
    "Starts a server, a client and a bad link between them here, downloads through\n"
    "them, checks every byte and shows what was measured. No root, no network.\n"
    "  --loss PERCENT   datagrams lost, each way (0..60; default 10)\n"
    "  --delay MS       delay of the link, one way (0..1000; default 50)\n"
    "  --jitter MS      added at random, one way (0..1000; default 0)\n"
    "  --rate MBITS     rate of the link, each way (default: unlimited)\n"
    "  --size BYTES     what to download, K, M or G may follow (default 20M)\n"
    "  --fast 1..4      parameter set of both processes (default: theirs)\n"
    "  --limit SECONDS  gives up after this time (default 58)\n"
    "  --seed N         the link's chance (default: a new one each time)\n"
    "  --verbose        shows what the processes say\n"
    "  --help           shows this\n";

enum kind { SHARE, MILLISECONDS, MEGABITS, SIZE, FAST, SECONDS, NUMBER };

struct option {
    const char *name;
    enum kind kind;
    size_t at; /* where in struct demo_options */
    double min, max;
};

/* clang-format off */
static const struct option OPTIONS[] = {
    {"--loss",   SHARE,        offsetof(struct demo_options, loss),      0,    60},
    {"--delay",  MILLISECONDS, offsetof(struct demo_options, delay_us),  0,    1000},
    {"--jitter", MILLISECONDS, offsetof(struct demo_options, jitter_us), 0,    1000},
    {"--rate",   MEGABITS,     offsetof(struct demo_options, rate_bps),  0.01, 100000},
    {"--size",   SIZE,         offsetof(struct demo_options, size),      1,    4.0e9},
    {"--fast",   FAST,         offsetof(struct demo_options, fast),      1,    4},
    {"--limit",  SECONDS,      offsetof(struct demo_options, limit_us),  5,    3600},
    {"--seed",   NUMBER,       offsetof(struct demo_options, seed),      0,    9.0e15},
};
/* clang-format on */

/* Reads a number; for a SIZE with K, M or G behind it, for a SHARE with a % sign at most. */
static bool
read_number(const char *text, enum kind kind, double *value)
{
    char *end;
    *value = strtod(text, &end);
    if (end == text || !isfinite(*value))
        return false;
    if (kind == SIZE && *end) {
        static const char units[] = "KMG";
        const char *unit = strchr(units, *end & ~0x20);
        if (!unit)
            return false;
        for (const char *u = units; u <= unit; u++)
            *value *= 1000;
        end++;
    }
    if (kind == SHARE && *end == '%')
        end++;
    return *end == '\0';
}

static void
store(struct demo_options *o, const struct option *opt, double value)
{
    void *at = (char *)o + opt->at;
    switch (opt->kind) {
    case SHARE:
        *(double *)at = value / 100;
        break;
    case MILLISECONDS:
        *(fog_time *)at = (fog_time)(value * 1000);
        break;
    case SECONDS:
        *(fog_time *)at = (fog_time)(value * 1e6);
        break;
    case MEGABITS:
        *(uint64_t *)at = (uint64_t)(value * 1e6);
        break;
    case SIZE:
    case NUMBER:
        *(uint64_t *)at = (uint64_t)value;
        break;
    case FAST:
        *(unsigned *)at = (unsigned)value;
        break;
    }
}

static const struct option *
find(const char *arg, size_t len)
{
    for (size_t i = 0; i < sizeof OPTIONS / sizeof OPTIONS[0]; i++)
        if (strlen(OPTIONS[i].name) == len && memcmp(OPTIONS[i].name, arg, len) == 0)
            return &OPTIONS[i];
    return NULL;
}

static int
wrong(const char *arg, const char *what)
{
    fprintf(stderr, "foggara demo: %s: %s; see foggara demo --help\n", arg, what);
    return 64;
}

int
fogi_demo_args(struct demo_options *o, int argc, char **argv)
{
    *o = (struct demo_options){.loss = 0.1,
                               .delay_us = FOG_MS(50),
                               .size = 20000000,
                               .seed = (uint64_t)demo_now(),
                               .limit_us = FOG_SEC(58)};
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];
        if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0)
            return -1;
        if (strcmp(arg, "--verbose") == 0 || strcmp(arg, "-v") == 0) {
            o->verbose = true;
            continue;
        }
        size_t len = strcspn(arg, "=");
        const struct option *opt = find(arg, len);
        double value;
        if (!opt)
            return wrong(arg, "unknown option");
        const char *text = arg[len] ? arg + len + 1 : argv[++i];
        if (!text)
            return wrong(arg, "a value is missing");
        if (!read_number(text, opt->kind, &value))
            return wrong(arg, "not a number");
        if (value < opt->min || value > opt->max)
            return wrong(arg, "out of range");
        store(o, opt, value);
    }
    return 0;
}
