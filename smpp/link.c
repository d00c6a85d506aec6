/* SPDX-License-Identifier: MIT */
/*
 * link.c - bytes of one connection, in and out.
 *
 * In: socket -> PROXY header -> TLS -> framer -> ops->on_pdu. Out: out -> TLS -> one uv_try_write per loop turn, and what
 * does not go becomes one uv_write; until that is done new output gathers. No memory a caller up the stack may stand on
 * is freed before libuv has called back for everything: see released().
 */
#include "smpp/link.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/net.h"
#include "smpp/proxy.h"

enum {
    HARD_CEILING_EXTRA = 64 * 1024, /* above twice max_output_bytes: answers owed when the pause began */
    PLAIN_BYTES = 16 * 1024         /* one TLS record */
};

struct smpp_link_write {
    uv_write_t req;
    struct smpp_link *link;
    struct buf data;
    size_t gone; /* went by uv_try_write before */
};

#define LINK_OF(member, at) ((struct smpp_link *)((char *)(at)-offsetof(struct smpp_link, member)))

static void input(struct smpp_link *link, const uint8_t *in, size_t len);
static void flush(struct smpp_chore *chore);
static void resume(struct smpp_chore *chore);
static void start_reading(struct smpp_link *link);
static bool push(struct smpp_link *link);

int smpp_link_init(struct smpp_link *link, struct smpp_turn *turn, const struct smpp_link_ops *ops,
                   size_t max_output_bytes, uint32_t max_pdu_bytes)
{
    memset(link, 0, sizeof *link);
    link->ops = ops;
    link->turn = turn;
    link->max_output_bytes = max_output_bytes == 0 ? SMPP_OUTPUT_DEFAULT : max_output_bytes;
    buf_init(&link->out, link->max_output_bytes * 2 + HARD_CEILING_EXTRA);
    buf_init(&link->cipher, SIZE_MAX / 4); /* bounded by what is given to it: out */
    buf_init(&link->held, SIZE_MAX / 4);   /* bounded by the read buffer: reading stops while something is held */
    smpp_framer_init(&link->framer, max_pdu_bytes);
    link->flush.run = flush;
    link->resume.run = resume;
    if (uv_tcp_init(smpp_turn_loop(turn), &link->tcp) != 0)
        return ERR_IO;
    link->tcp.data = link;
    link->pending = 1;
    return 0;
}

/* ---- the end ---- */

static void released(struct smpp_link *link)
{
    if (--link->pending > 0)
        return;
    smpp_framer_finish(&link->framer);
    smpp_tls_destroy(link->tls);
    buf_finish(&link->out);
    buf_finish(&link->cipher);
    buf_finish(&link->held);
    link->ops->on_closed(link);
}

static void on_tcp_closed(uv_handle_t *handle)
{
    released(handle->data);
}

void smpp_link_close(struct smpp_link *link)
{
    assert(!link->closing);
    link->closing = true;
    if (!link->failed)
        link->failed = !push(link); /* a last word, if the socket takes it */
    smpp_turn_forget(link->turn, &link->flush);
    smpp_turn_forget(link->turn, &link->resume);
    if (link->resolving != NULL)
        uv_cancel(link->resolving);
    uv_close((uv_handle_t *)&link->tcp, on_tcp_closed);
}

static void end(struct smpp_link *link, const char *why)
{
    if (!link->closing)
        link->ops->on_end(link, why);
}

/* ---- output ---- */

struct buf *smpp_link_out(struct smpp_link *link)
{
    if (link->out.data == NULL)
        smpp_turn_lend(link->turn, &link->out);
    return &link->out;
}

size_t smpp_link_unsent(const struct smpp_link *link)
{
    return link->out.len + link->cipher.len + uv_stream_get_write_queue_size((const uv_stream_t *)&link->tcp);
}

bool smpp_link_queued(struct smpp_link *link)
{
    if (!link->closing)
        smpp_turn_flush(link->turn, &link->flush);
    return !link->out.failed;
}

static bool holds(const struct buf *b, size_t gone, uint32_t command_id, uint32_t sequence_number)
{
    for (size_t at = 0; at + 16 <= b->len;) {
        struct reader r = reader_over(b->data + at, 16);
        uint32_t len = read_u32(&r);
        uint32_t id = read_u32(&r);

        read_u32(&r);
        if (id == command_id && read_u32(&r) == sequence_number && at + len > gone)
            return true;
        at += len < 16 ? 16 : len;
    }
    return false;
}

bool smpp_link_holds(const struct smpp_link *link, uint32_t command_id, uint32_t sequence_number)
{
    if (link->tls != NULL && (link->writing != NULL || link->cipher.len > 0))
        return true; /* records do not tell what is in them: the careful answer, until they have gone */
    return holds(&link->out, 0, command_id, sequence_number) ||
           (link->writing != NULL && holds(&link->writing->data, link->writing->gone, command_id, sequence_number));
}

static void on_written(uv_write_t *req, int status);

/* What the socket did not take goes to libuv. Returns false when it could not. */
static bool write_rest(struct smpp_link *link, struct buf *b, size_t gone)
{
    struct smpp_link_write *w = malloc(sizeof *w);
    uv_buf_t rest = uv_buf_init(b->data + gone, (unsigned)(b->len - gone));
    size_t max = b->max;

    if (w == NULL)
        return false;
    *w = (struct smpp_link_write){ .link = link, .data = *b, .gone = gone };
    w->req.data = w;
    if (uv_write(&w->req, (uv_stream_t *)&link->tcp, &rest, 1, on_written) != 0) {
        free(w);
        return false;
    }
    buf_init(b, max);
    link->writing = w;
    return true;
}

/* Everything queued, in one call to the system; tells nobody. False: the connection has failed. */
static bool push(struct smpp_link *link)
{
    struct buf *b = &link->out;

    if (link->writing != NULL)
        return true;
    if (link->tls != NULL) {
        b = &link->cipher;
        if (link->out.len > 0 && smpp_tls_is_ready(link->tls)) {
            if (smpp_tls_write(link->tls, link->out.data, link->out.len) != 0)
                return false;
            smpp_turn_return(link->turn, &link->out);
        }
        if (b->data == NULL)
            smpp_turn_lend(link->turn, b);
        smpp_tls_take(link->tls, b);
    }
    if (b->len > 0) {
        uv_buf_t all = uv_buf_init(b->data, (unsigned)b->len);
        int n = uv_try_write((uv_stream_t *)&link->tcp, &all, 1);

        if (n < 0 && n != UV_EAGAIN)
            return false;
        if (n != (int)b->len)
            return write_rest(link, b, n < 0 ? 0 : (size_t)n);
    }
    smpp_turn_return(link->turn, b);
    return true;
}

static void shut(struct smpp_link *link);

static void flush(struct smpp_chore *chore)
{
    struct smpp_link *link = LINK_OF(flush, chore);
    bool had_output = smpp_link_unsent(link) > 0;

    if (link->closing || link->failed)
        return;
    if (!push(link)) {
        link->failed = true;
        end(link, "write failed");
        return;
    }

    size_t unsent = smpp_link_unsent(link);

    if (!link->paused && unsent > link->max_output_bytes) {
        link->paused = true;
        if (link->reading)
            uv_read_stop((uv_stream_t *)&link->tcp);
        link->reading = false;
        link->ops->on_paused(link);
    } else if (link->paused && unsent <= link->max_output_bytes / 2) {
        link->paused = false;
        if (link->held.len > 0 || link->more)
            smpp_turn_next(link->turn, &link->resume);
        else
            start_reading(link);
    }
    if (unsent == 0 && link->shutting)
        shut(link);
    if (unsent == 0 && had_output && !link->closing)
        link->ops->on_flushed(link);
}

static void on_written(uv_write_t *req, int status)
{
    struct smpp_link_write *w = req->data;
    struct smpp_link *link = w->link;

    link->writing = NULL;
    smpp_turn_return(link->turn, &w->data);
    free(w);
    if (link->closing)
        return;
    if (status < 0) {
        link->failed = true;
        end(link, "write failed");
        return;
    }
    smpp_turn_flush(link->turn, &link->flush);
}

static void on_shutdown(uv_shutdown_t *req, int status)
{
    UNUSED(status); /* the peer may be gone: its end is reported by reading */
    free(req);
}

/* The end of our stream, behind everything else. */
static void shut(struct smpp_link *link)
{
    uv_shutdown_t *req = malloc(sizeof *req);

    link->shutting = false;
    if (link->tls != NULL) {
        smpp_tls_shutdown(link->tls);
        if (!push(link))
            link->failed = true;
    }
    if (req != NULL && uv_shutdown(req, (uv_stream_t *)&link->tcp, on_shutdown) != 0)
        free(req);
}

void smpp_link_shutdown(struct smpp_link *link)
{
    link->shutting = true;
    smpp_turn_flush(link->turn, &link->flush);
}

/* ---- input ---- */

void smpp_link_deafen(struct smpp_link *link)
{
    link->deaf = true;
}

/* The rest of a read event, for the next turn. Reading stops: what is held never grows. */
static void hold(struct smpp_link *link, const uint8_t *in, size_t len)
{
    const uint8_t *start = (const uint8_t *)link->held.data;

    if (start != NULL && in >= start && in < start + link->held.len) {
        link->held_at = (size_t)(in - start);
    } else {
        buf_add(&link->held, in, len);
        link->held_at = 0;
        if (link->held.failed) {
            link->deaf = true;
            link->ops->on_broken(link, ERR_NOMEM);
            return;
        }
    }
    if (link->reading)
        uv_read_stop((uv_stream_t *)&link->tcp);
    link->reading = false;
    if (!link->paused)
        smpp_turn_next(link->turn, &link->resume);
}

/* Returns false when bytes were held back. */
static bool frames(struct smpp_link *link, const uint8_t *in, size_t len)
{
    while (!link->deaf && !link->closing) {
        struct smpp_frame frame;
        size_t used;

        if (len > 0 && (link->budget == 0 || link->paused)) {
            hold(link, in, len);
            return false;
        }

        int rc = smpp_framer_push(&link->framer, in, len, &used, &frame);

        in += used;
        len -= used;
        if (rc == 1) {
            if (link->budget > 0)
                link->budget--;
            link->ops->on_pdu(link, frame.pdu, frame.len);
        } else if (rc == 0) {
            break;
        } else {
            link->deaf = true;
            link->ops->on_broken(link, rc);
        }
    }
    return true;
}

/* Plaintext as far as this turn's budget goes. */
static void records(struct smpp_link *link)
{
    uv_buf_t plain = smpp_turn_read_buffer(link->turn); /* its ciphertext has been taken by now */
    bool was_ready = smpp_tls_is_ready(link->tls);

    if (!was_ready && !smpp_turn_handshake(link->turn)) {
        if (link->reading)
            uv_read_stop((uv_stream_t *)&link->tcp);
        link->reading = false;
        link->more = true;
        smpp_turn_next(link->turn, &link->resume);
        return;
    }
    link->more = false;
    while (!link->closing) {
        int n = smpp_tls_read(link->tls, plain.base, PLAIN_BYTES);

        if (n == 0)
            break;
        if (n < 0) {
            smpp_turn_flush(link->turn, &link->flush); /* the alert */
            end(link, n == ERR_GONE ? "closed by peer" : was_ready ? "TLS failed" : "TLS handshake failed");
            return;
        }
        if (!frames(link, (const uint8_t *)plain.base, (size_t)n)) {
            link->more = true;
            break;
        }
    }
    if (!link->closing)
        smpp_turn_flush(link->turn, &link->flush); /* handshake, tickets, or output that waited for it */
}

static void input(struct smpp_link *link, const uint8_t *in, size_t len)
{
    if (link->tls == NULL) {
        frames(link, in, len);
    } else if (smpp_tls_feed(link->tls, in, len) != 0) {
        end(link, "out of memory");
        return;
    } else {
        records(link);
    }
    if (!link->closing)
        link->ops->on_read_done(link);
}

static void resume(struct smpp_chore *chore)
{
    struct smpp_link *link = LINK_OF(resume, chore);

    if (link->closing || link->paused)
        return;
    link->budget = SMPP_PDUS_PER_TURN;
    /* From `held` to itself: hold() moves held_at when not all of it could be handled. */
    bool all = link->held.len == 0 ||
               frames(link, (const uint8_t *)link->held.data + link->held_at, link->held.len - link->held_at);
    if (link->closing)
        return;
    if (all) {
        buf_finish(&link->held);
        link->held_at = 0;
        if (link->more)
            records(link);
    }
    if (link->closing)
        return;
    link->ops->on_read_done(link);
    if (!link->closing && !link->paused && link->held.len == 0 && !link->more)
        start_reading(link);
}

static void set_peer(struct smpp_link *link, const struct sockaddr *sa)
{
    net_text(sa, link->address);
    memset(link->ip, 0, sizeof link->ip);
    if (sa->sa_family == AF_INET6) {
        memcpy(link->ip, &((const struct sockaddr_in6 *)sa)->sin6_addr, sizeof link->ip);
    } else if (sa->sa_family == AF_INET) {
        link->ip[10] = link->ip[11] = 0xFF;
        memcpy(link->ip + 12, &((const struct sockaddr_in *)sa)->sin_addr, 4);
    }
}

/* Gathers the PROXY header in `held`, then goes on with what stands behind it. */
static void proxy_input(struct smpp_link *link, const uint8_t *in, size_t len)
{
    struct sockaddr_storage peer;
    bool known;
    size_t before = link->held.len;

    buf_add(&link->held, in, len < SMPP_PROXY_MAX ? len : SMPP_PROXY_MAX);

    int n = link->held.failed ? -1 : smpp_proxy_read((const uint8_t *)link->held.data, link->held.len, &known, &peer);

    if (n < 0 || (n == 0 && link->held.len >= SMPP_PROXY_MAX)) {
        link->deaf = true;
        end(link, "no PROXY header");
        return;
    }
    if (n == 0)
        return;
    buf_finish(&link->held);
    link->proxy = false;
    if (known)
        set_peer(link, (struct sockaddr *)&peer);
    link->ops->on_connected(link, 0);

    size_t used = (size_t)n - before; /* of `in`: the header was not whole before it */

    if (!link->closing && len > used)
        input(link, in + used, len - used);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    UNUSED(suggested);
    *out = smpp_turn_read_buffer(((struct smpp_link *)handle->data)->turn);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *data)
{
    struct smpp_link *link = stream->data;

    if (n == 0)
        return;
    if (n < 0) {
        uv_read_stop(stream);
        link->reading = false;
        link->failed = link->failed || n != UV_EOF;
        end(link, n == UV_EOF ? "closed by peer" : "connection lost");
        return;
    }
    link->budget = SMPP_PDUS_PER_TURN;
    if (link->proxy)
        proxy_input(link, (const uint8_t *)data->base, (size_t)n);
    else
        input(link, (const uint8_t *)data->base, (size_t)n);
}

static void start_reading(struct smpp_link *link)
{
    if (link->reading || link->closing)
        return;
    link->reading = uv_read_start((uv_stream_t *)&link->tcp, on_alloc, on_read) == 0;
}

/* ---- beginnings ---- */

static void learn_peer(struct smpp_link *link)
{
    struct sockaddr_storage peer = { 0 };
    int len = sizeof peer;

    if (uv_tcp_getpeername(&link->tcp, (struct sockaddr *)&peer, &len) == 0)
        set_peer(link, (struct sockaddr *)&peer);
}

int smpp_link_accept(struct smpp_link *link, uv_stream_t *listener, bool proxy, struct smpp_tls *tls_take)
{
    link->tls = tls_take;
    if (uv_accept(listener, (uv_stream_t *)&link->tcp) != 0)
        return ERR_IO;
    learn_peer(link);
    uv_tcp_nodelay(&link->tcp, 1);
    link->proxy = proxy;
    start_reading(link);
    return link->reading ? 0 : ERR_IO;
}

static void connected(struct smpp_link *link, int status)
{
    if (status == 0) {
        learn_peer(link);
        uv_tcp_nodelay(&link->tcp, 1);
        start_reading(link);
        if (link->tls != NULL)
            records(link); /* the client's hello */
    }
    link->ops->on_connected(link, status);
}

static void on_connect(uv_connect_t *req, int status)
{
    struct smpp_link *link = req->data;

    free(req);
    if (!link->closing)
        connected(link, status);
}

static int connect_to(struct smpp_link *link, const struct sockaddr *sa)
{
    uv_connect_t *req = malloc(sizeof *req);

    if (req == NULL)
        return UV_ENOMEM;
    req->data = link;

    int rc = uv_tcp_connect(req, &link->tcp, sa, on_connect);

    if (rc != 0)
        free(req);
    return rc;
}

static void on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *found)
{
    struct smpp_link *link = req->data;

    link->resolving = NULL;
    free(req);
    if (!link->closing) {
        const struct addrinfo *at = found;

        while (at != NULL && at->ai_family != AF_INET) /* where both exist, a server listens on IPv4 */
            at = at->ai_next;
        if (status == 0)
            status = connect_to(link, at == NULL ? found->ai_addr : at->ai_addr);
        if (status != 0)
            link->ops->on_connected(link, status);
    }
    uv_freeaddrinfo(found);
    released(link);
}

int smpp_link_connect(struct smpp_link *link, const char *host, uint16_t port, struct smpp_tls *tls_take)
{
    struct sockaddr_storage sa;
    char service[8];

    link->tls = tls_take;
    if (uv_ip4_addr(host, port, (struct sockaddr_in *)&sa) == 0 ||
        uv_ip6_addr(host, port, (struct sockaddr_in6 *)&sa) == 0)
        return connect_to(link, (struct sockaddr *)&sa) == 0 ? 0 : ERR_IO;

    uv_getaddrinfo_t *req = malloc(sizeof *req);
    struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };

    if (req == NULL)
        return ERR_NOMEM;
    req->data = link;
    snprintf(service, sizeof service, "%u", port);
    if (uv_getaddrinfo(smpp_turn_loop(link->turn), req, on_resolved, host, service, &hints) != 0) {
        free(req);
        return ERR_IO;
    }
    link->resolving = req;
    link->pending++;
    return 0;
}
