/* SPDX-License-Identifier: MIT */
/* bench_text.c - nanoseconds per text of 160 characters, per alphabet and direction, beside iconv in the same run. */
#include <iconv.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "smpp/text.h"

enum { CHARS = 160, ROUNDS = 50000 };

static const struct {
    const char *name;
    enum smpp_alphabet alphabet;
    const char *charset; /* as iconv calls it; NULL: it does not know it */
    const char *piece;   /* repeated to 160 characters */
} rows[] = {
    { "gsm7, ASCII text", ALPHABET_GSM7, NULL, "The quick brown fox " },
    { "gsm7, every 20th is [", ALPHABET_GSM7, NULL, "The quick brown fox[" },
    { "gsm7, German", ALPHABET_GSM7, NULL, "Grüße aus Österreich" },
    { "latin1, ASCII text", ALPHABET_LATIN1, "ISO-8859-1", "The quick brown fox " },
    { "latin1, French", ALPHABET_LATIN1, "ISO-8859-1", "à bientôt mon frère " },
    { "utf8, ASCII text", ALPHABET_UTF8, "UTF-8", "The quick brown fox " },
    { "utf8, Russian", ALPHABET_UTF8, "UTF-8", "Съешь ещё этих булок" },
    { "cp1251, Russian", ALPHABET_CP1251, "CP1251", "Съешь ещё этих булок" },
    { "iso-8859-5, Russian", ALPHABET_CYRILLIC, "ISO-8859-5", "Съешь ещё этих булок" },
    { "iso-8859-8, Hebrew", ALPHABET_HEBREW, "ISO-8859-8", "דג סקרן שט בים מאוכז" },
    { "ucs2, ASCII text", ALPHABET_UCS2, "UTF-16BE", "The quick brown fox " },
    { "ucs2, Russian", ALPHABET_UCS2, "UTF-16BE", "Съешь ещё этих булок" },
    { "ucs2, emoji", ALPHABET_UCS2, "UTF-16BE", "😀😁😂😃😄😅😆😇😈😉" },
};

static double now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double bench_iconv(const char *to, const char *from, const char *in, size_t len)
{
    iconv_t cd = iconv_open(to, from);
    char out[4096];

    if (cd == (iconv_t)-1)
        return -1;
    double start = now_ns();
    for (int i = 0; i < ROUNDS; i++) {
        char *in_at = (char *)(uintptr_t)in, *out_at = out;
        size_t in_left = len, out_left = sizeof out;

        iconv(cd, NULL, NULL, NULL, NULL);
        if (iconv(cd, &in_at, &in_left, &out_at, &out_left) == (size_t)-1) {
            iconv_close(cd);
            return -1;
        }
        __asm__ volatile("" ::: "memory");
    }
    double ns = (now_ns() - start) / ROUNDS;
    iconv_close(cd);
    return ns;
}

static void print_ns(double ns)
{
    if (ns < 0)
        printf("  %8s", "-");
    else
        printf("  %8.0f", ns);
}

int main(void)
{
    struct buf utf8, bytes, out;

    buf_init(&utf8, 1 << 16);
    buf_init(&bytes, 1 << 16);
    buf_init(&out, 1 << 16);
    printf("%-24s  %8s  %8s  %8s  %8s\n", "160 characters, ns", "to UTF-8", "iconv", "from", "iconv");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        buf_clear(&utf8);
        buf_clear(&bytes);
        while (smpp_utf8_chars(buf_text(&utf8), utf8.len) < CHARS)
            buf_adds(&utf8, rows[i].piece);
        utf8.len = smpp_utf8_prefix(utf8.data, utf8.len, CHARS);
        smpp_text_from_utf8(rows[i].alphabet, utf8.data, utf8.len, &bytes);

        double start = now_ns();
        for (int n = 0; n < ROUNDS; n++) {
            buf_clear(&out);
            smpp_text_to_utf8(rows[i].alphabet, (const uint8_t *)bytes.data, bytes.len, &out);
            __asm__ volatile("" ::: "memory");
        }
        double to_ns = (now_ns() - start) / ROUNDS;
        start = now_ns();
        for (int n = 0; n < ROUNDS; n++) {
            buf_clear(&out);
            smpp_text_from_utf8(rows[i].alphabet, utf8.data, utf8.len, &out);
            __asm__ volatile("" ::: "memory");
        }
        double from_ns = (now_ns() - start) / ROUNDS;

        printf("%-24s", rows[i].name);
        print_ns(to_ns);
        print_ns(rows[i].charset == NULL ? -1 : bench_iconv("UTF-8", rows[i].charset, bytes.data, bytes.len));
        print_ns(from_ns);
        print_ns(rows[i].charset == NULL ? -1 : bench_iconv(rows[i].charset, "UTF-8", utf8.data, utf8.len));
        printf("\n");
    }
    buf_finish(&utf8);
    buf_finish(&bytes);
    buf_finish(&out);
    return 0;
}
