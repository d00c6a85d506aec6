/* SPDX-License-Identifier: MIT */
/*
 * admin_smsc.c - the upstream account's own methods over the administration API: balance, cost, status, history ...
 *
 * The methods are account_methods.c's; `smppbridge smsc` asks here when a gateway runs, so that its questions and ours
 * share one login and its limits.
 */
#include <stdlib.h>
#include <string.h>

#include "gateway/account_methods.h"
#include "gateway/admin.h"

enum { GIVEN_MAX = 64 };

struct asking {
    struct http_exchange *exchange;
    const struct account_method *method;
    bool soap;
};

static void on_reply(void *owner, uint64_t cookie, const struct http_reply_in *reply)
{
    struct asking *a = owner;
    struct account_answer answer;

    UNUSED(cookie);
    if (reply->outcome != HTTP_ANSWERED) {
        admin_fail(a->exchange, 502, "the aggregator did not answer", reply->why);
        free(a);
        return;
    }
    account_method_read(a->method, a->soap, reply->status, reply->body, reply->body_len, &answer);
    if (answer.kind == SMSC_REPLY_OK) {
        admin_reply(a->exchange, 200, &answer.json);
    } else {
        char hint[64] = "its reply was not understood";

        if (answer.kind == SMSC_REPLY_ERROR)
            snprintf(hint, sizeof hint, "the aggregator's error %d", answer.error);
        admin_fail(a->exchange, 502, answer.words, hint);
    }
    account_answer_finish(&answer);
    free(a);
}

void admin_smsc(struct admin_call *call)
{
    struct upstream *up = upstream_named(call->gw, call->arg[0]);
    const struct account_method *method = account_method_named(call->arg[1]);
    struct smsc_param given[GIVEN_MAX];
    struct buf *body = &call->gw->body;
    char url[512], why[200] = "";
    size_t count = 0;

    if (up == NULL || up->cfg == NULL || method == NULL) {
        admin_fail(call->exchange, 404, method == NULL ? "there is no such method" : "there is no such upstream",
                   method == NULL ? "smppbridge smsc --help lists them" : "GET /v1/upstreams lists them by name");
        return;
    }
    for (; count < call->query.count && count < GIVEN_MAX; count++)
        given[count] = (struct smsc_param){ call->query.at[count].name, call->query.at[count].value };
    struct asking *a = calloc(1, sizeof *a);
    if (a == NULL) {
        admin_fail(call->exchange, 503, "out of memory", "try again");
        return;
    }
    *a = (struct asking){ .exchange = call->exchange, .method = method };
    a->soap = up->cfg->kind == CFG_SMSC_SOAP && account_method_over_soap(method, given, count);
    struct smsc_login login = upstream_login(up);
    static const char *const soap_headers[] = { "SOAPAction: " SMSC_SOAP_ACTION, NULL };
    buf_clear(body);
    int err = account_method_build(method, a->soap, &login, given, count, body, why);
    if (err == 0) {
        struct http_request_out out = { .method = "POST",
                                        .url = upstream_url(up, a->soap ? SMSC_PATH_SOAP : method->path, url),
                                        .content_type = a->soap ? "text/xml; charset=utf-8" : NULL,
                                        .headers = a->soap ? soap_headers : NULL,
                                        .body = buf_text(body),
                                        .body_len = body->len };

        err = http_client_send(up->http_status, &out, on_reply, a, 0);
        if (err == 0)
            return;
    }
    free(a);
    if (err == ERR_SYNTAX)
        admin_fail(call->exchange, 400, "a parameter is missing or wrong", why);
    else
        admin_fail(call->exchange, 503, err_text(err), "too many questions to the aggregator at once: try again");
}
