/* SPDX-License-Identifier: MIT */
/* raw_server.c - a TCP server for tests that does to an HTTP client exactly what it is told. */
#include "tests/support/raw_server.h"

#include <assert.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct write {
    uv_write_t req;
    char bytes[];
};

static void on_closed(uv_handle_t *handle)
{
    struct raw_conn *conn = handle->data;

    buf_finish(&conn->in);
    free(conn);
}

/* True once for each connection; the memory goes later. */
static bool leave(struct raw_conn *conn)
{
    struct raw_conn **at = &conn->server->conns;

    if (conn->closing)
        return false;
    conn->closing = true;
    conn->server->open--;
    while (*at != conn)
        at = &(*at)->next;
    *at = conn->next;
    return true;
}

void raw_close(struct raw_conn *conn)
{
    if (leave(conn))
        uv_close((uv_handle_t *)&conn->tcp, on_closed);
}

void raw_reset(struct raw_conn *conn)
{
    if (leave(conn))
        uv_tcp_close_reset(&conn->tcp, on_closed);
}

void raw_close_all(struct raw_server *s)
{
    while (s->conns != NULL)
        raw_close(s->conns);
}

static void on_written(uv_write_t *req, int status)
{
    UNUSED(status);
    free(req->data);
}

void raw_write(struct raw_conn *conn, const char *bytes, size_t len)
{
    struct write *w = malloc(sizeof *w + len);
    uv_buf_t b;

    assert(w != NULL && !conn->closing);
    memcpy(w->bytes, bytes, len);
    w->req.data = w;
    b = uv_buf_init(w->bytes, (unsigned)len);
    if (uv_write(&w->req, (uv_stream_t *)&conn->tcp, &b, 1, on_written) != 0)
        free(w);
}

void raw_answer(struct raw_conn *conn, const char *body)
{
    char text[4096];
    int n = snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(body), body);

    assert(n > 0 && (size_t)n < sizeof text);
    raw_write(conn, text, (size_t)n);
}

static void give_memory(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    static char chunk[65536];

    UNUSED(handle);
    UNUSED(suggested);
    *out = uv_buf_init(chunk, sizeof chunk);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *b)
{
    struct raw_conn *conn = stream->data;

    if (n < 0) {
        raw_close(conn);
        return;
    }
    buf_add(&conn->in, b->base, (size_t)n);
    while (!conn->closing) {
        char *head = conn->in.data;
        char *end = head == NULL ? NULL : strstr(head, "\r\n\r\n");
        const char *length = head == NULL ? NULL : strcasestr(head, "\r\nContent-Length:");
        size_t body_len, whole;

        if (end == NULL)
            return;
        body_len = length != NULL && length < end ? strtoul(length + 17, NULL, 10) : 0;
        whole = (size_t)(end + 4 - head) + body_len;
        if (conn->in.len < whole)
            return;
        end[2] = '\0';
        conn->requests++;
        conn->server->requests++;
        conn->server->on_request(conn, head, end + 4, body_len);
        buf_shift(&conn->in, whole);
    }
}

static void on_connection(uv_stream_t *stream, int status)
{
    struct raw_server *s = stream->data;
    struct raw_conn *conn = calloc(1, sizeof *conn);
    int err;

    assert(status == 0 && conn != NULL);
    conn->server = s;
    buf_init(&conn->in, 64 << 20);
    uv_tcp_init(stream->loop, &conn->tcp);
    conn->tcp.data = conn;
    conn->next = s->conns;
    s->conns = conn;
    s->connections++;
    s->open++;
    err = uv_accept(stream, (uv_stream_t *)&conn->tcp);
    assert(err == 0);
    uv_tcp_nodelay(&conn->tcp, 1);
    uv_read_start((uv_stream_t *)&conn->tcp, give_memory, on_read);
}

void raw_server_start(struct raw_server *s, uv_loop_t *loop, raw_request_fn *on_request)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int len = sizeof address;
    int err;

    memset(s, 0, sizeof *s);
    s->on_request = on_request;
    uv_tcp_init(loop, &s->tcp);
    s->tcp.data = s;
    err = uv_tcp_bind(&s->tcp, (struct sockaddr *)&address, 0);
    assert(err == 0);
    err = uv_listen((uv_stream_t *)&s->tcp, 256, on_connection);
    assert(err == 0);
    err = uv_tcp_getsockname(&s->tcp, (struct sockaddr *)&address, &len);
    assert(err == 0);
    s->port = ntohs(address.sin_port);
}

void raw_server_stop(struct raw_server *s)
{
    raw_close_all(s);
    if (!uv_is_closing((uv_handle_t *)&s->tcp))
        uv_close((uv_handle_t *)&s->tcp, NULL);
}
