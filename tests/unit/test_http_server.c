/* SPDX-License-Identifier: MIT */
/*
 * test_http_server.c - the server against raw sockets: malformed heads, late answers, limits, streams, TLS.
 *
 * Both ends on one loop; every wait is for an event.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "http/client.h"
#include "http/server.h"
#include "tests/support/certificate.h"

static uv_loop_t loop;
static struct http_server *server;
static uint16_t port;

/* ---- a raw peer ---- */

struct peer {
    uv_tcp_t tcp;
    uv_connect_t connect;
    uv_write_t write;
    struct buf in;
    bool is_connected, is_ended, is_paused;
};

static void give_memory(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    static char chunk[65536];

    UNUSED(handle);
    UNUSED(suggested);
    *out = uv_buf_init(chunk, sizeof chunk);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *b)
{
    struct peer *p = stream->data;

    if (n < 0) {
        p->is_ended = true;
        uv_read_stop(stream);
    } else {
        buf_add(&p->in, b->base, (size_t)n);
    }
}

static void on_connect(uv_connect_t *req, int status)
{
    struct peer *p = req->data;

    assert_int_equal(0, status);
    p->is_connected = true;
    if (!p->is_paused)
        uv_read_start((uv_stream_t *)&p->tcp, give_memory, on_read);
}

static void dial(struct peer *p)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons(port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

    bool is_paused = p->is_paused;
    memset(p, 0, sizeof *p);
    p->is_paused = is_paused;
    buf_init(&p->in, 64 << 20);
    uv_tcp_init(&loop, &p->tcp);
    p->tcp.data = p->connect.data = p;
    assert_int_equal(0, uv_tcp_connect(&p->connect, &p->tcp, (struct sockaddr *)&to, on_connect));
    while (!p->is_connected)
        uv_run(&loop, UV_RUN_ONCE);
}

static void say(struct peer *p, const char *bytes, size_t len)
{
    while (len > 0) {
        uv_buf_t b = uv_buf_init((char *)(uintptr_t)bytes, (unsigned)len);
        int n = uv_try_write((uv_stream_t *)&p->tcp, &b, 1);

        if (n == UV_EAGAIN) {
            uv_run(&loop, UV_RUN_NOWAIT);
            continue;
        }
        if (n < 0) /* the server has closed: what it answered will tell */
            return;
        bytes += n;
        len -= (size_t)n;
    }
}

static void hang_up(struct peer *p)
{
    uv_close((uv_handle_t *)&p->tcp, NULL);
    uv_run(&loop, UV_RUN_NOWAIT);
    buf_finish(&p->in);
}

/* Runs the loop until `text` has come in `times` times; false when the peer was closed before that. */
static bool hear(struct peer *p, const char *text, unsigned times)
{
    for (;;) {
        unsigned seen = 0;

        for (const char *at = buf_text(&p->in); (at = strstr(at, text)) != NULL; at += strlen(text))
            seen++;
        if (seen >= times)
            return true;
        if (p->is_ended)
            return false;
        uv_run(&loop, UV_RUN_ONCE);
    }
}

/* Sends one request on a connection of its own and returns the status, 0 when closed without one. */
static int status_of(const char *bytes, size_t len)
{
    struct peer p = { 0 };
    int status = 0;

    dial(&p);
    say(&p, bytes, len);
    if (hear(&p, "\r\n\r\n", 1))
        sscanf(p.in.data, "HTTP/1.1 %d", &status);
    hang_up(&p);
    return status;
}

#define STATUS(text)    status_of(text, sizeof(text) - 1)
#define SAY(peer, text) say(peer, text, sizeof(text) - 1)

/* ---- handlers ---- */

static unsigned handled;
static struct http_exchange *parked[1024];
static unsigned parked_count;
static char seen[256];

static void answer_at_once(void *owner, struct http_exchange *x, const struct http_request_in *r)
{
    char text[512];
    const char *token = http_header(x, "x-token");

    UNUSED(owner);
    handled++;
    assert_int_equal(strlen(r->body), r->body_len);
    assert_int_equal(0, strncmp(r->peer, "127.0.0.1:", 10));
    snprintf(seen, sizeof seen, "%s %s ?%s [%zu] %s", r->method, r->path, r->query, r->body_len,
             token == NULL ? "-" : token);
    snprintf(text, sizeof text, "<%.100s>", r->body);
    http_reply_header(x, "X-Own", "yes");
    http_reply(x, 200, "text/plain", text, strlen(text));
}

static void park(void *owner, struct http_exchange *x, const struct http_request_in *r)
{
    UNUSED(owner);
    UNUSED(r);
    handled++;
    parked[parked_count++] = x;
}

static void start_with(struct http_server_opts opts, http_handler_fn *handler)
{
    char why[256];

    handled = parked_count = 0;
    seen[0] = '\0';
    opts.address = "127.0.0.1:0";
    opts.listen_fd = -1;
    assert_int_equal(0, uv_loop_init(&loop));
    if (http_server_create(&loop, &opts, handler, NULL, &server, &port, why) != 0)
        fail_msg("%s", why);
    assert_true(port > 0);
}

static void stop(void)
{
    http_server_destroy(server);
    server = NULL;
    while (uv_run(&loop, UV_RUN_DEFAULT) != 0)
        ;
    assert_int_equal(0, uv_loop_close(&loop));
}

/* ---- requests and answers ---- */

static void request_reaches_the_handler_whole(void **state)
{
    static const char text[] =
        "POST /a%20b/c?x=%41&y HTTP/1.1\r\nHost: h\r\nX-Token: t\r\nContent-Length: 5\r\n\r\nhello";
    struct peer p = { 0 };

    UNUSED(state);
    start_with((struct http_server_opts){ 0 }, answer_at_once);
    dial(&p);
    for (size_t i = 0; i < sizeof text - 1; i++) { /* byte by byte */
        say(&p, text + i, 1);
        uv_run(&loop, UV_RUN_NOWAIT);
    }
    assert_true(hear(&p, "<hello>", 1));
    assert_string_equal("POST /a b/c ?x=%41&y [5] t", seen);
    assert_non_null(strstr(p.in.data, "\r\nX-Own: yes\r\n"));
    assert_non_null(strstr(p.in.data, "\r\nContent-Type: text/plain\r\n"));
    assert_non_null(strstr(p.in.data, "\r\nContent-Length: 7\r\n"));
    hang_up(&p);
    stop();
}

static void connections_are_kept_and_pipelines_answered(void **state)
{
    static const char two[] =
        "POST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\naGET /2 HTTP/1.1\r\nHost: h\r\n\r\n";
    struct peer p = { 0 };

    UNUSED(state);
    start_with((struct http_server_opts){ 0 }, answer_at_once);
    dial(&p);
    for (unsigned i = 1; i <= 5; i++) {
        say(&p, two, sizeof two - 1);
        assert_true(hear(&p, "HTTP/1.1 200", 2 * i));
        assert_int_equal(2 * i, handled);
    }
    hang_up(&p);
    stop();
}

static void chunked_bodies_are_taken(void **state)
{
    UNUSED(state);
    start_with((struct http_server_opts){ 0 }, answer_at_once);
    assert_int_equal(
        200,
        STATUS("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"));
    assert_string_equal("POST / ? [5] -", seen);
    stop();
}

/* limits.md, block 2: what the library lets through */
static void malformed_requests_are_refused(void **state)
{
    static const char head[] = "GET / HTTP/1.1\r\nHost: h\r\nX-A: ";
    char *huge = malloc(1 << 20);

    UNUSED(state);
    start_with((struct http_server_opts){ .timeout_s = 1 }, answer_at_once);
    assert_int_equal(400, STATUS("GET / HTTP/1.1\r\nHost: h\r\nX-A: 1\rX-B: 2\r\n\r\n"));
    assert_int_equal(400, STATUS("GET / HTTP/1.1\r\nHost: h\r\nX-A: 1\r\r\n\r\n"));
    assert_int_equal(
        400, STATUS("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"));
    assert_int_equal(
        400, STATUS("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\ncontent-length: 3\r\n\r\n0\r\n\r\n"));
    assert_int_equal(400, STATUS("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"));
    assert_int_equal(400, STATUS("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc"));
    assert_int_equal(400, STATUS("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +6\r\n\r\nabcdef"));
    assert_int_equal(400, STATUS("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n"));
    assert_int_equal(400, STATUS("POST / HTTP/1.1\r\nHost: h\r\nContent-Length : 3\r\n\r\nabc"));
    assert_int_equal(400, STATUS("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\nabc"));
    assert_int_equal(400, STATUS("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"));
    assert_int_equal(400, STATUS("GET / HTTP/1.1\r\nHost: h\r\nX-A: 1\0002\r\n\r\n"));
    assert_int_equal(400, STATUS("GET / HTTP/1.1\r\nHost: h\r\nX\0A: 1\r\n\r\n"));
    assert_int_equal(400, STATUS("GET / HTTP/1.1\r\nHost: h\r\nX-A: 1\0002\r\nX-B: 1\r\n\r\n"));
    assert_int_equal(400, STATUS("GET / HTTP/1.1\r\nHost: h\r\nX-A: 1\r\n folded\r\nX-B: 1\r\n\r\n"));
    assert_int_equal(400, STATUS("GET / HTTP/1.1\r\n\r\n"));
    memset(huge, 'x', 1 << 20);
    memcpy(huge, head, sizeof head - 1);
    assert_int_equal(431, status_of(huge, 1 << 20));
    free(huge);
    assert_int_equal(0, handled);
    assert_int_equal(200, STATUS("GET / HTTP/1.1\nHost: h\n\n")); /* LF alone: as the library takes it */
    assert_int_equal(200, STATUS("GET / HTTP/1.1\r\nHost: h\r\nX-A:\r\nX-B: \t 2 \r\n\r\n"));
    stop();
}

static void large_bodies_are_refused_unread(void **state)
{
    static const char chunked[] = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n";
    static const char plain[] = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n";
    struct peer p = { 0 };
    char *chunk = malloc(70000);
    unsigned sent = 0;

    UNUSED(state);
    start_with((struct http_server_opts){ .max_body_bytes = 1000 }, answer_at_once);
    assert_int_equal(413,
                     STATUS("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n")); /* before a byte of it */
    assert_int_equal(413, STATUS("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\nExpect: 100-continue\r\n\r\n"));
    assert_int_equal(413, STATUS("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\n"));
    memset(chunk, 'x', 70000);
    memcpy(chunk, chunked, sizeof chunked - 1);
    memcpy(chunk + sizeof chunked - 1 + 1001, "\r\n0\r\n\r\n", 7);
    assert_int_equal(413, status_of(chunk, sizeof chunked - 1 + 1001 + 7)); /* chunked: known only at the end */
    assert_int_equal(0, handled);
    memset(chunk, 'x', 1100);
    memcpy(chunk, plain, sizeof plain - 1);
    assert_int_equal(200, status_of(chunk, sizeof plain - 1 + 1000));
    /* an endless one is cut off */
    dial(&p);
    SAY(&p, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n7fffffff\r\n");
    memset(chunk, 'x', 65536);
    while (!p.is_ended && sent++ < 100) {
        say(&p, chunk, 65536);
        uv_run(&loop, UV_RUN_NOWAIT);
    }
    assert_true(p.is_ended);
    hang_up(&p);
    free(chunk);
    stop();
}

/* A client that sends all of its body before it reads, as most do: blocking, in a thread of its own. */
struct blunt {
    const char *head;
    size_t body_bytes;
    char answer[4096];
    size_t answer_len;
    bool was_reset;
    uv_async_t over;
};

static void send_all_then_read(void *owner)
{
    struct blunt *b = owner;
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons(port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    static const char body[65536];
    ssize_t n = connect(fd, (struct sockaddr *)&to, sizeof to) == 0 ? 1 : -1;

    if (n > 0)
        n = send(fd, b->head, strlen(b->head), MSG_NOSIGNAL);
    for (size_t sent = 0; n > 0 && sent < b->body_bytes; sent += (size_t)n)
        n = send(fd, body, sizeof body, MSG_NOSIGNAL);
    while (n > 0 && b->answer_len < sizeof b->answer - 1) {
        n = recv(fd, b->answer + b->answer_len, sizeof b->answer - 1 - b->answer_len, 0);
        b->answer_len += n > 0 ? (size_t)n : 0;
    }
    b->was_reset = n < 0;
    close(fd);
    uv_async_send(&b->over);
}

static void on_over(uv_async_t *over)
{
    uv_close((uv_handle_t *)over, NULL);
}

static void refusal_reaches_a_peer_that_is_still_sending(void **state)
{
    static const struct {
        const char *head;
        size_t body_bytes;
        int status;
    } cases[] = {
        { "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 8388608\r\n\r\n", 8 << 20, 413 },
        { "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n7fffffff\r\n", 8 << 20, 413 },
        { "POST / HTTP/1.1\r\nHost: h\r\nX: 1\r\n folded\r\nContent-Length: 8388608\r\n\r\n", 8 << 20, 400 },
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct blunt b = { .head = cases[i].head, .body_bytes = cases[i].body_bytes };
        uv_thread_t thread;
        int status = 0;

        start_with((struct http_server_opts){ .max_body_bytes = 1000 }, answer_at_once);
        assert_int_equal(0, uv_async_init(&loop, &b.over, on_over));
        assert_int_equal(0, uv_thread_create(&thread, send_all_then_read, &b));
        while (!uv_is_closing((uv_handle_t *)&b.over))
            uv_run(&loop, UV_RUN_ONCE);
        uv_thread_join(&thread);
        sscanf(b.answer, "HTTP/1.1 %d", &status);
        assert_int_equal(cases[i].status, status);
        assert_false(b.was_reset);
        stop();
    }
    assert_int_equal(0, handled);
}

/* Stopped while peers linger: nothing is left in the loop. */
static void stop_does_not_wait_for_peers_that_linger(void **state)
{
    struct peer p = { 0 };

    UNUSED(state);
    start_with((struct http_server_opts){ .max_body_bytes = 1000 }, answer_at_once);
    dial(&p);
    SAY(&p, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n");
    assert_true(hear(&p, "HTTP/1.1 413", 1));
    while (!p.is_ended) /* the end of the stream, while our side stays open */
        uv_run(&loop, UV_RUN_ONCE);
    http_server_destroy(server);
    hang_up(&p);
    while (uv_run(&loop, UV_RUN_DEFAULT) != 0)
        ;
    assert_int_equal(0, uv_loop_close(&loop));
    server = NULL;
}

static void live_limits_hold_for_the_next_request(void **state)
{
    static const char *const nobody[] = { "10.0.0.0/8", "::/0", NULL };
    static const char *const us[] = { "10.0.0.0/8", "127.0.0.0/8", NULL };
    static const char post[] = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello";

    UNUSED(state);
    start_with((struct http_server_opts){ .allow_from = nobody }, answer_at_once);
    assert_int_equal(403, STATUS(post));
    assert_int_equal(0, handled);
    http_server_configure(server, &(struct http_server_opts){ .allow_from = us, .max_body_bytes = 4 });
    assert_int_equal(413, STATUS(post));
    http_server_configure(server, &(struct http_server_opts){ 0 });
    assert_int_equal(200, STATUS(post));
    stop();
}

/* ---- late answers ---- */

static void answers_may_come_later(void **state)
{
    static const char get[] = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    struct peer p[20] = { 0 };

    UNUSED(state);
    start_with((struct http_server_opts){ 0 }, park);
    for (unsigned i = 0; i < 20; i++)
        dial(&p[i]);
    for (unsigned round = 1; round <= 3; round++) {
        parked_count = 0;
        for (unsigned i = 0; i < 20; i++)
            say(&p[i], get, sizeof get - 1);
        while (parked_count < 20)
            uv_run(&loop, UV_RUN_ONCE);
        for (unsigned i = 0; i < 20; i++)
            http_reply(parked[i], 202, "text/plain", "late", 4);
        for (unsigned i = 0; i < 20; i++)
            assert_true(hear(&p[i], "late", round));
    }
    for (unsigned i = 0; i < 20; i++)
        hang_up(&p[i]);
    stop();
}

static void answer_from_a_timer_wakes_the_loop(void **state)
{
    struct peer p = { 0 };
    uint64_t before;

    UNUSED(state);
    start_with((struct http_server_opts){ .timeout_s = 20 }, park);
    dial(&p);
    before = clock_mono_ms();
    for (unsigned i = 1; i <= 20; i++) {
        SAY(&p, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        while (handled < i)
            uv_run(&loop, UV_RUN_ONCE);
        http_reply(parked[i - 1], 200, NULL, "ok", 2); /* nothing else will happen on this loop */
        assert_true(hear(&p, "\r\n\r\nok", i));
    }
    assert_true(clock_mono_ms() - before < 5000); /* not one connection time-out was waited for */
    hang_up(&p);
    stop();
}

static void peer_gone_before_the_answer_is_no_error(void **state)
{
    struct peer p = { 0 };

    UNUSED(state);
    start_with((struct http_server_opts){ 0 }, park);
    for (unsigned i = 1; i <= 5; i++) {
        dial(&p);
        SAY(&p, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        while (handled < i)
            uv_run(&loop, UV_RUN_ONCE);
        hang_up(&p);
        uv_run(&loop, UV_RUN_NOWAIT);
        http_reply(parked[i - 1], 200, NULL, "ok", 2);
        uv_run(&loop, UV_RUN_NOWAIT);
    }
    stop();
}

static void parked_exchanges_survive_destroy(void **state)
{
    struct peer p[3] = { 0 };

    UNUSED(state);
    start_with((struct http_server_opts){ 0 }, park);
    for (unsigned i = 0; i < 3; i++) {
        dial(&p[i]);
        SAY(&p[i], "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    }
    while (handled < 3)
        uv_run(&loop, UV_RUN_ONCE);
    http_server_destroy(server);
    assert_null(http_header(parked[0], "host"));
    http_reply(parked[0], 200, NULL, "ok", 2);
    http_abort(parked[1], 200, NULL, "ok", 2, 1);
    for (unsigned i = 0; i < 3; i++) {
        assert_false(hear(&p[i], "HTTP/1.1", 1));
        hang_up(&p[i]);
    }
    server = NULL;
    stop();
}

static void destroy_inside(void *owner, struct http_exchange *x, const struct http_request_in *r)
{
    UNUSED(r);
    UNUSED(owner);
    http_server_destroy(server);
    server = NULL;
    http_reply(x, 200, NULL, "bye", 3);
}

static void the_handler_may_destroy(void **state)
{
    struct peer p = { 0 };

    UNUSED(state);
    start_with((struct http_server_opts){ 0 }, destroy_inside);
    dial(&p);
    SAY(&p, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    while (server != NULL || !p.is_ended)
        uv_run(&loop, UV_RUN_ONCE);
    hang_up(&p);
    stop();
}

static void quiesce_finishes_what_is_there(void **state)
{
    struct peer p = { 0 };
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons(port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd;

    UNUSED(state);
    start_with((struct http_server_opts){ 0 }, park);
    to.sin_port = htons(port);
    dial(&p);
    SAY(&p, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    while (handled < 1)
        uv_run(&loop, UV_RUN_ONCE);
    http_server_quiesce(server);
    fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(-1, connect(fd, (struct sockaddr *)&to, sizeof to));
    close(fd);
    http_reply(parked[0], 200, NULL, "done", 4);
    assert_true(hear(&p, "done", 1));
    assert_non_null(strcasestr(p.in.data, "\r\nConnection: close\r\n"));
    while (!p.is_ended)
        uv_run(&loop, UV_RUN_ONCE);
    hang_up(&p);
    stop();
}

/* ---- faults ---- */

static void cut_short(void *owner, struct http_exchange *x, const struct http_request_in *r)
{
    UNUSED(owner);
    handled++;
    if (strcmp(r->path, "/late") == 0)
        parked[parked_count++] = x;
    else
        http_abort(x, 200, "text/plain", "0123456789", 10, strcmp(r->path, "/none") == 0 ? 0 : 66);
}

static void abort_cuts_where_told(void **state)
{
    struct peer p = { 0 };

    UNUSED(state);
    start_with((struct http_server_opts){ 0 }, cut_short);
    dial(&p);
    SAY(&p, "GET /none HTTP/1.1\r\nHost: h\r\n\r\n");
    while (!p.is_ended)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(0, p.in.len);
    hang_up(&p);
    dial(&p);
    SAY(&p, "GET /some HTTP/1.1\r\nHost: h\r\n\r\n");
    while (!p.is_ended)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(66, p.in.len);
    assert_int_equal(0, strncmp(p.in.data, "HTTP/1.1 200 ", 13));
    hang_up(&p);
    dial(&p);
    SAY(&p, "GET /late HTTP/1.1\r\nHost: h\r\n\r\n");
    while (handled < 3)
        uv_run(&loop, UV_RUN_ONCE);
    http_abort(parked[0], 200, "text/plain", "0123456789", 10, 9);
    while (!p.is_ended)
        uv_run(&loop, UV_RUN_ONCE);
    assert_string_equal("HTTP/1.1 ", p.in.data);
    hang_up(&p);
    stop();
}

/* ---- streams ---- */

static struct http_stream *stream;
static unsigned closed;

static void on_stream_closed(void *owner)
{
    UNUSED(owner);
    closed++;
    stream = NULL;
}

static void open_stream(void *owner, struct http_exchange *x, const struct http_request_in *r)
{
    UNUSED(owner);
    UNUSED(r);
    handled++;
    assert_int_equal(0, http_stream_open(x, on_stream_closed, NULL, &stream));
    assert_int_equal(ERR_STATE, http_stream_open(x, on_stream_closed, NULL, &stream));
}

static void events_arrive_one_by_one(void **state)
{
    struct peer p = { 0 };

    UNUSED(state);
    closed = 0;
    start_with((struct http_server_opts){ 0 }, open_stream);
    dial(&p);
    SAY(&p, "GET /events HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_true(hear(&p, "\r\n\r\n", 1));
    assert_non_null(strstr(p.in.data, "text/event-stream"));
    for (unsigned i = 1; i <= 50; i++) {
        assert_int_equal(0, http_stream_send(stream, "data: x\n\n", 9));
        assert_true(hear(&p, "data: x\n\n", i));
    }
    http_stream_close(stream);
    assert_true(hear(&p, "\r\n0\r\n\r\n", 1));
    assert_int_equal(0, closed);
    /* and a second one on the same connection, ended by the peer */
    SAY(&p, "GET /events HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_true(hear(&p, "text/event-stream", 2));
    hang_up(&p);
    while (stream != NULL) {
        http_stream_send(stream, ": are you there\n\n", 17);
        uv_run(&loop, UV_RUN_NOWAIT);
    }
    assert_int_equal(1, closed);
    stop();
}

static void a_slow_reader_fills_up_and_is_dropped(void **state)
{
    struct peer p = { .is_paused = true };
    static char lines[4096];
    unsigned taken = 0;
    int err;

    UNUSED(state);
    closed = 0;
    start_with((struct http_server_opts){ .timeout_s = 1 }, open_stream);
    dial(&p);
    SAY(&p, "GET /events HTTP/1.1\r\nHost: h\r\n\r\n");
    while (handled < 1)
        uv_run(&loop, UV_RUN_ONCE);
    memset(lines, 'x', sizeof lines);
    while ((err = http_stream_send(stream, lines, sizeof lines)) == 0 && taken++ < 100000)
        uv_run(&loop, UV_RUN_NOWAIT);
    assert_int_equal(ERR_FULL, err);
    http_stream_close(stream);
    stream = NULL;
    http_server_destroy(server); /* must not wait for the reader */
    server = NULL;
    hang_up(&p);
    assert_int_equal(0, closed);
    stop();
}

static void open_streams_end_with_the_server(void **state)
{
    struct peer p = { 0 };

    UNUSED(state);
    closed = 0;
    start_with((struct http_server_opts){ 0 }, open_stream);
    dial(&p);
    SAY(&p, "GET /events HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_true(hear(&p, "\r\n\r\n", 1));
    uv_run(&loop, UV_RUN_NOWAIT);
    http_server_destroy(server);
    assert_int_equal(1, closed);
    hang_up(&p);
    server = NULL;
    stop();
}

/* ---- start ---- */

static void bad_options_say_why(void **state)
{
    static const char *const bad_range[] = { "10.0.0.0/99", NULL };
    struct http_server *s = NULL;
    uint16_t got;
    char why[256];
    struct http_server_opts opts = { .address = "nowhere", .listen_fd = -1 };

    UNUSED(state);
    assert_int_equal(0, uv_loop_init(&loop));
    assert_int_equal(ERR_SYNTAX, http_server_create(&loop, &opts, park, NULL, &s, &got, why));
    assert_non_null(strstr(why, "nowhere"));
    opts.address = "192.0.2.1:1"; /* not ours */
    assert_int_equal(ERR_IO, http_server_create(&loop, &opts, park, NULL, &s, &got, why));
    opts.address = "127.0.0.1:0";
    opts.allow_from = bad_range;
    assert_int_equal(ERR_SYNTAX, http_server_create(&loop, &opts, park, NULL, &s, &got, why));
    assert_non_null(strstr(why, "10.0.0.0/99"));
    opts.allow_from = NULL;
    opts.certificate_file = opts.key_file = "/nonexistent.pem";
    assert_int_equal(ERR_CONFIG, http_server_create(&loop, &opts, park, NULL, &s, &got, why));
    assert_non_null(strstr(why, "/nonexistent.pem"));
    opts.certificate_file = opts.key_file = "/dev/null";
    assert_int_equal(ERR_CONFIG, http_server_create(&loop, &opts, park, NULL, &s, &got, why));
    assert_null(s);
    assert_int_equal(0, uv_loop_close(&loop));
}

static void an_inherited_socket_and_ipv6_work(void **state)
{
    struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_ANY_INIT };
    struct http_server_opts opts = { 0 };
    char why[256];
    int fd = socket(AF_INET6, SOCK_STREAM, 0);

    UNUSED(state);
    if (fd < 0)
        skip(); /* no IPv6 here */
    handled = 0;
    assert_int_equal(0, bind(fd, (struct sockaddr *)&any, sizeof any));
    assert_int_equal(0, listen(fd, 5));
    assert_int_equal(0, uv_loop_init(&loop));
    opts.listen_fd = fd;
    assert_int_equal(0, http_server_create(&loop, &opts, answer_at_once, NULL, &server, &port, why));
    close(fd);
    assert_int_equal(200, STATUS("GET / HTTP/1.1\r\nHost: h\r\n\r\n")); /* IPv4, shown as such (see the handler) */
    stop();
}

static unsigned ended;
static enum http_outcome outcome;
static char body[256];

static void on_reply(void *owner, uint64_t cookie, const struct http_reply_in *reply)
{
    UNUSED(owner);
    UNUSED(cookie);
    uv_stop(&loop); /* this may be the timer phase: do not wait for another event before looking */
    ended++;
    outcome = reply->outcome;
    snprintf(body, sizeof body, "%s", outcome == HTTP_ANSWERED ? reply->body : reply->why);
}

static void tls_serves_and_strangers_are_not_trusted(void **state)
{
    char dir[] = "test_http_XXXXXX";
    char cert[64], key[64], url[64];
    struct http_client *client;
    struct http_request_out request = { .method = "POST", .url = url, .body = "a=1", .body_len = 3 };
    uint64_t before;

    UNUSED(state);
    assert_non_null(mkdtemp(dir));
    snprintf(cert, sizeof cert, "%s/cert.pem", dir);
    snprintf(key, sizeof key, "%s/key.pem", dir);
    test_certificate(cert, key);
    start_with((struct http_server_opts){ .certificate_file = cert, .key_file = key, .timeout_s = 20 }, answer_at_once);
    snprintf(url, sizeof url, "https://127.0.0.1:%u/", port);
    ended = 0;
    assert_int_equal(0, http_client_create(&loop, &(struct http_client_opts){ .insecure = true }, &client));
    before = clock_mono_ms();
    for (unsigned i = 1; i <= 20; i++) {
        assert_int_equal(0, http_client_send(client, &request, on_reply, NULL, 1));
        while (ended < i)
            uv_run(&loop, UV_RUN_ONCE);
        if (outcome != HTTP_ANSWERED)
            fail_msg("%s", body);
        assert_string_equal("<a=1>", body);
    }
    assert_true(clock_mono_ms() - before < 5000);
    http_client_configure(client, &(struct http_client_opts){ 0 });
    assert_int_equal(0, http_client_send(client, &request, on_reply, NULL, 1));
    while (ended < 21)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(HTTP_NOT_SENT, outcome); /* the handshake came to nothing: no byte of the request left */
    assert_int_equal(20, handled);
    http_client_configure(client, &(struct http_client_opts){ .ca_file = cert });
    assert_int_equal(0, http_client_send(client, &request, on_reply, NULL, 1));
    while (ended < 22)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(HTTP_NOT_SENT, outcome); /* trusted, but made for another name */
    http_client_destroy(client);
    unlink(cert);
    unlink(key);
    rmdir(dir);
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_reaches_the_handler_whole),
        cmocka_unit_test(connections_are_kept_and_pipelines_answered),
        cmocka_unit_test(chunked_bodies_are_taken),
        cmocka_unit_test(malformed_requests_are_refused),
        cmocka_unit_test(large_bodies_are_refused_unread),
        cmocka_unit_test(refusal_reaches_a_peer_that_is_still_sending),
        cmocka_unit_test(stop_does_not_wait_for_peers_that_linger),
        cmocka_unit_test(live_limits_hold_for_the_next_request),
        cmocka_unit_test(answers_may_come_later),
        cmocka_unit_test(answer_from_a_timer_wakes_the_loop),
        cmocka_unit_test(peer_gone_before_the_answer_is_no_error),
        cmocka_unit_test(parked_exchanges_survive_destroy),
        cmocka_unit_test(the_handler_may_destroy),
        cmocka_unit_test(quiesce_finishes_what_is_there),
        cmocka_unit_test(abort_cuts_where_told),
        cmocka_unit_test(events_arrive_one_by_one),
        cmocka_unit_test(a_slow_reader_fills_up_and_is_dropped),
        cmocka_unit_test(open_streams_end_with_the_server),
        cmocka_unit_test(bad_options_say_why),
        cmocka_unit_test(an_inherited_socket_and_ipv6_work),
        cmocka_unit_test(tls_serves_and_strangers_are_not_trusted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
