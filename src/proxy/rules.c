/* SPDX-License-Identifier: MIT
 *
 * rules.c - one set of texts, and few of everything else.
 */
#include "proxy/rules.h"

#include "proxy/patterns.h"

#include <string.h>

#define TEXT_MAX 48 /* an IPv6 address in full, and its end */

struct rules {
    struct mem *m;
    struct patterns suffixes;
    struct regex *regexes[RULES_REGEX_MAX];
    struct abp *abps[RULES_ABP_MAX];
    uint32_t n_regexes, n_abps, n_ports;
    uint8_t ports[65536 / 8]; /* a bit for each */
};

static void
say(struct rules_fault *fault, size_t at, const char *text)
{
    size_t len = strlen(text);
    fault->at = at;
    memcpy(fault->text, text, len < sizeof fault->text ? len + 1 : sizeof fault->text);
    fault->text[sizeof fault->text - 1] = 0;
}

struct rules *
fogi_rules_new(struct mem *m, uint32_t salt)
{
    struct rules *r = mem_get(m, sizeof *r);
    if (r == NULL)
        return NULL;
    memset(r, 0, sizeof *r);
    r->m = m;
    fogi_patterns_init(&r->suffixes, m, salt);
    return r;
}

void
fogi_rules_free(struct rules *r)
{
    if (r == NULL)
        return;
    for (uint32_t i = 0; i < r->n_regexes; i++)
        fogi_regex_free(r->regexes[i]);
    for (uint32_t i = 0; i < r->n_abps; i++)
        fogi_abp_free(r->abps[i]);
    fogi_patterns_free(&r->suffixes);
    mem_put(r->m, r, sizeof *r);
}

enum rule_kind
fogi_rules_kind(const char *text, size_t len)
{
    if (len >= 1 && text[0] == ':' && !(len >= 2 && text[1] == ':')) /* "::1" is an address */
        return RULE_PORT;
    if (len >= 2 && text[0] == '/' && text[len - 1] == '/')
        return RULE_REGEX;
    struct dest d;
    bool brackets = len >= 2 && text[0] == '[' && text[len - 1] == ']';
    return brackets && fogi_dest_host(&d, text, len) != FOG_OK ? RULE_FILE : RULE_SUFFIX;
}

/* -------------------------------------------------------------------------------- adding rules */

static int
add_port(struct rules *r, const char *text, size_t len, struct rules_fault *fault)
{
    uint32_t port = 0;
    for (size_t i = 1; i < len; i++) {
        if (text[i] < '0' || text[i] > '9' || len > 6) {
            say(fault, i, "a port is wanted behind the colon: 1..65535");
            return FOG_E_FORMAT;
        }
        port = port * 10 + (uint32_t)(text[i] - '0');
    }
    if (port == 0 || port > 65535) {
        say(fault, 1, "a port is wanted behind the colon: 1..65535");
        return FOG_E_FORMAT;
    }
    r->n_ports += (r->ports[port / 8] >> (port % 8) & 1) == 0;
    r->ports[port / 8] |= (uint8_t)(1u << (port % 8));
    return FOG_OK;
}

static int
add_regex(struct rules *r, const char *text, size_t len, struct rules_fault *fault)
{
    struct regex_fault why;
    if (r->n_regexes == RULES_REGEX_MAX) {
        say(fault, 0, "too many regular expressions in one list; join some with \"|\"");
        return FOG_E_LIMIT;
    }
    int rc = fogi_regex_new(&r->regexes[r->n_regexes], r->m, text + 1, len - 2, &why);
    if (rc == FOG_E_FORMAT)
        say(fault, why.at + 1, why.text);
    if (rc == FOG_OK)
        r->n_regexes++;
    return rc;
}

/** An address as text, without brackets and port. */
static size_t
address_text(const struct dest *d, char out[DEST_TEXT_MAX])
{
    struct dest with_port = *d;
    with_port.port = 1;
    size_t len = fogi_dest_text(&with_port, out) - 2; /* ":1" */
    if (d->kind == DEST_IP6) {
        len -= 2;
        memmove(out, out + 1, len);
    }
    out[len] = 0;
    return len;
}

static int
add_suffix(struct rules *r, const char *text, size_t len, struct rules_fault *fault)
{
    struct dest d;
    char address[DEST_TEXT_MAX];
    if (len == 0 || len > PATTERN_LEN_MAX) {
        say(fault, 0, "a rule has 1 to 255 letters");
        return FOG_E_FORMAT;
    }
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] <= ' ' || text[i] == 0x7f) {
            say(fault, i, "a blank or control byte in a rule");
            return FOG_E_FORMAT;
        }
    }
    if (fogi_dest_host(&d, text, len) == FOG_OK && d.kind == DEST_IP6) {
        len = address_text(&d, address);
        text = address;
    }
    if (r->suffixes.n == RULES_MAX) {
        say(fault, 0, "too many rules in one list");
        return FOG_E_LIMIT;
    }
    return fogi_patterns_add(&r->suffixes, PATTERN_SUFFIX, text, len, r->suffixes.n);
}

int
fogi_rules_add(struct rules *r, const char *text, size_t len, struct rules_fault *fault)
{
    say(fault, 0, "");
    switch (fogi_rules_kind(text, len)) {
    case RULE_PORT:
        return add_port(r, text, len, fault);
    case RULE_REGEX:
        return add_regex(r, text, len, fault);
    case RULE_FILE:
        return FOG_E_USAGE;
    case RULE_SUFFIX:
        break;
    }
    return add_suffix(r, text, len, fault);
}

int
fogi_rules_add_abp(struct rules *r, struct abp *a)
{
    if (r->n_abps == RULES_ABP_MAX) {
        fogi_abp_free(a);
        return FOG_E_LIMIT;
    }
    r->abps[r->n_abps++] = a;
    return FOG_OK;
}

uint32_t
fogi_rules_n(const struct rules *r)
{
    return r->suffixes.n + r->n_regexes + r->n_abps + r->n_ports;
}

/* ------------------------------------------------------------------------------------ matching */

static bool
fits_text(struct rules *r, const char *host, size_t len)
{
    if (fogi_patterns_first(&r->suffixes, host, len) != PATTERN_NONE)
        return true;
    for (uint32_t i = 0; i < r->n_abps; i++)
        if (fogi_abp_lists(r->abps[i], host, len))
            return true;
    for (uint32_t i = 0; i < r->n_regexes; i++)
        if (fogi_regex_fits(r->regexes[i], host, len))
            return true;
    return false;
}

/** vproxy's text of an IPv6 address: eight groups, none left out. */
static size_t
full_ip6(const uint8_t ip[16], char out[TEXT_MAX])
{
    static const char hex[] = "0123456789abcdef";
    size_t len = 0;
    for (size_t i = 0; i < 16; i += 2) {
        unsigned group = (unsigned)ip[i] << 8 | ip[i + 1];
        bool begun = false;
        for (int shift = 12; shift >= 0; shift -= 4) {
            begun = begun || group >> shift != 0 || shift == 0;
            if (begun)
                out[len++] = hex[group >> shift & 15];
        }
        if (i < 14)
            out[len++] = ':';
    }
    return len;
}

bool
fogi_rules_fit(struct rules *r, const struct dest *d)
{
    char text[DEST_TEXT_MAX], full[TEXT_MAX];
    if (r == NULL)
        return false;
    if ((r->ports[d->port / 8] >> (d->port % 8) & 1) != 0)
        return true;
    if (d->kind == DEST_NAME)
        return fits_text(r, d->name, strlen(d->name));
    if (fits_text(r, text, address_text(d, text)))
        return true;
    return d->kind == DEST_IP6 && fits_text(r, full, full_ip6(d->ip, full));
}

size_t
fogi_route_pick(const struct route *routes, size_t n, const struct dest *d)
{
    for (size_t i = 0; i < n; i++)
        if (fogi_rules_fit(routes[i].no_proxy, d))
            return ROUTE_DIRECT;
    for (size_t i = 0; i < n; i++)
        if (fogi_rules_fit(routes[i].domains, d))
            return i;
    return ROUTE_DIRECT;
}
