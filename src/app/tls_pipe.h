/* SPDX-License-Identifier: MIT
 *
 * tls_pipe.h - a channel as what OpenSSL reads from and writes to.
 *
 * Decides that OpenSSL's writes always succeed: what the channel does not take waits here. Refuses
 * to know TLS. Invariant: nothing more is to be encrypted while something waits, so at most one
 * record does.
 */
#ifndef FOGI_TLS_PIPE_H
#define FOGI_TLS_PIPE_H

#include "app/channel.h"
#include "base/bytes.h"

#include <openssl/bio.h>

/** Embedded in a TLS channel. */
struct tls_pipe {
    struct channel *below; /* the owner's, as is its end */
    struct mem mem;
    struct bytes waiting; /* encrypted, and not taken below yet                    */
    bool cut;             /* OpenSSL was told that the channel below has ended     */
};

void fogi_tls_pipe_init(struct tls_pipe *t, struct channel *below, const struct fog_alloc *al);

/** For SSL_set_bio(), which takes it; NULL without memory. t outlives it. */
BIO *fogi_tls_pipe_bio(struct tls_pipe *t);

/** Sends what waits. 1: nothing does any more; 0: something still does; FOG_E_RESET. */
int fogi_tls_pipe_push(struct tls_pipe *t);

static inline bool
tls_pipe_is_empty(const struct tls_pipe *t)
{
    return !bytes_len(&t->waiting);
}

/** Drops what waits. */
void fogi_tls_pipe_clear(struct tls_pipe *t);

#endif
