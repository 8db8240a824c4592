/* SPDX-License-Identifier: MIT */
#include "app/channel_tls.h"

#include "app/tls_conf_int.h"
#include "app/tls_pipe.h"
#include "io/addr.h"

#include <assert.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

#define BLOCK 16384 /* the most a record carries */

struct tls {
    struct channel ch;
    struct process *p;
    struct tls_pipe pipe;
    struct tls_conf *conf;
    SSL *ssl;
    uint8_t *block; /* what was decrypted and not consumed; NULL: nothing                       */
    size_t head, tail;
    enum tls_peer peer;
    bool eof;            /* the peer has ended in its way                                      */
    bool finished, told; /* an end is wanted; what TLS has to say of it was written            */
    bool offered;        /* a session that was kept                                            */
    bool counted;        /* the handshake is done                                              */
    bool http;           /* what came instead of a handshake is HTTP                           */
    char *server, *name; /* its session is kept under; NULL: it is not                         */
    size_t key_len;      /* bytes of both, which stand together                                */
};

static const struct channel_ops tls_ops;

static struct tls *
tls_of(struct channel *c)
{
    assert(c->ops == &tls_ops && "the caller knows what it asks");
    return (struct tls *)(void *)c;
}

/* ---------------------------------------------------------------------------------------- errors
 */

static void
broke(struct tls *t, int ret)
{
    int e = SSL_get_error(t->ssl, ret);
    if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE)
        return;
    unsigned long code = ERR_peek_error();
    const char *why = t->pipe.below->why ? t->pipe.below->why : ERR_reason_error_string(code);
    long cert = SSL_get_verify_result(t->ssl);
    if (!t->pipe.below->why && ERR_GET_REASON(code) == SSL_R_CERTIFICATE_VERIFY_FAILED)
        why = fogi_tls_cert_text(cert);
    t->http = ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) == SSL_R_HTTP_REQUEST;
    ERR_clear_error();
    channel_break(&t->ch, why ? why : "the TLS connection broke");
}

/* -------------------------------------------------------------------------------------- sessions
 */

/** OpenSSL has got a session from the server, after the handshake or, in 1.3, at any time. */
static int
on_session(SSL *ssl, SSL_SESSION *one)
{
    struct tls *t = SSL_get_app_data(ssl);
    if (t->server)
        fogi_tls_sessions_put(&t->conf->sessions, t->server, t->name, one);
    return 0; /* it stays OpenSSL's */
}

/** Remembers for whom, and takes up the last session. False without memory. */
static bool
take_up(struct tls *t, const char *server, const char *name)
{
    size_t server_len = strlen(server) + 1, name_len = name ? strlen(name) + 1 : 0;
    t->key_len = server_len + name_len;
    t->server = t->p->al.alloc(t->p->al.ctx, t->key_len);
    if (!t->server)
        return false;
    memcpy(t->server, server, server_len);
    t->name = name ? memcpy(t->server + server_len, name, name_len) : NULL;
    SSL_SESSION *one = fogi_tls_sessions_get(&t->conf->sessions, server, name);
    t->offered = one && SSL_set_session(t->ssl, one) == 1;
    SSL_SESSION_free(one);
    ERR_clear_error();
    return true;
}

/** One that did not lead to a connection is not offered again: it may be why. */
static void
forget_session(struct tls *t)
{
    if (t->offered && !t->counted)
        fogi_tls_sessions_drop(&t->conf->sessions, t->server, t->name);
    if (t->server)
        t->p->al.free(t->p->al.ctx, t->server, t->key_len);
}

/** Counts the handshake, once it is done. */
static void
count(struct tls *t)
{
    if (t->counted || !SSL_is_init_finished(t->ssl))
        return;
    t->counted = true;
    t->p->n.tls_handshakes++;
    t->p->n.tls_resumed += SSL_session_reused(t->ssl) == 1;
}

/* --------------------------------------------------------------------------------------- reading
 */

static void
drop_block(struct tls *t)
{
    if (t->block)
        t->p->al.free(t->p->al.ctx, t->block, BLOCK);
    t->block = NULL;
    t->head = t->tail = 0;
}

/** Whether a record has begun that is not complete. */
static bool
is_within_record(const SSL *ssl)
{
    return SSL_has_pending(ssl) || !strcmp(SSL_rstate_string(ssl), "RB");
}

/** Nothing more comes; whether that is an end depends on who ends how. */
static void
ended(struct tls *t)
{
    if (t->pipe.cut &&
        (!SSL_is_init_finished(t->ssl) || t->peer == TLS_PEER_FOGGARA || is_within_record(t->ssl)))
        channel_break(&t->ch, "TLS was cut off");
    else
        t->eof = true;
}

/** Decrypts what came, up to one block. */
static void
fill(struct tls *t)
{
    if (!t->block)
        t->block = t->p->al.alloc(t->p->al.ctx, BLOCK);
    if (!t->block) {
        channel_break(&t->ch, "no memory");
        return;
    }
    while (t->tail < BLOCK) {
        size_t n;
        ERR_clear_error();
        int ret = SSL_read_ex(t->ssl, t->block + t->tail, BLOCK - t->tail, &n);
        if (ret <= 0) {
            if (SSL_get_error(t->ssl, ret) == SSL_ERROR_ZERO_RETURN)
                ended(t);
            else
                broke(t, ret);
            break;
        }
        t->tail += n;
    }
    count(t);
    if (!t->tail)
        drop_block(t);
}

static int
tls_peek(struct channel *c, const void **at, size_t *len, bool *eof)
{
    struct tls *t = tls_of(c);
    if (t->head == t->tail && !t->eof && !c->why && SSL_is_init_finished(t->ssl))
        fill(t);
    *len = t->tail - t->head;
    *at = t->block ? t->block + t->head : NULL;
    *eof = t->eof;
    return c->why && !*len ? FOG_E_RESET : 0;
}

static void
tls_consume(struct channel *c, size_t len)
{
    struct tls *t = tls_of(c);
    assert(len <= t->tail - t->head && "no more than was lent");
    t->head += len;
    if (t->head == t->tail)
        drop_block(t);
}

/* --------------------------------------------------------------------------------------- writing
 */

/** True when nothing waits any more. */
static bool
push(struct tls *t)
{
    int pushed = fogi_tls_pipe_push(&t->pipe);
    if (pushed < 0)
        channel_break(&t->ch,
                      t->pipe.below->why ? t->pipe.below->why : "the connection below has ended");
    return pushed > 0;
}

/** Tells the end, once all before it is on its way. */
static void
tell_end(struct tls *t)
{
    if (!t->finished || t->told || t->ch.why || !push(t))
        return;
    if (!SSL_is_init_finished(t->ssl))
        return; /* not before there is something to end */
    if (t->peer == TLS_PEER_VPROXY) {
        SSL_set_shutdown(t->ssl, SSL_get_shutdown(t->ssl) | SSL_SENT_SHUTDOWN);
    } else {
        ERR_clear_error();
        int ret = SSL_shutdown(t->ssl);
        if (ret < 0)
            broke(t, ret);
    }
    t->told = true;
}

/** Below may be ended once close_notify has gone there. */
static void
end_below(struct tls *t)
{
    if (!t->told || t->ch.why || !push(t))
        return;
    if (channel_finish(t->pipe.below))
        channel_break(&t->ch, t->pipe.below->why);
}

static int
tls_write(struct channel *c, const void *bytes, size_t len, size_t *taken)
{
    struct tls *t = tls_of(c);
    *taken = 0;
    if (c->why)
        return FOG_E_RESET;
    if (t->finished)
        return FOG_E_FINISHED;
    while (*taken < len && push(t)) {
        size_t n;
        ERR_clear_error();
        int ret = SSL_write_ex(t->ssl, (const uint8_t *)bytes + *taken, len - *taken, &n);
        if (ret <= 0) {
            broke(t, ret);
            break;
        }
        *taken += n;
    }
    return c->why && !*taken ? FOG_E_RESET : 0;
}

static int
tls_finish(struct channel *c)
{
    struct tls *t = tls_of(c);
    if (c->why)
        return FOG_E_RESET;
    t->finished = true;
    tell_end(t);
    end_below(t);
    return c->why ? FOG_E_RESET : 0;
}

static bool
tls_is_sent(const struct channel *c)
{
    const struct tls *t = (const struct tls *)(const void *)c;
    return tls_pipe_is_empty(&t->pipe) && t->finished == t->told && channel_is_sent(t->pipe.below);
}

/* ------------------------------------------------------------------------------ coming and going
 */

/** Whether there is something to shake hands about: a server that has heard nothing would only take
 *  buffers, which thousands of silent ones would make it do. */
static bool
has_reason(struct tls *t)
{
    const void *at;
    size_t n;
    bool eof;
    return !SSL_is_server(t->ssl) || channel_peek(t->pipe.below, &at, &n, &eof) || n || eof;
}

static void
on_below(void *ctx)
{
    struct tls *t = ctx;
    if (t->pipe.below->why)
        channel_break(&t->ch, t->pipe.below->why);
    if (!SSL_is_init_finished(t->ssl) && !t->ch.why && has_reason(t)) {
        ERR_clear_error();
        int ret = SSL_do_handshake(t->ssl);
        if (ret <= 0)
            broke(t, ret);
        count(t);
    }
    if (!t->ch.why)
        push(t);
    tell_end(t);
    end_below(t);
    channel_notify(&t->ch);
}

/** Frees t; gives what was below. */
static struct channel *
strip(struct tls *t)
{
    struct process *p = t->p;
    struct channel *below = t->pipe.below;
    drop_block(t);
    fogi_tls_pipe_clear(&t->pipe);
    forget_session(t);
    if (t->counted) /* to be cut off says nothing against its session */
        SSL_set_shutdown(t->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(t->ssl);
    fogi_tls_free(t->conf);
    p->al.free(p->al.ctx, t, sizeof *t);
    return below;
}

static void
tls_end(struct channel *c, bool reset)
{
    struct channel *below = strip(tls_of(c));
    if (reset)
        fogi_channel_reset(below);
    else
        fogi_channel_close(below);
}

struct channel *
fogi_channel_tls_strip(struct channel *c)
{
    c->changed = NULL;
    pump_cancel(&c->pump);
    return strip(tls_of(c));
}

static const struct channel_ops tls_ops = {.kind = "tls",
                                           .peek = tls_peek,
                                           .consume = tls_consume,
                                           .write = tls_write,
                                           .finish = tls_finish,
                                           .is_sent = tls_is_sent,
                                           .end = tls_end};

static SSL *
new_ssl(struct tls *t, SSL_CTX *ctx)
{
    SSL *ssl = SSL_new(ctx);
    BIO *bio = ssl ? fogi_tls_pipe_bio(&t->pipe) : NULL;
    if (!bio) {
        SSL_free(ssl);
        return NULL;
    }
    SSL_set_app_data(ssl, t);
    SSL_set_bio(ssl, bio, bio);
    return ssl;
}

static struct tls *
new_tls(struct process *p, struct channel *below, struct tls_conf *conf)
{
    struct tls *t = p->al.alloc(p->al.ctx, sizeof *t);
    if (!t) {
        fogi_channel_reset(below);
        return NULL;
    }
    memset(t, 0, sizeof *t);
    fogi_channel_init(&t->ch, &tls_ops, below->loop);
    t->p = p;
    fogi_tls_pipe_init(&t->pipe, below, &p->al);
    t->conf = conf;
    fogi_tls_hold(conf);
    t->ssl = new_ssl(t, conf->ctx);
    if (!t->ssl) {
        tls_end(&t->ch, true);
        return NULL;
    }
    fogi_channel_own(below, on_below, t); /* begins with the next look */
    return t;
}

struct channel *
fogi_channel_tls_accept(struct process *p, struct channel *below, struct tls_conf *conf)
{
    struct tls *t = new_tls(p, below, conf);
    if (!t)
        return NULL;
    SSL_set_accept_state(t->ssl);
    return &t->ch;
}

/** An address is looked for among the certificate's addresses and is no SNI (RFC 6066). */
static bool
expect(SSL *ssl, const char *name, bool verify)
{
    struct fog_addr addr;
    if (fogi_addr_parse(&addr, name, 0))
        return !verify || X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set_tlsext_host_name(ssl, name) == 1 && (!verify || SSL_set1_host(ssl, name) == 1);
}

struct channel *
fogi_channel_tls_connect(struct process *p, struct channel *below, struct tls_conf *conf,
                         const char *name, const char *server)
{
    struct tls *t = new_tls(p, below, conf);
    if (!t)
        return NULL;
    SSL_set_connect_state(t->ssl);
    SSL_CTX_sess_set_new_cb(conf->ctx, on_session);
    if ((!name || expect(t->ssl, name, conf->verify)) && (!server || take_up(t, server, name)))
        return &t->ch;
    fogi_channel_reset(&t->ch);
    return NULL;
}

bool
fogi_channel_tls_is_ready(const struct channel *c)
{
    return SSL_is_init_finished(((const struct tls *)(const void *)c)->ssl);
}

void
fogi_channel_tls_peer(struct channel *c, enum tls_peer peer)
{
    struct tls *t = tls_of(c);
    t->peer = peer;
    if (t->eof && t->pipe.cut && peer == TLS_PEER_FOGGARA) {
        t->eof = false; /* it had come before it was known whose it is */
        ended(t);
    }
}

bool
fogi_channel_tls_met_http(const struct channel *c)
{
    return ((const struct tls *)(const void *)c)->http;
}
