/* SPDX-License-Identifier: MIT */
/* account_ask.c - one question to the aggregator: rules, request, answer in words [see account_ask.h]. */
#include "gateway/account_ask.h"

#include <stdlib.h>

enum { BODY_MAX = 256 << 10 };

struct question {
    struct gateway *gw;
    uint16_t upstream; /* by number: the configuration may drop it meanwhile */
    const struct account_method *method;
    enum rule_method rule;
    bool soap;
    account_ask_fn *fn;
    void *owner;
};

static void count_request(const struct question *q, const struct upstream *up, const struct account_answer *answer)
{
    static const char *const outcomes[] = { "ok", "error", "unclear" };

    meters_count3(q->gw->meters.requests, up->name, q->method->name, outcomes[answer->kind]);
}

static void on_reply(void *owner, uint64_t cookie, const struct http_reply_in *reply)
{
    struct question *q = owner;
    struct upstream *up = upstream_by_number(q->gw, q->upstream);
    struct account_answer answer;

    UNUSED(cookie);
    if (reply->outcome == HTTP_ANSWERED)
        account_method_read(q->method, q->soap, reply->status, reply->body, reply->body_len, &answer);
    else
        account_method_failed(reply->why, &answer);
    if (up != NULL) /* NULL: the gateway is being taken apart */
        count_request(q, up, &answer);
    q->fn(q->owner, &answer);
    account_answer_finish(&answer);
    free(q);
}

static int send_request(struct upstream *up, struct question *q, const struct smsc_param *given, size_t count,
                        char why[200])
{
    static const char *const soap_headers[] = { "SOAPAction: " SMSC_SOAP_ACTION, NULL };
    struct smsc_login login = upstream_login(up);
    struct buf body;
    char url[512];

    buf_init(&body, BODY_MAX);
    int err = account_method_build(q->method, q->soap, &login, given, count, &body, why);
    if (err == 0) {
        struct http_request_out out = { .method = "POST",
                                        .url = upstream_url(up, q->soap ? SMSC_PATH_SOAP : q->method->path, url),
                                        .content_type = q->soap ? "text/xml; charset=utf-8" : NULL,
                                        .headers = q->soap ? soap_headers : NULL,
                                        .body = buf_text(&body),
                                        .body_len = body.len };

        err = http_client_send(up->http_status, &out, on_reply, q, 0);
        if (err != 0)
            snprintf(why, 200, "%s",
                     err == ERR_FULL ? "too many questions to the aggregator are under way" : err_text(err));
    }
    buf_finish(&body);
    return err;
}

int account_ask(struct upstream *up, const struct account_method *method, const struct smsc_param *given, size_t count,
                account_ask_fn *fn, void *owner, uint64_t *out_wait_ms, char why[200])
{
    *out_wait_ms = 0;
    if (up->cfg == NULL || up->gateway->stopped) {
        snprintf(why, 200, "upstream %s is not configured any more", up->name);
        return ERR_STATE;
    }
    struct question *q = calloc(1, sizeof *q);
    if (q == NULL) {
        snprintf(why, 200, "%s", err_text(ERR_NOMEM));
        return ERR_NOMEM;
    }
    *q = (struct question){ .gw = up->gateway,
                            .upstream = up->number,
                            .method = method,
                            .rule = account_method_rule(method, given, count),
                            .soap = up->cfg->kind == CFG_SMSC_SOAP && account_method_over_soap(method, given, count),
                            .fn = fn,
                            .owner = owner };
    int err = send_request(up, q, given, count, why);
    if (err != 0)
        free(q);
    return err;
}
