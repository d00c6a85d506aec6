/* SPDX-License-Identifier: MIT */
/* test_simulator.c - the simulated service over real sockets, with our own HTTP client and a handler, on one loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "http/http.h"
#include "lab/lab.h"

static uv_loop_t loop;
static struct simulator *sim;
static struct http_server *handler;
static struct http_client *client;
static uint16_t sim_port, handler_port;
static int replies, last_status, callbacks, handler_status, handler_always;
static enum http_outcome last_outcome;
static char last_body[65536], last_callback[8192];
static bool timed_out;
static uv_timer_t guard;

static void on_handler(void *owner, struct http_exchange *exchange, const struct http_request_in *request)
{
    UNUSED(owner);
    callbacks++;
    (void)snprintf(last_callback, sizeof last_callback, "%.*s", (int)request->body_len, request->body);
    http_reply(exchange, handler_always != 0 ? handler_always : handler_status, "text/plain", "", 0);
    handler_status = 200;
}

static void on_reply(void *owner, uint64_t cookie, const struct http_reply_in *reply)
{
    UNUSED(owner);
    UNUSED(cookie);
    replies++;
    last_outcome = reply->outcome;
    last_status = reply->outcome == HTTP_ANSWERED ? reply->status : 0;
    (void)snprintf(last_body, sizeof last_body, "%s", reply->outcome == HTTP_ANSWERED ? reply->body : "");
}

static void on_guard(uv_timer_t *timer)
{
    UNUSED(timer);
    timed_out = true;
}

static void until(const int *counter, int wanted)
{
    timed_out = false;
    uv_update_time(&loop);
    (void)uv_timer_start(&guard, on_guard, 10000, 0);
    while (*counter < wanted && !timed_out)
        (void)uv_run(&loop, UV_RUN_ONCE);
    (void)uv_timer_stop(&guard);
    assert_false(timed_out);
}

static const char *ask(const char *method, const char *path, const char *body)
{
    char url[256];
    struct http_request_out request = { .method = method, .url = url, .body = body, .body_len = strlen(body) };
    int wanted = replies + 1;

    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u%s", sim_port, path);
    assert_int_equal(0, http_client_send(client, &request, on_reply, NULL, 0));
    until(&replies, wanted);
    return last_body;
}

static int setup(void **state)
{
    char why[256], url[128];
    struct http_server_opts server_opts = { .address = "127.0.0.1:0", .listen_fd = -1 };
    struct http_client_opts client_opts = { .timeout_ms = 5000 };
    struct simulator_opts opts = { .address = "127.0.0.1:0", .seed = 1, .callback_url = url };

    UNUSED(state);
    handler_status = 200;
    handler_always = 0;
    replies = callbacks = 0;
    assert_int_equal(0, uv_loop_init(&loop));
    (void)uv_timer_init(&loop, &guard);
    assert_int_equal(0, http_server_create(&loop, &server_opts, on_handler, NULL, &handler, &handler_port, why));
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/cb?charset=utf-8", handler_port);
    assert_int_equal(0, simulator_create(&loop, &opts, &sim, &sim_port, why));
    assert_int_equal(0, http_client_create(&loop, &client_opts, &client));
    return 0;
}

static int teardown(void **state)
{
    UNUSED(state);
    simulator_destroy(sim);
    http_client_destroy(client);
    http_server_destroy(handler);
    uv_close((uv_handle_t *)&guard, NULL);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    return uv_loop_close(&loop);
}

static void set(const char *login, const char *json)
{
    char why[256];

    assert_int_equal(0, simulator_behaviour_write(sim, login, json, strlen(json), why));
}

#define SEND "login=alex&psw=123&fmt=3&charset=utf-8&"

static void a_send_is_answered_and_its_status_called_back(void **state)
{
    UNUSED(state);
    assert_string_equal(ask("POST", "/sys/send.php", SEND "id=5&phones=79000000001&mes=a"),
                        "{\n\"id\": 5,\n\"cnt\": 1\n}");
    until(&callbacks, 1);
    assert_memory_equal(last_callback, "id=5&phone=79000000001&status=1&", 32);
    assert_non_null(strstr(ask("GET", "/lab/accepted", ""), "\"accepted\": 1,"));
    assert_non_null(strstr(ask("GET", "/lab/callbacks", ""), "\"answered\": 1,"));
}

static void a_callback_answered_500_is_repeated(void **state)
{
    char why[256];
    const char *fast = "{\"callback_repeat_s\": 240, \"time_factor\": 10000, \"delay_min_ms\": 0, \"delay_max_ms\": 0}";
    char first[8192];

    UNUSED(state);
    assert_int_equal(0, simulator_behaviour_write(sim, "", fast, strlen(fast), why));
    handler_status = 500;
    (void)ask("POST", "/sys/send.php", SEND "id=6&phones=79000000001&mes=a");
    until(&callbacks, 1);
    memcpy(first, last_callback, sizeof first);
    until(&callbacks, 2);
    assert_string_equal(first, last_callback);
    assert_non_null(strstr(ask("GET", "/lab/callbacks", ""), "\"repeated\": 1,"));
}

static void a_callback_is_tried_fifty_times_unless_it_is_404(void **state)
{
    UNUSED(state);
    /* every four minutes: 0.24 ms here */
    set("", "{\"time_factor\": 1000000, \"delay_min_ms\": 0, \"delay_max_ms\": 0}");
    handler_always = 500;
    (void)ask("POST", "/sys/send.php", SEND "id=6&phones=79000000001&mes=a");
    until(&callbacks, 50);
    while (strstr(ask("GET", "/lab/callbacks", ""), "\"given_up\": 1,") == NULL)
        assert_true(callbacks <= 50);
    assert_int_equal(50, callbacks);
    handler_always = 404;
    (void)ask("POST", "/sys/send.php", SEND "id=7&phones=79000000001&mes=b");
    until(&callbacks, 51);
    while (strstr(ask("GET", "/lab/callbacks", ""), "\"not_found\": 1,") == NULL)
        assert_int_equal(51, callbacks);
    assert_non_null(strstr(ask("GET", "/lab/callbacks", ""), "\"waiting_for_repeat\": 0,"));
}

static void faults_reach_the_client(void **state)
{
    UNUSED(state);
    (void)ask("POST", "/sys/send.php", SEND "id=1&phones=79000006001&mes=a");
    assert_int_equal(last_outcome, HTTP_UNKNOWN); /* accepted all the same */
    (void)ask("POST", "/sys/send.php", SEND "id=2&phones=79000006002&mes=a");
    assert_int_equal(last_outcome, HTTP_ANSWERED);
    assert_string_equal(last_body, "");
    (void)ask("POST", "/sys/send.php", SEND "id=3&phones=79000006003&mes=a");
    assert_int_equal(last_outcome, HTTP_UNKNOWN);
    (void)ask("POST", "/sys/send.php", SEND "id=4&phones=79000006500&mes=a");
    assert_int_equal(last_status, 500);
    assert_non_null(strstr(ask("GET", "/lab/accepted", ""), "\"accepted\": 3,"));
}

static void a_late_reply_comes_and_may_be_abandoned(void **state)
{
    char why[256];
    const char *slow = "{\"latency_min_ms\": 30, \"latency_max_ms\": 60}";

    UNUSED(state);
    assert_int_equal(0, simulator_behaviour_write(sim, "", slow, strlen(slow), why));
    assert_string_equal(ask("POST", "/sys/send.php", SEND "id=5&phones=79000000001&mes=a"),
                        "{\n\"id\": 5,\n\"cnt\": 1\n}");
    /* and one that never comes: the simulator goes away meanwhile (teardown) */
    struct http_request_out request = { .method = "POST", .body = SEND "id=6&phones=79000006004&mes=a" };
    char url[128];

    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/sys/send.php", sim_port);
    request.url = url;
    request.body_len = strlen(request.body);
    assert_int_equal(0, http_client_send(client, &request, on_reply, NULL, 0));
    until(&callbacks, 2); /* it was accepted */
}

static void bodies_travel_slowly_both_ways(void **state)
{
    UNUSED(state);
    set("", "{\"slow_reply\": 1, \"slow_bytes_s\": 200}");
    uv_update_time(&loop);
    uint64_t from = uv_now(&loop);
    assert_string_equal(ask("POST", "/sys/send.php", SEND "id=5&phones=79000000001&mes=a"),
                        "{\n\"id\": 5,\n\"cnt\": 1\n}"); /* 21 bytes: 105 ms at least */
    assert_true(uv_now(&loop) - from >= 100);
    set("", "{\"slow_reply\": 0, \"slow_read\": 1}");
    from = uv_now(&loop);
    assert_string_equal(ask("POST", "/sys/send.php", SEND "id=6&phones=79000000001&mes=b"),
                        "{\n\"id\": 6,\n\"cnt\": 1\n}"); /* 72 bytes: 360 ms */
    assert_true(uv_now(&loop) - from >= 350);
    /* on the way when everything ends: both must be let go (teardown) */
    set("", "{\"slow_reply\": 1, \"slow_bytes_s\": 1}");
    struct http_request_out request = { .method = "POST", .body = SEND "id=7&phones=79000000001&mes=c" };
    char url[128];

    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/sys/send.php", sim_port);
    request.url = url;
    request.body_len = strlen(request.body);
    assert_int_equal(0, http_client_send(client, &request, on_reply, NULL, 0));
    until(&callbacks, 2);
}

static void each_account_has_its_own_way_of_calling_back(void **state)
{
    const char *bob = "{\"login\": \"bob\", \"password\": \"p\", \"api_key\": \"k\"}";
    char why[256];

    UNUSED(state);
    set("", "{\"time_factor\": 1000, \"callback_repeat_s\": 80000, \"delay_max_ms\": 50}");
    assert_int_equal(0, simulator_add_account(sim, bob, strlen(bob), why));
    assert_int_equal(ERR_NOT_FOUND, simulator_behaviour_write(sim, "eve", "{}", 2, why));
    set("bob", "{\"callback_repeat_s\": 10}");
    handler_status = 500;
    (void)ask("POST", "/sys/send.php", SEND "id=6&phones=79000000001&mes=a");
    until(&callbacks, 1);
    handler_status = 500;
    /* its repeat, due in 10 ms, does not wait behind the other's, due in 80 s */
    (void)ask("POST", "/sys/send.php", "login=bob&psw=p&id=7&phones=79000000001&mes=a");
    until(&callbacks, 3);
    assert_non_null(strstr(last_callback, "id=7&"));
    assert_non_null(strstr(ask("GET", "/lab/callbacks?account=bob", ""), "\"sent\": 2, "));
    assert_non_null(strstr(ask("GET", "/lab/callbacks", ""), "\"sent\": 3, "));
    (void)ask("GET", "/lab/callbacks?account=eve", "");
    assert_int_equal(last_status, 404);
}

static void subscribers_write(void **state)
{
    UNUSED(state);
    assert_int_equal(0, simulator_incoming(sim, "", "79161234567", "", "Да", "5"));
    until(&callbacks, 1);
    assert_non_null(strstr(last_callback, "sms_id=5&phone=79161234567&mes=%D0%94%D0%B0&to=79037672215"));
    (void)ask("POST", "/lab/incoming", "{\"phone\": \"79161234567\", \"text\": \"no\"}");
    assert_int_equal(last_status, 200);
    until(&callbacks, 2);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_send_is_answered_and_its_status_called_back),    T(a_callback_answered_500_is_repeated),
        T(a_callback_is_tried_fifty_times_unless_it_is_404), T(faults_reach_the_client),
        T(a_late_reply_comes_and_may_be_abandoned),          T(bodies_travel_slowly_both_ways),
        T(each_account_has_its_own_way_of_calling_back),     T(subscribers_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
