/* SPDX-License-Identifier: MIT
 *
 * hostport.c - a host is one of: a name (labels of letters, digits, "-" and "_"), four decimal
 * numbers, or an IPv6 address in brackets. Whatever ends in a number must be four decimal numbers:
 * "127.1" or "0x7f.1" would mean an address to some resolvers and a name to others.
 */
#include "app/hostport.h"

#include <stdio.h>
#include <string.h>

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool
is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool
is_name_byte(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
}

/** Digits without leading zeros, 0..max; at most 5 of them. */
static bool
parse_small(const char *s, size_t len, unsigned max, unsigned *out)
{
    unsigned v = 0;
    if (len == 0 || len > 5 || (len > 1 && s[0] == '0'))
        return false;
    for (size_t i = 0; i < len; i++) {
        if (!is_digit(s[i]))
            return false;
        v = v * 10 + (unsigned)(s[i] - '0');
    }
    *out = v;
    return v <= max;
}

static bool
is_ipv4(const char *s, size_t len)
{
    const char *end = s + len;
    for (int part = 0; part < 4; part++) {
        const char *dot = memchr(s, '.', (size_t)(end - s));
        const char *stop = part < 3 ? dot : end;
        unsigned v;
        if (stop == NULL || !parse_small(s, (size_t)(stop - s), 255, &v))
            return false;
        s = stop + 1;
    }
    return true;
}

/** Groups of one to four hexadecimal digits, eight in all or "::" once; the last two may be IPv4.
 */
static bool
is_ipv6(const char *s, size_t len)
{
    const char *end = s + len;
    int groups = 0;
    bool gap = false;
    if (len >= 2 && s[0] == ':' && s[1] == ':') {
        gap = true;
        s += 2;
    }
    while (s < end) {
        size_t n = 0;
        while (s + n < end && is_hex(s[n]))
            n++;
        if (s + n < end && s[n] == '.') {
            groups += 2;
            return is_ipv4(s, (size_t)(end - s)) && (gap ? groups <= 7 : groups == 8);
        }
        if (n == 0 || n > 4)
            return false;
        groups++;
        s += n;
        if (s == end)
            break;
        if (*s++ != ':' || s == end)
            return false;
        if (*s == ':') {
            if (gap)
                return false;
            gap = true;
            s++;
        }
    }
    return gap ? groups <= 7 : groups == 8;
}

/** What stands in brackets: an IPv6 address, perhaps with "%" and the name of an interface. */
static bool
is_bracketed(const char *s, size_t len)
{
    const char *percent = memchr(s, '%', len);
    if (percent == NULL)
        return is_ipv6(s, len);
    size_t scope = (size_t)(s + len - percent) - 1;
    if (scope == 0 || scope > 15)
        return false;
    for (const char *p = percent + 1; p < s + len; p++)
        if (!is_name_byte(*p) && *p != '.')
            return false;
    return is_ipv6(s, (size_t)(percent - s));
}

/** True for the last label of "1.2.3.4", "127.1" or "0x7f.0x1". */
static bool
looks_like_number(const char *s, size_t len)
{
    bool hex = len >= 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X');
    for (size_t i = hex ? 2 : 0; i < len; i++)
        if (!(hex ? is_hex(s[i]) : is_digit(s[i])))
            return false;
    return len > 0;
}

static const char *
check_name(const char *s, size_t len)
{
    size_t label = 0, last = 0;
    if (len > 0 && s[len - 1] == '.')
        len--; /* a name that is not to be completed */
    for (size_t i = 0; i < len; i++) {
        if (s[i] == '.') {
            if (label == 0)
                return "is not a host name: a part of it is empty";
            label = 0;
            last = i + 1;
        } else if (!is_name_byte(s[i])) {
            return "is not a host name";
        } else if (++label > 63) {
            return "is not a host name: a part of it is longer than 63";
        }
    }
    if (label == 0)
        return "is not a host name: a part of it is empty";
    if (looks_like_number(s + last, len - last) && !is_ipv4(s, len))
        return "is not an IPv4 address: that is four decimal numbers, 0..255";
    return NULL;
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
    unsigned port = 0;
    if (s[0] == 0)
        return "has no port";
    if (is_digit(s[0]) && strspn(s, "0123456789-") == strlen(s) && strchr(s, '-') != NULL)
        return "names a range of ports; one port is wanted";
    if (!parse_small(s, strlen(s), 65535, &port) || port == 0)
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

    bool bare =
        form == HOSTPORT_LISTEN && text[0] != 0 && strspn(text, "0123456789") == strlen(text);
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
