/* SPDX-License-Identifier: MIT */
/*
 * bench_callbacks.c - the two ends of the way back, bare, so that what stands between them is measured.
 *
 *   bench_callbacks post FILE PORT CONNECTIONS     POSTs each line of FILE as a form to /smsc/callback
 *   bench_callbacks receive PORT BINDS COUNT       binds receivers and answers deliver_sm until COUNT have come
 *
 * Prints one line of JSON: rate, and for posts the time from request to answer. One request a connection at a time.
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/buf.h"

enum {
    LINE_BYTES = 4096,
    CONNS_MAX = 1000,
    IN_MAX = 1 << 20,
    PDU_HEAD = 16,
    DELIVER_SM = 5,
    DELIVER_SM_RESP = 0x80000005
};

struct conn {
    uv_tcp_t tcp;
    uv_connect_t connecting;
    uv_write_t writing;
    struct buf in, out;
    uint64_t asked_ns;
};

static uv_loop_t *loop;
static struct conn conns[CONNS_MAX];
static unsigned conn_count;
static uint64_t wanted, done, failed, first_ns, last_ns;
static char *(*lines);
static uint64_t line_count, line_next;
static uint32_t *took_us;
static bool posting;

static void finish(void)
{
    uv_stop(loop);
}

static void on_written(uv_write_t *write, int status)
{
    (void)write;
    if (status != 0 && status != UV_ECANCELED) {
        fprintf(stderr, "write: %s\n", uv_strerror(status));
        finish();
    }
}

static void send_out(struct conn *c)
{
    uv_buf_t b = uv_buf_init(c->out.data, (unsigned)c->out.len);
    int n = uv_try_write((uv_stream_t *)&c->tcp, &b, 1);

    if (n < 0 || (size_t)n < c->out.len) { /* small answers to a local reader: the socket's buffer takes them */
        b = uv_buf_init(c->out.data + (n < 0 ? 0 : n), (unsigned)(c->out.len - (size_t)(n < 0 ? 0 : n)));
        (void)uv_write(&c->writing, (uv_stream_t *)&c->tcp, &b, 1, on_written);
        return;
    }
    buf_clear(&c->out);
}

/* ---- posts ---- */

static void post_next(struct conn *c)
{
    if (line_next == line_count)
        return;
    const char *line = lines[line_next++];

    buf_clear(&c->out);
    buf_addf(&c->out,
             "POST /smsc/callback HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
             "Content-Length: %zu\r\n\r\n%s",
             strlen(line), line);
    c->asked_ns = uv_hrtime();
    if (first_ns == 0)
        first_ns = c->asked_ns;
    send_out(c);
}

/* Whole answers are short and come alone. */
static void read_answer(struct conn *c)
{
    const char *text = buf_text(&c->in), *end = strstr(text, "\r\n\r\n"), *length = strcasestr(text, "content-length:");

    if (end == NULL || length == NULL)
        return;
    size_t whole = (size_t)(end + 4 - text) + strtoul(length + 15, NULL, 10);
    if (c->in.len < whole)
        return;
    last_ns = uv_hrtime();
    took_us[done] = (uint32_t)((last_ns - c->asked_ns) / 1000);
    failed += strncmp(text, "HTTP/1.1 200", 12) != 0;
    buf_shift(&c->in, whole);
    if (++done == wanted)
        finish();
    else
        post_next(c);
}

/* ---- deliveries ---- */

static uint32_t word_at(const char *at)
{
    uint32_t v;

    memcpy(&v, at, sizeof v);
    return ntohl(v);
}

static void add_word(struct buf *out, uint32_t v)
{
    v = htonl(v);
    buf_add(out, &v, sizeof v);
}

static void bind_receiver(struct conn *c)
{
    static const char body[] = "demo\0demo\0\0\x34\0\0"; /* its last NUL ends address_range */

    add_word(&c->out, (uint32_t)(PDU_HEAD + sizeof body));
    add_word(&c->out, 1);
    add_word(&c->out, 0);
    add_word(&c->out, 1);
    buf_add(&c->out, body, sizeof body);
    send_out(c);
}

static void read_pdus(struct conn *c)
{
    size_t at = 0;

    while (c->in.len - at >= PDU_HEAD && c->in.len - at >= word_at(c->in.data + at)) {
        const char *pdu = c->in.data + at;

        at += word_at(pdu);
        if (word_at(pdu + 4) != DELIVER_SM)
            continue;
        last_ns = uv_hrtime();
        if (first_ns == 0)
            first_ns = last_ns;
        done++;
        add_word(&c->out, PDU_HEAD + 1);
        add_word(&c->out, DELIVER_SM_RESP);
        add_word(&c->out, 0);
        buf_add(&c->out, pdu + 12, 4);
        buf_addc(&c->out, '\0');
    }
    buf_shift(&c->in, at);
    if (c->out.len > 0)
        send_out(c);
    if (done >= wanted)
        finish();
}

/* ---- both ---- */

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *b)
{
    static char chunk[65536];

    (void)handle;
    (void)size;
    *b = uv_buf_init(chunk, sizeof chunk);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *b)
{
    struct conn *c = stream->data;

    if (n < 0) {
        fprintf(stderr, "closed: %s\n", uv_strerror((int)n));
        uv_read_stop(stream);
        finish();
        return;
    }
    buf_add(&c->in, b->base, (size_t)n);
    if (posting)
        read_answer(c);
    else
        read_pdus(c);
}

static void on_connected(uv_connect_t *connecting, int status)
{
    struct conn *c = connecting->handle->data;

    if (status != 0) {
        fprintf(stderr, "connect: %s\n", uv_strerror(status));
        finish();
        return;
    }
    (void)uv_tcp_nodelay(&c->tcp, 1);
    (void)uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
    if (posting)
        post_next(c);
    else
        bind_receiver(c);
}

static bool read_lines(const char *path)
{
    char line[LINE_BYTES];
    FILE *f = fopen(path, "r");
    uint64_t size = 0;

    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (line_count == size) {
            size = size == 0 ? 65536 : size * 2;
            lines = realloc(lines, size * sizeof *lines);
            if (lines == NULL)
                return false;
        }
        lines[line_count++] = strdup(line);
    }
    if (f != NULL)
        fclose(f);
    took_us = calloc(line_count + 1, sizeof *took_us);
    return line_count > 0 && took_us != NULL;
}

static int by_size(const void *a, const void *b)
{
    return (int)(*(const uint32_t *)a > *(const uint32_t *)b) - (int)(*(const uint32_t *)a < *(const uint32_t *)b);
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: bench_callbacks post FILE PORT CONNECTIONS | receive PORT BINDS COUNT\n");
        return 2;
    }
    posting = strcmp(argv[1], "post") == 0;
    if (posting && !read_lines(argv[2])) {
        fprintf(stderr, "%s: no lines\n", argv[2]);
        return 1;
    }
    unsigned port = (unsigned)strtoul(posting ? argv[3] : argv[2], NULL, 10);
    conn_count = (unsigned)strtoul(posting ? argv[4] : argv[3], NULL, 10);
    wanted = posting ? line_count : strtoull(argv[4], NULL, 10);
    if (conn_count < 1 || conn_count > CONNS_MAX || port > 65535)
        return 2;
    loop = uv_default_loop();
    struct sockaddr_in to;
    (void)uv_ip4_addr("127.0.0.1", (int)port, &to);
    for (unsigned i = 0; i < conn_count; i++) {
        struct conn *c = &conns[i];

        buf_init(&c->in, IN_MAX);
        buf_init(&c->out, IN_MAX);
        (void)uv_tcp_init(loop, &c->tcp);
        c->tcp.data = c;
        (void)uv_tcp_connect(&c->connecting, &c->tcp, (const struct sockaddr *)&to, on_connected);
    }
    (void)uv_run(loop, UV_RUN_DEFAULT);
    double seconds = (double)(last_ns - first_ns) / 1e9;
    printf("{\"count\": %llu, \"failed\": %llu, \"seconds\": %.3f, \"per_second\": %.0f", (unsigned long long)done,
           (unsigned long long)failed, seconds, seconds > 0 ? (double)done / seconds : 0);
    if (posting && done > 0) {
        qsort(took_us, done, sizeof *took_us, by_size);
        printf(", \"p50_ms\": %.2f, \"p99_ms\": %.2f, \"max_ms\": %.2f", took_us[done / 2] / 1000.0,
               took_us[done * 99 / 100] / 1000.0, took_us[done - 1] / 1000.0);
    }
    printf("}\n");
    return done == wanted && failed == 0 ? 0 : 1;
}
