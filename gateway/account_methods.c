/* SPDX-License-Identifier: MIT */
/*
 * account_methods.c - the table of an upstream account's methods, their requests and replies [see account_methods.h].
 *
 * Parameters keep the aggregator's names, so its documents are the documentation; what is mistyped is refused here and
 * costs no request (errors block an address, smsc-api 1.5).
 */
#include "gateway/account_methods.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { JSON_MAX = 8 << 20, GIVEN_MAX = 64 };

static const struct account_method methods[] = {
    { .name = "balance",
      .help = "money on the account",
      .path = SMSC_PATH_BALANCE,
      .otherwise = "cur=1",
      .rule = RULE_BALANCE,
      .params = { { "cur", PARAM_NUMBER, false, 0, 1, "1: with the currency (the default)" } },
      .soap = "balance",
      .soap_result = "balanceresult" },
    { .name = "cost",
      .help = "what a message would cost; nothing is sent",
      .path = SMSC_PATH_SEND,
      .fixed = "cost=1",
      .rule = RULE_COST,
      .params = { { "phones", PARAM_TEXT, false, 0, 0, "numbers, separated by commas" },
                  { "mes", PARAM_TEXT, false, 0, 0, "the text" },
                  { "sender", PARAM_TEXT, false, 0, 0, "sender's name" },
                  { "list", PARAM_TEXT, false, 0, 0, "number:text lines instead of phones and mes" } },
      .any_param = true,
      .either = "phones or list",
      .soap = "cost2",
      .soap_result = "costresult" },
    { .name = "status",
      .help = "state of a message by its number and upstream id",
      .path = SMSC_PATH_STATUS,
      .otherwise = "all=1",
      .rule = RULE_STATUS,
      .params = { { "phone", PARAM_PHONES, true, 0, 0, "the subscriber; several separated by commas" },
                  { "id", PARAM_TEXT, true, 0, 0, "upstream id; as many as phones" },
                  { "all", PARAM_NUMBER, false, 0, 2, "0 short, 1 with the message (the default), 2 and operator" } },
      .soap = "status2",
      .soap_result = "statusresult",
      .errors = { [5] = "the message could not be deleted" } },
    { .name = "delete",
      .help = "delete a message that has been sent",
      .path = SMSC_PATH_STATUS,
      .fixed = "del=1",
      .rule = RULE_STATUS,
      .params = { { "phone", PARAM_PHONES, true, 0, 0, "the subscriber" },
                  { "id", PARAM_TEXT, true, 0, 0, "upstream id" } },
      .errors = { [5] = "the message could not be deleted" } },
    { .name = "history",
      .help = "messages sent from the account",
      .path = SMSC_PATH_GET,
      .fixed = "get_messages=1",
      .rule = RULE_GET,
      .params = { { "start", PARAM_DATE, false, 0, 0, "first day, dd.mm.yyyy" },
                  { "end", PARAM_DATE, false, 0, 0, "last day" },
                  { "phone", PARAM_PHONES, false, 0, 0, "only to these" },
                  { "email", PARAM_TEXT, false, 0, 0, "only to these" },
                  { "cnt", PARAM_NUMBER, false, 1, 100, "how many" },
                  { "prev_id", PARAM_TEXT, false, 0, 0, "before this global id (member id of a page)" },
                  { "format", PARAM_NUMBER, false, 0, 8, "0 SMS, 8 e-mail" } },
      .errors = { [3] = "no such message" } },
    { .name = "incoming",
      .help = "messages received",
      .path = SMSC_PATH_GET,
      .fixed = "get_answers=1",
      .rule = RULE_GET,
      .params = { { "hour", PARAM_NUMBER, false, 1, 168, "of the last so many hours; else of today" },
                  { "after_id", PARAM_TEXT, false, 0, 0, "with a greater id" },
                  { "to_phone", PARAM_PHONES, false, 0, 0, "received by this number" } } },
    { .name = "stat",
      .help = "what was sent and spent",
      .path = SMSC_PATH_GET,
      .fixed = "get_stat=1",
      .rule = RULE_STAT,
      .params = { { "start", PARAM_DATE, false, 0, 0, "first day, dd.mm.yyyy" },
                  { "end", PARAM_DATE, false, 0, 0, "last day" },
                  { "mycur", PARAM_NUMBER, false, 0, 1, "1: in the account's currency" },
                  { "balance2", PARAM_NUMBER, false, 0, 1, "1: paid from the second balance" } } },
    { .name = "prices",
      .help = "the account's tariffs",
      .path = SMSC_PATH_GET,
      .fixed = "get_price=1",
      .rule = RULE_GET },
    { .name = "megafon",
      .help = "accounts at the operator Megafon",
      .path = SMSC_PATH_GET,
      .fixed = "get_mega_accounts=1",
      .rule = RULE_GET,
      .params = { { "account", PARAM_TEXT, false, 0, 0, "only this one" } },
      .errors = { [3] = "no such accounts" } },
    { .name = "operator",
      .help = "country, operator and region of a number",
      .path = SMSC_PATH_INFO,
      .fixed = "get_operator=1",
      .rule = RULE_OPERATOR,
      .params = { { "phone", PARAM_PHONES, true, 0, 0, "the number; several separated by commas" } },
      .errors = { [3] = "the operator of this number is not known" } },
    { .name = "tinyurl",
      .help = "clicks on a short link",
      .path = SMSC_PATH_TINYURLS,
      .fixed = "get=1",
      .rule = RULE_TINYURL,
      .params = { { "link", PARAM_TEXT, false, 0, 0, "the whole address it stands for" },
                  { "id", PARAM_TEXT, false, 0, 0, "id of the short link" } },
      .either = "link or id",
      .errors = { [3] = "no such link" } },
    { .name = "wait-call",
      .help = "a number the subscriber calls to confirm his own; the call comes as a callback",
      .path = SMSC_PATH_WAITCALL,
      .rule = RULE_WAIT_CALL,
      .params = { { "phone", PARAM_PHONES, true, 0, 0, "the number that will call, within 15 minutes" } },
      .errors = { [5] = "the number is in the account's black list",
                  [6] = "the account's settings (numbers, hours) do not allow this call" } },
};

/* [smsc-api 2.3, 3.5] */
static const char *const usual_errors[10] = {
    [1] = "wrong parameters",
    [2] = "wrong login or password, or this address may not use the account",
    [3] = "not enough money on the account",
    [4] = "this address is blocked for a while after too many errors",
    [5] = "wrong date",
    [6] = "the message is forbidden, by its text or its sender",
    [7] = "wrong phone number",
    [8] = "the message cannot be delivered to this number",
    [9] = "too many requests: the aggregator wants a minute's pause",
};

const struct account_method *account_method_all(size_t *out_count)
{
    *out_count = ARRAY_LEN(methods);
    return methods;
}

const struct account_method *account_method_named(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
        if (strcmp(methods[i].name, name) == 0)
            return &methods[i];
    }
    return NULL;
}

static const char *value_of(const struct smsc_param *given, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(given[i].name, name) == 0)
            return given[i].value;
    }
    return NULL;
}

enum rule_method account_method_rule(const struct account_method *method, const struct smsc_param *given, size_t count)
{
    const char *id = value_of(given, count, "id");

    return method->rule == RULE_STATUS && id != NULL && strchr(id, ',') != NULL ? RULE_STATUS_MASS : method->rule;
}

bool account_method_over_soap(const struct account_method *method, const struct smsc_param *given, size_t count)
{
    return method->soap != NULL && account_method_rule(method, given, count) != RULE_STATUS_MASS;
}

/* --- checks ------------------------------------------------------------------------------------------------------- */

static bool is_date(const char *text)
{
    unsigned d, m, y;
    int end = 0;

    return strlen(text) == 10 && strspn(text, "0123456789.") == 10 &&
           sscanf(text, "%2u.%2u.%4u%n", &d, &m, &y, &end) == 3 && end == 10 && d >= 1 && d <= 31 && m >= 1 && m <= 12;
}

static bool is_number(const char *text, uint32_t low, uint32_t high)
{
    char *end;
    unsigned long long v = strtoull(text, &end, 10);

    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && v >= low && v <= high;
}

static bool is_phones(const char *text)
{
    return strpbrk(text, "0123456789") != NULL && text[strspn(text, "0123456789+,")] == '\0';
}

static int check_one(const struct account_param *p, const char *value, char why[200])
{
    switch (p->kind) {
    case PARAM_NUMBER:
        if (is_number(value, p->low, p->high))
            return 0;
        snprintf(why, 200, "%s must be a number from %u to %u, got \"%.40s\"", p->name, p->low, p->high, value);
        return ERR_SYNTAX;
    case PARAM_DATE:
        if (is_date(value))
            return 0;
        snprintf(why, 200, "%s must be a date dd.mm.yyyy, got \"%.40s\"", p->name, value);
        return ERR_SYNTAX;
    case PARAM_PHONES:
        if (strchr(value, '@') != NULL || is_phones(value))
            return 0;
        snprintf(why, 200, "%s must be a number in international form, got \"%.40s\"", p->name, value);
        return ERR_SYNTAX;
    case PARAM_TEXT:
        break;
    }
    if (value[0] != '\0')
        return 0;
    snprintf(why, 200, "%s is empty", p->name);
    return ERR_SYNTAX;
}

static const struct account_param *param_of(const struct account_method *method, const char *name)
{
    for (size_t i = 0; i < ACCOUNT_PARAMS_MAX && method->params[i].name != NULL; i++) {
        if (strcmp(method->params[i].name, name) == 0)
            return &method->params[i];
    }
    return NULL;
}

/* Parameters that would make another request of it. */
static bool is_reserved(const struct account_method *method, const char *name)
{
    static const char *const reserved[] = { "login", "psw", "apikey", "fmt", "charset", "cost", "del", "op", "err" };
    size_t fixed_len = method->fixed == NULL ? 0 : strcspn(method->fixed, "=");

    for (size_t i = 0; i < ARRAY_LEN(reserved); i++) {
        if (strcmp(reserved[i], name) == 0)
            return true;
    }
    return fixed_len > 0 && strlen(name) == fixed_len && memcmp(name, method->fixed, fixed_len) == 0;
}

static int check(const struct account_method *method, const struct smsc_param *given, size_t count, char why[200])
{
    for (size_t i = 0; i < count; i++) {
        const struct account_param *p = param_of(method, given[i].name);
        int err = p == NULL ? 0 : check_one(p, given[i].value, why);

        if (p == NULL && (!method->any_param || is_reserved(method, given[i].name))) {
            snprintf(why, 200, "%s has no parameter \"%.40s\"", method->name, given[i].name);
            err = ERR_SYNTAX;
        }
        if (p != NULL && err == 0 && value_of(given, i, given[i].name) != NULL) {
            snprintf(why, 200, "%s is given twice", given[i].name);
            err = ERR_SYNTAX;
        }
        if (err != 0)
            return err;
    }
    for (size_t i = 0; i < ACCOUNT_PARAMS_MAX && method->params[i].name != NULL; i++) {
        if (method->params[i].needed && value_of(given, count, method->params[i].name) == NULL) {
            snprintf(why, 200, "%s needs %s: %s", method->name, method->params[i].name, method->params[i].help);
            return ERR_SYNTAX;
        }
    }
    if (method->either != NULL) {
        char first[16];
        const char *second = strrchr(method->either, ' ') + 1;

        snprintf(first, sizeof first, "%.*s", (int)strcspn(method->either, " "), method->either);
        if (value_of(given, count, first) == NULL && value_of(given, count, second) == NULL) {
            snprintf(why, 200, "%s needs %s", method->name, method->either);
            return ERR_SYNTAX;
        }
    }
    return 0;
}

/* --- requests ----------------------------------------------------------------------------------------------------- */

/* "name=value" of the table as a parameter; the name goes to `name`. */
static struct smsc_param pair(const char *text, char name[32])
{
    snprintf(name, 32, "%.*s", (int)strcspn(text, "="), text);
    return (struct smsc_param){ name, strchr(text, '=') + 1 };
}

/* The elements that stand before <query> in the wrapper, each of them in order [smsc-api 16]. */
static const char *const *soap_elements(const struct account_method *method)
{
    static const char *const none[] = { NULL };
    static const char *const cost[] = { "phones", "mes", NULL };
    static const char *const status[] = { "phone", "id", "all", NULL };

    return method->rule == RULE_COST ? cost : method->rule == RULE_STATUS ? status : none;
}

static void build_soap(const struct account_method *method, const struct smsc_login *login,
                       const struct smsc_param *all, size_t count, struct buf *out)
{
    const char *const *names = soap_elements(method);
    struct smsc_param elements[4], query[GIVEN_MAX + 2];
    size_t element_count = 0, query_count = 0;

    for (; names[element_count] != NULL; element_count++) {
        const char *value = value_of(all, count, names[element_count]);

        elements[element_count] = (struct smsc_param){ names[element_count], value == NULL ? "" : value };
    }
    for (size_t i = 0; i < count; i++) {
        if (value_of(elements, element_count, all[i].name) == NULL && strcmp(all[i].name, "cost") != 0)
            query[query_count++] = all[i];
    }
    smsc_soap_build_any(login, method->soap, elements, element_count, query, query_count, element_count > 0, out);
}

int account_method_build(const struct account_method *method, bool soap, const struct smsc_login *login,
                         const struct smsc_param *given, size_t count, struct buf *out, char why[200])
{
    struct smsc_param all[GIVEN_MAX + 2];
    char fixed[32], otherwise[32];
    size_t n = 0;

    if (soap && method->soap == NULL) {
        snprintf(why, 200, "%s is not among the aggregator's SOAP operations", method->name);
        return ERR_UNSUPPORTED;
    }
    if (count > GIVEN_MAX) {
        snprintf(why, 200, "more than %d parameters", GIVEN_MAX);
        return ERR_SYNTAX;
    }
    int err = check(method, given, count, why);
    if (err != 0)
        return err;
    if (method->fixed != NULL)
        all[n++] = pair(method->fixed, fixed);
    for (size_t i = 0; i < count; i++)
        all[n++] = given[i];
    if (method->otherwise != NULL) {
        struct smsc_param p = pair(method->otherwise, otherwise);

        if (value_of(given, count, p.name) == NULL)
            all[n++] = p;
    }
    if (soap)
        build_soap(method, login, all, n, out);
    else
        smsc_build_any(login, all, n, out);
    if (!out->failed)
        return 0;
    snprintf(why, 200, "the request is too large");
    return ERR_FULL;
}

/* --- replies ------------------------------------------------------------------------------------------------------ */

static void say_error(const struct account_method *method, struct account_answer *out, const char *text)
{
    const char *words = NULL;

    if (out->error >= 0 && out->error < 10)
        words = method->errors[out->error] != NULL ? method->errors[out->error] : usual_errors[out->error];
    if (words == NULL)
        snprintf(out->words, sizeof out->words, "error %d of the aggregator: %s", out->error,
                 text[0] != '\0' ? text : "no words given");
    else
        snprintf(out->words, sizeof out->words, "error %d: %s%s%s%s", out->error, words, text[0] != '\0' ? " (" : "",
                 text, text[0] != '\0' ? ")" : "");
}

void account_method_read(const struct account_method *method, bool soap, int http_status, const char *body, size_t len,
                         struct account_answer *out)
{
    char text[96] = "";

    *out = (struct account_answer){ 0 };
    buf_init(&out->json, JSON_MAX);
    if (soap)
        out->kind = smsc_soap_parse_any(http_status, body, len, method->soap_result, &out->error, text, &out->json);
    else
        out->kind = smsc_parse_any(http_status, body, len, &out->error, text);
    if (soap && out->kind == SMSC_REPLY_ERROR && out->error == 3 && method->rule == RULE_STATUS) {
        out->kind = SMSC_REPLY_OK; /* over SOAP an unknown message is an error, over HTTP a status */
        out->error = 0;
        buf_adds(&out->json, "{\"status\": -3}");
    }
    if (out->kind == SMSC_REPLY_OK && !soap) {
        const char *start = body + strspn(body, " \t\r\n");

        if (*start == '{' || *start == '[')
            buf_add(&out->json, start, len - (size_t)(start - body));
        else
            buf_adds(&out->json, "{\"result\": \"OK\"}");
    }
    if (out->kind == SMSC_REPLY_ERROR)
        say_error(method, out, text);
    else if (out->kind == SMSC_REPLY_UNCLEAR)
        snprintf(out->words, sizeof out->words, "the reply was not understood (HTTP %d, %zu bytes)", http_status, len);
    if (out->json.failed) {
        out->kind = SMSC_REPLY_UNCLEAR;
        snprintf(out->words, sizeof out->words, "the reply is too large");
    }
}

void account_method_failed(const char *why, struct account_answer *out)
{
    *out = (struct account_answer){ .kind = SMSC_REPLY_UNCLEAR };
    buf_init(&out->json, JSON_MAX);
    snprintf(out->words, sizeof out->words, "no answer from the aggregator: %s", why);
}

void account_answer_finish(struct account_answer *answer)
{
    buf_finish(&answer->json);
}
