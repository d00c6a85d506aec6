/* SPDX-License-Identifier: MIT */
/*
 * listen.c - where ESMEs and the aggregator reach us: the SMPP server, plain and TLS, and the callbacks listeners.
 *
 * What is configured is opened or the start fails with a sentence. Certificates can be read again at any time; sessions
 * keep those they were made with.
 */
#include "gateway/internal.h"
#include "gateway/lab_accounts.h"

#include <stdlib.h>
#include <string.h>

enum { LEAVING_MS = 120000 }; /* a connection older than its certificate may live as long */

static void on_trouble(void *owner, const struct smpp_session_info *session, const char *what)
{
    struct gateway *gw = owner;

    metric_cell(gw->meters.trouble, METRIC_VALUES(what))->value += 1;
    log_debug("smpp trouble", "what=%s from=%s", what, session == NULL ? "?" : session->address);
}

static const struct smpp_server_ops smpp_ops = {
    .on_bind = account_on_bind,
    .on_bound = account_on_bound,
    .on_unbound = account_on_unbound,
    .on_request = submit_on_request,
    .on_deliver_end = deliver_on_end,
    .on_pdu = watch_on_pdu,
    .on_trouble = on_trouble,
};

struct smpp_server_opts gateway_smpp_opts(const struct gateway *gw)
{
    const struct cfg_smpp *cfg = &gw->config->smpp;

    return (struct smpp_server_opts){
        .system_id = cfg->system_id,
        .bind_timeout_ms = cfg->bind_timeout_ms,
        .enquire_link_interval_ms = cfg->enquire_link_interval_ms,
        .inactivity_timeout_ms = cfg->inactivity_timeout_ms,
        .response_timeout_ms = cfg->response_timeout_ms,
        .max_sessions = gw->descriptors.smpp,
        .max_sessions_per_address = cfg->max_sessions_per_address,
        .max_pdu_bytes = cfg->max_pdu_bytes,
        .proxy_protocol = cfg->proxy_protocol,
    };
}

static int listen_on(struct gateway *gw, const char **addresses, bool tls, char why[256])
{
    for (size_t i = 0; addresses != NULL && addresses[i] != NULL; i++) {
        const char *reason = "";
        char sentence[256];
        uint16_t port;
        int fd;
        int err = sockets_take(gw->sockets, tls ? SOCKET_SMPPS : SOCKET_SMPP, addresses[i], NULL, &fd, &port, sentence);

        if (err != 0)
            reason = sentence;
        else
            err = smpp_server_listen_fd(gw->smpp, fd, tls, &reason);
        if (err != 0) {
            snprintf(why, 256, "smpp.%slisten %.100s: %.100s", tls ? "tls." : "", addresses[i], reason);
            return err;
        }
        if (gw->smpp_port == 0)
            gw->smpp_port = port;
    }
    return 0;
}

int listen_smpp_again(struct gateway *gw, char why[256])
{
    for (size_t i = 0; i < sockets_count(gw->sockets); i++) {
        enum socket_kind kind = sockets_kind(gw->sockets, i);
        const char *reason;

        if (kind != SOCKET_SMPP && kind != SOCKET_SMPPS)
            continue;
        int err = smpp_server_listen_fd(gw->smpp, sockets_fd(gw->sockets, i), kind == SOCKET_SMPPS, &reason);
        if (err != 0) {
            snprintf(why, 256, "%.200s", reason);
            return err;
        }
    }
    return 0;
}

static int take_certificates(struct gateway *gw, char why[256])
{
    const struct cfg_tls *tls = &gw->config->smpp.tls;

    if (tls->listen == NULL || tls->listen[0] == NULL)
        return 0;
    return smpp_server_tls(gw->smpp, tls->certificate_file, tls->key_file, tls->client_ca_file, why);
}

int gateway_reload_certificates(struct gateway *gw)
{
    char why[256] = "";
    int err = take_certificates(gw, why);

    if (err != 0)
        log_error("certificates not taken, the last ones stay", "what=smpps reason=%s", why);
    else if (gw->config->smpp.tls.listen[0] != NULL)
        log_info("certificates read", "what=smpps file=%s", gw->config->smpp.tls.certificate_file);
    return err;
}

int listen_smpp(struct gateway *gw, char why[256])
{
    const struct cfg_smpp *cfg = &gw->config->smpp;
    struct smpp_server_opts opts = gateway_smpp_opts(gw);
    char reason[256] = "";

    int err = smpp_server_create(gw->loop, &opts, &smpp_ops, gw, &gw->smpp);
    if (err != 0) {
        snprintf(why, 256, "smpp: %s", err_text(err));
        return err;
    }
    err = take_certificates(gw, reason);
    if (err != 0) {
        snprintf(why, 256, "smpp.tls: %.240s", reason);
        return err;
    }
    err = listen_on(gw, cfg->listen, false, why);
    return err != 0 ? err : listen_on(gw, cfg->tls.listen, true, why);
}

static int serve_callbacks(struct listener *l, const struct cfg_callbacks *cfg, const char *address,
                           struct http_server **out, uint16_t *out_port, char why[256])
{
    struct http_server_opts opts = { .address = address,
                                     .listen_fd = l->fd,
                                     .max_body_bytes = cfg->max_body_bytes,
                                     .max_connections = l->gateway->descriptors.http,
                                     .allow_from = cfg->allow_from,
                                     .certificate_file = cfg->certificate_file,
                                     .key_file = cfg->key_file };

    int err = http_server_create(l->gateway->loop, &opts, event_on_request, l, out, out_port, why);
    if (err == 0)
        l->tls = cfg->certificate_file != NULL;
    return err;
}

int listen_callbacks_for(struct gateway *gw, const struct cfg_callbacks *cfg, size_t index, uint16_t *out_port,
                         char why[256])
{
    for (size_t k = 0; cfg->listen != NULL && cfg->listen[k] != NULL; k++) {
        struct listener *listener = calloc(1, sizeof *listener);
        char reason[256];
        uint16_t port;
        int err = 0;

        if (listener == NULL)
            return ERR_NOMEM;
        listener->gateway = gw;
        listener->index = index;
        listener->fd = -1;
        listener->next = gw->listeners;
        gw->listeners = listener;
        if (index != LISTENER_LAB) /* that one lives and dies with the network simulated in this process */
            err = sockets_take(gw->sockets, SOCKET_CALLBACKS, cfg->listen[k], cfg->path, &listener->fd, &port, reason);
        if (err == 0)
            err = serve_callbacks(listener, cfg, cfg->listen[k], &listener->server, &port, reason);
        if (err != 0) {
            snprintf(why, 256, "callbacks.listen %.60s: %.160s", cfg->listen[k], reason);
            return err;
        }
        if (*out_port == 0)
            *out_port = port;
        if (index == LISTENER_LAB)
            log_info("listening", "what=lab-callbacks address=%s port=%u path=%s", cfg->listen[k], port, cfg->path);
    }
    return 0;
}

/* libmicrohttpd reads certificates once: a second server begins on the same socket, and the first accepts no more. */
static int renew(struct listener *l, const struct cfg_callbacks *cfg, char why[256])
{
    struct leaving *leaving = calloc(1, sizeof *leaving);
    struct http_server *fresh;
    uint16_t port;

    if (leaving == NULL) {
        snprintf(why, 256, "out of memory");
        return ERR_NOMEM;
    }
    int err = serve_callbacks(l, cfg, NULL, &fresh, &port, why);
    if (err != 0) {
        free(leaving);
        return err;
    }
    http_server_last_answers(l->server, true);
    http_server_quiesce(l->server);
    *leaving = (struct leaving){ l->server, clock_mono_ms() + LEAVING_MS, l->gateway->leaving };
    l->gateway->leaving = leaving;
    l->server = fresh;
    return 0;
}

void listen_renew_certificates(struct gateway *gw)
{
    for (struct listener *l = gw->listeners; l != NULL; l = l->next) {
        const struct cfg_callbacks *cfg = listener_cfg(l);
        char why[256] = "";

        if (l->fd < 0 || l->server == NULL || (cfg->certificate_file == NULL && !l->tls))
            continue;
        if (renew(l, cfg, why) != 0)
            log_error("certificates not taken, the last ones stay", "what=callbacks reason=%s", why);
        else
            log_info("certificates read", "what=callbacks file=%s",
                     cfg->certificate_file == NULL ? "none" : cfg->certificate_file);
    }
}

void listen_tick(struct gateway *gw, uint64_t now_ms)
{
    for (struct leaving **at = &gw->leaving; *at != NULL;) {
        struct leaving *gone = *at;

        if (http_server_connections(gone->server) > 0 && now_ms < gone->until_ms) {
            at = &gone->next;
            continue;
        }
        *at = gone->next;
        http_server_destroy(gone->server);
        free(gone);
    }
}

int listen_callbacks(struct gateway *gw, char why[256])
{
    int err = 0;

    for (size_t i = 0; i < gw->config->callback_count && err == 0; i++)
        err = listen_callbacks_for(gw, &gw->config->callbacks[i], i, &gw->callback_port, why);
    return err;
}
