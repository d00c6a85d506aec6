/* SPDX-License-Identifier: MIT */
/* test_text.c - alphabets against iconv, GSM 03.38 against the specification's rules, counting at its borders. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <iconv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "smpp/gsm0338.h"
#include "smpp/text.h"

enum { ROOM = 1 << 20 };

static uint64_t seed = 20240131;

static uint32_t next_random(uint32_t below)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(seed >> 33) % below;
}

/* One conversion by iconv; false when it refuses the input or takes it only in part. */
static bool judge(const char *to, const char *from, const void *in, size_t len, char *out, size_t size, size_t *out_len)
{
    iconv_t cd = iconv_open(to, from);
    char *in_at = (char *)(uintptr_t)in, *out_at = out;
    size_t left = size;

    assert_true(cd != (iconv_t)-1);
    size_t n = iconv(cd, &in_at, &len, &out_at, &left);
    iconv_close(cd);
    *out_len = size - left;
    return n == 0 && len == 0;
}

static void expect_utf8(enum smpp_alphabet from, const void *in, size_t len, const char *want, size_t replaced)
{
    struct buf out;

    buf_init(&out, ROOM);
    assert_int_equal(replaced, smpp_text_to_utf8(from, in, len, &out));
    assert_string_equal(want, buf_text(&out));
    assert_int_equal(strlen(want), out.len);
    buf_finish(&out);
}

static void expect_bytes(enum smpp_alphabet to, const char *in, const void *want, size_t len, size_t replaced)
{
    struct buf out;

    buf_init(&out, ROOM);
    assert_int_equal(replaced, smpp_text_from_utf8(to, in, strlen(in), &out));
    assert_int_equal(len, out.len);
    assert_memory_equal(want, buf_text(&out), len);
    buf_finish(&out);
}

/* ---- against iconv ---- */

static const struct {
    enum smpp_alphabet alphabet;
    const char *charset;
} single_byte[] = {
    { ALPHABET_LATIN1, "ISO-8859-1" },   { ALPHABET_ASCII, "ASCII" },       { ALPHABET_CP1251, "CP1251" },
    { ALPHABET_CYRILLIC, "ISO-8859-5" }, { ALPHABET_HEBREW, "ISO-8859-8" },
};

static void every_byte_agrees_with_iconv(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(single_byte); i++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            uint8_t in = (uint8_t)byte;
            char want[8];
            size_t want_len;
            struct buf out;

            buf_init(&out, ROOM);
            bool known = judge("UTF-8", single_byte[i].charset, &in, 1, want, sizeof want, &want_len);
            size_t replaced = smpp_text_to_utf8(single_byte[i].alphabet, &in, 1, &out);

            assert_int_equal(known ? 0 : 1, replaced);
            if (known) {
                assert_int_equal(want_len, out.len);
                assert_memory_equal(want, out.data, want_len);
                struct buf back;
                buf_init(&back, ROOM);
                assert_int_equal(0, smpp_text_from_utf8(single_byte[i].alphabet, out.data, out.len, &back));
                assert_int_equal(1, back.len);
                assert_int_equal(byte, (uint8_t)back.data[0]);
                buf_finish(&back);
            } else {
                assert_string_equal("\xEF\xBF\xBD", buf_text(&out));
            }
            buf_finish(&out);
        }
    }
}

/* Every code point of the BMP: what iconv can write we write alike, the rest is one '?'. */
static void every_code_point_agrees_with_iconv(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(single_byte); i++) {
        iconv_t cd = iconv_open(single_byte[i].charset, "UTF-16BE");
        struct buf out, utf8;

        buf_init(&out, ROOM);
        buf_init(&utf8, ROOM);
        for (unsigned c = 0; c < 0x10000; c++) {
            uint8_t in[2] = { (uint8_t)(c >> 8), (uint8_t)c };
            char byte = '?', *in_at = (char *)in, *out_at = &byte;
            size_t in_left = 2, out_left = 1;

            if (c >= 0xD800 && c <= 0xDFFF)
                continue;
            bool known = iconv(cd, &in_at, &in_left, &out_at, &out_left) == 0 && out_left == 0;
            buf_clear(&utf8);
            buf_clear(&out);
            assert_int_equal(0, smpp_text_to_utf8(ALPHABET_UCS2, in, 2, &utf8));
            assert_int_equal(known ? 0 : 1, smpp_text_from_utf8(single_byte[i].alphabet, utf8.data, utf8.len, &out));
            assert_int_equal(1, out.len);
            assert_int_equal(known ? byte : '?', out.data[0]);
        }
        buf_finish(&utf8);
        buf_finish(&out);
        iconv_close(cd);
    }
}

static void all_of_unicode_goes_through_ucs2(void **state)
{
    static uint8_t utf16[4 * 0x110000];
    static char want[4 * 0x110000];
    struct buf utf8, back;
    size_t n = 0, want_len;

    (void)state;
    for (uint32_t c = 0; c < 0x110000; c++) {
        if (c >= 0xD800 && c <= 0xDFFF)
            continue;
        if (c >= 0x10000) {
            utf16[n++] = (uint8_t)((0xD800 + ((c - 0x10000) >> 10)) >> 8);
            utf16[n++] = (uint8_t)(0xD800 + ((c - 0x10000) >> 10));
            utf16[n++] = (uint8_t)((0xDC00 + (c & 0x3FF)) >> 8);
            utf16[n++] = (uint8_t)c;
            continue;
        }
        utf16[n++] = (uint8_t)(c >> 8);
        utf16[n++] = (uint8_t)c;
    }
    assert_true(judge("UTF-8", "UTF-16BE", utf16, n, want, sizeof want, &want_len));
    buf_init(&utf8, 8 * ROOM);
    buf_init(&back, 8 * ROOM);
    assert_int_equal(0, smpp_text_to_utf8(ALPHABET_UCS2, utf16, n, &utf8));
    assert_int_equal(want_len, utf8.len);
    assert_memory_equal(want, utf8.data, want_len);
    assert_int_equal(0, smpp_text_from_utf8(ALPHABET_UCS2, utf8.data, utf8.len, &back));
    assert_int_equal(n, back.len);
    assert_memory_equal(utf16, back.data, n);
    assert_int_equal(0x110000 - 0x800, smpp_utf8_chars(utf8.data, utf8.len));
    assert_int_equal(n / 2, smpp_text_units(ALPHABET_UCS2, utf8.data, utf8.len));

    buf_clear(&back); /* and all of it is valid UTF-8 */
    assert_int_equal(0, smpp_text_to_utf8(ALPHABET_UTF8, (const uint8_t *)utf8.data, utf8.len, &back));
    assert_int_equal(want_len, back.len);
    assert_memory_equal(want, back.data, want_len);
    buf_finish(&utf8);
    buf_finish(&back);
}

/* Random bytes, half of them made to look like UTF-8: we call it clean exactly when iconv does, the repaired text is
 * always valid, and the counts agree with each other. */
static void random_bytes_as_utf8(void **state)
{
    (void)state;
    for (int round = 0; round < 20000; round++) {
        static const char *const pieces[] = { "a",
                                              "\xD0\xBF",
                                              "\xE2\x82\xAC",
                                              "\xF0\x9F\x98\x80",
                                              "\xC0\x80",
                                              "\xED\xA0\x80",
                                              "\xF4\x90\x80\x80",
                                              "\xE2\x82",
                                              "\xF0\x9F\x98",
                                              "\x80",
                                              "\xFF",
                                              "abcdefghijklmnop" };
        uint8_t in[128];
        size_t len = 0, end = next_random(100);
        char want[512];
        size_t want_len, again_len;
        struct buf out;

        while (len < end) {
            if (next_random(4) == 0) {
                in[len++] = (uint8_t)next_random(256);
                continue;
            }
            const char *piece = pieces[next_random(next_random(2) == 0 ? 4 : ARRAY_LEN(pieces))];
            memcpy(in + len, piece, strlen(piece));
            len += strlen(piece);
        }
        buf_init(&out, ROOM);
        bool clean = judge("UTF-32BE", "UTF-8", in, len, want, sizeof want, &want_len);
        size_t replaced = smpp_text_to_utf8(ALPHABET_UTF8, in, len, &out);

        assert_int_equal(clean, replaced == 0);
        if (clean) {
            assert_int_equal(len, out.len);
            assert_memory_equal(in, buf_text(&out), len);
            assert_int_equal(want_len / 4, smpp_utf8_chars((const char *)in, len));
        }
        assert_true(judge("UTF-32BE", "UTF-8", buf_text(&out), out.len, want, sizeof want, &again_len));
        assert_int_equal(again_len / 4, smpp_utf8_chars((const char *)in, len));
        buf_finish(&out);
    }
}

/* ---- bad input ---- */

static void truncated_utf8(void **state)
{
    (void)state;
    expect_utf8(ALPHABET_UTF8, "ab\xE2\x82", 4, "ab\xEF\xBF\xBD\xEF\xBF\xBD", 2);
    expect_utf8(ALPHABET_UTF8, "\xF0\x9F\x98", 3, "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD", 3);
    expect_utf8(ALPHABET_UTF8, "\xC3", 1, "\xEF\xBF\xBD", 1);
    expect_utf8(ALPHABET_UTF8, "\xC3z", 2, "\xEF\xBF\xBDz", 1);
    expect_utf8(ALPHABET_UTF8, "", 0, "", 0);
    expect_bytes(ALPHABET_GSM7, "a\xE2\x82", "a??", 3, 2);
    expect_bytes(ALPHABET_LATIN1, "a\xE2\x82", "a??", 3, 2);
    expect_bytes(ALPHABET_UCS2, "a\xE2", "\0a\0?", 4, 1);
    assert_int_equal(3, smpp_utf8_chars("a\xE2\x82", 3));
}

static void odd_and_broken_ucs2(void **state)
{
    (void)state;
    expect_utf8(ALPHABET_UCS2, "\x04\x1F\x04", 3, "\xD0\x9F", 1);
    expect_utf8(ALPHABET_UCS2, "\x04", 1, "", 1);
    expect_utf8(ALPHABET_UCS2, "\xD8\x3D\xDE\x00", 4, "\xF0\x9F\x98\x80", 0);
    expect_utf8(ALPHABET_UCS2, "\xD8\x3D", 2, "\xEF\xBF\xBD", 1);                     /* cut pair */
    expect_utf8(ALPHABET_UCS2, "\xD8\x3D\xDE", 3, "\xEF\xBF\xBD", 2);                 /* cut inside the pair */
    expect_utf8(ALPHABET_UCS2, "\xDE\x00\xD8\x3D", 4, "\xEF\xBF\xBD\xEF\xBF\xBD", 2); /* wrong way round */
    expect_utf8(ALPHABET_UCS2, "\xD8\x3D\0a", 4,
                "\xEF\xBF\xBD"
                "a",
                1);
    expect_utf8(ALPHABET_NONE, "abc", 3, "", 0);
    expect_bytes(ALPHABET_NONE, "abc", "", 0, 0);
}

static void a_full_buffer_keeps_whole_characters(void **state)
{
    uint8_t in[2000];

    (void)state;
    for (size_t i = 0; i < sizeof in; i += 2) {
        in[i] = 0x20;
        in[i + 1] = 0xAC; /* the euro, three bytes */
    }
    for (size_t max = 0; max < 3100; max += 7) {
        struct buf out;

        buf_init(&out, max);
        smpp_text_to_utf8(ALPHABET_UCS2, in, sizeof in, &out);
        assert_int_equal(max < 3000, out.failed);
        assert_true(out.len <= max && out.len % 3 == 0);
        buf_finish(&out);
    }
}

/* ---- GSM 03.38 ---- */

static void gsm_and_back(void **state)
{
    (void)state;
    for (uint8_t c = 0; c < 128; c++) {
        struct buf utf8, back;

        buf_init(&utf8, ROOM);
        buf_init(&back, ROOM);
        if (c != GSM_ESCAPE) {
            assert_int_equal(0, smpp_text_to_utf8(ALPHABET_GSM7, &c, 1, &utf8));
            assert_int_equal(1, smpp_utf8_chars(utf8.data, utf8.len));
            assert_true(smpp_text_fits_gsm(utf8.data, utf8.len));
            assert_int_equal(1, smpp_text_units(ALPHABET_GSM7, utf8.data, utf8.len));
            assert_int_equal(0, smpp_text_from_utf8(ALPHABET_GSM7, utf8.data, utf8.len, &back));
            assert_int_equal(1, back.len);
            assert_int_equal(c, back.data[0]);
        }
        buf_clear(&utf8);
        buf_clear(&back);
        uint8_t pair[2] = { GSM_ESCAPE, c };
        if (gsm_single_shift(LANGUAGE_NONE, c) != 0) {
            assert_int_equal(0, smpp_text_to_utf8(ALPHABET_GSM7, pair, 2, &utf8));
            assert_true(smpp_text_fits_gsm(utf8.data, utf8.len));
            assert_int_equal(2, smpp_text_units(ALPHABET_GSM7, utf8.data, utf8.len));
            assert_int_equal(0, smpp_text_from_utf8(ALPHABET_GSM7, utf8.data, utf8.len, &back));
            assert_int_equal(2, back.len);
            assert_memory_equal(pair, back.data, 2);
        }
        buf_finish(&utf8);
        buf_finish(&back);
    }
}

static void gsm_known_texts(void **state)
{
    (void)state;
    expect_utf8(ALPHABET_GSM7, "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0A\x0B\x0C\x0D\x0E\x0F", 16,
                "@£$¥èéùìòÇ\nØø\rÅå", 0);
    expect_utf8(ALPHABET_GSM7, "\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1A\x1C\x1D\x1E\x1F", 15, "Δ_ΦΓΛΩΠΨΣΘΞÆæßÉ",
                0);
    expect_utf8(ALPHABET_GSM7, "\x24\x40\x5B\x5C\x5D\x5E\x5F\x60\x7B\x7C\x7D\x7E\x7F", 13, "¤¡ÄÖÑÜ§¿äöñüà", 0);
    expect_utf8(ALPHABET_GSM7, "\x1B\x0A\x1B\x14\x1B\x28\x1B\x29\x1B\x2F\x1B\x3C\x1B\x3D\x1B\x3E\x1B\x40\x1B\x65", 20,
                "\f^{}\\[~]|€", 0);
    expect_utf8(ALPHABET_GSM7, "a\x1B", 2, "a", 1);         /* nothing follows */
    expect_utf8(ALPHABET_GSM7, "\x1B\x41", 2, "A", 0);      /* not in the extension: the main table's */
    expect_utf8(ALPHABET_GSM7, "\x1B\x1B\x41", 3, " A", 0); /* reserved */
    expect_utf8(ALPHABET_GSM7, "a\xE9z", 3, "a\xEF\xBF\xBDz", 1);
    expect_utf8(ALPHABET_GSM7, "\x1B\xE9", 2, "\xEF\xBF\xBD", 1);
    expect_bytes(ALPHABET_GSM7, "Привет", "??????", 6, 6);
    expect_bytes(ALPHABET_GSM7, "a`b😀ç", "a?b??", 5, 3);
    assert_true(smpp_text_fits_gsm("Straße €5 [ok] {1} @\f", strlen("Straße €5 [ok] {1} @\f")));
    assert_false(smpp_text_fits_gsm("`", 1));
    assert_false(smpp_text_fits_gsm("ç", strlen("ç")));
    assert_false(smpp_text_fits_gsm("\t", 1));
    assert_false(smpp_text_fits_gsm("\x1B", 1));
    assert_false(smpp_text_fits_gsm("\xFF", 1));
    assert_true(smpp_text_fits_gsm("", 0));
}

/* What is written twice, for speed; and that no other code point is let in. */
static void the_short_cuts_are_the_table(void **state)
{
    const uint16_t *table = gsm_locking_table(LANGUAGE_NONE);

    (void)state;
    for (unsigned c = 0; c < 0x30000; c++) {
        uint8_t want = GSM_NOWHERE;

        for (uint8_t i = 0; i < 128; i++) {
            if (gsm_single_shift(LANGUAGE_NONE, i) == c && c != 0)
                want = GSM_EXTENSION | i;
        }
        for (uint8_t i = 0; i < 128; i++) {
            if (table[i] == c && i != GSM_ESCAPE)
                want = i;
        }
        assert_int_equal(want, gsm_of(c));
        if (c < 128)
            assert_int_equal(want, gsm_from_ascii[c]);
    }
}

static void national_tables(void **state)
{
    static const struct {
        enum smpp_language locking, single;
        const char *in;
        size_t len;
        const char *want;
    } rows[] = {
        { LANGUAGE_TURKISH, LANGUAGE_NONE, "\x04\x07\x0B\x0C\x1C\x1D\x40\x60", 8, "€ıĞğŞşİç" },
        { LANGUAGE_NONE, LANGUAGE_TURKISH,
          "\x1BG\x1BI\x1BS\x1B"
          "c\x1Bg\x1Bi\x1Bs\x1B"
          "e\x1B<",
          18, "ĞİŞçğış€[" },
        { LANGUAGE_NONE, LANGUAGE_SPANISH,
          "\x1B\x09\x1B"
          "A\x1BI\x1BO\x1BU\x1B"
          "a\x1Bi\x1Bo\x1Bu\x1B"
          "e",
          20, "çÁÍÓÚáíóú€" },
        { LANGUAGE_SPANISH, LANGUAGE_NONE, "\x04", 1, "è" }, /* A.3.2 is void */
        { LANGUAGE_PORTUGUESE, LANGUAGE_NONE,
          "\x04\x06\x07\x08\x09\x0B\x0C\x0E\x0F\x12\x13\x14\x15\x16\x17\x18\x19\x1A\x1C\x1D\x1E\x1F$@[\\]`{|}", 31,
          "êúíóçÔôÁáªÇÀ∞^\\€Ó|ÂâÊÉºÍÃÕÚ~ãõ`" },
        { LANGUAGE_NONE, LANGUAGE_PORTUGUESE,
          "\x1B\x05\x1B\x0B\x1B\x0C\x1B\x0E\x1B\x0F\x1B\x12\x1B\x13\x1B\x15\x1B\x16\x1B\x17\x1B\x18\x1B\x19\x1B\x1F"
          "\x1B"
          "A\x1B"
          "a\x1B[\x1B\\\x1B{\x1B|\x1B\x7F",
          40, "êÔôÁáΦΓΩΠΨΣΘÊÀÂÃÕãõâ" },
        { (enum smpp_language)9, (enum smpp_language)200, "\x04\x1B\x65", 3, "è€" }, /* not known: the default tables */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf out;

        buf_init(&out, ROOM);
        assert_int_equal(
            0, smpp_text_gsm_to_utf8(rows[i].locking, rows[i].single, (const uint8_t *)rows[i].in, rows[i].len, &out));
        assert_string_equal(rows[i].want, buf_text(&out));
        buf_finish(&out);
    }
}

/* ---- counting ---- */

static char *repeat(const char *piece, size_t times, const char *tail)
{
    struct buf b;

    buf_init(&b, ROOM);
    for (size_t i = 0; i < times; i++)
        buf_adds(&b, piece);
    buf_adds(&b, tail);
    return b.data;
}

static void parts_at_the_borders(void **state)
{
    static const struct {
        enum smpp_alphabet alphabet;
        const char *piece;
        size_t times;
        const char *tail;
        size_t parts;
    } rows[] = {
        { ALPHABET_GSM7, "", 0, "", 1 },      { ALPHABET_GSM7, "x", 160, "", 1 },
        { ALPHABET_GSM7, "x", 161, "", 2 },   { ALPHABET_GSM7, "x", 306, "", 2 },
        { ALPHABET_GSM7, "x", 307, "", 3 },   { ALPHABET_GSM7, "€", 80, "", 1 },
        { ALPHABET_GSM7, "€", 80, "x", 2 },   { ALPHABET_GSM7, "x", 159, "€", 2 },
        { ALPHABET_GSM7, "€", 152, "", 2 }, /* 76 pairs to a part: one septet stays empty */
        { ALPHABET_GSM7, "€", 153, "", 3 }, /* 306 septets would fit two, were the pairs cut */
        { ALPHABET_GSM7, "ж", 160, "", 1 }, /* replaced: one '?' each */
        { ALPHABET_UCS2, "ж", 70, "", 1 },    { ALPHABET_UCS2, "ж", 71, "", 2 },
        { ALPHABET_UCS2, "ж", 134, "", 2 },   { ALPHABET_UCS2, "ж", 135, "", 3 },
        { ALPHABET_UCS2, "😀", 35, "", 1 },    { ALPHABET_UCS2, "😀", 35, "x", 2 },
        { ALPHABET_UCS2, "😀", 66, "", 2 }, /* 33 pairs to a part */
        { ALPHABET_UCS2, "😀", 67, "", 3 },    { ALPHABET_LATIN1, "é", 140, "", 1 },
        { ALPHABET_LATIN1, "é", 141, "", 2 }, { ALPHABET_UTF8, "é", 70, "", 1 },
        { ALPHABET_UTF8, "é", 71, "", 2 },    { ALPHABET_NONE, "x", 268, "", 2 },
        { ALPHABET_NONE, "x", 269, "", 3 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char *text = repeat(rows[i].piece, rows[i].times, rows[i].tail);
        size_t parts = smpp_text_parts(rows[i].alphabet, text, strlen(text));

        if (parts != rows[i].parts)
            fail_msg("row %zu gave %zu, want %zu", i, parts, rows[i].parts);
        free(text);
    }
}

static void a_pair_on_the_border_moves_on(void **state)
{
    char *text = repeat("x", 152, "€xxxxxxxxxxxx"); /* 166 septets, the pair on 153 and 154 */

    (void)state;
    assert_int_equal(166, smpp_text_units(ALPHABET_GSM7, text, strlen(text)));
    assert_int_equal(152, smpp_text_prefix(ALPHABET_GSM7, text, strlen(text), 153));
    assert_int_equal(155, smpp_text_prefix(ALPHABET_GSM7, text, strlen(text), 154));
    free(text);
    text = repeat("x", 66, "😀xxxx");
    assert_int_equal(72, smpp_text_units(ALPHABET_UCS2, text, strlen(text)));
    assert_int_equal(66, smpp_text_prefix(ALPHABET_UCS2, text, strlen(text), 67));
    assert_int_equal(70, smpp_text_prefix(ALPHABET_UCS2, text, strlen(text), 68));
    free(text);
}

static void characters_and_prefixes(void **state)
{
    const char *s = "aж€😀\xFFz";

    (void)state;
    assert_int_equal(6, smpp_utf8_chars(s, strlen(s)));
    const size_t want[] = { 0, 1, 3, 6, 10, 11, 12, 12 };
    for (size_t i = 0; i < ARRAY_LEN(want); i++)
        assert_int_equal(want[i], smpp_utf8_prefix(s, strlen(s), i));
    assert_int_equal(0, smpp_utf8_chars("", 0));
}

/* ---- names and data_coding ---- */

static void names(void **state)
{
    (void)state;
    for (int i = ALPHABET_NONE + 1; i < ALPHABET_COUNT; i++)
        assert_int_equal(i, smpp_alphabet_named(smpp_alphabet_name((enum smpp_alphabet)i)));
    assert_int_equal(ALPHABET_GSM7, smpp_alphabet_named("gsm7"));
    assert_int_equal(ALPHABET_LATIN1, smpp_alphabet_named("latin1"));
    assert_int_equal(ALPHABET_ASCII, smpp_alphabet_named("ascii"));
    assert_int_equal(ALPHABET_UTF8, smpp_alphabet_named("utf8"));
    assert_int_equal(ALPHABET_CP1251, smpp_alphabet_named("cp1251"));
    assert_int_equal(ALPHABET_NONE, smpp_alphabet_named("GSM7"));
    assert_int_equal(ALPHABET_NONE, smpp_alphabet_named("binary"));
    assert_int_equal(ALPHABET_NONE, smpp_alphabet_named(""));
    assert_int_equal(ALPHABET_NONE, smpp_alphabet_named(NULL));
    assert_string_equal("ucs2", smpp_alphabet_name(ALPHABET_UCS2));
    assert_string_equal("binary", smpp_alphabet_name(ALPHABET_NONE));
}

static void data_codings(void **state)
{
    const enum smpp_alphabet zero = ALPHABET_CP1251, one = ALPHABET_ASCII;
    const struct {
        uint8_t from, to;
        bool four_is_text;
        enum smpp_alphabet want;
        bool has_class;
    } rows[] = {
        { 0x00, 0x00, false, zero, false },
        { 0x01, 0x01, false, one, false },
        { 0x02, 0x02, true, ALPHABET_NONE, false },
        { 0x03, 0x03, false, ALPHABET_LATIN1, false },
        { 0x04, 0x04, false, ALPHABET_NONE, false },
        { 0x04, 0x04, true, ALPHABET_LATIN1, false },
        { 0x05, 0x05, false, zero, false },
        { 0x06, 0x06, false, ALPHABET_CYRILLIC, false },
        { 0x07, 0x07, false, ALPHABET_HEBREW, false },
        { 0x08, 0x08, false, ALPHABET_UCS2, false },
        { 0x09, 0x0F, true, zero, false },
        { 0x10, 0x13, false, zero, true },
        { 0x14, 0x17, false, ALPHABET_NONE, true },
        { 0x14, 0x17, true, ALPHABET_LATIN1, true },
        { 0x18, 0x1B, false, ALPHABET_UCS2, true },
        { 0x1C, 0x1F, false, zero, true },
        { 0x20, 0x3F, false, zero, false },
        { 0x48, 0x4B, false, ALPHABET_UCS2, false },
        { 0x58, 0x5B, false, ALPHABET_UCS2, true },
        { 0x60, 0xDF, false, zero, false },
        { 0xE0, 0xEF, false, ALPHABET_UCS2, false },
        { 0xF0, 0xF3, false, zero, true },
        { 0xF4, 0xF7, true, ALPHABET_NONE, true },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (unsigned dc = rows[i].from; dc <= rows[i].to; dc++) {
            struct smpp_coding c = smpp_coding_of((uint8_t)dc, zero, one, rows[i].four_is_text);

            if (c.alphabet != rows[i].want || c.has_class != rows[i].has_class)
                fail_msg("data_coding 0x%02x", dc);
            assert_int_equal(c.has_class ? dc & 3 : 0, c.message_class);
            assert_int_equal(c.has_class && (dc & 3) == 0, c.flash);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_agrees_with_iconv),
        cmocka_unit_test(every_code_point_agrees_with_iconv),
        cmocka_unit_test(all_of_unicode_goes_through_ucs2),
        cmocka_unit_test(random_bytes_as_utf8),
        cmocka_unit_test(truncated_utf8),
        cmocka_unit_test(odd_and_broken_ucs2),
        cmocka_unit_test(a_full_buffer_keeps_whole_characters),
        cmocka_unit_test(gsm_and_back),
        cmocka_unit_test(gsm_known_texts),
        cmocka_unit_test(the_short_cuts_are_the_table),
        cmocka_unit_test(national_tables),
        cmocka_unit_test(parts_at_the_borders),
        cmocka_unit_test(a_pair_on_the_border_moves_on),
        cmocka_unit_test(characters_and_prefixes),
        cmocka_unit_test(names),
        cmocka_unit_test(data_codings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
