/* SPDX-License-Identifier: MIT
 *
 * site.h - how a plain web server answers, for whoever comes without the right password.
 *
 * Decides which file a request names, and the bytes in front of it. Refuses to know files and
 * sockets: the caller opens beneath its root, following no links out of it. Invariant: what a path
 * comes out as has no empty, "." or ".." part, no byte a file system reads as more than a letter,
 * and does not begin with "/" (threats S15); and every answer that is no file has the same bytes
 * whatever was wrong (S13).
 */
#ifndef FOGI_SITE_H
#define FOGI_SITE_H

#include <foggara/error.h>

#include "proxy/dest.h"

#define SITE_PATH_MAX 1024   /* bytes of a file's name below the root, with its end */
#define SITE_HEAD_MAX 2048   /* of a head together with an error's page             */
#define SITE_TARGET_MAX 1024 /* of a target in a redirect                          */

/** What to try for a target, in this order; see fogi_site_path(). */
struct site_path {
    char name[SITE_PATH_MAX]; /* below the root; "" is the root itself                     */
    bool folder;              /* the target ended in "/": index.html is in it              */
};

/**
 * The part of a request's target behind the site's name, which the target itself may begin with
 * ("http://site/a", RFC 9112 section 3.2.2); *len: of the target, then of that part.
 *
 * Returns    NULL where that is no path: the target of a proxy or "*", which no site has: 400
 */
const char *fogi_site_origin(const char *target, size_t *len);

/**
 * Reads a request's target (origin-form, with or without a query).
 *
 * Returns    FOG_E_FORMAT   it names nothing that could be on this site: 404. Hidden names (".git")
 *                           are among these, ".well-known" is not
 */
FOG_CHECKED int fogi_site_path(struct site_path *out, const char *target, size_t len);

/** Type of a file by the end of its name. Never NULL. */
const char *fogi_site_mime(const char *name);

/** What is known of a file. */
struct site_file {
    const char *mime;
    uint64_t size;
    int64_t modified_s; /* since 1970 */
};

/** What a request says that matters here. Texts: not NUL-terminated; NULL: not there. */
struct site_ask {
    bool head;       /* HEAD, not GET                     */
    bool keep_alive; /* the connection stays              */
    const char *range, *if_range, *if_modified_since;
    size_t range_len, if_range_len, if_modified_since_len;
};

/** An answer: its head, then bytes [from, from + len) of the file. */
struct site_answer {
    char head[SITE_HEAD_MAX];
    size_t head_len;
    uint64_t from, len; /* of the file, to be sent behind the head */
    int status;
};

/** Answers with a file: 200, 206, 304 or 416. now_s: since 1970. */
void fogi_site_file(struct site_answer *a, const struct site_file *f, const struct site_ask *ask,
                    int64_t now_s);

/** Answers without one: a page for 400, 401, 403, 404, 405, 408, 413, 431 or 503. Cannot fail. */
void fogi_site_error(struct site_answer *a, int status, const struct site_ask *ask, int64_t now_s);

/**
 * Answers 301 (a folder without its "/": 302 as vproxy has it is not needed) to another place.
 *
 * Takes      https: the scheme. host: its port is left out where it is the scheme's own. target:
 *            checked; what cannot stand in a head makes it "/".
 */
void fogi_site_redirect(struct site_answer *a, bool https, const struct dest *host,
                        const char *target, size_t len, const struct site_ask *ask, int64_t now_s);

/** "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 5.6.7). Years 1970..9999. */
#define SITE_DATE_LEN 29
void fogi_site_date(char out[SITE_DATE_LEN + 1], int64_t now_s);

#endif
