/* SPDX-License-Identifier: MIT */
/*
 * callback.c - an event as the HTTP request the client's handler gets [API webhooks].
 *
 * The handler's URL says everything: what stands behind '!' goes by GET, what stands behind '?' goes by POST, and among
 * the latter charset, fmt, md5, sha1 and crc32 choose encoding, form and integrity hash; a secret leaves only as a hash.
 * Hashes are over the bytes of the chosen charset. The shape of XML (root "request") and JSON (one flat object of
 * strings) is not documented: assumed.
 */
#include "lab/show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BODY_MAX = 256 << 10, FIELDS_MAX = 32, TALK_S = 10, RING_S = 5 };

struct field {
    const char *name, *value; /* UTF-8 */
};

struct fields {
    struct field at[FIELDS_MAX];
    size_t count;
    char numbers[12][32];
    char hlr[8][64];
};

static void add(struct fields *f, const char *name, const char *value)
{
    if (f->count < FIELDS_MAX)
        f->at[f->count++] = (struct field){ name, value };
}

static void add_number(struct fields *f, int place, const char *name, long long value)
{
    (void)snprintf(f->numbers[place], sizeof f->numbers[place], "%lld", value);
    add(f, name, f->numbers[place]);
}

static void status_fields(const struct lab *lab, const struct lab_message *m, struct fields *f)
{
    add(f, "id", m->id);
    add(f, "phone", m->phone);
    add_number(f, 0, "status", m->status);
    lab_date(lab, m->last_ms, true, f->numbers[1]);
    add(f, "time", f->numbers[1]);
    add_number(f, 2, "ts", m->last_ms / 1000);
    if (m->err != 0)
        add_number(f, 3, "err", m->err);
    unsigned digit = m->phone[0] != '\0' ? (unsigned)(m->phone[strlen(m->phone) - 1] - '0') % 10 : 0;
    bool talked = m->type == LAB_CALL && m->status == LAB_DELIVERED;
    add_number(f, 4, "cnt", talked ? TALK_S + digit : m->parts); /* of a call: seconds */
    add_number(f, 5, "type", m->type);
    lab_money(m->cost_e6, f->numbers[6]);
    add(f, "cost", f->numbers[6]);
    add_number(f, 7, "flag", m->type & 15);
    add(f, "sender", m->sender);
    if (m->comment[0] != '\0')
        add(f, "cmt", m->comment);
    if (talked) { /* the subscriber presses the last digit of his number */
        add_number(f, 8, "dtmf", digit);
        add_number(f, 9, "calltime", TALK_S + digit);
        add_number(f, 10, "callmenu", digit);
        add_number(f, 11, "ringtime", RING_S + digit);
    }
    if (m->type == LAB_HLR) {
        show_hlr_data(m->phone, f->hlr);
        for (size_t i = 0; i < 8; i++)
            add(f, show_hlr_names[i], f->hlr[i]);
    }
}

static void incoming_fields(const struct lab *lab, const struct lab_answer *a, struct fields *f)
{
    UNUSED(lab);
    add_number(f, 0, "id", (long long)a->id);
    if (a->sms_id[0] != '\0')
        add(f, "sms_id", a->sms_id);
    add(f, "phone", a->phone);
    add(f, "mes", a->text);
    add(f, "to", a->to);
    add(f, "smsc", "79168999100");
    add_number(f, 1, "sent", a->sent_ms / 1000);
    add_number(f, 2, "time", a->received_ms / 1000);
}

static const char *field(const struct fields *f, const char *name)
{
    for (size_t i = 0; i < f->count; i++) {
        if (strcmp(f->at[i].name, name) == 0)
            return f->at[i].value;
    }
    return "";
}

/* The documented string of the event, in the bytes of the charset. */
static void hash_of(const struct lab_event *event, const struct fields *f, enum lab_charset charset,
                    enum webhook_hash hash, const char *secret, char out[41])
{
    struct buf joined, encoded;

    buf_init(&joined, BODY_MAX);
    buf_init(&encoded, BODY_MAX);
    switch (event->kind) {
    case LAB_EVENT_STATUS:
        buf_addf(&joined, "%s:%s:%s:", field(f, "id"), field(f, "phone"), field(f, "status"));
        break;
    case LAB_EVENT_INCOMING:
        buf_addf(&joined, "%s:%s:%s:", field(f, "phone"), field(f, "mes"), field(f, "to"));
        break;
    default:
        buf_addf(&joined, "%s:%s:", field(f, "phone"), field(f, "ts"));
        break;
    }
    buf_adds(&joined, secret);
    lab_from_utf8(charset, buf_text(&joined), joined.len, &encoded);
    if (event->bad_hash)
        buf_adds(&encoded, "?");
    webhook_hash_text(hash, buf_text(&encoded), encoded.len, out);
    buf_finish(&joined);
    buf_finish(&encoded);
}

static enum webhook_hash hash_named(const char *name)
{
    return strcmp(name, "md5") == 0     ? WEBHOOK_HASH_MD5
           : strcmp(name, "sha1") == 0  ? WEBHOOK_HASH_SHA1
           : strcmp(name, "crc32") == 0 ? WEBHOOK_HASH_CRC32
                                        : WEBHOOK_HASH_NONE;
}

static void write_field(struct buf *out, int fmt, enum lab_charset charset, const char *name, const char *value,
                        bool first)
{
    struct buf text;

    buf_init(&text, BODY_MAX);
    switch (fmt) {
    case 2:
        lab_xml_element(&text, name, value);
        lab_from_utf8(charset, buf_text(&text), text.len, out);
        break;
    case 3:
        buf_adds(&text, first ? "{" : ",");
        buf_add_json(&text, name, strlen(name));
        buf_addc(&text, ':');
        buf_add_json(&text, value, strlen(value));
        lab_from_utf8(charset, buf_text(&text), text.len, out);
        break;
    default:
        lab_from_utf8(charset, value, strlen(value), &text);
        http_form_add(out, name, buf_text(&text), text.len);
        break;
    }
    buf_finish(&text);
}

/* "http://host/!get?post" -> "http://host/?get" and the post part. */
static char *split_url(const char *url, const char **out_post)
{
    size_t len = strcspn(url, "?");
    const char *bang = memchr(url, '!', len);
    char *made = malloc(len + 2);

    *out_post = url[len] == '?' ? url + len + 1 : "";
    if (made == NULL)
        return NULL;
    memcpy(made, url, len);
    made[len] = '\0';
    if (bang != NULL)
        made[bang - url] = bang[1] == '\0' || bang + 1 == url + len ? '\0' : '?';
    return made;
}

int lab_post_build(const struct lab *lab, const struct lab_event *event, struct lab_post *out)
{
    struct fields *f;
    struct http_params extra;
    struct buf body;
    const char *post;
    int err = 0, fmt = 0;
    enum lab_charset charset = LAB_CP1251;

    if (lab->b.callback_url[0] == '\0')
        return ERR_NOT_FOUND;
    memset(out, 0, sizeof *out);
    http_params_init(&extra);
    buf_init(&body, BODY_MAX);
    f = calloc(1, sizeof *f);
    out->url = split_url(lab->b.callback_url, &post);
    if (f == NULL || out->url == NULL) {
        err = ERR_NOMEM;
        goto out;
    }
    err = http_params_read_form(&extra, post, strlen(post));
    if (err != 0)
        goto out;

    for (size_t i = 0; i < extra.count; i++) {
        if (strcmp(extra.at[i].name, "fmt") == 0 &&
            (strcmp(extra.at[i].value, "2") == 0 || strcmp(extra.at[i].value, "3") == 0))
            fmt = extra.at[i].value[0] - '0';
        if (strcmp(extra.at[i].name, "charset") == 0 && lab_charset_named(extra.at[i].value) != LAB_CHARSET_COUNT)
            charset = lab_charset_named(extra.at[i].value);
    }
    if (fmt != 0 && charset == LAB_KOI8R)
        charset = LAB_CP1251; /* documented: not with fmt */

    switch (event->kind) {
    case LAB_EVENT_STATUS:
        status_fields(lab, event->message, f);
        break;
    case LAB_EVENT_INCOMING:
        incoming_fields(lab, event->answer, f);
        break;
    default:
        add(f, "waitcall", "1");
        add(f, "phone", event->answer->phone);
        add_number(f, 0, "ts", event->answer->received_ms / 1000);
        break;
    }

    if (fmt == 2)
        buf_addf(&body, "<?xml version=\"1.0\" encoding=\"%s\"?>\n<request>\n",
                 charset == LAB_UTF8 ? "utf-8" : "windows-1251");
    for (size_t i = 0; i < f->count; i++)
        write_field(&body, fmt, charset, f->at[i].name, f->at[i].value, i == 0);
    for (size_t i = 0; i < extra.count; i++) {
        enum webhook_hash hash = hash_named(extra.at[i].name);
        char text[41];

        if (hash != WEBHOOK_HASH_NONE)
            hash_of(event, f, charset, hash, extra.at[i].value, text);
        write_field(&body, fmt, charset, extra.at[i].name, hash != WEBHOOK_HASH_NONE ? text : extra.at[i].value, false);
    }
    if (fmt == 2)
        buf_adds(&body, "</request>\n");
    if (fmt == 3)
        buf_addc(&body, '}');
    out->content_type = fmt == 2 ? "text/xml" : fmt == 3 ? "application/json" : "application/x-www-form-urlencoded";
    out->body_len = body.len;
    out->body = body.failed ? NULL : body.data;
    err = out->body == NULL ? ERR_NOMEM : 0;
    if (err == 0)
        body = (struct buf){ .max = body.max }; /* now the post's */

out:
    if (err != 0)
        lab_post_finish(out);
    buf_finish(&body);
    http_params_finish(&extra);
    free(f);
    return err;
}

void lab_post_finish(struct lab_post *post)
{
    free(post->url);
    free(post->body);
    *post = (struct lab_post){ 0 };
}
