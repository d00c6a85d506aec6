/*
 * server.h - requests in, on libmicrohttpd's epoll descriptor inside the libuv loop.
 *
 * The handler is called once per request when its whole (bounded) body is there, and answers at once or in a later turn,
 * as after a commit. Refused before the handler: both length forms, two lengths, NUL or bare CR in a header (400),
 * unknown or repeated transfer coding, blank in a header name (400), body over the limit (413), address outside allow_from
 * (403), head over 32 KiB (431).
 */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/err.h"

struct http_server;
struct http_exchange; /* one request and its answer; valid until http_reply */

struct http_server_opts {
    const char *address;                     /* "host:port", "[::1]:8080", port 0 = any free */
    int listen_fd;                           /* >= 0: an inherited listening socket instead of address; else -1 */
    size_t max_body_bytes;                   /* above it 413; 0 = 64 KiB */
    unsigned max_connections;                /* 0 = 1000 */
    unsigned timeout_s;                      /* of an idle or slow connection; 0 = 30 */
    const char *certificate_file, *key_file; /* both: TLS */
    const char *const *allow_from;           /* NULL-terminated list of CIDR; NULL or empty: everywhere */
    unsigned (*read_rate)(void *owner);      /* asked at each head: bytes of the body read a second, 0 no limit. The
                                                simulator's fault; NULL: never slow */
};

struct http_request_in {
    const char *method; /* "GET", "POST", ... */
    const char *path;   /* percent-decoded, without query */
    const char *query;  /* raw, without '?'; "" when absent */
    const char *body;   /* NUL-terminated */
    size_t body_len;
    const char *peer; /* "127.0.0.1:50123" */
};

/* Views in `request` live until http_reply. May call http_reply before returning. */
typedef void http_handler_fn(void *owner, struct http_exchange *exchange, const struct http_request_in *request);

/* *out_port: the port got. Returns 0, ERR_SYNTAX, ERR_IO, ERR_CONFIG (TLS files); why[256] gets a sentence. */
int http_server_create(uv_loop_t *loop, const struct http_server_opts *opts, http_handler_fn *handler, void *owner,
                       struct http_server **out, uint16_t *out_port, char why[256]) MUST_CHECK;
/* Live change of body limit and allow list. */
void http_server_configure(struct http_server *server, const struct http_server_opts *opts);
/* Stops accepting; exchanges under way may still be answered. */
void http_server_quiesce(struct http_server *server);
/* On: each answer ends its connection from now on, so that none is left idle when the server ends. */
void http_server_last_answers(struct http_server *server, bool on);
/* Connections that are open; those of a peer that only listens to a stream too. */
unsigned http_server_connections(const struct http_server *server);
/* Exchanges still open are dropped: http_reply on them afterwards is a harmless no-op until destroy's memory is freed
 * by the loop; the owner must not keep exchanges beyond that. */
void http_server_destroy(struct http_server *server);

/* A request header (case-insensitive) or NULL. */
const char *http_header(struct http_exchange *exchange, const char *name);
/* Adds a header to the answer; before http_reply. */
void http_reply_header(struct http_exchange *exchange, const char *name, const char *value);
/* Answers and ends the exchange; the body is copied. A peer that has gone meanwhile is no error. */
void http_reply(struct http_exchange *exchange, int status, const char *content_type, const void *body, size_t len);
/* The same, but no more than `bytes_per_s` of the body a second. The simulator's fault. */
void http_reply_slowly(struct http_exchange *exchange, int status, const char *content_type, const void *body,
                       size_t len, unsigned bytes_per_s);
/* Closes the connection without any answer (the simulator's faults). `after_bytes`: sends that much of the given answer
 * first (0 = nothing). */
void http_abort(struct http_exchange *exchange, int status, const char *content_type, const void *body, size_t len,
                size_t after_bytes);

/* Server-sent events: turns the exchange into a stream (200, text/event-stream; http_reply_header before it). `on_closed`
 * (may be NULL): the peer has gone or the server ends; the stream is gone after it. Not called after http_stream_close. A
 * reader that vanished is noticed at the next send, so send a comment now and then. Returns 0, ERR_NOMEM, ERR_STATE
 * (answered already, or the server was destroyed: then end the exchange with http_reply). */
struct http_stream;
int http_stream_open(struct http_exchange *exchange, void (*on_closed)(void *owner), void *owner,
                     struct http_stream **out) MUST_CHECK;
/* Queues bytes ("data: ...\n\n"). ERR_FULL when the reader is too slow (over 256 KiB waiting): close it then. */
int http_stream_send(struct http_stream *stream, const char *data, size_t len);
/* Sends what waits, then ends; a reader that does not take it is dropped after the connection time-out. */
void http_stream_close(struct http_stream *stream);

#endif
