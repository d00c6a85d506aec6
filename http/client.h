/*
 * client.h - bounded HTTP requests out, on libcurl's multi interface inside the libuv loop.
 *
 * A request is sent at most once: libcurl's own silent repeat over a dead connection is refused before each second attempt,
 * so the caller can tell "never sent" from "perhaps sent". Connections are reused. No redirect is followed.
 */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/err.h"

struct http_client;

struct http_client_opts {
    unsigned max_inflight;                   /* requests under way at once; above it ERR_FULL. 0 = 64 */
    uint64_t connect_timeout_ms, timeout_ms; /* 0 = 5 s, 30 s */
    uint64_t idle_ms;                        /* a connection idle for longer is not reused; 0 = 4 s */
    size_t max_reply_bytes;                  /* larger replies end as HTTP_UNKNOWN; 0 = 4 MiB */
    const char *proxy;                       /* "http://host:port", NULL none */
    const char *ca_file;                     /* NULL: the system's */
    bool insecure;                           /* tests only: do not verify the peer's certificate */
};

struct http_request_out {
    const char *method; /* "GET", "POST" or "DELETE" (without a body) */
    const char *url;
    const char *content_type; /* NULL: application/x-www-form-urlencoded when there is a body */
    const char *body;         /* copied */
    size_t body_len;
    uint64_t timeout_ms;        /* 0 = the client's */
    const char *const *headers; /* further ones, "Name: value", NULL at the end; NULL none */
};

enum http_outcome {
    HTTP_ANSWERED, /* whole reply received: status and body are valid */
    HTTP_NOT_SENT, /* provably nothing reached the server: name not resolved, connection or TLS handshake refused */
    HTTP_UNKNOWN   /* anything else: time-out, reset, cut reply */
};

struct http_reply_in {
    enum http_outcome outcome;
    int status;       /* only if ANSWERED */
    const char *body; /* only if ANSWERED; NUL-terminated, dies on return */
    size_t body_len;
    const char *why; /* a sentence when not ANSWERED; never NULL */
    uint64_t took_us;
};

/* Called exactly once for each http_client_send that returned 0, from the loop, never from inside it. */
typedef void http_reply_fn(void *owner, uint64_t cookie, const struct http_reply_in *reply);

int http_client_create(uv_loop_t *loop, const struct http_client_opts *opts, struct http_client **out) MUST_CHECK;
/* Live change of limits for requests to come. */
void http_client_configure(struct http_client *client, const struct http_client_opts *opts);
/* Returns 0, ERR_FULL (max_inflight), ERR_NOMEM, ERR_SYNTAX (url, method), ERR_STATE (being destroyed). */
int http_client_send(struct http_client *client, const struct http_request_out *request, http_reply_fn *on_reply,
                     void *owner, uint64_t cookie) MUST_CHECK;
unsigned http_client_inflight(const struct http_client *client);
/* Ends what is under way as HTTP_UNKNOWN (their callbacks run now), closes; freed when libuv lets go. NULL is welcome; may be
 * called from a callback. */
void http_client_destroy(struct http_client *client);

#endif
