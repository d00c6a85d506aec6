/* SPDX-License-Identifier: MIT */
/*
 * json.c - reads JSON text as a stream of views [RFC 8259].
 *
 * Strict where it matters (structure, nothing behind the value, no comma too many), lenient where it is harmless:
 * control characters inside strings, leading zeros, a byte order mark. Text that is not UTF-8 passes through; whoever
 * needs characters checks them. Nesting is bounded by JSON_DEPTH_MAX, so json_skip may recurse.
 */
#include "http/json.h"

#include <string.h>

void json_open(struct json *j, const char *text, size_t len)
{
    *j = (struct json){ .at = text, .end = text + len, .first = true };
    if (len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
        j->at += 3;
}

static bool fail(struct json *j)
{
    j->failed = true;
    j->at = j->end;
    return false;
}

static void skip_space(struct json *j)
{
    while (j->at < j->end && (*j->at == ' ' || *j->at == '\n' || *j->at == '\r' || *j->at == '\t'))
        j->at++;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int hex_digit(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static bool read_string(struct json *j, struct json_value *out)
{
    const char *p = ++j->at;

    *out = (struct json_value){ .kind = JSON_STRING, .at = p };
    while (p < j->end && *p != '"') {
        if (*p != '\\') {
            p++;
            continue;
        }
        out->escaped = true;
        if (j->end - p < 2 || memchr("\"\\/bfnrtu", p[1], 9) == NULL)
            return fail(j);
        if (p[1] == 'u') {
            if (j->end - p < 6)
                return fail(j);
            for (int i = 2; i < 6; i++) {
                if (hex_digit(p[i]) < 0)
                    return fail(j);
            }
        }
        p += p[1] == 'u' ? 6 : 2;
    }
    if (p >= j->end)
        return fail(j);
    out->len = (size_t)(p - out->at);
    j->at = p + 1;
    return true;
}

static const char *digits(const char *p, const char *end)
{
    while (p < end && is_digit(*p))
        p++;
    return p;
}

static bool read_number(struct json *j, struct json_value *out)
{
    const char *p = j->at + (*j->at == '-');
    const char *q = digits(p, j->end);

    if (q == p)
        return fail(j);
    if (q < j->end && *q == '.') {
        p = q + 1;
        q = digits(p, j->end);
        if (q == p)
            return fail(j);
    }
    if (q < j->end && (*q == 'e' || *q == 'E')) {
        p = q + 1;
        if (p < j->end && (*p == '+' || *p == '-'))
            p++;
        q = digits(p, j->end);
        if (q == p)
            return fail(j);
    }
    *out = (struct json_value){ .kind = JSON_NUMBER, .at = j->at, .len = (size_t)(q - j->at) };
    j->at = q;
    return true;
}

static bool read_word(struct json *j, const char *word, enum json_kind kind, struct json_value *out)
{
    size_t len = strlen(word);

    if ((size_t)(j->end - j->at) < len || memcmp(j->at, word, len) != 0)
        return fail(j);
    *out = (struct json_value){ .kind = kind, .at = j->at, .len = len };
    j->at += len;
    return true;
}

static bool read_value(struct json *j, struct json_value *out)
{
    *out = (struct json_value){ .kind = JSON_NONE };
    skip_space(j);
    if (j->at >= j->end)
        return fail(j);
    j->first = false;
    switch (*j->at) {
    case '"':
        return read_string(j, out);
    case '{':
    case '[':
        if (j->depth >= JSON_DEPTH_MAX)
            return fail(j);
        *out = (struct json_value){ .kind = *j->at == '{' ? JSON_OBJECT : JSON_ARRAY, .at = j->at + 1 };
        j->at++;
        j->depth++;
        j->first = true;
        return true;
    case 't':
        return read_word(j, "true", JSON_BOOL, out);
    case 'f':
        return read_word(j, "false", JSON_BOOL, out);
    case 'n':
        return read_word(j, "null", JSON_NULL, out);
    default:
        return read_number(j, out);
    }
}

/* True when an element follows; false when `closing` was found and consumed, or on failure. */
static bool at_element(struct json *j, char closing)
{
    skip_space(j);
    if (j->at >= j->end)
        return fail(j);
    if (*j->at == closing) {
        j->at++;
        j->depth--;
        j->first = false;
        return false;
    }
    if (j->first)
        return true;
    if (*j->at != ',')
        return fail(j);
    j->at++;
    return true;
}

bool json_read(struct json *j, struct json_value *out)
{
    return read_value(j, out);
}

bool json_member(struct json *j, struct json_value *out_key, struct json_value *out)
{
    if (!at_element(j, '}'))
        return false;
    skip_space(j);
    if (j->at >= j->end || *j->at != '"' || !read_string(j, out_key))
        return fail(j);
    skip_space(j);
    if (j->at >= j->end || *j->at != ':')
        return fail(j);
    j->at++;
    return read_value(j, out);
}

bool json_item(struct json *j, struct json_value *out)
{
    return at_element(j, ']') && read_value(j, out);
}

void json_skip(struct json *j, const struct json_value *value)
{
    struct json_value key, inner;

    if (value->kind == JSON_OBJECT) {
        while (json_member(j, &key, &inner))
            json_skip(j, &inner);
    } else if (value->kind == JSON_ARRAY) {
        while (json_item(j, &inner))
            json_skip(j, &inner);
    }
}

bool json_end(struct json *j)
{
    skip_space(j);
    return !j->failed && j->at == j->end && j->depth == 0;
}

bool json_is(const struct json_value *value, const char *text)
{
    size_t len = strlen(text);

    return value->len == len && memcmp(value->at, text, len) == 0;
}

static unsigned hex4(const char *p)
{
    unsigned v = 0;

    for (int i = 0; i < 4; i++)
        v = v << 4 | (unsigned)hex_digit(p[i]);
    return v;
}

static size_t put_utf8(char out[4], unsigned c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xC0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xE0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3F));
        out[2] = (char)(0x80 | (c & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3F));
    out[2] = (char)(0x80 | (c >> 6 & 0x3F));
    out[3] = (char)(0x80 | (c & 0x3F));
    return 4;
}

/* One escape at *p (checked by read_string): its UTF-8 into out, *p moves behind it. A lone surrogate is U+FFFD. */
static size_t unescape(const char **p, const char *end, char out[4])
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *at = *p;

    if (at[1] != 'u') {
        out[0] = to[strchr(from, at[1]) - from];
        *p = at + 2;
        return 1;
    }
    unsigned c = hex4(at + 2);
    *p = at + 6;
    if (c >= 0xD800 && c < 0xDC00 && end - *p >= 6 && (*p)[0] == '\\' && (*p)[1] == 'u') {
        unsigned low = hex4(*p + 2);

        if (low >= 0xDC00 && low < 0xE000) {
            *p += 6;
            return put_utf8(out, 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00));
        }
    }
    return put_utf8(out, c >= 0xD800 && c < 0xE000 ? 0xFFFD : c);
}

static bool has_text(const struct json_value *value)
{
    return value->kind == JSON_STRING || value->kind == JSON_NUMBER || value->kind == JSON_BOOL;
}

void json_text(const struct json_value *value, struct buf *out)
{
    if (!has_text(value))
        return;
    if (!value->escaped) {
        buf_add(out, value->at, value->len);
        return;
    }
    const char *p = value->at, *end = value->at + value->len;
    while (p < end) {
        const char *run = memchr(p, '\\', (size_t)(end - p));
        char utf8[4];

        if (run == NULL)
            run = end;
        buf_add(out, p, (size_t)(run - p));
        p = run;
        if (p < end) {
            size_t n = unescape(&p, end, utf8);
            buf_add(out, utf8, n);
        }
    }
}

int json_copy(const struct json_value *value, char *out, size_t size)
{
    const char *p = value->at, *end = value->at + value->len;
    size_t n = 0;

    out[0] = '\0';
    if (!has_text(value))
        return 0;
    while (p < end) {
        char utf8[4] = { *p };
        size_t len = 1;

        if (value->escaped && *p == '\\')
            len = unescape(&p, end, utf8);
        else
            p++;
        if (n + len >= size) {
            out[0] = '\0';
            return ERR_RANGE;
        }
        memcpy(out + n, utf8, len);
        n += len;
    }
    out[n] = '\0';
    return 0;
}

int json_integer(const struct json_value *value, int64_t min, int64_t max, int64_t *out)
{
    const char *p = value->at, *end = value->at + value->len;
    int64_t v = 0;
    bool minus = false;

    if ((value->kind != JSON_NUMBER && value->kind != JSON_STRING) || value->len == 0)
        return ERR_SYNTAX;
    if (*p == '-' || *p == '+') {
        minus = *p == '-';
        p++;
    }
    if (p == end || end - p > 18) /* 18 digits cannot overflow */
        return ERR_SYNTAX;
    for (; p < end; p++) {
        if (!is_digit(*p))
            return ERR_SYNTAX;
        v = v * 10 + (*p - '0');
    }
    if (minus)
        v = -v;
    if (v < min || v > max)
        return ERR_SYNTAX;
    *out = v;
    return 0;
}
