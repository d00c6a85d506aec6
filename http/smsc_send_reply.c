/* SPDX-License-Identifier: MIT */
/*
 * smsc_send_reply.c - what send.php answered [smsc-api 3.4, 3.5].
 *
 * OK needs the whole of a JSON object with id and cnt. Anything less is UNCLEAR: the messages may or may not be on their
 * way, and only status queries can tell. The op=1 records are kept as they come, found again by phone.
 */
#include "http/smsc_reply.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { STATUS_ABSENT = -100 };

static int read_line(struct json *j, struct smsc_line_result *line)
{
    struct json_value key, value;
    int64_t n;
    int err = 0;

    line->cost_e6 = -1;
    line->status = STATUS_ABSENT;
    while (json_member(j, &key, &value)) {
        if (json_is(&key, "phone"))
            err = err != 0 ? err : json_copy(&value, line->phone, sizeof line->phone);
        else if (json_is(&key, "mccmnc"))
            UNUSED(json_copy(&value, line->mccmnc, sizeof line->mccmnc) == 0); /* a nicety: "" when odd */
        else if (json_is(&key, "cost"))
            UNUSED(smsc_json_money(&value, &line->cost_e6)); /* null in test mode [smsc-api 3.4] */
        else if (json_is(&key, "status") && json_integer(&value, -99, 9999, &n) == 0)
            line->status = (int)n;
        else if (json_is(&key, "error") && json_integer(&value, 0, 999999, &n) == 0)
            line->error = (int)n;
        json_skip(j, &value);
    }
    return err;
}

static int read_lines(struct json *j, const struct json_value *array, struct smsc_send_reply *out)
{
    struct json_value item;
    int err = 0;

    if (array->kind != JSON_ARRAY) {
        json_skip(j, array);
        return 0;
    }
    while (err == 0 && json_item(j, &item)) {
        if (item.kind != JSON_OBJECT)
            return ERR_SYNTAX;
        err = smsc_grow((void **)&out->lines, out->line_count, sizeof *out->lines);
        if (err == 0)
            err = read_line(j, &out->lines[out->line_count++]);
    }
    return err;
}

static void read_object(const struct smsc_front *front, struct smsc_send_reply *out)
{
    struct smsc_error_members error = { 0 };
    struct json_value top, key, value;
    bool has_cnt = false;
    int err = 0;
    int64_t n;
    struct json j;

    json_open(&j, front->body, front->len);
    if (!json_read(&j, &top) || top.kind != JSON_OBJECT)
        return;
    while (err == 0 && json_member(&j, &key, &value)) {
        if (json_is(&key, "id")) {
            err = json_copy(&value, out->id, sizeof out->id);
        } else if (json_is(&key, "cnt") && json_integer(&value, 0, UINT_MAX, &n) == 0) {
            out->cnt = (unsigned)n;
            has_cnt = true;
        } else if (json_is(&key, "cost")) {
            UNUSED(smsc_json_money(&value, &out->cost_e6));
        } else if (json_is(&key, "balance")) {
            out->has_balance = smsc_json_money(&value, &out->balance_e6);
        } else if (json_is(&key, "phones") || json_is(&key, "errors")) { /* op=1, err=1 */
            err = read_lines(&j, &value, out);
            continue;
        } else {
            smsc_error_member(&error, &key, &value);
        }
        json_skip(&j, &value);
    }
    if (err != 0 || !json_end(&j))
        return;
    if (error.has_error && error.code > 0) {
        out->kind = SMSC_REPLY_ERROR;
        out->error_code = error.code;
        memcpy(out->error_text, error.text, sizeof out->error_text);
    } else if (!error.has_error && has_cnt && out->id[0] != '\0') {
        out->kind = SMSC_REPLY_OK;
    }
}

void smsc_parse_send(int http_status, const char *body, size_t len, struct smsc_send_reply *out)
{
    struct smsc_front front;

    *out = (struct smsc_send_reply){ .kind = SMSC_REPLY_UNCLEAR, .cost_e6 = -1, .balance_e6 = -1 };
    smsc_front_read(http_status, body, len, &front);
    if (front.shape == SMSC_SHAPE_ERROR) {
        out->kind = SMSC_REPLY_ERROR;
        out->error_code = front.error_code;
        memcpy(out->error_text, front.error_text, sizeof out->error_text);
        memcpy(out->id, front.id, sizeof out->id);
    } else if (front.shape == SMSC_SHAPE_JSON) {
        read_object(&front, out);
    }
    if (out->kind == SMSC_REPLY_UNCLEAR) { /* half-read members are nobody's business */
        smsc_send_reply_finish(out);
        *out = (struct smsc_send_reply){ .kind = SMSC_REPLY_UNCLEAR, .cost_e6 = -1, .balance_e6 = -1 };
    }
}

void smsc_send_reply_finish(struct smsc_send_reply *reply)
{
    free(reply->lines);
    reply->lines = NULL;
    reply->line_count = 0;
}
