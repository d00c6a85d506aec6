/* SPDX-License-Identifier: MIT */
/*
 * smsc_status.c - what status.php and balance.php answered [smsc-api 8, 11].
 *
 * One message gives an object, several an array; both become an array of items. A message the aggregator does not know
 * is an item with status -3, not an error. The word OK, the answer to a deletion, is success without items.
 */
#include "http/smsc_reply.h"

#include <stdlib.h>
#include <string.h>

enum { STATUS_NONE = -100 };
#define TS_MAX INT64_C(253402300799) /* end of the year 9999 */

static const struct {
    const char *name;
    size_t offset, size;
} texts[] = {
#define TEXT(name, field)                                                                                              \
    {                                                                                                                  \
        name, offsetof(struct smsc_status, field), sizeof((struct smsc_status *)NULL)->field                           \
    }
    TEXT("id", id),   TEXT("phone", phone), TEXT("imsi", imsi), TEXT("msc", msc), TEXT("mcc", mcc),
    TEXT("mnc", mnc), TEXT("cn", cn),       TEXT("net", net),   TEXT("rcn", rcn), TEXT("rnet", rnet),
#undef TEXT
};
enum { FIRST_HLR_TEXT = 2 };

static bool read_text(const struct json_value *key, const struct json_value *value, struct smsc_status *item)
{
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        if (!json_is(key, texts[i].name))
            continue;
        if (json_copy(value, (char *)item + texts[i].offset, texts[i].size) != 0)
            return i >= FIRST_HLR_TEXT; /* an odd operator name may be missing, an id may not */
        item->has_hlr = item->has_hlr || (i >= FIRST_HLR_TEXT && value->kind != JSON_NULL);
        return true;
    }
    return true;
}

/* The members of one message behind its opening brace. False when what identifies it is unreadable. */
static bool read_item(struct json *j, struct smsc_status *item, struct smsc_error_members *error)
{
    struct json_value key, value;
    bool good = true;
    int64_t n;

    *item = (struct smsc_status){ .status = STATUS_NONE, .cost_e6 = -1 };
    while (json_member(j, &key, &value)) {
        if (json_is(&key, "status")) {
            if (json_integer(&value, -99, 9999, &n) == 0)
                item->status = (int)n;
            else
                good = false;
        } else if (json_is(&key, "err")) {
            item->err = json_integer(&value, 0, 999999, &n) == 0 ? (int)n : 0;
        } else if (json_is(&key, "last_timestamp")) {
            item->last_ts = json_integer(&value, 0, TS_MAX, &n) == 0 ? n : 0;
        } else if (json_is(&key, "flag")) {
            item->flag = json_integer(&value, 0, UINT32_MAX, &n) == 0 ? (unsigned)n : 0;
        } else if (json_is(&key, "cost")) {
            UNUSED(smsc_json_money(&value, &item->cost_e6));
        } else if (!smsc_error_member(error, &key, &value)) {
            good = read_text(&key, &value, item) && good;
        }
        json_skip(j, &value);
    }
    return good;
}

static bool add_item(struct smsc_status_reply *out, const struct smsc_status *item)
{
    if (smsc_grow((void **)&out->items, out->count, sizeof *out->items) != 0)
        return false;
    out->items[out->count++] = *item;
    return true;
}

static void read_json(const struct smsc_front *front, struct smsc_status_reply *out)
{
    struct smsc_error_members error = { 0 };
    struct json_value top, value;
    struct smsc_status item;
    bool good = true;
    struct json j;

    json_open(&j, front->body, front->len);
    if (!json_read(&j, &top))
        return;
    if (top.kind == JSON_OBJECT) {
        good =
            read_item(&j, &item, &error) && (error.has_error || (item.status != STATUS_NONE && add_item(out, &item)));
    } else {
        while (good && json_item(&j, &value)) {
            struct smsc_error_members of_item = { 0 };

            good = value.kind == JSON_OBJECT && read_item(&j, &item, &of_item);
            /* A record without status, id or phone says nothing of any message we know: asked again later. */
            if (good && item.status != STATUS_NONE && item.id[0] != '\0' && item.phone[0] != '\0')
                good = add_item(out, &item);
        }
    }
    if (!good || !json_end(&j))
        return;
    if (!error.has_error) {
        out->kind = SMSC_REPLY_OK;
    } else if (error.code > 0) {
        out->kind = SMSC_REPLY_ERROR;
        out->error_code = error.code;
        memcpy(out->error_text, error.text, sizeof out->error_text);
    }
}

void smsc_parse_status(int http_status, const char *body, size_t len, struct smsc_status_reply *out)
{
    struct smsc_front front;

    *out = (struct smsc_status_reply){ .kind = SMSC_REPLY_UNCLEAR };
    smsc_front_read(http_status, body, len, &front);
    if (front.shape == SMSC_SHAPE_OK_WORD) {
        out->kind = SMSC_REPLY_OK;
    } else if (front.shape == SMSC_SHAPE_ERROR) {
        out->kind = SMSC_REPLY_ERROR;
        out->error_code = front.error_code;
        memcpy(out->error_text, front.error_text, sizeof out->error_text);
    } else if (front.shape == SMSC_SHAPE_JSON) {
        read_json(&front, out);
    }
    if (out->kind == SMSC_REPLY_UNCLEAR)
        smsc_status_reply_finish(out);
}

void smsc_status_reply_finish(struct smsc_status_reply *reply)
{
    free(reply->items);
    reply->items = NULL;
    reply->count = 0;
}

void smsc_parse_balance(int http_status, const char *body, size_t len, struct smsc_balance_reply *out)
{
    struct smsc_error_members error = { 0 };
    struct json_value top, key, value;
    struct smsc_front front;
    bool has_balance = false;
    int64_t balance = 0;
    struct json j;

    *out = (struct smsc_balance_reply){ .kind = SMSC_REPLY_UNCLEAR };
    smsc_front_read(http_status, body, len, &front);
    if (front.shape == SMSC_SHAPE_ERROR) {
        out->kind = SMSC_REPLY_ERROR;
        out->error_code = front.error_code;
        memcpy(out->error_text, front.error_text, sizeof out->error_text);
        return;
    }
    if (front.shape != SMSC_SHAPE_JSON)
        return;
    json_open(&j, front.body, front.len);
    if (!json_read(&j, &top) || top.kind != JSON_OBJECT)
        return;
    while (json_member(&j, &key, &value)) {
        if (json_is(&key, "balance"))
            has_balance = smsc_json_money(&value, &balance);
        else
            smsc_error_member(&error, &key, &value);
        json_skip(&j, &value);
    }
    if (!json_end(&j))
        return;
    if (error.has_error && error.code > 0) {
        out->kind = SMSC_REPLY_ERROR;
        out->error_code = error.code;
        memcpy(out->error_text, error.text, sizeof out->error_text);
    } else if (!error.has_error && has_balance) {
        out->kind = SMSC_REPLY_OK;
        out->balance_e6 = balance;
    }
}
