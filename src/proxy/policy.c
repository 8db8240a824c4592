/* SPDX-License-Identifier: MIT
 *
 * policy.c - our table, the user's, and the longest prefix.
 */
#include "proxy/policy.h"

#include <assert.h>
#include <string.h>

#define SMTP 25 /* who may send mail through us is a spammer, as a rule */

/* clang-format off */
static const struct policy_net refused4[] = {
    {{0},            8,  false, false}, /* this network                   */
    {{10},           8,  false, false}, /* private                        */
    {{100, 64},      10, false, false}, /* shared by a provider           */
    {{127},          8,  false, false}, /* loopback                       */
    {{169, 254},     16, false, false}, /* link-local, cloud metadata     */
    {{172, 16},      12, false, false}, /* private                        */
    {{192, 0, 0},    24, false, false}, /* protocol assignments           */
    {{192, 0, 2},    24, false, false}, /* documentation                  */
    {{192, 88, 99},  24, false, false}, /* 6to4 relays                    */
    {{192, 168},     16, false, false}, /* private                        */
    {{198, 18},      15, false, false}, /* benchmarks                     */
    {{198, 51, 100}, 24, false, false}, /* documentation                  */
    {{203, 0, 113},  24, false, false}, /* documentation                  */
    {{224},          4,  false, false}, /* multicast                      */
    {{240},          4,  false, false}, /* reserved, broadcast            */
};

static const struct policy_net refused6[] = {
    {{0},                               96,  true, false}, /* ::, ::1, IPv4-compatible  */
    {{[10] = 0xff, 0xff},               96,  true, false}, /* IPv4-mapped               */
    {{0x00, 0x64, 0xff, 0x9b},          96,  true, false}, /* NAT64                     */
    {{0x00, 0x64, 0xff, 0x9b, 0, 1},    48,  true, false}, /* NAT64, local              */
    {{0x01},                            64,  true, false}, /* discard                   */
    {{0x20, 0x01},                      32,  true, false}, /* Teredo                    */
    {{0x20, 0x01, 0x0d, 0xb8},          32,  true, false}, /* documentation             */
    {{0x20, 0x02},                      16,  true, false}, /* 6to4                      */
    {{0xfc},                            7,   true, false}, /* unique local              */
    {{0xfe, 0x80},                      10,  true, false}, /* link-local                */
    {{0xfe, 0xc0},                      10,  true, false}, /* site-local                */
    {{0xff},                            8,   true, false}, /* multicast                 */
};

/* Where an IPv4 address stands inside an IPv6 one: behind `bits` of prefix, at byte `at`. */
static const struct embedding {
    uint8_t prefix[12], bits, at;
} embeddings[] = {
    {{[10] = 0xff, 0xff},      96, 12}, /* mapped     */
    {{0x00, 0x64, 0xff, 0x9b}, 96, 12}, /* NAT64      */
    {{0x20, 0x02},             16, 2},  /* 6to4       */
};
/* clang-format on */

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

void
fogi_policy_init(struct policy *p)
{
    memset(p, 0, sizeof *p);
}

static bool
same_bits(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;
    if (memcmp(a, b, whole) != 0)
        return false;
    return rest == 0 || ((a[whole] ^ b[whole]) & (uint8_t)(0xff00u >> rest)) == 0;
}

/* ------------------------------------------------------------------------------ what is told */

/** Digits, without leading zeros; -1: none, or above max. */
static int
read_number(const char *s, size_t len, int max)
{
    int v = 0;
    if (len == 0 || len > 5 || (len > 1 && s[0] == '0'))
        return -1;
    for (size_t i = 0; i < len; i++) {
        if (s[i] < '0' || s[i] > '9')
            return -1;
        v = v * 10 + (s[i] - '0');
    }
    return v <= max ? v : -1;
}

/** IPv4 in IPv6's clothes becomes IPv4, unless the prefix ends before it. */
static void
undress(struct policy_net *net)
{
    const struct embedding *mapped = &embeddings[0];
    if (net->v6 && net->bits >= mapped->bits && same_bits(net->ip, mapped->prefix, mapped->bits)) {
        memmove(net->ip, net->ip + mapped->at, 4);
        memset(net->ip + 4, 0, 12);
        net->bits = (uint8_t)(net->bits - mapped->bits);
        net->v6 = false;
    }
}

static bool
is_prefix(const struct policy_net *net)
{
    unsigned size = net->v6 ? 128 : 32;
    for (unsigned i = net->bits; i < size; i++)
        if ((net->ip[i / 8] >> (7 - i % 8) & 1) != 0)
            return false;
    return true;
}

static void
from_dest(struct policy_net *net, const struct dest *d)
{
    *net = (struct policy_net){.v6 = d->kind == DEST_IP6, .bits = d->kind == DEST_IP6 ? 128 : 32};
    memcpy(net->ip, d->ip, d->kind == DEST_IP6 ? 16 : 4);
}

static int
add_port(struct policy *p, const char *text, size_t len, bool allow)
{
    int port = read_number(text + 1, len - 1, 65535);
    if (port <= 0)
        return FOG_E_FORMAT;
    if (p->n_ports == POLICY_PORTS_MAX)
        return FOG_E_LIMIT;
    p->ports[p->n_ports++] = (struct policy_port){(uint16_t)port, allow};
    return FOG_OK;
}

int
fogi_policy_add(struct policy *p, const char *text, size_t len, bool allow)
{
    struct dest d;
    struct policy_net net;
    if (len > 1 && text[0] == ':' && text[1] != ':')
        return add_port(p, text, len, allow);
    const char *slash = len > 0 ? memchr(text, '/', len) : NULL;
    size_t host_len = slash != NULL ? (size_t)(slash - text) : len;
    if (fogi_dest_host(&d, text, host_len) != FOG_OK || d.kind == DEST_NAME)
        return FOG_E_FORMAT;
    from_dest(&net, &d);
    if (slash != NULL) {
        int bits = read_number(slash + 1, len - host_len - 1, net.bits);
        if (bits < 0)
            return FOG_E_FORMAT;
        net.bits = (uint8_t)bits;
    }
    if (!is_prefix(&net))
        return FOG_E_FORMAT;
    if (p->n_nets == POLICY_NETS_MAX)
        return FOG_E_LIMIT;
    undress(&net);
    net.allow = allow;
    p->nets[p->n_nets++] = net;
    return FOG_OK;
}

void
fogi_policy_forget_own(struct policy *p)
{
    p->n_own = 0;
}

void
fogi_policy_own(struct policy *p, const struct dest *d)
{
    assert(d->kind != DEST_NAME && "own addresses are addresses");
    if (p->n_own == POLICY_OWN_MAX) {
        p->limit_own_hit++;
        return;
    }
    from_dest(&p->own[p->n_own], d);
    undress(&p->own[p->n_own]);
    p->n_own++;
}

int
fogi_policy_listens(struct policy *p, uint16_t port)
{
    if (p->n_listens == POLICY_LISTEN_MAX)
        return FOG_E_LIMIT;
    p->listens[p->n_listens++] = port;
    return FOG_OK;
}

/* --------------------------------------------------------------------------------- the check */

/** The best entry of a table so far: the longest; at the same length a later table's over an
 *  earlier one's, and within a table what refuses. */
struct best {
    int bits; /* -1: none */
    bool allow;
    enum policy_verdict why; /* when it does not */
};

static void
search(struct best *best, const struct policy_net *nets, size_t n, const struct policy_net *a,
       enum policy_verdict why)
{
    struct best here = {-1, false, why};
    for (size_t i = 0; i < n; i++) {
        bool longer = nets[i].bits > here.bits || (nets[i].bits == here.bits && !nets[i].allow);
        if (nets[i].v6 == a->v6 && longer && same_bits(nets[i].ip, a->ip, nets[i].bits)) {
            here.bits = nets[i].bits;
            here.allow = nets[i].allow;
        }
    }
    if (here.bits >= 0 && here.bits >= best->bits)
        *best = here;
}

static enum policy_verdict
check_net(const struct policy *p, const struct policy_net *a)
{
    struct best best = {-1, true, POLICY_ALLOWED};
    search(&best, a->v6 ? refused6 : refused4, a->v6 ? COUNT(refused6) : COUNT(refused4), a,
           POLICY_DENIED_RANGE);
    /* That 127.0.0.1 is ours is known already: the user may allow all of 127/8 in one line. */
    if (a->v6 || a->ip[0] != 127)
        search(&best, p->own, p->n_own, a, POLICY_DENIED_OWN);
    search(&best, p->nets, p->n_nets, a, POLICY_DENIED_USER);
    return best.allow ? POLICY_ALLOWED : best.why;
}

/** The IPv4 address inside an IPv6 one. */
static bool
embedded(const struct policy_net *a, struct policy_net *inner)
{
    for (size_t i = 0; a->v6 && i < COUNT(embeddings); i++) {
        if (same_bits(a->ip, embeddings[i].prefix, embeddings[i].bits)) {
            *inner = (struct policy_net){.bits = 32};
            memcpy(inner->ip, a->ip + embeddings[i].at, 4);
            return true;
        }
    }
    return false;
}

/** Whether connecting to it could reach this machine: its own, loopback and "any" addresses. */
static bool
is_here(const struct policy *p, const struct policy_net *a)
{
    static const uint8_t one[16] = {[15] = 1}, any[16] = {0};
    for (size_t i = 0; i < p->n_own; i++)
        if (p->own[i].v6 == a->v6 && same_bits(p->own[i].ip, a->ip, p->own[i].bits))
            return true;
    if (a->v6)
        return memcmp(a->ip, one, 16) == 0 || memcmp(a->ip, any, 16) == 0;
    return a->ip[0] == 127 || a->ip[0] == 0;
}

static bool
is_loop(const struct policy *p, const struct policy_net *a, const struct policy_net *inner,
        uint16_t port)
{
    for (size_t i = 0; i < p->n_listens; i++)
        if (p->listens[i] == port)
            return is_here(p, a) || (inner != NULL && is_here(p, inner));
    return false;
}

static bool
port_allowed(const struct policy *p, uint16_t port)
{
    bool allowed = port != SMTP, said = false;
    for (size_t i = 0; i < p->n_ports; i++) {
        if (p->ports[i].port == port) {
            allowed = said ? allowed && p->ports[i].allow : p->ports[i].allow;
            said = true;
        }
    }
    return allowed;
}

enum policy_verdict
fogi_policy_check(const struct policy *p, const struct dest *d)
{
    struct policy_net a, inner;
    assert(d->kind != DEST_NAME && "a name is resolved before it is asked about");
    from_dest(&a, d);
    bool two = embedded(&a, &inner);
    if (is_loop(p, &a, two ? &inner : NULL, d->port))
        return POLICY_DENIED_LOOP;
    enum policy_verdict v = check_net(p, &a);
    if (v != POLICY_ALLOWED)
        return v;
    if (two && check_net(p, &inner) != POLICY_ALLOWED)
        return POLICY_DENIED_EMBEDDED;
    return port_allowed(p, d->port) ? POLICY_ALLOWED : POLICY_DENIED_PORT;
}

const char *
fogi_policy_text(enum policy_verdict v)
{
    static const char *const texts[POLICY_VERDICTS] = {
        [POLICY_ALLOWED] = "allowed",
        [POLICY_DENIED_RANGE] = "a private or reserved address",
        [POLICY_DENIED_USER] = "denied by the configuration",
        [POLICY_DENIED_EMBEDDED] = "the IPv4 address inside is denied",
        [POLICY_DENIED_OWN] = "an address of this machine",
        [POLICY_DENIED_LOOP] = "a port of this process itself",
        [POLICY_DENIED_PORT] = "a port that is denied",
    };
    return (unsigned)v < POLICY_VERDICTS ? texts[v] : "?";
}
