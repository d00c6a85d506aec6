/* SPDX-License-Identifier: MIT */
/*
 * core.c - one request's way through the service, and the lives of messages over time.
 *
 * The order of a request: faults that hit before anything is accepted, parameters, admission (blocks, credentials,
 * simultaneous requests), the method, then faults that hit the reply. Whatever cannot be read gets error 1.
 */
#include "lab/core.h"
#include "lab/records.h"
#include "lab/send.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { REPLY_MAX = 8 << 20, MAX_MESSAGES = 500000 };

/* The header says windows-1251 whatever the charset of the body: recorded so. */
#define TYPE_JSON "application/json; charset=windows-1251"

struct lab *lab_create(uint64_t seed, size_t max_messages, lab_event_fn *on_event, void *owner)
{
    struct lab *lab = calloc(1, sizeof *lab);

    if (lab == NULL)
        return NULL;
    lab->seed = seed;
    lab->on_event = on_event;
    lab->owner = owner;
    lab->first = lab;
    lab->jobs_due_ms = INT64_MAX;
    lab->next_id = 1;
    lab->next_answer = lab->first_answer = 1;
    lab_behaviour_init(&lab->b);
    (void)lab_money_read(lab->b.balance, &lab->balance_e6);
    lab->rates = calloc((size_t)LAB_RATE_SETS * LAB_RATE_WAYS, sizeof *lab->rates);
    lab->phones = calloc((size_t)LAB_RATE_SETS * LAB_RATE_WAYS, sizeof *lab->phones);
    lab->links = calloc(LAB_LINKS_MAX, sizeof *lab->links);
    if (lab->rates == NULL || lab->phones == NULL || lab->links == NULL ||
        lab_messages_init(&lab->messages, max_messages != 0 ? max_messages : MAX_MESSAGES) != 0) {
        lab_destroy(lab);
        return NULL;
    }
    return lab;
}

void lab_destroy(struct lab *lab)
{
    if (lab == NULL)
        return;
    lab_messages_finish(&lab->messages);
    for (size_t i = 0; i < LAB_ANSWERS_MAX; i++)
        free(lab->answers[i].text);
    for (size_t i = 0; lab->links != NULL && i < LAB_LINKS_MAX; i++)
        free(lab->links[i].url);
    lab_records_finish(lab);
    lab_destroy(lab->others);
    free(lab->links);
    free(lab->rates);
    free(lab->phones);
    free(lab);
}

int lab_add_account(struct lab *lab, const char *json, size_t len, char why[256])
{
    struct lab *added, **end = &lab->others;
    unsigned count = 1;

    for (; *end != NULL && !(*end)->is_gone; end = &(*end)->others)
        count++;
    if (count == LAB_ACCOUNTS_MAX) {
        (void)snprintf(why, 256, "more than %d accounts", LAB_ACCOUNTS_MAX);
        return ERR_FULL;
    }
    added = *end;
    if (added == NULL) {
        added = lab_create(lab->seed, lab->messages.max, lab->on_event, lab->owner);
        if (added == NULL)
            return ERR_NOMEM;
        added->first = lab->first;
        added->next_answer = added->first_answer = lab->first_answer;
    }
    added->b = lab->b;
    added->balance_e6 = lab->balance_e6;

    int err = lab_settings_write(added, json, len, why);
    if (err == 0 && added->b.login[0] == '\0') {
        (void)snprintf(why, 256, "\"login\" of a further account must be given");
        err = ERR_RANGE;
    }
    if (err != 0) {
        if (*end == NULL)
            lab_destroy(added);
        return err;
    }
    added->is_user = added->is_gone = false;
    *end = added;
    return 0;
}

struct lab *lab_account_named(struct lab *lab, const char *login)
{
    struct lab *account = lab;

    while (login[0] != '\0' && account != NULL && (account->is_gone || strcasecmp(account->b.login, login) != 0))
        account = account->others;
    return account;
}

void lab_reset(struct lab *lab)
{
    size_t max = lab->messages.max;

    lab_messages_finish(&lab->messages);
    if (lab_messages_init(&lab->messages, max) != 0)
        abort(); /* it had the same memory a moment ago */
    memset(lab->rates, 0, sizeof *lab->rates * LAB_RATE_SETS * LAB_RATE_WAYS);
    memset(lab->phones, 0, sizeof *lab->phones * LAB_RATE_SETS * LAB_RATE_WAYS);
    memset(lab->addresses, 0, sizeof lab->addresses);
    memset(&lab->n, 0, sizeof lab->n);
    memset(&lab->posts, 0, sizeof lab->posts);
    lab->is_gone = lab->is_user;
    for (size_t i = 0; i < LAB_ANSWERS_MAX; i++) {
        free(lab->answers[i].text);
        lab->answers[i] = (struct lab_answer){ 0 };
    }
    for (size_t i = 0; i < LAB_LINKS_MAX; i++) {
        free(lab->links[i].url);
        lab->links[i] = (struct lab_link){ 0 };
    }
    lab->link_count = 0;
    lab->draws = 0;
    lab->next_id = 1;
    lab->first_answer = lab->next_answer; /* a client keeps the ids it has seen: none comes twice */
    lab->spent_e6 = lab->paid_e6 = 0;
    lab_records_finish(lab);
    if (lab->others != NULL)
        lab_reset(lab->others);
}

void lab_settings_read(struct lab *lab, struct buf *out)
{
    lab_money(lab->balance_e6, lab->b.balance);
    lab_behaviour_read(&lab->b, out);
}

int lab_settings_write(struct lab *lab, const char *json, size_t len, char why[256])
{
    struct lab_behaviour wanted = lab->b;

    lab_money(lab->balance_e6, wanted.balance);

    int err = lab_behaviour_write(&wanted, json, len, why);

    for (const struct lab *other = lab->first; err == 0 && other != NULL; other = other->others) {
        if (other != lab && !other->is_gone && strcasecmp(other->b.login, wanted.login) == 0) {
            (void)snprintf(why, 256, "\"login\" is another account's: \"%.60s\"", wanted.login);
            err = ERR_EXISTS;
        }
    }
    if (err != 0)
        return err;
    lab->b = wanted;
    return lab_money_read(lab->b.balance, &lab->balance_e6);
}

/* ---- lives of messages ---- */

static void tell(struct lab *lab, const struct lab_message *message)
{
    struct lab_event event = {
        .kind = LAB_EVENT_STATUS, .lab = lab, .message = message, .bad_hash = (message->odd & LAB_ODD_BAD_HASH) != 0
    };

    if ((message->odd & LAB_ODD_LOST) != 0 || lab->b.callback_statuses == 0)
        return;
    lab->on_event(lab->owner, &event);
    if ((message->odd & LAB_ODD_TWICE) != 0)
        lab->on_event(lab->owner, &event);
}

static void finish(struct lab *lab, struct lab_message *message, int64_t now_ms)
{
    message->status = message->final_status;
    message->err = message->final_err;
    message->last_ms = now_ms;
    message->phase = 2;
    tell(lab, message);
    if ((message->odd & LAB_ODD_ECHO) != 0 && message->status == LAB_DELIVERED) {
        bool numeric = message->sender[strspn(message->sender, "0123456789+")] == '\0' && message->sender[0] != '\0';

        (void)lab_incoming(lab, message->phone, numeric ? message->sender : lab->b.incoming_number, message->text,
                           message->id, now_ms); /* out of memory: this subscriber stays silent */
    }
}

/* Its job may send again, and with that push this very message out of the ring. */
static void job_ended(struct lab *lab, const struct lab_message *message, int64_t now_ms)
{
    char phone[LAB_PHONE_SIZE];

    (void)snprintf(phone, sizeof phone, "%s", message->phone);
    job_message_ended(lab, message->job, phone, message->status, now_ms);
}

static void step(struct lab *lab, struct lab_message *message, int64_t now_ms)
{
    switch (message->phase) {
    case 0:
        message->status = LAB_AT_OPERATOR;
        message->last_ms = now_ms;
        message->phase = 1;
        if (lab->b.intermediate != 0)
            tell(lab, message);
        if (message->final_status != LAB_AT_OPERATOR)
            lab_message_schedule(&lab->messages, message, now_ms + message->delay_ms);
        break;
    case 1:
        finish(lab, message, now_ms);
        if (message->after_status != LAB_NO_STATUS)
            lab_message_schedule(&lab->messages, message, now_ms + message->delay_ms + 1);
        if (message->job != 0)
            job_ended(lab, message, now_ms);
        break;
    default:
        message->phase = 3;
        message->status = message->after_status;
        message->err = 0;
        message->last_ms = now_ms;
        tell(lab, message);
        break;
    }
}

void lab_message_start(struct lab *lab, struct lab_message *message, int64_t at_ms, int64_t now_ms)
{
    message->accepted_ms = message->last_ms = now_ms;
    if (at_ms > now_ms) {
        message->status = LAB_WAITING;
        lab_message_schedule(&lab->messages, message, at_ms);
    } else if (lab->b.intermediate != 0) {
        message->status = LAB_WAITING;
        message->delay_ms /= 2; /* half of the way before the operator has it, half behind */
        lab_message_schedule(&lab->messages, message, now_ms + message->delay_ms);
    } else {
        message->status = LAB_AT_OPERATOR;
        message->phase = 1;
        if (message->final_status != LAB_AT_OPERATOR)
            lab_message_schedule(&lab->messages, message, now_ms + message->delay_ms);
    }
}

void lab_make_room(struct lab *lab, int64_t now_ms)
{
    struct lab_message *oldest = lab_message_oldest(&lab->messages);

    if (oldest == NULL || oldest->heap_pos == 0 || oldest->deleted)
        return;
    lab_message_unschedule(&lab->messages, oldest);
    if (oldest->phase < 2 && oldest->final_status != LAB_AT_OPERATOR) {
        lab->n.early_finished++;
        finish(lab, oldest, now_ms);
    }
}

void lab_stop_job(struct lab *lab, uint32_t job, int64_t now_ms)
{
    struct lab_messages *m = &lab->messages;

    for (uint64_t serial = m->next_serial - 1; serial > 0; serial--) {
        struct lab_message *message = lab_message_by_serial(m, serial);

        if (message == NULL)
            break;
        if (message->job != job || message->phase != 0 || message->deleted)
            continue;
        lab_message_unschedule(m, message);
        message->status = LAB_STOPPED;
        message->last_ms = now_ms;
        tell(lab, message);
    }
}

int64_t lab_next_due(const struct lab *lab)
{
    int64_t next = INT64_MAX;

    for (; lab != NULL; lab = lab->others) {
        if (lab->messages.heap_len > 0 && lab->messages.heap[0].due_ms < next)
            next = lab->messages.heap[0].due_ms;
        if (lab->jobs_due_ms < next)
            next = lab->jobs_due_ms;
    }
    return next;
}

int64_t lab_advance(struct lab *lab, int64_t now_ms, size_t most)
{
    struct lab_messages *m = &lab->messages;

    jobs_run(lab, now_ms);
    for (; most > 0 && m->heap_len > 0 && m->heap[0].due_ms <= now_ms; most--) {
        struct lab_message *message = &m->ring[m->heap[0].slot];

        lab_message_unschedule(m, message);
        if (!message->deleted)
            step(lab, message, now_ms);
    }
    if (lab->others != NULL)
        (void)lab_advance(lab->others, now_ms, most);
    return lab_next_due(lab);
}

static void copy_text(char *to, size_t size, const char *from)
{
    size_t len = strnlen(from, size - 1);

    memcpy(to, from, len);
    to[len] = '\0';
}

static int add_answer(struct lab *lab, enum lab_event_kind kind, const char *phone, const char *to, const char *text,
                      const char *sms_id, int64_t now_ms)
{
    struct lab_answer *answer = &lab->answers[lab->next_answer % LAB_ANSWERS_MAX];

    if (strlen(text) > LAB_ANSWER_TEXT_MAX)
        return ERR_RANGE;

    char *copy = strdup(text);

    if (copy == NULL)
        return ERR_NOMEM;
    free(answer->text);
    *answer = (struct lab_answer){ .id = lab->next_answer++, .text = copy, .sent_ms = now_ms, .received_ms = now_ms };
    copy_text(answer->phone, sizeof answer->phone, phone);
    copy_text(answer->to, sizeof answer->to, to);
    copy_text(answer->sms_id, sizeof answer->sms_id, sms_id);
    if (lab->b.callback_incoming != 0)
        lab->on_event(lab->owner, &(struct lab_event){ .kind = kind, .lab = lab, .answer = answer });
    return 0;
}

int lab_incoming(struct lab *lab, const char *phone, const char *to, const char *text, const char *sms_id,
                 int64_t now_ms)
{
    return add_answer(lab, LAB_EVENT_INCOMING, phone, to[0] != '\0' ? to : lab->b.incoming_number, text, sms_id,
                      now_ms);
}

int lab_waitcall(struct lab *lab, const char *phone, int64_t now_ms)
{
    return add_answer(lab, LAB_EVENT_WAITCALL, phone, "", "[waitcall]", "", now_ms);
}

/* ---- a request as a call ---- */

const char *lab_param(const struct lab_call *call, const char *name)
{
    const char *value = http_params_get(&call->params, name);

    return value != NULL ? value : "";
}

bool lab_flag(const struct lab_call *call, const char *name)
{
    const char *value = lab_param(call, name);

    return value[0] != '\0' && strcmp(value, "0") != 0;
}

int lab_param_number(const struct lab_call *call, const char *name, long max, long otherwise, long *out)
{
    const char *value = lab_param(call, name);
    long v = 0;

    if (value[0] == '\0') {
        *out = otherwise;
        return 0;
    }
    for (const char *p = value; *p != '\0'; p++) {
        if (*p < '0' || *p > '9' || v > max)
            return ERR_SYNTAX;
        v = v * 10 + (*p - '0');
    }
    if (v > max)
        return ERR_SYNTAX;
    *out = v;
    return 0;
}

bool lab_param_day(const struct lab_call *call, const char *name, int64_t *out_ms)
{
    const char *s = lab_param(call, name);
    struct tm tm = { 0 };
    char rest;

    if (s[0] == '\0')
        return true;
    if (sscanf(s, "%2d.%2d.%4d%c", &tm.tm_mday, &tm.tm_mon, &tm.tm_year, &rest) != 3 || tm.tm_mday < 1 ||
        tm.tm_mday > 31 || tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_year < 1970)
        return false;
    tm.tm_mon -= 1;
    tm.tm_year -= 1900;
    *out_ms = ((int64_t)timegm(&tm) - (int64_t)(call->lab->b.timezone_h * 3600)) * 1000;
    return true;
}

uint64_t lab_call_hash(const struct lab_call *call)
{
    uint64_t sum = lab_hash(call->request->path, strlen(call->request->path), 7);

    /* a sum: the order of parameters does not make a request different */
    for (size_t i = 0; i < call->params.count; i++) {
        const struct http_param *p = &call->params.at[i];

        sum += lab_hash(p->value, p->len, lab_hash(p->name, strlen(p->name), 3));
    }
    return sum;
}

static bool has_high(const struct http_params *params)
{
    for (size_t i = 0; i < params->count; i++) {
        for (size_t k = 0; k < params->at[i].len; k++) {
            if ((unsigned char)params->at[i].value[k] >= 0x80)
                return true;
        }
    }
    return false;
}

/* "file0", "file1" ... as official clients name them. */
static bool is_file(const char *name)
{
    return strncmp(name, "file", 4) == 0 && name[4 + strspn(name + 4, "0123456789")] == '\0';
}

/* All text into UTF-8. Binary sends and files keep their bytes. */
static int decode_params(struct lab_call *call, enum lab_charset charset)
{
    struct http_params decoded;
    struct buf text;
    const char *bin = lab_param(call, "bin");
    int err = 0;

    if (!has_high(&call->params))
        return 0;
    http_params_init(&decoded);
    buf_init(&text, REPLY_MAX);
    for (size_t i = 0; err == 0 && i < call->params.count; i++) {
        const struct http_param *p = &call->params.at[i];

        buf_clear(&text);
        if ((strcmp(p->name, "mes") == 0 && strcmp(bin, "1") == 0) || is_file(p->name))
            buf_add(&text, p->value, p->len);
        else
            lab_to_utf8(charset, p->value, p->len, &text);
        err = text.failed ? ERR_FULL : http_params_add(&decoded, p->name, buf_text(&text), text.len);
    }
    buf_finish(&text);
    if (err != 0) {
        http_params_finish(&decoded);
        return err;
    }
    http_params_finish(&call->params);
    call->params = decoded;
    return 0;
}

bool lab_call_open(struct lab_call *call)
{
    const struct lab_request *r = call->request;
    const char *type = r->content_type != NULL ? r->content_type : "";
    size_t blank = strspn(r->body != NULL ? r->body : "", " \r\n\t");
    bool json = false;
    int err;

    http_params_init(&call->params);
    err = http_params_read_form(&call->params, r->query, strlen(r->query));
    if (err == 0 && r->body_len > 0) {
        json = strncasecmp(type, "application/json", 16) == 0 ||
               (r->body[blank] == '{' && strncmp(r->path, "/rest/", 6) == 0);
        if (json)
            err = http_params_read_json(&call->params, r->body, r->body_len);
        else if (strncasecmp(type, "multipart/", 10) == 0)
            err = http_params_read_multipart(&call->params, type, r->body, r->body_len);
        else
            err = http_params_read_form(&call->params, r->body, r->body_len);
    }

    const char *fmt = lab_param(call, "fmt");

    call->fmt = fmt[0] >= '0' && fmt[0] <= '3' && fmt[1] == '\0' ? fmt[0] - '0' : json && fmt[0] == '\0' ? 3 : 0;
    if (err != 0 || (fmt[0] != '\0' && (fmt[0] < '0' || fmt[0] > '3' || fmt[1] != '\0')))
        return false;

    const char *name = lab_param(call, "charset");
    enum lab_charset charset = name[0] != '\0' ? lab_charset_named(name) : json ? LAB_UTF8 : LAB_CP1251;

    return charset != LAB_CHARSET_COUNT && decode_params(call, charset) == 0;
}

void lab_call_close(struct lab_call *call)
{
    http_params_finish(&call->params);
}

void lab_call_identify(struct lab_call *call)
{
    const char *login = lab_param(call, "login"), *psw = lab_param(call, "psw"), *key = lab_param(call, "apikey");
    struct lab *first = call->lab;

    for (struct lab *account = first; account != NULL; account = account->others) {
        if (lab_auth(account, login, psw, key)) {
            call->lab = account;
            call->authorised = true;
            return;
        }
    }

    struct lab *named = lab_account_named(first, login);

    call->lab = named != NULL ? named : first;
}

int lab_call_admit(struct lab_call *call)
{
    struct lab *lab = call->lab;

    call->address = lab_address_of(lab, call->request->peer, call->now_ms);
    if (lab->b.blocked != 0 || call->address->blocked_until_ms > call->now_ms)
        return 4;
    if (!call->authorised) {
        lab_address_auth_failed(lab, call->address, call->now_ms);
        return 2;
    }
    if (lab->b.limits != 0 && lab->under_way + 1 >= (unsigned)lab->b.concurrent) {
        call->error_words = "too many concurrent requests";
        return 9;
    }
    return 0;
}

static void encode_reply(struct lab_call *call)
{
    enum lab_charset charset = lab_charset_named(lab_param(call, "charset"));
    struct buf *body = call->out;
    struct buf encoded;

    if (charset == LAB_UTF8 || body->len == 0)
        return;
    if (charset == LAB_CHARSET_COUNT)
        charset = LAB_CP1251;
    buf_init(&encoded, body->max);
    lab_from_utf8(charset, body->data, body->len, &encoded);
    buf_finish(body);
    *body = encoded;
}

/* ---- serving ---- */

static const struct method {
    const char *name;
    void (*run)(struct lab_call *call);
} methods[] = {
    { "send", lab_method_send },           { "status", lab_method_status },
    { "balance", lab_method_balance },     { "get", lab_method_get },
    { "info", lab_method_info },           { "tinyurls", lab_method_tinyurls },
    { "wait_call", lab_method_wait_call }, { "jobs", lab_method_desk },
    { "phones", lab_method_desk },         { "senders", lab_method_desk },
    { "users", lab_method_desk },          { "templates", lab_method_desk },
    { "op_templates", lab_method_desk },
};

static const struct method *method_of(const char *path)
{
    const char *name = NULL, *end = NULL;

    if (strncmp(path, "/sys/", 5) == 0) {
        name = path + 5;
        end = strstr(name, ".php");
        if (end != NULL && end[4] != '\0')
            end = NULL;
    } else if (strncmp(path, "/rest/", 6) == 0) {
        name = path + 6;
        end = name + strcspn(name, "/");
        if (end[0] == '/' && end[1] != '\0')
            end = NULL;
    }
    for (size_t i = 0; end != NULL && i < ARRAY_LEN(methods); i++) {
        if (strlen(methods[i].name) == (size_t)(end - name) &&
            strncmp(methods[i].name, name, (size_t)(end - name)) == 0)
            return &methods[i];
    }
    return NULL;
}

void lab_reply_init(struct lab_reply *reply)
{
    *reply = (struct lab_reply){ .status = 200, .content_type = "text/html" };
    buf_init(&reply->body, REPLY_MAX);
}

void lab_reply_finish(struct lab_reply *reply)
{
    buf_finish(&reply->body);
    free(reply->location);
    reply->location = NULL;
}

static void not_found(struct lab_reply *reply)
{
    reply->status = 404;
    buf_adds(&reply->body, "404 Not Found\n");
}

void lab_link_age(const struct lab *lab, struct lab_link *link, int64_t now_ms)
{
    time_t local = (time_t)(now_ms / 1000 + (int64_t)(lab->b.timezone_h * 3600));
    int64_t day = local / 86400, month = 0;
    struct tm tm;

    if (gmtime_r(&local, &tm) != NULL)
        month = tm.tm_year * 12 + tm.tm_mon;
    if (day != link->day) {
        link->yesterday = day == link->day + 1 ? link->today : 0;
        link->today = 0;
        link->day = day;
    }
    if (month != link->month) {
        link->month_before = month == link->month + 1 ? link->month_clicks : 0;
        link->month_clicks = 0;
        link->month = month;
    }
}

/* A short link is followed: counted, and the message it came with becomes "link clicked". Links of further accounts have
 * the login before their number: /t/bob-1. */
static void follow_link(struct lab *lab, const struct lab_request *request, struct lab_reply *reply)
{
    const char *name = request->path + 3, *dash = strrchr(name, '-'), *number = dash != NULL ? dash + 1 : name;
    char login[LAB_TEXT_MAX] = "", *end;
    unsigned long n = strtoul(number, &end, 10);

    if (dash != NULL && dash - name < LAB_TEXT_MAX)
        memcpy(login, name, (size_t)(dash - name));
    lab = lab_account_named(lab, login);
    if (lab == NULL || end == number || *end != '\0' || n == 0 || n > lab->link_count ||
        (reply->location = strdup(lab->links[n - 1].url)) == NULL) {
        not_found(reply);
        return;
    }

    struct lab_link *link = &lab->links[n - 1];
    struct lab_message *message = lab_message_by_serial(&lab->messages, link->message);

    lab_link_age(lab, link, request->now_ms);
    link->clicks++;
    link->today++;
    link->month_clicks++;
    if (message != NULL && message->status == LAB_DELIVERED) {
        message->status = LAB_CLICKED;
        message->last_ms = request->now_ms;
        tell(lab, message);
    }
    reply->status = 302;
}

/* Draws for the whole request: false when it ends here. */
static bool faults_before(struct lab *lab, struct lab_reply *reply, uint64_t key)
{
    const struct lab_behaviour *b = &lab->b;

    reply->latency_ms = (uint64_t)lab_spread(b->latency_shape, b->latency_min_ms, b->latency_max_ms,
                                             lab_draw(lab->seed, key, 100), lab_draw(lab->seed, key, 112));
    if (lab_draw(lab->seed, key, 101) < b->http_500)
        reply->fault = LAB_FAULT_500;
    else if (lab_draw(lab->seed, key, 102) < b->drop_before)
        reply->fault = LAB_FAULT_DROP;
    return reply->fault == LAB_FAULT_NONE;
}

static void faults_after(const struct lab *lab, struct lab_reply *reply, uint64_t key)
{
    const struct lab_behaviour *b = &lab->b;

    if (lab_draw(lab->seed, key, 103) < b->drop_after)
        reply->fault = LAB_FAULT_DROP;
    else if (lab_draw(lab->seed, key, 104) < b->empty)
        reply->fault = LAB_FAULT_EMPTY;
    else if (lab_draw(lab->seed, key, 105) < b->cut)
        reply->fault = LAB_FAULT_CUT;
    else if (lab_draw(lab->seed, key, 106) < b->hang)
        reply->fault = LAB_FAULT_HANG;
    else if (lab_draw(lab->seed, key, 109) < b->slow_reply)
        reply->fault = LAB_FAULT_SLOW;
}

static void run_method(struct lab_call *call, bool understood)
{
    const struct method *method = method_of(call->request->path);
    struct lab *lab = call->lab;

    assert(method != NULL); /* the caller has looked */

    int error = lab_call_admit(call);

    if (error == 0 && !understood)
        error = 1;
    if (error != 0)
        lab_reply_error(call, error, NULL);
    else
        method->run(call);
    if (method->run == lab_method_send && error != 2 && error != 4)
        lab_address_send_done(lab, call->address, call->error != 0 && call->error != 9 && call->error != 3,
                              call->now_ms);
    if (call->error != 0) {
        lab->n.refused++;
        lab->n.by_error[call->error <= 9 ? call->error : 0]++;
    }
    if (call->fmt == 3)
        call->reply->content_type = TYPE_JSON;
    else if (call->fmt == 2)
        call->reply->content_type = "text/xml";
    encode_reply(call);
}

static void serve_soap(struct lab_call *call, bool understood, const struct lab_soap *soap,
                       const struct lab_request *request, struct lab_reply *reply)
{
    struct lab_reply method_reply;

    lab_reply_init(&method_reply);
    call->reply = &method_reply;
    call->out = &method_reply.body;
    if (soap->op != NULL)
        run_method(call, understood);
    else if (request->body_len > 0)
        call->lab->n.refused++;
    lab_soap_answer(soap, request, &method_reply.body, reply);
    reply->fault = method_reply.fault;
    reply->latency_ms = method_reply.latency_ms > reply->latency_ms ? method_reply.latency_ms : reply->latency_ms;
    lab_reply_finish(&method_reply);
}

/* The account's faults around its method. */
static void serve_account(struct lab_call *call, bool understood, const struct lab_soap *soap,
                          const struct lab_request *request)
{
    struct lab *lab = call->lab;
    struct lab_reply *reply = call->reply;
    uint64_t key = lab->draws++;

    reply->account = lab;
    lab->n.requests++;
    if (!faults_before(lab, reply, key)) {
        lab->n.faults++;
        return;
    }
    if (soap != NULL)
        serve_soap(call, understood, soap, request, reply);
    else
        run_method(call, understood);
    if (reply->fault == LAB_FAULT_NONE)
        faults_after(lab, reply, key);
    lab->n.faults += reply->fault != LAB_FAULT_NONE;
}

void lab_serve(struct lab *lab, const struct lab_request *request, struct lab_reply *reply)
{
    bool is_soap = strcmp(request->path, "/sys/soap.php") == 0, understood = false;
    struct lab_soap soap;

    if (strncmp(request->path, "/lab/", 5) == 0) {
        lab_admin(lab, request, reply);
        return;
    }
    if (method_of(request->path) == NULL && !is_soap) {
        if (strncmp(request->path, "/t/", 3) == 0)
            follow_link(lab, request, reply);
        else
            not_found(reply);
        return;
    }

    bool is_method = !is_soap || lab_soap_open(&soap, request);
    struct lab_call call = { .lab = lab,
                             .request = is_soap ? &soap.inner : request,
                             .now_ms = request->now_ms,
                             .reply = reply,
                             .out = &reply->body };

    http_params_init(&call.params);
    if (is_method)
        understood = lab_call_open(&call);
    lab_call_identify(&call);
    serve_account(&call, understood, is_soap ? &soap : NULL, request);
    lab_call_close(&call);
    if (is_soap)
        lab_soap_finish(&soap);
}
