/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "io/resolve.h"

#include <netdb.h>
#include <stdlib.h>
#include <string.h>

struct resolve {
    uv_getaddrinfo_t req;
    struct loop *loop;
    resolve_fn done; /* NULL: nobody waits any more */
    void *ctx;
    uint16_t port;
};

static bool
has(const struct fog_addr *addrs, unsigned n, const struct fog_addr *a)
{
    for (unsigned i = 0; i < n; i++)
        if (!memcmp(&addrs[i], a, sizeof *a))
            return true;
    return false;
}

static void
on_addresses(uv_getaddrinfo_t *req, int status, struct addrinfo *res)
{
    struct resolve *r = req->data;
    struct fog_addr addrs[RESOLVE_MAX];
    unsigned n = 0;
    for (const struct addrinfo *ai = res; ai && n < RESOLVE_MAX; ai = ai->ai_next) {
        struct fog_addr a;
        if (ai->ai_family != AF_INET && ai->ai_family != AF_INET6)
            continue;
        fogi_addr_from_system(&a, ai->ai_addr);
        a.port = r->port;
        if (!has(addrs, n, &a))
            addrs[n++] = a;
    }
    uv_freeaddrinfo(res);
    r->loop->requests--;
    if (!status && !n)
        status = UV_EAI_NODATA;
    if (r->done)
        r->done(r->ctx, status, addrs, status ? 0 : n);
    free(r);
}

int
fogi_resolve(struct resolve **out, struct loop *l, const char *host, uint16_t port, resolve_fn done,
             void *ctx)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_family = AF_UNSPEC};
    struct resolve *r = calloc(1, sizeof *r);
    if (!r)
        return UV_ENOMEM;
    *r = (struct resolve){.loop = l, .done = done, .ctx = ctx, .port = port};
    r->req.data = r;
    int err = uv_getaddrinfo(&l->uv, &r->req, on_addresses, host, NULL, &hints);
    if (err) {
        free(r);
        return err;
    }
    l->requests++;
    *out = r;
    return 0;
}

void
fogi_resolve_forget(struct resolve *r)
{
    if (!r)
        return;
    r->done = NULL;
    uv_cancel((uv_req_t *)&r->req); /* works while it only waits for a thread */
}
