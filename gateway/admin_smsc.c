/* SPDX-License-Identifier: MIT */
/*
 * admin_smsc.c - GET /v1/smsc/{upstream}/{method}: the upstream account's own methods over the administration API.
 *
 * The query's parameters are the aggregator's; the reply is the aggregator's JSON, or {"error", "hint"} with its error in
 * words and its number as "error_code".
 */
#include "gateway/account_ask.h"
#include "gateway/admin.h"

#include <string.h>

enum { GIVEN_MAX = 64 };

static void reply_error(struct http_exchange *exchange, const struct account_answer *answer)
{
    struct buf out;

    buf_init(&out, 4096);
    buf_adds(&out, "{\"error\": ");
    buf_add_json(&out, answer->words, strlen(answer->words));
    buf_addf(&out, ", \"error_code\": %d, \"hint\": \"%s\"}\n", answer->error,
             answer->kind == SMSC_REPLY_ERROR ? "the aggregator refused this request"
                                              : "see the upstream's state: GET /v1/upstreams");
    admin_reply(exchange, answer->kind == SMSC_REPLY_ERROR ? 422 : 502, &out);
    buf_finish(&out);
}

static void on_answer(void *owner, const struct account_answer *answer)
{
    struct http_exchange *exchange = owner;

    if (answer->kind == SMSC_REPLY_OK)
        http_reply(exchange, 200, "application/json", buf_text(&answer->json), answer->json.len);
    else
        reply_error(exchange, answer);
}

static void refuse(struct admin_call *call, int err, uint64_t wait_ms, const char *why)
{
    char seconds[24];

    if (err == ERR_SYNTAX) {
        admin_fail(call->exchange, 400, why, "smppbridge smsc METHOD --help names the parameters");
    } else if (err == ERR_BUSY) {
        snprintf(seconds, sizeof seconds, "%llu", (unsigned long long)(wait_ms / 1000 + 1));
        http_reply_header(call->exchange, "Retry-After", seconds);
        admin_fail(call->exchange, 429, why, "the aggregator would refuse it, and count it against the account");
    } else {
        admin_fail(call->exchange, 503, why, "try again");
    }
}

void admin_smsc(struct admin_call *call)
{
    struct upstream *up = upstream_named(call->gw, call->arg[0]);
    const struct account_method *method = account_method_named(call->arg[1]);
    struct smsc_param given[GIVEN_MAX];
    uint64_t wait_ms = 0;
    char why[200];

    if (up == NULL || up->cfg == NULL) {
        admin_fail(call->exchange, 404, "there is no such upstream", "GET /v1/upstreams lists them");
        return;
    }
    if (method == NULL) {
        admin_fail(
            call->exchange, 404, "there is no such method",
            "balance, cost, status, delete, history, incoming, stat, prices, megafon, operator, tinyurl, wait-call");
        return;
    }
    if (call->query.count > GIVEN_MAX) {
        admin_fail(call->exchange, 400, "too many parameters", "at most 64");
        return;
    }
    for (size_t i = 0; i < call->query.count; i++)
        given[i] = (struct smsc_param){ call->query.at[i].name, call->query.at[i].value };
    int err = account_ask(up, method, given, call->query.count, on_answer, call->exchange, &wait_ms, why);
    if (err != 0)
        refuse(call, err, wait_ms, why);
}
