/* SPDX-License-Identifier: MIT */
/*
 * text.c - between the alphabets of SMPP and UTF-8, and the count of characters, units and parts.
 *
 * The characters stand in gsm0338.c; here they are walked. Nothing fails: what cannot be read becomes U+FFFD, what
 * cannot be written becomes '?', and both are counted for whoever logs. Output goes through a small block on the stack,
 * so that a buffer's ceiling is reached by the text itself and never by a guess at its size. Own loops instead of
 * iconv: two to four times faster, no descriptor to keep, and GSM 03.38 is not in glibc anyway.
 */
#include "smpp/text.h"

#include <string.h>

#include "smpp/gsm0338.h"

enum {
    REPLACEMENT = 0xFFFD,
    BLOCK_BYTES = 512,
    CHAR_BYTES_MAX = 4,
    SHORT_SEPTETS = 160, /* one SMS [23.040 9.2.3.24.1] */
    PART_SEPTETS = 153,
    SHORT_UNITS = 70,
    PART_UNITS = 67,
    SHORT_OCTETS = 140,
    PART_OCTETS = 134
};

/* Whole characters wait here until the block is full; buf_add then takes all of them or none. */
struct sink {
    struct buf *out;
    size_t len;
    uint8_t block[BLOCK_BYTES];
};

static inline void sink_flush(struct sink *s)
{
    buf_add(s->out, s->block, s->len);
    s->len = 0;
}

/* Where the next character (of at most CHAR_BYTES_MAX) may be written. */
static inline uint8_t *sink_room(struct sink *s)
{
    if (s->len > BLOCK_BYTES - CHAR_BYTES_MAX)
        sink_flush(s);
    return s->block + s->len;
}

static inline void sink_byte(struct sink *s, uint8_t c)
{
    *sink_room(s) = c;
    s->len++;
}

/* A run that is the same in both alphabets skips the block. */
static inline void sink_run(struct sink *s, const uint8_t *at, size_t len)
{
    if (len <= 8) { /* the space between two words: cheaper than a call */
        for (size_t i = 0; i < len; i++)
            sink_byte(s, at[i]);
        return;
    }
    if (len <= BLOCK_BYTES - s->len) {
        memcpy(s->block + s->len, at, len);
        s->len += len;
        return;
    }
    sink_flush(s);
    buf_add(s->out, at, len);
}

static inline void sink_utf8(struct sink *s, uint32_t c)
{
    uint8_t *to = sink_room(s);

    if (c < 0x80) {
        to[0] = (uint8_t)c;
        s->len += 1;
    } else if (c < 0x800) {
        to[0] = (uint8_t)(0xC0 | c >> 6);
        to[1] = (uint8_t)(0x80 | (c & 0x3F));
        s->len += 2;
    } else if (c < 0x10000) {
        to[0] = (uint8_t)(0xE0 | c >> 12);
        to[1] = (uint8_t)(0x80 | (c >> 6 & 0x3F));
        to[2] = (uint8_t)(0x80 | (c & 0x3F));
        s->len += 3;
    } else {
        to[0] = (uint8_t)(0xF0 | c >> 18);
        to[1] = (uint8_t)(0x80 | (c >> 12 & 0x3F));
        to[2] = (uint8_t)(0x80 | (c >> 6 & 0x3F));
        to[3] = (uint8_t)(0x80 | (c & 0x3F));
        s->len += 4;
    }
}

/* Bytes below 0x80 at the start of the view. Eight at a time: most traffic is nothing else. */
static inline size_t ascii_run(const uint8_t *at, const uint8_t *end)
{
    const uint8_t *p = at;

    while (end - p >= 8) {
        uint64_t eight;

        memcpy(&eight, p, sizeof eight);
        if ((eight & UINT64_C(0x8080808080808080)) != 0)
            break;
        p += 8;
    }
    while (p < end && *p < 0x80)
        p++;
    return (size_t)(p - at);
}

/* The same in both alphabets: as they are. Returns where they end. */
static inline const uint8_t *pass_ascii(struct sink *s, const uint8_t *at, const uint8_t *end)
{
    size_t run = ascii_run(at, end);

    sink_run(s, at, run);
    return at + run;
}

/* Takes one character from a UTF-8 text that is not at its end. Overlong forms, surrogates, code points above U+10FFFF
 * and cut sequences are bad: then one byte is taken and *bad set. */
static inline uint32_t utf8_take(const uint8_t **at, const uint8_t *end, bool *bad)
{
    const uint8_t *p = *at;
    size_t left = (size_t)(end - p);
    uint32_t c;

    *bad = false;
    if (p[0] < 0x80) {
        *at += 1;
        return p[0];
    }
    if (p[0] >= 0xC2 && p[0] < 0xE0 && left >= 2 && (p[1] & 0xC0) == 0x80) {
        *at += 2;
        return (uint32_t)(p[0] & 0x1F) << 6 | (p[1] & 0x3F);
    }
    if (p[0] >= 0xE0 && p[0] < 0xF0 && left >= 3 && (p[1] & 0xC0) == 0x80 && (p[2] & 0xC0) == 0x80) {
        c = (uint32_t)(p[0] & 0x0F) << 12 | (uint32_t)(p[1] & 0x3F) << 6 | (p[2] & 0x3F);
        if (c >= 0x800 && (c < 0xD800 || c > 0xDFFF)) {
            *at += 3;
            return c;
        }
    }
    if (p[0] >= 0xF0 && p[0] < 0xF5 && left >= 4 && (p[1] & 0xC0) == 0x80 && (p[2] & 0xC0) == 0x80 &&
        (p[3] & 0xC0) == 0x80) {
        c = (uint32_t)(p[0] & 0x07) << 18 | (uint32_t)(p[1] & 0x3F) << 12 | (uint32_t)(p[2] & 0x3F) << 6 |
            (p[3] & 0x3F);
        if (c >= 0x10000 && c <= 0x10FFFF) {
            *at += 4;
            return c;
        }
    }
    *at += 1;
    *bad = true;
    return REPLACEMENT;
}

/* ---- to UTF-8 ---- */

static size_t decode_utf8(const uint8_t *at, const uint8_t *end, struct sink *s)
{
    size_t replaced = 0;

    while (at < end) {
        const uint8_t *run = at;
        bool bad = false;

        while (at < end && !bad) {
            if (*at < 0x80)
                at += ascii_run(at, end);
            else
                utf8_take(&at, end, &bad);
        }
        sink_run(s, run, (size_t)(at - run) - bad);
        if (bad) {
            sink_utf8(s, REPLACEMENT);
            replaced++;
        }
    }
    return replaced;
}

static size_t decode_single_byte(const struct single_byte *alphabet, const uint8_t *at, const uint8_t *end,
                                 struct sink *s)
{
    size_t replaced = 0;

    while (at < end) {
        if (*at < 0x80) {
            at = pass_ascii(s, at, end);
            continue;
        }
        uint32_t c = alphabet == NULL ? 0 : alphabet->high[*at & 0x7F];

        at++;
        if (c == 0) {
            c = REPLACEMENT;
            replaced++;
        }
        sink_utf8(s, c);
    }
    return replaced;
}

static size_t decode_ucs2(const uint8_t *at, const uint8_t *end, struct sink *s)
{
    size_t replaced = 0;

    while (end - at >= 2) {
        uint32_t c = (uint32_t)at[0] << 8 | at[1];

        at += 2;
        if (c >= 0xD800 && c <= 0xDFFF) {
            uint32_t low = end - at >= 2 ? (uint32_t)at[0] << 8 | at[1] : 0;

            if (c < 0xDC00 && low >= 0xDC00 && low <= 0xDFFF) {
                c = 0x10000 + ((c - 0xD800) << 10 | (low - 0xDC00));
                at += 2;
            } else { /* half a pair */
                c = REPLACEMENT;
                replaced++;
            }
        }
        sink_utf8(s, c);
    }
    return replaced + (size_t)(end - at); /* the odd octet */
}

static size_t decode_gsm(enum smpp_language locking, enum smpp_language single, const uint8_t *at, const uint8_t *end,
                         struct sink *s)
{
    const uint16_t *table = gsm_locking_table(locking);
    size_t replaced = 0;

    while (at < end) {
        uint8_t c = *at++;

        if (c >= 0x80) { /* no septet */
            sink_utf8(s, REPLACEMENT);
            replaced++;
        } else if (c != GSM_ESCAPE) {
            sink_utf8(s, table[c]);
        } else if (at == end) { /* announces a character that never comes */
            replaced++;
        } else if (*at == GSM_ESCAPE) { /* kept free for further tables: a space until then [23.038 6.2.1.1] */
            sink_byte(s, ' ');
            at++;
        } else if (*at < 0x80) {
            uint16_t shifted = gsm_single_shift(single, *at);

            sink_utf8(s, shifted != 0 ? shifted : table[*at]);
            at++;
        }
    }
    return replaced;
}

size_t smpp_text_gsm_to_utf8(enum smpp_language locking, enum smpp_language single, const uint8_t *in, size_t len,
                             struct buf *out)
{
    struct sink s;

    if (len == 0)
        return 0;
    s.out = out;
    s.len = 0;
    size_t replaced = decode_gsm(locking, single, in, in + len, &s);
    sink_flush(&s);
    return replaced;
}

/* ---- from UTF-8 ---- */

static size_t encode_gsm(const uint8_t *at, const uint8_t *end, struct sink *s)
{
    size_t replaced = 0;

    while (at < end) {
        bool bad = false;
        uint8_t g = *at < 0x80 ? gsm_from_ascii[*at++] : gsm_of(utf8_take(&at, end, &bad));

        if (g < 0x80) {
            sink_byte(s, g);
        } else if (g != GSM_NOWHERE) {
            uint8_t *to = sink_room(s);

            to[0] = GSM_ESCAPE;
            to[1] = g & 0x7F;
            s->len += 2;
        } else {
            sink_byte(s, '?');
            replaced++;
        }
    }
    return replaced;
}

static size_t encode_single_byte(const struct single_byte *alphabet, const uint8_t *at, const uint8_t *end,
                                 struct sink *s)
{
    size_t replaced = 0;

    while (at < end) {
        if (*at < 0x80) {
            at = pass_ascii(s, at, end);
            continue;
        }
        bool bad;
        uint32_t c = utf8_take(&at, end, &bad);
        uint8_t b = alphabet == NULL ? 0 : single_byte_of(alphabet, c);

        if (b == 0) {
            b = '?';
            replaced++;
        }
        sink_byte(s, b);
    }
    return replaced;
}

static size_t encode_ucs2(const uint8_t *at, const uint8_t *end, struct sink *s)
{
    size_t replaced = 0;

    while (at < end) {
        bool bad;
        uint32_t c = utf8_take(&at, end, &bad);
        uint8_t *to = sink_room(s);

        if (bad) {
            c = '?';
            replaced++;
        }
        if (c < 0x10000) {
            to[0] = (uint8_t)(c >> 8);
            to[1] = (uint8_t)c;
            s->len += 2;
        } else {
            uint32_t high = 0xD800 + ((c - 0x10000) >> 10), low = 0xDC00 + (c & 0x3FF);

            to[0] = (uint8_t)(high >> 8);
            to[1] = (uint8_t)high;
            to[2] = (uint8_t)(low >> 8);
            to[3] = (uint8_t)low;
            s->len += 4;
        }
    }
    return replaced;
}

/* ---- one row per alphabet ---- */

enum kind { KIND_BINARY, KIND_GSM, KIND_SINGLE_BYTE, KIND_UTF8, KIND_UCS2 };

static const struct {
    const char *name;
    enum kind kind;
    const struct single_byte *table; /* KIND_SINGLE_BYTE; NULL: nothing above 0x7F */
} alphabets[ALPHABET_COUNT] = {
    [ALPHABET_NONE] = { "binary", KIND_BINARY, NULL },
    [ALPHABET_GSM7] = { "gsm7", KIND_GSM, NULL },
    [ALPHABET_LATIN1] = { "latin1", KIND_SINGLE_BYTE, &single_byte_latin1 },
    [ALPHABET_ASCII] = { "ascii", KIND_SINGLE_BYTE, NULL },
    [ALPHABET_UTF8] = { "utf8", KIND_UTF8, NULL },
    [ALPHABET_CP1251] = { "cp1251", KIND_SINGLE_BYTE, &single_byte_cp1251 },
    [ALPHABET_CYRILLIC] = { "iso-8859-5", KIND_SINGLE_BYTE, &single_byte_cyrillic },
    [ALPHABET_HEBREW] = { "iso-8859-8", KIND_SINGLE_BYTE, &single_byte_hebrew },
    [ALPHABET_UCS2] = { "ucs2", KIND_UCS2, NULL },
};

static bool is_alphabet(enum smpp_alphabet alphabet)
{
    return (unsigned)alphabet < ALPHABET_COUNT;
}

size_t smpp_text_to_utf8(enum smpp_alphabet from, const uint8_t *in, size_t len, struct buf *out)
{
    struct sink s;
    size_t replaced = 0;

    if (len == 0 || !is_alphabet(from))
        return 0;
    s.out = out;
    s.len = 0;
    switch (alphabets[from].kind) {
    case KIND_BINARY:
        break;
    case KIND_GSM:
        replaced = decode_gsm(LANGUAGE_NONE, LANGUAGE_NONE, in, in + len, &s);
        break;
    case KIND_SINGLE_BYTE:
        replaced = decode_single_byte(alphabets[from].table, in, in + len, &s);
        break;
    case KIND_UTF8:
        replaced = decode_utf8(in, in + len, &s);
        break;
    case KIND_UCS2:
        replaced = decode_ucs2(in, in + len, &s);
        break;
    }
    sink_flush(&s);
    return replaced;
}

size_t smpp_text_from_utf8(enum smpp_alphabet to, const char *in, size_t len, struct buf *out)
{
    const uint8_t *at = (const uint8_t *)in;
    struct sink s;
    size_t replaced = 0;

    if (len == 0 || !is_alphabet(to))
        return 0;
    s.out = out;
    s.len = 0;
    switch (alphabets[to].kind) {
    case KIND_BINARY:
        break;
    case KIND_GSM:
        replaced = encode_gsm(at, at + len, &s);
        break;
    case KIND_SINGLE_BYTE:
        replaced = encode_single_byte(alphabets[to].table, at, at + len, &s);
        break;
    case KIND_UTF8: /* the alphabet has a place for U+FFFD: no '?' here */
        replaced = decode_utf8(at, at + len, &s);
        break;
    case KIND_UCS2:
        replaced = encode_ucs2(at, at + len, &s);
        break;
    }
    sink_flush(&s);
    return replaced;
}

/* ---- counting ---- */

bool smpp_text_fits_gsm(const char *in, size_t len)
{
    const uint8_t *at = (const uint8_t *)in, *end = at + len;

    while (at < end) {
        bool bad = false;
        uint8_t g = *at < 0x80 ? gsm_from_ascii[*at++] : gsm_of(utf8_take(&at, end, &bad));

        if (g == GSM_NOWHERE)
            return false;
    }
    return true;
}

bool smpp_text_fits(enum smpp_alphabet alphabet, const char *in, size_t len)
{
    struct buf trial;

    if (alphabet == ALPHABET_GSM7)
        return smpp_text_fits_gsm(in, len);
    buf_init(&trial, len * 2 + 2); /* octets of a text in any alphabet but UTF-8 with bad bytes */
    bool fits = smpp_text_from_utf8(alphabet, in, len, &trial) == 0 && !trial.failed;
    buf_finish(&trial);
    return fits;
}

/* Units of the next character; moves past it. */
static size_t take_units(enum kind kind, const uint8_t **at, const uint8_t *end)
{
    const uint8_t *start = *at;
    bool bad;
    uint32_t c = utf8_take(at, end, &bad);

    switch (kind) {
    case KIND_GSM: {
        uint8_t g = gsm_of(c);
        return g >= GSM_EXTENSION && g != GSM_NOWHERE ? 2 : 1;
    }
    case KIND_UCS2:
        return c > 0xFFFF ? 2 : 1;
    case KIND_UTF8:
        return bad ? 3 : (size_t)(*at - start);
    case KIND_SINGLE_BYTE:
        return 1;
    case KIND_BINARY:
        break;
    }
    *at = start + 1;
    return 1;
}

static enum kind kind_of(enum smpp_alphabet alphabet)
{
    return is_alphabet(alphabet) ? alphabets[alphabet].kind : KIND_BINARY;
}

size_t smpp_text_units(enum smpp_alphabet alphabet, const char *in, size_t len)
{
    const uint8_t *at = (const uint8_t *)in, *end = at + len;
    enum kind kind = kind_of(alphabet);
    size_t units = 0;

    while (at < end)
        units += take_units(kind, &at, end);
    return units;
}

size_t smpp_text_prefix(enum smpp_alphabet alphabet, const char *in, size_t len, size_t units)
{
    const uint8_t *start = (const uint8_t *)in, *at = start, *end = start + len;
    enum kind kind = kind_of(alphabet);

    while (at < end) {
        const uint8_t *next = at;
        size_t n = take_units(kind, &next, end);

        if (n > units)
            break;
        units -= n;
        at = next;
    }
    return (size_t)(at - start);
}

size_t smpp_text_part_units(enum smpp_alphabet alphabet, bool single)
{
    switch (kind_of(alphabet)) {
    case KIND_GSM:
        return single ? SHORT_SEPTETS : PART_SEPTETS;
    case KIND_UCS2:
        return single ? SHORT_UNITS : PART_UNITS;
    default:
        return single ? SHORT_OCTETS : PART_OCTETS;
    }
}

size_t smpp_text_parts(enum smpp_alphabet alphabet, const char *in, size_t len)
{
    size_t parts = 0;

    if (smpp_text_prefix(alphabet, in, len, smpp_text_part_units(alphabet, true)) == len)
        return 1;
    while (len > 0) {
        size_t n = smpp_text_prefix(alphabet, in, len, smpp_text_part_units(alphabet, false));

        in += n;
        len -= n;
        parts++;
    }
    return parts;
}

size_t smpp_utf8_chars(const char *in, size_t len)
{
    const uint8_t *at = (const uint8_t *)in, *end = at + len;
    size_t chars = 0;

    while (at < end) {
        size_t run = ascii_run(at, end);
        bool bad;

        at += run;
        chars += run;
        if (at < end) {
            utf8_take(&at, end, &bad);
            chars++;
        }
    }
    return chars;
}

size_t smpp_utf8_prefix(const char *in, size_t len, size_t chars)
{
    const uint8_t *start = (const uint8_t *)in, *at = start, *end = start + len;
    bool bad;

    for (; at < end && chars > 0; chars--)
        utf8_take(&at, end, &bad);
    return (size_t)(at - start);
}

/* ---- names and data_coding ---- */

enum smpp_alphabet smpp_alphabet_named(const char *name)
{
    for (size_t i = ALPHABET_NONE + 1; name != NULL && i < ALPHABET_COUNT; i++) {
        if (strcmp(alphabets[i].name, name) == 0)
            return (enum smpp_alphabet)i;
    }
    return ALPHABET_NONE;
}

const char *smpp_alphabet_name(enum smpp_alphabet alphabet)
{
    return is_alphabet(alphabet) ? alphabets[alphabet].name : "?";
}

/* Bits 3..2 of the GSM general group. "Default alphabet" is what the account calls so, as with data_coding 0. */
static enum smpp_alphabet general_group(uint8_t data_coding, enum smpp_alphabet zero, bool four_is_text)
{
    switch (data_coding >> 2 & 3) {
    case 1:
        return four_is_text ? ALPHABET_LATIN1 : ALPHABET_NONE;
    case 2:
        return ALPHABET_UCS2;
    default: /* 3 is reserved */
        return zero;
    }
}

struct smpp_coding smpp_coding_of(uint8_t data_coding, enum smpp_alphabet zero, enum smpp_alphabet one,
                                  bool four_is_text)
{
    struct smpp_coding coding = { .alphabet = zero };

    switch (data_coding >> 4) {
    case 0x0: /* SMPP's own values [SMPP34 5.2.19]; 5 JIS, 9, 10, 13, 14 and the reserved read as `zero` */
        switch (data_coding) {
        case 1:
            coding.alphabet = one;
            break;
        case 2:
            coding.alphabet = ALPHABET_NONE;
            break;
        case 3:
            coding.alphabet = ALPHABET_LATIN1;
            break;
        case 4:
            coding.alphabet = four_is_text ? ALPHABET_LATIN1 : ALPHABET_NONE;
            break;
        case 6:
            coding.alphabet = ALPHABET_CYRILLIC;
            break;
        case 7:
            coding.alphabet = ALPHABET_HEBREW;
            break;
        case 8:
            coding.alphabet = ALPHABET_UCS2;
            break;
        default:
            coding.unknown = data_coding != 0;
            break;
        }
        return coding;
    case 0x1: /* general data coding with a class [23.038 4] */
    case 0x5: /* the same, marked for automatic deletion */
        coding.alphabet = general_group(data_coding, zero, four_is_text);
        coding.has_class = true;
        break;
    case 0x4:
        coding.alphabet = general_group(data_coding, zero, four_is_text);
        break;
    case 0xE: /* message waiting, UCS2 */
        coding.alphabet = ALPHABET_UCS2;
        break;
    case 0xF: /* data coding and class: bit 2 is 8-bit data */
        coding.alphabet = (data_coding & 0x04) != 0 ? ALPHABET_NONE : zero;
        coding.has_class = true;
        break;
    case 0xC: /* message waiting, default alphabet */
    case 0xD:
        break;
    default: /* compressed, reserved */
        coding.unknown = true;
        break;
    }
    if (coding.has_class) {
        coding.message_class = data_coding & 0x03;
        coding.flash = coding.message_class == 0;
    }
    return coding;
}
