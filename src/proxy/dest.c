/* SPDX-License-Identifier: MIT
 *
 * dest.c - a host is one of: a name (labels of letters, digits, "-" and "_"), four decimal numbers
 * without leading zeros, or an IPv6 address. Whatever ends in a number must be four decimal
 * numbers: "127.1" or "0x7f.1" would mean an address to some resolvers and a name to others.
 */
#include "proxy/dest.h"

#include <assert.h>
#include <string.h>

#define LABEL_MAX 63

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/** 0..15, or -1. */
static int
hex_value(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool
is_name_byte(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
}

/** Digits without leading zeros, 0..max; at most 5 of them. */
static bool
read_small(const char *s, size_t len, unsigned max, unsigned *out)
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
read_ip4(const char *s, size_t len, uint8_t ip[4])
{
    const char *end = s + len;
    for (int part = 0; part < 4; part++) {
        const char *dot = memchr(s, '.', (size_t)(end - s));
        const char *stop = part < 3 ? dot : end;
        unsigned v;
        if (stop == NULL || !read_small(s, (size_t)(stop - s), 255, &v))
            return false;
        ip[part] = (uint8_t)v;
        s = stop + 1;
    }
    return true;
}

/** Puts the groups behind a "::" where they belong: at the end. */
static bool
spread(uint8_t ip[16], size_t len, size_t gap)
{
    uint8_t out[16] = {0};
    if (gap > len)
        return len == 16;
    if (len > 14)
        return false; /* "::" stands for one group at least */
    memcpy(out, ip, gap);
    memcpy(out + 16 - (len - gap), ip + gap, len - gap);
    memcpy(ip, out, 16);
    return true;
}

/** Groups of one to four hexadecimal digits, eight in all or "::" once; the last two may be IPv4.
 */
static bool
read_ip6(const char *s, size_t len, uint8_t ip[16])
{
    const char *end = s + len;
    size_t n = 0, gap = SIZE_MAX;
    if (len >= 2 && s[0] == ':' && s[1] == ':') {
        gap = 0;
        s += 2;
    }
    while (s < end) {
        unsigned v = 0;
        int digits = 0;
        const char *group = s;
        for (; s < end && hex_value(*s) >= 0 && digits < 5; s++, digits++)
            v = v * 16 + (unsigned)hex_value(*s);
        if (s < end && *s == '.')
            return n <= 12 && read_ip4(group, (size_t)(end - group), ip + n) &&
                   spread(ip, n + 4, gap);
        if (digits == 0 || digits > 4 || n == 16)
            return false;
        ip[n++] = (uint8_t)(v >> 8);
        ip[n++] = (uint8_t)v;
        if (s == end)
            break;
        if (*s++ != ':' || s == end)
            return false;
        if (*s != ':')
            continue;
        if (gap != SIZE_MAX)
            return false;
        gap = n;
        s++;
    }
    return spread(ip, n, gap);
}

/** True for the last label of "1.2.3.4", "127.1" or "0x7f.0x1". */
static bool
looks_like_number(const char *s, size_t len)
{
    bool hex = len >= 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X');
    for (size_t i = hex ? 2 : 0; i < len; i++)
        if (!(hex ? hex_value(s[i]) >= 0 : is_digit(s[i])))
            return false;
    return len > 0;
}

static bool
read_name(const char *s, size_t len, char name[DEST_HOST_MAX + 1])
{
    size_t label = 0;
    if (len > DEST_HOST_MAX)
        return false;
    if (len > 0 && s[len - 1] == '.')
        len--; /* a name that is not to be completed */
    for (size_t i = 0; i < len; i++) {
        if (s[i] == '.' ? label == 0 : !is_name_byte(s[i]) || label == LABEL_MAX)
            return false;
        label = s[i] == '.' ? 0 : label + 1;
        name[i] = s[i] >= 'A' && s[i] <= 'Z' ? (char)(s[i] + 'a' - 'A') : s[i];
    }
    if (label == 0 || looks_like_number(s + len - label, label))
        return false;
    name[len] = 0;
    return true;
}

int
fogi_dest_host(struct dest *d, const char *text, size_t len)
{
    struct dest out = {.port = d->port};
    bool brackets = len >= 2 && text[0] == '[' && text[len - 1] == ']';
    if (brackets) {
        text++;
        len -= 2;
    }
    if (read_ip6(text, len, out.ip))
        out.kind = DEST_IP6;
    else if (!brackets && read_ip4(text, len, out.ip))
        out.kind = DEST_IP4;
    else if (!brackets && read_name(text, len, out.name))
        out.kind = DEST_NAME;
    else
        return FOG_E_FORMAT;
    if (out.kind != DEST_NAME)
        memset(out.name, 0, sizeof out.name);
    if (out.kind != DEST_IP6)
        memset(out.ip + (out.kind == DEST_IP4 ? 4 : 0), 0, out.kind == DEST_IP4 ? 12 : 16);
    *d = out;
    return 0;
}

int
fogi_dest_authority(struct dest *d, const char *text, size_t len, uint16_t default_port)
{
    struct dest out = {.port = default_port};
    unsigned port = default_port;
    size_t host = len;
    bool brackets = len > 0 && text[0] == '[';
    const char *from = brackets ? memchr(text, ']', len) : text;
    const char *colon = from ? memchr(from, ':', (size_t)(text + len - from)) : NULL;
    if (!from)
        return FOG_E_FORMAT;
    if (colon) {
        host = (size_t)(colon - text);
        if (!read_small(colon + 1, len - host - 1, 65535, &port))
            return FOG_E_FORMAT;
    }
    if (port == 0 || fogi_dest_host(&out, text, host))
        return FOG_E_FORMAT;
    out.port = (uint16_t)port;
    *d = out;
    return 0;
}

/* ------------------------------------------------------------------------------------------ text
 */

static size_t
put_number(char *out, unsigned v)
{
    size_t n = v >= 10 ? put_number(out, v / 10) : 0;
    out[n] = (char)('0' + v % 10);
    return n + 1;
}

static size_t
put_hex(char *out, unsigned v)
{
    size_t n = v >= 16 ? put_hex(out, v / 16) : 0;
    out[n] = "0123456789abcdef"[v % 16];
    return n + 1;
}

static size_t
put_ip4(char *out, const uint8_t ip[4])
{
    size_t n = 0;
    for (int i = 0; i < 4; i++) {
        if (i)
            out[n++] = '.';
        n += put_number(out + n, ip[i]);
    }
    return n;
}

/** As RFC 5952 wants it: lower case, "::" for the first longest run of two or more zero groups. */
static size_t
put_ip6(char *out, const uint8_t ip[16])
{
    int best = 8, longest = 1;
    size_t n = 0;
    for (int i = 0, run = 0; i < 8; i++) {
        run = ip[2 * i] || ip[2 * i + 1] ? 0 : run + 1;
        if (run > longest) {
            longest = run;
            best = i + 1 - run;
        }
    }
    for (int i = 0; i < 8; i++) {
        if (i == best) {
            memcpy(out + n, "::", 2);
            n += 2;
            i += longest - 1;
            continue;
        }
        if (i && i != best + longest)
            out[n++] = ':';
        n += put_hex(out + n, (unsigned)ip[2 * i] << 8 | ip[2 * i + 1]);
    }
    return n;
}

size_t
fogi_dest_text(const struct dest *d, char buf[DEST_TEXT_MAX])
{
    size_t n = 0;
    if (d->kind == DEST_NAME) {
        n = strlen(d->name);
        memcpy(buf, d->name, n);
    } else if (d->kind == DEST_IP4) {
        n = put_ip4(buf, d->ip);
    } else {
        buf[n++] = '[';
        n += put_ip6(buf + n, d->ip);
        buf[n++] = ']';
    }
    buf[n++] = ':';
    n += put_number(buf + n, d->port);
    assert(n < DEST_TEXT_MAX && "a host of 255 bytes, brackets, a colon and a port fit");
    buf[n] = 0;
    return n;
}

bool
fogi_dest_same(const struct dest *a, const struct dest *b)
{
    return a->kind == b->kind && a->port == b->port && memcmp(a->ip, b->ip, sizeof a->ip) == 0 &&
           strcmp(a->name, b->name) == 0;
}
