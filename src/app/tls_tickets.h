/* SPDX-License-Identifier: MIT
 *
 * tls_tickets.h - the keys a server seals its session tickets with.
 *
 * Decides how long a ticket is good: its key seals for an hour and opens for one hour more, then
 * it is overwritten, so that who breaks in later cannot open what was recorded before (threats
 * S14). Refuses to know certificates: whether keys outlive a reload is for their owners to say.
 * Invariant: keys are never written anywhere, and begin with the process.
 */
#ifndef FOGI_TLS_TICKETS_H
#define FOGI_TLS_TICKETS_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stdint.h>

#define TICKET_NAME 16      /* bytes in the ticket that name its key           */
#define TICKET_KEY 32       /* of AES-256, and of the HMAC                     */
#define TICKET_HOUR_S 3600u /* a key seals for so long, and opens twice as long */

struct ticket_key {
    unsigned char name[TICKET_NAME], cipher[TICKET_KEY], mac[TICKET_KEY];
    uint64_t made_s; /* 0: there is none */
};

struct tls_tickets {
    unsigned holders;
    struct ticket_key now, last;
};

/** NULL without memory. */
struct tls_tickets *fogi_tickets_new(void);
struct tls_tickets *fogi_tickets_hold(struct tls_tickets *t);
/** NULL is fine. */
void fogi_tickets_free(struct tls_tickets *t);

/** The key that seals at this moment, a fresh one where it is time; NULL: there is no chance to be
 *  had. Lent until the next call. */
const struct ticket_key *fogi_tickets_seal(struct tls_tickets *t, uint64_t now_s);

/** The key of that name, if it opens tickets still; NULL: none. */
const struct ticket_key *fogi_tickets_open(struct tls_tickets *t, uint64_t now_s,
                                           const unsigned char name[TICKET_NAME]);

#endif
