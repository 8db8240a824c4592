/* SPDX-License-Identifier: MIT
 *
 * channel_rig.h - channels with somebody at both ends, for tests.
 *
 * A user writes what it is told to as fast as its channel takes it, keeps the sum of what it reads,
 * and notes how its channel ended.
 */
#ifndef CHANNEL_RIG_H
#define CHANNEL_RIG_H

#include "app/channel_tcp.h"
#include "app/channel_tls.h"

#define TLS_DIR "test/data/tls/"

struct user {
    struct channel *c; /* NULL: gone */
    size_t to_write, written, read;
    size_t most;  /* bytes taken at a look; 0: all     */
    uint64_t sum; /* of what was read                  */
    bool finish;  /* when all is written               */
    bool deaf;    /* reads nothing                     */
    bool finished, eof, broke;
    unsigned looks;
};

extern struct process p;

/** A process without a role; leaves nothing behind. */
int rig_setup(void **state);
int rig_teardown(void **state);

/** A connected pair on loopback. */
void rig_tcp_pair(int fds[2]);

/** Two users joined by TCP, or by TLS over it. */
void rig_join(struct user *a, struct user *b, bool tls);
void rig_own(struct user *u, struct channel *c);
void rig_drop(struct user *u);

struct tls_conf *rig_server_conf(const char *name);
struct tls_conf *rig_client_conf(bool verify);

/** The sum of the first n bytes any user writes. */
uint64_t rig_sum(size_t n);

/** Turns until `done` is true; fails after 5 s. */
void rig_until(bool (*done)(void), const char *what);
void rig_turns(unsigned n);

#endif
