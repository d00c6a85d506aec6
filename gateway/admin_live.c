/* SPDX-License-Identifier: MIT */
/* admin_live.c - health, metrics, sessions, upstreams, reload, drain, backup, and what the lab adds. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/admin.h"
#include "gateway/lab_accounts.h"

static void reply_text(struct admin_call *call, int status, const char *text)
{
    http_reply(call->exchange, status, "text/plain; charset=utf-8", text, strlen(text));
}

void admin_health(struct admin_call *call)
{
    reply_text(call, 200, "ok\n"); /* the loop turns: it has answered */
}

void admin_ready(struct admin_call *call)
{
    if (call->gw->draining)
        reply_text(call, 503, "draining\n");
    else if (!store_healthy(call->gw->store))
        reply_text(call, 503, "the store cannot be written\n");
    else
        reply_text(call, 200, "ready\n");
}

void admin_metrics(struct admin_call *call)
{
    struct buf out;

    watch_store(call->gw);
    buf_init(&out, ADMIN_REPLY_MAX);
    metrics_write(&out);
    http_reply(call->exchange, 200, "text/plain; version=0.0.4; charset=utf-8", buf_text(&out), out.len);
    buf_finish(&out);
}

void admin_status(struct admin_call *call)
{
    struct buf out;

    buf_init(&out, ADMIN_REPLY_MAX);
    admin_add_status(call->gw, &out);
    buf_adds(&out, "\n");
    admin_reply(call->exchange, 200, &out);
    buf_finish(&out);
}

/* --- sessions ----------------------------------------------------------------------------------------------------- */

struct session_list {
    struct buf out;
    const char *system_id;
    bool first;
    uint64_t wanted;
    struct smpp_session_ref found;
    bool has_found;
};

static void add_session(void *arg, const struct smpp_session_info *session)
{
    struct session_list *list = arg;

    if (session->type == SMPP_BIND_NONE)
        return; /* connected, not bound */
    if (list->system_id != NULL && strcmp(list->system_id, session->system_id) != 0)
        return;
    buf_adds(&list->out, list->first ? "\n" : ",\n");
    list->first = false;
    admin_add_session(session, &list->out);
}

void admin_sessions(struct admin_call *call)
{
    struct session_list list = { .system_id = http_params_get(&call->query, "system_id"), .first = true };

    buf_init(&list.out, ADMIN_REPLY_MAX);
    buf_adds(&list.out, "{\"items\": [");
    smpp_sessions(call->gw->smpp, add_session, &list);
    buf_adds(&list.out, "], \"next\": null}\n");
    admin_reply(call->exchange, 200, &list.out);
    buf_finish(&list.out);
}

static void find_session(void *arg, const struct smpp_session_info *session)
{
    struct session_list *list = arg;

    if (session->n == list->wanted) {
        list->found = session->ref;
        list->has_found = true;
    }
}

static bool read_number(const char *text, uint64_t *out)
{
    char *end;

    *out = strtoull(text, &end, 10);
    return *text >= '0' && *text <= '9' && *end == '\0';
}

void admin_session_end(struct admin_call *call)
{
    struct session_list list = { 0 };

    if (read_number(call->arg[0], &list.wanted))
        smpp_sessions(call->gw->smpp, find_session, &list);
    if (!list.has_found) {
        admin_fail(call->exchange, 404, "there is no such session", "GET /v1/sessions lists the live ones by n");
        return;
    }
    smpp_session_unbind(call->gw->smpp, list.found, "by the operator");
    struct buf out;
    buf_init(&out, 256);
    buf_addf(&out, "{\"n\": %llu, \"unbinding\": true}\n", (unsigned long long)list.wanted);
    admin_reply(call->exchange, 202, &out);
    buf_finish(&out);
}

void admin_session_capture(struct admin_call *call)
{
    const char *text = http_params_get(&call->query, "text");
    struct buf out;
    uint64_t n;
    char name[80];

    buf_init(&out, ADMIN_REPLY_MAX);
    int err = !read_number(call->arg[0], &n)
                  ? ERR_NOT_FOUND
                  : capture_write(call->gw->watch.capture, n, text != NULL && strcmp(text, "1") == 0, &out);
    if (err != 0) {
        admin_fail(call->exchange, err == ERR_NOT_FOUND ? 404 : 503, "no PDUs of such a session are kept",
                   "GET /v1/sessions lists the live ones by n; the last ended ones are kept too");
    } else {
        snprintf(name, sizeof name, "attachment; filename=\"session-%llu.pcap\"", (unsigned long long)n);
        http_reply_header(call->exchange, "Content-Disposition", name);
        http_reply(call->exchange, 200, "application/vnd.tcpdump.pcap", buf_text(&out), out.len);
    }
    buf_finish(&out);
}

void admin_session_conformance(struct admin_call *call)
{
    struct buf out;
    uint64_t n;

    buf_init(&out, 64 << 10);
    int err = !read_number(call->arg[0], &n) ? ERR_NOT_FOUND
                                             : conformance_write(call->gw->watch.conformance, n, clock_wall_ms(), &out);
    if (err != 0)
        admin_fail(call->exchange, err == ERR_NOT_FOUND ? 404 : 503, "nothing is known of such a session",
                   "GET /v1/sessions lists the live ones by n; the last ended ones are kept too");
    else
        admin_reply(call->exchange, 200, &out);
    buf_finish(&out);
}

/* --- upstreams ---------------------------------------------------------------------------------------------------- */

void admin_upstreams(struct admin_call *call)
{
    struct buf out;
    const char *separator = "\n";

    buf_init(&out, ADMIN_REPLY_MAX);
    buf_adds(&out, "{\"items\": [");
    for (struct upstream *up = call->gw->upstreams; up != NULL; up = up->next) {
        buf_adds(&out, separator);
        separator = ",\n";
        admin_add_upstream(up, &out);
    }
    buf_adds(&out, "], \"next\": null}\n");
    admin_reply(call->exchange, 200, &out);
    buf_finish(&out);
}

static struct upstream *upstream_asked(struct admin_call *call)
{
    struct upstream *up = upstream_named(call->gw, call->arg[0]);

    if (up == NULL)
        admin_fail(call->exchange, 404, "there is no such upstream", "GET /v1/upstreams lists them by name");
    return up;
}

static void reply_upstream(struct admin_call *call, struct upstream *up)
{
    struct buf out;

    buf_init(&out, 4096);
    admin_add_upstream(up, &out);
    buf_adds(&out, "\n");
    admin_reply(call->exchange, 200, &out);
    buf_finish(&out);
}

void admin_upstream_pause(struct admin_call *call)
{
    struct upstream *up = upstream_asked(call);

    if (up == NULL)
        return;
    upstream_pause(up, PAUSE_OPERATOR, UINT64_MAX);
    log_info("upstream paused by the operator", "upstream=%s", up->name);
    reply_upstream(call, up);
}

void admin_upstream_resume(struct admin_call *call)
{
    struct upstream *up = upstream_asked(call);

    if (up == NULL)
        return;
    if (up->retired) {
        admin_fail(call->exchange, 409, "this upstream is no longer configured",
                   "put it back into the file and reload");
        return;
    }
    upstream_resume(up);
    log_info("upstream resumed by the operator", "upstream=%s", up->name);
    reply_upstream(call, up);
}

/* --- the process -------------------------------------------------------------------------------------------------- */

void admin_reload(struct admin_call *call)
{
    struct buf report, out;
    const char *separator = "";

    buf_init(&report, 1 << 20);
    buf_init(&out, 2 << 20);
    int err = gateway_reload(call->gw, &report);
    if (err != 0) {
        admin_fail(call->exchange, err == ERR_CONFIG ? 422 : 409, buf_text(&report),
                   "nothing has been changed; smppbridge check -c FILE says the same");
    } else {
        buf_adds(&out, "{\"reloaded\": true, \"restart_needed\": [");
        for (const char *at = buf_text(&report); *at != '\0';) {
            size_t len = strcspn(at, "\n");

            if (len > 0) {
                buf_adds(&out, separator);
                buf_add_json(&out, at, len);
                separator = ", ";
            }
            at += len + (at[len] == '\n');
        }
        buf_adds(&out, "]}\n");
        admin_reply(call->exchange, 200, &out);
    }
    buf_finish(&report);
    buf_finish(&out);
}

void admin_drain(struct admin_call *call)
{
    struct buf out;

    buf_init(&out, 256);
    buf_addf(&out, "{\"draining\": true, \"timeout_ms\": %llu}\n",
             (unsigned long long)call->gw->config->drain_timeout_ms);
    admin_reply(call->exchange, 202, &out);
    buf_finish(&out);
    if (!call->gw->draining)
        kill(getpid(), SIGTERM); /* one way to drain: serve.c's */
}

/* The new process has found everything good, or why it will not be. */
static void on_upgrade(void *owner, int pid, const char *why)
{
    struct http_exchange *exchange = owner;
    struct buf out;

    if (pid == 0) {
        admin_fail(exchange, 422, why, "nothing has been changed; the log says more");
        return;
    }
    buf_init(&out, 256);
    buf_addf(&out, "{\"upgrading\": true, \"from\": %d, \"to\": %d}\n", (int)getpid(), pid);
    admin_reply(exchange, 202, &out);
    buf_finish(&out);
}

void admin_upgrade(struct admin_call *call)
{
    const struct gateway_upgrader *upgrader = call->gw->upgrader;
    char why[256];

    if (upgrader == NULL)
        admin_fail(call->exchange, 409, "this gateway cannot start its successor", "stop it and start the new one");
    else if (upgrader->start(upgrader->owner, on_upgrade, call->exchange, why) != 0)
        admin_fail(call->exchange, 409, why, "nothing has been changed");
}

struct backup {
    struct http_exchange *exchange;
    char path[512];
};

static void on_backup(void *owner, uint64_t cookie, int err)
{
    struct backup *backup = owner;

    UNUSED(cookie);
    if (err != 0) {
        admin_fail(backup->exchange, 500, err_text(err), "the directory must exist and be writable by the gateway");
    } else {
        struct buf out;

        log_info("store copied", "file=%s", backup->path);
        buf_init(&out, 4096);
        buf_adds(&out, "{");
        admin_add_string(&out, "file", backup->path);
        buf_adds(&out, "}\n");
        admin_reply(backup->exchange, 200, &out);
        buf_finish(&out);
    }
    free(backup);
}

void admin_backup(struct admin_call *call)
{
    struct http_params body;
    struct backup *backup = calloc(1, sizeof *backup);
    const char *file = NULL;
    int err = ERR_SYNTAX;

    http_params_init(&body);
    if (http_params_read_json(&body, call->request->body, call->request->body_len) == 0)
        file = http_params_get(&body, "file");
    if (backup != NULL && file != NULL && file[0] == '/' && strlen(file) < sizeof backup->path) {
        backup->exchange = call->exchange;
        snprintf(backup->path, sizeof backup->path, "%s", file);
        err = store_backup(call->gw->store, backup->path, on_backup, backup, 0);
    }
    if (err != 0) {
        free(backup);
        if (err == ERR_BUSY)
            admin_fail(call->exchange, 409, "a backup is being made", "try again when it is complete");
        else
            admin_fail(call->exchange, 400, "a backup needs {\"file\": \"/absolute/path\"}",
                       "an sqlite store, and a directory the gateway may write");
    }
    http_params_finish(&body);
}

/* --- the lab ------------------------------------------------------------------------------------------------------ */

static bool is_lab(struct admin_call *call)
{
    if (call->gw->lab != NULL)
        return true;
    admin_fail(call->exchange, 404, "this gateway is no lab", "start one with smppbridge lab");
    return false;
}

/* "account": who shall get it. 0, or the request has been answered. */
static int incoming_account(struct admin_call *call, const char *system_id, bool *out_lab, char out_mark[64])
{
    struct account *account = NULL;

    HASH_FIND_STR(call->gw->accounts, system_id, account);
    *out_lab = lab_account_is(account);
    if (account == NULL || account->cfg == NULL || (!*out_lab && !call->gw->lab->whole) ||
        snprintf(out_mark, 48, LAB_MARK "%s", system_id) >= 48) {
        admin_fail(call->exchange, 400, "\"account\" is no account of this lab",
                   "the system_id of an account of mode \"lab\"; in smppbridge lab, of any");
        return ERR_NOT_FOUND;
    }
    return 0;
}

static void lab_incoming(struct admin_call *call, const struct http_params *body)
{
    const char *phone = http_params_get(body, "phone"), *from = http_params_get(body, "from");
    const char *text = http_params_get(body, "text"), *to = http_params_get(body, "to");
    const char *sms_id = http_params_get(body, "sms_id"), *system_id = http_params_get(body, "account");
    bool lab_account = !call->gw->lab->whole;
    char mark[64];

    if (phone == NULL)
        phone = from;
    if (phone == NULL || text == NULL) {
        admin_fail(call->exchange, 400, "needs {\"from\", \"text\"}",
                   "\"to\", \"sms_id\" and \"account\" may stand there too");
        return;
    }
    if (system_id != NULL && system_id[0] != '\0') {
        if (incoming_account(call, system_id, &lab_account, mark) != 0)
            return;
        sms_id = mark;
    }
    int err = call->gw->lab->incoming(call->gw->lab->owner, lab_account, phone, to == NULL ? "" : to, text,
                                      sms_id == NULL ? "" : sms_id);
    if (err != 0)
        admin_fail(call->exchange, 400, err_text(err), "\"from\" is a phone number of digits");
    else
        http_reply(call->exchange, 202, "application/json", "{}\n", 3);
}

void admin_lab_incoming(struct admin_call *call)
{
    struct http_params body;

    if (!is_lab(call))
        return;
    http_params_init(&body);
    if (http_params_read_json(&body, call->request->body, call->request->body_len) != 0)
        admin_fail(call->exchange, 400, "not one flat JSON object", "{\"from\": \"79991234567\", \"text\": \"Hello\"}");
    else
        lab_incoming(call, &body);
    http_params_finish(&body);
}

/* ?account=LOGIN: of the simulated service; without it the first, and for changes all. */
static const char *lab_login(const struct admin_call *call)
{
    const char *login = http_params_get(&call->query, "account");

    return login == NULL ? "" : login;
}

void admin_lab_read(struct admin_call *call)
{
    struct buf out;

    if (!is_lab(call))
        return;
    buf_init(&out, 1 << 20);
    if (call->gw->lab->read_behaviour(call->gw->lab->owner, lab_login(call), &out) != 0)
        admin_fail(call->exchange, 404, "the simulated service has no account of this login",
                   "without ?account= the first");
    else
        admin_reply(call->exchange, 200, &out);
    buf_finish(&out);
}

void admin_lab_write(struct admin_call *call)
{
    char why[256] = "";

    if (!is_lab(call))
        return;
    if (call->gw->lab->write_behaviour(call->gw->lab->owner, lab_login(call), call->request->body,
                                       call->request->body_len, why) != 0)
        admin_fail(call->exchange, 400, why, "GET /v1/lab/behaviour shows every key");
    else
        admin_lab_read(call);
}
