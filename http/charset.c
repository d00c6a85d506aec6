/* SPDX-License-Identifier: MIT */
/*
 * charset.c - iconv with descriptors that stay open, and a strict UTF-8 check.
 *
 * If the system lacks an encoding (a stripped-down libc), its bytes above 0x7F become replacement signs; ASCII, and with
 * it every field but a message's text, still works.
 */
#include "http/charset.h"

#include <errno.h>
#include <iconv.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

enum { CHARSET_COUNT = 3 };
static const char *const names[CHARSET_COUNT] = {
    [WEBHOOK_UTF8] = "utf-8", [WEBHOOK_CP1251] = "windows-1251", [WEBHOOK_KOI8R] = "koi8-r"
};
#define REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */

/* Indexed by charset; NULL not opened yet. They live as long as the process. */
static iconv_t to_utf8[CHARSET_COUNT], from_utf8[CHARSET_COUNT];

const char *charset_name(enum webhook_charset charset)
{
    return names[charset];
}

int charset_by_name(const char *name, enum webhook_charset *out)
{
    for (size_t i = 0; i < CHARSET_COUNT; i++) {
        if (strcasecmp(name, names[i]) == 0) {
            *out = (enum webhook_charset)i;
            return 0;
        }
    }
    return ERR_NOT_FOUND;
}

static iconv_t descriptor(iconv_t *slot, const char *to, const char *from)
{
    if (*slot != NULL)
        return *slot;
    iconv_t cd = iconv_open(to, from);
    if (cd != (iconv_t)-1) /* else tried again next time: it may have been memory */
        *slot = cd;
    return cd;
}

/* Length of the well-formed UTF-8 sequence at s, or 0 [RFC 3629 4]. */
static size_t sequence(const uint8_t *s, size_t left)
{
    if (s[0] < 0x80)
        return 1;
    if (left >= 2 && s[0] >= 0xC2 && s[0] <= 0xDF && (s[1] & 0xC0) == 0x80)
        return 2;
    if (left >= 3 && (s[0] & 0xF0) == 0xE0 && (s[1] & 0xC0) == 0x80 && (s[2] & 0xC0) == 0x80) {
        bool overlong = s[0] == 0xE0 && s[1] < 0xA0, surrogate = s[0] == 0xED && s[1] > 0x9F;

        return overlong || surrogate ? 0 : 3;
    }
    if (left >= 4 && s[0] >= 0xF0 && s[0] <= 0xF4 && (s[1] & 0xC0) == 0x80 && (s[2] & 0xC0) == 0x80 &&
        (s[3] & 0xC0) == 0x80) {
        bool overlong = s[0] == 0xF0 && s[1] < 0x90, above = s[0] == 0xF4 && s[1] > 0x8F;

        return overlong || above ? 0 : 4;
    }
    return 0;
}

bool charset_is_utf8(const char *text, size_t len)
{
    const uint8_t *s = (const uint8_t *)text;
    size_t n;

    for (size_t i = 0; i < len; i += n) {
        n = sequence(s + i, len - i);
        if (n == 0)
            return false;
    }
    return true;
}

bool charset_is_ascii(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if ((uint8_t)text[i] >= 0x80)
            return false;
    }
    return true;
}

/* Copies UTF-8, its bad bytes replaced by `instead`. */
static void copy_utf8(const char *text, size_t len, const char *instead, struct buf *out)
{
    const uint8_t *s = (const uint8_t *)text;
    size_t from = 0, i = 0;

    while (i < len) {
        size_t n = sequence(s + i, len - i);

        if (n > 0) {
            i += n;
            continue;
        }
        buf_add(out, text + from, i - from);
        buf_adds(out, instead);
        from = ++i;
    }
    buf_add(out, text + from, len - from);
}

/* Converts all of it; where iconv stops at something, one input unit is replaced by `instead`. */
static void convert(iconv_t cd, bool input_is_utf8, const char *text, size_t len, const char *instead, struct buf *out)
{
    char *in = (char *)(uintptr_t)text; /* iconv's signature predates const */
    bool usable = cd != (iconv_t)-1;

    if (usable)
        iconv(cd, NULL, NULL, NULL, NULL);
    while (len > 0) {
        char chunk[512], *to = chunk;
        size_t room = sizeof chunk;
        bool stopped = true;

        if (usable) {
            stopped = iconv(cd, &in, &len, &to, &room) == (size_t)-1 && errno != E2BIG;
        } else if ((uint8_t)*in < 0x80) {
            *to++ = *in++;
            len--;
            stopped = false;
        }
        buf_add(out, chunk, (size_t)(to - chunk));
        if (!stopped || len == 0)
            continue;
        size_t unit = input_is_utf8 ? sequence((const uint8_t *)in, len) : 1;
        unit = unit == 0 ? 1 : unit;
        buf_adds(out, instead);
        in += unit;
        len -= unit;
    }
}

void charset_to_utf8(enum webhook_charset from, const char *text, size_t len, struct buf *out)
{
    if (from == WEBHOOK_UTF8)
        copy_utf8(text, len, REPLACEMENT, out);
    else
        convert(descriptor(&to_utf8[from], "utf-8", names[from]), false, text, len, REPLACEMENT, out);
}

void charset_from_utf8(enum webhook_charset to, const char *text, size_t len, struct buf *out)
{
    if (to == WEBHOOK_UTF8)
        copy_utf8(text, len, "?", out);
    else
        convert(descriptor(&from_utf8[to], names[to], "utf-8"), true, text, len, "?", out);
}
