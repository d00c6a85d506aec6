/* SPDX-License-Identifier: MIT */
/*
 * behaviour.c - every setting of the simulated service: one row each, read and written as one flat JSON object.
 *
 * A write is all or nothing: it is applied to a copy that replaces the original only when every member was understood.
 */
#include "lab/core.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Keep every product and sum of money within 64 bits. */
static const int64_t PRICE_MAX_E6 = 1000000000000;

#define NUMBER(field, first, low, high, words)                                                                         \
    {                                                                                                                  \
#field, offsetof(struct lab_behaviour, field), true, first, low, high, NULL, words                             \
    }
#define TEXT(field, first, words)                                                                                      \
    {                                                                                                                  \
#field, offsetof(struct lab_behaviour, field), false, 0, 0, 0, first, words                                    \
    }

static const struct row {
    const char *name;
    size_t at;
    bool number;
    double first, low, high;
    const char *text;
    const char *words;
} rows[] = {
    TEXT(login, "alex", "the account"),
    TEXT(password, "123", "taken in clear, as MD5 and as SHA1"),
    TEXT(api_key, "lab", "instead of login and password"),
    TEXT(balance, "1000000000", "money of the account; a write sets it anew"),
    TEXT(currency, "RUR", "three letters"),
    TEXT(price, "1.5", "of one SMS in the home country"),
    TEXT(sender, "SMSC.RU", "default sender"),
    TEXT(senders, "", "registered senders, separated by commas; empty: any"),
    TEXT(forbidden, "", "words, separated by commas, that make a text forbidden (error 6)"),
    TEXT(group1, "79161234501,79161234502,79161234503", "the numbers of contact group G1"),
    TEXT(callback_url, "", "the client's handler, with its ! rule and its parameters"),
    TEXT(incoming_number, "79037672215", "where subscribers' replies go when no number is named"),
    NUMBER(timezone_h, 3, -12, 14, "zone of dates shown, hours from UTC (3: Moscow)"),
    NUMBER(test_mode, 0, 0, 1, "virtual sending: free, every status with err 200"),
    NUMBER(delay_min_ms, 50, 0, 86400000, "from acceptance to the final status, at least"),
    NUMBER(delay_max_ms, 300, 0, 86400000, "and at most"),
    TEXT(delay_shape, "uniform",
         "between the two: uniform, exponential (most near the least) or normal (in the middle)"),
    NUMBER(delivered, 1, 0, 1, "share of messages that are delivered; magic numbers fail without it"),
    TEXT(failures, "20/6 20/6 20/1 3/0 25/11 23/253", "status/err of the others, drawn evenly"),
    NUMBER(reply_ratio, 0, 0, 1, "share of delivered messages the subscriber answers"),
    NUMBER(intermediate, 0, 0, 1, "1: status 0 is called back too, before the final one"),
    NUMBER(read_ratio, 0, 0, 1, "share of delivered messages followed by status 2"),
    NUMBER(latency_min_ms, 0, 0, 600000, "before each HTTP answer, at least"),
    NUMBER(latency_max_ms, 0, 0, 600000, "and at most"),
    TEXT(latency_shape, "uniform", "between the two, as delay_shape"),
    NUMBER(error_rate, 0, 0, 1, "share of sends refused with error_code"),
    NUMBER(error_code, 9, 1, 9, "the error of those"),
    NUMBER(http_500, 0, 0, 1, "share of requests answered HTTP 500, nothing accepted"),
    NUMBER(drop_before, 0, 0, 1, "share whose connection closes, nothing accepted"),
    NUMBER(drop_after, 0, 0, 1, "share whose connection closes after acceptance"),
    NUMBER(empty, 0, 0, 1, "share accepted but answered with an empty body"),
    NUMBER(cut, 0, 0, 1, "share accepted but answered with half of the body"),
    NUMBER(hang, 0, 0, 1, "share accepted but never answered"),
    NUMBER(slow_read, 0, 0, 1,
           "share of requests whose body is read slowly (of all accounts: the first one's setting)"),
    NUMBER(slow_reply, 0, 0, 1, "share accepted but answered slowly"),
    NUMBER(slow_bytes_s, 20, 1, 1000000, "of a body a second, where it is slow"),
    NUMBER(blocked, 0, 0, 1, "1: every address is blocked (error 4)"),
    TEXT(imgcode, "1234", "captcha code that lifts ip_limit"),
    NUMBER(ip_limit, 0, 0, 1000000, "sends a day for one userip= without imgcode=, above it error 6; 0: off"),
    NUMBER(day_limit, 0, 0, 1000000000, "messages a day, above it status 23, err 247; 0: off"),
    NUMBER(number_limit, 0, 0, 1000000000, "messages a day to one number, above it status 23, err 251; 0: off"),
    TEXT(hours, "", "h1-h2: outside these hours of the account's day status 23, err 246; empty: off"),
    NUMBER(limits, 1, 0, 1, "0: no limits per minute, no blocks after errors"),
    NUMBER(duplicates, 1, 0, 1, "0: identical sends within a minute are welcome"),
    NUMBER(flood, 50, 0, 100000, "messages to one subscriber with gaps below 30 s before status 23, err 251; 0: off"),
    NUMBER(concurrent, 15, 2, 100000, "simultaneous requests that get error 9"),
    NUMBER(time_factor, 1, 1, 1000000, "limits, blocks and callback repeats run this much faster"),
    NUMBER(max_lines, 10000, 1, 1000000, "numbers in one request"),
    NUMBER(time_s, 0, 0, 99999999999.0, "the service's clock, Unix seconds; it can be set forward"),
    NUMBER(speed, 1, 0.001, 100000, "how fast that clock runs: delays, limits, schedules and callback repeats follow"),
    NUMBER(callback_statuses, 1, 0, 1, "0: statuses are not called back"),
    NUMBER(callback_incoming, 1, 0, 1, "0: subscribers' messages and calls are not"),
    NUMBER(callback_lost, 0, 0, 1, "share of statuses never called back"),
    NUMBER(callback_twice, 0, 0, 1, "share of statuses called back twice"),
    NUMBER(callback_repeat_s, 240, 1, 86400, "between attempts, divided by time_factor"),
    NUMBER(callback_attempts, 50, 1, 1000, "in all"),
    NUMBER(callback_connections, 16, 1, 64, "callbacks under way at once"),
    NUMBER(callback_timeout_ms, 30000, 10, 600000, "of one attempt"),
};

static double *number_of(struct lab_behaviour *b, const struct row *row)
{
    return (double *)(void *)((char *)b + row->at);
}

static char *text_of(struct lab_behaviour *b, const struct row *row)
{
    return (char *)b + row->at;
}

bool lab_hours_read(const char *text, unsigned *out_from, unsigned *out_until)
{
    unsigned from, until;
    char rest;

    if (sscanf(text, "%2u-%2u%c", &from, &until, &rest) != 2 || from >= until || until > 24)
        return false;
    if (out_from != NULL) {
        *out_from = from;
        *out_until = until;
    }
    return true;
}

void lab_behaviour_init(struct lab_behaviour *b)
{
    memset(b, 0, sizeof *b);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].number)
            *number_of(b, &rows[i]) = rows[i].first;
        else
            memcpy(text_of(b, &rows[i]), rows[i].text, strlen(rows[i].text) + 1);
    }
}

void lab_behaviour_read(const struct lab_behaviour *b, struct buf *out)
{
    struct lab_behaviour copy = *b;

    buf_addc(out, '{');
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        buf_addf(out, "%s\"%s\": ", i == 0 ? "\n" : ",\n", rows[i].name);
        if (rows[i].number)
            buf_addf(out, "%.12g", *number_of(&copy, &rows[i]));
        else
            buf_add_json(out, text_of(&copy, &rows[i]), strlen(text_of(&copy, &rows[i])));
    }
    buf_adds(out, "\n}\n");
}

static int set(struct lab_behaviour *b, const struct http_param *param, char why[256])
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct row *row = &rows[i];

        if (strcmp(row->name, param->name) != 0)
            continue;
        if (!row->number) {
            if (param->len >= LAB_TEXT_MAX || strlen(param->value) != param->len) {
                (void)snprintf(why, 256, "\"%s\" must be shorter than %d bytes", row->name, LAB_TEXT_MAX);
                return ERR_RANGE;
            }
            memcpy(text_of(b, row), param->value, param->len + 1);
            return 0;
        }

        bool yes = strcmp(param->value, "true") == 0, no = strcmp(param->value, "false") == 0;
        char *end = NULL;
        double v = yes ? 1 : no ? 0 : strtod(param->value, &end);

        if ((end != NULL && (end == param->value || *end != '\0')) || !isfinite(v) || v < row->low || v > row->high) {
            (void)snprintf(why, 256, "\"%s\" must be a number from %g to %g (%s)", row->name, row->low, row->high,
                           row->words);
            return ERR_RANGE;
        }
        *number_of(b, row) = v;
        return 0;
    }
    (void)snprintf(why, 256, "unknown setting \"%.60s\"; GET /lab/behaviour lists all", param->name);
    return ERR_SYNTAX;
}

int lab_behaviour_write(struct lab_behaviour *b, const char *json, size_t len, char why[256])
{
    struct http_params params;
    struct lab_behaviour copy = *b;
    int err;

    http_params_init(&params);
    err = http_params_read_json(&params, json, len);
    if (err != 0)
        (void)snprintf(why, 256, "not one flat JSON object");
    for (size_t i = 0; err == 0 && i < params.count; i++)
        err = set(&copy, &params.at[i], why);

    int64_t balance, price;
    if (err == 0 && (lab_money_read(copy.balance, &balance) != 0 || lab_money_read(copy.price, &price) != 0 ||
                     balance > LAB_MONEY_MAX_E6 || balance < -LAB_MONEY_MAX_E6 || price < 0 || price > PRICE_MAX_E6)) {
        (void)snprintf(why, 256,
                       "\"balance\" and \"price\" must be decimal numbers as text, the balance up to a million million "
                       "either way, the price from 0 to a million");
        err = ERR_RANGE;
    }
    if (err == 0 && (copy.delay_min_ms > copy.delay_max_ms || copy.latency_min_ms > copy.latency_max_ms)) {
        (void)snprintf(why, 256, "a minimum is above its maximum (delay_*_ms, latency_*_ms)");
        err = ERR_RANGE;
    }
    if (err == 0 && copy.hours[0] != '\0' && !lab_hours_read(copy.hours, NULL, NULL)) {
        (void)snprintf(why, 256, "\"hours\" must be h1-h2, such as 9-21, got \"%.40s\"", copy.hours);
        err = ERR_RANGE;
    }
    if (err == 0 && (!lab_shape_is_known(copy.delay_shape) || !lab_shape_is_known(copy.latency_shape))) {
        (void)snprintf(why, 256, "\"delay_shape\" and \"latency_shape\" must be uniform, exponential or normal");
        err = ERR_RANGE;
    }
    if (err == 0 && copy.time_s < b->time_s) {
        (void)snprintf(why, 256, "\"time_s\" goes forward only; it is %.0f", b->time_s);
        err = ERR_RANGE;
    }
    if (err == 0)
        *b = copy;
    http_params_finish(&params);
    return err;
}
