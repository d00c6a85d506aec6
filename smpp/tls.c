/* SPDX-License-Identifier: MIT */
/*
 * tls.c - OpenSSL behind memory BIOs; the only file of this room that knows it.
 *
 * One record per flush is what makes TLS affordable, so everything queued is encrypted by one call. OpenSSL's own
 * reference counts keep a replaced context alive for the connections made from it.
 */
#include "smpp/tls.h"

#include <arpa/inet.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#define ERR_STATE openssl_err_state /* a type of theirs, an error code of ours */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#undef ERR_STATE

struct smpp_tls_context {
    SSL_CTX *ctx;
    bool verify_server;
};

struct smpp_tls {
    SSL *ssl;
    BIO *in;  /* from the network; owned by ssl */
    BIO *out; /* to the network; owned by ssl */
};

static int refuse(char why[SMPP_TLS_WHY], const char *what, const char *file)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    snprintf(why, SMPP_TLS_WHY, "%s %s: %s", what, file, reason == NULL ? "not usable" : reason);
    ERR_clear_error();
    return ERR_CONFIG;
}

static struct smpp_tls_context *context_create(const SSL_METHOD *method)
{
    struct smpp_tls_context *c = calloc(1, sizeof *c);

    if (c == NULL)
        return NULL;
    c->ctx = SSL_CTX_new(method);
    if (c->ctx == NULL || SSL_CTX_set_min_proto_version(c->ctx, TLS1_2_VERSION) != 1) {
        smpp_tls_context_destroy(c);
        return NULL;
    }
    /* No renegotiation: it would let a peer make us work at will. Buffers are given back by idle connections. */
    SSL_CTX_set_options(c->ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(c->ctx,
                     SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return c;
}

static int show(struct smpp_tls_context *c, const char *certificate_file, const char *key_file, char why[SMPP_TLS_WHY])
{
    if (SSL_CTX_use_certificate_chain_file(c->ctx, certificate_file) != 1)
        return refuse(why, "certificate", certificate_file);
    if (SSL_CTX_use_PrivateKey_file(c->ctx, key_file, SSL_FILETYPE_PEM) != 1)
        return refuse(why, "key", key_file);
    if (SSL_CTX_check_private_key(c->ctx) != 1)
        return refuse(why, "key does not belong to the certificate,", key_file);
    return 0;
}

int smpp_tls_server_context(const char *certificate_file, const char *key_file, const char *client_ca_file,
                            char why[SMPP_TLS_WHY], struct smpp_tls_context **out)
{
    /* Resumption is refused without one as soon as client certificates are asked for, and Java clients resume. */
    static const unsigned char session_context[] = "smpp";
    struct smpp_tls_context *c = context_create(TLS_server_method());

    if (c == NULL)
        return refuse(why, "TLS", "context");

    int rc = show(c, certificate_file, key_file, why);

    if (rc == 0 && client_ca_file != NULL && SSL_CTX_load_verify_locations(c->ctx, client_ca_file, NULL) != 1)
        rc = refuse(why, "client CA", client_ca_file);
    if (rc == 0 && client_ca_file != NULL) {
        SSL_CTX_set_client_CA_list(c->ctx, SSL_load_client_CA_file(client_ca_file));
        SSL_CTX_set_verify(c->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    }
    if (rc == 0 && SSL_CTX_set_session_id_context(c->ctx, session_context, sizeof session_context - 1) != 1)
        rc = refuse(why, "TLS", "session context");
    if (rc != 0) {
        smpp_tls_context_destroy(c);
        return rc;
    }
    SSL_CTX_set_session_cache_mode(c->ctx, SSL_SESS_CACHE_OFF);
    *out = c;
    return 0;
}

int smpp_tls_client_context(const char *ca_file, const char *certificate_file, const char *key_file,
                            char why[SMPP_TLS_WHY], struct smpp_tls_context **out)
{
    struct smpp_tls_context *c = context_create(TLS_client_method());
    int rc = 0;

    if (c == NULL)
        return refuse(why, "TLS", "context");
    if (certificate_file != NULL)
        rc = show(c, certificate_file, key_file == NULL ? certificate_file : key_file, why);
    if (rc == 0 && ca_file != NULL && SSL_CTX_load_verify_locations(c->ctx, ca_file, NULL) != 1)
        rc = refuse(why, "CA", ca_file);
    if (rc != 0) {
        smpp_tls_context_destroy(c);
        return rc;
    }
    c->verify_server = ca_file != NULL;
    if (c->verify_server)
        SSL_CTX_set_verify(c->ctx, SSL_VERIFY_PEER, NULL);
    *out = c;
    return 0;
}

void smpp_tls_context_destroy(struct smpp_tls_context *c)
{
    if (c == NULL)
        return;
    SSL_CTX_free(c->ctx);
    free(c);
}

/* The name the server's certificate must bear; an address is checked as one and is not announced. */
static bool expect_host(SSL *ssl, const char *host, bool verify)
{
    unsigned char address[16];
    bool is_address = inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;

    if (!is_address && SSL_set_tlsext_host_name(ssl, host) != 1)
        return false;
    if (!verify)
        return true;
    return is_address ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1 : SSL_set1_host(ssl, host) == 1;
}

struct smpp_tls *smpp_tls_create(struct smpp_tls_context *context, const char *host)
{
    struct smpp_tls *t = calloc(1, sizeof *t);

    if (t == NULL)
        return NULL;
    t->ssl = SSL_new(context->ctx);
    t->in = BIO_new(BIO_s_mem());
    t->out = BIO_new(BIO_s_mem());
    if (t->ssl == NULL || t->in == NULL || t->out == NULL) {
        SSL_free(t->ssl);
        BIO_free(t->in);
        BIO_free(t->out);
        free(t);
        return NULL;
    }
    SSL_set_bio(t->ssl, t->in, t->out);
    if (host == NULL) {
        SSL_set_accept_state(t->ssl);
        return t;
    }
    SSL_set_connect_state(t->ssl);
    if (!expect_host(t->ssl, host, context->verify_server)) {
        smpp_tls_destroy(t);
        return NULL;
    }
    return t;
}

void smpp_tls_destroy(struct smpp_tls *t)
{
    if (t == NULL)
        return;
    SSL_free(t->ssl);
    free(t);
}

int smpp_tls_feed(struct smpp_tls *t, const uint8_t *in, size_t len)
{
    return len <= INT_MAX && BIO_write(t->in, in, (int)len) == (int)len ? 0 : ERR_NOMEM;
}

int smpp_tls_read(struct smpp_tls *t, void *out, size_t size)
{
    ERR_clear_error(); /* SSL_get_error looks at the thread's queue, and other rooms leave things there */

    int n = SSL_read(t->ssl, out, size > INT_MAX ? INT_MAX : (int)size);

    if (n > 0)
        return n;
    switch (SSL_get_error(t->ssl, n)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return 0;
    case SSL_ERROR_ZERO_RETURN:
        return ERR_GONE;
    default:
        ERR_clear_error();
        return ERR_IO;
    }
}

bool smpp_tls_is_ready(const struct smpp_tls *t)
{
    return SSL_is_init_finished(t->ssl) == 1;
}

int smpp_tls_write(struct smpp_tls *t, const void *in, size_t len)
{
    const char *at = in;

    ERR_clear_error();
    /* A memory BIO takes everything, so this loops once per record of 16 KiB and never waits. */
    while (len > 0) {
        size_t n = 0;

        if (SSL_write_ex(t->ssl, at, len, &n) != 1 || n == 0) {
            ERR_clear_error();
            return ERR_IO;
        }
        at += n;
        len -= n;
    }
    return 0;
}

void smpp_tls_shutdown(struct smpp_tls *t)
{
    ERR_clear_error();
    if (SSL_is_init_finished(t->ssl) == 1)
        SSL_shutdown(t->ssl);
    ERR_clear_error();
}

void smpp_tls_take(struct smpp_tls *t, struct buf *out)
{
    size_t waiting = BIO_ctrl_pending(t->out);

    if (waiting == 0)
        return;

    char *to = buf_reserve(out, waiting);

    if (to == NULL)
        return; /* stays in the BIO */

    int n = BIO_read(t->out, to, (int)waiting);

    if (n > 0) {
        out->len += (size_t)n;
        out->data[out->len] = '\0';
    }
}
