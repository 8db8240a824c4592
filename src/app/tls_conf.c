/* SPDX-License-Identifier: MIT */
#include "app/tls_conf.h"

#include "app/tls_conf_int.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rand.h>
#include <openssl/x509_vfy.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define CIPHERS_12 "ECDHE+AESGCM:ECDHE+CHACHA20"
static const unsigned char http11[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};

/* ---------------------------------------------------------------------------------------- errors
 */

static bool FOG_PRINTF(2, 3) fail(char error[TLS_ERROR_MAX], const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(error, TLS_ERROR_MAX, fmt, ap);
    va_end(ap);
    ERR_clear_error();
    return false;
}

/** "cert.pem: no start line". */
static bool
fail_file(char error[TLS_ERROR_MAX], const char *file)
{
    unsigned long e = ERR_peek_error();
    if (ERR_GET_REASON(e) == X509_R_KEY_VALUES_MISMATCH && ERR_GET_LIB(e) == ERR_LIB_X509)
        return fail(error, "%s: the key does not belong to the certificate", file);
    const char *why =
        ERR_SYSTEM_ERROR(e) ? strerror(ERR_GET_REASON(e)) : ERR_reason_error_string(e);
    return fail(error, "%s: %s", file, why ? why : "not what was expected");
}

/* ----------------------------------------------------------------------------------------- files
 */

/** An encrypted key fails instead of asking on the terminal. */
static int
no_password(char *buf, int size, int rwflag, void *ctx)
{
    (void)buf;
    (void)size;
    (void)rwflag;
    (void)ctx;
    return 0;
}

/** Adds every certificate of a PEM file; the very first one of all is the server's own. */
static bool
add_certs(SSL_CTX *ctx, const char *file, bool *have_own, char error[TLS_ERROR_MAX])
{
    BIO *in = BIO_new_file(file, "r");
    unsigned n = 0;
    X509 *x = NULL;
    if (!in)
        return fail_file(error, file);
    bool good = true;
    while (good && (x = PEM_read_bio_X509(in, NULL, no_password, NULL))) {
        good =
            *have_own ? SSL_CTX_add1_chain_cert(ctx, x) == 1 : SSL_CTX_use_certificate(ctx, x) == 1;
        *have_own = true;
        X509_free(x);
        n++;
    }
    BIO_free(in);
    bool end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    if (!good || !n || !end)
        return n || !end ? fail_file(error, file) : fail(error, "%s: no certificate in it", file);
    ERR_clear_error();
    return true;
}

static bool
use_pem(SSL_CTX *ctx, const struct tls_server_files *f, char error[TLS_ERROR_MAX])
{
    bool have_own = false;
    for (unsigned i = 0; i < f->n_certs; i++)
        if (!add_certs(ctx, f->certs[i], &have_own, error))
            return false;
    SSL_CTX_set_default_passwd_cb(ctx, no_password);
    if (SSL_CTX_use_PrivateKey_file(ctx, f->key, SSL_FILETYPE_PEM) != 1)
        return fail_file(error, f->key);
    return true;
}

/** Reads a PKCS12 file; key and own may be NULL where it has none. */
static bool
read_pkcs12(const char *file, const char *password, EVP_PKEY **key, X509 **own,
            STACK_OF(X509) * *others, char error[TLS_ERROR_MAX])
{
    BIO *in = BIO_new_file(file, "rb");
    PKCS12 *p = in ? d2i_PKCS12_bio(in, NULL) : NULL;
    bool good = p && PKCS12_parse(p, password ? password : "", key, own, others) == 1;
    bool opened = in != NULL, read = p != NULL;
    PKCS12_free(p);
    BIO_free(in);
    if (good)
        return true;
    return !opened ? fail_file(error, file)
                   : fail(error, "%s: %s", file, read ? "wrong password" : "not a PKCS12 file");
}

static bool
use_pkcs12(SSL_CTX *ctx, const struct tls_server_files *f, char error[TLS_ERROR_MAX])
{
    EVP_PKEY *key = NULL;
    X509 *own = NULL;
    STACK_OF(X509) *others = NULL;
    if (!read_pkcs12(f->pkcs12, f->password, &key, &own, &others, error))
        return false;
    bool good = key && own;
    if (!good)
        fail(error, "%s: no certificate with its key in it", f->pkcs12);
    else if (SSL_CTX_use_cert_and_key(ctx, own, key, others, 1) != 1)
        good = fail_file(error, f->pkcs12);
    EVP_PKEY_free(key);
    X509_free(own);
    sk_X509_pop_free(others, X509_free);
    return good;
}

static bool
trust_pkcs12(SSL_CTX *ctx, const struct tls_client_files *f, char error[TLS_ERROR_MAX])
{
    EVP_PKEY *key = NULL;
    X509 *own = NULL;
    STACK_OF(X509) *others = NULL;
    if (!read_pkcs12(f->ca, f->password, &key, &own, &others, error))
        return false;
    X509_STORE *store = SSL_CTX_get_cert_store(ctx);
    bool good = own || sk_X509_num(others) > 0;
    if (own)
        good = X509_STORE_add_cert(store, own) == 1;
    for (int i = 0; good && i < sk_X509_num(others); i++)
        good = X509_STORE_add_cert(store, sk_X509_value(others, i)) == 1;
    EVP_PKEY_free(key);
    X509_free(own);
    sk_X509_pop_free(others, X509_free);
    return good ? true : fail(error, "%s: no certificate to trust in it", f->ca);
}

static bool
trust(SSL_CTX *ctx, const struct tls_client_files *f, char error[TLS_ERROR_MAX])
{
    SSL_CTX_set_verify(ctx, f->verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
    if (!f->verify)
        return true;
    if (!f->ca)
        return SSL_CTX_set_default_verify_paths(ctx) == 1 ||
               fail(error, "the system's certificates cannot be read");
    if (SSL_CTX_load_verify_file(ctx, f->ca) == 1)
        return true;
    ERR_clear_error();
    return trust_pkcs12(ctx, f, error);
}

/* ------------------------------------------------------------------------------------------ what
 * is spoken */

static int
choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
            unsigned in_len, void *arg)
{
    unsigned char *chosen;
    (void)ssl;
    (void)arg;
    if (SSL_select_next_proto(&chosen, out_len, http11, sizeof http11, in, in_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static int
check_name(SSL *ssl, int *alert, void *arg)
{
    const struct tls_conf *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    (void)arg;
    if (!*t->domain || !name || !strcasecmp(name, t->domain))
        return SSL_TLSEXT_ERR_OK;
    *alert = SSL_AD_UNRECOGNIZED_NAME;
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/** Seals and opens tickets: what OpenSSL calls for each. 0: no ticket, 1: this key, 2: this key,
 * and give a new ticket. */
static int
ticket_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
           EVP_MAC_CTX *mac, int seal)
{
    struct tls_conf *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    uint64_t now_s = (uint64_t)time(NULL);
    const struct ticket_key *k =
        seal ? fogi_tickets_seal(t->tickets, now_s) : fogi_tickets_open(t->tickets, now_s, name);
    if (!k)
        return 0;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)(uintptr_t)k->mac,
                                          sizeof k->mac),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){"SHA256"}, 0),
        OSSL_PARAM_construct_end()};
    if (seal) {
        memcpy(name, k->name, sizeof k->name);
        if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1)
            return -1;
    }
    if (EVP_MAC_CTX_set_params(mac, params) != 1 ||
        EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, k->cipher, iv, seal) != 1)
        return -1;
    return seal || k == &t->tickets->now ? 1 : 2;
}

static bool
use_tickets(struct tls_conf *t)
{
    t->tickets = fogi_tickets_new();
    SSL_CTX_set_timeout(t->ctx, TICKET_HOUR_S);
    return t->tickets && SSL_CTX_set_tlsext_ticket_key_evp_cb(t->ctx, ticket_key) == 1;
}

/** What both sides do alike. */
static bool
begin(struct tls_conf *t, const SSL_METHOD *method)
{
    t->ctx = SSL_CTX_new(method);
    if (!t->ctx)
        return false;
    SSL_CTX_set_app_data(t->ctx, t);
    /* Who may end how is the channel's business; OpenSSL would answer an alert. */
    SSL_CTX_set_options(t->ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                    SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(t->ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(t->ctx, SSL_SESS_CACHE_OFF);
    return SSL_CTX_set_min_proto_version(t->ctx, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_cipher_list(t->ctx, CIPHERS_12) == 1;
}

static struct tls_conf *
new_conf(const SSL_METHOD *method)
{
    struct tls_conf *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->holders = 1;
    fogi_tls_sessions_init(&t->sessions);
    if (begin(t, method))
        return t;
    fogi_tls_free(t);
    return NULL;
}

bool
fogi_tls_server(struct tls_conf **out, const struct tls_server_files *f, char error[TLS_ERROR_MAX])
{
    ERR_clear_error();
    struct tls_conf *t = new_conf(TLS_server_method());
    if (!t)
        return fail(error, "TLS cannot be set up: no memory");
    snprintf(t->domain, sizeof t->domain, "%s", f->domain ? f->domain : "");
    SSL_CTX_set_alpn_select_cb(t->ctx, choose_alpn, NULL);
    SSL_CTX_set_tlsext_servername_callback(t->ctx, check_name);
    if (!use_tickets(t))
        fail(error, "TLS cannot be set up: no memory");
    else if (f->pkcs12 ? use_pkcs12(t->ctx, f, error) : use_pem(t->ctx, f, error)) {
        *out = t;
        return true;
    }
    fogi_tls_free(t);
    return false;
}

bool
fogi_tls_client(struct tls_conf **out, const struct tls_client_files *f, char error[TLS_ERROR_MAX])
{
    ERR_clear_error();
    struct tls_conf *t = new_conf(TLS_client_method());
    if (!t)
        return fail(error, "TLS cannot be set up: no memory");
    t->verify = f->verify;
    SSL_CTX_set_session_cache_mode(t->ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    if (SSL_CTX_set_alpn_protos(t->ctx, http11, sizeof http11) == 0 && trust(t->ctx, f, error)) {
        *out = t;
        return true;
    }
    fogi_tls_free(t);
    return false;
}

void
fogi_tls_follow(struct tls_conf *t, const struct tls_conf *was)
{
    if (!t || !was || strcasecmp(t->domain, was->domain) != 0 ||
        X509_cmp(SSL_CTX_get0_certificate(t->ctx), SSL_CTX_get0_certificate(was->ctx)) != 0)
        return;
    fogi_tickets_free(t->tickets);
    t->tickets = fogi_tickets_hold(was->tickets);
}

const char *
fogi_tls_cert_text(long code)
{
    switch (code) {
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        return "its certificate is not trusted: nobody known has signed it (agent.cacerts.path?)";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return "its certificate is for another host (hostname mismatch)";
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return "its certificate has expired";
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return "its certificate is not valid yet (is a clock wrong?)";
    default:
        return X509_verify_cert_error_string(code);
    }
}

void
fogi_tls_hold(struct tls_conf *t)
{
    t->holders++;
}

void
fogi_tls_free(struct tls_conf *t)
{
    if (!t || --t->holders)
        return;
    SSL_CTX_free(t->ctx);
    fogi_tickets_free(t->tickets);
    fogi_tls_sessions_clear(&t->sessions);
    free(t);
}
