/* SPDX-License-Identifier: MIT */
/*
 * sink.c - an upstream for benchmarks: takes send.php, counts, answers at once or after a set time, calls back.
 *
 * A bare HTTP/1.1 server of its own on libuv (whole request, Content-Length, keep-alive), because the thing measured must
 * not be slowed, nor flattered, by the code it is made of. Simulates no network: that is what the lab is for.
 *
 *   sink [--port N] [--latency-ms N] [--max-connections N] [--callback URL [--callback-delay-ms N]]
 *
 * Prints "port N". GET /count gives the counters, and so does the end (SIGINT, SIGTERM). --max-connections only counts
 * how often a connection beyond N was opened: the aggregator's limit, watched.
 */
#include <arpa/inet.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uv.h>

#include "base/buf.h"
#include "http/client.h"
#include "http/form.h"

enum {
    REQUEST_MAX = 16 << 20,
    REPLY_MAX = 16 << 20,
    CALLBACKS_AT_ONCE = 128,
    CALLBACKS_MAX = 4000000 /* waiting; above it they are dropped and counted */
};

struct conn {
    uv_tcp_t tcp;
    struct buf in, out;
    bool is_closing;
    unsigned waiting; /* replies in the queue that name this connection */
};

struct reply { /* one that is not due yet; all wait equally long, so the queue is in order */
    struct reply *next;
    struct conn *conn;
    uint64_t due_ms;
    size_t len;
    char text[];
};

struct callback {
    struct callback *next;
    uint64_t due_ms;
    char body[];
};

static uv_loop_t *loop;
static struct http_client *client;
static uint64_t latency_ms, callback_delay_ms;
static const char *callback_url;
static unsigned max_connections;

static uv_timer_t reply_timer, callback_timer;
static struct reply *replies, **replies_tail = &replies;
static struct callback *callbacks, **callbacks_tail = &callbacks;
static size_t callbacks_waiting;

static struct {
    uint64_t requests, messages, callbacks_ok, callbacks_failed, callbacks_dropped, violations;
    unsigned open, most_open, in_work, most_in_work;
} count;

/* ---- connections ---- */

static void conn_free(struct conn *c)
{
    buf_finish(&c->in);
    buf_finish(&c->out);
    free(c);
}

static void on_closed(uv_handle_t *handle)
{
    struct conn *c = handle->data;

    c->is_closing = true;
    if (c->waiting == 0)
        conn_free(c);
}

static void conn_close(struct conn *c)
{
    if (uv_is_closing((uv_handle_t *)&c->tcp))
        return;
    count.open--;
    uv_close((uv_handle_t *)&c->tcp, on_closed);
}

struct write {
    uv_write_t req;
    char bytes[];
};

static void on_written(uv_write_t *req, int status)
{
    UNUSED(status);
    free(req->data);
}

/* One system call for all replies of one turn. */
static void flush(struct conn *c)
{
    uv_buf_t b = uv_buf_init(c->out.data, (unsigned)c->out.len);
    struct write *rest;
    int n;

    if (c->out.len == 0 || uv_is_closing((uv_handle_t *)&c->tcp))
        return;
    n = uv_try_write((uv_stream_t *)&c->tcp, &b, 1);
    if (n < 0 && n != UV_EAGAIN) {
        conn_close(c);
        return;
    }
    if (n > 0)
        buf_shift(&c->out, (size_t)n);
    if (c->out.len == 0)
        return;
    rest = malloc(sizeof *rest + c->out.len);
    if (rest == NULL) {
        conn_close(c);
        return;
    }
    memcpy(rest->bytes, c->out.data, c->out.len);
    rest->req.data = rest;
    b = uv_buf_init(rest->bytes, (unsigned)c->out.len);
    buf_clear(&c->out);
    if (uv_write(&rest->req, (uv_stream_t *)&c->tcp, &b, 1, on_written) != 0)
        free(rest);
}

/* ---- callbacks ---- */

static void send_callbacks(void);

static void on_callback_done(void *owner, uint64_t cookie, const struct http_reply_in *reply)
{
    UNUSED(owner);
    UNUSED(cookie);
    if (reply->outcome == HTTP_ANSWERED && reply->status / 100 == 2)
        count.callbacks_ok++;
    else
        count.callbacks_failed++;
    send_callbacks();
}

static void on_callback_timer(uv_timer_t *timer)
{
    UNUSED(timer);
    send_callbacks();
}

static void send_callbacks(void)
{
    uint64_t now = uv_now(loop);
    struct callback *c;

    while ((c = callbacks) != NULL && c->due_ms <= now) {
        struct http_request_out request = { .method = "POST", .url = callback_url, .body = c->body };

        request.body_len = strlen(c->body);
        if (http_client_send(client, &request, on_callback_done, NULL, 0) != 0)
            return; /* all connections busy: the next answer comes back here */
        callbacks = c->next;
        if (callbacks == NULL)
            callbacks_tail = &callbacks;
        callbacks_waiting--;
        free(c);
    }
    if (c != NULL)
        uv_timer_start(&callback_timer, on_callback_timer, c->due_ms - now, 0);
}

static void add_callback(const char *id, const char *phone, size_t phone_len)
{
    struct buf body;
    struct callback *c;
    char now[24];

    if (callbacks_waiting >= CALLBACKS_MAX) {
        count.callbacks_dropped++;
        return;
    }
    buf_init(&body, 1024);
    snprintf(now, sizeof now, "%lld", (long long)time(NULL));
    http_form_add(&body, "id", id, strlen(id));
    http_form_add(&body, "phone", phone, phone_len);
    http_form_add(&body, "status", "1", 1);
    http_form_add(&body, "ts", now, strlen(now));
    http_form_add(&body, "type", "0", 1);
    http_form_add(&body, "cnt", "1", 1);
    c = malloc(sizeof *c + body.len + 1);
    if (c != NULL) {
        c->next = NULL;
        c->due_ms = uv_now(loop) + callback_delay_ms;
        memcpy(c->body, buf_text(&body), body.len + 1);
        *callbacks_tail = c;
        callbacks_tail = &c->next;
        callbacks_waiting++;
        if (callbacks == c)
            uv_timer_start(&callback_timer, on_callback_timer, callback_delay_ms, 0);
    }
    buf_finish(&body);
}

/* ---- replies ---- */

/* One message: a line of list= or a number of phones=. */
static void take_message(struct buf *lines, const char *id, const char *phone, size_t len)
{
    count.messages++;
    if (len > 0 && *phone == '+') {
        phone++;
        len--;
    }
    buf_adds(lines, lines->len > 0 ? ",{\"phone\":" : "{\"phone\":");
    buf_add_json(lines, phone, len);
    buf_adds(lines, ",\"mccmnc\":\"25001\",\"cost\":\"1\"}");
    if (callback_url != NULL)
        add_callback(id, phone, len);
}

static void take_list(struct buf *lines, const char *id, const char *at)
{
    while (*at != '\0') {
        size_t line = strcspn(at, "\n"), colon = strcspn(at, ":\n");
        const char *bar = memchr(at, '|', colon);

        if (bar != NULL) { /* a sender of the line's own */
            colon -= (size_t)(bar + 1 - at);
            line -= (size_t)(bar + 1 - at);
            at = bar + 1;
        }
        take_message(lines, id, at, colon);
        at += line;
        if (*at == '\n')
            at++;
    }
}

static void take_phones(struct buf *lines, const char *id, const char *at)
{
    while (*at != '\0') {
        size_t len = strcspn(at, ",;");

        take_message(lines, id, at, len);
        at += len;
        if (*at != '\0')
            at++;
    }
}

static void answer_send(const char *body, size_t len, struct buf *out)
{
    static struct buf lines;
    struct http_params params;
    const char *id, *list;
    uint64_t before = count.messages;

    if (lines.max == 0)
        buf_init(&lines, REPLY_MAX);
    buf_clear(&lines);
    http_params_init(&params);
    if (http_params_read_form(&params, body, len) != 0)
        exit(1); /* too many parameters or no memory: the benchmark is void */
    id = http_params_get(&params, "id");
    id = id == NULL ? "1" : id;
    list = http_params_get(&params, "list");
    if (list != NULL)
        take_list(&lines, id, list);
    else if (http_params_get(&params, "phones") != NULL)
        take_phones(&lines, id, http_params_get(&params, "phones"));
    buf_adds(out, "{\"id\":");
    buf_add_json(out, id, strlen(id));
    buf_addf(out, ",\"cnt\":%llu,\"cost\":\"%llu\",\"balance\":\"1000\"", (unsigned long long)(count.messages - before),
             (unsigned long long)(count.messages - before));
    if (http_params_get(&params, "op") != NULL) {
        buf_adds(out, ",\"phones\":[");
        buf_add(out, lines.data, lines.len);
        buf_addc(out, ']');
    }
    buf_addc(out, '}');
    http_params_finish(&params);
}

static void write_counts(struct buf *out)
{
    buf_addf(out,
             "{\"requests\":%llu,\"messages\":%llu,\"connections_open\":%u,\"connections_most\":%u,"
             "\"in_flight_most\":%u,\"violations\":%llu,\"callbacks_ok\":%llu,\"callbacks_failed\":%llu,"
             "\"callbacks_waiting\":%zu,\"callbacks_dropped\":%llu}\n",
             (unsigned long long)count.requests, (unsigned long long)count.messages, count.open, count.most_open,
             count.most_in_work, (unsigned long long)count.violations, (unsigned long long)count.callbacks_ok,
             (unsigned long long)count.callbacks_failed, callbacks_waiting,
             (unsigned long long)count.callbacks_dropped);
}

static void on_reply_timer(uv_timer_t *timer)
{
    uint64_t now = uv_now(loop);
    struct reply *r;

    UNUSED(timer);
    while ((r = replies) != NULL && r->due_ms <= now) {
        struct conn *c = r->conn;

        replies = r->next;
        if (replies == NULL)
            replies_tail = &replies;
        count.in_work--;
        c->waiting--;
        if (c->is_closing) {
            if (c->waiting == 0)
                conn_free(c);
        } else {
            buf_add(&c->out, r->text, r->len);
            flush(c);
        }
        free(r);
    }
    if (r != NULL)
        uv_timer_start(&reply_timer, on_reply_timer, r->due_ms - now, 0);
}

static void answer(struct conn *c, const struct buf *body, bool is_late)
{
    struct reply *r;
    char head[128];
    int n = snprintf(head, sizeof head,
                     "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n", body->len);
    size_t head_len = (size_t)n;

    if (!is_late || latency_ms == 0) {
        buf_add(&c->out, head, head_len);
        buf_add(&c->out, body->data, body->len);
        return;
    }
    r = malloc(sizeof *r + head_len + body->len);
    if (r == NULL)
        exit(1);
    r->next = NULL;
    r->conn = c;
    r->due_ms = uv_now(loop) + latency_ms;
    r->len = head_len + body->len;
    memcpy(r->text, head, head_len);
    memcpy(r->text + head_len, body->data, body->len);
    c->waiting++;
    count.in_work++;
    if (count.in_work > count.most_in_work)
        count.most_in_work = count.in_work;
    *replies_tail = r;
    replies_tail = &r->next;
    if (replies == r)
        uv_timer_start(&reply_timer, on_reply_timer, latency_ms, 0);
}

/* ---- requests ---- */

/* Handles one whole request at the front of `c->in` from `from` on. Returns its length, 0 when it is not whole. */
static size_t take_request(struct conn *c, size_t from)
{
    static struct buf body;
    const char *head = c->in.data + from;
    size_t have = c->in.len - from;
    const char *end = have == 0 ? NULL : memmem(head, have, "\r\n\r\n", 4);
    const char *length;
    size_t body_len = 0, head_len;

    if (end == NULL)
        return 0;
    length = strcasestr(head, "\r\nContent-Length:");
    if (length != NULL && length < end)
        body_len = strtoul(length + 17, NULL, 10);
    head_len = (size_t)(end + 4 - head);
    if (have < head_len + body_len)
        return 0;
    if (body.max == 0)
        buf_init(&body, REPLY_MAX);
    buf_clear(&body);
    if (strncmp(head, "GET /count", 10) == 0) {
        write_counts(&body);
        answer(c, &body, false);
    } else {
        count.requests++;
        answer_send(end + 4, body_len, &body);
        answer(c, &body, true);
    }
    return head_len + body_len;
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
    struct conn *c = stream->data;
    size_t done = 0, one;

    if (n < 0) {
        conn_close(c);
        return;
    }
    buf_add(&c->in, b->base, (size_t)n);
    if (c->in.failed) {
        conn_close(c);
        return;
    }
    while ((one = take_request(c, done)) > 0)
        done += one;
    if (done == c->in.len)
        buf_clear(&c->in);
    else
        buf_shift(&c->in, done);
    flush(c);
}

static void on_connection(uv_stream_t *stream, int status)
{
    struct conn *c = status == 0 ? calloc(1, sizeof *c) : NULL;

    if (c == NULL)
        return;
    buf_init(&c->in, REQUEST_MAX);
    buf_init(&c->out, REPLY_MAX);
    uv_tcp_init(loop, &c->tcp);
    c->tcp.data = c;
    count.open++;
    if (count.open > count.most_open)
        count.most_open = count.open;
    if (max_connections > 0 && count.open > max_connections)
        count.violations++;
    if (uv_accept(stream, (uv_stream_t *)&c->tcp) != 0) {
        conn_close(c);
        return;
    }
    uv_tcp_nodelay(&c->tcp, 1);
    uv_read_start((uv_stream_t *)&c->tcp, give_memory, on_read);
}

/* ---- start and end ---- */

static void on_signal(uv_signal_t *handle, int number)
{
    struct buf out;

    UNUSED(handle);
    UNUSED(number);
    buf_init(&out, 4096);
    write_counts(&out);
    fputs(buf_text(&out), stdout);
    exit(0);
}

static unsigned long number_or_die(const char *text)
{
    char *end;
    unsigned long v = strtoul(text, &end, 10);

    if (*text < '0' || *text > '9' || *end != '\0' || v > 86400000) {
        fprintf(stderr, "sink: \"%s\" is not a number\n", text);
        exit(2);
    }
    return v;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "port", required_argument, NULL, 'p' },
        { "latency-ms", required_argument, NULL, 'l' },
        { "callback", required_argument, NULL, 'c' },
        { "callback-delay-ms", required_argument, NULL, 'd' },
        { "max-connections", required_argument, NULL, 'm' },
        { NULL, 0, NULL, 0 },
    };
    static uv_tcp_t listener;
    static uv_signal_t interrupted, terminated;
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int len = sizeof address, option, err;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'p':
            address.sin_port = htons((uint16_t)number_or_die(optarg));
            break;
        case 'l':
            latency_ms = number_or_die(optarg);
            break;
        case 'c':
            callback_url = optarg;
            break;
        case 'd':
            callback_delay_ms = number_or_die(optarg);
            break;
        case 'm':
            max_connections = (unsigned)number_or_die(optarg);
            break;
        default:
            return 2;
        }
    }
    loop = uv_default_loop();
    uv_timer_init(loop, &reply_timer);
    uv_timer_init(loop, &callback_timer);
    err = http_client_create(loop, &(struct http_client_opts){ .max_inflight = CALLBACKS_AT_ONCE }, &client);
    if (err != 0) {
        fprintf(stderr, "sink: %s\n", err_text(err));
        return 1;
    }
    uv_tcp_init(loop, &listener);
    err = uv_tcp_bind(&listener, (struct sockaddr *)&address, 0);
    if (err == 0)
        err = uv_listen((uv_stream_t *)&listener, 1024, on_connection);
    if (err == 0)
        err = uv_tcp_getsockname(&listener, (struct sockaddr *)&address, &len);
    if (err != 0) {
        fprintf(stderr, "sink: cannot listen: %s\n", uv_strerror(err));
        return 1;
    }
    uv_signal_init(loop, &interrupted);
    uv_signal_start(&interrupted, on_signal, SIGINT);
    uv_signal_init(loop, &terminated);
    uv_signal_start(&terminated, on_signal, SIGTERM);
    printf("port %u\n", ntohs(address.sin_port));
    fflush(stdout);
    return uv_run(loop, UV_RUN_DEFAULT);
}
