/* SPDX-License-Identifier: MIT */
/*
 * desk.c - what contacts, groups, the black list, senders, templates and subclients mean [smsc-api 15.2-15.5].
 *
 * Whatever the documents leave open is assumed here: a name that is a number is confirmed by the code sent to it, any
 * other is registered at once; a subclient's account lives until the service ends or /lab/reset.
 */
#include "lab/records.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lab/send.h"

enum { CODE_NUMBERS = 10000, DRAW_CODE = 111 };

/* One element of a list separated by commas; false at its end. */
static bool next_of(const char **at, const char **out, size_t *out_len)
{
    *at += strspn(*at, ", ;");
    *out = *at;
    *out_len = strcspn(*at, ",;");
    *at += *out_len;
    return *out_len > 0;
}

static bool list_has(const char *list, const char *word)
{
    const char *one;
    size_t len;

    while (next_of(&list, &one, &len)) {
        if (len == strlen(word) && strncasecmp(one, word, len) == 0)
            return true;
    }
    return false;
}

/* ---- groups ---- */

/* Contacts name their groups by number or name. */
static bool in_group(const char *grp, const char *number, const char *name)
{
    return list_has(grp, number) || (name[0] != '\0' && list_has(grp, name));
}

bool desk_group(struct lab *lab, uint32_t id, struct buf *out)
{
    struct lab_record *group = record_by_id(lab, GROUP, id);
    struct buf name, value;
    char number[12];

    if (group == NULL) {
        if (id == 1)
            buf_adds(out, lab->b.group1);
        return id == 1;
    }
    buf_init(&name, RECORD_FORM_MAX);
    buf_init(&value, RECORD_FORM_MAX);
    (void)record_field(group, "name", &name);
    (void)snprintf(number, sizeof number, "%u", id);
    const char *field = record_flag(group, "type") ? "mail" : "phone"; /* type 1: a group of addresses */
    for (uint32_t i = 0; i < lab->record_count; i++) {
        const struct lab_record *r = &lab->records[i];

        if (r->kind != CONTACT || !in_group(record_field(r, "grp", &value), number, buf_text(&name)))
            continue;
        const char *one = record_field(r, field, &value);
        if (one[0] != '\0')
            buf_addf(out, "%s%s", out->len > 0 ? "," : "", one);
    }
    buf_finish(&name);
    buf_finish(&value);
    return true;
}

enum { MOVE = 1, JOIN = 2, LEAVE = 3 };

static int change_groups(struct lab_record *contact, const char *grp, long how)
{
    struct buf before, after;
    const char *at, *one;
    size_t len;

    buf_init(&before, RECORD_FORM_MAX);
    buf_init(&after, RECORD_FORM_MAX);
    at = record_field(contact, "grp", &before);
    while (how != MOVE && next_of(&at, &one, &len)) {
        if (len != strlen(grp) || strncasecmp(one, grp, len) != 0)
            buf_addf(&after, "%s%.*s", after.len > 0 ? "," : "", (int)len, one);
    }
    if (how != LEAVE)
        buf_addf(&after, "%s%s", after.len > 0 ? "," : "", grp);
    int err = after.failed ? ERR_FULL : record_set(contact, "grp", buf_text(&after));
    buf_finish(&before);
    buf_finish(&after);
    return err;
}

int desk_move_group(struct lab_call *call)
{
    const char *phones = lab_param(call, "phone"), *ids = lab_param(call, "id"), *grp = lab_param(call, "grp");
    struct lab *lab = call->lab;
    struct buf phone;
    char number[16];
    long how;
    unsigned moved = 0;
    int err = 0;

    if (lab_param_number(call, "move_group", LEAVE, 0, &how) != 0 || (phones[0] == '\0' && ids[0] == '\0'))
        return 1;
    buf_init(&phone, RECORD_FORM_MAX);
    for (uint32_t i = 0; i < lab->record_count && err == 0; i++) {
        struct lab_record *r = &lab->records[i];

        (void)snprintf(number, sizeof number, "%u", r->id);
        if (r->kind != CONTACT || (!list_has(ids, number) && (record_field(r, "phone", &phone)[0] == '\0' ||
                                                              !list_has(phones, buf_text(&phone)))))
            continue;
        err = change_groups(r, grp, how);
        moved++;
    }
    buf_finish(&phone);
    return err != 0 ? 5 : moved == 0 ? 3 : 0;
}

/* ---- the black list ---- */

bool desk_is_black(struct lab *lab, const char *phone, bool mass)
{
    struct lab_record *record = record_by_field(lab, BLACK, "phone", phone);
    struct buf type;

    if (record == NULL)
        return false;
    buf_init(&type, RECORD_FORM_MAX);
    const char *kind = record_field(record, "type", &type); /* 0 all, 1 mailings, 2 single messages */
    bool black = kind[0] == '\0' || kind[0] == '0' || kind[0] == (mass ? '1' : '2');
    buf_finish(&type);
    return black;
}

/* ---- senders ---- */

static bool is_number(const char *name)
{
    return name[0] != '\0' && name[strspn(name, "+0123456789")] == '\0';
}

bool desk_sender_confirmed(const struct lab_record *record)
{
    struct buf name;

    buf_init(&name, RECORD_FORM_MAX);
    bool number = is_number(record_field(record, "sender", &name));
    buf_finish(&name);
    return !number || record_flag(record, "confirmed");
}

bool desk_sender_allowed(struct lab *lab, const char *sender)
{
    bool any = false;

    for (uint32_t i = 0; i < lab->record_count && !any; i++)
        any = lab->records[i].kind == SENDER;
    if ((!any && lab->b.senders[0] == '\0') || list_has(lab->b.senders, sender) ||
        strcasecmp(sender, lab->b.sender) == 0)
        return true;

    const struct lab_record *record = record_by_field(lab, SENDER, "sender", sender);

    return record != NULL && desk_sender_confirmed(record);
}

int desk_send_code(struct lab_call *call, struct lab_record *sender)
{
    struct lab *lab = call->lab;
    struct buf form;
    char code[8], id[48];
    const char *number = lab_param(call, "sender");

    if (!is_number(number))
        return 1;
    (void)snprintf(code, sizeof code, "%04u",
                   (unsigned)(lab_draw(lab->seed, sender->id + lab->draws, DRAW_CODE) * CODE_NUMBERS));
    if (record_set(sender, "code", code) != 0)
        return 5;
    buf_init(&form, 1024);
    buf_adds(&form, "sender=&mes=Code%3A+");
    buf_adds(&form, code);
    http_form_add(&form, "phones", number, strlen(number));
    int error = form.failed ? 5 : lab_send_form(lab, buf_text(&form), 0, call->now_ms, id);
    buf_finish(&form);
    return error;
}

int desk_check_code(struct lab_call *call, struct lab_record *sender)
{
    struct buf code;

    buf_init(&code, RECORD_FORM_MAX);
    bool good = record_field(sender, "code", &code)[0] != '\0' && strcmp(buf_text(&code), lab_param(call, "code")) == 0;
    buf_finish(&code);
    if (!good)
        return 5;
    return record_set(sender, "confirmed", "1") != 0 ? 5 : 0;
}

/* ---- templates ---- */

const char *desk_signature(struct lab *lab, struct buf *to)
{
    for (uint32_t i = 0; i < lab->record_count; i++) {
        if (lab->records[i].kind == TEMPLATE && record_flag(&lab->records[i], "fl[1]"))
            return record_field(&lab->records[i], "msg", to);
    }
    return NULL;
}

/* ---- subclients ---- */

static void add_member(struct buf *json, const char *name, const char *value)
{
    buf_addf(json, "%s\"%s\": ", json->len > 1 ? ", " : "", name);
    buf_add_json(json, value, strlen(value));
}

/* The settings of users.php that have one here; only those given. */
static void user_settings(const struct lab_call *call, struct buf *json)
{
    static const char *const names[][2] = {
        { "password", "password" },        { "url", "callback_url" },  { "fl[10]", "callback_statuses" },
        { "fl[11]", "callback_incoming" }, { "fl2[27]", "test_mode" }, { "dlim", "day_limit" },
        { "plim", "number_limit" },        { "ilim", "ip_limit" },     { "tmlim", "hours" },
    };

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (http_params_find(&call->params, names[i][0]) != NULL)
            add_member(json, names[i][1], lab_param(call, names[i][0]));
    }
}

int desk_user_add(struct lab_call *call)
{
    struct buf json;
    char why[256] = "", key[LAB_TEXT_MAX];

    buf_init(&json, RECORD_FORM_MAX);
    buf_addc(&json, '{');
    add_member(&json, "login", lab_param(call, "user"));
    (void)snprintf(key, sizeof key, "key-of-%.100s", lab_param(call, "user")); /* nobody else's */
    add_member(&json, "api_key", key);
    add_member(&json, "balance", "0");
    add_member(&json, "callback_url", "");
    /* the last of two equal names counts when settings are written; these are the defaults */
    add_member(&json, "callback_statuses", "0");
    add_member(&json, "callback_incoming", "0");
    user_settings(call, &json);
    buf_addc(&json, '}');
    int err = json.failed ? ERR_FULL : lab_add_account(call->lab->first, buf_text(&json), json.len, why);
    struct lab *user = err == 0 ? lab_account_named(call->lab->first, lab_param(call, "user")) : NULL;
    if (user != NULL)
        user->is_user = true;
    buf_finish(&json);
    if (err != 0)
        call->error_words = "cannot save";
    return err != 0 ? 8 : 0;
}

int desk_user_change(struct lab_call *call)
{
    struct lab *user = lab_account_named(call->lab->first, lab_param(call, "user"));
    struct buf json;
    char why[256] = "";

    if (user == NULL || !user->is_user)
        return 6;
    buf_init(&json, RECORD_FORM_MAX);
    buf_addc(&json, '{');
    user_settings(call, &json);
    buf_addc(&json, '}');
    int err = json.failed ? ERR_FULL : lab_settings_write(user, buf_text(&json), json.len, why);
    buf_finish(&json);
    if (err != 0)
        call->error_words = "cannot save";
    return err != 0 ? 8 : 0;
}

int desk_user_pay(struct lab_call *call)
{
    struct lab *lab = call->lab, *user = lab_account_named(lab->first, lab_param(call, "user"));
    int64_t sum_e6;

    if (user == NULL || !user->is_user || user == lab)
        return 6;
    if (lab_money_read(lab_param(call, "sum"), &sum_e6) != 0 || sum_e6 > LAB_MONEY_MAX_E6 ||
        sum_e6 < -LAB_MONEY_MAX_E6 || user->balance_e6 + sum_e6 > LAB_MONEY_MAX_E6 ||
        lab->balance_e6 - sum_e6 > LAB_MONEY_MAX_E6)
        return 1;
    if (sum_e6 > lab->balance_e6 || -sum_e6 > user->balance_e6) { /* a negative sum is taken back */
        call->error_words = "not enough money";
        return 10;
    }
    lab->balance_e6 -= sum_e6;
    user->balance_e6 += sum_e6;
    user->paid_e6 += sum_e6;
    return 0;
}

bool desk_user_numbers(struct lab *lab, const char *login, char sms[24], char credit[32], char debit[32])
{
    const struct lab *user = lab_account_named(lab->first, login);

    if (user == NULL || login[0] == '\0')
        return false;
    (void)snprintf(sms, 24, "%llu", (unsigned long long)user->n.parts);
    lab_money(user->spent_e6, credit);
    lab_money(user->paid_e6, debit);
    return true;
}
