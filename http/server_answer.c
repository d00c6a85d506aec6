/* SPDX-License-Identifier: MIT */
/*
 * server_answer.c - answers out: at once, slowly, cut short, or as a stream of events.
 *
 * They may come from outside a run of libmicrohttpd (MHD): they only set the answer, resume the suspended connection and
 * wake the server; on_request of server.c fetches it.
 */
#include "http/server_exchange.h"

#include <assert.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

enum { STREAM_WAITING_MAX = 256 << 10, STREAM_BLOCK_BYTES = 16 << 10, SLOW_TICK_MS = 50 };

/* ---- slow on purpose (the simulator's fault) ---- */

static void on_slow_tick(uv_timer_t *timer)
{
    struct http_server *s = timer->data;

    for (struct http_exchange *x = s->exchanges.next; x != &s->exchanges; x = x->next) {
        x->slow_credit += x->is_slowed ? (uint64_t)x->slow_rate * SLOW_TICK_MS : 0;
        if (!x->is_slowed || x->slow_credit < 1000)
            continue;
        x->is_slowed = false;
        s->slowed--;
        MHD_resume_connection(x->connection);
    }
    if (s->slowed == 0)
        uv_timer_stop(&s->slow);
    http_server_wake(s);
}

void http_slow_suspend(struct http_exchange *x)
{
    struct http_server *s = x->server;

    x->is_slowed = true;
    s->slowed++;
    MHD_suspend_connection(x->connection);
    if (!uv_is_active((uv_handle_t *)&s->slow)) {
        uv_update_time(s->slow.loop);
        uv_timer_start(&s->slow, on_slow_tick, SLOW_TICK_MS, SLOW_TICK_MS);
    }
}

/* How many of `len` bytes may move now; 0: the connection has been suspended until some may. */
size_t http_slow_share(struct http_exchange *x, size_t len)
{
    size_t may = (size_t)(x->slow_credit / 1000);

    if (x->slow_rate == 0 || x->server->closing)
        return len;
    if (may > 0) {
        may = may < len ? may : len;
        x->slow_credit -= may * 1000;
        return may;
    }
    http_slow_suspend(x);
    return 0;
}

void http_slow_forget(struct http_exchange *x)
{
    x->server->slowed -= x->is_slowed;
    x->is_slowed = false;
    x->slow_rate = 0;
    x->slow_credit = 0;
}

/* ---- answers ---- */

const char *http_header(struct http_exchange *x, const char *name)
{
    return x->connection == NULL ? NULL : MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, name);
}

void http_reply_header(struct http_exchange *x, const char *name, const char *value)
{
    size_t before = x->headers.len;

    buf_add(&x->headers, name, strlen(name) + 1);
    buf_add(&x->headers, value, strlen(value) + 1);
    if (x->headers.failed)
        x->headers.len = before; /* a whole pair or none */
}

static void add_headers(struct http_exchange *x, struct MHD_Response *response, const char *content_type)
{
    const char *at = buf_text(&x->headers), *end = at + x->headers.len;

    if (content_type != NULL)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
    while (at < end) {
        const char *value = at + strlen(at) + 1;

        MHD_add_response_header(response, at, value);
        at = value + strlen(value) + 1;
    }
    if (x->server->is_quiesced || x->server->is_leaving)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
}

/* The answer is set: continue where the exchange stands. */
static void answered(struct http_exchange *x)
{
    bool was_parked = x->state == PARKED;

    x->state = ANSWERED;
    if (was_parked) {
        MHD_resume_connection(x->connection);
        http_server_wake(x->server);
    }
}

void http_reply(struct http_exchange *x, int status, const char *content_type, const void *body, size_t len)
{
    if (x->state == DROPPED) {
        http_exchange_give_back(x);
        return;
    }
    assert(x->state == HANDLING || x->state == PARKED);
    x->status = (unsigned)status;
    /* MUST_COPY does not write; its parameter is merely not const */
    x->response = MHD_create_response_from_buffer(len, (void *)(uintptr_t)body, MHD_RESPMEM_MUST_COPY);
    if (x->response != NULL)
        add_headers(x, x->response, content_type);
    answered(x);
}

static ssize_t read_slowly(void *owner, uint64_t position, char *out, size_t max)
{
    struct http_exchange *x = owner;
    size_t left = x->raw.len - (size_t)position, n = http_slow_share(x, left < max ? left : max);

    memcpy(out, x->raw.data + position, n);
    return (ssize_t)n;
}

void http_reply_slowly(struct http_exchange *x, int status, const char *content_type, const void *body, size_t len,
                       unsigned bytes_per_s)
{
    if (x->state == DROPPED || len == 0) {
        http_reply(x, status, content_type, body, len);
        return;
    }
    assert(x->state == HANDLING || x->state == PARKED);
    buf_add(&x->raw, body, len);
    x->status = (unsigned)status;
    x->slow_rate = bytes_per_s;
    if (!x->raw.failed)
        x->response = MHD_create_response_from_callback(len, STREAM_BLOCK_BYTES, read_slowly, x, NULL);
    if (x->response != NULL)
        add_headers(x, x->response, content_type);
    answered(x);
}

void http_abort(struct http_exchange *x, int status, const char *content_type, const void *body, size_t len,
                size_t after_bytes)
{
    if (x->state == DROPPED) {
        http_exchange_give_back(x);
        return;
    }
    assert(x->state == HANDLING || x->state == PARKED);
    if (after_bytes > 0) {
        buf_addf(&x->raw, "HTTP/1.1 %d %s\r\nContent-Length: %zu\r\n", status,
                 MHD_get_reason_phrase_for((unsigned)status), len);
        if (content_type != NULL)
            buf_addf(&x->raw, "Content-Type: %s\r\n", content_type);
        buf_adds(&x->raw, "\r\n");
        buf_add(&x->raw, body, len);
        if (x->raw.len > after_bytes)
            x->raw.len = after_bytes;
    }
    x->is_aborted = true;
    answered(x);
}

/* ---- streams ---- */

static ssize_t read_stream(void *owner, uint64_t position, char *out, size_t max)
{
    struct http_stream *stream = owner;
    size_t len = stream->out.len < max ? stream->out.len : max;

    UNUSED(position);
    if (len == 0 && stream->is_closing)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (len == 0) {
        stream->is_suspended = true; /* before the call: MHD would ask again and again */
        MHD_suspend_connection(stream->exchange->connection);
        return 0;
    }
    memcpy(out, stream->out.data, len);
    buf_shift(&stream->out, len);
    return (ssize_t)len;
}

static void wake_stream(struct http_stream *stream)
{
    if (!stream->is_suspended)
        return;
    stream->is_suspended = false;
    MHD_resume_connection(stream->exchange->connection);
    http_server_wake(stream->exchange->server);
}

int http_stream_open(struct http_exchange *x, void (*on_closed)(void *owner), void *owner, struct http_stream **out)
{
    struct http_stream *stream;

    if (x->state != HANDLING && x->state != PARKED)
        return ERR_STATE;
    stream = calloc(1, sizeof *stream);
    if (stream == NULL)
        return ERR_NOMEM;
    buf_init(&stream->out, STREAM_WAITING_MAX);
    stream->exchange = x;
    stream->on_closed = on_closed;
    stream->owner = owner;
    x->status = MHD_HTTP_OK;
    x->response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK_BYTES, read_stream, stream, NULL);
    if (x->response == NULL) {
        free(stream);
        return ERR_NOMEM;
    }
    add_headers(x, x->response, "text/event-stream");
    MHD_add_response_header(x->response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-cache");
    MHD_set_connection_option(x->connection, MHD_CONNECTION_OPTION_TIMEOUT, 0u); /* quiet for hours is normal */
    x->stream = stream;
    answered(x);
    *out = stream;
    return 0;
}

int http_stream_send(struct http_stream *stream, const char *data, size_t len)
{
    if (stream->out.len + len > STREAM_WAITING_MAX)
        return ERR_FULL;
    buf_add(&stream->out, data, len);
    if (stream->out.failed)
        return ERR_FULL;
    wake_stream(stream);
    return 0;
}

void http_stream_close(struct http_stream *stream)
{
    struct http_exchange *x = stream->exchange;

    stream->is_closing = true;
    if (x == NULL)
        return; /* inside on_closed: on_completed frees it */
    MHD_set_connection_option(x->connection, MHD_CONNECTION_OPTION_TIMEOUT, x->server->timeout_s);
    wake_stream(stream);
}
