/* SPDX-License-Identifier: MIT */
/*
 * bench_smpp.c - submit_sm per second between our client and our server on loopback.
 *
 * Two processes, one loop each, so each side may have a core. The server answers at once with a message id; no store and
 * no HTTP: this is the ceiling the SMPP room sets. Prints one line per number of binds and window.
 * Usage: bench_smpp [seconds per line, default 1] [tls certificate key]
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "smpp/client.h"
#include "smpp/server.h"

static double cpu_seconds(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* ---- the server's process ---- */

static uint32_t on_bind(void *owner, const struct smpp_bind *bind, const struct smpp_session_info *session,
                        struct smpp_grant *grant)
{
    UNUSED(owner);
    UNUSED(bind);
    UNUSED(session);
    grant->window = 10000;
    return STATUS_ROK;
}

static void on_bound(void *owner, const struct smpp_session_info *session)
{
    UNUSED(owner);
    UNUSED(session);
}

static void on_unbound(void *owner, const struct smpp_session_info *session, const char *why)
{
    UNUSED(owner);
    UNUSED(session);
    UNUSED(why);
}

static uint32_t on_request(void *owner, const struct smpp_ticket *ticket, const struct smpp_session_info *session,
                           const struct smpp_pdu *pdu)
{
    struct smpp_server **server = owner;

    UNUSED(session);
    UNUSED(pdu);
    return smpp_answer(*server, ticket, STATUS_ROK, "100000000000000001") == 0 ? SMPP_LATER : STATUS_RSYSERR;
}

static void on_deliver_end(void *owner, const struct smpp_session_info *session, uint64_t cookie,
                           enum smpp_deliver_end how, uint32_t status)
{
    UNUSED(owner);
    UNUSED(session);
    UNUSED(cookie);
    UNUSED(how);
    UNUSED(status);
}

struct reporter {
    uv_pipe_t pipe;
    int answer_fd;
    char byte[16];
};

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct reporter *r = handle->data;

    UNUSED(suggested);
    *out = uv_buf_init(r->byte, sizeof r->byte);
}

/* The client's process asks for our CPU time with a byte. */
static void on_ask(uv_stream_t *stream, ssize_t n, const uv_buf_t *data)
{
    struct reporter *r = stream->data;
    double cpu = cpu_seconds();

    UNUSED(data);
    if (n < 0)
        exit(0);
    if (n > 0 && write(r->answer_fd, &cpu, sizeof cpu) != sizeof cpu)
        exit(1);
}

static void serve(int ask_fd, int answer_fd, const char *certificate, const char *key)
{
    static const struct smpp_server_ops ops = { .on_bind = on_bind,
                                                .on_bound = on_bound,
                                                .on_unbound = on_unbound,
                                                .on_request = on_request,
                                                .on_deliver_end = on_deliver_end };
    struct smpp_server_opts opts = { .system_id = "bench" };
    struct smpp_server *server = NULL;
    struct reporter reporter = { .answer_fd = answer_fd };
    const char *why = "";
    char tls_why[256] = "";
    uv_loop_t loop;
    uint16_t port = 0;

    uv_loop_init(&loop);
    if (smpp_server_create(&loop, &opts, &ops, &server, &server) != 0 ||
        (certificate != NULL && smpp_server_tls(server, certificate, key, NULL, tls_why) != 0) ||
        smpp_server_listen(server, "127.0.0.1:0", certificate != NULL, &port, &why) != 0) {
        fprintf(stderr, "server: %s %s\n", why, tls_why);
        exit(1);
    }
    if (write(answer_fd, &port, sizeof port) != sizeof port)
        exit(1);
    uv_pipe_init(&loop, &reporter.pipe, 0);
    reporter.pipe.data = &reporter;
    uv_pipe_open(&reporter.pipe, ask_fd);
    uv_read_start((uv_stream_t *)&reporter.pipe, on_alloc, on_ask);
    uv_run(&loop, UV_RUN_DEFAULT);
    exit(0);
}

/* ---- the client's process ---- */

struct run {
    uint64_t answered, bound, closed;
    uint64_t round_trip_ns; /* sum, by cookie */
    bool stop;
};

struct bind {
    struct run *run;
    struct smpp_client *client;
};

static void send_more(struct bind *b)
{
    static const uint8_t text[] =
        "The quick brown fox jumps over the lazy dog and comes back to see what the dog thinks "
        "about it; a hundred and forty characters in all.";
    struct smpp_pdu pdu = { .command_id = CMD_SUBMIT_SM, .has_body = true };
    uint64_t now_ns = clock_mono_ns();

    pdu.sm.source.addr = smpp_str("SENDER");
    pdu.sm.dest.addr = smpp_str("79001234567");
    pdu.sm.registered_delivery = REG_RECEIPT;
    pdu.sm.short_message = (struct bytes){ text, sizeof text - 1 };
    while (!b->run->stop && smpp_client_room(b->client) > 0) {
        if (smpp_client_send(b->client, &pdu, now_ns) != 0)
            break;
    }
}

static void client_bound(void *owner, uint32_t status)
{
    struct bind *b = owner;

    if (status != STATUS_ROK) {
        fprintf(stderr, "bind refused: 0x%x\n", status);
        exit(1);
    }
    b->run->bound++;
    send_more(b);
}

static void client_response(void *owner, uint64_t cookie, enum smpp_deliver_end how, uint32_t status,
                            const struct smpp_pdu *response)
{
    struct run *run = ((struct bind *)owner)->run;

    UNUSED(response);
    if (how != SMPP_DELIVER_ANSWERED || status != STATUS_ROK)
        return;
    run->answered++;
    run->round_trip_ns += clock_mono_ns() - cookie;
}

static uint32_t client_deliver(void *owner, const struct smpp_pdu *pdu)
{
    UNUSED(owner);
    UNUSED(pdu);
    return STATUS_ROK;
}

static void client_room(void *owner)
{
    send_more(owner);
}

static void client_closed(void *owner, const char *why)
{
    struct bind *b = owner;

    b->run->closed++;
    if (!b->run->stop) {
        fprintf(stderr, "connection ended: %s\n", why);
        exit(1);
    }
}

static double server_cpu(int ask_fd, int answer_fd)
{
    double cpu = 0;

    if (write(ask_fd, "?", 1) != 1 || read(answer_fd, &cpu, sizeof cpu) != sizeof cpu)
        exit(1);
    return cpu;
}

static void measure(uint16_t port, bool tls, unsigned binds, unsigned window, double seconds, int ask_fd, int answer_fd)
{
    static const struct smpp_client_ops ops = { client_bound, client_response, client_deliver, client_room,
                                                client_closed };
    struct smpp_client_opts opts = { .host = "127.0.0.1",
                                     .port = port,
                                     .tls = tls,
                                     .system_id = "bench",
                                     .password = "pw",
                                     .type = SMPP_BIND_TX,
                                     .window = window };
    struct run run = { 0 };
    struct bind *bind = calloc(binds, sizeof *bind);
    uv_loop_t loop;

    if (bind == NULL)
        exit(1);
    uv_loop_init(&loop);
    for (unsigned i = 0; i < binds; i++) {
        bind[i].run = &run;
        if (smpp_client_create(&loop, &opts, &ops, &bind[i], &bind[i].client) != 0)
            exit(1);
    }
    while (run.bound < binds)
        uv_run(&loop, UV_RUN_ONCE);

    uint64_t start_ns = clock_mono_ns(), before = run.answered;
    uint64_t rtt_before = run.round_trip_ns;
    double cpu = cpu_seconds(), cpu_server = server_cpu(ask_fd, answer_fd);

    while ((double)(clock_mono_ns() - start_ns) < seconds * 1e9)
        uv_run(&loop, UV_RUN_ONCE);

    double passed = (double)(clock_mono_ns() - start_ns) / 1e9;
    double answered = (double)(run.answered - before);

    cpu = cpu_seconds() - cpu;
    cpu_server = server_cpu(ask_fd, answer_fd) - cpu_server;
    printf("%5u binds  window %4u  %9.0f submit_sm/s  round trip %7.3f ms  server %5.2f us/PDU  client %5.2f us/PDU\n",
           binds, window, answered / passed, (double)(run.round_trip_ns - rtt_before) / answered / 1e6,
           cpu_server / answered * 1e6, cpu / answered * 1e6);
    fflush(stdout);
    run.stop = true;
    for (unsigned i = 0; i < binds; i++)
        smpp_client_destroy(bind[i].client);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    free(bind);
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 1;
    bool tls = argc > 3;
    int ask[2], answer[2];
    uint16_t port;

    if (seconds <= 0 || seconds > 60 || pipe(ask) != 0 || pipe(answer) != 0)
        return 2;

    pid_t child = fork();

    if (child < 0)
        return 1;
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(ask[1]);
        close(answer[0]);
        serve(ask[0], answer[1], tls ? argv[2] : NULL, tls ? argv[3] : NULL);
    }
    close(ask[0]);
    close(answer[1]);
    if (read(answer[0], &port, sizeof port) != sizeof port)
        return 1;
    for (unsigned binds = 1; binds <= 10; binds *= 10) {
        for (unsigned window = 1; window <= 100; window *= 10)
            measure(port, tls, binds, window, seconds, ask[1], answer[0]);
    }
    close(ask[1]); /* the server ends with it */
    waitpid(child, NULL, 0);
    return 0;
}
