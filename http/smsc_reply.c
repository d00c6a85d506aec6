/* SPDX-License-Identifier: MIT */
/*
 * smsc_reply.c - tells errors, success and foreign bodies apart, for all methods.
 *
 * The API answers HTTP 200 to everything, its own errors included [smsc-api 1.4]. So any other status, 401, 403 and 404
 * as well, comes from something in between (a proxy, a wrong host, a maintenance page), and what it did with the request
 * is not known: foreign, which the methods report as UNCLEAR. The Content-Type is never looked at; it is known to lie.
 */
#include "http/smsc_reply.h"

#include <stdlib.h>
#include <string.h>

enum { HTTP_OK = 200, CODE_DIGITS_MAX = 6 };

void smsc_copy_text(const char *text, size_t len, char *out, size_t size)
{
    size_t n = 0;

    for (size_t i = 0; i < len && n + 1 < size; i++) {
        unsigned char c = (unsigned char)text[i];

        out[n++] = c >= 0x20 && c < 0x7F ? (char)c : '?'; /* descriptions are English on all sites [smsc-api 2.3] */
    }
    out[n] = '\0';
}

bool smsc_json_money(const struct json_value *value, int64_t *out_e6)
{
    char text[40];

    return (value->kind == JSON_STRING || value->kind == JSON_NUMBER) && json_copy(value, text, sizeof text) == 0 &&
           smsc_money_read(text, out_e6) == 0;
}

int smsc_grow(void **items, size_t count, size_t item_bytes)
{
    enum { FIRST = 16 };

    if (count >= SMSC_ITEMS_MAX)
        return ERR_FULL;
    if (count != 0 && (count < FIRST || (count & (count - 1)) != 0))
        return 0; /* sizes are 16, 32, 64 ...: only a count that is one of them, or 0, is full */
    size_t size = count == 0 ? FIRST : count * 2;
    char *more = realloc(*items, size * item_bytes);
    if (more == NULL)
        return ERR_NOMEM;
    memset(more + count * item_bytes, 0, (size - count) * item_bytes);
    *items = more;
    return 0;
}

static bool is_nothing(const struct json_value *v)
{
    return v->kind == JSON_NULL || (v->kind != JSON_ARRAY && v->kind != JSON_OBJECT && v->len == 0) ||
           json_is(v, "0") || json_is(v, "false");
}

bool smsc_error_member(struct smsc_error_members *e, const struct json_value *key, const struct json_value *value)
{
    int64_t n;

    if (json_is(key, "error_code")) {
        if (is_nothing(value))
            return true;
        e->has_error = true;
        e->code = json_integer(value, 1, 999999, &n) == 0 ? (int)n : 0;
        return true;
    }
    if (!json_is(key, "error"))
        return false;
    if (is_nothing(value))
        return true;
    e->has_error = true;
    smsc_copy_text(value->at, value->len, e->text, sizeof e->text);
    return true;
}

/* "12" at *p: moves behind the digits. -1 when there are none or too many. */
static int read_code(const char **p, const char *end)
{
    int code = 0, count = 0;

    for (; *p < end && **p >= '0' && **p <= '9'; (*p)++) {
        if (++count > CODE_DIGITS_MAX)
            return -1;
        code = code * 10 + (**p - '0');
    }
    return count == 0 ? -1 : code;
}

static bool skip_word(const char **p, const char *end, const char *word)
{
    size_t len = strlen(word);

    if ((size_t)(end - *p) < len || memcmp(*p, word, len) != 0)
        return false;
    *p += len;
    return true;
}

static bool is_id(const char *text, size_t len)
{
    if (len == 0 || len > 40)
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];

        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '-' ||
              c == '_'))
            return false;
    }
    return true;
}

static void take_id(const char *from, const char *to, char out[48])
{
    size_t len = (size_t)(to - from);

    out[0] = '\0';
    if (is_id(from, len)) {
        memcpy(out, from, len);
        out[len] = '\0';
    }
}

/* ERROR = N (description), with ", ID - <id>" for errors 3, 6, 7, 8 [smsc-api 3.5]. */
static bool read_error_text(const char *p, const char *end, struct smsc_front *out)
{
    if (!skip_word(&p, end, "ERROR = "))
        return false;
    int code = read_code(&p, end);
    if (code <= 0 || !skip_word(&p, end, " ("))
        return false;
    const char *close = memrchr(p, ')', (size_t)(end - p));
    if (close == NULL)
        return false;
    const char *rest = close + 1;
    if (rest != end && (!skip_word(&rest, end, ", ID - ") || !is_id(rest, (size_t)(end - rest))))
        return false;
    out->error_code = code;
    smsc_copy_text(p, (size_t)(close - p), out->error_text, sizeof out->error_text);
    take_id(rest, end, out->id);
    return true;
}

/* 0,-N or <id>,-N */
static bool read_error_fields(const char *p, const char *end, struct smsc_front *out)
{
    const char *comma = memchr(p, ',', (size_t)(end - p));

    if (comma == NULL || !is_id(p, (size_t)(comma - p)))
        return false;
    const char *at = comma + 1;
    if (!skip_word(&at, end, "-"))
        return false;
    int code = read_code(&at, end);
    if (code <= 0 || at != end)
        return false;
    out->error_code = code;
    if (comma - p != 1 || *p != '0')
        take_id(p, comma, out->id);
    return true;
}

/* The text between <name> and </name>, or false. Enough for the one fixed shape below. */
static bool find_element(const char *p, const char *end, const char *open, const char *close, const char **from,
                         const char **to)
{
    const char *a = memmem(p, (size_t)(end - p), open, strlen(open));

    if (a == NULL)
        return false;
    a += strlen(open);
    const char *b = memmem(a, (size_t)(end - a), close, strlen(close));
    if (b == NULL)
        return false;
    *from = a;
    *to = b;
    return true;
}

/* <result><error>..</error><error_code>N</error_code></result>, perhaps with an <id> and an XML declaration. */
static bool read_error_xml(const char *p, const char *end, struct smsc_front *out)
{
    static const char closing[] = "</result>";
    const char *from, *to;

    if (*p != '<' || (size_t)(end - p) < sizeof closing || memcmp(end - strlen(closing), closing, strlen(closing)) != 0)
        return false;
    if (!find_element(p, end, "<error_code>", "</error_code>", &from, &to))
        return false;
    int code = read_code(&from, to);
    if (code <= 0 || from != to)
        return false;
    out->error_code = code;
    if (find_element(p, end, "<error>", "</error>", &from, &to))
        smsc_copy_text(from, (size_t)(to - from), out->error_text, sizeof out->error_text);
    if (find_element(p, end, "<id>", "</id>", &from, &to))
        take_id(from, to, out->id);
    return true;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

void smsc_front_read(int http_status, const char *body, size_t len, struct smsc_front *out)
{
    *out = (struct smsc_front){ .shape = SMSC_SHAPE_FOREIGN, .body = body };
    if (http_status != HTTP_OK || body == NULL)
        return;
    if (len >= 3 && memcmp(body, "\xEF\xBB\xBF", 3) == 0) {
        body += 3;
        len -= 3;
    }
    while (len > 0 && is_space(body[0])) {
        body++;
        len--;
    }
    while (len > 0 && is_space(body[len - 1]))
        len--;
    if (len == 0)
        return;
    out->body = body;
    out->len = len;
    const char *end = body + len;
    if (*body == '{' || *body == '[')
        out->shape = SMSC_SHAPE_JSON;
    else if (len == 2 && memcmp(body, "OK", 2) == 0)
        out->shape = SMSC_SHAPE_OK_WORD;
    else if (read_error_text(body, end, out) || read_error_fields(body, end, out) || read_error_xml(body, end, out))
        out->shape = SMSC_SHAPE_ERROR;
}

enum smsc_reply_kind smsc_parse_any(int http_status, const char *body, size_t len, int *out_error, char out_text[96])
{
    struct smsc_error_members error = { 0 };
    struct smsc_front front;
    struct json_value key, value;
    struct json j;

    *out_error = 0;
    out_text[0] = '\0';
    smsc_front_read(http_status, body, len, &front);
    if (front.shape == SMSC_SHAPE_OK_WORD)
        return SMSC_REPLY_OK;
    if (front.shape == SMSC_SHAPE_FOREIGN)
        return SMSC_REPLY_UNCLEAR;
    if (front.shape == SMSC_SHAPE_ERROR) {
        *out_error = front.error_code;
        memcpy(out_text, front.error_text, sizeof front.error_text);
        return SMSC_REPLY_ERROR;
    }
    json_open(&j, front.body, front.len);
    if (!json_read(&j, &value))
        return SMSC_REPLY_UNCLEAR;
    if (value.kind == JSON_OBJECT) {
        struct json_value inner;

        while (json_member(&j, &key, &inner)) {
            smsc_error_member(&error, &key, &inner);
            json_skip(&j, &inner);
        }
    } else {
        json_skip(&j, &value);
    }
    if (!json_end(&j) || (error.has_error && error.code == 0))
        return SMSC_REPLY_UNCLEAR;
    if (!error.has_error)
        return SMSC_REPLY_OK;
    *out_error = error.code;
    memcpy(out_text, error.text, sizeof error.text);
    return SMSC_REPLY_ERROR;
}
