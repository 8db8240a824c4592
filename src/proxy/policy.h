/* SPDX-License-Identifier: MIT
 *
 * policy.h - to which addresses a gateway connects on behalf of others.
 *
 * Decides after resolution, on the very address that is dialled next. Private, local, reserved and
 * own addresses are refused unless the user allows them; of several entries the longest prefix
 * wins, and at the same length the user's own over ours, refusal over permission. An IPv4 address
 * inside an IPv6 one must be allowed as well. Refuses to know names, users and sockets. Invariant:
 * a port this process listens on, at an address of this machine, is never allowed.
 */
#ifndef FOGI_POLICY_H
#define FOGI_POLICY_H

#include <foggara/error.h>

#include "proxy/dest.h"

#define POLICY_NETS_MAX 256  /* entries of the user, allow and deny together */
#define POLICY_PORTS_MAX 64  /* of these, ":PORT"                            */
#define POLICY_OWN_MAX 256   /* addresses of this machine                    */
#define POLICY_LISTEN_MAX 16 /* ports this process listens on                */

enum policy_verdict {
    POLICY_ALLOWED,
    POLICY_DENIED_RANGE,    /* a private, local or reserved address              */
    POLICY_DENIED_USER,     /* on the user's list                                */
    POLICY_DENIED_EMBEDDED, /* the IPv4 address inside is denied                 */
    POLICY_DENIED_OWN,      /* an address of this machine                        */
    POLICY_DENIED_LOOP,     /* a port this process itself listens on             */
    POLICY_DENIED_PORT,     /* port 25, or on the user's list                    */
    POLICY_VERDICTS
};

struct policy_net {
    uint8_t ip[16]; /* IPv4: the first 4     */
    uint8_t bits;   /* of the prefix         */
    bool v6, allow;
};

struct policy_port {
    uint16_t port;
    bool allow;
};

struct policy {
    struct policy_net nets[POLICY_NETS_MAX];
    struct policy_port ports[POLICY_PORTS_MAX];
    struct policy_net own[POLICY_OWN_MAX];
    uint16_t listens[POLICY_LISTEN_MAX];
    size_t n_nets, n_ports, n_own, n_listens;
    uint64_t limit_own_hit; /* addresses of this machine beyond POLICY_OWN_MAX */
};

/** Nothing but our own table: see threats 7. */
void fogi_policy_init(struct policy *p);

/**
 * Adds what the user allows or denies: ADDRESS, ADDRESS/BITS or ":PORT". An IPv4 address in IPv6's
 * clothes (::ffff:a.b.c.d) is an IPv4 address.
 *
 * Returns    FOG_E_FORMAT   none of these, or bits set behind the prefix
 *            FOG_E_LIMIT    the list is full
 */
FOG_CHECKED int fogi_policy_add(struct policy *p, const char *text, size_t len, bool allow);

/** The addresses of this machine may change while it runs: forgets those told before. */
void fogi_policy_forget_own(struct policy *p);
/** An address of this machine; d->port is not looked at. Beyond the limit it is counted only. */
void fogi_policy_own(struct policy *p, const struct dest *d);
/** A port this process listens on; FOG_E_LIMIT when there are too many. */
FOG_CHECKED int fogi_policy_listens(struct policy *p, uint16_t port);

/** Whether d, an address and no name, may be dialled. O(entries). */
enum policy_verdict fogi_policy_check(const struct policy *p, const struct dest *d);

/** One clause for the log ("a private or reserved address"). */
const char *fogi_policy_text(enum policy_verdict v);

#endif
