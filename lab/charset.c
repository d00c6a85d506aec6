/* SPDX-License-Identifier: MIT */
/*
 * charset.c - the three encodings of the aggregator's requests and replies, and its two transliterations.
 *
 * windows-1251 is in the SMPP room's table of alphabets; only koi8-r needs one here. A byte or character without a place
 * becomes U+FFFD or '?'.
 */
#include "lab/core.h"

#include <strings.h>
#include <string.h>

#include "smpp/smpp.h"

static const uint16_t koi8r[128] = {
    0x2500, 0x2502, 0x250C, 0x2510, 0x2514, 0x2518, 0x251C, 0x2524, 0x252C, 0x2534, 0x253C, 0x2580, 0x2584,
    0x2588, 0x258C, 0x2590, 0x2591, 0x2592, 0x2593, 0x2320, 0x25A0, 0x2219, 0x221A, 0x2248, 0x2264, 0x2265,
    0x00A0, 0x2321, 0x00B0, 0x00B2, 0x00B7, 0x00F7, 0x2550, 0x2551, 0x2552, 0x0451, 0x2553, 0x2554, 0x2555,
    0x2556, 0x2557, 0x2558, 0x2559, 0x255A, 0x255B, 0x255C, 0x255D, 0x255E, 0x255F, 0x2560, 0x2561, 0x0401,
    0x2562, 0x2563, 0x2564, 0x2565, 0x2566, 0x2567, 0x2568, 0x2569, 0x256A, 0x256B, 0x256C, 0x00A9, 0x044E,
    0x0430, 0x0431, 0x0446, 0x0434, 0x0435, 0x0444, 0x0433, 0x0445, 0x0438, 0x0439, 0x043A, 0x043B, 0x043C,
    0x043D, 0x043E, 0x043F, 0x044F, 0x0440, 0x0441, 0x0442, 0x0443, 0x0436, 0x0432, 0x044C, 0x044B, 0x0437,
    0x0448, 0x044D, 0x0449, 0x0447, 0x044A, 0x042E, 0x0410, 0x0411, 0x0426, 0x0414, 0x0415, 0x0424, 0x0413,
    0x0425, 0x0418, 0x0419, 0x041A, 0x041B, 0x041C, 0x041D, 0x041E, 0x041F, 0x042F, 0x0420, 0x0421, 0x0422,
    0x0423, 0x0416, 0x0412, 0x042C, 0x042B, 0x0417, 0x0428, 0x042D, 0x0429, 0x0427, 0x042A,
};

enum lab_charset lab_charset_named(const char *name)
{
    static const char *const names[LAB_CHARSET_COUNT] = { "windows-1251", "utf-8", "koi8-r" };

    for (int i = 0; i < LAB_CHARSET_COUNT; i++) {
        if (strcasecmp(name, names[i]) == 0)
            return (enum lab_charset)i;
    }
    return strcasecmp(name, "utf8") == 0 ? LAB_UTF8 : strcasecmp(name, "cp1251") == 0 ? LAB_CP1251 : LAB_CHARSET_COUNT;
}

static void add_utf8(struct buf *out, uint32_t c)
{
    if (c < 0x80) {
        buf_addc(out, (char)c);
    } else if (c < 0x800) {
        buf_addc(out, (char)(0xC0 | c >> 6));
        buf_addc(out, (char)(0x80 | (c & 0x3F)));
    } else { /* the table stays within the first plane */
        buf_addc(out, (char)(0xE0 | c >> 12));
        buf_addc(out, (char)(0x80 | (c >> 6 & 0x3F)));
        buf_addc(out, (char)(0x80 | (c & 0x3F)));
    }
}

/* One character of UTF-8; bad bytes give U+FFFD one by one. */
static uint32_t next_utf8(const unsigned char *in, size_t len, size_t *at)
{
    unsigned char c = in[(*at)++];
    unsigned more = c >= 0xF0 && c < 0xF5 ? 3 : c >= 0xE0 && c < 0xF0 ? 2 : c >= 0xC2 && c < 0xE0 ? 1 : 0;
    uint32_t v = c;

    if (c < 0x80)
        return c;
    if (more == 0 || len - *at < more)
        return 0xFFFD;
    v = c & (0x3Fu >> more);
    for (unsigned i = 0; i < more; i++) {
        if ((in[*at + i] & 0xC0) != 0x80)
            return 0xFFFD;
        v = v << 6 | (in[*at + i] & 0x3Fu);
    }
    *at += more;
    return v;
}

static void clean_utf8(const char *in, size_t len, struct buf *out)
{
    for (size_t at = 0; at < len;) {
        size_t start = at;

        if (next_utf8((const unsigned char *)in, len, &at) == 0xFFFD)
            buf_adds(out, "\xEF\xBF\xBD");
        else
            buf_add(out, in + start, at - start);
    }
}

void lab_to_utf8(enum lab_charset from, const char *in, size_t len, struct buf *out)
{
    switch (from) {
    case LAB_KOI8R:
        for (size_t i = 0; i < len; i++) {
            unsigned char c = (unsigned char)in[i];

            add_utf8(out, c < 0x80 ? c : koi8r[c - 0x80]);
        }
        break;
    case LAB_UTF8:
        clean_utf8(in, len, out);
        break;
    default:
        (void)smpp_text_to_utf8(ALPHABET_CP1251, (const uint8_t *)in, len, out);
        break;
    }
}

void lab_from_utf8(enum lab_charset to, const char *in, size_t len, struct buf *out)
{
    if (to == LAB_UTF8) {
        buf_add(out, in, len);
        return;
    }
    if (to != LAB_KOI8R) {
        (void)smpp_text_from_utf8(ALPHABET_CP1251, in, len, out);
        return;
    }
    for (size_t at = 0; at < len;) {
        uint32_t c = next_utf8((const unsigned char *)in, len, &at);
        char byte = c < 0x80 ? (char)c : '?';

        for (unsigned i = 0; c >= 0x80 && i < 128; i++) {
            if (koi8r[i] == c)
                byte = (char)(0x80 + i);
        }
        buf_addc(out, byte);
    }
}

void lab_translit(int table, const char *in, size_t len, struct buf *out)
{
    /* а..я, each in two ways; ё follows е, hard and soft sign are an apostrophe */
    static const char *const latin[2][32] = {
        { "a", "b", "v", "g", "d", "e", "zh", "z",  "i",  "j",   "k", "l", "m", "n", "o",  "p",
          "r", "s", "t", "u", "f", "h", "c",  "ch", "sh", "sch", "'", "y", "'", "e", "ju", "ja" },
        { "a", "6", "B", "r", "g",  "e", ">|<", "3", "u", "u*", "k", "JI", "M", "H", "o",  "n",
          "p", "c", "m", "y", "qp", "x", "u,",  "4", "W", "W,", "b", "bI", "b", "3", "IO", "9I" },
    };

    for (size_t at = 0; at < len;) {
        size_t start = at;
        uint32_t c = next_utf8((const unsigned char *)in, len, &at);
        bool upper = (c >= 0x410 && c <= 0x42F) || c == 0x401;

        if (c == 0x401 || c == 0x451)
            c = 0x435;
        if (upper && c != 0x435)
            c += 0x20;
        if (c < 0x430 || c > 0x44F) {
            buf_add(out, in + start, at - start);
            continue;
        }

        const char *s = latin[table == 2][c - 0x430];

        if (upper && table != 2 && s[0] >= 'a' && s[0] <= 'z')
            buf_addc(out, (char)(*s++ - 'a' + 'A'));
        buf_adds(out, s);
    }
}
