/* SPDX-License-Identifier: MIT */
/* test_udh.c - the user data header [23.040 9.2.3.24], SAR TLVs, and splitting without cutting a pair. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "smpp/udh.h"

static struct bytes view(const char *s, size_t len)
{
    return (struct bytes){ (const uint8_t *)s, len };
}

static struct smpp_udh read_header(const char *s, size_t len)
{
    struct smpp_udh udh;

    memset(&udh, 0xA5, sizeof udh); /* every field must be written */
    smpp_udh_read(view(s, len), &udh);
    return udh;
}

#define READ(literal) read_header(literal, sizeof(literal) - 1)

static void parts_are_read(void **state)
{
    (void)state;
    struct smpp_udh u = READ("\x05\x00\x03\xCA\x02\x01Hello");
    assert_int_equal(6, u.header_len);
    assert_false(u.damaged);
    assert_true(u.is_part && !u.wide_reference && u.only_text_elements && !u.has_ports);
    assert_int_equal(0xCA, u.reference);
    assert_int_equal(2, u.total);
    assert_int_equal(1, u.number);
    assert_int_equal(LANGUAGE_NONE, u.locking);

    u = READ("\x06\x08\x04\xBE\xEF\xFF\xFF");
    assert_int_equal(7, u.header_len);
    assert_true(u.is_part && u.wide_reference);
    assert_int_equal(0xBEEF, u.reference);
    assert_int_equal(255, u.total);
    assert_int_equal(255, u.number);
}

static void languages_and_ports_are_read(void **state)
{
    (void)state;
    struct smpp_udh u = READ("\x0B\x00\x03\x01\x02\x02\x24\x01\x01\x25\x01\x03x");
    assert_int_equal(12, u.header_len);
    assert_true(u.is_part && u.only_text_elements);
    assert_int_equal(LANGUAGE_TURKISH, u.single);
    assert_int_equal(LANGUAGE_PORTUGUESE, u.locking);

    u = READ("\x03\x24\x01\x09"); /* Kannada: not among ours */
    assert_int_equal(LANGUAGE_NONE, u.single);
    assert_true(u.only_text_elements);

    u = READ("\x06\x05\x04\x0B\x84\x23\xF0WAP push");
    assert_true(u.has_ports && !u.only_text_elements && !u.is_part);
    assert_int_equal(7, u.header_len);
    u = READ("\x04\x04\x02\xF5\xF5");
    assert_true(u.has_ports && !u.only_text_elements);
    u = READ("\x04\x70\x00\x01\x00"); /* SIM toolkit header and an empty special message element */
    assert_true(!u.has_ports && !u.only_text_elements);
    u = READ("\x00text");
    assert_int_equal(1, u.header_len);
    assert_true(u.only_text_elements && !u.is_part && !u.damaged);
}

static void void_elements_leave_the_header(void **state)
{
    (void)state;
    assert_false(READ("\x05\x00\x03\xCA\x02\x03x").is_part); /* third of two */
    assert_false(READ("\x05\x00\x03\xCA\x02\x00x").is_part);
    assert_false(READ("\x05\x00\x03\xCA\x00\x00x").is_part);
    assert_false(READ("\x04\x00\x02\xCA\x02x").is_part); /* length 2 */
    assert_false(READ("\x06\x00\x04\xCA\x02\x01\x01x").is_part);
    assert_int_equal(6, READ("\x05\x00\x03\xCA\x02\x03x").header_len);
    assert_false(READ("\x05\x00\x03\xCA\x02\x03x").damaged);

    struct smpp_udh u = READ("\x0A\x00\x03\x11\x02\x01\x00\x03\x22\x03\x02x"); /* the last one counts */
    assert_int_equal(0x22, u.reference);
    assert_int_equal(3, u.total);
    assert_int_equal(2, u.number);
}

static void damaged_headers_are_no_headers(void **state)
{
    static const struct {
        const char *at;
        size_t len;
    } rows[] = {
        { "", 0 },
        { "\x05", 1 },
        { "\x05\x00\x03\xCA\x02", 5 },              /* one octet short */
        { "\xFFHello", 6 },                         /* text that never had a header */
        { "\x05\x00\x04\xCA\x02\x01z", 7 },         /* element longer than the header */
        { "\x06\x00\x03\xCA\x02\x01\x24z", 8 },     /* an id without a length */
        { "\x07\x24\x01\x01\x05\x04\x0B\x84z", 9 }, /* the second one is cut */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct smpp_udh u = read_header(rows[i].at, rows[i].len);

        assert_true(u.damaged && u.only_text_elements);
        assert_int_equal(0, u.header_len);
        assert_false(u.is_part || u.has_ports);
        assert_int_equal(LANGUAGE_NONE, u.single);
    }
    assert_true(read_header(NULL, 0).damaged);
}

/* Any bytes at all: what is claimed lies inside the text, and a part is never impossible. */
static void any_bytes_are_survived(void **state)
{
    uint64_t seed = 7;

    (void)state;
    for (int round = 0; round < 50000; round++) {
        uint8_t in[24];
        size_t len;

        for (size_t i = 0; i < sizeof in; i++) {
            seed = seed * UINT64_C(6364136223846793005) + 1;
            in[i] = (uint8_t)((seed >> 40) % (i % 3 == 0 ? 16 : 40));
        }
        len = (size_t)(seed >> 50) % sizeof in;
        uint8_t *exact = malloc(len == 0 ? 1 : len); /* so that a sanitizer sees the first byte too many */
        memcpy(exact, in, len);
        struct smpp_udh u = read_header((const char *)exact, len);
        assert_true(u.header_len <= len);
        assert_true((u.header_len == 0) == u.damaged);
        assert_true(!u.is_part || (u.number >= 1 && u.number <= u.total));
        free(exact);
    }
}

static void a_written_header_is_read(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 64);
    smpp_udh_write_part(&b, 0xAB, 7, 3);
    buf_adds(&b, "text");
    struct smpp_udh u = read_header(b.data, b.len);
    assert_int_equal(6, u.header_len);
    assert_int_equal(0xAB, u.reference);
    assert_int_equal(7, u.total);
    assert_int_equal(3, u.number);
    buf_finish(&b);
}

/* ---- the part a PDU is ---- */

static struct smpp_pdu pdu;

static const struct smpp_pdu *submit(uint8_t esm_class, const char *text, size_t len)
{
    memset(&pdu, 0, sizeof pdu);
    pdu.command_id = CMD_SUBMIT_SM;
    pdu.has_body = true;
    pdu.sm.esm_class = esm_class;
    pdu.sm.short_message = view(text, len);
    return &pdu;
}

static void add_sar(const char *reference, size_t reference_len, const char *total, const char *number)
{
    smpp_tlv_add(&pdu, TAG_SAR_MSG_REF_NUM, reference, (uint16_t)reference_len);
    if (total != NULL)
        smpp_tlv_add(&pdu, TAG_SAR_TOTAL_SEGMENTS, total, 1);
    smpp_tlv_add(&pdu, TAG_SAR_SEGMENT_SEQNUM, number, 1);
}

static void parts_by_header(void **state)
{
    uint32_t ref = 1;
    uint8_t total = 2, number = 3;

    (void)state;
    assert_true(smpp_part_of(submit(ESM_UDHI, "\x05\x00\x03\xCA\x02\x01Hi", 8), &ref, &total, &number));
    assert_int_equal(0xCA, ref);
    assert_int_equal(2, total);
    assert_int_equal(1, number);
    assert_true(smpp_part_of(submit(ESM_UDHI | 3, "\x06\x08\x04\x00\xCA\x03\x02Hi", 9), &ref, &total, &number));
    assert_true(ref == (UINT32_C(1) << 30 | 0xCA)); /* never mixes with the 8-bit 0xCA */
    assert_int_equal(3, total);

    ref = 77;
    assert_false(smpp_part_of(submit(0, "\x05\x00\x03\xCA\x02\x01Hi", 8), &ref, &total, &number)); /* no UDHI */
    assert_false(
        smpp_part_of(submit(ESM_UDHI, "\x05\x00\x03\xCA\x01\x01Hi", 8), &ref, &total, &number)); /* one of one */
    assert_false(smpp_part_of(submit(ESM_UDHI, "\x05\x00\x03\xCA\x02\x03Hi", 8), &ref, &total, &number));
    assert_false(smpp_part_of(submit(ESM_UDHI, "\x05\x00", 2), &ref, &total, &number));
    assert_int_equal(77, ref);

    submit(ESM_UDHI, NULL, 0); /* in the payload */
    smpp_tlv_add(&pdu, TAG_MESSAGE_PAYLOAD, "\x05\x00\x03\xCA\x04\x04Hi", 8);
    assert_true(smpp_part_of(&pdu, &ref, &total, &number));
    assert_int_equal(4, total);
    assert_int_equal(4, number);
}

static void parts_by_tlv(void **state)
{
    uint32_t ref = 0;
    uint8_t total = 0, number = 0;

    (void)state;
    submit(0, "Hi", 2);
    add_sar("\x12\x34", 2, "\x03", "\x02");
    assert_true(smpp_part_of(&pdu, &ref, &total, &number));
    assert_true(ref == (UINT32_C(1) << 31 | 0x1234));
    assert_int_equal(3, total);
    assert_int_equal(2, number);

    submit(ESM_UDHI, "\x06\x05\x04\x0B\x84\x23\xF0x", 8); /* ports in the header, the part in TLVs */
    add_sar("\x12\x34", 2, "\x03", "\x03");
    assert_true(smpp_part_of(&pdu, &ref, &total, &number));
    assert_int_equal(3, number);

    static const struct {
        const char *total, *number;
    } rows[] = { { "\x01", "\x01" }, { "\x03", "\x04" }, { "\x03", "\x00" }, { "\x00", "\x00" }, { NULL, "\x01" } };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        submit(0, "Hi", 2);
        add_sar("\x12\x34", 2, rows[i].total, rows[i].number);
        assert_false(smpp_part_of(&pdu, &ref, &total, &number));
    }
    submit(0, "Hi", 2);
    add_sar("\x12\x34\x56", 3, "\x03", "\x02");
    assert_false(smpp_part_of(&pdu, &ref, &total, &number));
}

/* ---- splitting ---- */

struct pieces {
    enum smpp_alphabet alphabet;
    struct buf text; /* UTF-8 of all parts */
    unsigned calls, total;
    size_t lens[16];
    size_t unclean;
};

static void take_piece(void *owner, const uint8_t *text, size_t len, unsigned number, unsigned total)
{
    struct pieces *p = owner;

    assert_int_equal(p->calls + 1, number);
    assert_true(p->calls == 0 || p->total == total);
    p->lens[p->calls++ % ARRAY_LEN(p->lens)] = len;
    p->total = total;
    assert_true(len <= (total == 1 ? 160 : p->alphabet == ALPHABET_GSM7 ? 153 : 134));
    p->unclean += smpp_text_to_utf8(p->alphabet, text, len, &p->text);
}

static void splits(enum smpp_alphabet alphabet, const char *piece, size_t times, const char *tail, const size_t *lens,
                   unsigned total)
{
    struct pieces p = { .alphabet = alphabet };
    struct buf in;

    buf_init(&in, 1 << 20);
    buf_init(&p.text, 1 << 20);
    for (size_t i = 0; i < times; i++)
        buf_adds(&in, piece);
    buf_adds(&in, tail);
    smpp_text_split(alphabet, buf_text(&in), in.len, take_piece, &p);
    assert_int_equal(total, p.calls);
    assert_int_equal(total, p.total);
    assert_int_equal(total, smpp_text_parts(alphabet, buf_text(&in), in.len));
    for (unsigned i = 0; i < total; i++)
        assert_int_equal(lens[i], p.lens[i]);
    assert_int_equal(0, p.unclean); /* a cut pair would not read back */
    assert_string_equal(buf_text(&in), buf_text(&p.text));
    buf_finish(&p.text);
    buf_finish(&in);
}

#define SPLITS(alphabet, piece, times, tail, ...)                                                                      \
    splits(alphabet, piece, times, tail, (const size_t[]){ __VA_ARGS__ },                                              \
           (unsigned)(sizeof((const size_t[]){ __VA_ARGS__ }) / sizeof(size_t)))

static void long_texts_are_split(void **state)
{
    (void)state;
    SPLITS(ALPHABET_GSM7, "", 0, "", 0);
    SPLITS(ALPHABET_GSM7, "x", 160, "", 160);
    SPLITS(ALPHABET_GSM7, "x", 161, "", 153, 8);
    SPLITS(ALPHABET_GSM7, "x", 306, "", 153, 153);
    SPLITS(ALPHABET_GSM7, "x", 307, "", 153, 153, 1);
    SPLITS(ALPHABET_GSM7, "x", 152, "€0123456789", 152, 12); /* the pair would stand on 153 and 154 */
    SPLITS(ALPHABET_GSM7, "€", 153, "", 152, 152, 2);
    SPLITS(ALPHABET_UCS2, "ж", 70, "", 140);
    SPLITS(ALPHABET_UCS2, "ж", 71, "", 134, 8);
    SPLITS(ALPHABET_UCS2, "ж", 66, "😀жжжж", 132, 12); /* the pair would stand on 67 and 68 */
    SPLITS(ALPHABET_UCS2, "😀", 67, "", 132, 132, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_read),
        cmocka_unit_test(languages_and_ports_are_read),
        cmocka_unit_test(void_elements_leave_the_header),
        cmocka_unit_test(damaged_headers_are_no_headers),
        cmocka_unit_test(any_bytes_are_survived),
        cmocka_unit_test(a_written_header_is_read),
        cmocka_unit_test(parts_by_header),
        cmocka_unit_test(parts_by_tlv),
        cmocka_unit_test(long_texts_are_split),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
