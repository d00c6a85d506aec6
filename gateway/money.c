/* SPDX-License-Identifier: MIT */
/*
 * money.c - an upstream account's balance: from each reply, and asked for every balance_every within the rules.
 *
 * Below low_balance there is one alarm until it is above again. An upstream paused for want of money goes on as soon as
 * a balance above nothing is seen; one that failed, and that no message tries again, works when it answers here.
 */
#include "gateway/internal.h"
#include "gateway/wire.h"

enum { FIRST_MS = 1000, MONEY_PAUSED_MS = 10000 };

void upstream_balance(struct upstream *up, int64_t balance_e6)
{
    char text[32];

    up->balance_e6 = balance_e6;
    up->has_balance = true;
    up->meters.balance->value = (double)balance_e6 / 1e6;
    bool low = up->cfg != NULL && up->cfg->low_balance > 0 && (double)balance_e6 / 1e6 < up->cfg->low_balance;
    if (low && !up->balance_low) {
        smsc_money_write(balance_e6, text);
        log_error("low balance", "upstream=%s balance=%s", up->name, text);
        metric_cell(up->gateway->meters.trouble, METRIC_VALUES("low_balance"))->value += 1;
    }
    up->balance_low = low;
    if (up->pause == PAUSE_MONEY && balance_e6 > up->broke_at_e6)
        upstream_resume(up); /* more than when it did not suffice */
}

static void on_balance(void *owner, uint64_t cookie, const struct http_reply_in *http)
{
    struct gateway *gw = owner;
    struct upstream *up = upstream_by_number(gw, (uint16_t)cookie);
    struct smsc_balance_reply reply;

    rules_end(up->rules, RULE_BALANCE);
    up->balance_asking = false;
    if (http->outcome != HTTP_ANSWERED) {
        meters_count3(gw->meters.requests, up->name, "balance", "unclear");
        return;
    }
    wire_of(up->cfg)->parse_balance(http->status, http->body, http->body_len, &reply);
    meters_count3(gw->meters.requests, up->name, "balance",
                  reply.kind == SMSC_REPLY_OK      ? "ok"
                  : reply.kind == SMSC_REPLY_ERROR ? "error"
                                                   : "unclear");
    if (reply.kind == SMSC_REPLY_ERROR)
        reply_login_error(up, reply.error_code);
    if (reply.kind != SMSC_REPLY_OK)
        return;
    rules_login_good(up->rules);
    if (up->failures > 0 && up->in_flight == 0 && queue_waiting(up) == 0) {
        upstream_works(up, up->balance_url); /* routes lead around it: no message would ever find that out */
        if (up->pause == PAUSE_BACKOFF)
            up->pause = PAUSE_NONE;
    }
    upstream_balance(up, reply.balance_e6);
}

void money_tick(struct upstream *up, uint64_t now_ms)
{
    struct gateway *gw = up->gateway;
    char url[512];

    if (up->cfg == NULL || gw->draining || up->balance_asking || up->pause == PAUSE_LOGIN ||
        up->pause == PAUSE_BLOCKED || up->pause == PAUSE_OPERATOR)
        return;
    if (up->balance_due_ms == 0)
        up->balance_due_ms = now_ms + FIRST_MS;
    if (now_ms < up->balance_due_ms || rules_wait_ms(up->rules, RULE_BALANCE, 0, now_ms) != 0)
        return;
    uint64_t every_ms = up->cfg->balance_every_ms;
    if (up->pause == PAUSE_MONEY && every_ms > MONEY_PAUSED_MS)
        every_ms = MONEY_PAUSED_MS;
    up->balance_due_ms = now_ms + every_ms;
    const struct wire *wire = wire_of(up->cfg);
    struct smsc_login login = upstream_login(up);
    buf_clear(&gw->body);
    wire->build_balance(&login, &gw->body);
    struct http_request_out out = wire_request(wire, upstream_url(up, wire->balance_path, url), &gw->body);
    if (http_client_send(up->http_status, &out, on_balance, gw, up->number) != 0)
        return;
    rules_start(up->rules, RULE_BALANCE, 0, now_ms);
    up->balance_asking = true;
    up->balance_url = up->url;
}
