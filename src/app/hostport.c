/* SPDX-License-Identifier: MIT
 *
 * hostport.c - splits host and port, and says what is wrong with either; what a host is, dest.h
 * decides. An IPv6 address wants brackets here and may name an interface: "[fe80::1%eth0]:80".
 */
#include "app/hostport.h"

#include "proxy/dest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCOPE_MAX 15 /* bytes of an interface's name */
#define DIGITS "0123456789"
#define NAME_BYTES DIGITS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_"

static bool
is_host(const char *s, size_t len, bool bracketed)
{
    struct dest d = {0};
    return fogi_dest_host(&d, s, len) == 0 && (d.kind == DEST_IP6) == bracketed;
}

/** What stands in brackets: an IPv6 address, perhaps with "%" and the name of an interface. */
static bool
is_bracketed(const char *s, size_t len)
{
    const char *percent = memchr(s, '%', len);
    size_t scope = percent != NULL ? (size_t)(s + len - percent) - 1 : 0;
    if (percent == NULL)
        return is_host(s, len, true);
    return scope > 0 && scope <= SCOPE_MAX && strspn(percent + 1, NAME_BYTES ".") >= scope &&
           is_host(s, (size_t)(percent - s), true);
}

/** NULL for a host without brackets, else what is wrong with it. */
static const char *
check_name(const char *s, size_t len)
{
    size_t label = 0;
    if (is_host(s, len, false))
        return NULL;
    for (size_t i = 0; i < len; i++) {
        if (s[i] == '.' && label == 0)
            return "is not a host name: a part of it is empty";
        if (s[i] != '.' && strchr(NAME_BYTES, s[i]) == NULL)
            return "is not a host name";
        label = s[i] == '.' ? 0 : label + 1;
        if (label > 63)
            return "is not a host name: a part of it is longer than 63";
    }
    return "is not an IPv4 address: that is four decimal numbers, 0..255";
}

/** Splits off the host; *len without brackets, *rest behind it. */
static const char *
split(const char *text, const char **host, size_t *len, const char **rest)
{
    if (text[0] == '[') {
        const char *close = strchr(text, ']');
        if (close == NULL)
            return "has a [ without ]";
        *host = text + 1;
        *len = (size_t)(close - text) - 1;
        *rest = close + 1;
        return is_bracketed(*host, *len) ? NULL : "has no IPv6 address in its brackets";
    }
    const char *colon = strchr(text, ':');
    if (colon != NULL && strchr(colon + 1, ':') != NULL)
        return "has too many colons; an IPv6 address wants brackets, as in [::1]:80";
    *host = text;
    *len = colon != NULL ? (size_t)(colon - text) : strlen(text);
    *rest = text + *len;
    return NULL;
}

static const char *
parse_port(const char *s, uint16_t *out)
{
    size_t digits = strspn(s, DIGITS);
    unsigned long port = digits <= 5 ? strtoul(s, NULL, 10) : 0;
    if (s[0] == 0)
        return "has no port";
    if (digits > 0 && s[digits] == '-' && strspn(s, DIGITS "-") == strlen(s))
        return "names a range of ports; one port is wanted";
    if (s[digits] != 0 || s[0] == '0' || port < 1 || port > 65535)
        return "has no valid port; that is 1..65535";
    *out = (uint16_t)port;
    return NULL;
}

const char *
fogi_hostport_parse(struct hostport *out, const char *text, enum hostport_form form)
{
    struct hostport hp = {0};
    const char *host, *rest, *why;
    size_t len;

    bool bare = form == HOSTPORT_LISTEN && text[0] != 0 && strspn(text, DIGITS) == strlen(text);
    if (bare) {
        why = parse_port(text, &hp.port);
        if (why == NULL)
            *out = hp;
        return why != NULL ? "is not a port; that is 1..65535" : NULL;
    }
    why = split(text, &host, &len, &rest);
    if (why != NULL)
        return why;
    if (len > CONF_HOST_MAX)
        return "has a host longer than 255";
    if (text[0] != '[' && len > 0 && (why = check_name(host, len)) != NULL)
        return why;
    if (rest[0] != ':')
        return rest[0] == 0 ? "has no port" : "wants a colon and a port behind the ]";
    why = parse_port(rest + 1, &hp.port);
    if (why != NULL)
        return why;
    if (len == 0 && form == HOSTPORT_BOTH)
        return "has no host";
    memcpy(hp.host, host, len);
    *out = hp;
    return NULL;
}

void
fogi_hostport_text(const struct hostport *hp, char *buf, size_t cap)
{
    bool v6 = strchr(hp->host, ':') != NULL;
    snprintf(buf, cap, "%s%s%s:%u", v6 ? "[" : "", hp->host, v6 ? "]" : "", (unsigned)hp->port);
}
