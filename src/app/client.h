/* SPDX-License-Identifier: MIT
 *
 * client.h - what a client holds: local connections, those that wait, and the tunnels it keeps.
 */
#ifndef FOGI_CLIENT_H
#define FOGI_CLIENT_H

#include "app/listen.h"
#include "app/relay.h"
#include "app/supervisor.h"

#define CLIENT_HELD_MAX 1024 /* local connections that may wait for a tunnel */

struct client {
    struct process *p;
    struct listener listener;
    struct supervisor sup;
    struct pump resumed; /* this host has slept                                        */
    struct list held;    /* relays without a tunnel, oldest first                      */
    uint32_t n_held;
    struct alarm hold; /* the oldest of them has waited long enough                  */
    struct pump place; /* tries to place what is held                                */
};

#endif
