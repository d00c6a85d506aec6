/* SPDX-License-Identifier: MIT */
/*
 * server.c - listening, the table of sessions, and the calls of smpp/server.h.
 *
 * A session is found by slot and generation, never by pointer, so what the owner keeps cannot dangle: a slot that was
 * given back has another generation. Refusals happen before a session is made where the address is known by then.
 * What a full account does about dead sessions (smpp_session_probe) is the owner's policy: its on_bind may probe them and
 * decide later.
 */
#include "smpp/internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/net.h"

enum { NO_SLOT = UINT32_MAX, BACKLOG = 1024, AGAIN_MS = 100 };

static void on_connection(uv_stream_t *stream, int status);
static void on_drain_alarm(struct smpp_alarm *alarm, uint64_t now_ms);
static void on_drain_chore(struct smpp_chore *chore);

#define SERVER_OF(member, at) ((struct smpp_server *)((char *)(at)-offsetof(struct smpp_server, member)))

/* ---- the table of sessions ---- */

static struct smpp_session *find(const struct smpp_server *server, struct smpp_session_ref ref)
{
    if (ref.slot >= server->slot_count || server->slots[ref.slot].generation != ref.generation)
        return NULL;
    return server->slots[ref.slot].session;
}

static int grow(struct smpp_server *server)
{
    uint32_t count = server->slot_count == 0 ? 16 : server->slot_count * 2;
    struct smpp_slot *slots = realloc(server->slots, count * sizeof *slots);

    if (slots == NULL)
        return ERR_NOMEM;
    server->slots = slots;
    for (uint32_t i = count; i-- > server->slot_count;) {
        slots[i] = (struct smpp_slot){ NULL, 1, server->free_slot };
        server->free_slot = i;
    }
    server->slot_count = count;
    return 0;
}

/* A session in a slot, its link ready to be accepted or connected. NULL when out of memory. */
static struct smpp_session *add(struct smpp_server *server)
{
    if (server->free_slot == NO_SLOT && grow(server) != 0)
        return NULL;

    struct smpp_session *s = calloc(1, sizeof *s);

    if (s == NULL)
        return NULL;
    s->server = server;
    if (smpp_link_init(&s->link, server->turn, &smpp_session_link_ops, server->opts.max_output_bytes,
                       SMPP_UNBOUND_MAX) != 0) {
        free(s);
        return NULL;
    }

    uint32_t slot = server->free_slot;

    server->free_slot = server->slots[slot].next_free;
    server->slots[slot].session = s;
    server->live++;
    server->linked++;
    s->info.ref = (struct smpp_session_ref){ slot, server->slots[slot].generation };
    s->info.n = ++server->last_n;
    s->info.since_ms = clock_wall_ms();
    smpp_session_start(s);
    return s;
}

void smpp_server_release(struct smpp_server *server, struct smpp_session *s)
{
    struct smpp_slot *slot = &server->slots[s->info.ref.slot];

    assert(slot->session == s);
    slot->session = NULL;
    slot->generation = slot->generation == UINT32_MAX ? 1 : slot->generation + 1;
    slot->next_free = server->free_slot;
    server->free_slot = s->info.ref.slot;
    server->live--;
    if (s->counted)
        smpp_peers_leave(&server->peers, s->link.ip);
    s->counted = false;
}

static void maybe_gone(struct smpp_server *server)
{
    if (server->linked > 0 || server->listeners != NULL)
        return;
    if (server->ended) {
        smpp_alarm_set(server->turn, &server->drain_alarm, UINT64_MAX);
        smpp_turn_forget(server->turn, &server->drain_chore);
        smpp_turn_put(server->turn);
        smpp_peers_finish(&server->peers);
        smpp_tls_context_destroy(server->tls);
        free(server->slots);
        free(server->system_id);
        free(server);
    } else if (server->draining) {
        smpp_turn_next(server->turn, &server->drain_chore);
    }
}

void smpp_server_reap(struct smpp_server *server, struct smpp_session *s)
{
    smpp_session_finish(s);
    free(s);
    server->linked--;
    maybe_gone(server);
}

bool smpp_server_admit(struct smpp_server *server, struct smpp_session *s)
{
    s->counted = smpp_peers_enter(&server->peers, s->link.ip, server->opts.max_sessions_per_address);
    return s->counted;
}

/* ---- listening ---- */

static void on_refused_closed(uv_handle_t *handle)
{
    free(handle);
}

/* Trouble with somebody who has no session. */
static void report(struct smpp_server *server, const char *address, const char *what)
{
    struct smpp_session_info info = { .system_id = "", .system_type = "", .address = address };

    info.since_ms = clock_wall_ms();
    if (server->ops->on_trouble != NULL)
        server->ops->on_trouble(server->owner, &info, what);
}

static void on_again(uv_timer_t *timer)
{
    struct smpp_listener *listener = timer->data;

    on_connection((uv_stream_t *)&listener->tcp, 0);
}

/* Too many: taken and closed, without a session. */
static void turn_away(struct smpp_server *server, uv_stream_t *stream, const char *what)
{
    struct smpp_listener *listener = stream->data;
    uv_tcp_t *tcp = malloc(sizeof *tcp);
    char address[NET_TEXT_SIZE] = "?";
    struct sockaddr_storage peer;
    int len = sizeof peer;

    if (tcp == NULL || uv_tcp_init(smpp_turn_loop(server->turn), tcp) != 0) {
        free(tcp);
        /* libuv accepts nobody more while one is waiting to be taken */
        uv_timer_start(&listener->again, on_again, AGAIN_MS, 0);
        return;
    }
    if (uv_accept(stream, (uv_stream_t *)tcp) == 0 && uv_tcp_getpeername(tcp, (struct sockaddr *)&peer, &len) == 0)
        net_text((struct sockaddr *)&peer, address);
    uv_close((uv_handle_t *)tcp, on_refused_closed);
    report(server, address, what);
}

static void on_connection(uv_stream_t *stream, int status)
{
    struct smpp_listener *listener = stream->data;
    struct smpp_server *server = listener->server;
    struct smpp_tls *tls = NULL;
    struct smpp_session *s;

    if (status != 0) {
        report(server, "?", "accept failed"); /* no descriptors left: libuv has turned the peer away */
        return;
    }
    if (server->opts.max_sessions > 0 && server->live >= server->opts.max_sessions) {
        turn_away(server, stream, "too many connections");
        return;
    }
    if (listener->tls && (server->tls == NULL || (tls = smpp_tls_create(server->tls, NULL)) == NULL)) {
        turn_away(server, stream, "TLS not ready");
        return;
    }
    s = add(server);
    if (s == NULL) {
        smpp_tls_destroy(tls);
        turn_away(server, stream, "out of memory");
        return;
    }
    s->info.tls = listener->tls;
    if (smpp_link_accept(&s->link, stream, server->opts.proxy_protocol, tls) != 0)
        smpp_session_end(s, "connection lost");
    else if (!server->opts.proxy_protocol && !smpp_server_admit(server, s))
        smpp_session_end(s, "too many connections from address");
}

static void on_listener_closed(uv_handle_t *handle)
{
    struct smpp_listener *listener = handle->data;
    struct smpp_server *server = listener->server;

    if (--listener->handles > 0)
        return;
    for (struct smpp_listener **at = &server->listeners; *at != NULL; at = &(*at)->next) {
        if (*at == listener) {
            *at = listener->next;
            break;
        }
    }
    free(listener);
    maybe_gone(server);
}

static void close_listener(struct smpp_listener *listener)
{
    if (listener->closing)
        return;
    listener->closing = true;
    uv_close((uv_handle_t *)&listener->tcp, on_listener_closed);
    uv_close((uv_handle_t *)&listener->again, on_listener_closed);
}

int smpp_server_listen_fd(struct smpp_server *server, int fd, bool tls, const char **out_why)
{
    struct smpp_listener *listener = calloc(1, sizeof *listener);
    int rc = listener == NULL ? UV_ENOMEM : uv_tcp_init(smpp_turn_loop(server->turn), &listener->tcp);

    if (rc != 0) {
        free(listener);
        *out_why = uv_strerror(rc);
        return ERR_IO;
    }
    uv_timer_init(smpp_turn_loop(server->turn), &listener->again);
    listener->handles = 2;
    listener->tcp.data = listener->again.data = listener;
    listener->server = server;
    listener->tls = tls;
    listener->next = server->listeners;
    server->listeners = listener;

    int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);

    rc = own < 0 ? uv_translate_sys_error(errno) : uv_tcp_open(&listener->tcp, own);
    if (rc != 0 && own >= 0)
        close(own);
    if (rc == 0)
        rc = uv_listen((uv_stream_t *)&listener->tcp, BACKLOG, on_connection);
    if (rc != 0) {
        close_listener(listener);
        *out_why = uv_strerror(rc);
        return ERR_IO;
    }
    *out_why = "";
    return 0;
}

int smpp_server_listen(struct smpp_server *server, const char *address, bool tls, uint16_t *out_port,
                       const char **out_why)
{
    static char why[256]; /* until the next call, as promised */
    int fd;
    int err = net_listen(address, &fd, why);

    if (err == 0) {
        err = net_port(fd, out_port);
        if (err == 0)
            err = smpp_server_listen_fd(server, fd, tls, out_why);
        else
            *out_why = "no port";
        close(fd);
    } else {
        *out_why = why;
    }
    return err;
}

int smpp_server_tls(struct smpp_server *server, const char *certificate_file, const char *key_file,
                    const char *client_ca_file, char why[256])
{
    struct smpp_tls_context *fresh;
    int rc = smpp_tls_server_context(certificate_file, key_file, client_ca_file, why, &fresh);

    if (rc != 0)
        return rc;
    smpp_tls_context_destroy(server->tls);
    server->tls = fresh;
    return 0;
}

/* ---- life ---- */

int smpp_server_create(uv_loop_t *loop, const struct smpp_server_opts *opts, const struct smpp_server_ops *ops,
                       void *owner, struct smpp_server **out)
{
    struct smpp_server *server = calloc(1, sizeof *server);

    if (server == NULL)
        return ERR_NOMEM;
    server->turn = smpp_turn_get(loop);
    server->system_id = strdup(opts->system_id == NULL ? "" : opts->system_id);
    if (server->turn == NULL || server->system_id == NULL) {
        smpp_turn_put(server->turn);
        free(server->system_id);
        free(server);
        return ERR_NOMEM;
    }
    server->ops = ops;
    server->owner = owner;
    server->free_slot = NO_SLOT;
    server->drain_alarm = (struct smpp_alarm){ .at_ms = UINT64_MAX, .ring = on_drain_alarm };
    server->drain_chore.run = on_drain_chore;
    smpp_server_configure(server, opts);
    *out = server;
    return 0;
}

void smpp_server_configure(struct smpp_server *server, const struct smpp_server_opts *opts)
{
    char *system_id = strdup(opts->system_id == NULL ? "" : opts->system_id);

    server->opts = *opts;
    if (server->opts.max_pdu_bytes == 0 || server->opts.max_pdu_bytes > UINT32_MAX)
        server->opts.max_pdu_bytes = SMPP_PDU_MAX;
    if (server->opts.max_pdu_bytes < SMPP_UNBOUND_MAX)
        server->opts.max_pdu_bytes = SMPP_UNBOUND_MAX;
    if (system_id != NULL) {
        free(server->system_id);
        server->system_id = system_id;
    }
    server->opts.system_id = server->system_id;
    for (uint32_t i = 0; i < server->slot_count; i++) {
        struct smpp_session *s = server->slots[i].session;

        if (s == NULL)
            continue;
        if (s->was_bound)
            smpp_framer_limit(&s->link.framer, (uint32_t)server->opts.max_pdu_bytes);
        smpp_session_rearm(s);
    }
}

static void on_drain_chore(struct smpp_chore *chore)
{
    struct smpp_server *server = SERVER_OF(drain_chore, chore);
    void (*on_drained)(void *owner) = server->on_drained;

    if (server->linked > 0 || server->listeners != NULL)
        return;
    smpp_alarm_set(server->turn, &server->drain_alarm, UINT64_MAX);
    server->on_drained = NULL;
    if (on_drained != NULL)
        on_drained(server->owner);
}

static void on_drain_alarm(struct smpp_alarm *alarm, uint64_t now_ms)
{
    struct smpp_server *server = SERVER_OF(drain_alarm, alarm);

    UNUSED(now_ms);
    for (uint32_t i = 0; i < server->slot_count; i++) {
        if (server->slots[i].session != NULL)
            smpp_session_end(server->slots[i].session, "shutdown");
    }
}

void smpp_server_quiesce(struct smpp_server *server)
{
    for (struct smpp_listener *l = server->listeners; l != NULL; l = l->next)
        close_listener(l);
}

size_t smpp_server_unbound(const struct smpp_server *server)
{
    size_t count = 0;

    for (uint32_t i = 0; i < server->slot_count; i++)
        count += server->slots[i].session != NULL && server->slots[i].session->state == ST_OPEN;
    return count;
}

void smpp_server_take_last(struct smpp_server *server)
{
    server->takes_last = true;
}

void smpp_server_drain(struct smpp_server *server, uint64_t grace_ms, void (*on_done)(void *owner))
{
    server->draining = true;
    server->on_drained = on_done;
    smpp_server_quiesce(server);
    for (uint32_t i = 0; i < server->slot_count; i++) {
        struct smpp_session *s = server->slots[i].session;

        if (s != NULL) {
            if (s->why == NULL)
                s->why = "shutdown";
            smpp_session_step(s, EV_UNBIND);
        }
    }
    smpp_alarm_set(server->turn, &server->drain_alarm, smpp_turn_now_ms(server->turn) + grace_ms);
    maybe_gone(server);
}

void smpp_server_destroy(struct smpp_server *server)
{
    if (server == NULL)
        return;
    server->ended = true;
    smpp_server_quiesce(server);
    for (uint32_t i = 0; i < server->slot_count; i++) {
        if (server->slots[i].session != NULL)
            smpp_session_end(server->slots[i].session, "shutdown");
    }
    maybe_gone(server);
}

/* ---- answers ---- */

int smpp_answer(struct smpp_server *server, const struct smpp_ticket *ticket, uint32_t status, const char *message_id)
{
    struct smpp_session *s = find(server, ticket->session);

    if (s == NULL || !smpp_session_can_answer(s))
        return ERR_GONE;
    smpp_session_put(s, ticket->command_id | CMD_RESPONSE, status, ticket->sequence_number,
                     status == STATUS_ROK ? message_id : NULL);
    smpp_session_answered(s);
    return 0;
}

int smpp_answer_pdu(struct smpp_server *server, const struct smpp_ticket *ticket, struct smpp_pdu *response)
{
    struct smpp_session *s = find(server, ticket->session);

    if (s == NULL || !smpp_session_can_answer(s))
        return ERR_GONE;
    response->command_id = ticket->command_id | CMD_RESPONSE;
    response->sequence_number = ticket->sequence_number;

    int rc = smpp_session_put_pdu(s, response);

    if (rc != 0) /* the peer gets its one answer all the same */
        smpp_session_put(s, response->command_id, STATUS_RSYSERR, ticket->sequence_number, NULL);
    smpp_session_answered(s);
    return rc;
}

bool smpp_answer_left(const struct smpp_server *server, const struct smpp_ticket *ticket)
{
    const struct smpp_session *s = find(server, ticket->session);

    return s == NULL || !smpp_link_holds(&s->link, ticket->command_id | CMD_RESPONSE, ticket->sequence_number);
}

/* ---- deliveries ---- */

static bool reads(const struct smpp_session *s)
{
    return !s->link.paused && s->doom == NULL && smpp_link_unsent(&s->link) <= s->link.max_output_bytes;
}

int smpp_deliver(struct smpp_server *server, struct smpp_session_ref ref, struct smpp_pdu *pdu, uint64_t cookie)
{
    struct smpp_session *s = find(server, ref);
    uint64_t timeout_ms = server->opts.response_timeout_ms;
    uint64_t unused;

    if (s == NULL)
        return ERR_GONE;
    if (!smpp_state_can_deliver(s->state))
        return ERR_STATE;
    if (!reads(s))
        return ERR_BUSY;

    uint64_t deadline_ms = timeout_ms == 0 ? UINT64_MAX : smpp_turn_now_ms(server->turn) + timeout_ms;
    int rc = smpp_window_add(&s->window, deadline_ms, cookie, &pdu->sequence_number);

    if (rc != 0)
        return rc == ERR_NOMEM ? ERR_BUSY : rc;
    pdu->command_status = STATUS_ROK;
    rc = smpp_session_put_pdu(s, pdu);
    if (rc != 0) {
        smpp_window_answer(&s->window, pdu->sequence_number, &unused);
        return rc == ERR_FULL ? ERR_BUSY : rc;
    }
    smpp_session_rearm(s);
    return 0;
}

uint32_t smpp_deliver_room(const struct smpp_server *server, struct smpp_session_ref ref)
{
    const struct smpp_session *s = find(server, ref);

    return s == NULL || !smpp_state_can_deliver(s->state) || !reads(s) ? 0 : smpp_window_room(&s->window);
}

int smpp_notify(struct smpp_server *server, struct smpp_session_ref ref, struct smpp_pdu *pdu)
{
    struct smpp_session *s = find(server, ref);

    if (s == NULL)
        return ERR_GONE;
    if (!smpp_state_can_deliver(s->state))
        return ERR_STATE;
    if (!reads(s))
        return ERR_BUSY;
    pdu->sequence_number = smpp_window_next(&s->window);
    return smpp_session_put_pdu(s, pdu);
}

/* ---- sessions ---- */

void smpp_sessions(struct smpp_server *server, void (*each)(void *arg, const struct smpp_session_info *session),
                   void *arg)
{
    for (uint32_t i = 0; i < server->slot_count; i++) {
        if (server->slots[i].session != NULL)
            each(arg, smpp_session_facts(server->slots[i].session));
    }
}

const struct smpp_session_info *smpp_session_find(struct smpp_server *server, struct smpp_session_ref ref)
{
    struct smpp_session *s = find(server, ref);

    return s == NULL ? NULL : smpp_session_facts(s);
}

void smpp_session_unbind(struct smpp_server *server, struct smpp_session_ref ref, const char *why)
{
    struct smpp_session *s = find(server, ref);

    if (s == NULL)
        return;
    if (s->why == NULL)
        s->why = why;
    smpp_session_step(s, EV_UNBIND);
}

void smpp_session_probe(struct smpp_server *server, struct smpp_session_ref ref, uint64_t within_ms)
{
    struct smpp_session *s = find(server, ref);
    uint64_t now_ms = smpp_turn_now_ms(server->turn);

    if (s == NULL || !smpp_state_is_bound(s->state) || s->probed_until_ms != UINT64_MAX)
        return;
    smpp_session_ask(s, now_ms);
    s->probed_until_ms = now_ms + within_ms;
    smpp_session_rearm(s);
}

bool smpp_session_is_probed(const struct smpp_server *server, struct smpp_session_ref ref)
{
    const struct smpp_session *s = find(server, ref);

    return s != NULL && s->probed_until_ms != UINT64_MAX;
}

void smpp_session_close(struct smpp_server *server, struct smpp_session_ref ref, const char *why)
{
    struct smpp_session *s = find(server, ref);

    if (s != NULL)
        smpp_session_end(s, why);
}

int smpp_server_outbind(struct smpp_server *server, const char *address, const char *system_id, const char *password)
{
    char host[NET_HOST_SIZE];
    uint16_t port;

    if (net_split(address, host, &port) != 0 || host[0] == '\0')
        return ERR_SYNTAX;

    struct smpp_session *s = add(server);

    if (s == NULL)
        return ERR_NOMEM;

    int rc = smpp_session_outbind(s, system_id, password);

    if (rc == 0)
        rc = smpp_link_connect(&s->link, host, port, NULL);
    if (rc != 0)
        smpp_session_end(s, "outbind: no connection");
    return rc;
}
