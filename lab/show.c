/* SPDX-License-Identifier: MIT */
/* show.c - a message's facts as named fields: one row per field, orders are the callers'. */
#include "lab/show.h"

#include <stdio.h>
#include <string.h>

enum { N_STATUS, N_LAST_DATE, N_LAST_TS, N_ERR, N_FLAG, N_SEND_DATE, N_SEND_TS, N_COST, N_TYPE, N_SMS_CNT, N_MCCMNC };

const char *const show_hlr_names[8] = { "imsi", "msc", "mcc", "mnc", "cn", "net", "rcn", "rnet" };

const char *show_status_name(int status)
{
    switch (status) {
    case -3:
        return "Message not found";
    case -2:
        return "Stopped";
    case -1:
        return "Waiting to be sent";
    case 0:
        return "Transferred to the operator";
    case 1:
        return "Delivered";
    case 2:
        return "Read";
    case 3:
        return "Expired";
    case 4:
        return "Link clicked";
    case 20:
        return "Impossible to deliver";
    case 22:
        return "Invalid number";
    case 23:
        return "Prohibited";
    case 24:
        return "Insufficient funds";
    case 25:
        return "Unavailable number";
    default:
        return "Unknown";
    }
}

void show_open(struct show *show, const struct lab *lab, const struct lab_message *message)
{
    const struct lab_message none = { .status = LAB_NOT_FOUND };
    const struct lab_message *m = message != NULL ? message : &none;

    memset(show, 0, sizeof *show);
    show->message = message;
    show->op = message != NULL ? lab_operator_of(message->phone) : NULL;
    (void)snprintf(show->number[N_STATUS], 32, "%d", m->status);
    lab_date(lab, m->last_ms, false, show->number[N_LAST_DATE]);
    (void)snprintf(show->number[N_LAST_TS], 32, "%lld", (long long)(m->last_ms / 1000));
    (void)snprintf(show->number[N_ERR], 32, "%u", m->err);
    (void)snprintf(show->number[N_FLAG], 32, "%u", m->type & 15u);
    lab_date(lab, m->accepted_ms, false, show->number[N_SEND_DATE]);
    (void)snprintf(show->number[N_SEND_TS], 32, "%lld", (long long)(m->accepted_ms / 1000));
    lab_money(m->cost_e6, show->number[N_COST]);
    (void)snprintf(show->number[N_TYPE], 32, "%u", m->type);
    (void)snprintf(show->number[N_SMS_CNT], 32, "%u", m->parts);
    (void)snprintf(show->number[N_MCCMNC], 32, "%s%s", show->op != NULL ? show->op->mcc : "",
                   show->op != NULL ? show->op->mnc : "");
}

void show_close(struct show *show)
{
    show->message = NULL;
}

size_t show_fields(const struct show *s, const uint8_t *order, struct lab_field out[SHOW_FIELDS_MAX])
{
    const struct lab_message *m = s->message;
    const struct lab_operator *op = s->op;
    const char *name = op != NULL ? op->name : "";
    const struct lab_field all[SHOW_COUNT] = {
        [SHOW_STATUS] = { "status", "Status", s->number[N_STATUS], true },
        [SHOW_LAST_DATE] = { "last_date", "check_time", s->number[N_LAST_DATE], false },
        [SHOW_LAST_TS] = { "last_timestamp", NULL, s->number[N_LAST_TS], true },
        [SHOW_ERR] = { "err", "err", s->number[N_ERR], true },
        [SHOW_ERR_IF] = { "err", "err", s->number[N_ERR], true },
        [SHOW_FLAG] = { "flag", NULL, s->number[N_FLAG], true },
        [SHOW_FLAG_IF] = { "flag", NULL, s->number[N_FLAG], true },
        [SHOW_SEND_DATE] = { "send_date", "send_date", s->number[N_SEND_DATE], false },
        [SHOW_SEND_TS] = { "send_timestamp", NULL, s->number[N_SEND_TS], true },
        [SHOW_PHONE] = { "phone", "phone", m != NULL ? m->phone : "", false },
        [SHOW_COST] = { "cost", "cost", s->number[N_COST], false },
        [SHOW_SENDER] = { "sender_id", "sender_id", m != NULL ? m->sender : "", false },
        [SHOW_NAME] = { "status_name", "status_name", show_status_name(m != NULL ? m->status : LAB_NOT_FOUND), false },
        [SHOW_MESSAGE] = { "message", "message", m != NULL ? m->text : "", false },
        [SHOW_COMMENT] = { "comment", "comment", m != NULL ? m->comment : "", false },
        [SHOW_TYPE] = { "type", "type", s->number[N_TYPE], true },
        [SHOW_SMS_CNT] = { "sms_cnt", NULL, s->number[N_SMS_CNT], true },
        [SHOW_COUNTRY] = { "country", "country", op != NULL ? op->country : "", false },
        [SHOW_OPERATOR] = { "operator", "operator", name, false },
        [SHOW_OPERATOR_ORIG] = { "operator_orig", NULL, name, false },
        [SHOW_REGION] = { "region", "region", op != NULL ? op->region : "", false },
        [SHOW_MCCMNC] = { "mccmnc", NULL, s->number[N_MCCMNC], false },
        [SHOW_ID] = { "id", "ID", m != NULL ? m->id : "", m != NULL && lab_id_is_number(m->id) },
    };
    size_t n = 0;

    for (; *order != SHOW_END; order++) {
        if ((*order == SHOW_ERR_IF || *order == SHOW_FLAG_IF) && strcmp(all[*order].value, "0") == 0)
            continue;
        out[n++] = all[*order];
    }
    return n;
}

void show_hlr_data(const char *phone, char out[8][64])
{
    const struct lab_operator *op = lab_operator_of(phone);
    size_t len = strlen(phone);
    const char *tail = len > 10 ? phone + len - 10 : phone;

    memset(out, 0, 8 * 64);
    if (op == NULL)
        return;
    (void)snprintf(out[0], 64, "%s%s%.10s", op->mcc, op->mnc, tail);
    (void)snprintf(out[1], 64, "%.4s0000000", phone);
    (void)snprintf(out[2], 64, "%s", op->mcc);
    (void)snprintf(out[3], 64, "%s", op->mnc);
    (void)snprintf(out[4], 64, "%s", op->country);
    (void)snprintf(out[5], 64, "%s", op->name);
    if (len > 0 && phone[len - 1] == '9') { /* numbers that end in 9 roam */
        (void)snprintf(out[6], 64, "Турция");
        (void)snprintf(out[7], 64, "Turkcell");
    }
}

size_t show_hlr(struct show *show, int fmt, struct lab_field *fields, size_t n)
{
    show_hlr_data(show->message->phone, show->hlr);
    for (size_t i = 0; i < 8; i++) {
        if (fmt >= 2 && show->hlr[i][0] == '\0' && i >= 6)
            continue; /* only when roaming */
        fields[n++] = (struct lab_field){ show_hlr_names[i], show_hlr_names[i], show->hlr[i], false };
    }
    return n;
}
