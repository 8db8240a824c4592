/* SPDX-License-Identifier: MIT */
#include "app/tls_sessions.h"

#include <stdlib.h>
#include <string.h>

struct kept {
    struct list link;
    unsigned char *bytes; /* of the session           */
    int len;
    size_t name_at; /* of text: where the name begins */
    char text[];    /* server, 0, name, 0             */
};

static const char *
text_of(const char *name)
{
    return name ? name : "";
}

static struct kept *
find(const struct tls_sessions *s, const char *server, const char *name)
{
    for (struct list *i = s->all.next; i != &s->all; i = i->next) {
        struct kept *k = list_entry(i, struct kept, link);
        if (!strcmp(k->text, server) && !strcmp(k->text + k->name_at, text_of(name)))
            return k;
    }
    return NULL;
}

static void
drop(struct tls_sessions *s, struct kept *k)
{
    list_unlink(&k->link);
    s->n--;
    OPENSSL_clear_free(k->bytes, (size_t)k->len);
    free(k);
}

static struct kept *
new_kept(const char *server, const char *name)
{
    size_t server_len = strlen(server) + 1, name_len = strlen(text_of(name)) + 1;
    struct kept *k = malloc(sizeof *k + server_len + name_len);
    if (!k)
        return NULL;
    list_init(&k->link);
    k->bytes = NULL;
    k->name_at = server_len;
    memcpy(k->text, server, server_len);
    memcpy(k->text + server_len, text_of(name), name_len);
    return k;
}

void
fogi_tls_sessions_init(struct tls_sessions *s)
{
    list_init(&s->all);
    s->n = 0;
}

void
fogi_tls_sessions_put(struct tls_sessions *s, const char *server, const char *name,
                      SSL_SESSION *one)
{
    struct kept *old = find(s, server, name), *k = new_kept(server, name);
    if (!k)
        return;
    k->len = i2d_SSL_SESSION(one, &k->bytes);
    if (k->len <= 0) {
        free(k);
        return;
    }
    if (!old && s->n == TLS_SESSIONS_MAX)
        old = list_entry(s->all.next, struct kept, link);
    if (old)
        drop(s, old);
    list_push(&s->all, &k->link);
    s->n++;
}

SSL_SESSION *
fogi_tls_sessions_get(const struct tls_sessions *s, const char *server, const char *name)
{
    const struct kept *k = find(s, server, name);
    const unsigned char *at = k ? k->bytes : NULL;
    return k ? d2i_SSL_SESSION(NULL, &at, k->len) : NULL;
}

void
fogi_tls_sessions_drop(struct tls_sessions *s, const char *server, const char *name)
{
    struct kept *k = find(s, server, name);
    if (k)
        drop(s, k);
}

void
fogi_tls_sessions_clear(struct tls_sessions *s)
{
    while (!list_is_empty(&s->all))
        drop(s, list_entry(s->all.next, struct kept, link));
}
