/* SPDX-License-Identifier: MIT */
/* account_ask.c - one question to the aggregator: rules, request, answer in words [see account_ask.h]. */
#include "gateway/account_ask.h"

#include <stdlib.h>
#include <string.h>

enum { BODY_MAX = 256 << 10, QUESTIONS_MAX = 1000, SLOT_WAIT_MS = 10000 };

struct question {
    struct gateway *gw;
    uint16_t upstream; /* by number: the configuration may drop it meanwhile */
    const struct account_method *method;
    enum rule_method rule;
    uint64_t key;
    bool soap;
    struct buf body;
    struct rules *rules; /* shared while the request is under way: a reload may give the upstream others */
    account_ask_fn *fn;
    void *owner;
    uint64_t until_ms;     /* mono: how long it waits for a free place */
    struct question *next; /* in gw->questions */
};

static void question_end(struct question *q, const struct account_answer *answer)
{
    q->fn(q->owner, answer);
    buf_finish(&q->body);
    rules_destroy(q->rules);
    free(q);
}

static void question_failed(struct question *q, const char *why)
{
    struct account_answer answer;

    account_method_failed(why, &answer);
    question_end(q, &answer);
    account_answer_finish(&answer);
}

/* What any answer says of the account. */
static void learn(const struct question *q, struct upstream *up, const struct account_answer *answer)
{
    static const char *const outcomes[] = { "ok", "error", "unclear" };

    meters_count3(q->gw->meters.requests, up->name, q->method->name, outcomes[answer->kind]);
    if (answer->kind == SMSC_REPLY_OK || (answer->kind == SMSC_REPLY_ERROR && answer->error != 2 && answer->error != 4))
        rules_login_good(q->rules);
    else if (answer->kind == SMSC_REPLY_ERROR && answer->error == 2)
        upstream_pause(up, PAUSE_LOGIN, UINT64_MAX); /* five of these block the address */
    else if (answer->kind == SMSC_REPLY_ERROR)
        upstream_pause(up, PAUSE_BLOCKED, 10 * 60000);
}

static void on_reply(void *owner, uint64_t cookie, const struct http_reply_in *reply)
{
    struct question *q = owner;
    struct upstream *up = upstream_by_number(q->gw, q->upstream);
    struct account_answer answer;

    UNUSED(cookie);
    rules_end(q->rules, q->rule);
    if (reply->outcome != HTTP_ANSWERED) {
        question_failed(q, reply->why);
        return;
    }
    account_method_read(q->method, q->soap, reply->status, reply->body, reply->body_len, &answer);
    if (up != NULL && !q->gw->stopped)
        learn(q, up, &answer);
    question_end(q, &answer);
    account_answer_finish(&answer);
}

/* 0, or ERR_BUSY: no free place now. Other errors are for good. */
static int transmit(struct question *q, struct upstream *up)
{
    static const char *const soap_headers[] = { "SOAPAction: " SMSC_SOAP_ACTION, NULL };
    uint64_t now_ms = clock_mono_ms();
    char url[512];

    if (rules_wait_ms(up->rules, q->rule, q->key, now_ms) != 0 || (q->rule == RULE_STATUS_MASS && poll_waits(up)))
        return ERR_BUSY;
    struct http_request_out out = { .method = "POST",
                                    .url = upstream_url(up, q->soap ? SMSC_PATH_SOAP : q->method->path, url),
                                    .content_type = q->soap ? "text/xml; charset=utf-8" : NULL,
                                    .headers = q->soap ? soap_headers : NULL,
                                    .body = buf_text(&q->body),
                                    .body_len = q->body.len };
    int err = http_client_send(up->http_status, &out, on_reply, q, 0);
    if (err != 0)
        return err == ERR_FULL ? ERR_BUSY : err;
    q->rules = rules_share(up->rules);
    rules_start(q->rules, q->rule, q->key, now_ms);
    return 0;
}

/* For a status what counts is the message, else the whole request [smsc-api 2.4]. */
static uint64_t key_of(const struct question *q, const struct smsc_param *given, size_t count)
{
    uint64_t key = 0;

    if (q->rule != RULE_STATUS)
        return rules_key(buf_text(&q->body), q->body.len);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(given[i].name, "id") == 0 || strcmp(given[i].name, "phone") == 0)
            key = key * 31 + rules_key(given[i].value, strlen(given[i].value));
    }
    return key;
}

static struct question *question_create(struct upstream *up, const struct account_method *method,
                                        const struct smsc_param *given, size_t count)
{
    struct question *q = calloc(1, sizeof *q);

    if (q == NULL)
        return NULL;
    q->gw = up->gateway;
    q->upstream = up->number;
    q->method = method;
    q->rule = account_method_rule(method, given, count);
    q->soap = up->cfg->kind == CFG_SMSC_SOAP && account_method_over_soap(method, given, count);
    q->until_ms = clock_mono_ms() + SLOT_WAIT_MS;
    buf_init(&q->body, BODY_MAX);
    return q;
}

static int may_ask(struct upstream *up, char why[200])
{
    if (up->cfg == NULL || up->gateway->stopped) {
        snprintf(why, 200, "upstream %s is not configured any more", up->name);
        return ERR_STATE;
    }
    if (up->pause == PAUSE_LOGIN || up->pause == PAUSE_BLOCKED) {
        snprintf(why, 200, "upstream %s is paused: %s", up->name,
                 up->pause == PAUSE_LOGIN ? "wrong login or password" : "the aggregator has blocked this address");
        return ERR_STATE;
    }
    return 0;
}

/* Leaves now, or waits for a place; ERR_BUSY: a limit forbids it for *out_wait_ms. */
static int admit(struct question *q, struct upstream *up, uint64_t *out_wait_ms, char why[200])
{
    struct gateway *gw = q->gw;
    uint64_t wait_ms = rules_wait_ms(up->rules, q->rule, q->key, clock_mono_ms());

    if (q->rule == RULE_STATUS_MASS && poll_waits(up) && wait_ms == 0)
        wait_ms = rules_limits_of(up->rules)->window_ms;
    if (wait_ms != 0 && wait_ms != RULES_SLOT) {
        *out_wait_ms = wait_ms;
        snprintf(why, 200, "the aggregator's limit for %s is reached; again in %llu s", q->method->name,
                 (unsigned long long)(wait_ms / 1000 + 1));
        return ERR_BUSY;
    }
    int err = transmit(q, up);
    if (err != ERR_BUSY) {
        if (err != 0)
            snprintf(why, 200, "%s", err_text(err));
        return err;
    }
    if (gw->question_count >= QUESTIONS_MAX) {
        snprintf(why, 200, "too many questions to the aggregator wait");
        return ERR_FULL;
    }
    q->next = gw->questions;
    gw->questions = q;
    gw->question_count++;
    return 0;
}

int account_ask(struct upstream *up, const struct account_method *method, const struct smsc_param *given, size_t count,
                account_ask_fn *fn, void *owner, uint64_t *out_wait_ms, char why[200])
{
    *out_wait_ms = 0;
    int err = may_ask(up, why);
    if (err != 0)
        return err;
    struct question *q = question_create(up, method, given, count);
    if (q == NULL) {
        snprintf(why, 200, "%s", err_text(ERR_NOMEM));
        return ERR_NOMEM;
    }
    q->fn = fn;
    q->owner = owner;
    struct smsc_login login = upstream_login(up);
    err = account_method_build(method, q->soap, &login, given, count, &q->body, why);
    if (err == 0) {
        q->key = key_of(q, given, count);
        err = admit(q, up, out_wait_ms, why);
    }
    if (err != 0) {
        buf_finish(&q->body);
        free(q);
    }
    return err;
}

void account_ask_tick(struct gateway *gw, uint64_t now_ms)
{
    struct question *waiting = gw->questions; /* newest first; a handful at most */

    gw->questions = NULL;
    gw->question_count = 0;
    while (waiting != NULL) {
        struct question *q = waiting;
        struct upstream *up = upstream_by_number(gw, q->upstream);
        char why[200] = "";

        waiting = q->next;
        q->next = NULL;
        int err = up == NULL || gw->stopped ? ERR_STATE : may_ask(up, why);
        if (err == 0)
            err = transmit(q, up);
        if (err == 0)
            continue;
        if (err == ERR_BUSY && now_ms < q->until_ms) {
            q->next = gw->questions;
            gw->questions = q;
            gw->question_count++;
            continue;
        }
        question_failed(q, err == ERR_BUSY ? "no connection became free" : why[0] != '\0' ? why : err_text(err));
    }
}

void account_ask_finish(struct gateway *gw)
{
    while (gw->questions != NULL) {
        struct question *q = gw->questions;

        gw->questions = q->next;
        question_failed(q, "the gateway stops");
    }
}
