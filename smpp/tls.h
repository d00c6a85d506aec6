/*
 * tls.h - TLS over memory, so that whoever moves the bytes needs to know no OpenSSL.
 *
 * A context holds certificates and is shared by the connections made from it; replacing a context leaves those alone.
 * A connection takes ciphertext in and gives plaintext out, and the other way round; it owns no socket. TLS 1.2 and up.
 */
#ifndef SMPP_TLS_H
#define SMPP_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct smpp_tls_context;
struct smpp_tls;

enum { SMPP_TLS_WHY = 256 };

/* With `client_ca_file` a client certificate is required and verified. Returns 0 or ERR_CONFIG with a sentence. */
int smpp_tls_server_context(const char *certificate_file, const char *key_file, const char *client_ca_file,
                            char why[SMPP_TLS_WHY], struct smpp_tls_context **out) MUST_CHECK;
/* Without `ca_file` the server's certificate is not verified. `certificate_file` is what it is shown when it
 * asks for one, NULL: none; `key_file` NULL: the key stands in the same file. */
int smpp_tls_client_context(const char *ca_file, const char *certificate_file, const char *key_file,
                            char why[SMPP_TLS_WHY], struct smpp_tls_context **out) MUST_CHECK;
/* Connections made from it live on. NULL is welcome. */
void smpp_tls_context_destroy(struct smpp_tls_context *context);

/* One connection. `host`: for a client, the name verified and announced; NULL for a server. NULL when out of memory. */
struct smpp_tls *smpp_tls_create(struct smpp_tls_context *context, const char *host);
void smpp_tls_destroy(struct smpp_tls *tls);
/* Bytes from the network. Returns 0 or ERR_NOMEM. */
int smpp_tls_feed(struct smpp_tls *tls, const uint8_t *in, size_t len) MUST_CHECK;
/* Goes on with the handshake when there is one. Returns bytes written to `out`, 0 when all has been read, ERR_GONE after
 * the peer's close_notify, ERR_IO when the peer does not speak TLS or broke it. */
int smpp_tls_read(struct smpp_tls *tls, void *out, size_t size) MUST_CHECK;
/* The handshake is over. */
bool smpp_tls_is_ready(const struct smpp_tls *tls);
/* Encrypts all of it, in one call. Only when ready. Returns 0 or ERR_IO. */
int smpp_tls_write(struct smpp_tls *tls, const void *in, size_t len) MUST_CHECK;
/* Queues close_notify. */
void smpp_tls_shutdown(struct smpp_tls *tls);
/* Appends the bytes for the network to `out`. */
void smpp_tls_take(struct smpp_tls *tls, struct buf *out);

#endif
