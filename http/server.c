/* SPDX-License-Identifier: MIT */
/*
 * server.c - requests in, on libmicrohttpd's epoll descriptor inside the libuv loop.
 *
 * Leaves paths and meanings to the handler. libmicrohttpd (MHD) parses and keeps the connections; what it lets through
 * but should not is refused here before the handler sees it. Invariant: MHD_run is never entered twice, and after every
 * run its next time-out is asked for; whatever happens outside a run only marks and wakes (an exchange is suspended
 * while its answer is awaited, so answering a thousand of them costs a thousand marks and one run).
 */
#include "http/server.h"

#include <assert.h>
#include <microhttpd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/listening.h"
#include "http/server_exchange.h"
#include "http/server_head.h"

enum {
    DEFAULT_MAX_BODY_BYTES = 64 << 10,
    DEFAULT_MAX_CONNECTIONS = 1000,
    DEFAULT_TIMEOUT_S = 30,
    HEAD_BYTES_MAX = 16 << 10,   /* per connection: request line and headers; above it MHD answers 431 */
    DISCARD_BYTES_MAX = 1 << 20, /* of a chunked body over the limit, read only to be able to answer 413 */
    STARVED_MS = 200,            /* until connections that found no descriptor are looked at again */
    HURRIES_MAX = 4, /* MHD 0.9.75 says so throughout a TLS handshake: then ask each millisecond, do not spin */
    REPLY_HEADERS_MAX = 4 << 10,
    QUERY_BYTES_MAX = HEAD_BYTES_MAX,
    BUFFER_KEPT_BYTES = 64 << 10 /* a pooled buffer larger than this is given back */
};

/* ---- running MHD ---- */

static void stop_daemon(struct http_server *s);
static void on_timer(uv_timer_t *timer);
static void on_idle(uv_idle_t *idle);
static void on_ready(uv_poll_t *poll, int status, int events);

/* A run in the next turn. An idle handle, because a timer of 0 ms started in the timer phase would run in the same phase,
 * for ever if it starts itself. */
static void next_turn(struct http_server *s)
{
    s->wants_run = true;
    uv_idle_start(&s->idle, on_idle);
}

static void run(struct http_server *s)
{
    MHD_UNSIGNED_LONG_LONG wait_ms;

    assert(!s->in_run);
    s->in_run = true;
    uv_timer_stop(&s->timer);
    uv_idle_stop(&s->idle);
    s->wants_run = false; /* a wake during the run sets it anew */
    MHD_run(s->daemon);
    s->in_run = false;
    if (s->closing) {
        stop_daemon(s);
        return;
    }
    if (s->is_starved) {
        uv_poll_stop(&s->poll);
        uv_timer_start(&s->timer, on_timer, STARVED_MS, 0);
        return;
    }
    if (s->has_reopened) { /* else those who wait to be accepted would wait for somebody else's event, perhaps for ever */
        s->has_reopened = false;
        next_turn(s);
    }
    if (s->wants_run || MHD_get_timeout(s->daemon, &wait_ms) != MHD_YES)
        return;
    if (wait_ms > 0)
        uv_timer_start(&s->timer, on_timer, wait_ms, 0);
    else if (s->hurries++ < HURRIES_MAX)
        next_turn(s);
    else
        uv_timer_start(&s->timer, on_timer, 1, 0);
}

static void on_timer(uv_timer_t *timer)
{
    struct http_server *s = timer->data;

    if (s->is_starved) {
        s->is_starved = false; /* it says so again */
        uv_poll_start(&s->poll, UV_READABLE, on_ready);
    }
    run(s);
}

static void on_idle(uv_idle_t *idle)
{
    struct http_server *s = idle->data;

    uv_idle_stop(idle);
    if (s->wants_run)
        run(s);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct http_server *s = poll->data;

    UNUSED(status);
    UNUSED(events);
    s->hurries = 0;
    run(s);
}

/* After an answer from outside: however many come in one turn, they make one run. */
void http_server_wake(struct http_server *s)
{
    if (s->closing)
        return;
    s->hurries = 0;
    next_turn(s);
}

/* ---- exchanges ---- */

static struct http_exchange *exchange_take(struct http_server *s)
{
    struct http_exchange *x = s->pool;

    if (x != NULL) {
        s->pool = x->next;
    } else {
        x = calloc(1, sizeof *x);
        if (x == NULL)
            return NULL;
        buf_init(&x->query, QUERY_BYTES_MAX);
        buf_init(&x->headers, REPLY_HEADERS_MAX);
        buf_init(&x->raw, SIZE_MAX / 2); /* as large as the caller's body: ours, not the network's */
    }
    buf_init(&x->body, s->max_body_bytes); /* the limit may have changed */
    x->server = s;
    x->state = READING;
    x->next = &s->exchanges;
    x->prev = s->exchanges.prev;
    x->prev->next = x->next->prev = x;
    return x;
}

static void exchange_free(struct http_exchange *x)
{
    buf_finish(&x->query);
    buf_finish(&x->headers);
    buf_finish(&x->raw);
    buf_finish(&x->body);
    free(x);
}

/* Nobody holds it any more. */
void http_exchange_give_back(struct http_exchange *x)
{
    struct http_server *s = x->server;

    x->prev->next = x->next;
    x->next->prev = x->prev;
    if (x->response != NULL)
        MHD_destroy_response(x->response);
    buf_finish(&x->body);
    if (x->raw.size > 0)
        buf_finish(&x->raw);
    buf_clear(&x->query);
    buf_clear(&x->headers);
    x->response = NULL;
    x->stream = NULL;
    x->connection = NULL;
    x->is_seen = x->is_too_large = x->is_queued = x->is_aborted = false;
    http_slow_forget(x);
    x->discarded = 0;
    x->next = s->pool;
    s->pool = x;
}

/* MHD parsed a request line: the only place where the raw query is shown. The result becomes the request's context. */
static void *on_uri(void *owner, const char *uri, struct MHD_Connection *connection)
{
    struct http_exchange *x = exchange_take(owner);
    const char *query = strchr(uri, '?');

    if (x == NULL)
        return NULL;
    x->connection = connection;
    if (query != NULL)
        buf_adds(&x->query, query + 1);
    return x;
}

static void on_completed(void *owner, struct MHD_Connection *connection, void **context,
                         enum MHD_RequestTerminationCode how)
{
    struct http_exchange *x = *context;
    struct http_stream *stream;

    UNUSED(owner);
    UNUSED(connection);
    UNUSED(how);
    if (x == NULL)
        return;
    *context = NULL;
    x->connection = NULL;
    stream = x->stream;
    if (stream != NULL) {
        stream->exchange = NULL;
        if (!stream->is_closing && stream->on_closed != NULL)
            stream->on_closed(stream->owner);
        buf_finish(&stream->out);
        free(stream);
        x->stream = NULL;
    }
    if (x->state == HANDLING || x->state == PARKED)
        x->state = DROPPED; /* http_reply, or the server's end, gives it back */
    else
        http_exchange_give_back(x);
}

static struct peer *peer_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info == NULL ? NULL : info->socket_context;
}

static int fd_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

    return info == NULL ? -1 : info->connect_fd;
}

/* MHD is about to close: with input unread that would be a reset, and the answer before it lost on its way. */
static void part(struct http_server *s, struct MHD_Connection *connection, const struct peer *peer)
{
    int fd = fd_of(connection), unread = 0;

    if (s->closing || fd < 0)
        return;
    if ((peer != NULL && peer->is_cut_short) || (ioctl(fd, FIONREAD, &unread) == 0 && unread > 0))
        linger_on(&s->lingers, fd);
}

static void on_connection(void *owner, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode what)
{
    struct http_server *s = owner;

    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
        struct peer *peer = calloc(1, sizeof *peer);

        if (peer != NULL && info != NULL)
            net_text(info->client_addr, peer->text);
        *context = peer;
        s->is_full = ++s->connections >= s->max_connections;
    } else {
        part(s, connection, *context);
        free(*context);
        *context = NULL;
        s->connections--;
        s->has_reopened |= s->is_full;
        s->is_full = false;
    }
}

static const char *peer_text(struct MHD_Connection *connection)
{
    const struct peer *peer = peer_of(connection);

    return peer == NULL ? "?" : peer->text;
}

/* ---- what MHD lets through ---- */

static void cut_short(struct http_exchange *x)
{
    struct peer *peer = peer_of(x->connection);

    if (peer != NULL)
        peer->is_cut_short = true;
}

/* The body has no end: MHD takes no answer within it. Under TLS bytes of our own would only break the record. */
static enum MHD_Result give_up(struct http_exchange *x)
{
    static const char answer[] = "HTTP/1.1 413 Content Too Large\r\nContent-Type: text/plain\r\n"
                                 "Content-Length: 15\r\nConnection: close\r\n\r\nbody too large\n";
    int fd = fd_of(x->connection);

    if (fd >= 0 && !x->server->is_tls && send(fd, answer, sizeof answer - 1, MSG_NOSIGNAL | MSG_DONTWAIT) > 0)
        cut_short(x);
    return MHD_NO;
}

static enum MHD_Result refuse(struct http_exchange *x, unsigned status, const char *text)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_PERSISTENT);
    enum MHD_Result queued;

    if (response == NULL)
        return MHD_NO;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/plain");
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    queued = MHD_queue_response(x->connection, status, response);
    MHD_destroy_response(response);
    x->state = ANSWERED;
    x->is_queued = true;
    return queued;
}

/* The head is whole, the body has not been asked for. Returns 0 or the status to refuse with. */
static unsigned judge_head(struct http_exchange *x, const char **out_text)
{
    struct http_server *s = x->server;
    const union MHD_ConnectionInfo *info;
    struct http_head head;

    info = MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (s->allow.count > 0 && (info == NULL || !net_list_allows(&s->allow, info->client_addr))) {
        *out_text = "address not allowed\n";
        return MHD_HTTP_FORBIDDEN;
    }
    http_head_read(x->connection, &head);
    if (head.is_malformed || head.lengths > 1 || head.codings > 1 || head.is_coding_unknown ||
        (head.lengths > 0 && head.codings > 0)) {
        *out_text = "malformed request\n";
        return MHD_HTTP_BAD_REQUEST;
    }
    if (head.length > s->max_body_bytes) {
        *out_text = "body too large\n";
        return MHD_HTTP_CONTENT_TOO_LARGE;
    }
    return 0;
}

/* ---- answers ---- */

/* Most places are taken: a connection kept open between requests would keep out peers that have something to say. */
static bool is_crowded(const struct http_server *s)
{
    return s->connections >= s->max_connections - s->max_connections / 4;
}

/* Fetches the answer that is set; in a run, from on_request. */
static enum MHD_Result give_answer(struct http_exchange *x)
{
    enum MHD_Result queued;

    if (x->is_aborted) {
        int fd = fd_of(x->connection);

        /* Under TLS bytes of our own would only break the record: then nothing at all is sent. */
        if (x->raw.len > 0 && fd >= 0 && !x->server->is_tls &&
            send(fd, x->raw.data, x->raw.len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
            buf_clear(&x->raw); /* the peer has gone: as good as aborted */
        return MHD_NO;
    }
    if (x->response == NULL)
        return MHD_NO; /* no memory for it: the peer sees a closed connection */
    if (is_crowded(x->server))
        MHD_add_response_header(x->response, MHD_HTTP_HEADER_CONNECTION, "close");
    queued = MHD_queue_response(x->connection, x->status, x->response);
    x->is_queued = true;
    MHD_destroy_response(x->response);
    x->response = NULL;
    return queued;
}

static enum MHD_Result on_request(void *owner, struct MHD_Connection *connection, const char *url, const char *method,
                                  const char *version, const char *upload, size_t *upload_len, void **context)
{
    struct http_server *s = owner;
    struct http_exchange *x = *context;
    const char *text = NULL;

    UNUSED(version);
    if (x == NULL)
        return MHD_NO;
    if (!x->is_seen) {
        unsigned status = judge_head(x, &text);

        x->is_seen = true;
        if (s->read_rate != NULL)
            x->slow_rate = s->read_rate(s->owner);
        if (status == 0)
            return MHD_YES;
        cut_short(x); /* there may be a body */
        return refuse(x, status, text);
    }
    if (*upload_len > 0) {
        size_t take = http_slow_share(x, *upload_len), left = *upload_len - take;

        if (!x->is_too_large) {
            buf_add(&x->body, upload, take);
            if (x->body.failed) {
                x->is_too_large = true;
                buf_finish(&x->body);
            }
        }
        if (x->is_too_large) {
            x->discarded += take;
            if (x->discarded > DISCARD_BYTES_MAX)
                return give_up(x);
        }
        if (take > 0 && left > 0)
            http_slow_suspend(x); /* what is left is shown again when it goes on */
        *upload_len = left;
        return MHD_YES;
    }
    if (x->is_queued)
        return MHD_YES;
    if (x->state == READING) {
        struct http_request_in request = { .method = method,
                                           .path = url,
                                           .query = buf_text(&x->query),
                                           .body = buf_text(&x->body),
                                           .body_len = x->body.len,
                                           .peer = peer_text(connection) };

        if (x->is_too_large)
            return refuse(x, MHD_HTTP_CONTENT_TOO_LARGE, "body too large\n");
        x->state = HANDLING;
        x->slow_rate = 0; /* the answer has a pace of its own */
        s->handler(s->owner, x, &request);
        if (x->state == HANDLING) {
            x->state = PARKED;
            MHD_suspend_connection(connection);
            /* This may be the timer phase: the loop must not fall asleep before whoever answers has had its turn */
            uv_idle_start(&s->idle, on_idle);
            return MHD_YES;
        }
    }
    /* Not resumed by an answer but by stop_daemon: nothing to give */
    if (x->state != ANSWERED)
        return MHD_NO;
    return give_answer(x);
}

/* ---- the door ---- */

static void complain(void *owner, const char *format, va_list args)
{
    struct http_server *s = owner;
    char *end;

    /* No descriptor left: with no connection at all MHD spins until there is one, else it waits for one to end. It says
     * so here and nowhere else. */
    if (s->daemon != NULL && strstr(format, "resource limit") != NULL)
        *(strstr(format, "FIRST") != NULL ? &s->is_starved : &s->is_full) = true;
    /* MHD's own trace of broken peers: for its start only, later ones would be a log anybody can fill */
    if (s->daemon != NULL)
        return;
    vsnprintf(s->complaint, sizeof s->complaint, format, args);
    end = strchr(s->complaint, '\n');
    if (end != NULL)
        *end = '\0';
}

static void configure(struct http_server *s, const struct http_server_opts *opts)
{
    s->max_body_bytes = opts->max_body_bytes == 0 ? DEFAULT_MAX_BODY_BYTES : opts->max_body_bytes;
    s->timeout_s = opts->timeout_s == 0 ? DEFAULT_TIMEOUT_S : opts->timeout_s;
}

void http_server_configure(struct http_server *s, const struct http_server_opts *opts)
{
    struct net_list allow;

    configure(s, opts);
    if (net_list_parse(opts->allow_from, &allow, NULL) != 0)
        return; /* config/ has checked the list; rather the old one than none */
    net_list_finish(&s->allow);
    s->allow = allow;
}

static void wipe(char *secret)
{
    if (secret != NULL)
        explicit_bzero(secret, strlen(secret));
    free(secret);
}

static void server_free(struct http_server *s)
{
    struct http_exchange *x;

    while ((x = s->exchanges.next) != NULL && x != &s->exchanges)
        http_exchange_give_back(x); /* the owner never answered these */
    while ((x = s->pool) != NULL) {
        s->pool = x->next;
        exchange_free(x);
    }
    net_list_finish(&s->allow);
    free(s->certificate);
    wipe(s->key);
    free(s);
}

static int start_daemon(struct http_server *s, int fd)
{
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | (s->is_tls ? MHD_USE_TLS : 0u);
    struct MHD_OptionItem tls[] = {
        { MHD_OPTION_HTTPS_MEM_CERT, 0, s->certificate },
        { MHD_OPTION_HTTPS_MEM_KEY, 0, s->key },
        { MHD_OPTION_HTTPS_PRIORITIES, 0, "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2" },
        { MHD_OPTION_END, 0, NULL },
    };
    struct MHD_OptionItem none[] = { { MHD_OPTION_END, 0, NULL } };

    s->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, s, MHD_OPTION_EXTERNAL_LOGGER, complain, s, MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_URI_LOG_CALLBACK, on_uri, s, MHD_OPTION_NOTIFY_COMPLETED, on_completed, s,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, s, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_CONNECTION_TIMEOUT,
        s->timeout_s, MHD_OPTION_CONNECTION_LIMIT, s->max_connections, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)HEAD_BYTES_MAX, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_ARRAY, s->is_tls ? tls : none,
        MHD_OPTION_END);
    return s->daemon == NULL ? ERR_CONFIG : 0;
}

int http_server_create(uv_loop_t *loop, const struct http_server_opts *opts, http_handler_fn *handler, void *owner,
                       struct http_server **out, uint16_t *out_port, char why[256])
{
    struct http_server *s = calloc(1, sizeof *s);
    const union MHD_DaemonInfo *info;
    const char *bad = NULL;
    uint16_t port;
    int fd = -1;
    int err;

    why[0] = '\0';
    if (s == NULL)
        return ERR_NOMEM;
    s->exchanges.next = s->exchanges.prev = &s->exchanges;
    s->handler = handler;
    s->owner = owner;
    s->read_rate = opts->read_rate;
    configure(s, opts);
    err = net_list_parse(opts->allow_from, &s->allow, &bad);
    if (err != 0) {
        snprintf(why, 256, "\"%s\" is not an address range", bad == NULL ? "" : bad);
        goto out;
    }
    s->max_connections = opts->max_connections == 0 ? (unsigned)DEFAULT_MAX_CONNECTIONS : opts->max_connections;
    s->is_tls = opts->certificate_file != NULL && opts->key_file != NULL;
    if (s->is_tls) {
        err = ERR_CONFIG;
        s->certificate = http_listen_file(opts->certificate_file, why);
        if (s->certificate == NULL)
            goto out;
        s->key = http_listen_file(opts->key_file, why);
        if (s->key == NULL)
            goto out;
    }
    err = http_listen_on(opts, &fd, why);
    if (err != 0)
        goto out;
    err = net_port(fd, &port);
    if (err != 0)
        goto out;
    signal(SIGPIPE, SIG_IGN); /* promised to MHD, which uses sendfile */
    err = start_daemon(s, fd);
    if (err != 0) {
        snprintf(why, 256, "cannot start: %s", s->complaint[0] != '\0' ? s->complaint : "refused by libmicrohttpd");
        goto out;
    }
    fd = -1; /* MHD's from here on */
    info = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    if (info == NULL || uv_poll_init(loop, &s->poll, info->epoll_fd) != 0) {
        snprintf(why, 256, "cannot watch libmicrohttpd's descriptor");
        MHD_stop_daemon(s->daemon);
        err = ERR_IO;
        goto out;
    }
    uv_timer_init(loop, &s->timer);
    uv_idle_init(loop, &s->idle);
    uv_timer_init(loop, &s->slow);
    s->poll.data = s->timer.data = s->idle.data = s->slow.data = s;
    s->handles = 4;
    s->lingers.loop = loop;
    uv_poll_start(&s->poll, UV_READABLE, on_ready);
    *out = s;
    *out_port = port;
    return 0;
out:
    if (fd >= 0)
        close(fd);
    server_free(s);
    return err;
}

void http_server_quiesce(struct http_server *s)
{
    int fd;

    if (s->is_quiesced)
        return;
    s->is_quiesced = true;
    fd = MHD_quiesce_daemon(s->daemon);
    if (fd >= 0)
        close(fd);
}

void http_server_last_answers(struct http_server *s, bool on)
{
    s->is_leaving = on;
}

unsigned http_server_connections(const struct http_server *s)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);

    return info == NULL ? 0 : info->num_connections;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct http_server *s = handle->data;

    if (--s->handles == 0)
        server_free(s);
}

static void stop_daemon(struct http_server *s)
{
    uv_poll_stop(&s->poll);
    linger_end_all(&s->lingers);
    http_server_quiesce(s); /* takes the socket from MHD, which must not shut down what others may hold too */
    /* MHD ends the process when it is stopped with suspended connections */
    for (struct http_exchange *x = s->exchanges.next; x != &s->exchanges; x = x->next) {
        if (x->state == PARKED)
            MHD_resume_connection(x->connection);
        else if (x->is_slowed || (x->stream != NULL && x->stream->is_suspended))
            MHD_resume_connection(x->connection);
    }
    MHD_stop_daemon(s->daemon);
    uv_close((uv_handle_t *)&s->poll, on_handle_closed);
    uv_close((uv_handle_t *)&s->timer, on_handle_closed);
    uv_close((uv_handle_t *)&s->idle, on_handle_closed);
    uv_close((uv_handle_t *)&s->slow, on_handle_closed);
}

void http_server_destroy(struct http_server *s)
{
    if (s == NULL || s->closing)
        return;
    s->closing = true;
    if (!s->in_run)
        stop_daemon(s); /* else run does it, below us on the stack */
}
