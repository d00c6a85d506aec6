/*
 * smpp_world.h - a server on 127.0.0.1, clients and raw sockets around it, all on one loop, for tests.
 *
 * The loop runs until what a test waits for has happened; a watchdog ends the process when it does not. No sleeps.
 */
#ifndef TESTS_SMPP_WORLD_H
#define TESTS_SMPP_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "smpp/client.h"
#include "smpp/server.h"

enum { WATCHDOG_MS = 20000, KEPT_MAX = 4096 };

struct world {
    uv_loop_t loop;
    uv_timer_t watchdog;
    struct smpp_server *server;
    struct smpp_server_opts opts;
    uint16_t port;
    /* what the owner of the server says */
    uint32_t bind_status;
    struct smpp_grant grant;
    uint32_t request_status; /* SMPP_LATER: tickets are kept */
    const char *message_id;  /* answered at once with this when request_status is ROK */
    /* what it was told */
    unsigned binds, bound, unbound, requests, troubles, drained;
    struct smpp_session_ref last_session;
    uint32_t last_in_window;
    char last_why[64], last_trouble[64], last_address[64], last_bind[72];
    uint8_t last_version;
    struct smpp_ticket tickets[KEPT_MAX];
    unsigned ticket_count;
    struct {
        uint64_t cookie;
        enum smpp_deliver_end how;
        uint32_t status;
    } ends[KEPT_MAX];
    unsigned end_count;
};

static inline uint32_t world_on_bind(void *owner, const struct smpp_bind *bind, const struct smpp_session_info *session,
                                     struct smpp_grant *grant)
{
    struct world *w = owner;

    snprintf(w->last_bind, sizeof w->last_bind, "%.*s", (int)bind->system_id.len, bind->system_id.at);
    w->binds++;
    w->last_version = session->interface_version;
    *grant = w->grant;
    return w->bind_status;
}

static inline void world_on_bound(void *owner, const struct smpp_session_info *session)
{
    struct world *w = owner;

    w->bound++;
    w->last_session = session->ref;
    snprintf(w->last_address, sizeof w->last_address, "%s", session->address);
}

static inline void world_on_unbound(void *owner, const struct smpp_session_info *session, const char *why)
{
    struct world *w = owner;

    (void)session;
    w->unbound++;
    snprintf(w->last_why, sizeof w->last_why, "%s", why);
}

static inline uint32_t world_on_request(void *owner, const struct smpp_ticket *ticket,
                                        const struct smpp_session_info *session, const struct smpp_pdu *pdu)
{
    struct world *w = owner;

    (void)pdu;
    w->requests++;
    w->last_in_window = session->in_window;
    if (w->request_status == SMPP_LATER) {
        if (w->ticket_count < KEPT_MAX)
            w->tickets[w->ticket_count++] = *ticket;
        return SMPP_LATER;
    }
    if (w->request_status == STATUS_ROK && w->message_id != NULL) {
        if (smpp_answer(w->server, ticket, STATUS_ROK, w->message_id) != 0)
            fail_msg("the session that asks is there");
        return SMPP_LATER;
    }
    return w->request_status;
}

static inline void world_on_deliver_end(void *owner, const struct smpp_session_info *session, uint64_t cookie,
                                        enum smpp_deliver_end how, uint32_t status)
{
    struct world *w = owner;

    (void)session;
    if (w->end_count < KEPT_MAX) {
        w->ends[w->end_count].cookie = cookie;
        w->ends[w->end_count].how = how;
        w->ends[w->end_count].status = status;
        w->end_count++;
    }
}

static inline void world_on_trouble(void *owner, const struct smpp_session_info *session, const char *what)
{
    struct world *w = owner;

    assert_non_null(session->address);
    w->troubles++;
    snprintf(w->last_trouble, sizeof w->last_trouble, "%s", what);
}

static inline void world_on_drained(void *owner)
{
    ((struct world *)owner)->drained++;
}

static const struct smpp_server_ops world_ops = {
    .on_bind = world_on_bind,
    .on_bound = world_on_bound,
    .on_unbound = world_on_unbound,
    .on_request = world_on_request,
    .on_deliver_end = world_on_deliver_end,
    .on_trouble = world_on_trouble,
};

static inline void world_watchdog(uv_timer_t *timer)
{
    struct world *w = timer->data;

    fprintf(stderr, "watchdog: bound %u, unbound %u (%s), requests %u, troubles %u (%s), ends %u\n", w->bound,
            w->unbound, w->last_why, w->requests, w->troubles, w->last_trouble, w->end_count);
    abort();
}

/* Opens the loop and creates the server; the test may change w->opts before world_listen. */
static inline struct world *world_create(void)
{
    struct world *w = calloc(1, sizeof *w);

    assert_non_null(w);
    assert_int_equal(0, uv_loop_init(&w->loop));
    uv_timer_init(&w->loop, &w->watchdog);
    w->watchdog.data = w;
    uv_timer_start(&w->watchdog, world_watchdog, WATCHDOG_MS, 0);
    uv_unref((uv_handle_t *)&w->watchdog);
    w->opts = (struct smpp_server_opts){ .system_id = "bridge", .response_timeout_ms = 5000, .bind_timeout_ms = 5000 };
    w->request_status = STATUS_ROK;
    w->message_id = "1234567890";
    return w;
}

static inline void world_listen(struct world *w, bool tls)
{
    const char *why = NULL;

    if (w->server == NULL)
        assert_int_equal(0, smpp_server_create(&w->loop, &w->opts, &world_ops, w, &w->server));
    assert_int_equal(0, smpp_server_listen(w->server, "127.0.0.1:0", tls, &w->port, &why));
    assert_true(w->port != 0);
}

/* Destroys the server and runs the loop to its end: a handle left behind would be seen here. */
static inline void world_destroy(struct world *w)
{
    smpp_server_destroy(w->server);
    uv_close((uv_handle_t *)&w->watchdog, NULL);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    assert_int_equal(0, uv_loop_close(&w->loop));
    free(w);
}

#define RUN_UNTIL(w, condition)                                                                                        \
    do {                                                                                                               \
        while (!(condition))                                                                                           \
            uv_run(&(w)->loop, UV_RUN_ONCE);                                                                           \
    } while (0)

/* ---- a client of ours ---- */

struct peer {
    struct smpp_client *client;
    unsigned bound, responses, delivers, rooms, closed;
    uint32_t bind_status, last_status;
    enum smpp_deliver_end last_how;
    uint64_t last_cookie;
    char last_id[SMPP_ID_MAX + 1];
    char why[64];
    uint32_t deliver_answer; /* SMPP_LATER: never */
};

static inline void peer_on_bound(void *owner, uint32_t status)
{
    struct peer *p = owner;

    p->bound++;
    p->bind_status = status;
}

static inline void peer_on_response(void *owner, uint64_t cookie, enum smpp_deliver_end how, uint32_t status,
                                    const struct smpp_pdu *response)
{
    struct peer *p = owner;

    p->responses++;
    p->last_cookie = cookie;
    p->last_how = how;
    p->last_status = status;
    p->last_id[0] = '\0';
    if (response != NULL && response->has_body && response->message_id.len <= SMPP_ID_MAX)
        snprintf(p->last_id, sizeof p->last_id, "%.*s", (int)response->message_id.len, response->message_id.at);
}

static inline uint32_t peer_on_deliver(void *owner, const struct smpp_pdu *pdu)
{
    struct peer *p = owner;

    (void)pdu;
    p->delivers++;
    return p->deliver_answer;
}

static inline void peer_on_room(void *owner)
{
    ((struct peer *)owner)->rooms++;
}

static inline void peer_on_closed(void *owner, const char *why)
{
    struct peer *p = owner;

    p->closed++;
    snprintf(p->why, sizeof p->why, "%s", why);
}

static const struct smpp_client_ops peer_ops = { peer_on_bound, peer_on_response, peer_on_deliver, peer_on_room,
                                                 peer_on_closed };

static inline void peer_connect(struct world *w, struct peer *p, const struct smpp_client_opts *opts)
{
    *p = (struct peer){ .deliver_answer = p->deliver_answer };
    assert_int_equal(0, smpp_client_create(&w->loop, opts, &peer_ops, p, &p->client));
}

/* Connects and binds. */
static inline void peer_bind(struct world *w, struct peer *p, enum smpp_bind_type type)
{
    struct smpp_client_opts opts = {
        .host = "127.0.0.1", .port = w->port, .system_id = "alice", .password = "secret", .type = type, .window = 100
    };

    peer_connect(w, p, &opts);
    RUN_UNTIL(w, p->bound > 0 || p->closed > 0);
}

static inline struct smpp_pdu world_sm(uint32_t command_id)
{
    static const uint8_t text[] = "hello";
    struct smpp_pdu pdu = { .command_id = command_id, .has_body = true };

    pdu.sm.source.addr = smpp_str("100");
    pdu.sm.dest.addr = smpp_str("79000000000");
    pdu.sm.short_message = (struct bytes){ text, 5 };
    return pdu;
}

static inline int peer_submit(struct peer *p, uint64_t cookie)
{
    struct smpp_pdu pdu = world_sm(CMD_SUBMIT_SM);

    return smpp_client_send(p->client, &pdu, cookie);
}

static inline int world_deliver(struct world *w, uint64_t cookie)
{
    struct smpp_pdu pdu = world_sm(CMD_DELIVER_SM);

    return smpp_deliver(w->server, w->last_session, &pdu, cookie);
}

/* ---- a raw socket ---- */

struct raw {
    uv_tcp_t tcp;
    uv_connect_t connecting;
    uint8_t in[256 * 1024];
    size_t len, taken;
    unsigned reads; /* read events */
    bool connected, eof;
    char chunk[65536];
};

static inline void raw_on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct raw *r = handle->data;

    (void)suggested;
    *out = uv_buf_init(r->chunk, sizeof r->chunk);
}

static inline void raw_on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *data)
{
    struct raw *r = stream->data;

    if (n < 0) {
        r->eof = true;
        uv_read_stop(stream);
        return;
    }
    assert_true(r->len + (size_t)n <= sizeof r->in);
    memcpy(r->in + r->len, data->base, (size_t)n);
    r->len += (size_t)n;
    r->reads++;
}

static inline void raw_on_connect(uv_connect_t *req, int status)
{
    struct raw *r = req->data;

    assert_int_equal(0, status);
    r->connected = true;
}

/* Connects; reads when asked to. */
static inline struct raw *raw_connect(struct world *w, bool read)
{
    struct raw *r = calloc(1, sizeof *r);
    struct sockaddr_in sa;

    assert_non_null(r);
    uv_ip4_addr("127.0.0.1", w->port, &sa);
    uv_tcp_init(&w->loop, &r->tcp);
    r->tcp.data = r->connecting.data = r;
    assert_int_equal(0, uv_tcp_connect(&r->connecting, &r->tcp, (struct sockaddr *)&sa, raw_on_connect));
    RUN_UNTIL(w, r->connected);
    uv_tcp_nodelay(&r->tcp, 1);
    if (read)
        uv_read_start((uv_stream_t *)&r->tcp, raw_on_alloc, raw_on_read);
    return r;
}

static inline void raw_on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static inline void raw_close(struct raw *r)
{
    uv_close((uv_handle_t *)&r->tcp, raw_on_closed);
}

static inline void raw_send(struct raw *r, const void *bytes, size_t len)
{
    uv_buf_t b = uv_buf_init((char *)(uintptr_t)bytes, (unsigned)len);

    assert_int_equal((int)len, uv_try_write((uv_stream_t *)&r->tcp, &b, 1));
}

/* Appends the PDU to `out` and gives its sequence number back. */
static inline void raw_pdu(struct buf *out, struct smpp_pdu *pdu, uint32_t sequence_number)
{
    pdu->sequence_number = sequence_number;
    assert_int_equal(0, smpp_pdu_write(pdu, out));
}

static inline void raw_send_pdu(struct raw *r, struct smpp_pdu *pdu, uint32_t sequence_number)
{
    struct buf out;

    buf_init(&out, 70000);
    raw_pdu(&out, pdu, sequence_number);
    raw_send(r, out.data, out.len);
    buf_finish(&out);
}

/* A PDU that is a header. */
static inline void raw_send_header(struct raw *r, uint32_t length, uint32_t command_id, uint32_t status,
                                   uint32_t sequence)
{
    uint8_t h[16];
    struct writer w = writer_over(h, sizeof h);

    write_u32(&w, length);
    write_u32(&w, command_id);
    write_u32(&w, status);
    write_u32(&w, sequence);
    raw_send(r, h, sizeof h);
}

static inline struct smpp_pdu raw_bind_pdu(uint32_t command_id, uint8_t version)
{
    struct smpp_pdu pdu = { .command_id = command_id, .has_body = true };

    pdu.bind.system_id = smpp_str("alice");
    pdu.bind.password = smpp_str("secret");
    pdu.bind.interface_version = version;
    return pdu;
}

struct head {
    uint32_t length, id, status, sequence;
    const uint8_t *body;
};

/* Waits for the next PDU. */
static inline struct head raw_next(struct world *w, struct raw *r)
{
    struct head h = { 0 };

    RUN_UNTIL(w, r->eof || r->len - r->taken >= 16);
    if (r->len - r->taken < 16)
        fail_msg("the connection ended before a PDU came");

    struct reader in = reader_over(r->in + r->taken, 16);

    h.length = read_u32(&in);
    h.id = read_u32(&in);
    h.status = read_u32(&in);
    h.sequence = read_u32(&in);
    RUN_UNTIL(w, r->eof || r->len - r->taken >= h.length);
    h.body = r->in + r->taken + 16;
    r->taken += h.length;
    return h;
}

/* Waits for the next PDU and says what it must be. */
#define NEXT_IS(w, r, want_id, want_status, want_sequence)                                                             \
    do {                                                                                                               \
        struct head got_ = raw_next(w, r);                                                                             \
        assert_int_equal((uint32_t)(want_id), got_.id);                                                                \
        assert_int_equal((uint32_t)(want_status), got_.status);                                                        \
        assert_int_equal((uint32_t)(want_sequence), got_.sequence);                                                    \
    } while (0)

/* A raw socket that has bound. */
static inline struct raw *raw_bound(struct world *w, uint32_t command_id)
{
    struct raw *r = raw_connect(w, true);
    struct smpp_pdu bind = raw_bind_pdu(command_id, 0x34);

    raw_send_pdu(r, &bind, 1);
    NEXT_IS(w, r, command_id | CMD_RESPONSE, STATUS_ROK, 1);
    return r;
}

#endif
