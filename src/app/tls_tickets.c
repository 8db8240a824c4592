/* SPDX-License-Identifier: MIT */
#include "app/tls_tickets.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

static void
wipe(struct ticket_key *k)
{
    OPENSSL_cleanse(k, sizeof *k);
}

/** Whether k was made within the last so many hours; a clock that was set back ends it. */
static bool
is_young(const struct ticket_key *k, uint64_t now_s, unsigned hours)
{
    return k->made_s && now_s >= k->made_s && now_s - k->made_s < hours * TICKET_HOUR_S;
}

/** What opens no ticket any more goes. */
static void
age(struct tls_tickets *t, uint64_t now_s)
{
    if (!is_young(&t->last, now_s, 2))
        wipe(&t->last);
    if (!t->now.made_s || is_young(&t->now, now_s, 1))
        return;
    t->last = t->now;
    wipe(&t->now);
    if (!is_young(&t->last, now_s, 2))
        wipe(&t->last);
}

struct tls_tickets *
fogi_tickets_new(void)
{
    struct tls_tickets *t = calloc(1, sizeof *t);
    if (t)
        t->holders = 1;
    return t;
}

struct tls_tickets *
fogi_tickets_hold(struct tls_tickets *t)
{
    t->holders++;
    return t;
}

void
fogi_tickets_free(struct tls_tickets *t)
{
    if (!t || --t->holders)
        return;
    wipe(&t->now);
    wipe(&t->last);
    free(t);
}

const struct ticket_key *
fogi_tickets_seal(struct tls_tickets *t, uint64_t now_s)
{
    struct ticket_key *k = &t->now;
    age(t, now_s);
    if (k->made_s)
        return k;
    if (RAND_bytes(k->name, sizeof k->name) != 1 || RAND_bytes(k->cipher, sizeof k->cipher) != 1 ||
        RAND_bytes(k->mac, sizeof k->mac) != 1) {
        wipe(k);
        return NULL;
    }
    k->made_s = now_s;
    return k;
}

const struct ticket_key *
fogi_tickets_open(struct tls_tickets *t, uint64_t now_s, const unsigned char name[TICKET_NAME])
{
    const struct ticket_key *both[] = {&t->now, &t->last};
    age(t, now_s);
    for (size_t i = 0; i < sizeof both / sizeof *both; i++)
        if (both[i]->made_s && !memcmp(both[i]->name, name, TICKET_NAME))
            return both[i];
    return NULL;
}
