/* SPDX-License-Identifier: MIT */
/* fuzz_text.c - any bytes in any alphabet: the UTF-8 is valid, counts agree, and clean text survives the way back. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "smpp/text.h"
#include "smpp/udh.h"

struct joined {
    enum smpp_alphabet alphabet;
    struct buf utf8;
    unsigned parts;
};

static void join(void *owner, const uint8_t *text, size_t len, unsigned number, unsigned total)
{
    struct joined *j = owner;

    assert(number == j->parts + 1 && number <= total);
    j->parts = number;
    size_t replaced = smpp_text_to_utf8(j->alphabet, text, len, &j->utf8);
    assert(replaced == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf utf8, again, back;

    if (size < 2 || size > 4096)
        return 0;
    enum smpp_alphabet from = (enum smpp_alphabet)(data[0] % ALPHABET_COUNT);
    enum smpp_language locking = (enum smpp_language)(data[1] & 7), single = (enum smpp_language)(data[1] >> 3 & 7);
    data += 2;
    size -= 2;
    buf_init(&utf8, 1 << 16);
    buf_init(&again, 1 << 16);
    buf_init(&back, 1 << 16);

    size_t replaced = from == ALPHABET_GSM7 && locking + single > 0
                          ? smpp_text_gsm_to_utf8(locking, single, data, size, &utf8)
                          : smpp_text_to_utf8(from, data, size, &utf8);
    assert(replaced <= size && !utf8.failed);
    size_t bad = smpp_text_to_utf8(ALPHABET_UTF8, (const uint8_t *)buf_text(&utf8), utf8.len, &again);
    assert(bad == 0 && again.len == utf8.len);

    if (replaced == 0 && from != ALPHABET_GSM7 && from != ALPHABET_NONE) {
        size_t lost = smpp_text_from_utf8(from, buf_text(&utf8), utf8.len, &back);
        assert(lost == 0 && back.len == size && (size == 0 || memcmp(back.data, data, size) == 0));
    }

    /* the input itself as text to send */
    const char *text = (const char *)data;
    size_t chars = smpp_utf8_chars(text, size);
    assert(chars <= size && smpp_utf8_prefix(text, size, chars) == size);
    for (int to = 0; to < ALPHABET_COUNT; to++) {
        enum smpp_alphabet alphabet = (enum smpp_alphabet)to;

        buf_clear(&back);
        size_t lost = smpp_text_from_utf8(alphabet, text, size, &back);
        size_t units = smpp_text_units(alphabet, text, size);
        if (alphabet != ALPHABET_NONE)
            assert(back.len == (alphabet == ALPHABET_UCS2 ? 2 * units : units));
        if (alphabet == ALPHABET_GSM7)
            assert(smpp_text_fits_gsm(text, size) == (lost == 0));
        struct joined j = { .alphabet = alphabet };
        buf_init(&j.utf8, 1 << 16);
        buf_clear(&again);
        smpp_text_split(alphabet, text, size, join, &j);
        assert(j.parts == smpp_text_parts(alphabet, text, size));
        smpp_text_to_utf8(alphabet, (const uint8_t *)buf_text(&back), back.len, &again);
        assert(j.utf8.len == again.len && strcmp(buf_text(&j.utf8), buf_text(&again)) == 0);
        buf_finish(&j.utf8);
    }
    buf_finish(&utf8);
    buf_finish(&again);
    buf_finish(&back);
    return 0;
}
