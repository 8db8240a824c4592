/* SPDX-License-Identifier: MIT
 *
 * conf.h - what the user asked for, checked and in one struct.
 *
 * Decides names, ranges, defaults and the order of precedence: defaults < file < flags. Refuses to
 * know sockets, engines and where the flags came from. One table (conf_keys.c) holds every key; the
 * file reader, the command line, --help, --print-config and a test of the manual all walk it.
 *
 * Invariant: a struct conf that came out of fogi_conf_load() with 0 is complete and in range, so
 * nobody behind it checks again.
 */
#ifndef FOGI_CONF_H
#define FOGI_CONF_H

#include <foggara/session.h>

#include "io/log.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** What the process returns. 0 is success. */
enum exit_code {
    EXIT_OK = 0,
    EXIT_USAGE = 64,       /* the command line is wrong                                */
    EXIT_NOINPUT = 66,     /* the file of -c cannot be read                            */
    EXIT_UNAVAILABLE = 69, /* cannot bind (from the run functions)                     */
    EXIT_CONFIG = 78       /* the file was read, but what it says is wrong             */
};

enum conf_mode { CONF_CLIENT, CONF_SERVER };

#define CONF_HOST_MAX 255 /* bytes of a name, as in DNS */
#define CONF_PATH_MAX 107 /* bytes of the path of a socket, as in Linux */

/** A host to resolve, or an address in text. IPv6 stands without brackets; "%scope" may follow. */
struct hostport {
    char host[CONF_HOST_MAX + 1]; /* "" in `listen` only: all addresses                       */
    uint16_t port;                /* 1..65535                                                 */
};

/** One per setting, in the order of the table. */
enum conf_key {
    CONF_KEY_LISTEN,
    CONF_KEY_REMOTE, /* client */
    CONF_KEY_TARGET, /* server; both fill `remote` */
    CONF_KEY_FAST,
    CONF_KEY_UP,
    CONF_KEY_DOWN,
    CONF_KEY_VIA,
    CONF_KEY_TUNNELS,
    CONF_KEY_HOLD,
    CONF_KEY_COMPRESS,
    CONF_KEY_MTU,
    CONF_KEY_SNDWND,
    CONF_KEY_RCVWND,
    CONF_KEY_SOCKBUF,
    CONF_KEY_MAX_STREAMS,
    CONF_KEY_STATUS,
    CONF_KEY_LOG,
    CONF_KEY_N
};

enum conf_source { CONF_FROM_DEFAULT, CONF_FROM_FILE, CONF_FROM_FLAG };

#define CONF_TUNNELS_BUSY 2

struct conf {
    enum conf_mode mode;
    struct hostport listen; /* client: TCP, host "127.0.0.1" when none was given.
                               server: UDP (kcp) or TCP (pipe), host "" when none was given: all  */
    struct hostport remote; /* client: the server. server: the target. The host is never ""       */
    int fast;               /* 1..4: parameter set of fog_kcp_options_fast(); 0: FOG_CC_MODEL.
                               Default 0                                                          */
    uint32_t up;            /* kbit/s that all tunnels to one peer send at together, 64..34,000,000;
                               0: as the link allows. Default 0                                   */
    uint32_t down;          /* kbit/s that the peer is asked to send at most, likewise            */
    enum fog_via via;       /* FOG_VIA_KCP, or FOG_VIA_PIPE for "tcp". Default kcp                */
    uint32_t tunnels;       /* client: sessions kept, 1..8 (so many of one network may be unproven);
                               0: one, and CONF_TUNNELS_BUSY while there are streams and losses,
                               unless a rate is told, which they would share. Default 0           */
    uint32_t hold_s;        /* client: seconds a local connection waits for a tunnel, 0..300;
                               0: closed at once. Default 5                                       */
    bool compress;          /* send DATA with the gzip flag. Default false                        */
    uint32_t mtu;           /* bytes of a datagram, FOG_MTU_MIN..FOG_MTU_MAX; over 1250 only where
                               the peer and the path take it. 0: the client 1250, or as much as
                               loopback carries; the server what the client takes. Default 0      */
    uint32_t sndwnd;        /* segments in flight, 1..65535; 0: as the recovery needs. Default 0  */
    uint32_t rcvwnd;        /* segments accepted ahead, 1..65535; 0: likewise. Default 0          */
    uint32_t sockbuf;       /* bytes asked of the system for each direction of a UDP socket,
                               0..64 MiB; 0: the system's own. Default 4 MiB                      */
    uint32_t max_streams;   /* open streams of one tunnel, 1..16384. Default 1024                 */
    enum log_at log_level;  /* lines up to this level are written. Default info                 */
    char status[CONF_PATH_MAX + 1];      /* socket for `foggara status`; "": none. Default ""     */
    enum conf_source source[CONF_KEY_N]; /* who set each                                          */
};

/** One flag of the command line: not yet a value, so that a reload applies it again. */
struct conf_flag {
    enum conf_key key;
    const char *value; /* lent by the caller (argv). A bool without a value has "true" */
    const char *name;  /* as the user wrote it ("-l", "--listen", "bind"); for messages           */
};

#define CONF_FLAGS_MAX 64

/** Where settings come from. Kept by the caller as long as a reload may happen. */
struct conf_request {
    enum conf_mode mode;
    bool guess; /* for `foggara check`: a file with "target" is a server's, else it is a client's */
    const char *file; /* NULL: none. "-": standard input, which cannot be read a second time */
    size_t n_flags;
    struct conf_flag flags[CONF_FLAGS_MAX]; /* in order: the last one wins */
};

#define CONF_LINES_MAX 4096

/** Whole lines, each ending in '\n'. What does not fit is dropped; a last line says so. */
struct conf_lines {
    size_t len;
    char text[CONF_LINES_MAX]; /* NUL-terminated */
};

struct conf_report {
    struct conf_lines errors; /* one line each: place, what is wrong, what was meant              */
    struct conf_lines notes;  /* read and understood, but without effect here                     */
    bool incomplete;          /* the only fault: something without a default was not given        */
};

/** Sets every default of a mode; listen and remote are empty with port 0. */
void fogi_conf_init(struct conf *c, enum conf_mode mode);

/**
 * Reads defaults, then the file, then the flags, and checks the result. For start and for reload.
 *
 * Takes      rq: borrows. rep: cleared first.
 * Effect     on success *out is replaced whole; on failure it is unchanged and rep->errors tells
 * why. Returns    EXIT_OK, EXIT_USAGE (a flag), EXIT_NOINPUT (no file), EXIT_CONFIG (the file)
 */
FOG_CHECKED int fogi_conf_load(struct conf *out, const struct conf_request *rq,
                               struct conf_report *rep);

/** The same with the file already in memory; text NULL: no file. rq->file only names it. */
FOG_CHECKED int fogi_conf_parse(struct conf *out, const struct conf_request *rq, const void *text,
                                size_t len, struct conf_report *rep);

/** Since when a setting holds that was changed by a reload. */
enum conf_live {
    CONF_LIVE_NOW, /* from now on, or for the next connection */
    CONF_LIVE_NEXT /* for the next tunnel                     */
};

/**
 * Undoes what cannot change while the program runs.
 *
 * Takes      running: what is in force. next: just loaded, for the same mode.
 * Effect     such settings of *next become those of *running again; *said has a line for each.
 */
void fogi_conf_keep_fixed(const struct conf *running, struct conf *next, struct conf_lines *said);

/** Whether a key has the same value in both (of one mode). */
bool fogi_conf_same(const struct conf *a, const struct conf *b, enum conf_key key);
enum conf_live fogi_conf_live(enum conf_key key);
/** Name of a key as in the file ("max-streams"). */
const char *fogi_conf_name(enum conf_key key);
/** Whether the key means anything in this mode. */
bool fogi_conf_in_mode(enum conf_key key, enum conf_mode mode);
/** The value as text, as a flag would give it ("[::1]:80", "kcp", "true"). Never fails; cut to cap.
 */
void fogi_conf_text(const struct conf *c, enum conf_key key, char *buf, size_t cap);

#endif
