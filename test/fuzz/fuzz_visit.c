/* SPDX-License-Identifier: MIT
 *
 * fuzz_visit.c - what a web server answers to somebody's request, and whether a login in it is one.
 * Byte 0: which answer. Bytes 1..2: the file's size. Then the request. Held: every answer is a head
 * that we read ourselves, with as many fields as we wrote; no path leaves the site or names what is
 * hidden; no range leaves the file.
 */
#include "fuzz/input.h"
#include "proxy/auth.h"
#include "proxy/head.h"
#include "proxy/site.h"

#include <assert.h>
#include <string.h>

#define NOW 1700000040 /* s since 1970 */

static struct head_text
field(const struct head *h, const char *name)
{
    struct head_text value = {0};
    if (!fogi_head_find(h, name, 0, &value))
        value = (struct head_text){0};
    return value;
}

/** Nothing that was said can have become a field of its own. */
static void
check_answer(const struct site_answer *a, size_t most_fields)
{
    struct head h;
    struct mem m;
    size_t used;
    assert(a->head_len <= SITE_HEAD_MAX);
    mem_init(&m, fog_alloc_libc());
    fogi_head_init(&h, HEAD_RESPONSE);
    assert(fogi_head_input(&h, &m, a->head, a->head_len, &used) == 0 && h.done);
    assert(h.n_fields >= 3 && h.n_fields <= most_fields);
    fogi_head_clear(&h, &m);
    assert(m.held == 0);
}

static void
check_path(const char *target, size_t len)
{
    struct site_path path;
    if (fogi_site_path(&path, target, len))
        return;
    assert(strlen(path.name) < SITE_PATH_MAX && path.name[0] != '/');
    for (const char *part = path.name; *part;) {
        size_t n = strcspn(part, "/");
        assert(n > 0 || part[n] == 0);
        assert(part[0] != '.' || (n == 11 && !memcmp(part, ".well-known", 11)));
        part += n + (part[n] == '/');
    }
    assert(strlen(fogi_site_mime(path.name)) > 3);
}

static void
answer(const struct head *h, unsigned which, uint64_t size)
{
    static struct site_answer a;
    struct head_text range = field(h, "Range"), if_range = field(h, "If-Range"),
                     since = field(h, "If-Modified-Since"), host = field(h, "Host"),
                     target = fogi_head_target(h);
    struct site_ask ask = {(which & 1) != 0, (which & 2) != 0, range.at,     if_range.at,
                           since.at,         range.len,        if_range.len, since.len};
    struct site_file f = {"text/plain", size, NOW - (int64_t)(which << 4)};
    struct dest d = {0};
    target.at = fogi_site_origin(target.at, &target.len);
    if (target.at)
        check_path(target.at, target.len);
    fogi_site_file(&a, &f, &ask, NOW);
    assert(a.from <= size && a.len <= size - a.from);
    assert(a.status == 200 || a.status == 206 || a.status == 304 || a.status == 416);
    assert(a.status != 206 || (a.len > 0 && range.at));
    check_answer(&a, 10);
    fogi_site_error(&a, 404, &ask, NOW);
    check_answer(&a, 10);
    if (target.at && host.at && !fogi_dest_authority(&d, host.at, host.len, 80)) {
        fogi_site_redirect(&a, (which & 4) != 0, &d, target.at, target.len, &ask, NOW);
        check_answer(&a, 10);
    }
}

static void
log_in(const struct head *h)
{
    static const struct auth_login logins[] = {{"joe", "sesame"}, {"ann", "open"}};
    static struct auth_user users[2];
    static struct auth auth;
    const struct auth_user *who = NULL;
    struct head_text plain = field(h, "Proxy-Authorization"), hashed = field(h, "Authorization");
    if (fogi_auth_basic(logins, 2, plain.at, plain.len))
        assert(plain.len == strlen("Basic am9lOnNlc2FtZQ==") ||
               plain.len == strlen("Basic YW5uOm9wZW4="));
    if (auth.cap == 0) {
        fogi_auth_init(&auth, users, 2);
        assert(fogi_auth_add(&auth, "alice", "pasSw0rD") == 0);
    }
    bool good = fogi_auth_check(&auth, hashed.at, hashed.len, NOW * (uint64_t)1000, &who);
    assert(good == (who != NULL));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct head h;
    struct mem m;
    size_t used;
    unsigned which = take8(&in);
    uint64_t file_size = take16(&in);
    mem_init(&m, fog_alloc_libc());
    fogi_head_init(&h, HEAD_REQUEST);
    int rc = fogi_head_input(&h, &m, in.at, in.left, &used);
    if (rc == 0 && h.done) {
        answer(&h, which, file_size);
        log_in(&h);
    }
    fogi_head_clear(&h, &m);
    assert(m.held == 0);
    return 0;
}
