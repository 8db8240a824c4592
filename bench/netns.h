/* SPDX-License-Identifier: MIT
 *
 * netns.h - a network namespace of our own with one TUN device in it. Nothing has a name outside
 * the process that made it, so nothing is left behind when that process ends, however it ends.
 */
#ifndef BENCH_NETNS_H
#define BENCH_NETNS_H

#include <stdint.h>

#define NETNS_DEVICE "fogb0"
#define NETNS_SOURCES 16
#define NETNS_SOURCE "10.78.%d.1"

struct netns {
    int ns;  /* the namespace: others enter it through /proc/PID/fd/N */
    int tun; /* its device: whole IP packets, one per read or write   */
};

/** Moves the calling thread into a new namespace, with loopback and a device `local`/30 up. Ends
 * the process with a message when the system refuses. */
struct netns netns_new(const char *local, int mtu);

/** Packets that the device dropped before we read them: outside the model, should be 0. */
uint64_t netns_lost(const struct netns *n);

#endif
