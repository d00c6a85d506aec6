/* SPDX-License-Identifier: MIT */
/*
 * methods_send.c - send.php: accepts messages or says what they would cost, and answers in four formats.
 *
 * All numbers of a request share one id. A request with at least one good number succeeds; the bad ones are recorded
 * with their final status and shown by op=1 and err=1. With only bad numbers it fails with the error of the first one.
 */
#include "lab/send.h"
#include "lab/records.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { DAY_MS = 86400000, MINUTE_MS = 60000, EARLY_LATENCY_MS = 500 };

/* The final status of a number refused with a send error. */
static void refuse(struct send_target *t, int error)
{
    t->refused = error;
    t->status = error == 3 ? LAB_NO_MONEY : error == 6 ? LAB_PROHIBITED : error == 7 ? LAB_INVALID : LAB_UNAVAILABLE;
    t->err = error == 6 ? 253 : error == 7 ? 249 : error == 8 ? 248 : 0;
}

/* Its form; whether it is registered is asked of desk.c. */
static bool sender_is_good(const char *sender)
{
    size_t len = strlen(sender);
    bool digits = strspn(sender, "+0123456789") == len;

    if (len == 0 || strcmp(sender, ".") == 0)
        return true;
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)sender[i] < ' ' || (unsigned char)sender[i] > '~')
            return false;
    }
    return len <= (digits ? 16u : 11u);
}

static bool text_is_forbidden(const struct lab *lab, const char *text)
{
    for (const char *p = lab->b.forbidden; *p != '\0';) {
        size_t n = strcspn(p, ",");
        char word[LAB_TEXT_MAX];

        memcpy(word, p, n);
        word[n] = '\0';
        if (n > 0 && strstr(text, word) != NULL)
            return true;
        p += n + (p[n] == ',');
    }
    return false;
}

static const char *text_of(const struct send_job *job, const struct send_target *t)
{
    return buf_text(&job->texts) + job->lines[t->line].text_at;
}

static const char *sender_of(const struct send_job *job, const struct send_target *t)
{
    const struct send_line *line = &job->lines[t->line];
    const struct http_param *given = http_params_find(&job->call->params, "sender");

    if (line->has_sender)
        return buf_text(&job->texts) + line->sender_at;
    if (given == NULL)
        return job->call->lab->b.sender;
    return strcmp(given->value, ".") == 0 ? "" : given->value;
}

static int64_t price_of(const struct lab *lab, const struct send_target *t, enum lab_type type)
{
    int64_t price = 0;
    unsigned share = t->op != NULL ? t->op->price_share : 500;

    if (lab->b.test_mode != 0 || t->refused != 0)
        return 0;
    (void)lab_money_read(lab->b.price, &price); /* checked when it was set */
    price = price * share / 100;
    if (type == LAB_HLR || type == LAB_MAIL)
        price /= 5;
    return price;
}

/* What each number costs; the sums of the good ones. */
static void count(struct send_job *job, unsigned *out_sms, int64_t *out_cost)
{
    *out_sms = 0;
    *out_cost = 0;
    for (size_t i = 0; i < job->target_count; i++) {
        struct send_target *t = &job->targets[i];
        const struct send_line *line = &job->lines[t->line];

        t->cost_e6 = price_of(job->call->lab, t, line->type) * line->parts;
        if (t->refused == 0) {
            *out_sms += line->parts;
            *out_cost += t->cost_e6;
            if (*out_cost > LAB_MONEY_MAX_E6)
                *out_cost = LAB_MONEY_MAX_E6 + 1; /* more than anybody has */
        }
    }
}

/* The account's own limits: the err of a message above one of them, or 0. */
static int over_limits(const struct send_job *job, const struct send_target *t)
{
    struct lab *lab = job->call->lab;
    int64_t now_ms = job->call->now_ms;
    unsigned from, until;

    if (t->flood)
        return 251;
    if (lab->b.hours[0] != '\0' && lab_hours_read(lab->b.hours, &from, &until)) {
        unsigned hour = (unsigned)((now_ms + (int64_t)(lab->b.timezone_h * 3600000)) / 3600000 % 24);

        if (hour < from || hour >= until)
            return 246;
    }
    if (lab->b.day_limit > 0 && lab_rate_over(lab, "day", 0, (uint32_t)lab->b.day_limit, DAY_MS, now_ms))
        return 247;
    if (lab->b.number_limit > 0 && lab_rate_over(lab, "number", lab_hash(t->phone, strlen(t->phone), 1),
                                                 (uint32_t)lab->b.number_limit, DAY_MS, now_ms))
        return 251;
    return 0;
}

/* Draws every outcome. Returns the error that refuses the whole request, or 0; *out_fault: what hits the request. */
static int draw(struct send_job *job, enum lab_fault *out_fault, bool *out_before)
{
    struct lab *lab = job->call->lab;
    int error = 0;

    for (size_t i = 0; i < job->target_count; i++) {
        struct send_target *t = &job->targets[i];
        bool flood = false;
        uint32_t n;

        if (t->refused != 0)
            continue;
        n = lab_phone_count(lab, t->phone, job->call->now_ms, &flood);
        lab_outcome_of(lab, t->phone, text_of(job, t), n, &t->outcome);
        t->flood = flood;
        /* every other try is spared, so that the way a client recovers can be watched to its end */
        if (t->outcome.fault != LAB_FAULT_NONE && n % 2 == 1 && *out_fault == LAB_FAULT_NONE) {
            *out_fault = t->outcome.fault;
            *out_before = t->outcome.fault_before;
        }
        if (t->outcome.refuse == 0)
            continue;
        if (t->outcome.refuse == 3 || (t->outcome.refuse >= 6 && t->outcome.refuse <= 8))
            refuse(t, t->outcome.refuse);
        else if (error == 0)
            error = t->outcome.refuse;
    }
    return error;
}

/* With period= the numbers of a request leave one after another: in portions every freq= minutes, else evenly. */
static int64_t leaves_at(const struct send_job *job, const struct send_target *t)
{
    const struct send_line *line = &job->lines[t->line];
    int64_t start = line->has_time ? line->at_ms : job->at_ms;
    int64_t count = (int64_t)job->target_count, i = t - job->targets;

    if (job->period_ms == 0)
        return start;
    if (start < job->call->now_ms)
        start = job->call->now_ms;
    if (job->freq_ms == 0)
        return start + job->period_ms * i / count;
    int64_t portions = job->period_ms / job->freq_ms > 0 ? job->period_ms / job->freq_ms : 1;
    int64_t size = (count + portions - 1) / portions;
    return start + i / size * job->freq_ms;
}

static void record(struct send_job *job, const struct send_target *t)
{
    struct lab *lab = job->call->lab;
    const struct send_line *line = &job->lines[t->line];
    struct lab_message_new fresh = { .phone = t->phone,
                                     .id = job->id,
                                     .sender = sender_of(job, t),
                                     .text = text_of(job, t),
                                     .text_len = line->text_len,
                                     .comment = buf_text(&job->texts) + line->comment_at,
                                     .extras = buf_text(&job->extras) };
    struct lab_message *message;

    lab_make_room(lab, job->call->now_ms);
    message = lab_message_add(&lab->messages, &fresh);
    if (message == NULL)
        return; /* out of memory: its status will be "not found" */
    message->type = (uint8_t)line->type;
    message->parts = (uint16_t)line->parts;
    message->cost_e6 = t->cost_e6;
    message->link = job->link;
    message->job = job->call->job;
    message->after_status = LAB_NO_STATUS;
    if (job->link != 0 && job->link <= LAB_LINKS_MAX)
        lab->links[job->link - 1].message = message->serial;
    message->refused = t->refused != 0;
    if (t->refused != 0) {
        message->status = message->final_status = (int16_t)t->status;
        message->err = message->final_err = (uint16_t)t->err;
        message->accepted_ms = message->last_ms = job->call->now_ms;
        message->phase = 3;
        return;
    }

    const struct lab_outcome *o = &t->outcome;

    lab->n.accepted++;
    lab->n.parts += line->parts;
    lab_message_seen(&lab->messages, t->phone, job->id);
    message->final_status = (int16_t)o->status;
    message->final_err = (uint16_t)o->err;
    message->delay_ms = o->delay_ms;
    message->odd = o->odd;
    int over = over_limits(job, t);
    if (over != 0) {
        message->final_status = LAB_PROHIBITED;
        message->final_err = (uint16_t)over;
        message->delay_ms = 0;
    }
    if (lab->b.test_mode != 0) {
        message->final_status = LAB_DELIVERED;
        message->final_err = 200;
    }
    if (o->read_later && message->final_status == LAB_DELIVERED)
        message->after_status = strcmp(t->phone, "79000000004") == 0 ? LAB_CLICKED : LAB_READ;
    if ((o->odd & LAB_ODD_REVERSED) != 0)
        message->after_status = LAB_AT_OPERATOR;
    if (job->valid_ms != 0 && message->delay_ms > job->valid_ms && message->final_status != LAB_AT_OPERATOR) {
        message->final_status = LAB_EXPIRED;
        message->final_err = 6;
        message->delay_ms = job->valid_ms;
    }
    if ((o->odd & LAB_ODD_EARLY) != 0) {
        message->delay_ms = 0;
        job->call->reply->latency_ms = EARLY_LATENCY_MS;
    }
    lab_message_start(lab, message, leaves_at(job, t), job->call->now_ms);
}

static void choose_id(struct send_job *job)
{
    struct lab *lab = job->call->lab;

    if (job->id[0] == '\0') {
        (void)snprintf(job->id, sizeof job->id, "%u", lab->next_id);
        lab->next_id = lab->next_id == INT32_MAX ? 1 : lab->next_id + 1;
    }
}

/* ---- replies ---- */

/* Fields of one number for op=1; `status` and `error` only for a bad one. */
static size_t number_fields(const struct lab *lab, const struct send_target *t, char store[4][32],
                            struct lab_field f[5])
{
    size_t n = 0;

    (void)snprintf(store[0], 32, "%s%s", t->op != NULL ? t->op->mcc : "", t->op != NULL ? t->op->mnc : "");
    lab_money(t->cost_e6, store[1]);
    (void)snprintf(store[2], 32, "%d", t->status);
    (void)snprintf(store[3], 32, "%d", t->err);
    f[n++] = (struct lab_field){ "phone", "phone", t->phone, false };
    f[n++] = (struct lab_field){ "mccmnc", "mccmnc", store[0], false };
    if (lab->b.test_mode == 0)
        f[n++] = (struct lab_field){ "cost", "cost", store[1], false };
    if (t->refused != 0) {
        f[n++] = (struct lab_field){ "status", "status", store[2], false };
        f[n++] = (struct lab_field){ "error", "error", store[3], false };
    }
    return n;
}

/* Lists of op=1 and err=1. In formats 0 and 1 a line each after the reply, in format 2 repeated elements: assumed. */
static void write_numbers(struct send_job *job, const char *name, bool only_bad)
{
    struct buf *out = job->call->out;
    int fmt = job->call->fmt;
    bool first = true;

    if (fmt == 3)
        buf_addf(out, ",\n\"%s\": [", name);
    for (size_t i = 0; i < job->target_count; i++) {
        const struct send_target *t = &job->targets[i];
        char store[4][32];
        struct lab_field f[5];
        size_t n;

        if (only_bad && t->refused == 0)
            continue;
        n = number_fields(job->call->lab, t, store, f);
        if (only_bad) {
            f[1] = (struct lab_field){ "status", "status", store[2], false };
            n = 2;
        }
        if (fmt < 2)
            buf_addc(out, '\n');
        lab_list_item(out, fmt, fmt < 2 || first, name, f, n);
        first = false;
    }
    if (fmt == 3)
        buf_addc(out, ']');
}

static void write_reply(struct send_job *job, unsigned sms, int64_t cost_e6, const char *code)
{
    struct lab_call *call = job->call;
    struct buf *out = call->out;
    char cnt[16], cost[32], balance[32];
    bool with_cost = job->cost >= 2, with_balance = job->cost == 3, only_cost = job->cost == 1;

    (void)snprintf(cnt, sizeof cnt, "%u", sms);
    lab_money(cost_e6, cost);
    lab_money(call->lab->balance_e6, balance);
    switch (call->fmt) {
    case 0:
        if (only_cost) {
            buf_addf(out, "%s (%s SMS)", cost, cnt); /* assumed */
        } else {
            buf_addf(out, "OK - %s SMS, ID - %s", cnt, job->id);
            if (with_cost)
                buf_addf(out, ", COST - %s", cost);
            if (with_balance)
                buf_addf(out, ", BALANCE - %s", balance);
            if (code[0] != '\0')
                buf_addf(out, ", CODE - %s", code);
        }
        break;
    case 1:
        buf_addf(out, "%s,%s", only_cost ? cost : job->id, cnt);
        if (with_cost)
            buf_addf(out, ",%s", cost);
        if (with_balance)
            buf_addf(out, ",%s", balance);
        if (code[0] != '\0')
            buf_addf(out, ",%s", code);
        break;
    case 2:
        buf_adds(out, "<result>\n");
        lab_xml_element(out, only_cost ? "cost" : "id", only_cost ? cost : job->id);
        lab_xml_element(out, "cnt", cnt);
        if (with_cost)
            lab_xml_element(out, "cost", cost);
        if (with_balance)
            lab_xml_element(out, "balance", balance);
        if (code[0] != '\0')
            lab_xml_element(out, "code", code);
        break;
    default:
        buf_addc(out, '{');
        if (only_cost)
            lab_json_member(out, true, "cost", cost, false);
        else
            lab_json_member(out, true, "id", job->id, lab_id_is_number(job->id));
        lab_json_member(out, false, "cnt", cnt, true);
        if (with_cost)
            lab_json_member(out, false, "cost", cost, false);
        if (with_balance)
            lab_json_member(out, false, "balance", balance, false);
        if (code[0] != '\0')
            lab_json_member(out, false, "code", code, false);
        break;
    }

    bool any_bad = false;

    for (size_t i = 0; i < job->target_count; i++)
        any_bad = any_bad || job->targets[i].refused != 0;
    if (lab_flag(call, "op"))
        write_numbers(job, "phones", false);
    if (lab_flag(call, "err") && any_bad)
        write_numbers(job, "errors", true);
    if (call->fmt == 2)
        buf_adds(out, "</result>");
    if (call->fmt == 3)
        buf_adds(out, "\n}");
}

/* ---- the method ---- */

/* The account's daily limit for one end user's address; the captcha code lifts it. */
static bool ip_is_over(struct send_job *job)
{
    struct lab *lab = job->call->lab;
    const char *ip = lab_param(job->call, "userip");

    return lab->b.ip_limit > 0 && ip[0] != '\0' && job->cost != 1 &&
           strcmp(lab_param(job->call, "imgcode"), lab->b.imgcode) != 0 &&
           lab_rate_over(lab, "userip", lab_hash(ip, strlen(ip), 1), (uint32_t)lab->b.ip_limit, DAY_MS,
                         job->call->now_ms);
}

/* Sender names and texts the account may not use: every number of such a line is refused. */
static void check_lines(struct send_job *job)
{
    bool over = ip_is_over(job);

    for (size_t i = 0; i < job->target_count; i++) {
        struct send_target *t = &job->targets[i];

        const char *sender = sender_of(job, t);
        bool named = sender[0] != '\0' && job->lines[t->line].type != LAB_MAIL && !job->call->internal;

        if (t->refused == 0 && named && (!sender_is_good(sender) || !desk_sender_allowed(job->call->lab, sender))) {
            refuse(t, 6);
            t->err = 254; /* unregistered sender id */
        } else if (t->refused == 0 && text_is_forbidden(job->call->lab, text_of(job, t))) {
            refuse(t, 6);
        } else if (t->refused == 0 && desk_is_black(job->call->lab, t->phone, job->target_count > 1)) {
            refuse(t, 8);
            t->status = LAB_PROHIBITED;
            t->err = 250; /* number forbidden by settings */
        }
        if (t->refused == 0 && t->op == NULL && strspn(t->phone, "0123456789") == strlen(t->phone))
            refuse(t, 8); /* no route to that country */
        if (over && t->refused == 0) {
            refuse(t, 6);
            t->err = 239; /* forbidden IP address */
        }
    }
}

static bool all_refused(const struct send_job *job)
{
    for (size_t i = 0; i < job->target_count; i++) {
        if (job->targets[i].refused == 0)
            return false;
    }
    return true;
}

static void record_all(struct send_job *job)
{
    choose_id(job);
    for (size_t i = 0; i < job->target_count; i++)
        record(job, &job->targets[i]);
}

static int send_it(struct send_job *job, unsigned *out_sms, int64_t *out_cost)
{
    struct lab_call *call = job->call;
    struct lab *lab = call->lab;
    enum lab_fault fault = LAB_FAULT_NONE;
    bool before = false;
    int error = draw(job, &fault, &before);

    if (call->internal) /* no request whose way back could be hit */
        fault = LAB_FAULT_NONE;
    if (fault != LAB_FAULT_NONE)
        call->reply->fault = fault;
    if (fault != LAB_FAULT_NONE && before)
        return 0;
    if (error == 0 && lab->b.error_rate > 0 && lab->b.error_code != 3 &&
        (lab->b.error_code < 6 || lab->b.error_code > 8) && lab_draw(lab->seed, lab->draws, 107) < lab->b.error_rate)
        error = (int)lab->b.error_code;
    if (error == 0 && lab->b.duplicates != 0 && !call->internal &&
        lab_rate_over(lab, "send", lab_call_hash(call), 1, MINUTE_MS, call->now_ms))
        error = 9;
    if (error != 0)
        return error;

    count(job, out_sms, out_cost);
    if (*out_cost > lab->balance_e6) {
        for (size_t i = 0; i < job->target_count; i++)
            refuse(&job->targets[i], 3);
    }
    if (!all_refused(job)) {
        lab->balance_e6 -= *out_cost;
        lab->spent_e6 += *out_cost;
        lab->n.accepted_requests++;
    }
    record_all(job);
    return all_refused(job) ? job->targets[0].refused : 0;
}

void lab_method_send(struct lab_call *call)
{
    struct send_job job;
    struct lab *lab = call->lab;
    unsigned sms = 0;
    int64_t cost = 0;
    char code[8] = "";
    int error;

    send_job_init(&job, call);
    error = send_read(&job);
    if (error == 0) {
        check_lines(&job);
        if (job.cost == 1) {
            if (lab->b.limits != 0 && lab_rate_over(lab, "cost", lab_call_hash(call), 5, MINUTE_MS, call->now_ms))
                error = 9;
            count(&job, &sms, &cost);
            if (error == 0 && all_refused(&job))
                error = job.targets[0].refused;
        } else {
            error = send_it(&job, &sms, &cost);
        }
    }
    if (error == 0 && job.type == LAB_CALL && strcmp(lab_param(call, "mes"), "code") == 0)
        (void)snprintf(code, sizeof code, "%04u", (unsigned)(lab_draw(lab->seed, lab->draws, 108) * 10000));
    if (error != 0)
        lab_reply_error(call, error, job.cost != 1 && (error == 3 || (error >= 6 && error <= 8)) ? job.id : NULL);
    else if (job.id[0] != '\0' || job.cost == 1)
        write_reply(&job, sms, cost, code);
    send_job_finish(&job);
}
