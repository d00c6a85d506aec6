/* SPDX-License-Identifier: MIT */
/* buf.c - growable bytes with a ceiling; the failure is sticky and the content stays what fitted before it. */
#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_BYTES = 256 };

void buf_init(struct buf *b, size_t max_bytes)
{
    *b = (struct buf){ .max = max_bytes };
}

void buf_finish(struct buf *b)
{
    free(b->data);
    *b = (struct buf){ .max = b->max };
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    b->failed = false;
    if (b->data != NULL)
        b->data[0] = '\0';
}

char *buf_reserve(struct buf *b, size_t len)
{
    if (b->failed || len > b->max || b->len > b->max - len) {
        b->failed = true;
        return NULL;
    }
    if (b->size < b->len + len + 1) {
        size_t size = b->size == 0 ? FIRST_BYTES : b->size;

        while (size < b->len + len + 1)
            size *= 2;
        char *data = realloc(b->data, size);
        if (data == NULL) {
            b->failed = true;
            return NULL;
        }
        b->data = data;
        b->size = size;
    }
    return b->data + b->len;
}

void buf_add(struct buf *b, const void *p, size_t len)
{
    char *to = buf_reserve(b, len);

    if (to == NULL)
        return;
    if (len > 0)
        memcpy(to, p, len);
    b->len += len;
    b->data[b->len] = '\0';
}

void buf_addc(struct buf *b, char c)
{
    buf_add(b, &c, 1);
}

void buf_adds(struct buf *b, const char *s)
{
    buf_add(b, s, strlen(s));
}

void buf_addf(struct buf *b, const char *format, ...)
{
    char small[256];
    va_list args;

    va_start(args, format);
    int n = vsnprintf(small, sizeof small, format, args);
    va_end(args);
    if (n < 0) {
        b->failed = true;
        return;
    }
    if ((size_t)n < sizeof small) {
        buf_add(b, small, (size_t)n);
        return;
    }
    char *to = buf_reserve(b, (size_t)n);
    if (to == NULL)
        return;
    va_start(args, format);
    vsnprintf(to, (size_t)n + 1, format, args);
    va_end(args);
    b->len += (size_t)n;
}

void buf_shift(struct buf *b, size_t len)
{
    if (len >= b->len) {
        buf_clear(b);
        return;
    }
    memmove(b->data, b->data + len, b->len - len);
    b->len -= len;
    b->data[b->len] = '\0';
}

void buf_add_u64(struct buf *b, uint64_t v)
{
    char digits[20];
    size_t n = sizeof digits;

    do {
        digits[--n] = (char)('0' + v % 10);
        v /= 10;
    } while (v > 0);
    buf_add(b, digits + n, sizeof digits - n);
}

void buf_add_i64(struct buf *b, int64_t v)
{
    if (v < 0) {
        buf_addc(b, '-');
        buf_add_u64(b, (uint64_t) - (v + 1) + 1);
        return;
    }
    buf_add_u64(b, (uint64_t)v);
}

/* Length of the UTF-8 sequence at s (1..4), or 0 when it is not one. Refuses overlong forms and surrogates. */
static size_t utf8_sequence(const uint8_t *s, size_t left)
{
    static const uint8_t low[5] = { 0, 0, 0x80, 0xA0, 0x90 };
    size_t n = s[0] < 0x80 ? 1 : s[0] < 0xC2 ? 0 : s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : s[0] < 0xF5 ? 4 : 0;

    if (n <= 1 || n > left)
        return n > left ? 0 : n;
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    }
    if ((s[0] == 0xE0 && s[1] < low[3]) || (s[0] == 0xF0 && s[1] < low[4]) || (s[0] == 0xED && s[1] > 0x9F) ||
        (s[0] == 0xF4 && s[1] > 0x8F))
        return 0;
    return n;
}

void buf_add_json(struct buf *b, const char *text, size_t len)
{
    const uint8_t *s = (const uint8_t *)text;

    buf_addc(b, '"');
    for (size_t i = 0; i < len;) {
        size_t run = 0;

        while (i + run < len && s[i + run] >= 0x20 && s[i + run] < 0x7F && s[i + run] != '"' && s[i + run] != '\\')
            run++;
        if (run > 0) {
            buf_add(b, s + i, run);
            i += run;
            continue;
        }
        size_t n = utf8_sequence(s + i, len - i);
        if (n == 0) {
            buf_adds(b, "\\ufffd");
            n = 1;
        } else if (n > 1) {
            buf_add(b, s + i, n);
        } else if (s[i] == '"' || s[i] == '\\') {
            char escaped[2] = { '\\', (char)s[i] };
            buf_add(b, escaped, 2);
        } else if (s[i] == '\n') {
            buf_adds(b, "\\n");
        } else {
            buf_addf(b, "\\u%04x", s[i]);
        }
        i += n;
    }
    buf_addc(b, '"');
}

void buf_add_url(struct buf *b, const void *p, size_t len)
{
    static const char hex[] = "0123456789ABCDEF";
    const uint8_t *s = (const uint8_t *)p;
    char *to = buf_reserve(b, len * 3);

    if (to == NULL)
        return;
    for (size_t i = 0; i < len; i++) {
        uint8_t c = s[i];

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
            c == '.') {
            *to++ = (char)c;
            continue;
        }
        *to++ = '%';
        *to++ = hex[c >> 4];
        *to++ = hex[c & 15];
    }
    b->len = (size_t)(to - b->data);
    b->data[b->len] = '\0';
}

size_t buf_utf8_len(const char *s, size_t len)
{
    return utf8_sequence((const uint8_t *)s, len);
}

const char *buf_text(const struct buf *b)
{
    return b->data == NULL ? "" : b->data;
}
