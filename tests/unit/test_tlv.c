/* SPDX-License-Identifier: MIT */
/* test_tlv.c - optional parameters: order, repetition, damage, numbers, the limit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include "smpp/scan.h"

static uint32_t scan(const void *bytes, size_t len, struct smpp_pdu *pdu)
{
    memset(pdu, 0, sizeof *pdu);
    return tlv_scan((struct bytes){ bytes, len }, pdu);
}

static void order_and_repetition_are_kept(void **state)
{
    static const uint8_t area[] = { 0x14, 0, 0, 1, 'b', 2, 4, 0, 2, 0, 7, 0x14, 0, 0, 0, 0xFF, 0xFF, 0, 1, 'z' };
    struct smpp_pdu pdu;
    uint8_t again[sizeof area];

    (void)state;
    assert_int_equal(STATUS_ROK, scan(area, sizeof area, &pdu));
    assert_false(pdu.tlvs_damaged);
    assert_int_equal(4, pdu.tlv_count);
    assert_int_equal(0x1400, pdu.tlvs[2].tag);
    assert_int_equal(0, pdu.tlvs[2].len);
    assert_ptr_equal(&pdu.tlvs[0], smpp_tlv_find(&pdu, 0x1400));
    assert_null(smpp_tlv_find(&pdu, 0x1401));
    assert_int_equal(sizeof area, tlv_wire_len(&pdu));
    assert_ptr_equal(again + sizeof again, tlv_put(&pdu, again));
    assert_memory_equal(area, again, sizeof area);
}

static void a_cut_tlv_leaves_the_others(void **state)
{
    static const uint8_t area[] = { 0x14, 0, 0, 1, 'b', 2, 4, 0, 2, 0, 7 };
    struct smpp_pdu pdu;

    (void)state;
    for (size_t len = 0; len <= sizeof area; len++) {
        assert_int_equal(STATUS_ROK, scan(area, len, &pdu));
        assert_int_equal(len == sizeof area ? 2 : len >= 5 ? 1 : 0, pdu.tlv_count);
        assert_int_equal(len != 0 && len != 5 && len != sizeof area, pdu.tlvs_damaged);
    }
}

static void numbers_have_one_two_or_four_bytes(void **state)
{
    static const uint8_t area[] = { 0, 1, 0, 1, 0xFE, 0, 2, 0, 2, 0x12, 0x34, 0, 3, 0, 4,
                                    1, 2, 3, 4, 0,    4, 0, 3, 1, 2,    3,    0, 5, 0, 0 };
    struct smpp_pdu pdu;
    uint32_t v = 99;

    (void)state;
    assert_int_equal(STATUS_ROK, scan(area, sizeof area, &pdu));
    assert_int_equal(5, pdu.tlv_count);
    assert_true(smpp_tlv_uint(&pdu, 1, &v));
    assert_int_equal(0xFE, v);
    assert_true(smpp_tlv_uint(&pdu, 2, &v));
    assert_int_equal(0x1234, v);
    assert_true(smpp_tlv_uint(&pdu, 3, &v));
    assert_int_equal(0x01020304, v);
    assert_false(smpp_tlv_uint(&pdu, 4, &v));
    assert_false(smpp_tlv_uint(&pdu, 5, &v));
    assert_false(smpp_tlv_uint(&pdu, 6, &v));
    assert_int_equal(0x01020304, v);
}

static void the_limit_holds_both_ways(void **state)
{
    uint8_t area[(SMPP_TLVS_MAX + 1) * 4] = { 0 };
    struct smpp_pdu pdu;

    (void)state;
    assert_int_equal(STATUS_ROK, scan(area, sizeof area - 4, &pdu));
    assert_int_equal(STATUS_RINVTLVSTREAM, scan(area, sizeof area, &pdu));
    memset(&pdu, 0, sizeof pdu);
    for (size_t i = 0; i < SMPP_TLVS_MAX; i++)
        assert_true(smpp_tlv_add(&pdu, (uint16_t)i, "x", 1));
    assert_false(smpp_tlv_add(&pdu, 1, "x", 1));
    assert_int_equal(SMPP_TLVS_MAX, pdu.tlv_count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_and_repetition_are_kept),
        cmocka_unit_test(a_cut_tlv_leaves_the_others),
        cmocka_unit_test(numbers_have_one_two_or_four_bytes),
        cmocka_unit_test(the_limit_holds_both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
