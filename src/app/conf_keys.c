/* SPDX-License-Identifier: MIT */
#include "app/conf_keys.h"

#include "app/nearest.h"

#include <string.h>

#define MIB (1024u * 1024u)

/* clang-format off */
#define ROW(key, option, letter, type, modes, min, max, def, live, fixed, field, meta, help)       \
    [CONF_KEY_##key] = {option, letter, CONF_##type, CONF_IN_##modes, min, max, def,               \
                        CONF_LIVE_##live, CONF_IN_##fixed, offsetof(struct conf, field), meta, help},

const struct conf_row fogi_conf_rows[CONF_KEY_N] = {
/*      key          option       letter type      modes   min, max, default
        live  fixed   field        value          help                                            */
    ROW(LISTEN,      "--listen",      'l', LISTEN,   BOTH,   0, 0, 0,
        NOW,  BOTH,   listen,      "[ADDR]:PORT", "where to listen")
    ROW(REMOTE,      "--remote",      'r', HOSTPORT, CLIENT, 0, 0, 0,
        NEXT, NONE,   remote,      "HOST:PORT",   "the server")
    ROW(TARGET,      "--target",      't', HOSTPORT, SERVER, 0, 0, 0,
        NOW,  NONE,   remote,      "HOST:PORT",   "where each stream is connected to")
    ROW(FAST,        "--fast",        0,   FAST,     BOTH,   1, 4, 0,
        NEXT, SERVER, fast,        "1..4",        "do as vproxy's fast1..4; else follow the link")
    ROW(UP,          "--up",          0,   RATE,     BOTH,   64, 34000000, 0,
        NOW,  NONE,   up,          "MBITS",       "send at this rate: your line's, if you know it")
    ROW(DOWN,        "--down",        0,   RATE,     BOTH,   64, 34000000, 0,
        NEXT, NONE,   down,        "MBITS",       "ask the other end to send at this rate at most")
    ROW(VIA,         "--via",         0,   VIA,      BOTH,   0, 0, FOG_VIA_KCP,
        NEXT, BOTH,   via,         "kcp|tcp",     "carry the tunnel over KCP on UDP, or over TCP")
    ROW(TUNNELS,     "--tunnels",     0,   UINT,     CLIENT, 0, 8, 0,
        NOW,  NONE,   tunnels,     "N",           "tunnels side by side; 0: as needed")
    ROW(HOLD,        "--hold",        0,   UINT,     CLIENT, 0, 300, 5,
        NOW,  NONE,   hold_s,      "SECONDS",     "how long connections wait for a tunnel")
    ROW(COMPRESS,    "--compress",    0,   BOOL,     BOTH,   0, 0, 0,
        NEXT, SERVER, compress,    "",            "send with gzip where that is shorter")
    ROW(MTU,         "--mtu",         0,   UINT,     BOTH,   FOG_MTU_MIN, FOG_MTU_MAX, 0,
        NEXT, SERVER, mtu,         "BYTES",       "largest datagram, where the path takes it")
    ROW(SNDWND,      "--sndwnd",      0,   UINT,     BOTH,   1, FOG_WND_MAX, 0,
        NEXT, SERVER, sndwnd,      "SEGMENTS",    "most segments in flight")
    ROW(RCVWND,      "--rcvwnd",      0,   UINT,     BOTH,   1, FOG_WND_MAX, 0,
        NEXT, SERVER, rcvwnd,      "SEGMENTS",    "most segments accepted ahead")
    ROW(SOCKBUF,     "--sockbuf",     0,   UINT,     BOTH,   0, 64 * MIB, 4 * MIB,
        NEXT, SERVER, sockbuf,     "BYTES",       "UDP socket buffers; 0: the system's own")
    ROW(MAX_STREAMS, "--max-streams", 0,   UINT,     BOTH,   1, 16384, 1024,
        NEXT, SERVER, max_streams, "N",           "most streams of one tunnel")
    ROW(STATUS,      "--status",      0,   PATH,     BOTH,   0, 0, 0,
        NEXT, BOTH,   status,      "PATH",        "where foggara status finds this process")
    ROW(LOG,         "--log",         0,   LEVEL,    BOTH,   0, 4, LOG_AT_INFO,
        NOW,  NONE,   log_level,   "LEVEL",       "error, warn, info, debug, trace (or 0..4)")
};

/* What kcptun's files say. Those that only its own wire needs, and those without a meaning here. */
static const struct foreign_row foreign[] = {
    /* name         kind           instead          */
    { "localaddr",   FOREIGN_ALIAS, CONF_KEY_LISTEN  },
    { "remoteaddr",  FOREIGN_ALIAS, CONF_KEY_REMOTE  },
    { "conn",        FOREIGN_ALIAS, CONF_KEY_TUNNELS },
    { "mode",        FOREIGN_MODE,  CONF_KEY_FAST    },
    { "quiet",       FOREIGN_QUIET, CONF_KEY_LOG     },
    { "key",         FOREIGN_WIRE,  CONF_KEY_N       },
    { "crypt",       FOREIGN_WIRE,  CONF_KEY_N       },
    { "datashard",   FOREIGN_WIRE,  CONF_KEY_N       },
    { "parityshard", FOREIGN_WIRE,  CONF_KEY_N       },
    { "tcp",         FOREIGN_WIRE,  CONF_KEY_VIA     },
    { "qpp",         FOREIGN_WIRE,  CONF_KEY_N       },
    { "QPP",         FOREIGN_WIRE,  CONF_KEY_N       },
    { "QPPCount",    FOREIGN_VOID,  CONF_KEY_N       },
    { "nocomp",      FOREIGN_VOID,  CONF_KEY_COMPRESS },
    { "autoexpire",  FOREIGN_VOID,  CONF_KEY_N       },
    { "scavengettl", FOREIGN_VOID,  CONF_KEY_N       },
    { "dscp",        FOREIGN_VOID,  CONF_KEY_N       },
    { "keepalive",   FOREIGN_VOID,  CONF_KEY_N       },
    { "ratelimit",   FOREIGN_VOID,  CONF_KEY_UP      },
    { "smuxver",     FOREIGN_VOID,  CONF_KEY_N       },
    { "smuxbuf",     FOREIGN_VOID,  CONF_KEY_N       },
    { "framesize",   FOREIGN_VOID,  CONF_KEY_N       },
    { "streambuf",   FOREIGN_VOID,  CONF_KEY_N       },
    { "closewait",   FOREIGN_VOID,  CONF_KEY_N       },
    { "acknodelay",  FOREIGN_VOID,  CONF_KEY_FAST    },
    { "nodelay",     FOREIGN_VOID,  CONF_KEY_FAST    },
    { "interval",    FOREIGN_VOID,  CONF_KEY_FAST    },
    { "resend",      FOREIGN_VOID,  CONF_KEY_FAST    },
    { "nc",          FOREIGN_VOID,  CONF_KEY_FAST    },
    { "snmplog",     FOREIGN_VOID,  CONF_KEY_N       },
    { "snmpperiod",  FOREIGN_VOID,  CONF_KEY_N       },
    { "pprof",       FOREIGN_VOID,  CONF_KEY_N       },
};
/* clang-format on */

const struct foreign_row *
fogi_conf_foreign(const char *name)
{
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++)
        if (strcmp(foreign[i].name, name) == 0)
            return &foreign[i];
    return NULL;
}

static bool
same_name(const char *a, const char *b)
{
    for (; *a != 0 && *b != 0; a++, b++)
        if (*a != *b && !(*a == '_' && *b == '-'))
            return false;
    return *a == *b;
}

enum conf_key
fogi_conf_find(const char *name)
{
    enum conf_key key = 0;
    while (key < CONF_KEY_N && !same_name(name, fogi_conf_name(key)))
        key++;
    return key;
}

const char *
fogi_conf_suggest(const char *typed, enum conf_mode mode)
{
    const char *found = NULL;
    int best = NEAREST_NONE;
    for (enum conf_key key = 0; key < CONF_KEY_N; key++)
        if (fogi_conf_in_mode(key, mode) && fogi_nearest(typed, fogi_conf_name(key), &best))
            found = fogi_conf_name(key);
    return found;
}

const char *
fogi_conf_name(enum conf_key key)
{
    return fogi_conf_rows[key].option + 2;
}

enum conf_live
fogi_conf_live(enum conf_key key)
{
    return fogi_conf_rows[key].live;
}

bool
fogi_conf_in_mode(enum conf_key key, enum conf_mode mode)
{
    return (fogi_conf_rows[key].modes & 1u << mode) != 0;
}
