/* SPDX-License-Identifier: MIT
 *
 * status.h - the counters of a running process, for whoever connects to a socket in the file
 * system, and the one who connects.
 *
 * Decides who may: the user the process runs as, and root. Refuses to know what the counters mean
 * (stats.h). Invariant: nobody is waited for. A connection is taken, told and closed in one go, so
 * none is kept, and one who does not read holds up nothing.
 */
#ifndef FOGI_STATUS_H
#define FOGI_STATUS_H

#include "app/conf.h"
#include "io/loop.h"

#include <stdio.h>
#include <sys/types.h>

#define STATUS_PATH "/run/foggara/status" /* where `foggara status` looks without a path       */

struct process;

struct status {
    struct process *p; /* NULL: there is none                        */
    int fd;
    uv_poll_t poll;
    struct alarm again; /* the system could not accept: later         */
    char path[CONF_PATH_MAX + 1];
    dev_t dev; /* of the socket, to remove no other one      */
    ino_t ino;
};

/** Listens at path; "": nowhere. What a process that is gone has left there is
 *  replaced; anything else is not. 0 or a negative errno. */
FOG_CHECKED int fogi_status_open(struct status *s, struct process *p, const char *path);

/** Listens no more, and removes the socket. Fine on one that never opened. */
void fogi_status_close(struct status *s);

/** Connects to path and copies what is told to `out`. 0, or a negative errno: nobody listens there,
 *  it is forbidden, or nothing came in time. */
FOG_CHECKED int fogi_status_ask(const char *path, FILE *out);

#endif
