/* SPDX-License-Identifier: MIT */
/* test_number.c - numbers as people write them, senders an account may use, TLVs that become parameters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/extra.h"
#include "gateway/number.h"

static const struct cfg_pair russia[] = { { "8xxxxxxxxxx", "7" }, { "0", "+39" }, { 0 } };

static const char *normal(uint8_t ton, const char *text, enum cfg_numbers form, const struct cfg_pair *prefixes)
{
    static char out[NUMBER_MAX + 1];
    struct smpp_addr address = { ton, 0, smpp_str(text) };

    size_t len = number_normalise(&address, form, prefixes, out);

    assert_int_equal(len, strlen(out));
    return out;
}

static void numbers_get_their_international_form(void **state)
{
    static const struct {
        uint8_t ton;
        const char *in, *keep, *digits;
    } rows[] = {
        { 1, "79990000001", "79990000001", "79990000001" },
        { 0, "+79990000001", "+79990000001", "79990000001" },
        { 1, "0079990000001", "+79990000001", "79990000001" },
        { 2, "89990000001", "79990000001", "79990000001" },
        { 0, "89990000001", "79990000001", "79990000001" },
        { 1, "89990000001", "89990000001", "89990000001" },    /* it says it is international */
        { 0, "821012345678", "821012345678", "821012345678" }, /* twelve digits: no number of that form */
        { 2, "0612345678", "39612345678", "39612345678" },
        { 0, "+7 (999) 000-00-01", "+79990000001", "79990000001" },
        { 5, "user@example.org", "user@example.org", "user@example.org" },
        { 0, "#12345", "#12345", "#12345" },
        { 0, "", "", "" },
        { 0, "+", "+", "+" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_string_equal(normal(rows[i].ton, rows[i].in, CFG_NUMBERS_KEEP, russia), rows[i].keep);
        assert_string_equal(normal(rows[i].ton, rows[i].in, CFG_NUMBERS_DIGITS, russia), rows[i].digits);
    }
    assert_string_equal(normal(0, "89990000001", CFG_NUMBERS_KEEP, NULL), "89990000001");
}

static void numbers_are_bounded(void **state)
{
    char longest[300];

    (void)state;
    for (size_t len = 0; len < sizeof longest - 1; len++) {
        memset(longest, '0', len);
        longest[len] = '\0';
        assert_true(strlen(normal(0, longest, CFG_NUMBERS_KEEP, russia)) <= NUMBER_MAX);
    }
}

static bool allowed(const char *source)
{
    static const char *const sources[] = { "Shop", "7903*", NULL };

    return number_source_allowed(sources, smpp_str(source));
}

static void senders_are_the_allowed_ones(void **state)
{
    static const char *const none[] = { NULL }, *const all[] = { "*", NULL };

    (void)state;
    assert_true(allowed("Shop"));
    assert_true(allowed("79030000000"));
    assert_true(allowed("+79030000000"));
    assert_true(allowed("7903"));
    assert_false(allowed("shop"));
    assert_false(allowed("Shopp"));
    assert_false(allowed("7902"));
    assert_false(allowed(""));
    assert_true(number_source_allowed(none, smpp_str("any")));
    assert_true(number_source_allowed(NULL, smpp_str("any")));
    assert_true(number_source_allowed(all, smpp_str("")));
}

static void parameters_survive_their_encoding(void **state)
{
    struct buf b;
    struct extra extra;

    (void)state;
    buf_init(&b, 10000);
    extra_add(&b, "a", "x&y=z %", 7);
    extra_add(&b, "b", "", 0);
    extra_add_time(&b, 1800000000);
    extra_read(b.data, b.len, &extra);
    assert_int_equal(extra.count, 3);
    assert_string_equal(extra_find(&extra, "a"), "x&y=z %");
    assert_string_equal(extra_find(&extra, "b"), "");
    assert_null(extra_find(&extra, "c"));
    assert_int_equal(extra_time(&extra), 1800000000);
    buf_clear(&b);
    for (int i = 0; i < 400; i++)
        extra_add(&b, "name", "0123456789", 10);
    extra_read(b.data, b.len, &extra); /* what does not fit is left out */
    assert_true(extra.count > 0 && extra.count <= EXTRA_MAX);
    assert_string_equal(extra.at[extra.count - 1].value, "0123456789");
    extra_read(NULL, 0, &extra);
    assert_int_equal(extra.count, 0);
    assert_int_equal(extra_time(&extra), 0);
    buf_finish(&b);
}

static void a_request_carries_the_message_s_parameters_first(void **state)
{
    static const struct cfg_pair of_upstream[] = { { "translit", "0" }, { 0 } };
    struct extra storage;
    struct smsc_send send = { 0 };

    (void)state;
    extra_fill(of_upstream, "entity_id=12&time=01800000000", 29, &storage, &send);
    assert_int_equal(send.extra_count, 3);
    assert_string_equal(send.extra[0].name, "entity_id");
    assert_string_equal(send.extra[2].name, "translit");
    assert_int_equal(send.at_s, 1800000000);
}

static void tlvs_become_parameters(void **state)
{
    static const struct cfg_pair map[] = { { "0x1400", "entity_id" }, { "5121", "raw" }, { "x", "never" }, { 0 } };
    static struct smpp_pdu pdu;
    struct buf b;
    struct bytes found;

    (void)state;
    assert_true(smpp_tlv_add(&pdu, TAG_USER_MESSAGE_REFERENCE, "\x12\x34", 2));
    assert_true(smpp_tlv_add(&pdu, TAG_MESSAGE_PAYLOAD, "text", 4));
    assert_true(smpp_tlv_add(&pdu, 0x1400, "1101234\0", 8));
    assert_true(smpp_tlv_add(&pdu, 5121, "\x00\xff", 2));
    buf_init(&b, 10000);
    extra_map_tlvs(map, &pdu, &b);
    assert_string_equal(buf_text(&b), "entity_id=1101234&raw=00ff");
    buf_clear(&b);
    extra_pack_tlvs(&pdu, &b);
    assert_int_equal(b.len, 4 + 2 + 4 + 8 + 4 + 2); /* without the payload, which is the text */
    assert_true(extra_find_tlv(b.data, b.len, TAG_USER_MESSAGE_REFERENCE, &found));
    assert_int_equal(found.len, 2);
    assert_int_equal(found.at[1], 0x34);
    assert_true(extra_find_tlv(b.data, b.len, 5121, &found));
    assert_false(extra_find_tlv(b.data, b.len, TAG_MESSAGE_PAYLOAD, &found));
    assert_false(extra_find_tlv(b.data, 3, TAG_USER_MESSAGE_REFERENCE, &found));
    buf_finish(&b);
}

static void what_a_callback_says_becomes_tlvs(void **state)
{
    static const struct cfg_pair map[] = {
        { "0x1400", "cmt" }, { "0x1401", "absent" }, { "0x1402", "empty" }, { "0x1403", "cost" }, { 0 }
    };
    struct http_params params;
    struct buf told, result;
    uint8_t read[EXTRA_TOLD_BYTES];
    struct bytes found;
    char long_one[EXTRA_TOLD_BYTES + 1];

    (void)state;
    http_params_init(&params);
    assert_int_equal(0, http_params_add(&params, "cmt", "\xd0\x9f ok", 5));
    assert_int_equal(0, http_params_add(&params, "empty", "", 0));
    assert_int_equal(0, http_params_add(&params, "cost", "1.50", 4));
    buf_init(&told, EXTRA_TOLD_BYTES);
    buf_init(&result, 4096);
    extra_pack_told(map, &params, &told);
    assert_int_equal(told.len, 4 + 5 + 4 + 4);
    buf_adds(&result, " flag:2");
    extra_write_told(&told, &result);
    buf_adds(&result, " imsi:250 msc:7");
    assert_int_equal(told.len, extra_read_told(buf_text(&result), result.len, read));
    assert_true(extra_find_tlv((const char *)read, told.len, 0x1400, &found));
    assert_int_equal(found.len, 5);
    assert_memory_equal(found.at, "\xd0\x9f ok", 5);
    assert_true(extra_find_tlv((const char *)read, told.len, 0x1403, &found));
    assert_false(extra_find_tlv((const char *)read, told.len, 0x1402, &found));
    /* none, and what is no result but parameters for the upstream */
    assert_int_equal(0, extra_read_told("", 0, read));
    assert_int_equal(0, extra_read_told(" flag:2", 7, read));
    assert_int_equal(0, extra_read_told("a= tlvs:1400", 12, read));
    /* too long for a receipt: left out, the next one not */
    http_params_finish(&params);
    http_params_init(&params);
    memset(long_one, 'x', sizeof long_one);
    assert_int_equal(0, http_params_add(&params, "cmt", long_one, sizeof long_one));
    assert_int_equal(0, http_params_add(&params, "cost", "1.50", 4));
    buf_clear(&told);
    extra_pack_told(map, &params, &told);
    assert_int_equal(told.len, 8);
    http_params_finish(&params);
    buf_finish(&told);
    buf_finish(&result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_get_their_international_form),
        cmocka_unit_test(numbers_are_bounded),
        cmocka_unit_test(senders_are_the_allowed_ones),
        cmocka_unit_test(parameters_survive_their_encoding),
        cmocka_unit_test(a_request_carries_the_message_s_parameters_first),
        cmocka_unit_test(tlvs_become_parameters),
        cmocka_unit_test(what_a_callback_says_becomes_tlvs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
