/* SPDX-License-Identifier: MIT */
/*
 * bench_http.c - what a request costs: the client against a bare sink, the server against a bare client.
 *
 *   bench_http client PORT [seconds [connections [body bytes]]]    against tests/bench/sink
 *   bench_http server [seconds [connections]]                      forks its own load
 *
 * The figure to trust is the CPU time per request of the measured process, not the rate: the load shares the machine.
 */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "base/buf.h"
#include "base/clock.h"
#include "http/client.h"
#include "http/form.h"
#include "http/server.h"

static uv_loop_t *loop;
static uint64_t done, failed, end_ns;

static double cpu_us(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static void report(const char *what, uint64_t requests, double seconds, double cpu)
{
    printf("%-28s %9.0f requests/s  %6.2f CPU us/request  %8.0f requests/s per core\n", what,
           (double)requests / seconds, cpu / (double)requests, (double)requests * 1e6 / cpu);
}

/* ---- client ---- */

static struct http_client *client;
static char url[64];
static struct buf body;

static void post(void);

static void on_reply(void *owner, uint64_t cookie, const struct http_reply_in *reply)
{
    UNUSED(owner);
    UNUSED(cookie);
    done++;
    if (reply->outcome != HTTP_ANSWERED || reply->status != 200)
        failed++;
    if (clock_mono_ns() < end_ns)
        post();
    else if (http_client_inflight(client) == 0)
        uv_stop(loop);
}

static void post(void)
{
    struct http_request_out request = { .method = "POST", .url = url, .body = body.data, .body_len = body.len };

    if (http_client_send(client, &request, on_reply, NULL, 0) != 0)
        abort();
}

static int bench_client(unsigned port, double seconds, unsigned connections, size_t bytes)
{
    uint64_t start;
    double cpu;

    buf_init(&body, bytes + 1024);
    buf_adds(&body, "id=1&phones=79990000001&mes=");
    while (body.len < bytes)
        buf_addc(&body, 'x');
    snprintf(url, sizeof url, "http://127.0.0.1:%u/sys/send.php", port);
    if (http_client_create(loop, &(struct http_client_opts){ .max_inflight = connections }, &client) != 0)
        return 1;
    start = clock_mono_ns();
    end_ns = start + (uint64_t)(seconds * 1e9);
    cpu = cpu_us();
    for (unsigned i = 0; i < connections; i++)
        post();
    uv_run(loop, UV_RUN_DEFAULT);
    report("client", done, (double)(clock_mono_ns() - start) / 1e9, cpu_us() - cpu);
    printf("%llu failed\n", (unsigned long long)failed);
    http_client_destroy(client);
    uv_run(loop, UV_RUN_DEFAULT);
    buf_finish(&body);
    return failed > 0;
}

/* ---- server ---- */

enum { PARKED_MAX = 4096 };
static struct http_exchange *parked[PARKED_MAX];
static unsigned parked_count;
static uv_check_t check;
static bool is_late;

static void answer_parked(uv_check_t *handle)
{
    UNUSED(handle);
    for (unsigned i = 0; i < parked_count; i++)
        http_reply(parked[i], 200, "text/plain", "SUCCESS", 7);
    parked_count = 0;
}

static void handle(void *owner, struct http_exchange *x, const struct http_request_in *r)
{
    struct http_params p;

    UNUSED(owner);
    done++;
    http_params_init(&p);
    if (http_params_read_form(&p, r->body, r->body_len) != 0 || http_params_get(&p, "phone") == NULL)
        failed++;
    http_params_finish(&p);
    if (is_late && parked_count < PARKED_MAX)
        parked[parked_count++] = x;
    else
        http_reply(x, 200, "text/plain", "SUCCESS", 7);
}

/* The load: one request after the other on each connection, all in one blocking process. */
static void load(unsigned port, unsigned connections)
{
    static const char content[] =
        "id=123456789012345678&phone=79990000001&status=1&time=18.10.16+15%3A34%3A12&ts=1476794052"
        "&err=0&cnt=1&type=0&cost=1.5&sha1=7c92894215c8e18e09a93f5f94589437945e5c00";
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    char request[1024], in[4096];
    int fds[1024];
    int n = snprintf(request, sizeof request,
                     "POST /status HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/x-www-form-urlencoded\r\n"
                     "Content-Length: %zu\r\n\r\n%s",
                     sizeof content - 1, content);

    for (unsigned i = 0; i < connections; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM, 0);
        if (fds[i] < 0 || connect(fds[i], (struct sockaddr *)&to, sizeof to) < 0)
            exit(1);
    }
    for (;;) {
        for (unsigned i = 0; i < connections; i++) {
            if (send(fds[i], request, (size_t)n, MSG_NOSIGNAL) != n)
                exit(0);
        }
        for (unsigned i = 0; i < connections; i++) {
            if (recv(fds[i], in, sizeof in, 0) <= 0)
                exit(0);
        }
    }
}

static void on_end(uv_timer_t *timer)
{
    UNUSED(timer);
    uv_stop(loop);
}

static int bench_server(const char *what, double seconds, unsigned connections)
{
    struct http_server *server;
    struct http_server_opts opts = { .address = "127.0.0.1:0", .listen_fd = -1 };
    uv_timer_t timer;
    uint16_t port;
    char why[256];
    uint64_t start;
    double cpu;
    pid_t child;

    if (http_server_create(loop, &opts, handle, NULL, &server, &port, why) != 0) {
        fprintf(stderr, "%s\n", why);
        return 1;
    }
    child = fork();
    if (child == 0)
        load(port, connections);
    done = failed = 0;
    uv_timer_init(loop, &timer);
    uv_timer_start(&timer, on_end, (uint64_t)(seconds * 1e3), 0);
    start = clock_mono_ns();
    cpu = cpu_us();
    uv_run(loop, UV_RUN_DEFAULT);
    report(what, done, (double)(clock_mono_ns() - start) / 1e9, cpu_us() - cpu);
    kill(child, SIGTERM);
    waitpid(child, NULL, 0);
    http_server_destroy(server);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(loop, UV_RUN_NOWAIT);
    uv_run(loop, UV_RUN_NOWAIT);
    return failed > 0;
}

static double argument(int argc, char **argv, int at, double otherwise)
{
    return argc > at ? strtod(argv[at], NULL) : otherwise;
}

int main(int argc, char **argv)
{
    loop = uv_default_loop();
    if (argc > 2 && strcmp(argv[1], "client") == 0)
        return bench_client((unsigned)strtoul(argv[2], NULL, 10), argument(argc, argv, 3, 2),
                            (unsigned)argument(argc, argv, 4, 14), (size_t)argument(argc, argv, 5, 200));
    if (argc > 1 && strcmp(argv[1], "server") == 0) {
        unsigned connections = (unsigned)argument(argc, argv, 3, 64);
        double seconds = argument(argc, argv, 2, 2);

        if (connections > 1000)
            connections = 1000;
        uv_check_init(loop, &check);
        uv_check_start(&check, answer_parked);
        uv_unref((uv_handle_t *)&check);
        int bad = bench_server("server, answered at once", seconds, connections);
        is_late = true;
        return bench_server("server, answered a turn later", seconds, connections) | bad;
    }
    fprintf(stderr, "usage: bench_http client PORT [seconds [connections [bytes]]] | server [seconds [connections]]\n");
    return 2;
}
