/* SPDX-License-Identifier: MIT */
/*
 * admin_smsc.c - the upstream account's own methods over the administration API: balance, cost, status, history ...
 *
 * A method is one of a table of paths and fixed parameters of the aggregator's API; what the caller gives is added. The
 * reply is passed on as it came. Methods that change or send are not among those of GET but for the ones that the table
 * of interface.md 1 names.
 */
#include <stdlib.h>
#include <string.h>

#include "gateway/admin.h"

static const struct method {
    const char *name, *path;
    const char *fixed[3]; /* "name=value" */
    const char *needs;    /* a parameter that must be there */
} methods[] = {
    { "balance", SMSC_PATH_BALANCE, { "cur=1" }, NULL },
    { "cost", SMSC_PATH_SEND, { "cost=1" }, "phones" },
    { "status", SMSC_PATH_STATUS, { NULL }, "id" },
    { "history", SMSC_PATH_GET, { "get_messages=1" }, NULL },
    { "incoming", SMSC_PATH_GET, { "get_answers=1" }, NULL },
    { "stat", SMSC_PATH_GET, { "get_stat=1" }, NULL },
    { "prices", SMSC_PATH_GET, { "get_prices=1" }, NULL },
    { "megafon", SMSC_PATH_GET, { "get_megafon=1" }, NULL },
    { "operator", SMSC_PATH_INFO, { "get_operator=1" }, "phone" },
    { "tinyurl", SMSC_PATH_TINYURLS, { "get=1" }, NULL },
    { "wait-call", SMSC_PATH_WAITCALL, { NULL }, "phone" },
    { "delete", SMSC_PATH_STATUS, { "del=1" }, "id" },
};

struct asking {
    struct http_exchange *exchange;
};

static void on_reply(void *owner, uint64_t cookie, const struct http_reply_in *reply)
{
    struct asking *a = owner;

    UNUSED(cookie);
    if (reply->outcome != HTTP_ANSWERED) {
        admin_fail(a->exchange, 502, "the aggregator did not answer", reply->why);
    } else {
        size_t skip = strspn(reply->body, " \r\n\t");
        bool json = reply->body[skip] == '{' || reply->body[skip] == '[';

        http_reply(a->exchange, reply->status, json ? "application/json" : "text/plain; charset=utf-8", reply->body,
                   reply->body_len);
    }
    free(a);
}

void admin_smsc(struct admin_call *call)
{
    struct upstream *up = upstream_named(call->gw, call->arg[0]);
    const struct method *method = NULL;
    struct smsc_param params[64];
    char fixed_names[3][32], url[512];
    size_t count = 0;

    for (size_t i = 0; i < ARRAY_LEN(methods) && method == NULL; i++) {
        if (strcmp(methods[i].name, call->arg[1]) == 0)
            method = &methods[i];
    }
    if (up == NULL || up->cfg == NULL || method == NULL) {
        admin_fail(
            call->exchange, 404, method == NULL ? "there is no such method" : "there is no such upstream",
            "balance, cost, status, history, incoming, stat, prices, megafon, operator, tinyurl, wait-call, delete");
        return;
    }
    if (method->needs != NULL && http_params_get(&call->query, method->needs) == NULL) {
        admin_fail(call->exchange, 400, "a parameter is missing", method->needs);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(method->fixed) && method->fixed[i] != NULL; i++) {
        size_t len = strcspn(method->fixed[i], "=");

        snprintf(fixed_names[i], sizeof fixed_names[i], "%.*s", (int)len, method->fixed[i]);
        params[count++] = (struct smsc_param){ fixed_names[i], method->fixed[i] + len + 1 };
    }
    for (size_t i = 0; i < call->query.count && count < ARRAY_LEN(params); i++)
        params[count++] = (struct smsc_param){ call->query.at[i].name, call->query.at[i].value };
    struct asking *a = calloc(1, sizeof *a);
    struct smsc_login login = upstream_login(up);
    struct buf *body = &call->gw->body;
    buf_clear(body);
    smsc_build_any(&login, params, count, body);
    struct http_request_out out = {
        .method = "POST", .url = upstream_url(up, method->path, url), .body = buf_text(body), .body_len = body->len
    };
    int err = a == NULL || body->failed ? ERR_NOMEM : 0;
    if (err == 0) {
        a->exchange = call->exchange;
        err = http_client_send(up->http_status, &out, on_reply, a, 0);
    }
    if (err != 0) {
        free(a);
        admin_fail(call->exchange, 503, err_text(err), "too many questions to the aggregator at once: try again");
    }
}
