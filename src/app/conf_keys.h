/* SPDX-License-Identifier: MIT
 *
 * conf_keys.h - the table of settings, and the names other programs have for them.
 *
 * Decides what may be set and how it is explained. Refuses to know who reads it: the file, the
 * command line, the help and the manual's test all do.
 */
#ifndef FOGI_CONF_KEYS_H
#define FOGI_CONF_KEYS_H

#include "app/conf.h"

enum conf_type {
    CONF_LISTEN,   /* [ADDR]:PORT, or PORT alone  -> struct hostport */
    CONF_HOSTPORT, /* HOST:PORT                   -> struct hostport */
    CONF_UINT,     /* min..max                    -> uint32_t        */
    CONF_FAST,     /* min..max                    -> int             */
    CONF_RATE,     /* bits per second: 50, 50M, 1.5G, 800k -> uint32_t, kbit/s */
    CONF_BOOL,     /* true, false, on, off        -> bool            */
    CONF_VIA,      /* kcp, tcp                    -> enum fog_via    */
    CONF_PATH,     /* of a socket; "": none       -> char[]          */
    CONF_LEVEL     /* error..trace or 0..4        -> enum log_at  */
};

#define CONF_IN_CLIENT (1u << CONF_CLIENT)
#define CONF_IN_SERVER (1u << CONF_SERVER)
#define CONF_IN_NONE 0u
#define CONF_IN_BOTH (CONF_IN_CLIENT | CONF_IN_SERVER)

struct conf_row {
    const char *option; /* with its dashes; the file says it without: fogi_conf_name() */
    char letter;        /* "-l"; 0: none                                 */
    enum conf_type type;
    unsigned modes;
    uint32_t min, max, def;
    enum conf_live live;
    unsigned fixed;   /* modes in which it takes a restart instead              */
    size_t offset;    /* in struct conf                                */
    const char *meta; /* what stands for the value in the help         */
    const char *help; /* at most 48 letters                            */
};

/** Rows in the order of enum conf_key. */
extern const struct conf_row fogi_conf_rows[CONF_KEY_N];

/** What a key of kcptun's means here. */
enum foreign_kind {
    FOREIGN_ALIAS, /* the same as `key`                                             */
    FOREIGN_MODE,  /* "fast2" and the like: sets `fast`                             */
    FOREIGN_QUIET, /* true: sets `log` to warn                                      */
    FOREIGN_WIRE,  /* would change the wire, unless its value is empty, 0 or false  */
    FOREIGN_VOID   /* has no effect here                                            */
};

struct foreign_row {
    const char *name;
    enum foreign_kind kind;
    enum conf_key key; /* what to use instead; CONF_KEY_N: nothing */
};

/** The row of a foreign key, or NULL. */
const struct foreign_row *fogi_conf_foreign(const char *name);

/** Finds a key by its name; "_" counts as "-". CONF_KEY_N when there is none. */
enum conf_key fogi_conf_find(const char *name);

/** The name nearest to a mistyped one among the keys of this mode, or NULL. */
const char *fogi_conf_suggest(const char *typed, enum conf_mode mode);

#endif
