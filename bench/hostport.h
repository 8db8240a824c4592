/* SPDX-License-Identifier: MIT
 *
 * hostport.h - "ADDR:PORT" with a numeric IPv4 address.
 */
#ifndef BENCH_HOSTPORT_H
#define BENCH_HOSTPORT_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>

static inline bool
hostport(const char *text, struct sockaddr_in *a)
{
    char host[64];
    unsigned port;
    *a = (struct sockaddr_in){.sin_family = AF_INET};
    if (sscanf(text, "%63[0-9.]:%u", host, &port) != 2 || port > 65535)
        return false;
    a->sin_port = htons((uint16_t)port);
    return inet_pton(AF_INET, host, &a->sin_addr) == 1;
}

#endif
