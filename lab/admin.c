/* SPDX-License-Identifier: MIT */
/*
 * admin.c - /lab/ requests: what tests and people ask the simulator itself. Who may ask is simulator.c's decision.
 *
 *   GET  /lab/accepted    how many messages and requests were accepted, and every (phone, id) accepted more than once
 *   GET  /lab/messages?phone=&id=&limit=&after=   the latest accepted messages
 *   GET  /lab/behaviour, PUT /lab/behaviour       settings (behaviour.c); a part is enough
 *   POST /lab/incoming {"phone","to","text","sms_id"}   a subscriber writes
 *   POST /lab/waitcall {"phone"}                        a subscriber makes the confirming call
 *   POST /lab/reset       forgets messages, counters, limits and blocks of all accounts, and those of users.php; settings stay
 * With several accounts ?account=LOGIN says whose; without it the first one's.
 */
#include "lab/send.h"
#include "lab/show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void refuse(struct lab_reply *reply, int status, const char *why)
{
    reply->status = status;
    buf_clear(&reply->body);
    buf_adds(&reply->body, "{\"error\": ");
    buf_add_json(&reply->body, why, strlen(why));
    buf_adds(&reply->body, "}\n");
}

static void string_member(struct buf *out, const char *name, const char *value)
{
    buf_addf(out, "\"%s\": ", name);
    buf_add_json(out, value, strlen(value));
    buf_adds(out, ", ");
}

static void accepted(struct lab *lab, struct buf *out)
{
    const struct lab_messages *m = &lab->messages;

    buf_addf(
        out,
        "{\"accepted\": %llu, \"parts\": %llu, \"requests\": %llu, \"accepted_requests\": %llu, \"refused\": %llu, "
        "\"faults\": %llu, \"unique\": %llu, \"duplicates\": %llu, \"not_watched\": %llu, \"finished_early\": %llu, "
        "\"waiting\": %zu, \"errors\": {",
        (unsigned long long)lab->n.accepted, (unsigned long long)lab->n.parts, (unsigned long long)lab->n.requests,
        (unsigned long long)lab->n.accepted_requests, (unsigned long long)lab->n.refused,
        (unsigned long long)lab->n.faults, (unsigned long long)m->unique, (unsigned long long)m->repeats,
        (unsigned long long)m->unseen, (unsigned long long)lab->n.early_finished, m->heap_len);
    for (int i = 1; i < 10; i++)
        buf_addf(out, "%s\"%d\": %llu", i == 1 ? "" : ", ", i, (unsigned long long)lab->n.by_error[i]);
    buf_adds(out, "}, \"duplicate_messages\": [");
    for (size_t i = 0; i < m->duplicate_count; i++) {
        buf_adds(out, i == 0 ? "{" : ", {");
        string_member(out, "phone", m->duplicates[i].phone);
        string_member(out, "id", m->duplicates[i].id);
        buf_addf(out, "\"times\": %u}", m->duplicates[i].times);
    }
    buf_adds(out, "]}\n");
}

static void extras_member(struct buf *out, const char *form)
{
    struct http_params params;

    http_params_init(&params);
    buf_adds(out, "\"extras\": {");
    if (http_params_read_form(&params, form, strlen(form)) == 0) {
        for (size_t i = 0; i < params.count; i++) {
            buf_addf(out, "%s\"%s\": ", i == 0 ? "" : ", ", params.at[i].name);
            buf_add_json(out, params.at[i].value, params.at[i].len);
        }
    }
    buf_adds(out, "}, ");
    http_params_finish(&params);
}

static void one_message(struct buf *out, const struct lab_message *m)
{
    char cost[32];

    lab_money(m->cost_e6, cost);
    buf_addf(out, "{\"serial\": %llu, ", (unsigned long long)m->serial);
    string_member(out, "phone", m->phone);
    string_member(out, "id", m->id);
    string_member(out, "sender", m->sender);
    string_member(out, "text", m->text);
    string_member(out, "comment", m->comment);
    string_member(out, "cost", cost);
    string_member(out, "status_name", show_status_name(m->status));
    extras_member(out, m->extras);
    buf_addf(out,
             "\"job\": %u, \"status\": %d, \"err\": %u, \"final_status\": %d, \"type\": %u, \"parts\": %u, "
             "\"accepted_ms\": %lld, "
             "\"changed_ms\": %lld}",
             m->job, m->status, m->err, m->final_status, m->type, m->parts, (long long)m->accepted_ms,
             (long long)m->last_ms);
}

static void messages(struct lab *lab, const struct http_params *params, struct buf *out)
{
    struct lab_messages *m = &lab->messages;
    const char *phone = http_params_get(params, "phone"), *id = http_params_get(params, "id");
    const char *limit_text = http_params_get(params, "limit"), *after = http_params_get(params, "after");
    unsigned long long limit = limit_text != NULL ? strtoull(limit_text, NULL, 10) : 100;
    uint64_t serial = after != NULL ? strtoull(after, NULL, 10) : m->next_serial;
    bool first = true;

    if (limit > 1000)
        limit = 1000;
    if (serial > m->next_serial)
        serial = m->next_serial;
    buf_adds(out, "{\"items\": [");
    while (serial > 1 && limit > 0) {
        const struct lab_message *message = lab_message_by_serial(m, --serial);

        if (message == NULL)
            break;
        if ((phone != NULL && strcmp(phone, message->phone) != 0) || (id != NULL && strcmp(id, message->id) != 0))
            continue;
        buf_adds(out, first ? "\n" : ",\n");
        one_message(out, message);
        first = false;
        limit--;
    }
    buf_adds(out, "], \"next\": ");
    if (serial > 1 && lab_message_by_serial(m, serial - 1) != NULL)
        buf_addf(out, "\"%llu\"}\n", (unsigned long long)serial);
    else
        buf_adds(out, "null}\n");
}

static void somebody_calls_or_writes(struct lab *lab, const struct lab_request *request, bool call,
                                     struct lab_reply *reply)
{
    struct http_params params;
    const char *text, *to, *sms_id;
    char phone[LAB_PHONE_SIZE];
    bool json = request->body_len > 0 && request->body[strspn(request->body, " \r\n\t")] == '{';
    int err;

    http_params_init(&params);
    err = json ? http_params_read_json(&params, request->body, request->body_len)
               : http_params_read_form(&params, request->body != NULL ? request->body : "", request->body_len);
    const char *from = http_params_get(&params, "phone");

    text = http_params_get(&params, "text");
    to = http_params_get(&params, "to");
    sms_id = http_params_get(&params, "sms_id");
    if (err != 0 || from == NULL || !lab_phone_read(from, strlen(from), phone) || (text == NULL && !call)) {
        refuse(reply, 400,
               call ? "needs {\"phone\"}" : "needs {\"phone\", \"text\"}, and may have \"to\" and \"sms_id\"");
    } else {
        err = call
                  ? lab_waitcall(lab, phone, request->now_ms)
                  : lab_incoming(lab, phone, to != NULL ? to : "", text, sms_id != NULL ? sms_id : "", request->now_ms);
        if (err == ERR_RANGE)
            refuse(reply, 400, "the text is longer than 128 KiB");
        else if (err != 0)
            refuse(reply, 503, err_text(err));
        else
            buf_addf(&reply->body, "{\"id\": %llu}\n", (unsigned long long)lab->next_answer - 1);
    }
    http_params_finish(&params);
}

/* ?account=LOGIN says whose; without it the first one's. */
static struct lab *account_of(struct lab *lab, const struct http_params *params)
{
    const char *login = http_params_get(params, "account");

    return lab_account_named(lab, login != NULL ? login : "");
}

void lab_admin(struct lab *first, const struct lab_request *request, struct lab_reply *reply)
{
    struct lab *lab = first;
    const char *what = request->path + 5;
    bool get = strcmp(request->method, "GET") == 0,
         change = strcmp(request->method, "POST") == 0 || strcmp(request->method, "PUT") == 0;
    struct http_params params;
    char why[256];

    reply->content_type = "application/json";
    http_params_init(&params);
    if (http_params_read_form(&params, request->query, strlen(request->query)) != 0) {
        refuse(reply, 400, "too many parameters");
    } else if ((lab = account_of(first, &params)) == NULL) {
        refuse(reply, 404, "there is no account of this login");
    } else if (strcmp(what, "accepted") == 0 && get) {
        accepted(lab, &reply->body);
    } else if (strcmp(what, "messages") == 0 && get) {
        messages(lab, &params, &reply->body);
    } else if (strcmp(what, "behaviour") == 0 && get) {
        lab_settings_read(lab, &reply->body);
    } else if (strcmp(what, "behaviour") == 0 && change) {
        if (lab_settings_write(lab, request->body != NULL ? request->body : "", request->body_len, why) != 0)
            refuse(reply, 400, why);
        else
            lab_settings_read(lab, &reply->body);
    } else if (strcmp(what, "incoming") == 0 && change) {
        somebody_calls_or_writes(lab, request, false, reply);
    } else if (strcmp(what, "waitcall") == 0 && change) {
        somebody_calls_or_writes(lab, request, true, reply);
    } else if (strcmp(what, "reset") == 0 && change) {
        lab_reset(first);
        buf_adds(&reply->body, "{}\n");
    } else {
        refuse(reply, 404, "accepted, messages, behaviour, incoming, waitcall, reset; see lab/admin.c");
    }
    http_params_finish(&params);
}
