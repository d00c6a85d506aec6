/* SPDX-License-Identifier: MIT */
/*
 * methods_status.c - status.php (one message, many, deletion) and balance.php.
 *
 * A field is named once; each format and depth has its own order of fields, as documented.
 */
#include "lab/send.h"
#include "lab/show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MINUTE_MS = 60000, PAIRS_MAX = 10000 };

struct pair {
    char phone[LAB_PHONE_SIZE];
    char id[LAB_ID_MAX + 1];
};

static const uint8_t text_short[] = { SHOW_STATUS, SHOW_LAST_DATE, SHOW_ERR, SHOW_END };
static const uint8_t values_short[] = { SHOW_STATUS, SHOW_LAST_TS, SHOW_ERR, SHOW_END };
static const uint8_t named_short[] = { SHOW_STATUS, SHOW_LAST_DATE, SHOW_LAST_TS, SHOW_FLAG_IF, SHOW_ERR_IF, SHOW_END };
static const uint8_t text_full[] = { SHOW_STATUS, SHOW_LAST_DATE, SHOW_ERR,     SHOW_SEND_DATE, SHOW_PHONE, SHOW_COST,
                                     SHOW_SENDER, SHOW_NAME,      SHOW_MESSAGE, SHOW_COMMENT,   SHOW_TYPE,  SHOW_END };
static const uint8_t values_full[] = { SHOW_STATUS, SHOW_LAST_TS, SHOW_ERR,     SHOW_SEND_TS, SHOW_PHONE, SHOW_COST,
                                       SHOW_SENDER, SHOW_NAME,    SHOW_MESSAGE, SHOW_COMMENT, SHOW_TYPE,  SHOW_END };
static const uint8_t named_full[] = { SHOW_STATUS,  SHOW_LAST_DATE, SHOW_LAST_TS, SHOW_FLAG,
                                      SHOW_ERR,     SHOW_SEND_DATE, SHOW_SEND_TS, SHOW_PHONE,
                                      SHOW_COST,    SHOW_SENDER,    SHOW_NAME,    SHOW_MESSAGE,
                                      SHOW_COMMENT, SHOW_TYPE,      SHOW_SMS_CNT, SHOW_END };
static const uint8_t text_place[] = { SHOW_STATUS,  SHOW_LAST_DATE, SHOW_ERR,     SHOW_SEND_DATE, SHOW_PHONE,
                                      SHOW_COUNTRY, SHOW_OPERATOR,  SHOW_REGION,  SHOW_COST,      SHOW_SENDER,
                                      SHOW_NAME,    SHOW_MESSAGE,   SHOW_COMMENT, SHOW_TYPE,      SHOW_END };
static const uint8_t values_place[] = { SHOW_STATUS,  SHOW_LAST_TS,  SHOW_ERR,    SHOW_SEND_TS, SHOW_PHONE,
                                        SHOW_COUNTRY, SHOW_OPERATOR, SHOW_REGION, SHOW_COST,    SHOW_SENDER,
                                        SHOW_NAME,    SHOW_MESSAGE,  SHOW_END };
static const uint8_t named_place[] = { SHOW_STATUS,    SHOW_LAST_DATE, SHOW_LAST_TS,       SHOW_FLAG,   SHOW_ERR,
                                       SHOW_SEND_DATE, SHOW_SEND_TS,   SHOW_PHONE,         SHOW_COST,   SHOW_SENDER,
                                       SHOW_NAME,      SHOW_MESSAGE,   SHOW_COMMENT,       SHOW_TYPE,   SHOW_SMS_CNT,
                                       SHOW_COUNTRY,   SHOW_OPERATOR,  SHOW_OPERATOR_ORIG, SHOW_REGION, SHOW_MCCMNC,
                                       SHOW_END };
static const uint8_t *const orders[3][3] = { { text_short, values_short, named_short },
                                             { text_full, values_full, named_full },
                                             { text_place, values_place, named_place } };

static bool is_phone_text(const char *s)
{
    return strpbrk(s, "@#") == NULL;
}

/* One element of a comma list; false at its end. */
static bool next_item(const char **at, char *out, size_t size)
{
    size_t n;

    if (**at == '\0')
        return false;
    n = strcspn(*at, ",");

    size_t take = n < size ? n : size - 1;

    memcpy(out, *at, take);
    out[take] = '\0';
    *at += n + ((*at)[n] == ',');
    return true;
}

static bool next_pair(const char **phones, const char **ids, struct pair *out)
{
    char given[LAB_PHONE_SIZE];

    if (!next_item(ids, out->id, sizeof out->id) || !next_item(phones, given, sizeof given))
        return false;
    if (!is_phone_text(given) || !lab_phone_read(given, strlen(given), out->phone))
        memcpy(out->phone, given, sizeof given);
    return true;
}

static void write_one(struct lab_call *call, const struct pair *pair, int all, bool multi, bool first)
{
    const struct lab_message *message = lab_message_find(&call->lab->messages, pair->phone, pair->id);
    struct show show;
    struct lab_field fields[SHOW_FIELDS_MAX];
    size_t n;

    show_open(&show, call->lab, message);
    n = show_fields(&show, orders[all][call->fmt < 2 ? call->fmt : 2], fields);
    if (message != NULL && message->type == LAB_HLR)
        n = show_hlr(&show, call->fmt, fields, n);
    if (multi) {
        bool named = call->fmt >= 2;
        bool with_phone = (call->fmt == 1 || named) && all == 0; /* deeper replies have the phone among their own */

        if (call->fmt == 0 && all == 0)
            with_phone = true; /* assumed: without it a text line says nothing about whom */
        fields[n++] = (struct lab_field){ "id", "ID", pair->id, lab_id_is_number(pair->id) };
        if (with_phone)
            fields[n++] = (struct lab_field){ "phone", "phone", pair->phone, false };
        lab_list_item(call->out, call->fmt, first, "sms", fields, n);
    } else {
        lab_record_write(call->out, call->fmt, "sms", fields, n);
    }
    show_close(&show);
}

static void delete_pairs(struct lab_call *call, const char *phones, const char *ids)
{
    struct pair pair;
    bool any = false;

    while (next_pair(&phones, &ids, &pair)) {
        struct lab_message *message = lab_message_find(&call->lab->messages, pair.phone, pair.id);

        if (message == NULL)
            continue;
        lab_message_unschedule(&call->lab->messages, message);
        message->deleted = true;
        any = true;
    }
    if (any)
        buf_adds(call->out, "OK");
    else
        call->error_words = "message not found", lab_reply_error(call, 5, NULL);
}

void lab_method_status(struct lab_call *call)
{
    const char *phones = lab_param(call, "phone"), *ids = lab_param(call, "id");
    bool multi = strchr(ids, ',') != NULL || strchr(phones, ',') != NULL, first = true;
    struct lab *lab = call->lab;
    struct pair pair;
    long all;
    unsigned pairs = 0;

    if (phones[0] == '\0' || ids[0] == '\0' || lab_param_number(call, "all", 2, 0, &all) != 0) {
        lab_reply_error(call, 1, NULL);
        return;
    }
    if (lab->b.limits != 0 && lab->status_under_way + 1 >= 5) {
        call->error_words = "too many concurrent requests";
        lab_reply_error(call, 9, NULL);
        return;
    }
    if (lab_flag(call, "del")) {
        delete_pairs(call, phones, ids);
        return;
    }
    if (lab->b.limits != 0) {
        uint64_t key = multi ? 0 : lab_hash(phones, strlen(phones), lab_hash(ids, strlen(ids), 11));

        if (lab_rate_over(lab, multi ? "mass" : "status", key, multi ? 1 : 5, MINUTE_MS, call->now_ms)) {
            lab_reply_error(call, 9, NULL);
            return;
        }
    }
    if (!multi) {
        if (next_pair(&phones, &ids, &pair))
            write_one(call, &pair, (int)all, false, true);
        return;
    }
    lab_list_begin(call->out, call->fmt, "list"); /* the root's name is assumed */
    while (pairs++ < PAIRS_MAX && next_pair(&phones, &ids, &pair)) {
        if (pair.id[0] == '\0' && pair.phone[0] == '\0')
            continue;
        write_one(call, &pair, (int)all, true, first);
        first = false;
    }
    lab_list_end(call->out, call->fmt, "list");
}

void lab_method_balance(struct lab_call *call)
{
    struct lab *lab = call->lab;
    struct buf *out = call->out;
    char balance[32];
    bool currency = lab_flag(call, "cur");

    if (lab->b.limits != 0 && lab_rate_over(lab, "balance", 0, 10, MINUTE_MS, call->now_ms)) {
        lab_reply_error(call, 9, NULL);
        return;
    }
    lab_money(lab->balance_e6, balance);
    switch (call->fmt) {
    case 2: /* with cur: assumed */
        buf_adds(out, currency ? "<result>\n" : "");
        buf_addf(out, "<balance>%s</balance>", balance);
        if (currency)
            buf_addf(out, "\n<currency>%s</currency>\n</result>", lab->b.currency);
        break;
    case 3:
        buf_addc(out, '{');
        lab_json_member(out, true, "balance", balance, false);
        if (currency)
            lab_json_member(out, false, "currency", lab->b.currency, false);
        buf_adds(out, "\n}");
        break;
    default:
        buf_adds(out, balance);
        if (currency)
            buf_addf(out, " %s", lab->b.currency); /* assumed */
        break;
    }
}
