/* SPDX-License-Identifier: MIT */
#include "io/addr.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

static const uint8_t v4_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

void
fogi_addr_from_system(struct fog_addr *a, const struct sockaddr *sa)
{
    union sockaddr_any any;
    memset(a, 0, sizeof *a);
    if (sa->sa_family == AF_INET) {
        memcpy(&any.v4, sa, sizeof any.v4);
        memcpy(a->ip, v4_prefix, sizeof v4_prefix);
        memcpy(a->ip + 12, &any.v4.sin_addr, 4);
        a->port = ntohs(any.v4.sin_port);
    } else if (sa->sa_family == AF_INET6) {
        memcpy(&any.v6, sa, sizeof any.v6);
        memcpy(a->ip, &any.v6.sin6_addr, 16);
        a->port = ntohs(any.v6.sin6_port);
        a->scope = any.v6.sin6_scope_id;
    }
}

socklen_t
fogi_addr_to_system(const struct fog_addr *a, int family, union sockaddr_any *out)
{
    memset(out, 0, sizeof *out);
    if (family == AF_INET6) {
        out->v6.sin6_family = AF_INET6;
        memcpy(&out->v6.sin6_addr, a->ip, 16);
        out->v6.sin6_port = htons(a->port);
        out->v6.sin6_scope_id = a->scope;
        return sizeof out->v6;
    }
    if (!fogi_addr_is_v4(a))
        return 0;
    out->v4.sin_family = AF_INET;
    memcpy(&out->v4.sin_addr, a->ip + 12, 4);
    out->v4.sin_port = htons(a->port);
    return sizeof out->v4;
}

/** The number behind '%': an interface's name or its index; 0 when there is no such interface. */
static uint32_t
parse_scope(const char *text)
{
    uint32_t n = 0;
    const char *p = text;
    for (; *p >= '0' && *p <= '9' && n < 1000000; p++)
        n = n * 10 + (uint32_t)(*p - '0');
    return *text && !*p ? n : if_nametoindex(text);
}

bool
fogi_addr_parse(struct fog_addr *a, const char *host, uint16_t port)
{
    struct in_addr v4;
    char text[INET6_ADDRSTRLEN + 1];
    struct fog_addr got = {.port = port};
    if (inet_pton(AF_INET, host, &v4) == 1) {
        memcpy(got.ip, v4_prefix, sizeof v4_prefix);
        memcpy(got.ip + 12, &v4, 4);
        *a = got;
        return true;
    }
    size_t len = strcspn(host, "%");
    if (len >= sizeof text)
        return false;
    memcpy(text, host, len);
    text[len] = 0;
    if (inet_pton(AF_INET6, text, got.ip) != 1)
        return false;
    if (host[len] && !(got.scope = parse_scope(host + len + 1)))
        return false;
    *a = got;
    return true;
}

const char *
fogi_addr_text(const struct fog_addr *a, char buf[ADDR_TEXT_MAX])
{
    char ip[INET6_ADDRSTRLEN] = "?";
    if (fogi_addr_is_v4(a)) {
        inet_ntop(AF_INET, a->ip + 12, ip, sizeof ip);
        snprintf(buf, ADDR_TEXT_MAX, "%s:%u", ip, a->port);
        return buf;
    }
    inet_ntop(AF_INET6, a->ip, ip, sizeof ip);
    if (a->scope)
        snprintf(buf, ADDR_TEXT_MAX, "[%s%%%u]:%u", ip, a->scope, a->port);
    else
        snprintf(buf, ADDR_TEXT_MAX, "[%s]:%u", ip, a->port);
    return buf;
}

bool
fogi_addr_is_v4(const struct fog_addr *a)
{
    return !memcmp(a->ip, v4_prefix, sizeof v4_prefix);
}

bool
fogi_addr_is_any(const struct fog_addr *a)
{
    static const uint8_t zero[16];
    return fogi_addr_is_v4(a) ? !memcmp(a->ip + 12, zero, 4) : !memcmp(a->ip, zero, 16);
}

bool
fogi_addr_is_loopback(const struct fog_addr *a)
{
    static const uint8_t one[16] = {[15] = 1};
    return fogi_addr_is_v4(a) ? a->ip[12] == 127 : !memcmp(a->ip, one, 16);
}

bool
fogi_addr_is_link_local(const struct fog_addr *a)
{
    return a->ip[0] == 0xfe && (a->ip[1] & 0xc0) == 0x80;
}
