/* SPDX-License-Identifier: MIT */
/*
 * methods_get.c - get.php: history, incoming messages, statistics, Megafon accounts, tariffs; and the three small
 * methods info.php, tinyurls.php, wait_call.php.
 */
#include "lab/send.h"
#include "lab/records.h"
#include "lab/show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MINUTE_MS = 60000, HISTORY_MAX = 100 };

/* "More than three identical requests within a minute": true when this one is. */
static bool too_often(struct lab_call *call, const char *rule, uint64_t key, uint32_t most)
{
    if (call->lab->b.limits == 0 || !lab_rate_over(call->lab, rule, key, most, MINUTE_MS, call->now_ms))
        return false;
    lab_reply_error(call, 9, NULL);
    return true;
}

static bool phone_wanted(const char *list, const char *phone)
{
    char normal[LAB_PHONE_SIZE];

    if (list[0] == '\0')
        return true;
    for (const char *p = list; *p != '\0';) {
        size_t n = strcspn(p, ",");

        (void)lab_phone_read(p, n, normal);
        if (strcmp(normal, phone) == 0)
            return true;
        p += n + (p[n] == ',');
    }
    return false;
}

static void get_messages(struct lab_call *call)
{
    static const uint8_t text[] = { SHOW_STATUS,  SHOW_LAST_DATE, SHOW_ERR,    SHOW_SEND_DATE, SHOW_PHONE,
                                    SHOW_COUNTRY, SHOW_OPERATOR,  SHOW_REGION, SHOW_COST,      SHOW_SENDER,
                                    SHOW_NAME,    SHOW_MESSAGE,   SHOW_ID,     SHOW_END };
    static const uint8_t values[] = { SHOW_STATUS,  SHOW_LAST_TS,  SHOW_ERR,    SHOW_SEND_TS, SHOW_PHONE,
                                      SHOW_COUNTRY, SHOW_OPERATOR, SHOW_REGION, SHOW_COST,    SHOW_SENDER,
                                      SHOW_NAME,    SHOW_MESSAGE,  SHOW_ID,     SHOW_END };
    static const uint8_t named[] = { SHOW_STATUS,    SHOW_LAST_DATE, SHOW_LAST_TS, SHOW_ERR,
                                     SHOW_SEND_DATE, SHOW_SEND_TS,   SHOW_PHONE,   SHOW_COST,
                                     SHOW_SENDER,    SHOW_NAME,      SHOW_MESSAGE, SHOW_COUNTRY,
                                     SHOW_OPERATOR,  SHOW_REGION,    SHOW_ID,      SHOW_END };
    const uint8_t *order = call->fmt == 0 ? text : call->fmt == 1 ? values : named;
    struct lab_messages *m = &call->lab->messages;
    const char *phones = lab_param(call, "phone");
    int64_t from = 0, until = INT64_MAX;
    long count, before, format;
    bool first = true, mail;

    /* absent cnt: the latest one when a number is named, as in the documents' example, else all it may be */
    if (lab_param_number(call, "cnt", 1000000, phones[0] != '\0' ? 1 : HISTORY_MAX, &count) != 0 ||
        lab_param_number(call, "prev_id", INT32_MAX, 0, &before) != 0 ||
        lab_param_number(call, "format", 8, 0, &format) != 0 || (format != 0 && format != 8) ||
        !lab_param_day(call, "start", &from) || !lab_param_day(call, "end", &until)) {
        lab_reply_error(call, 1, NULL);
        return;
    }
    if (until != INT64_MAX)
        until += 86400000;
    mail = format == 8 || lab_param(call, "email")[0] != '\0'; /* else SMS and their kin */
    if (mail)
        phones = lab_param(call, "email");
    if (count > HISTORY_MAX || count == 0)
        count = HISTORY_MAX;
    lab_list_begin(call->out, call->fmt, "list");
    for (uint64_t serial = before > 0 ? (uint64_t)before - 1 : m->next_serial - 1; serial > 0 && count > 0; serial--) {
        struct lab_message *message = lab_message_by_serial(m, serial);
        struct lab_field fields[SHOW_FIELDS_MAX];
        struct show show;

        if (message == NULL)
            break; /* the ring holds none older, or the id lies in the future */
        if (message->deleted || message->accepted_ms < from || message->accepted_ms >= until ||
            (message->type == LAB_MAIL) != mail || !phone_wanted(phones, message->phone))
            continue;
        show_open(&show, call->lab, message);
        lab_list_item(call->out, call->fmt, first, "sms", fields, show_fields(&show, order, fields));
        show_close(&show);
        first = false;
        count--;
    }
    lab_list_end(call->out, call->fmt, "list");
    if (first)
        call->error_words = "message not found", lab_reply_error(call, 3, NULL);
}

static void get_answers(struct lab_call *call)
{
    struct lab *lab = call->lab;
    const char *to = lab_param(call, "to_phone");
    long hours, after;
    int64_t since;
    bool first = true;

    if (lab_param_number(call, "hour", 168, 0, &hours) != 0 ||
        lab_param_number(call, "after_id", INT32_MAX, 0, &after) != 0) {
        lab_reply_error(call, 1, NULL);
        return;
    }
    since = call->now_ms - hours * 3600000;
    if (hours == 0) { /* the current day of the account */
        int64_t zone_ms = (int64_t)(lab->b.timezone_h * 3600000);

        since = call->now_ms - (call->now_ms + zone_ms) % 86400000;
    }
    if (after > 0)
        since = 0;
    lab_list_begin(call->out, call->fmt, "sms_answers");
    uint64_t kept = lab->next_answer - lab->first_answer;
    uint64_t oldest = lab->next_answer - (kept < LAB_ANSWERS_MAX ? kept : LAB_ANSWERS_MAX);

    for (uint64_t id = oldest; id < lab->next_answer; id++) {
        const struct lab_answer *a = &lab->answers[id % LAB_ANSWERS_MAX];
        char number[24], received[24], sent[24];

        if (a->id != id || id <= (uint64_t)after || a->received_ms < since || (to[0] != '\0' && strcmp(to, a->to) != 0))
            continue;
        (void)snprintf(number, sizeof number, "%llu", (unsigned long long)a->id);
        lab_date(lab, a->received_ms, false, received);
        lab_date(lab, a->sent_ms, false, sent);

        struct lab_field all[6] = { { "id", "id", number, true },
                                    { "received", "received", received, false },
                                    { "phone", "phone", a->phone, false },
                                    { "message", "message", a->text, false },
                                    { "to_phone", "to_phone", a->to, false },
                                    { "sent", "sent", sent, false } };
        struct lab_field text_last[6] = { all[0], all[1], all[2], all[4], all[5], all[3] };

        lab_list_item(call->out, call->fmt, first, "sms", call->fmt == 1 ? text_last : all, 6);
        first = false;
    }
    lab_list_end(call->out, call->fmt, "sms_answers");
}

/* What was sent from one day to another, as far back as messages are kept. */
static void sum_between(const struct lab_call *call, int64_t from_ms, int64_t until_ms, uint64_t *out_sms,
                        int64_t *out_cost_e6)
{
    struct lab_messages *m = &call->lab->messages;

    *out_sms = 0;
    *out_cost_e6 = 0;
    for (uint64_t serial = m->next_serial - 1; serial > 0; serial--) {
        const struct lab_message *message = lab_message_by_serial(m, serial);

        if (message == NULL)
            break;
        if (message->accepted_ms < from_ms || message->accepted_ms >= until_ms || message->refused)
            continue;
        *out_sms += message->parts;
        *out_cost_e6 += message->cost_e6;
    }
}

static void get_stat(struct lab_call *call)
{
    struct lab *lab = call->lab;
    char count[24], credit[32], debit[32];
    struct lab_field fields[5] = { { "login", "login", lab->b.login, false },
                                   { "sms", "sms", count, false },
                                   { "credit", "credit", credit, false },
                                   { "debit", "debit", debit, false },
                                   { "currency", "currency", lab->b.currency, false } };
    int64_t from_ms = 0, until_ms = INT64_MAX, cost_e6 = lab->spent_e6;
    uint64_t sms = lab->n.parts;

    if (!lab_param_day(call, "start", &from_ms) || !lab_param_day(call, "end", &until_ms)) {
        lab_reply_error(call, 1, NULL);
        return;
    }
    if (until_ms != INT64_MAX)
        until_ms += 86400000;
    if (from_ms != 0 || until_ms != INT64_MAX)
        sum_between(call, from_ms, until_ms, &sms, &cost_e6);
    bool second = lab_flag(call, "balance2"); /* the second balance: nothing has ever been paid from it */
    (void)snprintf(count, sizeof count, "%llu", second ? 0ull : (unsigned long long)sms);
    lab_money(second ? 0 : cost_e6, credit);
    lab_money(second ? 0 : lab->paid_e6, debit);
    if (!lab_flag(call, "mycur"))
        fields[4].value = "RUR"; /* the service's own; mycur=1 the account's */
    lab_list_begin(call->out, call->fmt, "list");
    lab_list_item(call->out, call->fmt, true, "stat", fields, 5);
    lab_list_end(call->out, call->fmt, "list");
}

static void get_mega_accounts(struct lab_call *call)
{
    const char *wanted = lab_param(call, "account");
    struct lab_field fields[] = { { call->fmt == 2 ? "number" : "account", "account", "1001", false },
                                  { "phone", "phone", "79261234567", false },
                                  { "sms_mon", "sms_mon", "0", true },
                                  { "sms_day", "sms_day", "0", true },
                                  { "sms_yes", "sms_yes", "0", true },
                                  { "sms_pmon", "sms_pmon", "0", true },
                                  { "balance", "balance", "0", false },
                                  { "credit", "credit", "0", true },
                                  { "senders", "senders", call->lab->b.sender, false } };

    if (wanted[0] != '\0' && strcmp(wanted, "1001") != 0) {
        call->error_words = "accounts not found";
        lab_reply_error(call, 3, NULL);
        return;
    }
    lab_list_begin(call->out, call->fmt, "accounts");
    lab_list_item(call->out, call->fmt, true, "account", fields, ARRAY_LEN(fields));
    lab_list_end(call->out, call->fmt, "accounts");
}

/* Operators whose price is not that of their country: each mccmnc once. */
static void add_codes(struct lab_call *call, int64_t price_e6)
{
    size_t count;
    const struct lab_operator *ops = lab_operators(&count);
    const struct lab_operator *zone = NULL;
    bool first = true;

    for (size_t i = 0; i < count; i++) {
        char mccmnc[12], cost[32];
        bool seen = false;

        if (zone == NULL || strcmp(zone->country, ops[i].country) != 0)
            zone = &ops[i];
        for (size_t k = 0; k < i; k++)
            seen = seen || (strcmp(ops[k].mcc, ops[i].mcc) == 0 && strcmp(ops[k].mnc, ops[i].mnc) == 0);
        if (seen || ops[i].price_share == zone->price_share)
            continue;
        (void)snprintf(mccmnc, sizeof mccmnc, "%s%s", ops[i].mcc, ops[i].mnc);
        lab_money(price_e6 / 100 * ops[i].price_share, cost);

        struct lab_field f[] = { { "mccmnc", "mccmnc", mccmnc, false }, { "cost", "cost", cost, false } };

        if (call->fmt == 2)
            buf_addf(call->out, "<mccmnc cost=\"%s\">%s</mccmnc>\n", cost, mccmnc);
        else
            lab_list_item(call->out, call->fmt, first && call->fmt == 3, "code", f, ARRAY_LEN(f));
        first = false;
    }
}

/* One price zone per country of the network's table. */
static void get_price(struct lab_call *call)
{
    struct buf *out = call->out;
    size_t count;
    const struct lab_operator *ops = lab_operators(&count);
    const char *last = "";
    int64_t price = 0;
    unsigned zone = 0;
    char mail[32];

    (void)lab_money_read(call->lab->b.price, &price);
    lab_money(price / 5, mail);
    if (call->fmt == 2)
        buf_adds(out, "<price>\n<zones>\n");
    if (call->fmt == 3)
        buf_adds(out, "{\n\"zones\": [");
    for (size_t i = 0; i < count; i++) {
        char number[12], sms[32], hlr[32];

        if (strcmp(ops[i].country, last) == 0)
            continue;
        last = ops[i].country;
        (void)snprintf(number, sizeof number, "%u", ++zone);
        lab_money(price / 100 * ops[i].price_share, sms);
        lab_money(price / 500 * ops[i].price_share, hlr);

        struct lab_field f[] = { { "zone", "zone", number, false }, { "name", "name", last, false },
                                 { "api", "api", sms, false },      { "mass", "mass", sms, false },
                                 { "mms", "mms", sms, false },      { "hlr", "hlr", hlr, false },
                                 { "call", "call", sms, false } };

        if (call->fmt == 2) {
            buf_adds(out, "<zone");
            for (size_t k = 1; k < ARRAY_LEN(f); k++) {
                buf_addf(out, " %s=\"", f[k].name);
                lab_xml_text(out, f[k].value);
                buf_addc(out, '"');
            }
            buf_addf(out, ">%s</zone>\n", number);
        } else {
            lab_list_item(out, call->fmt, zone == 1, "zone", f, ARRAY_LEN(f));
        }
    }
    if (call->fmt < 2)
        buf_adds(out, call->fmt == 1 ? "\n" : "");
    else
        buf_adds(out, call->fmt == 2 ? "</zones>\n<codes>\n" : "],\n\"codes\": [");
    add_codes(call, price);
    switch (call->fmt) {
    case 0:
        buf_addf(out, "\nmail = %s", mail);
        break;
    case 1:
        buf_addf(out, "\n\n%s", mail);
        break;
    case 2:
        buf_addf(out, "</codes>\n<mail>%s</mail>\n</price>", mail);
        break;
    default:
        buf_addf(out, "],\n\"mail\": \"%s\"\n}", mail);
        break;
    }
}

void lab_method_get(struct lab_call *call)
{
    static const struct {
        const char *flag;
        void (*run)(struct lab_call *call);
    } parts[] = { { "get_messages", get_messages },
                  { "get_answers", get_answers },
                  { "get_stat", get_stat },
                  { "get_mega_accounts", get_mega_accounts },
                  { "get_price", get_price } };

    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        if (!lab_flag(call, parts[i].flag))
            continue;
        if (!too_often(call, parts[i].flag, parts[i].run == get_stat ? 0 : lab_call_hash(call), 3))
            parts[i].run(call);
        return;
    }
    lab_reply_error(call, 1, NULL);
}

/* ---- info.php ---- */

void lab_method_info(struct lab_call *call)
{
    const char *phones = lab_param(call, "phone");
    bool many = strchr(phones, ',') != NULL, first = true;

    if (!lab_flag(call, "get_operator") || phones[0] == '\0') {
        lab_reply_error(call, 1, NULL);
        return;
    }
    if (too_often(call, "info", lab_call_hash(call), 3) || too_often(call, "info any", 0, 99))
        return;
    if (many)
        lab_list_begin(call->out, call->fmt, "list");
    for (const char *p = phones; *p != '\0';) {
        size_t n = strcspn(p, ",");
        char phone[LAB_PHONE_SIZE], tz[8];
        bool good = lab_phone_read(p, n, phone);
        const struct lab_operator *op = good ? lab_operator_of(phone) : NULL;

        p += n + (p[n] == ',');
        if (op == NULL || op->name[0] == '\0') {
            if (many)
                continue;
            call->error_words = "operator not found";
            lab_reply_error(call, 3, NULL);
            return;
        }
        (void)snprintf(tz, sizeof tz, "%d", op->tz);

        struct lab_field f[] = { { "country", "country", op->country, false },
                                 { "operator", "operator", op->name, false },
                                 { "region", "region", op->region, false },
                                 { "mcc", "mcc", op->mcc, false },
                                 { "mnc", "mnc", op->mnc, false },
                                 { "tz", "tz", tz, false } };

        if (many)
            lab_list_item(call->out, call->fmt, first, "info", f, ARRAY_LEN(f));
        else
            lab_record_write(call->out, call->fmt, "info", f, ARRAY_LEN(f));
        first = false;
    }
    if (many)
        lab_list_end(call->out, call->fmt, "list");
}

/* ---- tinyurls.php ---- */

static const char *without_scheme(const char *url)
{
    const char *colon = strstr(url, "://");

    return colon != NULL ? colon + 3 : url;
}

/* The documents' example names a link without its scheme. */
static bool same_address(const char *a, const char *b)
{
    return strcmp(without_scheme(a), without_scheme(b)) == 0;
}

void lab_method_tinyurls(struct lab_call *call)
{
    struct lab *lab = call->lab;
    const char *url = lab_param(call, "link");
    struct lab_link *link = NULL;
    long id;
    uint32_t n;

    if (!lab_flag(call, "get") || lab_param_number(call, "id", LAB_LINKS_MAX, 0, &id) != 0 ||
        (id == 0 && url[0] == '\0')) {
        lab_reply_error(call, 1, NULL);
        return;
    }
    if (too_often(call, "tinyurls", lab_call_hash(call), 3))
        return;
    for (n = lab->link_count; n > 0 && link == NULL; n--) {
        if ((id != 0 && n == (uint32_t)id) || (id == 0 && same_address(lab->links[n - 1].url, url)))
            link = &lab->links[n - 1];
    }
    n++;
    if (link == NULL) {
        call->error_words = "link not found";
        lab_reply_error(call, 3, NULL);
        return;
    }

    char counts[6][12], shown[400];

    lab_link_age(lab, link, call->now_ms);

    const uint32_t values[6] = {
        n, link->clicks, link->month_clicks, link->today, link->yesterday, link->month_before
    };

    for (size_t i = 0; i < ARRAY_LEN(counts); i++)
        (void)snprintf(counts[i], sizeof counts[i], "%u", values[i]);
    (void)snprintf(shown, sizeof shown, "http://%.200s/t/%.64s%s%u",
                   call->request->host != NULL ? call->request->host : "127.0.0.1",
                   lab->first != lab ? lab->b.login : "", lab->first != lab ? "-" : "", n);

    struct lab_field f[] = { { "id", "id", counts[0], false },
                             { "cnt", "cnt", counts[1], false },
                             { "cnt_mon", "cnt_mon", counts[2], false },
                             { "cnt_day", "cnt_day", counts[3], false },
                             { "cnt_yes", "cnt_yes", counts[4], false },
                             { "cnt_pmon", "cnt_pmon", counts[5], false },
                             { "link", "link", shown, false } };

    lab_record_write(call->out, call->fmt, "result", f, ARRAY_LEN(f));
}

/* ---- wait_call.php ---- */

/* Money for one SMS at least: assumed. No price where no operator is known. */
static int wait_call_error(struct lab *lab, const char *phone)
{
    int64_t price = 0;

    if (desk_is_black(lab, phone, false))
        return 5;
    if (lab_operator_of(phone) == NULL)
        return 6;
    (void)lab_money_read(lab->b.price, &price);
    return lab->balance_e6 < price ? 3 : 0;
}

void lab_method_wait_call(struct lab_call *call)
{
    static const char *const numbers[] = { "74950000001", "74950000002", "74950000003" };
    struct buf *out = call->out;
    const char *given = lab_param(call, "phone");
    char phone[LAB_PHONE_SIZE];
    size_t first;

    if (given[0] == '\0' || !lab_phone_read(given, strlen(given), phone)) {
        lab_reply_error(call, 1, NULL);
        return;
    }
    if (too_often(call, "wait_call", lab_call_hash(call), 50))
        return;

    int error = wait_call_error(call->lab, phone);
    if (error != 0) {
        call->error_words = error == 5 ? "number is in the black list" : error == 6 ? "price is not available" : NULL;
        lab_reply_error(call, error, NULL);
        return;
    }
    first = (size_t)(phone[strlen(phone) - 1] - '0') % ARRAY_LEN(numbers);
    switch (call->fmt) {
    case 0:
        buf_addf(out, "phone = %s, all_phones = ", numbers[first]);
        /* fall through */
    case 1:
        for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
            buf_addf(out, "%s%s", i == 0 ? "" : ",", numbers[(first + i) % ARRAY_LEN(numbers)]);
        break;
    case 2:
        buf_addf(out, "<result>\n<phone>%s</phone>\n<all_phones>\n", numbers[first]);
        for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
            buf_addf(out, "<phone>%s</phone>\n", numbers[(first + i) % ARRAY_LEN(numbers)]);
        buf_adds(out, "</all_phones>\n</result>");
        break;
    default:
        buf_addf(out, "{\n\"phone\": \"%s\",\n\"all_phones\": [", numbers[first]);
        for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
            buf_addf(out, "%s\n\"%s\"", i == 0 ? "" : ",", numbers[(first + i) % ARRAY_LEN(numbers)]);
        buf_adds(out, "\n]\n}");
        break;
    }
}
