/* SPDX-License-Identifier: MIT
 *
 * agent_conf.h - what the user of an agent asked for, checked and in one struct.
 *
 * Decides names, ranges, defaults, and what can be had together. Reads vproxy's agent file in both
 * its forms and our own JSON, which has the same keys; what such a file names and the agent does
 * not do is said in one note and has no effect. Refuses to know sockets and tunnels. Invariant:
 * what came out with 0 is complete: there is a listener, a group, and a server in every group;
 * every rule is compiled; DEFAULT is the last group.
 */
#ifndef FOGI_AGENT_CONF_H
#define FOGI_AGENT_CONF_H

#include "app/settings.h"
#include "proxy/auth.h"
#include "proxy/rules.h"

#define AGENT_GROUPS_MAX 64
#define AGENT_SERVERS_MAX 256 /* of one group  */
#define AGENT_NAME_MAX 64     /* bytes of a group's name */
#define AGENT_USERS_MAX 1024
#define AGENT_RULES_BUDGET (256u * 1024 * 1024) /* bytes that all rules may take */

/** A server: "websocks://", "websockss://", "websocks:kcp://" or "websockss:kcp://". */
struct agent_server {
    struct hostport at;
    bool tls, kcp;
    bool by_address; /* at.host is an address, not a name */
    uint32_t weight; /* 1..1000, default 10 */
    const char *url; /* as it was written, without the weight */
};

struct agent_group {
    const char *name;
    struct agent_server *servers;
    size_t n_servers;
};

struct agent_conf {
    /* listeners; port 0: none; host "" on all addresses */
    struct hostport socks5, http, mixed, pac;
    struct auth_login *users; /* of these listeners; none: no password is asked for   */
    size_t n_users;
    bool gateway;    /* listeners without a host are on all addresses, not on loopback */
    bool open_proxy; /* such a listener without users is what the user wants           */

    struct auth_login auth;  /* at the servers */
    bool strict;             /* each step of the handshake waits for its answer           */
    uint32_t pool;           /* connections kept ready for each group, 0..1000. Default 10 */
    bool hc;                 /* servers are checked. Default true                         */
    bool verify;             /* their certificates are. Default true                      */
    const char *ca_file;     /* PEM or PKCS12; NULL: the system's                           */
    const char *ca_password; /* of a PKCS12 file; NULL: none                                */

    struct conf tunnel; /* fast, up, mtu, status, log and so on; listen and remote not in use  */

    struct agent_group *groups;
    struct route *routes; /* of the same groups, for fogi_route_pick() */
    size_t n_groups;

    struct store store; /* owns all of the above  */
    struct mem mem;     /* of the rules           */
    struct budget budget;
    struct fog_alloc alloc;
};

extern const struct settings_role fogi_agent_role;

/**
 * Reads defaults, then the file, then the flags.
 *
 * Gives      *out, to be freed with fogi_agent_conf_free(); NULL on failure.
 * Returns    EXIT_OK, EXIT_USAGE (a flag), EXIT_NOINPUT (no file), EXIT_CONFIG (the file)
 */
FOG_CHECKED int fogi_agent_conf_load(struct agent_conf **out, const struct setting_request *rq,
                                     struct conf_report *rep);

/** The same with the file already in memory; text NULL: no file. */
FOG_CHECKED int fogi_agent_conf_parse(struct agent_conf **out, const struct setting_request *rq,
                                      const char *text, size_t len, struct conf_report *rep);

/** Whether any of its servers has TLS; where none has, it says nothing of whom to trust. */
bool fogi_agent_conf_has_tls(const struct agent_conf *c);

/** NULL is fine. */
void fogi_agent_conf_free(struct agent_conf *c);

/** Whose file this probably is: by keys that only one role has. What is none reads as a tunnel's.
 */
enum conf_role { ROLE_TUNNEL, ROLE_AGENT, ROLE_GATEWAY };
enum conf_role fogi_conf_role(const char *text, size_t len);

#endif
