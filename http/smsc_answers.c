/* SPDX-License-Identifier: MIT */
/*
 * smsc_answers.c - incoming messages fetched with get.php?get_answers=1 [smsc-api 12.2].
 *
 * The way to messages whose callback never came. A record without id, phone or readable form spoils the whole reply:
 * after_id moves past everything in it, so half a list would lose the other half for good.
 */
#include "http/charset.h"
#include "http/smsc_reply.h"

#include <stdlib.h>
#include <string.h>

enum { MESSAGE_MAX_BYTES = 64 * 1024 };

/* The text in UTF-8, malloc'ed. We ask for UTF-8; what is none was sent in the default windows-1251. */
static char *take_message(const struct json_value *value)
{
    struct buf raw, text;

    buf_init(&raw, MESSAGE_MAX_BYTES);
    buf_init(&text, MESSAGE_MAX_BYTES * 3);
    json_text(value, &raw);
    bool good = charset_is_utf8(buf_text(&raw), raw.len);
    charset_to_utf8(good ? WEBHOOK_UTF8 : WEBHOOK_CP1251, buf_text(&raw), raw.len, &text);
    char *copy = raw.failed || text.failed ? NULL : strdup(buf_text(&text));
    buf_finish(&raw);
    buf_finish(&text);
    return copy;
}

static int read_answer(struct json *j, struct smsc_answer *a)
{
    struct json_value key, value;
    int err = 0;

    while (err == 0 && json_member(j, &key, &value)) {
        if (json_is(&key, "id")) {
            err = json_copy(&value, a->id, sizeof a->id);
        } else if (json_is(&key, "phone")) {
            err = json_copy(&value, a->phone, sizeof a->phone);
        } else if (json_is(&key, "to_phone")) {
            err = json_copy(&value, a->to_phone, sizeof a->to_phone);
        } else if (json_is(&key, "received")) {
            UNUSED(json_copy(&value, a->received, sizeof a->received) == 0);
        } else if (json_is(&key, "sent")) {
            UNUSED(json_copy(&value, a->sent, sizeof a->sent) == 0);
        } else if (json_is(&key, "message")) {
            free(a->message);
            a->message = take_message(&value);
            err = a->message == NULL ? ERR_NOMEM : 0;
        }
        json_skip(j, &value);
    }
    if (err == 0 && (a->id[0] == '\0' || a->phone[0] == '\0'))
        err = ERR_SYNTAX;
    if (err == 0 && a->message == NULL) {
        a->message = strdup("");
        err = a->message == NULL ? ERR_NOMEM : 0;
    }
    return err;
}

static void read_array(const struct smsc_front *front, struct smsc_answers_reply *out)
{
    struct json_value top, item;
    struct json j;
    int err = 0;

    json_open(&j, front->body, front->len);
    if (!json_read(&j, &top) || top.kind != JSON_ARRAY)
        return;
    while (err == 0 && json_item(&j, &item)) {
        err = item.kind == JSON_OBJECT ? smsc_grow((void **)&out->items, out->count, sizeof *out->items) : ERR_SYNTAX;
        if (err == 0)
            err = read_answer(&j, &out->items[out->count++]);
    }
    if (err == 0 && json_end(&j))
        out->kind = SMSC_REPLY_OK;
}

void smsc_parse_answers(int http_status, const char *body, size_t len, struct smsc_answers_reply *out)
{
    struct smsc_front front;

    *out = (struct smsc_answers_reply){ .kind = SMSC_REPLY_UNCLEAR };
    smsc_front_read(http_status, body, len, &front);
    if (front.shape == SMSC_SHAPE_JSON && front.body[0] == '[') {
        read_array(&front, out);
    } else {
        out->kind = smsc_parse_any(http_status, body, len, &out->error_code, out->error_text);
        if (out->kind == SMSC_REPLY_OK) /* an object or the word OK is no list */
            out->kind = SMSC_REPLY_UNCLEAR;
    }
    if (out->kind == SMSC_REPLY_UNCLEAR)
        smsc_answers_reply_finish(out);
}

void smsc_answers_reply_finish(struct smsc_answers_reply *reply)
{
    for (size_t i = 0; i < reply->count; i++)
        free(reply->items[i].message);
    free(reply->items);
    reply->items = NULL;
    reply->count = 0;
}
