/* SPDX-License-Identifier: MIT */
/*
 * admin.c - the administration listener: who is let in, and which handler a request goes to.
 *
 * Routes are one table; "*" stands for one part of the path. http/web/openapi.json describes each of them for people and
 * programs, and a test holds the two together. What a handler needs longer than its call it copies: the exchange stays
 * valid until it is answered.
 */
#include "gateway/admin.h"

#include <stdlib.h>
#include <string.h>

#include "base/net.h"

enum access { OPEN, TOKEN };

static const struct route {
    const char *method, *path;
    void (*handle)(struct admin_call *call);
    enum access access;
} routes[] = {
    { "GET", "/healthz", admin_health, OPEN },
    { "GET", "/readyz", admin_ready, OPEN },
    { "GET", "/metrics", admin_metrics, OPEN },
    { "GET", "/", admin_page, OPEN },
    { "GET", "/web/*", admin_page, OPEN },
    { "GET", "/v1/openapi.json", admin_openapi, OPEN },
    { "POST", "/login", admin_login, OPEN },
    { "POST", "/logout", admin_logout, OPEN },
    { "GET", "/v1/status", admin_status, TOKEN },
    { "GET", "/v1/messages", admin_messages, TOKEN },
    { "POST", "/v1/messages", admin_submit, TOKEN },
    { "GET", "/v1/messages/*", admin_message, TOKEN },
    { "DELETE", "/v1/messages/*", admin_cancel, TOKEN },
    { "POST", "/v1/messages/*/redeliver", admin_redeliver, TOKEN },
    { "GET", "/v1/deliveries", admin_deliveries, TOKEN },
    { "DELETE", "/v1/deliveries/*", admin_deliveries_drop, TOKEN },
    { "GET", "/v1/sessions", admin_sessions, TOKEN },
    { "DELETE", "/v1/sessions/*", admin_session_end, TOKEN },
    { "POST", "/v1/sessions/*/alert", admin_session_alert, TOKEN },
    { "POST", "/v1/outbind", admin_outbind, TOKEN },
    { "GET", "/v1/sessions/*/capture", admin_session_capture, TOKEN },
    { "GET", "/v1/sessions/*/conformance", admin_session_conformance, TOKEN },
    { "GET", "/v1/upstreams", admin_upstreams, TOKEN },
    { "POST", "/v1/upstreams/*/pause", admin_upstream_pause, TOKEN },
    { "POST", "/v1/upstreams/*/resume", admin_upstream_resume, TOKEN },
    { "GET", "/v1/smsc/*/*", admin_smsc, TOKEN },
    { "POST", "/v1/explain", admin_explain, TOKEN },
    { "POST", "/v1/reload", admin_reload, TOKEN },
    { "POST", "/v1/drain", admin_drain, TOKEN },
    { "POST", "/v1/upgrade", admin_upgrade, TOKEN },
    { "POST", "/v1/backup", admin_backup, TOKEN },
    { "GET", "/v1/events", admin_events, TOKEN },
    { "POST", "/v1/lab/incoming", admin_lab_incoming, TOKEN },
    { "GET", "/v1/lab/behaviour", admin_lab_read, TOKEN },
    { "PUT", "/v1/lab/behaviour", admin_lab_write, TOKEN },
};

/* --- replies ------------------------------------------------------------------------------------------------------ */

void admin_reply(struct http_exchange *exchange, int status, struct buf *json)
{
    if (json->failed) {
        admin_fail(exchange, 500, "the answer is too large", "ask for less: a smaller limit");
        return;
    }
    http_reply_header(exchange, "Cache-Control", "no-store");
    http_reply(exchange, status, "application/json", buf_text(json), json->len);
}

void admin_fail(struct http_exchange *exchange, int status, const char *error, const char *hint)
{
    struct buf out;

    buf_init(&out, 8192);
    buf_adds(&out, "{\"error\": ");
    buf_add_json(&out, error, strlen(error));
    buf_adds(&out, ", \"hint\": ");
    buf_add_json(&out, hint, strlen(hint));
    buf_adds(&out, "}\n");
    http_reply_header(exchange, "Cache-Control", "no-store");
    http_reply(exchange, status, "application/json", buf_text(&out), out.len);
    buf_finish(&out);
}

/* --- who ---------------------------------------------------------------------------------------------------------- */

/* Constant time over the given text. */
static bool same_secret(const char *expected, const char *given)
{
    size_t len = strlen(expected), given_len = strlen(given);
    unsigned char difference = len != given_len;

    for (size_t i = 0; i < given_len; i++)
        difference |= (unsigned char)(given[i] ^ (len == 0 ? 1 : expected[i % len]));
    return difference == 0;
}

static bool is_loopback(const char *peer)
{
    static const char *const ranges[] = { "127.0.0.0/8", "::1/128", NULL };
    struct sockaddr_storage sa;
    socklen_t sa_len;
    struct net_list list;

    if (net_sockaddr(peer, &sa, &sa_len) != 0 || net_list_parse(ranges, &list, NULL) != 0)
        return false;
    bool found = net_list_allows(&list, (const struct sockaddr *)&sa);
    net_list_finish(&list);
    return found;
}

/* Is the Host of a request an address, or this machine's own name for itself? */
static bool is_own_host(const char *host)
{
    char name[NET_HOST_SIZE], text[NET_HOST_SIZE + 8];
    struct sockaddr_storage sa;
    socklen_t sa_len;
    uint16_t port;

    if (host == NULL || strlen(host) >= NET_HOST_SIZE)
        return host == NULL;
    if (net_split(host, name, &port) != 0) {
        snprintf(text, sizeof text, "%s:80", host);
        if (net_split(text, name, &port) != 0)
            return false;
    }
    if (strcmp(name, "localhost") == 0)
        return true;
    snprintf(text, sizeof text, strchr(name, ':') != NULL ? "[%s]:80" : "%s:80", name);
    return net_sockaddr(text, &sa, &sa_len) == 0;
}

/* A browser says which page a request comes from; another page's is refused. */
static bool is_own_origin(struct http_exchange *exchange)
{
    const char *origin = http_header(exchange, "Origin"), *host = http_header(exchange, "Host");

    if (origin == NULL)
        return true;
    const char *at = strstr(origin, "://");
    return at != NULL && host != NULL && strcmp(at + 3, host) == 0;
}

bool admin_token_is(struct admin *admin, const char *given)
{
    const char *token = admin->gw->config->admin.token;

    return token != NULL && token[0] != '\0' && same_secret(token, given);
}

static bool is_let_in(struct admin *admin, struct http_exchange *exchange, const struct http_request_in *request)
{
    const char *token = admin->gw->config->admin.token;
    const char *given = http_header(exchange, "Authorization");

    if (given != NULL && strncmp(given, "Bearer ", 7) == 0 && admin_token_is(admin, given + 7))
        return true;
    if (!is_own_origin(exchange)) {
        admin_fail(exchange, 403, "this request comes from a page of another origin",
                   "open the dashboard at the gateway's own address");
        return false;
    }
    if (token == NULL || token[0] == '\0') {
        if (is_loopback(request->peer) && is_own_host(http_header(exchange, "Host")))
            return true;
        admin_fail(exchange, 401, "no token is configured, so only this machine is served",
                   "set admin.token, or ask http://127.0.0.1");
        return false;
    }
    if (admin_is_logged_in(admin, exchange))
        return true;
    http_reply_header(exchange, "WWW-Authenticate", "Bearer");
    admin_fail(exchange, 401, given == NULL ? "no token given" : "wrong token",
               "send the header Authorization: Bearer TOKEN, as in admin.token of the configuration");
    return false;
}

/* --- routes ------------------------------------------------------------------------------------------------------- */

static bool path_matches(const char *pattern, const char *path, char args[ADMIN_ARGS][128])
{
    size_t arg = 0;

    for (;;) {
        size_t pattern_len = strcspn(pattern, "/"), len = strcspn(path, "/");

        if (pattern_len == 1 && *pattern == '*') {
            if (len == 0 || len >= 128)
                return false;
            snprintf(args[arg++], 128, "%.*s", (int)len, path);
        } else if (len != pattern_len || memcmp(pattern, path, len) != 0) {
            return false;
        }
        pattern += pattern_len;
        path += len;
        if (*pattern != *path)
            return false;
        if (*pattern == '\0')
            return true;
        pattern++;
        path++;
    }
}

/* The path is there, the method is not: says which are. */
static void refuse_method(struct http_exchange *exchange, const char *path)
{
    char args[ADMIN_ARGS][128], allow[64] = "", hint[128];
    size_t len = 0;

    for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
        if (path_matches(routes[i].path, path, args) && len + 10 < sizeof allow)
            len += (size_t)snprintf(allow + len, sizeof allow - len, "%s%s", len == 0 ? "" : ", ", routes[i].method);
    }
    snprintf(hint, sizeof hint, "it takes %s; GET /v1/openapi.json describes them all", allow);
    http_reply_header(exchange, "Allow", allow);
    admin_fail(exchange, 405, "this path does not take that method", hint);
}

static void on_request(void *owner, struct http_exchange *exchange, const struct http_request_in *request)
{
    struct admin *admin = owner;
    struct admin_call call = { .gw = admin->gw, .exchange = exchange, .request = request };
    const char *method = strcmp(request->method, "HEAD") == 0 ? "GET" : request->method; /* the same without its body */
    const struct route *route = NULL;
    bool path_known = false;

    for (size_t i = 0; i < ARRAY_LEN(routes) && route == NULL; i++) {
        if (!path_matches(routes[i].path, request->path, call.arg))
            continue;
        path_known = true;
        if (strcmp(routes[i].method, method) == 0)
            route = &routes[i];
    }
    if (route == NULL && path_known) {
        refuse_method(exchange, request->path);
        return;
    }
    if (route == NULL) {
        admin_fail(exchange, 404, "there is no such path",
                   "GET /v1/status is one; GET /v1/openapi.json describes them all");
        return;
    }
    if (route->access == TOKEN && !is_let_in(admin, exchange, request))
        return;
    http_params_init(&call.query);
    if (http_params_read_form(&call.query, request->query, strlen(request->query)) != 0)
        admin_fail(exchange, 400, "too many parameters in the query", "at most 512");
    else
        route->handle(&call);
    http_params_finish(&call.query);
}

/* --- start and end ------------------------------------------------------------------------------------------------ */

static struct http_server_opts server_opts(const struct gateway *gw, const char *address)
{
    return (struct http_server_opts){ .address = address,
                                      .listen_fd = -1,
                                      .max_body_bytes = ADMIN_BODY_MAX,
                                      .max_connections = gw->descriptors.http,
                                      .allow_from = gw->config->admin.allow_from };
}

int admin_create(struct gateway *gw, char why[256])
{
    const struct cfg_admin *cfg = &gw->config->admin;
    struct admin *admin = calloc(1, sizeof *admin);

    if (admin == NULL)
        return ERR_NOMEM;
    admin->gw = gw;
    gw->admin = admin;
    for (size_t i = 0; cfg->listen != NULL && cfg->listen[i] != NULL && i < ADMIN_LISTENERS; i++) {
        struct http_server_opts opts = server_opts(gw, cfg->listen[i]);
        char reason[256];
        uint16_t port;

        int err = sockets_take(gw->sockets, SOCKET_ADMIN, cfg->listen[i], NULL, &opts.listen_fd, &port, reason);
        if (err == 0)
            err = http_server_create(gw->loop, &opts, on_request, admin, &admin->servers[i], &port, reason);
        if (err != 0) {
            snprintf(why, 256, "admin.listen %.60s: %.160s", cfg->listen[i], reason);
            return err;
        }
        admin->server_count++;
        if (admin->port == 0)
            admin->port = port;
    }
    if (admin->server_count > 0 && (cfg->token == NULL || cfg->token[0] == '\0'))
        log_info("administration without a token", "served=this machine only");
    admin_events_start(admin);
    return 0;
}

void admin_configure(struct gateway *gw)
{
    for (size_t i = 0; i < gw->admin->server_count; i++) {
        struct http_server_opts opts = server_opts(gw, NULL);

        http_server_configure(gw->admin->servers[i], &opts);
    }
}

void admin_leave(struct gateway *gw)
{
    admin_events_finish(gw->admin);
    for (size_t i = 0; i < gw->admin->server_count; i++) {
        http_server_last_answers(gw->admin->servers[i], true);
        http_server_quiesce(gw->admin->servers[i]);
    }
}

unsigned admin_connections(const struct gateway *gw)
{
    unsigned count = 0;

    for (size_t i = 0; i < gw->admin->server_count; i++)
        count += http_server_connections(gw->admin->servers[i]);
    return count;
}

static void on_beat_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void admin_destroy(struct gateway *gw)
{
    struct admin *admin = gw->admin;

    if (admin == NULL)
        return;
    gw->admin = NULL;
    admin->closing = true;
    admin_events_finish(admin);
    admin_submit_finish(admin);
    for (size_t i = 0; i < admin->server_count; i++)
        http_server_destroy(admin->servers[i]);
    if (admin->beat.data == NULL)
        free(admin);
    else
        uv_close((uv_handle_t *)&admin->beat, on_beat_closed);
}
