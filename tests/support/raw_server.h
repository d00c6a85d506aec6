/*
 * raw_server.h - a TCP server for tests that does to an HTTP client exactly what it is told.
 *
 * Cuts each connection into whole requests (head and Content-Length body) and calls the test's script for each.
 */
#ifndef TESTS_RAW_SERVER_H
#define TESTS_RAW_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/buf.h"

struct raw_server;

struct raw_conn {
    uv_tcp_t tcp;
    struct raw_server *server;
    struct raw_conn *next;
    struct buf in;
    unsigned requests; /* whole ones received so far on this connection */
    bool closing;
};

/* `head` runs to the blank line and is NUL-terminated. */
typedef void raw_request_fn(struct raw_conn *conn, const char *head, const char *body, size_t body_len);

struct raw_server {
    uv_tcp_t tcp;
    uint16_t port;
    unsigned requests, connections, open;
    raw_request_fn *on_request;
    struct raw_conn *conns;
    void *data; /* the script's */
};

/* Listens on a free port of 127.0.0.1; asserts on failure. */
void raw_server_start(struct raw_server *s, uv_loop_t *loop, raw_request_fn *on_request);
void raw_server_stop(struct raw_server *s);
void raw_write(struct raw_conn *conn, const char *bytes, size_t len);
/* "HTTP/1.1 200 OK", Content-Length and `body`. */
void raw_answer(struct raw_conn *conn, const char *body);
void raw_close(struct raw_conn *conn);
/* With a reset instead of a FIN. */
void raw_reset(struct raw_conn *conn);
/* Closes every open connection. */
void raw_close_all(struct raw_server *s);

#endif
