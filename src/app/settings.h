/* SPDX-License-Identifier: MIT
 *
 * settings.h - a table of settings, and everything that walks it: a file, the command line, words
 * without dashes, the help. The agent and the gateway have a table each.
 *
 * Decides how a value of each type is read and how errors are said: place, what is wrong, what was
 * meant; all of them at once. Refuses to know what a setting does. Invariant: texts handed out stay
 * until fogi_store_free(); nothing points into the file that was read.
 */
#ifndef FOGI_SETTINGS_H
#define FOGI_SETTINGS_H

#include "app/conf.h"
#include "app/json.h"

#define SETTINGS_MAX 64       /* rows of a table                                  */
#define SETTING_FLAGS_MAX 256 /* options of one command line                      */
#define SETTING_TEXT_MAX 4096 /* bytes of a value: of a path, a password, a list  */

/* ------------------------------------------------------------------------------------- memory */

/** Memory that lives and dies with one configuration. */
struct store {
    struct store_piece *pieces;
};

/** Zeroed; NULL without memory. */
void *fogi_store_get(struct store *s, size_t size);
char *fogi_store_text(struct store *s, const char *text, size_t len);
/** Adds an element to an array of *n; NULL without memory. O(1) on average. */
void *fogi_store_more(struct store *s, void **array, size_t *n, size_t size);
void fogi_store_free(struct store *s);

/* -------------------------------------------------------------------------------------- table */

struct settings;

enum setting_type {
    SETTING_LISTEN, /* [ADDR]:PORT or PORT; 0 or off: none        -> struct hostport         */
    SETTING_PORT,   /* 1..65535; 0: none                          -> uint16_t                */
    SETTING_UINT,   /* min..max                                   -> uint32_t                */
    SETTING_BOOL,   /* true, false, on, off                       -> bool                    */
    SETTING_TEXT,   /* anything but nothing                       -> const char *            */
    SETTING_FILE,   /* a path; "~" in front is the home directory -> const char *            */
    SETTING_TUNNEL, /* a key of conf.h                            -> struct conf             */
    SETTING_TAKE,   /* a function of the table's owner, for one text; a list is several      */
    SETTING_ONE,    /* the same, for a value that there is once                              */
    SETTING_VOID    /* known, and nothing here; `help` says what is to be used instead       */
};

/** Where a value stands; at.line 0: on the command line, where `name` says. */
struct setting_at {
    struct json_place at;
    const char *name; /* of the key or option, as it was written */
};

struct setting {
    const char *key;    /* dotted, as in the file                                            */
    const char *option; /* with its dashes; NULL: the file's alone                           */
    char letter;        /* 0: none                                                           */
    enum setting_type type;
    uint32_t min, max, def;
    size_t offset; /* of the member                                                          */
    enum conf_key tunnel;
    void (*take)(struct settings *s, const struct setting_at *at, const char *text);
    const char *meta, *help; /* at most 48 letters                                           */
};

struct setting_flag {
    size_t row;
    const char *value, *name; /* lent by the caller (argv) */
};

/** Files are read through this, so that a test needs none. */
struct setting_files {
    const char *(*read)(void *ctx, const char *name, char *buf, size_t cap, size_t *len);
    void *ctx;
};

enum setting_action { SETTING_RUN, SETTING_HELP, SETTING_VERSION };

/** Where settings come from; kept as long as a reload may happen. */
struct setting_request {
    enum setting_action action;
    const char *file;                  /* NULL: none. "-": standard input                    */
    bool words;                        /* the flags are vproxy's words, taken as they are    */
    uint32_t salt;                     /* chance, for tables that others fill                */
    const struct setting_files *files; /* NULL: the real ones                                */
    size_t n_flags;
    struct setting_flag flags[SETTING_FLAGS_MAX];
};

/** A table, and what its role has besides. */
struct settings_role {
    const struct setting *rows;
    size_t n_rows;
    /** A configuration before anything is read, and its store; NULL without memory. */
    void *(*make)(struct store **store);
    /** Takes a file that has another form than JSON, by returning true. NULL: there is none. */
    bool (*lines)(struct settings *s, const char *text, size_t len);
    /** As of fogi_settings_object(). */
    bool (*own)(struct settings *s, const struct json_value *v, const char *key);
    /** All was read without an error: is it a whole? */
    void (*complete)(struct settings *s);
    void (*drop)(void *conf);
};

/** One loading. */
struct settings {
    const struct settings_role *role;
    void *conf;          /* what the rows' offsets point into      */
    struct store *store; /* of that                                */
    const struct setting_request *rq;
    struct conf_report *rep;
    const char *file; /* as messages call it                    */
    int code;         /* of the first error; EXIT_OK            */
    bool by_flag;     /* the flags are read now                 */
    struct setting_at given[SETTINGS_MAX];
    char ignored[1024]; /* names of what is read and not done     */
};

void fogi_settings_init(struct settings *s, const struct settings_role *role, void *conf,
                        struct store *store, const struct setting_request *rq,
                        struct conf_report *rep);

/** Says what is wrong at a place, which is a line of the file or an option. */
void fogi_settings_error(struct settings *s, const struct setting_at *at, const char *fmt, ...)
    FOG_PRINTF(3, 4);
void fogi_settings_note(struct settings *s, const char *fmt, ...) FOG_PRINTF(2, 3);
/** Adds a name to those that are listed in one note at the end: read, but not done here. */
void fogi_settings_ignore(struct settings *s, const char *name);

/** The row of a dotted key; "_" counts as "-". NULL: none. */
const struct setting *fogi_settings_find(const struct settings *s, const char *key);
/** Says that there is no such key, and which one was probably meant. */
void fogi_settings_unknown(struct settings *s, const struct setting_at *at, const char *key);
/** Whether the key was set by file or flag. */
bool fogi_settings_given(const struct settings *s, const char *key);

/** Sets a row from a text. */
void fogi_settings_set(struct settings *s, const struct setting *row, const struct setting_at *at,
                       const char *text);

/** A path, kept in the store; "~" in front is the home directory. NULL after an error. */
const char *fogi_settings_path(struct settings *s, const struct setting_at *at, const char *text);

/** Walks an object: members of members are "outer.inner". own() may take a member first, by
 *  returning true. */
void fogi_settings_object(struct settings *s, const struct json_value *object, const char *outer,
                          bool (*own)(struct settings *s, const struct json_value *v,
                                      const char *key));

/** Sets the rows of all flags; the last of several wins, lists grow. */
void fogi_settings_flags(struct settings *s);

/** Writes the note of what was ignored. */
void fogi_settings_end(struct settings *s);

/* ---------------------------------------------------------------------------------------- load */

/** Reads defaults, then the text (NULL: none), then the flags. Gives *conf, or NULL on failure. */
FOG_CHECKED int fogi_settings_parse(void **conf, const struct settings_role *role,
                                    const struct setting_request *rq, const char *text, size_t len,
                                    struct conf_report *rep);
/** The same with the file of the request; EXIT_NOINPUT where it cannot be read. */
FOG_CHECKED int fogi_settings_load(void **conf, const struct settings_role *role,
                                   const struct setting_request *rq, struct conf_report *rep);

/** A file of at most max bytes, or the first max + 1, through the request's files. To be freed with
 *  free(); NULL, and *why. */
char *fogi_settings_file(const struct setting_request *rq, const char *name, size_t max,
                         size_t *len, const char **why);

/* ------------------------------------------------------------------------------- command line */

#define SETTING_ERROR_MAX 160

/** Reads argv[1] and what follows: options with dashes, and -c FILE, -h, -v. */
FOG_CHECKED int fogi_settings_args(struct setting_request *rq, const struct settings_role *role,
                                   int argc, char **argv, char err[SETTING_ERROR_MAX]);

/** The same for words without dashes ("listen 443 kcp"). */
FOG_CHECKED int fogi_settings_words(struct setting_request *rq, const struct settings_role *role,
                                    int argc, char **argv, char err[SETTING_ERROR_MAX]);

/** The lines of the help that explain the options, into buf; gives their length. */
size_t fogi_settings_help(const struct settings_role *role, char *buf, size_t cap);

#endif
