/* SPDX-License-Identifier: MIT
 *
 * netns.c - makes namespaces and devices. Refuses to know what travels through them.
 */
#define _GNU_SOURCE
#include "netns.h"

#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define EXIT_FAILED 1
#define TX_QUEUE 20000 /* packets: the queue that is measured is the model's, not the device's */

/* Settings of the new namespace. The buffers must hold 200 Mbit/s x 300 ms, or TCP would be
 * measured against its own limits; and no connection may learn from the one before. */
static const char *const SETTINGS[][2] = {
    /* clang-format off */
    {"/proc/sys/net/ipv4/tcp_rmem",                 "4096 131072 33554432"},
    {"/proc/sys/net/ipv4/tcp_wmem",                 "4096 65536 33554432" },
    {"/proc/sys/net/ipv4/tcp_no_metrics_save",      "1"                   },
    {"/proc/sys/net/ipv4/ip_local_port_range",      "32768 65000"         },
    {"/proc/sys/net/ipv6/conf/default/disable_ipv6", "1"                  },
    /* clang-format on */
};

static void
put(const char *path, const char *value)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return; /* a kernel without it: measured as it is */
    if (write(fd, value, strlen(value)) < 0)
        warn("%s", path);
    close(fd);
}

static void
device_call(unsigned long call, struct ifreq *r, const char *what)
{
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (s < 0 || ioctl(s, call, r) < 0)
        err(EXIT_FAILED, "%s: %s", r->ifr_name, what);
    close(s);
}

static struct ifreq
request(const char *device)
{
    struct ifreq r = {0};
    strncpy(r.ifr_name, device, IFNAMSIZ - 1);
    return r;
}

static void
bring_up(const char *device)
{
    struct ifreq r = request(device);
    device_call(SIOCGIFFLAGS, &r, "flags");
    r.ifr_flags = (short)(r.ifr_flags | IFF_UP);
    device_call(SIOCSIFFLAGS, &r, "up");
}

static void
set_address(unsigned long call, const char *device, const char *text)
{
    struct ifreq r = request(device);
    struct sockaddr_in a = {.sin_family = AF_INET};
    if (inet_pton(AF_INET, text, &a.sin_addr) != 1)
        errx(EXIT_FAILED, "%s: not an IPv4 address", text);
    memcpy(&r.ifr_addr, &a, sizeof a);
    device_call(call, &r, text);
}

static int
open_device(void)
{
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        err(EXIT_FAILED, "/dev/net/tun");
    struct ifreq r = request(NETNS_DEVICE);
    r.ifr_flags = IFF_TUN | IFF_NO_PI;
    if (ioctl(fd, TUNSETIFF, &r) < 0)
        err(EXIT_FAILED, "TUNSETIFF");
    return fd;
}

/** Addresses of loopback in many networks: a client that connects to one of them also comes from
 * it, so that a server sees many sources. */
static void
add_sources(void)
{
    for (int i = 0; i < NETNS_SOURCES; i++) {
        char device[IFNAMSIZ], address[32];
        snprintf(device, sizeof device, "lo:%d", i);
        snprintf(address, sizeof address, NETNS_SOURCE, i);
        set_address(SIOCSIFADDR, device, address);
        set_address(SIOCSIFNETMASK, device, "255.255.255.255");
    }
}

struct netns
netns_new(const char *local, int mtu)
{
    if (unshare(CLONE_NEWNET) < 0)
        err(EXIT_FAILED, "unshare");
    for (size_t i = 0; i < sizeof SETTINGS / sizeof SETTINGS[0]; i++)
        put(SETTINGS[i][0], SETTINGS[i][1]);
    struct netns n = {.ns = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)};
    if (n.ns < 0)
        err(EXIT_FAILED, "ns/net");
    n.tun = open_device();
    set_address(SIOCSIFADDR, NETNS_DEVICE, local);
    set_address(SIOCSIFNETMASK, NETNS_DEVICE, "255.255.255.252");
    struct ifreq r = request(NETNS_DEVICE);
    r.ifr_mtu = mtu;
    device_call(SIOCSIFMTU, &r, "mtu");
    r = request(NETNS_DEVICE);
    r.ifr_qlen = TX_QUEUE;
    device_call(SIOCSIFTXQLEN, &r, "txqueuelen");
    bring_up(NETNS_DEVICE);
    bring_up("lo");
    add_sources();
    return n;
}

uint64_t
netns_lost(const struct netns *n)
{
    unsigned long long lost = 0;
    char line[512];
    FILE *f = setns(n->ns, CLONE_NEWNET) == 0 ? fopen("/proc/thread-self/net/dev", "re") : NULL;
    while (f && fgets(line, sizeof line, f))
        if (strstr(line, NETNS_DEVICE ":"))
            /* After the name 8 columns of receiving, then bytes, packets, errs, drop of sending. */
            sscanf(strchr(line, ':') + 1, "%*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu",
                   &lost);
    if (f)
        fclose(f);
    return lost;
}
