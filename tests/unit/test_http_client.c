/* SPDX-License-Identifier: MIT */
/*
 * test_http_client.c - the client against servers that close, reset, cut, hang and overflow.
 *
 * Real sockets on the loopback, both ends on one loop; every wait is for an event, so time-outs only end a failure.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/client.h"
#include "tests/support/raw_server.h"

static uv_loop_t loop;
static struct raw_server server;
static struct http_client *client;

/* what the callbacks saw */
static unsigned ended, answered, not_sent, unknown;
static struct {
    enum http_outcome outcome;
    int status;
    char body[256];
    char why[256];
    uint64_t cookie;
} last;

static void on_reply(void *owner, uint64_t cookie, const struct http_reply_in *reply)
{
    UNUSED(owner);
    uv_stop(&loop); /* this may be the timer phase: do not wait for another event before looking */
    ended++;
    answered += reply->outcome == HTTP_ANSWERED;
    not_sent += reply->outcome == HTTP_NOT_SENT;
    unknown += reply->outcome == HTTP_UNKNOWN;
    last.outcome = reply->outcome;
    last.status = reply->status;
    last.cookie = cookie;
    snprintf(last.body, sizeof last.body, "%s", reply->outcome == HTTP_ANSWERED ? reply->body : "");
    assert_non_null(reply->why);
    snprintf(last.why, sizeof last.why, "%s", reply->why);
}

static void start(raw_request_fn *script, const struct http_client_opts *opts)
{
    ended = answered = not_sent = unknown = 0;
    memset(&last, 0, sizeof last);
    assert_int_equal(0, uv_loop_init(&loop));
    raw_server_start(&server, &loop, script);
    assert_int_equal(0, http_client_create(&loop, opts, &client));
}

static void stop(void)
{
    http_client_destroy(client);
    raw_server_stop(&server);
    while (uv_run(&loop, UV_RUN_DEFAULT) != 0) /* everything lets go, or the test hangs and the runner ends it */
        ;
    assert_int_equal(0, uv_loop_close(&loop));
}

static int send_to(const char *url, const char *method, const char *body, uint64_t cookie)
{
    struct http_request_out request = {
        .method = method, .url = url, .body = body, .body_len = body ? strlen(body) : 0
    };

    return http_client_send(client, &request, on_reply, NULL, cookie);
}

static int post(const char *path, const char *body, uint64_t cookie)
{
    char url[128];

    snprintf(url, sizeof url, "http://127.0.0.1:%u%s", server.port, path);
    return send_to(url, "POST", body, cookie);
}

static void run_until(unsigned count)
{
    while (ended < count)
        uv_run(&loop, UV_RUN_ONCE);
}

/* ---- plain work ---- */

static void echo(struct raw_conn *conn, const char *head, const char *body, size_t body_len)
{
    char text[128];

    assert_non_null(strcasestr(head, "\r\nHost: 127.0.0.1"));
    assert_null(strcasestr(head, "\r\nExpect:"));
    snprintf(text, sizeof text, "%.10s %.*s", head, (int)body_len, body);
    raw_answer(conn, text);
}

static void one_connection_serves_many_requests(void **state)
{
    UNUSED(state);
    start(echo, &(struct http_client_opts){ 0 });
    for (unsigned i = 1; i <= 50; i++) {
        char body[16];

        snprintf(body, sizeof body, "n=%u", i);
        assert_int_equal(0, post("/send", body, i));
        assert_int_equal(1, http_client_inflight(client));
        assert_int_equal(i - 1, ended); /* never from inside send */
        run_until(i);
        assert_int_equal(HTTP_ANSWERED, last.outcome);
        assert_int_equal(200, last.status);
        assert_int_equal(i, last.cookie);
        assert_string_equal(body, strchr(last.body + 6, ' ') + 1);
        assert_int_equal(0, http_client_inflight(client));
    }
    assert_int_equal(1, server.connections);
    stop();
}

static void see_form(struct raw_conn *conn, const char *head, const char *body, size_t body_len)
{
    UNUSED(body);
    if (strncmp(head, "GET ", 4) == 0) {
        assert_int_equal(0, body_len);
        assert_null(strcasestr(head, "\r\nContent-Type:"));
    } else {
        assert_non_null(strcasestr(head, "\r\nContent-Type: application/x-www-form-urlencoded\r\n"));
        assert_non_null(strcasestr(head, "\r\nContent-Length: "));
        assert_null(strcasestr(head, "\r\nTransfer-Encoding:"));
    }
    raw_answer(conn, "seen");
}

static void get_and_post_share_a_handle(void **state)
{
    char url[64];

    UNUSED(state);
    start(see_form, &(struct http_client_opts){ 0 });
    snprintf(url, sizeof url, "http://127.0.0.1:%u/x?y=1", server.port);
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(0, i % 2 ? send_to(url, "GET", NULL, i) : send_to(url, "POST", i == 4 ? "" : "a=1", i));
        run_until(i + 1);
        assert_int_equal(HTTP_ANSWERED, last.outcome);
    }
    assert_int_equal(6, server.requests);
    stop();
}

static void two_hundred_at_once_then_full(void **state)
{
    UNUSED(state);
    start(echo, &(struct http_client_opts){ .max_inflight = 200 });
    for (unsigned i = 0; i < 200; i++)
        assert_int_equal(0, post("/send", "a=1", i));
    assert_int_equal(ERR_FULL, post("/send", "a=1", 200));
    run_until(200);
    assert_int_equal(200, answered);
    assert_int_equal(200, server.requests);
    unsigned connections = server.connections;
    for (unsigned i = 0; i < 200; i++)
        assert_int_equal(0, post("/send", "a=1", i));
    run_until(400);
    assert_int_equal(400, answered);
    assert_int_equal(connections, server.connections); /* all kept, none opened anew */
    stop();
}

static unsigned chained;
static void send_another(void *owner, uint64_t cookie, const struct http_reply_in *reply)
{
    char url[64];
    struct http_request_out request = { .method = "POST", .url = url, .body = "a", .body_len = 1 };

    on_reply(owner, cookie, reply);
    if (++chained == 20)
        return;
    snprintf(url, sizeof url, "http://127.0.0.1:%u/", server.port);
    assert_int_equal(0, http_client_send(client, &request, send_another, NULL, cookie + 1));
    assert_string_equal("POST / HTT a", reply->body); /* the reply in hand stays whole */
}

static void callbacks_may_send(void **state)
{
    char url[64];
    struct http_request_out request = { .method = "POST", .url = url, .body = "a", .body_len = 1 };

    UNUSED(state);
    start(echo, &(struct http_client_opts){ .max_inflight = 1 });
    snprintf(url, sizeof url, "http://127.0.0.1:%u/", server.port);
    chained = 0;
    assert_int_equal(0, http_client_send(client, &request, send_another, NULL, 0));
    run_until(20);
    assert_int_equal(20, answered);
    assert_int_equal(1, server.connections);
    stop();
}

static void bad_requests_are_refused_at_once(void **state)
{
    UNUSED(state);
    start(echo, &(struct http_client_opts){ 0 });
    assert_int_equal(ERR_SYNTAX, send_to("ftp://127.0.0.1/", "POST", "a", 1));
    assert_int_equal(ERR_SYNTAX, send_to("http://", "POST", "a", 1));
    assert_int_equal(ERR_SYNTAX, send_to("http://127.0.0.1:99999/", "POST", "a", 1));
    assert_int_equal(ERR_SYNTAX, send_to("http://127.0.0.1/", "BREW", "a", 1));
    assert_int_equal(0, http_client_inflight(client));
    stop();
}

/* ---- a request is sent at most once ---- */

static void close_on_second(struct raw_conn *conn, const char *head, const char *body, size_t body_len)
{
    UNUSED(head);
    UNUSED(body);
    assert_int_equal(5, body_len);
    if (conn->requests == 2)
        raw_close(conn);
    else
        raw_answer(conn, "ok");
}

static void reset_on_second(struct raw_conn *conn, const char *head, const char *body, size_t body_len)
{
    UNUSED(head);
    UNUSED(body);
    UNUSED(body_len);
    if (conn->requests == 2)
        raw_reset(conn);
    else
        raw_answer(conn, "ok");
}

/* Reads the second request of each connection whole, then closes without a byte: libcurl would send it again. */
static void nothing_is_sent_twice(raw_request_fn *script, const char *method, const char *body)
{
    char url[64];

    start(script, &(struct http_client_opts){ 0 });
    snprintf(url, sizeof url, "http://127.0.0.1:%u/send", server.port);
    for (unsigned i = 1; i <= 200; i++) {
        assert_int_equal(0, send_to(url, method, body, i));
        run_until(i);
        assert_int_equal(i, server.requests);
    }
    assert_int_equal(200, server.requests);
    assert_int_equal(100, answered);
    assert_int_equal(100, unknown);
    assert_string_equal("the connection died after the request had left; not repeated", last.why);
    stop();
}

static void a_post_is_never_repeated(void **state)
{
    UNUSED(state);
    nothing_is_sent_twice(close_on_second, "POST", "a=123");
}

static void a_post_is_never_repeated_after_a_reset(void **state)
{
    UNUSED(state);
    nothing_is_sent_twice(reset_on_second, "POST", "a=123");
}

static void neither_is_one_without_body(void **state)
{
    UNUSED(state);
    nothing_is_sent_twice(reset_on_second, "POST", "");
    nothing_is_sent_twice(reset_on_second, "GET", NULL);
}

static void a_large_post_is_never_repeated(void **state)
{
    size_t len = 3 << 20; /* more than libcurl sends with the head, and more than a socket takes at once */
    char *body = malloc(len + 1);

    UNUSED(state);
    memset(body, 'x', len);
    body[len] = '\0';
    start(reset_on_second, &(struct http_client_opts){ 0 });
    for (unsigned i = 1; i <= 20; i++) {
        assert_int_equal(0, post("/", body, i));
        run_until(i);
        assert_int_equal(i, server.requests);
    }
    assert_int_equal(10, answered);
    assert_int_equal(10, unknown);
    stop();
    free(body);
}

static void many_at_once_are_never_repeated(void **state)
{
    UNUSED(state);
    start(close_on_second, &(struct http_client_opts){ 0 });
    for (unsigned round = 1; round <= 10; round++) {
        for (unsigned i = 0; i < 20; i++)
            assert_int_equal(0, post("/", "a=123", i));
        run_until(round * 20);
    }
    assert_int_equal(200, ended);
    assert_int_equal(200, server.requests);
    assert_int_equal(0, not_sent);
    stop();
}

/* ---- never sent, or perhaps sent ---- */

static void refused_connection_is_not_sent(void **state)
{
    UNUSED(state);
    start(echo, &(struct http_client_opts){ 0 });
    uv_close((uv_handle_t *)&server.tcp, NULL);
    uv_run(&loop, UV_RUN_NOWAIT);
    assert_int_equal(0, post("/", "a=1", 7));
    run_until(1);
    assert_int_equal(HTTP_NOT_SENT, last.outcome);
    assert_int_equal(7, last.cookie);
    assert_true(last.why[0] != '\0');
    stop();
}

static void unknown_name_is_not_sent(void **state)
{
    char url[128] = "http://";

    UNUSED(state);
    memset(url + 7, 'a', 70); /* longer than a label may be: fails without asking a name server */
    start(echo, &(struct http_client_opts){ 0 });
    assert_int_equal(0, send_to(url, "POST", "a=1", 1));
    run_until(1);
    assert_int_equal(HTTP_NOT_SENT, last.outcome);
    stop();
}

static void garble(struct raw_conn *conn, const char *head, const char *body, size_t body_len)
{
    UNUSED(conn);
    UNUSED(head);
    UNUSED(body);
    UNUSED(body_len);
    fail_msg("a request came through a handshake that was never finished");
}

static void failed_handshake_is_not_sent(void **state)
{
    char url[64];

    UNUSED(state);
    start(garble, &(struct http_client_opts){ .connect_timeout_ms = 50 });
    snprintf(url, sizeof url, "https://127.0.0.1:%u/", server.port);
    assert_int_equal(0, send_to(url, "POST", "a=1", 1)); /* the server never answers the ClientHello */
    run_until(1);
    assert_int_equal(HTTP_NOT_SENT, last.outcome);
    stop();
}

static void refused_proxy_is_not_sent(void **state)
{
    struct raw_server proxy;
    char address[64];

    UNUSED(state);
    start(echo, &(struct http_client_opts){ 0 });
    raw_server_start(&proxy, &loop, echo);
    snprintf(address, sizeof address, "http://127.0.0.1:%u", proxy.port);
    raw_server_stop(&proxy);
    uv_run(&loop, UV_RUN_NOWAIT);
    http_client_configure(client, &(struct http_client_opts){ .proxy = address });
    assert_int_equal(0, post("/", "a=1", 1));
    run_until(1);
    assert_int_equal(HTTP_NOT_SENT, last.outcome);
    assert_int_equal(0, server.requests);
    http_client_configure(client, &(struct http_client_opts){ 0 });
    assert_int_equal(0, post("/", "a=1", 1));
    run_until(2);
    assert_int_equal(HTTP_ANSWERED, last.outcome);
    stop();
}

static void refuse_tunnel(struct raw_conn *conn, const char *head, const char *body, size_t body_len)
{
    UNUSED(body);
    UNUSED(body_len);
    assert_int_equal(0, strncmp(head, "CONNECT ", 8));
    raw_write(conn, "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", 39);
}

static void refused_tunnel_is_not_sent(void **state)
{
    char address[64];

    UNUSED(state);
    start(refuse_tunnel, &(struct http_client_opts){ 0 });
    snprintf(address, sizeof address, "http://127.0.0.1:%u", server.port);
    http_client_configure(client, &(struct http_client_opts){ .proxy = address });
    assert_int_equal(0, send_to("https://smsc.example/", "POST", "a=1", 1));
    run_until(1);
    assert_int_equal(HTTP_NOT_SENT, last.outcome); /* the CONNECT left, the request did not */
    stop();
}

static void wants_login(struct raw_conn *conn, const char *head, const char *body, size_t body_len)
{
    UNUSED(head);
    UNUSED(body);
    UNUSED(body_len);
    raw_write(conn, "HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n", 39);
}

/* The proxy has had the whole request, and passes it on to nobody; without a proxy 407 is an answer like any other. */
static void what_a_proxy_refuses_is_not_sent(void **state)
{
    char address[64];

    UNUSED(state);
    start(wants_login, &(struct http_client_opts){ 0 });
    assert_int_equal(0, post("/", "a=1", 1));
    run_until(1);
    assert_int_equal(HTTP_ANSWERED, last.outcome);
    assert_int_equal(407, last.status);
    snprintf(address, sizeof address, "http://u:p@127.0.0.1:%u", server.port);
    http_client_configure(client, &(struct http_client_opts){ .proxy = address });
    assert_int_equal(0, send_to("http://smsc.example/", "POST", "a=1", 1));
    run_until(2);
    assert_int_equal(HTTP_NOT_SENT, last.outcome);
    stop();
}

static void by_path(struct raw_conn *conn, const char *head, const char *body, size_t body_len)
{
    static const char half_head[] = "HTTP/1.1 200 OK\r\nContent-Le";
    static const char cut[] = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this";
    static const char large[] = "HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n";
    static const char odd[] = "SMTP ready\r\n\r\n";
    static const char moved[] = "HTTP/1.1 302 Found\r\nLocation: /moved\r\nContent-Length: 0\r\n\r\n";
    static char filling[2000];

    UNUSED(body);
    UNUSED(body_len);
    if (strstr(head, " /half ")) {
        raw_write(conn, half_head, sizeof half_head - 1);
        raw_close(conn);
    } else if (strstr(head, " /reset ")) {
        raw_reset(conn);
    } else if (strstr(head, " /cut ")) {
        raw_write(conn, cut, sizeof cut - 1);
        raw_close(conn);
    } else if (strstr(head, " /large ")) {
        memset(filling, 'x', sizeof filling);
        raw_write(conn, large, sizeof large - 1);
        raw_write(conn, filling, sizeof filling);
    } else if (strstr(head, " /odd ")) {
        raw_write(conn, odd, sizeof odd - 1);
    } else if (strstr(head, " /moved ")) {
        raw_write(conn, moved, sizeof moved - 1);
    } else if (!strstr(head, " /hang ")) {
        raw_answer(conn, "ok");
    }
}

static void whatever_may_have_been_read_is_unknown(void **state)
{
    static const char *const paths[] = { "/half", "/reset", "/cut", "/hang", "/large", "/odd" };

    UNUSED(state);
    start(by_path, &(struct http_client_opts){ .timeout_ms = 100, .max_reply_bytes = 1000 });
    for (unsigned i = 0; i < ARRAY_LEN(paths); i++) {
        assert_int_equal(0, post(paths[i], "a=1", i));
        run_until(i + 1);
        if (last.outcome != HTTP_UNKNOWN)
            fail_msg("%s: outcome %d, %s", paths[i], last.outcome, last.why);
        assert_int_equal(i + 1, server.requests);
    }
    assert_int_equal(0, post("/ok", "a=1", 99)); /* and the client lives on */
    run_until(ARRAY_LEN(paths) + 1);
    assert_int_equal(HTTP_ANSWERED, last.outcome);
    stop();
}

static void redirects_are_answers(void **state)
{
    UNUSED(state);
    start(by_path, &(struct http_client_opts){ 0 });
    assert_int_equal(0, post("/moved", "a=1", 1));
    run_until(1);
    assert_int_equal(HTTP_ANSWERED, last.outcome);
    assert_int_equal(302, last.status);
    assert_int_equal(1, server.requests);
    stop();
}

static void connections_closed_while_idle_cost_nothing(void **state)
{
    UNUSED(state);
    start(echo, &(struct http_client_opts){ 0 });
    for (unsigned i = 1; i <= 20; i++) {
        assert_int_equal(0, post("/", "a=1", i));
        run_until(i);
        assert_int_equal(HTTP_ANSWERED, last.outcome);
        raw_close_all(&server);
        uv_run(&loop, UV_RUN_NOWAIT);
        uv_run(&loop, UV_RUN_NOWAIT);
    }
    assert_int_equal(20, server.requests);
    stop();
}

static void closing_race_is_reported_honestly(void **state)
{
    UNUSED(state);
    start(echo, &(struct http_client_opts){ 0 });
    for (unsigned i = 1; i <= 50; i++) {
        assert_int_equal(0, post("/", "a=1", i));
        raw_close_all(&server); /* in the same turn: the close may overtake the request */
        run_until(i);
        assert_true(server.requests <= i);
    }
    assert_int_equal(answered, server.requests); /* each request that came through was answered, once */
    assert_int_equal(50, answered + unknown + not_sent);
    stop();
}

/* ---- the end ---- */

static void destroy_ends_what_is_under_way(void **state)
{
    UNUSED(state);
    start(by_path, &(struct http_client_opts){ 0 });
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(0, post("/hang", "a=1", i));
    while (server.requests < 5)
        uv_run(&loop, UV_RUN_ONCE);
    http_client_destroy(client);
    assert_int_equal(5, unknown);
    client = NULL;
    stop();
}

static void destroy_in_callback(void *owner, uint64_t cookie, const struct http_reply_in *reply)
{
    on_reply(owner, cookie, reply);
    http_client_destroy(client);
}

static void a_callback_may_destroy(void **state)
{
    char url[64];
    struct http_request_out request = { .method = "POST", .url = url, .body = "a", .body_len = 1 };

    UNUSED(state);
    start(echo, &(struct http_client_opts){ 0 });
    snprintf(url, sizeof url, "http://127.0.0.1:%u/", server.port);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(0, http_client_send(client, &request, destroy_in_callback, NULL, i));
    run_until(3);
    client = NULL;
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_connection_serves_many_requests),
        cmocka_unit_test(get_and_post_share_a_handle),
        cmocka_unit_test(two_hundred_at_once_then_full),
        cmocka_unit_test(callbacks_may_send),
        cmocka_unit_test(bad_requests_are_refused_at_once),
        cmocka_unit_test(a_post_is_never_repeated),
        cmocka_unit_test(a_post_is_never_repeated_after_a_reset),
        cmocka_unit_test(neither_is_one_without_body),
        cmocka_unit_test(a_large_post_is_never_repeated),
        cmocka_unit_test(many_at_once_are_never_repeated),
        cmocka_unit_test(refused_connection_is_not_sent),
        cmocka_unit_test(unknown_name_is_not_sent),
        cmocka_unit_test(failed_handshake_is_not_sent),
        cmocka_unit_test(refused_proxy_is_not_sent),
        cmocka_unit_test(what_a_proxy_refuses_is_not_sent),
        cmocka_unit_test(refused_tunnel_is_not_sent),
        cmocka_unit_test(whatever_may_have_been_read_is_unknown),
        cmocka_unit_test(redirects_are_answers),
        cmocka_unit_test(connections_closed_while_idle_cost_nothing),
        cmocka_unit_test(closing_race_is_reported_honestly),
        cmocka_unit_test(destroy_ends_what_is_under_way),
        cmocka_unit_test(a_callback_may_destroy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
